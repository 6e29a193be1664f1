//! What is kept of the past: so much of each child, and no more than so many bytes of all of them.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::rc::Rc;

use crate::tree::ChildId;

/// Papers of children, the oldest first. The latest one of a child gives way only to its next one, so that a child
/// which dies without end pushes out nobody else's last.
///
/// ```
/// use bailiwick_core::shelf::Shelf;
/// use bailiwick_core::tree::ChildId;
///
/// let mut shelf = Shelf::new(2, 1000);
/// for paper in [b"1", b"2", b"3"] {
///     shelf.put(ChildId(7), paper[..].into());
/// }
/// let kept: Vec<_> = shelf.of(ChildId(7)).map(|paper| paper[0]).collect();
/// assert_eq!(kept, *b"23");
/// ```
#[derive(Debug)]
pub struct Shelf {
    each: usize,
    bytes_max: usize,
    bytes: usize,
    /// Papers put here so far.
    count: u64,
    kept: BTreeMap<ChildId, Papers>,
}

/// The papers of one child, each with its number among all.
type Papers = VecDeque<(u64, Rc<[u8]>)>;

impl Shelf {
    /// Makes an empty one that keeps up to `each` papers of a child, at least one, and up to `bytes_max` bytes of all;
    /// of more only the latest one of each child.
    pub fn new(each: usize, bytes_max: usize) -> Self {
        Self { each: each.max(1), bytes_max, bytes: 0, count: 0, kept: BTreeMap::new() }
    }

    /// Puts one paper of a child behind its others.
    pub fn put(&mut self, child: ChildId, paper: Rc<[u8]>) {
        self.count += 1;
        self.bytes += paper.len();
        let papers = self.kept.entry(child).or_default();
        papers.push_back((self.count, paper));
        if papers.len() > self.each {
            self.drop_oldest_of(child);
        }
        while self.bytes > self.bytes_max {
            let spare = self.kept.iter().filter(|(_, papers)| papers.len() > 1);
            let oldest = spare.min_by_key(|(_, papers)| papers.front().map(|(number, _)| *number));
            let Some(child) = oldest.map(|(child, _)| *child) else { return };
            self.drop_oldest_of(child);
        }
    }

    /// Returns the papers of a child, the oldest first.
    pub fn of(&self, child: ChildId) -> impl Iterator<Item = &Rc<[u8]>> {
        self.kept.get(&child).into_iter().flatten().map(|(_, paper)| paper)
    }

    /// Returns the latest paper of a child.
    pub fn latest(&self, child: ChildId) -> Option<&Rc<[u8]>> {
        self.kept.get(&child)?.back().map(|(_, paper)| paper)
    }

    /// Puts another paper in the place of the latest one of a child.
    pub fn replace_latest(&mut self, child: ChildId, paper: Rc<[u8]>) {
        if let Some((_, former)) = self.kept.get_mut(&child).and_then(VecDeque::pop_back) {
            self.bytes -= former.len();
            self.put(child, paper);
        }
    }

    /// Returns how many bytes all of them hold.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    fn drop_oldest_of(&mut self, child: ChildId) {
        if let Some((_, paper)) = self.kept.get_mut(&child).and_then(VecDeque::pop_front) {
            self.bytes -= paper.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;
    use alloc::vec::Vec;

    use super::*;

    fn put(shelf: &mut Shelf, child: u16, paper: u8, bytes: usize) {
        shelf.put(ChildId(child), vec![paper; bytes].into());
    }

    fn of(shelf: &Shelf, child: u16) -> Vec<u8> {
        shelf.of(ChildId(child)).map(|paper| paper[0]).collect()
    }

    #[test]
    fn of_each_child_the_latest_are_kept() {
        let mut shelf = Shelf::new(3, 1000);
        for paper in 0..5 {
            put(&mut shelf, 1, paper, 10);
            put(&mut shelf, 2, 10 + paper, 10);
        }
        assert_eq!((of(&shelf, 1), of(&shelf, 2)), (vec![2, 3, 4], vec![12, 13, 14]));
        assert_eq!((of(&shelf, 3), shelf.bytes()), (vec![], 60));
    }

    #[test]
    fn the_bytes_of_all_have_a_limit_and_the_oldest_give_way() {
        let mut shelf = Shelf::new(9, 40);
        for (child, paper) in [(1, 1), (2, 2), (1, 3), (2, 4)] {
            put(&mut shelf, child, paper, 10);
        }
        assert_eq!(shelf.bytes(), 40, "at the limit");
        put(&mut shelf, 3, 5, 1);
        assert_eq!((of(&shelf, 1), of(&shelf, 2), of(&shelf, 3)), (vec![3], vec![2, 4], vec![5]));
        put(&mut shelf, 1, 6, 20);
        assert_eq!((of(&shelf, 1), of(&shelf, 2), shelf.bytes()), (vec![6], vec![4], 31));
    }

    #[test]
    fn one_that_dies_without_end_pushes_out_nobody_elses_last() {
        let mut shelf = Shelf::new(9, 40);
        put(&mut shelf, 1, 1, 20);
        for paper in 0..100 {
            put(&mut shelf, 2, paper, 10);
        }
        assert_eq!((of(&shelf, 1), of(&shelf, 2)), (vec![1], vec![98, 99]));
    }

    #[test]
    fn the_last_of_each_is_kept_even_above_the_limit() {
        let mut shelf = Shelf::new(0, 0);
        for child in 0..3 {
            put(&mut shelf, child, 1, 10);
            put(&mut shelf, child, 2, 10);
            assert_eq!(of(&shelf, child), [2]);
        }
        assert_eq!(shelf.bytes(), 30);
    }

    #[test]
    fn the_latest_can_be_exchanged_where_there_is_one() {
        let mut shelf = Shelf::new(9, 100);
        shelf.replace_latest(ChildId(1), vec![9].into());
        assert_eq!((shelf.latest(ChildId(1)), shelf.bytes()), (None, 0));
        put(&mut shelf, 1, 1, 10);
        put(&mut shelf, 1, 2, 10);
        shelf.replace_latest(ChildId(1), vec![3; 20].into());
        assert_eq!((of(&shelf, 1), shelf.bytes()), (vec![1, 3], 30));
        assert_eq!(shelf.latest(ChildId(1)).map(|paper| paper[0]), Some(3));
    }
}
