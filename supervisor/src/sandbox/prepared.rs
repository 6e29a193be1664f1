//! A worker with everything made that its start needs.

use std::borrow::Cow;
use std::ffi::CString;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use bailiwick_core::berth;
use bailiwick_sys::Failed;
use bailiwick_sys::bounds::Bounds;
use bailiwick_sys::capability::Capabilities;
use bailiwick_sys::guardian::{Guardian, GuardianError, Victim};
use bailiwick_sys::identity::Identity;
use bailiwick_sys::landlock::ruleset::Access;
use bailiwick_sys::nest::Nest;
use bailiwick_sys::promise::{Confined, Promise};
use bailiwick_sys::remains::{Remains, group_name};
use bailiwick_sys::seccomp::Filter;
use bailiwick_sys::seccomp::stages::Stages;
use bailiwick_sys::shares::{Shares, Unmet};
use bailiwick_sys::surroundings::Surroundings;
use bailiwick_sys::worker_users::OwnUid;
use bailiwick_wire::bootstrap::{Bootstrap, Confinement, OWN_DESCRIPTORS};

use super::account::{Account, Owner};
use super::error::SandboxError;
use super::executable::Executable;
use super::handover::hand_over;
use super::machine::Machine;
use super::paths::{Granted, Rulesets};
use super::policy::filters;
use crate::check::aspect::{Aspect, Missing};
use crate::check::{accounts, credential, floor};
use crate::control::{Containment, MemoryMechanism};
use crate::spec::{Exec, Preset, Worker, memory_mechanism};
use bailiwick_sys::cgroup::{Cgroup, Cgroups, Counts, Purpose};
use bailiwick_sys::tree::{Tree, TreeError};

/// What the sandboxes of one supervisor have in common.
#[derive(Debug)]
pub struct Ground {
    pub(super) machine: Machine,
    cgroups: Cgroups,
    /// The state directory, as part of names that must differ between supervisors.
    pub(super) state_dir: PathBuf,
    /// Whether this state directory will be used again.
    lasting: bool,
    allow_degraded: bool,
}

/// What an executable is started as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// It hosts actors.
    Worker,
    /// It tells its protocols and exits.
    Describe,
}

/// Which of the two berths of an instance is prepared, and what it had before.
#[derive(Debug, Default)]
pub struct Tenancy {
    /// It is the second.
    pub is_second: bool,
    /// The user that it had, to be kept if it is still to have one of its own.
    pub user: Option<OwnUid>,
}

/// One berth of an instance of a worker, where it is ready to be started any number of times, one at a time.
#[derive(Debug)]
pub struct Prepared {
    pub(super) preset: Preset,
    pub(super) renounces_privileges: bool,
    pub(super) may_make_code: bool,
    dumpable: bool,
    pub(super) account: Account,
    /// Supplementary groups, in ascending order.
    pub(super) groups: Vec<u32>,
    /// It has a session keyring of its own: in any case, or if there is one.
    pub(super) keyring: Option<bool>,
    pub(super) capabilities: Capabilities,
    pub(super) can_lock_capabilities: bool,
    pub(super) limits: Bounds,
    pub(super) umask: u16,
    pub(super) nice: Option<i8>,
    pub(super) oom_score_adjust: i16,
    pub(super) directory: Granted,
    pub(super) surroundings: Surroundings,
    pub(super) rulesets: Option<Rulesets>,
    pub(super) filters: Option<Stages>,
    pub(super) granted: Vec<Granted>,
    pub(crate) tree: Tree,
    pub(crate) nest: Option<Nest>,
    missing: Vec<Missing>,
    /// The secrets that it is handed, by name.
    credentials: Vec<(String, OwnedFd)>,
    exec: Exec,
    executable: Rc<Executable>,
    pub(crate) argv: Vec<CString>,
    pub(crate) environment: Vec<CString>,
    /// It is executed once its sandbox was found to stand, which no runtime could enter the rest of.
    pub(super) foreign: bool,
    pub(super) cgroup: Option<Cgroup>,
}

impl Tenancy {
    /// Returns by what name the berth's control groups and its user are known.
    fn name(&self, title: &str) -> String {
        berth::name(title, self.is_second)
    }
}

impl Ground {
    /// Lays the ground for the workers of the supervisor that holds the lock of `state_dir`.
    pub fn new(machine: Machine, state_dir: &Path, allow_degraded: bool) -> Self {
        let mut cgroups = machine.cgroups.clone();
        cgroups.enable_controllers(state_dir);
        Self { machine, cgroups, state_dir: state_dir.to_owned(), lasting: true, allow_degraded }
    }

