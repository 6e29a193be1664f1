//! One folder, held as a descriptor: nothing above it, beside it or behind a link of it can be reached.

use std::fs::File;
use std::io::{Read, Seek};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::MetadataExt;

use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, OpenHow, ResolveFlag, openat2, renameat};
use nix::sys::stat::{FileStat, Mode, SFlag, fstatat};
use nix::unistd::{UnlinkatFlags, unlinkat};

use crate::format::{FIRST_BYTES, Format};
use crate::name::PictureName;
use crate::protocol::{Facts, FolderError, Listed, Listing, Published};
use crate::shrink::FILE_BYTES_MAX;

/// A folder of pictures.
#[derive(Debug)]
pub(crate) struct Folder {
    directory: OwnedFd,
    takes_uploads: bool,
    uploads: u64,
}

/// Pictures on a page.
pub(crate) const PAGE_PICTURES: usize = 60;
/// Entries of the folder that are looked at; what is beyond them is not shown.
const ENTRIES_MAX: usize = 100_000;
/// Files that begin so are uploads that have not got their name yet. No picture's name begins with a dot.
const UPLOAD_PREFIX: &str = ".gallery-upload-";

impl Folder {
    /// Takes a descriptor of the folder, and removes what an upload that was cut short left there.
    pub(crate) fn new(directory: OwnedFd) -> Self {
        let mut folder = Self { directory, takes_uploads: true, uploads: 0 };
        folder.sweep();
        // Owner, mode, sandbox and mount all have their say, so it is tried.
        folder.takes_uploads = !matches!(folder.scratch(), Err(FolderError::ReadOnly));
        folder
    }

    /// Returns one page, counted from 0.
    ///
    /// # Errors
    /// [`FolderError::Closed`] and [`FolderError::System`] if the folder cannot be read.
    pub(crate) fn page(&self, number: u32) -> Result<Listing, FolderError> {
        let mut names = self.names(|name| PictureName::parse(name).ok())?;
        names.sort();
        let total = names.len() as u64;
        let first = usize::try_from(number).unwrap_or(usize::MAX).saturating_mul(PAGE_PICTURES);
        let pictures = names
            .into_iter()
            .skip(first)
            .take(PAGE_PICTURES)
            .filter_map(|name| {
                let bytes = self.stat(&name).ok()?.bytes;
                Some(Listed { name, bytes })
            })
            .collect();
        Ok(Listing { pictures, total, uploads: self.takes_uploads })
    }

    /// Opens a picture to be read.
    ///
    /// # Errors
    /// [`FolderError::NotFound`] also for what is no plain file of this folder.
    pub(crate) fn open(&self, name: &PictureName) -> Result<(File, Facts), FolderError> {
        // Looking first: to open a device can have effects, and to open a pipe can wait.
        self.stat(name)?;
        let flags = OFlag::O_RDONLY | OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
        let file = self.beneath(name.as_str(), flags).map_err(failed)?;
        let found = file.metadata().map_err(io_failed)?;
        if !found.is_file() {
            return Err(FolderError::NotFound);
        }
        let modified_ns = nanoseconds(found.mtime(), found.mtime_nsec());
        Ok((file, Facts { bytes: found.len(), modified_ns, inode: found.ino() }))
    }

    /// Returns an empty file without a name that an upload is written to. It vanishes with its last descriptor.
    ///
    /// # Errors
    /// [`FolderError::ReadOnly`] where the folder may not be written to.
    pub(crate) fn scratch(&mut self) -> Result<File, FolderError> {
        let (file, name) = self.new_file()?;
        self.remove(&name);
        Ok(file)
    }

    /// Copies what `upload` holds to the picture `name`.
    ///
    /// A copy, because whoever wrote the upload may hold a descriptor of it and could change it later.
    ///
    /// # Errors
    /// [`FolderError::TooLong`] and [`FolderError::OtherContent`] refuse the upload; the folder is as before.
    pub(crate) fn publish(&mut self, name: &PictureName, upload: File) -> Result<Published, FolderError> {
        let (mut file, unnamed) = self.new_file()?;
        let outcome = copy(upload, &mut file, name.format()).and_then(|()| {
            let before = self.stat(name);
            renameat(&self.directory, unnamed.as_str(), &self.directory, name.as_str())
                .map_err(not_written)?;
            Ok(if before.is_ok() { Published::Replaced } else { Published::Created })
        });
        if outcome.is_err() {
            self.remove(&unnamed);
        }
        outcome
    }

    fn new_file(&mut self) -> Result<(File, String), FolderError> {
        self.uploads += 1;
        let name = format!("{UPLOAD_PREFIX}{}-{}", std::process::id(), self.uploads);
        let flags = OFlag::O_RDWR | OFlag::O_CREAT | OFlag::O_EXCL;
        let file = self.beneath(&name, flags).map_err(not_written)?;
        Ok((file, name))
    }

