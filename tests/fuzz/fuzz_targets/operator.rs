//! Requests, records and packets of lines of the control socket as either side may write them.
#![no_main]

use bailiwick_wire::log;
use bailiwick_wire::operator::{RECORD_BYTES, Record, Request, Status};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(request) = Request::from_bytes(bytes) {
        assert_eq!(request.to_bytes(), bytes);
    }
    let mut padded = [0; RECORD_BYTES];
    let length = bytes.len().min(RECORD_BYTES);
    padded[..length].copy_from_slice(&bytes[..length]);
    // What follows the fields of a record is not looked at, so only what was read is compared.
    if let Ok(record) = Record::from_bytes(&padded) {
        assert_eq!(Record::from_bytes(&record.to_bytes()), Ok(record));
    }
    let _ = Status::from_bytes(bytes);
    let _ = log::read(bytes);
    if let Ok(lines) = log::read(&[&log::MAGIC[..], &[log::LAYOUT], bytes].concat()) {
        // A text that is longer than any that is kept fits into no packet beside the others.
        let written = log::write(lines.clone()).map(|bytes| log::read(&bytes).expect("what was written can be read"));
        assert!(written.is_none_or(|written| lines.starts_with(&written)));
    }
});
