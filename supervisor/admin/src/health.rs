//! Whether the system is alive, has started, and is ready, as those ask who restart or spare it.

use bailiwick::control::{Phase, Row, State, Status};

/// An answer to one of these questions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Health {
    pub(crate) is_well: bool,
    /// One line for each worker that was asked about.
    pub(crate) lines: Vec<String>,
}

/// Whether each worker that is essential is ready, or done where it is not to stay; where none is, whether all are. A system that
/// stops is not ready, whoever still is.
pub(crate) fn readiness(status: &Status) -> Health {
    let has_essentials = status.workers.iter().any(|row| row.essential);
    let is_asked = |row: &Row| row.essential || !has_essentials;
    let mut health = each(status, is_up);
    health.is_well = status.workers.iter().filter(|row| is_asked(row)).all(is_up);
    if status.supervisor.phase != Phase::Running {
        health.is_well = false;
        health.lines.insert(0, "[-] the system is stopping".to_owned());
    }
    health
}

/// Whether each worker has been ready once, or was given up: what comes later is no part of the start.
pub(crate) fn startup(status: &Status) -> Health {
    let is_over = |row: &Row| is_up(row) || row.generation > 1 || row.state == State::Failed;
    each(status, is_over)
}

fn is_up(row: &Row) -> bool {
    match row.state {
        State::Ready | State::Done | State::Reloading => true,
        // What nobody needs now, or an operator stopped, is missed by nobody.
        State::Stopped => true,
        // It starts as soon as somebody sends to it. Whose turn has not come waits for somebody who is not up, either.
        State::Waiting => row.because_of.is_empty(),
        _ => false,
    }
}

fn each(status: &Status, is_well: impl Fn(&Row) -> bool) -> Health {
    let line = |row: &Row| {
        let sign = if is_well(row) { '+' } else { '-' };
        format!("[{sign}] {} {}", row.title(), row.state.word())
    };
    Health { is_well: status.workers.iter().all(&is_well), lines: status.workers.iter().map(line).collect() }
}

#[cfg(test)]
mod tests {

    use super::*;

    fn of(states: &[State]) -> Status {
        let row = |(number, state): (usize, &State)| Row {
            name: format!("w{number}"),
            instance: 1,
            state: *state,
            generation: 1,
            ..Row::default()
        };
        let workers = states.iter().enumerate().map(row).collect();
        Status { workers, ..Status::default() }
    }

    #[test]
    fn who_is_up_done_or_stopped_keeps_nobody_waiting() {
        assert!(readiness(&of(&[State::Ready, State::Done, State::Stopped, State::Reloading])).is_well);
        let some = readiness(&of(&[State::Ready, State::Backoff]));
        assert!(!some.is_well);
        assert_eq!(some.lines, ["[+] w0 ready", "[-] w1 backoff"]);
    }

    #[test]
    fn who_starts_on_demand_is_as_good_as_ready_and_who_waits_for_another_is_not() {
        let mut status = of(&[State::Ready, State::Waiting]);
        assert!(readiness(&status).is_well && startup(&status).is_well);
        status.workers[1].because_of = "w0".into();
        assert!(!readiness(&status).is_well && !startup(&status).is_well);
    }

    #[test]
    fn where_some_are_essential_they_alone_are_asked() {
        let mut status = of(&[State::Ready, State::Backoff]);
        status.workers[0].essential = true;
        let health = readiness(&status);
        assert!(health.is_well);
        assert_eq!(health.lines, ["[+] w0 ready", "[-] w1 backoff"]);
        status.workers[0].state = State::Starting;
        assert!(!readiness(&status).is_well);
    }

    #[test]
    fn a_system_that_stops_is_not_ready() {
        let mut status = of(&[State::Ready]);
        status.supervisor.phase = Phase::ShuttingDown;
        let health = readiness(&status);
        assert!(!health.is_well);
        assert_eq!(health.lines[0], "[-] the system is stopping");
    }

    #[test]
    fn a_start_is_over_when_each_was_up_once_or_given_up() {
        assert!(!startup(&of(&[State::Ready, State::Starting])).is_well);
        assert!(startup(&of(&[State::Ready, State::Failed])).is_well);
        let mut again = of(&[State::Backoff]);
        assert!(!startup(&again).is_well, "its first start is not over");
        again.workers[0].generation = 2;
        assert!(startup(&again).is_well);
    }
}
