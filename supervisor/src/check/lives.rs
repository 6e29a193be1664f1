//! Whether what is said of how a worker's lives begin, end and follow each other can be meant together.

use super::{Diagnostic, quote};
use crate::spec::{Kind, Start, System, Worker};

/// Checks every worker's lives.
pub(super) fn check(system: &System) -> Vec<Diagnostic> {
    system
        .workers
        .iter()
        .flat_map(|worker| {
            [passing(worker), idle(worker), waiting(worker), crowded(worker), handed_on(worker)].concat()
        })
        .collect()
}

/// Finds what only one that stays can have, of a worker that does not.
fn passing(worker: &Worker) -> Vec<Diagnostic> {
    let keys = [
        ("start", worker.start == Start::OnDemand),
        ("max_messages", worker.max_messages > 0),
        ("max_age", !worker.max_age.is_zero()),
        ("spares", worker.spares > 0),
    ];
    let meant = keys.into_iter().filter(|(_, is_set)| worker.kind != Kind::Resident && *is_set);
    meant
        .map(|(key, _)| {
            Diagnostic::error(format!("`{key}` for a worker that ends by itself"))
                .at_key(of(worker, key), "is of one that stays until it is stopped")
                .at_key_if_written(of(worker, "kind"), "ends by itself")
                .help("remove one of the two")
        })
        .collect()
}

/// Finds an end or a beginning that nobody would wait for.
fn idle(worker: &Worker) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    if worker.start == Start::Boot && !worker.idle_stop.is_zero() {
        found.push(
            Diagnostic::error("`idle_stop` for a worker that nobody would start again")
                .at_key(of(worker, "idle_stop"), "stops it when it has nothing to do")
                .at_key_if_written(of(worker, "start"), "starts it with the system only")
                .help("write `start = \"on_demand\"`, or remove `idle_stop`"),
        );
    }
    if worker.start == Start::OnDemand && worker.significant {
        found.push(
            Diagnostic::error("a significant worker that starts on demand")
                .at_key(of(worker, "significant"), "its end is waited for")
                .at_key(of(worker, "start"), "it may never begin, and begins again after each end")
                .help("remove one of the two"),
        );
    }
    found
}

/// Finds what a spare cannot wait behind.
fn waiting(worker: &Worker) -> Vec<Diagnostic> {
    let owns_files = !worker.sandbox.read_write_paths.is_empty() && worker.sandbox.user.is_none();
    let none = "remove `spares`";
    let reasons = [
        (
            worker.start == Start::OnDemand,
            "that starts on demand",
            ("start", "has no process until it is wanted"),
            none,
        ),
        (
            worker.command.is_some(),
            "that is a foreign program",
            ("command", "does not wait before it begins"),
            none,
        ),
        (
            owns_files,
            "with files of its own",
            ("sandbox.read_write_paths", "written by one user, and the spare may have another"),
            "name the user that both have with `user`, or remove `spares`",
        ),
    ];
    let meant = reasons.into_iter().filter(|(holds, ..)| *holds && worker.spares > 0);
    meant
        .map(|(_, title, (key, text), help)| {
            Diagnostic::error(format!("a spare for a worker {title}"))
                .at_key(of(worker, "spares"), "a process that waits to be the next life")
                .at_key(of(worker, key), text)
                .help(help)
        })
        .collect()
}

/// Finds what is to be handed on to a life that is to see little of the one before.
fn handed_on(worker: &Worker) -> Vec<Diagnostic> {
    let meant = worker.actors.iter().filter(|actor| actor.handoff && worker.max_messages > 0);
    meant
        .map(|actor| {
            Diagnostic::error(format!("the actor {} cannot hand off what is unread", quote(&actor.name)))
                .at_key(
                    of(worker, &format!("actor.{}.handoff", actor.name)),
                    "the next life would handle it all",
                )
                .at_key(of(worker, "max_messages"), "each life takes so few")
                .help("leave one of the two out")
        })
        .collect()
}

/// Finds threads that the worker's sandbox would not let it have.
fn crowded(worker: &Worker) -> Vec<Diagnostic> {
    let most = worker.sandbox.tasks_max.filter(|most| *most < worker.threads.into());
    let found = most.map(|most| {
        Diagnostic::error(format!("{} threads for a worker that may have {most}", worker.threads))
            .at_key(of(worker, "threads"), "run its actors")
            .at_key(
                of(worker, "sandbox.tasks_max"),
                "counts them, and every other one and each process of it",
            )
            .help("raise `tasks_max`, or lower `threads`")
    });
    found.into_iter().collect()
}

fn of(worker: &Worker, key: &str) -> String {
    format!("worker.{}.{key}", worker.name)
}
