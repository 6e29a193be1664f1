//! What a worker sees of files beside the paths that it is granted under their own names.

use std::path::{Path, PathBuf};

pub use bailiwick_sys::fresh_mount::HidePid;
pub use bailiwick_sys::temporary::Bounds;
pub use bailiwick_sys::view::Narrow;

use super::{Preset, Sandbox};

/// The keys of a sandbox that add to its view of files, or take away from it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FileView {
    /// Folders of its own in memory, empty for each life.
    pub temporary: Vec<Temporary>,
    /// Paths that it may read and write under other names.
    pub binds: Vec<Bind>,
    /// Paths that it may read under other names.
    pub read_only_binds: Vec<Bind>,
    /// The folder that it sees as the root; `None` is an empty one.
    pub root_directory: Option<PathBuf>,
    /// `true` shows the devices that are everybody's, `false` lets it use those among its paths, `None` does neither.
    pub private_devices: Option<bool>,
    /// What it may not write below the paths that it is granted to write.
    pub protect_system: ProtectSystem,
    /// What it may not do in homes below the paths that it is granted.
    pub protect_home: ProtectHome,
    /// What its `/proc` tells of processes that it may not look into; `None` hides them.
    pub protect_proc: Option<HidePid>,
    /// What its `/proc` tells of; `None` is processes alone.
    pub proc_subset: Option<ProcSubset>,
}

/// A folder in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Temporary {
    /// Its name.
    pub at: PathBuf,
    /// What fits into it.
    pub bounds: Bounds,
}

/// A path that is seen under another name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bind {
    /// Where it is.
    pub from: PathBuf,
    /// The name that it has for the worker.
    pub to: PathBuf,
}

/// Which parts of the system are not written, even below a path that may be written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum ProtectSystem {
    /// None.
    #[default]
    No,
    /// Programs and what the machine is started from.
    Programs,
    /// These and their settings.
    Full,
    /// Everything: what may be written is named path by path.
    Strict,
}

/// What is taken away from homes, even below a path that is granted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum ProtectHome {
    /// Nothing.
    #[default]
    No,
    /// They are not written.
    ReadOnly,
    /// Nothing of them is seen.
    Hidden,
}

/// What a `/proc` tells of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProcSubset {
    /// Processes.
    Pid,
    /// Processes, and the machine.
    All,
}

/// Where people have their own files.
pub const HOMES: [&str; 3] = ["/home", "/root", "/run/user"];
const PROGRAMS: &[&str] = &["/usr", "/boot", "/efi"];
const SETTINGS: &[&str] = &["/etc"];

impl FileView {
    /// Returns what is taken away from which parts of what is shown.
    pub fn narrowed(&self) -> impl Iterator<Item = (&'static Path, Narrow)> {
        let (programs, settings): (&[&str], &[&str]) = match self.protect_system {
            // Of what is granted whole nothing is left to protect: `check` sees to that.
            ProtectSystem::No | ProtectSystem::Strict => (&[], &[]),
            ProtectSystem::Programs => (PROGRAMS, &[]),
            ProtectSystem::Full => (PROGRAMS, SETTINGS),
        };
        let homes = match self.protect_home {
            ProtectHome::No => None,
            ProtectHome::ReadOnly => Some(Narrow::ReadOnly),
            ProtectHome::Hidden => Some(Narrow::Hidden),
        };
        let system = programs.iter().chain(settings).map(|path| (Path::new(*path), Narrow::ReadOnly));
        system.chain(homes.into_iter().flat_map(|how| HOMES.map(|path| (Path::new(path), how))))
    }
}

impl Sandbox {
    /// Returns whether it sees no files but those it is granted, where the machine can.
    pub fn has_private_mounts(&self) -> bool {
        self.preset != Preset::None && (self.private_mounts.unwrap_or(true) || self.needs_view())
    }

    /// Returns whether something is declared that cannot be had without a view of files of its own.
    pub fn needs_view(&self) -> bool {
        self.asks_of_view().next().is_some()
    }

    /// Returns whether a view of files of its own was asked for in writing.
    pub fn requires_view(&self) -> bool {
        self.private_mounts == Some(true) || self.needs_view()
    }

    /// Returns the folders in memory that are its own.
    pub fn temporaries(&self) -> impl Iterator<Item = Temporary> {
        let tmp = self.private_tmp.then(|| Temporary { at: "/tmp".into(), bounds: Bounds::default() });
        self.view.temporary.iter().cloned().chain(tmp)
    }

    /// Returns the paths that it may read, each with the name under which it sees it.
    pub fn to_read(&self) -> impl Iterator<Item = (&PathBuf, &PathBuf)> {
        named(&self.read_only_paths, &self.view.read_only_binds)
    }

    /// Returns the paths that it may read and write, each with the name under which it sees it.
    pub fn to_write(&self) -> impl Iterator<Item = (&PathBuf, &PathBuf)> {
        named(&self.read_write_paths, &self.view.binds)
    }

    /// Returns by what name it stands in the list of places that are reached beside what is granted, for its devices.
    pub fn devices(&self) -> &'static str {
        if self.view.private_devices == Some(true) { "devices" } else { "" }
    }

    /// Returns the keys that were given a value which cannot be had without a view of files of its own.
    pub fn asks_of_view(&self) -> impl Iterator<Item = &'static str> {
        let view = &self.view;
        let asked = [
            ("sandbox.private_tmp", self.private_tmp),
            ("sandbox.inaccessible_paths", !self.inaccessible_paths.is_empty()),
            ("sandbox.temporary_file_system", !view.temporary.is_empty()),
            ("sandbox.bind_paths", !view.binds.is_empty()),
            ("sandbox.bind_read_only_paths", !view.read_only_binds.is_empty()),
            ("sandbox.root_directory", view.root_directory.is_some()),
            ("sandbox.private_devices", view.private_devices == Some(true)),
            ("sandbox.protect_system", view.protect_system != ProtectSystem::No),
            ("sandbox.protect_home", view.protect_home != ProtectHome::No),
            ("sandbox.protect_proc", view.protect_proc.is_some()),
            ("sandbox.proc_subset", view.proc_subset.is_some()),
        ];
        asked.into_iter().filter(|(_, is_asked)| *is_asked).map(|(key, _)| key)
    }
}

fn named<'a>(paths: &'a [PathBuf], binds: &'a [Bind]) -> impl Iterator<Item = (&'a PathBuf, &'a PathBuf)> {
    paths.iter().map(|path| (path, path)).chain(binds.iter().map(|bind| (&bind.from, &bind.to)))
}
