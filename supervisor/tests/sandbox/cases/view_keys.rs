//! Keys that add to what a worker sees of files, or take away from it. Each is seen to hold, and the worker without it not.

use std::fs::Permissions;
use std::os::fd::AsFd;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::path::{Path, PathBuf};

use bailiwick_supervisor::sandbox::Machine;
use bailiwick_supervisor::spawn::LaunchError;
use bailiwick_supervisor::spec::{
    Bind, Bounds, HidePid, Preset, ProcSubset, ProtectHome, ProtectSystem, Scoped, Temporary, Worker,
};

use crate::bench::{Bench, Life, worker};

/// A folder in `parent` that everybody may enter, with a file that everybody may read.
fn folder_in(parent: &Path) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir_in(parent).expect("a temporary folder");
    let path = folder.path().canonicalize().expect("a folder");
    std::fs::set_permissions(&path, Permissions::from_mode(0o777)).expect("our own folder");
    std::fs::write(path.join("file"), "seen").expect("a file");
    (folder, path)
}

fn sealed(change: impl FnOnce(&mut Worker)) -> Worker {
    let mut worker = worker(Preset::Sealed);
    change(&mut worker);
    worker
}

/// A worker that is uid 0, so that nothing but its sandbox keeps it from writing, and may write everything.
fn lord(change: impl FnOnce(&mut Worker)) -> Worker {
    sealed(|worker| {
        worker.privileged = true;
        worker.sandbox.user = Some("root".into());
        worker.sandbox.read_write_paths = vec!["/".into()];
        change(worker);
    })
}

fn ask(life: &Life, verb: &str, path: impl AsRef<Path>) -> String {
    life.ask(&format!("{verb} {}", path.as_ref().display()))
}

/// Returns what a worker says to one order in its second stage.
fn said(worker: Worker, verb: &str, path: impl AsRef<Path>) -> String {
    ask(&Bench::new(worker).start_confined(), verb, path)
}

pub(super) fn folders_in_memory_are_bounded_and_empty_for_each_life() {
    let temporary = |at: &Path, files| Temporary { at: at.into(), bounds: Bounds { bytes: 2 << 20, files } };
    let (_folder, path) = folder_in(&std::env::temp_dir());
    let within = path.join("within");
    std::fs::create_dir(&within).expect("a folder");
    std::fs::write(within.join("hidden"), "").expect("a file");
    let cache = Path::new("/var/cache/probe");
    let granted = sealed(|worker| worker.sandbox.read_only_paths = vec![path.clone()]);
    assert_eq!(said(granted.clone(), "write", cache.join("file")), "ENOENT", "unless it is asked for");
    assert_eq!(said(granted.clone(), "stat", within.join("hidden")), "ok");
    let mut worker = granted;
    worker.sandbox.view.temporary = vec![temporary(cache, 16), temporary(&within, 32)];
    let mut bench = Bench::new(worker);
    for _ in 0..2 {
        let life = bench.start_confined();
        assert_eq!(ask(&life, "stat", within.join("hidden")), "ENOENT", "it covers what was there");
        assert_eq!(ask(&life, "stat", cache.join("file")), "ENOENT", "nothing is left of a former life");
        assert_eq!(ask(&life, "write", cache.join("file")), "ok");
        assert_eq!(ask(&life, "write", within.join("file")), "ok");
        assert_eq!(ask(&life, "write", path.join("file")), "EROFS", "around it nothing is written");
        assert_eq!(ask(&life, "fill", within.join("large")), "ENOSPC at Some(1) MiB");
        let bred = ask(&life, "breed", cache);
        assert!(bred.starts_with("ENOSPC at 1"), "{bred}");
        drop(life);
        bench.kill_tree();
    }
    assert!(!within.join("file").exists() && !cache.exists(), "nothing of it is seen outside");
}

