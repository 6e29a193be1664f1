//! `crashes`: which lives ended in another way than they should, why, and what followed.

mod words;

use std::path::Path;

use bailiwick_admin::documents::crashes::{self as documents, Crash, Stack};
use bailiwick_supervisor::control::{Client, Target};
use bailiwick_wire::backtraces::Backtraces;
use bailiwick_wire::crash::Report;

use crate::arguments::Crashes;
use crate::exit::{Exit, Failure};
use crate::json;
use crate::place;
use crate::screen::Screen;
use crate::status::{target, unknown};

pub(crate) fn crashes(asked: &Crashes, screen: &Screen) -> Result<Exit, Failure> {
    let client = Client::connect(&place::find(&asked.place)?)?;
    let target = match &asked.name {
        Some(name) => {
            let status = client.status()?;
            target(&status, name).ok_or_else(|| unknown(&status, name))?
        }
        None => Target::System,
    };
    let mut reports = client.crashes(target)?;
    reports.sort_by_key(|report| report.ended.monotonic_ns);
    let executable = asked.executable.as_deref();
    screen.print(&match (asked.json, &asked.name, reports.last()) {
        (true, _, _) => json::document(&documents::document(reports, |report| stacks(report, executable))),
        (false, _, None) => "no crash is remembered\n".to_owned(),
        (false, None, Some(_)) => words::table(&reports),
        (false, Some(_), Some(latest)) => words::table(&reports) + "\n" + &words::detail(latest, executable),
    });
    Ok(Exit::Done)
}

/// Returns one line for each of these reports.
pub(crate) fn lines(reports: &[Report]) -> String {
    words::table(reports)
}

/// Returns the latest of these reports, as a person reads it in a few lines.
pub(crate) fn latest(reports: &[Report]) -> Option<String> {
    reports.iter().max_by_key(|report| report.ended.monotonic_ns).map(words::brief)
}

/// Returns the latest of these reports, as a program reads it.
pub(crate) fn latest_document(reports: &[Report]) -> Option<Crash> {
    let latest = reports.iter().max_by_key(|report| report.ended.monotonic_ns);
    latest.map(|report| documents::crash(report, documents::addresses(report)))
}

/// Returns where the threads of a life stood, in words: the file that it executed tells the functions.
fn stacks(report: &Report, executable: Option<&Path>) -> Vec<Stack> {
    let Some(executable) = executable else { return documents::addresses(report) };
    let (stacks, problem) = crate::symbols::stacks(&Backtraces::from_bytes(&report.backtraces), executable);
    let told = stacks.into_iter().map(|stack| {
        let calls = stack.calls.into_iter().map(|call| format!("{} {}", call.function, call.place));
        (stack.thread, stack.name, calls.collect())
    });
    problem.map(|problem| (0, problem, Vec::new())).into_iter().chain(told).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bailiwick_supervisor::control::Cause;
    use bailiwick_sys::system_call;
    use bailiwick_wire::crash::{Budget, Decision, End, Moment};
    use bailiwick_wire::last_words::{ForbiddenCall, LastWords, Panic};

    use super::*;

    fn report() -> Report {
        let panic = Panic {
            message: "no \u{1b}[31mcat".into(),
            location: "src/cat.rs:7:9".into(),
            thread: "main".into(),
            actor: "web/front#1".into(),
            at_ns: 4_000_000_000,
            count: 2,
        };
        Report {
            pid: Some(4711),
            began: Moment { wall: Duration::from_secs(1_000_000_000), monotonic_ns: 1_000_000_000 },
            ended: Moment { wall: Duration::from_secs(1_000_000_004), monotonic_ns: 5_000_000_000 },
            cause: Cause::Exit(101),
            end: End::Exited { code: 101 },
            last_state: "ready".into(),
            ready_for: Some(Duration::from_secs(3)),
            budget: Budget { charged: true, left: 4, max: 5, period: Duration::from_secs(30), failures: 1 },
            decision: Decision { action: "restart".into(), detail: "restarts now".into(), pause: None },
            last_words: LastWords { panic: Some(panic), ..LastWords::default() },
            last_lines: vec!["listens".into()],
            numbered: true,
            ..Report::of("web", 2, 3)
        }
    }

    #[test]
    fn a_person_reads_what_why_and_what_follows() {
        let line = "2001-09-09T01:46:44.000Z  web.2#3: exit code 101 (a panic); restarts now\n";
        assert_eq!(words::table(&[report()]), line);
        let alone = words::table(&[Report { numbered: false, ..report() }]);
        assert!(alone.contains("  web#3: "), "{alone}");
        let text = words::detail(&report(), None);
        for part in [
            "what  web.2#3, pid 4711",
            "why  exit code 101 (a panic)",
            "follows  restarts now; 4 of 5 restarts left in 30 s",
            "lived  4.0 s, ready for 3.0 s, last ready",
            "latest panic  no \\u{1b}[31mcat",
            "at src/cat.rs:7:9, thread main, actor web/front#1, 1.0 s before the end, 2 in all",
            "its last lines:\n    listens",
        ] {
            assert!(text.contains(part), "{part} in\n{text}");
        }
    }

    #[test]
    fn a_kill_that_nobody_counted_is_not_blamed_on_memory() {
        let end = End::Signalled { signal: 9, core: false };
        let killed = Report { cause: Cause::Signal(9), end, ..report() };
        let line = words::table(&[killed]);
        assert!(
            line.contains("SIGKILL from outside (an operator, or the kernel for want of memory: see dmesg)"),
            "{line}"
        );
    }

    #[test]
    fn a_program_reads_numbers_and_words() {
        let call =
            ForbiddenCall { number: system_call::number("reboot").unwrap(), ..ForbiddenCall::default() };
        let last_words = LastWords { forbidden_call: Some(call), ..LastWords::default() };
        let end = End::Signalled { signal: 31, core: false };
        let stopped = Report { cause: Cause::ForbiddenSyscall, end, last_words, ..report() };
        let text = json::document(&documents::document(vec![report(), stopped], documents::addresses));
        let found: serde_json::Value = serde_json::from_str(&text).unwrap();
        let [panicked, stopped] = [&found["crashes"][0], &found["crashes"][1]];
        assert_eq!(found["schema_version"], 1);
        assert_eq!((&panicked["worker"], &panicked["exit_code"]), (&"web".into(), &101.into()));
        assert_eq!((&panicked["uptime_s"], &panicked["ready_for_s"]), (&4.0.into(), &3.0.into()));
        assert_eq!(
            (&panicked["budget"]["restarts_in_window"], &panicked["panic"]["count"]),
            (&1.into(), &2.into())
        );
        assert_eq!(
            (&stopped["signal_name"], &stopped["forbidden_call"]),
            (&"SIGSYS".into(), &"reboot".into())
        );
        assert_eq!(stopped["exit_code"], serde_json::Value::Null);
    }
}
