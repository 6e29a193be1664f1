//! The one loop of the supervisor: waits, tells the machine what happened, does what it orders.
//!
//! One thread, never blocked: every wait is in one place, every send may fail, everything that a
//! worker can make happen is done once per turn of the loop. Decisions are in
//! [`bailiwick_core::tree`]; this file and those below it carry them out.

mod child;
mod crash;
mod foreign;
mod good_citizen;
mod happenings;
mod life;
mod links;
mod lives;
mod orders;
mod outward;
mod perform;
mod reload;
mod reports;
mod start;
mod status;
mod watch;

use std::collections::VecDeque;
use std::os::fd::{AsFd, OwnedFd};
use std::process::ExitCode;
use std::time::Duration;

use bailiwick_core::allowance::Allowance;
use bailiwick_core::berth::Berth;
use bailiwick_core::hearing::Hearings;
use bailiwick_core::moves::Moves;
use bailiwick_core::reopening::{self, Reopenings};
use bailiwick_core::shelf::Shelf;
use bailiwick_core::time::Instant;
use bailiwick_core::tree::{Agenda, ChildId, Event, Incarnation, Outcome, Tree};
use bailiwick_sys::Failed;
use bailiwick_sys::events::{Interest, Poller, Signal, Signals, Timer, Woken, monotonic_ns, wall};
use bailiwick_sys::notify::Superior;
use bailiwick_sys::replacements::Replacements;
use bailiwick_sys::wait;
use bailiwick_sys::witness::Witness;
use bailiwick_wire::crash::Moment;
use bailiwick_wire::log::{Format, Priority};

use crate::broker::Broker;
use crate::control::{Connections, Events, ReloadMode};
use crate::digests::Digests;
use crate::logs::Journal;
use crate::manifest::Origin;
use crate::roster::Roster;
use crate::spawn::Launcher;
use crate::spec::System;
use crate::state_dir::StateDir;
use crate::store::Store;

use bailiwick_core::token::Token;
use child::{Child, Children};
use orders::PendingOrder;
use reload::Reload;

/// Events that one wait reports; whoever is not among them is among the next.
const BATCH: usize = 64;

/// Processes that are started before others are heard: hundreds of them take seconds.
const STARTS: usize = 4;

/// How soon a send is tried again for which the kernel had no room.
const ROOM_RETRY: Duration = Duration::from_millis(50);

/// How long a reload by SIGHUP may take.
const RELOAD_LIMIT: Duration = Duration::from_secs(60);

/// How soon a stream that people read is looked at again when it is full, in milliseconds.
const SINK_RETRY_MS: u32 = 20;

/// What the caller of [`supervise`] decides, beside what is to be supervised.
#[derive(Debug, Default)]
pub struct Options {
    /// Receives one line as soon as every worker that stays is ready, and is closed.
    pub ready: Option<OwnedFd>,
    /// Where the manifest is read again when a reload is ordered; `None` for a system that has none.
    pub manifest: Option<Origin>,
    /// The state directory belongs to this run alone and is removed at its end.
    pub private_state_dir: bool,
    /// In which form it is written what workers print and what the supervisor says.
    pub log_format: Format,
}

/// Runs `system` until it is told to stop or gives up, and returns the exit code: 0 after an
/// ordered stop, 1 if a [`Main`](crate::spec::Kind::Main) failed, 3 if the system gave up,
/// 69 if this machine lacks a floor of a sandbox, 75 if another supervisor holds the state
/// directory, 78 if the state directory or the system is not acceptable.
///
/// Blocks. Must be called from the process's first and only thread.
pub fn supervise(system: System, options: Options) -> ExitCode {
    start::run(system, options)
}

