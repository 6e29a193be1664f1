//! The threads of this process, by the numbers that it knows them by.

use libc::c_int;

use super::area::for_each_number;

/// Threads with higher numbers are not found where every number has to be tried, which takes 10 ms then.
const HIGHEST: c_int = 1 << 16;

/// Calls `each` with every thread that an open folder lists, `/proc/PID/task` of this process. Its names are the numbers
/// where it was opened. In a PID namespace of its own the process has others, which nothing lists for it: it tries one after
/// the other, until it has found as many. Async-signal-safe.
pub(super) fn each_thread(folder: c_int, mut each: impl FnMut(c_int)) {
    // SAFETY: takes nothing and touches no memory.
    let own = unsafe { libc::getpid() };
    let (mut left, mut is_named) = (0_u32, false);
    for_each_number(folder, |number| {
        left += 1;
        is_named |= number == own;
    });
    if is_named {
        return for_each_number(folder, each);
    }
    for number in 1..=HIGHEST {
        if left == 0 {
            return;
        }
        // SAFETY: takes numbers and touches no memory. Without a signal it only asks whether this is a thread of ours.
        if unsafe { libc::syscall(libc::SYS_tgkill, own, number, 0) } == 0 {
            left -= 1;
            each(number);
        }
    }
}
