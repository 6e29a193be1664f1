//! What a client asks of the supervisor, in 96 bytes.

use std::time::Duration;

use thiserror::Error;

use super::{NAME_BYTES, name_field, name_from, signal_name};

/// The size of every request.
///
/// | offset | bytes | meaning |
/// | --- | --- | --- |
/// | 0 | 4 | `BWRQ` |
/// | 4 | 1 | version, 1 |
/// | 5 | 1 | verb |
/// | 6 | 2 | instance, 0 for every instance |
/// | 8 | 8 | deadline in milliseconds |
/// | 16 | 64 | worker's name, zero-padded; empty for the whole system |
/// | 80 | 8 | what the verb needs besides: a signal, a size, a number; zero for the others |
/// | 88 | 8 | zero |
pub const REQUEST_BYTES: usize = 96;

const MAGIC: [u8; 4] = *b"BWRQ";
/// The version of the request.
pub const VERSION: u8 = 1;

/// One request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// What is to be done.
    pub verb: Verb,
    /// To whom.
    pub target: Target,
    /// How long the answer may be waited for; the order itself stands after that.
    pub deadline: Duration,
}

/// What is to be done. Exhaustive: the supervisor has an answer to every verb, or does not compile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// Report the supervisor and every worker. Class `read`.
    Status,
    /// Stop the target and keep it stopped. Class `operate`.
    Stop,
    /// Start the target if it is down, without waiting for its backoff. Class `operate`.
    Start,
    /// Stop the target and start it again; its budget is not charged. Class `operate`.
    Restart,
    /// Start another life of the target beside the present one, and have it take that one's place once it is ready. Class
    /// `operate`. Lines say why not, where nothing comes of it.
    Roll,
    /// Stop everything in order and leave. Class `operate`.
    ShutDown,
    /// Forget what is held against the target: its failures, its offences, and what its group's budget has spent.
    /// Class `operate`.
    Reset,
    /// Stop the target without cutting its draining short, and keep it stopped. Class `operate`.
    Drain,
    /// Send the target this signal. SIGKILL ends everything of it, and it stays stopped; every other signal is sent to
    /// its leader as it is, and what follows is the target's own affair. Class `operate`.
    Kill(u8),
    /// Let the target, a pool, have so many members. Class `operate`.
    Scale(u16),
    /// Answer as soon as the target stands like this. Class `read`.
    Wait(Goal),
    /// Report what happened after the event of this number, at once if there is something, else as soon as there is.
    /// [`NEXT_EVENT`] means: nothing that has happened yet. Class `read`.
    Events(u64),
    /// Report the last lines that the present or last life of the target printed. Class `read`.
    Lines,
    /// Hand out lines that the target printed after the one of this number, at once if there are some, else as soon as
    /// there are. [`NEXT_LINE`](crate::log::NEXT_LINE) means: none that was printed already. Class `read`.
    Log(u64),
    /// Take up what has changed in the manifest; lines say what that means. Class `operate`.
    Reload(ReloadMode),
    /// Hand out the reports of deaths that are kept of the target, the oldest of each first. Class `read`.
    Crashes,
    /// Hand out what the lives of the target that run were denied, as they say, each as a report. Class `read`.
    Denials,
}

/// Asks for no event that has happened already, whatever its number.
pub const NEXT_EVENT: u64 = u64::MAX;

/// How far a reload may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReloadMode {
    /// It only says what would be done.
    Plan,
    /// It is refused if a worker would gain what it may not do now.
    Narrow,
    /// Workers may gain what they may not do now.
    Widening,
}

/// What is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Goal {
    /// It is ready, or done where it is not to stay.
    Ready,
    /// It is stopped, done or given up, and nothing of it is left.
    Stopped,
}

/// Whom a verb is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// The whole system.
    System,
    /// Every instance of one worker.
    Worker(String),
    /// One instance, numbered from 1.
    Instance(String, u16),
}

/// Why bytes are no request.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum RequestError {
    /// Neither too short nor too long is taken.
    #[error("control request of {found} bytes, expected {REQUEST_BYTES}")]
    Length {
        /// The bytes that arrived.
        found: usize,
    },
    /// It starts with something else.
    #[error("control request does not start with {MAGIC:?} and version {VERSION}")]
    Magic,
    /// A field holds what it may not hold.
    #[error("control request has an invalid {field}")]
    Field {
        /// The field.
        field: &'static str,
    },
}

impl Request {
    /// Writes the request as it travels.
    pub fn to_bytes(&self) -> [u8; REQUEST_BYTES] {
        let (name, instance) = match &self.target {
            Target::System => ("", 0),
            Target::Worker(name) => (name.as_str(), 0),
            Target::Instance(name, instance) => (name.as_str(), *instance),
        };
        let deadline = u64::try_from(self.deadline.as_millis()).unwrap_or(u64::MAX);
        let mut bytes = [0; REQUEST_BYTES];
        bytes[0..4].copy_from_slice(&MAGIC);
        bytes[4] = VERSION;
        let (code, argument) = self.verb.code();
        bytes[5] = code;
        bytes[6..8].copy_from_slice(&instance.to_le_bytes());
        bytes[8..16].copy_from_slice(&deadline.to_le_bytes());
        bytes[16..16 + NAME_BYTES].copy_from_slice(&name_field(name));
        bytes[80..88].copy_from_slice(&argument.to_le_bytes());
        bytes
    }

