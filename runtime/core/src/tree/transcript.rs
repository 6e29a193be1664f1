//! The transcript: one line for each event, `<time> <event> -> <actions>`.

use core::fmt;
use core::time::Duration;

use super::{Action, Alert, Decision, Event, GroupDecision, GroupEnd, News, Outcome, Outdated, Record, Verb};
use crate::time::Instant;

/// One line of the transcript, without its end.
///
/// ```
/// use bailiwick_core::time::Instant;
/// use bailiwick_core::tree::{Event, Line};
///
/// let line = Line { now: Instant::START, event: Event::Boot, actions: &[] };
/// assert_eq!(line.to_string(), "0.000 boot -> -");
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Line<'a> {
    /// When it happened.
    pub now: Instant,
    /// What happened.
    pub event: Event,
    /// What it led to.
    pub actions: &'a [Action],
}

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} ->", self.now, self.event)?;
        if self.actions.is_empty() {
            return f.write_str(" -");
        }
        for (n, action) in self.actions.iter().enumerate() {
            write!(f, "{} {action}", if n == 0 { "" } else { "," })?;
        }
        Ok(())
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Boot => f.write_str("boot"),
            Self::Spawned(of) => write!(f, "spawned {of}"),
            Self::Standing(of) => write!(f, "standing {of}"),
            Self::SpawnFailed { of, step, errno, chance } => {
                write!(f, "spawn-failed {of} step {step} errno {errno} chance {chance}")
            }
            Self::Ready(of) => write!(f, "ready {of}"),
            Self::Unready(of) => write!(f, "unready {of}"),
            Self::Drained(of) => write!(f, "drained {of}"),
            Self::Reloading(of) => write!(f, "reloading {of}"),
            Self::Declined(of) => write!(f, "declined {of}"),
            Self::Refused(of) => write!(f, "refused {of}"),
            Self::Extend { of, by } => write!(f, "extend {of} by {}", Seconds(*by)),
            Self::Settled(of) => write!(f, "settled {of}"),
            Self::Hung(of) => write!(f, "hung {of}"),
            Self::Skipped(of) => write!(f, "skipped {of}"),
            Self::Spent(of) => write!(f, "spent {of}"),
            Self::Idle(of) => write!(f, "idle {of}"),
            Self::Wanted(child) => write!(f, "wanted {child}"),
            Self::Sigstopped(of) => write!(f, "sigstopped {of}"),
            Self::Continued(of) => write!(f, "continued {of}"),
            Self::Looked { of, busy_since, traced } => {
                let traced = if *traced { " traced" } else { "" };
                match busy_since {
                    Some(since) => write!(f, "looked {of} busy since {since}{traced}"),
                    None => write!(f, "looked {of} idle{traced}"),
                }
            }
            Self::Outdated { child, what: Outdated::Config } => write!(f, "outdated config {child}"),
            Self::Outdated { child, what: Outdated::Binary } => write!(f, "outdated binary {child}"),
            Self::Violated(of) => write!(f, "violated {of}"),
            Self::Exited { of, exit } => write!(f, "exited {of} {exit}"),
            Self::Emptied { of, chance } => write!(f, "emptied {of} chance {chance}"),
            Self::Operator { verb, child } => write!(f, "operator {verb} {child}"),
            Self::Scale { group, size } => write!(f, "scale {} {size}", group.0),
            Self::ShutDown => f.write_str("shut-down"),
            Self::Kill => f.write_str("kill"),
            Self::Tick => f.write_str("tick"),
        }
    }
}

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Start => "start",
            Self::Join => "join",
            Self::Stop => "stop",
            Self::Restart => "restart",
            Self::Roll => "roll",
            Self::Reload => "reload",
            Self::Drain => "drain",
            Self::Kill => "kill",
            Self::Reset => "reset",
            Self::Renew => "renew",
            Self::Remove => "remove",
        })
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Spawn(of) => write!(f, "spawn {of}"),
            Self::Prepare(of) => write!(f, "prepare {of}"),
            Self::Admit(of) => write!(f, "admit {of}"),
            Self::Rise(of) => write!(f, "rise {of}"),
            Self::Succeed { of, from } => write!(f, "succeed {of} from {from}"),
            Self::Drain(of) => write!(f, "drain {of}"),
            Self::Terminate(of) => write!(f, "terminate {of}"),
            Self::Abort(of) => write!(f, "abort {of}"),
            Self::Look(of) => write!(f, "look {of}"),
            Self::Reload(of) => write!(f, "reload {of}"),
            Self::KillTree(of) => write!(f, "kill-tree {of}"),
            Self::Announce { of, news } => write!(f, "announce {of} {news}"),
            Self::Record(record) => write!(f, "record {record}"),
            Self::Alert(alert) => write!(f, "alert {alert}"),
            Self::Leave(outcome) => write!(f, "leave {outcome}"),
        }
    }
}

