//! The first packet on a worker's descriptor 3: what the supervisor tells it about itself and its peers.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::codec::{self, DecodeError, EncodeError};
use crate::{FdKind, Limits};

/// The largest bootstrap packet.
pub const BOOTSTRAP_BYTES: usize = Limits::BOOTSTRAP.frame_bytes as usize;

/// How many descriptors a worker holds when it says that its sandbox stands, beside its granted paths: 0 to 3, and that by
/// which it hears signals. The memory and the ruleset that were attached are closed by then.
pub const OWN_DESCRIPTORS: u64 = 5;

/// What a worker learns at its start.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bootstrap {
    /// The worker's name.
    pub worker: String,
    /// Its instance, from 1.
    pub instance: u16,
    /// How many instances there are of it.
    pub instances: u16,
    /// The number of this life, from 1.
    pub generation: u32,
    /// When its work is done.
    pub work: Work,
    /// The actors it hosts.
    pub actors: Vec<Actor>,
    /// What it makes of their failures.
    pub supervision: Supervision,
    /// The peers it may have links to.
    pub peers: Vec<Peer>,
    /// The second stage of its sandbox.
    pub confinement: Confinement,
    /// The paths it is granted, one attached descriptor for each, after those of the confinement.
    pub granted: Vec<String>,
    /// The names of its credentials, one attached memory for each, after the granted paths.
    pub credentials: Vec<String>,
    /// Whether the memory is attached, last of all, on which it leaves what it does: see [`crate::slate`].
    pub slate: bool,
    /// How many messages of others this life takes, before another one takes its place; 0 is any number.
    pub max_messages: u32,
    /// For how many milliseconds it stays without anything to do for others; 0 is for ever.
    pub idle_stop_ms: u64,
    /// How many threads run its actors that do not block; 0 is one as well.
    pub threads: u8,
}

/// What has changed for a worker while it runs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Update {
    /// Its actors whose arguments are others now. Whether they took them is to be reported, if there are any.
    pub actors: Vec<Actor>,
    /// Peers that it may have links to from now on. One of a number that is known takes the place of that one, of
    /// which nothing is left.
    pub peers: Vec<Peer>,
    /// Peers, by number, to which no grant is left: what waits for them is given up.
    pub gone: Vec<u16>,
    /// Peers that it knows, and that it may send or give something else from now on. What is in a slot stays in it.
    pub regranted: Vec<Peer>,
}

/// When the work of a worker is done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Work {
    /// When it is told to stop.
    #[default]
    Resident,
    /// When all its actors have started.
    Oneshot,
    /// When `Program`'s main function returns.
    Main,
}

/// An actor to host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    /// Its name.
    pub name: String,
    /// The name of its factory.
    pub type_name: String,
    /// Arguments: text and the line of the manifest.
    pub args: Option<(String, u32)>,
    /// Messages its mailbox holds.
    pub mailbox_messages: u32,
    /// Bytes its mailbox holds.
    pub mailbox_bytes: u32,
    /// What a full mailbox does to a sender.
    pub on_full: OnFull,
    /// When its end is answered by a restart; `None` leaves that to its factory.
    pub restart: Option<Restart>,
    /// Whether its end may end the worker; otherwise its factory says.
    pub significant: bool,
    /// Whether what is unread when the worker ends in order is left to its next life; otherwise its factory says.
    pub handoff: bool,
}

/// What a full mailbox does to a sender.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum OnFull {
    /// The send waits until there is room. `try_tell` is refused instead.
    #[default]
    Wait,
    /// The send fails with `NotDelivered(Full)`.
    Reject,
    /// The oldest message that waits becomes a dead letter: of the ordinary ones, if one waits.
    DropOldest,
    /// The new message becomes a dead letter.
    DropNewest,
}

/// What a worker makes of the failures of its actors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Supervision {
    /// Whom a failure restarts.
    pub strategy: Strategy,
    /// Failures within `period` that are still answered by a restart.
    pub max_restarts: u32,
    /// The length of the sliding window.
    pub period: Duration,
    /// What happens when the budget is spent.
    pub on_exhausted: OnExhausted,
    /// When the worker has done its work.
    pub auto_shutdown: AutoShutdown,
    /// The pause before the first restart of an actor, before the second in a row, and the longest.
    pub pauses: [Duration; 3],
    /// How the pauses grow, and what chance may take away, in thousandths.
    pub permille: [u32; 2],
    /// An actor's count of failures in a row starts again after this.
    pub stable_after: Duration,
}

