//! What sandboxes stand on, from the table that the start of a worker reads as well.

use bailiwick_supervisor::check::floor::{self, PILLARS, Pillar};
use bailiwick_supervisor::sandbox::{Aspect, Machine};
use bailiwick_supervisor::spec::{Exec, Preset, Worker};

use super::finding::{Finding, has};

/// Returns a row for each pillar.
pub(super) fn all(machine: &Machine) -> Vec<Finding> {
    PILLARS.iter().map(|pillar| row(pillar, machine)).collect()
}

/// Returns by which name a pillar stands in the table.
pub(super) fn name(pillar: &Pillar) -> &'static str {
    match pillar.aspect {
        Aspect::User => "another user",
        Aspect::Tcp => "TCP ports",
        Aspect::Scope => "signals",
        Aspect::Descendants => "orphans",
        Aspect::Key("keyring_mode") => "keyring",
        Aspect::Memory => "memory of many",
        Aspect::Proc => "own /proc",
        _ => pillar.name,
    }
}

fn row(pillar: &'static Pillar, machine: &Machine) -> Finding {
    // Without a machine-wide way, those who fork may still have a way of their own.
    let is_there = match pillar.aspect {
        Aspect::Descendants => machine.can_kill_tree_of(&worker(Preset::Exec)),
        _ => pillar.is_given_by(machine),
    };
    let row = Finding::there(name(pillar), found(pillar, machine, is_there), pillar.whose, with(pillar));
    let row = row.or_without(is_there, format!("a worker could {}", pillar.without), to_do(pillar, machine));
    if is_floor(pillar, machine) { row.guarantees() } else { row }
}

/// Tells whether workers that ask for nothing but their preset cannot do without.
fn is_floor(pillar: &Pillar, machine: &Machine) -> bool {
    let poor = Machine { landlock_abi: 0, seccomp: false, worker_uids: None, ..machine.clone() };
    let poor = poor.without_cgroups().without_nests();
    let lacking = |preset| floor::lacking(&worker(preset), &poor).into_iter();
    lacking(Preset::Sealed).chain(lacking(Preset::Exec)).any(|(one, _)| one.name == pillar.name)
        || pillar.aspect == Aspect::User
}

fn worker(preset: Preset) -> Worker {
    let mut worker = Worker::new("any", Exec::Own);
    worker.sandbox.preset = preset;
    worker
}

fn found(pillar: &Pillar, machine: &Machine, is_there: bool) -> String {
    let by = match (machine.can_switch_users(), machine.cgroups.can_kill(), machine.nests.is_ok()) {
        (true, _, _) => "by user: a guardian ends all that runs as a worker's",
        (false, true, _) => "by control group",
        (false, false, true) => "by PID namespace",
        (false, false, false) => "the kernel alone, by the death of the parent",
    };
    match pillar.aspect {
        Aspect::Files if is_there => format!("interface {}", machine.landlock_abi),
        Aspect::Descendants => by.to_owned(),
        _ => has(is_there).to_owned(),
    }
}

/// Says what holds where it is there.
fn with(pillar: &Pillar) -> String {
    match pillar.aspect {
        Aspect::Files => "workers reach the files that they are granted, and no other".into(),
        Aspect::SystemCalls => "workers make the system calls that their preset allows, and no other".into(),
        Aspect::User => "no worker is root unless it is `privileged` and says so".into(),
        Aspect::Tcp => "workers bind and connect to the TCP ports that they are granted, and no other".into(),
        Aspect::Scope => "workers signal nobody else, and reach no abstract socket of others".into(),
        Aspect::Descendants => {
            "when the supervisor is killed, workers and all that they started are gone within a second".into()
        }
        Aspect::Memory => "`memory_max` bounds all that a worker and what it starts use, together".into(),
        Aspect::Proc => "who may start programs finds its own processes in /proc, and no others".into(),
        Aspect::Key("keyring_mode") => "workers find no keys but their own".into(),
        Aspect::Key("supplementary_groups") => "workers are in the groups that their manifest names".into(),
        _ => format!("no worker could {}", pillar.without),
    }
}

/// Says what gives it; what it takes in any case.
fn to_do(pillar: &Pillar, machine: &Machine) -> String {
    let what = match pillar.aspect {
        Aspect::Files => {
            "a kernel with CONFIG_SECURITY_LANDLOCK=y, and `landlock` among the names of lsm= on its command line; \
             in a container, a filter that allows landlock_create_ruleset"
        }
        Aspect::SystemCalls => {
            "a kernel with CONFIG_SECCOMP_FILTER=y; in a container, a filter that allows seccomp and prctl"
        }
        Aspect::User => {
            "leave it CAP_SETUID, CAP_SETGID and CAP_SETPCAP, or start it as another user than root"
        }
        Aspect::Descendants if machine.uid == 0 => {
            "leave it CAP_SETUID, CAP_SETGID and CAP_SETPCAP, or mount control groups of version 2: \
             mount -t cgroup2 none /sys/fs/cgroup"
        }
        Aspect::Descendants => {
            "let it have a control group: `systemd-run --user --scope -p Delegate=yes bailiwick run …`; or start \
             it as root"
        }
        Aspect::Key("keyring_mode") => {
            "a kernel with CONFIG_KEYS=y; in a container, a filter that allows keyctl"
        }
        Aspect::Key("supplementary_groups") => "see `users`",
        _ => return pillar.needs.to_owned(),
    };
    format!("{}: {what}", pillar.needs)
}
