//! A PID namespace of a child's own, and the process that holds it: whatever the child starts ends with that one.
//!
//! The first process of such a namespace is a special one. It gets no signal that it does not handle, so an abort would
//! be told as another end; and it has to take the ends of orphans. So the child is the second process of its namespace,
//! and the first does nothing but be there. The child stays a child of the caller, to whom its pidfd tells how it really
//! ended: that is why neither is made by the other. A third process makes both as its siblings, and ends.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use nix::fcntl::OFlag;

use crate::capability::{self, Capabilities, Held};
use crate::child::exit;
use crate::error::{Errno, Failed, check, failed};
use crate::events::Signal;
use crate::fresh_mount::{FreshMount, HidePid};
use crate::guardian::Forked;
use crate::namespaces::Namespace;
use crate::nest::Nest;
use crate::process::{clone, clone_sibling, open_pidfd};
use crate::realm::{JOIN, Realm};
use crate::user_namespace::OneUser;
use crate::wait::Change;
use crate::{identity, wait};

/// A PID namespace. Dropped, it ends with everybody in it.
#[derive(Debug)]
pub struct PidNamespace {
    /// Its first process. The kernel kills all others with it, and lets it end when their ends were taken.
    init: Forked,
    /// What that one waits for the end of.
    _lifeline: OwnedFd,
}

/// A process in its nest.
#[derive(Debug)]
pub(crate) struct Nested {
    pub(crate) pid: i32,
    pub(crate) pidfd: OwnedFd,
    pub(crate) space: Option<PidNamespace>,
}

impl PidNamespace {
    /// What the child is called in it.
    pub const CHILD: u32 = 2;

    /// Kills everybody in it. Killing again does no harm.
    ///
    /// # Errors
    /// The kernel's reason.
    pub fn kill(&self) -> Result<(), Failed> {
        match wait::send_signal(self.init.pidfd.as_fd(), Signal::SIGKILL) {
            Err(Failed { errno: Errno::ESRCH, .. }) => Ok(()),
            other => other,
        }
    }

    /// Returns the first process, which becomes readable when nobody is left. Somebody is as long as the end of the child
    /// was not taken.
    pub fn init(&self) -> &Forked {
        &self.init
    }

    /// Returns whether nobody is left, by taking the end of the first process: once that is so, ask no more.
    ///
    /// # Errors
    /// The kernel's reason.
    pub fn is_over(&self) -> Result<bool, Failed> {
        Ok(wait::take_change(self.init.pidfd.as_fd())?.is_some())
    }
}

impl Drop for PidNamespace {
    fn drop(&mut self) {
        let _over_already = self.kill();
    }
}

impl Nest {
    /// Prepares what children can be born in, `user` in a user namespace if one is named, and tries it out.
    ///
    /// # Errors
    /// What the kernel refuses.
    pub fn prepare(user: Option<OneUser>) -> Result<Self, Failed> {
        let realm = user.map(Realm::make).transpose()?.map(Arc::new);
        let nest = Self { realm, pids: true };
        nest.try_out().map(|()| nest)
    }

    /// Returns whether a child can have a `/proc` of its own PID namespace, which some containers forbid.
    pub(crate) fn has_own_proc(&self) -> bool {
        let proc = FreshMount::own_proc(HidePid::default(), true);
        let made = || -> Result<bool, Failed> {
            let Some((_, first)) = clone(0, None)? else {
                let made = Namespace::Mount.enter_fresh().and_then(|()| proc.make());
                exit(i32::from(made.is_err()))
            };
            Ok(matches!(wait::wait_for_end(first.as_fd())?, Change::Exited { code: 0, .. }))
        };
        match clone(0, None) {
            Ok(None) => exit(i32::from(!self.enter().and_then(|()| made()).unwrap_or(false))),
            Ok(Some((_, trial))) => {
                matches!(wait::wait_for_end(trial.as_fd()), Ok(Change::Exited { code: 0, .. }))
            }
            Err(_) => false,
        }
    }

    /// Finds out whether this kernel gives such namespaces to this process.
    ///
    /// # Errors
    /// What it refuses.
    fn try_out(&self) -> Result<(), Failed> {
        let (told, tell) = nix::unistd::pipe2(OFlag::O_CLOEXEC).map_err(failed("pipe2"))?;
        let Some((_, trial)) = clone(0, None)? else {
            Told::of(self.enter()).say(tell.as_fd());
            exit(0)
        };
        drop(tell);
        let told = Told::hear(told.as_fd());
        let _has_told = wait::wait_for_end(trial.as_fd());
        told?.result()
    }

