//! Nobody writes what somebody reads, whoever dies, and what is taken stays within its room.

use alloc::rc::Rc;
use alloc::vec;
use alloc::vec::Vec;
use core::cell::Cell;

use proptest::prelude::*;

use super::*;

const KIB: usize = 1 << 10;

/// How often it was lent and given back, as its readers see it too.
type Counts = Rc<Cell<(u64, u64)>>;

struct Counted {
    bytes: usize,
    counts: Counts,
}

impl Counted {
    fn new(bytes: usize) -> Self {
        Self { bytes, counts: Counts::default() }
    }

    fn lend(&self) -> Counts {
        let (lent, back) = self.counts.get();
        self.counts.set((lent + 1, back));
        Rc::clone(&self.counts)
    }
}

impl Piece for Counted {
    fn bytes(&self) -> usize {
        self.bytes
    }

    fn is_back(&self) -> bool {
        let (lent, back) = self.counts.get();
        lent == back
    }
}

fn give_back(counts: &Counts) {
    let (lent, back) = counts.get();
    counts.set((lent, back + 1));
}

/// A pool with a link.
fn pool(bytes: usize, pieces: usize) -> Pool<Counted> {
    let mut pool = Pool::new(Most { bytes, idle_bytes: bytes, pieces });
    pool.link_began();
    pool
}

fn piece(pool: &mut Pool<Counted>, bytes: usize) -> Option<(Counted, Mark)> {
    match pool.take(bytes) {
        Found::Piece(piece, mark) => Some((piece, mark)),
        Found::Room(bytes, mark) => Some((Counted::new(bytes), mark)),
        Found::Nothing => None,
    }
}

#[test]
fn a_piece_is_written_again_when_all_its_readers_have_given_it_back() {
    let mut pool = pool(64 * KIB, 1);
    let (first, mark) = piece(&mut pool, 50 * KIB).unwrap();
    let readers = [first.lend(), first.lend()];
    pool.give(first, mark);
    for reader in &readers {
        assert!(piece(&mut pool, 50 * KIB).is_none());
        give_back(reader);
    }
    let (second, _) = piece(&mut pool, 50 * KIB).unwrap();
    assert!(Rc::ptr_eq(&second.counts, &readers[0]));
}

#[test]
fn room_ends_at_the_limit_of_bytes_and_at_that_of_pieces() {
    for (bytes_max, pieces_max, wanted, found) in [
        (64 * KIB, 9, 64 * KIB, true),
        (64 * KIB, 9, 64 * KIB + 1, false),
        (64 * KIB, 9, usize::MAX, false),
        (64 * KIB, 0, 1, false),
        (0, 9, 0, false),
        (32 * KIB, 1, 0, true),
    ] {
        assert_eq!(piece(&mut pool(bytes_max, pieces_max), wanted).is_some(), found, "{bytes_max} {wanted}");
    }
    let mut pool = pool(96 * KIB, 9);
    let held: Vec<_> = (0..4).map_while(|_| piece(&mut pool, 1)).collect();
    assert_eq!((held.len(), pool.bytes()), (3, 96 * KIB));
}

#[test]
fn pieces_of_another_size_make_room_when_nobody_reads_them() {
    let mut pool = pool(64 * KIB, 9);
    let (small, large) = (piece(&mut pool, 1).unwrap(), piece(&mut pool, 1).unwrap());
    let reader = small.0.lend();
    pool.give(small.0, small.1);
    pool.give(large.0, large.1);
    assert!(piece(&mut pool, 64 * KIB).is_none());
    give_back(&reader);
    assert!(piece(&mut pool, 64 * KIB).is_some());
    assert_eq!(pool.bytes(), 64 * KIB);
}

#[test]
fn what_is_lent_when_a_link_ends_is_forgotten_whether_it_is_held_here_or_not() {
    let mut pool = pool(64 * KIB, 2);
    pool.link_began();
    let (held, there) = (piece(&mut pool, 1).unwrap(), piece(&mut pool, 1).unwrap());
    let late = [held.0.lend(), there.0.lend()];
    pool.give(there.0, there.1);
    assert!(piece(&mut pool, 1).is_none());
    pool.link_ended();
    assert_eq!(pool.bytes(), 32 * KIB);
    pool.give(held.0, held.1);
    assert_eq!(pool.bytes(), 0);
    // What comes back later comes back to nobody.
    late.iter().for_each(give_back);
    let (fresh, _) = piece(&mut pool, 1).unwrap();
    assert!(late.iter().all(|counts| !Rc::ptr_eq(counts, &fresh.counts)));
}

#[test]
fn of_what_was_not_needed_for_long_no_more_is_kept_than_may_be() {
    for (idle_bytes, kept) in [(0, 0), (32 * KIB - 1, 0), (32 * KIB, 1), (64 * KIB, 2), (1 << 20, 3)] {
        let mut pool = Pool::new(Most { bytes: 1 << 20, idle_bytes, pieces: 9 });
        pool.link_began();
        let held: Vec<_> = (0..4).map_while(|_| piece(&mut pool, 1)).collect();
        held.into_iter().for_each(|(piece, mark)| pool.give(piece, mark));
        for number in 0..=STALE {
            assert_eq!(pool.shelf.len(), 4, "{number}");
            let (piece, mark) = piece(&mut pool, 1).unwrap();
            pool.give(piece, mark);
        }
        assert_eq!((pool.shelf.len(), pool.bytes()), (kept + 1, (kept + 1) * 32 * KIB), "{idle_bytes}");
    }
}

