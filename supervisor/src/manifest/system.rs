//! The top of the manifest: `[supervisor]`, `[group.NAME]` and the order in which the rest is read.

use std::path::PathBuf;
use std::time::Duration;

use toml::de::DeTable;

use super::fields::{Fields, Reader};
use super::names::named;
use super::values::{Policy, Uids};
use super::vocabulary::Table;
use super::{admin, grant, listen, operator, trust_domain, worker};
use crate::check::Diagnostic;
use crate::spec::{Group, System};

/// The most groups of one system.
const MAX_GROUPS: usize = 256;

/// Reads a whole manifest; what is wrong is left in the reader.
pub(super) fn read<'t>(reader: &mut Reader<'t>, table: &DeTable<'t>, name: &str) -> System {
    let mut system =
        System { name: name.to_owned(), shutdown_timeout: Duration::from_secs(60), ..System::default() };
    let mut top = Fields::root(reader, table);
    if let Some(mut fields) = top.table("supervisor", Table::Supervisor) {
        supervisor(&mut fields, &mut system);
        fields.finish();
    }
    for entry in named(&mut top, "group", MAX_GROUPS) {
        let path = format!("group.{}", entry.name);
        let mut fields = Fields::entry(top.reader, path, Table::Group, &entry);
        system.groups.push(group(&mut fields, entry.name));
        fields.finish();
    }
    let domains = trust_domain::all(&mut top);
    system.workers = worker::all(&mut top);
    trust_domain::join(&mut system.workers, &domains, &mut top);
    let empty = system.workers.is_empty() && !table.contains_key("worker");
    system.grants = grant::all(&mut top);
    system.listeners = listen::all(&mut top);
    admin::read(&mut top, &mut system);
    operator::take(&mut top, &mut system);
    system.workers.iter_mut().for_each(|worker| worker.suit(system.profile));
    top.finish();
    if empty {
        let lacks = Diagnostic::error("the manifest declares no worker");
        reader.refuse(lacks.help("add `[worker.NAME]` with `exec = \"PROGRAM\"`"));
    }
    system
}

fn supervisor(fields: &mut Fields<'_, '_>, system: &mut System) {
    system.state_dir = fields.read::<PathBuf>("state_dir");
    fields.set_positive("shutdown_timeout", &mut system.shutdown_timeout);
    fields.set("profile", &mut system.profile);
    terms(fields, &mut system.root);
    system.allow_degraded = fields.read("sandbox_policy") == Some(Policy::BestEffort);
    system.worker_uids = fields.read::<Uids>("uid_range").map(|uids| uids.0);
    system.exit_code_from = fields.read("exit_code_from");
    let Some(name) = fields.read::<String>("name") else { return };
    if super::names::is_name(&name) {
        system.name = name;
    } else if let Some(value) = fields.take("name") {
        let expected = "a letter, then letters, digits, `_` and `-`, 63 at most";
        fields.reader.mismatch("name", value, expected, None);
    }
}

fn group(fields: &mut Fields<'_, '_>, name: &str) -> Group {
    let mut group = Group::new(name);
    fields.set("group", &mut group.parent);
    terms(fields, &mut group);
    fields.set("significant", &mut group.significant);
    group
}

/// Reads what the root has as well as every other group.
fn terms(fields: &mut Fields<'_, '_>, group: &mut Group) {
    fields.set("strategy", &mut group.strategy);
    fields.set_within("max_restarts", 0..=10_000, &mut group.max_restarts);
    fields.set("on_exhausted", &mut group.on_exhausted);
    fields.set_positive("period", &mut group.period);
    fields.set("auto_shutdown", &mut group.auto_shutdown);
}
