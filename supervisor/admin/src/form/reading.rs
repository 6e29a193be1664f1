//! Reading the text of a schema: one line for the method, and one for each type, as `bailiwick_wire::schema` writes them.

use std::collections::HashMap;

use super::{Body, Form, Integer, Method, Network, SHAPE_BYTES_MAX, Type, Unreadable, What};

/// The most types that a schema defines, with those of the standard library that it names.
const TYPES_MAX: usize = 1024;
/// How many types may stand inside one another where one is named.
const NESTED_MAX: usize = 64;
/// The longest name of a field, a variant or an argument: an answer of many values repeats them.
const NAME_MAX: usize = 256;

type Read<T> = Result<T, Unreadable>;

pub(super) fn method(shape: &str) -> Read<Method> {
    if shape.len() > SHAPE_BYTES_MAX {
        return Err(unreadable(&format!("{} bytes of it, at most {SHAPE_BYTES_MAX}", shape.len())));
    }
    let mut lines = shape.lines();
    let head = lines.next().unwrap_or_default();
    let mut reader = Reader::default();
    let definitions = reader.announce(lines)?;
    for (at, body) in definitions {
        let what = reader.definition(body)?;
        reader.types[at].what = what;
    }
    let (name, rest) = head.split_once('(').ok_or_else(|| unreadable(head))?;
    let (arguments, answer) = closing(rest, ')').ok_or_else(|| unreadable(head))?;
    let answer = answer.strip_prefix(" -> ").ok_or_else(|| unreadable(head))?;
    let (reply, is_stream) = match answer.strip_prefix("stream ") {
        Some(reply) => (reply, true),
        None => (answer, false),
    };
    let name = name_of(name)?;
    let arguments = reader.fields(arguments)?;
    let reply = reader.form(reply, 0)?;
    Ok(Method { name, arguments, reply, is_stream, types: reader.types })
}

#[derive(Default)]
struct Reader<'a> {
    types: Vec<Type>,
    places: HashMap<&'a str, usize>,
}

