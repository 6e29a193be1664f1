//! Killing whole trees: everything under a worker's user at once, and everything there is when the supervisor dies.
//!
//! Both are done by forked processes that never execute and never return. They are forked from a process of one thread,
//! so that they may allocate. A process that signals -1 as the wrong user kills the whole machine, so the user is
//! checked by its range before, and by what the kernel says after.

use std::ops::RangeInclusive;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::time::{Duration, Instant};

use nix::fcntl::OFlag;
use nix::sys::signal::{SigSet, SigmaskHow, Signal};

use crate::capability::{self, Capabilities, Held};
use crate::child::exit;
use crate::error::{Errno, failed};
use crate::identity::{self, Identity};
use crate::process::{SpawnError, clone, require_single_thread};
use crate::remains::{Remains, trial_name};
use crate::user_namespace;
use crate::wait::{self, Change};

/// The users that belong to workers: one a worker, nobody else's.
pub const WORKER_UIDS: RangeInclusive<u32> = 0x7000_0000..=0x7000_FFFF;

/// The users of workers inside a user namespace that has 65536 users, as containers do.
pub const NESTED_WORKER_UIDS: RangeInclusive<u32> = 61_184..=65_519;

/// One more than the last user that distributions give to people and services.
const PEOPLE_END: u32 = 60_001;
/// Beyond it, numbers are negative to some programs.
const HIGHEST: u32 = i32::MAX.unsigned_abs();
/// Whoever is nobody, here or where numbers have 16 bits.
const NOBODIES: [u32; 2] = [65_534, 65_535];

/// Returns the users that can be workers' in this process's user namespace; `None` where it has too few.
pub fn worker_uids() -> Option<RangeInclusive<u32>> {
    let mut ranges = [WORKER_UIDS, NESTED_WORKER_UIDS].into_iter();
    ranges.find(user_namespace::has).filter(|_| user_namespace::may_set_groups())
}

/// How to kill everything that belongs to one worker.
#[derive(Clone, Debug)]
pub enum Victim<'a> {
    /// Everything in a cgroup, by its open `cgroup.kill`.
    Cgroup(BorrowedFd<'a>),
    /// Everything that runs as a user that [can be a worker's](can_be_workers).
    User {
        /// The user.
        uid: u32,
        /// Keeps the number from being given to others while somebody of it lives.
        lock: BorrowedFd<'a>,
    },
}

/// A process that this module forked.
#[derive(Debug)]
pub struct Forked {
    /// Its process id.
    pub pid: i32,
    /// Names it for ever; readable when it has ended.
    pub pidfd: OwnedFd,
}

/// The process that outlives the supervisor by a moment, to kill and to remove what it leaves.
///
/// It does so however the supervisor ends. A guardian that is dropped does it at once and is waited for.
#[derive(Debug)]
pub struct Guardian {
    /// The process. Should it end, start another.
    pub process: Forked,
    /// `None` once it has been told.
    alive: Option<OwnedFd>,
}

/// Why nothing was forked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GuardianError {
    /// The user may have processes that are no worker's.
    #[error("user {uid} is not one of the workers' users")]
    NotAWorker {
        /// The user.
        uid: u32,
    },
    /// There is no process.
    #[error(transparent)]
    Spawn(#[from] SpawnError),
}

/// Starts to kill everything that runs as `uid` and waits, in a process of its own, until nothing is left.
///
/// The process exits with 0 when [`user_is_idle`], or with [`REMAINING`] after `REAPING`. The dead count until
/// their parents have taken their ends.
///
/// # Errors
/// See [`GuardianError`].
pub fn kill_user(uid: u32) -> Result<Forked, GuardianError> {
    require_worker(uid)?;
    let forked = fork(|| {
        // A copy of the supervisor's descriptors would hide its death from those who watch for it.
        close_all_but([]);
        kill_as_another_process(uid);
        if await_true(Instant::now() + REAPING, || user_is_idle(uid)) { 0 } else { REMAINING }
    });
    Ok(forked?)
}

/// Returns whether no process has `uid` as its real user, the dead included that nobody has waited for.
pub fn user_is_idle(uid: u32) -> bool {
    Errno::clear();
    // SAFETY: takes numbers and touches no memory of ours.
    let level = unsafe { libc::getpriority(libc::PRIO_USER, uid) };
    level == -1 && Errno::last() == Errno::ESRCH
}