pub(super) fn a_path_is_seen_under_another_name() {
    let (_folder, path) = folder_in(&std::env::temp_dir());
    let (_other, other) = folder_in(&std::env::temp_dir());
    let bind = |from: &Path, to: &str| Bind { from: from.into(), to: to.into() };
    let worker = sealed(|worker| {
        worker.sandbox.view.read_only_binds =
            vec![bind(&path, "/data/in"), bind(&path.join("file"), "/data/one")];
        worker.sandbox.view.binds = vec![bind(&other, "/data/out")];
    });
    let mut bench = Bench::new(worker.clone());
    for is_confined in [false, true] {
        let life = if is_confined { bench.start_confined() } else { bench.start() };
        assert_eq!(
            (ask(&life, "read", "/data/in/file"), ask(&life, "read", "/data/one")),
            ("ok".into(), "ok".into())
        );
        assert_eq!(ask(&life, "write", "/data/in/file"), "EROFS");
        assert_eq!(ask(&life, "write", "/data/one"), "EROFS");
        assert_eq!(ask(&life, "write", "/data/out/new"), "ok");
        assert_eq!(ask(&life, "stat", &path), "ENOENT", "by its own name");
        assert_eq!(ask(&life, "list", "/data"), "EACCES", "what lies between");
        let granted = bench.prepared().granted()[0].as_fd();
        assert_eq!(life.ask_with("stat-beneath file", granted), "ok");
        assert_eq!(life.ask_with("stat-beneath ../../etc/passwd", granted), "ENOENT", "nothing leads out");
    }
    assert!(other.join("new").exists());
    let refused =
        Bench::on(Machine::probe().without_namespaces(), worker).map(drop).expect_err("it takes a view");
    assert_eq!(LaunchError::exit_code(&refused), 69, "{refused}");
}

pub(super) fn another_folder_is_seen_as_the_root() {
    let (_folder, root) = folder_in(&std::env::temp_dir());
    for name in ["lib", "lib64", "usr/lib", "usr/lib64", "bin", "proc", "etc"] {
        std::fs::create_dir_all(root.join(name)).expect("a folder");
    }
    std::fs::write(root.join("etc/own"), "").expect("a file");
    let mut bench = Bench::new(sealed(|worker| worker.sandbox.view.root_directory = Some(root.clone())));
    for is_confined in [false, true] {
        let life = if is_confined { bench.start_confined() } else { bench.start() };
        assert_eq!((ask(&life, "read", "/file"), ask(&life, "read", "/etc/own")), ("ok".into(), "ok".into()));
        assert_eq!(ask(&life, "list", "/"), "ok");
        assert_eq!(ask(&life, "write", "/file"), "EROFS");
        for absent in
            ["/etc/passwd", "/../etc/passwd", "/proc/self", root.join("file").to_str().expect("text")]
        {
            assert_eq!(ask(&life, "stat", absent), "ENOENT", "{absent}");
        }
    }
    assert_eq!(said(worker(Preset::Sealed), "read", "/file"), "ENOENT", "unless it is asked for");
}

pub(super) fn devices_are_used_where_that_is_said() {
    let granted = |private: Option<bool>| {
        sealed(|worker| {
            worker.sandbox.read_write_paths = vec!["/dev/null".into()];
            worker.sandbox.view.private_devices = private;
        })
    };
    assert_eq!(said(granted(None), "write", "/dev/null"), "EACCES");
    assert_eq!(said(granted(Some(false)), "write", "/dev/null"), "ok");
    assert_eq!(said(worker(Preset::Sealed), "stat", "/dev/null"), "ENOENT");
    let private = sealed(|worker| worker.sandbox.view.private_devices = Some(true));
    let mut bench = Bench::new(private);
    let life = bench.start_confined();
    assert_eq!(
        (ask(&life, "write", "/dev/null"), ask(&life, "stat", "/dev/random")),
        ("ok".into(), "ok".into())
    );
    for absent in ["/dev/tty", "/dev/kmsg", "/dev/shm", "/dev/mem"] {
        assert_eq!(ask(&life, "stat", absent), "ENOENT", "{absent}");
    }
}

pub(super) fn the_system_is_not_written_below_what_may_be_written() {
    let (_programs, programs) = folder_in(Path::new("/usr"));
    let (_settings, settings) = folder_in(Path::new("/etc"));
    let (_data, data) = folder_in(Path::new("/var"));
    for (protection, expected) in [
        (ProtectSystem::No, ["ok", "ok", "ok"]),
        (ProtectSystem::Programs, ["EROFS", "ok", "ok"]),
        (ProtectSystem::Full, ["EROFS", "EROFS", "ok"]),
    ] {
        let mut bench = Bench::new(lord(|worker| worker.sandbox.view.protect_system = protection));
        let life = bench.start_confined();
        let written = [&programs, &settings, &data].map(|path| ask(&life, "write", path.join("file")));
        assert_eq!(written, expected, "{protection:?}");
    }
    let excepted = lord(|worker| {
        worker.sandbox.view.protect_system = ProtectSystem::Full;
        worker.sandbox.read_write_paths.push(programs.clone());
    });
    assert_eq!(said(excepted, "write", programs.join("file")), "ok", "what is named is named");
}

