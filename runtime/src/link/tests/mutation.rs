//! B5: everything that a worker writes, with one bit flipped on the way, or changed in any other way. The receiver may close the link, refuse or
//! misunderstand a message; it never panics, and over the next link everything works.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeSet, VecDeque};
use std::io::IoSlice;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::rc::Rc;
use std::time::Duration;

use bailiwick_sys::socket::{Kind, ReceiveError, pair, receive, send};
use tokio::sync::Notify;

use super::desk::{BellRef, DeskRef};
use super::worlds::{Both, Carried, NUMBER, run_with};

const SOON: Duration = Duration::from_secs(30);
/// How long what may come of a flipped bit is awaited.
const PATIENCE: Duration = Duration::from_millis(20);
/// Bits between two that are flipped: a prime, so that every bit of a byte and every field has its turn.
const STEP: usize = 13;

#[test]
fn b5_a_flipped_bit_costs_at_most_the_link() {
    run_with(Both::new(None, Carried::Socket), async |both, cx| {
        let desk: DeskRef = cx.peer("right/desk").unwrap();
        let bell: BellRef = cx.peer("right/bell").unwrap();
        assert_eq!(bell.ring().ask(SOON).await, Ok(1));
        let bytes = exchange(both, &desk, None).await;
        assert!(bytes * 8 > 1000, "a hello, offers and two asks are more than that");
        for bit in (0..bytes * 8).step_by(STEP) {
            exchange(both, &desk, Some(bit)).await;
            both.link();
            let outcome = bell.ring().ask(SOON).await;
            assert!(outcome.is_ok(), "after bit {bit}: {outcome:?}");
        }
    });
}

/// So many packets are changed one after the other: `MUTATIONS=1000000 cargo test --release -p bailiwick million`.
const MUTATIONS: u64 = 3_000;

#[test]
fn b5_of_a_million_packets_that_are_changed_on_the_way_each_costs_at_most_the_link() {
    let wanted = std::env::var("MUTATIONS").ok().and_then(|text| text.parse().ok()).unwrap_or(MUTATIONS);
    let seed =
        std::env::var("SEED").ok().and_then(|text| text.parse().ok()).unwrap_or_else(|| fastrand::u64(..));
    run_with(Both::new(None, Carried::Socket), async |both, cx| {
        let desk: DeskRef = cx.peer("right/desk").unwrap();
        let bell: BellRef = cx.peer("right/bell").unwrap();
        assert_eq!(bell.ring().ask(SOON).await, Ok(1));
        let mutant = Rc::new(Mutant::new(seed));
        while mutant.changed.get() < wanted {
            let changed = mutant.changed.get();
            mutate(both, &desk, &bell, &mutant).await;
            if mutant.changed.get() / CHECKED_EVERY != changed / CHECKED_EVERY {
                both.link();
                let outcome = bell.ring().ask(SOON).await;
                assert!(outcome.is_ok(), "SEED={seed}, after {} packets: {outcome:?}", mutant.changed.get());
                // Another link has taken their place.
                let open = still_open(&mutant.handed.take());
                assert!(open <= 2, "SEED={seed}, after {} packets: {open} are open", mutant.changed.get());
            }
        }
    });
}

/// Makes a link in whose midst somebody stands: the left end, what is heard and said there, the same of the right end, and
/// that end.
fn ends() -> [OwnedFd; 4] {
    let (left, near) = Carried::Socket.ends();
    let (far, right) = pair(Kind::SeqPacket).unwrap();
    // The memory is that of both ends.
    let mut number = [0];
    let packet = receive(near.as_fd(), &mut number).unwrap().expect("it was laid into it");
    send(far.as_fd(), &[IoSlice::new(&number)], &[packet.fds[0].as_fd()]).unwrap();
    [left, near, far, right]
}

/// Returns which socket it is, however many descriptors there are of it.
fn place(socket: &OwnedFd) -> String {
    let link = std::fs::read_link(format!("/proc/self/fd/{}", socket.as_raw_fd())).unwrap();
    link.to_str().unwrap().to_owned()
}

