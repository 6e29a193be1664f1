//! How the value of each kind of key is written, and what to say when it is not.

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use bailiwick_sys::guardian::can_be_workers;
use toml::Spanned;
use toml::de::DeValue;

use super::fields::{Reader, describe, short};
use crate::check::{Diagnostic, nearest, quote};
use crate::spec::{
    AutoShutdown, FdKind, KeyringMode, May, OnExhausted, OnFull, OnSigstop, OnViolation, Once, Preset,
    Profile, Rate, Reaction, RestartType, Start, Strategy,
};

/// A value that a key can have.
pub(super) trait FromToml: Sized {
    /// Reads the value of `key`; says what is wrong with it otherwise.
    fn from_toml(value: &Spanned<DeValue<'_>>, key: &str, reader: &mut Reader<'_>) -> Option<Self>;
}

/// A value that is one of a few words.
pub(super) trait Choice: Copy + 'static {
    /// The words of this version.
    const WORDS: &'static [(&'static str, Self)];
    /// Words that are planned but would not be enforced.
    const LATER: &'static [&'static str];
}

/// A number of bytes: `"64K"`, `"256M"`, `"2G"` or a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd)]
pub(super) struct Bytes(pub(super) u64);

/// A number of bytes; `"infinity"` is as many as there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd)]
pub(super) struct Most(pub(super) u64);

/// What follows where the floor of a sandbox is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Policy {
    /// No start.
    Require,
    /// A start all the same.
    BestEffort,
}

/// The first and the last of the users that are workers' own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Uids(pub(super) RangeInclusive<u32>);

/// How many users workers may have among them.
const UIDS: RangeInclusive<u64> = 256..=1 << 20;

/// Hundredths of one processor: `"50%"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd)]
pub(super) struct Percent(pub(super) u32);

/// Permissions that are taken away, in octal digits: `"0077"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mask(pub(super) u16);

/// A user or group: its name or its number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Account(pub(super) String);

/// The longest time that a key may ask for, which `"infinity"` stands for.
const MAX_DURATION: Duration = Duration::from_secs(366 * 24 * 3600);
/// The longest list, in elements.
const MAX_LIST: usize = 1024;
/// The longest text, in bytes.
const MAX_TEXT: usize = 32 << 10;

impl FromToml for bool {
    fn from_toml(value: &Spanned<DeValue<'_>>, key: &str, reader: &mut Reader<'_>) -> Option<Self> {
        let help = match value.get_ref() {
            DeValue::Boolean(value) => return Some(*value),
            DeValue::String(text) if ["true", "false"].contains(&text.as_ref()) => {
                Some(format!("write it without quotes: {text}"))
            }
            _ => None,
        };
        reader.mismatch(key, value, "true or false", help);
        None
    }
}

impl FromToml for String {
    fn from_toml(value: &Spanned<DeValue<'_>>, key: &str, reader: &mut Reader<'_>) -> Option<Self> {
        let help = match value.get_ref() {
            DeValue::String(text) if text.len() > MAX_TEXT => {
                let title = format!("the text is {} bytes long, the limit is {MAX_TEXT}", text.len());
                reader.refuse(Diagnostic::error(title).at(value.span(), "too long"));
                return None;
            }
            DeValue::String(text) if text.contains('\0') => {
                let title = "a text holds a NUL character, which no name or path can";
                reader.refuse(Diagnostic::error(title).at(value.span(), "remove the NUL"));
                return None;
            }
            DeValue::String(text) => return Some(text.clone().into_owned()),
            DeValue::Integer(number) => Some(format!("write it in quotes: \"{number}\"")),
            DeValue::Array(array) if array.len() == 1 => Some("write it without the brackets".into()),
            DeValue::Array(_) => Some("write one text, not a list".into()),
            _ => None,
        };
        reader.mismatch(key, value, "a text in quotes", help);
        None
    }
}

