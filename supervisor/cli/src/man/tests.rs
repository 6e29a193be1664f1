//! The pages of the manual: made of the arguments and the book, and good enough for man(1).

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use clap::{CommandFactory, ValueEnum};
use clap_mangen::Man as Pages;
use clap_mangen::roff::{Roff, bold, roman};

use super::roff::{APOSTROPHE, convert, written};
use crate::arguments::{Arguments, Page};

/// What every page of the manual ends with.
const SEE_ALSO: &str = "`bailiwick`(1), `bailiwick.toml`(5), `bailiwick-protocol`(7)\n";

#[test]
fn the_pages_say_what_the_program_and_the_book_say() {
    for (page, made) in
        [(Page::Bailiwick, command_line()), (Page::Manifest, manifest()), (Page::Protocol, protocol())]
    {
        let path = source(&format!("src/man/{}.{}", page.name(), page.section()));
        if std::env::var_os("UPDATE").is_some() {
            fs::write(&path, made).unwrap();
        } else {
            let name = page.name();
            assert!(
                made == page.text(),
                "{name} is stale; run: UPDATE=1 cargo test -p bailiwick-cli --lib man"
            );
        }
    }
}

#[test]
fn every_verb_and_every_option_is_in_the_manual() {
    let text = Page::Bailiwick.text();
    for verb in Arguments::command().get_subcommands().filter(|verb| !verb.is_hide_set()) {
        assert!(text.contains(&format!("\n.SS {}\n", verb.get_name())), "{}", verb.get_name());
        for option in verb.get_arguments().filter_map(|argument| argument.get_long()) {
            assert!(text.contains(&option.replace('-', "\\-")), "{option}");
        }
    }
}

#[test]
fn man_has_nothing_to_say_against_the_pages() {
    for page in Page::value_variants() {
        let file = source(&format!("src/man/{}.{}", page.name(), page.section()));
        for (checker, arguments) in [
            ("man", &["--warnings", "-l"][..]),
            ("groff", &["-man", "-ww", "-z", "-K", "utf8"]),
            ("mandoc", &["-T", "lint", "-W", "warning"]),
        ] {
            let mut command = Command::new(checker);
            command.args(arguments).arg(&file).stdin(Stdio::null());
            command.env("LC_ALL", "C.UTF-8").env("MANPAGER", "cat").env("MANWIDTH", "100");
            match command.output() {
                Ok(told) => {
                    let said = String::from_utf8_lossy(&told.stderr);
                    let silent = told.status.success() && said.is_empty();
                    let said = if checker == "mandoc" { String::from_utf8_lossy(&told.stdout) } else { said };
                    assert!(silent && (checker != "mandoc" || said.is_empty()), "{checker} {file:?}: {said}");
                }
                Err(error) => println!("SKIPPED: {checker} cannot be had here: {error}"),
            }
        }
    }
}

fn source(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn book(page: &str) -> String {
    fs::read_to_string(source("../../docs").join(page)).unwrap()
}

/// Returns the part of a page of the book below a heading, the heading included.
fn part<'p>(page: &'p str, heading: &str) -> &'p str {
    let start = page.find(&format!("\n## {heading}\n")).unwrap_or_else(|| panic!("no {heading:?}")) + 1;
    let end = page[start..].find("\n## ").map_or(page.len(), |end| start + end + 1);
    &page[start..end]
}

/// Returns the beginning of a page: its title, and its name with what it is about.
fn head(page: Page, about: &str) -> String {
    let (section, source) = (page.section().to_string(), format!("Bailiwick {}", env!("CARGO_PKG_VERSION")));
    let mut roff = Roff::new();
    roff.control("TH", [page.name(), &section, "", &source, "Bailiwick"]);
    roff.control("SH", ["NAME"]);
    roff.text([roman(page.name()), roman(" - "), roman(about)]);
    APOSTROPHE.to_owned() + &written(&roff)
}

fn see_also() -> String {
    convert(&format!("## See also\n\n{SEE_ALSO}"))
}

fn command_line() -> String {
    let command = Arguments::command().bin_name("bailiwick");
    let about = command.get_about().map(ToString::to_string).unwrap_or_default();
    let mut page = head(Page::Bailiwick, about.trim_end_matches('.'));
    page += &section(&command, Pages::render_synopsis_section);
    let text = book("command-line.md");
    let (_, intro) = text.split_once('\n').unwrap();
    page += &convert(&format!("## Description\n{}", intro.split("\n| ").next().unwrap()));
    page += &section(&command, Pages::render_options_section);
    page += ".SH COMMANDS\n";
    for verb in command.get_subcommands().filter(|verb| !verb.is_hide_set()) {
        page += &subcommand(verb);
    }
    for heading in
        ["What is printed", "What workers print: `logs`", "Completion", "Exit codes", "Environment", "Files"]
    {
        page += &convert(part(&text, heading));
    }
    page + &see_also()
}