impl Guardian {
    /// Starts the guardian of `victims` and `remains`. `lock` stays held until it ends, so that a successor of the
    /// supervisor waits for it.
    ///
    /// # Errors
    /// See [`GuardianError`].
    pub fn start(
        victims: &[Victim<'_>],
        lock: Option<BorrowedFd<'_>>,
        remains: &Remains,
    ) -> Result<Self, GuardianError> {
        for victim in victims {
            if let Victim::User { uid, .. } = victim {
                require_worker(*uid)?;
            }
        }
        let (watched, alive) =
            nix::unistd::pipe2(OFlag::O_CLOEXEC).map_err(failed("pipe2")).map_err(SpawnError::from)?;
        let supervisor = nix::unistd::getpid().as_raw();
        let process = fork(|| {
            if watch(watched.as_fd(), lock, victims) {
                tidy(lock, remains, &trial_name(supervisor));
            }
            0
        })?;
        Ok(Self { process, alive: Some(alive) })
    }

    /// Tells whether it has not ended, and takes its end. One that is stopped guards again when it goes on.
    pub fn lives(&self) -> bool {
        loop {
            match wait::take_change(self.process.pidfd.as_fd()) {
                Ok(None) => return true,
                Ok(Some(Change::Stopped { .. } | Change::Continued)) => {}
                Ok(Some(Change::Exited { .. } | Change::Killed { .. })) | Err(_) => return false,
            }
        }
    }

    /// Ends the guardian and nobody else, also one that is stopped: another one has taken its place.
    pub fn dismiss(self) {
        let _gone_already = wait::send_signal(self.process.pidfd.as_fd(), Signal::SIGKILL);
    }
}

impl Drop for Guardian {
    fn drop(&mut self) {
        drop(self.alive.take());
        // Whoever has stopped it holds nobody up.
        let _gone_already = wait::send_signal(self.process.pidfd.as_fd(), Signal::SIGCONT);
        let _taken_already = wait::wait_for_end(self.process.pidfd.as_fd());
    }
}

/// Returns whether `uid` can be a worker's own: it is beyond those of people and services, and not `nobody`.
pub fn can_be_workers(uid: u32) -> bool {
    (PEOPLE_END..=HIGHEST).contains(&uid) && !NOBODIES.contains(&uid)
}

fn require_worker(uid: u32) -> Result<(), GuardianError> {
    if can_be_workers(uid) { Ok(()) } else { Err(GuardianError::NotAWorker { uid }) }
}

/// Forks a process that runs `body` with every signal blocked, and never returns. There is one thread, so no lock can
/// be held that `body` might need.
pub(crate) fn fork(body: impl FnOnce() -> libc::c_int) -> Result<Forked, SpawnError> {
    require_single_thread()?;
    let mask = SigSet::all().thread_swap_mask(SigmaskHow::SIG_SETMASK).map_err(failed("sigprocmask"))?;
    let cloned = clone(0, None);
    if let Ok(None) = cloned {
        exit(body());
    }
    mask.thread_set_mask().map_err(failed("sigprocmask"))?;
    let (pid, pidfd) = cloned?.expect("the child does not return from its body");
    Ok(Forked { pid, pidfd })
}

/// Waits for the end of the supervisor and kills what it leaves; returns false when that cannot be waited for.
fn watch(watched: BorrowedFd<'_>, lock: Option<BorrowedFd<'_>>, victims: &[Victim<'_>]) -> bool {
    // Away from the terminal, whose interrupt is meant for the supervisor.
    let _leads_already = nix::unistd::setsid();
    let ours = victims.iter().map(|victim| match victim {
        Victim::Cgroup(fd) | Victim::User { lock: fd, .. } => *fd,
    });
    close_all_but(ours.chain(lock).chain([watched]));
    let mut byte = [0];
    loop {
        match nix::unistd::read(watched, &mut byte) {
            Ok(0) => break,
            Ok(_) | Err(Errno::EINTR) => {}
            Err(_) => return false,
        }
    }
    for victim in victims {
        match victim {
            Victim::Cgroup(kill) => {
                let _empty_already = nix::unistd::write(kill, b"1");
            }
            Victim::User { uid, .. } if user_is_idle(*uid) => {}
            Victim::User { uid, .. } => kill_as_another_process(*uid),
        }
    }
    // Everybody is dying by now; who waits for the locks should find nobody.
    let until = Instant::now() + FAREWELL;
    for victim in victims {
        if let Victim::User { uid, .. } = victim {
            await_true(until, || user_is_idle(*uid));
        }
    }
    true
}

/// Removes what is left when everybody is gone.
fn tidy(lock: Option<BorrowedFd<'_>>, remains: &Remains, trial: &str) {
    // The users are nobody's any more.
    close_all_but(lock);
    remains.forget_users();
    await_true(Instant::now() + FAREWELL, || remains.remove(trial));
}

/// Kills by a process of its own, since the change of user cannot be undone, and since a victim may kill it.
fn kill_as_another_process(uid: u32) {
    for _ in 0..ATTEMPTS {
        match clone(0, None) {
            Ok(None) => exit(kill_as(uid)),
            Ok(Some((_, pidfd))) => match wait::wait_for_end(pidfd.as_fd()) {
                Ok(Change::Killed { .. }) => {}
                Ok(_) | Err(_) => return,
            },
            Err(_) => pause_ms(1),
        }
    }
}

/// Becomes `uid` and kills all that it may.
///
/// One signal to -1 reaches everyone: the kernel holds the list of processes still meanwhile, and a fork that is
/// underway fails.
fn kill_as(uid: u32) -> libc::c_int {
    let identity = Identity { uid, gid: uid };
    let none = Held {
        permitted: Capabilities::NONE,
        effective: Capabilities::NONE,
        inheritable: Capabilities::NONE,
    };
    let powerless = identity::become_identity(identity, &[])
        .and_then(|()| capability::hold(none))
        .and_then(|()| identity::verify_identity(identity, &[]))
        .and_then(|()| capability::held());
    // With CAP_KILL, or as anybody else, the signal would reach the whole machine.
    let is_worker = WORKER_UIDS.contains(&uid) || NESTED_WORKER_UIDS.contains(&uid);
    if powerless != Ok(none) || !is_worker {
        return REFUSED;
    }
    // The answer tells nothing: it is the same whether somebody was reached or not.
    // SAFETY: takes numbers; whom it reaches was established above.
    unsafe { libc::kill(-1, libc::SIGKILL) };
    0
}

/// Asks every millisecond: nothing tells of the end of a user's last process.
fn await_true(until: Instant, mut is_so: impl FnMut() -> bool) -> bool {
    loop {
        if is_so() {
            return true;
        }
        if Instant::now() >= until {
            return false;
        }
        pause_ms(1);
    }
}

/// Closes every descriptor that is not in `kept`.
pub(crate) fn close_all_but<'a>(kept: impl IntoIterator<Item = BorrowedFd<'a>>) {
    let mut kept: Vec<RawFd> = kept.into_iter().map(|fd| fd.as_raw_fd()).collect();
    kept.sort_unstable();
    let mut from: libc::c_uint = 0;
    for fd in kept.into_iter().map(RawFd::unsigned_abs) {
        if fd > from {
            close_range(from, fd - 1);
        }
        from = fd + 1;
    }
    close_range(from, libc::c_uint::MAX);
}

fn close_range(first: libc::c_uint, last: libc::c_uint) {
    // SAFETY: in this forked process, which never returns to the code that owns these descriptors.
    unsafe { libc::syscall(libc::SYS_close_range, first, last, 0) };
}

fn pause_ms(ms: i64) {
    let time = libc::timespec { tv_sec: 0, tv_nsec: ms * 1_000_000 };
    // SAFETY: one timespec is read, which outlives the call; the remainder is not asked for.
    unsafe { libc::nanosleep(&raw const time, std::ptr::null_mut()) };
}

/// The exit code of [`kill_user`]'s process when something still runs as the user.
pub const REMAINING: libc::c_int = 2;
/// The exit code when the change of user could not be verified; nothing was signalled.
const REFUSED: libc::c_int = 3;
const REAPING: Duration = Duration::from_secs(2);
/// How long who is dying is waited for, and then how long what is in use.
const FAREWELL: Duration = Duration::from_secs(1);
const ATTEMPTS: u32 = 100;

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::cgroup::Cgroups;

