//! One message on its way: what a mailbox holds and what a link makes of a frame.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use bailiwick_core::credit::Grant;
use bailiwick_core::link::{Asked, ExportId};
use bailiwick_wire::Limits;
use bailiwick_wire::codec::EncodeError;
use bailiwick_wire::descriptors::Outgoing;
use bailiwick_wire::frame::TraceContext;
use bailiwick_wire::schema::ProtocolSchema;
use tokio::time::Instant;

use crate::chain::Chain;
use crate::outcome::{AskError, NotDelivered};
use crate::payload::{Encode, Payload};
use crate::reply::Reply;

/// A message with everything that travels with it.
///
/// Whoever drops it has answered: an ask is then told that nobody handled it, and the credit goes back.
pub(crate) struct Envelope {
    pub(crate) protocol: &'static ProtocolSchema,
    /// Index of the method within the protocol.
    pub(crate) method: u16,
    pub(crate) body: Body,
    pub(crate) reply: Reply,
    pub(crate) deadline: Option<Instant>,
    /// The asks that wait for this one; `None` for a tell and for an ask from outside of any actor.
    pub(crate) chain: Option<Arc<Chain>>,
    /// Boxed, for few messages have one.
    pub(crate) trace: Option<Box<TraceContext>>,
    /// Dropped when the actor takes the message, which gives the room back to the sending worker.
    pub(crate) credit: Option<Credit>,
}

/// The arguments: moved within the process, or as they came from a link, decoded in the actor's turn.
pub(crate) enum Body {
    /// With what the message counts for, so that nobody has to ask it.
    Value(Box<dyn Message>, u32),
    Bytes(Box<Payload<'static>>),
    /// The bytes lie in the mailbox, and nothing came beside them.
    Stored(Stored),
}

/// Bytes that lie in a mailbox.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stored {
    pub(crate) bytes: u32,
    /// What decoding may cost.
    pub(crate) limits: Limits,
}

impl Body {
    /// Makes a body of a value that has not left the process.
    pub(crate) fn value(message: Box<dyn Message>) -> Self {
        let bytes = u32::try_from(message.size()).unwrap_or(u32::MAX);
        Self::Value(message, bytes)
    }

    /// Returns what the message counts for in a mailbox's byte limit: what it takes in memory, not what it points to.
    pub(crate) fn size(&self) -> usize {
        match self {
            Self::Value(_, bytes) => *bytes as usize,
            Self::Bytes(payload) => payload.bytes.len(),
            Self::Stored(stored) => stored.bytes as usize,
        }
    }
}

/// A message value of any protocol.
pub(crate) trait Message: Any + Send {
    /// Encodes the arguments. The message keeps its descriptors, so that it can still go elsewhere.
    fn encode(&self, limits: &Limits, out: &mut Vec<u8>) -> Result<Outgoing, EncodeError>;
    fn size(&self) -> usize;
}

impl Envelope {
    /// Tells the asker that nobody handled the message.
    pub(crate) fn refuse(self, reason: NotDelivered) {
        self.reply.bounce(self.body, reason);
    }
}

/// Returns the name of a method; `?` where the protocol has no such index.
pub(crate) fn method_name(protocol: &'static ProtocolSchema, method: u16) -> &'static str {
    protocol.methods.get(usize::from(method)).map_or("?", |method| method.name)
}

impl fmt::Debug for Envelope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}::{}", self.protocol.name, method_name(self.protocol, self.method))
    }
}

/// Room in a mailbox that a sending worker used; given back when this is dropped.
pub(crate) struct Credit {
    sink: Arc<dyn CreditSink>,
    mailbox: ExportId,
    room: Grant,
}

impl Credit {
    pub(crate) fn new(sink: Arc<dyn CreditSink>, mailbox: ExportId, room: Grant) -> Self {
        Self { sink, mailbox, room }
    }

    /// Adds room to what is given back together, and gives back at once what is of another sender or mailbox.
    pub(crate) fn gather(gathered: &mut Option<Self>, mut credit: Self) {
        if let Some(before) = gathered
            && before.mailbox == credit.mailbox
            && std::ptr::addr_eq(Arc::as_ptr(&before.sink), Arc::as_ptr(&credit.sink))
        {
            before.room = before.room.plus(std::mem::take(&mut credit.room));
            return;
        }
        *gathered = Some(credit);
    }
}

impl Drop for Credit {
    fn drop(&mut self) {
        if !self.room.is_none() {
            self.sink.taken(self.mailbox, self.room);
        }
    }
}

/// The link's side of credit: told when messages that came over it have left the mailbox.
pub(crate) trait CreditSink: Send + Sync {
    /// Called from any thread, possibly under no lock of ours.
    fn taken(&self, mailbox: ExportId, room: Grant);
}

/// The link's side of the asks that came over it. Each ends with exactly one of `reply`, `fail` and `end`.
pub(crate) trait RemoteAsks: Send + Sync {
    /// Called right before the handler runs; `false` if the asker has given up, and then nothing is handled.
    fn start(&self, asked: Asked) -> bool;
    /// Returns whether the asker has given up; if not, wakes `waker` when it does.
    fn poll_abandoned(&self, asked: Asked, waker: &std::task::Waker) -> bool;
    /// Sends the only reply; one that cannot be encoded fails with
    /// [`unencodable_reply`](crate::payload::unencodable_reply).
    fn reply(&self, asked: Asked, value: &dyn Encode);
    /// Ends the ask without a reply.
    fn fail(&self, asked: Asked, error: AskError);
    /// Tells the asker that a stream of replies begins.
    fn open(&self, asked: Asked);
    /// Ready when one more item may be sent: `true`, or `false` if the asker has given up.
    fn poll_room(&self, asked: Asked, waker: &std::task::Waker) -> std::task::Poll<bool>;
    /// Sends one item of a stream. After an error the stream is failed by the caller.
    fn item(&self, asked: Asked, value: &dyn Encode) -> Result<(), EncodeError>;
    /// Ends a stream of replies in order.
    fn end(&self, asked: Asked);
}
