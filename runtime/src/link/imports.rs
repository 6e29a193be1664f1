//! The actors of a peer's that this worker may reach: an address resolves to one of these.

use std::sync::{Arc, Weak};

use bailiwick_core::credit::Size;
use bailiwick_core::link::{self, Event, Fingerprint, ImportId, MethodName, Patience, Send};
use bailiwick_wire::descriptors::{AnyAddress, Outgoing};
use bailiwick_wire::frame::{Addresses, AskChain, Extensions};
use bailiwick_wire::reason::NotDelivered;
use bailiwick_wire::schema::{MethodSchema, ProtocolSchema};
use bailiwick_wire::{FdKinds, Limit, Limits, bootstrap};

use super::exports::as_method;
use super::peer::{Hand, Parcel, Peer, SendOutcome, Sending, Sent, Turn, Watching};
use super::peers::kinds;
use crate::address::{Address, WatchId};
use crate::chain::id_of;
use crate::envelope::{Body, Envelope};
use crate::name::ActorName;
use crate::outlet::{Accepted, Notify, Outlet, Refused, Room};
use crate::ticket::Ticket;

/// What the driver knows of one import.
pub(super) struct Imported {
    /// The methods by the machine's count of uses.
    uses: Vec<(&'static ProtocolSchema, u16)>,
    /// Where the uses of each protocol that was spoken begin.
    protocols: Vec<(&'static ProtocolSchema, u16)>,
}

/// Why this worker may reach an actor of a peer's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// By a grant, which may name the kinds of descriptors that travel with messages and with replies.
    Granted { message_fds: Option<FdKinds>, reply_fds: Option<FdKinds> },
    /// It was named in a message: when no address is left, the peer is told.
    Passed,
}

impl Origin {
    /// Returns what the supervisor says of a slot.
    pub(super) fn of(slot: &bootstrap::Slot) -> Self {
        Self::Granted {
            message_fds: kinds(slot.fds_send.as_deref()),
            reply_fds: kinds(slot.fds_receive.as_deref()),
        }
    }

    fn fds(self) -> (Option<FdKinds>, Option<FdKinds>) {
        match self {
            Self::Granted { message_fds, reply_fds } => (message_fds, reply_fds),
            Self::Passed => (None, None),
        }
    }
}

/// An actor of a peer's, as its senders see it.
pub(crate) struct Import {
    peer: Arc<Peer>,
    import: ImportId,
    path: String,
    id: u64,
    origin: Origin,
    this: Weak<Self>,
}

impl Import {
    pub(super) fn new(peer: Arc<Peer>, import: ImportId, path: &str, origin: Origin) -> Arc<Self> {
        let id = id_of(&format!("{}/{path}", peer.title()));
        Arc::new_cyclic(|this| Self { peer, import, path: path.to_owned(), id, origin, this: this.clone() })
    }

    /// Says early that messages of a protocol will be sent, so that the shapes are compared before the first.
    pub(super) fn declare(&self, protocol: &'static ProtocolSchema) {
        self.peer.turn(|turn| turn.place_of(self.import, protocol));
    }

    fn parcel(&self, envelope: &Envelope) -> Result<Parcel, NotDelivered> {
        let mut bytes = self.peer.buffer();
        bytes.clear();
        let beside = encode(&envelope.body, &self.peer.limits, &mut bytes)?;
        let (message_fds, reply_fds) = self.origin.fds();
        if message_fds.is_some_and(|granted| !granted.contains_all(beside.kinds())) {
            return Err(NotDelivered::NotGranted);
        }
        let mut chain = AskChain::default();
        if let Some(waiting) = &envelope.chain {
            for id in waiting.ids().into_iter().rev() {
                let found = AskChain::MAX as u64 + 1;
                let too_long = |limit| NotDelivered::TooLarge { limit, found, max: AskChain::MAX as u64 };
                chain.push(id).map_err(|_| too_long(Limit::Chain))?;
            }
        }
        let extensions = Extensions { trace: envelope.trace, chain, ..Extensions::default() };
        Ok(Parcel { bytes, beside, extensions, reply_fds })
    }

