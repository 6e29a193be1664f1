//! From the start of a process to its end, and what it is told in between.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use bailiwick_core::berth::Berth;
use bailiwick_core::tree::{Event, Incarnation, Outdated};
use bailiwick_sys::events::Interest;
use bailiwick_sys::process::{Progress, SpawnError};
use bailiwick_sys::random::small_number;
use bailiwick_sys::slate::Slate;
use bailiwick_sys::wait::{self, Change};
use bailiwick_sys::{Errno, Failed, output_pipe, socket};
use bailiwick_wire::bootstrap::BootstrapError;
use bailiwick_wire::control::ToWorker;
use bailiwick_wire::slate::SLATE_BYTES;
use thiserror::Error;

use super::child::{Life, Stage};
use super::{Daemon, ROOM_RETRY};
use crate::control::Cause;
use crate::digests::digest;
use crate::line::{Flushed, Line};
use crate::spawn::{Belongings, LaunchError};
use bailiwick_core::token::Token;

/// Reports that are read at most of a worker that has ended.
const LAST_REPORTS: usize = 512;

/// Why a process was not made.
#[derive(Debug, Error)]
enum StartError {
    #[error(transparent)]
    Refused(#[from] Failed),
    #[error(transparent)]
    Spawn(#[from] SpawnError),
    #[error(transparent)]
    Prepare(#[from] LaunchError),
    #[error(transparent)]
    Bootstrap(#[from] BootstrapError),
    #[error("its granted paths and its sandbox are {found} descriptors, the limit is {max}", max = socket::MAX_FDS)]
    TooManyPaths { found: usize },
    #[error("there are two lives of it already")]
    NoBerth,
    #[error("copies of its descriptors: {0}")]
    Copies(#[from] io::Error),
}

impl Daemon {
    /// Makes the process of a life, which `waits` for its turn if it is to.
    pub(super) fn spawn(&mut self, of: Incarnation, waits: bool) {
        if let Err(error) = self.try_spawn(of, waits) {
            self.complain(of, &error);
            let errno = match error {
                StartError::Refused(failed) | StartError::Spawn(SpawnError::Refused(failed)) => failed.errno,
                StartError::NoBerth => Errno::EBUSY,
                StartError::Prepare(LaunchError::System { source: error, .. })
                | StartError::Copies(error) => Errno::from_raw(error.raw_os_error().unwrap_or_default()),
                _ => Errno::EINVAL,
            };
            self.fail_start(of, errno as i32);
        }
    }

    /// Finds the berth of a life that begins, and makes its sandbox unless that stands there.
    fn enter(&mut self, of: Incarnation) -> Result<Berth, StartError> {
        let berth = self.children.enter(of).ok_or(StartError::NoBerth)?;
        self.children.at_mut(berth).failed_step = "";
        if self.children.at_mut(berth).stale || self.launcher.prepared(berth).is_none() {
            let alive = self.lives().count();
            let is_stale = [berth, berth.other()].iter().any(|berth| self.children.at(*berth).stale);
            self.launcher.prepare_again(berth, self.roster.seat(of.child), alive)?;
            self.children.at_mut(berth).stale = false;
            self.close_ear(berth);
            if !is_stale {
                let shared = self.launcher.share(berth.other(), &self.roster.seat(of.child).worker);
                shared.map_err(LaunchError::from)?;
            }
            self.hash(berth);
        }
        // Only who is ordered to take another's place takes up a new build.
        if self.tree.child(of.child).is_some_and(|child| child.newcomer() == Some(of)) {
            self.renew(berth);
        }
        Ok(berth)
    }

    fn try_spawn(&mut self, of: Incarnation, waits: bool) -> Result<(), StartError> {
        let (child, berth) = (of.child, self.enter(of)?);
        let slate = Slate::new(SLATE_BYTES)?;
        let (output, their_output) = output_pipe::make()?;
        let (line, others, variables) = if self.command(child).is_some() {
            let (listeners, variables) = self.belongings(berth)?;
            (None, listeners, variables)
        } else {
            let (line, theirs) = self.line(of, berth, &slate)?;
            (Some(line), vec![theirs], Vec::new())
        };
        let others: Vec<_> = others.iter().map(AsFd::as_fd).collect();
        let with = Belongings { output: their_output.as_fd(), others: &others, variables: &variables };
        let made = self.launcher.spawn(berth, &with);
        let process = made.inspect_err(|error| self.children.at_mut(berth).failed_step = error.call())?;
        self.watch(&process.pidfd, Token::Process(berth), Interest::READ)?;
        self.watch(&process.start, Token::Start(berth), Interest::READ)?;
        if let Some(line) = &line {
            self.watch(line.socket(), Token::Line(berth), Interest::READ)?;
        }
        let alive_at = self.now();
        self.watch(&output, Token::Output(berth), Interest::READ)?;
        let oom_kills = [self.launcher.oom_kills(berth); 3];
        let place = self.children.at_mut(berth);
        place.output.attach(output, of.generation);
        self.hearings.begin(berth, alive_at);
        place.snapshot.clear();
        place.life = Some(Life {
            of,
            berth,
            pid: process.pid,
            born: self.witness.as_ref().and_then(|it| it.born(process.pid)).unwrap_or_default(),
            process: process.pidfd,
            start: Some(process.start),
            line,
            slate,
            looks: 0,
            snapshot: None,
            interest: Interest::READ,
            failed_start: None,
            stage: Stage::Entering,
            waits,
            was_ready: false,
            sent: Vec::new(),
            oom_kills,
            alive_at,
            watchdog: None,
            reaped: false,
            tree: None,
        });
        self.state.lives.due.get_or_insert(alive_at);
        self.flush_line(berth);
        Ok(())
    }

    /// Has a life go on that waits, or as soon as its sandbox stands.
    pub(super) fn admit(&mut self, of: Incarnation) {
        let Some(life) = self.life(of) else { return };
        life.waits = false;
        if life.stage == Stage::Standing {
            self.go(of);
        }
    }

    /// Makes both ends of the conversation with a life, whose first packet waits in ours.
    fn line(&self, of: Incarnation, berth: Berth, slate: &Slate) -> Result<(Line, OwnedFd), StartError> {
        let (bootstrap, attached) = self.bootstrap(of, berth, slate)?;
        if attached.len() > socket::MAX_FDS {
            return Err(StartError::TooManyPaths { found: attached.len() });
        }
        let (ours, theirs) = socket::pair(socket::Kind::SeqPacket)?;
        let mut line = Line::new(ours, self.broker.peers(of.child).count());
        line.bootstrap(bootstrap.to_bytes()?, attached);
        Ok((line, theirs))
    }

    /// Has it found out what a child executes from now on, for people to compare.
    pub(super) fn hash(&mut self, berth: Berth) {
        let Some(prepared) = self.launcher.prepared(berth) else { return };
        // One that may not be read is not watched either.
        let _ = self.replacements.as_mut().map(|held| held.hold(berth, prepared.as_fd()));
        let noted = match self.digests.note(berth, prepared.as_fd(), digest) {
            Ok(None) => return,
            Ok(Some((number, result))) => {
                let token = Token::Digest(number).to_u64();
                self.poller.add(result, token, Interest::READ).map_err(SpawnError::from)
            }
            Err(error) => Err(error),
        };
        if let Err(error) = noted {
            self.complain(self.incarnation(berth.child), &error);
        }
    }

    /// Tells the machine whose executables were replaced.
    pub(super) fn take_replacements(&mut self) {
        let Some(held) = &self.replacements else { return };
        let file = |berth| self.launcher.prepared(berth).map(AsFd::as_fd);
        let replaced = held.take(file).into_iter().map(|berth| berth.child);
        self.events.extend(replaced.map(|child| Event::Outdated { child, what: Outdated::Binary }));
    }

    /// Looks how far a start has come, and tells the machine when it is over.
    pub(super) fn take_start(&mut self, berth: Berth) {
        let Some(life) = &mut self.children.at_mut(berth).life else { return };
        let (of, progress) = match &life.start {
            Some(start) => (life.of, start.progress()),
            None => return,
        };
        if progress == Progress::Underway {
            return;
        }
        if progress == Progress::Standing {
            return self.take_stand(of);
        }
        let start = life.start.take();
        start.iter().for_each(|start| self.unwatch(start));
        if let Progress::Failed(failed) = progress {
            // The process exits by itself; the machine is told when it is gone.
            if let Some(life) = self.life(of) {
                life.failed_start = Some(failed.errno as i32);
            }
            self.children.at_mut(berth).failed_step = failed.step;
            self.complain(of, &failed);
        } else {
            self.events.push_back(Event::Spawned(of));
            let is_executed = self.life(of).is_some_and(|life| life.stage == Stage::Released);
            if is_executed && self.command(of.child).is_some_and(|command| !command.notify) {
                self.events.push_back(Event::Ready(of));
            }
        }
    }

    /// Takes the end of a process, after everything that it still said.
    pub(super) fn take_end(&mut self, berth: Berth) {
        self.take_start(berth);
        let Some(life) = &mut self.children.at_mut(berth).life else { return };
        let change = match wait::take_change(life.process.as_fd()) {
            Ok(Some(change)) => change,
            Ok(None) => return,
            // Somebody else took the end: all that is known is that there was one.
            Err(_) => Change::Killed { signal: 0, core: false, usage: Default::default() },
        };
        let Some(exit) = self.note_death(berth, change) else { return };
        for _ in 0..LAST_REPORTS {
            if !(self.take_report(berth) || self.take_notice(berth)) {
                break;
            }
        }
        let Some(life) = &mut self.children.at_mut(berth).life else { return };
        let (of, failed_start) = (life.of, life.failed_start);
        life.reaped = true;
        let snapshot = life.snapshot.take();
        if let Some(line) = life.line.take() {
            let _ = self.poller.remove(line.socket());
        }
        let _ = self.poller.remove(&life.process);
        snapshot.iter().for_each(|snapshot| self.unwatch(snapshot));
        match failed_start {
            Some(errno) => self.fail_start(of, errno),
            None => self.events.push_back(Event::Exited { of, exit }),
        }
        self.reap_orphans();
    }

    /// Looks whether a tree that is being killed is gone.
    pub(super) fn take_tree(&mut self, berth: Berth) {
        let Some(life) = &mut self.children.at_mut(berth).life else { return };
        let Some(tree) = life.tree.take() else { return };
        let (of, reaped) = (life.of, life.reaped);
        self.unwatch(&tree);
        drop(tree);
        let is_empty = self.launcher.is_empty(berth);
        self.reap_orphans();
        match is_empty {
            Ok(true) if reaped => self.emptied(of),
            // The leader's own descriptor tells of its end.
            Ok(true) => {}
            Ok(false) => self.kill_tree(of),
            Err(error) => self.complain(of, &error),
        }
    }

    pub(super) fn emptied(&mut self, of: Incarnation) {
        self.clear_berth(of);
        self.state.lives.due.get_or_insert(self.now());
        self.events.push_back(Event::Emptied { of, chance: small_number() });
    }

    fn fail_start(&mut self, of: Incarnation, errno: i32) {
        self.clear_berth(of);
        self.events.push_back(Event::SpawnFailed { of, step: 0, errno, chance: small_number() });
    }

    fn clear_berth(&mut self, of: Incarnation) {
        let Some(berth) = self.children.find(of) else { return };
        self.close_output(berth);
        self.launcher.abandon(berth);
        self.connections.take_back(berth);
        self.children.at_mut(berth).life = None;
        self.children.leave(of);
        self.store.kept.forget((of.child, Some(of.generation)));
        let present = self.incarnation(of.child);
        if berth.is_second && !self.roster.seat(of.child).worker.has_spare() {
            self.vacate(berth);
            self.guard();
        } else if present != of {
            // Who was to take another's place and did not leaves no other build behind.
            self.share_build(present);
        }
    }

    /// Orders that a worker be killed for what it did.
    pub(super) fn condemn(&mut self, of: Incarnation, cause: Cause) {
        if let Some(berth) = self.life(of).map(|life| life.berth) {
            self.events.push_back(Event::Violated(of));
            self.children.at_mut(berth).doom.get_or_insert(cause);
        }
    }

    /// Sends an order; a worker that does not read its orders is killed.
    pub(super) fn order(&mut self, of: Incarnation, order: ToWorker, fd: Option<OwnedFd>) {
        let Some(life) = self.life(of) else { return };
        let berth = life.berth;
        let Some(line) = &mut life.line else { return };
        match line.send(order, fd) {
            Ok(()) => self.flush_line(berth),
            Err(error) => self.convict(of, &error),
        }
    }

    /// Sends what waits for a worker, as far as its socket takes it.
    pub(super) fn flush_line(&mut self, berth: Berth) {
        let now = self.now();
        let Some(life) = &mut self.children.at_mut(berth).life else { return };
        let Some(line) = &mut life.line else { return };
        let flushed = line.flush();
        if flushed == Flushed::Later {
            self.retry_at = Some(self.retry_at.unwrap_or(now + ROOM_RETRY));
        }
        let (readable, writable) = (!self.hearings.waits(berth), flushed == Flushed::WhenWritable);
        let interest = Interest { readable, writable, ..Interest::default() };
        if interest != life.interest {
            life.interest = interest;
            let _ = self.poller.change(line.socket(), Token::Line(berth).to_u64(), interest);
        }
    }

    pub(super) fn life(&mut self, of: Incarnation) -> Option<&mut Life> {
        let berth = self.children.find(of)?;
        self.children.at_mut(berth).life.as_mut()
    }

    /// Returns every life of which something is left.
    pub(super) fn lives(&self) -> impl Iterator<Item = &Life> {
        self.children.iter().filter_map(|place| place.life.as_ref())
    }

    /// Says what went wrong with one worker; one that does wrong without end is not listened to at that rate.
    pub(super) fn complain(&mut self, of: Incarnation, error: &dyn std::fmt::Display) {
        let now = self.now();
        let place = self.child(of.child);
        if !place.complaints.spend(1, now) {
            return;
        }
        let unsaid = place.complaints.take_untold();
        let unsaid = unsaid.map(|count| format!(" (and {count} complaints that were not written)"));
        let unsaid = unsaid.unwrap_or_default();
        let text = format!("{}: {error}{unsaid}", self.name(of));
        self.warn(&text);
    }
}
