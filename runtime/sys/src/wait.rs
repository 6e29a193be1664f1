//! How children end, and signals to them, by pidfd: never by a number that may have become someone else's.

use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::time::Duration;

use crate::error::{Errno, Failed, check};
use crate::events::Signal;

/// What happened to a child.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It called exit.
    Exited {
        /// The exit code.
        code: u8,
        /// What it used in its life.
        usage: Usage,
    },
    /// A signal ended it.
    Killed {
        /// The signal's number.
        signal: i32,
        /// Whether a core was written.
        core: bool,
        /// What it used in its life.
        usage: Usage,
    },
    /// A signal stopped it; it still exists.
    Stopped {
        /// The signal's number.
        signal: i32,
    },
    /// It runs again.
    Continued,
}

/// What a process used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Time on a processor in its own code.
    pub user: Duration,
    /// Time on a processor in the kernel.
    pub system: Duration,
    /// The most memory it had resident, in bytes.
    pub peak_memory_bytes: u64,
}

/// Takes the next change of the child behind `pidfd` without waiting; `None` when there is none.
///
/// An end is reported once, and by that the child is gone from the process table. A pidfd becomes readable for
/// an end alone: ask after SIGCHLD to learn of a stop.
///
/// # Errors
/// ECHILD when the process is no child, or its end was taken already.
pub fn take_change(pidfd: BorrowedFd<'_>) -> Result<Option<Change>, Failed> {
    let states = libc::WEXITED | libc::WSTOPPED | libc::WCONTINUED | libc::WNOHANG;
    Ok(waitid(libc::P_PIDFD, pidfd.as_raw_fd().cast_unsigned(), states)?.map(|(_, change)| change))
}

/// Takes the next stop or continuation of any child without waiting, and which one it was; `None` when there is none.
///
/// To be asked after SIGCHLD until there is none: one signal may stand for several. Ends are left to others, so the
/// number is that of a child that was not waited for.
///
/// # Errors
/// The kernel's reason, other than that there is no child.
pub fn take_stop() -> Result<Option<(i32, Change)>, Failed> {
    match waitid(libc::P_ALL, 0, libc::WSTOPPED | libc::WCONTINUED | libc::WNOHANG) {
        Err(Failed { errno: Errno::ECHILD, .. }) => Ok(None),
        other => other,
    }
}

/// Waits until the child behind `pidfd` has ended, and takes its end.
///
/// # Errors
/// ECHILD when the process is no child, or its end was taken already.
pub fn wait_for_end(pidfd: BorrowedFd<'_>) -> Result<Change, Failed> {
    loop {
        match waitid(libc::P_PIDFD, pidfd.as_raw_fd().cast_unsigned(), libc::WEXITED) {
            Ok(Some((_, change))) => return Ok(change),
            Ok(None) | Err(Failed { errno: Errno::EINTR, .. }) => {}
            Err(failed) => return Err(failed),
        }
    }
}

/// Takes the ends of adopted children (see [`crate::process::adopt_orphans`]) and returns how many there were.
///
/// `is_known` says for a process id whether its end is somebody else's to take: such a child is left alone, and
/// so is what comes behind it in the kernel's list, until the next SIGCHLD.
///
/// # Errors
/// The kernel's reason, other than that there is no child.
pub fn reap_orphans(is_known: impl Fn(i32) -> bool) -> Result<usize, Failed> {
    let mut count = 0;
    while let Some((pid, _)) = any_child(libc::P_ALL, 0, libc::WNOWAIT)? {
        if is_known(pid) {
            break;
        }
        any_child(libc::P_PID, pid.cast_unsigned(), 0)?;
        count += 1;
    }
    Ok(count)
}

fn any_child(kind: libc::idtype_t, id: u32, more: libc::c_int) -> Result<Option<(i32, Change)>, Failed> {
    match waitid(kind, id, libc::WEXITED | libc::WNOHANG | more) {
        Err(Failed { errno: Errno::ECHILD, .. }) => Ok(None),
        other => other,
    }
}

/// Sends `signal` to the process behind `pidfd`.
///
/// # Errors
/// ESRCH when it has ended; EPERM when it is not ours to signal.
pub fn send_signal(pidfd: BorrowedFd<'_>, signal: Signal) -> Result<(), Failed> {
    let none = std::ptr::null::<libc::siginfo_t>();
    // SAFETY: without a siginfo the call takes numbers and touches no memory of ours.
    let result = unsafe {
        libc::syscall(libc::SYS_pidfd_send_signal, pidfd.as_raw_fd(), signal as libc::c_int, none, 0_u32)
    };
    check("pidfd_send_signal", result).map(drop)
}

fn waitid(kind: libc::idtype_t, id: u32, flags: libc::c_int) -> Result<Option<(i32, Change)>, Failed> {
    // The kernel leaves both untouched when nothing has changed, hence zeroed and not uninitialised.
    let mut info = MaybeUninit::<libc::siginfo_t>::zeroed();
    let mut usage = MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: both pointers are valid for the writes of their types and outlive the call. The C library's
    // function has no place for the resource usage.
    let result =
        unsafe { libc::syscall(libc::SYS_waitid, kind, id, info.as_mut_ptr(), flags, usage.as_mut_ptr()) };
    check("waitid", result)?;
    // SAFETY: all-zero bytes are a siginfo_t, and the kernel wrote nothing else than one.
    let info = unsafe { info.assume_init() };
    // SAFETY: all-zero bytes are an rusage, and the kernel wrote nothing else than one.
    let usage = unsafe { usage.assume_init() };
    // SAFETY: waitid fills the child's part of the union; zeroed it reads as no child.
    let pid = unsafe { info.si_pid() };
    if pid == 0 {
        return Ok(None);
    }
    // SAFETY: as above.
    let status = unsafe { info.si_status() };
    let usage = Usage {
        user: duration(usage.ru_utime),
        system: duration(usage.ru_stime),
        peak_memory_bytes: usage.ru_maxrss.unsigned_abs() * 1024,
    };
    let change = match info.si_code {
        libc::CLD_EXITED => Change::Exited { code: (status & 0xff) as u8, usage },
        libc::CLD_STOPPED | libc::CLD_TRAPPED => Change::Stopped { signal: status },
        libc::CLD_CONTINUED => Change::Continued,
        code => Change::Killed { signal: status, core: code == libc::CLD_DUMPED, usage },
    };
    Ok(Some((pid, change)))
}

fn duration(time: libc::timeval) -> Duration {
    Duration::from_secs(time.tv_sec.unsigned_abs()) + Duration::from_micros(time.tv_usec.unsigned_abs())
}
