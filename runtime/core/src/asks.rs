//! Pending sends: a table of slots with epochs, deadlines in order, and queues that run through the table.
//!
//! Owns what a sender must remember: every ask until it ends, every tell until it is written. An entry is named
//! by its [`Ticket`], index and epoch; the epoch moves on when the entry ends, so that an answer to what has
//! ended finds nothing. Invariants: a ticket is in the table from [`Asks::claim`] to [`Asks::end`] and never
//! again; each entry stands in at most one queue; the first deadline is always at hand. The table grows to the
//! most that was ever pending at a time and stays; nothing is allocated per send after that.

use alloc::vec::Vec;

use crate::time::Instant;

/// The most sends that one table holds: an index has 16 bits.
pub const TICKETS_MAX: usize = 1 << 16;

/// Names one send of a table: an index and which of its uses is meant. On the wire it is an ask's correlation.
///
/// | bits | meaning |
/// | --- | --- |
/// | 0–15 | index |
/// | 16–63 | epoch, from 1, so that no ticket is zero |
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ticket(u64);

impl Ticket {
    /// Names the `epoch`-th use of `index`.
    pub const fn new(index: u16, epoch: u64) -> Self {
        Self(epoch << 16 | index as u64)
    }

    /// Reads a ticket from a header's correlation.
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// Returns what stands in a header.
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// Returns the index into the table.
    pub const fn index(self) -> u16 {
        self.0 as u16
    }

    /// Returns which use of the index is meant.
    pub const fn epoch(self) -> u64 {
        self.0 >> 16
    }
}

/// What a ticket from outside means to a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// The send is pending.
    Pending,
    /// It has ended.
    Ended,
    /// The table never issued it.
    NeverIssued,
}

/// A first-in first-out queue of pending sends, which runs through their entries.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Queue {
    ends: Option<(u16, u16)>,
}

impl Queue {
    /// Tells whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.ends.is_none()
    }
}

/// The table.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Asks<T> {
    entries: Vec<Entry<T>>,
    free: Vec<u16>,
    deadlines: Deadlines,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Entry<T> {
    epoch: u64,
    pending: Option<T>,
    queued: bool,
    before: Option<u16>,
    after: Option<u16>,
}

impl<T> Default for Asks<T> {
    fn default() -> Self {
        Self { entries: Vec::new(), free: Vec::new(), deadlines: Deadlines::default() }
    }
}

impl<T> Asks<T> {
    /// Returns the ticket that the next send will have, or nothing if the table is full.
    pub fn vacant(&self) -> Option<Ticket> {
        match self.free.last() {
            Some(&index) => Some(self.ticket(index)),
            None if self.entries.len() < TICKETS_MAX => Some(Ticket::new(self.entries.len() as u16, 1)),
            None => None,
        }
    }

    /// Enters a send under the ticket that [`Asks::vacant`] named; false if it is not that one.
    #[must_use]
    pub fn claim(&mut self, ticket: Ticket, pending: T, deadline: Option<Instant>) -> bool {
        if self.vacant() != Some(ticket) {
            return false;
        }
        let index = ticket.index();
        if self.free.pop().is_none() {
            self.entries.push(Entry { epoch: 1, pending: None, queued: false, before: None, after: None });
        }
        self.entries[usize::from(index)].pending = Some(pending);
        if let Some(at) = deadline {
            self.deadlines.insert(index, at);
        }
        true
    }

    /// Returns the pending send with that ticket.
    pub fn pending(&self, ticket: Ticket) -> Option<&T> {
        let entry = self.entries.get(usize::from(ticket.index()))?;
        entry.pending.as_ref().filter(|_| entry.epoch == ticket.epoch())
    }

    /// Returns the pending send with that ticket, to be changed.
    pub fn pending_mut(&mut self, ticket: Ticket) -> Option<&mut T> {
        let entry = self.entries.get_mut(usize::from(ticket.index()))?;
        entry.pending.as_mut().filter(|_| entry.epoch == ticket.epoch())
    }

