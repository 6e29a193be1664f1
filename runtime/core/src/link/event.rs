//! What happens to a link, and what it orders.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::failure::{Failure, NotDelivered};
use super::fault::Fault;
use super::frame::{Cause, CloseReason, Frame, Method, Refusal, Target, WatchId};
use super::handling::Asked;
use super::page::Page;
use super::tables::{Export, ExportId, Import, ImportId};
use crate::asks::Ticket;
use crate::credit::{Grant, Size};
use crate::precedence::Priority;
use crate::time::Instant;

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Event {
    /// The supervisor handed over a fresh transport to this incarnation of the peer.
    Linked {
        /// The peer's incarnation.
        generation: u32,
    },
    /// The supervisor told of the peer's death. The driver then reads until nothing is left and says
    /// [`Event::Emptied`].
    PeerDied {
        /// The incarnation that died.
        generation: u32,
        /// Why.
        cause: Cause,
        /// What its page says, read after its death.
        page: Page,
    },
    /// Nothing that the dead peer wrote is left to read.
    Emptied,
    /// The transport ended: end of file, or an error that stays. Everything that came by it is read. What was under way
    /// waits a moment for [`Event::PeerDied`], which says why.
    Lost,
    /// A whole frame arrived; its payload, if any, is held by the driver.
    Received(Frame),
    /// What arrived is not a frame.
    Malformed,
    /// What arrived was sent by another process than the peer, which has passed its end on.
    Impostor,
    /// The first `frames` frames that were ordered since [`Event::Linked`] have left this process.
    Written {
        /// How many.
        frames: u64,
    },
    /// Nothing should be sent to this side until [`Event::Ready`].
    Unready,
    /// This side takes messages again.
    Ready,
    /// A local actor tells.
    Tell(Send),
    /// A local actor asks.
    Ask(Send),
    /// The sender of a waiting tell, or the asker, no longer waits.
    Cancel {
        /// The send.
        ticket: Ticket,
    },
    /// The asker took items of a stream.
    ItemsTaken {
        /// The ask.
        ticket: Ticket,
        /// How many.
        items: u32,
    },
    /// A handler answers.
    Reply {
        /// The ask.
        asked: Asked,
        /// What the reply weighs.
        size: Size,
    },
    /// An ask of the peer will have no reply.
    Fail {
        /// The ask.
        asked: Asked,
        /// Why.
        failure: Failure,
    },
    /// A handler will answer with a stream.
    Open {
        /// The ask.
        asked: Asked,
    },
    /// A handler gives one of a stream of replies.
    Item {
        /// The ask.
        asked: Asked,
        /// What the item weighs.
        size: Size,
    },
    /// A handler's stream has ended.
    End {
        /// The ask.
        asked: Asked,
    },
    /// A message left its mailbox: to be handled, or dropped.
    Taken {
        /// Where it lay.
        export: ExportId,
        /// What it weighed.
        size: Size,
    },
    /// A mailbox's answer to [`Action::Borrow`].
    Lent {
        /// The mailbox.
        export: ExportId,
        /// What it lends, possibly nothing.
        grant: Grant,
    },
    /// The payload of a message did not decode.
    Undecodable,
    /// A local actor wishes to be told when a remote one ends.
    Watch {
        /// The remote actor.
        import: ImportId,
        /// By what the answer will be known: not in use.
        watch: WatchId,
    },
    /// A local actor takes its wish back.
    Unwatch {
        /// The wish.
        watch: WatchId,
    },
    /// An actor that the peer watches has ended.
    ActorDown {
        /// The peer's watch.
        watch: WatchId,
        /// Why.
        cause: Cause,
    },
    /// A local actor is to be reachable for the peer. One that does not last goes when the transport does, and
    /// cannot come while there is none.
    Export {
        /// The slot: one of the manifest's, or [`Link::vacant_export`](super::Link::vacant_export).
        slot: u32,
        /// What it gives.
        export: Box<Export>,
    },
    /// A local actor is no longer to be reachable for the peer.
    Revoke {
        /// The slot.
        slot: u32,
    },
    /// A method of a slot is no longer granted.
    RevokeMethod {
        /// The slot.
        slot: u32,
        /// The method.
        method: u16,
    },
    /// What the peer may reach behind a slot has changed, while the link may be in use: the actor and its methods are the
    /// same, or nothing was there. What is not granted any more and under way is not delivered.
    Regrant {
        /// The slot: one of the manifest's.
        slot: u32,
        /// What it gives from now on.
        export: Box<Export>,
    },
    /// A method that may be used once was used over another link to the peer, or in an earlier life of this side.
    Used {
        /// The slot.
        slot: u32,
        /// The method.
        method: u16,
    },
    /// An actor of the peer's became known.
    Import {
        /// The place: [`Link::vacant_import`](super::Link::vacant_import).
        import: ImportId,
        /// How to reach it.
        entry: Box<Import>,
    },
    /// More methods of an actor of the peer's will be used; they are appended.
    Uses {
        /// The actor.
        import: ImportId,
        /// The methods.
        uses: Vec<Method>,
        /// They were learnt of some life of the peer, and the next one may take them otherwise: they are named once a link is open,
        /// so that only they are refused and never the link.
        learnt: bool,
    },
    /// Whether another life of the peer is there, beside this one: should this one drain, senders wait for that one as
    /// they wait for room.
    Accompanied {
        /// There is one.
        accompanied: bool,
    },
    /// From here on messages to what lasts at the peer go to another life of it: what waits is handed back.
    Superseded,
    /// From here on messages to what lasts at the peer go to this life. Until it has greeted, senders wait for that as
    /// they wait for room.
    Succeeds,
    /// No local address names that actor of the peer's any more.
    Forget {
        /// The place.
        import: ImportId,
    },
    /// This side is to take no new messages and to finish what it has. What the peer sent before it heard of that is
    /// still taken.
    Drain,
    /// The same, and from here on nothing that arrives is taken: asks come back, tells are dead letters.
    Refuse,
    /// There is no grant between the two any more: nothing is sent or waited for until there is a transport again.
    Part,
    /// This side closes now.
    Close,
    /// The time that [`Link::deadline`](super::Link::deadline) named has come.
    Tick,
}

