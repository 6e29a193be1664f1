//! Capabilities by the kernel's names and numbers, and the sets that a thread holds.

use std::fmt;

use crate::error::{Errno, Failed, check};

/// A set of capabilities.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Capabilities(u64);

/// What a thread holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    /// What it may make effective.
    pub permitted: Capabilities,
    /// What the kernel asks when it acts.
    pub effective: Capabilities,
    /// What may pass over exec.
    pub inheritable: Capabilities,
}

impl Capabilities {
    /// No capability.
    pub const NONE: Self = Self(0);
    /// Every capability that a kernel may know.
    pub const ALL: Self = Self(u64::MAX);

    /// Returns the set of one capability, named as the kernel does (`CAP_CHOWN`).
    pub fn named(name: &str) -> Option<Self> {
        NAMES.iter().position(|known| *known == name).map(Self::numbered)
    }

    /// Returns the names of every capability that can be named, in the kernel's order.
    pub fn names() -> &'static [&'static str] {
        &NAMES
    }

    const fn numbered(number: usize) -> Self {
        Self(1 << number)
    }

    /// Returns whether there is nothing in the set.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Returns whether everything in `other` is in this set.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Returns what is in either set.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Returns what is in both sets.
    #[must_use]
    pub const fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Returns what is in this set and not in `other`.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Returns the set as the kernel shows it: bit n is capability number n.
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// Returns the names in the set, in the kernel's order.
    pub fn iter(self) -> impl Iterator<Item = &'static str> {
        NAMES.iter().enumerate().filter(move |(n, _)| self.0 >> n & 1 == 1).map(|(_, name)| *name)
    }
}

impl fmt::Display for Capabilities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, name) in self.iter().enumerate() {
            if n > 0 {
                f.write_str(" ")?;
            }
            f.write_str(name)?;
        }
        if self.is_empty() { f.write_str("none") } else { Ok(()) }
    }
}

/// Returns what the calling thread holds.
///
/// # Errors
/// Never on a kernel that knows capabilities.
pub fn held() -> Result<Held, Failed> {
    let mut header = Header { version: VERSION_3, pid: 0 };
    let mut data = [Data::default(); 2];
    // SAFETY: version 3 has the kernel write exactly two `Data`, which is what `data` has room for.
    let result = unsafe { libc::syscall(libc::SYS_capget, &raw mut header, data.as_mut_ptr()) };
    check("capget", result)?;
    let join = |low: u32, high: u32| Capabilities(u64::from(low) | u64::from(high) << 32);
    Ok(Held {
        permitted: join(data[0].permitted, data[1].permitted),
        effective: join(data[0].effective, data[1].effective),
        inheritable: join(data[0].inheritable, data[1].inheritable),
    })
}

/// Makes the calling thread hold exactly `wanted`. Async-signal-safe.
///
/// # Errors
/// EPERM when `wanted` has what is not permitted.
pub fn hold(wanted: Held) -> Result<(), Failed> {
    let half = |shift: u32| Data {
        effective: (wanted.effective.0 >> shift) as u32,
        permitted: (wanted.permitted.0 >> shift) as u32,
        inheritable: (wanted.inheritable.0 >> shift) as u32,
    };
    let mut header = Header { version: VERSION_3, pid: 0 };
    let data = [half(0), half(32)];
    // SAFETY: version 3 has the kernel read exactly two `Data`, which is what `data` holds.
    let result = unsafe { libc::syscall(libc::SYS_capset, &raw mut header, data.as_ptr()) };
    check("capset", result).map(drop)
}

/// Removes everything but `kept` from the bounding set for ever. Async-signal-safe.
///
/// # Errors
/// EPERM without CAP_SETPCAP.
pub fn bound_to(kept: Capabilities) -> Result<(), Failed> {
    for number in 0..u64::BITS {
        if kept.0 >> number & 1 == 1 {
            continue;
        }
        // SAFETY: PR_CAPBSET_DROP takes a number and touches no memory of ours.
        let result = unsafe { libc::prctl(libc::PR_CAPBSET_DROP, libc::c_ulong::from(number), 0, 0, 0) };
        match check("prctl(PR_CAPBSET_DROP)", result.into()) {
            Ok(_) => {}
            // The kernel knows no capability of this number or above.
            Err(Failed { errno: Errno::EINVAL, .. }) => return Ok(()),
            Err(failed) => return Err(failed),
        }
    }
    Ok(())
}

