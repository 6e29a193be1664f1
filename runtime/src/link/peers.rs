//! The peers of a worker: what the supervisor says of them, and what their actors are called.

use std::io;
use std::iter::repeat;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bailiwick_core::link::{Cause, Config, Event, Export, ImportId, Page, WhileDown};
use bailiwick_supervisor::check::nearest;
use bailiwick_wire::bootstrap;
use bailiwick_wire::reason::DownCause;
use bailiwick_wire::schema::ProtocolSchema;
use bailiwick_wire::{FdKind, FdKinds};
use tokio::task::JoinHandle;

use super::exports::{Behind, Exported, Lending, export, on_terms};
use super::imports::{Import, Origin, Way, granted};
use super::mover::Mover;
use super::peer::{Peer, Report, Turn, Who};
use super::sides::Sides;
use super::transport::Joined;
use super::{ring, socket};
use crate::address::Address;
use crate::cell::Cell;
use crate::introspect::LinkState;
use crate::mailbox::Mailbox;
use crate::name::PeerName;
use crate::node::{PeerError, Shared};
use crate::pool::Pool;

/// An actor that this worker declares.
pub(crate) struct Local {
    pub(crate) name: String,
    pub(crate) protocols: Vec<&'static ProtocolSchema>,
    pub(crate) mailbox: Mailbox,
}

/// All peers of one worker.
pub(crate) struct Peers {
    worker: String,
    peers: Mutex<Vec<Arc<Known>>>,
    /// The actors that this worker declares, with what is lent of their mailboxes.
    local: Vec<(Local, Arc<Lending>)>,
    /// Those of them that run.
    running: Mutex<Vec<Arc<Cell>>>,
    node: Mutex<Option<Arc<Shared>>>,
    refuses: AtomicBool,
    report: Report,
    /// The tasks that move bytes.
    movers: Mutex<Vec<JoinHandle<()>>>,
    /// Peers are asked to send nothing at present.
    unready: AtomicBool,
}

/// How long a peer that does not read may hold up the end of this worker, twice: before it drains and before it ends.
const FINISH_LIMIT: Duration = Duration::from_millis(500);

/// One peer and what may be reached there.
struct Known {
    /// As the supervisor describes it, for the second side.
    told: bootstrap::Peer,
    sides: Arc<Sides>,
    actors: Vec<Reachable>,
}

/// One actor of a peer's.
struct Reachable {
    name: String,
    methods: Option<Vec<String>>,
    import: Arc<Import>,
}

impl Peers {
    /// Makes the peers that the bootstrap names. `local` are the actors that this worker declares.
    pub(crate) fn new(worker: &str, peers: &[bootstrap::Peer], local: Vec<Local>, report: &Report) -> Self {
        let lent = local.into_iter().map(|actor| {
            let lending = Arc::new(Lending::of(&actor.mailbox));
            (actor, lending)
        });
        let made = Self {
            worker: worker.to_owned(),
            peers: Mutex::default(),
            local: lent.collect(),
            running: Mutex::default(),
            node: Mutex::default(),
            refuses: AtomicBool::new(false),
            report: Arc::clone(report),
            movers: Mutex::default(),
            unready: AtomicBool::new(false),
        };
        made.introduce(peers);
        made
    }

    /// Makes further peers. One whose number is known takes the place of that one, which is dead for good.
    pub(crate) fn introduce(&self, peers: &[bootstrap::Peer]) {
        for peer in peers {
            let first = self.side(peer, true);
            let sides = Sides::new(Arc::clone(&first));
            let actors = (0..).map(ImportId).zip(&peer.imports).map(|(import, slot)| Reachable {
                name: slot.actor.clone(),
                methods: slot.methods.clone(),
                import: Import::new(Way::Routed(Arc::clone(&sides)), import, &slot.actor, Origin::of(slot)),
            });
            let known = Known { actors: actors.collect(), sides, told: peer.clone() };
            let mut all = lock(&self.peers);
            all.retain(|other| other.told.number != peer.number);
            all.push(Arc::new(known));
        }
    }

