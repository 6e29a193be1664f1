//! What a single-threaded loop waits on: epoll, signals, one timer, a doorbell, and the clock they share.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, SystemTime};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::eventfd::{EfdFlags, EventFd};
pub use nix::sys::signal::Signal;
use nix::sys::signal::{SigHandler, SigSet, SigmaskHow, signal, sigprocmask};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};
use nix::time::clock_gettime;

use crate::error::{Errno, Failed, failed};

/// What to wait for on a descriptor. A hangup or an error always wakes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Interest {
    /// Something can be read, or the other end closed.
    pub readable: bool,
    /// Something can be written.
    pub writable: bool,
    /// Something exceptional, which is how a cgroup file says that it changed.
    pub priority: bool,
}

impl Interest {
    /// Wakes when something can be read.
    pub const READ: Self = Self { readable: true, writable: false, priority: false };
    /// Wakes when something can be read or written.
    pub const READ_WRITE: Self = Self { readable: true, writable: true, priority: false };
    /// Wakes when a cgroup file changed.
    pub const PRIORITY: Self = Self { readable: false, writable: false, priority: true };

    fn flags(self) -> EpollFlags {
        let mut flags = EpollFlags::empty();
        flags.set(EpollFlags::EPOLLIN | EpollFlags::EPOLLRDHUP, self.readable);
        flags.set(EpollFlags::EPOLLOUT, self.writable);
        flags.set(EpollFlags::EPOLLPRI, self.priority);
        flags
    }
}

/// Waits for one descriptor, and takes no other for that, at most so many milliseconds. Returns whether it is worth a
/// look.
///
/// # Errors
/// ENOMEM.
pub fn wait_for_one(fd: impl AsFd, interest: Interest, limit_ms: Option<u32>) -> Result<bool, Failed> {
    let mut flags = PollFlags::empty();
    flags.set(PollFlags::POLLIN, interest.readable);
    flags.set(PollFlags::POLLOUT, interest.writable);
    flags.set(PollFlags::POLLPRI, interest.priority);
    let limit = limit_ms.and_then(|limit| PollTimeout::try_from(limit).ok()).unwrap_or(PollTimeout::NONE);
    match poll(&mut [PollFd::new(fd.as_fd(), flags)], limit) {
        Ok(ready) => Ok(ready > 0),
        Err(Errno::EINTR) => Ok(true),
        Err(errno) => Err(Failed { call: "poll", errno }),
    }
}

/// Something happened on the descriptor that was added under `token`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Woken {
    /// What the descriptor was added under.
    pub token: u64,
    /// Something can be read.
    pub readable: bool,
    /// Something can be written.
    pub writable: bool,
    /// Something exceptional.
    pub priority: bool,
    /// The other end closed, wholly or for writing, or the descriptor is broken.
    pub closed: bool,
}

/// Waits on many descriptors at once, level-triggered.
#[derive(Debug)]
pub struct Poller {
    epoll: Epoll,
    buffer: Vec<EpollEvent>,
}

