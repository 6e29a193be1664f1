//! A program under supervision, watched from outside: what it says, and which processes it has.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// A running program. Dropping it ends the program with everything below it.
#[derive(Debug)]
pub(crate) struct Program {
    child: Child,
    journal: Arc<Journal>,
    readers: Vec<JoinHandle<()>>,
}

/// What a program has said so far, line by line.
#[derive(Debug, Default)]
pub(crate) struct Journal {
    said: Mutex<Said>,
    more: Condvar,
}

#[derive(Debug, Default)]
struct Said {
    lines: Vec<Line>,
    /// Streams that have ended.
    ended: usize,
}

/// One line, and when it was read.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) at: Instant,
    pub(crate) text: String,
}

/// Standard output and standard error.
const STREAMS: usize = 2;
/// What nothing here takes unless it hangs.
pub(crate) const WATCHDOG: Duration = Duration::from_secs(60);

impl Program {
    /// Starts `command` and reads all that it says.
    pub(crate) fn start(command: Command) -> Self {
        let mut command = ended_with_us(&command);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program starts");
        let journal = Arc::new(Journal::default());
        let out = child.stdout.take().map(|stream| read_lines(stream, &journal));
        let errors = child.stderr.take().map(|stream| read_lines(stream, &journal));
        Self { child, journal, readers: out.into_iter().chain(errors).collect() }
    }

    /// Returns the process of the supervisor.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Returns what the program says.
    pub(crate) fn journal(&self) -> &Arc<Journal> {
        &self.journal
    }

    /// Returns the instances of a worker that run now, and their processes. The first argument of each is its name.
    pub(crate) fn instances(&self, worker: &str) -> Vec<(String, u32)> {
        let named = |pid: u32| {
            let arguments = std::fs::read(format!("/proc/{pid}/cmdline")).ok()?;
            let first = arguments.split(|byte| *byte == 0).next()?;
            let instance = String::from_utf8_lossy(first).into_owned();
            (instance.split('.').next() == Some(worker)).then_some((instance, pid))
        };
        children(self.pid()).into_iter().filter_map(named).collect()
    }

    /// Sends a signal to the supervisor.
    pub(crate) fn signal(&self, signal: Signal) {
        kill(pid_of(self.pid()), signal).expect("the supervisor is our child and not waited for");
    }

    /// Waits until the program has ended, and returns how.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        for reader in self.readers.drain(..) {
            reader.join().expect("reading lines does not panic");
        }
        self.child.wait().expect("the program is our child")
    }

    /// Stops the program in order, and returns how it ended.
    pub(crate) fn stop(&mut self) -> ExitStatus {
        self.signal(Signal::SIGTERM);
        self.wait()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // All workers end with the supervisor, so this leaves nothing behind.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            let lines = self.journal.lines();
            let begin = lines.first().map(|line| line.at);
            eprintln!("the program said:");
            for line in &lines {
                let after = begin.map(|begin| line.at - begin).unwrap_or_default();
                eprintln!("  {after:8.3?} {}", line.text);
            }
        }
    }
}

impl Journal {
    /// Returns all lines so far.
    pub(crate) fn lines(&self) -> Vec<Line> {
        self.lock().lines.clone()
    }

    /// Waits for the first line at or behind position `from` of which `pick` makes something.
    pub(crate) fn wait_for<T>(&self, from: usize, pick: impl Fn(&str) -> Option<T>) -> T {
        let until = Instant::now() + WATCHDOG;
        let mut said = self.lock();
        let mut at = from;
        loop {
            while let Some(line) = said.lines.get(at) {
                if let Some(found) = pick(&line.text) {
                    return found;
                }
                at += 1;
            }
            let left = until.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "the line that was waited for did not come");
            assert!(said.ended < STREAMS, "the program ended before it said what was waited for");
            said = self.more.wait_timeout(said, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn add(&self, text: String) {
        self.lock().lines.push(Line { at: Instant::now(), text });
        self.more.notify_all();
    }

    fn end(&self) {
        self.lock().ended += 1;
        self.more.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Said> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Has the kernel end the program with the thread that starts it: a test that is killed leaves nothing either.
fn ended_with_us(command: &Command) -> Command {
    let mut ended = Command::new("setpriv");
    ended.args(["--pdeathsig", "KILL"]).arg(command.get_program()).args(command.get_args());
    ended.current_dir(command.get_current_dir().unwrap_or(Path::new(".")));
    ended
}

/// Returns the children of a process, ended ones that nobody waited for included.
pub(crate) fn children(pid: u32) -> Vec<u32> {
    let listed = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    listed.split_whitespace().filter_map(|child| child.parse().ok()).collect()
}

/// Copies an executable. Another process writes it: a file that this one wrote stays open for writing in whatever its other
/// threads fork meanwhile, and a file that is open for writing is not executed (ETXTBSY, execve(2)).
pub(crate) fn copy_program(from: &str, to: &Path) {
    let copied = Command::new("cp").arg("--").arg(from).arg(to).status();
    assert!(copied.is_ok_and(|status| status.success()), "{from} can be copied");
}

/// Kills one process.
pub(crate) fn kill_process(pid: u32) {
    let _ = kill(pid_of(pid), Signal::SIGKILL);
}

fn pid_of(pid: u32) -> Pid {
    Pid::from_raw(i32::try_from(pid).expect("process numbers are positive"))
}

fn read_lines(stream: impl Read + Send + 'static, journal: &Arc<Journal>) -> JoinHandle<()> {
    let journal = Arc::clone(journal);
    std::thread::spawn(move || {
        let lines = BufReader::new(stream).split(b'\n').map_while(Result::ok);
        lines.for_each(|line| journal.add(String::from_utf8_lossy(&line).into_owned()));
        journal.end();
    })
}
