//! A packet as a peer may write it: every frame is read, and every piece put together.
#![no_main]

use bailiwick_wire::frame::{Extensions, Frame, Frames, Kind, Reassembler};
use libfuzzer_sys::fuzz_target;

const LIMIT: u32 = 1 << 16;

fuzz_target!(|packet: &[u8]| {
    let mut reassembler = Reassembler::new(LIMIT);
    let mut read = 0;
    for frame in Frames::new(packet) {
        let Ok(frame) = frame else { break };
        let Ok(extensions) = frame.extensions() else { break };
        rewrite(&frame, &extensions, &packet[read..]);
        read += 32 + frame.header.length as usize;
        let assembled = match (frame.header.kind, extensions.part) {
            (Kind::Fragment, _) => reassembler.add(&frame),
            (_, Some(_)) => reassembler.begin(&frame, extensions).map(|()| None),
            (_, None) => Ok(None),
        };
        if let Ok(Some(assembled)) = assembled {
            assert!(assembled.payload.len() <= LIMIT as usize);
        }
        assert!(reassembler.held_bytes() <= packet.len());
    }
});

/// What was read is written again as the same bytes: each frame has one form.
fn rewrite(frame: &Frame<'_>, extensions: &Extensions, packet: &[u8]) {
    let mut again = Vec::new();
    Frame::write(frame.header, extensions, frame.payload, &mut again).expect("it fitted a packet");
    assert!(packet.starts_with(&again));
}
