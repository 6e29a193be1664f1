//! What the operator should know of a worker: promises that this machine cannot keep, and grants that are void.

use std::borrow::Cow;
use std::fmt;

use super::machine::Machine;
use super::prepared::Prepared;
use crate::check::floor::{self, Pillar};
use crate::control::MemoryMechanism;
use crate::spec::Worker;
use bailiwick_sys::tree::Tree;

/// One thing that the operator should know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// What is not as one may expect.
    pub what: Aspect,
    /// What the machine lacks, or stands in the way.
    pub why: Cow<'static, str>,
}

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

impl Prepared {
    /// Returns what this machine does not give to the worker, floor apart.
    pub(super) fn find_missing(&self, worker: &Worker, machine: &Machine) -> Vec<Missing> {
        let extras = floor::extras_lacking(worker, machine).into_iter();
        let told = |pillar: &Pillar| format!("it could {}: {}", pillar.without, pillar.needs).into();
        let mut missing: Vec<_> =
            extras.map(|pillar| Missing { what: pillar.aspect, why: told(pillar) }).collect();
        let mut add = |what, why| missing.push(Missing { what, why });
        if self.memory_mechanism() == MemoryMechanism::AddressSpace {
            add(
                Aspect::Memory,
                "its limit bounds the address space, which memory files are not part of".into(),
            );
        }
        let places = self.granted.iter().chain([&self.directory]);
        for why in places.filter_map(|place| place.closed_to(self.account.identity())) {
            add(Aspect::Files, why.into());
        }
        if matches!(self.tree, Tree::Alone) && self.running_filter().is_none() {
            let why = "what it starts may outlive it: there is neither cgroup.kill nor a user of its own";
            add(Aspect::Descendants, why.into());
        }
        missing
    }
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

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.what.name(), self.why)
    }
}
