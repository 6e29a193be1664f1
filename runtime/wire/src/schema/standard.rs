//! Schemas of the standard library's types, as serde serialises them.
//!
//! serde leaves the scope and the flow label of an IPv6 socket address out; a message that needs them carries them
//! in fields of its own.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap, HashSet, LinkedList, VecDeque};
use std::hash::BuildHasher;
use std::marker::PhantomData;
use std::ops::{Bound, Range, RangeInclusive};

use super::{FixedSize, Schema, Shape, Shapes};

macro_rules! fixed {
    ($($type:ty = $text:literal $bytes:literal)*) => {$(
        impl Schema for $type {
            const FIXED: Option<FixedSize> = FixedSize::plain($bytes);

            fn shape(_: &mut Shapes) -> Shape {
                Shape::plain($text)
            }
        }
    )*};
}

fixed! {
    () = "()" 0 bool = "bool" 1
    u8 = "u8" 1 u16 = "u16" 2 u32 = "u32" 4 u64 = "u64" 8 u128 = "u128" 16 usize = "u64" 8
    i8 = "i8" 1 i16 = "i16" 2 i32 = "i32" 4 i64 = "i64" 8 i128 = "i128" 16 isize = "i64" 8
    f32 = "f32" 4 f64 = "f64" 8
    std::num::NonZeroU8 = "NonZero<u8>" 1 std::num::NonZeroU16 = "NonZero<u16>" 2
    std::num::NonZeroU32 = "NonZero<u32>" 4 std::num::NonZeroU64 = "NonZero<u64>" 8
    std::num::NonZeroU128 = "NonZero<u128>" 16 std::num::NonZeroUsize = "NonZero<u64>" 8
    std::num::NonZeroI8 = "NonZero<i8>" 1 std::num::NonZeroI16 = "NonZero<i16>" 2
    std::num::NonZeroI32 = "NonZero<i32>" 4 std::num::NonZeroI64 = "NonZero<i64>" 8
    std::num::NonZeroI128 = "NonZero<i128>" 16 std::num::NonZeroIsize = "NonZero<i64>" 8
}

macro_rules! plain {
    ($($type:ty = $text:literal)*) => {$(
        impl Schema for $type {
            fn shape(_: &mut Shapes) -> Shape {
                Shape::plain($text)
            }
        }
    )*};
}

plain! {
    char = "char" String = "str" Box<str> = "str" Cow<'static, str> = "str"
    std::time::Duration = "Duration" std::time::SystemTime = "SystemTime" std::path::PathBuf = "path"
    Box<std::path::Path> = "path" std::ffi::CString = "CString"
    std::net::IpAddr = "IpAddr" std::net::Ipv4Addr = "Ipv4Addr" std::net::Ipv6Addr = "Ipv6Addr"
    std::net::SocketAddr = "SocketAddr" std::net::SocketAddrV4 = "SocketAddrV4"
    std::net::SocketAddrV6 = "SocketAddrV6"
}

macro_rules! many {
    ($($type:ident: $before:literal $after:literal)*) => {$(
        impl<T: Schema> Schema for $type<T> {
            fn shape(shapes: &mut Shapes) -> Shape {
                Shape::many($before, T::shape(shapes), $after)
            }
        }
    )*};
}

many! { Vec: "[" "]" VecDeque: "[" "]" LinkedList: "[" "]" BTreeSet: "Set<" ">" BinaryHeap: "Heap<" ">" }

impl<T: Schema> Schema for Box<[T]> {
    fn shape(shapes: &mut Shapes) -> Shape {
        Vec::<T>::shape(shapes)
    }
}

impl<T: Schema, S: BuildHasher + 'static> Schema for HashSet<T, S> {
    fn shape(shapes: &mut Shapes) -> Shape {
        BTreeSet::<T>::shape(shapes)
    }
}

impl<K: Schema, V: Schema> Schema for BTreeMap<K, V> {
    fn shape(shapes: &mut Shapes) -> Shape {
        let entry = vec![K::shape(shapes), V::shape(shapes)];
        Shape::many("", Shape::all("Map", '<', entry, '>'), "")
    }
}

impl<K: Schema, V: Schema, S: BuildHasher + 'static> Schema for HashMap<K, V, S> {
    fn shape(shapes: &mut Shapes) -> Shape {
        BTreeMap::<K, V>::shape(shapes)
    }
}

impl<T: Schema> Schema for Box<T> {
    fn shape(shapes: &mut Shapes) -> Shape {
        T::shape(shapes)
    }
}

impl<T: Schema> Schema for Option<T> {
    fn shape(shapes: &mut Shapes) -> Shape {
        Shape::one_of("Option", vec![T::shape(shapes)])
    }
}

impl<T: Schema, E: Schema> Schema for Result<T, E> {
    fn shape(shapes: &mut Shapes) -> Shape {
        Shape::one_of("Result", vec![T::shape(shapes), E::shape(shapes)])
    }
}

impl<T: Schema> Schema for Bound<T> {
    fn shape(shapes: &mut Shapes) -> Shape {
        Shape::one_of("Bound", vec![T::shape(shapes)])
    }
}

impl<T: Schema> Schema for Range<T> {
    const FIXED: Option<FixedSize> = FixedSize::row(&[T::FIXED, T::FIXED]);

    fn shape(shapes: &mut Shapes) -> Shape {
        let bound = T::shape(shapes);
        Shape::all("Range", '<', vec![bound.clone(), bound], '>')
    }
}

impl<T: Schema> Schema for RangeInclusive<T> {
    const FIXED: Option<FixedSize> = FixedSize::row(&[T::FIXED, T::FIXED]);

    fn shape(shapes: &mut Shapes) -> Shape {
        let bound = T::shape(shapes);
        Shape::all("RangeInclusive", '<', vec![bound.clone(), bound], '>')
    }
}

impl<T: 'static> Schema for PhantomData<T> {
    const FIXED: Option<FixedSize> = FixedSize::plain(0);

    fn shape(_: &mut Shapes) -> Shape {
        Shape::plain("()")
    }
}

/// serde knows arrays of up to 32 elements, so a longer one has a schema but cannot be serialised.
impl<T: Schema, const N: usize> Schema for [T; N] {
    const FIXED: Option<FixedSize> = FixedSize::array(T::FIXED, N);

    fn shape(shapes: &mut Shapes) -> Shape {
        Shape::array(T::shape(shapes), N)
    }
}

macro_rules! tuples {
    ($(($($name:ident)+))*) => {$(
        impl<$($name: Schema),+> Schema for ($($name,)+) {
            const FIXED: Option<FixedSize> = FixedSize::row(&[$($name::FIXED),+]);

            fn shape(shapes: &mut Shapes) -> Shape {
                let parts = vec![$($name::shape(shapes)),+];
                Shape::all("", '(', parts, ')')
            }
        }
    )*};
}

tuples! {
    (A) (A B) (A B C) (A B C D) (A B C D E) (A B C D E F) (A B C D E F G) (A B C D E F G H)
    (A B C D E F G H I) (A B C D E F G H I J) (A B C D E F G H I J K) (A B C D E F G H I J K L)
    (A B C D E F G H I J K L M) (A B C D E F G H I J K L M N) (A B C D E F G H I J K L M N O)
    (A B C D E F G H I J K L M N O P)
}
