//! A packet as a row of frames: writing them into a buffer, and walking over what a peer wrote.

use std::time::Duration;

use super::{Extensions, Flags, HEADER_BYTES, Header, Kind, PayloadRule};
use crate::fault::Violation;
use crate::{Limit, Limits};

/// The most bytes of one packet.
pub const MAX_PACKET_BYTES: usize = 128 << 10;

/// One frame of a received packet. Header and lengths are checked; extensions and payload not yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// The header.
    pub header: Header,
    extensions: &'a [u8],
    /// The payload.
    pub payload: &'a [u8],
}

impl<'a> Frame<'a> {
    /// Reads the extensions.
    ///
    /// # Errors
    /// The violation, if they are not exactly what the flags announce.
    pub fn extensions(&self) -> Result<Extensions, Violation> {
        Extensions::parse(self.header.kind, self.header.flags, self.extensions)
    }

    /// Returns the time that the asker still waits, if there is one, of a frame with no other extension; nothing of a
    /// frame with others, or with bytes where none are announced.
    pub fn remaining_alone(&self) -> Option<Option<Duration>> {
        match (self.header.flags, self.extensions) {
            (Flags::NONE, []) => Some(None),
            (Flags::REMAINING, nanos) => {
                let nanos = u64::from_le_bytes(nanos.try_into().ok()?);
                Some(Some(Duration::from_nanos(nanos)))
            }
            _ => None,
        }
    }

    /// Appends a whole frame to `out`.
    ///
    /// # Errors
    /// `Limit::FrameBytes` if the payload is longer than a packet has room for; `out` is as it was.
    pub fn write(
        header: Header,
        extensions: &Extensions,
        payload: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), Limit> {
        let open = OpenFrame::begin(header, extensions, out);
        out.extend_from_slice(payload);
        open.finish(out)
    }
}

/// A frame whose payload is being encoded straight into the packet's buffer.
///
/// ```
/// use bailiwick_wire::frame::{Extensions, Frames, Header, Kind, OpenFrame};
/// let mut packet = Vec::new();
/// let open = OpenFrame::begin(Header::new(Kind::Tell), &Extensions::default(), &mut packet);
/// packet.extend_from_slice(b"payload");
/// open.finish(&mut packet).unwrap();
/// let frame = Frames::new(&packet).next().unwrap().unwrap();
/// assert_eq!(frame.payload, b"payload");
/// ```
#[derive(Debug)]
#[must_use = "a frame that is neither finished nor abandoned leaves a broken packet"]
pub struct OpenFrame {
    start: usize,
    header: Header,
}

impl OpenFrame {
    /// Appends room for the header, and the extensions; the payload is to be appended next.
    pub fn begin(header: Header, extensions: &Extensions, out: &mut Vec<u8>) -> OpenFrame {
        let start = out.len();
        out.extend_from_slice(&[0; HEADER_BYTES]);
        let extension_bytes = extensions.write(out);
        OpenFrame { start, header: Header { flags: extensions.flags(), extension_bytes, ..header } }
    }

    /// Changes the header, for what is known only once the payload is encoded.
    pub fn header_mut(&mut self) -> &mut Header {
        &mut self.header
    }

    /// Writes the header in front of what was appended since.
    ///
    /// # Errors
    /// `Limit::FrameBytes` if the frame is longer than a packet; it is taken out of `out` again.
    pub fn finish(self, out: &mut Vec<u8>) -> Result<(), Limit> {
        let length = out.len().saturating_sub(self.start + HEADER_BYTES);
        match u32::try_from(length) {
            Ok(length) if length as usize <= MAX_PACKET_BYTES - HEADER_BYTES => {
                let header = Header { length, ..self.header };
                out[self.start..self.start + HEADER_BYTES].copy_from_slice(&header.to_bytes());
                Ok(())
            }
            _ => {
                self.abandon(out);
                Err(Limit::FrameBytes)
            }
        }
    }

    /// Takes the frame out of `out` again.
    pub fn abandon(self, out: &mut Vec<u8>) {
        out.truncate(self.start);
    }
}

/// Walks over the frames of a packet that a peer wrote. After the first violation it ends.
#[derive(Clone, Debug)]
pub struct Frames<'a> {
    rest: &'a [u8],
}

impl<'a> Frames<'a> {
    /// Starts at the first byte of a packet.
    pub fn new(packet: &'a [u8]) -> Frames<'a> {
        Frames { rest: packet }
    }

    /// Returns how many bytes are behind the frame that came last. Its payload is what stands right before them.
    pub fn bytes_left(&self) -> usize {
        self.rest.len()
    }

    fn read(&mut self) -> Result<Frame<'a>, Violation> {
        let Some((header, rest)) = self.rest.split_first_chunk::<HEADER_BYTES>() else {
            return Err(Violation::HeaderCut { found: length(self.rest) });
        };
        let header = Header::parse(header)?;
        check_payload(&header)?;
        let (body, rest) = rest.split_at_checked(header.length as usize).ok_or(Violation::FrameCut {
            kind: header.kind,
            announced: header.length,
            found: length(rest),
        })?;
        let (extensions, payload) = body
            .split_at_checked(header.extension_bytes.into())
            .ok_or(Violation::ExtensionLength { kind: header.kind, found: header.extension_bytes.into() })?;
        self.rest = rest;
        Ok(Frame { header, extensions, payload })
    }
}

impl<'a> Iterator for Frames<'a> {
    type Item = Result<Frame<'a>, Violation>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let frame = self.read();
        if frame.is_err() {
            self.rest = &[];
        }
        Some(frame)
    }
}

fn check_payload(header: &Header) -> Result<(), Violation> {
    let (kind, found) = (header.kind, header.payload_bytes());
    let limit = match kind.rule().payload {
        PayloadRule::Empty => 0,
        PayloadRule::Exactly(bytes) => bytes,
        PayloadRule::Control => Limits::CONTROL.frame_bytes,
        PayloadRule::Data => MAX_PACKET_BYTES as u32,
    };
    if found > limit || matches!(kind.rule().payload, PayloadRule::Exactly(_)) && found != limit {
        return Err(Violation::PayloadLength { kind, found, limit });
    }
    if header.kind == Kind::Fragment && found == 0 {
        return Err(Violation::PayloadLength { kind, found, limit });
    }
    Ok(())
}

fn length(bytes: &[u8]) -> u32 {
    bytes.len().try_into().unwrap_or(u32::MAX)
}
