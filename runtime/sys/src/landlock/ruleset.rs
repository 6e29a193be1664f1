//! Makes Landlock rulesets from what is granted: everything that this kernel can refuse is refused, but that.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use landlock::{
    ABI, Access as _, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, NetPort, PathBeneath, Ruleset,
    RulesetAttr, RulesetCreated, RulesetCreatedAttr, Scope,
};
use nix::sys::stat::fstat;

use crate::files::{self, Links};
use crate::identity::Identity;

/// What may be done below a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Be in a folder.
    Enter,
    /// Read files and list folders.
    Read,
    /// That, and write, make and remove files and folders.
    Write,
    /// Read and execute.
    Execute,
}

/// What stays inside, besides paths and ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scoped {
    /// Signals: none reach anybody else.
    Signals,
    /// Abstract sockets: none of others is connected to.
    AbstractSockets,
}

impl Scoped {
    /// Everything.
    pub const ALL: [Self; 2] = [Self::Signals, Self::AbstractSockets];

    fn flag(self) -> Scope {
        match self {
            Self::Signals => Scope::Signal,
            Self::AbstractSockets => Scope::AbstractUnixSocket,
        }
    }
}

/// A ruleset in the making.
#[derive(Debug)]
pub struct Rules {
    /// The newest interface that both this project and the kernel know.
    abi: ABI,
    made: RulesetCreated,
}

/// Why a ruleset cannot be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RulesetError {
    /// The kernel or the crate refuses.
    #[error(transparent)]
    Refused(Box<landlock::RulesetError>),
    /// There is no Landlock.
    #[error("the kernel took a ruleset and gave no descriptor")]
    NoDescriptor,
}

impl From<landlock::RulesetError> for RulesetError {
    fn from(error: landlock::RulesetError) -> Self {
        Self::Refused(Box::new(error))
    }
}

impl Rules {
    /// Starts with nothing allowed, as far as version `abi` of the interface can say so; with `binds_any_port`, TCP ports
    /// may be bound. What is not `scoped` may leave.
    ///
    /// # Errors
    /// When the kernel knows less than `abi`.
    pub fn new(abi: u32, binds_any_port: bool, scoped: &[Scoped]) -> Result<Self, RulesetError> {
        let abi = ABI::from(i32::try_from(abi).unwrap_or(i32::MAX));
        let mut rules = Ruleset::default().set_compatibility(CompatLevel::HardRequirement);
        rules = rules.handle_access(AccessFs::from_all(abi))?;
        if abi >= ABI::V4 {
            rules = rules.handle_access(AccessNet::ConnectTcp)?;
            if !binds_any_port {
                rules = rules.handle_access(AccessNet::BindTcp)?;
            }
        }
        if abi >= ABI::V6 && !scoped.is_empty() {
            rules = rules.scope(scoped.iter().map(|one| one.flag()).collect::<BitFlags<Scope>>())?;
        }
        Ok(Self { abi, made: rules.create()? })
    }

