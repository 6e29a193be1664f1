//! Watches over single actors, both ways. Each watch of this side is answered exactly once.
//!
//! A watch outlives a transport: it waits for the next one to the same incarnation, and ends with `Down` when
//! the incarnation does. One that is made while the peer is down waits for the next incarnation.

use alloc::vec::Vec;

use super::event::Action;
use super::failure::NotDelivered;
use super::fault::Fault;
use super::frame::{Cause, Frame, Target, WatchId};
use super::tables::{ImportId, Reach};
use super::{Link, arrival};

/// A wish of a local actor's to be told when a remote one ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Watch {
    pub(super) import: ImportId,
    /// The peer knows of it, on the present transport.
    ordered: bool,
}

impl Link {
    /// Enters a wish. One too many, or for an actor that is gone, is answered at once.
    pub(super) fn watch(&mut self, import: ImportId, watch: WatchId, actions: &mut Vec<Action>) {
        let known = self.watches.contains_key(&watch);
        let gone = self.import_at(import).is_none_or(|entry| entry.reach == Reach::Gone);
        if known {
            return;
        }
        if gone || self.watches.len() >= self.limits.watches as usize {
            actions.push(Action::ActorDown { watch, cause: gone.then_some(Cause::GONE) });
            return;
        }
        if self.refused == Some(NotDelivered::NotGranted) {
            actions.push(Action::ActorDown { watch, cause: None });
            return;
        }
        self.watches.insert(watch, Watch { import, ordered: false });
        self.order_watch(import, watch, actions);
    }

    /// Takes a wish back.
    pub(super) fn unwatch(&mut self, watch: WatchId, actions: &mut Vec<Action>) {
        if self.watches.remove(&watch).is_some_and(|watch| watch.ordered) {
            self.order(Frame::Unwatch { watch }, actions);
        }
    }

    /// Sends the wishes for an actor that was just offered, once for each transport.
    pub(super) fn watch_again(&mut self, import: ImportId, actions: &mut Vec<Action>) {
        let of_import = self.watches.iter().filter(|(_, watch)| watch.import == import && !watch.ordered);
        let watches: Vec<_> = of_import.map(|(id, _)| *id).collect();
        for watch in watches {
            self.order_watch(import, watch, actions);
        }
    }

    /// Sends a wish, if the actor is offered; answers it, if the actor is gone.
    fn order_watch(&mut self, import: ImportId, watch: WatchId, actions: &mut Vec<Action>) {
        let Some(entry) = self.import_at(import) else { return };
        match entry.reach {
            Reach::Unknown => {}
            Reach::Offered => {
                let target = entry.target();
                if let Some(watch) = self.watches.get_mut(&watch) {
                    watch.ordered = true;
                }
                self.order(Frame::Watch { target, watch }, actions);
            }
            Reach::Gone => {
                self.watches.remove(&watch);
                actions.push(Action::ActorDown { watch, cause: Some(Cause::GONE) });
            }
        }
    }

    /// Notes that the transport which carried the wishes is gone.
    pub(super) fn unorder_watches(&mut self) {
        self.watches.values_mut().for_each(|watch| watch.ordered = false);
    }

    /// Answers every wish: the peer's incarnation is dead.
    pub(super) fn watches_end(&mut self, cause: Option<Cause>, actions: &mut Vec<Action>) {
        for (watch, _) in core::mem::take(&mut self.watches) {
            actions.push(Action::ActorDown { watch, cause });
        }
    }

    /// The peer answers a wish; one that was taken back meanwhile is forgotten.
    pub(super) fn down_arrived(&mut self, watch: WatchId, cause: Cause, actions: &mut Vec<Action>) {
        if self.watches.remove(&watch).is_some() {
            actions.push(Action::ActorDown { watch, cause: Some(cause) });
        }
    }

    /// The peer wishes to be told.
    pub(super) fn watch_arrived(
        &mut self,
        target: Target,
        watch: WatchId,
        actions: &mut Vec<Action>,
    ) -> Result<(), Fault> {
        let arrival::Named::Live(export) = self.named(target)? else {
            self.order(Frame::Down { watch, cause: Cause::GONE }, actions);
            return Ok(());
        };
        if self.watched.len() >= self.limits.watches as usize || !self.watched.insert(watch) {
            return Err(Fault::BadWatch);
        }
        actions.push(Action::Watched { export, watch });
        Ok(())
    }

    /// The peer takes its wish back; one that was answered meanwhile is forgotten.
    pub(super) fn unwatch_arrived(&mut self, watch: WatchId, actions: &mut Vec<Action>) {
        if self.watched.remove(&watch) {
            actions.push(Action::Unwatched { watch });
        }
    }

    /// Answers a wish of the peer's.
    pub(super) fn actor_down(&mut self, watch: WatchId, cause: Cause, actions: &mut Vec<Action>) {
        if self.watched.remove(&watch) {
            self.order(Frame::Down { watch, cause }, actions);
        }
    }
}
