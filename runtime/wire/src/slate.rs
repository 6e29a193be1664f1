//! The slate: memory that one worker writes and the supervisor reads, so that a worker that answers nobody still tells
//! what it does.
//!
//! | offset | bytes | meaning |
//! | ---: | ---: | --- |
//! | 0 | 8 × 256 | what each of up to eight threads does, see below |
//! | 4096 | 57344 | text that the worker leaves when it dies, up to the first zero |
//! | 61440 | 28672 | what it was denied: [`crate::denials`] |
//! | 90112 | 4096 | what it knows of its death: [`crate::last_words`] |
//!
//! | word of a thread | meaning |
//! | ---: | --- |
//! | 0 | when its present poll began, in nanoseconds of CLOCK_MONOTONIC; zero while it waits |
//! | 1 | 1 if the poll is of what is named below; 2 more if the process has ended in this thread |
//! | 2 to 17 | the actor, filled up with zeros |
//! | 18 to 31 | the method, filled up with zeros |
//!
//! What the reader finds is hostile. It copies a fixed number of bytes once, takes any of them, and believes the writer
//! nothing but what harms the writer alone: a time too old has it killed, one too young hides its own hang. Names are for
//! people; whoever shows them escapes them.

use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};

/// The size of a slate.
pub const SLATE_BYTES: usize = 92 << 10;
/// Threads that have a place on it.
pub const THREADS: u8 = 8;
/// What a look at all threads reads, from the beginning.
pub const POLLS_BYTES: usize = THREADS as usize * THREAD_WORDS * WORD;
/// Where the text begins that a dying worker leaves.
pub const LAST_WORDS_AT: usize = 4096;
/// Where the table of [`crate::denials`] begins.
pub const DENIALS_AT: usize = TESTAMENT_AT - crate::denials::DENIALS_BYTES;
/// Where [`crate::last_words`] begin.
pub const TESTAMENT_AT: usize = SLATE_BYTES - crate::last_words::LAST_WORDS_BYTES;

const WORD: usize = size_of::<u64>();
const THREAD_WORDS: usize = 32;
/// The bits of a thread's second word.
const NAMED: u64 = 1;
const ENDED: u64 = 2;
const ACTOR: std::ops::Range<usize> = 2..18;
const METHOD: std::ops::Range<usize> = 18..32;
const LONGEST_NAME_BYTES: usize = (ACTOR.end - ACTOR.start) * WORD;

/// The place of one thread, as its owner sees it.
#[derive(Clone, Copy, Debug)]
pub struct Desk<'a> {
    words: &'a [AtomicU64],
}

impl<'a> Desk<'a> {
    /// Returns 1 if the present poll is of what is named behind it, and then the actor and the method.
    pub fn named(&self) -> &'a [AtomicU64] {
        &self.words[1..METHOD.end]
    }

    /// Returns the place of the thread with this number; `None` if it has none.
    pub fn of(slate: &'a [AtomicU64], thread: usize) -> Option<Self> {
        if thread >= THREADS.into() {
            return None;
        }
        slate.get(thread * THREAD_WORDS..(thread + 1) * THREAD_WORDS).map(|words| Self { words })
    }

    /// Writes whose polls [`Self::begin`] tells of from now on; what does not fit is cut off.
    pub fn name<'n>(&self, actor: &str, method: impl IntoIterator<Item = &'n str>) {
        self.set(1, 0);
        self.fill(ACTOR, [actor]);
        self.fill(METHOD, method);
    }

    /// A poll begins, of what was named last if `named`.
    pub fn begin(&self, now_ns: u64, named: bool) {
        self.set(1, named.into());
        // Last, so that nobody reads a new time with an old name.
        self.words[0].store(now_ns, Ordering::Release);
    }

    /// What follows in the same poll of the executor is nobody's. It counts from the same beginning, which the next poll
    /// that is named moves: a clock costs more than all else here.
    pub fn unname(&self) {
        self.set(1, 0);
    }

    /// The thread waits.
    pub fn rest(&self) {
        self.words[0].store(0, Ordering::Release);
    }

    /// Returns the actor whose poll lasts, if it is named: what fits of its name.
    pub fn actor(&self) -> Option<String> {
        let word = |word: &AtomicU64| u64::from_le(word.load(Ordering::Relaxed));
        let bytes: Vec<u8> = self.words[ACTOR].iter().flat_map(|one| word(one).to_le_bytes()).collect();
        (word(&self.words[1]) & NAMED != 0).then(|| text(&bytes))
    }

    /// Each actor that takes its turn is named, so this is part of what a message costs.
    fn fill<'n>(&self, words: std::ops::Range<usize>, texts: impl IntoIterator<Item = &'n str>) {
        let mut bytes = [0; LONGEST_NAME_BYTES];
        let mut room = &mut bytes[..words.len() * WORD];
        for text in texts {
            let fits = text.len().min(room.len());
            let (filled, rest) = room.split_at_mut(fits);
            filled.copy_from_slice(&text.as_bytes()[..fits]);
            room = rest;
        }
        for (word, bytes) in words.zip(bytes.chunks_exact(WORD)) {
            let value = u64::from_le_bytes(bytes.try_into().expect("a word has eight bytes"));
            // Behind a name there are zeros only, which are there already unless the last one was longer.
            if value == 0 && self.words[word].load(Ordering::Relaxed) == 0 {
                break;
            }
            self.set(word, value);
        }
    }

    fn set(&self, word: usize, value: u64) {
        self.words[word].store(value.to_le(), Ordering::Relaxed);
    }
}

/// A poll that lasts, as the worker tells it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Poll {
    /// When it began, in nanoseconds of CLOCK_MONOTONIC; any number.
    pub since_ns: u64,
    /// The actor; empty if it is no actor's.
    pub actor: String,
    /// The method, with its protocol.
    pub method: String,
}

