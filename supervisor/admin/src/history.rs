//! What became of each worker, as far as events tell: how it ended and how long it took, counted for metrics.

use std::collections::BTreeMap;
use std::time::Duration;

use bailiwick::control::{Cause, Event, EventKind, State};

use crate::metrics::{Metrics, Stopped};

/// The course of every instance, from the first event that is known.
#[derive(Debug, Default)]
pub(crate) struct History {
    last: u64,
    courses: BTreeMap<(String, u16), Course>,
}

/// The course of one instance.
#[derive(Debug, Default)]
struct Course {
    /// When its present start began, until it is ready.
    starts_at_ns: Option<u64>,
    /// When its present stop began, until it is over.
    stops_at_ns: Option<u64>,
    /// Its stop was cut short.
    is_killed: bool,
    /// Why its last life ended, until the next begins.
    ended_by: Option<Cause>,
}

impl History {
    /// Returns the number of the last event.
    pub(crate) fn last(&self) -> u64 {
        self.last
    }

    /// Takes one event, the next after those before, and counts what it means.
    pub(crate) fn note(&mut self, event: &Event, metrics: &Metrics) {
        metrics.missed(event.number.saturating_sub(self.last + 1));
        self.last = event.number;
        event.spent.iter().for_each(|spent| metrics.escalated(spent));
        if event.instance == 0 {
            return;
        }
        let course = self.courses.entry((event.worker.clone(), event.instance)).or_default();
        match event.kind {
            EventKind::Ended => {
                let Some(cause) = event.cause else { return };
                metrics.ended(&event.worker, cause);
                course.ended_by = Some(cause);
            }
            EventKind::State => course.turn(event, metrics),
            EventKind::Alert | EventKind::Violation => {}
        }
    }
}

impl Course {
    fn turn(&mut self, event: &Event, metrics: &Metrics) {
        let now = event.monotonic_ns;
        let since = |then: u64| Duration::from_nanos(now.saturating_sub(then));
        match event.to {
            Some(State::Spawning) => {
                self.starts_at_ns = Some(now);
                // What was stopped by order and starts again was not restarted by anybody's decision.
                if let Some(cause) = self.ended_by.take().filter(|cause| *cause != Cause::Stopped) {
                    metrics.restarted(&event.worker, cause);
                }
            }
            Some(State::Ready | State::Done) => {
                if let Some(then) = self.starts_at_ns.take() {
                    metrics.started(&event.worker, since(then));
                }
                self.stopped(since, &event.worker, metrics);
            }
            Some(State::Draining | State::Stopping) => {
                self.stops_at_ns.get_or_insert(now);
            }
            Some(State::Killing) => self.is_killed = true,
            Some(State::Stopped | State::Failed | State::Backoff | State::Waiting) => {
                self.starts_at_ns = None;
                self.stopped(since, &event.worker, metrics);
            }
            _ => {}
        }
    }

    fn stopped(&mut self, since: impl Fn(u64) -> Duration, worker: &str, metrics: &Metrics) {
        let how = if std::mem::take(&mut self.is_killed) { Stopped::Killed } else { Stopped::InOrder };
        if let Some(then) = self.stops_at_ns.take() {
            metrics.stopped(worker, how, since(then));
        }
    }
}

#[cfg(test)]
mod tests {
    use bailiwick::control::{Follows, Spent};

    use super::*;

    const MS: u64 = 1_000_000;

    #[derive(Default)]
    struct Told {
        history: History,
        metrics: Metrics,
        number: u64,
    }

    impl Told {
        fn event(&mut self, at_ms: u64, kind: EventKind) -> Event {
            self.number += 1;
            Event {
                number: self.number,
                monotonic_ns: at_ms * MS,
                worker: "web".into(),
                instance: 1,
                generation: 1,
                ..Event::of(kind)
            }
        }

        fn to(&mut self, at_ms: u64, state: State) {
            let event = Event { to: Some(state), ..self.event(at_ms, EventKind::State) };
            self.history.note(&event, &self.metrics);
        }

