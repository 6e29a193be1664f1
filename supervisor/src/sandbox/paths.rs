//! Paths that a worker is granted, opened before its user changes, and the Landlock rulesets made from them.
//!
//! Two rulesets: the first is entered before exec and lets the loader work; the second is entered by the worker's
//! runtime and leaves what the manifest grants. What a worker reaches is what both allow.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use bailiwick_sys::Errno;
use bailiwick_sys::files::{self, Links};
use bailiwick_sys::identity::Identity;
use landlock::{
    ABI, Access as _, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, NetPort, PathBeneath, Ruleset,
    RulesetAttr, RulesetCreated, RulesetCreatedAttr, RulesetError, Scope,
};

use nix::libc;
use nix::sys::stat::fstat;

use super::error::SandboxError;
use super::executable::Executable;
use super::machine::Machine;
use super::places::places;
use crate::spec::{Preset, Sandbox, Worker};

/// What a worker may do below a path.
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

/// A path that a worker is granted, as it was when the supervisor started.
#[derive(Debug)]
pub struct Granted {
    path: PathBuf,
    access: Access,
    place: OwnedFd,
}

/// The two rulesets of a worker.
#[derive(Debug)]
pub(super) struct Rulesets {
    pub(super) before_exec: OwnedFd,
    pub(super) running: OwnedFd,
}

impl Granted {
    /// Opens every path that `worker` is granted, in the manifest's order, those to write after those to read.
    pub(super) fn open_all(worker: &Worker, machine: &Machine) -> Result<Vec<Self>, SandboxError> {
        let read = worker.sandbox.read_only_paths.iter().map(|path| (path, Access::Read));
        let write = worker.sandbox.read_write_paths.iter().map(|path| (path, Access::Write));
        let open = |(path, access): (&PathBuf, Access)| Self::open("granted path", path, access, machine);
        read.chain(write).map(open).collect()
    }

    /// Opens one path. As root links are refused, since whoever owns a folder on the way could lay one.
    pub(crate) fn open(
        role: &'static str,
        path: &Path,
        access: Access,
        machine: &Machine,
    ) -> Result<Self, SandboxError> {
        let links = if machine.uid == 0 { Links::Refuse } else { Links::Follow };
        match files::open_place(path, links) {
            Ok(place) => Ok(Self { path: path.to_owned(), access, place }),
            Err(failed) if failed.errno == Errno::ELOOP => {
                Err(SandboxError::Link { role, path: path.to_owned() })
            }
            Err(failed) => {
                Err(SandboxError::Unreachable { role, path: path.to_owned(), errno: failed.errno })
            }
        }
    }

    /// Says in what way the owner and mode of the place itself close it to `who`, in spite of the grant.
    pub(super) fn closed_to(&self, who: Identity) -> Option<String> {
        let found = fstat(&self.place).ok()?;
        let bits = match who {
            Identity { uid: 0, .. } => return None,
            Identity { uid, .. } if uid == found.st_uid => found.st_mode >> 6,
            Identity { gid, .. } if gid == found.st_gid => found.st_mode >> 3,
            _ => found.st_mode,
        };
        let folder = found.st_mode & libc::S_IFMT == libc::S_IFDIR;
        let needed = match (self.access, folder) {
            (Access::Enter, _) => 0o1,
            (Access::Read | Access::Execute, true) => 0o5,
            (Access::Read | Access::Execute, false) => 0o4,
            (Access::Write, true) => 0o7,
            (Access::Write, false) => 0o6,
        };
        (bits & needed != needed).then(|| {
            let (path, mode, owner) = (self.path.display(), found.st_mode & 0o7777, found.st_uid);
            format!(
                "{path} has mode {mode:04o} and belongs to uid {owner}, which closes it to uid {}",
                who.uid
            )
        })
    }

    /// Returns the path as it was written.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns what the worker may do there.
    pub fn access(&self) -> Access {
        self.access
    }
}

impl AsFd for Granted {
    /// Returns the place (O_PATH): what is below it can be opened even where the way to it is closed to the worker.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.place.as_fd()
    }
}

