//! C. What a life leaves to its next one in the place of messages that it has not read.

use bailiwick::prelude::Protocol;
use bailiwick_supervisor::control::State;
use bailiwick_tests::fixture::TalkRef;
use bailiwick_wire::control::{HANDOFF_NAME, ToSupervisor};
use bailiwick_wire::handoff::{HANDOFF_BYTES, HANDOFF_MESSAGES, Unread, Writer};
use bailiwick_wire::schema::Fingerprint;
use nix::libc;
use nix::sys::signal::Signal;

use crate::a_words::{GOSSIP, assert_that_gossip_goes_on};
use crate::orders::{Arg, Evil};
use crate::support::{Mode, Scene, modes};
use crate::wire::LINE;

/// What is left.
enum Left {
    /// What a call returns that makes no memory.
    Odd(i64, Vec<Arg>),
    /// Memory with these bytes at its front, of this length, with these seals.
    Memory(Vec<u8>, usize, i32),
}

/// The seals of memory that nobody can change but by emptying it.
const FOR_ONE: i32 = libc::F_SEAL_SEAL | libc::F_SEAL_GROW | libc::F_SEAL_WRITE;

impl Left {
    /// Memory sealed as it is to be.
    fn sealed(bytes: Vec<u8>) -> Self {
        let length = bytes.len();
        Self::Memory(bytes, length, FOR_ONE)
    }

    /// Has evil make it; returns evil's descriptor.
    #[track_caller]
    fn made_by(&self, evil: &mut Evil) -> i64 {
        let (bytes, length, seals) = match self {
            Self::Odd(call, arguments) => return evil.call(*call, arguments).number(),
            Self::Memory(bytes, length, seals) => (bytes, *length, *seals),
        };
        let allow_sealing = libc::MFD_ALLOW_SEALING.into();
        let memory = evil.call(libc::SYS_memfd_create, &["left".into(), allow_sealing]).number();
        // An order has room for so much.
        for piece in bytes.chunks(100_000) {
            let length = Arg::Number(piece.len() as i64);
            let written = evil.call(libc::SYS_write, &[memory.into(), Arg::Bytes(piece.to_vec()), length]);
            assert_eq!(written.number(), piece.len() as i64);
        }
        let length = Arg::Number(length as i64);
        assert!(evil.call(libc::SYS_ftruncate, &[memory.into(), length]).did());
        let seal = [memory.into(), libc::F_ADD_SEALS.into(), seals.into()];
        assert!(evil.call(libc::SYS_fcntl, &seal).did());
        memory
    }
}

/// Messages of which two reach the one whom gossip speaks to: one that is whole, and one that does not decode. Whoever is told to
/// leave would end the life.
fn messages() -> Vec<u8> {
    let schema = TalkRef::schema();
    let hear = schema.method("hear").expect("the protocol has it").1.fingerprint;
    let whole = Unread {
        actor: "parrot",
        protocol: schema.name,
        method: "hear",
        fingerprint: hear,
        sender: Some("gossip"),
        payload: &[0],
    };
    let leave = schema.method("leave").expect("the protocol has it").1.fingerprint;
    let mut writer = Writer::default();
    for message in [
        whole,
        Unread { payload: &[0xff; 40], ..whole },
        Unread { method: "leave", fingerprint: leave, payload: &[], sender: Some("pilot"), ..whole },
        Unread { method: "leave", payload: &[], ..whole },
        Unread { actor: "nobody", ..whole },
    ] {
        assert!(writer.add(&message));
    }
    writer.into_bytes()
}

/// More messages than there may be.
fn too_many() -> Vec<u8> {
    let nothing = Unread {
        actor: "",
        protocol: "",
        method: "",
        fingerprint: Fingerprint([0; 16]),
        sender: None,
        payload: &[],
    };
    let mut writer = Writer::default();
    let empty = writer.clone().into_bytes().len();
    while writer.add(&nothing) {}
    let mut bytes = writer.into_bytes();
    let each = (bytes.len() - empty) / HANDOFF_MESSAGES;
    bytes.extend(vec![0; each]);
    bytes
}

