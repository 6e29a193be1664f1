//! Keys that narrow or widen what a preset says. Each is seen to hold, and the worker without it to be able to.

use std::fs::{self, OpenOptions, Permissions};
use std::io::{BufRead, BufReader};
use std::os::fd::AsFd;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use bailiwick_supervisor::spec::{Denial, Families, Namespace, Preset, Worker};
use bailiwick_sys::events::Signal;
use bailiwick_sys::files;
use bailiwick_sys::wait::Change;

use crate::bench::{Bench, PATIENCE, worker};

fn texts<const N: usize>(texts: [&str; N]) -> Vec<String> {
    texts.map(str::to_owned).into()
}

/// Returns what the worker of a preset says to an order in its second stage, with the keys and without.
fn both(preset: Preset, change: impl FnOnce(&mut Worker), order: &str) -> (String, String) {
    let mut changed = worker(preset);
    change(&mut changed);
    let ask = |worker| Bench::new(worker).start_confined().ask(order);
    (ask(changed), ask(worker(preset)))
}

fn said(with: &str, without: &str) -> (String, String) {
    (with.to_owned(), without.to_owned())
}

pub(super) fn a_list_of_its_own_says_what_a_worker_calls() {
    let list = |texts: Vec<String>| move |worker: &mut Worker| worker.sandbox.calls.filter = texts;
    let sealed = Preset::Sealed;
    assert_eq!(both(sealed, list(texts(["+@memlock"])), "unlock"), said("ok", "EPERM"));
    assert_eq!(both(sealed, list(texts(["@rt", "munlockall"])), "unlock"), said("ok", "EPERM"));
    assert_eq!(both(sealed, list(texts(["@rt", "~getrusage"])), "usage"), said("EPERM", "ok"));
    assert_eq!(both(sealed, list(texts(["~@sync", "~getrusage"])), "usage"), said("EPERM", "ok"));
    // A set lets nobody start processes, and threads are made as before.
    assert_eq!(both(sealed, list(texts(["@rt", "@process"])), "thread"), said("ok", "ok"));
    assert_eq!(both(sealed, list(texts(["@rt", "@process"])), "run true"), said("EPERM", "EPERM"));
}

pub(super) fn what_becomes_of_a_denied_call_is_chosen() {
    let fails = |worker: &mut Worker| worker.sandbox.calls.denial = Some(Denial::Fails(38));
    assert_eq!(both(Preset::Sealed, fails, "unlock"), said("ENOSYS", "EPERM"));
    let mut killed = worker(Preset::Sealed);
    killed.sandbox.calls.denial = Some(Denial::Kills);
    let mut bench = Bench::new(killed);
    let life = bench.start_confined();
    assert_eq!(life.ask("usage"), "ok");
    life.send("unlock", &[]);
    let Change::Killed { signal, .. } = life.end() else { panic!("it lives on") };
    assert_eq!(signal, Signal::SIGSYS as i32);
}

pub(super) fn what_a_program_is_started_with_can_be_taken_away_from_it() {
    let list = |worker: &mut Worker| {
        worker.sandbox.calls.filter = texts(["~socket"]);
        worker.sandbox.calls.denial = Some(Denial::Fails(13));
    };
    assert_eq!(both(Preset::Exec, list, "udp"), said("EACCES", "ok"));
    assert_eq!(both(Preset::Exec, list, "run exit 7"), said("exit status: 7", "exit status: 7"));
}

pub(super) fn sockets_are_of_the_families_that_are_listed() {
    let only = |names: Vec<String>| {
        move |worker: &mut Worker| worker.sandbox.calls.families = Some(Families::Only(names))
    };
    let except = |worker: &mut Worker| {
        worker.sandbox.calls.families = Some(Families::Except(texts(["AF_INET", "AF_INET6"])));
    };
    let exec = Preset::Exec;
    assert_eq!(both(exec, only(texts(["AF_UNIX"])), "udp"), said("EPERM", "ok"));
    assert_eq!(both(exec, only(texts(["AF_UNIX"])), "socket"), said("ok", "ok"));
    assert_eq!(both(exec, only(Vec::new()), "socket"), said("EPERM", "ok"));
    assert_eq!(both(exec, only(Vec::new()), "pair"), said("ok", "ok"));
    assert_eq!(both(exec, except, "udp"), said("EPERM", "ok"));
    assert_eq!(both(exec, except, "socket"), said("ok", "ok"));
}

