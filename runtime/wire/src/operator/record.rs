//! What the supervisor answers, in records of 512 bytes.

use std::time::Duration;

use thiserror::Error;

use super::fields::Writer;
use super::{Cause, Digest, Event, TITLE_BYTES, Tally, title};

/// The size of every record. Byte 0 is the layout's version, byte 1 the kind (1 head, 2 row, 3 end, 4 event, 5 text); the fields follow
/// in the order of the structs, little endian and without gaps, and the rest is zero.
pub const RECORD_BYTES: usize = 512;

/// The version of the layout: another one for every change of it. It is no number of a kind, since the first layout,
/// which had no version, began with the kind.
pub const LAYOUT: u8 = 15;

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
    /// Something that happened.
    Event(Event),
    /// A piece of text.
    Text(Text),
}

/// The supervisor itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
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
    /// A guardian lives that ends every worker should the supervisor be killed.
    pub guarded: bool,
    /// The number of the last event; 0 before the first.
    pub last_event: u64,
    /// What lives cannot be written into the state directory: a successor would not know of it.
    pub persist_failing: bool,
    /// What is only counted.
    pub tally: Tally,
}

/// The supervisor and its workers at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// The supervisor itself.
    pub supervisor: Head,
    /// Where its manifest is; `None` for a `Program`, which has none, and of a path that is no text.
    pub manifest: Option<String>,
    /// Where its admin worker serves: an address and a port, or the path of a Unix socket, which begins with `/`. `None` if it
    /// has no such worker.
    pub admin: Option<String>,
    /// The file with the token that the admin worker asks for; `None` if it asks for none.
    pub admin_token: Option<String>,
    /// Every instance of every worker, in the order of the manifest.
    pub workers: Vec<Row>,
}

/// Whether the system runs or stops.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Phase {
    /// Workers are started and restarted.
    #[default]
    Running,
    /// Nothing is started any more.
    ShuttingDown,
}

/// One instance of one worker.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Row {
    /// The worker's name.
    pub name: String,
    /// The instance, numbered from 1.
    pub instance: u16,
    /// There may be several, so that the number belongs to what people call it.
    pub numbered: bool,
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
    /// Its being given up stops the whole system.
    pub essential: bool,
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
    /// How long it has been in its state.
    pub since: Duration,
    /// What is odd about it.
    pub signs: Signs,
    /// How its last reload ended.
    pub last_reload: Option<Reload>,
    /// The groups that it belongs to, outermost first, as `shop/front`; empty for none.
    pub group: String,
    /// Why it is given up, if it is.
    pub given_up: Option<GivenUp>,
    /// The worker that it waits for, or with which it was given up, as `web` or `web.2`; empty if there is none.
    pub because_of: String,
    /// Failures in a row.
    pub failures: u32,
    /// What sees to it that nothing which it started outlives it.
    pub containment: Containment,
    /// The step at which its last start failed; empty if it did not.
    pub failed_step: String,
    /// The process that waits to be its next life; `None` while none does.
    pub spare: Option<u32>,
}

/// What is odd about a worker.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Signs {
    /// A signal has stopped it.
    pub sigstopped: bool,
    /// A debugger holds it, so that no watch over its progress counts.
    pub traced: bool,
    /// One of its polls has lasted too long.
    pub stuck: bool,
    /// SIGKILL did not end it in time: it hangs in the kernel.
    pub unkillable: bool,
    /// Its configuration has changed and its present life does not have it.
    pub config_changed: bool,
    /// Its executable has changed on disk and its present life does not have it.
    pub binary_changed: bool,
    /// Its group's budget is spent, and it is retried only rarely.
    pub cooling_down: bool,
    /// It said that it has nothing to do.
    pub skipped: bool,
    /// It is being replaced by rolling, or something of the life before is left.
    pub rolling: bool,
}

/// How a reload ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reload {
    /// It took up what had changed.
    Done,
    /// It did not say so in time, and goes on as it was.
    TimedOut,
    /// It could not, and was restarted in order.
    Declined,
    /// It does not know how, or what changed is no good to it; it goes on as it was.
    Refused,
}

/// Why a worker is given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum GivenUp {
    /// Its exit code says that a restart is no use.
    ExitCode,
    /// The restart budget of its group is spent.
    BudgetSpent,
    /// A worker that it needs was given up.
    Dependency,
    /// It is essential and its first start failed.
    FirstStart,
    /// Its terms say that an end for this cause is not answered by a restart.
    Policy,
    /// It has broken the rules too often.
    Offences,
    /// It is a oneshot that is not restarted, and it did not succeed.
    Unfinished,
}

