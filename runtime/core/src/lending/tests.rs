//! Nobody writes what somebody reads, whoever dies; what is taken stays within its room, whatever is said.

use alloc::rc::Rc;
use alloc::vec;
use alloc::vec::Vec;
use core::cell::RefCell;

use proptest::prelude::*;

use super::*;

const KIB: usize = 1 << 10;
const LARGE: Most = Most { bytes: 1 << 20, pieces: 9 };

/// One end of a link, with what the other says.
struct End {
    loans: Loans<u32>,
    budget: Budget,
    said: Vec<u64>,
    made: u32,
}

impl End {
    fn new(most: Most) -> Self {
        Self { loans: Loans::new(most), budget: Budget::new(LARGE), said: vec![0; PLACES], made: 0 }
    }

    fn take(&mut self, bytes: usize) -> Option<(usize, u32)> {
        match self.loans.take(bytes, |place| self.said[place], &mut self.budget) {
            Found::Piece { place, piece } => Some((place, piece)),
            Found::Room { place, .. } => {
                self.made += 1;
                Some((place, self.made))
            }
            Found::Nothing => None,
        }
    }

    fn give(&mut self, (place, piece): (usize, u32)) {
        self.loans.give(place, piece, &mut self.budget);
    }

    /// Writes a piece, sends it, and returns it with its place.
    fn send(&mut self, bytes: usize) -> (usize, u32) {
        let taken = self.take(bytes).unwrap();
        self.loans.lend(taken.0);
        self.give(taken);
        taken
    }

    fn tick(&mut self) -> bool {
        self.loans.tick(|place| self.said[place], &mut self.budget)
    }
}

#[test]
fn a_piece_is_written_again_when_it_is_given_back_as_often_as_it_was_lent() {
    let mut end = End::new(Most { pieces: 1, ..LARGE });
    let (place, piece) = end.take(50 * KIB).unwrap();
    end.loans.lend(place);
    end.loans.lend(place);
    end.give((place, piece));
    for said in [0, 1, 3, u64::MAX] {
        end.said[place] = said;
        assert_eq!(end.take(50 * KIB), None, "{said}");
    }
    end.said[place] = 2;
    assert_eq!(end.take(50 * KIB), Some((place, piece)));
}

#[test]
fn what_was_not_lent_is_there_again_at_once() {
    let mut end = End::new(Most { pieces: 1, ..LARGE });
    let taken = end.take(1).unwrap();
    assert_eq!(end.take(1), None);
    end.give(taken);
    assert_eq!(end.take(1), Some(taken));
}

#[test]
fn who_says_that_it_gave_back_what_was_never_lent_gets_nothing_by_it() {
    let mut end = End::new(Most { pieces: 2, ..LARGE });
    end.said = vec![7; PLACES];
    let places: Vec<_> = (0..2).map(|_| end.send(1).0).collect();
    assert_eq!(end.take(1), None, "neither is back, and there is no third");
    assert_eq!(places, [0, 1]);
    assert!(end.tick() && end.tick() && end.tick());
    end.loans.end(&mut end.budget);
    assert_eq!(end.budget.taken(), Most { bytes: 0, pieces: 0 });
}

#[test]
fn room_ends_at_each_limit_and_at_none_before() {
    let link = |bytes, pieces| End::new(Most { bytes, pieces });
    for (bytes, pieces, wanted, found) in [
        (64 * KIB, 9, 64 * KIB, true),
        (64 * KIB, 9, 64 * KIB + 1, false),
        (64 * KIB, 9, usize::MAX, false),
        (usize::MAX, 9, usize::MAX, false),
        (usize::MAX, 9, 1 << 20, true),
        (usize::MAX, 9, (1 << 20) + 1, false),
        (64 * KIB, 0, 1, false),
        (0, 9, 0, false),
        (32 * KIB, 1, 0, true),
    ] {
        assert_eq!(link(bytes, pieces).take(wanted).is_some(), found, "{bytes} {pieces} {wanted}");
    }
    let mut end = link(96 * KIB, 9);
    assert_eq!((0..5).map_while(|_| end.take(1)).count(), 3);
    let mut end = link(usize::MAX, 1000);
    assert_eq!((0..50).map_while(|_| end.take(1)).count(), LARGE.pieces, "the budget has no more");
    assert_eq!(Loans::<u32>::new(Most { bytes: 1, pieces: 1000 }).places.len(), PLACES);
}

