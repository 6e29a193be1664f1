//! Methods that this program knows by what another worker told of them while it ran, and by no trait of its own: what serves people
//! who ask actors from outside.
//!
//! The schema of such a method is that worker's word. It goes through the handshake like any other, so a message goes out only if
//! the receiver takes the method for the same, and only if it is granted.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bailiwick_core::precedence::Priority;
use bailiwick_wire::Limits;
use bailiwick_wire::codec::EncodeError;
use bailiwick_wire::descriptors::Outgoing;
use bailiwick_wire::schema::{Carries, Fingerprint, MethodSchema, ProtocolSchema};

use crate::address::Address;
use crate::call::Call;
use crate::envelope::{Envelope, Message};
use crate::node::{Host, PeerError};
use crate::outcome::{AskError, NotDelivered, TellError};
use crate::payload::{Payload, Replied};
use crate::protocol::Protocol;
use crate::reply::Reply;

/// The actors of other workers that are granted, for who is no actor: those who serve people, on an executor of actors.
#[derive(Clone)]
pub struct Peers(Arc<dyn Host>);

/// A method of another worker's actor, with its schema as that worker tells it.
#[derive(Clone, Debug)]
pub struct Untyped {
    address: Address,
    schema: &'static ProtocolSchema,
}

/// What writes the arguments of a message as the codec does.
pub trait Arguments: Send + 'static {
    /// Appends them to `out`.
    ///
    /// # Errors
    /// The codec's.
    fn write(&self, limits: &Limits, out: &mut Vec<u8>) -> Result<(), Box<EncodeError>>;
}

impl Peers {
    pub(crate) fn new(host: Arc<dyn Host>) -> Self {
        Self(host)
    }

    /// Returns a reference to an actor of another worker, as [`Context::peer`](crate::Context::peer) does.
    ///
    /// # Errors
    /// As there.
    pub fn peer<P: Protocol>(&self, name: &str) -> Result<P, PeerError> {
        self.0.peer(name, P::schema()).map(P::from_address)
    }

    /// Returns a method of an actor of another worker. `schema` is what [`learnt`] made.
    ///
    /// # Errors
    /// As [`Context::peer`](crate::Context::peer); whether the method is granted, only the receiver says.
    pub fn method(&self, name: &str, schema: &'static ProtocolSchema) -> Result<Untyped, PeerError> {
        self.0.peer(name, schema).map(|address| Untyped { address, schema })
    }
}

/// Makes a protocol of the one method that another worker told of. It stays for as long as the process: make each only once.
#[must_use]
pub fn learnt(protocol: &str, method: &str, shape: &str, has_priority: bool) -> &'static ProtocolSchema {
    let leak = |text: &str| -> &'static str { text.to_owned().leak() };
    let method = MethodSchema {
        name: leak(method),
        fingerprint: Fingerprint::of(shape),
        shape: shape.to_owned(),
        // What carries anything is sent by nobody who writes JSON.
        arguments: Carries::default(),
        reply: Carries::default(),
        has_priority,
    };
    let protocol = ProtocolSchema { name: leak(protocol), methods: vec![method], is_learnt: true };
    Box::leak(Box::new(protocol))
}

impl Untyped {
    /// Sends a message and asks for no reply, as [`Call::tell`] does.
    ///
    /// # Errors
    /// As there.
    pub async fn tell(&self, arguments: impl Arguments) -> Result<(), TellError> {
        self.call(arguments).tell().await
    }

    /// Sends a message and returns the bytes of its reply, as [`Call::ask`] does the reply.
    ///
    /// # Errors
    /// As there.
    pub async fn ask(&self, arguments: impl Arguments, deadline: Duration) -> Result<Vec<u8>, AskError> {
        let Unread(bytes) = self.call(arguments).ask_any(deadline).await?;
        Ok(bytes)
    }

    fn call(&self, arguments: impl Arguments) -> Call<Unread> {
        let envelope = Envelope {
            protocol: self.schema,
            method: 0,
            priority: if self.schema.methods[0].has_priority { Priority::High } else { Priority::Ordinary },
            bytes: 0,
            reply: Reply::nobody(),
            deadline: None,
            queued: None,
            chain: None,
            trace: None,
            credit: None,
            message: Written(arguments),
        };
        Call::untyped(self.address.clone(), Box::new(envelope))
    }
}

impl fmt::Debug for Peers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Peers")
    }
}

/// The bytes of a reply. What came beside them is closed.
struct Unread(Vec<u8>);

impl Replied for Unread {
    fn read(payload: Payload<'static>) -> Result<Self, AskError> {
        Ok(Self(payload.bytes.into_owned()))
    }
}

/// Arguments on their way to a link. An actor of this process does not know them.
struct Written<A>(A);

impl<A: Arguments> Message for Written<A> {
    fn encode(&self, limits: &Limits, out: &mut Vec<u8>) -> Result<Outgoing, NotDelivered> {
        self.0.write(limits, out).map_err(|error| error.reason())?;
        Ok(Outgoing::default())
    }

    fn take_bytes(&mut self) -> Option<Payload<'static>> {
        None
    }
}
