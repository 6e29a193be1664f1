//! Spans as OTLP says them in JSON (opentelemetry.io/docs/specs/otlp, "JSON Protobuf Encoding"): ids are hexadecimal there, and
//! numbers of 64 bits are texts.

use serde_json::{Value, json};

use crate::span::{Batch, Span};

/// Returns the body of an export.
pub(crate) fn request(batch: &Batch) -> String {
    let mut resource = vec![attribute("service.name", &batch.worker)];
    if batch.dropped > 0 {
        resource
            .push(json!({ "key": "bailiwick.dropped", "value": { "intValue": batch.dropped.to_string() } }));
    }
    let spans: Vec<Value> = batch.spans.iter().map(span).collect();
    json!({ "resourceSpans": [{
        "resource": { "attributes": resource },
        "scopeSpans": [{
            "scope": { "name": "bailiwick", "version": env!("CARGO_PKG_VERSION") },
            "spans": spans,
        }],
    }] })
    .to_string()
}

fn span(found: &Span) -> Value {
    let attributes: Vec<Value> =
        found.attributes.iter().map(|(name, value)| attribute(name, value)).collect();
    let (begin, end) = found.time;
    json!({
        "traceId": hex(&found.trace),
        "spanId": hex(&found.id),
        "parentSpanId": if found.parent == [0; 8] { String::new() } else { hex(&found.parent) },
        "name": found.name,
        "kind": if found.is_message { SERVER } else { INTERNAL },
        "startTimeUnixNano": begin.to_string(),
        "endTimeUnixNano": end.max(begin).to_string(),
        "attributes": attributes,
        "status": match &found.error {
            None => json!({}),
            Some(error) => json!({ "code": ERROR, "message": error }),
        },
    })
}

fn attribute(name: &str, value: &str) -> Value {
    json!({ "key": name, "value": { "stringValue": value } })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

const INTERNAL: u8 = 1;
const SERVER: u8 = 2;
const ERROR: u8 = 2;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_is_said_as_the_specification_says_it() {
        let lookup = Span {
            trace: [0xab; 16],
            id: [1, 2, 3, 4, 5, 6, 7, 8],
            parent: [0; 8],
            name: "Cache.lookup".into(),
            is_message: true,
            time: (1_700_000_000_000_000_001, 1_700_000_000_000_000_002),
            attributes: vec![("bailiwick.actor".into(), "front/cache#1".into())],
            error: None,
        };
        let within = Span {
            parent: lookup.id,
            id: [9; 8],
            name: "disk".into(),
            is_message: false,
            time: (5, 4),
            attributes: Vec::new(),
            error: Some("it is full".into()),
            ..lookup.clone()
        };
        let batch = Batch { worker: "front".into(), spans: vec![lookup, within], dropped: 7 };
        let found: Value = serde_json::from_str(&request(&batch)).expect("it is JSON");
        let resource = &found["resourceSpans"][0];
        assert_eq!(resource["resource"]["attributes"][0]["value"]["stringValue"], "front");
        assert_eq!(resource["resource"]["attributes"][1]["value"]["intValue"], "7");
        let spans = &resource["scopeSpans"][0]["spans"];
        assert_eq!(
            spans[0],
            json!({
                "traceId": "abababababababababababababababab",
                "spanId": "0102030405060708",
                "parentSpanId": "",
                "name": "Cache.lookup",
                "kind": 2,
                "startTimeUnixNano": "1700000000000000001",
                "endTimeUnixNano": "1700000000000000002",
                "attributes": [{ "key": "bailiwick.actor", "value": { "stringValue": "front/cache#1" } }],
                "status": {},
            })
        );
        assert_eq!(spans[1]["parentSpanId"], "0102030405060708");
        // A clock that was set back between the two does not make it end before it began.
        assert_eq!(
            (&spans[1]["startTimeUnixNano"], &spans[1]["endTimeUnixNano"]),
            (&json!("5"), &json!("5"))
        );
        assert_eq!(spans[1]["status"], json!({ "code": 2, "message": "it is full" }));
    }
}
