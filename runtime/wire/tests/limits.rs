//! Every limit of the codec at its value, one above it, and at zero; and what is refused whatever the limits.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::{Duration, SystemTime};

use bailiwick_wire::codec::{DecodeError, DecodeProblem, EncodeProblem, decode, encode};
use bailiwick_wire::{Limit, Limits};
use serde::de::DeserializeOwned;
use serde::ser::SerializeTuple;
use serde::{Deserialize, Serialize};

const ROOMY: Limits = Limits {
    frame_bytes: 1 << 20,
    depth: 128,
    elements: 1 << 20,
    produced_bytes: 1 << 30,
    fds: 0,
    addresses: 0,
};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum List {
    Nil,
    Cons(u8, Box<List>),
}

fn list(length: usize) -> List {
    (0..length).fold(List::Nil, |rest, at| List::Cons(at as u8, Box::new(rest)))
}

fn bytes_of<T: Serialize>(value: &T) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode(value, &ROOMY, &mut bytes).expect("the limits are roomy");
    bytes
}

fn over(limit: Limit, found: u64, max: u64) -> (EncodeProblem, DecodeProblem) {
    (EncodeProblem::TooLarge { limit, found, max }, DecodeProblem::OverLimit { limit, found, max })
}

/// Checks that sender and receiver alike take the value within `limits` and name the limit that it is over.
fn both<T>(value: &T, limits: &Limits, expected: Option<(EncodeProblem, DecodeProblem)>)
where
    T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug,
{
    let mut bytes = vec![0xaa];
    let encoded = encode(value, limits, &mut bytes).map_err(|error| error.problem);
    let decoded = decode::<T>(&bytes_of(value), limits).map_err(|error| error.problem);
    match expected {
        None => {
            assert_eq!(encoded, Ok(()));
            assert_eq!(decoded.as_ref(), Ok(value));
        }
        Some((sender, receiver)) => {
            assert_eq!(encoded, Err(sender));
            assert_eq!(decoded, Err(receiver));
            assert_eq!(bytes, [0xaa], "a refused value leaves the buffer as it was");
        }
    }
}

#[test]
fn frame_bytes() {
    let limits = |frame_bytes| Limits { frame_bytes, ..ROOMY };
    both(&0x0102_u16, &limits(2), None);
    both(&0x0102_u16, &limits(1), Some(over(Limit::FrameBytes, 2, 1)));
    both(&0_u8, &limits(0), Some(over(Limit::FrameBytes, 1, 0)));
    both(&(), &limits(0), None);
}

#[test]
fn depth() {
    let limits = |depth| Limits { depth, ..ROOMY };
    // Each cell is a variant with two fields, which is one level.
    both(&list(32), &limits(32), None);
    both(&list(33), &limits(32), Some(over(Limit::Depth, 33, 32)));
    both(&vec![0_u8], &limits(0), Some(over(Limit::Depth, 1, 0)));
    both(&Some(1_u8), &limits(0), Some(over(Limit::Depth, 1, 0)));
    both(&7_u8, &limits(0), None);
}

#[test]
fn elements() {
    let limits = |elements| Limits { elements, ..ROOMY };
    both(&vec![0_u16; 5], &limits(5), None);
    both(&vec![0_u16; 6], &limits(5), Some(over(Limit::Elements, 6, 5)));
    both(&vec![vec![0_u16; 2]; 2], &limits(6), None);
    both(&vec![vec![0_u16; 2]; 2], &limits(5), Some(over(Limit::Elements, 6, 5)));
    both(&BTreeMap::from([(1_u8, 2_u8)]), &limits(0), Some(over(Limit::Elements, 1, 0)));
    both(&Vec::<u16>::new(), &limits(0), None);
}

#[test]
fn single_bytes_are_no_elements() {
    both(&vec![1_u8; 100], &Limits { elements: 0, ..ROOMY }, None);
    both(&vec![true; 100], &Limits { elements: 0, ..ROOMY }, None);
}

#[test]
fn produced_bytes() {
    let text = "x".repeat(100);
    let limits = |produced_bytes| Limits { produced_bytes, ..ROOMY };
    // The sender counts the string's handle of 24 bytes too, and so is never the more generous one.
    both(&text, &limits(124), None);
    assert!(encode(&text, &limits(123), &mut Vec::new()).is_err());
    assert!(decode::<String>(&bytes_of(&text), &limits(100)).is_ok());
    let error = decode::<String>(&bytes_of(&text), &limits(99)).unwrap_err();
    assert_eq!(error.problem, over(Limit::ProducedBytes, 100, 99).1);
    assert!(decode::<String>(&bytes_of(&text), &limits(0)).is_err());
}