    /// Reads a request.
    ///
    /// # Errors
    /// Whatever [`Request::to_bytes`] cannot have written is refused.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, RequestError> {
        let bytes: &[u8; REQUEST_BYTES] =
            bytes.try_into().map_err(|_| RequestError::Length { found: bytes.len() })?;
        if bytes[0..4] != MAGIC || bytes[4] != VERSION {
            return Err(RequestError::Magic);
        }
        let invalid = |field| RequestError::Field { field };
        let number = |at: usize| {
            let mut field = [0; 8];
            field.copy_from_slice(&bytes[at..at + 8]);
            u64::from_le_bytes(field)
        };
        let verb = Verb::from_code(bytes[5], number(80)).ok_or(invalid("verb"))?;
        let instance = u16::from_le_bytes([bytes[6], bytes[7]]);
        let name = name_from(&bytes[16..16 + NAME_BYTES]).ok_or(invalid("name"))?;
        if bytes[88..].iter().any(|byte| *byte != 0) {
            return Err(invalid("reserve"));
        }
        let target = match (name.is_empty(), instance) {
            (true, 0) => Target::System,
            (true, _) => return Err(invalid("instance")),
            (false, 0) => Target::Worker(name),
            (false, instance) => Target::Instance(name, instance),
        };
        Ok(Self { verb, target, deadline: Duration::from_millis(number(8)) })
    }
}

impl Verb {
    /// Returns whether a request with this verb only looks, so that it may give way to one that orders.
    pub fn only_looks(self) -> bool {
        matches!(
            self,
            Self::Status
                | Self::Wait(_)
                | Self::Events(_)
                | Self::Lines
                | Self::Log(_)
                | Self::Crashes
                | Self::Denials
        )
    }

    /// Returns the verb's number, and what it needs besides.
    fn code(self) -> (u8, u64) {
        match self {
            Self::Status => (1, 0),
            Self::Stop => (2, 0),
            Self::Start => (3, 0),
            Self::Restart => (4, 0),
            Self::ShutDown => (5, 0),
            Self::Reset => (6, 0),
            Self::Drain => (7, 0),
            Self::Kill(signal) => (8, signal.into()),
            Self::Scale(size) => (9, size.into()),
            Self::Wait(goal) => (10, goal as u64),
            Self::Events(after) => (11, after),
            Self::Lines => (12, 0),
            Self::Reload(mode) => (32, mode as u64),
            Self::Crashes => (13, 0),
            Self::Roll => (14, 0),
            Self::Denials => (15, 0),
            Self::Log(after) => (16, after),
        }
    }

    fn from_code(code: u8, argument: u64) -> Option<Self> {
        let verb = match code {
            1 => Self::Status,
            2 => Self::Stop,
            3 => Self::Start,
            4 => Self::Restart,
            5 => Self::ShutDown,
            6 => Self::Reset,
            7 => Self::Drain,
            8 => Self::Kill(u8::try_from(argument).ok().filter(|signal| signal_name(*signal).is_some())?),
            9 => Self::Scale(u16::try_from(argument).ok()?),
            10 => Self::Wait([Goal::Ready, Goal::Stopped].into_iter().find(|goal| *goal as u64 == argument)?),
            11 => Self::Events(argument),
            12 => Self::Lines,
            32 => {
                let modes = [ReloadMode::Plan, ReloadMode::Narrow, ReloadMode::Widening];
                Self::Reload(modes.into_iter().find(|mode| *mode as u64 == argument)?)
            }
            13 => Self::Crashes,
            14 => Self::Roll,
            15 => Self::Denials,
            16 => Self::Log(argument),
            _ => return None,
        };
        // What a verb does not need is zero.
        (verb.code() == (code, argument)).then_some(verb)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request() -> Request {
        Request {
            verb: Verb::Restart,
            target: Target::Instance("shrinker".into(), 2),
            deadline: Duration::from_secs(5),
        }
    }

    #[test]
    fn a_request_reads_back_as_written() {
        let plain = (1..=u8::MAX).filter_map(|code| Verb::from_code(code, 0));
        let full = [
            Verb::Reload(ReloadMode::Widening),
            Verb::Kill(9),
            Verb::Scale(u16::MAX),
            Verb::Wait(Goal::Stopped),
            Verb::Events(NEXT_EVENT),
            Verb::Log(NEXT_EVENT),
        ];
        for verb in plain.chain(full) {
            for target in [Target::System, Target::Worker("web".into()), Target::Instance("web".into(), 7)] {
                let request = Request { verb, target, deadline: Duration::from_millis(1500) };
                assert_eq!(Request::from_bytes(&request.to_bytes()), Ok(request));
            }
        }
    }

    #[test]
    fn the_layout_is_the_documented_one() {
        let bytes = request().to_bytes();
        assert_eq!(&bytes[..8], b"BWRQ\x01\x04\x02\x00");
        assert_eq!(&bytes[8..16], 5000u64.to_le_bytes());
        assert_eq!(&bytes[16..25], b"shrinker\0");
    }

    #[test]
    fn hostile_bytes_are_refused() {
        let good = request().to_bytes();
        for length in [0, 1, REQUEST_BYTES - 1] {
            let found = Request::from_bytes(&good[..length]);
            assert_eq!(found, Err(RequestError::Length { found: length }));
        }
        for (at, value, error) in [
            (0, b'X', RequestError::Magic),
            (4, 2, RequestError::Magic),
            (5, 0, RequestError::Field { field: "verb" }),
            (5, 99, RequestError::Field { field: "verb" }),
            (80, 1, RequestError::Field { field: "verb" }),
            (16, 0xff, RequestError::Field { field: "name" }),
            (16, 0, RequestError::Field { field: "name" }),
            (95, 1, RequestError::Field { field: "reserve" }),
        ] {
            let mut bytes = good;
            bytes[at] = value;
            assert_eq!(Request::from_bytes(&bytes), Err(error), "byte {at} = {value}");
        }
    }
}