    #[test]
    fn users_that_are_no_workers_are_never_killed() {
        let lock = std::fs::File::open("/dev/null").unwrap();
        for uid in [0, 1, 1000, PEOPLE_END - 1, 65_534, HIGHEST + 1, u32::MAX] {
            assert_eq!(kill_user(uid).unwrap_err(), GuardianError::NotAWorker { uid });
            let remains = Remains::new(Path::new("/nonexistent"), false, &Cgroups::default());
            let refused =
                Guardian::start(&[Victim::User { uid, lock: lock.as_fd() }], None, &remains).unwrap_err();
            assert_eq!(refused, GuardianError::NotAWorker { uid });
        }
    }

    #[test]
    fn idle_is_who_runs_nothing() {
        assert!(!user_is_idle(identity::effective_uid()));
        assert!(user_is_idle(*WORKER_UIDS.end()), "the last user of the range is in use");
    }

    #[test]
    fn a_process_with_threads_does_not_fork() {
        let started = std::sync::Barrier::new(2);
        std::thread::scope(|scope| {
            scope.spawn(|| started.wait());
            let refused = kill_user(*WORKER_UIDS.start()).unwrap_err();
            assert!(
                matches!(refused, GuardianError::Spawn(SpawnError::Threads { threads: 2.. })),
                "{refused}"
            );
            started.wait();
        });
    }
}
