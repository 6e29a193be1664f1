//! What a message over a link allocates once its way is warm, on both sides together, which share a thread here.

use std::time::Duration;

use super::desk::{BellRef, DeskRef};
use super::worlds::{Both, Carried, run_with};
use crate::prelude::*;

const SOON: Duration = Duration::from_secs(30);

/// Returns how many allocations one of the things takes that `test` does `few` and `many` times, without what it takes to begin:
/// over the kind of link where that is the most.
fn of_each(few: u32, many: u32, test: impl AsyncFn(u32, &Context)) -> f64 {
    let both = |carried| Both::new(None, carried);
    of_each_between(both, few, many, async |count, _, cx| test(count, cx).await)
}

/// Does so between these two workers.
fn of_each_between<B: Future<Output = Both>>(
    both: impl Fn(Carried) -> B,
    few: u32,
    many: u32,
    test: impl AsyncFn(u32, &Both, &Context),
) -> f64 {
    let of = |carried| {
        let [before, all] = [few, many].map(|count| {
            let counted = allocation_counter::measure(|| {
                run_with(both(carried), async |both, cx| test(count, both, &cx).await);
            });
            counted.count_total
        });
        all.saturating_sub(before) as f64 / f64::from(many - few)
    };
    Carried::ALL.into_iter().map(of).fold(0.0, f64::max)
}

#[test]
fn a_tell_over_a_link_allocates_nothing_but_its_message() {
    // How many boxes for what waits are made in the beginning is a matter of who runs when, and differs by some hundred. Besides, a
    // tell that finds no credit takes two to wait: every 128th does. One allocation more for each would be a whole one.
    let each = of_each(5_000, 45_000, async |count, cx| {
        let bell: BellRef = cx.peer("right/bell").unwrap();
        assert_eq!(bell.ring().ask(SOON).await, Ok(1), "the link is open");
        for _ in 0..count {
            bell.ring().tell().await.unwrap();
        }
        assert_eq!(bell.ring().ask(SOON).await, Ok(count + 2));
    });
    assert!((0.9..=1.3).contains(&each), "{each} allocations");
}

#[test]
fn an_ask_over_a_link_allocates_its_message_its_slot_its_reply_and_a_shift_of_who_waited() {
    let each = of_each(500, 2_500, async |count, cx| {
        let desk: DeskRef = cx.peer("right/desk").unwrap();
        for _ in 0..count {
            assert_eq!(desk.dropped().ask(SOON).await, Ok(0));
        }
    });
    assert!(each <= 4.5, "{each} allocations");
}

#[test]
fn a_vector_of_bytes_is_made_at_once_where_it_is_an_argument_and_where_it_is_a_reply() {
    let each = of_each(100, 500, async |count, cx| {
        let desk: DeskRef = cx.peer("right/desk").unwrap();
        for _ in 0..count {
            assert_eq!(desk.reverse(vec![7; 4_096]).ask(SOON).await, Ok(vec![7; 4_096]));
        }
    });
    // The ask; bytes that are sent and those that they are compared with; the argument and the reply as they came and as they are
    // decoded. One by one, each vector would be made seven times, of twice the size each.
    assert!(each <= 8.5, "{each} allocations");
}

#[test]
fn a_tell_that_a_full_mailbox_drops_allocates_hardly_more_than_its_message() {
    for on_full in [OnFull::DropOldest, OnFull::DropNewest] {
        let both = |carried| Both::with_mailbox(Mailbox::bounded(100).on_full(on_full), carried);
        let each = of_each_between(both, 5_000, 45_000, async |count, both, cx| {
            let desk: DeskRef = cx.peer("right/desk").unwrap();
            let _hang = tokio::task::spawn_local(desk.hang().ask(SOON));
            while both.right.node.shared.workload.taken() == 0 {
                tokio::task::yield_now().await;
            }
            for number in 0..count {
                desk.add(number).tell().await.unwrap();
            }
            while both.right.node.shared.dead_letters.total() < u64::from(count - 100) {
                tokio::task::yield_now().await;
            }
        });
        // To wait for credit takes two, and to tell together of up to 64 that were dropped takes a few.
        assert!((0.9..=1.3).contains(&each), "{each} allocations where the policy is {on_full:?}");
    }
}
