//! Takes the body of an upload, which may be too long, too slow or never end.

use std::fs::File;
use std::io::{self, Write};
use std::time::Duration;

use http_body_util::BodyExt;
use hyper::body::{Body, Bytes, Incoming};
use thiserror::Error;
use tokio::time::{Instant, timeout, timeout_at};

/// Between two pieces of a body.
const PIECE_TIMEOUT: Duration = Duration::from_secs(10);
/// For a whole body.
const BODY_TIMEOUT: Duration = Duration::from_secs(120);

/// Why an upload was not taken.
#[derive(Debug, Error)]
pub(crate) enum UploadError {
    #[error("the upload is longer than {limit} bytes")]
    TooLong { limit: u64 },
    #[error("the upload came too slowly")]
    TooSlow,
    #[error("the upload broke off")]
    Broken,
    #[error("the upload cannot be written: {0}")]
    Unwritable(io::Error),
}

/// Writes `body` to `file`, at most `limit` bytes of it.
///
/// # Errors
/// [`UploadError::TooLong`] before the first byte is taken, if the client says how long the body is.
pub(crate) async fn receive(mut body: Incoming, file: File, limit: u64) -> Result<(), UploadError> {
    if body.size_hint().lower() > limit {
        return Err(UploadError::TooLong { limit });
    }
    let until = Instant::now() + BODY_TIMEOUT;
    let mut left = limit;
    let mut file = file;
    loop {
        let piece = timeout_at(until, timeout(PIECE_TIMEOUT, body.frame())).await;
        let piece = piece.map_err(|_| UploadError::TooSlow)?.map_err(|_| UploadError::TooSlow)?;
        let Some(frame) = piece else { return Ok(()) };
        // Trailers carry no content.
        let Ok(bytes) = frame.map_err(|_| UploadError::Broken)?.into_data() else { continue };
        left = left.checked_sub(bytes.len() as u64).ok_or(UploadError::TooLong { limit })?;
        file = written(file, bytes).await.map_err(UploadError::Unwritable)?;
    }
}

/// Writes on a thread that may wait for a disk.
async fn written(mut file: File, bytes: Bytes) -> io::Result<File> {
    let writing = tokio::task::spawn_blocking(move || file.write_all(&bytes).map(|()| file));
    writing.await.map_err(io::Error::other)?
}
