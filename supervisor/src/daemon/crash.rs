//! Reports of deaths: the facts when a process has ended, the decision when nothing is left of it.

use bailiwick_core::berth::Berth;
use bailiwick_core::exit::Exit;
use bailiwick_core::tree::{Incarnation, Record};
use bailiwick_core::words;
use bailiwick_sys::wait::Change;
use bailiwick_wire::crash::{Budget, Decision, End, Pause, Report, Usage};

use super::Daemon;
use super::child::Life;
use crate::control::Cause;

/// The reports that are kept of one instance, and the bytes of those of all.
pub(super) const REPORTS_EACH: usize = 50;
pub(super) const REPORTS_BYTES: usize = 2 << 20;

impl Daemon {
    /// Keeps what is known of a process whose end was taken, until it is decided what follows, and returns how it ended;
    /// `None` if it did not.
    pub(super) fn note_death(&mut self, berth: Berth, change: Change) -> Option<Exit> {
        let life = self.children.at(berth).life.as_ref()?;
        let (exit, end, usage) = match change {
            Change::Exited { code, usage } => (Exit::Code(code), End::Exited { code }, usage),
            Change::Killed { signal, core, usage } => {
                let signal = u8::try_from(signal).unwrap_or(u8::MAX);
                (Exit::Signal(signal), End::Signalled { signal, core }, usage)
            }
            Change::Stopped { .. } | Change::Continued => return None,
        };
        let (prepared, worker) = (self.launcher.prepared(berth), &self.roster.seat(berth.child).worker);
        let [before, seen, _] = life.oom_kills;
        let counters = prepared.map(|prepared| prepared.counters(worker, before)).unwrap_or_default();
        let core = prepared.and_then(|prepared| prepared.core_of(worker, life.pid, &end));
        let report = Report {
            pid: life.failed_start.is_none().then_some(life.pid.unsigned_abs()),
            end,
            core,
            sent: life.sent.clone(),
            usage: Usage {
                user: usage.user,
                system: usage.system,
                peak_memory_bytes: usage.peak_memory_bytes,
            },
            counters,
            ..self.told_by(life)
        };
        self.children.at_mut(berth).death = Some(Box::new(report));
        Some(exit.having_counted(counters.oom_kills, seen.saturating_sub(before)))
    }

    /// Puts the report of a death on the shelf, unless the life ended as it should.
    pub(super) fn report_death(&mut self, record: &Record, berth: Berth, cause: Cause) {
        let noted = self.children.at_mut(berth).death.take();
        if cause == Cause::Stopped || record.decision.is_fine() {
            return;
        }
        let report = noted.map_or_else(|| self.empty_report(record.of, berth), |noted| *noted);
        let mut report = report.having_lived(record.uptime);
        (report.cause, report.ready_for) = (cause, record.ready_for);
        report.last_state = record.last_state.to_owned();
        report.budget = Budget {
            charged: record.charged,
            left: record.budget_left,
            max: record.budget_max,
            period: record.budget_period,
            failures: record.failures,
        };
        report.decision = Decision {
            action: record.decision.name().to_owned(),
            detail: words::follows(&self.roster, record),
            pause: record.decision.pause().map(|(delay, at)| Pause { delay, until_ns: at.as_nanos() }),
        };
        let place = self.children.at_mut(berth);
        if let Cause::SpawnFailed(errno) = cause {
            report.end = End::NotStarted { step: place.failed_step.to_owned(), errno: errno.into() };
        }
        report.snapshot = std::mem::take(&mut place.snapshot);
        report.last_lines = place.output.intake.last_lines(&self.journal.log);
        self.crashes.put(berth.child, report.to_bytes().into());
    }

    /// Adds to the report of a life what followed from its end for its groups.
    pub(super) fn follow_up(&mut self, origin: Incarnation, step: &str) {
        let latest = self.crashes.latest(origin.child);
        if let Some(longer) = latest.and_then(|latest| Report::followed_by(latest, origin.generation, step)) {
            self.crashes.replace_latest(origin.child, longer.into());
        }
    }

    /// Returns what a life tells of itself.
    pub(super) fn told_by(&self, life: &Life) -> Report {
        self.empty_report(life.of, life.berth).told_on(&life.slate.read(0))
    }

    fn empty_report(&self, of: Incarnation, berth: Berth) -> Report {
        let seat = self.roster.seat(of.child);
        Report {
            numbered: seat.worker.places() > 1,
            group: seat.worker.group.clone().unwrap_or_default(),
            executable: self.digests.of(berth),
            ended: self.moment(),
            ..Report::of(&seat.worker.name, seat.instance, of.generation)
        }
    }
}
