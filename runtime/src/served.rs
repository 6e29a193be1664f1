//! The declaration of an actor: how it is made, what it serves and within which bounds it lives.

use std::marker::PhantomData;
use std::sync::{Arc, Mutex, PoisonError};

use bailiwick_core::tree::Restart;
use bailiwick_wire::schema::ProtocolSchema;
use serde::de::DeserializeOwned;

use crate::actor::{Actor, LifecycleOf};
use crate::args::{Args, ArgsError};
use crate::context::Context;
use crate::mailbox::Mailbox;
use crate::outcome::NotDelivered;
use crate::protocol::{Incoming, ServedBy};
use crate::reply::Reply;
use crate::supervision::MemberTerms;

/// An actor that is declared and not yet running. Made by [`Protocol::serve`](crate::Protocol::serve).
///
/// ```
/// use bailiwick::prelude::*;
/// use std::time::Duration;
///
/// #[protocol]
/// pub trait Words {
///     async fn say(&mut self) -> String;
/// }
///
/// #[protocol]
/// pub trait Volume {
///     async fn louder(&mut self);
/// }
///
/// struct Speaker {
///     word: String,
///     marks: usize,
/// }
///
/// impl Words for Speaker {
///     async fn say(&mut self) -> String {
///         self.word.clone() + &"!".repeat(self.marks)
///     }
/// }
///
/// impl Volume for Speaker {
///     async fn louder(&mut self) {
///         self.marks += 1;
///     }
/// }
///
/// bailiwick::local(async |mut cx| {
///     let speaker = WordsRef::serve(|word: String| Speaker { word, marks: 0 })
///         .and::<VolumeRef>()                         // one more protocol, the same mailbox
///         .with_args::<String>()                      // the factory's argument comes from the manifest
///         .mailbox(Mailbox::bounded(16).on_full(OnFull::Reject))
///         .permanent()
///         .named("speaker");
///     let words = cx.spawn_with(speaker, Args::new("\"hello\"", 1)).unwrap();
///     let volume = VolumeRef::from_address(words.address().clone());
///     volume.louder().tell().await.unwrap();
///     assert_eq!(words.say().ask(Duration::from_secs(1)).await.unwrap(), "hello!");
/// });
/// ```
///
/// `P` is the protocol of the reference that a spawn returns, `A` the actor's struct; the other parameters are
/// filled in by the methods and never written.
#[must_use = "a declared actor does nothing until it is spawned or hosted"]
pub struct Served<P, A: 'static, D, T> {
    pub(crate) make: Make<A, T>,
    pub(crate) name: Option<String>,
    pub(crate) mailbox: Option<Mailbox>,
    pub(crate) lifecycle: Option<LifecycleOf<A>>,
    pub(crate) terms: MemberTerms,
    pub(crate) blocking: bool,
    pub(crate) handoff: bool,
    serves: PhantomData<fn() -> (P, D)>,
}

/// Makes the actor's struct; shared by all instances that one process may run.
pub(crate) type Make<A, T> = Arc<Mutex<dyn FnMut(T) -> A + Send>>;

/// What makes an actor: a function without parameters, or one that takes the arguments from the manifest.
pub trait Factory<M>: Send + 'static {
    /// The actor's struct.
    type Actor: 'static;
    /// Whether it takes arguments, and which.
    type Args: 'static;

    #[doc(hidden)]
    fn into_make(self) -> Make<Self::Actor, Self::Args>;
}

/// The factory takes no arguments.
#[derive(Debug)]
pub struct NoArgs(());

/// The factory takes a `T`, and nothing says yet where it comes from.
pub struct Undeclared<T>(T);

/// The factory takes a `T` that is decoded from the manifest.
pub struct Declared<T>(T);

impl<F, A> Factory<fn() -> A> for F
where
    F: FnMut() -> A + Send + 'static,
    A: 'static,
{
    type Actor = A;
    type Args = NoArgs;

    fn into_make(mut self) -> Make<A, NoArgs> {
        Arc::new(Mutex::new(move |_: NoArgs| self()))
    }
}

impl<F, T, A> Factory<fn(T) -> A> for F
where
    F: FnMut(T) -> A + Send + 'static,
    T: 'static,
    A: 'static,
{
    type Actor = A;
    type Args = Undeclared<T>;

    fn into_make(mut self) -> Make<A, Undeclared<T>> {
        Arc::new(Mutex::new(move |args: Undeclared<T>| self(args.0)))
    }
}

/// Where the arguments of a factory come from.
#[diagnostic::on_unimplemented(
    message = "the factory takes arguments and nothing says where they come from",
    note = "add `.with_args::<T>()`: they are then decoded from the manifest"
)]
pub trait FactoryArgs: Sized + 'static {
    #[doc(hidden)]
    fn decode(actor: &str, args: Option<&Args>) -> Result<Self, ArgsError>;
}

