//! One look at a system, and what two of them say together.

use std::time::Duration;

use bailiwick_admin::documents::status::Usage;
use bailiwick_supervisor::control::{Client, ClientError, Row, State, Status};
use bailiwick_sys::events::monotonic_ns;

use super::fold::Folded;
use super::inside::Measured;
use crate::status;

/// One look.
#[derive(Clone, Debug)]
pub(super) struct Sample {
    /// When, on the monotonic clock.
    pub(super) at: Duration,
    pub(super) found: Status,
    /// What the process of each worker uses, in the order of the rows.
    usage: Vec<Option<Usage>>,
}

/// A worker, and what its process used between two looks.
#[derive(Clone, Debug)]
pub(super) struct Worker {
    pub(super) row: Row,
    pub(super) usage: Option<Usage>,
    /// Processor time for each time that passed, in percent of one core. Missing where there were no two looks at one process.
    pub(super) cpu_percent: Option<f64>,
    /// What the admin worker is told of its inside.
    pub(super) inside: Option<Measured>,
    /// It stands for several instances.
    pub(super) folded: Option<Folded>,
}

impl Worker {
    /// Tells whether it is as it should be; of several, whether all are.
    pub(super) fn is_well(&self) -> bool {
        let [well, all] = self.count();
        well == all
    }

    /// Returns how many instances it is that are as they should be, and how many in all.
    pub(super) fn count(&self) -> [usize; 2] {
        match &self.folded {
            Some(folded) => [folded.well, folded.instances],
            None => [usize::from(matches!(self.row.state, State::Ready | State::Done)), 1],
        }
    }
}

impl Sample {
    /// Looks at a system.
    ///
    /// # Errors
    /// The supervisor does not answer.
    pub(super) fn take(client: &Client) -> Result<Self, ClientError> {
        let found = client.status()?;
        let at = Duration::from_nanos(monotonic_ns());
        let usage = found.workers.iter().map(|row| status::usage(&found, row)).collect();
        Ok(Self { at, found, usage })
    }

    #[cfg(test)]
    pub(super) fn of(at: Duration, found: Status, usage: Vec<Option<Usage>>) -> Self {
        Self { at, found, usage }
    }

    /// Returns the workers as they are, with what they used since an earlier look.
    pub(super) fn workers(&self, before: Option<&Self>) -> Vec<Worker> {
        let rows = self.found.workers.iter().zip(&self.usage);
        let worker = |(row, usage): (&Row, &Option<Usage>)| Worker {
            row: row.clone(),
            usage: *usage,
            cpu_percent: before.zip(*usage).and_then(|(before, usage)| self.cpu_percent(before, row, usage)),
            inside: None,
            folded: None,
        };
        rows.map(worker).collect()
    }

    fn cpu_percent(&self, before: &Self, row: &Row, usage: Usage) -> Option<f64> {
        let life = |row: &Row| (row.name.clone(), row.instance, row.generation, row.pid);
        let at = before.found.workers.iter().position(|earlier| life(earlier) == life(row))?;
        let earlier = before.usage.get(at).copied().flatten()?;
        let window = self.at.checked_sub(before.at).filter(|window| !window.is_zero())?;
        let used = usage.cpu.checked_sub(earlier.cpu)?;
        Some(used.as_secs_f64() / window.as_secs_f64() * 100.0)
    }
}

#[cfg(test)]
mod tests {
    use bailiwick_admin::sample::sample;

    use super::*;

    fn look(at_ms: u64, found: Status, cpu_ms: u64) -> Sample {
        let usage =
            |row: &Row| row.pid.map(|_| Usage { cpu: Duration::from_millis(cpu_ms), memory_bytes: 1 << 20 });
        let usage = found.workers.iter().map(usage).collect();
        Sample::of(Duration::from_millis(at_ms), found, usage)
    }

    #[test]
    fn processor_time_is_what_was_used_between_the_looks() {
        let before = look(1000, sample(), 200);
        let now = look(3000, sample(), 700);
        let percent: Vec<_> = now.workers(Some(&before)).iter().map(|worker| worker.cpu_percent).collect();
        assert_eq!(percent, [None, Some(25.0), None]);
        assert!(now.workers(None).iter().all(|worker| worker.cpu_percent.is_none()), "one look is no window");
    }

    #[test]
    fn another_process_another_life_and_a_clock_that_stands_tell_nothing() {
        let before = look(1000, sample(), 200);
        let percent = |now: Sample| now.workers(Some(&before))[1].cpu_percent;
        let mut found = sample();
        found.workers[1].pid = Some(102);
        assert_eq!(percent(look(3000, found, 700)), None);
        let mut found = sample();
        found.workers[1].generation = 2;
        assert_eq!(percent(look(3000, found, 700)), None);
        assert_eq!(percent(look(1000, sample(), 700)), None);
        assert_eq!(percent(look(3000, sample(), 100)), None, "it has computed less than before");
        let mut found = sample();
        found.workers.swap(0, 1);
        let moved = look(3000, found, 700).workers(Some(&before));
        assert_eq!(moved[0].cpu_percent, Some(25.0), "a reload may put it elsewhere");
    }
}