impl Poller {
    /// Makes one that reports at most `batch` events per wait (at least 1).
    ///
    /// # Errors
    /// When the descriptor table is full.
    pub fn new(batch: usize) -> Result<Self, Failed> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).map_err(failed("epoll_create1"))?;
        Ok(Self { epoll, buffer: vec![EpollEvent::empty(); batch.max(1)] })
    }

    /// Starts to watch `fd`; what happens on it is reported under `token`.
    ///
    /// # Errors
    /// When `fd` is watched already or cannot be watched.
    pub fn add(&self, fd: impl AsFd, token: u64, interest: Interest) -> Result<(), Failed> {
        self.epoll.add(fd, EpollEvent::new(interest.flags(), token)).map_err(failed("epoll_ctl(ADD)"))
    }

    /// Changes what is waited for on `fd`.
    ///
    /// # Errors
    /// When `fd` is not watched.
    pub fn change(&self, fd: impl AsFd, token: u64, interest: Interest) -> Result<(), Failed> {
        let mut event = EpollEvent::new(interest.flags(), token);
        self.epoll.modify(fd, &mut event).map_err(failed("epoll_ctl(MOD)"))
    }

    /// Stops to watch `fd`. To be called before it is closed: a duplicate elsewhere would keep it watched.
    ///
    /// # Errors
    /// When `fd` is not watched.
    pub fn remove(&self, fd: impl AsFd) -> Result<(), Failed> {
        self.epoll.delete(fd).map_err(failed("epoll_ctl(DEL)"))
    }

    /// Waits until something happens, or `timeout_ms` passed (`None` waits for ever), and returns what happened.
    ///
    /// An interrupted wait returns nothing.
    ///
    /// # Errors
    /// Never for a valid poller; the kernel's reason otherwise.
    pub fn wait(&mut self, timeout_ms: Option<u32>) -> Result<impl Iterator<Item = Woken> + '_, Failed> {
        let timeout = match timeout_ms {
            None => EpollTimeout::NONE,
            Some(ms) => {
                EpollTimeout::try_from(i32::try_from(ms).unwrap_or(i32::MAX)).unwrap_or(EpollTimeout::MAX)
            }
        };
        let count = match self.epoll.wait(&mut self.buffer, timeout) {
            Err(Errno::EINTR) => 0,
            other => other.map_err(failed("epoll_wait"))?,
        };
        Ok(self.buffer[..count].iter().map(|event| {
            let flags = event.events();
            let over = EpollFlags::EPOLLHUP | EpollFlags::EPOLLRDHUP | EpollFlags::EPOLLERR;
            Woken {
                token: event.data(),
                readable: flags.contains(EpollFlags::EPOLLIN),
                writable: flags.contains(EpollFlags::EPOLLOUT),
                priority: flags.contains(EpollFlags::EPOLLPRI),
                closed: flags.intersects(over),
            }
        }))
    }
}

impl From<Poller> for OwnedFd {
    /// Returns the descriptor: readable when something happened on one that is watched.
    fn from(poller: Poller) -> Self {
        poller.epoll.0
    }
}

impl AsFd for Poller {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.epoll.0.as_fd()
    }
}

/// Signals of this process as events.
#[derive(Debug)]
pub struct Signals {
    fd: SignalFd,
}

impl Signals {
    /// Blocks `signals` in the calling thread and takes them as events from now on.
    ///
    /// Children made by [`crate::process::spawn`] start with nothing blocked.
    ///
    /// # Errors
    /// When the descriptor table is full.
    pub fn take(signals: &[Signal]) -> Result<Self, Failed> {
        let set: SigSet = signals.iter().copied().collect();
        // Not the call for threads, whose error the binding does not see.
        sigprocmask(SigmaskHow::SIG_BLOCK, Some(&set), None).map_err(failed("sigprocmask"))?;
        let flags = SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK;
        Ok(Self { fd: SignalFd::with_flags(&set, flags).map_err(failed("signalfd"))? })
    }

