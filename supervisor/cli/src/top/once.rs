//! `top --once`: the same for a script, or for a terminal that cannot be taken over.

use std::time::{Duration, Instant};

use bailiwick_admin::words::detail;
use bailiwick_supervisor::control::{Client, State};
use serde::Serialize;

use super::column::{COLUMNS, cells};
use super::inside::Measured;
use super::insides;
use super::list::Wish;
use super::sample::{Sample, Worker};
use crate::arguments::Top;
use crate::exit::{Exit, Failure};
use crate::json::{self, SCHEMA_VERSION};
use crate::screen::Screen;
use crate::status::{head, painted, title};
use crate::words::aligned;

/// Workers, the first first, with what they used within a window.
#[derive(Serialize)]
struct Document<'a> {
    schema_version: u32,
    time: String,
    system: &'a str,
    sorted_by: String,
    /// The time between the two looks.
    window_s: f64,
    workers: Vec<Told<'a>>,
}

#[derive(Serialize)]
struct Told<'a> {
    name: &'a str,
    instance: u16,
    title: String,
    group: &'a str,
    state: &'static str,
    ready: bool,
    pid: Option<u32>,
    generation: u32,
    uptime_s: Option<f64>,
    restarts: u32,
    /// Processor time within the window, in percent of one core.
    cpu_percent: Option<f64>,
    /// Processor time of the whole life.
    cpu_s: Option<f64>,
    memory_bytes: Option<u64>,
    /// What the admin worker is told: messages that wait, how many are begun with, and how long all but one of a hundred take.
    mailbox: Option<u64>,
    messages_per_s: Option<f64>,
    handling_p99_s: Option<f64>,
    detail: String,
}

pub(super) fn once(asked: &Top, client: &Client, screen: &Screen) -> Result<Exit, Failure> {
    let before = Sample::take(client)?;
    let told_before = insides::ask(&before.found);
    // The admin worker would say the same again.
    pass(if told_before.is_ok() { asked.interval.max(insides::PAUSE) } else { asked.interval });
    let now = Sample::take(client)?;
    let mut workers = now.workers(Some(&before));
    match insides::ask(&now.found) {
        Ok(told) => workers
            .iter_mut()
            .for_each(|worker| worker.inside = told.measured(told_before.as_ref().ok(), &worker.row)),
        Err(silence) if silence.is_missing => {}
        Err(silence) => screen.say(&format!("bailiwick: {}\n", silence.why)),
    }
    let most = asked.count.and_then(|count| usize::try_from(count).ok());
    let wish = Wish { sort: asked.sort, most, ..Wish::default() };
    let chosen: Vec<&Worker> = wish.chosen(&workers).into_iter().map(|at| &workers[at]).collect();
    screen.print(&if asked.json {
        json::document(&document(asked, &now, now.at.saturating_sub(before.at), &chosen))
    } else {
        head(&now.found) + &table(&chosen, screen.stdout_colour())
    });
    Ok(Exit::Done)
}

/// Lets time pass.
pub(super) fn pass(time: Duration) {
    let until = Instant::now() + time;
    loop {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return;
        }
        // It may come back sooner.
        std::thread::park_timeout(left);
    }
}

fn table(chosen: &[&Worker], is_coloured: bool) -> String {
    let is_told =
        |of: fn(&Measured) -> bool| chosen.iter().any(|worker| worker.inside.as_ref().is_some_and(of));
    // What nobody knows has no column.
    match (is_told(|_| true), is_told(|inside| inside.p99_s.is_some())) {
        (false, _) => of_columns([0, 1, 2, 3, 4, 5, 6, 10], chosen, is_coloured),
        (true, false) => of_columns([0, 1, 2, 3, 4, 5, 6, 7, 8, 10], chosen, is_coloured),
        (true, true) => of_columns([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10], chosen, is_coloured),
    }
}

