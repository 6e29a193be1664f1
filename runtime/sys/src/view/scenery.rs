//! What a view is made of, as it is gathered.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Component, Path, PathBuf};

use nix::fcntl::{OFlag, OpenHow, ResolveFlag, openat2};

use super::ViewError;
use crate::error::Errno;
use crate::files::{Links, open_place};
use crate::identity::Identity;
use crate::landlock::places::needed;
use crate::landlock::ruleset::Access;
use crate::mount::Flags;
use crate::temporary::Bounds;

/// What is to be seen. What lies within another lies on top of it.
#[derive(Debug, Default)]
pub struct Scenery<'a> {
    pub(super) shown: Vec<Shown<'a>>,
    pub(super) folders: Vec<PathBuf>,
    pub(super) hidden: Vec<(PathBuf, Place<'a>)>,
    pub(super) temporary: Vec<(PathBuf, Bounds, Identity)>,
}

/// What can be done in a part of a view, if owner and mode of the files allow it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct May {
    /// Files are written, made and removed.
    pub write: bool,
    /// Files are executed, and mapped to be.
    pub execute: bool,
    /// Devices are opened.
    pub use_devices: bool,
}

/// What is taken away from a part of what is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Narrow {
    /// It is not written.
    ReadOnly,
    /// Nothing of it is seen.
    Hidden,
}

/// One thing that is seen.
#[derive(Debug)]
pub(super) struct Shown<'a> {
    pub(super) at: PathBuf,
    pub(super) place: Place<'a>,
    pub(super) may: May,
    /// It is left out if it cannot be put there.
    pub(super) optional: bool,
}

/// Whoever holds it open.
#[derive(Debug)]
pub(super) enum Place<'a> {
    Lent(BorrowedFd<'a>),
    Own(OwnedFd),
}

impl<'a> Scenery<'a> {
    /// Shows a place under a name, whose `..` are taken for what they are where no link leads.
    pub fn show(&mut self, at: &Path, place: BorrowedFd<'a>, may: May) {
        // Whoever follows the name passes through the folders from which it goes back up.
        let parts: Vec<Component<'_>> = at.components().collect();
        let turns = (0..parts.len()).filter(|at| parts[*at] == Component::ParentDir);
        self.folders.extend(turns.map(|at| plain(&parts[..at].iter().collect::<PathBuf>())));
        self.shown.push(Shown { at: plain(at), place: Place::Lent(place), may, optional: false });
    }

    /// Shows what is at `path` now under this name, links followed, if anything is and nothing else is shown there.
    pub fn need(&mut self, path: &Path, may: May) {
        if let Ok(place) = open_place(path, Links::Follow) {
            self.shown.push(Shown { at: plain(path), place: Place::Own(place), may, optional: true });
        }
    }

    /// Shows what a loader at this path loads from, and what somebody of the list of places needs.
    pub fn need_places(&mut self, who: &'static str, loader: Option<&Path>) {
        let executed = May { execute: true, ..May::default() };
        loader.and_then(Path::parent).into_iter().for_each(|path| self.need(path, executed));
        for place in needed(who, loader.is_some()) {
            let (use_devices, write) = (place.path.starts_with("/dev"), place.access == Access::Write);
            // Libraries are mapped to be executed; what is below /etc is only read.
            let execute = !use_devices && !place.path.starts_with("/etc");
            self.need(place.path, May { write, execute, use_devices });
        }
    }

    /// Puts a file system in memory under a name, which belongs to `owner`, as those around the view call it.
    pub fn temporary(&mut self, at: &Path, bounds: Bounds, owner: Identity) {
        self.temporary.push((plain(at), bounds, owner));
    }

    /// Has a folder be there, with nothing in it unless something is shown there.
    pub fn folder(&mut self, at: &Path) {
        self.folders.push(plain(at));
    }

    /// Covers a place, which lies within what is shown, by something empty that nobody can open.
    pub fn hide(&mut self, at: &Path, place: BorrowedFd<'a>) {
        self.hidden.push((plain(at), Place::Lent(place)));
    }

