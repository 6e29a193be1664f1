//! What a supervisor printed, line by line, and waiting for a line.

use std::fmt::Write;
use std::io::{BufRead, BufReader, Read};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// The watchdog of every wait: far longer than anything here takes, even on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// The pause from one look at a condition to the next.
const GLANCE: Duration = Duration::from_millis(10);

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
}

impl Journal {
    /// Reads `stream` until its end, on a thread of its own.
    pub fn follow(&self, stream: impl Read + Send + 'static) {
        let journal = self.clone();
        self.shared.open.fetch_add(1, Ordering::SeqCst);
        thread::spawn(move || {
            let mut stream = BufReader::new(stream);
            let mut bytes = Vec::new();
            while stream.read_until(b'\n', &mut bytes).is_ok_and(|read| read > 0) {
                let text = String::from_utf8_lossy(&bytes).trim_end().to_owned();
                bytes.clear();
                journal.lines().push(Line { at: Instant::now(), text });
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

    /// Returns the lines from number `from` on.
    pub fn since(&self, from: usize) -> Vec<Line> {
        self.lines().get(from..).unwrap_or_default().to_vec()
    }

    /// Waits for a line that contains `text`, from line number `from` on.
    ///
    /// # Panics
    /// If the watchdog barks first.
    #[track_caller]
    pub fn wait_for(&self, from: usize, text: &str) -> Line {
        let until = Instant::now() + PATIENCE;
        let mut looked_at = from;
        let mut lines = self.lines();
        loop {
            let fresh = lines.get(looked_at..).unwrap_or_default();
            if let Some(line) = fresh.iter().find(|line| line.text.contains(text)) {
                return line.clone();
            }
            looked_at = looked_at.max(lines.len());
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                drop(lines);
                panic!("waited {PATIENCE:?} for a line with {text:?}; so far:\n{self}");
            }
            lines = self.shared.more.wait_timeout(lines, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Waits until `found` finds what it looks for, in the lines or elsewhere. It is asked again every few milliseconds
    /// and not at each line, so that a chatty supervisor is not asked so often that the asking slows it down.
    ///
    /// # Panics
    /// If the watchdog barks first.
    #[track_caller]
    pub fn wait_until<T>(&self, what: &str, mut found: impl FnMut(&[Line]) -> Option<T>) -> T {
        let until = Instant::now() + PATIENCE;
        loop {
            // Looked at without the lock, since the condition may take its time.
            let lines = self.lines().clone();
            if let Some(found) = found(&lines) {
                return found;
            }
            assert!(Instant::now() < until, "waited {PATIENCE:?} for {what}; so far:\n{self}");
            let glance = self.shared.more.wait_timeout_while(self.lines(), GLANCE, |_| true);
            drop(glance.unwrap_or_else(PoisonError::into_inner));
        }
    }

    fn lines(&self) -> MutexGuard<'_, Vec<Line>> {
        self.shared.lines.lock().unwrap_or_else(PoisonError::into_inner)
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
