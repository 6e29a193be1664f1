//! Which running system a command is about.

use std::path::{Path, PathBuf};

use bailiwick_supervisor::control::SOCKET_NAME;
use bailiwick_supervisor::{manifest, state_dir};

use crate::arguments::Place;
use crate::exit::Failure;

/// Returns the state directory of the system that is meant.
///
/// # Errors
/// The manifest is refused, or nothing is named and not exactly one system runs.
pub(crate) fn find(place: &Place) -> Result<PathBuf, Failure> {
    if let Some(path) = &place.state_dir {
        return Ok(path.clone());
    }
    if let Some(path) = &place.manifest {
        return Ok(manifest::state_dir(path)?);
    }
    if let Some(name) = &place.system {
        return Ok(state_dir::default_path(name));
    }
    let base = state_dir::default_path("");
    let mut names = running(&base);
    match (names.pop(), names.is_empty()) {
        (None, _) => Err(Failure::NoSystem { base }),
        (Some(only), true) => Ok(base.join(only)),
        (Some(last), false) => {
            names.push(last);
            Err(Failure::SeveralSystems { names })
        }
    }
}

/// Returns the names of the systems that run below the default state directory, sorted.
pub(crate) fn running_here() -> Vec<String> {
    running(&state_dir::default_path(""))
}

/// Returns the names of the systems that have a control socket below a folder, sorted.
fn running(base: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(base).into_iter().flatten().flatten();
    let with_socket = entries.filter(|entry| entry.path().join(SOCKET_NAME).exists());
    let mut names: Vec<String> =
        with_socket.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort();
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_system_is_a_folder_with_a_control_socket() {
        let base = tempfile::tempdir().unwrap();
        for name in ["b", "a", "without"] {
            std::fs::create_dir(base.path().join(name)).unwrap();
        }
        for name in ["a", "b"] {
            std::fs::write(base.path().join(name).join(SOCKET_NAME), "").unwrap();
        }
        assert_eq!(running(base.path()), ["a", "b"]);
        assert_eq!(running(&base.path().join("none")), [""; 0]);
    }

    #[test]
    fn a_named_folder_is_taken_as_it_is() {
        let place = Place { state_dir: Some("/x/y".into()), ..Place::default() };
        assert_eq!(find(&place).unwrap(), Path::new("/x/y"));
    }
}
