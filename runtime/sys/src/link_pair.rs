//! The two ends of a link: sockets, and the memory that was laid into both before anybody had them.
//!
//! Each end receives the memory as its first packet, with which of the two it is. Whoever holds the other end cannot have
//! written before that. In it stand a ring, if there is one, and behind that a page of [`PAGE_WORDS`] words for each end.

use std::io::IoSlice;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use crate::error::{Errno, Failed};
use crate::shared_words::{SharedWords, make};
use crate::socket::{Kind, Packet, pair, receive, send};

/// Words of the page that each end has.
pub const PAGE_WORDS: usize = 4096;

/// Which end it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The one.
    First,
    /// The other.
    Second,
}

/// Returns the bytes of the memory of a link with a ring of so many bytes, or with none.
pub const fn memory_bytes(ring_bytes: usize) -> usize {
    ring_bytes + 2 * PAGE_WORDS * size_of::<u64>()
}

/// Makes two connected packet sockets with memory in each: a ring of `ring_bytes` bytes, if there are any, and the pages.
///
/// # Errors
/// When the descriptor table is full, the kernel is out of memory, or too many descriptors are on their way.
pub fn link(ring_bytes: usize) -> Result<(OwnedFd, OwnedFd), Failed> {
    let ends = pair(Kind::SeqPacket)?;
    let memory = make(memory_bytes(ring_bytes))?;
    for (number, into) in [(1, &ends.0), (0, &ends.1)] {
        send(into.as_fd(), &[IoSlice::new(&[number])], &[memory.as_fd()])
            .map_err(|_| Failed { call: "sendmsg of shared memory", errno: Errno::ENOBUFS })?;
    }
    Ok(ends)
}

/// Takes the memory out of an end that [`link`] made with a ring of so many bytes.
///
/// # Errors
/// EINVAL if it is none, or something was taken out before; the kernel's reason otherwise.
pub fn take(socket: BorrowedFd<'_>, ring_bytes: usize) -> Result<(SharedWords, End), Failed> {
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
    Ok((SharedWords::map(memory.as_fd(), memory_bytes(ring_bytes))?, end))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;

    use super::*;
    use crate::socket::{ReceiveError, refuse_fds};

    const BYTES: usize = 4096;

    #[test]
    fn both_ends_have_the_same_memory_and_differ_in_their_numbers() {
        for ring in [0, BYTES] {
            let (one, other) = link(ring).unwrap();
            let (first, end) = take(one.as_fd(), ring).unwrap();
            assert_eq!((end, first.len()), (End::First, ring / 8 + 2 * PAGE_WORDS));
            let (second, end) = take(other.as_fd(), ring).unwrap();
            assert_eq!(end, End::Second);
            first[3].store(7, Ordering::Relaxed);
            assert_eq!(second[3].load(Ordering::Relaxed), 7);
            assert_eq!(receive(one.as_fd(), &mut [0]).unwrap_err(), ReceiveError::WouldBlock);
        }
    }

    #[test]
    fn an_end_that_refuses_descriptors_afterwards_has_its_memory_all_the_same() {
        let (one, _other) = link(BYTES).unwrap();
        refuse_fds(one.as_fd()).unwrap();
        assert!(take(one.as_fd(), BYTES).is_ok());
    }

    #[test]
    fn an_end_without_the_memory_that_is_expected_has_none() {
        let (one, other) = link(BYTES).unwrap();
        assert!(take(one.as_fd(), 0).is_err(), "a ring was not expected");
        assert!(take(one.as_fd(), BYTES).is_err(), "it was taken out");
        for (bytes, fds) in [(&[0][..], 0), (&[2], 1), (&[0, 0], 1), (&[0], 2)] {
            let memory = make(memory_bytes(BYTES)).unwrap();
            send(other.as_fd(), &[IoSlice::new(bytes)], &vec![memory.as_fd(); fds]).unwrap();
            assert!(take(one.as_fd(), BYTES).is_err(), "{bytes:?} with {fds}");
        }
    }
}
