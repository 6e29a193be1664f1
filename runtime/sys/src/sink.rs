//! Where people read: a stream of the supervisor that may be slow, full or gone.

use std::collections::VecDeque;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::stat::{Mode, SFlag, fstat};

/// What waits to be written at most; beyond that lines are dropped and counted.
const QUEUE_BYTES: usize = 256 << 10;

/// What a pipe that polls writable takes without blocking.
const ATOMIC_BYTES: usize = 4096;

/// A stream that never blocks and never fails: what it cannot take is counted.
#[derive(Debug)]
pub struct Sink {
    stream: Option<OwnedFd>,
    queue: VecDeque<u8>,
    dropped_lines: u64,
}

impl Sink {
    /// Returns a sink for the process's standard output.
    pub fn stdout() -> Self {
        Self::for_stream(std::io::stdout().as_fd())
    }

    /// Returns a sink for the process's standard error.
    pub fn stderr() -> Self {
        Self::for_stream(std::io::stderr().as_fd())
    }

    /// Returns a sink that writes to a description of `stream` of its own where that can block, so that making it
    /// non-blocking changes nothing for whoever shares the original.
    fn for_stream(stream: BorrowedFd<'_>) -> Self {
        let path = format!("/proc/self/fd/{}", stream.as_raw_fd());
        let flags = OFlag::O_WRONLY | OFlag::O_NONBLOCK | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
        // A file keeps the position that it shares with others. A socket cannot be reopened: the check before each
        // write stands in for the flag.
        let own = if is_file(stream) { None } else { open(path.as_str(), flags, Mode::empty()).ok() };
        match own.or_else(|| stream.try_clone_to_owned().ok()) {
            Some(stream) => Self::to(stream),
            None => Self { stream: None, queue: VecDeque::new(), dropped_lines: 0 },
        }
    }

    /// Returns a sink that writes to `stream`.
    pub fn to(stream: OwnedFd) -> Self {
        Self { stream: Some(stream), queue: VecDeque::new(), dropped_lines: 0 }
    }

    /// Queues lines, each as [`Self::line`] does.
    pub fn lines(&mut self, lines: &str, note: impl Fn(u64) -> String) {
        lines.split_inclusive('\n').for_each(|line| self.line(line, &note));
    }

    /// Queues one line, which has its end and is free of other control characters; before it, if any were dropped, what
    /// `note` says of so many.
    pub fn line(&mut self, line: &str, note: impl FnOnce(u64) -> String) {
        if self.stream.is_none() {
            return;
        }
        let note = (self.dropped_lines > 0).then(|| note(self.dropped_lines));
        let needed = line.len() + note.as_ref().map_or(0, String::len);
        if self.queue.len() + needed > QUEUE_BYTES {
            self.dropped_lines += 1;
            return;
        }
        if let Some(note) = note {
            self.dropped_lines = 0;
            self.queue.extend(note.bytes());
        }
        self.queue.extend(line.bytes());
    }

    /// Writes as much as the stream takes now. Returns whether something is left.
    pub fn flush(&mut self) -> bool {
        while !self.queue.is_empty() {
            let Some(stream) = self.stream.as_ref().filter(|stream| is_writable(stream.as_fd())) else {
                break;
            };
            let (front, _) = self.queue.as_slices();
            match nix::unistd::write(stream, &front[..front.len().min(ATOMIC_BYTES)]) {
                Ok(written) => drop(self.queue.drain(..written)),
                Err(Errno::EINTR) => {}
                Err(Errno::EAGAIN) => break,
                Err(_) => self.give_up(),
            }
        }
        !self.queue.is_empty()
    }

    /// Writes what is left, and waits for a slow reader up to `limit_ms` in all.
    pub fn finish(&mut self, limit_ms: u16) {
        let until = Instant::now() + Duration::from_millis(limit_ms.into());
        while self.flush() {
            let Some(stream) = &self.stream else { return };
            let left = until.saturating_duration_since(Instant::now());
            let mut polled = [PollFd::new(stream.as_fd(), PollFlags::POLLOUT)];
            let wait = PollTimeout::try_from(left).unwrap_or(PollTimeout::ZERO);
            if left.is_zero() || poll(&mut polled, wait).is_err() {
                return;
            }
        }
    }

    /// The reader is gone for good: nobody is left to be told.
    fn give_up(&mut self) {
        self.stream = None;
        self.queue.clear();
    }
}

fn is_file(stream: BorrowedFd<'_>) -> bool {
    let kind = |mode| SFlag::from_bits_truncate(mode) & SFlag::S_IFMT;
    fstat(stream).is_ok_and(|found| kind(found.st_mode) == SFlag::S_IFREG)
}

fn is_writable(stream: BorrowedFd<'_>) -> bool {
    let mut polled = [PollFd::new(stream, PollFlags::POLLOUT)];
    // An error shows by the write, so that only "not now" is left to mean no.
    !matches!(poll(&mut polled, PollTimeout::ZERO), Ok(0))
}
