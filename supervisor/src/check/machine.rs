//! Whether this machine has what a system asks for: executables, users, paths.

use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use nix::unistd::geteuid;

use super::{Diagnostic, Trust, Untrusted, accounts, quote};
use crate::spec::{Exec, System, Worker};
use crate::{control, state_dir};

/// The longest path of a Unix socket, in bytes.
const MAX_SOCKET_PATH: usize = 107;

/// Checks what the system asks of this machine.
pub(super) fn check(system: &System) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    state_directory(system, &mut found);
    let mut seen = Vec::new();
    for worker in &system.workers {
        // One executable is told about once, however many workers run it.
        if let Exec::Path(path) = &worker.exec
            && !seen.contains(&path)
        {
            seen.push(path);
            executable(worker, path, &mut found);
        }
        accounts(worker, &mut found);
        paths(worker, &mut found);
    }
    found
}

fn state_directory(system: &System, found: &mut Vec<Diagnostic>) {
    let path = system.state_dir.clone().unwrap_or_else(|| state_dir::default_path(&system.name));
    let length = path.join(control::SOCKET_NAME).as_os_str().as_bytes().len();
    if length > MAX_SOCKET_PATH {
        let title = format!(
            "the path of the control socket would be {length} bytes long, the kernel takes {MAX_SOCKET_PATH}"
        );
        let error = Diagnostic::error(title).at_key("supervisor.state_dir", "too long");
        found.push(
            error.note(format!("it would be `{}`", path.display())).help("choose a shorter `state_dir`"),
        );
    }
}

fn executable(worker: &Worker, path: &Path, found: &mut Vec<Diagnostic>) {
    if let Err(error) = Trust::of_this_process().open_executable(path) {
        let error = Diagnostic::error(error.to_string())
            .at_key(format!("worker.{}.exec", worker.name), cause(&error))
            .help(error.advice());
        found.push(error);
    }
}

fn cause(error: &Untrusted) -> &'static str {
    match error {
        Untrusted::Unreadable { error, .. } if error.kind() == std::io::ErrorKind::NotFound => "not there",
        Untrusted::Unreadable { .. } => "cannot be opened",
        Untrusted::NotExecutable { .. } | Untrusted::NotAFile { .. } => "not a program",
        _ => "must be in the hands of root or of the supervisor's user",
    }
}

fn accounts(worker: &Worker, found: &mut Vec<Diagnostic>) {
    let key = |key: &str| format!("worker.{}.sandbox.{key}", worker.name);
    let sandbox = &worker.sandbox;
    if let Some(name) = &sandbox.user {
        let uid = accounts::user_id(name);
        if uid.is_none() {
            let help = "create it, or remove `user`: as root each worker has a uid of its own";
            found.push(unknown("user", name, key("user")).help(help));
        } else if !geteuid().is_root() && uid != Some(geteuid().as_raw()) {
            let title = format!("worker `{}` cannot run as {}", worker.name, quote(name));
            let error = Diagnostic::error(title).at_key(key("user"), "only root can switch users");
            found.push(error.help("run the supervisor as root, or remove `user`"));
        }
    }
    if let Some(name) = &sandbox.group
        && accounts::group_id(name).is_none()
    {
        found.push(unknown("group", name, key("group")).help("create it, or remove `group`"));
    }
    if geteuid().is_root() {
        return;
    }
    for (index, name) in sandbox.capabilities.iter().enumerate() {
        let title = format!("worker `{}` cannot be given {}", worker.name, quote(name));
        let error =
            Diagnostic::error(title).at_key(key(&format!("capabilities[{index}]")), "only root can grant it");
        found.push(error.help("run the supervisor as root, or remove the capability"));
    }
}

fn unknown(what: &str, name: &str, key: String) -> Diagnostic {
    Diagnostic::error(format!("this machine has no {what} {}", quote(name))).at_key(key, "unknown")
}

fn paths(worker: &Worker, found: &mut Vec<Diagnostic>) {
    let sandbox = &worker.sandbox;
    for (key, list) in
        [("read_only_paths", &sandbox.read_only_paths), ("read_write_paths", &sandbox.read_write_paths)]
    {
        for (index, path) in list.iter().enumerate() {
            missing(&format!("worker.{}.sandbox.{key}[{index}]", worker.name), path, found);
        }
    }
    if let Some(path) = &worker.working_directory {
        missing(&format!("worker.{}.working_directory", worker.name), path, found);
    }
}

fn missing(key: &str, path: &Path, found: &mut Vec<Diagnostic>) {
    if let Err(error) = path.metadata() {
        let title = format!("cannot grant `{}`: {error}", path.display());
        let help = "create it, or correct the path; a relative one starts at the manifest's folder";
        found.push(Diagnostic::error(title).at_key(key, "not there").help(help));
    }
}
