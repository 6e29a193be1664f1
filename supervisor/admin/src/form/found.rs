//! The bytes of an answer become JSON, by what the schema says of them.
//!
//! Nothing is made of them but the text that somebody reads, and of that only so much: a few bytes of an answer may stand for a
//! great many values that take none.

use std::cell::{Cell, RefCell};
use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddrV4, SocketAddrV6};

use bailiwick_wire::Limits;
use serde::ser::{Error, Serialize, SerializeMap, SerializeSeq, Serializer};

use super::given::is_byte;
use super::{Body, Form, Integer, Method, Network, What};

/// The longest text that is made of one answer.
const TEXT_BYTES_MAX: usize = 4 << 20;
/// How many values may lie inside one another, with the plain ones and those that are in nothing but a name.
const DEPTH_MAX: u16 = Limits::MAX_DEPTH;

/// Returns the JSON of an answer, on one line.
///
/// # Errors
/// What of it is not as the schema says, and where.
pub(crate) fn json(method: &Method, bytes: &[u8]) -> Result<String, String> {
    let course = Course { bytes, at: Cell::new(0), depth: Cell::new(0), failed: RefCell::default() };
    let found = Found { method, form: &method.reply, course: &course };
    let mut text = Bounded(Vec::new());
    let written = serde_json::to_writer(&mut text, &found);
    let at = course.at.get();
    match (course.failed.take(), written) {
        (Some(failed), _) => Err(format!("byte {at} of {}: {failed}", bytes.len())),
        (None, Err(_)) => Err(format!("its text would be longer than {TEXT_BYTES_MAX} bytes")),
        (None, Ok(())) if at < bytes.len() => Err(format!("{} bytes are left over", bytes.len() - at)),
        (None, Ok(())) => Ok(String::from_utf8(text.0).expect("JSON is text")),
    }
}

/// Text that grows so far and no further.
struct Bounded(Vec<u8>);

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() + bytes.len() > TEXT_BYTES_MAX {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The bytes, how far they are read, and the first thing that was wrong with them.
struct Course<'a> {
    bytes: &'a [u8],
    at: Cell<usize>,
    depth: Cell<u16>,
    failed: RefCell<Option<String>>,
}

/// A value that is about to be read.
#[derive(Clone, Copy)]
struct Found<'a> {
    method: &'a Method,
    form: &'a Form,
    course: &'a Course<'a>,
}

/// The variant of an enum that holds something, as an object with one name.
struct Held<'a> {
    found: Found<'a>,
    body: &'a Body,
}

impl<'a> Course<'a> {
    fn fail<E: Error>(&self, what: &str) -> E {
        self.failed.borrow_mut().get_or_insert_with(|| what.to_owned());
        E::custom("it is not what the schema says")
    }

    fn rest(&self) -> &'a [u8] {
        &self.bytes[self.at.get()..]
    }

    fn take<E: Error>(&self, count: usize) -> Result<&'a [u8], E> {
        let rest = self.rest();
        let Some(taken) = rest.get(..count) else {
            return Err(self.fail(&format!("expected {count} bytes, there are {}", rest.len())));
        };
        self.at.set(self.at.get() + count);
        Ok(taken)
    }

    fn array<const N: usize, E: Error>(&self) -> Result<[u8; N], E> {
        self.take(N).map(|bytes| bytes.try_into().expect("as many were taken"))
    }

    fn length<E: Error>(&self) -> Result<usize, E> {
        let length = u64::from_le_bytes(self.array()?);
        usize::try_from(length).map_err(|_| self.fail(&format!("a length of {length}")))
    }

    fn bytes<E: Error>(&self) -> Result<&'a [u8], E> {
        let length = self.length()?;
        self.take(length)
    }

    fn text<E: Error>(&self) -> Result<&'a str, E> {
        str::from_utf8(self.bytes()?).map_err(|_| self.fail("text that is no UTF-8"))
    }

    fn bool<E: Error>(&self, what: &str) -> Result<bool, E> {
        match self.array::<1, E>()? {
            [0] => Ok(false),
            [1] => Ok(true),
            [other] => Err(self.fail(&format!("expected 0 or 1 for {what}, found {other}"))),
        }
    }

    fn letter<E: Error>(&self) -> Result<char, E> {
        let rest = self.rest();
        let found = (1..=4).find_map(|length| str::from_utf8(rest.get(..length)?).ok());
        let Some(letter) = found.and_then(|text| text.chars().next()) else {
            return Err(self.fail("expected a letter of UTF-8"));
        };
        self.at.set(self.at.get() + letter.len_utf8());
        Ok(letter)
    }

    /// Reads how many elements there are, of which each is at least a step of work.
    fn count<E: Error>(&self) -> Result<usize, E> {
        let count = self.length()?;
        if count > Limits::MAX_ELEMENTS as usize {
            return Err(self.fail(&format!("{count} elements, at most {}", Limits::MAX_ELEMENTS)));
        }
        Ok(count)
    }
}

