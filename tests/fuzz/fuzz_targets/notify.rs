//! Datagrams of sd_notify as a foreign program may write them.
#![no_main]

use bailiwick_wire::notify::notices;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let lines = bytes.split(|byte| *byte == b'\n').count();
    assert!(notices(bytes).count() <= lines);
});
