//! Making a process: everything is prepared as data, then a fork, then the child carries the data out and executes.
//!
//! Between fork and exec the child makes async-signal-safe calls only: it allocates nothing, takes no lock and
//! follows no path that this file has not prepared. What the child does is a list of [`Step`]s, in the caller's
//! order, so that the order can be read, tested and reported in one place.

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::signal::SigSet;

use crate::capability::Capabilities;
use crate::child;
use crate::error::{Errno, Failed, check, failed};
use crate::events::keep_ends_of_children;
use crate::fork;
use crate::fresh_mount::FreshMount;
use crate::identity::{Identity, SecureBits};
use crate::namespaces::Namespace;
use crate::nest::Nest;
use crate::pid_namespace::{Nested, PidNamespace};
use crate::seccomp::Filter;
use crate::user_namespace::OneUser;

/// What a child does between fork and exec. Each is one idea that may fail by itself.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Step<'a> {
    /// Asks to be killed when the parent dies.
    DieWithParent,
    /// Waits for [`StartReport::go`]; exits when the parent is gone.
    AwaitGo,
    /// Exits when the parent is gone, which closes the gap before [`Step::DieWithParent`].
    StillWanted,
    /// Enters a control group by its open `cgroup.procs`, which may wait for all processors.
    EnterGroup(BorrowedFd<'a>),
    /// Gives every signal its default meaning and blocks none.
    ResetSignals,
    /// Starts a session of its own, without a terminal.
    NewSession,
    /// Puts the plan's descriptors at 0, 1, 2, … and has exec close every other one.
    Descriptors,
    /// Opens `/dev/null` anew as descriptor 0: of an open file that others hold as well, flags, owner and locks are theirs too.
    OwnInput,
    /// Sets the mask for new files.
    FileMask(u16),
    /// Sets a resource limit, soft and hard.
    Limit(Resource, u64),
    /// Sets a resource limit that the process may raise again.
    SoftLimit(Resource, u64),
    /// Changes the working directory.
    Directory(BorrowedFd<'a>),
    /// Changes the working directory by its name, in a view that holds nothing but what was put there.
    DirectoryNamed(&'a CStr),
    /// Moves into a namespace that was made before.
    Join(Namespace, BorrowedFd<'a>),
    /// Moves into a fresh namespace: of mounts, with a copy of what is seen now.
    Fresh(Namespace),
    /// Opens the system's `/proc`, which is out of sight in a view.
    HoldProc,
    /// Moves into a fresh user namespace by what is held of `/proc`, and has it be the last: nothing that was entered before
    /// is in its power.
    Users(&'a OneUser),
    /// Removes everything in a folder, which belongs to nobody but this child.
    Empty(&'a CStr),
    /// Makes a file system that nobody had before.
    Mount(&'a FreshMount),
    /// Says how early the kernel is to kill it for want of memory. Goes on where it may not: a lower value than the
    /// parent's takes a capability.
    OomScore(i16),
    /// Sets the nice level.
    Nice(i8),
    /// Removes all but these from the bounding set.
    Bound(Capabilities),
    /// Sets the securebits.
    SecureBits(SecureBits),
    /// Takes these supplementary groups, in ascending order, changes group and user, and verifies that there is no way
    /// back.
    Become(Identity, &'a [u32]),
    /// Leaves the session keyring for a new one. Where it is not `required`, a kernel that has none to give is no failure.
    PrivateKeyring {
        /// The start fails without it.
        required: bool,
    },
    /// Holds exactly `own`, of which `inheritable` may survive exec.
    Hold {
        /// Permitted and effective from now on.
        own: Capabilities,
        /// Part of `own` and of the bounding set.
        inheritable: Capabilities,
    },
    /// Has exactly these survive exec.
    Ambient(Capabilities),
    /// Renounces new privileges.
    NoNewPrivileges,
    /// Keeps memory that was written from ever being executed, where the kernel knows that.
    DenyWriteExecute,
    /// Enters a Landlock ruleset.
    Landlock(BorrowedFd<'a>),
    /// Enters a system call filter.
    Seccomp(&'a Filter),
    /// Says that it stands here, as [`Progress::Standing`], and waits for [`StartReport::go`] once more: time to compare
    /// with its plan what the kernel says of it, before any code of the executable runs.
    AwaitVerdict,
    /// Writes the process's own number behind the `=` that ends this variable of the environment, by its index.
    PutPid(usize),
}

/// What a resource limit bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resource {
    /// The size of a core file in bytes.
    Core,
    /// One more than the highest descriptor.
    OpenFiles,
    /// Bytes of address space.
    AddressSpace,
    /// Tasks of the real user; not enforced for uid 0.
    Tasks,
    /// The size of a file it writes, in bytes.
    FileSize,
    /// Bytes of locked memory.
    LockedMemory,
    /// Bytes in POSIX message queues of the real user.
    MessageQueues,
    /// Bytes of the first thread's stack.
    Stack,
    /// Seconds of processor time.
    CpuTime,
    /// Signals that wait for processes of the real user.
    PendingSignals,
    /// The highest real-time priority.
    RealTimePriority,
    /// 20 less the lowest nice level.
    Priority,
}

/// A child to be, complete before the fork.
#[derive(Debug)]
pub struct ChildPlan<'a> {
    /// What is executed, held open.
    pub executable: BorrowedFd<'a>,
    /// The arguments, the program's name first.
    pub argv: &'a [CString],
    /// The whole environment.
    pub environment: &'a [CString],
    /// What becomes descriptor 0, 1, 2, …
    pub descriptors: &'a [BorrowedFd<'a>],
    /// What is done before exec, in this order.
    pub steps: &'a [Step<'a>],
    /// Namespaces that the child starts in anew: the kernel's CLONE_NEW* flags.
    pub namespaces: u64,
    /// Namespaces that it is born in, made before it.
    pub nest: Option<&'a Nest>,
    /// The cgroup (version 2) that the child starts in.
    pub cgroup: Option<BorrowedFd<'a>>,
}

/// A child that has been made. It may still be on its way to exec.
#[derive(Debug)]
pub struct Child {
    /// Its process id, for people; everything else goes by `pidfd`.
    pub pid: i32,
    /// Names the process for ever; readable when it has ended.
    pub pidfd: OwnedFd,
    /// How its start goes. Dropped before exec, it ends the child.
    pub start: StartReport,
    /// Its PID namespace, if it was born in one. Dropped, it ends the child.
    pub space: Option<PidNamespace>,
}

/// The parent's end of a child's start.
#[derive(Debug)]
pub struct StartReport {
    wanted: OwnedFd,
    failure: OwnedFd,
    steps: Vec<&'static str>,
}

/// How far a start has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Between fork and exec.
    Underway,
    /// The program was executed, or the child was killed on the way: its pidfd tells.
    Over,
    /// A step failed, and the child has exited.
    Failed(StepFailed),
    /// It stands at [`Step::AwaitVerdict`] until [`StartReport::go`]; reported once.
    Standing,
}

/// The step at which a start failed. No code of the executable ran.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{step} failed before exec: {errno}")]
pub struct StepFailed {
    /// The step.
    pub step: &'static str,
    /// The kernel's reason.
    pub errno: Errno,
}

/// Why there is no child.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SpawnError {
    /// A fork would copy locks that other threads hold, and the parent-death signal would follow the thread.
    #[error("the process has {threads} threads; it forks only while it has one")]
    Threads {
        /// How many there are.
        threads: usize,
    },
    /// The kernel refused.
    #[error(transparent)]
    Refused(#[from] Failed),
}

impl SpawnError {
    /// Returns the call that was refused; empty where it was no call.
    pub fn call(&self) -> &'static str {
        match self {
            Self::Refused(failed) => failed.call,
            Self::Threads { .. } => "",
        }
    }
}

/// Makes the child and returns without waiting for its exec.
///
/// # Errors
/// See [`SpawnError`]; there is no child then.
pub fn spawn(plan: &ChildPlan<'_>) -> Result<Child, SpawnError> {
    require_single_thread()?;
    let (wanted_child, wanted) = nix::unistd::pipe2(OFlag::O_CLOEXEC).map_err(failed("pipe2"))?;
    let (failure, failure_child) = nix::unistd::pipe2(OFlag::O_CLOEXEC).map_err(failed("pipe2"))?;
    fcntl(&failure, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).map_err(failed("fcntl(F_SETFL)"))?;
    let ready = child::Ready::new(plan, wanted_child.as_fd(), failure_child.as_fd())?;
    let mask = SigSet::all().thread_swap_mask(nix::sys::signal::SigmaskHow::SIG_SETMASK);
    let mask = mask.map_err(failed("sigprocmask"))?;
    let cloned = match plan.nest {
        Some(nest) => nest.clone(plan.namespaces, plan.cgroup),
        None => clone(plan.namespaces, plan.cgroup)
            .map(|made| made.map(|(pid, pidfd)| Nested { pid, pidfd, space: None })),
    };
    if let Ok(None) = cloned {
        // Holding its own life line, it would wait for ever for a parent that died before it could ask to die with it.
        drop(wanted);
        ready.run();
    }
    mask.thread_set_mask().map_err(failed("sigprocmask"))?;
    let Nested { pid, pidfd, space } = cloned?.expect("the child does not return from its run");
    let steps = plan.steps.iter().map(Step::name).chain(["execveat"]).collect();
    Ok(Child { pid, pidfd, start: StartReport { wanted, failure, steps }, space })
}

/// Forks the calling process; `None` is returned in the child, which runs on a copy of everything.
pub(crate) fn clone(
    namespaces: u64,
    cgroup: Option<BorrowedFd<'_>>,
) -> Result<Option<(i32, OwnedFd)>, Failed> {
    keep_ends_of_children()?;
    let mut pidfd: RawFd = -1;
    match fork::fork(namespaces | libc::CLONE_PIDFD as u64, libc::SIGCHLD, &mut pidfd, cgroup)? {
        0 => Ok(None),
        pid => {
            // SAFETY: the kernel has just made this descriptor for us and nobody else knows it.
            let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
            Ok(Some((pid, pidfd)))
        }
    }
}

/// Forks the calling process as another child of its parent; returns its number, and 0 in the new process.
pub(crate) fn clone_sibling(namespaces: u64, cgroup: Option<BorrowedFd<'_>>) -> Result<i32, Failed> {
    // Its end is signalled to the parent as that of the caller will be.
    fork::fork(namespaces | libc::CLONE_PARENT as u64, 0, &mut -1, cgroup)
}

/// Fails if the calling process has more than one thread.
pub(crate) fn require_single_thread() -> Result<(), SpawnError> {
    if is_single_threaded() {
        Ok(())
    } else {
        Err(SpawnError::Threads { threads: thread_count().unwrap_or(2) })
    }
}

/// Returns whether the calling process has one thread only. Works without /proc.
pub fn is_single_threaded() -> bool {
    // SAFETY: takes a number; it changes nothing in a process of one thread, and is refused in any other.
    let result = unsafe { libc::unshare(libc::CLONE_THREAD) };
    match check("unshare", result.into()) {
        Ok(_) => true,
        Err(Failed { errno: Errno::EINVAL, .. }) => false,
        // A filter of the surroundings forbids the question.
        Err(_) => thread_count().is_ok_and(|count| count == 1),
    }
}

/// Returns how many threads the calling process has.
///
/// # Errors
/// When /proc is not there.
pub fn thread_count() -> std::io::Result<usize> {
    Ok(std::fs::read_dir("/proc/self/task")?.count())
}

/// Opens a descriptor that names the process `pid` and becomes readable when it has ended.
///
/// Only sound for a process that cannot have ended and been replaced, such as a child that was not waited for.
///
/// # Errors
/// ESRCH when there is no such process.
pub fn open_pidfd(pid: i32) -> Result<OwnedFd, Failed> {
    // SAFETY: takes numbers and touches no memory of ours.
    let fd = check("pidfd_open", unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0_u32) })?;
    // SAFETY: the kernel has just made this descriptor for us and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as RawFd) })
}

/// Has the kernel give this process the orphans among its descendants, whose ends it must then take.
///
/// # Errors
/// Never.
pub fn adopt_orphans() -> Result<(), Failed> {
    nix::sys::prctl::set_child_subreaper(true).map_err(failed("prctl(PR_SET_CHILD_SUBREAPER)"))
}

impl StartReport {
    /// Lets a child go on that stands at [`Step::AwaitGo`] or [`Step::AwaitVerdict`].
    ///
    /// # Errors
    /// EPIPE when it has ended.
    pub fn go(&self) -> Result<(), Failed> {
        nix::unistd::write(&self.wanted, &[1]).map_err(failed("write")).map(drop)
    }

    /// Returns how far the start has come. Does not wait.
    pub fn progress(&self) -> Progress {
        let mut report = [0; 8];
        match nix::unistd::read(&self.failure, &mut report) {
            Ok(8) => {
                let [a, b, c, d, e, f, g, h] = report;
                let at = u32::from_ne_bytes([a, b, c, d]) as usize;
                let errno = match i32::from_ne_bytes([e, f, g, h]) {
                    child::STANDS => return Progress::Standing,
                    errno => Errno::from_raw(errno),
                };
                Progress::Failed(StepFailed { step: self.steps.get(at).copied().unwrap_or("start"), errno })
            }
            Err(Errno::EAGAIN | Errno::EINTR) => Progress::Underway,
            Ok(_) | Err(_) => Progress::Over,
        }
    }
}

impl AsFd for StartReport {
    /// Readable when the start is over, has failed, or stands.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.failure.as_fd()
    }
}

