//! Compares what the kernel says of a process with what its sandbox promises, before code of the user runs.

use bailiwick_sys::capability::Capabilities;
use bailiwick_sys::identity::Identity;
use thiserror::Error;

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
///
/// # Errors
/// When the text does not say.
pub fn filters(status: &str) -> Result<usize, Broken> {
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
