//! One way of the memory, as the ring of `core` wants it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering, fence};

use bailiwick_core::ring::{LANE_WORDS, WORD_BYTES, Words};
use bailiwick_sys::shared_words::SharedWords;

/// One way of a link's memory.
#[derive(Debug)]
pub(super) struct Lane {
    memory: Arc<SharedWords>,
    from: usize,
}

impl Lane {
    /// Returns both ways of a link's memory.
    pub(super) fn both(memory: &Arc<SharedWords>) -> [Self; 2] {
        [0, LANE_WORDS].map(|from| Self { memory: Arc::clone(memory), from })
    }

    fn words(&self) -> &[AtomicU64] {
        &self.memory[self.from..][..LANE_WORDS]
    }
}

impl Words for Lane {
    fn count(&self) -> usize {
        LANE_WORDS
    }

    fn acquire(&self, at: usize) -> u64 {
        self.words()[at].load(Ordering::Acquire)
    }

    fn release(&self, at: usize, word: u64) {
        self.words()[at].store(word, Ordering::Release);
    }

    fn fence(&self) {
        fence(Ordering::SeqCst);
    }

    fn copy_out(&self, at: usize, bytes: &mut [u8]) {
        let words = &self.words()[at..];
        let whole = bytes.len() / WORD_BYTES;
        let (chunks, rest) = bytes.as_chunks_mut::<WORD_BYTES>();
        for (chunk, word) in chunks.iter_mut().zip(words) {
            *chunk = word.load(Ordering::Relaxed).to_ne_bytes();
        }
        if !rest.is_empty() {
            let last = words[whole].load(Ordering::Relaxed).to_ne_bytes();
            rest.copy_from_slice(&last[..rest.len()]);
        }
    }

    fn copy_in(&self, at: usize, bytes: &[u8]) {
        let words = &self.words()[at..];
        let (chunks, rest) = bytes.as_chunks::<WORD_BYTES>();
        for (chunk, word) in chunks.iter().zip(words) {
            word.store(u64::from_ne_bytes(*chunk), Ordering::Relaxed);
        }
        if !rest.is_empty() {
            let mut last = [0; WORD_BYTES];
            last[..rest.len()].copy_from_slice(rest);
            words[chunks.len()].store(u64::from_ne_bytes(last), Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;

    use std::sync::atomic::AtomicBool;

    use bailiwick_core::ring::{CONTROL_WORDS, LINK_BYTES, Reader, Writer};
    use bailiwick_sys::shared_words::make;

    use super::*;

    #[test]
    fn bytes_come_back_of_every_length_and_place_and_touch_no_others() {
        let memory = make(LINK_BYTES).unwrap();
        let memory = SharedWords::map(memory.as_fd(), LINK_BYTES).unwrap();
        let [one, other] = Lane::both(&Arc::new(memory));
        let end = LANE_WORDS - 5;
        for (at, length) in
            [CONTROL_WORDS, 1000, end].into_iter().flat_map(|at| (0..=40).map(move |n| (at, n)))
        {
            let bytes: Vec<u8> = (1..).take(length).collect();
            one.copy_in(at, &bytes);
            let mut copy = vec![0; length];
            one.copy_out(at, &mut copy);
            assert_eq!(copy, bytes);
            assert_eq!(one.acquire(at - 1), 0, "{at} {length}");
            one.copy_in(at, &[0; 40]);
        }
        assert!((0..LANE_WORDS).all(|at| other.acquire(at) == 0));
    }

    /// Whoever looked twice at one of these words would sooner or later use another than it has checked.
    #[test]
    fn what_changes_while_it_is_read_is_looked_at_once() {
        let memory = make(LINK_BYTES).unwrap();
        let shared = Arc::new(SharedWords::map(memory.as_fd(), LINK_BYTES).unwrap());
        let lane = |number| Lane { memory: Arc::clone(&shared), from: number * LANE_WORDS };
        let (read, written, over) = (lane(0), lane(1), AtomicBool::new(false));
        // What one packet promises, and where it ends; and what was taken of another.
        let lies = [
            (&read, CONTROL_WORDS, [8, 1 << 20, 0, 8]),
            (&read, 0, [2, 2, 1 << 20, u64::MAX]),
            (&written, 32, [0, 1 << 40, 0, u64::MAX]),
        ];
        let mut writer = Writer::new(lane(1)).unwrap();
        writer.write(&vec![7; (LANE_WORDS - CONTROL_WORDS - 20) * WORD_BYTES], 0).unwrap();
        let mut came = [0; 4];
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    for number in 0..4 {
                        lies.iter().for_each(|(lane, at, words)| lane.release(*at, words[number]));
                    }
                }
            });
            let _over = Over(&over);
            let mut buffer = [0; 64];
            while came.iter().any(|count| *count < LOOKS) {
                let record = Reader::new(lane(0)).unwrap().read(&mut buffer);
                if let Ok(Some(record)) = record {
                    assert_eq!(record.bytes, 8);
                }
                let room = writer.has_room(1000);
                assert_ne!(room, Ok(true));
                came[usize::from(record.is_err())] += 1;
                came[2 + usize::from(room.is_err())] += 1;
                if came[0] % 256 == 0 {
                    std::thread::yield_now();
                }
            }
        });
    }

    /// Ends the thread that lies, also when what is tested has failed.
    struct Over<'a>(&'a AtomicBool);

    impl Drop for Over<'_> {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }

    /// How often each of what can come of a look is waited for.
    const LOOKS: u32 = 50_000;
}
