//! The queue behind a mailbox: bounded, many senders, one actor that takes. Allocates nothing until it is used.
//!
//! The actor takes all that waits at once, by an exchange of two stores, and begins with one after the other; what it has
//! in hand and has not begun with counts as if it were still here.
//!
//! Invariants: a message that was queued leaves in the order in which it came, by being taken or by being refused
//! with a reason; parked messages enter in the order in which they were parked, before any newcomer; both hold within a
//! priority, and of two that wait the high one is next, as often as it may pass. Signals and the ends of watched actors are
//! never dropped and never count, and such an end comes behind everything that was there before it: for its sake alone parked
//! messages enter beyond the bounds.

mod state;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::{iter, mem};

use bailiwick_core::precedence::Priority;

use crate::address::WatchId;
use crate::dropped::Dropped;
use crate::envelope::{Envelope, Stored};
use crate::high::High;
use crate::mailbox::{Mailbox, OnFull};
use crate::outcome::NotDelivered;
use crate::outlet::{Accepted, Refused, Room};
use crate::signal::{Down, Ended, Signal};
use crate::store::{Entry, Pack, Store, Whole};
use crate::ticket::Ticket;
use state::{Rare, State};

/// The messages that wait for one actor.
pub(crate) struct Queue {
    bounds: Mailbox,
    state: Mutex<State>,
    /// What the actor has in hand and has not begun with: messages, and what they count for.
    in_hand: AtomicU32,
    weight_in_hand: AtomicU64,
    /// Something waits that goes before ordinary messages: a signal, or a message of high priority.
    has_ahead: AtomicBool,
    /// Somebody stands in line.
    has_line: AtomicBool,
    /// It is measured of every message how long it waits.
    measures_all: AtomicBool,
}

/// How much waits for one actor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Waiting {
    pub(crate) messages: u32,
    pub(crate) bytes: u64,
    /// Senders that stand in line for a place.
    pub(crate) in_line: u32,
}

impl Queue {
    pub(crate) fn new(bounds: Mailbox) -> Self {
        Self {
            bounds,
            state: Mutex::default(),
            in_hand: AtomicU32::new(0),
            weight_in_hand: AtomicU64::new(0),
            has_ahead: AtomicBool::new(false),
            has_line: AtomicBool::new(false),
            measures_all: AtomicBool::new(false),
        }
    }

    pub(crate) fn bounds(&self) -> Mailbox {
        self.bounds
    }

    /// Measures of every message how long it waits, or of one in so many again.
    pub(crate) fn measure_all(&self, all: bool) {
        if self.measures_all.swap(all, Ordering::Relaxed) != all {
            self.lock().sampler.choose_all(all);
        }
    }

    /// Tells whether it is measured of every message how long it waits.
    pub(crate) fn measures_all(&self) -> bool {
        self.measures_all.load(Ordering::Relaxed)
    }

    /// Takes a message, parks it or gives it back, by the bounds and the policy. Messages that the policy drops are
    /// handed to `dropped`.
    pub(crate) fn offer(
        &self,
        mut envelope: Box<Envelope>,
        room: Room,
        mut dropped: impl FnMut(Box<Envelope>),
    ) -> Result<Accepted, Box<Refused>> {
        let mut state = self.lock();
        if let Some(reason) = state.closed() {
            let reason = reason.clone();
            return Err(Box::new(Refused { envelope, reason }));
        }
        envelope.queued = state.sampler.stamp();
        if state.lets_pass(envelope.priority) && self.fits(&state, envelope.bytes) {
            match envelope.priority {
                Priority::Ordinary => state.store.push(envelope),
                Priority::High => self.let_by(&mut state, envelope),
            }
            Self::wake_actor(state);
            return Ok(Accepted::Queued);
        }
        match (self.bounds.policy(), room) {
            (OnFull::Wait, Room::Wait) => {
                let ticket = Ticket::default();
                state.rare().line.park(ticket.clone(), envelope);
                self.has_line.store(true, Ordering::Relaxed);
                // The actor may stand ready to take it, where the mailbox itself holds nothing.
                Self::wake_actor(state);
                Ok(Accepted::Parked(ticket))
            }
            (OnFull::DropNewest, _) => {
                drop(state);
                dropped(envelope);
                Ok(Accepted::Queued)
            }
            (OnFull::DropOldest, _) => {
                let mut oldest = Vec::new();
                while !self.fits(&state, envelope.bytes)
                    && let Some(one) = state.drop_oldest(envelope.priority)
                {
                    oldest.push(one);
                }
                if state.has_high() && !self.fits(&state, envelope.bytes) {
                    // All that is there goes before it.
                    oldest.push(envelope);
                } else {
                    self.admit(&mut state, envelope);
                }
                Self::wake_actor(state);
                oldest.into_iter().for_each(dropped);
                Ok(Accepted::Queued)
            }
            // Whoever neither waits nor takes another's place is refused.
            (_, _) => Err(Box::new(Refused { envelope, reason: NotDelivered::Full })),
        }
    }

