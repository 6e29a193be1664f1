//! What a worker sees of the file system: a tree of its own, built once and joined by every start.
//!
//! A process copies what is to be seen by its open descriptors, enters a fresh mount namespace, lets go of everything that
//! was there, and puts the copies under their names onto an empty root. The namespace outlives it as a descriptor. A
//! start joins it with one call; nothing is mounted, unmounted or looked up by name between fork and exec, but for what
//! has to be fresh for each life (see [`crate::fresh_mount`]). Nothing of it is ever seen in the namespace around.

mod build;
mod scenery;

use std::ffi::CString;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

pub use scenery::{May, Narrow, Scenery, plain};

use nix::fcntl::{OFlag, OpenHow, ResolveFlag, openat2};
use nix::sys::stat::fstat;

use crate::error::{Errno, Failed, failed};
use crate::namespaces::by_process;
use crate::realm::Realm;
use crate::temporary::Plan;
use build::{Blueprint, Item, Thing};

/// A view that is ready to be joined.
#[derive(Debug)]
pub struct View {
    namespace: OwnedFd,
    root: OwnedFd,
}

/// Why there is no view.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ViewError {
    /// The machine gives no view to anybody.
    #[error("{what}: {errno}")]
    Machine {
        /// What was refused.
        what: &'static str,
        /// The kernel's reason.
        errno: Errno,
    },
    /// Something cannot be put in its place.
    #[error("{path} cannot be put into the view: {errno}", path = path.display())]
    Place {
        /// The name that it should have.
        path: PathBuf,
        /// The kernel's reason.
        errno: Errno,
    },
}

impl View {
    /// Builds a view, in `realm` if there is one: whoever is to see it has to join that first.
    ///
    /// # Errors
    /// See [`ViewError`]; nothing is left of it.
    pub fn build(scenery: &Scenery<'_>, realm: Option<&Realm>) -> Result<Self, ViewError> {
        let blueprint = Blueprint { items: items(scenery, realm)?, realm };
        let mut copies = Vec::with_capacity(blueprint.items.len());
        let (report, fds) = by_process(|report| build::build(&blueprint, &mut copies, report))
            .map_err(|Failed { call, errno }| ViewError::Machine { what: call, errno })?;
        match (<[OwnedFd; 2]>::try_from(fds), report.errno) {
            (Ok([namespace, root]), 0) => Ok(Self { namespace, root }),
            (_, errno) => {
                let errno = Errno::from_raw(errno);
                Err(match blueprint.items.get(report.at as usize) {
                    Some(item) => ViewError::Place { path: item.name(), errno },
                    None => ViewError::Machine { what: build::stage(report.at), errno },
                })
            }
        }
    }

    /// Returns whether this process can build views, by building one.
    ///
    /// # Errors
    /// What is missing.
    pub fn probe(realm: Option<&Realm>) -> Result<(), ViewError> {
        Self::build(&Scenery::default(), realm).map(drop)
    }

    /// Returns what is said where it is known that no view can be built.
    pub fn refused() -> ViewError {
        ViewError::Machine { what: "a mount namespace", errno: Errno::EPERM }
    }

    /// Opens what is at a name in the view, as a place (O_PATH): `..` leads nowhere else.
    ///
    /// # Errors
    /// Why it cannot be reached.
    pub fn open(&self, name: &Path) -> Result<OwnedFd, Failed> {
        let resolve = ResolveFlag::RESOLVE_IN_ROOT | ResolveFlag::RESOLVE_NO_MAGICLINKS;
        let how = OpenHow::new().flags(OFlag::O_PATH | OFlag::O_CLOEXEC).resolve(resolve);
        openat2(&self.root, name, how).map_err(failed("openat2"))
    }
}

impl AsFd for View {
    /// Returns the namespace, to be joined.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.namespace.as_fd()
    }
}

/// Puts what is to be made in order: who lies within another comes behind it.
fn items<'a>(scenery: &'a Scenery<'_>, realm: Option<&Realm>) -> Result<Vec<Item<'a>>, ViewError> {
    let mut items = Vec::new();
    for shown in scenery.distinct() {
        let name = realm.map(|_| name_of(shown.place.as_fd()));
        let name = name.transpose().map_err(|errno| ViewError::Place { path: shown.at.clone(), errno })?;
        let thing = Thing::Copy { of: shown.place.as_fd(), name, flags: shown.may.flags() };
        let item = item(&shown.at, shown.place.as_fd(), thing)?;
        items.push((&shown.at, Item { optional: shown.optional, ..item }));
    }
    for (path, bounds, owner) in &scenery.temporary {
        let names = scenery.shown.iter().map(|shown| &shown.at).chain(&scenery.folders);
        if let Some(within) = names.into_iter().find(|name| *name != path && name.starts_with(path)) {
            // It would be gone when that is emptied.
            return Err(ViewError::Place { path: within.clone(), errno: Errno::EBUSY });
        }
        let owner = realm.map_or(*owner, |realm| realm.name_of(*owner));
        let thing = Thing::Temporary(Plan::new(*bounds, owner));
        items.push((path, Item { is_folder: true, ..named(path, thing)? }));
    }
    for (path, place) in &scenery.hidden {
        items.push((path, item(path, place.as_fd(), Thing::Cover)?));
    }
    for path in &scenery.folders {
        items.push((path, Item { is_folder: true, ..named(path, Thing::Nothing)? }));
    }
    // Stable, and covers stand behind what is shown: of one name, the cover lies on top.
    items.sort_by_key(|(path, _)| *path);
    for (path, item) in &mut items {
        // What is shown is never changed to make room.
        item.makes_room = !scenery.distinct().any(|shown| shown.at != **path && path.starts_with(&shown.at))
            && !matches!(item.thing, Thing::Cover);
    }
    Ok(items.into_iter().map(|(_, item)| item).collect())
}

