//! Workers that trust each other with memory.

use std::time::Duration;

use bailiwick_core::ring::LINK_BYTES;

use super::{System, Worker};

/// What workers of one trust domain share: the links between them carry messages in memory that both ends write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustDomain {
    /// Its name, unique among trust domains.
    pub name: String,
    /// What its links are.
    pub link: LinkKind,
    /// How long either end of a link looks for messages before it sleeps, at most; zero is not at all.
    pub busy_poll: Duration,
}

/// What carries the messages of a link.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LinkKind {
    /// Memory that both ends write, with a socket beside it.
    #[default]
    Ring,
    /// A socket.
    Socket,
}

impl TrustDomain {
    /// The longest time to look for messages without sleep: others have the processor too.
    pub const MAX_BUSY_POLL: Duration = Duration::from_millis(1);

    /// Returns one of this name, by its defaults.
    pub fn new(name: &str) -> Self {
        Self { name: name.to_owned(), link: LinkKind::default(), busy_poll: Duration::ZERO }
    }
}

impl Worker {
    /// Returns how many bytes the ring of a link between an instance of this worker and one of another has; none if the
    /// messages go over its socket.
    pub fn ring_bytes(&self, other: &Self) -> usize {
        if self.shares_memory_with(other) { LINK_BYTES } else { 0 }
    }

    /// Tells whether links between instances of the two share memory.
    pub fn shares_memory_with(&self, other: &Self) -> bool {
        let ring = |worker: &Self| {
            let domain = worker.trust_domain.as_ref();
            domain.filter(|domain| domain.link == LinkKind::Ring).map(|domain| domain.name.clone())
        };
        ring(self).is_some_and(|domain| ring(other) == Some(domain))
    }

    /// Returns how long the ends of its links look for messages before they sleep, in microseconds.
    pub(crate) fn busy_poll_us(&self) -> u32 {
        let busy_poll = self.trust_domain.as_ref().map_or(Duration::ZERO, |domain| domain.busy_poll);
        u32::try_from(busy_poll.as_micros()).unwrap_or(u32::MAX)
    }
}

impl System {
    /// Returns the workers with which one has links that share memory: between the two there is a grant.
    pub fn sharers(&self, worker: &Worker) -> Vec<&str> {
        let is_linked = |other: &Worker| {
            let ends = [&worker.name, &other.name];
            self.grants.iter().any(|grant| {
                grant.from != grant.to_worker
                    && ends.contains(&&grant.from)
                    && ends.contains(&&grant.to_worker)
            })
        };
        let others =
            self.workers.iter().filter(|other| other.name != worker.name && other.shares_memory_with(worker));
        others.filter(|other| is_linked(other)).map(|other| other.name.as_str()).collect()
    }
}