#[test]
fn pieces_are_hardly_larger_than_what_they_are_for() {
    for bytes in [0, 1, 32 * KIB, 32 * KIB + 1, 50_000, 65 * KIB, 1 << 20, (1 << 20) + 1, 16 << 20] {
        let room = room_for(bytes).unwrap();
        assert!(room >= bytes && room.is_multiple_of(4096), "{bytes}");
        assert!(room <= (bytes + bytes / 4).max(BYTES_MIN), "{bytes} {room}");
    }
}

#[test]
fn two_links_have_one_budget() {
    let mut one = End::new(LARGE);
    let mut other = Loans::new(LARGE);
    let taken = one.take(1 << 19).unwrap();
    let Found::Room { place, .. } = other.take(1 << 19, |_| 0, &mut one.budget) else {
        panic!("there is room")
    };
    assert_eq!(one.take(1), None);
    other.give(place, 9, &mut one.budget);
    assert_eq!(one.take(1), None, "what is idle at another link is not taken from it");
    other.end(&mut one.budget);
    assert!(one.take(1).is_some());
    one.give(taken);
}

#[test]
fn pieces_of_another_size_make_room_when_nobody_reads_them() {
    let mut end = End::new(Most { bytes: 64 * KIB, pieces: 9 });
    let (one, other) = (end.send(1), end.take(1).unwrap());
    end.give(other);
    assert_eq!(end.take(64 * KIB), None, "one of them is lent");
    end.said[one.0] = 1;
    assert!(end.take(64 * KIB).is_some());
    assert_eq!(end.budget.taken(), Most { bytes: 64 * KIB, pieces: 1 });
}

#[test]
fn a_piece_that_is_far_too_large_is_left_to_others() {
    let mut end = End::new(LARGE);
    let large = end.take(256 * KIB).unwrap();
    end.give(large);
    assert_ne!(end.take(100 * KIB).map(|taken| taken.1), Some(large.1));
    assert_eq!(end.take(128 * KIB), Some(large));
}

#[test]
fn what_nobody_used_between_two_ticks_goes_and_what_is_lent_stays() {
    let mut end = End::new(LARGE);
    let (lent, idle, used) = (end.send(1), end.take(1).unwrap(), end.take(1).unwrap());
    end.give(idle);
    assert!(end.tick());
    end.give(used);
    assert_eq!(end.budget.taken().pieces, 3);
    assert!(end.tick());
    assert_eq!(end.budget.taken().pieces, 2);
    end.said[lent.0] = 1;
    assert!(!end.tick());
    assert_eq!(end.budget.taken(), Most { bytes: 0, pieces: 0 });
}

#[test]
fn with_the_link_everything_goes_and_what_is_written_goes_when_it_is_given() {
    let mut end = End::new(LARGE);
    let (_lent, held, unmade) = (end.send(1), end.take(1).unwrap(), end.take(1).unwrap());
    end.loans.end(&mut end.budget);
    assert_eq!(end.budget.taken().pieces, 2);
    assert_eq!(end.take(1), None);
    end.loans.lend(held.0);
    end.give(held);
    end.loans.give_up(unmade.0, &mut end.budget);
    assert_eq!((end.budget.taken().pieces, end.loans.has_any()), (0, false));
}

#[test]
fn what_is_given_twice_or_was_never_taken_changes_nothing() {
    let mut end = End::new(LARGE);
    let taken = end.take(1).unwrap();
    for _ in 0..2 {
        end.give(taken);
        end.give((taken.0 + 1, 9));
        end.give((PLACES, 9));
        end.loans.give_up(taken.0, &mut end.budget);
        end.loans.give_up(PLACES, &mut end.budget);
        end.loans.lend(PLACES);
        assert_eq!(end.budget.taken(), Most { bytes: 32 * KIB, pieces: 1 });
    }
}

