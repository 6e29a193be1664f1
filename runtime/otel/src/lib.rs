//! Traces for OpenTelemetry: what one message brought about, over all workers, as spans that Jaeger, Tempo or any collector shows.
//!
//! A worker that parses hostile input has no network, and is to need none for this. So in each worker [`layer`] gathers the spans
//! of `tracing` that messages make, an actor [`Spans`] sends them every second to one worker, and there an actor [`Otlp`] posts them
//! to a collector, by OTLP over HTTP. That worker alone may connect, and to that port alone.
//!
//! ```no_run
//! use bailiwick::Program;
//! use bailiwick_otel as otel;
//! use tracing_subscriber::prelude::*;
//!
//! tracing_subscriber::registry().with(otel::layer()).init();
//! Program::new()
//!     // Beside the actors of your own.
//!     .register("Spans", otel::spans())
//!     .register("Otlp", otel::otlp())
//!     .run();
//! ```
//!
//! ```toml
//! [worker.front]
//! actor.front = { type = "Front" }
//! actor.spans = { type = "Spans", args = { to = "otel/otlp" } }
//!
//! [worker.otel]
//! sandbox = { preset = "net-client", tcp_connect = [4318] }
//! actor.otlp = { type = "Otlp", args = { endpoint = "127.0.0.1:4318" } }
//!
//! [[grant]]
//! from = "front"
//! to = "otel/otlp"
//! methods = ["collect"]
//! ```
//!
//! Each handled message is a span, a child of the one whose handler sent it, also in another process; spans that a handler makes
//! itself are children of its own. Of what happens outside of handlers nothing is told. Spans are lost when a worker dies before
//! its next second, when the collector is away for longer than a worker remembers ([`SPANS_MAX`] spans), and where the mailbox of
//! [`Otlp`] is full; how many is told as the attribute `bailiwick.dropped` of the next batch. No message waits for any of this.
//!
//! What a worker tells of itself is its own word, its name among it: who has taken it over can tell of spans that never were.

mod gathered;
mod json;
mod layer;
mod otlp;
mod post;
mod span;
mod spans;

pub use gathered::SPANS_MAX;
pub use layer::layer;
pub use otlp::{Collector, CollectorRef, Endpoint, Otlp, otlp};
pub use span::{Batch, Span};
pub use spans::{Destination, Flush, FlushRef, Spans, spans};
