//! The ambient table: each descriptor and address is taken once, and nothing is left open.

use std::io::{PipeReader, Read, pipe};
use std::os::fd::OwnedFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use bailiwick_wire::codec::{DecodeProblem, EncodeProblem, decode, decode_message, encode, encode_message};
use bailiwick_wire::descriptors::{AnyAddress, FieldError, Incoming, put, put_address, take, take_address};
use bailiwick_wire::fault::Fault;
use bailiwick_wire::reason::NotDelivered;
use bailiwick_wire::{FdKind, FdKinds, Limit, Limits, foreign_schema};
use serde::de::Error as _;
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

const LIMITS: Limits = Limits::DATA;

foreign_schema!(Writer, "Writer", 1);
foreign_schema!(Panics, "Panics", 1);
foreign_schema!(Careless, "Careless", 1);
foreign_schema!(Name, "Name", 1);

/// A descriptor as the runtime's fields are.
#[derive(Debug)]
struct Writer(Arc<OwnedFd>);

impl Serialize for Writer {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        put(FdKind::PipeWriter, &self.0).map_err(S::Error::custom)?.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Writer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let fd = take(u16::deserialize(deserializer)?, FdKind::PipeWriter).map_err(D::Error::custom)?;
        Ok(Writer(Arc::new(fd)))
    }
}

#[derive(Debug, PartialEq)]
struct Name(&'static str);

impl Serialize for Name {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        put_address(Box::new(self.0)).map_err(S::Error::custom)?.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let address = take_address(u16::deserialize(deserializer)?).map_err(D::Error::custom)?;
        address.downcast().map(|name| Name(*name)).map_err(|_| D::Error::custom("not a name"))
    }
}

fn writer() -> (PipeReader, OwnedFd) {
    let (reader, writer) = pipe().expect("a pipe");
    (reader, writer.into())
}

/// Returns whether every copy of the other end is closed.
fn is_closed(reader: &mut PipeReader) -> bool {
    match reader.read(&mut [0]) {
        Ok(bytes) => bytes == 0,
        Err(error) => panic!("the pipe failed: {error}"),
    }
}

fn incoming(writers: Vec<OwnedFd>) -> Incoming {
    Incoming::new(writers.into_iter().map(|fd| (FdKind::PipeWriter, fd)).collect(), Vec::new())
}

fn numbers(numbers: &[u16]) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode(numbers, &LIMITS, &mut bytes).expect("it is small");
    bytes
}

fn field(problem: DecodeProblem) -> FieldError {
    match problem {
        DecodeProblem::Field(error) => error,
        other => panic!("{other}"),
    }
}

