//! `#[message]`: what it derives, and the schema that it gives.

use std::collections::HashMap;

use bailiwick::message;
use bailiwick::private::schema::{FixedSize, MethodSchema, Schema, compare};
use bailiwick_wire::{Limits, codec};

fn shape<T: Schema>() -> String {
    let shape = MethodSchema::build("m").argument::<T>("x").reply::<()>().shape;
    shape.strip_prefix("m(x: ").expect("a shape begins with its method").to_owned()
}

fn round_trip<T: serde::Serialize + serde::de::DeserializeOwned>(value: &T) -> T {
    let mut bytes = Vec::new();
    codec::encode(value, &Limits::default(), &mut bytes).expect("it is within the limits");
    codec::decode(&bytes, &Limits::default()).expect("it was encoded by this codec")
}

#[message]
#[derive(Debug, PartialEq)]
struct Size {
    width: u16,
    height: u16,
}

#[message]
#[derive(Debug, PartialEq)]
enum Tree {
    Leaf,
    Branch { left: Box<Tree>, right: Box<Tree> },
    Tagged(String, Vec<u8>),
}

#[message]
#[derive(Debug, PartialEq)]
struct Page<T, const N: usize> {
    items: Vec<T>,
    by_name: HashMap<String, Size>,
    sums: [u32; 2],
}

#[message]
#[derive(Debug, PartialEq)]
struct Unit;

#[message(name = "Size")]
struct Renamed {
    #[serde(rename = "w")]
    width: u16,
    r#height: u16,
}

mod elsewhere {
    #[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize)]
    pub(crate) struct Url(pub(crate) String);
}

#[message]
#[derive(Debug, PartialEq)]
struct Link {
    #[message(foreign = "elsewhere::Url@2")]
    to: elsewhere::Url,
    tries: u8,
}

mod validated {
    #[bailiwick::message]
    #[derive(Clone, Debug, PartialEq)]
    #[serde(try_from = "u8", into = "u8")]
    pub(crate) struct Percent(u8);

    #[derive(Debug)]
    pub(crate) struct TooMuch(u8);

    impl std::fmt::Display for TooMuch {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            write!(f, "{} percent are more than the whole", self.0)
        }
    }

    impl TryFrom<u8> for Percent {
        type Error = TooMuch;

        fn try_from(value: u8) -> Result<Self, TooMuch> {
            if value > 100 { Err(TooMuch(value)) } else { Ok(Percent(value)) }
        }
    }

    impl From<Percent> for u8 {
        fn from(percent: Percent) -> u8 {
            percent.0
        }
    }
}

#[test]
fn values_come_back() {
    assert_eq!(round_trip(&Size { width: 1, height: 2 }), Size { width: 1, height: 2 });
    assert_eq!(round_trip(&Unit), Unit);
    let tagged = || Box::new(Tree::Tagged("x".into(), vec![1, 2, 3]));
    let tree = || Tree::Branch { left: tagged(), right: Box::new(Tree::Leaf) };
    assert_eq!(round_trip(&tree()), tree());
    let page = || Page::<Tree, 2> {
        items: vec![tree(), Tree::Leaf],
        by_name: HashMap::from([("a".to_owned(), Size { width: 3, height: 4 })]),
        sums: [5, 6],
    };
    assert_eq!(round_trip(&page()), page());
}

#[test]
fn a_shape_shows_every_type_once() {
    assert_eq!(shape::<Size>(), "Size) -> ()\nstruct Size { width: u16, height: u16 }\n");
    assert_eq!(
        shape::<Tree>(),
        "Tree) -> ()\nenum Tree { Leaf, Branch { left: Tree, right: Tree }, Tagged(str, [u8]) }\n"
    );
    assert_eq!(
        shape::<Page<Size, 2>>(),
        "Page<Size, 2>) -> ()\n\
         struct Size { width: u16, height: u16 }\n\
         struct Page<Size, 2> { items: [Size], by_name: Map<str, Size>, sums: [u32; 2] }\n"
    );
    assert_eq!(shape::<Unit>(), "Unit) -> ()\nstruct Unit\n");
}

#[message]
struct Sized<T> {
    of: T,
    sizes: [Size; 2],
    unit: Unit,
}

