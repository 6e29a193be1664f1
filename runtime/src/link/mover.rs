//! The task that moves the bytes of one transport: many frames to a packet, written when the executor has
//! nothing else to do.
//!
//! Who sends only appends to the outbox and wakes this task, which the executor runs after what was ready
//! before it; so what those others send meanwhile goes out with the same system call.

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bailiwick_core::link::{Event, WORD_WAIT};
use bailiwick_sys::socket::{LostFds, Packet};
use bailiwick_wire::descriptors::Came;
use bailiwick_wire::frame::MAX_PACKET_BYTES;
use tokio::time::{Sleep, sleep, sleep_until};

use super::effect::{self, Effects};
use super::inbox::{self, Inbox};
use super::peer::{Peer, State, Turn};
use super::transport::{Read, Source, Stopped};

/// Serves one transport until it is closed.
pub(super) struct Mover {
    peer: Arc<Peer>,
    serial: u32,
    source: Source,
    buffer: Vec<u8>,
    /// The user that the kernel is to say of every packet.
    uid: Option<u32>,
    inbox: Inbox,
    effects: Effects,
    /// What was read in this turn.
    read_bytes: usize,
    /// Set while the kernel has no room for more descriptors in flight.
    pause: Option<Pin<Box<Sleep>>>,
    /// Nothing is read, because the peer does not read what it is answered.
    held: bool,
    /// Set while the peer waits for credit that it earns with time.
    pay: Option<Pin<Box<Sleep>>>,
    /// Set while memory is held that was lent: it goes if it is not used until then.
    idle: Option<Pin<Box<Sleep>>>,
    /// Set when the transport has ended by itself: how long word of the peer is awaited.
    farewell: Option<Pin<Box<Sleep>>>,
}

impl Mover {
    pub(super) fn new(peer: Arc<Peer>, serial: u32, source: Source, uid: Option<u32>) -> Self {
        let inbox = Inbox::new(peer.lock().limits);
        let (buffer, effects) = (vec![0; MAX_PACKET_BYTES + 1], Effects::default());
        let (pause, pay, idle, farewell) = (None, None, None, None);
        Self {
            peer,
            serial,
            source,
            buffer,
            uid,
            inbox,
            effects,
            read_bytes: 0,
            pause,
            held: false,
            pay,
            idle,
            farewell,
        }
    }

    /// Moves bytes both ways until the transport is closed.
    pub(super) async fn run(mut self) {
        std::future::poll_fn(|task| self.poll(task)).await;
    }

    fn poll(&mut self, task: &mut Context<'_>) -> Poll<()> {
        if !self.attend(task) {
            return Poll::Ready(());
        }
        if self.farewell.is_none() {
            self.poll_both(task);
            self.poll_pay(task);
            self.poll_idle(task);
        }
        self.poll_farewell(task);
        if self.serves(&self.peer.lock()) { Poll::Pending } else { Poll::Ready(()) }
    }

    fn poll_both(&mut self, task: &mut Context<'_>) {
        let mut packets = 0;
        self.read_bytes = 0;
        while self.poll_read(task).is_ready() {
            packets += 1;
            if packets == PACKETS_PER_TURN || self.read_bytes >= BYTES_PER_TURN {
                have_others_first(task);
                break;
            }
        }
        // What was ordered until now is written here; what others order from now on may come too late for that.
        self.peer.lock().writer_is_woken = false;
        self.poll_write(task);
        if std::mem::take(&mut self.held) && !self.peer.lock().owes_too_much() {
            // What may be read meanwhile wakes nobody, since nobody asked for it.
            task.waker().wake_by_ref();
        }
    }

    /// Has the machine pay the peer what it has earned, when it is time.
    fn poll_pay(&mut self, task: &mut Context<'_>) {
        let due = self.peer.lock().link.pays_at();
        let Some(at) = due.and_then(|due| self.peer.deadline(due)) else {
            self.pay = None;
            return;
        };
        let pay = self.pay.get_or_insert_with(|| Box::pin(sleep_until(at)));
        if pay.deadline() != at {
            pay.as_mut().reset(at);
        }
        if pay.as_mut().poll(task).is_ready() {
            self.pay = None;
            self.tell(Event::Tick);
            // What is due next is found out in the next turn, and what was ordered is written.
            task.waker().wake_by_ref();
        }
    }

    /// Has memory go that was lent, here or there, and was not used for a while.
    fn poll_idle(&mut self, task: &mut Context<'_>) {
        while self.source.holds_memory() {
            let idle = self.idle.get_or_insert_with(|| Box::pin(sleep(IDLE)));
            if idle.as_mut().poll(task).is_pending() {
                return;
            }
            self.idle = None;
            self.source.tick();
        }
        self.idle = None;
    }

    /// Tells the machine when word of the peer, whose transport has ended, was awaited long enough.
    fn poll_farewell(&mut self, task: &mut Context<'_>) {
        if self.farewell.as_mut().is_some_and(|wait| wait.as_mut().poll(task).is_ready()) {
            self.tell(Event::Tick);
        }
    }

    /// Has this task woken from now on, if its transport is the present one. A task whose transport has been
    /// replaced must not take the wake-ups of its successor, so both happen under one lock.
    ///
    /// What is to be written does not wake it while it still reads, since it writes afterwards: woken by its own doing, it would
    /// have its next turn before the executor looks at what came for others.
    fn attend(&self, task: &Context<'_>) -> bool {
        let mut state = self.peer.lock();
        let serves = self.serves(&state);
        if serves {
            self.peer.writer.register(task.waker());
            state.writer_is_woken = self.farewell.is_none();
        }
        serves
    }

