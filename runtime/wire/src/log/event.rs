//! What a program says with `tracing`, kept apart instead of as one text.
//!
//! A worker is believed nothing of it beyond its own name: whatever it calls its actors, everything stands behind the name of
//! the worker, whose life and time the supervisor says.

use std::borrow::Cow;
use std::fmt::Write;

use serde::{Deserialize, Serialize};

use super::{Priority, Said};

/// How much an event matters, by the names of `tracing`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Level {
    /// Something failed.
    Error,
    /// Something may fail.
    Warn,
    /// Ordinary.
    #[default]
    Info,
    /// For those who look for a mistake.
    Debug,
    /// The same, and very much of it.
    Trace,
}

/// What an event has besides its text. Everything in it is escaped, as the text is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// How much it matters.
    pub level: Level,
    /// What it is about: a module, if the program does not say otherwise.
    pub target: String,
    /// The actor within its worker, as `thumbs#2`; empty if it is none's.
    pub actor: String,
    /// The trace of the message that was handled, in 32 digits; empty if it has none.
    pub trace: String,
    /// Where in the source; empty if that is not known.
    pub file: String,
    /// The line there, from 1; 0 if that is not known.
    pub line: u32,
    /// Names and values, at most [`FIELDS_MAX`], each name once.
    pub fields: Vec<(String, String)>,
    /// How many fields there was no room for.
    pub omitted: u32,
}

/// The fields that an event may have.
pub const FIELDS_MAX: usize = 32;

/// What an event takes in memory besides its texts, and each field.
const EVENT_COST: usize = 192;
const FIELD_COST: usize = 96;

impl Level {
    /// All of them, the one that matters most first.
    pub const ALL: [Self; 5] = [Self::Error, Self::Warn, Self::Info, Self::Debug, Self::Trace];

    /// Returns its name.
    pub fn word(self) -> &'static str {
        ["error", "warn", "info", "debug", "trace"][self as usize]
    }

    /// Returns what syslog calls it.
    pub fn priority(self) -> Priority {
        match self {
            Self::Error => Priority::Error,
            Self::Warn => Priority::Warning,
            Self::Info => Priority::Info,
            Self::Debug | Self::Trace => Priority::Debug,
        }
    }
}

impl Event {
    /// Returns whether it is of the actor that a name means: one of its lives as `thumbs#2`, all of them as `thumbs`, which
    /// means the actors below it as well.
    pub fn is_of(&self, name: &str) -> bool {
        let rest = self.actor.strip_prefix(name);
        !name.is_empty() && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['#', '/']))
    }

    /// Returns the bytes of its texts.
    pub(super) fn bytes(&self) -> usize {
        let Self { level: _, target, actor, trace, file, line: _, fields, omitted: _ } = self;
        let fields: usize = fields.iter().map(|(name, value)| name.len() + value.len()).sum();
        target.len() + actor.len() + trace.len() + file.len() + fields
    }

    /// Returns the bytes that it is counted with in memory.
    pub(super) fn cost(&self) -> usize {
        EVENT_COST + FIELD_COST * self.fields.len() + self.bytes()
    }

    fn shown(&self, text: &str) -> String {
        let who = if self.actor.is_empty() { &self.target } else { &self.actor };
        let mut out = format!("{} {who}: {text}", self.level.word().to_uppercase());
        for (name, value) in &self.fields {
            let is_plain = !value.is_empty() && !value.contains([' ', '"', '=', '\t']);
            let _ = match is_plain {
                true => write!(out, " {name}={value}"),
                false => write!(out, " {name}=\"{}\"", value.replace('"', "\\\"")),
            };
        }
        match self.omitted {
            0 => out,
            omitted => out + &format!(" [{omitted} more]"),
        }
    }
}

impl Said {
    /// Returns the line as people read it: of an event with its level, who it is of, and its fields.
    pub fn shown(&self) -> Cow<'_, str> {
        match &self.event {
            None => Cow::Borrowed(&self.text),
            Some(event) => Cow::Owned(event.shown(&self.text)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event() -> Event {
        let field = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        Event {
            level: Level::Warn,
            target: "web::front".into(),
            fields: vec![field("n", "7"), field("path", "a b"), field("quoted", "\"x\""), field("none", "")],
            ..Event::default()
        }
    }

    #[test]
    fn people_read_its_level_its_actor_and_its_fields() {
        let said = Said { text: "odd".into(), event: Some(Box::new(event())), ..Said::default() };
        assert_eq!(said.shown(), "WARN web::front: odd n=7 path=\"a b\" quoted=\"\\\"x\\\"\" none=\"\"");
        let of_actor = Event { actor: "front#1".into(), fields: Vec::new(), omitted: 3, ..event() };
        let said = Said { event: Some(Box::new(of_actor)), ..said };
        assert_eq!(said.shown(), "WARN front#1: odd [3 more]");
        assert_eq!(Said { event: None, ..said }.shown(), "odd");
    }

    #[test]
    fn an_actor_is_meant_by_its_life_its_name_and_who_it_is_a_child_of() {
        let event = Event { actor: "pool/job#2".into(), ..event() };
        assert!(["pool", "pool/job", "pool/job#2"].iter().all(|name| event.is_of(name)));
        assert!(
            !["", "poo", "pool/jo", "pool/job#", "pool/job#22", "job"].iter().any(|name| event.is_of(name))
        );
        assert!(!Event::default().is_of(""));
    }

    #[test]
    fn levels_have_the_names_of_tracing_and_the_numbers_of_syslog() {
        let found = Level::ALL.map(|level| (level.word(), level.priority().code()));
        assert_eq!(found, [("error", 3), ("warn", 4), ("info", 6), ("debug", 7), ("trace", 7)]);
    }
}
