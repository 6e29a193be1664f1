//! One trace over the messages that one first message brought about.

#![allow(clippy::unwrap_used)] // What a test cannot go on without fails it.

// Said with its path: what the tests of links see of spans serves here too.
#[path = "../src/link/tests/spans.rs"]
mod spans;

use std::time::Duration;

use bailiwick::prelude::*;

use spans::{Span, Spans};

/// Far longer than any answer takes, even on a busy machine.
const SOON: Duration = Duration::from_secs(60);

#[protocol]
trait Relay {
    async fn pass(&mut self, times: u32) -> u32;
}

struct Runner(Option<RelayRef>);

impl Relay for Runner {
    async fn pass(&mut self, times: u32) -> u32 {
        match &self.0 {
            Some(next) => next.pass(times).ask(SOON).await.unwrap() + 1,
            None => times,
        }
    }
}

#[test]
fn nested_asks_share_a_trace_and_name_their_parents() {
    let spans = Spans::of(|| {
        bailiwick::local(async |mut cx| {
            let last = cx.spawn(RelayRef::serve(|| Runner(None)).named("last")).unwrap();
            let make = move || Runner(Some(last.clone()));
            let first = cx.spawn(RelayRef::serve(make).named("first")).unwrap();
            assert_eq!(first.pass(1).ask(SOON).await, Ok(2));
            assert_eq!(first.pass(2).ask(SOON).await, Ok(3));
        });
    });
    let of = |field: fn(&Span) -> &String| spans.iter().map(field).cloned().collect::<Vec<_>>();
    assert_eq!(of(|span| &span.actor), ["local/first#1", "local/last#1", "local/first#1", "local/last#1"]);
    assert_eq!(of(|span| &span.method), ["pass"; 4]);
    let (traces, ids, parents) =
        (of(|span| &span.trace_id), of(|span| &span.span_id), of(|span| &span.parent_id));
    assert_eq!(traces[0], traces[1]);
    assert_eq!(traces[2], traces[3]);
    assert_ne!(traces[0], traces[2], "each first message begins a trace of its own");
    assert_eq!((&parents[1], &parents[3]), (&ids[0], &ids[2]));
    assert_eq!((parents[0].as_str(), parents[2].as_str()), ("0000000000000000", "0000000000000000"));
}
