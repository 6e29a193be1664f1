//! The system that is measured: a sealed worker, one without a sandbox, one that is sent to under a grant with every bound,
//! one that measures no durations, and who asks them.

use std::process::ExitCode;
use std::time::Duration;

use bailiwick::introspect::measure_durations;
use bailiwick::prelude::*;
use bailiwick::{Grant, Group, Worker};
use serde::{Deserialize, Serialize};

use super::calls::{self, Call};
use super::messages::{self, Messages};
use super::starts::{self, Starts};
use crate::protocol::{EchoRef, Echoing};

/// Where the asker writes what it found, seen from the folder that everybody starts in.
pub const FIGURES: &str = "figures.json";
/// The worker in the sandbox that is the default.
pub const SEALED: &str = "cost-sealed";
/// The worker without any.
pub const OPEN: &str = "cost-open";
/// A sealed worker that is sent to under a grant with a rate and a bound of asks.
pub const BOUNDED: &str = "cost-bounded";
/// A sealed worker that measures no durations.
pub const UNMEASURED: &str = "cost-unmeasured";
/// Who measures.
const ASKER: &str = "cost-asker";
/// Where the supervisor is found, seen from the folder that everybody starts in.
pub const STATE_DIR: &str = "state";
/// What nothing here takes unless it hangs.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Everything that the asker found.
#[derive(Serialize, Deserialize)]
pub struct Measured {
    /// Starts.
    pub starts: Starts,
    /// Rates of messages, those of the sealed worker first.
    pub messages: Vec<Messages>,
    /// Nanoseconds of each call: in a sandbox, and without.
    pub calls: Vec<(Call, [f64; 2])>,
}

/// Returns whether a worker of this name is part of the system.
pub fn is_ours(name: &str) -> bool {
    [SEALED, OPEN, BOUNDED, UNMEASURED, ASKER].contains(&name)
}

/// Runs as supervisor, or as the worker that the environment names.
pub fn run() -> ExitCode {
    // The budget is so large, and the pause so short, that only the start itself is measured.
    let hosting = |name, sandbox, actor: fn() -> Echoing| {
        let worker = Worker::new(name, sandbox).serve(EchoRef::serve(actor));
        worker.group("measured").backoff(Duration::ZERO, Duration::ZERO)
    };
    let worker = |name, sandbox| hosting(name, sandbox, Echoing::default);
    // A rate that nobody reaches, so that its books are kept and nobody waits.
    let bounded = Grant::to(BOUNDED).rate(1_000_000_000, Duration::from_secs(1)).max_inflight(65_536);
    let asker = unconfined().grant(SEALED).grant(OPEN).grant(UNMEASURED).grant(bounded);
    let program = Program::new().state_dir(STATE_DIR);
    // Nothing would end what a worker without a sandbox leaves, if the supervisor were killed: it leaves nothing.
    let program = if is_root() { program } else { program.allow_degraded() };
    program
        .group(Group::new("measured").budget(1_000, Duration::from_secs(1)))
        .add(worker(SEALED, Sandbox::sealed()))
        .add(worker(OPEN, unconfined()))
        .add(worker(BOUNDED, Sandbox::sealed()))
        .add(hosting(UNMEASURED, Sandbox::sealed(), unmeasured))
        .main(ASKER, asker, measure)
        .run()
}

/// The same actor, in a worker that leaves the clock alone.
fn unmeasured() -> Echoing {
    measure_durations(false);
    Echoing::default()
}

/// No sandbox at all, and no user of its own.
fn unconfined() -> Sandbox {
    let sandbox = Sandbox::none().privileged();
    if is_root() { sandbox.user("root") } else { sandbox }
}

/// Returns whether the system is run by root.
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

async fn measure(cx: Context) -> Result<(), ActorError> {
    let subject = |name: &str| cx.peer::<EchoRef>(name);
    let (sealed, open, bounded) = (subject(SEALED)?, subject(OPEN)?, subject(BOUNDED)?);
    let unmeasured = subject(UNMEASURED)?;
    let measured = Measured {
        starts: starts::measure(&sealed, &open).await?,
        messages: messages::measure(&[
            ("a sealed worker, a plain grant", &sealed),
            ("a sealed worker, a grant with `rate` and `max_inflight`", &bounded),
            ("a sealed worker that measures no durations, a plain grant", &unmeasured),
            ("a worker without a sandbox, a plain grant", &open),
        ])
        .await?,
        calls: calls::measure(&sealed, &open).await?,
    };
    std::fs::write(FIGURES, serde_json::to_string(&measured)?)?;
    Ok(())
}
