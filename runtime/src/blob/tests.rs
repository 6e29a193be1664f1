//! A blob is whole and holds still, whatever it goes in.

use std::io::Write;
use std::sync::{Barrier, Mutex};

use bailiwick_core::lending::{Budget, Most};
use bailiwick_core::ring::{LINK_BYTES, RETURN_STRIDE, RETURNS_AT};
use bailiwick_sys::segment::Lender;
use bailiwick_sys::shared_words::{SharedWords, make};
use bailiwick_wire::Limits;
use bailiwick_wire::codec::{DecodeError, decode_message, encode_message};
use bailiwick_wire::descriptors::{Incoming, Outgoing};

use super::*;
use crate::fd::observe;
use crate::outcome::NotDelivered;

/// Encodes a blob for a link that lends, or for another one.
fn sent(blob: &Blob, over: Option<&Arc<Loans>>) -> (Vec<u8>, Outgoing) {
    let mut bytes = Vec::new();
    let mut outgoing = encode_message(blob, &Limits::DATA, &mut bytes).unwrap();
    assert!(outgoing.descriptors().is_empty() || !may_go(&outgoing, over), "it is not decided by itself");
    decide(&mut outgoing, over).unwrap();
    assert!(may_go(&outgoing, over));
    (bytes, outgoing)
}

fn received(bytes: &[u8], outgoing: &Outgoing) -> Blob {
    let sealed = outgoing.descriptors().iter().map(|(_, carried)| {
        let fd = carried.fd().expect("it goes to anybody").try_clone_to_owned().unwrap();
        (observe(fd.as_fd()), fd)
    });
    decode_message(bytes, Incoming::new(sealed.collect(), Vec::new()), &Limits::DATA).unwrap()
}

fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|byte| byte as u8).collect()
}

#[test]
fn bytes_of_every_size_arrive_inline_or_as_memory() {
    for (length, descriptors) in
        [(0, 0), (1, 0), (Blob::INLINE_MAX, 0), (Blob::INLINE_MAX + 1, 1), (1 << 20, 1)]
    {
        let blob = Blob::from(pattern(length));
        let (bytes, outgoing) = sent(&blob, None);
        assert_eq!(outgoing.descriptors().len(), descriptors, "{length} bytes");
        let back = received(&bytes, &outgoing);
        assert!(back == blob && back.into_vec() == pattern(length));
    }
}

#[test]
fn memory_is_made_once_for_many_messages() {
    let blob = Blob::from(pattern(100_000));
    let ((_, one), (_, other)) = (sent(&blob, None), sent(&blob.clone(), None));
    let [one, other] = [one, other].map(|outgoing| {
        let fd = outgoing.descriptors()[0].1.fd().unwrap().try_clone_to_owned().unwrap();
        std::os::unix::fs::MetadataExt::ino(&std::fs::File::from(fd).metadata().unwrap())
    });
    assert_eq!(one, other);
}

#[test]
fn a_received_blob_can_be_sent_on() {
    let (bytes, outgoing) = sent(&Blob::from(pattern(100_000)), None);
    let (bytes, outgoing) = sent(&received(&bytes, &outgoing), None);
    assert!(received(&bytes, &outgoing).into_vec() == pattern(100_000));
}

fn decoded(bytes: &[u8], fd: OwnedFd) -> Result<Blob, Box<DecodeError>> {
    let beside = vec![(observe(fd.as_fd()), fd)];
    decode_message(bytes, Incoming::new(beside, Vec::new()), &Limits::DATA)
}

#[test]
fn memory_that_its_sender_could_still_change_is_refused() {
    let (bytes, _) = sent(&Blob::from(pattern(100_000)), None);
    let plain = tempfile::tempfile().unwrap();
    plain.set_len(100_000).unwrap();
    let error = decoded(&bytes, plain.into()).unwrap_err();
    assert!(error.to_string().contains("sealed"), "{error}");
}

#[test]
fn sealed_memory_of_another_length_than_its_message_says_is_refused() {
    let (bytes, _) = sent(&Blob::from(pattern(100_000)), None);
    for (length, is_taken) in [(99_999, false), (100_000, true), (100_001, false)] {
        assert_eq!(decoded(&bytes, memory::seal(&pattern(length)).unwrap()).is_ok(), is_taken, "{length}");
    }
}

