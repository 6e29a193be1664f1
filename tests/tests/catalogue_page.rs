//! The catalogue's page names the tests of each scenario, and no scenario is without one. It also tells without what each
//! test was seen to fail, as a remark in the documentation of the test says.
//!
//! `UPDATE=1 cargo test -p bailiwick-tests --test catalogue_page` fills them in.

use std::fs;

use bailiwick_tests::source;

const PAGE: &str = "docs/catalogue.md";
/// What follows this line is written anew as a whole.
const REST: &str = "<!-- The rest is written by the same command. -->";
/// How the remark at a test begins; it is a sentence, over as many lines as it needs.
const SEEN: &str = "Seen to fail without ";

/// A black-box test, as its source shows it.
struct Test {
    name: String,
    /// What it was seen to fail without, if it was.
    without: Option<String>,
}

#[test]
fn every_scenario_has_its_tests_and_the_page_names_them() {
    let path = source::workspace().join(PAGE);
    let page = fs::read_to_string(&path).expect("the page is there");
    let tests = tests();
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
fn filled_in(page: &str, tests: &[Test]) -> (String, Vec<String>) {
    let mut without = Vec::new();
    let mut made = String::new();
    for line in page.lines().take_while(|line| *line != REST) {
        match scenario(line) {
            Some((id, text)) => {
                let of_id = tests.iter().filter(|test| test.has_id(&id.to_lowercase()));
                let names: Vec<_> = of_id.map(|test| format!("`{}`", test.name)).collect();
                if names.is_empty() {
                    without.push(id.to_owned());
                }
                made += &format!("| {id} | {text} | {} |\n", names.join(", "));
            }
            None => made += &format!("{line}\n"),
        }
    }
    (made + REST + "\n" + &seen_to_fail(tests), without)
}

/// Returns what each test was seen to fail without, and which were not.
fn seen_to_fail(tests: &[Test]) -> String {
    let mut table = "\n| test | fails without |\n|---|---|\n".to_owned();
    let mut unseen = Vec::new();
    for test in tests {
        match &test.without {
            Some(what) => table += &format!("| `{}` | {what} |\n", test.name),
            None => unseen.push(format!("`{}`", test.name)),
        }
    }
    let seen = tests.len() - unseen.len();
    let unseen = if unseen.is_empty() { "none".to_owned() } else { unseen.join(", ") };
    format!("\n{seen} of {} tests. Not seen to fail: {unseen}.\n{table}", tests.len())
}

/// Takes a line of the table apart.
fn scenario(line: &str) -> Option<(&str, &str)> {
    let (id, rest) = line.strip_prefix("| ")?.split_once(" | ")?;
    let (text, _) = rest.split_once(" | ")?;
    is_id(&id.to_lowercase()).then_some((id, text))
}

/// Returns the black-box tests in the order of the source.
fn tests() -> Vec<Test> {
    let mut found = Vec::new();
    for file in source::rust_files() {
        if file.path.starts_with("tests/tests/catalogue/") {
            found.extend(tests_in(&file.text));
        }
    }
    found
}

/// Returns the tests of one file, each with what its documentation remarks.
fn tests_in(text: &str) -> Vec<Test> {
    let mut found = Vec::new();
    let (mut doc, mut is_test) = (String::new(), false);
    for line in text.lines().map(str::trim) {
        if let Some(more) = line.strip_prefix("///") {
            doc += more;
        } else if line.starts_with('#') {
            is_test |= line == "#[test]";
        } else {
            let name = line.strip_prefix("fn ").and_then(|rest| rest.split('(').next());
            if let Some(name) = name.filter(|_| is_test) {
                let remark = doc.split_once(SEEN).map(|(_, what)| what.trim_end_matches('.').to_owned());
                found.push(Test { name: name.to_owned(), without: remark });
            }
            (doc, is_test) = (String::new(), false);
        }
    }
    found
}

impl Test {
    /// Tells whether its name begins with ids of which this is one.
    fn has_id(&self, id: &str) -> bool {
        self.name.split('_').take_while(|part| is_id(part)).any(|part| part == id)
    }
}

/// Tells whether a word is a letter of the catalogue and a number.
fn is_id(word: &str) -> bool {
    let mut characters = word.chars();
    let letter = characters.next().is_some_and(|first| ('a'..='j').contains(&first));
    letter && !characters.as_str().is_empty() && characters.all(|rest| rest.is_ascii_digit())
}
