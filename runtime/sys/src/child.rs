//! The child's side of a spawn, from the fork to the exec. Runs on prepared data; never returns.

use std::cell::OnceCell;
use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

use nix::fcntl::{FcntlArg, fcntl};
use nix::sys::signal::{SigSet, SigmaskHow, sigprocmask};

use crate::capability::{self, Held};
use crate::error::{Errno, Failed, check, failed};
use crate::process::{ChildPlan, Resource, Step};
use crate::{identity, landlock, temporary, user_namespace};

/// A plan with everything allocated and every descriptor out of the way of the final numbers.
pub(crate) struct Ready<'a> {
    plan: &'a ChildPlan<'a>,
    argv: Vec<*const libc::c_char>,
    environment: Vec<*const libc::c_char>,
    /// Room for variables that hold the process's own number, by their index.
    own_pid: Vec<(usize, Vec<u8>)>,
    wanted: RawFd,
    failure: RawFd,
    /// The system's `/proc`, once it is held.
    proc: OnceCell<OwnedFd>,
    /// Descriptors that stood in the way, and their copies further up.
    moved: Vec<(RawFd, OwnedFd)>,
}

impl<'a> Ready<'a> {
    /// Prepares the plan; `wanted` and `failure` are the child's ends of the two start pipes.
    pub(crate) fn new(
        plan: &'a ChildPlan<'a>,
        wanted: BorrowedFd<'_>,
        failure: BorrowedFd<'_>,
    ) -> Result<Self, Failed> {
        let floor = i32::try_from(plan.descriptors.len()).unwrap_or(i32::MAX);
        let mut needed: Vec<BorrowedFd<'_>> = vec![wanted, failure, plan.executable];
        needed.extend(plan.descriptors);
        needed.extend(plan.steps.iter().filter_map(|step| match step {
            Step::Directory(fd) | Step::Landlock(fd) | Step::EnterGroup(fd) | Step::Join(_, fd) => Some(fd),
            _ => None,
        }));
        let mut moved = Vec::new();
        for fd in needed.into_iter().filter(|fd| fd.as_raw_fd() < floor) {
            moved.push((fd.as_raw_fd(), duplicate_above(fd, floor)?));
        }
        let own_pid = plan.steps.iter().filter_map(|step| match step {
            Step::PutPid(at) => Some((*at, with_room(plan.environment.get(*at)?))),
            _ => None,
        });
        Ok(Self {
            plan,
            own_pid: own_pid.collect(),
            argv: pointers(plan.argv),
            environment: pointers(plan.environment),
            wanted: place(&moved, wanted),
            failure: place(&moved, failure),
            proc: OnceCell::new(),
            moved,
        })
    }

    /// Carries out the plan. Called in the child only.
    pub(crate) fn run(mut self) -> ! {
        for (at, step) in self.plan.steps.iter().enumerate() {
            if let Step::PutPid(_) = step {
                self.put_pid();
            } else if let Err(Failed { errno, .. }) = self.perform(step) {
                self.give_up(at, errno);
            }
        }
        // SAFETY: both arrays end with a null pointer and point to strings that the plan borrows; on success
        // nothing of this memory remains.
        unsafe {
            libc::syscall(
                libc::SYS_execveat,
                place(&self.moved, self.plan.executable),
                c"".as_ptr(),
                self.argv.as_ptr(),
                self.environment.as_ptr(),
                libc::AT_EMPTY_PATH,
            )
        };
        self.give_up(self.plan.steps.len(), Errno::last())
    }

