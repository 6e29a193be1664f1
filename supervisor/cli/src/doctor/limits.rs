//! What bounds memory, tasks, processors and disks.

use bailiwick_supervisor::sandbox::Machine;
use bailiwick_supervisor::spec::Shares;
use bailiwick_sys::shares::{Unmet, Whose};

use super::finding::{Finding, has};

pub(super) fn all(machine: &Machine) -> Vec<Finding> {
    let mut all = vec![memory(machine), tasks(machine)];
    all.extend(shared(machine));
    all
}

/// How a supervisor gets control groups that it may use.
fn to_do(machine: &Machine) -> &'static str {
    match machine.uid {
        _ if machine.cgroups.v1_memory.is_some() && machine.cgroups.v2.is_some() => {
            "version 1 of control groups holds the controllers here: cgroup_no_v1=all on the kernel's command line gives \
             them to version 2"
        }
        0 => {
            "control groups that it may write: mount -t cgroup2 none /sys/fs/cgroup; under systemd \
              `Delegate=memory pids cpu io` in its unit; in a container /sys/fs/cgroup not read-only"
        }
        _ => {
            "a control group of its own: `systemd-run --user --scope -p \"Delegate=memory pids cpu io\" bailiwick run …`"
        }
    }
}

fn memory(machine: &Machine) -> Finding {
    let by = machine.cgroups.memory();
    let found = by.map_or_else(|| "RLIMIT_AS".to_owned(), |version| format!("control groups, {version:?}"));
    let meaning = "memory in use is bounded, and an end for want of it is told as such";
    let without = "address space is bounded for each process, memory files are not, and an end for want of it is told as \
                   a crash";
    Finding::there("memory_max", found, "`memory_max`", meaning).or_without(
        by.is_some(),
        without,
        to_do(machine),
    )
}

fn tasks(machine: &Machine) -> Finding {
    let by = machine.cgroups.tasks();
    let holds = by.is_some() || machine.can_switch_users() || machine.space.counts_tasks;
    let found = match by {
        Some(version) => format!("control groups, {version:?}"),
        None if holds => "RLIMIT_NPROC".to_owned(),
        None => has(false).to_owned(),
    };
    let needed = "`tasks_max`; all presets but none have 64";
    let row = Finding::there("tasks_max", found, needed, "threads and processes are bounded");
    let without =
        "threads and processes are not counted; `tasks_max` in writing starts only with --allow-degraded";
    row.or_without(holds, without, to_do(machine)).guarantees()
}

/// Returns how workers share what all of them want: a row for each key.
fn shared(machine: &Machine) -> impl Iterator<Item = Finding> {
    let everything = Shares {
        memory_high: Some(1),
        memory_low: Some(1),
        memory_min: Some(1),
        memory_swap_max: Some(1),
        cpu_weight: Some(1),
        cpu_quota: Some(1),
        io_weight: Some(1),
        oom_kills_all: Some(true),
    };
    let unmet = everything.met_by(&machine.cgroups, Whose { memory_is_bounded: true, is_alone: false }).1;
    let to_do = to_do(machine);
    SHARED.iter().map(move |(keys, needed, meaning)| {
        let why = unmet.iter().find(|Unmet { key, .. }| keys == key).map(|unmet| unmet.why);
        let row = Finding::there(
            keys,
            why.map_or("there".to_owned(), |why| format!("not there: {why}")),
            needed,
            *meaning,
        );
        let without = "whoever asks for it starts only with --allow-degraded, and nobody else misses it";
        row.or_without(why.is_none(), without, to_do)
    })
}

/// The keys, who asks for them, and what they do.
const SHARED: [(&str, &str, &str); 8] = [
    ("memory_high", "`memory_high`", "whoever uses more is slowed down"),
    ("memory_low", "`memory_low`", "memory is kept as long as others have some to spare"),
    ("memory_min", "`memory_min`", "memory is kept in any case"),
    ("memory_swap_max", "`memory_swap_max`", "swap is bounded"),
    ("cpu_weight", "`cpu_weight`", "processors are shared out by weight"),
    ("cpu_quota", "`cpu_quota`", "processor time is bounded"),
    ("io_weight", "`io_weight`", "disks are shared out by weight"),
    (
        "oom_policy",
        "`oom_policy = \"kill\"`",
        "all processes of a worker end when one does for want of memory",
    ),
];
