//! What is told of what is printed: asked for again and again, each time for what came after.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use bailiwick_supervisor::control::{Client, ClientError, Target};
use bailiwick_sys::events::monotonic_ns;
use bailiwick_wire::crash::Report;
use bailiwick_wire::log::{Count, Line, Lost, Priority, Said, Source};
use bailiwick_wire::output::escape;

/// How long one question waits for something to be printed.
const PATIENCE: Duration = Duration::from_secs(60);

/// What is wanted of what is printed.
#[derive(Debug)]
pub(crate) struct Wanted {
    /// Of whom; of everybody if nobody is named.
    pub(super) targets: Vec<Target>,
    /// What matters so much, or more.
    pub(super) level: Priority,
    /// Events of this actor alone.
    pub(super) actor: Option<String>,
    /// From when on, in nanoseconds of the monotonic clock, and on the clock that may jump.
    pub(super) since: (u64, Duration),
    /// Of one life only.
    pub(super) life: Option<Life>,
}

/// One life of one instance.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Life {
    worker: String,
    instance: u16,
    generation: u32,
}

/// One thing to show.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Entry {
    /// Lines of a source that are not told.
    Lost(Source, Lost),
    /// A line; without its number if it comes from a report.
    Line(Option<u64>, Source, Said),
}

/// Reads on from where it was.
#[derive(Debug)]
pub(crate) struct Reader {
    client: Client,
    wanted: Wanted,
    /// The number of the last line that was told.
    seen: u64,
    /// The last line of each source that was told.
    counts: BTreeMap<Source, Count>,
}

impl Life {
    /// Returns the one whose end a report is about.
    pub(super) fn of(report: &Report) -> Self {
        Self { worker: report.worker.clone(), instance: report.instance, generation: report.generation }
    }
}

impl Reader {
    /// Returns one that begins with what is remembered.
    pub(crate) fn new(client: Client, wanted: Wanted) -> Self {
        Self { client, wanted, seen: 0, counts: BTreeMap::new() }
    }

    /// Returns what is remembered of what was printed until now and was not yet told: the last so many lines, with what is
    /// missing between them.
    pub(crate) fn remembered(&mut self, most: usize) -> Result<VecDeque<Entry>, ClientError> {
        let now = monotonic_ns();
        let (mut tail, mut lines, mut is_cut) = (VecDeque::new(), 0, most == 0);
        loop {
            let found = self.ask(Duration::ZERO)?;
            // Whoever prints without end would be read without end.
            let is_past = found.last().is_none_or(|line| line.said.at.monotonic_ns > now);
            for entry in found.into_iter().flat_map(|line| self.take(line)) {
                lines += usize::from(entry.is_line());
                tail.push_back(entry);
                while lines > most {
                    lines -= tail.pop_front().map_or(0, |entry| usize::from(entry.is_line()));
                    is_cut = true;
                }
            }
            if is_past {
                break;
            }
        }
        // What is missing before the first line that is shown goes with those before it.
        while is_cut && tail.front().is_some_and(|entry| !entry.is_line()) {
            tail.pop_front();
        }
        Ok(tail)
    }

    /// Returns what is printed next; nothing if that takes long.
    pub(super) fn next(&mut self) -> Result<VecDeque<Entry>, ClientError> {
        let found = self.ask(PATIENCE)?;
        Ok(found.into_iter().flat_map(|line| self.take(line)).collect())
    }

    fn ask(&mut self, patience: Duration) -> Result<Vec<Line>, ClientError> {
        // A request names one, so that of several each is picked out here.
        let target = match &self.wanted.targets[..] {
            [one] => one.clone(),
            _ => Target::System,
        };
        let found = self.client.log(self.seen, target, patience)?;
        self.seen = found.last().map_or(self.seen, |line| line.number);
        Ok(found)
    }

    /// Returns what is to be shown of a line, and of those before it that are missing.
    fn take(&mut self, line: Line) -> impl Iterator<Item = Entry> + use<> {
        let Line { number, source, count, said } = line;
        let worker = escape(source.worker.as_bytes());
        let source = Source { worker, ..source };
        let before = self.counts.insert(source.clone(), count).unwrap_or_default();
        let (is_meant, is_shown) = (self.wanted.means(&source, &said), self.wanted.shows(&said));
        let lost = Some(count.lost_since(before)).filter(|lost| is_meant && !lost.is_nothing());
        let lost = lost.map(|lost| Entry::Lost(source.clone(), lost));
        let said = escaped(said);
        let line = (is_meant && is_shown).then_some(Entry::Line(Some(number), source, said));
        lost.into_iter().chain(line)
    }
}

impl Wanted {
    /// Everything that a target prints.
    pub(crate) fn all_of(target: Target) -> Self {
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

impl Entry {
    fn is_line(&self) -> bool {
        matches!(self, Self::Line(..))
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

/// Returns the last so many lines that the report of an end has of the life that ended, as of that moment.
pub(super) fn printed_by(report: &Report, most: usize) -> VecDeque<Entry> {
    let source =
        Source { worker: report.worker.clone(), instance: report.instance, numbered: report.numbered };
    let (at, generation) = (report.ended, report.generation);
    let line = |text: &String| {
        let text = escape(text.as_bytes());
        Entry::Line(None, source.clone(), Said { at, generation, text, ..Said::default() })
    };
    let lines = &report.last_lines;
    lines[lines.len().saturating_sub(most)..].iter().map(line).collect()
}
