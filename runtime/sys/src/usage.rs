//! What this process has used.

use std::time::Duration;

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::{TimeVal, TimeValLike};

use crate::error::{Failed, failed};

/// What a process has used, with all of its threads; not what its children have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    /// The time that processors worked for it.
    pub cpu: Duration,
    /// The most memory that it ever had in use, in bytes.
    pub memory_peak: u64,
}

/// Returns what this process has used since it was executed; getrusage(2).
///
/// # Errors
/// When a filter forbids the call.
pub fn own() -> Result<Usage, Failed> {
    let usage = getrusage(UsageWho::RUSAGE_SELF).map_err(failed("getrusage"))?;
    // The kernel counts in KiB.
    let memory_peak = u64::try_from(usage.max_rss()).unwrap_or(0).saturating_mul(1024);
    Ok(Usage { cpu: duration(usage.user_time()) + duration(usage.system_time()), memory_peak })
}

fn duration(time: TimeVal) -> Duration {
    Duration::from_micros(u64::try_from(time.num_microseconds()).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_and_memory_are_counted() {
        let before = own().unwrap();
        let written = vec![1_u8; 64 << 20];
        while own().unwrap().cpu < before.cpu + Duration::from_millis(20) {
            std::hint::black_box(&written);
        }
        assert!(own().unwrap().memory_peak >= 64 << 20);
    }
}
