//! `doctor`: what this machine gives to a supervisor that is started as this one was: of each mechanism what there is, who
//! needs it, what holds with or without it, and what to do where it is missing.

mod about;
mod files;
mod finding;
mod limits;
mod pillars;
mod surroundings;
mod users;

use bailiwick_supervisor::sandbox::Machine;
use serde::Serialize;

use crate::arguments::Doctor;
use crate::exit::{Exit, Failure};
use crate::json::{self, SCHEMA_VERSION};
use crate::screen::Screen;
use crate::words::wrapped;
use finding::{Finding, State};
use surroundings::Surroundings;

/// Everything that was found.
#[derive(Debug, Serialize)]
struct Report {
    schema_version: u32,
    /// Whether every guarantee holds.
    healthy: bool,
    findings: Vec<Finding>,
}

pub(crate) fn doctor(asked: &Doctor, screen: &Screen) -> Result<Exit, Failure> {
    let report = Report::new(findings(&Machine::probe(), &Surroundings::look()));
    screen.print(&if asked.json { json::document(&report) } else { report.text() });
    Ok(if report.healthy { Exit::Done } else { Exit::Failed })
}

impl Report {
    fn new(findings: Vec<Finding>) -> Self {
        let healthy = findings.iter().all(|finding| finding.state != State::Lacks);
        Self { schema_version: SCHEMA_VERSION, healthy, findings }
    }

    fn text(&self) -> String {
        let mut text: String = self.findings.iter().map(line).collect();
        let named = |state| {
            let of = self.findings.iter().filter(|finding| finding.state == state);
            of.map(|finding| finding.name).collect::<Vec<_>>().join(", ")
        };
        let (lacks, less) = (named(State::Lacks), named(State::Less));
        text.push('\n');
        for (what, names) in [("lacks", lacks), ("does without", less)] {
            if !names.is_empty() {
                text.push_str(&wrapped(&format!("{what}: "), &names));
            }
        }
        let verdict = match self.healthy {
            true => "every guarantee holds here",
            false => "some guarantees do not hold here: see LACKS",
        };
        text + verdict + "\n"
    }
}

/// Returns what is told of one mechanism: what there is and what follows; where it is missing, also for whom, and what to do.
fn line(finding: &Finding) -> String {
    let mark = match finding.state {
        State::There => "ok",
        State::Less => "less",
        State::Lacks => "LACKS",
        State::Told => "",
    };
    let mut text = wrapped(&format!("{mark:<6}{:<19} ", finding.name), &finding.found);
    let mut add = |label: &str, what: &str| text.push_str(&wrapped(&format!("{:6}{label:<20}", ""), what));
    if finding.state.is_missing() {
        add("needed for", &finding.needed_for);
        add("without it", &finding.meaning);
    } else {
        add("", &finding.meaning);
    }
    finding.to_do.iter().for_each(|what| add("to do", what));
    text
}

/// Returns the whole table.
fn findings(machine: &Machine, around: &Surroundings) -> Vec<Finding> {
    let mut found = vec![about::kernel(around), about::processes_by_descriptor(around)];
    found.extend(users::all(machine));
    found.extend(pillars::all(machine));
    found.extend(about::all(machine, around));
    found.extend(files::all(machine, around));
    found.extend(limits::all(machine));
    found
}

#[cfg(test)]
mod tests {
    use bailiwick_supervisor::check::floor::PILLARS;

    use super::*;

    fn around() -> Surroundings {
        Surroundings {
            tells_filters: true,
            has_pidfd: true,
            knows_no_exec: true,
            kernel: "6.18.0".into(),
            ..Surroundings::default()
        }
    }

    /// Root on a kernel with nothing in a container that forbids everything.
    fn nothing() -> Machine {
        let bare = Machine::probe().without_cgroups().without_nests().without_namespaces();
        Machine {
            uid: 0,
            worker_uids: None,
            capabilities: bailiwick_sys::capability::Capabilities::NONE,
            landlock_abi: 0,
            seccomp: false,
            keyrings: false,
            ..bare
        }
    }

    fn in_state(state: State, machine: &Machine, around: &Surroundings) -> Vec<&'static str> {
        let found = findings(machine, around).into_iter();
        found.filter(|finding| finding.state == state).map(|finding| finding.name).collect()
    }

    #[test]
    fn h10_what_is_lost_is_named() {
        let poor = Machine { uid: 1000, ..nothing() };
        let blind = Surroundings { tells_filters: false, has_pidfd: false, ..around() };
        let lost = in_state(State::Lacks, &poor, &blind);
        assert_eq!(lost, ["pidfd", "Landlock", "seccomp", "orphans", "/proc", "tasks_max"]);
        let root = in_state(State::Lacks, &nothing(), &around());
        assert_eq!(root, ["Landlock", "seccomp", "another user", "orphans", "tasks_max"]);
    }

    #[test]
    fn whatever_is_missing_is_told_with_who_needs_it_and_what_to_do() {
        let blind = Surroundings { tells_filters: false, has_pidfd: false, knows_no_exec: false, ..around() };
        for machine in [nothing(), Machine { uid: 1000, ..nothing() }] {
            for finding in findings(&machine, &blind) {
                let missing = finding.state.is_missing();
                assert_eq!(finding.to_do.is_some(), missing, "{finding:?}");
                assert!(!finding.needed_for.is_empty() && !finding.meaning.is_empty(), "{finding:?}");
                let told = line(&finding);
                assert_eq!(told.contains("to do") && told.contains("needed for"), missing, "{told}");
                assert!(told.lines().all(|line| line.chars().count() <= 80), "{told}");
            }
        }
    }

    #[test]
    fn every_pillar_of_sandboxes_is_in_the_table_and_turns_with_the_machine() {
        let (here, there) = (findings(&Machine::probe(), &around()), findings(&nothing(), &around()));
        for pillar in PILLARS {
            let state = |all: &[Finding]| {
                let named = all.iter().find(|finding| finding.name == pillars::name(pillar));
                named.unwrap_or_else(|| panic!("{} is not in the table", pillar.name)).state
            };
            let is_there = pillar.is_given_by(&Machine::probe());
            assert_eq!(state(&here) == State::There, is_there, "{}", pillar.name);
            assert!(state(&there).is_missing(), "{}", pillar.name);
        }
    }

    #[test]
    fn one_loss_makes_the_verdict() {
        let report = |machine: &Machine| Report::new(findings(machine, &around()));
        let lacks = Machine { seccomp: false, ..Machine::probe() };
        assert!(!report(&lacks).healthy);
        assert!(report(&lacks).text().ends_with("some guarantees do not hold here: see LACKS\n"));
    }

    #[test]
    fn what_forbids_namespaces_is_named_with_the_setting_that_allows_them() {
        let machine = Machine { uid: 1000, ..nothing() };
        let told = |around: Surroundings| {
            let found = findings(&machine, &around).into_iter();
            let own = found.filter(|finding| finding.name == "own processes").find_map(|one| one.to_do);
            own.expect("it is missing")
        };
        let ubuntu = Surroundings { apparmor_restricts_users: true, ..around() };
        assert!(told(ubuntu).contains("sysctl -w kernel.apparmor_restrict_unprivileged_userns=0"));
        let debian = Surroundings { forbids_user_namespaces: true, ..around() };
        assert!(told(debian).contains("sysctl -w kernel.unprivileged_userns_clone=1"));
        let none = Surroundings { user_namespaces_max: Some(0), ..around() };
        assert!(told(none).contains("sysctl -w user.max_user_namespaces=15000"));
        assert!(told(around()).contains("container"));
    }
}
