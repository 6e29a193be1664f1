//! The reader's half of the records: reading them back, and the words that people see.

use super::event::DETAIL_BYTES;
use super::fields::Reader;
use super::record::{GROUPS_BYTES, LAYOUT, STEP_BYTES};
use super::{
    Containment, End, Event, EventKind, Follows, GivenUp, Head, MemoryMechanism, Outcome, Phase,
    RECORD_BYTES, Record, RecordError, Reload, Row, Signs, Spent, State, Status, TEXT_BYTES, TITLE_BYTES,
    Tally, Text,
};
use crate::audit::{Evidence, Violation};
use crate::fault::Fault;

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
            4 => Event::read(&mut from).map(Self::Event),
            5 => Ok(Self::Text(Text { ends: from.flag("end of a line")?, text: from.text(TEXT_BYTES)? })),
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
            guarded: from.flag("guarded")?,
            last_event: from.u64(),
            persist_failing: from.flag("persist_failing")?,
            tally: Tally::read(from)?,
        })
    }
}

impl Row {
    fn read(from: &mut Reader<'_>) -> Result<Self, RecordError> {
        Ok(Self {
            name: from.name()?,
            instance: from.u16(),
            numbered: from.flag("numbered")?,
            state: from.one_of(&STATES, "state")?,
            pid: Some(from.u32()).filter(|pid| *pid != 0),
            generation: from.u32(),
            restarts: from.u32(),
            uptime: from.optional("uptime", Reader::plain_duration)?,
            uid: from.u32(),
            gid: from.u32(),
            capabilities: from.u64(),
            privileged: from.flag("privileged")?,
            essential: from.flag("essential")?,
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
            since: from.duration(),
            signs: Signs::from_bits(from.u16()),
            last_reload: from.optional("last_reload", |from| from.one_of(&RELOADS, "last_reload"))?,
            group: from.text(GROUPS_BYTES)?,
            given_up: from.optional("given_up", |from| from.one_of(&GIVEN_UP, "given_up"))?,
            because_of: from.text(TITLE_BYTES)?,
            failures: from.u32(),
            containment: from.one_of(&CONTAINMENTS, "containment")?,
            failed_step: from.text(STEP_BYTES)?,
            spare: Some(from.u32()).filter(|pid| *pid != 0),
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
        let mut lines = vec![String::new()];
        let mut workers = Vec::new();
        for record in records {
            match record {
                Record::Head(found) => head = Some(found),
                Record::Row(row) => workers.push(row),
                Record::Text(piece) => {
                    lines.last_mut()?.push_str(&piece.text);
                    lines.extend(piece.ends.then(String::new));
                }
                Record::End(_) | Record::Event(_) => {}
            }
        }
        let mut lines = lines.into_iter().map(|line| Some(line).filter(|line| !line.is_empty()));
        let [manifest, admin, admin_token] = std::array::from_fn(|_| lines.next().flatten());
        head.map(|supervisor| Self { supervisor, manifest, admin, admin_token, workers })
    }
}

impl Signs {
    /// Returns the signs that are written as these bits.
    pub fn from_bits(bits: u16) -> Self {
        let bit = |number: u8| bits >> number & 1 == 1;
        Self {
            sigstopped: bit(0),
            traced: bit(1),
            stuck: bit(2),
            unkillable: bit(3),
            config_changed: bit(4),
            binary_changed: bit(5),
            cooling_down: bit(6),
            skipped: bit(7),
            rolling: bit(8),
        }
    }
}

impl Event {
    fn read(from: &mut Reader<'_>) -> Result<Self, RecordError> {
        let mut event = Self {
            number: from.u64(),
            wall: from.duration(),
            monotonic_ns: from.u64(),
            kind: from.one_of(&EVENT_KINDS, "kind of event")?,
            worker: from.name()?,
            instance: from.u16(),
            numbered: from.flag("numbered")?,
            generation: from.u32(),
            from: from.optional("former state", |from| from.one_of(&STATES, "former state"))?,
            to: from.optional("state", |from| from.one_of(&STATES, "state"))?,
            signs: Signs::from_bits(from.u16()),
            cause: from.optional("cause", Reader::cause)?,
            detail: from.text(DETAIL_BYTES)?,
            violation: None,
            spent: None,
        };
        match from.u8() {
            0 => {}
            1 => event.violation = Some(Box::new(read_violation(from)?)),
            2 => {
                let follows = from.one_of(&FOLLOWS, "what follows")?;
                event.spent = Some(Spent { follows, group: from.name()? });
            }
            found => return Err(RecordError::Field { field: "end of an event", found: found.into() }),
        }
        Ok(event)
    }
}

fn read_violation(from: &mut Reader<'_>) -> Result<Violation, RecordError> {
    let code = from.u8();
    let fault = Fault::from_code(code);
    if fault.is_none() && code != 0 {
        return Err(RecordError::Field { field: "fault", found: code.into() });
    }
    Ok(Violation {
        fault,
        is_killed: from.flag("killed")?,
        evidence: Evidence { header: from.take(), hash: from.take() },
        pid: from.u32(),
        uid: from.u32(),
        unrecorded: from.u64(),
    })
}

impl Outcome {
    /// Returns the outcome that is written as this number.
    pub fn from_code(code: u8) -> Option<Self> {
        OUTCOMES.get(usize::from(code)).copied()
    }
}

impl Reload {
    /// Returns the result that is written as this number.
    pub fn from_code(code: u8) -> Option<Self> {
        RELOADS.get(usize::from(code)).copied()
    }

    /// Returns the result in the word that people and JSON use.
    pub fn word(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::TimedOut => "timeout",
            Self::Declined => "declined",
            Self::Refused => "refused",
        }
    }
}

impl GivenUp {
    /// Returns the reason that is written as this number.
    pub fn from_code(code: u8) -> Option<Self> {
        GIVEN_UP.get(usize::from(code)).copied()
    }

