//! `[trust_domain.NAME]`, and which workers are in it.

use std::time::Duration;

use super::fields::Fields;
use super::names::named;
use super::values::Choice;
use super::vocabulary::Table;
use crate::check::{Diagnostic, quote, suggest};
use crate::spec::{LinkKind, TrustDomain, Worker};

/// The most trust domains of one system.
const MAX_DOMAINS: usize = 256;
const MAX_BUSY_POLL: Duration = TrustDomain::MAX_BUSY_POLL;

impl Choice for LinkKind {
    const WORDS: &'static [(&'static str, Self)] = &[("ring", Self::Ring), ("socket", Self::Socket)];
    const LATER: &'static [&'static str] = &[];
}

/// Reads every trust domain.
pub(super) fn all(top: &mut Fields<'_, '_>) -> Vec<TrustDomain> {
    let mut domains = Vec::new();
    for entry in named(top, "trust_domain", MAX_DOMAINS) {
        let path = format!("trust_domain.{}", entry.name);
        let mut fields = Fields::entry(top.reader, path, Table::TrustDomain, &entry);
        let mut domain = TrustDomain::new(entry.name);
        fields.set("link", &mut domain.link);
        busy_poll(&mut fields, &mut domain);
        fields.finish();
        domains.push(domain);
    }
    domains
}

fn busy_poll(fields: &mut Fields<'_, '_>, domain: &mut TrustDomain) {
    fields.set("busy_poll", &mut domain.busy_poll);
    let key = fields.key("busy_poll");
    let refused = if domain.busy_poll > MAX_BUSY_POLL {
        let error = Diagnostic::error(format!("`{}` would poll for {:?}", domain.name, domain.busy_poll));
        let error = error.at_key(key, format!("the longest is {MAX_BUSY_POLL:?}"));
        error.help("it saves the time that waking takes, some 10us: write \"50us\"")
    } else if !domain.busy_poll.is_zero() && domain.link == LinkKind::Socket {
        let error = Diagnostic::error(format!("`{}` would poll, and shares no memory", domain.name));
        let error = error.at_key(key, "looks into shared memory");
        let kind = fields.key("link");
        error.at_key_if_written(kind, "none with this").help("remove one of the two")
    } else {
        return;
    };
    fields.reader.refuse(refused);
}

/// Gives each worker the trust domain that it names.
pub(super) fn join(workers: &mut [Worker], domains: &[TrustDomain], fields: &mut Fields<'_, '_>) {
    for worker in workers {
        let Some(named) = &mut worker.trust_domain else { continue };
        if let Some(domain) = domains.iter().find(|domain| domain.name == named.name) {
            named.clone_from(domain);
            continue;
        }
        let error = Diagnostic::error(format!("no trust domain is called {}", quote(&named.name)));
        let known = domains.iter().map(|domain| domain.name.as_str());
        let help = suggest(&named.name, known, "declare it: `[trust_domain.NAME]`");
        let key = format!("worker.{}.trust_domain", worker.name);
        fields.reader.refuse(error.at_key(key, "not declared").help(help));
    }
}
