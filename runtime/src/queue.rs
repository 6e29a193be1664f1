//! The queue behind a mailbox: bounded, many senders, one actor that takes. Allocates nothing until it is used.
//!
//! Invariants: a message that was queued leaves in the order in which it came, by being taken or by being refused
//! with a reason; parked messages enter in the order in which they were parked, before any newcomer; signals and the
//! ends of watched actors are never dropped and never count.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::mem;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use crate::envelope::Envelope;
use crate::mailbox::{Mailbox, OnFull};
use crate::outcome::NotDelivered;
use crate::outlet::{Accepted, Refused, Room};
use crate::signal::{Ended, Signal};
use crate::ticket::Ticket;

/// The messages that wait for one actor.
pub(crate) struct Queue {
    bounds: Mailbox,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    lane: VecDeque<Signal>,
    entries: VecDeque<Entry>,
    parked: VecDeque<(Ticket, Box<Envelope>)>,
    /// Messages among the entries; the rest are ends of watched actors.
    messages: usize,
    bytes: u64,
    /// A rendezvous is possible only while the actor stands here and waits.
    actor_waits: bool,
    actor: Option<Waker>,
    closed: Option<NotDelivered>,
}

enum Entry {
    Message(Box<Envelope>),
    Ended(Box<Ended>),
}

/// What the actor takes.
#[derive(Debug)]
pub(crate) enum Next {
    Signal(Signal),
    Ended(Box<Ended>),
    Message(Box<Envelope>),
}

impl Queue {
    pub(crate) fn new(bounds: Mailbox) -> Self {
        Self { bounds, state: Mutex::default() }
    }

    pub(crate) fn bounds(&self) -> Mailbox {
        self.bounds
    }

    /// Takes a message, parks it or gives it back, by the bounds and the policy. Messages that the policy drops are
    /// handed to `dropped`.
    pub(crate) fn offer(
        &self,
        envelope: Envelope,
        room: Room,
        mut dropped: impl FnMut(Box<Envelope>),
    ) -> Result<Accepted, Box<Refused>> {
        let mut state = self.lock();
        if let Some(reason) = &state.closed {
            let reason = reason.clone();
            return Err(Box::new(Refused { envelope, reason }));
        }
        if state.parked.is_empty() && self.fits(&state, &envelope) {
            state.push(Box::new(envelope));
            Self::wake_actor(state);
            return Ok(Accepted::Queued);
        }
        match (self.bounds.policy(), room) {
            (OnFull::Wait, Room::Wait) => {
                let ticket = Ticket::default();
                state.parked.push_back((ticket.clone(), Box::new(envelope)));
                // The actor may stand ready to take it, where the mailbox itself holds nothing.
                Self::wake_actor(state);
                Ok(Accepted::Parked(ticket))
            }
            (OnFull::Wait, Room::Now) | (OnFull::Reject, _) => {
                Err(Box::new(Refused { envelope, reason: NotDelivered::Full }))
            }
            (OnFull::DropNewest, _) => {
                drop(state);
                dropped(Box::new(envelope));
                Ok(Accepted::Queued)
            }
            (OnFull::DropOldest, _) => {
                let mut oldest = Vec::new();
                while !self.fits(&state, &envelope)
                    && let Some(one) = state.drop_oldest()
                {
                    oldest.push(one);
                }
                state.push(Box::new(envelope));
                Self::wake_actor(state);
                oldest.into_iter().for_each(dropped);
                Ok(Accepted::Queued)
            }
        }
    }

    /// Adds a signal to the lane in front. One that comes after the end is dropped: nobody is there to follow it.
    pub(crate) fn signal(&self, signal: Signal) {
        let mut state = self.lock();
        if let Signal::Drain = signal {
            state.closed.get_or_insert(NotDelivered::Draining);
        }
        state.lane.push_back(signal);
        // A handler that waits is told as well: it may have to stop.
        state.actor_waits = true;
        Self::wake_actor(state);
    }

    /// Adds the end of a watched actor behind the messages that are there.
    pub(crate) fn ended(&self, ended: Ended) {
        let mut state = self.lock();
        state.entries.push_back(Entry::Ended(Box::new(ended)));
        Self::wake_actor(state);
    }

    /// Ready with what the actor should look at next.
    pub(crate) fn poll_next(&self, task: &mut Context<'_>) -> Poll<Next> {
        let mut state = self.lock();
        if let Some(signal) = state.lane.pop_front() {
            return Poll::Ready(Next::Signal(signal));
        }
        // Senders are told outside of the lock: waking may run code that is not ours.
        let mut admitted = Vec::new();
        let taken = match state.entries.pop_front() {
            Some(Entry::Message(envelope)) => {
                state.messages -= 1;
                state.bytes -= envelope.body.size() as u64;
                Some(Next::Message(envelope))
            }
            Some(Entry::Ended(ended)) => Some(Next::Ended(ended)),
            // With a capacity of zero the line is all there is.
            None => state.parked.pop_front().map(|(ticket, envelope)| {
                admitted.push(ticket);
                Next::Message(envelope)
            }),
        };
        match taken {
            Some(next) => {
                self.admit_parked(&mut state, &mut admitted);
                drop(state);
                admitted.iter().for_each(Ticket::admit);
                Poll::Ready(next)
            }
            None => {
                state.wait(task);
                Poll::Pending
            }
        }
    }

