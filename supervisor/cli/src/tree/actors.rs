//! The actors of a worker as lines below it: each type with what it has done, and under it its fullest mailboxes.

use bailiwick_supervisor::check::escape;

use super::Node;
use crate::admin::actors::{Actor, Actors, Type};

/// Returns what stands below a worker.
pub(super) fn nodes(told: &Actors) -> Vec<Node> {
    if let Some(why) = &told.silent_because {
        return vec![Node::leaf(format!("does not say how its actors are: {}", escape(why)))];
    }
    let mut nodes: Vec<Node> = told.types.iter().map(|one| of_type(one, &told.actors)).collect();
    let letters = |(reason, messages): (&str, u64)| format!("{messages} {}", escape(reason));
    let dead: Vec<_> = told.dead_letters.iter().map(|one| letters((&one.reason, one.messages))).collect();
    if !dead.is_empty() {
        nodes.push(Node::leaf(format!("dead letters: {}", dead.join(", "))));
    }
    nodes
}

fn of_type(found: &Type, actors: &[Actor]) -> Node {
    let Type { actors: count, handled, waiting, restarts, failures, .. } = *found;
    let mut text = format!("{}: actors {count}, handled {handled}, waiting {waiting}", escape(&found.r#type));
    for (what, number) in [("failures", failures), ("restarts", restarts)] {
        if number > 0 {
            text += &format!(", {what} {number}");
        }
    }
    let full = actors.iter().filter(|actor| actor.r#type == found.r#type && actor.waiting > 0);
    Node { text, below: full.map(|actor| Node::leaf(mailbox(actor))).collect() }
}

fn mailbox(actor: &Actor) -> String {
    let of = actor.capacity.map(|capacity| format!(" of {capacity}")).unwrap_or_default();
    let life = if actor.generation > 1 { format!("#{}", actor.generation) } else { String::new() };
    format!("{}{life}: waiting {}{of}, {} bytes", escape(&actor.actor), actor.waiting, actor.waiting_bytes)
}
