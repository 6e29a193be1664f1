//! Words that are no keys of this version but not mistyped either, and what to say to each.

/// A table of the manifest, as far as its keys are concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Table {
    Manifest,
    Supervisor,
    Admin,
    Group,
    TrustDomain,
    Worker,
    Backoff,
    On,
    WhileDown,
    Channel,
    Sandbox,
    Landlock,
    Actors,
    Actor,
    Mailbox,
    Grant,
    Fds,
    Listen,
}

/// What becomes of a known word that is no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// Its mechanism is planned but not built.
    Later,
    /// It is called or placed differently.
    Say(&'static str),
}

impl Table {
    /// Names the table for a person.
    pub(super) fn noun(self) -> &'static str {
        match self {
            Self::Manifest => "the manifest",
            Self::Supervisor => "the supervisor",
            Self::Admin => "the admin worker",
            Self::Group => "a group",
            Self::TrustDomain => "a trust domain",
            Self::Worker => "a worker",
            Self::Backoff => "a backoff",
            Self::Sandbox => "a sandbox",
            Self::Landlock => "what Landlock bounds",
            Self::WhileDown => "what waits for a worker that is down",
            Self::Channel => "the links of a worker",
            Self::Actors => "the supervision of the actors",
            Self::Actor => "an actor",
            Self::Mailbox => "a mailbox",
            Self::Grant => "a grant",
            Self::On => "the answers to causes",
            Self::Fds => "the descriptors of a grant",
            Self::Listen => "a listener",
        }
    }
}

/// Returns what becomes of a word that is no key of a table.
pub(super) fn fate(table: Table, word: &str) -> Option<Fate> {
    if later(table).any(|later| later == word) {
        return Some(Fate::Later);
    }
    ADVICE.iter().find(|(of, old, _)| *of == table && *old == word).map(|(_, _, advice)| Fate::Say(advice))
}

/// Returns the keys of a table whose mechanism is not built yet.
pub(super) fn later(table: Table) -> impl Iterator<Item = &'static str> {
    LATER.iter().filter(move |(of, _)| *of == table).flat_map(|(_, words)| words.split_whitespace())
}

const LATER: &[(Table, &str)] = &[
    (Table::Manifest, "log dev link include"),
    (Table::Supervisor, "log_level control may log metrics upgrade persist"),
    (
        Table::Worker,
        "on_need_restart \
         log link survive \
         extend_timeout schedule",
    ),
    (Table::Channel, "frame_deadline"),
    (Table::Actors, "on"),
    (Table::Actor, "blocking instances survive backoff max_children"),
    (Table::Mailbox, "survive ttl"),
    (Table::Grant, "delegate args kind"),
    (Table::Fds, "credit"),
    (Table::Listen, "backlog mode user group fd_name udp seqpacket"),
];

/// Returns why a mechanism is not built, where there is more to say than that.
pub(super) fn why_later(table: Table, word: &str) -> Option<&'static str> {
    WHY_LATER.iter().find(|(of, later, _)| *of == table && *later == word).map(|(_, _, why)| *why)
}

const WHY_LATER: &[(Table, &str, &str)] = &[
    (
        Table::Channel,
        "frame_deadline",
        "remove it: packets arrive whole or not at all, and pieces of a large payload hold up nobody else",
    ),
    (
        Table::Grant,
        "delegate",
        "remove it: nobody passes a grant on to a third party yet; in a message a worker may name only its own actors",
    ),
    (
        Table::Grant,
        "args",
        "remove it: what the arguments of a message may be is checked by the actor that takes it, see `Untrusted`",
    ),
];