    /// Enters the namespaces, the PID namespace for processes that are made from now on. Async-signal-safe.
    fn enter(&self) -> Result<(), Failed> {
        self.realm.as_ref().map_or(Ok(()), |realm| realm.join())?;
        if self.pids {
            // SAFETY: takes a number; memory and descriptors stay as they are.
            check(NEW_PIDS, unsafe { libc::unshare(libc::CLONE_NEWPID) }.into())?;
        }
        Ok(())
    }

    /// Forks the calling process into the nest, a child of its own; `None` is returned in the child. Waits for the process
    /// that makes both, which waits for nobody.
    ///
    /// To be called with every signal blocked.
    pub(crate) fn clone(
        &self,
        namespaces: u64,
        cgroup: Option<BorrowedFd<'_>>,
    ) -> Result<Option<Nested>, Failed> {
        let (told, tell) = nix::unistd::pipe2(OFlag::O_CLOEXEC).map_err(failed("pipe2"))?;
        let (lives, lifeline) = nix::unistd::pipe2(OFlag::O_CLOEXEC).map_err(failed("pipe2"))?;
        let Some((_, maker)) = clone(0, None)? else {
            // Neither process may hold itself.
            drop(lifeline);
            return self.make(lives, tell, namespaces, cgroup);
        };
        drop((tell, lives));
        let heard = Told::hear(told.as_fd());
        let _has_told = wait::wait_for_end(maker.as_fd());
        let heard = heard?;
        // A child that was not waited for keeps its number.
        let space = match heard.init {
            0 => None,
            pid => Some(PidNamespace { init: Forked { pid, pidfd: open_pidfd(pid)? }, _lifeline: lifeline }),
        };
        heard.result()?;
        Ok(Some(Nested { pid: heard.child, pidfd: open_pidfd(heard.child)?, space }))
    }

    /// Makes the first process and the child; returns in the child alone.
    fn make(
        &self,
        lives: OwnedFd,
        tell: OwnedFd,
        namespaces: u64,
        cgroup: Option<BorrowedFd<'_>>,
    ) -> Result<Option<Nested>, Failed> {
        let mut told = Told::of(self.enter());
        if told.refused.is_none() && self.pids {
            told = make_init(lives);
        }
        if told.refused.is_none() {
            match clone_sibling(namespaces, cgroup) {
                Ok(0) => return Ok(None),
                Ok(pid) => told.child = pid,
                Err(failed) => told.refused = Some(failed),
            }
        }
        told.say(tell.as_fd());
        exit(0)
    }
}

/// Makes the first process of the namespace that was just entered, and waits until it stands: by then it has closed what it
/// was born with, whose ends others wait for.
fn make_init(lives: OwnedFd) -> Told {
    let (stands, stand) = match nix::unistd::pipe2(OFlag::O_CLOEXEC) {
        Ok(pipe) => pipe,
        Err(errno) => return Told::of(Err(Failed { call: INIT, errno })),
    };
    let init = match clone_sibling(0, None) {
        Ok(0) => hold(lives.as_fd(), stand.as_fd()),
        Ok(pid) => pid,
        Err(failed) => return Told::of(Err(failed)),
    };
    drop(stand);
    let stood = nix::unistd::read(&stands, &mut [0]) == Ok(1);
    let refused = (!stood).then_some(Failed { call: INIT, errno: Errno::ECHILD });
    Told { init, refused, ..Told::default() }
}

/// What the process in between has done.
#[derive(Clone, Copy, Debug, Default)]
struct Told {
    init: i32,
    child: i32,
    refused: Option<Failed>,
}

impl Told {
    fn of(result: Result<(), Failed>) -> Self {
        Self { refused: result.err(), ..Self::default() }
    }

    fn result(self) -> Result<(), Failed> {
        self.refused.map_or(Ok(()), Err)
    }

