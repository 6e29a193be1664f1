//! The four kinds of picture that the gallery takes, by extension and by first bytes.

use bailiwick::prelude::*;

/// A kind of picture.
#[message]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Png,
    Jpeg,
    Gif,
    WebP,
}

/// How many first bytes [`Format::of_first_bytes`] looks at.
pub(crate) const FIRST_BYTES: usize = 12;

impl Format {
    /// Returns the format that a file's extension names, in any case of letters.
    pub(crate) fn of_extension(extension: &str) -> Option<Self> {
        match extension.to_ascii_lowercase().as_str() {
            "png" => Some(Self::Png),
            "jpg" | "jpeg" => Some(Self::Jpeg),
            "gif" => Some(Self::Gif),
            "webp" => Some(Self::WebP),
            _ => None,
        }
    }

    /// Returns the format whose signature `bytes` begin with.
    pub(crate) fn of_first_bytes(bytes: &[u8]) -> Option<Self> {
        if bytes.starts_with(b"\x89PNG\r\n\x1a\n") {
            Some(Self::Png)
        } else if bytes.starts_with(b"\xff\xd8\xff") {
            Some(Self::Jpeg)
        } else if bytes.starts_with(b"GIF87a") || bytes.starts_with(b"GIF89a") {
            Some(Self::Gif)
        } else if bytes.starts_with(b"RIFF") && bytes.get(8..FIRST_BYTES) == Some(b"WEBP") {
            Some(Self::WebP)
        } else {
            None
        }
    }

    /// Returns the media type for `Content-Type`.
    pub(crate) fn media_type(self) -> &'static str {
        match self {
            Self::Png => "image/png",
            Self::Jpeg => "image/jpeg",
            Self::Gif => "image/gif",
            Self::WebP => "image/webp",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extension_counts_in_any_case() {
        assert_eq!(Format::of_extension("JPG"), Some(Format::Jpeg));
        assert_eq!(Format::of_extension("WebP"), Some(Format::WebP));
        assert_eq!(Format::of_extension("svg"), None);
        assert_eq!(Format::of_extension(""), None);
    }

    #[test]
    fn a_riff_file_that_is_not_webp_is_no_picture() {
        assert_eq!(Format::of_first_bytes(b"RIFF\x10\0\0\0WEBPVP8 "), Some(Format::WebP));
        assert_eq!(Format::of_first_bytes(b"RIFF\x10\0\0\0WAVEfmt "), None);
        assert_eq!(Format::of_first_bytes(b"RIFF"), None);
        assert_eq!(Format::of_first_bytes(b""), None);
    }
}
