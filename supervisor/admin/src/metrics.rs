//! What Prometheus is told, by the names of docs/metrics.md: base units, bounded sets of labels, never an actor's or a
//! process's name.

mod durations;
mod inside;

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bailiwick::control::{Cause, Phase, ReloadEnd, Row, Spent, State, Status, Tally};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

use crate::survey::Said;
use inside::Inside;

/// The histogram of how long messages are handled, behind the prefix that all names have; `top` reads it.
pub const HANDLING: &str = "handler_duration_seconds";

/// What a scrape asks for if it takes the newer of the two formats.
pub(crate) const OPEN_METRICS: &str = "application/openmetrics-text";
/// The content types of the two formats.
pub(crate) const OPEN_METRICS_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
pub(crate) const TEXT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ByWorker {
    worker: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ByInstance {
    worker: String,
    instance: u16,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ByState {
    worker: String,
    instance: u16,
    state: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ByCause {
    worker: String,
    cause: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ByOutcome {
    worker: String,
    outcome: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ByGroup {
    group: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ByAction {
    group: String,
    action: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ByEnd {
    outcome: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Build {
    version: &'static str,
}

/// How a stop ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stopped {
    /// By itself, when it was told to.
    InOrder,
    /// By SIGKILL.
    Killed,
}

type Of<L, M> = Family<L, M>;
type Durations<L> = Family<L, Histogram, fn() -> Histogram>;
type Real = Gauge<f64, std::sync::atomic::AtomicU64>;

/// Everything that is counted, and what was last seen.
#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Registry,
    state: Of<ByState, Gauge>,
    ready: Of<ByInstance, Gauge>,
    started_at: Of<ByInstance, Real>,
    generation: Of<ByInstance, Gauge>,
    backoff: Of<ByInstance, Real>,
    stuck: Of<ByInstance, Gauge>,
    output_dropped: Of<ByInstance, Gauge>,
    budget: Of<ByGroup, Gauge>,
    escalations: Of<ByAction, Counter>,
    reloads: Of<ByEnd, Counter>,
    last_reload_done: Gauge,
    loaded_at: Real,
    orphans: Counter,
    running: Gauge,
    persist_failing: Gauge,
    missed: Counter,
    answers: Histogram,
    restarts: Of<ByCause, Counter>,
    exits: Of<ByCause, Counter>,
    startups: Durations<ByWorker>,
    stops: Durations<ByOutcome>,
    inside: Inside,
}

/// From a millisecond to half a minute.
fn durations() -> Histogram {
    Histogram::new(exponential_buckets(0.001, 2.0, 16))
}

impl Default for Metrics {
    fn default() -> Self {
        let mut metrics = Self {
            registry: Registry::with_prefix("bailiwick"),
            state: Family::default(),
            ready: Family::default(),
            started_at: Family::default(),
            generation: Family::default(),
            backoff: Family::default(),
            stuck: Family::default(),
            output_dropped: Family::default(),
            budget: Family::default(),
            escalations: Family::default(),
            reloads: Family::default(),
            last_reload_done: Gauge::default(),
            loaded_at: Real::default(),
            orphans: Counter::default(),
            running: Gauge::default(),
            persist_failing: Gauge::default(),
            missed: Counter::default(),
            answers: Histogram::new(exponential_buckets(0.000_064, 4.0, 9)),
            restarts: Family::default(),
            exits: Family::default(),
            startups: Family::new_with_constructor(durations),
            stops: Family::new_with_constructor(durations),
            inside: Inside::default(),
        };
        metrics.register();
        metrics
    }
}

impl Metrics {
    fn register(&mut self) {
        let to = &mut self.registry;
        let build: Of<Build, Gauge> = Family::default();
        build.get_or_create(&Build { version: env!("CARGO_PKG_VERSION") }).set(1);
        to.register("build_info", "What runs: the version of the admin worker's executable, always 1", build);
        to.register("supervisor_running", "1 while the system runs, 0 while it stops", self.running.clone());
        to.register(
            "state_persist_failing",
            "1 while what lives cannot be written into the state directory",
            self.persist_failing.clone(),
        );
        to.register(
            "events_missed",
            "Events that the supervisor had forgotten before they could be counted here",
            self.missed.clone(),
        );
        to.register(
            "supervisor_answer_duration_seconds",
            "How long the supervisor took to say how its workers stand, once for each look at these metrics",
            self.answers.clone(),
        );
        self.register_tally();
        self.register_workers();
        self.inside.register(&mut self.registry);
    }

    fn register_tally(&mut self) {
        let to = &mut self.registry;
        to.register("reloads", "Reloads of the manifest, by how they ended", self.reloads.clone());
        to.register(
            "config_last_reload_successful",
            "1 if the last reload did all that the manifest says, or there was none; 0 if it did not",
            self.last_reload_done.clone(),
        );
        to.register(
            "config_last_reload_success_timestamp_seconds",
            "When all of a manifest was last taken, since 1970",
            self.loaded_at.clone(),
        );
        to.register(
            "orphans_reaped",
            "Processes whose own parents had ended, and whose ends the supervisor took",
            self.orphans.clone(),
        );
    }

    fn register_workers(&mut self) {
        let to = &mut self.registry;
        to.register(
            "worker_state",
            "1 for the state in which an instance is, 0 for the others",
            self.state.clone(),
        );
        to.register("worker_ready", "1 while an instance is ready", self.ready.clone());
        to.register(
            "worker_start_time_seconds",
            "When the process of an instance began, since 1970",
            self.started_at.clone(),
        );
        to.register("worker_generation", "The number of the present or last life", self.generation.clone());
        to.register(
            "worker_backoff_seconds",
            "The time until the next start, 0 if none is due",
            self.backoff.clone(),
        );
        to.register("worker_stuck", "1 while a poll lasts longer than stuck_after", self.stuck.clone());
        to.register(
            "worker_output_dropped_bytes",
            "Output of an instance that was dropped, since the supervisor began, because it printed too much",
            self.output_dropped.clone(),
        );
        to.register(
            "group_restart_budget_remaining",
            "Restarts that the budget of a group still covers; the root group has no name",
            self.budget.clone(),
        );
        to.register(
            "escalations",
            "How often the budget of a group did not cover a failure, by what followed",
            self.escalations.clone(),
        );
        to.register(
            "worker_restarts",
            "Restarts that nobody ordered, by what ended the life before",
            self.restarts.clone(),
        );
        to.register("worker_exits", "Ends of lives, by their cause", self.exits.clone());
        to.register(
            "worker_startup_duration_seconds",
            "From the start of a process until it is ready",
            self.startups.clone(),
        );
        to.register(
            "worker_stop_duration_seconds",
            "From the order to stop until nothing is left",
            self.stops.clone(),
        );
    }

    pub(crate) fn missed(&self, events: u64) {
        self.missed.inc_by(events);
    }

    pub(crate) fn answered(&self, after: Duration) {
        self.answers.observe(after.as_secs_f64());
    }

    pub(crate) fn ended(&self, worker: &str, cause: Cause) {
        self.exits.get_or_create(&by_cause(worker, cause)).inc();
    }

    pub(crate) fn restarted(&self, worker: &str, cause: Cause) {
        self.restarts.get_or_create(&by_cause(worker, cause)).inc();
    }

    pub(crate) fn escalated(&self, spent: &Spent) {
        let of = ByAction { group: spent.group.clone(), action: spent.follows.word() };
        self.escalations.get_or_create(&of).inc();
    }

    pub(crate) fn started(&self, worker: &str, after: Duration) {
        self.startups.get_or_create(&ByWorker { worker: worker.to_owned() }).observe(after.as_secs_f64());
    }

    pub(crate) fn stopped(&self, worker: &str, how: Stopped, after: Duration) {
        let outcome = match how {
            Stopped::InOrder => "in_order",
            Stopped::Killed => "killed",
        };
        let of = ByOutcome { worker: worker.to_owned(), outcome };
        self.stops.get_or_create(&of).observe(after.as_secs_f64());
    }

    /// Takes over how everybody stands now, and what they say of themselves. Who is gone is told of no more.
    pub(crate) fn show(&self, status: &Status, said: &[Said]) {
        self.inside.show(said);
        self.running.set((status.supervisor.phase == Phase::Running).into());
        self.persist_failing.set(status.supervisor.persist_failing.into());
        self.clear();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        self.show_tally(&status.supervisor.tally, now.saturating_sub(status.supervisor.uptime));
        status.workers.iter().for_each(|row| self.show_row(row, now));
        for (group, left) in budgets(&status.workers) {
            self.budget.get_or_create(&ByGroup { group }).set(left.into());
        }
    }

    /// Takes over what the supervisor counts, which began then.
    fn show_tally(&self, tally: &Tally, began: Duration) {
        self.reloads.clear();
        for (end, count) in ReloadEnd::ALL.into_iter().zip(tally.reloads) {
            self.reloads.get_or_create(&ByEnd { outcome: end.word() }).inc_by(count.into());
        }
        self.last_reload_done.set((!tally.is_outdated).into());
        self.loaded_at.set(tally.loaded_at.unwrap_or(began).as_secs_f64());
        self.orphans.inner().store(tally.orphans, Ordering::Relaxed);
    }

    fn clear(&self) {
        self.state.clear();
        self.ready.clear();
        self.started_at.clear();
        self.generation.clear();
        self.backoff.clear();
        self.stuck.clear();
        self.output_dropped.clear();
        self.budget.clear();
    }

    fn show_row(&self, row: &Row, now: Duration) {
        let of = ByInstance { worker: row.name.clone(), instance: row.instance };
        for state in (0..=u8::MAX).map_while(State::from_code) {
            let by = ByState { worker: row.name.clone(), instance: row.instance, state: state.word() };
            self.state.get_or_create(&by).set((row.state == state).into());
        }
        self.ready.get_or_create(&of).set((row.state == State::Ready).into());
        self.generation.get_or_create(&of).set(row.generation.into());
        self.stuck.get_or_create(&of).set(row.signs.stuck.into());
        self.backoff.get_or_create(&of).set(row.next_start.unwrap_or_default().as_secs_f64());
        self.output_dropped.get_or_create(&of).set(i64::try_from(row.output_dropped).unwrap_or(i64::MAX));
        if let Some(uptime) = row.uptime {
            self.started_at.get_or_create(&of).set(now.saturating_sub(uptime).as_secs_f64());
        }
    }

    /// Returns all of it in the newer format.
    pub(crate) fn open_metrics(&self) -> String {
        let mut text = String::new();
        // A String takes all there is.
        let _ = encode(&mut text, &self.registry);
        text
    }

    /// Returns all of it in the older format, in which a counter has one name everywhere, and nothing marks the end.
    pub(crate) fn text(&self) -> String {
        let newer = self.open_metrics();
        let is_counter = |name: &str| newer.contains(&format!("# TYPE {name} counter\n"));
        let mut text = String::with_capacity(newer.len());
        for line in newer.lines().filter(|line| *line != "# EOF" && !line.starts_with("# UNIT ")) {
            let mut words = line.splitn(4, ' ');
            match [words.next(), words.next(), words.next(), words.next()] {
                [Some("#"), Some(what @ ("HELP" | "TYPE")), Some(name), rest] if is_counter(name) => {
                    text.push_str(&format!("# {what} {name}_total {}\n", rest.unwrap_or_default()));
                }
                _ => text.extend([line, "\n"]),
            }
        }
        text
    }
}

fn by_cause(worker: &str, cause: Cause) -> ByCause {
    ByCause { worker: worker.to_owned(), cause: cause.word() }
}

/// Returns what is left of each group's budget, by its own name.
fn budgets(rows: &[Row]) -> BTreeMap<String, u32> {
    let name = |row: &Row| row.group.rsplit('/').next().unwrap_or_default().to_owned();
    rows.iter().map(|row| (name(row), row.budget_left)).collect()
}

#[cfg(test)]
mod tests {
    use bailiwick::control::Head;

    use super::*;

    fn status() -> Status {
        let web = Row {
            name: "web".into(),
            instance: 1,
            state: State::Ready,
            generation: 3,
            uptime: Some(Duration::from_secs(5)),
            group: "shop/front".into(),
            budget_left: 4,
            ..Row::default()
        };
        let late = Row {
            name: "late".into(),
            instance: 1,
            state: State::Backoff,
            next_start: Some(Duration::from_millis(1500)),
            budget_left: 2,
            ..Row::default()
        };
        let tally = Tally {
            reloads: [3, 0, 1, 0],
            is_outdated: true,
            loaded_at: Some(Duration::from_millis(1_234_500)),
            orphans: 9,
        };
        let supervisor = Head { tally, ..Head::default() };
        Status { supervisor, workers: vec![web, late], ..Status::default() }
    }

    #[test]
    fn what_stands_now_is_told_and_what_is_gone_is_not() {
        let metrics = Metrics::default();
        metrics.show(&status(), &[]);
        let text = metrics.text();
        for line in [
            r#"bailiwick_worker_state{worker="web",instance="1",state="ready"} 1"#,
            r#"bailiwick_worker_state{worker="web",instance="1",state="failed"} 0"#,
            r#"bailiwick_worker_ready{worker="late",instance="1"} 0"#,
            r#"bailiwick_worker_generation{worker="web",instance="1"} 3"#,
            r#"bailiwick_worker_backoff_seconds{worker="late",instance="1"} 1.5"#,
            r#"bailiwick_group_restart_budget_remaining{group="front"} 4"#,
            r#"bailiwick_group_restart_budget_remaining{group=""} 2"#,
            r#"bailiwick_reloads_total{outcome="done"} 3"#,
            r#"bailiwick_reloads_total{outcome="invalid"} 1"#,
            r#"bailiwick_reloads_total{outcome="unfinished"} 0"#,
            "bailiwick_config_last_reload_successful 0",
            "bailiwick_config_last_reload_success_timestamp_seconds 1234.5",
            "bailiwick_orphans_reaped_total 9",
            "bailiwick_supervisor_running 1",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
        let mut later = Status { workers: Vec::new(), ..status() };
        later.supervisor.tally.reloads[0] += 1;
        metrics.show(&later, &[]);
        assert!(metrics.text().contains("bailiwick_reloads_total{outcome=\"done\"} 4\n"), "not added up");
        assert!(!metrics.text().contains(r#"worker="web""#));
    }

    #[test]
    fn each_format_names_a_counter_in_its_way() {
        let metrics = Metrics::default();
        metrics.ended("web", Cause::OutOfMemory);
        let (newer, older) = (metrics.open_metrics(), metrics.text());
        let sample = "bailiwick_worker_exits_total{worker=\"web\",cause=\"oom\"} 1\n";
        assert!(newer.contains(sample) && older.contains(sample));
        assert!(newer.contains("# TYPE bailiwick_worker_exits counter\n") && newer.ends_with("# EOF\n"));
        assert!(older.contains("# TYPE bailiwick_worker_exits_total counter\n"), "{older}");
        assert!(older.contains("# HELP bailiwick_worker_exits_total "));
        assert!(!older.contains("# EOF"));
    }
}