    /// Leaves no trace of the workers' users, since no later run will ask for the same ones.
    #[must_use]
    pub fn passing(self) -> Self {
        Self { lasting: false, ..self }
    }

    /// Prepares instance number `instance` (from 1) of `worker`.
    ///
    /// # Errors
    /// [`SandboxError::FloorMissing`] if the machine lacks what the worker must have; the others are mistakes in
    /// the declaration or refusals of the kernel. See [`SandboxError::exit_code`].
    pub fn prepare(&self, worker: &Worker, instance: u16, role: Role) -> Result<Prepared, SandboxError> {
        self.prepare_as(Tenancy::default(), worker, instance, role)
    }

    /// Prepares like [`Self::prepare`] one of the instance's two berths.
    ///
    /// # Errors
    /// As for [`Self::prepare`].
    pub fn prepare_as(
        &self,
        tenancy: Tenancy,
        worker: &Worker,
        instance: u16,
        role: Role,
    ) -> Result<Prepared, SandboxError> {
        let sandboxed = worker.sandbox.preset != Preset::None;
        let mut missing = Vec::new();
        self.require_floor(worker, &mut missing)?;
        let capabilities = self.capabilities(worker)?;
        let executable = Rc::new(Executable::open(&worker.exec)?);
        let mut granted = Granted::open_all(worker, &self.machine)?;
        let title = worker.title(instance);
        let name = tenancy.name(&title);
        let account = Account::choose(worker, &self.machine, &granted, self.owner(&name, tenancy.user))?;
        let groups = self.groups(worker, &account)?;
        let nest = self.nest(worker, &mut missing)?;
        let (limits, shares) = self.amounts(worker, &account, nest.as_ref(), &mut missing)?;
        hand_over(&worker.name, &account, &granted)?;
        let who = (name.as_str(), account.identity(), nest.as_ref());
        let surroundings = self.surroundings(worker, &executable, who, &mut granted, &mut missing)?;
        let kill = matches!(tree(nest.as_ref(), None, &account), Tree::Alone);
        let cgroup = self.cgroup(&name, &limits.purpose(kill, shares))?;
        let landlocked = sandboxed && self.machine.landlock_abi > 0;
        let view = surroundings.view.as_deref();
        let rulesets = landlocked.then(|| Rulesets::make(worker, &self.machine, &executable, &granted, view));
        let mut prepared = Prepared {
            preset: worker.sandbox.preset,
            renounces_privileges: worker.sandbox.renounces_privileges(),
            may_make_code: worker.sandbox.may_make_code(),
            dumpable: worker.sandbox.dumpable.unwrap_or(!sandboxed || limits.may_leave_core()),
            capabilities,
            can_lock_capabilities: self.machine.can_lock_capabilities(),
            umask: worker.sandbox.umask(),
            nice: worker.sandbox.nice,
            oom_score_adjust: worker.sandbox.oom_score_adjust(),
            directory: Granted::open("working directory", worker.folder(), Access::Enter, &self.machine)?,
            surroundings,
            rulesets: rulesets.transpose()?,
            filters: self.filters(worker)?,
            credentials: credentials(worker)?,
            exec: worker.exec.clone(),
            executable,
            argv: texts(worker, "its command", worker.arguments(&title))?,
            environment: texts(worker, "its environment", worker.variables(role == Role::Describe))?,
            foreign: worker.command.is_some(),
            granted,
            groups,
            keyring: worker.sandbox.keyring().filter(|required| !required || self.machine.keyrings),
            tree: tree(nest.as_ref(), cgroup.as_ref(), &account),
            nest,
            account,
            limits,
            cgroup,
            missing,
        };
        prepared.missing.extend(prepared.find_missing(worker, &self.machine));
        Ok(prepared)
    }

