//! Listeners: those that whoever started this process hands to it, and those that it binds itself.

use std::fmt;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::{BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use nix::fcntl::{FcntlArg, FdFlag, fcntl};

/// The first descriptor that is passed by `LISTEN_FDS`.
const FIRST: RawFd = 3;

/// What a descriptor is called that was passed without a name, as systemd has it.
const UNNAMED: &str = "unknown";

/// Takes what whoever started this process passed to it, each descriptor with its name, as the variables `LISTEN_PID`,
/// `LISTEN_FDS` and `LISTEN_FDNAMES` of the environment say; nothing when it was taken before.
///
/// A descriptor that is not open is left out.
pub fn take_passed() -> Vec<(String, OwnedFd)> {
    /// Two owners of one number would close what is not theirs.
    static TAKEN: AtomicBool = AtomicBool::new(false);
    let variable = |name| std::env::var(name).ok();
    let number = |name| variable(name)?.parse::<u32>().ok();
    if number("LISTEN_PID") != Some(std::process::id()) || TAKEN.swap(true, Ordering::SeqCst) {
        return Vec::new();
    }
    let count = number("LISTEN_FDS").unwrap_or(0).min(PASSED_MAX);
    let names = variable("LISTEN_FDNAMES").unwrap_or_default();
    let names = names.split(':').filter(|name| !name.is_empty()).chain(std::iter::repeat(UNNAMED));
    let numbers = (0..count).filter_map(|at| RawFd::try_from(at).ok()).map(|at| FIRST + at);
    names.zip(numbers).filter_map(|(name, number)| Some((name.to_owned(), own(number)?))).collect()
}

/// Takes a descriptor into ownership, if it is open, and makes it close-on-exec.
fn own(number: RawFd) -> Option<OwnedFd> {
    // SAFETY: takes numbers only and touches no memory.
    if unsafe { libc::fcntl(number, libc::F_GETFD) } < 0 {
        return None;
    }
    // SAFETY: it is open; whoever started this process says that it is this function's to take, and the swap in the
    // caller lets it be taken once.
    let taken = unsafe { OwnedFd::from_raw_fd(number) };
    fcntl(&taken, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC)).ok()?;
    Some(taken)
}

/// Where a listener listens.
#[derive(Clone, Debug, PartialEq, Eq)]
// Exhaustive: whoever checks addresses must know each kind.
pub enum Address {
    /// A TCP address and port.
    Tcp(SocketAddr),
    /// A path.
    Unix(PathBuf),
}

impl Address {
    /// Returns where a listener listens; `None` of one that has no address to write down, such as a name that is no path.
    pub fn of(listener: BorrowedFd<'_>) -> Option<Self> {
        let own = || listener.try_clone_to_owned().ok();
        match TcpListener::from(own()?).local_addr() {
            Ok(address) => Some(Self::Tcp(address)),
            // It is of another family.
            Err(_) => UnixListener::from(own()?)
                .local_addr()
                .ok()?
                .as_pathname()
                .map(|path| Self::Unix(path.into())),
        }
    }

    /// Binds it and listens there.
    ///
    /// # Errors
    /// As [`tcp`] and [`unix`].
    pub fn bind(&self) -> std::io::Result<OwnedFd> {
        match self {
            Self::Tcp(address) => tcp(*address),
            Self::Unix(path) => unix(path),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => path.display().fmt(f),
        }
    }
}

/// Binds a TCP address and listens there.
///
/// # Errors
/// EADDRINUSE, EADDRNOTAVAIL; EACCES for a port that needs CAP_NET_BIND_SERVICE.
pub fn tcp(address: SocketAddr) -> std::io::Result<OwnedFd> {
    TcpListener::bind(address).map(OwnedFd::from)
}

/// Binds a path and listens there. A socket at that path on which nobody listens any more is replaced.
///
/// # Errors
/// EADDRINUSE if somebody listens there, or something else than a socket is there; EACCES, ENOENT.
pub fn unix(path: &Path) -> std::io::Result<OwnedFd> {
    let is_socket = path.symlink_metadata().is_ok_and(|found| found.file_type().is_socket());
    let refuses = |error: std::io::Error| error.kind() == std::io::ErrorKind::ConnectionRefused;
    if is_socket && UnixStream::connect(path).is_err_and(refuses) {
        std::fs::remove_file(path)?;
    }
    UnixListener::bind(path).map(OwnedFd::from)
}

/// Descriptors that are taken at most.
const PASSED_MAX: u32 = 256;

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;

    use super::*;
    use crate::hangup::wait_for_hangup;

    #[test]
    fn a_stale_socket_is_replaced_and_one_in_use_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        let first = unix(&path).unwrap();
        assert_eq!(unix(&path).unwrap_err().kind(), std::io::ErrorKind::AddrInUse);
        let waiting = UnixStream::connect(&path).unwrap();
        drop(first);
        wait_for_hangup(waiting.as_fd());
        let second = unix(&path).unwrap();
        UnixStream::connect(&path).unwrap();
        drop(second);
        std::fs::remove_file(&path).unwrap();
        std::fs::write(&path, "precious").unwrap();
        assert_eq!(unix(&path).unwrap_err().kind(), std::io::ErrorKind::AddrInUse);
        assert_eq!(std::fs::read(&path).unwrap(), b"precious");
    }

    #[test]
    fn a_listener_says_where_it_listens() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        let listener = unix(&path).unwrap();
        assert_eq!(Address::of(listener.as_fd()), Some(Address::Unix(path)));
        for any in ["127.0.0.1:0", "[::1]:0"] {
            let Ok(listener) = TcpListener::bind(any) else { continue };
            let address = listener.local_addr().unwrap();
            assert_ne!(address.port(), 0);
            assert_eq!(Address::of(listener.as_fd()), Some(Address::Tcp(address)));
        }
        let (nameless, _other) = UnixStream::pair().unwrap();
        assert_eq!(Address::of(nameless.as_fd()), None);
        assert_eq!(Address::of(std::io::stdin().as_fd()), None);
    }

    #[test]
    fn a_port_in_use_is_refused() {
        let first = TcpListener::bind("127.0.0.1:0").unwrap();
        let error = tcp(first.local_addr().unwrap()).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::AddrInUse);
    }
}
