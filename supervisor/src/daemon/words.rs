//! What the supervisor says to people about its workers, one line each.

use bailiwick_core::child::{Child, Reload};
use bailiwick_core::exit::{Cause, GivenUp};
use bailiwick_core::moves::Signs;
use bailiwick_core::tree::{Alert, ChildId, Decision, GroupDecision, GroupEnd, Incarnation, Outcome, Record};
use bailiwick_sys::system_call;

use super::child;
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

/// Says why a life ended, with what the process left behind of it.
pub(super) fn what_ended(place: &child::Child, cause: control::Cause) -> String {
    let call = place.death.as_ref().and_then(|death| death.last_words.forbidden_call);
    match (cause, call) {
        (control::Cause::ForbiddenSyscall, Some(call)) => {
            format!("{cause} {}", system_call::name(call.number).unwrap_or("of unknown name"))
        }
        (control::Cause::SpawnFailed(_), _) if !place.failed_step.is_empty() => {
            format!("{cause}, at {}", place.failed_step)
        }
        (cause, _) => cause.to_string(),
    }
}

/// Says how a life ended and what follows, with the budget that is left.
pub(super) fn record(roster: &Roster, record: &Record, cause: &str) -> String {
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
    format!("{ended}; {}{budget}", follows(roster, record))
}

/// Says what was decided.
pub(super) fn follows(roster: &Roster, record: &Record) -> String {
    match record.decision {
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
    }
}

/// Says what a person should look at, and which life that concerns.
pub(super) fn alert(roster: &Roster, alert: Alert) -> (Option<Incarnation>, String) {
    let name = |of: Incarnation| format!("{}#{}", roster.seat(of.child).title, of.generation);
    let group = |id| roster.group_title(id);
    match alert {
        Alert::Unkillable(of) => {
            (Some(of), format!("{} does not die of SIGKILL: it hangs in the kernel", name(of)))
        }
        Alert::Sigstopped(of) => (Some(of), format!("{} is stopped by a signal", name(of))),
        Alert::ReloadTimedOut(of) => (
            Some(of),
            format!("{} did not say in time that it has reloaded, and goes on as it was", name(of)),
        ),
        Alert::ReloadRefused(of) => {
            (Some(of), format!("{} does not take up what has changed, and goes on as it was", name(of)))
        }
        Alert::Escalated { group: id, origin } => {
            let text = format!("{} stops: its budget is spent, by the end of {}", group(id), name(origin));
            (Some(origin), text)
        }
        Alert::GroupEnded(end) => (Some(end.origin), ended(roster, end, &name(end.origin))),
        Alert::GivenUp(child, why) => {
            (None, format!("{} is given up: {}", roster.seat(child).title, given_up(roster, why)))
        }
        Alert::CoolingDown(child) => {
            (None, format!("{}: its budget is spent, it is retried rarely", roster.seat(child).title))
        }
        Alert::Finished(id) => (None, format!("{} has done its work and stops", group(id))),
        Alert::Lagged(time) => {
            (None, format!("the supervisor itself did not run for {time:.1?}, and doubts nobody for it"))
        }
        Alert::Hastened => (None, "stopping all at once, without draining; one more signal kills".to_owned()),
        Alert::ShuttingDown(Outcome::Forced) | Alert::CutShort => (None, "killing what is left".to_owned()),
        Alert::ShuttingDown(outcome) => (None, format!("stopping in order{}", why_all(outcome))),
        // Who says this knows in what it is stuck.
        _ => (None, "look at this".to_owned()),
    }
}

/// Returns the child that an alert is about where it names no life.
pub(super) fn child(alert: Alert) -> Option<ChildId> {
    match alert {
        Alert::GivenUp(child, _) | Alert::CoolingDown(child) => Some(child),
        _ => None,
    }
}

fn why_all(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Stopped | Outcome::Forced => "; one more signal stops all at once",
        Outcome::MainFailed => ": main failed",
        Outcome::StartFailed => ": an essential worker did not start",
        Outcome::GaveUp => ": gave up",
    }
}

fn ended(roster: &Roster, end: GroupEnd, origin: &str) -> String {
    let follows = match end.decision {
        GroupDecision::Restart => "starts again".to_owned(),
        GroupDecision::CoolDown { .. } => "rests, since the budget around it is spent".to_owned(),
        GroupDecision::GiveUp => "is given up: the budget around it is spent".to_owned(),
        GroupDecision::Escalate(around) => {
            format!("is stopped with {}, whose budget is spent", roster.group_title(around))
        }
    };
    let (name, left, max) = (roster.group_title(end.group), end.budget_left, end.budget_max);
    format!("{name} was stopped by the end of {origin}; {follows} ({left} of {max} restarts left)")
}

/// Returns what is odd about a child as the control socket knows it.
pub(super) fn signs(child: &Child) -> control::Signs {
    let signs = Signs::of(child);
    control::Signs {
        sigstopped: signs.sigstopped,
        traced: signs.traced,
        stuck: signs.stuck,
        unkillable: signs.unkillable,
        config_changed: signs.config_changed,
        binary_changed: signs.binary_changed,
        cooling_down: signs.cooling_down,
        skipped: signs.skipped,
    }
}

/// Returns why a child is given up, as the control socket knows it.
pub(super) fn reason(why: GivenUp) -> control::GivenUp {
    match why {
        GivenUp::ExitCode(_) => control::GivenUp::ExitCode,
        GivenUp::BudgetSpent => control::GivenUp::BudgetSpent,
        GivenUp::Dependency(_) => control::GivenUp::Dependency,
        GivenUp::FirstStart => control::GivenUp::FirstStart,
        GivenUp::Policy => control::GivenUp::Policy,
        GivenUp::Offences => control::GivenUp::Offences,
        GivenUp::Unfinished => control::GivenUp::Unfinished,
    }
}

/// Returns how a reload ended, as the control socket knows it.
pub(super) fn reload(reload: Reload) -> control::Reload {
    match reload {
        Reload::Done => control::Reload::Done,
        Reload::TimedOut => control::Reload::TimedOut,
        Reload::Declined => control::Reload::Declined,
        Reload::Refused => control::Reload::Refused,
    }
}

fn given_up(roster: &Roster, why: GivenUp) -> String {
    match why {
        GivenUp::Dependency(need) => format!("it needs {}, which is given up", roster.seat(need).title),
        other => other.to_string(),
    }
}
