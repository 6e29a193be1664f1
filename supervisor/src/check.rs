//! What can be known about a system before anything starts, and how it is told to a person.
//!
//! Whoever makes a `spec::System` has it checked here; the supervisor may then rely on what is said below.

pub(crate) mod accounts;
pub(crate) mod aspect;
mod blast;
mod confinement;
pub(crate) mod credential;
mod describe;
mod diagnostic;
mod file_view;
pub mod floor;
mod foreign;
mod gains;
mod groups;
mod kept;
mod lives;
mod machine;
mod nearest;
mod order;
mod plan;
mod privilege;
mod protocols;
mod references;
mod schedule;
mod trust;
mod trust_domain;

use crate::sandbox::Machine;
use crate::spec::System;

pub use accounts::user_name;
pub use blast::{Blast, Why, blast};
pub use credential::CredentialError;
pub use describe::{DescribeError, describe};
pub use diagnostic::{Diagnostic, Diagnostics, Label, Place, Places, Severity, escape, line_of, quote};
pub use nearest::nearest;
pub use order::MAX_DEPTH;
pub use plan::{Change, Plan, Step, plan, results};
pub use protocols::{Described, protocols};
pub(crate) use references::suggest;
pub use schedule::{Above, End, Schedule, schedule};
pub(crate) use trust::OWN as OWN_EXECUTABLE;
pub use trust::{Name, Trust, Untrusted, Writers};

/// Finds what is wrong with a system, as far as the system alone tells.
pub fn system(system: &System) -> Vec<Diagnostic> {
    let mut found = references::check(system);
    found.extend(kept::check(system));
    found.extend(groups::check(system));
    found.extend(order::check(system));
    found.extend(lives::check(system));
    found.extend(privilege::check(system));
    found.extend(confinement::check(system));
    found.extend(file_view::check(system));
    found.extend(blast::check(system));
    found.extend(schedule::check(system));
    found.extend(foreign::check(system));
    found.extend(trust_domain::check(system));
    found
}

/// Finds what a system asks for and this machine does not have.
pub fn machine(system: &System) -> Vec<Diagnostic> {
    machine::check(system, &Machine::probe())
}
