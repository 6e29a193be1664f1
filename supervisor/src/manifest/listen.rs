//! `[[listen]]`: listeners that are there before any worker.

use std::net::SocketAddr;
use std::path::PathBuf;

use toml::Spanned;
use toml::de::DeValue;

use super::fields::{Fields, Reader};
use super::values::FromToml;
use super::vocabulary::Table;
use crate::check::Diagnostic;
use crate::spec::{Address, Listener};

/// The most listeners of one system.
const MAX_LISTENERS: usize = 64;

impl FromToml for SocketAddr {
    fn from_toml(value: &Spanned<DeValue<'_>>, key: &str, reader: &mut Reader<'_>) -> Option<Self> {
        let text = String::from_toml(value, key, reader)?;
        let address = text.parse().ok();
        if address.is_none() {
            let help = "names are not looked up: write \"0.0.0.0:80\", \"[::]:80\" or \"127.0.0.1:8080\"";
            reader.mismatch(key, value, "an address and a port", Some(help.into()));
        }
        address
    }
}

/// Reads every listener; one without a name is left out.
pub(super) fn all(top: &mut Fields<'_, '_>) -> Vec<Listener> {
    let entries = top.elements("listen");
    if let Some(first) = entries.get(MAX_LISTENERS) {
        let title = format!("{} listeners, the limit is {MAX_LISTENERS}", entries.len());
        top.reader.refuse(Diagnostic::error(title).at(first.head.clone(), "one too many"));
    }
    let mut listeners: Vec<Listener> = Vec::new();
    for entry in entries.iter().take(MAX_LISTENERS) {
        let path = format!("listen[{}]", listeners.len());
        let mut fields = Fields::entry(top.reader, path, Table::Listen, entry);
        let listener = listener(&mut fields);
        fields.finish();
        listeners.extend(listener);
    }
    listeners
}

fn listener(fields: &mut Fields<'_, '_>) -> Option<Listener> {
    let name = fields.require::<String>("name", "the name under which workers find it: `name = \"http\"`");
    let tcp = fields.read::<SocketAddr>("tcp").map(Address::Tcp);
    let unix = fields.read::<PathBuf>("unix").map(Address::Unix);
    if let (Some(_), Some(span)) = (&tcp, fields.key_span("unix")) {
        let error = Diagnostic::error("one listener at two addresses").at(span, "the second");
        fields.reader.refuse(error.at_key(fields.key("tcp"), "the first").help("make two listeners of it"));
    }
    Some(Listener { name: name?, address: tcp.or(unix) })
}
