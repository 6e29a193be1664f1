//! `docs/protocols.md` is held to the source: sizes, kinds of frames, and what can be wrong with one.

use std::fs;

use bailiwick_tests::source;
use bailiwick_wire::fault::FAULTS;
use bailiwick_wire::frame::{Flags, HEADER_BYTES, Kind, MAX_PACKET_BYTES};
use bailiwick_wire::{control, operator};

/// Seen to fail without a kind, with another code, and with another text of a fault.
#[test]
fn the_page_has_every_kind_and_every_fault() {
    let kinds = Kind::ALL.iter().map(|kind| format!("| {} | `{kind:?}` |", *kind as u8));
    assert_eq!(rows("### Kinds", 2), kinds.collect::<Vec<_>>(), "kinds of frames");
    let faults = FAULTS.iter().map(|row| {
        let (code, word, class) = (row.fault as u8, row.fault.word(), row.class.word());
        format!("| {code} | `{word}` | `{class}` | {} |", row.text)
    });
    assert_eq!(rows("### What can be wrong", 4), faults.collect::<Vec<_>>(), "faults");
}

#[test]
fn the_page_has_the_sizes_of_what_travels() {
    let page = page();
    for needed in [
        format!("at most {MAX_PACKET_BYTES} bytes"),
        format!("a header of {HEADER_BYTES} bytes"),
        format!("records of {} bytes, below", control::RECORD_BYTES),
        format!("requests of {} bytes, records of {}", operator::REQUEST_BYTES, operator::RECORD_BYTES),
    ] {
        assert!(page.contains(&needed), "docs/protocols.md does not say `{needed}`");
    }
    let flags = rows("## Frames", 1).into_iter().filter_map(|row| row.trim_matches(['|', ' ']).parse().ok());
    // The layout of the header comes first; it begins with the offset 0 and ends with 28.
    let flags: Vec<u8> = flags.skip_while(|first| *first != 28_u8).skip(1).collect();
    assert_eq!(flags.iter().fold(0, |all, flag| all | flag), Flags::ALL.bits(), "flags: {flags:?}");
}

fn page() -> String {
    fs::read_to_string(source::workspace().join("docs/protocols.md")).expect("the page is there")
}

/// Returns the first cells of each row behind a heading, up to the next one, whose first is a number.
fn rows(heading: &str, cells: usize) -> Vec<String> {
    let page = page();
    let (_, part) = page.split_once(&format!("{heading}\n")).expect("the page has that part");
    let part = part.split("\n#").next().unwrap_or_default();
    let rows = part.lines().filter(|line| line.starts_with("| ") && line.as_bytes()[2].is_ascii_digit());
    rows.map(|row| row.split_inclusive('|').take(cells + 1).collect()).collect()
}
