//! Where the memory stands that a process shares.

use std::fs;

use bailiwick_tests::harness::Process;

/// Every mapping of a memory file of so many bytes that a process may write: which file it is, and where it stands.
pub(crate) fn shared(process: Process, bytes: usize) -> Vec<(String, i64)> {
    let maps = fs::read_to_string(format!("/proc/{}/maps", process.0)).unwrap_or_default();
    let shared = maps.lines().filter(|line| line.contains("rw-s") && line.contains("memfd:"));
    let of_length = shared.filter_map(|line| {
        let mut words = line.split_whitespace();
        let (start, end) = words.next()?.split_once('-')?;
        let address = |text| i64::from_str_radix(text, 16).ok();
        let (start, end) = (address(start)?, address(end)?);
        let is_it = end - start == i64::try_from(bytes.next_multiple_of(4096)).ok()?;
        is_it.then(|| (words.nth(3).unwrap_or_default().to_owned(), start))
    });
    of_length.collect()
}
