//! The link machine: everything that two workers agree on while they talk, without a byte of it moving.
//!
//! One machine stands for one peer, over all its incarnations: `Closed` → `Greeting` → `Open` → `Draining` →
//! `Closed`, and again when the supervisor hands over the next transport. It checks what arrives in the order
//! length, state, slot and generation, method, credit and asks in flight; it spends and gives credit, keeps
//! what must wait, and resolves every ask. The driver encodes, moves bytes, keeps payloads under the tickets
//! that the machine names, and does what the actions say.
//!
//! Invariants:
//! * every ask ends exactly once: reply, end of the stream, failure, deadline, cancelled by its caller, or the
//!   end of the link or the peer;
//! * nothing is delivered that is not granted, names an earlier use of a slot, or was sent without credit;
//! * nothing is delivered between the end of one transport and the opening of the next;
//! * who sends to an actor without room waits in that actor's queue; no other send waits behind it;
//! * `Down` comes once for each incarnation of the peer, after everything that it sent.

mod event;
mod failure;
mod fault;
mod frame;
mod handling;
mod tables;

pub use event::{Action, Closed, Event, Outcome, Patience, Send};
pub use failure::{Failure, NotDelivered, Unknown};
pub use fault::Fault;
pub use frame::{
    Cause, CloseReason, Fingerprint, Frame, Hello, Limits, Offer, Refusal, Target, Use, VERSION, WatchId,
};
pub use handling::Asked;
pub use tables::{Export, ExportId, Import, ImportId, Methods, Named};

/// What the manifest says about a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Config {
    /// Whether a violation of the peer is told to the supervisor: this side is the more privileged one.
    pub may_accuse: bool,
    /// What this side takes.
    pub limits: Limits,
    /// Sends to one actor that may wait for credit.
    pub waiting: u32,
    /// What may wait while the peer is down.
    pub while_down: WhileDown,
}

/// What may wait while the peer is down; zero messages is to reject.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct WhileDown {
    /// Messages.
    pub messages: u32,
    /// Bytes of payload.
    pub bytes: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            may_accuse: false,
            limits: Limits::DEFAULT,
            waiting: 4096,
            while_down: WhileDown { messages: 1000, bytes: 1 << 20 },
        }
    }
}
