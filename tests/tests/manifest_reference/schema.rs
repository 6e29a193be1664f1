//! The manifest as a JSON Schema, made of what the parser takes and what `keys.rs` says of it.
//!
//! Draft 7, of which editors of TOML know all that is used here. It takes whatever the parser takes; what one key says of
//! another, and whether a name is anybody's, is left to `bailiwick check`.

use serde_json::{Map, Value, json};

use crate::keys::{Key, REQUIRED, SECTIONS, Section};
use crate::parser;

/// What a worker, group, actor or trust domain may be called.
const NAME: &str = "^[A-Za-z][A-Za-z0-9_-]{0,62}$";
const TIME: &str = r"^(infinity|(\d+\.?\d*|\.\d+)(us|ms|s|m|min|h|d))$";
const RATE: &str = r"^\d+/((\d+\.?\d*|\.\d+)?(us|ms|s|m|min|h|d))$";
const SIZE: &str = r"^\d+[KMGT]?$";
const SIZE_OR_ALL: &str = r"^(infinity|\d+[KMGT]?)$";

/// Returns the schema.
pub(crate) fn schema() -> Value {
    let definitions: Map<String, Value> =
        SECTIONS.iter().map(|section| (section.table.to_owned(), definition(section))).collect();
    let top = SECTIONS.iter().filter_map(|section| {
        let place = parts(section);
        let key = place.first()?.to_string();
        match &place[1..] {
            [] if section.title.starts_with("[[") => Some((key, list_of(section))),
            [] => Some((key, reference(section))),
            ["NAME"] => Some((key, named(section))),
            _ => None,
        }
    });
    json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "A manifest of Bailiwick",
        "description": "Which processes there are, what each may do, and who may send what to whom.",
        "type": "object",
        "properties": top.collect::<Map<_, _>>(),
        "required": ["worker"],
        "additionalProperties": false,
        "definitions": definitions,
    })
}

/// Returns the parts of a section's title, as `worker`, `NAME`, `backoff`.
fn parts(section: &Section) -> Vec<&'static str> {
    section.title.trim_matches(['[', ']']).split('.').collect()
}

fn reference(section: &Section) -> Value {
    json!({ "$ref": format!("#/definitions/{}", section.table) })
}

fn named(section: &Section) -> Value {
    json!({
        "description": plain(section.what),
        "type": "object",
        "propertyNames": { "pattern": NAME },
        "additionalProperties": reference(section),
    })
}

fn list_of(section: &Section) -> Value {
    json!({ "description": plain(section.what), "type": "array", "items": reference(section) })
}

fn definition(section: &Section) -> Value {
    let properties: Map<String, Value> =
        section.keys.iter().map(|key| (key.0.to_owned(), property(section, key))).collect();
    let required: Vec<&str> =
        section.keys.iter().filter(|(_, default, ..)| *default == REQUIRED).map(|key| key.0).collect();
    let mut definition = json!({
        "description": plain(section.what),
        "type": "object",
        "properties": properties,
        "additionalProperties": false,
    });
    if section.table == "Worker" {
        // The one program or the other.
        definition["oneOf"] = json!([{ "required": ["exec"] }, { "required": ["command"] }]);
    } else if !required.is_empty() {
        definition["required"] = json!(required);
    }
    definition
}

/// Returns what may stand behind a key, with what there is to say of it.
fn property(section: &Section, (key, default, example, meaning): &Key) -> Value {
    let inner = SECTIONS.iter().find(|inner| is_inside(inner, section, key));
    let kind = parser::kind(section.head, key);
    let mut property = match (inner, kind.as_str()) {
        (Some(inner), "tables") => named(inner),
        // Beside a reference nothing else is read.
        (Some(inner), _) => json!({ "allOf": [reference(inner)] }),
        (None, "table") => json!({ "type": "object", "additionalProperties": { "type": "string" } }),
        (None, kind) => value(section.head, key, kind),
    };
    let value = default.strip_prefix('`').and_then(|rest| rest.strip_suffix('`')).and_then(read);
    let mut description = plain(meaning);
    match value {
        Some(value) => property["default"] = value,
        None if *default == REQUIRED => {}
        None => description.push_str(&format!("\n\nDefault: {}.", plain(default))),
    }
    property["description"] = description.into();
    property["examples"] = json!([read(example).expect("an example is TOML")]);
    property
}

