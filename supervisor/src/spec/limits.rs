//! How much a worker may use where the manifest says nothing.

use bailiwick_sys::bounds::{Bounds, Mechanism, Wanted};
use bailiwick_sys::cgroup::{Cgroups, Version};
use bailiwick_sys::shares::Whose;

use super::{KeyringMode, Limits, Preset, Sandbox};
use crate::control::MemoryMechanism;

impl Sandbox {
    /// Threads and processes of who has a sandbox.
    pub const TASKS: u32 = 64;
    /// Open descriptors of who has a sandbox.
    pub const FILES: u32 = 256;
    /// Bytes of a file that is written by who has a sandbox and no path to write: as many as one message carries.
    pub const FILE_SIZE: u64 = 256 << 20;
    /// Bytes of a stack of who has a sandbox. Without any limit the kernel would also lay out memory in a way that is
    /// easier to guess.
    pub const STACK: u64 = 8 << 20;
    /// Signals that wait for who has a sandbox.
    pub const PENDING_SIGNALS: u64 = 256;

    /// Permissions that nobody gets on files that it makes: only its user reads them.
    pub const UMASK: u16 = 0o077;

    /// Returns the permissions that nobody gets on files that it makes.
    pub fn umask(&self) -> u16 {
        self.umask.unwrap_or(Self::UMASK)
    }

    /// How readily the kernel kills it when memory runs out; others have 0.
    pub const OOM_SCORE_ADJUST: i16 = 500;

    /// Returns how readily the kernel kills it when memory runs out.
    pub(crate) fn oom_score_adjust(&self) -> i16 {
        self.oom_score_adjust.unwrap_or(Self::OOM_SCORE_ADJUST)
    }

    /// Returns whether it has a session keyring of its own: if so, whether it does not start without.
    pub(crate) fn keyring(&self) -> Option<bool> {
        match self.keyring_mode {
            Some(KeyringMode::Private) => Some(true),
            Some(KeyringMode::Inherit) => None,
            None => (self.preset != Preset::None).then_some(false),
        }
    }

    /// Returns the limits that each of its processes carries.
    pub fn limits(&self) -> Limits {
        if self.preset == Preset::None {
            return self.limits;
        }
        self.limits.or(Limits {
            // How much goes into a folder that it is given is for whoever gave it to say.
            file_size: (!self.writes()).then_some(Self::FILE_SIZE),
            stack: Some(Self::STACK),
            locked_memory: Some(0),
            message_queues: Some(0),
            pending_signals: Some(Self::PENDING_SIGNALS),
            real_time: Some(0),
            nice: Some(0),
            ..Limits::default()
        })
    }

    /// Returns its open descriptors; `None` is no limit of its own.
    pub fn files(&self) -> Option<u32> {
        self.limit_nofile.or((self.preset != Preset::None).then_some(Self::FILES))
    }

    /// Returns what its shares of memory, processors and disks depend on.
    pub(crate) fn whose(&self) -> Whose {
        let is_alone = !matches!(self.preset, Preset::Exec | Preset::None);
        Whose { memory_is_bounded: self.memory_max.is_some(), is_alone }
    }

    /// Returns whether a bound on its memory counts memory of every kind, if it is to have one. Where it is a limit of address
    /// space instead, who starts nothing else makes no memory that this does not count.
    pub fn is_counted(&self, cgroups: &Cgroups) -> bool {
        self.memory_max.is_none() || cgroups.memory().is_some() || self.starts_programs()
    }

    /// Returns whether it may start programs.
    pub(crate) fn starts_programs(&self) -> bool {
        matches!(self.preset, Preset::Exec | Preset::None)
    }

    /// Returns the bounds that it is to have.
    pub(crate) fn wanted(&self, is_counted_apart: bool) -> Wanted {
        Wanted {
            memory: self.memory_max,
            tasks: self.tasks_max,
            default_tasks: (self.preset != Preset::None).then_some(Self::TASKS),
            may_fork: self.preset == Preset::Exec,
            files: self.files(),
            core: self.limit_core,
            limits: self.limits(),
            is_counted_apart,
        }
    }
}

/// Returns what bounds the memory, as people are told.
pub(crate) fn memory_mechanism(bounds: &Bounds) -> MemoryMechanism {
    match bounds.memory() {
        Mechanism::None => MemoryMechanism::Unlimited,
        Mechanism::Group(Version::V2) => MemoryMechanism::CgroupV2,
        Mechanism::Group(Version::V1) => MemoryMechanism::CgroupV1,
        Mechanism::Process => MemoryMechanism::AddressSpace,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_a_sandbox_has_limits_and_what_is_declared_goes_first() {
        let mut sandbox = Sandbox::default();
        assert_eq!(sandbox.limits().file_size, Some(Sandbox::FILE_SIZE));
        sandbox.read_write_paths.push("/srv".into());
        assert_eq!((sandbox.limits().file_size, sandbox.limits().locked_memory), (None, Some(0)));
        sandbox.limits.file_size = Some(7);
        assert_eq!(sandbox.limits().file_size, Some(7));
    }

    #[test]
    fn who_has_none_has_only_those_that_are_declared() {
        let mut sandbox = Sandbox { preset: Preset::None, ..Sandbox::default() };
        assert_eq!((sandbox.limits(), sandbox.files()), (Limits::default(), None));
        sandbox.limits.stack = Some(7);
        assert_eq!(sandbox.limits(), Limits { stack: Some(7), ..Limits::default() });
    }
}
