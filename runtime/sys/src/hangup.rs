//! For tests: the end of a socket or pipe whose other end was closed.

use std::os::fd::BorrowedFd;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

/// Waits until no other end is open. What one test closes another may have forked meanwhile, with a copy that is open until
/// it becomes another program or ends.
pub(crate) fn wait_for_hangup(fd: BorrowedFd<'_>) {
    let mut watched = [PollFd::new(fd, PollFlags::empty())];
    let ready = poll(&mut watched, PollTimeout::from(60_000_u16)).expect("it can be watched");
    assert_eq!(ready, 1, "the other end is closed within a minute");
}
