//! Whether this machine has what a system asks for: executables, users, paths.

use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use bailiwick_sys::capability::Capabilities;
use bailiwick_sys::identity::Identity;
use bailiwick_sys::memory;
use bailiwick_sys::shares::Unmet;

use super::{CredentialError, Diagnostic, Trust, Untrusted, accounts, credential, floor, quote};
use crate::sandbox::{Access, Granted, Machine};
use crate::spec::{Address, Exec, System, Worker};
use crate::{control, state_dir};

/// The longest path of a Unix socket, in bytes.
const MAX_SOCKET_PATH: usize = 107;

/// Checks what the system asks of this machine.
pub(super) fn check(system: &System, machine: &Machine) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    state_directory(system, &mut found);
    ports(system, machine, &mut found);
    uids(system, machine, &mut found);
    let mut seen = Vec::new();
    for worker in &system.workers {
        // One executable is told about once, however many workers run it.
        if let Exec::Path(path) = &worker.exec
            && !seen.contains(&path)
        {
            seen.push(path);
            executable(worker, path, &mut found);
        }
        accounts(worker, machine, &mut found);
        namespaces(worker, machine, &mut found);
        stands(worker, machine, system.allow_degraded, &mut found);
        paths(worker, &mut found);
        credentials(worker, &mut found);
        closed(worker, machine, &mut found);
    }
    found
}

fn state_directory(system: &System, found: &mut Vec<Diagnostic>) {
    let path = system.state_dir.clone().unwrap_or_else(|| state_dir::default_path(&system.name));
    let length = path.join(control::SOCKET_NAME).as_os_str().as_bytes().len();
    if length > MAX_SOCKET_PATH {
        let title = format!(
            "the path of the control socket would be {length} bytes long, the kernel takes {MAX_SOCKET_PATH}"
        );
        let error = Diagnostic::error(title).at_key("supervisor.state_dir", "too long");
        found.push(
            error.note(format!("it would be `{}`", path.display())).help("choose a shorter `state_dir`"),
        );
    }
}

/// Refuses to bind ports that this supervisor may not bind.
fn ports(system: &System, machine: &Machine, found: &mut Vec<Diagnostic>) {
    let may =
        Capabilities::named("CAP_NET_BIND_SERVICE").is_some_and(|one| machine.capabilities.contains(one));
    let first = std::fs::read_to_string("/proc/sys/net/ipv4/ip_unprivileged_port_start");
    let first: u16 = first.ok().and_then(|text| text.trim().parse().ok()).unwrap_or(1024);
    for (index, listener) in system.listeners.iter().enumerate() {
        let Some(Address::Tcp(address)) = listener.address.as_ref().filter(|_| !may) else { continue };
        if address.port() != 0 && address.port() < first {
            let title = format!("this supervisor may not bind port {}", address.port());
            let error = Diagnostic::error(title).at_key(
                format!("listen[{index}].tcp"),
                format!("ports below {first} need CAP_NET_BIND_SERVICE"),
            );
            found.push(
                error.help(
                    "run the supervisor as root, have the listener passed to it, or choose another port",
                ),
            );
        }
    }
}

/// Refuses users that workers cannot have here, or that somebody has already.
fn uids(system: &System, machine: &Machine, found: &mut Vec<Diagnostic>) {
    let Some(range) = &system.worker_uids else { return };
    let place = |diagnostic: Diagnostic| diagnostic.at_key("supervisor.uid_range", "cannot be had here");
    if let Some(uid) = accounts::first_user_of(range) {
        let title = format!("uid {uid}, of the range for workers, is somebody's on this machine");
        let help = "choose a range in which nobody is listed in /etc/passwd";
        found.push(place(Diagnostic::error(title)).help(help));
    } else if !machine.clone().with_worker_uids(Some(range.clone())).can_switch_users() {
        let title = "this supervisor cannot give users of this range to workers".to_owned();
        let help = "run the supervisor as root, or remove `uid_range`";
        found.push(match system.allow_degraded {
            true => place(Diagnostic::warning(title)),
            false => place(Diagnostic::error(title)).help(help).unavailable(),
        });
    }
}

fn executable(worker: &Worker, path: &Path, found: &mut Vec<Diagnostic>) {
    if let Err(error) = Trust::of_this_process().open_executable(path) {
        let error = Diagnostic::error(error.to_string())
            .at_key(
                format!(
                    "worker.{}.{}",
                    worker.name,
                    if worker.command.is_some() { "command" } else { "exec" }
                ),
                cause(&error),
            )
            .help(error.advice());
        found.push(error);
    }
}