/// What sees to it that nothing which a worker started outlives it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Containment {
    /// It cannot start anything.
    #[default]
    Alone,
    /// Its control group is killed.
    Cgroup,
    /// Everything of its user, whom nobody else has, is killed.
    User,
    /// It is the first of its own namespace of processes, which ends with it.
    PidNamespace,
}

/// The most of a path of groups that a row holds, in bytes; the rest of a longer one is not told.
pub(super) const GROUPS_BYTES: usize = 128;

/// The most of the name of a step that a row holds, in bytes.
pub(super) const STEP_BYTES: usize = 40;

/// The most text that one record holds, in bytes.
pub const TEXT_BYTES: usize = RECORD_BYTES - 5;

/// A piece of text: lines that are longer than a record holds come in several.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    /// At most [`TEXT_BYTES`].
    pub text: String,
    /// It is the last piece of its line.
    pub ends: bool,
}

/// Where the life of a worker stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum State {
    /// Down by order, or never started.
    #[default]
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
    /// It was carried out as far as it could be: the target is given up.
    GaveUp,
    /// It cannot be done to this target.
    Refused,
    /// The manifest is refused; the lines before draw what is wrong with it, and nothing has changed.
    InvalidManifest,
    /// Another life did not come to take the place of the present one, which goes on; the line before says why.
    RolledBack,
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
            Self::Event(event) => event.write(&mut out),
            Self::Text(text) => {
                out.u8(5);
                out.u8(text.ends.into());
                out.text(&text.text, TEXT_BYTES);
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
        out.u8(self.guarded.into());
        out.u64(self.last_event);
        out.u8(self.persist_failing.into());
        self.tally.write(out);
    }
}

impl Row {
    fn write(&self, out: &mut Writer) {
        out.u8(2);
        out.name(&self.name);
        out.u16(self.instance);
        out.u8(self.numbered.into());
        out.u8(self.state as u8);
        out.u32(self.pid.unwrap_or(0));
        out.u32(self.generation);
        out.u32(self.restarts);
        out.optional(self.uptime, Writer::duration);
        out.u32(self.uid);
        out.u32(self.gid);
        out.u64(self.capabilities);
        out.u8(self.privileged.into());
        out.u8(self.essential.into());
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
        out.duration(self.since);
        out.u16(self.signs.bits());
        out.optional(self.last_reload.map(|reload| reload as u8), Writer::u8);
        out.text(&self.group, GROUPS_BYTES);
        out.optional(self.given_up.map(|why| why as u8), Writer::u8);
        out.text(&self.because_of, TITLE_BYTES);
        out.u32(self.failures);
        out.u8(self.containment as u8);
        out.text(&self.failed_step, STEP_BYTES);
        out.u32(self.spare.unwrap_or(0));
    }

    /// Returns what people call it, as `web` or `web.2`.
    pub fn title(&self) -> String {
        title(&self.name, self.instance, self.numbered)
    }
}

impl Signs {
    pub(super) fn bits(self) -> u16 {
        self.all().iter().rev().fold(0, |bits, set| bits << 1 | u16::from(*set))
    }

    fn all(self) -> [bool; 9] {
        [
            self.sigstopped,
            self.traced,
            self.stuck,
            self.unkillable,
            self.config_changed,
            self.binary_changed,
            self.cooling_down,
            self.skipped,
            self.rolling,
        ]
    }
}

impl Record {
    /// Returns lines as records, the pieces of each in their order, as they travel.
    pub fn lines<L: AsRef<str>>(lines: impl IntoIterator<Item = L>) -> Vec<Vec<u8>> {
        let record = |piece| Self::Text(piece).to_bytes().to_vec();
        lines
            .into_iter()
            .flat_map(|line| Text::pieces(line.as_ref()).map(record).collect::<Vec<_>>())
            .collect()
    }
}

impl Text {
    /// Cuts a line into pieces that fit.
    pub fn pieces(line: &str) -> impl Iterator<Item = Self> {
        let mut rest = Some(line);
        std::iter::from_fn(move || {
            let line = rest.take()?;
            let mut end = line.len().min(TEXT_BYTES);
            while !line.is_char_boundary(end) {
                end -= 1;
            }
            rest = (end < line.len()).then_some(&line[end..]);
            Some(Self { text: line[..end].to_owned(), ends: end == line.len() })
        })
    }
}
