//! Who has a link with whom: the ends that are to meet, which of them live, and what changes when all is laid out anew.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use crate::tree::{ChildId, Incarnation};

/// The ends of all links, with what each may send and take on the terms `T`.
#[derive(Clone, Debug)]
pub struct Ends<T> {
    ends: Vec<End<T>>,
}

/// One child as its peers see it.
#[derive(Clone, Debug)]
struct End<T> {
    /// The life that others send to, if there is one.
    led_to: Option<u32>,
    /// The life beside it: one that is to take its place, or whose place it took.
    beside: Option<u32>,
    /// It may accuse those who are not privileged, and is never accused by them.
    privileged: bool,
    peers: BTreeMap<ChildId, T>,
}

/// Two lives and the link between them.
pub type Pair = (Incarnation, Incarnation);

/// What is to be told when links are laid out anew.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Succession {
    /// Who is to be told of whom, because there was nothing between them.
    pub strangers: Vec<(ChildId, ChildId)>,
    /// Who is to be told of whom, because there is nothing between them any more.
    pub parted: Vec<(ChildId, ChildId)>,
    /// Between whom there is to be a link now, and was none.
    pub made: Vec<Pair>,
    /// Who is to be told of whom, because what is between them is something else now.
    pub changed: Vec<(ChildId, ChildId)>,
}

impl<T: Clone + Default + PartialEq> Ends<T> {
    /// Makes ends without peers; each is told to be privileged or not.
    pub fn new(privileged: impl IntoIterator<Item = bool>) -> Self {
        let end = |privileged| End { led_to: None, beside: None, privileged, peers: BTreeMap::new() };
        Self { ends: privileged.into_iter().map(end).collect() }
    }

    /// Returns the terms between `child` and a peer, to be filled in.
    pub fn terms(&mut self, child: ChildId, peer: ChildId) -> &mut T {
        self.ends[usize::from(child.0)].peers.entry(peer).or_default()
    }

    /// Has `next` take the place of these; where there was something between two already, `carry` takes over of that what
    /// stays. Whoever does not stay keeps its links until its end.
    pub fn succeed(
        &mut self,
        mut next: Self,
        stays: impl Fn(ChildId) -> bool,
        carry: impl Fn(&T, &mut T),
    ) -> Succession {
        let mut changed = Vec::new();
        for (child, end) in (0..).map(ChildId).zip(&self.ends) {
            let Some(successor) = next.ends.get_mut(usize::from(child.0)) else { break };
            (successor.led_to, successor.beside) = (end.led_to, end.beside);
            for (peer, terms) in &mut successor.peers {
                let Some(before) = end.peers.get(peer) else { continue };
                carry(before, terms);
                if terms != before {
                    changed.push((child, *peer));
                }
            }
            let leaving = end.peers.iter().filter(|(peer, _)| !stays(child) || !stays(**peer));
            successor.peers.extend(leaving.map(|(peer, terms)| (*peer, terms.clone())));
        }
        let (before, after) = (self.pairs(), next.pairs());
        // Whom one of the two knows and the other does not.
        let only_in = |one: &Self, other: &Self| -> Vec<(ChildId, ChildId)> {
            let ends = (0..).map(ChildId).zip(&one.ends);
            let pairs = ends.flat_map(|(child, end)| end.peers.keys().map(move |peer| (child, *peer)));
            pairs.filter(|(child, peer)| other.between(*child, *peer).is_none()).collect()
        };
        let succession = Succession {
            strangers: only_in(&next, self),
            parted: only_in(self, &next),
            made: after.difference(&before).copied().collect(),
            changed,
        };
        *self = next;
        succession
    }

    /// Forgets a child of which nothing is left; returns who is to be told of that.
    pub fn forget(&mut self, child: ChildId) -> Vec<ChildId> {
        if let Some(end) = self.ends.get_mut(usize::from(child.0)) {
            end.peers.clear();
        }
        let ends = (0..).map(ChildId).zip(&mut self.ends);
        ends.filter_map(|(other, end)| end.peers.remove(&child).map(|_| other)).collect()
    }

    /// Returns what is between `child` and one peer.
    pub fn between(&self, child: ChildId, peer: ChildId) -> Option<&T> {
        self.ends.get(usize::from(child.0))?.peers.get(&peer)
    }

    /// Returns what is between `child` and one peer, to be changed.
    pub fn between_mut(&mut self, child: ChildId, peer: ChildId) -> Option<&mut T> {
        self.ends.get_mut(usize::from(child.0))?.peers.get_mut(&peer)
    }

