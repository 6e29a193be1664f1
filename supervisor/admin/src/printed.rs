//! What is told of what is printed: picked out of all of it, escaped, with what is missing between. The same from the command line
//! and from the admin worker.

use std::collections::BTreeMap;
use std::time::Duration;

use bailiwick_supervisor::control::Target;
use bailiwick_supervisor::manifest;
use bailiwick_sys::events::monotonic_ns;
use bailiwick_wire::crash::Report;
use bailiwick_wire::log::{Count, Format, Line, Lost, Priority, Said, Source};
use bailiwick_wire::output::escape;

use crate::json;

/// What is wanted of what is printed.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Of whom; of everybody if nobody is named.
    pub targets: Vec<Target>,
    /// What matters so much, or more.
    pub level: Priority,
    /// Events of this actor alone.
    pub actor: Option<String>,
    /// From when on, in nanoseconds of the monotonic clock, and on the clock that may jump.
    pub since: (u64, Duration),
    /// Of one life only.
    pub life: Option<Life>,
}

/// From when on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Since {
    /// So long ago.
    Ago(Duration),
    /// Since this moment, given since 1970.
    Moment(Duration),
}

/// One life of one instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Life {
    worker: String,
    instance: u16,
    generation: u32,
}

/// One thing to show.
#[derive(Debug, PartialEq, Eq)]
pub enum Entry {
    /// Lines of a source that are not told.
    Lost(Source, Lost),
    /// A line; without its number if it comes from a report.
    Line(Option<u64>, Source, Said),
}

/// Picks what is wanted out of what is printed, line by line in their order.
#[derive(Debug)]
pub struct Printed {
    wanted: Wanted,
    /// The number of the last line that was told before.
    after: u64,
    /// The number of the last line that was told.
    seen: u64,
    /// The last line of each source that was told.
    counts: BTreeMap<Source, Count>,
}

impl Printed {
    /// Returns one that begins with what is remembered.
    pub fn new(wanted: Wanted) -> Self {
        Self::after(wanted, 0)
    }

    /// Returns one that goes on after the line of a number.
    pub fn after(wanted: Wanted, after: u64) -> Self {
        Self { wanted, after, seen: after, counts: BTreeMap::new() }
    }

    /// Returns of whom to ask: a request names one, so that of several each is picked out here.
    pub fn target(&self) -> Target {
        match &self.wanted.targets[..] {
            [one] => one.clone(),
            _ => Target::System,
        }
    }

    /// Returns the number after which to ask.
    pub fn seen(&self) -> u64 {
        self.seen
    }

    /// Returns what is to be shown of a line, and of those before it that are missing.
    pub fn take(&mut self, line: Line) -> impl Iterator<Item = Entry> + use<> {
        let Line { number, source, count, said } = line;
        self.seen = number;
        let worker = escape(source.worker.as_bytes());
        let source = Source { worker, ..source };
        let before = self.counts.insert(source.clone(), count);
        let (is_meant, is_shown) = (self.wanted.means(&source, &said), self.wanted.shows(&said));
        let lost = count.lost_since(before.unwrap_or_default());
        // What was told of a source before is not known here, but no more of it is missing than of all.
        let lost = if before.is_none() { lost.at_most(number.saturating_sub(self.after + 1)) } else { lost };
        let lost = Some(lost).filter(|lost| is_meant && !lost.is_nothing());
        let lost = lost.map(|lost| Entry::Lost(source.clone(), lost));
        let said = escaped(said);
        let line = (is_meant && is_shown).then_some(Entry::Line(Some(number), source, said));
        lost.into_iter().chain(line)
    }
}

impl Wanted {
    /// Everything that a target prints.
    pub fn all_of(target: Target) -> Self {
        Self {
            targets: vec![target],
            level: Priority::Debug,
            actor: None,
            since: (0, Duration::ZERO),
            life: None,
        }
    }

    /// Returns whether what a line says is wanted.
    fn shows(&self, said: &Said) -> bool {
        let is_of = |actor| said.event.as_ref().is_some_and(|event| event.is_of(actor));
        said.priority <= self.level && self.actor.as_deref().is_none_or(is_of)
    }

    /// Returns whether a line is meant, whatever it says.
    fn means(&self, source: &Source, said: &Said) -> bool {
        let is_named = self.targets.is_empty() || self.targets.iter().any(|target| target.means(source));
        let is_of_life = self.life.as_ref().is_none_or(|life| {
            (&life.worker, life.instance, life.generation)
                == (&source.worker, source.instance, said.generation)
        });
        let (monotonic_ns, wall) = self.since;
        is_named && is_of_life && said.at.monotonic_ns >= monotonic_ns && said.at.wall >= wall
    }
}

impl Since {
    /// Reads a span, as `5m`, or a moment of RFC 3339.
    ///
    /// # Errors
    /// What was expected.
    pub fn read(text: &str) -> Result<Self, &'static str> {
        let found = manifest::duration(text).map(Self::Ago).or_else(|| json::moment(text).map(Self::Moment));
        found.ok_or("expected a span, as 5m, or a moment, as 2026-05-01T12:00:00Z")
    }

    /// Returns what it means now, as [`Wanted::since`] has it.
    pub fn on_clocks(self) -> (u64, Duration) {
        match self {
            Self::Ago(span) => {
                let span_ns = u64::try_from(span.as_nanos()).unwrap_or(u64::MAX);
                (monotonic_ns().saturating_sub(span_ns), Duration::ZERO)
            }
            Self::Moment(moment) => (0, moment),
        }
    }
}

impl Life {
    /// Returns the one whose end a report is about.
    pub fn of(report: &Report) -> Self {
        Self { worker: report.worker.clone(), instance: report.instance, generation: report.generation }
    }
}

impl Entry {
    /// Returns whether it is a line.
    pub fn is_line(&self) -> bool {
        matches!(self, Self::Line(..))
    }

    /// Returns it as a document on one line.
    pub fn to_json(&self) -> String {
        match self {
            Self::Line(number, source, said) => Format::Json.line(*number, source, said),
            Self::Lost(source, lost) => lost.to_json(Some(source)),
        }
    }
}

/// Reads how much has to matter.
///
/// # Errors
/// What was expected.
pub fn level(text: &str) -> Result<Priority, String> {
    let names = Priority::ALL.map(Priority::word).join(", ");
    Priority::from_word(text).ok_or_else(|| format!("expected one of {names}, or a number from 0 to 7"))
}

/// Returns whom a name means: a worker, one instance of it, or the supervisor.
pub fn named(name: &str) -> Target {
    match name.rsplit_once('.').map(|(worker, number)| (worker, number.parse())) {
        Some((worker, Ok(instance @ 1..))) => Target::Instance(worker.to_owned(), instance),
        _ => Target::Worker(name.to_owned()),
    }
}

/// Returns a line of which nothing is believed: who tells it may be another than who wrote it.
fn escaped(mut said: Said) -> Said {
    let safe = |text: &mut String| *text = escape(text.as_bytes());
    safe(&mut said.text);
    if let Some(event) = &mut said.event {
        [&mut event.target, &mut event.actor, &mut event.trace, &mut event.file].into_iter().for_each(safe);
        event.fields.iter_mut().for_each(|(name, value)| _ = [name, value].map(safe));
    }
    said
}
