//! Where people read: a stream of the supervisor that may be slow, full or gone.

use std::collections::VecDeque;
use std::io::IsTerminal;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::stat::{Mode, SFlag, fstat};

use crate::journal::{Journal, SOCKET, Sent, takes_both_streams};

/// What waits to be written at most; beyond that lines are dropped and counted.
const QUEUE_BYTES: usize = 256 << 10;

/// After how long a journal that was full is tried again when there is nothing else to do.
const JOURNAL_PAUSE: Duration = Duration::from_millis(10);

/// What a pipe that polls writable takes without blocking.
const ATOMIC_BYTES: usize = 4096;

/// Where it is written.
#[derive(Debug)]
enum Stream {
    Bytes(OwnedFd),
    /// Packets, each of which ends with an empty line in the queue.
    Entries(Journal),
}

/// Returns whether standard output is a terminal or the journal, which people read.
pub fn is_for_people() -> bool {
    std::io::stdout().is_terminal() || takes_both_streams()
}

/// A stream that never blocks and never fails: what it cannot take is counted.
#[derive(Debug)]
pub struct Sink {
    stream: Option<Stream>,
    queue: VecDeque<u8>,
    dropped_lines: u64,
}

impl Sink {
    /// Returns a sink for the process's standard output, or for the journal in its place.
    pub fn stdout(to_journal: bool) -> Self {
        if to_journal { Self::journal(SOCKET) } else { Self::for_stream(std::io::stdout().as_fd()) }
    }

    /// Returns a sink for the process's standard error, or for the journal in its place.
    pub fn stderr(to_journal: bool) -> Self {
        if to_journal { Self::journal(SOCKET) } else { Self::for_stream(std::io::stderr().as_fd()) }
    }

    /// Returns a sink for entries of the journal that listens there.
    fn journal(path: &str) -> Self {
        Self { stream: Journal::at(path).map(Stream::Entries), queue: VecDeque::new(), dropped_lines: 0 }
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
        Self { stream: Some(Stream::Bytes(stream)), queue: VecDeque::new(), dropped_lines: 0 }
    }

    /// Queues lines, each as [`Self::line`] does.
    pub fn lines(&mut self, lines: &str, note: impl Fn(u64) -> String) {
        lines.split_inclusive(self.end()).for_each(|line| self.line(line, &note));
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
        match &self.stream {
            Some(Stream::Entries(_)) => self.send(),
            _ => self.write(),
        }
        !self.queue.is_empty()
    }

    /// Returns what each line ends with.
    fn end(&self) -> &'static str {
        if matches!(self.stream, Some(Stream::Entries(_))) { "\n\n" } else { "\n" }
    }

    /// Sends entries. One that is refused is counted, as the journal may be there again for the next.
    fn send(&mut self) {
        while let Some(Stream::Entries(journal)) = &self.stream {
            let bytes = self.queue.make_contiguous();
            let Some(at) = bytes.windows(2).position(|two| two == b"\n\n") else { return };
            match journal.send(&bytes[..at + 2]) {
                Sent::Taken => {}
                Sent::Refused => self.dropped_lines += 1,
                Sent::Full => return,
            }
            self.queue.drain(..at + 2);
        }
    }

    fn write(&mut self) {
        while !self.queue.is_empty() {
            let Some(Stream::Bytes(stream)) = &self.stream else { break };
            if !is_writable(stream.as_fd()) {
                break;
            }
            let (front, _) = self.queue.as_slices();
            match nix::unistd::write(stream, &front[..front.len().min(ATOMIC_BYTES)]) {
                Ok(written) => drop(self.queue.drain(..written)),
                Err(Errno::EINTR) => {}
                Err(Errno::EAGAIN) => break,
                Err(_) => self.give_up(),
            }
        }
    }

    /// Writes what is left, and waits for a slow reader up to `limit_ms` in all.
    pub fn finish(&mut self, limit_ms: u16) {
        let until = Instant::now() + Duration::from_millis(limit_ms.into());
        while self.flush() {
            let left = until.saturating_duration_since(Instant::now());
            let mut polled = match &self.stream {
                Some(Stream::Bytes(stream)) => vec![PollFd::new(stream.as_fd(), PollFlags::POLLOUT)],
                // There is no telling when it takes the next one.
                Some(Stream::Entries(_)) => Vec::new(),
                None => return,
            };
            let left = if polled.is_empty() { left.min(JOURNAL_PAUSE) } else { left };
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

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixDatagram;

    use super::*;

    fn received(listens: &UnixDatagram) -> Vec<String> {
        listens.set_nonblocking(true).unwrap();
        let mut bytes = [0; 4096];
        let mut next = || {
            listens.recv(&mut bytes).ok().map(|length| String::from_utf8_lossy(&bytes[..length]).into_owned())
        };
        std::iter::from_fn(&mut next).collect()
    }

    #[test]
    fn each_entry_is_a_packet_and_those_that_were_refused_are_counted_in_the_next() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        let mut sink = Sink::journal(path.to_str().unwrap());
        let note = |lines: u64| format!("N={lines}\n\n");
        sink.lines("A=1\nB=2\n\nA=3\n\n", note);
        assert!(!sink.flush(), "nobody is waited for");
        let listens = UnixDatagram::bind(&path).unwrap();
        sink.lines("A=4\n\n", note);
        sink.line("A=5\n\n", note);
        assert!(!sink.flush());
        assert_eq!(received(&listens), ["N=2\n\n", "A=4\n\n", "A=5\n\n"]);
    }

    #[test]
    fn a_journal_that_is_full_holds_nobody_up_and_misses_what_is_counted() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        let listens = UnixDatagram::bind(&path).unwrap();
        let mut sink = Sink::journal(path.to_str().unwrap());
        let (entry, all) = (format!("A={}\n\n", "x".repeat(1000)), 1000);
        for _ in 0..all {
            sink.line(&entry, |lines| format!("N={lines}\n\n"));
            sink.flush();
        }
        sink.finish(30);
        assert!(sink.flush() && sink.queue.len() <= QUEUE_BYTES);
        let mut found = Vec::new();
        while sink.flush() {
            found.extend(received(&listens));
        }
        sink.line("A=last\n\n", |lines| format!("N={lines}\n\n"));
        assert!(!sink.flush());
        found.extend(received(&listens));
        let missed = found
            .iter()
            .filter_map(|entry| entry.strip_prefix("N=")?.trim().parse::<usize>().ok())
            .sum::<usize>();
        let taken = found.iter().filter(|one| **one == entry).count();
        assert!(missed > 0 && taken + missed == all, "{taken} and {missed} of {all}");
    }
}
