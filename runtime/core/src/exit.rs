//! How a process ended, and why: facts that a driver reports and a person reads.

use core::fmt;

use crate::tree::ChildId;

/// How a process ended, as the kernel told it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Exit {
    /// It exited with this code.
    Code(u8),
    /// This signal ended it.
    Signal(u8),
    /// The kernel ended it for its memory: by SIGKILL, and its count of such kills has risen.
    OutOfMemory,
}

impl Exit {
    /// Returns it as one number, as shells do: the exit code, or 128 and the signal's number.
    pub const fn shell_code(self) -> u8 {
        match self {
            Self::Code(code) => code,
            Self::Signal(signal) => 128 | signal,
            Self::OutOfMemory => 128 | SIGKILL,
        }
    }

    /// Returns it with what the kernel's count of kills for want of memory says of it: it had counted `seen` of them when
    /// the process was known to live on, and `kills` at its end. What was counted before was a descendant.
    ///
    /// ```
    /// use bailiwick_core::exit::Exit;
    ///
    /// assert_eq!(Exit::Signal(9).having_counted(Some(3), 2), Exit::OutOfMemory);
    /// assert_eq!(Exit::Signal(9).having_counted(Some(2), 2), Exit::Signal(9), "from outside");
    /// assert_eq!(Exit::Signal(9).having_counted(None, 0), Exit::Signal(9), "nobody counts");
    /// assert_eq!(Exit::Signal(6).having_counted(Some(3), 2), Exit::Signal(6));
    /// ```
    #[must_use]
    pub fn having_counted(self, kills: Option<u64>, seen: u64) -> Self {
        let has_risen = kills.is_some_and(|kills| kills > seen);
        if self == Self::Signal(SIGKILL) && has_risen { Self::OutOfMemory } else { self }
    }
}

/// The signal that asks a process to end.
pub const SIGTERM: u8 = 15;
/// The signal that the kernel sends for a system call that is not allowed.
pub const SIGSYS: u8 = 31;
/// The signal that ends a process without asking.
pub const SIGKILL: u8 = 9;

/// A set of exit codes.
///
/// ```
/// use bailiwick_core::exit::ExitCodes;
///
/// let codes = ExitCodes::new(&[64, 78, 100]);
/// assert!(codes.contains(78) && !codes.contains(1));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct ExitCodes([u64; 4]);

impl ExitCodes {
    /// Makes the set of these codes.
    pub const fn new(codes: &[u8]) -> Self {
        let mut words = [0; 4];
        let mut rest = codes;
        while let [code, others @ ..] = rest {
            words[(*code >> 6) as usize] |= 1 << (*code & 63);
            rest = others;
        }
        Self(words)
    }

    /// Returns whether `code` is in the set.
    pub const fn contains(&self, code: u8) -> bool {
        self.0[(code >> 6) as usize] & (1 << (code & 63)) != 0
    }
}

/// Why a life ended; the first that applies, from what is certain to what is only observed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cause {
    /// The process could not be made: the driver's number of the step, and the error of the kernel.
    SpawnFailed {
        /// The step that failed; the driver knows its name.
        step: u8,
        /// The error number.
        errno: i32,
    },
    /// It broke the rules and was killed for it.
    Violation,
    /// It was not ready in time.
    StartTimeout,
    /// It was told to stop, did not in time, and was killed.
    StopTimeout,
    /// One of its polls did not end in time.
    Hung,
    /// A signal stopped it, and it was not continued in time.
    Suspended,
    /// It was killed on purpose, without time to stop.
    Killed,
    /// It was told to stop and did.
    Stopped,
    /// The kernel ended it for its memory.
    OutOfMemory,
    /// It made a system call that it may not make.
    ForbiddenSyscall,
    /// It exited by itself.
    Exited(u8),
    /// A signal that was not ours ended it.
    Signalled(u8),
}

/// Why a child is given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum GivenUp {
    /// Its exit code says that a restart is no use.
    ExitCode(u8),
    /// The restart budget of its group is spent.
    BudgetSpent,
    /// A child that it needs was given up.
    Dependency(ChildId),
    /// It is essential and its first start failed.
    FirstStart,
    /// Its terms say that an end for this cause is not answered by a restart.
    Policy,
    /// It has broken the rules too often.
    Offences,
    /// It is a oneshot that is not restarted, and it did not succeed.
    Unfinished,
}

