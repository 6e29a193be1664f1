//! When a worker that keeps crashing is started again, and when that ends.

use std::time::Duration;

use bailiwick_core::exit::Exit;
use bailiwick_core::time::Instant;
use bailiwick_core::tree::{Action, Alert, Config, Decision, Event, GroupDecision, GroupId, Record, Tree};

use super::Diagnostic;
use crate::roster::Roster;
use crate::spec::{AutoShutdown, Backoff, Group, OnExhausted, RestartType, System, Worker};

/// What follows from a worker's backoff and the budgets around it, for a worker that crashes as soon as it is ready.
///
/// The machine itself tells it: it is run over such a worker, without chance.
#[derive(Clone, Debug, PartialEq)]
pub struct Schedule {
    /// The first pauses, without chance; eight at most.
    pub pauses: Vec<Duration>,
    /// What happens when the budget of its group is spent, or before that.
    pub end: End,
    /// What happens in turn to the groups around its own, if that escalates.
    pub above: Vec<Above>,
}

/// A group whose budget is spent because groups in it were stopped again and again.
#[derive(Clone, Debug, PartialEq)]
pub struct Above {
    /// The group's name; the root's is empty.
    pub group: String,
    /// When its budget is spent, from the first crash on.
    pub after: Duration,
    /// What it does then.
    pub then: OnExhausted,
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
    /// Everything is stopped after this time: it is essential and given up, or the root escalates.
    EndsAll(Duration),
    /// The pauses outrun the window, so that the budget is never spent.
    OutrunsWindow,
}

/// How many crashes are followed after the first escalation.
const HORIZON: u32 = 2000;

/// The largest budget that is followed crash by crash; as much as a manifest may say.
const FARTHEST: u32 = 10_000;

/// The signal of a crash.
const SEGMENTATION_FAULT: u8 = 11;

/// Returns the schedule of a worker that crashes as soon as it is ready.
pub fn schedule(system: &System, worker: &Worker) -> Schedule {
    let mut schedule = Schedule { pauses: Vec::new(), end: End::Never, above: Vec::new() };
    if worker.restart != RestartType::Temporary
        && let Some(crashing) = Crashing::new(system, worker)
    {
        crashing.run(&mut schedule);
    }
    schedule
}

/// One worker alone in its groups, crashing.
struct Crashing {
    tree: Tree,
    names: Vec<String>,
    now: Instant,
    /// The terms of its own group.
    own: Group,
    backoff: Backoff,
}

impl Crashing {
    /// Makes a machine of this worker and the groups around it; `None` if they have no place.
    fn new(system: &System, worker: &Worker) -> Option<Self> {
        let mut alone = worker.clone();
        (alone.instances, alone.max_children, alone.significant) = (1, None, false);
        (alone.needs, alone.wants, alone.after) = Default::default();
        // A spare changes how soon a life begins, and nothing of how often.
        (alone.backoff.jitter_permille, alone.spares) = (0, 0);
        let idle = |group: &Group| {
            let auto_shutdown = AutoShutdown::Never;
            Group { auto_shutdown, significant: false, ..group.clone() }
        };
        let mut around: Vec<Group> = system.around(worker).map(idle).collect();
        let (own, backoff) = (around.first()?.clone(), alone.backoff);
        let root = around.pop()?;
        // From the outermost inwards, which is the order of their numbers.
        let names = around.iter().rev().map(|group| group.name.clone());
        let names = std::iter::once(String::new()).chain(names).collect();
        let alone = System { root, groups: around, workers: vec![alone], ..System::default() };
        let roster = Roster::new(&alone).ok()?;
        let tree = Tree::new(roster.config(&alone, &Config::default()).ok()?).ok()?;
        Some(Self { tree, names, now: Instant::START, own, backoff })
    }

