//! Pages of the book in the language of man(7): headings, paragraphs, lists, tables and blocks of code.

use clap_mangen::roff::{Inline, Roff, bold, italic, roman};
use pulldown_cmark::{CowStr, Event, HeadingLevel, Options, Parser, Tag, TagEnd};

/// How every text begins: by what it calls an apostrophe.
pub(super) const APOSTROPHE: &str = ".ie \\n(.g .ds Aq \\(aq\n.el .ds Aq '\n";

/// The columns of the reference of the manifest.
const KEYS: [&str; 5] = ["key", "type", "default", "meaning", "example"];

/// What has been read and not been written yet.
#[derive(Default)]
struct Writer {
    roff: Roff,
    line: Vec<Inline>,
    strong: bool,
    emphasis: bool,
    link: Option<String>,
    /// A paragraph that begins an item of a list begins no block of its own.
    begun: bool,
    code: bool,
    columns: Vec<String>,
    cells: Vec<Vec<Inline>>,
}

/// Writes what stands in a text.
pub(super) fn convert(markdown: &str) -> String {
    let mut writer = Writer::default();
    for event in Parser::new_ext(markdown, Options::ENABLE_TABLES) {
        match event {
            Event::Start(tag) => writer.start(tag),
            Event::End(tag) => writer.end(tag),
            Event::Text(text) => writer.text(&text),
            Event::Code(text) => writer.line.push(bold(text.into_string())),
            Event::SoftBreak | Event::HardBreak => writer.line.push(roman(" ")),
            _ => {}
        }
    }
    written(&writer.roff)
}

/// Returns a text without what each begins with: several make one page.
pub(super) fn written(roff: &Roff) -> String {
    let text = roff.render();
    text.strip_prefix(APOSTROPHE).unwrap_or(&text).to_owned()
}

impl Writer {
    fn start(&mut self, tag: Tag<'_>) {
        match tag {
            Tag::Paragraph if !self.begun => self.roff_control("PP", &[]),
            Tag::Item => {
                self.roff_control("IP", &["\\(bu", "2"]);
                self.begun = true;
            }
            Tag::CodeBlock(_) => {
                self.roff_control("PP", &[]);
                self.roff_control("RS", &["4"]);
                self.roff_control("nf", &[]);
                self.code = true;
            }
            Tag::Strong => self.strong = true,
            Tag::Emphasis => self.emphasis = true,
            Tag::Link { dest_url, .. } => self.link = away(&dest_url),
            Tag::TableHead | Tag::TableRow => self.cells.clear(),
            _ => {}
        }
    }

    fn end(&mut self, tag: TagEnd) {
        match tag {
            TagEnd::Heading(level) => self.heading(level),
            TagEnd::Paragraph => {
                self.begun = false;
                self.flush();
            }
            TagEnd::Item => {
                self.begun = false;
                self.flush();
            }
            TagEnd::CodeBlock => {
                self.roff_control("fi", &[]);
                self.roff_control("RE", &[]);
                self.code = false;
            }
            TagEnd::Strong => self.strong = false,
            TagEnd::Emphasis => self.emphasis = false,
            TagEnd::Link => {
                if let Some(address) = self.link.take() {
                    self.line.push(roman(format!(" <{address}>")));
                }
            }
            TagEnd::TableCell => self.cells.push(std::mem::take(&mut self.line)),
            TagEnd::TableHead => {
                self.columns = self.cells.iter().map(|cell| words(cell)).collect();
            }
            TagEnd::TableRow => self.row(),
            _ => {}
        }
    }

    fn text(&mut self, text: &CowStr<'_>) {
        if self.code {
            for line in text.lines() {
                self.roff.text([roman(line)]);
            }
        } else if self.strong {
            self.line.push(bold(text.as_ref()));
        } else if self.emphasis {
            self.line.push(italic(text.as_ref()));
        } else {
            self.line.push(roman(text.as_ref()));
        }
    }

    /// The title of a page of the book is that of the page of the manual.
    fn heading(&mut self, level: HeadingLevel) {
        let title = words(&std::mem::take(&mut self.line));
        match level {
            HeadingLevel::H1 => {}
            // A table of the manifest is written as there.
            HeadingLevel::H2 if title.starts_with('[') => self.roff_control("SH", &[&title]),
            HeadingLevel::H2 => self.roff_control("SH", &[&title.to_uppercase()]),
            _ => self.roff_control("SS", &[&title]),
        }
    }

    /// Writes a row as an entry of its own: a table of sentences is too wide for a page.
    fn row(&mut self) {
        let mut cells = std::mem::take(&mut self.cells).into_iter();
        self.roff_control("TP", &[]);
        let head = words(&cells.next().unwrap_or_default());
        self.roff.text([bold(head)]);
        let rest: Vec<_> = cells.collect();
        if self.columns == KEYS {
            let [kind, default, meaning, example] = &rest[..] else { return };
            self.roff.text(meaning.clone());
            self.roff_control("br", &[]);
            let mut facts = vec![italic("Type: ")];
            facts.extend(kind.iter().cloned());
            facts.push(italic("; default: "));
            facts.extend(default.iter().cloned());
            facts.push(italic("; example: "));
            facts.extend(example.iter().cloned());
            self.roff.text(facts);
            return;
        }
        let is_one = rest.len() == 1;
        for (index, (mut cell, column)) in rest.into_iter().zip(&self.columns.clone()[1..]).enumerate() {
            if cell.is_empty() {
                continue;
            }
            if index > 0 {
                self.roff_control("br", &[]);
            }
            if !is_one {
                cell.insert(0, italic(format!("{column}: ")));
            }
            self.roff.text(cell);
        }
    }

    fn flush(&mut self) {
        if !self.line.is_empty() {
            let line = std::mem::take(&mut self.line);
            self.roff.text(line);
        }
    }

    fn roff_control(&mut self, request: &str, arguments: &[&str]) {
        // An item without paragraphs ends where the next block begins.
        self.flush();
        self.roff.control(request, arguments.iter().copied());
    }
}

/// Returns the address of what lies outside of the book.
fn away(address: &str) -> Option<String> {
    address.contains("://").then(|| address.to_owned())
}

/// Returns the letters of a line, without bold and italic.
fn words(line: &[Inline]) -> String {
    let letters = line.iter().map(|piece| match piece {
        Inline::Roman(text) | Inline::Italic(text) | Inline::Bold(text) => text.as_str(),
        Inline::LineBreak => " ",
    });
    letters.collect()
}