    /// Says it as four numbers: both processes, the place of the refused call in [`CALLS`], its error.
    fn say(&self, tell: BorrowedFd<'_>) {
        let call = |failed: &Failed| CALLS.iter().position(|call| *call == failed.call).unwrap_or(0);
        let refused = self.refused.map_or([0, 0], |failed| [call(&failed) as i32, failed.errno as i32]);
        let mut bytes = [0; TOLD_BYTES];
        let numbers = [self.init, self.child, refused[0], refused[1]];
        for (place, number) in bytes.chunks_exact_mut(4).zip(numbers) {
            place.copy_from_slice(&number.to_ne_bytes());
        }
        let _nobody_hears = nix::unistd::write(tell, &bytes);
    }

    fn hear(told: BorrowedFd<'_>) -> Result<Self, Failed> {
        let mut bytes = [0; TOLD_BYTES];
        let count = loop {
            match nix::unistd::read(told, &mut bytes) {
                Err(Errno::EINTR) => {}
                other => break other.map_err(failed("read"))?,
            }
        };
        // It was killed before it could say anything.
        if count != TOLD_BYTES {
            return Err(Failed { call: CALLS[0], errno: Errno::ECHILD });
        }
        let (numbers, _) = bytes.as_chunks::<4>();
        let [init, child, call, errno] = [0, 1, 2, 3].map(|at| i32::from_ne_bytes(numbers[at]));
        let call = usize::try_from(call).ok().and_then(|call| CALLS.get(call)).unwrap_or(&CALLS[0]);
        let refused = (errno != 0).then(|| Failed { call, errno: Errno::from_raw(errno) });
        Ok(Self { init, child, refused })
    }
}

/// Is the first process of a namespace until nobody holds the other end of `lives`, or the caller of whom it is a child
/// ends. Once it says that it stands it has no power, no descriptor but that, and no system call but read, write and exit.
fn hold(lives: BorrowedFd<'_>, stand: BorrowedFd<'_>) -> ! {
    let none = Held {
        permitted: Capabilities::NONE,
        effective: Capabilities::NONE,
        inheritable: Capabilities::NONE,
    };
    // SAFETY: ignoring a signal runs no code. The kernel then takes the ends of orphans itself.
    unsafe { libc::signal(libc::SIGCHLD, libc::SIG_IGN) };
    // Away from the terminal, whose interrupt is meant for the supervisor.
    let _leads_already = nix::unistd::setsid();
    // SAFETY: takes numbers; what stood at 0 belonged to the copy that this process is.
    let moved = check("dup3", unsafe { libc::syscall(libc::SYS_dup3, lives.as_raw_fd(), 0, 0) });
    // SAFETY: as above, of what stood at 1; both others are above 2, which is open from the start of every process.
    let moved_too = check("dup3", unsafe { libc::syscall(libc::SYS_dup3, stand.as_raw_fd(), 1, 0) });
    // SAFETY: as above, in this process, which never returns to the code that owns these descriptors.
    unsafe { libc::syscall(libc::SYS_close_range, 2, libc::c_uint::MAX, 0) };
    let powerless = moved
        .and(moved_too)
        .and_then(|_| capability::hold(none))
        .and_then(|()| identity::set_no_new_privileges())
        .and_then(|()| identity::set_not_dumpable())
        .and_then(|()| identity::die_with_parent());
    if powerless.is_err() {
        exit(1);
    }
    // SAFETY: the name ends with a zero and outlives the call.
    unsafe { libc::prctl(libc::PR_SET_NAME, c"bailiwick-init".as_ptr()) };
    // SAFETY: the byte outlives the call.
    unsafe { libc::write(1, [1_u8].as_ptr().cast(), 1) };
    // SAFETY: takes a number; nothing of this process uses it any more.
    unsafe { libc::close(1) };
    // Refused where a filter of the surroundings holds already, which then stays the only one.
    // SAFETY: takes numbers and touches no memory of ours.
    unsafe { libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_STRICT) };
    let mut byte = 0_u8;
    // SAFETY: one byte is written at most, to a variable that outlives the call.
    while unsafe { libc::read(0, (&raw mut byte).cast(), 1) } > 0 {}
    loop {
        // SAFETY: takes a number and does not return. The C library's exit is another call, which is forbidden by now.
        unsafe { libc::syscall(libc::SYS_exit, 0) };
    }
}

/// What the process in between may be refused.
const CALLS: [&str; 5] = ["clone3", NEW_PIDS, JOIN, INIT, "clone"];
const INIT: &str = "the start of the first process";
const NEW_PIDS: &str = "unshare(CLONE_NEWPID)";
const TOLD_BYTES: usize = 16;
