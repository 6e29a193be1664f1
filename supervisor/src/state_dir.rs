//! The folder in which one supervisor leaves its lock, its control socket and its state record.

use std::path::PathBuf;

/// Returns where the system called `name` has its state unless it is told otherwise: below
/// `/run/bailiwick` as root, else below `$XDG_RUNTIME_DIR/bailiwick`, else below a folder in the
/// temporary directory that carries the user's number.
pub fn default_path(name: &str) -> PathBuf {
    let uid = nix::unistd::geteuid();
    let base = if uid.is_root() {
        PathBuf::from("/run/bailiwick")
    } else {
        match std::env::var_os("XDG_RUNTIME_DIR").filter(|path| !path.is_empty()) {
            Some(runtime) => PathBuf::from(runtime).join("bailiwick"),
            None => std::env::temp_dir().join(format!("bailiwick-{uid}")),
        }
    };
    base.join(name)
}