impl<'a> Found<'a> {
    fn of(self, form: &'a Form) -> Self {
        Self { form, ..self }
    }

    fn integer<S: Serializer>(self, kind: Integer, serializer: S) -> Result<S::Ok, S::Error> {
        let mut wide = [0; 16];
        let bytes = self.course.take(usize::from(kind.bytes))?;
        wide[..bytes.len()].copy_from_slice(bytes);
        let is_negative = kind.is_signed && bytes.last().is_some_and(|byte| byte & 0x80 != 0);
        if is_negative {
            wide[bytes.len()..].fill(0xff);
        }
        if kind.is_nonzero && wide == [0; 16] {
            return Err(self.course.fail(&format!("expected {kind}, found 0")));
        }
        let unsigned = u128::from_le_bytes(wide);
        if is_negative {
            let signed = i128::from_le_bytes(wide);
            // What is too large for the numbers of other programs is text.
            return match i64::try_from(signed) {
                Ok(signed) => serializer.serialize_i64(signed),
                Err(_) => serializer.collect_str(&signed),
            };
        }
        match u64::try_from(unsigned) {
            Ok(unsigned) => serializer.serialize_u64(unsigned),
            Err(_) => serializer.collect_str(&unsigned),
        }
    }

    fn float<S: Serializer>(self, is_single: bool, serializer: S) -> Result<S::Ok, S::Error> {
        let (number, single) = match is_single {
            true => {
                let single = f32::from_le_bytes(self.course.array()?);
                (f64::from(single), single)
            }
            false => (f64::from_le_bytes(self.course.array()?), 0.0),
        };
        match (number.is_finite(), is_single) {
            (true, true) => serializer.serialize_f32(single),
            (true, false) => serializer.serialize_f64(number),
            (false, _) => serializer.collect_str(&number),
        }
    }

    fn network<S: Serializer>(self, kind: Network, serializer: S) -> Result<S::Ok, S::Error> {
        let course = self.course;
        let version = match kind {
            Network::Ip | Network::Socket => {
                let number = u32::from_le_bytes(course.array()?);
                match number {
                    0 => 4,
                    1 => 6,
                    _ => return Err(course.fail(&format!("expected 0 or 1 for an address, found {number}"))),
                }
            }
            Network::Ipv4 | Network::SocketV4 => 4,
            Network::Ipv6 | Network::SocketV6 => 6,
        };
        let ip = match version {
            4 => IpAddr::V4(Ipv4Addr::from(course.array::<4, _>()?)),
            _ => IpAddr::V6(Ipv6Addr::from(course.array::<16, _>()?)),
        };
        if matches!(kind, Network::Ip | Network::Ipv4 | Network::Ipv6) {
            return serializer.collect_str(&ip);
        }
        let port = u16::from_le_bytes(course.array()?);
        match ip {
            IpAddr::V4(ip) => serializer.collect_str(&SocketAddrV4::new(ip, port)),
            IpAddr::V6(ip) => serializer.collect_str(&SocketAddrV6::new(ip, port, 0, 0)),
        }
    }

