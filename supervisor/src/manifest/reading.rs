//! A manifest that is read while a system runs: by a process beside the loop, which touches the file system and checks
//! everything as at the start. The loop takes its word for that, and parses the text that it delivers, in memory.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};

use bailiwick_sys::Failed;
use bailiwick_sys::errand::Errand;
use bailiwick_sys::process::SpawnError;
use nix::sys::memfd::{MFdFlags, memfd_create};
use sha2::{Digest as _, Sha256};

use super::{Loaded, Options, is_refused, load, parse};

/// Where a system's manifest is, and how it is to be read.
#[derive(Clone, Debug)]
pub struct Origin {
    path: PathBuf,
    how: Options,
}

/// A manifest that is being read.
#[derive(Debug)]
pub struct Reading {
    origin: Origin,
    /// Delivers whether the manifest may be run.
    errand: Errand<1>,
    /// Its text if it may, else what is wrong with it.
    delivery: File,
}

const ACCEPTED: [u8; 1] = [1];
const REFUSED: [u8; 1] = [0];
/// The most that is told of what is wrong, in bytes.
const DIAGNOSTICS_BYTES: usize = 32 << 10;

impl Origin {
    /// Notes where the manifest is, whatever the working directory is later.
    ///
    /// # Errors
    /// When the working directory is gone.
    pub fn new(path: &Path, how: Options) -> io::Result<Self> {
        Ok(Self { path: std::path::absolute(path)?, how })
    }

    /// Returns where it is; empty if that is no text.
    pub fn path(&self) -> &str {
        self.path.to_str().unwrap_or_default()
    }

    /// Starts to read and check the manifest.
    ///
    /// # Errors
    /// When there is no process for it.
    pub fn read(&self) -> Result<Reading, SpawnError> {
        let delivery = memfd_create("manifest", MFdFlags::MFD_CLOEXEC)
            .map_err(|errno| Failed { call: "memfd_create", errno })?;
        let errand = Errand::start(delivery.as_fd(), |delivery| self.deliver(delivery))?;
        Ok(Reading { origin: self.clone(), errand, delivery: delivery.into() })
    }

    fn deliver(&self, delivery: BorrowedFd<'_>) -> Option<[u8; 1]> {
        let mut delivery = File::from(delivery.try_clone_to_owned().ok()?);
        let (verdict, text) = match load(&self.path, &self.how) {
            Ok(loaded) => (ACCEPTED, loaded.text.text),
            Err(diagnostics) => (REFUSED, diagnostics.render(false)),
        };
        delivery.write_all(text.as_bytes()).ok()?;
        Some(verdict)
    }
}

impl Reading {
    /// Ends it before its time. What is left of its process is gone when this is readable, and can then be dropped at once.
    pub fn abandon(&self) {
        self.errand.abandon();
    }

    /// Returns the manifest, or what is wrong with it, once the process has ended.
    ///
    /// # Errors
    /// The text draws each error; it is cut where it is very long.
    pub fn finish(mut self) -> Result<Loaded, String> {
        let failed =
            |what: &str| format!("{}: the manifest could not be read: {what}\n", self.origin.path.display());
        let Some(verdict) = self.errand.result() else {
            return Err(failed("its reader ended without a word"));
        };
        let mut text = String::new();
        let read =
            self.delivery.seek(SeekFrom::Start(0)).and_then(|_| self.delivery.read_to_string(&mut text));
        read.map_err(|error| failed(&error.to_string()))?;
        if verdict != ACCEPTED {
            text.truncate(text.floor_char_boundary(DIAGNOSTICS_BYTES));
            return Err(text);
        }
        let digest = Sha256::digest(&text).into();
        let Origin { path, how } = &self.origin;
        let (mut system, text, found) = parse(path, path.parent().unwrap_or(Path::new("/")), text);
        let refused = is_refused(&found);
        let warnings = text.diagnostics(found);
        if refused {
            return Err(warnings.render(false));
        }
        how.apply(&mut system);
        system.manifest = Some(digest);
        Ok(Loaded { system, warnings, text })
    }
}

impl AsFd for Reading {
    /// Returns what becomes readable when [`Self::finish`] can be asked.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.errand.as_fd()
    }
}
