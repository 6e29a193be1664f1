//! Structural schemas: what ends, what differs, and what a person is shown.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};

use bailiwick_wire::schema::{Body, Carries, MethodSchema, Schema, Shape, Shapes, compare};
use bailiwick_wire::{FdKind, FdKinds};

fn shape<T: Schema>() -> String {
    MethodSchema::build("m").reply::<T>().shape
}

struct Tree;

impl Schema for Tree {
    fn shape(shapes: &mut Shapes) -> Shape {
        shapes.enumeration::<Self>("Tree", vec![], |shapes| {
            let branch = vec![("left", Box::<Tree>::shape(shapes)), ("forest", Forest::shape(shapes))];
            vec![("Leaf", Body::Unit), ("Branch", Body::Record(branch))]
        })
    }
}

struct Forest;

impl Schema for Forest {
    fn shape(shapes: &mut Shapes) -> Shape {
        shapes.structure::<Self>("Forest", vec![], |shapes| Body::Tuple(vec![Vec::<Tree>::shape(shapes)]))
    }
}

#[test]
fn types_that_contain_each_other_end() {
    let expected =
        "m() -> Tree\nenum Tree { Leaf, Branch { left: Tree, forest: Forest } }\nstruct Forest([Tree])\n";
    assert_eq!(shape::<Tree>(), expected);
    assert_eq!(
        shape::<Forest>(),
        "m() -> Forest\nstruct Forest([Tree])\nenum Tree { Leaf, Branch { left: Tree, forest: Forest } }\n"
    );
}

/// A type that holds two of the one below it; written out it would be of 2^60 parts.
struct Level<const N: usize>;

macro_rules! levels {
    ($($upper:literal $lower:literal)*) => {$(
        impl Schema for Level<$upper> {
            fn shape(shapes: &mut Shapes) -> Shape {
                shapes.structure::<Self>(concat!("Level", $upper), vec![], |shapes| {
                    Body::Tuple(vec![Level::<$lower>::shape(shapes), Level::<$lower>::shape(shapes)])
                })
            }
        }
    )*};
}

levels! { 60 59 59 58 58 57 57 56 56 55 55 54 54 53 53 52 52 51 51 50 50 49 49 48 48 47 47 46 46 45 45 44 44 43 43 42
42 41 41 40 40 39 39 38 38 37 37 36 36 35 35 34 34 33 33 32 32 31 31 30 30 29 29 28 28 27 27 26 26 25 25 24
24 23 23 22 22 21 21 20 20 19 19 18 18 17 17 16 16 15 15 14 14 13 13 12 12 11 11 10 10 9 9 8 8 7 7 6 6 5 5 4
4 3 3 2 2 1 1 0 }

impl Schema for Level<0> {
    fn shape(_: &mut Shapes) -> Shape {
        Shape::descriptor(FdKind::File)
    }
}

#[test]
fn a_type_that_is_shared_is_defined_once() {
    let method = MethodSchema::build("m").argument::<Level<60>>("x").reply::<()>();
    assert_eq!(method.shape.lines().count(), 61);
    assert_eq!(
        method.arguments.most_fds,
        Carries::UNBOUNDED,
        "2^60 descriptors are more than can be counted"
    );
}

mod one {
    pub(crate) struct Size;
}
mod other {
    pub(crate) struct Size;
}

macro_rules! sizes {
    ($($type:ty: $field:ty),*) => {$(
        impl Schema for $type {
            fn shape(shapes: &mut Shapes) -> Shape {
                shapes.structure::<Self>("Size", vec![], |shapes| Body::Tuple(vec![<$field>::shape(shapes)]))
            }
        }
    )*};
}
sizes! { one::Size: u8, other::Size: u16 }

#[test]
fn two_types_of_one_name_are_kept_apart() {
    let expected = "m() -> (Size, Size#2, Size)\nstruct Size(u8)\nstruct Size#2(u16)\n";
    assert_eq!(shape::<(one::Size, other::Size, one::Size)>(), expected);
    assert_ne!(shape::<(one::Size, other::Size)>(), shape::<(other::Size, one::Size)>());
}