#[test]
fn the_piece_that_was_used_last_is_used_first() {
    let mut pool = pool(1 << 20, 9);
    let (one, other) = (piece(&mut pool, 1).unwrap(), piece(&mut pool, 1).unwrap());
    let counts = Rc::clone(&other.0.counts);
    pool.give(one.0, one.1);
    pool.give(other.0, other.1);
    assert!(Rc::ptr_eq(&piece(&mut pool, 1).unwrap().0.counts, &counts));
}

#[test]
fn without_a_link_there_is_nothing_and_nothing_is_kept() {
    let mut pool = pool(64 * KIB, 2);
    let (one, other) = (piece(&mut pool, 1).unwrap(), piece(&mut pool, 1).unwrap());
    pool.give(one.0, one.1);
    pool.link_ended();
    assert!(piece(&mut pool, 1).is_none());
    pool.give(other.0, other.1);
    assert_eq!((pool.bytes(), pool.shelf.len()), (0, 0));
}

#[test]
fn a_reader_that_gives_back_too_often_gets_nothing_by_it() {
    let mut pool = pool(32 * KIB, 1);
    let (lent, mark) = piece(&mut pool, 1).unwrap();
    let reader = lent.lend();
    pool.give(lent, mark);
    (0..2).for_each(|_| give_back(&reader));
    assert!(piece(&mut pool, 1).is_none());
    pool.link_ended();
    pool.link_began();
    assert!(piece(&mut pool, 1).is_some());
}

#[derive(Clone, Debug)]
enum Step {
    Take(usize),
    Lend(usize, usize),
    Give(usize),
    /// A reader gives a piece back.
    Back(usize),
    /// Readers of one link die or part, with whatever they have.
    End(usize),
    Begin,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (0..300 * KIB).prop_map(Step::Take),
        4 => (any::<usize>(), any::<usize>()).prop_map(|(piece, link)| Step::Lend(piece, link)),
        4 => any::<usize>().prop_map(Step::Give),
        4 => any::<usize>().prop_map(Step::Back),
        1 => any::<usize>().prop_map(Step::End),
        1 => Just(Step::Begin),
    ];
    prop::collection::vec(step, 0..200)
}

/// Readers of the links that there are, each with what it reads.
#[derive(Default)]
struct World {
    held: Vec<(Counted, Mark)>,
    links: Vec<Vec<Counts>>,
    /// What is read by who is dead, or has parted and lives.
    gone: Vec<Counts>,
}

impl World {
    fn step(&mut self, pool: &mut Pool<Counted>, step: Step) {
        match step {
            Step::Take(bytes) => {
                let Some((piece, mark)) = piece(pool, bytes) else { return };
                let read = self.links.iter().flatten().chain(&self.gone);
                assert!(!read.clone().any(|counts| Rc::ptr_eq(counts, &piece.counts)), "it is read");
                assert!(!self.held.iter().any(|(held, _)| Rc::ptr_eq(&held.counts, &piece.counts)));
                assert!(piece.bytes >= bytes);
                self.held.push((piece, mark));
            }
            Step::Lend(piece, link) if !self.held.is_empty() && !self.links.is_empty() => {
                let link = link % self.links.len();
                self.links[link].push(self.held[piece % self.held.len()].0.lend());
            }
            Step::Give(at) if !self.held.is_empty() => {
                let (piece, mark) = self.held.swap_remove(at % self.held.len());
                pool.give(piece, mark);
            }
            Step::Back(at) => {
                let reading = self.links.iter_mut().filter(|link| !link.is_empty()).collect::<Vec<_>>();
                let count = reading.len();
                let Some(link) = reading.into_iter().nth(at % count.max(1)) else { return };
                give_back(&link.swap_remove(at % link.len()));
            }
            Step::End(at) if !self.links.is_empty() => {
                let link = self.links.swap_remove(at % self.links.len());
                self.gone.extend(link);
                pool.link_ended();
            }
            Step::Begin => {
                self.links.push(vec![]);
                pool.link_began();
            }
            Step::Lend(..) | Step::Give(_) | Step::End(_) => {}
        }
    }
}

proptest! {
    #[test]
    fn nobody_writes_what_somebody_reads_and_room_comes_back(steps in steps()) {
        let mut pool = Pool::new(Most { bytes: 1 << 20, idle_bytes: 1 << 18, pieces: 8 });
        let mut world = World::default();
        for step in steps {
            world.step(&mut pool, step);
            prop_assert!(pool.bytes <= 1 << 20 && pool.pieces <= 8);
            let shelved = pool.shelf.iter().map(|shelved| shelved.piece.bytes);
            let known = shelved.chain(world.held.iter().map(|(piece, _)| piece.bytes));
            prop_assert_eq!(known.clone().sum::<usize>(), pool.bytes);
            prop_assert_eq!(known.count(), pool.pieces);
        }
        // Who lives gives back, who is dead does not; after that everything can be had again.
        world.step(&mut pool, Step::Begin);
        world.held.drain(..).for_each(|(piece, mark)| pool.give(piece, mark));
        world.step(&mut pool, Step::End(0));
        world.step(&mut pool, Step::Begin);
        world.links.iter().flatten().for_each(give_back);
        prop_assert!(piece(&mut pool, 1 << 20).is_some());
    }
}
