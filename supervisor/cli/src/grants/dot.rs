//! The grants as a picture, in the language of Graphviz: `bailiwick grants MANIFEST --dot | dot -Tsvg`.
//!
//! Who holds a privilege stands in a box of its own, so that every arrow into it is seen to cross its wall.

use std::path::Path;

use bailiwick_supervisor::spec::{System, Worker};

use super::{Boundary, boundary};
use crate::explain;

/// Returns the picture of a system, with paths from `base` on.
pub(super) fn picture(system: &System, base: &Path) -> String {
    let mut text = format!("digraph {} {{\n", quoted(&system.name));
    for line in [
        "rankdir=LR",
        "node [shape=box, style=\"rounded,filled\", fillcolor=white, fontname=\"sans-serif\", fontsize=11]",
        "edge [fontname=\"sans-serif\", fontsize=10]",
    ] {
        text.push_str(&format!("  {line};\n"));
    }
    let (privileged, others): (Vec<_>, Vec<_>) =
        system.workers.iter().partition(|worker| worker.holds_privilege());
    if !privileged.is_empty() {
        text.push_str("  subgraph cluster_privileged {\n");
        text.push_str(
            "    label=\"privileged\"; style=\"filled,bold\"; color=firebrick; fillcolor=mistyrose;\n",
        );
        privileged.iter().for_each(|worker| text.push_str(&format!("    {}\n", node(worker, base))));
        text.push_str("  }\n");
    }
    others.iter().for_each(|worker| text.push_str(&format!("  {}\n", node(worker, base))));
    for grant in &system.grants {
        let colour = match boundary(system, grant) {
            Some(Boundary::IntoPrivilege) => ", color=firebrick, penwidth=2",
            Some(Boundary::OutOfPrivilege) => ", color=firebrick, style=dashed",
            None => "",
        };
        let actor = grant.to_actor.as_ref().map(|actor| format!("/{actor}: ")).unwrap_or_default();
        let mut label = vec![format!("{actor}{}", explain::methods(grant))];
        label.extend(explain::terms(grant));
        let (from, to) = (quoted(&grant.from), quoted(&grant.to_worker));
        text.push_str(&format!("  {from} -> {to} [label={}{colour}];\n", lines(&label)));
    }
    text + "}\n"
}

fn node(worker: &Worker, base: &Path) -> String {
    let many = if worker.places() > 1 { format!(" ×{}", worker.places()) } else { String::new() };
    let what = if worker.command.is_some() { "foreign program, " } else { "" };
    let mut label = vec![format!("{}{many}", worker.name)];
    label.push(format!("{what}{}", explain::preset(worker.sandbox.preset)));
    label.extend(explain::facts(&worker.sandbox, base));
    format!("{} [label={}];", quoted(&worker.name), lines(&label))
}

/// Returns several lines as one quoted text.
fn lines(lines: &[String]) -> String {
    let inner: Vec<String> = lines.iter().map(|line| escaped(line)).collect();
    format!("\"{}\"", inner.join("\\n"))
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", escaped(text))
}

/// Takes the meaning from what ends a quoted text or begins an escape in it.
fn escaped(text: &str) -> String {
    let plain = |c: char| if c.is_control() { ' ' } else { c };
    text.chars().map(plain).collect::<String>().replace('\\', "\\\\").replace('"', "\\\"")
}

#[cfg(test)]
mod tests {
    use bailiwick_supervisor::spec::Exec;

    use super::*;

    #[test]
    fn no_name_gets_out_of_its_quotes() {
        assert_eq!(quoted("a\"];\n\\"), "\"a\\\"]; \\\\\"");
        let mut worker = Worker::new("web", Exec::Own);
        worker.sandbox.read_only_paths = vec!["/srv/\"x\"".into()];
        assert_eq!(
            node(&worker, Path::new("/srv")),
            "\"web\" [label=\"web\\nsealed\\nmay read \\\"x\\\"\"];"
        );
    }
}
