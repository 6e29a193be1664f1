//! Which files the supervisor may believe: those that nobody but root and its own user can change.
//!
//! A path is walked from the root down, through links too. Each folder and link that was found to be in trusted hands keeps
//! the rest of the path in trusted hands, so that what is checked here and what is opened at the end are the same.

use std::ffi::OsString;
use std::fs::{File, Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use bailiwick_sys::user_namespace;
use nix::fcntl::OFlag;
use nix::unistd::{getegid, geteuid};
use thiserror::Error;

use super::accounts;

/// Whose files are believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trust {
    uid: u32,
    /// The user's own group, if it is a group of one; its members may write.
    own_group: Option<u32>,
}

/// Why a file is not believed, or cannot be opened.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Untrusted {
    /// The kernel refused.
    #[error("cannot open `{path}`: {error}", path = path.display())]
    Unreadable {
        /// The path, or the part of it that failed.
        path: PathBuf,
        /// The kernel's error.
        error: io::Error,
    },
    /// Somebody else owns it.
    #[error("`{path}` belongs to {owner}, expected root or {expected}", path = path.display())]
    Owner {
        /// The part of the path.
        path: PathBuf,
        /// Who owns it.
        owner: Name,
        /// The supervisor's own user.
        expected: Name,
    },
    /// Others can change it.
    #[error("`{path}` may be written by {who} (mode {mode:04o})", path = path.display())]
    Writable {
        /// The part of the path.
        path: PathBuf,
        /// Who may write.
        who: Writers,
        /// The permission bits.
        mode: u32,
    },
    /// A folder, a device, a pipe.
    #[error("`{path}` is {found}, expected a regular file", path = path.display())]
    NotAFile {
        /// The path.
        path: PathBuf,
        /// What it is.
        found: &'static str,
    },
    /// It has no permission to execute.
    #[error("`{path}` is not executable (mode {mode:04o})", path = path.display())]
    NotExecutable {
        /// The path.
        path: PathBuf,
        /// The permission bits.
        mode: u32,
    },
}

/// Who may write to a file besides its owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Writers {
    /// The members of its group.
    Group(u32),
    /// Every user.
    Others,
}

/// A user as a person knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Name(pub u32);

/// The longest path that is walked, in parts.
const MAX_PARTS: usize = 256;

/// What the kernel shows for a user that does not exist in the namespace.
const OVERFLOW: u32 = 65_534;

/// The executable of this process.
pub(crate) const OWN: &str = "/proc/self/exe";

impl Trust {
    /// Trusts root and the user of this process.
    pub fn of_this_process() -> Self {
        let (uid, gid) = (geteuid().as_raw(), getegid().as_raw());
        let own_group = (uid != 0 && accounts::is_group_of_one(uid, gid)).then_some(gid);
        Self { uid, own_group }
    }

    /// Opens a regular file for reading if neither it nor a folder above it nor a link that leads there can be changed by
    /// others. Never blocks on a pipe.
    ///
    /// # Errors
    /// See [`Untrusted`]; it names the part of the path that is the matter.
    pub fn open(&self, path: &Path) -> Result<File, Untrusted> {
        self.open_with(path, OFlag::O_NONBLOCK)
    }

    /// Opens an executable in the same way, for executing by descriptor and not for reading.
    ///
    /// # Errors
    /// See [`Untrusted`].
    pub fn open_executable(&self, path: &Path) -> Result<File, Untrusted> {
        let file = self.open_with(path, OFlag::O_PATH)?;
        match file.metadata() {
            Ok(metadata) if metadata.mode() & 0o111 != 0 => Ok(file),
            Ok(metadata) => {
                Err(Untrusted::NotExecutable { path: path.to_owned(), mode: metadata.mode() & 0o7777 })
            }
            Err(error) => Err(Untrusted::Unreadable { path: path.to_owned(), error }),
        }
    }

    /// Opens the executable of this process, for executing by descriptor, and returns where it was started from.
    /// It may have been removed or replaced there since: what is opened is what runs.
    ///
    /// # Errors
    /// See [`Untrusted`].
    pub fn open_own_executable(&self) -> Result<(PathBuf, File), Untrusted> {
        let unreadable = |error| Untrusted::Unreadable { path: OWN.into(), error };
        let path = Path::new(OWN).read_link().map_err(unreadable)?;
        self.walk(path.parent().unwrap_or(&path), true)?;
        let file = OpenOptions::new().read(true).custom_flags(OFlag::O_PATH.bits()).open(OWN);
        let file = file.map_err(unreadable)?;
        self.believe(&path, &file.metadata().map_err(unreadable)?, false)?;
        Ok((path, file))
    }

    fn open_with(&self, path: &Path, how: OFlag) -> Result<File, Untrusted> {
        let unreadable = |error| Untrusted::Unreadable { path: path.to_owned(), error };
        let real = self.walk(path, false)?;
        let flags = how | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let file = OpenOptions::new().read(true).custom_flags(flags.bits()).open(real).map_err(unreadable)?;
        let metadata = file.metadata().map_err(unreadable)?;
        self.believe(path, &metadata, false)?;
        if !metadata.is_file() {
            return Err(Untrusted::NotAFile { path: path.to_owned(), found: kind(&metadata) });
        }
        Ok(file)
    }