/// Returns how many of these sockets this process has.
fn still_open(sockets: &BTreeSet<String>) -> usize {
    let links = std::fs::read_dir("/proc/self/fd").unwrap().flatten();
    // What was closed meanwhile leads nowhere.
    let open = links.filter_map(|fd| std::fs::read_link(fd.path()).ok()?.into_os_string().into_string().ok());
    open.filter(|link| sockets.contains(link)).count()
}

/// After so many packets it is looked whether everything works.
const CHECKED_EVERY: u64 = 50;
/// Turns of the executor in which nothing went either way: whatever came of a change has come.
const QUIET: u32 = 8;
/// Turns after which a link that has survived everything is given up.
const TURNS: u32 = 300;

/// Links both anew through somebody who changes every third packet that goes to the right, and says all sorts of things,
/// until nothing goes either way any more.
async fn mutate(both: &Both, desk: &DeskRef, bell: &BellRef, mutant: &Rc<Mutant>) {
    let [left, near, far, right] = ends();
    mutant.handed.borrow_mut().extend([&left, &right].map(place));
    both.left.peers.linked(NUMBER, (1, false), left, None).unwrap();
    both.right.peers.linked(NUMBER, (1, false), right, None).unwrap();
    let file = || std::fs::File::open("/dev/null").unwrap();
    let (calls, rings) = ((0..3).map(|n| desk.add(n).ask(SOON)), (0..3).map(|_| bell.ring().ask(SOON)));
    let said = futures::future::join3(
        futures::future::join_all(calls),
        futures::future::join_all(rings),
        desk.contents(file().into()).ask(SOON),
    );
    let _told = desk.add(1).try_tell();
    let said = tokio::task::spawn_local(said);
    let (mut quiet, mut buffer) = (0, vec![0; 1 << 17]);
    for _ in 0..TURNS {
        let mut moved = false;
        for (from, to, changes) in [(&near, &far, true), (&far, &near, false)] {
            match receive(from.as_fd(), &mut buffer) {
                Ok(Some(packet)) => {
                    let bytes = buffer[..packet.bytes].to_vec();
                    let fds: Vec<_> = packet.fds.iter().map(AsFd::as_fd).collect();
                    let packets = if changes { mutant.pass(bytes) } else { vec![bytes] };
                    for (number, bytes) in packets.iter().enumerate() {
                        let fds = if number == 0 { &fds[..] } else { &[] };
                        let _closed = send(to.as_fd(), &[IoSlice::new(bytes)], fds);
                    }
                    moved = true;
                }
                Err(ReceiveError::WouldBlock) => {}
                // The other end has closed it.
                Ok(None) | Err(_) => return said.abort(),
            }
        }
        quiet = if moved { 0 } else { quiet + 1 };
        if quiet > QUIET {
            break;
        }
        tokio::task::yield_now().await;
    }
    said.abort();
}

/// Changes packets in every way that it can think of.
struct Mutant {
    chance: RefCell<fastrand::Rng>,
    changed: Cell<u64>,
    /// Packets of earlier links too.
    seen: RefCell<VecDeque<Vec<u8>>>,
    held: RefCell<Option<Vec<u8>>>,
    /// The ends of links that were handed over.
    handed: RefCell<BTreeSet<String>>,
}

/// Numbers at the edge of something.
const EDGES: [u64; 9] = [0, 1, 0x7f, 0xff, 0xffff, 0x7fff_ffff, 0xffff_ffff, 1 << 63, u64::MAX];
const HEADER: usize = bailiwick_wire::frame::HEADER_BYTES;

impl Mutant {
    fn new(seed: u64) -> Self {
        let chance = fastrand::Rng::with_seed(seed).into();
        Self {
            chance,
            changed: Cell::default(),
            seen: Default::default(),
            held: Default::default(),
            handed: Default::default(),
        }
    }

