//! What `bailiwick schema` prints, beside what the parser says: it takes every manifest that the parser takes, and refuses
//! keys as the parser does.

use std::fs;
use std::path::{Path, PathBuf};

use bailiwick_supervisor::check::Severity;
use bailiwick_supervisor::manifest::parse;
use bailiwick_tests::source;
use jsonschema::Validator;
use serde_json::Value;

use crate::keys::SECTIONS;
use crate::parser;
use crate::schema::schema;

const FILE: &str = "supervisor/cli/src/schema/manifest.json";

/// Values of every type, to be tried with every key.
const VALUES: &[&str] = &[
    "true",
    "0",
    "1",
    "70000",
    "-1",
    "0.5",
    "\"x\"",
    "\"\"",
    "\"10s\"",
    "\"1.5min\"",
    "\".5h\"",
    "\"infinity\"",
    "\"64K\"",
    "\"7\"",
    "\"10/s\"",
    "\"3/500ms\"",
    "\"50%\"",
    "\"0027\"",
    "\"none\"",
    "\"kill\"",
    "\"per_life\"",
    "[]",
    "[1]",
    "[\"x\"]",
    "[\"status\"]",
    "[{}]",
    "{}",
    "{ x = \"y\" }",
    "1979-05-27",
];

#[test]
fn the_schema_says_what_the_parser_does() {
    let path = source::workspace().join(FILE);
    let made = schema();
    if std::env::var_os("UPDATE").is_some() {
        let text = serde_json::to_string_pretty(&made).expect("it is plain data");
        fs::write(&path, text + "\n").expect("the schema can be written");
        return;
    }
    let found = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        serde_json::from_str::<Value>(&found).ok() == Some(made),
        "{FILE} is stale; run: UPDATE=1 cargo test -p bailiwick-tests --test manifest_reference"
    );
}

#[test]
fn whatever_the_parser_takes_the_schema_takes() {
    let validator = validator();
    let manifests = manifests();
    assert!(manifests.len() > 10, "{} manifests are not enough", manifests.len());
    for (place, text) in &manifests {
        if parsed(text).is_empty() {
            assert_eq!(told(&validator, text), Some(Vec::new()), "{}", place.display());
        }
    }
}

#[test]
fn keys_that_the_parser_does_not_know_the_schema_does_not_know() {
    let validator = validator();
    let refused = |title: &String| title.starts_with("unknown key") || title.contains("is not enforced");
    let mut seen = 0;
    for (place, text) in manifests() {
        if parsed(&text).iter().any(refused) {
            seen += usize::from(told(&validator, &text).is_some());
            assert_ne!(told(&validator, &text), Some(Vec::new()), "{}", place.display());
        }
    }
    assert!(seen >= 5, "{seen} manifests with keys that nobody knows are not enough");
    for section in SECTIONS {
        let text = parser::text(section.head, Some(("no_such_key", "1")));
        assert_ne!(told(&validator, &text), Some(Vec::new()), "{}", section.title);
    }
}

#[test]
fn each_value_is_taken_by_both_or_by_the_schema_alone() {
    let validator = validator();
    let (mut both, mut neither, mut alone) = (0, 0, Vec::new());
    for section in SECTIONS {
        for (key, _, example, _) in section.keys {
            for value in VALUES.iter().chain([example]) {
                let text = parser::text(section.head, Some((key, value)));
                let of_schema = told(&validator, &text).expect("it is TOML").is_empty();
                match (parser::expected(section.head, key, value), of_schema) {
                    (None, true) => both += 1,
                    (None, false) if parsed(&text).is_empty() => {
                        panic!("{} {key} = {value}: {:?}", section.title, told(&validator, &text))
                    }
                    (None, false) | (Some(_), false) => neither += 1,
                    (Some(_), true) => alone.push(format!("{} {key} = {value}", section.title)),
                }
            }
        }
    }
    // A limit, an address and such are the parser's alone; a type is not.
    assert!(both > 200 && neither > 1000 && alone.len() * 10 < both + neither, "{both} {neither} {alone:#?}");
}

fn validator() -> Validator {
    jsonschema::draft7::new(&schema()).expect("it is a schema of draft 7")
}

/// Returns what the schema says of a manifest; none if it is no TOML.
fn told(validator: &Validator, text: &str) -> Option<Vec<String>> {
    let table: toml::Table = text.parse().ok()?;
    let value = serde_json::to_value(table).expect("TOML is less than JSON");
    Some(validator.iter_errors(&value).map(|error| error.to_string()).collect())
}

/// Returns the errors that the parser finds.
fn parsed(text: &str) -> Vec<String> {
    let (.., found) = parse(Path::new("m.toml"), Path::new("/"), text.to_owned());
    found.into_iter().filter(|one| one.severity == Severity::Error).map(|one| one.title).collect()
}

/// Returns every manifest of the repository, also those that stand in its texts, good and bad ones.
fn manifests() -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut folders = vec![source::workspace()];
    while let Some(folder) = folders.pop() {
        for path in fs::read_dir(&folder).expect("it can be listed").flatten().map(|entry| entry.path()) {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if path.is_dir() && !name.starts_with('.') && name != "target" {
                folders.push(path);
            } else if name.ends_with(".toml") {
                found.extend(fs::read_to_string(&path).ok().map(|text| (path, text)));
            } else if name.ends_with(".md") {
                let text = fs::read_to_string(&path).expect("texts are text");
                let blocks = text.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next());
                found.extend(blocks.map(|block| (path.clone(), block.to_owned())));
            }
        }
    }
    // Those of cargo, mdbook and such have no workers.
    found.retain(|(_, text)| text.contains("[worker"));
    found
}