    /// Takes up what else peers may reach here, and may be reached there, while links to them are in use.
    pub(crate) fn regrant(&self, peers: &[bootstrap::Peer]) {
        for told in peers {
            let Some(known) = self.by_number(told.number) else { continue };
            for side in known.sides.all() {
                self.regrant_side(side, told);
            }
            let before = &known.actors;
            let actors =
                (0..).map(ImportId).zip(&told.imports).zip(before.iter().map(Some).chain(repeat(None)));
            let actors = actors.map(|((import, slot), before)| {
                let import = before.map_or_else(
                    || {
                        Import::new(
                            Way::Routed(Arc::clone(&known.sides)),
                            import,
                            &slot.actor,
                            Origin::of(slot),
                        )
                    },
                    |before| Arc::clone(&before.import),
                );
                import.regrant(Origin::of(slot));
                Reachable { name: slot.actor.clone(), methods: slot.methods.clone(), import }
            });
            let after =
                Known { actors: actors.collect(), sides: Arc::clone(&known.sides), told: told.clone() };
            let mut all = lock(&self.peers);
            if let Some(place) = all.iter_mut().find(|other| Arc::ptr_eq(other, &known)) {
                *place = Arc::new(after);
            }
        }
    }

    fn regrant_side(&self, side: &Arc<Peer>, told: &bootstrap::Peer) {
        let running = lock(&self.running).clone();
        side.bound(told.limits);
        side.turn(|turn| {
            turn.read_clock();
            for (number, slot) in (0..).zip(&told.exports) {
                let (export, exported) = exported(slot, &self.local);
                turn.regrant(number, export, exported);
            }
            for (number, slot) in (0..).zip(&told.imports) {
                if !turn.knows(ImportId(number)) {
                    turn.add_import(ImportId(number), granted(number, slot));
                }
            }
            running.iter().for_each(|cell| turn.actor_runs(cell));
        });
        side.writer.wake();
    }

    /// Makes one side of a peer, for what runs here at present.
    fn side(&self, told: &bootstrap::Peer, is_routed: bool) -> Arc<Peer> {
        let side = side(told, is_routed, &self.local, &self.report);
        lock(&self.node).iter().for_each(|node| side.belong_to(node));
        for cell in lock(&self.running).iter() {
            side.turn(|turn| turn.actor_runs(cell));
        }
        if self.unready.load(Ordering::Relaxed) {
            side.turn(|turn| turn.event(Event::Unready));
        }
        if self.refuses.load(Ordering::Relaxed) {
            side.turn(|turn| turn.event(Event::Refuse));
        }
        side
    }

    /// Returns the side of a peer that a link to this incarnation belongs to.
    fn side_for(&self, known: &Known, generation: u32, beside: bool) -> Arc<Peer> {
        let sides = &known.sides;
        if let Some(side) = sides.of(generation) {
            return Arc::clone(side);
        }
        if !beside {
            return Arc::clone(sides.routed());
        }
        let side = sides.beside(|| {
            let made = self.side(&known.told, false);
            made.is_twin_of(sides.routed());
            // What was declared early is compared early by this life too.
            for (import, _) in (0..).map(ImportId).zip(&known.actors) {
                for protocol in sides.turn(|turn| turn.protocols(import)) {
                    made.turn(|turn| turn.place_of(import, protocol));
                }
            }
            made
        });
        Arc::clone(side)
    }

    /// Notes the node whose actors send: there dead letters are counted.
    pub(crate) fn belong_to(&self, node: &Arc<Shared>) {
        *lock(&self.node) = Some(Arc::clone(node));
        self.sides().iter().for_each(|side| side.belong_to(node));
    }

    /// Notes that a declared actor runs: what came for it is handed over.
    pub(crate) fn actor_runs(&self, cell: &Arc<Cell>) {
        lock(&self.running).push(Arc::clone(cell));
        for side in self.sides() {
            side.turn(|turn| turn.actor_runs(cell));
        }
    }

    /// Waits until everything is read that a dead incarnation of a peer wrote in whose place this one comes. Its link
    /// may be there before.
    pub(crate) async fn read_out(&self, number: u16, generation: u32, beside: bool) {
        if let Some(known) = self.by_number(number) {
            self.side_for(&known, generation, beside).read_out().await;
        }
    }

    /// Takes a fresh link to an incarnation of a peer; one that is `beside` another is not sent to before
    /// [`Peers::succeed`]. Where a user is named, the kernel has to say that every packet is that user's. Called on the executor that is to move its bytes.
    ///
    /// # Errors
    /// When there is no memory in it, it cannot be mapped, or the executor cannot watch the socket.
    pub(crate) fn linked(
        &self,
        number: u16,
        (generation, beside): (u32, bool),
        socket: OwnedFd,
        uid: Option<u32>,
    ) -> io::Result<()> {
        let Some(known) = self.by_number(number) else { return Ok(()) };
        self.begin(&known, (generation, beside), socket::join(socket)?, uid);
        Ok(())
    }