    fn beneath(&self, name: &str, flags: OFlag) -> Result<File, Errno> {
        let mut how = OpenHow::new()
            .flags(flags | OFlag::O_CLOEXEC | OFlag::O_NOFOLLOW)
            .resolve(ResolveFlag::RESOLVE_BENEATH | ResolveFlag::RESOLVE_NO_SYMLINKS);
        if flags.contains(OFlag::O_CREAT) {
            how = how.mode(Mode::from_bits_truncate(0o644));
        }
        openat2(&self.directory, name, how).map(File::from)
    }

    fn stat(&self, name: &PictureName) -> Result<Facts, FolderError> {
        let found: FileStat =
            fstatat(&self.directory, name.as_str(), AtFlags::AT_SYMLINK_NOFOLLOW).map_err(failed)?;
        if SFlag::from_bits_truncate(found.st_mode) & SFlag::S_IFMT != SFlag::S_IFREG {
            return Err(FolderError::NotFound);
        }
        let modified_ns = nanoseconds(found.st_mtime, found.st_mtime_nsec);
        Ok(Facts { bytes: u64::try_from(found.st_size).unwrap_or(0), modified_ns, inode: found.st_ino })
    }

    /// Reads the folder anew; names that are no text are left out.
    fn names<T>(&self, keep: impl Fn(&str) -> Option<T>) -> Result<Vec<T>, FolderError> {
        // A position of its own, so that two readings do not share one.
        let own = openat2(
            &self.directory,
            ".",
            OpenHow::new().flags(OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC),
        );
        let mut directory = Dir::from_fd(own.map_err(failed)?).map_err(failed)?;
        let mut names = Vec::new();
        for entry in directory.iter().take(ENTRIES_MAX) {
            let entry = entry.map_err(failed)?;
            names.extend(entry.file_name().to_str().ok().and_then(&keep));
        }
        Ok(names)
    }

    fn sweep(&self) {
        let left = self.names(|name| name.starts_with(UPLOAD_PREFIX).then(|| name.to_owned()));
        for name in left.unwrap_or_default() {
            self.remove(&name);
        }
    }

    /// Removes an upload; what cannot be removed now is swept at the next start.
    fn remove(&self, name: &str) {
        let _ = unlinkat(self.directory.as_fd(), name, UnlinkatFlags::NoRemoveDir);
    }
}

fn copy(mut upload: File, file: &mut File, announced: Format) -> Result<(), FolderError> {
    let length = upload.metadata().map_err(io_failed)?.len();
    if length > FILE_BYTES_MAX {
        return Err(FolderError::TooLong { bytes: length });
    }
    upload.rewind().map_err(io_failed)?;
    // The writer may lengthen the file meanwhile; what counts is what was copied.
    let copied = std::io::copy(&mut upload.take(FILE_BYTES_MAX), file);
    copied.map_err(io_failed)?;
    file.rewind().map_err(io_failed)?;
    let mut first = [0; FIRST_BYTES];
    let known = file.read_exact(&mut first).is_ok() && Format::of_first_bytes(&first) == Some(announced);
    if !known {
        return Err(FolderError::OtherContent);
    }
    Ok(())
}

fn nanoseconds(seconds: i64, rest: i64) -> u64 {
    let seconds = u64::try_from(seconds).unwrap_or(0);
    seconds.saturating_mul(1_000_000_000).saturating_add(u64::try_from(rest).unwrap_or(0))
}

fn io_failed(error: std::io::Error) -> FolderError {
    failed(error.raw_os_error().map_or(Errno::EIO, Errno::from_raw))
}

/// Says why nothing can be written to the folder.
fn not_written(errno: Errno) -> FolderError {
    match failed(errno) {
        FolderError::Closed => FolderError::ReadOnly,
        error => error,
    }
}

