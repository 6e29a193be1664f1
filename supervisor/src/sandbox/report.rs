//! What is enforced on a worker and by which mechanism, and what is not, as `status` and `check` show it.

use std::borrow::Cow;
use std::fmt;

/// One promise that holds for a worker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Enforced {
    /// What is bounded.
    pub what: Aspect,
    /// What the kernel bounds it by, with the bound: `memory.max 64 MiB`.
    pub by: String,
}

/// One thing that the operator should know: a promise that this machine cannot keep, or a grant that is void.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// What is not as one may expect.
    pub what: Aspect,
    /// What the machine lacks, or stands in the way.
    pub why: Cow<'static, str>,
}

/// What a sandbox bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Aspect {
    /// Who the worker is.
    User,
    /// What it may do beyond its user.
    Capabilities,
    /// Which files it reaches.
    Files,
    /// Which system calls it makes.
    SystemCalls,
    /// Which TCP ports it binds and connects to.
    Tcp,
    /// Whom it may signal, and which abstract sockets it reaches.
    Scope,
    /// How much memory it uses.
    Memory,
    /// How many threads and processes it has.
    Tasks,
    /// How many descriptors it holds.
    Descriptors,
    /// Whether it may gain what its executables offer.
    NewPrivileges,
    /// Whether others of its user may look into it.
    Inspection,
    /// How everything that it started is ended.
    Descendants,
}

impl Aspect {
    /// Returns the word that `status` shows.
    pub fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Capabilities => "capabilities",
            Self::Files => "files",
            Self::SystemCalls => "system calls",
            Self::Tcp => "tcp",
            Self::Scope => "scope",
            Self::Memory => "memory",
            Self::Tasks => "tasks",
            Self::Descriptors => "descriptors",
            Self::NewPrivileges => "new privileges",
            Self::Inspection => "inspection",
            Self::Descendants => "descendants",
        }
    }
}

impl fmt::Display for Enforced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.what.name(), self.by)
    }
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.what.name(), self.why)
    }
}