/// A field whose memory the kernel does not map, with this word.
#[derive(Debug)]
struct Unmapped<const ERRNO: i32>;

impl<'de, const ERRNO: i32> Deserialize<'de> for Unmapped<ERRNO> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Travels::deserialize(deserializer)?;
        let _memory = descriptors::take_memory(0).unwrap();
        Err(not_mapped(Failed { call: "mmap", errno: Errno::from_raw(ERRNO) }.into()))
    }
}

impl<const ERRNO: i32> Schema for Unmapped<ERRNO> {
    fn shape(_: &mut Shapes) -> Shape {
        Shape::blob()
    }
}

fn unmapped<const ERRNO: i32>() -> NotDelivered {
    let bytes = pattern(100_000);
    let beside = vec![(FdKind::SealedMemory, memory::seal(&bytes).unwrap())];
    let (encoded, _) = sent(&Blob::from(bytes), None);
    let incoming = Incoming::new(beside, Vec::new());
    decode_message::<Unmapped<ERRNO>>(&encoded, incoming, &Limits::DATA).unwrap_err().reason()
}

#[test]
fn that_there_is_no_room_is_nobodys_fault_and_anything_else_is_somebodys() {
    let undecided = |errno| undecided(Failed { call: "memfd_create", errno }).reason();
    assert_eq!(undecided(Errno::EMFILE), NotDelivered::DescriptorsExhausted);
    assert_eq!(undecided(Errno::ENOMEM), NotDelivered::DescriptorsExhausted);
    assert!(matches!(undecided(Errno::EPERM), NotDelivered::Undecodable { .. }));
    assert_eq!(unmapped::<{ Errno::ENOMEM as i32 }>(), NotDelivered::DescriptorsExhausted);
    // As of memory that its sender opened to be written only.
    assert!(matches!(unmapped::<{ Errno::EACCES as i32 }>(), NotDelivered::Undecodable { .. }));
}

/// A link that lends, with the memory in which its other end says what is back.
struct Line {
    memory: Arc<SharedWords>,
    loans: Arc<Loans>,
}

impl Line {
    fn new() -> Self {
        let memory = Arc::new(SharedWords::map(make(LINK_BYTES).unwrap().as_fd(), LINK_BYTES).unwrap());
        // One of its own, since tests run beside each other.
        let budget = Box::leak(Box::new(Mutex::new(Budget::new(loans::most_of_all(loans::own_limits())))));
        Self { loans: Loans::within(budget, Arc::clone(&memory), RETURNS_AT), memory }
    }

    fn returns(&self) -> Returns {
        Returns::new(&self.memory, RETURNS_AT)
    }

    /// Sends what was decided for it, and returns what its other end has then.
    fn lend(&self, outgoing: &Outgoing) -> Vec<Lent> {
        let carried = outgoing.descriptors().iter();
        let lent = carried.map(|(_, carried)| {
            let (fd, place) = lent_memory(&**carried, &self.loans).expect("it is lent");
            self.loans.lend(place);
            Lent::new(Arc::new(Lender::map(fd, Blob::MAX).unwrap()), &self.returns(), place)
        });
        lent.collect()
    }

    fn received(&self, bytes: &[u8], outgoing: &Outgoing) -> Result<Blob, Box<DecodeError>> {
        let beside = self.lend(outgoing).into_iter();
        let beside = beside.map(|lent| (FdKind::SealedMemory, Came::Lent(Box::new(lent))));
        decode_message(bytes, Incoming::with_lent(beside.collect(), Vec::new()), &Limits::DATA)
    }
}

fn written(line: &Line, capacity: usize, bytes: &[u8]) -> Blob {
    let mut writer = BlobWriter::new(Some(Arc::clone(&line.loans)), capacity);
    bytes.chunks(999).for_each(|chunk| writer.write_all(chunk).unwrap());
    writer.finish()
}

