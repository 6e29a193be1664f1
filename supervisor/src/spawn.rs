//! Makes the processes of workers, each in its sandbox, and ends what they leave.

use std::collections::BTreeMap;
use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use bailiwick_core::berth::Berth;
use bailiwick_sys::events::Signal;
use bailiwick_sys::guardian::{Guardian, GuardianError};
use bailiwick_sys::open_files;
use bailiwick_sys::process::{self, ChildPlan, SpawnError, Step};
use bailiwick_sys::{Errno, Failed, wait};

use crate::roster::{Roster, Seat};
use crate::sandbox::{Ground, Machine, Prepared, Role, SandboxError, Tenancy, TreeError};
use crate::spec::{Preset, Shares, System, Worker};
use crate::state_dir::StateDir;

/// Everything that is opened before the first worker starts, so that each start is the same.
#[derive(Debug)]
pub struct Launcher {
    ground: Ground,
    workers: BTreeMap<Berth, Prepared>,
    null: OwnedFd,
    /// The lock on the state directory, which the guardian holds as well.
    lock: OwnedFd,
    guardian: Option<Guardian>,
}

/// What a worker is born with beside what was prepared.
#[derive(Clone, Copy, Debug)]
pub struct Belongings<'a> {
    /// Where its output goes: descriptors 1 and 2.
    pub output: BorrowedFd<'a>,
    /// Descriptors 3 and up: its conversation with the supervisor, or listeners for a foreign program.
    pub others: &'a [BorrowedFd<'a>],
    /// More variables of its environment; `LISTEN_PID=` gets its process number.
    pub variables: &'a [CString],
}

/// How far the killing of everything that a worker started has come.
#[derive(Debug)]
pub enum TreeKill {
    /// Nothing is left but perhaps the leader.
    Gone,
    /// The descriptor becomes readable when [`Launcher::is_empty`] should be asked.
    Underway(OwnedFd),
}

/// Why the workers cannot be prepared.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LaunchError {
    /// A worker cannot have its sandbox.
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
    /// Nobody would end the workers if the supervisor were killed.
    #[error("the guardian of the workers does not start: {0}")]
    Guardian(#[from] GuardianError),
    /// Something that every system has is missing.
    #[error("{what}: {source}")]
    System {
        /// What was tried.
        what: &'static str,
        /// The kernel's reason.
        source: io::Error,
    },
}

impl LaunchError {
    /// Returns the exit code of a supervisor that stops for this.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Sandbox(error) => error.exit_code(),
            Self::Guardian(_) | Self::System { .. } => 69,
        }
    }
}

impl Launcher {
    /// Prepares the sandbox of every instance, and starts the guardian that ends them with the supervisor.
    ///
    /// # Errors
    /// See [`LaunchError`].
    pub fn prepare(system: &System, roster: &Roster, state_dir: &StateDir) -> Result<Self, LaunchError> {
        Self::prepare_on(Machine::probe(), system, roster, state_dir)
    }

    /// Prepares like [`Self::prepare`], on what `machine` is taken to give.
    ///
    /// # Errors
    /// See [`LaunchError`].
    pub fn prepare_on(
        machine: Machine,
        system: &System,
        roster: &Roster,
        state_dir: &StateDir,
    ) -> Result<Self, LaunchError> {
        let failed = |what| move |source| LaunchError::System { what, source };
        let machine = machine.with_worker_uids(system.worker_uids.clone());
        let ground = Ground::new(machine, state_dir.path(), system.allow_degraded);
        let ground = if state_dir.is_private() { ground.passing() } else { ground };
        let null = std::fs::File::options().read(true).write(true).open("/dev/null");
        let mut launcher = Self {
            ground,
            workers: BTreeMap::new(),
            null: null.map_err(failed("/dev/null"))?.into(),
            lock: state_dir
                .lock()
                .try_clone_to_owned()
                .map_err(failed("copy of the state directory's lock"))?,
            guardian: None,
        };
        // Whoever finds no room is prepared when it is to start: those before it keep theirs.
        let mut room = open_files::left().saturating_sub(RESERVE);
        let spares = roster.children().filter(|child| roster.seat(*child).worker.has_spare());
        for berth in roster.children().map(Berth::first).chain(spares.map(Berth::second)) {
            let seat = roster.seat(berth.child);
            let Some(left) = room.checked_sub(launcher.needs(seat)) else { continue };
            launcher.workers.insert(
                berth,
                launcher.prepare_one(seat, Tenancy { is_second: berth.is_second, user: None })?,
            );
            room = left;
        }
        launcher.guard()?;
        Ok(launcher)
    }

