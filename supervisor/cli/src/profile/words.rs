//! The profile of a worker as a person reads it.

use super::calls::{Call, Calls};
use super::terms::{Supervisor, Term};
use super::{Edge, Profile};
use crate::words::wrapped;

/// Returns what holds for all workers of a system together.
pub(super) fn supervisor(name: &str, told: &Supervisor) -> String {
    let mut page = Page::default();
    page.title(&format!("{name}: the supervisor"));
    page.terms("terms", &told.terms);
    page.rows("listeners", told.listeners.iter().cloned());
    page.rows("manifest", told.manifest.iter().map(|digest| format!("SHA-256 {digest}")));
    page.text
}

/// Returns the page of one worker; with every system call and its reason if `all_calls`.
pub(super) fn text(profile: &Profile, all_calls: bool) -> String {
    let mut page = Page::default();
    page.title(&title(profile));
    page.rows("executes", [profile.executes.clone()]);
    page.rows("identity", identity(profile));
    page.rows("namespaces", namespaces(profile));
    let path = |path: &super::paths::Path| format!("{:<10} {}  ({})", path.access, path.path, path.why);
    page.rows("paths", or(profile.paths.iter().map(path), "none: no file system but what is handed to it"));
    page.rows("tcp", tcp(profile));
    page.rows("udp", profile.udp_bind.then(|| "binds any port".to_owned()));
    page.rows("limits", profile.limits.iter().map(limit));
    page.rows("calls", calls(&profile.system_calls, all_calls));
    page.rows("its keys", profile.confinement.iter().map(term));
    page.rows("environment", or(profile.environment.iter().cloned(), "empty"));
    page.rows("variables", profile.variables.iter().cloned());
    page.rows("credentials", profile.credentials.iter().cloned());
    page.rows("descriptors", profile.descriptors.iter().cloned());
    let may = profile.may.iter().map(|may| format!("may {may}"));
    page.rows("may call", or(profile.calls.iter().map(|edge| self::edge(edge, false)), "nobody").chain(may));
    page.rows("called by", or(profile.called_by.iter().map(|edge| self::edge(edge, true)), "nobody"));
    for hosted in &profile.actors {
        page.rows("actor", [format!("{}: {}", hosted.actor, hosted.type_name)]);
        page.terms("", &hosted.terms);
    }
    page.terms("life", &profile.terms);
    for around in &profile.groups {
        let name = around.group.as_ref().map_or("the root group".to_owned(), |name| format!("group {name}"));
        page.rows("in", [name]);
        page.terms("", &around.terms);
    }
    page.rows("LACKS HERE", profile.missing_here.iter().cloned());
    page.text
}

/// Lines with a name before the first of each group.
#[derive(Default)]
struct Page {
    text: String,
}

impl Page {
    fn title(&mut self, title: &str) {
        self.text.push_str(&format!("{title}\n"));
    }

    fn rows(&mut self, name: &str, rows: impl IntoIterator<Item = String>) {
        let mut name = name;
        for row in rows {
            self.text.push_str(&format!("  {name:<12} {row}\n"));
            name = "";
        }
    }

    /// Adds terms: those that are said one a row, the others together.
    fn terms(&mut self, name: &str, terms: &[Term]) {
        let (said, usual): (Vec<&Term>, Vec<&Term>) = terms.iter().partition(|term| term.declared);
        self.rows(name, said.iter().map(|one| term(one)));
        let name = if said.is_empty() { name } else { "" };
        // A line does not end within a term.
        let usual: Vec<String> = usual.into_iter().map(|one| term(one).replace(' ', JOINED)).collect();
        if !usual.is_empty() {
            let text = wrapped(&format!("  {name:<12} "), &format!("by default {}", usual.join(", ")));
            self.text.push_str(&text.replace(JOINED, " "));
        }
    }
}

/// Stands for a space at which no line ends.
const JOINED: &str = "\u{1}";

fn term(term: &Term) -> String {
    format!("{} = {}", term.key, term.value)
}

fn or<'a>(rows: impl Iterator<Item = String> + 'a, none: &str) -> impl Iterator<Item = String> + 'a {
    let mut rows = rows.peekable();
    let none = rows.peek().is_none().then(|| none.to_owned());
    none.into_iter().chain(rows)
}

fn title(profile: &Profile) -> String {
    let mut parts = vec![format!("preset {}", profile.preset)];
    if profile.privileged {
        parts.push("PRIVILEGED".into());
    }
    if profile.foreign {
        parts.push("a foreign program".into());
    }
    if profile.processes > 1 {
        parts.push(format!("up to {} processes", profile.processes));
    }
    format!("{}: {}", profile.worker, parts.join(", "))
}

