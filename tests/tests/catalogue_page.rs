//! The catalogue's page names the tests of each scenario, and no scenario is without one. It also tells without what each
//! test was seen to fail, as a remark in the documentation of the test says.
//!
//! `UPDATE=1 cargo test -p bailiwick-tests --test catalogue_page` fills them in.

use bailiwick_tests::page::{Test, hold, tests_below};

#[test]
fn every_scenario_has_its_tests_and_the_page_names_them() {
    let tests = tests_below("tests/tests/catalogue/");
    hold("docs/catalogue.md", "catalogue_page", &tests, &seen_to_fail(&tests));
}

/// Returns what each test was seen to fail without, and which were not.
fn seen_to_fail(tests: &[Test]) -> String {
    let mut table = "\n| test | fails without |\n|---|---|\n".to_owned();
    let mut unseen = Vec::new();
    for test in tests {
        match test.remark("Seen to fail without ") {
            Some(what) => table += &format!("| `{}` | {what} |\n", test.name),
            None => unseen.push(format!("`{}`", test.name)),
        }
    }
    let seen = tests.len() - unseen.len();
    let unseen = if unseen.is_empty() { "none".to_owned() } else { unseen.join(", ") };
    format!("\n{seen} of {} tests. Not seen to fail: {unseen}.\n{table}", tests.len())
}
