//! What workers say, one report of each per turn.

use std::os::fd::OwnedFd;
use std::time::Duration;

use bailiwick_core::berth::Berth;
use bailiwick_core::hearing::Heard;
use bailiwick_core::reopening::Event as Reopen;
use bailiwick_core::token::Token;
use bailiwick_core::tree::{ChildId, Event, Incarnation};
use bailiwick_core::words;
use bailiwick_sys::events::{Interest, thread_cpu_ns};
use bailiwick_sys::process::StartReport;
use bailiwick_sys::promise::Broken;
use bailiwick_sys::random::small_number;
use bailiwick_wire::audit::Violation;
use bailiwick_wire::bootstrap::Terms;
use bailiwick_wire::control::{ToSupervisor, ToWorker};

use super::Daemon;
use super::child::Stage;
use crate::control::Cause;
use crate::line::Received;
use crate::spec::OnViolation;

impl Daemon {
    /// Has whoever says too much wait. Returns whether that is so of one more word.
    pub(super) fn is_too_much(&mut self, berth: Berth) -> bool {
        let Heard::Later { is_news } = self.hearings.hear(berth, self.now()) else { return false };
        self.listen(berth);
        if let Some(of) = self.children.at(berth).life.as_ref().filter(|_| is_news).map(|life| life.of) {
            self.alert(Some(of), words::too_much(&self.name(of)), false, None);
        }
        true
    }

    /// Listens to a worker, or not, as it is its turn.
    pub(super) fn listen(&mut self, berth: Berth) {
        self.flush_line(berth);
        let interest = Interest { readable: !self.hearings.waits(berth), ..Interest::default() };
        let place = self.children.at(berth);
        place.ear.as_ref().map(|ear| self.poller.change(ear, Token::Notice(berth).to_u64(), interest));
        place.output.pipe().map(|pipe| self.poller.change(pipe, Token::Output(berth).to_u64(), interest));
        self.connections.given_to(berth).into_iter().for_each(|id| self.watch_room(id));
    }

    /// Hears what a worker says or prints. Who makes that dear, by having much wait for its end of a socket, waits longer.
    pub(super) fn hear(&mut self, berth: Berth, what: impl FnOnce(&mut Self)) {
        let began = thread_cpu_ns();
        what(self);
        if self.hearings.charge(berth, Duration::from_nanos(thread_cpu_ns() - began), self.now()) {
            self.listen(berth);
        }
    }

    /// Takes one report. Returns whether there may be more.
    pub(super) fn take_report(&mut self, berth: Berth) -> bool {
        self.flush_line(berth);
        let Some(life) = &mut self.children.at_mut(berth).life else { return false };
        let Some(line) = &mut life.line else { return false };
        let of = life.of;
        match line.receive() {
            Ok(Received::Nothing) => false,
            Ok(Received::Report(report, fd)) => {
                self.act_on(of, report, fd);
                true
            }
            closed => {
                // Usually the process is about to end. If not, it is stopped by signals.
                let _ = self.poller.remove(line.socket());
                closed.err().iter().for_each(|error| self.convict(of, error));
                false
            }
        }
    }