    /// Returns the next signal, and the process that sent it if one did; `None` when there is none.
    ///
    /// Several signals of one number may have become one: after SIGCHLD look at every child.
    ///
    /// # Errors
    /// Never for a valid descriptor; the kernel's reason otherwise.
    pub fn next(&self) -> Result<Option<(Signal, i32)>, Failed> {
        let Some(info) = self.fd.read_signal().map_err(failed("read(signalfd)"))? else { return Ok(None) };
        let number = i32::try_from(info.ssi_signo).unwrap_or(0);
        Ok(Signal::try_from(number).ok().map(|signal| (signal, info.ssi_pid.cast_signed())))
    }
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// Returns whether the process was started with `signal` ignored, as by `nohup`, or has it ignored since.
pub fn is_ignored(signal: Signal) -> bool {
    // SAFETY: sigaction consists of integers and pointers, for which all-zero bytes are a value.
    let mut found: libc::sigaction = unsafe { std::mem::zeroed() };
    // SAFETY: without a new action the call only writes to `found`, which outlives it.
    let result = unsafe { libc::sigaction(signal as i32, std::ptr::null(), &raw mut found) };
    result == 0 && found.sa_sigaction == libc::SIG_IGN
}

/// Has the kernel keep the ends of children for [`crate::wait`], also where whoever started the process had it ignore
/// SIGCHLD: then they are forgotten at once, and nobody learns how a child ended.
pub(crate) fn keep_ends_of_children() -> Result<(), Failed> {
    if is_ignored(Signal::SIGCHLD) {
        // SAFETY: the default action of SIGCHLD runs no code.
        unsafe { signal(Signal::SIGCHLD, SigHandler::SigDfl) }.map_err(failed("sigaction"))?;
    }
    Ok(())
}

/// Has this process, which decides over the lives of others, live on where a signal would end it that is neither meant for it
/// nor a fault of its code: SIGUSR2, SIGALRM, SIGVTALRM, SIGPROF, SIGIO, SIGPWR, SIGSTKFLT and the real-time signals have no
/// effect. A write to a file that may not grow any more (RLIMIT_FSIZE) fails with EFBIG instead of raising SIGXFSZ.
///
/// Of a child they have their default meaning after [`crate::process::Step::ResetSignals`].
pub fn survive_stray_signals() {
    let named = STRAY.map(|signal| signal as i32);
    for number in named.into_iter().chain(libc::SIGRTMIN()..=libc::SIGRTMAX()) {
        // SAFETY: an ignored signal runs no code.
        let _cannot_fail = unsafe { libc::signal(number, libc::SIG_IGN) };
    }
}

/// Has a write to a file that may not grow any more (RLIMIT_FSIZE) fail with EFBIG instead of raising SIGXFSZ, which
/// would end the process. Programs that it executes inherit that.
pub fn bear_file_limits() {
    // SAFETY: an ignored signal runs no code.
    let _cannot_fail = unsafe { libc::signal(libc::SIGXFSZ, libc::SIG_IGN) };
}

const STRAY: [Signal; 8] = [
    Signal::SIGUSR2,
    Signal::SIGALRM,
    Signal::SIGVTALRM,
    Signal::SIGPROF,
    Signal::SIGIO,
    Signal::SIGPWR,
    Signal::SIGSTKFLT,
    Signal::SIGXFSZ,
];

/// Returns whether the process has a controlling terminal at present.
pub fn has_terminal() -> bool {
    std::fs::File::open("/dev/tty").is_ok()
}

/// Ends the process by `signal`, which must have kept its default meaning, though it may be blocked.
///
/// # Errors
/// Returns at all only if the signal does not end the process.
pub fn die_of(signal: Signal) -> Result<(), Failed> {
    SigSet::from(signal).thread_unblock().map_err(failed("sigprocmask"))?;
    nix::sys::signal::raise(signal).map_err(failed("raise"))
}

/// One timer that becomes readable at a time of [`monotonic_ns`].
#[derive(Debug)]
pub struct Timer {
    fd: TimerFd,
}

impl Timer {
    /// Makes a timer that is not set.
    ///
    /// # Errors
    /// When the descriptor table is full.
    pub fn new() -> Result<Self, Failed> {
        let flags = TimerFlags::TFD_CLOEXEC | TimerFlags::TFD_NONBLOCK;
        let fd = TimerFd::new(ClockId::CLOCK_MONOTONIC, flags).map_err(failed("timerfd_create"))?;
        Ok(Self { fd })
    }

    /// Sets the timer to `at_ns`, which may have passed already, or turns it off; a time that was set before is forgotten.
    ///
    /// # Errors
    /// Never for a valid descriptor; the kernel's reason otherwise.
    pub fn set(&self, at_ns: Option<u64>) -> Result<(), Failed> {
        let Some(at_ns) = at_ns else { return self.fd.unset().map_err(failed("timerfd_settime")) };
        // Zero would turn it off instead of letting it ring at once.
        let at_ns = at_ns.max(1);
        let seconds = i64::try_from(at_ns / NS_PER_SECOND).unwrap_or(i64::MAX);
        let at = TimeSpec::new(seconds, (at_ns % NS_PER_SECOND) as i64);
        let flags = TimerSetTimeFlags::TFD_TIMER_ABSTIME;
        self.fd.set(Expiration::OneShot(at), flags).map_err(failed("timerfd_settime"))
    }