    /// Takes messages that came over a link together, under one lock and with one wake, until `dropped` has as many as it takes
    /// of what the policy drops. Returns the first for which that does not go, with its bytes.
    pub(crate) fn store<'a, P: Pack>(
        &self,
        arrivals: &mut impl Iterator<Item = (&'a [u8], P)>,
        dropped: &mut Dropped,
    ) -> Option<(&'a [u8], P)> {
        let mut state = self.lock();
        let mut misfit = None;
        while !dropped.is_full()
            && let Some((bytes, pack)) = arrivals.next()
        {
            let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
            let is_open = state.closed().is_none() && state.has_no_line();
            match self.bounds.policy() {
                _ if is_open && self.fits(&state, length) => state.push_stored(bytes, pack),
                OnFull::DropNewest if is_open => dropped.add(Entry::Stored(state.store.turn_away(pack))),
                OnFull::DropOldest if is_open && !state.has_high() => {
                    self.make_room(&mut state, length, dropped);
                    state.push_stored(bytes, pack);
                }
                _ => {
                    misfit = Some((bytes, pack));
                    break;
                }
            }
        }
        Self::wake_actor(state);
        misfit
    }

    /// Takes boxes for the messages that come next over a link.
    pub(crate) fn recycle(&self, boxes: impl IntoIterator<Item = Box<Envelope<Stored>>>) {
        let mut state = self.lock();
        boxes.into_iter().for_each(|envelope| state.store.recycle(envelope));
    }

    /// Adds a signal to the lane in front. One that comes after the end is dropped: nobody is there to follow it.
    pub(crate) fn signal(&self, signal: Signal) {
        let mut state = self.lock();
        if let Signal::Drain = signal {
            state.rare().closed.get_or_insert(NotDelivered::Draining);
        }
        state.rare().lane.push_back(signal);
        self.has_ahead.store(true, Ordering::Relaxed);
        // A handler that waits is told as well: it may have to stop.
        state.actor_waits = true;
        Self::wake_actor(state);
    }

    /// Adds the end of a watched actor behind the messages that are there. Those in line get their places first, whatever the bounds:
    /// they may be its last words. With a capacity of zero there are none of the dead, who are asked whether they still wait.
    pub(crate) fn ended(&self, watch: WatchId, down: Down) {
        let mut state = self.lock();
        let mut admitted = Vec::new();
        if self.bounds.capacity() > 0 {
            while let Some((ticket, envelope)) = state.rare.as_mut().and_then(|rare| rare.line.take()) {
                self.admit(&mut state, envelope);
                admitted.push(ticket);
            }
        }
        let behind = state.high().map_or(0, High::came);
        state.store.push_ended(Box::new(Ended { watch, down, behind }));
        Self::wake_actor(state);
        admitted.iter().for_each(Ticket::admit);
    }

