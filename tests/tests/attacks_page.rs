//! The page of attacks names the tests of each, and no attack is without one. It also tells in which mode each test runs and
//! what its control is, as the documentation of the test says.
//!
//! `UPDATE=1 cargo test -p bailiwick-tests --test attacks_page` fills them in.

use std::fs;

use bailiwick_tests::source;

const PAGE: &str = "docs/attacks.md";
/// What follows this line is written anew as a whole.
const REST: &str = "<!-- The rest is written by the same command. -->";
/// How the remarks at a test begin; each is a sentence, over as many lines as it needs.
const CONTROL: &str = "Control: ";
const MODE: &str = "Mode: ";
/// The mode of a test that says nothing of it.
const BOTH: &str = "root and rootless";

/// A test of an attack, as its source shows it.
struct Test {
    name: String,
    control: Option<String>,
    mode: String,
}

#[test]
fn every_attack_has_its_tests_and_the_page_names_them() {
    let path = source::workspace().join(PAGE);
    let page = fs::read_to_string(&path).expect("the page is there");
    let tests = tests();
    let (made, without) = filled_in(&page, &tests);
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&path, &made).expect("the page can be written");
    } else {
        assert!(
            made == page,
            "{PAGE} is stale; run: UPDATE=1 cargo test -p bailiwick-tests --test attacks_page"
        );
    }
    assert!(without.is_empty(), "attacks without a test: {}", without.join(", "));
    let vacuous: Vec<_> = tests.iter().filter(|test| test.control.is_none()).map(|test| &test.name).collect();
    assert!(vacuous.is_empty(), "tests that do not say what their control is: {vacuous:?}");
    let unlisted: Vec<_> = tests
        .iter()
        .filter(|test| !made.contains(&format!("`{}`", test.name)))
        .map(|test| &test.name)
        .collect();
    assert!(unlisted.is_empty(), "tests of no attack: {unlisted:?}");
}

/// Returns the page with its tests, and the attacks that have none.
fn filled_in(page: &str, tests: &[Test]) -> (String, Vec<String>) {
    let mut without = Vec::new();
    let mut made = String::new();
    for line in page.lines().take_while(|line| *line != REST) {
        match attack(line) {
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
    made += REST;
    made += "\n\n| test | mode | control |\n|---|---|---|\n";
    for test in tests {
        let control = test.control.as_deref().unwrap_or_default();
        made += &format!("| `{}` | {} | {control} |\n", test.name, test.mode);
    }
    (made, without)
}

/// Takes a line of the table apart.
fn attack(line: &str) -> Option<(&str, &str)> {
    let (id, rest) = line.strip_prefix("| ")?.split_once(" | ")?;
    let (text, _) = rest.split_once(" |")?;
    is_id(&id.to_lowercase()).then_some((id, text))
}

/// Returns the tests in the order of the source.
fn tests() -> Vec<Test> {
    let files = source::rust_files();
    let files = files.iter().filter(|file| file.path.starts_with("tests/tests/attacks/"));
    files.flat_map(|file| tests_in(&file.text)).collect()
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
                let remark = |mark| {
                    let (_, rest) = doc.split_once(mark)?;
                    Some(rest.split_once(". ").map_or(rest, |(one, _)| one).trim_end_matches('.').to_owned())
                };
                let mode = remark(MODE).unwrap_or(BOTH.to_owned());
                found.push(Test { name: name.to_owned(), control: remark(CONTROL), mode });
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
    let letter = characters.next().is_some_and(|first| ('a'..='k').contains(&first));
    letter && !characters.as_str().is_empty() && characters.all(|rest| rest.is_ascii_digit())
}