/// What is read of a definition later, once all names are known.
enum Later<'a> {
    Struct(&'a str),
    Enum(&'a str),
}

impl<'a> Reader<'a> {
    /// Notes the names of all types, so that they may name each other.
    fn announce(&mut self, lines: impl Iterator<Item = &'a str>) -> Read<Vec<(usize, Later<'a>)>> {
        let mut definitions = Vec::new();
        for line in lines {
            let (kind, rest) = line.split_once(' ').ok_or_else(|| unreadable(line))?;
            let (name, body) = rest.split_at(name_end(rest));
            let later = match kind {
                "struct" => Later::Struct(body),
                "enum" => Later::Enum(body),
                _ => return Err(unreadable(line)),
            };
            let at = self.add(name, What::Struct(Body::Unit))?;
            if self.places.insert(name, at).is_some() {
                return Err(unreadable(line));
            }
            definitions.push((at, later));
        }
        Ok(definitions)
    }

    fn add(&mut self, name: &str, what: What) -> Read<usize> {
        if self.types.len() >= TYPES_MAX {
            return Err(unreadable("too many types"));
        }
        self.types.push(Type { name: name.to_owned(), what });
        Ok(self.types.len() - 1)
    }

    fn definition(&mut self, body: Later<'a>) -> Read<What> {
        match body {
            Later::Struct(body) => self.body(body).map(What::Struct),
            Later::Enum(body) => {
                let inner = body.strip_prefix(" {").and_then(|body| body.strip_suffix('}'));
                let inner = inner.ok_or_else(|| unreadable(body))?.trim();
                let variants = parts(inner).into_iter().map(|variant| {
                    let (name, body) = variant.split_at(name_end(variant));
                    Ok((name_of(name)?, self.body(body)?))
                });
                variants.collect::<Read<_>>().map(What::Enum)
            }
        }
    }

    fn body(&mut self, text: &str) -> Read<Body> {
        if text.is_empty() {
            return Ok(Body::Unit);
        }
        if let Some(fields) = text.strip_prefix(" {").and_then(|text| text.strip_suffix('}')) {
            return self.fields(fields.trim()).map(Body::Record);
        }
        let forms = text.strip_prefix('(').and_then(|text| text.strip_suffix(')'));
        self.forms(forms.ok_or_else(|| unreadable(text))?, 0).map(Body::Tuple)
    }

    /// Reads `name: type, name: type`.
    fn fields(&mut self, text: &str) -> Read<Vec<(String, Form)>> {
        let fields = parts(text).into_iter().map(|field| {
            let (name, form) = field.split_once(": ").ok_or_else(|| unreadable(field))?;
            Ok((name_of(name)?, self.form(form, 0)?))
        });
        fields.collect()
    }

    fn forms(&mut self, text: &str, nested: usize) -> Read<Vec<Form>> {
        parts(text).into_iter().map(|form| self.form(form, nested)).collect()
    }

    fn form(&mut self, text: &str, nested: usize) -> Read<Form> {
        if nested > NESTED_MAX || text.is_empty() {
            return Err(unreadable("types inside types inside types, or none"));
        }
        if let Some(at) = self.places.get(text) {
            return Ok(Form::Type(*at));
        }
        if let Some(form) = plain(text) {
            return Ok(form);
        }
        if let Some(inner) = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')) {
            let Some((of, count)) = inner.rsplit_once("; ") else {
                return Ok(Form::Many(Box::new(self.form(inner, nested + 1)?)));
            };
            // The text of a nested array has a `;` too, but not behind its own bracket.
            return match count.parse() {
                Ok(count) => Ok(Form::Array(Box::new(self.form(of, nested + 1)?), count)),
                Err(_) => Ok(Form::Many(Box::new(self.form(inner, nested + 1)?))),
            };
        }
        if let Some(inner) = text.strip_prefix('(').and_then(|text| text.strip_suffix(')')) {
            return self.forms(inner, nested + 1).map(Form::Tuple);
        }
        let Some((name, inner)) = text.strip_suffix('>').and_then(|text| text.split_once('<')) else {
            return self.standard(text, Vec::new());
        };
        let forms = if matches!(name, "Fd" | "Ref") { Vec::new() } else { self.forms(inner, nested + 1)? };
        match (name, <[Form; 1]>::try_from(forms)) {
            ("Option", Ok([of])) => Ok(Form::Option(Box::new(of))),
            ("Set" | "Heap", Ok([of])) => Ok(Form::Many(Box::new(of))),
            ("NonZero", Ok([Form::Integer(integer)])) => {
                Ok(Form::Integer(Integer { is_nonzero: true, ..integer }))
            }
            (_, Ok([of])) => self.standard(text, vec![of]),
            (_, Err(forms)) => self.standard(text, forms),
        }
    }

    /// Reads a type of the standard library that serde writes as a struct or an enum.
    fn standard(&mut self, text: &str, of: Vec<Form>) -> Read<Form> {
        let (u64, u32) = (unsigned(8), unsigned(4));
        let record = |names: [&str; 2], forms: [Form; 2]| {
            let fields = names.into_iter().map(ToOwned::to_owned).zip(forms);
            What::Struct(Body::Record(fields.collect()))
        };
        let one = |name: &str, form| (name.to_owned(), Body::Tuple(vec![form]));
        let what = match (text.split('<').next().unwrap_or_default(), &of[..]) {
            ("Map", [key, value]) => return Ok(Form::Map(Box::new((key.clone(), value.clone())))),
            ("Duration", []) => record(["secs", "nanos"], [u64, u32]),
            ("SystemTime", []) => record(["secs_since_epoch", "nanos_since_epoch"], [u64, u32]),
            ("Range" | "RangeInclusive", [start, end]) => {
                record(["start", "end"], [start.clone(), end.clone()])
            }
            ("Result", [fine, failed]) => {
                What::Enum(vec![one("Ok", fine.clone()), one("Err", failed.clone())])
            }
            ("Bound", [of]) => What::Enum(vec![
                ("Unbounded".to_owned(), Body::Unit),
                one("Included", of.clone()),
                one("Excluded", of.clone()),
            ]),
            _ => return Ok(Form::Opaque(text.to_owned())),
        };
        if let Some(at) = self.types.iter().position(|known| known.name == text && known.what == what) {
            return Ok(Form::Type(at));
        }
        self.add(text, what).map(Form::Type)
    }
}

