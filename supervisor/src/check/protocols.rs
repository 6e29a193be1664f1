//! Whether the executables have what the system says of them: actor types, methods, arguments.

use std::collections::BTreeMap;

use super::references::suggest;
use super::{Diagnostic, escape, quote};
use crate::spec::{Grant, INTROSPECT, System, Worker};

/// What an executable told about itself when it was asked on behalf of one worker.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Described {
    /// The actor types that it has, by the name under which it registered them.
    pub types: BTreeMap<String, Vec<String>>,
    /// The declared actors whose arguments do not decode, and why.
    pub refused_args: BTreeMap<String, String>,
}

/// Compares a system with what its executables told, by the name of the worker. A worker that is
/// missing in `described` is not compared.
pub fn protocols(system: &System, described: &BTreeMap<String, Described>) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for worker in &system.workers {
        if let Some(told) = described.get(&worker.name) {
            actors(worker, told, &mut found);
        }
    }
    for (index, grant) in system.grants.iter().enumerate() {
        let target = system.workers.iter().find(|worker| worker.name == grant.to_worker);
        let told = described.get(&grant.to_worker);
        if let (Some(target), Some(told)) = (target, told) {
            methods(index, grant, target, told, &mut found);
        }
    }
    found
}

fn actors(worker: &Worker, told: &Described, found: &mut Vec<Diagnostic>) {
    for actor in &worker.actors {
        let key = format!("worker.{}.actor.{}", worker.name, actor.name);
        if !told.types.contains_key(&actor.type_name) {
            let known: Vec<&str> = told.types.keys().map(String::as_str).collect();
            let title = format!(
                "the program of worker `{}` has no actor type {}",
                worker.name,
                quote(&actor.type_name)
            );
            let all = match known.is_empty() {
                true => "it registers no actor at all".to_owned(),
                false => format!("its actor types are: {}", known.join(", ")),
            };
            let help = suggest(&actor.type_name, known.iter().copied(), &all);
            found.push(Diagnostic::error(title).at_key(format!("{key}.type"), "not registered").help(help));
        } else if let Some(why) = told.refused_args.get(&actor.name) {
            let title = format!("the arguments of actor `{}` do not fit `{}`", actor.name, actor.type_name);
            let place = if actor.args.is_some() { format!("{key}.args") } else { key };
            // The text is the executable's: escaped and cut like any other foreign text.
            let help = "write what the actor's type expects";
            found.push(Diagnostic::error(title).at_key(place, escape(why)).help(help));
        }
    }
}

fn methods(index: usize, grant: &Grant, target: &Worker, told: &Described, found: &mut Vec<Diagnostic>) {
    if grant.to_actor.as_deref() == Some(INTROSPECT) {
        // The runtime's own, of which no executable tells.
        return;
    }
    let granted =
        |actor: &&crate::spec::Actor| grant.to_actor.as_ref().is_none_or(|name| *name == actor.name);
    let types = target.actors.iter().filter(granted).map(|actor| told.types.get(&actor.type_name));
    // A type that is not registered has been told of; its methods cannot be known.
    let Some(known) = types.collect::<Option<Vec<_>>>() else { return };
    let known: Vec<&str> = known.into_iter().flatten().map(String::as_str).collect();
    for (position, method) in grant.methods.iter().flatten().enumerate() {
        if known.contains(&method.as_str()) {
            continue;
        }
        let whom = match &grant.to_actor {
            Some(actor) => format!("actor `{}/{actor}`", grant.to_worker),
            None => format!("worker `{}`", grant.to_worker),
        };
        let all = match known.is_empty() {
            true => "it has no method at all".to_owned(),
            false => format!("its methods are: {}", known.join(", ")),
        };
        let error = Diagnostic::error(format!("{whom} has no method {}", quote(method)))
            .at_key(format!("grant[{index}].methods[{position}]"), "not in its protocols")
            .help(suggest(method, known.iter().copied(), &all));
        found.push(error);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::parse;
    use std::path::Path;

    const MANIFEST: &str = r#"
[worker.web]
exec = "web"
[worker.shrinker]
exec = "shrinker"
[worker.shrinker.actor.thumbs]
type = "Shrinker"
args = { quality = "high" }
[[grant]]
from = "web"
to = "shrinker/thumbs"
methods = ["shrink", "forget"]
"#;

    fn told(types: &[(&str, &[&str])]) -> BTreeMap<String, Described> {
        let methods = |list: &[&str]| list.iter().map(|name| (*name).to_owned()).collect();
        let types = types.iter().map(|(name, list)| ((*name).to_owned(), methods(list))).collect();
        [("shrinker".to_owned(), Described { types, ..Described::default() })].into()
    }

    fn shown(described: &BTreeMap<String, Described>) -> String {
        let (system, text, found) = parse(Path::new("m.toml"), Path::new("/"), MANIFEST.into());
        assert_eq!(found, []);
        text.diagnostics(protocols(&system, described)).render(false)
    }

    #[test]
    fn what_fits_is_not_mentioned() {
        assert_eq!(shown(&told(&[("Shrinker", &["shrink", "forget"])])), "");
        assert_eq!(shown(&BTreeMap::new()), "");
    }

    #[test]
    fn an_unknown_type_is_told_at_its_span_with_the_nearest() {
        let text = shown(&told(&[("Shrinkr", &["shrink"])]));
        for part in ["has no actor type `Shrinker`", "m.toml:7:8", "did you mean `Shrinkr`?"] {
            assert!(text.contains(part), "{text}");
        }
        assert_eq!(text.matches("error:").count(), 1, "its methods are not told of as well: {text}");
        assert!(shown(&told(&[])).contains("it registers no actor at all"));
    }

    #[test]
    fn an_unknown_method_is_told_at_its_span_with_the_nearest() {
        let text = shown(&told(&[("Shrinker", &["shrink", "forgets"])]));
        for part in ["`shrinker/thumbs` has no method `forget`", "m.toml:12:22", "did you mean `forgets`?"] {
            assert!(text.contains(part), "{text}");
        }
    }

    #[test]
    fn arguments_that_do_not_decode_are_told_at_their_span_without_control_characters() {
        let mut described = told(&[("Shrinker", &["shrink", "forget"])]);
        let why = "invalid type: string \"high\",\u{1b} expected u8".to_owned();
        described.get_mut("shrinker").unwrap().refused_args.insert("thumbs".into(), why);
        let text = shown(&described);
        assert!(text.contains("m.toml:8:8") && text.contains("expected u8"), "{text}");
        assert!(!text.contains('\u{1b}'), "{text}");
    }
}
