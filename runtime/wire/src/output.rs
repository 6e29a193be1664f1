//! What a process prints, made safe to keep and to show: lines of bounded length, without anything that a terminal
//! would obey.

mod escape;

pub use escape::escape;

/// The longest line that is kept whole; what follows in a longer one is the next line.
pub const LINE_BYTES: usize = 8 << 10;

/// Puts lines together from what is read piece by piece.
#[derive(Debug, Default)]
pub struct Framing {
    partial: Vec<u8>,
}

impl Framing {
    /// Takes a piece and hands on each line that it ends, without its newline.
    pub fn feed(&mut self, mut bytes: &[u8], mut line: impl FnMut(&[u8])) {
        while !bytes.is_empty() {
            let room = LINE_BYTES - self.partial.len();
            let window = &bytes[..bytes.len().min(room)];
            let newline = window.iter().position(|byte| *byte == b'\n');
            let taken = newline.map_or(window.len(), |at| at + 1);
            self.partial.extend_from_slice(&window[..newline.unwrap_or(window.len())]);
            bytes = &bytes[taken..];
            if newline.is_some() || self.partial.len() == LINE_BYTES {
                line(&std::mem::take(&mut self.partial));
            }
        }
    }

    /// Returns what was begun and has no end; empty if nothing was.
    pub fn rest(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.partial)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn framed(pieces: &[&[u8]]) -> (Vec<Vec<u8>>, Vec<u8>) {
        let (mut framing, mut lines) = (Framing::default(), Vec::new());
        for piece in pieces {
            framing.feed(piece, |line| lines.push(line.to_vec()));
        }
        (lines, framing.rest())
    }

    #[test]
    fn lines_are_framed_across_pieces() {
        let (lines, rest) = framed(&[b"he", b"llo\n\nwor", b"ld\n", b"rest"]);
        assert_eq!(lines, [&b"hello"[..], b"", b"world"]);
        assert_eq!(rest, b"rest");
    }

    #[test]
    fn a_line_without_end_is_cut_at_the_limit() {
        let (lines, rest) = framed(&[&[b'x'; LINE_BYTES + 1]]);
        assert_eq!((lines.len(), lines[0].len(), rest.len()), (1, LINE_BYTES, 1));
        let (lines, rest) = framed(&[&[b'x'; LINE_BYTES - 1]]);
        assert_eq!((lines.len(), rest.len()), (0, LINE_BYTES - 1));
    }
}
