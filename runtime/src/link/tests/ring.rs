//! A peer that shares memory and writes into it whatever it likes: it loses its link, and nobody else anything.

use std::io::IoSlice;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bailiwick_core::ring::{CONTROL_WORDS, LANE_WORDS, LINK_BYTES};
use bailiwick_sys::link_pair::{End, link, take};
use bailiwick_sys::shared_words::SharedWords;
use bailiwick_sys::socket::send;
use bailiwick_wire::audit::Evidence;
use bailiwick_wire::control::ToSupervisor;
use bailiwick_wire::fault::Fault;
use bailiwick_wire::frame::MAX_PACKET_BYTES;

use super::desk::DeskRef;
use super::worlds::{Both, Carried, NUMBER, run_with};
use crate::Protocol;

const SOON: Duration = Duration::from_secs(30);
const TAIL: usize = 0;

/// The peer's end of a link whose other end the left worker has.
struct Hostile {
    socket: OwnedFd,
    memory: SharedWords,
}

impl Hostile {
    fn join(both: &Both) -> Self {
        let (ours, theirs) = link(LINK_BYTES).unwrap();
        both.left.peers.linked_by_ring(NUMBER, (1, false), ours).unwrap();
        let (memory, end) = take(theirs.as_fd(), LINK_BYTES).unwrap();
        assert_eq!(end, End::Second);
        Self { socket: theirs, memory }
    }

    /// Writes a word of the way to the left worker.
    fn set(&self, at: usize, word: u64) {
        self.memory[LANE_WORDS + at].store(word, Ordering::Release);
    }

    fn send(&self, bytes: &[u8], fds: usize) {
        let file = std::fs::File::open("/dev/null").unwrap();
        let _closed = send(self.socket.as_fd(), &[IoSlice::new(bytes)], &vec![file.as_fd(); fds]);
    }

    /// Says that there is a packet of so many bytes and descriptors, all of them 0xff, of which so many words are published.
    fn publish(&self, bytes: u64, fds: u64, words: u64) {
        self.set(CONTROL_WORDS, bytes | fds << 32);
        (1..32).for_each(|at| self.set(CONTROL_WORDS + at, u64::MAX));
        self.set(TAIL, words);
        self.send(&[0], 0);
    }
}