impl FromToml for f64 {
    fn from_toml(value: &Spanned<DeValue<'_>>, key: &str, reader: &mut Reader<'_>) -> Option<Self> {
        let number = match value.get_ref() {
            DeValue::Float(number) => number.as_str().parse().ok(),
            DeValue::Integer(number) => integer(number).map(|number| number as f64),
            _ => None,
        };
        match number.filter(|number: &f64| number.is_finite()) {
            Some(number) => Some(number),
            None => {
                reader.mismatch(key, value, "a number", None);
                None
            }
        }
    }
}

macro_rules! integers {
    ($($integer:ty),*) => { $(
        impl FromToml for $integer {
            fn from_toml(value: &Spanned<DeValue<'_>>, key: &str, reader: &mut Reader<'_>) -> Option<Self> {
                let help = match value.get_ref() {
                    DeValue::Integer(number) => match integer(number).map(<$integer>::try_from) {
                        Some(Ok(number)) => return Some(number),
                        _ => None,
                    },
                    DeValue::String(text) if text.parse::<$integer>().is_ok() => {
                        Some(format!("write it without quotes: {text}"))
                    }
                    _ => None,
                };
                let expected = format!("a number from {} to {}", <$integer>::MIN, <$integer>::MAX);
                reader.mismatch(key, value, &expected, help);
                None
            }
        }
    )* };
}

integers!(u8, u16, u32, i8, i16);

fn integer(number: &toml::de::DeInteger<'_>) -> Option<i64> {
    i64::from_str_radix(number.as_str(), number.radix()).ok()
}

impl FromToml for Duration {
    fn from_toml(value: &Spanned<DeValue<'_>>, key: &str, reader: &mut Reader<'_>) -> Option<Self> {
        let help = match value.get_ref() {
            DeValue::String(text) if text == "infinity" => return Some(MAX_DURATION),
            DeValue::String(text) => match parse_duration(text) {
                Some(duration) if duration <= MAX_DURATION => return Some(duration),
                Some(_) => "the longest time is \"366d\"".into(),
                None => "write a number and a unit (ms, s, m, h, d): \"250ms\", \"10s\", \"5m\"".into(),
            },
            DeValue::Integer(number) => format!("write the unit and quotes: \"{number}s\""),
            DeValue::Float(number) => format!("write the unit and quotes: \"{}s\"", number.as_str()),
            _ => "write a number and a unit in quotes: \"250ms\", \"10s\", \"5m\"".into(),
        };
        reader.mismatch(key, value, "a time such as \"10s\"", Some(help));
        None
    }
}

/// Reads a time as the manifest writes it: `250ms`, `10s`, `1.5s`, `5m`, `2h`, `1d`.
pub fn parse_duration(text: &str) -> Option<Duration> {
    let (number, unit) = split_unit(text)?;
    let seconds = match unit {
        "us" => 0.000_001,
        "ms" => 0.001,
        "s" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        "d" => 86400.0,
        _ => return None,
    };
    let micros = (number * seconds * 1e6).round();
    (micros < u64::MAX as f64).then(|| Duration::from_micros(micros as u64))
}

/// Splits `1.5s` into a number and the unit behind it.
fn split_unit(text: &str) -> Option<(f64, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let number: f64 = text[..end].parse().ok()?;
    Some((number, &text[end..]))
}

/// So many messages in a time: `"10/s"`, `"100/m"`, `"3/500ms"`.
impl FromToml for Rate {
    fn from_toml(value: &Spanned<DeValue<'_>>, key: &str, reader: &mut Reader<'_>) -> Option<Self> {
        let rate = match value.get_ref() {
            DeValue::String(text) => parse_rate(text),
            _ => None,
        };
        if rate.is_none() {
            let help =
                "write a number from 1 to 1000000, a stroke and a unit or a time: \"10/s\", \"3/500ms\"";
            reader.mismatch(key, value, "a rate such as \"10/s\"", Some(help.into()));
        }
        rate
    }
}

