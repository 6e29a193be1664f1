//! The admin worker, as commands find and ask it: `status` says where it serves, and it answers there over HTTP.
//!
//! It is a process like any other worker's, and somebody may have taken it over: what it answers is bounded in time and size, is
//! text or nothing, and whoever shows it escapes it. It is asked on a connection for each question, so that a life which ends
//! costs one answer.

pub(crate) mod actors;
mod error;
mod exchange;
mod follow;

use std::path::PathBuf;
use std::time::Duration;

use bailiwick_admin::words::detail;
use bailiwick_supervisor::control::{Client, Row, State, Status};
use serde::de::DeserializeOwned;

use crate::arguments::Place;
use crate::exit::Failure;
use crate::place;
pub use error::AdminError;
use exchange::Question;
use follow::Lines;

/// The name of the worker: no other may have it.
const NAME: &str = "admin";

/// How long an answer may take, unless somebody wants to wait longer: the worker itself gives those that it asks five seconds.
const PATIENCE: Duration = Duration::from_secs(10);

/// The admin worker of a running system.
#[derive(Clone, Debug)]
pub(crate) struct Admin {
    /// An address and a port, or the path of a Unix socket.
    address: String,
    /// The file with the token that it asks for from those who change something.
    token: Option<PathBuf>,
    /// How it stands, as the supervisor says.
    stands: String,
    patience: Duration,
}

/// What it answered.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    /// The code of HTTP.
    pub(crate) code: u16,
    pub(crate) text: String,
    /// What was asked for.
    path: String,
}

/// How an answer in lines ended.
#[derive(Clone, Debug)]
pub(crate) enum Followed {
    /// After its last line, or the last that was wanted, or because it broke off.
    Ended,
    /// Somebody interrupted this.
    Interrupted,
    /// There were no lines, but this.
    Refused(Answer),
}

impl Admin {
    /// Finds the admin worker of the system that is meant.
    ///
    /// # Errors
    /// No supervisor answers; it has no admin worker, or that is stopped or given up.
    pub(crate) fn find(place: &Place) -> Result<Self, Failure> {
        Ok(Self::of(&Client::connect(&place::find(place)?)?.status()?)?)
    }

    /// Finds it in what the supervisor said.
    ///
    /// # Errors
    /// There is none, or it is stopped or given up. One that is about to start is waited for: its listener is the supervisor's.
    pub(crate) fn of(found: &Status) -> Result<Self, AdminError> {
        let (Some(address), Some(row)) = (&found.admin, found.workers.iter().find(|row| row.name == NAME))
        else {
            let (system, manifest) = (found.supervisor.name.clone(), found.manifest.clone());
            return Err(AdminError::Missing { system, manifest });
        };
        let stands = stands(row);
        if matches!(row.state, State::Stopped | State::Stopping | State::Failed | State::Done) {
            return Err(AdminError::Down { stands });
        }
        let token = found.admin_token.as_ref().map(PathBuf::from);
        Ok(Self { address: address.clone(), token, stands, patience: PATIENCE })
    }

    /// Waits so long for an answer.
    pub(crate) fn waiting(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// Asks for a path, which may have a query: `/api/v1/actors?n=20`.
    ///
    /// # Errors
    /// Nobody answers in time, or with more than may be read.
    pub(crate) fn get(&self, path: &str) -> Result<Answer, AdminError> {
        self.ask(Question { path, token: None, body: None })
    }

    /// Sends a JSON document to a path, with the token if one is asked for.
    ///
    /// # Errors
    /// As [`Admin::get`], and if the token cannot be read.
    pub(crate) fn post(&self, path: &str, body: &str) -> Result<Answer, AdminError> {
        let token = self.token.as_deref().map(error::read_token).transpose()?;
        self.ask(Question { path, token: token.as_deref(), body: Some(body) })
    }

    /// Sends a JSON document to a path, as [`Admin::post`] does, and hands over each line of the answer as it comes, until that ends,
    /// `take` wants no more, or somebody interrupts this. Returns the answer if it is a refusal.
    ///
    /// # Errors
    /// As [`Admin::post`]; the lines so far were handed over.
    pub(crate) fn follow(
        &self,
        path: &str,
        body: &str,
        take: &mut dyn FnMut(&str) -> bool,
    ) -> Result<Followed, AdminError> {
        let token = self.token.as_deref().map(error::read_token).transpose()?;
        let question = Question { path, token: token.as_deref(), body: Some(body) };
        let lines = follow::follow(&self.address, question, self.patience, take);
        match lines.map_err(|broken| broken.of(&self.address, self.patience, &self.stands))? {
            Lines::Ended => Ok(Followed::Ended),
            Lines::Interrupted => Ok(Followed::Interrupted),
            Lines::Refused(code, text) => Ok(Followed::Refused(Answer { code, text, path: path.to_owned() })),
        }
    }

    fn ask(&self, question: Question<'_>) -> Result<Answer, AdminError> {
        let path = question.path.to_owned();
        let (code, text) = exchange::exchange(&self.address, question, self.patience)
            .map_err(|broken| broken.of(&self.address, self.patience, &self.stands))?;
        Ok(Answer { code, text, path })
    }
}

impl Answer {
    /// Returns the text, if this is what was asked for.
    ///
    /// # Errors
    /// It is a refusal: what was said of why.
    pub(crate) fn done(self) -> Result<String, AdminError> {
        match self.code {
            200..=299 => Ok(self.text),
            code => Err(AdminError::Refused { path: self.path, code, words: self.text }),
        }
    }

    /// Reads the document that was asked for.
    ///
    /// # Errors
    /// It is a refusal, or another document than expected.
    pub(crate) fn document<T: DeserializeOwned>(self) -> Result<T, AdminError> {
        let path = self.path.clone();
        serde_json::from_str(&self.done()?).map_err(|error| AdminError::Document { path, error })
    }
}

/// Says how the worker stands.
fn stands(row: &Row) -> String {
    format!("{}: {}", row.state.word(), detail(row))
}

#[cfg(test)]
mod tests;
