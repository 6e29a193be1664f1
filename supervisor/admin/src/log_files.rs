//! Lines in the files of a folder, which take so many bytes of the disk and no more.
//!
//! | file | holds |
//! | --- | --- |
//! | `log.jsonl` | the latest lines |
//! | `log.jsonl.1`, `log.jsonl.2`, … | those before, the oldest in the file of the highest number |
//!
//! A line is in one file, whole. Each file begins with a line that says which supervisor numbers the lines after it, so that whoever
//! goes on after a crash knows from the files alone how far they are. Nothing in them is believed beyond that, and a last line
//! without an end is cut off.
//!
//! What cannot be written was not: the file is cut to what it was, and [`LogFiles::last`] says which line to go on after.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::json::SCHEMA_VERSION;

/// The file with the latest lines.
const NAME: &str = "log.jsonl";
/// No line is as long as this.
const LINE_BYTES_MAX: u64 = 1 << 20;
/// How lines begin that are about a supervisor, and those that have a number.
const RUN: &[u8] = b"{\"schema_version\":1,\"run\":";
const NUMBER: &[u8] = b"{\"schema_version\":1,\"number\":";

/// How much the files may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bounds {
    /// The bytes of each.
    pub(crate) bytes: u64,
    /// How many there are, with the latest.
    pub(crate) files: u32,
}

/// A supervisor, which numbers lines from 1.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Run {
    pub(crate) pid: u32,
    /// When it began, for people: the clock may have been set since.
    pub(crate) started: String,
    /// The same on the clock that is never set.
    pub(crate) started_mono_ns: u64,
}

/// How far the files are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) run: Run,
    /// The number of the last line; 0 before the first.
    pub(crate) last: u64,
    /// When it was printed, if the line says so.
    pub(crate) at_mono_ns: Option<u64>,
}

/// The files.
#[derive(Debug)]
pub(crate) struct LogFiles {
    folder: PathBuf,
    bounds: Bounds,
    /// What each file begins with.
    head: Vec<u8>,
    file: File,
    /// The bytes of the latest, all of them whole lines.
    length: u64,
    /// What is to be written next, and the number of its last line.
    waits: Vec<u8>,
    waits_last: u64,
    last: u64,
}

/// The line that says whose numbers follow.
#[derive(Serialize)]
struct Head<'a> {
    schema_version: u32,
    run: &'a Run,
}

/// What a line is read for.
#[derive(Deserialize)]
struct Mark {
    number: Option<u64>,
    time_mono_ns: Option<u64>,
    run: Option<Run>,
}

/// What was found in one file.
#[derive(Default)]
struct Scanned {
    run: Option<Run>,
    last: Option<(u64, Option<u64>)>,
    /// The bytes of its whole lines.
    length: u64,
}

impl LogFiles {
    /// Opens the files in a folder, which must be there, and returns how far they are. Blocks.
    ///
    /// # Errors
    /// Those of the file system; `InvalidInput` if something else has the name of the file.
    pub(crate) fn open(folder: &Path, bounds: Bounds) -> io::Result<(Self, Option<Found>)> {
        let path = folder.join(NAME);
        if fs::symlink_metadata(&path).is_ok_and(|found| !found.is_file()) {
            let text = format!("{} is no file: remove it", path.display());
            return Err(io::Error::new(ErrorKind::InvalidInput, text));
        }
        let found = found(folder, bounds)?;
        let file = OpenOptions::new().append(true).create(true).open(&path)?;
        let length = scan(&path)?.unwrap_or_default().length;
        file.set_len(length)?;
        let (folder, head, waits) = (folder.to_owned(), Vec::new(), Vec::new());
        Ok((Self { folder, bounds, head, file, length, waits, waits_last: 0, last: 0 }, found))
    }

    /// Begins with the lines of a supervisor, or goes on with them after the one of this number. Blocks.
    ///
    /// # Errors
    /// Those of the file system.
    pub(crate) fn begin(&mut self, run: &Run, last: u64) -> io::Result<()> {
        let head = Head { schema_version: SCHEMA_VERSION, run };
        self.head = crate::json::line(&head).into_bytes();
        (self.last, self.waits_last) = (last, last);
        if last == 0 && self.length > 0 {
            // Where there is no room for it the next file has it anyhow.
            self.waits.clone_from(&self.head);
            self.flush()?;
        }
        Ok(())
    }

