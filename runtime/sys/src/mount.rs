//! Mounts by descriptor. Every call here is async-signal-safe and follows no path but the one it is given.

use std::ffi::CStr;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use crate::error::{Failed, check};

/// What nobody may do in a mount, whatever the files in it say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Flags(u64);

impl Flags {
    /// No change of user by exec.
    pub(crate) const NO_SUID: Self = Self(libc::MOUNT_ATTR_NOSUID);
    /// No devices.
    pub(crate) const NO_DEVICES: Self = Self(libc::MOUNT_ATTR_NODEV);
    /// Nothing is executed or mapped to be.
    pub(crate) const NO_EXEC: Self = Self(libc::MOUNT_ATTR_NOEXEC);
    /// Nothing is written.
    pub(crate) const READ_ONLY: Self = Self(libc::MOUNT_ATTR_RDONLY);
    /// What a folder of data needs.
    pub(crate) const DATA: Self = Self(Self::NO_SUID.0 | Self::NO_DEVICES.0 | Self::NO_EXEC.0);

    /// Returns both together.
    pub(crate) const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// Returns a copy of what is mounted at `place` and below, attached nowhere: it goes with its descriptor.
///
/// # Errors
/// EPERM without CAP_SYS_ADMIN; EINVAL for a place in another mount namespace.
pub(crate) fn copy(place: BorrowedFd<'_>) -> Result<OwnedFd, Failed> {
    let flags = libc::OPEN_TREE_CLONE | libc::OPEN_TREE_CLOEXEC | AT_EMPTY_PATH | AT_RECURSIVE;
    // SAFETY: the empty path is a constant.
    let fd = unsafe { libc::syscall(libc::SYS_open_tree, place.as_raw_fd(), c"".as_ptr(), flags) };
    check("open_tree", fd).map(owned)
}

/// Returns a copy of the one mount at a path below the working directory.
///
/// # Errors
/// As [`copy`].
pub(crate) fn copy_of(path: &CStr) -> Result<OwnedFd, Failed> {
    let flags = libc::OPEN_TREE_CLONE | libc::OPEN_TREE_CLOEXEC;
    // SAFETY: the path is borrowed and ends with a zero.
    let fd = unsafe { libc::syscall(libc::SYS_open_tree, libc::AT_FDCWD, path.as_ptr(), flags) };
    check("open_tree", fd).map(owned)
}

/// Sets `flags` on `mount` and everything below it, and has nothing pass between it and its original any more.
///
/// # Errors
/// EPERM without CAP_SYS_ADMIN; EINVAL for what is no mount.
pub(crate) fn restrict(mount: BorrowedFd<'_>, flags: Flags) -> Result<(), Failed> {
    set(mount.as_raw_fd(), c"", AT_EMPTY_PATH | AT_RECURSIVE, flags)
}

/// Has nothing pass between the mounts of this namespace and those it was copied from.
///
/// # Errors
/// As [`restrict`].
pub(crate) fn keep_to_itself() -> Result<(), Failed> {
    set(libc::AT_FDCWD, c"/", AT_RECURSIVE, Flags(0))
}

/// Sets `flags` on the one mount behind `mount`.
///
/// # Errors
/// As [`restrict`].
pub(crate) fn restrict_one(mount: BorrowedFd<'_>, flags: Flags) -> Result<(), Failed> {
    set(mount.as_raw_fd(), c"", AT_EMPTY_PATH, flags)
}

fn set(at: RawFd, path: &CStr, how: libc::c_uint, flags: Flags) -> Result<(), Failed> {
    let attributes =
        libc::mount_attr { attr_set: flags.0, attr_clr: 0, propagation: libc::MS_PRIVATE, userns_fd: 0 };
    let size = size_of::<libc::mount_attr>();
    // SAFETY: the path ends with a zero and one mount_attr is read; both outlive the call.
    let result = unsafe {
        libc::syscall(libc::SYS_mount_setattr, at, path.as_ptr(), how, &raw const attributes, size)
    };
    check("mount_setattr", result).map(drop)
}

/// Puts `mount`, which is attached nowhere, at a path; a link at its end is not followed.
///
/// # Errors
/// ENOENT where there is nothing to put it on, EINVAL or ENOTDIR for something of another kind.
pub(crate) fn attach(mount: BorrowedFd<'_>, path: &CStr) -> Result<(), Failed> {
    let (from, flags) = (mount.as_raw_fd(), libc::MOVE_MOUNT_F_EMPTY_PATH);
    // SAFETY: both paths end with a zero and outlive the call.
    let result = unsafe {
        libc::syscall(libc::SYS_move_mount, from, c"".as_ptr(), libc::AT_FDCWD, path.as_ptr(), flags)
    };
    check("move_mount", result).map(drop)
}

/// Removes what is mounted at a path.
///
/// # Errors
/// EINVAL where nothing is.
pub(crate) fn remove(path: &CStr) -> Result<(), Failed> {
    // SAFETY: the path ends with a zero and outlives the call.
    check("umount2", unsafe { libc::umount2(path.as_ptr(), libc::MNT_DETACH) }.into()).map(drop)
}

/// Makes a file system of a kind with these options, attached nowhere.
///
/// # Errors
/// ENODEV for an unknown kind, EPERM without CAP_SYS_ADMIN, EINVAL for an option that it does not know.
pub(crate) fn fresh<'a>(
    kind: &CStr,
    options: impl IntoIterator<Item = (&'a CStr, &'a CStr)>,
    flags: Flags,
) -> Result<OwnedFd, Failed> {
    // SAFETY: the name ends with a zero and outlives the call.
    let made = unsafe { libc::syscall(libc::SYS_fsopen, kind.as_ptr(), libc::FSOPEN_CLOEXEC) };
    let made = owned(check("fsopen", made)?);
    for (key, value) in options {
        configure(&made, libc::FSCONFIG_SET_STRING, key.as_ptr(), value.as_ptr())?;
    }
    configure(&made, libc::FSCONFIG_CMD_CREATE, std::ptr::null(), std::ptr::null())?;
    // SAFETY: takes numbers and touches no memory of ours.
    let mount = unsafe { libc::syscall(libc::SYS_fsmount, made.as_raw_fd(), libc::FSMOUNT_CLOEXEC, flags.0) };
    check("fsmount", mount).map(owned)
}

