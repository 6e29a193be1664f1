//! One actor: what may be asked of it, and what it says of its state.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bailiwick_wire::schema::ProtocolSchema;
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::gather::state;
use super::{Described, Inspected, Said, Undescribed, WORDS_MAX};
use crate::cell::Cell;
use crate::family::Family;
use crate::later::Later;
use crate::node::Shared;
use crate::signal::Signal;

/// How long an actor has for what it is about before it is told to be busy.
const PATIENCE: Duration = Duration::from_secs(1);
/// How many actors that may be reached are named where there is none of a name.
pub(super) const NAMED_MAX: usize = 64;

/// Describes a method of a declared actor.
pub(super) fn describe(node: &Shared, actor: &str, method: &str) -> Result<Described, Undescribed> {
    let declared = node.declared();
    let Some(found) = declared.iter().find(|known| known.cell.path() == actor) else {
        let others = declared.iter().filter(|known| !known.cell.is_observer());
        let actors = others.map(|known| known.cell.path().to_owned()).take(NAMED_MAX).collect();
        return Err(Undescribed::NoActor { actors });
    };
    let named = |protocol: &&'static ProtocolSchema| {
        protocol.method(method).map(|(_, method)| (protocol.name, method))
    };
    let mut meant = found.protocols.iter().filter_map(named);
    match (meant.next(), meant.next()) {
        (Some((protocol, method)), None) => Ok(Described {
            protocol: protocol.to_owned(),
            shape: method.shape.clone(),
            has_priority: method.has_priority,
        }),
        (Some(_), Some(_)) => Err(Undescribed::Ambiguous),
        (None, _) => Err(Undescribed::NoMethod {
            methods: found.protocols.iter().flat_map(|protocol| methods(protocol)).collect(),
        }),
    }
}

fn methods(protocol: &ProtocolSchema) -> Vec<String> {
    protocol.methods.iter().map(|method| method.name.to_owned()).collect()
}

/// The actors that were asked for their state and have not answered: whoever is busy is asked no second time, so that what stands
/// in its line stays little.
#[derive(Clone, Debug, Default)]
pub(super) struct Asked(Arc<Mutex<BTreeSet<String>>>);

impl Asked {
    /// Returns what an actor is, as soon as it has said what it wants to of its state, or is too long about it.
    pub(super) fn inspect(&self, node: &Shared, path: &str) -> Later<Option<Inspected>> {
        let Some(cell) = find(node, path) else { return Later::ready(None) };
        let mut found = Inspected {
            stands: state(&cell),
            protocols: protocols(node, path),
            children: cell.children().map_or(0, |children| children.members().len() as u32),
            said: Said::Busy,
        };
        if !self.lock().insert(path.to_owned()) {
            return Later::ready(Some(found));
        }
        let (sender, receiver) = oneshot::channel();
        cell.signal(Signal::Inspect(sender));
        let (later, answer) = Later::pair();
        let (asked, path) = (self.clone(), path.to_owned());
        tokio::task::spawn_local(async move {
            let mut receiver = receiver;
            let said = timeout(PATIENCE, &mut receiver).await;
            let is_waiting = said.is_err();
            if let Ok(Ok(said)) = said {
                found.said = said.map_or(Said::Nothing, |words| Said::Words(cut(words)));
            }
            answer.send(Some(found));
            if is_waiting {
                // It comes to it some time, or ends.
                let _ = receiver.await;
            }
            asked.lock().remove(&path);
        });
        later
    }

    fn lock(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Finds an actor by its name and those of its ancestors.
pub(super) fn find(node: &Shared, path: &str) -> Option<Arc<Cell>> {
    let mut families: Vec<Arc<Family>> = vec![Arc::clone(&node.hosted), Arc::clone(&node.spawned)];
    while let Some(family) = families.pop() {
        for cell in family.members() {
            if cell.path() == path {
                // Who looks at the others is none of them.
                return Some(cell).filter(|cell| !cell.is_ended() && !cell.is_observer());
            }
            let is_above = path.strip_prefix(cell.path()).is_some_and(|rest| rest.starts_with('/'));
            families.extend(cell.children().filter(|_| is_above));
        }
    }
    None
}

fn protocols(node: &Shared, path: &str) -> Vec<(String, Vec<String>)> {
    let declared = node.declared();
    let found = declared.iter().find(|known| known.cell.path() == path);
    let all = found.into_iter().flat_map(|known| &known.protocols);
    all.map(|protocol| (protocol.name.to_owned(), methods(protocol))).collect()
}

fn cut(mut words: String) -> String {
    words.truncate(words.floor_char_boundary(WORDS_MAX));
    words
}