fn failed(errno: Errno) -> FolderError {
    match errno {
        // A link where a picture should be is as good as nothing.
        Errno::ENOENT | Errno::ELOOP | Errno::EXDEV | Errno::ENXIO | Errno::ENAMETOOLONG => {
            FolderError::NotFound
        }
        Errno::EACCES | Errno::EPERM => FolderError::Closed,
        Errno::EROFS => FolderError::ReadOnly,
        Errno::ENOSPC | Errno::EDQUOT => FolderError::Full,
        errno => FolderError::System { errno: errno as i32 },
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write;
    use std::os::unix::fs::symlink;

    use tempfile::TempDir;

    use super::*;

    const PNG: &[u8] = b"\x89PNG\r\n\x1a\nand so on";

    fn folder() -> (TempDir, Folder) {
        let path = tempfile::tempdir().expect("a temporary folder");
        let folder = Folder::new(File::open(path.path()).expect("a folder opens").into());
        (path, folder)
    }

    fn name(text: &str) -> PictureName {
        PictureName::parse(text).expect(text)
    }

    fn upload(folder: &mut Folder, bytes: &[u8]) -> File {
        let mut file = folder.scratch().expect("a scratch file");
        file.write_all(bytes).expect("room for an upload");
        file
    }

    #[test]
    fn pictures_are_listed_by_name_and_nothing_else_is() {
        let (path, folder) = folder();
        for file in ["b.png", "a.jpg", "notes.txt", ".hidden.png"] {
            fs::write(path.path().join(file), PNG).expect("written");
        }
        fs::create_dir(path.path().join("folder.png")).expect("made");
        symlink("/etc/passwd", path.path().join("link.png")).expect("linked");
        let page = folder.page(0).expect("listed");
        let names: Vec<_> = page.pictures.iter().map(|picture| picture.name.as_str()).collect();
        assert_eq!(names, ["a.jpg", "b.png"]);
        assert_eq!(page.pictures[0].bytes, PNG.len() as u64);
    }

    #[test]
    fn pages_end_where_the_pictures_end() {
        let (path, folder) = folder();
        for number in 0..=PAGE_PICTURES {
            fs::write(path.path().join(format!("{number:03}.png")), PNG).expect("written");
        }
        let sizes = [0, 1, 2, u32::MAX].map(|page| folder.page(page).expect("listed").pictures.len());
        assert_eq!(sizes, [PAGE_PICTURES, 1, 0, 0]);
    }

    #[test]
    fn links_out_of_the_folder_lead_nowhere() {
        let (path, folder) = folder();
        symlink("/etc/passwd", path.path().join("a.png")).expect("linked");
        symlink("real.png", path.path().join("b.png")).expect("linked");
        nix::unistd::mkfifo(&path.path().join("pipe.png"), Mode::S_IRWXU).expect("made");
        for file in ["a.png", "b.png", "pipe.png", "missing.png"] {
            assert_eq!(folder.open(&name(file)).err(), Some(FolderError::NotFound), "{file}");
        }
    }

    #[test]
    fn an_upload_gets_its_name_only_when_it_is_complete() {
        let (path, mut folder) = folder();
        let first = upload(&mut folder, PNG);
        assert_eq!(fs::read_dir(path.path()).expect("read").count(), 0);
        assert_eq!(folder.publish(&name("new.png"), first), Ok(Published::Created));
        let second = upload(&mut folder, &[PNG, b"!"].concat());
        assert_eq!(folder.publish(&name("new.png"), second), Ok(Published::Replaced));
        assert_eq!(fs::read(path.path().join("new.png")).expect("read"), [PNG, b"!"].concat());
    }

    #[test]
    fn what_was_published_cannot_be_changed_through_the_upload() {
        let (path, mut folder) = folder();
        let mut kept = upload(&mut folder, PNG);
        let given = kept.try_clone().expect("a descriptor");
        folder.publish(&name("new.png"), given).expect("published");
        kept.rewind().expect("rewound");
        kept.write_all(b"<script>").expect("written");
        assert_eq!(fs::read(path.path().join("new.png")).expect("read"), PNG);
    }

    #[test]
    fn an_upload_of_another_kind_or_too_long_leaves_the_folder_as_it_was() {
        let (path, mut folder) = folder();
        fs::write(path.path().join("old.png"), PNG).expect("written");
        let page = upload(&mut folder, b"<html>this is no picture</html>");
        assert_eq!(folder.publish(&name("old.png"), page), Err(FolderError::OtherContent));
        let jpeg = upload(&mut folder, PNG);
        assert_eq!(folder.publish(&name("old.jpg"), jpeg), Err(FolderError::OtherContent));
        let long = upload(&mut folder, PNG);
        long.set_len(FILE_BYTES_MAX + 1).expect("a sparse file");
        let refused = FolderError::TooLong { bytes: FILE_BYTES_MAX + 1 };
        assert_eq!(folder.publish(&name("old.png"), long), Err(refused));
        assert_eq!(fs::read_dir(path.path()).expect("read").count(), 1);
        assert_eq!(fs::read(path.path().join("old.png")).expect("read"), PNG);
    }

    #[test]
    fn what_an_interrupted_upload_left_is_swept_at_the_next_start() {
        let (path, _folder) = folder();
        fs::write(path.path().join(".gallery-upload-1-1"), PNG).expect("written");
        fs::write(path.path().join("stays.png"), PNG).expect("written");
        Folder::new(File::open(path.path()).expect("opened").into());
        assert!(!path.path().join(".gallery-upload-1-1").exists());
        assert!(path.path().join("stays.png").exists());
    }
}
