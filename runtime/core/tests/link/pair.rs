//! A simulation of two workers: two link machines, drivers that keep payloads, and pipes between them.
//!
//! The simulation checks as it goes: no honest side is ever found at fault, each ask ends at most once, what
//! was reported as not delivered is never started, what a peer's death leaves unknown was started, messages of one priority to one actor arrive in the order sent and never
//! twice, nothing is delivered over a closed transport, and `Down` comes once, after the last message.

// Said with its path, so that the fuzz targets can take this file in too.
#[path = "pair/driver.rs"]
mod driver;
#[path = "pair/short.rs"]
mod short;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use bailiwick_core::asks::Ticket;
use bailiwick_core::credit::{Grant, Size};
use bailiwick_core::link::{
    Asked, Cause, Config, Event, Export, ExportId, Failure, Frame, Import, ImportId, Link, Method,
    MethodName, NotDelivered, Outcome, Page, Patience, Send, Unknown, WatchId,
};
use bailiwick_core::precedence::Priority;
use bailiwick_core::time::Instant;

/// Which of the two workers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Who {
    Left,
    Right,
}

impl Who {
    pub(crate) fn other(self) -> Self {
        match self {
            Who::Left => Who::Right,
            Who::Right => Who::Left,
        }
    }
}

/// Asks that may be open at a time to each actor.
pub(crate) const ASKS: u32 = 4;

/// A message by number, so that it can be followed.
pub(crate) type Number = u32;

/// A frame under way, with the number of the message whose payload it carries.
type Packet = (Frame, Option<Number>);

/// What lies in a mailbox.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Letter {
    export: ExportId,
    size: Size,
    number: Number,
    asked: Option<Asked>,
    /// Answered when it is taken.
    rendezvous: bool,
    deadline: Option<Instant>,
}

/// One worker: its link and what its driver keeps.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Side {
    pub(crate) link: Link,
    config: Config,
    actors: u32,
    /// Its actors' mailboxes hold nothing.
    rendezvous: bool,
    pub(crate) generation: u32,
    /// Frames that were ordered but did not leave the process yet.
    out: VecDeque<Packet>,
    /// Frames that left.
    pipe: VecDeque<Packet>,
    /// Tells that were not written when the transport ended, until the machine says so.
    unwritten: VecDeque<Number>,
    ordered: u64,
    connected: bool,
    /// Payloads kept under tickets.
    kept: BTreeMap<Ticket, Number>,
    /// Asks that have not ended.
    asking: BTreeMap<Ticket, Number>,
    /// Tells that are written and that no actor is known to have taken.
    meeting: BTreeMap<Ticket, Number>,
    pub(crate) mailboxes: Vec<VecDeque<Letter>>,
    /// What this side has said over the transport: with which asks its handlers have begun, by index.
    page: Vec<u64>,
    /// What the incarnation before it had said.
    last_page: Vec<u64>,
    /// Asks whose handlers run.
    pub(crate) handlers: Vec<Asked>,
    pub(crate) streams: Vec<(Asked, u32)>,
    watching: BTreeSet<WatchId>,
    /// What was handed back since it was last looked: to whom, which message, and whether it is an ask.
    pub(crate) handed_back: Vec<(ImportId, Number, bool)>,
    pub(crate) watches_back: Vec<(ImportId, WatchId)>,
    pub(crate) downs: Vec<u32>,
    pub(crate) opened: u32,
    pub(crate) drained: bool,
}

/// What became of the messages of one worker, over all its incarnations.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Fate {
    pub(crate) ended: BTreeMap<Number, Outcome>,
    pub(crate) cancelled: BTreeSet<Number>,
    /// Tells that were certainly not handled.
    pub(crate) undelivered: BTreeMap<Number, NotDelivered>,
    /// Tells to a rendezvous whose end was told, and how.
    pub(crate) met: BTreeMap<Number, Outcome>,
    /// Messages that a handler began with.
    pub(crate) started: BTreeSet<Number>,
    pub(crate) sent: Number,
    /// Tells of the present incarnation.
    pub(crate) tells: BTreeSet<Number>,
    /// At most so many tells of the present incarnation have an end that nobody knows.
    pub(crate) unknown: u64,
}

