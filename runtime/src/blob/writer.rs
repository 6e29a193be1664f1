//! A blob that is written where its reader will read it.

use std::fmt;
use std::io;
use std::sync::{Arc, OnceLock};

use bailiwick_sys::segment::BYTES_MAX;

use super::loans::{Loaned, Loans};
use super::{Blob, Bytes};

/// Makes a [`Blob`] of bytes that are written one after the other, for one actor to read.
///
/// Where memory is lent to the worker of that actor they are written into it, so that nothing is copied when the blob is sent
/// there; that worker may see them from then on, sent or not. Otherwise, and beyond the capacity that it was made with, it is
/// ordinary memory. The blob may be sent to anybody: for others it is copied.
///
/// What is written is held until the blob is dropped here and there, out of 64 MiB for each peer and 128 MiB for all, and no more
/// than an eighth and a quarter of the addresses that the worker may have.
///
/// ```
/// use bailiwick::prelude::*;
/// use std::io::Write;
///
/// #[protocol]
/// pub trait Screen {
///     async fn show(&mut self, picture: Blob);
/// }
///
/// # fn draw(screen: &ScreenRef) -> std::io::Result<()> {
/// let mut picture = Blob::writer(screen, 1 << 20);
/// for row in 0..1024_u32 {
///     picture.write_all(&[row as u8; 1024])?;
/// }
/// let call = screen.show(picture.finish());
/// # drop(call);
/// # Ok(())
/// # }
/// ```
pub struct BlobWriter(Room);

enum Room {
    Loaned { loaned: Loaned, length: usize },
    Own(Vec<u8>),
}

impl BlobWriter {
    pub(super) fn new(loans: Option<Arc<Loans>>, capacity: usize) -> Self {
        let loaned = loans.filter(|_| capacity > Blob::INLINE_MAX).and_then(|loans| loans.take(capacity));
        Self(match loaned {
            Some(loaned) => Room::Loaned { loaned, length: 0 },
            // The capacity may be a number that somebody else has sent.
            None => Room::Own(Vec::with_capacity(capacity.min(BYTES_MAX))),
        })
    }

    /// Returns the blob of what was written.
    pub fn finish(self) -> Blob {
        match self.0 {
            Room::Loaned { loaned, length } => {
                let loaned = Arc::new(loaned);
                Blob(Arc::new(Bytes::Placed { loaned, length, sealed: OnceLock::new() }))
            }
            Room::Own(bytes) => bytes.into(),
        }
    }

    fn written(&self) -> &[u8] {
        match &self.0 {
            Room::Loaned { loaned, length } => &loaned.bytes()[..*length],
            Room::Own(bytes) => bytes,
        }
    }
}

impl io::Write for BlobWriter {
    /// Writes all of it.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if let Room::Loaned { loaned, length } = &mut self.0
            && let Some(room) = loaned.room().get_mut(*length..).and_then(|rest| rest.get_mut(..bytes.len()))
        {
            room.copy_from_slice(bytes);
            *length += bytes.len();
            return Ok(bytes.len());
        }
        if let Room::Loaned { .. } = &self.0 {
            self.0 = Room::Own(self.written().to_vec());
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
        write!(f, "BlobWriter({} bytes)", self.written().len())
    }
}
