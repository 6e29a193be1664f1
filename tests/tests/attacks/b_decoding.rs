//! B. Decoding: what a peer makes of bytes that no encoder of ours writes.

use bailiwick_supervisor::control::Cause;
use bailiwick_tests::fixture::{DupeRef, TalkRef, WardenRef, Word};
use bailiwick_wire::frame::{Extensions, Header};
use std::collections::BTreeMap;
use std::time::Duration;

use crate::deputies::Shelf;
use crate::orders::Answer;
use crate::support::{Mode, Scene, modes};
use crate::voice::{Said, Voice, encoded, framed};

/// A word with a bit of every form.
fn word() -> Word {
    Word::List(vec![
        Word::Text("text".to_owned()),
        Word::Numbers { small: 1, signed: -1, float: 0.5, perhaps: Some(7) },
        Word::Map(BTreeMap::from([("key".to_owned(), vec![1])])),
        Word::Silence,
    ])
}

/// The bytes with one bit changed, each in turn.
fn flipped(bytes: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    (0..bytes.len() * 8).map(|bit| {
        let mut other = bytes.to_vec();
        other[bit / 8] ^= 1 << (bit % 8);
        other
    })
}

/// Asks the careless one to decode each of these without limits, until one has ended it.
#[track_caller]
fn assert_that_one_is_deadly_without_limits(mode: Mode, words: impl IntoIterator<Item = Vec<u8>>) {
    let shelf = Shelf::new();
    let mut scene = Scene::with_deputies(mode, &shelf);
    let mut voice = Voice::to::<DupeRef>(&mut scene.evil);
    let mut ended = false;
    for bytes in words {
        ended |= voice.ask(&mut scene.evil, "decode", &encoded(&bytes)) == Said::Closed;
        if ended {
            break;
        }
    }
    assert!(ended, "{mode:?}: whoever decodes without limits takes no harm of it");
    let cause = scene.wait_for_life("careless", 2).last_cause;
    assert!(matches!(cause, Some(Cause::Signal(6 | 11) | Cause::OutOfMemory)), "{mode:?}: {cause:?}");
}

/// Control: the ask as it was is answered, and who decodes the same bytes without limits dies of one of them. Seen to fail
/// without the budget of decoding.
#[test]
fn b5_every_prefix_and_every_flipped_bit_of_an_ask_is_answered_or_refused() {
    let payload = encoded(&word());
    assert_that_one_is_deadly_without_limits(modes()[0], flipped(&payload));
    for &mode in modes() {
        let mut scene = Scene::with_parrot(mode, "");
        let mut voice = Voice::to::<TalkRef>(&mut scene.evil);
        assert_eq!(voice.ask(&mut scene.evil, "word", &payload).reply(), payload, "{mode:?}");
        let prefixes = (0..payload.len()).map(|length| payload[..length].to_vec());
        let mut life = 1;
        for bytes in prefixes.chain(flipped(&payload)) {
            match voice.ask(&mut scene.evil, "word", &bytes) {
                Said::Reply(said, _) => assert_eq!(said, bytes, "{mode:?}"),
                // Who says too much that does not decode is accused.
                Said::Closed => {
                    life += 1;
                    scene.meet_again(life);
                    voice = Voice::to::<TalkRef>(&mut scene.evil);
                }
                refused => assert!(refused.is_refused(), "{mode:?} {bytes:x?}: {refused:?}"),
            }
        }
        scene.assert_first_life("parrot");
        scene.assert_audited(1..life);
        scene.assert_unharmed();
    }
}

/// One changed bit in each field of a header, and the ask that it then is.
fn headers(voice: &mut Voice, payload: &[u8]) -> Vec<(&'static str, Vec<u8>, u64)> {
    let fields = [
        ("length", 1),
        ("kind", 4),
        ("flags", 5),
        ("method", 6),
        ("slot", 9),
        ("generation", 14),
        ("descriptors", 24),
        ("extensions", 26),
        ("nothing", 30),
    ];
    let changed = |(field, byte): (&'static str, usize)| {
        let header: Header = voice.header("word", 0);
        let mut packet = framed(header, &Extensions::default(), payload);
        packet[byte] ^= 8;
        (field, packet, header.correlation)
    };
    fields.map(changed).into()
}

