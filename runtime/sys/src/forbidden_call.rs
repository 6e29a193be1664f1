//! Which system call ended this process: noted by the handler of SIGSYS where somebody reads it afterwards.

use std::ffi::{c_int, c_void};
use std::sync::atomic::{AtomicPtr, AtomicU64, Ordering};

use crate::error::{Failed, check};

/// Has a system call that a filter traps noted in `words` before the process ends by SIGSYS, as it does anyway.
///
/// The words are 1, the architecture, the number of the call, and the address after it, little endian. The handler is
/// one for the whole process and lasts for one call: a second one ends the process without a note.
///
/// # Errors
/// The kernel's reason.
pub fn note_in(words: &'static [AtomicU64; 4]) -> Result<(), Failed> {
    WORDS.store(std::ptr::from_ref(words).cast_mut(), Ordering::Release);
    // SAFETY: sigaction consists of integers and function pointers that may be null, for which zero is a value.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    let handler: extern "C" fn(c_int, *mut libc::siginfo_t, *mut c_void) = note;
    action.sa_sigaction = handler as usize;
    // The default comes back before the handler runs, since a filter may forbid to set it; and the signal that the
    // handler sends to itself is not held up.
    action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK | libc::SA_RESETHAND | libc::SA_NODEFER;
    // SAFETY: `action` is complete and outlives the call; the handler makes async-signal-safe calls only.
    let result = unsafe { libc::sigaction(libc::SIGSYS, &raw const action, std::ptr::null_mut()) };
    check("sigaction", result.into()).map(drop)
}

// A handler has nothing but what stands still.
static WORDS: AtomicPtr<[AtomicU64; 4]> = AtomicPtr::new(std::ptr::null_mut());

/// Notes the call and ends the process by the signal, whose meaning is the default one again.
extern "C" fn note(signal: c_int, info: *mut libc::siginfo_t, _context: *mut c_void) {
    // SAFETY: the kernel passes a siginfo to a handler that asked for one, and for a signal of a filter it holds these
    // fields behind the three common ones; for another sender's the bytes are there as well.
    let call = unsafe { info.cast::<TrappedCall>().read_unaligned() };
    // SAFETY: only `note_in` stores here, a reference for the rest of the process's life.
    let words = unsafe { WORDS.load(Ordering::Acquire).as_ref() };
    if let (Some([said, architecture, number, address]), SYS_SECCOMP) = (words, call.code) {
        architecture.store(u64::from(call.architecture).to_le(), Ordering::Relaxed);
        number.store(i64::from(call.number).cast_unsigned().to_le(), Ordering::Relaxed);
        address.store(call.address.to_le(), Ordering::Relaxed);
        said.store(1_u64.to_le(), Ordering::Release);
    }
    // SAFETY: takes nothing and touches no memory of ours.
    let process = unsafe { libc::syscall(libc::SYS_getpid) };
    // SAFETY: takes nothing and touches no memory of ours.
    let thread = unsafe { libc::syscall(libc::SYS_gettid) };
    // SAFETY: takes numbers. The process ends in this call.
    unsafe { libc::syscall(libc::SYS_tgkill, process, thread, signal) };
    // SAFETY: takes a number and does not return. Reached only where a filter forbids the line above.
    unsafe { libc::_exit(128 + signal) }
}

/// A siginfo of SIGSYS, as the kernel lays it out on 64-bit machines.
#[repr(C)]
#[derive(Clone, Copy)]
struct TrappedCall {
    signal: c_int,
    errno: c_int,
    code: c_int,
    padding: c_int,
    address: u64,
    number: c_int,
    architecture: u32,
}

const _: () = assert!(size_of::<TrappedCall>() <= size_of::<libc::siginfo_t>());
/// What a filter's signal has as its code.
const SYS_SECCOMP: c_int = 1;
