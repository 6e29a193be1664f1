//! JSON that somebody gives becomes the bytes of a message's arguments, or an error that names the place in it.
//!
//! The codec writes it as it writes values of Rust: what the schema says is told to it call by call, and its limits hold.

use std::cell::RefCell;
use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::str::FromStr;

use bailiwick_wire::Limits;
use bailiwick_wire::codec::{self, EncodeError};
use serde::ser::{
    Serialize, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleStruct, SerializeTupleVariant, Serializer,
};
use serde_json::{Map, Value};

use super::{Body, Form, Integer, Method, Network, What};

/// What stands for names that the codec takes no notice of.
const NAME: &str = "value";
/// How many letters of what was found are shown.
const SHOWN_MAX: usize = 40;
/// How many letters of all the names that may stand in a place are shown.
const LISTED_MAX: usize = 400;

/// Checks JSON against what a method takes, by writing it.
///
/// # Errors
/// Where in the JSON something else is expected, and what.
pub(crate) fn check(method: &Method, given: &Value) -> Result<(), String> {
    let course = Course::default();
    let arguments = Arguments { method, given, course: &course };
    let written = codec::encode(&arguments, &Limits::LINK, &mut Vec::new());
    match (course.failed.take(), written) {
        (Some(failed), _) => Err(failed),
        // The path stays where the writer stopped.
        (None, Err(error)) => Err(format!("{}: {}", course.place(), error.problem)),
        (None, Ok(())) => Ok(()),
    }
}

/// Appends the bytes of a message's arguments.
///
/// # Errors
/// The codec's; what [`check`] finds, without its words.
pub(crate) fn write(
    method: &Method,
    given: &Value,
    limits: &Limits,
    out: &mut Vec<u8>,
) -> Result<(), Box<EncodeError>> {
    codec::encode(&Arguments { method, given, course: &Course::default() }, limits, out)
}

/// Where in the JSON the writer is, and the first thing that was wrong.
#[derive(Default)]
struct Course {
    path: RefCell<String>,
    failed: RefCell<Option<String>>,
}

/// The arguments: an object with their names.
struct Arguments<'a> {
    method: &'a Method,
    given: &'a Value,
    course: &'a Course,
}

/// One value.
#[derive(Clone, Copy)]
struct Given<'a> {
    method: &'a Method,
    form: &'a Form,
    value: &'a Value,
    course: &'a Course,
}

/// The one of several values that is written next, by its place in the JSON.
struct Within<'a> {
    given: Given<'a>,
    step: Step<'a>,
}

#[derive(Clone, Copy)]
enum Step<'a> {
    Field(&'a str),
    Element(usize),
    Key(&'a str),
    Same,
}

impl Course {
    /// Notes what is wrong here, unless something was wrong before.
    fn fail<E: serde::ser::Error>(&self, what: &str) -> E {
        let mut failed = self.failed.borrow_mut();
        failed.get_or_insert_with(|| format!("{}: {what}", self.place()));
        E::custom("it is not what the schema says")
    }

    fn place(&self) -> String {
        let path = self.path.borrow();
        if path.is_empty() { "the arguments".to_owned() } else { path.clone() }
    }
}

impl Serialize for Arguments<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { method, given, course } = *self;
        let Value::Object(fields) = given else {
            return Err(
                course.fail(&format!("expected an object with the arguments, found {}", shown(given)))
            );
        };
        known_only(fields, &method.arguments, "argument", course)?;
        if method.arguments.is_empty() {
            return serializer.serialize_unit();
        }
        let mut tuple = serializer.serialize_tuple(method.arguments.len())?;
        for (name, form) in &method.arguments {
            let value = field(fields, name, form, course)?;
            let given = Given { method, form, value, course };
            tuple.serialize_element(&given.at(Step::Field(name)))?;
        }
        tuple.end()
    }
}