    /// Returns the peers of `child`, each with the terms between them.
    pub fn peers(&self, child: ChildId) -> impl Iterator<Item = (ChildId, &T)> {
        self.ends[usize::from(child.0)].peers.iter().map(|(peer, terms)| (*peer, terms))
    }

    /// Notes that a life has begun: others send to it if they send to no other life of the child. Returns the lives of
    /// peers, to each of which it needs a link; of two lives of one peer the one that others send to comes first.
    pub fn up(&mut self, of: Incarnation) -> Vec<Incarnation> {
        let end = &mut self.ends[usize::from(of.child.0)];
        let place = if end.led_to.is_none() { &mut end.led_to } else { &mut end.beside };
        *place = Some(of.generation);
        self.live_peers(of.child)
    }

    /// Has others send to this life, which is going on; the one that they sent to is beside it from now on. Returns the
    /// lives of peers that are to be told.
    pub fn take_over(&mut self, of: Incarnation) -> Vec<Incarnation> {
        let end = &mut self.ends[usize::from(of.child.0)];
        if end.beside != Some(of.generation) {
            return Vec::new();
        }
        core::mem::swap(&mut end.led_to, &mut end.beside);
        self.live_peers(of.child)
    }

    /// Notes that a life is over; returns the lives of peers that had a link to it.
    pub fn down(&mut self, of: Incarnation) -> Vec<Incarnation> {
        let end = &mut self.ends[usize::from(of.child.0)];
        let over = [&mut end.led_to, &mut end.beside].into_iter().find(|life| **life == Some(of.generation));
        match over.and_then(Option::take) {
            Some(_) => self.live_peers(of.child),
            None => Vec::new(),
        }
    }

    /// Returns how many peers `child` has links to at the moment.
    pub fn links(&self, child: ChildId) -> usize {
        let peers = self.ends[usize::from(child.0)].peers.keys();
        let is_alive = |child: &ChildId| self.lives(*child).next().is_some();
        if is_alive(&child) { peers.filter(|peer| is_alive(peer)).count() } else { 0 }
    }

    /// Returns whether exactly this life is going on.
    pub fn is_live(&self, of: Incarnation) -> bool {
        self.lives(of.child).any(|life| life == of)
    }

    /// Returns whether this life is going on beside the one that others send to.
    pub fn is_beside(&self, of: Incarnation) -> bool {
        self.ends.get(usize::from(of.child.0)).is_some_and(|end| end.beside == Some(of.generation))
    }

    /// Returns whether `child` has a link to exactly this life.
    pub fn is_linked(&self, child: ChildId, to: Incarnation) -> bool {
        self.ends[usize::from(child.0)].peers.contains_key(&to.child) && self.is_live(to)
    }

    /// Returns whether `accused` is killed because `accuser` says that it broke the protocol of their link.
    ///
    /// Only the more privileged end may accuse, and only a peer that lives and that it has a link to.
    pub fn is_guilty(&self, accuser: ChildId, accused: Incarnation) -> bool {
        let is_privileged = |child: ChildId| self.ends[usize::from(child.0)].privileged;
        self.is_linked(accuser, accused) && is_privileged(accuser) && !is_privileged(accused.child)
    }

    /// Returns the lives of a child that are going on, first the one that others send to.
    fn lives(&self, child: ChildId) -> impl Iterator<Item = Incarnation> {
        let lives = self.ends.get(usize::from(child.0)).map(|end| [end.led_to, end.beside]);
        let generations = lives.into_iter().flatten().flatten();
        generations.map(move |generation| Incarnation { child, generation })
    }

    fn live_peers(&self, child: ChildId) -> Vec<Incarnation> {
        self.ends[usize::from(child.0)].peers.keys().flat_map(|peer| self.lives(*peer)).collect()
    }

