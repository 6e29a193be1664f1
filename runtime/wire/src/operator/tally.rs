//! What the supervisor only counts, for whoever asks how it stands.

use std::time::Duration;

use super::fields::{Reader, Writer};
use super::{Outcome, RecordError, ReloadMode};

/// What was counted since the supervisor began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Reloads of the manifest, by how they ended, in the order of [`ReloadEnd::ALL`].
    pub reloads: [u32; 4],
    /// The last of them did not end as it should: what runs is not all that the manifest says.
    pub is_outdated: bool,
    /// When a reload last took all of it, since 1970; `None` if none did, and what was read at the start holds.
    pub loaded_at: Option<Duration>,
    /// Processes whose own parents had ended before them, and whose ends the supervisor took.
    pub orphans: u64,
}

/// How a reload of the manifest ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
// Exhaustive: each is counted by itself.
pub enum ReloadEnd {
    /// All of it holds.
    Done,
    /// It would widen what workers may do, cannot be taken while this runs, or a worker does not take up what concerns it.
    Refused,
    /// The manifest is not acceptable.
    Invalid,
    /// It was not read, or not carried out, before the deadline.
    Unfinished,
}

impl ReloadEnd {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 4] = [Self::Done, Self::Refused, Self::Invalid, Self::Unfinished];

    /// Returns it in the word that metrics use.
    pub fn word(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Refused => "refused",
            Self::Invalid => "invalid",
            Self::Unfinished => "unfinished",
        }
    }

    fn of(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Done => Self::Done,
            Outcome::InvalidManifest => Self::Invalid,
            Outcome::TimedOut | Outcome::ShuttingDown => Self::Unfinished,
            _ => Self::Refused,
        }
    }
}

impl Tally {
    /// Counts a reload that ended like this, at a moment since 1970. One that only says what it would do is none.
    pub fn reloaded(&mut self, mode: ReloadMode, outcome: Outcome, wall: Duration) {
        if mode == ReloadMode::Plan {
            return;
        }
        let end = ReloadEnd::of(outcome);
        let count = &mut self.reloads[end as usize];
        *count = count.saturating_add(1);
        self.is_outdated = end != ReloadEnd::Done;
        self.loaded_at = if self.is_outdated { self.loaded_at } else { Some(wall) };
    }

    pub(super) fn write(&self, out: &mut Writer) {
        self.reloads.into_iter().for_each(|count| out.u32(count));
        out.u8(self.is_outdated.into());
        out.optional(self.loaded_at, Writer::duration);
        out.u64(self.orphans);
    }

    pub(super) fn read(from: &mut Reader<'_>) -> Result<Self, RecordError> {
        Ok(Self {
            reloads: std::array::from_fn(|_| from.u32()),
            is_outdated: from.flag("outdated")?,
            loaded_at: from.optional("loaded", Reader::plain_duration)?,
            orphans: from.u64(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Seen to fail without the look at the mode.
    #[test]
    fn a_reload_counts_by_its_end_and_a_plan_does_not() {
        let mut tally = Tally::default();
        let at = Duration::from_secs;
        tally.reloaded(ReloadMode::Plan, Outcome::Done, at(1));
        assert_eq!(tally, Tally::default());
        tally.reloaded(ReloadMode::Narrow, Outcome::Done, at(2));
        for (second, outcome) in [
            (3, Outcome::InvalidManifest),
            (4, Outcome::Refused),
            (5, Outcome::TimedOut),
            (6, Outcome::ShuttingDown),
        ] {
            tally.reloaded(ReloadMode::Widening, outcome, at(second));
            assert!(tally.is_outdated, "{outcome:?}");
        }
        assert_eq!((tally.reloads, tally.loaded_at), ([1, 1, 1, 2], Some(at(2))));
        tally.reloaded(ReloadMode::Narrow, Outcome::Done, at(7));
        assert_eq!((tally.reloads[0], tally.is_outdated, tally.loaded_at), (2, false, Some(at(7))));
        assert!(ReloadEnd::ALL.into_iter().enumerate().all(|(number, end)| end as usize == number));
    }
}
