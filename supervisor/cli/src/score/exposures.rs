//! What a worker may be exposed to: one row an exposure, in the order of their weights.

use std::path::{Path, PathBuf};

use bailiwick_supervisor::sandbox::Machine;
use bailiwick_supervisor::spec::{HidePid, KeyringMode, Namespace, Preset, ProcSubset, System, Worker};

use crate::explain;
use crate::grants::{Boundary, boundary};
use crate::profile;

/// A row of the table.
pub(super) struct Exposure {
    pub(super) name: &'static str,
    pub(super) weight: u16,
    pub(super) look: fn(&System, &Worker, &Machine) -> Found,
}

/// What was found of one exposure.
pub(super) struct Found {
    /// From 0, not exposed, to 10.
    pub(super) badness: u8,
    pub(super) found: String,
    /// The line of the manifest that would lower it.
    pub(super) tighten: Option<String>,
}

/// Every exposure. A new mechanism is a new row, or another look in one that is here.
pub(super) const EXPOSURES: &[Exposure] = &[
    Exposure { name: "user", weight: 200, look: user },
    Exposure { name: "capabilities", weight: 200, look: capabilities },
    Exposure { name: "system calls", weight: 150, look: system_calls },
    Exposure { name: "writes", weight: 150, look: writes },
    Exposure { name: "programs", weight: 100, look: programs },
    Exposure { name: "network", weight: 100, look: network },
    Exposure { name: "reads", weight: 80, look: reads },
    Exposure { name: "namespaces", weight: 80, look: namespaces },
    Exposure { name: "privilege", weight: 80, look: privilege },
    Exposure { name: "calls upwards", weight: 60, look: calls_upwards },
    Exposure { name: "memory", weight: 40, look: memory },
    Exposure { name: "code", weight: 40, look: code },
    Exposure { name: "root of files", weight: 40, look: root_of_files },
    Exposure { name: "processes", weight: 20, look: processes },
    Exposure { name: "tasks", weight: 20, look: tasks },
    Exposure { name: "descriptors", weight: 20, look: descriptors },
    Exposure { name: "length of lives", weight: 20, look: lives },
    Exposure { name: "its end", weight: 20, look: its_end },
    Exposure { name: "groups", weight: 20, look: groups },
    Exposure { name: "keys", weight: 20, look: keys },
    Exposure { name: "secrets", weight: 20, look: secrets },
    Exposure { name: "violations", weight: 20, look: violations },
    Exposure { name: "core", weight: 10, look: core },
];

fn found(badness: u8, found: impl Into<String>, tighten: &str) -> Found {
    Found { badness, found: found.into(), tighten: (!tighten.is_empty()).then(|| tighten.to_owned()) }
}

fn user(_: &System, worker: &Worker, machine: &Machine) -> Found {
    let sandbox = &worker.sandbox;
    match &sandbox.user {
        Some(user) if user == "root" || user == "0" => found(10, "is root", "remove `user = \"root\"`"),
        Some(user) => found(
            3,
            format!("is {user}, who may be others too"),
            "remove `user`: as root it gets one of its own",
        ),
        None if !machine.can_switch_users() && machine.uid == 0 => {
            found(10, "is root, since the supervisor cannot change users", "")
        }
        None if !machine.can_switch_users() => {
            found(4, "is the supervisor's user; started by root it would have one of its own", "")
        }
        None => found(0, "has a user of its own, or that of its files", ""),
    }
}

fn capabilities(_: &System, worker: &Worker, _: &Machine) -> Found {
    let held = &worker.sandbox.capabilities;
    let badness = held.iter().map(|name| danger(name)).max().unwrap_or_default();
    match held.as_slice() {
        [] if worker.sandbox.preset == Preset::None
            && matches!(worker.sandbox.user.as_deref(), Some("root" | "0")) =>
        {
            found(10, "has every capability of root", "set a `preset` other than none")
        }
        [] => found(0, "none", ""),
        some => found(badness, some.join(", "), "take what it can do without out of `capabilities`"),
    }
}

