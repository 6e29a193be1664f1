//! What a worker sees: files, network, shared memory, the host's name.

use std::os::fd::AsFd;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::path::{Path, PathBuf};
use std::process::Command;

use bailiwick_supervisor::sandbox::{Aspect, Machine};
use bailiwick_supervisor::spawn::LaunchError;
use bailiwick_supervisor::spec::{Preset, Worker};
use bailiwick_sys::view::View;

use crate::bench::{Bench, Life, is_root, worker};

/// A folder that everybody may enter, with `in/file` and `out/file` that everybody may read and write.
fn folder() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().canonicalize().expect("a folder");
    let open = |path: &Path, mode| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("our own file");
    };
    open(&path, 0o755);
    for name in ["in", "out"] {
        std::fs::create_dir(path.join(name)).expect("a folder");
        open(&path.join(name), 0o777);
        std::fs::write(path.join(name).join("file"), name).expect("a file");
        open(&path.join(name).join("file"), 0o666);
    }
    (folder, path)
}

fn reader(path: &Path) -> Worker {
    let mut worker = worker(Preset::Sealed);
    worker.sandbox.read_only_paths = vec![path.join("in")];
    worker
}

/// Returns which namespace of a kind a process is in.
fn namespace(pid: u32, kind: &str) -> PathBuf {
    std::fs::read_link(format!("/proc/{pid}/ns/{kind}")).expect("a live process")
}

fn is_apart(life: &Life, kind: &str) -> bool {
    namespace(life.child.pid.unsigned_abs(), kind) != namespace(std::process::id(), kind)
}

pub(super) fn a_worker_sees_what_it_is_granted_and_nothing_else() {
    let (_folder, path) = folder();
    let mut worker = reader(&path);
    worker.sandbox.read_write_paths = vec![path.join("out")];
    worker.working_directory = Some(path.clone());
    let (mut bare, mut bench) = (Bench::bare(worker.clone()), Bench::new(worker));
    let other = path.join("other");
    std::fs::write(&other, "").expect("a file");
    for path in
        [&other, Path::new("/etc/passwd"), Path::new("/proc/1"), Path::new("/run"), Path::new("/dev/shm")]
    {
        let order = format!("stat {}", path.display());
        assert_eq!(bare.start_confined().ask(&order), "ok", "without a view {path:?} is seen");
        assert_eq!(bench.start_confined().ask(&order), "ENOENT", "{path:?}");
    }
    for is_confined in [false, true] {
        let life = if is_confined { bench.start_confined() } else { bench.start() };
        let ask = |verb: &str, name: &str| life.ask(&format!("{verb} {}", path.join(name).display()));
        assert_eq!((ask("read", "in/file"), ask("write", "in/file")), ("ok".into(), "EROFS".into()));
        assert_eq!((ask("read", "out/file"), ask("write", "out/new")), ("ok".into(), "ok".into()));
        assert_eq!(
            (life.ask("read in/file"), life.ask("read ../../etc/passwd")),
            ("ok".into(), "ENOENT".into())
        );
        assert_eq!(ask("write", "new"), "EROFS");
        let granted = bench.prepared().granted()[0].as_fd();
        assert_eq!(life.ask_with("stat-beneath file", granted), "ok");
        assert_eq!(life.ask_with("stat-beneath ../other", granted), "ENOENT", "by the descriptor");
    }
    let life = bench.start();
    let cwd = std::fs::read_link(format!("/proc/{}/cwd", life.child.pid)).expect("our own child");
    assert_eq!(cwd, path);
}