/// Returns the calling thread's bounding set.
pub fn bounding() -> Capabilities {
    (0..NAMES.len())
        .filter(|number| asks(libc::PR_CAPBSET_READ, *number, 0))
        .fold(Capabilities::NONE, |set, n| set.union(Capabilities::numbered(n)))
}

/// Returns the calling thread's ambient set.
pub fn ambient() -> Capabilities {
    let is_set = |number: &usize| asks(libc::PR_CAP_AMBIENT, libc::PR_CAP_AMBIENT_IS_SET as usize, *number);
    (0..NAMES.len()).filter(is_set).fold(Capabilities::NONE, |set, n| set.union(Capabilities::numbered(n)))
}

fn asks(option: libc::c_int, second: usize, third: usize) -> bool {
    // SAFETY: only called with the two questions above, which take numbers and touch no memory of ours.
    (unsafe { libc::prctl(option, second, third, 0, 0) }) == 1
}

/// Empties the ambient set, then puts `wanted` into it. Async-signal-safe.
///
/// # Errors
/// EPERM when `wanted` has what is not both permitted and inheritable.
pub fn set_ambient(wanted: Capabilities) -> Result<(), Failed> {
    // SAFETY: PR_CAP_AMBIENT takes numbers and touches no memory of ours.
    let result = unsafe { libc::prctl(libc::PR_CAP_AMBIENT, libc::PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) };
    check("prctl(PR_CAP_AMBIENT_CLEAR_ALL)", result.into())?;
    for number in (0..u64::BITS).filter(|number| wanted.0 >> number & 1 == 1) {
        let number = libc::c_ulong::from(number);
        // SAFETY: as above.
        let result = unsafe { libc::prctl(libc::PR_CAP_AMBIENT, libc::PR_CAP_AMBIENT_RAISE, number, 0, 0) };
        check("prctl(PR_CAP_AMBIENT_RAISE)", result.into())?;
    }
    Ok(())
}

#[repr(C)]
struct Header {
    version: u32,
    pid: libc::c_int,
}

#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Data {
    effective: u32,
    permitted: u32,
    inheritable: u32,
}

const VERSION_3: u32 = 0x2008_0522;

const NAMES: [&str; 41] = [
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_DAC_READ_SEARCH",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETPCAP",
    "CAP_LINUX_IMMUTABLE",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_BROADCAST",
    "CAP_NET_ADMIN",
    "CAP_NET_RAW",
    "CAP_IPC_LOCK",
    "CAP_IPC_OWNER",
    "CAP_SYS_MODULE",
    "CAP_SYS_RAWIO",
    "CAP_SYS_CHROOT",
    "CAP_SYS_PTRACE",
    "CAP_SYS_PACCT",
    "CAP_SYS_ADMIN",
    "CAP_SYS_BOOT",
    "CAP_SYS_NICE",
    "CAP_SYS_RESOURCE",
    "CAP_SYS_TIME",
    "CAP_SYS_TTY_CONFIG",
    "CAP_MKNOD",
    "CAP_LEASE",
    "CAP_AUDIT_WRITE",
    "CAP_AUDIT_CONTROL",
    "CAP_SETFCAP",
    "CAP_MAC_OVERRIDE",
    "CAP_MAC_ADMIN",
    "CAP_SYSLOG",
    "CAP_WAKE_ALARM",
    "CAP_BLOCK_SUSPEND",
    "CAP_AUDIT_READ",
    "CAP_PERFMON",
    "CAP_BPF",
    "CAP_CHECKPOINT_RESTORE",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_are_the_kernels() {
        assert_eq!(Capabilities::named("CAP_NET_BIND_SERVICE"), Some(Capabilities(1 << 10)));
        assert_eq!(Capabilities::named("CAP_CHECKPOINT_RESTORE"), Some(Capabilities(1 << 40)));
        assert_eq!(Capabilities::named("cap_chown"), None);
        assert_eq!(Capabilities(1 << 10 | 1).to_string(), "CAP_CHOWN CAP_NET_BIND_SERVICE");
        assert_eq!(Capabilities::NONE.to_string(), "none");
    }

    #[test]
    fn what_is_effective_is_permitted() {
        let held = held().unwrap();
        assert!(held.permitted.contains(held.effective));
    }

    #[test]
    fn holding_what_is_held_changes_nothing() {
        let before = held().unwrap();
        hold(before).unwrap();
        assert_eq!(held().unwrap(), before);
    }
}
