//! File systems that each life has anew: nothing of it is left for the next.

use std::ffi::{CStr, CString};
use std::os::fd::AsFd;
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
}

impl FreshMount {
    /// Returns a `/proc` of the child's own PID namespace that tells of nobody whom the reader cannot look into, and of
    /// nothing but processes.
    pub fn own_proc() -> Self {
        let options = vec![(c"hidepid", c"invisible".to_owned()), (c"subset", c"pid".to_owned())];
        Self { at: c"/proc".to_owned(), kind: c"proc", options, flags: Flags::DATA }
    }

    /// Puts it where it belongs. Async-signal-safe.
    pub(crate) fn put(&self) -> Result<(), Failed> {
        let options = self.options.iter().map(|(key, value)| (*key, value.as_c_str()));
        let mount = mount::fresh(self.kind, options, self.flags)?;
        mount::attach(mount.as_fd(), &self.at)
    }

    /// Returns where it is put.
    pub fn at(&self) -> &Path {
        Path::new(std::ffi::OsStr::from_bytes(self.at.as_bytes()))
    }
}
