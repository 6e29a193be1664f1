//! What a handler's own asks inherit: the time that is left, the chain of asks and the trace.
//!
//! The scope stands in a thread-local only while the handler is polled, put there before and taken back after each
//! poll, also when the poll panics. Nothing in it outlives the poll, so what a handler hands to another task inherits
//! nothing.

use std::cell;
use std::sync::Arc;

use tokio::time::Instant;

use crate::cell::Cell;
use crate::chain::Chain;
use crate::name::ActorName;
use crate::trace::Trace;

/// The scope of the message that is handled.
#[derive(Clone, Default)]
pub(crate) struct Scope {
    pub(crate) deadline: Option<Instant>,
    /// The actor that handles.
    pub(crate) actor: Option<Arc<Cell>>,
    /// Those that wait for it.
    pub(crate) before: Option<Arc<Chain>>,
    pub(crate) trace: Trace,
}

thread_local! {
    // Boxed, because it is moved in and out around every poll.
    static CURRENT: cell::Cell<Option<Box<Scope>>> = const { cell::Cell::new(None) };
    /// One that no actor has now: on one thread few have one at the same time.
    static SPARE: cell::Cell<Option<Box<Scope>>> = const { cell::Cell::new(None) };
}

impl Scope {
    /// Returns the scope of an actor that is about to handle something.
    pub(crate) fn of(actor: &Arc<Cell>) -> Box<Self> {
        let mut scope = SPARE.try_with(cell::Cell::take).ok().flatten().unwrap_or_default();
        scope.actor = Some(Arc::clone(actor));
        scope
    }

    /// The actor has nothing to handle any more.
    pub(crate) fn leave(mut self: Box<Self>) {
        *self = Self::default();
        // A thread that is already past its locals needs none.
        let _ = SPARE.try_with(|spare| spare.set(Some(self)));
    }

    /// Runs `poll` with the scope in `home` as the current one.
    pub(crate) fn enter<T>(home: &mut Option<Box<Self>>, poll: impl FnOnce() -> T) -> T {
        let _entered = Entered { outer: CURRENT.replace(home.take()), home };
        poll()
    }

    /// Returns a copy of the current scope; an empty one outside of any handler.
    pub(crate) fn current() -> Self {
        Self::read(|scope| scope.cloned().unwrap_or_default())
    }

    /// Returns the name of the actor whose handler is polled. Takes no lock.
    pub(crate) fn current_actor() -> Option<ActorName> {
        // A thread that is already past its locals handles nothing.
        let scope = CURRENT.try_with(cell::Cell::take).ok()??;
        let name = scope.actor.as_ref().map(|cell| {
            let generation = Some(cell.generation());
            ActorName::new(&cell.node.worker, cell.node.instance, cell.path(), generation)
        });
        CURRENT.set(Some(scope));
        name
    }

    /// Returns the trace of the current scope.
    pub(crate) fn current_trace() -> Trace {
        Self::read(|scope| scope.and_then(|scope| scope.trace.clone()))
    }

    fn read<T>(read: impl FnOnce(Option<&Self>) -> T) -> T {
        // A thread that is already past its locals handles nothing.
        let Some(current) = CURRENT.try_with(cell::Cell::take).ok().flatten() else { return read(None) };
        let found = read(Some(&current));
        CURRENT.set(Some(current));
        found
    }

    /// Returns the chain that an ask made in this scope carries: the handling actor, and those before it.
    pub(crate) fn chain(&self) -> Option<Arc<Chain>> {
        let actor = self.actor.as_ref()?.waiting().clone();
        Some(Arc::new(Chain { actor, before: self.before.clone() }))
    }
}

/// While it lives its scope is the current one; when it is dropped, also by a panic, the scope goes home.
struct Entered<'a> {
    outer: Option<Box<Scope>>,
    home: &'a mut Option<Box<Scope>>,
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        *self.home = CURRENT.replace(self.outer.take());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbered(id: u64) -> Option<Box<Scope>> {
        Some(Box::new(Scope { before: Chain::from_ids([id]), ..Scope::default() }))
    }

    fn current() -> Option<u64> {
        Scope::current().before.map(|chain| chain.actor.id)
    }

    #[test]
    fn a_nested_scope_hides_the_outer_one_and_gives_it_back() {
        Scope::enter(&mut numbered(1), || {
            Scope::enter(&mut numbered(2), || assert_eq!(current(), Some(2)));
            assert_eq!(current(), Some(1));
        });
        assert_eq!(current(), None);
    }

    #[test]
    fn a_panic_takes_the_scope_back() {
        let mut scope = numbered(1);
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            Scope::enter(&mut scope, || panic!("in the handler"));
        }));
        assert!(panicked.is_err());
        assert_eq!(current(), None);
        assert_eq!(scope.unwrap().before.unwrap().actor.id, 1);
    }
}
