//! Descriptors arrive as what they are promised to be, or not at all.

use std::io::{Read, Write};

use bailiwick_wire::Limits;
use bailiwick_wire::codec::{DecodeProblem, decode, decode_message, encode, encode_message};
use bailiwick_wire::descriptors::{FieldError, Incoming};

use super::*;

const LIMITS: Limits = Limits::DATA;

/// Encodes a value and returns its bytes with what a receiver would see beside them.
fn sent<T: Serialize>(value: &T) -> (Vec<u8>, Incoming) {
    let mut bytes = Vec::new();
    let outgoing = encode_message(value, &LIMITS, &mut bytes).unwrap();
    let received = outgoing.descriptors().iter().map(|(_, fd)| {
        let fd = fd.fd().expect("it is decided").try_clone_to_owned().unwrap();
        (observe(fd.as_fd()), fd)
    });
    let received = received.collect();
    (bytes, Incoming::new(received, Vec::new()))
}

fn file() -> File {
    tempfile::tempfile().unwrap()
}

#[test]
fn a_descriptor_deep_in_a_message_arrives_as_the_same_file() {
    let mut written = file();
    written.write_all(b"hello").unwrap();
    let (reader, mut writer) = std::io::pipe().unwrap();
    let message = (vec![Some(Fd::from(written))], "text", Fd::from(reader));
    let (bytes, beside) = sent(&message);
    let back: (Vec<Option<Fd<File>>>, String, Fd<PipeReader>) =
        decode_message(&bytes, beside, &LIMITS).unwrap();
    assert_eq!(back.1, "text");
    let mut text = String::new();
    let mut received = File::from(back.0.into_iter().flatten().next().unwrap());
    std::io::Seek::rewind(&mut received).unwrap();
    received.read_to_string(&mut text).unwrap();
    assert_eq!(text, "hello");
    writer.write_all(b"x").unwrap();
    let mut byte = [0];
    PipeReader::from(back.2).read_exact(&mut byte).unwrap();
    assert_eq!(&byte, b"x");
}

#[test]
fn c5_a_descriptor_of_another_kind_is_refused_with_both_kinds() {
    let (bytes, beside) = sent(&Fd::from(file()));
    let error = decode_message::<Fd<TcpListener>>(&bytes, beside, &LIMITS).unwrap_err();
    let expected = FieldError::Kind { number: 0, found: FdKind::File, promised: FdKind::TcpListener };
    assert_eq!(error.problem, DecodeProblem::Field(expected));
    for wrong in ["/dev/null", "/proc/self/status", "/"] {
        let (bytes, beside) = sent(&Fd::from(File::open(wrong).unwrap()));
        assert!(decode_message::<Fd<File>>(&bytes, beside, &LIMITS).is_err(), "{wrong}");
    }
}

#[test]
fn any_descriptor_is_taken_where_nothing_is_promised() {
    let (bytes, beside) = sent(&Fd::from(File::open("/dev/null").unwrap()));
    assert!(decode_message::<Fd<OwnedFd>>(&bytes, beside, &LIMITS).is_ok());
}

#[test]
fn a_message_that_does_not_fit_keeps_its_descriptors() {
    let message = (Fd::from(file()), vec![0_u8; 10]);
    let small = Limits { frame_bytes: 5, ..LIMITS };
    let mut bytes = vec![1];
    assert!(encode_message(&message, &small, &mut bytes).is_err());
    assert_eq!(bytes, [1]);
    assert!(message.0.into_inner().metadata().is_ok());
}

#[test]
fn one_descriptor_more_than_the_limit_is_refused_by_the_sender() {
    let message: Vec<Fd<File>> = (0..3).map(|_| Fd::from(file())).collect();
    let limits = |fds| Limits { fds, ..LIMITS };
    assert_eq!(encode_message(&message, &limits(3), &mut Vec::new()).unwrap().descriptors().len(), 3);
    for fds in [2, 0] {
        let error = encode_message(&message, &limits(fds), &mut Vec::new()).unwrap_err();
        assert!(error.to_string().contains(&format!("more than {fds} descriptors")), "{error}");
    }
}

#[test]
fn outside_a_message_a_descriptor_refuses_to_be_serialised() {
    let error = encode(&Fd::from(file()), &LIMITS, &mut Vec::new()).unwrap_err();
    assert!(error.to_string().contains("can only be part of a message"), "{error}");
    let error = decode::<Fd<File>>(&[0, 0], &LIMITS).unwrap_err();
    assert!(error.to_string().contains("can only be part of a message"), "{error}");
}

#[test]
fn the_shape_names_the_kind_and_counts() {
    let method = bailiwick_wire::schema::MethodSchema::build("shrink")
        .argument::<Fd<File>>("picture")
        .argument::<Option<Fd<UnixStream>>>("log")
        .reply::<Vec<Fd<PipeReader>>>();
    assert_eq!(
        method.shape,
        "shrink(picture: Fd<file>, log: Option<Fd<unix-stream>>) -> [Fd<pipe-reader>]\n"
    );
    assert_eq!(method.arguments.most_fds, 2);
    let kinds: Vec<_> = method.arguments.fds.iter().collect();
    assert_eq!(kinds, [FdKind::File, FdKind::UnixStream]);
    assert_eq!(method.reply.most_fds, bailiwick_wire::schema::Carries::UNBOUNDED);
}

#[test]
fn c7_a_directory_is_never_taken_for_a_file() {
    let (bytes, beside) = sent(&Fd::from(File::open("/").unwrap()));
    let error = decode_message::<Fd<File>>(&bytes, beside, &LIMITS).unwrap_err();
    let expected = FieldError::Kind { number: 0, found: FdKind::Directory, promised: FdKind::File };
    assert_eq!(error.problem, DecodeProblem::Field(expected));
}
