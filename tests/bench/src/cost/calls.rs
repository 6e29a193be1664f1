//! System calls: those that a filter lets pass, those that fail, those that it refuses or traps.

use std::time::Instant;

use bailiwick::prelude::*;
use rustix::process;

use super::system::PATIENCE;
use crate::protocol::EchoRef;

/// Calls that are made at a time.
const CALLS: u32 = 5_000;
const ROUNDS: usize = 9;

/// One call that a worker makes.
#[bailiwick::message]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    /// It passes whatever its arguments, so that no filter runs.
    Passes,
    /// It passes for its arguments.
    Tested,
    /// It passes, and the kernel has nothing to find.
    Fails,
    /// It is refused without a trace, where there is a filter.
    Refused,
    /// It is trapped and noted, where there is a filter.
    Trapped,
}

const ALL: [Call; 5] = [Call::Passes, Call::Tested, Call::Fails, Call::Refused, Call::Trapped];

impl Call {
    /// Returns what people are told that it is.
    pub fn name(self) -> &'static str {
        match self {
            Self::Passes => "getppid: passes",
            Self::Tested => "prctl(PR_GET_DUMPABLE): passes for its arguments",
            Self::Fails => "statx: passes, and fails with ENOENT",
            Self::Refused => "setpriority: refused with EPERM, not noted",
            Self::Trapped => "kill: trapped, noted, and fails with EPERM",
        }
    }

    /// Makes it so often, and returns how many nanoseconds that took.
    pub fn time(self, count: u32) -> u64 {
        let began = Instant::now();
        for _ in 0..count {
            self.make();
        }
        began.elapsed().as_nanos().try_into().unwrap_or(u64::MAX)
    }

    /// What comes of it is not asked for, but that it was made.
    fn make(self) {
        match self {
            Self::Passes => drop(std::hint::black_box(process::getppid())),
            Self::Tested => drop(std::hint::black_box(process::dumpable_behavior())),
            Self::Fails => drop(std::hint::black_box(std::fs::metadata("/not-there"))),
            Self::Refused => drop(std::hint::black_box(process::setpriority_process(None, 0))),
            Self::Trapped => drop(std::hint::black_box(process::test_kill_process(process::getpid()))),
        }
    }
}

/// Has both workers make every call in turns, and returns the fewest nanoseconds of each.
pub async fn measure(sealed: &EchoRef, open: &EchoRef) -> Result<Vec<(Call, [f64; 2])>, ActorError> {
    let mut fewest = ALL.map(|call| (call, [f64::INFINITY; 2]));
    for _ in 0..ROUNDS {
        for (call, fewest) in &mut fewest {
            for (subject, fewest) in [sealed, open].into_iter().zip(fewest) {
                let took = subject.time(*call, CALLS).ask(PATIENCE).await?;
                *fewest = fewest.min(took as f64 / f64::from(CALLS));
            }
        }
    }
    Ok(fewest.to_vec())
}
