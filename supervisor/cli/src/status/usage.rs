//! What a worker's process uses of the machine, as the kernel tells everybody. The supervisor is not asked: it would have
//! to read /proc for each question.

use std::time::Duration;

use bailiwick_admin::documents::status::{Seen, Usage};
use bailiwick_supervisor::control::{Row, Status};
use nix::unistd::{SysconfVar, sysconf};

/// Looks at what the process of a worker uses, as far as its /proc is to be seen.
pub(super) fn seen<'a>(found: &Status, row: &'a Row) -> Seen<'a> {
    Seen { row, usage: usage(found, row) }
}

/// Returns what the process of a worker uses; nothing if it has none, or one that is not to be seen.
pub(crate) fn usage(found: &Status, row: &Row) -> Option<Usage> {
    row.pid.and_then(|pid| of(pid, found.supervisor.pid))
}

/// Reads what process `pid` uses. One that is no child of `parent` has its number from a worker that has ended.
fn of(pid: u32, parent: u32) -> Option<Usage> {
    // A process may call itself by bytes that are no text.
    let stat = std::fs::read(format!("/proc/{pid}/stat")).ok()?;
    let stat = String::from_utf8_lossy(&stat);
    let kernel = |name| sysconf(name).ok()?.and_then(|value| u64::try_from(value).ok());
    parse(&stat, parent, kernel(SysconfVar::CLK_TCK)?, kernel(SysconfVar::PAGE_SIZE)?)
}

fn parse(stat: &str, parent: u32, ticks_per_second: u64, page_bytes: u64) -> Option<Usage> {
    // The name stands in brackets and may hold anything, so the fields are counted from its end.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let field = |at: usize| fields.get(at)?.parse::<u64>().ok();
    if field(PARENT)? != u64::from(parent) {
        return None;
    }
    let ticks = field(USER_TICKS)?.checked_add(field(SYSTEM_TICKS)?)?;
    let millis = ticks.checked_mul(1000)?.checked_div(ticks_per_second)?;
    Some(Usage {
        cpu: Duration::from_millis(millis),
        memory_bytes: field(RESIDENT_PAGES)?.checked_mul(page_bytes)?,
    })
}

const PARENT: usize = 1;
const USER_TICKS: usize = 11;
const SYSTEM_TICKS: usize = 12;
const RESIDENT_PAGES: usize = 21;

#[cfg(test)]
mod tests {
    use super::*;

    const STAT: &str =
        "101 (a) b) S 100 101 101 0 -1 4194560 1 0 0 0 90 30 0 0 20 0 1 0 5 999 3072 18446744073709551615";

    #[test]
    fn the_fields_are_counted_from_the_end_of_the_name() {
        let expected = Usage { cpu: Duration::from_millis(1200), memory_bytes: 12 << 20 };
        assert_eq!(parse(STAT, 100, 100, 4096), Some(expected));
    }

    #[test]
    fn a_process_of_somebody_else_and_a_text_that_is_cut_tell_nothing() {
        assert_eq!(parse(STAT, 99, 100, 4096), None);
        assert_eq!(parse(STAT, 100, 0, 4096), None);
        let end_of_pages = STAT.rfind(' ').unwrap();
        for end in 0..end_of_pages - " 3072".len() {
            assert_eq!(parse(&STAT[..end], 100, 100, 4096), None, "cut at {end}");
        }
    }

    #[test]
    fn the_own_process_has_memory_and_its_own_parent_only() {
        let own = of(std::process::id(), std::os::unix::process::parent_id()).unwrap();
        assert!(own.memory_bytes > 100_000, "{own:?}");
        assert_eq!(of(std::process::id(), std::process::id()), None);
    }
}