impl FactoryArgs for NoArgs {
    fn decode(actor: &str, args: Option<&Args>) -> Result<Self, ArgsError> {
        match args {
            None => Ok(Self(())),
            Some(args) => Err(ArgsError::NotTaken { actor: actor.to_owned(), line: args.line() }),
        }
    }
}

impl<T: DeserializeOwned + 'static> FactoryArgs for Declared<T> {
    fn decode(actor: &str, args: Option<&Args>) -> Result<Self, ArgsError> {
        let args = args.ok_or_else(|| ArgsError::Missing { actor: actor.to_owned() })?;
        Ok(Self(args.decode()?))
    }
}

impl<P, A: 'static, T: 'static> Served<P, A, One<P>, T> {
    pub(crate) fn new<F, M>(factory: F) -> Self
    where
        F: Factory<M, Actor = A, Args = T>,
    {
        Self {
            make: factory.into_make(),
            name: None,
            mailbox: None,
            lifecycle: None,
            terms: MemberTerms { restart: Restart::Transient, significant: false },
            blocking: false,
            handoff: false,
            serves: PhantomData,
        }
    }
}

impl<P, A: 'static, D, T> Served<P, A, D, T> {
    /// Names the actor; otherwise it is named after its protocol, and a child is numbered.
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Bounds its mailbox; otherwise it holds 1024 messages and 4 MiB, and senders wait.
    pub fn mailbox(mut self, mailbox: Mailbox) -> Self {
        self.mailbox = Some(mailbox);
        self
    }

    /// Is made anew whenever it ends, also when it stops itself. Otherwise it is made anew after a failure only.
    pub fn permanent(mut self) -> Self {
        self.terms.restart = Restart::Permanent;
        self
    }

    /// Is made anew after a failure only: an actor that stops itself has done its work. This is the default.
    pub fn transient(mut self) -> Self {
        self.terms.restart = Restart::Transient;
        self
    }

    /// Is never made anew: a failure is its end, told to those who watch it and to nobody else.
    pub fn temporary(mut self) -> Self {
        self.terms.restart = Restart::Temporary;
        self
    }

    /// Its end, if it ends as it should, may end its parent:
    /// [`Supervision::until_any_significant`](crate::Supervision::until_any_significant).
    pub fn significant(mut self) -> Self {
        self.terms.significant = true;
        self
    }

    /// Gives it a thread of its own, because its handlers compute or block for long.
    pub fn blocking(mut self) -> Self {
        self.blocking = true;
        self
    }

    /// Leaves to the next life of its worker the tells that are unread when a restart, or a stop by the supervisor, cuts its draining
    /// short; `handoff = true` in the manifest says the same.
    ///
    /// They are handled before anything newer, each at most once, in the order in which they waited. Of all actors of a worker
    /// together it is at most 65,536 messages and 16 MiB. What has descriptors or addresses beside it is not left, nor is an ask,
    /// which goes back to whoever asked; nor anything by an actor that another one spawned, or when the worker crashes. See "What is promised of a message" in the book.
    pub fn handoff(mut self) -> Self {
        self.handoff = true;
        self
    }

    /// Calls its [`Actor`] methods: when it has started, before it stops, at the end of what it watches.
    pub fn with_lifecycle(mut self) -> Self
    where
        A: Actor,
    {
        self.lifecycle = Some(crate::actor::lifecycle_of::<A>);
        self
    }

    /// Serves one more protocol from the same mailbox.
    ///
    /// ```
    /// # use bailiwick::prelude::*;
    /// # use std::time::Duration;
    /// #[protocol]
    /// pub trait Door { async fn open(&mut self); }
    ///
    /// #[protocol]
    /// pub trait Bell { async fn rung(&mut self) -> u32; }
    ///
    /// #[derive(Default)]
    /// struct Porter { opened: u32 }
    ///
    /// impl Door for Porter { async fn open(&mut self) { self.opened += 1; } }
    ///
    /// impl Bell for Porter { async fn rung(&mut self) -> u32 { self.opened } }
    ///
    /// Program::new()
    ///     .worker("porter", Sandbox::sealed(), DoorRef::serve(Porter::default).and::<BellRef>())
    ///     .main("guest", Sandbox::sealed().grant("porter"), async |cx: Context| {
    ///         cx.peer::<DoorRef>("porter")?.open().ask(Duration::from_secs(1)).await?;
    ///         assert_eq!(cx.peer::<BellRef>("porter")?.rung().ask(Duration::from_secs(1)).await?, 1);
    ///         Ok(())
    ///     })
    ///     .run_local()
    ///     .unwrap();
    /// ```
    pub fn and<Q>(self) -> Served<P, A, And<D, Q>, T>
    where
        Q: ServedBy<A>,
    {
        let Self { make, name, mailbox, lifecycle, terms, blocking, handoff, serves: _ } = self;
        Served { make, name, mailbox, lifecycle, terms, blocking, handoff, serves: PhantomData }
    }
}

