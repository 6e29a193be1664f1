//! Payloads as a peer may write them, for types of every form. The first byte chooses the type.
#![no_main]

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs::File;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::ops::Range;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bailiwick_wire::bootstrap::Bootstrap;
use bailiwick_wire::codec::{decode, decode_message, encode};
use bailiwick_wire::descriptors::{Incoming, put, take};
use bailiwick_wire::handshake::{Hello, Offer, Refusal, Uses};
use bailiwick_wire::reason::Failure;
use bailiwick_wire::{FdKind, Limits, foreign_schema};
use libfuzzer_sys::fuzz_target;
use serde::de::{DeserializeOwned, Error as _};
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

#[derive(Serialize, Deserialize)]
enum Tree {
    Leaf,
    Number(i64, Option<char>),
    Branch(Box<Tree>, Vec<Tree>),
    Named { name: String, children: BTreeMap<String, Tree> },
    Wide([u64; 16], #[serde(with = "bailiwick_wire::codec::bytes")] Vec<u8>),
}

#[derive(Serialize, Deserialize)]
struct Standard {
    texts: (String, Box<str>, PathBuf),
    times: (Duration, SystemTime),
    tables: HashMap<u16, HashSet<u8>>,
    outcome: Result<bool, Option<NonZeroU32>>,
    range: Range<u8>,
    address: SocketAddr,
    nothing: Vec<()>,
}

/// A descriptor as the runtime's fields are.
struct Fd(Arc<OwnedFd>);

impl Serialize for Fd {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        put(FdKind::File, &self.0).map_err(S::Error::custom)?.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Fd {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let fd = take(u16::deserialize(deserializer)?, FdKind::File).map_err(D::Error::custom)?;
        Ok(Fd(Arc::new(fd)))
    }
}

#[derive(Serialize, Deserialize)]
struct WithFds {
    first: Option<Fd>,
    others: Vec<(String, Fd)>,
}

foreign_schema!(WithFds, "WithFds", 1);

/// What always has as many bytes, which has a reader of its own.
type Fixed = (u8, bool, [(u16, i64); 3], NonZeroU32, Range<i8>);

fuzz_target!(|bytes: &[u8]| {
    let Some((choice, payload)) = bytes.split_first() else { return };
    match choice % 10 {
        0 => both_ways::<Tree>(payload, &Limits::DATA),
        1 => both_ways::<Standard>(payload, &Limits::DATA),
        2 => both_ways::<Vec<Vec<Option<[u64; 32]>>>>(payload, &Limits::DATA),
        3 => both_ways::<Bootstrap>(payload, &Limits::BOOTSTRAP),
        4 => both_ways::<(Hello, Uses, Offer)>(payload, &Limits::CONTROL),
        5 => both_ways::<Refusal>(payload, &Limits::CONTROL),
        6 => both_ways::<Failure>(payload, &Limits::CONTROL),
        7 => both_ways::<HashMap<(), ()>>(payload, &Limits::DATA),
        8 => by_both_readers(payload),
        _ => with_descriptors(payload),
    }
});

/// What was decoded is encoded within the same limits again, but for what a sender counts more strictly.
fn both_ways<T: Serialize + DeserializeOwned>(payload: &[u8], limits: &Limits) {
    if let Ok(value) = decode::<T>(payload, limits) {
        let limits = Limits { produced_bytes: u32::MAX, ..*limits };
        encode(&value, &limits, &mut Vec::new()).expect("what was decoded is within the limits of a sender");
    }
}

fn by_both_readers(payload: &[u8]) {
    let counted = decode::<Fixed>(payload, &Limits::DATA);
    assert_eq!(decode_message::<Fixed>(payload, Incoming::default(), &Limits::DATA), counted);
}

fn with_descriptors(payload: &[u8]) {
    let Some((count, payload)) = payload.split_first() else { return };
    let kinds = [FdKind::File, FdKind::PipeReader];
    let fds = (0..count % 4).map(|number| {
        let fd = File::open("/dev/null").expect("a descriptor is free, since none is leaked");
        (kinds[usize::from(number > 2)], fd.into())
    });
    let _ = decode_message::<WithFds>(payload, Incoming::new(fds.collect(), Vec::new()), &Limits::DATA);
}
