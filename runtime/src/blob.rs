//! Bytes that may be many: inline in the message below a threshold, above it as sealed memory that is not copied.
//!
//! The sender copies its bytes once into memory that it then seals, however many messages carry it. The receiver
//! verifies the seals and maps the memory, and so sees bytes that nobody can change any more.
//!
//! Between workers of one trust domain the memory is lent instead: it comes from a [`pool`] of the sender's, the receiver keeps it
//! mapped, and once its last blob there is dropped the sender writes the next into it. That it holds still in between is what the
//! two trust each other with. When the pool has nothing left, blobs travel as they do to anybody.

mod pool;
mod writer;

pub(crate) use pool::{LendingLink, POOL_BYTES, encoding_for};
pub use writer::BlobWriter;

use std::fmt;
use std::ops::Deref;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, OnceLock};

use bailiwick_sys::memory::{self, SealedMemory};
use bailiwick_sys::segment::Lent;
use bailiwick_wire::descriptors::{AnyLent, Came};
use bailiwick_wire::schema::{Schema, Shape, Shapes};
use bailiwick_wire::{FdKind, descriptors};
use serde::de::{Deserialize, Deserializer, Error as _};
use serde::ser::{Error as _, Serialize, Serializer};

use self::pool::Loaned;

/// Bytes in a message; cheap to clone, and read as a slice.
///
/// One of more than [`Blob::INLINE_MAX`] bytes that comes from a worker of the same trust domain lies in memory that its sender lent, until
/// its last clone here is dropped. The sender of such a blob does not write it again before, but could if it were taken over; so
/// copy what has to stay as it was when you checked it, with [`Blob::into_vec`]. Any other holds still whoever sent it. Either outlives
/// its sender.
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
        /// The same bytes in memory of the pool, taken when the first message needs it.
        loaned: OnceLock<Arc<Loaned>>,
    },
    Loaned {
        loaned: Arc<Loaned>,
        sealed: OnceLock<Arc<OwnedFd>>,
    },
    Received(SealedMemory),
    Lent(Lent),
}

impl Bytes {
    fn own(bytes: Box<[u8]>) -> Self {
        Self::Own { bytes, sealed: OnceLock::new(), loaned: OnceLock::new() }
    }

    fn loaned(loaned: Loaned) -> Self {
        Self::Loaned { loaned: Arc::new(loaned), sealed: OnceLock::new() }
    }
}

impl Blob {
    /// Up to this many bytes travel in the message itself: copying them costs less than a mapping.
    pub const INLINE_MAX: usize = 16 << 10;

    /// The most bytes that a blob received as memory may have.
    pub const MAX: u64 = 256 << 20;

    /// Makes one of bytes that are yet to be written, for some `capacity` bytes, where its reader can read them.
    pub fn writer(capacity: usize) -> BlobWriter {
        BlobWriter::new(capacity)
    }

    /// Returns the bytes as a vector of their own.
    pub fn into_vec(self) -> Vec<u8> {
        match Arc::try_unwrap(self.0) {
            Ok(Bytes::Own { bytes, .. }) => bytes.into_vec(),
            Ok(Bytes::Loaned { loaned, .. }) => loaned.written().to_vec(),
            Ok(Bytes::Received(memory)) => memory.to_vec(),
            Ok(Bytes::Lent(lent)) => lent.to_vec(),
            Err(shared) => Self(shared).to_vec(),
        }
    }

    fn sealed(&self) -> Result<Arc<OwnedFd>, bailiwick_sys::Failed> {
        match &*self.0 {
            Bytes::Own { sealed, .. } | Bytes::Loaned { sealed, .. } => {
                if let Some(fd) = sealed.get() {
                    return Ok(Arc::clone(fd));
                }
                let fd = Arc::new(memory::seal(self)?);
                Ok(Arc::clone(sealed.get_or_init(|| fd)))
            }
            // The received descriptor was closed after mapping: a blob that is kept should not pin one.
            Bytes::Received(_) | Bytes::Lent(_) => memory::seal(self).map(Arc::new),
        }
    }

    fn lent(lent: AnyLent) -> Option<Self> {
        let lent = lent.downcast::<Lent>().ok()?;
        Some(Self(Arc::new(Bytes::Lent(*lent))))
    }

    /// Returns memory of the pool with these bytes, if there is some.
    fn loaned(&self) -> Option<Arc<Loaned>> {
        let taken = || Loaned::holding(self).map(Arc::new);
        match &*self.0 {
            Bytes::Own { loaned, .. } => {
                if let Some(loaned) = loaned.get() {
                    return Some(Arc::clone(loaned));
                }
                let taken = taken()?;
                Some(Arc::clone(loaned.get_or_init(|| taken)))
            }
            Bytes::Loaned { loaned, .. } => Some(Arc::clone(loaned)),
            Bytes::Received(_) | Bytes::Lent(_) => taken(),
        }
    }
}

impl From<Vec<u8>> for Blob {
    fn from(bytes: Vec<u8>) -> Self {
        Self(Arc::new(Bytes::own(bytes.into())))
    }
}

impl From<&[u8]> for Blob {
    fn from(bytes: &[u8]) -> Self {
        let loaned = if bytes.len() > Self::INLINE_MAX { Loaned::holding(bytes) } else { None };
        Self(Arc::new(loaned.map_or_else(|| Bytes::own(bytes.into()), Bytes::loaned)))
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
            Bytes::Loaned { loaned, .. } => loaned.written(),
            Bytes::Received(memory) => memory,
            Bytes::Lent(lent) => lent,
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
        let loaned = if pool::lends() { self.loaned() } else { None };
        let number = match loaned {
            Some(loaned) => descriptors::lend(FdKind::SealedMemory, loaned),
            None => descriptors::put(FdKind::SealedMemory, &self.sealed().map_err(S::Error::custom)?),
        };
        Travels::Memory(number.map_err(S::Error::custom)?).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Blob {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Travels::deserialize(deserializer)? {
            Travels::Inline(Slice(bytes)) => Ok(Self::from(bytes)),
            Travels::Memory(number) => {
                let bytes = match descriptors::take_memory(number).map_err(D::Error::custom)? {
                    Came::Fd(fd) => SealedMemory::map(fd.as_fd(), Self::MAX).map(Bytes::Received),
                    Came::Lent(lent) => return Self::lent(lent).ok_or_else(|| D::Error::custom(NOT_LENT)),
                };
                Ok(Self(Arc::new(bytes.map_err(D::Error::custom)?)))
            }
        }
    }
}

const NOT_LENT: &str = "what was lent is no memory";

#[cfg(test)]
mod tests;
