//! Asks the kernel about a process, and compares what it says with what the process's sandbox promises.
//!
//! Only files that wait for nothing that the process holds are read (decision 0008).

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::path::Path;

use nix::fcntl::{AtFlags, OFlag, openat};
use nix::sys::stat::{FileStat, Mode, fstatat};
use nix::unistd::getpid;

use crate::own_proc;
use crate::promise::{self, BORN, Broken, Heritage, Promise};

/// The kernel's word on processes: `/proc`, held open from the start on, so that no path is followed to it while the
/// loop runs. It is an instance that nobody else can reach, where the kernel gives one.
#[derive(Debug)]
pub struct Witness {
    proc: OwnedFd,
    heritage: Heritage,
    counts_descriptors: bool,
    lists_children: bool,
}

impl Witness {
    /// Opens `/proc`; `None` where it is not there or does not tell of filters.
    pub fn call() -> Option<Self> {
        let shared = Self::at(File::open("/proc").ok()?.into())?;
        // After the first look: kernels that do not tell of filters know one instance alone, which is everybody's.
        Some(own_proc::open().ok().and_then(Self::at).unwrap_or(shared))
    }

    fn at(proc: OwnedFd) -> Option<Self> {
        let mut witness =
            Self { proc, heritage: Heritage::default(), counts_descriptors: false, lists_children: false };
        let status = witness.read("self/status").ok()?;
        witness.heritage = Heritage {
            pid: getpid().as_raw(),
            filters: promise::filters(&status).ok()?,
            pids: promise::pids(&status),
            groups: promise::value(&status, "Groups").ok()?.to_owned(),
            oom_score_adjust: oom_score_adjust(),
        };
        witness.counts_descriptors = witness.stat("self/fd").is_ok_and(|found| found.st_size > 0);
        witness.lists_children = witness.stat("thread-self/children").is_ok();
        Some(witness)
    }

