//! Whether what a program declares fits together, told before anything starts.

use std::io::IsTerminal;

use bailiwick_supervisor::check::{self, Diagnostic, Diagnostics, Places, Severity, nearest};
use bailiwick_supervisor::manifest::{is_name, is_reserved};
use bailiwick_supervisor::spec::System;

use super::Worker;

/// A program that is not run.
#[derive(Debug)]
pub(super) struct Refusal {
    /// Everything that is wrong, for a person.
    pub(super) text: String,
    pub(super) exit_code: u8,
}

/// Finds names that are none, and grants of methods that the granted actors do not have. Whether names are declared is
/// the check's to say.
pub(super) fn faults(system: &System, workers: &[Worker]) -> Vec<String> {
    let mut faults = bad_names(system);
    for grant in &system.grants {
        let Some(to) = workers.iter().find(|worker| worker.name() == grant.to_worker) else { continue };
        let is_meant = |name: &str| grant.to_actor.as_deref().is_none_or(|actor| actor == name);
        let granted = to.actors().iter().filter(|hosted| is_meant(&hosted.actor_name()));
        let protocols: Vec<_> = granted.flat_map(|hosted| hosted.protocols()).collect();
        let known: Vec<&str> =
            protocols.iter().flat_map(|protocol| &protocol.methods).map(|method| method.name).collect();
        for method in grant.methods.iter().flatten().filter(|method| !known.contains(&method.as_str())) {
            let hint = nearest(method, known.iter().copied());
            let hint = hint.map(|name| format!(", did you mean `{name}`?")).unwrap_or_default();
            faults.push(format!(
                "`{}` is granted the method `{method}` of `{}`, which has no such method{hint}",
                grant.from, grant.to_worker
            ));
        }
    }
    faults
}

/// Finds names that no address can hold, or that are Bailiwick's own. A manifest says so where it is read.
fn bad_names(system: &System) -> Vec<String> {
    let workers = system.workers.iter().map(|worker| ("worker", &worker.name));
    let actors = system.workers.iter().flat_map(|worker| &worker.actors).map(|actor| ("actor", &actor.name));
    let groups = system.groups.iter().map(|group| ("group", &group.name));
    let mut found = Vec::new();
    for (what, name) in workers.chain(actors).chain(groups) {
        if !is_name(name) {
            let expected = "a letter, then letters, digits, `_` and `-`, 63 at most";
            found.push(format!("`{name}` cannot be the name of a {what}: expected {expected}"));
        } else if is_reserved(what, name) {
            found.push(format!("`{name}` is a name of Bailiwick's own, no {what}'s: choose another one"));
        }
    }
    found
}

/// Refuses a program in which something is wrong; warnings alone are printed and let pass.
pub(super) fn verdict(system: &System, faults: Vec<String>) -> Result<(), Refusal> {
    let mut found: Vec<Diagnostic> = faults.into_iter().map(Diagnostic::error).collect();
    found.extend(check::system(system));
    found.extend(check::machine(system));
    for help in found.iter_mut().filter_map(|one| one.help.as_mut()) {
        *help = in_code(help);
    }
    if found.is_empty() {
        return Ok(());
    }
    let is_refused = found.iter().any(|diagnostic| diagnostic.severity == Severity::Error);
    let colour = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let diagnostics = Diagnostics::new("main", "", &Places::default(), found);
    let text = diagnostics.render(colour);
    if is_refused {
        return Err(Refusal { text, exit_code: diagnostics.exit_code() });
    }
    eprint!("{text}");
    Ok(())
}

/// Says what to do as a program does it: the check speaks to who writes a manifest.
fn in_code(help: &str) -> String {
    IN_CODE.iter().fold(help.to_owned(), |help, (manifest, code)| help.replace(manifest, code))
}

