//! The actors of a peer's that this worker may reach: an address resolves to one of these.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use bailiwick_core::link::{self, Event, Fingerprint, ImportId, MethodName, Patience};
use bailiwick_wire::descriptors::AnyAddress;
use bailiwick_wire::frame::{Addresses, AskChain, Extensions, TraceContext};
use bailiwick_wire::reason::NotDelivered;
use bailiwick_wire::schema::{MethodSchema, ProtocolSchema};
use bailiwick_wire::{FdKinds, Limit, bootstrap};

use super::exports::as_method;
use super::peer::{Peer, Turn, Watching};
use super::peers::kinds;
use super::sends::{Offered, Parcel, SendOutcome, Sent, Terms};
use super::sides::Sides;
use crate::address::{Address, WatchId};
use crate::blob::Loans;
use crate::chain::id_of;
use crate::envelope::Envelope;
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
    way: Way,
    import: ImportId,
    path: String,
    id: u64,
    origin: Mutex<Origin>,
    this: Weak<Self>,
}

/// Which life of the peer messages go to.
pub(super) enum Way {
    /// The one that is routed at the time.
    Routed(Arc<Sides>),
    /// The one that named the actor in a message.
    Life(Arc<Peer>),
}

impl Way {
    fn peer(&self) -> &Arc<Peer> {
        match self {
            Self::Routed(sides) => sides.routed(),
            Self::Life(peer) => peer,
        }
    }

