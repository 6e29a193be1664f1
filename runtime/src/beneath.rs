//! Paths that a peer names, and the folder below which they are meant.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Component, Path, PathBuf};

use bailiwick_sys::beneath::{self, Access};
use bailiwick_wire::schema::{Schema, Shape, Shapes};
use serde::de::{Deserialize, Deserializer, Error as _};
use serde::ser::{Serialize, Serializer};
use thiserror::Error;

/// A path that leads downwards: relative, of names alone, without `..` and without a NUL, in 1024 bytes.
///
/// Another one does not decode, so a handler never sees it. What it leads to is for the kernel to say: see
/// [`Folder::open_beneath`].
///
/// ```
/// use bailiwick::RelativePath;
/// assert!(RelativePath::new("cats/tom.png").is_ok());
/// for path in ["/etc/shadow", "../etc/shadow", "cats/../../etc", "", ".", "a\0b"] {
///     assert!(RelativePath::new(path).is_err(), "{path:?}");
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RelativePath(PathBuf);

/// Why a path is no [`RelativePath`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PathRefused {
    /// It is longer than 1024 bytes.
    #[error("a path of {bytes} bytes, the limit is {PATH_BYTES}")]
    TooLong {
        /// Its bytes.
        bytes: usize,
    },
    /// It begins at the root, goes upwards, stays where it is or is empty.
    #[error("a path that does not lead downwards by names alone")]
    NotDownwards,
    /// It holds a NUL character.
    #[error("a path with a NUL character")]
    Nul,
}

/// The longest path in bytes.
const PATH_BYTES: usize = 1024;

impl RelativePath {
    /// Takes a path that leads downwards.
    ///
    /// # Errors
    /// Why it does not.
    pub fn new(path: impl Into<PathBuf>) -> Result<Self, PathRefused> {
        let path = path.into();
        let bytes = path.as_os_str().as_encoded_bytes();
        if bytes.len() > PATH_BYTES {
            return Err(PathRefused::TooLong { bytes: bytes.len() });
        }
        if bytes.contains(&0) {
            return Err(PathRefused::Nul);
        }
        let is_name = |component| matches!(component, Component::Normal(_));
        if bytes.is_empty() || !path.components().all(is_name) {
            return Err(PathRefused::NotDownwards);
        }
        Ok(Self(path))
    }

    /// Returns the path.
    pub fn as_path(&self) -> &Path {
        &self.0
    }
}

impl Schema for RelativePath {
    fn shape(_: &mut Shapes) -> Shape {
        Shape::plain("relative path")
    }
}

impl Serialize for RelativePath {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for RelativePath {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(PathBuf::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

/// A folder out of which nothing leads: no `..`, no symbolic link, no door through `/proc`, whatever a path says and whatever
/// stands in the folder.
///
/// ```
/// use bailiwick::{Folder, RelativePath};
/// use std::fs::File;
///
/// let folder = tempfile::tempdir()?;
/// std::fs::write(folder.path().join("tom.png"), "a cat")?;
/// std::os::unix::fs::symlink("/etc/passwd", folder.path().join("jerry.png"))?;
/// let folder: Folder = std::os::fd::OwnedFd::from(File::open(folder.path())?).into();
/// assert!(folder.open_beneath(&RelativePath::new("tom.png")?).is_ok());
/// assert!(folder.open_beneath(&RelativePath::new("jerry.png")?).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Folder(OwnedFd);

/// From what [`Context::granted_dir`](crate::Context::granted_dir) returns.
impl From<OwnedFd> for Folder {
    fn from(directory: OwnedFd) -> Self {
        Self(directory)
    }
}

impl Folder {
    /// Opens a regular file below the folder to be read.
    ///
    /// # Errors
    /// When there is none, or the path leads over a link.
    pub fn open_beneath(&self, path: &RelativePath) -> io::Result<File> {
        beneath::open(self.0.as_fd(), path.as_path(), Access::Read).map_err(|failed| failed.errno.into())
    }

    /// Makes a file below the folder that was not there, to be written.
    ///
    /// # Errors
    /// When something is there, or the path leads over a link.
    pub fn create_beneath(&self, path: &RelativePath) -> io::Result<File> {
        beneath::open(self.0.as_fd(), path.as_path(), Access::Create).map_err(|failed| failed.errno.into())
    }
}
