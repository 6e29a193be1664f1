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
    /// Any descriptor: nothing is promised. What was observed to be none of the others is of this kind.
    Any,
}

impl FdKind {
    /// Every kind, in the order of their bits in [`FdKinds`].
    pub const ALL: [FdKind; 11] = [
        FdKind::File,
        FdKind::Directory,
        FdKind::TcpListener,
        FdKind::TcpStream,
        FdKind::UdpSocket,
        FdKind::UnixStream,
        FdKind::UnixListener,
        FdKind::PipeReader,
        FdKind::PipeWriter,
        FdKind::SealedMemory,
        FdKind::Any,
    ];

    /// Returns the word for this kind in manifests, shapes and messages.
    pub const fn name(self) -> &'static str {
        match self {
            FdKind::File => "file",
            FdKind::Directory => "directory",
            FdKind::TcpListener => "tcp-listener",
            FdKind::TcpStream => "tcp-stream",
            FdKind::UdpSocket => "udp-socket",
            FdKind::UnixStream => "unix-stream",
            FdKind::UnixListener => "unix-listener",
            FdKind::PipeReader => "pipe-reader",
            FdKind::PipeWriter => "pipe-writer",
            FdKind::SealedMemory => "sealed-memory",
            FdKind::Any => "any",
        }
    }

    /// Returns whether a descriptor observed to be `self` keeps the promise `promised`.
    pub fn keeps(self, promised: FdKind) -> bool {
        promised == FdKind::Any || self == promised
    }
}

impl std::fmt::Display for FdKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// A set of descriptor kinds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct FdKinds(u16);

impl FdKinds {
    /// No kind at all.
    pub const NONE: FdKinds = FdKinds(0);

    /// Returns the set with `kind` added.
    #[must_use]
    pub const fn with(self, kind: FdKind) -> FdKinds {
        FdKinds(self.0 | 1 << kind as u16)
    }

    /// Returns every kind that is in either set.
    #[must_use]
    pub const fn union(self, other: FdKinds) -> FdKinds {
        FdKinds(self.0 | other.0)
    }

    /// Returns whether a descriptor observed to be `kind` is in the set, which it also is if the set has `Any`.
    pub const fn admits(self, kind: FdKind) -> bool {
        self.0 & (1 << kind as u16 | 1 << FdKind::Any as u16) != 0
    }

    /// Returns whether every kind of `other` is in this set.
    pub fn contains_all(self, other: FdKinds) -> bool {
        other.iter().all(|kind| self.admits(kind))
    }

    /// Returns whether the set is empty.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Iterates over the kinds in the set.
    pub fn iter(self) -> impl Iterator<Item = FdKind> {
        FdKind::ALL.into_iter().filter(move |kind| self.0 & (1 << *kind as u16) != 0)
    }
}

impl FromIterator<FdKind> for FdKinds {
    fn from_iter<I: IntoIterator<Item = FdKind>>(kinds: I) -> Self {
        kinds.into_iter().fold(FdKinds::NONE, FdKinds::with)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_gives_back_the_kinds_put_in() {
        let set: FdKinds = [FdKind::File, FdKind::PipeWriter].into_iter().collect();
        assert_eq!(set.iter().collect::<Vec<_>>(), [FdKind::File, FdKind::PipeWriter]);
        assert!(set.admits(FdKind::File) && !set.admits(FdKind::UnixStream) && !set.admits(FdKind::Any));
    }

    #[test]
    fn a_set_with_any_admits_every_kind_and_the_empty_set_none() {
        let any = FdKinds::NONE.with(FdKind::Any);
        assert!(FdKind::ALL.into_iter().all(|kind| any.admits(kind)));
        assert!(!FdKind::ALL.into_iter().any(|kind| FdKinds::NONE.admits(kind)));
    }

    #[test]
    fn every_kind_has_a_bit_and_a_name_of_its_own() {
        let all: FdKinds = FdKind::ALL.into_iter().collect();
        assert_eq!(all.iter().count(), FdKind::ALL.len());
        let names: std::collections::BTreeSet<_> = FdKind::ALL.into_iter().map(FdKind::name).collect();
        assert_eq!(names.len(), FdKind::ALL.len());
    }
}