    /// Takes a fresh link with a ring, as [`Peers::linked`] does one without.
    ///
    /// # Errors
    /// When there is no memory in it, it cannot be mapped, or the executor cannot watch the socket.
    pub(crate) fn linked_by_ring(&self, number: u16, life: (u32, bool), socket: OwnedFd) -> io::Result<()> {
        let Some(known) = self.by_number(number) else { return Ok(()) };
        let busy_poll = Duration::from_micros(known.told.busy_poll_us.into());
        self.begin(&known, life, ring::join(socket, busy_poll)?, None);
        Ok(())
    }

    fn begin(&self, known: &Known, (generation, beside): (u32, bool), joined: Joined, uid: Option<u32>) {
        let side = self.side_for(known, generation, beside);
        let Joined { source, sink, pages } = joined;
        let serial = side.turn(|turn| turn.begin_transport(generation, sink, pages));
        let mover = tokio::spawn(Mover::new(side, serial, source, uid).run());
        let mut movers = lock(&self.movers);
        movers.retain(|mover| !mover.is_finished());
        movers.push(mover);
        drop(movers);
        if beside {
            known.sides.accompany(generation, true);
        } else {
            known.sides.succeed(generation);
        }
    }

    /// Notes the supervisor's word that messages to a peer go to this incarnation from here on. One to which there is
    /// no link comes with a link of its own.
    pub(crate) fn succeed(&self, number: u16, generation: u32) {
        if let Some(known) = self.by_number(number) {
            known.sides.succeed(generation);
        }
    }

    /// Notes the supervisor's word that an incarnation of a peer is dead. What it wrote is read first.
    pub(crate) fn died(&self, number: u16, generation: u32, cause: DownCause) {
        self.over(number, generation, cause, |turn| turn.page());
    }