    /// Starts the process that ends everything of these workers, and removes what they leave, when the supervisor ends
    /// in whatever way; `None` where there is nothing to remove and the kernel ends the workers by itself.
    ///
    /// `lock` is the lock on the state directory: a successor of the supervisor has to wait for the guardian.
    ///
    /// # Errors
    /// When the process cannot fork.
    pub fn guard<'a>(
        &self,
        workers: impl IntoIterator<Item = &'a Prepared>,
        lock: Option<BorrowedFd<'_>>,
    ) -> Result<Option<Guardian>, GuardianError> {
        let mut victims = Vec::new();
        for worker in workers {
            let own = worker.account.own();
            victims.extend(own.map(|own| Victim::User { uid: own.uid, lock: own.as_fd() }));
            victims.extend(worker.cgroup.as_ref().and_then(Cgroup::kill_file).map(Victim::Cgroup));
        }
        let remains = Remains::new(&self.state_dir, !self.lasting, &self.cgroups);
        let needed = !(victims.is_empty() && remains.are_none());
        needed.then(|| Guardian::start(&victims, lock, &remains)).transpose()
    }

    fn filters(&self, worker: &Worker) -> Result<Option<Stages>, SandboxError> {
        let are_there = worker.sandbox.preset != Preset::None && self.machine.seccomp;
        are_there.then(|| filters(worker, worker.sandbox.is_counted(&self.cgroups))).transpose()
    }

    fn groups(&self, worker: &Worker, account: &Account) -> Result<Vec<u32>, SandboxError> {
        if matches!(account, Account::Inherited(_)) {
            return Ok(Vec::new());
        }
        accounts::groups(&worker.sandbox.supplementary_groups).map_err(|name| SandboxError::NoSuchAccount {
            worker: worker.name.clone(),
            kind: "group",
            name: name.clone(),
        })
    }

    /// Returns how much the worker may use, as far as that can be enforced.
    fn amounts(
        &self,
        worker: &Worker,
        account: &Account,
        nest: Option<&Nest>,
        missing: &mut Vec<Missing>,
    ) -> Result<(Bounds, Shares), SandboxError> {
        let has_users = self.machine.space.counts_tasks && nest.is_some_and(|nest| nest.realm.is_some());
        let wanted = worker.sandbox.wanted(has_users || account.own().is_some());
        let limits = Bounds::choose(wanted, &self.cgroups);
        if limits.lacks_tasks() {
            let why = "there is neither a pids control group, nor a user or user namespace of the worker's own that counts";
            self.floor_missing(worker, "tasks_max", why, Aspect::Tasks, missing)?;
        }
        let (shares, unmet) = worker.sandbox.shares.met_by(&self.cgroups, worker.sandbox.whose());
        for Unmet { key, why } in unmet {
            self.floor_missing(worker, key, why, Aspect::Key(key), missing)?;
        }
        Ok((limits, shares))
    }

    fn owner(&self, name: &str, user: Option<OwnUid>) -> Owner {
        let name = format!("{} {name}", self.state_dir.display());
        Owner { name, comes_again: self.lasting, user }
    }

    fn require_floor(&self, worker: &Worker, missing: &mut Vec<Missing>) -> Result<(), SandboxError> {
        if worker.sandbox.preset == Preset::None && !worker.privileged {
            return Err(SandboxError::Unconfined { worker: worker.name.clone() });
        }
        let lacking = floor::lacking(worker, &self.machine).into_iter();
        lacking.map(|(pillar, _)| pillar).try_for_each(|pillar| {
            self.floor_missing(worker, pillar.name, pillar.needs, pillar.aspect, missing)
        })
    }

    /// Decides what the worker is born in. What it is not declared to be born in and cannot be is told.
    fn nest(&self, worker: &Worker, missing: &mut Vec<Missing>) -> Result<Option<Nest>, SandboxError> {
        let contradiction = |why| SandboxError::Namespaces { worker: worker.name.clone(), why };
        let choice = self.machine.namespaces_of(worker).map_err(contradiction)?;
        let nest = choice.nest(self.machine.space.realm.as_ref());
        let Err(refused) = self.machine.nests else { return Ok(nest) };
        if nest.is_some() && choice.required {
            let why = "the kernel, or what this supervisor runs in, refuses such namespaces";
            let what = "private_pids and private_users";
            self.floor_missing(worker, what, why, Aspect::Key("private_pids"), missing)?;
        } else if nest.is_some() {
            let why = format!("it has no namespaces of its own, since {refused}");
            missing.push(Missing { what: Aspect::Key("private_pids"), why: why.into() });
        }
        Ok(None)
    }

    pub(super) fn floor_missing(
        &self,
        worker: &Worker,
        what: &'static str,
        why: impl Into<Cow<'static, str>>,
        aspect: Aspect,
        missing: &mut Vec<Missing>,
    ) -> Result<(), SandboxError> {
        let why = why.into();
        if !self.allow_degraded {
            return Err(SandboxError::FloorMissing { worker: worker.name.clone(), what, why });
        }
        missing.push(Missing { what: aspect, why });
        Ok(())
    }

    fn capabilities(&self, worker: &Worker) -> Result<Capabilities, SandboxError> {
        let mut wanted = Capabilities::NONE;
        for name in &worker.sandbox.capabilities {
            let known = Capabilities::named(name).ok_or_else(|| SandboxError::NoSuchCapability {
                worker: worker.name.clone(),
                name: name.clone(),
            })?;
            wanted = wanted.union(known);
        }
        let lacking = wanted.without(self.machine.capabilities);
        if lacking.is_empty() {
            Ok(wanted)
        } else {
            Err(SandboxError::CapabilityNotHeld { worker: worker.name.clone(), names: lacking.to_string() })
        }
    }

    fn cgroup(&self, name: &str, purpose: &Purpose) -> Result<Option<Cgroup>, SandboxError> {
        if self.cgroups == Cgroups::default() {
            return Ok(None);
        }
        Ok(Some(Cgroup::create(&self.cgroups, &group_name(&self.state_dir, name), purpose)?))
    }
}

