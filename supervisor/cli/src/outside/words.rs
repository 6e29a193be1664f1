//! What actors and their workers say, as a person may read it on a terminal.

use std::fmt::Write;

use bailiwick_supervisor::check::escape;
use serde::Deserialize;

/// An actor, as the document has it.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Actor {
    r#type: String,
    generation: u32,
    handled: u64,
    children: u32,
    waiting: u32,
    waiting_bytes: u64,
    in_line: u32,
    capacity: Option<u32>,
    protocols: Vec<Protocol>,
    state: String,
    words: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
struct Protocol {
    name: String,
    methods: Vec<String>,
}

/// Returns an actor in lines.
pub(super) fn table(name: &str, actor: &Actor) -> String {
    let capacity = actor.capacity.map_or_else(|| "any number".to_owned(), |capacity| capacity.to_string());
    let mut waiting = format!("{} of {capacity}, {} bytes", actor.waiting, actor.waiting_bytes);
    if actor.in_line > 0 {
        let _ = write!(waiting, "; {} more in line", actor.in_line);
    }
    let mut rows = vec![
        ("type", escape(&actor.r#type)),
        ("incarnation", actor.generation.to_string()),
        ("handled", actor.handled.to_string()),
        ("waiting", waiting),
    ];
    if actor.children > 0 {
        rows.push(("children", actor.children.to_string()));
    }
    for protocol in &actor.protocols {
        let methods = protocol.methods.join(", ");
        rows.push(("serves", format!("{}: {}", escape(&protocol.name), escape(&methods))));
    }
    let state = match (&*actor.state, &actor.words) {
        ("words", Some(_)) => "as it says:",
        ("busy", _) => "not told: it is busy with a message, or not there just now",
        _ => "not told: its type says nothing of it",
    };
    rows.push(("state", state.to_owned()));
    let mut text = format!("{}\n", escape(name));
    for (what, how) in rows {
        // Text takes anything.
        let _ = writeln!(text, "  {what:<12} {how}");
    }
    for line in actor.words.iter().flat_map(|words| words.lines()) {
        let _ = writeln!(text, "    {}", plain(line));
    }
    text
}

/// Writes what a terminal would obey as JSON writes it in text.
pub(super) fn plain(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for letter in json.chars() {
        let is_obeyed = letter != '\n' && letter.escape_debug().to_string().starts_with("\\u");
        match letter {
            '\r' | '\t' | '\0' => text.push_str(&format!("\\u{:04x}", u32::from(letter))),
            _ if is_obeyed => {
                for unit in letter.encode_utf16(&mut [0; 2]) {
                    let _ = write!(text, "\\u{unit:04x}");
                }
            }
            _ => text.push(letter),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_reply_is_obeyed_by_a_terminal() {
        assert_eq!(plain("{\n  \"é\": \"日本\"\n}"), "{\n  \"é\": \"日本\"\n}");
        assert_eq!(plain("a\u{1b}[31m\u{9b}\u{202e}\r\tb"), "a\\u001b[31m\\u009b\\u202e\\u000d\\u0009b");
        assert_eq!(plain("\u{e0001}"), "\\udb40\\udc01");
    }

    #[test]
    fn an_actor_is_told_in_lines() {
        let mut actor = Actor {
            r#type: "Cache".into(),
            generation: 2,
            handled: 1042,
            waiting: 3,
            waiting_bytes: 96,
            in_line: 1,
            capacity: Some(1024),
            children: 2,
            protocols: vec![Protocol { name: "Store".into(), methods: vec!["get".into(), "put".into()] }],
            state: "words".into(),
            words: Some("hits: 7\nlast: \u{1b}[2J".into()),
        };
        let expected = "store/cache
  type         Cache
  incarnation  2
  handled      1042
  waiting      3 of 1024, 96 bytes; 1 more in line
  children     2
  serves       Store: get, put
  state        as it says:
    hits: 7
    last: \\u001b[2J
";
        assert_eq!(table("store/cache", &actor), expected);
        (actor.state, actor.words, actor.capacity) = ("busy".into(), None, None);
        let text = table("store/cache", &actor);
        assert!(text.contains("3 of any number") && text.contains("not told: it is busy"), "{text}");
    }
}
