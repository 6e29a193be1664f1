//! One thread that runs actors: a runtime of that thread alone, because actors need not be `Send`.

use std::cell::Cell;
use std::io;

use tokio::runtime::{Builder, LocalOptions, LocalRuntime};

use crate::progress;

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
    runtime: LocalRuntime,
    role: Role,
}

impl Executor {
    /// Makes the executor of the calling thread.
    pub(crate) fn new(role: Role) -> io::Result<Self> {
        let runtime = Builder::new_current_thread()
            .enable_all()
            .on_thread_park(progress::rest)
            .on_thread_unpark(progress::awake)
            .build_local(LocalOptions::default())?;
        Ok(Self { runtime, role })
    }

    /// Runs `main` as one of the tasks of this thread, until it ends. To wake what the runtime itself awaits, as
    /// [`Self::block_on`] does, takes one more look at what came from outside each time.
    pub(crate) fn run<F: Future<Output: 'static> + 'static>(self, main: F) -> F::Output {
        self.block_on(async {
            match tokio::task::spawn_local(main).await {
                Ok(output) => output,
                Err(error) => match error.try_into_panic() {
                    Ok(panic) => std::panic::resume_unwind(panic),
                    // The runtime shuts down, and with it whoever awaits this.
                    Err(_) => std::future::pending().await,
                },
            }
        })
    }

    /// Runs `main` and everything that is started here, until `main` ends.
    pub(crate) fn block_on<F: Future>(self, main: F) -> F::Output {
        crate::panics::note_locations();
        let Self { runtime, role } = self;
        let _role = InRole(ROLE.replace(role));
        let output = runtime.block_on(progress::of_executor(main));
        // What still runs is dropped here, on its own thread and in its runtime.
        drop(runtime);
        output
    }
}

/// Gives the thread its former role back.
struct InRole(Role);

impl Drop for InRole {
    fn drop(&mut self) {
        ROLE.set(self.0);
    }
}

#[cfg(test)]
mod tests;
