//! The terms on which a worker lives, and its groups and its supervisor: key by key, as a manifest would have to say it.

use std::fmt::{Debug, Write as _};
use std::time::Duration;

use bailiwick_supervisor::spec::{
    Actor, ActorTerms, Backoff, Calls, Command, Denial, Exec, Families, FileView, Group, Listener, Reactions,
    Sandbox, Scoped, System, Worker,
};
use bailiwick_sys::Errno;
use serde::Serialize;

/// A key with its value.
#[derive(Debug, PartialEq, Serialize)]
pub(super) struct Term {
    pub(super) key: &'static str,
    pub(super) value: String,
    /// Whether it is another than the one that holds where nothing is said.
    pub(super) declared: bool,
}

/// A group that a worker is in, or that is around such a group; the last is the root.
#[derive(Serialize)]
pub(super) struct Around {
    /// Null for the root.
    pub(super) group: Option<String>,
    pub(super) terms: Vec<Term>,
}

/// What holds for all workers together.
#[derive(Serialize)]
pub(super) struct Supervisor {
    pub(super) terms: Vec<Term>,
    pub(super) listeners: Vec<String>,
    /// SHA-256 of the manifest, in hexadecimal digits.
    pub(super) manifest: Option<String>,
}

/// An actor that is there from a worker's start on.
#[derive(Serialize)]
pub(super) struct Hosted {
    pub(super) actor: String,
    #[serde(rename = "type")]
    pub(super) type_name: String,
    pub(super) terms: Vec<Term>,
}

