//! Bytes that may be many: inline in the message below a threshold, above it as sealed memory that is not copied.
//!
//! The sender copies its bytes once into memory that it then seals, however many messages carry it. The receiver
//! verifies the seals and maps the memory, and so sees bytes that nobody can change any more.

use std::fmt;
use std::ops::Deref;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, OnceLock};

use bailiwick_sys::memory::{self, SealedMemory};
use bailiwick_wire::schema::{Schema, Shape, Shapes};
use bailiwick_wire::{FdKind, descriptors};
use serde::de::{Deserialize, Deserializer, Error as _};
use serde::ser::{Error as _, Serialize, Serializer};

/// Bytes in a message; cheap to clone, and read as a slice.
///
/// ```
/// use bailiwick::Blob;
///
/// let picture = Blob::from(vec![0; 5_000_000]);
/// let same = picture.clone();
/// assert_eq!(same.len(), 5_000_000);
/// ```
#[derive(Clone)]
pub struct Blob(Arc<Bytes>);

enum Bytes {
    Own {
        bytes: Box<[u8]>,
        /// The same bytes as sealed memory, made when the first message needs it.
        sealed: OnceLock<Arc<OwnedFd>>,
    },
    Received(SealedMemory),
}

impl Blob {
    /// Up to this many bytes travel in the message itself: copying them costs less than a mapping.
    pub const INLINE_MAX: usize = 16 << 10;

    /// The most bytes that a blob received as memory may have.
    pub const MAX: u64 = 256 << 20;

    /// Returns the bytes as a vector of their own.
    pub fn into_vec(self) -> Vec<u8> {
        match Arc::try_unwrap(self.0) {
            Ok(Bytes::Own { bytes, .. }) => bytes.into_vec(),
            Ok(Bytes::Received(memory)) => memory.to_vec(),
            Err(shared) => Self(shared).to_vec(),
        }
    }

    fn sealed(&self) -> Result<Arc<OwnedFd>, bailiwick_sys::Failed> {
        match &*self.0 {
            Bytes::Own { bytes, sealed } => {
                if let Some(fd) = sealed.get() {
                    return Ok(Arc::clone(fd));
                }
                let fd = Arc::new(memory::seal(bytes)?);
                Ok(Arc::clone(sealed.get_or_init(|| fd)))
            }
            // The received descriptor was closed after mapping: a blob that is kept should not pin one.
            Bytes::Received(memory) => memory::seal(memory).map(Arc::new),
        }
    }
}

impl From<Vec<u8>> for Blob {
    fn from(bytes: Vec<u8>) -> Self {
        Self(Arc::new(Bytes::Own { bytes: bytes.into(), sealed: OnceLock::new() }))
    }
}

impl From<&[u8]> for Blob {
    fn from(bytes: &[u8]) -> Self {
        Self::from(bytes.to_vec())
    }
}

impl From<Blob> for Vec<u8> {
    fn from(blob: Blob) -> Self {
        blob.into_vec()
    }
}

impl Default for Blob {
    fn default() -> Self {
        Self::from(Vec::new())
    }
}

impl Deref for Blob {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match &*self.0 {
            Bytes::Own { bytes, .. } => bytes,
            Bytes::Received(memory) => memory,
        }
    }
}

impl AsRef<[u8]> for Blob {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl PartialEq for Blob {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Blob {}

impl fmt::Debug for Blob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Blob({} bytes)", self.len())
    }
}

impl Schema for Blob {
    fn shape(_: &mut Shapes) -> Shape {
        Shape::blob()
    }
}

/// What travels in the payload.
#[derive(serde::Serialize, serde::Deserialize)]
enum Travels<'a> {
    Inline(#[serde(borrow)] Slice<'a>),
    Memory(u16),
}

struct Slice<'a>(&'a [u8]);

impl Serialize for Slice<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(self.0)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Slice<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        <&'a [u8]>::deserialize(deserializer).map(Slice)
    }
}

impl Serialize for Blob {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.len() <= Self::INLINE_MAX {
            return Travels::Inline(Slice(self)).serialize(serializer);
        }
        let fd = self.sealed().map_err(S::Error::custom)?;
        let number = descriptors::put(FdKind::SealedMemory, &fd).map_err(S::Error::custom)?;
        Travels::Memory(number).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Blob {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Travels::deserialize(deserializer)? {
            Travels::Inline(Slice(bytes)) => Ok(Self::from(bytes)),
            Travels::Memory(number) => {
                let fd = descriptors::take(number, FdKind::SealedMemory).map_err(D::Error::custom)?;
                let memory = SealedMemory::map(fd.as_fd(), Self::MAX).map_err(D::Error::custom)?;
                Ok(Self(Arc::new(Bytes::Received(memory))))
            }
        }
    }
}

#[cfg(test)]
mod tests;
