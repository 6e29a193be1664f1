//! What a worker leaves behind for who asks why it died: a part of its [slate](crate::slate), which outlives it.
//!
//! The worker's runtime writes it when something happens that may end the process, and the supervisor reads a copy once
//! the process is gone. Nothing has to arrive in time, and a worker that dies in the middle of writing has said nothing.
//! What a worker wrote is hostile: whatever cannot be read was not said.
//!
//! | word of 8 bytes | meaning |
//! | ---: | --- |
//! | 0 | 1 once the three that follow hold |
//! | 1 | the architecture of a forbidden system call, as the kernel's audit numbers it |
//! | 2 | the number of that call |
//! | 3 | the address after the instruction that made it |
//! | 4 | messages that were lost so far: they could not be delivered |
//! | 5 | the length of the build id, at most 24 |
//! | 6 to 8 | the build id of the executable |
//! | 10 | the length of the latest [`Panic`], 0 if there was none |
//! | 11 to 255 | the panic |
//! | 256 | the length of [`GaveUp`], 0 if no actor gave up |
//! | 257 to 511 | the chain |
//!
//! Numbers are little endian. A length is written last.

use std::sync::atomic::{AtomicU64, Ordering, fence};

use serde::{Deserialize, Serialize};

use crate::Limits;
use crate::codec;
use crate::slate::TESTAMENT_AT;
use crate::text::cut;

/// The size of this part.
pub const LAST_WORDS_BYTES: usize = 4096;
/// The word that counts lost messages.
const LOST: usize = 4;
const BUILD_ID: Section = Section { at: 5, words: 3 };
const PANIC: Section = Section { at: 10, words: 245 };
const GAVE_UP: Section = Section { at: 256, words: 255 };
const WORD: usize = size_of::<u64>();

/// The longest message of a panic, or reason of an actor, in bytes; the rest of a longer one is cut.
pub const MESSAGE_BYTES: usize = 1024;
/// The longest name in bytes; the rest of a longer one is cut.
const NAME_BYTES: usize = 192;
/// The actors that a chain of escalations names at most.
const LINKS_MAX: usize = 8;

/// A length and, behind it, bytes in so many words.
#[derive(Clone, Copy, Debug)]
struct Section {
    at: usize,
    words: usize,
}

/// This part of a slate, as its writer sees it. What several threads write at once may mix.
#[derive(Clone, Copy, Debug)]
pub struct Testament<'a> {
    words: &'a [AtomicU64],
}

impl<'a> Testament<'a> {
    /// Returns the part of `slate` that is for last words; `None` if it is none.
    pub fn of(slate: &'a [AtomicU64]) -> Option<Self> {
        slate.get(TESTAMENT_AT / WORD..)?.get(..LAST_WORDS_BYTES / WORD).map(|words| Self { words })
    }

    /// Returns the four words in which a signal's handler notes a forbidden system call.
    pub fn forbidden_call(&self) -> &'a [AtomicU64; 4] {
        self.words.first_chunk().expect("the part has more words")
    }

    /// Leaves the build id of what is executed.
    pub fn build_id(&self, id: &[u8]) {
        BUILD_ID.write(self.words, id);
    }

    /// Leaves the latest panic, in the place of the one before. What is too long is cut.
    pub fn panic(&self, panic: &Panic) {
        PANIC.write(self.words, &panic.to_bytes());
    }

    /// Leaves which actor gave up, and why. Of what is too long, what stands deepest is kept.
    pub fn gave_up(&self, gave_up: &GaveUp) {
        GAVE_UP.write(self.words, &gave_up.to_bytes());
    }

    /// Counts messages that could not be delivered.
    pub fn lost(&self, messages: u64) {
        self.words[LOST].fetch_add(messages, Ordering::Relaxed);
    }
}

/// Everything that a dead worker has said.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastWords {
    /// The forbidden system call that ended it.
    pub forbidden_call: Option<ForbiddenCall>,
    /// Messages that could not be delivered in this life.
    pub lost_messages: u64,
    /// The build id of what it executed; empty if it has none.
    pub build_id: Vec<u8>,
    /// Its latest panic, which need not be why it ended.
    pub panic: Option<Panic>,
    /// The actor that gave up, and with it the worker.
    pub gave_up: Option<GaveUp>,
}

/// A system call that a filter stopped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForbiddenCall {
    /// The architecture, as the kernel's audit numbers it.
    pub architecture: u32,
    /// Its number on that architecture.
    pub number: i64,
    /// The address after the instruction that made it.
    pub address: u64,
}

