//! One peer: the link machine, what is kept for it, and the one way to give it an event.
//!
//! Everything that one worker has with another goes through [`Peer::turn`]: the state is locked, the machine
//! takes an event, its actions are carried out on the state, and what concerns others (mailboxes, askers,
//! watchers) is done after the lock is released, because it may run anybody's code. The lock is never held
//! while an actor's code runs, and the machine is never asked from two threads at once.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};

use bailiwick_core::asks::Ticket as SendId;
use bailiwick_core::credit::{Grant, Size};
use bailiwick_core::link::{Action, Config, Event, ExportId, ImportId, Link, Page};
use bailiwick_core::time;
use bailiwick_wire::Limits;
use bailiwick_wire::audit::Evidence;
use bailiwick_wire::codec::EncodeError;
use bailiwick_wire::control::ToSupervisor;
use bailiwick_wire::descriptors::{Came, Outgoing};
use bailiwick_wire::frame::{Extensions, Header};
use bailiwick_wire::reason::NotDelivered;
use bailiwick_wire::schema::ProtocolSchema;
use futures::task::AtomicWaker;
use tokio::time::Instant;

use super::effect::{self, Effect, Effects};
use super::exports::Exported;
use super::frames::Words;
use super::handlers::Handlers;
use super::imports::Imported;
use super::outbox::Outbox;
use super::pages::Pages;
use super::reasons::PeerState;
use super::sends::{Kept, Parcel, Sending, Sent};
use super::transport::Sink;
use crate::address::WatchId;
use crate::blob::{self, Loans};
use crate::cell::Cell;
use crate::dead_letters::DeadLetters;
use crate::envelope::{CreditSink, Envelope};
use crate::introspect::LinkState;
use crate::meeting::AnsweringLink;
use crate::name::ActorName;
use crate::node::Shared;
use crate::outlet::Notify;

/// Another worker's instance, as this worker deals with it over all its incarnations.
pub(crate) struct Peer {
    pub(super) number: u16,
    pub(super) worker: String,
    /// Its instance, if its worker has several.
    pub(super) instance: Option<u16>,
    /// It starts when it is wanted.
    on_demand: bool,
    /// The link to the other of the peer's two lives, once there is one: what may be used once counts for both.
    twin: OnceLock<Weak<Peer>>,
    /// Where dead letters are counted. The node holds its peers, and not the reverse.
    node: OnceLock<Weak<Shared>>,
    report: Report,
    /// The origin of the machine's clock.
    origin: Instant,
    state: Mutex<State>,
    /// Wakes who writes.
    pub(super) writer: AtomicWaker,
    /// Wakes who waits for everything to be written, or read.
    pub(super) emptied: tokio::sync::Notify,
    this: Weak<Self>,
}

/// Tells the supervisor what an incarnation of a peer did.
pub(crate) type Report = Arc<dyn Fn(&ToSupervisor) + Send + Sync>;

/// What the lock guards.
pub(super) struct State {
    pub(super) link: Link,
    /// What encoding and decoding may cost.
    pub(super) limits: Limits,
    actions: Vec<Action>,
    /// A buffer to encode into, between two uses.
    spare: Vec<u8>,
    /// The time as it was read last; see [`Turn::read_clock`].
    pub(super) now: time::Instant,
    pub(super) outbox: Outbox,
    pub(super) transport: Option<Transport>,
    /// The task that writes is woken and has not had its turn yet, or is about to write anyway.
    pub(super) writer_is_woken: bool,
    /// Frames that left over the present transport.
    pub(super) written: u64,
    /// What came and left over all transports, but for what `written` says.
    pub(super) traffic: Traffic,
    /// What lasts at the peer is reached over this link: see [`Sides`](super::sides::Sides).
    pub(super) is_routed: bool,
    /// Counts the transports, so that a task knows whether it still serves the present one.
    serial: u32,
    /// The supervisor was told that the peer is wanted.
    was_wanted: bool,
    /// What the supervisor said last.
    pub(super) peer: PeerState,
    /// What the two sides disagreed about last, for people.
    pub(super) refusal: String,
    pub(super) exports: Vec<Option<Exported>>,
    pub(super) imports: Vec<Option<Imported>>,
    pub(super) sends: Vec<Sending>,
    pub(super) handlers: Handlers,
    pub(super) watches: BTreeMap<u64, Watching>,
    pub(super) watched: BTreeMap<u64, (Arc<Cell>, WatchId)>,
}