#[test]
fn over_a_link_that_lends_a_blob_is_lent_and_over_any_other_it_is_sealed() {
    let (line, other, bytes) = (Line::new(), Line::new(), pattern(100_000));
    let (encoded, outgoing) = sent(&Blob::from(&bytes[..]), Some(&line.loans));
    let came = line.received(&encoded, &outgoing).unwrap();
    for blob in [Blob::from(&bytes[..]), Blob::from(bytes.clone()), written(&line, 100_000, &bytes), came] {
        for over in [&line, &other] {
            let (encoded, outgoing) = sent(&blob, Some(&over.loans));
            assert!(outgoing.descriptors()[0].1.fd().is_none(), "no other link can take it for a descriptor");
            assert!(*over.received(&encoded, &outgoing).unwrap() == bytes);
        }
        let (encoded, outgoing) = sent(&blob, None);
        assert!(*received(&encoded, &outgoing) == bytes);
        assert!(blob.into_vec() == bytes);
    }
}

#[test]
fn what_was_decided_for_one_link_is_decided_anew_for_another() {
    let (line, other, bytes) = (Line::new(), Line::new(), pattern(100_000));
    for blob in [Blob::from(&bytes[..]), written(&line, 100_000, &bytes)] {
        let (encoded, mut outgoing) = sent(&blob, Some(&line.loans));
        assert!(!may_go(&outgoing, Some(&other.loans)) && !may_go(&outgoing, None));
        decide(&mut outgoing, Some(&other.loans)).unwrap();
        assert!(*other.received(&encoded, &outgoing).unwrap() == bytes);
        decide(&mut outgoing, None).unwrap();
        assert!(*received(&encoded, &outgoing) == bytes);
        assert!(may_go(&outgoing, Some(&line.loans)), "sealed memory goes over any link");
    }
}

#[test]
fn a_blob_that_was_written_in_place_is_lent_without_a_copy_as_often_as_it_is_sent() {
    let (line, bytes) = (Line::new(), pattern(100_000));
    let blob = written(&line, 100_000, &bytes);
    let place = blob.as_ptr();
    let came: Vec<_> = (0..3)
        .map(|_| {
            let (encoded, outgoing) = sent(&blob, Some(&line.loans));
            line.received(&encoded, &outgoing).unwrap()
        })
        .collect();
    drop(blob);
    for one in came {
        assert_ne!(written(&line, 100_000, &[1]).as_ptr(), place, "somebody reads it");
        drop(one);
    }
    assert_eq!(written(&line, 100_000, &[1]).as_ptr(), place);
}

#[test]
fn d3_a_length_beyond_what_is_lent_is_refused_and_what_was_lent_given_back() {
    let (line, bytes) = (Line::new(), pattern(100_000));
    let (_, outgoing) = sent(&Blob::from(bytes), Some(&line.loans));
    for length in [114_688, 114_689, u64::MAX] {
        let mut said = Vec::new();
        let claim = Travels::Memory(0, length);
        encode_message(&claim, &Limits::DATA, &mut said).unwrap();
        let came = line.received(&said, &outgoing);
        assert_eq!(came.is_ok(), length == 114_688, "{length}");
    }
    assert_eq!(line.memory[RETURNS_AT].load(std::sync::atomic::Ordering::Relaxed), 3);
}

#[test]
fn d1_whatever_the_other_end_says_it_gave_back_only_takes_places_from_itself() {
    let (line, other) = (Line::new(), Line::new());
    let own = |line: &Line| written(line, 100_000, &[7; 100_000]);
    let kept = own(&line);
    let (encoded, outgoing) = sent(&own(&line), Some(&line.loans));
    let came = line.received(&encoded, &outgoing).unwrap();
    drop(outgoing);
    for word in [2, 7, u64::MAX, u64::MAX - 1] {
        (0..32).for_each(|at| {
            line.memory[RETURNS_AT + at * RETURN_STRIDE].store(word, std::sync::atomic::Ordering::Relaxed);
        });
        // Each of these takes another place, until there is none; then it is ordinary memory.
        let blobs: Vec<_> = (0..40).map(|_| own(&line)).collect();
        assert!(blobs.iter().all(|blob| **blob == [7; 100_000]));
    }
    assert!(*kept == [7; 100_000] && *came == [7; 100_000]);
    assert!(own(&other).0.is_placed());
}

impl Bytes {
    fn is_placed(&self) -> bool {
        matches!(self, Self::Placed { .. })
    }
}

