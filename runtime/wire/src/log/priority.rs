//! How much a line matters, by the numbers that syslog has for it.

use serde::{Deserialize, Serialize};

/// How much a line matters: what matters more is less.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Priority {
    /// 0: nothing works any more.
    Emergency,
    /// 1: somebody must act at once.
    Alert,
    /// 2: critical.
    Critical,
    /// 3: an error.
    Error,
    /// 4: a warning.
    Warning,
    /// 5: ordinary, and worth a look.
    Notice,
    /// 6: ordinary. That is every line that does not say otherwise.
    #[default]
    Info,
    /// 7: for those who look for a mistake.
    Debug,
}

impl Priority {
    /// All of them, the one that matters most first.
    pub const ALL: [Self; 8] = [
        Self::Emergency,
        Self::Alert,
        Self::Critical,
        Self::Error,
        Self::Warning,
        Self::Notice,
        Self::Info,
        Self::Debug,
    ];

    /// Returns the number, from 0 for what matters most to 7.
    pub fn code(self) -> u8 {
        self as u8
    }

    /// Returns the name that syslog has for it.
    pub fn word(self) -> &'static str {
        ["emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"][usize::from(self.code())]
    }

    /// Returns the one with this name or number.
    pub fn from_word(word: &str) -> Option<Self> {
        let known = match word {
            "panic" | "emergency" => "emerg",
            "critical" => "crit",
            "error" => "err",
            "warn" => "warning",
            other => other,
        };
        Self::ALL.into_iter().find(|one| one.word() == known || one.code().to_string() == known)
    }

    /// Takes the priority off a line that begins with one, as `<3>`; whatever else a line begins with is its text.
    pub fn split(raw: &[u8]) -> (Self, &[u8]) {
        match raw {
            [b'<', digit @ b'0'..=b'7', b'>', text @ ..] => (Self::ALL[usize::from(digit - b'0')], text),
            text => (Self::default(), text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_priority_is_taken_off_and_what_only_looks_like_one_is_text() {
        for (code, priority) in (0..).zip(Priority::ALL) {
            let line = format!("<{code}>text");
            assert_eq!((Priority::split(line.as_bytes()), priority.code()), ((priority, &b"text"[..]), code));
        }
        assert_eq!(Priority::split(b"<4>"), (Priority::Warning, &b""[..]));
        assert_eq!(Priority::split(b"<4><3>x"), (Priority::Warning, &b"<3>x"[..]), "one is taken off");
        let texts: [&[u8]; 12] = [
            b"",
            b"<",
            b"<3",
            b"<8>x",
            b"<9>x",
            b"<-1>x",
            b"<03>x",
            b"<30>x",
            b"< 3>x",
            b" <3>x",
            b"<\xb3>x",
            b"<3\x1b>x",
        ];
        for text in texts {
            assert_eq!(Priority::split(text), (Priority::Info, text), "{}", text.escape_ascii());
        }
    }

    #[test]
    fn each_has_a_name_and_a_number_and_is_found_by_both() {
        for priority in Priority::ALL {
            assert_eq!(Priority::from_word(priority.word()), Some(priority));
            assert_eq!(Priority::from_word(&priority.code().to_string()), Some(priority));
        }
        let names = ["error", "warn", "critical", "panic"].map(Priority::from_word);
        use Priority::{Critical, Emergency, Error, Warning};
        assert_eq!(names, [Error, Warning, Critical, Emergency].map(Some));
        assert_eq!(["", "8", "-1", "04", "Err", "all"].map(Priority::from_word), [None; 6]);
        assert!(Priority::Error < Priority::Warning);
    }
}
