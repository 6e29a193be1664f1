//! Taps: who reads along what actors handle, a note of each message and nothing of what is in it.
//!
//! Invariants: where nobody reads along, a message costs one look at a number that nobody writes; an actor never waits for a
//! reader, nor for another actor that notes something down: what cannot be noted is counted; each message that was begun with and
//! done with while the tap was on is noted or counted, once.

use std::hint::spin_loop;
use std::mem;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::task::{Poll, Waker};
use std::time::{Duration, Instant};

use bailiwick_sys::events::{monotonic_ns, wall};
use bailiwick_wire::schema::ProtocolSchema;

use crate::cell::Cell;
use crate::envelope::Envelope;
use crate::introspect::{Ending, MessageEnd, MessageKind};

/// The taps on the actors of one type. On a line of memory of its own, which every message reads.
#[derive(Debug, Default)]
#[repr(align(64))]
pub(crate) struct Taps {
    /// 0 while there is none; else a number that is another one after each change.
    version: AtomicU32,
    all: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    changes: u32,
    taps: Vec<Arc<Tap>>,
}

/// One who reads along.
#[derive(Debug)]
pub(crate) struct Tap {
    /// The one actor that is meant; without, all of the type.
    path: Option<Box<str>>,
    until: Instant,
    is_over: AtomicBool,
    caught: Mutex<Caught>,
    /// Messages that were not noted because somebody else was at it.
    missed: AtomicU64,
}

#[derive(Debug)]
struct Caught {
    notes: Vec<Note>,
    /// Messages since the last note for which there was no room.
    lost: u64,
    /// How many more are noted.
    left: u32,
    over: Option<Ending>,
    reader: Option<Waker>,
}

/// What a reader takes.
#[derive(Debug)]
pub(crate) enum Taken {
    Notes(Vec<Note>),
    /// It is over, for this reason; so many were lost behind the last note.
    Over(Ending, u64),
}

/// One message that was handled, or came to no handler.
pub(crate) struct Note {
    /// How many before it were lost.
    pub(crate) lost: u64,
    pub(crate) cell: Arc<Cell>,
    pub(crate) generation: u32,
    pub(crate) begun: Begun,
    pub(crate) handled: Duration,
    pub(crate) end: MessageEnd,
}

/// A message that is begun with.
#[derive(Clone)]
pub(crate) struct Begun {
    at: Instant,
    pub(crate) monotonic_ns: u64,
    pub(crate) wall: Duration,
    pub(crate) protocol: &'static ProtocolSchema,
    pub(crate) method: u16,
    pub(crate) kind: MessageKind,
    /// The worker that sent it, if that is another one, and how many bytes came.
    pub(crate) link: Option<(String, u32)>,
    pub(crate) waited: Option<Duration>,
    pub(crate) trace: Option<[u8; 16]>,
}

/// An actor that somebody may read along with, from one message to the next.
#[derive(Default)]
pub(crate) struct Tapped {
    /// The version of the taps that it knows.
    version: u32,
    by: Vec<Arc<Tap>>,
    begun: Option<Begun>,
}

impl Taps {
    /// Tells whether somebody reads along.
    #[inline]
    pub(crate) fn are_on(&self) -> bool {
        self.version.load(Ordering::Relaxed) != 0
    }

    pub(crate) fn add(&self, tap: Arc<Tap>) {
        let mut known = self.lock();
        known.taps.push(tap);
        self.changed(&mut known);
    }

    pub(crate) fn remove(&self, tap: &Arc<Tap>) {
        let mut known = self.lock();
        known.taps.retain(|one| !Arc::ptr_eq(one, tap));
        self.changed(&mut known);
    }

