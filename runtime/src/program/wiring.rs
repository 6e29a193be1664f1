//! Whether what a program declares fits together, told before anything starts.

use std::io::IsTerminal;

use bailiwick_supervisor::check::{self, Diagnostic, Diagnostics, Places, Severity, nearest};
use bailiwick_supervisor::spec::System;

use super::Worker;

/// Finds grants of methods that the granted actors do not have. Names of workers and actors are the check's.
pub(super) fn faults(system: &System, workers: &[Worker]) -> Vec<String> {
    let mut faults = Vec::new();
    for grant in &system.grants {
        let Some(to) = workers.iter().find(|worker| worker.name() == grant.to_worker) else { continue };
        let is_meant = |name: &str| grant.to_actor.as_deref().is_none_or(|actor| actor == name);
        let granted = to.actors().iter().filter(|hosted| is_meant(&hosted.actor_name()));
        let protocols: Vec<_> = granted.flat_map(|hosted| hosted.protocols()).collect();
        let known: Vec<&str> =
            protocols.iter().flat_map(|protocol| &protocol.methods).map(|method| method.name).collect();
        for method in grant.methods.iter().flatten().filter(|method| !known.contains(&method.as_str())) {
            let hint = nearest(method, known.iter().copied());
            let hint = hint.map(|name| format!(", did you mean `{name}`?")).unwrap_or_default();
            faults.push(format!(
                "`{}` is granted the method `{method}` of `{}`, which has no such method{hint}",
                grant.from, grant.to_worker
            ));
        }
    }
    faults
}

/// Returns everything that is wrong as text for a person; warnings alone are printed and let pass.
pub(super) fn verdict(system: &System, faults: Vec<String>) -> Result<(), String> {
    let mut found: Vec<Diagnostic> = faults.into_iter().map(Diagnostic::error).collect();
    found.extend(check::system(system));
    found.extend(check::machine(system));
    if found.is_empty() {
        return Ok(());
    }
    let is_refused = found.iter().any(|diagnostic| diagnostic.severity == Severity::Error);
    let colour = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let text = Diagnostics::new("main", "", &Places::default(), found).render(colour);
    if is_refused {
        return Err(text);
    }
    eprint!("{text}");
    Ok(())
}
