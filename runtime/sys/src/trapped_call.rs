//! System calls that a filter traps: a denied one fails and is noted, a deadly one is noted and ends the process.
//!
//! A filter that only refused a call would leave no trace of it. So the second stage traps what it denies: the kernel
//! sends SIGSYS to the thread that made the call, and the handler writes down which call it was, and what the thread was
//! at, before it has the call fail with EPERM. The handler allocates nothing, locks nothing and makes no call that a
//! filter stops; what it writes is atomics in memory that stands still.
//!
//! While SIGSYS is blocked, as within the handler, the kernel ends the process at a trapped call instead.

mod denied_path;
mod registers;

use std::ffi::{c_int, c_void};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::at_work;
use crate::error::{Errno, Failed, check};
use crate::events::coarse_ns;
use registers::Registers;

pub use denied_path::{ENTRY_WORDS as PATH_ENTRY_WORDS, MARK, PATH, PATH_IN_VIEW};

/// What a filter passes along with a trapped call that is only denied; a deadly one comes with zero.
pub const DENIED: u16 = libc::EPERM as u16;

/// The words of one entry in a table of denials: the number of the call and one, how often it was denied, its first two
/// arguments the first time, when it was denied last, and the name of whoever was at work.
pub const ENTRY_WORDS: usize = 5 + NAME_WORDS;
/// The words of a name.
pub const NAME_WORDS: usize = 30;

/// Where trapped calls are noted.
#[derive(Clone, Copy, Debug)]
pub struct Notes {
    /// Of a deadly call: 1, the architecture, the number, and the address after it.
    pub deadly: &'static [AtomicU64; 4],
    /// Entries of [`ENTRY_WORDS`] words, and behind them one that counts what found no room.
    pub denied: &'static [AtomicU64],
    /// Entries of [`PATH_ENTRY_WORDS`] words, and behind them one that counts what found no room.
    pub paths: &'static [AtomicU64],
}

/// Has trapped calls noted from now on, each with what its thread [is at](crate::at_work). The first call counts.
pub fn note_in(notes: Notes) {
    let _first = NOTES.set(notes);
}

/// Takes over SIGSYS for the whole process, for as long as it lives. To be called before a filter that traps is entered;
/// such a filter forbids to handle the signal in another way.
///
/// # Errors
/// The kernel's reason.
pub fn handle() -> Result<(), Failed> {
    set_handler(trapped as extern "C" fn(c_int, *mut libc::siginfo_t, *mut c_void) as usize)
}

// A handler has nothing but what stands still.
static NOTES: OnceLock<Notes> = OnceLock::new();

fn set_handler(handler: usize) -> Result<(), Failed> {
    // SAFETY: sigaction consists of integers and function pointers that may be null, for which zero is a value.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = handler;
    // The signal is blocked while it is handled: what the handler could not survive ends the process.
    action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
    // SAFETY: `action` is complete and outlives the call; the handler makes async-signal-safe calls only.
    let result = unsafe { libc::sigaction(libc::SIGSYS, &raw const action, std::ptr::null_mut()) };
    check("sigaction", result.into()).map(drop)
}

extern "C" fn trapped(signal: c_int, info: *mut libc::siginfo_t, context: *mut c_void) {
    // SAFETY: the kernel passes a siginfo to a handler that asked for one, and for a signal of a filter it holds these
    // fields behind the three common ones; for another sender's the bytes are there as well.
    let call = unsafe { info.cast::<TrappedCall>().read_unaligned() };
    // SAFETY: the kernel passes the context that it restores when the handler returns, which nobody else uses.
    let context = unsafe { context.cast::<libc::ucontext_t>().as_mut() };
    match context {
        Some(context) if call.code == SYS_SECCOMP && call.errno == c_int::from(DENIED) => {
            let mut registers = Registers::of(context);
            note_denied(&call, registers.arguments());
            registers.answer((-libc::EPERM).into());
        }
        Some(context) if call.code == SYS_SECCOMP && names_path(&call) => {
            // Whoever is interrupted here may be between a call of its own and the question why it failed.
            let before = Errno::last_raw();
            let mut registers = Registers::of(context);
            let in_view = call.errno == c_int::from(PATH_IN_VIEW);
            registers.answer(denied_path::make(NOTES.get(), call.number, registers.arguments(), in_view));
            Errno::set_raw(before);
        }
        _ => {
            if call.code == SYS_SECCOMP {
                note_deadly(&call);
            }
            end(signal);
        }
    }
}

