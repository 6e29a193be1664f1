//! The table that a person reads.

use std::collections::BTreeMap;

use bailiwick_admin::documents::status::{Seen, Usage};
use bailiwick_admin::words::{detail, hex, mechanism, short, user};
use bailiwick_supervisor::check::escape;
use bailiwick_supervisor::control::{Containment, Phase, Row, State, Status, capability_names};
use bailiwick_supervisor::spec::Digest;

use crate::words::aligned;

const COLUMNS: [&str; 10] =
    ["NAME", "STATE", "PID", "UPTIME", "RESTARTS", "READY", "MAILBOX", "CPU", "MEM", "DETAIL"];

/// Returns the table of those that were `seen`, who are some of those found.
pub(super) fn table(found: &Status, seen: &[Seen<'_>], colour: bool) -> String {
    let mut lines = vec![COLUMNS.map(str::to_owned)];
    lines.extend(seen.iter().map(cells));
    let paint = |number: usize, column: usize, cell: String| match number.checked_sub(1) {
        Some(row) if colour && column == 1 => painted(&cell, seen[row].row),
        _ => cell,
    };
    head(found) + &aligned(&lines, paint) + &digests(found, seen)
}

/// Returns what was read, where more is served, and what is executed, each once, with those who execute it.
fn digests(found: &Status, seen: &[Seen<'_>]) -> String {
    let mut out = String::new();
    if let Some(digest) = &found.supervisor.manifest {
        let path = found.manifest.as_ref().map(|path| format!("  {}", escape(path)));
        out.push_str(&format!("manifest    sha256 {}{}\n", hex(digest), path.unwrap_or_default()));
    }
    if let Some(address) = &found.admin {
        out.push_str(&format!("admin       {}\n", url(address)));
    }
    let mut executed: BTreeMap<Option<Digest>, Vec<String>> = BTreeMap::new();
    for Seen { row, .. } in seen {
        executed.entry(row.executable).or_default().push(title(row));
    }
    for (digest, titles) in executed {
        let digest = digest.as_ref().map_or_else(|| "not known".to_owned(), hex);
        out.push_str(&format!("executable  sha256 {digest}  {}\n", titles.join(", ")));
    }
    out
}

/// Returns an address of the admin worker as people can use it.
fn url(address: &str) -> String {
    match address.starts_with('/') {
        true => format!("{}  (a Unix socket)", escape(address)),
        false => format!("http://{}/", escape(address)),
    }
}

/// Returns the line about the supervisor itself.
pub(crate) fn head(found: &Status) -> String {
    let supervisor = &found.supervisor;
    let mut notes = String::new();
    if supervisor.phase == Phase::ShuttingDown {
        notes.push_str(", stopping");
    }
    if supervisor.degraded {
        notes.push_str(", DEGRADED: a floor of the sandbox is missing on this machine");
    }
    if supervisor.persist_failing {
        notes.push_str(", persist failing: the state directory takes no writing");
    }
    let uptime = short(supervisor.uptime);
    let user = user(supervisor.uid);
    format!("{}: pid {}, user {user}, up {uptime}{notes}\n", escape(&supervisor.name), supervisor.pid)
}

/// Puts the colour of a worker's state around a cell.
pub(crate) fn painted(cell: &str, row: &Row) -> String {
    let code = match row.state {
        State::Ready | State::Done => "32",
        State::Failed => "31",
        State::Stopped => "2",
        _ => "33",
    };
    format!("\x1b[{code}m{cell}\x1b[0m")
}

fn cells(Seen { row, usage }: &Seen<'_>) -> [String; 10] {
    let none = || "-".to_owned();
    [
        title(row),
        row.state.word().to_owned(),
        row.pid.map_or_else(none, |pid| pid.to_string()),
        row.uptime.map_or_else(none, short),
        row.restarts.to_string(),
        if row.state == State::Ready { "yes" } else { "no" }.to_owned(),
        // What waits in a worker is known to nobody outside it yet.
        none(),
        usage.map_or_else(none, |usage| short(usage.cpu)),
        memory(row, *usage),
        detail(row),
    ]
}

/// Returns the worker's name, with the instance where there may be several.
pub(crate) fn title(row: &Row) -> String {
    escape(&row.title())
}

/// Returns the memory in use, the limit, and what enforces it.
fn memory(row: &Row, usage: Option<Usage>) -> String {
    let used = usage.map_or_else(|| "-".to_owned(), |usage| size(usage.memory_bytes));
    match row.memory_max {
        Some(limit) => format!("{used}/{} ({})", size(limit), mechanism(row.memory)),
        None => used,
    }
}

/// Writes a size in the largest unit that keeps it readable.
pub(crate) fn size(bytes: u64) -> String {
    match bytes {
        bytes if bytes >= 1 << 30 && bytes % (1 << 30) == 0 => format!("{}G", bytes >> 30),
        bytes if bytes >= 1 << 20 => format!("{}M", bytes >> 20),
        bytes => format!("{}K", bytes >> 10),
    }
}

/// Says of each worker what has no column: who it is to the kernel, and what it holds.
pub(crate) fn particulars(seen: &[Seen<'_>]) -> String {
    let mut out = String::new();
    for Seen { row, .. } in seen {
        let capabilities = capability_names(row.capabilities).join(" ");
        let capabilities = if capabilities.is_empty() { "no capabilities" } else { &capabilities };
        out.push_str(&format!(
            "{}: user {}, gid {}, {capabilities}{}; links {}, kept descriptors {}; {}{}\n",
            title(row),
            user(row.uid),
            row.gid,
            if row.privileged { ", privileged" } else { "" },
            row.links,
            row.kept,
            contained(row),
            if row.group.is_empty() { String::new() } else { format!("; group {}", escape(&row.group)) },
        ));
    }
    out
}

/// Says what keeps what it started from outliving it.
fn contained(row: &Row) -> &'static str {
    match row.containment {
        Containment::Alone => "starts nothing",
        Containment::Cgroup => "what it starts ends with its control group",
        Containment::User => "what it starts ends with its user",
        Containment::PidNamespace => "what it starts ends with its namespace of processes",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bailiwick_admin::sample::{sample, seen};

    fn whole(found: &Status, colour: bool) -> String {
        table(found, &seen(found), colour)
    }

    #[test]
    fn the_table_says_of_each_worker_why_it_is_as_it_is() {
        let expected = "\
shop: pid 100, user root, up 1 h 1 min
NAME    STATE    PID  UPTIME  RESTARTS  READY  MAILBOX  CPU    MEM                 DETAIL
binder  done     -    1.5 s   0         no     -        -      -                   ended as it should
web.1   ready    101  1.5 s   0         yes    -        1.2 s  12M/256M (cgroup1)  at work
web.2   backoff  -    -       3         no     -        -      -/256M (cgroup1)    next start in 3.2 s: exit code 1, 4/5 restarts in 30 s
manifest    sha256 0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c  /etc/shop.toml
admin       http://127.0.0.1:9464/
executable  sha256 not known  binder
executable  sha256 abababababababababababababababababababababababababababababababab  web.1, web.2
";
        assert_eq!(whole(&sample(), false), expected);
    }

    #[test]
    fn who_a_worker_is_to_the_kernel_is_told_of_those_that_are_named() {
        let mut found = sample();
        (found.workers[1].capabilities, found.workers[1].privileged) = (1 << 10, true);
        let expected = "\
web.1: user 1879048192, gid 1879048192, CAP_NET_BIND_SERVICE, privileged; links 1, kept descriptors 0; starts nothing
web.2: user 1879048192, gid 1879048192, no capabilities; links 1, kept descriptors 0; starts nothing
";
        assert_eq!(particulars(&seen(&found)[1..]), expected);
    }

    #[test]
    fn one_instance_alone_keeps_its_number() {
        let found = sample();
        let text = table(&found, &seen(&found)[1..2], false);
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
