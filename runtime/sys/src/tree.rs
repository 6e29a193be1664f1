//! Everything that a worker started: killing all of it, and knowing when nothing is left.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use crate::cgroup::Cgroup;
use crate::error::{Errno, Failed};
use crate::events::{Interest, Poller};
use crate::guardian::{self, Forked, GuardianError};
use crate::pid_namespace::PidNamespace;
use crate::wait;

/// How one worker's processes are ended. The supervisor has taken the end of the first of them itself.
#[derive(Debug)]
pub enum Tree {
    /// By its control group.
    Cgroup,
    /// By its user, which nobody else has.
    User {
        /// The user.
        uid: u32,
        /// The process that kills, while it does.
        killer: Option<Forked>,
    },
    /// By its PID namespace; `None` while nobody lives in it.
    PidNamespace(Option<PidNamespace>),
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
    ///
    /// # Errors
    /// See [`TreeError`]; to be tried again.
    pub fn kill(&mut self, cgroup: Option<&mut Cgroup>) -> Result<(), TreeError> {
        match self {
            Self::Cgroup => {
                let killed = cgroup.map_or(Ok(()), Cgroup::kill);
                killed.map_err(|error| TreeError::Cgroup(Errno::from_raw(error.raw_os_error().unwrap_or(0))))
            }
            Self::User { uid, killer } => {
                if killer.is_none() && !guardian::user_is_idle(*uid) {
                    *killer = Some(guardian::kill_user(*uid)?);
                }
                Ok(())
            }
            Self::PidNamespace(space) => Ok(space.as_ref().map_or(Ok(()), PidNamespace::kill)?),
            Self::Alone => Ok(()),
        }
    }

    /// Takes the PID namespace that the first process was just born in.
    pub fn settle(&mut self, space: Option<PidNamespace>) {
        if let Self::PidNamespace(own) = self {
            *own = space;
        }
    }

    /// Returns what becomes readable when the tree may have become empty; `None` when nothing is to be waited for.
    ///
    /// # Errors
    /// When there is no descriptor for it.
    pub fn watch(&self, cgroup: Option<&Cgroup>) -> Result<Option<OwnedFd>, Failed> {
        match self {
            Self::Cgroup => cgroup.and_then(Cgroup::events).map(readable).transpose(),
            Self::User { killer, .. } => killer.as_ref().map(|killer| copy(&killer.pidfd)).transpose(),
            Self::PidNamespace(space) => space.as_ref().map(|space| copy(&space.init().pidfd)).transpose(),
            Self::Alone => Ok(None),
        }
    }

    /// Returns the process of ours that kills, while it does, or whose end is that of all.
    pub fn killer(&self) -> Option<i32> {
        match self {
            Self::User { killer, .. } => killer.as_ref().map(|killer| killer.pid),
            Self::PidNamespace(space) => space.as_ref().map(|space| space.init().pid),
            Self::Cgroup | Self::Alone => None,
        }
    }

    /// Returns whether nothing of the tree lives any more; if something does, it is to be killed again.
    ///
    /// # Errors
    /// See [`TreeError`]; to be tried again.
    pub fn is_empty(&mut self, cgroup: Option<&Cgroup>) -> Result<bool, TreeError> {
        match self {
            Self::Cgroup => Ok(cgroup.and_then(Cgroup::is_empty).unwrap_or(true)),
            Self::User { uid, killer } => {
                if let Some(sent) = killer {
                    if wait::take_change(sent.pidfd.as_fd())?.is_none() {
                        return Ok(false);
                    }
                    *killer = None;
                }
                Ok(guardian::user_is_idle(*uid))
            }
            Self::PidNamespace(space) => {
                if !space.as_ref().map_or(Ok(true), PidNamespace::is_over)? {
                    return Ok(false);
                }
                *space = None;
                Ok(true)
            }
            Self::Alone => Ok(true),
        }
    }
}

/// Returns what is readable when a control group announces itself, which it does by priority alone.
fn readable(events: BorrowedFd<'_>) -> Result<OwnedFd, Failed> {
    let around = Poller::new(1)?;
    around.add(events, 0, Interest::PRIORITY)?;
    Ok(around.into())
}

fn copy(fd: &OwnedFd) -> Result<OwnedFd, Failed> {
    let errno = |error: std::io::Error| Errno::from_raw(error.raw_os_error().unwrap_or(0));
    fd.try_clone().map_err(|error| Failed { call: "dup", errno: errno(error) })
}
