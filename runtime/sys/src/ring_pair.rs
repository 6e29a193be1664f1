//! The two ends of a link that share memory: sockets, and the memory that was laid into both before anybody had them.
//!
//! Each end receives the memory as its first packet, with which of the two it is. Whoever holds the other end cannot have
//! written before that.

use std::io::IoSlice;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use crate::error::{Errno, Failed};
use crate::shared_words::{SharedWords, make};
use crate::socket::{Kind, Packet, pair, receive, send};

/// Which end it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The one.
    First,
    /// The other.
    Second,
}

/// Makes two connected packet sockets with memory of `shared_bytes` bytes in each, or without if there are none.
///
/// # Errors
/// When the descriptor table is full, the kernel is out of memory, or too many descriptors are on their way.
pub fn link(shared_bytes: usize) -> Result<(OwnedFd, OwnedFd), Failed> {
    let ends = pair(Kind::SeqPacket)?;
    if shared_bytes > 0 {
        let memory = make(shared_bytes)?;
        for (number, into) in [(1, &ends.0), (0, &ends.1)] {
            send(into.as_fd(), &[IoSlice::new(&[number])], &[memory.as_fd()])
                .map_err(|_| Failed { call: "sendmsg of shared memory", errno: Errno::ENOBUFS })?;
        }
    }
    Ok(ends)
}

/// Takes the memory of `bytes` bytes out of an end that [`link`] made.
///
/// # Errors
/// EINVAL if it is none, or something was taken out before; the kernel's reason otherwise.
pub fn take(socket: BorrowedFd<'_>, bytes: usize) -> Result<(SharedWords, End), Failed> {
    let wrong = Failed { call: "recvmsg of shared memory", errno: Errno::EINVAL };
    let mut number = [0];
    let packet = receive(socket, &mut number).map_err(|_| wrong)?.ok_or(wrong)?;
    let Packet { bytes: 1, fds, truncated: false, lost: None, .. } = packet else { return Err(wrong) };
    let [memory] = fds.as_slice() else { return Err(wrong) };
    let end = match number {
        [0] => End::First,
        [1] => End::Second,
        [_] => return Err(wrong),
    };
    Ok((SharedWords::map(memory.as_fd(), bytes)?, end))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;

    use super::*;
    use crate::socket::{ReceiveError, refuse_fds};

    const BYTES: usize = 4096;

    #[test]
    fn both_ends_have_the_same_memory_and_differ_in_their_numbers() {
        let (one, other) = link(BYTES).unwrap();
        let (first, end) = take(one.as_fd(), BYTES).unwrap();
        assert_eq!(end, End::First);
        let (second, end) = take(other.as_fd(), BYTES).unwrap();
        assert_eq!(end, End::Second);
        first[3].store(7, Ordering::Relaxed);
        assert_eq!(second[3].load(Ordering::Relaxed), 7);
        assert_eq!(receive(one.as_fd(), &mut [0]).unwrap_err(), ReceiveError::WouldBlock);
    }

    #[test]
    fn an_end_that_refuses_descriptors_afterwards_has_its_memory_all_the_same() {
        let (one, _other) = link(BYTES).unwrap();
        refuse_fds(one.as_fd()).unwrap();
        assert!(take(one.as_fd(), BYTES).is_ok());
    }

    #[test]
    fn an_end_without_memory_has_none() {
        let (one, other) = link(0).unwrap();
        assert!(take(one.as_fd(), BYTES).is_err());
        for (bytes, fds) in [(&[0][..], 0), (&[2], 1), (&[0, 0], 1), (&[0], 2)] {
            let memory = make(BYTES).unwrap();
            send(other.as_fd(), &[IoSlice::new(bytes)], &vec![memory.as_fd(); fds]).unwrap();
            assert!(take(one.as_fd(), BYTES).is_err(), "{bytes:?} with {fds}");
        }
    }
}
