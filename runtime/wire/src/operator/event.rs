//! What happened, numbered: the bounded memory of the supervisor, from which clients are told.
//!
//! When it is full, the oldest event is forgotten of whoever has the most of it: one to whom something happens all the time
//! pushes out its own events, and not the one crash of another.

use std::cmp::Reverse;
use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use super::fields::Writer;
use super::{Cause, Record, Signs, State, Tally, title};
use crate::audit::Violation;

/// The events that are remembered.
pub const EVENTS_MAX: usize = 1024;

/// The events of one answer at most; whoever wants more asks again.
pub const EVENTS_PER_ANSWER: usize = 128;

/// The most that is said of one event, in bytes.
pub(super) const DETAIL_BYTES: usize = 320;

/// Something that happened to a worker, or to all of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Its number, from 1 in the life of a supervisor. A number that is missing was forgotten before it was asked for.
    pub number: u64,
    /// When, since 1970, by a clock that may jump; to the millisecond.
    pub wall: Duration,
    /// When, in nanoseconds of the clock that never jumps.
    pub monotonic_ns: u64,
    /// What it is.
    pub kind: EventKind,
    /// The worker's name; empty where it concerns all.
    pub worker: String,
    /// The instance, from 1; 0 where it concerns all.
    pub instance: u16,
    /// There may be several, so that the number belongs to what people call it.
    pub numbered: bool,
    /// The life that is concerned.
    pub generation: u32,
    /// The state before, if it changed.
    pub from: Option<State>,
    /// The state from now on.
    pub to: Option<State>,
    /// What is odd about the worker from now on.
    pub signs: Signs,
    /// Why a life ended.
    pub cause: Option<Cause>,
    /// A sentence for people.
    pub detail: String,
    /// What is recorded of a violation, if it is one.
    pub violation: Option<Box<Violation>>,
    /// The budget that did not cover this; never told of a violation.
    pub spent: Option<Spent>,
}

/// A restart budget that is spent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spent {
    /// The group's name; the root has none.
    pub group: String,
    /// What follows.
    pub follows: Follows,
}

/// What follows when a budget is spent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
// Exhaustive: as many as there are values of `on_exhausted`.
pub enum Follows {
    /// What failed is started again rarely.
    CoolDown,
    /// What failed is given up.
    Fail,
    /// The group stops, and the one around it decides; at the root everything stops.
    Escalate,
}

/// What an event is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EventKind {
    /// A worker is in another state, or there is something else that is odd about it.
    State,
    /// A life ended, and this was decided.
    Ended,
    /// A person should look at this.
    Alert,
    /// Somebody broke a rule.
    Violation,
}

/// The events that are remembered.
#[derive(Debug, Default)]
pub struct Events {
    kept: VecDeque<Event>,
    last: u64,
    /// What is only counted.
    pub tally: Tally,
}

impl Event {
    /// Returns an event of which nothing is known but what it is.
    pub fn of(kind: EventKind) -> Self {
        Self {
            number: 0,
            wall: Duration::ZERO,
            monotonic_ns: 0,
            kind,
            worker: String::new(),
            instance: 0,
            numbered: false,
            generation: 0,
            from: None,
            to: None,
            signs: Signs::default(),
            cause: None,
            detail: String::new(),
            violation: None,
            spent: None,
        }
    }

    pub(super) fn write(&self, out: &mut Writer) {
        out.u8(4);
        out.u64(self.number);
        out.duration(self.wall);
        out.u64(self.monotonic_ns);
        out.u8(self.kind as u8);
        out.name(&self.worker);
        out.u16(self.instance);
        out.u8(self.numbered.into());
        out.u32(self.generation);
        out.optional(self.from.map(|state| state as u8), Writer::u8);
        out.optional(self.to.map(|state| state as u8), Writer::u8);
        out.u16(self.signs.bits());
        out.optional(self.cause, Writer::cause);
        out.text(&self.detail, DETAIL_BYTES);
        // There is room for one of the two.
        match (&self.violation, &self.spent) {
            (None, Some(spent)) => {
                out.u8(2);
                out.u8(spent.follows as u8);
                out.name(&spent.group);
            }
            (violation, _) => out.optional(violation.as_deref(), write_violation),
        }
    }

    /// Returns what people call the life that is concerned, as `web#3` or `web.2#3`.
    pub fn life(&self) -> String {
        format!("{}#{}", title(&self.worker, self.instance, self.numbered), self.generation)
    }
}

