//! What each thread is at, for handlers of signals: they know the thread they run on, and nothing else of it.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// Threads of which it is known.
pub const THREADS: usize = 8;
/// What the first word says when the name behind it holds.
const NAMED: u64 = 1;
/// What is added to it when the process ends in this thread.
const ENDS: u64 = 2;

/// A handler has nothing but what stands still.
static DESKS: [OnceLock<Desk>; THREADS] = [const { OnceLock::new() }; THREADS];

/// A thread, and where it writes what it is at.
struct Desk {
    thread: libc::pid_t,
    words: &'static [AtomicU64],
}

/// Has handlers on the calling thread look here for what it is at: 1 if it is what stands behind it, then the name. Beyond
/// [`THREADS`] threads nothing is known.
pub fn look_at(words: &'static [AtomicU64]) {
    let thread = this_thread();
    let _none_is_free = DESKS.iter().find(|place| place.set(Desk { thread, words }).is_ok());
}

/// Returns the name of what the calling thread is at, if that is known.
pub(crate) fn name() -> Option<&'static [AtomicU64]> {
    let (is_named, name) = own()?.split_first()?;
    (u64::from_le(is_named.load(Ordering::Relaxed)) & NAMED != 0).then_some(name)
}

/// Notes that it is the calling thread in which the process ends.
pub(crate) fn ends_here() {
    if let Some(first) = own().and_then(<[AtomicU64]>::first) {
        first.fetch_or(ENDS.to_le(), Ordering::Relaxed);
    }
}

fn own() -> Option<&'static [AtomicU64]> {
    let thread = this_thread();
    DESKS.iter().filter_map(OnceLock::get).find(|desk| desk.thread == thread).map(|desk| desk.words)
}

fn this_thread() -> libc::pid_t {
    // SAFETY: takes nothing and touches no memory of ours.
    unsafe { libc::gettid() }
}
