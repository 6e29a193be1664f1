//! A page of the book whose table names the tests of each entry: those whose names begin with its id.
//!
//! What the page says of its tests is taken from their documentation. `UPDATE=1` writes it anew.

use std::fs;

use crate::source;

/// What follows this line is written anew as a whole.
const REST: &str = "<!-- The rest is written by the same command. -->";

/// In the place of tests: what is told of is not there, and so cannot be tested.
const NOT_BUILT: &str = "not built: ";

/// A test, as its source shows it.
#[derive(Debug)]
pub struct Test {
    /// The name of its function.
    pub name: String,
    doc: String,
}

/// Returns the tests below a folder of the workspace, in the order of the source.
///
/// # Panics
/// If the source cannot be read.
pub fn tests_below(folder: &str) -> Vec<Test> {
    let files = source::rust_files();
    files.iter().filter(|file| file.path.starts_with(folder)).flat_map(|file| tests_in(&file.text)).collect()
}

/// Compares the page with its tests, or writes it anew where `UPDATE` is set; `rest` is what follows its tables. Returns it.
///
/// # Panics
/// If the page is stale, or an entry is without a test and does not say that there is nothing to test.
pub fn hold(path: &str, target: &str, tests: &[Test], rest: &str) -> String {
    let file = source::workspace().join(path);
    let page = fs::read_to_string(&file).expect("the page is there");
    let (filled, without) = filled_in(&page, tests);
    let made = format!("{filled}{REST}\n{rest}");
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&file, &made).expect("the page can be written");
    } else {
        assert!(made == page, "{path} is stale; run: UPDATE=1 cargo test -p bailiwick-tests --test {target}");
    }
    assert!(without.is_empty(), "entries of {path} without a test: {}", without.join(", "));
    made
}

impl Test {
    /// Returns the sentence of its documentation that begins like this, without the beginning; it may have several lines.
    pub fn remark(&self, beginning: &str) -> Option<&str> {
        let (_, rest) = self.doc.split_once(beginning)?;
        Some(rest.split_once(". ").map_or(rest, |(sentence, _)| sentence).trim_end_matches('.'))
    }

    /// Tells whether its name begins with ids of which this is one.
    fn has_id(&self, id: &str) -> bool {
        self.name.split('_').take_while(|part| is_id(part)).any(|part| part == id)
    }
}

/// Returns the page up to what is written anew, with its tests, and the entries that have none.
fn filled_in(page: &str, tests: &[Test]) -> (String, Vec<String>) {
    let (mut made, mut without) = (String::new(), Vec::new());
    for line in page.lines().take_while(|line| *line != REST) {
        match entry(line) {
            Some((id, text, said)) => {
                let of_id = tests.iter().filter(|test| test.has_id(&id.to_lowercase()));
                let names: Vec<_> = of_id.map(|test| format!("`{}`", test.name)).collect();
                let is_absent = names.is_empty() && said.starts_with(NOT_BUILT);
                without.extend((names.is_empty() && !is_absent).then(|| id.to_owned()));
                let cell = if is_absent { said.to_owned() } else { names.join(", ") };
                made += &format!("| {id} | {text} | {cell} |\n");
            }
            None => made += &format!("{line}\n"),
        }
    }
    (made, without)
}

/// Takes a line of the table apart: id, text, and what stands in the place of the tests.
fn entry(line: &str) -> Option<(&str, &str, &str)> {
    let (id, rest) = line.strip_prefix("| ")?.split_once(" | ")?;
    let (text, said) = rest.split_once(" |")?;
    is_id(&id.to_lowercase()).then_some((id, text, said.trim_end_matches('|').trim()))
}

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
                found.push(Test { name: name.to_owned(), doc: std::mem::take(&mut doc) });
            }
            (doc, is_test) = (String::new(), false);
        }
    }
    found
}

/// Tells whether a word is a letter and a number.
fn is_id(word: &str) -> bool {
    let mut characters = word.chars();
    let letter = characters.next().is_some_and(|first| first.is_ascii_lowercase());
    letter && !characters.as_str().is_empty() && characters.all(|rest| rest.is_ascii_digit())
}