    /// Tells what a ticket that came from outside means.
    pub fn standing(&self, ticket: Ticket) -> Standing {
        match self.entries.get(usize::from(ticket.index())) {
            Some(entry) if ticket.epoch() > 0 && ticket.epoch() < entry.epoch => Standing::Ended,
            Some(entry) if ticket.epoch() == entry.epoch && entry.pending.is_some() => Standing::Pending,
            Some(_) | None => Standing::NeverIssued,
        }
    }

    /// Ends a send that stands in no queue and returns it. Its ticket never comes again.
    pub fn end(&mut self, ticket: Ticket) -> Option<T> {
        let index = ticket.index();
        let entry = self.entries.get_mut(usize::from(index)).filter(|entry| entry.epoch == ticket.epoch())?;
        let pending = entry.pending.take()?;
        entry.epoch += 1;
        self.deadlines.remove(index);
        self.free.push(index);
        Some(pending)
    }

    /// Lets a send stay pending without a deadline.
    pub fn forget_deadline(&mut self, ticket: Ticket) {
        if self.pending(ticket).is_some() {
            self.deadlines.remove(ticket.index());
        }
    }

    /// Puts a pending send at the end of a queue.
    pub fn enqueue(&mut self, queue: &mut Queue, ticket: Ticket) {
        let index = ticket.index();
        if self.pending(ticket).is_none() || self.entries[usize::from(index)].queued {
            return;
        }
        let last = queue.ends.map(|(_, last)| last);
        let entry = &mut self.entries[usize::from(index)];
        (entry.queued, entry.before, entry.after) = (true, last, None);
        if let Some(last) = last {
            self.entries[usize::from(last)].after = Some(index);
        }
        queue.ends = Some((queue.ends.map_or(index, |(first, _)| first), index));
    }

    /// Takes a send out of the queue that it stands in; false if it stands in none.
    pub fn unqueue(&mut self, queue: &mut Queue, ticket: Ticket) -> bool {
        let index = ticket.index();
        if self.pending(ticket).is_none() || !self.entries[usize::from(index)].queued {
            return false;
        }
        let entry = &mut self.entries[usize::from(index)];
        entry.queued = false;
        let (before, after) = (entry.before.take(), entry.after.take());
        if let Some(before) = before {
            self.entries[usize::from(before)].after = after;
        }
        if let Some(after) = after {
            self.entries[usize::from(after)].before = before;
        }
        queue.ends = match (queue.ends, before, after) {
            (None, ..) | (Some(_), None, None) => None,
            (Some((_, last)), None, Some(after)) => Some((after, last)),
            (Some((first, _)), Some(before), None) => Some((first, before)),
            (ends @ Some(_), Some(_), Some(_)) => ends,
        };
        true
    }

    /// Returns the first of a queue.
    pub fn first(&self, queue: &Queue) -> Option<Ticket> {
        queue.ends.map(|(first, _)| self.ticket(first))
    }

    /// Returns the one behind `ticket` in its queue.
    pub fn behind(&self, ticket: Ticket) -> Option<Ticket> {
        self.pending(ticket)?;
        self.entries[usize::from(ticket.index())].after.map(|index| self.ticket(index))
    }

    /// Returns the earliest deadline.
    pub fn deadline(&self) -> Option<Instant> {
        self.deadlines.first().map(|(at, _)| at)
    }

    /// Returns one send whose deadline has come.
    pub fn expired(&self, now: Instant) -> Option<Ticket> {
        self.deadlines.first().filter(|(at, _)| *at <= now).map(|(_, index)| self.ticket(index))
    }

    /// Returns how many sends are pending.
    pub fn len(&self) -> u32 {
        (self.entries.len() - self.free.len()) as u32
    }

    /// Tells whether nothing is pending.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns every pending send, by index.
    pub fn iter(&self) -> impl Iterator<Item = (Ticket, &T)> {
        self.entries.iter().enumerate().filter_map(|(index, entry)| {
            entry.pending.as_ref().map(|pending| (Ticket::new(index as u16, entry.epoch), pending))
        })
    }

