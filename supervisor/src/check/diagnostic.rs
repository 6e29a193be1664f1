//! What is wrong with a manifest: where it stands, what was found, what was expected, what to do.
//!
//! A diagnostic points at the text. Text that came from the manifest or from the file system is escaped
//! before it gets in here or on its way out, so that a hostile manifest cannot speak to the terminal.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};

/// Everything that is to be said about one manifest, in the order of its lines.
#[derive(Clone, Debug, Default)]
pub struct Diagnostics {
    /// The file as the operator named it.
    path: String,
    /// The text with every control character replaced by something of the same length.
    shown: String,
    items: Vec<Diagnostic>,
}

/// One thing that is wrong, or worth a warning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// Whether it refuses the manifest.
    pub severity: Severity,
    /// What is wrong, on what.
    pub title: String,
    /// Where; the first is the place to change, the others explain it.
    pub labels: Vec<Label>,
    /// Facts that stand on no line.
    pub notes: Vec<String>,
    /// What to do.
    pub help: Option<String>,
    /// Whether nothing is wrong with it but that this machine cannot do it.
    pub unavailable: bool,
}

/// Whether a diagnostic refuses the manifest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// Nothing is started.
    Error,
    /// It is started, but the operator should know.
    Warning,
}

/// A place in the manifest and what is the matter with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// Where.
    pub place: Place,
    /// What is there, or what should be.
    pub text: String,
}

/// A place in the manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// Bytes of the text.
    Span(Range<usize>),
    /// The value of a key, written as `worker.web.needs[0]`; of a table, its name in the header.
    Key(String),
    /// The same, but nothing where that very key is not written.
    Written(String),
}

/// Where the values of the keys stand in the text.
#[derive(Clone, Debug, Default)]
pub struct Places(BTreeMap<String, Range<usize>>);

/// The exit code for what this machine cannot do.
const UNAVAILABLE: u8 = 69;
/// The exit code for what is wrong anywhere.
const CONFIGURATION: u8 = 78;
/// The longest list of diagnostics that is printed.
const MAX_SHOWN: usize = 50;
/// The longest foreign word inside a message, in characters.
const MAX_QUOTED: usize = 60;
/// The longest foreign message, in characters.
const MAX_FOREIGN: usize = 400;

impl Diagnostic {
    /// Returns an error that points nowhere yet.
    pub fn error(title: impl Into<String>) -> Self {
        Self::new(Severity::Error, title.into())
    }

    /// Returns a warning that points nowhere yet.
    pub fn warning(title: impl Into<String>) -> Self {
        Self::new(Severity::Warning, title.into())
    }

    fn new(severity: Severity, title: String) -> Self {
        Self { severity, title, labels: Vec::new(), notes: Vec::new(), help: None, unavailable: false }
    }

    /// Points at bytes of the text.
    pub fn at(mut self, span: Range<usize>, text: impl Into<String>) -> Self {
        self.labels.push(Label { place: Place::Span(span), text: text.into() });
        self
    }

    /// Points at the value of a key.
    pub fn at_key(mut self, key: impl Into<String>, text: impl Into<String>) -> Self {
        self.labels.push(Label { place: Place::Key(key.into()), text: text.into() });
        self
    }

    /// Points at the value of a key if it stands in the text; a default has no place.
    pub fn at_key_if_written(mut self, key: impl Into<String>, text: impl Into<String>) -> Self {
        self.labels.push(Label { place: Place::Written(key.into()), text: text.into() });
        self
    }

    /// Adds a fact that stands on no line.
    pub fn note(mut self, text: impl Into<String>) -> Self {
        self.notes.push(text.into());
        self
    }

    /// Says that nothing is wrong with it but that this machine cannot do it.
    pub fn unavailable(self) -> Self {
        Self { unavailable: true, ..self }
    }

    /// Says what to do.
    pub fn help(mut self, text: impl Into<String>) -> Self {
        self.help = Some(text.into());
        self
    }

    /// Escapes what must not reach a terminal, wherever it came from: paths and system errors hold foreign text.
    fn escape(&mut self) {
        let labels = self.labels.iter_mut().map(|label| &mut label.text);
        for text in labels.chain(&mut self.notes).chain(&mut self.help).chain([&mut self.title]) {
            *text = quiet(text);
        }
    }

    fn position(&self) -> usize {
        self.labels.iter().map(|label| label.place.start()).next().unwrap_or(0)
    }
}

impl Place {
    fn start(&self) -> usize {
        match self {
            Self::Span(span) => span.start,
            Self::Key(_) | Self::Written(_) => 0,
        }
    }
}

impl Places {
    /// Remembers where a key's value stands.
    pub fn insert(&mut self, key: String, span: Range<usize>) {
        self.0.insert(key, span);
    }