/// Returns the poll that lasts longest; `None` if all threads wait.
pub fn longest_poll(copy: &[u8; POLLS_BYTES]) -> Option<Poll> {
    let polls = threads(copy).filter(|thread| number(thread, 0) > 0);
    polls.min_by_key(|thread| number(thread, 0)).map(poll)
}

/// Returns the poll in which the process has ended, if one of its threads has said so, else the one that lasts longest.
pub fn last_poll(copy: &[u8; POLLS_BYTES]) -> Option<Poll> {
    threads(copy).find(|thread| number(thread, 1) & ENDED != 0).map(poll).or_else(|| longest_poll(copy))
}

fn threads(copy: &[u8; POLLS_BYTES]) -> impl Iterator<Item = &[u8]> {
    copy.chunks_exact(THREAD_WORDS * WORD)
}

fn poll(thread: &[u8]) -> Poll {
    let is_named = number(thread, 1) & NAMED != 0;
    let name = |words: std::ops::Range<usize>| match is_named {
        true => text(&thread[words.start * WORD..words.end * WORD]),
        false => String::new(),
    };
    Poll { since_ns: number(thread, 0), actor: name(ACTOR), method: name(METHOD) }
}

/// Returns what stands before the first zero.
pub fn text(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..end]).into_owned()
}

fn number(thread: &[u8], word: usize) -> u64 {
    let bytes = &thread[word * WORD..(word + 1) * WORD];
    u64::from_le_bytes(bytes.try_into().expect("a word has eight bytes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slate() -> Vec<AtomicU64> {
        (0..SLATE_BYTES / WORD).map(|_| AtomicU64::new(0)).collect()
    }

    fn copy(slate: &[AtomicU64]) -> [u8; POLLS_BYTES] {
        let bytes: Vec<u8> =
            slate.iter().flat_map(|word| word.load(Ordering::Relaxed).to_ne_bytes()).collect();
        bytes[..POLLS_BYTES].try_into().unwrap()
    }

    #[test]
    fn a_poll_is_read_as_it_was_written_and_is_over_when_the_thread_waits() {
        let slate = slate();
        let desk = Desk::of(&slate, 3).unwrap();
        assert_eq!(longest_poll(&copy(&slate)), None);
        desk.name("life", ["Probe", ".", "spin"]);
        desk.begin(7, true);
        let poll = Poll { since_ns: 7, actor: "life".into(), method: "Probe.spin".into() };
        assert_eq!(longest_poll(&copy(&slate)), Some(poll));
        assert_eq!(desk.actor().as_deref(), Some("life"));
        desk.unname();
        assert_eq!(desk.actor(), None);
        let nobodys = Poll { since_ns: 7, actor: String::new(), method: String::new() };
        assert_eq!(longest_poll(&copy(&slate)), Some(nobodys));
        desk.rest();
        assert_eq!(longest_poll(&copy(&slate)), None);
    }

    #[test]
    fn the_longest_of_several_polls_is_told() {
        let slate = slate();
        for (thread, since) in [(0, 30), (5, 10), (7, 20)] {
            Desk::of(&slate, thread).unwrap().begin(since, false);
        }
        assert_eq!(longest_poll(&copy(&slate)).unwrap().since_ns, 10);
        assert!(Desk::of(&slate, THREADS.into()).is_none());
    }

    #[test]
    fn the_poll_in_which_the_process_ended_goes_before_longer_ones() {
        let slate = slate();
        for (thread, since) in [(0, 10), (1, 30), (2, 20)] {
            let desk = Desk::of(&slate, thread).unwrap();
            desk.name(["a", "b", "c"][thread], ["m"]);
            desk.begin(since, true);
        }
        assert_eq!(last_poll(&copy(&slate)).unwrap().actor, "a");
        Desk::of(&slate, 1).unwrap().named()[0].fetch_or(ENDED.to_le(), Ordering::Relaxed);
        assert_eq!(last_poll(&copy(&slate)).unwrap().actor, "b");
        assert_eq!(longest_poll(&copy(&slate)).unwrap().actor, "a");
    }

    #[test]
    fn a_name_that_is_too_long_is_cut() {
        let slate = slate();
        let desk = Desk::of(&slate, 0).unwrap();
        desk.name(&"ä".repeat(100), ["x"; 1000]);
        desk.begin(1, true);
        let poll = longest_poll(&copy(&slate)).unwrap();
        assert_eq!((poll.actor, poll.method), ("ä".repeat(64), "x".repeat(112)));
        desk.name("a", []);
        desk.begin(1, true);
        assert_eq!(longest_poll(&copy(&slate)).unwrap().actor, "a");
    }

    proptest::proptest! {
        #[test]
        fn nothing_of_a_former_name_is_left(names in proptest::collection::vec(("[a-z]{0,140}", "[a-z]{0,60}"), 1..4)) {
            let (used, fresh) = (slate(), slate());
            for (actor, method) in &names {
                Desk::of(&used, 0).unwrap().name(actor, [method.as_str(), ".", method]);
            }
            let (actor, method) = names.last().unwrap();
            Desk::of(&fresh, 0).unwrap().name(actor, [method.as_str(), ".", method]);
            proptest::prop_assert_eq!(copy(&used), copy(&fresh));
        }

        #[test]
        fn whatever_stands_there_is_read(bytes in proptest::collection::vec(0_u8.., POLLS_BYTES)) {
            let copy: [u8; POLLS_BYTES] = bytes.try_into().unwrap();
            if let Some(poll) = longest_poll(&copy) {
                // A byte that is no text becomes a mark of three.
                assert!(poll.actor.len() <= 3 * 128 && poll.method.len() <= 3 * 112);
            }
        }
    }
}