    /// Notes that nothing more is expected of an incarnation of a peer, of which this is known.
    fn over(&self, number: u16, generation: u32, cause: DownCause, page: impl FnOnce(&Turn<'_>) -> Page) {
        let Some(known) = self.by_number(number) else { return };
        let of_life = known.sides.of(generation);
        let side = of_life.unwrap_or_else(|| known.sides.routed());
        side.turn(|turn| {
            (turn.state.peer.cause, turn.state.peer.ended) = (cause, generation);
            let page = if of_life.is_some() { page(turn) } else { Page::UNREAD };
            turn.event(Event::PeerDied { generation, cause: Cause(0), page });
            // The transport of another life goes on.
            if let Some(transport) = turn.state.transport.as_mut().filter(|_| of_life.is_some()) {
                transport.dying = true;
            }
        });
        side.writer.wake();
        known.sides.accompany(generation, false);
    }

    /// Ends what is between this worker and a peer to which no grant is left. References that actors hold lead nowhere.
    pub(crate) async fn part(&self, number: u16) {
        let Some(known) = self.by_number(number) else { return };
        for side in known.sides.all() {
            // What it wrote until then still counts, as if it had stopped; but it lives, and may begin with what it has.
            let live = Some(side.lock()).filter(|state| state.transport.is_some());
            if let Some(generation) = live.map(|state| state.peer.generation) {
                self.over(number, generation, DownCause::Stopped, |_| Page::UNREAD);
            }
            side.read_out().await;
        }
        lock(&self.peers).retain(|other| !Arc::ptr_eq(other, &known));
        for side in known.sides.all() {
            side.turn(|turn| {
                turn.event(Event::Part);
                turn.state.transport = None;
            });
            side.writer.wake();
        }
    }

    /// Closes every transport without a word, as the end of this process would, and begins with no ask any more.
    #[cfg(test)]
    pub(super) fn vanish(&self) {
        for side in self.sides() {
            let (transport, handlers) = {
                let mut state = side.lock();
                (state.transport.take(), std::mem::take(&mut state.handlers))
            };
            side.writer.wake();
            drop((transport, handlers));
        }
    }

    /// Returns whether a peer's ask or message is being handled, or waits for that.
    pub(crate) fn are_busy(&self) -> bool {
        self.sides().iter().any(|side| side.lock().link.is_busy())
    }

    /// Returns how the links stand, of the peers to which there ever was one.
    pub(crate) fn links(&self) -> Vec<LinkState> {
        let states = self.sides().into_iter().map(|side| side.link_state());
        states.filter(|state| state.links > 0).collect()
    }

    /// Asks peers to send nothing at present, or to send again.
    pub(crate) fn say_readiness(&self, is_ready: bool) {
        self.unready.store(!is_ready, Ordering::Relaxed);
        let event = || if is_ready { Event::Ready } else { Event::Unready };
        self.sides().iter().for_each(|side| side.turn(|turn| turn.event(event())));
    }

    /// Takes no new messages from peers any more, once those are here that they sent before they heard of it. Does not
    /// wait long for a peer that does not read.
    pub(crate) async fn drain(&self) {
        let sides = self.sides();
        sides.iter().for_each(|side| side.turn(|turn| turn.event(Event::Drain)));
        let heard = sides.iter().map(|side| side.heard_out());
        let _ = tokio::time::timeout(FINISH_LIMIT, futures::future::join_all(heard)).await;
        self.refuse();
    }

    /// Drains, unless that was done before.
    pub(crate) async fn drain_once(&self) {
        if !self.refuses.load(Ordering::Relaxed) {
            self.drain().await;
        }
    }

    /// Takes no messages from peers any more.
    pub(crate) fn refuse(&self) {
        self.refuses.store(true, Ordering::Relaxed);
        self.sides().iter().for_each(|side| side.turn(|turn| turn.event(Event::Refuse)));
    }

    /// Closes all links once what was sent before has left, but does not wait long for a peer that does not read.
    pub(crate) async fn finish(&self) {
        let sides = self.sides();
        let written = sides.iter().map(|side| side.written_out());
        let _ = tokio::time::timeout(FINISH_LIMIT, futures::future::join_all(written)).await;
        self.close();
        let movers = std::mem::take(&mut *lock(&self.movers));
        let _ = tokio::time::timeout(FINISH_LIMIT, futures::future::join_all(movers)).await;
    }

    /// Closes all links: what is still being handled ends without an answer.
    pub(crate) fn close(&self) {
        self.sides().iter().for_each(|side| side.turn(|turn| turn.close_link()));
    }

    /// Returns the address of `worker[.instance][/actor]` for messages of a protocol.
    pub(crate) fn resolve(
        &self,
        name: &str,
        protocol: &'static ProtocolSchema,
    ) -> Result<Address, PeerError> {
        let wanted = PeerName::parse(name)?;
        let all = self.all();
        let mut instances: Vec<_> =
            all.iter().filter(|known| known.told.worker == wanted.worker && known.may_be_sent_to()).collect();
        if instances.is_empty() {
            return Err(self.unknown_worker(wanted.worker));
        }
        if let Some(instance) = wanted.instance {
            instances.retain(|known| known.told.instance == instance);
            if instances.is_empty() {
                return Err(PeerError::UnknownInstance { worker: wanted.worker.to_owned(), instance });
            }
        }
        let mut members = Vec::new();
        let mut path = String::new();
        for known in instances {
            let actor = known.actor(wanted.actor, protocol)?;
            actor.import.declare(protocol);
            path.clone_from(&actor.name);
            members.push((known.told.instance, Address::peer(actor.import.clone())));
        }
        if members.len() == 1 {
            return Ok(members.swap_remove(0).1);
        }
        Pool::new(wanted.worker, &path, members)
            .map(Address::pool)
            .ok_or_else(|| self.unknown_worker(wanted.worker))
    }

    /// Returns the peer of this number, as a test drives it by hand.
    #[cfg(test)]
    pub(super) fn peer_of(&self, number: u16) -> Option<Arc<Peer>> {
        self.by_number(number).map(|known| Arc::clone(known.sides.routed()))
    }

    /// Returns how many sides there are of all peers.
    #[cfg(test)]
    pub(super) fn count_sides(&self) -> usize {
        self.sides().len()
    }

    /// Returns every side of every peer.
    fn sides(&self) -> Vec<Arc<Peer>> {
        self.all().iter().flat_map(|known| known.sides.all().cloned()).collect()
    }

    fn all(&self) -> Vec<Arc<Known>> {
        lock(&self.peers).clone()
    }

    fn by_number(&self, number: u16) -> Option<Arc<Known>> {
        lock(&self.peers).iter().find(|known| known.told.number == number).cloned()
    }

    fn unknown_worker(&self, name: &str) -> PeerError {
        let all = self.all();
        let granted = all.iter().filter(|known| known.may_be_sent_to());
        let nearest = nearest(name, granted.map(|known| known.told.worker.as_str())).map(ToOwned::to_owned);
        PeerError::UnknownWorker { from: self.worker.clone(), name: name.to_owned(), nearest }
    }
}

impl Known {
    fn may_be_sent_to(&self) -> bool {
        self.granted().next().is_some()
    }

