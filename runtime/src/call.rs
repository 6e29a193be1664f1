//! A call: made by a method of a typed reference, inert until the caller chooses how to send it.

use std::fmt;
use std::future::poll_fn;
use std::marker::PhantomData;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use crate::address::Address;
use crate::asked::{Asked, expired};
use crate::envelope::Envelope;
use crate::executor::{self, Role};
use crate::failures;
use crate::outcome::{AskError, NotDelivered, TellError};
use crate::outlet::Room;
use crate::payload::{Portable, Replied};
use crate::protocol::{Protocol, ProtocolMessage};
use crate::replies::{Replies, ReplyStream};
use crate::reply::Reply;
use crate::scope::Scope;
use crate::sent::Sent;
use crate::slot::Slot;
use crate::stream_slot::StreamSlot;
use crate::trace;

/// A message to an actor that answers with an `R`. Nothing happens until it is sent.
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
/// bailiwick::local(async |mut cx| -> Result<(), ActorError> {
///     let counter = cx.spawn(CounterRef::serve(Total::default))?;
///     counter.add(1).tell().await?;                                 // one way; waits for room
///     counter.add(2).try_tell()?;                                   // one way; never waits
///     let total = counter.add(3).ask(Duration::from_secs(1)).await?;
///     assert_eq!(total, 6);
///     Ok(())
/// })
/// .unwrap();
/// ```
#[must_use = "a call does nothing until it is sent: `.ask(deadline)`, `.tell()`, `.try_tell()`"]
pub struct Call<R> {
    address: Address,
    envelope: Box<Envelope>,
    reply: PhantomData<fn() -> R>,
}

impl<R> Call<R> {
    /// Makes a call: what the methods of a typed reference do.
    #[doc(hidden)]
    pub fn new<P: Protocol>(reference: &P, message: P::Message) -> Self {
        // The box is there first, so that everything is written right into it.
        let envelope = Box::write(
            Box::new_uninit(),
            Envelope {
                protocol: P::schema(),
                method: message.method(),
                priority: message.priority(),
                bytes: u32::try_from(size_of::<P::Message>()).unwrap_or(u32::MAX),
                reply: Reply::nobody(),
                deadline: None,
                queued: None,
                chain: None,
                trace: None,
                credit: None,
                message: Some(message),
            },
        );
        Self { address: reference.address().clone(), envelope, reply: PhantomData }
    }

    /// Sends it and asks for no reply. Waits while the mailbox has no room; where the mailbox is a
    /// [rendezvous](crate::Mailbox::rendezvous), until the actor takes the message.
    ///
    /// Dropping the future before it is ready takes the message back, as long as no handler has begun with it. `Ok` means
    /// that the message is in the mailbox, or on its way to another worker's, or, with a rendezvous, that the actor has
    /// taken it; not that it is handled.
    ///
    /// # Errors
    /// [`TellError::NotDelivered`] if the message certainly is not handled; [`TellError::Unknown`], of a rendezvous in
    /// another worker alone, if the link ended before either was known.
    ///
    /// [`TellError::NotDelivered`]: crate::TellError::NotDelivered
    /// [`TellError::Unknown`]: crate::TellError::Unknown
    pub async fn tell(self) -> Result<(), TellError> {
        let (address, envelope) = self.seal();
        match Sent::offer(&address, envelope, Room::Wait) {
            Ok(None) => Ok(()),
            Ok(Some(mut sent)) => poll_fn(|task| sent.poll_admitted(task)).await,
            Err(refused) => Err(refused.reason.into()),
        }
    }

    /// Sends it without waiting and asks for no reply.
    ///
    /// ```
    /// # use bailiwick::prelude::*;
    /// # use std::time::Duration;
    /// # #[protocol] pub trait Counter { async fn add(&mut self, amount: u64) -> u64; }
    /// # #[derive(Default)] struct Total(u64);
    /// # impl Counter for Total {
    /// #     async fn add(&mut self, amount: u64) -> u64 { self.0 += amount; self.0 }
    /// # }
    /// # bailiwick::local(async |mut cx| -> Result<(), ActorError> {
    /// let mailbox = Mailbox::bounded(1).on_full(OnFull::Reject);
    /// let counter: CounterRef = cx.spawn(CounterRef::serve(Total::default).mailbox(mailbox))?;
    /// counter.add(1).try_tell()?;
    /// assert_eq!(counter.add(2).try_tell(), Err(NotDelivered::Full));
    /// # Ok(())
    /// # })
    /// # .unwrap();
    /// ```
    ///
    /// # Errors
    /// Why the message certainly is not handled; `Full` if there is no room now, and always with a
    /// [rendezvous](crate::Mailbox::rendezvous).
    pub fn try_tell(self) -> Result<(), NotDelivered> {
        let (address, envelope) = self.seal();
        Sent::offer(&address, envelope, Room::Now).map(drop).map_err(|refused| refused.reason)
    }

