//! The link machine: everything that two workers agree on while they talk, without a byte of it moving.
//!
//! One machine stands for one peer, over all its incarnations: `Closed` → `Greeting` → `Open` → `Draining` →
//! `Closed`, and again when the supervisor hands over the next transport. It checks what arrives in the order
//! length, state, slot and generation, method, credit and asks in flight; it spends and gives credit, keeps
//! what must wait, and resolves every ask. The driver encodes, moves bytes, keeps payloads under the tickets
//! that the machine names, and does what the actions say.
//!
//! Invariants:
//! * every tell is delivered, or ends as undelivered, lost or in the count of what nobody knows;
//! * every ask ends exactly once: reply, end of the stream, failure, deadline, cancelled by its caller, or the
//!   end of the link or the peer;
//! * nothing is delivered that is not granted, names an earlier use of a slot, or was sent without credit;
//! * nothing is delivered between the end of one transport and the opening of the next;
//! * who sends to an actor without room waits in that actor's queue; no other send waits behind it;
//! * `Down` comes once for each incarnation of the peer, after everything that it sent.

mod agreement;
mod answering;
mod arrival;
mod draining;
mod event;
mod failure;
mod fault;
mod frame;
mod handling;
mod life;
mod limbo;
mod line;
mod naming;
mod page;
mod readiness;
mod sending;
mod short;
mod succession;
mod tables;
mod watches;

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use crate::asks::{Asks, Ticket};
use crate::credit::Grant;
use crate::time::Instant;

pub use event::{Action, Closed, Event, Outcome, Patience, Send};
pub use failure::{Failure, NotDelivered, Unknown};
pub use fault::Fault;
pub use frame::{
    Cause, CloseReason, Fingerprint, Frame, Hello, Limits, Method, MethodName, Offer, Refusal, Target, Terms,
    VERSION, WatchId,
};
pub use handling::Asked;
pub use life::WORD_WAIT;
pub use page::Page;
pub use short::{Delivery, Message};
pub use tables::{Export, ExportId, Import, ImportId, Methods, Once, STATIC_SLOTS};

use handling::Handling;
use life::Tally;
use limbo::Unwritten;
use sending::{Kind, Pending, Waiting};
use tables::{ExportSlot, ImportSlot};
use watches::Watch;

/// What the manifest says about a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Config {
    /// Whether a violation of the peer is told to the supervisor: this side is the more privileged one.
    pub may_accuse: bool,
    /// What this side takes.
    pub limits: Limits,
    /// Bytes that may be lent to the peer over all mailboxes, beyond each mailbox's first credit.
    pub window_bytes: u32,
    /// Sends to one actor that may wait for credit.
    pub waiting: u32,
    /// What may wait while the peer is down.
    pub while_down: WhileDown,
}

/// What may wait while the peer is down; zero messages is to reject.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct WhileDown {
    /// Messages.
    pub messages: u32,
    /// Bytes of payload.
    pub bytes: u32,
}

impl Default for WhileDown {
    fn default() -> Self {
        Self { messages: 1000, bytes: 1 << 20 }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            may_accuse: false,
            limits: Limits::DEFAULT,
            window_bytes: 16 << 20,
            waiting: 4096,
            while_down: WhileDown::default(),
        }
    }
}

/// The link to one peer.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Link {
    config: Config,
    state: State,
    /// The incarnation of the peer that is alive as far as is known.
    peer: Option<u32>,
    /// The incarnation of the present or latest transport.
    last_peer: Option<u32>,
    /// The supervisor told the peer's death; what it wrote is still being read.
    dying: Option<Cause>,
    /// With which asks it had begun, as far as is known.
    page: Page,
    /// The transport ended by itself, and everything is read; until then the supervisor may say that the peer died.
    lost_until: Option<Instant>,
    /// Why nothing is worth waiting for until the next transport: the hellos did not agree, or no grant is left.
    refused: Option<NotDelivered>,
    /// Messages go to this life, and it has not greeted yet.
    awaited: bool,
    /// Another life of the peer is there, to which messages may go before long.
    accompanied: bool,
    /// This side takes no new messages.
    draining: bool,
    /// And not even what the peer sent before it heard of that.
    refusing: bool,
    /// The peer heard of it: everything that it sent before is here.
    heard: bool,
    drained: bool,
    /// This side takes no messages at present.
    unready: bool,
    /// What the peer was told of that over this transport, and how many frames must be written until that has left.
    told_unready: bool,
    told_by: u64,
    /// The peer said so of itself, over this transport.
    peer_unready: bool,
    /// What both sides take, after the hellos.
    limits: Limits,
    /// Counts the transports.
    link: u32,
    /// Frames ordered, and frames that left the process, on this transport.
    ordered: u64,
    written: u64,
    unwritten: Unwritten,
    /// Tells to actors whose place was given up before it was known that they were taken.
    released_tells: u64,
    exports: Vec<ExportSlot>,
    vacant_exports: Vec<u32>,
    /// Slots whose messages may come so fast and no faster.
    paced: Vec<u32>,
    imports: Vec<Option<ImportSlot>>,
    vacant_imports: Vec<u32>,
    /// Imports by the slot that they have in the peer's table.
    imports_by_slot: BTreeMap<u32, ImportId>,
    pending: Asks<Pending>,
    waiting: Waiting,
    handling: Handling,
    /// The peer's messages that lie in mailboxes.
    queued: u32,
    /// Bytes lent beyond the first credits.
    lent_bytes: u32,
    watches: BTreeMap<WatchId, Watch>,
    watched: BTreeSet<WatchId>,
    undecodable: Tally,
    over_quota: Tally,
}

