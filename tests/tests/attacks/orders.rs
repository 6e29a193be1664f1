//! What `evil` is told to do, and what comes of it.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::thread;
use std::time::Duration;

use bailiwick_tests::harness::{LONGEST, Process, Watchdog, wait_until};
use nix::libc::c_long;

/// A connection to hostile code that does what it is told.
pub(crate) struct Evil {
    stream: BufReader<UnixStream>,
    process: Process,
}

/// What came of an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// It was carried out.
    Did(String),
    /// It was refused with this error.
    Refused(String),
    /// Whoever was to carry it out is dead.
    Died,
}

/// One thing to try.
#[derive(Clone, Debug)]
pub(crate) struct Attack {
    name: String,
    order: String,
}

impl Attack {
    /// A system call.
    pub(crate) fn call(name: impl Into<String>, number: c_long, arguments: &[Arg]) -> Self {
        Self { name: name.into(), order: call(number, arguments) }
    }

    /// To open a path.
    pub(crate) fn open(path: impl AsRef<Path>, flags: i32) -> Self {
        let path = path.as_ref();
        let name = format!("open {} with {flags:#o}", path.display());
        Self::call(name, nix::libc::SYS_openat, &[AT_FDCWD, path.into(), flags.into(), 0o600.into()])
    }

    /// With one more argument.
    pub(crate) fn with(mut self, more: Arg) -> Self {
        self.order = format!("{} {}", self.order, more.word());
        self
    }

    /// Returns what it is.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Returns what is ordered.
    pub(crate) fn order(&self) -> &str {
        &self.order
    }

    /// The same, by a child process.
    pub(crate) fn by_a_child(mut self) -> Self {
        self.order.insert_str(0, "child ");
        self
    }
}

/// An argument of a system call.
#[derive(Clone, Debug)]
pub(crate) enum Arg {
    Number(i64),
    /// A pointer to these bytes.
    Bytes(Vec<u8>),
    /// A pointer to room of this size.
    Room(usize),
}

impl Evil {
    /// Connects, as soon as somebody listens.
    #[track_caller]
    pub(crate) fn at(path: &Path, pid: u32) -> Self {
        let watchdog = Watchdog::start();
        let stream = loop {
            match UnixStream::connect(path) {
                Ok(stream) => break stream,
                Err(error) => assert!(!watchdog.barks(), "{}: {error}", path.display()),
            }
            thread::park_timeout(Duration::from_millis(2));
        };
        stream.set_read_timeout(Some(LONGEST)).expect("a socket");
        Self { stream: BufReader::new(stream), process: Process(pid) }
    }

    /// Waits until its runtime waits: what it was woken for before it has come to.
    #[track_caller]
    pub(crate) fn wait_for_rest(&self) {
        wait_until("the runtime of evil to rest", || {
            let state = self.process.status().remove("State").unwrap_or_default();
            !state.starts_with(['R', 'D'])
        });
    }

    /// Has an order carried out.
    #[track_caller]
    pub(crate) fn order(&mut self, order: &str) -> Answer {
        let mut answer = String::new();
        let sent = self.stream.get_mut().write_all(format!("{order}\n").as_bytes());
        if sent.is_err() {
            return Answer::Died;
        }
        match self.stream.read_line(&mut answer) {
            Ok(0) => Answer::Died,
            Ok(_) => match answer.trim_end().strip_prefix("ok") {
                Some(result) => Answer::Did(result.trim().to_owned()),
                None => Answer::Refused(answer.trim_end().to_owned()),
            },
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => Answer::Died,
            Err(error) => panic!("no answer to {order}: {error}"),
        }
    }

    /// Orders what may leave nobody to answer.
    pub(crate) fn tell(&mut self, order: &str) {
        self.stream.get_mut().write_all(format!("{order}\n").as_bytes()).expect("it listens");
    }