    fn list<S: Serializer>(
        self,
        forms: impl ExactSizeIterator<Item = &'a Form>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(Some(forms.len()))?;
        for form in forms {
            list.serialize_element(&self.of(form))?;
        }
        list.end()
    }

    fn many<S: Serializer>(self, of: &'a Form, serializer: S) -> Result<S::Ok, S::Error> {
        if is_byte(of) {
            return serializer.collect_seq(self.course.bytes()?);
        }
        let count = self.course.count()?;
        self.list((0..count).map(|_| of), serializer)
    }

    fn map<S: Serializer>(self, key: &'a Form, of: &'a Form, serializer: S) -> Result<S::Ok, S::Error> {
        let count = self.course.count()?;
        if !key.is_key() {
            let mut list = serializer.serialize_seq(Some(count))?;
            for _ in 0..count {
                list.serialize_element(&(self.of(key), self.of(of)))?;
            }
            return list.end();
        }
        let mut map = serializer.serialize_map(Some(count))?;
        for _ in 0..count {
            map.serialize_key(&self.of(key))?;
            map.serialize_value(&self.of(of))?;
        }
        map.end()
    }

    fn structure<S: Serializer>(self, body: &'a Body, serializer: S) -> Result<S::Ok, S::Error> {
        match body {
            Body::Unit => serializer.serialize_unit(),
            Body::Tuple(forms) if forms.len() == 1 => self.of(&forms[0]).serialize(serializer),
            Body::Tuple(forms) => self.list(forms.iter(), serializer),
            Body::Record(fields) => {
                let mut map = serializer.serialize_map(Some(fields.len()))?;
                for (name, form) in fields {
                    map.serialize_entry(name, &self.of(form))?;
                }
                map.end()
            }
        }
    }

    fn enumeration<S: Serializer>(
        self,
        variants: &'a [(String, Body)],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let number = u32::from_le_bytes(self.course.array()?);
        let Some((name, body)) = usize::try_from(number).ok().and_then(|number| variants.get(number)) else {
            let most = variants.len();
            return Err(self.course.fail(&format!("expected one of {most} variants, found number {number}")));
        };
        if *body == Body::Unit {
            return serializer.serialize_str(name);
        }
        let mut map = serializer.serialize_map(Some(1))?;
        map.serialize_entry(name, &Held { found: self, body })?;
        map.end()
    }
}

impl Serialize for Held<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.found.structure(self.body, serializer)
    }
}

impl Serialize for Found<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let course = self.course;
        let depth = course.depth.get() + 1;
        if depth > DEPTH_MAX {
            return Err(course.fail(&format!("values inside values, at most {DEPTH_MAX}")));
        }
        course.depth.set(depth);
        let written = match self.form {
            Form::Unit => serializer.serialize_unit(),
            Form::Bool => serializer.serialize_bool(course.bool("true or false")?),
            Form::Char => serializer.serialize_char(course.letter()?),
            Form::Text => serializer.serialize_str(course.text()?),
            Form::Bytes => serializer.collect_seq(course.bytes()?),
            Form::Integer(kind) => self.integer(*kind, serializer),
            Form::Float { is_single } => self.float(*is_single, serializer),
            Form::Network(kind) => self.network(*kind, serializer),
            Form::Option(of) => match course.bool("an option")? {
                true => self.of(of).serialize(serializer),
                false => serializer.serialize_unit(),
            },
            Form::Many(of) => self.many(of, serializer),
            Form::Array(of, count) => self.list((0..*count).map(|_| &**of), serializer),
            Form::Tuple(forms) => self.list(forms.iter(), serializer),
            Form::Map(of) => self.map(&of.0, &of.1, serializer),
            Form::Type(index) => match &self.method.named(*index).what {
                What::Struct(body) => self.structure(body, serializer),
                What::Enum(variants) => self.enumeration(variants, serializer),
            },
            Form::Opaque(name) => Err(course.fail(&format!("`{name}` is nothing that can be read as JSON"))),
        };
        let written = written?;
        course.depth.set(depth - 1);
        Ok(written)
    }
}
