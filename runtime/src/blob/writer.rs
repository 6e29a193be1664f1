//! A blob that is written where its reader will read it.

use std::fmt;
use std::io;
use std::sync::Arc;

use super::pool::Loaned;
use super::{Blob, Bytes};

/// Makes a [`Blob`] of bytes that are written one after the other.
///
/// In a worker of a trust domain it is written into the memory that its reader maps, so that nothing is copied when it is sent.
/// Otherwise, and beyond the capacity that it was made with, it is ordinary memory.
///
/// ```
/// use bailiwick::Blob;
/// use std::io::Write;
///
/// let mut picture = Blob::writer(1 << 20);
/// for row in 0..1024_u32 {
///     picture.write_all(&[row as u8; 1024])?;
/// }
/// let picture = picture.finish();
/// assert_eq!(picture.len(), 1 << 20);
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct BlobWriter(Room);

enum Room {
    Loaned(Loaned),
    Own(Vec<u8>),
}

impl BlobWriter {
    pub(super) fn new(capacity: usize) -> Self {
        let loaned = if capacity > Blob::INLINE_MAX { Loaned::take(capacity) } else { None };
        Self(loaned.map_or_else(|| Room::Own(Vec::with_capacity(capacity)), Room::Loaned))
    }

    /// Returns the blob of what was written.
    pub fn finish(self) -> Blob {
        match self.0 {
            Room::Loaned(loaned) => Blob(Arc::new(Bytes::loaned(loaned))),
            Room::Own(bytes) => bytes.into(),
        }
    }
}

impl io::Write for BlobWriter {
    /// Writes all of it.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if let Room::Loaned(loaned) = &mut self.0 {
            let before = loaned.written().len();
            if loaned.write(before, bytes) == bytes.len() {
                return Ok(bytes.len());
            }
            let begun = loaned.written()[..before].to_vec();
            self.0 = Room::Own(begun);
        }
        if let Room::Own(own) = &mut self.0 {
            own.extend_from_slice(bytes);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl fmt::Debug for BlobWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let written = match &self.0 {
            Room::Loaned(loaned) => loaned.written(),
            Room::Own(bytes) => bytes,
        };
        write!(f, "BlobWriter({} bytes)", written.len())
    }
}
