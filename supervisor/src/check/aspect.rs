//! What sandboxes bound, as people are told what is missing.

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
    /// How everything that it started is ended.
    Descendants,
    /// What this key of its sandbox says.
    Key(&'static str),
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
            Self::Descendants => "descendants",
            Self::Key(key) => key,
        }
    }
}
