//! The two tables of a link: what this side lets the peer reach, and what it reaches at the peer.

use alloc::vec::Vec;

use super::frame::{Method, Target, Terms};
use super::limbo::Limbo;
use super::line::Line;
use crate::credit::{Allowance, Grant, Ledger, Payment};
use crate::pace::{Pace, Rate};
use crate::time::Instant;

/// Slots below this one, and places of imports, are those of the manifest: none of them is given to what a message
/// names, so that one can be added while the link is in use.
pub const STATIC_SLOTS: u32 = 64;

/// Methods of one slot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Methods([u64; 2]);

impl Methods {
    /// The most methods that a protocol may have.
    pub const MAX: u16 = 128;
    /// No method.
    pub const NONE: Self = Self([0; 2]);

    /// Returns the first `count` methods, at most [`Methods::MAX`].
    pub const fn first(count: u16) -> Self {
        let bits = if count >= Self::MAX { u128::MAX } else { (1 << count) - 1 };
        Self([bits as u64, (bits >> 64) as u64])
    }

    /// Returns these methods and `method`; one beyond [`Methods::MAX`] changes nothing.
    #[must_use]
    pub const fn with(self, method: u16) -> Self {
        self.union(Self::only(method))
    }

    /// Returns these methods without `method`.
    #[must_use]
    pub const fn without(self, method: u16) -> Self {
        let Self([low, high]) = Self::only(method);
        Self([self.0[0] & !low, self.0[1] & !high])
    }

    const fn only(method: u16) -> Self {
        match method {
            ..64 => Self([1 << method, 0]),
            64..Self::MAX => Self([0, 1 << (method - 64)]),
            _ => Self::NONE,
        }
    }

    /// Tells whether `method` is among them.
    pub const fn has(self, method: u16) -> bool {
        method < Self::MAX && self.0[(method / 64) as usize] >> (method % 64) & 1 != 0
    }

    /// Returns those that are in either.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self([self.0[0] | other.0[0], self.0[1] | other.0[1]])
    }

    /// Returns the bits, the first method in the lowest of the first.
    pub const fn bits(self) -> [u64; 2] {
        self.0
    }

    /// Returns the methods of these bits.
    pub const fn from_bits(bits: [u64; 2]) -> Self {
        Self(bits)
    }
}

impl FromIterator<u16> for Methods {
    fn from_iter<I: IntoIterator<Item = u16>>(methods: I) -> Self {
        methods.into_iter().fold(Self::NONE, Self::with)
    }
}

/// How often the peer may use each method of an actor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Once {
    /// Any number of times.
    #[default]
    No,
    /// Once in each life of the peer.
    PerLife,
    /// Once, over all lives of the peer.
    Ever,
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
    /// Whether the mailbox holds nothing, so that a tell ends when the actor takes it.
    pub rendezvous: bool,
    /// Asks that the peer may have open at a time.
    pub asks: u32,
    /// Whether the slot outlives the peer's incarnation, as those of the manifest do.
    pub lasting: bool,
    /// How fast messages may come.
    pub rate: Option<Rate>,
    /// How often each method may be used.
    pub once: Once,
    /// Methods that were used before, where each may be used once.
    pub used: Methods,
}

impl Export {
    /// Returns a lasting actor with these methods, all of which are granted without bounds of their own.
    pub fn plain(methods: Vec<Method>, first: Grant, asks: u32) -> Self {
        let granted = Methods::first(u16::try_from(methods.len()).unwrap_or(u16::MAX));
        let (wait, rendezvous, lasting) = (true, false, true);
        let (rate, once, used) = (None, Once::No, Methods::NONE);
        Self { methods, granted, first, wait, rendezvous, asks, lasting, rate, once, used }
    }
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
    /// Whether its mailbox is declared to hold nothing. What the peer's offer says takes the place of that.
    pub rendezvous: bool,
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
    /// The peer has named uses of it while nothing was there.
    pub(super) asked_for: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct LiveExport {
    pub(super) export: Export,
    /// What is granted at present; `export.granted` is what was ever granted.
    pub(super) granted: Methods,
    pub(super) ledger: Ledger,
    pub(super) pace: Option<Pace>,
    /// Methods that were used, where each may be used once.
    pub(super) used: Methods,
    /// Asks of the peer that are being handled.
    pub(super) asks: u32,
    /// What was lent beyond the first credit.
    pub(super) borrowed: Grant,
    /// The peer holds an offer on the present transport.
    pub(super) offered: bool,
}

impl LiveExport {
    pub(super) fn new(export: Export) -> Self {
        let (granted, used, pace) = (export.granted, export.used, export.rate.map(Pace::new));
        let (ledger, borrowed) = (Ledger::default(), Grant::NONE);
        Self { export, granted, ledger, pace, used, asks: 0, borrowed, offered: false }
    }

