//! What a user's own code may fail with: any error, kept with its chain of causes.

use std::error::Error;
use std::fmt;

/// An error of a user's function: `main`, `started`, `reconfigure`.
///
/// Any error becomes one by `?`. It does not implement [`Error`] itself, so that the conversion can be general.
///
/// ```
/// use bailiwick::ActorError;
///
/// fn port(text: &str) -> Result<u16, ActorError> {
///     Ok(text.parse()?)
/// }
/// assert_eq!(port("http").unwrap_err().to_string(), "invalid digit found in string");
/// ```
pub struct ActorError(Box<dyn Error + Send + Sync>);

impl ActorError {
    /// Makes an error of a plain sentence.
    ///
    /// ```
    /// assert_eq!(bailiwick::ActorError::message("no listener is kept").to_string(), "no listener is kept");
    /// ```
    #[must_use]
    pub fn message(text: impl Into<String>) -> Self {
        Self(text.into().into())
    }

    /// Returns the error that was converted.
    #[must_use]
    pub fn as_error(&self) -> &(dyn Error + Send + Sync + 'static) {
        &*self.0
    }
}

impl<E: Error + Send + Sync + 'static> From<E> for ActorError {
    fn from(error: E) -> Self {
        Self(Box::new(error))
    }
}

/// Writes the whole chain, the outermost error first, joined by `: `.
impl fmt::Display for ActorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

/// The same as `Display`: what `main` returns is printed with `Debug`.
impl fmt::Debug for ActorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
