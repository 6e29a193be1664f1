//! The building of a view, in the process that was forked for it. Runs on prepared data; allocates nothing.

use std::ffi::{CStr, CString, OsStr};
use std::os::fd::{AsFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use nix::fcntl::{AT_FDCWD, OFlag, OpenHow, ResolveFlag, openat2};
use nix::sys::stat::fstat;

use crate::error::{Errno, Failed, check, failed};
use crate::mount::{self, Flags};
use crate::namespaces::{Namespace, Report, tell};
use crate::realm::Realm;
use crate::temporary::Plan;

/// A view to be.
pub(super) struct Blueprint<'a> {
    /// In this order.
    pub(super) items: Vec<Item<'a>>,
    /// Where it is made.
    pub(super) realm: Option<&'a Realm>,
}

/// One thing in a view to be.
pub(super) struct Item<'a> {
    /// Its name, as seen from the root.
    pub(super) at: CString,
    /// The folders above it, the highest first.
    pub(super) above: Vec<CString>,
    pub(super) is_folder: bool,
    /// Something to put it on is made; otherwise it is there.
    pub(super) makes_room: bool,
    pub(super) optional: bool,
    pub(super) thing: Thing<'a>,
}

/// What is put in a place.
pub(super) enum Thing<'a> {
    /// A copy of what is elsewhere; by its name as well, where it has to be found once more.
    Copy { of: BorrowedFd<'a>, name: Option<CString>, flags: Flags },
    /// A file system in memory.
    Temporary(Plan),
    /// Something empty that nobody can open.
    Cover,
    /// Nothing but the folder.
    Nothing,
}

impl Item<'_> {
    pub(super) fn name(&self) -> PathBuf {
        Path::new("/").join(OsStr::from_bytes(self.at.as_bytes()))
    }
}

/// Builds the view and hands over its namespace and its root. Called in the forked process only; `copies` is empty and
/// has room for one of every item.
pub(super) fn build(blueprint: &Blueprint<'_>, copies: &mut Vec<Option<OwnedFd>>, report: BorrowedFd<'_>) {
    // SAFETY: takes a number and cannot fail.
    unsafe { libc::umask(0) };
    match try_build(blueprint, copies) {
        Ok((namespace, root)) => {
            tell(report, Report { at: DONE, errno: 0 }, &[namespace.as_fd(), root.as_fd()]);
        }
        Err((at, Failed { errno, .. })) => tell(report, Report { at, errno: errno as i32 }, &[]),
    }
}

fn try_build(
    blueprint: &Blueprint<'_>,
    copies: &mut Vec<Option<OwnedFd>>,
) -> Result<(OwnedFd, OwnedFd), (u32, Failed)> {
    let at = |stage| move |failed| (stage, failed);
    let mut copy_all = || -> Result<(), (u32, Failed)> {
        for (item, index) in blueprint.items.iter().zip(0..) {
            copies.push(item.copy().map_err(at(index))?);
        }
        Ok(())
    };
    match blueprint.realm {
        // Before the namespace changes: only what belongs to the present one can be copied.
        None => copy_all()?,
        Some(realm) => realm.join().map_err(at(NAMESPACE))?,
    }
    Namespace::Mount.enter_fresh().map_err(at(NAMESPACE))?;
    let namespace = Namespace::Mount.open_own().map_err(at(NAMESPACE))?;
    // First of all: what is shared with the namespace around would show there.
    mount::keep_to_itself().map_err(at(NAMESPACE))?;
    if blueprint.realm.is_some() {
        // There is power over the mounts of this namespace alone.
        copy_all()?;
    }
    // What is shown as the root itself comes first, and is it.
    let whole = blueprint.items.first().filter(|item| item.is_root()).and_then(|_| copies[0].take());
    let fresh = mount::fresh(c"tmpfs", [(c"mode", c"0755")], Flags::DATA).map_err(at(ROOT))?;
    be_in(&fresh).map_err(at(ROOT))?;
    // While there is room for them: what is shown as the root is not changed.
    for ((item, copy), index) in blueprint.items.iter().zip(&mut *copies).zip(0..) {
        if matches!(item.thing, Thing::Cover) {
            *copy = Some(cover(item.is_folder).map_err(at(index))?);
        }
    }
    if let Some(root) = &whole {
        be_in(root).map_err(at(ROOT))?;
    }
    for ((item, copy), index) in blueprint.items.iter().zip(copies).zip(0..) {
        match item.put(copy.take()) {
            Err(_) if item.optional => {}
            put => put.map_err(at(index))?,
        }
    }
    if whole.is_none() {
        unname_covers().map_err(at(SEAL))?;
        mount::restrict_one(fresh.as_fd(), Flags::DATA.and(Flags::READ_ONLY)).map_err(at(SEAL))?;
    }
    Ok((namespace, open_root().map_err(at(SEAL))?))
}

/// Makes a mount the root of everything.
fn be_in(root: &OwnedFd) -> Result<(), Failed> {
    mount::attach(root.as_fd(), c"/")?;
    mount::turn_to(root.as_fd())
}

