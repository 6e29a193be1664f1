//! `schema`: the manifest as a JSON Schema, for editors.
//!
//! It is written by a test, from what the parser takes: `UPDATE=1 cargo test -p bailiwick-tests --test manifest_reference`.

use crate::exit::{Exit, Failure};
use crate::screen::Screen;

/// Prints it.
pub(crate) fn schema(screen: &Screen) -> Result<Exit, Failure> {
    screen.print(include_str!("schema/manifest.json"));
    Ok(Exit::Done)
}
