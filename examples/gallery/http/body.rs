//! What an answer carries: bytes at hand, or a file that is read as fast as the client takes it.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use hyper::body::{Body, Bytes, Frame, SizeHint};
use tokio::task::JoinHandle;

/// The body of an answer.
#[derive(Debug)]
pub(crate) enum Content {
    /// Bytes at hand; none when they are sent.
    Bytes(Option<Bytes>),
    /// A part of a file.
    File(FilePart),
}

/// A part of a file, read piece by piece on a thread that may wait for a disk.
#[derive(Debug)]
pub(crate) struct FilePart {
    file: Arc<File>,
    left: Range<u64>,
    reading: Option<JoinHandle<io::Result<Bytes>>>,
}

/// A piece: large enough to keep a disk busy, small enough for many clients at once.
const PIECE_BYTES: u64 = 128 << 10;

impl Content {
    /// Returns a body of `bytes`.
    pub(crate) fn bytes(bytes: impl Into<Bytes>) -> Self {
        Self::Bytes(Some(bytes.into()))
    }

    /// Returns a body without any bytes.
    pub(crate) fn empty() -> Self {
        Self::Bytes(None)
    }

    /// Returns a body of the bytes `part` of `file`.
    pub(crate) fn file(file: File, part: Range<u64>) -> Self {
        Self::File(FilePart { file: Arc::new(file), left: part, reading: None })
    }
}

impl FilePart {
    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        if self.left.is_empty() {
            return Poll::Ready(None);
        }
        let (file, at) = (&self.file, self.left.start);
        let length = (self.left.end - at).min(PIECE_BYTES);
        let reading = self.reading.get_or_insert_with(|| {
            let file = Arc::clone(file);
            tokio::task::spawn_blocking(move || read_piece(&file, at, length))
        });
        let piece = ready!(Pin::new(reading).poll(cx)).map_err(io::Error::other).flatten();
        self.reading = None;
        self.left.start += length;
        if piece.is_err() {
            self.left = 0..0;
        }
        Poll::Ready(Some(piece))
    }
}

impl Body for Content {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        match self.get_mut() {
            Self::Bytes(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::File(part) => part.poll_piece(cx).map(|piece| piece.map(|piece| piece.map(Frame::data))),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Bytes(bytes) => bytes.is_none(),
            Self::File(part) => part.left.is_empty(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(match self {
            Self::Bytes(bytes) => bytes.as_ref().map_or(0, |bytes| bytes.len() as u64),
            Self::File(part) => part.left.end - part.left.start,
        })
    }
}

/// Reads exactly `length` bytes. A file that became shorter breaks the answer off, since its length is already sent.
fn read_piece(file: &File, at: u64, length: u64) -> io::Result<Bytes> {
    let mut piece = vec![0; usize::try_from(length).map_err(io::Error::other)?];
    file.read_exact_at(&mut piece, at)?;
    Ok(piece.into())
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use http_body_util::BodyExt;

    use super::*;

    fn collected(content: Content) -> io::Result<Vec<u8>> {
        let runtime = tokio::runtime::Builder::new_current_thread().build()?;
        runtime.block_on(content.collect()).map(|collected| collected.to_bytes().to_vec())
    }

    fn file(bytes: &[u8]) -> File {
        let mut file = tempfile::tempfile().expect("a temporary file");
        file.write_all(bytes).expect("room in the temporary folder");
        file
    }

    #[test]
    fn a_part_over_several_pieces_arrives_whole() {
        let bytes: Vec<u8> = (0..PIECE_BYTES as u32 * 3).map(|n| (n % 251) as u8).collect();
        let part = 7..bytes.len() as u64 - 5;
        let got = collected(Content::file(file(&bytes), part)).expect("read");
        assert!(got == bytes[7..bytes.len() - 5]);
    }

    #[test]
    fn a_file_that_became_shorter_is_an_error_and_no_silent_end() {
        assert!(collected(Content::file(file(b"short"), 0..100)).is_err());
    }
}