impl Item<'_> {
    fn is_root(&self) -> bool {
        self.at.as_c_str() == c"."
    }

    /// Returns the mount that is to be put there; `None` if it is to be left out, or none.
    fn copy(&self) -> Result<Option<OwnedFd>, Failed> {
        let (of, name, flags) = match &self.thing {
            Thing::Copy { of, name, flags } => (*of, name, *flags),
            Thing::Temporary(plan) => return plan.make().map(Some),
            Thing::Cover | Thing::Nothing => return Ok(None),
        };
        let copied = match name {
            None => mount::copy(of),
            Some(name) => find_again(of, name).and_then(|found| mount::copy(found.as_fd())),
        };
        match copied.and_then(|copy| mount::restrict(copy.as_fd(), flags).map(|()| copy)) {
            Err(_) if self.optional => Ok(None),
            copied => copied.map(Some),
        }
    }

    fn put(&self, copy: Option<OwnedFd>) -> Result<(), Failed> {
        match (&self.thing, copy) {
            (Thing::Copy { .. } | Thing::Temporary(_) | Thing::Cover, Some(made)) => {
                make_room(self).and_then(|()| mount::attach(made.as_fd(), &self.at))
            }
            (Thing::Copy { .. } | Thing::Temporary(_) | Thing::Cover, None) => Ok(()),
            (Thing::Nothing, _) => make_room(self),
        }
    }
}

/// Opens what is open as `place` in the mount namespace that the caller has entered since.
///
/// # Errors
/// ESTALE where something else has its name by now.
fn find_again(place: BorrowedFd<'_>, name: &CStr) -> Result<OwnedFd, Failed> {
    let resolve = ResolveFlag::RESOLVE_NO_SYMLINKS | ResolveFlag::RESOLVE_NO_MAGICLINKS;
    let how = OpenHow::new().flags(OFlag::O_PATH | OFlag::O_CLOEXEC).resolve(resolve);
    let found = openat2(AT_FDCWD, name, how).map_err(failed("openat2"))?;
    let what =
        |fd: BorrowedFd<'_>| fstat(fd).map(|found| (found.st_dev, found.st_ino)).map_err(failed("fstat"));
    match what(place)? == what(found.as_fd())? {
        true => Ok(found),
        false => Err(Failed { call: "openat2", errno: Errno::ESTALE }),
    }
}

/// Makes what an item is put on, with the folders above.
fn make_room(item: &Item<'_>) -> Result<(), Failed> {
    if !item.makes_room {
        return Ok(());
    }
    for folder in &item.above {
        make_folder(folder, OPEN_FOLDER)?;
    }
    match item.is_folder {
        true => make_folder(&item.at, OPEN_FOLDER),
        false => make_file(&item.at, OPEN_FILE),
    }
}

/// Returns something empty that nobody can open, attached nowhere. What it is made of lies in the working directory.
fn cover(is_folder: bool) -> Result<OwnedFd, Failed> {
    let name = if is_folder { COVER_FOLDER } else { COVER_FILE };
    if is_folder { make_folder(name, CLOSED) } else { make_file(name, CLOSED) }?;
    let copy = mount::copy_of(name)?;
    mount::restrict(copy.as_fd(), Flags::DATA.and(Flags::READ_ONLY))?;
    Ok(copy)
}

/// Has what covers are made of lie without a name, below the covers that are in their places.
fn unname_covers() -> Result<(), Failed> {
    for (name, flags) in [(COVER_FOLDER, libc::AT_REMOVEDIR), (COVER_FILE, 0)] {
        // SAFETY: the path is a constant.
        let removed = unsafe { libc::unlinkat(libc::AT_FDCWD, name.as_ptr(), flags) };
        match check("unlinkat", removed.into()) {
            Err(failed) if failed.errno != Errno::ENOENT => return Err(failed),
            _ => {}
        }
    }
    Ok(())
}

fn make_folder(path: &CStr, mode: libc::mode_t) -> Result<(), Failed> {
    // SAFETY: the path ends with a zero and outlives the call.
    let made = unsafe { libc::mkdirat(libc::AT_FDCWD, path.as_ptr(), mode) };
    there_by_now(check("mkdirat", made.into()))
}

fn make_file(path: &CStr, mode: libc::mode_t) -> Result<(), Failed> {
    // SAFETY: the path ends with a zero and outlives the call.
    let made = unsafe { libc::mknodat(libc::AT_FDCWD, path.as_ptr(), libc::S_IFREG | mode, 0) };
    there_by_now(check("mknodat", made.into()))
}

fn there_by_now(made: Result<libc::c_long, Failed>) -> Result<(), Failed> {
    match made {
        Ok(_) | Err(Failed { errno: Errno::EEXIST, .. }) => Ok(()),
        Err(failed) => Err(failed),
    }
}

fn open_root() -> Result<OwnedFd, Failed> {
    let flags = libc::O_PATH | libc::O_DIRECTORY | libc::O_CLOEXEC;
    // SAFETY: the path is a constant.
    let fd = unsafe { libc::open(c"/".as_ptr(), flags) };
    check("open", fd.into())?;
    // SAFETY: the kernel has just made this descriptor for us and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Names what failed that is no item.
pub(super) fn stage(at: u32) -> &'static str {
    match at {
        NAMESPACE => "a mount namespace",
        ROOT => "another root of the file system",
        _ => "a root that nobody writes to",
    }
}

const COVER_FOLDER: &CStr = c".cover";
const COVER_FILE: &CStr = c".cover-file";
const OPEN_FOLDER: libc::mode_t = 0o755;
const OPEN_FILE: libc::mode_t = 0o444;
const CLOSED: libc::mode_t = 0;

// Above every number of an item.
const NAMESPACE: u32 = u32::MAX - 1;
const ROOT: u32 = u32::MAX - 2;
const SEAL: u32 = u32::MAX - 3;
const DONE: u32 = u32::MAX;
