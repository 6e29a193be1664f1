//! `doctor`: what this machine gives to a supervisor that is started as this one was, and what follows where it lacks something.

use bailiwick_supervisor::check::floor::PILLARS;
use bailiwick_supervisor::sandbox::Machine;
use bailiwick_sys::cgroup::Version;
use serde::Serialize;

use crate::arguments::Doctor;
use crate::exit::{Exit, Failure};
use crate::screen::Screen;

/// The version of the document.
const SCHEMA_VERSION: u32 = 1;

/// Everything that was found.
#[derive(Debug, Serialize)]
struct Report {
    schema_version: u32,
    /// Whether every guarantee holds.
    healthy: bool,
    findings: Vec<Finding>,
}

/// One thing that a supervisor builds on.
#[derive(Debug, Serialize)]
struct Finding {
    name: &'static str,
    /// What there is.
    found: String,
    /// Whether that is enough for the guarantee that hangs on it; `None` where none does.
    holds: Option<bool>,
    /// What follows.
    meaning: String,
}

/// What is read of the machine besides what the supervisor itself asks for.
struct Surroundings {
    tells_filters: bool,
    core_pattern: Option<String>,
}

pub(crate) fn doctor(asked: &Doctor, screen: &Screen) -> Result<Exit, Failure> {
    let report = Report::new(findings(&Machine::probe(), &Surroundings::look()));
    if asked.json {
        screen.print(&format!("{}\n", serde_json::to_string_pretty(&report).expect("it has no maps")));
    } else {
        screen.print(&report.text());
    }
    Ok(if report.healthy { Exit::Done } else { Exit::Failed })
}

impl Report {
    fn new(findings: Vec<Finding>) -> Self {
        let healthy = findings.iter().all(|finding| finding.holds != Some(false));
        Self { schema_version: SCHEMA_VERSION, healthy, findings }
    }

    fn text(&self) -> String {
        let mut text = String::new();
        for Finding { name, found, holds, meaning } in &self.findings {
            let mark = match holds {
                Some(true) => "ok",
                Some(false) => "LACKS",
                None => "",
            };
            text.push_str(&format!("{mark:<6} {name:<17} {found}\n{:25}{meaning}\n", ""));
        }
        let verdict = match self.healthy {
            true => "every guarantee holds here",
            false => "some guarantees do not hold here: see LACKS",
        };
        text + verdict + "\n"
    }
}

impl Surroundings {
    fn look() -> Self {
        let read = |path: &str| std::fs::read_to_string(path).ok().map(|text| text.trim().to_owned());
        Self {
            tells_filters: read("/proc/self/status").is_some_and(|text| text.contains("Seccomp_filters")),
            core_pattern: read("/proc/sys/kernel/core_pattern"),
        }
    }
}

fn findings(machine: &Machine, around: &Surroundings) -> Vec<Finding> {
    let mut found = vec![user(machine), orphans(machine)];
    found.extend(sandbox(machine, around));
    found.extend(namespaces(machine));
    found.extend(limits(machine));
    found.push(processes(machine));
    found.extend(rest_of_the_floor(machine));
    found.extend(shared(machine));
    found.push(cores(around));
    found
}

fn finding(
    name: &'static str,
    found: impl Into<String>,
    holds: Option<bool>,
    meaning: impl Into<String>,
) -> Finding {
    Finding { name, found: found.into(), holds, meaning: meaning.into() }
}

fn has(there: bool) -> &'static str {
    if there { "there" } else { "not there" }
}

fn user(machine: &Machine) -> Finding {
    let found = match &machine.worker_uids {
        Some(range) if machine.can_switch_users() => {
            format!("uid {}, may become {:#x} to {:#x}", machine.uid, range.start(), range.end())
        }
        _ => format!("uid {}, cannot change to other users", machine.uid),
    };
    let meaning = match machine.can_switch_users() {
        true => "each worker runs under a user of its own",
        false => "workers run under this user, held apart by Landlock and system call filters alone",
    };
    finding("users", found, None, meaning)
}

fn orphans(machine: &Machine) -> Finding {
    let found = match (machine.can_switch_users(), machine.cgroups.can_kill(), machine.nests.is_ok()) {
        (true, _, _) => "a guardian that kills by user",
        (false, true, _) => "a guardian that kills by control group",
        (false, false, true) => "the kernel, by PID namespaces",
        (false, false, false) => "the kernel alone, by the death of the parent",
    };
    let holds = machine.can_kill_trees() || machine.nests.is_ok();
    let meaning = match holds {
        true => "when the supervisor is killed, workers and all that they started are gone within a second",
        false => {
            "when the supervisor is killed, workers are gone, but not what they started: nothing that may start \
                  processes (presets exec and none, foreign programs) is safe from leaving orphans"
        }
    };
    finding("orphans", found, Some(holds), meaning)
}

fn processes(machine: &Machine) -> Finding {
    let found = match (machine.nests, machine.can_switch_users()) {
        (Ok(()), true) => "PID namespaces".to_owned(),
        (Ok(()), false) => "PID namespaces in user namespaces".to_owned(),
        (Err(refused), _) => format!("refused: {refused}"),
    };
    let meaning = match (machine.nests.is_ok(), machine.can_switch_users()) {
        (true, true) => {
            "who may start programs (preset exec) sees no processes but these, and they end with it"
        }
        (true, false) => {
            "each worker in a sandbox sees no processes but its own, and what it starts ends with it"
        }
        (false, _) => {
            "workers see other processes; what they may do to them is bounded by Landlock and their user"
        }
    };
    finding("own processes", found, None, meaning)
}