fn cause(error: &Untrusted) -> &'static str {
    match error {
        Untrusted::Unreadable { error, .. } if error.kind() == std::io::ErrorKind::NotFound => "not there",
        Untrusted::Unreadable { .. } => "cannot be opened",
        Untrusted::NotExecutable { .. } | Untrusted::NotAFile { .. } => "not a program",
        _ => "must be in the hands of root or of the supervisor's user",
    }
}

fn accounts(worker: &Worker, machine: &Machine, found: &mut Vec<Diagnostic>) {
    let key = |key: &str| format!("worker.{}.sandbox.{key}", worker.name);
    let sandbox = &worker.sandbox;
    let uid = sandbox.user.as_ref().map(|name| (name, accounts::user(name).map(|user| user.uid)));
    match uid {
        None => {}
        Some((name, None)) => {
            let help = "create it, or remove `user`: as root each worker has a uid of its own";
            found.push(unknown("user", name, key("user")).help(help));
        }
        Some((name, Some(0)))
            if machine.can_switch_users() && !worker.privileged && name != "root" && name != "0" =>
        {
            let error = Diagnostic::error(format!("worker `{}` would run as root", worker.name));
            let help = "choose another user, or write out `privileged = true` in the worker";
            found.push(error.at_key(key("user"), "has uid 0").help(help));
        }
        Some((name, Some(uid))) if !machine.can_switch_users() && uid != machine.uid => {
            let title = format!("worker `{}` cannot run as {}", worker.name, quote(name));
            let error = Diagnostic::error(title).at_key(key("user"), why_not(machine));
            found.push(error.help("run the supervisor as root with users to give, or remove `user`"));
        }
        Some(_) => {}
    }
    if let Some(name) = &sandbox.group {
        if accounts::group(name).is_none() {
            found.push(unknown("group", name, key("group")).help("create it, or remove `group`"));
        } else if uid.is_none() && machine.can_switch_users() {
            let error = Diagnostic::error(format!("worker `{}` has a group and no user", worker.name));
            let help = "name the `user` too, or remove `group`: as root each worker has ids of its own";
            found.push(error.at_key(key("group"), "whose group?").help(help));
        }
    }
    for (index, name) in sandbox.supplementary_groups.iter().enumerate() {
        let at = key(&format!("supplementary_groups[{index}]"));
        match accounts::group(name) {
            None => found.push(unknown("group", name, at).help("create it, or remove it here")),
            Some(0) if !worker.privileged => {
                let error =
                    Diagnostic::error(format!("worker `{}` would be in the group of root", worker.name));
                let help = "choose another group, or write out `privileged = true` in the worker";
                found.push(error.at_key(at, "has gid 0").help(help));
            }
            Some(_) => {}
        }
    }
    for (index, name) in sandbox.capabilities.iter().enumerate() {
        let held = Capabilities::named(name).is_none_or(|one| machine.capabilities.contains(one));
        if !held {
            let title = format!("worker `{}` cannot be given {}", worker.name, quote(name));
            let error = Diagnostic::error(title)
                .at_key(key(&format!("capabilities[{index}]")), "the supervisor does not hold it");
            found.push(error.help("run the supervisor as root, or remove the capability"));
        }
    }
}

/// Returns why no worker can be given another user than the supervisor's.
fn why_not(machine: &Machine) -> &'static str {
    match machine.uid {
        0 => {
            "the supervisor is root of a namespace with too few users, or lacks CAP_SETUID, CAP_SETGID or CAP_SETPCAP"
        }
        _ => "only root can switch users",
    }
}

/// Refuses namespaces that contradict what the supervisor, or the worker, is.
fn namespaces(worker: &Worker, machine: &Machine, found: &mut Vec<Diagnostic>) {
    let Err(why) = machine.namespaces_of(worker) else { return };
    let users = worker.sandbox.private_users == Some(true);
    let key = format!("worker.{}.sandbox.private_{}", worker.name, if users { "users" } else { "pids" });
    let title = format!("worker `{}` cannot have these namespaces", worker.name);
    found.push(Diagnostic::error(title).at_key(key, why.to_string()).help("remove the key"));
}

