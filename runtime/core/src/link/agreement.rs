//! What the two sides agree on before messages flow: which methods are used, and whether both take them for
//! the same.
//!
//! A side names the methods that it will use of an actor; the other compares and answers with an offer: credit,
//! terms, and the index of each granted method. Until then sends to that actor wait. A use that is named with
//! the hello and does not hold refuses the link; one that is named later refuses that method.

use alloc::vec::Vec;

use super::event::Action;
use super::fault::Fault;
use super::frame::{Frame, Method, Offer, Refusal, Target};
use super::tables::{Access, ImportId, LiveExport, Methods, Reach};
use super::{Link, State};
use crate::time::Instant;

impl Link {
    /// Names everything that this side will use of what lasts, but what it has learnt.
    pub(super) fn name_uses(&mut self, actions: &mut Vec<Action>) {
        let lasting = self.imports.iter().flatten().filter(|entry| entry.import.is_lasting());
        let all: Vec<_> = lasting
            .map(|entry| {
                let uses = entry.import.uses.iter().filter(|used| !entry.learnt.contains(used));
                (entry.import.slot, uses.copied().collect::<Vec<_>>())
            })
            .collect();
        for (slot, uses) in all {
            self.order_uses(slot, &uses, actions);
        }
    }

    /// Names what this side has learnt, now that nothing of it can refuse the link.
    pub(super) fn name_learnt(&mut self, actions: &mut Vec<Action>) {
        let learnt = self.imports.iter().flatten().filter(|entry| !entry.learnt.is_empty());
        let all: Vec<_> = learnt.map(|entry| (entry.import.slot, entry.learnt.clone())).collect();
        for (slot, uses) in all {
            self.order_uses(slot, &uses, actions);
        }
    }

    /// Names further methods.
    pub(super) fn more_uses(
        &mut self,
        import: ImportId,
        uses: Vec<Method>,
        learnt: bool,
        actions: &mut Vec<Action>,
    ) {
        let Some(entry) = self.import_mut(import) else { return };
        let slot = entry.import.slot;
        entry.import.uses.extend_from_slice(&uses);
        entry.access.resize(entry.import.uses.len(), Access::Asked);
        if learnt {
            entry.learnt.extend_from_slice(&uses);
        }
        match self.state {
            State::Closed | State::Greeting { .. } if learnt => {}
            State::Closed | State::Greeting { .. } | State::Open | State::Draining { .. } => {
                self.order_uses(slot, &uses, actions);
            }
        }
    }

    /// Names methods, as many to a frame as the peer takes. None at all asks for the terms alone.
    pub(super) fn order_uses(&mut self, slot: u32, uses: &[Method], actions: &mut Vec<Action>) {
        if uses.is_empty() {
            self.order(Frame::Uses { slot, uses: Vec::new() }, actions);
        }
        for uses in uses.chunks(USES_MAX) {
            self.order(Frame::Uses { slot, uses: uses.to_vec() }, actions);
        }
    }

    /// Compares what the peer will use, and offers it.
    ///
    /// # Errors
    /// `TooManyUses` if one frame names more than [`USES_MAX`].
    pub(super) fn uses_arrived(
        &mut self,
        now: Instant,
        slot: u32,
        uses: &[Method],
        actions: &mut Vec<Action>,
    ) -> Result<(), Fault> {
        if uses.len() > USES_MAX {
            return Err(Fault::TooManyUses);
        }
        let (mut methods, mut refusals) = (Vec::new(), Vec::new());
        self.reserve(slot);
        let entry = self.exports.get_mut(slot as usize);
        let terms = entry.and_then(|entry| {
            entry.asked_for = entry.live.is_none();
            let live = entry.live.as_mut()?;
            for used in uses {
                match compare(live, used) {
                    Compared::Same(index) => methods.push((*used, Some(index))),
                    Compared::Different(method) => {
                        let Method { name, fingerprint } = method;
                        refusals.push(Refusal::Schema { slot, method: name, fingerprint });
                    }
                    Compared::NotGranted => methods.push((*used, None)),
                }
            }
            Some(live.offer(entry.generation, now))
        });
        for refusal in refusals {
            match self.state {
                State::Closed => return Ok(()),
                State::Greeting { .. } => {
                    self.refuse_link(refusal, actions);
                    return Ok(());
                }
                State::Open | State::Draining { .. } => {
                    self.order(Frame::Refuse(refusal), actions);
                    actions.push(Action::Refused { refusal, by_peer: false });
                }
            }
        }
        self.order(Frame::Offer(Offer { slot, terms, methods }), actions);
        Ok(())
    }

