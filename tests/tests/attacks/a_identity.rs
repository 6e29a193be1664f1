//! A. Identity and authorisation.

use bailiwick_supervisor::control::Cause;
use bailiwick_wire::control::{RECORD_BYTES, ToSupervisor};
use bailiwick_wire::frame::{HEADER_BYTES, Header, Kind};

use crate::orders::Answer;
use crate::support::{Mode, Scene, modes};
use crate::wire::LINE;

/// A header that claims nothing.
fn header(kind: Kind, change: impl FnOnce(&mut Header)) -> Vec<u8> {
    let mut header = Header::new(kind);
    change(&mut header);
    header.to_bytes().to_vec()
}

/// A frame that every peer takes from anybody at any time, twice in a packet.
pub(crate) fn well_formed() -> Vec<u8> {
    [header(Kind::Unready, |_| {}), header(Kind::Ready, |_| {})].concat()
}

/// Has evil send each of these over its links: whoever is privileged has it killed, and nobody else comes to harm.
#[track_caller]
pub(crate) fn assert_deadly(mode: Mode, packets: &[(&str, Vec<u8>, usize)]) {
    let mut scene = Scene::new(mode, "");
    let life = scene.over_every_link(&well_formed(), &[]);
    for (what, packet, descriptors) in packets {
        let attached = vec![0; *descriptors];
        let generation = scene.over_every_link(packet, &attached);
        assert_eq!(generation, scene.worker("evil").generation.min(generation), "{what}");
        scene.meet_again(generation + 1);
        let row = scene.worker("evil");
        assert_eq!(row.last_cause, Some(Cause::Accused), "{mode:?} {what}: {}", scene.journal());
    }
    // What is well formed was no offence.
    let lives = u32::try_from(packets.len()).expect("few");
    assert_eq!(scene.worker("evil").generation, life + lives, "{mode:?}: {}", scene.journal());
    scene.assert_audited(life..life + lives);
    scene.assert_unharmed();
}

/// Control: a frame whose bytes are all as they should be is taken. Seen to fail without the refusal of bytes in fields that
/// a kind of frame does not have.
#[test]
fn a1_there_is_no_place_for_a_sender_and_bytes_where_one_could_stand_are_deadly() {
    let with = |at: usize| {
        let mut frame = well_formed();
        frame[at] = 1;
        frame
    };
    for &mode in modes() {
        // Fields that this kind does not have, and those that none has.
        assert_deadly(
            mode,
            &[
                ("where nothing stands", with(28), 0),
                ("the last byte", with(31), 0),
                ("a slot", with(8), 0),
                ("a generation", with(12), 0),
                ("an ask", with(16), 0),
            ],
        );
    }
}

/// Control: a frame that names nothing is taken. Seen to fail without the refusal of a slot that was never issued.
#[test]
fn a2_what_is_not_granted_cannot_be_named_and_to_try_is_deadly() {
    let tell = |slot: u32, generation: u32, method: u16| {
        header(Kind::Tell, |header| {
            header.slot = slot;
            header.generation = generation;
            header.method = method;
        })
    };
    for &mode in modes() {
        assert_deadly(
            mode,
            &[
                ("a slot that was never issued", tell(77, 1, 0), 0),
                ("the last slot that a field holds", tell(u32::MAX, 1, 0), 0),
                ("a generation to come", tell(0, u32::MAX, 0), 0),
            ],
        );
    }
}

/// Control: a word that a worker may say is heard. Seen to fail without the comparison of a record with what an honest
/// worker writes.
#[test]
fn a7_a_worker_that_speaks_as_a_supervisor_or_out_of_turn_is_killed() {
    let record = |kind: u8| {
        let mut bytes = vec![0; RECORD_BYTES];
        bytes[0] = kind;
        bytes
    };
    let mut reserved = ToSupervisor::Settled.to_bytes().to_vec();
    reserved[63] = 1;
    let mut words: Vec<(String, Vec<u8>)> = [18, 19, 64, 127, 128, 129, 130, 131, 133, 200, 255]
        .map(|kind| (format!("kind {kind}"), record(kind)))
        .into();
    words.push(("it is in its sandbox, once more".to_owned(), ToSupervisor::Confined.to_bytes().to_vec()));
    words.push(("bytes where none stand".to_owned(), reserved));
    words.push(("half a word".to_owned(), vec![2; RECORD_BYTES / 2]));
    words.push(("a word and a half".to_owned(), vec![2; RECORD_BYTES * 3 / 2]));
    words.push(("as much as fits".to_owned(), vec![0xff; 60_000]));
    words.push(("a name that is none".to_owned(), {
        let mut keep = ToSupervisor::Keep { name: "../../etc".to_owned() }.to_bytes().to_vec();
        keep[16..20].copy_from_slice(b"../x");
        keep
    }));
    for &mode in modes() {
        let mut scene = Scene::new(mode, "");
        assert!(scene.evil.send(LINE, &ToSupervisor::Settled.to_bytes()).did());
        for (generation, (what, word)) in (2..).zip(&words) {
            assert_ne!(scene.evil.send(LINE, word), Answer::Refused("EMSGSIZE".to_owned()), "{what}");
            scene.meet_again(generation);
            assert_eq!(scene.worker("evil").last_cause, Some(Cause::Protocol), "{mode:?} {what}");
        }
        scene.assert_audited(1..u32::try_from(words.len()).expect("few") + 1);
        scene.assert_unharmed();
    }
}

/// Control: what belongs into the place is taken. Seen to fail without the refusal of a greeting in the midst.
#[test]
fn a10_a_greeting_in_the_midst_and_an_unknown_kind_of_frame_are_deadly() {
    assert_eq!(header(Kind::Ready, |_| {}).len(), HEADER_BYTES);
    let unknown = |kind: u8| {
        let mut frame = header(Kind::Ready, |_| {});
        frame[4] = kind;
        frame
    };
    for &mode in modes() {
        assert_deadly(
            mode,
            &[
                ("accepted twice", header(Kind::HelloAck, |_| {}), 0),
                ("kind 0", unknown(0), 0),
                ("kind 255", unknown(255), 0),
                ("an answer to nothing", header(Kind::Heard, |_| {}), 0),
            ],
        );
    }
}