    /// Returns the terms, and opens the books at the first offer on a transport.
    pub(super) fn offer(&mut self, generation: u32, now: Instant) -> Terms {
        let Export { wait, rendezvous, asks, once, .. } = self.export;
        let rate = self.pace.as_ref().map(|pace| (pace.rate(), pace.left(now)));
        let grant = if self.offered { Grant::NONE } else { self.open_books(now) };
        self.offered = true;
        let (once, used) = (once != Once::No, self.used);
        Terms { generation, grant, wait, rendezvous, asks, rate, once, used }
    }

    /// Opens the books and returns the first credit: of what the rate permits, as much as is there.
    fn open_books(&mut self, now: Instant) -> Grant {
        let first = self.export.first;
        let Some(pace) = &mut self.pace else {
            self.ledger = Ledger::new(first);
            return first;
        };
        let lent = Grant { messages: first.messages.min(pace.rate().messages).max(1), ..first };
        let handed = pace.hand_out(lent.messages, now);
        self.ledger = Ledger::holding_back(lent, lent.messages - handed);
        Grant { messages: handed, ..lent }
    }

    /// Notes that messages have left the mailbox. Returns credit to give for them, and for those before them.
    pub(super) fn take(&mut self, taken: Grant, now: Instant) -> Option<Payment> {
        if self.pace.is_none() {
            return self.ledger.take_all(taken).map(|back| Payment { back, more: Grant::NONE });
        }
        self.ledger.put_by(taken);
        self.pay(now)
    }

    /// Returns what more should be lent: nothing to a peer that its rate keeps waiting.
    pub(super) fn wish(&mut self, now: Instant) -> Option<Grant> {
        let Some(pace) = &self.pace else { return self.ledger.wish() };
        let most = pace.rate().messages.saturating_sub(self.ledger.lent().messages);
        if most == 0 || pace.earned(now) == 0 {
            return None;
        }
        self.ledger.wish().map(|wish| Grant { messages: wish.messages.min(most), ..wish })
    }

    /// Enters what the mailbox lends beyond the first credit. Returns what of it is given at once.
    pub(super) fn lend(&mut self, grant: Grant, now: Instant) -> Option<Payment> {
        self.borrowed = self.borrowed.plus(grant);
        if self.pace.is_some() {
            self.ledger.promise(grant);
            return self.pay(now);
        }
        self.ledger.lend(grant);
        Some(Payment { back: Grant::NONE, more: grant })
    }

    /// Returns the credit that the peer has earned by now, once it may be waiting or so much has come together as is announced.
    pub(super) fn pay(&mut self, now: Instant) -> Option<Payment> {
        let pace = self.pace.as_mut().filter(|_| self.offered)?;
        let due = self.ledger.put_by_messages().min(pace.earned(now));
        let enough = if self.ledger.is_awaited() { 1 } else { self.ledger.lent().announced_at().messages };
        (due >= enough).then(|| self.ledger.pay(pace.hand_out(due, now)))
    }

    /// Returns when there is credit to pay to a peer that may be waiting for it.
    pub(super) fn pays_at(&self) -> Option<Instant> {
        let pace = self.pace.as_ref().filter(|_| self.offered)?;
        pace.due().filter(|_| self.ledger.is_awaited())
    }

