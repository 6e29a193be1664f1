//! What happened and what follows, in words for people, one line each.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::{String, ToString};

use crate::exit::GivenUp;
use crate::hearing::WORDS_PER_SECOND;
use crate::tree::{Alert, ChildId, Decision, GroupDecision, GroupEnd, GroupId, Incarnation, Outcome, Record};

/// Whoever knows what people call children and groups.
pub trait Names {
    /// Returns the name of a child.
    fn child(&self, child: ChildId) -> &str;

    /// Returns the name of a group, with the word for it.
    fn group(&self, group: GroupId) -> String;
}

/// Says how a life ended and what follows, with the budget that is left.
pub fn record(names: &impl Names, record: &Record, cause: &str) -> String {
    let title = names.child(record.of.child);
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
    format!("{ended}; {}{budget}", follows(names, record))
}

/// Says what was decided.
pub fn follows(names: &impl Names, record: &Record) -> String {
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
        Decision::LetGo => "is not restarted".to_owned(),
        Decision::EndAll(_) => "everything stops with it".to_owned(),
        Decision::GiveUp(why) => format!("is given up: {}", given_up(names, why)),
        Decision::Escalate(_) => "its group's budget is spent, the group stops".to_owned(),
        Decision::Succeeded => "another had taken its place".to_owned(),
        Decision::RolledBack => "is rolled back, and the one before goes on".to_owned(),
    }
}

/// Says what a person should look at, and which life that concerns.
pub fn alert(names: &impl Names, alert: Alert) -> (Option<Incarnation>, String) {
    let name = |of: Incarnation| format!("{}#{}", names.child(of.child), of.generation);
    let group = |id| names.group(id);
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
        Alert::GroupEnded(end) => (Some(end.origin), ended(names, end, &name(end.origin))),
        Alert::GivenUp(child, why) => {
            (None, format!("{} is given up: {}", names.child(child), given_up(names, why)))
        }
        Alert::CoolingDown(child) => {
            (None, format!("{}: its budget is spent, it is retried rarely", names.child(child)))
        }
        Alert::SpareLost(of, why) => {
            (None, format!("{}: the spare ended ({why}), another is made", names.child(of.child)))
        }
        Alert::RolledBack(of, why) => (Some(of), format!("{} is rolled back: {why}", name(of))),
        Alert::RollRefused(child, why) => {
            (None, format!("{} is not replaced by rolling: {why}", names.child(child)))
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
pub fn child(alert: Alert) -> Option<ChildId> {
    match alert {
        Alert::GivenUp(child, _) | Alert::CoolingDown(child) | Alert::RollRefused(child, _) => Some(child),
        // It was no life yet.
        Alert::SpareLost(of, _) => Some(of.child),
        _ => None,
    }
}

/// Says that a life says more than it is heard, by its name.
pub fn too_much(life: &str) -> String {
    format!("{life} says more than {WORDS_PER_SECOND} words a second, and is heard no faster")
}

fn why_all(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Stopped | Outcome::Forced => "; one more signal stops all at once",
        Outcome::MainFailed => ": main failed",
        Outcome::StartFailed => ": an essential worker did not start",
        Outcome::GaveUp => ": gave up",
    }
}

fn ended(names: &impl Names, end: GroupEnd, origin: &str) -> String {
    let follows = match end.decision {
        GroupDecision::Restart => "starts again".to_owned(),
        GroupDecision::CoolDown { .. } => "rests, since the budget around it is spent".to_owned(),
        GroupDecision::GiveUp => "is given up: the budget around it is spent".to_owned(),
        GroupDecision::Escalate(around) => {
            format!("is stopped with {}, whose budget is spent", names.group(around))
        }
    };
    let (name, left, max) = (names.group(end.group), end.budget_left, end.budget_max);
    format!("{name} was stopped by the end of {origin}; {follows} ({left} of {max} restarts left)")
}

fn given_up(names: &impl Names, why: GivenUp) -> String {
    match why {
        GivenUp::Dependency(need) => format!("it needs {}, which is given up", names.child(need)),
        other => other.to_string(),
    }
}
