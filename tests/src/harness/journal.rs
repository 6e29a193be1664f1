//! What a supervisor printed, line by line, and waiting for a line.

use std::fmt::Write;
use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::Watchdog;

/// The pause from one look at a condition to the next.
const GLANCE: Duration = Duration::from_millis(10);

/// The pause from one look at the watchdog to the next.
const LOOK: Duration = Duration::from_secs(1);

/// What a pipe holds at most.
const PIPE: usize = 64 << 10;

/// What a pilot prints of an answer.
const ANSWERED: &str = " ok after ";

/// One line.
#[derive(Clone, Debug)]
pub struct Line {
    /// When it was read.
    pub at: Instant,
    /// What it says, without colours and its end.
    pub text: String,
}

/// All lines so far, of standard output and standard error in the order in which they were read.
#[derive(Clone, Debug, Default)]
pub struct Journal {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    lines: Mutex<Vec<Line>>,
    more: Condvar,
    /// Streams that have not ended.
    open: AtomicUsize,
    streams: Mutex<Vec<Stream>>,
}

/// A stream that is read, each time with the lines locked.
#[derive(Debug)]
struct Stream {
    fd: OwnedFd,
    reads: Arc<AtomicUsize>,
}

impl Stream {
    /// Returns whether something was written that was not read yet.
    fn has_more(&self) -> bool {
        poll(&mut [PollFd::new(self.fd.as_fd(), PollFlags::POLLIN)], PollTimeout::ZERO).is_ok_and(|n| n > 0)
    }
}

impl Journal {
    /// Reads `stream` until its end, on a thread of its own.
    ///
    /// # Panics
    /// If no descriptor is left.
    pub fn follow(&self, mut stream: impl Read + AsFd + Send + 'static) {
        let journal = self.clone();
        let reads = Arc::new(AtomicUsize::new(0));
        let fd = stream.as_fd().try_clone_to_owned().expect("there are descriptors left");
        self.streams().push(Stream { fd, reads: reads.clone() });
        self.shared.open.fetch_add(1, Ordering::SeqCst);
        thread::spawn(move || {
            let (mut bytes, mut rest) = (vec![0; PIPE], Vec::new());
            loop {
                if poll(&mut [PollFd::new(stream.as_fd(), PollFlags::POLLIN)], PollTimeout::NONE).is_err() {
                    continue;
                }
                let mut lines = journal.lines();
                let read = stream.read(&mut bytes).unwrap_or(0);
                reads.fetch_add(1, Ordering::SeqCst);
                let whole = bytes[..read].split_inclusive(|byte| *byte == b'\n');
                for piece in whole {
                    rest.extend_from_slice(piece);
                    if piece.ends_with(b"\n") {
                        lines.push(Line::of(&std::mem::take(&mut rest)));
                    }
                }
                if read == 0 {
                    lines.extend((!rest.is_empty()).then(|| Line::of(&rest)));
                    journal.streams().retain(|other| !Arc::ptr_eq(&other.reads, &reads));
                    break;
                }
                drop(lines);
                journal.shared.more.notify_all();
            }
            journal.shared.open.fetch_sub(1, Ordering::SeqCst);
            journal.shared.more.notify_all();
        });
    }

    /// Waits until every stream has ended, so that nothing more will be printed.
    ///
    /// # Panics
    /// If the watchdog barks first.
    #[track_caller]
    pub fn wait_for_end(&self) {
        self.wait_until("the end of the output", |_| {
            (self.shared.open.load(Ordering::SeqCst) == 0).then_some(())
        });
    }

    /// Returns the number of lines so far: where a later wait may begin.
    pub fn len(&self) -> usize {
        self.lines().len()
    }

    /// Returns whether nothing was printed yet.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the lines from number `from` on, with everything that was written until now.
    pub fn since(&self, from: usize) -> Vec<Line> {
        let mut lines = self.lines();
        let behind: Vec<_> = self
            .streams()
            .iter()
            .filter(|stream| stream.has_more())
            .map(|stream| (stream.reads.clone(), stream.reads.load(Ordering::SeqCst)))
            .collect();
        let is_behind = |(reads, before): &(Arc<AtomicUsize>, usize)| reads.load(Ordering::SeqCst) == *before;
        while behind.iter().any(is_behind) {
            lines = self.shared.more.wait_timeout(lines, GLANCE).unwrap_or_else(PoisonError::into_inner).0;
        }
        lines.get(from..).unwrap_or_default().to_vec()
    }

    /// Returns the last lines, up to so many, without the answers that pilots count.
    pub fn end(&self, lines: usize) -> String {
        let told = self.since(0);
        let telling: Vec<_> =
            told.iter().map(|line| &line.text).filter(|text| !text.contains(ANSWERED)).collect();
        telling[telling.len().saturating_sub(lines)..]
            .iter()
            .fold(String::new(), |end, text| end + text + "\n")
    }

    /// Waits for a line that contains `text`, from line number `from` on.
    ///
    /// # Panics
    /// If the watchdog barks first.
    #[track_caller]
    pub fn wait_for(&self, from: usize, text: &str) -> Line {
        let watchdog = Watchdog::start();
        let mut looked_at = from;
        let mut lines = self.lines();
        loop {
            let fresh = lines.get(looked_at..).unwrap_or_default();
            if let Some(line) = fresh.iter().find(|line| line.text.contains(text)) {
                return line.clone();
            }
            looked_at = looked_at.max(lines.len());
            if watchdog.barks() {
                drop(lines);
                panic!("waited {:?} for a line with {text:?}; so far:\n{self}", watchdog.waited());
            }
            lines = self.shared.more.wait_timeout(lines, LOOK).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Waits until `found` finds what it looks for, in the lines or elsewhere. It is asked again every few milliseconds
    /// and not at each line, so that a chatty supervisor is not asked so often that the asking slows it down.
    ///
    /// # Panics
    /// If the watchdog barks first.
    #[track_caller]
    pub fn wait_until<T>(&self, what: &str, mut found: impl FnMut(&[Line]) -> Option<T>) -> T {
        let watchdog = Watchdog::start();
        loop {
            // Looked at without the lock, since the condition may take its time.
            let lines = self.lines().clone();
            if let Some(found) = found(&lines) {
                return found;
            }
            assert!(!watchdog.barks(), "waited {:?} for {what}; so far:\n{self}", watchdog.waited());
            let glance = self.shared.more.wait_timeout_while(self.lines(), GLANCE, |_| true);
            drop(glance.unwrap_or_else(PoisonError::into_inner));
        }
    }

    fn lines(&self) -> MutexGuard<'_, Vec<Line>> {
        self.shared.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn streams(&self) -> MutexGuard<'_, Vec<Stream>> {
        self.shared.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Line {
    fn of(bytes: &[u8]) -> Self {
        Self { at: Instant::now(), text: String::from_utf8_lossy(bytes).trim_end().to_owned() }
    }
}

impl std::fmt::Display for Journal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.lines().iter().try_for_each(|line| {
            f.write_str("    ")?;
            f.write_str(&line.text)?;
            f.write_char('\n')
        })
    }
}
