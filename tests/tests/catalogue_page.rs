//! The catalogue's page names the tests of each scenario, and no scenario is without one.
//!
//! `UPDATE=1 cargo test -p bailiwick-tests --test catalogue_page` fills them in.

use std::collections::BTreeMap;
use std::fs;

use bailiwick_tests::source;

const PAGE: &str = "docs/catalogue.md";

#[test]
fn every_scenario_has_its_tests_and_the_page_names_them() {
    let path = source::workspace().join(PAGE);
    let page = fs::read_to_string(&path).expect("the page is there");
    let tests = tests_by_id();
    let (made, without) = filled_in(&page, &tests);
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&path, &made).expect("the page can be written");
    } else {
        assert!(
            made == page,
            "{PAGE} is stale; run: UPDATE=1 cargo test -p bailiwick-tests --test catalogue_page"
        );
    }
    assert!(without.is_empty(), "scenarios without a test: {}", without.join(", "));
}

/// Returns the page with its tests, and the scenarios that have none.
fn filled_in(page: &str, tests: &BTreeMap<String, Vec<String>>) -> (String, Vec<String>) {
    let mut without = Vec::new();
    let mut made = String::new();
    for line in page.lines() {
        match scenario(line) {
            Some((id, text)) => {
                let found = tests.get(&id.to_lowercase()).map_or(&[][..], Vec::as_slice);
                if found.is_empty() {
                    without.push(id.to_owned());
                }
                let names: Vec<_> = found.iter().map(|name| format!("`{name}`")).collect();
                made += &format!("| {id} | {text} | {} |\n", names.join(", "));
            }
            None => made += &format!("{line}\n"),
        }
    }
    (made, without)
}

/// Takes a line of the table apart.
fn scenario(line: &str) -> Option<(&str, &str)> {
    let (id, rest) = line.strip_prefix("| ")?.split_once(" | ")?;
    let (text, _) = rest.split_once(" | ")?;
    is_id(&id.to_lowercase()).then_some((id, text))
}

/// Returns the black-box tests by the ids that their names begin with.
fn tests_by_id() -> BTreeMap<String, Vec<String>> {
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for file in source::rust_files() {
        if !file.path.starts_with("tests/tests/") && !file.path.starts_with("supervisor/cli/tests/") {
            continue;
        }
        let mut is_test = false;
        for line in file.text.lines().map(str::trim) {
            let name = line.strip_prefix("fn ").and_then(|rest| rest.split('(').next());
            if let Some(name) = name.filter(|_| is_test) {
                for id in name.split('_').take_while(|part| is_id(part)) {
                    found.entry(id.to_owned()).or_default().push(name.to_owned());
                }
            }
            is_test = line == "#[test]" || is_test && line.starts_with('#');
        }
    }
    found
}

/// Tells whether a word is a letter of the catalogue and a number.
fn is_id(word: &str) -> bool {
    let mut characters = word.chars();
    let letter = characters.next().is_some_and(|first| ('a'..='j').contains(&first));
    letter && !characters.as_str().is_empty() && characters.all(|rest| rest.is_ascii_digit())
}
