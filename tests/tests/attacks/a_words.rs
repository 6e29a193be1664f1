//! A. Words that nobody waits for: answers to nothing, greetings out of time, and books beyond all bounds.

use std::time::Duration;

use bailiwick_supervisor::control::State;
use bailiwick_wire::frame::{Extensions, Header, Kind};
use bailiwick_wire::handshake::{Hello, Offer, Terms, Use, Uses, WIRE_VERSION};
use bailiwick_wire::reason::{Failure, NotDelivered};
use bailiwick_wire::schema::Fingerprint;

use crate::a_identity::assert_deadly;
use crate::orders::Answer;
use crate::support::{Mode, Scene, modes};
use crate::voice::{encoded, framed};

/// A frame without extensions.
pub(crate) fn frame(header: Header, payload: &[u8]) -> Vec<u8> {
    framed(header, &Extensions::default(), payload)
}

/// The `epoch`-th use of an ask's number.
fn ask(kind: Kind, index: u64, epoch: u64) -> Header {
    Header { correlation: epoch << 16 | index, ..Header::new(kind) }
}

/// A greeting in this version.
fn hello(version: u16) -> Vec<u8> {
    let most = u32::MAX;
    let hello = Hello { version, message_bytes: most, message_fds: u16::MAX, items: most, watches: most };
    frame(Header::new(Kind::Hello), &encoded(&hello))
}

/// Names so many methods.
fn uses(count: u64) -> Vec<u8> {
    let used = |name| Use { name, fingerprint: Fingerprint::of("of another shape") };
    frame(Header::new(Kind::Uses), &encoded(&Uses((0..count).map(used).collect())))
}

/// Control: a frame that belongs where it comes is taken. Seen to fail without the refusal of a greeting in the midst.
#[test]
fn a12_answers_to_nothing_and_greetings_out_of_time_are_deadly() {
    let unready = || Header::new(Kind::Unready).to_bytes().to_vec();
    let failure = encoded(&Failure::NotDelivered(NotDelivered::NotGranted));
    for &mode in modes() {
        assert_deadly(
            mode,
            &[
                ("a reply to nothing", frame(ask(Kind::Reply, 7, 1), &[]), 0),
                ("a reply to the first ask, twice", frame(ask(Kind::Reply, 0, 1), &[]).repeat(2), 0),
                ("a failure of nothing", frame(ask(Kind::Failure, 7, 1), &failure), 0),
                ("a part of no stream", frame(ask(Kind::Item, 7, 1), &[]), 0),
                ("the beginning of no stream", frame(ask(Kind::Opened, 7, 1), &[]), 0),
                ("the end of no stream", frame(ask(Kind::End, 7, u64::MAX >> 16), &[]), 0),
                ("a greeting once more", hello(WIRE_VERSION), 0),
                ("two greetings at once", hello(WIRE_VERSION).repeat(2), 0),
                ("a greeting of another version", hello(u16::MAX), 0),
                ("not ready, and not ready", unready().repeat(2), 0),
                ("more methods than there can be", uses(129), 0),
                ("methods that are none", frame(Header::new(Kind::Uses), &[0xff; 40]), 0),
            ],
        );
    }
}

/// Somebody who asks evil all the time, and says how that went.
pub(crate) const GOSSIP: &str = r#"
[worker.gossip]
exec = "tw"
actor.speaker = { type = "Chatter", args = { targets = ["evil"], pause_ms = 5, tells = true } }
[[grant]]
from = "gossip"
to = "evil/parrot"
fds = { send = ["file", "sealed-memory"], receive = ["sealed-memory"] }
"#;

/// Terms that nobody offers: of a rate, with what is left of it.
fn offer(generation: u32, rate: (u32, Duration, u32)) -> Vec<u8> {
    let most = u32::MAX;
    let terms = Terms {
        generation,
        messages: most,
        bytes: most,
        fds: most,
        wait: false,
        rendezvous: true,
        asks: most,
        rate: Some(rate),
        once: true,
        used: [0, u64::MAX],
    };
    frame(Header::new(Kind::Offer), &encoded(&Offer { terms: Some(terms), methods: Vec::new() }))
}

/// What evil says to whoever asks it: more credit than fields hold, answers to asks by guessed numbers, more than once, and
/// terms that make no sense. What of it is no offence to one peer is one to the other.
fn nonsense() -> Vec<Vec<u8>> {
    let most = [0xff; 12];
    let books = [Kind::Credit, Kind::Lend].map(|kind| frame(Header::new(kind), &most).repeat(4));
    let mut packets: Vec<_> = books.into();
    packets.push(frame(ask(Kind::ItemCredit, 0, 1), &most[..4]).repeat(4));
    packets.push((0..40).flat_map(|index| frame(ask(Kind::Cancel, index, 1), &[])).collect());
    for epoch in 1..4 {
        packets.push((0..40).flat_map(|index| frame(ask(Kind::Reply, index, epoch), &[9; 5])).collect());
        packets.push((0..40).flat_map(|index| frame(ask(Kind::Opened, index, epoch), &[])).collect());
        packets.push((0..40).flat_map(|index| frame(ask(Kind::Item, index, epoch), &[7, 7])).collect());
    }
    packets.push(offer(0, (u32::MAX, Duration::MAX, 0)));
    packets.push(offer(0, (0, Duration::ZERO, u32::MAX)));
    packets.push(offer(0, (1, Duration::from_nanos(1), 0)));
    packets.push(offer(u32::MAX, (u32::MAX, Duration::from_nanos(1), 0)));
    packets
}

/// Asserts that the one who asks evil has had a good round since line number `seen`.
#[track_caller]
pub(crate) fn assert_that_gossip_goes_on(scene: &Scene, mode: Mode, seen: usize) {
    scene.journal().wait_until("a round with evil that went well", |lines| {
        let new = lines.get(seen..).unwrap_or_default().iter();
        new.filter(|line| line.text.contains("with evil ok")).nth(1).map(drop)
    });
    let row = scene.worker("gossip");
    assert_eq!((row.generation, row.state), (1, State::Ready), "{mode:?}: {}", scene.journal());
}

/// Control: as long as evil answers as it should whoever asks it is content. Seen to fail without the bounds of what a rate may be.
#[test]
fn a12_whoever_asks_evil_outlives_every_answer_and_all_its_books() {
    for &mode in modes() {
        let mut scene = Scene::with(mode, "actor.parrot = { type = \"Parrot\" }\n", GOSSIP, &[]);
        scene.wait_for_life("gossip", 1);
        assert_that_gossip_goes_on(&scene, mode, 0);
        for packet in nonsense() {
            let life = scene.worker("evil").generation;
            let said = scene.over_every_link(&packet, &[]);
            assert_eq!(said, life);
            // To the privileged one some of it is an offence. Who is not accused ends otherwise.
            assert_eq!(scene.evil.order("die abort"), Answer::Died);
            scene.meet_again(life + 1);
            let seen = scene.journal().len();
            assert_that_gossip_goes_on(&scene, mode, seen);
        }
        scene.assert_unharmed();
    }
}
