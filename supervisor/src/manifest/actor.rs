//! `[worker.NAME.actor.NAME]`, its mailbox, and its arguments, which only the worker understands.

use toml::Spanned;
use toml::de::DeValue;

use super::fields::Fields;
use super::names::named;
use super::values::Bytes;
use super::vocabulary::Table;
use crate::check::{Diagnostic, line_of, quote};
use crate::spec::{Actor, ActorTerms, Args, AutoShutdown, Mailbox, RestartType, Worker};

/// The most actors that one worker declares.
const MAX_ACTORS: usize = 64;
/// The longest arguments of one actor, in bytes; they travel in the bootstrap, which holds 64 KiB.
const MAX_ARGS: usize = 16 << 10;

/// Reads the actors of a worker.
pub(super) fn all(worker: &mut Fields<'_, '_>) -> Vec<Actor> {
    let mut actors = Vec::new();
    for entry in named(worker, "actor", MAX_ACTORS) {
        let path = format!("{}.actor.{}", worker.path, entry.name);
        let mut fields = Fields::entry(worker.reader, path, Table::Actor, &entry);
        actors.push(actor(&mut fields, entry.name));
        fields.finish();
    }
    actors
}

fn actor(fields: &mut Fields<'_, '_>, name: &str) -> Actor {
    let help = "write the name under which the program registered it: `type = \"NAME\"`";
    let type_name = fields.require("type", help).unwrap_or_default();
    let args = args(fields);
    let mut mailbox = Mailbox::default();
    if let Some(mut table) = fields.table("mailbox", Table::Mailbox) {
        let mut bytes = Bytes(u64::from(mailbox.capacity_bytes));
        table.set_within("capacity", 1..=1 << 20, &mut mailbox.capacity);
        table.set_within("capacity_bytes", Bytes(4 << 10)..=Bytes(1 << 30), &mut bytes);
        table.set("on_full", &mut mailbox.on_full);
        mailbox.capacity_bytes = u32::try_from(bytes.0).unwrap_or(mailbox.capacity_bytes);
        unbound(&mut table, &mut mailbox);
        table.finish();
    }
    let restart = fields.read("restart");
    let (mut significant, mut handoff) = (false, false);
    fields.set("significant", &mut significant);
    fields.set("handoff", &mut handoff);
    Actor { name: name.to_owned(), type_name, args, mailbox, restart, significant, handoff }
}

/// Takes the bounds off, or the room away, if that is said; then no bound is to be said.
fn unbound(table: &mut Fields<'_, '_>, mailbox: &mut Mailbox) {
    let kinds = [
        ("unbounded", (u32::MAX, u32::MAX), "a mailbox without bounds has a bound", "it is never full"),
        (
            "rendezvous",
            (0, mailbox.capacity_bytes),
            "a mailbox that holds nothing has a bound",
            "it holds nothing",
        ),
    ];
    for (kind, bounds, title, what) in kinds {
        if table.read(kind) != Some(true) {
            continue;
        }
        (mailbox.capacity, mailbox.capacity_bytes) = bounds;
        for other in ["capacity", "capacity_bytes", "on_full", "rendezvous"] {
            if other != kind && table.take(other).is_some() {
                let error = Diagnostic::error(title)
                    .at_key(table.key(kind), what)
                    .at_key(table.key(other), "and here it may be")
                    .help("leave one of the two out");
                table.reader.refuse(error);
            }
        }
    }
}

/// Reads how the actors of a worker are supervised.
pub(super) fn supervision(worker: &mut Fields<'_, '_>) -> ActorTerms {
    let mut terms = ActorTerms::default();
    if let Some(mut table) = worker.table("actors", Table::Actors) {
        table.set("strategy", &mut terms.strategy);
        table.set_within("max_restarts", 0..=10_000, &mut terms.max_restarts);
        table.set_positive("period", &mut terms.period);
        table.set("on_exhausted", &mut terms.on_exhausted);
        table.set("auto_shutdown", &mut terms.auto_shutdown);
        table.set("stable_after", &mut terms.stable_after);
        if let Some(mut backoff) = table.table("backoff", Table::Backoff) {
            terms.backoff = super::worker::backoff(&mut backoff);
            backoff.finish();
        }
        table.finish();
    }
    terms
}