    /// Offers the peer an actor anew, whose terms have changed.
    pub(super) fn offer_anew(&mut self, now: Instant, slot: u32, actions: &mut Vec<Action>) {
        let Some(entry) = self.exports.get_mut(slot as usize) else { return };
        let Some(live) = &mut entry.live else { return };
        let terms = Some(live.offer(entry.generation, now));
        let all = (0..Methods::MAX).zip(&live.export.methods);
        let methods =
            all.map(|(index, method)| (*method, live.granted.has(index).then_some(index))).collect();
        self.order(Frame::Offer(Offer { slot, terms, methods }), actions);
    }

    /// Takes an offer of the peer's. One of what is not known here is nothing.
    pub(super) fn offer_arrived(&mut self, now: Instant, offer: &Offer, actions: &mut Vec<Action>) {
        let Some(import) = self.imports_by_slot.get(&offer.slot).copied() else { return };
        let Some(entry) = self.import_mut(import) else { return };
        match &offer.terms {
            None => entry.reach = Reach::Gone,
            Some(terms) => {
                entry.offered(terms, now);
                for (used, access) in entry.import.uses.iter().zip(&mut entry.access) {
                    let named = offer.methods.iter().find(|(method, _)| method == used);
                    // What is not named was named to the peer later than what this offer answers.
                    *access = match (*access, named) {
                        (Access::Refused, _) => Access::Refused,
                        (_, Some((_, Some(index)))) if terms.used.has(*index) => Access::Used,
                        (_, Some((_, Some(index)))) => Access::As(*index),
                        (_, Some((_, None))) => Access::NotGranted,
                        (
                            access @ (Access::Asked | Access::As(_) | Access::NotGranted | Access::Used),
                            None,
                        ) => access,
                    };
                }
            }
        }
        self.watch_again(import, actions);
        self.flush(now, import, actions);
    }

    /// The peer takes a method for something else than this side does.
    pub(super) fn use_refused(&mut self, now: Instant, refusal: Refusal, actions: &mut Vec<Action>) {
        actions.push(Action::Refused { refusal, by_peer: true });
        let Refusal::Schema { slot, method, fingerprint } = refusal else { return };
        let Some(import) = self.imports_by_slot.get(&slot).copied() else { return };
        let Some(entry) = self.import_mut(import) else { return };
        for (used, access) in entry.import.uses.iter().zip(&mut entry.access) {
            if used.name == method && used.fingerprint != fingerprint {
                *access = Access::Refused;
            }
        }
        self.flush(now, import, actions);
    }

    /// Finds the actor that the peer means by a slot of its table.
    pub(super) fn import_of(&self, target: Target) -> Option<ImportId> {
        let import = *self.imports_by_slot.get(&target.slot)?;
        self.import_at(import).filter(|entry| entry.target() == target).map(|_| import)
    }
}

/// Methods that one frame names: a bound on what it takes to answer it.
pub(super) const USES_MAX: usize = Methods::MAX as usize;

enum Compared {
    Same(u16),
    Different(Method),
    NotGranted,
}

/// Compares a use with the method of that name. What is not granted is not used, and so not compared.
fn compare(live: &LiveExport, used: &Method) -> Compared {
    let methods = live.export.methods.iter().take(usize::from(Methods::MAX));
    let Some((index, ours)) = methods.enumerate().find(|(_, method)| method.name == used.name) else {
        return Compared::NotGranted;
    };
    if !live.granted.has(index as u16) {
        return Compared::NotGranted;
    }
    if ours.fingerprint == used.fingerprint {
        Compared::Same(index as u16)
    } else {
        Compared::Different(*ours)
    }
}
