//! B. Framing.

use bailiwick_wire::frame::{Header, Kind};

use nix::libc;

use crate::a_identity::{assert_deadly, well_formed};
use crate::orders::{Answer, Arg, Attack, Evil};
use crate::support::{Free, Scene, assert_refused, modes};
use crate::wire::LINE;

/// A header with this length, and so many bytes behind it.
fn long(kind: Kind, length: u32, present: usize) -> Vec<u8> {
    let mut bytes = Header { length, ..Header::new(kind) }.to_bytes().to_vec();
    bytes.resize(bytes.len() + present, 0);
    bytes
}

/// Control: a frame of the right length is taken. Seen to fail without the comparison of a length with what follows.
#[test]
fn b1_b3_a_length_that_is_not_true_is_deadly_from_the_header_alone() {
    for &mode in modes() {
        assert_deadly(
            mode,
            &[
                ("all that a field holds", long(Kind::Tell, u32::MAX, 0), 0),
                ("half of that", long(Kind::Tell, 1 << 31, 0), 0),
                ("more than follows", long(Kind::Tell, 100, 40), 0),
                // (A word that belongs there: it is the rest that does not.)
                ("less than follows", long(Kind::Unready, 0, 7), 0),
                ("half a header", vec![0; 13], 0),
                ("one byte", vec![47], 0),
            ],
        );
    }
}

/// Control: a packet with frames in it is taken. Seen to fail without the refusal of a packet without a byte.
#[test]
fn b14_a_packet_without_a_byte_is_no_end_and_one_that_is_too_long_is_deadly() {
    for &mode in modes() {
        assert_deadly(
            mode,
            &[("nothing", Vec::new(), 0), ("more than a packet may have", vec![0; 120 << 10], 0)],
        );
        let mut scene = Scene::new(mode, "");
        // It may be dead before it can say that this was sent.
        scene.evil.send(LINE, &[]);
        scene.meet_again(2);
        scene.assert_unharmed();
    }
}

/// Has bytes sent out of band, in each way; and asked for.
fn out_of_band(evil: &mut Evil, socket: i64) -> Vec<(String, Answer)> {
    let flags = libc::MSG_OOB | libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
    let bytes = evil.place(&well_formed());
    let vector = evil.place(&[bytes.to_le_bytes(), 64_i64.to_le_bytes()].concat());
    let message = Arg::Bytes([0, 0, vector, 1, 0, 0, 0].map(i64::to_le_bytes).concat());
    evil.each(&[
        Attack::call("sendto", libc::SYS_sendto, &[socket.into(), bytes.into(), 64.into(), flags.into()]),
        Attack::call("sendmsg", libc::SYS_sendmsg, &[socket.into(), message, flags.into()]),
        Attack::call(
            "recvfrom",
            libc::SYS_recvfrom,
            &[socket.into(), Arg::Room(64), 64.into(), flags.into()],
        ),
    ])
}

/// Control: an ordinary process sends and hears them over a socket of its own.
/// Mode: root and rootless, sealed and exec.
/// Seen to fail without the conditions of sending in the list of calls.
#[test]
fn b15_nothing_is_said_out_of_band() {
    let mut free = Free::somebody();
    let place = free.evil.place(&[0; 8]);
    assert!(free.evil.call(libc::SYS_socketpair, &[1.into(), 1.into(), 0.into(), place.into()]).did());
    let [one, other] = free.evil.pair(place);
    let sent = out_of_band(&mut free.evil, one);
    assert!(sent[0].1.did() && sent[1].1.did(), "{sent:?}");
    assert!(out_of_band(&mut free.evil, other)[2].1.did());
    for &mode in modes() {
        for keys in ["", "sandbox.preset = \"exec\"\n"] {
            let mut scene = Scene::new(mode, keys);
            for socket in scene.evil.links().into_iter().chain([LINE]) {
                let came = out_of_band(&mut scene.evil, socket);
                assert_refused(mode, &came, &["EPERM", "EOPNOTSUPP"]);
            }
            if keys.is_empty() {
                // A connection that it was handed would take them.
                let place = scene.evil.place(&[0; 8]);
                let made = [1.into(), 1.into(), 0.into(), place.into()];
                assert!(scene.evil.call(libc::SYS_socketpair, &made).did());
                let [one, _] = scene.evil.pair(place);
                let came = out_of_band(&mut scene.evil, one);
                assert_refused(mode, &came[..2], &["EPERM"]);
            }
            scene.assert_first_life("evil");
            scene.assert_unharmed();
        }
    }
}