impl Events {
    /// Remembers an event under the next number, at the cost of the oldest of who has the most.
    pub fn push(&mut self, mut event: Event) {
        self.last += 1;
        event.number = self.last;
        if self.kept.len() == EVENTS_MAX {
            self.kept.remove(self.most_easily_missed());
        }
        self.kept.push_back(event);
    }

    /// Returns what [`Self::after`] does, as records that travel.
    pub fn packets(&self, after: u64) -> Vec<Vec<u8>> {
        self.after(after).map(|event| Record::Event(event.clone()).to_bytes().to_vec()).collect()
    }

    /// Returns where the oldest event of the worker stands of which the most are kept.
    fn most_easily_missed(&self) -> usize {
        let mut shares: HashMap<_, (usize, Reverse<usize>)> = HashMap::new();
        for (place, event) in self.kept.iter().enumerate() {
            shares.entry((event.worker.as_str(), event.instance)).or_insert((0, Reverse(place))).0 += 1;
        }
        // Of equal shares the one that begins first.
        shares.into_values().max().map_or(0, |(_, Reverse(oldest))| oldest)
    }

    /// Returns the number of the last event; 0 before the first.
    pub fn last(&self) -> u64 {
        self.last
    }

    /// Returns what is remembered of the events after number `after`, at most [`EVENTS_PER_ANSWER`]. Whoever has seen
    /// more than happened has seen another supervisor, and is told everything.
    pub fn after(&self, after: u64) -> impl Iterator<Item = &Event> {
        let after = if after > self.last { 0 } else { after };
        let seen = self.kept.partition_point(|event| event.number <= after);
        self.kept.iter().skip(seen).take(EVENTS_PER_ANSWER)
    }
}

fn write_violation(out: &mut Writer, violation: &Violation) {
    out.u8(violation.fault.map_or(0, |fault| fault as u8));
    out.u8(violation.is_killed.into());
    out.put(&violation.evidence.header);
    out.put(&violation.evidence.hash);
    out.u32(violation.pid);
    out.u32(violation.uid);
    out.u64(violation.unrecorded);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(detail: &str) -> Event {
        Event { detail: detail.to_owned(), ..Event::of(EventKind::Alert) }
    }

    fn numbers(events: &Events, after: u64) -> Vec<u64> {
        events.after(after).map(|event| event.number).collect()
    }

    #[test]
    fn what_is_too_much_is_forgotten_from_the_oldest_and_shows_by_the_numbers() {
        let mut events = Events::default();
        assert_eq!((events.last(), numbers(&events, 0)), (0, vec![]));
        for _ in 0..EVENTS_MAX + 3 {
            events.push(event("it happened"));
        }
        let last = EVENTS_MAX as u64 + 3;
        assert_eq!(events.last(), last);
        assert_eq!(numbers(&events, 0), (4..4 + EVENTS_PER_ANSWER as u64).collect::<Vec<_>>());
        assert_eq!(numbers(&events, last - 2), [last - 1, last]);
        assert_eq!(numbers(&events, last), [0; 0]);
        assert_eq!(numbers(&events, last + 1)[0], 4, "another supervisor's numbers");
    }

    #[test]
    fn who_fills_the_memory_forgets_its_own_and_others_keep_theirs() {
        let mut events = Events::default();
        let of = |worker: &str| Event { worker: worker.to_owned(), instance: 1, ..event("") };
        let count =
            |events: &Events, worker: &str| events.kept.iter().filter(|event| event.worker == worker).count();
        events.push(of("calm"));
        (0..2 * EVENTS_MAX).for_each(|_| events.push(of("storm")));
        events.push(of("late"));
        assert_eq!(["calm", "storm", "late"].map(|worker| count(&events, worker)), [1, EVENTS_MAX - 2, 1]);
        // Another that does the same takes half of it, and what is kept of each is the latest.
        (0..2 * EVENTS_MAX).for_each(|_| events.push(of("gale")));
        let shares = ["calm", "late", "storm", "gale"].map(|worker| count(&events, worker));
        assert_eq!(shares, [1, 1, EVENTS_MAX / 2 - 2, EVENTS_MAX / 2]);
        let numbers: Vec<u64> = events.kept.iter().map(|event| event.number).collect();
        assert!(numbers.is_sorted());
        let last = events.last();
        assert_eq!((numbers[0], events.after(0).next().map(|event| event.number)), (1, Some(1)));
        assert_eq!(events.after(last - 1).map(|event| event.number).collect::<Vec<_>>(), [last]);
        let second = events.after(1).next().expect("there is another");
        assert_eq!((second.worker.as_str(), second.number > EVENTS_MAX as u64), ("storm", true));
    }
}
