//! Why no project was written, and what to do about it.

use std::io;
use std::path::PathBuf;

use bailiwick_supervisor::check::escape;
use thiserror::Error;

use super::writing::Unfinished;
use crate::exit::Exit;

/// Why no project was written. Unless it says otherwise, nothing of it is left.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum NoProject {
    /// The folder has something already.
    #[error("{folder} is not empty, and nothing was written: it has {entries}", folder = shown(.folder), entries = list(.entries))]
    NotEmpty {
        /// The folder.
        folder: PathBuf,
        /// What it has.
        entries: Vec<String>,
    },
    /// A project cannot be called so.
    #[error("`{name}` is no name for a project: {flaw}")]
    Name {
        /// The name, escaped.
        name: String,
        /// What is wrong with it.
        flaw: &'static str,
        /// A name that is like it and is one.
        instead: String,
    },
    /// A folder that is named as a clone of Bailiwick is none.
    #[error("{path} is no clone of Bailiwick: it has no runtime/Cargo.toml of the crate `bailiwick`", path = shown(.path))]
    NoClone {
        /// The folder.
        path: PathBuf,
    },
    /// Nothing says where the runtime is.
    #[error("no clone of Bailiwick is known, and the runtime is not on crates.io yet")]
    NoRuntime,
    /// Something could not be written.
    #[error("{path}: {error}; {left}", path = shown(.path), left = remains(.left))]
    Unfinished {
        /// What was to be made.
        path: PathBuf,
        /// The kernel's error.
        error: io::Error,
        /// What was made before and could not be removed again.
        left: Vec<PathBuf>,
    },
}

impl NoProject {
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Name { .. } | Self::NoClone { .. } | Self::NoRuntime => Exit::Usage,
            Self::NotEmpty { .. } | Self::Unfinished { .. } => Exit::Failed,
        }
    }

    pub(crate) fn advice(&self) -> Option<String> {
        match self {
            Self::NotEmpty { .. } => {
                Some("name a folder that is not there yet, as `bailiwick init shop`, or an empty one".into())
            }
            Self::Name { instead, .. } => Some(format!("for example: --name {instead}")),
            Self::NoClone { .. } | Self::NoRuntime => {
                Some("say where a clone of Bailiwick is: --path CLONE".into())
            }
            Self::Unfinished { .. } => None,
        }
    }
}

impl From<Unfinished> for NoProject {
    fn from(unfinished: Unfinished) -> Self {
        let Unfinished { path, error, left } = unfinished;
        Self::Unfinished { path, error, left }
    }
}

fn shown(path: &std::path::Path) -> String {
    escape(&path.to_string_lossy())
}

/// Returns the first few names.
fn list(names: &[String]) -> String {
    let shown: Vec<_> = names.iter().take(SHOWN_MAX).map(|name| escape(name)).collect();
    let rest = names.len().saturating_sub(SHOWN_MAX);
    if rest == 0 { shown.join(", ") } else { format!("{} and {rest} more", shown.join(", ")) }
}

fn remains(paths: &[PathBuf]) -> String {
    if paths.is_empty() {
        return "what was written before was removed again".into();
    }
    let paths: Vec<_> = paths.iter().map(|path| path.to_string_lossy().into_owned()).collect();
    format!("what was written before could not be removed: {}", list(&paths))
}

/// How many names are shown.
const SHOWN_MAX: usize = 5;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_the_way_is_named_up_to_a_few() {
        let of = |names: &[&str]| {
            let entries = names.iter().map(|name| (*name).to_owned()).collect();
            NoProject::NotEmpty { folder: "shop".into(), entries }.to_string()
        };
        let said = "shop is not empty, and nothing was written: it has ";
        assert_eq!(of(&["a"]), format!("{said}a"));
        assert_eq!(of(&["a", "b", "c", "d", "e"]), format!("{said}a, b, c, d, e"));
        assert_eq!(of(&["a", "b", "c", "d", "e", "f", "g"]), format!("{said}a, b, c, d, e and 2 more"));
    }
}
