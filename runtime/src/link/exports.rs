//! The actors of this worker that a peer may reach: methods, credit, and where messages go.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use bailiwick_core::credit::Grant;
use bailiwick_core::link::{Event, Export, ExportId, Method, MethodName, Methods, Once, WatchId};
use bailiwick_core::pace::Rate;
use bailiwick_core::precedence::Priority;
use bailiwick_wire::FdKinds;
use bailiwick_wire::bootstrap;
use bailiwick_wire::frame::AddressEntry;
use bailiwick_wire::handshake::method_name;
use bailiwick_wire::reason::DownCause;
use bailiwick_wire::schema::{MethodSchema, ProtocolSchema};

use super::effect::Effect;
use super::peer::Turn;
use super::sends::Parcel;
use crate::address;
use crate::cell::Cell;
use crate::envelope::Envelope;
use crate::mailbox::{Mailbox, OnFull};
use crate::outlet::Outlet;
use crate::reference::Passed;

/// What stands behind one slot.
pub(super) struct Exported {
    pub(super) actor: Behind,
    /// The methods by their index in frames.
    pub(super) methods: Vec<Meant>,
    /// What may be lent beyond the first credit, over all peers.
    pub(super) lending: Arc<Lending>,
    /// Kinds of descriptors that the grant names for messages; `None` leaves them to the methods.
    pub(super) fds: Option<FdKinds>,
}

/// What a frame means by a method's index. The priority is the receiver's word: a frame has none.
#[derive(Clone, Copy, Debug)]
pub(super) struct Meant {
    pub(super) protocol: &'static ProtocolSchema,
    /// The index within the protocol.
    pub(super) method: u16,
    pub(super) priority: Priority,
}

/// The actor behind a slot.
pub(super) enum Behind {
    /// It runs, or did.
    Cell(Arc<Cell>),
    /// It is declared under this name and does not run yet.
    Early(String, Early),
}

/// What came for an actor that does not run yet.
#[derive(Default)]
pub(super) struct Early {
    messages: VecDeque<Box<Envelope>>,
    watches: Vec<WatchId>,
}

/// What a mailbox still lends to senders in other workers.
#[derive(Debug)]
pub(super) struct Lending(Mutex<Grant>);

impl Lending {
    /// Lends up to the capacity of a mailbox.
    pub(super) fn of(mailbox: &Mailbox) -> Self {
        let mailbox = mailbox.lendable();
        let bytes = mailbox.bytes().try_into().unwrap_or(u32::MAX);
        Self(Mutex::new(match mailbox.policy() {
            OnFull::Wait | OnFull::DropOldest | OnFull::DropNewest => {
                Grant { messages: mailbox.capacity(), bytes, fds: 0 }
            }
            // Each sender has the whole room from the start: with more, it would send what is refused here.
            _ => Grant::NONE,
        }))
    }

    /// Takes as much of a wish as is there.
    fn take(&self, wish: Grant) -> Grant {
        let mut left = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (messages, bytes) = (wish.messages.min(left.messages), wish.bytes.min(left.bytes));
        // Credit for messages without bytes, or the reverse, helps nobody.
        if messages == 0 || bytes == 0 {
            return Grant::NONE;
        }
        left.messages -= messages;
        left.bytes -= bytes;
        Grant { messages, bytes, fds: 0 }
    }

    fn give_back(&self, grant: Grant) {
        let mut left = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *left = left.plus(grant);
    }
}

