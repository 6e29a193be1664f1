//! Any value comes back; any prefix and any flipped bit of its bytes is read without a panic, and as bincode reads it.

use std::borrow::Cow;
use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::fmt::Debug;
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU32;
use std::ops::Range;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use bailiwick_wire::Limits;
use bailiwick_wire::codec::bytes::AtOnce;
use bailiwick_wire::codec::{DecodeError, DecodeProblem, decode, encode};
use proptest::prelude::*;
use serde::de::{Deserializer, Error, Visitor};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Tree {
    Leaf,
    Number(i64),
    Text(String),
    Pair(Box<Tree>, Box<Tree>),
    Row { name: Cow<'static, str>, cells: Vec<Tree> },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Standard {
    integers: (u8, i16, u32, i64, u128),
    float: f64,
    character: char,
    flag: bool,
    text: Box<str>,
    #[serde(with = "bailiwick_wire::codec::bytes")]
    bytes: Vec<u8>,
    numbers: VecDeque<u16>,
    optional: Option<NonZeroU32>,
    outcome: Result<Range<u32>, String>,
    map: HashMap<String, Duration>,
    ordered: BTreeMap<i8, BTreeSet<char>>,
    time: SystemTime,
    place: PathBuf,
    addresses: (IpAddr, SocketAddr),
    array: [u16; 3],
    unit: (),
}

fn tree() -> impl Strategy<Value = Tree> {
    let leaf =
        prop_oneof![Just(Tree::Leaf), any::<i64>().prop_map(Tree::Number), ".{0,8}".prop_map(Tree::Text)];
    leaf.prop_recursive(5, 60, 6, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone())
                .prop_map(|(one, other)| Tree::Pair(Box::new(one), Box::new(other))),
            (".{0,8}", prop::collection::vec(inner, 0..6))
                .prop_map(|(name, cells)| Tree::Row { name: Cow::Owned(name), cells }),
        ]
    })
}

prop_compose! {
    fn standard()(
        integers in any::<(u8, i16, u32, i64, u128)>(),
        (float, character, flag) in (prop::num::f64::NORMAL, any::<char>(), any::<bool>()),
        (text, bytes, numbers) in (".{0,9}", any::<Vec<u8>>(), prop::collection::vec_deque(any::<u16>(), 0..9)),
        (optional, outcome) in (any::<Option<u32>>(), any::<Result<Range<u32>, String>>()),
        map in prop::collection::hash_map(".{0,5}", any::<Duration>(), 0..5),
        ordered in prop::collection::btree_map(any::<i8>(), prop::collection::btree_set(any::<char>(), 0..4), 0..4),
        (secs, place) in (0..u64::from(u32::MAX), "[a-z/]{0,12}"),
        (ip, socket, array) in any::<(IpAddr, (IpAddr, u16), [u16; 3])>(),
    ) -> Standard {
        Standard {
            integers, float, character, flag, text: text.into(), bytes, numbers,
            optional: optional.and_then(NonZeroU32::new), outcome, map, ordered,
            time: SystemTime::UNIX_EPOCH + Duration::from_secs(secs),
            place: place.into(), addresses: (ip, socket.into()), array, unit: (),
        }
    }
}

/// The encoding that ours is, as its own library reads and writes it.
const BINCODE: bincode::config::Configuration<bincode::config::LittleEndian, bincode::config::Fixint> =
    bincode::config::standard().with_fixed_int_encoding();

/// Checks that bincode takes bytes for the same value, or refuses them too.
fn agrees<T>(bytes: &[u8], ours: &Result<T, Box<DecodeError>>) -> Result<(), TestCaseError>
where
    T: serde::de::DeserializeOwned + PartialEq + Debug,
{
    // A length is believed by bincode, and its memory asked for.
    let announced = ours.as_ref().is_err_and(|error| {
        matches!(error.problem, DecodeProblem::Length { .. } | DecodeProblem::Truncated { .. })
    });
    if announced {
        return Ok(());
    }
    let theirs = bincode::serde::decode_from_slice::<T, _>(bytes, BINCODE);
    match (ours, theirs) {
        (Ok(ours), Ok((theirs, read))) => {
            prop_assert_eq!(read, bytes.len());
            // What is not a number is not equal to itself.
            prop_assert!(
                *ours == theirs || format!("{ours:?}").contains("NaN"),
                "{theirs:?} is not {ours:?}"
            );
        }
        (Ok(ours), Err(error)) => prop_assert!(false, "bincode refuses {ours:?}: {error}"),
        (Err(error), Ok((theirs, read))) => match error.problem {
            DecodeProblem::Trailing { left } => prop_assert_eq!(left, (bytes.len() - read) as u64),
            DecodeProblem::OverLimit { .. } => {}
            _ => prop_assert!(false, "bincode takes {theirs:?}: {error}"),
        },
        (Err(_), Err(_)) => {}
    }
    Ok(())
}

