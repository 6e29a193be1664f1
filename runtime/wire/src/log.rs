//! What workers and the supervisor print, line by line: who said what and when, remembered within bounds and told on
//! the control socket to whoever asks for what came after a number.
//!
//! [`Log`] is the memory, of which the supervisor owns one. Lines travel in packets of many, each at most
//! [`PACKET_BYTES`]; whoever reads one takes its bytes for hostile, as what they tell is in the words of workers.
//!
//! What is lost shows. Numbers ascend over all sources; each line says besides the how-manieth of its source it is, and
//! how many of those before it were dropped because they were printed too fast, so that from two lines of one source
//! follows what came between them and is not told: see [`Count::lost_since`].

mod event;
pub mod event_line;
mod format;
mod intake;
mod journald;
mod json;
mod memory;
mod packet;
mod priority;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use crate::crash::Moment;
use crate::operator::{Target, title};
use crate::output::LINE_BYTES;

pub use event::{Event, FIELDS_MAX, Level};
pub use format::Format;
pub use intake::Intake;
pub use memory::{BYTES_MAX, LINE_COST, LINES_EACH, Log, SOURCE_BYTES, SOURCES_MAX};
pub use packet::{LAYOUT, LogError, MAGIC, PACKET_BYTES, read, write};
pub use priority::Priority;

/// By this name the supervisor's own lines are known. No worker may have it.
pub const SUPERVISOR: &str = "bailiwick";

/// The longest text of a line: every byte of the longest that is kept whole, escaped.
pub const TEXT_BYTES: usize = 4 * LINE_BYTES;

/// Asks for no line that was printed already, whatever its number.
pub const NEXT_LINE: u64 = u64::MAX;

/// Who prints: one instance of a worker, over all its lives, or the supervisor.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Source {
    /// The worker's name, or [`SUPERVISOR`].
    pub worker: String,
    /// The instance, from 1; 0 for the supervisor.
    pub instance: u16,
    /// There may be several, so that the number belongs to what people call it.
    pub numbered: bool,
}

/// A line by itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Said {
    /// When it was read.
    pub at: Moment,
    /// The life that printed it; 0 for the supervisor.
    pub generation: u32,
    /// How much it matters, as the line itself says.
    pub priority: Priority,
    /// What it says, escaped, without its priority and its end.
    pub text: String,
    /// What else there is of an event; `None` for what is printed as text.
    pub event: Option<Box<Event>>,
}

/// A line as it is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// Its number among the lines of all sources, from 1 in the life of a supervisor.
    pub number: u64,
    /// Who printed it.
    pub source: Source,
    /// Where it stands among the lines of its source.
    pub count: Count,
    /// The line.
    pub said: Said,
}

/// Where a line stands among those of its source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Count {
    /// Its number among them, from 1; those that were dropped are counted.
    pub nth: u64,
    /// How many before it were dropped because they were printed too fast.
    pub dropped: u64,
}

/// What is not told between two lines of one source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lost {
    /// Lines that were never kept, because they were printed too fast.
    pub dropped: u64,
    /// Lines that gave way to later ones before they were asked for.
    pub forgotten: u64,
}

impl Source {
    /// Returns that of the supervisor's own lines.
    pub fn supervisor() -> Self {
        Self { worker: SUPERVISOR.to_owned(), instance: 0, numbered: false }
    }

    /// Returns whether this is the supervisor.
    pub fn is_supervisor(&self) -> bool {
        self.instance == 0
    }

    /// Returns what people call it, as `web` or `web.2`.
    pub fn title(&self) -> String {
        title(&self.worker, self.instance, self.numbered)
    }
}

impl Count {
    /// Returns what is not told between an earlier line and this one; the default stands for the beginning. Whatever
    /// they claim, nothing is counted below zero.
    pub fn lost_since(self, before: Self) -> Lost {
        let missing = self.nth.saturating_sub(before.nth).saturating_sub(1);
        let dropped = self.dropped.saturating_sub(before.dropped).min(missing);
        Lost { dropped, forgotten: missing - dropped }
    }
}

impl Line {
    /// Returns the line as a JSON document on one line.
    pub fn to_json(&self) -> String {
        self.said.to_json(Some(self.number), &self.source)
    }
}

impl Lost {
    /// Returns so much of it as that many lines in all are.
    pub fn at_most(self, lines: u64) -> Self {
        let dropped = self.dropped.min(lines);
        Self { dropped, forgotten: self.forgotten.min(lines - dropped) }
    }

    /// Returns whether nothing is.
    pub fn is_nothing(self) -> bool {
        self == Self::default()
    }
}

impl Target {
    /// Returns whether the lines of a source are meant: of the whole system all, the supervisor's included.
    pub fn means(&self, source: &Source) -> bool {
        match self {
            Self::System => true,
            Self::Worker(name) => source.worker == *name,
            Self::Instance(name, instance) => source.worker == *name && source.instance == *instance,
        }
    }
}
