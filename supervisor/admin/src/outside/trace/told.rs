//! The lines of a trace: one document each.

use std::fmt::Write;

use bailiwick::AskError;
use bailiwick::control::Row;
use bailiwick::introspect::{Ending, Message, MessageEnd, MessageKind};
use serde::Serialize;

use super::{Order, Source};
use crate::json::{self, SCHEMA_VERSION};
use crate::survey::{cut, told};

/// One instance of a worker.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Instance {
    worker: String,
    instance: u16,
    #[serde(skip)]
    is_numbered: bool,
}

/// The first line.
#[derive(Serialize)]
struct Begun<'a> {
    schema_version: u32,
    event: &'static str,
    time: String,
    target: &'a str,
    /// How many messages are told at most, and for how long.
    count: u32,
    time_limit_s: f64,
    /// Those that are traced.
    workers: Vec<Traced<'a>>,
    /// Those that are not, and why.
    untraced: Vec<Untold>,
}

/// A worker that is traced.
#[derive(Serialize)]
struct Traced<'a> {
    #[serde(flatten)]
    instance: &'a Instance,
    actors: u32,
}

/// A worker that is not traced.
#[derive(Serialize)]
pub(super) struct Untold {
    #[serde(flatten)]
    instance: Instance,
    why: String,
}

/// A worker that broke off.
#[derive(Serialize)]
struct Broken<'a> {
    schema_version: u32,
    event: &'static str,
    time: String,
    #[serde(flatten)]
    instance: &'a Instance,
    why: String,
}

/// One message.
#[derive(Serialize)]
struct Line<'a> {
    schema_version: u32,
    event: &'static str,
    /// When the actor began with it.
    time: String,
    time_mono_ns: u64,
    #[serde(flatten)]
    instance: &'a Instance,
    actor: String,
    generation: u32,
    r#type: String,
    protocol: String,
    method: String,
    kind: &'static str,
    /// The worker that sent it; null if it is the actor's own.
    from: Option<String>,
    /// How many bytes came over the link; null if none was between.
    bytes: Option<u32>,
    /// Null if it was not measured.
    waited_s: Option<f64>,
    handled_s: f64,
    ended: &'static str,
    trace_id: Option<String>,
    /// How many before it are lost, of the same worker.
    lost: u64,
}

/// The last line.
#[derive(Serialize)]
struct Over {
    schema_version: u32,
    event: &'static str,
    time: String,
    /// `messages`, `time`, or `gone` if all workers broke off.
    why: &'static str,
    told: u64,
    lost: u64,
}

/// What came of a trace so far; what is in the log of it when it ends.
pub(super) struct Log {
    target: String,
    told: u64,
    lost: u64,
    /// Why workers ended.
    ended: Option<Ending>,
    over: Option<&'static str>,
}

impl Instance {
    pub(super) fn of(row: &Row) -> Self {
        Self { worker: row.name.clone(), instance: row.instance, is_numbered: row.numbered }
    }

    /// Returns how it is addressed.
    pub(super) fn name(&self) -> String {
        match self.is_numbered {
            true => format!("{}.{}", self.worker, self.instance),
            false => self.worker.clone(),
        }
    }
}

impl Untold {
    pub(super) fn of(instance: Instance, why: &str) -> Self {
        Self { instance, why: short(why) }
    }
}

/// Returns the first line.
pub(super) fn begun(target: &str, order: &Order, sources: &[Source], untraced: Vec<Untold>) -> String {
    json::line(&Begun {
        schema_version: SCHEMA_VERSION,
        event: "begun",
        time: json::time(json::now()),
        target,
        count: order.count,
        time_limit_s: order.time.as_secs_f64(),
        workers: sources
            .iter()
            .map(|Source { instance, actors, .. }| Traced { instance, actors: *actors })
            .collect(),
        untraced,
    })
}

/// Returns the line that says why a worker's messages are told no longer.
pub(super) fn broken(instance: &Instance, error: &AskError) -> String {
    let (schema_version, time, why) = (SCHEMA_VERSION, json::time(json::now()), told(error));
    json::line(&Broken { schema_version, event: "broken", time, instance, why })
}

impl Log {
    pub(super) fn of(target: String) -> Self {
        Self { target, told: 0, lost: 0, ended: None, over: None }
    }

    /// Returns the line of a message, of which no text of a worker's is taken for more than text.
    pub(super) fn message(&mut self, instance: &Instance, message: Message) -> String {
        self.told += 1;
        self.lost = self.lost.saturating_add(message.lost);
        let plain = |mut text: String| {
            cut(&mut text);
            text
        };
        json::line(&Line {
            schema_version: SCHEMA_VERSION,
            event: "message",
            time: json::time(message.wall),
            time_mono_ns: message.monotonic_ns,
            instance,
            actor: plain(message.path),
            generation: message.generation,
            r#type: plain(message.type_name),
            protocol: plain(message.protocol),
            method: plain(message.method),
            kind: kind(message.kind),
            from: message.from.map(plain),
            bytes: message.bytes,
            waited_s: message.waited.map(|waited| waited.as_secs_f64()),
            handled_s: message.handled.as_secs_f64(),
            ended: ended(message.end),
            trace_id: message.trace.map(|trace| hex(&trace)),
            lost: message.lost,
        })
    }

    /// Notes that one worker has ended in order.
    pub(super) fn ended(&mut self, why: Ending, lost: u64) {
        self.lost = self.lost.saturating_add(lost);
        // One that was told to the end leaves others that were not.
        if self.ended != Some(Ending::Time) {
            self.ended = Some(why);
        }
    }

