//! What a worker may do under one system and may not under another: the privilege diff of a reload.

use std::path::PathBuf;

use crate::sandbox::{Decision, SystemCall, Verdict, decisions};
use crate::spec::{
    Bind, Exec, Grant, HidePid, KeyringMode, OnViolation, Once, Preset, ProcSubset, Rate, Sandbox, Scoped,
    System, Worker,
};

/// Returns, line by line, who gains what when `new` takes the place of `old`. Limits and times are no privileges, and a
/// worker that did not exist could do nothing.
pub(super) fn gains(old: &System, new: &System) -> Vec<String> {
    let mut found = Vec::new();
    for worker in &new.workers {
        let nothing = Worker::new(&worker.name, Exec::Own);
        let before = old.workers.iter().find(|one| one.name == worker.name).unwrap_or(&nothing);
        found.extend(of_worker(before, worker).into_iter().map(|gain| format!("{}\t{gain}", worker.name)));
    }
    for grant in new.grants.iter().filter(|grant| !old.grants.iter().any(|known| covers(known, grant))) {
        let actor = grant.to_actor.as_ref().map_or_else(String::new, |actor| format!("/{actor}"));
        let methods = grant.methods.as_ref().map_or_else(|| "every method".into(), |all| all.join(", "));
        let methods = match (grant.once, grant.rate) {
            (Once::Ever, _) => format!("{methods}, each once"),
            (Once::PerLife, _) => format!("{methods}, each once in a life"),
            (Once::No, Some(rate)) => format!("{methods}, {} in {:?}", rate.messages, rate.period),
            (Once::No, None) => methods,
        };
        found.push(format!("{}\tmay send to {}{actor}: {methods}", grant.from, grant.to_worker));
    }
    found
}

fn of_worker(old: &Worker, new: &Worker) -> Vec<String> {
    let mut found = of_sandbox(&old.sandbox, &new.sandbox);
    let mut gain = |condition: bool, text: &str| found.extend(condition.then(|| text.to_owned()));
    gain(new.privileged && !old.privileged, "privileged");
    let goes_free = |worker: &Worker| worker.on_violation == OnViolation::Log;
    gain(goes_free(new) && !goes_free(old), "is not killed when it breaks the rules of a link");
    gain(new.crash_may_stop_all && !old.crash_may_stop_all, "its crash may stop everything");
    let domain = |worker: &Worker| worker.trust_domain.as_ref().map(|domain| domain.name.clone());
    gain(domain(new).is_some() && domain(new) != domain(old), "shares memory with others of a trust domain");
    found.extend(added(&old.may, &new.may).map(|may| format!("may {}", may.words())));
    let loaded = new.credentials.iter().filter(|(name, path)| old.credentials.get(*name) != Some(*path));
    found.extend(loaded.map(|(name, path)| format!("is handed the credential {name}, {}", path.display())));
    let passed = added(&old.pass_environment, &new.pass_environment);
    found.extend(passed.map(|name| format!("is passed the variable {name}")));
    found.extend(of_calls(old, new));
    found.extend(added(&old.kept, &new.kept).map(|name| format!("is handed the kept descriptor {name}")));
    found
}

fn of_sandbox(old: &Sandbox, new: &Sandbox) -> Vec<String> {
    let mut found = Vec::new();
    if widens(old.preset, new.preset) {
        found.push(format!("preset {:?} instead of {:?}", new.preset, old.preset));
    }
    found.extend(new.user.iter().filter(|_| new.user != old.user).map(|user| format!("user {user}")));
    found.extend(new.group.iter().filter(|_| new.group != old.group).map(|group| format!("group {group}")));
    found.extend(
        added(&old.supplementary_groups, &new.supplementary_groups).map(|name| format!("group {name}")),
    );
    if new.keyring_mode == Some(KeyringMode::Inherit) && old.keyring_mode != new.keyring_mode {
        found.push("finds the keys of whoever started the supervisor".into());
    }
    found.extend(added(&old.capabilities, &new.capabilities).cloned());
    for (what, old, new) in [
        ("sees processes of others", old.private_pids, new.private_pids),
        ("is of the supervisor's user namespace", old.private_users, new.private_users),
    ] {
        // Between yes and no is what is done where nothing is said.
        let rank = |said: Option<bool>| said.map_or(1, |said| if said { 2 } else { 0 });
        found.extend((rank(new) < rank(old)).then(|| what.to_owned()));
    }
    let is_below = |paths: &[PathBuf], path: &PathBuf| paths.iter().any(|known| path.starts_with(known));
    for path in new.read_write_paths.iter().filter(|path| !is_below(&old.read_write_paths, path)) {
        found.push(format!("may write {}", path.display()));
    }
    let readable = [&old.read_only_paths[..], &old.read_write_paths].concat();
    for path in new.read_only_paths.iter().filter(|path| !is_below(&readable, path)) {
        found.push(format!("may read {}", path.display()));
    }
    of_view(old, new, &mut found);
    for path in old.inaccessible_paths.iter().filter(|path| !is_below(&new.inaccessible_paths, path)) {
        found.push(format!("sees {}", path.display()));
    }
    for (before, now, text) in [
        (!old.private_tmp, !new.private_tmp, "has a /tmp of its own"),
        (old.has_private_mounts(), new.has_private_mounts(), "sees names of files that it is not granted"),
        (old.has_private_network(), new.has_private_network(), "sees the network of the host"),
        (old.has_private_ipc(), new.has_private_ipc(), "sees shared memory and queues of the host"),
        (old.has_protected_hostname(), new.has_protected_hostname(), "sees the name of the host"),
    ] {
        found.extend((before && !now).then(|| text.to_owned()));
    }
    found.extend(added(&old.tcp_bind, &new.tcp_bind).map(|port| format!("may bind TCP port {port}")));
    found.extend(opened(old, new));
    found.extend(
        added(&old.tcp_connect, &new.tcp_connect).map(|port| format!("may connect to TCP port {port}")),
    );
    of_itself(old, new, &mut found);
    found
}

