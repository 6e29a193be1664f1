//! File systems that each life has anew: nothing of it is left for the next.

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use crate::error::Failed;
use crate::mount::{self, Flags};

/// A file system to be made by a child between fork and exec, at a folder that is there.
#[derive(Clone, Debug)]
pub struct FreshMount {
    at: CString,
    kind: &'static CStr,
    options: Vec<(&'static CStr, CString)>,
    flags: Flags,
    replaces: bool,
}

/// What a `/proc` tells of processes that its reader may not look into.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum HidePid {
    /// Nothing, even if they are of the reader's user.
    Ptraceable,
    /// Nothing.
    #[default]
    Invisible,
    /// Their numbers.
    NoAccess,
    /// What everybody may know.
    Off,
}

impl HidePid {
    fn option(self) -> &'static CStr {
        match self {
            Self::Ptraceable => c"ptraceable",
            Self::Invisible => c"invisible",
            Self::NoAccess => c"noaccess",
            Self::Off => c"off",
        }
    }
}

impl FreshMount {
    /// Returns a `/proc` of the child's own PID namespace, which tells of nothing but processes unless it `tells_all`.
    pub fn own_proc(hide: HidePid, tells_all: bool) -> Self {
        let subset = (!tells_all).then(|| (c"subset", c"pid".to_owned()));
        let options = [(c"hidepid", hide.option().to_owned())].into_iter().chain(subset).collect();
        Self { at: c"/proc".to_owned(), kind: c"proc", options, flags: Flags::DATA, replaces: false }
    }

    /// Puts it where it belongs. Async-signal-safe.
    pub(crate) fn put(&self) -> Result<(), Failed> {
        let mount = self.make()?;
        if self.replaces {
            mount::remove(&self.at)?;
        }
        mount::attach(mount.as_fd(), &self.at)
    }

    /// Makes it, attached nowhere. Async-signal-safe.
    pub(crate) fn make(&self) -> Result<OwnedFd, Failed> {
        let options = self.options.iter().map(|(key, value)| (*key, value.as_c_str()));
        mount::fresh(self.kind, options, self.flags)
    }

    /// Has it take the place of what is mounted there, instead of a folder.
    #[must_use]
    pub fn replacing(self, replaces: bool) -> Self {
        Self { replaces, ..self }
    }

    /// Returns where it is put.
    pub fn at(&self) -> &Path {
        Path::new(std::ffi::OsStr::from_bytes(self.at.as_bytes()))
    }
}
