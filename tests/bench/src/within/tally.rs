//! What all actors of a measurement counted together.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Notify;

/// Counts what actors took, and how many of them there are, and wakes who waits for a number of it.
#[derive(Default)]
pub struct Tally {
    taken: AtomicU64,
    wanted: AtomicU64,
    is_reached: Notify,
    members: AtomicU64,
    is_empty: Notify,
}

/// What each actor holds as long as it is there.
pub struct Member(Arc<Tally>);

impl Member {
    /// Counts one more.
    pub fn of(tally: &Arc<Tally>) -> Self {
        tally.members.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(tally))
    }
}

impl Deref for Member {
    type Target = Tally;

    fn deref(&self) -> &Tally {
        &self.0
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        if self.0.members.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.0.is_empty.notify_one();
        }
    }
}

impl Tally {
    /// Counts one message.
    pub fn add(&self) {
        if self.taken.fetch_add(1, Ordering::Relaxed) + 1 == self.wanted.load(Ordering::Relaxed) {
            self.is_reached.notify_one();
        }
    }

    /// Waits until no actor is left.
    pub async fn left(&self) {
        while self.members.load(Ordering::Relaxed) > 0 {
            self.is_empty.notified().await;
        }
    }

    /// Waits until exactly so many were taken, and begins anew.
    pub async fn reached(&self, count: u64) {
        self.wanted.store(count, Ordering::Relaxed);
        // All run on one thread: nothing was counted since the line above.
        if self.taken.load(Ordering::Relaxed) < count {
            self.is_reached.notified().await;
        }
        // Nobody is to be woken by the next ones who come this far.
        self.wanted.store(0, Ordering::Relaxed);
        let taken = self.taken.swap(0, Ordering::Relaxed);
        assert_eq!(taken, count, "every message was counted, once");
    }
}
