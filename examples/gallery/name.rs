//! What may be the name of a picture: one component of a path, and of a known extension.

use bailiwick::prelude::*;
use thiserror::Error;

use crate::format::Format;

/// The longest name in bytes, which is also what most file systems take.
pub(crate) const NAME_BYTES_MAX: usize = 255;

/// The name of a picture directly below the folder. It can be joined to nothing but that folder.
///
/// As a message it is checked where it arrives: who sends it may have been taken over.
#[message]
#[serde(try_from = "String", into = "String")]
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct PictureName {
    text: String,
}

/// Why a text is not the name of a picture.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub(crate) enum NameError {
    #[error("the name has {bytes} bytes, allowed are 1 to {NAME_BYTES_MAX}")]
    Length { bytes: usize },
    #[error("the name has the character {found:?}")]
    Character { found: char },
    #[error("the name begins with a dot")]
    Hidden,
    #[error("the name does not end in .png, .jpg, .jpeg, .gif or .webp")]
    Extension,
}

impl PictureName {
    /// Checks `text`.
    ///
    /// # Errors
    /// One of [`NameError`], with what was found.
    pub(crate) fn parse(text: &str) -> Result<Self, NameError> {
        if text.is_empty() || text.len() > NAME_BYTES_MAX {
            return Err(NameError::Length { bytes: text.len() });
        }
        if let Some(found) = text.chars().find(|c| is_dangerous(*c)) {
            return Err(NameError::Character { found });
        }
        // This rules out `.` and `..`, and the files that an upload is written to.
        if text.starts_with('.') {
            return Err(NameError::Hidden);
        }
        let name = Self { text: text.to_owned() };
        if name.extension_format().is_none() { Err(NameError::Extension) } else { Ok(name) }
    }

    /// Returns the name as text.
    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns the format that the name announces.
    pub(crate) fn format(&self) -> Format {
        self.extension_format().expect("parse refused every name without a known extension")
    }

    fn extension_format(&self) -> Option<Format> {
        self.text.rsplit_once('.').and_then(|(_, extension)| Format::of_extension(extension))
    }
}

impl TryFrom<String> for PictureName {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        Self::parse(&text)
    }
}

impl From<PictureName> for String {
    fn from(name: PictureName) -> Self {
        name.text
    }
}

/// Tells whether a character separates paths, controls a terminal or turns the direction of text.
fn is_dangerous(c: char) -> bool {
    c.is_control()
        || matches!(c, '/' | '\\' | '\u{61c}' | '\u{200e}' | '\u{200f}')
        || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_names_of_people_are_taken() {
        for name in ["cat.png", "Zürich 2026.JPG", "a.b.c.webp", "日本.gif", "100%?&<x>.jpeg"] {
            assert_eq!(PictureName::parse(name).expect(name).as_str(), name);
        }
    }

    #[test]
    fn names_that_lead_elsewhere_are_refused() {
        for name in ["../cat.png", "a/b.png", "/etc/x.png", "..", ".", ".hidden.png", "a\\b.png"] {
            assert!(PictureName::parse(name).is_err(), "{name}");
        }
        assert_eq!(PictureName::parse("a\0.png"), Err(NameError::Character { found: '\0' }));
        assert_eq!(PictureName::parse("a\u{202e}gnp.png"), Err(NameError::Character { found: '\u{202e}' }));
    }

    #[test]
    fn only_pictures_have_names() {
        for name in ["passwd", "x.svg", "x.html", "png", "x.png.exe"] {
            assert_eq!(PictureName::parse(name), Err(NameError::Extension), "{name}");
        }
    }

    #[test]
    fn length_is_limited_to_what_a_file_system_takes() {
        let name = |bytes: usize| format!("{}.png", "a".repeat(bytes - 4));
        assert!(PictureName::parse(&name(NAME_BYTES_MAX)).is_ok());
        assert_eq!(PictureName::parse(&name(256)), Err(NameError::Length { bytes: 256 }));
        assert_eq!(PictureName::parse(""), Err(NameError::Length { bytes: 0 }));
    }
}