impl fmt::Display for News {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Up => f.write_str("up"),
            Self::Unready => f.write_str("unready"),
            Self::Draining => f.write_str("draining"),
            Self::Down(cause) => write!(f, "down ({cause})"),
        }
    }
}

impl fmt::Display for Record {
    /// Writes life, cause, failures in a row, budget left and decision; a budget that was charged has a `-1`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let charged = if self.charged { "-1 " } else { "" };
        let (left, max) = (self.budget_left, self.budget_max);
        write!(f, "{} ({}) failures {} budget {charged}{left}/{max} ", self.of, self.cause, self.failures)?;
        write!(f, "=> {}", self.decision)
    }
}

impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Restart { delay, at } => write!(f, "restart in {} at {at}", Seconds(*delay)),
            Self::CoolDown { delay, at } => write!(f, "cool down for {} until {at}", Seconds(*delay)),
            Self::StartAgain => f.write_str("start again"),
            Self::Rejoin => f.write_str("start with its group"),
            Self::Replace => f.write_str("replace"),
            Self::Sleep => f.write_str("wait for demand"),
            Self::Stop => f.write_str("stay stopped"),
            Self::Done => f.write_str("done"),
            Self::LetGo => f.write_str("let go"),
            Self::EndAll(outcome) => write!(f, "end all: {outcome}"),
            Self::GiveUp(why) => write!(f, "give up: {why}"),
            Self::Escalate(group) => write!(f, "escalate from group {}", group.0),
            Self::Succeeded => f.write_str("succeeded"),
            Self::RolledBack => f.write_str("rolled back"),
        }
    }
}

impl fmt::Display for Alert {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CoolingDown(child) => write!(f, "cooling down {child}"),
            Self::GivenUp(child, why) => write!(f, "given up {child}: {why}"),
            Self::Sigstopped(of) => write!(f, "sigstopped {of}"),
            Self::SpareLost(of, _) => write!(f, "spare lost {of}"),
            Self::RolledBack(of, why) => write!(f, "rolled back {of} ({why})"),
            Self::RollRefused(child, why) => write!(f, "roll refused {child}: {why}"),
            Self::Stuck { of, since } => write!(f, "stuck {of} since {since}"),
            Self::ReloadTimedOut(of) => write!(f, "reload timed out {of}"),
            Self::ReloadRefused(of) => write!(f, "reload refused {of}"),
            Self::Lagged(by) => write!(f, "lagged by {}", Seconds(*by)),
            Self::Unkillable(of) => write!(f, "unkillable {of}"),
            Self::Escalated { group, origin } => write!(f, "escalated from group {} by {origin}", group.0),
            Self::GroupEnded(end) => write!(f, "{end}"),
            Self::Finished(group) => write!(f, "finished group {}", group.0),
            Self::ShuttingDown(outcome) => write!(f, "shutting down: {outcome}"),
            Self::Hastened => f.write_str("stopping all at once"),
            Self::CutShort => f.write_str("killing all"),
        }
    }
}

impl fmt::Display for GroupEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (left, max) = (self.budget_left, self.budget_max);
        write!(f, "ended group {} by {} budget -1 {left}/{max} => ", self.group.0, self.origin)?;
        match self.decision {
            GroupDecision::Restart => f.write_str("restart"),
            GroupDecision::CoolDown { at } => write!(f, "cool down until {at}"),
            GroupDecision::GiveUp => f.write_str("give up"),
            GroupDecision::Escalate(parent) => write!(f, "escalate from group {}", parent.0),
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Stopped => "stopped",
            Self::MainFailed => "main failed",
            Self::StartFailed => "start failed",
            Self::GaveUp => "gave up",
            Self::Forced => "forced",
        })
    }
}

/// Seconds to the millisecond, or to the nanosecond where there is a rest.
struct Seconds(Duration);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Instant::START.saturating_add(self.0).fmt(f)?;
        f.write_str(" s")
    }
}