#[derive(Clone, Debug)]
enum Step {
    Take(usize, usize),
    Lend(usize),
    Give(usize),
    GiveUp(usize),
    /// A reader gives a piece back.
    Back(usize),
    /// Whoever is at the other end of a link says what it likes.
    Lie(usize, usize, u64),
    Tick(usize),
    /// A link ends, whoever reads what was lent over it, and another one begins.
    End(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let any = any::<usize>;
    let step = prop_oneof![
        6 => (any(), 0..300 * KIB).prop_map(|(link, bytes)| Step::Take(link, bytes)),
        4 => any().prop_map(Step::Lend),
        4 => any().prop_map(Step::Give),
        1 => any().prop_map(Step::GiveUp),
        4 => any().prop_map(Step::Back),
        1 => (any(), 0..PLACES, prop_oneof![0..4_u64, Just(u64::MAX)])
            .prop_map(|(link, place, said)| Step::Lie(link, place, said)),
        2 => any().prop_map(Step::Tick),
        1 => any().prop_map(Step::End),
    ];
    prop::collection::vec(step, 0..200)
}

/// A link: what is lent over it, and what its other end has read and given back.
struct Line {
    loans: Loans<u32>,
    said: Rc<RefCell<Vec<u64>>>,
    /// Pieces that are read, by place.
    read: Vec<(usize, u32)>,
    is_honest: bool,
    has_ended: bool,
}

impl Line {
    fn new() -> Self {
        let said = Rc::new(RefCell::new(vec![0; PLACES]));
        Self { loans: Loans::new(LINE), said, read: vec![], is_honest: true, has_ended: false }
    }
}

const LINE: Most = Most { bytes: 512 * KIB, pieces: 5 };

struct World {
    budget: Budget,
    lines: Vec<Line>,
    /// Pieces that are written, with the number of their line.
    held: Vec<(usize, usize, u32)>,
    made: u32,
}

impl World {
    fn step(&mut self, step: Step) {
        let live: Vec<_> = (0..self.lines.len()).filter(|at| !self.lines[*at].has_ended).collect();
        let number = |at: usize| live[at % live.len()];
        let held = |at: usize| if self.held.is_empty() { None } else { Some(at % self.held.len()) };
        match step {
            Step::Take(at, bytes) => self.take(number(at), bytes),
            Step::Lend(at) => {
                let Some((line, place, piece)) = held(at).map(|at| self.held[at]) else { return };
                self.lines[line].loans.lend(place);
                self.lines[line].read.push((place, piece));
            }
            Step::Give(at) => {
                let Some((line, place, piece)) = held(at).map(|at| self.held.swap_remove(at)) else { return };
                self.lines[line].loans.give(place, piece, &mut self.budget);
            }
            Step::GiveUp(at) => {
                let Some((line, place, _)) = held(at).map(|at| self.held.swap_remove(at)) else { return };
                self.lines[line].loans.give_up(place, &mut self.budget);
            }
            Step::Back(at) => {
                let line = &mut self.lines[number(at)];
                if !line.read.is_empty() {
                    let (place, _) = line.read.swap_remove(at % line.read.len());
                    let said = &mut line.said.borrow_mut()[place];
                    *said = said.wrapping_add(1);
                }
            }
            Step::Lie(at, place, word) => {
                let line = &mut self.lines[number(at)];
                line.is_honest = false;
                line.said.borrow_mut()[place] = word;
            }
            Step::Tick(at) => {
                let line = &mut self.lines[number(at)];
                line.loans.tick(|place| line.said.borrow()[place], &mut self.budget);
            }
            Step::End(at) => {
                let line = &mut self.lines[number(at)];
                line.loans.end(&mut self.budget);
                line.has_ended = true;
                self.lines.push(Line::new());
            }
        }
    }

    fn take(&mut self, number: usize, bytes: usize) {
        let line = &mut self.lines[number];
        let (place, piece) = match line.loans.take(bytes, |at| line.said.borrow()[at], &mut self.budget) {
            Found::Piece { place, piece } => (place, piece),
            Found::Room { place, bytes: room } => {
                assert!(room >= bytes);
                self.made += 1;
                (place, self.made)
            }
            Found::Nothing => return,
        };
        let reads = |line: &Line| line.is_honest && line.read.iter().any(|(_, read)| *read == piece);
        assert!(!self.lines.iter().any(reads), "somebody reads it");
        assert!(!self.held.iter().any(|(.., held)| *held == piece), "somebody writes it");
        self.held.push((number, place, piece));
    }
}

proptest! {
    #[test]
    fn nobody_writes_what_an_honest_reader_reads_and_all_room_comes_back(steps in steps()) {
        let budget = Budget::new(Most { bytes: 768 * KIB, pieces: 7 });
        let mut world = World { budget, lines: vec![Line::new(), Line::new()], held: vec![], made: 0 };
        for step in steps {
            world.step(step);
            let taken = world.budget.taken();
            prop_assert!(taken.bytes <= 768 * KIB && taken.pieces <= 7);
            prop_assert_eq!(world.lines.iter().map(|line| line.loans.bytes()).sum::<usize>(), taken.bytes);
            prop_assert!(world.lines.iter().all(|line| line.loans.bytes() <= LINE.bytes));
        }
        for (line, place, piece) in core::mem::take(&mut world.held) {
            world.lines[line].loans.give(place, piece, &mut world.budget);
        }
        for line in &mut world.lines {
            line.loans.end(&mut world.budget);
        }
        prop_assert_eq!(world.budget.taken(), Most { bytes: 0, pieces: 0 });
    }
}