/// Everything that the loop owns.
struct Daemon {
    system: System,
    roster: Roster,
    tree: Tree,
    broker: Broker,
    store: Store,
    children: Children,
    launcher: Launcher,
    digests: Digests,
    /// `None` where the kernel has no more of these.
    replacements: Option<Replacements<Berth>>,
    connections: Connections,
    orders: Vec<PendingOrder>,
    /// What those are told who ask what happened.
    happened: Events,
    moves: Moves,
    hearings: Hearings,
    origin: Option<Origin>,
    reload: Option<Reload>,
    /// How many reloads may still be begun.
    reloads: Allowance,
    /// Reports of deaths, as they travel.
    crashes: Shelf,
    /// What happened and was not told to the machine yet.
    events: VecDeque<Event>,
    /// What the machine has ordered and was not done yet.
    agenda: Agenda,
    /// Links that are to be made once the kernel has room for them.
    missing_links: Vec<(Incarnation, Incarnation)>,
    /// Links that are to be made anew after a violation.
    reopenings: Reopenings,
    poller: Poller,
    signals: Signals,
    timer: Timer,
    /// When sends are tried again for which the kernel had no room.
    retry_at: Option<Instant>,
    journal: Journal,
    ready: Option<OwnedFd>,
    started_at: Instant,
    /// `None` where nothing tells of processes.
    witness: Option<Witness>,
    last_signal: Option<Signal>,
    left: Option<Outcome>,
    /// Who is told how everything gets on, if somebody started this who wants to know.
    superior: Option<Superior>,
    /// A terminal controls this, whose end is a reason to stop.
    has_terminal: bool,
    state: StateDir,
}

impl Daemon {
    /// Runs until the machine says that nothing is left to supervise.
    fn run(&mut self) -> Result<Outcome, Failed> {
        self.events.push_back(Event::Boot);
        loop {
            self.settle();
            self.write_lives();
            if let Some(outcome) = self.left {
                return Ok(outcome);
            }
            self.timer.set(self.next_wake().map(Instant::as_nanos))?;
            let timeout_ms = self.journal.flush().then_some(SINK_RETRY_MS);
            let timeout_ms = if self.agenda.has_starts() { Some(0) } else { timeout_ms };
            let woken: Vec<Woken> = self.poller.wait(timeout_ms)?.collect();
            for woken in woken {
                self.wake(woken);
            }
        }
    }

    /// Tells the machine what happened, and carries out what follows, until nothing does, or so much was started that
    /// others should be heard first.
    fn settle(&mut self) {
        let mut begun = 0;
        loop {
            while let Some(action) = self.agenda.next_due() {
                self.perform(action);
            }
            self.note_moves();
            if let Some(event) = self.events.pop_front() {
                let now = self.now();
                self.agenda.add(|actions| self.tree.handle(now, event, actions));
            } else if begun == STARTS && self.agenda.has_starts() {
                return self.answer_orders();
            } else if let Some(start) = self.agenda.next_start() {
                begun += 1;
                self.perform(start);
            } else {
                break;
            }
        }
        self.forget_departed();
        self.answer_orders();
        self.settle_reload();
        self.tell_ready();
        self.tell_superior();
    }

    fn wake(&mut self, woken: Woken) {
        match Token::from_u64(woken.token) {
            Some(Token::Signals) => self.take_signals(),
            Some(Token::Timer) => self.take_time(),
            Some(Token::Listener) => self.accept(),
            Some(Token::Connection(id)) => self.serve(id),
            // Of one that is gone everything is heard.
            Some(Token::Line(berth) | Token::Notice(berth)) if !woken.closed && self.is_too_much(berth) => {}
            Some(Token::Line(berth)) => self.hear(berth, |daemon| _ = daemon.take_report(berth)),
            Some(Token::Start(berth)) => self.take_start(berth),
            Some(Token::Output(berth)) => self.hear(berth, |daemon| daemon.take_output(berth)),
            Some(Token::Process(berth)) => self.take_end(berth),
            Some(Token::Tree(berth)) => self.take_tree(berth),
            Some(Token::Snapshot(berth)) => self.take_snapshot(berth),
            Some(Token::Notice(berth)) => self.hear(berth, |daemon| _ = daemon.take_notice(berth)),
            Some(Token::Manifest) => self.take_manifest(),
            Some(Token::Replacements) => self.take_replacements(),
            Some(Token::Digest(number)) => {
                self.digests.take(number).iter().for_each(|over| self.unwatch(over))
            }
            None => {}
        }
    }

    fn now(&self) -> Instant {
        Instant::from_nanos(monotonic_ns())
    }

    /// Returns the present moment on both clocks.
    fn moment(&self) -> Moment {
        Moment { wall: wall(), monotonic_ns: monotonic_ns() }
    }

    /// Returns when the loop has something to do even if nothing happens.
    fn next_wake(&self) -> Option<Instant> {
        let orders = self.orders.iter().map(PendingOrder::until);
        let superior = self.superior.as_ref().and_then(Superior::deadline).map(Instant::from_nanos);
        let reload = self.reload.iter().filter_map(|reload| reload.until);
        orders
            .chain(superior)
            .chain(reload)
            .chain(self.tree.deadline())
            .chain(self.reopenings.deadline())
            .chain(self.moves.deadline())
            .chain(self.hearings.deadline())
            .chain(self.retry_at)
            .chain(self.state.lives.due)
            .min()
    }