    /// Returns whether a signal waits that a handler does not keep waiting; if not, wakes the task when one comes.
    pub(crate) fn poll_urgent(&self, task: &Context<'_>) -> bool {
        let mut state = self.lock();
        state.remember(task);
        state.lane.iter().any(Signal::is_urgent)
    }

    /// Takes the first signal that a handler does not keep waiting.
    pub(crate) fn take_urgent(&self) -> Option<Signal> {
        let mut state = self.lock();
        let at = state.lane.iter().position(Signal::is_urgent)?;
        state.lane.remove(at)
    }

    /// Waits for the next signal, whatever messages wait.
    pub(crate) async fn signalled(&self) -> Signal {
        poll_fn(|task| {
            let mut state = self.lock();
            let signal = state.lane.pop_front();
            if signal.is_none() {
                state.wait(task);
            }
            signal.map_or(Poll::Pending, Poll::Ready)
        })
        .await
    }

    /// Returns whether an order to drain has come.
    pub(crate) fn is_draining(&self) -> bool {
        self.lock().closed == Some(NotDelivered::Draining)
    }

    /// Returns whether nothing at all waits.
    pub(crate) fn is_idle(&self) -> bool {
        let state = self.lock();
        state.lane.is_empty() && state.entries.is_empty() && state.parked.is_empty()
    }

    /// Forgets what an earlier incarnation's tasks and children reported.
    pub(crate) fn forget_reports(&self) {
        let of_the_past =
            |signal: &Signal| matches!(signal, Signal::Failed(_) | Signal::ChildGaveUp(_) | Signal::Finish);
        self.lock().lane.retain(|signal| !of_the_past(signal));
    }

    /// Takes a parked message out of the line.
    pub(crate) fn withdraw(&self, ticket: &Ticket) {
        let mut state = self.lock();
        let position = state.parked.iter().position(|(parked, _)| parked.is(ticket));
        let withdrawn = position.and_then(|at| state.parked.remove(at));
        drop(state);
        drop(withdrawn);
    }

    /// Ends the queue: what waits and all that comes is refused, until it is opened again. Returns what waited.
    pub(crate) fn close(&self, reason: NotDelivered) -> Vec<Envelope> {
        let mut state = self.lock();
        state.closed = Some(reason.clone());
        let entries = mem::take(&mut state.entries);
        let parked = mem::take(&mut state.parked);
        // Who is kept for the sake of its siblings still follows these.
        state.lane.retain(|signal| matches!(signal, Signal::Stop | Signal::Drain | Signal::Begin));
        (state.messages, state.bytes, state.actor) = (0, 0, None);
        drop(state);
        let queued = entries.into_iter().filter_map(|entry| match entry {
            Entry::Message(envelope) => Some(*envelope),
            Entry::Ended(_) => None,
        });
        let parked = parked.into_iter().map(|(ticket, envelope)| {
            ticket.refuse(reason.clone());
            *envelope
        });
        queued.chain(parked).collect()
    }

    /// Takes messages again after it was closed.
    pub(crate) fn open(&self) {
        self.lock().closed = None;
    }

    fn fits(&self, state: &State, envelope: &Envelope) -> bool {
        let size = envelope.body.size() as u64;
        let bytes_fit = state.bytes + size <= self.bounds.bytes() || state.messages == 0;
        (state.messages as u64) < u64::from(self.bounds.capacity()) && bytes_fit
    }

    fn admit_parked(&self, state: &mut State, admitted: &mut Vec<Ticket>) {
        while let Some((_, envelope)) = state.parked.front()
            && self.fits(state, envelope)
            && let Some((ticket, envelope)) = state.parked.pop_front()
        {
            state.push(envelope);
            admitted.push(ticket);
        }
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

impl State {
    fn wait(&mut self, task: &Context<'_>) {
        self.remember(task);
        self.actor_waits = true;
    }

    fn remember(&mut self, task: &Context<'_>) {
        match &self.actor {
            Some(known) if known.will_wake(task.waker()) => {}
            _ => self.actor = Some(task.waker().clone()),
        }
    }

    fn push(&mut self, envelope: Box<Envelope>) {
        self.messages += 1;
        self.bytes += envelope.body.size() as u64;
        self.entries.push_back(Entry::Message(envelope));
    }

    fn drop_oldest(&mut self) -> Option<Box<Envelope>> {
        let at = self.entries.iter().position(|entry| matches!(entry, Entry::Message(_)))?;
        match self.entries.remove(at)? {
            Entry::Message(envelope) => {
                self.messages -= 1;
                self.bytes -= envelope.body.size() as u64;
                Some(envelope)
            }
            Entry::Ended(_) => None,
        }
    }
}
