//! What a worker may ask of the supervisor beyond its own affairs.

use crate::control::{Request, Target, Verb};

/// Something that a worker may ask. What ends or changes the system as a whole, `reload` and the stop of everything, is no
/// worker's to ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum May {
    /// See the process tree, and wait for how somebody stands.
    Status,
    /// Hear what happens.
    Events,
    /// Read what workers printed.
    Logs,
    /// Read the reports of deaths.
    Crashes,
    /// Read what workers were denied.
    Denials,
    /// Start a worker.
    Start,
    /// Stop a worker, cutting its draining short or not.
    Stop,
    /// Restart a worker, in place or beside its present life.
    Restart,
    /// Signal a worker's processes.
    Kill,
    /// Forget a worker's failures.
    Reset,
    /// Change how many members a pool has.
    Scale,
}

impl May {
    /// Each of them, with its word in the manifest and what it lets a worker do.
    pub const ALL: [(Self, &'static str, &'static str); 11] = [
        (Self::Status, "status", "see the process tree"),
        (Self::Events, "events", "hear what happens"),
        (Self::Logs, "logs", "read what workers printed"),
        (Self::Crashes, "crashes", "read crash reports"),
        (Self::Denials, "denials", "read what workers were denied"),
        (Self::Start, "start", "start workers"),
        (Self::Stop, "stop", "stop workers"),
        (Self::Restart, "restart", "restart workers"),
        (Self::Kill, "kill", "signal workers"),
        (Self::Reset, "reset", "forget failures of workers"),
        (Self::Scale, "scale", "resize pools"),
    ];

    /// Returns what it lets a worker do, to be said after "may".
    pub fn words(self) -> &'static str {
        Self::ALL.iter().find(|(may, ..)| *may == self).map_or("", |(_, _, words)| words)
    }

    /// Returns whether a request is among what this allows. An order is about somebody, never about the whole system.
    pub fn covers(self, request: &Request) -> bool {
        let of = match request.verb {
            Verb::Status | Verb::Wait(_) => Self::Status,
            Verb::Events(_) => Self::Events,
            Verb::Lines | Verb::Log(_) => Self::Logs,
            Verb::Crashes => Self::Crashes,
            Verb::Denials => Self::Denials,
            Verb::Start => Self::Start,
            Verb::Stop | Verb::Drain => Self::Stop,
            Verb::Restart | Verb::Roll => Self::Restart,
            Verb::Kill(_) => Self::Kill,
            Verb::Reset => Self::Reset,
            Verb::Scale(_) => Self::Scale,
            Verb::ShutDown | Verb::Reload(_) => return false,
        };
        of == self && (request.verb.only_looks() || request.target != Target::System)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::control::{Goal, ReloadMode};

    fn covered(verb: Verb, target: Target) -> Vec<May> {
        let request = Request { verb, target, deadline: Duration::ZERO };
        May::ALL.iter().map(|(may, ..)| *may).filter(|may| may.covers(&request)).collect()
    }

    #[test]
    fn an_order_is_covered_by_one_word_and_only_of_somebody() {
        for (verb, may) in [
            (Verb::Start, May::Start),
            (Verb::Stop, May::Stop),
            (Verb::Drain, May::Stop),
            (Verb::Restart, May::Restart),
            (Verb::Roll, May::Restart),
            (Verb::Kill(9), May::Kill),
            (Verb::Reset, May::Reset),
            (Verb::Scale(2), May::Scale),
        ] {
            assert_eq!(covered(verb, Target::Worker("web".into())), [may]);
            assert_eq!(covered(verb, Target::Instance("web".into(), 2)), [may]);
            assert_eq!(covered(verb, Target::System), [], "{verb:?}");
        }
    }

    #[test]
    fn who_looks_may_look_at_all() {
        for (verb, may) in [
            (Verb::Status, May::Status),
            (Verb::Wait(Goal::Ready), May::Status),
            (Verb::Events(0), May::Events),
            (Verb::Lines, May::Logs),
            (Verb::Log(0), May::Logs),
            (Verb::Crashes, May::Crashes),
            (Verb::Denials, May::Denials),
        ] {
            assert_eq!(covered(verb, Target::System), [may]);
        }
    }

    #[test]
    fn what_is_about_the_whole_system_is_nobodys() {
        let orders = [Verb::ShutDown, Verb::Reload(ReloadMode::Plan), Verb::Reload(ReloadMode::Widening)];
        for verb in orders {
            assert_eq!(covered(verb, Target::System), []);
            assert_eq!(covered(verb, Target::Worker("web".into())), []);
        }
    }
}
