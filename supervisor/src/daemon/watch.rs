//! How the lives get on: what a signal stops, and what a look finds.

use std::time::Duration;

use bailiwick_core::berth::Berth;
use bailiwick_core::time::Instant;
use bailiwick_core::tree::{Event, Incarnation};
use bailiwick_sys::events::{Interest, Signal};
use bailiwick_sys::slate::Slate;
use bailiwick_sys::snapshot::Snapshot;
use bailiwick_sys::wait::{self, Change};
use bailiwick_wire::slate::{Poll, longest_poll};

use super::Daemon;
use bailiwick_core::token::Token;

impl Daemon {
    /// Takes what signals have stopped, and what goes on.
    pub(super) fn take_stops(&mut self) {
        while let Ok(Some((pid, change))) = wait::take_stop() {
            let Some(life) = self.lives().find(|life| life.pid == pid && !life.reaped) else {
                continue;
            };
            let is_stop = matches!(change, Change::Stopped { .. });
            let event = if is_stop { Event::Sigstopped(life.of) } else { Event::Continued(life.of) };
            self.events.push_back(event);
        }
    }

    /// Looks how a life gets on, without waiting for it.
    pub(super) fn look(&mut self, of: Incarnation) {
        let now = self.now();
        let known = self.tree.child(of.child);
        let held = known.is_some_and(|known| known.is_sigstopped() || known.is_traced());
        let unheard_since = self.unheard_since(of);
        let kills = self.children.find(of).map_or(0, |berth| self.launcher.oom_kills(berth));
        let Some(life) = self.life(of).filter(|life| !life.reaped) else { return };
        life.looks = life.looks.wrapping_add(1);
        life.oom_kills = [life.oom_kills[0], life.oom_kills[2], kills];
        let busy_since = lasting_poll(&life.slate, now).map(|poll| Instant::from_nanos(poll.since_ns));
        let busy_since = busy_since.or(unheard_since);
        // To ask the kernel costs most of a look. A debugger that holds who does nothing harms nobody for a while.
        let suspect = held || busy_since.is_some() || life.looks.is_multiple_of(LOOKS_AT_TRACER);
        let pid = life.pid;
        let traced = suspect && self.witness.as_ref().is_some_and(|witness| witness.is_traced(pid));
        self.events.push_back(Event::Looked { of, busy_since, traced });
    }

    /// Has it kept how a life stands, and then aborts it.
    pub(super) fn abort(&mut self, of: Incarnation) {
        let Some(life) = self.life(of).filter(|life| !life.reaped) else { return };
        let berth = life.berth;
        match Snapshot::start(life.pid) {
            Ok(snapshot) => {
                let watched = self.watch(&snapshot, Token::Snapshot(berth), Interest::READ);
                // Where it cannot be waited for, abort_timeout ends the life.
                watched.unwrap_or_else(|failed| self.complain(of, &failed));
                if let Some(life) = self.life(of) {
                    life.snapshot = Some(snapshot);
                }
            }
            Err(error) => {
                self.complain(of, &error);
                self.signal(of, Signal::SIGABRT);
            }
        }
    }

    /// Keeps what was read of a life that does not get on, and has it end by its own hand.
    pub(super) fn take_snapshot(&mut self, berth: Berth) {
        let place = self.children.at_mut(berth);
        let Some(life) = &mut place.life else { return };
        let Some(snapshot) = life.snapshot.take() else { return };
        let of = life.of;
        place.snapshot = snapshot.text();
        self.unwatch(&snapshot);
        self.signal(of, Signal::SIGABRT);
    }

    /// Says in what a life is stuck since then.
    pub(super) fn note_stuck(&mut self, of: Incarnation, since: Instant) {
        let (now, name) = (self.now(), self.name(of));
        let poll = self.life(of).and_then(|life| lasting_poll(&life.slate, now));
        let what = match poll.filter(|poll| !poll.actor.is_empty()) {
            Some(Poll { actor, method, .. }) => format!("its actor {actor} has been in {method}"),
            None => "a task that is no actor's has run".to_owned(),
        };
        self.alert(Some(of), format!("{name} is stuck: {what} for {:.1?}", now.since(since)), false, None);
    }
}

/// Returns the longest poll, if it has lasted for a while. One that is another by a second look has ended.
fn lasting_poll(slate: &Slate, now: Instant) -> Option<Poll> {
    let lasts = |poll: &Poll| Instant::from_nanos(poll.since_ns) + DOUBT <= now;
    let look = || longest_poll(&slate.read(0)).filter(lasts);
    look().filter(|poll| look().as_ref() == Some(poll))
}

/// A poll that has not lasted for so long is not worth a thought.
const DOUBT: Duration = Duration::from_millis(100);
/// One of so many looks at who seems idle asks the kernel for a debugger.
const LOOKS_AT_TRACER: u32 = 8;