/// What is left, and what the next life says of it.
fn all() -> Vec<(Left, &'static str)> {
    let whole = messages();
    let length = whole.len();
    let no_text = || {
        let mut bytes = whole.clone();
        let name = bytes.windows(6).position(|bytes| bytes == b"parrot").expect("it is named");
        bytes[name] = 0xff;
        bytes
    };
    let path = || vec![libc::AT_FDCWD.into(), "/".into(), libc::O_PATH.into(), 0.into()];
    vec![
        (
            Left::Odd(libc::SYS_eventfd2, vec![7.into(), 0.into()]),
            "cannot be taken: memory has the seals 0x0",
        ),
        (Left::Odd(libc::SYS_openat, path()), "cannot be taken: memory has the seals 0x0"),
        (Left::Odd(libc::SYS_dup, vec![LINE.into()]), "cannot be taken: memory has the seals 0x0"),
        (Left::Memory(whole.clone(), length, 0), "cannot be taken: memory has the seals 0x0"),
        (Left::Memory(whole.clone(), length, FOR_ONE - libc::F_SEAL_WRITE), "memory has the seals 0x5"),
        (Left::Memory(whole.clone(), length, FOR_ONE | libc::F_SEAL_SHRINK), "cannot be taken: ftruncate"),
        (
            Left::Memory(whole.clone(), 1 << 20, FOR_ONE),
            "cannot be taken: memory of 1048576 bytes holds only",
        ),
        (Left::Memory(whole.clone(), HANDOFF_BYTES + 1, FOR_ONE), "16777217 bytes, the limit is 16777216"),
        (Left::sealed(b"unread".repeat(100)), "none of its messages: it does not begin"),
        (Left::sealed(whole[..length - 1].to_vec()), "none of its messages: message 5 is cut short"),
        (Left::sealed([&whole[..], &[0xff; 100]].concat()), "none of its messages: message 6 is cut short"),
        (Left::sealed(no_text()), "none of its messages: a name in message 1 is no text"),
        (Left::sealed(too_many()), "none of its messages: more than 65536 messages"),
        (Left::sealed(whole), "2 unread messages of an earlier life are handled first, 3 are dead letters"),
    ]
}

/// Has the present life leave something and kills it; asserts that the next one says this of it, keeps nothing of it, and lives.
#[track_caller]
fn assert_outlived(scene: &mut Scene, mode: Mode, left: &Left, says: &str) {
    let generation = scene.worker("evil").generation;
    let fd = left.made_by(&mut scene.evil);
    let keep = ToSupervisor::Keep { name: HANDOFF_NAME.to_owned() };
    assert!(scene.evil.send_with(LINE, &keep.to_bytes(), &[fd]).did(), "{mode:?}: {says}");
    scene.wait_for_worker("evil", "it to be kept", |row| (row.kept == 1).then_some(()));
    let seen = scene.journal().len();
    scene.pid("evil").signal(Signal::SIGKILL);
    scene.meet_again(generation + 1);
    scene.journal().wait_for(seen, says);
    scene.wait_for_worker("evil", "it to be discarded", |row| (row.kept == 0).then_some(()));
    assert_that_gossip_goes_on(scene, mode, scene.journal().len());
    let row = scene.worker("evil");
    assert_eq!((row.generation, row.state), (generation + 1, State::Ready), "{mode:?}: {}", scene.journal());
}

/// Control: what is whole, granted and of the right shape is taken over. Seen to fail without the look at grants.
#[test]
fn b3_c5_whatever_a_life_leaves_for_messages_the_next_one_takes_what_is_right_and_lives() {
    for &mode in modes() {
        let keys = "actor.parrot = { type = \"Parrot\", handoff = true }\n";
        let mut scene = Scene::with(mode, keys, GOSSIP, &[]);
        scene.wait_for_life("gossip", 1);
        for (left, says) in all() {
            assert_outlived(&mut scene, mode, &left, says);
        }
        // The last was taken over, and no other life hears of it.
        let (seen, generation) = (scene.journal().len(), scene.worker("evil").generation);
        scene.pid("evil").signal(Signal::SIGKILL);
        scene.meet_again(generation + 1);
        assert_that_gossip_goes_on(&scene, mode, scene.journal().len());
        let said = scene.journal().since(seen);
        assert!(!said.iter().any(|line| line.text.contains("of an earlier life")), "{mode:?}: {said:?}");
        scene.assert_unharmed();
    }
}
