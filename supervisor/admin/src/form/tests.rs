//! What goes from JSON to bytes and back, held against what serde and the codec make of the same values.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU16;
use std::ops::{Bound, Range};
use std::time::Duration;

use bailiwick::prelude::*;
use bailiwick_wire::schema::{MethodSchema, Schema};
use bailiwick_wire::{Limits, codec};
use proptest::collection::{btree_map, btree_set, vec};
use proptest::option;
use proptest::prelude::*;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::{Method, found, given};

#[message]
#[derive(Clone, Debug, PartialEq)]
struct Everything {
    flags: (bool, char, ()),
    small: [i8; 3],
    signed: (i16, i32, i64),
    unsigned: (u8, u16, u32, u64, usize),
    single: f32,
    double: f64,
    text: String,
    bytes: Vec<u8>,
    maybe: Option<Box<Tree>>,
    port: Option<NonZeroU16>,
    shapes: Vec<Drawn>,
    names: BTreeMap<String, Pair<u8>>,
    numbers: BTreeMap<u32, Pair<Pair<String>>>,
    flagged: BTreeMap<bool, BTreeSet<i64>>,
    outcome: Result<u8, Drawn>,
    from: Bound<u8>,
    range: Range<u64>,
    wait: Duration,
    host: IpAddr,
    at: SocketAddr,
    nothing: Nothing,
    wrapped: Wrapped,
}

#[message]
#[derive(Clone, Debug, PartialEq)]
struct Tree {
    name: String,
    below: Vec<Tree>,
}

#[message]
#[derive(Clone, Debug, PartialEq)]
enum Drawn {
    Nothing,
    Circle(f64),
    Line(i32, i32),
    Label { text: String, size: Option<u8> },
}

#[message]
#[derive(Clone, Debug, PartialEq)]
struct Pair<T> {
    left: T,
    right: T,
}

#[message]
#[derive(Clone, Debug, PartialEq)]
struct Nothing;

#[message]
#[derive(Clone, Debug, PartialEq)]
struct Wrapped(u64);

/// Returns a method that takes and answers such a value.
fn method<T: Schema>() -> Method {
    let schema = MethodSchema::build("echo").argument::<T>("of").reply::<T>();
    Method::read(&schema.shape).unwrap_or_else(|error| panic!("{error}: {}", schema.shape))
}

fn encoded(value: &impl Serialize) -> Vec<u8> {
    let mut bytes = Vec::new();
    codec::encode(value, &Limits::LINK, &mut bytes).expect("it is within the limits");
    bytes
}

/// Writes JSON as the one argument of a method.
fn written(method: &Method, json: Value) -> Result<Vec<u8>, String> {
    let given = json!({ "of": json });
    given::check(method, &given)?;
    let mut bytes = Vec::new();
    given::write(method, &given, &Limits::LINK, &mut bytes).map_err(|error| error.to_string())?;
    Ok(bytes)
}

/// Holds both directions against serde's own JSON of a value, and the codec's bytes.
fn goes_both_ways<T: Schema + Serialize + DeserializeOwned + PartialEq + Debug>(value: &T) {
    let (method, bytes) = (method::<T>(), encoded(value));
    let text = found::json(&method, &bytes).expect("it is as the schema says");
    let json: Value = serde_json::from_str(&text).expect("it is JSON");
    assert_eq!(json, serde_json::from_str::<Value>(&serde_json::to_string(value).unwrap()).unwrap());
    // The keys of an object have another order than those of a map.
    let back = written(&method, json).expect("it was made of such a value");
    assert_eq!(back.len(), bytes.len());
    assert_eq!(codec::decode::<T>(&back, &Limits::LINK).as_ref(), Ok(value));
}

fn drawn() -> impl Strategy<Value = Drawn> {
    prop_oneof![
        Just(Drawn::Nothing),
        any::<f64>().prop_map(Drawn::Circle),
        any::<(i32, i32)>().prop_map(|(x, y)| Drawn::Line(x, y)),
        (any::<String>(), any::<Option<u8>>()).prop_map(|(text, size)| Drawn::Label { text, size }),
    ]
}

fn tree() -> impl Strategy<Value = Tree> {
    let leaf = any::<String>().prop_map(|name| Tree { name, below: Vec::new() });
    leaf.prop_recursive(4, 24, 4, |inner| {
        (any::<String>(), vec(inner, 0..4)).prop_map(|(name, below)| Tree { name, below })
    })
}

fn outcome() -> impl Strategy<Value = Result<u8, Drawn>> {
    prop_oneof![any::<u8>().prop_map(Ok), drawn().prop_map(Err)]
}

fn bound() -> impl Strategy<Value = Bound<u8>> {
    let (included, excluded) = (any::<u8>().prop_map(Bound::Included), any::<u8>().prop_map(Bound::Excluded));
    prop_oneof![Just(Bound::Unbounded), included, excluded]
}