pub(super) fn homes_below_what_is_granted_are_hidden_or_not_written() {
    let (_home, home) = folder_in(Path::new("/home"));
    let file = home.join("file");
    let reader = |protection| {
        sealed(|worker| {
            worker.sandbox.read_only_paths = vec!["/".into()];
            worker.sandbox.view.protect_home = protection;
        })
    };
    assert_eq!(said(reader(ProtectHome::No), "read", &file), "ok");
    assert_eq!(said(reader(ProtectHome::Hidden), "read", &file), "EACCES");
    assert_eq!(said(reader(ProtectHome::Hidden), "list", "/home"), "EACCES");
    assert_eq!(said(reader(ProtectHome::Hidden), "list", "/var"), "ok", "the rest is seen");
    let writer = |protection| lord(|worker| worker.sandbox.view.protect_home = protection);
    assert_eq!(said(writer(ProtectHome::No), "write", &file), "ok");
    assert_eq!(said(writer(ProtectHome::ReadOnly), "write", &file), "EROFS");
    assert_eq!(said(writer(ProtectHome::ReadOnly), "read", &file), "ok");
    let nested = sealed(|worker| {
        worker.sandbox.read_only_paths = vec!["/".into(), home.clone()];
        worker.sandbox.view.protect_home = ProtectHome::Hidden;
    });
    let refused = Bench::try_new(nested).map(drop).expect_err("it cannot be both");
    assert_eq!(LaunchError::exit_code(&refused), 78, "{refused}");
}

pub(super) fn a_proc_tells_of_its_own_processes_unless_more_is_said() {
    let looks = |change: fn(&mut Worker), order: &str| {
        let mut looking = worker(Preset::Exec);
        change(&mut looking);
        let mut bench = Bench::new(looking);
        let life = bench.start_confined();
        let found = life.ask(order);
        drop(life);
        bench.kill_tree();
        found
    };
    assert_eq!(looks(|_| {}, "read /proc/self/status"), "ok");
    assert_eq!(looks(|_| {}, "read /proc/meminfo"), "ENOENT");
    assert_eq!(
        looks(|worker| worker.sandbox.view.proc_subset = Some(ProcSubset::All), "read /proc/meminfo"),
        "ok"
    );
    assert_eq!(looks(|_| {}, "stat /proc/uptime"), "ENOENT");
    let stranger = format!("stat /proc/{}/status", std::process::id());
    assert_eq!(looks(|worker| worker.sandbox.private_pids = Some(false), &stranger), "ENOENT");
    let open = |worker: &mut Worker| {
        worker.sandbox.private_pids = Some(false);
        worker.sandbox.view.protect_proc = Some(HidePid::Off);
    };
    assert_eq!(looks(open, &stranger), "ok");
    let closed = |worker: &mut Worker| {
        worker.sandbox.private_pids = Some(false);
        worker.sandbox.view.protect_proc = Some(HidePid::NoAccess);
    };
    assert_eq!(looks(closed, &stranger), "EPERM");
}

pub(super) fn what_landlock_keeps_inside_is_chosen() {
    let name = format!("bailiwick-scope-{}", std::process::id());
    let address = SocketAddr::from_abstract_name(&name).expect("a short name");
    let _listener = UnixListener::bind_addr(&address).expect("a socket");
    let scoped = |scope: Option<&[Scoped]>| {
        let mut worker = worker(Preset::Exec);
        worker.sandbox.landlock_scope = scope.map(<[Scoped]>::to_vec);
        // Of the user of this process and in no PID namespace, so that nothing else keeps signals inside.
        (worker.privileged, worker.sandbox.user) = (true, Some("root".into()));
        worker.sandbox.private_pids = Some(false);
        let mut bench = Bench::new(worker);
        let life = bench.start();
        let signal = format!("signal {}", std::process::id());
        let said = [life.ask(&signal), life.ask(&format!("abstract {name}"))];
        life.send("exit 0", &[]);
        life.end();
        said
    };
    assert_eq!(scoped(None), ["EPERM", "EPERM"]);
    assert_eq!(scoped(Some(&[Scoped::Signals])), ["EPERM", "ok"]);
    assert_eq!(scoped(Some(&[Scoped::AbstractSockets])), ["ok", "EPERM"]);
    assert_eq!(scoped(Some(&[])), ["ok", "ok"]);
}
