//! What is told of what is printed: asked for again and again, each time for what came after.

use std::collections::VecDeque;
use std::time::Duration;

use bailiwick_admin::printed::{Entry, Printed, Wanted};
use bailiwick_supervisor::control::{Client, ClientError};
use bailiwick_sys::events::monotonic_ns;
use bailiwick_wire::crash::Report;
use bailiwick_wire::log::{Line, Said, Source};
use bailiwick_wire::output::escape;

/// How long one question waits for something to be printed.
const PATIENCE: Duration = Duration::from_secs(60);

/// Reads on from where it was.
#[derive(Debug)]
pub(crate) struct Reader {
    client: Client,
    printed: Printed,
}

impl Reader {
    /// Returns one that begins with what is remembered.
    pub(crate) fn new(client: Client, wanted: Wanted) -> Self {
        Self { client, printed: Printed::new(wanted) }
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
            for entry in found.into_iter().flat_map(|line| self.printed.take(line)) {
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
        Ok(found.into_iter().flat_map(|line| self.printed.take(line)).collect())
    }

    fn ask(&self, patience: Duration) -> Result<Vec<Line>, ClientError> {
        self.client.log(self.printed.seen(), self.printed.target(), patience)
    }
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
