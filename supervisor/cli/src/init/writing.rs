//! Writes several files or none: what was made before one of them fails is removed again.
//!
//! A process that is killed in between leaves what it has made.

use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

/// Why there are no files.
#[derive(Debug)]
pub(super) struct Unfinished {
    /// What was to be made.
    pub(super) path: PathBuf,
    pub(super) error: io::Error,
    /// What was made before and could not be removed again.
    pub(super) left: Vec<PathBuf>,
}

/// What has been made, in its order.
#[derive(Default)]
struct Made {
    paths: Vec<PathBuf>,
}

/// Writes files into a folder, which is made if it is not there. No file is written over.
pub(super) fn write_all(folder: &Path, files: &[(String, String)]) -> Result<(), Unfinished> {
    let mut made = Made::default();
    for (path, text) in files {
        let path = folder.join(path);
        if let Err(error) = made.file(&path, text) {
            return Err(Unfinished { path, error, left: made.remove() });
        }
    }
    Ok(())
}

impl Made {
    fn file(&mut self, path: &Path, text: &str) -> io::Result<()> {
        if let Some(folder) = path.parent() {
            self.folders(folder)?;
        }
        let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
        self.paths.push(path.to_owned());
        file.write_all(text.as_bytes())
    }

    /// Makes a folder, and before it those above it.
    fn folders(&mut self, folder: &Path) -> io::Result<()> {
        let above = folder.ancestors().take_while(|above| !above.as_os_str().is_empty() && !above.is_dir());
        let missing: Vec<_> = above.collect();
        for folder in missing.into_iter().rev() {
            match fs::create_dir(folder) {
                // As `a/..` is once there is `a`.
                Err(error) if error.kind() == ErrorKind::AlreadyExists && folder.is_dir() => {}
                Err(error) => return Err(error),
                Ok(()) => self.paths.push(folder.to_owned()),
            }
        }
        Ok(())
    }

    /// Removes everything; returns what could not be removed.
    fn remove(self) -> Vec<PathBuf> {
        let removed = |path: &PathBuf| fs::remove_file(path).or_else(|_| fs::remove_dir(path)).is_ok();
        self.paths.into_iter().rev().filter(|path| !removed(path)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(paths: &[&str]) -> Vec<(String, String)> {
        paths.iter().map(|path| ((*path).to_owned(), format!("{path}\n"))).collect()
    }

    #[test]
    fn all_are_written_with_the_folders_that_they_are_in() {
        let folder = tempfile::tempdir().unwrap();
        write_all(&folder.path().join("x/y"), &files(&["a", "b/c"])).unwrap();
        assert_eq!(fs::read_to_string(folder.path().join("x/y/a")).unwrap(), "a\n");
        assert_eq!(fs::read_to_string(folder.path().join("x/y/b/c")).unwrap(), "b/c\n");
    }

    #[test]
    fn where_one_fails_none_is_left_and_nobody_elses_is_touched() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("mine"), "mine").unwrap();
        let found = write_all(folder.path(), &files(&["a", "b/c/d", "mine", "e"])).unwrap_err();
        assert_eq!((found.error.kind(), found.left.len()), (ErrorKind::AlreadyExists, 0));
        assert_eq!(found.path, folder.path().join("mine"));
        let left: Vec<_> =
            fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, ["mine"]);
        assert_eq!(fs::read_to_string(folder.path().join("mine")).unwrap(), "mine");
        // The folder itself goes as well, if it was made, and those above it.
        write_all(&folder.path().join("new/er"), &files(&["a", "a/b"])).unwrap_err();
        assert!(!folder.path().join("new").exists());
    }

    #[test]
    fn a_folder_in_which_somebody_else_wrote_meanwhile_is_left_to_them() {
        let folder = tempfile::tempdir().unwrap();
        let (ours, theirs) = (folder.path().join("new"), folder.path().join("new/theirs"));
        let mut made = Made::default();
        made.file(&ours.join("a"), "").unwrap();
        fs::write(&theirs, "").unwrap();
        assert_eq!(made.remove(), [ours]);
        assert!(theirs.exists());
    }
}
