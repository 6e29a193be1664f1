//! A blob arrives as it was, by either way.

use bailiwick_wire::Limits;
use bailiwick_wire::codec::{decode_message, encode_message};
use bailiwick_wire::descriptors::{Incoming, Outgoing};

use std::io::Write;

use bailiwick_sys::segment::{Lender, look};

use super::*;
use crate::fd::observe;

fn sent(blob: &Blob) -> (Vec<u8>, Outgoing) {
    let mut bytes = Vec::new();
    let outgoing = encode_message(blob, &Limits::DATA, &mut bytes).unwrap();
    (bytes, outgoing)
}

fn received(bytes: &[u8], outgoing: &Outgoing) -> Blob {
    let beside = outgoing
        .descriptors()
        .iter()
        .map(|(_, fd)| (observe(fd.as_fd()), fd.as_fd().try_clone_to_owned().unwrap()));
    decode_message(bytes, Incoming::new(beside.collect(), Vec::new()), &Limits::DATA).unwrap()
}

fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at % 251) as u8).collect()
}

#[test]
fn up_to_the_threshold_bytes_travel_inline_and_beyond_it_as_memory() {
    for (length, descriptors) in
        [(0, 0), (1, 0), (Blob::INLINE_MAX, 0), (Blob::INLINE_MAX + 1, 1), (3_000_000, 1)]
    {
        let (bytes, outgoing) = sent(&Blob::from(pattern(length)));
        assert_eq!(outgoing.descriptors().len(), descriptors, "{length} bytes");
        assert_eq!(*received(&bytes, &outgoing), pattern(length));
    }
}

#[test]
fn a_blob_sent_to_many_is_copied_once() {
    let blob = Blob::from(pattern(100_000));
    let (one, other) = (sent(&blob).1, sent(&blob.clone()).1);
    assert!(Arc::ptr_eq(&one.descriptors()[0].1, &other.descriptors()[0].1));
}

#[test]
fn a_received_blob_can_be_sent_on_and_outlives_its_sender() {
    let (bytes, outgoing) = sent(&Blob::from(pattern(100_000)));
    let first = received(&bytes, &outgoing);
    drop(outgoing);
    let (bytes, outgoing) = sent(&first);
    drop(first);
    assert_eq!(received(&bytes, &outgoing).into_vec(), pattern(100_000));
}

#[test]
fn memory_that_its_sender_could_still_change_is_refused() {
    let (bytes, _) = sent(&Blob::from(pattern(100_000)));
    let file: OwnedFd = tempfile::tempfile().unwrap().into();
    let beside = Incoming::new(vec![(observe(file.as_fd()), file)], Vec::new());
    let error = decode_message::<Blob>(&bytes, beside, &Limits::DATA).unwrap_err();
    assert!(
        error.to_string().contains("descriptor 0 is of kind file, sealed-memory was promised"),
        "{error}"
    );
}

/// Receives what was encoded for a link that lends.
fn borrowed(bytes: &[u8], outgoing: &Outgoing) -> Blob {
    let beside = outgoing.descriptors().iter().map(|(kind, fd)| {
        fd.sent();
        let head = look(fd.as_fd()).unwrap();
        let lender = Arc::new(Lender::map(fd.as_fd(), Blob::MAX).unwrap());
        (*kind, Came::Lent(Box::new(lender.take(head.length))))
    });
    decode_message(bytes, Incoming::with_lent(beside.collect(), Vec::new()), &Limits::DATA).unwrap()
}

#[test]
fn over_a_link_that_lends_a_blob_is_lent_and_over_another_it_is_sealed() {
    let _link = LendingLink::new();
    let slice = pattern(100_000);
    let mut written = Blob::writer(100_000);
    slice.chunks(999).for_each(|chunk| written.write_all(chunk).unwrap());
    let (bytes, outgoing) = encoding_for(true, || sent(&Blob::from(&slice[..])));
    let came = borrowed(&bytes, &outgoing);
    for blob in [Blob::from(&slice[..]), Blob::from(slice.clone()), written.finish(), came] {
        let (bytes, outgoing) = encoding_for(true, || sent(&blob));
        assert!(outgoing.descriptors()[0].1.is_lent());
        assert!(*borrowed(&bytes, &outgoing) == slice);
        let (bytes, outgoing) = sent(&blob);
        assert!(!outgoing.descriptors()[0].1.is_lent());
        assert!(*received(&bytes, &outgoing) == slice);
        assert!(blob.into_vec() == slice);
    }
}

#[test]
fn what_was_to_be_lent_goes_over_another_link_as_sealed_memory() {
    let _link = LendingLink::new();
    let slice = pattern(100_000);
    let (bytes, mut outgoing) = encoding_for(true, || sent(&Blob::from(&slice[..])));
    assert!(outgoing.descriptors()[0].1.is_lent());
    assert!(outgoing.lend_nothing());
    assert!(*received(&bytes, &outgoing) == slice);
}

#[test]
fn memory_that_is_lent_is_no_sealed_memory_to_who_was_not_lent_it() {
    let _link = LendingLink::new();
    let (bytes, outgoing) = encoding_for(true, || sent(&Blob::from(&pattern(100_000)[..])));
    let fd = outgoing.descriptors()[0].1.as_fd().try_clone_to_owned().unwrap();
    let beside = Incoming::new(vec![(observe(fd.as_fd()), fd)], Vec::new());
    assert!(decode_message::<Blob>(&bytes, beside, &Limits::DATA).is_err());
}

#[test]
fn a_blob_is_written_up_to_its_capacity_in_place_and_beyond_it_all_the_same() {
    let _link = LendingLink::new();
    for capacity in [0, 1, Blob::INLINE_MAX, Blob::INLINE_MAX + 1, 100_000, 1 << 20, usize::MAX >> 40] {
        for length in [0, 1, 40_000, 300_000] {
            let mut writer = Blob::writer(capacity);
            let whole = pattern(length);
            whole.chunks(1000).for_each(|chunk| writer.write_all(chunk).unwrap());
            assert!(*writer.finish() == whole, "{length} into {capacity}");
        }
    }
}

#[test]
fn a_message_that_cannot_be_encoded_leaves_the_thread_as_it_was() {
    let _link = LendingLink::new();
    let panicked = std::panic::catch_unwind(|| encoding_for(true, || panic!("as a field's own code may")));
    assert!(panicked.is_err());
    assert!(!pool::lends());
}
