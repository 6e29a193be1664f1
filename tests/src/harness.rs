//! Runs a supervisor as a process of its own, watches it from outside, and leaves nothing behind.
//!
//! Everything that a test starts lives in a [`Supervised`] or a [`Load`]: dropping it ends every process, and what
//! was to be gone by itself and is not fails the test. Waiting is always for an event, with a watchdog; a maximum
//! duration is asserted only by a [`Stopwatch`], whose slack grows with the lag that it measures.

// Registers have the names that they have on this processor.
#[cfg(target_arch = "x86_64")]
mod births;
mod journal;
mod load;
mod patience;
mod process;
mod program;
mod remains;
mod skip;
mod stopwatch;
mod strike;
mod supervised;
mod wanted;

#[cfg(target_arch = "x86_64")]
pub use self::births::{Birth, Births, Call, Fault};
pub use self::journal::{Journal, Line};
pub use self::load::Load;
pub use self::patience::{LONGEST, PATIENCE, Watchdog, wait_until};
pub use self::process::Process;
pub use self::program::{copy_program, replace_program};
pub use self::remains::{Remains, trials_of, users_of};
pub use self::skip::{needs_program, needs_root};
pub use self::stopwatch::Stopwatch;
pub use self::strike::strike;
pub use self::supervised::{Ended, Supervised};
pub use self::wanted::wanted;

/// The beginning of a command line that gives the folder of the executable that follows to another user than root, and
/// executes it as that one. Whoever becomes another user has to say anew with whom it ends.
pub const WITHOUT_ROOT: [&str; 3] = [
    "sh",
    "-c",
    "chown 12345:12345 \"${0%/*}\" && \
     exec setpriv --reuid=12345 --regid=12345 --clear-groups --pdeathsig KILL \"$0\" \"$@\"",
];

/// Runs `bailiwickd` over a manifest whose workers execute `tw`; both are this package's.
///
/// A macro, because only a test is told where the executables are.
#[macro_export]
macro_rules! run {
    ($manifest:expr) => {
        $crate::run!(&[], $manifest)
    };
    ($wrapper:expr, $manifest:expr) => {
        $crate::harness::Supervised::wrapped(
            $wrapper,
            env!("CARGO_BIN_EXE_bailiwickd-under-test"),
            env!("CARGO_BIN_EXE_tw"),
            $manifest,
        )
    };
}
