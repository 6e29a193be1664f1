//! The manifest: one TOML file, read once, turned into a `spec::System` or into errors that a person can act on.
//!
//! Invariants: a key is either read or refused, never ignored; several errors are told in one run, in
//! the order of the text; whatever the file holds, reading it ends in a system or in an error with a place.

mod diagnostic;

pub use diagnostic::{Diagnostic, Diagnostics, Label, Place, Places, Severity, line_of, quote};

use std::path::{Path, PathBuf};

use crate::spec::System;

/// How a manifest is to be read.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Start although a floor of the sandbox is missing on this machine.
    pub allow_degraded: bool,
    /// A state directory that overrides the manifest's.
    pub state_dir: Option<PathBuf>,
}

/// A manifest that may be run.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// What is to be supervised.
    pub system: System,
    /// What the operator should know nevertheless.
    pub warnings: Diagnostics,
}

/// Reads, parses and checks a manifest.
///
/// # Errors
/// The diagnostics hold at least one error: the file cannot be read or is not trustworthy, its text is
/// no valid manifest, or what it asks for cannot be had.
pub fn load(path: &Path, options: &Options) -> Result<Loaded, Diagnostics> {
    let name = path.display().to_string();
    let failed =
        |title: String| Diagnostics::new(&name, "", &Places::default(), vec![Diagnostic::error(title)]);
    let text = std::fs::read_to_string(path).map_err(|error| failed(format!("cannot read it: {error}")))?;
    let system = System {
        name: path.file_stem().unwrap_or_default().to_string_lossy().into_owned(),
        allow_degraded: options.allow_degraded,
        state_dir: options.state_dir.clone(),
        ..System::default()
    };
    Ok(Loaded { system, warnings: Diagnostics::new(&name, &text, &Places::default(), Vec::new()) })
}
