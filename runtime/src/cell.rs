//! A local actor as others see it: its name, its queue and those who watch it. It outlives every incarnation.

use std::mem;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::ThreadId;

use bailiwick_wire::schema::ProtocolSchema;

use crate::address::{Address, WatchId};
use crate::chain::{Waiting, id_of};
use crate::dropped::Dropped;
use crate::envelope::Envelope;
use crate::family::Family;
use crate::mailbox::Mailbox;
use crate::name::ActorName;
use crate::node::Shared;
use crate::outcome::{Cause, NotDelivered};
use crate::outlet::{Accepted, Notify, Outlet, Refused, Room};
use crate::queue::Queue;
use crate::signal::{Down, Signal};
use crate::store::{Pack, owning};
use crate::tally::Tally;
use crate::ticket::Ticket;

/// The lasting part of a local actor.
pub(crate) struct Cell {
    pub(crate) node: Arc<Shared>,
    path: Box<str>,
    generation: AtomicU32,
    pub(crate) queue: Queue,
    /// What is counted of all actors of its type.
    tally: Arc<Tally>,
    /// Messages that it has begun with, up to when it last had nothing else to do.
    handled: AtomicU64,
    /// Made at the first use, for most actors are watched by nobody and ask nobody.
    seldom: OnceLock<Box<Seldom>>,
    /// The thread on which the actor lives, known once it does.
    thread: OnceLock<ThreadId>,
    kind: Kind,
    this: std::sync::Weak<Self>,
}

/// What only some actors have.
#[derive(Default)]
struct Seldom {
    watchers: Mutex<Watchers>,
    /// How chains of asks name it, made when the first nested ask needs it.
    waiting: OnceLock<Waiting>,
    /// The children of the present incarnation.
    children: Mutex<std::sync::Weak<Family>>,
}

/// What it is the lasting part of.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Actor,
    /// An actor whose unread messages are left to the next life of its worker.
    HandsOff,
    /// The runtime's own, which looks at the others: what it does is no work of the worker's.
    Observer,
    /// No actor: a main function.
    Main,
}

#[derive(Default)]
struct Watchers {
    watches: Vec<(WatchId, Notify)>,
    /// Called once at the end.
    finale: Vec<Box<dyn FnOnce() + Send>>,
    ended: Option<Cause>,
}

impl Cell {
    /// Makes the cell of an actor of this type.
    pub(crate) fn new(node: Arc<Shared>, path: &str, type_name: &'static str, bounds: Mailbox) -> Arc<Self> {
        let tally = node.tallies.of(type_name);
        Self::build(node, path, (tally, bounds), Kind::Actor)
    }

    /// Makes the cell of an actor that leaves what is unread to the next life of its worker.
    pub(crate) fn handing_off(
        node: Arc<Shared>,
        path: &str,
        type_name: &'static str,
        bounds: Mailbox,
    ) -> Arc<Self> {
        let tally = node.tallies.of(type_name);
        Self::build(node, path, (tally, bounds), Kind::HandsOff)
    }

    /// Makes the cell of the actor that looks at the others, and is not counted among them.
    pub(crate) fn observer(node: Arc<Shared>, path: &str) -> Arc<Self> {
        Self::build(node, path, (Arc::default(), Mailbox::default()), Kind::Observer)
    }

    /// Makes the cell of a main function: it receives the ends of what is watched, and no messages.
    pub(crate) fn main(node: Arc<Shared>) -> Arc<Self> {
        Self::build(node, "main", (Arc::default(), Mailbox::default()), Kind::Main)
    }

    fn build(node: Arc<Shared>, path: &str, (tally, bounds): (Arc<Tally>, Mailbox), kind: Kind) -> Arc<Self> {
        Arc::new_cyclic(|this| Self {
            node,
            path: path.into(),
            generation: AtomicU32::new(0),
            queue: Queue::new(bounds),
            tally,
            handled: AtomicU64::new(0),
            seldom: OnceLock::new(),
            thread: OnceLock::new(),
            kind,
            this: this.clone(),
        })
    }

    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    pub(crate) fn is_main(&self) -> bool {
        self.kind == Kind::Main
    }

    /// Tells whether it looks at the others, and is none of them.
    pub(crate) fn is_observer(&self) -> bool {
        self.kind == Kind::Observer
    }