#[test]
fn a_small_payload_cannot_fill_much_memory() {
    // Each element takes one byte on the wire and 264 in memory.
    let value: Vec<Option<[u64; 32]>> = vec![None; 4000];
    let error = decode::<Vec<Option<[u64; 32]>>>(&bytes_of(&value), &Limits::DATA).unwrap_err();
    assert!(matches!(error.problem, DecodeProblem::OverLimit { limit: Limit::ProducedBytes, .. }), "{error}");
    // The same behind pointers.
    #[allow(clippy::large_enum_variant)] // That is the point.
    #[derive(Debug, Serialize, Deserialize)]
    enum Large {
        None,
        Some([u64; 32]),
    }
    let value: Vec<Box<Large>> = (0..4000).map(|_| Box::new(Large::None)).collect();
    assert!(matches!(*value[0], Large::None | Large::Some(_)));
    let error = decode::<Vec<Box<Large>>>(&bytes_of(&value), &Limits::DATA).unwrap_err();
    assert!(matches!(error.problem, DecodeProblem::OverLimit { limit: Limit::ProducedBytes, .. }), "{error}");
}

#[test]
fn b8_a_long_list_overflows_no_stack() {
    let chain = [&1_u32.to_le_bytes()[..], &[7]].concat().repeat(13_000);
    let error = decode::<List>(&chain, &Limits::DATA).unwrap_err();
    assert_eq!(error.problem, over(Limit::Depth, 33, 32).1);
    let limits = Limits { depth: u16::MAX, ..ROOMY };
    let most = Limits::MAX_DEPTH;
    both(&list(most.into()), &limits, None);
    let longer = chain.get(..5 * usize::from(most + 1)).expect("it is much longer");
    assert_eq!(decode::<List>(longer, &limits).unwrap_err().problem, over(Limit::Depth, 129, 128).1);
}

#[test]
fn b6_lengths_beyond_the_bytes_left_are_refused_before_anything_is_read() {
    for length in [2_u64, 1 << 16, 1 << 40, 1 << 60, u64::MAX] {
        let bytes = [&length.to_le_bytes()[..], &[1]].concat();
        let refused = |error: Box<DecodeError>| {
            assert!(
                error.to_string().contains("at the end")
                    || matches!(error.problem, DecodeProblem::Length { announced, left: 1 } if announced == length),
                "{error}"
            )
        };
        refused(decode::<Vec<u8>>(&bytes, &Limits::DATA).unwrap_err());
        refused(decode::<Vec<()>>(&bytes, &Limits::DATA).unwrap_err());
        refused(decode::<Vec<String>>(&bytes, &Limits::DATA).unwrap_err());
        refused(decode::<HashMap<u8, u8>>(&bytes, &Limits::DATA).unwrap_err());
        refused(decode::<HashSet<()>>(&bytes, &Limits::DATA).unwrap_err());
        refused(decode::<String>(&bytes, &Limits::DATA).unwrap_err());
        refused(decode::<Box<[u64]>>(&bytes, &Limits::DATA).unwrap_err());
    }
}

#[test]
fn elements_without_bytes_are_refused_by_both_ends() {
    let problem = |value| encode(&value, &Limits::DATA, &mut Vec::new()).unwrap_err().problem;
    assert_eq!(problem(vec![()]), EncodeProblem::ZeroSizeElement);
    let map = HashMap::from([((), ())]);
    assert_eq!(
        encode(&map, &Limits::DATA, &mut Vec::new()).unwrap_err().problem,
        EncodeProblem::ZeroSizeElement
    );
    // Bytes that follow must not make room for them.
    let bytes = [&3_u64.to_le_bytes()[..], &[0; 8]].concat();
    let error = decode::<(Vec<()>, u64)>(&bytes, &Limits::DATA).unwrap_err();
    assert_eq!(error.problem, DecodeProblem::ZeroSizeElement);
    let error = decode::<(HashMap<(), ()>, u64)>(&bytes, &Limits::DATA).unwrap_err();
    assert_eq!(error.problem, DecodeProblem::ZeroSizeElement);
}

#[test]
fn bytes_left_over_are_refused() {
    let error = decode::<u16>(&[1, 2, 3], &Limits::DATA).unwrap_err();
    assert_eq!(error.problem, DecodeProblem::Trailing { left: 1 });
    assert!(decode::<()>(&[0], &Limits::DATA).is_err());
}

#[test]
fn what_is_not_a_value_of_its_type_is_refused() {
    let invalid = |expected, found| DecodeProblem::Invalid { expected, found };
    assert_eq!(decode::<bool>(&[2], &Limits::DATA).unwrap_err().problem, invalid("bool", 2));
    let option = decode::<Option<u8>>(&[2, 0], &Limits::DATA).unwrap_err().problem;
    assert_eq!(option, invalid("tag of an option", 2));
    let text = [&2_u64.to_le_bytes()[..], &[b'a', 0xff]].concat();
    assert_eq!(
        decode::<String>(&text, &Limits::DATA).unwrap_err().problem,
        DecodeProblem::Utf8 { valid_up_to: 1 }
    );
    for bytes in [&[0xff_u8][..], &[0xed, 0xa0, 0x80], &[0xc3]] {
        assert!(decode::<char>(bytes, &Limits::DATA).is_err(), "{bytes:?}");
    }
    let error = decode::<List>(&9_u32.to_le_bytes(), &Limits::DATA).unwrap_err();
    assert_eq!(
        error.to_string(),
        "cannot decode at List: invalid value: integer `9`, expected variant index 0 <= i < 2"
    );
    assert!(decode::<std::num::NonZeroU8>(&[0], &Limits::DATA).is_err());
}

