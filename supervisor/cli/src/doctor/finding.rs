//! One row of the table.

use serde::Serialize;

/// One mechanism that a supervisor builds on.
#[derive(Debug, Serialize)]
pub(super) struct Finding {
    pub(super) name: &'static str,
    /// What there is.
    pub(super) found: String,
    pub(super) state: State,
    /// Whether that is enough for the guarantee that hangs on it; `None` where none does.
    holds: Option<bool>,
    /// The keys and presets that build on it.
    pub(super) needed_for: String,
    /// What holds, with it or without it.
    pub(super) meaning: String,
    /// What gives it; `None` where there is nothing to give.
    pub(super) to_do: Option<String>,
}

/// How a mechanism stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum State {
    /// It is there.
    There,
    /// It is missing; whoever does not ask for it in writing starts without.
    Less,
    /// It is missing, and a guarantee with it: who needs it does not start, but with --allow-degraded.
    Lacks,
    /// A fact that is neither good nor bad.
    Told,
}

impl State {
    /// Returns whether there is something to do.
    pub(super) fn is_missing(self) -> bool {
        matches!(self, Self::Less | Self::Lacks)
    }
}

impl Finding {
    /// Returns a row about what is there.
    pub(super) fn there(
        name: &'static str,
        found: impl Into<String>,
        needed_for: &str,
        meaning: impl Into<String>,
    ) -> Self {
        Self {
            name,
            found: found.into(),
            state: State::There,
            holds: None,
            needed_for: needed_for.to_owned(),
            meaning: meaning.into(),
            to_do: None,
        }
    }

    /// Returns this row as one that is a fact and no more.
    pub(super) fn told(self) -> Self {
        Self { state: State::Told, ..self }
    }

    /// Returns this row as one on which a guarantee hangs.
    pub(super) fn guarantees(self) -> Self {
        match self.state {
            State::Less => Self { state: State::Lacks, holds: Some(false), ..self },
            State::There | State::Lacks | State::Told => Self { holds: Some(true), ..self },
        }
    }

    /// Returns this row unless the mechanism is missing: then what holds without it, and what to do.
    pub(super) fn or_without(
        self,
        there: bool,
        meaning: impl Into<String>,
        to_do: impl Into<String>,
    ) -> Self {
        match there {
            true => self,
            false => Self { state: State::Less, meaning: meaning.into(), to_do: Some(to_do.into()), ..self },
        }
    }
}

/// Says whether something is there, where no more is to be said of it.
pub(super) fn has(there: bool) -> &'static str {
    if there { "there" } else { "not there" }
}
