//! A supervisor of one worker, as far as the sandbox is concerned.

use std::fs::File;
use std::io::{IoSlice, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::time::Duration;

use bailiwick_core::berth::Berth;
use bailiwick_core::tree::ChildId;
use bailiwick_supervisor::roster::Roster;
use bailiwick_supervisor::sandbox::{Machine, Prepared};
use bailiwick_supervisor::spawn::{Belongings, LaunchError, Launcher, TreeKill};
use bailiwick_supervisor::spec::{Exec, Preset, System, Worker};
use bailiwick_supervisor::state_dir::{StateDir, private_path};
use bailiwick_sys::events::{Interest, Poller, Signal, Signals};
use bailiwick_sys::process::{self, Progress};
use bailiwick_sys::remains::group_name;
use bailiwick_sys::socket::{self, Kind};
use bailiwick_sys::wait::{self, Change};

/// The one worker of a bench.
pub(crate) const WORKER: Berth = Berth::first(ChildId(0));

pub(crate) struct Bench {
    pub(crate) launcher: Launcher,
    signals: Signals,
    state: StateDir,
}

/// One life of the worker.
pub(crate) struct Life {
    pub(crate) child: process::Child,
    control: OwnedFd,
    log: OwnedFd,
}

/// Returns whether this process can do what only root can, which is more than to have its number.
pub(crate) fn is_root() -> bool {
    Machine::probe().can_switch_users()
}

/// Declares a worker that executes this program.
pub(crate) fn worker(preset: Preset) -> Worker {
    let mut worker = Worker::new("probe", Exec::Own);
    worker.sandbox.preset = preset;
    worker
}

impl Bench {
    pub(crate) fn new(worker: Worker) -> Self {
        Self::try_new(worker).expect("a sandbox")
    }

    pub(crate) fn try_new(worker: Worker) -> Result<Self, LaunchError> {
        Self::on(Machine::probe(), worker)
    }

    /// On this machine as if it made no namespaces, so that the floor has to hold alone.
    pub(crate) fn bare(worker: Worker) -> Self {
        Self::on(Machine::probe().without_namespaces(), worker).expect("a sandbox")
    }

    pub(crate) fn on(machine: Machine, worker: Worker) -> Result<Self, LaunchError> {
        // Where nothing could end what it starts, the case itself does.
        let runs = matches!(worker.sandbox.preset, Preset::Exec | Preset::None);
        let allow_degraded = runs && !machine.can_kill_tree_of(&worker);
        Self::of(machine, System { workers: vec![worker], allow_degraded, ..System::default() })
    }

    /// Starts only where the floor is there.
    pub(crate) fn required_on(machine: Machine, worker: Worker) -> Result<Self, LaunchError> {
        Self::of(machine, System { workers: vec![worker], ..System::default() })
    }

    /// Starts although the floor is not there.
    pub(crate) fn degraded_on(machine: Machine, worker: Worker) -> Self {
        let system = System { workers: vec![worker], allow_degraded: true, ..System::default() };
        Self::of(machine, system).expect("what is missing does not matter")
    }

    /// Starts what a system says of its one worker.
    pub(crate) fn of(machine: Machine, system: System) -> Result<Self, LaunchError> {
        let state = StateDir::claim_private(&private_path()).expect("a private folder");
        let roster = Roster::new(&system).expect("one worker");
        let signals = Signals::take(&[Signal::SIGCHLD]).expect("a descriptor");
        process::adopt_orphans().expect("every kernel can");
        let launcher = Launcher::prepare_on(machine, &system, &roster, &state)?;
        Ok(Self { launcher, signals, state })
    }

    pub(crate) fn prepared(&self) -> &Prepared {
        self.launcher.prepared(WORKER).expect("it was prepared")
    }

    /// Reads a file of the worker's group below `own`.
    pub(crate) fn group_file(&self, own: &Path, file: &str) -> String {
        let group = own.join(group_name(self.state.path(), "probe"));
        std::fs::read_to_string(group.join(file)).expect("a file of the group")
    }

    /// Starts the worker and waits until its program runs.
    pub(crate) fn start(&mut self) -> Life {
        let life = self.spawn();
        assert_eq!(life.hear(), "up", "{:?} {}", life.child.start.progress(), life.output());
        assert_eq!(life.child.start.progress(), Progress::Over);
        life
    }

    /// Starts the worker and does not wait.
    pub(crate) fn spawn(&mut self) -> Life {
        let (control, theirs) = socket::pair(Kind::SeqPacket).expect("a socket pair");
        let (log, output) = nix::unistd::pipe2(nix::fcntl::OFlag::O_CLOEXEC).expect("a pipe");
        let fds = Belongings { output: output.as_fd(), others: &[theirs.as_fd()], variables: &[] };
        let child = self.launcher.spawn(WORKER, &fds).expect("a process");
        Life { child, control, log }
    }

    /// Starts the worker and has it enter the second stage of its sandbox.
    pub(crate) fn start_confined(&mut self) -> Life {
        let life = self.start();
        let (confinement, ruleset) = self.prepared().confinement();
        let filter = confinement.filter.unwrap_or_default();
        let dumpable = if confinement.dumpable { "confine dumpable" } else { "confine" };
        life.send(dumpable, &[]);
        life.send_bytes(&filter, ruleset.as_slice());
        assert_eq!(life.hear(), "confined", "{}", life.output());
        life
    }

    /// Kills everything of the worker and waits until nothing is left.
    pub(crate) fn kill_tree(&mut self) {
        let mut poller = Poller::new(4).expect("a poller");
        poller.add(&self.signals, 0, Interest::READ).expect("it can be watched");
        while let TreeKill::Underway(fd) = self.launcher.kill_tree(WORKER).expect("a kill") {
            poller.add(&fd, 1, Interest::READ).expect("it can be watched");
            assert!(poller.wait(Some(WATCHDOG_MS)).expect("a wait").count() > 0, "somebody lives on");
            while self.signals.next().expect("a signal or none").is_some() {}
            poller.remove(&fd).expect("it is watched");
            // The dead count as long as nobody has taken their ends, the killer's own among them.
            let empty = self.launcher.is_empty(WORKER).expect("an answer");
            wait::reap_orphans(|pid| self.launcher.knows(pid)).expect("orphans");
            if empty {
                return;
            }
        }
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        self.kill_tree();
    }
}

impl Life {
    /// Tells the worker what to do and returns what came of it.
    pub(crate) fn ask(&self, order: &str) -> String {
        self.send(order, &[]);
        self.hear()
    }

    /// As [`Self::ask`], with a descriptor.
    pub(crate) fn ask_with(&self, order: &str, fd: BorrowedFd<'_>) -> String {
        self.send(order, &[fd]);
        self.hear()
    }

    /// As [`Self::ask`], with bytes that follow.
    pub(crate) fn ask_bytes(&self, order: &str, bytes: &[u8]) -> String {
        self.send(order, &[]);
        self.send_bytes(bytes, &[]);
        self.hear()
    }

    pub(crate) fn send(&self, order: &str, fds: &[BorrowedFd<'_>]) {
        self.send_bytes(order.as_bytes(), fds);
    }

    fn send_bytes(&self, bytes: &[u8], fds: &[BorrowedFd<'_>]) {
        socket::send(self.control.as_fd(), &[IoSlice::new(bytes)], fds).expect("the worker listens");
    }

    /// Returns what the worker says next; empty if it has ended.
    pub(crate) fn hear(&self) -> String {
        await_readable(self.control.as_fd());
        let mut buffer = [0; 4096];
        match socket::receive(self.control.as_fd(), &mut buffer).expect("a packet or the end") {
            Some(packet) => String::from_utf8_lossy(&buffer[..packet.bytes]).into_owned(),
            None => String::new(),
        }
    }

    /// Waits for the end of the worker's process.
    pub(crate) fn end(&self) -> Change {
        await_readable(self.child.pidfd.as_fd());
        wait::wait_for_end(self.child.pidfd.as_fd()).expect("it is our child")
    }

    /// Returns what the worker has written so far, once it has ended or been killed.
    pub(crate) fn output(&self) -> String {
        let _ended_already = wait::send_signal(self.child.pidfd.as_fd(), Signal::SIGKILL);
        let mut text = String::new();
        let copy = self.log.try_clone().expect("a copy");
        File::from(copy).read_to_string(&mut text).expect("text");
        text
    }

    /// Returns a line of what the kernel says of the process.
    pub(crate) fn status(&self, key: &str) -> String {
        let text =
            std::fs::read_to_string(format!("/proc/{}/status", self.child.pid)).expect("a live process");
        let line = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'));
        line.unwrap_or_else(|| panic!("no {key} in {text}")).split_whitespace().collect::<Vec<_>>().join(" ")
    }
}

/// Waits until `fd` is readable; whoever waits longer than the watchdog has found a fault.
pub(crate) fn await_readable(fd: BorrowedFd<'_>) {
    let mut poller = Poller::new(1).expect("a poller");
    poller.add(fd, 0, Interest::READ).expect("it can be watched");
    assert!(poller.wait(Some(WATCHDOG_MS)).expect("a wait").count() > 0, "nothing came");
}

/// How long what comes late on a busy machine is waited for.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);
const WATCHDOG_MS: u32 = 20_000;
