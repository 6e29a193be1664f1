//! Secrets that workers are handed: files that only trusted hands can change, copied into sealed memory.
//!
//! The bytes go from file to memory within the kernel, and the supervisor never maps them: what it holds is a descriptor.

use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use bailiwick_sys::Failed;
use bailiwick_sys::memory::{self, MemoryError};
use thiserror::Error;

use super::{Trust, Untrusted};

/// The most bytes of a credential.
pub(crate) const CREDENTIAL_BYTES: u64 = 1 << 20;

/// Why there is no credential.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CredentialError {
    /// Somebody else could have put another one there, or it cannot be opened.
    #[error("credential: {0}")]
    Untrusted(#[from] Untrusted),
    /// It is longer than any key or password.
    #[error("credential `{path}` has more than {CREDENTIAL_BYTES} bytes", path = path.display())]
    TooLong {
        /// Its file.
        path: PathBuf,
    },
    /// It cannot be read, or there is no memory for it.
    #[error("credential `{path}`: {failed}", path = path.display())]
    Refused {
        /// Its file.
        path: PathBuf,
        /// The kernel's reason.
        failed: Failed,
    },
}

/// Copies a file into sealed memory.
///
/// # Errors
/// See [`CredentialError`].
pub(crate) fn seal(path: &Path) -> Result<OwnedFd, CredentialError> {
    let file = Trust::of_this_process().open(path)?;
    memory::seal_file(&file, CREDENTIAL_BYTES).map_err(|error| match error {
        MemoryError::Failed(failed) => CredentialError::Refused { path: path.to_owned(), failed },
        _ => CredentialError::TooLong { path: path.to_owned() },
    })
}

/// Returns the permission bits of a file that everybody may read.
pub(super) fn open_to_all(path: &Path) -> Option<u32> {
    let mode = path.metadata().ok()?.mode() & 0o7777;
    (mode & 0o004 != 0).then_some(mode)
}