    /// Makes a call of a message that no protocol of this program has.
    pub(crate) fn untyped(address: Address, envelope: Box<Envelope>) -> Self {
        Self { address, envelope, reply: PhantomData }
    }

    /// Makes the message ready to go.
    fn seal(self) -> (Address, Box<Envelope>) {
        let Self { address, mut envelope, reply: _ } = self;
        envelope.trace = trace::of_message(Scope::current_trace());
        (address, envelope)
    }

    /// Makes the message ready to go as an ask, with what that inherits from `scope`.
    fn seal_ask(self, reply: Reply, scope: &Scope, deadline: Instant) -> (Address, Box<Envelope>) {
        let Self { address, mut envelope, reply: _ } = self;
        // Only who waits can close a cycle.
        (envelope.reply, envelope.deadline, envelope.chain) = (reply, Some(deadline), scope.chain());
        envelope.trace = trace::of_message(scope.trace.clone());
        (address, envelope)
    }

    /// Does what [`Call::ask`] says, for replies of which the type is not known as well.
    pub(crate) async fn ask_any(self, deadline: Duration) -> Result<R, AskError>
    where
        R: Replied,
    {
        if tokio::runtime::Handle::try_current().is_err() {
            return Err(NotDelivered::NoExecutor.into());
        }
        let scope = Scope::current();
        let deadline = until(&scope, deadline);
        let mut timer = pin!(sleep_until(deadline));
        let slot = Arc::new(Slot::<R>::new());
        let (address, envelope) = self.seal_ask(Reply::local(slot.clone()), &scope, deadline);
        let mut asked = Asked::begin(address, envelope, slot).map_err(failed)?;
        poll_fn(|task| match asked.poll(task.waker()) {
            Poll::Ready(outcome) => Poll::Ready(outcome),
            Poll::Pending => timer.as_mut().poll(task).map(|()| Err(asked.expire())),
        })
        .await
        .map_err(failed)
    }
}

impl<R: Portable> Call<R> {
    /// Sends it and waits for the reply, no longer than `deadline` and no longer than the deadline of the message
    /// that is being handled.
    ///
    /// Dropping the future takes the ask back: a message that waits is not handled, and a handler that runs is
    /// dropped at its next await.
    ///
    /// ```
    /// # use bailiwick::prelude::*;
    /// # use std::time::Duration;
    /// # #[protocol] pub trait Counter { async fn add(&mut self, amount: u64) -> u64; }
    /// # #[derive(Default)] struct Total(u64);
    /// # impl Counter for Total {
    /// #     async fn add(&mut self, amount: u64) -> u64 { assert!(amount < 10); self.0 += amount; self.0 }
    /// # }
    /// # bailiwick::local(async |mut cx| -> Result<(), ActorError> {
    /// let counter: CounterRef = cx.spawn(CounterRef::serve(Total::default))?;
    /// match counter.add(100).ask(Duration::from_secs(1)).await {
    ///     Ok(total) => println!("{total}"),
    ///     Err(AskError::NotDelivered(why)) => println!("nothing was done, ask again: {why}"),
    ///     Err(AskError::Unknown(why)) => println!("it may have been done: {why}"), // here: it panicked
    /// }
    /// # Ok(())
    /// # })
    /// # .unwrap();
    /// ```
    ///
    /// # Errors
    /// [`AskError::NotDelivered`] if the message certainly is not handled, else [`AskError::Unknown`].
    pub fn ask(self, deadline: Duration) -> impl Future<Output = Result<R, AskError>> {
        self.ask_any(deadline)
    }