/// What it sees of files under other names, and what is no longer taken away from it.
fn of_view(old: &Sandbox, new: &Sandbox, found: &mut Vec<String>) {
    let (before, now) = (&old.view, &new.view);
    for (verb, before, now) in
        [("read", &before.read_only_binds, &now.read_only_binds), ("write", &before.binds, &now.binds)]
    {
        let told = |bind: &Bind| format!("may {verb} {} as {}", bind.from.display(), bind.to.display());
        found.extend(added(before, now).map(told));
    }
    let root = now.root_directory.iter().filter(|_| now.root_directory != before.root_directory);
    found.extend(root.map(|path| format!("may read {} as /", path.display())));
    let let_out = old.scoped().iter().filter(|one| !new.scoped().contains(one));
    found.extend(let_out.map(|one| match one {
        Scoped::Signals => "may signal others of its user".to_owned(),
        Scoped::AbstractSockets => "may connect to abstract sockets of others".to_owned(),
    }));
    let named = |key: Option<HidePid>| key.unwrap_or_default();
    for (gained, text) in [
        (
            now.private_devices == Some(false) && before.private_devices != Some(false),
            "may use devices among its paths",
        ),
        (now.protect_system < before.protect_system, "may write the system below what it is granted"),
        (now.protect_home < before.protect_home, "is less kept from homes below what it is granted"),
        (named(now.protect_proc) > named(before.protect_proc), "is told more of processes of others"),
        (
            now.proc_subset == Some(ProcSubset::All) && before.proc_subset != Some(ProcSubset::All),
            "is told of the machine by /proc",
        ),
    ] {
        found.extend(gained.then(|| text.to_owned()));
    }
}

/// Returns what may be made open to others that was not.
fn opened(old: &Sandbox, new: &Sandbox) -> Option<String> {
    let [old, new] = [old.umask(), new.umask()];
    (old & !new != 0).then(|| format!("umask {new:04o} instead of {old:04o}"))
}

/// What it executes, and who looks into it.
fn of_itself(old: &Sandbox, new: &Sandbox, found: &mut Vec<String>) {
    let mut gain = |condition: bool, text: &str| found.extend(condition.then(|| text.to_owned()));
    gain(new.udp_bind && !old.udp_bind, "may bind UDP ports");
    gain(
        new.dumpable == Some(true) && old.dumpable != Some(true),
        "may be looked into by others of its user",
    );
    gain(
        old.renounces_privileges() && !new.renounces_privileges(),
        "may gain privileges by what it executes",
    );
    found.extend(
        added(&old.exec_paths, &new.exec_paths).map(|path| format!("may execute {}", path.display())),
    );
    let again = added(&new.no_exec_paths, &old.no_exec_paths);
    found.extend(again.map(|path| format!("is no longer kept from executing {}", path.display())));
}

/// Compares what becomes of each system call by the keys that speak of system calls; what others bring is told by them.
fn of_calls(old: &Worker, new: &Worker) -> Option<String> {
    let sandbox = Sandbox { calls: old.sandbox.calls.clone(), ..new.sandbox.clone() };
    let before = decisions(&Worker { sandbox, ..new.clone() }, true);
    let after = decisions(new, true);
    let opened = before.iter().zip(&after).filter(|(before, after)| opens(before, after));
    let names: Vec<_> = opened.map(|(_, after)| after.name).collect();
    (!names.is_empty()).then(|| format!("may make the system calls {}", names.join(", ")))
}

/// Whether a call passes with some arguments that were stopped before.
fn opens(before: &Decision, after: &Decision) -> bool {
    let has = |of: &Decision, line: &SystemCall| {
        of.special.iter().any(|one| one.verdict == line.verdict && one.condition() == line.condition())
    };
    let allows = |line: &&SystemCall| line.verdict == Verdict::Allowed;
    let (was, is) = (before.verdict == Verdict::Allowed, after.verdict == Verdict::Allowed);
    let allowed = || after.special.iter().filter(allows).any(|line| !has(before, line));
    let stopped = || before.special.iter().filter(|line| !allows(line)).any(|line| !has(after, line));
    if was { is && stopped() } else { is || allowed() }
}