    /// Returns every two lives between which there is a link, each once.
    fn pairs(&self) -> BTreeSet<Pair> {
        let ends = (0..).map(ChildId).zip(&self.ends);
        let pairs = ends.flat_map(|(child, end)| end.peers.keys().map(move |peer| (child, *peer)));
        let pairs = pairs.filter(|(one, other)| one < other);
        let lives = |(one, other)| {
            self.lives(one).flat_map(move |one| self.lives(other).map(move |other| (one, other)))
        };
        pairs.flat_map(lives).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(child: u16, generation: u32) -> Incarnation {
        Incarnation { child: ChildId(child), generation }
    }

    fn ends(count: usize, pairs: &[(u16, u16)]) -> Ends<()> {
        let mut ends = Ends::new(core::iter::repeat_n(false, count));
        for (one, other) in pairs {
            *ends.terms(ChildId(*one), ChildId(*other)) = ();
            *ends.terms(ChildId(*other), ChildId(*one)) = ();
        }
        ends
    }

    #[test]
    fn what_is_laid_out_anew_is_made_and_parted_between_those_who_live() {
        let mut present = ends(4, &[(0, 1), (0, 2), (1, 3)]);
        for child in [0, 1, 2] {
            present.up(of(child, 7));
        }
        // 2 leaves; 0 and 1 lose their link, 0 and 3 are to have one, 3 does not live.
        let next = ends(5, &[(0, 3), (0, 4)]);
        let told = present.succeed(next, |child| child != ChildId(2), |(), ()| ());
        assert_eq!(told.made, []);
        let parted = [(0, 1), (1, 0), (1, 3), (3, 1)].map(|(one, other)| (ChildId(one), ChildId(other)));
        assert_eq!(told.parted, parted, "whoever leaves is parted from when nothing of it is left");
        let strangers = [(0, 3), (0, 4), (3, 0), (4, 0)].map(|(one, other)| (ChildId(one), ChildId(other)));
        assert_eq!(told.strangers, strangers);
        assert_eq!(present.down(of(2, 7)), [of(0, 7)], "who leaves is missed");
        assert_eq!(present.forget(ChildId(2)), [ChildId(0)]);
        assert_eq!(present.up(of(2, 8)), []);
        let told = present.succeed(ends(5, &[(0, 3), (0, 1)]), |_| true, |(), ()| ());
        assert_eq!(told.made, [(of(0, 7), of(1, 7))]);
    }

    #[test]
    fn what_is_otherwise_between_two_is_told_to_both_with_what_is_carried_over() {
        let between = |count: u32| {
            let mut ends: Ends<(u32, u32)> = Ends::new([false; 3]);
            for (one, other) in [(0, 1), (0, 2)] {
                for (one, other) in [(one, other), (other, one)] {
                    *ends.terms(ChildId(one), ChildId(other)) = (if other + one == 1 { count } else { 7 }, 0);
                }
            }
            ends
        };
        let mut present = between(1);
        present.terms(ChildId(0), ChildId(1)).1 = 5;
        let carry = |before: &(u32, u32), after: &mut (u32, u32)| after.1 = before.1;
        assert_eq!(present.succeed(between(1), |_| true, carry), Succession::default());
        let told = present.succeed(between(2), |_| true, carry);
        assert_eq!(told.changed, [(ChildId(0), ChildId(1)), (ChildId(1), ChildId(0))]);
        assert_eq!(present.between(ChildId(0), ChildId(1)), Some(&(2, 5)));
    }

    #[test]
    fn of_two_lives_one_is_sent_to_and_both_have_links() {
        let mut ends = ends(3, &[(0, 1), (0, 2)]);
        ends.up(of(0, 1));
        ends.up(of(1, 4));
        assert_eq!(ends.up(of(1, 5)), [of(0, 1)]);
        assert!(ends.is_beside(of(1, 5)) && !ends.is_beside(of(1, 4)) && ends.is_live(of(1, 5)));
        assert_eq!(ends.up(of(2, 1)), [of(0, 1)]);
        assert_eq!(ends.down(of(0, 1)), [of(1, 4), of(1, 5), of(2, 1)]);
        assert_eq!(ends.up(of(0, 2)), [of(1, 4), of(1, 5), of(2, 1)], "who comes gets a link to each");
        assert_eq!(ends.take_over(of(1, 5)), [of(0, 2)]);
        assert_eq!(ends.take_over(of(1, 5)), [], "it is told once");
        assert!(ends.is_beside(of(1, 4)) && !ends.is_beside(of(1, 5)));
        assert_eq!(ends.links(ChildId(0)), 2);
        assert_eq!((ends.down(of(1, 4)), ends.down(of(1, 4))), (Vec::from([of(0, 2)]), Vec::new()));
        assert!(ends.is_live(of(1, 5)));
    }

    #[test]
    fn who_comes_after_the_one_that_was_sent_to_is_sent_to() {
        let mut ends = ends(2, &[(0, 1)]);
        ends.up(of(0, 1));
        ends.up(of(1, 4));
        ends.up(of(1, 5));
        ends.down(of(1, 4));
        assert!(ends.is_beside(of(1, 5)), "it is not its turn");
        ends.take_over(of(1, 5));
        assert!(!ends.is_beside(of(1, 5)));
        ends.down(of(1, 5));
        ends.up(of(1, 6));
        assert!(!ends.is_beside(of(1, 6)) && ends.is_live(of(1, 6)));
    }
}
