//! Who a worker is.

use std::os::unix::fs::chown;

use bailiwick_supervisor::sandbox::{Aspect, Machine};
use bailiwick_supervisor::spec::{KeyringMode, Preset, System};
use bailiwick_sys::guardian::worker_uids;
use bailiwick_sys::identity::{self, effective_uid};

use crate::bench::{Bench, is_root, worker};

const NONE: &str = "0000000000000000";

pub(super) fn a_sealed_worker_holds_no_privilege() {
    let mut bench = Bench::new(worker(Preset::Sealed));
    let life = bench.start();
    let uid = bench.prepared().identity().uid;
    if is_root() {
        assert!(worker_uids().expect("as root there are some").contains(&uid), "{uid}");
        assert_eq!(life.status("CapBnd"), NONE);
        assert_eq!(life.status("Groups"), "");
    } else {
        assert_eq!(uid, effective_uid());
    }
    assert_eq!(life.status("Uid"), format!("{uid} {uid} {uid} {uid}"));
    let gid = bench.prepared().identity().gid;
    assert_eq!(life.status("Gid"), format!("{gid} {gid} {gid} {gid}"));
    for set in ["CapInh", "CapPrm", "CapEff", "CapAmb"] {
        assert_eq!(life.status(set), NONE, "{set}");
    }
    assert_eq!((life.status("NoNewPrivs"), life.status("Seccomp")), ("1".into(), "2".into()));
    let facts = life.ask("facts");
    assert!(facts.starts_with("pdeathsig 9 "), "{facts}");
}

pub(super) fn the_second_stage_closes_inspection_and_adds_one_filter() {
    let mut bench = Bench::bare(worker(Preset::Sealed));
    let life = bench.start();
    let before: u32 = life.status("Seccomp_filters").parse().expect("a number");
    drop(life);
    let life = bench.start_confined();
    assert_eq!(life.status("Seccomp_filters"), (before + 1).to_string());
    let facts = life.ask("read /proc/self/status");
    assert_eq!(facts, "EACCES");
    if !is_root() {
        let memory = std::fs::File::open(format!("/proc/{}/environ", life.child.pid));
        assert!(memory.is_err(), "the supervisor's own user looks into the worker");
    }
}

pub(super) fn each_worker_has_a_user_of_its_own_and_gets_it_again() {
    let (mut first, second) = (Bench::new(worker(Preset::Sealed)), Bench::new(worker(Preset::Sealed)));
    let uid = |bench: &Bench| bench.prepared().identity().uid;
    assert_ne!(uid(&first), uid(&second));
    for life in [first.start(), first.start()] {
        assert!(life.status("Uid").starts_with(&uid(&first).to_string()));
    }
}

pub(super) fn a_granted_capability_is_kept_and_nothing_else() {
    let mut worker = worker(Preset::NetServer);
    worker.sandbox.capabilities = vec!["CAP_NET_BIND_SERVICE".into()];
    worker.sandbox.tcp_bind = vec![81];
    let mut bench = Bench::new(worker);
    let life = bench.start();
    let granted = "0000000000000400";
    for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
        assert_eq!(life.status(set), granted, "{set}");
    }
    assert!(worker_uids().expect("as root there are some").contains(&bench.prepared().identity().uid));
    // noroot, setuid fixup, keep caps and ambient raise: decided and locked.
    assert!(life.ask("facts").contains("securebits 0xeb "), "{}", life.ask("facts"));
    drop(life);
    let life = bench.start_confined();
    assert_eq!(life.ask("bind 81"), "ok");
    assert_eq!(life.ask("bind 82"), "EACCES");
}

pub(super) fn a_worker_runs_as_the_owner_of_what_it_is_granted() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    chown(folder.path(), Some(4711), Some(4712)).expect("root may");
    let mut worker = worker(Preset::FsRo);
    worker.sandbox.read_only_paths = vec![folder.path().canonicalize().expect("a folder")];
    let mut bench = Bench::new(worker);
    let life = bench.start();
    assert_eq!(
        (life.status("Uid"), life.status("Gid")),
        ("4711 4711 4711 4711".into(), "4712 4712 4712 4712".into())
    );
    assert_eq!(life.status("Groups"), "");
}