fn plain(text: &str) -> Option<Form> {
    let integer = |digits: &str, is_signed| {
        let bytes = match digits {
            "8" => 1,
            "16" => 2,
            "32" => 4,
            "64" => 8,
            "128" => 16,
            _ => return None,
        };
        Some(Form::Integer(Integer { bytes, is_signed, is_nonzero: false }))
    };
    Some(match text {
        "()" => Form::Unit,
        "bool" => Form::Bool,
        "char" => Form::Char,
        "str" | "path" | "relative path" => Form::Text,
        "CString" => Form::Bytes,
        "f32" => Form::Float { is_single: true },
        "f64" => Form::Float { is_single: false },
        "IpAddr" => Form::Network(Network::Ip),
        "Ipv4Addr" => Form::Network(Network::Ipv4),
        "Ipv6Addr" => Form::Network(Network::Ipv6),
        "SocketAddr" => Form::Network(Network::Socket),
        "SocketAddrV4" => Form::Network(Network::SocketV4),
        "SocketAddrV6" => Form::Network(Network::SocketV6),
        _ => match text.split_at_checked(1)? {
            ("u", digits) => return integer(digits, false),
            ("i", digits) => return integer(digits, true),
            _ => return None,
        },
    })
}

fn unsigned(bytes: u8) -> Form {
    Form::Integer(Integer { bytes, is_signed: false, is_nonzero: false })
}

/// Splits a list at the commas that stand in no bracket.
fn parts(text: &str) -> Vec<&str> {
    let (mut found, mut start, mut open) = (Vec::new(), 0, 0_usize);
    for (at, letter) in text.char_indices() {
        match letter {
            '(' | '[' | '<' | '{' => open += 1,
            ')' | ']' | '>' | '}' => open = open.saturating_sub(1),
            ',' if open == 0 => {
                found.push(text[start..at].trim());
                start = at + 1;
            }
            _ => {}
        }
    }
    if !text[start..].trim().is_empty() {
        found.push(text[start..].trim());
    }
    found
}

/// Splits behind an opened bracket, at the one that closes it.
fn closing(text: &str, bracket: char) -> Option<(&str, &str)> {
    let mut open = 0_usize;
    for (at, letter) in text.char_indices() {
        match letter {
            _ if letter == bracket && open == 0 => return Some((&text[..at], &text[at + 1..])),
            '(' | '[' | '<' | '{' => open += 1,
            ')' | ']' | '>' | '}' => open = open.checked_sub(1)?,
            _ => {}
        }
    }
    None
}

/// Returns where the name of a type or of a variant ends, and its body begins.
fn name_end(text: &str) -> usize {
    let mut open = 0_usize;
    for (at, letter) in text.char_indices() {
        match letter {
            '<' => open += 1,
            '>' => open = open.saturating_sub(1),
            '(' if open == 0 => return at,
            ' ' if open == 0 && text[at..].starts_with(" {") => return at,
            _ => {}
        }
    }
    text.len()
}

fn name_of(text: &str) -> Read<String> {
    let is_plain = |letter: char| letter.is_alphanumeric() || letter == '_';
    if text.is_empty() || text.len() > NAME_MAX || !text.chars().all(is_plain) {
        return Err(unreadable(text));
    }
    Ok(text.to_owned())
}

/// Shows what was not understood: a worker's word, so that it is cut and made plain.
fn unreadable(text: &str) -> Unreadable {
    let plain = |letter: char| if letter.is_ascii_graphic() || letter == ' ' { letter } else { '?' };
    Unreadable(text.chars().take(128).map(plain).collect())
}