    fn take_time(&mut self) {
        self.timer.acknowledge();
        // As long as starts are due it is the supervisor that is late, and nobody it waits for.
        self.events.extend((!self.agenda.has_starts()).then_some(Event::Tick));
        self.relink(reopening::Event::Tick);
        self.hearings.resume(self.now()).into_iter().for_each(|berth| self.listen(berth));
        if self.retry_at.is_some_and(|at| at <= self.now()) {
            self.retry_at = None;
            self.link_missing();
            self.roster.children().flat_map(Berth::both).for_each(|berth| self.flush_line(berth));
        }
    }

    fn take_signals(&mut self) {
        while let Ok(Some((signal, _))) = self.signals.next() {
            match signal {
                Signal::SIGCHLD => {
                    self.take_stops();
                    self.reap_orphans();
                }
                Signal::SIGTERM | Signal::SIGINT => self.stop_by(signal, Event::ShutDown),
                Signal::SIGQUIT => self.stop_by(signal, Event::Kill),
                Signal::SIGUSR1 => self.listen_anew(),
                Signal::SIGHUP if self.has_terminal => self.stop_by(signal, Event::ShutDown),
                Signal::SIGHUP => self.begin_reload((None, ReloadMode::Narrow), self.now() + RELOAD_LIMIT),
                _ => {}
            }
        }
    }

    fn stop_by(&mut self, signal: Signal, event: Event) {
        self.say(signal.as_str());
        self.last_signal = Some(signal);
        self.events.push_back(event);
    }

    /// Takes the ends of descendants whose own parents are gone, so that none stays a zombie. Those behind a child of
    /// our own wait until its end is taken, hence this is called after that too.
    pub(super) fn reap_orphans(&mut self) {
        // The number of one that was taken may be somebody else's by now.
        let known: Vec<i32> = self.lives().filter(|life| !life.reaped).map(|life| life.pid).collect();
        match wait::reap_orphans(|pid| known.contains(&pid) || self.launcher.knows(pid)) {
            Ok(count) => self.happened.tally.orphans += count as u64,
            Err(error) => self.say(&format!("orphans: {error}")),
        }
        if let Err(error) = self.launcher.tend() {
            self.say(&format!("guardian: {error}"));
        }
    }

    fn take_output(&mut self, berth: Berth) {
        let at = self.moment();
        if !self.children.at_mut(berth).output.drain(at, &mut self.journal) {
            self.close_output(berth);
        }
    }

    /// Passes on the rest of what a worker printed.
    fn close_output(&mut self, berth: Berth) {
        let at = self.moment();
        if let Some(pipe) = self.children.at_mut(berth).output.close(at, &mut self.journal) {
            self.unwatch(&pipe);
        }
    }

    /// Says once that every worker is ready, or done if it is to be.
    fn tell_ready(&mut self) {
        if let Some(ready) = self.ready.take_if(|_| self.tree.is_up()) {
            // Closing it says as much to whoever does not read.
            let _ = nix::unistd::write(&ready, b"ready\n");
        }
    }

    fn watch(&self, fd: impl AsFd, token: Token, interest: Interest) -> Result<(), Failed> {
        self.poller.add(fd, token.to_u64(), interest)
    }

    /// Ends a watch before its descriptor is closed: a process that is being started may hold a copy, which would keep
    /// it alive. What is not watched needs no end.
    fn unwatch(&self, fd: impl AsFd) {
        let _ = self.poller.remove(fd);
    }

    /// Says one line to the person who runs this.
    fn say(&mut self, text: &str) {
        self.journal.say(self.moment(), Priority::Info, text);
    }

    /// Says one line that this person should look at.
    fn warn(&mut self, text: &str) {
        self.journal.say(self.moment(), Priority::Warning, text);
    }

    fn child(&mut self, child: ChildId) -> &mut Child {
        self.children.child_mut(child)
    }

    /// Returns the present or last life of a child.
    fn incarnation(&self, child: ChildId) -> Incarnation {
        self.tree.child(child).map_or(Incarnation { child, generation: 0 }, |known| known.incarnation())
    }

    /// Returns what people call a life.
    fn name(&self, of: Incarnation) -> String {
        format!("{}#{}", self.roster.seat(of.child).title, of.generation)
    }
}