/// Returns by what name an open place is found, which leads through no link.
fn name_of(place: BorrowedFd<'_>) -> Result<CString, Errno> {
    let name = std::fs::read_link(format!("/proc/self/fd/{}", place.as_raw_fd()));
    let name = name.map_err(|error| Errno::from_raw(error.raw_os_error().unwrap_or(0)))?;
    CString::new(name.into_os_string().into_encoded_bytes()).map_err(|_| Errno::EINVAL)
}

fn item<'a>(path: &Path, place: BorrowedFd<'_>, thing: Thing<'a>) -> Result<Item<'a>, ViewError> {
    let found = fstat(place).map_err(|errno| ViewError::Place { path: path.to_owned(), errno })?;
    let is_folder = found.st_mode & libc::S_IFMT == libc::S_IFDIR;
    Ok(Item { is_folder, ..named(path, thing)? })
}

/// Returns an item with the names of itself and of the folders above it, as seen from the root.
fn named<'a>(path: &Path, thing: Thing<'a>) -> Result<Item<'a>, ViewError> {
    let invalid = || ViewError::Place { path: path.to_owned(), errno: Errno::EINVAL };
    let text = |path: &Path| CString::new(path.as_os_str().as_bytes()).map_err(|_| invalid());
    let Ok(below) = path.strip_prefix("/") else { return Err(invalid()) };
    if !below.components().all(|part| matches!(part, Component::Normal(_))) {
        return Err(invalid());
    }
    let at = text(if below.as_os_str().is_empty() { Path::new(".") } else { below })?;
    let above: Vec<&Path> = below.ancestors().skip(1).filter(|path| !path.as_os_str().is_empty()).collect();
    let above = above.into_iter().rev().map(text).collect::<Result<_, _>>()?;
    Ok(Item { at, above, is_folder: false, makes_room: true, optional: false, thing })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::{Links, open_place};

    fn is_root() -> bool {
        nix::unistd::geteuid().is_root()
    }

    #[test]
    fn a_view_holds_what_is_shown_and_nothing_else() {
        if !is_root() {
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().canonicalize().unwrap();
        std::fs::create_dir_all(path.join("in/deep")).unwrap();
        std::fs::write(path.join("in/file"), "seen").unwrap();
        std::fs::write(path.join("other"), "").unwrap();
        let mounts = || std::fs::read_to_string("/proc/self/mountinfo").unwrap();
        let before = mounts();
        let place = open_place(&path.join("in"), Links::Refuse).unwrap();
        let deep = open_place(&path.join("in/deep"), Links::Refuse).unwrap();
        let at = path.join("in");
        let hidden = path.join("in/deep");
        let mut scenery = Scenery::default();
        scenery.show(&at, place.as_fd(), May::default());
        scenery.folder(Path::new("/var/empty"));
        scenery.hide(&hidden, deep.as_fd());
        let view = View::build(&scenery, None).unwrap();
        assert_eq!(mounts(), before, "nothing is seen outside");
        let inode = |fd: &OwnedFd| fstat(fd).unwrap().st_ino;
        assert_eq!(inode(&view.open(&at).unwrap()), inode(&place));
        assert!(view.open(&path.join("in/file")).is_ok());
        assert_ne!(inode(&view.open(&hidden).unwrap()), inode(&deep));
        assert_eq!(fstat(view.open(&hidden).unwrap()).unwrap().st_mode & 0o777, 0);
        assert!(view.open(Path::new("/var/empty")).is_ok());
        for absent in ["/proc", "/usr", "/.cover"] {
            assert_eq!(view.open(Path::new(absent)).unwrap_err().errno, Errno::ENOENT, "{absent}");
        }
        assert_eq!(view.open(&path.join("other")).unwrap_err().errno, Errno::ENOENT);
        // From the top of what is shown the way up leads into the view, whose other folders are empty.
        let seen = view.open(&at).unwrap();
        let how = OpenHow::new().flags(OFlag::O_PATH);
        assert_eq!(openat2(&seen, "../other", how).unwrap_err(), Errno::ENOENT);
        let file = openat2(&seen, "new", OpenHow::new().flags(OFlag::O_CREAT | OFlag::O_WRONLY));
        assert_eq!(file.map(|fd| fd.as_raw_fd()).unwrap_err(), Errno::EROFS);
    }

    #[test]
    fn what_is_shown_as_the_root_is_it() {
        if !is_root() {
            return;
        }
        let root = open_place(Path::new("/"), Links::Refuse).unwrap();
        let mut scenery = Scenery::default();
        scenery.show(Path::new("/"), root.as_fd(), May::default());
        let view = View::build(&scenery, None).unwrap();
        assert!(view.open(Path::new("/usr/bin")).is_ok());
    }

    #[test]
    fn what_cannot_be_put_in_place_is_named() {
        if !is_root() {
            return;
        }
        let null = std::fs::File::open("/dev/null").unwrap();
        let usr = open_place(Path::new("/usr"), Links::Follow).unwrap();
        let inside = Path::new("/usr/no/such/file");
        let mut scenery = Scenery::default();
        scenery.show(Path::new("/usr"), usr.as_fd(), May::default());
        scenery.show(inside, null.as_fd(), May { use_devices: true, ..May::default() });
        let error = View::build(&scenery, None).unwrap_err();
        assert_eq!(error, ViewError::Place { path: inside.into(), errno: Errno::ENOENT });
    }
}
