//! A span as it goes from worker to worker.

use bailiwick::prelude::*;

/// Something that took a while, within a trace.
#[message]
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Span {
    /// The number of the trace, which all its spans share.
    pub trace: [u8; 16],
    /// Its own number.
    pub id: [u8; 8],
    /// The number of the span that brought it about; zeros for the first of a trace.
    pub parent: [u8; 8],
    /// What was done, `Cache.lookup` for a message.
    pub name: String,
    /// It is a handled message, and nothing that a handler did within one.
    pub is_message: bool,
    /// When it began and ended, in nanoseconds since 1970.
    pub time: (u64, u64),
    /// What more is known of it.
    pub attributes: Vec<(String, String)>,
    /// Why it failed, if it did: a panic, or an event of level ERROR within it.
    pub error: Option<String>,
}

/// Spans of one worker.
#[message]
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Batch {
    /// The worker, as it calls itself, with the number of its instance if it has several.
    pub worker: String,
    /// The spans that ended since the last batch, the oldest first.
    pub spans: Vec<Span>,
    /// How many were lost since then.
    pub dropped: u64,
}
