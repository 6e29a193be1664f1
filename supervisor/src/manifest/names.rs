//! The names that a manifest gives: of workers, actors and groups.

use bailiwick_wire::log::SUPERVISOR;

use super::fields::{Entry, Fields};
use crate::check::{Diagnostic, quote};
use crate::spec::INTROSPECT;

/// The longest name, in bytes; the control socket's records hold this much.
pub(super) const MAX_NAME: usize = 63;

/// Names that no worker may have: those of the supervisor itself, its built-in worker, and the pseudo-worker for orders
/// from outside.
const RESERVED: [&str; 5] = [SUPERVISOR, "supervisor", "admin", "operator", "self"];

/// Tells whether no `worker` or no `actor` of somebody else's may have a name.
pub fn is_reserved(what: &str, name: &str) -> bool {
    (what == "worker" && RESERVED.contains(&name)) || (what == "actor" && name == INTROSPECT)
}

/// Tells whether a name can be part of an address, `worker.instance/actor#generation`, and of a file's name: a letter,
/// then letters, digits, `_` and `-`, at most 63 bytes.
pub fn is_name(name: &str) -> bool {
    let part = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    name.len() <= MAX_NAME && name.starts_with(|c: char| c.is_ascii_alphabetic()) && name.chars().all(part)
}

/// Returns the entries whose names are good, of at most `most`; says what is wrong with the others.
pub(super) fn named<'r, 't>(
    fields: &mut Fields<'r, 't>,
    key: &'static str,
    most: usize,
) -> Vec<Entry<'r, 't>> {
    let mut entries = fields.entries(key);
    if let Some(first) = entries.get(most) {
        let title = format!("{} tables [{}.…], the limit is {most}", entries.len(), fields.key(key));
        fields.reader.refuse(Diagnostic::error(title).at(first.head.clone(), "one too many"));
        entries.truncate(most);
    }
    entries.retain(|entry| {
        let diagnostic = if !is_name(entry.name) {
            Diagnostic::error(format!("{} is no name", quote(entry.name)))
                .at(entry.head.clone(), "expected a letter, then letters, digits, `_` and `-`, 63 at most")
                .help("`.`, `/` and `#` separate the parts of an address")
        } else if is_reserved(key, entry.name) {
            Diagnostic::error(format!("`{}` is a name of Bailiwick's own", entry.name))
                .at(entry.head.clone(), "reserved")
                .help("choose another name")
        } else {
            return true;
        };
        fields.reader.refuse(diagnostic);
        false
    });
    entries
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_part_of_an_address() {
        for good in ["a", "web", "web-2", "Web_front", &"x".repeat(63)] {
            assert!(is_name(good), "{good}");
        }
        for bad in ["", "2web", "-web", "web.1", "web/a", "web#1", "wéb", "a b", "..", &"x".repeat(64)] {
            assert!(!is_name(bad), "{bad}");
        }
    }
}