    fn ticket(&self, index: u16) -> Ticket {
        Ticket::new(index, self.entries[usize::from(index)].epoch)
    }
}

/// Deadlines by index: a binary heap whose places are known, so that what ends early leaves at once.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Deadlines {
    heap: Vec<(Instant, u16)>,
    /// The place in the heap, by index.
    places: Vec<Option<u32>>,
}

impl Deadlines {
    fn first(&self) -> Option<(Instant, u16)> {
        self.heap.first().copied()
    }

    fn insert(&mut self, index: u16, at: Instant) {
        if self.places.len() <= usize::from(index) {
            self.places.resize(usize::from(index) + 1, None);
        }
        self.heap.push((at, index));
        self.rise(self.heap.len() - 1);
    }

    fn remove(&mut self, index: u16) {
        let Some(place) = self.places.get_mut(usize::from(index)).and_then(Option::take) else { return };
        let place = place as usize;
        self.heap.swap_remove(place);
        if place < self.heap.len() {
            self.rise(place);
            self.sink(place);
        }
    }

    /// Moves what stands at `place` up to where it belongs, and notes its place.
    fn rise(&mut self, mut place: usize) {
        while place > 0 {
            let parent = (place - 1) / 2;
            if self.heap[parent] <= self.heap[place] {
                break;
            }
            self.heap.swap(parent, place);
            self.note(place);
            place = parent;
        }
        self.note(place);
    }

    /// Moves what stands at `place` down to where it belongs, and notes its place.
    fn sink(&mut self, mut place: usize) {
        loop {
            let (left, right) = (2 * place + 1, 2 * place + 2);
            let mut least = place;
            for child in [left, right] {
                if child < self.heap.len() && self.heap[child] < self.heap[least] {
                    least = child;
                }
            }
            if least == place {
                break;
            }
            self.heap.swap(place, least);
            self.note(place);
            place = least;
        }
        self.note(place);
    }

    fn note(&mut self, place: usize) {
        if let Some((_, index)) = self.heap.get(place) {
            self.places[usize::from(*index)] = Some(place as u32);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ended_ticket_never_comes_again() {
        let mut asks = Asks::default();
        let first = asks.vacant().unwrap();
        assert!(asks.claim(first, 'a', None));
        assert!(!asks.claim(first, 'b', None));
        assert_eq!(asks.end(first), Some('a'));
        assert_eq!(asks.end(first), None);
        let second = asks.vacant().unwrap();
        assert_eq!((second.index(), second.epoch()), (0, 2));
        assert_eq!(asks.standing(first), Standing::Ended);
        assert_eq!(asks.standing(second), Standing::NeverIssued);
        assert!(asks.claim(second, 'c', None));
        assert_eq!(asks.standing(second), Standing::Pending);
        assert_eq!(asks.standing(Ticket::new(1, 1)), Standing::NeverIssued);
    }

    #[test]
    fn the_table_takes_65536_sends_and_no_more() {
        let mut asks = Asks::default();
        for _ in 0..TICKETS_MAX {
            let ticket = asks.vacant().unwrap();
            assert!(asks.claim(ticket, (), None));
        }
        assert_eq!(asks.vacant(), None);
        asks.end(Ticket::new(77, 1));
        assert_eq!(asks.vacant(), Some(Ticket::new(77, 2)));
    }

    #[test]
    fn a_queue_keeps_its_order_when_one_leaves_from_the_middle() {
        let (mut asks, mut queue) = (Asks::default(), Queue::default());
        let tickets: Vec<_> = (0..3)
            .map(|n| {
                let ticket = asks.vacant().unwrap();
                assert!(asks.claim(ticket, n, None));
                asks.enqueue(&mut queue, ticket);
                ticket
            })
            .collect();
        assert!(asks.unqueue(&mut queue, tickets[1]));
        assert!(!asks.unqueue(&mut queue, tickets[1]));
        assert_eq!(asks.first(&queue), Some(tickets[0]));
        assert_eq!(asks.behind(tickets[0]), Some(tickets[2]));
        assert_eq!(asks.behind(tickets[2]), None);
    }
}