impl Step<'_> {
    /// Returns the step's name, as errors show it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::DieWithParent => "parent-death signal",
            Self::AwaitGo => "wait for the supervisor",
            Self::StillWanted => "check that the supervisor lives",
            Self::EnterGroup(_) => "enter control group",
            Self::ResetSignals => "reset signals",
            Self::NewSession => "setsid",
            Self::Descriptors => "set up descriptors",
            Self::OwnInput => "own input",
            Self::FileMask(_) => "umask",
            Self::Limit(resource, _) | Self::SoftLimit(resource, _) => resource.name(),
            Self::Directory(_) | Self::DirectoryNamed(_) => "change directory",
            Self::Join(namespace, _) => namespace.join_name(),
            Self::Fresh(namespace) => namespace.fresh_name(),
            Self::HoldProc => "open /proc",
            Self::Users(_) => "own user namespace",
            Self::Empty(_) => "empty temporary folder",
            Self::Mount(_) => "mount",
            Self::OomScore(_) => "oom_score_adj",
            Self::Nice(_) => "setpriority",
            Self::Bound(_) => "drop bounding set",
            Self::SecureBits(_) => "securebits",
            Self::Become(..) => "change of user",
            Self::PrivateKeyring { .. } => "join a new keyring",
            Self::Hold { .. } => "capset",
            Self::Ambient(_) => "ambient capabilities",
            Self::NoNewPrivileges => "no_new_privs",
            Self::DenyWriteExecute => "memory-deny-write-execute",
            Self::Landlock(_) => "landlock",
            Self::Seccomp(_) => "seccomp",
            Self::AwaitVerdict => "wait for the verdict",
            Self::PutPid(_) => "name the process",
        }
    }
}