    /// Ready once a signal waits, or `hand`, which was empty, has the next message of high priority or all ordinary ones that
    /// waited.
    pub(crate) fn poll_take(&self, task: &mut Context<'_>, hand: &mut Store) -> Poll<()> {
        let mut state = self.lock();
        if state.rare.as_ref().is_some_and(|rare| !rare.lane.is_empty()) {
            return Poll::Ready(());
        }
        // Senders are told outside of the lock: waking may run code that is not ours.
        let mut admitted = Vec::new();
        hand.shrink();
        if self.take_high(&mut state, hand) {
            return Poll::Ready(());
        }
        if state.store.is_empty() {
            // With a capacity of zero the line is all there is.
            if let Some((ticket, envelope)) = state.rare.as_mut().and_then(|rare| rare.line.take()) {
                hand.push(envelope);
                admitted.push(ticket);
            }
        } else if self.bounds.policy() == OnFull::DropOldest {
            // What is in hand cannot be dropped any more.
            match state.store.pop_whole() {
                Some(Whole::Message(envelope)) => hand.push(envelope),
                Some(Whole::Ended(ended)) => hand.push_ended(ended),
                None => {}
            }
        } else {
            mem::swap(&mut state.store, hand);
        }
        if hand.is_empty() {
            // Whoever has nothing in hand may go, and what was kept for more is needed here.
            state.store.shrink();
            state.store.inherit(mem::take(hand));
            state.wait(task);
            return Poll::Pending;
        }
        self.note_hand(hand);
        self.admit_parked(&mut state, &mut admitted);
        drop(state);
        admitted.iter().for_each(Ticket::admit);
        Poll::Ready(())
    }

    /// Notes what the actor has in hand, now that it begins with one. Whoever stands in line for that place gets it.
    pub(crate) fn begun(&self, hand: &Store) {
        self.note_hand(hand);
        if self.has_line.load(Ordering::Relaxed) {
            let mut admitted = Vec::new();
            self.admit_parked(&mut self.lock(), &mut admitted);
            admitted.iter().for_each(Ticket::admit);
        }
    }

    /// Takes back what the actor has in hand: it stands before everything that came later.
    pub(crate) fn put_back(&self, hand: Store) {
        let mut state = self.lock();
        state.store.put_back(hand);
        self.note_hand(&Store::default());
    }

    /// Returns whether something waits that goes before ordinary messages, as far as it was put there by this thread or some
    /// time ago.
    pub(crate) fn has_ahead(&self) -> bool {
        self.has_ahead.load(Ordering::Relaxed)
    }

    /// Takes the first signal. If there is none, puts the next message of high priority before what is in hand, if something is
    /// and it is the turn of one. What stands first in hand then is what the actor begins with.
    pub(crate) fn take_ahead(&self, hand: &mut Store) -> Option<Signal> {
        let mut state = self.lock();
        let signal = self.pop_signal(&mut state);
        // For an empty hand it is decided once, with all that waits.
        if signal.is_none() && !hand.is_empty() {
            self.take_high(&mut state, hand);
        }
        signal
    }

    /// Takes the first signal.
    pub(crate) fn take_signal(&self) -> Option<Signal> {
        self.pop_signal(&mut self.lock())
    }

    /// Ready with the next signal or entry, one at a time.
    pub(crate) fn poll_one(&self, task: &mut Context<'_>) -> Poll<Result<Whole, Signal>> {
        loop {
            let mut hand = Store::default();
            ready!(self.poll_take(task, &mut hand));
            if let Some(entry) = hand.pop_whole() {
                self.put_back(hand);
                return Poll::Ready(Ok(entry));
            }
            if let Some(signal) = self.take_signal() {
                return Poll::Ready(Err(signal));
            }
        }
    }

    /// Returns whether a signal waits that a handler does not keep waiting; if not, wakes the task when one comes.
    pub(crate) fn poll_urgent(&self, task: &Context<'_>) -> bool {
        let mut state = self.lock();
        state.remember(task);
        // Whoever came into the line just when the actor began with a message may have been seen by neither.
        let mut admitted = Vec::new();
        self.admit_parked(&mut state, &mut admitted);
        let is_urgent = state.rare.as_ref().is_some_and(|rare| rare.lane.iter().any(Signal::is_urgent));
        drop(state);
        admitted.iter().for_each(Ticket::admit);
        is_urgent
    }

