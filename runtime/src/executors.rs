//! The threads that run the actors of a worker: the one that it began with, and as many more as it is to have.
//!
//! An actor is made, lives and dies on one of them, and its children beside it; so neither need be `Send`. Messages between
//! them cost a wake-up across threads where the receiver waits.

use std::io;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread;

use tokio::sync::{mpsc, oneshot};

use crate::executor::{Executor, Role};
use crate::progress;

/// Starts an actor on the thread that calls it.
type Job = Box<dyn FnOnce() + Send>;

/// The executors of one worker.
#[derive(Default)]
pub(crate) struct Executors {
    /// All but that of the thread on which they were made.
    others: Vec<Other>,
    /// How many actors were started so far.
    started: AtomicUsize,
}

/// An executor on a thread of its own.
struct Other {
    jobs: mpsc::UnboundedSender<Job>,
    /// Gone when nothing of it is left.
    end: oneshot::Receiver<()>,
}

impl Executors {
    /// Makes so many, of which the calling thread's is the first. Each leaves what it does on `slate`.
    ///
    /// # Errors
    /// There may be no further thread, or the system has no event queue for one.
    pub(crate) async fn start(threads: u8, slate: Option<&'static [AtomicU64]>) -> io::Result<Self> {
        let mut others = Vec::new();
        for number in 1..threads {
            others.push(Other::start(number, slate).await?);
        }
        Ok(Self { others, started: AtomicUsize::new(0) })
    }

    /// Has an actor started on the thread whose turn it is: each on the next one, so that the same actors come to the same
    /// threads in each life of a worker.
    pub(crate) fn run(&self, job: impl FnOnce() + Send + 'static) {
        let turn = self.started.fetch_add(1, Ordering::Relaxed) % (self.others.len() + 1);
        match turn.checked_sub(1).and_then(|other| self.others.get(other)) {
            // If it is gone, the actor ends with the job that is dropped.
            Some(other) => drop(other.jobs.send(Box::new(job))),
            None => job(),
        }
    }

    /// Drops what still runs on the other threads, each thing on its own, and waits until nothing of it is left.
    pub(crate) async fn end(self) {
        let ends: Vec<_> = self.others.into_iter().map(|Other { end, .. }| end).collect();
        for end in ends {
            // Nothing is ever sent.
            let _ = end.await;
        }
    }
}

impl Other {
    async fn start(number: u8, slate: Option<&'static [AtomicU64]>) -> io::Result<Self> {
        let (jobs, queue) = mpsc::unbounded_channel();
        let (begun, beginning) = oneshot::channel();
        let (alive, end) = oneshot::channel::<()>();
        let run = move || {
            let _alive = alive;
            slate.into_iter().for_each(|slate| progress::write_to(slate, number.into()));
            let executor = match Executor::new(Role::Shared) {
                Ok(executor) => executor,
                // Whoever waits for it to begin is there.
                Err(error) => return drop(begun.send(Err(error))),
            };
            let _ = begun.send(Ok(()));
            executor.run(work(queue));
        };
        thread::Builder::new().name(format!("executor-{number}")).spawn(run)?;
        beginning.await.map_err(io::Error::other)??;
        Ok(Self { jobs, end })
    }
}

/// Starts actors until no more can come.
async fn work(mut jobs: mpsc::UnboundedReceiver<Job>) {
    while let Some(job) = jobs.recv().await {
        job();
    }
}

#[cfg(test)]
mod tests;
