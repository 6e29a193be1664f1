//! The fields of an event or a span, as text and within bounds: what is too much is counted before it is made into text.

use std::fmt::{self, Debug, Write};

use bailiwick_wire::log::FIELDS_MAX;
use bailiwick_wire::log::event_line::EVENT_BYTES;
use tracing::field::{Field, Visit};

/// Names and values, each name once.
#[derive(Default)]
pub(super) struct Fields {
    pub(super) known: Vec<(String, String)>,
    /// How many were too many.
    pub(super) omitted: u32,
}

impl Fields {
    /// Takes out the value of a field, if it is there.
    pub(super) fn take(&mut self, name: &str) -> Option<String> {
        let place = self.known.iter().position(|(known, _)| known == name)?;
        Some(self.known.remove(place).1)
    }

    /// Adds what a span around has and is not known more closely.
    pub(super) fn add(&mut self, around: &Self) {
        for (name, value) in &around.known {
            if !self.known.iter().any(|(known, _)| known == name) {
                self.insert(name, || value.clone());
            }
        }
        self.omitted = self.omitted.saturating_add(around.omitted);
    }

    fn set(&mut self, field: &Field, value: impl FnOnce() -> String) {
        // What is recorded later is what holds.
        self.take(field.name());
        self.insert(field.name(), value);
    }

    fn insert(&mut self, name: &str, value: impl FnOnce() -> String) {
        // One more for the text of an event, which is a field until it is taken out.
        if self.known.len() > FIELDS_MAX {
            self.omitted = self.omitted.saturating_add(1);
        } else {
            self.known.push((name.to_owned(), value()));
        }
    }
}

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.set(field, || bounded(format_args!("{value}")));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.set(field, || bounded(format_args!("{value:?}")));
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        self.set(field, || bounded(format_args!("{value}")));
    }
}

/// Returns the beginning of a text: no more of it could be printed.
fn bounded(value: fmt::Arguments<'_>) -> String {
    let mut text = Bounded(String::new());
    // It fails when there is enough.
    let _ = text.write_fmt(value);
    text.0
}

struct Bounded(String);

impl Write for Bounded {
    fn write_str(&mut self, more: &str) -> fmt::Result {
        let room = EVENT_BYTES - self.0.len();
        self.0.push_str(&more[..more.floor_char_boundary(room)]);
        if more.len() > room { Err(fmt::Error) } else { Ok(()) }
    }
}
