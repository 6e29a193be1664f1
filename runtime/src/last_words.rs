//! What this process leaves behind in case it dies: a part of its slate, which its supervisor reads afterwards.
//!
//! In a process without a supervisor nothing is written. A static, because a panic's hook and a signal's handler have
//! nothing else, and because a process dies as a whole.

use std::panic::PanicHookInfo;
use std::sync::atomic::AtomicU64;
use std::sync::{Mutex, OnceLock, PoisonError};

use bailiwick_sys::trapped_call::{self, Notes};
use bailiwick_sys::{at_work, build_id, events};
use bailiwick_wire::denials;
use bailiwick_wire::last_words::{GaveUp, Panic, Step, Testament};
use bailiwick_wire::slate::THREADS;

use crate::name::ActorName;
use crate::outcome::Cause;
use crate::scope::Scope;

static TESTAMENT: OnceLock<Testament<'static>> = OnceLock::new();
/// How many panics there were; held while one is written.
static PANICS: Mutex<u32> = Mutex::new(0);

/// Writes on this slate from now on.
pub(crate) fn write_to(slate: &'static [AtomicU64]) {
    let Some(testament) = Testament::of(slate) else { return };
    let testament = TESTAMENT.get_or_init(|| testament);
    testament.build_id(&build_id::of_this_program());
    crate::panics::note_locations();
    if let Some((denied, paths)) = denials::table(slate).zip(denials::paths(slate)) {
        trapped_call::note_in(Notes { deadly: testament.forbidden_call(), denied, paths });
    }
}

const _: () = assert!(THREADS as usize == at_work::THREADS);
const _: () = assert!(denials::ENTRY_WORDS == trapped_call::ENTRY_WORDS);
const _: () = assert!(denials::path::ENTRY_WORDS == trapped_call::PATH_ENTRY_WORDS);

/// Leaves behind what the hook of a panic knows, whether or not the panic will be caught.
pub(crate) fn panicked(info: &PanicHookInfo<'_>) {
    // Whoever panics holding it has written what there is to write.
    let mut count = PANICS.lock().unwrap_or_else(PoisonError::into_inner);
    *count = count.saturating_add(1);
    let thread = std::thread::current();
    let panic = Panic {
        message: info.payload_as_str().unwrap_or("a value that is no text").to_owned(),
        location: info.location().map(ToString::to_string).unwrap_or_default(),
        thread: thread.name().unwrap_or_default().to_owned(),
        actor: Scope::current_actor().map(|actor| actor.to_string()).unwrap_or_default(),
        at_ns: events::monotonic_ns(),
        count: *count,
    };
    if let Some(testament) = TESTAMENT.get() {
        testament.panic(&panic);
    }
}

/// Leaves behind which actor gave up, and why, down to where it began.
pub(crate) fn gave_up(actor: &ActorName, cause: &Cause) {
    if let Some(testament) = TESTAMENT.get() {
        testament.gave_up(&GaveUp { chain: chain(actor.to_string(), cause) });
    }
}

/// Counts messages that could not be delivered.
pub(crate) fn lost(messages: u64) {
    if let Some(testament) = TESTAMENT.get() {
        testament.lost(messages);
    }
}

fn chain(mut actor: String, mut cause: &Cause) -> Vec<Step> {
    let mut chain = Vec::new();
    loop {
        let why = match cause {
            Cause::ChildGaveUp { .. } => "a child of it gave up".to_owned(),
            Cause::Panicked { message, location: Some(location) } => {
                format!("panicked at {location}: {message}")
            }
            other => other.to_string(),
        };
        chain.push(Step { actor, why });
        let Cause::ChildGaveUp { child, cause: deeper } = cause else { return chain };
        (actor, cause) = (child.clone(), deeper);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_leads_from_who_ended_the_worker_to_where_it_began() {
        let panic = Cause::Panicked { message: "no cat".into(), location: Some("src/cat.rs:7:9".into()) };
        let inner = Cause::ChildGaveUp { child: "web/a/b".into(), cause: Box::new(panic) };
        let outer = Cause::ChildGaveUp { child: "web/a".into(), cause: Box::new(inner) };
        let found: Vec<_> =
            chain("web/top".into(), &outer).into_iter().map(|step| (step.actor, step.why)).collect();
        let wanted = [
            ("web/top", "a child of it gave up"),
            ("web/a", "a child of it gave up"),
            ("web/a/b", "panicked at src/cat.rs:7:9: no cat"),
        ];
        assert_eq!(found, wanted.map(|(actor, why)| (actor.to_owned(), why.to_owned())));
    }
}
