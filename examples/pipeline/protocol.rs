//! What the workers of the pipeline say to each other.

use bailiwick::prelude::*;
use serde::{Deserialize, Serialize};

/// Whoever makes sense of lines.
#[protocol]
pub(crate) trait Parser {
    /// Returns what a line says.
    async fn parse(&mut self, line: String) -> Result<Record, Malformed>;
}

/// Whoever keeps what came of them.
#[protocol]
pub(crate) trait Store {
    /// Keeps an entry once, however often it is put. It is kept when this is answered.
    async fn put(&mut self, id: Id, entry: Entry) -> Result<(), NotKept>;
}

/// Tells a line from every other one: when its reader began to read, in microseconds since 1970, and which line of it it is.
#[message]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Id {
    pub(crate) reader: u64,
    pub(crate) line: u64,
}

/// What became of a line, as it stands in the file.
#[message]
#[derive(Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Entry {
    /// What it says.
    Stored(Record),
    /// It says nothing; and why not.
    Refused { line: String, reason: String },
    /// It has ended parser after parser; and how the last of them ended.
    Poison { line: String, reason: String },
}

/// Names and values, in the order of the line.
#[message]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) fields: Vec<(String, String)>,
}

/// Why a line says nothing.
#[message]
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[error("{expected} is expected at byte {at}")]
pub(crate) struct Malformed {
    pub(crate) at: u32,
    pub(crate) expected: String,
}

/// Why an entry is not kept.
#[message]
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[error("the file does not take it: {reason}")]
pub(crate) struct NotKept {
    pub(crate) reason: String,
}

/// What a client is told when all its lines are settled: `read` is the sum of the others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Counts {
    pub(crate) read: u64,
    pub(crate) stored: u64,
    pub(crate) refused: u64,
    pub(crate) poison: u64,
}

/// What is asked of an actor that does its work when it starts: nothing.
#[protocol]
pub(crate) trait Silent {}
