//! What the loop waits for, as the number under which the kernel reports it.

use crate::tree::ChildId;

/// One thing that the loop waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Token {
    /// A signal to the supervisor.
    Signals,
    /// The time that was set.
    Timer,
    /// Somebody connects to the control socket.
    Listener,
    /// One connection to it.
    Connection(u32),
    /// A worker's descriptor 3.
    Line(ChildId),
    /// A worker's output.
    Output(ChildId),
    /// A worker's process, readable once it has ended.
    Process(ChildId),
    /// How a worker's start goes.
    Start(ChildId),
    /// Whatever tells that nothing of a worker is left.
    Tree(ChildId),
    /// The digest of an executable.
    Digest(u32),
    /// The snapshot of a process that does not get on.
    Snapshot(ChildId),
    /// What a foreign program tells.
    Notice(ChildId),
    /// The manifest that is read again.
    Manifest,
    /// Executables that were replaced.
    Replacements,
}

impl Token {
    /// Returns the number.
    pub fn to_u64(self) -> u64 {
        let (kind, number) = match self {
            Self::Signals => (0, 0),
            Self::Timer => (1, 0),
            Self::Listener => (2, 0),
            Self::Connection(id) => (3, id),
            Self::Line(child) => (4, child.0.into()),
            Self::Output(child) => (5, child.0.into()),
            Self::Process(child) => (6, child.0.into()),
            Self::Start(child) => (7, child.0.into()),
            Self::Tree(child) => (8, child.0.into()),
            Self::Digest(number) => (9, number),
            Self::Snapshot(child) => (10, child.0.into()),
            Self::Notice(child) => (11, child.0.into()),
            Self::Manifest => (20, 0),
            Self::Replacements => (21, 0),
        };
        kind << 32 | u64::from(number)
    }

    /// Returns what a number stands for; `None` if nothing.
    pub fn from_u64(token: u64) -> Option<Self> {
        let number = (token & u64::from(u32::MAX)) as u32;
        let child = || u16::try_from(number).ok().map(ChildId);
        Some(match token >> 32 {
            0 => Self::Signals,
            1 => Self::Timer,
            2 => Self::Listener,
            3 => Self::Connection(number),
            4 => Self::Line(child()?),
            5 => Self::Output(child()?),
            6 => Self::Process(child()?),
            7 => Self::Start(child()?),
            8 => Self::Tree(child()?),
            9 => Self::Digest(number),
            10 => Self::Snapshot(child()?),
            11 => Self::Notice(child()?),
            20 => Self::Manifest,
            21 => Self::Replacements,
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_reads_back() {
        let child = ChildId(u16::MAX);
        for token in [
            Token::Signals,
            Token::Timer,
            Token::Listener,
            Token::Connection(u32::MAX),
            Token::Line(child),
            Token::Output(child),
            Token::Process(child),
            Token::Start(child),
            Token::Tree(child),
            Token::Digest(u32::MAX),
            Token::Snapshot(child),
            Token::Notice(child),
            Token::Manifest,
            Token::Replacements,
        ] {
            assert_eq!(Token::from_u64(token.to_u64()), Some(token));
        }
        assert_eq!(Token::from_u64(u64::MAX), None);
    }
}
