//! Where a request comes from, as far as the kernel tells.

use std::fmt;
use std::net::SocketAddr;

/// Who is at the other end of a connection.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Caller {
    /// An address; of a proxy, if there is one.
    Tcp(SocketAddr),
    /// A user of this machine, who could open the socket.
    Unix(Option<u32>),
}

impl fmt::Display for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(Some(uid)) => write!(f, "user {uid}"),
            Self::Unix(None) => f.write_str("a user who is gone"),
        }
    }
}
