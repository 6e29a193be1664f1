//! Every interleaving of two threads with a small ring, and every value that the memory model lets them see.
//!
//! What is wrong in the orderings shows as a packet that is not what was written, and a bell that nobody rang as a deadlock.
//! `LOOM_MAX_PREEMPTIONS=5 cargo test -p bailiwick-core --test ring interleavings` looks further than the default of three.

use bailiwick_core::ring::{CONTROL_WORDS, Reader, Record, WORD_BYTES, Words, WriteError, Writer};
use loom::sync::atomic::{AtomicU64, Ordering, fence};
use loom::sync::{Arc, Condvar, Mutex};
use loom::thread;

/// The words that are used, so that the model stays small: four of control, and the room.
#[derive(Clone)]
struct Shared(Arc<Vec<AtomicU64>>);

const ROOM: usize = 4;

impl Shared {
    fn new() -> Self {
        Self(Arc::new((0..4 + ROOM).map(|_| AtomicU64::new(0)).collect()))
    }

    fn word(&self, at: usize) -> &AtomicU64 {
        &self.0[at.checked_sub(CONTROL_WORDS).map_or(at / 16, |at| 4 + at)]
    }
}

impl Words for Shared {
    fn count(&self) -> usize {
        CONTROL_WORDS + ROOM
    }

    fn acquire(&self, at: usize) -> u64 {
        self.word(at).load(Ordering::Acquire)
    }

    fn release(&self, at: usize, word: u64) {
        self.word(at).store(word, Ordering::Release);
    }

    fn fence(&self) {
        fence(Ordering::SeqCst);
    }

    fn copy_out(&self, at: usize, bytes: &mut [u8]) {
        for (at, chunk) in (at..).zip(bytes.chunks_mut(WORD_BYTES)) {
            chunk.copy_from_slice(&self.word(at).load(Ordering::Relaxed).to_ne_bytes()[..chunk.len()]);
        }
    }

    fn copy_in(&self, at: usize, bytes: &[u8]) {
        for (at, chunk) in (at..).zip(bytes.chunks(WORD_BYTES)) {
            let word = chunk.try_into().expect("whole words only");
            self.word(at).store(u64::from_ne_bytes(word), Ordering::Relaxed);
        }
    }
}

/// What the executor watches: it stays rung until it is looked at.
#[derive(Clone)]
struct Bell(Arc<(Mutex<bool>, Condvar)>);

impl Bell {
    fn new() -> Self {
        Self(Arc::new((Mutex::new(false), Condvar::new())))
    }

    fn ring(&self) {
        *self.0.0.lock().expect("nobody panics with it") = true;
        self.0.1.notify_one();
    }

    fn sleep(&self) {
        let mut rung = self.0.0.lock().expect("nobody panics with it");
        while !*rung {
            rung = self.0.1.wait(rung).expect("nobody panics with it");
        }
        *rung = false;
    }
}

fn write_all(mut writer: Writer<Shared>, packets: u64, own: &Bell, other: &Bell) {
    for number in 1..=packets {
        let packet = number.to_ne_bytes();
        loop {
            match writer.write(&packet, 0) {
                Ok(()) => break,
                Err(WriteError::Full) => {}
                Err(error) => panic!("{error:?}"),
            }
            if writer.sleep(packet.len()).expect("nobody forges") {
                own.sleep();
            }
        }
        if writer.must_ring() {
            other.ring();
        }
    }
}

fn read_all(mut reader: Reader<Shared>, packets: u64, own: &Bell, other: &Bell) {
    for number in 1..=packets {
        let mut packet = [0; WORD_BYTES];
        while reader.read(&mut packet).expect("nobody forges") != Some(Record { bytes: 8, fds: 0 }) {
            if reader.sleep().expect("nobody forges") {
                own.sleep();
                reader.wake();
            }
        }
        assert_eq!(u64::from_ne_bytes(packet), number);
        if reader.must_ring().expect("nobody forges") {
            other.ring();
        }
    }
}

fn explore(packets: u64) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = model.preemption_bound.or(Some(3));
    model.check(move || {
        let shared = Shared::new();
        let (of_writer, of_reader) = (Bell::new(), Bell::new());
        let writer = Writer::new(shared.clone()).expect("a power of two");
        let reader = Reader::new(shared).expect("a power of two");
        let (own, other) = (of_writer.clone(), of_reader.clone());
        let writing = thread::spawn(move || write_all(writer, packets, &own, &other));
        read_all(reader, packets, &of_reader, &of_writer);
        writing.join().expect("the writer ends");
    });
}

#[test]
fn a_reader_that_sleeps_is_woken_by_what_is_written() {
    explore(2);
}

/// Two packets fill the ring: the third wraps, and its writer may have slept.
#[test]
fn a_writer_that_sleeps_is_woken_by_what_is_read() {
    explore(3);
}