pub(super) fn udp_ports_are_bound_by_whoever_may() {
    assert_eq!(both(Preset::Sealed, |worker| worker.sandbox.udp_bind = true, "udp"), said("ok", "EPERM"));
    assert_eq!(both(Preset::NetClient, |worker| worker.sandbox.udp_bind = true, "udp"), said("ok", "EPERM"));
    assert_eq!(
        both(Preset::Sealed, |worker| worker.sandbox.udp_bind = true, "bind 0"),
        said("EPERM", "EPERM")
    );
}

pub(super) fn a_user_namespace_is_made_by_whoever_is_let() {
    let let_it = |worker: &mut Worker| {
        worker.privileged = true;
        worker.sandbox.calls.namespaces = Some(vec![Namespace::User]);
    };
    let (with, without) = both(Preset::Exec, let_it, "unshare");
    assert_eq!(without, "EPERM");
    // No filter stops it; the kernel may, where no user makes any, or a worker in namespaces of its own no further ones.
    assert!(["ok", "ENOSPC"].contains(&with.as_str()), "{with}");
}

/// Seen to fail without the step that has the kernel keep the promise.
pub(super) fn code_is_not_made_at_run_time_unless_that_is_said() {
    let denies = |preset, said| {
        let mut worker = worker(preset);
        worker.sandbox.calls.memory_deny_write_execute = said;
        Bench::new(worker).start().ask("mdwe")
    };
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").expect("every kernel says so");
    let mut release = release.split('.').map_while(|number| number.parse::<u32>().ok());
    let knows = (release.next(), release.next()) >= (Some(6), Some(3));
    for (preset, said) in [(Preset::Exec, Some(true)), (Preset::Sealed, None), (Preset::Sealed, Some(true))] {
        assert_eq!(denies(preset, said), knows.to_string(), "{preset:?} {said:?}");
    }
    assert_eq!(denies(Preset::Sealed, Some(false)), "false");
    assert_eq!(denies(Preset::Exec, None), "false");
}

pub(super) fn memory_files_are_never_executable_where_that_is_said() {
    if !bailiwick_sys::memory::knows_no_exec() {
        return println!("skipped: this kernel makes no memory files that can never be executed");
    }
    let says = |said: bool| move |worker: &mut Worker| worker.sandbox.calls.memfd_no_exec = Some(said);
    assert_eq!(both(Preset::Sealed, says(true), "memfd"), said("EPERM", "ok"));
    assert_eq!(both(Preset::Exec, says(true), "memfd"), said("EPERM", "ok"));
}

pub(super) fn no_file_changes_who_runs_it() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().canonicalize().expect("a folder");
    fs::set_permissions(&path, Permissions::from_mode(0o777)).expect("our own folder");
    let writer = |said: Option<bool>| {
        let mut worker = worker(Preset::Sealed);
        worker.privileged = true;
        worker.sandbox.read_write_paths = vec![path.clone()];
        worker.sandbox.calls.restrict_suid_sgid = said;
        Bench::new(worker)
    };
    for (number, (said, wanted)) in
        [(None, "EPERM"), (Some(true), "EPERM"), (Some(false), "ok")].into_iter().enumerate()
    {
        let mut bench = writer(said);
        let life = bench.start_confined();
        let file = path.join(number.to_string());
        let ask =
            |order: &str, mode: &str, file: &PathBuf| life.ask(&format!("{order} {mode} {}", file.display()));
        assert_eq!(ask("make", "644", &file), "ok", "{said:?}");
        assert_eq!(ask("mode", "4755", &file), wanted, "{said:?}");
        assert_eq!(ask("mode", "2755", &file), wanted, "{said:?}");
        assert_eq!(ask("mode", "755", &file), "ok", "{said:?}");
        assert_eq!(ask("make", "4755", &file.with_extension("born")), wanted, "{said:?}");
        // What hides the mode from a filter is gone only where it was asked for.
        let granted = bench.prepared().granted()[0].as_fd();
        let opened = life.ask_with(&format!("read-beneath {number}"), granted);
        assert_eq!(opened, if said == Some(true) { "ENOSYS" } else { "ok" }, "{said:?}");
    }
    let place = files::open_place(&path, files::Links::Refuse).expect("it is there");
    assert!(files::open_beneath(place.as_fd(), std::path::Path::new("0")).is_ok());
}

