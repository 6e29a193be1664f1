//! The gallery's command line.

use std::ffi::OsString;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::unix::fs::chown;
use std::path::PathBuf;

use tempfile::TempDir;
use thiserror::Error;

use crate::permission::Permission;

/// What is to be served, and where.
#[derive(Debug)]
pub(crate) struct Options {
    pub(crate) folder: PathBuf,
    /// The folder takes new pictures.
    pub(crate) uploads: bool,
    pub(crate) listen: SocketAddr,
    /// Made for pictures that the gallery draws itself, and removed at the end.
    pub(crate) own_folder: Option<TempDir>,
}

/// Why there is nothing to serve.
#[derive(Debug, Error)]
pub(crate) enum OptionsError {
    #[error("usage: gallery [FOLDER] [--listen ADDRESS:PORT], see gallery --help")]
    Usage,
    #[error("--listen {given}: expected an address and a port such as {FREE}")]
    Listen { given: String },
    #[error("{folder}: {error}", folder = folder.display())]
    Folder { folder: PathBuf, error: io::Error },
    #[error(
        "{folder} belongs to root and has mode {mode:04o}, which closes it to the worker that is to show it: no worker \
         of this gallery is root. Let others look into it (chmod -R o+rX {folder}), or give it to a user (chown -R \
         USER {folder})",
        folder = folder.display()
    )]
    Closed { folder: PathBuf, mode: u32 },
}

/// What `gallery --help` says.
pub(crate) const HELP: &str = "\
usage: gallery [FOLDER] [--listen ADDRESS:PORT]

Serves the pictures of FOLDER, or a few that it draws itself. Who reaches it may also add and replace pictures, so it
listens only for this machine unless told otherwise: at 127.0.0.1:8080, as root at 127.0.0.1:80.
`--listen 0.0.0.0:80` opens it to everybody.

No worker is root. A folder that belongs to another user is served as that user; one that belongs to root is shown and
takes no pictures, unless it is empty: then it is given to its worker.
";

/// Where a gallery listens that was not told otherwise: only this machine reaches it.
const FREE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8080);
/// The same as root, whose browser then needs no port.
const OF_ROOT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 80);
/// Owns the pictures that root's gallery draws, so that whoever serves them need not be root.
const NOBODY: u32 = 65_534;

impl Options {
    /// Reads the command line, and makes a folder if it names none.
    ///
    /// # Errors
    /// [`OptionsError`], to be shown to whoever wrote the command line.
    pub(crate) fn read(arguments: impl Iterator<Item = OsString>) -> Result<Self, OptionsError> {
        let mut arguments = arguments;
        let (mut folder, mut listen) = (None, default_address());
        while let Some(argument) = arguments.next() {
            match argument.to_str() {
                Some("--listen") => listen = address(&arguments.next().ok_or(OptionsError::Usage)?)?,
                Some(option) if option.starts_with('-') => return Err(OptionsError::Usage),
                _ if folder.is_some() => return Err(OptionsError::Usage),
                _ => folder = Some(PathBuf::from(argument)),
            }
        }
        let Some(folder) = folder else { return Self::with_own_folder(listen) };
        // The folder itself and no link to it: as root the supervisor follows none.
        let found = folder.canonicalize().and_then(|folder| {
            let permission = Permission::of(&folder, nix::unistd::geteuid().as_raw())?;
            Ok((folder, permission))
        });
        match found {
            Ok((folder, Permission::Closed { mode })) => Err(OptionsError::Closed { folder, mode }),
            Ok((folder, permission)) => {
                Ok(Self { folder, uploads: permission == Permission::Uploads, listen, own_folder: None })
            }
            Err(error) => Err(OptionsError::Folder { folder, error }),
        }
    }

    fn with_own_folder(listen: SocketAddr) -> Result<Self, OptionsError> {
        let failed = |error| OptionsError::Folder { folder: std::env::temp_dir(), error };
        let own = tempfile::Builder::new().prefix("gallery-").tempdir().map_err(failed)?;
        let folder = own.path().canonicalize().map_err(failed)?;
        if nix::unistd::geteuid().is_root() {
            chown(&folder, Some(NOBODY), Some(NOBODY)).map_err(failed)?;
        }
        Ok(Self { folder, uploads: true, listen, own_folder: Some(own) })
    }

    /// What stands in for a command line in a worker, which has none. What a worker needs of it comes as arguments of
    /// its actor.
    pub(crate) fn unknown() -> Self {
        Self { folder: PathBuf::new(), uploads: true, listen: FREE, own_folder: None }
    }
}

fn default_address() -> SocketAddr {
    if nix::unistd::geteuid().is_root() { OF_ROOT } else { FREE }
}

fn address(given: &OsString) -> Result<SocketAddr, OptionsError> {
    let listen = given.to_str().and_then(|text| text.parse().ok());
    listen.ok_or_else(|| OptionsError::Listen { given: given.to_string_lossy().into_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(arguments: &[&str]) -> Result<Options, OptionsError> {
        Options::read(arguments.iter().map(OsString::from))
    }

    #[test]
    fn folder_and_address_may_stand_in_any_order() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().to_str().expect("text");
        for arguments in [["--listen", "0.0.0.0:80", path], [path, "--listen", "0.0.0.0:80"]] {
            let options = read(&arguments).expect("in order");
            assert_eq!(options.listen.to_string(), "0.0.0.0:80");
            assert_eq!(options.folder, folder.path().canonicalize().expect("there"));
            assert!(options.own_folder.is_none());
        }
    }

    #[test]
    fn without_a_folder_there_is_one_of_its_own_until_the_end() {
        let options = read(&[]).expect("in order");
        assert!(options.folder.is_dir());
        assert_eq!(options.listen, default_address());
        assert!(options.listen.ip().is_loopback());
        let folder = options.folder.clone();
        drop(options);
        assert!(!folder.exists());
    }

    #[test]
    fn what_is_no_command_line_is_said() {
        assert!(matches!(read(&["--listen"]), Err(OptionsError::Usage)));
        assert!(matches!(read(&["--port"]), Err(OptionsError::Usage)));
        assert!(matches!(read(&["a", "b"]), Err(OptionsError::Usage)));
        assert!(matches!(read(&["--listen", "8080"]), Err(OptionsError::Listen { .. })));
        assert!(matches!(read(&["/no/such/folder"]), Err(OptionsError::Folder { .. })));
    }
}
