//! What the supervisor answers, in records of 256 bytes.

use std::time::Duration;

use thiserror::Error;

use super::fields::Writer;
use super::{Cause, Digest};

/// The size of every record. Byte 0 is the layout's version, byte 1 the kind (1 head, 2 row, 3 end); the fields follow
/// in the order of the structs, little endian and without gaps, and the rest is zero.
pub const RECORD_BYTES: usize = 256;

/// The version of the layout: another one for every change of it. It is no number of a kind, since the first layout,
/// which had no version, began with the kind.
pub(super) const LAYOUT: u8 = 4;

/// One packet of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Record {
    /// The supervisor itself.
    Head(Head),
    /// One instance of one worker.
    Row(Row),
    /// The last packet of every answer.
    End(End),
}

/// The supervisor itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// The system's name.
    pub name: String,
    /// The supervisor's process.
    pub pid: u32,
    /// The user it runs as.
    pub uid: u32,
    /// How long it has been running.
    pub uptime: Duration,
    /// Whether it runs or stops.
    pub phase: Phase,
    /// A floor of the sandbox is missing on this machine and the operator allowed that.
    pub degraded: bool,
    /// SHA-256 of the manifest as it was read; `None` for a `Program`, which has none.
    pub manifest: Option<Digest>,
}

/// The supervisor and its workers at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// The supervisor itself.
    pub supervisor: Head,
    /// Every instance of every worker, in the order of the manifest.
    pub workers: Vec<Row>,
}

/// Whether the system runs or stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Phase {
    /// Workers are started and restarted.
    Running,
    /// Nothing is started any more.
    ShuttingDown,
}

/// One instance of one worker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The worker's name.
    pub name: String,
    /// The instance, numbered from 1.
    pub instance: u16,
    /// Where its life stands.
    pub state: State,
    /// Its process; `None` while there is none.
    pub pid: Option<u32>,
    /// The number of its present or last incarnation; 0 before the first.
    pub generation: u32,
    /// Automatic restarts so far.
    pub restarts: u32,
    /// How long the process has been running.
    pub uptime: Option<Duration>,
    /// The user it runs as.
    pub uid: u32,
    /// The group it runs as.
    pub gid: u32,
    /// The capabilities it holds, as the kernel's bit set.
    pub capabilities: u64,
    /// It may accuse less privileged peers and is never accused by them.
    pub privileged: bool,
    /// Its limit of memory in bytes.
    pub memory_max: Option<u64>,
    /// What enforces that limit.
    pub memory: MemoryMechanism,
    /// The time until its next start, while it waits for one.
    pub next_start: Option<Duration>,
    /// Restarts that the budget of its group still covers, of how many, within which window.
    pub budget_left: u32,
    /// See `budget_left`.
    pub budget_max: u32,
    /// See `budget_left`.
    pub budget_period: Duration,
    /// Why its last incarnation ended.
    pub last_cause: Option<Cause>,
    /// Descriptors that the store keeps for it.
    pub kept: u16,
    /// Links it has at the moment.
    pub links: u16,
    /// Bytes of its output that were dropped because it wrote too much.
    pub output_dropped: u64,
    /// Accusations by it that were ignored.
    pub accusations_ignored: u64,
    /// SHA-256 of what it executes, as opened at the start or by an operator's restart; `None` until that is known,
    /// and where it cannot be read.
    pub executable: Option<Digest>,
}

/// Where the life of a worker stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum State {
    /// Down by order, or never started.
    Stopped,
    /// Waits for a worker that it needs.
    Waiting,
    /// A process is being made.
    Spawning,
    /// The process runs and is not ready yet.
    Starting,
    /// At work.
    Ready,
    /// At work, but asked to be spared.
    Unready,
    /// Finishes what it has begun.
    Draining,
    /// Was told to stop.
    Stopping,
    /// Was sent SIGKILL.
    Killing,
    /// Its leader is gone; descendants are being killed.
    Reaping,
    /// Waits for its next start.
    Backoff,
    /// Ended as it should.
    Done,
    /// Given up.
    Failed,
    /// At work, and takes up what has changed for it.
    Reloading,
    /// Does not get on and was sent SIGABRT.
    Aborting,
}

/// What enforces a limit of memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum MemoryMechanism {
    /// Nothing.
    #[default]
    Unlimited,
    /// `memory.max` of cgroup v2.
    CgroupV2,
    /// `memory.limit_in_bytes` of cgroup v1.
    CgroupV1,
    /// RLIMIT_AS, which counts addresses and not memory.
    AddressSpace,
}

/// The last packet of every answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct End {
    /// What became of the request.
    pub outcome: Outcome,
}

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// It was carried out.
    Done,
    /// It was ordered, but not reached before the request's deadline.
    TimedOut,
    /// No worker or instance has that name.
    UnknownTarget,
    /// The peer's user may not ask for this.
    NotPermitted,
    /// The system is stopping.
    ShuttingDown,
    /// The request was malformed.
    Malformed,
}

/// Why bytes are no record.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum RecordError {
    /// Neither too short nor too long is taken.
    #[error(
        "control record of {found} bytes, expected {RECORD_BYTES}: the supervisor and its reader come from different \
         builds; build both from the same source, and start the supervisor again"
    )]
    Length {
        /// The bytes that arrived.
        found: usize,
    },
    /// It is laid out in another way.
    #[error(
        "control record with layout {found}, expected {LAYOUT}: the supervisor and its reader come from different \
         builds; build both from the same source, and start the supervisor again"
    )]
    Layout {
        /// The version of the layout.
        found: u8,
    },
    /// A field holds what it may not hold.
    #[error("control record has an invalid {field}: {found}")]
    Field {
        /// The field.
        field: &'static str,
        /// What it holds.
        found: u64,
    },
    /// A name is no text.
    #[error("control record has a name that is not text")]
    Name,
}

impl Record {
    /// Writes the record as it travels.
    pub fn to_bytes(&self) -> [u8; RECORD_BYTES] {
        let mut out = Writer { bytes: [0; RECORD_BYTES], at: 0 };
        out.u8(LAYOUT);
        match self {
            Self::Head(head) => head.write(&mut out),
            Self::Row(row) => row.write(&mut out),
            Self::End(end) => {
                out.u8(3);
                out.u8(end.outcome as u8);
            }
        }
        out.bytes
    }
}

impl Head {
    fn write(&self, out: &mut Writer) {
        out.u8(1);
        out.name(&self.name);
        out.u32(self.pid);
        out.u32(self.uid);
        out.duration(self.uptime);
        out.u8(self.phase as u8);
        out.u8(self.degraded.into());
        out.optional(self.manifest, Writer::digest);
    }
}

impl Row {
    fn write(&self, out: &mut Writer) {
        out.u8(2);
        out.name(&self.name);
        out.u16(self.instance);
        out.u8(self.state as u8);
        out.u32(self.pid.unwrap_or(0));
        out.u32(self.generation);
        out.u32(self.restarts);
        out.optional(self.uptime, Writer::duration);
        out.u32(self.uid);
        out.u32(self.gid);
        out.u64(self.capabilities);
        out.u8(self.privileged.into());
        out.optional(self.memory_max, Writer::u64);
        out.u8(self.memory as u8);
        out.optional(self.next_start, Writer::duration);
        out.u32(self.budget_left);
        out.u32(self.budget_max);
        out.duration(self.budget_period);
        out.optional(self.last_cause, Writer::cause);
        out.u16(self.kept);
        out.u16(self.links);
        out.u64(self.output_dropped);
        out.u64(self.accusations_ignored);
        out.optional(self.executable, Writer::digest);
    }
}
