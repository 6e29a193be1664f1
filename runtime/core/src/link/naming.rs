//! Who may be named over the link: entries of the two tables come and go.
//!
//! A slot that is given up moves to its next generation, so that what still names the old one meets nobody. A
//! slot made for one message (an address that travelled) is told back by the peer when no address is left.

use alloc::vec::Vec;

use super::event::Action;
use super::fault::Fault;
use super::frame::{Frame, Target};
use super::tables::{
    Export, ExportId, ExportSlot, Import, ImportId, ImportSlot, LiveExport, Methods, Once, Reach,
    STATIC_SLOTS,
};
use super::{Link, State, arrival};
use crate::pace::Pace;
use crate::time::Instant;

impl Link {
    /// Makes an actor reachable for the peer.
    pub(super) fn export(&mut self, slot: u32, export: Export, actions: &mut Vec<Action>) {
        let open = match self.state {
            State::Closed | State::Greeting { .. } => false,
            State::Open | State::Draining { .. } => self.dying.is_none(),
        };
        if !export.lasting && !open {
            actions.push(Action::ExportGone { slot });
            return;
        }
        while self.exports.len() <= slot as usize {
            let vacant = self.exports.len() as u32;
            self.vacant_exports.extend(Some(vacant).filter(|vacant| *vacant >= STATIC_SLOTS));
            self.exports.push(ExportSlot::default());
        }
        if self.exports[slot as usize].live.is_some() {
            return;
        }
        if slot >= STATIC_SLOTS {
            let Some(place) = self.vacant_exports.iter().rposition(|vacant| *vacant == slot) else { return };
            self.vacant_exports.swap_remove(place);
        }
        self.paced.extend(export.rate.map(|_| slot));
        self.exports[slot as usize].live = Some(LiveExport::new(export));
    }

    /// Changes what the peer may reach behind a slot, and tells it.
    pub(super) fn regrant(&mut self, now: Instant, slot: u32, export: Export, actions: &mut Vec<Action>) {
        let live = self.exports.get_mut(slot as usize).and_then(|entry| entry.live.as_mut());
        let Some(live) = live.filter(|live| live.export.methods == export.methods) else {
            self.revoke(slot, actions);
            self.export(slot, export, actions);
            let is_asked_for = self.exports.get(slot as usize).is_some_and(|entry| entry.asked_for);
            return if is_asked_for && self.has_greeted() {
                self.offer_anew(now, slot, actions)
            };
        };
        // What was granted before may still be under way.
        let ever = live.export.granted.union(export.granted);
        let keeps_count = live.export.once == export.once;
        live.used = if keeps_count { live.used.union(export.used) } else { export.used };
        live.granted = export.granted;
        let was_paced = live.pace.is_some();
        match (&mut live.pace, export.rate) {
            (Some(pace), Some(rate)) if pace.rate() != rate => pace.change(rate, now),
            (Some(_), Some(_)) | (None, None) => {}
            (pace, rate) => *pace = rate.map(|rate| Pace::beginning(rate, live.ledger.left())),
        }
        // What the rate held back nobody else gives.
        let held_back = (was_paced && live.pace.is_none()).then(|| live.ledger.pay(u32::MAX));
        live.export = Export { granted: ever, ..export };
        self.paced.retain(|paced| *paced != slot);
        self.paced.extend(live.export.rate.map(|_| slot));
        if live.offered {
            self.offer_anew(now, slot, actions);
        }
        let target = Target { slot, generation: self.exports[slot as usize].generation };
        self.give(target, held_back, actions);
    }

    /// Notes that a method that may be used once was used.
    pub(super) fn note_use(&mut self, slot: u32, method: u16) {
        if let Some(live) = self.exports.get_mut(slot as usize).and_then(|slot| slot.live.as_mut()) {
            live.note_use(method);
        }
    }

    /// Returns what may be used once over all lives of the peer and was used: slot and method.
    pub fn used_up(&self) -> Vec<(u32, u16)> {
        let slots = (0..).zip(&self.exports).filter_map(|(slot, entry)| Some((slot, entry.live.as_ref()?)));
        let ever = slots.filter(|(_, live)| live.export.once == Once::Ever);
        ever.flat_map(|(slot, live)| {
            (0..Methods::MAX).filter(|method| live.used.has(*method)).map(move |method| (slot, method))
        })
        .collect()
    }

    /// Lets a fresh life of the peer use what each life may use once.
    pub(super) fn renew_uses(&mut self) {
        let live = self.exports.iter_mut().filter_map(|slot| slot.live.as_mut());
        live.filter(|live| live.export.once == Once::PerLife).for_each(|live| live.used = Methods::NONE);
    }

    /// Makes a place for a slot of the manifest's that the peer knows before this side does.
    pub(super) fn reserve(&mut self, slot: u32) {
        if slot < STATIC_SLOTS && self.exports.len() <= slot as usize {
            self.exports.resize_with(slot as usize + 1, ExportSlot::default);
        }
    }