    /// Makes a timer that rang unreadable again; returns whether it had rung.
    pub fn acknowledge(&self) -> bool {
        let mut count = [0; 8];
        nix::unistd::read(&self.fd, &mut count) == Ok(count.len())
    }
}

impl AsFd for Timer {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// A doorbell between threads or processes: any number of rings, one wake.
#[derive(Debug)]
pub struct Bell {
    fd: EventFd,
}

impl Bell {
    /// Makes a silent bell.
    ///
    /// # Errors
    /// When the descriptor table is full.
    pub fn new() -> Result<Self, Failed> {
        let flags = EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK;
        Ok(Self { fd: EventFd::from_value_and_flags(0, flags).map_err(failed("eventfd"))? })
    }

    /// Rings. A bell that is full rings already.
    pub fn ring(&self) {
        let _already_ringing = self.fd.write(1);
    }

    /// Silences the bell; returns whether it rang.
    pub fn silence(&self) -> bool {
        self.fd.read().is_ok()
    }
}

impl AsFd for Bell {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// Returns the time of CLOCK_MONOTONIC in nanoseconds, the same clock in every process of this machine.
pub fn monotonic_ns() -> u64 {
    let now = clock_gettime(nix::time::ClockId::CLOCK_MONOTONIC).expect("every Linux has CLOCK_MONOTONIC");
    now.tv_sec().unsigned_abs() * NS_PER_SECOND + now.tv_nsec().unsigned_abs()
}

/// Returns the time since 1970, by a clock that may jump.
pub fn wall() -> Duration {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
}

/// Returns the time of [`monotonic_ns`] as it was at the kernel's last tick, 1 to 10 ms ago at most. Costs less.
pub fn coarse_ns() -> u64 {
    let clock = nix::time::ClockId::CLOCK_MONOTONIC_COARSE;
    let now = clock_gettime(clock).expect("every Linux has CLOCK_MONOTONIC_COARSE");
    now.tv_sec().unsigned_abs() * NS_PER_SECOND + now.tv_nsec().unsigned_abs()
}

/// Returns for how long this thread has computed, in nanoseconds. That others had its core meanwhile does not count.
pub fn thread_cpu_ns() -> u64 {
    let clock = nix::time::ClockId::CLOCK_THREAD_CPUTIME_ID;
    let used = clock_gettime(clock).expect("every Linux has CLOCK_THREAD_CPUTIME_ID");
    used.tv_sec().unsigned_abs() * NS_PER_SECOND + used.tv_nsec().unsigned_abs()
}

const NS_PER_SECOND: u64 = 1_000_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timer_set_in_the_past_rings_at_once() {
        let (mut poller, timer) = (Poller::new(4).unwrap(), Timer::new().unwrap());
        poller.add(&timer, 7, Interest::READ).unwrap();
        timer.set(Some(0)).unwrap();
        assert_eq!(poller.wait(Some(5_000)).unwrap().map(|woken| woken.token).collect::<Vec<_>>(), [7]);
        assert!(timer.acknowledge());
        assert!(!timer.acknowledge());
    }

    #[test]
    fn a_timer_that_is_turned_off_does_not_ring() {
        let (mut poller, timer) = (Poller::new(4).unwrap(), Timer::new().unwrap());
        poller.add(&timer, 7, Interest::READ).unwrap();
        timer.set(Some(1)).unwrap();
        timer.set(None).unwrap();
        assert_eq!(poller.wait(Some(0)).unwrap().count(), 0);
    }

    #[test]
    fn many_rings_are_one_wake() {
        let bell = Bell::new().unwrap();
        bell.ring();
        bell.ring();
        assert!(bell.silence());
        assert!(!bell.silence());
    }

    #[test]
    fn the_clock_does_not_go_back() {
        let first = monotonic_ns();
        assert!(monotonic_ns() >= first);
    }
}
