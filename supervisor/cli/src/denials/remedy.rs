//! Which line of a manifest allows a system call: read off the policy itself, so that it says what would hold. And which one
//! allows a path.

use std::path::{Component, Path};

use bailiwick_supervisor::check::{self, Severity, escape};
use bailiwick_supervisor::sandbox::filters;
use bailiwick_supervisor::spec::{Exec, System, Worker};
use bailiwick_sys::capability::Capabilities;
use bailiwick_sys::seccomp::line::{CIRCUMSTANCES, Verdict, lines};
use bailiwick_sys::seccomp::policy::UNCOUNTED;
use bailiwick_sys::{Errno, system_call};
use bailiwick_wire::denials::path::{DeniedPath, Place, Want};

/// Returns the lines of a sandbox, each of which allows a call that a sealed worker is denied. None for what no worker of a
/// preset that filters may do, and for what is denied only with certain arguments.
pub(crate) fn of(call: &str) -> Vec<String> {
    let allows = |given: &dyn Fn(&str) -> bool| {
        lines(given).any(|line| line.name == call && line.verdict == Verdict::Allowed)
    };
    if PROGRAMS.contains(&call) {
        return vec!["preset = \"exec\"".to_owned()];
    }
    if UNCOUNTED.contains(&call) {
        // Also of who has a limit of memory that would not count what it makes, and otherwise may.
        return by_name(call).into_iter().collect();
    }
    if allows(&|_| false) {
        return Vec::new();
    }
    let mut remedies = Vec::new();
    for circumstance in CIRCUMSTANCES.iter().filter(|one| allows(&|given| given == **one)) {
        remedies.push(match *circumstance {
            "write" => "read_write_paths = [\"PATH\"]".to_owned(),
            "bind" => "tcp_bind = [PORT]".to_owned(),
            "connect" => "tcp_connect = [PORT]".to_owned(),
            "udp" => "udp_bind = true".to_owned(),
            // Not of a worker of the runtime, or beside the preset's list.
            "command" | "libraries" => continue,
            "wx" => "memory_deny_write_execute = false".to_owned(),
            other => other.to_owned(),
        });
    }
    for name in Capabilities::names().iter().filter(|one| allows(&|given| given == **one)) {
        remedies.push(format!("capabilities = [\"{name}\"]"));
    }
    remedies.extend(by_name(call));
    remedies
}

/// Returns the line that allows a call by its name, where a worker without privilege may have one that does.
fn by_name(call: &str) -> Option<String> {
    let mut worker = Worker::new("any", Exec::Own);
    worker.sandbox.calls.filter = vec![format!("+{call}")];
    let number = system_call::number(call)?;
    let passes = filters(&worker, true).is_ok_and(|stages| stages.allows(number, [0; 6]));
    let found = check::system(&System { workers: vec![worker], ..System::default() });
    let is_refused = found.iter().any(|one| one.severity == Severity::Error);
    (passes && !is_refused).then(|| format!("{FILTER} = [\"+{call}\"]"))
}

/// Returns the line of a sandbox that allows a path, where it is told in full and it is a sandbox that denies it.
pub(crate) fn of_path(denied: &DeniedPath) -> Option<String> {
    let path = Path::new(&denied.text);
    let is_plain = path.is_absolute() && path.components().all(|part| part != Component::ParentDir);
    // What is not written as it is told is not proposed.
    let is_text = escape(&denied.text) == denied.text && !denied.text.contains(char::REPLACEMENT_CHARACTER);
    let is_known = !denied.is_cut && denied.below.is_none() && is_text;
    // What it was granted to be read fails to be written by another error.
    let is_own = denied.place == Place::Granted && denied.errno != Errno::EROFS as u16;
    let (key, path) = match denied.want {
        Want::Read => (READ, path),
        Want::Write => (WRITE, path),
        Want::Name => (WRITE, path.parent()?),
    };
    (is_plain && is_known && !is_own).then(|| line(key, [path]))
}

/// Returns a line of a sandbox that grants paths.
pub(crate) fn line<'p>(key: &str, paths: impl IntoIterator<Item = &'p Path>) -> String {
    let quoted = |path: &Path| {
        format!("{:?}", path.components().collect::<std::path::PathBuf>().display().to_string())
    };
    format!("{key} = [{}]", paths.into_iter().map(quoted).collect::<Vec<_>>().join(", "))
}

/// The keys that grant paths.
pub(crate) const READ: &str = "read_only_paths";
pub(crate) const WRITE: &str = "read_write_paths";

/// The key that names calls.
pub(crate) const FILTER: &str = "system_call_filter";

/// What starts another program.
const PROGRAMS: [&str; 2] = ["execve", "execveat"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_told_for_what_is_known_and_for_what_a_sandbox_denies() {
        let denied = |text: &str| DeniedPath { text: text.into(), errno: 2, ..DeniedPath::default() };
        let line = |path: &str| Some(format!("read_only_paths = [\"{path}\"]"));
        assert_eq!(of_path(&denied("/srv//./www/")), line("/srv/www"));
        for unknown in ["srv", "/srv/../etc", "/\u{fffd}", "/\u{1b}", ""] {
            assert_eq!(of_path(&denied(unknown)), None, "{unknown:?}");
        }
        assert_eq!(of_path(&DeniedPath { is_cut: true, ..denied("/srv") }), None);
        assert_eq!(of_path(&DeniedPath { below: Some(3), ..denied("/srv") }), None);
        let granted = |errno: Errno| DeniedPath {
            errno: errno as u16,
            want: Want::Write,
            place: Place::Granted,
            ..denied("/srv/a")
        };
        assert_eq!(of_path(&granted(Errno::EACCES)), None);
        assert_eq!(of_path(&granted(Errno::EROFS)).as_deref(), Some("read_write_paths = [\"/srv/a\"]"));
        let root = DeniedPath { want: Want::Name, ..denied("/") };
        assert_eq!(of_path(&root), None, "nobody makes the root");
    }

    #[test]
    fn what_a_line_of_the_policy_depends_on_is_named() {
        for (call, remedies) in [
            (
                "connect",
                &["tcp_connect = [PORT]", "udp_bind = true", "system_call_filter = [\"+connect\"]"][..],
            ),
            ("listen", &["tcp_bind = [PORT]", "system_call_filter = [\"+listen\"]"]),
            ("mkdirat", &["read_write_paths = [\"PATH\"]", "system_call_filter = [\"+mkdirat\"]"]),
            ("kill", &["capabilities = [\"CAP_KILL\"]", "system_call_filter = [\"+kill\"]"]),
            ("mlock", &["capabilities = [\"CAP_IPC_LOCK\"]", "system_call_filter = [\"+mlock\"]"]),
            (
                "bind",
                &[
                    "tcp_bind = [PORT]",
                    "udp_bind = true",
                    "capabilities = [\"CAP_NET_ADMIN\"]",
                    "capabilities = [\"CAP_NET_RAW\"]",
                    "system_call_filter = [\"+bind\"]",
                ],
            ),
            ("execve", &["preset = \"exec\""]),
            ("io_uring_setup", &[]),
            ("memfd_create", &["system_call_filter = [\"+memfd_create\"]"]),
            ("prctl", &[]),
        ] {
            assert_eq!(of(call), remedies, "{call}");
        }
    }
}