/// Both workers and the time.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Pair {
    pub(crate) now: Instant,
    /// Whether a refusal is part of the story.
    pub(crate) refuses: bool,
    /// Whether every other message is of high priority.
    pub(crate) mixed: bool,
    sides: [Side; 2],
    /// What became of each side's messages.
    fates: [Fate; 2],
    /// The last number delivered, by receiver, actor and priority.
    newest: BTreeMap<(Who, u32, Priority), Number>,
}

/// The method of every message.
pub(crate) const METHOD: u16 = 0;
pub(crate) const SCHEMA: Method = Method { name: MethodName(1), fingerprint: [7; 16] };
pub(crate) const MESSAGE: Size = Size { bytes: 10, fds: 0 };

impl Side {
    fn new(config: Config, actors: u32, first: Grant, rendezvous: bool, generation: u32) -> Self {
        let mut side = Self {
            link: Link::new(config),
            config,
            actors,
            rendezvous,
            generation,
            out: VecDeque::new(),
            pipe: VecDeque::new(),
            unwritten: VecDeque::new(),
            ordered: 0,
            connected: false,
            kept: BTreeMap::new(),
            asking: BTreeMap::new(),
            meeting: BTreeMap::new(),
            mailboxes: vec![VecDeque::new(); actors as usize],
            page: Vec::new(),
            last_page: Vec::new(),
            handlers: Vec::new(),
            streams: Vec::new(),
            watching: BTreeSet::new(),
            handed_back: Vec::new(),
            watches_back: Vec::new(),
            downs: Vec::new(),
            opened: 0,
            drained: false,
        };
        let mut nothing = Vec::new();
        for slot in 0..actors {
            let export = Export { rendezvous, ..Export::plain(vec![SCHEMA], first, ASKS) };
            side.link.handle(Instant::START, Event::Export { slot, export: Box::new(export) }, &mut nothing);
            let entry = Import { slot, generation: None, uses: vec![SCHEMA], rendezvous: false };
            let event = Event::Import { import: ImportId(slot), entry: Box::new(entry) };
            side.link.handle(Instant::START, event, &mut nothing);
        }
        assert_eq!(nothing, []);
        side
    }

    /// Says that it begins with a message, before it does.
    fn say(&mut self, asked: Asked) {
        let index = usize::from(asked.ticket.index());
        if self.page.len() <= index {
            self.page.resize(index + 1, 0);
        }
        self.page[index] = asked.ticket.epoch();
    }

    /// Tells whether bytes of this worker's are still to be read by the peer.
    pub(crate) fn has_unread(&self) -> bool {
        !self.pipe.is_empty()
    }

    pub(crate) fn has_unflushed(&self) -> bool {
        !self.out.is_empty()
    }

    /// Tells whether something waits for room or for the link.
    pub(crate) fn keeps(&self) -> usize {
        self.kept.len()
    }
}

impl Pair {
    /// Two workers with `actors` actors each, whose senders start with `first` credit; not linked yet.
    pub(crate) fn new(config: Config, actors: u32, first: Grant) -> Self {
        Self::of(|| Side::new(config, actors, first, false, 1))
    }

    /// Two workers whose actors' mailboxes hold nothing; not linked yet.
    pub(crate) fn of_rendezvous(config: Config, actors: u32) -> Self {
        Self::of(|| Side::new(config, actors, ONE, true, 1))
    }

    fn of(side: impl Fn() -> Side) -> Self {
        Self {
            now: Instant::START,
            refuses: false,
            mixed: false,
            sides: [side(), side()],
            fates: [Fate::default(), Fate::default()],
            newest: BTreeMap::new(),
        }
    }

