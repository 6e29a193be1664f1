//! B. Framing.

use bailiwick_wire::frame::{Header, Kind};

use crate::a_identity::assert_deadly;
use crate::support::{Scene, modes};
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