    /// Returns what cannot be compared, for the operator to know.
    pub fn unseen(witness: Option<&Self>) -> Vec<&'static str> {
        let Some(witness) = witness else {
            return vec!["/proc does not tell of system call filters: sandboxes are not verified"];
        };
        let descriptors =
            "/proc does not count descriptors (Linux 6.2 does): those of workers are not verified";
        let children =
            "/proc does not list children (CONFIG_PROC_CHILDREN): those of workers are not looked for";
        let score =
            "/proc cannot be written to: oom_score_adjust has no effect, workers have the supervisor's";
        let seen = [
            (witness.counts_descriptors, descriptors),
            (witness.lists_children, children),
            (witness.heritage.oom_score_adjust.is_some(), score),
        ];
        seen.into_iter().filter(|(is_seen, _)| !is_seen).map(|(_, text)| text).collect()
    }

    /// Compares a promise with what the kernel says of `pid`, a child of ours that is not reaped.
    ///
    /// What a process holds is gone before it is: one that is about to end breaks no promise, since no code of it runs any
    /// more, and its end will be told.
    ///
    /// # Errors
    /// The first promise that is broken.
    pub fn check(&self, promise: &Promise, pid: i32) -> Result<(), Broken> {
        let is_ending = || self.read(&format!("{pid}/stat")).is_ok_and(|stat| promise::is_ending(&stat));
        self.compare(promise, pid).or_else(|broken| if is_ending() { Ok(()) } else { Err(broken) })
    }

    fn compare(&self, promise: &Promise, pid: i32) -> Result<(), Broken> {
        let file = |name| self.read(&format!("{pid}/{name}")).map_err(|_| Broken::Untold { field: name });
        // First that its only thread is bound: what it makes from here on is bound as well, and what it made before
        // has to be gone when threads are counted, or to be a child.
        promise.check_status(&file("status")?, &self.heritage)?;
        promise.check_family(&file("stat")?, pid, &self.heritage)?;
        if promise.sandbox.is_some() {
            self.check_children(pid)?;
            // Whoever has no sandbox may have the power to raise them.
            promise.check_limits(&file("limits")?)?;
            promise.check_oom_score(&file("oom_score_adj")?, &self.heritage)?;
        }
        let descriptors = promise.sandbox.and_then(|confined| confined.descriptors);
        if let Some(expected) = descriptors.filter(|_| self.counts_descriptors) {
            let counted = self.stat(&format!("{pid}/fd")).map_err(|_| Broken::Untold { field: "fd" })?;
            let found = counted.st_size.unsigned_abs();
            if found != expected {
                return Err(Broken::Descriptors { found, expected });
            }
        }
        let owner = self.stat(&format!("{pid}/status")).map_err(|_| Broken::Untold { field: "status" })?;
        promise.check_owner(owner.st_uid)?;
        // Once more: an exec by another thread would have taken the place of the one that was looked at.
        promise.check_status(&file("status")?, &self.heritage)
    }

    fn check_children(&self, pid: i32) -> Result<(), Broken> {
        if !self.lists_children {
            return Ok(());
        }
        // A list of its only thread's children is that of all its children.
        let children = self.read(&format!("{pid}/task/{pid}/children"));
        let children = children.map_err(|_| Broken::Untold { field: "children" })?;
        match children.split_whitespace().next() {
            Some(first) => Err(Broken::Children { first: first.to_owned() }),
            None => Ok(()),
        }
    }

    /// Returns when `pid` was started, in the kernel's ticks since the boot; `None` if there is no such process.
    pub fn born(&self, pid: i32) -> Option<u64> {
        let stat = self.read(&format!("{pid}/stat")).ok()?;
        promise::stat_fields(&stat).get(BORN)?.parse().ok()
    }

    /// Returns whether a debugger holds `pid`, a child of ours that is not reaped.
    pub fn is_traced(&self, pid: i32) -> bool {
        let status = self.read(&format!("{pid}/status"));
        status.is_ok_and(|status| promise::value(&status, "TracerPid").is_ok_and(|tracer| tracer != "0"))
    }

    /// Returns whether `pid` is confined more than this process is: it has more system call filters, or is in a namespace of
    /// processes within ours. Who is not there any more may have been.
    pub fn is_confined(&self, pid: i32) -> bool {
        let Ok(status) = self.read(&format!("{pid}/status")) else { return true };
        let filters = promise::filters(&status).unwrap_or(usize::MAX);
        filters > self.heritage.filters || promise::pids(&status) > self.heritage.pids
    }

    /// Opens the folder that lists the threads of `pid`, a child of ours that is not reaped; `None` if it has none.
    pub fn threads(&self, pid: i32) -> Option<OwnedFd> {
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        openat(&self.proc, format!("{pid}/task").as_str(), flags, Mode::empty()).ok()
    }

    /// Reads the beginning of a file, which is all of it unless that is a long list of children.
    fn read(&self, path: &str) -> io::Result<String> {
        let file = openat(&self.proc, path, OFlag::O_RDONLY | OFlag::O_CLOEXEC, Mode::empty())?;
        let mut bytes = Vec::with_capacity(FILE_BYTES);
        File::from(file).take(FILE_BYTES as u64).read_to_end(&mut bytes)?;
        // A process may call itself by bytes that are no text.
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    fn stat(&self, path: &str) -> io::Result<FileStat> {
        Ok(fstatat(&self.proc, Path::new(path), AtFlags::empty())?)
    }
}

