//! How a state, its reason, a time and a user are said.

use std::time::Duration;

use bailiwick_supervisor::check::{escape, user_name};
use bailiwick_supervisor::control::{
    Cause, Event, EventKind, GivenUp, MemoryMechanism, Reload, Row, Signs, State,
};

/// Says why a worker is in its state.
pub fn detail(row: &Row) -> String {
    let last = row.last_cause.map(|cause| match cause {
        Cause::SpawnFailed(_) if !row.failed_step.is_empty() => {
            format!("{cause}, at {}", escape(&row.failed_step))
        }
        cause => cause.to_string(),
    });
    let after =
        |what: &str| last.as_ref().map_or_else(|| what.to_owned(), |cause| format!("{what}: {cause}"));
    let mut parts = vec![match row.state {
        State::Stopped if row.generation == 0 => "not started yet".to_owned(),
        State::Stopped => "stopped by order".to_owned(),
        State::Waiting if row.because_of.is_empty() => {
            "starts when its turn comes, or somebody sends to it".to_owned()
        }
        State::Waiting => format!("waits for {}", escape(&row.because_of)),
        State::Spawning | State::Starting if row.restarts > 0 => after("restarted after"),
        State::Spawning | State::Starting => "not ready yet".to_owned(),
        State::Ready if row.restarts > 0 => after("restarted after"),
        State::Ready => "at work".to_owned(),
        State::Unready => "asked to be spared".to_owned(),
        State::Draining => "finishes what it has begun".to_owned(),
        State::Stopping => "told to stop".to_owned(),
        State::Reloading => "takes up what has changed".to_owned(),
        State::Aborting => "does not get on, sent SIGABRT".to_owned(),
        State::Killing => "sent SIGKILL".to_owned(),
        State::Reaping => "its descendants are being killed".to_owned(),
        State::Backoff => match row.next_start {
            Some(pause) => after(&format!("next start in {}", short(pause))),
            None => after("waits for its next start"),
        },
        State::Done if row.signs.skipped => "had nothing to do".to_owned(),
        // Which codes are a clean end stands in its terms, so any but the usual one is told.
        State::Done => match row.last_cause {
            None | Some(Cause::Stopped | Cause::Exit(0)) => "ended as it should".to_owned(),
            Some(_) => after("ended and is not restarted"),
        },
        State::Failed => given_up(row, after),
        _ => after("ended"),
    }];
    // The budget is the whole group's; whoever has not failed is not reproached with it.
    let used = row.budget_max - row.budget_left.min(row.budget_max);
    if used > 0 && row.last_cause.is_some_and(|cause| cause != Cause::Stopped) {
        let period = short(row.budget_period);
        parts[0].push_str(&format!(", {used}/{} restarts in {period}", row.budget_max));
    }
    parts.extend(row.spare.map(|pid| format!("a spare waits, pid {pid}")));
    parts.extend(odd(row).into_iter().map(str::to_owned));
    if row.output_dropped > 0 {
        parts.push(format!("{} bytes of output dropped", row.output_dropped));
    }
    if row.accusations_ignored > 0 {
        parts.push(format!("{} accusations ignored", row.accusations_ignored));
    }
    parts.join("; ")
}

/// Says why a worker is given up.
fn given_up(row: &Row, after: impl Fn(&str) -> String) -> String {
    match row.given_up {
        Some(GivenUp::Dependency) if !row.because_of.is_empty() => {
            format!("given up with {}, which it needs", escape(&row.because_of))
        }
        Some(why) => after(&format!("given up: {}", why.word())),
        None => after("given up"),
    }
}

/// Says what happened, in one line without its end.
pub fn sentence(event: &Event) -> String {
    let name = escape(&event.life());
    let odd = match signs(event.signs).join(", ") {
        none if none.is_empty() => none,
        some => format!(" ({some})"),
    };
    let left_out = match &event.detail {
        none if none.is_empty() => String::new(),
        some => format!(", {}", escape(some)),
    };
    match (event.kind, event.from, event.to) {
        (EventKind::State, Some(from), Some(to)) if from == to => {
            format!("{name}  {}{odd}{left_out}", to.word())
        }
        (EventKind::State, Some(from), Some(to)) => {
            format!("{name}  {} -> {}{odd}{left_out}", from.word(), to.word())
        }
        _ => escape(&event.detail),
    }
}

/// Returns what is odd about a worker, a word each.
pub fn signs(signs: Signs) -> Vec<&'static str> {
    let all = [
        (signs.sigstopped, "sigstopped"),
        (signs.traced, "traced"),
        (signs.stuck, "stuck"),
        (signs.unkillable, "unkillable"),
        (signs.config_changed, "config_changed"),
        (signs.binary_changed, "binary_changed"),
        (signs.cooling_down, "cooling_down"),
        (signs.skipped, "skipped"),
        (signs.rolling, "rolling"),
    ];
    all.into_iter().filter(|(holds, _)| *holds).map(|(_, word)| word).collect()
}