fn parse_rate(text: &str) -> Option<Rate> {
    let (messages, period) = text.split_once('/')?;
    let messages = messages.parse().ok().filter(|messages| (1..=1_000_000).contains(messages))?;
    let period = if period.starts_with(|c: char| c.is_ascii_digit()) {
        parse_duration(period)?
    } else {
        parse_duration(&format!("1{period}"))?
    };
    (Duration::from_millis(1)..=MAX_DURATION).contains(&period).then_some(Rate { messages, period })
}

/// `true` is once over all lives of the sender, `"per_life"` once in each.
impl FromToml for Once {
    fn from_toml(value: &Spanned<DeValue<'_>>, key: &str, reader: &mut Reader<'_>) -> Option<Self> {
        match value.get_ref() {
            DeValue::Boolean(true) => return Some(Self::Ever),
            DeValue::Boolean(false) => return Some(Self::No),
            DeValue::String(text) if text == "per_life" => return Some(Self::PerLife),
            _ => {}
        }
        let help = "`true` is once over all lives of the sender, \"per_life\" once in each of them";
        reader.mismatch(key, value, "true, false or \"per_life\"", Some(help.into()));
        None
    }
}

impl FromToml for Bytes {
    fn from_toml(value: &Spanned<DeValue<'_>>, key: &str, reader: &mut Reader<'_>) -> Option<Self> {
        let bytes = match value.get_ref() {
            DeValue::Integer(number) => integer(number).and_then(|number| u64::try_from(number).ok()),
            DeValue::String(text) => parse_bytes(text),
            _ => None,
        };
        if bytes.is_none() {
            let help = "write a whole number and K, M, G or T (powers of 1024): \"64K\", \"256M\", \"2G\"";
            reader.mismatch(key, value, "a size such as \"256M\"", Some(help.into()));
        }
        bytes.map(Bytes)
    }
}

impl FromToml for Most {
    fn from_toml(value: &Spanned<DeValue<'_>>, key: &str, reader: &mut Reader<'_>) -> Option<Self> {
        match value.get_ref() {
            DeValue::String(text) if text == "infinity" => Some(Self(u64::MAX)),
            _ => Bytes::from_toml(value, key, reader).map(|bytes| Self(bytes.0)),
        }
    }
}

impl FromToml for Uids {
    fn from_toml(value: &Spanned<DeValue<'_>>, key: &str, reader: &mut Reader<'_>) -> Option<Self> {
        let number = |value: &Spanned<DeValue<'_>>| match value.get_ref() {
            DeValue::Integer(number) => u32::try_from(integer(number)?).ok(),
            _ => None,
        };
        let ends = match value.get_ref() {
            DeValue::Array(ends) if ends.len() == 2 => (number(&ends[0]), number(&ends[1])),
            _ => (None, None),
        };
        let (Some(first), Some(last)) = ends else {
            let help = "write the first and the last: [0x70000000, 0x7000FFFF]";
            reader.mismatch(key, value, "two numbers", Some(help.into()));
            return None;
        };
        let count = (u64::from(last) + 1).saturating_sub(first.into());
        if UIDS.contains(&count) && (first..=last).all(can_be_workers) {
            return Some(Self(first..=last));
        }
        let error = Diagnostic::error(format!("{first} to {last} cannot be the users of workers"));
        let what = format!(
            "expected {} to {} users, from 60001 on, without 65534 and 65535",
            UIDS.start(),
            UIDS.end()
        );
        reader.refuse(error.at(value.span(), what).help("what is not said is [0x70000000, 0x7000FFFF]"));
        None
    }
}