    fn run(mut self, schedule: &mut Schedule) {
        let mut events = vec![Event::Boot];
        // Without chance the budget of its own group is spent by then, or never.
        let patience = self.own.max_restarts.min(FARTHEST) * 2 + 8;
        let (mut crashes, mut limit) = (0, patience);
        while crashes < limit {
            let mut actions = Vec::new();
            match events.is_empty() {
                false => self.tree.handle(self.now, events.remove(0), &mut actions),
                true => {
                    let Some(next) = self.tree.deadline() else { return };
                    self.now = next;
                    self.tree.handle(next, Event::Tick, &mut actions);
                }
            }
            for action in actions {
                match action {
                    Action::Spawn(of) => {
                        let exit = Exit::Signal(SEGMENTATION_FAULT);
                        events.extend([Event::Spawned(of), Event::Ready(of), Event::Exited { of, exit }]);
                    }
                    Action::KillTree(of) => events.push(Event::Emptied { of, chance: 0 }),
                    Action::Record(record) => {
                        crashes += 1;
                        if self.recorded(&record, schedule) {
                            return;
                        }
                    }
                    Action::Alert(alert) if self.alerted(&alert, schedule) => return,
                    Action::Leave(_) => return,
                    _ => {}
                }
            }
            if limit == patience && matches!(schedule.end, End::Escalates(_)) {
                limit = crashes.saturating_add(HORIZON);
            }
        }
        if schedule.end == End::Never {
            schedule.end = self.far_end();
        }
    }

    /// Returns the end of a worker that was still restarted when nobody followed it any further: by then its pauses no
    /// longer shrink, so that they outrun the window now or never.
    fn far_end(&self) -> End {
        let total = self.backoff.total(self.own.max_restarts);
        match (total < self.own.period, self.own.on_exhausted) {
            (false, OnExhausted::CoolDown) => End::CoolDown(None),
            (false, OnExhausted::Fail | OnExhausted::Escalate) => End::OutrunsWindow,
            (true, OnExhausted::CoolDown) => End::CoolDown(Some(total)),
            (true, OnExhausted::Fail) => End::GivenUp(total),
            (true, OnExhausted::Escalate) => End::Escalates(total),
        }
    }

    /// Returns the time since the first crash.
    fn elapsed(&self) -> Duration {
        self.now.since(Instant::START)
    }

    /// Takes note of one decision. Returns whether nothing further follows.
    fn recorded(&self, record: &Record, schedule: &mut Schedule) -> bool {
        let is_first = schedule.end == End::Never;
        match record.decision {
            Decision::Restart { delay, .. } if is_first && schedule.pauses.len() < 8 => {
                schedule.pauses.push(delay)
            }
            Decision::CoolDown { .. } if is_first => schedule.end = End::CoolDown(Some(self.elapsed())),
            Decision::GiveUp(_) if is_first => schedule.end = End::GivenUp(self.elapsed()),
            Decision::Escalate(GroupId(0)) | Decision::EndAll(_) if is_first => {
                schedule.end = End::EndsAll(self.elapsed());
            }
            Decision::Escalate(_) if is_first => schedule.end = End::Escalates(self.elapsed()),
            _ => {}
        }
        !matches!(schedule.end, End::Never | End::Escalates(_) | End::GivenUp(_))
    }

    /// Takes note of what a group decides about one in it. Returns whether nothing further follows.
    fn alerted(&self, alert: &Alert, schedule: &mut Schedule) -> bool {
        match alert {
            Alert::ShuttingDown(_) if matches!(schedule.end, End::GivenUp(_)) => {
                schedule.end = End::EndsAll(self.elapsed());
                true
            }
            Alert::GroupEnded(end) => {
                let (around, then) = match end.decision {
                    GroupDecision::Restart => return false,
                    GroupDecision::CoolDown { .. } => (end.group.0 - 1, OnExhausted::CoolDown),
                    GroupDecision::GiveUp => (end.group.0 - 1, OnExhausted::Fail),
                    GroupDecision::Escalate(around) => (around.0, OnExhausted::Escalate),
                };
                let group = self.names[usize::from(around)].clone();
                schedule.above.push(Above { group, after: self.elapsed(), then });
                then != OnExhausted::Escalate
            }
            _ => false,
        }
    }
}

