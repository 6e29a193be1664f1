//! What the admin worker may send: its own looks at every worker, and, as `from = "operator"`, what those may who ask actors from outside.
//!
//! Nobody is called `operator`. Its grants are the admin worker's, so that they are enforced where all are: in the receiver's table
//! of slots, by which a method that is not granted cannot be named.

use std::time::Duration;

use super::admin::{NAME, TOKEN};
use super::fields::Fields;
use crate::check::{Diagnostic, nearest, quote};
use crate::spec::{Grant, INTROSPECT, Once, Rate, System, Worker};

/// The sender that stands for whoever asks from outside.
const OPERATOR: &str = "operator";

/// How often the admin worker may ask the runtime of each worker: whoever took it over could not keep them busy with that.
const LOOKS: Rate = Rate { messages: 20, period: Duration::from_secs(1) };
/// How many of these questions may be open at a time.
const LOOKS_INFLIGHT: u32 = 4;

/// How a worker stands: what the admin worker always asks.
const LOOK: &str = "look";
/// What a method takes, without which nobody writes its arguments.
const DESCRIBE: &str = "describe";
/// What one actor says of its state.
const INSPECT: &str = "inspect";
/// What actors handle, as they handle it.
const TRACE: &str = "trace";
/// How many traces may be open besides, which last: as many as the runtime of a worker has at a time.
const TRACES_INFLIGHT: u32 = 4;

/// Gives the admin worker, if there is one, what it sends itself and what the operator may.
pub(super) fn take(top: &mut Fields<'_, '_>, system: &mut System) {
    let of_operator = |grant: &Grant| grant.from == OPERATOR;
    let Some(admin) = system.workers.iter().find(|worker| worker.name == NAME) else {
        for index in (0..).zip(&system.grants).filter(|(_, grant)| of_operator(grant)).map(|(index, _)| index)
        {
            let text = "stands for who asks through the admin worker, and there is none";
            let error = Diagnostic::error("`operator` is granted something that nobody could use");
            let error = error.at_key(format!("grant[{index}].from"), text);
            top.reader.refuse(error.help("add `[admin]` with an address and a `token`, or remove the grant"));
        }
        // A sender that nobody declares is no second thing to complain of.
        system.grants.retain(|grant| !of_operator(grant));
        return;
    };
    if !admin.credentials.contains_key(TOKEN)
        && let Some(index) = system.grants.iter().position(of_operator)
    {
        let error = Diagnostic::error("`operator` is granted something that nobody could use");
        let error = error.at_key(format!("grant[{index}].from"), "stands for who knows the token of [admin]");
        top.reader.refuse(error.help("add `token = \"FILE\"` to [admin], or remove the grant"));
    }
    let mut asked: Vec<String> = Vec::new();
    for (index, grant) in system.grants.iter_mut().enumerate().filter(|(_, grant)| of_operator(grant)) {
        grant.from = NAME.to_owned();
        asked.push(grant.to_worker.clone());
        if grant.to_actor.as_deref() == Some(INTROSPECT) {
            inspects(top, index, grant);
        }
    }
    let looks = |worker: &&Worker| {
        let is_its = |grant: &&Grant| {
            grant.from == NAME
                && grant.to_worker == worker.name
                && grant.to_actor.as_deref() == Some(INTROSPECT)
        };
        worker.has_runtime() && worker.name != NAME && !system.grants.iter().any(|grant| is_its(&grant))
    };
    let more = system.workers.iter().filter(looks).map(|worker| {
        let mut methods = vec![LOOK.to_owned()];
        methods.extend(asked.contains(&worker.name).then(|| DESCRIBE.to_owned()));
        let grant = Grant::new(NAME, &worker.name, Some(INTROSPECT.to_owned()));
        Grant { rate: Some(LOOKS), max_inflight: LOOKS_INFLIGHT, methods: Some(methods), ..grant }
    });
    let more: Vec<_> = more.collect();
    system.grants.extend(more);
}

