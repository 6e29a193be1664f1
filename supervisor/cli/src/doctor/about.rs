//! What a supervisor stands on that no sandbox asks for by a key: the kernel, processes by descriptor, /proc and namespaces
//! of processes.

use bailiwick_supervisor::sandbox::Machine;

use super::finding::{Finding, has};
use super::surroundings::Surroundings;

pub(super) fn kernel(around: &Surroundings) -> Finding {
    let meaning = "what hangs on its version is told below, as it was found";
    Finding::there("kernel", around.kernel.clone(), "everything", meaning).told()
}

pub(super) fn processes_by_descriptor(around: &Surroundings) -> Finding {
    let meaning = "processes are named by descriptor: nobody is taken for another";
    let row = Finding::there("pidfd", has(around.has_pidfd), "the supervisor itself", meaning);
    let without = "no supervisor starts";
    row.or_without(around.has_pidfd, without, "Linux 5.4; in a container, a filter that allows pidfd_open")
        .guarantees()
}

pub(super) fn all(machine: &Machine, around: &Surroundings) -> Vec<Finding> {
    vec![
        whole_groups(machine),
        own_processes(machine, around),
        proc(around),
        names_of_processes(around),
        looking_into(around),
        cores(around),
        memory_files(around),
    ]
}

fn whole_groups(machine: &Machine) -> Finding {
    let there = machine.cgroups.can_kill();
    let found = match &machine.cgroups.v2 {
        Some(own) => format!("version 2, {}", own.display()),
        None => has(false).to_owned(),
    };
    let needed =
        "an end at once of all that a worker started, without root also of presets `exec` and `none`";
    let meaning = "a worker and all that it started are ended in one stroke";
    let without = "what a worker started is ended by its user or its PID namespace, see `orphans`";
    let to_do = match machine.uid {
        0 => {
            "Linux 5.14, and control groups of version 2 that may be written: mount -t cgroup2 none /sys/fs/cgroup; \
              under systemd `Delegate=memory pids` in the unit"
        }
        _ => {
            "Linux 5.14, and a control group of its own: `systemd-run --user --scope -p Delegate=yes bailiwick run …`"
        }
    };
    Finding::there("cgroup.kill", found, needed, meaning).or_without(there, without, to_do)
}

fn own_processes(machine: &Machine, around: &Surroundings) -> Finding {
    let found = match (machine.nests, machine.can_switch_users()) {
        (Ok(()), true) => "PID namespaces".to_owned(),
        (Ok(()), false) => "PID namespaces in user namespaces".to_owned(),
        (Err(refused), _) => format!("refused: {refused}"),
    };
    let meaning = match machine.can_switch_users() {
        true => "who may start programs (preset exec) sees no processes but these, and they end with it",
        false => "each worker in a sandbox sees no processes but its own, and what it starts ends with it",
    };
    let needed = "`private_pids`, `private_users`, the preset `exec`; without root every sandbox";
    let without =
        "workers see other processes; what they may do to them is bounded by Landlock and their user";
    let to_do = around.to_make_namespaces(machine.can_switch_users());
    Finding::there("own processes", found, needed, meaning).or_without(machine.nests.is_ok(), without, to_do)
}

fn proc(around: &Surroundings) -> Finding {
    let found = if around.tells_filters { "tells of filters" } else { "does not tell of filters" };
    let needed = "the look at each worker before its code runs";
    let meaning = "each sandbox is compared with its declaration before code of a user runs";
    let without = "sandboxes are entered and not verified";
    let to_do = "Linux 5.9, and mount -t proc proc /proc";
    Finding::there("/proc", found, needed, meaning)
        .or_without(around.tells_filters, without, to_do)
        .guarantees()
}

fn names_of_processes(around: &Surroundings) -> Finding {
    let found = match around.hidepid.as_deref() {
        None => "/proc is not mounted".to_owned(),
        Some(hidden) => format!("hidepid={hidden}"),
    };
    let hides =
        !matches!(around.hidepid.as_deref(), Some("off" | "0" | "noaccess" | "1" | "ptraceable" | "4"));
    let meaning = match hides {
        true => {
            "who sees the machine's /proc (preset none, or where there are no views) sees its user's processes alone"
        }
        false => {
            "who sees the machine's /proc (preset none, or where there are no views) sees names of processes of \
                  others; mount -o remount,hidepid=invisible /proc hides them, as it does from all users but root"
        }
    };
    Finding::there("names of processes", found, "the preset `none`", meaning).told()
}

fn looking_into(around: &Surroundings) -> Finding {
    let found = match around.ptrace_scope.as_deref() {
        None => "Yama is not there".to_owned(),
        Some(scope) => format!("kernel.yama.ptrace_scope = {scope}"),
    };
    let meaning = match around.ptrace_scope.as_deref() {
        None | Some("0") => {
            "workers are kept out of each other by user, Landlock and `dumpable`, other processes of their user only as \
             far; where Yama is built in, sysctl -w kernel.yama.ptrace_scope=1 keeps those out too"
        }
        Some(_) => "processes of one user do not look into each other, whether they are workers or not",
    };
    Finding::there("ptrace", found, "`dumpable`, the preset `none`", meaning).told()
}

fn cores(around: &Surroundings) -> Finding {
    let pattern = around.core_pattern.clone().unwrap_or_else(|| "not readable".into());
    let meaning = match pattern.starts_with('|') {
        true => {
            "cores go to a program, which runs outside of every sandbox; sysctl -w kernel.core_pattern=core turns it \
                 off"
        }
        false => "cores go to files, where a limit allows them; workers have none unless they ask for some",
    };
    Finding::there("core_pattern", pattern, "`limit_core`", meaning).told()
}

fn memory_files(around: &Surroundings) -> Finding {
    let found = match (around.knows_no_exec, around.memfd_noexec.as_deref()) {
        (true, Some(value)) => format!("there; vm.memfd_noexec = {value}"),
        (there, _) => has(there).to_owned(),
    };
    let meaning = "memory files of the runtime are never executed";
    let without = "memory files may be executed as far as Landlock and the filters go; `memfd_no_exec` refuses to start";
    let row = Finding::there("memfd_no_exec", found, "`memfd_no_exec`", meaning);
    row.or_without(around.knows_no_exec, without, "Linux 6.3")
}
