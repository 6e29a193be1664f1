//! What each process may use by itself: limits that it carries, and hands on to what it starts.
//!
//! A limit is set soft and hard, by whoever may still do so, so that nothing raises it again. It can only be lowered: one
//! that is above the inherited limit leaves that.

use nix::sys::resource::getrlimit;

use crate::process::{Resource, Step};

/// The limits of a process; `None` leaves what it inherits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a file that it writes. Memory files count.
    pub file_size: Option<u64>,
    /// Bytes of address space.
    pub address_space: Option<u64>,
    /// Bytes of the first thread's stack.
    pub stack: Option<u64>,
    /// Bytes of memory that stay out of swap.
    pub locked_memory: Option<u64>,
    /// Seconds of processor time: then SIGXCPU, and a second later SIGKILL.
    pub cpu_seconds: Option<u64>,
    /// Bytes in POSIX message queues of its user.
    pub message_queues: Option<u64>,
    /// Signals that wait for processes of its user.
    pub pending_signals: Option<u64>,
    /// The highest priority at which it may ask for real time.
    pub real_time: Option<u64>,
    /// How far it may raise its priority: 20 less the lowest nice level.
    pub nice: Option<u64>,
}

impl Limits {
    /// As much as there is.
    pub const NONE: u64 = libc::RLIM_INFINITY;

    /// Returns these limits, and those of `defaults` where these say nothing.
    #[must_use]
    pub fn or(self, defaults: Self) -> Self {
        Self {
            file_size: self.file_size.or(defaults.file_size),
            address_space: self.address_space.or(defaults.address_space),
            stack: self.stack.or(defaults.stack),
            locked_memory: self.locked_memory.or(defaults.locked_memory),
            cpu_seconds: self.cpu_seconds.or(defaults.cpu_seconds),
            message_queues: self.message_queues.or(defaults.message_queues),
            pending_signals: self.pending_signals.or(defaults.pending_signals),
            real_time: self.real_time.or(defaults.real_time),
            nice: self.nice.or(defaults.nice),
        }
    }

    /// Returns what a process does to limit itself.
    pub fn steps(&self) -> impl Iterator<Item = Step<'static>> {
        let both = [
            (Resource::FileSize, self.file_size),
            (Resource::AddressSpace, self.address_space),
            (Resource::Stack, self.stack),
            (Resource::LockedMemory, self.locked_memory),
            // One second more, so that the first to come is the signal that says why.
            (Resource::CpuTime, self.cpu_seconds.map(|seconds| seconds.saturating_add(1))),
            (Resource::MessageQueues, self.message_queues),
            (Resource::PendingSignals, self.pending_signals),
            (Resource::RealTimePriority, self.real_time),
            (Resource::Priority, self.nice),
        ];
        let both = both.into_iter().filter_map(|(resource, most)| Some(Step::Limit(resource, most?)));
        both.chain(self.cpu_seconds.map(|seconds| Step::SoftLimit(Resource::CpuTime, seconds)))
    }
}

/// Returns how many bytes a file may have that this process writes. Who tries more is killed, unless it is prepared for that.
pub fn own_file_size() -> u64 {
    getrlimit(nix::sys::resource::Resource::RLIMIT_FSIZE).map_or(u64::MAX, |(soft, _)| soft)
}

/// Returns how many bytes of addresses this process may have.
pub fn own_address_space() -> u64 {
    getrlimit(nix::sys::resource::Resource::RLIMIT_AS).map_or(u64::MAX, |(soft, _)| soft)
}

/// Returns how many descriptors this process may have.
pub fn own_descriptors() -> u64 {
    getrlimit(nix::sys::resource::Resource::RLIMIT_NOFILE).map_or(u64::MAX, |(soft, _)| soft)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_said_is_taken_from_the_defaults_or_left_alone() {
        let said = Limits { stack: Some(1), ..Limits::default() };
        let limits = said.or(Limits { stack: Some(2), file_size: Some(3), ..Limits::default() });
        assert_eq!((limits.stack, limits.file_size, limits.nice), (Some(1), Some(3), None));
        let names: Vec<_> = limits.steps().map(|step| step.name()).collect();
        assert_eq!(names, ["RLIMIT_FSIZE", "RLIMIT_STACK"]);
    }

    #[test]
    fn processor_time_ends_by_the_signal_that_says_so_and_then_by_force() {
        let limits = Limits { cpu_seconds: Some(7), ..Limits::default() };
        let steps: Vec<_> = limits.steps().collect();
        assert!(matches!(
            steps[..],
            [Step::Limit(Resource::CpuTime, 8), Step::SoftLimit(Resource::CpuTime, 7)]
        ));
        let endless = Limits { cpu_seconds: Some(Limits::NONE), ..Limits::default() };
        assert!(matches!(endless.steps().next(), Some(Step::Limit(Resource::CpuTime, Limits::NONE))));
    }
}
