//! The reader's half of the records: reading them back, and the words that people see.

use super::fields::Reader;
use super::record::LAYOUT;
use super::{
    End, Head, MemoryMechanism, Outcome, Phase, RECORD_BYTES, Record, RecordError, Row, State, Status,
};

impl Record {
    /// Reads a record.
    ///
    /// # Errors
    /// Whatever [`Record::to_bytes`] cannot have written is refused.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, RecordError> {
        let bytes: &[u8; RECORD_BYTES] =
            bytes.try_into().map_err(|_| RecordError::Length { found: bytes.len() })?;
        let mut from = Reader { bytes, at: 0 };
        match from.u8() {
            LAYOUT => {}
            found => return Err(RecordError::Layout { found }),
        }
        match from.u8() {
            1 => Head::read(&mut from).map(Self::Head),
            2 => Row::read(&mut from).map(Self::Row),
            3 => Ok(Self::End(End { outcome: from.one_of(&OUTCOMES, "outcome")? })),
            kind => Err(RecordError::Field { field: "kind", found: kind.into() }),
        }
    }
}

impl Head {
    fn read(from: &mut Reader<'_>) -> Result<Self, RecordError> {
        Ok(Self {
            name: from.name()?,
            pid: from.u32(),
            uid: from.u32(),
            uptime: from.duration(),
            phase: from.one_of(&[Phase::Running, Phase::ShuttingDown], "phase")?,
            degraded: from.flag("degraded")?,
            manifest: from.optional("manifest", Reader::digest)?,
        })
    }
}

impl Row {
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
            budget_left: from.u32(),
            budget_max: from.u32(),
            budget_period: from.duration(),
            last_cause: from.optional("last_cause", Reader::cause)?,
            kept: from.u16(),
            links: from.u16(),
            output_dropped: from.u64(),
            accusations_ignored: from.u64(),
            executable: from.optional("executable", Reader::digest)?,
        })
    }
}

impl Status {
    /// Reads what is written in records one after the other, as a worker is handed it.
    ///
    /// # Errors
    /// When the bytes are no records, or lack the supervisor's.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, RecordError> {
        let records = bytes.chunks(RECORD_BYTES).map(Record::from_bytes).collect::<Result<Vec<_>, _>>()?;
        Self::from_records(records).ok_or(RecordError::Length { found: bytes.len() })
    }

    /// Puts together what arrived record by record; `None` if the supervisor's is missing.
    pub fn from_records(records: impl IntoIterator<Item = Record>) -> Option<Self> {
        let mut head = None;
        let mut workers = Vec::new();
        for record in records {
            match record {
                Record::Head(found) => head = Some(found),
                Record::Row(row) => workers.push(row),
                Record::End(_) => {}
            }
        }
        head.map(|supervisor| Self { supervisor, workers })
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
            Self::Reloading => "reloading",
            Self::Aborting => "aborting",
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

const STATES: [State; 15] = [
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
    State::Reloading,
    State::Aborting,
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
    use crate::operator::Cause;
    use proptest::prelude::{any, proptest};

    use std::time::Duration;

    use super::*;
    use crate::operator::NAME_BYTES;

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
            budget_left: 1,
            budget_max: u32::MAX,
            budget_period: Duration::from_secs(30),
            last_cause: Some(Cause::SpawnFailed(2)),
            kept: 1,
            links: 4,
            output_dropped: u64::MAX,
            accusations_ignored: 10_000,
            executable: Some([0xab; 32]),
        }
    }

    #[test]
    fn the_largest_row_fits_and_reads_back() {
        let record = Record::Row(row());
        assert_eq!(Record::from_bytes(&record.to_bytes()), Ok(record));
    }

    fn head() -> Head {
        Head {
            name: "shop".into(),
            pid: 1,
            uid: 0,
            uptime: Duration::from_secs(1),
            phase: Phase::ShuttingDown,
            degraded: true,
            manifest: Some([0xcd; 32]),
        }
    }

    #[test]
    fn head_and_end_read_back() {
        let mut records = vec![Record::Head(head())];
        records.extend(OUTCOMES.map(|outcome| Record::End(End { outcome })));
        for record in records {
            assert_eq!(Record::from_bytes(&record.to_bytes()), Ok(record));
        }
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
        assert_eq!(&bytes[..6], b"\x04\x02web\0");
        assert_eq!(&bytes[66..73], b"\xff\xff\x0c\x67\x12\x00\x00");
    }

    /// Each byte that a full record sets, summed up: a field that moves, grows or is new changes it.
    #[test]
    fn another_layout_has_another_version() {
        let sum = |record: Record| {
            let bytes = record.to_bytes().into_iter().enumerate().skip(1);
            bytes.fold(0_u64, |sum, (at, byte)| sum + at as u64 * u64::from(byte))
        };
        let sums = [Record::Row(row()), Record::Head(head())].map(sum);
        assert_eq!(
            (LAYOUT, sums),
            (4, [1_826_862, 678_535]),
            "whoever changes the layout changes its version"
        );
    }

    #[test]
    fn a_record_of_another_build_is_said_to_be_one() {
        // What the layout without a version begins with: the kind, then the name.
        for found in [0, 1, 2, 3, LAYOUT + 1] {
            let mut bytes = Record::Head(head()).to_bytes();
            bytes[0] = found;
            let error = Record::from_bytes(&bytes).expect_err("another layout");
            assert_eq!(error, RecordError::Layout { found });
            let shown = error.to_string();
            assert!(shown.contains("different builds"), "{shown}");
        }
    }

    #[test]
    fn every_number_that_is_a_cause_is_that_cause_only() {
        for kind in 0..16 {
            for detail in [0, 1, 9, 255, 256, 0xffff] {
                let code = kind << 16 | detail;
                if let Some(cause) = Cause::from_code(code) {
                    assert_eq!(cause.code(), code, "{cause}");
                }
            }
        }
        assert_eq!(Cause::from_code(Cause::Signal(9).code()), Some(Cause::Signal(9)));
        assert_eq!(Cause::from_code(Cause::SpawnFailed(2).code()), Some(Cause::SpawnFailed(2)));
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_reader_panic(bytes in any::<[u8; RECORD_BYTES]>(), kind in 0u8..5) {
            let mut bytes = bytes;
            bytes[..2].copy_from_slice(&[LAYOUT, kind]);
            let _ = Record::from_bytes(&bytes);
        }
    }
}