/// Returns the machine's view of some protocols on one mailbox, and which method each index is.
pub(super) fn flatten(protocols: &[&'static ProtocolSchema]) -> (Vec<Method>, Vec<Meant>) {
    let mut methods = Vec::new();
    let mut meant = Vec::new();
    for protocol in protocols {
        for (method, index) in protocol.methods.iter().zip(0..) {
            let priority = if method.has_priority { Priority::High } else { Priority::Ordinary };
            methods.push(as_method(protocol, method));
            meant.push(Meant { protocol, method: index, priority });
        }
    }
    (methods, meant)
}

/// Returns the machine's view of a method.
pub(super) fn as_method(protocol: &ProtocolSchema, method: &MethodSchema) -> Method {
    let name = MethodName(method_name(protocol.name, method.name));
    Method { name, fingerprint: method.fingerprint.0 }
}

/// Returns the terms of a slot that the manifest grants.
pub(super) fn on_terms(export: Export, slot: &bootstrap::Slot) -> Export {
    let rate = slot.rate.map(|(messages, period)| Rate { messages, period });
    let once = match slot.once {
        bootstrap::Once::No => Once::No,
        bootstrap::Once::PerLife => Once::PerLife,
        bootstrap::Once::Ever => Once::Ever,
    };
    Export { rate, once, used: slot.used.iter().copied().collect(), ..export }
}

/// Returns the export of an actor with these protocols, of which some methods, or all, are granted.
pub(super) fn export(
    protocols: &[&'static ProtocolSchema],
    granted: Option<&[String]>,
    mailbox: &Mailbox,
    asks: u32,
) -> (Export, Vec<Meant>) {
    let (methods, meant) = flatten(protocols);
    let mailbox = mailbox.lendable();
    let is_granted = |&Meant { protocol, method, .. }: &Meant| {
        let name = protocol.methods[usize::from(method)].name;
        granted.is_none_or(|granted| granted.iter().any(|method| method == name))
    };
    let all = meant.iter().zip(0..).filter(|(meant, _)| is_granted(meant));
    let granted = all.fold(Methods::NONE, |methods, (_, index)| methods.with(index));
    let (first, wait) = match mailbox.policy() {
        OnFull::Wait => (Grant { messages: mailbox.capacity().clamp(1, FIRST.messages), ..FIRST }, true),
        // More than twice what the mailbox holds: of what comes while it is full, as much is dropped as comes, and a quarter
        // of all that was lent goes back together. So the sender is held up by nobody who does not take; but for descriptors.
        OnFull::DropOldest | OnFull::DropNewest => {
            let bytes = mailbox.bytes().try_into().unwrap_or(u32::MAX);
            let whole = Grant { messages: mailbox.capacity(), bytes, fds: 0 };
            (whole.plus(whole).plus(FIRST), true)
        }
        // Who may not wait needs the whole room from the start, or it is refused while there is some.
        _ => {
            let bytes = mailbox.bytes().try_into().unwrap_or(u32::MAX);
            (Grant { messages: mailbox.capacity().max(1), bytes, fds: FIRST.fds }, false)
        }
    };
    let rendezvous = mailbox.is_rendezvous();
    (Export { granted, wait, rendezvous, ..Export::plain(methods, first, asks) }, meant)
}

impl Turn<'_> {
    /// Returns what a frame's index means.
    pub(super) fn exported(&self, export: ExportId, method: u16) -> Option<Meant> {
        let exported = self.state.exports.get(export.target.slot as usize)?.as_ref()?;
        exported.methods.get(usize::from(method)).copied()
    }

    /// Returns the kinds of descriptors that the grant names for messages to an actor.
    pub(super) fn exported_fds(&self, export: ExportId) -> Option<FdKinds> {
        self.state.exports.get(export.target.slot as usize)?.as_ref()?.fds
    }

    /// Returns the schema of an exported method.
    pub(super) fn exported_method(&self, slot: u32, name: MethodName) -> Option<&'static MethodSchema> {
        let exported = self.state.exports.get(slot as usize)?.as_ref()?;
        let mut methods = exported
            .methods
            .iter()
            .map(|Meant { protocol, method, .. }| (*protocol, &protocol.methods[usize::from(*method)]));
        methods.find(|(protocol, method)| as_method(protocol, method).name == name).map(|(_, method)| method)
    }

    /// Returns the names of an ask's cycle, if the actor already waits for it. The asker's side finds those that
    /// it can name; an actor that was passed to it has a name only here.
    pub(super) fn cycle(&self, export: ExportId, envelope: &Envelope) -> Option<Vec<String>> {
        let exported = self.state.exports.get(export.target.slot as usize)?.as_ref()?;
        let Behind::Cell(cell) = &exported.actor else { return None };
        envelope.chain.as_ref()?.cycle(cell.id(), || cell.name())
    }

    /// Hands a message to the actor, or keeps it until the actor runs.
    pub(super) fn hand_over(&mut self, export: ExportId, envelope: Box<Envelope>) {
        match self.state.exports.get_mut(export.target.slot as usize) {
            Some(Some(exported)) => match &mut exported.actor {
                Behind::Cell(cell) => {
                    self.effects.push(Effect::Deliver(Arc::clone(cell), envelope));
                }
                Behind::Early(_, early) => early.messages.push_back(envelope),
            },
            Some(None) | None => self.effects.push(Effect::Drop(Box::new(envelope))),
        }
    }

    /// Notes that a declared actor runs, and hands over what came for it.
    pub(super) fn actor_runs(&mut self, cell: &Arc<Cell>) {
        let mut watches = Vec::new();
        for exported in self.state.exports.iter_mut().flatten() {
            let Behind::Early(name, early) = &mut exported.actor else { continue };
            if name == cell.path() {
                let Early { messages, watches: early } = std::mem::take(early);
                exported.actor = Behind::Cell(Arc::clone(cell));
                let deliver = |envelope| Effect::Deliver(Arc::clone(cell), envelope);
                self.effects.extend(messages.into_iter().map(deliver));
                watches.extend(early);
            }
        }
        watches.into_iter().for_each(|watch| self.watch_cell(Arc::clone(cell), watch));
    }

    pub(super) fn borrow(&mut self, export: ExportId, wish: Grant) -> Grant {
        let exported = self.state.exports.get(export.target.slot as usize).and_then(Option::as_ref);
        exported.map_or(Grant::NONE, |exported| exported.lending.take(wish))
    }

    pub(super) fn give_back(&mut self, export: ExportId, grant: Grant) {
        if let Some(Some(exported)) = self.state.exports.get(export.target.slot as usize) {
            exported.lending.give_back(grant);
        }
    }

    /// Watches an actor for the peer, or notes that it is to be watched from its start on.
    pub(super) fn watched(&mut self, export: ExportId, watch: WatchId) {
        match self.state.exports.get_mut(export.target.slot as usize) {
            Some(Some(Exported { actor: Behind::Cell(cell), .. })) => {
                let cell = Arc::clone(cell);
                self.watch_cell(cell, watch);
            }
            Some(Some(Exported { actor: Behind::Early(_, early), .. })) => early.watches.push(watch),
            Some(None) | None => self.actor_down(watch, DownCause::NoSuchActor),
        }
    }

    /// Forgets a watch of the peer's.
    pub(super) fn unwatched(&mut self, watch: WatchId) {
        for exported in self.state.exports.iter_mut().flatten() {
            if let Behind::Early(_, early) = &mut exported.actor {
                early.watches.retain(|known| *known != watch);
            }
        }
        let watched = self.state.watched.remove(&watch.0);
        self.effects.extend(watched.map(|(cell, id)| Effect::Unwatch(cell, id)));
    }

    fn watch_cell(&mut self, cell: Arc<Cell>, watch: WatchId) {
        let id = address::WatchId::next();
        self.state.watched.insert(watch.0, (Arc::clone(&cell), id));
        self.effects.push(Effect::Watch(cell, id, watch.0));
    }

    pub(super) fn export_gone(&mut self, slot: u32) {
        let gone = self.state.exports.get_mut(slot as usize).and_then(Option::take);
        if let Some(Exported { actor, .. }) = gone {
            self.effects.push(Effect::Drop(Box::new(actor)));
        }
    }

    /// Makes an actor known to the machine and to this side, in this slot.
    pub(super) fn add_export(&mut self, slot: u32, export: Export, exported: Exported) {
        self.put_export(slot, exported);
        self.event(Event::Export { slot, export: Box::new(export) });
    }

    /// Changes what the peer may reach in this slot, or makes something reachable there.
    pub(super) fn regrant(&mut self, slot: u32, export: Export, exported: Exported) {
        match self.state.exports.get_mut(slot as usize) {
            Some(Some(present)) => present.fds = exported.fds,
            Some(None) | None => self.put_export(slot, exported),
        }
        self.event(Event::Regrant { slot, export: Box::new(export) });
    }

    fn put_export(&mut self, slot: u32, exported: Exported) {
        let index = slot as usize;
        if self.state.exports.len() <= index {
            self.state.exports.resize_with(index + 1, || None);
        }
        self.state.exports[index] = Some(exported);
    }

    /// Gives each address that travels with a message a slot of its own.
    pub(super) fn name_addresses(&mut self, parcel: &mut Parcel) {
        for address in parcel.beside.addresses() {
            let Some(Passed { cell, protocol }) = address.downcast_ref::<Passed>() else { continue };
            let mailbox = cell.queue.bounds();
            let (export, methods) = export(&[protocol], None, &mailbox, PASSED_ASKS);
            let lending = Arc::new(Lending::of(&mailbox));
            let actor = Behind::Cell(Arc::clone(cell));
            let target = self.state.link.vacant_export();
            self.add_export(
                target.slot,
                Export { lasting: false, ..export },
                Exported { actor, methods, lending, fds: None },
            );
            let entry = AddressEntry { slot: target.slot, generation: target.generation };
            // The codec lets no more addresses into a message than fit here.
            let _ = parcel.extensions.get_or_insert_default().addresses.push(entry);
        }
    }
}

/// The credit of a sender that has not shown yet that it needs more.
const FIRST: Grant = Grant { messages: 16, bytes: 64 << 10, fds: 16 };
/// Asks that may be open at a time to an actor whose address was passed on.
const PASSED_ASKS: u32 = 64;
