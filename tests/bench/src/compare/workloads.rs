//! The workloads: what is measured, at which points, and in which unit.

use serde::{Deserialize, Serialize};

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Workload {
    /// Between two processes: asks, one in flight.
    Ask,
    /// Messages without a reply.
    OneWay,
    /// Asks, 64 in flight.
    Asks,
    /// Payloads of each size, read by the receiver.
    Size,
    /// From the order to start a process to its first answer.
    Start,
    /// From the SIGKILL of a process to the first answer of its replacement.
    Restart,
    /// Asks, so many in flight, each of them timed.
    Load,
    /// Asks and messages to so many other processes in turns.
    Workers,
    /// In one process and one thread: asks, one in flight.
    InAsk,
    /// Messages without a reply into a mailbox of 1024, from so many producers.
    InTell,
    /// Making so many actors.
    InSpawn,
    /// Memory of one of so many actors that do nothing.
    InBytes,
    /// Having so many actors end.
    InStop,
    /// One message that goes around a thousand actors.
    InRing,
    /// One actor sends to a thousand.
    InFanOut,
    /// Messages to so many actors in turns.
    InActors,
}

/// Whether more than one process takes part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Two processes, or more.
    Between,
    /// One process, one thread.
    Within,
}

impl Place {
    /// Returns what it is called on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Between => "between",
            Self::Within => "within",
        }
    }
}

/// What a workload is called, and how its values are read.
pub struct Description {
    /// For the command line.
    pub name: &'static str,
    /// For people.
    pub title: &'static str,
    /// What its values are in.
    pub unit: &'static str,
    /// Whether a smaller value is a better one.
    pub less_is_better: bool,
    /// Where it is measured.
    pub points: &'static [u64],
}

const SIZES: &[u64] = &[16, 64, 256, 1 << 10, 4 << 10, 16 << 10, 64 << 10, 256 << 10, MIB, 4 << 20, 16 << 20];
/// A mebibyte, for which there is a goal.
pub const MIB: u64 = 1 << 20;
/// Actors in one process.
const ACTORS: &[u64] = &[1, 10, 100, 1_000, 10_000, 100_000, 1_000_000];
/// As many actors as a goal is about.
pub const MANY_ACTORS: u64 = 100_000;
const ONE: &[u64] = &[0];

impl Workload {
    /// All of them.
    pub const ALL: [Self; 16] = [
        Self::Ask,
        Self::OneWay,
        Self::Asks,
        Self::Size,
        Self::Start,
        Self::Restart,
        Self::Load,
        Self::Workers,
        Self::InAsk,
        Self::InTell,
        Self::InSpawn,
        Self::InBytes,
        Self::InStop,
        Self::InRing,
        Self::InFanOut,
        Self::InActors,
    ];

    /// Returns where it takes place.
    pub fn place(self) -> Place {
        if self < Self::InAsk { Place::Between } else { Place::Within }
    }

    /// Returns whether its points are numbers of actors.
    pub fn is_about_actors(self) -> bool {
        matches!(self, Self::InSpawn | Self::InBytes | Self::InStop | Self::InActors)
    }

    /// Returns what the command line calls one point of it.
    pub fn named(self, x: u64) -> String {
        let about = self.describe();
        if about.points.len() == 1 { about.name.to_owned() } else { format!("{}@{x}", about.name) }
    }

    /// Returns what it is called.
    pub fn describe(self) -> Description {
        let (name, title, unit, less_is_better, points) = match self {
            Self::Ask => ("ask", "ask, one in flight, p50", "us", true, ONE),
            Self::OneWay => ("one-way", "one way", "messages/s", false, ONE),
            Self::Asks => ("asks", "64 asks in flight", "replies/s", false, ONE),
            Self::Size => ("size", "payload, read by the receiver", "GB/s", false, SIZES),
            Self::Start => ("start", "start to the first answer", "ms", true, ONE),
            Self::Restart => ("restart", "SIGKILL to the replacement's answer", "ms", true, ONE),
            Self::Load => {
                ("load", "asks in flight", "replies/s", false, &[1, 2, 4, 8, 16, 64, 256, 1024][..])
            }
            Self::Workers => {
                ("workers", "one way to so many workers", "messages/s", false, &[1, 2, 4, 8, 16, 32, 64][..])
            }
            Self::InAsk => ("in-ask", "ask", "us", true, ONE),
            Self::InTell => ("in-tell", "tell, bounded, producers", "messages/s", false, &[1, 4][..]),
            Self::InSpawn => ("in-spawn", "spawn, so many", "actors/s", false, ACTORS),
            // What fewer take is less than the kernel counts.
            Self::InBytes => ("in-bytes", "idle actor, of so many", "bytes", true, &ACTORS[3..]),
            Self::InStop => ("in-stop", "stop, so many", "actors/s", false, ACTORS),
            Self::InRing => ("in-ring", "ring of 1000", "hops/s", false, ONE),
            Self::InFanOut => ("in-fan-out", "fan-out 1 to 1000", "deliveries/s", false, ONE),
            Self::InActors => ("in-actors", "message to one of so many actors", "ns", true, ACTORS),
        };
        Description { name, title, unit, less_is_better, points }
    }
}
