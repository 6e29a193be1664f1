//! Compares what the kernel says of a process with what its sandbox promises, before code of the user runs.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::path::Path;

use nix::fcntl::{OFlag, openat};
use nix::sys::stat::Mode;
use thiserror::Error;

use crate::capability::Capabilities;
use crate::identity::Identity;

/// The kernel's word on processes: `/proc`, held open from the start on, so that no path is followed to it while the
/// loop runs. To read `status` never waits for the process that it tells of (decision 0008).
#[derive(Debug)]
pub struct Witness {
    proc: OwnedFd,
    /// System call filters that every child inherits.
    own_filters: usize,
}

/// What has to hold for a worker that has completed its sandbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Promise {
    /// All four of its users and groups.
    pub identity: Identity,
    /// What it may hold at most: permitted, effective and ambient. `None` where that is left to the user's power.
    pub capabilities: Option<Capabilities>,
    /// It has renounced new privileges.
    pub no_new_privileges: bool,
    /// System call filters that stand at least.
    pub filters: usize,
}

/// A promise that does not hold.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum Broken {
    /// The kernel does not say.
    #[error("the kernel does not tell its {field}")]
    Untold {
        /// The line of `/proc/PID/status`.
        field: &'static str,
    },
    /// A user or group is another one.
    #[error("its {field} are {found:?}, expected {expected} four times")]
    Identity {
        /// The line of `/proc/PID/status`.
        field: &'static str,
        /// What the kernel says.
        found: Vec<u32>,
        /// What was promised.
        expected: u32,
    },
    /// It holds more than it is granted.
    #[error("its {field} is {found:#x}, expected no more than {expected:#x}")]
    Capabilities {
        /// The line of `/proc/PID/status`.
        field: &'static str,
        /// What the kernel says.
        found: u64,
        /// What was promised.
        expected: u64,
    },
    /// It can gain privileges by exec.
    #[error("it has not renounced new privileges")]
    NewPrivileges,
    /// Filters are missing.
    #[error("{found} system call filters stand, expected {expected}")]
    Filters {
        /// What the kernel says.
        found: usize,
        /// What was promised.
        expected: usize,
    },
}

impl Witness {
    /// Opens `/proc`; `None` where it is not there or does not tell of filters.
    pub fn call() -> Option<Self> {
        Self::at(Path::new("/proc"))
    }

    fn at(path: &Path) -> Option<Self> {
        let proc = File::open(path).ok()?.into();
        let mut witness = Self { proc, own_filters: 0 };
        witness.own_filters = filters(&witness.status("self").ok()?).ok()?;
        Some(witness)
    }

    /// Compares a promise with what the kernel says of `pid`, a child of ours that is not reaped.
    ///
    /// # Errors
    /// The first promise that is broken.
    pub fn check(&self, mut promise: Promise, pid: i32) -> Result<(), Broken> {
        promise.filters += self.own_filters;
        promise.check(&self.status(pid).unwrap_or_default())
    }

    /// Returns whether a debugger holds `pid`, a child of ours that is not reaped.
    pub fn is_traced(&self, pid: i32) -> bool {
        self.status(pid).is_ok_and(|status| value(&status, "TracerPid").is_ok_and(|tracer| tracer != "0"))
    }

    /// Opens the folder that lists the threads of `pid`, a child of ours that is not reaped; `None` if it has none.
    pub fn threads(&self, pid: i32) -> Option<OwnedFd> {
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        openat(&self.proc, format!("{pid}/task").as_str(), flags, Mode::empty()).ok()
    }

    fn status(&self, process: impl std::fmt::Display) -> io::Result<String> {
        let path = format!("{process}/status");
        let file = openat(&self.proc, path.as_str(), OFlag::O_RDONLY | OFlag::O_CLOEXEC, Mode::empty())?;
        let mut text = String::new();
        File::from(file).read_to_string(&mut text)?;
        Ok(text)
    }
}

