//! The kinds of descriptor that a message may carry.

use serde::{Deserialize, Serialize};

/// What a descriptor in a message is promised to be; the receiver checks the promise on arrival.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum FdKind {
    /// A regular file.
    File,
    /// A directory, or a path opened with `O_PATH`.
    Directory,
    /// A listening TCP socket.
    TcpListener,
    /// A connected TCP socket.
    TcpStream,
    /// A UDP socket.
    UdpSocket,
    /// A connected Unix stream socket.
    UnixStream,
    /// A listening Unix socket.
    UnixListener,
    /// The read end of a pipe.
    PipeReader,
    /// The write end of a pipe.
    PipeWriter,
    /// A memfd sealed against shrinking, growing and writing.
    SealedMemory,
}
