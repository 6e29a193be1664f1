//! What a test sees of the spans that handled messages make.

use std::fmt::Debug;
use std::sync::{Arc, Mutex, OnceLock};

use tracing::Dispatch;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id};
use tracing::subscriber::NoSubscriber;
use tracing_subscriber::Layer;
use tracing_subscriber::layer::{Context, SubscriberExt};

/// The spans of this thread, in the order in which they began.
#[derive(Clone, Default)]
pub(super) struct Spans(Arc<Mutex<Vec<Span>>>);

/// One handled message, as its span tells it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) actor: String,
    pub(super) method: String,
    pub(super) trace_id: String,
    pub(super) span_id: String,
    pub(super) parent_id: String,
}

impl Spans {
    /// Runs `test` on this thread and returns what it made.
    pub(super) fn of(test: impl FnOnce()) -> Vec<Span> {
        // While there is only one subscriber, whoever comes to a span first has asked its own thread whether anybody wants it,
        // for all threads.
        static OTHERS: OnceLock<[Dispatch; 2]> = OnceLock::new();
        OTHERS.get_or_init(|| [(); 2].map(|()| Dispatch::new(NoSubscriber::new())));
        let spans = Self::default();
        tracing::subscriber::with_default(tracing_subscriber::registry().with(spans.clone()), || {
            tracing::callsite::rebuild_interest_cache();
            test();
        });
        let found = spans.0.lock().expect("no test panics with the lock held");
        found.clone()
    }
}

impl<S: tracing::Subscriber> Layer<S> for Spans {
    fn on_new_span(&self, attributes: &Attributes<'_>, _id: &Id, _context: Context<'_, S>) {
        let mut span = Span::default();
        attributes.record(&mut span);
        self.0.lock().expect("no test panics with the lock held").push(span);
    }
}

impl Visit for Span {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let place = match field.name() {
            "actor" => &mut self.actor,
            "method" => &mut self.method,
            "trace_id" => &mut self.trace_id,
            "span_id" => &mut self.span_id,
            "parent_id" => &mut self.parent_id,
            _ => return,
        };
        *place = format!("{value:?}").trim_matches('"').to_owned();
    }
}
