//! `top --once`: the same for a script, or for a terminal that cannot be taken over.

use std::time::{Duration, Instant};

use bailiwick_admin::words::detail;
use bailiwick_supervisor::control::{Client, State};
use serde::Serialize;

use super::column::{COLUMNS, cells};
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
    detail: String,
}

pub(super) fn once(asked: &Top, client: &Client, screen: &Screen) -> Result<Exit, Failure> {
    let before = Sample::take(client)?;
    pass(asked.interval);
    let now = Sample::take(client)?;
    let workers = now.workers(Some(&before));
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
fn pass(time: Duration) {
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
    let mut lines = vec![COLUMNS.map(str::to_owned)];
    lines.extend(chosen.iter().map(|worker| cells(worker)));
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
}
