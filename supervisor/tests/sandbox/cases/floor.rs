//! What a machine must give, and what follows where it does not.

use bailiwick_supervisor::check::floor::PILLARS;
use bailiwick_supervisor::sandbox::Machine;
use bailiwick_supervisor::spec::{HidePid, KeyringMode, Preset, Worker};

use crate::bench::{Bench, is_root, worker};

/// Returns this machine without one mechanism, and a worker that cannot do without it, or has it where it is there.
fn without(name: &str) -> (Machine, Worker) {
    // Who cannot change users would be born in a namespace of users, which has cases of its own.
    let (mut machine, mut worker) = (Machine::probe().without_nests(), worker(Preset::Sealed));
    match name {
        "Landlock" => machine.landlock_abi = 0,
        "seccomp" => machine.seccomp = false,
        "another user than root" => machine.worker_uids = None,
        "bounds on TCP ports" => {
            machine.landlock_abi = 3;
            worker.sandbox.tcp_connect = vec![443];
        }
        "bounds on signals" => machine.landlock_abi = 5,
        "an end of all that it starts" => {
            machine = machine.without_cgroups();
            machine.worker_uids = None;
            worker.sandbox.preset = Preset::Exec;
            worker.privileged = true;
        }
        "a bound on all its memory together" => {
            machine = Machine::probe().without_cgroups();
            worker.sandbox.preset = Preset::Exec;
            worker.sandbox.memory_max = Some(1 << 30);
        }
        "a `/proc` of its own" => {
            machine = Machine::probe();
            machine.space.own_proc = false;
            worker.sandbox.preset = Preset::Exec;
            worker.sandbox.view.protect_proc = Some(HidePid::Invisible);
        }
        "a keyring of its own" => {
            machine.keyrings = false;
            worker.sandbox.keyring_mode = Some(KeyringMode::Private);
        }
        "groups" => {
            machine.worker_uids = None;
            worker.sandbox.supplementary_groups = vec!["4243".into()];
            worker.privileged = true;
        }
        _ => panic!("how is {name} taken away?"),
    }
    (machine, worker)
}

pub(super) fn k1_each_mechanism_that_is_missing_refuses_the_start_or_is_told() {
    for pillar in PILLARS {
        if pillar.name == "another user than root" && !is_root() {
            continue;
        }
        let (machine, worker) = without(pillar.name);
        assert!(!pillar.is_given_by(&machine), "{}", pillar.name);
        let is_extra = pillar.name == "bounds on signals";
        match Bench::required_on(machine.clone(), worker.clone()) {
            Ok(_) => assert!(is_extra, "{} is missing and nobody minds", pillar.name),
            Err(error) => {
                let text = format!(
                    "worker probe needs {}, which this machine does not give: {}",
                    pillar.name, pillar.needs
                );
                assert_eq!((error.exit_code(), error.to_string(), is_extra), (69, text, false));
            }
        }
        let mut bench = Bench::degraded_on(machine, worker);
        let missing = bench.prepared().missing().to_vec();
        assert!(missing.iter().any(|one| one.what == pillar.aspect), "{}: {missing:?}", pillar.name);
        bench.start();
    }
}

pub(super) fn what_is_there_is_not_told_as_missing() {
    let machine = Machine::probe();
    if !PILLARS.iter().all(|pillar| pillar.is_given_by(&machine)) {
        return println!("SKIPPED: this machine does not give everything");
    }
    let bench = Bench::new(worker(Preset::Sealed));
    assert_eq!(bench.prepared().missing(), []);
}
