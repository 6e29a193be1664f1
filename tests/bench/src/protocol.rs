//! What the echoing worker does, for two processes and for one.

use std::hash::{BuildHasher, RandomState};

use bailiwick::prelude::*;

use crate::cost::Call;
use crate::workload::Note;

/// What the echoing worker does.
#[protocol]
pub trait Echo {
    /// Returns the note.
    async fn echo(&mut self, note: Note) -> Note;
    /// Counts the note.
    async fn tell(&mut self, note: Note);
    /// Returns how many notes were counted, and starts again at zero.
    async fn told(&mut self) -> u64;
    /// Returns the process's number.
    async fn process(&mut self) -> u32;
    /// Returns a number that is another one in each life.
    async fn life(&mut self) -> u64;
    /// Makes a system call so often, and returns how many nanoseconds that took.
    async fn time(&mut self, call: Call, count: u32) -> u64;
}

/// Echoes and counts.
#[derive(Default)]
pub struct Echoing {
    told: u64,
    /// Seeded by the kernel when the actor was made.
    life: RandomState,
}

impl Echo for Echoing {
    async fn echo(&mut self, note: Note) -> Note {
        note
    }

    async fn tell(&mut self, _note: Note) {
        self.told += 1;
    }

    async fn told(&mut self) -> u64 {
        std::mem::take(&mut self.told)
    }

    async fn process(&mut self) -> u32 {
        std::process::id()
    }

    async fn life(&mut self) -> u64 {
        self.life.hash_one(())
    }

    async fn time(&mut self, call: Call, count: u32) -> u64 {
        call.time(count)
    }
}