    /// Checks the folders above `path`, the links that it leads through, and what stands at its end, which may be a folder
    /// `above` others. Returns the path without links.
    fn walk(&self, path: &Path, above: bool) -> Result<PathBuf, Untrusted> {
        let backwards =
            |path: &Path| path.components().rev().map(|part| part.as_os_str().to_owned()).collect();
        let (mut real, mut rest): (_, Vec<OsString>) = (PathBuf::new(), backwards(path));
        let mut count = 0;
        while let Some(part) = rest.pop() {
            count += 1;
            real.push(part);
            let metadata = if count <= MAX_PARTS { real.symlink_metadata() } else { Err(too_deep()) };
            let unreadable = |error| Untrusted::Unreadable { path: real.clone(), error };
            let metadata = metadata.map_err(unreadable)?;
            if metadata.is_symlink() {
                self.believe_owner(&real, &metadata)?;
                rest.append(&mut backwards(&real.read_link().map_err(unreadable)?));
                real.pop();
            } else if !real.ends_with("..") {
                self.believe(&real, &metadata, above || !rest.is_empty())?;
            }
        }
        Ok(real)
    }

    /// Checks one file or folder. A sticky folder may be written by all: they can add to it but not
    /// exchange what root or the user has put there, which is checked in its turn.
    fn believe(&self, path: &Path, metadata: &Metadata, above: bool) -> Result<(), Untrusted> {
        self.believe_owner(path, metadata)?;
        let mode = metadata.mode() & 0o7777;
        let guarded = above && metadata.is_dir() && mode & 0o1000 != 0;
        let who = if guarded {
            return Ok(());
        } else if mode & 0o002 != 0 {
            Writers::Others
        } else if mode & 0o020 != 0 && metadata.gid() != 0 && Some(metadata.gid()) != self.own_group {
            Writers::Group(metadata.gid())
        } else {
            return Ok(());
        };
        Err(Untrusted::Writable { path: path.to_owned(), who, mode })
    }

    /// Checks who can exchange a file, folder or link.
    fn believe_owner(&self, path: &Path, metadata: &Metadata) -> Result<(), Untrusted> {
        // In a user namespace, whoever does not exist in it shows as this number: those who made the namespace.
        let outside = metadata.uid() == OVERFLOW && !user_namespace::has(&(OVERFLOW..=OVERFLOW));
        if metadata.uid() == 0 || metadata.uid() == self.uid || outside {
            return Ok(());
        }
        let (owner, expected) = (Name(metadata.uid()), Name(self.uid));
        Err(Untrusted::Owner { path: path.to_owned(), owner, expected })
    }
}

impl Untrusted {
    /// Says what the operator can do about it.
    pub fn advice(&self) -> String {
        match self {
            Self::Unreadable { path, error } => match error.kind() {
                io::ErrorKind::NotFound => match path.parent().filter(|parent| !parent.exists()) {
                    Some(parent) => format!("there is no folder `{}`", parent.display()),
                    None => "check the path; a relative one starts at the manifest's folder".into(),
                },
                io::ErrorKind::PermissionDenied => {
                    format!("let {} read it, or run as its owner", Name(geteuid().as_raw()))
                }
                _ => "check the path".into(),
            },
            Self::Owner { path, .. } => {
                format!("whoever owns it can exchange it; run: chown root {}", shell(path))
            }
            Self::Writable { path, who: Writers::Group(_), .. } => format!("run: chmod g-w {}", shell(path)),
            Self::Writable { path, who: Writers::Others, .. } => format!("run: chmod o-w {}", shell(path)),
            Self::NotAFile { .. } => "name a file".into(),
            Self::NotExecutable { path, .. } => format!("run: chmod +x {}", shell(path)),
        }
    }
}

impl std::fmt::Display for Writers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Others => f.write_str("every user"),
            Self::Group(gid) => match accounts::group_name(*gid) {
                Some(name) => write!(f, "the group {name}"),
                None => write!(f, "the group {gid}"),
            },
        }
    }
}

impl std::fmt::Display for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match accounts::user_name(self.0) {
            Some(name) => write!(f, "{name} (uid {})", self.0),
            None => write!(f, "uid {}", self.0),
        }
    }
}

fn too_deep() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, format!("the path has more than {MAX_PARTS} parts"))
}

fn kind(metadata: &Metadata) -> &'static str {
    if metadata.is_dir() { "a folder" } else { "a device, a pipe or a socket" }
}

