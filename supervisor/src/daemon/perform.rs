//! Carries out what the machine orders.

use std::os::fd::AsFd;

use bailiwick_core::berth::Berth;
use bailiwick_core::tree::{Action, Alert, Decision, Incarnation, News, Record};
use bailiwick_core::words;
use bailiwick_sys::events::{Interest, Signal};
use bailiwick_sys::wait;
use bailiwick_wire::control::ToWorker;
use bailiwick_wire::crash::Sent;
use bailiwick_wire::log::Priority;

use super::{Daemon, outward};
use crate::control::{Cause, Event, EventKind, Spent};
use crate::spawn::TreeKill;
use bailiwick_core::token::Token;

impl Daemon {
    pub(super) fn perform(&mut self, action: Action) {
        let spent = self.spent(&action);
        match action {
            Action::Spawn(of) => self.spawn(of, false),
            Action::Prepare(of) => self.spawn(of, true),
            Action::Admit(of) | Action::Rise(of) => self.admit(of),
            Action::Succeed { of, from } => self.succeed(of, from),
            Action::Drain(of) => self.order(of, ToWorker::Drain { last: !self.tree.has_next(of) }, None),
            Action::Terminate(of) => self.terminate(of),
            Action::Abort(of) => self.abort(of),
            Action::KillTree(of) => self.kill_tree(of),
            Action::Look(of) => self.look(of),
            Action::Reload(of) => self.reconfigure(of),
            Action::Announce { of, news } => self.announce(of, news),
            Action::Record(record) => self.record(&record, spent),
            Action::Alert(Alert::Stuck { of, since }) => self.note_stuck(of, since),
            Action::Alert(alert) => {
                let (of, text) = words::alert(&self.roster, alert);
                if let Alert::GroupEnded(end) = alert {
                    self.follow_up(end.origin, &text);
                }
                // The record of the last life says as much.
                let is_said = matches!(alert, Alert::CoolingDown(_));
                self.alert(of.or_else(|| Some(self.incarnation(words::child(alert)?))), text, is_said, spent);
            }
            Action::Leave(outcome) => self.left = Some(outcome),
        }
    }

    fn terminate(&mut self, of: Incarnation) {
        self.order(of, ToWorker::Stop { last: !self.tree.has_next(of) }, None);
        // A stopped process takes its signals when it runs again.
        let signal = self.command(of.child).map_or(Signal::SIGTERM, |command| command.stop_signal.signal());
        self.signal(of, signal);
        self.signal(of, Signal::SIGCONT);
    }

    pub(super) fn signal(&mut self, of: Incarnation, signal: Signal) {
        let at_ns = self.now().as_nanos();
        let Some(life) = self.life(of).filter(|life| !life.reaped) else { return };
        let signalled = wait::send_signal(life.process.as_fd(), signal);
        let number = signal as u8;
        // What is repeated, as a SIGKILL is, tells nothing new.
        if life.sent.iter().all(|sent| sent.signal != number) {
            life.sent.push(Sent { signal: number, at_ns });
        }
        if let Err(failed) = signalled {
            self.complain(of, &failed);
        }
    }

    /// Kills what is left of a life; asked for again while something is.
    pub(super) fn kill_tree(&mut self, of: Incarnation) {
        self.signal(of, Signal::SIGKILL);
        let Some((berth, reaped)) = self.life(of).map(|life| (life.berth, life.reaped)) else { return };
        match self.launcher.kill_tree(berth) {
            Ok(TreeKill::Gone) if reaped => self.emptied(of),
            // The leader's own descriptor tells of its end.
            Ok(TreeKill::Gone) => {}
            Ok(TreeKill::Underway(fd)) => {
                let watched = self.watch(&fd, Token::Tree(berth), Interest::READ);
                if let Some(former) = self.life(of).and_then(|life| life.tree.replace(fd)) {
                    self.unwatch(&former);
                }
                if let Err(failed) = watched {
                    self.complain(of, &failed);
                }
            }
            Err(failed) => self.complain(of, &failed),
        }
    }

    fn announce(&mut self, of: Incarnation, news: News) {
        match news {
            // Once a life: a worker may come and go as often as it likes.
            // A life that only took the place of one that ended as planned is not worth a line.
            News::Up if self.is_routine(of) => {}
            News::Up if self.life(of).is_some_and(|life| !std::mem::replace(&mut life.was_ready, true)) => {
                let text = format!("{} is ready", self.name(of));
                self.say(&text);
            }
            // The links tell the peers themselves.
            News::Up | News::Unready | News::Draining => {}
            News::Down(cause) => {
                let cause = self.true_cause(of, outward::cause(cause));
                self.link_down(of, cause);
            }
        }
    }

    fn record(&mut self, record: &Record, spent: Option<Spent>) {
        let cause = self.true_cause(record.of, outward::cause(record.cause));
        self.child(record.of.child).last_cause = Some(cause);
        let berth = self.children.find(record.of).unwrap_or(Berth::first(record.of.child));
        let place = self.children.at_mut(berth);
        place.doom = None;
        let why = outward::what_ended(place, cause);
        let detail = words::record(&self.roster, record, &why);
        let event =
            Event { cause: Some(cause), detail, spent, ..self.event(EventKind::Ended, Some(record.of)) };
        if cause != Cause::Stopped || record.decision != Decision::Replace {
            let is_fine = cause == Cause::Stopped || record.decision.is_fine();
            self.journal.tell(if is_fine { Priority::Info } else { Priority::Warning }, &event);
        }
        self.happened.push(event);
        self.report_death(record, berth, cause);
    }

    /// Whether a life follows one that ended as planned.
    fn is_routine(&self, of: Incarnation) -> bool {
        let last = self.tree.child(of.child).and_then(|child| child.last());
        last.is_some_and(|record| record.decision == Decision::Replace)
    }

    /// The machine knows of a violation only that there was one.
    fn true_cause(&mut self, of: Incarnation, told: Cause) -> Cause {
        let doom = self.children.find(of).and_then(|berth| self.children.at_mut(berth).doom);
        doom.filter(|_| told == Cause::Protocol).unwrap_or(told)
    }
}