impl Prepared {
    /// Returns who the worker runs as.
    pub fn identity(&self) -> Identity {
        self.account.identity()
    }

    /// Gives up everything but the user that is the worker's own.
    pub fn into_user(self) -> Option<OwnUid> {
        self.account.into_own()
    }

    /// Returns the capabilities that it keeps.
    pub fn capabilities(&self) -> Capabilities {
        self.capabilities
    }

    /// Returns what this machine cannot enforce, one line each for the operator.
    pub fn missing(&self) -> &[Missing] {
        &self.missing
    }

    /// Returns the paths that it is granted, open, to be sent to it with its bootstrap.
    pub fn granted(&self) -> &[Granted] {
        &self.granted
    }

    /// Says in a bootstrap what comes with its sandbox, and returns what that is, to be attached in this order.
    pub fn attach(&self, bootstrap: Bootstrap) -> (Bootstrap, Vec<BorrowedFd<'_>>) {
        let (confinement, ruleset) = self.confinement();
        let path = |granted: &Granted| granted.at().display().to_string();
        let told = Bootstrap {
            confinement,
            granted: self.granted.iter().map(path).collect(),
            credentials: self.credentials.iter().map(|(name, _)| name.clone()).collect(),
            ..bootstrap
        };
        let credentials = self.credentials.iter().map(|(_, memory)| memory.as_fd());
        (told, ruleset.into_iter().chain(self.granted.iter().map(AsFd::as_fd)).chain(credentials).collect())
    }

    /// Returns the second stage of its sandbox, which its runtime enters, and the Landlock ruleset to send along.
    pub fn confinement(&self) -> (Confinement, Option<BorrowedFd<'_>>) {
        let ruleset = self.rulesets.as_ref().map(|rulesets| rulesets.running.as_fd());
        let filter = self.running_filter().map(Filter::to_bytes);
        (Confinement { filter, ruleset: ruleset.is_some(), dumpable: self.dumpable }, ruleset)
    }

    pub(super) fn running_filter(&self) -> Option<&Filter> {
        self.filters.as_ref().and_then(|filters| filters.running.as_ref())
    }

    /// Returns what has to hold once the worker has entered its second stage, or a foreign program is about to be executed.
    pub fn promise(&self) -> Promise {
        Promise {
            identity: self.identity(),
            groups: (!matches!(self.account, Account::Inherited(_))).then(|| self.groups.clone()),
            limits: self.limits.limits(),
            oom_score_adjust: self.oom_score_adjust.into(),
            pids: usize::from(self.has_pid_namespace()),
            sandbox: (self.preset != Preset::None).then(|| Confined {
                capabilities: self.capabilities,
                is_bounded: self.can_lock(),
                filters: usize::from(self.filters.is_some()) + usize::from(self.running_filter().is_some()),
                // What a foreign program is born with, exec sees to; until then it holds what the supervisor does.
                descriptors: (!self.foreign).then_some(OWN_DESCRIPTORS + self.granted.len() as u64),
                is_dumpable: self.foreign || self.dumpable,
            }),
        }
    }

    /// Opens the executable's path again, and its credentials': the next start runs and has what is there now.
    ///
    /// The Landlock ruleset still names the file that was there at the start, so it is made anew as well.
    ///
    /// # Errors
    /// As [`Executable::open`]; nothing has changed then.
    pub fn reopen(&mut self, ground: &Ground, worker: &Worker) -> Result<(), SandboxError> {
        self.credentials = credentials(worker)?;
        self.execute(Rc::new(Executable::open(&self.exec)?), ground, worker)
    }

