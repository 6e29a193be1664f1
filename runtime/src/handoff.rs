//! What a life of a worker leaves unread to the next one, and what an earlier one has left to it.
//!
//! Only while it is open something is left: while the worker starts, for the actors that what is inherited is for may not be there
//! yet, and once it ends in order and a life may come after it. What was left while it started is lost when it goes on after that. Invariant: a message that is inherited or left is in one place only,
//! and what comes of it does not depend on whether an actor has begun with others.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bailiwick_core::credit::Grant;
use bailiwick_core::link::{ExportId, Target};
use bailiwick_wire::Limits;
use bailiwick_wire::handoff::{Unread, Writer};

use crate::envelope::{Credit, CreditSink, Envelope};
use crate::panics::catch;

/// The messages of one worker's life that another one had, or is to have.
#[derive(Default)]
pub(crate) struct Handoff(Mutex<State>);

#[derive(Default)]
struct State {
    is_open: bool,
    left: Writer,
    /// For actors that are not there yet.
    inherited: Vec<(String, Box<Envelope>)>,
}

impl Handoff {
    /// Has what is unread when an actor ends be left to the next life from here on.
    pub(crate) fn open(&self) {
        self.lock().is_open = true;
    }

    /// Has nothing be left from here on, nor what was: behind what is newer it would be handled late. Returns how many messages that
    /// loses.
    pub(crate) fn shut(&self) -> usize {
        let mut state = self.lock();
        state.is_open = false;
        std::mem::take(&mut state.left).messages()
    }

    /// Adds a message that an earlier life has left.
    pub(crate) fn add(&self, actor: &str, envelope: Box<Envelope>) {
        self.lock().inherited.push((actor.to_owned(), envelope));
    }

    /// Takes out what an earlier life has left for an actor, in the order in which it waited.
    pub(crate) fn inherit(&self, actor: &str) -> Vec<Box<Envelope>> {
        let mut state = self.lock();
        let own = state.inherited.extract_if(.., |(of, _)| of == actor);
        own.map(|(_, envelope)| envelope).collect()
    }

    /// Leaves a message to the next life. Gives it back if none is to come, if somebody waits for an answer to it or for its
    /// end, if more than bytes belongs to it, or if there is no room.
    pub(crate) fn leave(&self, actor: &str, envelope: Box<Envelope>) -> Result<(), Box<Envelope>> {
        let may_be_left = self.lock().is_open && !envelope.reply.is_awaited() && envelope.deadline.is_none();
        // Outside of the lock, since it is the user's code.
        let payload = if may_be_left { encode(&envelope) } else { None };
        let method = envelope.protocol.methods.get(usize::from(envelope.method));
        let (Some(payload), Some(method)) = (payload, method) else { return Err(envelope) };
        let unread = Unread {
            actor,
            protocol: envelope.protocol.name,
            method: method.name,
            fingerprint: method.fingerprint,
            sender: envelope.credit.as_ref().map(Credit::worker),
            payload: &payload,
        };
        let mut state = self.lock();
        // It may have been shut meanwhile, by another thread.
        if state.is_open && state.left.add(&unread) { Ok(()) } else { Err(envelope) }
    }

    /// Takes out what is left to the next life: `Err` with those among it for whom there was no actor and now is no life either.
    pub(crate) fn take(&self) -> (Writer, Vec<(String, Box<Envelope>)>) {
        let mut unhosted = std::mem::take(&mut self.lock().inherited);
        let mut lost = Vec::new();
        for (actor, envelope) in unhosted.drain(..) {
            if let Err(envelope) = self.leave(&actor, envelope) {
                lost.push((actor, envelope));
            }
        }
        let mut state = self.lock();
        // What comes later would be nobody's.
        state.is_open = false;
        (std::mem::take(&mut state.left), lost)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns the arguments as bytes, if they are nothing else.
fn encode(envelope: &Envelope) -> Option<Vec<u8>> {
    let mut payload = Vec::new();
    // What panics here is not worth the end of the actor, which goes on to the next message.
    let beside = catch(|| envelope.message.encode(&Limits::LINK, &mut payload)).ok()?.ok()?;
    (beside.descriptors().is_empty() && beside.addresses().is_empty()).then_some(payload)
}

/// A worker that sent a message to an earlier life, which has told it already that there is room again.
struct Earlier {
    worker: String,
}

impl CreditSink for Earlier {
    fn taken(&self, _mailbox: ExportId, _room: Grant) {}

    fn worker(&self) -> &str {
        &self.worker
    }
}

/// Returns what has the message of another worker count as one.
pub(crate) fn credit_of(worker: &str) -> Credit {
    let mailbox = ExportId { target: Target { slot: 0, generation: 0 }, link: 0 };
    Credit::new(Arc::new(Earlier { worker: worker.to_owned() }), mailbox, Grant::NONE)
}
