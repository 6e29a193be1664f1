//! What a worker has to do for others: how many messages of theirs it may still take, and whether it is at one now.

use std::cmp::Ordering::{Equal, Greater, Less};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use tokio::sync::Notify;

/// The messages of other workers, over all actors of this one.
#[derive(Debug, Default)]
pub(crate) struct Workload {
    /// How many this life takes; 0 is any number.
    limit: AtomicU32,
    taken: AtomicU64,
    under_way: AtomicU32,
    /// Told when nothing is under way any more.
    at_rest: Notify,
}

/// Messages that are being handled, or a stream of replies that is being given.
#[derive(Debug)]
pub(crate) struct Share(Arc<Workload>);

/// What becomes of a message that an actor is about to take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    /// It is handled.
    One,
    /// It is handled, and is the last of this life.
    Last,
    /// This life takes no more.
    TooMany,
}

impl Workload {
    /// Lets this life take so many messages and no more; 0 is any number.
    pub(crate) fn limit(&self, messages: u32) {
        self.limit.store(messages, Ordering::Relaxed);
    }

    /// Takes a message that came from another worker.
    pub(crate) fn take(&self) -> Taken {
        let limit = u64::from(self.limit.load(Ordering::Relaxed));
        // One more than may be is asked for at most by each message that is there, so the count does not run over.
        let number = self.taken.fetch_add(1, Ordering::Relaxed) + 1;
        match number.cmp(&limit) {
            Less => Taken::One,
            Equal => Taken::Last,
            Greater if limit == 0 => Taken::One,
            Greater => Taken::TooMany,
        }
    }

    /// Says that messages of other workers are being handled, until what is returned is dropped.
    pub(crate) fn share(self: &Arc<Self>) -> Share {
        self.under_way.fetch_add(1, Ordering::Relaxed);
        Share(Arc::clone(self))
    }

    /// Returns how many messages have come so far.
    pub(crate) fn taken(&self) -> u64 {
        self.taken.load(Ordering::Relaxed)
    }

    /// Returns whether a handler is at work for another worker.
    pub(crate) fn is_under_way(&self) -> bool {
        self.under_way.load(Ordering::SeqCst) > 0
    }

    /// Waits until all that was begun for other workers is done, streams of replies to their ends.
    pub(crate) async fn until_at_rest(&self) {
        loop {
            let mut at_rest = pin!(self.at_rest.notified());
            // From here on an end is told, so that none is missed between the look and the wait.
            at_rest.as_mut().enable();
            if !self.is_under_way() {
                return;
            }
            at_rest.await;
        }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        if self.0.under_way.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.0.at_rest.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::task::{Context, Waker};

    use super::*;

    #[test]
    fn the_last_message_of_a_life_is_told_and_none_comes_after_it() {
        let load = Arc::new(Workload::default());
        load.limit(2);
        assert_eq!([load.take(), load.take(), load.take()], [Taken::One, Taken::Last, Taken::TooMany]);
        assert_eq!(load.taken(), 3);
        let shares = [load.share(), load.share()];
        assert!(load.is_under_way());
        drop(shares);
        assert!(!load.is_under_way());
    }

    #[test]
    fn who_waits_for_rest_is_told_when_the_last_is_done() {
        let load = Arc::new(Workload::default());
        let shares = (load.share(), load.share());
        let mut waits = pin!(load.until_at_rest());
        let mut task = Context::from_waker(Waker::noop());
        assert!(waits.as_mut().poll(&mut task).is_pending());
        drop(shares.0);
        assert!(waits.as_mut().poll(&mut task).is_pending());
        drop(shares.1);
        assert!(waits.as_mut().poll(&mut task).is_ready());
    }

    #[test]
    fn without_a_limit_there_is_no_last_one() {
        let load = Arc::new(Workload::default());
        for _ in 0..1000 {
            assert_eq!(load.take(), Taken::One);
        }
    }
}
