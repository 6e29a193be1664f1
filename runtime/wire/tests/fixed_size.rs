//! Types of which every value has as many bytes: what their own reader takes is what the one that counts takes, and no more.

use std::cell::Cell;
use std::fmt::Debug;
use std::io::Read;
use std::marker::PhantomData;
use std::num::{
    NonZeroI8, NonZeroI16, NonZeroI32, NonZeroI64, NonZeroI128, NonZeroIsize, NonZeroU8, NonZeroU16,
    NonZeroU32, NonZeroU64, NonZeroU128, NonZeroUsize,
};
use std::ops::{Range, RangeInclusive};

use bailiwick_wire::codec::{DecodeProblem, decode, decode_message, encode};
use bailiwick_wire::descriptors::{FieldError, Incoming};
use bailiwick_wire::schema::{FixedSize, Schema, Shape, Shapes};
use bailiwick_wire::{FdKind, Limits, foreign_schema};
use proptest::prelude::*;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};

/// As `#[message]` has it.
macro_rules! sized {
    ($($type:ty: $($field:ty),*;)*) => {$(
        impl Schema for $type {
            const FIXED: Option<FixedSize> = FixedSize::row(&[$(<$field as Schema>::FIXED),*]);

            fn shape(_: &mut Shapes) -> Shape {
                Shape::plain(stringify!($type))
            }
        }
    )*};
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Record {
    number: u64,
    flag: bool,
    body: [u32; 3],
    spot: Spot,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Spot(i16, NonZeroI8);

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Wrapped(Spot);

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Nothing;

/// Has two bytes and says that it has one.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct SaysLess(u16);

/// Has two bytes and says that it has four.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct SaysMore(u16);

/// Has as many bytes as its text and says that it has nine.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct SaysText(String);

sized! {
    Record: u64, bool, [u32; 3], Spot;
    Spot: i16, NonZeroI8;
    Wrapped: Spot;
    Nothing: ;
    SaysLess: u8;
    SaysMore: u32;
    SaysText: u64, u8;
}

/// Checks that both readers make the same of `bytes`.
fn agree<T>(bytes: &[u8], limits: &Limits) -> Result<(), TestCaseError>
where
    T: Schema + DeserializeOwned + Serialize,
{
    // Encoded again, since not every number is equal to itself.
    let again = |value: &T| {
        let mut bytes = Vec::new();
        encode(value, &Limits::DATA, &mut bytes).expect("it was that small");
        bytes
    };
    let counted = decode::<T>(bytes, limits).map(|value| again(&value));
    let quick = decode_message::<T>(bytes, Incoming::default(), limits).map(|value| again(&value));
    prop_assert_eq!(quick, counted);
    Ok(())
}

/// The same, of bytes that are as many as the type says, or some more or less, within limits that it may pass.
fn agree_around<T>(mut bytes: Vec<u8>, limits: &Limits) -> Result<(), TestCaseError>
where
    T: Schema + DeserializeOwned + Serialize,
{
    let FixedSize { bytes: len, .. } = T::FIXED.expect("it is one of them");
    bytes.extend([0; 64]);
    for len in len.saturating_sub(1)..=len + 1 {
        agree::<T>(&bytes[..len], limits)?;
        let frame_bytes = limits.frame_bytes.min(len as u32);
        agree::<T>(&bytes[..len], &Limits { frame_bytes, ..*limits })?;
    }
    Ok(())
}

macro_rules! agree_each {
    ($bytes:expr, $limits:expr; $($type:ty),* $(,)?) => {
        $(agree_around::<$type>($bytes.clone(), $limits)?;)*
    };
}

/// Bytes of which many are 0 or 1, so that what has few valid values is met too.
fn bytes() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(prop_oneof![0..2_u8, any::<u8>()], 64)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn both_readers_agree(bytes in bytes(), depth in 0..4_u16, frame_bytes in 0..64_u32, elements in 0..2_u32) {
        let limits = Limits { depth, frame_bytes, elements, produced_bytes: 0, ..Limits::DATA };
        for limits in [&limits, &Limits { depth: Limits::MAX_DEPTH, frame_bytes: 64, ..limits }] {
            agree_each!(bytes, limits;
                (), bool, u8, u16, u32, u64, u128, usize, i8, i16, i32, i64, i128, isize, f32, f64,
                NonZeroU16, NonZeroU128, PhantomData<String>, Range<u16>, RangeInclusive<i8>,
                [bool; 3], [[u16; 2]; 3], (u8,), (bool, (u64, [i8; 5])), Record, Spot, Wrapped, Nothing,
                SaysLess, SaysMore, SaysText,
            );
        }
    }
}

/// Checks that a type says of itself what its encoding is, and how deep the values in it lie.
fn is_sized<T: Schema + Serialize + DeserializeOwned + Debug>(value: &T) {
    let FixedSize { bytes: len, depth } = T::FIXED.expect("it is one of them");
    let mut bytes = Vec::new();
    encode(value, &Limits::DATA, &mut bytes).expect("it is small");
    assert_eq!(bytes.len(), len, "{value:?}");
    let limits = Limits { depth, ..Limits::DATA };
    assert!(decode::<T>(&bytes, &limits).is_ok(), "{value:?}");
    if let Some(depth) = depth.checked_sub(1) {
        assert!(decode::<T>(&bytes, &Limits { depth, ..limits }).is_err(), "{value:?}");
    }
}

macro_rules! each_is_sized {
    ($($value:expr),* $(,)?) => {
        $(is_sized(&$value);)*
    };
}

#[test]
fn a_type_says_its_size() {
    each_is_sized! {
        (), true, 1_u8, 1_u16, 1_u32, 1_u64, 1_u128, 1_usize, 1_i8, 1_i16, 1_i32, 1_i64, 1_i128, 1_isize, 1_f32, 1_f64,
        NonZeroU8::MIN, NonZeroU16::MIN, NonZeroU32::MIN, NonZeroU64::MIN, NonZeroU128::MIN, NonZeroUsize::MIN,
        NonZeroI8::MIN, NonZeroI16::MIN, NonZeroI32::MIN, NonZeroI64::MIN, NonZeroI128::MIN, NonZeroIsize::MIN,
        PhantomData::<String>, 1..5_u16, 1..=5_i8, [[1_u8; 7]; 3], [1_u16; 0], (1_u8,), (false, (1_u64, [0_i8; 5])),
        Wrapped(Spot(1, NonZeroI8::MIN)),
        Record { number: 1, flag: true, body: [2; 3], spot: Spot(1, NonZeroI8::MIN) },
    }
}

#[test]
fn what_differs_in_size_or_holds_more_than_itself_has_none() {
    assert_eq!(<(u8, String)>::FIXED, None);
    assert_eq!(Option::<u8>::FIXED, None);
    assert_eq!(<[Vec<u8>; 2]>::FIXED, None);
    assert_eq!(Box::<u8>::FIXED, None);
    assert_eq!(char::FIXED, None);
    // More than can be counted.
    assert_eq!(FixedSize::array(u64::FIXED, usize::MAX), None);
    assert_eq!(FixedSize::row(&[FixedSize::plain(usize::MAX), FixedSize::plain(1)]), None);
}

thread_local! {
    static READER: Cell<&'static str> = const { Cell::new("") };
}

/// Tells who read it.
struct Witness;

impl<'de> Deserialize<'de> for Witness {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        READER.set(std::any::type_name::<D>());
        u8::deserialize(deserializer).map(|_| Witness)
    }
}