fn check<T>(value: &T) -> Result<(), TestCaseError>
where
    T: Serialize + serde::de::DeserializeOwned + PartialEq + Debug,
{
    let mut bytes = Vec::new();
    encode(value, &Limits::DATA, &mut bytes).map_err(|error| TestCaseError::reject(error.to_string()))?;
    prop_assert_eq!(&bytes, &bincode::serde::encode_to_vec(value, BINCODE).expect("ours could"));
    let back = decode::<T>(&bytes, &Limits::DATA);
    prop_assert_eq!(back.as_ref(), Ok(value));
    for end in 0..bytes.len() {
        prop_assert!(decode::<T>(&bytes[..end], &Limits::DATA).is_err(), "cut at {}", end);
    }
    for bit in 0..bytes.len().min(200) * 8 {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        let other = decode::<T>(&flipped, &Limits::DATA);
        agrees(&flipped, &other)?;
        // What still decodes must be within the limits of a sender again, up to the order of maps and sets.
        if let Ok(other) = other {
            let limits = Limits { produced_bytes: u32::MAX, ..Limits::DATA };
            let encoded = encode(&other, &limits, &mut Vec::new());
            prop_assert!(encoded.is_ok());
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn trees(value in tree()) {
        check(&value)?;
    }

    #[test]
    fn values_of_the_standard_library(value in standard()) {
        check(&value)?;
    }

    #[test]
    fn b5_any_bytes_decode_or_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        agrees(&bytes, &decode::<Tree>(&bytes, &Limits::DATA))?;
        agrees(&bytes, &decode::<Standard>(&bytes, &Limits::DATA))?;
    }
}

#[test]
fn bytes_copied_at_once_are_the_same_on_the_wire() {
    #[derive(Serialize)]
    struct AtOnce(#[serde(with = "bailiwick_wire::codec::bytes")] Vec<u8>);
    let (mut one, mut other) = (Vec::new(), Vec::new());
    encode(&AtOnce(vec![1, 2, 3]), &Limits::DATA, &mut one).expect("it is small");
    encode(&vec![1_u8, 2, 3], &Limits::DATA, &mut other).expect("it is small");
    assert_eq!(one, other);
}

#[test]
fn the_bytes_of_a_value_are_golden() {
    let mut bytes = Vec::new();
    let value = Tree::Row { name: "ab".into(), cells: vec![Tree::Number(-2), Tree::Leaf] };
    encode(&(Some(value), true, '\u{e9}'), &Limits::DATA, &mut bytes).expect("it is small");
    let expected = concat!(
        "01",
        "04000000",
        "0200000000000000",
        "6162",
        "0200000000000000",
        "01000000",
        "feffffffffffffff",
        "00000000",
        "01",
        "c3a9",
    );
    assert_eq!(bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>(), expected);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    /// At once or one by one, bytes travel alike and are counted alike.
    #[test]
    fn bytes_at_once_are_bytes_one_by_one(bytes in any::<Vec<u8>>(), cut in any::<prop::sample::Index>(), produced in 0..120_u32) {
        let limits = Limits { produced_bytes: produced, ..Limits::DATA };
        let (mut one_by_one, mut at_once) = (Vec::new(), Vec::new());
        let encoded = encode(&(7_u8, &bytes), &limits, &mut one_by_one).is_ok();
        prop_assert_eq!(encode(&(7_u8, AtOnce(&bytes)), &limits, &mut at_once).is_ok(), encoded);
        prop_assert_eq!(&at_once, &one_by_one);
        let mut travelled = Vec::new();
        encode(&(7_u8, &bytes), &Limits::DATA, &mut travelled).expect("it is small");
        let cut = &travelled[..cut.index(travelled.len() + 1)];
        for bytes in [&travelled[..], cut] {
            let expected = decode::<(u8, Vec<u8>)>(bytes, &limits);
            let found = decode::<(u8, AtOnce<Vec<u8>>)>(bytes, &limits);
            prop_assert_eq!(found.ok().map(|(seven, AtOnce(bytes))| (seven, bytes)), expected.ok());
        }
    }
}

#[test]
fn what_is_no_vector_of_bytes_travels_as_it_is() {
    let mut bytes = Vec::new();
    encode(&AtOnce(&vec![1_u16, 2]), &Limits::DATA, &mut bytes).expect("it is small");
    assert_eq!(decode::<AtOnce<Vec<u16>>>(&bytes, &Limits::DATA), Ok(AtOnce(vec![1, 2])));
    assert_eq!(decode::<Vec<u16>>(&bytes, &Limits::DATA), Ok(vec![1, 2]));
}

thread_local! {
    static ASKED_FOR: Cell<&'static str> = const { Cell::new("") };
}

/// Tells what it is asked for, and has nothing.
struct Nothing;

impl<'de> Deserializer<'de> for Nothing {
    type Error = Box<DecodeError>;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Box<DecodeError>> {
        ASKED_FOR.set("anything else");
        Err(Error::custom("nothing"))
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Box<DecodeError>> {
        ASKED_FOR.set("bytes");
        Err(Error::custom("nothing"))
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str string bytes option unit unit_struct
        newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

#[test]
fn a_vector_of_bytes_is_asked_for_at_once() {
    assert!(AtOnce::<Vec<u8>>::deserialize(Nothing).is_err());
    assert_eq!(ASKED_FOR.get(), "bytes");
    assert!(AtOnce::<Vec<i8>>::deserialize(Nothing).is_err());
    assert_eq!(ASKED_FOR.get(), "anything else");
}