    fn perform(&self, step: &Step<'_>) -> Result<(), Failed> {
        match step {
            Step::DieWithParent => identity::die_with_parent(),
            Step::AwaitGo => self.await_go(),
            Step::EnterGroup(procs) => enter_group(place(&self.moved, *procs)),
            Step::StillWanted => self.still_wanted(),
            Step::ResetSignals => reset_signals(),
            Step::NewSession => nix::unistd::setsid().map(drop).map_err(failed("setsid")),
            Step::Descriptors => self.put_descriptors(),
            Step::OwnInput => own_input(),
            Step::FileMask(mask) => set_file_mask(*mask),
            Step::Limit(resource, value) => limit(*resource, *value, true),
            Step::SoftLimit(resource, value) => limit(*resource, *value, false),
            Step::Directory(fd) => {
                // SAFETY: takes a number and touches no memory of ours.
                check("fchdir", unsafe { libc::fchdir(place(&self.moved, *fd)) }.into()).map(drop)
            }
            Step::DirectoryNamed(path) => nix::unistd::chdir(*path).map_err(failed("chdir")),
            Step::Join(kind, namespace) => kind.join(place(&self.moved, *namespace)),
            Step::Fresh(kind) => kind.enter_fresh(),
            Step::HoldProc => user_namespace::hold_proc().map(|proc| drop(self.proc.set(proc))),
            Step::Users(user) => {
                // Without it there is no folder to find the maps in, and opening them says so.
                user.enter_last(self.proc.get().map_or(-1, AsRawFd::as_raw_fd))
            }
            Step::Mount(mount) => mount.put(),
            Step::Empty(folder) => temporary::empty(folder),
            Step::OomScore(score) => {
                let (bytes, start) = decimal(*score);
                let _not_there = put(c"/proc/self/oom_score_adj", &bytes[start..]);
                Ok(())
            }
            Step::Nice(level) => set_nice(*level),
            Step::Bound(kept) => capability::bound_to(*kept),
            Step::SecureBits(bits) => identity::set_secure_bits(*bits),
            // A kept CAP_SETUID would make the attempt to return to uid 0 succeed: it is not effective afterwards.
            Step::Become(wanted, groups) => identity::become_identity(*wanted, groups)
                .and_then(|()| identity::verify_identity(*wanted, groups)),
            Step::PrivateKeyring { required } => match identity::join_new_keyring() {
                Err(failed) if *required => Err(failed),
                Ok(()) | Err(_) => Ok(()),
            },
            Step::Hold { own, inheritable } => {
                capability::hold(Held { permitted: *own, effective: *own, inheritable: *inheritable })
            }
            Step::Ambient(set) => capability::set_ambient(*set),
            Step::NoNewPrivileges => identity::set_no_new_privileges(),
            Step::DenyWriteExecute => identity::deny_write_execute(),
            Step::Landlock(ruleset) => {
                // The ruleset may have been moved out of the way of the final descriptors.
                let at = place(&self.moved, *ruleset);
                // SAFETY: `moved` and the plan hold the descriptor open until exec.
                landlock::restrict_self(unsafe { BorrowedFd::borrow_raw(at) })
            }
            Step::Seccomp(filter) => filter.install(),
            Step::AwaitVerdict => self.await_verdict(),
            // It changes what is prepared, which the others only read.
            Step::PutPid(_) => Ok(()),
        }
    }

    fn await_verdict(&self) -> Result<(), Failed> {
        self.report(0, STANDS);
        self.await_go()
    }

    fn put_pid(&mut self) {
        for (at, variable) in &mut self.own_pid {
            write_number(&mut variable[..], std::process::id());
            // Anew, since the bytes behind the former pointer have changed.
            self.environment[*at] = variable.as_ptr().cast();
        }
    }

    fn await_go(&self) -> Result<(), Failed> {
        let mut byte = 0_u8;
        loop {
            // SAFETY: one byte is written at most, to a variable that outlives the call.
            let count = unsafe { libc::read(self.wanted, (&raw mut byte).cast(), 1) };
            match count {
                1 => return Ok(()),
                0 => exit(UNWANTED),
                _ if Errno::last() == Errno::EINTR => {}
                _ => return Err(Failed { call: "read", errno: Errno::last() }),
            }
        }
    }

    fn still_wanted(&self) -> Result<(), Failed> {
        let mut pipe = libc::pollfd { fd: self.wanted, events: 0, revents: 0 };
        // SAFETY: one pollfd is read and written, which outlives the call.
        check("poll", unsafe { libc::poll(&raw mut pipe, 1, 0) }.into())?;
        if pipe.revents & libc::POLLHUP != 0 { exit(UNWANTED) } else { Ok(()) }
    }

    fn put_descriptors(&self) -> Result<(), Failed> {
        for (to, fd) in self.plan.descriptors.iter().enumerate() {
            let from = place(&self.moved, *fd);
            // SAFETY: takes numbers; what stood at `to` belonged to the parent's copy that exec would close.
            check("dup3", unsafe { libc::syscall(libc::SYS_dup3, from, to, 0) })?;
        }
        let first = self.plan.descriptors.len() as libc::c_uint;
        // SAFETY: takes numbers and only marks descriptors.
        let result = unsafe {
            libc::syscall(libc::SYS_close_range, first, libc::c_uint::MAX, libc::CLOSE_RANGE_CLOEXEC)
        };
        check("close_range", result).map(drop)
    }