    /// Returns the actors of which something is granted.
    fn granted(&self) -> impl Iterator<Item = &Reachable> {
        self.actors.iter().filter(|actor| actor.methods.as_ref().is_none_or(|methods| !methods.is_empty()))
    }

    /// Returns the actor that is meant: the named one, or the only one that can serve the protocol.
    fn actor(
        &self,
        wanted: Option<&str>,
        protocol: &'static ProtocolSchema,
    ) -> Result<&Reachable, PeerError> {
        let worker = &self.told.worker;
        if let Some(name) = wanted {
            return self.granted().find(|actor| actor.name == name).ok_or_else(|| {
                let names = self.granted().map(|actor| actor.name.as_str());
                let nearest = nearest(name, names).map(ToOwned::to_owned);
                PeerError::UnknownActor { worker: worker.clone(), name: name.to_owned(), nearest }
            });
        }
        let mut candidates: Vec<_> = self.granted().filter(|actor| actor.may_serve(protocol)).collect();
        if candidates.len() > 1 {
            // The name of a declared actor is that of its protocol, unless it was given another.
            let plain = protocol.name.to_lowercase();
            let named: Vec<_> =
                candidates.iter().copied().filter(|actor| actor.name.replace('_', "") == plain).collect();
            if named.len() == 1 {
                candidates = named;
            }
        }
        match candidates[..] {
            [] => {
                let (name, protocol) = (worker.clone(), protocol.name.to_owned());
                Err(PeerError::NotServed { name, protocol })
            }
            [actor] => Ok(actor),
            [..] => Err(PeerError::Ambiguous {
                worker: worker.clone(),
                protocol: protocol.name.to_owned(),
                actors: candidates.iter().map(|actor| actor.name.clone()).collect(),
            }),
        }
    }
}

impl Reachable {
    /// Tells whether the granted methods can be some of the protocol's.
    fn may_serve(&self, protocol: &ProtocolSchema) -> bool {
        self.methods.as_ref().is_none_or(|granted| granted.iter().any(|name| protocol.method(name).is_some()))
    }
}

fn side(
    peer: &bootstrap::Peer,
    is_routed: bool,
    local: &[(Local, Arc<Lending>)],
    report: &Report,
) -> Arc<Peer> {
    let who = Who {
        number: peer.number,
        worker: peer.worker.clone(),
        instance: (peer.instances > 1).then_some(peer.instance),
        on_demand: peer.on_demand,
    };
    let bootstrap::WhileDown { messages, bytes } = peer.while_down;
    let while_down = WhileDown { messages, bytes };
    let mut config = Config { may_accuse: peer.may_accuse, while_down, ..Config::default() };
    config.limits.message_bytes = peer.limits.frame_bytes;
    let made = Peer::new(who, is_routed, config, peer.limits, Arc::clone(report));
    made.turn(|turn| {
        for (number, slot) in (0..).zip(&peer.exports) {
            let (export, exported) = exported(slot, local);
            turn.add_export(number, export, exported);
        }
        // The first of all, so that they have the same place on both sides: that of their slot.
        for (number, slot) in (0..).zip(&peer.imports) {
            turn.add_import(ImportId(number), granted(number, slot));
        }
    });
    made
}

/// Returns what a slot gives, and what stands behind it before its actor runs.
fn exported(slot: &bootstrap::Slot, local: &[(Local, Arc<Lending>)]) -> (Export, Exported) {
    let actor = local.iter().find(|(actor, _)| actor.name == slot.actor);
    let mailbox = actor.map_or_else(Mailbox::default, |(actor, _)| actor.mailbox);
    let protocols = actor.map_or(&[][..], |(actor, _)| &actor.protocols);
    let lending = actor.map_or_else(|| Arc::new(Lending::of(&mailbox)), |(_, lending)| Arc::clone(lending));
    let (export, methods) = export(protocols, slot.methods.as_deref(), &mailbox, slot.max_inflight);
    let actor = Behind::Early(slot.actor.clone(), Default::default());
    let fds = kinds(slot.fds_send.as_deref());
    (on_terms(export, slot), Exported { actor, methods, lending, fds })
}

/// Returns the set of the kinds that a grant names, if it names any.
pub(super) fn kinds(named: Option<&[FdKind]>) -> Option<FdKinds> {
    named.map(|named| named.iter().copied().collect())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
