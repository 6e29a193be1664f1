//! Text within a limit.

/// Returns the beginning of `text` that fits into so many bytes, in whole characters.
pub(crate) fn cut(text: &str, bytes: usize) -> String {
    text[..text.floor_char_boundary(bytes)].to_owned()
}