/// Makes a default for each value, before any of its fields are read.
#[message]
#[derive(Default)]
#[serde(default)]
struct Defaulted {
    number: u8,
}

#[test]
fn a_struct_says_what_every_value_takes_if_each_of_its_fields_does() {
    assert_eq!(Size::FIXED, Some(FixedSize { bytes: 4, depth: 1 }));
    assert_eq!(Sized::<u128>::FIXED, Some(FixedSize { bytes: 24, depth: 3 }));
    let value = round_trip(&Sized {
        of: (),
        sizes: [Size { width: 1, height: 2 }, Size { width: 3, height: 4 }],
        unit: Unit,
    });
    assert_eq!((value.of, value.sizes[1].height, value.unit), ((), 4, Unit));
    // What differs in size, and what is converted or foreign, of which that is not known.
    let unknown = [Sized::<String>::FIXED, Tree::FIXED, Page::<u8, 2>::FIXED];
    assert_eq!(unknown, [None; 3]);
    assert_eq!((validated::Percent::FIXED, Link::FIXED, Defaulted::FIXED), (None, None, None));
}

#[test]
fn a_renamed_type_can_keep_its_name_in_the_schema() {
    assert_eq!(shape::<Renamed>(), shape::<Size>());
    let renamed = Renamed { width: 1, r#height: 2 };
    assert_eq!((renamed.width, renamed.r#height), (1, 2));
}

#[test]
fn a_type_checks_what_it_decodes() {
    assert_eq!(shape::<validated::Percent>(), "Percent) -> ()\nstruct Percent(u8)\n");
    let error = codec::decode::<validated::Percent>(&[101], &Limits::default()).unwrap_err();
    assert_eq!(error.to_string(), "cannot decode: 101 percent are more than the whole");
    assert_eq!(round_trip(&validated::Percent::try_from(100).unwrap()), 100.try_into().unwrap());
}

#[test]
fn a_type_of_another_crate_is_declared_at_its_field() {
    assert_eq!(shape::<Link>(), "Link) -> ()\nstruct Link { to: elsewhere::Url@2, tries: u8 }\n");
    let link = || Link { to: elsewhere::Url("https://example.org".into()), tries: 7 };
    assert_eq!(round_trip(&link()), link());
}

mod changed {
    use bailiwick::message;

    macro_rules! sizes {
        ($($module:ident { $($field:ident: $type:ty),* })*) => {$(
            pub(crate) mod $module {
                #[super::message]
                pub(crate) struct Size { $(pub(crate) $field: $type),* }
            }
        )*};
    }

    sizes! {
        renamed { width: u16, length: u16 }
        reordered { height: u16, width: u16 }
        retyped { width: u16, height: u32 }
        longer { width: u16, height: u16, depth: u16 }
        shorter { width: u16 }
    }
}

#[test]
fn a_field_renamed_reordered_retyped_added_or_removed_is_refused_with_both_shapes() {
    fn method<T: Schema>() -> MethodSchema {
        MethodSchema::build("resize").argument::<T>("to").reply::<()>()
    }
    let ours = method::<Size>();
    assert!(compare(&ours, &method::<Size>().to_shape()).is_ok());
    let others = [
        method::<changed::renamed::Size>(),
        method::<changed::reordered::Size>(),
        method::<changed::retyped::Size>(),
        method::<changed::longer::Size>(),
        method::<changed::shorter::Size>(),
    ];
    for theirs in others {
        let error = compare(&ours, &theirs.to_shape()).unwrap_err().to_string();
        assert!(error.contains("here:  struct Size { width: u16, height: u16 }"), "{error}");
        assert!(error.contains(&format!("there: {}", theirs.shape.lines().nth(1).unwrap())), "{error}");
    }
    let error = compare(&ours, &method::<changed::retyped::Size>().to_shape()).unwrap_err().to_string();
    assert_eq!(
        error,
        "the two ends disagree about the method `resize`\n\
         \x20 both:  resize(to: Size) -> ()\n\
         \x20 here:  struct Size { width: u16, height: u16 }\n\
         \x20 there: struct Size { width: u16, height: u32 }\n\
         \x20                                           ^ first difference"
    );
}

#[test]
fn what_cannot_be_a_message_is_refused_at_its_place() {
    trybuild::TestCases::new().compile_fail("tests/compile_fail/message_*.rs");
}
