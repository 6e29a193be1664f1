//! How the lives get on: what a signal stops, and what a look finds.

use bailiwick_core::tree::{Event, Incarnation};
use bailiwick_sys::wait::{self, Change};

use super::Daemon;

impl Daemon {
    /// Takes what signals have stopped, and what goes on.
    pub(super) fn take_stops(&mut self) {
        while let Ok(Some((pid, change))) = wait::take_stop() {
            let mut lives = self.children.iter().filter_map(|child| child.life.as_ref());
            let Some(life) = lives.find(|life| life.pid == pid && !life.reaped) else { continue };
            let is_stop = matches!(change, Change::Stopped { .. });
            let event = if is_stop { Event::Sigstopped(life.of) } else { Event::Continued(life.of) };
            self.events.push_back(event);
        }
    }

    /// Looks how a life gets on, without waiting for it.
    pub(super) fn look(&mut self, of: Incarnation) {
        let Some(pid) = self.life(of).filter(|life| !life.reaped).map(|life| life.pid) else { return };
        let traced = self.witness.as_ref().is_some_and(|witness| witness.is_traced(pid));
        self.events.push_back(Event::Looked { of, busy_since: None, traced });
    }
}
