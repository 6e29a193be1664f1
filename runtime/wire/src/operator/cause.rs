//! Why a life ended, as the control socket and a worker's peers are told.

use std::fmt;
use std::io;

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
    /// Returns what kind of cause it is in one word, as metrics have it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Exit(_) => "exit",
            Self::Signal(_) => "signal",
            Self::Stopped => "stopped",
            Self::StartTimeout => "start_timeout",
            Self::StopTimeout => "stop_timeout",
            Self::OutOfMemory => "oom",
            Self::Protocol => "violation",
            Self::Accused => "accused",
            Self::ForbiddenSyscall => "forbidden_syscall",
            Self::SpawnFailed(_) => "spawn_failed",
            Self::Dependency => "dependency",
            Self::Hung => "hang",
            Self::Suspended => "sigstop",
        }
    }

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

    /// Returns the cause that has this number.
    pub fn from_code(code: u32) -> Option<Self> {
        let detail = (code & 0xffff) as u16;
        let byte = u8::try_from(detail).ok();
        let plain = |cause| (detail == 0).then_some(cause);
        match code >> 16 {
            1 => byte.map(Self::Exit),
            2 => byte.map(Self::Signal),
            3 => plain(Self::Stopped),
            4 => plain(Self::StartTimeout),
            5 => plain(Self::StopTimeout),
            6 => plain(Self::OutOfMemory),
            7 => plain(Self::Protocol),
            8 => plain(Self::Accused),
            9 => plain(Self::ForbiddenSyscall),
            10 => Some(Self::SpawnFailed(detail)),
            11 => plain(Self::Dependency),
            12 => plain(Self::Hung),
            13 => plain(Self::Suspended),
            _ => None,
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exit(code) => match exit_code_meaning(*code) {
                Some(meaning) => write!(f, "exit code {code} ({meaning})"),
                None => write!(f, "exit code {code}"),
            },
            // These two do not come from what the process itself did wrong.
            Self::Signal(9) => f.write_str("SIGKILL from outside"),
            Self::Signal(15) => f.write_str("SIGTERM from outside"),
            Self::Signal(signal) => match signal_name(*signal) {
                Some(name) => f.write_str(name),
                None => write!(f, "signal {signal}"),
            },
            Self::Stopped => f.write_str("stopped"),
            Self::StartTimeout => f.write_str("not ready within start_timeout"),
            Self::StopTimeout => f.write_str("killed after stop_timeout"),
            Self::OutOfMemory => f.write_str("out of memory"),
            Self::Protocol => f.write_str("killed for breaking the control protocol"),
            Self::Accused => f.write_str("killed on a privileged peer's accusation"),
            Self::ForbiddenSyscall => f.write_str("forbidden system call"),
            Self::SpawnFailed(errno) => {
                let error = io::Error::from_raw_os_error((*errno).into()).to_string();
                let reason = error.split(" (os error").next().unwrap_or_default();
                write!(f, "could not be started: {reason}")
            }
            Self::Dependency => f.write_str("a worker that it needs was given up"),
            Self::Hung => f.write_str("hung, killed after liveness_timeout"),
            Self::Suspended => f.write_str("stopped by a signal, killed after liveness_timeout"),
        }
    }
}

/// Returns what an exit code means where it means something: to the runtime, to Rust, or by custom.
pub fn exit_code_meaning(code: u8) -> Option<&'static str> {
    match code {
        64 => Some("usage"),
        69 => Some("something that it needs is missing"),
        75 | 111 => Some("a temporary failure"),
        78 => Some("configuration"),
        81 => Some("an actor gave up"),
        100 => Some("a permanent failure"),
        101 => Some("a panic"),
        _ => None,
    }
}

/// Returns the name of a signal, as the kernel's headers have it for x86-64, ARM and RISC-V.
pub fn signal_name(number: u8) -> Option<&'static str> {
    SIGNALS.get(usize::from(number).checked_sub(1)?).copied()
}

/// Returns the signal that is meant by `KILL`, `SIGKILL` or `9`, in upper or lower case.
pub fn signal_number(text: &str) -> Option<u8> {
    if let Ok(number) = text.parse() {
        return signal_name(number).map(|_| number);
    }
    let upper = text.to_ascii_uppercase();
    let known = |name: &&str| **name == *upper || name.strip_prefix("SIG") == Some(&upper);
    SIGNALS.iter().position(known).and_then(|at| u8::try_from(at + 1).ok())
}

const SIGNALS: [&str; 31] = [
    "SIGHUP",
    "SIGINT",
    "SIGQUIT",
    "SIGILL",
    "SIGTRAP",
    "SIGABRT",
    "SIGBUS",
    "SIGFPE",
    "SIGKILL",
    "SIGUSR1",
    "SIGSEGV",
    "SIGUSR2",
    "SIGPIPE",
    "SIGALRM",
    "SIGTERM",
    "SIGSTKFLT",
    "SIGCHLD",
    "SIGCONT",
    "SIGSTOP",
    "SIGTSTP",
    "SIGTTIN",
    "SIGTTOU",
    "SIGURG",
    "SIGXCPU",
    "SIGXFSZ",
    "SIGVTALRM",
    "SIGPROF",
    "SIGWINCH",
    "SIGIO",
    "SIGPWR",
    "SIGSYS",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_is_known_by_each_of_its_names() {
        for text in ["USR1", "SIGUSR1", "sigusr1", "10"] {
            assert_eq!(signal_number(text), Some(10), "{text}");
        }
        for text in ["", "0", "32", "256", "SIG", "KILLL"] {
            assert_eq!(signal_number(text), None, "{text}");
        }
        assert_eq!((signal_name(31), signal_name(32), signal_name(0)), (Some("SIGSYS"), None, None));
    }

    #[test]
    fn a_cause_says_what_happened() {
        for (cause, text) in [
            (Cause::Exit(1), "exit code 1"),
            (Cause::Exit(101), "exit code 101 (a panic)"),
            (Cause::Signal(9), "SIGKILL from outside"),
            (Cause::Signal(15), "SIGTERM from outside"),
            (Cause::Signal(11), "SIGSEGV"),
            (Cause::Signal(40), "signal 40"),
            (Cause::SpawnFailed(2), "could not be started: No such file or directory"),
        ] {
            assert_eq!(cause.to_string(), text);
        }
    }
}
