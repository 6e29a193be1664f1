//! Decoding hostile bytes never holds much more memory than the limits permit.
//!
//! Alone in its file: the counting allocator sees every thread of the process.

use std::collections::{BTreeMap, HashMap};

use bailiwick_wire::{Limits, codec};
use peak_alloc::PeakAlloc;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

/// A growing vector or table holds its old and its new storage for a moment.
const GROWTH: usize = 2;

#[derive(Serialize, Deserialize)]
enum Wide {
    Narrow,
    Full(Box<[u64; 32]>, [u64; 32]),
    Deep(Vec<Wide>, HashMap<u16, Wide>),
}

fn peak_of<T: DeserializeOwned>(bytes: &[u8], limits: &Limits) -> usize {
    ALLOCATOR.reset_peak_usage();
    let before = ALLOCATOR.current_usage();
    let result = codec::decode::<T>(bytes, limits);
    let peak = ALLOCATOR.peak_usage().saturating_sub(before);
    drop(result);
    peak
}

fn check<T: DeserializeOwned>(what: &str, bytes: &[u8]) {
    let limits = Limits::DATA;
    let (peak, most) = (peak_of::<T>(bytes, &limits), GROWTH * limits.produced_bytes as usize);
    assert!(peak <= most, "{what}: decoding {} bytes held {peak} bytes, the bound is {most}", bytes.len());
}

#[test]
fn memory_stays_within_the_limits_whatever_arrives() {
    let frame = Limits::DATA.frame_bytes as usize;
    let length = |count: usize| (count as u64).to_le_bytes();
    let sequence = |count: usize, element: &[u8]| {
        let mut bytes = length(count).to_vec();
        bytes.extend(element.iter().copied().cycle().take((count * element.len()).min(frame - 8)));
        bytes
    };
    let all = frame - 8;
    check::<Vec<u8>>("bytes", &sequence(all, &[1]));
    check::<Vec<Option<[u64; 32]>>>("empty options of a large type", &sequence(all, &[0]));
    check::<Vec<Vec<Vec<u64>>>>("nested announcements", &sequence(all / 8, &length(all / 8)));
    check::<Vec<Box<Option<[u64; 32]>>>>("boxed options of a large type", &sequence(all, &[0]));
    check::<Vec<Wide>>("variants narrower than their type", &sequence(all / 4, &[0]));
    let entries = |count: u16| {
        let entries = (0..count).flat_map(|key| [key.to_le_bytes().as_slice(), &[0]].concat());
        [length(count.into()).to_vec(), entries.collect()].concat()
    };
    check::<HashMap<u16, Option<[u64; 8]>>>("a table", &entries(21_000));
    check::<HashMap<u16, u8>>("a table of small entries", &entries(21_000));
    check::<BTreeMap<u16, Option<[u64; 8]>>>("a tree", &entries(21_000));
    check::<String>("text", &sequence(all, b"x"));
    check::<Vec<String>>("texts", &sequence(all / 8, &[0]));
    let deep: Vec<u8> = [&2_u32.to_le_bytes()[..], &length(1000)].concat().repeat(30);
    check::<Wide>("announcements on every level", &[deep, vec![0; 30_000]].concat());
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    for round in 0..20_000 {
        let bytes: Vec<u8> = (0..200)
            .map(|_| {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                // Small numbers, so that lengths and variants are often valid.
                if state.is_multiple_of(3) { 0 } else { (state >> 40) as u8 & 3 }
            })
            .collect();
        check::<Vec<Wide>>(&format!("round {round}"), &bytes);
    }
}
