//! A `/proc` of one's own, which nobody else can reach.
//!
//! Whoever looks a name up in a folder waits for its lock, and whoever lists the folder holds it while the kernel copies
//! names to memory that may lie on a disk that does not answer. The folders of the system's `/proc` are everybody's;
//! those of another instance of it, which is mounted nowhere, are this process's alone.

use std::ffi::CStr;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

use crate::capability::{self, Capabilities};
use crate::error::{Failed, check};

/// Makes an instance, which ends with its last descriptor.
///
/// # Errors
/// EPERM without CAP_SYS_ADMIN, and where `/proc` is hidden in part; ENOSYS on kernels before 5.2.
pub(crate) fn open() -> Result<OwnedFd, Failed> {
    // SAFETY: the name is a C string that outlives the call.
    let context =
        own("fsopen", unsafe { libc::syscall(libc::SYS_fsopen, c"proc".as_ptr(), FSOPEN_CLOEXEC) })?;
    let watcher = Capabilities::named("CAP_SYS_PTRACE");
    let sees_all = capability::held().is_ok_and(|held| watcher.is_some_and(|it| held.effective.contains(it)));
    if sees_all {
        // So that whoever is handed one of its folders sees no process there but its own.
        configure(&context, FSCONFIG_SET_STRING, Some((c"hidepid", c"2")))?;
    }
    configure(&context, FSCONFIG_CMD_CREATE, None)?;
    let attributes = libc::MOUNT_ATTR_NOSUID | libc::MOUNT_ATTR_NODEV | libc::MOUNT_ATTR_NOEXEC;
    // SAFETY: takes numbers and touches no memory of ours.
    own("fsmount", unsafe {
        libc::syscall(libc::SYS_fsmount, context.as_raw_fd(), FSMOUNT_CLOEXEC, attributes)
    })
}

fn configure(context: &OwnedFd, command: u32, option: Option<(&CStr, &CStr)>) -> Result<(), Failed> {
    let (name, value) =
        option.map_or((std::ptr::null(), std::ptr::null()), |(name, value)| (name.as_ptr(), value.as_ptr()));
    // SAFETY: both pointers are null, as the command to create asks, or C strings that outlive the call.
    let result = unsafe { libc::syscall(libc::SYS_fsconfig, context.as_raw_fd(), command, name, value, 0) };
    check("fsconfig", result).map(drop)
}

fn own(call: &'static str, result: libc::c_long) -> Result<OwnedFd, Failed> {
    let fd = check(call, result)? as RawFd;
    // SAFETY: the kernel has just made this descriptor for us and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

// The C bindings do not have these.
const FSOPEN_CLOEXEC: u32 = 1;
const FSMOUNT_CLOEXEC: u32 = 1;
const FSCONFIG_SET_STRING: u32 = 1;
const FSCONFIG_CMD_CREATE: u32 = 6;