    /// Prepares a berth of one instance, where it can be started once this is [put in its place](Self::place).
    ///
    /// # Errors
    /// See [`SandboxError`].
    pub fn prepare_one(&self, seat: &Seat, tenancy: Tenancy) -> Result<Prepared, SandboxError> {
        self.ground.prepare_as(tenancy, &seat.worker, seat.instance, Role::Worker)
    }

    /// Returns how many descriptors an instance may take, prepared and alive.
    fn needs(&self, seat: &Seat) -> usize {
        let sandbox = &seat.worker.sandbox;
        // Each granted path is open, and once more in what is sent to it.
        let granted = 2 * (sandbox.read_only_paths.len() + sandbox.read_write_paths.len())
            + 2 * seat.worker.credentials.len();
        let is_root = nix::unistd::geteuid().is_root();
        let nested = !is_root || sandbox.preset == Preset::Exec;
        // Who has a user of its own needs groups for its bounds alone.
        let shares = sandbox.shares != Shares::default();
        let bounded = sandbox.memory_max.is_some() || sandbox.tasks_max.is_some() || shares;
        let grouped = bounded || !is_root;
        let room = |wanted, amount| if wanted { amount } else { 0 };
        PREPARED + ALIVE + room(nested, NEST) + granted + room(grouped, GROUPS)
    }

    /// Prepares a berth, where nothing may be left, once more, or for the first time: the declaration has changed, or
    /// there was no room or no need. It keeps its user. `alive` berths have a process.
    ///
    /// # Errors
    /// See [`LaunchError`]; it cannot be started then.
    pub fn prepare_again(&mut self, berth: Berth, seat: &Seat, alive: usize) -> Result<(), LaunchError> {
        let user = self.workers.remove(&berth).and_then(Prepared::into_user);
        let asleep = self.workers.len().saturating_sub(alive);
        let nests = self.workers.values().filter(|worker| worker.nest.is_some()).count().min(asleep);
        if open_files::left() < RESERVE + ALIVE * asleep + NEST * nests + self.needs(seat) {
            let source = io::Error::from_raw_os_error(Errno::EMFILE as i32);
            return Err(LaunchError::System { what: "no descriptors are left for its sandbox", source });
        }
        let prepared = self.prepare_one(seat, Tenancy { is_second: berth.is_second, user })?;
        self.workers.insert(berth, prepared);
        Ok(self.guard()?)
    }

    /// Puts what was prepared into a berth, where nothing may be left, or frees it.
    pub fn place(&mut self, berth: Berth, prepared: Option<Prepared>) {
        self.workers.remove(&berth);
        self.workers.extend(prepared.map(|prepared| (berth, prepared)));
    }

    /// Makes the process in one berth; returns before it has executed its program.
    ///
    /// # Errors
    /// When there is no process.
    pub fn spawn(&mut self, berth: Berth, with: &Belongings<'_>) -> Result<process::Child, SpawnError> {
        let prepared = self.workers.get_mut(&berth).expect("whoever is to start was prepared");
        start(prepared, self.null.as_fd(), with)
    }

    /// Ends what is left of a start that failed; the kernel keeps it from doing anything meanwhile.
    pub fn abandon(&mut self, berth: Berth) {
        self.workers.get_mut(&berth).into_iter().for_each(|worker| worker.tree.settle(None));
    }

    /// Opens a berth's executable again: its next start runs what is there now.
    ///
    /// # Errors
    /// When it cannot be opened or trusted; the next start then runs what it ran before.
    pub fn reopen(&mut self, berth: Berth, worker: &Worker) -> Result<(), SandboxError> {
        self.workers.get_mut(&berth).map_or(Ok(()), |prepared| prepared.reopen(&self.ground, worker))
    }

    /// Has the next start in the other berth run what this one runs.
    ///
    /// # Errors
    /// When its sandbox cannot be made for that; it then runs what it ran before.
    pub fn share(&mut self, berth: Berth, worker: &Worker) -> Result<(), SandboxError> {
        let Some(executable) = self.workers.get(&berth).map(Prepared::executable) else { return Ok(()) };
        let other = self.workers.get_mut(&berth.other());
        other.map_or(Ok(()), |other| other.execute(executable, &self.ground, worker))
    }