    /// Gives a message to the machine. Returns what became of it, the envelope, and the key of the ask.
    fn send(&self, envelope: Envelope, parcel: Parcel, patience: Patience) -> (Sent, bool) {
        let (protocol, method) = (envelope.protocol, envelope.method);
        let is_ask = envelope.reply.is_awaited();
        let deadline = envelope.deadline.map(|deadline| self.peer.instant(deadline));
        // Both are within the limits of the codec, which are smaller than what the fields hold.
        let size = Size { bytes: parcel.bytes.len() as u32, fds: parcel.beside.descriptors.len() as u16 };
        let nothing = bailiwick_core::asks::Ticket::from_bits(0);
        let outcome = SendOutcome::Refused(NotDelivered::Full);
        let sent = Sent { ticket: nothing, parcel, envelope: Some(envelope), left: None, outcome };
        let mut hand = Hand { sent: Some(sent), ..Hand::default() };
        self.peer.turn(|turn| {
            if deadline.is_some() {
                turn.read_clock();
            }
            let place = turn.place_of(self.import, protocol);
            let (Some(ticket), Some(first)) = (turn.state.link.vacant_ticket(), place) else { return };
            if let Some(sent) = &mut hand.sent {
                sent.ticket = ticket;
            }
            let send = Send { ticket, import: self.import, method: first + method, size, patience, deadline };
            turn.event_with(if is_ask { Event::Ask(send) } else { Event::Tell(send) }, &mut hand);
        });
        (hand.sent.expect("nobody takes it out of the hand"), is_ask)
    }
}

fn encode(body: &Body, limits: &Limits, out: &mut Vec<u8>) -> Result<Outgoing, NotDelivered> {
    match body {
        Body::Value(message) => message.encode(limits, out).map_err(|error| error.reason()),
        Body::Bytes(payload) if payload.beside.left() == (0, 0) => {
            out.extend_from_slice(&payload.bytes);
            Ok(Outgoing::default())
        }
        // Only a handler takes descriptors out of a message that came over a link.
        Body::Bytes(_) => Err(NotDelivered::DescriptorsExhausted),
    }
}

impl Outlet for Import {
    fn name(&self) -> ActorName {
        let generation = Some(self.peer.lock().peer.generation).filter(|number| *number > 0);
        ActorName::new(&self.peer.worker, self.peer.instance, &self.path, generation)
    }

    fn id(&self) -> u64 {
        self.id
    }

    fn is_up(&self) -> bool {
        self.peer.lock().link.is_open()
    }

    fn offer(&self, envelope: Envelope, room: Room) -> Result<Accepted, Box<Refused>> {
        let parcel = match self.parcel(&envelope) {
            Ok(parcel) => parcel,
            Err(reason) => return Err(Box::new(Refused { envelope, reason })),
        };
        let slot = envelope.reply.local_slot();
        let patience = match room {
            Room::Wait => Patience::Wait,
            Room::Now => Patience::Now,
        };
        let (sent, _) = self.send(envelope, parcel, patience);
        // What is left of the message is dropped here, without the lock: it may be anything of the user's.
        let Sent { ticket, parcel, envelope, left: _left, outcome } = sent;
        self.peer.recycle(parcel.bytes);
        let accepted = match outcome {
            SendOutcome::Written | SendOutcome::Buffered => Accepted::Queued,
            SendOutcome::Kept(line) => Accepted::Parked(line),
            SendOutcome::Refused(reason) => {
                let envelope = envelope.expect("a refused message stays at hand");
                return Err(Box::new(Refused { envelope, reason }));
            }
        };
        if let Some(slot) = slot {
            let peer: Arc<Peer> = Arc::clone(&self.peer);
            slot.answered_over(peer, ticket.bits());
        }
        Ok(accepted)
    }

    fn withdraw(&self, line: &Ticket) {
        self.peer.turn(|turn| {
            let kept = turn.state.sends.iter().find_map(|sending| match sending {
                Sending::Kept(kept) if kept.line.as_ref().is_some_and(|own| own.is(line)) => {
                    Some(kept.ticket)
                }
                Sending::Kept(_) | Sending::Asked(..) | Sending::Nothing => None,
            });
            if let Some(ticket) = kept {
                turn.event(Event::Cancel { ticket });
                turn.forget(ticket);
            }
        });
    }

