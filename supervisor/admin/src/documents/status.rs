//! The supervisor and its workers at one moment, as `status --json` and `/api/v1/workers` say it.

use std::time::Duration;

use bailiwick_supervisor::control::{Phase, Row, State, Status};
use serde::Serialize;

use crate::json::{self, SCHEMA_VERSION};
use crate::words::{detail, hex, mechanism};

/// A worker, and what its process uses.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    /// The worker.
    pub row: &'a Row,
    /// Missing without a process, and where nobody is there to tell.
    pub usage: Option<Usage>,
}

/// What one process uses, without its descendants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    /// The time that it computed.
    pub cpu: Duration,
    /// The memory that it has in place.
    pub memory_bytes: u64,
}

/// The supervisor and some workers at one moment. Spans of time are in seconds.
#[derive(Serialize)]
pub struct Document<'a, C: Serialize> {
    schema_version: u32,
    time: String,
    supervisor: Supervisor<'a>,
    workers: Vec<Worker<'a>>,
    /// What the one worker that was named printed last.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_lines: Option<&'a [String]>,
    /// How it ended last in another way than it should.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_crash: Option<C>,
}

#[derive(Serialize)]
struct Supervisor<'a> {
    name: &'a str,
    pid: u32,
    uid: u32,
    uptime_s: f64,
    started_at: String,
    guarded: bool,
    last_event: u64,
    /// `ok`, or `failing` while what lives cannot be written into the state directory.
    persist: &'static str,
    phase: &'static str,
    degraded: bool,
    /// Where the manifest is; null if there is none.
    manifest: Option<&'a str>,
    manifest_sha256: Option<String>,
    /// Where the admin worker serves: an address and a port, or the path of a Unix socket; null if there is no such worker.
    admin: Option<&'a str>,
}

#[derive(Serialize)]
struct Worker<'a> {
    name: &'a str,
    instance: u16,
    state: &'static str,
    ready: bool,
    pid: Option<u32>,
    /// The process that waits to be its next life.
    spare_pid: Option<u32>,
    generation: u32,
    restarts: u32,
    failures: u32,
    group: &'a str,
    /// How long it has been in its state, and since when.
    state_s: f64,
    state_since: String,
    uptime_s: Option<f64>,
    started_at: Option<String>,
    uid: u32,
    gid: u32,
    capabilities: String,
    privileged: bool,
    cpu_s: Option<f64>,
    memory_bytes: Option<u64>,
    memory_max_bytes: Option<u64>,
    memory_mechanism: Option<&'static str>,
    next_start_in_s: Option<f64>,
    next_start_at: Option<String>,
    sigstopped: bool,
    traced: bool,
    stuck: bool,
    unkillable: bool,
    config_changed: bool,
    binary_changed: bool,
    cooling_down: bool,
    skipped: bool,
    rolling: bool,
    last_reload: Option<&'static str>,
    given_up: Option<&'static str>,
    /// Whom it waits for, or with whom it was given up.
    because_of: Option<&'a str>,
    /// What keeps what it started from outliving it.
    containment: &'static str,
    budget: Budget,
    last_cause: Option<String>,
    kept: u16,
    links: u16,
    output_dropped_bytes: u64,
    accusations_ignored: u64,
    executable_sha256: Option<String>,
    detail: String,
}

/// Restarts that the worker's group may still have, of how many, within which window.
#[derive(Serialize)]
struct Budget {
    left: u32,
    max: u32,
    period_s: f64,
}

/// Returns the document.
pub fn document<'a, C: Serialize>(
    found: &'a Status,
    seen: &[Seen<'a>],
    last_lines: Option<&'a [String]>,
    last_crash: Option<C>,
) -> Document<'a, C> {
    let (now, supervisor) = (json::now(), &found.supervisor);
    Document {
        schema_version: SCHEMA_VERSION,
        time: json::time(now),
        supervisor: Supervisor {
            name: &supervisor.name,
            pid: supervisor.pid,
            uid: supervisor.uid,
            uptime_s: supervisor.uptime.as_secs_f64(),
            started_at: json::time(now.saturating_sub(supervisor.uptime)),
            guarded: supervisor.guarded,
            last_event: supervisor.last_event,
            persist: if supervisor.persist_failing { "failing" } else { "ok" },
            phase: if supervisor.phase == Phase::ShuttingDown { "shutting_down" } else { "running" },
            degraded: supervisor.degraded,
            manifest: found.manifest.as_deref(),
            manifest_sha256: supervisor.manifest.as_ref().map(hex),
            admin: found.admin.as_deref(),
        },
        workers: seen.iter().map(|seen| worker(now, seen)).collect(),
        last_lines,
        last_crash,
    }
}