/// Refuses actors whose end is to mean something and never can.
pub(super) fn check_significant(fields: &mut Fields<'_, '_>, worker: &Worker) {
    let terms = &worker.actor_terms;
    for actor in worker.actors.iter().filter(|actor| actor.significant) {
        let key = fields.key(&format!("actor.{}.significant", actor.name));
        let title = format!("the end of the actor {} signifies nothing", quote(&actor.name));
        let error = Diagnostic::error(title);
        if actor.restart == Some(RestartType::Permanent) {
            let other = fields.key(&format!("actor.{}.restart", actor.name));
            let error = error.at_key(key, "its end would end the worker").at_key(other, "it never ends");
            let help = "write `restart = \"transient\"`: it then ends when it stops itself";
            fields.reader.refuse(error.help(help));
        } else if terms.auto_shutdown == AutoShutdown::Never {
            let help = format!("write `actors.auto_shutdown = \"any_significant\"` in [{}]", fields.path);
            fields.reader.refuse(error.at_key(key, "nothing follows from its end").help(help));
        }
    }
}

fn args(fields: &mut Fields<'_, '_>) -> Option<Args> {
    let value = fields.take("args")?;
    let key = fields.key_span("args").unwrap_or(value.span());
    let text = as_written(fields.reader.text, value);
    if text.len() > MAX_ARGS {
        let title = format!("the arguments are {} bytes long, the limit is {MAX_ARGS}", text.len());
        let help = "put large data into a file and grant its path";
        fields.reader.refuse(Diagnostic::error(title).at(key, "too long").help(help));
        return None;
    }
    let line = u32::try_from(line_of(fields.reader.text, key.start)).unwrap_or(u32::MAX);
    Some(Args { text, line })
}

/// Returns a value as one piece of TOML: the text itself, or, where it is spread over headers and
/// dotted keys, the same written as an inline table.
fn as_written(text: &str, value: &Spanned<DeValue<'_>>) -> String {
    let spread = matches!(value.get_ref(), DeValue::Table(_)) && !text[value.span()].starts_with('{');
    let arrays = matches!(value.get_ref(), DeValue::Array(_)) && text[value.span()].starts_with("[[");
    if spread || (arrays && DeValue::parse(&text[value.span()]).is_err()) {
        let mut out = String::new();
        write(value.get_ref(), &mut out);
        out
    } else {
        text[value.span()].to_owned()
    }
}

fn write(value: &DeValue<'_>, out: &mut String) {
    match value {
        DeValue::String(text) => write_text(text, out),
        DeValue::Integer(number) => out.push_str(&number.to_string()),
        DeValue::Float(number) => out.push_str(number.as_str()),
        DeValue::Boolean(value) => out.push_str(if *value { "true" } else { "false" }),
        DeValue::Datetime(date) => out.push_str(&date.to_string()),
        DeValue::Array(array) => {
            out.push('[');
            for element in array.iter() {
                write(element.get_ref(), out);
                out.push_str(", ");
            }
            out.push(']');
        }
        DeValue::Table(table) => {
            let mut separator = "{ ";
            for (key, value) in table {
                out.push_str(separator);
                write_text(key.get_ref(), out);
                out.push_str(" = ");
                write(value.get_ref(), out);
                separator = ", ";
            }
            out.push_str(if table.is_empty() { "{}" } else { " }" });
        }
    }
}

fn write_text(text: &str, out: &mut String) {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => out.extend(['\\', character]),
            c if c.is_control() => out.push_str(&format!("\\u{:04X}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use toml::de::DeTable;

    fn carried(text: &str) -> String {
        let table = DeTable::parse(text).unwrap();
        as_written(text, table.get_ref().get("args").unwrap())
    }

    #[test]
    fn arguments_on_one_line_travel_as_they_are_written() {
        for value in ["{ root = \"/srv\" }", "[1, 2]", "\"x\"", "0x1F", "[[1], [2]]", "[ [1] ]", "{}"] {
            assert_eq!(carried(&format!("a = 1\nargs = {value}\nb = 2\n")), value);
        }
    }

    #[test]
    fn arguments_under_a_header_mean_the_same_on_one_line() {
        let spread = "[args]\nroot = \"/srv\"\nn.x = 0x1F\nq = 'a\"\\b'\ntab = \"\\t\u{e9}\"\nf = -inf\n\
                      [args.keep]\nhttp = \"0.0.0.0:80\"\n[[args.list]]\nx = [1, 2.50]\n[[args.list]]\n[args.e]\n";
        let one = carried(spread);
        assert!(!one.contains('\n'), "{one}");
        let value = |text: &str| toml::from_str::<toml::Table>(text).unwrap()["args"].clone();
        assert_eq!(value(&format!("args = {one}")), value(spread), "{one}");
    }

    #[test]
    fn dotted_arguments_and_arrays_of_tables_mean_the_same_on_one_line() {
        for spread in ["args.root = \"/srv\"\nargs.n = 1\n", "[[args]]\nx = 1\n[[args]]\ny = 2\n"] {
            let one = carried(spread);
            let value = |text: &str| toml::from_str::<toml::Table>(text).unwrap()["args"].clone();
            assert_eq!(value(&format!("args = {one}")), value(spread), "{one}");
        }
    }
}
