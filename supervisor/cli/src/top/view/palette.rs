//! How things look, with colours and without.

use bailiwick_supervisor::control::State;
use ratatui::style::{Color, Modifier, Style};

/// Whether there are colours. What is told by one is told in words as well.
#[derive(Clone, Copy, Debug)]
pub(in crate::top) struct Palette {
    pub(in crate::top) is_coloured: bool,
}

impl Palette {
    fn coloured(self, color: Color) -> Style {
        if self.is_coloured { Style::new().fg(color) } else { Style::new() }
    }

    pub(super) fn plain(self) -> Style {
        Style::new()
    }

    pub(super) fn title(self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    pub(super) fn names(self) -> Style {
        self.coloured(Color::Green).add_modifier(Modifier::REVERSED)
    }

    /// The name of the column that is sorted by.
    pub(super) fn sorted(self) -> Style {
        self.coloured(Color::Cyan).add_modifier(Modifier::REVERSED | Modifier::BOLD)
    }

    /// Whatever else it is: what is selected looks the same everywhere.
    pub(super) fn selected(self) -> Style {
        Style::new().add_modifier(Modifier::REVERSED)
    }

    pub(super) fn warning(self) -> Style {
        self.coloured(Color::Yellow)
    }

    pub(super) fn alert(self) -> Style {
        self.coloured(Color::Red).add_modifier(Modifier::BOLD)
    }

    pub(super) fn question(self) -> Style {
        self.coloured(Color::Cyan).add_modifier(Modifier::BOLD)
    }

    pub(super) fn key(self) -> Style {
        self.coloured(Color::Cyan).add_modifier(Modifier::BOLD)
    }

    pub(super) fn group(self) -> Style {
        self.coloured(Color::Blue).add_modifier(Modifier::BOLD)
    }

    /// The same colours as those of `status`.
    pub(super) fn state(self, state: State) -> Style {
        match state {
            State::Ready | State::Done => self.coloured(Color::Green),
            State::Failed => self.coloured(Color::Red).add_modifier(Modifier::BOLD),
            State::Stopped => Style::new().add_modifier(Modifier::DIM),
            _ => self.coloured(Color::Yellow),
        }
    }
}
