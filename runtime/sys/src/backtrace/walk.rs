//! The stack of the calling thread, by the unwinder that panics use.

use libc::{c_int, c_void};

/// The most frames of one thread.
const FRAMES: usize = 48;

// Of libgcc, or of LLVM's libunwind, to one of which the standard library links every program.
unsafe extern "C" {
    fn _Unwind_Backtrace(
        trace: extern "C" fn(*mut c_void, *mut c_void) -> c_int,
        argument: *mut c_void,
    ) -> c_int;
    fn _Unwind_GetIPInfo(context: *mut c_void, before_instruction: *mut c_int) -> usize;
}

const GO_ON: c_int = 0;
const STOP: c_int = 5;

struct Walk<'a> {
    each: &'a mut dyn FnMut(u64),
    left: usize,
}

/// Calls `each` with an address inside of each instruction under way, the innermost first.
pub(super) fn each_frame(each: &mut dyn FnMut(u64)) {
    let mut walk = Walk { each, left: FRAMES };
    // SAFETY: the callback takes what is passed here, which outlives the call.
    unsafe { _Unwind_Backtrace(frame, (&raw mut walk).cast()) };
}

/// Makes the unwinder ready, so that a walk in a handler allocates nothing.
pub(super) fn warm_up() {
    each_frame(&mut |_| {});
}

extern "C" fn frame(context: *mut c_void, walk: *mut c_void) -> c_int {
    // SAFETY: it is the walk that was passed along, and nobody else uses it meanwhile.
    let walk = unsafe { &mut *walk.cast::<Walk<'_>>() };
    let mut before_instruction = 0;
    // SAFETY: the unwinder passes a valid context, and the place is valid for a write.
    let address = unsafe { _Unwind_GetIPInfo(context, &raw mut before_instruction) };
    if address == 0 || walk.left == 0 {
        return STOP;
    }
    walk.left -= 1;
    // A caller's address is that of the instruction after its call.
    (walk.each)(address as u64 - u64::from(before_instruction == 0));
    GO_ON
}
