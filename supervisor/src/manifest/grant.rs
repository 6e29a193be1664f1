//! `[[grant]]`: who may send what to whom.

use toml::de::DeValue;

use super::fields::Fields;
use super::vocabulary::Table;
use crate::check::{Diagnostic, quote};
use crate::spec::{FdKind, Grant, Once};

/// The most grants of one system.
const MAX_GRANTS: usize = 1024;

/// Reads every grant; one that names nobody is left out.
pub(super) fn all(top: &mut Fields<'_, '_>) -> Vec<Grant> {
    let entries = top.elements("grant");
    if let Some(first) = entries.get(MAX_GRANTS) {
        let title = format!("{} grants, the limit is {MAX_GRANTS}", entries.len());
        top.reader.refuse(Diagnostic::error(title).at(first.head.clone(), "one too many"));
    }
    let mut grants = Vec::new();
    for entry in entries.iter().take(MAX_GRANTS) {
        // Its number among the grants that were kept, so that a check finds the place by it.
        let path = format!("grant[{}]", grants.len());
        let mut fields = Fields::entry(top.reader, path, Table::Grant, entry);
        grants.extend(grant(&mut fields));
        fields.finish();
    }
    grants
}

fn grant(fields: &mut Fields<'_, '_>) -> Option<Grant> {
    let from: Option<String> = fields.require("from", "name the sending worker: `from = \"WORKER\"`");
    let to: Option<String> = fields.require("to", "name the receiver: `to = \"WORKER/ACTOR\"`");
    let mut grant = Grant::new(from.unwrap_or_default(), "", None);
    fields.set("methods", &mut grant.methods);
    fields.set_within("max_inflight", 1..=65_536, &mut grant.max_inflight);
    fields.set("rate", &mut grant.rate);
    fields.set("once", &mut grant.once);
    if grant.once != Once::No && grant.rate.is_some() {
        let error = Diagnostic::error("a rate for what may be used once")
            .at_key(fields.key("rate"), "how often in a time")
            .at_key(fields.key("once"), "once in all")
            .help("remove one of the two");
        fields.reader.refuse(error);
    }
    if let Some(mut fds) = fields.table("fds", Table::Fds) {
        grant.fds_send = fds.read::<Vec<FdKind>>("send").or(Some(Vec::new()));
        grant.fds_receive = fds.read::<Vec<FdKind>>("receive").or(Some(Vec::new()));
        fds.finish();
    }
    if grant.methods.as_ref().is_some_and(Vec::is_empty) {
        let error = Diagnostic::error("a grant of no methods grants nothing")
            .at_key(fields.key("methods"), "empty")
            .help("name the methods, or remove the key to grant every method of the protocol");
        fields.reader.refuse(error);
    }
    let to = to?;
    (grant.to_worker, grant.to_actor) = match to.split_once('/') {
        Some((worker, actor)) => (worker.to_owned(), Some(actor.to_owned())),
        None => (to.clone(), None),
    };
    address(fields, &grant).then_some(grant).filter(|grant| !grant.from.is_empty())
}

/// Tells whether the two ends are names; says so where they are more than that.
fn address(fields: &mut Fields<'_, '_>, grant: &Grant) -> bool {
    let actor = grant.to_actor.as_deref().unwrap_or_default();
    let mut good = true;
    for (key, part) in [("from", grant.from.as_str()), ("to", &grant.to_worker), ("to", actor)] {
        let (text, help) = if part.contains('.') {
            (
                "a grant to one instance is not enforced by this version",
                "name the worker: every instance has the grant",
            )
        } else if part.contains(['/', '#']) {
            (
                "expected `WORKER` or `WORKER/ACTOR`",
                "a grant names a worker, or an actor that its worker declares",
            )
        } else {
            continue;
        };
        let Some(span) =
            fields.take(key).filter(|v| matches!(v.get_ref(), DeValue::String(_))).map(|v| v.span())
        else {
            continue;
        };
        let title = format!("{} cannot stand in a grant", quote(part));
        fields.reader.refuse(Diagnostic::error(title).at(span, text).help(help));
        good = false;
    }
    good
}
