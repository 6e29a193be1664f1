//! The arguments of what is asked of actors from outside.

use std::time::Duration;

use clap::Args;
use clap_complete::engine::ArgValueCandidates;
use serde_json::Value;

use super::Place;
use super::values::{patience, traced_for};
use crate::completion::names;

/// Ask an actor and print its reply.
#[derive(Debug, Args)]
pub(crate) struct Ask {
    #[command(flatten)]
    pub(crate) message: Message,
    /// How long the reply is waited for, at most 25s.
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = patience)]
    pub(crate) timeout: Duration,
}

/// Send an actor a message.
#[derive(Debug, Args)]
pub(crate) struct Send {
    #[command(flatten)]
    pub(crate) message: Message,
}

/// Show what an actor is and how it stands.
#[derive(Debug, Args)]
pub(crate) struct Inspect {
    /// An actor, as `store/cache`, or a child of one; `store.2/cache` in one of several instances.
    #[arg(value_name = "WORKER/ACTOR")]
    pub(crate) target: String,
    /// One JSON document with a schema_version.
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) place: Place,
}

/// Show the messages that actors handle, as they come.
#[derive(Debug, Args)]
pub(crate) struct Trace {
    /// An actor, as `store/cache`, or a child of one, in all instances of its worker; `store.2/cache` in one of them. Or the name of a
    /// type of actors, as `tree --actors` has it, in all workers.
    #[arg(value_name = "WORKER/ACTOR|TYPE", add = ArgValueCandidates::new(names::before_actors))]
    pub(crate) target: String,
    /// End after so many messages: 1 to 10000.
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) count: u32,
    /// End after so long: 1ms to 60s.
    #[arg(long = "for", value_name = "TIME", default_value = "5s", value_parser = traced_for)]
    pub(crate) time: Duration,
    /// JSON documents with a schema_version, one a line.
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) place: Place,
}

/// A message, as people write it.
#[derive(Debug, Args)]
pub(crate) struct Message {
    /// An actor and one of its methods, as `store/cache.get`; `store.2/cache.get` in one of several instances.
    #[arg(value_name = "WORKER/ACTOR.METHOD", value_parser = target)]
    pub(crate) target: Target,
    /// The arguments, as an object with their names: `{"key": "x"}`. An optional one may be left out.
    #[arg(value_name = "JSON", default_value = "{}", hide_default_value = true, value_parser = json)]
    pub(crate) arguments: Value,
    /// One JSON document with a schema_version.
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) place: Place,
}

/// An actor, and one of its methods.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) actor: String,
    pub(crate) method: String,
}

fn target(text: &str) -> Result<Target, String> {
    let found = text.split_once('/').and_then(|(worker, rest)| {
        let (path, method) = rest.rsplit_once('.')?;
        let is_whole = !worker.is_empty() && !path.is_empty() && !method.is_empty();
        is_whole.then(|| Target { actor: format!("{worker}/{path}"), method: method.to_owned() })
    });
    found.ok_or_else(|| "expected an actor and a method: WORKER/ACTOR.METHOD".into())
}

fn json(text: &str) -> Result<Value, String> {
    let value: Value = serde_json::from_str(text).map_err(|error| format!("no JSON: {error}"))?;
    match value.is_object() {
        true => Ok(value),
        false => Err("expected an object with the arguments: {\"NAME\": VALUE}".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_an_actor_and_a_method() {
        let read = |text: &str| target(text).map(|found| (found.actor, found.method)).ok();
        let of = |actor: &str, method: &str| Some((actor.to_owned(), method.to_owned()));
        assert_eq!(read("store/cache.get"), of("store/cache", "get"));
        assert_eq!(read("store.2/cache.get"), of("store.2/cache", "get"));
        for none in ["", "store", "store.get", "store/cache", "store/.get", "/cache.get", "store/cache."] {
            assert_eq!(read(none), None, "{none:?}");
        }
    }

    #[test]
    fn arguments_are_an_object() {
        assert_eq!(json("{\"a\": [1]}"), Ok(serde_json::json!({ "a": [1] })));
        assert!(json("[1]").is_err() && json("{a: 1}").is_err() && json("").is_err());
    }
}