/// What may wait for a peer that is down, until it is up again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WhileDown {
    /// Messages.
    pub messages: u32,
    /// Bytes.
    pub bytes: u32,
}

/// A thousand messages and one MiB.
impl Default for WhileDown {
    fn default() -> Self {
        Self { messages: 1000, bytes: 1 << 20 }
    }
}

/// Whom the failure of an actor restarts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Strategy {
    /// The one that failed.
    #[default]
    OneForOne,
    /// The one that failed and those after it.
    RestForOne,
    /// All.
    OneForAll,
    /// The one that failed.
    Pool,
}

/// What happens when the budget of the actors is spent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum OnExhausted {
    /// The failed actor is made anew rarely.
    CoolDown,
    /// The failed actor is given up.
    Fail,
    /// The worker fails.
    #[default]
    Escalate,
}

/// When the actors have done their work.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum AutoShutdown {
    /// Never.
    #[default]
    Never,
    /// When a significant one has ended.
    AnySignificant,
    /// When the last significant one has ended.
    AllSignificant,
}

/// When the end of an actor is answered by a restart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Restart {
    /// Always.
    Permanent,
    /// Only after a failure.
    #[default]
    Transient,
    /// Never.
    Temporary,
}

/// A peer that there may be a link to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Peer {
    /// By what records name it.
    pub number: u16,
    /// Its worker's name.
    pub worker: String,
    /// Its instance, from 1.
    pub instance: u16,
    /// How many instances its worker has.
    pub instances: u16,
    /// Whether this side may accuse it.
    pub may_accuse: bool,
    /// What it may reach here, by slot.
    pub exports: Vec<Slot>,
    /// What may be reached there, by slot.
    pub imports: Vec<Slot>,
    /// What one message may cost, either way.
    pub limits: Limits,
    /// What may wait for it while it is down.
    pub while_down: WhileDown,
    /// Whether it starts only when somebody has a message for it, which is then to be told.
    pub on_demand: bool,
    /// For how many microseconds to look for a packet before sleeping, where the link shares memory.
    pub busy_poll_us: u32,
}

/// One slot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slot {
    /// The actor.
    pub actor: String,
    /// The methods; `None` is all of them.
    pub methods: Option<Vec<String>>,
    /// Kinds of descriptors that may travel with a message.
    pub fds_send: Option<Vec<FdKind>>,
    /// Kinds of descriptors that may travel back.
    pub fds_receive: Option<Vec<FdKind>>,
    /// Asks that may be open at a time.
    pub max_inflight: u32,
    /// So many messages at once, and in each period in the long run.
    pub rate: Option<(u32, Duration)>,
    /// How often each method may be used.
    pub once: Once,
    /// Methods that were used, by their index in frames, where each may be used once.
    pub used: Vec<u16>,
    /// Whether the actor's mailbox is declared to hold nothing.
    pub rendezvous: bool,
}

/// How often each method of a slot may be used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Once {
    /// Any number of times.
    #[default]
    No,
    /// Once in each life of the sender.
    PerLife,
    /// Once, over all lives of the sender.
    Ever,
}

impl Slot {
    /// Returns whether anything may be sent over it.
    pub fn is_open(&self) -> bool {
        self.methods.as_ref().is_none_or(|methods| !methods.is_empty())
    }

    /// Notes that a method which may be used once, over all lives of the sender, was used; returns whether that is news.
    pub fn note_use(&mut self, method: u32) -> bool {
        let method = u16::try_from(method).ok().filter(|method| *method < METHODS_MAX);
        let news = method.filter(|method| self.once == Once::Ever && !self.used.contains(method));
        self.used.extend(news);
        news.is_some()
    }

    /// Returns the slots that take the place of `old` ones: an actor stays where it was, one that is not granted any more
    /// leaves its place with nothing granted, and others come behind. What was used stays used.
    pub fn succeed(old: &[Slot], new: Vec<Slot>) -> Vec<Slot> {
        let mut new: Vec<_> = new.into_iter().map(Some).collect();
        let mut slots: Vec<Slot> = Vec::with_capacity(old.len().max(new.len()));
        for before in old {
            let is_same =
                |slot: &&mut Option<Slot>| slot.as_ref().is_some_and(|slot| slot.actor == before.actor);
            let after = new.iter_mut().find(is_same).and_then(Option::take);
            let used = |slot: &Slot| if slot.once == before.once { before.used.clone() } else { Vec::new() };
            slots.push(match after {
                Some(slot) => Slot { used: used(&slot), ..slot },
                None => Slot { methods: Some(Vec::new()), ..before.clone() },
            });
        }
        slots.extend(new.into_iter().flatten());
        slots
    }
}

