//! The two tables of a link: what this side lets the peer reach, and what it reaches at the peer.

use alloc::vec::Vec;

use super::frame::{Method, Target, Terms};
use super::limbo::Limbo;
use crate::asks::Queue;
use crate::credit::{Allowance, Grant, Ledger};

/// Methods of one slot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Methods(u128);

impl Methods {
    /// The most methods that a protocol may have.
    pub const MAX: u16 = 128;
    /// No method.
    pub const NONE: Self = Self(0);

    /// Returns the first `count` methods, at most [`Methods::MAX`].
    pub const fn first(count: u16) -> Self {
        if count >= Self::MAX { Self(u128::MAX) } else { Self((1 << count) - 1) }
    }

    /// Returns these methods and `method`; one beyond [`Methods::MAX`] changes nothing.
    #[must_use]
    pub const fn with(self, method: u16) -> Self {
        if method < Self::MAX { Self(self.0 | 1 << method) } else { self }
    }

    /// Returns these methods without `method`.
    #[must_use]
    pub const fn without(self, method: u16) -> Self {
        if method < Self::MAX { Self(self.0 & !(1 << method)) } else { self }
    }

    /// Tells whether `method` is among them.
    pub const fn has(self, method: u16) -> bool {
        method < Self::MAX && self.0 & 1 << method != 0
    }
}

/// A slot of this side's table in one of its uses, as reached over one transport. What was delivered over an
/// earlier one owes the present one nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ExportId {
    /// The slot.
    pub target: Target,
    /// Counts the transports of this link.
    pub link: u32,
}

/// An index into the table of what this side reaches at the peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ImportId(pub u32);

/// An actor of this side that the peer may reach.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Export {
    /// Every method of the actor, by index in frames; at most [`Methods::MAX`].
    pub methods: Vec<Method>,
    /// What is granted of them.
    pub granted: Methods,
    /// The credit that the peer has from the start.
    pub first: Grant,
    /// Whether a sender without credit waits.
    pub wait: bool,
    /// Asks that the peer may have open at a time.
    pub asks: u32,
    /// Whether the slot outlives the peer's incarnation, as those of the manifest do.
    pub lasting: bool,
}

/// An actor of the peer's that this side may reach.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Import {
    /// The slot in the peer's table.
    pub slot: u32,
    /// The use of the slot that is meant, if the peer named it in a message: then it goes with the peer's
    /// incarnation. Those of the manifest last, and their use is learnt by the offer.
    pub generation: Option<u32>,
    /// The methods that will be used; a send names one by its place here.
    pub uses: Vec<Method>,
}

impl Import {
    pub(super) fn is_lasting(&self) -> bool {
        self.generation.is_none()
    }
}

/// One slot of the table of exports. The generation of a vacant slot is the one of its next use.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct ExportSlot {
    pub(super) generation: u32,
    pub(super) live: Option<LiveExport>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct LiveExport {
    pub(super) export: Export,
    /// `export.granted` without what was revoked.
    pub(super) granted: Methods,
    pub(super) ledger: Ledger,
    /// Asks of the peer that are being handled.
    pub(super) asks: u32,
    /// What was lent beyond the first credit.
    pub(super) borrowed: Grant,
    /// The peer holds an offer on the present transport.
    pub(super) offered: bool,
}

impl LiveExport {
    pub(super) fn new(export: Export) -> Self {
        let granted = export.granted;
        Self { export, granted, ledger: Ledger::default(), asks: 0, borrowed: Grant::NONE, offered: false }
    }

    /// Returns the terms, and opens the books at the first offer on a transport.
    pub(super) fn offer(&mut self, generation: u32) -> Terms {
        let Export { first, wait, asks, .. } = self.export;
        let grant = if self.offered { Grant::NONE } else { first };
        if !self.offered {
            self.ledger = Ledger::new(first);
            self.offered = true;
        }
        Terms { generation, grant, wait, asks }
    }

    /// Closes the books with the transport.
    pub(super) fn withdraw(&mut self) {
        (self.ledger, self.asks, self.offered) = (Ledger::default(), 0, false);
    }
}

/// One place of the table of imports.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct ImportSlot {
    pub(super) import: Import,
    /// What is known of each of the uses.
    pub(super) access: Vec<Access>,
    pub(super) reach: Reach,
    pub(super) generation: u32,
    pub(super) allowance: Allowance,
    pub(super) wait: bool,
    pub(super) asks_max: u32,
    /// Asks that are written and not ended.
    pub(super) asks: u32,
    pub(super) limbo: Limbo,
    /// Sends that wait, oldest first.
    pub(super) waiting: Queue,
    pub(super) waiting_count: u32,
    /// No local address names it; the place is free once nothing waits or is open.
    pub(super) forgotten: bool,
}

/// What is known of an actor of the peer's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Reach {
    /// The peer has not offered it yet on the present transport.
    Unknown,
    /// The peer takes messages for it.
    Offered,
    /// It is no longer there.
    Gone,
}

/// What is known of a use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Access {
    /// The peer has not answered yet on the present transport.
    Asked,
    /// Granted, with this index in frames.
    As(u16),
    /// Not granted, or the actor has no such method.
    NotGranted,
    /// The two sides take it for different things.
    Refused,
}

impl ImportSlot {
    pub(super) fn new(import: Import) -> Self {
        let access = import.uses.iter().map(|_| Access::Asked).collect();
        Self {
            import,
            access,
            reach: Reach::Unknown,
            generation: 0,
            allowance: Allowance::default(),
            wait: true,
            asks_max: 0,
            asks: 0,
            limbo: Limbo::default(),
            waiting: Queue::default(),
            waiting_count: 0,
            forgotten: false,
        }
    }

    pub(super) fn target(&self) -> Target {
        Target { slot: self.import.slot, generation: self.generation }
    }

    /// Returns the index in frames of a use, once the peer has told it.
    pub(super) fn wire_method(&self, used: u16) -> Option<u16> {
        match self.access.get(usize::from(used)) {
            Some(Access::As(index)) => Some(*index),
            Some(Access::Asked | Access::NotGranted | Access::Refused) | None => None,
        }
    }

    /// Notes that the peer takes messages for this actor.
    pub(super) fn offered(&mut self, terms: &Terms) {
        if self.import.generation.is_some_and(|meant| meant != terms.generation) {
            // The slot has a new use already; the actor that was meant is gone.
            self.reach = Reach::Gone;
            return;
        }
        if self.reach != Reach::Offered {
            self.reach = Reach::Offered;
            self.generation = terms.generation;
            self.allowance = Allowance::default();
        }
        self.allowance.add(terms.grant);
        self.wait = terms.wait;
        self.asks_max = terms.asks;
    }

    /// Forgets what the peer offered; a slot that does not last is gone with the transport.
    pub(super) fn withdraw(&mut self) {
        self.reach = if self.import.is_lasting() { Reach::Unknown } else { Reach::Gone };
        self.access.fill(Access::Asked);
    }
}