/// Adds what the operator may ask a worker's runtime to what the admin worker asks it anyway.
fn inspects(top: &mut Fields<'_, '_>, index: usize, grant: &mut Grant) {
    let known = [INSPECT, TRACE, DESCRIBE, LOOK];
    for (position, method) in grant.methods.iter().flatten().enumerate() {
        if known.contains(&method.as_str()) {
            continue;
        }
        let help = match nearest(method, known) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "write `methods = [\"inspect\", \"trace\"]`, or one of them".to_owned(),
        };
        let error = Diagnostic::error(format!("the runtime of a worker has no method {}", quote(method)));
        let error = error.at_key(format!("grant[{index}].methods[{position}]"), "not in its protocol");
        top.reader.refuse(error.help(help));
    }
    let bounds = [("rate", grant.rate.is_some()), ("once", grant.once != Once::No)];
    for (key, _) in bounds.into_iter().filter(|(_, is_given)| *is_given) {
        let error = Diagnostic::error(format!("`{key}` for what is asked of a worker's runtime"));
        let error = error.at_key(format!("grant[{index}].{key}"), "it has bounds of its own");
        top.reader.refuse(error.help("remove it"));
    }
    let may = grant.methods.take();
    let is_granted = |method: &str| may.as_ref().is_none_or(|may| may.iter().any(|one| one == method));
    let methods = known.into_iter().filter(|method| ![INSPECT, TRACE].contains(method) || is_granted(method));
    grant.methods = Some(methods.map(ToOwned::to_owned).collect());
    (grant.rate, grant.once, grant.max_inflight) = (Some(LOOKS), Once::No, LOOKS_INFLIGHT);
    if is_granted(TRACE) {
        grant.max_inflight += TRACES_INFLIGHT;
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::manifest::parse;
    use crate::spec::{Grant, Once};

    const MANIFEST: &str = r#"
[admin]
tcp = "127.0.0.1:9464"
token = "/token"
[worker.store]
exec = "store"
actor.cache = { type = "Cache" }
[worker.plain]
exec = "store"
actor.cache = { type = "Cache" }
[[grant]]
from = "operator"
to = "store"
methods = ["get"]
rate = "10/m"
"#;

    /// Returns the admin worker's grants to a worker, the one to its runtime last.
    fn grants(more: &str, worker: &str) -> Vec<Grant> {
        let text = format!("{MANIFEST}{more}");
        let (system, _, found) = parse(Path::new("shop.toml"), Path::new("/"), text);
        assert_eq!(found, []);
        let mut found: Vec<_> = system.grants.into_iter().filter(|grant| grant.to_worker == worker).collect();
        assert!(found.iter().all(|grant| grant.from == "admin"), "{found:?}");
        found.sort_by_key(|grant| grant.to_actor.is_some());
        found
    }

    fn methods(grant: &Grant) -> Vec<&str> {
        grant.methods.iter().flatten().map(String::as_str).collect()
    }

    #[test]
    fn what_the_operator_is_granted_the_admin_worker_is() {
        let [of_actors, of_runtime] = &grants("", "store")[..] else { panic!("two") };
        assert_eq!((methods(of_actors), of_actors.rate.is_some()), (vec!["get"], true));
        assert_eq!(methods(of_runtime), ["look", "describe"]);
        let [looks] = &grants("", "plain")[..] else { panic!("one") };
        assert_eq!(
            (methods(looks), looks.max_inflight),
            (vec!["look"], 4),
            "nobody asks it, so nothing is described"
        );
    }

    #[test]
    fn what_may_be_inspected_is_one_grant_with_the_looks() {
        let inspects = (4, &["inspect", "describe", "look"][..]);
        for (named, (inflight, expected)) in [
            ("methods = [\"inspect\"]", inspects),
            ("methods = [\"inspect\", \"look\"]", inspects),
            ("methods = [\"trace\"]", (8, &["trace", "describe", "look"])),
            ("max_inflight = 100", (8, &["inspect", "trace", "describe", "look"])),
        ] {
            let more = format!("[[grant]]\nfrom = \"operator\"\nto = \"plain/bailiwick\"\n{named}\n");
            let [grant] = &grants(&more, "plain")[..] else { panic!("one") };
            assert_eq!(methods(grant), expected, "{named}");
            assert_eq!(
                (grant.once, grant.max_inflight, grant.rate),
                (Once::No, inflight, Some(super::LOOKS))
            );
        }
    }
}
