//! What workers execute: opened once, held open, and trusted because nobody else could have changed it.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use bailiwick_sys::{Errno, identity, user_namespace};

use super::error::{Exposure, SandboxError};
use crate::spec::Exec;

/// An executable that is held open: every restart runs the same file.
#[derive(Debug)]
pub struct Executable {
    path: PathBuf,
    file: OwnedFd,
    loader: Option<PathBuf>,
}

impl Executable {
    /// Opens what `exec` names, and checks that only root and the supervisor's own user could have changed it.
    ///
    /// # Errors
    /// [`SandboxError::Exposed`] names the file or directory that others can change; the other variants why it
    /// cannot be opened or run.
    pub fn open(exec: &Exec) -> Result<Self, SandboxError> {
        let path = match exec {
            Exec::Own => std::fs::read_link(OWN),
            Exec::Path(path) => path.canonicalize(),
        };
        let named = match exec {
            Exec::Own => Path::new(OWN),
            Exec::Path(path) => path,
        };
        let unreachable = |error: std::io::Error| SandboxError::Unreachable {
            role: "executable",
            path: named.to_owned(),
            errno: Errno::from_raw(error.raw_os_error().unwrap_or(0)),
        };
        let path = path.map_err(unreachable)?;
        let opened = match exec {
            Exec::Own => Path::new(OWN),
            Exec::Path(_) => &path,
        };
        let file =
            File::options().read(true).custom_flags(nix::libc::O_PATH).open(opened).map_err(unreachable)?;
        check(&path, &file)?;
        let loader = loader(opened).map_err(|()| SandboxError::NotExecutable { path: path.clone() })?;
        Ok(Self { path, file: file.into(), loader })
    }

    /// Returns where it was found.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the program that the kernel starts to load it; `None` if it is statically linked.
    pub(super) fn loader(&self) -> Option<&Path> {
        self.loader.as_deref()
    }
}