/// A message that a local actor sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Send {
    /// By what the driver knows it: [`Link::vacant_ticket`](super::Link::vacant_ticket).
    pub ticket: Ticket,
    /// To whom.
    pub import: ImportId,
    /// The method's place among the uses of the import.
    pub method: u16,
    /// What it weighs.
    pub size: Size,
    /// What to do without credit.
    pub patience: Patience,
    /// When it goes, of those that wait for the same actor.
    pub priority: Priority,
    /// Until when the sender waits: an asker for the answer or the opening of a stream, a teller for room.
    pub deadline: Option<Instant>,
}

/// What a send does while there is no credit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Patience {
    /// It waits, if the mailbox lets senders wait.
    Wait,
    /// It fails with `Full`.
    Now,
    /// It waits, whatever waits with it: another link had kept it and handed it back.
    Kept,
}

/// Something to be done by the driver, in order.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// Write this frame. What carries a payload of a handler's (reply, item) is the one that the event named.
    Send(Frame),
    /// Write this frame with the payload that the driver keeps under the ticket. The ticket of a [`Frame::Tell`] is free
    /// again.
    Transmit {
        /// The send.
        ticket: Ticket,
        /// The frame.
        frame: Frame,
    },
    /// The send waits: for credit, or for the link. Keep its payload under the ticket.
    Keep {
        /// The send.
        ticket: Ticket,
    },
    /// A send that waited is this link's no more, and its ticket is free again: it goes over the link of the life that
    /// took the place of this one. Those of one actor come in their order.
    HandBack {
        /// The send.
        ticket: Ticket,
        /// To whom.
        import: ImportId,
    },
    /// A watch is this link's no more: it was made for the next life, and that is another link's.
    HandWatchBack {
        /// The watch.
        watch: WatchId,
        /// The watched.
        import: ImportId,
    },
    /// A tell was not sent, and its ticket is free again.
    Undelivered {
        /// The send.
        ticket: Ticket,
        /// Why.
        reason: NotDelivered,
    },
    /// A tell that was ordered has not left this process, and the transport is gone. Its frame must not be written
    /// any more: see [`Action::Close`].
    TellLost {
        /// To whom it was sent.
        import: ImportId,
        /// The method's place among the uses of the import.
        method: u16,
        /// Why.
        reason: NotDelivered,
    },
    /// The transport is gone, and of at most so many tells nobody knows whether they were handled.
    TellsUnknown {
        /// How many.
        tells: u64,
    },
    /// An ask has ended, or a tell to a rendezvous; its ticket is free again. With [`Outcome::Replied`] the payload of an
    /// ask's reply is that of the frame that just arrived.
    Resolve {
        /// The send.
        ticket: Ticket,
        /// How.
        outcome: Outcome,
    },
    /// Tell the asker that a stream of replies begins; its deadline no longer counts.
    StreamOpened {
        /// The ask.
        ticket: Ticket,
    },
    /// Hand the item that just arrived to the asker.
    DeliverItem {
        /// The ask.
        ticket: Ticket,
    },
    /// Put the message that just arrived into the mailbox behind the slot.
    Deliver {
        /// The mailbox.
        export: ExportId,
        /// The method's index among the actor's methods.
        method: u16,
        /// What to answer, if it is an ask or a rendezvous.
        asked: Option<Asked>,
        /// It is a rendezvous: the answer is given when the actor takes it.
        rendezvous: bool,
        /// When the asker stops waiting.
        deadline: Option<Instant>,
    },
    /// Remember beyond the life of this process that the peer has used a method that it may use once.
    Used {
        /// The slot.
        slot: u32,
        /// The method.
        method: u16,
    },
    /// Drop the message that just arrived; it is a dead letter.
    DeadLetter {
        /// Where it was sent.
        target: Target,
        /// Why it was not delivered.
        reason: NotDelivered,
    },
    /// The asker no longer waits: drop the handler's future.
    CancelHandler {
        /// The ask.
        asked: Asked,
    },
    /// The stream may give this many items more; none, if the item of the event was one too many and must be
    /// offered again later.
    MoreItems {
        /// The ask.
        asked: Asked,
        /// How many.
        items: u32,
    },
    /// Ask the mailbox's pool for more credit; the answer is [`Event::Lent`].
    Borrow {
        /// The mailbox.
        export: ExportId,
        /// How much is wished.
        grant: Grant,
    },
    /// What was borrowed for this mailbox is the pool's again.
    GiveBack {
        /// The mailbox.
        export: ExportId,
        /// How much.
        grant: Grant,
    },
    /// The peer wishes to be told when the actor behind the slot ends.
    Watched {
        /// The actor.
        export: ExportId,
        /// By what the peer knows its wish.
        watch: WatchId,
    },
    /// The peer takes its wish back, or is gone.
    Unwatched {
        /// The wish.
        watch: WatchId,
    },
    /// A watched actor of the peer's has ended. Comes once for each watch.
    ActorDown {
        /// The watch.
        watch: WatchId,
        /// Why, if the peer or the supervisor said so.
        cause: Option<Cause>,
    },
    /// The slot is free again.
    ExportGone {
        /// The slot.
        slot: u32,
    },
    /// The hellos agree: messages flow.
    Opened,
    /// The hellos do not agree, and the link is closed; or a use that was named later does not hold, and the
    /// link stays.
    Refused {
        /// What does not hold.
        refusal: Refusal,
        /// Whether the peer said so; the driver then holds the peer's shape.
        by_peer: bool,
    },
    /// The peer takes no new messages.
    PeerDrains,
    /// The peer heard that this side drains: everything that it sent before is here.
    HeardOut,
    /// Nothing of the peer's is being handled any more since [`Event::Drain`].
    Drained,
    /// Close the transport. Of what is not written yet, only the last words may still go: refusals, failures and
    /// the close itself. Messages must not, for they are about to be reported as not delivered.
    Close {
        /// Why.
        reason: Closed,
    },
    /// Tell the supervisor that the peer broke the protocol.
    Accuse {
        /// What it did.
        fault: Fault,
    },
    /// Ask the supervisor for a fresh transport: this one was closed for a violation by a peer that goes on living.
    AskAnew {
        /// What it did.
        fault: Fault,
    },
    /// The peer's incarnation is dead and its last message is delivered. Comes once for each incarnation.
    Down {
        /// The incarnation.
        generation: u32,
        /// Why.
        cause: Option<Cause>,
    },
}

/// How an ask ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// With the reply; a tell to a rendezvous: the actor took it.
    Replied,
    /// A stream has ended.
    Ended,
    /// Without.
    Failed(Failure),
}

/// Why a transport is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Closed {
    /// This side wished so.
    ByUs,
    /// The peer said so.
    ByPeer(CloseReason),
    /// The peer broke the protocol.
    Violation(Fault),
    /// The hellos did not agree.
    Refused,
    /// The peer is dead, and everything is read.
    PeerDead,
    /// The transport ended by itself.
    Lost,
    /// The supervisor handed over another.
    Replaced,
}
