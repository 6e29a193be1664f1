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
    pub(super) fn open(
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
        let abi = abi(machine.landlock_abi);
        let failed = |source| SandboxError::Ruleset { worker: worker.name.clone(), source: Box::new(source) };
        let running = build(&worker.sandbox, abi, granted, None).map_err(failed)?;
        let before_exec = build(&worker.sandbox, abi, granted, Some(executable)).map_err(failed)?;
        let missing = || SandboxError::FloorMissing {
            worker: worker.name.clone(),
            what: "Landlock",
            why: "the kernel took a ruleset and gave no descriptor",
        };
        Ok(Self { before_exec: before_exec.ok_or_else(missing)?, running: running.ok_or_else(missing)? })
    }
}

fn build(
    sandbox: &Sandbox,
    abi: ABI,
    granted: &[Granted],
    executable: Option<&Executable>,
) -> Result<Option<OwnedFd>, RulesetError> {
    let mut rules = ruleset(sandbox, abi)?;
    for granted in granted {
        rules = allow(rules, granted.as_fd(), granted.access, abi)?;
    }
    for (path, access) in preset_paths(sandbox.preset) {
        rules = allow_path(rules, Path::new(path), *access, abi)?;
    }
    if let Some(executable) = executable {
        rules = allow(rules, executable.as_fd(), Access::Execute, abi)?;
        if let Some(loader) = executable.loader() {
            rules = allow_path(rules, loader, Access::Execute, abi)?;
            for folder in loader.parent().into_iter().chain(LIBRARIES.iter().map(Path::new)) {
                rules = allow_path(rules, folder, Access::Read, abi)?;
            }
        }
    }
    for (ports, access) in
        [(&sandbox.tcp_bind, AccessNet::BindTcp), (&sandbox.tcp_connect, AccessNet::ConnectTcp)]
    {
        if abi >= ABI::V4 && !(access == AccessNet::BindTcp && binds_any_port(sandbox)) {
            rules = rules
                .add_rules(ports.iter().map(|port| Ok::<_, RulesetError>(NetPort::new(*port, access))))?;
        }
    }
    Ok(rules.into())
}

/// Makes an empty ruleset: everything that this kernel can refuse is refused.
fn ruleset(sandbox: &Sandbox, abi: ABI) -> Result<RulesetCreated, RulesetError> {
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
    rules.create()
}

/// Returns whether the capability to bind is granted without naming ports.
pub(super) fn binds_any_port(sandbox: &Sandbox) -> bool {
    sandbox.tcp_bind.is_empty() && sandbox.capabilities.iter().any(|name| name == "CAP_NET_BIND_SERVICE")
}

/// Allows what is at `path`, if something is.
fn allow_path(
    rules: RulesetCreated,
    path: &Path,
    access: Access,
    abi: ABI,
) -> Result<RulesetCreated, RulesetError> {
    match files::open_place(path, Links::Follow) {
        Ok(place) => allow(rules, place.as_fd(), access, abi),
        Err(_) => Ok(rules),
    }
}

fn allow(
    rules: RulesetCreated,
    place: BorrowedFd<'_>,
    access: Access,
    abi: ABI,
) -> Result<RulesetCreated, RulesetError> {
    let folder = fstat(place).is_ok_and(|found| found.st_mode & libc::S_IFMT == libc::S_IFDIR);
    let wanted = match access {
        Access::Enter => BitFlags::EMPTY,
        Access::Read => READ,
        Access::Write => READ | WRITE,
        Access::Execute => READ | AccessFs::Execute,
    };
    let possible = if folder { AccessFs::from_all(abi) } else { AccessFs::from_file(abi) };
    rules.add_rule(PathBeneath::new(place, wanted & possible))
}

/// Returns what a preset reaches beside what the manifest grants.
fn preset_paths(preset: Preset) -> &'static [(&'static str, Access)] {
    match preset {
        Preset::NetClient => NAME_LOOKUP,
        Preset::Exec => PROGRAMS,
        Preset::Sealed | Preset::NetServer | Preset::FsRo | Preset::None => &[],
    }
}

/// Returns the newest interface that both this project and the kernel know.
fn abi(version: u32) -> ABI {
    match version {
        0 => ABI::Unsupported,
        1 => ABI::V1,
        2 => ABI::V2,
        3 => ABI::V3,
        4 => ABI::V4,
        5 => ABI::V5,
        6 => ABI::V6,
        7 => ABI::V7,
        8 => ABI::V8,
        _ => ABI::V9,
    }
}

const READ: BitFlags<AccessFs> = landlock::make_bitflags!(AccessFs::{ReadFile | ReadDir});
/// Not among them: devices, sockets, pipes and symbolic links, by which a reader elsewhere could be misled.
const WRITE: BitFlags<AccessFs> = landlock::make_bitflags!(AccessFs::{
    WriteFile | Truncate | MakeReg | MakeDir | RemoveFile | RemoveDir | Refer
});

/// Where a loader finds libraries, beside its own folder.
const LIBRARIES: &[&str] = &[
    "/lib",
    "/lib64",
    "/usr/lib",
    "/usr/lib64",
    "/usr/local/lib",
    "/nix/store",
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
];

/// What the C library reads to turn a name into an address.
const NAME_LOOKUP: &[(&str, Access)] = &[
    ("/etc/hosts", Access::Read),
    ("/etc/host.conf", Access::Read),
    ("/etc/resolv.conf", Access::Read),
    ("/etc/nsswitch.conf", Access::Read),
    ("/etc/gai.conf", Access::Read),
    ("/etc/services", Access::Read),
    ("/lib", Access::Read),
    ("/lib64", Access::Read),
    ("/usr/lib", Access::Read),
    ("/usr/lib64", Access::Read),
    ("/etc/ld.so.cache", Access::Read),
];

/// What ordinary programs are made of.
const PROGRAMS: &[(&str, Access)] = &[
    ("/bin", Access::Execute),
    ("/sbin", Access::Execute),
    ("/usr", Access::Execute),
    ("/lib", Access::Execute),
    ("/lib64", Access::Execute),
    ("/nix/store", Access::Execute),
    ("/etc/ld.so.cache", Access::Read),
    ("/etc/alternatives", Access::Read),
    ("/dev/null", Access::Write),
    ("/dev/zero", Access::Read),
    ("/dev/urandom", Access::Read),
];