    /// Kills everything that was started in a berth. To be called after every end of its leader, whose heirs it finds.
    ///
    /// # Errors
    /// When that cannot be tried.
    pub fn kill_tree(&mut self, berth: Berth) -> Result<TreeKill, TreeError> {
        let Some(worker) = self.workers.get_mut(&berth) else { return Ok(TreeKill::Gone) };
        worker.kill_tree()?;
        if worker.is_empty()? {
            return Ok(TreeKill::Gone);
        }
        Ok(worker.tree_watch()?.map_or(TreeKill::Gone, TreeKill::Underway))
    }

    /// Returns whether nothing is left of what was started in a berth, its leader included.
    ///
    /// # Errors
    /// When that cannot be known; killing again finds out.
    pub fn is_empty(&mut self, berth: Berth) -> Result<bool, TreeError> {
        self.workers.get_mut(&berth).map_or(Ok(true), Prepared::is_empty)
    }

    /// Returns whether `pid` is a process of the launcher's own, whose end nobody else may take.
    pub fn knows(&self, pid: i32) -> bool {
        self.guardian() == Some(pid) || self.workers.values().any(|worker| worker.tree.killer() == Some(pid))
    }

    /// Returns the process that ends the workers should the supervisor be killed.
    pub fn guardian(&self) -> Option<i32> {
        self.guardian.as_ref().map(|guardian| guardian.process.pid)
    }

    /// Sees to it that the guardian lives; to be called after SIGCHLD.
    ///
    /// # Errors
    /// When it does not start; to be tried again.
    pub fn tend(&mut self) -> Result<(), GuardianError> {
        if !self.guardian.as_ref().is_some_and(Guardian::lives) {
            self.guard()?;
        }
        Ok(())
    }

    /// Has a new guardian take the place of the old one, for those who are prepared now.
    ///
    /// # Errors
    /// When it does not start; to be tried again.
    pub fn guard(&mut self) -> Result<(), GuardianError> {
        let new = self.ground.guard(self.workers.values(), Some(self.lock.as_fd()))?;
        std::mem::replace(&mut self.guardian, new).into_iter().for_each(Guardian::dismiss);
        Ok(())
    }

    /// Returns how often the kernel has killed in a berth for want of memory, over all its lives.
    pub fn oom_kills(&self, berth: Berth) -> u64 {
        self.prepared(berth).and_then(|prepared| prepared.counts().oom_kills).unwrap_or(0)
    }

    /// Returns what was prepared for a berth; `None` where that failed, is still to be done, or was never needed.
    pub fn prepared(&self, berth: Berth) -> Option<&Prepared> {
        self.workers.get(&berth)
    }
}

/// Makes a process of `worker`, whose last one and everything that it started must be gone.
///
/// # Errors
/// When there is no process. One that ended on its way is no error here: its end and
/// [`StartReport::progress`](process::StartReport::progress) tell.
pub(crate) fn start(
    worker: &mut Prepared,
    null: BorrowedFd<'_>,
    with: &Belongings<'_>,
) -> Result<process::Child, SpawnError> {
    let environment = [&worker.environment, with.variables].concat();
    let mut steps = worker.steps();
    let is_open = |variable: &CString| variable.as_bytes() == b"LISTEN_PID=";
    steps.extend(environment.iter().position(is_open).map(Step::PutPid));
    let plan = ChildPlan {
        executable: worker.as_fd(),
        argv: &worker.argv,
        environment: &environment,
        descriptors: &[&[null, with.output, with.output], with.others].concat(),
        steps: &steps,
        namespaces: 0,
        nest: worker.nest.as_ref(),
        cgroup: worker.birthplace(),
    };
    let mut made = process::spawn(&plan)?;
    worker.tree.settle(made.space.take());
    match made.start.go() {
        Ok(()) | Err(Failed { errno: Errno::EPIPE | Errno::ESRCH, .. }) => Ok(made),
        Err(failed) => {
            let _ended_already = wait::send_signal(made.pidfd.as_fd(), Signal::SIGKILL);
            let _taken_already = wait::wait_for_end(made.pidfd.as_fd());
            Err(failed.into())
        }
    }
}

/// Descriptors that are left for the loop, operators and what a start needs for a moment: whoever is to start finds
/// none instead.
const RESERVE: usize = 14;
/// Descriptors that a prepared instance holds: executable, directory, two rulesets, the lock of its user, its view and the
/// root of that, a `/tmp` of its own twice.
const PREPARED: usize = 9;
/// Files of its control groups.
const GROUPS: usize = 8;
/// Descriptors of a life: process, line, output, slate, what tells of its end.
const ALIVE: usize = 5;
/// Those of a life in namespaces of its own: their first process, and what that one waits on.
const NEST: usize = 2;