prop_compose! {
    fn pair()(left in any::<String>(), right in any::<String>()) -> Pair<String> {
        Pair { left, right }
    }
}

prop_compose! {
    fn everything()(
        (flags, small, signed, unsigned) in any::<((bool, char, ()), [i8; 3], (i16, i32, i64), (u8, u16, u32, u64, usize))>(),
        (single, double, text, bytes) in any::<(f32, f64, String, Vec<u8>)>(),
        (maybe, port) in (option::of(tree().prop_map(Box::new)), any::<Option<NonZeroU16>>()),
        (shapes, outcome, from) in (vec(drawn(), 0..4), outcome(), bound()),
        names in btree_map(any::<String>(), any::<(u8, u8)>().prop_map(|(left, right)| Pair { left, right }), 0..4),
        numbers in btree_map(any::<u32>(), (pair(), pair()).prop_map(|(left, right)| Pair { left, right }), 0..4),
        flagged in btree_map(any::<bool>(), btree_set(any::<i64>(), 0..4), 0..3),
        (range, wait, wrapped) in any::<(Range<u64>, Duration, u64)>(),
        (host, ip, port_of) in any::<(IpAddr, IpAddr, u16)>(),
    ) -> Everything {
        let (nothing, wrapped, at) = (Nothing, Wrapped(wrapped), SocketAddr::new(ip, port_of));
        Everything {
            flags, small, signed, unsigned, single, double, text, bytes, maybe, port, shapes, names, numbers, flagged, outcome, from,
            range, wait, host, at, nothing, wrapped,
        }
    }
}

proptest! {
    #[test]
    fn what_the_codec_writes_is_read_as_serdes_json_and_written_back(value in everything()) {
        goes_both_ways(&value);
    }

    #[test]
    fn no_bytes_make_the_reader_panic_or_run_on(bytes in vec(any::<u8>(), 0..256)) {
        let _ = found::json(&method::<Everything>(), &bytes);
        let _ = found::json(&method::<Vec<Drawn>>(), &bytes);
    }

    #[test]
    fn no_text_makes_a_schema_that_panics(text in "[a-z(){}<>\\[\\];:,# 0-9\n-]{0,80}", bytes in vec(any::<u8>(), 0..32)) {
        for shape in [text.clone(), format!("m(a: {text}) -> {text}\nstruct {text}"), format!("m() -> A\nenum A {{ {text} }}")] {
            if let Ok(method) = Method::read(&shape) {
                let _ = (method.opaque_reply(), found::json(&method, &bytes));
                let _ = given::check(&method, &json!({ "a": {} }));
            }
        }
    }
}

#[test]
fn what_json_has_no_numbers_for_is_text() {
    let (method, bytes) =
        (method::<(u128, i128, f64, f32)>(), (u128::MAX, i128::MIN, f64::NAN, f32::INFINITY));
    let text = found::json(&method, &encoded(&bytes)).expect("it is as the schema says");
    let (unsigned, signed) = (u128::MAX, i128::MIN);
    assert_eq!(text, format!("[\"{unsigned}\",\"{signed}\",\"NaN\",\"inf\"]"));
    let json = serde_json::from_str(&text).expect("it is JSON");
    assert_eq!(written(&method, json), Ok(encoded(&bytes)));
    assert_eq!(written(&method, json!([7, -7, 1, 1.5])), Ok(encoded(&(7u128, -7i128, 1f64, 1.5f32))));
}

#[test]
fn bytes_may_be_given_as_text_and_a_map_of_tuples_is_a_list_of_pairs() {
    assert_eq!(written(&method::<Vec<u8>>(), json!("añb")), Ok(encoded(&"añb".as_bytes().to_vec())));
    let map = BTreeMap::from([((1u8, 2u8), "x".to_owned())]);
    let method = method::<BTreeMap<(u8, u8), String>>();
    assert_eq!(found::json(&method, &encoded(&map)), Ok("[[[1,2],\"x\"]]".to_owned()));
    assert_eq!(written(&method, json!([[[1, 2], "x"]])), Ok(encoded(&map)));
}