    /// Tells whether the peer takes offers.
    fn has_greeted(&self) -> bool {
        match self.state {
            State::Closed | State::Greeting { heard: false } => false,
            State::Greeting { heard: true } | State::Open | State::Draining { .. } => true,
        }
    }

    /// Ends the use of a slot and tells the peer.
    pub(super) fn revoke(&mut self, slot: u32, actions: &mut Vec<Action>) {
        let Some(entry) = self.exports.get(slot as usize) else { return };
        if entry.live.is_none() {
            return;
        }
        let target = Target { slot, generation: entry.generation };
        match self.state {
            State::Closed | State::Greeting { heard: false } => {}
            State::Greeting { heard: true } | State::Open | State::Draining { .. } => {
                self.order(Frame::Revoke { target }, actions);
            }
        }
        self.vacate(slot, actions);
    }

    /// Takes back one method of a slot.
    pub(super) fn revoke_method(&mut self, slot: u32, method: u16) {
        if let Some(live) = self.exports.get_mut(slot as usize).and_then(|slot| slot.live.as_mut()) {
            live.granted = live.granted.without(method);
        }
    }

    /// The peer names a slot no more.
    pub(super) fn released(&mut self, target: Target, actions: &mut Vec<Action>) -> Result<(), Fault> {
        let arrival::Named::Live(export) = self.named(target)? else { return Ok(()) };
        if self.live(export).is_none_or(|live| live.export.lasting) {
            return Err(Fault::NoSuchSlot { target });
        }
        self.vacate(target.slot, actions);
        Ok(())
    }

    pub(super) fn vacate(&mut self, slot: u32, actions: &mut Vec<Action>) {
        let Some(entry) = self.exports.get_mut(slot as usize) else { return };
        let Some(live) = entry.live.take() else { return };
        let export = ExportId { target: Target { slot, generation: entry.generation }, link: self.link };
        self.queued = self.queued.saturating_sub(live.ledger.queued());
        self.lent_bytes = self.lent_bytes.saturating_sub(live.borrowed.bytes);
        if !live.borrowed.is_none() {
            actions.push(Action::GiveBack { export, grant: live.borrowed });
        }
        // A slot whose generations are used up is not used again.
        if let Some(generation) = entry.generation.checked_add(1) {
            entry.generation = generation;
            self.vacant_exports.extend(Some(slot).filter(|slot| *slot >= STATIC_SLOTS));
        }
        self.paced.retain(|paced| *paced != slot);
        actions.push(Action::ExportGone { slot });
    }

    /// Notes an actor of the peer's.
    pub(super) fn import(&mut self, import: ImportId, entry: Import, actions: &mut Vec<Action>) {
        let index = import.0 as usize;
        let is_static = import.0 < STATIC_SLOTS || index <= self.imports.len().max(STATIC_SLOTS as usize);
        if !is_static || self.imports.get(index).is_some_and(Option::is_some) {
            return;
        }
        if index >= self.imports.len() {
            self.imports.resize(index + 1, None);
        } else {
            self.vacant_imports.retain(|vacant| *vacant != import.0);
        }
        let (slot, uses) = (entry.slot, entry.uses.clone());
        self.imports_by_slot.insert(slot, import);
        self.imports[index] = Some(ImportSlot::new(entry));
        self.order_uses(slot, &uses, actions);
    }

    /// Notes that no local address names an actor of the peer's any more.
    pub(super) fn forget(&mut self, import: ImportId, actions: &mut Vec<Action>) {
        if let Some(entry) = self.import_mut(import).filter(|entry| !entry.import.is_lasting()) {
            entry.forgotten = true;
            self.free_if_forgotten(import, actions);
        }
    }

    /// Frees the place of a forgotten actor once nothing waits for it or is open.
    pub(super) fn free_if_forgotten(&mut self, import: ImportId, actions: &mut Vec<Action>) {
        let Some(entry) = self.import_at(import) else { return };
        if !entry.forgotten || entry.asks > 0 || !entry.waiting.is_empty() {
            return;
        }
        let (target, reach, limbo) = (entry.target(), entry.reach, entry.limbo);
        self.release_limbo(limbo);
        self.imports[import.0 as usize] = None;
        self.vacant_imports.extend(Some(import.0).filter(|place| *place >= STATIC_SLOTS));
        if self.imports_by_slot.get(&target.slot) == Some(&import) {
            self.imports_by_slot.remove(&target.slot);
        }
        if reach == Reach::Offered {
            self.order(Frame::Release { target }, actions);
        }
    }

    /// Returns an actor of the peer's.
    pub(super) fn import_at(&self, import: ImportId) -> Option<&ImportSlot> {
        self.imports.get(import.0 as usize).and_then(Option::as_ref)
    }

    /// Returns an actor of the peer's, to be changed.
    pub(super) fn import_mut(&mut self, import: ImportId) -> Option<&mut ImportSlot> {
        self.imports.get_mut(import.0 as usize).and_then(Option::as_mut)
    }
}