/// A panic, as its hook saw it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Panic {
    /// What it said.
    pub message: String,
    /// `file:line:column`; empty if not known.
    pub location: String,
    /// The thread's name; empty if it has none.
    pub thread: String,
    /// The actor whose handler panicked; empty outside of any.
    pub actor: String,
    /// When, on the monotonic clock, in nanoseconds.
    pub at_ns: u64,
    /// The panics of this life so far, this one included.
    pub count: u32,
}

/// Why an actor gave up that nobody in the worker stands above.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GaveUp {
    /// From the actor that ended the worker down to the one that began it.
    pub chain: Vec<Step>,
}

/// One step of an escalation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// The actor.
    pub actor: String,
    /// Why it failed the last time.
    pub why: String,
}

impl LastWords {
    /// Reads what is in a copy of this part. What cannot be read was not said.
    pub fn from_bytes(copy: &[u8]) -> Self {
        Self {
            forbidden_call: (word(copy, 0) == 1).then(|| ForbiddenCall {
                architecture: word(copy, 1) as u32,
                number: word(copy, 2).cast_signed(),
                address: word(copy, 3),
            }),
            lost_messages: word(copy, LOST),
            build_id: BUILD_ID.read(copy).unwrap_or_default().to_vec(),
            panic: PANIC.decode(copy),
            gave_up: GAVE_UP.decode(copy),
        }
    }
}

impl Panic {
    fn to_bytes(&self) -> Vec<u8> {
        let cut = Self {
            message: cut(&self.message, MESSAGE_BYTES),
            location: cut(&self.location, NAME_BYTES),
            thread: cut(&self.thread, NAME_BYTES),
            actor: cut(&self.actor, NAME_BYTES),
            ..*self
        };
        PANIC.encode(&cut)
    }
}

impl GaveUp {
    fn to_bytes(&self) -> Vec<u8> {
        // What stands deepest is where everything began.
        let skipped = self.chain.len().saturating_sub(LINKS_MAX);
        let deepest_first = self.chain.iter().skip(skipped).rev();
        let mut left = GAVE_UP.words * WORD - STEP_BYTES * LINKS_MAX;
        let mut fit = |text: &str, limit: usize| {
            let text = cut(text, limit.min(left));
            left -= text.len();
            text
        };
        let mut chain: Vec<_> = deepest_first
            .map(|step| Step { actor: fit(&step.actor, NAME_BYTES), why: fit(&step.why, MESSAGE_BYTES) })
            .collect();
        chain.reverse();
        GAVE_UP.encode(&Self { chain })
    }
}

impl Section {
    fn read(self, copy: &[u8]) -> Option<&[u8]> {
        let length =
            usize::try_from(word(copy, self.at)).ok().filter(|length| *length <= self.words * WORD)?;
        copy.get((self.at + 1) * WORD..)?.get(..length)
    }

    fn write(self, words: &[AtomicU64], bytes: &[u8]) {
        let (length, place) = (&words[self.at], &words[self.at + 1..][..self.words]);
        length.store(0, Ordering::Relaxed);
        fence(Ordering::Release);
        for (word, bytes) in place.iter().zip(bytes.chunks(WORD)) {
            let mut filled = [0; WORD];
            filled[..bytes.len()].copy_from_slice(bytes);
            word.store(u64::from_ne_bytes(filled), Ordering::Relaxed);
        }
        let written = bytes.len().min(self.words * WORD);
        length.store((written as u64).to_le(), Ordering::Release);
    }

    fn decode<T: for<'a> Deserialize<'a>>(self, copy: &[u8]) -> Option<T> {
        let bytes = self.read(copy).filter(|bytes| !bytes.is_empty())?;
        codec::decode(bytes, &LIMITS).ok()
    }

    fn encode<T: Serialize>(self, value: &T) -> Vec<u8> {
        let mut bytes = Vec::new();
        // What was cut to size fits; if not, nothing is said rather than a part.
        if codec::encode(value, &LIMITS, &mut bytes).is_err() || bytes.len() > self.words * WORD {
            bytes.clear();
        }
        bytes
    }
}

/// What encoding adds to a chain and to each of its steps, at most.
const STEP_BYTES: usize = 24;
const LIMITS: Limits = Limits { fds: 0, addresses: 0, ..Limits::of_frame(LAST_WORDS_BYTES as u32) };

