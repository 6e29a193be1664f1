//! Reports of deaths as a person reads them: what, why, what follows.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use bailiwick_supervisor::check::escape;
use bailiwick_supervisor::control::{Cause, signal_name};
use bailiwick_wire::crash::{Core, End, Report};

use super::stacks;
use crate::json::time;
use bailiwick_admin::documents::crashes::{call, overflowed};
use bailiwick_admin::words::{hex, short};

/// One line for each report, the latest last.
pub(super) fn table(reports: &[Report]) -> String {
    let mut table = String::new();
    for report in reports {
        let detail = escape(&report.decision.detail);
        let _ = writeln!(table, "{}  {}: {}; {detail}", time(report.ended.wall), life(report), why(report));
    }
    table
}

/// When, why, and what followed, for whoever looks at the worker.
pub(super) fn brief(report: &Report) -> String {
    let (ended, life) = (time(report.ended.wall), life(report));
    format!("last crash: {ended}, {life}\n  why: {}\n  follows: {}\n", why(report), follows(report))
}

/// Everything about one report that is known.
pub(super) fn detail(report: &Report, executable: Option<&Path>) -> String {
    let mut text = String::new();
    for (name, fact) in facts(report) {
        let _ = writeln!(text, "{name:>12}  {fact}");
    }
    for (thread, name, calls) in stacks(report, executable) {
        let _ = writeln!(text, "\nthread {thread} {}", escape(&name));
        indent(&mut text, calls.iter().map(String::as_str));
    }
    text += &left_out("the stacks", report.cut.backtraces_bytes);
    if !report.snapshot.is_empty() {
        let _ = writeln!(text, "\nas it stood when it was ended:");
        let snapshot = String::from_utf8_lossy(&report.snapshot);
        indent(&mut text, snapshot.lines());
        text += &left_out("this", report.cut.snapshot_bytes);
    }
    if !report.last_lines.is_empty() {
        let _ = writeln!(text, "\nits last lines:");
        indent(&mut text, report.last_lines.iter().map(String::as_str));
    }
    text
}

/// Says that something was too long to be kept as a whole.
fn left_out(what: &str, bytes: u32) -> String {
    if bytes == 0 { String::new() } else { format!("    {bytes} bytes more of {what} were not kept\n") }
}

fn facts(report: &Report) -> Vec<(&'static str, String)> {
    let pid = report.pid.map_or_else(|| "no process".to_owned(), |pid| format!("pid {pid}"));
    let mut facts = vec![
        ("what", format!("{}, {pid}", life(report))),
        ("why", why(report)),
        ("follows", follows(report)),
        ("lived", lived(report)),
    ];
    let words = &report.last_words;
    if let Some(poll) = report.at_work.as_ref().filter(|poll| !poll.actor.is_empty()) {
        facts.push(("at work on", format!("{} of actor {}", escape(&poll.method), escape(&poll.actor))));
    }
    if let Some(panic) = &words.panic {
        let (location, thread) = (escape(&panic.location), escape(&panic.thread));
        let actor = Some(escape(&panic.actor)).filter(|actor| !actor.is_empty());
        let actor = actor.map(|actor| format!(", actor {actor}")).unwrap_or_default();
        let (ago, count) = (before_end(report, panic.at_ns), panic.count);
        facts.push(("latest panic", escape(&panic.message)));
        let rest = format!("at {location}, thread {thread}{actor}, {ago} before the end, {count} in all");
        facts.push(("", rest));
    }
    for (at, step) in words.gave_up.iter().flat_map(|gave_up| &gave_up.chain).enumerate() {
        let name = if at == 0 { "gave up" } else { "" };
        facts.push((name, format!("{}: {}", escape(&step.actor), escape(&step.why))));
    }
    for sent in &report.sent {
        let name = signal_name(sent.signal).map_or_else(|| sent.signal.to_string(), str::to_owned);
        facts.push(("sent by us", format!("{name}, {} before the end", before_end(report, sent.at_ns))));
    }
    facts.push(("used", used(report)));
    if !words.build_id.is_empty() {
        facts.push(("build id", hex(&words.build_id)));
    }
    if words.lost_messages > 0 {
        facts.push(("lost", format!("{} messages could not be delivered in this life", words.lost_messages)));
    }
    facts
}

fn indent<'a>(text: &mut String, lines: impl Iterator<Item = &'a str>) {
    for line in lines {
        let _ = writeln!(text, "    {}", escape(line));
    }
}

fn life(report: &Report) -> String {
    escape(&report.life())
}

/// Says why a life ended, with all that is known of it.
fn why(report: &Report) -> String {
    let more = match (report.cause, &report.end) {
        (Cause::ForbiddenSyscall, _) => call(report).map(|name| format!(" {name}")),
        // Where the kernel counts, its count decides; where it does not, nobody knows.
        (Cause::Signal(9), _) => {
            Some(" (an operator, or the kernel for want of memory: see dmesg)".to_owned())
        }
        (Cause::SpawnFailed(_), End::NotStarted { step, .. }) if !step.is_empty() => {
            Some(format!(", at {}", escape(step)))
        }
        (Cause::Signal(_), End::Signalled { core: true, .. }) => Some(match &report.core {
            Some(Core::File(path)) => format!(", core written to {}", escape(path)),
            Some(Core::Program(path)) => format!(", core given to {}", escape(path)),
            None => ", core written".to_owned(),
        }),
        (Cause::Signal(_), End::Signalled { core: false, .. }) => Some(", no core".to_owned()),
        _ => None,
    };
    let stack = if overflowed(report) { " (a stack that overflowed)" } else { "" };
    format!("{}{stack}{}", report.cause, more.unwrap_or_default())
}

fn follows(report: &Report) -> String {
    let budget = &report.budget;
    let mut text = escape(&report.decision.detail);
    if budget.charged {
        let period = short(budget.period);
        let _ = write!(text, "; {} of {} restarts left in {period}", budget.left, budget.max);
    }
    for step in &report.steps {
        let _ = write!(text, "; {}", escape(step));
    }
    text
}

fn lived(report: &Report) -> String {
    let lived = before_end(report, report.began.monotonic_ns);
    match report.ready_for {
        Some(ready) => format!("{lived}, ready for {}, last {}", short(ready), escape(&report.last_state)),
        None => format!("{lived}, never ready, last {}", escape(&report.last_state)),
    }
}

fn used(report: &Report) -> String {
    let (usage, counters) = (&report.usage, &report.counters);
    let mut text = format!(
        "{} in its own code, {} in the kernel, {} KiB of memory at most",
        short(usage.user),
        short(usage.system),
        usage.peak_memory_bytes >> 10
    );
    let mut add = |count: Option<u64>, what: &str| {
        if let Some(count) = count.filter(|count| *count > 0) {
            let _ = write!(text, ", {count} {what}");
        }
    };
    add(counters.oom_kills, "killed for want of memory in its group");
    add(counters.tasks_refused, "tasks refused");
    text
}

fn before_end(report: &Report, at_ns: u64) -> String {
    short(Duration::from_nanos(report.ended.monotonic_ns.saturating_sub(at_ns)))
}