/// Warns of budgets that can never be spent.
pub(super) fn check(system: &System) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for worker in &system.workers {
        let Schedule { end: End::OutrunsWindow, .. } = schedule(system, worker) else { continue };
        let group = system.group(worker.group.as_deref());
        let (max_restarts, period) = (group.max_restarts, group.period);
        let total = worker.backoff.total(max_restarts);
        let (noun, place) = match group.name.as_str() {
            "" => ("the root group".to_owned(), "supervisor.period".to_owned()),
            name => (format!("group `{name}`"), format!("group.{name}.period")),
        };
        let title = format!("the restart budget of {noun} can never be spent by worker `{}`", worker.name);
        let warning = Diagnostic::warning(title)
            .at_key(place, format!("the window is {period:?} long"))
            .at_key(
                format!("worker.{}.backoff", worker.name),
                format!("its first {max_restarts} pauses alone last {total:?}"),
            )
            .help("lengthen `period` or shorten the backoff, or it will be restarted for ever");
        found.push(warning);
    }
    found
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
        assert_eq!(of(&one), Schedule { pauses: Vec::new(), end: End::Never, above: Vec::new() });
    }

    #[test]
    fn pauses_never_overflow_and_stop_at_the_cap() {
        // Whoever wants no limit gets an answer at once as well.
        let mut one = system(u32::MAX, 30, OnExhausted::Fail);
        one.workers[0].backoff.factor_permille = 100_000;
        assert_eq!(of(&one).pauses.last(), Some(&Duration::from_secs(30)));
        one.groups[0].on_exhausted = OnExhausted::Escalate;
        one.groups[0].max_restarts = 2;
        one.workers[0].backoff = crate::spec::Backoff::default();
        assert_eq!(of(&one).end, End::Escalates(Duration::from_millis(100)));
        one.groups[0].on_exhausted = OnExhausted::Fail;
        one.groups[0].max_restarts = 0;
        assert_eq!(of(&one).end, End::GivenUp(Duration::ZERO));
    }

    #[test]
    fn the_schedule_follows_an_escalation_up_to_the_root() {
        let mut one = system(1, 60, OnExhausted::Escalate);
        one.root = Group { max_restarts: 1, on_exhausted: OnExhausted::Escalate, ..Group::default() };
        let schedule = of(&one);
        assert_eq!((schedule.pauses, schedule.end), (vec![Duration::ZERO], End::Escalates(Duration::ZERO)));
        let [above] = &schedule.above[..] else { panic!("{:?}", schedule.above) };
        assert_eq!((above.group.as_str(), above.then), ("", OnExhausted::Escalate));
        one.root.on_exhausted = OnExhausted::CoolDown;
        assert_eq!(of(&one).above[0].then, OnExhausted::CoolDown);
        one.workers[0].group = None;
        one.root.on_exhausted = OnExhausted::Escalate;
        assert_eq!(of(&one).end, End::EndsAll(Duration::ZERO));
    }

    #[test]
    fn what_is_essential_ends_all_when_it_is_given_up() {
        let mut one = system(2, 60, OnExhausted::Fail);
        one.workers[0].essential = true;
        assert_eq!(of(&one).end, End::EndsAll(Duration::from_millis(100)));
    }

    #[test]
    fn a_long_first_pause_does_not_save_the_budget_from_short_later_ones() {
        let mut one = system(3, 10, OnExhausted::Fail);
        one.workers[0].backoff.first = Duration::from_secs(20);
        assert!(matches!(of(&one).end, End::GivenUp(_)), "{:?}", of(&one));
        assert_eq!(check(&one), []);
    }
}
