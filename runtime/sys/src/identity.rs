//! Who a thread is and what it may become: user and group, parent-death signal, no_new_privs, securebits, dumpable.
//!
//! Everything here is async-signal-safe and speaks for the calling thread alone: the C library's own set*id
//! functions would stop other threads, which do not exist between fork and exec.

use crate::error::{Errno, Failed, check};

/// A user and a group, without supplementary groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The user.
    pub uid: u32,
    /// The group.
    pub gid: u32,
}

/// What the securebits say, as far as this project sets them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecureBits {
    /// uid 0 gives no capability at exec, and that is locked; capabilities survive the coming change of user.
    KeepCapabilities,
    /// uid 0 gives no capability at exec, nothing can be made ambient any more, and all of it is locked.
    Locked,
}

/// The most supplementary groups that a worker has.
pub const GROUPS_MAX: usize = 32;

/// Takes exactly these supplementary groups, then changes the group and the user, real, effective and saved.
///
/// # Errors
/// EPERM without CAP_SETGID and CAP_SETUID; the error names the call that failed.
pub fn become_identity(identity: Identity, groups: &[u32]) -> Result<(), Failed> {
    let Identity { uid, gid } = identity;
    // SAFETY: the kernel reads as many numbers as the slice has, which outlives the call.
    let result = unsafe { libc::syscall(libc::SYS_setgroups, groups.len(), groups.as_ptr()) };
    check("setgroups", result)?;
    // SAFETY: takes numbers and touches no memory of ours.
    check("setresgid", unsafe { libc::syscall(libc::SYS_setresgid, gid, gid, gid) })?;
    // SAFETY: as above.
    check("setresuid", unsafe { libc::syscall(libc::SYS_setresuid, uid, uid, uid) }).map(drop)
}

/// Checks that the thread is `identity` in all three forms, has these supplementary groups, in ascending order and
/// [`GROUPS_MAX`] at most, and no other, and cannot return to uid 0.
///
/// # Errors
/// EPERM from the pseudo call that found another state than wanted.
pub fn verify_identity(identity: Identity, groups: &[u32]) -> Result<(), Failed> {
    let Identity { uid, gid } = identity;
    let mut found = [0_u32; 3];
    let [real, effective, saved] = &mut found;
    // SAFETY: the three pointers are distinct, valid for writes and outlive the call.
    check("getresuid", unsafe { libc::getresuid(real, effective, saved) }.into())?;
    holds("verify uid", found == [uid; 3])?;
    let [real, effective, saved] = &mut found;
    // SAFETY: as above.
    check("getresgid", unsafe { libc::getresgid(real, effective, saved) }.into())?;
    holds("verify gid", found == [gid; 3])?;
    let mut found = [0; GROUPS_MAX];
    // SAFETY: the kernel writes as many numbers as there is room for at most, and fails if it has more.
    let count = unsafe { libc::getgroups(GROUPS_MAX as libc::c_int, found.as_mut_ptr()) };
    let found = usize::try_from(count).ok().and_then(|count| found.get(..count));
    holds("verify groups", found == Some(groups))?;
    // SAFETY: takes numbers; that it must fail is the point.
    let regained = unsafe { libc::syscall(libc::SYS_setresuid, 0_u32, 0_u32, 0_u32) };
    holds("verify that uid 0 is out of reach", uid == 0 || regained < 0)
}

/// Has the kernel kill this thread's process when the thread that forked it ends. A change of user clears it.
///
/// # Errors
/// Never.
pub fn die_with_parent() -> Result<(), Failed> {
    prctl("prctl(PR_SET_PDEATHSIG)", libc::PR_SET_PDEATHSIG, libc::SIGKILL as libc::c_ulong)
}

/// Renounces for ever every privilege that an executable could give.
///
/// # Errors
/// Never.
pub fn set_no_new_privileges() -> Result<(), Failed> {
    prctl("prctl(PR_SET_NO_NEW_PRIVS)", libc::PR_SET_NO_NEW_PRIVS, 1)
}

/// Returns whether the calling thread has renounced new privileges.
pub fn has_no_new_privileges() -> bool {
    // SAFETY: takes numbers and touches no memory of ours.
    (unsafe { libc::prctl(libc::PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) }) == 1
}

/// Keeps memory that was written from ever being executed, in this process and in what it executes. A kernel before 6.3
/// does not know that; the filters of a sandbox refuse the calls in any case.
///
/// # Errors
/// Never.
pub fn deny_write_execute() -> Result<(), Failed> {
    let denied = prctl("prctl(PR_SET_MDWE)", libc::PR_SET_MDWE, libc::PR_MDWE_REFUSE_EXEC_GAIN.into());
    match denied {
        Err(Failed { errno: Errno::EINVAL, .. }) => Ok(()),
        other => other,
    }
}