#[test]
fn b11_values_that_no_clock_and_no_text_can_have_are_refused() {
    let duration = [&u64::MAX.to_le_bytes()[..], &u32::MAX.to_le_bytes()].concat();
    assert!(decode::<Duration>(&duration, &Limits::DATA).is_err());
    assert!(decode::<SystemTime>(&duration, &Limits::DATA).is_err());
    // Valid for its type, and so the handler's to judge: nothing here depends on it.
    let backwards = std::ops::Range { start: 9_u32, end: 1 };
    assert_eq!(decode::<std::ops::Range<u32>>(&bytes_of(&backwards), &Limits::DATA), Ok(backwards));
    assert_eq!(decode::<Duration>(&bytes_of(&Duration::MAX), &Limits::DATA), Ok(Duration::MAX));
}

#[test]
fn b12_keys_that_come_twice_count_each_time() {
    let entries = |count: u16| [&u64::from(count).to_le_bytes()[..], &[7, 0].repeat(count.into())].concat();
    let limits = Limits { elements: 1000, ..Limits::DATA };
    assert_eq!(decode::<HashMap<u8, u8>>(&entries(1000), &limits).map(|map| map.len()), Ok(1));
    let error = decode::<HashMap<u8, u8>>(&entries(1001), &limits).unwrap_err();
    assert_eq!(error.problem, over(Limit::Elements, 1001, 1000).1);
}

#[test]
fn an_error_says_where() {
    #[derive(Debug, Serialize, Deserialize)]
    struct Order {
        id: u32,
        lines: Vec<Line>,
    }
    #[derive(Debug, Serialize, Deserialize)]
    struct Line {
        name: String,
        paid: bool,
    }
    let line = || Line { name: "tea".into(), paid: true };
    let mut bytes = bytes_of(&Order { id: 1, lines: vec![line(), line()] });
    *bytes.last_mut().expect("it is not empty") = 7;
    let error = decode::<Order>(&bytes, &Limits::DATA).unwrap_err();
    assert_eq!(error.to_string(), "cannot decode at Order.lines[1].paid: 7 is not a bool");
    let limits = Limits { produced_bytes: 100, ..Limits::DATA };
    let order = Order { id: 1, lines: vec![line(), Line { name: "x".repeat(60), paid: false }] };
    let error = encode(&order, &limits, &mut Vec::new()).unwrap_err();
    let expected = "cannot encode at Order.lines[1].name: 140 decoded bytes, the limit is 100";
    assert_eq!(error.to_string(), expected);
}

#[test]
fn types_that_ask_what_comes_next_are_refused() {
    #[derive(Debug, Deserialize)]
    #[serde(untagged)]
    enum Untagged {
        #[allow(dead_code)]
        Number(u8),
    }
    let error = decode::<Untagged>(&[1], &Limits::DATA).unwrap_err();
    assert_eq!(error.problem, DecodeProblem::NotSelfDescribing);
}

#[test]
fn a_type_that_loses_an_error_is_refused_for_the_first_one() {
    /// Goes on after what was refused.
    struct Careless;
    impl Serialize for Careless {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            let mut row = serializer.serialize_tuple(2)?;
            let _lost = row.serialize_element(&None::<u8>);
            let _lost = row.serialize_element(&"longer than all that may be produced");
            row.end()
        }
    }
    let limits = Limits { frame_bytes: 0, produced_bytes: 10, ..ROOMY };
    let mut bytes = vec![0xaa];
    let error = encode(&Careless, &limits, &mut bytes).unwrap_err();
    assert_eq!((error.problem, bytes), (over(Limit::FrameBytes, 1, 0).0, vec![0xaa]));
}

#[test]
fn what_a_stranger_wrote_into_an_error_is_short_and_plain() {
    #[derive(Debug)]
    struct Picky;
    impl<'de> Deserialize<'de> for Picky {
        fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            let text = String::deserialize(deserializer)?;
            Err(serde::de::Error::custom(text))
        }
    }
    let bytes = bytes_of(&format!("\u{1b}[2J\u{202e}{}", "x".repeat(5000)));
    let text = decode::<Picky>(&bytes, &Limits::DATA).unwrap_err().to_string();
    assert!(text.len() < 300 && text.chars().all(|c| (' '..='~').contains(&c)), "{text}");
}