fn of_columns<const N: usize>(columns: [usize; N], chosen: &[&Worker], is_coloured: bool) -> String {
    let mut lines = vec![columns.map(|column| COLUMNS[column].to_owned())];
    lines.extend(chosen.iter().map(|worker| {
        let cells = cells(worker);
        columns.map(|column| cells[column].clone())
    }));
    aligned(&lines, |line, column, cell| match line.checked_sub(1) {
        Some(at) if is_coloured && column == 1 => painted(&cell, &chosen[at].row),
        _ => cell,
    })
}

fn document<'a>(asked: &Top, now: &'a Sample, window: Duration, chosen: &[&'a Worker]) -> Document<'a> {
    Document {
        schema_version: SCHEMA_VERSION,
        time: json::time(json::now()),
        system: &now.found.supervisor.name,
        sorted_by: asked.sort.name(),
        window_s: window.as_secs_f64(),
        workers: chosen.iter().copied().map(told).collect(),
    }
}

fn told(worker: &Worker) -> Told<'_> {
    let row = &worker.row;
    Told {
        name: &row.name,
        instance: row.instance,
        title: title(row),
        group: &row.group,
        state: row.state.word(),
        ready: row.state == State::Ready,
        pid: row.pid,
        generation: row.generation,
        uptime_s: row.uptime.map(|time| time.as_secs_f64()),
        restarts: row.restarts,
        cpu_percent: worker.cpu_percent,
        cpu_s: worker.usage.map(|usage| usage.cpu.as_secs_f64()),
        memory_bytes: worker.usage.map(|usage| usage.memory_bytes),
        mailbox: worker.inside.map(|inside| inside.waiting),
        messages_per_s: worker.inside.and_then(|inside| inside.rate),
        handling_p99_s: worker.inside.and_then(|inside| inside.p99_s),
        detail: detail(row),
    }
}

#[cfg(test)]
mod tests {
    use super::super::trial;
    use super::*;

    #[test]
    fn the_table_has_every_column_and_cuts_none() {
        let workers = trial::workers();
        let chosen: Vec<&Worker> = workers.iter().collect();
        let expected = "\
NAME    STATE    PID  UPTIME    RESTARTS  CPU    MEM  DETAIL
binder  done     -    1.5s      0         -      -    ended as it should
web.1   ready    101  1.5s      0         12.5%  25M  at work
web.2   backoff  -    -         3         -      -    next start in 3.2 s: exit code 1, 4/5 restarts in 30 s
cache   ready    103  59min59s  1         37.5%  25M  restarted after: SIGKILL from outside
db      failed   -    -         5         -      -    given up: restart budget spent: SIGKILL from outside, 5/5 restarts in 30 s
";
        assert_eq!(table(&chosen, false), expected);
        let coloured = table(&chosen, true);
        assert!(coloured.contains("\x1b[31mfailed   \x1b[0m"), "{coloured}");
    }

    #[test]
    fn what_is_known_of_mailboxes_has_columns_of_its_own() {
        let mut workers = trial::workers();
        workers[1].inside = Some(Measured { waiting: 9, rate: Some(99.5), p99_s: None });
        let chosen: Vec<&Worker> = workers[1..3].iter().collect();
        let expected = "\
NAME   STATE    PID  UPTIME  RESTARTS  CPU    MEM  MAILBOX  RATE  DETAIL
web.1  ready    101  1.5s    0         12.5%  25M  9        99.5  at work
web.2  backoff  -    -       3         -      -    -        -     next start in 3.2 s: exit code 1, 4/5 restarts in 30 s
";
        assert_eq!(table(&chosen, false), expected);
        workers[1].inside = Some(Measured { waiting: 9, rate: None, p99_s: Some(0.0031) });
        let chosen: Vec<&Worker> = workers[1..3].iter().collect();
        let text = table(&chosen, false);
        assert!(
            text.contains("  MAILBOX  RATE  P99    DETAIL\n")
                && text.contains("  9        -     3.1ms  at work"),
            "{text}"
        );
    }
}
