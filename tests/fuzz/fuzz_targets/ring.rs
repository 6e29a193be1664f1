//! The ring of two processes: two honest ends, and ends whose every shared word somebody rewrites between two steps. Each
//! against the model that the tests of the crate use as well. The first byte chooses which.
#![no_main]

#[allow(dead_code)]
#[path = "../../../runtime/core/tests/ring/cells.rs"]
mod cells;
#[path = "../../../runtime/core/tests/ring/forgery.rs"]
mod forgery;
#[path = "../../../runtime/core/tests/ring/model.rs"]
mod model;

use forgery::{Act, BUFFER, SPOKEN};
use libfuzzer_sys::arbitrary::{Result, Unstructured};
use libfuzzer_sys::fuzz_target;
use model::Step;

const STEPS_MAX: usize = 200;

fuzz_target!(|bytes: &[u8]| {
    let mut bytes = Unstructured::new(bytes);
    match bytes.int_in_range(0..=5u8) {
        Ok(0) => {
            let power = bytes.int_in_range(1..=4u32).unwrap_or(1);
            model::play(1 << power, steps(&mut bytes, step));
        }
        Ok(_) => forgery::play(steps(&mut bytes, act)),
        Err(_) => {}
    }
});

/// Returns steps for as long as there are bytes to make them of.
fn steps<T>(bytes: &mut Unstructured<'_>, step: impl Fn(&mut Unstructured<'_>) -> Result<T>) -> Vec<T> {
    let more = std::iter::from_fn(|| (!bytes.is_empty()).then(|| step(bytes).ok())?);
    more.take(STEPS_MAX).collect()
}

fn step(bytes: &mut Unstructured<'_>) -> Result<Step> {
    Ok(match bytes.int_in_range(0..=7u8)? {
        0..=1 => Step::Write { bytes: bytes.int_in_range(1..=79)?, fds: bytes.int_in_range(0..=2)? },
        2..=3 => Step::Read,
        4 => Step::ReaderSleeps,
        5 => Step::WriterSleeps { bytes: bytes.int_in_range(1..=79)? },
        6 => Step::WriterRings,
        _ => Step::ReaderRings,
    })
}

fn act(bytes: &mut Unstructured<'_>) -> Result<Act> {
    Ok(match bytes.int_in_range(0..=11u8)? {
        0 => Act::Forge { at: bytes.arbitrary()?, word: bytes.arbitrary()? },
        1 => Act::Forge { at: *bytes.choose(&SPOKEN)?, word: bytes.arbitrary()? },
        2 => Act::Shift { at: *bytes.choose(&SPOKEN)?, by: bytes.int_in_range(0..=18)? },
        // A head that may be one.
        3 => Act::Forge { at: bytes.int_in_range(64..=79)?, word: bytes.int_in_range(0..=130)? },
        4..=5 => Act::Write { bytes: bytes.int_in_range(0..=140)?, fds: bytes.int_in_range(0..=2)? },
        6..=7 => Act::Read { buffer: bytes.int_in_range(0..=BUFFER)? },
        8 => Act::ReaderSleeps,
        9 => Act::WriterSleeps { bytes: bytes.int_in_range(0..=140)? },
        10 => Act::ReaderRings,
        _ => {
            if bytes.ratio(1, 8)? {
                Act::LooksLast
            } else {
                Act::WriterRings
            }
        }
    })
}