    pub(super) fn is_over(&self) -> bool {
        self.over.is_some()
    }

    /// Returns the last line, after the last word of all workers.
    pub(super) fn over_by_all(&mut self) -> String {
        self.over(match self.ended {
            Some(Ending::Time) => "time",
            Some(Ending::Messages) => "messages",
            None => "gone",
        })
    }

    /// Returns the last line.
    pub(super) fn over(&mut self, why: &'static str) -> String {
        self.over = Some(why);
        let (schema_version, time) = (SCHEMA_VERSION, json::time(json::now()));
        let Self { told, lost, .. } = *self;
        json::line(&Over { schema_version, event: "over", time, why, told, lost })
    }
}

/// However it ends, the log says so.
impl Drop for Log {
    fn drop(&mut self) {
        let Self { target, told, lost, over, .. } = self;
        let why = over.unwrap_or("its reader is gone");
        eprintln!("<5>trace {target}: over: {why}; {told} messages told, {lost} lost");
    }
}

fn kind(kind: MessageKind) -> &'static str {
    match kind {
        MessageKind::Tell => "tell",
        MessageKind::Ask => "ask",
        MessageKind::Rendezvous => "rendezvous",
    }
}

fn ended(end: MessageEnd) -> &'static str {
    match end {
        MessageEnd::Handled => "handled",
        MessageEnd::Panicked => "panicked",
        MessageEnd::Cancelled => "cancelled",
        MessageEnd::Expired => "expired",
        MessageEnd::Stopped => "stopped",
        MessageEnd::Undecodable => "undecodable",
        MessageEnd::NotServed => "not_served",
        MessageEnd::CancelledBefore => "cancelled_before",
        MessageEnd::ExpiredBefore => "expired_before",
        MessageEnd::TurnedAway => "turned_away",
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Text takes anything.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Returns as much of a text as is told, some of which may be a worker's own words.
fn short(text: &str) -> String {
    let plain = |letter: char| if letter.is_ascii_graphic() || letter == ' ' { letter } else { '?' };
    text.chars().take(WORDS_MAX).map(plain).collect()
}

/// How many characters are told of why a worker is not traced.
const WORDS_MAX: usize = 300;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn instance() -> Instance {
        Instance { worker: "web".to_owned(), instance: 2, is_numbered: true }
    }

    fn message() -> Message {
        Message {
            lost: 41,
            monotonic_ns: 7,
            wall: Duration::from_millis(951_782_400_001),
            path: "front/job\n<3>forged".to_owned(),
            generation: 3,
            type_name: "Front".repeat(100),
            protocol: "Http".to_owned(),
            method: "request".to_owned(),
            kind: MessageKind::Ask,
            from: Some("store.1".to_owned()),
            bytes: Some(17),
            waited: None,
            handled: Duration::from_micros(1500),
            end: MessageEnd::ExpiredBefore,
            trace: Some([0xab; 16]),
        }
    }

    #[test]
    fn a_message_is_one_line_of_which_no_word_is_obeyed_or_long() {
        let mut log = Log::of("web/front".to_owned());
        let expected = concat!(
            r#"{"schema_version":1,"event":"message","time":"2000-02-29T00:00:00.001Z","time_mono_ns":7,"worker":"web","#,
            r#""instance":2,"actor":"front/job??3?forged","generation":3,"type":"TYPE","protocol":"Http","method":"request","#,
            r#""kind":"ask","from":"store.1","bytes":17,"waited_s":null,"handled_s":0.0015,"ended":"expired_before","#,
            r#""trace_id":"abababababababababababababababab","lost":41}"#,
            "\n"
        );
        let expected = expected.replace("TYPE", &"Front".repeat(100)[..128]);
        assert_eq!(log.message(&instance(), message()), expected);
        assert!(!log.is_over());
    }

    #[test]
    fn the_last_line_has_the_sums_and_why() {
        let of = |endings: &[Ending]| {
            let mut log = Log::of("Front".to_owned());
            log.message(&instance(), message());
            log.message(&instance(), Message { lost: u64::MAX, ..message() });
            endings.iter().for_each(|why| log.ended(*why, 1));
            let line = log.over_by_all();
            assert!(log.is_over());
            let document: serde_json::Value = serde_json::from_str(&line).expect("it is one document");
            assert_eq!((&document["event"], &document["told"]), (&"over".into(), &2.into()));
            assert_eq!(document["lost"], u64::MAX, "whatever a worker says");
            document["why"].as_str().expect("a word").to_owned()
        };
        assert_eq!(of(&[]), "gone");
        assert_eq!(of(&[Ending::Messages]), "messages");
        assert_eq!(of(&[Ending::Messages, Ending::Time, Ending::Messages]), "time");
    }

    #[test]
    fn a_worker_that_broke_off_is_named_with_why() {
        let line = broken(&instance(), &AskError::Unknown(bailiwick::Unknown::Expired));
        let document: serde_json::Value = serde_json::from_str(&line).expect("it is one document");
        assert_eq!((&document["event"], &document["worker"]), (&"broken".into(), &"web".into()));
        assert!(document["why"].as_str().is_some_and(|why| why.contains("deadline")), "{document}");
        assert_eq!(instance().name(), "web.2");
        let untold = Untold::of(instance(), &"x\u{1b}é".repeat(1000));
        assert_eq!((untold.why.len(), &untold.why[..3]), (WORDS_MAX, "x??"));
    }
}
