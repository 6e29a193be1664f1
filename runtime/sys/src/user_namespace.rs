//! Which users exist here: in a user namespace fewer than on the machine, and uid 0 may be somebody else outside.

use std::ops::RangeInclusive;

/// Returns whether every user, and every group, of the range exists here.
pub fn has(range: &RangeInclusive<u32>) -> bool {
    covers(&read("uid_map"), range) && covers(&read("gid_map"), range)
}

/// Returns whether a process may drop its supplementary groups here.
pub fn may_set_groups() -> bool {
    // Kernels without the file, and those without /proc, have no such rule.
    read("setgroups").trim() != "deny"
}

/// Returns whether uid 0 is another user outside.
pub fn is_root_only_here() -> bool {
    leads_elsewhere(&read("uid_map"))
}

/// Returns whether a line of the map, which holds first inside, first outside and count, covers the range.
fn covers(map: &str, range: &RangeInclusive<u32>) -> bool {
    map.lines().any(|line| {
        let mut numbers = line.split_whitespace().map(|number| number.parse().unwrap_or(0_u64));
        let (first, count) = (numbers.next().unwrap_or(0), numbers.nth(1).unwrap_or(0));
        first <= u64::from(*range.start()) && u64::from(*range.end()) < first + count
    })
}

fn leads_elsewhere(map: &str) -> bool {
    let mut numbers = map.split_whitespace();
    numbers.next() == Some("0") && numbers.next() != Some("0")
}

fn read(file: &str) -> String {
    std::fs::read_to_string(format!("/proc/self/{file}")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_must_be_mapped_whole() {
        assert!(covers("0 0 4294967295\n", &(0x7000_0000..=0x7000_FFFF)));
        assert!(!covers("0 1000 1\n", &(61_184..=65_519)));
        assert!(!covers("0 1000 1\n1 100000 65518\n", &(61_184..=65_519)));
        assert!(covers("0 1000 1\n1 100000 65519\n", &(61_184..=65_519)));
        assert!(!covers("", &(0..=0)));
    }

    #[test]
    fn root_is_root_only_here_if_it_is_somebody_else_outside() {
        assert!(leads_elsewhere("         0       1000          1\n"));
        assert!(!leads_elsewhere("         0          0 4294967295\n"));
        assert!(!leads_elsewhere(""));
    }
}