    /// Sends it and blocks this thread until the reply or the deadline: for threads that may block, outside of any
    /// executor, and for the handlers of a blocking actor.
    ///
    /// ```
    /// # use bailiwick::prelude::*;
    /// # use std::time::Duration;
    /// # #[protocol] pub trait Counter { async fn add(&mut self, amount: u64) -> u64; }
    /// # #[derive(Default)] struct Total(u64);
    /// # impl Counter for Total {
    /// #     async fn add(&mut self, amount: u64) -> u64 { self.0 += amount; self.0 }
    /// # }
    /// # bailiwick::local(async |mut cx| -> Result<(), ActorError> {
    /// let counter: CounterRef = cx.spawn(CounterRef::serve(Total::default))?;
    /// let thread = std::thread::spawn(move || counter.add(3).ask_blocking(Duration::from_secs(1)));
    /// # while !thread.is_finished() { tokio::task::yield_now().await; }
    /// assert_eq!(thread.join().unwrap(), Ok(3));
    /// # Ok(())
    /// # })
    /// # .unwrap();
    /// ```
    ///
    /// # Errors
    /// As [`Call::ask`]; `NotDelivered(WouldBlockExecutor)` on a thread whose actors would have to wait.
    pub fn ask_blocking(self, deadline: Duration) -> Result<R, AskError> {
        if !may_block(&self.address) {
            return Err(NotDelivered::WouldBlockExecutor.into());
        }
        let scope = Scope::current();
        let deadline = until(&scope, deadline);
        let slot = Arc::new(Slot::<R>::new());
        let (address, envelope) = self.seal_ask(Reply::local(slot.clone()), &scope, deadline);
        let mut asked = Asked::begin(address, envelope, slot).map_err(failed)?;
        let waker = Waker::from(Arc::new(Unpark(thread::current())));
        loop {
            if let Poll::Ready(outcome) = asked.poll(&waker) {
                return outcome.map_err(failed);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(failed(asked.expire()));
            }
            thread::park_timeout(left);
        }
    }
}

impl<T: Portable> Call<Replies<T>> {
    /// Sends it and waits until the actor has begun to answer, no longer than `deadline`; the replies then come for
    /// as long as both sides wish.
    ///
    /// # Errors
    /// As [`Call::ask`].
    pub async fn stream(self, deadline: Duration) -> Result<ReplyStream<T>, AskError> {
        if tokio::runtime::Handle::try_current().is_err() {
            return Err(NotDelivered::NoExecutor.into());
        }
        let scope = Scope::current();
        let deadline = until(&scope, deadline);
        let mut timer = pin!(sleep_until(deadline));
        let slot = Arc::new(StreamSlot::<T>::new());
        // The stream gives the ask up when it is dropped, so it is there before anything can go wrong.
        let stream = ReplyStream::new(Arc::clone(&slot));
        let (address, envelope) = self.seal_ask(Reply::local(slot.clone()), &scope, deadline);
        let _sent = Sent::offer(&address, envelope, Room::Wait).map_err(|refused| failed(refused.reason))?;
        poll_fn(|task| match slot.poll_open(task.waker()) {
            Poll::Ready(opened) => Poll::Ready(opened),
            Poll::Pending => timer.as_mut().poll(task).map(|()| Err(expired(slot.abandon()))),
        })
        .await
        .map_err(failed)?;
        Ok(stream)
    }
}

/// Counts an ask that ends without a reply.
fn failed(error: impl Into<AskError>) -> AskError {
    let error = error.into();
    failures::note(&error);
    error
}

/// Returns whether this thread may wait for `address` without waiting for itself.
fn may_block(address: &Address) -> bool {
    match executor::role() {
        Role::Outside => true,
        Role::Shared => false,
        Role::Own => address.thread() != Some(thread::current().id()),
    }
}

/// Wakes a thread that blocks.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

impl<R> fmt::Debug for Call<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} to {}", self.envelope, self.address)
    }
}

/// Returns when an ask made in `scope` has to be answered.
fn until(scope: &Scope, pause: Duration) -> Instant {
    let now = Instant::now();
    // A deadline beyond what the clock can say is as good as one in a century.
    let own = now.checked_add(pause).unwrap_or_else(|| now + CENTURY);
    scope.deadline.map_or(own, |inherited| inherited.min(own))
}

const CENTURY: Duration = Duration::from_secs(100 * 365 * 24 * 3600);
