//! Arguments of an actor's factory: text from the manifest, decoded by the worker that hosts the actor.

use serde::de::DeserializeOwned;
use thiserror::Error;

/// Arguments as the manifest states them: a TOML value and where it stands.
///
/// ```
/// use bailiwick::Args;
///
/// #[derive(serde::Deserialize)]
/// struct Web { root: String }
///
/// let args = Args::new("{ root = \"/srv/www\" }", 31);
/// assert_eq!(args.decode::<Web>().unwrap().root, "/srv/www");
/// let wrong = Args::new("{ root = 7 }", 31).decode::<Web>().map(|web| web.root).unwrap_err();
/// assert!(wrong.to_string().starts_with("line 31 of the manifest: "), "{wrong}");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Args {
    text: String,
    line: u32,
}

/// Arguments that are not what the factory takes.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ArgsError {
    /// The manifest gives none.
    #[error("the actor `{actor}` takes arguments, the manifest gives none")]
    Missing {
        /// The actor's name.
        actor: String,
    },
    /// The manifest gives some and the factory takes none.
    #[error("line {line} of the manifest: the actor `{actor}` takes no arguments")]
    NotTaken {
        /// The actor's name.
        actor: String,
        /// The line of the manifest.
        line: u32,
    },
    /// They do not have the right form.
    #[error("line {line} of the manifest: {message}")]
    Malformed {
        /// The line of the manifest.
        line: u32,
        /// What is wrong.
        message: String,
    },
}

impl Args {
    /// Makes arguments of a TOML value that stands on line `line` of a manifest.
    #[must_use]
    pub fn new(text: impl Into<String>, line: u32) -> Self {
        Self { text: text.into(), line }
    }

    /// Returns the value as the manifest states it.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Returns the line of the manifest on which they stand.
    pub(crate) fn line(&self) -> u32 {
        self.line
    }

    /// Decodes them.
    ///
    /// # Errors
    /// [`ArgsError::Malformed`] with the line of the manifest.
    pub fn decode<T: DeserializeOwned>(&self) -> Result<T, ArgsError> {
        let malformed = |error: &toml::de::Error| {
            let start = error.span().map_or(0, |span| span.start.min(self.text.len()));
            let lines_before = self.text.as_bytes()[..start].iter().filter(|byte| **byte == b'\n').count();
            let line = self.line.saturating_add(u32::try_from(lines_before).unwrap_or(u32::MAX));
            ArgsError::Malformed { line, message: error.message().trim_end().to_owned() }
        };
        let value = toml::de::ValueDeserializer::parse(&self.text).map_err(|error| malformed(&error))?;
        T::deserialize(value).map_err(|error| malformed(&error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_names_the_line_within_a_value_of_several_lines() {
        let args = Args::new("[\n  1,\n  \"two\",\n]", 10);
        let error = args.decode::<Vec<u8>>().unwrap_err();
        assert!(matches!(error, ArgsError::Malformed { line: 12, .. }), "{error}");
    }
}
