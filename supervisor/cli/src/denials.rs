//! `denials`: which system calls and paths workers were denied, who was at work, and which line of the manifest would allow
//! each.
//!
//! What lives tells it on its slate; what has died left it in the report of its death. It is the worker's own word: a
//! worker that was taken over may say what it likes, so it is advice, and escaped.

mod path;
pub(crate) mod remedy;

use std::collections::BTreeMap;
use std::time::Duration;

use bailiwick_supervisor::check::escape;
use bailiwick_supervisor::control::{Client, ClientError, Target};
use bailiwick_sys::system_call;
use bailiwick_wire::crash::Report;
use bailiwick_wire::denials::Denial;
use serde::Serialize;

use crate::arguments::Denials;
use crate::exit::{Exit, Failure};
use crate::json::{self, SCHEMA_VERSION};
use crate::place;
use crate::screen::Screen;
use crate::status::{target, unknown};
use path::Path;

/// How long it takes at most until a denial of a worker that goes on is shown: nothing tells of it.
const PERIOD: Duration = Duration::from_secs(1);

#[derive(Serialize)]
struct Document {
    schema_version: u32,
    denials: Vec<Told>,
    /// How often workers were denied what they had no room to note.
    untold: u64,
}

/// One line of `-f --json`.
#[derive(Serialize)]
struct Line<'a> {
    schema_version: u32,
    #[serde(flatten)]
    denial: &'a Told,
}

/// One system call that was denied, or was denied one path, to one actor in one life.
#[derive(Clone, Debug, Serialize)]
struct Told {
    worker: String,
    instance: u16,
    generation: u32,
    life: String,
    /// When it was denied last, as the worker says.
    time: String,
    actor: Option<String>,
    method: Option<String>,
    /// Its name; its number where that is not known here.
    system_call: String,
    /// Its first two arguments, the first time; zeros where it is a path that was denied.
    arguments: [u64; 2],
    /// The path, where that was denied and not the call.
    path: Option<Path>,
    /// How often it was denied in this life so far.
    count: u64,
    /// Lines of the worker's `sandbox`, each of which would allow it.
    allowed_by: Vec<String>,
}

/// A denial that was shown, and how often it had happened then.
type Shown = BTreeMap<(String, String, Option<Path>, Option<String>, Option<String>), u64>;

pub(crate) fn denials(asked: &Denials, screen: &Screen) -> Result<Exit, Failure> {
    let client = Client::connect(&place::find(&asked.place)?)?;
    let whom = match &asked.name {
        Some(name) => {
            let status = client.status()?;
            target(&status, name).ok_or_else(|| unknown(&status, name))?
        }
        None => Target::System,
    };
    let mut seen = client.events(0, Duration::ZERO)?.last().map_or(0, |event| event.number);
    let mut shown = Shown::new();
    loop {
        let (found, untold) = match look(&client, &whom) {
            // Whoever follows a supervisor to its end has seen what there was to see.
            Err(ClientError::Closed) if asked.follow => return Ok(Exit::Done),
            found => found?,
        };
        let is_meant = |told: &Told| !asked.existing || told.path.as_ref().is_none_or(Path::may_be_here);
        let found = found.into_iter().filter(is_meant);
        let new: Vec<Told> = found.filter(|told| is_news(&mut shown, told)).collect();
        if !asked.follow {
            screen.print(&match asked.json {
                true => json::document(&Document { schema_version: SCHEMA_VERSION, denials: new, untold }),
                false => text(&new, untold),
            });
            return Ok(Exit::Done);
        }
        for told in &new {
            screen.print(&match asked.json {
                true => json::line(&Line { schema_version: SCHEMA_VERSION, denial: told }),
                false => line(told),
            });
        }
        if screen.is_left_alone() {
            return Ok(Exit::Done);
        }
        match client.events(seen, PERIOD) {
            Err(ClientError::Closed) => return Ok(Exit::Done),
            events => seen = events?.last().map_or(seen, |event| event.number),
        }
    }
}