    /// Returns what is counted of all actors of its type.
    pub(crate) fn tally(&self) -> &Arc<Tally> {
        &self.tally
    }

    /// Returns how many messages it has begun with, up to when it last had nothing else to do.
    pub(crate) fn handled(&self) -> u64 {
        self.handled.load(Ordering::Relaxed)
    }

    /// Counts messages that it has begun with.
    pub(crate) fn has_handled(&self, messages: u64) {
        // Nobody else writes it, so nothing is lost between the two.
        self.handled.store(self.handled() + messages, Ordering::Relaxed);
        self.tally.handled().add(messages);
    }

    /// Notes the children of the present incarnation.
    pub(crate) fn has_children(&self, children: &Arc<Family>) {
        let mut known = self.seldom().children.lock().unwrap_or_else(PoisonError::into_inner);
        *known = Arc::downgrade(children);
    }

    /// Returns the children of the present incarnation, if there ever was one.
    pub(crate) fn children(&self) -> Option<Arc<Family>> {
        self.seldom.get()?.children.lock().unwrap_or_else(PoisonError::into_inner).upgrade()
    }

    pub(crate) fn generation(&self) -> u32 {
        self.generation.load(Ordering::Relaxed)
    }

    /// Returns how chains of asks name it.
    pub(crate) fn waiting(&self) -> &Waiting {
        self.seldom().waiting.get_or_init(|| {
            let name = ActorName::new(&self.node.worker, self.node.instance, &self.path, None).to_string();
            Waiting { id: id_of(&name), name: Some(name.into()) }
        })
    }

    /// Returns the thread on which the actor lives.
    pub(crate) fn thread(&self) -> Option<ThreadId> {
        self.thread.get().copied()
    }

    /// Starts the next incarnation, on the calling thread. Returns its number.
    pub(crate) fn begin(&self) -> u32 {
        // Every incarnation lives where the first one did, so only the first call says where.
        let _ = self.thread.set(std::thread::current().id());
        crate::progress::forget_name();
        let before = self.generation.fetch_add(1, Ordering::Relaxed);
        if before == 0 {
            self.tally.spawned().add(1);
        }
        before + 1
    }

    /// Tells all who watch that the incarnation has ended.
    pub(crate) fn incarnation_ended(&self, cause: &Cause) {
        let watches = self.watchers().map(|mut watchers| mem::take(&mut watchers.watches));
        for (_, notify) in watches.into_iter().flatten() {
            notify(self.down(cause.clone()));
        }
    }

    /// Brings the actor back after its end, because its siblings start anew.
    pub(crate) fn revive(&self) {
        self.watchers_made().ended = None;
        // Who never began is counted when it does.
        self.tally.spawned().add((self.generation() > 0).into());
        self.queue.open();
    }

    /// Ends the actor: what waits and what comes is not delivered.
    pub(crate) fn end(&self, cause: &Cause) {
        let reason = NotDelivered::Ended { cause: cause.brief() };
        let (queued, parked) = self.queue.close(reason.clone());
        // Whoever stands in line with a message of this process has it still. One that came over a link was taken off its sender.
        let (taken, parked): (Vec<_>, Vec<_>) = parked.into_iter().partition(|one| one.credit.is_some());
        for envelope in queued.into_iter().chain(taken) {
            if let Err(envelope) = self.hand_off(envelope) {
                self.lose(envelope, reason.clone());
            }
        }
        parked.into_iter().for_each(|envelope| self.lose(envelope, reason.clone()));
        let (watches, finale) = {
            let mut watchers = self.watchers_made();
            let watchers = &mut *watchers;
            let was_there = self.generation() > 0 && watchers.ended.is_none();
            self.tally.ended().add(was_there.into());
            watchers.ended = Some(cause.clone());
            (mem::take(&mut watchers.watches), mem::take(&mut watchers.finale))
        };
        for (_, notify) in watches {
            notify(self.down(cause.clone()));
        }
        for finale in finale {
            finale();
        }
    }

    /// Leaves a message to the next life of the worker; gives it back if that cannot be.
    fn hand_off(&self, envelope: Box<Envelope>) -> Result<(), Box<Envelope>> {
        match self.kind {
            Kind::HandsOff => self.node.handoff.leave(&self.path, envelope),
            Kind::Actor | Kind::Observer | Kind::Main => Err(envelope),
        }
    }

