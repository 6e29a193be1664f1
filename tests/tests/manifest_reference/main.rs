//! The reference of the manifest in `docs/manifest.md` is made here: names, types, limits and words come from the
//! parser's own errors, what is refused from its vocabulary, the rest from `keys.rs`.
//!
//! So is the JSON Schema that `bailiwick schema` prints.
//!
//! `UPDATE=1 cargo test -p bailiwick-tests --test manifest_reference` writes them anew.

mod editors;
mod keys;
mod parser;
mod schema;

use std::fmt::Write;
use std::fs;

use bailiwick_supervisor::check::floor::PILLARS;
use bailiwick_tests::source;

use keys::{REQUIRED, SECTIONS, Section};

const PAGE: &str = "docs/manifest.md";
const START: &str = "<!-- The rest of this page is generated: UPDATE=1 cargo test -p bailiwick-tests --test \
                     manifest_reference -->\n";

/// The table in which the sections stand.
const TOP: (&str, &str) = ("Manifest", "");

#[test]
fn the_page_says_what_the_parser_does() {
    let path = source::workspace().join(PAGE);
    let page = fs::read_to_string(&path).expect("the page is there");
    let (written, found) = page.split_once(START).expect("the page has a generated part");
    let made = reference();
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&path, format!("{written}{START}{made}")).expect("the page can be written");
    } else {
        assert!(
            found == made,
            "{PAGE} is stale; run: UPDATE=1 cargo test -p bailiwick-tests --test manifest_reference"
        );
    }
}

#[test]
fn every_key_of_the_parser_is_described_and_no_other() {
    for section in SECTIONS {
        let mut described: Vec<&str> = section.keys.iter().map(|(key, ..)| *key).collect();
        let mut known = parser::keys(section.head);
        described.sort_unstable();
        known.sort_unstable();
        assert_eq!(described, known, "{}", section.title);
    }
}

#[test]
fn a_default_that_is_written_changes_nothing() {
    for section in SECTIONS {
        let absent =
            parser::system(section.head, None).unwrap_or_else(|error| panic!("{}: {error}", section.title));
        for (key, default, ..) in section.keys {
            let Some(default) = default.strip_prefix('`').and_then(|rest| rest.strip_suffix('`')) else {
                continue;
            };
            if default.starts_with('/') {
                // A path that no manifest has to write.
                continue;
            }
            let written = parser::system(section.head, Some((key, default)))
                .unwrap_or_else(|error| panic!("{} {key} = {default}: {error}", section.title));
            assert_eq!(written, absent, "{} {key} = {default} is not the default", section.title);
        }
    }
}

#[test]
fn every_example_is_a_value_of_its_key() {
    for section in SECTIONS {
        for (key, default, example, _) in section.keys {
            assert_eq!(parser::expected(section.head, key, example), None, "{} {key}", section.title);
            assert!(
                *key == "strategy" || *default != format!("`{example}`"),
                "{} {key}: an example shows another value than the default",
                section.title
            );
        }
    }
}

#[test]
fn what_is_refused_is_refused() {
    for (table, head) in SECTIONS.iter().map(|section| (section.table, section.head)).chain([TOP]) {
        for word in parser::refused_keys(table) {
            let said = parser::errors(head, &word, "1");
            let expected = format!("`{word}` is not enforced by this version");
            assert!(said.contains(&expected), "{table}: {word}: {said:?}");
        }
    }
    for section in SECTIONS {
        for (key, ..) in section.keys {
            for word in parser::refused_words(&parser::words(section.head, key)) {
                let said = parser::errors(section.head, key, &format!("\"{word}\""));
                assert!(
                    said.iter().any(|title| title.contains("is not enforced by this version")),
                    "{key} = {word}: {said:?}"
                );
            }
        }
    }
}

fn reference() -> String {
    let mut page = String::new();
    for section in SECTIONS {
        write_section(section, &mut page);
    }
    page.push_str("\n## Beside these tables\n\n");
    write_refused(&parser::refused_keys(TOP.0), &mut page);
    write_pillars(&mut page);
    page
}

/// Writes what a machine must give, from the table that the start of a worker reads.
fn write_pillars(page: &mut String) {
    page.push_str(
        "\n## What a machine must give\n\nWhere a worker's floor is missing, its start is refused (exit code 69) unless \
         degraded starts are allowed; a missing extra is one line. What control groups share out (`cpu_quota` and such) is \
         floor of who asks for it.\n\n| mechanism | whose | where it is missing | a worker without it could |\n\
         | --- | --- | --- | --- |\n",
    );
    for pillar in PILLARS {
        let _ =
            writeln!(page, "| {} | {} | {} | {} |", pillar.name, pillar.whose, pillar.needs, pillar.without);
    }
}

fn write_section(section: &Section, page: &mut String) {
    let _ = writeln!(page, "\n## `{}`\n\n{}\n", section.title, section.what);
    page.push_str("| key | type | default | meaning | example |\n| --- | --- | --- | --- | --- |\n");
    for (key, default, example, meaning) in section.keys {
        let default = if *default == REQUIRED { "**required**" } else { default };
        let kind = parser::kind(section.head, key);
        let _ = writeln!(page, "| `{key}` | {kind} | {default} | {meaning} | `{key} = {example}` |");
    }
    let words =
        section.keys.iter().map(|(key, ..)| (*key, parser::refused_words(&parser::words(section.head, key))));
    for (key, words) in words.filter(|(_, words)| !words.is_empty()) {
        let words: Vec<_> = words.iter().map(|word| format!("`\"{word}\"`")).collect();
        let _ = writeln!(page, "\nNot built yet, so refused as `{key}`: {}.", words.join(", "));
    }
    let refused = parser::refused_keys(section.table);
    if !refused.is_empty() {
        page.push('\n');
        write_refused(&refused, page);
    }
}

fn write_refused(keys: &[String], page: &mut String) {
    let keys: Vec<_> = keys.iter().map(|key| format!("`{key}`")).collect();
    let _ = writeln!(page, "Not built yet, so refused: {}.", keys.join(", "));
}
