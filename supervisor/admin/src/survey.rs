//! What the workers that run say of themselves, each asked by the admin worker's own grant.
//!
//! It is the workers' word: what is made of it takes no text of theirs for more than text, and no more of it than a bounded number.

use std::time::Duration;

use bailiwick::control::{Row, State, Status};
use bailiwick::introspect::{ACTOR, Durations, IntrospectRef, Snapshot};
use bailiwick::prelude::*;
use futures::future::join_all;

/// How long a worker may take to answer. One that computes without end does not.
const PATIENCE: Duration = Duration::from_secs(1);
/// How many types of actors, links and reasons of one worker are told of.
const LISTED_MAX: usize = 64;
/// What is counted more often than this takes longer than a worker lives.
const COUNT_MAX: u64 = 1 << 50;
/// How many characters of a text of a worker's are told.
const TEXT_MAX: usize = 128;

/// What one instance of a worker said.
#[message]
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Said {
    pub(crate) worker: String,
    pub(crate) instance: u16,
    pub(crate) generation: u32,
    /// What it says, or why there is nothing to be heard.
    pub(crate) answer: Result<Snapshot, String>,
}

/// Asks all workers that run, at the same time. Each names so many of its actors.
pub(crate) async fn survey(cx: &Context, status: &Status, actors: u32) -> Vec<Said> {
    join_all(status.workers.iter().filter_map(|row| ask(cx, row, actors))).await
}

/// Asks one worker, if it is there and has a runtime that could say something.
fn ask(cx: &Context, row: &Row, actors: u32) -> Option<impl Future<Output = Said> + use<>> {
    if row.state != State::Ready {
        return None;
    }
    let worker = if row.numbered { format!("{}.{}", row.name, row.instance) } else { row.name.clone() };
    // Of a worker without a runtime, and of the admin worker itself, there is no grant.
    let peer: IntrospectRef = cx.peer(&format!("{worker}/{ACTOR}")).ok()?;
    let (worker, instance, generation) = (row.name.clone(), row.instance, row.generation);
    Some(async move {
        let answer = peer.look(actors).ask(PATIENCE).await;
        let answer = answer.map(bounded).map_err(|error| told(&error));
        Said { worker, instance, generation, answer }
    })
}

/// Returns as much of a snapshot as is told.
fn bounded(mut found: Snapshot) -> Snapshot {
    found.types.truncate(LISTED_MAX);
    let durations = found.types.iter_mut().flat_map(|one| [&mut one.waits, &mut one.handling]);
    durations.for_each(|one| one.counts = plausible(&one.counts));
    found.links.truncate(bailiwick::introspect::ACTORS_MAX as usize);
    found.actors.truncate(bailiwick::introspect::ACTORS_MAX as usize);
    found.dead_letters.truncate(LISTED_MAX);
    found.ask_failures.truncate(LISTED_MAX);
    let texts = (found.types.iter_mut().map(|one| &mut one.type_name))
        .chain(found.actors.iter_mut().flat_map(|one| [&mut one.path, &mut one.type_name]))
        .chain(found.links.iter_mut().map(|one| &mut one.peer))
        .chain(found.dead_letters.iter_mut().map(|(reason, _)| reason))
        .chain(found.ask_failures.iter_mut().map(|(outcome, _)| outcome));
    texts.for_each(cut);
    // What was more than that goes at once.
    found.types.shrink_to_fit();
    found.links.shrink_to_fit();
    found.actors.shrink_to_fit();
    found.dead_letters.shrink_to_fit();
    found.ask_failures.shrink_to_fit();
    found
}

/// Returns as many counts as there are places, none of them so large that sums of them overflow.
fn plausible(counts: &[u64]) -> Vec<u64> {
    counts.iter().take(Durations::PLACES).map(|count| (*count).min(COUNT_MAX)).collect()
}

/// Returns why a worker said nothing. Some of that may be its own words.
pub(crate) fn told(error: &AskError) -> String {
    let plain = |letter: char| if letter.is_ascii_graphic() || letter == ' ' { letter } else { '?' };
    error.to_string().chars().take(TEXT_MAX).map(plain).collect()
}

/// Takes out of a text what is no name of ours, and cuts what is long.
pub(crate) fn cut(text: &mut String) {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "_-./#".contains(letter);
    if text.chars().any(|letter| !is_plain(letter)) {
        *text = text.chars().map(|letter| if is_plain(letter) { letter } else { '?' }).collect();
    }
    // All of it is ASCII now.
    text.truncate(TEXT_MAX);
    text.shrink_to_fit();
}

#[cfg(test)]
mod tests {
    use bailiwick::introspect::TypeCounts;

    use super::*;

    #[test]
    fn of_what_a_worker_says_a_bounded_part_is_told_and_only_plain_letters() {
        let types: Vec<_> = (0..1000)
            .map(|n| TypeCounts {
                waits: Durations { counts: vec![u64::MAX; 1000], ..Durations::default() },
                type_name: format!("a\"b\n{n}é{}", "x".repeat(500)),
                ..TypeCounts::default()
            })
            .collect();
        let found = bounded(Snapshot { types, ..Snapshot::default() });
        assert!(found.types.iter().all(|one| one.waits.counts == [COUNT_MAX; Durations::PLACES]));
        assert_eq!(found.types.len(), LISTED_MAX);
        assert!(found.types[7].type_name.starts_with("a?b?7?x"), "{:?}", found.types[7]);
        assert!(found.types.iter().all(|one| one.type_name.len() == TEXT_MAX));
    }
}
