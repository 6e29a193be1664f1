//! A supervisor through which a schedule goes, and what must hold meanwhile and afterwards.

use std::collections::BTreeMap;
use std::thread;
use std::time::{Duration, Instant};

use bailiwick_supervisor::control::{State, Target, Verb};
use bailiwick_tests::harness::{Process, Supervised};
use bailiwick_tests::run;
use nix::sys::signal::Signal;

use crate::schedule::{Moment, Schedule, WORKERS, What};

/// Restarts without end and nearly without pause, so that much happens in little time.
const TERMS: &str = "exec = \"tw\"\ngroup = \"g\"\nbackoff = { base = \"1ms\", cap = \"5ms\" }\n\
    drain_timeout = \"1s\"\nstop_timeout = \"1s\"\nactor.life = { type = \"Life\", args = { KNOBS } }\n";
const BUDGET: &str = "max_restarts = 10000\nperiod = \"60s\"";

/// How long an order is waited for: what it does in the end is seen at the end.
const AT_ONCE: Duration = Duration::from_millis(1);

/// A running supervisor, and what of its workers an operator wants.
pub(crate) struct World {
    supervised: Supervised,
    wanted: BTreeMap<&'static str, bool>,
    descriptors: usize,
}

impl World {
    pub(crate) fn start(shape: &str) -> Self {
        let outer = TERMS.replace("group = \"g\"", "group = \"all\"");
        let manifest = shape.replace("BUDGET", BUDGET).replace("OUTER", &outer).replace("TERMS", TERMS);
        let supervised = run!(&manifest.replace("KNOBS", ""));
        for worker in WORKERS {
            supervised.wait_for_life(worker, 1);
        }
        let descriptors = supervised.process().descriptors().len();
        Self { supervised, wanted: WORKERS.map(|worker| (worker, true)).into(), descriptors }
    }

    /// Lets everything happen, lets everybody go on, and looks whether all is as it should be.
    pub(crate) fn live_through(mut self, schedule: &Schedule) {
        for moment in &schedule.0 {
            self.meet(*moment);
            self.assert_no_duplicate();
        }
        for worker in WORKERS {
            self.send(Signal::SIGCONT, worker);
        }
        for (worker, up) in self.wanted.clone() {
            self.wait_for_rest(worker, up);
        }
        self.assert_no_duplicate();
        let supervisor = self.supervised.process();
        self.supervised.journal().wait_until("no zombie", |_| supervisor.zombies().is_empty().then_some(()));
        self.supervised.journal().wait_until("no more descriptors than before", |_| {
            (supervisor.descriptors().len() <= self.descriptors).then_some(())
        });
        self.supervised.stop();
    }

    fn meet(&mut self, Moment { what, then }: Moment) {
        match what {
            What::Signal(signal, worker) => self.send(signal, worker),
            What::Order(verb, worker) => self.order(verb, worker),
            What::Suspend => self.supervised.process().signal(Signal::SIGSTOP),
        }
        let until = Instant::now() + then;
        while let Some(left) = until.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) {
            thread::park_timeout(left);
        }
        if matches!(what, What::Suspend) {
            self.supervised.process().signal(Signal::SIGCONT);
        }
    }

    /// Signals the leader that is there now, if there is one.
    fn send(&self, signal: Signal, worker: &str) {
        self.leaders()
            .iter()
            .filter(|(name, _)| name == worker)
            .for_each(|(_, leader)| leader.signal(signal));
    }

    fn order(&mut self, verb: Verb, worker: &'static str) {
        let target = Target::Worker(worker.to_owned());
        let answer = self.supervised.control().order(verb, target, AT_ONCE);
        assert!(answer.is_ok(), "{verb:?} {worker}: {answer:?}; so far:\n{}", self.supervised.journal());
        self.wanted.insert(worker, verb != Verb::Stop);
        // Whoever is started by order starts what it needs.
        if verb != Verb::Stop && worker == "b" && self.needs_a() {
            self.wanted.insert("a", true);
        }
    }

    fn needs_a(&self) -> bool {
        let manifest = std::fs::read_to_string(self.supervised.path().join("app.toml"));
        manifest.is_ok_and(|text| text.contains("needs = [\"a\"]"))
    }

    fn wait_for_rest(&self, worker: &str, up: bool) {
        // Who needs a worker that was stopped by order after it was last started itself waits until somebody starts that.
        let may_wait = up && worker == "b" && !self.wanted["a"] && self.needs_a();
        let expected = if up { State::Ready } else { State::Stopped };
        self.supervised.wait_for_worker(worker, &format!("{expected:?} in the end"), |row| {
            // A stopped process is no state of its own, and one that was replaced meanwhile may be stopped anew.
            self.send(Signal::SIGCONT, worker);
            (row.state == expected || may_wait && row.state == State::Waiting).then_some(())
        });
    }

    /// Every worker process that the supervisor has made and that has not ended, with the worker's name.
    fn leaders(&self) -> Vec<(String, Process)> {
        let children = self.supervised.process().children().into_iter().filter(|child| child.is_alive());
        let named = children.filter_map(|child| Some((child.name()?, child)));
        named.filter(|(name, _)| WORKERS.contains(&name.as_str())).collect()
    }

    fn assert_no_duplicate(&self) {
        let leaders = self.leaders();
        for worker in WORKERS {
            let lives: Vec<_> = leaders.iter().filter(|(name, _)| name == worker).collect();
            assert!(
                lives.len() <= 1,
                "two lives of {worker} at once: {lives:?}; so far:\n{}",
                self.supervised.journal()
            );
        }
    }
}
