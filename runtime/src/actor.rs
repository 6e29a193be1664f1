//! What an actor is told besides messages, if it asks for it by `.with_lifecycle()`.

use std::marker::PhantomData;

use futures::future::LocalBoxFuture;

use crate::args::Args;
use crate::context::Context;
use crate::error::ActorError;
use crate::signal::Down;

/// The life of an actor, told to it between its messages. Every method has a default, so that an actor writes only
/// those that it needs; they are called after `.with_lifecycle()` on the declaration.
///
/// ```
/// use bailiwick::prelude::*;
/// use std::time::Duration;
///
/// #[protocol]
/// pub trait Cache {
///     async fn lookup(&mut self, key: String) -> Option<String>;
/// }
///
/// #[derive(Default)]
/// struct Memory { known: std::collections::HashMap<String, String> }
///
/// impl Cache for Memory {
///     async fn lookup(&mut self, key: String) -> Option<String> {
///         self.known.get(&key).cloned()
///     }
/// }
///
/// impl Actor for Memory {
///     async fn started(&mut self, _cx: &mut Context) -> Result<(), ActorError> {
///         self.known.insert("motto".into(), "divide".into());
///         Ok(())
///     }
/// }
///
/// bailiwick::local(async |mut cx| {
///     let cache = cx.spawn(CacheRef::serve(Memory::default).with_lifecycle()).unwrap();
///     let found = cache.lookup("motto".into()).ask(Duration::from_secs(1)).await;
///     assert_eq!(found, Ok(Some("divide".into())));
/// });
/// ```
#[allow(async_fn_in_trait)] // Actors are never moved between threads, so their futures need not be `Send`.
pub trait Actor: Sized + 'static {
    /// Called before the first message of each incarnation.
    ///
    /// # Errors
    /// An error counts as a failure of the incarnation: the actor is made anew, within its budget.
    async fn started(&mut self, cx: &mut Context) -> Result<(), ActorError> {
        let _ = cx;
        Ok(())
    }

    /// Called after the last message when the actor stops in order; not after a failure.
    async fn stopping(&mut self, cx: &mut Context) {
        let _ = cx;
    }

    /// Called once for each watch, when the watched incarnation has ended.
    async fn down(&mut self, down: Down, cx: &mut Context) {
        let _ = (down, cx);
    }

    /// Called when the actor's arguments have changed.
    ///
    /// # Errors
    /// An error counts as a failure of the incarnation.
    async fn reconfigure(&mut self, args: Args, cx: &mut Context) -> Result<Reconfigured, ActorError> {
        let _ = (args, cx);
        Ok(Reconfigured::MakeAnew)
    }

    /// Returns what operators may read of the actor's state: they ask by `bailiwick inspect`, where the manifest grants that. Called
    /// between two messages. The first 16 KiB are told, as text; keep secrets out of it.
    ///
    /// ```
    /// use bailiwick::prelude::*;
    ///
    /// #[derive(Debug, Default)]
    /// struct Cache { hits: u64, misses: u64 }
    ///
    /// impl Actor for Cache {
    ///     fn inspect(&self) -> Option<String> {
    ///         Some(format!("{self:#?}"))
    ///     }
    /// }
    /// ```
    fn inspect(&self) -> Option<String> {
        None
    }
}

/// What an actor did with new arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums)] // An actor took them or did not.
pub enum Reconfigured {
    /// It took them over.
    Kept,
    /// It did not: it is to be made anew with them, its mailbox kept. The default.
    MakeAnew,
    /// It cannot, and neither can another one in this process: the worker is to be restarted in order. Where nobody
    /// supervises the process, it is made anew.
    NewProcess,
}

/// [`Actor`] without its type parameters' futures, so that actors without a lifecycle cost nothing.
pub(crate) trait Lifecycle<A>: Sync {
    fn started<'a>(
        &self,
        actor: &'a mut A,
        cx: &'a mut Context,
    ) -> LocalBoxFuture<'a, Result<(), ActorError>>;
    fn stopping<'a>(&self, actor: &'a mut A, cx: &'a mut Context) -> LocalBoxFuture<'a, ()>;
    fn down<'a>(&self, actor: &'a mut A, down: Down, cx: &'a mut Context) -> LocalBoxFuture<'a, ()>;
    fn reconfigure<'a>(
        &self,
        actor: &'a mut A,
        args: Args,
        cx: &'a mut Context,
    ) -> LocalBoxFuture<'a, Result<Reconfigured, ActorError>>;
    fn inspect(&self, actor: &A) -> Option<String>;
}

struct Of<A>(PhantomData<fn() -> A>);

/// A lifecycle as who waits for its first message holds it: it takes half of the room that the reference does.
pub(crate) type LifecycleOf<A> = fn() -> &'static dyn Lifecycle<A>;

pub(crate) fn lifecycle_of<A: Actor>() -> &'static dyn Lifecycle<A> {
    &Of::<A>(PhantomData)
}

impl<A: Actor> Lifecycle<A> for Of<A> {
    fn started<'a>(
        &self,
        actor: &'a mut A,
        cx: &'a mut Context,
    ) -> LocalBoxFuture<'a, Result<(), ActorError>> {
        Box::pin(actor.started(cx))
    }

    fn stopping<'a>(&self, actor: &'a mut A, cx: &'a mut Context) -> LocalBoxFuture<'a, ()> {
        Box::pin(actor.stopping(cx))
    }

    fn down<'a>(&self, actor: &'a mut A, down: Down, cx: &'a mut Context) -> LocalBoxFuture<'a, ()> {
        Box::pin(actor.down(down, cx))
    }

    fn reconfigure<'a>(
        &self,
        actor: &'a mut A,
        args: Args,
        cx: &'a mut Context,
    ) -> LocalBoxFuture<'a, Result<Reconfigured, ActorError>> {
        Box::pin(actor.reconfigure(args, cx))
    }

    fn inspect(&self, actor: &A) -> Option<String> {
        actor.inspect()
    }
}
