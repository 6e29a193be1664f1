//! What a worker reaches.

use std::os::fd::AsFd;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use bailiwick_supervisor::sandbox::Aspect;
use bailiwick_supervisor::spec::Preset;
use bailiwick_sys::events::Signal;
use bailiwick_sys::wait::Change;

use crate::bench::{Bench, worker};

fn open_to_all(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("our own file");
}

pub(super) fn landlock_leaves_what_is_granted() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let root = folder.path().canonicalize().expect("a folder");
    open_to_all(&root, 0o755);
    for name in ["read", "write", "other"] {
        std::fs::create_dir(root.join(name)).expect("a folder");
        open_to_all(&root.join(name), 0o777);
        std::fs::write(root.join(name).join("file"), name).expect("a file");
        open_to_all(&root.join(name).join("file"), 0o666);
    }
    let mut worker = worker(Preset::Sealed);
    worker.sandbox.read_only_paths = vec![root.join("read")];
    worker.sandbox.read_write_paths = vec![root.join("write")];
    let mut bench = Bench::bare(worker);
    for is_confined in [false, true] {
        let life = if is_confined { bench.start_confined() } else { bench.start() };
        let ask = |verb: &str, path: &str| life.ask(&format!("{verb} {}", root.join(path).display()));
        assert_eq!(ask("read", "read/file"), "ok");
        assert_eq!(ask("list", "read"), "ok");
        assert_eq!(ask("write", "read/file"), "EACCES");
        assert_eq!(ask("write", "read/new"), "EACCES");
        assert_eq!(ask("read", "write/file"), "ok");
        assert_eq!(ask("write", "write/new"), "ok");
        assert_eq!(ask("read", "other/file"), "EACCES");
        assert_eq!(ask("read", "read/../other/file"), "EACCES");
        assert_eq!(ask("list", ""), "EACCES");
        assert_eq!(life.ask("read /etc/passwd"), "EACCES");
        assert_eq!(life.ask("read /proc/self/environ"), "EACCES");
    }
    // The loader's libraries are there before the second stage only.
    assert_eq!(bench.start().ask("list /usr/lib"), "ok");
    assert_eq!(bench.start_confined().ask("list /usr/lib"), "EACCES");
}

pub(super) fn a_grant_that_owner_and_mode_make_void_is_told() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().canonicalize().expect("a folder");
    open_to_all(&path, 0o755);
    let mut worker = worker(Preset::Sealed);
    worker.sandbox.read_write_paths = vec![path.clone()];
    worker.sandbox.user = Some("4711".into());
    let bench = Bench::new(worker);
    let told: Vec<_> =
        bench.prepared().missing().iter().filter(|missing| missing.what == Aspect::Files).collect();
    let uid = bench.prepared().identity().uid;
    let text =
        format!("files: {} has mode 0755 and belongs to uid 0, which closes it to uid {uid}", path.display());
    assert_eq!(told.into_iter().map(ToString::to_string).collect::<Vec<_>>(), [text]);
}

pub(super) fn ports_are_open_as_granted() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let connect = format!("connect {port}");
    let mut sealed = Bench::new(worker(Preset::Sealed));
    for is_confined in [false, true] {
        let life = if is_confined { sealed.start_confined() } else { sealed.start() };
        for order in [&connect, "bind 0", "udp"] {
            assert_eq!(life.ask(order), "EPERM", "{order} {is_confined}");
        }
    }
    let mut client = worker(Preset::NetClient);
    client.sandbox.tcp_connect = vec![port];
    let mut bench = Bench::new(client);
    let life = bench.start_confined();
    assert_eq!((life.ask(&connect), life.ask("bind 45999")), ("ok".into(), "EPERM".into()));
    assert_eq!(life.ask("connect 1"), "EACCES");
}

pub(super) fn nobody_outside_can_be_signalled() {
    let mut bench = Bench::new(worker(Preset::Exec));
    let life = bench.start();
    assert_eq!(life.ask(&format!("signal {}", std::process::id())), "ESRCH");
    assert_eq!(life.ask("signal 2"), "ok");
    // And by Landlock as well.
    let mut among_others = worker(Preset::Exec);
    among_others.sandbox.private_pids = Some(false);
    let mut bench = Bench::new(among_others);
    let life = bench.start();
    assert_eq!(life.ask(&format!("signal {}", std::process::id())), "EPERM");
    assert_eq!(life.ask(&format!("signal {}", life.child.pid)), "ok");
}

pub(super) fn a_sealed_worker_neither_executes_nor_forks_but_has_threads() {
    let mut bench = Bench::bare(worker(Preset::Sealed));
    let life = bench.start();
    assert_eq!((life.ask("run true"), life.ask("signal 1")), ("EPERM".into(), "EPERM".into()));
    let life = bench.start_confined();
    assert_eq!((life.ask("run true"), life.ask("thread")), ("EPERM".into(), "ok".into()));
    assert_eq!(life.ask("signal 1"), "EPERM");
    life.send("exit 0", &[]);
    assert!(matches!(life.end(), Change::Exited { code: 0, .. }));
}

pub(super) fn a_never_legal_call_kills() {
    let mut bench = Bench::new(worker(Preset::Exec));
    let life = bench.start();
    life.send("hostname elsewhere", &[]);
    let Change::Killed { signal, .. } = life.end() else { panic!("it lives on") };
    assert_eq!(signal, Signal::SIGSYS as i32);
}

pub(super) fn a_worker_of_preset_exec_runs_programs() {
    let mut bench = Bench::new(worker(Preset::Exec));
    let life = bench.start_confined();
    assert_eq!(life.ask("run exit 7"), "exit status: 7");
    assert_eq!(life.ask("run cat /etc/passwd 2>/dev/null"), "exit status: 1");
    assert_eq!(life.ask("run cat /usr/lib/os-release > /dev/null"), "exit status: 0");
    drop(life);
    bench.kill_tree();
}

pub(super) fn a_granted_folder_below_a_closed_one_is_reached_by_its_descriptor() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let home = folder.path().canonicalize().expect("a folder");
    let pictures = home.join("pictures");
    std::fs::create_dir(&pictures).expect("a folder");
    open_to_all(&pictures, 0o755);
    std::fs::write(pictures.join("cat.png"), "cat").expect("a file");
    open_to_all(&home, 0o700);
    let mut worker = worker(Preset::FsRo);
    worker.sandbox.read_only_paths = vec![pictures.clone()];
    let mut bench = Bench::bare(worker);
    let life = bench.start_confined();
    assert_eq!(
        life.ask(&format!("read {}", pictures.join("cat.png").display())),
        "EACCES",
        "by the closed folder"
    );
    let granted = bench.prepared().granted()[0].as_fd();
    assert_eq!(life.ask_with("read-beneath cat.png", granted), "ok");
    assert_eq!(life.ask_with("read-beneath ../secret", granted), "EXDEV");
}

pub(super) fn no_socket_makes_who_closes_it_wait() {
    for preset in [Preset::Sealed, Preset::NetClient, Preset::NetServer, Preset::Exec] {
        assert_eq!(Bench::new(worker(preset)).start_confined().ask("linger"), "EPERM", "{preset:?}");
    }
}