/// Returns how early the kernel kills this process, and what it starts, for want of memory; `None` where a child could
/// not have another score.
fn oom_score_adjust() -> Option<i32> {
    let mut file = File::options().read(true).write(true).open("/proc/self/oom_score_adj").ok()?;
    let mut text = String::new();
    file.read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

/// More than the longest of these files on a machine of many processors.
const FILE_BYTES: usize = 16 << 10;

#[cfg(test)]
mod tests {
    use std::os::fd::{AsFd, AsRawFd};
    use std::process::{Child, Command, Stdio};

    use nix::sys::wait::{Id, WaitPidFlag, waitid};
    use nix::unistd::{Pid, getgid, getuid};

    use super::*;
    use crate::capability::Capabilities;
    use crate::identity::Identity;
    use crate::process::Resource;
    use crate::promise::Confined;

    /// A program in a session of its own that waits for its input to end, and its number.
    fn program(script: &str) -> (Child, i32) {
        let mut command = Command::new("setsid");
        command.args(["setpriv", "--no-new-privs", "sh", "-c", &format!("echo; {script}")]);
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut line = [0];
        child.stdout.as_mut().expect("it was piped").read_exact(&mut line).unwrap();
        let pid = i32::try_from(child.id()).unwrap();
        (child, pid)
    }

    fn promise() -> Promise {
        let identity = Identity { uid: getuid().as_raw(), gid: getgid().as_raw() };
        let oom_score_adjust = oom_score_adjust().expect("/proc is mounted");
        Promise { identity, groups: None, limits: Vec::new(), oom_score_adjust, pids: 0, sandbox: None }
    }

    fn confined(filters: usize, descriptors: u64) -> Promise {
        let sandbox = Confined {
            capabilities: Capabilities::ALL,
            is_bounded: true,
            filters,
            descriptors: Some(descriptors),
            is_dumpable: true,
        };
        Promise { sandbox: Some(sandbox), ..promise() }
    }

    #[test]
    fn what_the_kernel_says_of_a_child_is_compared_and_of_one_that_is_gone_it_says_nothing() {
        let witness = Witness::call().expect("/proc is mounted");
        let (mut child, pid) = program("read line");
        // What starts the tests may leave it more than three.
        let held = std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count() as u64;
        assert_eq!(witness.check(&promise(), pid), Ok(()));
        assert_eq!(witness.check(&confined(0, held), pid), Ok(()));
        let (found, expected) = (witness.heritage.filters, witness.heritage.filters + 1);
        assert_eq!(witness.check(&confined(1, held), pid), Err(Broken::Filters { found, expected }));
        for expected in [held - 1, held + 1] {
            let descriptors = Broken::Descriptors { found: held, expected };
            assert_eq!(witness.check(&confined(0, expected), pid), Err(descriptors));
        }
        let low = Promise { limits: vec![(Resource::OpenFiles, 1)], ..confined(0, held) };
        assert!(matches!(witness.check(&low, pid), Err(Broken::Limit { what: "Max open files", .. })));
        assert!(witness.born(pid).is_some());
        drop(child.stdin.take());
        waitid(Id::Pid(Pid::from_raw(pid)), WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT).unwrap();
        // It holds nothing any more, and is not reaped.
        let empty = Err(Broken::Descriptors { found: 0, expected: held });
        assert_eq!(witness.compare(&confined(0, held), pid), empty);
        assert_eq!(witness.check(&confined(0, held), pid), Ok(()));
        child.wait().unwrap();
        assert_eq!(witness.check(&promise(), pid), Err(Broken::Untold { field: "status" }));
        assert_eq!(witness.born(pid), None);
    }

    #[test]
    fn a_child_of_a_process_is_seen() {
        let witness = Witness::call().expect("/proc is mounted");
        let (mut parent, pid) = program("sleep 1000 <&- >&- & read line; kill $!; wait $!");
        let found = loop {
            match witness.check(&confined(0, 3), pid) {
                Err(Broken::Children { first }) => break first,
                // The shell has not come to it yet.
                _ => std::thread::yield_now(),
            }
        };
        assert_ne!(found, pid.to_string());
        drop(parent.stdin.take());
        parent.wait().unwrap();
    }

    #[test]
    fn a_place_that_does_not_tell_of_processes_is_no_witness() {
        let folder = tempfile::tempdir().unwrap();
        assert!(Witness::at(File::open(folder.path()).unwrap().into()).is_none());
        let unseen = Witness::unseen(None);
        assert!(unseen[0].contains("not verified"), "{unseen:?}");
        let witness = Witness::call().expect("/proc is mounted");
        assert_eq!(Witness::unseen(Some(&witness)).len(), 0);
        let heritage = Heritage { oom_score_adjust: None, ..witness.heritage };
        let blind = Witness { counts_descriptors: false, lists_children: false, heritage, ..witness };
        assert_eq!(Witness::unseen(Some(&blind)).len(), 3);
    }

    #[test]
    fn its_instance_of_proc_is_mounted_nowhere() {
        let Ok(own) = own_proc::open() else {
            eprintln!("SKIPPED its own instance: only root can mount");
            return;
        };
        let device = |fd: std::os::fd::BorrowedFd<'_>| nix::sys::stat::fstat(fd).unwrap().st_dev;
        assert_ne!(device(own.as_fd()), device(File::open("/proc").unwrap().as_fd()));
        let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
        let place = std::fs::read_link(format!("/proc/self/fd/{}", own.as_raw_fd())).unwrap();
        assert_eq!(place, Path::new("/"), "the top of a tree of its own");
        let minor = device(own.as_fd()) & 0xff;
        assert!(
            !mounts.lines().any(|line| line.split(' ').nth(2) == Some(&format!("0:{minor}"))),
            "{mounts}"
        );
    }
}