    /// Returns the reason as it follows "given up: ".
    pub fn word(self) -> &'static str {
        match self {
            Self::ExitCode => "its exit code forbids a restart",
            Self::BudgetSpent => "restart budget spent",
            Self::Dependency => "a worker that it needs was given up",
            Self::FirstStart => "its first start failed",
            Self::Policy => "its terms forbid a restart for this cause",
            Self::Offences => "too many offences",
            Self::Unfinished => "it is not restarted, and did not succeed",
        }
    }
}

impl Containment {
    /// Returns the mechanism in the word that people and JSON use.
    pub fn word(self) -> &'static str {
        match self {
            Self::Alone => "cannot fork",
            Self::Cgroup => "cgroup",
            Self::User => "uid",
            Self::PidNamespace => "pid namespace",
        }
    }
}

impl EventKind {
    /// Returns the kind in the word that people and JSON use.
    pub fn word(self) -> &'static str {
        match self {
            Self::State => "state",
            Self::Ended => "ended",
            Self::Alert => "alert",
            Self::Violation => "violation",
        }
    }
}

impl Follows {
    /// Returns what is written as this number.
    pub fn from_code(code: u8) -> Option<Self> {
        FOLLOWS.get(usize::from(code)).copied()
    }

    /// Returns it in the word that manifests and JSON use.
    pub fn word(self) -> &'static str {
        match self {
            Self::CoolDown => "cool_down",
            Self::Fail => "fail",
            Self::Escalate => "escalate",
        }
    }
}