    /// Allows TCP ports to be bound and connected to, where the kernel could refuse that.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn allow_ports(mut self, bind: &[u16], connect: &[u16]) -> Result<Self, RulesetError> {
        if self.abi >= ABI::V4 {
            let rule =
                |access| move |port: &u16| Ok::<_, landlock::RulesetError>(NetPort::new(*port, access));
            let bind = bind.iter().map(rule(AccessNet::BindTcp));
            let connect = connect.iter().map(rule(AccessNet::ConnectTcp));
            self.made = self.made.add_rules(bind)?.add_rules(connect)?;
        }
        Ok(self)
    }

    /// Allows what is at `path`, if something is.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn allow_path(self, path: &Path, access: Access) -> Result<Self, RulesetError> {
        match files::open_place(path, Links::Follow) {
            Ok(place) => self.allow(place.as_fd(), access),
            Err(_) => Ok(self),
        }
    }

    /// Allows what is at an open place, and below it.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn allow(self, place: BorrowedFd<'_>, access: Access) -> Result<Self, RulesetError> {
        let folder = fstat(place).is_ok_and(|found| found.st_mode & libc::S_IFMT == libc::S_IFDIR);
        let wanted = match access {
            Access::Enter => BitFlags::EMPTY,
            Access::Read => READ,
            Access::Write => READ | WRITE,
            Access::Execute => READ | AccessFs::Execute,
        };
        let possible = if folder { AccessFs::from_all(self.abi) } else { AccessFs::from_file(self.abi) };
        Ok(Self { made: self.made.add_rule(PathBeneath::new(place, wanted & possible))?, ..self })
    }

    /// Returns the ruleset, which a thread can enter.
    ///
    /// # Errors
    /// [`RulesetError::NoDescriptor`].
    pub fn finish(self) -> Result<OwnedFd, RulesetError> {
        Option::from(self.made).ok_or(RulesetError::NoDescriptor)
    }
}

/// Returns the mode and the owner of a place if they close it to `who`, whatever a ruleset allows there.
pub fn closed_to(place: BorrowedFd<'_>, who: Identity, access: Access) -> Option<(u32, u32)> {
    let found = fstat(place).ok()?;
    let bits = match who {
        Identity { uid: 0, .. } => return None,
        Identity { uid, .. } if uid == found.st_uid => found.st_mode >> 6,
        Identity { gid, .. } if gid == found.st_gid => found.st_mode >> 3,
        _ => found.st_mode,
    };
    let folder = found.st_mode & libc::S_IFMT == libc::S_IFDIR;
    let needed = match (access, folder) {
        (Access::Enter, _) => 0o1,
        (Access::Read | Access::Execute, true) => 0o5,
        (Access::Read | Access::Execute, false) => 0o4,
        (Access::Write, true) => 0o7,
        (Access::Write, false) => 0o6,
    };
    (bits & needed != needed).then_some((found.st_mode & 0o7777, found.st_uid))
}

const READ: BitFlags<AccessFs> = landlock::make_bitflags!(AccessFs::{ReadFile | ReadDir});
/// Not among them: devices, sockets, pipes and symbolic links, by which a reader elsewhere could be misled.
const WRITE: BitFlags<AccessFs> = landlock::make_bitflags!(AccessFs::{
    WriteFile | Truncate | MakeReg | MakeDir | RemoveFile | RemoveDir | Refer
});

#[cfg(test)]
mod tests {
    use std::fs::{File, Permissions};
    use std::os::unix::fs::{MetadataExt, PermissionsExt};

    use super::*;

    #[test]
    fn a_mode_closes_a_place_to_owner_group_and_others_alike() {
        let folder = tempfile::tempdir().unwrap();
        let place = File::open(folder.path()).unwrap();
        let found = place.metadata().unwrap();
        let (uid, gid) = (found.uid().max(1000), found.gid());
        let closed = |mode, who, access| {
            place.set_permissions(Permissions::from_mode(mode)).unwrap();
            closed_to(place.as_fd(), who, access).map(|(mode, _)| mode)
        };
        let stranger = Identity { uid: uid + 1, gid: gid + 1 };
        assert_eq!(closed(0o701, stranger, Access::Enter), None);
        assert_eq!(closed(0o700, stranger, Access::Enter), Some(0o700));
        assert_eq!(closed(0o704, stranger, Access::Read), Some(0o704), "a folder must be entered, too");
        assert_eq!(closed(0o705, stranger, Access::Read), None);
        assert_eq!(closed(0o755, stranger, Access::Write), Some(0o755));
        let of_the_group = Identity { uid: uid + 1, gid };
        assert_eq!(closed(0o707, of_the_group, Access::Write), Some(0o707), "the group's bits count alone");
        assert_eq!(closed(0o000, Identity { uid: 0, gid: 0 }, Access::Write), None, "root passes");
    }
}
