//! What `#[protocol]` implements: the link between a typed reference, its messages and the actors that serve them.

use std::any::Any;
use std::hash::Hash;

use bailiwick_core::precedence::Priority;
use bailiwick_wire::Limits;
use bailiwick_wire::codec::EncodeError;
use bailiwick_wire::descriptors::Outgoing;
use bailiwick_wire::schema::ProtocolSchema;

use crate::address::Address;
use crate::context::Context;
use crate::envelope::Message;
use crate::outcome::NotDelivered;
use crate::payload::Payload;
use crate::reply::Reply;
use crate::served::{Factory, One, Served};

/// A typed reference to an actor: what `#[protocol] trait Thumbs` makes under the name `ThumbsRef`.
///
/// Everything that is not a method of the protocol stands here, so that it cannot clash with one.
pub trait Protocol: Clone + Send + Sync + Sized + 'static {
    /// The enum with one variant per method.
    type Message: ProtocolMessage;

    /// Returns the names, argument shapes and reply shapes of all methods.
    fn schema() -> &'static ProtocolSchema;

    /// Types an address. Messages to an actor that does not serve this protocol are not delivered.
    fn from_address(address: Address) -> Self;

    /// Returns the address without its type.
    fn address(&self) -> &Address;

    /// Declares an actor that serves this protocol; `factory` makes the struct, at the start and after every failure.
    ///
    /// ```
    /// use bailiwick::prelude::*;
    /// use std::time::Duration;
    ///
    /// #[protocol]
    /// pub trait Counter {
    ///     async fn add(&mut self, amount: u64) -> u64;
    /// }
    ///
    /// #[derive(Default)]
    /// struct Total(u64);
    ///
    /// impl Counter for Total {
    ///     async fn add(&mut self, amount: u64) -> u64 {
    ///         self.0 += amount;
    ///         self.0
    ///     }
    /// }
    ///
    /// bailiwick::local(async |mut cx| {
    ///     let counter = cx.spawn(CounterRef::serve(Total::default)).unwrap();
    ///     assert_eq!(counter.add(2).ask(Duration::from_secs(1)).await, Ok(2));
    /// });
    /// ```
    fn serve<F, M>(factory: F) -> Served<Self, F::Actor, One<Self>, F::Args>
    where
        F: Factory<M>,
        Self: ServedBy<F::Actor>,
    {
        Served::new(factory)
    }

    /// Returns a reference that reaches only the instance with this number, counted from 1.
    fn instance(&self, number: u16) -> Option<Self> {
        self.address().instance(number).map(Self::from_address)
    }

    /// Returns a reference to the instance that `key` belongs to: the same key, the same instance.
    fn by_key(&self, key: impl Hash) -> Self {
        Self::from_address(self.address().by_key(&key))
    }
}

/// The messages of one protocol.
pub trait ProtocolMessage: Send + Sized + 'static {
    /// Returns the index of the method within the protocol.
    fn method(&self) -> u16;

    /// Returns when the message goes, of those that wait.
    #[doc(hidden)]
    #[inline]
    fn priority(&self) -> Priority {
        Priority::Ordinary
    }

    /// Encodes the arguments. The message keeps its descriptors.
    #[doc(hidden)]
    fn encode(&self, limits: &Limits, out: &mut Vec<u8>) -> Result<Outgoing, Box<EncodeError>>;

    /// Decodes the arguments of the method with this index.
    #[doc(hidden)]
    fn decode(method: u16, payload: Payload<'_>) -> Result<Self, NotDelivered>;
}

/// An actor of type `A` serves this protocol. Implemented by `#[protocol]` for every implementor of the trait.
#[allow(async_fn_in_trait)] // Actors are never moved between threads, so their futures need not be `Send`.
#[diagnostic::on_unimplemented(
    message = "`{A}` does not serve this protocol",
    note = "implement the trait that `#[protocol]` stands on for `{A}`"
)]
pub trait ServedBy<A>: Protocol {
    /// Calls the method that the message names and answers through `reply`.
    #[doc(hidden)]
    async fn dispatch(actor: &mut A, message: Self::Message, cx: &mut Context, reply: &Reply);
}

/// A message as it came out of the mailbox, not yet known to be of one protocol or another.
#[doc(hidden)]
pub struct Incoming<'a> {
    pub(crate) protocol: &'static ProtocolSchema,
    pub(crate) method: u16,
    pub(crate) body: Unread<'a>,
}

/// The arguments, about to be read.
pub(crate) enum Unread<'a> {
    Value(&'a mut (dyn Message + 'static)),
    Bytes(Payload<'a>),
}

impl Incoming<'_> {
    /// Returns the message if it is one of `P`: `Ok(Err(..))` if it is, but does not decode.
    pub(crate) fn claim<P: Protocol>(self) -> Result<Result<P::Message, NotDelivered>, Self> {
        match self.body {
            Unread::Value(message) => {
                if let Some(message) = (&mut *message as &mut dyn Any).downcast_mut::<Option<P::Message>>() {
                    return Ok(Ok(message.take().expect("a message is read once")));
                }
                Err(Self { body: Unread::Value(message), ..self })
            }
            Unread::Bytes(payload) if std::ptr::eq(self.protocol, P::schema()) => {
                Ok(P::Message::decode(self.method, payload))
            }
            Unread::Bytes(payload) => Err(Self { body: Unread::Bytes(payload), ..self }),
        }
    }
}