/// What a worker and one peer may send to each other. Slots are positions in these lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// What one message may cost, either way: what is within the limits of both.
    pub limits: Limits,
    /// What the peer may reach here.
    pub exports: Vec<Slot>,
    /// What may be reached at the peer: its exports, in the same order.
    pub imports: Vec<Slot>,
}

/// Nothing, within the widest limits.
impl Default for Terms {
    fn default() -> Self {
        Self { limits: Limits::LINK, exports: Vec::new(), imports: Vec::new() }
    }
}

impl Terms {
    /// Returns whether anything may be sent to the peer.
    pub fn may_send(&self) -> bool {
        self.imports.iter().any(Slot::is_open)
    }

    /// Returns whether descriptors may come from the peer: with its messages, or with its replies.
    pub fn take_fds(&self) -> bool {
        let may = |kinds: &Option<Vec<FdKind>>| kinds.as_ref().is_none_or(|kinds| !kinds.is_empty());
        self.exports.iter().any(|slot| may(&slot.fds_send))
            || self.imports.iter().any(|slot| may(&slot.fds_receive))
    }

    /// Has these take the place of what was between the two: what is in a slot stays in it, and what was used stays used.
    pub fn carry(before: &Self, after: &mut Self) {
        after.exports = Slot::succeed(&before.exports, std::mem::take(&mut after.exports));
        after.imports = Slot::succeed(&before.imports, std::mem::take(&mut after.imports));
    }

    /// Notes that the peer has used a method that it may use once; returns whether that is news. What is no slot is nothing.
    pub fn note_use(&mut self, slot: u32, method: u32) -> bool {
        self.exports.get_mut(slot as usize).is_some_and(|slot| slot.note_use(method))
    }
}

/// The methods that an actor may have.
const METHODS_MAX: u16 = 128;

/// The second stage of the sandbox.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confinement {
    /// The system call filter, as the kernel's instructions.
    pub filter: Option<Vec<u8>>,
    /// Whether a Landlock ruleset is attached to the packet.
    pub ruleset: bool,
    /// Whether others of the user may look into the process.
    pub dumpable: bool,
}

/// Why there is no bootstrap.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum BootstrapError {
    /// It does not fit into one packet: the manifest has too many actors, peers or arguments for one worker.
    #[error("the bootstrap of worker {worker} does not fit into {BOOTSTRAP_BYTES} bytes: {error}")]
    Encode {
        /// The worker's name.
        worker: String,
        /// What there is too much of.
        error: Box<EncodeError>,
    },
    /// It does not decode: supervisor and worker were built from different sources.
    #[error("bootstrap of {bytes} bytes: {error}")]
    Decode {
        /// The packet's length.
        bytes: usize,
        /// What is wrong.
        error: Box<DecodeError>,
    },
}

impl Bootstrap {
    /// Writes the packet.
    ///
    /// # Errors
    /// `Encode` if it is over [`Limits::BOOTSTRAP`].
    pub fn to_bytes(&self) -> Result<Vec<u8>, BootstrapError> {
        let mut bytes = Vec::new();
        codec::encode(self, &Limits::BOOTSTRAP, &mut bytes)
            .map_err(|error| BootstrapError::Encode { worker: self.worker.clone(), error })?;
        Ok(bytes)
    }

    /// Reads the packet.
    ///
    /// # Errors
    /// `Decode` if it is not exactly one bootstrap.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, BootstrapError> {
        codec::decode(bytes, &Limits::BOOTSTRAP)
            .map_err(|error| BootstrapError::Decode { bytes: bytes.len(), error })
    }
}

impl Update {
    /// Returns the news of one peer, which is known already or not.
    pub fn of_peer(peer: Peer, is_known: bool) -> Self {
        let (peers, regranted) = if is_known { (Vec::new(), vec![peer]) } else { (vec![peer], Vec::new()) };
        Self { peers, regranted, ..Self::default() }
    }

    /// Writes it.
    ///
    /// # Errors
    /// If it is over [`Limits::BOOTSTRAP`].
    pub fn to_bytes(&self) -> Result<Vec<u8>, Box<EncodeError>> {
        let mut bytes = Vec::new();
        codec::encode(self, &Limits::BOOTSTRAP, &mut bytes)?;
        Ok(bytes)
    }

