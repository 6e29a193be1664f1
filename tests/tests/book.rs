//! The texts: every relative link leads to a file, and the book has each of its pages once.

use std::fs;
use std::path::{Path, PathBuf};

use bailiwick_tests::source;

/// Pages that go away one day and are no part of the book.
const NOT_IN_THE_BOOK: &str = "plan";

#[test]
fn every_relative_link_leads_somewhere() {
    let mut broken = Vec::new();
    for page in texts(&source::workspace()) {
        let folder = page.parent().expect("a file is in a folder");
        for link in links(&with_includes(&page)) {
            if !folder.join(&link).exists() {
                broken.push(format!("{}: {link}", page.display()));
            }
        }
    }
    assert!(broken.is_empty(), "links that lead nowhere:\n  {}", broken.join("\n  "));
}

#[test]
fn the_book_has_every_page_once() {
    let docs = source::workspace().join("docs");
    let mut listed = links(&read(&docs.join("SUMMARY.md")));
    let mut pages: Vec<String> = texts(&docs)
        .iter()
        .filter_map(|page| page.strip_prefix(&docs).ok()?.to_str().map(str::to_owned))
        .filter(|page| page != "SUMMARY.md" && !page.starts_with(NOT_IN_THE_BOOK))
        .collect();
    listed.sort();
    pages.sort();
    assert_eq!(listed, pages, "docs/SUMMARY.md and the files in docs");
}

#[test]
fn links_are_found_however_they_are_written() {
    let text = "[a](one.md#part), [b](https://example.org), ![c](two.png) `[d](no.md)`\n```\n[e](no.md)\n```\n[f]: three.md\n[g](#here)";
    assert_eq!(links(text), ["one.md", "two.png", "three.md"]);
}

/// Returns every text below a folder.
fn texts(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut found = Vec::new();
    for path in entries.flatten().map(|entry| entry.path()) {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if path.is_dir() && !name.starts_with('.') && !["target", "corpus", "book"].contains(&name.as_ref()) {
            found.extend(texts(&path));
        } else if path.extension().is_some_and(|extension| extension == "md") {
            found.push(path);
        }
    }
    found
}

/// Returns a page with the file that it includes, or the part of it between two anchors, as the book shows it.
fn with_includes(page: &Path) -> String {
    let text = read(page);
    let Some((before, rest)) = text.split_once("{{#include ") else { return text };
    let (what, after) = rest.split_once("}}").expect("an include ends");
    let (path, anchor) = what.split_once(':').unwrap_or((what, ""));
    let other = read(&page.parent().expect("a file is in a folder").join(path));
    let part = match anchor {
        "" => &other,
        anchor => {
            // In a comment of a page, or of a program.
            let (_, from) = other.split_once(&format!("ANCHOR: {anchor}")).expect("it begins");
            from.split_once(&format!("ANCHOR_END: {anchor}")).expect("it ends").0
        }
    };
    format!("{before}{part}{after}")
}

/// Returns the targets of relative links, without the part of the page.
fn links(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut code = false;
    for line in text.lines() {
        code ^= line.trim_start().starts_with("```");
        if code {
            continue;
        }
        if let Some((_, target)) = line.strip_prefix('[').and_then(|rest| rest.split_once("]: ")) {
            found.push(target);
        }
        // What stands between backquotes is no link.
        for prose in line.split('`').step_by(2) {
            found.extend(prose.split("](").skip(1).filter_map(|rest| rest.split(')').next()));
        }
    }
    let pages = found.iter().filter_map(|target| target.split('#').next());
    pages.filter(|page| !page.is_empty() && !page.contains("://")).map(str::to_owned).collect()
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