sized! { Witness: u8; }

#[test]
fn what_has_a_size_is_read_without_counting() {
    let limits = Limits::DATA;
    assert!(decode_message::<(Witness,)>(&[7], Incoming::default(), &limits).is_ok());
    assert!(READER.get().contains("read_fixed"), "{}", READER.get());
    assert!(decode::<(Witness,)>(&[7], &limits).is_ok());
    assert!(!READER.get().contains("read_fixed"), "{}", READER.get());
}

/// Has one byte and says that it lies deeper than anything may.
struct Deep;

impl<'de> Deserialize<'de> for Deep {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Witness::deserialize(deserializer).map(|_| Deep)
    }
}

impl Schema for Deep {
    const FIXED: Option<FixedSize> = Some(FixedSize { bytes: 1, depth: Limits::MAX_DEPTH + 1 });

    fn shape(_: &mut Shapes) -> Shape {
        Shape::plain("Deep")
    }
}

#[test]
fn no_setting_lets_anything_be_deeper_than_the_most() {
    let limits = Limits { depth: u16::MAX, ..Limits::DATA };
    assert!(decode_message::<Deep>(&[7], Incoming::default(), &limits).is_ok());
    assert!(!READER.get().contains("read_fixed"), "{}", READER.get());
}

#[test]
fn a_descriptor_beside_it_is_refused_and_closed() {
    let (mut reader, writer) = std::io::pipe().expect("a pipe");
    let beside = Incoming::new(vec![(FdKind::PipeWriter, writer.into())], Vec::new());
    let error = decode_message::<u8>(&[7], beside, &Limits::DATA).unwrap_err();
    assert!(matches!(error.problem, DecodeProblem::Field(_)), "{error}");
    assert_eq!(reader.read(&mut [0]).expect("a pipe"), 0, "nobody has the other end");
}

/// Decodes another message meanwhile.
struct Nests;

impl<'de> Deserialize<'de> for Nests {
    fn deserialize<D: Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        let within = decode_message::<u8>(&[7], Incoming::default(), &Limits::DATA);
        let within = within.map_err(|error| error.problem);
        assert_eq!(within, Err(DecodeProblem::Field(FieldError::Nested)));
        Ok(Nests)
    }
}

foreign_schema!(Nests, "Nests", 1);

#[test]
fn within_another_call_it_is_refused() {
    assert!(decode_message::<Nests>(&[], Incoming::default(), &Limits::DATA).is_ok());
}