/// What has passed over the links to a peer.
#[derive(Default)]
pub(super) struct Traffic {
    /// Frames that left over transports before the present one.
    pub(super) written_before: u64,
    pub(super) received: u64,
    pub(super) received_bytes: u64,
}

/// The transport as the machine and its task share it.
pub(super) struct Transport {
    pub(super) serial: u32,
    pub(super) sink: Sink,
    pub(super) pages: Pages,
    /// The peer is dead: read until nothing is left.
    pub(super) dying: bool,
}

/// Someone who waits for the end of one of the peer's actors.
pub(super) struct Watching {
    pub(super) notify: Notify,
    pub(super) address: crate::Address,
}

/// What is at hand while the machine takes one event: the payload or the words that the event is about.
#[derive(Default)]
pub(super) struct Hand<'a> {
    /// The message that a local actor sends.
    pub(super) sent: Option<Sent>,
    /// The reply or item that a handler gives.
    pub(super) answer: Option<Parcel>,
    /// What goes with a frame of the runtime's own, out or in.
    pub(super) words: Words,
    /// The frame that arrived.
    pub(super) arrived: Option<Arrived<'a>>,
    /// How the packet began that is none.
    pub(super) no_frame: &'a [u8],
    /// What is another life's from here on: messages that waited, and watches.
    pub(super) handed_back: Vec<(ImportId, Box<Kept>)>,
    pub(super) watches_back: Vec<(ImportId, u64, Watching)>,
}

/// What came with the frame that arrived.
pub(super) struct Arrived<'a> {
    pub(super) header: Header,
    pub(super) payload: &'a [u8],
    pub(super) fds: Vec<Came>,
    /// Some of its descriptors did not fit into this process's table.
    pub(super) fds_lost: bool,
    pub(super) extensions: Extensions,
    pub(super) size: Size,
}

impl Hand<'_> {
    /// Returns what is known of the frame that the event is about.
    pub(super) fn evidence(&self) -> Evidence {
        match &self.arrived {
            Some(arrived) => Evidence::of(&arrived.header.to_bytes(), arrived.payload),
            None if self.no_frame.is_empty() => Evidence::default(),
            None => Evidence::of(self.no_frame, self.no_frame),
        }
    }
}

/// The locked state with what is to be done after the lock.
pub(super) struct Turn<'a> {
    pub(super) peer: &'a Peer,
    pub(super) state: &'a mut State,
    pub(super) effects: &'a mut Effects,
}

impl State {
    /// Returns what is lent over the present transport.
    pub(super) fn loans(&self) -> Option<&Arc<Loans>> {
        self.transport.as_ref().and_then(|transport| transport.sink.loans())
    }

    /// Tells whether the peer should not be read before it has read what it is owed.
    pub(super) fn owes_too_much(&self) -> bool {
        self.outbox.owes_too_much(self.link.outstanding() > 0)
    }
}

impl Peer {
    /// Makes a peer that is not linked yet; messages go to it, or to another life of it.
    pub(super) fn new(
        who: Who,
        is_routed: bool,
        config: Config,
        limits: Limits,
        report: Report,
    ) -> Arc<Self> {
        let state = State {
            link: Link::new(config),
            limits,
            actions: Vec::new(),
            spare: Vec::new(),
            now: time::Instant::START,
            outbox: Outbox::default(),
            transport: None,
            writer_is_woken: false,
            written: 0,
            traffic: Traffic::default(),
            is_routed,
            serial: 0,
            was_wanted: false,
            peer: PeerState::default(),
            refusal: String::new(),
            exports: Vec::new(),
            imports: Vec::new(),
            sends: Vec::new(),
            handlers: Handlers::default(),
            watches: BTreeMap::new(),
            watched: BTreeMap::new(),
        };
        let Who { number, worker, instance, on_demand } = who;
        Arc::new_cyclic(|this| Self {
            number,
            worker,
            instance,
            on_demand,
            twin: OnceLock::new(),
            node: OnceLock::new(),
            report,
            origin: Instant::now(),
            state: Mutex::new(state),
            writer: AtomicWaker::new(),
            emptied: tokio::sync::Notify::new(),
            this: this.clone(),
        })
    }

