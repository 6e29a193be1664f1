//! A pipe for what another process prints: only whoever reads it never waits.

use std::os::fd::OwnedFd;

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::unistd::{pipe2, read as read_from};

use crate::error::{Errno, Failed, failed};

/// Makes one, and returns the end to read from and the end to print to. Neither is inherited.
///
/// # Errors
/// EMFILE, ENFILE.
pub fn make() -> Result<(OwnedFd, OwnedFd), Failed> {
    let (ours, theirs) = pipe2(OFlag::O_CLOEXEC).map_err(failed("pipe2"))?;
    fcntl(&ours, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).map_err(failed("fcntl(F_SETFL)"))?;
    Ok((ours, theirs))
}

/// Reads what is there, as far as it fits, and returns how many bytes that were: none at present, or `None` if there
/// will never be any more.
pub fn read(pipe: &OwnedFd, bytes: &mut [u8]) -> Option<usize> {
    match read_from(pipe, bytes) {
        Ok(0) => None,
        Ok(length) => Some(length),
        Err(Errno::EAGAIN | Errno::EINTR) => Some(0),
        Err(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;

    use super::*;

    #[test]
    fn silence_is_told_apart_from_the_end() {
        let (ours, theirs) = make().unwrap();
        let mut bytes = [0; 8];
        assert_eq!(read(&ours, &mut bytes), Some(0));
        nix::unistd::write(&theirs, b"hello").unwrap();
        assert_eq!((read(&ours, &mut bytes), &bytes[..5]), (Some(5), &b"hello"[..]));
        drop(theirs);
        crate::hangup::wait_for_hangup(ours.as_fd());
        assert_eq!(read(&ours, &mut bytes), None);
    }
}
