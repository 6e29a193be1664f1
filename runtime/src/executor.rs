//! One thread that runs actors: a current-thread runtime, and a way for other threads to start something on it.

use std::cell::Cell;
use std::io;
use std::thread::{self, ThreadId};

use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::LocalSet;

/// What the current thread does for actors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// Nothing.
    Outside,
    /// It runs any number of actors.
    Shared,
    /// It runs one actor that may block, and its children.
    Own,
}

thread_local! {
    static ROLE: Cell<Role> = const { Cell::new(Role::Outside) };
}

/// Returns what the current thread does for actors.
pub(crate) fn role() -> Role {
    ROLE.get()
}

/// The runtime of the current thread.
pub(crate) struct Executor {
    runtime: Runtime,
    local: LocalSet,
    jobs: UnboundedReceiver<Job>,
    handle: ExecutorHandle,
    role: Role,
}

type Job = Box<dyn FnOnce() + Send>;

/// Starts things on an executor, from any thread.
#[derive(Clone)]
pub(crate) struct ExecutorHandle {
    jobs: UnboundedSender<Job>,
    thread: ThreadId,
}

impl Executor {
    /// Makes the executor of the calling thread.
    pub(crate) fn new(role: Role) -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let (sender, jobs) = unbounded_channel();
        let handle = ExecutorHandle { jobs: sender, thread: thread::current().id() };
        Ok(Self { runtime, local: LocalSet::new(), jobs, handle, role })
    }

    pub(crate) fn handle(&self) -> ExecutorHandle {
        self.handle.clone()
    }

    /// Runs `main` and everything that is started here, until `main` ends.
    pub(crate) fn block_on<F: Future>(self, main: F) -> F::Output {
        crate::panics::note_locations();
        let Self { runtime, local, mut jobs, handle, role } = self;
        let _role = InRole(ROLE.replace(role));
        // The loop below ends when nobody else can send jobs; `main` decides how long that is.
        drop(handle);
        let output = local.block_on(&runtime, async move {
            tokio::task::spawn_local(async move {
                while let Some(job) = jobs.recv().await {
                    job();
                }
            });
            main.await
        });
        // What still runs is dropped here, on its own thread and in its runtime.
        let _entered = runtime.enter();
        drop(local);
        output
    }
}

impl ExecutorHandle {
    /// Calls `job` on the executor's thread, soon. Returns `false` if the executor has ended.
    pub(crate) fn submit(&self, job: impl FnOnce() + Send + 'static) -> bool {
        self.jobs.send(Box::new(job)).is_ok()
    }

    pub(crate) fn thread(&self) -> ThreadId {
        self.thread
    }
}

/// Gives the thread its former role back.
struct InRole(Role);

impl Drop for InRole {
    fn drop(&mut self) {
        ROLE.set(self.0);
    }
}