/// Refuses what this kernel cannot enforce: better no start than one that only looks confined.
fn stands(worker: &Worker, machine: &Machine, degraded: bool, found: &mut Vec<Diagnostic>) {
    let sandbox = &worker.sandbox;
    let mut lacks = |key: &str, what: &str, why: &str| {
        let title = format!("this machine cannot confine worker `{}`: {what}", worker.name);
        let diagnostic = if degraded { Diagnostic::warning(title) } else { Diagnostic::error(title) };
        let diagnostic = diagnostic.at_key(format!("worker.{}.{key}", worker.name), why);
        found.push(match degraded {
            true => diagnostic,
            false => diagnostic.help("--allow-degraded starts it all the same").unavailable(),
        });
    };
    for (pillar, key) in floor::lacking(worker, machine) {
        lacks(key, &format!("it could {}", pillar.without), pillar.needs);
    }
    for Unmet { key, why } in sandbox.shares.met_by(&machine.cgroups, sandbox.whose()).1 {
        lacks(&format!("sandbox.{key}"), &format!("`{key}` would be void"), why);
    }
    if sandbox.calls.memfd_no_exec == Some(true) && !memory::knows_no_exec() {
        let what = "the kernel makes no memory files that can never be executed";
        lacks("sandbox.memfd_no_exec", what, "needs Linux 6.3");
    }
    let asked = [("private_pids", sandbox.private_pids), ("private_users", sandbox.private_users)];
    for (key, _) in asked.into_iter().filter(|(_, asked)| *asked == Some(true) && machine.nests.is_err()) {
        lacks(
            &format!("sandbox.{key}"),
            "it is refused namespaces",
            "the kernel, or a container, refuses it",
        );
    }
}

fn unknown(what: &str, name: &str, key: String) -> Diagnostic {
    Diagnostic::error(format!("this machine has no {what} {}", quote(name))).at_key(key, "unknown")
}

fn paths(worker: &Worker, found: &mut Vec<Diagnostic>) {
    let sandbox = &worker.sandbox;
    for (key, list) in [
        ("read_only_paths", &sandbox.read_only_paths),
        ("read_write_paths", &sandbox.read_write_paths),
        ("exec_paths", &sandbox.exec_paths),
    ] {
        for (index, path) in list.iter().enumerate() {
            missing(&format!("worker.{}.sandbox.{key}[{index}]", worker.name), path, found);
        }
    }
    let binds =
        [("bind_read_only_paths", &sandbox.view.read_only_binds), ("bind_paths", &sandbox.view.binds)];
    for (key, list) in binds {
        for (index, bind) in list.iter().enumerate() {
            missing(&format!("worker.{}.sandbox.{key}[{index}]", worker.name), &bind.from, found);
        }
    }
    if let Some(path) = &sandbox.view.root_directory {
        missing(&format!("worker.{}.sandbox.root_directory", worker.name), path, found);
    }
    if let Some(path) = &worker.working_directory {
        missing(&format!("worker.{}.working_directory", worker.name), path, found);
    }
}

/// Refuses secrets that cannot be had, and says which are none.
fn credentials(worker: &Worker, found: &mut Vec<Diagnostic>) {
    for (name, path) in &worker.credentials {
        let key = format!("worker.{}.load_credential.{name}", worker.name);
        if let Err(error) = credential::seal(path) {
            let help = match &error {
                CredentialError::Untrusted(error) => error.advice(),
                _ => "hand over the key or password alone".to_owned(),
            };
            found.push(Diagnostic::error(error.to_string()).at_key(key, "cannot be handed over").help(help));
        } else if let Some(mode) = credential::open_to_all(path) {
            let title = format!("`{}` is no secret: everybody may read it (mode {mode:04o})", path.display());
            let warning = Diagnostic::warning(title).at_key(key, "handed over all the same");
            found.push(warning.help(format!("if it is to be one: chmod o-r '{}'", path.display())));
        }
    }
}

fn missing(key: &str, path: &Path, found: &mut Vec<Diagnostic>) {
    if let Err(error) = path.metadata() {
        let title = format!("cannot grant `{}`: {error}", path.display());
        let help = "create it, or correct the path; a relative one starts at the manifest's folder";
        found.push(Diagnostic::error(title).at_key(key, "not there").help(help));
    }
}