impl AsFd for Executable {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

/// Checks the file and every directory on the way to it.
fn check(path: &Path, file: &File) -> Result<(), SandboxError> {
    let exposed =
        |at: &Path, fault| SandboxError::Exposed { executable: path.to_owned(), path: at.to_owned(), fault };
    let unreachable = |at: &Path| {
        let (role, path) = ("executable's folder", at.to_owned());
        move |error: std::io::Error| SandboxError::Unreachable {
            role,
            path,
            errno: Errno::from_raw(error.raw_os_error().unwrap_or(0)),
        }
    };
    let found = file.metadata().map_err(unreachable(path))?;
    if !found.is_file() || found.mode() & 0o111 == 0 {
        return Err(SandboxError::NotExecutable { path: path.to_owned() });
    }
    exposure(&found).map_or(Ok(()), |fault| Err(exposed(path, fault)))?;
    for folder in path.ancestors().skip(1) {
        let found = folder.symlink_metadata().map_err(unreachable(folder))?;
        exposure(&found).map_or(Ok(()), |fault| Err(exposed(folder, fault)))?;
    }
    Ok(())
}

fn exposure(found: &std::fs::Metadata) -> Option<Exposure> {
    let own = identity::effective_uid();
    // In a user namespace, whoever does not exist in it shows as this number: those who made the namespace.
    let outside = found.uid() == OVERFLOW && !user_namespace::has(&(OVERFLOW..=OVERFLOW));
    if found.uid() != 0 && found.uid() != own && !outside {
        return Some(Exposure::Owner { owner: found.uid() });
    }
    let mode = found.mode() & 0o7777;
    // In a folder like /tmp everybody may add, but nobody may replace what is another's.
    let sticky = found.is_dir() && mode & 0o1000 != 0;
    // A user's own group is a usual default; whoever is in it can act as that user anyway.
    let own_group = own != 0 && found.gid() == identity::effective_gid();
    let group = mode & 0o020 != 0 && found.gid() != 0 && !own_group;
    let others = mode & 0o002 != 0;
    ((group || others) && !sticky).then_some(Exposure::Writable { mode })
}

/// Reads which program loads the executable from its header.
fn loader(path: &Path) -> Result<Option<PathBuf>, ()> {
    let Ok(mut file) = File::open(path) else {
        // Executable and not readable is allowed, and hides the program from those who run it.
        return Ok(None);
    };
    let mut header = [0; ELF_HEADER_BYTES];
    file.read_exact(&mut header).map_err(drop)?;
    if header[..6] != ELF_64_LITTLE {
        return Err(());
    }
    let table = u64::from_le_bytes(header[0x20..0x28].try_into().map_err(drop)?);
    let count = u16::from_le_bytes([header[0x38], header[0x39]]);
    file.seek(SeekFrom::Start(table)).map_err(drop)?;
    for _ in 0..count.min(PROGRAM_HEADERS_MAX) {
        let mut entry = [0; PROGRAM_HEADER_BYTES];
        file.read_exact(&mut entry).map_err(drop)?;
        if entry[..4] != PT_INTERP {
            continue;
        }
        let offset = u64::from_le_bytes(entry[0x08..0x10].try_into().map_err(drop)?);
        let length = u64::from_le_bytes(entry[0x20..0x28].try_into().map_err(drop)?).min(PATH_BYTES_MAX);
        let mut name = vec![0; usize::try_from(length).map_err(drop)?];
        file.read_exact_at(&mut name, offset).map_err(drop)?;
        let name = name.split(|byte| *byte == 0).next().unwrap_or_default();
        return String::from_utf8(name.to_vec()).map(|name| Some(name.into())).map_err(drop);
    }
    Ok(None)
}

const OVERFLOW: u32 = 65_534;
const OWN: &str = "/proc/self/exe";
const ELF_HEADER_BYTES: usize = 64;
const ELF_64_LITTLE: [u8; 6] = [0x7f, b'E', b'L', b'F', 2, 1];
const PROGRAM_HEADER_BYTES: usize = 56;
const PROGRAM_HEADERS_MAX: u16 = 64;
const PT_INTERP: [u8; 4] = [3, 0, 0, 0];
const PATH_BYTES_MAX: u64 = 4096;

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn copy_of_true() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().canonicalize().unwrap().join("program");
        std::fs::copy("/bin/true", &path).unwrap();
        (folder, path)
    }

    fn set_mode(path: &Path, mode: u32) {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn the_own_executable_opens_and_names_its_loader() {
        let executable = Executable::open(&Exec::Own).unwrap();
        assert_eq!(executable.path(), std::env::current_exe().unwrap());
        assert!(executable.loader().is_none_or(Path::exists));
    }

    #[test]
    fn an_executable_that_others_may_write_is_refused() {
        let (_folder, path) = copy_of_true();
        assert!(Executable::open(&Exec::Path(path.clone())).is_ok());
        set_mode(&path, 0o757);
        let error = Executable::open(&Exec::Path(path.clone())).unwrap_err();
        assert!(
            matches!(&error, SandboxError::Exposed { path: at, fault: Exposure::Writable { mode: 0o757 }, .. } if *at == path),
            "{error}"
        );
    }

    #[test]
    fn an_executable_in_a_folder_that_others_may_write_is_refused() {
        let (folder, path) = copy_of_true();
        set_mode(folder.path(), 0o777);
        let error = Executable::open(&Exec::Path(path)).unwrap_err();
        assert!(
            matches!(error, SandboxError::Exposed { fault: Exposure::Writable { mode: 0o777 }, .. }),
            "{error}"
        );
    }

    #[test]
    fn what_is_not_a_program_is_refused() {
        let (_folder, path) = copy_of_true();
        std::fs::write(
            &path,
            b"#!/bin/sh\necho this is a script and not a program at all, and long enough\n",
        )
        .unwrap();
        let error = Executable::open(&Exec::Path(path.clone())).unwrap_err();
        assert!(matches!(error, SandboxError::NotExecutable { .. }), "{error}");
        set_mode(&path, 0o644);
        assert!(Executable::open(&Exec::Path(path)).is_err());
        let error = Executable::open(&Exec::Path("/nonexistent/program".into())).unwrap_err();
        assert!(matches!(error, SandboxError::Unreachable { errno: Errno::ENOENT, .. }), "{error}");
    }
}
