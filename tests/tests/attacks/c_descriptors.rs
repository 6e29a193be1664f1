//! C. Descriptors.

use bailiwick_supervisor::control::Cause;
use bailiwick_wire::control::ToSupervisor;
use bailiwick_wire::frame::{Header, Kind};
use nix::libc;

use crate::a_identity::{assert_deadly, well_formed};
use crate::orders::{Answer, Arg, Evil};
use crate::support::{Free, Scene, modes};
use crate::wire::LINE;
use bailiwick_tests::harness::wait_until;

fn header(kind: Kind, fds: u16) -> Vec<u8> {
    Header { fds, ..Header::new(kind) }.to_bytes().to_vec()
}

/// Control: a packet without descriptors is taken; an ordinary process passes as many to itself. Seen to fail without the
/// comparison of descriptors with what frames announce.
#[test]
fn c1_c2_descriptors_that_nobody_announced_or_grants_are_closed_and_deadly() {
    let mut free = Free::somebody();
    let pair = free.evil.place(&[0; 8]);
    let socketpair = [1.into(), 5.into(), 0.into(), pair.into()];
    assert!(free.evil.call(libc::SYS_socketpair, &socketpair).did());
    let [one, _] = free.evil.pair(pair);
    assert!(free.evil.send_with(one, b"x", &[0; 253]).did());
    for &mode in modes() {
        assert_deadly(
            mode,
            &[
                ("one that was not announced", well_formed(), 1),
                ("as many as a packet may have", well_formed(), 16),
                ("as many as the kernel passes", well_formed(), 253),
                ("announced where there are none", header(Kind::Unready, 3), 0),
                ("announced for a kind that has none", header(Kind::Unready, 1), 1),
            ],
        );
    }
}

/// Control: an ordinary process passes each of them to itself. Seen to fail without the count of the descriptors of a
/// record.
#[test]
fn c5_descriptors_of_every_kind_that_the_supervisor_is_to_keep_harm_nobody() {
    let mut free = Free::somebody();
    let pair = free.evil.place(&[0; 8]);
    assert!(free.evil.call(libc::SYS_socketpair, &[1.into(), 5.into(), 0.into(), pair.into()]).did());
    let [one, _] = free.evil.pair(pair);
    for fd in free.evil.oddities() {
        assert!(free.evil.send_with(one, b"x", &[fd]).did(), "{fd}");
    }
    for &mode in modes() {
        let mut scene = Scene::new(mode, "");
        for generation in 2..5 {
            for (number, fd) in scene.evil.oddities().into_iter().enumerate() {
                let keep = ToSupervisor::Keep { name: format!("odd{number}") };
                assert!(scene.evil.send_with(LINE, &keep.to_bytes(), &[fd]).did());
            }
            // Names without end, each with another; of these few are kept.
            for number in 0..200 {
                let keep = ToSupervisor::Keep { name: format!("more{number}") };
                scene.evil.send_with(LINE, &keep.to_bytes(), &[0]);
            }
            assert!(scene.process().descriptors().len() < 200, "{mode:?}");
            // The next life gets them all.
            scene.pid("evil").signal(nix::sys::signal::Signal::SIGKILL);
            scene.meet_again(generation);
        }
        for number in 0..200 {
            for name in [format!("odd{number}"), format!("more{number}")] {
                scene.evil.send(LINE, &ToSupervisor::Discard { name }.to_bytes());
            }
        }
        for (life, attached) in [(5, vec![]), (6, vec![0, 0]), (7, vec![0; 253])] {
            let keep = ToSupervisor::Keep { name: "odd".to_owned() };
            let mut sent = Answer::Died;
            // Where the supervisor has not yet read what was said before, there is no room.
            wait_until("a word to be taken", || {
                sent = match &attached[..] {
                    [] => scene.evil.send(LINE, &keep.to_bytes()),
                    some => scene.evil.send_with(LINE, &keep.to_bytes(), some),
                };
                !sent.is_refused(&["EAGAIN"])
            });
            assert_ne!(sent, Answer::Refused("EPERM".to_owned()));
            scene.meet_again(life);
            assert_eq!(scene.worker("evil").last_cause, Some(Cause::Protocol), "{mode:?}");
        }
        scene.assert_unharmed();
    }
}

/// Control: an ordinary process makes the same, and as many of them as it likes.
/// Seen to fail without the limit on descriptors.
#[test]
fn c6_sockets_that_hold_each_other_in_flight_pin_nothing_of_others() {
    let knot = |evil: &mut Evil, closes: bool| {
        let place = evil.place(&[0; 8]);
        let made = evil.call(libc::SYS_socketpair, &[1.into(), 1.into(), 0.into(), place.into()]);
        if !made.did() {
            return made;
        }
        let [one, other] = evil.pair(place);
        let sent = evil.send_with(one, b"x", &[one, other]);
        for fd in [one, other].into_iter().filter(|_| closes) {
            evil.call(libc::SYS_close, &[fd.into()]);
        }
        sent
    };
    let mut free = Free::somebody();
    let many = Arg::Bytes([4096_u64.to_le_bytes(), 4096_u64.to_le_bytes()].concat());
    assert!(
        free.evil.call(libc::SYS_prlimit64, &[0.into(), libc::RLIMIT_NOFILE.into(), many, 0.into()]).did()
    );
    assert!((0..300).all(|number| knot(&mut free.evil, number % 2 == 0).did()));
    for &mode in modes() {
        let mut scene = Scene::new(mode, "");
        for closes in [true, false] {
            // The kernel undoes those that nobody can reach any more; of the others there are as many as there are numbers.
            let came: Vec<_> = (0..300).map(|_| knot(&mut scene.evil, closes)).collect();
            let refused = |came: &&Answer| came.is_refused(&["ETOOMANYREFS", "EMFILE"]);
            assert!(came.iter().all(|came| came.did() || refused(&came)), "{mode:?}: {came:?}");
            assert!(closes || came.iter().filter(refused).count() > 100, "{mode:?}: {came:?}");
        }
        scene.assert_unharmed();
    }
}