/// Returns whether memory that was written can never be executed, as far as the kernel says so.
pub fn denies_write_execute() -> bool {
    // SAFETY: takes numbers and touches no memory of ours.
    let found = unsafe { libc::prctl(libc::PR_GET_MDWE, 0, 0, 0, 0) };
    found > 0 && found.unsigned_abs() & libc::PR_MDWE_REFUSE_EXEC_GAIN != 0
}

/// Forbids other processes of the user to look into this one, and the kernel to write its core. Exec undoes it.
///
/// # Errors
/// Never.
pub fn set_not_dumpable() -> Result<(), Failed> {
    prctl("prctl(PR_SET_DUMPABLE)", libc::PR_SET_DUMPABLE, 0)
}

/// Returns whether others of the user may look into this process.
pub fn is_dumpable() -> bool {
    // SAFETY: takes numbers and touches no memory of ours.
    (unsafe { libc::prctl(libc::PR_GET_DUMPABLE, 0, 0, 0, 0) }) == 1
}

/// Returns the signal that the death of the parent will bring, zero for none.
///
/// # Errors
/// Never.
pub fn parent_death_signal() -> Result<i32, Failed> {
    let mut signal: libc::c_int = 0;
    // SAFETY: the pointer is valid for the write of a c_int and outlives the call.
    let result = unsafe { libc::prctl(libc::PR_GET_PDEATHSIG, &raw mut signal, 0, 0, 0) };
    check("prctl(PR_GET_PDEATHSIG)", result.into())?;
    Ok(signal)
}

/// Sets the securebits.
///
/// # Errors
/// EPERM without CAP_SETPCAP.
pub fn set_secure_bits(bits: SecureBits) -> Result<(), Failed> {
    let no_root = libc::SECBIT_NOROOT | libc::SECBIT_NOROOT_LOCKED;
    let bits = match bits {
        SecureBits::KeepCapabilities => no_root | libc::SECBIT_KEEP_CAPS,
        SecureBits::Locked => {
            no_root
                | libc::SECBIT_NO_SETUID_FIXUP_LOCKED
                | libc::SECBIT_KEEP_CAPS_LOCKED
                | libc::SECBIT_NO_CAP_AMBIENT_RAISE
                | libc::SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED
        }
    };
    prctl("prctl(PR_SET_SECUREBITS)", libc::PR_SET_SECUREBITS, bits as libc::c_ulong)
}

/// Returns the securebits as the kernel's number.
pub fn secure_bits() -> i32 {
    // SAFETY: takes numbers and touches no memory of ours.
    unsafe { libc::prctl(libc::PR_GET_SECUREBITS, 0, 0, 0, 0) }
}

/// Returns the effective user id of the process.
pub fn effective_uid() -> u32 {
    nix::unistd::geteuid().as_raw()
}

/// Returns the effective group id of the process.
pub fn effective_gid() -> u32 {
    nix::unistd::getegid().as_raw()
}

/// Leaves the session keyring of whoever started this process for a new one that nobody else has.
///
/// # Errors
/// ENOSYS on kernels without keys, EPERM where a filter forbids it, EDQUOT when the user has as many as it may.
pub fn join_new_keyring() -> Result<(), Failed> {
    let anonymous = std::ptr::null::<libc::c_char>();
    // SAFETY: takes numbers, and a null pointer that stands for a new keyring without a name.
    check("keyctl", unsafe { libc::syscall(libc::SYS_keyctl, libc::KEYCTL_JOIN_SESSION_KEYRING, anonymous) })
        .map(drop)
}

/// Returns the number of the session keyring.
///
/// # Errors
/// As for [`join_new_keyring`]; ENOKEY if there is none.
pub fn session_keyring() -> Result<i64, Failed> {
    let own = libc::KEY_SPEC_SESSION_KEYRING;
    // SAFETY: takes numbers; zero says that none is to be made.
    check("keyctl", unsafe { libc::syscall(libc::SYS_keyctl, libc::KEYCTL_GET_KEYRING_ID, own, 0) })
}

/// Returns whether processes can have keyrings here.
pub fn has_keyrings() -> bool {
    // That there is none at present is an answer too.
    !matches!(session_keyring(), Err(Failed { errno: Errno::ENOSYS | Errno::EPERM, .. }))
}

fn prctl(call: &'static str, option: libc::c_int, argument: libc::c_ulong) -> Result<(), Failed> {
    let zero: libc::c_ulong = 0;
    // SAFETY: only called with options whose argument is a number; no memory of ours is touched.
    check(call, unsafe { libc::prctl(option, argument, zero, zero, zero) }.into()).map(drop)
}

fn holds(what: &'static str, condition: bool) -> Result<(), Failed> {
    if condition { Ok(()) } else { Err(Failed { call: what, errno: Errno::EPERM }) }
}
