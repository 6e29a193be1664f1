//! One type for every actor that can be sent to: in this process, behind a link, or one of several instances.

use std::fmt;
use std::hash::Hash;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::ThreadId;

use crate::blob::Loans;
use crate::cell::Cell;
use crate::name::ActorName;
use crate::outlet::Outlet;
use crate::pool::Pool;

/// The address of an actor: it names the *logical* actor, so it stays valid when the actor or its worker restarts.
///
/// Holding it is the authority to send. It prints as `worker.instance/actor#generation`, the generation being the
/// incarnation that was last heard of; the text parses as an [`ActorName`], which is no authority.
///
/// Typed references such as `ThumbsRef` are an address and a protocol.
///
/// ```
/// # use bailiwick::prelude::*;
/// # #[protocol] pub trait Part { async fn work(&mut self); }
/// # struct Sound;
/// # impl Part for Sound { async fn work(&mut self) {} }
/// # bailiwick::local(async |mut cx| -> Result<(), ActorError> {
/// let part: PartRef = cx.spawn(PartRef::serve(|| Sound).named("part"))?;
/// assert_eq!(part.address().to_string(), "local/part");
/// part.work().ask(std::time::Duration::from_secs(1)).await?;
/// assert_eq!(part.address().to_string(), "local/part#1"); // its first life has been heard of
/// # Ok(())
/// # })
/// # .unwrap();
/// ```
#[derive(Clone)]
pub struct Address(pub(crate) Target);

#[derive(Clone)]
pub(crate) enum Target {
    Local(Arc<Cell>),
    Peer(Arc<dyn Outlet>),
    Pool(Arc<Pool>),
}

impl Address {
    /// Returns the actor's name, with the incarnation that was last heard of.
    #[must_use]
    pub fn name(&self) -> ActorName {
        match &self.0 {
            Target::Local(cell) => cell.name(),
            Target::Peer(peer) => peer.name(),
            Target::Pool(pool) => pool.name(),
        }
    }

    /// Returns the incarnation that was last heard of; 0 if none was, and for a pool.
    #[must_use]
    pub fn generation(&self) -> u32 {
        match &self.0 {
            Target::Local(cell) => cell.generation(),
            Target::Peer(peer) => peer.name().generation().unwrap_or(0),
            Target::Pool(_) => 0,
        }
    }

    /// Returns the thread on which the actor lives, if it lives in this process.
    pub(crate) fn thread(&self) -> Option<ThreadId> {
        match &self.0 {
            Target::Local(cell) => cell.thread(),
            Target::Peer(_) | Target::Pool(_) => None,
        }
    }

    /// Returns what is lent to the actor's worker at present.
    pub(crate) fn loans(&self) -> Option<Arc<Loans>> {
        match &self.0 {
            Target::Peer(peer) => peer.loans(),
            Target::Local(_) | Target::Pool(_) => None,
        }
    }

    pub(crate) fn peer(outlet: Arc<dyn Outlet>) -> Self {
        Self(Target::Peer(outlet))
    }

    pub(crate) fn pool(pool: Pool) -> Self {
        Self(Target::Pool(Arc::new(pool)))
    }

    pub(crate) fn local(cell: Arc<Cell>) -> Self {
        Self(Target::Local(cell))
    }

    /// Returns an address that reaches only the instance with this number; `None` if there is no such instance.
    pub(crate) fn instance(&self, number: u16) -> Option<Self> {
        match &self.0 {
            Target::Pool(pool) => pool.instance(number),
            Target::Local(_) | Target::Peer(_) => {
                let own = self.name().instance();
                (own == Some(number) || (own.is_none() && number == 1)).then(|| self.clone())
            }
        }
    }

    /// Returns the address of the instance that `key` belongs to: the same key, the same instance.
    pub(crate) fn by_key(&self, key: &impl Hash) -> Self {
        match &self.0 {
            Target::Pool(pool) => pool.by_key(key),
            Target::Local(_) | Target::Peer(_) => self.clone(),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.name())
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.name())
    }
}

impl PartialEq for Address {
    fn eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Target::Local(a), Target::Local(b)) => Arc::ptr_eq(a, b),
            (Target::Peer(a), Target::Peer(b)) => std::ptr::addr_eq(Arc::as_ptr(a), Arc::as_ptr(b)),
            (Target::Pool(a), Target::Pool(b)) => Arc::ptr_eq(a, b),
            _ => false,
        }
    }
}

impl Eq for Address {}

/// Names one watch; never used twice in a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct WatchId(u64);

impl WatchId {
    pub(crate) fn next() -> Self {
        Self(NEXT_WATCH.fetch_add(1, Ordering::Relaxed))
    }

    pub(crate) fn as_u64(self) -> u64 {
        self.0
    }
}

/// Only its uniqueness matters, so that one count for the process serves every node in it.
static NEXT_WATCH: AtomicU64 = AtomicU64::new(1);
