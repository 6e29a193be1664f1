//! The memory of the peer's that is lent over one link, mapped for as long as it may come again.

use std::collections::VecDeque;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use bailiwick_sys::limits::own_address_space;
use bailiwick_sys::segment::{Lender, give_back, look};
use bailiwick_wire::descriptors::Came;

use crate::blob::{Blob, POOL_BYTES};

/// What is mapped, with the peer's number for it, the one that was mapped first in front.
#[derive(Debug)]
pub(super) struct Lenders {
    mapped: VecDeque<(u64, Arc<Lender>)>,
    /// Bytes of what is mapped and may not be read now.
    idle_bytes: usize,
    /// Bytes of one segment.
    bytes_max: u64,
}

impl Default for Lenders {
    fn default() -> Self {
        // Where addresses are limited they are for the worker's own memory in the first place.
        let share = usize::try_from(own_address_space() / 8).unwrap_or(usize::MAX);
        Self { mapped: VecDeque::new(), idle_bytes: POOL_BYTES.min(share), bytes_max: Blob::MAX }
    }
}

impl Lenders {
    /// Takes a descriptor that came as what it is. One that calls itself lent and cannot be mapped is one like any other, which no
    /// field takes.
    pub(super) fn came(&mut self, fd: OwnedFd) -> Came {
        let Some(head) = look(fd.as_fd()) else { return Came::Fd(fd) };
        let known = self.mapped.iter().find(|(number, _)| *number == head.number);
        if let Some((_, lender)) = known {
            return Came::Lent(Box::new(lender.take(head.length)));
        }
        let lender = Lender::map(fd.as_fd(), self.bytes_max).or_else(|_| {
            // There may be no room for it because of those that are not read now.
            self.mapped.clear();
            Lender::map(fd.as_fd(), self.bytes_max)
        });
        match lender {
            Ok(lender) => {
                let lender = Arc::new(lender);
                let lent = lender.take(head.length);
                self.keep(head.number, lender);
                Came::Lent(Box::new(lent))
            }
            Err(error) => {
                let is_given_back = give_back(fd.as_fd()).is_ok();
                tracing::warn!(target: "bailiwick::link", %error, is_given_back, "lent memory cannot be mapped");
                Came::Fd(fd)
            }
        }
    }

    /// Keeps a mapping, and lets go of the oldest beyond what is kept: it is mapped anew if it comes again.
    fn keep(&mut self, number: u64, lender: Arc<Lender>) {
        self.mapped.push_back((number, lender));
        let mut bytes: usize = self.mapped.iter().map(|(_, lender)| lender.capacity()).sum();
        while bytes > self.idle_bytes || self.mapped.len() > MAPPED_MAX {
            let Some((_, oldest)) = self.mapped.pop_front() else { return };
            bytes -= oldest.capacity();
        }
    }
}

/// Segments of one peer that are mapped at a time, besides those that are read.
const MAPPED_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use bailiwick_sys::segment::{Lent, Segment};

    use super::*;

    fn segment(number: u64, capacity: usize, bytes: &[u8]) -> Segment {
        let mut segment = Segment::make(number, capacity).unwrap();
        segment.write(0, bytes);
        segment
    }

    fn send(segment: &Segment) -> OwnedFd {
        segment.lend();
        segment.as_fd().try_clone_to_owned().unwrap()
    }

    fn lent(came: Came) -> Lent {
        let Came::Lent(lent) = came else { panic!("it is lent: {came:?}") };
        *lent.downcast().unwrap()
    }

    #[test]
    fn what_comes_again_is_read_through_the_same_mapping_and_given_back_each_time() {
        let (mut lenders, mut segment) = (Lenders::default(), segment(1, 100, b"one"));
        let one = lent(lenders.came(send(&segment)));
        let place = one.as_ptr();
        assert_eq!(&*one, b"one");
        drop(one);
        segment.write(0, b"another");
        let other = lent(lenders.came(send(&segment)));
        assert_eq!((&*other, other.as_ptr()), (&b"another"[..], place));
        assert!(!segment.is_back());
        drop(other);
        assert!(segment.is_back());
    }

    #[test]
    fn what_is_thrown_away_unread_is_given_back() {
        let (mut lenders, segment) = (Lenders::default(), segment(1, 100, b"one"));
        drop(lenders.came(send(&segment)));
        assert!(segment.is_back());
    }

    #[test]
    fn no_more_is_kept_mapped_than_may_be_and_what_is_not_is_read_all_the_same() {
        for (capacity, kept) in [(100, MAPPED_MAX), (1 << 20, 2), ((2 << 20) + 1, 0)] {
            let mut lenders = Lenders { idle_bytes: 2 << 20, ..Lenders::default() };
            let segments: Vec<_> =
                (0..).take(kept + 2).map(|number| segment(number, capacity, b"x")).collect();
            let held: Vec<_> = segments.iter().map(|segment| lent(lenders.came(send(segment)))).collect();
            assert_eq!(lenders.mapped.len(), kept, "{capacity}");
            assert!(held.iter().all(|lent| **lent == *b"x"));
            assert_eq!(&*lent(lenders.came(send(&segments[0]))), b"x");
            drop(held);
            assert!(segments.iter().all(Segment::is_back));
        }
    }

    #[test]
    fn d4_a_number_that_another_has_reads_what_that_one_says() {
        let mut lenders = Lenders::default();
        let (one, longer) = (segment(1, 100, b"one"), segment(1, 10_000, &[7; 10_000]));
        assert_eq!(&*lent(lenders.came(send(&one))), b"one");
        assert_eq!(lent(lenders.came(send(&longer))).len(), 100);
    }

    #[test]
    fn d4_what_is_too_long_is_a_descriptor_and_is_given_back() {
        let mut lenders = Lenders { bytes_max: 10_000, ..Lenders::default() };
        assert_eq!(&*lent(lenders.came(send(&segment(2, 10_000, b"x")))), b"x");
        let long = segment(1, 10_001, b"x");
        assert!(matches!(lenders.came(send(&long)), Came::Fd(_)));
        assert!(long.is_back());
        let file = tempfile::tempfile().unwrap();
        assert!(matches!(lenders.came(file.into()), Came::Fd(_)));
    }
}
