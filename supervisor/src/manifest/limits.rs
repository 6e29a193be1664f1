//! How much a worker may use: the keys of `[worker.NAME.sandbox]` that are limits.

use std::time::Duration;

use super::fields::Fields;
use super::values::{Bytes, Choice, Mask, Most, Percent};
use super::worker::within;
use crate::spec::{Sandbox, Shares};

/// Reads the limits of a sandbox.
pub(super) fn read(fields: &mut Fields<'_, '_>, sandbox: &mut Sandbox) {
    let mut memory = Bytes(0);
    fields.set_within("memory_max", Bytes(1 << 20)..=Bytes(1 << 50), &mut memory);
    sandbox.memory_max = (memory.0 > 0).then_some(memory.0);
    sandbox.tasks_max = within(fields, "tasks_max", 1, 4 << 20);
    sandbox.limit_nofile = within(fields, "limit_nofile", 16, 1 << 20);
    sandbox.limit_core = most(fields, "limit_core", 0).unwrap_or(0);
    let limits = &mut sandbox.limits;
    limits.file_size = most(fields, "limit_fsize", 0);
    limits.address_space = most(fields, "limit_as", ADDRESS_SPACE_MIN);
    limits.stack = most(fields, "limit_stack", STACK_MIN);
    limits.locked_memory = most(fields, "limit_memlock", 0);
    limits.message_queues = most(fields, "limit_msgqueue", 0);
    limits.pending_signals = within::<u32>(fields, "limit_sigpending", 0, 1 << 20).map(u64::from);
    let mut time = Duration::ZERO;
    fields.set_positive("limit_cpu", &mut time);
    // The kernel counts whole seconds.
    limits.cpu_seconds = (!time.is_zero()).then(|| time.as_secs() + u64::from(time.subsec_nanos() > 0));
    shares(fields, &mut sandbox.shares);
    sandbox.umask = fields.read::<Mask>("umask").map(|mask| mask.0);
}

fn shares(fields: &mut Fields<'_, '_>, shares: &mut Shares) {
    for (key, bytes) in [
        ("memory_high", &mut shares.memory_high),
        ("memory_low", &mut shares.memory_low),
        ("memory_min", &mut shares.memory_min),
    ] {
        let mut value = Bytes(0);
        fields.set_within(key, Bytes(1 << 12)..=Bytes(1 << 50), &mut value);
        *bytes = (value.0 > 0).then_some(value.0);
    }
    shares.memory_swap_max = most(fields, "memory_swap_max", 0);
    shares.cpu_weight = within(fields, "cpu_weight", 1, 10_000);
    let mut quota = Percent(0);
    fields.set_within("cpu_quota", Percent(1)..=Percent(100_000), &mut quota);
    shares.cpu_quota = (quota.0 > 0).then_some(quota.0);
    shares.io_weight = within(fields, "io_weight", 1, 10_000);
    shares.oom_kills_all = fields.read::<OomPolicy>("oom_policy").map(|policy| policy == OomPolicy::Kill);
}

/// Whom the kernel kills when there is no memory left.
#[derive(Clone, Copy, PartialEq, Eq)]
enum OomPolicy {
    /// All processes of the worker.
    Kill,
    /// One; the others go on.
    Continue,
}

impl Choice for OomPolicy {
    const WORDS: &'static [(&'static str, Self)] = &[("kill", Self::Kill), ("continue", Self::Continue)];
    const LATER: &'static [&'static str] = &[];
}

/// Reads a number of bytes, or `"infinity"`.
fn most(fields: &mut Fields<'_, '_>, key: &'static str, least: u64) -> Option<u64> {
    let mut bytes = Most(least);
    fields.set_within(key, Most(least)..=Most(u64::MAX), &mut bytes);
    fields.key_span(key).map(|_| bytes.0)
}

/// With less, no program starts.
const ADDRESS_SPACE_MIN: u64 = 16 << 20;
/// What the kernel leaves to arguments and environment however small the stack is.
const STACK_MIN: u64 = 128 << 10;