impl FromToml for Percent {
    fn from_toml(value: &Spanned<DeValue<'_>>, key: &str, reader: &mut Reader<'_>) -> Option<Self> {
        let percent = match value.get_ref() {
            DeValue::String(text) => text.strip_suffix('%').filter(|number| !number.starts_with('+')),
            _ => None,
        };
        let percent = percent.and_then(|number| number.parse().ok());
        if percent.is_none() {
            let help = "write a whole number and %, of one processor: \"50%\", \"200%\"";
            reader.mismatch(key, value, "a share such as \"50%\"", Some(help.into()));
        }
        percent.map(Self)
    }
}

impl std::fmt::Display for Percent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "\"{}%\"", self.0)
    }
}

impl FromToml for Mask {
    fn from_toml(value: &Spanned<DeValue<'_>>, key: &str, reader: &mut Reader<'_>) -> Option<Self> {
        let mask = match value.get_ref() {
            DeValue::String(text) if (3..=4).contains(&text.len()) && !text.starts_with('+') => {
                u16::from_str_radix(text, 8).ok()
            }
            _ => None,
        };
        let mask = mask.filter(|mask| *mask <= 0o777);
        if mask.is_none() {
            let help =
                "write octal digits in quotes, of what nobody is to have: \"0077\", \"0027\", \"0022\"";
            reader.mismatch(key, value, "a mask such as \"0077\"", Some(help.into()));
        }
        mask.map(Self)
    }
}

pub(super) fn parse_bytes(text: &str) -> Option<u64> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let number: u64 = text[..end].parse().ok()?;
    let shift = match &text[end..] {
        "" => 0,
        "K" => 10,
        "M" => 20,
        "G" => 30,
        "T" => 40,
        _ => return None,
    };
    number.checked_mul(1 << shift)
}

impl std::fmt::Display for Bytes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let unit = [(40, 'T'), (30, 'G'), (20, 'M'), (10, 'K')];
        match unit.iter().find(|(shift, _)| self.0 > 0 && self.0.is_multiple_of(1 << shift)) {
            Some((shift, letter)) => write!(f, "\"{}{letter}\"", self.0 >> shift),
            None => write!(f, "{}", self.0),
        }
    }
}

impl std::fmt::Display for Most {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.0 == u64::MAX { f.write_str("\"infinity\"") } else { Bytes(self.0).fmt(f) }
    }
}

impl FromToml for PathBuf {
    fn from_toml(value: &Spanned<DeValue<'_>>, key: &str, reader: &mut Reader<'_>) -> Option<Self> {
        let text = String::from_toml(value, key, reader)?;
        let help = if text.is_empty() {
            "write a path; a relative one starts at the manifest's folder"
        } else if text.starts_with("~/") || text == "~" {
            "write the whole path: `~` is the shell's, and a daemon has no home folder"
        } else if text.contains('$') {
            "write the whole path: variables are not expanded"
        } else {
            // By its components, so that `.` and doubled slashes vanish.
            return Some(reader.folder.join(text).components().collect());
        };
        reader.mismatch(key, value, "a path", Some(help.into()));
        None
    }
}

impl FromToml for Account {
    fn from_toml(value: &Spanned<DeValue<'_>>, key: &str, reader: &mut Reader<'_>) -> Option<Self> {
        match value.get_ref() {
            DeValue::Integer(number) => u32::try_from(integer(number)?).ok().map(|id| Self(id.to_string())),
            DeValue::String(text) if !text.is_empty() => Some(Self(text.clone().into_owned())),
            _ => None,
        }
        .or_else(|| {
            reader.mismatch(key, value, "a name or a number", None);
            None
        })
    }
}