    /// Takes the first signal that a handler does not keep waiting.
    pub(crate) fn take_urgent(&self) -> Option<Signal> {
        let mut state = self.lock();
        let rare = state.rare.as_mut()?;
        let at = rare.lane.iter().position(Signal::is_urgent)?;
        let signal = rare.lane.remove(at);
        self.note_ahead(rare);
        signal
    }

    /// Waits for the next signal, whatever messages wait.
    pub(crate) async fn signalled(&self) -> Signal {
        poll_fn(|task| {
            let mut state = self.lock();
            let signal = self.pop_signal(&mut state);
            if signal.is_none() {
                state.wait(task);
            }
            signal.map_or(Poll::Pending, Poll::Ready)
        })
        .await
    }

    /// Returns whether an order to drain has come.
    pub(crate) fn is_draining(&self) -> bool {
        self.lock().closed() == Some(&NotDelivered::Draining)
    }

    /// Returns whether nothing at all waits.
    pub(crate) fn is_idle(&self) -> bool {
        let state = self.lock();
        let nothing_rare = |rare: &Rare| !rare.has_ahead() && rare.line.is_empty();
        state.store.is_empty() && state.rare.as_deref().is_none_or(nothing_rare)
    }

    /// Returns how much waits.
    pub(crate) fn waiting(&self) -> Waiting {
        let state = self.lock();
        let in_line = state.rare.as_ref().map_or(0, |rare| rare.line.len());
        Waiting { in_line, ..self.waiting_in(&state) }
    }

    /// Forgets what an earlier incarnation's tasks and children reported, and the order to begin, which is being followed: it
    /// may have come before its actor waited for it.
    pub(crate) fn forget_reports(&self) {
        let of_the_past = |signal: &Signal| {
            matches!(signal, Signal::Failed(_) | Signal::ChildGaveUp(_) | Signal::Finish | Signal::Begin)
        };
        if let Some(rare) = &mut self.lock().rare {
            rare.lane.retain(|signal| !of_the_past(signal));
            self.note_ahead(rare);
        }
    }

    /// Takes a parked message out of the line.
    pub(crate) fn withdraw(&self, ticket: &Ticket) {
        let mut state = self.lock();
        let withdrawn = state.rare.as_mut().and_then(|rare| rare.line.withdraw(ticket));
        drop(state);
        drop(withdrawn);
    }

    /// Puts in a message that an earlier life of the worker had accepted, whatever the bounds: nobody could be refused any more.
    pub(crate) fn inherit(&self, envelope: Box<Envelope>) {
        self.admit(&mut self.lock(), envelope);
    }

    /// Ends the queue: what waits and all that comes is refused, until it is opened again. Returns what waited, and behind it what
    /// stood in line.
    pub(crate) fn close(&self, reason: NotDelivered) -> (Vec<Box<Envelope>>, Vec<Box<Envelope>>) {
        let mut state = self.lock();
        state.actor = None;
        let mut store = mem::take(&mut state.store);
        let rare = state.rare();
        rare.closed = Some(reason.clone());
        let (mut high, line) = (mem::take(&mut rare.high), mem::take(&mut rare.line));
        // Who is kept for the sake of its siblings still follows these. The rest is dropped outside of the lock: somebody may wait
        // for an answer to it.
        let stays = |signal: &Signal| matches!(signal, Signal::Stop | Signal::Drain | Signal::Begin);
        let (lane, _unanswered): (VecDeque<_>, VecDeque<_>) =
            mem::take(&mut rare.lane).into_iter().partition(stays);
        rare.lane = lane;
        self.note_ahead(rare);
        drop(state);
        let high = iter::from_fn(move || high.as_mut()?.pop());
        let queued = iter::from_fn(|| store.pop_whole()).filter_map(|entry| match entry {
            Whole::Message(envelope) => Some(envelope),
            Whole::Ended(_) => None,
        });
        let parked = line.into_iter().map(|(ticket, envelope)| {
            ticket.refuse(reason.clone());
            envelope
        });
        (high.chain(queued).collect(), parked.collect())
    }

