//! The journal of systemd, which takes entries as packets: nobody waits for it.

use std::io::ErrorKind;
use std::os::fd::AsFd;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};

use nix::sys::stat::fstat;

/// Where the journal listens.
pub const SOCKET: &str = "/run/systemd/journal/socket";
/// What systemd says of whoever it has connected to the journal: the device and the inode of its standard error.
const VARIABLE: &str = "JOURNAL_STREAM";

/// A way to the journal.
#[derive(Debug)]
pub struct Journal {
    socket: UnixDatagram,
    path: PathBuf,
}

/// What became of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent {
    /// The journal has it.
    Taken,
    /// Not now.
    Full,
    /// The journal is not there, or never takes it.
    Refused,
}

/// Returns whether standard output and standard error both go to the journal, and the journal can be found. Either alone
/// goes on as it is, for the other belongs to somebody else.
pub fn takes_both_streams() -> bool {
    let variable = std::env::var(VARIABLE).unwrap_or_default();
    let is_it = |stream: &dyn AsFd| {
        fstat(stream.as_fd()).is_ok_and(|found| names(&variable, found.st_dev, found.st_ino))
    };
    is_it(&std::io::stdout()) && is_it(&std::io::stderr()) && Path::new(SOCKET).exists()
}

/// Tells whether the variable names this inode.
fn names(variable: &str, device: u64, inode: u64) -> bool {
    variable.split_once(':').is_some_and(|(dev, ino)| dev.parse() == Ok(device) && ino.parse() == Ok(inode))
}

impl Journal {
    /// Returns a way to the journal that listens there; `None` if there is no socket to be had.
    pub fn at(path: impl Into<PathBuf>) -> Option<Self> {
        let socket = UnixDatagram::unbound().ok()?;
        socket.set_nonblocking(true).ok()?;
        Some(Self { socket, path: path.into() })
    }

    /// Sends an entry if it is taken now. It finds the journal each time, which may have been started anew.
    pub fn send(&self, entry: &[u8]) -> Sent {
        match self.socket.send_to(entry, &self.path) {
            Ok(_) => Sent::Taken,
            Err(error) if [ErrorKind::WouldBlock, ErrorKind::Interrupted].contains(&error.kind()) => {
                Sent::Full
            }
            Err(_) => Sent::Refused,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_inode_that_is_named_is_the_journals() {
        for (variable, is_it) in [
            ("8:12", true),
            ("8:13", false),
            ("9:12", false),
            ("8", false),
            ("", false),
            ("8:12:1", false),
            (":", false),
            ("-8:12", false),
        ] {
            assert_eq!(names(variable, 8, 12), is_it, "{variable}");
        }
    }

    #[test]
    fn an_entry_is_a_packet_and_nobody_waits_for_a_full_or_absent_journal() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        let journal = Journal::at(&path).unwrap();
        assert_eq!(journal.send(b"MESSAGE=a\n\n"), Sent::Refused);
        let listens = UnixDatagram::bind(&path).unwrap();
        assert_eq!(journal.send(b"MESSAGE=b\n\n"), Sent::Taken);
        let mut bytes = [0; 64];
        let length = listens.recv(&mut bytes).unwrap();
        assert_eq!(&bytes[..length], b"MESSAGE=b\n\n");
        let many = (0..100_000).map(|_| journal.send(b"MESSAGE=c\n\n")).find(|sent| *sent != Sent::Taken);
        assert_eq!(many, Some(Sent::Full));
        drop(listens);
        assert_eq!(journal.send(b"MESSAGE=d\n\n"), Sent::Refused);
        std::fs::remove_file(&path).unwrap();
        let anew = UnixDatagram::bind(&path).unwrap();
        assert_eq!(journal.send(b"MESSAGE=e\n\n"), Sent::Taken);
        assert!(anew.recv(&mut bytes).is_ok());
    }
}
