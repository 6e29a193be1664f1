//! What is said with `tracing` in a worker, as lines that its supervisor takes apart again: see [`event_line`].
//!
//! A worker whose program does not listen to `tracing` itself listens this way; one that has a subscriber of its own adds [`layer`]
//! to it. What does not matter enough by `RUST_LOG` costs what `tracing` takes to find that out, which is a comparison. What does
//! matter is one write to the pipe of standard error, of at most 4096 bytes, so that nothing comes between: it waits where
//! `eprintln!` would wait, which is while the pipe is full.

mod fields;

use std::fmt::Display;
use std::io::Write as _;

use bailiwick_wire::log::event_line;
use bailiwick_wire::log::{Event, Level};
use tracing::Subscriber;
use tracing::span::{Attributes, Id, Record};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;

use crate::Program;
use crate::progress;
use crate::scope::Scope;
use fields::Fields;

/// The variable that says what matters: a level, and levels of targets, as `info,my_crate::parser=debug`.
const FILTER: &str = "RUST_LOG";

/// Listens from now on, unless the program does.
pub(crate) fn listen(worker: &str) {
    let words = std::env::var(FILTER).unwrap_or_default();
    let (filter, error) = filter(&words);
    let print = Print { worker: worker.to_owned(), to: to_supervisor };
    let subscriber = tracing_subscriber::registry().with(filter).with(print);
    if tracing::subscriber::set_global_default(subscriber).is_ok()
        && let Some(error) = error
    {
        tracing::warn!(target: "bailiwick::log", %error, value = words, "{FILTER} cannot be read; what counts is `info`");
    }
}

/// Returns a layer for a subscriber of a program's own, by which a worker's events reach its supervisor with level, fields, actor and
/// trace, as they do where the program has no subscriber. What matters is said by `RUST_LOG`, for this layer alone. In a
/// process that is no worker it does nothing.
///
/// ```
/// use tracing_subscriber::prelude::*;
///
/// // Beside what the program listens with itself, such as the layer of `bailiwick-otel`.
/// tracing_subscriber::registry().with(bailiwick::log::layer()).init();
/// ```
pub fn layer<S: Subscriber + for<'s> LookupSpan<'s>>() -> impl Layer<S> {
    Program::is_worker().then(|| {
        let words = std::env::var(FILTER).unwrap_or_default();
        let (filter, error) = filter(&words);
        if let Some(error) = error {
            // Nobody listens yet.
            eprintln!("{FILTER} cannot be read: {error}; what counts is `info`: {words:?}");
        }
        // A worker is executed under its own name.
        let name = std::env::args_os().next().unwrap_or_default();
        Print { worker: name.to_string_lossy().into_owned(), to: to_supervisor }.with_filter(filter)
    })
}

/// Takes one line to the supervisor, whole.
fn to_supervisor(line: &[u8]) {
    // Who has closed its standard error does not want to say anything.
    let _ = std::io::stderr().write_all(line);
}

/// Returns what matters by these words, and what is wrong with them.
fn filter(words: &str) -> (Targets, Option<impl Display + use<>>) {
    let ordinary = || Targets::new().with_default(tracing::Level::INFO);
    if words.trim().is_empty() {
        return (ordinary(), None);
    }
    match words.parse() {
        Ok(targets) => (targets, None),
        Err(error) => (ordinary(), Some(error)),
    }
}

/// Prints events.
struct Print<W> {
    /// The worker's name, behind which all that it prints is shown.
    worker: String,
    /// Takes one line, with its end.
    to: W,
}

impl<S, W> Layer<S> for Print<W>
where
    S: Subscriber + for<'s> LookupSpan<'s>,
    W: Fn(&[u8]) + 'static,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        if let Some(span) = context.span(id) {
            span.extensions_mut().insert(fields);
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        if let Some(fields) = span.extensions_mut().get_mut::<Fields>() {
            values.record(fields);
        }
    }

    fn on_event(&self, event: &tracing::Event<'_>, context: Context<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let text = fields.take("message").unwrap_or_default();
        let known = event.metadata();
        // What the runtime itself tells, it tells of somebody.
        let about = Some("actor").filter(|_| known.target().starts_with(RUNTIME));
        let about = about.and_then(|name| fields.take(name)).map(|name| self.within(&name));
        let handled = self.add_spans(&mut fields, &context, event);
        let event = Event {
            level: level(*known.level()),
            target: known.target().to_owned(),
            actor: about.or_else(at_work).or(handled.actor).unwrap_or_default(),
            trace: current_trace().or(handled.trace).unwrap_or_default(),
            file: known.file().unwrap_or_default().to_owned(),
            line: known.line().unwrap_or_default(),
            omitted: fields.omitted,
            fields: fields.known,
        };
        (self.to)(&event_line::write(&event, &text));
    }
}

/// What the span of a handled message says.
#[derive(Default)]
struct Handled {
    actor: Option<String>,
    trace: Option<String>,
}

impl<W> Print<W> {
    /// Adds what the spans around an event have, the innermost first, and returns what the runtime's own has.
    fn add_spans<S>(
        &self,
        fields: &mut Fields,
        context: &Context<'_, S>,
        event: &tracing::Event<'_>,
    ) -> Handled
    where
        S: Subscriber + for<'s> LookupSpan<'s>,
    {
        let mut handled = Handled::default();
        for span in context.event_scope(event).into_iter().flatten() {
            let extensions = span.extensions();
            let Some(around) = extensions.get::<Fields>() else { continue };
            if span.metadata().target() == HANDLES {
                let value =
                    |name| around.known.iter().find(|(known, _)| known == name).map(|(_, value)| value);
                handled.actor = handled.actor.or_else(|| value("actor").map(|name| self.within(name)));
                handled.trace = handled.trace.or_else(|| value("trace_id").cloned());
            } else {
                fields.add(around);
            }
        }
        handled
    }

    /// Returns the name of an actor without that of this worker, which stands before it in any case.
    fn within(&self, name: &str) -> String {
        let rest = name.strip_prefix(&self.worker).and_then(|rest| rest.strip_prefix('/'));
        rest.unwrap_or(name).to_owned()
    }
}

/// Returns the actor whose code runs: whose message is handled, or which starts or stops.
fn at_work() -> Option<String> {
    let Some(name) = Scope::current_actor() else { return progress::actor() };
    Some(match name.generation() {
        Some(generation) => format!("{}#{generation}", name.path()),
        None => name.path().to_owned(),
    })
}

fn current_trace() -> Option<String> {
    Scope::current_trace().map(|trace| format!("{:032x}", u128::from_be_bytes(trace.trace)))
}

fn level(level: tracing::Level) -> Level {
    match level {
        tracing::Level::ERROR => Level::Error,
        tracing::Level::WARN => Level::Warn,
        tracing::Level::INFO => Level::Info,
        tracing::Level::DEBUG => Level::Debug,
        tracing::Level::TRACE => Level::Trace,
    }
}

/// What the targets of this crate begin with.
const RUNTIME: &str = "bailiwick::";
/// What the target is of the span in which a message is handled.
const HANDLES: &str = "bailiwick::actor";

#[cfg(test)]
mod tests;
