//! What is lent is read through one mapping, given back once each time, and never anybody's fault but who made it.

use std::sync::atomic::Ordering;

use bailiwick_core::ring::{LINK_BYTES, RETURN_STRIDE, RETURN_WORDS, RETURNS_AT};
use bailiwick_sys::segment::Segment;
use bailiwick_sys::shared_words::{SharedWords, make};

use super::*;

struct End {
    memory: Arc<SharedWords>,
    lenders: Lenders,
}

impl End {
    fn new() -> Self {
        let memory = Arc::new(SharedWords::map(make(LINK_BYTES).unwrap().as_fd(), LINK_BYTES).unwrap());
        let loans = Loans::new(Arc::clone(&memory), RETURNS_AT + RETURN_WORDS);
        Self { lenders: Lenders::new(Returns::new(&memory, RETURNS_AT), loans), memory }
    }

    fn came(
        &mut self,
        what: &[(&dyn AsFd, u8)],
        lost: Option<LostFds>,
    ) -> Option<(Vec<Came>, Option<LostFds>)> {
        let fds = what.iter().map(|(fd, _)| fd.as_fd().try_clone_to_owned().unwrap()).collect();
        let places: Vec<_> = what.iter().map(|(_, place)| *place).collect();
        self.lenders.came(fds, &places, lost)
    }

    fn lent(&mut self, segment: &Segment, place: u8) -> Lent {
        let (mut came, lost) = self.came(&[(segment, place)], None).unwrap();
        assert_eq!(lost, None);
        let Some(Came::Lent(lent)) = came.pop() else { panic!("it is lent") };
        *lent.downcast().unwrap()
    }

    fn back(&self, place: usize) -> u64 {
        self.memory[RETURNS_AT + place * RETURN_STRIDE].load(Ordering::Relaxed)
    }
}

fn segment(bytes: usize, byte: u8) -> Segment {
    let mut segment = Segment::make(bytes).unwrap();
    segment.fill(byte);
    segment
}

#[test]
fn what_comes_again_is_read_through_the_same_mapping_and_given_back_each_time() {
    let (mut end, mut segment) = (End::new(), segment(5000, 1));
    let one = end.lent(&segment, 31);
    let place = one.as_ptr();
    assert!(*one == [1; 5000]);
    drop(one);
    segment.fill(2);
    let other = end.lent(&segment, 31);
    assert!(*other == [2; 5000] && other.as_ptr() == place);
    assert_eq!(end.back(31), 1);
    drop(other);
    assert_eq!((end.back(31), end.back(0)), (2, 0));
}

#[test]
fn other_memory_in_the_same_place_is_read_for_what_it_is() {
    let mut end = End::new();
    let (one, other) = (segment(5000, 1), segment(9000, 2));
    let first = end.lent(&one, 3);
    let second = end.lent(&other, 3);
    assert!(*first == [1; 5000] && *second == [2; 9000]);
    drop((first, second));
    assert_eq!(end.back(3), 2);
}

#[test]
fn what_is_thrown_away_unread_is_given_back() {
    let (mut end, segment) = (End::new(), segment(5000, 1));
    drop(end.came(&[(&segment, 0)], None));
    assert_eq!(end.back(0), 1);
}

#[test]
fn what_is_read_outlives_the_link_and_says_nothing_more() {
    let (mut end, segment) = (End::new(), segment(5000, 1));
    let lent = end.lent(&segment, 0);
    let End { memory, lenders } = end;
    let words = Arc::downgrade(&memory);
    drop((lenders, memory, segment));
    assert!(*lent == [1; 5000]);
    assert!(words.upgrade().is_none(), "who keeps a blob does not keep the memory of its link");
    drop(lent);
}

#[test]
fn descriptors_that_were_lost_are_given_back_and_so_are_those_after_them() {
    let (mut end, segment) = (End::new(), segment(5000, 1));
    let fds = vec![segment.as_fd().try_clone_to_owned().unwrap()];
    let (came, lost) = end.lenders.came(fds, &[4, 5, PLAIN], Some(LostFds::TableFull)).unwrap();
    assert_eq!((came.len(), lost), (1, Some(LostFds::TableFull)));
    assert_eq!((end.back(4), end.back(5)), (0, 1));
    drop(came);
    assert_eq!((end.back(4), end.back(5)), (1, 1));
}

