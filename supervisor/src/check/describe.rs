//! Asks an executable what it has, by running it in the `describe` role: sealed, alone, with a deadline.
//!
//! Whatever the manifest grants its worker, here it gets nothing; what it answers is only compared.

use std::fs::File;
use std::io::{IoSlice, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::time::{Duration, Instant};

use bailiwick_sys::events::{Interest, Poller, Signal};
use bailiwick_sys::process::{Child, Progress, SpawnError, StepFailed};
use bailiwick_sys::socket::{self, Kind, ReceiveError, SendError};
use bailiwick_sys::wait::{self, Change};
use bailiwick_sys::{Errno, Failed};
use bailiwick_wire::bootstrap::Bootstrap;
use bailiwick_wire::codec::DecodeError;
use bailiwick_wire::description::{DESCRIPTION_BYTES, Description};
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use thiserror::Error;

use super::{Described, escape};
use crate::sandbox::{Ground, Machine, Prepared, Role, SandboxError, TreeError};
use crate::spawn::{self, Belongings};
use crate::spec::{Sandbox, Worker};

/// How long an executable may take to answer.
const DEADLINE: Duration = Duration::from_secs(10);
/// What an executable may need in order to answer.
const MEMORY_MAX: u64 = 512 << 20;
/// How much of its output is kept as its last words, in bytes.
const LAST_WORDS: u64 = 2 << 10;

/// Why an executable did not say what it has.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum DescribeError {
    /// There is no sandbox for it on this machine.
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
    /// There is no process.
    #[error(transparent)]
    Spawn(#[from] SpawnError),
    /// It failed before it executed anything.
    #[error(transparent)]
    Step(StepFailed),
    /// The kernel refused something on the way.
    #[error(transparent)]
    Kernel(#[from] Failed),
    /// It did not take its bootstrap.
    #[error("it does not take what it is sent: {0}")]
    Send(SendError),
    /// It runs, and says nothing.
    #[error("it said nothing within {DEADLINE:?}")]
    Silent,
    /// It ended without a word, or with words for people only.
    #[error("it ended without saying what it has ({how}){last_words}")]
    Ended {
        /// The exit code or signal.
        how: String,
        /// What it wrote, escaped; empty if nothing.
        last_words: String,
    },
    /// It said something else.
    #[error("it said what is no description: {0}")]
    Malformed(Box<DecodeError>),
    /// It leaves processes that cannot be ended.
    #[error("what it started cannot be ended: {0}")]
    Tree(#[from] TreeError),
}

impl DescribeError {
    /// Tells whether the executable is to blame; otherwise it could not be asked on this machine.
    pub fn is_its_fault(&self) -> bool {
        match self {
            Self::Send(_) | Self::Silent | Self::Ended { .. } | Self::Malformed(_) => true,
            Self::Sandbox(_) | Self::Spawn(_) | Self::Step(_) | Self::Kernel(_) | Self::Tree(_) => false,
        }
    }
}

/// Runs the executable of `worker` and returns what it says of itself. Blocks for up to ten seconds.
///
/// Must be called from the process's only thread.
///
/// # Errors
/// See [`DescribeError`].
pub fn describe(worker: &Worker) -> Result<Described, DescribeError> {
    let name = format!("describe {}", std::process::id());
    let ground = Ground::new(Machine::probe(), Path::new(&name), true).passing();
    let sealed = Worker {
        sandbox: Sandbox { memory_max: Some(MEMORY_MAX), ..Sandbox::default() },
        instances: 1,
        privileged: false,
        environment: Default::default(),
        pass_environment: Vec::new(),
        credentials: Default::default(),
        working_directory: None,
        ..worker.clone()
    };
    // It cannot fork, so that it ends with this process by itself; its group and its user's lock do not.
    let _guardian = ground.guard([], None).map_err(TreeError::from)?;
    let mut prepared = ground.prepare(&sealed, 1, Role::Describe)?;
    let answer = Asked::start(&mut prepared, &sealed).and_then(|asked| asked.answer());
    end_all(&mut prepared)?;
    answer
}

/// An executable that was asked.
struct Asked {
    child: Child,
    line: OwnedFd,
    output: File,
}

impl Asked {
    fn start(prepared: &mut Prepared, worker: &Worker) -> Result<Self, DescribeError> {
        let (line, control) = socket::pair(Kind::SeqPacket)?;
        let (output, words) = std::io::pipe().map_err(|error| failed("pipe", &error))?;
        let null = File::options().read(true).write(true).open("/dev/null");
        let null = null.map_err(|error| failed("open /dev/null", &error))?;
        let fds = Belongings { output: words.as_fd(), others: &[control.as_fd()], variables: &[] };
        let child = spawn::start(prepared, null.as_fd(), &fds)?;
        let asked = Self { child, line, output: OwnedFd::from(output).into() };
        asked.send(prepared, worker)?;
        // From here on the line ends when the executable ends.
        drop(control);
        Ok(asked)
    }

    /// Sends the bootstrap: the actors with their arguments and the second stage of the sandbox.
    fn send(&self, prepared: &Prepared, worker: &Worker) -> Result<(), DescribeError> {
        let (confinement, ruleset) = prepared.confinement();
        let actors = worker.actors.iter().map(Into::into).collect();
        let bootstrap = Bootstrap {
            worker: worker.name.clone(),
            instance: 1,
            generation: 1,
            actors,
            confinement,
            ..Bootstrap::default()
        };
        // A bootstrap that is too large is told by whoever starts the worker in earnest.
        let bytes = bootstrap.to_bytes().unwrap_or_default();
        let fds: Vec<_> = ruleset.into_iter().collect();
        match socket::send(self.line.as_fd(), &[IoSlice::new(&bytes)], &fds) {
            // Whoever ended already is told of by its end.
            Ok(_) | Err(SendError::Closed) => Ok(()),
            Err(error) => Err(DescribeError::Send(error)),
        }
    }

    fn answer(self) -> Result<Described, DescribeError> {
        let until = Instant::now() + DEADLINE;
        let mut poller = Poller::new(1)?;
        poller.add(&self.line, 0, Interest::READ)?;
        let mut bytes = vec![0; DESCRIPTION_BYTES + 1];
        loop {
            match socket::receive(self.line.as_fd(), &mut bytes) {
                Ok(Some(packet)) => return understood(&bytes[..packet.bytes]),
                Ok(None) | Err(ReceiveError::Reset) => return Err(self.ended(until)),
                Err(ReceiveError::WouldBlock) => {}
                Err(ReceiveError::Failed(errno)) => return Err(Failed { call: "recvmsg", errno }.into()),
                Err(_) => return Err(DescribeError::Silent),
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(DescribeError::Silent);
            }
            let millis = u32::try_from(left.as_millis()).unwrap_or(u32::MAX).max(1);
            poller.wait(Some(millis))?.for_each(drop);
        }
    }

    /// Says how it ended. It has closed its line; what remains of its end comes at once or not at all.
    fn ended(&self, until: Instant) -> DescribeError {
        if let Progress::Failed(step) = self.child.start.progress() {
            return DescribeError::Step(step);
        }
        let mut how = "it closed its descriptor 3".to_owned();
        if let Ok(mut poller) = Poller::new(1)
            && poller.add(&self.child.pidfd, 0, Interest::READ).is_ok()
        {
            let left = until.saturating_duration_since(Instant::now()).as_millis();
            let _woken = poller.wait(u32::try_from(left).ok()).map(|woken| woken.for_each(drop));
            how = match wait::take_change(self.child.pidfd.as_fd()) {
                Ok(Some(Change::Exited { code, .. })) => format!("exit code {code}"),
                Ok(Some(Change::Killed { signal, .. })) => format!("signal {signal}"),
                Ok(_) | Err(_) => how,
            };
        }
        DescribeError::Ended { how, last_words: self.last_words() }
    }

    /// Returns what it wrote, without waiting for more.
    fn last_words(&self) -> String {
        let mut words = Vec::new();
        if fcntl(&self.output, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).is_ok() {
            let _end_or_would_block = (&self.output).take(LAST_WORDS).read_to_end(&mut words);
        }
        let words = String::from_utf8_lossy(&words);
        let words = words.trim();
        if words.is_empty() { String::new() } else { format!("; it wrote: {}", escape(words)) }
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        let _ended_already = wait::send_signal(self.child.pidfd.as_fd(), Signal::SIGKILL);
        let _taken_already = wait::wait_for_end(self.child.pidfd.as_fd());
    }
}

fn understood(bytes: &[u8]) -> Result<Described, DescribeError> {
    let told = Description::from_bytes(bytes).map_err(DescribeError::Malformed)?;
    Ok(Described {
        types: told.types.into_iter().map(|one| (one.name, one.methods)).collect(),
        refused_args: told.refused_args.into_iter().collect(),
    })
}

/// Ends what the executable may have started. Its first process has ended.
fn end_all(prepared: &mut Prepared) -> Result<(), DescribeError> {
    prepared.kill_tree()?;
    let until = Instant::now() + DEADLINE;
    while !prepared.is_empty()? && Instant::now() < until {
        let mut poller = Poller::new(1)?;
        let Some(tells) = prepared.tree_watch()? else { continue };
        poller.add(&tells, 0, Interest::READ)?;
        poller.wait(Some(1000))?.for_each(drop);
    }
    Ok(())
}

fn failed(call: &'static str, error: &std::io::Error) -> Failed {
    Failed { call, errno: Errno::from_raw(error.raw_os_error().unwrap_or(0)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bailiwick_wire::description::Type;

    #[test]
    fn a_description_is_taken_as_it_is_said() {
        let told = Description {
            types: vec![Type { name: "Web".into(), methods: vec!["get".into()] }],
            refused_args: vec![("front".into(), "no".into())],
        };
        let described = understood(&told.to_bytes().unwrap()).unwrap();
        assert_eq!(described.types["Web"], ["get"]);
        assert_eq!(described.refused_args["front"], "no");
        assert!(matches!(understood(b"\xff\xff"), Err(DescribeError::Malformed(_))));
    }
}