fn subcommand(verb: &clap::Command) -> String {
    let verb = verb.clone().disable_help_flag(true).bin_name(format!("bailiwick {}", verb.get_name()));
    let mut roff = Roff::new();
    roff.control("SS", [verb.get_name()]);
    let about = verb.get_long_about().or(verb.get_about()).map(ToString::to_string).unwrap_or_default();
    roff.text([roman(about)]);
    roff.control("PP", []);
    let synopsis = section(&verb, Pages::render_synopsis_section);
    let options = section(&verb, Pages::render_options_section);
    let without_title =
        |text: String| text.split_once('\n').map(|(_, rest)| rest.to_owned()).unwrap_or_default();
    written(&roff) + &without_title(synopsis) + &without_title(options)
}

type Render = fn(&Pages, &mut dyn std::io::Write) -> std::io::Result<()>;

/// Returns a section that is made of the arguments, without what every text of roff begins with.
fn section(command: &clap::Command, render: Render) -> String {
    let mut text = Vec::new();
    render(&Pages::new(command.clone()), &mut text).unwrap();
    let text = String::from_utf8(text).unwrap();
    text.find(".SH ").map(|start| text[start..].to_owned()).unwrap_or_default()
}

fn manifest() -> String {
    let text = book("manifest.md");
    let (_, body) = text.split_once('\n').unwrap();
    let mut page = head(Page::Manifest, "what a Bailiwick system consists of and what each part may do");
    page += &convert(&format!("## Description\n{body}"));
    page += &convert("## Editors\n\n`bailiwick schema` prints a JSON Schema of this.\n");
    page + &see_also()
}

fn protocol() -> String {
    let text = book("command-line.md");
    let said = part(&text, "The protocol of the control socket");
    let body = said.split_once('\n').map_or(said, |(_, body)| body);
    let mut page = head(Page::Protocol, "what operators and the supervisor say to each other");
    page += &convert(&format!("## Description\n{body}"));
    page += &convert(&format!("## Requests\n\n{}", doc_of("request.rs", "pub const REQUEST_BYTES")));
    page += &convert(&format!("## Records\n\n{}", doc_of("record.rs", "pub const RECORD_BYTES")));
    let mut roff = Roff::new();
    for (name, word) in
        [("Head", "HEAD"), ("Row", "ROW"), ("Event", "EVENT"), ("Text", "TEXT"), ("End", "END")]
    {
        let file = if name == "Event" { "event.rs" } else { "record.rs" };
        roff.control("SS", [format!("The record of kind {}", word.to_lowercase()).as_str()]);
        for (field, meaning) in fields_of(file, name) {
            roff.control("TP", []);
            roff.text([bold(field)]);
            roff.text([roman(meaning.replace('`', ""))]);
        }
    }
    page + &written(&roff) + &see_also()
}

fn wire(file: &str) -> String {
    fs::read_to_string(source("../../runtime/wire/src/operator").join(file)).unwrap()
}

/// Returns what is said of an item of the crate that both ends use.
fn doc_of(file: &str, item: &str) -> String {
    let text = wire(file);
    let (before, _) = text.split_once(item).unwrap_or_else(|| panic!("no {item}"));
    let lines: Vec<_> = before.lines().rev().take_while(|line| line.starts_with("///")).collect();
    lines.iter().rev().map(|line| format!("{}\n", line.trim_start_matches("///").trim_start())).collect()
}

/// Returns the fields of a struct of the crate that both ends use, with what is said of each.
fn fields_of(file: &str, name: &str) -> Vec<(String, String)> {
    let text = wire(file);
    let (_, rest) =
        text.split_once(&format!("pub struct {name} {{\n")).unwrap_or_else(|| panic!("no {name}"));
    let (body, _) = rest.split_once("\n}").unwrap();
    let mut fields = Vec::new();
    let mut said: Vec<&str> = Vec::new();
    for line in body.lines().map(str::trim) {
        if let Some(doc) = line.strip_prefix("/// ") {
            said.push(doc);
        } else if let Some((field, kind)) = line.strip_prefix("pub ").and_then(|line| line.split_once(": ")) {
            let kind = kind.trim_end_matches(',');
            fields.push((format!("{field}, {kind}"), said.join(" ")));
            said.clear();
        }
    }
    fields
}