    /// Tells whether this very key stands in the text.
    pub fn written(&self, key: &str) -> bool {
        self.0.contains_key(key)
    }

    /// Returns where a key's value stands, or the nearest thing around it that stands anywhere.
    pub fn find(&self, key: &str) -> Option<Range<usize>> {
        let mut key = key;
        loop {
            if let Some(span) = self.0.get(key) {
                return Some(span.clone());
            }
            key = &key[..key.rfind(['.', '['])?];
        }
    }
}

impl Diagnostics {
    /// Collects diagnostics over `text`, in order of position, keys turned into places.
    pub fn new(path: &str, text: &str, places: &Places, items: Vec<Diagnostic>) -> Self {
        let mut diagnostics = Self { path: quiet(path), shown: shown(text), items };
        for diagnostic in &mut diagnostics.items {
            diagnostic.escape();
            let mut kept = Vec::new();
            for mut label in diagnostic.labels.drain(..) {
                let span = match &label.place {
                    Place::Span(span) => Some(span.clone()),
                    Place::Key(key) => places.find(key),
                    Place::Written(key) => places.0.get(key).cloned(),
                };
                match (span, label.place) {
                    (Some(span), _) => {
                        label.place = Place::Span(span);
                        kept.push(label);
                    }
                    (None, Place::Key(key)) => diagnostic.notes.push(format!("{key}: {}", label.text)),
                    (None, Place::Span(_) | Place::Written(_)) => {}
                }
            }
            diagnostic.labels = kept;
        }
        diagnostics.items.sort_by_key(Diagnostic::position);
        diagnostics
    }

    /// Returns the diagnostics in order of position.
    pub fn iter(&self) -> impl Iterator<Item = &Diagnostic> {
        self.items.iter()
    }

    /// Returns how many there are.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Tells whether there are none.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Returns the exit code of a supervisor that is refused by these: 69 if only the machine lacks something, else 78.
    pub fn exit_code(&self) -> u8 {
        let mut errors = self.items.iter().filter(|item| item.severity == Severity::Error);
        if errors.all(|error| error.unavailable) { UNAVAILABLE } else { CONFIGURATION }
    }

    /// Returns the line, from 1, on which a diagnostic's first place stands.
    pub fn line(&self, diagnostic: &Diagnostic) -> Option<usize> {
        match &diagnostic.labels.first()?.place {
            Place::Span(span) => Some(line_of(&self.shown, span.start)),
            Place::Key(_) | Place::Written(_) => None,
        }
    }

    /// Returns the text for a person, with colours for a terminal if `colour`.
    pub fn render(&self, colour: bool) -> String {
        let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
        let mut out = String::new();
        for item in self.items.iter().take(MAX_SHOWN) {
            out.push_str(&self.render_one(&renderer, item));
            out.push_str("\n\n");
        }
        if self.items.len() > MAX_SHOWN {
            out.push_str(&format!("and {} more\n", self.items.len() - MAX_SHOWN));
        }
        out
    }

    fn render_one(&self, renderer: &Renderer, item: &Diagnostic) -> String {
        let level = match item.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
        };
        let mut group = level.primary_title(&item.title).elements(self.snippet(item));
        if item.labels.is_empty() {
            group = group.element(annotate_snippets::Origin::path(self.path.as_str()));
        }
        for note in &item.notes {
            group = group.element(Level::NOTE.message(note));
        }
        if let Some(help) = &item.help {
            group = group.element(Level::HELP.message(help));
        }
        renderer.render(&[group])
    }

    fn snippet<'a>(&'a self, item: &'a Diagnostic) -> Option<Snippet<'a, annotate_snippets::Annotation<'a>>> {
        let mut kind = AnnotationKind::Primary;
        let mut snippet = Snippet::source(&self.shown).path(self.path.as_str());
        for label in &item.labels {
            if let Place::Span(span) = &label.place {
                snippet = snippet.annotation(kind.span(clamp(&self.shown, span)).label(label.text.as_str()));
                kind = AnnotationKind::Context;
            }
        }
        (!item.labels.is_empty()).then_some(snippet)
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

impl std::error::Error for Diagnostics {}

/// Returns a foreign word for use inside a message: between backquotes, escaped, cut when it is long.
pub fn quote(word: &str) -> String {
    format!("`{}`", escaped(word, MAX_QUOTED))
}

/// Returns foreign text as a message of its own: escaped, cut when it is long.
pub fn escape(text: &str) -> String {
    escaped(text, MAX_FOREIGN)
}

fn escaped(text: &str, most: usize) -> String {
    let mut out = String::new();
    for (count, character) in text.chars().enumerate() {
        if count == most {
            out.push('…');
            break;
        }
        match character {
            '"' | '\'' => out.push(character),
            _ => out.extend(character.escape_debug()),
        }
    }
    out
}

