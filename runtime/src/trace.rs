//! One trace over all the messages that one first message brought about, also across processes.
//!
//! The ids are made only while somebody listens to this crate's spans, so that otherwise a message costs nothing for
//! them; an id that came with a message is passed on in any case.

use bailiwick_wire::frame::TraceContext;
use bailiwick_wire::schema::ProtocolSchema;
use tracing::{Level, Span, field};
use uuid::Uuid;

use crate::cell::Cell;
use crate::envelope::method_name;
use crate::outcome::Cause;
use crate::outlet::Outlet;

/// What a message or scope knows of its trace. Boxed, for most have none, and each message hands it on several times.
pub(crate) type Trace = Option<Box<TraceContext>>;

/// Returns the trace that a message sent in a scope with `current` belongs to.
pub(crate) fn of_message(current: Trace) -> Trace {
    match current {
        None if is_wanted() => {
            let trace = *Uuid::now_v7().as_bytes();
            Some(Box::new(TraceContext { trace, span: [0; 8], flags: SAMPLED }))
        }
        known => known,
    }
}

/// Makes the span of one handled message, if somebody wants it. Messages that the handler sends then name it as their parent.
pub(crate) fn handle(
    cell: &Cell,
    protocol: &'static ProtocolSchema,
    method: u16,
    trace: &mut Trace,
) -> Option<Box<Span>> {
    if !is_wanted() {
        return None;
    }
    let known = of_message(trace.take()).unwrap_or_default();
    let trace = trace.insert(known);
    let came = **trace;
    // The low half of such an id is chance.
    let own = Uuid::now_v7().as_u64_pair().1;
    trace.span = own.to_be_bytes();
    let span = tracing::debug_span!(
        target: "bailiwick::actor",
        "handle",
        actor = %cell.name(),
        protocol = protocol.name,
        method = method_name(protocol, method),
        trace_id = %format_args!("{:032x}", u128::from_be_bytes(came.trace)),
        span_id = %format_args!("{own:016x}"),
        parent_id = %format_args!("{:016x}", u64::from_be_bytes(came.span)),
        error = field::Empty,
    );
    Some(Box::new(span))
}

/// Says of the span why its handler failed.
#[cold]
pub(crate) fn failed(span: &Option<Box<Span>>, cause: Cause) -> Cause {
    if let Some(span) = span {
        span.record("error", field::display(&cause));
    }
    cause
}

fn is_wanted() -> bool {
    tracing::enabled!(target: "bailiwick::actor", Level::DEBUG)
}

/// The bit that says that somebody records the trace.
const SAMPLED: u8 = 1;