/// Quotes a path for a shell.
fn shell(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+".contains(c);
    if text.chars().all(plain) { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{PermissionsExt, symlink};

    fn folder() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().canonicalize().unwrap();
        fs::write(path.join("file"), "text").unwrap();
        mode(&path.join("file"), 0o600);
        (folder, path)
    }

    fn mode(path: &Path, mode: u32) {
        fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }

    fn open(path: &Path) -> Result<File, Untrusted> {
        Trust::of_this_process().open(path)
    }

    #[test]
    fn a_file_in_trusted_hands_opens_below_a_sticky_folder() {
        let (_keep, path) = folder();
        assert!(open(&path.join("file")).is_ok());
        mode(&path, 0o1777);
        assert!(open(&path.join("file")).is_ok());
    }

    #[test]
    fn what_others_may_write_is_refused_with_the_command_that_mends_it() {
        let (_keep, path) = folder();
        mode(&path.join("file"), 0o602);
        let error = open(&path.join("file")).unwrap_err();
        assert!(matches!(&error, Untrusted::Writable { who: Writers::Others, mode: 0o602, .. }), "{error}");
        assert_eq!(error.advice(), format!("run: chmod o-w {}", path.join("file").display()));
        mode(&path.join("file"), 0o600);
        mode(&path, 0o777);
        let error = open(&path.join("file")).unwrap_err();
        assert!(matches!(&error, Untrusted::Writable { path: found, .. } if *found == path), "{error}");
        mode(&path, 0o700);
    }

    #[test]
    fn what_somebody_else_owns_is_refused() {
        let (_keep, path) = folder();
        let stranger = Trust { uid: 4_000_000_000, own_group: None };
        let metadata = path.metadata().unwrap();
        let judged = stranger.believe(&path, &metadata, true);
        assert_eq!(judged.is_ok(), metadata.uid() == 0, "only root's files are everybody's to trust");
        let mine = Trust { uid: metadata.uid(), own_group: None };
        assert!(mine.believe(&path, &metadata, true).is_ok());
    }

    #[test]
    fn a_link_in_trusted_hands_is_followed_as_the_kernel_does() {
        let (_keep, path) = folder();
        fs::create_dir_all(path.join("dir/deeper")).unwrap();
        fs::write(path.join("dir/inner"), "").unwrap();
        mode(&path.join("dir/inner"), 0o600);
        symlink("file", path.join("link")).unwrap();
        symlink("dir/deeper", path.join("dirlink")).unwrap();
        symlink(path.join("dirlink"), path.join("absolute")).unwrap();
        symlink("loop", path.join("loop")).unwrap();
        assert!(open(&path.join("link")).is_ok());
        assert!(open(&path.join("dirlink/../inner")).is_ok(), "above where the link leads");
        assert!(open(&path.join("absolute/../inner")).is_ok());
        assert!(open(&path.join("dirlink/../file")).is_err(), "and not above where it stands");
        assert!(open(&path.join("loop")).unwrap_err().to_string().contains("parts"));
    }

    #[test]
    fn what_a_link_leads_to_is_checked_and_so_is_who_can_point_it_elsewhere() {
        let (_keep, path) = folder();
        symlink("file", path.join("link")).unwrap();
        mode(&path.join("file"), 0o602);
        let error = open(&path.join("link")).unwrap_err();
        assert!(
            matches!(&error, Untrusted::Writable { path: found, .. } if *found == path.join("file")),
            "{error}"
        );
        fs::create_dir(path.join("open")).unwrap();
        symlink("../file", path.join("open/link")).unwrap();
        mode(&path.join("file"), 0o600);
        mode(&path.join("open"), 0o777);
        let error = open(&path.join("open/link")).unwrap_err();
        assert!(
            matches!(&error, Untrusted::Writable { path: found, .. } if *found == path.join("open")),
            "{error}"
        );
        // In a sticky folder everybody puts links of their own, and only its owner can exchange one.
        mode(&path.join("open"), 0o1777);
        assert!(open(&path.join("open/link")).is_ok());
        if geteuid().is_root() {
            std::os::unix::fs::lchown(path.join("open/link"), Some(12_345), None).unwrap();
            let error = open(&path.join("open/link")).unwrap_err();
            assert!(matches!(&error, Untrusted::Owner { owner: Name(12_345), .. }), "{error}");
        } else {
            eprintln!("SKIPPED the link of another user: only root can make one");
        }
    }

    #[test]
    fn an_executable_needs_no_permission_to_be_read() {
        let (_keep, path) = folder();
        let open = |path: &Path| Trust::of_this_process().open_executable(path);
        assert!(matches!(open(&path.join("file")), Err(Untrusted::NotExecutable { mode: 0o600, .. })));
        mode(&path.join("file"), 0o111);
        assert!(open(&path.join("file")).is_ok());
        symlink("file", path.join("link")).unwrap();
        assert!(open(&path.join("link")).is_ok());
    }

    #[test]
    fn a_folder_a_pipe_and_nothing_are_no_files() {
        let (_keep, path) = folder();
        assert!(matches!(open(&path), Err(Untrusted::NotAFile { found: "a folder", .. })));
        nix::unistd::mkfifo(&path.join("pipe"), nix::sys::stat::Mode::S_IRUSR).unwrap();
        assert!(matches!(open(&path.join("pipe")), Err(Untrusted::NotAFile { .. })));
        let error = open(&path.join("none/file")).unwrap_err();
        assert!(error.to_string().contains("none"), "{error}");
    }
}
