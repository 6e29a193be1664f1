//! Namespaces that are made once and joined by many: a process makes them, hands them over as descriptors, and ends.
//!
//! The process is forked and never executes. It runs on prepared data and makes async-signal-safe calls only, so it may
//! be forked from a process of several threads. What it makes lives as long as a descriptor or a process of it.

use std::ffi::CStr;
use std::io::IoSlice;
use std::os::fd::{AsFd, BorrowedFd, FromRawFd, OwnedFd};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, SigmaskHow, Signal};

use crate::child::exit;
use crate::error::{Errno, Failed, check, failed};
use crate::realm::Realm;
use crate::socket::{self, Kind};
use crate::{identity, process, wait};

/// A kind of namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Namespace {
    /// What is mounted where.
    Mount,
    /// Interfaces, addresses, ports and abstract sockets.
    Network,
    /// System V's shared memory, semaphores and queues, and POSIX message queues.
    Ipc,
    /// The names of host and domain.
    Hostname,
    /// What of the tree of control groups is above its own.
    ControlGroups,
}

/// Namespaces with nothing in them, for all workers together. What the kernel refuses is `None`.
#[derive(Debug, Default)]
pub struct Commons {
    /// No interface but a loopback that is down.
    pub network: Option<OwnedFd>,
    /// Nobody's shared memory or queues.
    pub ipc: Option<OwnedFd>,
    /// A host that is called `localhost`.
    pub hostname: Option<OwnedFd>,
}

impl Namespace {
    pub(crate) fn flag(self) -> libc::c_int {
        match self {
            Self::Mount => libc::CLONE_NEWNS,
            Self::Network => libc::CLONE_NEWNET,
            Self::Ipc => libc::CLONE_NEWIPC,
            Self::Hostname => libc::CLONE_NEWUTS,
            Self::ControlGroups => libc::CLONE_NEWCGROUP,
        }
    }

    /// Returns the step of a start that joins one.
    pub(crate) fn join_name(self) -> &'static str {
        match self {
            Self::Mount => "join mount namespace",
            Self::Network => "join network namespace",
            Self::Ipc => "join ipc namespace",
            Self::Hostname => "join hostname namespace",
            Self::ControlGroups => "join control group namespace",
        }
    }

    /// Returns the step of a start that makes one.
    pub(crate) fn fresh_name(self) -> &'static str {
        match self {
            Self::Mount => "own mount namespace",
            Self::Network => "own network namespace",
            Self::Ipc => "own ipc namespace",
            Self::Hostname => "own hostname namespace",
            Self::ControlGroups => "own control group namespace",
        }
    }

    /// Returns where a process finds its own.
    fn path(self) -> &'static CStr {
        match self {
            Self::Mount => c"/proc/self/ns/mnt",
            Self::Network => c"/proc/self/ns/net",
            Self::Ipc => c"/proc/self/ns/ipc",
            Self::Hostname => c"/proc/self/ns/uts",
            Self::ControlGroups => c"/proc/self/ns/cgroup",
        }
    }

    /// Moves the calling process into a fresh one. Async-signal-safe.
    pub(crate) fn enter_fresh(self) -> Result<(), Failed> {
        // SAFETY: takes a number.
        check("unshare", unsafe { libc::unshare(self.flag()) }.into()).map(drop)
    }

    /// Opens the one that the calling process is in. Async-signal-safe.
    ///
    /// # Errors
    /// ENOENT without /proc, or with that of another PID namespace.
    pub(crate) fn open_own(self) -> Result<OwnedFd, Failed> {
        own_namespace(self.path())
    }

    /// Moves the calling process into `namespace`. Async-signal-safe.
    pub(crate) fn join(self, namespace: i32) -> Result<(), Failed> {
        // SAFETY: takes numbers.
        check("setns", unsafe { libc::setns(namespace, self.flag()) }.into()).map(drop)
    }
}

/// Opens a namespace of the calling process by its path. Async-signal-safe.
pub(crate) fn own_namespace(path: &CStr) -> Result<OwnedFd, Failed> {
    // SAFETY: the path ends with a zero and outlives the call.
    let fd = unsafe { libc::open(path.as_ptr(), libc::O_RDONLY | libc::O_CLOEXEC) };
    check("open(/proc/self/ns)", fd.into())?;
    // SAFETY: the kernel has just made this descriptor for us and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

impl Commons {
    /// Returns the namespace of a kind; `None` where there is none.
    pub fn of(&self, kind: Namespace) -> Option<BorrowedFd<'_>> {
        let made = match kind {
            Namespace::Network => &self.network,
            Namespace::Ipc => &self.ipc,
            Namespace::Hostname => &self.hostname,
            Namespace::Mount | Namespace::ControlGroups => return None,
        };
        made.as_ref().map(AsFd::as_fd)
    }

    /// Makes them, within `realm` if there is one, as far as the kernel lets this process.
    pub fn make(realm: Option<&Realm>) -> Self {
        let made = by_process(|report| {
            if realm.is_some_and(|realm| realm.join().is_err()) {
                return;
            }
            let mut made = [None, None, None];
            let mut found = 0;
            for (at, kind) in COMMON.into_iter().enumerate() {
                made[at] = kind.enter_fresh().and_then(|()| kind.open_own()).ok();
                found |= u32::from(made[at].is_some()) << at;
            }
            if made[2].is_some() {
                // SAFETY: the name is a constant of this many bytes.
                unsafe { libc::sethostname(NAME.as_ptr(), NAME.count_bytes()) };
                // SAFETY: as above.
                unsafe { libc::setdomainname(NOTHING.as_ptr(), NOTHING.count_bytes()) };
            }
            let [a, b, c] = &made;
            let mut present = [report; 3];
            let mut count = 0;
            for fd in [a, b, c].into_iter().flatten() {
                present[count] = fd.as_fd();
                count += 1;
            }
            tell(report, Report { at: found, errno: 0 }, &present[..count]);
        });
        let Ok((report, mut made)) = made else { return Self::default() };
        let mut take = |at: u32| (report.at & (1 << at) != 0 && !made.is_empty()).then(|| made.remove(0));
        Self { network: take(0), ipc: take(1), hostname: take(2) }
    }
}

