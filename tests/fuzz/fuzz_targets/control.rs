//! Records on a worker's descriptor 3 as either side may write them.
#![no_main]

use bailiwick_wire::control::{ToSupervisor, ToWorker};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(record) = ToSupervisor::from_bytes(bytes) {
        assert_eq!(record.to_bytes(), bytes);
        let _ = (record.fault(), record.carries_fd());
    }
    if let Ok(record) = ToWorker::from_bytes(bytes) {
        assert_eq!(record.to_bytes(), bytes);
        let _ = record.carries_fd();
    }
});