pub(super) fn programs_are_executed_where_that_is_said() {
    let exec = |change: fn(&mut Worker)| {
        let mut worker = worker(Preset::Exec);
        change(&mut worker);
        Bench::new(worker)
    };
    let mut plain = exec(|_| {});
    let life = plain.start_confined();
    assert_eq!(
        (life.ask("run exit 7"), life.ask("run /usr/bin/env > /dev/null")),
        said("exit status: 7", "exit status: 0")
    );
    let mut barred = exec(|worker| worker.sandbox.no_exec_paths = vec!["/".into()]);
    let life = barred.start_confined();
    assert_eq!(life.ask("run exit 7"), "EACCES");
    // Nothing is executed there, and all is read as before.
    assert_eq!(life.ask("list /usr/bin"), "ok");
    let mut shell_alone = exec(|worker| {
        let real = |path: &str| fs::canonicalize(path).expect("every machine has a shell");
        worker.sandbox.no_exec_paths = vec!["/".into()];
        worker.sandbox.exec_paths = vec![real("/bin/sh"), loader_of("/bin/sh")];
    });
    let life = shell_alone.start_confined();
    assert_eq!(life.ask("run exit 7"), "exit status: 7");
    assert_eq!(life.ask("run /usr/bin/env 2> /dev/null"), "exit status: 126");
}

fn loader_of(program: &str) -> PathBuf {
    let file = fs::File::open(program).expect("it can be read");
    let loader = bailiwick_sys::loader::loader(&file).expect("a program of this machine").expect("a loader");
    fs::canonicalize(loader).expect("it is there")
}

pub(super) fn who_may_be_looked_into_is_said() {
    let facts = |said: Option<bool>| {
        let mut worker = worker(Preset::Sealed);
        worker.sandbox.dumpable = said;
        let bench = Bench::new(worker);
        let (confinement, _) = bench.prepared().confinement();
        confinement.dumpable
    };
    assert_eq!((facts(None), facts(Some(true)), facts(Some(false))), (false, true, false));
    let mut core = worker(Preset::Sealed);
    core.sandbox.limit_core = 1 << 20;
    assert!(Bench::new(core).prepared().confinement().0.dumpable);
}

pub(super) fn a_worker_without_a_sandbox_can_renounce_privileges() {
    let renounces = |said: Option<bool>| {
        let mut worker = worker(Preset::None);
        worker.privileged = true;
        worker.sandbox.no_new_privileges = said;
        let mut bench = Bench::new(worker);
        let found = bench.start().status("NoNewPrivs");
        bench.kill_tree();
        found
    };
    assert_eq!((renounces(None), renounces(Some(true))), said("0", "1"));
}

/// Seen to fail where only the calling thread enters the filter.
pub(super) fn a_filter_is_put_on_every_thread() {
    let mut bench = Bench::new(worker(Preset::Exec));
    let sealed = Bench::new(worker(Preset::Sealed));
    let filter = sealed.prepared().confinement().0.filter.expect("a sealed worker has a second stage");
    let life = bench.start();
    let before: usize = life.status("Seccomp_filters").parse().expect("a number");
    assert_eq!(life.ask_bytes("filter-threads", &filter), "filtered");
    let tasks = fs::read_dir(format!("/proc/{}/task", life.child.pid)).expect("a live process");
    let filters = tasks.map(|task| {
        let status = fs::read_to_string(task.expect("a task").path().join("status")).expect("a live thread");
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("Seccomp_filters:"))
            .expect("every kernel tells");
        line.trim().parse::<usize>().expect("a number")
    });
    assert_eq!(filters.collect::<Vec<_>>(), [before + 1; 2]);
}

pub(super) fn the_log_of_the_kernel_tells_of_chosen_calls() {
    let logged = fs::read_to_string("/proc/sys/kernel/seccomp/actions_logged");
    let log = OpenOptions::new().read(true).custom_flags(nix::libc::O_NONBLOCK).open("/dev/kmsg");
    let (Ok(true), Ok(log)) = (logged.map(|actions| actions.contains("log")), log) else {
        return println!("skipped: this kernel logs no calls, or its log cannot be read");
    };
    // The kernel tells of a call some time after it, and of ten messages in five seconds, whoever they are about. On a machine
    // where others crash and are refused all the time only who calls often enough is among them.
    let tells_of = |list: Vec<String>, patience: Duration| {
        let mut worker = worker(Preset::Sealed);
        worker.sandbox.calls.log = list;
        let mut bench = Bench::new(worker);
        let life = bench.start_confined();
        let own = format!("pid={} ", life.child.pid);
        let call = format!("syscall={} ", nix::libc::SYS_getrusage);
        let is_told = |line: &String| ["type=1326", &own, &call].iter().all(|part| line.contains(*part));
        let until = Instant::now() + patience;
        loop {
            for _ in 0..100 {
                assert_eq!(life.ask("usage"), "ok");
            }
            let mut lines = BufReader::new(log.try_clone().expect("a copy")).lines().map_while(Result::ok);
            let told = lines.any(|line| is_told(&line));
            if told || Instant::now() >= until {
                return told;
            }
        }
    };
    assert!(!tells_of(Vec::new(), Duration::ZERO));
    assert!(tells_of(texts(["getrusage"]), PATIENCE));
}