impl<P, A: 'static, D, T: 'static> Served<P, A, D, Undeclared<T>> {
    /// Says that the factory's argument is decoded from the actor's `args` in the manifest.
    ///
    /// ```
    /// # use bailiwick::prelude::*;
    /// # #[protocol] pub trait Site { async fn root(&mut self) -> String; }
    /// # struct Web(SiteArgs);
    /// # impl Site for Web { async fn root(&mut self) -> String { self.0.root.clone() } }
    /// #[message]
    /// pub struct SiteArgs { pub root: String }
    ///
    /// // In the manifest: actor.site = { type = "Site", args = { root = "/srv/www" } }
    /// let program = Program::new().register("Site", SiteRef::serve(Web).with_args::<SiteArgs>());
    /// # let _ = program;
    /// ```
    pub fn with_args<U>(self) -> Served<P, A, D, Declared<T>>
    where
        T: IsArgs<U> + DeserializeOwned,
    {
        let Self { make, name, mailbox, lifecycle, terms, blocking, handoff, serves: _ } = self;
        let make: Make<A, Declared<T>> = Arc::new(Mutex::new(move |args: Declared<T>| {
            let mut make = make.lock().unwrap_or_else(PoisonError::into_inner);
            make(Undeclared(args.0))
        }));
        Served { make, name, mailbox, lifecycle, terms, blocking, handoff, serves: PhantomData }
    }
}

/// `.with_args::<T>()` names the type that the factory takes.
#[diagnostic::on_unimplemented(message = "the factory takes `{Self}`, not `{U}`")]
pub trait IsArgs<U> {}

impl<T> IsArgs<T> for T {}

/// The protocols that one actor serves.
#[doc(hidden)]
#[allow(async_fn_in_trait)] // Actors are never moved between threads, so their futures need not be `Send`.
pub trait Dispatch<A>: 'static {
    /// A message of any of them.
    type Message;

    fn protocols(list: &mut Vec<&'static ProtocolSchema>);

    /// Reads the message, or gives it back if it is of no protocol that is served: `Ok(Err(..))` if it is, but does not
    /// decode.
    fn claim(incoming: Incoming<'_>) -> Result<Result<Self::Message, NotDelivered>, Incoming<'_>>;

    /// Handles the message.
    async fn dispatch(actor: &mut A, message: Self::Message, cx: &mut Context, reply: &Reply);
}

/// One protocol.
#[doc(hidden)]
pub struct One<P>(PhantomData<P>);

/// All protocols of `D`, and `P`.
#[doc(hidden)]
pub struct And<D, P>(PhantomData<(D, P)>);

/// A message of one of `D`, or of `P`.
#[doc(hidden)]
pub enum Either<D, P> {
    Of(D),
    OfLast(P),
}

impl<A, P: ServedBy<A>> Dispatch<A> for One<P> {
    type Message = P::Message;

    fn protocols(list: &mut Vec<&'static ProtocolSchema>) {
        list.push(P::schema());
    }

    fn claim(incoming: Incoming<'_>) -> Result<Result<Self::Message, NotDelivered>, Incoming<'_>> {
        incoming.claim::<P>()
    }

    // Not a future around a future, which would hold the message once more.
    fn dispatch(
        actor: &mut A,
        message: Self::Message,
        cx: &mut Context,
        reply: &Reply,
    ) -> impl Future<Output = ()> {
        P::dispatch(actor, message, cx, reply)
    }
}

impl<A, D: Dispatch<A>, P: ServedBy<A>> Dispatch<A> for And<D, P> {
    type Message = Either<D::Message, P::Message>;

    fn protocols(list: &mut Vec<&'static ProtocolSchema>) {
        D::protocols(list);
        list.push(P::schema());
    }

    fn claim(incoming: Incoming<'_>) -> Result<Result<Self::Message, NotDelivered>, Incoming<'_>> {
        match D::claim(incoming) {
            Ok(message) => Ok(message.map(Either::Of)),
            Err(incoming) => incoming.claim::<P>().map(|message| message.map(Either::OfLast)),
        }
    }

    async fn dispatch(actor: &mut A, message: Self::Message, cx: &mut Context, reply: &Reply) {
        match message {
            Either::Of(message) => D::dispatch(actor, message, cx, reply).await,
            Either::OfLast(message) => P::dispatch(actor, message, cx, reply).await,
        }
    }
}
