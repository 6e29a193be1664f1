//! From a path to the manifest's text; and what to say when the text is no TOML.

use std::io::Read;
use std::ops::Range;
use std::path::{Path, PathBuf};

use crate::check::{Diagnostic, Diagnostics, Places, Trust};

/// The longest manifest, in bytes.
const MAX_BYTES: usize = 1 << 20;
/// The most syntax errors that are told; what follows the first ones is mostly their consequence.
const MAX_SYNTAX: usize = 3;

/// A manifest that was read from a trustworthy file.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) text: String,
    /// The folder against which its paths resolve.
    pub(super) folder: PathBuf,
}

/// Reads a manifest that nobody but root and the user of this process can change.
pub(super) fn read(path: &Path) -> Result<Source, Diagnostics> {
    let fail =
        |diagnostic| Diagnostics::new(&path.display().to_string(), "", &Places::default(), vec![diagnostic]);
    let whole = std::path::absolute(path)
        .map_err(|error| fail(Diagnostic::error(format!("cannot open the manifest: {error}"))))?;
    let file = Trust::of_this_process()
        .open(&whole)
        .map_err(|error| fail(Diagnostic::error(error.to_string()).help(error.advice())))?;
    let mut bytes = Vec::new();
    file.take(MAX_BYTES as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| fail(Diagnostic::error(format!("cannot read the manifest: {error}"))))?;
    if bytes.len() > MAX_BYTES {
        let title = format!("the manifest is longer than {MAX_BYTES} bytes");
        return Err(fail(Diagnostic::error(title).help("is this the right file?")));
    }
    let folder = whole.parent().map(Path::to_owned).unwrap_or_default();
    match String::from_utf8(bytes) {
        Ok(text) => Ok(Source { text, folder }),
        Err(error) => {
            let at = error.utf8_error().valid_up_to();
            let line = 1 + error.as_bytes()[..at].iter().filter(|&&byte| byte == b'\n').count();
            let title =
                format!("line {line} holds the byte 0x{:02x}, which is no UTF-8", error.as_bytes()[at]);
            Err(fail(Diagnostic::error(title).help("save the file as UTF-8")))
        }
    }
}

/// Tells what is wrong with text that is no TOML.
pub(super) fn syntax(text: &str, errors: &[toml::de::Error]) -> Vec<Diagnostic> {
    errors.iter().take(MAX_SYNTAX).map(|error| mistake(text, error)).collect()
}

fn mistake(text: &str, error: &toml::de::Error) -> Diagnostic {
    let message = error.message();
    let (what, expected) = message.split_once(", expected ").unwrap_or((message, ""));
    let span = error.span().unwrap_or(text.len()..text.len());
    let start = text.floor_char_boundary(span.start.min(text.len()));
    let line = text[..start].rfind('\n').map_or(0, |newline| newline + 1);
    let rest = text[line..].lines().next().unwrap_or_default();
    let label = if expected.is_empty() { "here".into() } else { format!("expected {expected}") };
    let mut diagnostic = Diagnostic::error(format!("the text is no TOML: {what}")).at(span, label);
    if what.contains("duplicate key")
        && let Some(first) = first_of(&text[..line], &text[line..], start - line)
    {
        diagnostic = diagnostic.at(first, "given before");
    }
    match advice(what, rest) {
        Some(advice) => diagnostic.help(advice),
        None => diagnostic,
    }
}

/// Finds what a duplicate repeats: the same header, or the same key under the same header.
fn first_of(before: &str, line: &str, column: usize) -> Option<Range<usize>> {
    let end = column + line[column..].find(|c: char| !(c.is_alphanumeric() || "_-\"'".contains(c)))?;
    let repeated = line[..end].trim_start();
    let is_header = repeated.starts_with('[');
    let mut at = before.len();
    for earlier in before.split_inclusive('\n').rev() {
        at -= earlier.len();
        let text = earlier.trim_start();
        let start = at + earlier.len() - text.len();
        let whole = text.strip_prefix(repeated).is_some_and(|rest| rest.starts_with([']', ' ', '=', '\t']));
        if whole {
            return Some(start..start + repeated.len());
        }
        if !is_header && text.starts_with('[') {
            return None;
        }
    }
    None
}

/// Returns what to do about the mistakes that are made most.
fn advice(what: &str, line: &str) -> Option<&'static str> {
    if what.contains("duplicate key") {
        Some("keep one of the two")
    } else if line.contains(['“', '”', '‘', '’']) {
        Some("write straight quotes: \"…\"")
    } else if !line.contains('=') && (line.contains(": ") || line.trim_end().ends_with(':')) {
        Some("write `key = value` below a `[table]`; this is no YAML")
    } else if what.contains("must be quoted") {
        Some("write texts in quotes: key = \"value\"")
    } else if what.contains("basic string") {
        Some("close the quotes on the same line")
    } else {
        None
    }
}
