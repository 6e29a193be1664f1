//! One way of a link in memory that two processes share: who writes puts whole packets in, who reads takes them out, and
//! each says when it sleeps.
//!
//! Nothing here is a lock, and nobody waits: whoever dies or stops at any instruction leaves the other with what it had
//! published. Every word that is shared has one writer, and no end reads back what it wrote itself: what it knows of its own
//! position is in its own memory. So whoever writes nonsense, into its own words or the other's, harms only what it sends or
//! what it is sent. What the other end says is read once, compared with what is possible, and refused as [`Forged`] otherwise.
//!
//! | word | written by | meaning |
//! | ---: | --- | --- |
//! | 0 | who writes | the end of what is published, in words since the beginning |
//! | 16 | who writes | odd while it sleeps until there is room |
//! | 32 | who reads | the end of what is taken, in words since the beginning |
//! | 48 | who reads | odd while it sleeps until there is something |
//! | 64 | who writes | packets, round and round: a head, then the bytes, filled up to whole words |
//!
//! | bits of a head | meaning |
//! | ---: | --- |
//! | 0 to 31 | bytes, at least 1 |
//! | 32 to 47 | descriptors that came over the socket beside it before the packet was published |
//! | 48 to 63 | zero |
//!
//! The bell: who is about to sleep says so, then looks once more; who has published, or taken, then looks whether the other
//! sleeps. Between the two steps of each stands a fence, so that at least one of them sees the other. A sleep is rung for
//! once; the next one has another number.

mod reader;
mod spin;
mod writer;

pub use reader::{Reader, Record};
pub use spin::Spin;
pub use writer::{WriteError, Writer};

use crate::lending::PLACES;

/// Words before the first packet. Each shared word has 128 bytes of its own: a neighbour is fetched along with 64.
pub const CONTROL_WORDS: usize = 64;
/// Bytes in a word.
pub const WORD_BYTES: usize = 8;
/// Words of one way of a link: 512 KiB, so that three of the largest packets fit, and who writes the next need not wait
/// until the one before it is read.
pub const LANE_WORDS: usize = CONTROL_WORDS + (512 << 10) / WORD_BYTES;
/// Where the words of both ends begin that say what of [lent](crate::lending) memory was given back: one for each place, of those that
/// the first end lends, then of those that the second does.
pub const RETURNS_AT: usize = 2 * LANE_WORDS;
/// Words from one place to the next.
pub const RETURN_STRIDE: usize = 16;
/// Words for what one end lends.
pub const RETURN_WORDS: usize = PLACES * RETURN_STRIDE;
/// The memory of a link: one way, then the other, then what was given back.
pub const LINK_BYTES: usize = (RETURNS_AT + 2 * RETURN_WORDS) * WORD_BYTES;

const TAIL: usize = 0;
const WRITER_SLEEPS: usize = 16;
const HEAD: usize = 32;
const READER_SLEEPS: usize = 48;

/// The words that both ends see. None is asked for beyond [`Words::count`].
pub trait Words {
    /// Returns how many there are, as both ends were told by who made them.
    fn count(&self) -> usize;
    /// Returns a word; what its writer did before it was written is seen as well.
    fn acquire(&self, at: usize) -> u64;
    /// Writes a word; who sees it sees what was done before.
    fn release(&self, at: usize, word: u64);
    /// Orders what this thread wrote before what it reads afterwards, in the eyes of all.
    fn fence(&self);
    /// Copies words out, as bytes; of the last one as many as are wanted.
    fn copy_out(&self, at: usize, bytes: &mut [u8]);
    /// Copies bytes in, filled up to a whole word.
    fn copy_in(&self, at: usize, bytes: &[u8]);
}

/// What the other end wrote is impossible: it does not keep to the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forged {
    /// It has published less than before, or more than fits.
    Tail(u64),
    /// It has taken what was taken before, or what was never published.
    Head(u64),
    /// A packet has no bytes, too many, or more than are published.
    Packet(u64),
}

/// Where the packets are, and how large the room for them is.
#[derive(Clone, Copy, Debug)]
struct Room {
    words: u64,
}

impl Room {
    /// Returns the room in this many words: what is left of them, if that is a power of two.
    fn of(count: usize) -> Option<Self> {
        let words = count.checked_sub(CONTROL_WORDS).filter(|words| words.is_power_of_two())?;
        Some(Self { words: words as u64 })
    }

    /// Returns where a position is, and how many words follow it before the room begins again.
    fn at(self, position: u64) -> (usize, usize) {
        let offset = position & (self.words - 1);
        (CONTROL_WORDS + offset as usize, (self.words - offset) as usize)
    }
}

/// Returns how many words a packet of this many bytes takes.
fn words_of(bytes: usize) -> u64 {
    1 + bytes.div_ceil(WORD_BYTES) as u64
}

/// What one end says of its own sleep, and which sleep of the other it has rung for.
#[derive(Clone, Copy, Debug, Default)]
struct Bell {
    own: u64,
    rung: u64,
}

impl Bell {
    /// Says that this end sleeps from now on, again if it has said so before. What it waits for is to be looked at afterwards.
    fn sleep(&mut self, words: &impl Words, at: usize) {
        self.own = (self.own + 1) | 1;
        words.release(at, self.own);
        words.fence();
    }

    /// Says that this end is awake, if it has said that it sleeps.
    fn wake(&mut self, words: &impl Words, at: usize) {
        if self.own % 2 == 1 {
            self.own += 1;
            words.release(at, self.own);
        }
    }

    /// Returns whether the other end sleeps and nobody has rung for that yet, after what this end has just done.
    fn hears(&self, words: &impl Words, at: usize) -> Option<u64> {
        words.fence();
        Some(words.acquire(at)).filter(|asleep| asleep % 2 == 1 && *asleep != self.rung)
    }
}
