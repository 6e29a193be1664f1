//! Who a worker runs as: a user of its own, a named one, the owner of what it is granted, or the supervisor's.

use std::os::fd::AsFd;

use bailiwick_sys::identity::Identity;
use bailiwick_sys::landlock::ruleset::Access;
use bailiwick_sys::worker_users::{OwnUid, UidRange};

use super::error::SandboxError;
use super::machine::Machine;
use super::paths::Granted;
use crate::check::accounts;
use crate::spec::Worker;

/// The user of a worker.
#[derive(Debug)]
pub(super) enum Account {
    /// One that no other process on this machine has.
    Own(OwnUid),
    /// One that others may have too.
    Shared(Identity),
    /// The supervisor's own, since it cannot change it.
    Inherited(Identity),
}

/// In whose name a user of its own is taken.
#[derive(Debug)]
pub(super) struct Owner {
    /// Names the worker among all workers of the machine.
    pub(super) name: String,
    /// Whether the name will be used again.
    pub(super) comes_again: bool,
    /// The user that it had before.
    pub(super) user: Option<OwnUid>,
}

impl Account {
    /// Decides who `worker` runs as. `owner` asks for a user of its own.
    pub(super) fn choose(
        worker: &Worker,
        machine: &Machine,
        granted: &[Granted],
        owner: Owner,
    ) -> Result<Self, SandboxError> {
        let wanted = Self::named(worker, machine)?;
        let Some(range) = machine.worker_uids.clone().filter(|_| machine.can_switch_users()) else {
            let own = Identity { uid: machine.uid, gid: machine.gid };
            return match wanted {
                Some(wanted) if wanted != own => {
                    let worker = worker.name.clone();
                    Err(SandboxError::CannotSwitch { worker, wanted: wanted.uid, own: own.uid })
                }
                _ => Ok(Self::Inherited(own)),
            };
        };
        let range = UidRange::host(range);
        let own = owner.user;
        match wanted.or_else(|| owner_of_grants(granted)) {
            Some(Identity { uid: 0, .. }) if !worker.privileged => {
                Err(SandboxError::Root { worker: worker.name.clone() })
            }
            // It was given to a worker before; whoever has it now must be alone with its number as well.
            Some(Identity { uid, .. }) if range.contains(uid) => match own.filter(|own| own.uid == uid) {
                Some(own) => Ok(Self::Own(own)),
                None => Ok(Self::Own(range.claim_this(uid, &owner.name, owner.comes_again)?)),
            },
            Some(identity) => Ok(Self::Shared(identity)),
            None => Ok(Self::Own(match own {
                Some(own) => own,
                None => range.claim(&owner.name, owner.comes_again)?,
            })),
        }
    }

    fn named(worker: &Worker, machine: &Machine) -> Result<Option<Identity>, SandboxError> {
        let missing = |kind, name: &str| SandboxError::NoSuchAccount {
            worker: worker.name.clone(),
            kind,
            name: name.to_owned(),
        };
        let found = |name: &String| accounts::user(name).ok_or_else(|| missing("user", name));
        let user = worker.sandbox.user.as_ref().map(found).transpose()?;
        let found = |name: &String| accounts::group(name).ok_or_else(|| missing("group", name));
        let group = worker.sandbox.group.as_ref().map(found).transpose()?;
        Ok(match (user, group) {
            (None, None) => None,
            (Some(user), group) => Some(Identity { gid: group.unwrap_or(user.gid), ..user }),
            // A group alone says nothing of the user; it can only be the supervisor's.
            (None, Some(gid)) => Some(Identity { uid: machine.uid, gid }),
        })
    }

    /// Returns the user and group.
    pub(super) fn identity(&self) -> Identity {
        match self {
            Self::Own(own) => Identity { uid: own.uid, gid: own.uid },
            Self::Shared(identity) | Self::Inherited(identity) => *identity,
        }
    }

    /// Returns the user if it is this worker's alone.
    pub(super) fn into_own(self) -> Option<OwnUid> {
        match self {
            Self::Own(own) => Some(own),
            Self::Shared(_) | Self::Inherited(_) => None,
        }
    }

    /// Returns the user if it is this worker's alone.
    pub(super) fn own(&self) -> Option<&OwnUid> {
        match self {
            Self::Own(own) => Some(own),
            Self::Shared(_) | Self::Inherited(_) => None,
        }
    }
}

/// Returns the owner of the first path to write that is not root's, else of the first path unless that is root's.
fn owner_of_grants(granted: &[Granted]) -> Option<Identity> {
    let mut to_write = granted.iter().filter(|place| place.access() == Access::Write);
    to_write.find_map(owner_of).or_else(|| granted.first().and_then(owner_of))
}

/// Returns the owner of a granted path, unless that is root.
fn owner_of(granted: &Granted) -> Option<Identity> {
    let found = nix::sys::stat::fstat(granted.as_fd()).ok()?;
    // Group 0 comes with files that root made for somebody; it opens more than that user should have.
    let gid = if found.st_gid == 0 { found.st_uid } else { found.st_gid };
    (found.st_uid != 0).then_some(Identity { uid: found.st_uid, gid })
}
