//! The two tables of a link: what this side lets the peer reach, and what it reaches at the peer.

use alloc::vec::Vec;

use super::frame::{Fingerprint, Target};
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
    /// What is granted.
    pub methods: Methods,
    /// What each method of the protocol is, by index.
    pub fingerprints: Vec<Fingerprint>,
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
    pub target: Target,
    /// The methods that will be used, with what this side takes them to be.
    pub uses: Vec<(u16, Fingerprint)>,
    /// For an actor that the peer named in a message: the credit that came with the name.
    pub named: Option<Named>,
}

/// What comes with the name of an actor in a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Named {
    /// The first credit.
    pub grant: Grant,
    /// Whether a sender without credit waits.
    pub wait: bool,
    /// Asks that may be open at a time.
    pub asks: u32,
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
    /// `export.methods` without what was revoked.
    pub(super) granted: Methods,
    pub(super) ledger: Ledger,
    /// Asks of the peer that are being handled.
    pub(super) asks: u32,
    /// What was lent beyond the first credit.
    pub(super) borrowed: Grant,
}

impl LiveExport {
    pub(super) fn new(export: Export) -> Self {
        let granted = export.methods;
        Self { export, granted, ledger: Ledger::default(), asks: 0, borrowed: Grant::NONE }
    }

    /// Opens the books for a fresh transport.
    pub(super) fn offer(&mut self) {
        self.ledger = Ledger::new(self.export.first);
        self.asks = 0;
    }
}

/// One place of the table of imports.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct ImportSlot {
    pub(super) import: Import,
    pub(super) methods: Methods,
    pub(super) reach: Reach,
    pub(super) allowance: Allowance,
    pub(super) wait: bool,
    pub(super) asks_max: u32,
    /// Asks that are written and not ended.
    pub(super) asks: u32,
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

impl ImportSlot {
    pub(super) fn new(import: Import) -> Self {
        let methods = import.uses.iter().fold(Methods::NONE, |methods, (method, _)| methods.with(*method));
        let mut slot = Self {
            import,
            methods,
            reach: Reach::Unknown,
            allowance: Allowance::default(),
            wait: true,
            asks_max: 0,
            asks: 0,
            waiting: Queue::default(),
            waiting_count: 0,
            forgotten: false,
        };
        if let Some(named) = slot.import.named {
            slot.offered(slot.import.target, named);
        }
        slot
    }

    /// Notes that the peer takes messages for this actor.
    pub(super) fn offered(&mut self, target: Target, named: Named) {
        self.import.target = target;
        self.reach = Reach::Offered;
        self.allowance = Allowance::default();
        self.allowance.add(named.grant);
        self.wait = named.wait;
        self.asks_max = named.asks;
    }
}
