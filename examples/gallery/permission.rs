//! What may be done with a folder by a worker that is not root, although the gallery was started by root.

use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// What the gallery does with its folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Permission {
    /// Shows its pictures and takes new ones.
    Uploads,
    /// Shows its pictures.
    ReadOnly,
    /// Nothing: nobody but root may look into it.
    Closed {
        /// The bits that close it.
        mode: u32,
    },
}

impl Permission {
    /// Finds out what a gallery that user `uid` starts may do in `folder`, which is no link.
    ///
    /// Its worker runs as the folder's owner unless that is root. In a folder of root's it is a stranger; only an empty
    /// one is given to it, since whoever owns a folder may put other files in place of those that are there.
    ///
    /// # Errors
    /// When the folder cannot be looked at.
    pub(crate) fn of(folder: &Path, uid: u32) -> io::Result<Self> {
        let found = folder.metadata()?;
        Ok(if uid != 0 || found.uid() != 0 { Self::Uploads } else { Self::of_stranger(folder, &found)? })
    }

    fn of_stranger(folder: &Path, found: &Metadata) -> io::Result<Self> {
        let mode = found.mode() & 0o7777;
        let is_high = folder.parent().is_none_or(|parent| parent == Path::new("/"));
        let is_given = !is_high && folder.read_dir()?.next().is_none();
        Ok(match mode & OTHERS {
            OTHERS => Self::Uploads,
            _ if is_given => Self::Uploads,
            others if others & LOOK == LOOK => Self::ReadOnly,
            _ => Self::Closed { mode },
        })
    }
}

/// What others than owner and group may do.
const OTHERS: u32 = 0o7;
/// List a folder and open what is in it.
const LOOK: u32 = 0o5;

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_stranger_may_what_the_mode_lets_others_do() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let may = |mode| {
            fs::set_permissions(folder.path(), fs::Permissions::from_mode(mode)).expect("our folder");
            let found = folder.path().metadata().expect("there");
            let may = Permission::of_stranger(folder.path(), &found);
            may.expect("readable")
        };
        assert_eq!(may(0o700), Permission::Uploads, "an empty folder is given away");
        fs::write(folder.path().join("a.png"), "").expect("written");
        assert_eq!(may(0o755), Permission::ReadOnly);
        assert_eq!(may(0o1777), Permission::Uploads);
        for mode in [0o700, 0o750, 0o754, 0o751] {
            assert_eq!(may(mode), Permission::Closed { mode });
        }
    }

    #[test]
    fn whoever_is_not_root_tries() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        fs::write(folder.path().join("a.png"), "").expect("written");
        assert_eq!(Permission::of(folder.path(), 1000).expect("there"), Permission::Uploads);
        assert!(Permission::of(&folder.path().join("missing"), 1000).is_err());
    }
}
