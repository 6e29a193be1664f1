//! What the parser cannot say of a key: its default, an example and its meaning. The test compares the keys with the
//! parser's own, and tries every default and every example.

mod actor;
mod admin;
mod sandbox;

/// One table of the manifest.
pub(crate) struct Section {
    /// How it is headed in a manifest.
    pub(crate) title: &'static str,
    /// What it is, for a reader.
    pub(crate) what: &'static str,
    /// Its name in the parser's vocabulary.
    pub(crate) table: &'static str,
    /// What stands in a manifest before the keys of such a table.
    pub(crate) head: &'static str,
    /// Its keys.
    pub(crate) keys: &'static [Key],
}

/// A key: its name, its default (TOML in backquotes, or words for what no value says), an example, its meaning.
pub(crate) type Key = (&'static str, &'static str, &'static str, &'static str);

/// The default of a key that must be given.
pub(crate) const REQUIRED: &str = "required";

pub(crate) const SECTIONS: &[Section] = &[
    Section {
        title: "[supervisor]",
        what: "The whole system. The table may be left out.",
        table: "Supervisor",
        head: "[supervisor]\n",
        keys: &[
            (
                "name",
                "the file's name without `.toml`",
                "\"shop\"",
                "Names the system; `status --system` finds it by this name.",
            ),
            (
                "state_dir",
                "`/run/bailiwick/NAME` as root, else `$XDG_RUNTIME_DIR/bailiwick/NAME`, else `/tmp/bailiwick-UID/NAME`",
                "\"/run/shop\"",
                "The folder of the lock and the control socket. One supervisor at a time holds it. The socket's path, 13 bytes longer, has to fit into 107.",
            ),
            (
                "shutdown_timeout",
                "`\"60s\"`",
                "\"45s\"",
                "How long an ordered stop of everything may take; what lives then is killed.",
            ),
            (
                "profile",
                "`\"production\"`",
                "\"dev\"",
                "What the system is for. `dev` is for working on it: then `on_violation = \"log\"` is taken.",
            ),
            (
                "strategy",
                "`\"one_for_one\"`",
                "\"rest_for_one\"",
                "Whom a failure in the root group restarts; as in a group, except that the root is no pool.",
            ),
            (
                "max_restarts",
                "`5`",
                "3",
                "How many failures within `period` are answered by a restart; one more spends the budget.",
            ),
            ("period", "`\"30s\"`", "\"1m\"", "The length of the sliding window in which failures count."),
            (
                "on_exhausted",
                "`\"cool_down\"`",
                "\"fail\"",
                "When the root's budget is spent: as in a group; `escalate` stops everything with exit code 3.",
            ),
            (
                "auto_shutdown",
                "`\"never\"`",
                "\"any_significant\"",
                "When the whole system has done its work and stops with exit code 0: as in a group.",
            ),
            (
                "sandbox_policy",
                "`\"require\"`",
                "\"best-effort\"",
                "What follows where a machine lacks something of a sandbox's floor, or what an explicit key needs: `require` refuses the start with exit code 69; `best-effort` starts and says what is missing, as `--allow-degraded` does.",
            ),
            (
                "uid_range",
                "1879048192 to 1879113727; in a container with 65536 users, 61184 to 65519",
                "[0x71000000, 0x7100FFFF]",
                "The first and the last of the users that are workers' own: 256 or more, from 60001 on, none of them in `/etc/passwd`. Needs a supervisor that is root.",
            ),
            (
                "exit_code_from",
                "none",
                "\"w\"",
                "The worker whose last exit code is the supervisor's, in place of 3 or 1, when it gives up or cannot start. Of a worker that a signal ended, it is 128 and the signal's number.",
            ),
        ],
    },
    Section {
        title: "[group.NAME]",
        what: "Workers that share a restart strategy and a restart budget; how, is told in [supervision](supervision.md). Workers without a group belong to the unnamed root group, whose terms stand in `[supervisor]`.",
        table: "Group",
        head: "[group.g]\n",
        keys: &[
            ("group", "the root group", "\"site\"", "The group around this one."),
            (
                "strategy",
                "`\"one_for_one\"`",
                "\"rest_for_one\"",
                "Whom a failure restarts: `one_for_one` and `pool` the worker that failed; `rest_for_one` also those after it; `one_for_all` all members. With the latter two, members start one after the other, in the order of the manifest, and stop in reverse. The members of a `pool` are processes of one worker, its template.",
            ),
            (
                "max_restarts",
                "`5`",
                "3",
                "How many failures within `period` are answered by a restart; one more spends the budget.",
            ),
            ("period", "`\"30s\"`", "\"1m\"", "The length of the sliding window in which failures count."),
            (
                "on_exhausted",
                "`\"cool_down\"`",
                "\"fail\"",
                "When the budget is spent: `cool_down` tries again at the backoff's `cap`, for ever; `fail` gives the worker up, its siblings stay; `escalate` stops the group in order and counts as one failure of the group around it, whose budget decides whether it starts again.",
            ),
            (
                "auto_shutdown",
                "`\"never\"`",
                "\"any_significant\"",
                "When the group has done its work and stops in order: when one of its significant members has ended as it should, or when all of them have.",
            ),
            (
                "significant",
                "`false`",
                "true",
                "Its own end by `auto_shutdown` counts for that of the group around it.",
            ),
        ],
    },
    Section {
        title: "[admin]",
        what: "A worker `admin` that serves health, metrics and what happens over HTTP: the executable of the command line, sealed but for one listener, in a group of its own. Without the table there is none. See [metrics and health](metrics.md).",
        table: "Admin",
        head: "[admin]\n",
        keys: admin::KEYS,
    },
    Section {
        title: "[trust_domain.NAME]",
        what: "Workers that trust each other with memory. Each of them can write what the others read of it at any time, and read what they write to it; what is written is checked as ever, so this harms only the messages between the two. Between whom no grant stands, nothing is shared.",
        table: "TrustDomain",
        head: "[trust_domain.d]\n",
        keys: &[
            (
                "link",
                "`\"ring\"`",
                "\"socket\"",
                "What carries the messages of a link between two of them: `ring` memory that both write, with a socket beside it; `socket` a socket alone, as for everyone else.",
            ),
            (
                "busy_poll",
                "`\"0s\"`",
                "\"50us\"",
                "How long either end looks for messages before it sleeps, at most 1ms: half as long after each time that it was in vain, that long again when it paid, and after 16 to 1,024 sleeps to see whether it would. It costs processor time, and saves the time that waking takes.",
            ),
        ],
    },
    Section {
        title: "[worker.NAME]",
        what: "A process, or several alike. Workers start in the order of the manifest as far as `needs`, `wants` and `after` allow, and stop in reverse.",
        table: "Worker",
        head: "[worker.p]\n",
        keys: &[
            (
                "exec",
                REQUIRED,
                "\"../target/release/shop\"",
                "The program of the runtime, by its path; not together with `command`. It is not looked up in `PATH`. It and every folder above it may be written only by root and the supervisor's user.",
            ),
            (
                "kind",
                "`\"resident\"`",
                "\"oneshot\"",
                "`resident` stays; `oneshot` does its work and ends with success, which counts as ready, and is started again only after a failure; `command` is a resident foreign program. A foreign program may be a `oneshot` too.",
            ),
            (
                "command",
                "none",
                "[\"/usr/sbin/nginx\", \"-g\", \"daemon off;\"]",
                "A foreign program and its arguments, in place of `exec`: see `docs/foreign-programs.md`. Needs the preset `exec` or `none`.",
            ),
            (
                "notify",
                "no",
                "true",
                "Of a command: it says by sd_notify that it is ready. Otherwise it is as soon as it is executed.",
            ),
            (
                "watchdog",
                "none",
                "\"10s\"",
                "Of a command: at least so often it says `WATCHDOG=1` by sd_notify, or it hangs, is aborted and restarted.",
            ),
            ("stop_signal", "SIGTERM", "\"SIGINT\"", "Of a command: the signal that asks it to stop."),
            (
                "instances",
                "`1`",
                "2",
                "How many processes run of it, at first if it is the template of a pool, which alone may have none. They are addressed together, or as `NAME.1`, `NAME.2`.",
            ),
            (
                "max_children",
                "as many as `instances`",
                "8",
                "How many processes of it there may be, if it is the template of a pool.",
            ),
            ("group", "the root group", "\"front\"", "Whose restart budget its failures charge."),
            (
                "trust_domain",
                "none",
                "\"core\"",
                "Whom it trusts with memory: its links with others of the same trust domain are as `[trust_domain.NAME]` says. Not for a worker that holds a privilege.",
            ),
            (
                "needs",
                "`[]`",
                "[\"binder\"]",
                "Workers that must be ready, or done if they are oneshots, before it starts. If one of them is given up, so is it, when it is to start. Of a pool, one member has to be ready.",
            ),
            (
                "wants",
                "`[]`",
                "[\"binder\"]",
                "Workers that it waits for as long as they may still become ready; it starts without those that do not.",
            ),
            (
                "after",
                "`[]`",
                "[\"binder\"]",
                "Workers that start before it and stop after it, if they do: the order alone.",
            ),
            (
                "kept",
                "`[]`",
                "[\"http\"]",
                "Names of listeners, and of descriptors that a worker in `needs` has kept with the supervisor; it finds them by `cx.kept(\"http\")`, a foreign program by `LISTEN_FDS`. What it kept itself comes back without being named. Each is 1 to 32 letters, digits, `_`, `-` and `.`, but not `.handoff`, and named once.",
            ),
            (
                "restart",
                "`\"permanent\"`",
                "\"transient\"",
                "When an end is answered by a restart: `permanent` always, `transient` after a failure, `temporary` never.",
            ),
            (
                "start",
                "`\"boot\"`",
                "\"on_demand\"",
                "When it starts: with the system, or `on_demand`, when somebody who may sends to it. The message waits for the start within its deadline; whoever needs the worker does not.",
            ),
            (
                "idle_stop",
                "never",
                "\"30s\"",
                "How long a worker that starts on demand stays while no message comes and none is being handled.",
            ),
            (
                "max_messages",
                "any number",
                "100",
                "How many messages of others one life takes. Then it finishes, and a fresh process takes its place, which charges no budget.",
            ),
            (
                "max_age",
                "never",
                "\"12h\"",
                "How long one life lasts at most; then a fresh process takes its place, which charges no budget. Each instance has a time of its own between three quarters and the whole.",
            ),
            (
                "threads",
                "`1`",
                "2",
                "How many threads run its actors. Each actor lives on one of them, its children beside it; they come to them in turn, in the order in which they are written. One that is declared blocking has a thread of its own.",
            ),
            (
                "spares",
                "`0`",
                "1",
                "How many processes wait to be the next life, 0 or 1: made and sandboxed, before any code of their actors.",
            ),
            (
                "essential",
                "`false`",
                "true",
                "Giving it up stops the whole system with exit code 3. Without a privilege it also needs `crash_may_stop`.",
            ),
            (
                "significant",
                "`false`",
                "true",
                "Its end, if it ends as it should, counts for the `auto_shutdown` of its group. Not for what is always restarted.",
            ),
            (
                "crash_may_stop",
                "nothing",
                "\"all\"",
                "Accepts in writing that the crashes of this worker, which holds no privilege, may stop others that hold some, or everything: see [supervision](supervision.md).",
            ),
            (
                "privileged",
                "`false`",
                "true",
                "It may accuse less privileged peers of breaking the rules of a link, and is not accused by them. A granted capability implies that. Needed for uid 0 and for the preset `none`.",
            ),
            ("backoff", "see below", "{ cap = \"2s\" }", "The pauses before restarts."),
            (
                "start_timeout",
                "`\"30s\"`",
                "\"5s\"",
                "From its start to ready; then it is killed, which is a failure.",
            ),
            (
                "drain_timeout",
                "`\"10s\"`",
                "\"0s\"",
                "From the order to drain, which lets it finish what it has, to the order to stop.",
            ),
            ("stop_timeout", "`\"10s\"`", "\"250ms\"", "From the order to stop to SIGKILL."),
            (
                "stuck_after",
                "`\"1s\"`",
                "\"300ms\"",
                "One poll of an actor that lasts longer is reported, with the names of actor and method; `\"0s\"` reports none. See [hangs](hangs.md).",
            ),
            (
                "liveness_timeout",
                "`\"60s\"`",
                "\"2m\"",
                "One poll, or a stop by SIGSTOP, that lasts longer is a failure: it is aborted, or killed. `\"0s\"` lets it last.",
            ),
            (
                "abort_timeout",
                "`\"5s\"`",
                "\"1s\"",
                "From SIGABRT, which has a hung worker say where it hangs and leave a core, to SIGKILL.",
            ),
            (
                "on_sigstop",
                "`\"kill\"`",
                "\"ignore\"",
                "Whether `liveness_timeout` holds for a worker that a signal has stopped: `ignore` lets it stand still.",
            ),
            (
                "reload_timeout",
                "`\"30s\"`",
                "\"5s\"",
                "How long it may take to take up a changed manifest; then it goes on as it was.",
            ),
            ("on", "see below", "{ oom = \"stop\" }", "The answers to causes of a failure."),
            (
                "max_offences",
                "`3`",
                "0",
                "How many offences within `offence_period` are answered by a restart: violations of the protocol and forbidden system calls. No stable period makes them forgotten.",
            ),
            ("offence_period", "`\"1d\"`", "\"7d\"", "The length of the sliding window for offences."),
            (
                "stable_after",
                "`\"10s\"`",
                "\"1m\"",
                "Ready for this long, and the backoff starts again at `first`.",
            ),
            ("ok_exit", "`[0]`", "[0, 3]", "Exit codes that are a clean end."),
            (
                "no_restart_exit",
                "`[64, 78, 100]`",
                "[64]",
                "Exit codes after which it is not restarted, whatever `restart` says.",
            ),
            (
                "uncounted_exit",
                "`[75]`",
                "[75, 111]",
                "Exit codes after which it is restarted without a charge to the budget.",
            ),
            (
                "load_credential",
                "none",
                "{ tls = \"/etc/ssl/key.pem\" }",
                "Secrets that it is handed, by name: `cx.credential(\"tls\")`. Files of at most 1 MiB, 8 at most, opened by the supervisor at its start and at an ordered restart, held to the same trust as executables. They arrive as sealed memory; no variable, log, core or `status` has them.",
            ),
            (
                "pass_environment",
                "`[]`",
                "[\"TZ\"]",
                "Variables that it is given as the supervisor has them; one that the supervisor does not have is left out. Not: what `environment` sets, and what is meant for the supervisor itself (`NOTIFY_SOCKET`, `LISTEN_FDS` and such).",
            ),
            (
                "environment",
                "`{}`",
                "{ LANG = \"C.UTF-8\" }",
                "Its variables: nothing is inherited. Names that start with `BAILIWICK_` are taken.",
            ),
            (
                "working_directory",
                "`/`",
                "\"/srv/www\"",
                "The folder in which it starts. Being there grants no access to files.",
            ),
            (
                "may",
                "`[]`",
                "[\"status\"]",
                "What it may ask of the supervisor, by `cx.supervisor()`: to see by `status` the process tree, by `events`, `logs`, `crashes` and `denials` what their commands show; to order by `start`, `stop`, `restart`, `kill`, `reset` and `scale` what their commands do to a worker that is named. A `reload` and the stop of everything are no worker's to order.",
            ),
            ("sandbox", "see below", "{ preset = \"net-client\" }", "What it may do to the kernel."),
            (
                "actor",
                "none",
                "{ thumbs = { type = \"Shrinker\" } }",
                "Its actors, each a table of its own, 64 at most.",
            ),
            (
                "actors",
                "see below",
                "{ strategy = \"rest_for_one\" }",
                "What it makes of the failures of its actors.",
            ),
            (
                "while_down",
                "see below",
                "{ messages = 100 }",
                "What may wait for it with each sender while it is down.",
            ),
            ("channel", "see below", "{ on_violation = \"kill\" }", "How its links are held to their rules."),
        ],
    },
    Section {
        title: "[worker.NAME.backoff]",
        what: "The pause before the n-th restart in a row is `first` for n = 1, then `base`, then `factor` times the one before, at most `cap`; chance shortens each by up to `jitter` of itself.",
        table: "Backoff",
        head: "[worker.p]\nexec = \"x\"\n[worker.p.backoff]\n",
        keys: &[
            ("first", "`\"0s\"`", "\"10ms\"", "Before the first restart after a stable period."),
            ("base", "`\"100ms\"`", "\"200ms\"", "Before the second."),
            ("factor", "`2.0`", "1.5", "The growth from one to the next."),
            ("cap", "`\"30s\"`", "\"2s\"", "The longest pause; also the pace of `cool_down`."),
            ("jitter", "`0.25`", "0.1", "The share of a pause that chance may take away."),
        ],
    },
    Section {
        title: "[worker.NAME.on]",
        what: "Whether a failure is answered by a restart, as far as the budgets go, or by giving the worker up, by its cause. What is clean by `restart` and the exit codes is no failure.",
        table: "On",
        head: "[worker.p]\nexec = \"x\"\n[worker.p.on]\n",
        keys: &[
            ("exit", "`\"restart\"`", "\"stop\"", "It exited by itself."),
            ("signal", "`\"restart\"`", "\"stop\"", "A signal ended it that the supervisor did not send."),
            ("oom", "`\"restart\"`", "\"stop\"", "The kernel ended it for its memory."),
            (
                "hang",
                "`\"restart\"`",
                "\"stop\"",
                "It did not get on, or was stopped by SIGSTOP, for `liveness_timeout`.",
            ),
            (
                "violation",
                "`\"restart\"`",
                "\"stop\"",
                "It broke the rules of the protocol; `restart` is one as far as `max_offences` goes.",
            ),
            (
                "forbidden_syscall",
                "`\"restart\"`",
                "\"stop\"",
                "It made a system call that its sandbox forbids; likewise.",
            ),
        ],
    },
    sandbox::SECTION,
    Section {
        title: "[worker.NAME.sandbox.landlock]",
        what: "What Landlock bounds besides paths and ports. Usually written in the sandbox: `landlock = { scope = [\"signal\"] }`.",
        table: "Landlock",
        head: "[worker.p]\nexec = \"x\"\n[worker.p.sandbox.landlock]\n",
        keys: &[(
            "scope",
            "both, where the machine can",
            "[\"signal\"]",
            "What stays inside: `signal`, no process of others is signalled; `abstract-unix`, no abstract socket of others is connected to. A list that is written names all that stays inside, and needs Linux 6.12; an empty one lets both out, as far as system calls, PID and network namespaces let them.",
        )],
    },
    Section {
        title: "[worker.NAME.channel]",
        what: "How a worker's links are held to their rules. See [grants](grants.md#violations).",
        table: "Channel",
        head: "[worker.p]\nexec = \"x\"\n[worker.p.channel]\n",
        keys: &[
            (
                "on_violation",
                "`\"kill\"`",
                "\"log\"",
                "What follows when a privileged peer finds that it broke the rules of their link: `log` has it told and recorded, and the link made anew. Only with `profile = \"dev\"` in `[supervisor]`.",
            ),
            (
                "max_frame",
                "`\"1M\"`",
                "\"64K\"",
                "The bytes of one message or reply, either way. Of a link's two ends the tighter limit holds, of this key and the next three. Whoever sends holds to it: what is more is `NotDelivered(TooLarge)`, and never leaves. Whoever receives counts again: what arrives and is more is a violation.",
            ),
            (
                "max_depth",
                "`32`",
                "8",
                "Values inside values in one message: structs, variants, options, lists. What is deeper and arrives all the same is not delivered either, as with the next two.",
            ),
            (
                "max_elements",
                "`65536`",
                "1000",
                "Elements of all lists, and entries of all maps, in one message; single bytes are not counted.",
            ),
            (
                "decode_budget",
                "8 times `max_frame`",
                "\"256K\"",
                "The bytes of memory that one message fills when it is decoded: text, elements, boxed values.",
            ),
        ],
    },
    Section {
        title: "[worker.NAME.while_down]",
        what: "What waits with each worker that sends to this one while it is down, and is delivered to its next life. Beyond it, and beyond 64 descriptors, a send fails with `NotDelivered(PeerDown)`.",
        table: "WhileDown",
        head: "[worker.p]\nexec = \"x\"\n[worker.p.while_down]\n",
        keys: &[
            ("messages", "`1000`", "0", "Messages; 0 is to refuse all."),
            ("bytes", "`\"1M\"`", "\"64K\"", "Bytes of their arguments."),
        ],
    },
    Section {
        title: "[worker.NAME.actors]",
        what: "What a worker makes of the failures of its actors, by panics or errors. When their budget is spent it exits with code 81, which its group counts as one failure.",
        table: "Actors",
        head: "[worker.v.actors]\n",
        keys: &[
            (
                "strategy",
                "`\"one_for_one\"`",
                "\"rest_for_one\"",
                "Whom a failure restarts: the actor that failed; `rest_for_one` also those that stand after it in the manifest; `one_for_all` all. They stop in the reverse order and start in order. `pool` is `one_for_one`.",
            ),
            (
                "max_restarts",
                "`5`",
                "3",
                "How many failures of all actors together within `period` are answered by a restart.",
            ),
            ("period", "`\"30s\"`", "\"1m\"", "The length of the sliding window in which failures count."),
            (
                "on_exhausted",
                "`\"escalate\"`",
                "\"cool_down\"",
                "When the budget is spent: `escalate` ends the worker with exit code 81; `cool_down` tries again at the backoff's `cap`, for ever; `fail` gives the actor up, the others stay.",
            ),
            (
                "auto_shutdown",
                "`\"never\"`",
                "\"any_significant\"",
                "Whether the worker ends with exit code 0 when `any_significant` actor has ended as it should, or when `all_significant` ones have.",
            ),
            (
                "stable_after",
                "`\"10s\"`",
                "\"1m\"",
                "An actor has run for this long, and its backoff starts again at `first`.",
            ),
            (
                "backoff",
                "that of a worker",
                "{ base = \"10ms\" }",
                "The pause before each restart of an actor, with the keys of `[worker.NAME.backoff]`.",
            ),
        ],
    },
    Section {
        title: "[worker.NAME.actor.NAME]",
        what: "An actor that the worker hosts from its start.",
        table: "Actor",
        head: "[worker.v.actors]\nauto_shutdown = \"any_significant\"\n[worker.v.actor.b]\n",
        keys: actor::KEYS,
    },
    Section {
        title: "[worker.NAME.actor.NAME.mailbox]",
        what: "The bounds of the queue in front of an actor.",
        table: "Mailbox",
        head: "[worker.v.actor.a.mailbox]\n",
        keys: &[
            ("capacity", "`1024`", "64", "Messages that it holds."),
            ("capacity_bytes", "`\"4M\"`", "\"64K\"", "Bytes that it holds."),
            (
                "on_full",
                "`\"wait\"`",
                "\"reject\"",
                "What a full one does: `wait` lets the sender wait up to its deadline; `reject` fails the send with `NotDelivered(Full)`; `drop_oldest` and `drop_newest` make a dead letter of the message that waits longest, or of the new one, and hold nobody up.",
            ),
            (
                "unbounded",
                "`false`",
                "true",
                "It holds whatever comes from actors of the same worker, until memory ends. What comes from other workers is bounded by credit, as with the defaults above. The other keys are then not said.",
            ),
            ("rendezvous", "`false`", "true", "It holds nothing: a tell ends when the actor takes it."),
        ],
    },
    Section {
        title: "[[listen]]",
        what: "A listener that is there before any worker and outlives them all, for those that name it in `kept`. If whoever starts the supervisor passes a descriptor of its name (`LISTEN_FDS`, `LISTEN_FDNAMES`: systemd's socket activation), that is used; else its address is bound at the start. 64 at most.",
        table: "Listen",
        head: "[worker.k]\nexec = \"x\"\nkept = [\"http\"]\n[[listen]]\n",
        keys: &[
            (
                "name",
                REQUIRED,
                "\"http\"",
                "The name under which workers find it: 1 to 32 letters, digits, `_`, `-` and `.`, but not `.handoff`.",
            ),
            (
                "tcp",
                "none: it must be passed",
                "\"0.0.0.0:8080\"",
                "Its address and port. Ports below 1024 need CAP_NET_BIND_SERVICE.",
            ),
            (
                "unix",
                "none: it must be passed",
                "\"/run/shop/http.sock\"",
                "Its path. A socket there on which nobody listens any more is replaced; it stays when the supervisor ends.",
            ),
        ],
    },
    Section {
        title: "[[grant]]",
        what: "Who may send what to whom. Without a grant there is no link, and no name for the other. 1024 at most.",
        table: "Grant",
        head: "[[grant]]\n",
        keys: &[
            (
                "from",
                REQUIRED,
                "\"web\"",
                "The sending worker; every instance of it. `operator` is whoever [asks from outside](asking.md).",
            ),
            (
                "to",
                REQUIRED,
                "\"shrinker/thumbs\"",
                "The receiving worker, or one actor of it as `WORKER/ACTOR`; every instance.",
            ),
            ("methods", "every method of the protocols", "[\"shrink\"]", "The methods that may be called."),
            (
                "max_inflight",
                "`1024`",
                "8",
                "Asks that one sender may have open at a time over this grant; one more waits.",
            ),
            (
                "rate",
                "none",
                "\"10/s\"",
                "So many messages of one sender to one actor at once, and in each such time in the long run. What is more comes back as `NotDelivered(TooOften)`. A restart of the sender renews nothing.",
            ),
            (
                "once",
                "`false`",
                "true",
                "Each method may be used once: over all lives of sender and receiver, or with `\"per_life\"` once in each life of the sender. What is more comes back as `NotDelivered(UsedUp)`. See [grants](grants.md).",
            ),
            (
                "fds",
                "what the methods declare",
                "{ send = [\"file\"] }",
                "Kinds of descriptors that may travel along.",
            ),
        ],
    },
    Section {
        title: "[grant.fds]",
        what: "Usually written in the grant: `fds = { send = [\"file\"] }`. Where it is written, a list that is left out is empty.",
        table: "Fds",
        head: "[[grant]]\nfrom = \"w\"\nto = \"v\"\n[grant.fds]\n",
        keys: &[
            ("send", "`[]`", "[\"file\"]", "With a message."),
            ("receive", "`[]`", "[\"tcp-listener\"]", "With a reply."),
        ],
    },
];
