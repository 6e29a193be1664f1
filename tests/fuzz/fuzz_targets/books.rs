//! The machines that only keep books: pending sends, credit, budget, backoff, links that are made anew. Each against the
//! model that the tests of the crate use as well. The first byte chooses the machine.
#![no_main]

#[path = "../../../runtime/core/tests/books/model.rs"]
mod model;

use std::time::Duration;

use bailiwick_core::backoff::Backoff;
use bailiwick_core::credit::{Grant, Size};
use libfuzzer_sys::arbitrary::{Result, Unstructured};
use libfuzzer_sys::fuzz_target;
use model::{Ask, Reopen, Spend};

const STEPS_MAX: usize = 200;

fuzz_target!(|bytes: &[u8]| {
    // Too few bytes are no story.
    let _ = play(&mut Unstructured::new(bytes));
});

fn play(bytes: &mut Unstructured<'_>) -> Result<()> {
    match bytes.int_in_range(0..=4u8)? {
        0 => model::asks(steps(bytes, ask)),
        1 => {
            let first = grant(bytes, 1)?;
            model::credit(first, steps(bytes, spend));
        }
        2 => {
            let max = bytes.int_in_range(0..=4)?;
            let period = Duration::from_nanos(bytes.arbitrary()?);
            model::budget(max, period, steps(bytes, |bytes| Ok(Duration::from_nanos(bytes.arbitrary()?))));
        }
        3 => model::backoff(backoff(bytes)?, bytes.int_in_range(0..=1000)?, bytes.arbitrary()?),
        _ => model::reopening(steps(bytes, reopen)),
    }
    Ok(())
}

/// Returns steps for as long as there are bytes to make them of.
fn steps<T>(bytes: &mut Unstructured<'_>, step: impl Fn(&mut Unstructured<'_>) -> Result<T>) -> Vec<T> {
    let more = std::iter::from_fn(|| (!bytes.is_empty()).then(|| step(bytes).ok())?);
    more.take(STEPS_MAX).collect()
}

fn ask(bytes: &mut Unstructured<'_>) -> Result<Ask> {
    Ok(match bytes.int_in_range(0..=4u8)? {
        0 | 1 => Ask::Claim { deadline: bytes.arbitrary()?, queued: bytes.arbitrary()? },
        2 => Ask::End(bytes.arbitrary()?),
        3 => Ask::ForgetDeadline(bytes.arbitrary()?),
        _ => Ask::Pop,
    })
}

fn grant(bytes: &mut Unstructured<'_>, least: u32) -> Result<Grant> {
    Ok(Grant {
        messages: bytes.int_in_range(least..=6)?,
        bytes: bytes.int_in_range(least..=400)?,
        fds: bytes.int_in_range(0..=4)?,
    })
}

fn spend(bytes: &mut Unstructured<'_>) -> Result<Spend> {
    Ok(match bytes.int_in_range(0..=4u8)? {
        0 => Spend::Send(Size { bytes: bytes.int_in_range(0..=200)?, fds: bytes.int_in_range(0..=2)? }),
        1 => Spend::Arrive,
        2 => Spend::Take,
        3 => Spend::Learn,
        _ => Spend::Lend(grant(bytes, 0)?),
    })
}

fn backoff(bytes: &mut Unstructured<'_>) -> Result<Backoff> {
    Ok(Backoff {
        first: Duration::from_nanos(bytes.arbitrary()?),
        base: Duration::from_nanos(bytes.arbitrary()?),
        factor_permille: bytes.arbitrary()?,
        cap: Duration::from_nanos(bytes.arbitrary()?),
        jitter_permille: bytes.int_in_range(0..=2000)?,
    })
}

fn reopen(bytes: &mut Unstructured<'_>) -> Result<Reopen> {
    Ok(match bytes.int_in_range(0..=3u8)? {
        0 => {
            let (by, peer, chance) = (bytes.arbitrary()?, bytes.arbitrary()?, bytes.arbitrary()?);
            Reopen::Asked { by, peer, chance }
        }
        1 => Reopen::Ended(bytes.arbitrary()?),
        2 => Reopen::Pass(Duration::from_millis(bytes.int_in_range(0..=100_000)?)),
        _ => Reopen::ToDeadline,
    })
}