#[test]
fn types_of_one_form_agree_and_others_do_not() {
    let same = [
        (shape::<Vec<u8>>(), shape::<VecDeque<u8>>()),
        (shape::<Vec<u8>>(), shape::<Box<[u8]>>()),
        (shape::<HashMap<String, u8>>(), shape::<BTreeMap<Box<str>, u8>>()),
        (shape::<Box<u16>>(), shape::<u16>()),
        (shape::<usize>(), shape::<u64>()),
    ];
    for (one, other) in same {
        assert_eq!(one, other);
    }
    let different = [
        shape::<u16>(),
        shape::<i16>(),
        shape::<Option<u16>>(),
        shape::<Vec<u16>>(),
        shape::<HashSet<u16>>(),
        shape::<[u16; 2]>(),
        shape::<[u16; 3]>(),
        shape::<(u16,)>(),
        shape::<(u16, u16)>(),
        shape::<Result<u16, u16>>(),
        shape::<Result<u16, ()>>(),
        shape::<std::ops::Range<u16>>(),
        shape::<std::num::NonZeroU16>(),
        shape::<char>(),
        shape::<String>(),
        shape::<std::path::PathBuf>(),
        shape::<std::time::Duration>(),
        shape::<std::time::SystemTime>(),
    ];
    let distinct: HashSet<_> = different.iter().collect();
    assert_eq!(distinct.len(), different.len());
}

#[test]
fn the_name_arguments_and_reply_of_a_method_are_part_of_its_fingerprint() {
    let all = [
        MethodSchema::build("a").argument::<u8>("x").reply::<()>(),
        MethodSchema::build("b").argument::<u8>("x").reply::<()>(),
        MethodSchema::build("a").argument::<u8>("y").reply::<()>(),
        MethodSchema::build("a").argument::<i8>("x").reply::<()>(),
        MethodSchema::build("a").argument::<u8>("x").reply::<u8>(),
        MethodSchema::build("a").argument::<u8>("x").replies::<()>(),
        MethodSchema::build("a").argument::<u8>("x").argument::<()>("y").reply::<()>(),
        MethodSchema::build("a").reply::<()>(),
    ];
    let distinct: HashSet<_> = all.iter().map(|method| method.fingerprint).collect();
    assert_eq!(distinct.len(), all.len());
}

#[test]
fn fingerprints_are_golden() {
    let method = MethodSchema::build("plant")
        .argument::<HashMap<String, Tree>>("trees")
        .reply::<Result<u32, Forest>>();
    assert_eq!(method.fingerprint.to_string(), "13cb34c298d414f90a6b8b3b5e6d7ce3");
}

struct Passed;

impl Schema for Passed {
    fn shape(shapes: &mut Shapes) -> Shape {
        shapes.enumeration::<Self>("Passed", vec![], |_| {
            let two = vec![Shape::descriptor(FdKind::File), Shape::descriptor(FdKind::PipeReader)];
            vec![("Two", Body::Tuple(two)), ("One", Body::Tuple(vec![Shape::address("Log")]))]
        })
    }
}

#[test]
fn what_a_message_may_carry_is_counted() {
    let carried = |method: MethodSchema| method.reply;
    let both = FdKinds::NONE.with(FdKind::File).with(FdKind::PipeReader);
    let one = carried(MethodSchema::build("m").reply::<Passed>());
    assert_eq!(one, Carries { fds: both, most_fds: 2, most_addresses: 1 });
    let three = carried(MethodSchema::build("m").reply::<([Passed; 2], Option<Passed>)>());
    assert_eq!((three.most_fds, three.most_addresses), (6, 3));
    let many = carried(MethodSchema::build("m").reply::<HashMap<u8, Passed>>());
    assert_eq!(many, Carries { fds: both, most_fds: Carries::UNBOUNDED, most_addresses: Carries::UNBOUNDED });
    assert_eq!(carried(MethodSchema::build("m").reply::<Vec<String>>()), Carries::default());
}

#[test]
fn a_recursive_type_with_a_descriptor_is_unbounded() {
    struct Chain;
    impl Schema for Chain {
        fn shape(shapes: &mut Shapes) -> Shape {
            shapes.structure::<Self>("Chain", vec![], |shapes| {
                Body::Tuple(vec![Shape::descriptor(FdKind::File), Option::<Box<Chain>>::shape(shapes)])
            })
        }
    }
    assert_eq!(MethodSchema::build("m").reply::<Chain>().reply.most_fds, Carries::UNBOUNDED);
}

#[test]
fn what_a_hostile_peer_calls_a_shape_does_not_reach_the_terminal() {
    let ours = MethodSchema::build("m").reply::<()>();
    let mut theirs = MethodSchema::build("m").reply::<u8>().to_shape();
    theirs.shape = "m() -> \u{1b}[2J\u{9b}31m\r\u{202e}".to_owned();
    let text = compare(&ours, &theirs).unwrap_err().to_string();
    assert!(text.chars().all(|c| matches!(c, ' '..='~' | '\n')), "{text:?}");
    theirs.shape = ours.shape.clone();
    let text = compare(&ours, &theirs).unwrap_err().to_string();
    assert!(text.contains("though both describe it as"), "{text}");
}
