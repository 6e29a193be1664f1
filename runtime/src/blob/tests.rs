//! A blob arrives as it was, by either way.

use bailiwick_wire::Limits;
use bailiwick_wire::codec::{decode_message, encode_message};
use bailiwick_wire::descriptors::{Incoming, Outgoing};

use super::*;
use crate::fd::observe;

fn sent(blob: &Blob) -> (Vec<u8>, Outgoing) {
    let mut bytes = Vec::new();
    let outgoing = encode_message(blob, &Limits::DATA, &mut bytes).unwrap();
    (bytes, outgoing)
}

fn received(bytes: &[u8], outgoing: &Outgoing) -> Blob {
    let beside = outgoing.descriptors().iter().map(|(_, fd)| (observe(fd.as_fd()), fd.try_clone().unwrap()));
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
