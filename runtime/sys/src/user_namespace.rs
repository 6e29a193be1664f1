//! Which users exist here: in a user namespace fewer than on the machine, and uid 0 may be somebody else outside. And
//! user namespaces of one user, which need no privilege to be made.

use std::ffi::CStr;
use std::ops::RangeInclusive;
use std::os::fd::{FromRawFd, OwnedFd, RawFd};

use crate::child::put_below;
use crate::error::{Failed, check};
use crate::identity::Identity;

/// The one user of a user namespace that is to be made: the maker's, by a number that is not 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OneUser {
    outside: Identity,
    inside: Identity,
    uid_map: String,
    gid_map: String,
}

impl OneUser {
    /// What [`Self::enter`] may be refused.
    pub(crate) const CALLS: [&str; 4] =
        ["unshare(CLONE_NEWUSER)", "write(setgroups)", "write(uid_map)", "write(gid_map)"];

    /// Takes the user and group of the process that is to enter. They keep their numbers, unless these are 0, which an
    /// executable would give capabilities for.
    pub fn of(outside: Identity) -> Self {
        let name = |id: u32| if id == 0 { INSTEAD_OF_ROOT } else { id };
        let line = |id: u32| format!("{} {id} 1\n", name(id));
        let inside = Identity { uid: name(outside.uid), gid: name(outside.gid) };
        Self { outside, inside, uid_map: line(outside.uid), gid_map: line(outside.gid) }
    }

    /// Returns what the user is called outside.
    pub(crate) fn outside(&self) -> Identity {
        self.outside
    }

    /// Returns what the user is called inside.
    pub fn inside(&self) -> Identity {
        self.inside
    }

    /// Returns the maps of users and of groups, as the kernel reads them: first inside, first outside, count.
    pub fn maps(&self) -> (&str, &str) {
        (&self.uid_map, &self.gid_map)
    }

    /// Has the calling process, which has one thread, enter a namespace with this user, in which it holds every capability
    /// until its next exec. `proc` is the system's `/proc`. Async-signal-safe.
    ///
    /// # Errors
    /// EPERM, ENOSPC or EUSERS where the surroundings forbid it.
    pub(crate) fn enter(&self, proc: RawFd) -> Result<(), Failed> {
        let put = |path, text: &str| put_below(proc, path, text.as_bytes());
        let [unshare, setgroups, uid_map, gid_map] = Self::CALLS;
        // SAFETY: takes a number; memory and descriptors stay as they are.
        check(unshare, unsafe { libc::unshare(libc::CLONE_NEWUSER) }.into())?;
        // Before the groups are mapped: otherwise one could give up a group that is kept from something.
        put(c"self/setgroups", "deny").map_err(|failed| Failed { call: setgroups, ..failed })?;
        put(c"self/uid_map", &self.uid_map).map_err(|failed| Failed { call: uid_map, ..failed })?;
        put(c"self/gid_map", &self.gid_map).map_err(|failed| Failed { call: gid_map, ..failed })
    }

    /// As [`Self::enter`], and nobody can make another such namespace within.
    ///
    /// # Errors
    /// As for [`Self::enter`].
    pub(crate) fn enter_last(&self, proc: RawFd) -> Result<(), Failed> {
        self.enter(proc)?;
        // Where /proc/sys is read-only, the system call filter is the only bar.
        let _read_only = put_below(proc, NESTED_NAMESPACES, b"0");
        Ok(())
    }
}

/// Opens the system's `/proc`, for [`OneUser::enter`] where it can no longer be reached by its name. Async-signal-safe.
///
/// # Errors
/// ENOENT where there is none.
pub(crate) fn hold_proc() -> Result<OwnedFd, Failed> {
    let flags = libc::O_PATH | libc::O_DIRECTORY | libc::O_CLOEXEC;
    // SAFETY: the path is a constant.
    let fd = unsafe { libc::open(c"/proc".as_ptr(), flags) };
    check("open(/proc)", fd.into())?;
    // SAFETY: the kernel has just made this descriptor for us and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// How many user namespaces may be made within the own one, below `/proc`.
const NESTED_NAMESPACES: &CStr = c"sys/user/max_user_namespaces";
/// What a maker is called inside whose number outside is 0.
const INSTEAD_OF_ROOT: u32 = 61_184;

/// Returns whether every user, and every group, of the range exists here.
pub fn has(range: &RangeInclusive<u32>) -> bool {
    covers(&read("uid_map"), range) && covers(&read("gid_map"), range)
}

/// Returns whether a process may drop its supplementary groups here.
pub fn may_set_groups() -> bool {
    // Kernels without the file, and those without /proc, have no such rule.
    read("setgroups").trim() != "deny"
}

/// Returns whether uid 0 is another user outside.
pub fn is_root_only_here() -> bool {
    leads_elsewhere(&read("uid_map"))
}

/// Returns whether a line of the map, which holds first inside, first outside and count, covers the range.
fn covers(map: &str, range: &RangeInclusive<u32>) -> bool {
    map.lines().any(|line| {
        let mut numbers = line.split_whitespace().map(|number| number.parse().unwrap_or(0_u64));
        let (first, count) = (numbers.next().unwrap_or(0), numbers.nth(1).unwrap_or(0));
        first <= u64::from(*range.start()) && u64::from(*range.end()) < first + count
    })
}

fn leads_elsewhere(map: &str) -> bool {
    let mut numbers = map.split_whitespace();
    numbers.next() == Some("0") && numbers.next() != Some("0")
}

fn read(file: &str) -> String {
    std::fs::read_to_string(format!("/proc/self/{file}")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_must_be_mapped_whole() {
        assert!(covers("0 0 4294967295\n", &(0x7000_0000..=0x7000_FFFF)));
        assert!(!covers("0 1000 1\n", &(61_184..=65_519)));
        assert!(!covers("0 1000 1\n1 100000 65518\n", &(61_184..=65_519)));
        assert!(covers("0 1000 1\n1 100000 65519\n", &(61_184..=65_519)));
        assert!(!covers("", &(0..=0)));
    }

    #[test]
    fn root_is_root_only_here_if_it_is_somebody_else_outside() {
        assert!(leads_elsewhere("         0       1000          1\n"));
        assert!(!leads_elsewhere("         0          0 4294967295\n"));
        assert!(!leads_elsewhere(""));
    }
}