    fn give_up(&self, at: usize, errno: Errno) -> ! {
        self.report(at, errno as i32);
        exit(NOT_STARTED)
    }

    fn report(&self, at: usize, errno: i32) {
        let mut report = [0; 8];
        report[..4].copy_from_slice(&(at as u32).to_ne_bytes());
        report[4..].copy_from_slice(&errno.to_ne_bytes());
        // SAFETY: the eight bytes outlive the call. If the parent is gone nobody asks for them.
        unsafe { libc::write(self.failure, report.as_ptr().cast(), report.len()) };
    }
}

/// Returns a variable with zeros behind it for the digits of a process number.
fn with_room(variable: &CString) -> Vec<u8> {
    let mut bytes = variable.as_bytes().to_vec();
    bytes.resize(bytes.len() + PID_DIGITS + 1, 0);
    bytes
}

/// Writes `number` behind what stands in `text`, whose last [`PID_DIGITS`] bytes and one are zeros. Allocates nothing.
fn write_number(text: &mut [u8], mut number: u32) {
    let start = text.len() - PID_DIGITS - 1;
    let digits = number.checked_ilog10().unwrap_or(0) as usize + 1;
    for at in (start..start + digits).rev() {
        text[at] = b'0' + (number % 10) as u8;
        number /= 10;
    }
}

/// Returns a number in decimal, which begins at the returned place. Allocates nothing.
fn decimal(number: i16) -> ([u8; SCORE_DIGITS], usize) {
    let (mut text, mut start, mut rest) = ([0; SCORE_DIGITS], SCORE_DIGITS, number.unsigned_abs());
    loop {
        start -= 1;
        text[start] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    if number < 0 {
        start -= 1;
        text[start] = b'-';
    }
    (text, start)
}

/// Ends the process at once, running nothing that the parent registered.
pub(crate) fn exit(code: libc::c_int) -> ! {
    // SAFETY: takes a number and does not return.
    unsafe { libc::_exit(code) }
}

fn own_input() -> Result<(), Failed> {
    // SAFETY: the path is a constant.
    let null = unsafe { libc::open(c"/dev/null".as_ptr(), libc::O_RDWR | libc::O_CLOEXEC) };
    check("open(/dev/null)", null.into())?;
    // SAFETY: takes numbers; what stood at 0 was put there for this.
    let put = check("dup3", unsafe { libc::syscall(libc::SYS_dup3, null, 0, 0) });
    // SAFETY: the descriptor was opened above and is used by nobody else.
    unsafe { libc::close(null) };
    put.map(drop)
}

fn set_file_mask(mask: u16) -> Result<(), Failed> {
    // SAFETY: takes a number and cannot fail.
    unsafe { libc::umask(mask.into()) };
    Ok(())
}

fn set_nice(level: i8) -> Result<(), Failed> {
    // SAFETY: takes numbers and touches no memory of ours.
    let result = unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, level.into()) };
    check("setpriority", result.into()).map(drop)
}

fn enter_group(procs: RawFd) -> Result<(), Failed> {
    // SAFETY: the one byte outlives the call. Zero stands for the writer itself.
    let written = unsafe { libc::write(procs, c"0".as_ptr().cast(), 1) };
    check("write(cgroup.procs)", written as libc::c_long).map(drop)
}

fn reset_signals() -> Result<(), Failed> {
    for signal in 1..=LAST_SIGNAL {
        // An ignored signal would stay ignored over exec. The refusals (KILL, STOP, the C library's own) are expected.
        // SAFETY: takes a number and a constant.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
    }
    // Not the call for threads, whose error the binding does not see.
    sigprocmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::empty()), None).map_err(failed("sigprocmask"))
}