fn configure(
    made: &OwnedFd,
    command: libc::fsconfig_command,
    key: *const libc::c_char,
    value: *const libc::c_char,
) -> Result<(), Failed> {
    // SAFETY: key and value are null or end with a zero, and outlive the call.
    let result = unsafe { libc::syscall(libc::SYS_fsconfig, made.as_raw_fd(), command, key, value, 0) };
    check("fsconfig", result).map(drop)
}

/// Makes `root`, a mount that stands on something, the root of this namespace and of this process, lets go of
/// everything that was mounted before, and stays in the root.
///
/// # Errors
/// EINVAL where the former root is no mount of its own, as in a chroot or an initial RAM disk.
pub(crate) fn turn_to(root: BorrowedFd<'_>) -> Result<(), Failed> {
    // SAFETY: takes a number.
    check("fchdir", unsafe { libc::fchdir(root.as_raw_fd()) }.into())?;
    let here = c".".as_ptr();
    // SAFETY: both paths are a constant.
    check("pivot_root", unsafe { libc::syscall(libc::SYS_pivot_root, here, here) })?;
    // The former root lies on the new one now, and goes with everything below it.
    remove(c".")?;
    // SAFETY: the path is a constant.
    check("chdir", unsafe { libc::chdir(c"/".as_ptr()) }.into()).map(drop)
}

fn owned(fd: libc::c_long) -> OwnedFd {
    // SAFETY: every caller passes what the kernel has just made for us, and nobody else knows it.
    unsafe { OwnedFd::from_raw_fd(fd as RawFd) }
}

const AT_EMPTY_PATH: libc::c_uint = libc::AT_EMPTY_PATH as libc::c_uint;
/// The C bindings lack it.
const AT_RECURSIVE: libc::c_uint = 0x8000;
