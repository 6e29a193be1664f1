//! Makes links, tells of their ends, and hands out what the store keeps.

use std::os::fd::{AsFd, OwnedFd};

use bailiwick_core::berth::Berth;
use bailiwick_core::reopening::{Action, Event};
use bailiwick_core::tree::{ChildId, Incarnation};
use bailiwick_sys::slate::Slate;
use bailiwick_sys::{link_pair, socket};
use bailiwick_wire::bootstrap::{Bootstrap, Peer, Terms};
use bailiwick_wire::control::{CONTROL_NAME, ToWorker};

use super::{Daemon, ROOM_RETRY};
use crate::control::Cause;
use crate::store::Keeper;

/// Connections that a life is given whose worker may ask something: one for what is answered at once, and two that may wait
/// for what happens.
const CONTROL_CONNECTIONS: usize = 3;

impl Daemon {
    /// Returns everything that a worker is told before it runs, and what is attached to that.
    pub(super) fn bootstrap(
        &self,
        of: Incarnation,
        berth: Berth,
        slate: &Slate,
    ) -> std::io::Result<(Bootstrap, Vec<OwnedFd>)> {
        let seat = self.roster.seat(of.child);
        let prepared = self.launcher.prepared(berth).ok_or(std::io::ErrorKind::NotFound)?;
        let peers = self.broker.peers(of.child).map(|(peer, terms)| self.peer(of.child, peer, terms));
        let (bootstrap, attached) = prepared.attach(Bootstrap {
            peers: peers.collect(),
            slate: true,
            ..seat.worker.bootstrap(seat.instance, of.generation)
        });
        let attached = attached.into_iter().chain([slate.as_fd()]).map(|fd| fd.try_clone_to_owned());
        Ok((bootstrap, attached.collect::<Result<_, _>>()?))
    }

    pub(super) fn peer(&self, child: ChildId, peer: ChildId, terms: &Terms) -> Peer {
        let seat = self.roster.seat(peer);
        Peer {
            may_accuse: self.roster.is_privileged(child) && !self.roster.is_privileged(peer),
            exports: terms.exports.clone(),
            imports: terms.imports.clone(),
            limits: terms.limits,
            ..seat.worker.as_peer(peer.0, seat.instance, &self.roster.seat(child).worker)
        }
    }

    /// Gives a life that began, and each peer that lives, the ends of a fresh link.
    pub(super) fn link_up(&mut self, of: Incarnation) {
        self.broker.up(of).into_iter().for_each(|peer| self.link(of, peer));
    }

    /// Makes the links for which there was no room.
    pub(super) fn link_missing(&mut self) {
        for (one, other) in std::mem::take(&mut self.missing_links) {
            if self.broker.is_live(one) && self.broker.is_live(other) {
                self.link(one, other);
            }
        }
    }

    /// Makes links anew that were closed for a violation, when their time has come.
    pub(super) fn relink(&mut self, event: Event) {
        let mut actions = Vec::new();
        self.reopenings.handle(self.now(), event, &mut actions);
        for action in actions {
            match action {
                Action::Announce { by, peer, pause, times } => {
                    self.say(&format!("{} closed its link with {}, which broke the protocol: time {times} in a row, a fresh link in {pause:.1?}", self.name(by), self.name(peer)));
                }
                Action::Make(one, other) => self.link(one, other),
            }
        }
    }

    pub(super) fn link(&mut self, one: Incarnation, other: Incarnation) {
        let ring = self.roster.seat(one.child).worker.ring_bytes(&self.roster.seat(other.child).worker);
        match link_pair::link(ring) {
            Ok((left, right)) => {
                self.hand_over(one, other, (left, ring > 0));
                self.hand_over(other, one, (right, ring > 0));
            }
            Err(failed) => {
                self.complain(one, &failed);
                self.missing_links.push((one, other));
                self.retry_at = Some(self.now() + ROOM_RETRY);
            }
        }
    }

