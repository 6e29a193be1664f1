//! Whether an end is answered by a restart, by its cause.

use crate::exit::Cause;

/// The answer to each kind of end that is a failure.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Reactions {
    /// It exited by itself.
    pub exit: Reaction,
    /// A signal ended it that was not ours.
    pub signal: Reaction,
    /// The kernel ended it for its memory.
    pub oom: Reaction,
    /// It did not get on, or a signal stopped it, for too long.
    pub hang: Reaction,
    /// It broke the rules. A restart is one as far as the budget for offences goes.
    pub violation: Reaction,
    /// It made a system call that it may not make. A restart is one as far as the budget for offences goes.
    pub forbidden_syscall: Reaction,
}

/// The answer to an end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Reaction {
    /// A restart, as far as the budgets go.
    #[default]
    Restart,
    /// It is given up.
    Stop,
}

impl Reactions {
    /// Returns the answer to an end for this cause. What the supervisor itself ended is answered by a restart.
    pub(crate) const fn reaction(&self, cause: Cause) -> Reaction {
        match cause {
            Cause::Exited(_) => self.exit,
            Cause::Signalled(_) => self.signal,
            Cause::OutOfMemory => self.oom,
            Cause::Hung | Cause::Suspended => self.hang,
            Cause::Violation => self.violation,
            Cause::ForbiddenSyscall => self.forbidden_syscall,
            Cause::SpawnFailed { .. }
            | Cause::StartTimeout
            | Cause::StopTimeout
            | Cause::Killed
            | Cause::Stopped => Reaction::Restart,
        }
    }
}