#[test]
fn when_a_link_ends_nothing_is_lent_over_it_any_more_and_what_is_held_stays_whole() {
    let (line, bytes) = (Line::new(), pattern(100_000));
    let held = written(&line, 100_000, &bytes);
    let (encoded, outgoing) = sent(&held, Some(&line.loans));
    let came = line.received(&encoded, &outgoing).unwrap();
    line.loans.end();
    assert!(!written(&line, 100_000, &bytes).0.is_placed());
    assert!(*held == bytes && *came == bytes);
    drop((held, outgoing));
    assert!(*came == bytes, "who reads it has it as long as it likes");
    assert!(format!("{:?}", line.loans).contains("Loans(0 bytes)"));
}

#[test]
fn what_is_idle_goes_after_two_ticks_and_what_is_lent_stays() {
    let line = Line::new();
    let (_, outgoing) = sent(&Blob::from(pattern(100_000)), Some(&line.loans));
    let lent = line.lend(&outgoing);
    drop(outgoing);
    drop(written(&line, 100_000, &[1]));
    assert_eq!(format!("{:?}", line.loans), "Loans(229376 bytes)");
    (0..2).for_each(|_| line.loans.tick());
    assert_eq!(format!("{:?}", line.loans), "Loans(114688 bytes)");
    assert!(line.loans.is_in_use());
    drop(lent);
    line.loans.tick();
    assert_eq!(format!("{:?}", line.loans), "Loans(0 bytes)");
    assert!(!line.loans.is_in_use());
}

#[test]
fn a_process_of_few_addresses_or_descriptors_keeps_most_of_them_for_itself() {
    let most = |bytes, pieces| {
        let own = Most { bytes, pieces };
        [loans::most_of_link(own), loans::most_of_all(own)].map(|most| (most.bytes >> 20, most.pieces))
    };
    assert_eq!(most(usize::MAX, usize::MAX), [(64, 32), (128, 64)]);
    assert_eq!(most(512 << 20, 256), [(64, 32), (128, 64)]);
    assert_eq!(most(256 << 20, 64), [(32, 8), (64, 16)]);
}

#[test]
fn what_is_taken_while_the_clock_ticks_is_known_to_be_in_use() {
    let (line, begins) = (Line::new(), Barrier::new(2));
    for round in 0..2000 {
        let held = std::thread::scope(|threads| {
            let ticks = threads.spawn(|| {
                begins.wait();
                line.loans.tick();
            });
            begins.wait();
            let held = line.loans.take(20_000).unwrap();
            ticks.join().unwrap();
            held
        });
        assert!(line.loans.is_in_use(), "{round}");
        drop(held);
        (0..2).for_each(|_| line.loans.tick());
        assert!(!line.loans.is_in_use());
    }
}

#[test]
fn a_blob_is_written_up_to_its_capacity_in_place_and_beyond_it_all_the_same() {
    let line = Line::new();
    for capacity in [0, 1, Blob::INLINE_MAX, Blob::INLINE_MAX + 1, 100_000, 1 << 20, (16 << 20) + 1] {
        for length in [0, 1, 40_000, 300_000] {
            let blob = written(&line, capacity, &pattern(length));
            assert!(*blob == pattern(length), "{length} into {capacity}");
        }
    }
}

#[test]
fn more_than_can_be_lent_is_sealed() {
    let (line, bytes) = (Line::new(), pattern(100_000));
    let all: Vec<_> = (0..40).map(|_| sent(&Blob::from(&bytes[..]), Some(&line.loans))).collect();
    let lent = |(_, outgoing): &&(Vec<u8>, Outgoing)| outgoing.descriptors()[0].1.fd().is_none();
    assert_eq!(all.iter().filter(lent).count(), 32);
    for (encoded, outgoing) in all.iter().filter(|sent| !lent(sent)) {
        assert!(*received(encoded, outgoing) == bytes);
    }
}

impl Blob {
    /// Tells whether sealed memory was made of it.
    pub(crate) fn is_sealed(&self) -> bool {
        match &*self.0 {
            Bytes::Own { sealed, .. } | Bytes::Placed { sealed, .. } => sealed.get().is_some(),
            Bytes::Received(_) | Bytes::Lent(_) => false,
        }
    }
}
