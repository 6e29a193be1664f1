//! What a refused request to the kernel looks like.

pub use nix::errno::Errno;

/// A system call that the kernel refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{call} failed: {errno}")]
pub struct Failed {
    /// The system call.
    pub call: &'static str,
    /// The kernel's reason.
    pub errno: Errno,
}

/// Returns a converter from an error number to `Failed`, for `map_err`.
pub(crate) fn failed(call: &'static str) -> impl FnOnce(Errno) -> Failed {
    move |errno| Failed { call, errno }
}

/// Returns the result of a raw call: negative means that `errno` holds the reason.
pub(crate) fn check(call: &'static str, result: libc::c_long) -> Result<libc::c_long, Failed> {
    if result < 0 { Err(Failed { call, errno: Errno::last() }) } else { Ok(result) }
}