fn sandbox(machine: &Machine, around: &Surroundings) -> [Finding; 3] {
    let landlock = machine.landlock_abi > 0;
    let files = match landlock {
        true => "workers reach the files that they are granted, and no other",
        false => "a floor of every sandbox: workers start only with --allow-degraded",
    };
    let calls = match machine.seccomp {
        true => "workers make the system calls that their preset allows, and no other",
        false => "a floor of every sandbox: workers start only with --allow-degraded",
    };
    let verified = match around.tells_filters {
        true => "each sandbox is compared with its declaration before code of a user runs",
        false => "/proc does not tell of filters: sandboxes are entered and not verified",
    };
    let abi = if landlock { format!("interface {}", machine.landlock_abi) } else { has(false).into() };
    [
        finding("landlock", abi, Some(landlock), files),
        finding("seccomp", has(machine.seccomp), Some(machine.seccomp), calls),
        finding(
            "/proc",
            if around.tells_filters { "tells" } else { "does not tell" },
            Some(around.tells_filters),
            verified,
        ),
    ]
}

fn namespaces(machine: &Machine) -> [Finding; 4] {
    let common =
        |name, made: bool, with, without| finding(name, has(made), None, if made { with } else { without });
    let commons = &machine.commons;
    let view = machine.views.as_ref().map_or_else(ToString::to_string, |()| has(true).to_owned());
    let seen = match machine.views {
        Ok(()) => "workers see the files that they are granted, and no name of another",
        Err(_) => {
            "workers see names, sizes and owners of files that they cannot open; private_mounts refuses to start"
        }
    };
    [
        finding("own view of files", view, None, seen),
        common(
            "empty network",
            commons.network.is_some(),
            "workers that need no network see none",
            "workers that need no network are held by Landlock and filters alone; private_network refuses to start",
        ),
        common(
            "empty ipc",
            commons.ipc.is_some(),
            "workers see nobody's System V memory and message queues",
            "workers of preset exec see System V memory and message queues; private_ipc refuses to start",
        ),
        common(
            "neutral host name",
            commons.hostname.is_some(),
            "workers see the host as localhost",
            "workers see the name of the host; protect_hostname refuses to start",
        ),
    ]
}

fn limits(machine: &Machine) -> [Finding; 2] {
    let version = |version: Option<_>| version.map(|version| format!("control groups, {version:?}"));
    let memory = version(machine.cgroups.memory());
    let tasks = version(machine.cgroups.tasks());
    let tasks_hold = tasks.is_some() || machine.can_switch_users();
    [
        finding(
            "memory_max",
            memory.clone().unwrap_or_else(|| "RLIMIT_AS".into()),
            None,
            match memory {
                Some(_) => "memory in use is bounded, and an end for want of it is told as such",
                None => {
                    "address space is bounded for each process, and an end for want of it is told as a crash"
                }
            },
        ),
        finding(
            "tasks_max",
            tasks.unwrap_or_else(|| if tasks_hold { "RLIMIT_NPROC".into() } else { has(false).into() }),
            Some(tasks_hold),
            if tasks_hold {
                "threads and processes are bounded"
            } else {
                "tasks_max starts only with --allow-degraded"
            },
        ),
    ]
}

/// Returns what only some workers cannot do without, where it is not told of above.
fn rest_of_the_floor(machine: &Machine) -> impl Iterator<Item = Finding> {
    let rest = PILLARS.iter().filter(|pillar| !["Landlock", "seccomp"].contains(&pillar.name));
    rest.filter(|pillar| !pillar.is_given_by(machine)).map(|pillar| {
        let meaning = format!("{}; without it a worker could {}", pillar.whose, pillar.without);
        finding(pillar.name, pillar.needs, None, meaning)
    })
}

/// Returns by what workers share what all of them want.
fn shared(machine: &Machine) -> [Finding; 3] {
    let cgroups = &machine.cgroups;
    let by = |version: Option<_>| {
        version.map_or_else(|| has(false).to_owned(), |version| format!("control groups, {version:?}"))
    };
    let high = cgroups.memory().filter(|version| *version == Version::V2);
    let meaning = "whoever asks for it starts only where it is there, or with --allow-degraded";
    [
        finding("cpu_quota", by(cgroups.cpu()), None, meaning),
        finding("io_weight", by(cgroups.io()), None, meaning),
        finding("memory_high", by(high), None, meaning),
    ]
}

fn cores(around: &Surroundings) -> Finding {
    let pattern = around.core_pattern.clone().unwrap_or_else(|| "not readable".into());
    let meaning = match pattern.starts_with('|') {
        true => "cores go to a program, which runs outside of every sandbox",
        false => "cores go to files, where a limit allows them; workers have none",
    };
    finding("core_pattern", pattern, None, meaning)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn around() -> Surroundings {
        let core_pattern = Some("core".into());
        Surroundings { tells_filters: true, core_pattern }
    }

    fn lacking(machine: &Machine, around: &Surroundings) -> Vec<&'static str> {
        let found = findings(machine, around).into_iter();
        found.filter(|finding| finding.holds == Some(false)).map(|finding| finding.name).collect()
    }

    #[test]
    fn h10_what_is_lost_is_named() {
        let poor =
            Machine { uid: 1000, worker_uids: None, landlock_abi: 0, seccomp: false, ..Machine::probe() };
        let blind = Surroundings { tells_filters: false, ..around() };
        let lost = lacking(&poor.without_cgroups().without_nests(), &blind);
        assert_eq!(lost, ["orphans", "landlock", "seccomp", "/proc", "tasks_max"]);
    }

    #[test]
    fn one_loss_makes_the_verdict() {
        let report = |machine: &Machine| Report::new(findings(machine, &around()));
        let lacks = Machine { seccomp: false, ..Machine::probe() };
        assert!(!report(&lacks).healthy);
        assert!(report(&lacks).text().ends_with("some guarantees do not hold here: see LACKS\n"));
    }
}
