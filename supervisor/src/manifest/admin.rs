//! `[admin]`: the worker that serves what people and their tools want to know, made of one table.

use std::net::SocketAddr;
use std::os::fd::BorrowedFd;
use std::path::PathBuf;

use toml::Spanned;

use super::Origin;
use super::fields::Fields;
use super::values::Bytes;
use super::vocabulary::Table;
use crate::check::{Diagnostic, line_of};
use crate::spec::{Actor, Address, Args, Exec, Group, Listener, Mailbox, May, Preset, System, Worker};

/// The name of the worker, of its group, and of the listener that is kept for it. No other worker may have it.
pub(super) const NAME: &str = "admin";
/// The type of its one actor, as its executable registers it.
const ACTOR: &str = "Admin";
/// Its executable, unless the manifest names another: the command line, beside the supervisor's own.
const PROGRAM: &str = "bailiwick";
/// What it may use of memory unless the manifest says otherwise.
const MEMORY: Bytes = Bytes(128 << 20);

/// How long each file with lines may be unless the manifest says otherwise, and how many there may be.
const LOG_BYTES: Bytes = Bytes(16 << 20);
const LOG_FILES: u32 = 8;

/// The credential that lets those give orders who know it.
pub(super) const TOKEN: &str = "token";
/// The orders that it takes from them, as far as `may` has them.
const ORDERS: [May; 4] = [May::Start, May::Stop, May::Restart, May::Reset];

/// What it may ask wherever there is one: it changes nothing.
const SEES: [May; 5] = [May::Status, May::Events, May::Logs, May::Crashes, May::Denials];

/// Adds the worker to the system, if the manifest wants one.
pub(super) fn read(top: &mut Fields<'_, '_>, system: &mut System) {
    let Some(mut fields) = top.table(NAME, Table::Admin) else { return };
    let mut worker = Worker::new(NAME, Exec::Path(fields.read("exec").unwrap_or_else(beside)));
    // A group of its own, so that its failures are no others' and never escalate.
    worker.group = Some(NAME.to_owned());
    worker.kept = vec![NAME.to_owned()];
    worker.may = SEES.to_vec();
    worker.may.extend(fields.read::<Vec<May>>("may").unwrap_or_default());
    worker.may.sort_unstable();
    worker.may.dedup();
    worker.sandbox.preset = Preset::NetServer;
    // What comes over its listener comes wherever it is.
    worker.sandbox.private_network = Some(true);
    let mut memory = MEMORY;
    fields.set_within("memory_max", Bytes(16 << 20)..=Bytes(1 << 40), &mut memory);
    worker.sandbox.memory_max = Some(memory.0);
    let expose = fields.read("expose").unwrap_or(false);
    let address = address(&mut fields, expose);
    token(&mut fields, &mut worker);
    let log = log(&mut fields, &mut worker);
    worker.actors.push(actor(&fields, expose, &worker, log));
    let (head, groups) = (fields.head(), &mut system.groups);
    fields.finish();
    if groups.iter().any(|group| group.name == NAME) {
        let error = Diagnostic::error(format!("the group `{NAME}` is that of the admin worker"));
        top.reader.refuse(error.at_key(format!("group.{NAME}"), "taken").help("choose another name"));
    }
    if system.listeners.iter().any(|listener| listener.name == NAME) {
        let error = Diagnostic::error(format!("the listener `{NAME}` is that of the admin worker"));
        top.reader.refuse(error.at(head.clone(), "has one of its own").help("choose another name"));
    }
    top.reader.places.insert(format!("worker.{NAME}"), head);
    groups.push(Group::new(NAME));
    system.listeners.push(Listener { name: NAME.to_owned(), address });
    system.workers.push(worker);
}

/// Returns what `status` says of where things are, each a line, empty where there is none: the manifest, where the admin worker
/// serves, and the file with its token. `listener` finds a listener by its name: what it listens on is where it serves, also where
/// the manifest chose no port, or whoever started the supervisor passed the socket.
pub(crate) fn places<'l>(
    system: &System,
    manifest: Option<&Origin>,
    listener: impl FnOnce(&str) -> Option<BorrowedFd<'l>>,
) -> [String; 3] {
    let is_admin =
        |worker: &&Worker| worker.name == NAME && worker.actors.iter().any(|actor| actor.type_name == ACTOR);
    let worker = system.workers.iter().find(is_admin);
    let address = worker.and_then(|_| Address::of(listener(NAME)?));
    let token = worker.and_then(|worker| worker.credentials.get(TOKEN)?.to_str());
    [
        manifest.map(Origin::path).unwrap_or_default().to_owned(),
        address.map(|address| address.to_string()).unwrap_or_default(),
        token.unwrap_or_default().to_owned(),
    ]
}

