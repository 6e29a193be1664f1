//! When a worker that keeps crashing is started again, and when that ends.

use std::time::Duration;

use super::Diagnostic;
use crate::spec::{Group, OnExhausted, RestartType, System, Worker};

/// What follows from a worker's backoff and its group's budget, for a worker that crashes at once.
#[derive(Clone, Debug, PartialEq)]
pub struct Schedule {
    /// The first pauses, without chance; as many as the budget allows, eight at most.
    pub pauses: Vec<Duration>,
    /// What happens at the end.
    pub end: End,
}

/// How the restarts of a worker that crashes at once come to an end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It is never restarted.
    Never,
    /// It is restarted at the backoff's cap for ever, with an alert after this time.
    CoolDown(Option<Duration>),
    /// It is given up after this time.
    GivenUp(Duration),
    /// Its whole group is stopped after this time, and the group above decides.
    Escalates(Duration),
    /// The pauses outrun the window, so that the budget is never spent.
    OutrunsWindow,
}

/// The budget of workers that belong to no group.
const ROOT: (u32, Duration, OnExhausted) = (5, Duration::from_secs(30), OnExhausted::CoolDown);

/// Returns the schedule of a worker that crashes as soon as it is started.
pub fn schedule(system: &System, worker: &Worker) -> Schedule {
    if worker.restart == RestartType::Temporary {
        return Schedule { pauses: Vec::new(), end: End::Never };
    }
    let (max_restarts, period, on_exhausted) = budget(system, worker);
    // The failure after the last permitted restart is the one that is too many; the first of them all
    // must still be in the window then.
    let total = worker.backoff.total(max_restarts);
    let end = match (total < period, on_exhausted) {
        (false, OnExhausted::CoolDown) => End::CoolDown(None),
        (false, OnExhausted::Fail | OnExhausted::Escalate) => End::OutrunsWindow,
        (true, OnExhausted::CoolDown) => End::CoolDown(Some(total)),
        (true, OnExhausted::Fail) => End::GivenUp(total),
        (true, OnExhausted::Escalate) => End::Escalates(total),
    };
    let pauses = (1..=max_restarts.min(8)).map(|n| worker.backoff.longest(n)).collect();
    Schedule { pauses, end }
}

/// Warns of budgets that can never be spent.
pub(super) fn check(system: &System) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for worker in &system.workers {
        let Schedule { end: End::OutrunsWindow, .. } = schedule(system, worker) else { continue };
        let (max_restarts, period, _) = budget(system, worker);
        let total = worker.backoff.total(max_restarts);
        let group = worker.group.as_deref().unwrap_or_default();
        let title =
            format!("the restart budget of group `{group}` can never be spent by worker `{}`", worker.name);
        let warning = Diagnostic::warning(title)
            .at_key(format!("group.{group}.period"), format!("the window is {period:?} long"))
            .at_key(
                format!("worker.{}.backoff", worker.name),
                format!("its first {max_restarts} pauses alone last {total:?}"),
            )
            .help("lengthen `period` or shorten the backoff, or it will be restarted for ever");
        found.push(warning);
    }
    found
}

fn budget(system: &System, worker: &Worker) -> (u32, Duration, OnExhausted) {
    let of = |group: &Group| (group.max_restarts, group.period, group.on_exhausted);
    let group = system.groups.iter().find(|group| Some(&group.name) == worker.group.as_ref());
    group.map_or(ROOT, of)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::Exec;

    fn system(max_restarts: u32, period: u64, on_exhausted: OnExhausted) -> System {
        let period = Duration::from_secs(period);
        let group = Group { max_restarts, period, on_exhausted, ..Group::new("g") };
        let mut worker = Worker::new("w", Exec::Own);
        worker.group = Some("g".into());
        System { groups: vec![group], workers: vec![worker], ..System::default() }
    }

    fn of(system: &System) -> Schedule {
        schedule(system, &system.workers[0])
    }

    #[test]
    fn the_default_backoff_pauses_0_100_200_400_800_ms_and_then_gives_up() {
        let schedule = of(&system(5, 30, OnExhausted::Fail));
        let millis: Vec<u128> = schedule.pauses.iter().map(Duration::as_millis).collect();
        assert_eq!(millis, [0, 100, 200, 400, 800]);
        assert_eq!(schedule.end, End::GivenUp(Duration::from_millis(1500)));
    }

    #[test]
    fn a_window_exactly_as_long_as_the_pauses_is_never_filled() {
        let mut one = system(2, 10, OnExhausted::Fail);
        one.workers[0].backoff.base = Duration::from_secs(10);
        assert_eq!(of(&one).end, End::OutrunsWindow);
        assert_eq!(check(&one).len(), 1);
        one.groups[0].period = Duration::from_millis(10_001);
        assert_eq!(of(&one).end, End::GivenUp(Duration::from_secs(10)));
        assert_eq!(check(&one), []);
    }

    #[test]
    fn cool_down_never_gives_up_and_temporary_never_restarts() {
        let mut one = system(5, 30, OnExhausted::CoolDown);
        assert_eq!(of(&one).end, End::CoolDown(Some(Duration::from_millis(1500))));
        one.workers[0].restart = RestartType::Temporary;
        assert_eq!(of(&one), Schedule { pauses: Vec::new(), end: End::Never });
    }

    #[test]
    fn pauses_never_overflow_and_stop_at_the_cap() {
        // Whoever wants no limit gets an answer at once as well.
        let mut one = system(u32::MAX, 30, OnExhausted::Fail);
        one.workers[0].backoff.factor_permille = 100_000;
        assert_eq!(of(&one).pauses.last(), Some(&Duration::from_secs(30)));
        one.groups[0].on_exhausted = OnExhausted::Escalate;
        one.groups[0].max_restarts = 2;
        assert_eq!(of(&one).end, End::Escalates(Duration::from_millis(100)));
        one.groups[0].on_exhausted = OnExhausted::Fail;
        one.groups[0].max_restarts = 0;
        assert_eq!(of(&one).end, End::GivenUp(Duration::ZERO));
    }
}