    fn watch(&self, id: WatchId, notify: Notify) {
        let watch = link::WatchId(id.as_u64());
        let Some(this) = self.this.upgrade() else { return };
        self.peer.turn(|turn| {
            turn.state.watches.insert(watch.0, Watching { notify, address: Address::peer(this) });
            turn.event(Event::Watch { import: self.import, watch });
        });
    }

    fn unwatch(&self, id: WatchId) {
        let watch = link::WatchId(id.as_u64());
        let forgotten = self.peer.turn(|turn| {
            turn.event(Event::Unwatch { watch });
            turn.state.watches.remove(&watch.0)
        });
        drop(forgotten);
    }
}

impl Drop for Import {
    fn drop(&mut self) {
        if self.origin == Origin::Passed {
            self.peer.turn(|turn| turn.event(Event::Forget { import: self.import }));
        }
    }
}

impl Turn<'_> {
    /// Makes an actor of the peer's known to the machine, in the place that the machine names next.
    pub(super) fn add_import(&mut self, slot: u32, generation: Option<u32>) -> ImportId {
        let import = self.state.link.vacant_import();
        let index = import.0 as usize;
        if self.state.imports.len() <= index {
            self.state.imports.resize_with(index + 1, || None);
        }
        self.state.imports[index] = Some(Imported { uses: Vec::new(), protocols: Vec::new() });
        let entry = link::Import { slot, generation, uses: Vec::new() };
        self.event(Event::Import { import, entry: Box::new(entry) });
        import
    }

    /// Returns where the methods of a protocol begin among the uses of an import, which names them if need be.
    pub(super) fn place_of(&mut self, import: ImportId, protocol: &'static ProtocolSchema) -> Option<u16> {
        let imported = self.state.imports.get_mut(import.0 as usize)?.as_mut()?;
        if let Some((_, first)) = imported.protocols.iter().find(|(known, _)| std::ptr::eq(*known, protocol))
        {
            return Some(*first);
        }
        let first = u16::try_from(imported.uses.len()).ok()?;
        imported.protocols.push((protocol, first));
        imported.uses.extend((0..).take(protocol.methods.len()).map(|index| (protocol, index)));
        let uses = protocol.methods.iter().map(|method| as_method(protocol, method)).collect();
        self.event(Event::Uses { import, uses });
        Some(first)
    }

    /// Returns the method that is meant by its place among the uses of an import.
    pub(super) fn used(&self, import: ImportId, method: u16) -> Option<(&'static ProtocolSchema, u16)> {
        let imported = self.state.imports.get(import.0 as usize)?.as_ref()?;
        imported.uses.get(usize::from(method)).copied()
    }

    /// Returns the schema of a method that this side uses and that the peer takes for something else.
    pub(super) fn imported_method(
        &self,
        name: MethodName,
        theirs: Fingerprint,
    ) -> Option<&'static MethodSchema> {
        let mut uses = self.state.imports.iter().flatten().flat_map(|imported| &imported.uses);
        uses.find_map(|(protocol, index)| {
            let method = &protocol.methods[usize::from(*index)];
            (as_method(protocol, method).name == name && method.fingerprint.0 != theirs).then_some(method)
        })
    }

    /// Makes addresses of what the peer named in a message.
    pub(super) fn introduce(&mut self, addresses: &Addresses) -> Vec<AnyAddress> {
        let mut introduced: Vec<AnyAddress> = Vec::new();
        for entry in addresses.entries() {
            if self.state.imports.iter().flatten().count() >= IMPORTS_MAX {
                // The message refers to more than is there, and does not decode.
                break;
            }
            let import = self.add_import(entry.slot, Some(entry.generation));
            let path = format!("passed-{}", entry.slot);
            let import = Import::new(self.peer.strong(), import, &path, Origin::Passed);
            introduced.push(Box::new(Address::peer(import)));
        }
        introduced
    }
}

/// Actors of one peer that this side may know at a time.
const IMPORTS_MAX: usize = 4096;