/// Tells whether a section is the table behind a key of another: its own, or one that it shares.
fn is_inside(inner: &Section, section: &Section, key: &str) -> bool {
    let (inner, mut place) = (parts(inner), parts(section));
    place.push(key);
    let is_shared = key == "backoff" && inner.last() == Some(&key);
    let of_names = inner.strip_suffix(&["NAME"]).unwrap_or(&inner);
    is_shared || (place.len() > 1 && (of_names == place || inner == place))
}

/// Returns the schema of a type in words.
fn value(head: &str, key: &str, kind: &str) -> Value {
    if let Some(element) = kind.strip_prefix("list of ") {
        let element =
            element.replace("texts", "text").replace("paths", "path").replace("numbers ", "number ");
        return json!({ "type": "array", "items": value(head, key, &element), "maxItems": 1024 });
    }
    let (name, limits) = kind.split_once(", ").unwrap_or((kind, ""));
    match name {
        _ if kind.starts_with('"') && !kind.contains(" or ") => json!({ "enum": words(kind) }),
        "true or false" => json!({ "type": "boolean" }),
        "true" | "\"none\" or a list of families" => alternatives(kind),
        "text" if limits.starts_with("a letter") => json!({ "type": "string", "pattern": NAME }),
        "text" | "path" | "the name of an error" => json!({ "type": "string" }),
        "time" | "time above zero" => json!({ "type": "string", "pattern": TIME }),
        "rate" => json!({ "type": "string", "pattern": RATE }),
        "share such as \"50%\"" => json!({ "type": "string", "pattern": r"^\d+%$" }),
        "mask such as \"0077\"" => json!({ "type": "string", "pattern": "^[0-7]{3,4}$" }),
        "size" => {
            let all = parser::expected(head, key, "\"infinity\"").is_none();
            let text = json!({ "type": "string", "pattern": if all { SIZE_OR_ALL } else { SIZE } });
            json!({ "anyOf": [text, { "type": "integer", "minimum": 0 }] })
        }
        "name or number" => json!({ "type": ["string", "integer"] }),
        "two numbers" => {
            json!({ "type": "array", "items": { "type": "integer" }, "minItems": 2, "maxItems": 2 })
        }
        "any value" => json!({}),
        _ if name.starts_with("number") => number(head, key, kind),
        _ => panic!("{key}: say in this function how {kind:?} is written in a schema"),
    }
}

fn number(head: &str, key: &str, kind: &str) -> Value {
    let is_fraction = ["0.5", "1.5"].iter().any(|value| parser::expected(head, key, value).is_none());
    let mut number = json!({ "type": if is_fraction { "number" } else { "integer" } });
    let limits = kind.trim_start_matches("number").trim_start_matches([',', ' ']);
    let limits = limits.trim_start_matches("from ").split_once(" to ");
    if let Some((least, most)) = limits {
        number["minimum"] = read(least).expect("a limit is a number");
        number["maximum"] = read(most).expect("a limit is a number");
    }
    number
}

/// Returns the schema of `true, false or …` and of `"none" or …`.
fn alternatives(kind: &str) -> Value {
    let mut all = Vec::new();
    if kind.starts_with("true") {
        all.push(json!({ "type": "boolean" }));
    }
    if kind.contains('"') {
        all.push(json!({ "enum": words(kind) }));
    }
    if kind.contains("a list of") {
        all.push(json!({ "type": "array", "items": { "type": "string" } }));
    }
    json!({ "anyOf": all })
}

/// Returns what stands in quotes.
fn words(kind: &str) -> Vec<&str> {
    kind.split('"').skip(1).step_by(2).collect()
}

/// Reads one value of TOML.
fn read(value: &str) -> Option<Value> {
    let table: toml::Table = format!("it = {value}").parse().ok()?;
    serde_json::to_value(table.get("it")?).ok()
}

/// Returns a text whose links, which lead to pages of the book, are words.
fn plain(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("](") {
        let Some((_, behind)) = after.split_once(')') else { break };
        let open = before.rfind('[').unwrap_or(before.len());
        plain.push_str(&before[..open]);
        plain.push_str(before.get(open + 1..).unwrap_or_default());
        rest = behind;
    }
    plain + rest
}
