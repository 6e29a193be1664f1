//! Why a system cannot be supervised, by itself or where it is.

use thiserror::Error;

use super::Worker;

/// Why a system cannot be supervised. Whatever made the system should have said so better.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unfit {
    /// Something is named that is not declared.
    #[error("{by} names {what} {name}, which does not exist")]
    Unknown {
        /// Who names it.
        by: String,
        /// Whether it is a worker or a group.
        what: &'static str,
        /// The name.
        name: String,
    },
    /// Two workers have one name.
    #[error("two workers are called {name}")]
    Twice {
        /// The name.
        name: String,
    },
    /// There are more instances than the machine counts.
    #[error("{found} instances, at most {max} are supervised", max = u16::MAX)]
    TooMany {
        /// The instances of all workers.
        found: usize,
    },
    /// Groups enclose each other, or are enclosed by what does not exist.
    #[error("the groups around group {name} do not exist, or enclose each other")]
    Unplaced {
        /// One of the groups.
        name: String,
    },
    /// Workers need each other.
    #[error("workers need each other: {path}")]
    Cycle {
        /// The workers, each needing the next.
        path: String,
    },
}

/// Why a listener is not there.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ListenError {
    /// The address cannot be bound.
    #[error("listener {name} cannot be bound to {address}: {error}")]
    Refused {
        /// The listener.
        name: String,
        /// Where it was to listen.
        address: String,
        /// The kernel's reason.
        error: std::io::Error,
    },
    /// It has no address, and was not passed either.
    #[error(
        "listener {name} has no address, and nothing of this name was passed to the supervisor (LISTEN_FDNAMES)"
    )]
    NotPassed {
        /// The listener.
        name: String,
    },
}

pub(crate) fn unknown(worker: &Worker, what: &'static str, name: &str) -> Unfit {
    Unfit::Unknown { by: worker.name.clone(), what, name: name.to_owned() }
}
