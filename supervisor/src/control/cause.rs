//! Why a life ended, as the control socket and a worker's peers are told.

use std::fmt;

/// Why an incarnation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Cause {
    /// It exited by itself with this code.
    Exit(u8),
    /// A signal that the supervisor did not send killed it.
    Signal(u8),
    /// It was told to stop, and did.
    Stopped,
    /// It was not ready in time.
    StartTimeout,
    /// It did not stop in time and was killed.
    StopTimeout,
    /// The kernel killed it for its memory.
    OutOfMemory,
    /// It broke the protocol of its descriptor 3 and was killed.
    Protocol,
    /// A more privileged peer accused it and it was killed.
    Accused,
    /// It made a system call that it may not make.
    ForbiddenSyscall,
    /// It could not be started; the kernel's error number.
    SpawnFailed(u16),
    /// A worker that it needs was given up.
    Dependency,
    /// One of its polls did not end in time.
    Hung,
    /// A signal stopped it, and it was not continued in time.
    Suspended,
}

impl Cause {
    /// Returns the cause as a number: the kind in the upper half, its detail in the lower.
    pub fn code(self) -> u32 {
        let (kind, detail): (u32, u16) = match self {
            Self::Exit(code) => (1, code.into()),
            Self::Signal(signal) => (2, signal.into()),
            Self::Stopped => (3, 0),
            Self::StartTimeout => (4, 0),
            Self::StopTimeout => (5, 0),
            Self::OutOfMemory => (6, 0),
            Self::Protocol => (7, 0),
            Self::Accused => (8, 0),
            Self::ForbiddenSyscall => (9, 0),
            Self::SpawnFailed(errno) => (10, errno),
            Self::Dependency => (11, 0),
            Self::Hung => (12, 0),
            Self::Suspended => (13, 0),
        };
        kind << 16 | u32::from(detail)
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exit(code) => write!(f, "exit code {code}"),
            Self::Signal(9) => f.write_str("SIGKILL from outside"),
            Self::Signal(signal) => match nix::sys::signal::Signal::try_from(i32::from(*signal)) {
                Ok(named) => f.write_str(named.as_str()),
                Err(_) => write!(f, "signal {signal}"),
            },
            Self::Stopped => f.write_str("stopped"),
            Self::StartTimeout => f.write_str("not ready within start_timeout"),
            Self::StopTimeout => f.write_str("killed after stop_timeout"),
            Self::OutOfMemory => f.write_str("out of memory"),
            Self::Protocol => f.write_str("killed for breaking the control protocol"),
            Self::Accused => f.write_str("killed on a privileged peer's accusation"),
            Self::ForbiddenSyscall => f.write_str("forbidden system call"),
            Self::SpawnFailed(errno) => {
                let error = nix::errno::Errno::from_raw((*errno).into());
                write!(f, "could not be started: {}", error.desc())
            }
            Self::Dependency => f.write_str("a worker that it needs was given up"),
            Self::Hung => f.write_str("hung, killed after liveness_timeout"),
            Self::Suspended => f.write_str("stopped by a signal, killed after liveness_timeout"),
        }
    }
}