    /// Calls `finale` once the actor has ended for good; at once if it has.
    pub(crate) fn at_end(&self, finale: Box<dyn FnOnce() + Send>) {
        let mut watchers = self.watchers_made();
        if watchers.ended.is_none() {
            watchers.finale.push(finale);
        } else {
            drop(watchers);
            finale();
        }
    }

    /// Records a message that was taken and is not handled, and tells its asker.
    pub(crate) fn lose(&self, envelope: Box<Envelope>, reason: NotDelivered) {
        self.node.dead_letters.record(&self.name(), envelope.protocol, envelope.method, &reason);
        envelope.refuse(reason);
    }

    /// Puts messages that came over a link into the mailbox. Their room was lent to the sender; where others filled the
    /// mailbox meanwhile a message stands in line, and where nobody may stand in line it is a dead letter.
    pub(crate) fn store<'a>(&self, mut arrivals: impl Iterator<Item = (&'a [u8], impl Pack)>) {
        let mut dropped = Dropped::default();
        loop {
            let misfit = self.queue.store(&mut arrivals, &mut dropped);
            let is_over = misfit.is_none() && !dropped.is_full();
            if !dropped.is_empty() {
                self.queue.recycle(dropped.settle(self));
            }
            if let Some((bytes, pack)) = misfit
                && let Err(refused) = self.offer(owning(*pack(None), bytes), Room::Wait)
            {
                self.lose(refused.envelope, refused.reason);
            }
            if is_over {
                return;
            }
        }
    }

    /// Records messages for one method that came together and that the policy dropped.
    pub(crate) fn count_dropped(&self, protocol: &'static ProtocolSchema, method: u16, messages: u64) {
        let letters = &self.node.dead_letters;
        letters.record_all(&self.name(), protocol, method, &NotDelivered::Dropped, messages);
    }

    /// Returns whether no further incarnation will come.
    pub(crate) fn is_ended(&self) -> bool {
        self.watchers().is_some_and(|watchers| watchers.ended.is_some())
    }

    /// Returns why no further incarnation will come.
    pub(crate) fn ended(&self) -> Option<Cause> {
        self.watchers()?.ended.clone()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        self.queue.signal(signal);
    }

    fn down(&self, cause: Cause) -> Down {
        Down { address: Address::local(self.strong()), generation: self.generation(), cause }
    }

    fn strong(&self) -> Arc<Self> {
        self.this.upgrade().expect("whoever calls a method of the cell holds it")
    }

    fn seldom(&self) -> &Seldom {
        self.seldom.get_or_init(Box::default)
    }

    /// Returns those who watch, as far as there was ever one, or an end.
    fn watchers(&self) -> Option<MutexGuard<'_, Watchers>> {
        self.seldom.get().map(|seldom| seldom.watchers.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn watchers_made(&self) -> MutexGuard<'_, Watchers> {
        self.seldom().watchers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Outlet for Cell {
    fn name(&self) -> ActorName {
        let generation = Some(self.generation()).filter(|number| *number > 0);
        ActorName::new(&self.node.worker, self.node.instance, &self.path, generation)
    }

    fn id(&self) -> u64 {
        self.waiting().id
    }

    fn offer(&self, envelope: Box<Envelope>, room: Room) -> Result<Accepted, Box<Refused>> {
        self.queue.offer(envelope, room, |dropped| self.lose(dropped, NotDelivered::Dropped))
    }

    fn withdraw(&self, ticket: &Ticket) {
        self.queue.withdraw(ticket);
    }

    fn watch(&self, id: WatchId, notify: Notify) {
        let mut watchers = self.watchers_made();
        match &watchers.ended {
            None => watchers.watches.push((id, notify)),
            Some(cause) => {
                let cause = cause.clone();
                drop(watchers);
                notify(self.down(cause));
            }
        }
    }

    fn unwatch(&self, id: WatchId) {
        let Some(mut watchers) = self.watchers() else { return };
        let at = watchers.watches.iter().position(|(known, _)| *known == id);
        let forgotten = at.map(|at| watchers.watches.swap_remove(at));
        drop(watchers);
        drop(forgotten);
    }
}