/// Returns the line, from 1, of a byte.
pub fn line_of(text: &str, offset: usize) -> usize {
    1 + text.as_bytes()[..offset.min(text.len())].iter().filter(|&&byte| byte == b'\n').count()
}

/// Replaces what must not reach a terminal by characters of the same length, so that spans stay true.
fn shown(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        let line_end = character == '\r' && characters.peek() == Some(&'\n');
        if line_end || matches!(character, '\n' | '\t') || harmless(character) {
            out.push(character);
        } else {
            out.push_str(["?", "¿", "\u{fffd}", "\u{fffd}?"][character.len_utf8() - 1]);
        }
    }
    out
}

/// Escapes what must not reach a terminal; what is escaped already stays as it is.
fn quiet(text: &str) -> String {
    let mut out = String::new();
    for character in text.chars() {
        if harmless(character) { out.push(character) } else { out.extend(character.escape_default()) }
    }
    out
}

/// Tells whether a character may reach a terminal: printable, of known width, not turning the line around.
fn harmless(character: char) -> bool {
    matches!(character, '"' | '\'' | '\\') || character.escape_debug().len() == 1
}

/// Moves a span onto character borders inside the text; a span must never make the renderer fail.
fn clamp(text: &str, span: &Range<usize>) -> Range<usize> {
    let start = text.floor_char_boundary(span.start.min(text.len()));
    let end = text.ceil_char_boundary(span.end.clamp(start, text.len()));
    start..end
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(text: &str, diagnostic: Diagnostic) -> String {
        Diagnostics::new("a.toml", text, &Places::default(), vec![diagnostic]).render(false)
    }

    #[test]
    fn only_what_the_machine_lacks_is_told_apart_by_the_exit_code() {
        let code = |items| Diagnostics::new("m", "", &Places::default(), items).exit_code();
        let lacks = || Diagnostic::error("no Landlock").unavailable();
        assert_eq!(code(vec![lacks(), Diagnostic::warning("odd")]), 69);
        assert_eq!(code(vec![lacks(), Diagnostic::error("no worker")]), 78);
    }

    #[test]
    fn an_error_shows_file_line_caret_and_help() {
        let text = one("a = 1\nbb = 2\n", Diagnostic::error("no").at(6..8, "here").help("write c"));
        for part in ["error: no", "a.toml:2:1", "2 | bb = 2", "^^ here", "help: write c"] {
            assert!(text.contains(part), "{part:?} is missing in\n{text}");
        }
    }

    #[test]
    fn control_characters_do_not_reach_the_terminal() {
        let hostile = "k = \"\u{1b}]0;x\u{7}\u{9b}31m\u{202e}\u{e0041}\u{feff}\"\r\n";
        let text = one(hostile, Diagnostic::error(quote(hostile)).at(0..1, "x"));
        let bad = |c: &char| c.is_control() && *c != '\n';
        assert_eq!(text.chars().find(bad), None, "{text:?}");
        let title = one("", Diagnostic::error("a\u{1b}[31m").help("b\u{9b}").note("c\n\u{202e}"));
        assert!(title.contains("a\\u{1b}[31m") && title.contains("b\\u{9b}"), "{title}");
        assert!(title.contains("c\\n\\u{202e}"), "{title}");
        for bidi in ['\u{202e}', '\u{e0041}', '\u{feff}'] {
            assert!(!text.contains(bidi), "{text:?}");
        }
        assert_eq!(shown(hostile).len(), hostile.len());
    }

    #[test]
    fn a_span_outside_the_text_or_inside_a_character_is_drawn_all_the_same() {
        for (start, end) in [(0, 99), (98, 99), (1, 2), (2, 1), (5, 5)] {
            let span = Range { start, end };
            let text = one("é = 1", Diagnostic::error("no").at(span, "here"));
            assert!(text.contains("a.toml:1"), "{text}");
        }
        assert!(one("", Diagnostic::error("no").at(0..0, "here")).contains("no"));
    }

    #[test]
    fn a_key_without_a_place_of_its_own_points_at_its_table() {
        let mut places = Places::default();
        places.insert("worker.web".into(), 1..4);
        assert_eq!(places.find("worker.web.needs[0]"), Some(1..4));
        assert_eq!(places.find("group.x"), None);
    }

    #[test]
    fn errors_come_in_order_of_position_and_the_list_is_bounded() {
        let items = (0..60).rev().map(|at| Diagnostic::error(format!("e{at}")).at(at..at + 1, "")).collect();
        let all = Diagnostics::new("a", &"x".repeat(80), &Places::default(), items);
        assert_eq!(all.iter().next().map(|first| first.title.as_str()), Some("e0"));
        assert!(all.render(false).ends_with("and 10 more\n"));
    }
}
