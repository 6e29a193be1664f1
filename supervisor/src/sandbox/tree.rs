//! Everything that a worker started: killing all of it, and knowing when nothing is left.

use std::os::fd::{AsFd, BorrowedFd};

use bailiwick_sys::events::Interest;
use bailiwick_sys::guardian::{self, Forked, GuardianError};
use bailiwick_sys::wait::{self, Change};
use bailiwick_sys::{Errno, Failed};

use super::cgroup::Cgroup;

/// How one worker's processes are ended. The supervisor has taken the end of the first of them itself.
#[derive(Debug)]
pub(super) enum Tree {
    /// By its control group.
    Cgroup,
    /// By its user, which nobody else has.
    User {
        uid: u32,
        /// The process that kills, while it does.
        killer: Option<Forked>,
        /// Whether the last killer found nobody.
        empty: bool,
    },
    /// It cannot fork, so there is nobody but itself.
    Alone,
}

/// Why a tree could not be killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TreeError {
    /// Its control group refused.
    #[error("cgroup.kill: {0}")]
    Cgroup(Errno),
    /// Nobody could be sent to kill.
    #[error(transparent)]
    Guardian(#[from] GuardianError),
    /// The kernel refused.
    #[error(transparent)]
    Refused(#[from] Failed),
}

impl Tree {
    /// Starts to kill everything; [`Self::is_empty`] says when it is over. Killing again does no harm.
    pub(super) fn kill(&mut self, cgroup: Option<&Cgroup>) -> Result<(), TreeError> {
        match self {
            Self::Cgroup => {
                let killed = cgroup.map_or(Ok(()), Cgroup::kill);
                killed.map_err(|error| TreeError::Cgroup(Errno::from_raw(error.raw_os_error().unwrap_or(0))))
            }
            Self::User { uid, killer, empty } => {
                if killer.is_none() {
                    *killer = Some(guardian::kill_user(*uid)?);
                    *empty = false;
                }
                Ok(())
            }
            Self::Alone => Ok(()),
        }
    }

    /// Returns what to wait on until the tree may have become empty; `None` when nothing is to be waited for.
    pub(super) fn watch<'a>(&'a self, cgroup: Option<&'a Cgroup>) -> Option<(BorrowedFd<'a>, Interest)> {
        match self {
            Self::Cgroup => cgroup.and_then(Cgroup::events).map(|events| (events, Interest::PRIORITY)),
            Self::User { killer, .. } => killer.as_ref().map(|killer| (killer.pidfd.as_fd(), Interest::READ)),
            Self::Alone => None,
        }
    }

    /// Returns the process that kills, while it does.
    pub(super) fn killer(&self) -> Option<i32> {
        match self {
            Self::User { killer, .. } => killer.as_ref().map(|killer| killer.pid),
            Self::Cgroup | Self::Alone => None,
        }
    }

    /// Returns whether nothing of the tree lives any more. A killer that was killed itself is sent again.
    pub(super) fn is_empty(&mut self, cgroup: Option<&Cgroup>) -> Result<bool, TreeError> {
        match self {
            Self::Cgroup => Ok(cgroup.and_then(Cgroup::is_empty).unwrap_or(true)),
            Self::User { killer, empty, .. } => {
                let Some(sent) = killer else { return Ok(*empty) };
                let Some(change) = wait::take_change(sent.pidfd.as_fd())? else { return Ok(false) };
                *killer = None;
                *empty = matches!(change, Change::Exited { code: 0, .. });
                if !*empty {
                    self.kill(cgroup)?;
                }
                Ok(matches!(self, Self::User { empty: true, .. }))
            }
            Self::Alone => Ok(true),
        }
    }
}
