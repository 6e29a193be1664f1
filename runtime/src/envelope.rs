//! One message on its way: what a mailbox holds and what a link makes of a frame.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

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
    pub(crate) trace: Option<TraceContext>,
    /// Dropped when the actor takes the message, which gives the room back to the sending worker.
    pub(crate) credit: Option<Credit>,
}

/// The arguments: moved within the process, or as they came from a link, decoded in the actor's turn.
pub(crate) enum Body {
    Value(Box<dyn Message>),
    Bytes(Box<Payload>),
}

impl Body {
    /// Returns what the message counts for in a mailbox's byte limit: what it takes in memory, not what it points to.
    pub(crate) fn size(&self) -> usize {
        match self {
            Self::Value(message) => message.size(),
            Self::Bytes(payload) => payload.bytes.len(),
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
    key: u64,
}

impl Credit {
    pub(crate) fn new(sink: Arc<dyn CreditSink>, key: u64) -> Self {
        Self { sink, key }
    }
}

impl Drop for Credit {
    fn drop(&mut self) {
        self.sink.taken(self.key);
    }
}

/// The link's side of credit: told when a message that came over it has left the mailbox.
pub(crate) trait CreditSink: Send + Sync {
    /// `key` is what the link gave to [`Credit::new`]. Called from any thread, possibly under no lock of ours.
    fn taken(&self, key: u64);
}

/// Where the link sends an answer to an ask that came over it.
///
/// Dropping it unresolved must tell the asker: before `start`, that the message was not delivered; after it, that
/// the outcome is unknown.
pub(crate) trait RemoteReply: Send {
    /// Called right before the handler runs; `false` if the asker has given up, and then nothing is handled.
    fn start(&mut self) -> bool;
    /// Returns whether the asker has given up; if not, wakes `waker` when it does.
    fn poll_abandoned(&mut self, waker: &std::task::Waker) -> bool;
    /// Sends the only reply; one that cannot be encoded fails with
    /// [`unencodable_reply`](crate::payload::unencodable_reply).
    fn reply(self: Box<Self>, value: &dyn Encode);
    /// Ends the ask without a reply.
    fn fail(self: Box<Self>, error: AskError);
    /// Tells the asker that a stream of replies begins.
    fn open(&mut self);
    /// Ready when one more item may be sent: `true`, or `false` if the asker has given up.
    fn poll_room(&mut self, waker: &std::task::Waker) -> std::task::Poll<bool>;
    /// Sends one item of a stream. After an error the stream is failed by the caller.
    fn item(&mut self, value: &dyn Encode) -> Result<(), EncodeError>;
    /// Ends a stream of replies in order.
    fn end(self: Box<Self>);
}