impl<'a> Given<'a> {
    fn at(self, step: Step<'a>) -> Within<'a> {
        Within { given: self, step }
    }

    fn with(self, form: &'a Form, value: &'a Value) -> Self {
        Self { form, value, ..self }
    }

    fn refuse<E: serde::ser::Error>(&self, expected: &dyn std::fmt::Display) -> E {
        self.course.fail(&format!("expected {expected}, found {}", shown(self.value)))
    }

    fn list<E: serde::ser::Error>(&self, count: Option<usize>) -> Result<&'a [Value], E> {
        match (self.value, count) {
            (Value::Array(list), None) => Ok(list),
            (Value::Array(list), Some(count)) if list.len() == count => Ok(list),
            (Value::Array(list), Some(count)) => {
                Err(self.course.fail(&format!("expected a list of {count}, found one of {}", list.len())))
            }
            (_, None) => Err(self.refuse(&"a list")),
            (_, Some(count)) => Err(self.refuse(&format!("a list of {count}"))),
        }
    }

    fn object<E: serde::ser::Error>(&self, fields: &[(String, Form)]) -> Result<&'a Map<String, Value>, E> {
        let Value::Object(object) = self.value else { return Err(self.refuse(&"an object")) };
        known_only(object, fields, "field", self.course)?;
        Ok(object)
    }

    /// Returns the elements of a list, each with its form and its place.
    fn elements(self, forms: &'a [Form], list: &'a [Value]) -> impl Iterator<Item = Within<'a>> {
        let all = forms.iter().zip(list).enumerate();
        all.map(move |(at, (form, value))| self.with(form, value).at(Step::Element(at)))
    }

    fn field<E: serde::ser::Error>(
        self,
        object: &'a Map<String, Value>,
        (name, form): &'a (String, Form),
    ) -> Result<Within<'a>, E> {
        let value = field(object, name, form, self.course)?;
        Ok(self.with(form, value).at(Step::Field(name)))
    }

    fn integer<S: Serializer>(self, kind: Integer, serializer: S) -> Result<S::Ok, S::Error> {
        let number = match self.value {
            Value::Number(number) => number.as_i128(),
            // What is too large for the numbers of other programs is written as text.
            Value::String(text) if kind.bytes == 16 => {
                if !kind.is_signed
                    && let Ok(large) = text.parse::<u128>()
                    && !(kind.is_nonzero && large == 0)
                {
                    return serializer.serialize_u128(large);
                }
                text.parse().ok()
            }
            _ => None,
        };
        let Some(number) = number.filter(|number| kind.has(*number)) else { return Err(self.refuse(&kind)) };
        // It fits: that was the question.
        match (kind.is_signed, kind.bytes) {
            (false, 1) => serializer.serialize_u8(number as u8),
            (false, 2) => serializer.serialize_u16(number as u16),
            (false, 4) => serializer.serialize_u32(number as u32),
            (false, 8) => serializer.serialize_u64(number as u64),
            (false, _) => serializer.serialize_u128(number.unsigned_abs()),
            (true, 1) => serializer.serialize_i8(number as i8),
            (true, 2) => serializer.serialize_i16(number as i16),
            (true, 4) => serializer.serialize_i32(number as i32),
            (true, 8) => serializer.serialize_i64(number as i64),
            (true, _) => serializer.serialize_i128(number),
        }
    }

    fn float<S: Serializer>(self, is_single: bool, serializer: S) -> Result<S::Ok, S::Error> {
        let number = match self.value {
            Value::Number(number) => number.as_f64(),
            Value::String(word) => match &**word {
                "NaN" => Some(f64::NAN),
                "inf" => Some(f64::INFINITY),
                "-inf" => Some(f64::NEG_INFINITY),
                _ => None,
            },
            _ => None,
        };
        let Some(number) = number else { return Err(self.refuse(&"a number")) };
        if is_single { serializer.serialize_f32(number as f32) } else { serializer.serialize_f64(number) }
    }

    fn network<S: Serializer>(self, kind: Network, serializer: S) -> Result<S::Ok, S::Error> {
        fn parsed<T: FromStr + Serialize, S: Serializer>(
            given: Given<'_>,
            kind: Network,
            serializer: S,
        ) -> Result<S::Ok, S::Error> {
            let parsed = given.value.as_str().and_then(|text| text.parse::<T>().ok());
            parsed.ok_or_else(|| given.refuse(&kind))?.serialize(serializer)
        }
        match kind {
            Network::Ip => parsed::<IpAddr, S>(self, kind, serializer),
            Network::Ipv4 => parsed::<Ipv4Addr, S>(self, kind, serializer),
            Network::Ipv6 => parsed::<Ipv6Addr, S>(self, kind, serializer),
            Network::Socket => parsed::<SocketAddr, S>(self, kind, serializer),
            Network::SocketV4 => parsed::<SocketAddrV4, S>(self, kind, serializer),
            Network::SocketV6 => parsed::<SocketAddrV6, S>(self, kind, serializer),
        }
    }

    /// Writes text as its bytes, or a list of numbers.
    fn bytes<S: Serializer>(self, serializer: S) -> Result<S::Ok, S::Error> {
        if let Value::String(text) = self.value {
            return serializer.serialize_bytes(text.as_bytes());
        }
        let Value::Array(list) = self.value else { return Err(self.refuse(&"text or a list of bytes")) };
        let mut bytes = Vec::with_capacity(list.len());
        for (at, value) in list.iter().enumerate() {
            let Some(byte) = value.as_u64().and_then(|byte| u8::try_from(byte).ok()) else {
                let _ = write!(self.course.path.borrow_mut(), "[{at}]");
                return Err(self.course.fail(&format!("expected u8, found {}", shown(value))));
            };
            bytes.push(byte);
        }
        serializer.serialize_bytes(&bytes)
    }

    fn many<S: Serializer>(self, of: &Form, serializer: S) -> Result<S::Ok, S::Error> {
        let list = self.list(None)?;
        let mut written = serializer.serialize_seq(Some(list.len()))?;
        for (at, value) in list.iter().enumerate() {
            let given = Given { form: of, value, ..self };
            written.serialize_element(&given.at(Step::Element(at)))?;
        }
        written.end()
    }

    /// Writes an object, or a list of pairs: keys that are no text are pairs.
    fn map<S: Serializer>(self, key: &Form, of: &Form, serializer: S) -> Result<S::Ok, S::Error> {
        if let Value::Object(object) = self.value
            && key.is_key()
        {
            let mut map = serializer.serialize_map(Some(object.len()))?;
            for (name, value) in object {
                // A number is text where it is a key.
                let name_value = match key {
                    Form::Integer(Integer { bytes, .. }) if *bytes < 16 => {
                        serde_json::from_str(name).unwrap_or_else(|_| Value::String(name.clone()))
                    }
                    Form::Bool if name == "true" || name == "false" => Value::Bool(name == "true"),
                    _ => Value::String(name.clone()),
                };
                let given = Given { form: key, value: &name_value, ..self };
                map.serialize_key(&given.at(Step::Key(name)))?;
                let given = Given { form: of, value, ..self };
                map.serialize_value(&given.at(Step::Key(name)))?;
            }
            return map.end();
        }
        let list = self.list(None)?;
        let mut map = serializer.serialize_map(Some(list.len()))?;
        for (at, pair) in list.iter().enumerate() {
            let Some([name, value]) = pair.as_array().and_then(|pair| <&[Value; 2]>::try_from(&**pair).ok())
            else {
                let _ = write!(self.course.path.borrow_mut(), "[{at}]");
                return Err(self.course.fail(&format!("expected a key and a value, found {}", shown(pair))));
            };
            map.serialize_key(&Given { form: key, value: name, ..self }.at(Step::Element(at)))?;
            map.serialize_value(&Given { form: of, value, ..self }.at(Step::Element(at)))?;
        }
        map.end()
    }

    fn structure<S: Serializer>(self, body: &Body, serializer: S) -> Result<S::Ok, S::Error> {
        match body {
            Body::Unit if self.value.is_null() => serializer.serialize_unit_struct(NAME),
            Body::Unit => Err(self.refuse(&"null")),
            Body::Tuple(forms) if forms.len() == 1 => {
                let given = Given { form: &forms[0], ..self };
                serializer.serialize_newtype_struct(NAME, &given.at(Step::Same))
            }
            Body::Tuple(forms) => {
                let list = self.list(Some(forms.len()))?;
                let mut tuple = serializer.serialize_tuple_struct(NAME, forms.len())?;
                for (at, (form, value)) in forms.iter().zip(list).enumerate() {
                    let given = Given { form, value, ..self };
                    tuple.serialize_field(&given.at(Step::Element(at)))?;
                }
                tuple.end()
            }
            Body::Record(fields) => {
                let object = self.object(fields)?;
                let mut record = serializer.serialize_struct(NAME, fields.len())?;
                for (name, form) in fields {
                    let value = field(object, name, form, self.course)?;
                    let given = Given { form, value, ..self };
                    record.serialize_field(NAME, &given.at(Step::Field(name)))?;
                }
                record.end()
            }
        }
    }

    /// Writes a variant: its name, or an object with its name and what it holds.
    fn enumeration<S: Serializer>(
        self,
        variants: &'a [(String, Body)],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let (name, held) = match self.value {
            Value::String(name) => (name, None),
            Value::Object(object) if object.len() == 1 => match object.iter().next() {
                Some((name, held)) => (name, Some(held)),
                None => return Err(self.refuse(&names(variants))),
            },
            _ => return Err(self.refuse(&names(variants))),
        };
        let Some(index) = variants.iter().position(|(known, _)| known == name) else {
            return Err(self.refuse(&names(variants)));
        };
        let (name, body) = &variants[index];
        // A schema has fewer than that.
        let number = u32::try_from(index).unwrap_or(u32::MAX);
        let held = match (body, held) {
            (Body::Unit, None | Some(Value::Null)) => {
                return serializer.serialize_unit_variant(NAME, number, NAME);
            }
            (_, Some(held)) => held,
            (_, None) => return Err(self.refuse(&format!("{{\"{name}\": …}} with what it holds"))),
        };
        let inner = Given { value: held, ..self };
        let before = self.course.path.borrow().len();
        let _ = write!(self.course.path.borrow_mut(), ".{name}");
        let written = inner.variant(number, body, serializer)?;
        self.course.path.borrow_mut().truncate(before);
        Ok(written)
    }

    fn variant<S: Serializer>(self, number: u32, body: &'a Body, serializer: S) -> Result<S::Ok, S::Error> {
        match body {
            Body::Unit => Err(self.refuse(&"null")),
            Body::Tuple(forms) if forms.len() == 1 => {
                let given = self.with(&forms[0], self.value);
                serializer.serialize_newtype_variant(NAME, number, NAME, &given.at(Step::Same))
            }
            Body::Tuple(forms) => {
                let list = self.list(Some(forms.len()))?;
                let mut tuple = serializer.serialize_tuple_variant(NAME, number, NAME, forms.len())?;
                self.elements(forms, list).try_for_each(|element| tuple.serialize_field(&element))?;
                tuple.end()
            }
            Body::Record(fields) => {
                let object = self.object(fields)?;
                let mut record = serializer.serialize_struct_variant(NAME, number, NAME, fields.len())?;
                for named in fields {
                    record.serialize_field(NAME, &self.field(object, named)?)?;
                }
                record.end()
            }
        }
    }
}