    fn hand_over(&mut self, to: Incarnation, peer: Incarnation, (end, ring): (OwnedFd, bool)) {
        let beside = self.broker.is_beside(peer);
        let takes_fds = self.broker.between(to.child, peer.child).is_none_or(Terms::take_fds);
        // The users of two workers differ as root alone, and only then the kernel has something to say.
        let uid =
            self.uid(peer).filter(|uid| self.roster.is_privileged(to.child) && self.uid(to) != Some(*uid));
        let is_told = socket::restrict(end.as_fd(), takes_fds, uid.is_some());
        let uid = uid.filter(|_| is_told);
        let order = ToWorker::Link { peer: peer.child.0, generation: peer.generation, beside, uid, ring };
        self.order(to, order, Some(end));
    }

    /// Returns the user as whom a life runs.
    pub(super) fn uid(&self, of: Incarnation) -> Option<u32> {
        let berth = self.children.find(of)?;
        Some(self.launcher.prepared(berth)?.identity().uid)
    }

    /// Tells the peers of a life that it is over.
    pub(super) fn link_down(&mut self, of: Incarnation, cause: Cause) {
        self.relink(Event::Ended(of));
        for peer in self.broker.down(of) {
            let order =
                ToWorker::PeerDown { peer: of.child.0, generation: of.generation, cause: cause.code() };
            self.order(peer, order, None);
        }
    }

    /// Leads to a life what led to the one before: what its peers send, what is kept, and the build of the lives to come.
    pub(super) fn succeed(&mut self, of: Incarnation, from: Incarnation) {
        self.say(&format!("{} takes over from {}", self.name(of), self.name(from)));
        for peer in self.broker.take_over(of) {
            let order = ToWorker::Succeed { peer: of.child.0, generation: of.generation };
            self.order(peer, order, None);
        }
        self.store.kept.hand_over((of.child, Some(of.generation)), (of.child, None));
        self.share_build(of);
    }

    /// Has what is to be executed in the other berth of the child be what this life executes.
    pub(super) fn share_build(&mut self, of: Incarnation) {
        let Some(berth) = self.children.find(of) else { return };
        match self.launcher.share(berth, &self.roster.seat(of.child).worker) {
            Ok(()) => self.hash(berth.other()),
            Err(error) => self.complain(of, &error),
        }
    }

    /// Returns in whose name a life keeps descriptors: that of its child, unless it lives beside the one that others send
    /// to, and what it keeps may never count.
    pub(super) fn keeper(&self, of: Incarnation) -> Keeper {
        (of.child, self.broker.is_beside(of).then_some(of.generation))
    }

    /// Gives a life what is kept for it.
    pub(super) fn give_kept(&mut self, of: Incarnation) {
        for (name, fd) in self.kept_for(of.child) {
            self.order(of, ToWorker::Kept { name }, Some(fd));
        }
    }

    /// Gives a life whose worker may ask something the connections for it: several, since an answer may be long in coming.
    pub(super) fn give_control(&mut self, of: Incarnation) {
        let Some(berth) = self.children.find(of) else { return };
        let asks = !self.roster.seat(of.child).worker.may.is_empty();
        for (ours, theirs) in (0..CONTROL_CONNECTIONS)
            .filter(|_| asks)
            .filter_map(|_| socket::pair(socket::Kind::SeqPacket).ok())
        {
            let id = self.connections.give(berth, ours);
            self.watch_for_requests(id);
            self.order(of, ToWorker::Kept { name: CONTROL_NAME.to_owned() }, Some(theirs));
        }
    }

    /// Returns what is kept for an instance: by its earlier lives, by workers that it needs, or for all.
    pub(super) fn kept_for(&self, child: ChildId) -> Vec<(String, OwnedFd)> {
        let worker = &self.roster.seat(child).worker;
        let needed = worker.needs.iter().flat_map(|need| self.roster.instances_of(need));
        let needed: Vec<Keeper> = needed.map(|child| (child, None)).collect();
        self.store.kept.gather((child, None), &worker.kept, &needed, |name| self.store.listener(name))
    }
}