impl State {
    /// Returns the state that is written as this number.
    pub fn from_code(code: u8) -> Option<Self> {
        STATES.get(usize::from(code)).copied()
    }

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

const RELOADS: [Reload; 4] = [Reload::Done, Reload::TimedOut, Reload::Declined, Reload::Refused];

const GIVEN_UP: [GivenUp; 7] = [
    GivenUp::ExitCode,
    GivenUp::BudgetSpent,
    GivenUp::Dependency,
    GivenUp::FirstStart,
    GivenUp::Policy,
    GivenUp::Offences,
    GivenUp::Unfinished,
];

const CONTAINMENTS: [Containment; 4] =
    [Containment::Alone, Containment::Cgroup, Containment::User, Containment::PidNamespace];

const EVENT_KINDS: [EventKind; 4] =
    [EventKind::State, EventKind::Ended, EventKind::Alert, EventKind::Violation];

const FOLLOWS: [Follows; 3] = [Follows::CoolDown, Follows::Fail, Follows::Escalate];

const MECHANISMS: [MemoryMechanism; 4] = [
    MemoryMechanism::Unlimited,
    MemoryMechanism::CgroupV2,
    MemoryMechanism::CgroupV1,
    MemoryMechanism::AddressSpace,
];

const OUTCOMES: [Outcome; 10] = [
    Outcome::Done,
    Outcome::TimedOut,
    Outcome::UnknownTarget,
    Outcome::NotPermitted,
    Outcome::ShuttingDown,
    Outcome::Malformed,
    Outcome::GaveUp,
    Outcome::Refused,
    Outcome::InvalidManifest,
    Outcome::RolledBack,
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
            numbered: true,
            state: State::Failed,
            pid: Some(4711),
            generation: 3,
            restarts: 2,
            uptime: Some(Duration::from_millis(1234)),
            uid: 0x7000_0001,
            gid: 0x7000_0001,
            capabilities: 1 << 10,
            privileged: true,
            essential: true,
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
            since: Duration::from_secs(7),
            signs: Signs { stuck: true, skipped: true, rolling: true, ..Signs::default() },
            last_reload: Some(Reload::Refused),
            group: "g".repeat(GROUPS_BYTES),
            given_up: Some(GivenUp::Unfinished),
            because_of: "d".repeat(TITLE_BYTES),
            failures: 5,
            containment: Containment::PidNamespace,
            failed_step: "s".repeat(STEP_BYTES),
            spare: Some(4712),
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
            guarded: true,
            last_event: 9,
            persist_failing: true,
            tally: Tally {
                reloads: [1, 2, 3, u32::MAX],
                is_outdated: true,
                loaded_at: Some(Duration::from_secs(7)),
                orphans: 5,
            },
        }
    }

    #[test]
    fn events_and_text_read_back() {
        let event = Event {
            number: u64::MAX,
            wall: Duration::from_millis(1_700_000_000_123),
            monotonic_ns: 17,
            kind: EventKind::Alert,
            worker: "n".repeat(NAME_BYTES),
            instance: 3,
            numbered: true,
            generation: 4,
            from: Some(State::Ready),
            to: Some(State::Aborting),
            signs: Signs { sigstopped: true, binary_changed: true, ..Signs::default() },
            cause: Some(Cause::Hung),
            detail: "d".repeat(DETAIL_BYTES),
            violation: Some(Box::new(Violation {
                fault: Some(Fault::Watch),
                is_killed: true,
                evidence: Evidence { header: [1; 32], hash: [2; 16] },
                pid: u32::MAX,
                uid: 4,
                unrecorded: u64::MAX,
            })),
            spent: None,
        };
        let spent = FOLLOWS.map(|follows| {
            let spent = Some(Spent { group: "g".repeat(NAME_BYTES), follows });
            Record::Event(Event { violation: None, spent, ..event.clone() })
        });
        let long = Event { detail: "ä".repeat(DETAIL_BYTES), ..event.clone() };
        let cut = Event { detail: "ä".repeat(DETAIL_BYTES / 2), ..event.clone() };
        assert_eq!(Record::from_bytes(&Record::Event(long).to_bytes()), Ok(Record::Event(cut)));
        let text = Text { text: "x".repeat(TEXT_BYTES), ends: false };
        for record in spent.into_iter().chain([Record::Event(event), Record::Text(text)]) {
            assert_eq!(Record::from_bytes(&record.to_bytes()), Ok(record));
        }
    }

    #[test]
    fn lines_of_a_status_say_where_things_are() {
        let long = "/m".repeat(TEXT_BYTES);
        for (manifest, admin, token) in [
            ("/etc/shop.toml", "127.0.0.1:9464", ""),
            ("", "/run/shop/admin.sock", "/etc/shop/token"),
            (&*long, "", ""),
        ] {
            let lines = [manifest, admin, token].into_iter().flat_map(Text::pieces).map(Record::Text);
            let records = std::iter::once(Record::Head(head())).chain(lines).chain([Record::Row(row())]);
            let found = Status::from_records(records).expect("the supervisor's is there");
            let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
            assert_eq!(
                (found.manifest, found.admin, found.admin_token),
                (some(manifest), some(admin), some(token))
            );
            assert_eq!(found.workers.len(), 1);
        }
    }

    #[test]
    fn a_line_is_cut_into_pieces_that_fit() {
        for length in [0, 1, TEXT_BYTES, TEXT_BYTES + 1, 3 * TEXT_BYTES] {
            let line = "x".repeat(length);
            let pieces: Vec<_> = Text::pieces(&line).collect();
            assert_eq!(pieces.len(), length.div_ceil(TEXT_BYTES).max(1));
            assert_eq!(pieces.iter().filter(|piece| piece.ends).count(), 1);
            assert_eq!(pieces.into_iter().map(|piece| piece.text).collect::<String>(), line);
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
        assert!(GIVEN_UP.into_iter().enumerate().all(|(number, why)| why as usize == number));
        assert!(RELOADS.into_iter().enumerate().all(|(number, reload)| reload as usize == number));
        assert!(CONTAINMENTS.into_iter().enumerate().all(|(number, means)| means as usize == number));
        assert!(FOLLOWS.into_iter().enumerate().all(|(number, follows)| follows as usize == number));
        assert!(OUTCOMES.into_iter().enumerate().all(|(number, outcome)| outcome as usize == number));
        for (number, mechanism) in MECHANISMS.into_iter().enumerate() {
            assert_eq!(mechanism as usize, number, "{}", mechanism.word());
        }
    }

    #[test]
    fn the_layout_is_the_documented_one() {
        let bytes = Record::Row(Row { name: "web".into(), ..row() }).to_bytes();
        assert_eq!(&bytes[..6], b"\x0f\x02web\0");
        assert_eq!(&bytes[66..74], b"\xff\xff\x01\x0c\x67\x12\x00\x00");
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
            (15, [10_435_731, 841_698]),
            "whoever changes the layout changes its version"
        );
    }

    #[test]
    fn a_record_of_another_build_is_said_to_be_one() {
        // What the layout without a version begins with: the kind, then the name.
        for found in (0..LAYOUT).chain([LAYOUT + 1]) {
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
        fn no_bytes_make_the_reader_panic(bytes in any::<[u8; RECORD_BYTES]>(), kind in 0u8..7) {
            let mut bytes = bytes;
            bytes[..2].copy_from_slice(&[LAYOUT, kind]);
            let _ = Record::from_bytes(&bytes);
        }
    }
}