/// Control: the header as it was is answered. Seen to fail without the comparison of a length with what follows.
#[test]
fn b5_a_flipped_bit_of_a_header_is_refused_or_the_end_of_its_sender() {
    let payload = encoded(&word());
    for &mode in modes() {
        let mut scene = Scene::with_parrot(mode, "");
        let mut voice = Voice::to::<TalkRef>(&mut scene.evil);
        assert_eq!(voice.ask(&mut scene.evil, "word", &payload).reply(), payload, "{mode:?}");
        let mut life = 1;
        for (field, packet, correlation) in headers(&mut voice, &payload) {
            let sent = scene.evil.send(voice.link(), &packet);
            let said = match sent {
                Answer::Died => Said::Closed,
                _ => voice.answer(&mut scene.evil, correlation),
            };
            match said {
                Said::Closed => {
                    life += 1;
                    scene.meet_again(life);
                    assert_eq!(scene.worker("evil").last_cause, Some(Cause::Accused), "{mode:?} {field}");
                    voice = Voice::to::<TalkRef>(&mut scene.evil);
                }
                refused => assert!(refused.is_refused(), "{mode:?} {field}: {refused:?}"),
            }
        }
        assert!(life > 6, "{mode:?}: most are violations");
        scene.assert_first_life("parrot");
        scene.assert_audited(1..life);
        scene.assert_unharmed();
    }
}

const TEXT: u32 = 1;
const LIST: u32 = 3;
const MAP: u32 = 4;

/// A word of this kind that is said to be so long, and what there is of it.
fn said_to_be(kind: u32, length: u64, present: usize) -> Vec<u8> {
    [&kind.to_le_bytes()[..], &length.to_le_bytes(), &vec![0; present]].concat()
}

/// Control: who decodes without limits dies of a text that is said to have a terabyte. Seen to fail without the budget of
/// decoding.
#[test]
fn b6_a_length_of_its_choice_costs_a_peer_no_memory() {
    assert_that_one_is_deadly_without_limits(modes()[0], [said_to_be(TEXT, 1 << 40, 8)]);
    for &mode in modes() {
        let mut scene = Scene::with_parrot(mode, "");
        let mut voice = Voice::to::<TalkRef>(&mut scene.evil);
        assert!(!voice.ask(&mut scene.evil, "word", &encoded(&word())).reply().is_empty());
        let parrot = scene.pid("parrot");
        let before = parrot.peak_bytes();
        for kind in [TEXT, LIST, MAP] {
            for length in [u64::MAX, 1 << 63, 1 << 40, 1 << 32, 65_537, 9] {
                for (method, bytes) in [
                    ("word", said_to_be(kind, length, 8)),
                    ("hear", [&length.to_le_bytes()[..], &said_to_be(kind, length, 8)].concat()),
                ] {
                    let said = voice.ask(&mut scene.evil, method, &bytes);
                    assert!(said.is_refused(), "{mode:?} {method} {kind} {length}: {said:?}");
                }
            }
        }
        // As many elements as there is room for, which are larger once they are decoded.
        let many = [&LIST.to_le_bytes()[..], &15_000_u64.to_le_bytes(), &[0; 60_000]].concat();
        assert_eq!(voice.ask(&mut scene.evil, "word", &many).reply(), many, "{mode:?}");
        let most = parrot.peak_bytes();
        assert!(most < before + (4 << 20), "{mode:?}: {most} bytes, before {before}");
        scene.assert_first_life("parrot");
        scene.assert_first_life("evil");
        scene.assert_unharmed();
    }
}

/// Words within words.
fn nested(depth: usize) -> Vec<u8> {
    let level = [&LIST.to_le_bytes()[..], &1_u64.to_le_bytes()].concat();
    [level.repeat(depth), 0_u32.to_le_bytes().to_vec()].concat()
}

/// Control: who decodes without limits dies of a stack that overflows. Seen to fail without the limit on depth.
#[test]
fn b8_words_within_words_end_at_a_depth_and_not_at_the_end_of_a_stack() {
    const DEEPEST: usize = 5000;
    assert_that_one_is_deadly_without_limits(modes()[0], [nested(DEEPEST)]);
    for &mode in modes() {
        let mut scene = Scene::with_parrot(mode, "");
        let mut voice = Voice::to::<TalkRef>(&mut scene.evil);
        assert_eq!(voice.ask(&mut scene.evil, "word", &nested(10)).reply(), nested(10));
        for depth in [33, 100, 1000, DEEPEST] {
            let said = voice.ask(&mut scene.evil, "word", &nested(depth));
            assert!(said.is_refused(), "{mode:?} {depth}: {said:?}");
        }
        scene.assert_first_life("parrot");
        scene.assert_first_life("evil");
        scene.assert_unharmed();
    }
}

