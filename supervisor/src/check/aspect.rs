//! What sandboxes bound, as people are told what is missing.

use std::borrow::Cow;
use std::fmt;

/// What a sandbox bounds and a machine may be unable to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Aspect {
    /// Who the worker is.
    User,
    /// Which files it reaches.
    Files,
    /// Which names of files it sees.
    View,
    /// Which network it sees.
    Network,
    /// Whose shared memory and queues it sees.
    Ipc,
    /// Which name of the host it sees.
    Hostname,
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
    /// What it is told of processes.
    Proc,
    /// How everything that it started is ended.
    Descendants,
    /// What this key of its sandbox says.
    Key(&'static str),
}

/// One thing that the operator should know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// What is not as one may expect.
    pub what: Aspect,
    /// What the machine lacks, or stands in the way.
    pub why: Cow<'static, str>,
}

impl Aspect {
    /// Returns the word that people read.
    pub fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Files => "files",
            Self::View => "view",
            Self::Network => "network",
            Self::Ipc => "ipc",
            Self::Hostname => "hostname",
            Self::SystemCalls => "system calls",
            Self::Tcp => "tcp",
            Self::Scope => "scope",
            Self::Memory => "memory",
            Self::Tasks => "tasks",
            Self::Proc => "/proc",
            Self::Descendants => "descendants",
            Self::Key(key) => key,
        }
    }
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.what.name(), self.why)
    }
}