const IN_CODE: [(&str, &str); 12] = [
    ("`[worker.NAME]`", "`.worker(\"NAME\", ..)`"),
    ("`[group.NAME]`", "`.group(Group::new(\"NAME\"))`"),
    ("`[worker.NAME.actor.NAME]` with `type = \"TYPE\"`", "`.serve(..)`"),
    ("`crash_may_stop = \"all\"` in the worker", "`.crash_may_stop_all()` on the worker"),
    ("`privileged = true` in the worker", "`.privileged()` on its sandbox"),
    ("`needs = [\"WORKER\"]`", "`.needs(\"WORKER\")`"),
    ("the manifest's folder", "the folder in which the program is started"),
    ("`start = \"on_demand\"`", "`.on_demand()`"),
    ("`idle_stop`", "`.idle_stop(..)`"),
    ("`spares`", "`.spare()`"),
    ("with `user`", "with `.user(..)` on the sandbox"),
    ("--allow-degraded starts", "`.allow_degraded()` on the program starts"),
];

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crate::prelude::*;
    use crate::{Group, Worker};

    #[protocol]
    trait Tidy {
        async fn tidy(&mut self);
    }

    struct Clerk;

    impl Tidy for Clerk {
        async fn tidy(&mut self) {}
    }

    fn refusal(program: Program) -> super::Refusal {
        program.system().expect_err("something is wrong with it")
    }

    fn program(worker: Worker) -> Program {
        Program::new().add(worker).main("front", Sandbox::sealed(), async |_| Ok(()))
    }

    #[test]
    fn a_name_that_no_address_can_hold_is_refused() {
        for name in ["my worker", "a/b", "a.1", "1st", "operator"] {
            let refusal = refusal(program(Worker::new(name, Sandbox::sealed())));
            assert!(refusal.text.contains(&format!("`{name}` ")), "{}", refusal.text);
            assert_eq!(refusal.exit_code, 78);
        }
        let group = refusal(program(Worker::new("a", Sandbox::sealed())).group(Group::new("a b")));
        assert!(group.text.contains("`a b` cannot be the name of a group"), "{}", group.text);
    }

    #[test]
    fn advice_is_what_a_program_can_follow() {
        let sealed = || Worker::new("a", Sandbox::sealed());
        for (worker, advice) in [
            (sealed().group("g"), "declare it: `.group(Group::new(\"NAME\"))`"),
            (sealed().needs("nobody"), "declare it: `.worker(\"NAME\", ..)`"),
            (sealed().kept("http"), "`.needs(\"WORKER\")`"),
            (sealed().essential(), "`.crash_may_stop_all()` on the worker"),
            (Worker::new("a", Sandbox::sealed().user("root")), "`.privileged()` on its sandbox"),
            (
                Worker::new("a", Sandbox::sealed().read("/no/such")),
                "the folder in which the program is started",
            ),
        ] {
            let refusal = refusal(program(worker));
            assert!(refusal.text.contains(advice), "no {advice:?} in {}", refusal.text);
        }
    }

    /// Seen to fail with the names looked at only where a manifest is read.
    #[test]
    fn what_another_worker_leaves_to_its_next_life_is_handed_to_nobody() {
        for name in [".handoff", "", "a/b", "a-name-that-is-longer-than-32-letters"] {
            let keeper = Worker::new("keeper", Sandbox::sealed());
            let refusal =
                refusal(program(Worker::new("a", Sandbox::sealed()).needs("keeper").kept(name)).add(keeper));
            let title = format!("`{name}` cannot be handed to `a`");
            assert!(refusal.text.contains(&title), "no {title:?} in {}", refusal.text);
            assert_eq!(refusal.exit_code, 78);
        }
        let twice = Worker::new("a", Sandbox::sealed()).needs("front").kept("http").kept("http");
        assert!(refusal(program(twice)).text.contains("the second time"));
    }

    #[test]
    fn lives_that_cannot_be_meant_are_refused_as_in_a_manifest() {
        let sealed = || Worker::new("a", Sandbox::sealed());
        let (idle, folder) = (Duration::from_secs(1), tempfile::tempdir().unwrap());
        let writes = || Sandbox::sealed().write(folder.path());
        for (worker, parts) in [
            (
                sealed().spare().on_demand(),
                ["a spare for a worker that starts on demand", "remove `.spare()`"],
            ),
            (
                Worker::new("a", writes()).spare(),
                ["a spare for a worker with files of its own", "with `.user(..)` on the sandbox"],
            ),
            (sealed().oneshot().spare(), ["`spares` for a worker that ends by itself", "worker.a.spares"]),
            (sealed().oneshot().max_messages(1), ["`max_messages` for a worker that ends by itself", ""]),
            (
                sealed().max_messages(1).serve(TidyRef::serve(|| Clerk).handoff()),
                ["the actor `tidy` cannot hand off what is unread", "leave one of the two out"],
            ),
            (sealed().oneshot().max_age(idle), ["`max_age` for a worker that ends by itself", ""]),
            (sealed().oneshot().on_demand(), ["`start` for a worker that ends by itself", ""]),
            (
                sealed().idle_stop(idle),
                ["`idle_stop` for a worker that nobody would start again", "write `.on_demand()`"],
            ),
        ] {
            let refusal = refusal(program(worker));
            assert_eq!(refusal.exit_code, 78);
            for part in parts {
                assert!(refusal.text.contains(part), "no {part:?} in {}", refusal.text);
            }
        }
        assert!(program(sealed().spare()).system().is_ok());
        assert!(program(Worker::new("a", writes())).system().is_ok());
    }

    #[test]
    fn an_essential_worker_without_privilege_is_accepted_in_writing() {
        let program = program(Worker::new("a", Sandbox::sealed()).essential().crash_may_stop_all());
        assert!(program.system().is_ok());
    }
}