    /// Closes the books with the transport.
    pub(super) fn withdraw(&mut self) {
        if let Some(pace) = &mut self.pace {
            pace.give_back(self.ledger.left());
        }
        (self.ledger, self.asks, self.offered) = (Ledger::default(), 0, false);
    }

    /// Notes that a method was used; returns whether that is to be remembered beyond this process.
    pub(super) fn note_use(&mut self, method: u16) -> bool {
        if self.export.once == Once::No {
            return false;
        }
        self.used = self.used.with(method);
        self.export.once == Once::Ever
    }
}

/// One place of the table of imports.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct ImportSlot {
    pub(super) import: Import,
    /// What is known of each of the uses.
    pub(super) access: Vec<Access>,
    /// Those of the uses that are named only once a link is open.
    pub(super) learnt: Vec<Method>,
    pub(super) reach: Reach,
    pub(super) generation: u32,
    pub(super) allowance: Allowance,
    pub(super) wait: bool,
    /// Its mailbox holds nothing; where that is not declared, not known before the first offer of any life.
    pub(super) rendezvous: Option<bool>,
    /// What this side may still send by the rate: credit holds to that too, but does not say why it is spent.
    pub(super) pace: Option<Pace>,
    /// Each method may be used once.
    pub(super) once: bool,
    pub(super) asks_max: u32,
    /// Asks that are written and not ended, and tells that are written and not taken, where that matters.
    pub(super) asks: u32,
    pub(super) limbo: Limbo,
    /// Sends that wait.
    pub(super) waiting: Line,
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
    /// Granted for one use, which was made.
    Used,
}

impl ImportSlot {
    pub(super) fn new(import: Import) -> Self {
        let access = import.uses.iter().map(|_| Access::Asked).collect();
        let rendezvous = import.rendezvous.then_some(true);
        Self {
            import,
            access,
            learnt: Vec::new(),
            reach: Reach::Unknown,
            generation: 0,
            allowance: Allowance::default(),
            wait: true,
            rendezvous,
            pace: None,
            once: false,
            asks_max: 0,
            asks: 0,
            limbo: Limbo::default(),
            waiting: Line::default(),
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
            Some(Access::Asked | Access::NotGranted | Access::Refused | Access::Used) | None => None,
        }
    }

    /// Notes that the peer takes messages for this actor.
    pub(super) fn offered(&mut self, terms: &Terms, now: Instant) {
        if self.import.generation.is_some_and(|meant| meant != terms.generation) {
            // The slot has a new use already; the actor that was meant is gone.
            self.reach = Reach::Gone;
            return;
        }
        if self.reach != Reach::Offered {
            self.reach = Reach::Offered;
            self.generation = terms.generation;
            self.allowance = Allowance::default();
            // Lives before this one may have spent of it.
            self.pace = None;
        }
        self.allowance.add(terms.grant);
        self.wait = terms.wait;
        self.rendezvous = Some(terms.rendezvous);
        self.asks_max = terms.asks;
        self.once = terms.once;
        match (&mut self.pace, terms.rate) {
            (Some(pace), Some((rate, _))) if pace.rate() != rate => pace.change(rate, now),
            (Some(_), Some(_)) => {}
            (pace, rate) => *pace = rate.map(|(rate, left)| Pace::with_left(rate, left, now)),
        }
    }

    /// Tells whether the rate permits a message now.
    pub(super) fn is_in_time(&self, now: Instant) -> bool {
        self.pace.as_ref().is_none_or(|pace| pace.earned(now) > 0)
    }

    /// Notes that a message is sent by this method.
    pub(super) fn note_use(&mut self, used: u16, now: Instant) {
        if let Some(pace) = &mut self.pace {
            pace.hand_out(1, now);
            pace.spend(now);
        }
        if let Some(access) = self.access.get_mut(usize::from(used)).filter(|_| self.once) {
            *access = Access::Used;
        }
    }

    /// Forgets what the peer offered; a slot that does not last is gone with the transport.
    pub(super) fn withdraw(&mut self) {
        self.reach = if self.import.is_lasting() { Reach::Unknown } else { Reach::Gone };
        self.access.fill(Access::Asked);
    }
}