fn identity(profile: &Profile) -> Vec<String> {
    let who = &profile.identity;
    let group = who.group.as_ref().map(|group| format!(", group {group}")).unwrap_or_default();
    let groups = match who.supplementary_groups.as_slice() {
        [] => String::new(),
        some => format!(", also in {}", some.join(", ")),
    };
    let capabilities = match who.capabilities.as_slice() {
        [] => "no capabilities".to_owned(),
        some => format!("keeps {}, and no other capability", some.join(", ")),
    };
    let gains = match who.no_new_privileges {
        true => "gains nothing from what it executes",
        false => "MAY GAIN privilege by executing programs",
    };
    let memory = match who.dumpable {
        true => "its memory may be read by its user and written to a core",
        false => "its memory is closed to its user, and never a core",
    };
    let user = format!("{}{group}{groups}: {}", who.user, who.why);
    vec![user, capabilities, gains.into(), memory.into(), who.keyring.into()]
}

fn namespaces(profile: &Profile) -> Vec<String> {
    let told = [
        ("not the supervisor's: ", &profile.namespaces.own),
        ("shared with the supervisor: ", &profile.namespaces.shared),
        ("it does not start without: ", &profile.namespaces.required),
        ("its manifest gives up: ", &profile.namespaces.given_up),
    ];
    let named = told.into_iter().filter(|(_, list)| !list.is_empty());
    named.map(|(what, list)| format!("{what}{}", list.join(", "))).collect()
}

fn tcp(profile: &Profile) -> Vec<String> {
    let tcp = &profile.tcp;
    if !tcp.bounded {
        return vec!["any port: nothing bounds them".into()];
    }
    let ports = |verb: &str, list: &[u16]| {
        let list: Vec<String> = list.iter().map(u16::to_string).collect();
        format!("{verb} {}", if list.is_empty() { "no port".into() } else { list.join(", ") })
    };
    vec![ports("binds", &tcp.bind), ports("connects to", &tcp.connect)]
}

fn limit(limit: &super::limits::Limit) -> String {
    let default = if limit.declared { "" } else { ", by default" };
    // Permissions are read in octal digits.
    let value = if limit.key == "umask" { format!("{:04o}", limit.value) } else { limit.value.to_string() };
    format!("{} = {value}{default}  ({})", limit.key, limit.by)
}

fn calls(calls: &Calls, all: bool) -> Vec<String> {
    let mut rows = Vec::new();
    let kinds = [
        ("allowed", &calls.allowed),
        ("refused (EPERM)", &calls.refused),
        ("absent (ENOSYS)", &calls.absent),
        ("killed", &calls.killed),
    ];
    for (what, list) in kinds.into_iter().filter(|(_, list)| !list.is_empty()) {
        rows.push(format!("{what}: {}", count(list)));
        if all {
            rows.extend(by_reason(list));
        } else if what == "allowed" && !calls.beyond_sealed.is_empty() {
            rows.push(format!("  beyond what every sealed worker has: {}", calls.beyond_sealed.join(", ")));
        }
    }
    rows.push(format!("every other call {}", calls.others));
    if !all {
        rows.push("--system-calls shows each with its reason".into());
    }
    rows
}

/// Counts calls, not the lines about them.
fn count(list: &[Call]) -> String {
    let names: std::collections::BTreeSet<&str> = list.iter().map(|call| call.name).collect();
    if names.len() == 1 { "1 call".to_owned() } else { format!("{} calls", names.len()) }
}

/// Returns the names that have a reason in common, in the order of the policy.
fn by_reason(list: &[Call]) -> Vec<String> {
    let mut reasons: Vec<(&str, Vec<&str>)> = Vec::new();
    for call in list {
        match reasons.iter_mut().find(|(reason, _)| *reason == call.reason) {
            Some((_, names)) => names.push(call.name),
            None => reasons.push((call.reason, vec![call.name])),
        }
    }
    reasons.into_iter().map(|(reason, names)| format!("  {}: {reason}", names.join(", "))).collect()
}

fn edge(edge: &Edge, inward: bool) -> String {
    let methods = edge.methods.as_ref().map_or_else(|| "every method".into(), |methods| methods.join(", "));
    let terms = edge.terms.iter().map(|term| format!("; {term}")).collect::<String>();
    match (&edge.actor, inward) {
        (Some(actor), false) => format!("{}/{actor}: {methods}{terms}", edge.worker),
        (Some(actor), true) => format!("{}: {methods} of {actor}{terms}", edge.worker),
        (None, false) => format!("{}: {methods}{terms}", edge.worker),
        (None, true) => format!("{}: {methods} of every actor{terms}", edge.worker),
    }
}
