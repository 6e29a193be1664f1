//! How many descriptors this process may have, has, and can open yet.

use std::os::fd::RawFd;
use std::sync::OnceLock;

use nix::sys::resource::{Resource, getrlimit, setrlimit};

use crate::error::check;

/// The soft limit as it was when this process was started.
static FORMER: OnceLock<u64> = OnceLock::new();

/// Raises the soft limit to the hard one. A soft limit is low for the sake of programs that still use `select`.
pub fn raise_limit() {
    if let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) {
        FORMER.get_or_init(|| soft);
        // What may not be raised stays.
        let _ = setrlimit(Resource::RLIMIT_NOFILE, hard, hard);
    }
}

/// Returns the soft limit that this process was started with, for those it starts; `None` if it was never raised.
pub fn former_limit() -> Option<u64> {
    FORMER.get().copied()
}

/// Returns how many descriptors can be opened before the limit is reached.
pub fn left() -> usize {
    let limit = getrlimit(Resource::RLIMIT_NOFILE).map_or(0, |(soft, _)| soft);
    let open = std::fs::read_dir("/proc/self/fd").map_or(0, Iterator::count);
    usize::try_from(limit).unwrap_or(usize::MAX).saturating_sub(open)
}

/// Returns how many descriptors this process has open: those with a number below its limit and below 65,536. Asks for
/// each, because a sandbox may have no `/proc`, and since nothing else asks without calling the file behind, which may be slow.
pub fn own() -> u32 {
    let limit = getrlimit(Resource::RLIMIT_NOFILE).map_or(u64::MAX, |(soft, _)| soft);
    let end = RawFd::try_from(limit).unwrap_or(RawFd::MAX).min(LOOKED_AT);
    (0..end).map(|number| u32::from(is_open(number))).sum()
}

/// New descriptors have the lowest number that is free, so that only who has very many has one beyond this.
const LOOKED_AT: RawFd = 1 << 16;

fn is_open(number: RawFd) -> bool {
    // SAFETY: takes numbers only and touches no memory.
    let result = unsafe { libc::fcntl(number, libc::F_GETFD) };
    check("fcntl(F_GETFD)", result.into()).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;

    /// Seen to fail where every number counts as open.
    #[test]
    fn what_is_opened_is_counted_until_it_is_closed() {
        // Other tests of this process open and close as well: what /proc says before and after has to hold it.
        let told = || u32::try_from(std::fs::read_dir("/proc/self/fd").unwrap().count() - 1).unwrap();
        let many: Vec<_> = (0..500).map(|_| File::open("/dev/null").unwrap()).collect();
        let found = own();
        assert!(found >= 500 && found.abs_diff(told()) < 100, "{found}");
        drop(many);
        assert!(own() + 400 < found);
    }

    #[test]
    fn the_limit_is_raised_and_the_former_one_is_known() {
        let (before, _) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
        raise_limit();
        let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
        assert_eq!((soft, former_limit()), (hard, Some(before)));
        assert!(left() > 0);
    }
}
