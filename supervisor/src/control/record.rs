//! What the supervisor answers, in records of 192 bytes.

use std::time::Duration;

use thiserror::Error;

use super::Cause;
use super::bytes::{Reader, Writer};

/// The size of every record. Byte 0 is the kind (1 head, 2 row, 3 end); the fields follow in the
/// order of the structs, little endian and without gaps, and the rest is zero.
pub const RECORD_BYTES: usize = 192;

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
    #[error("control record of {found} bytes, expected {RECORD_BYTES}")]
    Length {
        /// The bytes that arrived.
        found: usize,
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

    /// Reads a record.
    ///
    /// # Errors
    /// Whatever [`Record::to_bytes`] cannot have written is refused.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, RecordError> {
        let bytes: &[u8; RECORD_BYTES] =
            bytes.try_into().map_err(|_| RecordError::Length { found: bytes.len() })?;
        let mut from = Reader { bytes, at: 0 };
        match from.u8() {
            1 => Head::read(&mut from).map(Self::Head),
            2 => Row::read(&mut from).map(Self::Row),
            3 => Ok(Self::End(End { outcome: from.one_of(&OUTCOMES, "outcome")? })),
            kind => Err(RecordError::Field { field: "kind", found: kind.into() }),
        }
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
    }

    fn read(from: &mut Reader<'_>) -> Result<Self, RecordError> {
        Ok(Self {
            name: from.name()?,
            pid: from.u32(),
            uid: from.u32(),
            uptime: from.duration(),
            phase: from.one_of(&[Phase::Running, Phase::ShuttingDown], "phase")?,
            degraded: from.flag("degraded")?,
        })
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
        out.optional(self.last_cause, Writer::cause);
        out.u16(self.kept);
        out.u16(self.links);
        out.u64(self.output_dropped);
        out.u64(self.accusations_ignored);
    }

    fn read(from: &mut Reader<'_>) -> Result<Self, RecordError> {
        Ok(Self {
            name: from.name()?,
            instance: from.u16(),
            state: from.one_of(&STATES, "state")?,
            pid: Some(from.u32()).filter(|pid| *pid != 0),
            generation: from.u32(),
            restarts: from.u32(),
            uptime: from.optional("uptime", Reader::plain_duration)?,
            uid: from.u32(),
            gid: from.u32(),
            capabilities: from.u64(),
            privileged: from.flag("privileged")?,
            memory_max: from.optional("memory_max", Reader::plain_u64)?,
            memory: from.one_of(&MECHANISMS, "memory")?,
            next_start: from.optional("next_start", Reader::plain_duration)?,
            last_cause: from.optional("last_cause", Reader::cause)?,
            kept: from.u16(),
            links: from.u16(),
            output_dropped: from.u64(),
            accusations_ignored: from.u64(),
        })
    }
}

impl Row {
    /// Returns the capabilities it holds by the kernel's names, those that have none by number.
    pub fn capability_names(&self) -> Vec<String> {
        let names = bailiwick_sys::capability::Capabilities::names();
        let is_held = |number: &usize| self.capabilities >> number & 1 == 1;
        let name = |number: usize| {
            names.get(number).map_or(format!("capability {number}"), |name| (*name).to_owned())
        };
        (0..64).filter(is_held).map(name).collect()
    }
}

impl State {
    /// Returns the state in the word that people and JSON use.
    pub fn word(self) -> &'static str {
        match self {
            Self::Stopped => "stopped",
            Self::Waiting => "waiting",
            Self::Spawning => "spawning",
            Self::Starting => "starting",
            Self::Ready => "ready",
            Self::Unready => "unready",
            Self::Draining => "draining",
            Self::Stopping => "stopping",
            Self::Killing => "killing",
            Self::Reaping => "reaping",
            Self::Backoff => "backoff",
            Self::Done => "done",
            Self::Failed => "failed",
        }
    }
}