/// Returns how far a capability is from being root.
fn danger(capability: &str) -> u8 {
    match capability {
        "CAP_SYS_ADMIN" | "CAP_SYS_MODULE" | "CAP_SYS_PTRACE" | "CAP_SYS_RAWIO" | "CAP_DAC_OVERRIDE"
        | "CAP_SETUID" | "CAP_SETFCAP" | "CAP_BPF" | "CAP_MAC_ADMIN" => 10,
        "CAP_DAC_READ_SEARCH"
        | "CAP_CHOWN"
        | "CAP_FOWNER"
        | "CAP_SETGID"
        | "CAP_SYS_CHROOT"
        | "CAP_MKNOD"
        | "CAP_NET_ADMIN"
        | "CAP_SYS_BOOT" => 8,
        "CAP_NET_RAW" | "CAP_KILL" | "CAP_SYS_TIME" | "CAP_SYSLOG" | "CAP_PERFMON" | "CAP_SYS_NICE" => 5,
        "CAP_NET_BIND_SERVICE" | "CAP_IPC_LOCK" => 2,
        _ => 6,
    }
}

fn system_calls(_: &System, worker: &Worker, machine: &Machine) -> Found {
    match worker.sandbox.preset {
        _ if !machine.seccomp => found(10, "this machine filters none", ""),
        Preset::None => found(10, "every one", "set a `preset` other than none"),
        Preset::Sealed | Preset::NetClient | Preset::NetServer | Preset::FsRo if widens(worker) => found(
            3,
            "more than those of its preset",
            "take what it does not need out of `system_call_filter`",
        ),
        Preset::Exec => found(
            5,
            "all but those that no worker needs",
            "set `preset = \"sealed\"` if it starts no programs",
        ),
        Preset::NetClient | Preset::NetServer => found(1, "those of its preset, and no other", ""),
        Preset::Sealed | Preset::FsRo => found(0, "those of its preset, and no other", ""),
    }
}

/// Tells whether the keys of a worker allow calls that its preset does not.
fn widens(worker: &Worker) -> bool {
    worker.sandbox.calls.filter.iter().any(|entry| !entry.starts_with('~'))
}

fn writes(_: &System, worker: &Worker, machine: &Machine) -> Found {
    let list: Vec<&PathBuf> = worker.sandbox.to_write().map(|(path, _)| path).collect();
    if worker.sandbox.preset == Preset::None || machine.landlock_abi == 0 {
        return found(10, "whatever its user may write", "set a `preset` other than none");
    }
    match broadest(&list) {
        None => found(0, "nothing", ""),
        Some(_) if worker.sandbox.view.private_devices == Some(false) => found(
            9,
            "its paths, and devices of the machine among them",
            "remove `private_devices = false` if it uses none",
        ),
        Some(path) if is_broad(path) => found(
            9,
            format!("{}, on which much depends", path.display()),
            "name folders below in `read_write_paths`",
        ),
        Some(_) => {
            found(3, format!("{} paths", list.len()), "take what it only reads into `read_only_paths`")
        }
    }
}

fn reads(_: &System, worker: &Worker, machine: &Machine) -> Found {
    let list: Vec<&PathBuf> = worker.sandbox.to_read().map(|(path, _)| path).collect();
    if worker.sandbox.preset == Preset::None || machine.landlock_abi == 0 {
        return found(10, "whatever its user may read", "set a `preset` other than none");
    }
    match (broadest(&list), worker.sandbox.preset) {
        (Some(path), _) if is_broad(path) => found(
            7,
            format!("{}, where secrets are", path.display()),
            "name folders below in `read_only_paths`",
        ),
        (Some(_), _) => found(2, format!("{} paths", list.len()), "name single files in `read_only_paths`"),
        (None, Preset::Exec) => found(
            4,
            "the programs and libraries of the machine",
            "set `preset = \"sealed\"` if it starts no programs",
        ),
        (None, Preset::NetClient) => found(1, "how names are looked up", ""),
        (None, _) => found(0, "nothing", ""),
    }
}

