//! Work that would hold a loop up, done by a forked process that delivers one result by a pipe.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::panic::{AssertUnwindSafe, catch_unwind};

use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags, poll};
use nix::sys::signal::Signal;
use nix::unistd::{getpid, getppid};

use crate::error::failed;
use crate::guardian::{Forked, close_all_but, fork};
use crate::process::SpawnError;
use crate::{identity, wait};

/// A result of `N` bytes that a process of its own is computing. The process ends with this value, and with its parent.
#[derive(Debug)]
pub struct Errand<const N: usize> {
    process: Forked,
    result: OwnedFd,
}

impl<const N: usize> Errand<N> {
    /// Has `work` done on `input`, the one descriptor that the process keeps; `None` delivers nothing.
    ///
    /// The process yields the processor to everybody else.
    ///
    /// # Errors
    /// When there is no process, or the calling process has more than one thread.
    pub fn start(
        input: BorrowedFd<'_>,
        work: impl FnOnce(BorrowedFd<'_>) -> Option<[u8; N]>,
    ) -> Result<Self, SpawnError> {
        let flags = OFlag::O_CLOEXEC | OFlag::O_NONBLOCK;
        let (result, delivery) = nix::unistd::pipe2(flags).map_err(failed("pipe2"))?;
        let parent = getpid();
        let process = fork(|| {
            let tied = identity::die_with_parent();
            if tied.is_err() || getppid() != parent {
                return ABANDONED;
            }
            close_all_but([input, delivery.as_fd()]);
            yield_to_others();
            // A panic must not unwind into the code of the parent, of which this process is a copy.
            let found = catch_unwind(AssertUnwindSafe(|| work(input))).ok().flatten();
            let delivered = found.is_some_and(|found| nix::unistd::write(&delivery, &found) == Ok(N));
            if delivered { 0 } else { ABANDONED }
        })?;
        Ok(Self { process, result })
    }

    /// Ends the process without its result. Whoever drops this waits until it has ended, which may be late: better in a loop
    /// to let go of it once [`Errand::as_fd`] is readable.
    pub fn abandon(&self) {
        let _ended_already = wait::send_signal(self.process.pidfd.as_fd(), Signal::SIGKILL);
    }

    /// Reads the result; `None` if the process has ended without one, or is still at work.
    pub fn result(&self) -> Option<[u8; N]> {
        let mut found = [0; N];
        (nix::unistd::read(&self.result, &mut found) == Ok(N)).then_some(found)
    }
}

impl<const N: usize> AsFd for Errand<N> {
    /// Returns what becomes readable when the process has ended: the result is there by then, and who drops this does
    /// not wait for a process that gets its turn late.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.process.pidfd.as_fd()
    }
}

impl<const N: usize> Drop for Errand<N> {
    fn drop(&mut self) {
        self.abandon();
        // One that hangs in the kernel, on a disk that does not answer, is not worth a longer wait.
        let mut ended = [PollFd::new(self.process.pidfd.as_fd(), PollFlags::POLLIN)];
        let _late = poll(&mut ended, FAREWELL_MS);
        let _taken_already = wait::take_change(self.process.pidfd.as_fd());
    }
}

fn yield_to_others() {
    // SAFETY: takes numbers and touches no memory of ours.
    let _as_it_was = unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, NICE) };
}

/// How long a process that was killed may take to end, in milliseconds: it must get its turn once to do so.
const FAREWELL_MS: u16 = 5000;
/// Behind whoever works, and yet with a turn soon enough where all cores are busy: a nicer process that is killed
/// was seen to end seconds later.
const NICE: libc::c_int = 10;
/// The exit code when there is nobody to deliver to, or nothing.
const ABANDONED: libc::c_int = 1;
