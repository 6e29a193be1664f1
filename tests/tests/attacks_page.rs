//! The page of attacks names the tests of each, and no attack is without one. It also tells in which mode each test runs and
//! what its control is, as the documentation of the test says.
//!
//! `UPDATE=1 cargo test -p bailiwick-tests --test attacks_page` fills them in.

use bailiwick_tests::page::{hold, tests_below};

#[test]
fn every_attack_has_its_tests_and_the_page_names_them() {
    let tests = tests_below("tests/tests/attacks/");
    let mut table = "\n| test | mode | control |\n|---|---|---|\n".to_owned();
    for test in &tests {
        let mode = test.remark("Mode: ").unwrap_or("root and rootless");
        let control = test.remark("Control: ").unwrap_or_default();
        table += &format!("| `{}` | {mode} | {control} |\n", test.name);
    }
    let page = hold("docs/attacks.md", "attacks_page", &tests, &table);
    let vacuous = tests.iter().filter(|test| test.remark("Control: ").is_none());
    let vacuous: Vec<_> = vacuous.map(|test| &test.name).collect();
    assert!(vacuous.is_empty(), "tests that do not say what their control is: {vacuous:?}");
    // Once as the test of an attack, once in the table of all tests.
    let unlisted = tests.iter().filter(|test| page.matches(&format!("`{}`", test.name)).count() < 2);
    let unlisted: Vec<_> = unlisted.map(|test| &test.name).collect();
    assert!(unlisted.is_empty(), "tests of no attack: {unlisted:?}");
}
