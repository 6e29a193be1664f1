//! `audit`: who broke which rule, from the supervisor's bounded memory, and who does.

use bailiwick_supervisor::check::escape;
use bailiwick_supervisor::control::{Cause, Client, Event, Target};
use bailiwick_wire::audit::Violation;
use serde::Serialize;

use crate::arguments::Audit;
use crate::events::each;
use crate::exit::{Exit, Failure};
use crate::json::{self, SCHEMA_VERSION};
use crate::place;
use crate::screen::Screen;
use crate::status::{target, unknown};

#[derive(Serialize)]
struct Document {
    schema_version: u32,
    violations: Vec<Told>,
}

/// One line of `-f --json`.
#[derive(Serialize)]
struct Line {
    schema_version: u32,
    #[serde(flatten)]
    violation: Told,
}

#[derive(Serialize)]
struct Told {
    number: u64,
    time: String,
    time_mono_ns: u64,
    worker: String,
    instance: u16,
    generation: u32,
    class: &'static str,
    rule: &'static str,
    killed: bool,
    pid: Option<u32>,
    uid: Option<u32>,
    /// Violations of this worker before this one that were counted and not recorded.
    unrecorded: u64,
    frame: Option<Frame>,
    /// The header as it travelled, in hexadecimal digits.
    header: Option<String>,
    payload_hash: Option<String>,
    detail: String,
}

#[derive(Serialize)]
struct Frame {
    kind: String,
    slot: u32,
    generation: u32,
    method: u16,
    length: u32,
    descriptors: u16,
}

pub(crate) fn audit(asked: &Audit, screen: &Screen) -> Result<Exit, Failure> {
    let whom = whom(asked)?;
    let asked = &asked.events;
    let mut all = Vec::new();
    let mut shown = 0_u64;
    each(asked, screen, |event, _| {
        let Some(told) = told(&event).filter(|told| is_of(told, &whom)) else { return };
        shown += 1;
        match (asked.json, asked.follow) {
            (true, false) => all.push(told),
            (true, true) => {
                screen.print(&json::line(&Line { schema_version: SCHEMA_VERSION, violation: told }));
            }
            (false, _) => screen.print(&line(&told)),
        }
    })?;
    if asked.json && !asked.follow {
        screen.print(&json::document(&Document { schema_version: SCHEMA_VERSION, violations: all }));
    } else if shown == 0 && !asked.follow {
        // On stderr: data is one violation a line.
        screen.say("nobody broke a rule, as far as is remembered\n");
    }
    Ok(Exit::Done)
}

/// Returns whose violations are meant.
fn whom(asked: &Audit) -> Result<Target, Failure> {
    let Some(name) = &asked.name else { return Ok(Target::System) };
    let status = Client::connect(&place::find(&asked.events.place)?)?.status()?;
    target(&status, name).ok_or_else(|| unknown(&status, name))
}

fn is_of(told: &Told, whom: &Target) -> bool {
    match whom {
        Target::System => true,
        Target::Worker(name) => told.worker == *name,
        Target::Instance(name, instance) => told.worker == *name && told.instance == *instance,
    }
}

/// Returns what is told of an event, if it is a violation: of a protocol, or of the sandbox.
fn told(event: &Event) -> Option<Told> {
    let nothing = Violation::default();
    let (class, rule, violation) = match (&event.violation, event.cause) {
        (Some(violation), _) => (violation.class().word(), violation.rule(), &**violation),
        (None, Some(Cause::ForbiddenSyscall)) => ("sandbox", "forbidden_syscall", &nothing),
        (None, _) => return None,
    };
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let is_about_a_frame = violation.evidence != Default::default();
    let frame = violation.evidence.frame().map(|header| Frame {
        kind: format!("{:?}", header.kind).to_lowercase(),
        slot: header.slot,
        generation: header.generation,
        method: header.method,
        length: header.length,
        descriptors: header.fds,
    });
    Some(Told {
        number: event.number,
        time: json::time(event.wall),
        time_mono_ns: event.monotonic_ns,
        worker: event.worker.clone(),
        instance: event.instance,
        generation: event.generation,
        class,
        rule,
        killed: violation.is_killed || event.violation.is_none(),
        pid: Some(violation.pid).filter(|pid| *pid != 0),
        uid: Some(violation.uid).filter(|_| violation.pid != 0),
        unrecorded: violation.unrecorded,
        frame,
        header: is_about_a_frame.then(|| hex(&violation.evidence.header)),
        payload_hash: is_about_a_frame.then(|| hex(&violation.evidence.hash)),
        detail: event.detail.clone(),
    })
}

fn line(told: &Told) -> String {
    let unrecorded = match told.unrecorded {
        0 => String::new(),
        count => format!("  (after {count} that were not recorded)"),
    };
    let process =
        told.pid.zip(told.uid).map(|(pid, uid)| format!("  pid {pid} uid {uid}")).unwrap_or_default();
    format!("{}  {} {}  {}{process}{unrecorded}\n", told.time, told.class, told.rule, escape(&told.detail))
}
