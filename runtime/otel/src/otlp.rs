//! The actor that posts spans to a collector.

use std::time::Duration;

use bailiwick::prelude::*;
use bailiwick::{Hosted, Mailbox, OnFull};
use serde::Deserialize;

use crate::json;
use crate::post;
use crate::span::Batch;

/// What takes spans.
#[protocol]
pub trait Collector {
    /// Takes the spans of a worker.
    async fn collect(&mut self, batch: Batch);
}

/// The collector: the arguments of the actor.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Endpoint {
    /// Its address and port, `127.0.0.1:4318`. There is no TLS: let a collector on this machine carry spans further.
    pub endpoint: String,
    /// The path, unless it is the usual one.
    #[serde(default = "usual")]
    pub path: String,
    /// How long it may take to answer, in milliseconds; 5000 unless told otherwise.
    #[serde(default = "patience")]
    pub timeout_ms: u64,
}

fn usual() -> String {
    "/v1/traces".to_owned()
}

fn patience() -> u64 {
    5000
}

/// Posts what it is sent, batch by batch, as OTLP/HTTP with JSON. What the collector does not take is lost: it is told of once, and
/// when it takes spans again.
#[derive(Debug)]
pub struct Otlp {
    endpoint: Endpoint,
    is_away: bool,
}

/// Returns the actor as a [`Program`](bailiwick::Program) registers it. Its mailbox holds 64 batches, and drops the newest.
pub fn otlp() -> Hosted {
    CollectorRef::serve(|endpoint: Endpoint| Otlp { endpoint, is_away: false })
        .with_args::<Endpoint>()
        .mailbox(Mailbox::bounded(64).on_full(OnFull::DropNewest))
        .into()
}

impl Collector for Otlp {
    async fn collect(&mut self, batch: Batch) {
        let Endpoint { endpoint, path, timeout_ms } = &self.endpoint;
        let posted = post::post(endpoint, path, json::request(&batch));
        let posted = match tokio::time::timeout(Duration::from_millis(*timeout_ms), posted).await {
            Ok(posted) => posted.map_err(|error| error.to_string()),
            Err(_) => Err(format!("no answer within {timeout_ms} ms")),
        };
        match posted {
            Ok(()) if self.is_away => {
                self.is_away = false;
                eprintln!("the collector at {endpoint}{path} takes spans again");
            }
            Ok(()) => {}
            Err(error) if !self.is_away => {
                self.is_away = true;
                eprintln!("<4>spans are lost: the collector at {endpoint}{path} does not take them: {error}");
            }
            Err(_) => {}
        }
    }
}
