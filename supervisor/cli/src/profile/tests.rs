//! Nothing can be declared that `explain` does not tell: each field of what a manifest becomes, when it is changed,
//! changes what is told, and a field that is not named here does not compile.

use std::time::Duration;

use bailiwick_supervisor::sandbox::Machine;
use bailiwick_supervisor::spec::{
    Actor, ActorTerms, Address, Architectures, Args, AutoShutdown, Backoff, Bind, Bounds, Calls, Command,
    DIGEST_BYTES, Denial, Exec, Families, FdKind, FileView, Grant, Group, HidePid, KeyringMode, Kind, Limits,
    Listener, Mailbox, May, MessageLimits, Namespace, OnExhausted, OnFull, OnSigstop, OnViolation, Once,
    Preset, ProcSubset, Profile, ProtectHome, ProtectSystem, Rate, Reaction, Reactions, RestartType, Sandbox,
    Shares, Start, StopSignal, Strategy, System, Temporary, TrustDomain, WhileDown, Worker,
};

use super::{document, everything, namespaces};
use crate::subject::Source;

/// Fields, each with what gives it another value.
type Changes<T> = Vec<(&'static str, fn(&mut T))>;

/// Each field with another value. The list is complete, or this does not compile.
macro_rules! changes {
    ($type:ident { $($field:ident: $value:expr),+ $(,)? }) => {{
        let _complete = |whole: $type| { let $type { $($field: _),+ } = whole; };
        vec![$((stringify!($field), (|whole: &mut $type| whole.$field = $value) as fn(&mut $type))),+]
    }};
}

/// A system with one of everything that can be declared.
fn base() -> System {
    let mut web = Worker::new("web", Exec::Path("/bin/web".into()));
    web.group = Some("front".into());
    web.kept = vec!["http".into()];
    // So that a key which cannot be had without a view does not show by that alone.
    web.sandbox.private_mounts = Some(true);
    let args = Some(Args { text: "{ a = 1 }".into(), line: 7 });
    let mailbox = Mailbox::default();
    web.actors = vec![Actor {
        name: "front".into(),
        type_name: "Web".into(),
        args,
        mailbox,
        restart: None,
        significant: false,
        handoff: false,
    }];
    let mut old = Worker::new("old", Exec::Path("/bin/old".into()));
    old.sandbox.preset = Preset::Exec;
    old.command = Some(Command::default());
    let mut grant = Grant::new("web", "old", None);
    grant.rate = Some(Rate { messages: 3, period: Duration::from_secs(1) });
    let address = "127.0.0.1:80".parse().expect("it is one");
    System {
        name: "shop".into(),
        groups: vec![Group::new("front"), Group::new("crowd")],
        workers: vec![web, old],
        grants: vec![grant],
        listeners: vec![Listener { name: "http".into(), address: Some(Address::Tcp(address)) }],
        ..System::default()
    }
}

/// Applies each change to what it is about and holds both ways of telling against what is told without.
fn each<T>(what: &str, changes: Changes<T>, place: fn(&mut System) -> &mut T) {
    let machine = Machine::probe();
    let told = |system: &System| {
        let all: Vec<&Worker> = system.workers.iter().collect();
        (document(system, Source::default(), &all, &machine), everything(system, &all, &machine, false))
    };
    let before = told(&base());
    for (field, change) in changes {
        let mut system = base();
        change(place(&mut system));
        let after = told(&system);
        assert_ne!(after.0, before.0, "a change of {what}.{field} is in no document of `explain`");
        assert_ne!(after.1, before.1, "a change of {what}.{field} is on no page of `explain`");
    }
}

fn second() -> Duration {
    Duration::from_millis(1234)
}

#[test]
fn every_field_of_a_system_is_told() {
    let changes = changes!(System {
        name: "other".into(),
        state_dir: Some("/run/other".into()),
        root: Group { max_restarts: 77, ..Group::new("") },
        groups: vec![Group { max_restarts: 77, ..Group::new("front") }],
        workers: Vec::new(),
        grants: Vec::new(),
        listeners: Vec::new(),
        exit_code_from: Some("web".into()),
        shutdown_timeout: second(),
        profile: Profile::Dev,
        allow_degraded: true,
        worker_uids: Some(0x7100_0000..=0x7100_ffff),
        manifest: Some([7; DIGEST_BYTES]),
    });
    each("System", changes, |system| system);
    let changes = changes!(Listener { name: "https".into(), address: None });
    each("Listener", changes, |system| &mut system.listeners[0]);
    let changes = changes!(Group {
        name: "back".into(),
        parent: Some("crowd".into()),
        strategy: Strategy::OneForAll,
        max_restarts: 77,
        period: second(),
        on_exhausted: OnExhausted::Fail,
        auto_shutdown: AutoShutdown::AnySignificant,
        significant: true,
    });
    each("Group", changes, |system| &mut system.groups[0]);
}

#[test]
fn every_field_of_a_grant_is_told() {
    let changes = changes!(Grant {
        from: "old".into(),
        to_worker: "web".into(),
        to_actor: Some("front".into()),
        methods: Some(vec!["get".into()]),
        fds_send: Some(Vec::new()),
        fds_receive: Some(vec![FdKind::File]),
        max_inflight: 5,
        rate: None,
        once: Once::PerLife,
    });
    each("Grant", changes, |system| &mut system.grants[0]);
    let changes = changes!(Rate { messages: 4, period: second() });
    each("Rate", changes, |system| system.grants[0].rate.as_mut().expect("it has one"));
    each("Grant", vec![("once", |grant: &mut Grant| grant.once = Once::Ever)], |system| {
        &mut system.grants[0]
    });
}

#[test]
fn every_field_of_a_worker_is_told() {
    let changes = changes!(Worker {
        name: "other".into(),
        exec: Exec::Own,
        command: Some(Command::default()),
        kind: Kind::Oneshot,
        instances: 3,
        max_children: Some(5),
        group: Some("crowd".into()),
        needs: vec!["old".into()],
        wants: vec!["old".into()],
        after: vec!["old".into()],
        kept: Vec::new(),
        restart: RestartType::Temporary,
        start: Start::OnDemand,
        idle_stop: second(),
        max_messages: 7,
        max_age: second(),
        threads: 2,
        spares: 1,
        essential: true,
        significant: true,
        crash_may_stop_all: true,
        privileged: true,
        backoff: Backoff { cap: second(), ..Backoff::default() },
        start_timeout: second(),
        stop_timeout: second(),
        drain_timeout: second(),
        stuck_after: second(),
        liveness_timeout: second(),
        abort_timeout: second(),
        on_sigstop: OnSigstop::Ignore,
        on_violation: OnViolation::Log,
        reload_timeout: second(),
        stable_after: second(),
        on: Reactions { oom: Reaction::Stop, ..Reactions::default() },
        max_offences: 77,
        offence_period: second(),
        ok_exit: vec![77],
        no_restart_exit: vec![77],
        uncounted_exit: vec![77],
        sandbox: Sandbox { preset: Preset::FsRo, ..Sandbox::default() },
        actors: Vec::new(),
        actor_terms: ActorTerms { max_restarts: 77, ..ActorTerms::default() },
        while_down: WhileDown { messages: 77, ..WhileDown::default() },
        channel: MessageLimits { depth: 77, ..MessageLimits::LINK },
        trust_domain: Some(TrustDomain::new("core")),
        environment: [("LANG".to_owned(), "C".to_owned())].into(),
        pass_environment: vec!["TZ".into()],
        credentials: [("tls".to_owned(), "/etc/key".into())].into(),
        working_directory: Some("/srv".into()),
        may: vec![May::Status],
    });
    each("Worker", changes, |system| &mut system.workers[0]);
    let value: Changes<Worker> = vec![("environment", |worker| {
        worker.environment = [("LANG".to_owned(), "D".to_owned())].into();
    })];
    each("Worker", value, |system| &mut system.workers[0]);
    let changes = changes!(Command {
        arguments: vec!["-v".into()],
        notify: true,
        watchdog: Some(second()),
        stop_signal: StopSignal::Quit,
    });
    each("Command", changes, |system| system.workers[1].command.as_mut().expect("it is one"));
}

#[test]
fn every_field_of_a_workers_terms_is_told() {
    let pauses = || {
        changes!(Backoff {
            first: second(),
            base: second(),
            factor_permille: 7,
            cap: second(),
            jitter_permille: 7,
        })
    };
    each("Backoff", pauses(), |system| &mut system.workers[0].backoff);
    each("ActorTerms.backoff", pauses(), |system| &mut system.workers[0].actor_terms.backoff);
    let changes = changes!(ActorTerms {
        strategy: Strategy::OneForAll,
        max_restarts: 77,
        period: second(),
        on_exhausted: OnExhausted::Fail,
        auto_shutdown: AutoShutdown::AnySignificant,
        backoff: Backoff { cap: second(), ..Backoff::default() },
        stable_after: second(),
    });
    each("ActorTerms", changes, |system| &mut system.workers[0].actor_terms);
    let changes = changes!(Reactions {
        exit: Reaction::Stop,
        signal: Reaction::Stop,
        oom: Reaction::Stop,
        hang: Reaction::Stop,
        violation: Reaction::Stop,
        forbidden_syscall: Reaction::Stop,
    });
    each("Reactions", changes, |system| &mut system.workers[0].on);
    let changes = changes!(WhileDown { messages: 77, bytes: 77 });
    each("WhileDown", changes, |system| &mut system.workers[0].while_down);
    let changes = changes!(Actor {
        name: "back".into(),
        type_name: "Other".into(),
        args: None,
        mailbox: Mailbox { capacity: 77, ..Mailbox::default() },
        restart: Some(RestartType::Temporary),
        significant: true,
        handoff: true,
    });
    each("Actor", changes, |system| &mut system.workers[0].actors[0]);
    let changes = changes!(Args { text: "{ a = 2 }".into(), line: 8 });
    each("Args", changes, |system| system.workers[0].actors[0].args.as_mut().expect("it has some"));
    let changes = changes!(Mailbox { capacity: 77, capacity_bytes: 77, on_full: OnFull::Reject });
    each("Mailbox", changes, |system| &mut system.workers[0].actors[0].mailbox);
}

#[test]
fn every_field_of_a_sandbox_is_told() {
    let changes = changes!(Sandbox {
        preset: Preset::FsRo,
        user: Some("nobody".into()),
        group: Some("nogroup".into()),
        supplementary_groups: vec!["audio".into()],
        keyring_mode: Some(KeyringMode::Inherit),
        capabilities: vec!["CAP_CHOWN".into()],
        read_only_paths: vec!["/srv".into()],
        read_write_paths: vec!["/srv".into()],
        private_mounts: Some(false),
        private_tmp: true,
        inaccessible_paths: vec!["/srv/secret".into()],
        private_network: Some(true),
        private_ipc: Some(true),
        protect_hostname: Some(true),
        tcp_bind: vec![80],
        tcp_connect: vec![443],
        udp_bind: true,
        exec_paths: vec!["/opt".into()],
        no_exec_paths: vec!["/usr".into()],
        dumpable: Some(true),
        no_new_privileges: Some(false),
        calls: Calls { filter: vec!["+munlock".into()], ..Calls::default() },
        memory_max: Some(77),
        tasks_max: Some(77),
        limit_nofile: Some(77),
        limit_core: 77,
        limits: Limits { stack: Some(77), ..Limits::default() },
        shares: Shares { cpu_weight: Some(77), ..Shares::default() },
        umask: Some(0o22),
        nice: Some(7),
        oom_score_adjust: Some(77),
        private_pids: Some(true),
        private_users: Some(true),
        view: FileView { protect_home: ProtectHome::Hidden, ..FileView::default() },
        landlock_scope: Some(Vec::new()),
    });
    each("Sandbox", changes, |system| &mut system.workers[0].sandbox);
    let given_up: Changes<Sandbox> = vec![
        ("private_mounts", |sandbox| sandbox.private_mounts = Some(false)),
        ("private_network", |sandbox| sandbox.private_network = Some(false)),
        ("private_ipc", |sandbox| sandbox.private_ipc = Some(false)),
        ("protect_hostname", |sandbox| sandbox.protect_hostname = Some(false)),
        ("private_pids", |sandbox| sandbox.private_pids = Some(false)),
        ("private_users", |sandbox| sandbox.private_users = Some(false)),
        ("keyring_mode", |sandbox| sandbox.keyring_mode = Some(KeyringMode::Private)),
    ];
    each("Sandbox", given_up, |system| &mut system.workers[0].sandbox);
    let changes = changes!(Calls {
        filter: vec!["~getrusage".into()],
        denial: Some(Denial::Fails(38)),
        log: vec!["mlock".into()],
        log_denied_paths: Some(true),
        architectures: Some(Architectures::Native),
        families: Some(Families::Only(Vec::new())),
        namespaces: Some(vec![Namespace::Net]),
        restrict_realtime: Some(true),
        restrict_suid_sgid: Some(true),
        lock_personality: Some(true),
        memory_deny_write_execute: Some(true),
        memfd_no_exec: Some(true),
    });
    each("Calls", changes, |system| &mut system.workers[0].sandbox.calls);
    let changes = changes!(FileView {
        temporary: vec![Temporary { at: "/cache".into(), bounds: Bounds::default() }],
        binds: vec![Bind { from: "/srv".into(), to: "/data".into() }],
        read_only_binds: vec![Bind { from: "/srv".into(), to: "/data".into() }],
        root_directory: Some("/srv".into()),
        private_devices: Some(true),
        protect_system: ProtectSystem::Full,
        protect_home: ProtectHome::Hidden,
        protect_proc: Some(HidePid::Off),
        proc_subset: Some(ProcSubset::All),
    });
    each("FileView", changes, |system| &mut system.workers[0].sandbox.view);
    let changes = changes!(Limits {
        file_size: Some(77),
        address_space: Some(77),
        stack: Some(77),
        locked_memory: Some(77),
        cpu_seconds: Some(77),
        message_queues: Some(77),
        pending_signals: Some(77),
        real_time: Some(77),
        nice: Some(77),
    });
    each("Limits", changes, |system| &mut system.workers[0].sandbox.limits);
    let changes = changes!(Shares {
        memory_high: Some(77),
        memory_low: Some(77),
        memory_min: Some(77),
        memory_swap_max: Some(77),
        cpu_weight: Some(77),
        cpu_quota: Some(77),
        io_weight: Some(77),
        oom_kills_all: Some(true),
    });
    each("Shares", changes, |system| &mut system.workers[0].sandbox.shares);
}

#[test]
fn a_namespace_is_its_own_where_the_sandbox_has_it_and_the_machine_can() {
    let machine = Machine::probe();
    let mut worker = Worker::new("web", Exec::Own);
    worker.sandbox.preset = Preset::Exec;
    let own = |worker: &Worker, machine: &Machine| namespaces(worker, machine).own;
    let here = own(&worker, &machine);
    assert_eq!(here.contains(&"mount"), machine.views.is_ok());
    assert_eq!(here.contains(&"pid"), machine.nests.is_ok());
    let poor = machine.clone().without_namespaces().without_nests();
    assert_eq!(own(&worker, &poor), [""; 0]);
    worker.sandbox.private_mounts = Some(false);
    assert!(!own(&worker, &machine).contains(&"mount"));
    assert_eq!(namespaces(&worker, &machine).shared.len() + own(&worker, &machine).len(), 8);
}
