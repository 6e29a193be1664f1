//! One trace over the messages that one first message brought about.

#![allow(clippy::unwrap_used)] // What a test cannot go on without fails it.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bailiwick::prelude::*;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::{Context as LayerContext, SubscriberExt};

const SECOND: Duration = Duration::from_secs(1);

#[protocol]
trait Relay {
    async fn pass(&mut self, times: u32) -> u32;
}

struct Runner(Option<RelayRef>);

impl Relay for Runner {
    async fn pass(&mut self, times: u32) -> u32 {
        match &self.0 {
            Some(next) => next.pass(times).ask(SECOND).await.unwrap() + 1,
            None => times,
        }
    }
}

/// The fields of each span, in the order in which they began.
#[derive(Clone, Default)]
struct Spans(Arc<Mutex<Vec<BTreeMap<&'static str, String>>>>);

struct Fields<'a>(&'a mut BTreeMap<&'static str, String>);

impl Visit for Fields<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.insert(field.name(), format!("{value:?}").trim_matches('"').to_owned());
    }
}

impl<S: tracing::Subscriber> Layer<S> for Spans {
    fn on_new_span(&self, attributes: &Attributes<'_>, _id: &Id, _context: LayerContext<'_, S>) {
        let mut fields = BTreeMap::new();
        attributes.record(&mut Fields(&mut fields));
        self.0.lock().unwrap().push(fields);
    }
}

#[test]
fn nested_asks_share_a_trace_and_name_their_parents() {
    let spans = Spans::default();
    let subscriber = tracing_subscriber::registry().with(spans.clone());
    tracing::subscriber::with_default(subscriber, || {
        bailiwick::local(async |mut cx| {
            let last = cx.spawn(RelayRef::serve(|| Runner(None)).named("last")).unwrap();
            let make = move || Runner(Some(last.clone()));
            let first = cx.spawn(RelayRef::serve(make).named("first")).unwrap();
            assert_eq!(first.pass(1).ask(SECOND).await, Ok(2));
            assert_eq!(first.pass(2).ask(SECOND).await, Ok(3));
        });
    });
    let spans = spans.0.lock().unwrap();
    let of = |field: &str| spans.iter().filter_map(|span| span.get(field).cloned()).collect::<Vec<_>>();
    assert_eq!(of("actor"), ["local/first#1", "local/last#1", "local/first#1", "local/last#1"]);
    assert_eq!(of("method"), ["pass"; 4]);
    let (traces, ids, parents) = (of("trace_id"), of("span_id"), of("parent_id"));
    assert_eq!(traces[0], traces[1]);
    assert_eq!(traces[2], traces[3]);
    assert_ne!(traces[0], traces[2], "each first message begins a trace of its own");
    assert_eq!((&parents[1], &parents[3]), (&ids[0], &ids[2]));
    assert_eq!((parents[0].as_str(), parents[2].as_str()), ("0000000000000000", "0000000000000000"));
}