#[test]
fn descriptors_and_addresses_get_numbers_of_their_own() {
    let (_reader, fd) = writer();
    let fd = Arc::new(fd);
    let value = (Name("a"), Writer(Arc::clone(&fd)), Some(Writer(Arc::clone(&fd))), Name("b"));
    let mut bytes = Vec::new();
    let outgoing = encode_message(&value, &LIMITS, &mut bytes).expect("it fits");
    assert_eq!(bytes, [0, 0, 0, 0, 1, 1, 0, 1, 0]);
    assert_eq!((outgoing.descriptors().len(), outgoing.addresses().len()), (2, 2));
    assert_eq!(outgoing.kinds().iter().collect::<Vec<_>>(), [FdKind::PipeWriter]);
    let received = outgoing
        .descriptors()
        .iter()
        .map(|(kind, fd)| (*kind, fd.fd().expect("it is decided").try_clone_to_owned().expect("a copy")));
    let names =
        outgoing.addresses().iter().map(|address| address.downcast_ref::<&'static str>().expect("a name"));
    let addresses = names.map(|name| Box::new(*name) as AnyAddress).collect();
    let beside = Incoming::new(received.collect(), addresses);
    assert_eq!(beside.kinds().iter().collect::<Vec<_>>(), [FdKind::PipeWriter]);
    let back: (Name, Writer, Option<Writer>, Name) =
        decode_message(&bytes, beside, &LIMITS).expect("it came whole");
    assert_eq!((back.0, back.3), (Name("a"), Name("b")));
}

#[test]
fn a_descriptor_named_twice_is_refused_and_all_are_closed() {
    let (mut reader, fd) = writer();
    let error = decode_message::<Vec<Writer>>(&numbers(&[0, 0]), incoming(vec![fd]), &LIMITS).unwrap_err();
    assert_eq!(field(error.problem), FieldError::TakenTwice { what: "descriptor", number: 0 });
    assert!(is_closed(&mut reader));
}

#[test]
fn a_descriptor_that_did_not_come_is_refused() {
    for (number, count) in [(1, 1), (u16::MAX, 1), (0, 0)] {
        let (mut reader, fd) = writer();
        let beside = incoming(if count == 1 { vec![fd] } else { Vec::new() });
        let error = decode_message::<Vec<Writer>>(&numbers(&[number]), beside, &LIMITS).unwrap_err();
        assert_eq!(field(error.problem), FieldError::Missing { what: "descriptor", number, count });
        assert!(count == 0 || is_closed(&mut reader));
    }
}

#[test]
fn a_descriptor_that_nobody_names_is_refused_and_all_are_closed() {
    let (mut named, first) = writer();
    let (mut unnamed, second) = writer();
    let error =
        decode_message::<Vec<Writer>>(&numbers(&[0]), incoming(vec![first, second]), &LIMITS).unwrap_err();
    assert_eq!(field(error.problem), FieldError::LeftOver { what: "descriptors", count: 1 });
    assert!(is_closed(&mut named) && is_closed(&mut unnamed));
}

#[test]
fn a_descriptor_of_another_kind_is_refused_and_closed() {
    let (mut reader, fd) = writer();
    let beside = Incoming::new(vec![(FdKind::File, fd)], Vec::new());
    let error = decode_message::<Vec<Writer>>(&numbers(&[0]), beside, &LIMITS).unwrap_err();
    let expected = FieldError::Kind { number: 0, found: FdKind::File, promised: FdKind::PipeWriter };
    assert_eq!((field(error.problem), error.path.to_string()), (expected, " at [0]".to_owned()));
    assert!(is_closed(&mut reader));
}

#[test]
fn a_descriptor_that_no_grant_permits_is_refused_before_anything_is_decoded() {
    let granted = |kinds: &[FdKind]| Some(kinds.iter().copied().collect::<FdKinds>());
    for (kinds, permitted) in [
        (None, true),
        (granted(&[FdKind::PipeWriter]), true),
        (granted(&[FdKind::Any]), true),
        (granted(&[FdKind::File]), false),
        (granted(&[]), false),
    ] {
        let (mut reader, fd) = writer();
        let beside = incoming(vec![fd]).granting(kinds);
        let result = decode_message::<Vec<Writer>>(&numbers(&[0]), beside, &LIMITS);
        assert_eq!(result.is_ok(), permitted, "{kinds:?}");
        let Err(error) = result else { continue };
        assert_eq!(field(error.problem.clone()), FieldError::NotGranted { found: FdKind::PipeWriter });
        assert_eq!((error.reason(), error.fault()), (NotDelivered::NotGranted, Fault::DescriptorNotGranted));
        assert!(is_closed(&mut reader));
    }
    let nothing = Incoming::default().granting(granted(&[]));
    assert_eq!(decode_message::<u8>(&[7], nothing, &LIMITS), Ok(7));
}

#[test]
fn a_payload_that_does_not_decode_closes_what_came_with_it() {
    let (mut reader, fd) = writer();
    assert!(decode_message::<Vec<Writer>>(&[1, 2, 3], incoming(vec![fd]), &LIMITS).is_err());
    assert!(is_closed(&mut reader));
}

#[test]
fn a_refused_message_keeps_its_descriptors_and_gives_no_copy_away() {
    let (mut reader, fd) = writer();
    let value = (Writer(Arc::new(fd)), vec![0_u8; 100]);
    let small = Limits { frame_bytes: 50, ..LIMITS };
    assert!(encode_message(&value, &small, &mut Vec::new()).is_err());
    assert_eq!(Arc::strong_count(&value.0.0), 1);
    drop(value);
    assert!(is_closed(&mut reader));
}

#[test]
fn as_many_as_the_limit_are_taken_and_one_more_is_refused() {
    let fd = Arc::new(writer().1);
    let value = |count: u16| (0..count).map(|_| Writer(Arc::clone(&fd))).collect::<Vec<_>>();
    let names = |count: u16| (0..count).map(|_| Name("x")).collect::<Vec<_>>();
    for max in [0, 1, 5] {
        let limits = Limits { fds: max, addresses: max, ..LIMITS };
        assert!(encode_message(&value(max), &limits, &mut Vec::new()).is_ok());
        assert!(encode_message(&names(max), &limits, &mut Vec::new()).is_ok());
        let error = encode_message(&value(max + 1), &limits, &mut Vec::new()).unwrap_err();
        assert_eq!(error.problem, EncodeProblem::Field(FieldError::TooMany { limit: Limit::Fds, max }));
        let error = encode_message(&names(max + 1), &limits, &mut Vec::new()).unwrap_err();
        assert_eq!(error.problem, EncodeProblem::Field(FieldError::TooMany { limit: Limit::Addresses, max }));
    }
}

#[test]
fn outside_a_message_fields_refuse() {
    let (_reader, fd) = writer();
    let fd = Arc::new(fd);
    assert_eq!(put(FdKind::File, &fd), Err(FieldError::Outside { what: "descriptor" }));
    assert!(matches!(take(0, FdKind::File), Err(FieldError::Outside { .. })));
    assert!(encode(&Writer(fd), &LIMITS, &mut Vec::new()).is_err());
    assert!(decode::<Vec<Writer>>(&numbers(&[0]), &LIMITS).is_err());
    assert!(encode(&Name("x"), &LIMITS, &mut Vec::new()).is_err());
}

/// Encodes a message while it is encoded itself.
struct Nests;

impl Serialize for Nests {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        encode_message(&1_u8, &LIMITS, &mut Vec::new()).map_err(S::Error::custom)?;
        serializer.serialize_unit()
    }
}

