//! G. Stalls: a peer that never comes to an end, and one that never stops.

use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use bailiwick_sys::socket;
use bailiwick_tests::fixture::TalkRef;
use bailiwick_wire::frame::{Extensions, Header, Kind, Part};
use nix::libc;
use nix::sys::socket::MsgFlags;

use crate::a_identity::well_formed;
use crate::orders::{Answer, Evil};
use crate::support::{Scene, modes};
use crate::voice::{Voice, encoded, framed};
use bailiwick_tests::harness::wait_until;

/// One piece of a message that begins with a `Part`.
fn piece(part: u32, number: u32, bytes: &[u8]) -> Vec<u8> {
    let header = Header { slot: part, generation: number, ..Header::new(Kind::Fragment) };
    framed(header, &Extensions::default(), bytes)
}

/// The first piece of an ask that is announced to be so long.
fn beginning(voice: &mut Voice, part: Part, fds: usize, bytes: &[u8]) -> (Header, Vec<u8>) {
    let header = voice.header("word", fds);
    let extensions = Extensions { part: Some(part), ..Extensions::default() };
    (header, framed(header, &extensions, bytes))
}

/// Control: a message whose pieces all come is answered. Seen to fail without the limit on descriptors of messages that are
/// not whole.
#[test]
fn g8_messages_that_come_byte_by_byte_and_never_end_hold_little_and_nobody_up() {
    let silence = encoded(&0_u32);
    for &mode in modes() {
        let mut scene = Scene::with_parrot(mode, "");
        let mut voice = Voice::to::<TalkRef>(&mut scene.evil);
        let whole = Part { number: 0, total: 4 };
        let (header, first) = beginning(&mut voice, whole, 0, &silence[..1]);
        assert!(scene.evil.send(voice.link(), &first).did());
        for (number, byte) in (1..).zip(&silence[1..]) {
            assert!(scene.evil.send(voice.link(), &piece(0, number, &[*byte])).did());
        }
        assert_eq!(voice.answer(&mut scene.evil, header.correlation).reply(), silence, "{mode:?}");
        let parrot = scene.pid("parrot");
        let (descriptors, held) = (parrot.descriptors().len(), parrot.held_bytes());
        // The descriptors of one message, in all.
        for (number, fds) in [8, 8, 0].into_iter().enumerate() {
            let part = Part { number: number as u32, total: 60_000 };
            let (_, first) = beginning(&mut voice, part, fds, &[0]);
            let sent = match fds {
                0 => scene.evil.send(voice.link(), &first),
                some => scene.evil.send_with(voice.link(), &first, &vec![0; some]),
            };
            assert!(sent.did(), "{mode:?}: {sent:?}");
        }
        for number in 1..100 {
            for part in 0..3 {
                assert!(scene.evil.send(voice.link(), &piece(part, number, &[0])).did(), "{mode:?}");
            }
            // Whole ones overtake them.
            if number % 10 == 0 {
                assert_eq!(voice.ask(&mut scene.evil, "word", &silence).reply(), silence, "{mode:?}");
            }
        }
        if nix::unistd::geteuid().is_root() {
            assert!(parrot.descriptors().len() <= descriptors + 16, "{mode:?}: {:?}", parrot.descriptors());
        }
        assert!(parrot.held_bytes() < held + (2 << 20), "{mode:?}");
        // Not one descriptor more than one message may have, however they are spread.
        let sent = {
            let (_, first) = beginning(&mut voice, Part { number: 3, total: 60_000 }, 1, &[0]);
            scene.evil.send_with(voice.link(), &first, &[0])
        };
        assert_ne!(sent, Answer::Refused("EPERM".to_owned()));
        scene.meet_again(2);
        scene.assert_audited(1..2);
        if nix::unistd::geteuid().is_root() {
            scene.journal().wait_until("its descriptors to be closed", |_| {
                (parrot.descriptors().len() <= descriptors + 1).then_some(())
            });
        }
        scene.assert_first_life("parrot");
        scene.assert_unharmed();
    }
}

/// Has as many threads as there are links send valid frames without end.
fn flood(evil: &mut Evil, links: &[i64]) {
    let frames = well_formed().repeat(500);
    let place = evil.place(&frames);
    for link in links {
        let flags = libc::MSG_NOSIGNAL;
        let send = format!("call {} n{link} n{place} n{} n{flags}", libc::SYS_sendto, frames.len());
        evil.order(&format!("aside often 1000000000 {send}"));
    }
}

/// Sends valid frames until nobody reads them any more.
fn without_end(to: OwnedFd) -> JoinHandle<()> {
    let frames = well_formed();
    thread::spawn(
        move || while nix::sys::socket::send(to.as_raw_fd(), &frames, MsgFlags::MSG_NOSIGNAL).is_ok() {},
    )
}

/// What a peer has felt of a flood, in time of a core.
const FELT: Duration = Duration::from_millis(200);

/// Control: whoever reads one peer until nothing is left comes to no end. Seen to fail without the look at what came for others
/// from one turn to the next.
#[test]
fn g9_a_flood_of_valid_frames_keeps_nobody_from_the_others() {
    // More than a receiver takes before others have their turn.
    const IN_ONE_TURN: usize = 200;
    let (ours, its) = socket::pair(socket::Kind::SeqPacket).expect("there are descriptors left");
    let flooding: Vec<_> =
        (0..2).map(|_| without_end(its.try_clone().expect("there are descriptors left"))).collect();
    drop(its);
    let mut buffer = vec![0; 64 << 10];
    let mut read_in_a_row = || {
        let mut packets = 0;
        while packets < IN_ONE_TURN && matches!(socket::receive(ours.as_fd(), &mut buffer), Ok(Some(_))) {
            packets += 1;
        }
        packets
    };
    wait_until("a turn without end", || read_in_a_row() == IN_ONE_TURN);
    drop(ours);
    flooding.into_iter().for_each(|thread| thread.join().expect("it ends with its reader"));
    for &mode in modes() {
        let mut scene = Scene::new(mode, "");
        let links = scene.evil.links();
        assert_eq!(links.len(), 2);
        let before = ["victim", "priv"].map(|worker| scene.pid(worker).cpu());
        flood(&mut scene.evil, &links);
        scene.journal().wait_until("the flood to arrive", |_| {
            let now = ["victim", "priv"].map(|worker| scene.pid(worker).cpu());
            before.iter().zip(now).all(|(before, now)| now > *before + FELT).then_some(())
        });
        scene.assert_first_life("evil");
        scene.assert_unharmed();
    }
}
