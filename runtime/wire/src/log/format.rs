//! How the supervisor writes what is printed where people or programs read it.

use super::{Lost, Said, Source, journald};

/// In which form lines are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// `web | hello`, for people.
    #[default]
    Human,
    /// One JSON document a line.
    Json,
    /// An entry of the journal of systemd, with an empty line at its end.
    Journald,
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

    /// Returns the form for the streams there are: what is for people is for the journal where it takes them.
    pub fn or_journald(self, is_taken: bool) -> Self {
        if is_taken && self == Self::Human { Self::Journald } else { self }
    }

    /// Returns whether lines are entries of the journal.
    pub fn is_journald(self) -> bool {
        self == Self::Journald
    }

    /// Returns a line with its end. Only what is remembered has a number.
    pub fn line(self, number: Option<u64>, source: &Source, said: &Said) -> String {
        match self {
            Self::Human => format!("{} | {}\n", source.title(), said.shown()),
            Self::Json => said.to_json(number, source),
            Self::Journald => said.to_entry(source),
        }
    }

    /// Says, as a line, that so many lines were not written because nobody read them.
    pub fn unread(self, lines: u64) -> String {
        match self {
            Self::Human => format!("[{lines} lines dropped]\n"),
            Self::Json => Lost { dropped: lines, forgotten: 0 }.to_json(None),
            Self::Journald => journald::missed(lines),
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
    fn what_is_for_people_is_for_the_journal_where_that_takes_it() {
        use Format::{Human, Journald, Json};
        let found =
            [(Human, true), (Human, false), (Json, true)].map(|(format, taken)| format.or_journald(taken));
        assert_eq!(found, [Journald, Human, Json]);
    }

    #[test]
    fn what_nobody_read_is_told_in_the_same_form() {
        assert_eq!(Format::Human.unread(3), "[3 lines dropped]\n");
        let told = "{\"schema_version\":1,\"worker\":null,\"instance\":null,\"dropped\":3,\"forgotten\":0}\n";
        assert_eq!(Format::Json.unread(3), told);
    }
}