#[test]
fn a_message_within_a_message_is_refused_and_the_outer_one_keeps_its_table() {
    let error = encode_message(&Nests, &LIMITS, &mut Vec::new()).unwrap_err();
    assert!(error.to_string().contains("cannot be encoded or decoded within another"), "{error}");
    let (_reader, fd) = writer();
    assert!(encode_message(&Writer(Arc::new(fd)), &LIMITS, &mut Vec::new()).is_ok());
}

struct Panics;

impl<'de> Deserialize<'de> for Panics {
    fn deserialize<D: Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        panic!("a type of the user's")
    }
}

#[test]
fn a_panic_closes_what_came_and_leaves_no_table_behind() {
    let (mut reader, fd) = writer();
    let decoding = || decode_message::<Panics>(&[], incoming(vec![fd]), &LIMITS).map(drop);
    assert!(catch_unwind(AssertUnwindSafe(decoding)).is_err());
    assert!(is_closed(&mut reader));
    assert_eq!(take(0, FdKind::File).unwrap_err(), FieldError::Outside { what: "descriptor" });
}

/// Swallows the error of a field, as a careless `Deserialize` may.
struct Careless;

impl<'de> Deserialize<'de> for Careless {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let _ = take(u16::deserialize(deserializer)?, FdKind::PipeWriter);
        Ok(Careless)
    }
}

#[test]
fn an_error_of_a_field_cannot_be_swallowed() {
    let error = decode_message::<Careless>(&[9, 0], Incoming::default(), &LIMITS).map(drop).unwrap_err();
    assert_eq!(field(error.problem), FieldError::Missing { what: "descriptor", number: 9, count: 0 });
}

#[test]
fn the_table_belongs_to_one_thread() {
    struct Elsewhere;
    impl Serialize for Elsewhere {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            let other = std::thread::spawn(|| put_address(Box::new(0)));
            assert_eq!(
                other.join().expect("it does not panic"),
                Err(FieldError::Outside { what: "address" })
            );
            serializer.serialize_unit()
        }
    }
    assert!(encode_message(&Elsewhere, &LIMITS, &mut Vec::new()).is_ok());
}
