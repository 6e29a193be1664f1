//! What a worker's runtime does to itself once it has started and before any code of the user runs.

use std::os::fd::BorrowedFd;

use crate::error::Failed;
use crate::seccomp::{Filter, stages};
use crate::{backtrace, identity, landlock, process, trapped_call};

/// The second stage of a sandbox, as the supervisor prepared it. The first was entered before exec.
#[derive(Clone, Copy, Debug, Default)]
pub struct StageB<'a> {
    /// Whether others of the user may still look into this process.
    pub dumpable: bool,
    /// The Landlock ruleset of a running worker: no exec and no loader any more.
    pub ruleset: Option<BorrowedFd<'a>>,
    /// The system calls of a running worker.
    pub filter: Option<&'a Filter>,
}

/// Why the second stage was not entered. The process must not go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfineError {
    /// Landlock confines the calling thread alone, so others would stay free.
    #[error("the process has more than one thread before its sandbox is complete")]
    Threads,
    /// The kernel refused.
    #[error(transparent)]
    Refused(#[from] Failed),
}

impl StageB<'_> {
    /// Enters the second stage for ever.
    ///
    /// To be called by the only thread: threads made afterwards inherit everything.
    ///
    /// # Errors
    /// See [`ConfineError`]; a part of the stage may have been entered.
    pub fn enter(&self) -> Result<(), ConfineError> {
        if !self.dumpable {
            identity::set_not_dumpable()?;
        }
        if self.ruleset.is_none() && self.filter.is_none() {
            return Ok(());
        }
        if !process::is_single_threaded() {
            return Err(ConfineError::Threads);
        }
        identity::set_no_new_privileges()?;
        if let Some(ruleset) = self.ruleset {
            landlock::restrict_self(ruleset)?;
        }
        if let Some(filter) = self.filter {
            // Before the filter, which forbids to handle the signal of what it denies, and perhaps every other one.
            trapped_call::handle()?;
            if !stages::lets_pass(filter, libc::SYS_rt_sigaction, [libc::SIGSEGV as u64, 0, 0, 8, 0, 0]) {
                backtrace::settle()?;
            }
            filter.install_on_all_threads()?;
        }
        Ok(())
    }
}
