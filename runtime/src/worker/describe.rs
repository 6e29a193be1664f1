//! The role in which an executable says what it has, and whether it could take what a manifest gives it.

use std::collections::BTreeMap;
use std::process::ExitCode;

use bailiwick_wire::bootstrap::Bootstrap;
use bailiwick_wire::description::{Description, Type};

use super::line::Line;
use super::{StartError, confine};
use crate::args::Args;
use crate::registry::Registry;

/// Sends one packet: all actor types with their methods, and the arguments that do not fit. Nothing is started.
pub(super) fn describe(line: &Line, registry: &Registry) -> Result<ExitCode, StartError> {
    let (bootstrap, attached) = line.bootstrap()?;
    confine(&bootstrap, attached)?;
    let types = registry.types().map(|(name, hosted)| Type {
        name: name.to_owned(),
        methods: hosted
            .protocols()
            .iter()
            .flat_map(|protocol| &protocol.methods)
            .map(|method| method.name.to_string())
            .collect(),
    });
    let description =
        Description { types: types.collect(), refused_args: refused_args(&bootstrap, registry) };
    line.send(&description.to_bytes()?)?;
    Ok(ExitCode::SUCCESS)
}

fn refused_args(bootstrap: &Bootstrap, registry: &Registry) -> Vec<(String, String)> {
    let mut refused = BTreeMap::new();
    for actor in &bootstrap.actors {
        let Some(hosted) = registry.find(&actor.type_name) else { continue };
        let args = actor.args.as_ref().map(|(text, line)| Args::new(text.as_str(), *line));
        if let Err(error) = hosted.check_args(&actor.name, args.as_ref()) {
            refused.insert(actor.name.clone(), error.to_string());
        }
    }
    refused.into_iter().collect()
}