    /// Takes something away from a part of what is shown so far, if there is such a part. What is shown by the part's own
    /// name stays as it is.
    ///
    /// # Errors
    /// When it cannot be told what is there; ELOOP for a link.
    pub fn narrow(&mut self, part: &Path, how: Narrow) -> Result<(), ViewError> {
        let around = self.shown.iter().filter(|one| part.starts_with(&one.at));
        let around = around.max_by_key(|one| one.at.as_os_str().len());
        let Some((around, below)) = around.and_then(|one| Some((one, part.strip_prefix(&one.at).ok()?)))
        else {
            return Ok(());
        };
        if below.as_os_str().is_empty() || (how == Narrow::ReadOnly && !around.may.write) {
            return Ok(());
        }
        let stays = ResolveFlag::RESOLVE_BENEATH
            | ResolveFlag::RESOLVE_NO_SYMLINKS
            | ResolveFlag::RESOLVE_NO_MAGICLINKS;
        let open = OpenHow::new().flags(OFlag::O_PATH | OFlag::O_CLOEXEC).resolve(stays);
        let place = match openat2(around.place.as_fd(), below, open) {
            Ok(place) => Place::Own(place),
            Err(Errno::ENOENT) => return Ok(()),
            Err(errno) => return Err(ViewError::Place { path: part.to_owned(), errno }),
        };
        let may = May { write: false, ..around.may };
        match how {
            Narrow::Hidden => self.hidden.push((part.to_owned(), place)),
            Narrow::ReadOnly => self.shown.push(Shown { at: part.to_owned(), place, may, optional: false }),
        }
        Ok(())
    }

    /// Returns what is shown, without what another shows as well.
    pub(super) fn distinct(&self) -> impl Iterator<Item = &Shown<'a>> {
        let is_idle = |(at, one): &(usize, &Shown<'_>)| {
            one.optional
                && self.shown.iter().enumerate().any(|(other_at, other)| match one.at == other.at {
                    true => !other.optional || other_at < *at,
                    false => one.at.starts_with(&other.at) && one.may == other.may,
                })
        };
        self.shown.iter().enumerate().filter(move |one| !is_idle(one)).map(|(_, one)| one)
    }
}

impl Place<'_> {
    pub(super) fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Lent(fd) => *fd,
            Self::Own(fd) => fd.as_fd(),
        }
    }
}

impl May {
    /// Returns what is needed for an access.
    pub fn of(access: Access, use_devices: bool) -> Self {
        Self { write: access == Access::Write, execute: access == Access::Execute, use_devices }
    }

    pub(super) fn flags(self) -> Flags {
        let forbidden = [
            (!self.write, Flags::READ_ONLY),
            (!self.execute, Flags::NO_EXEC),
            (!self.use_devices, Flags::NO_DEVICES),
        ];
        let flags = forbidden.into_iter().filter(|(forbidden, _)| *forbidden);
        flags.fold(Flags::NO_SUID, |all, (_, flag)| all.and(flag))
    }
}

/// Returns an absolute path without `..`, which it has in vain where it leads through no link.
pub fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::from("/");
    for part in path.components() {
        match part {
            Component::ParentDir => drop(plain.pop()),
            Component::Normal(name) => plain.push(name),
            Component::RootDir | Component::CurDir | Component::Prefix(_) => {}
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_that_goes_back_up_is_known_by_its_plain_name() {
        assert_eq!(plain(Path::new("/srv/app/../data/./x")), Path::new("/srv/data/x"));
        assert_eq!(plain(Path::new("/../..")), Path::new("/"));
        let null = std::fs::File::open("/dev/null").unwrap();
        let mut scenery = Scenery::default();
        scenery.show(Path::new("/srv/app/../data"), null.as_fd(), May::default());
        assert_eq!(
            (scenery.folders[0].as_path(), scenery.shown[0].at.as_path()),
            (Path::new("/srv/app"), Path::new("/srv/data"))
        );
    }

    #[test]
    fn what_is_needed_yields_to_what_is_shown_and_lies_within_what_is_needed() {
        let null = std::fs::File::open("/dev/null").unwrap();
        let mut scenery = Scenery::default();
        let may = May { execute: true, ..May::default() };
        for path in ["/usr/lib", "/usr", "/usr", "/etc", "/nowhere"] {
            scenery.need(Path::new(path), may);
        }
        scenery.show(Path::new("/etc"), null.as_fd(), may);
        let distinct: Vec<_> =
            scenery.distinct().map(|one| (one.at.to_str().unwrap(), one.optional)).collect();
        assert_eq!(distinct, [("/usr", true), ("/etc", false)]);
    }
}
