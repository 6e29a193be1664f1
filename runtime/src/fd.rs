//! Descriptors as fields of messages: `Fd<File>`, `Fd<TcpListener>` and the others.
//!
//! An `Fd` owns its descriptor from end to end. Within a process it moves with its message. Over a link it is
//! a number in the payload and travels beside it; before the payload is decoded the receiver asks the kernel what
//! each descriptor is ([`observe`]), and a field takes only one that is what its type promises. Nothing is read
//! from a descriptor to find that out. What a message brought and nobody took is closed.

use std::fmt;
use std::fs::File;
use std::io::{PipeReader, PipeWriter};
use std::marker::PhantomData;
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::Arc;

use bailiwick_sys::kind::{DescriptorKind, descriptor_kind};
use bailiwick_wire::schema::{Schema, Shape, Shapes};
use bailiwick_wire::{FdKind, descriptors};
use serde::de::{Deserialize, Deserializer, Error as _};
use serde::ser::{Error as _, Serialize, Serializer};

/// A descriptor in a message.
///
/// It is made from what it holds and gives it back: `file.into()` both ways.
///
/// ```
/// use bailiwick::Fd;
/// use std::fs::File;
///
/// let fd: Fd<File> = File::open("/dev/null")?.into();
/// let file: File = fd.into();
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// A descriptor that was given away cannot be taken back: who has it keeps it until it is closed. Flags such as
/// non-blocking belong to the open file and are shared with who gave it.
pub struct Fd<T> {
    // Shared with the table of an encoded message, so that encoding leaves the message as it was.
    fd: Arc<OwnedFd>,
    holds: PhantomData<fn() -> T>,
}

/// What an [`Fd`] may hold. Implemented for the standard library's types and for [`Directory`].
pub trait Descriptor: From<OwnedFd> + Into<OwnedFd> + sealed::Sealed + 'static {
    /// What the receiver checks.
    const KIND: FdKind;
}

/// An open directory, or a path opened without access to its content (`O_PATH`).
///
/// Whoever has a directory reaches everything below it, and above it unless a sandbox is in the way: grant it like
/// a path.
#[derive(Debug)]
pub struct Directory(OwnedFd);

impl From<OwnedFd> for Directory {
    fn from(fd: OwnedFd) -> Self {
        Self(fd)
    }
}

impl From<Directory> for OwnedFd {
    fn from(directory: Directory) -> Self {
        directory.0
    }
}

impl AsFd for Directory {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

mod sealed {
    pub trait Sealed {}
}

macro_rules! kinds {
    ($($holds:ty => $kind:ident,)*) => {$(
        impl sealed::Sealed for $holds {}

        impl Descriptor for $holds {
            const KIND: FdKind = FdKind::$kind;
        }

        impl From<Fd<$holds>> for $holds {
            fn from(fd: Fd<$holds>) -> Self {
                fd.into_inner()
            }
        }
    )*};
}

kinds! {
    File => File,
    Directory => Directory,
    TcpListener => TcpListener,
    TcpStream => TcpStream,
    UdpSocket => UdpSocket,
    UnixStream => UnixStream,
    UnixListener => UnixListener,
    PipeReader => PipeReader,
    PipeWriter => PipeWriter,
    OwnedFd => Any,
}

impl<T: Descriptor> Fd<T> {
    /// Takes what is to travel.
    ///
    /// ```
    /// use bailiwick::prelude::*;
    /// use std::fs::File;
    /// use std::io::Read;
    ///
    /// let sent: Fd<File> = File::open("/proc/self/status")?.into();
    /// let mut text = String::new();
    /// sent.into_inner().read_to_string(&mut text)?;
    /// assert!(text.starts_with("Name:"));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn new(holds: T) -> Self {
        Self { fd: Arc::new(holds.into()), holds: PhantomData }
    }

    /// Returns what it holds.
    pub fn into_inner(self) -> T {
        let fd = Arc::try_unwrap(self.fd).or_else(|shared| shared.try_clone());
        T::from(
            fd.expect("only a message that is being sent shares its descriptors, and nobody else has that"),
        )
    }
}

impl<T: Descriptor> From<T> for Fd<T> {
    fn from(holds: T) -> Self {
        Self::new(holds)
    }
}

impl<T> AsFd for Fd<T> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl<T> fmt::Debug for Fd<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Fd").field(&self.fd).finish()
    }
}

impl<T: Descriptor> Schema for Fd<T> {
    fn shape(_: &mut Shapes) -> Shape {
        Shape::descriptor(T::KIND)
    }
}

impl<T: Descriptor> Serialize for Fd<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let number = descriptors::put(T::KIND, &self.fd).map_err(S::Error::custom)?;
        serializer.serialize_u16(number)
    }
}

impl<'de, T: Descriptor> Deserialize<'de> for Fd<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = u16::deserialize(deserializer)?;
        let fd = descriptors::take(number, T::KIND).map_err(D::Error::custom)?;
        Ok(Self::new(T::from(fd)))
    }
}

/// Returns what a descriptor that a peer sent is. What the kernel does not tell keeps no promise.
pub(crate) fn observe(fd: BorrowedFd<'_>) -> FdKind {
    match descriptor_kind(fd) {
        Ok(DescriptorKind::File) => FdKind::File,
        Ok(DescriptorKind::Directory) => FdKind::Directory,
        Ok(DescriptorKind::TcpListener) => FdKind::TcpListener,
        Ok(DescriptorKind::TcpStream) => FdKind::TcpStream,
        Ok(DescriptorKind::UdpSocket) => FdKind::UdpSocket,
        Ok(DescriptorKind::UnixStream) => FdKind::UnixStream,
        Ok(DescriptorKind::UnixListener) => FdKind::UnixListener,
        Ok(DescriptorKind::PipeReader) => FdKind::PipeReader,
        Ok(DescriptorKind::PipeWriter) => FdKind::PipeWriter,
        Ok(DescriptorKind::SealedMemory) => FdKind::SealedMemory,
        Ok(DescriptorKind::Other) | Err(_) => FdKind::Any,
    }
}

#[cfg(test)]
mod tests;
