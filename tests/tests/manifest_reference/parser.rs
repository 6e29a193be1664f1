//! Asks the manifest's parser what it takes, by giving it what it does not take.

use std::fs;
use std::path::Path;

use bailiwick_supervisor::check::{Diagnostic, Severity};
use bailiwick_supervisor::manifest::parse;
use bailiwick_tests::source;

/// What every manifest here begins with: two workers and an actor.
const COMMON: &str = "[worker.w]\nexec = \"x\"\n[worker.v]\nexec = \"x\"\n[worker.v.actor.a]\ntype = \"T\"\n";
/// Keys that a table must have, or others of it need, by the end of what stands before it.
const REQUIRED: &[(&str, &str, &str)] = &[
    ("[worker.p]\n", "exec", "\"x\""),
    ("[worker.v.actors]\nauto_shutdown = \"any_significant\"\n[worker.v.actor.b]\n", "type", "\"T\""),
    ("[worker.k]\nexec = \"x\"\nkept = [\"http\"]\n[[listen]]\n", "name", "\"http\""),
    ("[admin]\n", "tcp", "\"127.0.0.1:1\""),
    ("[admin]\n", "log_dir", "\"/nowhere\""),
    ("[[grant]]\n", "from", "\"w\""),
    ("[[grant]]\n", "to", "\"v\""),
];
/// Values of the right type beyond whatever limits there are.
const BEYOND: &[&str] =
    &["0", "-2000", "-1", "100", "-1.0", "101.0", "5000000", "70000", "\"0s\"", "\"100000T\""];
/// A key that resembles none.
const NO_KEY: &str = "zzzzzzzzzzzzzzzz";

/// Returns a manifest with this line in a table, and with nothing else but what must be there.
pub(crate) fn text(head: &str, line: Option<(&str, &str)>) -> String {
    let mut text = if head.is_empty() { String::new() } else { format!("{COMMON}{head}") };
    for (_, key, value) in REQUIRED.iter().filter(|(of, ..)| *of == head) {
        if line.is_none_or(|(written, _)| written != *key) {
            text.push_str(&format!("{key} = {value}\n"));
        }
    }
    if let Some((key, value)) = line {
        text.push_str(&format!("{key} = {value}\n"));
    }
    text
}

fn read(head: &str, line: Option<(&str, &str)>) -> (String, Vec<Diagnostic>) {
    let text = text(head, line);
    let (system, _, found) = parse(Path::new("m.toml"), Path::new("/"), text);
    (format!("{system:?}"), found)
}

/// Returns the system that a manifest with this line means, as text, or what is wrong.
pub(crate) fn system(head: &str, line: Option<(&str, &str)>) -> Result<String, String> {
    let (system, found) = read(head, line);
    match found.into_iter().find(|one| one.severity == Severity::Error) {
        Some(error) => Err(error.title),
        None => Ok(system),
    }
}

/// Returns the titles of everything that is said of a manifest with this line.
pub(crate) fn errors(head: &str, key: &str, value: &str) -> Vec<String> {
    read(head, Some((key, value))).1.into_iter().map(|one| one.title).collect()
}

/// Returns what the parser wants instead of a value, if it does not take it.
pub(crate) fn expected(head: &str, key: &str, value: &str) -> Option<String> {
    let labels = read(head, Some((key, value))).1.into_iter().flat_map(|one| one.labels);
    labels.into_iter().find_map(|label| label.text.strip_prefix("expected ").map(str::to_owned))
}

/// Returns the keys of a table, in the order in which the parser asks for them.
pub(crate) fn keys(head: &str) -> Vec<String> {
    let help = read(head, Some((NO_KEY, "1"))).1.into_iter().find_map(|one| one.help);
    let help = help.expect("an unknown key is answered by those that are known");
    let (_, keys) = help.split_once(" are: ").expect("a list");
    keys.split(", ").map(str::to_owned).collect()
}

/// Returns the type of a key in words, with its limits.
pub(crate) fn kind(head: &str, key: &str) -> String {
    let Some(kind) = expected(head, key, "{}").or_else(|| expected(head, key, "1")) else {
        return "any value".to_owned();
    };
    let refuses_home = |value| expected(head, key, value).is_some_and(|said| said == "a path");
    if kind == "a list" {
        let element = expected(head, key, "[{}]").expect("a table is no element of a list");
        let element = if refuses_home("[\"~\"]") { "path" } else { plain(&element) };
        let several =
            element.replace("text", "texts").replace("path", "paths").replace("number ", "numbers ");
        return format!("list of {several}");
    }
    if refuses_home("\"~\"") {
        return "path".to_owned();
    }
    let limits = BEYOND.iter().filter_map(|value| expected(head, key, value)).find(|said| *said != kind);
    match limits {
        Some(limits) if limits.starts_with("a time") => limits[2..].to_owned(),
        Some(limits) => format!("{}, {limits}", plain(&kind).split(" from ").next().unwrap_or_default()),
        None => plain(&kind).to_owned(),
    }
}

/// Returns the words that a key takes; none if it takes anything else.
pub(crate) fn words(head: &str, key: &str) -> Vec<String> {
    let kind = kind(head, key);
    let list = kind.strip_prefix("list of ").unwrap_or(&kind);
    list.split(", ").filter(|word| word.starts_with('"')).map(|word| word.replace('"', "")).collect()
}

/// Shortens what an error says to what a table has room for.
fn plain(expected: &str) -> &str {
    match expected {
        "a time such as \"10s\"" => "time",
        "a size such as \"256M\"" => "size",
        "a rate such as \"10/s\"" => "rate",
        "a text in quotes" => "text",
        "a name or a number" => "name or number",
        other => other.strip_prefix("one of ").or(other.strip_prefix("a ")).unwrap_or(other),
    }
}

/// Returns the keys of a table of the vocabulary whose mechanism is not built yet.
pub(crate) fn refused_keys(table: &str) -> Vec<String> {
    let text = parser_source("vocabulary.rs");
    let list = between(&text, "const LATER: &[(Table, &str)] = &[", "\n];");
    let entry = list.split("Table::").find(|entry| entry.split(',').next() == Some(table));
    let Some(entry) = entry else { return Vec::new() };
    between(entry, "\"", "\"").split_whitespace().filter(|word| *word != "\\").map(str::to_owned).collect()
}

/// Returns the words that are refused where these words are taken.
pub(crate) fn refused_words(words: &[String]) -> Vec<String> {
    let Some(first) = words.first() else { return Vec::new() };
    let text = parser_source("values.rs");
    let choices = between(&text, "\nchoices! {", "\n}\n");
    let choice = choices.split(';').find(|choice| {
        let known = choice.split("later").next().unwrap_or_default();
        known.contains(&format!("\"{first}\" ="))
    });
    let later = choice.and_then(|choice| choice.split_once("later [")).map_or("", |(_, later)| later);
    later
        .trim_end_matches(']')
        .split(", ")
        .map(|word| word.replace('"', ""))
        .filter(|word| !word.is_empty())
        .collect()
}

fn parser_source(file: &str) -> String {
    let path = source::workspace().join("supervisor/src/manifest").join(file);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn between<'t>(text: &'t str, start: &str, end: &str) -> &'t str {
    let (_, rest) = text.split_once(start).unwrap_or_else(|| panic!("no {start:?}"));
    rest.split_once(end).unwrap_or_else(|| panic!("no {end:?} after {start:?}")).0
}
