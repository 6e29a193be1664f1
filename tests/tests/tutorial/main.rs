//! The tutorial of the book, word by word: each file is written, each command typed, and what the page shows is printed.

mod reader;
mod service;

use bailiwick_tests::harness::needs_program;

use reader::Reader;

/// Seen to fail with another word in what `check` prints, without the grant, and with `500 cents` where it is used already.
#[test]
fn the_tutorial_leads_from_an_empty_folder_to_a_daemon() {
    if needs_program("curl", "curl") || needs_program("bash", "bash") {
        return;
    }
    Reader::of("docs/tutorial.md").walk();
}