/// Says which of root's folders the worker's user is given at its start, and refuses those that it cannot be given.
fn closed(worker: &Worker, machine: &Machine, found: &mut Vec<Diagnostic>) {
    let sandbox = &worker.sandbox;
    let own = machine.worker_uids.clone().filter(|_| machine.can_switch_users() && sandbox.user.is_none());
    let Some(uid) = own.map(|range| *range.start()) else { return };
    let owned = |path: &PathBuf| path.metadata().is_ok_and(|found| found.uid() != 0);
    if sandbox.read_write_paths.iter().any(owned) || sandbox.read_only_paths.first().is_some_and(owned) {
        return; // It runs as that owner.
    }
    for (index, path) in sandbox.read_write_paths.iter().enumerate() {
        let Ok(place) = Granted::open("granted path", path, Access::Write, machine) else { continue };
        if !place.is_roots_alone(Identity { uid, gid: uid }) {
            continue;
        }
        let key = format!("worker.{}.sandbox.read_write_paths[{index}]", worker.name);
        let path = path.display();
        found.push(if place.can_be_given() {
            let title = format!("worker `{}` is given `{path}` when it starts", worker.name);
            let warning = Diagnostic::warning(title);
            warning.at_key(key, "root's and empty: from then on it belongs to the worker's own user")
        } else {
            let title = format!("worker `{}` could not write `{path}`", worker.name);
            let error =
                Diagnostic::error(title).at_key(key, "root's, closed to others, and not an empty folder");
            error.help(format!("give it to the user as whom the worker shall run: chown -R USER '{path}'"))
        });
    }
}

#[cfg(test)]
mod tests {
    use super::super::Severity;
    use super::*;
    use crate::spec::Preset;

    /// An unprivileged supervisor on a kernel that can do nothing.
    fn poor() -> Machine {
        Machine {
            uid: 1000,
            gid: 1000,
            capabilities: Capabilities::NONE,
            landlock_abi: 0,
            seccomp: false,
            keyrings: false,
            ..Machine::probe().without_nests()
        }
    }

    fn worker(preset: Preset) -> Worker {
        let mut worker = Worker::new("w", Exec::Own);
        worker.sandbox.preset = preset;
        worker
    }

    fn titles(worker: Worker, machine: &Machine, degraded: bool) -> Vec<String> {
        let system = System { workers: vec![worker], allow_degraded: degraded, ..System::default() };
        let errors = check(&system, machine).into_iter();
        errors.filter(|one| one.severity == Severity::Error).map(|one| one.title).collect()
    }

    #[test]
    fn a_kernel_without_a_floor_is_refused_unless_that_is_allowed() {
        let found = titles(worker(Preset::Sealed), &poor(), false);
        assert!(
            found.len() == 2 && found[0].contains("every file") && found[1].contains("every system call"),
            "{found:?}"
        );
        assert_eq!(titles(worker(Preset::Sealed), &poor(), true), [""; 0]);
        let rich = Machine { landlock_abi: 4, seccomp: true, ..poor() };
        assert_eq!(titles(worker(Preset::Sealed), &rich, false), [""; 0]);
    }

    #[test]
    fn namespaces_that_cannot_be_are_refused_and_those_that_are_there_end_what_forks() {
        let rich = Machine { landlock_abi: 4, seccomp: true, ..poor() }.without_cgroups();
        let nested = Machine { nests: Ok(()), ..rich.clone() };
        let outlive = "processes that outlive it";
        assert!(titles(worker(Preset::Exec), &rich, false)[0].contains(outlive));
        assert_eq!(titles(worker(Preset::Exec), &nested, false), [""; 0]);
        let mut bare = worker(Preset::None);
        assert!(titles(bare.clone(), &nested, false)[0].contains(outlive));
        bare.sandbox.private_pids = Some(true);
        assert_eq!(titles(bare.clone(), &nested, false), [""; 0]);
        assert!(titles(bare.clone(), &rich, false)[1].contains("refused namespaces"));
        bare.sandbox.private_users = Some(false);
        assert!(titles(bare.clone(), &nested, false)[0].contains("cannot have these"));
        bare.sandbox.private_users = Some(true);
        let root = Machine { uid: 0, capabilities: Capabilities::ALL, worker_uids: Some(1..=9), ..nested };
        assert!(titles(bare, &root, false)[0].contains("cannot have these"));
    }

