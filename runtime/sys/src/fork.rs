//! Forking by clone3, and where a filter refuses that by the call before it: engines of containers have such filters, since
//! none can look at the flags of clone3, and answer as a kernel would that does not know it.

use std::os::fd::{AsRawFd, BorrowedFd, RawFd};

use crate::error::{Errno, Failed, check};

/// Forks the calling process, of which the child is a copy but for its signal handlers: those have their default meaning.
/// Returns the child's number, and 0 in the child; with CLONE_PIDFD among the flags `pidfd` becomes its descriptor.
///
/// # Errors
/// What the kernel refuses. ENOSYS where clone3 is refused and a `cgroup` is asked for, which no other call knows.
pub(crate) fn fork(
    flags: u64,
    exit_signal: libc::c_int,
    pidfd: &mut RawFd,
    cgroup: Option<BorrowedFd<'_>>,
) -> Result<i32, Failed> {
    match clone3(flags, exit_signal, pidfd, cgroup) {
        Err(failed) if cgroup.is_none() && is_refused(failed.errno) => clone(flags, exit_signal, pidfd),
        made => made,
    }
}

/// Returns whether clone3 is there, and nobody refuses it to this process.
pub(crate) fn knows_clone3() -> bool {
    // SAFETY: with a size of zero nothing is read, and the kernel refuses it with EINVAL before it makes anything.
    let made = unsafe { libc::syscall(libc::SYS_clone3, std::ptr::null::<libc::clone_args>(), 0_usize) };
    !matches!(check("clone3", made), Err(failed) if is_refused(failed.errno))
}

/// Tells whether that may be a filter's answer to clone3; older ones of engines say EPERM. What is really not permitted clone
/// refuses as well.
fn is_refused(errno: Errno) -> bool {
    matches!(errno, Errno::ENOSYS | Errno::EPERM)
}

fn clone3(
    flags: u64,
    exit_signal: libc::c_int,
    pidfd: &mut RawFd,
    cgroup: Option<BorrowedFd<'_>>,
) -> Result<i32, Failed> {
    // SAFETY: clone_args consists of integers, for which all-zero bytes are a value.
    let mut args: libc::clone_args = unsafe { std::mem::zeroed() };
    args.flags = flags | CLONE_CLEAR_SIGHAND;
    args.pidfd = (&raw mut *pidfd) as u64;
    args.exit_signal = exit_signal as u64;
    if let Some(cgroup) = cgroup {
        args.flags |= CLONE_INTO_CGROUP;
        args.cgroup = cgroup.as_raw_fd().unsigned_abs().into();
    }
    // SAFETY: without CLONE_VM the child runs on a copy of this memory, so nothing is shared that could be torn;
    // callers made sure that no other thread held a lock. `pidfd` outlives the call.
    let pid = unsafe { libc::syscall(libc::SYS_clone3, &raw const args, size_of::<libc::clone_args>()) };
    check("clone3", pid).map(|pid| pid as i32)
}

/// Does the same by clone, which takes no control group and leaves handlers as they are.
fn clone(flags: u64, exit_signal: libc::c_int, pidfd: &mut RawFd) -> Result<i32, Failed> {
    let flags = flags | u64::from(exit_signal.unsigned_abs());
    // The parent's stack, copied; the descriptor's place; nothing of threads.
    // SAFETY: as for clone3. `pidfd` outlives the call.
    let pid = unsafe { libc::syscall(libc::SYS_clone, flags, 0_usize, &raw mut *pidfd, 0_usize, 0_usize) };
    let pid = check("clone", pid)? as i32;
    if pid > 0 && flags & libc::CLONE_PIDFD as u64 != 0 && *pidfd < 0 {
        // The call ignores flags that the kernel does not know, those before 5.2 this one.
        // SAFETY: takes numbers; nobody has waited for the child, so the number is still its own.
        unsafe { libc::kill(pid, libc::SIGKILL) };
        // SAFETY: takes numbers and writes nothing.
        unsafe { libc::waitpid(pid, std::ptr::null_mut(), 0) };
        return Err(Failed { call: "clone", errno: Errno::ENOSYS });
    }
    if pid == 0 {
        (1..=LAST_SIGNAL).filter(|signal| is_handled(*signal)).for_each(|signal| {
            // SAFETY: takes a number and a constant; the default meaning runs no code of ours.
            unsafe { libc::signal(signal, libc::SIG_DFL) };
        });
    }
    Ok(pid)
}

/// Returns whether a function is called for a signal.
fn is_handled(signal: libc::c_int) -> bool {
    // SAFETY: sigaction consists of integers and pointers, for which all-zero bytes are a value.
    let mut found: libc::sigaction = unsafe { std::mem::zeroed() };
    // SAFETY: without a new action the call only writes to `found`, which outlives it.
    let result = unsafe { libc::sigaction(signal, std::ptr::null(), &raw mut found) };
    result == 0 && ![libc::SIG_DFL, libc::SIG_IGN].contains(&found.sa_sigaction)
}

// The C bindings declare these as 32-bit numbers, which they do not fit.
const CLONE_CLEAR_SIGHAND: u64 = 0x1_0000_0000;
const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;
const LAST_SIGNAL: libc::c_int = 64;

#[cfg(test)]
mod tests {
    use std::os::fd::{AsFd, FromRawFd, OwnedFd};

    use super::*;
    use crate::child::exit;
    use crate::wait::{self, Change};

    /// Returns how a child ends that exits with 10, and one more if a handler of its parent was left to it.
    fn end_of(fork: impl Fn(&mut RawFd) -> Result<i32, Failed>) -> Option<Change> {
        // The test runner's own, for overflows of stacks.
        assert!(is_handled(libc::SIGSEGV));
        let mut pidfd = -1;
        if fork(&mut pidfd).expect("there is room for a process") == 0 {
            exit(10 + libc::c_int::from(is_handled(libc::SIGSEGV)));
        }
        // SAFETY: the kernel has just made this descriptor for us and nobody else knows it.
        let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
        wait::wait_for_end(pidfd.as_fd()).ok()
    }

    #[test]
    fn clone3_is_there() {
        assert!(knows_clone3());
        assert!(is_refused(Errno::ENOSYS) && !is_refused(Errno::EINVAL));
    }

    #[test]
    fn either_call_makes_a_child_without_handlers_that_can_be_waited_for() {
        let flags = libc::CLONE_PIDFD as u64;
        for end in [
            end_of(|pidfd| clone3(flags, libc::SIGCHLD, pidfd, None)),
            end_of(|pidfd| clone(flags, libc::SIGCHLD, pidfd)),
        ] {
            assert!(matches!(end, Some(Change::Exited { code: 10, .. })), "{end:?}");
        }
    }
}