#[test]
fn d4_what_is_not_fit_to_be_lent_is_a_descriptor_like_any_other() {
    let mut end = End::new();
    let plain = tempfile::tempfile().unwrap();
    let sealed = bailiwick_sys::memory::seal(&[7; 8192]).unwrap();
    let words = make(8192).unwrap();
    for fd in [&plain as &dyn AsFd, &sealed, &words] {
        let (came, lost) = end.came(&[(fd, 0)], None).unwrap();
        assert!(matches!(came.as_slice(), [Came::Fd(_)]));
        assert_eq!(lost, None);
    }
}

#[test]
fn memory_that_is_not_said_to_be_lent_is_a_descriptor() {
    let (mut end, segment) = (End::new(), segment(5000, 1));
    let (came, _) = end.came(&[(&segment, PLAIN)], None).unwrap();
    assert!(matches!(came.as_slice(), [Came::Fd(_)]));
}

#[test]
fn d1_what_is_said_of_descriptors_that_are_not_there_is_refused() {
    let (mut end, segment) = (End::new(), segment(5000, 1));
    let fd = || segment.as_fd().try_clone_to_owned().unwrap();
    let full = Some(LostFds::TableFull);
    let places: [(&[u8], usize, Option<LostFds>); 6] = [
        (&[], 0, None),
        (&[0], 0, None),
        (&[0], 2, None),
        (&[PLACES as u8], 1, None),
        (&[PLAIN - 1], 1, None),
        (&[0], 1, full),
    ];
    for (places, fds, lost) in places {
        assert!(end.lenders.came((0..fds).map(|_| fd()).collect(), places, lost).is_none(), "{places:?}");
    }
}

#[test]
fn no_more_is_kept_mapped_than_may_be_and_what_is_not_is_read_all_the_same() {
    for (bytes, kept) in [(4096, 32), (1 << 20, 2), ((2 << 20) + 1, 0)] {
        let mut end = End::new();
        (end.lenders.idle_bytes, end.lenders.live_bytes) = (2 << 20, usize::MAX);
        let segments: Vec<_> = (0..PLACES).map(|_| segment(bytes, 7)).collect();
        let held: Vec<_> =
            segments.iter().zip(0..).map(|(segment, place)| end.lent(segment, place)).collect();
        assert_eq!(end.lenders.mapped.len(), kept, "{bytes}");
        assert!(held.iter().all(|lent| lent.len() == bytes && lent[bytes - 1] == 7));
        drop(held);
        assert!((0..PLACES).all(|place| end.back(place) == 1));
    }
}

#[test]
fn no_more_is_mapped_than_an_honest_peer_lends_whoever_holds_it() {
    let mut end = End::new();
    end.lenders.live_bytes = 2 << 20;
    let segments: Vec<_> = (0..3).map(|_| segment(1 << 20, 7)).collect();
    let mut held: Vec<_> = (0..2).map(|at| end.lent(&segments[at], at as u8)).collect();
    let (came, lost) = end.came(&[(&segments[2], 2)], None).unwrap();
    assert_eq!((came.len(), lost), (0, Some(LostFds::TableFull)));
    assert_eq!(end.back(2), 1, "it is given back");
    // What is not read makes room.
    held.pop();
    assert_eq!(end.lent(&segments[2], 2).len(), 1 << 20);
    assert!(held.iter().all(|lent| **lent == vec![7; 1 << 20]));
}

#[test]
fn what_did_not_come_between_two_ticks_is_let_go() {
    let (mut end, segment) = (End::new(), segment(5000, 1));
    let lent = end.lent(&segment, 0);
    end.lenders.tick();
    assert!(end.lenders.holds_memory());
    end.lenders.tick();
    assert!(!end.lenders.holds_memory());
    assert!(*lent == [1; 5000]);
}