/// Orders of the right shape that make no sense, as their bytes.
fn senseless() -> Vec<(&'static str, Vec<u8>)> {
    let order = |from: u32, to: u32, share: f64, seconds: u64, nanoseconds: u32, port: u16| {
        [
            &from.to_le_bytes()[..],
            &to.to_le_bytes(),
            &share.to_le_bytes(),
            &seconds.to_le_bytes(),
            &nanoseconds.to_le_bytes(),
            &port.to_le_bytes(),
        ]
        .concat()
    };
    vec![
        ("sound", order(1, 3, 0.5, 1, 0, 80)),
        ("begins behind its end", order(3, 1, 0.5, 1, 0, 80)),
        ("not a number", order(1, 3, f64::NAN, 1, 0, 80)),
        ("longer than there is time", order(1, 3, 0.5, u64::MAX, 999_999_999, 80)),
        ("port 0", order(1, 3, 0.5, 1, 0, 0)),
        ("longer than it has letters", order(0, u32::MAX, 0.5, 1, 0, 80)),
        ("infinitely large", order(1, 3, f64::INFINITY, 1, 0, 80)),
        ("more than a second in nanoseconds", order(1, 3, 0.5, u64::MAX, u32::MAX, 80)),
    ]
}

/// Control: a handler that takes the same unchecked panics, which costs its actor a life, and its worker none. Seen to fail
/// without the check that a value makes sense.
#[test]
fn b11_what_has_the_right_shape_and_makes_no_sense_does_not_come_to_a_handler() {
    let shelf = Shelf::new();
    for &mode in modes() {
        let mut scene = Scene::with_deputies(mode, &shelf);
        let orders = senseless();
        let mut careless = Voice::to::<DupeRef>(&mut scene.evil);
        assert!(matches!(careless.ask(&mut scene.evil, "carry_out", &orders[0].1), Said::Reply(..)));
        for (what, order) in &orders[1..5] {
            let said = careless.ask(&mut scene.evil, "carry_out", order);
            assert!(said.is_panic(), "{mode:?} {what}: {said:?}");
        }
        assert!(matches!(careless.ask(&mut scene.evil, "carry_out", &orders[0].1), Said::Reply(..)));
        scene.assert_first_life("careless");
        let mut careful = Voice::to::<WardenRef>(&mut scene.evil);
        for (what, order) in &orders[1..] {
            let said = careful.ask(&mut scene.evil, "carry_out", order);
            assert!(said.is_undecodable(), "{mode:?} {what}: {said:?}");
        }
        // A deadline has no sign to be wrong; the longest and none are taken for what they are.
        for (nanoseconds, is_answered) in [(u64::MAX, true), (0, false)] {
            let header = careful.header("carry_out", 0);
            let remaining = Some(Duration::from_nanos(nanoseconds));
            let extensions = Extensions { remaining, ..Extensions::default() };
            assert!(scene.evil.send(careful.link(), &framed(header, &extensions, &orders[0].1)).did());
            let said = careful.answer(&mut scene.evil, header.correlation);
            assert_eq!(matches!(said, Said::Reply(..)), is_answered, "{mode:?} {nanoseconds}: {said:?}");
        }
        scene.assert_first_life("careful");
        scene.assert_unharmed();
    }
}

/// How many keys meet in one place of the table.
const KEYS: u64 = 3000;

/// A number that was returned.
fn number(said: Said) -> u64 {
    u64::from_le_bytes(said.reply().try_into().expect("a number"))
}

/// Control: in a table whose hash anybody can reckon out the same keys are compared millions of times. Seen to fail without
/// a hash that nobody can reckon out.
#[test]
fn b12_keys_that_are_to_meet_and_keys_that_are_the_same_cost_no_more_than_others() {
    let shelf = Shelf::new();
    // Nothing in the lowest bits, and nothing in the highest.
    let keys: Vec<u64> = (0..KEYS).map(|key| key << 20).collect();
    for &mode in modes() {
        let mut scene = Scene::with_deputies(mode, &shelf);
        let mut careless = Voice::to::<DupeRef>(&mut scene.evil);
        let compared = number(careless.ask(&mut scene.evil, "tally", &encoded(&keys)));
        assert!(compared > KEYS * KEYS / 4, "{mode:?}: {compared}");
        let mut careful = Voice::to::<WardenRef>(&mut scene.evil);
        let entries = |keys: &mut dyn Iterator<Item = u64>| {
            let entries: Vec<_> = keys.map(|key| (key, 0_u8)).collect();
            [&(entries.len() as u64).to_le_bytes()[..], &encoded(&entries)[8..]].concat()
        };
        let told = entries(&mut keys.iter().copied());
        let compared = number(careful.ask(&mut scene.evil, "tally", &told));
        assert!(compared < KEYS, "{mode:?}: {compared}");
        // The same key over and over is one entry, and compared once for each.
        let told = entries(&mut std::iter::repeat_n(7, usize::try_from(KEYS).expect("few")));
        match careful.ask(&mut scene.evil, "tally", &told) {
            Said::Reply(reply, _) => assert!(number(Said::Reply(reply, Vec::new())) <= 2 * KEYS, "{mode:?}"),
            refused => assert!(refused.is_refused(), "{mode:?}: {refused:?}"),
        }
        scene.assert_first_life("careful");
        scene.assert_unharmed();
    }
}
