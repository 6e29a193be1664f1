//! The descriptor that a worker is born with, taken into ownership once.

use std::os::fd::{FromRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicBool, Ordering};

use nix::fcntl::{FcntlArg, FdFlag, OFlag, fcntl};
use nix::sys::socket::{SockType, getsockopt, sockopt};
use nix::sys::stat::{SFlag, fstat};

use crate::error::{Errno, check};

/// Where a worker finds its end of the conversation with the supervisor.
pub const CONTROL: RawFd = 3;

/// Takes descriptor 3, makes it close-on-exec and non-blocking; `None` if it was taken before, or is not a
/// packet socket, as in a process that no supervisor started.
pub fn take_control() -> Option<OwnedFd> {
    /// Two owners of one number would close what is not theirs.
    static TAKEN: AtomicBool = AtomicBool::new(false);
    if TAKEN.swap(true, Ordering::SeqCst) || !is_open() {
        return None;
    }
    // SAFETY: the descriptor is open; the supervisor put it there for this function alone, and the swap above
    // lets one caller through.
    let control = unsafe { OwnedFd::from_raw_fd(CONTROL) };
    if !is_packet_socket(&control) || set_flags(&control).is_err() {
        // Whatever this is, it belongs to somebody else, who is to find it open.
        std::mem::forget(control);
        return None;
    }
    Some(control)
}

fn is_open() -> bool {
    // SAFETY: takes numbers only and touches no memory.
    let result = unsafe { libc::fcntl(CONTROL, libc::F_GETFD) };
    check("fcntl(F_GETFD)", result.into()).is_ok()
}

fn is_packet_socket(fd: &OwnedFd) -> bool {
    let is_socket =
        fstat(fd).is_ok_and(|found| found.st_mode & SFlag::S_IFMT.bits() == SFlag::S_IFSOCK.bits());
    is_socket && getsockopt(fd, sockopt::SockType) == Ok(SockType::SeqPacket)
}

fn set_flags(fd: &OwnedFd) -> Result<(), Errno> {
    fcntl(fd, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC))?;
    fcntl(fd, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).map(drop)
}