fn limit(resource: Resource, value: u64, hard_too: bool) -> Result<(), Failed> {
    let resource = match resource {
        Resource::Core => libc::RLIMIT_CORE,
        Resource::OpenFiles => libc::RLIMIT_NOFILE,
        Resource::AddressSpace => libc::RLIMIT_AS,
        Resource::Tasks => libc::RLIMIT_NPROC,
        Resource::FileSize => libc::RLIMIT_FSIZE,
        Resource::LockedMemory => libc::RLIMIT_MEMLOCK,
        Resource::MessageQueues => libc::RLIMIT_MSGQUEUE,
        Resource::Stack => libc::RLIMIT_STACK,
        Resource::CpuTime => libc::RLIMIT_CPU,
        Resource::PendingSignals => libc::RLIMIT_SIGPENDING,
        Resource::RealTimePriority => libc::RLIMIT_RTPRIO,
        Resource::Priority => libc::RLIMIT_NICE,
    };
    let mut found = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: one rlimit is written, which outlives the call.
    check("getrlimit", unsafe { libc::getrlimit(resource, &raw mut found) }.into())?;
    // A hard limit that is lower already cannot be raised, and holds the promise too.
    let value = value.min(found.rlim_max);
    let wanted = libc::rlimit { rlim_cur: value, rlim_max: if hard_too { value } else { found.rlim_max } };
    // SAFETY: one rlimit is read, which outlives the call.
    check("setrlimit", unsafe { libc::setrlimit(resource, &raw const wanted) }.into()).map(drop)
}

/// Writes bytes to a file that is there. Async-signal-safe.
pub(crate) fn put(path: &CStr, bytes: &[u8]) -> Result<(), Failed> {
    put_below(libc::AT_FDCWD, path, bytes)
}

/// Writes bytes to a file that is there below an open folder. Async-signal-safe.
pub(crate) fn put_below(folder: RawFd, path: &CStr, bytes: &[u8]) -> Result<(), Failed> {
    // SAFETY: the path ends with a zero and outlives the call.
    let file = unsafe { libc::openat(folder, path.as_ptr(), libc::O_WRONLY | libc::O_CLOEXEC) };
    check("open", file.into())?;
    // SAFETY: the bytes outlive the call.
    let written = unsafe { libc::write(file, bytes.as_ptr().cast(), bytes.len()) };
    let written = check("write", written as libc::c_long).map(drop);
    // SAFETY: the descriptor was opened above and is used by nobody else.
    unsafe { libc::close(file) };
    written
}

fn place(moved: &[(RawFd, OwnedFd)], fd: BorrowedFd<'_>) -> RawFd {
    let raw = fd.as_raw_fd();
    moved.iter().find(|(from, _)| *from == raw).map_or(raw, |(_, to)| to.as_fd().as_raw_fd())
}

fn duplicate_above(fd: BorrowedFd<'_>, floor: RawFd) -> Result<OwnedFd, Failed> {
    use std::os::fd::FromRawFd;
    let copy = fcntl(fd, FcntlArg::F_DUPFD_CLOEXEC(floor)).map_err(failed("fcntl(F_DUPFD_CLOEXEC)"))?;
    // SAFETY: the kernel has just made this descriptor for us and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(copy) })
}

fn pointers(strings: &[CString]) -> Vec<*const libc::c_char> {
    strings.iter().map(|string| string.as_ptr()).chain([std::ptr::null()]).collect()
}

/// The exit code of a child whose parent died before its exec.
const UNWANTED: libc::c_int = 0;
/// The exit code of a child that failed at a step; the parent has the details.
const NOT_STARTED: libc::c_int = 127;
const LAST_SIGNAL: libc::c_int = 64;
/// Decimal digits of the largest process number, and more.
const PID_DIGITS: usize = 10;
/// The longest number of 16 bits, its sign included.
const SCORE_DIGITS: usize = 6;
/// Stands where an error number would, for a child that has not failed and waits.
pub(crate) const STANDS: i32 = 0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_score_is_written_with_its_sign() {
        for number in [0, 7, -7, 500, -1000, i16::MAX, i16::MIN] {
            let (text, start) = decimal(number);
            assert_eq!(std::str::from_utf8(&text[start..]).unwrap(), number.to_string());
        }
    }

    #[test]
    fn a_number_is_written_behind_its_variable() {
        for (number, written) in
            [(1, "1"), (9, "9"), (10, "10"), (4_194_304, "4194304"), (u32::MAX, "4294967295")]
        {
            let mut text = with_room(&CString::new("LISTEN_PID=").unwrap());
            write_number(&mut text, number);
            let text = std::ffi::CStr::from_bytes_until_nul(&text).expect("a zero is left");
            assert_eq!(text.to_str().unwrap(), format!("LISTEN_PID={written}"));
        }
    }
}
