//! Keys, as far as they mean something here.

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

/// One press of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    Up,
    Down,
    Left,
    Right,
    PageUp,
    PageDown,
    Home,
    End,
    Tab,
    Enter,
    Escape,
    Backspace,
    Char(char),
    /// Control and a letter.
    Control(char),
}

impl Key {
    /// Returns the key that was pressed; nothing for one that means nothing, and for the release of one.
    pub(super) fn of(event: KeyEvent) -> Option<Self> {
        if event.kind == KeyEventKind::Release {
            return None;
        }
        if event.modifiers.contains(KeyModifiers::CONTROL) {
            return match event.code {
                KeyCode::Char(letter) => Some(Self::Control(letter.to_ascii_lowercase())),
                _ => None,
            };
        }
        match event.code {
            KeyCode::Up => Some(Self::Up),
            KeyCode::Down => Some(Self::Down),
            KeyCode::Left => Some(Self::Left),
            KeyCode::Right => Some(Self::Right),
            KeyCode::PageUp => Some(Self::PageUp),
            KeyCode::PageDown => Some(Self::PageDown),
            KeyCode::Home => Some(Self::Home),
            KeyCode::End => Some(Self::End),
            KeyCode::Tab => Some(Self::Tab),
            KeyCode::Enter => Some(Self::Enter),
            KeyCode::Esc => Some(Self::Escape),
            KeyCode::Backspace => Some(Self::Backspace),
            KeyCode::Char(letter) => Some(Self::Char(letter)),
            _ => None,
        }
    }

    /// Returns what the key does where nothing is typed: letters move as in `less`.
    pub(super) fn moves(self) -> Self {
        match self {
            Self::Char('j') => Self::Down,
            Self::Char('k') => Self::Up,
            Self::Char('g') => Self::Home,
            Self::Char('G') => Self::End,
            Self::Char(' ') | Self::Control('f') => Self::PageDown,
            Self::Control('b') => Self::PageUp,
            other => other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_move_control_is_told_apart_and_a_release_is_no_press() {
        let of = |code, modifiers| Key::of(KeyEvent::new(code, modifiers));
        assert_eq!(of(KeyCode::Char('G'), KeyModifiers::SHIFT).map(Key::moves), Some(Key::End));
        assert_eq!(of(KeyCode::Char('c'), KeyModifiers::CONTROL), Some(Key::Control('c')));
        assert_eq!(of(KeyCode::F(1), KeyModifiers::NONE), None);
        let released = KeyEvent::new_with_kind(KeyCode::Enter, KeyModifiers::NONE, KeyEventKind::Release);
        assert_eq!(Key::of(released), None);
    }
}
