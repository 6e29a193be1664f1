//! What is said with `tracing` becomes lines that say who said it, and nothing else does.

use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use bailiwick_wire::log::{Event, FIELDS_MAX, Level, event_line};
use tracing_subscriber::layer::SubscriberExt;

use super::{Print, filter};
use crate as bailiwick;
use crate::prelude::*;

#[bailiwick::protocol]
pub(crate) trait Teller {
    async fn tell(&mut self, text: String);
}

struct Says;

impl Teller for Says {
    async fn tell(&mut self, text: String) {
        tracing::info!(bytes = text.len(), "{text}");
    }
}

/// What is printed while `saying` runs, taken apart.
fn printed(words: &str, saying: impl FnOnce()) -> Vec<(Event, String)> {
    let (to, lines): (_, Receiver<Vec<u8>>) = channel();
    let print = Print { worker: "web".into(), to: move |line: &[u8]| drop(to.send(line.to_vec())) };
    let subscriber = tracing_subscriber::registry().with(filter(words).0).with(print);
    tracing::subscriber::with_default(subscriber, || {
        tracing::callsite::rebuild_interest_cache();
        saying();
    });
    let taken_apart = |line: Vec<u8>| {
        let line = line.strip_suffix(b"\n").expect("each line has its end");
        event_line::read(line).expect("each line is an event")
    };
    lines.try_iter().map(taken_apart).collect()
}

fn field(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

#[test]
fn an_event_has_its_level_its_place_its_fields_and_those_of_the_spans_around() {
    let told = printed("", || {
        let outer = tracing::info_span!("outer", peer = "10.0.0.1", n = 1, later = tracing::field::Empty);
        outer.record("later", true);
        let _outer = outer.enter();
        let _inner = tracing::info_span!("inner", n = 2).entered();
        tracing::warn!(target: "front", n = 3, error = ?Some("odd"), actor = "me", "cannot {}", "read");
    });
    let [(event, text)] = &told[..] else { panic!("{told:?}") };
    assert_eq!((text.as_str(), event.level, event.target.as_str()), ("cannot read", Level::Warn, "front"));
    let fields =
        [("n", "3"), ("error", "Some(\"odd\")"), ("actor", "me"), ("peer", "10.0.0.1"), ("later", "true")];
    assert_eq!(event.fields, fields.map(|(name, value)| field(name, value)));
    assert!(event.file.ends_with("log/tests.rs") && event.line > 0 && event.actor.is_empty(), "{event:?}");
}

#[test]
fn an_event_of_a_handler_has_its_actor_and_its_trace() {
    let ask = || {
        bailiwick::local(async |mut cx| -> Result<(), ActorError> {
            let teller: TellerRef = cx.spawn(TellerRef::serve(|| Says).named("pool"))?;
            Ok(teller.tell("hello".into()).ask(Duration::from_secs(5)).await?)
        })
        .expect("it answers");
    };
    let told = printed("info", ask);
    let [(event, text)] = &told[..] else { panic!("{told:?}") };
    assert_eq!((text.as_str(), event.actor.as_str(), event.trace.as_str()), ("hello", "pool#1", ""));
    assert_eq!(event.fields, [field("bytes", "5")], "{event:?}");
    let told = printed("info,bailiwick::actor=debug", ask);
    let (event, _) = told.iter().find(|(_, text)| text == "hello").expect("it is told");
    assert_eq!((event.actor.as_str(), event.trace.len()), ("pool#1", 32), "{event:?}");
    assert_eq!(event.fields, [field("bytes", "5")], "{event:?}");
}

#[test]
fn what_the_runtime_tells_of_an_actor_is_that_actors() {
    let told = printed("", || {
        tracing::warn!(target: "bailiwick::actor", actor = %"web/pool/job#2", "restarts");
        tracing::warn!(target: "bailiwick::actor", actor = %"db/job#2", "restarts");
    });
    let actors: Vec<_> = told.iter().map(|(event, _)| event.actor.as_str()).collect();
    assert_eq!(actors, ["pool/job#2", "db/job#2"]);
}

#[test]
fn only_what_matters_is_made_into_text() {
    let mut made = 0;
    let mut count = || {
        made += 1;
        made
    };
    let told = printed("warn,front=debug", || {
        tracing::info!(n = count(), "not told");
        tracing::debug!(target: "front::deeper", n = count(), "told");
        tracing::trace!(target: "front", n = count(), "not told");
    });
    assert_eq!((told.len(), made), (1, 1), "{told:?}");
    assert!(filter("info,,").1.is_none() && filter("front=loud").1.is_some() && filter("").1.is_none());
    let told = printed("front=loud", || tracing::info!("what cannot be read hides nothing"));
    assert_eq!(told.len(), 1);
}

#[test]
fn huge_values_are_cut_before_they_are_made() {
    struct Endless;
    impl std::fmt::Display for Endless {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            loop {
                f.write_str("xxxxxxxxxxxxxxx\u{20ac}")?;
            }
        }
    }
    let told = printed("", || tracing::info!(endless = %Endless, "{}", "y".repeat(1 << 20)));
    let [(event, text)] = &told[..] else { panic!("{told:?}") };
    assert!(text.len() == 2048 && event.fields.len() + event.omitted as usize == 1, "{event:?}");
    let span = |n| tracing::info_span!("many", a = n, b = n, c = n, d = n, e = n, f = n, g = n, h = n);
    let told = printed("", || tracing::info!(parent: &span(1), x = 1, "few"));
    assert_eq!(told[0].0.fields.len(), 9);
    assert!(told[0].0.fields.len() < FIELDS_MAX);
}