    /// Returns what is sent instead of a packet.
    fn pass(&self, packet: Vec<u8>) -> Vec<Vec<u8>> {
        let (mut chance, mut seen) = (self.chance.borrow_mut(), self.seen.borrow_mut());
        seen.push_front(packet.clone());
        seen.truncate(64);
        let mut held: Vec<_> = self.held.take().into_iter().collect();
        if chance.u8(..) > 85 {
            return [vec![packet], held].concat();
        }
        self.changed.set(self.changed.get() + 1);
        let mut changed = packet.clone();
        let (length, at) = (changed.len(), chance.usize(..changed.len().max(1)));
        match chance.u8(..10) {
            0 => changed[at] ^= 1 << chance.u8(..8),
            1 | 2 => {
                // Behind the header: the packet is whole, what it says is not.
                for _ in 0..chance.u8(1..8) {
                    let at = chance.usize(HEADER.min(length - 1)..length);
                    changed[at] ^= 1 << chance.u8(..8);
                }
            }
            3 => changed.truncate(at),
            4 => changed.extend((0..chance.u8(1..)).map(|_| chance.u8(..))),
            5 => held.push(packet),
            6 => {
                // After the next one.
                self.held.replace(Some(packet));
                return held;
            }
            7 => held.push(seen[chance.usize(..seen.len())].clone()),
            8 => {
                let width = 1 << chance.u8(..4);
                let at = chance.usize(..HEADER) / width * width;
                let edge = EDGES[chance.usize(..EDGES.len())].to_le_bytes();
                changed.iter_mut().skip(at).take(width).zip(edge).for_each(|(byte, edge)| *byte = edge);
            }
            _ => {
                let other = &seen[chance.usize(..seen.len())];
                changed.truncate(at);
                changed.extend(other.iter().skip(at));
            }
        }
        [vec![changed], held].concat()
    }
}

/// Links both anew through a relay that may flip a bit, and asks twice; whatever comes of it, it comes. Returns how
/// many bytes went to the right.
async fn exchange(both: &Both, desk: &DeskRef, bit: Option<usize>) -> usize {
    let [left, near, far, right] = ends();
    both.left.peers.linked(NUMBER, (1, false), left, None).unwrap();
    both.right.peers.linked(NUMBER, (1, false), right, None).unwrap();
    let watched = Rc::new(Watched::default());
    let relay = tokio::task::spawn_local(relay(near, far, bit, Rc::clone(&watched)));
    let file = std::fs::File::open("/dev/null").unwrap();
    let asks = async { tokio::join!(desk.contents(file.into()).ask(SOON), desk.add(1).ask(SOON)) };
    let patience = async {
        watched.flipped.notified().await;
        tokio::time::sleep(PATIENCE).await;
    };
    tokio::select! {
        _ = asks => {}
        () = patience => {}
    }
    relay.abort();
    watched.bytes.get()
}

/// What a relay saw.
#[derive(Default)]
struct Watched {
    bytes: Cell<usize>,
    flipped: Notify,
}

/// Passes packets on both ways; of what goes from `near` to `far` one bit is flipped.
async fn relay(near: OwnedFd, far: OwnedFd, bit: Option<usize>, watched: Rc<Watched>) {
    let mut buffer = vec![0; 1 << 17];
    loop {
        for (from, to, flips) in [(&near, &far, true), (&far, &near, false)] {
            let packet = match receive(from.as_fd(), &mut buffer) {
                Ok(Some(packet)) => packet,
                Err(ReceiveError::WouldBlock) => continue,
                Ok(None) | Err(_) => return,
            };
            if flips {
                let before = watched.bytes.replace(watched.bytes.get() + packet.bytes);
                let place = bit.and_then(|bit| Some(((bit / 8).checked_sub(before)?, bit % 8)));
                if let Some((at, bit)) = place
                    && let Some(byte) = buffer[..packet.bytes].get_mut(at)
                {
                    *byte ^= 1 << bit;
                    watched.flipped.notify_one();
                }
            }
            let fds: Vec<_> = packet.fds.iter().map(AsFd::as_fd).collect();
            // Who closed its end is seen at the next turn.
            let _ = send(to.as_fd(), &[IoSlice::new(&buffer[..packet.bytes])], &fds);
        }
        tokio::task::yield_now().await;
    }
}
