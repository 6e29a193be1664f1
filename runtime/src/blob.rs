//! Bytes that may be many: inline in the message below a threshold, above it as sealed memory that is not copied.
//!
//! The sender copies its bytes once into memory that it then seals, however many messages carry it. The receiver
//! verifies the seals and maps the memory, and so sees bytes that nobody can change any more.
//!
//! Between workers of one trust domain the memory is lent instead: the sender copies its bytes into memory that it has for this
//! link alone, or has written them there ([`BlobWriter`]); the receiver keeps that mapped, and once its last blob there is
//! dropped the sender writes the next into it. That it holds still in between is what the two trust each other with. What there
//! is no room for travels as it does to anybody.

mod bulk;
mod lent;
mod loans;
mod writer;

pub(crate) use bulk::{decide, lent as lent_memory, may_go};
pub(crate) use lent::{Lent, Returns};
pub(crate) use loans::Loans;
pub use writer::BlobWriter;

use std::fmt;
use std::ops::Deref;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, OnceLock};

use bailiwick_sys::error::{Errno, Failed};
use bailiwick_sys::memory::{self, MemoryError, SealedMemory};
use bailiwick_wire::codec::{EncodeError, EncodeProblem};
use bailiwick_wire::descriptors::{Came, FieldError};
use bailiwick_wire::schema::{Schema, Shape, Shapes};
use bailiwick_wire::{FdKind, descriptors};
use serde::de::{Deserialize, Deserializer, Error as _};
use serde::ser::{Error as _, Serialize, Serializer};

use self::bulk::{Bulk, Goes};
use self::loans::Loaned;
use crate::protocol::Protocol;

/// Bytes in a message; cheap to clone, and read as a slice.
///
/// One of more than [`Blob::INLINE_MAX`] bytes that comes from a worker of the same trust domain may lie in memory that its sender
/// lent, until its last clone here is dropped. The sender of such a blob does not write it again before, but could if it were
/// taken over; so copy what has to stay as it was when you checked it, with [`Blob::into_vec`]. Any other holds still whoever
/// sent it. Either outlives its sender.
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
    /// Written where a peer reads it.
    Placed {
        loaned: Arc<Loaned>,
        length: usize,
        sealed: OnceLock<Arc<OwnedFd>>,
    },
    Received(SealedMemory),
    Lent(Lent),
}

impl Blob {
    /// Up to this many bytes travel in the message itself: copying them costs less than a mapping.
    pub const INLINE_MAX: usize = 16 << 10;

    /// The most bytes that a blob received as memory may have.
    pub const MAX: u64 = 256 << 20;

    /// Makes one of bytes that are yet to be written, for some `capacity` bytes, where this actor can read them without a copy,
    /// if memory is lent to its worker. Of a pool of instances it is not known which of them will read it: so name one.
    pub fn writer<P: Protocol>(reader: &P, capacity: usize) -> BlobWriter {
        BlobWriter::new(reader.address().loans(), capacity)
    }

    /// Returns the bytes as a vector of their own.
    pub fn into_vec(self) -> Vec<u8> {
        match Arc::try_unwrap(self.0) {
            Ok(Bytes::Own { bytes, .. }) => bytes.into_vec(),
            Ok(bytes) => bytes.to_vec(),
            Err(shared) => shared.to_vec(),
        }
    }

    fn sealed(&self) -> Result<Arc<OwnedFd>, Failed> {
        match &*self.0 {
            Bytes::Own { sealed, .. } | Bytes::Placed { sealed, .. } => {
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

    /// Makes it of what came beside a message that says how many bytes it has.
    fn came(came: Came, length: u64) -> Result<Self, MemoryError> {
        let bytes = match came {
            Came::Fd(fd) => Bytes::Received(SealedMemory::map(fd.as_fd(), Self::MAX)?),
            Came::Lent(lent) => match lent.downcast::<Lent>() {
                Ok(lent) => Bytes::Lent(lent.cut(length)?),
                Err(_) => return Err(MemoryError::NotOrdinary),
            },
        };
        let found = bytes.len() as u64;
        if found == length {
            Ok(Self(Arc::new(bytes)))
        } else {
            Err(MemoryError::TooLong { bytes: length, limit: found })
        }
    }
}

impl Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Own { bytes, .. } => bytes,
            Self::Placed { loaned, length, .. } => loaned.bytes().get(..*length).unwrap_or_default(),
            Self::Received(memory) => memory,
            Self::Lent(lent) => lent,
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
        &self.0
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

/// Returns what a field fails with whose memory cannot be mapped: what this process has no room for is not its sender's fault.
fn not_mapped<E: serde::de::Error>(error: MemoryError) -> E {
    match error {
        MemoryError::Failed(failed) if is_exhausted(failed) => E::custom(descriptors::exhausted(&failed)),
        other => E::custom(other),
    }
}

/// Returns what a message fails with for which no memory can be made.
pub(crate) fn undecided(failed: Failed) -> Box<EncodeError> {
    if is_exhausted(failed) {
        Box::new(EncodeProblem::from(FieldError::exhausted(&failed)).into())
    } else {
        serde::ser::Error::custom(failed)
    }
}

/// Tells whether it is a limit of this process or machine that was reached, so that it may be tried again.
fn is_exhausted(failed: Failed) -> bool {
    use Errno::{EAGAIN, EBUSY, EMFILE, ENFILE, ENOMEM, ENOSPC};
    [EAGAIN, EBUSY, EMFILE, ENFILE, ENOMEM, ENOSPC].contains(&failed.errno)
}

/// What travels in the payload.
#[derive(serde::Serialize, serde::Deserialize)]
enum Travels<'a> {
    Inline(#[serde(borrow)] Slice<'a>),
    /// With the number of its descriptor, so many bytes.
    Memory(u16, u64),
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
        // It is not known here over which link it will go.
        let bulk = Arc::new(Bulk { blob: self.clone(), goes: Goes::Undecided });
        let number = descriptors::put_carried(FdKind::SealedMemory, bulk).map_err(S::Error::custom)?;
        Travels::Memory(number, self.len() as u64).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Blob {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Travels::deserialize(deserializer)? {
            Travels::Inline(Slice(bytes)) => Ok(Self::from(bytes)),
            Travels::Memory(number, length) => {
                let came = descriptors::take_memory(number).map_err(D::Error::custom)?;
                Self::came(came, length).map_err(not_mapped)
            }
        }
    }
}

#[cfg(test)]
mod tests;