pub(super) fn what_lies_in_another_grant_has_its_own_terms() {
    let (_folder, path) = folder();
    let inner = path.join("out/fixed");
    std::fs::create_dir(&inner).expect("a folder");
    std::fs::set_permissions(&inner, std::fs::Permissions::from_mode(0o777)).expect("our own folder");
    let mut worker = worker(Preset::Sealed);
    worker.sandbox.read_write_paths = vec![path.join("out")];
    worker.sandbox.read_only_paths = vec![inner, path.join("out/../in")];
    let (mut bare, mut bench) = (Bench::bare(worker.clone()), Bench::new(worker));
    let order = |verb: &str, name: &str| format!("{verb} {}", path.join(name).display());
    let life = bench.start_confined();
    assert_eq!(life.ask(&order("write", "out/file")), "ok");
    assert_eq!(life.ask(&order("write", "out/fixed/file")), "EROFS");
    assert_eq!(bare.start_confined().ask(&order("write", "out/fixed/file")), "ok", "Landlock adds up");
    assert_eq!(life.ask(&order("read", "out/../in/file")), "ok");
    assert_eq!(life.ask(&order("read", "in/file")), "ok");
}

pub(super) fn a_worker_shares_neither_network_nor_memory_nor_the_hosts_name() {
    const KINDS: [&str; 4] = ["net", "ipc", "uts", "mnt"];
    for (preset, network) in [
        (Preset::Sealed, true),
        (Preset::FsRo, true),
        (Preset::NetClient, false),
        (Preset::NetServer, false),
        (Preset::Exec, false),
    ] {
        let mut bench = Bench::new(worker(preset));
        let life = bench.start();
        assert_eq!(KINDS.map(|kind| is_apart(&life, kind)), [network, true, true, true], "{preset:?}");
    }
    let mut open = worker(Preset::Sealed);
    open.sandbox.tcp_connect = vec![443];
    let mut bench = Bench::new(open.clone());
    assert!(!is_apart(&bench.start(), "net"), "it is to connect");
    open.sandbox.private_network = Some(true);
    let mut bench = Bench::new(open.clone());
    assert!(is_apart(&bench.start(), "net"), "unless the key says otherwise");
    let sandbox = &mut open.sandbox;
    (sandbox.private_network, sandbox.private_ipc) = (Some(false), Some(false));
    (sandbox.protect_hostname, sandbox.private_mounts) = (Some(false), Some(false));
    let mut bench = Bench::new(open);
    let life = bench.start();
    assert_eq!(KINDS.map(|kind| is_apart(&life, kind)), [false; 4]);
}

pub(super) fn an_abstract_socket_of_the_host_is_not_there() {
    let name = format!("bailiwick-view-{}", std::process::id());
    let address = SocketAddr::from_abstract_name(&name).expect("a short name");
    let _listener = UnixListener::bind_addr(&address).expect("a socket");
    // Landlock before its interface 6 does not keep anybody from abstract sockets.
    let machine = || Machine { landlock_abi: 5, ..Machine::probe() };
    let order = format!("abstract {name}");
    for (is_apart, said) in [(false, "ok"), (true, "ECONNREFUSED")] {
        // One that may make such sockets.
        let mut worker = worker(Preset::Exec);
        worker.sandbox.private_network = Some(is_apart);
        let mut bench = Bench::on(machine(), worker).expect("a sandbox");
        assert_eq!(bench.start().ask(&order), said);
    }
}

pub(super) fn shared_memory_and_the_name_of_the_host_are_not_the_hosts() {
    let key = std::process::id();
    let perl = |code: &str| format!("perl -e '{code}'");
    let sh = |code: String| {
        Command::new("/bin/sh").arg("-c").arg(perl(&code)).status().expect("a shell").success()
    };
    assert!(sh(format!("exit !defined shmget({key}, 4096, 01666)")));
    let look = format!("run {}", perl(&format!("exit !defined shmget({key}, 0, 0)")));
    let mut shared = worker(Preset::Exec);
    shared.sandbox.private_ipc = Some(false);
    let mut bench = Bench::new(shared);
    let found = bench.start().ask(&look);
    bench.kill_tree();
    let mut own = Bench::new(worker(Preset::Exec));
    let life = own.start();
    let (absent, named) = (life.ask(&look), life.ask("run test \"$(uname -n)\" = localhost"));
    own.kill_tree();
    assert!(sh(format!("exit !shmctl(shmget({key}, 0, 0), 0, 0)")));
    assert_eq!((found.as_str(), absent.as_str()), ("exit status: 0", "exit status: 1"));
    assert_eq!(named, "exit status: 0");
}

