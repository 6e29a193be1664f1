//! The manifest: one TOML file, read once, turned into a `spec::System` or into errors that a person can act on.
//!
//! Invariants: a key is either read or refused, never ignored; several errors are told in one run, in
//! the order of the text; whatever the file holds, reading it ends in a system or in an error with a place.

mod actor;
mod admin;
mod confinement;
mod contradictions;
mod environment;
mod fields;
mod file_view;
mod grant;
mod limits;
mod listen;
mod names;
mod operator;
mod program;
mod reading;
mod source;
mod system;
mod trust_domain;
mod values;
mod vocabulary;
mod worker;

pub(crate) use admin::places;
pub use names::{is_name, is_reserved};
pub use reading::{Origin, Reading};
pub use values::parse_duration as duration;

use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};
use toml::de::DeTable;

use crate::check::{self, Diagnostic, Diagnostics, Places, Severity};
use crate::spec::System;
use crate::state_dir;

/// How a manifest is to be read.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Start although a floor of the sandbox is missing on this machine.
    pub allow_degraded: bool,
    /// A state directory that overrides the manifest's.
    pub state_dir: Option<PathBuf>,
}

impl Options {
    fn apply(&self, system: &mut System) {
        system.allow_degraded |= self.allow_degraded;
        if self.state_dir.is_some() {
            system.state_dir.clone_from(&self.state_dir);
        }
    }
}

/// A manifest that may be run.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// What is to be supervised.
    pub system: System,
    /// What the operator should know nevertheless.
    pub warnings: Diagnostics,
    /// The text, so that what is found later can point into it.
    pub text: Text,
}

/// A manifest's text and where everything stands in it.
#[derive(Clone, Debug)]
pub struct Text {
    path: String,
    text: String,
    places: Places,
}

/// Reads, parses and checks a manifest.
///
/// # Errors
/// The diagnostics hold at least one error: the file cannot be read or is not trustworthy, its text is
/// no valid manifest, or what it asks for cannot be had.
pub fn load(path: &Path, options: &Options) -> Result<Loaded, Diagnostics> {
    let (mut system, text, mut found) = read(path)?;
    if !is_refused(&found) {
        options.apply(&mut system);
        found.extend(check::machine(&system));
    }
    let refused = is_refused(&found);
    let diagnostics = text.diagnostics(found);
    if refused { Err(diagnostics) } else { Ok(Loaded { system, warnings: diagnostics, text }) }
}

/// Returns the state directory that a manifest names, or the default of its system. Whether this machine
/// has what the manifest asks for does not matter.
///
/// # Errors
/// As for [`load`], without the machine.
pub fn state_dir(path: &Path) -> Result<PathBuf, Diagnostics> {
    let (system, text, found) = read(path)?;
    if is_refused(&found) {
        return Err(text.diagnostics(found));
    }
    Ok(system.state_dir.unwrap_or_else(|| state_dir::default_path(&system.name)))
}

fn read(path: &Path) -> Result<(System, Text, Vec<Diagnostic>), Diagnostics> {
    let source = source::read(path)?;
    let digest = Sha256::digest(&source.text).into();
    let (mut system, text, found) = parse(path, &source.folder, source.text);
    system.manifest = Some(digest);
    Ok((system, text, found))
}

/// Parses a manifest's text and checks what can be known from it alone. `path` is how it is called in
/// what is found; paths in it resolve against `folder`. The system means something only if no error was found.
pub fn parse(path: &Path, folder: &Path, text: String) -> (System, Text, Vec<Diagnostic>) {
    let (table, errors) = DeTable::parse_recoverable(&text);
    let mut reader = fields::Reader::new(&text, folder);
    if !errors.is_empty() {
        let found = source::syntax(&text, &errors);
        let text = Text { path: path.display().to_string(), text, places: Places::default() };
        return (System::default(), text, found);
    }
    let name = path.file_stem().and_then(|stem| stem.to_str()).filter(|name| names::is_name(name));
    let system = system::read(&mut reader, table.get_ref(), name.unwrap_or("system"));
    let (mut found, places) = (reader.found, reader.places);
    found.extend(check::system(&system));
    (system, Text { path: path.display().to_string(), text, places }, found)
}

/// Tells whether at least one of the diagnostics is an error.
fn is_refused(found: &[Diagnostic]) -> bool {
    found.iter().any(|diagnostic| diagnostic.severity == Severity::Error)
}

impl Text {
    /// Puts diagnostics in the order of the text and gives them their places in it.
    pub fn diagnostics(&self, found: Vec<Diagnostic>) -> Diagnostics {
        Diagnostics::new(&self.path, &self.text, &self.places, found)
    }
}