const ADVICE: &[(Table, &str, &str)] = &[
    (Table::Manifest, "workers", "each worker is a table of its own: `[worker.NAME]`"),
    (Table::Manifest, "groups", "each group is a table of its own: `[group.NAME]`"),
    (Table::Manifest, "grants", "each grant is an element of its own: `[[grant]]`"),
    (Table::Manifest, "actor", "an actor belongs to its worker: `[worker.NAME.actor.NAME]`"),
    (Table::Manifest, "sandbox", "a sandbox belongs to its worker: `[worker.NAME.sandbox]`"),
    (Table::Manifest, "state_dir", "it stands in `[supervisor]`"),
    (Table::Manifest, "name", "it stands in `[supervisor]`"),
    (Table::Manifest, "uid_range", "it stands in `[supervisor]`"),
    (Table::Manifest, "sandbox_policy", "it stands in `[supervisor]`"),
    (Table::Manifest, "shutdown_timeout", "it stands in `[supervisor]`"),
    (Table::Supervisor, "state_directory", "it is called `state_dir`"),
    (Table::Group, "parent", "it is called `group`, as in a worker"),
    (Table::Group, "on", "it is a key of a worker"),
    (Table::Group, "stuck", "it is a key of a worker and is called `stuck_after`"),
    (Table::Group, "max_children", "it is a key of the worker that is the pool's template"),
    (Table::Group, "instances", "it is a key of the worker that is the pool's template"),
    (Table::Group, "intensity", "it is called `max_restarts`"),
    (Table::Group, "workers", "a worker names its group: `group = \"NAME\"` in `[worker.NAME]`"),
    (Table::Group, "restart", "it is a key of a worker; a group has `strategy`"),
    (
        Table::TrustDomain,
        "workers",
        "a worker names its trust domain: `trust_domain = \"NAME\"` in `[worker.NAME]`",
    ),
    (Table::Worker, "busy_poll", "it stands in `[trust_domain.NAME]`"),
    (Table::Worker, "max_restarts", "budgets belong to groups: put the worker into a `[group.NAME]`"),
    (Table::Worker, "period", "budgets belong to groups: put the worker into a `[group.NAME]`"),
    (Table::Worker, "strategy", "strategies belong to groups: put the worker into a `[group.NAME]`"),
    (Table::Worker, "on_exhausted", "budgets belong to groups: put the worker into a `[group.NAME]`"),
    (Table::Worker, "exit_code_from", "it stands in `[supervisor]`"),
    (Table::Worker, "watchdog_sec", "it is called `watchdog`"),
    (Table::Worker, "exec_start", "it is called `exec`, or `command` for a foreign program"),
    (Table::Worker, "type", "it is called `kind`; the type of an actor stands in its own table"),
    (
        Table::Worker,
        "heartbeat",
        "progress is read, not sent; its limits are `stuck_after` and `liveness_timeout`",
    ),
    (Table::Worker, "stuck_handler", "`stuck_after` tells of it, `liveness_timeout` ends it"),
    (Table::Worker, "oom", "it stands in `on`: `on = { oom = \"stop\" }`"),
    (Table::Worker, "auto_shutdown", "it is a key of a group; a worker is `significant`"),
    (Table::Worker, "requires", "it is called `needs`"),
    (Table::Worker, "depends_on", "it is called `needs`"),
    (Table::Worker, "env", "it is called `environment`"),
    (Table::Worker, "cwd", "it is called `working_directory`"),
    (Table::Worker, "numprocs", "it is called `instances`"),
    (Table::Worker, "grant", "grants stand at the top: `[[grant]]` with `from` and `to`"),
    (Table::Worker, "restart_sec", "it is called `backoff`: `backoff = { base = \"100ms\" }`"),
    (Table::Worker, "preset", "it stands in `[worker.NAME.sandbox]`"),
    (Table::Worker, "user", "it stands in `[worker.NAME.sandbox]`"),
    (Table::Worker, "uid", "it stands in `[worker.NAME.sandbox]` and is called `user`"),
    (Table::Worker, "gid", "it stands in `[worker.NAME.sandbox]` and is called `group`"),
    (Table::Worker, "capabilities", "it stands in `[worker.NAME.sandbox]`"),
    (Table::Worker, "read_only_paths", "it stands in `[worker.NAME.sandbox]`"),
    (Table::Worker, "read_write_paths", "it stands in `[worker.NAME.sandbox]`"),
    (Table::Worker, "tcp_bind", "it stands in `[worker.NAME.sandbox]`"),
    (Table::Worker, "tcp_connect", "it stands in `[worker.NAME.sandbox]`"),
    (Table::Worker, "memory_max", "it stands in `[worker.NAME.sandbox]`"),
    (Table::Worker, "tasks_max", "it stands in `[worker.NAME.sandbox]`"),
    (Table::Worker, "pids_max", "it stands in `[worker.NAME.sandbox]` and is called `tasks_max`"),
    (Table::Worker, "limit_nofile", "it stands in `[worker.NAME.sandbox]`"),
    (Table::Worker, "limit_fsize", "it stands in `[worker.NAME.sandbox]`"),
    (Table::Worker, "umask", "it stands in `[worker.NAME.sandbox]`"),
    (Table::Worker, "nice", "it stands in `[worker.NAME.sandbox]`"),
    (Table::Worker, "oom_score_adjust", "it stands in `[worker.NAME.sandbox]`"),
    (Table::Worker, "dumpable", "it stands in `[worker.NAME.sandbox]`"),
    (Table::Worker, "system_call_filter", "it stands in `[worker.NAME.sandbox]`"),
    (Table::Worker, "args", "arguments belong to an actor: `[worker.NAME.actor.NAME]`"),
    (Table::Worker, "mailbox", "a mailbox belongs to an actor: `[worker.NAME.actor.NAME]`"),
    (Table::Backoff, "max", "it is called `cap`"),
    (Table::Backoff, "min", "it is called `base`"),
    (Table::Backoff, "initial", "it is called `first`"),
    (Table::Sandbox, "privileged", "it stands in `[worker.NAME]`"),
    (Table::Sandbox, "environment", "it stands in `[worker.NAME]`"),
    (Table::Sandbox, "pass_environment", "it stands in `[worker.NAME]`"),
    (Table::Sandbox, "load_credential", "it stands in `[worker.NAME]`"),
    (
        Table::Sandbox,
        "secure_bits",
        "whoever has a sandbox has every bit that takes something away, locked; the others would give something",
    ),
    (Table::Sandbox, "working_directory", "it stands in `[worker.NAME]`"),
    (Table::Sandbox, "uid", "it is called `user`"),
    (Table::Sandbox, "gid", "it is called `group`"),
    (Table::Sandbox, "capability_bounding_set", "it is called `capabilities`, and nothing else is bounding"),
    (Table::Sandbox, "ambient_capabilities", "it is called `capabilities`, and these are ambient too"),
    (Table::Sandbox, "pids_max", "it is called `tasks_max`"),
    (Table::Sandbox, "limit_nproc", "it is called `tasks_max`"),
    (Table::Sandbox, "oom_score_adj", "it is called `oom_score_adjust`"),
    (Table::Sandbox, "memory_limit", "it is called `memory_max`"),
    (Table::Sandbox, "cpu_shares", "it is called `cpu_weight`; others have 100"),
    (Table::Sandbox, "limit_rss", "no kernel enforces it; `memory_max` bounds memory in use"),
    (Table::Sandbox, "limit_data", "it is called `limit_as`; `memory_max` bounds memory in use"),
    (Table::Sandbox, "limit_nice", "who has a sandbox may not raise its priority; `nice` sets it"),
    (Table::Sandbox, "limit_rtprio", "who has a sandbox may not ask for real time"),
    (Table::Sandbox, "seccomp", "it is called `system_call_filter`"),
    (Table::Sandbox, "syscall_filter", "it is called `system_call_filter`"),
    (Table::Sandbox, "fs_ro", "it is called `read_only_paths`"),
    (Table::Sandbox, "fs_rw", "it is called `read_write_paths`"),
    (Table::Landlock, "fs_ro", "it is called `read_only_paths` and stands in `[worker.NAME.sandbox]`"),
    (Table::Landlock, "fs_rw", "it is called `read_write_paths` and stands in `[worker.NAME.sandbox]`"),
    (Table::Landlock, "fs_exec", "it is called `exec_paths` and stands in `[worker.NAME.sandbox]`"),
    (Table::Landlock, "tcp_bind", "it stands in `[worker.NAME.sandbox]`"),
    (Table::Landlock, "tcp_connect", "it stands in `[worker.NAME.sandbox]`"),
    (Table::Channel, "max_inflight", "it is a key of a grant: `[[grant]]` with `max_inflight = …`"),
    (
        Table::Channel,
        "send_queue",
        "what waits is bounded by `while_down` and by the mailbox of who is sent to",
    ),
    (Table::Channel, "on_full", "it stands in the mailbox: `mailbox = { on_full = … }`"),
    (Table::Channel, "rate", "it is a key of a grant: `[[grant]]` with `rate = …`"),
    (Table::WhileDown, "buffer", "it is called `messages`"),
    (Table::WhileDown, "capacity", "it is called `messages`"),
    (Table::Actors, "restart", "it is a key of an actor: `[worker.NAME.actor.NAME]`"),
    (Table::Actors, "significant", "it is a key of an actor: `[worker.NAME.actor.NAME]`"),
    (Table::Actor, "strategy", "it stands in `[worker.NAME.actors]`"),
    (Table::Actor, "max_restarts", "it stands in `[worker.NAME.actors]`"),
    (Table::Actor, "period", "it stands in `[worker.NAME.actors]`"),
    (Table::Actor, "capacity", "it stands in `mailbox = { capacity = … }`"),
    (Table::Actor, "on_full", "it stands in `mailbox = { on_full = … }`"),
    (Table::Actor, "kind", "it is called `type`: the name under which the program registered the actor"),
    (Table::Actor, "arguments", "it is called `args`"),
    (Table::Mailbox, "size", "it is called `capacity`"),
    (Table::Mailbox, "bytes", "it is called `capacity_bytes`"),
    (Table::Listen, "file_descriptor_name", "it is called `name`"),
    (Table::Listen, "listen_stream", "it is called `tcp`, or `unix` for a path"),
    (Table::Listen, "to", "the worker says that it serves it: `kept = [\"NAME\"]` in `[worker.WORKER]`"),
    (Table::Listen, "address", "it is called `tcp`, or `unix` for a path"),
    (Table::Listen, "port", "it is part of `tcp`: \"0.0.0.0:80\""),
    (Table::Listen, "path", "it is called `unix`"),
    (Table::Grant, "messages", "it is called `methods`"),
    (Table::Grant, "limit", "it is called `rate`: `rate = \"10/s\"`"),
    (Table::Grant, "inflight", "it is called `max_inflight`"),
    (Table::Grant, "method", "it is called `methods` and is a list"),
    (Table::Grant, "actor", "write it behind the worker: `to = \"worker/actor\"`"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_word_has_one_fate_in_a_table() {
        let mut words: Vec<(String, &str)> =
            ADVICE.iter().map(|(table, word, _)| (format!("{table:?}"), *word)).collect();
        for (table, list) in LATER {
            words.extend(list.split_whitespace().map(|word| (format!("{table:?}"), word)));
        }
        words.sort_unstable();
        for pair in words.windows(2) {
            assert_ne!(pair[0], pair[1]);
        }
    }
}
