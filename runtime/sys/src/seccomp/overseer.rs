//! A filter that has every system call told to a listener, which lets it go on: to learn what a program needs.
//!
//! It confines nobody. What a listener reads of the memory of the caller may have changed before the kernel reads it.

use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::Instruction;
use crate::error::{Errno, Failed, check};

/// A system call that waits until the listener lets it go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Told {
    /// What [`go_on`] takes.
    pub id: u64,
    /// The thread that makes it.
    pub thread: u32,
    /// Its number.
    pub number: i64,
    /// Its arguments.
    pub arguments: [u64; 6],
}

/// Has every system call of the calling thread, and of all that it makes and executes, told to the listener that is
/// returned, but for sendmsg on `line`: by that the listener can be handed on. Every other call waits until somebody
/// listens.
///
/// # Errors
/// EACCES without no_new_privs or CAP_SYS_ADMIN; EBUSY under another such filter.
pub fn tell_of_every_call(line: BorrowedFd<'_>) -> Result<OwnedFd, Failed> {
    let number = u32::try_from(libc::SYS_sendmsg).expect("calls are numbered from zero, and there are few");
    let load = |k| Instruction { code: LOAD, jt: 0, jf: 0, k };
    let program = [
        load(NUMBER),
        Instruction { code: JUMP_IF_EQUAL, jt: 0, jf: 3, k: number },
        load(FIRST_ARGUMENT),
        Instruction { code: JUMP_IF_EQUAL, jt: 0, jf: 1, k: line.as_raw_fd().unsigned_abs() },
        Instruction { code: RETURN, jt: 0, jf: 0, k: libc::SECCOMP_RET_ALLOW },
        Instruction { code: RETURN, jt: 0, jf: 0, k: libc::SECCOMP_RET_USER_NOTIF },
    ];
    let filter = libc::sock_fprog {
        len: program.len() as libc::c_ushort,
        // The kernel only reads; the field is mutable for other users of the type.
        filter: program.as_ptr().cast::<libc::sock_filter>().cast_mut(),
    };
    let flags = libc::SECCOMP_FILTER_FLAG_NEW_LISTENER;
    // SAFETY: `filter` points to `len` instructions with the layout of sock_filter, alive during the call.
    let made =
        unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, flags, &raw const filter) };
    let made = check("seccomp(NEW_LISTENER)", made)?;
    let number = i32::try_from(made).expect("the kernel numbers descriptors by int");
    // SAFETY: the kernel has just made this descriptor for us.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

/// Waits for the next call; `None` once everybody under the filter has ended.
///
/// # Errors
/// The kernel's reason.
pub fn next(listener: BorrowedFd<'_>) -> Result<Option<Told>, Failed> {
    loop {
        let mut polled = [PollFd::new(listener, PollFlags::POLLIN)];
        match poll(&mut polled, PollTimeout::NONE) {
            Ok(_) => {}
            Err(Errno::EINTR) => continue,
            Err(errno) => return Err(Failed { call: "poll", errno }),
        }
        if !polled[0].revents().is_some_and(|found| found.contains(PollFlags::POLLIN)) {
            return Ok(None);
        }
        // SAFETY: it consists of integers, for which zero is a value, and the kernel wants zeros.
        let mut told: libc::seccomp_notif = unsafe { std::mem::zeroed() };
        // SAFETY: the request writes one such structure, which outlives the call.
        let result = unsafe { libc::ioctl(listener.as_raw_fd(), RECEIVE as _, &raw mut told) };
        match check("ioctl(SECCOMP_IOCTL_NOTIF_RECV)", result.into()) {
            Ok(_) => {
                let (number, arguments) = (told.data.nr.into(), told.data.args);
                return Ok(Some(Told { id: told.id, thread: told.pid, number, arguments }));
            }
            // Whoever made the call has ended in between.
            Err(Failed { errno: Errno::ENOENT | Errno::EINTR, .. }) => {}
            Err(failed) => return Err(failed),
        }
    }
}

/// Lets a call go on.
///
/// # Errors
/// The kernel's reason; that its caller has ended is none.
pub fn go_on(listener: BorrowedFd<'_>, id: u64) -> Result<(), Failed> {
    let flags = libc::SECCOMP_USER_NOTIF_FLAG_CONTINUE as u32;
    let answer = libc::seccomp_notif_resp { id, val: 0, error: 0, flags };
    // SAFETY: the request reads one such structure, which outlives the call.
    let result = unsafe { libc::ioctl(listener.as_raw_fd(), SEND as _, &raw const answer) };
    match check("ioctl(SECCOMP_IOCTL_NOTIF_SEND)", result.into()) {
        Ok(_) | Err(Failed { errno: Errno::ENOENT, .. }) => Ok(()),
        Err(failed) => Err(failed),
    }
}

const LOAD: u16 = 0x20;
const JUMP_IF_EQUAL: u16 = 0x15;
const RETURN: u16 = 0x06;
/// Where the number of the call stands, and the low half of its first argument.
const NUMBER: u32 = 0;
const FIRST_ARGUMENT: u32 = if cfg!(target_endian = "little") { 16 } else { 20 };
/// `_IOWR('!', 0, struct seccomp_notif)` and `_IOWR('!', 1, struct seccomp_notif_resp)`.
const RECEIVE: u32 = 0xc050_2100;
const SEND: u32 = 0xc018_2101;
const _: () =
    assert!(size_of::<libc::seccomp_notif>() == 0x50 && size_of::<libc::seccomp_notif_resp>() == 0x18);