impl Promise {
    /// Compares the promise with the text of `/proc/PID/status`.
    ///
    /// # Errors
    /// The first promise that is broken.
    pub fn check(&self, status: &str) -> Result<(), Broken> {
        for (field, expected) in [("Uid", self.identity.uid), ("Gid", self.identity.gid)] {
            let found: Vec<u32> =
                value(status, field)?.split_whitespace().filter_map(|number| number.parse().ok()).collect();
            if found != [expected; 4] {
                return Err(Broken::Identity { field, found, expected });
            }
        }
        for field in ["CapPrm", "CapEff", "CapAmb"] {
            let Some(expected) = self.capabilities.map(Capabilities::bits) else { continue };
            let found =
                u64::from_str_radix(value(status, field)?, 16).map_err(|_| Broken::Untold { field })?;
            if found & !expected != 0 {
                return Err(Broken::Capabilities { field, found, expected });
            }
        }
        if self.no_new_privileges && value(status, "NoNewPrivs")? != "1" {
            return Err(Broken::NewPrivileges);
        }
        let found = filters(status)?;
        if found < self.filters {
            return Err(Broken::Filters { found, expected: self.filters });
        }
        Ok(())
    }
}

/// Returns how many system call filters stand according to the text of `/proc/PID/status`.
fn filters(status: &str) -> Result<usize, Broken> {
    let field = "Seccomp_filters";
    value(status, field)?.parse().map_err(|_| Broken::Untold { field })
}

fn value<'a>(status: &'a str, field: &'static str) -> Result<&'a str, Broken> {
    let of_line = |line: &'a str| line.strip_prefix(field)?.strip_prefix(':').map(str::trim);
    status.lines().find_map(of_line).ok_or(Broken::Untold { field })
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATUS: &str = "Name:\tweb\nUid:\t7\t7\t7\t7\nGid:\t8\t8\t8\t8\nCapPrm:\t0000000000000400\n\
        CapEff:\t0000000000000400\nCapBnd:\t0000000000000400\nCapAmb:\t0000000000000400\n\
        NoNewPrivs:\t1\nSeccomp:\t2\nSeccomp_filters:\t2\n";

    fn promise() -> Promise {
        Promise {
            identity: Identity { uid: 7, gid: 8 },
            capabilities: Capabilities::named("CAP_NET_BIND_SERVICE"),
            no_new_privileges: true,
            filters: 2,
        }
    }

    #[test]
    fn a_process_that_is_as_promised_passes() {
        assert_eq!(promise().check(STATUS), Ok(()));
        assert_eq!(Promise { capabilities: None, ..promise() }.check(STATUS), Ok(()));
    }

    #[test]
    fn what_the_kernel_says_of_a_child_is_compared_with_the_filters_that_it_inherits() {
        let witness = Witness::call().expect("/proc is mounted");
        let mut child =
            std::process::Command::new("cat").stdin(std::process::Stdio::piped()).spawn().unwrap();
        let pid = i32::try_from(child.id()).unwrap();
        let (uid, gid) = (nix::unistd::getuid().as_raw(), nix::unistd::getgid().as_raw());
        let identity = Identity { uid, gid };
        let promise = Promise { identity, capabilities: None, no_new_privileges: false, filters: 0 };
        assert_eq!(witness.check(promise, pid), Ok(()));
        let expected = witness.own_filters + 1;
        let broken = Broken::Filters { found: witness.own_filters, expected };
        assert_eq!(witness.check(Promise { filters: 1, ..promise }, pid), Err(broken));
        drop(child.stdin.take());
        child.wait().unwrap();
        assert_eq!(witness.check(promise, pid), Err(Broken::Untold { field: "Uid" }));
    }

    #[test]
    fn a_place_that_does_not_tell_of_processes_is_no_witness() {
        assert!(Witness::at(Path::new("/nowhere")).is_none());
        assert!(Witness::at(tempfile::tempdir().unwrap().path()).is_none());
    }

    #[test]
    fn every_broken_promise_is_named() {
        let broken = |line: &str, by: &str| promise().check(&STATUS.replace(line, by)).unwrap_err();
        assert!(matches!(broken("Uid:\t7\t7", "Uid:\t7\t0"), Broken::Identity { field: "Uid", .. }));
        assert!(matches!(broken("\t8\n", "\t0\n"), Broken::Identity { field: "Gid", .. }));
        let more = Broken::Capabilities { field: "CapEff", found: 0x401, expected: 0x400 };
        assert_eq!(broken("CapEff:\t0000000000000400", "CapEff:\t0000000000000401"), more);
        assert_eq!(broken("NoNewPrivs:\t1", "NoNewPrivs:\t0"), Broken::NewPrivileges);
        assert_eq!(broken("filters:\t2", "filters:\t1"), Broken::Filters { found: 1, expected: 2 });
        assert_eq!(broken("CapAmb", "CapXyz"), Broken::Untold { field: "CapAmb" });
    }
}