    /// Takes messages again after it was closed.
    pub(crate) fn open(&self) {
        if let Some(rare) = &mut self.lock().rare {
            rare.closed = None;
        }
    }

    /// Returns how much waits in the mailbox, what the actor has in hand and has not begun with among it.
    fn waiting_in(&self, state: &State) -> Waiting {
        let (high, weight) = state.high().map_or((0, 0), |high| (high.messages(), high.weight()));
        Waiting {
            messages: state.store.messages() + high + self.in_hand.load(Ordering::Relaxed),
            bytes: state.store.weight() + weight + self.weight_in_hand.load(Ordering::Relaxed),
            in_line: 0,
        }
    }

    fn fits(&self, state: &State, bytes: u32) -> bool {
        let Waiting { messages, bytes: weight, .. } = self.waiting_in(state);
        let weight_fits = messages == 0 || weight + u64::from(bytes) <= self.bounds.bytes();
        messages < self.bounds.capacity() && weight_fits
    }

    /// Drops the oldest ordinary messages until one of so many bytes has room, or none is left.
    fn make_room(&self, state: &mut State, bytes: u32, dropped: &mut Dropped) {
        while !self.fits(state, bytes)
            && let Some(oldest) = state.store.drop_oldest()
        {
            dropped.add(oldest);
        }
    }

    fn note_hand(&self, hand: &Store) {
        self.in_hand.store(hand.messages(), Ordering::Relaxed);
        self.weight_in_hand.store(hand.weight(), Ordering::Relaxed);
    }

    fn pop_signal(&self, state: &mut State) -> Option<Signal> {
        let rare = state.rare.as_mut()?;
        let signal = rare.lane.pop_front()?;
        self.note_ahead(rare);
        Some(signal)
    }

    fn admit_parked(&self, state: &mut State, admitted: &mut Vec<Ticket>) {
        while let Some(bytes) = state.rare.as_ref().and_then(|rare| rare.line.next())
            && self.fits(state, bytes)
            && let Some((ticket, envelope)) = state.rare().line.take()
        {
            self.admit(state, envelope);
            admitted.push(ticket);
        }
        self.has_line.store(!state.has_no_line(), Ordering::Relaxed);
    }

    /// Gives a message of high priority its place, which passes those who stand in line.
    #[cold]
    fn let_by(&self, state: &mut State, envelope: Box<Envelope>) {
        state.rare().line.passed(envelope.priority);
        self.admit(state, envelope);
    }

    /// Gives a message its place.
    fn admit(&self, state: &mut State, envelope: Box<Envelope>) {
        match envelope.priority {
            Priority::Ordinary => state.store.push(envelope),
            Priority::High => {
                state.rare().high.get_or_insert_default().push(envelope);
                self.has_ahead.store(true, Ordering::Relaxed);
            }
        }
    }

    /// Puts the next message of high priority before what is in hand. Returns false if it is not the turn of one.
    fn take_high(&self, state: &mut State, hand: &mut Store) -> bool {
        let State { store, rare: Some(rare), .. } = state else { return false };
        let first = if hand.is_empty() { &*store } else { &*hand };
        let (waits, end) = (!first.is_empty(), first.first_ended());
        let Some(envelope) = rare.high.as_mut().and_then(|high| high.take(waits, end)) else {
            return false;
        };
        hand.push_first(envelope);
        self.note_hand(hand);
        self.note_ahead(rare);
        true
    }

    fn note_ahead(&self, rare: &Rare) {
        self.has_ahead.store(rare.has_ahead(), Ordering::Relaxed);
    }

    fn wake_actor(mut state: MutexGuard<'_, State>) {
        if !mem::take(&mut state.actor_waits) {
            return;
        }
        // The waker stays where it is, so that the next wait need not clone it again.
        let actor = state.actor.clone();
        drop(state);
        if let Some(actor) = actor {
            actor.wake();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
