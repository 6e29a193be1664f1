//! The table that a person reads.

use std::collections::BTreeMap;

use bailiwick_supervisor::check::escape;
use bailiwick_supervisor::control::{Phase, Row, State, Status};
use bailiwick_supervisor::spec::Digest;

use super::words::{detail, hex, mechanism, short, user, word};

const COLUMNS: [&str; 9] = ["NAME", "STATE", "PID", "UPTIME", "RESTARTS", "READY", "USER", "MEM", "DETAIL"];

/// Returns the table of `rows`, which are some of those found.
pub(super) fn table(found: &Status, rows: &[&Row], colour: bool) -> String {
    let mut lines = vec![COLUMNS.map(str::to_owned)];
    lines.extend(rows.iter().map(|row| cells(found, row)));
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..COLUMNS.len()).map(width).collect();
    let mut out = head(found);
    for (number, line) in lines.iter().enumerate() {
        let mut text = String::new();
        for (column, cell) in line.iter().enumerate() {
            let padded = format!("{cell:<width$}  ", width = widths[column]);
            // Colour comes after the padding, so that it does not count as width.
            match (colour && column == 1 && number > 0, number) {
                (true, _) => text.push_str(&painted(&padded, rows[number - 1])),
                (false, _) => text.push_str(&padded),
            }
        }
        out.push_str(text.trim_end());
        out.push('\n');
    }
    out + &digests(found, rows)
}

/// Returns what was read and what is executed, each once, with those who execute it.
fn digests(found: &Status, rows: &[&Row]) -> String {
    let mut out = String::new();
    if let Some(digest) = &found.supervisor.manifest {
        out.push_str(&format!("manifest    sha256 {}\n", hex(digest)));
    }
    let mut executed: BTreeMap<Option<Digest>, Vec<String>> = BTreeMap::new();
    for row in rows {
        executed.entry(row.executable).or_default().push(title(found, row));
    }
    for (digest, titles) in executed {
        let digest = digest.as_ref().map_or_else(|| "not known".to_owned(), hex);
        out.push_str(&format!("executable  sha256 {digest}  {}\n", titles.join(", ")));
    }
    out
}

fn head(found: &Status) -> String {
    let supervisor = &found.supervisor;
    let mut notes = String::new();
    if supervisor.phase == Phase::ShuttingDown {
        notes.push_str(", stopping");
    }
    if supervisor.degraded {
        notes.push_str(", DEGRADED: a floor of the sandbox is missing on this machine");
    }
    let uptime = short(supervisor.uptime);
    let user = user(supervisor.uid);
    format!("{}: pid {}, user {user}, up {uptime}{notes}\n", escape(&supervisor.name), supervisor.pid)
}

fn painted(cell: &str, row: &Row) -> String {
    let code = match row.state {
        State::Ready | State::Done => "32",
        State::Failed => "31",
        State::Stopped => "2",
        _ => "33",
    };
    format!("\x1b[{code}m{cell}\x1b[0m")
}

fn cells(found: &Status, row: &Row) -> [String; 9] {
    let none = || "-".to_owned();
    [
        title(found, row),
        word(row.state).to_owned(),
        row.pid.map_or_else(none, |pid| pid.to_string()),
        row.uptime.map_or_else(none, short),
        row.restarts.to_string(),
        if row.state == State::Ready { "yes" } else { "no" }.to_owned(),
        if row.pid.is_some() { user(row.uid) } else { none() },
        memory(row).unwrap_or_else(none),
        detail(row),
    ]
}

/// Returns the worker's name, with the instance where there are several.
fn title(found: &Status, row: &Row) -> String {
    let several = found.workers.iter().any(|other| other.name == row.name && other.instance != row.instance);
    let name = escape(&row.name);
    if several || row.instance > 1 { format!("{name}.{}", row.instance) } else { name }
}

/// Returns the limit of memory and what enforces it.
fn memory(row: &Row) -> Option<String> {
    let limit = row.memory_max?;
    let size = match limit {
        limit if limit >= 1 << 30 && limit % (1 << 30) == 0 => format!("{}G", limit >> 30),
        limit if limit >= 1 << 20 => format!("{}M", limit >> 20),
        limit => format!("{}K", limit >> 10),
    };
    Some(format!("{size} ({})", mechanism(row.memory)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::sample;

    fn whole(found: &Status, colour: bool) -> String {
        table(found, &found.workers.iter().collect::<Vec<_>>(), colour)
    }

    #[test]
    fn the_table_says_of_each_worker_why_it_is_as_it_is() {
        let expected = "\
shop: pid 100, user root, up 1 h 1 min
NAME    STATE    PID  UPTIME  RESTARTS  READY  USER        MEM             DETAIL
binder  done     -    1.5 s   0         no     -           -               ended as it should
web.1   ready    101  1.5 s   0         yes    1879048192  256M (cgroup1)  at work
web.2   backoff  -    -       3         no     -           256M (cgroup1)  next start in 3.2 s: exit code 1
manifest    sha256 0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c
executable  sha256 not known  binder
executable  sha256 abababababababababababababababababababababababababababababababab  web.1, web.2
";
        assert_eq!(whole(&sample(), false), expected);
    }

    #[test]
    fn one_instance_alone_keeps_its_number() {
        let found = sample();
        let text = table(&found, &[&found.workers[1]], false);
        assert!(text.contains("\nweb.1 ") && !text.contains("web.2"), "{text}");
    }

    #[test]
    fn colours_change_no_column() {
        let coloured = whole(&sample(), true);
        assert!(coloured.contains("\x1b[32mready    \x1b[0m"), "{coloured}");
        let mut plain = coloured;
        for code in ["\x1b[32m", "\x1b[33m", "\x1b[0m"] {
            plain = plain.replace(code, "");
        }
        assert_eq!(plain, whole(&sample(), false));
    }

    #[test]
    fn what_is_wrong_with_the_whole_system_stands_at_the_top() {
        let mut found = sample();
        (found.supervisor.phase, found.supervisor.degraded) = (Phase::ShuttingDown, true);
        let text = whole(&found, false);
        assert!(text.lines().next().is_some_and(|line| line.contains(", stopping, DEGRADED")), "{text}");
    }
}
