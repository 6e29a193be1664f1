//! Landlock: what this kernel gives, and putting a ready ruleset on the calling thread.
//!
//! Rulesets are made beforehand ([`ruleset`]), by a process that can still open the paths; then only their descriptor
//! counts.

pub mod places;
pub mod ruleset;

use std::os::fd::{AsRawFd, BorrowedFd};

use crate::error::{Failed, check};

/// Returns the version of the kernel's Landlock interface; zero if it has none or it is turned off.
pub fn abi() -> u32 {
    // SAFETY: with this flag the kernel takes no attribute and touches no memory of ours.
    let version = unsafe {
        libc::syscall(
            libc::SYS_landlock_create_ruleset,
            std::ptr::null::<libc::c_void>(),
            0_usize,
            CREATE_RULESET_VERSION,
        )
    };
    u32::try_from(version).unwrap_or(0)
}

/// Puts `ruleset` on the calling thread, and on what it makes from now on, for ever. Async-signal-safe.
///
/// # Errors
/// EPERM without no_new_privs or CAP_SYS_ADMIN; E2BIG beyond 16 layers; EBADFD for another kind of descriptor.
pub fn restrict_self(ruleset: BorrowedFd<'_>) -> Result<(), Failed> {
    // SAFETY: the call takes two numbers and touches no memory of ours.
    let result = unsafe { libc::syscall(libc::SYS_landlock_restrict_self, ruleset.as_raw_fd(), 0_u32) };
    check("landlock_restrict_self", result).map(drop)
}

const CREATE_RULESET_VERSION: u32 = 1;