/// What stands in a root that is not made for the worker is named there, if not opened: what it may open is a matter of paths.
fn root_of_files(_: &System, worker: &Worker, _: &Machine) -> Found {
    match (&worker.sandbox.view.root_directory, worker.sandbox.preset) {
        (_, Preset::None) => found(10, "that of the machine", "set a `preset` other than none"),
        (Some(root), _) if is_broad(root) => found(
            6,
            format!("{}, whose files it sees by name", root.display()),
            "name a folder made for it in `root_directory`",
        ),
        (Some(root), _) => {
            found(3, format!("{}, whose files it sees by name", root.display()), "remove `root_directory`")
        }
        (None, _) => found(0, "an empty one, with what it is granted", ""),
    }
}

fn processes(_: &System, worker: &Worker, _: &Machine) -> Found {
    let view = &worker.sandbox.view;
    match worker.sandbox.preset {
        Preset::None => found(10, "sees those of the machine", "set a `preset` other than none"),
        Preset::Exec if view.proc_subset == Some(ProcSubset::All) => {
            found(6, "sees what `/proc` tells of the kernel", "remove `proc_subset`")
        }
        Preset::Exec if view.protect_proc.is_some_and(|hides| hides > HidePid::Invisible) => {
            found(3, "sees its own, and who is not its user's", "remove `protect_proc`")
        }
        Preset::Exec => found(1, "sees its own", ""),
        Preset::Sealed | Preset::NetClient | Preset::NetServer | Preset::FsRo => {
            found(0, "sees none: it has no `/proc`", "")
        }
    }
}

/// Returns the path with the fewest parts.
fn broadest<'a>(list: &[&'a PathBuf]) -> Option<&'a PathBuf> {
    list.iter().copied().min_by_key(|path| path.components().count())
}

/// Tells whether a path is at the root of the file system or next to it.
fn is_broad(path: &Path) -> bool {
    path.components().count() <= 2
}

fn programs(_: &System, worker: &Worker, _: &Machine) -> Found {
    match worker.sandbox.preset {
        Preset::Exec if !worker.sandbox.renounces_privileges() => {
            found(10, "executes programs, and may gain privilege by it", "remove `no_new_privileges = false`")
        }
        Preset::None => {
            found(10, "executes programs, and may gain privilege by it", "set a `preset` other than none")
        }
        Preset::Exec => found(
            7,
            "executes programs, which gain nothing by it",
            "set `preset = \"sealed\"` if it starts none",
        ),
        Preset::Sealed | Preset::NetClient | Preset::NetServer | Preset::FsRo => {
            found(0, "executes none", "")
        }
    }
}

fn network(_: &System, worker: &Worker, machine: &Machine) -> Found {
    let sandbox = &worker.sandbox;
    match sandbox.preset {
        Preset::None => return found(10, "every network", "set a `preset` other than none"),
        Preset::Exec => {
            return found(
                8,
                "makes sockets of most kinds",
                "set `preset = \"sealed\"` if it starts no programs",
            );
        }
        Preset::Sealed | Preset::NetClient | Preset::NetServer | Preset::FsRo => {}
    }
    let raw = sandbox.capabilities.iter().any(|name| name == "CAP_NET_RAW" || name == "CAP_NET_ADMIN");
    match (sandbox.tcp_connect.is_empty(), sandbox.tcp_bind.is_empty()) {
        _ if raw => {
            found(9, "makes packets of its own", "take CAP_NET_RAW and CAP_NET_ADMIN out of `capabilities`")
        }
        (false, _) if machine.landlock_abi < 4 => {
            found(7, "connects to any port: this machine bounds none", "")
        }
        (false, _) => found(
            5,
            format!("connects to ports {}, on any host", ports(&sandbox.tcp_connect)),
            "name fewer ports in `tcp_connect`",
        ),
        (true, false) => found(
            2,
            format!("binds ports {}", ports(&sandbox.tcp_bind)),
            "have it handed the listener: `[[listen]]` and `kept`",
        ),
        (true, true) if sandbox.udp_bind => {
            found(3, "binds any UDP port", "remove `udp_bind` if it serves none")
        }
        (true, true) if sandbox.preset == Preset::NetClient => {
            found(3, "asks name servers over UDP", "set `preset = \"sealed\"` if it connects to nobody")
        }
        (true, true) => found(0, "none but what it is handed", ""),
    }
}

