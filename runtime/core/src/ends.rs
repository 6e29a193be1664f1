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
    /// The generation that lives, if one does.
    live: Option<u32>,
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
}

impl<T: Clone + Default> Ends<T> {
    /// Makes ends without peers; each is told to be privileged or not.
    pub fn new(privileged: impl IntoIterator<Item = bool>) -> Self {
        let end = |privileged| End { live: None, privileged, peers: BTreeMap::new() };
        Self { ends: privileged.into_iter().map(end).collect() }
    }

    /// Returns the terms between `child` and a peer, to be filled in.
    pub fn terms(&mut self, child: ChildId, peer: ChildId) -> &mut T {
        self.ends[usize::from(child.0)].peers.entry(peer).or_default()
    }

    /// Has `next` take the place of these. Whoever does not stay keeps its links until its end.
    pub fn succeed(&mut self, mut next: Self, stays: impl Fn(ChildId) -> bool) -> Succession {
        for (child, end) in (0..).map(ChildId).zip(&self.ends) {
            let Some(successor) = next.ends.get_mut(usize::from(child.0)) else { break };
            successor.live = end.live;
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

    /// Returns the peers of `child`, each with the terms between them.
    pub fn peers(&self, child: ChildId) -> impl Iterator<Item = (ChildId, &T)> {
        self.ends[usize::from(child.0)].peers.iter().map(|(peer, terms)| (*peer, terms))
    }

    /// Notes that `child` lives; returns the peers that live too, to each of which it needs a link.
    pub fn up(&mut self, child: ChildId, generation: u32) -> Vec<(ChildId, u32)> {
        self.ends[usize::from(child.0)].live = Some(generation);
        self.live_peers(child)
    }

    /// Notes that `child` is dead; returns the peers that had a link to it.
    pub fn down(&mut self, child: ChildId) -> Vec<(ChildId, u32)> {
        match self.ends[usize::from(child.0)].live.take() {
            Some(_) => self.live_peers(child),
            None => Vec::new(),
        }
    }

    /// Returns how many links `child` has at the moment.
    pub fn links(&self, child: ChildId) -> usize {
        if self.ends[usize::from(child.0)].live.is_some() { self.live_peers(child).len() } else { 0 }
    }

    /// Returns whether exactly this life is going on.
    pub fn is_live(&self, of: Incarnation) -> bool {
        self.ends.get(usize::from(of.child.0)).is_some_and(|end| end.live == Some(of.generation))
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

    fn live_peers(&self, child: ChildId) -> Vec<(ChildId, u32)> {
        let peers = self.ends[usize::from(child.0)].peers.keys();
        peers.filter_map(|peer| Some((*peer, self.ends.get(usize::from(peer.0))?.live?))).collect()
    }

    /// Returns every two lives between which there is a link, each once.
    fn pairs(&self) -> BTreeSet<Pair> {
        let live = |child: ChildId| {
            let generation = self.ends.get(usize::from(child.0))?.live?;
            Some(Incarnation { child, generation })
        };
        let ends = (0..).map(ChildId).zip(&self.ends);
        let pairs = ends.flat_map(|(child, end)| end.peers.keys().map(move |peer| (child, *peer)));
        let pairs = pairs.filter(|(one, other)| one < other);
        pairs.filter_map(|(one, other)| Some((live(one)?, live(other)?))).collect()
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
            present.up(ChildId(child), 7);
        }
        // 2 leaves; 0 and 1 lose their link, 0 and 3 are to have one, 3 does not live.
        let next = ends(5, &[(0, 3), (0, 4)]);
        let told = present.succeed(next, |child| child != ChildId(2));
        assert_eq!(told.made, []);
        let parted = [(0, 1), (1, 0), (1, 3), (3, 1)].map(|(one, other)| (ChildId(one), ChildId(other)));
        assert_eq!(told.parted, parted, "whoever leaves is parted from when nothing of it is left");
        let strangers = [(0, 3), (0, 4), (3, 0), (4, 0)].map(|(one, other)| (ChildId(one), ChildId(other)));
        assert_eq!(told.strangers, strangers);
        assert_eq!(present.down(ChildId(2)), [(ChildId(0), 7)], "who leaves is missed");
        assert_eq!(present.forget(ChildId(2)), [ChildId(0)]);
        assert_eq!(present.up(ChildId(2), 8), []);
        let told = present.succeed(ends(5, &[(0, 3), (0, 1)]), |_| true);
        assert_eq!(told.made, [(of(0, 7), of(1, 7))]);
    }
}
