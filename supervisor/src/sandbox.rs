//! The sandbox of a worker: prepared once at the supervisor's start, entered at every start of the worker.
//!
//! [`Machine::probe`] asks what there is, [`Ground::prepare`] turns a declared worker into [`Prepared`]: every path
//! open, every filter compiled, its user locked, its control group made. After that nothing can fail for want of a
//! file, and every restart gets the same. What the machine cannot give is an error if the worker's floor is
//! concerned, and else one line in [`Prepared::missing`].

mod account;
mod aftermath;
mod error;
mod executable;
mod handover;
mod machine;
mod missing;
mod paths;
mod policy;
mod prepared;
mod steps;
mod surroundings;

pub use error::SandboxError;
pub use executable::Executable;

pub use crate::check::aspect::{Aspect, Missing};
pub use bailiwick_sys::landlock::ruleset::Access;
pub use bailiwick_sys::seccomp::line::{SystemCall, Verdict};
pub use bailiwick_sys::seccomp::policy::Decision;
pub use bailiwick_sys::tree::{Tree, TreeError};
pub use machine::Machine;
pub use paths::Granted;
pub use policy::{decisions, filters, system_calls};
pub use prepared::{Ground, Prepared, Role, Tenancy};
