//! Whether only workers share memory that may: none that holds a privilege.

use super::Diagnostic;
use crate::spec::{System, Worker};

/// Checks who is in a trust domain.
///
/// Of two ends that share memory, either reads what the other may change at any time; and the kernel, which says of each
/// packet of a socket who sent it, says nothing of memory. So nobody who holds a privilege takes messages that way, not even
/// from its equal.
pub(super) fn check(system: &System) -> Vec<Diagnostic> {
    system.workers.iter().filter_map(member).collect()
}

fn member(worker: &Worker) -> Option<Diagnostic> {
    let domain = worker.trust_domain.as_ref()?;
    let (name, path) = (&worker.name, format!("worker.{}", worker.name));
    if worker.command.is_some() {
        let error = Diagnostic::error(format!("the foreign program of worker `{name}` has no links"));
        let error = error.at_key(format!("{path}.trust_domain"), "is about links");
        return Some(error.help("remove it"));
    }
    if !worker.holds_privilege() {
        return None;
    }
    let title = format!("worker `{name}` holds a privilege, and would share memory in `{}`", domain.name);
    let error = Diagnostic::error(title)
        .at_key(format!("{path}.trust_domain"), "its peers write what it reads")
        .at_key_if_written(format!("{path}.privileged"), "a privilege")
        .at_key_if_written(format!("{path}.sandbox.capabilities"), "privileges");
    Some(error.help(
        "remove it: links to whoever holds a privilege are sockets, of which the kernel says who sends",
    ))
}
