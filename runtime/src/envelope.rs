//! One message on its way: what a mailbox holds and what a link makes of a frame.

use std::any::Any;
use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use bailiwick_core::credit::Grant;
use bailiwick_core::link::{Asked, ExportId};
use bailiwick_core::precedence::Priority;
use bailiwick_wire::Limits;
use bailiwick_wire::codec::EncodeError;
use bailiwick_wire::descriptors::{Incoming, Outgoing};
use bailiwick_wire::schema::ProtocolSchema;
use tokio::time::Instant;

use crate::chain::Chain;
use crate::outcome::{AskError, NotDelivered};
use crate::payload::{Encode, Payload};
use crate::protocol::ProtocolMessage;
use crate::reply::Reply;
use crate::sample::Stamp;
use crate::trace::Trace;

/// A message with everything that travels with it, in the box that the message is in: only the box is moved.
///
/// Whoever drops it has answered: an ask is then told that nobody handled it, and the credit goes back.
pub(crate) struct Envelope<M: ?Sized = dyn Message> {
    pub(crate) protocol: &'static ProtocolSchema,
    /// Index of the method within the protocol.
    pub(crate) method: u16,
    /// When it goes, of those that wait: what the schema says of the method.
    pub(crate) priority: Priority,
    /// What the message counts for in a mailbox's byte limit: what it takes in memory, not what it points to.
    pub(crate) bytes: u32,
    pub(crate) reply: Reply,
    pub(crate) deadline: Option<Instant>,
    /// Of one that is measured: when it came to the mailbox.
    pub(crate) queued: Stamp,
    /// The asks that wait for this one; `None` for a tell and for an ask from outside of any actor.
    pub(crate) chain: Option<Arc<Chain>>,
    pub(crate) trace: Trace,
    /// Dropped when the actor takes the message, which gives the room back to the sending worker.
    pub(crate) credit: Option<Credit>,
    /// The arguments.
    pub(crate) message: M,
}

/// The arguments of a message of any protocol: a value that was moved within the process, or bytes as they came from a link,
/// to be decoded in the actor's turn.
pub(crate) trait Message: Any + Send {
    /// Encodes the arguments. The message keeps its descriptors, so that it can still go elsewhere.
    fn encode(&self, limits: &Limits, out: &mut Vec<u8>) -> Result<Outgoing, NotDelivered>;
    /// Gives the bytes to whoever is about to read them, once; a value has none, and is read where it is.
    fn take_bytes(&mut self) -> Option<Payload<'static>>;
}

/// The value, until its handler has it.
impl<M: ProtocolMessage> Message for Option<M> {
    fn encode(&self, limits: &Limits, out: &mut Vec<u8>) -> Result<Outgoing, NotDelivered> {
        let message = self.as_ref().expect("a message that was handled goes nowhere any more");
        message.encode(limits, out).map_err(|error| error.reason())
    }

    fn take_bytes(&mut self) -> Option<Payload<'static>> {
        None
    }
}

/// What came from a link with bytes of its own.
impl Message for Payload<'static> {
    fn encode(&self, _limits: &Limits, out: &mut Vec<u8>) -> Result<Outgoing, NotDelivered> {
        // Only a handler takes descriptors out of a message that came over a link.
        if self.beside.left() != (0, 0) {
            return Err(NotDelivered::DescriptorsExhausted);
        }
        out.extend_from_slice(&self.bytes);
        Ok(Outgoing::default())
    }

    fn take_bytes(&mut self) -> Option<Payload<'static>> {
        let Self { bytes, beside, limits } = self;
        let (bytes, beside) = (std::mem::take(bytes), std::mem::take(beside));
        Some(Payload { bytes, beside, limits: *limits })
    }
}

/// The bytes lie in the mailbox, and nothing came beside them: what decoding them may cost.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stored(pub(crate) Limits);

impl Message for Stored {
    fn encode(&self, _limits: &Limits, _out: &mut Vec<u8>) -> Result<Outgoing, NotDelivered> {
        // What a mailbox stores has left it before it goes anywhere else.
        Err(NotDelivered::DescriptorsExhausted)
    }

    fn take_bytes(&mut self) -> Option<Payload<'static>> {
        Some(Payload { bytes: Cow::default(), beside: Incoming::default(), limits: self.0 })
    }
}

impl<M> Envelope<M> {
    /// Puts another message in.
    pub(crate) fn with<N>(self, message: N) -> Envelope<N> {
        let Self {
            protocol,
            method,
            priority,
            bytes,
            reply,
            deadline,
            queued,
            chain,
            trace,
            credit,
            message: _,
        } = self;
        Envelope { protocol, method, priority, bytes, reply, deadline, queued, chain, trace, credit, message }
    }

    /// Tells whether another is for the same method.
    pub(crate) fn is_alike(&self, other: &Self) -> bool {
        std::ptr::eq(self.protocol, other.protocol) && self.method == other.method
    }
}

impl Envelope {
    /// Tells the asker that nobody handled the message, and gives it back to whoever can send it elsewhere.
    pub(crate) fn refuse(mut self: Box<Self>, reason: NotDelivered) {
        let (reply, _credit) = (self.reply.take(), self.credit.take());
        reply.bounce(self, reason);
    }
}

/// Returns the name of a method; `?` where the protocol has no such index.
pub(crate) fn method_name(protocol: &'static ProtocolSchema, method: u16) -> &'static str {
    protocol.methods.get(usize::from(method)).map_or("?", |method| method.name)
}

impl<M: ?Sized> fmt::Debug for Envelope<M> {
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

    /// Returns the worker that used it.
    pub(crate) fn worker(&self) -> &str {
        self.sink.worker()
    }

    /// Returns the instance of a worker that used it.
    pub(crate) fn sender(&self) -> String {
        self.sink.sender()
    }

    /// Adds room to what is given back together, and gives back at once what is of another sender or mailbox.
    pub(crate) fn gather(gathered: &mut Option<Self>, credit: &mut Option<Self>) {
        // In place: what is moved right after it was written waits for the write.
        if let (Some(gathered), Some(more)) = (gathered.as_mut(), credit.as_mut())
            && gathered.mailbox == more.mailbox
            && std::ptr::addr_eq(Arc::as_ptr(&gathered.sink), Arc::as_ptr(&more.sink))
        {
            gathered.room = gathered.room.plus(std::mem::take(&mut more.room));
            *credit = None;
        } else {
            *gathered = credit.take();
        }
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
    /// Returns the name of the worker that sent them.
    fn worker(&self) -> &str;
    /// Returns the name of the worker, with the number of its instance if it has several.
    fn sender(&self) -> String {
        self.worker().to_owned()
    }
}

/// The link's side of the asks that came over it. Each ends with exactly one of `reply`, `fail` and `end`.
pub(crate) trait RemoteAsks: Send + Sync {
    /// Called right before the handler runs; `false` if the asker has given up, and then nothing is handled.
    fn start(&self, asked: Asked) -> bool;
    /// Called right before the handler of a rendezvous runs, whose sender is told so; `false` if it has given up.
    fn taken(&self, asked: Asked) -> bool;
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
    fn item(&self, asked: Asked, value: &dyn Encode) -> Result<(), Box<EncodeError>>;
    /// Ends a stream of replies in order.
    fn end(&self, asked: Asked);
}