impl Serialize for Given<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.form {
            Form::Unit if self.value.is_null() => serializer.serialize_unit(),
            Form::Unit => Err(self.refuse(&"null")),
            Form::Bool => {
                serializer.serialize_bool(self.value.as_bool().ok_or_else(|| self.refuse(&"true or false"))?)
            }
            Form::Char => {
                let mut letters = self.value.as_str().unwrap_or_default().chars();
                match (letters.next(), letters.next()) {
                    (Some(letter), None) => serializer.serialize_char(letter),
                    _ => Err(self.refuse(&"one letter")),
                }
            }
            Form::Text => serializer.serialize_str(self.value.as_str().ok_or_else(|| self.refuse(&"text"))?),
            Form::Bytes => self.bytes(serializer),
            Form::Integer(kind) => self.integer(*kind, serializer),
            Form::Float { is_single } => self.float(*is_single, serializer),
            Form::Network(kind) => self.network(*kind, serializer),
            Form::Option(_) if self.value.is_null() => serializer.serialize_none(),
            Form::Option(of) => serializer.serialize_some(&Given { form: of, ..*self }.at(Step::Same)),
            Form::Many(of) if is_byte(of) => self.bytes(serializer),
            Form::Many(of) => self.many(of, serializer),
            Form::Array(of, count) => {
                let list = self.list(Some(*count))?;
                let mut tuple = serializer.serialize_tuple(*count)?;
                for (at, value) in list.iter().enumerate() {
                    tuple.serialize_element(&self.with(of, value).at(Step::Element(at)))?;
                }
                tuple.end()
            }
            Form::Tuple(forms) => {
                let list = self.list(Some(forms.len()))?;
                let mut tuple = serializer.serialize_tuple(forms.len())?;
                self.elements(forms, list).try_for_each(|element| tuple.serialize_element(&element))?;
                tuple.end()
            }
            Form::Map(of) => self.map(&of.0, &of.1, serializer),
            Form::Type(index) => match &self.method.named(*index).what {
                What::Struct(body) => self.structure(body, serializer),
                What::Enum(variants) => self.enumeration(variants, serializer),
            },
            Form::Opaque(name) => {
                Err(self.course.fail(&format!("`{}` is nothing that can be written as JSON", cut(name))))
            }
        }
    }
}

