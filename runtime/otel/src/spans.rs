//! The actor that sends a worker's spans on.

use std::time::Duration;

use bailiwick::Hosted;
use bailiwick::prelude::*;
use serde::Deserialize;

use crate::gathered::GATHERED;
use crate::otlp::CollectorRef;
use crate::span::Batch;

/// What the actor is told.
#[protocol]
pub trait Flush {
    /// Sends what has gathered.
    async fn flush(&mut self, cx: &mut Context);
}

/// Where spans go: the arguments of the actor.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Destination {
    /// The actor that collects them, `otel/otlp`.
    pub to: String,
    /// How long they gather, in milliseconds; 1000 unless told otherwise.
    #[serde(default = "second")]
    pub every_ms: u64,
}

fn second() -> u64 {
    1000
}

/// Sends the spans of its worker to the one that collects them.
#[derive(Debug)]
pub struct Spans {
    to: Destination,
}

/// Returns the actor as a [`Program`](bailiwick::Program) registers it.
pub fn spans() -> Hosted {
    FlushRef::serve(|to: Destination| Spans { to }).with_args::<Destination>().with_lifecycle().into()
}

impl Actor for Spans {
    async fn started(&mut self, cx: &mut Context) -> Result<(), ActorError> {
        let me: FlushRef = cx.me();
        let _until_it_ends = cx.send_every(Duration::from_millis(self.to.every_ms), move || me.flush());
        Ok(())
    }

    async fn stopping(&mut self, cx: &mut Context) {
        self.flush(cx).await;
    }
}

impl Flush for Spans {
    async fn flush(&mut self, cx: &mut Context) {
        // Until no whole batch is left.
        loop {
            let (spans, dropped) = GATHERED.take(BATCH_MAX);
            let count = spans.len();
            if count == 0 && dropped == 0 {
                return;
            }
            let batch = Batch { worker: worker(cx), spans: spans.clone(), dropped };
            let sent = match cx.peer::<CollectorRef>(&self.to.to) {
                Ok(to) => to.collect(batch).try_tell().map_err(|error| error.to_string()),
                Err(error) => Err(error.to_string()),
            };
            if let Err(error) = sent {
                // The next time: nobody is kept waiting by spans, least of all who stops.
                tracing::debug!(target: "bailiwick::otel", to = self.to.to, error, spans = count, "spans wait");
                return GATHERED.put_back(spans, dropped);
            }
            if count < BATCH_MAX {
                return;
            }
        }
    }
}

/// Returns what the worker calls itself.
fn worker(cx: &Context) -> String {
    let name = cx.address().name();
    match name.instance() {
        Some(instance) => format!("{}.{instance}", name.worker()),
        None => name.worker().to_owned(),
    }
}

/// How many spans one message carries at most: it stays below the limits of a frame.
const BATCH_MAX: usize = 256;
