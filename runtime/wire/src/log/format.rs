//! How the supervisor writes what is printed where people or programs read it.

use super::{Lost, Said, Source};

/// In which form lines are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// `web | hello`, for people.
    #[default]
    Human,
    /// One JSON document a line.
    Json,
}

impl Format {
    /// Returns the form that a word asks for: `human`, `json`, or with `auto` for people on a terminal and JSON elsewhere.
    pub fn from_word(word: &str, is_terminal: bool) -> Option<Self> {
        match (word, is_terminal) {
            ("human", _) | ("auto", true) => Some(Self::Human),
            ("json", _) | ("auto", false) => Some(Self::Json),
            _ => None,
        }
    }

    /// Returns a line with its end. Only what is remembered has a number.
    pub fn line(self, number: Option<u64>, source: &Source, said: &Said) -> String {
        match self {
            Self::Human => format!("{} | {}\n", source.title(), said.shown()),
            Self::Json => said.to_json(number, source),
        }
    }

    /// Says, as a line, that so many lines were not written because nobody read them.
    pub fn unread(self, lines: u64) -> String {
        match self {
            Self::Human => format!("[{lines} lines dropped]\n"),
            Self::Json => Lost { dropped: lines, forgotten: 0 }.to_json(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn auto_is_for_people_on_a_terminal_only() {
        for (word, is_terminal, format) in [
            ("auto", true, Some(Format::Human)),
            ("auto", false, Some(Format::Json)),
            ("human", false, Some(Format::Human)),
            ("json", true, Some(Format::Json)),
            ("journald", true, None),
            ("", false, None),
        ] {
            assert_eq!(Format::from_word(word, is_terminal), format, "{word}");
        }
    }

    #[test]
    fn what_nobody_read_is_told_in_the_same_form() {
        assert_eq!(Format::Human.unread(3), "[3 lines dropped]\n");
        let told = "{\"schema_version\":1,\"worker\":null,\"instance\":null,\"dropped\":3,\"forgotten\":0}\n";
        assert_eq!(Format::Json.unread(3), told);
    }
}