impl Rulesets {
    /// Makes the rulesets of `worker`; to be called only where Landlock is there.
    pub(super) fn make(
        worker: &Worker,
        machine: &Machine,
        executable: &Executable,
        granted: &[Granted],
    ) -> Result<Self, SandboxError> {
        let make = |executable| {
            let rules = Rules::new(&worker.sandbox, machine.landlock_abi)?;
            rules.complete(&worker.sandbox, granted, executable)
        };
        let made = |executable| {
            let failed =
                |source| SandboxError::Ruleset { worker: worker.name.clone(), source: Box::new(source) };
            make(executable).map_err(failed)?.ok_or_else(|| SandboxError::FloorMissing {
                worker: worker.name.clone(),
                what: "Landlock",
                why: "the kernel took a ruleset and gave no descriptor",
            })
        };
        Ok(Self { before_exec: made(Some(executable))?, running: made(None)? })
    }
}

/// A ruleset in the making.
struct Rules {
    /// The newest interface that both this project and the kernel know.
    abi: ABI,
    made: RulesetCreated,
}

impl Rules {
    /// Makes an empty ruleset: everything that this kernel can refuse is refused.
    fn new(sandbox: &Sandbox, abi: u32) -> Result<Self, RulesetError> {
        let abi = ABI::from(i32::try_from(abi).unwrap_or(i32::MAX));
        let mut rules = Ruleset::default().set_compatibility(CompatLevel::HardRequirement);
        rules = rules.handle_access(AccessFs::from_all(abi))?;
        if abi >= ABI::V4 {
            rules = rules.handle_access(AccessNet::ConnectTcp)?;
            if !binds_any_port(sandbox) {
                rules = rules.handle_access(AccessNet::BindTcp)?;
            }
        }
        if abi >= ABI::V6 {
            rules = rules.scope(Scope::from_all(abi))?;
        }
        Ok(Self { abi, made: rules.create()? })
    }

    /// Allows what is granted, what the preset needs and, before exec, what the `executable` and its loader need.
    fn complete(
        mut self,
        sandbox: &Sandbox,
        granted: &[Granted],
        executable: Option<&Executable>,
    ) -> Result<Option<OwnedFd>, RulesetError> {
        for granted in granted {
            self = self.allow(granted.as_fd(), granted.access)?;
        }
        if let Some(executable) = executable {
            self = self.allow(executable.as_fd(), Access::Execute)?;
        }
        let loader = executable.and_then(Executable::loader);
        if let Some(loader) = loader {
            self = self.allow_path(loader, Access::Execute)?;
            self = self.allow_path(loader.parent().unwrap_or(loader), Access::Read)?;
        }
        let needed = |who| match who {
            "loader" => loader.is_some(),
            "net-client" => sandbox.preset == Preset::NetClient,
            "exec" => sandbox.preset == Preset::Exec,
            _ => false,
        };
        for place in places().filter(|place| needed(place.who)) {
            self = self.allow_path(place.path, place.access)?;
        }
        if self.abi >= ABI::V4 {
            let rule = |access| move |port: &u16| Ok::<_, RulesetError>(NetPort::new(*port, access));
            let bind = sandbox.tcp_bind.iter().map(rule(AccessNet::BindTcp));
            let connect = sandbox.tcp_connect.iter().map(rule(AccessNet::ConnectTcp));
            self.made = self.made.add_rules(bind)?.add_rules(connect)?;
        }
        Ok(self.made.into())
    }

    /// Allows what is at `path`, if something is.
    fn allow_path(self, path: &Path, access: Access) -> Result<Self, RulesetError> {
        match files::open_place(path, Links::Follow) {
            Ok(place) => self.allow(place.as_fd(), access),
            Err(_) => Ok(self),
        }
    }

    fn allow(self, place: BorrowedFd<'_>, access: Access) -> Result<Self, RulesetError> {
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
}

/// Returns whether the capability to bind is granted without naming ports.
pub(super) fn binds_any_port(sandbox: &Sandbox) -> bool {
    sandbox.tcp_bind.is_empty() && sandbox.capabilities.iter().any(|name| name == "CAP_NET_BIND_SERVICE")
}

const READ: BitFlags<AccessFs> = landlock::make_bitflags!(AccessFs::{ReadFile | ReadDir});
/// Not among them: devices, sockets, pipes and symbolic links, by which a reader elsewhere could be misled.
const WRITE: BitFlags<AccessFs> = landlock::make_bitflags!(AccessFs::{
    WriteFile | Truncate | MakeReg | MakeDir | RemoveFile | RemoveDir | Refer
});