impl<T: FromToml> FromToml for Vec<T> {
    fn from_toml(value: &Spanned<DeValue<'_>>, key: &str, reader: &mut Reader<'_>) -> Option<Self> {
        let DeValue::Array(array) = value.get_ref() else {
            let text = &reader.text[value.span()];
            let help = (text.len() < 80).then(|| format!("write a list: [{}]", text.escape_debug()));
            let help = help.map(|help| help.replace("\\\"", "\""));
            reader.mismatch(key, value, "a list", help);
            return None;
        };
        if array.len() > MAX_LIST {
            let title = format!("a list of {} elements, the limit is {MAX_LIST}", array.len());
            reader.refuse(Diagnostic::error(title).at(value.span(), "too long"));
            return None;
        }
        let mut list = Vec::new();
        let before = reader.found.len();
        for (index, element) in array.iter().enumerate() {
            let key = format!("{key}[{index}]");
            reader.places.insert(key.clone(), element.span());
            list.extend(T::from_toml(element, &key, reader));
        }
        (reader.found.len() == before).then_some(list)
    }
}

impl<T: FromToml> FromToml for Option<T> {
    fn from_toml(value: &Spanned<DeValue<'_>>, key: &str, reader: &mut Reader<'_>) -> Option<Self> {
        T::from_toml(value, key, reader).map(Some)
    }
}

impl<T: Choice> FromToml for T {
    fn from_toml(value: &Spanned<DeValue<'_>>, key: &str, reader: &mut Reader<'_>) -> Option<Self> {
        let words = T::WORDS.iter().map(|(word, _)| *word);
        let list = words.clone().map(|word| format!("\"{word}\"")).collect::<Vec<_>>().join(", ");
        let DeValue::String(text) = value.get_ref() else {
            reader.mismatch(key, value, &format!("one of {list}"), None);
            return None;
        };
        if let Some((_, choice)) = T::WORDS.iter().find(|(word, _)| word == text) {
            return Some(*choice);
        }
        let diagnostic = if T::LATER.contains(&text.as_ref()) {
            Diagnostic::error(format!("{} is not enforced by this version", quote(text)))
                .at(value.span(), format!("this version knows {list}"))
                .help("what cannot be enforced is refused rather than ignored")
        } else {
            let near = nearest(text, words);
            Diagnostic::error(format!("{} is no value of `{}`", describe(value.get_ref()), short(key)))
                .at(value.span(), format!("expected one of {list}"))
                .help(match near {
                    Some(near) => format!("did you mean \"{near}\"?"),
                    None => "write one of these words".into(),
                })
        };
        reader.refuse(diagnostic);
        None
    }
}

macro_rules! choices {
    ($($choice:ty { $($word:literal = $value:expr),* } later [$($later:literal),*];)*) => { $(
        impl Choice for $choice {
            const WORDS: &'static [(&'static str, Self)] = &[$(($word, $value)),*];
            const LATER: &'static [&'static str] = &[$($later),*];
        }
    )* };
}