    /// Reads it.
    ///
    /// # Errors
    /// If it is not exactly one update.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Box<DecodeError>> {
        codec::decode(bytes, &Limits::BOOTSTRAP)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slot(actor: &str) -> Slot {
        Slot {
            actor: actor.into(),
            methods: Some(vec!["shrink".into()]),
            fds_send: Some(vec![FdKind::File]),
            fds_receive: None,
            max_inflight: 64,
            rate: Some((3, Duration::from_secs(1))),
            once: Once::Ever,
            used: Vec::new(),
            rendezvous: true,
        }
    }

    fn bootstrap() -> Bootstrap {
        let slot = Slot { used: vec![7], ..slot("thumbs") };
        let peer = Peer {
            number: 1,
            worker: "shrinker".into(),
            instance: 2,
            instances: 2,
            may_accuse: true,
            exports: Vec::new(),
            imports: vec![slot],
            limits: Limits { depth: 7, ..Limits::LINK },
            while_down: WhileDown::default(),
            on_demand: true,
            busy_poll_us: 50,
        };
        let confinement = Confinement { filter: Some(vec![6, 0, 0, 0]), ruleset: true, dumpable: false };
        Bootstrap {
            worker: "front".into(),
            instance: 1,
            generation: 3,
            peers: vec![peer],
            confinement,
            ..Bootstrap::default()
        }
    }

    #[test]
    fn a_bootstrap_comes_back_and_no_cut_of_it_does() {
        let bytes = bootstrap().to_bytes().unwrap();
        assert_eq!(Bootstrap::from_bytes(&bytes), Ok(bootstrap()));
        for end in 0..bytes.len() {
            assert!(Bootstrap::from_bytes(&bytes[..end]).is_err(), "cut at {end}");
        }
    }

    #[test]
    fn a_use_is_noted_once_and_only_where_something_may_be_used_once() {
        let often = Slot { once: Once::PerLife, ..slot("b") };
        let mut terms = Terms { exports: vec![slot("a"), often], ..Terms::default() };
        let noted = [(0, 3), (0, 3), (1, 3), (0, 128), (0, u32::MAX), (u32::MAX, 0), (0, 127)];
        let noted = noted.map(|(slot, method)| terms.note_use(slot, method));
        assert_eq!(noted, [true, false, false, false, false, false, true]);
        assert_eq!(terms.exports[0].used, [3, 127]);
    }

    #[test]
    fn a_link_takes_descriptors_unless_every_grant_that_could_bring_some_names_none() {
        let none = || Some(Vec::new());
        let mut terms = Terms { exports: vec![slot("a")], imports: vec![slot("b")], ..Terms::default() };
        assert!(terms.take_fds());
        // What comes back, and what is sent here.
        terms.imports[0].fds_receive = none();
        assert!(terms.take_fds());
        terms.exports[0].fds_send = none();
        assert!(!terms.take_fds());
        terms.exports[0].fds_send = Some(vec![FdKind::File]);
        assert!(terms.take_fds());
    }

    #[test]
    fn slots_stay_in_their_places_when_grants_change() {
        let slot = |actor: &str, once| Slot { once, ..slot(actor) };
        let mut used = slot("b", Once::Ever);
        assert!(used.note_use(3) && !used.note_use(3) && !used.note_use(128));
        let old = [slot("a", Once::No), used.clone(), slot("c", Once::No)];
        let new = vec![slot("d", Once::No), slot("b", Once::Ever), slot("a", Once::PerLife)];
        let after = Slot::succeed(&old, new.clone());
        let actors: Vec<_> = after.iter().map(|slot| (slot.actor.as_str(), slot.is_open())).collect();
        assert_eq!(actors, [("a", true), ("b", true), ("c", false), ("d", true)]);
        assert_eq!((after[0].once, &after[1]), (Once::PerLife, &used));
        let again = Slot::succeed(&after, vec![slot("c", Once::No), slot("b", Once::No)]);
        let open: Vec<_> = again.iter().map(|slot| (slot.is_open(), slot.used.len())).collect();
        assert_eq!(open, [(false, 0), (true, 0), (true, 0), (false, 0)]);
    }

    #[test]
    fn a_bootstrap_larger_than_its_packet_is_refused_by_the_supervisor() {
        let mut large = bootstrap();
        large.confinement.filter = Some(vec![0; BOOTSTRAP_BYTES]);
        let error = large.to_bytes().unwrap_err();
        assert!(error.to_string().contains("worker front does not fit into 65536 bytes"), "{error}");
    }
}
