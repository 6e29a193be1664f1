//! Reports as bytes.

use std::time::Duration;

use thiserror::Error;

use super::{
    Budget, Core, Counters, Cut, Decision, End, LAYOUT, LINE_BYTES, MAGIC, Moment, REPORT_BYTES, Report,
    SECTION_BYTES, STEPS_MAX, Usage,
};
use crate::Limits;
use crate::backtraces;
use crate::codec::{self, DecodeError};
use crate::denials::{self, TOLD_MAX};
use crate::last_words::LastWords;
use crate::operator::{Cause, title};
use crate::slate::{DENIALS_AT, LAST_WORDS_AT, SLATE_BYTES, TESTAMENT_AT, last_poll};
use crate::text::cut;

/// Why bytes are no report.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum CrashError {
    /// It begins with something else.
    #[error("a crash report of {found} bytes that does not begin as one")]
    Magic {
        /// The bytes that arrived.
        found: usize,
    },
    /// It is laid out in another way.
    #[error(
        "crash report with layout {found}, expected {LAYOUT}: the supervisor and its reader come from different \
         builds; build both from the same source, and start the supervisor again"
    )]
    Layout {
        /// The version of the layout.
        found: u8,
    },
    /// A field does not decode.
    #[error("crash report: {0}")]
    Decode(#[from] Box<DecodeError>),
}

impl Report {
    /// Returns the report of a life of which nothing else is known than that it was to begin.
    pub fn of(worker: &str, instance: u16, generation: u32) -> Self {
        Self {
            worker: worker.to_owned(),
            instance,
            numbered: false,
            group: String::new(),
            generation,
            pid: None,
            executable: None,
            began: Moment::default(),
            ended: Moment::default(),
            cause: Cause::Stopped,
            end: End::NotStarted { step: String::new(), errno: 0 },
            sent: Vec::new(),
            last_state: String::new(),
            ready_for: None,
            budget: Budget::default(),
            decision: Decision::default(),
            steps: Vec::new(),
            usage: Usage::default(),
            counters: Counters::default(),
            at_work: None,
            last_words: LastWords::default(),
            denials: Vec::new(),
            untold_denials: 0,
            snapshot: Vec::new(),
            backtraces: Vec::new(),
            cut: Cut::default(),
            core: None,
            last_lines: Vec::new(),
        }
    }

    /// Adds what the life has left on its slate, of which this is a copy.
    #[must_use]
    pub fn told_on(self, slate: &[u8; SLATE_BYTES]) -> Self {
        let (denials, untold_denials) = denials::read(&slate[DENIALS_AT..TESTAMENT_AT]);
        Self {
            at_work: slate.first_chunk().and_then(last_poll),
            last_words: LastWords::from_bytes(&slate[TESTAMENT_AT..]),
            backtraces: backtraces::left(&slate[LAST_WORDS_AT..DENIALS_AT]).unwrap_or_default(),
            denials,
            untold_denials,
            ..self
        }
    }

    /// Returns what people call the life that ended, as `web#3` or `web.2#3`.
    pub fn life(&self) -> String {
        format!("{}#{}", title(&self.worker, self.instance, self.numbered), self.generation)
    }

    /// Writes the report as it travels, in at most [`REPORT_BYTES`]. What is too long is cut: the byte sections to
    /// [`SECTION_BYTES`] each, lines to [`LINE_BYTES`]; and of the last lines only as many as there is room for.
    pub fn to_bytes(mut self) -> Vec<u8> {
        let lines = std::mem::take(&mut self.last_lines);
        for name in [&mut self.worker, &mut self.group, &mut self.last_state] {
            *name = cut(name, NAME_BYTES);
        }
        for text in [&mut self.decision.action, &mut self.decision.detail] {
            *text = cut(text, STEP_BYTES);
        }
        if let End::NotStarted { step, .. } = &mut self.end {
            *step = cut(step, NAME_BYTES);
        }
        if let Some(Core::File(text) | Core::Program(text)) = &mut self.core {
            *text = cut(text, LINE_BYTES);
        }
        // One that is written again has lost what it lost before.
        self.cut.snapshot_bytes += shorten(&mut self.snapshot);
        self.cut.backtraces_bytes += shorten(&mut self.backtraces);
        self.sent.truncate(SENT_MAX);
        self.denials.truncate(2 * TOLD_MAX);
        self.steps.truncate(STEPS_MAX);
        self.steps.iter_mut().for_each(|step| *step = cut(step, STEP_BYTES));
        let mut left = (REPORT_BYTES - PREFIX_BYTES).saturating_sub(encoded(&self).len());
        for line in lines.into_iter().rev() {
            let line = cut(&line, LINE_BYTES);
            let Some(rest) = left.checked_sub(line.len() + LENGTH_BYTES) else { break };
            left = rest;
            self.last_lines.push(line);
        }
        self.last_lines.reverse();
        [&MAGIC[..], &[LAYOUT], &encoded(&self)].concat()
    }

    /// Reads a report.
    ///
    /// # Errors
    /// See [`CrashError`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, CrashError> {
        let Some(([layout, rest @ ..], true)) = bytes.split_at_checked(4).map(|(a, b)| (b, a == MAGIC))
        else {
            return Err(CrashError::Magic { found: bytes.len() });
        };
        match *layout {
            LAYOUT => Ok(codec::decode(rest, &LIMITS)?),
            found => Err(CrashError::Layout { found }),
        }
    }

    /// Says when the life that ended had begun, `lived` before its end.
    #[must_use]
    pub fn having_lived(self, lived: Duration) -> Self {
        let lived_ns = u64::try_from(lived.as_nanos()).unwrap_or(u64::MAX);
        let wall = self.ended.wall.saturating_sub(lived);
        let began = Moment { wall, monotonic_ns: self.ended.monotonic_ns.saturating_sub(lived_ns) };
        Self { began, ..self }
    }

    /// Returns the report in `bytes` with one more step, if it is the one of this life.
    pub fn followed_by(bytes: &[u8], generation: u32, step: &str) -> Option<Vec<u8>> {
        let mut report = Self::from_bytes(bytes).ok().filter(|report| report.generation == generation)?;
        report.steps.push(step.to_owned());
        Some(report.to_bytes())
    }
}

/// Cuts a section, and returns how many bytes that took away.
fn shorten(section: &mut Vec<u8>) -> u32 {
    let over = section.len().saturating_sub(SECTION_BYTES);
    section.truncate(SECTION_BYTES);
    u32::try_from(over).unwrap_or(u32::MAX)
}

fn encoded(report: &Report) -> Vec<u8> {
    let mut bytes = Vec::new();
    codec::encode(report, &LIMITS, &mut bytes).expect("everything in it was cut to fit");
    bytes
}

const LIMITS: Limits = Limits { fds: 0, addresses: 0, ..Limits::of_frame(REPORT_BYTES as u32) };
const PREFIX_BYTES: usize = MAGIC.len() + 1;
/// What a length takes.
const LENGTH_BYTES: usize = 8;
const NAME_BYTES: usize = 64;
const STEP_BYTES: usize = 160;
const SENT_MAX: usize = 8;