choices! {
    RestartType {
        "permanent" = RestartType::Permanent, "transient" = RestartType::Transient,
        "temporary" = RestartType::Temporary
    } later [];
    Strategy {
        "one_for_one" = Strategy::OneForOne, "rest_for_one" = Strategy::RestForOne,
        "one_for_all" = Strategy::OneForAll, "pool" = Strategy::Pool
    } later ["shared_fate"];
    AutoShutdown {
        "never" = AutoShutdown::Never, "any_significant" = AutoShutdown::AnySignificant,
        "all_significant" = AutoShutdown::AllSignificant
    } later [];
    Reaction { "restart" = Reaction::Restart, "stop" = Reaction::Stop } later [];
    OnExhausted {
        "cool_down" = OnExhausted::CoolDown, "fail" = OnExhausted::Fail, "escalate" = OnExhausted::Escalate
    } later [];
    OnFull {
        "wait" = OnFull::Wait, "reject" = OnFull::Reject, "drop_oldest" = OnFull::DropOldest,
        "drop_newest" = OnFull::DropNewest
    } later [];
    Start { "boot" = Start::Boot, "on_demand" = Start::OnDemand } later [];
    Policy { "require" = Policy::Require, "best-effort" = Policy::BestEffort } later [];
    KeyringMode { "private" = KeyringMode::Private, "inherit" = KeyringMode::Inherit } later ["shared"];
    OnSigstop { "kill" = OnSigstop::Kill, "ignore" = OnSigstop::Ignore } later [];
    OnViolation { "kill" = OnViolation::Kill, "log" = OnViolation::Log } later [];
    Profile { "production" = Profile::Production, "dev" = Profile::Dev } later [];
    May {
        "status" = May::Status, "events" = May::Events, "logs" = May::Logs, "crashes" = May::Crashes,
        "denials" = May::Denials, "start" = May::Start, "stop" = May::Stop, "restart" = May::Restart,
        "kill" = May::Kill, "reset" = May::Reset, "scale" = May::Scale
    } later [];
    Preset {
        "sealed" = Preset::Sealed, "net-client" = Preset::NetClient, "net-server" = Preset::NetServer,
        "fs-ro" = Preset::FsRo, "exec" = Preset::Exec, "none" = Preset::None
    } later [];
    FdKind {
        "file" = FdKind::File, "directory" = FdKind::Directory, "tcp-listener" = FdKind::TcpListener,
        "tcp-stream" = FdKind::TcpStream, "udp-socket" = FdKind::UdpSocket,
        "unix-stream" = FdKind::UnixStream, "unix-listener" = FdKind::UnixListener,
        "pipe-reader" = FdKind::PipeReader, "pipe-writer" = FdKind::PipeWriter,
        "sealed-memory" = FdKind::SealedMemory
    } later [];
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_a_number_and_a_time() {
        let rate = |text| parse_rate(text).map(|rate| (rate.messages, rate.period.as_millis()));
        for (text, expected) in [("1/s", (1, 1000)), ("100/m", (100, 60_000)), ("3/500ms", (3, 500))] {
            assert_eq!(rate(text), Some(expected), "{text}");
        }
        for text in
            ["", "1", "/s", "0/s", "1000001/s", "-1/s", "1/", "1/0s", "1/x", "1 / s", "1/s/s", "1/400d"]
        {
            assert_eq!(rate(text), None, "{text}");
        }
    }

    #[test]
    fn times_are_a_number_and_a_unit() {
        for (text, millis) in [
            ("250ms", 250),
            ("0s", 0),
            ("10s", 10_000),
            ("1.5s", 1500),
            ("5m", 300_000),
            ("2h", 7_200_000),
            ("1d", 86_400_000),
        ] {
            assert_eq!(parse_duration(text), Some(Duration::from_millis(millis)), "{text}");
        }
        for text in ["", "s", "10", "-1s", "1e9s", "1..5s", "10 s", "1w", "infs", "nan"] {
            assert_eq!(parse_duration(text), None, "{text}");
        }
        assert!(parse_duration(&format!("{}d", "9".repeat(400))).is_none());
    }

    #[test]
    fn sizes_are_powers_of_1024() {
        assert_eq!(parse_bytes("64K"), Some(64 << 10));
        assert_eq!(parse_bytes("256M"), Some(256 << 20));
        assert_eq!(parse_bytes("7"), Some(7));
        assert_eq!(parse_bytes("16777215T"), Some(16_777_215 << 40));
        for text in ["", "M", "1.5M", "-1", "1MB", "16777216T", "99999999999999999999"] {
            assert_eq!(parse_bytes(text), None, "{text}");
        }
        assert_eq!(Bytes(256 << 20).to_string(), "\"256M\"");
        assert_eq!([Bytes(0).to_string(), Bytes(1025).to_string()], ["0", "1025"]);
    }

    #[test]
    fn descriptor_kinds_are_called_as_on_the_wire() {
        for (word, kind) in FdKind::WORDS {
            let word: serde::de::value::StrDeserializer<'_, serde::de::value::Error> =
                serde::de::IntoDeserializer::into_deserializer(*word);
            assert_eq!(serde::Deserialize::deserialize(word), Ok(*kind));
        }
    }
}
