//! What happened, as `events --json` and `/api/v1/events` say it.

use bailiwick_supervisor::control::Event;
use serde::Serialize;

use crate::json;
use crate::words::signs;

/// One event.
#[derive(Serialize)]
pub struct Told<'a> {
    number: u64,
    /// How many events before this one were forgotten before they could be told.
    #[serde(skip_serializing_if = "is_zero")]
    lost: u64,
    time: String,
    time_mono_ns: u64,
    event: &'static str,
    worker: Option<&'a str>,
    instance: Option<u16>,
    generation: Option<u32>,
    from: Option<&'static str>,
    to: Option<&'static str>,
    signs: Vec<&'static str>,
    cause: Option<String>,
    detail: &'a str,
    /// The budget that did not cover it.
    #[serde(skip_serializing_if = "Option::is_none")]
    spent: Option<Budget<'a>>,
}

/// A restart budget that is spent.
#[derive(Serialize)]
struct Budget<'a> {
    /// The root's is empty.
    group: &'a str,
    follows: &'static str,
}

/// Returns an event as a document, with how many before it were forgotten before they could be told.
pub fn told(event: &Event, lost: u64) -> Told<'_> {
    let of_one = event.instance > 0;
    Told {
        number: event.number,
        lost,
        time: json::time(event.wall),
        time_mono_ns: event.monotonic_ns,
        event: event.kind.word(),
        worker: of_one.then_some(&*event.worker),
        instance: of_one.then_some(event.instance),
        generation: of_one.then_some(event.generation),
        from: event.from.map(|state| state.word()),
        to: event.to.map(|state| state.word()),
        signs: signs(event.signs),
        cause: event.cause.map(|cause| cause.to_string()),
        detail: &event.detail,
        spent: event
            .spent
            .as_ref()
            .map(|spent| Budget { group: &spent.group, follows: spent.follows.word() }),
    }
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}