fn names_path(call: &TrappedCall) -> bool {
    [PATH, PATH_IN_VIEW].iter().any(|data| call.errno == c_int::from(*data))
}

fn note_deadly(call: &TrappedCall) {
    let Some(Notes { deadly: [said, architecture, number, address], .. }) = NOTES.get() else { return };
    architecture.store(u64::from(call.architecture).to_le(), Ordering::Relaxed);
    number.store(i64::from(call.number).cast_unsigned().to_le(), Ordering::Relaxed);
    address.store(call.address.to_le(), Ordering::Relaxed);
    said.store(1_u64.to_le(), Ordering::Release);
    at_work::ends_here();
}

/// Counts a denied call in the entry that it has, or in a new one. Several threads may do so at once.
fn note_denied(call: &TrappedCall, arguments: [u64; 6]) {
    let Some(notes) = NOTES.get() else { return };
    let name = at_work::name();
    let key = (u64::from(call.number.unsigned_abs()) + 1).to_le();
    let (entries, rest) = notes.denied.as_chunks::<ENTRY_WORDS>();
    for [found, count, first, second, last, named @ ..] in entries {
        match found.compare_exchange(0, key, Ordering::Relaxed, Ordering::Relaxed) {
            Ok(_) => {
                first.store(arguments[0].to_le(), Ordering::Relaxed);
                second.store(arguments[1].to_le(), Ordering::Relaxed);
                for (to, from) in named.iter().zip(name.into_iter().flatten()) {
                    to.store(from.load(Ordering::Relaxed), Ordering::Relaxed);
                }
            }
            Err(other) if other == key && is_named(named, name) => {}
            Err(_) => continue,
        }
        last.store(coarse_ns().to_le(), Ordering::Relaxed);
        add_one(count);
        return;
    }
    rest.first().into_iter().for_each(add_one);
}

fn is_named(entry: &[AtomicU64], name: Option<&[AtomicU64]>) -> bool {
    let value = |word: &AtomicU64| word.load(Ordering::Relaxed);
    match name {
        Some(name) => entry.iter().zip(name).all(|(one, other)| value(one) == value(other)),
        None => entry.iter().all(|word| value(word) == 0),
    }
}

/// Adds one to a number that is kept little endian.
fn add_one(count: &AtomicU64) {
    let more = |count: u64| Some(u64::from_le(count).saturating_add(1).to_le());
    let _always_taken = count.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
}

/// Ends the process by the signal that is being handled.
fn end(signal: c_int) -> ! {
    // Where a filter traps this call, the process ends in it: the signal is blocked here.
    let _no_longer_handled = set_handler(libc::SIG_DFL);
    // SAFETY: takes nothing and touches no memory of ours.
    let process = unsafe { libc::getpid() };
    // SAFETY: takes nothing and touches no memory of ours.
    let thread = unsafe { libc::gettid() };
    // SAFETY: takes numbers. The signal waits until it is no longer blocked.
    unsafe { libc::syscall(libc::SYS_tgkill, process, thread, signal) };
    // SAFETY: a set of signals is integers, for which zero is a value.
    let mut set: libc::sigset_t = unsafe { std::mem::zeroed() };
    // SAFETY: writes into our own set.
    unsafe { libc::sigaddset(&raw mut set, signal) };
    // SAFETY: reads our own set. The process ends in this call, since the signal has its default meaning.
    unsafe { libc::pthread_sigmask(libc::SIG_UNBLOCK, &raw const set, std::ptr::null_mut()) };
    // SAFETY: takes a number and does not return. Reached only where the handler could not be taken away.
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