fn ports(list: &[u16]) -> String {
    list.iter().map(u16::to_string).collect::<Vec<_>>().join(", ")
}

/// What is shared is seen, if not touched: names of files and processes, and what a hole in the kernel leads to.
fn namespaces(_: &System, worker: &Worker, machine: &Machine) -> Found {
    let profile::Namespaces { own, shared, .. } = profile::namespaces(worker, machine);
    if worker.sandbox.preset != Preset::None
        && Namespace::ALL.iter().any(|kind| worker.sandbox.may_make(*kind))
    {
        let tighten = "set `restrict_namespaces = true`, or take CAP_SYS_ADMIN out of `capabilities`";
        return found(8, "makes namespaces of its own", tighten);
    }
    let badness = 5 * shared.len() / (own.len() + shared.len()).max(1);
    let text = if shared.is_empty() { "shares none".into() } else { format!("shares {}", shared.join(", ")) };
    let sandbox = &worker.sandbox;
    let given_up = [
        sandbox.private_mounts,
        sandbox.private_network,
        sandbox.private_ipc,
        sandbox.protect_hostname,
        sandbox.private_pids,
        sandbox.private_users,
    ];
    let tighten = if given_up.contains(&Some(false)) { "remove `private_… = false`" } else { "" };
    found(u8::try_from(badness).unwrap_or(10), text, tighten)
}

fn privilege(_: &System, worker: &Worker, _: &Machine) -> Found {
    match (worker.privileged, worker.holds_privilege()) {
        (true, _) => found(10, "others are killed on its word", "remove `privileged = true`"),
        (false, true) => found(
            6,
            "others are killed on its word, since it holds a capability or is root",
            "take it out of `capabilities`",
        ),
        (false, false) => found(0, "nobody is killed on its word", ""),
    }
}

fn calls_upwards(system: &System, worker: &Worker, _: &Machine) -> Found {
    let upwards = |grant: &&bailiwick_supervisor::spec::Grant| {
        grant.from == worker.name && boundary(system, grant) == Some(Boundary::IntoPrivilege)
    };
    let grants: Vec<_> = system.grants.iter().filter(upwards).collect();
    let names: Vec<String> = grants.iter().map(|grant| explain::callee(grant)).collect();
    match grants.iter().find(|grant| grant.methods.is_none()) {
        None if grants.is_empty() => found(0, "nobody who holds a privilege", ""),
        None => {
            found(3, format!("named methods of {}", names.join(", ")), "name fewer `methods` in its grants")
        }
        Some(open) => {
            found(7, format!("every method of {}", explain::callee(open)), "name the `methods` in that grant")
        }
    }
}

fn memory(_: &System, worker: &Worker, _: &Machine) -> Found {
    match worker.sandbox.memory_max {
        Some(_) => found(0, "bounded", ""),
        None => found(6, "as much as there is", "memory_max = \"256M\""),
    }
}

fn tasks(_: &System, worker: &Worker, _: &Machine) -> Found {
    match (worker.sandbox.tasks_max, worker.sandbox.preset) {
        (None, Preset::None) => found(10, "as many as there may be", "tasks_max = 64"),
        (Some(most), _) if most > 1024 => found(4, format!("up to {most}"), "tasks_max = 64"),
        (_, _) => found(0, "bounded", ""),
    }
}