/// Returns what is known of all that was denied to somebody, as a person reads it.
pub(crate) fn known(client: &Client, whom: &Target) -> Result<String, ClientError> {
    look(client, whom).map(|(all, untold)| text(&all, untold))
}

/// Returns what is known of all that was denied, the oldest first.
fn look(client: &Client, whom: &Target) -> Result<(Vec<Told>, u64), ClientError> {
    // The living first: who dies in between is in the reports, and is known by then.
    let mut reports = client.denials(whom.clone())?;
    reports.extend(client.crashes(whom.clone())?);
    let untold = reports.iter().map(|report| report.untold_denials).fold(0, u64::saturating_add);
    let all = reports.iter().flat_map(|report| report.denials.iter().map(move |denial| (report, denial)));
    let mut all: Vec<(&Report, &Denial)> = all.collect();
    all.sort_by_key(|(_, denial)| denial.last_ns);
    Ok((all.into_iter().map(|(report, denial)| told(report, denial)).collect(), untold))
}

fn told(report: &Report, denial: &Denial) -> Told {
    let number = i64::try_from(denial.number).unwrap_or(i64::MAX);
    let name = system_call::name(number);
    let ago = Duration::from_nanos(report.ended.monotonic_ns.saturating_sub(denial.last_ns));
    let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    Told {
        worker: report.worker.clone(),
        instance: report.instance,
        generation: report.generation,
        life: report.life(),
        time: json::time(report.ended.wall.saturating_sub(ago)),
        actor: some(&denial.actor),
        method: some(&denial.method),
        system_call: name.map_or_else(|| format!("system call {}", denial.number), str::to_owned),
        arguments: denial.arguments,
        count: denial.count,
        allowed_by: match &denial.path {
            Some(path) => remedy::of_path(path).into_iter().collect(),
            None => name.map(remedy::of).unwrap_or_default(),
        },
        path: denial.path.as_ref().map(Path::of),
    }
}

/// Tells whether a denial has happened again since it was shown, and remembers it.
fn is_news(shown: &mut Shown, told: &Told) -> bool {
    let (life, call, path) = (told.life.clone(), told.system_call.clone(), told.path.clone());
    let key = (life, call, path, told.actor.clone(), told.method.clone());
    shown.insert(key, told.count).is_none_or(|before| told.count > before)
}

fn text(all: &[Told], untold: u64) -> String {
    let mut text: String = all.iter().map(line).collect();
    if untold > 0 {
        text.push_str(&format!("{untold} more, for which there was no room\n"));
    }
    if text.is_empty() { "nothing was denied that is known of\n".to_owned() } else { text }
}

fn line(told: &Told) -> String {
    let at_work = match (&told.actor, &told.method) {
        (Some(actor), Some(method)) => format!(" {} in {}", escape(actor), escape(method)),
        (Some(actor), None) => format!(" {}", escape(actor)),
        (None, _) => String::new(),
    };
    let [first, second] = told.arguments;
    let what = match &told.path {
        Some(path) => path.words(&told.system_call),
        None => format!("{}({first:#x}, {second:#x}, ..)", told.system_call),
    };
    let times = if told.count == 1 { String::new() } else { format!(", {} times", told.count) };
    let remedy = match told.allowed_by.as_slice() {
        [] => told.path.as_ref().map_or("no line of a sandbox allows it", Path::why_no_line).to_owned(),
        lines => format!("[worker.{}.sandbox] {}", told.worker, lines.join(", or ")),
    };
    format!("{}  {}{at_work}: {what}{times}; {remedy}\n", told.time, escape(&told.life),)
}

#[cfg(test)]
mod tests {
    use bailiwick_wire::crash::Moment;
    use bailiwick_wire::denials::path::{DeniedPath, Place, Want};

    use super::*;

    fn report(actor: &str) -> Report {
        let number = system_call::number("connect").unwrap().unsigned_abs();
        let denial = Denial {
            number,
            count: 3,
            arguments: [5, 0x7fff],
            last_ns: 4_000_000_000,
            actor: actor.into(),
            method: "Web.get".into(),
            path: None,
        };
        Report {
            ended: Moment { wall: Duration::from_secs(1_000_000_004), monotonic_ns: 5_000_000_000 },
            denials: vec![denial],
            ..Report::of("web", 1, 3)
        }
    }