pub(super) fn without_namespaces_the_floor_stands_and_a_key_that_is_written_refuses() {
    let mut bare = Bench::bare(worker(Preset::Sealed));
    let told: Vec<Aspect> = bare.prepared().missing().iter().map(|missing| missing.what).collect();
    for aspect in [Aspect::View, Aspect::Network, Aspect::Ipc, Aspect::Hostname] {
        assert!(told.contains(&aspect), "{aspect:?} in {told:?}");
    }
    assert_eq!(bare.start_confined().ask("read /etc/passwd"), "EACCES");
    for set in [
        (|worker: &mut Worker| worker.sandbox.private_mounts = Some(true)) as fn(&mut Worker),
        |worker| worker.sandbox.private_network = Some(true),
        |worker| worker.sandbox.private_ipc = Some(true),
        |worker| worker.sandbox.protect_hostname = Some(true),
    ] {
        let mut worker = worker(Preset::Sealed);
        set(&mut worker);
        let refused =
            Bench::on(Machine::probe().without_namespaces(), worker).map(drop).expect_err("it was required");
        assert_eq!(LaunchError::exit_code(&refused), 69, "{refused}");
    }
}

pub(super) fn who_starts_programs_has_a_proc_of_its_own_processes() {
    let mut bench = Bench::new(worker(Preset::Exec));
    let life = bench.start();
    let seen = ["/proc/self/status", "/proc/2/status"].map(|path| life.ask(&format!("read {path}")));
    assert_eq!(seen, ["ok", "ok"]);
    let own = std::process::id();
    for path in ["/proc/meminfo", "/proc/sys", &format!("/proc/{own}")] {
        assert_eq!(life.ask(&format!("stat {path}")), "ENOENT", "{path}");
    }
    let mounts =
        std::fs::read_to_string(format!("/proc/{}/mountinfo", life.child.pid)).expect("our own child");
    assert_eq!(mounts.lines().filter(|line| line.contains(" /proc")).count(), 1, "{mounts}");
    drop(life);
    bench.kill_tree();
}

pub(super) fn without_a_namespace_of_users_there_is_no_view_for_who_is_not_root() {
    if is_root() {
        return;
    }
    let mut open = worker(Preset::Sealed);
    open.sandbox.private_users = Some(false);
    let mut bench = Bench::new(open.clone());
    let told: Vec<Aspect> = bench.prepared().missing().iter().map(|missing| missing.what).collect();
    for aspect in [Aspect::View, Aspect::Network, Aspect::Ipc, Aspect::Hostname] {
        assert!(told.contains(&aspect), "{aspect:?} in {told:?}");
    }
    assert_eq!(bench.start_confined().ask("read /etc/passwd"), "EACCES");
    for set in
        [(|worker: &mut Worker| worker.sandbox.private_mounts = Some(true)) as fn(&mut Worker), |worker| {
            worker.sandbox.private_ipc = Some(true)
        }]
    {
        let mut worker = open.clone();
        set(&mut worker);
        let refused = Bench::try_new(worker).map(drop).expect_err("it was required");
        assert_eq!(LaunchError::exit_code(&refused), 69, "{refused}");
    }
}

pub(super) fn a_start_leaves_no_mount_behind() {
    let mounts = || std::fs::read_to_string("/proc/self/mountinfo").expect("the kernel tells");
    let before = mounts();
    let mut bench = Bench::new(worker(Preset::NetClient));
    let life = bench.start();
    let pid = life.child.pid;
    let seen = std::fs::read_to_string(format!("/proc/{pid}/mountinfo")).expect("our own child");
    for line in seen.lines() {
        let mut words = line.split(' ').skip(4);
        let (at, flags) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        assert!(flags.starts_with("ro,nosuid,") && at != "/proc" && at != "/sys", "{line}");
    }
    assert_eq!(mounts(), before);
    bench.kill_tree();
    drop(bench);
    assert_eq!(mounts(), before);
}