    /// Returns what it executes.
    pub fn executable(&self) -> Rc<Executable> {
        Rc::clone(&self.executable)
    }

    /// Has the next start execute this.
    ///
    /// # Errors
    /// When no ruleset can be made for it; nothing has changed then.
    pub fn execute(
        &mut self,
        executable: Rc<Executable>,
        ground: &Ground,
        worker: &Worker,
    ) -> Result<(), SandboxError> {
        if self.rulesets.is_some() && !Rc::ptr_eq(&self.executable, &executable) {
            let view = self.surroundings.view.as_deref();
            let rulesets = Rulesets::make(worker, &ground.machine, &executable, &self.granted, view);
            self.rulesets = Some(rulesets?);
        }
        self.executable = executable;
        Ok(())
    }

    /// Returns what the kernel has counted of this worker, over all its lives.
    pub fn counts(&self) -> Counts {
        self.cgroup.as_ref().map(Cgroup::counts).unwrap_or_default()
    }

    /// Starts to kill everything that the worker has started. Killing again does no harm.
    ///
    /// To be called after every end of the worker's first process: what it left behind is found by it.
    ///
    /// # Errors
    /// See [`TreeError`]; to be tried again.
    pub fn kill_tree(&mut self) -> Result<(), TreeError> {
        self.tree.kill(self.cgroup.as_mut())
    }

    /// Returns what to wait on after [`Self::kill_tree`]; `None` when [`Self::is_empty`] can be asked at once.
    ///
    /// To be asked anew after every [`Self::is_empty`] that says no.
    ///
    /// # Errors
    /// When there is no descriptor for it.
    pub fn tree_watch(&self) -> Result<Option<OwnedFd>, Failed> {
        self.tree.watch(self.cgroup.as_ref())
    }

    /// Returns whether nothing of the worker lives any more.
    ///
    /// # Errors
    /// See [`TreeError`]; to be tried again.
    pub fn is_empty(&mut self) -> Result<bool, TreeError> {
        self.tree.is_empty(self.cgroup.as_ref())
    }

    /// Returns how everything that it starts is ended, as people are told.
    pub(crate) fn containment(&self) -> Containment {
        match self.tree {
            Tree::Cgroup => Containment::Cgroup,
            Tree::User { .. } => Containment::User,
            Tree::PidNamespace(_) => Containment::PidNamespace,
            Tree::Alone => Containment::Alone,
        }
    }

    /// Returns the user that is this worker's alone.
    pub(crate) fn own_uid(&self) -> Option<u32> {
        self.account.own().map(|own| own.uid)
    }

    /// Returns whether it can lock capabilities away for good, as every process can in a user namespace of its own.
    pub(super) fn can_lock(&self) -> bool {
        self.can_lock_capabilities || self.nest.as_ref().is_some_and(|nest| nest.realm.is_some())
    }

    pub(super) fn has_pid_namespace(&self) -> bool {
        self.nest.as_ref().is_some_and(|nest| nest.pids)
    }

    /// Returns what enforces its limit of memory.
    pub fn memory_mechanism(&self) -> MemoryMechanism {
        memory_mechanism(&self.limits)
    }

    pub(crate) fn birthplace(&self) -> Option<BorrowedFd<'_>> {
        self.cgroup.as_ref().and_then(Cgroup::birthplace)
    }
}

impl AsFd for Prepared {
    /// Returns the executable.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.executable.as_fd()
    }
}

fn credentials(worker: &Worker) -> Result<Vec<(String, OwnedFd)>, SandboxError> {
    let refused = |source| SandboxError::Credential { worker: worker.name.clone(), source };
    let seal =
        |(name, path): (&String, &PathBuf)| Ok((name.clone(), credential::seal(path).map_err(refused)?));
    worker.credentials.iter().map(seal).collect()
}

fn tree(nest: Option<&Nest>, cgroup: Option<&Cgroup>, account: &Account) -> Tree {
    match (account.own(), cgroup.and_then(Cgroup::kill_file)) {
        _ if nest.is_some_and(|nest| nest.pids) => Tree::PidNamespace(None),
        (Some(own), _) => Tree::User { uid: own.uid, killer: None },
        (None, Some(_)) => Tree::Cgroup,
        (None, None) => Tree::Alone,
    }
}

fn texts(worker: &Worker, what: &'static str, texts: Vec<Vec<u8>>) -> Result<Vec<CString>, SandboxError> {
    let text =
        |bytes| CString::new(bytes).map_err(|_| SandboxError::Nul { worker: worker.name.clone(), what });
    texts.into_iter().map(text).collect()
}