    /// Has encoding and decoding cost something else at most, from the next payload on.
    pub(super) fn bound(&self, limits: Limits) {
        let mut state = self.lock();
        state.limits = limits;
        state.link.bound(limits.frame_bytes);
    }

    /// Takes an empty buffer to encode into, and what that may cost. To be given back by [`Turn::recycle`].
    pub(super) fn encoder(&self) -> (Vec<u8>, Limits) {
        let mut state = self.lock();
        (std::mem::take(&mut state.spare), state.limits)
    }

    /// Decides in which memory large payloads beside a message go over the present transport, or the next.
    pub(super) fn decide(&self, beside: &mut Outgoing) -> Result<(), Box<EncodeError>> {
        if beside.descriptors().is_empty() {
            return Ok(());
        }
        let loans = self.lock().loans().map(Arc::clone);
        blob::decide(beside, loans.as_ref()).map_err(blob::undecided)
    }

    /// Locks the state, lets `act` give the machine events, and then does what concerns others.
    pub(super) fn turn<R>(&self, act: impl FnOnce(&mut Turn<'_>) -> R) -> R {
        let mut effects = Effects::default();
        let result = self.turn_with(&mut effects, act);
        if !effects.is_empty() {
            effect::run_all(&self.strong(), &mut effects, &[]);
        }
        result
    }

    /// Like [`Peer::turn`], but leaves what concerns others to the caller.
    pub(super) fn turn_with<R>(&self, effects: &mut Effects, act: impl FnOnce(&mut Turn<'_>) -> R) -> R {
        let mut state = self.lock();
        let result = act(&mut Turn { peer: self, state: &mut state, effects });
        let wake = state.transport.is_some() && !state.outbox.is_empty() && !state.writer_is_woken;
        state.writer_is_woken |= wake;
        drop(state);
        if wake {
            self.writer.wake();
        }
        result
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the machine's time.
    pub(super) fn now(&self) -> time::Instant {
        self.instant(Instant::now())
    }

    /// Returns a time of tokio's as the machine's.
    pub(super) fn instant(&self, at: Instant) -> time::Instant {
        time::Instant::START + at.saturating_duration_since(self.origin)
    }

    /// Returns a time of the machine's as tokio's; one beyond the clock's reach is no deadline.
    pub(super) fn deadline(&self, at: time::Instant) -> Option<Instant> {
        self.origin.checked_add(at.since(time::Instant::START))
    }

    pub(super) fn strong(&self) -> Arc<Self> {
        self.this.upgrade().expect("whoever calls a method of the peer holds it")
    }

    pub(super) fn belong_to(&self, node: &Arc<Shared>) {
        // A worker has one node, and says so once.
        let _ = self.node.set(Arc::downgrade(node));
    }

    /// Has two links count together what may be used once: this one begins with what was used over the other.
    pub(super) fn is_twin_of(self: &Arc<Self>, other: &Arc<Self>) {
        // A peer has two sides, which are made once.
        let _ = self.twin.set(Arc::downgrade(other));
        let _ = other.twin.set(Arc::downgrade(self));
        let used = other.lock().link.used_up();
        self.turn(|turn| {
            used.into_iter().for_each(|(slot, method)| turn.event(Event::Used { slot, method }));
        });
    }

    /// Notes that the peer has used what it may use once, for whoever outlives this link.
    pub(super) fn note_use(&self, slot: u32, method: u16) {
        if let Some(twin) = self.twin.get().and_then(Weak::upgrade) {
            twin.turn(|turn| turn.event(Event::Used { slot, method }));
        }
        self.report(&ToSupervisor::Used { peer: self.number, slot, method: method.into() });
    }

    /// Records a message to an actor of the peer's that was accepted and will reach nobody.
    pub(super) fn lose(&self, envelope: Box<Envelope>, reason: NotDelivered) {
        self.record(envelope.protocol, envelope.method, &reason);
        envelope.refuse(reason);
    }

    /// Records a message to an actor of the peer's as a dead letter.
    pub(super) fn record(&self, protocol: &'static ProtocolSchema, method: u16, reason: &NotDelivered) {
        let to = ActorName::new(&self.worker, self.instance, "", None);
        self.count(|letters| letters.record(&to, protocol, method, reason));
    }

    /// Has the node that sends note something about its dead letters.
    pub(super) fn count(&self, note: impl FnOnce(&DeadLetters)) {
        if let Some(node) = self.node.get().and_then(Weak::upgrade) {
            note(&node.dead_letters);
        }
    }

    /// Waits until everything that was sent has left this process, or no longer can.
    pub(super) async fn written_out(&self) {
        loop {
            let emptied = self.emptied.notified();
            let is_idle = {
                let state = self.lock();
                state.transport.is_none() || state.outbox.is_empty()
            };
            if is_idle {
                return;
            }
            emptied.await;
        }
    }

    /// Waits until nothing can come any more of what the peer sent before it heard that this side drains.
    pub(super) async fn heard_out(&self) {
        loop {
            let emptied = self.emptied.notified();
            if self.lock().link.is_heard_out() {
                return;
            }
            emptied.await;
        }
    }

    /// Waits until what a dead incarnation wrote is read, if there is something of it.
    pub(super) async fn read_out(&self) {
        loop {
            let emptied = self.emptied.notified();
            if !self.lock().transport.as_ref().is_some_and(|transport| transport.dying) {
                return;
            }
            emptied.await;
        }
    }

    pub(super) fn report(&self, report: &ToSupervisor) {
        (self.report)(report);
    }

    /// Returns how the link stands.
    pub(super) fn link_state(&self) -> LinkState {
        let state = self.lock();
        let (traffic, outbox) = (&state.traffic, &state.outbox);
        LinkState {
            peer: self.title(),
            is_up: state.link.is_open(),
            links: state.serial,
            frames: [traffic.written_before + state.written, traffic.received],
            bytes: [outbox.written_bytes(), traffic.received_bytes],
            queued_bytes: outbox.waiting_bytes(),
            outstanding: state.link.outstanding(),
        }
    }

    /// Returns the name of the peer's worker, with the instance if there are several.
    pub(super) fn title(&self) -> String {
        match self.instance {
            Some(instance) => format!("{}.{instance}", self.worker),
            None => self.worker.clone(),
        }
    }
}

/// How a peer is named.
pub(super) struct Who {
    pub(super) number: u16,
    pub(super) worker: String,
    pub(super) instance: Option<u16>,
    pub(super) on_demand: bool,
}

impl Turn<'_> {
    /// Takes an empty buffer to encode into.
    pub(super) fn buffer(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.state.spare)
    }

    /// Gives a buffer back for the next use.
    pub(super) fn recycle(&mut self, mut buffer: Vec<u8>) {
        if buffer.capacity() <= BUFFER_MAX {
            buffer.clear();
            self.state.spare = buffer;
        }
    }

    /// Reads the clock, for events to which the time matters: what has a deadline, what arrives, what is counted
    /// by time. To others the time of the one before them is good enough.
    pub(super) fn read_clock(&mut self) {
        self.state.now = self.peer.now();
    }

    /// Gives the machine an event that is about nothing but itself.
    pub(super) fn event(&mut self, event: Event) {
        self.event_with(event, &mut Hand::default());
    }

    /// Gives the machine an event and carries out its actions, with what the event is about at hand.
    pub(super) fn event_with(&mut self, event: Event, hand: &mut Hand<'_>) {
        let mut actions = self.actions();
        self.state.link.handle(self.state.now, event, &mut actions);
        self.carry_out(actions, hand);
    }

    /// Takes the list of actions; one that leads to a further event has a list of its own.
    pub(super) fn actions(&mut self) -> Vec<Action> {
        std::mem::take(&mut self.state.actions)
    }

    /// Carries out actions that are about nothing but themselves; mostly there are none.
    pub(super) fn carry_out_alone(&mut self, actions: Vec<Action>) {
        if actions.is_empty() {
            self.state.actions = actions;
        } else {
            self.carry_out(actions, &mut Hand::default());
        }
    }

    /// Carries out actions, and keeps their list for the next.
    pub(super) fn carry_out(&mut self, mut actions: Vec<Action>, hand: &mut Hand<'_>) {
        let closes = actions.iter().any(|action| matches!(action, Action::Close { .. }));
        for action in actions.drain(..) {
            self.perform(action, hand);
        }
        if closes {
            // Last, when what is given up is gone and the transport with it: each piece is freed once what was in it is copied.
            self.lend_nothing();
            self.let_go();
        }
        self.state.actions = actions;
    }

    /// Greets over a fresh transport and returns its number.
    pub(super) fn begin_transport(&mut self, generation: u32, sink: Sink, pages: Pages) -> u32 {
        self.event(Event::Linked { generation });
        self.state.peer.generation = generation;
        self.state.was_wanted = false;
        self.state.traffic.written_before += self.state.written;
        (self.state.serial, self.state.written) = (self.state.serial + 1, 0);
        // The task that was woken may be that of the transport before.
        self.state.writer_is_woken = false;
        let serial = self.state.serial;
        if let Some(loans) = sink.loans() {
            let peer = Weak::clone(&self.peer.this);
            loans.when_in_use(move || peer.upgrade().iter().for_each(|peer| peer.writer.wake()));
        }
        self.state.transport = Some(Transport { serial, sink, pages, dying: false });
        serial
    }

    /// Reads what the peer, which is dead, has said of this side's asks.
    pub(super) fn page(&self) -> Page {
        let pages = self.state.transport.as_ref().map(|transport| &transport.pages);
        pages.map_or(Page::UNREAD, |pages| pages.read(self.state.sends.len()))
    }

    /// Tells the supervisor once that a message waits for a peer that starts on demand and does not take it now.
    pub(super) fn want(&mut self) {
        let waits = self.peer.on_demand && !self.state.link.is_open() && self.state.link.has_waiting();
        if waits && !std::mem::replace(&mut self.state.was_wanted, true) {
            self.effects.push(Effect::Report(ToSupervisor::Wanted { peer: self.peer.number }));
        }
    }

    /// Does so again, because the life of which that was told before has ended or is about to.
    pub(super) fn want_again(&mut self) {
        self.state.was_wanted = false;
        self.want();
    }

    /// Tells whether the transport with this number is still the present one.
    pub(super) fn serves(&self, serial: u32) -> bool {
        self.state.transport.as_ref().is_some_and(|transport| transport.serial == serial)
    }
}

impl CreditSink for Peer {
    fn worker(&self) -> &str {
        &self.worker
    }

    fn sender(&self) -> String {
        self.title()
    }

    fn taken(&self, mailbox: ExportId, room: Grant) {
        self.turn(|turn| {
            let (now, mut actions) = (turn.state.now, turn.actions());
            turn.state.link.taken_together(now, mailbox, room, &mut actions);
            turn.state.link.settle(now, &mut actions);
            turn.carry_out_alone(actions);
            if turn.state.link.pays_at().is_some() {
                self.writer.wake();
            }
        });
    }
}

impl AnsweringLink for Peer {
    fn abandoned(&self, key: u64) {
        self.turn(|turn| turn.abandon(SendId::from_bits(key)));
    }

    fn item_taken(&self, key: u64) {
        self.turn(|turn| turn.event(Event::ItemsTaken { ticket: SendId::from_bits(key), items: 1 }));
    }
}

/// A larger buffer than this is not kept for the next use.
const BUFFER_MAX: usize = 64 << 10;