/// What a process says of its work: two numbers whose meaning its caller knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Report {
    pub(crate) at: u32,
    pub(crate) errno: i32,
}

/// Forks a process that does `work`, which says what came of it by [`tell`] on the descriptor that it is given, and
/// returns what it said with the descriptors that it handed over. The process is gone by then.
///
/// `work` may make async-signal-safe calls only.
///
/// # Errors
/// When there is no process; EPIPE when it ended without a word.
pub(crate) fn by_process(work: impl FnOnce(BorrowedFd<'_>)) -> Result<(Report, Vec<OwnedFd>), Failed> {
    let (ours, theirs) = socket::pair(Kind::SeqPacket)?;
    let parent = nix::unistd::getpid();
    let mask = SigSet::all().thread_swap_mask(SigmaskHow::SIG_SETMASK).map_err(failed("sigprocmask"))?;
    let cloned = process::clone(0, None);
    if let Ok(None) = cloned {
        if identity::die_with_parent().is_ok() && nix::unistd::getppid() == parent {
            work(theirs.as_fd());
        }
        exit(0);
    }
    mask.thread_set_mask().map_err(failed("sigprocmask"))?;
    let (_, pidfd) = cloned?.expect("the child does not return from its work");
    drop(theirs);
    let mut said = [
        PollFd::new(ours.as_fd(), PollFlags::POLLIN),
        // Somebody else may have been forked meanwhile, with a copy of the other end.
        PollFd::new(pidfd.as_fd(), PollFlags::POLLIN),
    ];
    while poll(&mut said, PollTimeout::NONE) == Err(Errno::EINTR) {}
    let mut bytes = [0; 8];
    let packet = socket::receive(ours.as_fd(), &mut bytes);
    let _ended_already = wait::send_signal(pidfd.as_fd(), Signal::SIGKILL);
    let _taken_already = wait::wait_for_end(pidfd.as_fd());
    match packet {
        Ok(Some(packet)) if packet.bytes == bytes.len() && packet.lost.is_none() => {
            let [a, b, c, d, e, f, g, h] = bytes;
            let (at, errno) = (u32::from_ne_bytes([a, b, c, d]), i32::from_ne_bytes([e, f, g, h]));
            Ok((Report { at, errno }, packet.fds))
        }
        Ok(Some(packet)) if packet.lost.is_some() => Err(Failed { call: "recvmsg", errno: Errno::EMFILE }),
        _ => Err(Failed { call: "fork", errno: Errno::EPIPE }),
    }
}

/// Says what came of a process's work. Async-signal-safe.
pub(crate) fn tell(report: BorrowedFd<'_>, what: Report, fds: &[BorrowedFd<'_>]) {
    let mut bytes = [0; 8];
    bytes[..4].copy_from_slice(&what.at.to_ne_bytes());
    bytes[4..].copy_from_slice(&what.errno.to_ne_bytes());
    // Who does not hear it finds that the process has ended.
    let _unheard = socket::send(report, &[IoSlice::new(&bytes)], fds);
}

const COMMON: [Namespace; 3] = [Namespace::Network, Namespace::Ipc, Namespace::Hostname];
const NAME: &CStr = c"localhost";
const NOTHING: &CStr = c"(none)";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_common_is_nobodys_own() {
        if !nix::unistd::geteuid().is_root() {
            return;
        }
        let commons = Commons::make(None);
        for (made, kind) in [
            (&commons.network, Namespace::Network),
            (&commons.ipc, Namespace::Ipc),
            (&commons.hostname, Namespace::Hostname),
        ] {
            let made = nix::sys::stat::fstat(made.as_ref().expect("root may")).unwrap();
            let own = nix::sys::stat::stat(kind.path()).unwrap();
            assert_ne!(made.st_ino, own.st_ino, "{kind:?}");
        }
    }

    #[test]
    fn a_process_that_ends_without_a_word_is_told() {
        assert_eq!(by_process(|_| ()).unwrap_err().errno, Errno::EPIPE);
    }

    #[test]
    fn what_a_process_hands_over_arrives() {
        let (report, fds) =
            by_process(|report| tell(report, Report { at: 7, errno: -1 }, &[report])).unwrap();
        assert_eq!((report, fds.len()), (Report { at: 7, errno: -1 }, 1));
    }
}
