//! How an ask can end other than by its reply, and why an actor can end.

use thiserror::Error;

pub use bailiwick_wire::reason::{CloseCause, DownCause, Failure as AskError, NotDelivered, Unknown};

/// How a tell can end other than by being delivered.
pub type TellError = AskError;

/// Why an incarnation of an actor ended.
///
/// ```
/// let cause = bailiwick::Cause::Panicked { message: "index out of bounds".into(), location: None };
/// assert_eq!(cause.to_string(), "panicked: index out of bounds");
/// assert!(cause.is_failure());
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Cause {
    /// It stopped itself, or was stopped in order.
    #[error("stopped")]
    Stopped,
    /// A panic in its code.
    #[error("panicked: {message}")]
    Panicked {
        /// The panic's message.
        message: String,
        /// `file:line:column`, where known.
        location: Option<String>,
    },
    /// `started`, `reconfigure` or its arguments failed.
    #[error("failed: {error}")]
    Failed {
        /// The chain of errors.
        error: String,
    },
    /// A child of it failed more often than its budget allows.
    #[error("child `{child}` gave up: {cause}")]
    ChildGaveUp {
        /// The child's name.
        child: String,
        /// Why the child failed the last time.
        cause: Box<Cause>,
    },
    /// What another worker, or the supervisor, tells of an actor or a worker over there.
    #[error("{0}")]
    Elsewhere(DownCause),
}

impl Cause {
    /// Returns whether the end was a failure, and no ordered stop.
    #[must_use]
    pub fn is_failure(&self) -> bool {
        !matches!(self, Self::Stopped | Self::Elsewhere(DownCause::Stopped))
    }

    /// Returns what other workers are told: the kind of the cause, without words from inside of this one.
    #[must_use]
    pub fn brief(&self) -> DownCause {
        match self {
            Self::Stopped => DownCause::Stopped,
            Self::Panicked { .. } => DownCause::Panicked,
            Self::Failed { .. } | Self::ChildGaveUp { .. } => DownCause::Failed,
            Self::Elsewhere(cause) => *cause,
        }
    }
}