impl Resource {
    fn name(self) -> &'static str {
        match self {
            Self::Core => "RLIMIT_CORE",
            Self::OpenFiles => "RLIMIT_NOFILE",
            Self::AddressSpace => "RLIMIT_AS",
            Self::Tasks => "RLIMIT_NPROC",
            Self::FileSize => "RLIMIT_FSIZE",
            Self::LockedMemory => "RLIMIT_MEMLOCK",
            Self::MessageQueues => "RLIMIT_MSGQUEUE",
            Self::Stack => "RLIMIT_STACK",
            Self::CpuTime => "RLIMIT_CPU",
            Self::PendingSignals => "RLIMIT_SIGPENDING",
            Self::RealTimePriority => "RLIMIT_RTPRIO",
            Self::Priority => "RLIMIT_NICE",
        }
    }

    /// Returns how its line in `/proc/PID/limits` begins.
    pub(crate) fn line(self) -> &'static str {
        match self {
            Self::Core => "Max core file size",
            Self::OpenFiles => "Max open files",
            Self::AddressSpace => "Max address space",
            Self::Tasks => "Max processes",
            Self::FileSize => "Max file size",
            Self::LockedMemory => "Max locked memory",
            Self::MessageQueues => "Max msgqueue size",
            Self::Stack => "Max stack size",
            Self::CpuTime => "Max cpu time",
            Self::PendingSignals => "Max pending signals",
            Self::RealTimePriority => "Max realtime priority",
            Self::Priority => "Max nice priority",
        }
    }
}