    /// Returns the number of the last line that is written.
    pub(crate) fn last(&self) -> u64 {
        self.last
    }

    /// Adds a line with its end, and returns whether it is one that a file can hold. It is written by [`Self::flush`] at the latest.
    /// Blocks.
    ///
    /// # Errors
    /// Those of the file system.
    pub(crate) fn put(&mut self, number: u64, line: &str) -> io::Result<bool> {
        let bytes = |parts: usize| parts as u64;
        if bytes(self.head.len() + line.len()) > self.bounds.bytes {
            return Ok(false);
        }
        if self.length + bytes(self.waits.len() + line.len()) > self.bounds.bytes {
            self.flush()?;
            self.rotate()?;
        }
        if self.length == 0 && self.waits.is_empty() {
            self.waits.clone_from(&self.head);
        }
        self.waits.extend(line.as_bytes());
        self.waits_last = number;
        Ok(true)
    }

    /// Writes what was added. Blocks.
    ///
    /// # Errors
    /// Those of the file system. Then nothing of it is written.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        let waits = std::mem::take(&mut self.waits);
        let last = std::mem::replace(&mut self.waits_last, self.last);
        // Something may be left of what could not be written before.
        self.file.set_len(self.length)?;
        if let Err(error) = self.file.write_all(&waits) {
            let _ = self.file.set_len(self.length);
            return Err(error);
        }
        self.length += waits.len() as u64;
        (self.last, self.waits_last) = (last, last);
        Ok(())
    }

    /// Begins a file, and removes the oldest if there are too many.
    fn rotate(&mut self) -> io::Result<()> {
        let oldest = self.bounds.files.saturating_sub(1);
        is_gone(fs::remove_file(path(&self.folder, oldest)))?;
        for number in (0..oldest).rev() {
            is_gone(fs::rename(path(&self.folder, number), path(&self.folder, number + 1)))?;
        }
        self.file = OpenOptions::new().append(true).create(true).open(path(&self.folder, 0))?;
        self.length = 0;
        Ok(())
    }
}

/// Returns the file of a number, 0 for the latest.
fn path(folder: &Path, number: u32) -> PathBuf {
    folder.join(if number == 0 { NAME.to_owned() } else { format!("{NAME}.{number}") })
}

/// Takes it for no error that there is no such file.
fn is_gone(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// Returns how far the files are; `None` if they do not say.
fn found(folder: &Path, bounds: Bounds) -> io::Result<Option<Found>> {
    let mut latest: Option<Run> = None;
    for number in 0..bounds.files {
        let Some(Scanned { run, last, .. }) = scan(&path(folder, number))? else { continue };
        if latest.is_some() && run.is_some() && latest != run {
            break;
        }
        latest = latest.or(run);
        if let (Some(run), Some((last, at_mono_ns))) = (&latest, last) {
            return Ok(Some(Found { run: run.clone(), last, at_mono_ns }));
        }
    }
    Ok(latest.map(|run| Found { run, last: 0, at_mono_ns: None }))
}

/// Reads a file, if there is one, for its last supervisor and the number of its last line.
fn scan(path: &Path) -> io::Result<Option<Scanned>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let (mut reader, mut line, mut at) = (BufReader::new(file), Vec::new(), 0);
    let (mut scanned, mut last, mut is_inside) = (Scanned::default(), None, false);
    loop {
        line.clear();
        let read = reader.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', &mut line)?;
        if read == 0 {
            break;
        }
        at += read as u64;
        let is_end = line.last() == Some(&b'\n');
        // The rest of what is too long for a line is none either.
        let is_line = is_end && !std::mem::replace(&mut is_inside, !is_end);
        if is_end {
            scanned.length = at;
        }
        if is_line && line.starts_with(RUN) {
            if let Some(run) = mark(&line).and_then(|mark| mark.run) {
                (scanned.run, last) = (Some(run), None);
            }
        } else if is_line && line.starts_with(NUMBER) {
            last = Some(std::mem::take(&mut line));
        }
    }
    let last = last.and_then(|line| mark(&line));
    scanned.last = last.and_then(|mark| Some((mark.number?, mark.time_mono_ns)));
    Ok(Some(scanned))
}

fn mark(line: &[u8]) -> Option<Mark> {
    serde_json::from_slice(line).ok()
}

#[cfg(test)]
mod tests;
