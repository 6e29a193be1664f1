//! `[worker.NAME]` and its sandbox.

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use bailiwick_sys::identity::GROUPS_MAX;
use bailiwick_wire::slate::THREADS;

use super::fields::Fields;
use super::names::named;
use super::values::{Account, Bytes, Choice};
use super::vocabulary::Table;
use super::{actor, confinement, contradictions, environment, file_view, limits, program};
use crate::check::Diagnostic;
use crate::spec::{Backoff, Exec, MessageLimits, Reactions, Sandbox, TrustDomain, WhileDown, Worker};

/// The most workers of one system.
const MAX_WORKERS: usize = 256;
/// The most processes of one worker.
const MAX_INSTANCES: u16 = 1024;

/// What the crash of a less privileged worker may bring down besides itself.
#[derive(Clone, Copy)]
struct All;

impl Choice for All {
    const WORDS: &'static [(&'static str, Self)] = &[("all", Self)];
    const LATER: &'static [&'static str] = &[];
}

/// Reads every worker.
pub(super) fn all(top: &mut Fields<'_, '_>) -> Vec<Worker> {
    let mut workers = Vec::new();
    for entry in named(top, "worker", MAX_WORKERS) {
        let path = format!("worker.{}", entry.name);
        let mut fields = Fields::entry(top.reader, path, Table::Worker, &entry);
        workers.push(worker(&mut fields, entry.name));
        fields.finish();
    }
    workers
}

fn worker(fields: &mut Fields<'_, '_>, name: &str) -> Worker {
    let mut worker = Worker::new(name, Exec::Path(PathBuf::new()));
    program::read(fields, &mut worker);
    fields.set_within("instances", 0..=MAX_INSTANCES, &mut worker.instances);
    worker.max_children = within(fields, "max_children", 1, MAX_INSTANCES);
    fields.set("group", &mut worker.group);
    fields.set("needs", &mut worker.needs);
    fields.set("wants", &mut worker.wants);
    fields.set("after", &mut worker.after);
    fields.set("kept", &mut worker.kept);
    lives(fields, &mut worker);
    fields.set("essential", &mut worker.essential);
    fields.set("significant", &mut worker.significant);
    fields.set("privileged", &mut worker.privileged);
    times(fields, &mut worker);
    fields.set("on_sigstop", &mut worker.on_sigstop);
    if let Some(mut table) = fields.table("on", Table::On) {
        worker.on = reactions(&mut table);
        table.finish();
    }
    fields.set_within("max_offences", 0..=10_000, &mut worker.max_offences);
    fields.set_positive("offence_period", &mut worker.offence_period);
    fields.set("ok_exit", &mut worker.ok_exit);
    fields.set("no_restart_exit", &mut worker.no_restart_exit);
    fields.set("uncounted_exit", &mut worker.uncounted_exit);
    fields.set("working_directory", &mut worker.working_directory);
    fields.set("may", &mut worker.may);
    worker.crash_may_stop_all = fields.read::<All>("crash_may_stop").is_some();
    worker.trust_domain = fields.read::<String>("trust_domain").map(|name| TrustDomain::new(&name));
    environment::read(fields, &mut worker);
    environment::credentials(fields, &mut worker);
    if let Some(mut table) = fields.table("backoff", Table::Backoff) {
        worker.backoff = backoff(&mut table);
        table.finish();
    }
    if let Some(mut table) = fields.table("sandbox", Table::Sandbox) {
        worker.sandbox = sandbox(&mut table);
        table.finish();
    }
    worker.actors = actor::all(fields);
    worker.actor_terms = actor::supervision(fields);
    actor::check_significant(fields, &worker);
    if let Some(mut table) = fields.table("while_down", Table::WhileDown) {
        worker.while_down = while_down(&mut table);
        table.finish();
    }
    if let Some(mut table) = fields.table("channel", Table::Channel) {
        table.set("on_violation", &mut worker.on_violation);
        worker.channel = channel(&mut table);
        table.finish();
    }
    let found = contradictions::settle(&mut worker, &fields.reader.places);
    fields.reader.found.extend(found);
    worker
}

fn lives(fields: &mut Fields<'_, '_>, worker: &mut Worker) {
    fields.set("restart", &mut worker.restart);
    fields.set("start", &mut worker.start);
    fields.set_positive("idle_stop", &mut worker.idle_stop);
    fields.set_within("max_messages", 1..=u32::MAX, &mut worker.max_messages);
    fields.set_positive("max_age", &mut worker.max_age);
    fields.set_within("threads", 1..=THREADS, &mut worker.threads);
    fields.set_within("spares", 0..=1, &mut worker.spares);
}

fn times(fields: &mut Fields<'_, '_>, worker: &mut Worker) {
    fields.set_positive("start_timeout", &mut worker.start_timeout);
    fields.set("stop_timeout", &mut worker.stop_timeout);
    fields.set("drain_timeout", &mut worker.drain_timeout);
    fields.set("abort_timeout", &mut worker.abort_timeout);
    fields.set_positive("reload_timeout", &mut worker.reload_timeout);
    fields.set("stuck_after", &mut worker.stuck_after);
    fields.set("liveness_timeout", &mut worker.liveness_timeout);
    fields.set("stable_after", &mut worker.stable_after);
}

fn reactions(fields: &mut Fields<'_, '_>) -> Reactions {
    let mut on = Reactions::default();
    fields.set("exit", &mut on.exit);
    fields.set("signal", &mut on.signal);
    fields.set("oom", &mut on.oom);
    fields.set("hang", &mut on.hang);
    fields.set("violation", &mut on.violation);
    fields.set("forbidden_syscall", &mut on.forbidden_syscall);
    on
}