/// Only a change to the preset that allows nothing, or away from the one that allows all, is no gain.
fn widens(old: Preset, new: Preset) -> bool {
    old != new && new != Preset::Sealed && old != Preset::None
}

fn added<'n, T: PartialEq>(old: &[T], new: &'n [T]) -> impl Iterator<Item = &'n T> {
    new.iter().filter(|one| !old.contains(one))
}

/// Whether everything that `new` allows is allowed by `old`.
fn covers(old: &Grant, new: &Grant) -> bool {
    fn holds<T: PartialEq>(old: Option<&[T]>, new: Option<&[T]>) -> bool {
        old.is_none_or(|old| new.is_some_and(|new| new.iter().all(|one| old.contains(one))))
    }
    old.from == new.from
        && old.to_worker == new.to_worker
        && (old.to_actor.is_none() || old.to_actor == new.to_actor)
        && holds(old.methods.as_deref(), new.methods.as_deref())
        && holds(old.fds_send.as_deref(), new.fds_send.as_deref())
        && holds(old.fds_receive.as_deref(), new.fds_receive.as_deref())
        && strictness(new.once) >= strictness(old.once)
        && old.rate.is_none_or(|old| new.rate.is_some_and(|new| is_within(new, old)))
}

fn strictness(once: Once) -> u8 {
    match once {
        Once::No => 0,
        Once::PerLife => 1,
        Once::Ever => 2,
    }
}

/// Whether one rate permits no more than another, neither at once nor in the long run.
fn is_within(rate: Rate, other: Rate) -> bool {
    let per_time = |rate: Rate, other: Rate| u128::from(rate.messages) * other.period.as_nanos();
    rate.messages <= other.messages && per_time(rate, other) <= per_time(other, rate)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::Namespace;

    fn told(change: impl FnOnce(&mut Sandbox)) -> Vec<String> {
        let old = Worker::new("w", Exec::Own);
        let mut new = old.clone();
        change(&mut new.sandbox);
        let system = |worker| System { workers: vec![worker], ..System::default() };
        let (there, back) = (system(new), system(old));
        let gained = gains(&back, &there);
        assert_eq!(gains(&there, &back), [""; 0], "who loses {gained:?} gains something");
        gained
    }

    #[test]
    fn system_calls_that_pass_are_told_by_name() {
        let filter = told(|sandbox| sandbox.calls.filter = vec!["+munlock".into()]);
        assert_eq!(filter, ["w\tmay make the system calls munlock"]);
        let code = told(|sandbox| sandbox.calls.memory_deny_write_execute = Some(false));
        assert_eq!(code, ["w\tmay make the system calls mmap, mprotect"]);
        assert_eq!(told(|sandbox| sandbox.udp_bind = true), ["w\tmay bind UDP ports"]);
        let executes = told(|sandbox| sandbox.exec_paths = vec!["/opt/tools".into()]);
        assert_eq!(executes, ["w\tmay execute /opt/tools"]);
        assert_eq!(
            told(|sandbox| sandbox.dumpable = Some(true)),
            ["w\tmay be looked into by others of its user"]
        );
    }

    #[test]
    fn what_is_seen_of_files_is_told() {
        let bind = || vec![Bind { from: "/srv".into(), to: "/data".into() }];
        let one = |text: &str| vec![format!("w\t{text}")];
        assert_eq!(told(|sandbox| sandbox.view.binds = bind()), one("may write /srv as /data"));
        assert_eq!(told(|sandbox| sandbox.view.read_only_binds = bind()), one("may read /srv as /data"));
        assert_eq!(
            told(|sandbox| sandbox.view.root_directory = Some("/srv".into())),
            one("may read /srv as /")
        );
        let devices = told(|sandbox| sandbox.view.private_devices = Some(false));
        assert_eq!(devices, one("may use devices among its paths"));
        let processes = told(|sandbox| sandbox.view.protect_proc = Some(HidePid::NoAccess));
        assert_eq!(processes, one("is told more of processes of others"));
        let signals = told(|sandbox| sandbox.landlock_scope = Some(vec![Scoped::AbstractSockets]));
        assert_eq!(signals, one("may signal others of its user"));
        let machine = told(|sandbox| sandbox.view.proc_subset = Some(ProcSubset::All));
        assert_eq!(machine, one("is told of the machine by /proc"));
    }

    #[test]
    fn namespaces_that_an_executing_worker_may_make_are_told() {
        let mut old = Worker::new("w", Exec::Own);
        (old.sandbox.preset, old.privileged) = (Preset::Exec, true);
        let mut new = old.clone();
        new.sandbox.calls.namespaces = Some(vec![Namespace::User]);
        assert_eq!(of_calls(&old, &new), Some("may make the system calls clone, unshare".into()));
        assert_eq!(of_calls(&new, &old), None);
    }
}
