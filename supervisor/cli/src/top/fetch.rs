//! What the pages show, as the other verbs say it.

use std::path::Path;
use std::time::Duration;

use bailiwick_admin::documents::status::Seen;
use bailiwick_admin::printed::Wanted;
use bailiwick_admin::words::{detail, odd};
use bailiwick_supervisor::control::{Client, ClientError, Outcome, Row, State, Target};

use super::page::{Kind, LINES_MAX, Subject, Text, whom};
use super::sample::Sample;
use crate::status::{LINES, particulars, title, usage};
use crate::words::wrapped;
use crate::{crashes, denials, events, logs};

/// How many of the last crashes are told among what is not as it should be.
const CRASHES: usize = 20;

/// Tells what one page shows, each time what is new.
#[derive(Debug)]
pub(super) struct Fetch {
    pub(super) subject: Subject,
    logs: Option<logs::Reader>,
    /// The last event that was told.
    seen: u64,
    has_begun: bool,
}

impl Fetch {
    pub(super) fn new(subject: Subject) -> Self {
        Self { subject, logs: None, seen: 0, has_begun: false }
    }

    /// Returns what is new; nothing if nothing is.
    ///
    /// # Errors
    /// The supervisor does not answer.
    pub(super) fn next(
        &mut self,
        place: &Path,
        client: &Client,
        look: &Sample,
    ) -> Result<Option<Text>, ClientError> {
        let text = match self.subject.kind {
            Kind::Detail => about(client, look, self.target()),
            Kind::Diagnostics => diagnostics(client, look),
            Kind::Logs => self.printed(place),
            Kind::Events => self.happened(client),
            Kind::Actors => return Ok(None),
        };
        let text = match text {
            // It was removed by a reload.
            Err(ClientError::Refused { outcome: Outcome::UnknownTarget }) => {
                "there is no such worker\n".to_owned()
            }
            text => text?,
        };
        let is_told_anew = matches!(self.subject.kind, Kind::Detail | Kind::Diagnostics);
        let goes_on = self.has_begun && !is_told_anew;
        self.has_begun = true;
        let is_news = !goes_on || !text.is_empty();
        Ok(is_news.then(|| Text { lines: text.lines().map(str::to_owned).collect(), goes_on }))
    }

    fn target(&self) -> Target {
        let instance = |(name, number): &(String, u16)| whom(name.clone(), *number);
        self.subject.whom.as_ref().map_or(Target::System, instance)
    }

    /// Returns what was printed since the last time.
    fn printed(&mut self, place: &Path) -> Result<String, ClientError> {
        let reader = match &mut self.logs {
            Some(reader) => reader,
            None => {
                let wanted = Wanted::all_of(self.target());
                self.logs.insert(logs::Reader::new(Client::connect(place)?, wanted))
            }
        };
        Ok(reader.remembered(LINES_MAX)?.iter().map(logs::plain).collect())
    }

    /// Returns what happened since the last time.
    fn happened(&mut self, client: &Client) -> Result<String, ClientError> {
        let mut text = String::new();
        // A supervisor that always has something more to tell is left for the next time.
        for _ in 0..LINES_MAX {
            let found = client.events(self.seen, Duration::ZERO)?;
            if found.is_empty() {
                break;
            }
            for event in found {
                let lost = event.number.saturating_sub(self.seen + 1);
                self.seen = event.number;
                text += &events::line(&event, lost);
            }
        }
        Ok(text)
    }
}

/// Returns everything about a worker, or one instance of it, that is known.
fn about(client: &Client, look: &Sample, whom: Target) -> Result<String, ClientError> {
    let is_meant = |row: &&Row| crate::status::is_meant(row, &whom);
    let seen: Vec<Seen<'_>> = look
        .found
        .workers
        .iter()
        .filter(is_meant)
        .map(|row| Seen { row, usage: usage(&look.found, row) })
        .collect();
    if seen.is_empty() {
        return Ok("there is no such worker\n".to_owned());
    }
    let mut text = crate::status::head(&look.found) + "\n";
    for one in &seen {
        let title = title(one.row);
        text += &wrapped(&format!("{title}: "), &format!("{}; {}", one.row.state.word(), detail(one.row)));
        let more = particulars(&[*one]);
        let indent = " ".repeat(title.chars().count() + 2);
        text += &wrapped(&indent, more.trim_start_matches(&format!("{title}: ")));
    }
    text += "\n";
    // The first line of the table is about the supervisor.
    let table = crate::status::table(&look.found, &seen);
    text += table.split_once('\n').map_or("", |(_, rest)| rest);
    let reports = client.crashes(whom.clone())?;
    text += &crashes::latest(&reports).map(|latest| format!("\n{latest}")).unwrap_or_default();
    let lines = client.lines(whom)?;
    if !lines.is_empty() {
        text += "\nwhat it printed last:\n";
    }
    for line in &lines[lines.len().saturating_sub(LINES)..] {
        text += &format!("  | {line}\n");
    }
    Ok(text)
}

/// Returns what is not as it should be, of the supervisor and of everybody.
fn diagnostics(client: &Client, look: &Sample) -> Result<String, ClientError> {
    let mut text = crate::status::head(&look.found);
    if !look.found.supervisor.guarded {
        text += "no guardian lives that would end every worker should the supervisor be killed\n";
    }
    let is_odd = |row: &&Row| !matches!(row.state, State::Ready | State::Done) || !odd(row).is_empty();
    let rows: Vec<&Row> = look.found.workers.iter().filter(is_odd).collect();
    text += "\nworkers that are not at work, or odd:\n";
    for row in &rows {
        text += &wrapped(&format!("  {} {}: ", title(row), row.state.word()), &detail(row));
    }
    let none = |text: &mut String, is_empty: bool| text.push_str(if is_empty { "  none\n" } else { "" });
    none(&mut text, rows.is_empty());
    let mut reports = client.crashes(Target::System)?;
    reports.sort_by_key(|report| report.ended.monotonic_ns);
    let last = &reports[reports.len().saturating_sub(CRASHES)..];
    text += "\ncrashes that are remembered, the latest last:\n";
    crashes::lines(last).lines().for_each(|line| text += &format!("  {line}\n"));
    none(&mut text, last.is_empty());
    text += "\nwhat workers were denied:\n";
    denials::known(client, &Target::System)?.lines().for_each(|line| text += &format!("  {line}\n"));
    Ok(text + "\n`bailiwick doctor` says what this machine gives and what it does not.\n")
}