    fn serves(&self, state: &State) -> bool {
        state.transport.as_ref().is_some_and(|transport| transport.serial == self.serial)
    }

    /// Ready if a packet was read, and another may be there.
    fn poll_read(&mut self, task: &mut Context<'_>) -> Poll<()> {
        let (dying, at_leisure) = {
            let state = self.peer.lock();
            let Some(transport) = state.transport.as_ref().filter(|own| own.serial == self.serial) else {
                return Poll::Pending;
            };
            self.held = !transport.dying && state.owes_too_much();
            (transport.dying, state.outbox.is_empty())
        };
        if self.held {
            return Poll::Pending;
        }
        let read = if dying {
            self.source.read_last(&mut self.buffer)
        } else {
            ready!(self.source.poll(task, &mut self.buffer, at_leisure))
        };
        match read {
            Read::Packet(packet, fds) => self.take_in(packet, fds),
            Read::Again => {}
            Read::Ended | Read::Forged if dying => {
                self.tell(Event::Emptied);
                return Poll::Pending;
            }
            Read::Ended => {
                self.lose();
                return Poll::Pending;
            }
            Read::Forged => {
                self.accuse();
                return Poll::Pending;
            }
        }
        Poll::Ready(())
    }

    fn take_in(&mut self, packet: Packet, fds: Vec<Came>) {
        let Packet { bytes, truncated, lost, credentials, .. } = packet;
        let is_impostor = self.uid.is_some_and(|uid| credentials.is_none_or(|sender| sender.uid != uid));
        let bytes = self.buffer.get(..bytes).unwrap_or_default();
        self.read_bytes += bytes.len();
        let serial = self.serial;
        let inbox = &mut self.inbox;
        self.peer.turn_with(&mut self.effects, |turn| {
            if !turn.serves(serial) {
                return;
            }
            turn.read_clock();
            turn.state.traffic.received_bytes += bytes.len() as u64;
            if is_impostor {
                return turn.event(Event::Impostor);
            }
            if truncated || lost == Some(LostFds::Excess) || bytes.is_empty() {
                return inbox::malformed(turn, bytes);
            }
            inbox.packet(turn, serial, bytes, fds, lost.is_some());
        });
        effect::run_all(&self.peer, &mut self.effects, bytes);
    }

    /// Tells the machine that the peer wrote what carries no packets.
    fn accuse(&self) {
        let serial = self.serial;
        self.peer.turn(|turn| {
            if turn.serves(serial) {
                turn.read_clock();
                inbox::malformed(turn, &[]);
            }
        });
    }

    /// Everything is read, and no more will come.
    fn lose(&mut self) {
        self.tell(Event::Lost);
        self.farewell = Some(Box::pin(sleep(WORD_WAIT)));
    }

    /// Gives the machine an event about this transport, at the time that it is.
    fn tell(&self, event: Event) {
        let serial = self.serial;
        self.peer.turn(|turn| {
            if turn.serves(serial) {
                turn.read_clock();
                turn.event(event);
            }
        });
    }

    /// Writes as much as goes. What stops it wakes the task when it no longer does.
    fn poll_write(&mut self, task: &mut Context<'_>) {
        if let Some(pause) = &mut self.pause {
            if pause.as_mut().poll(task).is_pending() {
                return;
            }
            self.pause = None;
        }
        loop {
            let serial = self.serial;
            if self.source.poll_writable(task).is_pending() {
                return;
            }
            let stopped = self.peer.turn(|turn| {
                if !turn.serves(serial) || turn.state.outbox.is_empty() {
                    return Stopped::Done;
                }
                turn.write_out()
            });
            match stopped {
                Stopped::Done => return self.peer.emptied.notify_waiters(),
                Stopped::Full => self.source.is_full(task),
                Stopped::NoRoom => {
                    let mut pause = Box::pin(sleep(NO_ROOM_PAUSE));
                    if pause.as_mut().poll(task).is_pending() {
                        self.pause = Some(pause);
                        return;
                    }
                }
                // Reading comes to the end by itself, after what the peer still wrote.
                Stopped::RingFull | Stopped::Gone | Stopped::Forged => return,
            }
        }
    }
}

impl Turn<'_> {
    /// Writes as much as goes to the present transport, and tells the machine.
    fn write_out(&mut self) -> Stopped {
        loop {
            let Some(transport) = &mut self.state.transport else { return Stopped::Gone };
            let (frames, stopped) = transport.sink.write(&mut self.state.outbox);
            self.state.written += frames;
            self.event(Event::Written { frames: self.state.written });
            if stopped == Stopped::Forged {
                inbox::malformed(self, &[]);
            }
            // The machine may have waited with a word until another had left.
            if stopped != Stopped::Done || self.state.outbox.is_empty() {
                return stopped;
            }
        }
    }

    /// Closes the link, after what was sent as far as it goes without waiting.
    pub(super) fn close_link(&mut self) {
        self.write_out();
        self.event(Event::Close);
    }
}

/// Has this task go on after the others of this executor, and after a look at what came for them: whoever wakes itself has its
/// next turn before that look, dozens of times.
pub(super) fn have_others_first(task: &mut Context<'_>) {
    let _pending = pin!(tokio::task::yield_now()).poll(task);
}

/// Packets that are read before others of the executor have their turn.
const PACKETS_PER_TURN: u32 = 16;
/// Bytes likewise: a packet may be four thousand frames, and each of them takes time.
const BYTES_PER_TURN: usize = MAX_PACKET_BYTES;
/// How long memory that was lent is not used before it goes, at least; twice as long at most.
const IDLE: Duration = Duration::from_secs(1);
/// How long to wait when the kernel has no room for descriptors in flight.
const NO_ROOM_PAUSE: Duration = Duration::from_millis(5);