    fn act_on(&mut self, of: Incarnation, report: ToSupervisor, fd: Option<OwnedFd>) {
        let Some(stage) = self.life(of).map(|life| life.stage) else { return };
        // The sandbox is announced once, and before anything else: whoever says more has skipped it.
        let is_due = match stage {
            Stage::Entering => report == ToSupervisor::Confined,
            Stage::Standing => false,
            Stage::Released => report != ToSupervisor::Confined,
        };
        if !is_due {
            return self.convict(of, &format!("it says {report:?} at the wrong time"));
        }
        match report {
            ToSupervisor::Confined => self.take_stand(of),
            ToSupervisor::Ready => self.events.push_back(Event::Ready(of)),
            ToSupervisor::Unready => self.events.push_back(Event::Unready(of)),
            ToSupervisor::Drained => self.events.push_back(Event::Drained(of)),
            ToSupervisor::Skipped => self.events.push_back(Event::Skipped(of)),
            ToSupervisor::Settled => self.events.push_back(Event::Settled(of)),
            ToSupervisor::Spent { .. } => self.events.push_back(Event::Spent(of)),
            ToSupervisor::Idle => self.events.push_back(Event::Idle(of)),
            ToSupervisor::Wanted { peer } => {
                let may = self.broker.between(of.child, ChildId(peer)).is_some_and(Terms::may_send);
                self.events.extend(may.then_some(Event::Wanted(ChildId(peer))));
            }
            ToSupervisor::Used { peer, slot, method } => {
                let terms = self.broker.between_mut(of.child, ChildId(peer));
                if terms.is_some_and(|terms| terms.note_use(slot, method)) {
                    self.introduce(of.child, ChildId(peer), true);
                }
            }
            ToSupervisor::Declined => self.events.push_back(Event::Declined(of)),
            ToSupervisor::Refused => self.events.push_back(Event::Refused(of)),
            ToSupervisor::Keep { name } => {
                // Without its descriptor the report lost it to a full table of ours.
                let Some(fd) = fd else { return };
                let kept = self.store.kept.keep(self.keeper(of), &name, fd);
                kept.unwrap_or_else(|error| self.complain(of, &error));
            }
            ToSupervisor::Discard { name } => _ = self.store.kept.discard(self.keeper(of), &name),
            ToSupervisor::Accuse { peer, generation, fault, evidence } => {
                let accused = Incarnation { child: ChildId(peer), generation };
                self.judge(of, accused, Violation::of_link(fault, evidence));
            }
            ToSupervisor::Reopen { peer, generation, fault, evidence } => {
                let peer = Incarnation { child: ChildId(peer), generation };
                // A peer that died meanwhile is linked with its next life.
                if self.broker.is_linked(of.child, peer) {
                    let violation = Violation::of_link(fault, evidence);
                    let text = violation.of_one_closed(&self.name(of), &self.name(peer));
                    self.audit(of, violation, text);
                    self.relink(Reopen::Asked { by: of, peer, chance: small_number() });
                }
            }
        }
    }

    /// Lets a life go on whose sandbox is said to stand, after a look at what the kernel says of the process.
    pub(super) fn take_stand(&mut self, of: Incarnation) {
        if let Err(broken) = self.verify(of) {
            return self.convict(of, &format!("its sandbox does not hold: {broken}"));
        }
        let Some(life) = self.life(of) else { return };
        life.stage = Stage::Standing;
        if life.waits { self.events.push_back(Event::Standing(of)) } else { self.go(of) }
    }

    /// Gives a life what is kept for it and its links, and lets the code of the user run, which finds them there. Not before:
    /// what it holds until then is counted.
    pub(super) fn go(&mut self, of: Incarnation) {
        let Some(life) = self.life(of) else { return };
        life.stage = Stage::Released;
        let pid = life.pid;
        // A foreign program is executed only now. One that has ended meanwhile is noticed by its end.
        let _ = life.start.as_ref().filter(|_| life.line.is_none()).map(StartReport::go);
        let threads = self.witness.as_ref().and_then(|witness| witness.threads(pid));
        self.give_kept(of);
        self.give_control(of);
        self.link_up(of);
        self.order(of, ToWorker::Go, threads);
    }

    pub(super) fn verify(&mut self, of: Incarnation) -> Result<(), Broken> {
        let Some((berth, pid)) = self.life(of).map(|life| (life.berth, life.pid)) else { return Ok(()) };
        // Without /proc there is nobody to ask; that was said at the start.
        let Some(witness) = &self.witness else { return Ok(()) };
        // The process is our child and not reaped, so the number is its own.
        self.launcher.prepared(berth).map_or(Ok(()), |prepared| witness.check(&prepared.promise(), pid))
    }

    fn judge(&mut self, by: Incarnation, accused: Incarnation, violation: Violation) {
        if self.broker.is_guilty(by.child, accused) {
            let is_killed = self.roster.seat(accused.child).worker.on_violation == OnViolation::Kill;
            let violation = Violation { is_killed, ..violation };
            let text = violation.verdict(&self.name(accused), &self.name(by));
            self.warn(&text);
            self.audit(accused, violation, text);
            if is_killed {
                return self.condemn(accused, Cause::Accused);
            }
            return self.relink(Reopen::Asked { by, peer: accused, chance: small_number() });
        }
        let place = self.child(by.child);
        place.accusations_ignored = place.accusations_ignored.saturating_add(1);
        let count = place.accusations_ignored;
        // Enough to see, too little to drown in.
        if count.is_power_of_two() {
            self.say(&format!("{} accuses without right, {count} times so far", self.name(by)));
        }
    }
}