    #[test]
    fn a_person_reads_who_was_denied_what_and_what_would_allow_it() {
        let report = report("front\u{1b}[2J");
        let line = line(&told(&report, &report.denials[0]));
        assert_eq!(
            line,
            "2001-09-09T01:46:43.000Z  web#3 front\\u{1b}[2J in Web.get: connect(0x5, 0x7fff, ..), 3 times; \
             [worker.web.sandbox] tcp_connect = [PORT], or udp_bind = true, or \
             system_call_filter = [\"+connect\"]\n"
        );
        assert_eq!(text(&[], 0), "nothing was denied that is known of\n");
        assert!(text(&[], 2).starts_with("2 more"));
    }

    #[test]
    fn a_path_is_told_with_what_was_wanted_what_came_of_it_and_its_line() {
        let mut report = report("front");
        let mut line = |call: &str, path: DeniedPath| {
            report.denials[0].number = system_call::number(call).unwrap().unsigned_abs();
            (report.denials[0].count, report.denials[0].path) = (1, Some(path));
            let line = line(&told(&report, &report.denials[0]));
            line.split_once("Web.get: ").unwrap().1.trim_end().to_owned()
        };
        let hidden = DeniedPath {
            text: "/etc/app.conf".into(),
            errno: 2,
            place: Place::Hidden,
            ..DeniedPath::default()
        };
        assert_eq!(
            line("openat", hidden.clone()),
            "openat(\"/etc/app.conf\") to read: ENOENT, hidden or nowhere; \
             [worker.web.sandbox] read_only_paths = [\"/etc/app.conf\"]"
        );
        let made = DeniedPath { want: Want::Name, errno: 30, place: Place::Granted, ..hidden.clone() };
        assert_eq!(
            line("mkdirat", made.clone()),
            "mkdirat(\"/etc/app.conf\") to make or remove: EROFS, in what it was granted; \
             [worker.web.sandbox] read_write_paths = [\"/etc\"]"
        );
        let refused = DeniedPath { want: Want::Write, errno: 13, ..made };
        assert_eq!(
            line("openat", refused),
            "openat(\"/etc/app.conf\") to write: EACCES, in what it was granted; \
             its owner and mode say so, or `inaccessible_paths`"
        );
        let below =
            DeniedPath { text: "a\u{1b}[2J".into(), below: Some(7), errno: 13, ..DeniedPath::default() };
        assert_eq!(
            line("statx", below),
            "statx(\"a\\u{1b}[2J\" below descriptor 7) to read: EACCES; no line is known that allows it"
        );
        let long = DeniedPath { text: "/".repeat(240), is_cut: true, errno: 2, ..DeniedPath::default() };
        assert!(line("openat", long).contains("/\"..) to read: ENOENT; no line is known"));
    }

    #[test]
    fn what_has_happened_again_is_news_and_what_has_not_is_none() {
        let report = report("front");
        let mut shown = Shown::new();
        let first = told(&report, &report.denials[0]);
        assert!(is_news(&mut shown, &first) && !is_news(&mut shown, &first));
        assert!(is_news(&mut shown, &Told { count: 4, ..first.clone() }));
        assert!(is_news(&mut shown, &Told { actor: None, ..first.clone() }));
        assert!(is_news(&mut shown, &Told { life: "web#4".into(), ..first }));
    }

    #[test]
    fn numbers_that_nobody_has_are_told_as_numbers() {
        let mut report = report("");
        (report.denials[0].number, report.denials[0].last_ns) = (u64::MAX, u64::MAX);
        let told = told(&report, &report.denials[0]);
        assert_eq!((told.system_call.as_str(), told.actor), ("system call 18446744073709551615", None));
        assert_eq!(told.allowed_by, [""; 0]);
    }
}