    pub(crate) fn side(&self, who: Who) -> &Side {
        &self.sides[who as usize]
    }

    pub(crate) fn side_mut(&mut self, who: Who) -> &mut Side {
        &mut self.sides[who as usize]
    }

    pub(crate) fn fate(&self, who: Who) -> &Fate {
        &self.fates[who as usize]
    }

    /// Lets the supervisor hand a fresh transport to both.
    pub(crate) fn link(&mut self) {
        for who in [Who::Left, Who::Right] {
            let side = &mut self.sides[who as usize];
            side.pipe.clear();
            if !side.connected {
                side.out.clear();
            }
            side.ordered = 0;
            side.page.clear();
        }
        for who in [Who::Left, Who::Right] {
            self.sides[who as usize].connected = true;
            let generation = self.side(who.other()).generation;
            self.feed(who, Event::Linked { generation }, None);
        }
    }

    /// Links, and lets the hellos arrive.
    pub(crate) fn open(&mut self) {
        self.link();
        self.settle();
    }

    /// Tells actor `to` of the other side; returns the message's number.
    pub(crate) fn tell(&mut self, who: Who, to: u32, patience: Patience) -> Number {
        self.send(who, to, patience, None, false)
    }

    /// Asks actor `to` of the other side; returns the message's number.
    pub(crate) fn ask(&mut self, who: Who, to: u32, within: Option<Duration>) -> Number {
        self.send(who, to, Patience::Wait, within, true)
    }

    fn send(
        &mut self,
        who: Who,
        to: u32,
        patience: Patience,
        within: Option<Duration>,
        asks: bool,
    ) -> Number {
        let number = self.fates[who as usize].sent;
        self.fates[who as usize].sent += 1;
        let deadline = within.map(|within| self.now + within);
        let priority = self.priority(number);
        let side = &mut self.sides[who as usize];
        let ticket = side.link.vacant_ticket().expect("the table has room");
        let (import, method, size) = (ImportId(to), METHOD, MESSAGE);
        let send = Send { ticket, import, method, size, patience, priority, deadline };
        let event = if asks {
            side.asking.insert(ticket, number);
            Event::Ask(send)
        } else {
            self.fates[who as usize].tells.insert(number);
            Event::Tell(send)
        };
        self.feed(who, event, Some(number));
        number
    }

    /// Returns the priority of a message.
    pub(crate) fn priority(&self, number: Number) -> Priority {
        if self.mixed && number % 2 == 1 { Priority::High } else { Priority::Ordinary }
    }

    /// Has `who` hand back what waits, and sends it again in that order, as over the link of another life.
    pub(crate) fn supersede(&mut self, who: Who) {
        self.feed(who, Event::Superseded, None);
        self.feed(who, Event::Succeeds, None);
        let side = &mut self.sides[who as usize];
        let watches = std::mem::take(&mut side.watches_back);
        for (import, number, is_ask) in std::mem::take(&mut side.handed_back) {
            let ticket = self.side(who).link.vacant_ticket().expect("the table has room");
            let patience = Patience::Kept;
            let (method, size, priority) = (METHOD, MESSAGE, self.priority(number));
            let send = Send { ticket, import, method, size, patience, priority, deadline: None };
            if is_ask {
                self.sides[who as usize].asking.insert(ticket, number);
            }
            self.feed(who, if is_ask { Event::Ask(send) } else { Event::Tell(send) }, Some(number));
        }
        for (import, watch) in watches {
            self.feed(who, Event::Watch { import, watch }, None);
        }
    }

