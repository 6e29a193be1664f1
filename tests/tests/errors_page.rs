//! `docs/errors.md` is held to the source: each variant of the errors that it names is there, with its text.
//!
//! Above each table of the page a comment names the enum and its file: `<!-- NAME in PATH -->`.

use std::fs;

use bailiwick_tests::source;
use proc_macro2::TokenTree;
use syn::{Attribute, Item, Lit};

/// A table of the page.
struct Table<'a> {
    name: &'a str,
    file: &'a str,
    /// Variant, text and advice.
    rows: Vec<[&'a str; 3]>,
}

/// Seen to fail without a row, with a row too many, with another text and with an empty advice.
#[test]
fn every_error_is_on_the_page_with_its_text_and_what_to_do() {
    let page = fs::read_to_string(source::workspace().join("docs/errors.md")).expect("the page is there");
    let tables = tables(&page);
    assert!(tables.len() > 15, "{} tables", tables.len());
    for Table { name, file, rows } in tables {
        let expected = variants(name, file);
        let found: Vec<_> =
            rows.iter().map(|[name, text, _]| ((*name).to_owned(), (*text).to_owned())).collect();
        assert_eq!(found, expected, "the table of {name} in docs/errors.md (left) and {file} (right)");
        let silent: Vec<_> = rows.iter().filter(|row| row[2].is_empty()).map(|row| row[0]).collect();
        assert!(silent.is_empty(), "{name}: nothing is said of {silent:?}");
    }
}

/// What programs meet is public; no such enum may be missing on the page.
#[test]
fn every_public_error_of_the_runtime_has_a_table() {
    let page = fs::read_to_string(source::workspace().join("docs/errors.md")).expect("the page is there");
    let tables = tables(&page);
    let mut missing = Vec::new();
    let files = source::rust_files();
    for file in files.iter().filter(|file| file.path.starts_with("runtime/src/")) {
        for item in &syn::parse_file(&file.text).expect("it compiles").items {
            let Item::Enum(item) = item else { continue };
            let is_public = matches!(item.vis, syn::Visibility::Public(_));
            let is_error = item.variants.iter().any(|variant| text_of(&variant.attrs).is_some());
            if is_public && is_error && !tables.iter().any(|table| item.ident == table.name) {
                missing.push(format!("{} in {}", item.ident, file.path));
            }
        }
    }
    assert!(missing.is_empty(), "not in docs/errors.md: {missing:?}");
}

fn tables(page: &str) -> Vec<Table<'_>> {
    let mut tables: Vec<Table<'_>> = Vec::new();
    for line in page.lines() {
        let named = line.strip_prefix("<!-- ").and_then(|rest| rest.strip_suffix(" -->")?.split_once(" in "));
        if let Some((name, file)) = named {
            tables.push(Table { name, file, rows: Vec::new() });
        } else if let (Some(row), Some(table)) = (line.strip_prefix("| `"), tables.last_mut()) {
            let cells: Vec<_> = row.trim_end_matches('|').splitn(3, " | ").map(str::trim).collect();
            let [variant, text, advice] = cells[..] else { panic!("a row of three: {line}") };
            table.rows.push([variant.trim_end_matches('`'), text, advice]);
        }
    }
    tables
}

/// Returns the variants of an enum, in their order, with what they say.
fn variants(name: &str, file: &str) -> Vec<(String, String)> {
    let text = fs::read_to_string(source::workspace().join(file)).unwrap_or_else(|e| panic!("{file}: {e}"));
    let items = syn::parse_file(&text).expect("it compiles").items;
    let found = items.into_iter().find_map(|item| match item {
        Item::Enum(item) if item.ident == name => Some(item),
        _ => None,
    });
    let found = found.unwrap_or_else(|| panic!("{file} has no enum {name}"));
    let of = |variant: &syn::Variant| {
        let text = text_of(&variant.attrs).unwrap_or_else(|| panic!("{name}::{} is no error", variant.ident));
        (variant.ident.to_string(), text)
    };
    found.variants.iter().map(of).collect()
}

/// Returns what `#[error(…)]` says, with `…` for what is filled in.
fn text_of(attributes: &[Attribute]) -> Option<String> {
    let attribute = attributes.iter().find(|attribute| attribute.path().is_ident("error"))?;
    let list = attribute.meta.require_list().ok()?;
    match list.tokens.clone().into_iter().next()? {
        TokenTree::Literal(first) => match Lit::new(first) {
            Lit::Str(text) => Some(with_gaps(&text.value())),
            _ => None,
        },
        // `transparent`: the text is that of what is inside.
        _ => Some("what it names".to_owned()),
    }
}

/// Returns a text of a format with `…` in the place of what is filled in.
fn with_gaps(text: &str) -> String {
    let mut parts = text.split('{');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |so_far, part| so_far + "…" + part.split_once('}').map_or("", |(_, rest)| rest))
}
