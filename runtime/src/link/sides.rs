//! The two lives that a peer may have at a time, and which of them messages go to.
//!
//! Each life has a [`Peer`] of its own, with its link. A peer that is never replaced while it runs has one, over
//! all its incarnations; the second is made when a link to a second life comes, and the two take turns from then
//! on. What is routed changes only under the locks of both, the old one's first. So whoever finds itself at a side
//! that is not routed, under its lock, finds the other one where it looks next.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use bailiwick_core::link::Event;

use super::effect::{self, Effects};
use super::peer::{Hand, Peer, Turn};

/// The sides of one peer.
pub(super) struct Sides {
    both: [OnceLock<Arc<Peer>>; 2],
    /// Which of them messages go to.
    routed: AtomicUsize,
}

impl Sides {
    /// Makes a peer with one side.
    pub(super) fn new(first: Arc<Peer>) -> Arc<Self> {
        Arc::new(Self { both: [first.into(), OnceLock::new()], routed: AtomicUsize::new(0) })
    }

    /// Returns the side that messages go to. That may change at any time.
    pub(super) fn routed(&self) -> &Arc<Peer> {
        let routed = self.both[self.routed.load(Ordering::Acquire)].get();
        routed.expect("only a side that there is becomes the routed one")
    }

    /// Returns the side that messages do not go to, made by `make` if there is none.
    pub(super) fn beside(&self, make: impl FnOnce() -> Arc<Peer>) -> &Arc<Peer> {
        self.both[1 - self.routed.load(Ordering::Acquire)].get_or_init(make)
    }

    /// Returns every side that there is.
    pub(super) fn all(&self) -> impl Iterator<Item = &Arc<Peer>> {
        self.both.iter().filter_map(OnceLock::get)
    }

    /// Returns the side whose present or latest link is to this incarnation.
    pub(super) fn of(&self, generation: u32) -> Option<&Arc<Peer>> {
        self.all().find(|side| side.lock().peer.generation == generation)
    }

    /// Locks the state of the side that messages go to, and lets `act` give its machine events.
    pub(super) fn turn<R>(&self, act: impl FnOnce(&mut Turn<'_>) -> R) -> R {
        let mut act = Some(act);
        loop {
            let done = self.routed().turn(|turn| {
                let act = act.take_if(|_| turn.state.is_routed)?;
                Some(act(turn))
            });
            if let Some(result) = done {
                return result;
            }
        }
    }

    /// Looks at each side for what may be moved from one to the other meanwhile.
    pub(super) fn find<R>(&self, look: impl Fn(&mut Turn<'_>) -> Option<R>) -> Option<R> {
        loop {
            let routed = self.routed.load(Ordering::Acquire);
            if let Some(found) = self.all().find_map(|side| side.turn(&look)) {
                return Some(found);
            }
            if self.routed.load(Ordering::Acquire) == routed {
                return None;
            }
        }
    }

    /// Notes whether this incarnation is there beside the routed one, if it is not that one itself.
    pub(super) fn accompany(&self, generation: u32, accompanied: bool) {
        let routed = self.routed();
        if self.of(generation).is_some_and(|side| !Arc::ptr_eq(side, routed)) {
            routed.turn(|turn| turn.event(Event::Accompanied { accompanied }));
        }
    }

    /// Routes messages to this incarnation, to which there is a link, from here on. What waits goes over to it in
    /// its order, before anything newer; what is written stays where it is.
    pub(super) fn succeed(&self, generation: u32) {
        let old = self.routed();
        let Some(new) = self.of(generation).filter(|new| !Arc::ptr_eq(new, old)) else { return };
        let (mut of_old, mut of_new) = (Effects::default(), Effects::default());
        old.turn_with(&mut of_old, |old| {
            let mut hand = Hand::default();
            old.event_with(Event::Superseded, &mut hand);
            new.turn_with(&mut of_new, |new| {
                new.event(Event::Succeeds);
                for (import, kept) in hand.handed_back.drain(..) {
                    new.take_over(import, *kept);
                }
                for (import, watch, watching) in hand.watches_back.drain(..) {
                    new.watch(import, watch, watching);
                }
                (old.state.is_routed, new.state.is_routed) = (false, true);
                self.routed.fetch_xor(1, Ordering::AcqRel);
            });
        });
        effect::run_all(old, &mut of_old, &[]);
        effect::run_all(new, &mut of_new, &[]);
    }
}
