//! Whether a signal tells of a stack that is used up.

use libc::{c_int, c_void, siginfo_t};

/// How far from the stack pointer a stack that is used up is touched first. Calls touch what is next to it, larger frames
/// are probed page by page; and memory so near to the pointer of a sound stack is never out of reach.
const REACH: usize = 4096;

/// Returns whether the stack of the thread that was interrupted has no room left.
///
/// # Safety
/// Both pointers are what the kernel passed to a handler of `signal` that asked for them.
pub(super) unsafe fn is_told_by(signal: c_int, info: *const siginfo_t, context: *const c_void) -> bool {
    // SAFETY: by the contract of this function the description is valid.
    let info = unsafe { &*info };
    // A signal that somebody sent tells of no address.
    if signal != libc::SIGSEGV || info.si_code <= 0 {
        return false;
    }
    // SAFETY: the processor's own signal has an address.
    let touched = unsafe { info.si_addr() }.addr();
    // SAFETY: by the contract of this function the context is valid.
    let pointer = unsafe { stack_pointer(context) };
    pointer.is_some_and(|pointer| pointer.abs_diff(touched) <= REACH)
}

/// Returns where the stack ended when the signal came.
///
/// # Safety
/// The context is what the kernel passed to a handler.
unsafe fn stack_pointer(context: *const c_void) -> Option<usize> {
    let context = context.cast::<libc::ucontext_t>();
    #[cfg(target_arch = "x86_64")]
    // SAFETY: by the contract of this function the context is valid.
    let pointer = Some(unsafe { (*context).uc_mcontext.gregs[libc::REG_RSP as usize] });
    #[cfg(target_arch = "aarch64")]
    // SAFETY: as above.
    let pointer = Some(unsafe { (*context).uc_mcontext.sp });
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    let pointer = None::<u64>;
    pointer.and_then(|pointer| usize::try_from(pointer).ok())
}
