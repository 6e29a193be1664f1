//! From a path to the manifest's text; and what to say when the text is no TOML.

use std::io::Read;
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
    let mut found = Vec::new();
    for error in errors.iter().take(MAX_SYNTAX) {
        let message = error.message();
        let (what, expected) = message.split_once(", expected ").unwrap_or((message, ""));
        let label = if expected.is_empty() { "here".into() } else { format!("expected {expected}") };
        let span = error.span().unwrap_or(text.len()..text.len());
        let diagnostic = Diagnostic::error(format!("the text is no TOML: {what}")).at(span.clone(), label);
        found.push(match advice(text, what, span.start) {
            Some(advice) => diagnostic.help(advice),
            None => diagnostic,
        });
    }
    found
}

/// Returns what to do about the mistakes that are made most.
fn advice(text: &str, what: &str, at: usize) -> Option<&'static str> {
    let start = text.floor_char_boundary(at.min(text.len()));
    let line = text[..start].rfind('\n').map_or(0, |newline| newline + 1);
    let rest = text[line..].lines().next().unwrap_or_default();
    if what.contains("duplicate key") {
        Some("it was given before; keep one of the two")
    } else if rest.contains(['“', '”', '‘', '’']) {
        Some("write straight quotes: \"…\"")
    } else if rest.contains(": ") && !rest.contains('=') {
        Some("write `key = value`; this is no YAML")
    } else if what.contains("string values must be quoted") || what.contains("basic string") {
        Some("write texts in quotes: key = \"value\"")
    } else {
        None
    }
}