    /// Cancels a send that has not ended.
    pub(crate) fn cancel(&mut self, who: Who, number: Number) {
        let side = &mut self.sides[who as usize];
        let all = side.asking.iter().chain(&side.kept).chain(&side.meeting);
        let Some(ticket) = all.filter(|(_, n)| **n == number).map(|(ticket, _)| *ticket).next() else {
            return;
        };
        side.asking.remove(&ticket);
        side.meeting.remove(&ticket);
        side.kept.remove(&ticket);
        self.fates[who as usize].cancelled.insert(number);
        self.feed(who, Event::Cancel { ticket }, None);
    }

    /// Lets `who` write everything that was ordered.
    pub(crate) fn flush(&mut self, who: Who) {
        let side = &mut self.sides[who as usize];
        if !side.connected {
            return;
        }
        let mut out = std::mem::take(&mut side.out);
        side.pipe.append(&mut out);
        let frames = side.ordered;
        self.feed(who, Event::Written { frames }, None);
    }

    /// Lets `who` read one frame; false if there is none.
    pub(crate) fn read(&mut self, who: Who) -> bool {
        if !self.side(who).connected {
            return false;
        }
        let Some((frame, number)) = self.sides[who.other() as usize].pipe.pop_front() else { return false };
        self.feed(who, Event::Received(frame), number);
        true
    }

    /// Lets actor `slot` of `who` take its next message: an ask begins to be handled, a tell is done.
    pub(crate) fn take(&mut self, who: Who, slot: u32) -> bool {
        let Some(letter) = self.sides[who as usize].mailboxes[slot as usize].pop_front() else {
            return false;
        };
        let Letter { export, size, number, asked, rendezvous, deadline } = letter;
        self.feed(who, Event::Taken { export, size }, None);
        if deadline.is_some_and(|deadline| deadline <= self.now) {
            if let Some(asked) = asked {
                let failure = Failure::NotDelivered(NotDelivered::Expired);
                self.feed(who, Event::Fail { asked, failure }, None);
            }
            return true;
        }
        let asker = who.other();
        let fate = &mut self.fates[asker as usize];
        assert!(fate.started.insert(number), "{asker:?}'s message {number} was handled twice");
        let ended = fate.ended.get(&number);
        assert!(
            !matches!(ended, Some(Outcome::Failed(Failure::NotDelivered(_)))),
            "{asker:?}'s message {number} was reported as {ended:?} and then handled"
        );
        assert!(!fate.undelivered.contains_key(&number), "an undelivered tell was handled");
        let Some(asked) = asked else { return true };
        self.sides[who as usize].say(asked);
        if rendezvous {
            self.feed(who, Event::Reply { asked, size: Size::default() }, None);
        } else {
            self.sides[who as usize].handlers.push(asked);
        }
        true
    }

    /// Returns which messages lie in a mailbox.
    pub(crate) fn numbers(&self, who: Who, slot: u32) -> Vec<Number> {
        self.side(who).mailboxes[slot as usize].iter().map(|letter| letter.number).collect()
    }

    /// Lets the oldest handler of `who` answer.
    pub(crate) fn reply(&mut self, who: Who) -> bool {
        let side = &mut self.sides[who as usize];
        if side.handlers.is_empty() {
            return false;
        }
        let asked = side.handlers.remove(0);
        self.feed(who, Event::Reply { asked, size: MESSAGE }, None);
        true
    }

    /// Kills `who` and starts its next incarnation, which is not linked yet. What it wrote stays readable.
    pub(crate) fn crash(&mut self, who: Who) {
        let old = &self.sides[who as usize];
        let first = if old.rendezvous { ONE } else { Grant { messages: 2, bytes: 100, fds: 0 } };
        let mut fresh = Side::new(old.config, old.actors, first, old.rendezvous, old.generation + 1);
        fresh.pipe = old.pipe.clone();
        fresh.last_page = old.page.clone();
        let lost: Vec<_> = old.asking.values().copied().collect();
        self.sides[who as usize] = fresh;
        // The dead ask no more; nobody waits for their answers.
        let fate = &mut self.fates[who as usize];
        fate.cancelled.extend(lost);
        (fate.tells, fate.unknown) = (BTreeSet::new(), 0);
        self.sides[who.other() as usize].pipe.clear();
    }