    fn changed(&self, known: &mut Known) {
        known.changes = known.changes.wrapping_add(1).max(1);
        let version = if known.taps.is_empty() { 0 } else { known.changes };
        self.version.store(version, Ordering::Relaxed);
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tap {
    /// Makes one that notes so many messages at most, for so long at most.
    pub(crate) fn new(path: Option<&str>, messages: u32, time: Duration) -> Arc<Self> {
        let caught =
            Caught { notes: Vec::with_capacity(ROOM), lost: 0, left: messages, over: None, reader: None };
        Arc::new(Self {
            path: path.map(Into::into),
            until: Instant::now() + time,
            is_over: AtomicBool::new(false),
            caught: Mutex::new(caught),
            missed: AtomicU64::new(0),
        })
    }

    /// Returns when it is over at the latest.
    pub(crate) fn until(&self) -> Instant {
        self.until
    }

    /// Notes nothing more.
    pub(crate) fn end(&self, why: Ending) {
        let mut caught = self.caught.lock().unwrap_or_else(PoisonError::into_inner);
        self.over(&mut caught, why);
        wake(caught);
    }

    /// Ready once something was noted, or all is over.
    pub(crate) fn poll_take(&self, waker: &Waker) -> Poll<Taken> {
        let mut caught = self.caught.lock().unwrap_or_else(PoisonError::into_inner);
        let missed = self.missed.swap(0, Ordering::Relaxed);
        match caught.notes.first_mut() {
            Some(first) => first.lost += missed,
            None => caught.lost += missed,
        }
        if !caught.notes.is_empty() {
            return Poll::Ready(Taken::Notes(mem::replace(&mut caught.notes, Vec::with_capacity(ROOM))));
        }
        if let Some(why) = caught.over {
            return Poll::Ready(Taken::Over(why, mem::take(&mut caught.lost)));
        }
        caught.reader = Some(waker.clone());
        Poll::Pending
    }

    fn is_for(&self, cell: &Cell) -> bool {
        self.path.as_ref().is_none_or(|path| **path == *cell.path())
    }

    /// Notes a message, or counts it. Waits for nobody.
    fn note(&self, cell: &Arc<Cell>, begun: &Begun, now: Instant, end: MessageEnd) {
        if self.is_over.load(Ordering::Relaxed) {
            return;
        }
        let Some(mut caught) = self.caught_in_time() else {
            self.missed.fetch_add(1, Ordering::Relaxed);
            return;
        };
        if caught.over.is_some() {
            return;
        }
        if now >= self.until {
            self.over(&mut caught, Ending::Time);
        } else if caught.notes.len() < ROOM {
            let (lost, generation) = (mem::take(&mut caught.lost), cell.generation());
            let handled = now.saturating_duration_since(begun.at);
            let (cell, begun) = (Arc::clone(cell), begun.clone());
            caught.notes.push(Note { lost, cell, generation, begun, handled, end });
            caught.left = caught.left.saturating_sub(1);
            if caught.left == 0 {
                self.over(&mut caught, Ending::Messages);
            }
        } else {
            caught.lost += 1;
        }
        wake(caught);
    }

    fn over(&self, caught: &mut Caught, why: Ending) {
        caught.over.get_or_insert(why);
        self.is_over.store(true, Ordering::Relaxed);
    }

    /// Returns what was caught, unless others are at it for longer than it takes to note something.
    fn caught_in_time(&self) -> Option<MutexGuard<'_, Caught>> {
        for _ in 0..TRIES {
            match self.caught.try_lock() {
                Ok(caught) => return Some(caught),
                Err(TryLockError::Poisoned(poisoned)) => return Some(poisoned.into_inner()),
                Err(TryLockError::WouldBlock) => spin_loop(),
            }
        }
        None
    }
}

impl Tapped {
    /// Notes that an actor begins with a message.
    #[cold]
    pub(crate) fn begin(&mut self, cell: &Cell, envelope: &Envelope) {
        let taps = cell.tally().taps();
        if self.version != taps.version.load(Ordering::Relaxed) {
            let known = taps.lock();
            self.version = taps.version.load(Ordering::Relaxed);
            self.by = known.taps.iter().filter(|tap| tap.is_for(cell)).cloned().collect();
            drop(known);
            if !self.by.is_empty() {
                cell.queue.measure_all(true);
            }
        }
        self.begun = (!self.by.is_empty()).then(|| Begun::of(envelope));
    }

    /// Notes how it ended, if one was begun with.
    #[cold]
    pub(crate) fn end(&mut self, cell: &Arc<Cell>, end: MessageEnd) {
        let Some(begun) = self.begun.take() else { return };
        let now = Instant::now();
        self.by.iter().for_each(|tap| tap.note(cell, &begun, now, end));
    }
}

impl Begun {
    fn of(envelope: &Envelope) -> Self {
        let at = Instant::now();
        let &Envelope { protocol, method, bytes, queued, .. } = envelope;
        Self {
            at,
            monotonic_ns: monotonic_ns(),
            wall: wall(),
            protocol,
            method,
            kind: envelope.reply.kind(),
            link: envelope.credit.as_ref().map(|credit| (credit.sender(), bytes)),
            waited: queued.map(|queued| at.saturating_duration_since(queued)),
            trace: envelope.trace.as_ref().map(|context| context.trace),
        }
    }
}

/// Wakes the reader, outside of the lock.
fn wake(mut caught: MutexGuard<'_, Caught>) {
    let reader = caught.reader.take();
    drop(caught);
    if let Some(reader) = reader {
        reader.wake();
    }
}

impl std::fmt::Debug for Note {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {:?}", self.cell.path(), self.end)
    }
}

/// How many notes wait for the reader at most: beyond that, messages are counted.
pub(crate) const ROOM: usize = 128;
/// How often an actor looks whether another one is still at it: less than a microsecond together.
const TRIES: u32 = 32;