impl MemoryMechanism {
    /// Returns the mechanism in the word that people and JSON use.
    pub fn word(self) -> &'static str {
        match self {
            Self::Unlimited => "unlimited",
            Self::CgroupV2 => "cgroup v2",
            Self::CgroupV1 => "cgroup v1",
            Self::AddressSpace => "address space",
        }
    }
}

const STATES: [State; 13] = [
    State::Stopped,
    State::Waiting,
    State::Spawning,
    State::Starting,
    State::Ready,
    State::Unready,
    State::Draining,
    State::Stopping,
    State::Killing,
    State::Reaping,
    State::Backoff,
    State::Done,
    State::Failed,
];

const MECHANISMS: [MemoryMechanism; 4] = [
    MemoryMechanism::Unlimited,
    MemoryMechanism::CgroupV2,
    MemoryMechanism::CgroupV1,
    MemoryMechanism::AddressSpace,
];

const OUTCOMES: [Outcome; 6] = [
    Outcome::Done,
    Outcome::TimedOut,
    Outcome::UnknownTarget,
    Outcome::NotPermitted,
    Outcome::ShuttingDown,
    Outcome::Malformed,
];

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, proptest};

    use super::super::NAME_BYTES;
    use super::*;

    fn row() -> Row {
        Row {
            name: "n".repeat(NAME_BYTES),
            instance: u16::MAX,
            state: State::Failed,
            pid: Some(4711),
            generation: 3,
            restarts: 2,
            uptime: Some(Duration::from_millis(1234)),
            uid: 0x7000_0001,
            gid: 0x7000_0001,
            capabilities: 1 << 10,
            privileged: true,
            memory_max: Some(64 << 20),
            memory: MemoryMechanism::AddressSpace,
            next_start: Some(Duration::from_secs(30)),
            last_cause: Some(Cause::SpawnFailed(2)),
            kept: 1,
            links: 4,
            output_dropped: u64::MAX,
            accusations_ignored: 10_000,
        }
    }

    #[test]
    fn the_largest_row_fits_and_reads_back() {
        let record = Record::Row(row());
        assert_eq!(Record::from_bytes(&record.to_bytes()), Ok(record));
    }

    #[test]
    fn head_and_end_read_back() {
        let head = Head {
            name: "shop".into(),
            pid: 1,
            uid: 0,
            uptime: Duration::from_secs(1),
            phase: Phase::ShuttingDown,
            degraded: true,
        };
        let mut records = vec![Record::Head(head)];
        records.extend(OUTCOMES.map(|outcome| Record::End(End { outcome })));
        for record in records {
            assert_eq!(Record::from_bytes(&record.to_bytes()), Ok(record));
        }
    }

    #[test]
    fn capabilities_have_the_names_of_the_kernel() {
        let row = Row { capabilities: 1 << 10 | 1 << 63, ..row() };
        assert_eq!(row.capability_names(), ["CAP_NET_BIND_SERVICE", "capability 63"]);
    }

    #[test]
    fn every_state_and_mechanism_stands_at_its_own_number() {
        for (number, state) in STATES.into_iter().enumerate() {
            assert_eq!(state as usize, number, "{}", state.word());
        }
        for (number, mechanism) in MECHANISMS.into_iter().enumerate() {
            assert_eq!(mechanism as usize, number, "{}", mechanism.word());
        }
    }

    #[test]
    fn the_layout_is_the_documented_one() {
        let bytes = Record::Row(Row { name: "web".into(), ..row() }).to_bytes();
        assert_eq!(&bytes[..5], b"\x02web\0");
        assert_eq!(&bytes[65..72], b"\xff\xff\x0c\x67\x12\x00\x00");
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_reader_panic(bytes in any::<[u8; RECORD_BYTES]>(), kind in 0u8..5) {
            let mut bytes = bytes;
            bytes[0] = kind;
            let _ = Record::from_bytes(&bytes);
        }
    }
}