    /// Tells the other side of `who` that its last incarnation is dead.
    pub(crate) fn tell_death(&mut self, who: Who) {
        let generation = self.side(who).generation - 1;
        let mut page = self.side(who).last_page.clone();
        // There is no index that was not sent, and of an ask that never began nothing was said.
        page.resize(self.fate(who.other()).sent as usize, 0);
        let page = Page::new(page);
        self.feed(who.other(), Event::PeerDied { generation, cause: Cause(9), page }, None);
    }

    /// Lets the survivor read what the dead wrote to the end.
    pub(crate) fn empty(&mut self, survivor: Who) {
        while self.read(survivor) {}
        self.feed(survivor, Event::Emptied, None);
    }

    /// Moves the time, and lets both notice.
    pub(crate) fn advance(&mut self, by: Duration) {
        self.now += by;
        for who in [Who::Left, Who::Right] {
            self.feed(who, Event::Tick, None);
        }
    }

    /// Lets everything arrive that is under way; actors take nothing.
    pub(crate) fn settle(&mut self) {
        loop {
            let mut moved = false;
            for who in [Who::Left, Who::Right] {
                moved |= self.side(who).has_unflushed();
                self.flush(who);
                moved |= self.read(who.other());
            }
            if !moved {
                return;
            }
        }
    }

    /// Lets everything arrive, be handled and be answered.
    pub(crate) fn finish(&mut self) {
        loop {
            self.settle();
            let mut moved = false;
            for who in [Who::Left, Who::Right] {
                for slot in 0..self.side(who).actors {
                    moved |= self.take(who, slot);
                }
                moved |= self.reply(who);
            }
            if !moved {
                return;
            }
        }
    }

    /// Watches actor `to` of the other side.
    pub(crate) fn watch(&mut self, who: Who, to: u32, watch: u64) {
        self.sides[who as usize].watching.insert(WatchId(watch));
        self.feed(who, Event::Watch { import: ImportId(to), watch: WatchId(watch) }, None);
    }

    /// Returns how many watches of `who` are unanswered.
    pub(crate) fn watching(&self, who: Who) -> usize {
        self.side(who).watching.len()
    }

    /// Asserts that no tell of `who` vanished silently, when nothing of it is under way any more.
    pub(crate) fn assert_tells_accounted_for(&self, who: Who) {
        let fate = self.fate(who);
        let ended = |number: &&Number| {
            fate.started.contains(number)
                || fate.undelivered.contains_key(number)
                || fate.cancelled.contains(number)
                || fate.met.contains_key(number)
        };
        let missing: Vec<_> = fate.tells.iter().filter(|number| !ended(number)).collect();
        assert!(missing.len() as u64 <= fate.unknown, "{missing:?} of {who:?}, {} unknown", fate.unknown);
    }

    /// Asserts that every ask of `who` ended, and once.
    pub(crate) fn assert_all_ended(&self, who: Who) {
        let side = self.side(who);
        assert!(side.asking.is_empty(), "{who:?} still asks {:?}", side.asking);
        assert!(side.meeting.is_empty(), "{who:?} still waits for {:?} to be taken", side.meeting);
        assert_eq!(
            side.link.outstanding() as usize,
            side.kept.len(),
            "the machine holds what nobody waits for"
        );
    }
}

/// What a mailbox lends that holds nothing.
const ONE: Grant = Grant { messages: 1, bytes: 100, fds: 0 };

/// The outcome of an ask that was begun with and whose answer will never be known.
pub(crate) const LOST: Outcome = Outcome::Failed(Failure::Unknown(Unknown::PeerDown));
/// The outcome of an ask that never left, or that was never begun with.
pub(crate) const UNHANDLED: Outcome = Outcome::Failed(Failure::NotDelivered(NotDelivered::PeerDown));