    fn turn<R>(&self, act: impl FnOnce(&mut Turn<'_>) -> R) -> R {
        match self {
            Self::Routed(sides) => sides.turn(act),
            Self::Life(peer) => peer.turn(act),
        }
    }

    fn find<R>(&self, look: impl Fn(&mut Turn<'_>) -> Option<R>) -> Option<R> {
        match self {
            Self::Routed(sides) => sides.find(look),
            Self::Life(peer) => peer.turn(look),
        }
    }
}

impl Import {
    pub(super) fn new(way: Way, import: ImportId, path: &str, origin: Origin) -> Arc<Self> {
        let id = id_of(&format!("{}/{path}", way.peer().title()));
        let (path, origin) = (path.to_owned(), Mutex::new(origin));
        Arc::new_cyclic(|this| Self { way, import, path, id, origin, this: this.clone() })
    }

    /// Notes that other kinds of descriptors may travel from now on.
    pub(super) fn regrant(&self, origin: Origin) {
        *self.origin.lock().unwrap_or_else(PoisonError::into_inner) = origin;
    }

    fn origin(&self) -> Origin {
        *self.origin.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says early that messages of a protocol will be sent, so that the shapes are compared before the first.
    pub(super) fn declare(&self, protocol: &'static ProtocolSchema) {
        let declare = |side: &Arc<Peer>| _ = side.turn(|turn| turn.place_of(self.import, protocol));
        match &self.way {
            Way::Routed(sides) => sides.all().for_each(declare),
            Way::Life(peer) => declare(peer),
        }
    }

    fn parcel(&self, envelope: &Envelope) -> Result<Parcel, NotDelivered> {
        let peer = self.way.peer();
        let (mut bytes, limits) = peer.encoder();
        let mut beside = envelope.message.encode(&limits, &mut bytes)?;
        let is_bare =
            !envelope.reply.is_awaited() && beside.descriptors().is_empty() && envelope.chain.is_none();
        if is_bare {
            // Nothing that the grant says of descriptors, now or with a reply, concerns it.
            return Ok(Parcel {
                bytes,
                beside,
                extensions: traced(envelope.trace.as_deref()),
                terms: Terms::default(),
            });
        }
        let origin = self.origin();
        let (message_fds, reply_fds) = origin.fds();
        if message_fds.is_some_and(|granted| !granted.contains_all(beside.kinds())) {
            return Err(NotDelivered::NotGranted);
        }
        // Only now, for what is written into memory that the peer was lent before is seen by it.
        peer.decide(&mut beside).map_err(|error| error.reason())?;
        let mut extensions = traced(envelope.trace.as_deref());
        if let Some(waiting) = &envelope.chain {
            let chain = &mut extensions.get_or_insert_default().chain;
            for id in waiting.ids().into_iter().rev() {
                let found = AskChain::MAX as u64 + 1;
                let too_long = |limit| NotDelivered::TooLarge { limit, found, max: AskChain::MAX as u64 };
                chain.push(id).map_err(|_| too_long(Limit::Chain))?;
            }
        }
        let terms = Terms { reply_fds, lasts: origin != Origin::Passed };
        Ok(Parcel { bytes, beside, extensions, terms })
    }
}

/// Returns the extensions of a message of a trace.
fn traced(trace: Option<&TraceContext>) -> Option<Box<Extensions>> {
    trace.is_some().then(|| Box::new(Extensions { trace: trace.copied(), ..Extensions::default() }))
}

impl Outlet for Import {
    fn name(&self) -> ActorName {
        let peer = self.way.peer();
        let generation = Some(peer.lock().peer.generation).filter(|number| *number > 0);
        ActorName::new(&peer.worker, peer.instance, &self.path, generation)
    }

    fn id(&self) -> u64 {
        self.id
    }

    fn is_up(&self) -> bool {
        self.way.peer().lock().link.is_open()
    }

    fn is_coming(&self) -> bool {
        self.way.peer().lock().link.is_opening()
    }

    fn offer(&self, envelope: Box<Envelope>, room: Room) -> Result<Accepted, Box<Refused>> {
        let mut parcel = match self.parcel(&envelope) {
            Ok(parcel) => parcel,
            Err(reason) => return Err(Box::new(Refused { envelope, reason })),
        };
        // What is left of a message, and what goes beside it, is dropped out here: it may be anything of the user's.
        let mut next = envelope;
        let patience = match room {
            Room::Wait => Patience::Wait,
            Room::Now => Patience::Now,
        };
        let sent = loop {
            match self.way.turn(|turn| turn.offer(self.import, next, &mut parcel, patience)) {
                Offered::Sent(None) => return Ok(Accepted::Queued),
                Offered::Sent(Some(sent)) => break *sent,
                // Another link has taken the place of the one that what goes beside it was decided for.
                Offered::Elsewhere(envelope) => {
                    if let Err(error) = self.way.peer().decide(&mut parcel.beside) {
                        return Err(Box::new(Refused { envelope, reason: error.reason() }));
                    }
                    next = envelope;
                }
            }
        };
        let Sent { parcel: _beside, envelope, left: _left, outcome, .. } = sent;
        match outcome {
            SendOutcome::Written | SendOutcome::Buffered => Ok(Accepted::Queued),
            SendOutcome::Kept(line) => Ok(Accepted::Parked(line)),
            SendOutcome::Refused(reason) => {
                let envelope = envelope.expect("a refused message stays at hand");
                Err(Box::new(Refused { envelope, reason }))
            }
        }
    }

    fn loans(&self) -> Option<Arc<Loans>> {
        self.way.peer().lock().loans().map(Arc::clone)
    }

    fn withdraw(&self, line: &Ticket) {
        self.way.find(|turn| turn.withdraw(line).then_some(()));
    }

    fn watch(&self, id: WatchId, notify: Notify) {
        let Some(this) = self.this.upgrade() else { return };
        let watching = Watching { notify, address: Address::peer(this) };
        self.way.turn(|turn| turn.watch(self.import, id.as_u64(), watching));
    }

    fn unwatch(&self, id: WatchId) {
        let watch = link::WatchId(id.as_u64());
        let forgotten = self.way.find(|turn| {
            turn.event(Event::Unwatch { watch });
            turn.state.watches.remove(&watch.0)
        });
        drop(forgotten);
    }
}

impl Drop for Import {
    fn drop(&mut self) {
        if let Way::Life(peer) = &self.way {
            peer.turn(|turn| turn.event(Event::Forget { import: self.import }));
        }
    }
}

impl Turn<'_> {
    /// Makes an actor of the peer's known to the machine, in this place.
    pub(super) fn add_import(&mut self, import: ImportId, entry: link::Import) {
        let index = import.0 as usize;
        if self.state.imports.len() <= index {
            self.state.imports.resize_with(index + 1, || None);
        }
        self.state.imports[index] = Some(Imported { uses: Vec::new(), protocols: Vec::new() });
        self.event(Event::Import { import, entry: Box::new(entry) });
    }

    /// Tells whether there is something in this place.
    pub(super) fn knows(&self, import: ImportId) -> bool {
        self.state.imports.get(import.0 as usize).is_some_and(Option::is_some)
    }

    /// Watches an actor of the peer's.
    pub(super) fn watch(&mut self, import: ImportId, watch: u64, watching: Watching) {
        self.state.watches.insert(watch, watching);
        self.event(Event::Watch { import, watch: link::WatchId(watch) });
    }

    /// Returns the protocols that were spoken to an actor of the peer's, in their order.
    pub(super) fn protocols(&self, import: ImportId) -> Vec<&'static ProtocolSchema> {
        let imported = self.state.imports.get(import.0 as usize).and_then(Option::as_ref);
        imported
            .map(|imported| imported.protocols.iter().map(|(protocol, _)| *protocol).collect())
            .unwrap_or_default()
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
        self.event(Event::Uses { import, uses, learnt: protocol.is_learnt });
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
            let import = self.state.link.vacant_import();
            let (slot, generation) = (entry.slot, Some(entry.generation));
            self.add_import(import, link::Import { slot, generation, uses: Vec::new(), rendezvous: false });
            let path = format!("passed-{}", entry.slot);
            let import = Import::new(Way::Life(self.peer.strong()), import, &path, Origin::Passed);
            introduced.push(Box::new(Address::peer(import)));
        }
        introduced
    }
}

/// Returns what is known of an actor that the manifest grants.
pub(super) fn granted(number: u32, slot: &bootstrap::Slot) -> link::Import {
    link::Import { slot: number, generation: None, uses: Vec::new(), rendezvous: slot.rendezvous }
}

/// Actors of one peer that this side may know at a time.
const IMPORTS_MAX: usize = 4096;
