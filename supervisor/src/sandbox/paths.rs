//! Paths that a worker is granted, opened before its user changes, and the Landlock rulesets made from them.
//!
//! Two rulesets: the first is entered before exec and lets the loader work; the second is entered by the worker's
//! runtime and leaves what the manifest grants. What a worker reaches is what both allow.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use bailiwick_sys::files::{self, Links};
use bailiwick_sys::identity::Identity;
use bailiwick_sys::landlock::places::needed;
use bailiwick_sys::landlock::ruleset::{Access, Rules, RulesetError, closed_to};
use bailiwick_sys::view::View;
use bailiwick_sys::{Errno, Failed};

use super::error::SandboxError;
use super::executable::Executable;
use super::machine::Machine;
use crate::spec::{Preset, Sandbox, Worker};

/// A path that a worker is granted, as it was when the supervisor started.
#[derive(Debug)]
pub struct Granted {
    path: PathBuf,
    /// The name that it has in the worker's view.
    at: PathBuf,
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
        let read = worker.sandbox.to_read().map(|named| (named, Access::Read));
        let write = worker.sandbox.to_write().map(|named| (named, Access::Write));
        let open = |((path, at), access): ((&PathBuf, &PathBuf), Access)| {
            Ok(Self { at: at.clone(), ..Self::open("granted path", path, access, machine)? })
        };
        read.chain(write).map(open).collect()
    }

    /// Opens every path that `worker` is to see nothing of.
    pub(super) fn open_hidden(worker: &Worker, machine: &Machine) -> Result<Vec<Self>, SandboxError> {
        let hidden = worker.sandbox.inaccessible_paths.iter();
        hidden.map(|path| Self::open("inaccessible path", path, Access::Enter, machine)).collect()
    }

    /// Opens a place that is in a view alone.
    pub(super) fn seen(at: &Path, access: Access, view: &View) -> Result<Self, Failed> {
        Ok(Self { path: at.to_owned(), at: at.to_owned(), access, place: view.open(at)? })
    }

    /// Opens the folder that `worker` sees as the root, if that is not an empty one.
    pub(super) fn root(worker: &Worker, machine: &Machine) -> Result<Option<Self>, SandboxError> {
        let access = if worker.sandbox.preset == Preset::Exec { Access::Execute } else { Access::Read };
        let open = |path: &PathBuf| {
            Ok(Self { at: "/".into(), ..Self::open("root directory", path, access, machine)? })
        };
        worker.sandbox.view.root_directory.as_ref().map(open).transpose()
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
            Ok(place) => Ok(Self { path: path.to_owned(), at: path.to_owned(), access, place }),
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
        let (mode, owner) = closed_to(self.place.as_fd(), who, self.access)?;
        let (path, uid) = (self.path.display(), who.uid);
        Some(format!("{path} has mode {mode:04o} and belongs to uid {owner}, which closes it to uid {uid}"))
    }

    /// Opens it anew where it is seen in `view`, from where no `..` leads out of that.
    pub(super) fn look_from(&mut self, view: &View) -> Result<(), SandboxError> {
        let unreachable = |failed: Failed| {
            let (role, path) = ("granted path", self.at.clone());
            SandboxError::Unreachable { role, path, errno: failed.errno }
        };
        self.place = view.open(&self.at).map_err(unreachable)?;
        Ok(())
    }

    /// Returns the path as it was written.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the name that it has for the worker.
    pub fn at(&self) -> &Path {
        &self.at
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
        view: Option<&View>,
    ) -> Result<Self, SandboxError> {
        let open = |path: &PathBuf| Granted::open("executable path", path, Access::Execute, machine);
        let programs = worker.sandbox.exec_paths.iter().map(open).collect::<Result<Vec<_>, _>>()?;
        // Its `/proc` is another one for each life, and lies on the root of what it sees, where all can be read in any case.
        let root = view
            .filter(|_| worker.sandbox.preset == Preset::Exec)
            .map(|view| Granted::seen(Path::new("/"), Access::Read, view))
            .transpose()?;
        let granted: Vec<&Granted> = granted.iter().chain(&programs).chain(&root).collect();
        let make = |executable| {
            let failed = |source| SandboxError::Ruleset { worker: worker.name.clone(), source };
            rules(&worker.sandbox, machine.landlock_abi, &granted, executable).map_err(failed)
        };
        Ok(Self { before_exec: make(Some(executable))?, running: make(None)? })
    }
}

/// Allows what is granted, what the preset needs and, before exec, what the `executable` and its loader need.
fn rules(
    sandbox: &Sandbox,
    abi: u32,
    granted: &[&Granted],
    executable: Option<&Executable>,
) -> Result<OwnedFd, RulesetError> {
    let mut rules = Rules::new(abi, binds_any_port(sandbox), sandbox.scoped())?;
    for granted in granted {
        rules = rules.allow(granted.as_fd(), granted.access)?;
    }
    if let Some(executable) = executable {
        rules = rules.allow(executable.as_fd(), Access::Execute)?;
    }
    let loader = executable.and_then(Executable::loader);
    if let Some(loader) = loader {
        rules = rules.allow_path(loader, Access::Execute)?;
        rules = rules.allow_path(loader.parent().unwrap_or(loader), Access::Read)?;
    }
    let preset = needed(sandbox.preset.needs_places_of(), loader.is_some());
    for place in preset.chain(needed(sandbox.devices(), false)) {
        let is_barred = place.access == Access::Execute && is_barred(sandbox, place.path);
        rules = rules.allow_path(place.path, if is_barred { Access::Read } else { place.access })?;
    }
    rules.allow_ports(&sandbox.tcp_bind, &sandbox.tcp_connect)?.finish()
}

/// Returns whether nothing is to be executed at a path, by whatever way it is reached.
fn is_barred(sandbox: &Sandbox, path: &Path) -> bool {
    let lies = |path: &Path| sandbox.no_exec_paths.iter().any(|barred| path.starts_with(barred));
    lies(path) || (!sandbox.no_exec_paths.is_empty() && path.canonicalize().is_ok_and(|real| lies(&real)))
}

/// Returns whether the capability to bind is granted without naming ports.
pub(super) fn binds_any_port(sandbox: &Sandbox) -> bool {
    sandbox.tcp_bind.is_empty() && sandbox.capabilities.iter().any(|name| name == "CAP_NET_BIND_SERVICE")
}