/// Where the link is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum State {
    /// There is no transport.
    Closed,
    /// The hellos are under way; `heard` when the peer's was accepted.
    Greeting { heard: bool },
    /// Messages flow both ways.
    Open,
    /// One side, or both, takes no new messages; what is under way is finished.
    Draining { ours: bool, theirs: bool },
}

impl Link {
    /// Makes a link without a transport.
    pub fn new(config: Config) -> Self {
        Self {
            config,
            state: State::Closed,
            peer: None,
            last_peer: None,
            dying: None,
            page: Page::UNREAD,
            lost_until: None,
            refused: None,
            awaited: false,
            accompanied: false,
            draining: false,
            refusing: false,
            heard: false,
            drained: false,
            unready: false,
            told_unready: false,
            told_by: 0,
            peer_unready: false,
            limits: config.limits,
            link: 0,
            ordered: 0,
            written: 0,
            unwritten: Unwritten::default(),
            released_tells: 0,
            exports: Vec::new(),
            vacant_exports: Vec::new(),
            paced: Vec::new(),
            imports: Vec::new(),
            vacant_imports: Vec::new(),
            imports_by_slot: BTreeMap::new(),
            pending: Asks::default(),
            waiting: Waiting::default(),
            handling: Handling::default(),
            queued: 0,
            lent_bytes: 0,
            watches: BTreeMap::new(),
            watched: BTreeSet::new(),
            undecodable: Tally::default(),
            over_quota: Tally::default(),
        }
    }

    /// Returns when [`Event::Tick`] is due at the latest: the earliest deadline of a send, the end of the wait for
    /// word of a peer whose transport ended, or [`Link::pays_at`].
    pub fn deadline(&self) -> Option<Instant> {
        self.pending.deadline().into_iter().chain(self.lost_until).chain(self.pays_at()).min()
    }

    /// Returns the ticket that the next send is to have, or nothing if too many are pending.
    pub fn vacant_ticket(&self) -> Option<Ticket> {
        self.pending.vacant()
    }

    /// Returns the slot for the next [`Event::Export`], and the generation that it will have.
    pub fn vacant_export(&self) -> Target {
        let slot = self.vacant_exports.last().copied();
        let slot = slot.unwrap_or((self.exports.len() as u32).max(STATIC_SLOTS));
        let generation = self.exports.get(slot as usize).map_or(0, |slot| slot.generation);
        Target { slot, generation }
    }

    /// Returns the place for the next [`Event::Import`].
    pub fn vacant_import(&self) -> ImportId {
        let vacant = self.vacant_imports.last().copied();
        ImportId(vacant.unwrap_or((self.imports.len() as u32).max(STATIC_SLOTS)))
    }

    /// Tells whether the time matters to what is sent to an actor of the peer's.
    pub fn is_paced(&self, import: ImportId) -> bool {
        self.import_at(import).is_some_and(|import| import.pace.is_some())
    }

    /// Tells whether messages flow to the peer.
    pub fn is_open(&self) -> bool {
        self.can_send()
    }

    /// Tells whether the peer is there and both greet each other, so that messages will soon flow.
    pub fn is_opening(&self) -> bool {
        matches!(self.state, State::Greeting { .. })
    }

    /// Tells whether who sends without room waits for it: if not, the message is kept and its sender goes on.
    pub fn has_line(&self) -> bool {
        self.can_send() || self.is_between_lives()
    }

    /// Returns whether something waits to be sent.
    pub fn has_waiting(&self) -> bool {
        self.waiting.messages() > 0
    }

    /// Returns whether a message or an ask of the peer's waits to be handled, or is being handled.
    pub fn is_busy(&self) -> bool {
        self.queued > 0 || self.handling.len() > 0
    }