    /// Makes a system call.
    #[track_caller]
    pub(crate) fn call(&mut self, number: c_long, arguments: &[Arg]) -> Answer {
        self.order(&call(number, arguments))
    }

    /// Puts bytes into its memory and returns their address.
    #[track_caller]
    pub(crate) fn place(&mut self, bytes: &[u8]) -> i64 {
        self.order(&format!("place {}", hex(bytes))).number()
    }

    /// Returns what is in its memory.
    #[track_caller]
    pub(crate) fn peek(&mut self, address: i64, size: usize) -> Vec<u8> {
        let Answer::Did(text) = self.order(&format!("peek {address} {size}")) else {
            panic!("no memory there")
        };
        let byte = |at: usize| u8::from_str_radix(&text[at..at + 2], 16).expect("hex");
        (0..text.len()).step_by(2).map(byte).collect()
    }

    /// Changes what is in its memory.
    #[track_caller]
    pub(crate) fn poke(&mut self, address: i64, bytes: &[u8]) {
        self.order(&format!("poke {address} {}", hex(bytes)));
    }

    /// Makes one attempt.
    #[track_caller]
    pub(crate) fn attempt(&mut self, attack: &Attack) -> Answer {
        self.order(&attack.order)
    }

    /// Makes each attempt, whether or not one succeeds.
    #[track_caller]
    pub(crate) fn each(&mut self, attacks: &[Attack]) -> Vec<(String, Answer)> {
        attacks.iter().map(|attack| (attack.name.clone(), self.attempt(attack))).collect()
    }

    /// Opens a path.
    #[track_caller]
    pub(crate) fn open(&mut self, path: impl AsRef<Path>, flags: i32) -> Answer {
        self.call(nix::libc::SYS_openat, &[AT_FDCWD, Arg::from(path.as_ref()), flags.into(), 0o600.into()])
    }
}

/// The folder that relative paths start from.
pub(crate) const AT_FDCWD: Arg = Arg::Number(nix::libc::AT_FDCWD as i64);

/// The order that makes a system call.
pub(crate) fn call(number: c_long, arguments: &[Arg]) -> String {
    let words: Vec<_> = arguments.iter().map(Arg::word).collect();
    format!("call {number} {}", words.join(" ")).trim_end().to_owned()
}

impl Answer {
    /// Returns the number that a call returned.
    #[track_caller]
    pub(crate) fn number(&self) -> i64 {
        let Self::Did(text) = self else { panic!("it was to succeed: {self:?}") };
        let first = text.split(' ').next().unwrap_or_default();
        first.parse().unwrap_or_else(|_| panic!("no number: {text}"))
    }

    /// Tells whether it was refused with one of these errors.
    pub(crate) fn is_refused(&self, errors: &[&str]) -> bool {
        matches!(self, Self::Refused(error) if errors.contains(&error.as_str()))
    }

    /// Tells whether it was carried out.
    pub(crate) fn did(&self) -> bool {
        matches!(self, Self::Did(_))
    }
}

impl Arg {
    fn word(&self) -> String {
        match self {
            Self::Number(number) => format!("n{number}"),
            Self::Bytes(bytes) => format!("b{}", hex(bytes)),
            Self::Room(size) => format!("r{size}"),
        }
    }
}

impl From<i32> for Arg {
    fn from(number: i32) -> Self {
        Self::Number(number.into())
    }
}

impl From<u32> for Arg {
    fn from(number: u32) -> Self {
        Self::Number(number.into())
    }
}

impl From<i64> for Arg {
    fn from(number: i64) -> Self {
        Self::Number(number)
    }
}

impl From<&Path> for Arg {
    fn from(path: &Path) -> Self {
        Self::from(path.to_str().expect("the paths of tests are text"))
    }
}

impl From<&str> for Arg {
    fn from(text: &str) -> Self {
        Self::Bytes([text.as_bytes(), b"\0"].concat())
    }
}

impl From<Process> for Arg {
    fn from(process: Process) -> Self {
        Self::Number(process.0.into())
    }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
