//! Secrets of a worker: keys and passwords that its supervisor handed to it alone.

use std::fmt;
use std::ops::Deref;
use std::str::Utf8Error;
use std::sync::Arc;

use bailiwick_sys::memory::SealedMemory;

/// A secret that the manifest's `load_credential` gives to this worker: bytes that nobody can change, that are in no
/// core, and that this type does not print. See [`Context::credential`](crate::Context::credential).
///
/// ```
/// use bailiwick::prelude::*;
///
/// /// What a worker with `load_credential = { token = "…" }` does when it starts.
/// fn token(cx: &Context) -> Result<String, ActorError> {
///     Ok(cx.credential("token")?.text()?.to_owned())
/// }
/// # let why = token(&Context::detached()).unwrap_err();
/// # assert!(why.to_string().contains("load_credential"), "{why}");
/// ```
#[derive(Clone)]
pub struct Credential(Arc<SealedMemory>);

impl Credential {
    pub(crate) fn new(memory: SealedMemory) -> Self {
        Self(Arc::new(memory))
    }

    /// Returns the bytes as text, without a line end behind them, which editors like to add.
    ///
    /// # Errors
    /// When it is no UTF-8.
    pub fn text(&self) -> Result<&str, Utf8Error> {
        let text = std::str::from_utf8(self)?;
        Ok(text.strip_suffix('\n').unwrap_or(text))
    }
}

impl Deref for Credential {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl AsRef<[u8]> for Credential {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

/// How long it is, and not what.
impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Credential({} bytes)", self.len())
    }
}
