//! What the loop waits for, as the number under which the kernel reports it.

use crate::berth::Berth;
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
    Line(Berth),
    /// A worker's output.
    Output(Berth),
    /// A worker's process, readable once it has ended.
    Process(Berth),
    /// How a worker's start goes.
    Start(Berth),
    /// Whatever tells that nothing of a worker is left.
    Tree(Berth),
    /// The digest of an executable.
    Digest(u32),
    /// The snapshot of a process that does not get on.
    Snapshot(Berth),
    /// What a foreign program tells.
    Notice(Berth),
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
            Self::Line(berth) => (4, number_of(berth)),
            Self::Output(berth) => (5, number_of(berth)),
            Self::Process(berth) => (6, number_of(berth)),
            Self::Start(berth) => (7, number_of(berth)),
            Self::Tree(berth) => (8, number_of(berth)),
            Self::Digest(number) => (9, number),
            Self::Snapshot(berth) => (10, number_of(berth)),
            Self::Notice(berth) => (11, number_of(berth)),
            Self::Manifest => (20, 0),
            Self::Replacements => (21, 0),
        };
        kind << 32 | u64::from(number)
    }

    /// Returns what a number stands for; `None` if nothing.
    pub fn from_u64(token: u64) -> Option<Self> {
        let number = (token & u64::from(u32::MAX)) as u32;
        let child = || u16::try_from(number >> 1).ok().map(ChildId);
        let berth = || Some(Berth { child: child()?, is_second: number & 1 == 1 });
        Some(match token >> 32 {
            0 => Self::Signals,
            1 => Self::Timer,
            2 => Self::Listener,
            3 => Self::Connection(number),
            4 => Self::Line(berth()?),
            5 => Self::Output(berth()?),
            6 => Self::Process(berth()?),
            7 => Self::Start(berth()?),
            8 => Self::Tree(berth()?),
            9 => Self::Digest(number),
            10 => Self::Snapshot(berth()?),
            11 => Self::Notice(berth()?),
            20 => Self::Manifest,
            21 => Self::Replacements,
            _ => return None,
        })
    }
}

fn number_of(berth: Berth) -> u32 {
    u32::from(berth.child.0) << 1 | u32::from(berth.is_second)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_reads_back() {
        let berth = Berth::second(ChildId(u16::MAX));
        for token in [
            Token::Signals,
            Token::Timer,
            Token::Listener,
            Token::Connection(u32::MAX),
            Token::Line(berth),
            Token::Output(berth),
            Token::Process(berth),
            Token::Start(berth),
            Token::Tree(berth),
            Token::Digest(u32::MAX),
            Token::Snapshot(berth),
            Token::Notice(berth),
            Token::Manifest,
            Token::Replacements,
        ] {
            assert_eq!(Token::from_u64(token.to_u64()), Some(token));
        }
        assert_eq!(Token::from_u64(u64::MAX), None);
    }
}