pub(super) fn a_worker_is_in_the_groups_that_it_is_given_and_in_no_other() {
    let mut worker = worker(Preset::Sealed);
    worker.sandbox.supplementary_groups = ["4244", "4243", "4244"].map(str::to_owned).into();
    let mut bench = Bench::new(worker);
    let life = bench.start();
    assert_eq!(life.status("Groups"), "4243 4244");
    let uid = bench.prepared().identity().uid;
    assert_eq!(life.status("Gid"), format!("{uid} {uid} {uid} {uid}"));
}

pub(super) fn groups_that_nobody_may_give_are_refused() {
    let mut worker = worker(Preset::Sealed);
    if is_root() {
        worker.sandbox.supplementary_groups = vec!["no such group".into()];
        let error = Bench::try_new(worker).err().expect("a refusal");
        assert!(error.to_string().contains("which does not exist"), "{error}");
        return;
    }
    worker.sandbox.supplementary_groups = vec!["4243".into()];
    let error = Bench::try_new(worker).err().expect("a refusal");
    let text = "worker probe needs groups, which this machine does not give: only a supervisor that is root, and of more than one user, gives groups";
    assert_eq!((error.exit_code(), error.to_string().as_str()), (69, text));
}

pub(super) fn a_worker_finds_its_own_keys_or_those_of_whoever_started_it() {
    if !Machine::probe().keyrings {
        return println!("SKIPPED: this kernel has no keyrings");
    }
    identity::join_new_keyring().expect("this process may have one");
    let ours = format!("{:?}", identity::session_keyring());
    let theirs = |mode| {
        // Of a worker whose filter does not forbid the question.
        let mut worker = worker(Preset::None);
        worker.privileged = true;
        worker.sandbox.keyring_mode = mode;
        Bench::new(worker).start().ask("keyring")
    };
    assert_eq!(theirs(None), ours, "without a sandbox nothing is taken away");
    assert_eq!(theirs(Some(KeyringMode::Inherit)), ours);
    let private = theirs(Some(KeyringMode::Private));
    assert!(private.starts_with("Ok(") && private != ours, "{private} {ours}");
}

pub(super) fn a_keyring_that_is_asked_for_and_cannot_be_had_refuses_the_start() {
    let poor = || Machine { keyrings: false, ..Machine::probe() };
    Bench::on(poor(), worker(Preset::Sealed)).expect("nobody asked").start();
    let mut worker = worker(Preset::Sealed);
    worker.sandbox.keyring_mode = Some(KeyringMode::Private);
    let error = Bench::on(poor(), worker.clone()).err().expect("a refusal");
    assert!(error.to_string().starts_with("worker probe needs a keyring of its own"), "{error}");
    assert_eq!(error.exit_code(), 69);
    let mut bench = Bench::degraded_on(poor(), worker);
    let missing = bench.prepared().missing();
    assert!(missing.iter().any(|one| one.what == Aspect::Key("keyring_mode")), "{missing:?}");
    bench.start();
}

pub(super) fn workers_users_come_from_the_range_that_is_set_aside() {
    let range = 0x7100_0000..=0x7100_00ff;
    let of = |range| System {
        worker_uids: Some(range),
        workers: vec![worker(Preset::Sealed)],
        ..System::default()
    };
    let mut bench = Bench::of(Machine::probe(), of(range.clone())).expect("a sandbox");
    let uid = bench.prepared().identity().uid;
    assert!(range.contains(&uid), "{uid:#x}");
    let life = bench.start();
    assert_eq!(life.status("Uid"), format!("{uid} {uid} {uid} {uid}"));
    drop(life);
    // Whoever kills as that user must be allowed to.
    bench.kill_tree();
}

pub(super) fn uid_0_needs_to_be_privileged() {
    let mut root = worker(Preset::Sealed);
    root.sandbox.user = Some("root".into());
    let error = Bench::try_new(root.clone()).err().expect("a refusal");
    assert_eq!(error.to_string(), "worker probe runs as uid 0 without `privileged = true`");
    root.privileged = true;
    let mut bench = Bench::new(root);
    let life = bench.start();
    assert_eq!((life.status("Uid"), life.status("CapEff")), ("0 0 0 0".into(), NONE.into()));
}