pub(super) fn a_tmp_of_its_own_is_bounded_and_empty_for_each_life() {
    let left = tempfile::NamedTempFile::new_in("/tmp").expect("a file of the host's");
    let mut worker = worker(Preset::Sealed);
    let mut bench = Bench::new(worker.clone());
    assert_eq!(bench.start_confined().ask("write /tmp/file"), "ENOENT", "unless it is asked for");
    drop(bench);
    worker.sandbox.private_tmp = true;
    let mut bench = Bench::new(worker);
    let life = bench.start_confined();
    assert_eq!(life.ask(&format!("stat {}", left.path().display())), "ENOENT");
    assert_eq!((life.ask("write /tmp/file"), life.ask("read /tmp/file")), ("ok".into(), "ok".into()));
    assert_eq!(life.ask("fill /tmp/large"), "ENOSPC at Some(63) MiB");
    drop(life);
    bench.kill_tree();
    let life = bench.start_confined();
    assert_eq!(life.ask("stat /tmp/file"), "ENOENT", "nothing is left of the former life");
    let bred = life.ask("breed /tmp");
    assert!(bred.starts_with("ENOSPC at 40"), "{bred}");
    drop(life);
    bench.kill_tree();
    assert_eq!(bench.start_confined().ask("write /tmp/file"), "ok");
    assert!(!Path::new("/tmp/large").exists());
}

pub(super) fn what_is_inaccessible_is_covered() {
    let (_folder, path) = folder();
    std::fs::create_dir(path.join("in/private")).expect("a folder");
    std::fs::write(path.join("in/private/key"), "").expect("a file");
    let mut worker = reader(&path);
    let order = |verb: &str, name: &str| format!("{verb} {}", path.join(name).display());
    let mut bench = Bench::new(worker.clone());
    let life = bench.start_confined();
    assert_eq!(
        (life.ask(&order("read", "in/file")), life.ask(&order("stat", "in/private/key"))),
        ("ok".into(), "ok".into())
    );
    worker.sandbox.inaccessible_paths = vec![path.join("in/private"), path.join("in/file")];
    let mut bench = Bench::new(worker.clone());
    let life = bench.start_confined();
    assert_eq!(life.ask(&order("list", "in")), "ok");
    assert_eq!(life.ask(&order("read", "in/file")), "EACCES");
    assert_eq!(life.ask(&order("list", "in/private")), "EACCES");
    assert_eq!(life.ask(&order("stat", "in/private/key")), "EACCES");
    let refused =
        Bench::on(Machine::probe().without_namespaces(), worker).map(drop).expect_err("it was required");
    assert_eq!(LaunchError::exit_code(&refused), 69, "{refused}");
}

/// Tells what a start costs until the program's first answer, with and without namespaces.
pub(crate) fn cost() {
    let median = |bench: &mut Bench| {
        let mut times: Vec<_> = (0..STARTS)
            .map(|_| {
                let began = std::time::Instant::now();
                let life = bench.start();
                let took = began.elapsed();
                life.send("exit 0", &[]);
                life.end();
                took
            })
            .collect();
        times.sort_unstable();
        (times[STARTS / 2], times[STARTS / 10])
    };
    for preset in [Preset::Sealed, Preset::Exec] {
        for (name, mut bench) in
            [("without", Bench::bare(worker(preset))), ("with", Bench::new(worker(preset)))]
        {
            let (median, tenth) = median(&mut bench);
            println!("{preset:?} {name} namespaces: median {median:.2?}, tenth percentile {tenth:.2?}");
        }
    }
    let mut times: Vec<_> = (0..STARTS / 4)
        .map(|_| {
            let began = std::time::Instant::now();
            View::probe(None).expect("root may");
            began.elapsed()
        })
        .collect();
    times.sort_unstable();
    println!("building a view: median {:.2?}", times[STARTS / 8]);
}

const STARTS: usize = 200;
