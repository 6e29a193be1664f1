//! What a worker finds in its environment, variables that the manifest sets and those that it passes on, and what does not
//! belong there: its secrets.

use bailiwick_wire::control::is_kept_name;

use super::fields::Fields;
use super::values::FromToml;
use crate::check::{Diagnostic, quote};
use crate::spec::Worker;

/// Reads the variables of a worker.
pub(super) fn read(fields: &mut Fields<'_, '_>, worker: &mut Worker) {
    for (name, value) in fields.free("environment") {
        if let Some(bad) = fault(name.get_ref()) {
            let title = format!("{} cannot be set in the environment", quote(name.get_ref()));
            fields.reader.refuse(Diagnostic::error(title).at(name.span(), bad).help("choose another name"));
            continue;
        }
        let key = format!("{}.environment.{}", fields.path, name.get_ref());
        if let Some(value) = FromToml::from_toml(value, &key, fields.reader) {
            worker.environment.insert(name.get_ref().clone().into_owned(), value);
        }
    }
    fields.set("pass_environment", &mut worker.pass_environment);
    for (index, name) in worker.pass_environment.iter().enumerate() {
        let bad = fault(name).or_else(|| {
            let own = SUPERVISORS.contains(&name.as_str());
            own.then_some("it tells the supervisor itself what it is, or to whom to report")
        });
        let (bad, help) = if let Some(bad) = bad {
            (bad, "remove it")
        } else if worker.environment.contains_key(name) {
            ("`environment` sets it", "remove one of the two")
        } else if worker.pass_environment[..index].contains(name) {
            ("the second time", "remove one of the two")
        } else {
            continue;
        };
        let error = Diagnostic::error(format!("{} cannot be passed to `{}`", quote(name), worker.name));
        let key = fields.key(&format!("pass_environment[{index}]"));
        fields.reader.refuse(error.at_key(key, bad).help(help));
    }
}

/// Reads the secrets of a worker.
pub(super) fn credentials(fields: &mut Fields<'_, '_>, worker: &mut Worker) {
    let entries = fields.free("load_credential");
    if entries.len() > CREDENTIALS_MAX {
        let title = format!("{} credentials, the limit is {CREDENTIALS_MAX}", entries.len());
        let error = Diagnostic::error(title).at_key(fields.key("load_credential"), "too many");
        fields.reader.refuse(error);
    }
    for (name, value) in entries {
        let key = format!("{}.load_credential.{}", fields.path, name.get_ref());
        if !is_kept_name(name.get_ref()) {
            let error = Diagnostic::error(format!("{} is no name for a credential", quote(name.get_ref())));
            let expected = "expected 1 to 32 letters, digits, `_`, `-` and `.`";
            fields.reader.refuse(error.at(name.span(), expected).help("choose another name"));
        } else if let Some(path) = FromToml::from_toml(value, &key, fields.reader) {
            fields.reader.places.insert(key, value.span());
            worker.credentials.insert(name.get_ref().clone().into_owned(), path);
        }
    }
}

/// Returns why no worker can have a variable of this name.
fn fault(name: &str) -> Option<&'static str> {
    if name.is_empty() || name.contains(['=', '\0']) {
        Some("a variable's name has no `=` and no NUL")
    } else if name.starts_with("BAILIWICK_") {
        Some("variables with this prefix are the supervisor's own")
    } else {
        None
    }
}

/// The most secrets of one worker: they travel in one packet, with other descriptors.
const CREDENTIALS_MAX: usize = 8;

/// Variables that are meant for the supervisor's process alone.
const SUPERVISORS: [&str; 6] =
    ["LISTEN_FDNAMES", "LISTEN_FDS", "LISTEN_PID", "NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC"];