/// Hands it what those have to know who give orders.
fn token(fields: &mut Fields<'_, '_>, worker: &mut Worker) {
    let Some(path) = fields.read::<PathBuf>(TOKEN) else { return };
    let place = fields.take(TOKEN).map(Spanned::span).unwrap_or_default();
    fields.reader.places.insert(format!("worker.{NAME}.load_credential.{TOKEN}"), place);
    worker.credentials.insert(TOKEN.to_owned(), path);
}

/// Gives it the folder into which it writes what is printed, and returns the argument of its actor that says how.
fn log(fields: &mut Fields<'_, '_>, worker: &mut Worker) -> Option<String> {
    let folder = fields.read::<PathBuf>("log_dir");
    let (mut bytes, mut files) = (LOG_BYTES, LOG_FILES);
    fields.set_within("log_bytes_max", Bytes(1 << 20)..=Bytes(1 << 30), &mut bytes);
    fields.set_within("log_files", 2..=100, &mut files);
    if fields.key_span("log_dir").is_none() {
        for key in ["log_bytes_max", "log_files"] {
            if fields.key_span(key).is_some() {
                let error = Diagnostic::error(format!("`{key}` without `log_dir`"));
                let error = error.at_key(fields.key(key), "of files that nobody writes");
                fields.reader.refuse(error.help("add `log_dir = \"/var/log/NAME\"`, or remove it"));
            }
        }
    }
    let folder = folder?;
    let place = fields.take("log_dir").map(Spanned::span).unwrap_or_default();
    if folder.exists() && !folder.is_dir() {
        let error = Diagnostic::error(format!("`{}` is no folder", folder.display()));
        let error = error.at(place.clone(), "files with what is printed could not be in it");
        fields.reader.refuse(error.help("name a folder that is there, which the admin worker may write"));
    }
    fields.reader.places.insert(format!("worker.{NAME}.sandbox.read_write_paths[0]"), place);
    let text = format!("log = {{ folder = {folder:?}, file_bytes = {}, files = {files} }}", bytes.0);
    worker.sandbox.read_write_paths.push(folder);
    Some(text)
}

/// Returns where it listens: one address, which strangers on other machines do not reach unless that is written.
fn address(fields: &mut Fields<'_, '_>, expose: bool) -> Option<Address> {
    let tcp = fields.read::<SocketAddr>("tcp");
    let unix = fields.read::<PathBuf>("unix");
    let (error, help) = match (tcp, &unix) {
        (Some(_), Some(_)) => {
            let error = Diagnostic::error("the admin worker at two addresses");
            (
                error.at_key(fields.key("unix"), "the second").at_key(fields.key("tcp"), "the first"),
                "remove one",
            )
        }
        (None, None) => {
            let error = Diagnostic::error("the admin worker listens nowhere");
            (error.at(fields.head(), "`tcp` or `unix` must be given"), "add `tcp = \"127.0.0.1:9464\"`")
        }
        (Some(tcp), None) if !tcp.ip().is_loopback() && !expose => {
            let error = Diagnostic::error(format!("the admin worker would serve whoever reaches {tcp}"));
            let error = error.at_key(fields.key("tcp"), "is not this machine's own");
            (
                error,
                "write \"127.0.0.1:PORT\", or `expose = true` as well if everybody there may read all of it",
            )
        }
        _ => return tcp.map(Address::Tcp).or(unix.map(Address::Unix)),
    };
    fields.reader.refuse(error.help(help));
    None
}

fn actor(fields: &Fields<'_, '_>, expose: bool, worker: &Worker, log: Option<String>) -> Actor {
    let line = u32::try_from(line_of(fields.reader.text, fields.head().start)).unwrap_or(u32::MAX);
    let mut text = format!("expose = {expose}");
    if worker.credentials.contains_key(TOKEN) {
        let is_taken = |may: &May| ORDERS.contains(may) && worker.may.contains(may);
        let orders: Vec<_> =
            May::ALL.iter().filter(|(may, ..)| is_taken(may)).map(|(_, word, _)| *word).collect();
        text.push_str(&format!(", token = true, orders = {orders:?}"));
    }
    log.iter().for_each(|log| text.push_str(&format!(", {log}")));
    Actor {
        name: "desk".to_owned(),
        type_name: ACTOR.to_owned(),
        args: Some(Args { text: format!("{{ {text} }}"), line }),
        mailbox: Mailbox::default(),
        restart: None,
        significant: false,
        handoff: false,
    }
}

/// Returns the command line's executable, beside this one.
fn beside() -> PathBuf {
    let own = std::env::current_exe().unwrap_or_default();
    own.parent().unwrap_or(&own).join(PROGRAM)
}
