//! Two honest link machines: any story of sends, crashes, lost transports and drains. What must hold is asserted by the
//! simulation that the tests of the crate use as well.
#![no_main]

#[allow(dead_code)]
#[path = "../../../runtime/core/tests/link/pair.rs"]
mod pair;
#[path = "../../../runtime/core/tests/link/story.rs"]
mod story;

use bailiwick_core::credit::Grant;
use libfuzzer_sys::arbitrary::{Result, Unstructured};
use libfuzzer_sys::fuzz_target;
use pair::Who;
use story::{ACTORS, Step, play, play_mixed, play_rendezvous};

/// A longer story shows nothing that a shorter one does not.
const STEPS_MAX: usize = 150;

fuzz_target!(|bytes: &[u8]| {
    let mut bytes = Unstructured::new(bytes);
    let Ok(first) = first(&mut bytes) else { return };
    let steps = std::iter::from_fn(|| (!bytes.is_empty()).then(|| step(&mut bytes).ok())?);
    if first.messages == 0 {
        play_rendezvous(steps.take(STEPS_MAX));
    } else if first.bytes % 2 == 1 {
        play_mixed(first, steps.take(STEPS_MAX));
    } else {
        play(first, steps.take(STEPS_MAX));
    }
});

/// Returns what is lent at first; no message at all stands for mailboxes that hold nothing, an odd number of bytes for messages
/// of both priorities.
fn first(bytes: &mut Unstructured<'_>) -> Result<Grant> {
    Ok(Grant { messages: bytes.int_in_range(0..=4)?, bytes: bytes.int_in_range(1..=400)?, fds: 0 })
}

fn step(bytes: &mut Unstructured<'_>) -> Result<Step> {
    let code = bytes.int_in_range(0..=15)?;
    let who = if bytes.arbitrary()? { Who::Left } else { Who::Right };
    let actor = bytes.int_in_range(0..=ACTORS - 1)?;
    Ok(match code {
        0 => Step::Tell(who, actor, bytes.arbitrary()?),
        1 => Step::Ask(who, actor, bytes.arbitrary()?),
        2 => Step::Cancel(who, bytes.arbitrary()?),
        3 => Step::Flush(who),
        4 => Step::Read(who),
        5 => Step::Take(who, actor),
        6 => Step::Reply(who),
        7 => Step::Advance(bytes.arbitrary()?),
        8 => Step::Crash { dead: who, told_at_once: bytes.arbitrary()? },
        9 => Step::Lose,
        10 => Step::Drain(who),
        11 => Step::Unready(who),
        12 => Step::Ready(who),
        13 => Step::Supersede(who),
        14 => Step::Refuse(who),
        _ => Step::Watch(who, actor),
    })
}