type Values = Vec<(&'static str, String)>;

/// Says of each value whether it is another than the usual one.
fn compared(values: Values, usual: &Values) -> Vec<Term> {
    let is_usual = |one: &(&'static str, String)| usual.contains(one);
    let term = |one| Term { declared: !is_usual(&one), key: one.0, value: one.1 };
    values.into_iter().map(term).collect()
}

/// Returns on which terms a worker starts, goes on and ends.
pub(super) fn of_worker(worker: &Worker) -> Vec<Term> {
    let mut usual = Worker::new("", Exec::Own);
    // A foreign program has terms of its own, and the usual ones of these.
    usual.command = worker.command.as_ref().map(|_| Default::default());
    compared(values(worker), &values(&usual))
}

fn values(worker: &Worker) -> Values {
    let domain = worker.trust_domain.as_ref();
    let mut all = vec![
        ("kind", word(worker.kind)),
        ("instances", worker.instances.to_string()),
        ("max_children", option(worker.max_children)),
        ("group", text(worker.group.as_deref())),
        ("needs", list(&worker.needs)),
        ("wants", list(&worker.wants)),
        ("after", list(&worker.after)),
        ("start", word(worker.start)),
        ("idle_stop", or_never(worker.idle_stop)),
        ("restart", word(worker.restart)),
        ("max_messages", worker.max_messages.to_string()),
        ("max_age", or_never(worker.max_age)),
        ("threads", worker.threads.to_string()),
        ("spares", worker.spares.to_string()),
        ("essential", worker.essential.to_string()),
        ("significant", worker.significant.to_string()),
        ("crash_may_stop", if worker.crash_may_stop_all { "all" } else { "itself" }.to_owned()),
        ("start_timeout", time(worker.start_timeout)),
        ("drain_timeout", time(worker.drain_timeout)),
        ("stop_timeout", time(worker.stop_timeout)),
        ("abort_timeout", time(worker.abort_timeout)),
        ("reload_timeout", time(worker.reload_timeout)),
        ("stuck_after", or_never(worker.stuck_after)),
        ("liveness_timeout", or_never(worker.liveness_timeout)),
        ("on_sigstop", word(worker.on_sigstop)),
        ("trust_domain", text(domain.map(|domain| &domain.name))),
        ("trust_domain.link", text(domain.map(|domain| word(domain.link)))),
        ("trust_domain.busy_poll", text(domain.map(|domain| format!("{:?}", domain.busy_poll)))),
        ("channel.on_violation", word(worker.on_violation)),
        ("channel.max_frame", worker.channel.frame_bytes.to_string()),
        ("channel.max_depth", worker.channel.depth.to_string()),
        ("channel.max_elements", worker.channel.elements.to_string()),
        ("channel.decode_budget", worker.channel.produced_bytes.to_string()),
        ("stable_after", time(worker.stable_after)),
        ("max_offences", worker.max_offences.to_string()),
        ("offence_period", time(worker.offence_period)),
        ("ok_exit", list(&worker.ok_exit)),
        ("no_restart_exit", list(&worker.no_restart_exit)),
        ("uncounted_exit", list(&worker.uncounted_exit)),
        ("working_directory", text(worker.working_directory.as_ref().map(|path| path.display()))),
        (
            "oom_policy",
            text(worker.sandbox.shares.oom_kills_all.map(|all| if all { "kill" } else { "continue" })),
        ),
        ("while_down.messages", worker.while_down.messages.to_string()),
        ("while_down.bytes", worker.while_down.bytes.to_string()),
    ];
    all.extend(reactions(&worker.on));
    all.extend(pauses(&worker.backoff, BACKOFF));
    all.extend(of_actors(&worker.actor_terms));
    all.extend(worker.command.iter().flat_map(of_command));
    all
}

fn of_command(command: &Command) -> Values {
    vec![
        ("command", list(&command.arguments)),
        ("notify", command.notify.to_string()),
        ("watchdog", command.watchdog.map_or_else(|| "none".to_owned(), time)),
        ("stop_signal", format!("{:?}", command.stop_signal.signal())),
    ]
}

fn reactions(on: &Reactions) -> Values {
    vec![
        ("on.exit", word(on.exit)),
        ("on.signal", word(on.signal)),
        ("on.oom", word(on.oom)),
        ("on.hang", word(on.hang)),
        ("on.violation", word(on.violation)),
        ("on.forbidden_syscall", word(on.forbidden_syscall)),
    ]
}

const BACKOFF: [&str; 5] =
    ["backoff.first", "backoff.base", "backoff.factor", "backoff.cap", "backoff.jitter"];
const ACTORS_BACKOFF: [&str; 5] = [
    "actors.backoff.first",
    "actors.backoff.base",
    "actors.backoff.factor",
    "actors.backoff.cap",
    "actors.backoff.jitter",
];

fn pauses(backoff: &Backoff, keys: [&'static str; 5]) -> Values {
    let thousandths = |number: u32| (f64::from(number) / 1000.0).to_string();
    let values = [
        time(backoff.first),
        time(backoff.base),
        thousandths(backoff.factor_permille),
        time(backoff.cap),
        thousandths(backoff.jitter_permille),
    ];
    keys.into_iter().zip(values).collect()
}

fn of_actors(terms: &ActorTerms) -> Values {
    let mut all = vec![
        ("actors.strategy", word(terms.strategy)),
        ("actors.max_restarts", terms.max_restarts.to_string()),
        ("actors.period", time(terms.period)),
        ("actors.on_exhausted", word(terms.on_exhausted)),
        ("actors.auto_shutdown", word(terms.auto_shutdown)),
        ("actors.stable_after", time(terms.stable_after)),
    ];
    all.extend(pauses(&terms.backoff, ACTORS_BACKOFF));
    all
}

/// Returns on which terms each actor of a worker is there.
pub(super) fn hosted(worker: &Worker) -> Vec<Hosted> {
    let of = |actor: &Actor| Hosted {
        actor: actor.name.clone(),
        type_name: actor.type_name.clone(),
        terms: compared(of_actor(actor), &of_actor(&usual(actor))),
    };
    worker.actors.iter().map(of).collect()
}

/// Returns an actor of which nothing is said but what it is.
fn usual(actor: &Actor) -> Actor {
    let (args, restart, mailbox) = (None, None, Default::default());
    Actor { args, restart, significant: false, handoff: false, mailbox, ..actor.clone() }
}

fn of_actor(actor: &Actor) -> Values {
    let mailbox = &actor.mailbox;
    let args = actor.args.as_ref().map(|args| format!("{} (line {})", args.text, args.line));
    vec![
        ("args", text(args)),
        ("restart", actor.restart.map_or_else(|| "as its factory says".to_owned(), word)),
        ("significant", actor.significant.to_string()),
        ("handoff", actor.handoff.to_string()),
        ("mailbox.capacity", or_infinity(mailbox.capacity)),
        ("mailbox.capacity_bytes", or_infinity(mailbox.capacity_bytes)),
        ("mailbox.on_full", word(mailbox.on_full)),
    ]
}

/// Returns the groups around a worker, its own first.
pub(super) fn around(system: &System, worker: &Worker) -> Vec<Around> {
    let of = |group: &Group| Around {
        group: (!std::ptr::eq(group, &system.root)).then(|| group.name.clone()),
        terms: compared(of_group(group), &of_group(&Group::new(""))),
    };
    system.around(worker).map(of).collect()
}

fn of_group(group: &Group) -> Values {
    vec![
        ("group", text(group.parent.as_deref())),
        ("strategy", word(group.strategy)),
        ("max_restarts", group.max_restarts.to_string()),
        ("period", time(group.period)),
        ("on_exhausted", word(group.on_exhausted)),
        ("auto_shutdown", word(group.auto_shutdown)),
        ("significant", group.significant.to_string()),
    ]
}

/// Returns what holds for all workers together.
pub(super) fn supervisor(system: &System) -> Supervisor {
    let usual = System { shutdown_timeout: Duration::ZERO, ..System::default() };
    let listener = |listener: &Listener| match &listener.address {
        Some(address) => format!("{}: {address}, unless whoever starts it passes one", listener.name),
        None => format!("{}: whoever starts it must pass it", listener.name),
    };
    Supervisor {
        terms: compared(of_system(system), &of_system(&usual)),
        listeners: system.listeners.iter().map(listener).collect(),
        manifest: system.manifest.map(|digest| digest.iter().map(|byte| format!("{byte:02x}")).collect()),
    }
}

fn of_system(system: &System) -> Values {
    let uids = system.worker_uids.as_ref().map(|range| format!("{:#x} to {:#x}", range.start(), range.end()));
    let policy = if system.allow_degraded { "best-effort" } else { "require" };
    vec![
        ("state_dir", text(system.state_dir.as_ref().map(|path| path.display()))),
        ("profile", word(system.profile)),
        ("sandbox_policy", policy.to_owned()),
        ("uid_range", text(uids)),
        ("shutdown_timeout", time(system.shutdown_timeout)),
        ("exit_code_from", text(system.exit_code_from.as_deref())),
    ]
}

/// Returns what narrows or widens the view and the calls of a sandbox, as far as anything is said.
pub(super) fn of_sandbox(sandbox: &Sandbox) -> Vec<Term> {
    let (view, usual) = (&sandbox.view, FileView::default());
    let rows = [
        ("private_devices", view.private_devices.map(|yes| yes.to_string())),
        ("protect_system", Some(view.protect_system).filter(|it| *it != usual.protect_system).map(word)),
        ("protect_home", Some(view.protect_home).filter(|it| *it != usual.protect_home).map(word)),
        ("protect_proc", view.protect_proc.map(word)),
        ("proc_subset", view.proc_subset.map(word)),
        ("landlock.scope", sandbox.landlock_scope.as_deref().map(scope)),
    ];
    let of_view =
        rows.into_iter().filter_map(|(key, value)| Some(Term { key, value: value?, declared: true }));
    of_view.chain(of_calls(&sandbox.calls)).collect()
}

fn scope(scoped: &[Scoped]) -> String {
    let kept = |scoped: &Scoped| match scoped {
        Scoped::Signals => "signal",
        Scoped::AbstractSockets => "abstract-unix",
    };
    if scoped.is_empty() {
        "nothing".to_owned()
    } else {
        scoped.iter().map(kept).collect::<Vec<_>>().join(" ")
    }
}

fn of_calls(calls: &Calls) -> Vec<Term> {
    let said = |yes: Option<bool>| yes.map(|yes| yes.to_string());
    let some = |names: &[String]| (!names.is_empty()).then(|| names.join(" "));
    let rows = [
        ("system_call_filter", some(&calls.filter)),
        ("system_call_error_number", calls.denial.map(denial)),
        ("system_call_log", some(&calls.log)),
        ("log_denied_paths", said(calls.log_denied_paths)),
        ("system_call_architectures", calls.architectures.map(word)),
        ("restrict_address_families", calls.families.as_ref().map(families)),
        (
            "restrict_namespaces",
            calls.namespaces.as_ref().map(|kinds| match kinds.as_slice() {
                [] => "true".to_owned(),
                some => format!("all but {}", some.iter().copied().map(word).collect::<Vec<_>>().join(" ")),
            }),
        ),
        ("restrict_realtime", said(calls.restrict_realtime)),
        ("restrict_suid_sgid", said(calls.restrict_suid_sgid)),
        ("lock_personality", said(calls.lock_personality)),
        ("memory_deny_write_execute", said(calls.memory_deny_write_execute)),
        ("memfd_no_exec", said(calls.memfd_no_exec)),
    ];
    rows.into_iter().filter_map(|(key, value)| Some(Term { key, value: value?, declared: true })).collect()
}

fn denial(denial: Denial) -> String {
    match denial {
        Denial::Kills => "kill".to_owned(),
        Denial::Fails(number) => format!("{:?}", Errno::from_raw(number.into())),
    }
}

fn families(families: &Families) -> String {
    match families {
        Families::Only(names) if names.is_empty() => "none".to_owned(),
        Families::Only(names) => names.join(" "),
        Families::Except(names) => format!("all but {}", names.join(" ")),
    }
}

/// Returns the word that a manifest has for a variant: `OneForOne` is `one_for_one`.
fn word(variant: impl Debug) -> String {
    let mut word = String::new();
    for (at, letter) in format!("{variant:?}").char_indices() {
        if letter.is_uppercase() && at > 0 {
            word.push('_');
        }
        word.extend(letter.to_lowercase());
    }
    word
}

fn or_infinity(limit: u32) -> String {
    if limit == u32::MAX { "infinity".to_owned() } else { limit.to_string() }
}

fn time(time: Duration) -> String {
    if time.is_zero() { "0s".to_owned() } else { format!("{time:?}") }
}

fn or_never(limit: Duration) -> String {
    if limit.is_zero() { "never".to_owned() } else { time(limit) }
}

fn option(number: Option<u16>) -> String {
    number.map_or_else(|| "none".to_owned(), |number| number.to_string())
}

fn text(text: Option<impl ToString>) -> String {
    text.map_or_else(|| "none".to_owned(), |text| text.to_string())
}

fn list(list: &[impl ToString]) -> String {
    let mut out = "[".to_owned();
    for (at, one) in list.iter().enumerate() {
        let _never_fails = write!(out, "{}{}", if at > 0 { ", " } else { "" }, one.to_string());
    }
    out + "]"
}
