//! What a message over a link allocates once its way is warm, on both sides together, which share a thread here.

use std::time::Duration;

use super::desk::{BellRef, DeskRef};
use super::worlds::{Both, Carried, run_with};
use crate::Context;

const SOON: Duration = Duration::from_secs(30);

/// Returns how many allocations one of the `count` things takes that `test` does, without what it takes to begin: over the kind
/// of link where that is the most.
fn of_each(test: impl AsyncFn(u32, &Context)) -> f64 {
    let of = |carried| {
        let [few, many] = [500, 2_500].map(|count| {
            let counted = allocation_counter::measure(|| {
                run_with(Both::new(None, carried), async |_, cx| test(count, &cx).await);
            });
            counted.count_total
        });
        many.saturating_sub(few) as f64 / 2_000.0
    };
    Carried::ALL.into_iter().map(of).fold(0.0, f64::max)
}

#[test]
fn a_tell_over_a_link_allocates_nothing_but_its_message() {
    let each = of_each(async |count, cx| {
        let bell: BellRef = cx.peer("right/bell").unwrap();
        assert_eq!(bell.ring().ask(SOON).await, Ok(1), "the link is open");
        for _ in 0..count {
            bell.ring().tell().await.unwrap();
        }
        assert_eq!(bell.ring().ask(SOON).await, Ok(count + 2));
    });
    // The message itself has no bytes.
    assert!(each <= 0.02, "{each} allocations");
}

#[test]
fn an_ask_over_a_link_allocates_its_message_its_slot_and_its_reply() {
    let each = of_each(async |count, cx| {
        let desk: DeskRef = cx.peer("right/desk").unwrap();
        for _ in 0..count {
            assert_eq!(desk.dropped().ask(SOON).await, Ok(0));
        }
    });
    assert!(each <= 3.02, "{each} allocations");
}