#[test]
fn an_error_names_the_place_in_the_json() {
    let fails = |method: &Method, json: Value, text: &str| {
        assert_eq!(written(method, json.clone()), Err(text.to_owned()), "{json}");
    };
    let shapes = method::<Vec<Drawn>>();
    fails(&shapes, json!({}), ".of: expected a list, found an object");
    fails(&shapes, json!([{ "Line": [1] }]), ".of[0].Line: expected a list of 2, found one of 1");
    fails(&shapes, json!(["Nothing", { "Circle": "x" }]), ".of[1].Circle: expected a number, found \"x\"");
    let one_of = "expected one of \"Nothing\", \"Circle\", \"Line\", \"Label\", found";
    fails(&shapes, json!([7]), &format!(".of[0]: {one_of} 7"));
    fails(&shapes, json!(["Dot"]), &format!(".of[0]: {one_of} \"Dot\""));
    fails(
        &shapes,
        json!(["Circle"]),
        ".of[0]: expected {\"Circle\": …} with what it holds, found \"Circle\"",
    );
    fails(&shapes, json!([{ "Label": {} }]), ".of[0].Label: `text` is missing");
    let label = json!([{ "Label": { "text": "", "colour": 1 } }]);
    fails(&shapes, label, ".of[0].Label: no field is called \"colour\"; there is `text`, `size`");
    let numbers = method::<BTreeMap<u8, u8>>();
    fails(&numbers, json!({ "256": 1 }), ".of[\"256\"]: expected u8, found 256");
    fails(&numbers, json!({ "1": -1 }), ".of[\"1\"]: expected u8, found -1");
    fails(&method::<NonZeroU16>(), json!(0), ".of: expected u16 other than 0, found 0");
    fails(&method::<Vec<u8>>(), json!([1, 300]), ".of[1]: expected u8, found 300");
    fails(&method::<u32>(), json!(1.5), ".of: expected u32, found 1.5");
    fails(&method::<IpAddr>(), json!("localhost"), ".of: expected an IP address, found \"localhost\"");
    let long = "x".repeat(50);
    fails(&method::<bool>(), json!(long), &format!(".of: expected true or false, found \"{}…", &long[..39]));
    let none = given::check(&method::<u8>(), &json!([1]));
    assert_eq!(none, Err("the arguments: expected an object with the arguments, found a list".to_owned()));
    let other = given::check(&method::<u8>(), &json!({ "of": 1, "to": 2 }));
    assert_eq!(other, Err("the arguments: no argument is called \"to\"; there is `of`".to_owned()));
    assert_eq!(given::check(&method::<Option<u8>>(), &json!({})), Ok(()), "it may be left out");
}

#[test]
fn what_json_does_not_have_is_refused_by_name() {
    let opaque = Method::read("m(a: Fd<file>, b: [Blob]) -> Kept\nstruct Kept { at: url::Url@2 }\n").unwrap();
    let error = given::check(&opaque, &json!({ "a": 1, "b": [] })).unwrap_err();
    assert_eq!(error, ".a: `Fd<file>` is nothing that can be written as JSON");
    assert_eq!(opaque.opaque_reply(), Some("url::Url@2"));
    assert_eq!(method::<Everything>().opaque_reply(), None);
}

#[test]
fn an_answer_that_is_not_as_the_schema_says_is_told_by_its_place() {
    let fails = |method: &Method, bytes: &[u8], text: &str| {
        assert_eq!(found::json(method, bytes), Err(text.to_owned()), "{bytes:?}");
    };
    fails(&method::<u32>(), &[1, 2], "byte 0 of 2: expected 4 bytes, there are 2");
    fails(&method::<u8>(), &[1, 2], "1 bytes are left over");
    fails(&method::<(u8, bool)>(), &[1, 2], "byte 2 of 2: expected 0 or 1 for true or false, found 2");
    fails(&method::<Drawn>(), &[4, 0, 0, 0], "byte 4 of 4: expected one of 4 variants, found number 4");
    let many = u64::from(Limits::MAX_ELEMENTS) + 1;
    let text = format!("byte 8 of 8: {many} elements, at most {}", Limits::MAX_ELEMENTS);
    fails(&method::<Vec<()>>(), &many.to_le_bytes(), &text);
}

#[test]
fn a_schema_that_lies_costs_little() {
    // Each doubles what the one before it takes, of no bytes at all.
    let mut shape = "m(a: T0) -> T0\n".to_owned();
    for number in 0..100 {
        shape += &format!("struct T{number}(T{0}, T{0})\n", number + 1);
    }
    let method = Method::read(&(shape + "struct T100\n")).unwrap();
    assert_eq!(found::json(&method, &[]), Err("its text would be longer than 4194304 bytes".to_owned()));
    let endless = Method::read("m(a: A) -> A\nstruct A(A)\n").unwrap();
    assert_eq!(found::json(&endless, &[]), Err("byte 0 of 0: values inside values, at most 128".to_owned()));
    let deep = given::check(&endless, &json!({ "a": 1 })).unwrap_err();
    assert_eq!(deep, ".a: 33 nesting depth, the limit is 32");
    assert_eq!(endless.opaque_reply(), None);
    for lie in [
        "",
        "m",
        "m(",
        "m() -> ",
        "m() -> A\nstruct",
        "m() -> u8\nstruct A {",
        "m() -> u8\nclass A",
        "\u{1b}() -> u8",
    ] {
        assert!(Method::read(lie).is_err(), "{lie:?}");
    }
    let long = format!("m() -> {}u8{}", "[".repeat(100), "]".repeat(100));
    assert!(Method::read(&long).is_err(), "a text of many brackets");
}