    /// Returns the asks of this side to the peer that are open or waiting, for the balance of a pool.
    pub fn outstanding(&self) -> u32 {
        self.pending.len()
    }

    /// Tells whether a send has not ended: an ask without an outcome, a tell that waits.
    pub fn is_pending(&self, ticket: Ticket) -> bool {
        self.pending.pending(ticket).is_some()
    }

    /// Returns how many items the stream that answers an ask may send now; nothing if the asker no longer waits.
    pub fn items_left(&self, asked: Asked) -> Option<u32> {
        self.handling.open(asked.ticket).filter(|_| asked.link == self.link).map(|open| open.items)
    }

    /// Returns what both sides take; before the hellos agreed, what this side takes.
    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// Takes payloads of at most `bytes` over the next transport, and those after it.
    pub fn bound(&mut self, bytes: u32) {
        self.config.limits.message_bytes = bytes;
    }

    /// Takes in what happened at `now` and appends what is to be done, in order.
    pub fn handle(&mut self, now: Instant, event: Event, actions: &mut Vec<Action>) {
        match event {
            Event::Linked { generation } => self.linked(generation, actions),
            Event::PeerDied { generation, cause, page } => self.peer_died(generation, cause, page, actions),
            Event::Emptied => self.emptied(actions),
            Event::Lost => self.lost(now, actions),
            Event::Received(frame) => self.received(now, frame, actions),
            Event::Malformed => self.violation(Fault::Malformed, actions),
            Event::Impostor => self.violation(Fault::Impostor, actions),
            Event::Written { frames } => {
                self.frames_written(frames);
                self.say_readiness(actions);
            }
            Event::Tell(send) => self.send(now, send, Kind::Tell, actions),
            Event::Ask(send) => self.send(now, send, Kind::Ask(None), actions),
            Event::Cancel { ticket } => self.cancel(now, ticket, actions),
            Event::ItemsTaken { ticket, items } => self.items_taken(ticket, items, actions),
            Event::Reply { asked, size } => self.reply(asked, size, actions),
            Event::Fail { asked, failure } => self.fail(asked, failure, actions),
            Event::Open { asked } => self.open_stream(asked, actions),
            Event::Item { asked, size } => self.item(asked, size, actions),
            Event::End { asked } => self.end(asked, actions),
            Event::Taken { export, size } => self.taken(now, export, Grant::of(size), actions),
            Event::Lent { export, grant } => self.lent(now, export, grant, actions),
            Event::Undecodable => self.undecodable(now, actions),
            Event::Watch { import, watch } => self.watch(import, watch, actions),
            Event::Unwatch { watch } => self.unwatch(watch, actions),
            Event::ActorDown { watch, cause } => self.actor_down(watch, cause, actions),
            Event::Export { slot, export } => self.export(slot, *export, actions),
            Event::Revoke { slot } => self.revoke(slot, actions),
            Event::RevokeMethod { slot, method } => self.revoke_method(slot, method),
            Event::Regrant { slot, export } => self.regrant(now, slot, *export, actions),
            Event::Used { slot, method } => self.note_use(slot, method),
            Event::Import { import, entry } => self.import(import, *entry, actions),
            Event::Uses { import, uses, learnt } => self.more_uses(import, uses, learnt, actions),
            Event::Accompanied { accompanied } => self.accompanied = accompanied,
            Event::Superseded => self.superseded(actions),
            Event::Succeeds => self.succeeds(),
            Event::Forget { import } => self.forget(import, actions),
            Event::Unready => self.turned(true, actions),
            Event::Ready => self.turned(false, actions),
            Event::Drain => self.drain(actions),
            Event::Refuse => self.refuse(actions),
            Event::Part => self.part(actions),
            Event::Close => self.close(actions),
            Event::Tick => {}
        }
        self.settle(now, actions);
    }

    /// Tells whether frames can still reach the peer.
    fn is_connected(&self) -> bool {
        match self.state {
            State::Closed => false,
            State::Greeting { .. } | State::Open | State::Draining { .. } => self.is_alive(),
        }
    }

    /// Tells whether, as far as is known, the peer lives and the transport holds.
    fn is_alive(&self) -> bool {
        self.dying.is_none() && self.lost_until.is_none()
    }

    /// Tells whether the peer takes new messages at present.
    fn can_send(&self) -> bool {
        match self.state {
            State::Closed | State::Greeting { .. } | State::Draining { theirs: true, .. } => false,
            State::Open | State::Draining { theirs: false, .. } => self.is_alive() && !self.peer_unready,
        }
    }

    /// Orders a frame, if anybody is there to read it.
    fn order(&mut self, frame: Frame, actions: &mut Vec<Action>) {
        if self.is_connected() {
            self.ordered += 1;
            actions.push(Action::Send(frame));
        }
    }
}