/// Reads what may wait with each sender. The limits keep what waits for all workers together within a gigabyte or so.
fn while_down(fields: &mut Fields<'_, '_>) -> WhileDown {
    let mut limit = WhileDown::default();
    let mut bytes = Bytes(u64::from(limit.bytes));
    fields.set_within("messages", 0..=1 << 20, &mut limit.messages);
    fields.set_within("bytes", Bytes(0)..=Bytes(64 << 20), &mut bytes);
    limit.bytes = u32::try_from(bytes.0).unwrap_or(limit.bytes);
    limit
}

/// Reads what one message may cost. The limits keep what decoding fills and how deep it goes within what a thread has.
fn channel(fields: &mut Fields<'_, '_>) -> MessageLimits {
    let most = |bytes: u32| Bytes(bytes.into());
    let mut bytes = most(MessageLimits::MAX_FRAME_BYTES);
    fields.set_within("max_frame", Bytes(1 << 10)..=bytes, &mut bytes);
    // The budget goes with the frame unless it is written.
    let mut limits = MessageLimits::of_frame(u32::try_from(bytes.0).unwrap_or(u32::MAX));
    fields.set_within("max_depth", 1..=MessageLimits::MAX_DEPTH, &mut limits.depth);
    fields.set_within("max_elements", 1..=MessageLimits::MAX_ELEMENTS, &mut limits.elements);
    let mut budget = most(limits.produced_bytes);
    fields.set_within("decode_budget", Bytes(1 << 10)..=most(MessageLimits::MAX_PRODUCED_BYTES), &mut budget);
    limits.produced_bytes = u32::try_from(budget.0).unwrap_or(limits.produced_bytes);
    limits
}

pub(super) fn backoff(fields: &mut Fields<'_, '_>) -> Backoff {
    let mut backoff = Backoff::default();
    fields.set("first", &mut backoff.first);
    fields.set("base", &mut backoff.base);
    backoff.factor_permille = permille(fields, "factor", 1.0..=100.0, backoff.factor_permille);
    fields.set("cap", &mut backoff.cap);
    backoff.jitter_permille = permille(fields, "jitter", 0.0..=1.0, backoff.jitter_permille);
    for (key, pause) in [("first", backoff.first), ("base", backoff.base)] {
        if pause > backoff.cap {
            let written = |found: Duration| format!("{found:?}");
            let error = Diagnostic::error(format!("`{key}` is longer than the longest pause, `cap`"))
                .at_key(fields.key(key), written(pause))
                .at_key_if_written(fields.key("cap"), written(backoff.cap))
                .help(format!("raise `cap`, which is {:?}", backoff.cap));
            fields.reader.refuse(error);
        }
    }
    backoff
}

/// Reads a number within limits, in thousandths.
fn permille(
    fields: &mut Fields<'_, '_>,
    key: &'static str,
    limits: RangeInclusive<f64>,
    default: u32,
) -> u32 {
    let mut value = f64::from(default) / 1000.0;
    fields.set_within(key, limits, &mut value);
    (value * 1000.0).round() as u32
}

fn sandbox(fields: &mut Fields<'_, '_>) -> Sandbox {
    let mut sandbox = Sandbox::default();
    fields.set("preset", &mut sandbox.preset);
    sandbox.user = fields.read::<Account>("user").map(|account| account.0).filter(|user| user != "dynamic");
    sandbox.group = fields.read::<Account>("group").map(|account| account.0);
    sandbox.supplementary_groups = groups(fields);
    sandbox.keyring_mode = fields.read("keyring_mode");
    fields.set("capabilities", &mut sandbox.capabilities);
    fields.set("read_only_paths", &mut sandbox.read_only_paths);
    fields.set("read_write_paths", &mut sandbox.read_write_paths);
    sandbox.private_mounts = fields.read("private_mounts");
    fields.set("private_tmp", &mut sandbox.private_tmp);
    fields.set("inaccessible_paths", &mut sandbox.inaccessible_paths);
    file_view::read(fields, &mut sandbox);
    sandbox.private_network = fields.read("private_network");
    sandbox.private_ipc = fields.read("private_ipc");
    sandbox.protect_hostname = fields.read("protect_hostname");
    fields.set("tcp_bind", &mut sandbox.tcp_bind);
    fields.set("tcp_connect", &mut sandbox.tcp_connect);
    confinement::read(fields, &mut sandbox);
    limits::read(fields, &mut sandbox);
    sandbox.nice = within(fields, "nice", -20, 19);
    sandbox.oom_score_adjust = within(fields, "oom_score_adjust", -1000, 1000);
    sandbox.private_pids = fields.read("private_pids");
    sandbox.private_users = fields.read("private_users");
    sandbox
}

fn groups(fields: &mut Fields<'_, '_>) -> Vec<String> {
    let groups = fields.read::<Vec<Account>>("supplementary_groups").unwrap_or_default();
    if groups.len() > GROUPS_MAX {
        let error =
            Diagnostic::error(format!("{} supplementary groups, the limit is {GROUPS_MAX}", groups.len()));
        fields.reader.refuse(error.at_key(fields.key("supplementary_groups"), "too many"));
    }
    groups.into_iter().map(|group| group.0).collect()
}

/// Reads an optional number within limits.
pub(super) fn within<T>(fields: &mut Fields<'_, '_>, key: &'static str, least: T, most: T) -> Option<T>
where
    T: super::values::FromToml + PartialOrd + std::fmt::Display + Copy,
{
    let mut value = least;
    fields.set_within(key, least..=most, &mut value);
    fields.key_span(key).map(|_| value)
}