fn worker<'a>(now: Duration, seen: &Seen<'a>) -> Worker<'a> {
    let (row, usage, signs) = (seen.row, seen.usage, seen.row.signs);
    let budget =
        Budget { left: row.budget_left, max: row.budget_max, period_s: row.budget_period.as_secs_f64() };
    Worker {
        name: &row.name,
        instance: row.instance,
        state: row.state.word(),
        ready: row.state == State::Ready,
        pid: row.pid,
        spare_pid: row.spare,
        generation: row.generation,
        restarts: row.restarts,
        failures: row.failures,
        group: &row.group,
        state_s: row.since.as_secs_f64(),
        state_since: json::time(now.saturating_sub(row.since)),
        uptime_s: row.uptime.map(|time| time.as_secs_f64()),
        started_at: row.uptime.map(|time| json::time(now.saturating_sub(time))),
        uid: row.uid,
        gid: row.gid,
        capabilities: format!("{:016x}", row.capabilities),
        privileged: row.privileged,
        cpu_s: usage.map(|usage| usage.cpu.as_secs_f64()),
        memory_bytes: usage.map(|usage| usage.memory_bytes),
        memory_max_bytes: row.memory_max,
        memory_mechanism: row.memory_max.map(|_| mechanism(row.memory)),
        next_start_in_s: row.next_start.map(|time| time.as_secs_f64()),
        next_start_at: row.next_start.map(|time| json::time(now + time)),
        sigstopped: signs.sigstopped,
        traced: signs.traced,
        stuck: signs.stuck,
        unkillable: signs.unkillable,
        config_changed: signs.config_changed,
        binary_changed: signs.binary_changed,
        cooling_down: signs.cooling_down,
        skipped: signs.skipped,
        rolling: signs.rolling,
        last_reload: row.last_reload.map(|reload| reload.word()),
        given_up: row.given_up.map(|why| why.word()),
        because_of: (!row.because_of.is_empty()).then_some(&*row.because_of),
        containment: row.containment.word(),
        budget,
        last_cause: row.last_cause.map(|cause| cause.to_string()),
        kept: row.kept,
        links: row.links,
        output_dropped_bytes: row.output_dropped,
        accusations_ignored: row.accusations_ignored,
        executable_sha256: row.executable.as_ref().map(hex),
        detail: detail(row),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::sample::{sample, seen};

    #[test]
    fn the_document_has_a_version_numbers_for_times_and_the_reason() {
        let found = sample();
        let text = json::document(&document(&found, &seen(&found), None, None::<()>));
        let document: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(document["schema_version"], 1);
        assert_eq!(document["supervisor"]["uptime_s"], 3700.0);
        let web = &document["workers"][2];
        assert_eq!(
            (&web["name"], &web["instance"], &web["state"]),
            (&"web".into(), &2.into(), &"backoff".into())
        );
        assert_eq!((&web["ready"], &web["next_start_in_s"]), (&false.into(), &3.2.into()));
        assert_eq!(web["last_cause"], "exit code 1");
        assert_eq!(web["detail"], "next start in 3.2 s: exit code 1, 4/5 restarts in 30 s");
        assert_eq!(web["budget"], serde_json::json!({ "left": 1, "max": 5, "period_s": 30.0 }));
        assert_eq!((&web["cpu_s"], &web["memory_bytes"]), (&Value::Null, &Value::Null));
        let at_work = &document["workers"][1];
        assert_eq!((&at_work["cpu_s"], &at_work["memory_bytes"]), (&1.2.into(), &(12 << 20).into()));
        assert_eq!(document["supervisor"]["manifest"], "/etc/shop.toml");
        assert_eq!(document["supervisor"]["admin"], "127.0.0.1:9464");
        assert_eq!(document["supervisor"]["manifest_sha256"], "0c".repeat(32));
        assert_eq!(web["executable_sha256"], "ab".repeat(32));
        assert_eq!(document["workers"][0]["executable_sha256"], Value::Null);
        assert!(!text.contains('\u{1b}') && text.ends_with("}\n"));
    }
}
