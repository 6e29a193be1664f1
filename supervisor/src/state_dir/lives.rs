//! The record of what lives: what the supervisor before wrote down is read and ended, what this one has is written.

use std::os::fd::BorrowedFd;

use bailiwick_core::time::Instant;
use bailiwick_sys::Failed;
use bailiwick_sys::small_file::{read, remove, rename, replace};
use bailiwick_sys::survivors::{boot_id, born, end_process, end_user};
use bailiwick_wire::state_record::{Life, STATE_BYTES_MAX, StateRecord, StateRecordError};

const FILE: &str = "lives";
const NEW: &str = "lives.new";
const DAMAGED: &str = "lives.damaged";

/// The record of this supervisor's processes.
#[derive(Debug)]
pub(crate) struct Lives {
    own: StateRecord,
    /// When it is to be written, if it is.
    pub(crate) due: Option<Instant>,
    /// That failed when it was tried last.
    pub(crate) failing: bool,
    /// The supervisor that wrote the last record, which an ordered end removes.
    pub(super) last_died: Option<u32>,
    /// What the operator should know of what was found.
    pub(super) found: Vec<String>,
    is_written: bool,
}

impl Lives {
    /// Ends whoever outlived the supervisor that ran here before. What it wrote and nobody can read is set aside.
    pub(super) fn succeed(folder: BorrowedFd<'_>) -> Result<Self, StateRecordError> {
        let pid = std::process::id();
        let supervisor = Life { pid, born: born(pid).unwrap_or_default(), user: None };
        let own = StateRecord { boot: boot_id(), supervisor, workers: Vec::new() };
        let (due, failing, found) = (None, false, Vec::new());
        let mut lives = Self { own, due, failing, last_died: None, found, is_written: false };
        let bytes = match read(folder, FILE, STATE_BYTES_MAX + 1) {
            Ok(Some(bytes)) => bytes,
            Ok(None) => return Ok(lives),
            Err(_) => Vec::new(),
        };
        match StateRecord::from_bytes(&bytes) {
            Ok(record) => lives.end(&record),
            Err(newer @ StateRecordError::Newer { .. }) => return Err(newer),
            Err(error) => {
                let _stays_until_it_is_written_over = rename(folder, FILE, DAMAGED);
                lives.found.push(format!("the record of what lived here is set aside as {DAMAGED}: {error}"));
            }
        }
        Ok(lives)
    }

    fn end(&mut self, record: &StateRecord) {
        self.last_died = Some(record.supervisor.pid);
        if record.boot != self.own.boot {
            return;
        }
        let mut ended = 0;
        for life in &record.workers {
            match end_process(life.pid, life.born) {
                Ok(found) => ended += usize::from(life.user.is_some_and(end_user) || found),
                Err(failed) => {
                    self.found.push(format!("process {} outlived its supervisor: {failed}", life.pid))
                }
            }
        }
        if ended > 0 {
            self.found.push(format!("what {ended} workers of it had left was killed"));
        }
    }

    /// Writes down what lives.
    pub(super) fn write(&mut self, folder: BorrowedFd<'_>, workers: Vec<Life>) -> Result<(), Failed> {
        self.own.workers = workers;
        replace(folder, FILE, NEW, &self.own.to_bytes())?;
        self.is_written = true;
        Ok(())
    }

    /// Removes the record, as nothing lives any more.
    pub(super) fn finish(&self, folder: BorrowedFd<'_>) {
        if self.is_written {
            remove(folder, FILE);
        }
    }
}
