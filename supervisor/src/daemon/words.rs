//! What the supervisor says to people about its workers, one line each.

use bailiwick_core::exit::{Cause, GivenUp};
use bailiwick_core::tree::{Alert, Decision, GroupDecision, Outcome, Record};

use crate::control;
use crate::roster::Roster;

/// Returns the cause as the control socket and the peers know it.
pub(super) fn cause(cause: Cause) -> control::Cause {
    match cause {
        Cause::SpawnFailed { errno, .. } => {
            control::Cause::SpawnFailed(u16::try_from(errno).unwrap_or_default())
        }
        Cause::Violation => control::Cause::Protocol,
        Cause::StartTimeout => control::Cause::StartTimeout,
        Cause::StopTimeout => control::Cause::StopTimeout,
        Cause::Hung => control::Cause::Hung,
        Cause::Suspended => control::Cause::Suspended,
        Cause::Killed | Cause::Stopped => control::Cause::Stopped,
        Cause::Exited(code) => control::Cause::Exit(code),
        Cause::OutOfMemory => control::Cause::OutOfMemory,
        Cause::ForbiddenSyscall => control::Cause::ForbiddenSyscall,
        Cause::Signalled(signal) => control::Cause::Signal(signal),
    }
}

/// Says how a life ended and what follows, with the budget that is left.
pub(super) fn record(roster: &Roster, record: &Record, cause: control::Cause) -> String {
    let title = &roster.seat(record.of.child).title;
    let ended = if record.exit.is_some() {
        format!("{title}#{} ended after {:.1?}: {cause}", record.of.generation, record.uptime)
    } else {
        format!("{title}#{}: {cause}", record.of.generation)
    };
    let budget = if record.charged {
        format!(" ({} of {} restarts left)", record.budget_left, record.budget_max)
    } else {
        String::new()
    };
    let follows = match record.decision {
        Decision::Restart { delay, .. } if delay.is_zero() => "restarts now".to_owned(),
        Decision::Restart { delay, .. } => format!("restarts in {delay:.1?}"),
        Decision::CoolDown { delay, .. } => format!("its budget is spent, retries in {delay:.1?}"),
        Decision::StartAgain => "starts again by order".to_owned(),
        Decision::Rejoin => "starts again with its group".to_owned(),
        Decision::Replace => "a fresh one takes its place".to_owned(),
        Decision::Sleep => "waits for demand".to_owned(),
        Decision::Stop => "stays stopped".to_owned(),
        Decision::Done => "is done".to_owned(),
        Decision::EndAll(_) => "everything stops with it".to_owned(),
        Decision::GiveUp(why) => format!("is given up: {}", given_up(roster, why)),
        Decision::Escalate(_) => "its group's budget is spent, the group stops".to_owned(),
    };
    format!("{ended}; {follows}{budget}")
}

/// Says what a person should look at; `None` where the record said it already.
pub(super) fn alert(roster: &Roster, alert: Alert) -> Option<String> {
    match alert {
        Alert::Unkillable(of) => {
            let title = &roster.seat(of.child).title;
            Some(format!("{title}#{} does not die of SIGKILL: it hangs in the kernel", of.generation))
        }
        Alert::Sigstopped(of) => {
            let title = &roster.seat(of.child).title;
            Some(format!("{title}#{} is stopped by a signal", of.generation))
        }
        Alert::Lagged(for_so_long) => {
            Some(format!("the supervisor itself did not run for {for_so_long:.1?}, and doubts nobody for it"))
        }
        Alert::ShuttingDown(Outcome::Stopped) => {
            Some("stopping in order; one more signal stops all at once".to_owned())
        }
        Alert::ShuttingDown(Outcome::MainFailed) => Some("stopping in order: main failed".to_owned()),
        Alert::ShuttingDown(Outcome::StartFailed) => {
            Some("stopping in order: an essential worker did not start".to_owned())
        }
        Alert::ShuttingDown(Outcome::GaveUp) => Some("stopping in order: gave up".to_owned()),
        Alert::Hastened => Some("stopping all at once, without draining; one more signal kills".to_owned()),
        Alert::ShuttingDown(Outcome::Forced) | Alert::CutShort => Some("killing what is left".to_owned()),
        Alert::Finished(group) => Some(format!("{} has done its work and stops", roster.group_title(group))),
        Alert::GroupEnded(end) => {
            let title = &roster.seat(end.origin.child).title;
            let follows = match end.decision {
                GroupDecision::Restart => "starts again".to_owned(),
                GroupDecision::CoolDown { .. } => "rests, since the budget around it is spent".to_owned(),
                GroupDecision::GiveUp => "is given up: the budget around it is spent".to_owned(),
                GroupDecision::Escalate(around) => {
                    format!("is stopped with {}, whose budget is spent", roster.group_title(around))
                }
            };
            let name = roster.group_title(end.group);
            let (left, max) = (end.budget_left, end.budget_max);
            let origin = end.origin.generation;
            Some(format!(
                "{name} was stopped by the end of {title}#{origin}; {follows} ({left} of {max} restarts left)"
            ))
        }
        // The record of the last life says as much.
        Alert::CoolingDown(_) | Alert::Escalated { .. } => None,
        Alert::GivenUp(child, why) => {
            Some(format!("{} is given up: {}", roster.seat(child).title, given_up(roster, why)))
        }
        _ => None,
    }
}

fn given_up(roster: &Roster, why: GivenUp) -> String {
    match why {
        GivenUp::Dependency(need) => format!("it needs {}, which is given up", roster.seat(need).title),
        other => other.to_string(),
    }
}