impl Serialize for Within<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let course = self.given.course;
        let before = course.path.borrow().len();
        {
            let mut path = course.path.borrow_mut();
            // Text takes anything.
            let _ = match self.step {
                Step::Field(name) => write!(path, ".{name}"),
                Step::Element(at) => write!(path, "[{at}]"),
                Step::Key(name) => write!(path, "[{}]", cut(&format!("{name:?}"))),
                Step::Same => Ok(()),
            };
        }
        let written = self.given.serialize(serializer)?;
        course.path.borrow_mut().truncate(before);
        Ok(written)
    }
}

/// Finds a field. One that may be missing is.
fn field<'a, E: serde::ser::Error>(
    object: &'a Map<String, Value>,
    name: &str,
    form: &Form,
    course: &Course,
) -> Result<&'a Value, E> {
    match (object.get(name), form) {
        (Some(value), _) => Ok(value),
        (None, Form::Option(_)) => Ok(&Value::Null),
        (None, _) => Err(course.fail(&format!("`{name}` is missing"))),
    }
}

/// Refuses an object with a field that nobody would read.
fn known_only<E: serde::ser::Error>(
    object: &Map<String, Value>,
    fields: &[(String, Form)],
    what: &str,
    course: &Course,
) -> Result<(), E> {
    let is_known = |name: &String| fields.iter().any(|(known, _)| known == name);
    let Some(unknown) = object.keys().find(|name| !is_known(name)) else { return Ok(()) };
    let known: Vec<_> = fields.iter().map(|(name, _)| format!("`{name}`")).collect();
    let those =
        if known.is_empty() { "there are none".to_owned() } else { format!("there is {}", known.join(", ")) };
    Err(course.fail(&format!("no {what} is called {}; {those}", cut(&format!("{unknown:?}")))))
}

fn names(variants: &[(String, Body)]) -> String {
    let all: Vec<_> = variants.iter().map(|(name, _)| format!("\"{name}\"")).collect();
    shortened(&format!("one of {}", all.join(", ")), LISTED_MAX)
}

pub(super) fn is_byte(form: &Form) -> bool {
    matches!(form, Form::Integer(Integer { bytes: 1, is_signed: false, is_nonzero: false }))
}

/// Says what was found, briefly.
fn shown(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => cut(&format!("{text:?}")),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "an object".to_owned(),
    }
}

fn cut(text: &str) -> String {
    shortened(text, SHOWN_MAX)
}

fn shortened(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}
