//! The report of a death: what ended one life of a worker, how that is known, and what was decided.
//!
//! The supervisor writes one when a life ended in another way than it should, keeps some of them as the bytes that
//! they travel as, and hands them out on the control socket, one to a packet. Whoever reads one takes the bytes for
//! hostile: much of a report is in the words of a worker that died of an attack.
//!
//! A packet is [`MAGIC`], the version of the layout, and the fields as [`codec`](crate::codec) writes them.

mod code;
mod reports;
#[cfg(test)]
mod tests;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::denials::Denial;
use crate::last_words::LastWords;
use crate::operator::{Cause, Digest};
use crate::slate::Poll;

pub use reports::CrashError;

/// The largest report.
pub const REPORT_BYTES: usize = 44 << 10;
/// What every report begins with; no record of the control socket does.
pub const MAGIC: [u8; 4] = *b"BWCR";
/// The version of the layout: another one for every change of it.
pub const LAYOUT: u8 = 5;
/// The most of each byte section that is kept: of the state of a sick process, and of its backtraces.
pub const SECTION_BYTES: usize = 10 << 10;
/// The longest line of output that a report holds; the rest of a longer one is cut.
pub const LINE_BYTES: usize = 512;
/// What followed from one death, one step after the other, at most.
pub const STEPS_MAX: usize = 16;

/// Everything that is known of one death.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// The worker.
    pub worker: String,
    /// Its instance, from 1.
    pub instance: u16,
    /// There may be several, so that the number belongs to what people call it.
    pub numbered: bool,
    /// Its group; empty for the root group.
    pub group: String,
    /// The number of the life that ended, from 1.
    pub generation: u32,
    /// Its process; `None` if there was none.
    pub pid: Option<u32>,
    /// SHA-256 of what it executed, where that is known.
    pub executable: Option<Digest>,
    /// When the life began.
    pub began: Moment,
    /// When the supervisor took its end.
    pub ended: Moment,
    /// Why it ended.
    #[serde(with = "code")]
    pub cause: Cause,
    /// How it ended, as the kernel told it.
    pub end: End,
    /// The signals that the supervisor sent it, the oldest first.
    pub sent: Vec<Sent>,
    /// The state in which it ended, in the word that `status` has for it.
    pub last_state: String,
    /// How long ago it was ready for the first time; `None` if it never was.
    pub ready_for: Option<Duration>,
    /// The budget of its group, after this death was charged or was not.
    pub budget: Budget,
    /// What was decided.
    pub decision: Decision,
    /// What followed for its groups, one sentence each.
    pub steps: Vec<String>,
    /// What the process used in its life.
    pub usage: Usage,
    /// What its control groups counted.
    pub counters: Counters,
    /// The poll that had not ended, the longest of them: what it was at.
    pub at_work: Option<Poll>,
    /// What it said itself.
    pub last_words: LastWords,
    /// The system calls and then the paths that it was denied, as it says, the latest of each first.
    pub denials: Vec<Denial>,
    /// How often it was denied what is not told.
    pub untold_denials: u64,
    /// What a helper read of the process before it was ended for not getting on.
    #[serde(with = "crate::codec::bytes")]
    pub snapshot: Vec<u8>,
    /// What its threads wrote of where they were, as raw addresses.
    #[serde(with = "crate::codec::bytes")]
    pub backtraces: Vec<u8>,
    /// What of both did not fit.
    pub cut: Cut,
    /// Where its core went, where the kernel wrote one and that is known.
    pub core: Option<Core>,
    /// The last lines that it printed, the oldest first, escaped.
    pub last_lines: Vec<String>,
}

/// The bytes of sections that were cut off.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cut {
    /// Of [`Report::snapshot`].
    pub snapshot_bytes: u32,
    /// Of [`Report::backtraces`].
    pub backtraces_bytes: u32,
}

/// Where the kernel wrote a core, by its `core_pattern`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Core {
    /// Into this file; a `*` stands for what the supervisor does not know.
    File(String),
    /// To the input of this program.
    Program(String),
}

/// A moment on both clocks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moment {
    /// Time since 1970, which an operator may have set anew in between.
    pub wall: Duration,
    /// Nanoseconds on the monotonic clock, by which everything is measured.
    pub monotonic_ns: u64,
}

/// How a process ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum End {
    /// It was not made, or did not get as far as its program.
    NotStarted {
        /// The step that failed; empty if there was no process yet.
        step: String,
        /// The error number.
        errno: i32,
    },
    /// It exited.
    Exited {
        /// With this code.
        code: u8,
    },
    /// A signal ended it.
    Signalled {
        /// The signal.
        signal: u8,
        /// The kernel wrote a core.
        core: bool,
    },
}

/// A signal that the supervisor sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sent {
    /// Its number.
    pub signal: u8,
    /// When, on the monotonic clock, in nanoseconds.
    pub at_ns: u64,
}

/// A restart budget after a death.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Budget {
    /// Whether this death was charged.
    pub charged: bool,
    /// Restarts that it still covers.
    pub left: u32,
    /// Restarts that it covers when nothing is spent.
    pub max: u32,
    /// Its window.
    pub period: Duration,
    /// Failures of this worker in a row, by which its pauses grow.
    pub failures: u32,
}

/// What was decided.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// In one word: `restart`, `cool_down`, `give_up`, `escalate` …
    pub action: String,
    /// In a sentence, with the reason.
    pub detail: String,
    /// The pause before the next start, where there is one.
    pub pause: Option<Pause>,
}

/// A pause before a start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pause {
    /// How long it is.
    pub delay: Duration,
    /// When it ends, on the monotonic clock, in nanoseconds.
    pub until_ns: u64,
}

/// What a process used, as the kernel counted it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Time on a processor in its own code.
    pub user: Duration,
    /// Time on a processor in the kernel.
    pub system: Duration,
    /// The most memory that it had resident, in bytes.
    pub peak_memory_bytes: u64,
}

/// What the control groups of a worker counted; `None` where it has none that does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counters {
    /// Its limit of memory in bytes.
    pub memory_max_bytes: Option<u64>,
    /// The most memory that the worker and its descendants used together, over all lives, in bytes.
    pub memory_peak_bytes: Option<u64>,
    /// How often the kernel killed among them in this life for want of memory.
    pub oom_kills: Option<u64>,
    /// How often a task was refused to them for its number, over all lives.
    pub tasks_refused: Option<u64>,
}