    #[test]
    fn ports_need_a_landlock_that_knows_them() {
        let mut client = worker(Preset::NetClient);
        client.sandbox.tcp_connect = vec![443];
        let machine = |landlock_abi| Machine { landlock_abi, seccomp: true, ..poor() };
        assert!(titles(client.clone(), &machine(3), false)[0].contains("every TCP port"));
        assert_eq!(titles(client, &machine(4), false), [""; 0]);
    }

    #[test]
    fn an_empty_folder_of_roots_is_said_to_be_given_away_and_another_is_refused() {
        if !Machine::probe().can_switch_users() {
            return println!("skipped: only root gives folders away");
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().canonicalize().unwrap();
        let mut writer = worker(Preset::Sealed);
        writer.sandbox.read_write_paths = vec![path.clone()];
        let found = |writer: &Worker| {
            let system = System { workers: vec![writer.clone()], ..System::default() };
            let mut found = check(&system, &Machine::probe());
            found.pop().map(|one| (one.severity, one.title, one.help.unwrap_or_default()))
        };
        let path = path.display();
        let title = format!("worker `w` is given `{path}` when it starts");
        assert_eq!(found(&writer), Some((Severity::Warning, title, String::new())));
        std::fs::write(folder.path().join("precious"), "").unwrap();
        let (severity, title, help) = found(&writer).unwrap();
        assert_eq!((severity, title), (Severity::Error, format!("worker `w` could not write `{path}`")));
        assert!(help.ends_with(&format!("chown -R USER '{path}'")), "{help}");
        writer.sandbox.user = Some("root".into());
        writer.privileged = true;
        assert_eq!(found(&writer), None);
    }

    #[test]
    fn another_user_and_a_capability_need_a_supervisor_that_has_them() {
        let mut wanting = worker(Preset::Sealed);
        wanting.sandbox.user = Some("0".into());
        wanting.sandbox.capabilities = vec!["CAP_CHOWN".into()];
        let machine = Machine { landlock_abi: 9, seccomp: true, ..poor() };
        let found = titles(wanting, &machine, false);
        assert!(found[0].contains("cannot run as `0`") && found[1].contains("`CAP_CHOWN`"), "{found:?}");
    }

    #[test]
    fn groups_are_known_given_by_root_and_not_roots() {
        let mut member = worker(Preset::Sealed);
        member.sandbox.supplementary_groups = vec!["0".into(), "no such group".into()];
        let root =
            Machine { uid: 0, capabilities: Capabilities::ALL, landlock_abi: 9, seccomp: true, ..poor() };
        let found = titles(member.clone(), &root, false);
        assert!(found[0].contains("would be in the group of root"), "{found:?}");
        assert!(found[1].contains("no group `no such group`"), "{found:?}");
        member.sandbox.supplementary_groups = vec!["4243".into()];
        assert_eq!(titles(member.clone(), &root, false), [""; 0]);
        let own = Machine { uid: 1000, ..root };
        assert!(titles(member, &own, false)[0].contains("what the groups of the supervisor's user may"));
    }

    #[test]
    fn users_of_workers_are_nobodys_and_can_be_given() {
        let with = |range, machine: &Machine| {
            let system = System { worker_uids: Some(range), ..System::default() };
            let mut found = Vec::new();
            uids(&system, machine, &mut found);
            found.pop().map(|one| one.title).unwrap_or_default()
        };
        assert!(with(0..=10, &Machine::probe()).starts_with("uid 0, of the range"));
        assert!(with(0x7100_0000..=0x7100_00ff, &poor()).starts_with("this supervisor cannot give"));
        if Machine::probe().can_switch_users() {
            assert_eq!(with(0x7100_0000..=0x7100_00ff, &Machine::probe()), "");
        }
    }

    #[test]
    fn a_user_by_any_name_that_is_root_needs_to_be_written_out() {
        let mut hidden = worker(Preset::Sealed);
        hidden.sandbox.user = Some("00".into());
        let root =
            Machine { uid: 0, capabilities: Capabilities::ALL, landlock_abi: 9, seccomp: true, ..poor() };
        assert!(titles(hidden.clone(), &root, false)[0].contains("would run as root"));
        hidden.privileged = true;
        assert_eq!(titles(hidden.clone(), &root, false), [""; 0]);
        (hidden.sandbox.user, hidden.sandbox.group) = (None, Some("0".into()));
        assert!(titles(hidden, &root, false)[0].contains("a group and no user"));
    }
}
