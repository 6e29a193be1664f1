//! The address of a worker with several instances: each send goes to one of them.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::address::{Address, Target, WatchId};
use crate::name::ActorName;
use crate::outlet::{Notify, Outlet};

/// The same actor in every instance of one worker.
pub(crate) struct Pool {
    worker: String,
    path: String,
    members: Vec<Member>,
    /// Where the next search begins, so that idle members take turns.
    turn: AtomicUsize,
}

struct Member {
    instance: u16,
    address: Address,
    outstanding: Arc<AtomicUsize>,
}

/// The member that was chosen for one send; counts as outstanding while it lives.
pub(crate) struct Chosen {
    pub(crate) address: Address,
    pub(crate) index: usize,
    outstanding: Arc<AtomicUsize>,
}

impl Drop for Chosen {
    fn drop(&mut self) {
        self.outstanding.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Member {
    /// Returns how far it is from taking a message. A place of a pool that nobody has may stay free for ever.
    fn distance(&self) -> u8 {
        match &self.address.0 {
            Target::Peer(peer) if peer.is_up() => 0,
            Target::Peer(peer) if peer.is_coming() => 1,
            Target::Peer(_) => 2,
            Target::Local(_) | Target::Pool(_) => 0,
        }
    }
}

impl Pool {
    /// Makes a pool of the members, each with its instance's number. `None` without members.
    pub(crate) fn new(worker: &str, path: &str, members: Vec<(u16, Address)>) -> Option<Self> {
        let members: Vec<_> = members
            .into_iter()
            .map(|(instance, address)| Member { instance, address, outstanding: Arc::default() })
            .collect();
        if members.is_empty() {
            return None;
        }
        Some(Self { worker: worker.to_owned(), path: path.to_owned(), members, turn: AtomicUsize::new(0) })
    }

    pub(crate) fn name(&self) -> ActorName {
        ActorName::new(&self.worker, None, &self.path, None)
    }

    /// Chooses the member with the fewest outstanding asks among those that run, or else begin, leaving out the one at index
    /// `but`.
    pub(crate) fn choose(&self, but: Option<usize>) -> Option<Chosen> {
        let count = self.members.len();
        let start = self.turn.fetch_add(1, Ordering::Relaxed) % count;
        let index = (0..count)
            .map(|step| (start + step) % count)
            .filter(|index| Some(*index) != but)
            .min_by_key(|index| {
                let member = &self.members[*index];
                (member.distance(), member.outstanding.load(Ordering::Relaxed))
            })?;
        let member = &self.members[index];
        member.outstanding.fetch_add(1, Ordering::Relaxed);
        Some(Chosen { address: member.address.clone(), index, outstanding: Arc::clone(&member.outstanding) })
    }

    /// Watches all members: the first that ends is the end that is told.
    pub(crate) fn watch(&self, id: WatchId, notify: Notify) {
        let notify = Arc::new(Mutex::new(Some(notify)));
        for member in &self.members {
            let notify = Arc::clone(&notify);
            let once: Notify = Box::new(move |down| {
                let notify = notify.lock().unwrap_or_else(PoisonError::into_inner).take();
                if let Some(notify) = notify {
                    notify(down);
                }
            });
            match &member.address.0 {
                Target::Local(cell) => cell.watch(id, once),
                Target::Peer(peer) => peer.watch(id, once),
                Target::Pool(pool) => pool.watch(id, once),
            }
        }
    }

    /// Forgets a watch.
    pub(crate) fn unwatch(&self, id: WatchId) {
        for member in &self.members {
            match &member.address.0 {
                Target::Local(cell) => cell.unwatch(id),
                Target::Peer(peer) => peer.unwatch(id),
                Target::Pool(pool) => pool.unwatch(id),
            }
        }
    }

    pub(crate) fn instance(&self, number: u16) -> Option<Address> {
        self.members.iter().find(|member| member.instance == number).map(|member| member.address.clone())
    }

    pub(crate) fn by_key(&self, key: &impl Hash) -> Address {
        let mut hasher = DefaultHasher::new();
        key.hash(&mut hasher);
        // The remainder is smaller than the number of members, which is a usize.
        let index = (hasher.finish() % self.members.len() as u64) as usize;
        self.members[index].address.clone()
    }
}
