//! How many descriptors this process may have, and how many more it can open.

use std::sync::OnceLock;

use nix::sys::resource::{Resource, getrlimit, setrlimit};

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_raised_and_the_former_one_is_known() {
        let (before, _) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
        raise_limit();
        let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
        assert_eq!((soft, former_limit()), (hard, Some(before)));
        assert!(left() > 0);
    }
}