/// What an end may do that no honest one does, by what it is called.
type Forgery = (&'static str, fn(&Hostile));

const FORGERIES: &[Forgery] = &[
    ("more is published than there is room for", |end| end.publish(8, 0, 1 << 20)),
    ("less is published than nothing", |end| end.publish(8, 0, u64::MAX)),
    ("a packet of no bytes", |end| end.publish(0, 0, 1)),
    ("a packet longer than what is published", |end| end.publish(9, 0, 2)),
    ("a packet longer than any may be", |end| end.publish(MAX_PACKET_BYTES as u64 + 1, 0, 20_000)),
    ("a packet with bits that nobody sets", |end| end.publish(8, 1 << 16, 2)),
    ("a packet whose descriptors did not come", |end| end.publish(8, 1, 2)),
    ("a packet with fewer descriptors than it says", |end| {
        end.send(&[1, 255], 1);
        end.publish(8, 2, 2);
    }),
    ("a packet that holds no frames", |end| end.publish(100, 0, 14)),
    ("descriptors that nobody asked for", |end| (0..3).for_each(|_| end.send(&[1, 255], 1))),
    ("descriptors with a bell", |end| end.send(&[0], 1)),
    ("descriptors of which nothing is said", |end| end.send(&[1], 1)),
    ("fewer descriptors than are said to be there", |end| end.send(&[1, 255, 255], 1)),
    ("memory of a place that is none", |end| end.send(&[1, 32], 1)),
    ("a byte that means nothing", |end| end.send(&[2], 0)),
    ("bytes over the socket", |end| end.send(&[0, 0], 0)),
];

#[test]
fn d1_whoever_forges_what_stands_in_a_ring_is_told_of_and_loses_the_link() {
    run_with(Both::new(None, Carried::Ring(Duration::ZERO)), async |both, cx| {
        let desk: DeskRef = cx.peer("right/desk").unwrap();
        for (number, (what, forge)) in FORGERIES.iter().enumerate() {
            let hostile = Hostile::join(both);
            forge(&hostile);
            let mut ready = tokio::time::interval(Duration::from_millis(1));
            let reports = || both.left.reports.lock().unwrap().len();
            let watchdog = tokio::time::timeout(SOON, async {
                while reports() <= number {
                    ready.tick().await;
                }
            });
            watchdog.await.unwrap_or_else(|_| panic!("{what}: it was not told of"));
            both.link();
            assert_eq!(desk.add(2).ask(SOON).await, Ok(number + 1), "{what}");
        }
        let reports = both.left.reports.lock().unwrap();
        for (report, (what, _)) in reports.iter().zip(FORGERIES) {
            let ToSupervisor::Accuse { fault, evidence, .. } = report else { panic!("{what}: {report:?}") };
            assert_eq!(*fault, Fault::Frame as u32, "{what}");
            assert_eq!(*evidence != Evidence::default(), what.ends_with("frames"), "{what}");
        }
    });
}

/// So many links, in each of which every word is rewritten over and over: `LINKS=10000 cargo test --release -p bailiwick speed`.
const LINKS: u32 = 30;

#[test]
fn whoever_rewrites_all_words_at_full_speed_harms_its_own_messages_alone() {
    let links = std::env::var("LINKS").ok().and_then(|text| text.parse().ok()).unwrap_or(LINKS);
    run_with(Both::new(None, Carried::Ring(Duration::from_micros(50))), async |both, cx| {
        let desk: DeskRef = cx.peer("right/desk").unwrap();
        for number in 0..links {
            let hostile = Hostile::join(both);
            let over = Arc::new(AtomicBool::new(false));
            let until = Arc::clone(&over);
            let scribbling = std::thread::spawn(move || {
                let mut chance = fastrand::Rng::with_seed(number.into());
                while !until.load(Ordering::Relaxed) {
                    let lane = chance.usize(..2) * LANE_WORDS;
                    let at =
                        [0, 16, 32, 48, CONTROL_WORDS, CONTROL_WORDS + chance.usize(..64)][chance.usize(..6)];
                    let near = chance.u64(..200);
                    let word = [near, chance.u64(..), near | chance.u64(..3) << 32, 0][chance.usize(..4)];
                    hostile.memory[lane + at].store(word, Ordering::Release);
                    if chance.u32(..100) == 0 {
                        hostile.send(&[chance.u8(..2)], chance.usize(..2));
                    }
                }
            });
            let told = desk.add(number).try_tell();
            for _ in 0..200 {
                tokio::task::yield_now().await;
            }
            over.store(true, Ordering::Relaxed);
            scribbling.join().unwrap();
            both.link();
            let outcome = desk.list().ask(SOON).await;
            assert!(outcome.is_ok(), "link {number}, {told:?}: {outcome:?}");
        }
    });
}

#[test]
fn what_was_published_before_the_end_is_read_before_the_end_is_told() {
    for carried in Carried::ALL {
        run_with(Both::new(None, carried), async |both, cx| {
            let desk: DeskRef = cx.peer("right/desk").unwrap();
            assert_eq!(desk.add(1).ask(SOON).await, Ok(1));
            let ours = both.right.peers.resolve("left/desk", DeskRef::schema()).unwrap();
            let ours = DeskRef::from_address(ours);
            assert_eq!(ours.add(0).ask(SOON).await, Ok(1));
            // What is written at the last moment is unread when the end is told.
            let mut sends: Vec<_> = (1..4).map(|number| Box::pin(ours.add(number).tell())).collect();
            for send in &mut sends {
                assert!(futures::poll!(send).is_ready());
            }
            both.right.peers.close();
            both.kill_right().await;
            both.left.peers.read_out(NUMBER, 1, false).await;
            assert_eq!(both.left.desk().list().ask(SOON).await, Ok(vec![0, 1, 2, 3]), "{carried:?}");
        });
    }
}