        fn ends(&mut self, at_ms: u64, cause: Cause) {
            let event = Event { cause: Some(cause), ..self.event(at_ms, EventKind::Ended) };
            self.history.note(&event, &self.metrics);
        }

        fn line(&self, name: &str) -> Vec<String> {
            let text = self.metrics.text();
            text.lines().filter(|line| line.starts_with(name)).map(str::to_owned).collect()
        }
    }

    #[test]
    fn a_crash_is_an_exit_and_what_follows_it_a_restart() {
        let mut told = Told::default();
        for (at, state) in [(0, State::Spawning), (1, State::Starting), (20, State::Ready)] {
            told.to(at, state);
        }
        told.ends(100, Cause::Signal(11));
        told.to(100, State::Spawning);
        assert_eq!(
            told.line("bailiwick_worker_exits_total"),
            [r#"bailiwick_worker_exits_total{worker="web",cause="signal"} 1"#]
        );
        assert_eq!(
            told.line("bailiwick_worker_restarts_total"),
            [r#"bailiwick_worker_restarts_total{worker="web",cause="signal"} 1"#]
        );
        assert_eq!(
            told.line("bailiwick_worker_startup_duration_seconds_sum"),
            [r#"bailiwick_worker_startup_duration_seconds_sum{worker="web"} 0.02"#]
        );
    }

    #[test]
    fn what_was_stopped_by_order_was_not_restarted() {
        let mut told = Told::default();
        told.to(0, State::Ready);
        told.to(10, State::Draining);
        told.to(15, State::Stopping);
        told.ends(40, Cause::Stopped);
        told.to(40, State::Stopped);
        told.to(50, State::Spawning);
        assert_eq!(told.line("bailiwick_worker_restarts_total"), [""; 0]);
        let expected = r#"bailiwick_worker_stop_duration_seconds_sum{worker="web",outcome="in_order"} 0.03"#;
        assert_eq!(told.line("bailiwick_worker_stop_duration_seconds_sum"), [expected]);
    }

    #[test]
    fn a_stop_that_was_cut_short_says_so_and_the_next_one_does_not() {
        let mut told = Told::default();
        for round in [0, 1000] {
            told.to(round, State::Stopping);
            if round == 0 {
                told.to(10, State::Killing);
            }
            told.to(round + 20, State::Stopped);
        }
        let mut counts = told.line("bailiwick_worker_stop_duration_seconds_count");
        counts.sort();
        assert_eq!(
            counts,
            [
                r#"bailiwick_worker_stop_duration_seconds_count{worker="web",outcome="in_order"} 1"#,
                r#"bailiwick_worker_stop_duration_seconds_count{worker="web",outcome="killed"} 1"#,
            ]
        );
    }

    /// Seen to fail with what is said of nobody left out.
    #[test]
    fn a_budget_that_is_spent_is_counted_by_what_follows() {
        let mut told = Told::default();
        for (group, follows, instance) in
            [("front", Follows::CoolDown, 1), ("front", Follows::CoolDown, 1), ("", Follows::Escalate, 0)]
        {
            let spent = Some(Spent { group: group.into(), follows });
            let event = Event { spent, instance, ..told.event(5, EventKind::Alert) };
            told.history.note(&event, &told.metrics);
        }
        let mut lines = told.line("bailiwick_escalations_total");
        lines.sort();
        assert_eq!(
            lines,
            [
                r#"bailiwick_escalations_total{group="",action="escalate"} 1"#,
                r#"bailiwick_escalations_total{group="front",action="cool_down"} 2"#,
            ]
        );
    }

    #[test]
    fn what_was_forgotten_is_counted() {
        let mut told = Told::default();
        told.to(0, State::Ready);
        told.number += 5;
        told.to(1, State::Unready);
        assert_eq!(told.history.last(), 7);
        assert_eq!(told.line("bailiwick_events_missed_total"), ["bailiwick_events_missed_total 5"]);
    }
}
