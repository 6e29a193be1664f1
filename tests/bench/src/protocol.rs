//! What the echoing worker does, for two processes and for one.

use std::hash::{BuildHasher, RandomState};

use bailiwick::prelude::*;

use crate::compare::payload;
use crate::cost::Call;
use crate::workload::{Note, Told};

/// What the echoing worker does.
#[protocol]
pub trait Echo {
    /// Returns the note.
    async fn echo(&mut self, note: Note) -> Note;
    /// Counts the note.
    async fn tell(&mut self, note: Note);
    /// Reads and counts bytes that may be shared with the sender.
    async fn give(&mut self, bytes: Blob);
    /// Reads and counts bytes that were copied on their way.
    async fn copy(&mut self, bytes: Vec<u8>);
    /// Returns what was counted, and starts again at zero.
    async fn told(&mut self) -> Told;
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
    told: Told,
    /// Seeded by the kernel when the actor was made.
    life: RandomState,
}

impl Echo for Echoing {
    async fn echo(&mut self, note: Note) -> Note {
        note
    }

    async fn tell(&mut self, note: Note) {
        self.told.add(note.number);
    }

    async fn give(&mut self, bytes: Blob) {
        self.told.add(payload::sum(&bytes));
    }

    async fn copy(&mut self, bytes: Vec<u8>) {
        self.told.add(payload::sum(&bytes));
    }

    async fn told(&mut self) -> Told {
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
