//! The page of attacks names the tests of each, and no attack is without one, or says that what it is about is not built. It
//! also tells in which mode each test runs, what its control is, and without what it was seen to fail, as the documentation of
//! the test says.
//!
//! `UPDATE=1 cargo test -p bailiwick-tests --test attacks_page` fills them in.

use bailiwick_tests::page::{Test, hold, tests_below};

#[test]
fn every_attack_has_its_tests_and_the_page_names_them() {
    let mut tests = tests_below("tests/tests/attacks/");
    // What a hostile runtime hides of its sandbox has a place of its own.
    tests.extend(
        tests_below("tests/tests/verified.rs").into_iter().filter(|test| test.name.starts_with("k6_")),
    );
    let page = hold("docs/attacks.md", "attacks_page", &tests, &table(&tests));
    let vacuous = tests.iter().filter(|test| test.remark("Control: ").is_none());
    let vacuous: Vec<_> = vacuous.map(|test| &test.name).collect();
    assert!(vacuous.is_empty(), "tests that do not say what their control is: {vacuous:?}");
    // Once as the test of an attack, once in the table of all tests.
    let unlisted = tests.iter().filter(|test| page.matches(&format!("`{}`", test.name)).count() < 2);
    let unlisted: Vec<_> = unlisted.map(|test| &test.name).collect();
    assert!(unlisted.is_empty(), "tests of no attack: {unlisted:?}");
}

/// Returns the mode and the control of each test, and what it was seen to fail without.
fn table(tests: &[Test]) -> String {
    let seen = tests.iter().filter(|test| test.remark(SEEN).is_some()).count();
    let mut table = format!(
        "\nSeen to fail where the defence is taken out of the code: {seen} of {} tests.\n",
        tests.len()
    );
    table += "\n| test | mode | control | fails without |\n|---|---|---|---|\n";
    for test in tests {
        let mode = test.remark("Mode: ").unwrap_or("root and rootless");
        let control = test.remark("Control: ").unwrap_or_default();
        let without = test.remark(SEEN).unwrap_or("not seen to fail");
        table += &format!("| `{}` | {mode} | {control} | {without} |\n", test.name);
    }
    table
}

const SEEN: &str = "Seen to fail without ";
