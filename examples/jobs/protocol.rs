//! What the front says to a runner, and to its clients.

use std::io::PipeWriter;

use bailiwick::prelude::*;
use serde::{Deserialize, Serialize};

/// Whoever runs commands.
#[protocol]
pub(crate) trait Runner {
    /// Runs `command` by `/bin/sh`, which prints to `output`, and tells how it ended.
    async fn run(&mut self, command: String, output: Fd<PipeWriter>) -> Result<Ended, NotStarted>;
}

/// How a command ended.
#[message]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    Exited(i32),
    Signalled(i32),
}

/// Why there was no command.
#[message]
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[error("/bin/sh does not start: {reason}")]
pub(crate) struct NotStarted {
    pub(crate) reason: String,
}

/// One line of what a client is told: `{"output":"hello\n"}`, and at last one of the others.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Event {
    /// Some of what the command printed. What is not UTF-8 is replaced.
    Output(String),
    /// It ended by itself, with this code.
    Exited(i32),
    /// A signal ended it, by its number.
    Signalled(i32),
    /// It reached a limit and was ended.
    Stopped(String),
    /// It certainly did not run: it may be sent again.
    NotRun(String),
    /// It ran, and nobody knows how far it came.
    Lost(String),
}

/// An ask has the same three ends as a job: an answer, certainly nothing, and nobody knows.
impl From<Result<Result<Ended, NotStarted>, AskError>> for Event {
    fn from(outcome: Result<Result<Ended, NotStarted>, AskError>) -> Self {
        match outcome {
            Ok(Ok(Ended::Exited(code))) => Self::Exited(code),
            Ok(Ok(Ended::Signalled(signal))) => Self::Signalled(signal),
            Ok(Err(error)) => Self::NotRun(error.to_string()),
            Err(AskError::NotDelivered(reason)) => Self::NotRun(reason.to_string()),
            Err(AskError::Unknown(reason)) => Self::Lost(reason.to_string()),
        }
    }
}

/// What is asked of an actor that does its work when it starts: nothing.
#[protocol]
pub(crate) trait Silent {}