/// What each packet of a worker may cost who reads it grows with the square of the numbers that it has.
fn descriptors(_: &System, worker: &Worker, _: &Machine) -> Found {
    match worker.sandbox.files() {
        None => found(10, "as many as whoever started the supervisor left it", "limit_nofile = 256"),
        Some(most) if most > 1024 => found(
            6,
            format!("up to {most}: its peers may take seconds to read a packet"),
            "limit_nofile = 256",
        ),
        Some(most) if most > 256 => found(2, format!("up to {most}"), "limit_nofile = 256"),
        Some(most) => found(0, format!("up to {most}"), ""),
    }
}

fn lives(_: &System, worker: &Worker, _: &Machine) -> Found {
    match (worker.max_messages, worker.max_age.is_zero()) {
        (1, _) => found(0, "a fresh process for each message", ""),
        (0, true) => found(
            5,
            "whoever takes it over stays as long as it runs",
            "max_messages = 1, or max_age = \"1h\"",
        ),
        (_, _) => found(2, "a fresh process now and then", "max_messages = 1"),
    }
}

fn its_end(_: &System, worker: &Worker, _: &Machine) -> Found {
    match worker.crash_may_stop_all || worker.essential {
        true => found(5, "its crashes may stop everything", "remove `essential` and `crash_may_stop`"),
        false => found(0, "its crashes do not stop everything", ""),
    }
}

fn code(_: &System, worker: &Worker, _: &Machine) -> Found {
    match (worker.sandbox.may_make_code(), worker.sandbox.preset) {
        (false, _) => found(0, "makes none at run time", ""),
        (true, Preset::None) => found(10, "makes what it likes", "set a `preset` other than none"),
        (true, _) => found(5, "may make some at run time", "memory_deny_write_execute = true"),
    }
}

fn groups(_: &System, worker: &Worker, _: &Machine) -> Found {
    match worker.sandbox.supplementary_groups.as_slice() {
        [] => found(0, "is in none but that of its user", ""),
        some => found(
            4,
            format!("is also in {}", some.join(", ")),
            "take what it can do without out of `supplementary_groups`",
        ),
    }
}

fn keys(_: &System, worker: &Worker, machine: &Machine) -> Found {
    match (worker.sandbox.keyring_mode, worker.sandbox.preset) {
        (Some(KeyringMode::Inherit), _) => {
            found(7, "finds those of whoever started the supervisor", "keyring_mode = \"private\"")
        }
        (None, Preset::None) => {
            found(7, "finds those of whoever started the supervisor", "keyring_mode = \"private\"")
        }
        _ if !machine.keyrings => found(0, "this machine has none", ""),
        (_, _) => found(0, "finds its own alone", ""),
    }
}

fn secrets(_: &System, worker: &Worker, _: &Machine) -> Found {
    let names: Vec<&str> =
        worker.credentials.keys().chain(&worker.pass_environment).map(String::as_str).collect();
    match names.as_slice() {
        [] => found(0, "is handed none", ""),
        some => found(
            3,
            format!("is handed {}", some.join(", ")),
            "have a worker of its own use each, and grant its methods",
        ),
    }
}

fn violations(system: &System, worker: &Worker, _: &Machine) -> Found {
    match explain::is_only_told(system, worker) {
        true => found(8, "are only told of", "remove `channel.on_violation`, or `profile = \"dev\"`"),
        false => found(0, "end it", ""),
    }
}

fn core(_: &System, worker: &Worker, _: &Machine) -> Found {
    if worker.sandbox.dumpable == Some(true) {
        return found(7, "others of its user look into it", "remove `dumpable`");
    }
    match (worker.sandbox.preset, worker.sandbox.limit_core) {
        (Preset::None, _) => found(
            10,
            "its memory may be read by its user and written to a core",
            "set a `preset` other than none",
        ),
        (_, 0) => found(0, "its memory is never written to a core", ""),
        (_, _) => found(7, "its memory may be written to a core", "remove `limit_core`"),
    }
}