fn word(copy: &[u8], at: usize) -> u64 {
    copy.get(at * WORD..).and_then(<[u8]>::first_chunk).map_or(0, |bytes| u64::from_le_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, proptest};

    use super::*;
    use crate::slate::SLATE_BYTES;

    /// Returns what the reader finds after `write`.
    fn left(write: impl FnOnce(Testament<'_>)) -> Vec<u8> {
        let slate: Vec<AtomicU64> = (0..SLATE_BYTES / WORD).map(|_| AtomicU64::new(0)).collect();
        write(Testament::of(&slate).expect("a whole slate"));
        let bytes: Vec<u8> =
            slate.iter().flat_map(|word| word.load(Ordering::Relaxed).to_ne_bytes()).collect();
        let (elsewhere, here) = bytes.split_at(TESTAMENT_AT);
        assert!(elsewhere.iter().all(|byte| *byte == 0) && here.len() >= LAST_WORDS_BYTES);
        here[..LAST_WORDS_BYTES].to_vec()
    }

    fn panic() -> Panic {
        Panic {
            message: "index out of bounds".into(),
            location: "src/web.rs:7:9".into(),
            thread: "main".into(),
            actor: "web/front".into(),
            at_ns: 42,
            count: 3,
        }
    }

    fn chain(steps: usize, bytes: usize) -> GaveUp {
        let step = |at| Step { actor: format!("web/a{at}"), why: "x".repeat(bytes) };
        GaveUp { chain: (0..steps).map(step).collect() }
    }

    #[test]
    fn an_untouched_part_says_nothing() {
        assert_eq!(LastWords::from_bytes(&[0; LAST_WORDS_BYTES]), LastWords::default());
        assert_eq!(LastWords::from_bytes(&[]), LastWords::default());
        assert!(Testament::of(&[]).is_none());
    }

    #[test]
    fn what_was_said_reads_back() {
        let copy = left(|testament| {
            testament.build_id(&[7; 20]);
            testament.panic(&Panic { message: "an earlier one, and a longer one at that".into(), ..panic() });
            testament.panic(&panic());
            testament.gave_up(&chain(3, 5));
            testament.lost(2);
            testament.lost(3);
        });
        let found = LastWords::from_bytes(&copy);
        let said = LastWords {
            forbidden_call: None,
            lost_messages: 5,
            build_id: vec![7; 20],
            panic: Some(panic()),
            gave_up: Some(chain(3, 5)),
        };
        assert_eq!(found, said);
    }

    #[test]
    fn a_forbidden_call_counts_once_it_is_said_to_be_complete() {
        let call = ForbiddenCall { architecture: 0xc000_003e, number: 169, address: u64::MAX };
        let note = |said: u64| {
            left(|testament| {
                let values = [said, call.architecture.into(), call.number.cast_unsigned(), call.address];
                for (word, value) in testament.forbidden_call().iter().zip(values) {
                    word.store(value.to_le(), Ordering::Relaxed);
                }
            })
        };
        assert_eq!(LastWords::from_bytes(&note(0)).forbidden_call, None);
        assert_eq!(LastWords::from_bytes(&note(1)).forbidden_call, Some(call));
    }

    #[test]
    fn what_is_too_long_is_cut_and_fits() {
        let long = "\u{20ac}".repeat(1000);
        let panic = Panic { message: long.clone(), location: long.clone(), thread: long, ..panic() };
        let found = LastWords::from_bytes(&left(|testament| testament.panic(&panic))).panic.expect("it fits");
        assert_eq!(found.message.len(), 1023, "whole characters of three bytes");
        assert_eq!(found.actor, "web/front");
        let copy = left(|testament| testament.build_id(&[7; 30]));
        assert_eq!(LastWords::from_bytes(&copy).build_id, [7; 24]);
    }

    #[test]
    fn of_a_long_chain_its_beginning_is_kept() {
        for (steps, bytes) in [(1, 5000), (8, 300), (9, 5), (1000, 2000)] {
            let said = chain(steps, bytes);
            let copy = left(|testament| testament.gave_up(&said));
            let found = LastWords::from_bytes(&copy).gave_up.expect("it fits").chain;
            let deepest = found.last().expect("there is one");
            assert_eq!(deepest.actor, said.chain[steps - 1].actor);
            assert_eq!(deepest.why.len(), bytes.min(MESSAGE_BYTES));
        }
    }

    #[test]
    fn a_length_beyond_its_section_is_not_believed() {
        let mut copy = left(|testament| testament.panic(&panic()));
        for length in [PANIC.words as u64 * 8 + 1, u64::MAX] {
            copy[PANIC.at * WORD..][..WORD].copy_from_slice(&length.to_le_bytes());
            assert_eq!(LastWords::from_bytes(&copy).panic, None, "{length}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..2 * LAST_WORDS_BYTES)) {
            let _ = LastWords::from_bytes(&bytes);
        }
    }
}
