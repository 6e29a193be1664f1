//! Lines as bytes: [`MAGIC`], the version of the layout, and the lines as [`codec`](crate::codec) writes them.

use thiserror::Error;

use super::Line;
use crate::Limits;
use crate::codec::{self, DecodeError};
use crate::crash::REPORT_BYTES;

/// The largest packet: as large as the largest report of a death, so that a reader needs no more room for it.
pub const PACKET_BYTES: usize = REPORT_BYTES;
/// What every packet of lines begins with; no record of the control socket does, and no report.
pub const MAGIC: [u8; 4] = *b"BWLG";
/// The version of the layout: another one for every change of it.
pub const LAYOUT: u8 = 2;

/// Why bytes are no lines.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum LogError {
    /// It begins with something else.
    #[error("a packet of lines of {found} bytes that does not begin as one")]
    Magic {
        /// The bytes that arrived.
        found: usize,
    },
    /// It is laid out in another way.
    #[error(
        "lines with layout {found}, expected {LAYOUT}: the supervisor and its reader come from different builds; build \
         both from the same source, and start the supervisor again"
    )]
    Layout {
        /// The version of the layout.
        found: u8,
    },
    /// A field does not decode.
    #[error("lines: {0}")]
    Decode(#[from] Box<DecodeError>),
}

/// Reads the lines of a packet.
///
/// # Errors
/// See [`LogError`].
pub fn read(bytes: &[u8]) -> Result<Vec<Line>, LogError> {
    let Some(([layout, rest @ ..], true)) = bytes.split_at_checked(4).map(|(a, b)| (b, a == MAGIC)) else {
        return Err(LogError::Magic { found: bytes.len() });
    };
    match *layout {
        LAYOUT => Ok(codec::decode(rest, &LIMITS)?),
        found => Err(LogError::Layout { found }),
    }
}

/// Writes lines as a packet, as many from the first on as it holds; `None` if there are none.
pub fn write(lines: impl IntoIterator<Item = Line>) -> Option<Vec<u8>> {
    let mut left = PACKET_BYTES - PREFIX_BYTES;
    let has_room = |line: &Line| {
        let event = line
            .said
            .event
            .as_ref()
            .map_or(0, |event| EVENT_BYTES + FIELD_BYTES * event.fields.len() + event.bytes());
        let bytes = FIXED_BYTES + line.source.worker.len() + line.said.text.len() + event;
        left.checked_sub(bytes).map(|rest| left = rest).is_some()
    };
    let lines: Vec<Line> = lines.into_iter().take_while(has_room).collect();
    let mut bytes = [&MAGIC[..], &[LAYOUT]].concat();
    let written = codec::encode(&lines, &LIMITS, &mut bytes);
    written.ok().filter(|()| !lines.is_empty()).map(|()| bytes)
}

const LIMITS: Limits = Limits { fds: 0, addresses: 0, ..Limits::of_frame(PACKET_BYTES as u32) };
/// What stands before the lines: magic, layout and how many they are.
const PREFIX_BYTES: usize = MAGIC.len() + 1 + 8;
/// What a line takes besides its text and the name of its worker, each with its length.
const FIXED_BYTES: usize = 8 + (8 + 2 + 1) + 8 + 8 + (8 + 4 + 8) + 4 + 4 + 8 + 1;
/// What an event takes besides its texts: its level, four texts, its line, its fields and the count of others.
const EVENT_BYTES: usize = 4 + 4 * 8 + 4 + 8 + 4;
/// What a field takes besides its two texts.
const FIELD_BYTES: usize = 2 * 8;
