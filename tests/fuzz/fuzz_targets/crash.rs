//! What a dead worker left in its page, and reports of deaths as a client may be sent them.
#![no_main]

use bailiwick_wire::crash::{LAYOUT, MAGIC, REPORT_BYTES, Report};
use bailiwick_wire::last_words::LastWords;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = LastWords::from_bytes(bytes);
    let _ = Report::from_bytes(bytes);
    if let Ok(report) = Report::from_bytes(&[&MAGIC[..], &[LAYOUT], bytes].concat()) {
        let written = report.to_bytes();
        assert!(written.len() <= REPORT_BYTES + MAGIC.len() + 1);
        let again = Report::from_bytes(&written).expect("what was written can be read");
        assert_eq!(again.clone().to_bytes(), written);
    }
});
