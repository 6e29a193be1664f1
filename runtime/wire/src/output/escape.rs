//! Makes bytes that a worker wrote safe to show on a terminal.

use std::fmt::Write;

/// Returns `raw` as text in which nothing moves a cursor, changes a colour, reorders the line or
/// passes for a line of its own: such characters, and bytes that are no UTF-8, appear as escapes.
pub fn escape(raw: &[u8]) -> String {
    // The carriage return of a line that ended in both is no attempt to overwrite it.
    let raw = raw.strip_suffix(b"\r").unwrap_or(raw);
    let mut out = String::with_capacity(raw.len());
    for chunk in raw.utf8_chunks() {
        for character in chunk.valid().chars() {
            if is_harmless(character) {
                out.push(character);
            } else if character.is_ascii() {
                let _ = write!(out, "\\x{:02x}", u32::from(character));
            } else {
                let _ = write!(out, "\\u{{{:x}}}", u32::from(character));
            }
        }
        for byte in chunk.invalid() {
            let _ = write!(out, "\\x{byte:02x}");
        }
    }
    out
}

fn is_harmless(character: char) -> bool {
    match character {
        '\t' => true,
        // Marks, embeddings, overrides and isolates that change the direction of text.
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => false,
        // Separators that some viewers show as the end of a line.
        '\u{2028}' | '\u{2029}' => false,
        // C0, DEL and C1.
        other => !other.is_control(),
    }
}

#[cfg(test)]
mod tests {
    use super::escape;

    #[test]
    fn ordinary_text_passes_unchanged() {
        for text in ["", "hello", "größe\t日本 🙂", "a \\ b"] {
            assert_eq!(escape(text.as_bytes()), text);
        }
    }

    #[test]
    fn what_a_terminal_would_obey_is_shown_instead() {
        for (raw, shown) in [
            (&b"\x1b[2Jgone"[..], "\\x1b[2Jgone"),
            (b"bell\x07", "bell\\x07"),
            (b"over\rwritten", "over\\x0dwritten"),
            (b"nul\0", "nul\\x00"),
            (b"del\x7f", "del\\x7f"),
            (b"\x9b31m", "\\x9b31m"),
            ("\u{9b}31m".as_bytes(), "\\u{9b}31m"),
            ("\u{202e}gpj.exe".as_bytes(), "\\u{202e}gpj.exe"),
            ("a\u{2028}b".as_bytes(), "a\\u{2028}b"),
            (b"cut \xe2\x82", "cut \\xe2\\x82"),
        ] {
            assert_eq!(escape(raw), shown);
        }
    }

    #[test]
    fn a_line_that_ends_in_carriage_return_loses_it() {
        assert_eq!(escape(b"dos\r"), "dos");
    }
}
