//! Why the admin worker could not be asked, or what it refused.

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use bailiwick_supervisor::check::escape;
use thiserror::Error;

use crate::exit::Exit;

/// The most bytes of a file with a token that are read.
const TOKEN_BYTES_MAX: u64 = 4096;

/// Why the admin worker could not be asked, or what it refused.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum AdminError {
    /// The system has none.
    #[error("system {system} has no admin worker, which knows this", system = escape(system))]
    Missing {
        /// The system's name.
        system: String,
        /// Its manifest, if it has one.
        manifest: Option<String>,
    },
    /// It was stopped or given up.
    #[error("the admin worker does not run; it is {stands}")]
    Down {
        /// Its state, and why.
        stands: String,
    },
    /// Nobody listens where it should.
    #[error("the admin worker is not reached at {address}: {error}", address = escape(address))]
    Unreachable {
        /// Where it was looked for.
        address: String,
        /// The kernel's error.
        error: io::Error,
        /// Its state, and why.
        stands: String,
    },
    /// It has not answered in time.
    #[error("the admin worker at {address} did not answer within {waited:?}; it is {stands}", address = escape(address))]
    TimedOut {
        /// Where it was asked.
        address: String,
        /// How long it was waited for.
        waited: Duration,
        /// Its state, and why.
        stands: String,
    },
    /// It answers with more than is read.
    #[error("the answer of the admin worker at {address} has more than {limit} bytes", address = escape(address))]
    TooLong {
        /// Where it was asked.
        address: String,
        /// The most that is read.
        limit: usize,
    },
    /// It answers with bytes that are no text.
    #[error("the answer of the admin worker at {address} is no text", address = escape(address))]
    NoText {
        /// Where it was asked.
        address: String,
    },
    /// Its answer is none of HTTP, or ends before its end.
    #[error("no whole answer came from the admin worker at {address}: {why}", address = escape(address), why = escape(why))]
    NoHttp {
        /// Where it was asked.
        address: String,
        /// What is wrong with it.
        why: String,
    },
    /// It answers with another document than expected.
    #[error("the answer of the admin worker to {path} is not what was expected: {error}", path = escape(path))]
    Document {
        /// What was asked for.
        path: String,
        /// What is wrong with it.
        error: serde_json::Error,
    },
    /// It refuses.
    #[error("the admin worker refuses {path} with {code}: {words}", path = escape(path), words = first_line(words))]
    Refused {
        /// What was asked for.
        path: String,
        /// The code of HTTP.
        code: u16,
        /// What it says of why.
        words: String,
    },
    /// The token that it asks for is not to be had.
    #[error("the token of the admin worker cannot be read from {path}: {error}", path = path.display())]
    Token {
        /// The file.
        path: PathBuf,
        /// The kernel's error.
        error: io::Error,
    },
}

impl AdminError {
    /// Returns the exit code.
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Unreachable { error, .. } | Self::Token { error, .. } => match error.kind() {
                ErrorKind::PermissionDenied => Exit::NotAllowed,
                _ if matches!(self, Self::Token { .. }) => Exit::Failed,
                _ => Exit::Unreachable,
            },
            Self::Down { .. } => Exit::Unreachable,
            Self::TimedOut { .. } => Exit::TimedOut,
            Self::Refused { code: 401 | 403, .. } => Exit::NotAllowed,
            Self::Missing { .. }
            | Self::TooLong { .. }
            | Self::NoText { .. }
            | Self::NoHttp { .. }
            | Self::Document { .. }
            | Self::Refused { .. } => Exit::Failed,
        }
    }

    /// Says what to do next, where something can be done.
    pub(crate) fn advice(&self) -> Option<String> {
        Some(match self {
            Self::Missing { manifest: Some(manifest), .. } => format!(
                "add `[admin]` with `tcp = \"127.0.0.1:9464\"` to {}, and start the system anew",
                escape(manifest)
            ),
            Self::Missing { manifest: None, .. } => {
                "only a system with a manifest has one: it is `[admin]` there".into()
            }
            Self::Down { .. } => {
                "`bailiwick start admin` starts it; `bailiwick status admin` says what it printed last".into()
            }
            Self::Unreachable { error, .. } | Self::Token { error, .. }
                if error.kind() == ErrorKind::PermissionDenied =>
            {
                "run it as root, or as a user who may open that".into()
            }
            Self::Unreachable { stands, .. } => format!(
                "the supervisor says that it is {stands}; is this another machine, container or network namespace?"
            ),
            Self::TimedOut { .. } | Self::NoHttp { .. } | Self::NoText { .. } | Self::TooLong { .. } => {
                "`bailiwick status admin` says how it stands and what it printed last; `bailiwick restart admin` starts it anew"
                    .into()
            }
            Self::Document { .. } => {
                "the command and the admin worker come from different builds: `bailiwick restart admin` takes up what is on disk"
                    .into()
            }
            Self::Refused { .. } | Self::Token { .. } => return None,
        })
    }
}

/// Reads what is to be known by those who change something.
pub(super) fn read_token(path: &Path) -> Result<String, AdminError> {
    let mut token = String::new();
    let read = File::open(path).and_then(|file| file.take(TOKEN_BYTES_MAX).read_to_string(&mut token));
    match read {
        Ok(_) => Ok(token.trim_ascii_end().to_owned()),
        Err(error) => Err(AdminError::Token { path: path.to_owned(), error }),
    }
}

/// Returns the first line of what somebody says, who is not believed to be short.
fn first_line(words: &str) -> String {
    let line = words.lines().next().unwrap_or_default();
    let mut short: String = line.chars().take(WORDS_MAX).collect();
    if short.len() < line.len() {
        short.push('…');
    }
    escape(&short)
}

/// The most characters of a refusal that are shown.
const WORDS_MAX: usize = 300;