/// Says what is odd about a worker, whatever its state.
pub fn odd(row: &Row) -> Vec<&'static str> {
    let signs = row.signs;
    let reload = match row.last_reload {
        Some(Reload::TimedOut) => "its last reload timed out",
        Some(Reload::Refused) => "it refused its last reload",
        Some(Reload::Done | Reload::Declined) | None => "",
    };
    let all = [
        (signs.sigstopped, "STOPPED by a signal"),
        (signs.traced, "held by a debugger, not watched"),
        (signs.stuck, "STUCK"),
        (signs.unkillable, "does not die of SIGKILL: it hangs in the kernel"),
        (signs.cooling_down, "its budget is spent, retried rarely"),
        (signs.rolling, "being replaced by rolling"),
        (signs.config_changed, "its configuration has changed since its start"),
        (signs.binary_changed, "its executable has changed since its start"),
        (!reload.is_empty(), reload),
    ];
    all.into_iter().filter(|(holds, _)| *holds).map(|(_, text)| text).collect()
}

/// Says what enforces a limit of memory.
pub fn mechanism(memory: MemoryMechanism) -> &'static str {
    match memory {
        MemoryMechanism::Unlimited => "not enforced",
        MemoryMechanism::CgroupV2 => "cgroup2",
        MemoryMechanism::CgroupV1 => "cgroup1",
        MemoryMechanism::AddressSpace => "rlimit",
        _ => "unknown",
    }
}

/// Writes bytes, as those of a digest, as other tools print them.
pub fn hex(bytes: impl AsRef<[u8]>) -> String {
    bytes.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Returns the name of a user, or its number where it has none.
pub fn user(uid: u32) -> String {
    user_name(uid).unwrap_or_else(|| uid.to_string())
}

/// Writes a time in its two largest units.
pub fn short(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0 => format!("{} ms", time.as_millis()),
        1..10 => format!("{:.1} s", time.as_secs_f64()),
        10..60 => format!("{seconds} s"),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        3600..86400 => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
        _ => format!("{} d {} h", seconds / 86400, seconds % 86400 / 3600),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::sample;

    #[test]
    fn every_state_has_a_reason() {
        let mut row = sample().workers.remove(1);
        let mut of = |state, generation, restarts, cause| {
            (row.state, row.generation, row.restarts, row.last_cause) = (state, generation, restarts, cause);
            detail(&row)
        };
        assert_eq!(of(State::Stopped, 0, 0, None), "not started yet");
        assert_eq!(of(State::Stopped, 2, 0, Some(Cause::Stopped)), "stopped by order");
        assert_eq!(
            of(State::Ready, 2, 0, Some(Cause::Stopped)),
            "at work",
            "it was replaced, and has not failed"
        );
        assert_eq!(
            of(State::Failed, 6, 5, Some(Cause::Signal(11))),
            "given up: SIGSEGV, 4/5 restarts in 30 s"
        );
        assert_eq!(
            of(State::Ready, 2, 1, Some(Cause::Signal(9))),
            "restarted after: SIGKILL from outside, 4/5 restarts in 30 s"
        );
        assert_eq!(of(State::Starting, 1, 0, None), "not ready yet");
        row.last_cause = Some(Cause::Exit(1));
        (row.state, row.budget_left) = (State::Backoff, row.budget_max);
        assert_eq!(
            detail(&row),
            "waits for its next start: exit code 1",
            "every failure has left the window"
        );
        (row.last_cause, row.failed_step) = (Some(Cause::SpawnFailed(2)), "execveat".into());
        assert_eq!(
            detail(&row),
            "waits for its next start: could not be started: No such file or directory, at execveat"
        );
        row.last_cause = Some(Cause::Exit(1));
        assert_eq!(detail(&row), "waits for its next start: exit code 1", "of an earlier start");
    }

    #[test]
    fn who_is_waited_for_and_what_is_odd_is_told() {
        let mut row = Row { state: State::Waiting, because_of: "db.2".into(), ..Row::default() };
        assert_eq!(detail(&row), "waits for db.2");
        (row.state, row.given_up) = (State::Failed, Some(GivenUp::Dependency));
        assert_eq!(detail(&row), "given up with db.2, which it needs");
        let mut row = Row { state: State::Ready, ..Row::default() };
        row.signs.sigstopped = true;
        row.last_reload = Some(Reload::TimedOut);
        assert_eq!(detail(&row), "at work; STOPPED by a signal; its last reload timed out");
    }

    #[test]
    fn a_spare_is_told_of_with_its_process() {
        let row = Row { state: State::Ready, spare: Some(4712), ..Row::default() };
        assert_eq!(detail(&row), "at work; a spare waits, pid 4712");
    }

    #[test]
    fn dropped_output_and_ignored_accusations_are_told() {
        let mut row = sample().workers.remove(1);
        (row.output_dropped, row.accusations_ignored) = (7, 10_000);
        assert_eq!(detail(&row), "at work; 7 bytes of output dropped; 10000 accusations ignored");
    }

    #[test]
    fn a_time_is_written_in_its_largest_units() {
        for (millis, text) in [
            (0, "0 ms"),
            (999, "999 ms"),
            (1500, "1.5 s"),
            (59_000, "59 s"),
            (61_000, "1 min 1 s"),
            (3_600_000, "1 h 0 min"),
            (90_000_000, "1 d 1 h"),
        ] {
            assert_eq!(short(Duration::from_millis(millis)), text);
        }
    }
}