impl Cause {
    /// Returns the cause as the number by which other processes are told of it: the kind in the upper half, its detail
    /// in the lower. That a life was killed on purpose is told as a stop.
    pub const fn code(self) -> u32 {
        let (kind, detail) = match self {
            Self::Exited(code) => (1, code as u32),
            Self::Signalled(signal) => (2, signal as u32),
            Self::Killed | Self::Stopped => (3, 0),
            Self::StartTimeout => (4, 0),
            Self::StopTimeout => (5, 0),
            Self::OutOfMemory => (6, 0),
            Self::Violation => (7, 0),
            Self::ForbiddenSyscall => (9, 0),
            // No error of the kernel has a larger number, or one below zero.
            Self::SpawnFailed { errno, .. } => (10, if errno >> 16 == 0 { errno as u32 } else { 0 }),
            Self::Hung => (12, 0),
            Self::Suspended => (13, 0),
        };
        kind << 16 | detail
    }

    /// Returns whether the child itself failed, even if it was told to end.
    pub(crate) const fn is_failure(self) -> bool {
        match self {
            Self::Violation
            | Self::ForbiddenSyscall
            | Self::Hung
            | Self::Suspended
            | Self::OutOfMemory
            | Self::Exited(_)
            | Self::Signalled(_) => true,
            Self::SpawnFailed { .. }
            | Self::StartTimeout
            | Self::StopTimeout
            | Self::Killed
            | Self::Stopped => false,
        }
    }

    /// Returns whether the child did what it may not do.
    pub(crate) const fn is_offence(self) -> bool {
        match self {
            Self::Violation | Self::ForbiddenSyscall => true,
            Self::SpawnFailed { .. }
            | Self::StartTimeout
            | Self::StopTimeout
            | Self::Hung
            | Self::Suspended
            | Self::Killed
            | Self::Stopped
            | Self::OutOfMemory
            | Self::Exited(_)
            | Self::Signalled(_) => false,
        }
    }
}

impl GivenUp {
    /// Returns the reason as the number by which other processes are told of it.
    pub const fn code(self) -> u8 {
        match self {
            Self::ExitCode(_) => 0,
            Self::BudgetSpent => 1,
            Self::Dependency(_) => 2,
            Self::FirstStart => 3,
            Self::Policy => 4,
            Self::Offences => 5,
            Self::Unfinished => 6,
        }
    }

    /// Returns whether a new start of its group may mend it; otherwise it takes an operator.
    pub(crate) const fn may_mend(self) -> bool {
        match self {
            Self::BudgetSpent | Self::Dependency(_) | Self::FirstStart => true,
            Self::ExitCode(_) | Self::Policy | Self::Offences | Self::Unfinished => false,
        }
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "code {code}"),
            Self::Signal(signal) => write!(f, "signal {signal}"),
            Self::OutOfMemory => f.write_str("out of memory"),
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SpawnFailed { step, errno } => write!(f, "spawn failed at step {step} errno {errno}"),
            Self::Violation => f.write_str("violation"),
            Self::StartTimeout => f.write_str("start timeout"),
            Self::StopTimeout => f.write_str("stop timeout"),
            Self::Hung => f.write_str("hung"),
            Self::OutOfMemory => f.write_str("out of memory"),
            Self::ForbiddenSyscall => f.write_str("forbidden system call"),
            Self::Suspended => f.write_str("stopped by a signal"),
            Self::Killed => f.write_str("killed"),
            Self::Stopped => f.write_str("stopped"),
            Self::Exited(code) => write!(f, "exit code {code}"),
            // These two do not come from what the process itself did wrong.
            Self::Signalled(signal @ (SIGKILL | SIGTERM)) => write!(f, "signal {signal} from outside"),
            Self::Signalled(signal) => write!(f, "signal {signal}"),
        }
    }
}

impl fmt::Display for GivenUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ExitCode(code) => write!(f, "exit code {code} forbids a restart"),
            Self::BudgetSpent => f.write_str("restart budget spent"),
            Self::Dependency(child) => write!(f, "dependency {child} given up"),
            Self::FirstStart => f.write_str("first start failed"),
            Self::Policy => f.write_str("its terms forbid a restart for this cause"),
            Self::Offences => f.write_str("too many offences"),
            Self::Unfinished => f.write_str("oneshot did not succeed"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_of_exit_codes_holds_exactly_its_codes() {
        let codes = ExitCodes::new(&[0, 63, 64, 255]);
        for code in 0..=255 {
            assert_eq!(codes.contains(code), [0, 63, 64, 255].contains(&code), "code {code}");
        }
    }
}
