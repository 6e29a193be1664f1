//! How a worker starts.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use bailiwick_supervisor::spec::{Exec, Preset};
use bailiwick_sys::errand::Errand;
use bailiwick_sys::process::{Progress, SpawnError};
use bailiwick_sys::snapshot::Snapshot;
use bailiwick_sys::wait::Change;
use bailiwick_sys::{Errno, socket};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use std::os::fd::AsFd;

use crate::bench::{Bench, WORKER, await_readable, is_root, worker};

pub(super) fn a_worker_holds_exactly_its_descriptors_and_environment() {
    let mut worker = worker(Preset::Sealed);
    worker.environment.insert("COLOUR".into(), "green".into());
    // Belongings that others forgot to mark must not reach the worker.
    let (forgotten, _other) = nix::unistd::pipe().expect("a pipe");
    let mut bench = Bench::new(worker);
    let life = bench.start();
    let folder = format!("/proc/{}/fd", life.child.pid);
    let mut found: Vec<_> = std::fs::read_dir(folder)
        .expect("our own child")
        .map(|fd| fd.expect("an entry").file_name())
        .collect();
    found.sort_unstable();
    assert_eq!(found, ["0", "1", "2", "3"]);
    let read =
        |file| std::fs::read_to_string(format!("/proc/{}/{file}", life.child.pid)).expect("our own child");
    assert_eq!(read("environ"), "BAILIWICK_ROLE=worker\0COLOUR=green\0");
    assert_eq!(read("cmdline"), "probe\0");
    drop(forgotten);
}

pub(super) fn a_worker_leads_a_session_of_its_own_and_starts_in_its_folder() {
    let mut worker = worker(Preset::Sealed);
    worker.working_directory = Some("/usr".into());
    let mut bench = Bench::new(worker);
    let life = bench.start();
    let pid = life.child.pid.to_string();
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("our own child");
    let after_name: Vec<_> = stat.rsplit(')').next().expect("a name").split_whitespace().collect();
    assert_eq!((after_name[2], after_name[3]), (pid.as_str(), pid.as_str()), "process group and session");
    let folder = std::fs::read_link(format!("/proc/{pid}/cwd")).expect("our own child");
    assert_eq!(folder, Path::new("/usr"));
    assert_eq!(life.status("SigBlk"), "0000000000000000");
    assert!(life.ask("facts").ends_with("umask 77"));
}

pub(super) fn a_worker_dies_with_its_start_when_nobody_wants_it_any_more() {
    let mut bench = Bench::new(worker(Preset::Sealed));
    let life = bench.spawn();
    // Stopped or not, before or after its exec: a worker whose start is dropped before exec exits without a word.
    let pidfd = life.child.pidfd.try_clone().expect("a copy");
    drop(life);
    await_readable(pidfd.as_fd());
}

pub(super) fn an_errand_that_tells_of_its_result_holds_nobody_up() {
    let null = std::fs::File::open("/dev/null").expect("it is everywhere");
    let errand = Errand::start(null.as_fd(), |_| {
        // To give back so much memory takes the process a while after its result.
        std::mem::forget(vec![1_u8; 128 << 20]);
        Some([7])
    });
    let errand: Errand<1> = errand.expect("a process");
    await_readable(errand.as_fd());
    let ended = waitid(Id::All, WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT);
    assert!(matches!(ended, Ok(WaitStatus::Exited(_, 0))), "who drops it would wait: {ended:?}");
    assert_eq!(errand.result(), Some([7]));
}

pub(super) fn a_snapshot_tells_how_a_process_and_its_threads_stand() {
    let mut bench = Bench::new(worker(Preset::Sealed));
    let life = bench.spawn();
    let snapshot = Snapshot::start(life.child.pid).expect("a process");
    await_readable(snapshot.as_fd());
    let text = String::from_utf8(snapshot.text()).expect("text");
    let thread = life.child.pid;
    for part in ["[wchan]\n", "[status]\nName:", &format!("[task/{thread}/stat]\n{thread} ("), "[stack]\n"] {
        assert!(text.contains(part), "no {part:?} in {text}");
    }
    assert!(snapshot.text().is_empty(), "it is told once");
}

pub(super) fn a_snapshot_of_nobody_says_so_and_ends() {
    let snapshot = Snapshot::start(i32::MAX).expect("a process");
    await_readable(snapshot.as_fd());
    assert!(snapshot.text().starts_with(b"[wchan]\n(No such file"));
}

pub(super) fn a_process_with_threads_starts_nobody() {
    let mut bench = Bench::new(worker(Preset::Sealed));
    let (control, log) = socket::pair(socket::Kind::SeqPacket).expect("a socket pair");
    let fds = bailiwick_supervisor::spawn::Belongings {
        output: log.as_fd(),
        others: &[control.as_fd()],
        variables: &[],
    };
    let (barrier, launcher) = (std::sync::Barrier::new(2), &mut bench.launcher);
    let refused = std::thread::scope(|scope| {
        scope.spawn(|| barrier.wait());
        let refused = launcher.spawn(WORKER, &fds).expect_err("two threads");
        barrier.wait();
        refused
    });
    assert_eq!(refused, SpawnError::Threads { threads: 2 });
}

pub(super) fn what_cannot_be_prepared_is_refused_with_the_reason() {
    let refusal = |change: fn(&mut bailiwick_supervisor::spec::Worker)| {
        let mut worker = worker(Preset::Sealed);
        change(&mut worker);
        let error = Bench::try_new(worker).err().expect("a refusal");
        (error.to_string(), error.exit_code())
    };
    let (text, code) = refusal(|worker| worker.sandbox.read_only_paths.push("/nonexistent/folder".into()));
    assert_eq!(text, "granted path /nonexistent/folder cannot be opened: ENOENT: No such file or directory");
    assert_eq!(code, 78);
    let (text, _) = refusal(|worker| worker.sandbox.preset = Preset::None);
    assert_eq!(text, "worker probe has no sandbox (preset `none`) without `privileged = true`");
    let (text, _) = refusal(|worker| worker.exec = Exec::Path("/etc/passwd".into()));
    assert_eq!(text, "executable: `/etc/passwd` is not executable (mode 0644)");
    let (text, _) = refusal(|worker| worker.sandbox.capabilities.push("CAP_FLY".into()));
    assert_eq!(text, "worker probe wants \"CAP_FLY\", which is no capability");
    let (text, _) = refusal(|worker| worker.sandbox.user = Some("nobody at all".into()));
    assert_eq!(text, "worker probe runs as user \"nobody at all\", which does not exist");
    if !is_root() {
        let (text, _) = refusal(|worker| worker.sandbox.capabilities.push("CAP_CHOWN".into()));
        assert_eq!(text, "worker probe wants CAP_CHOWN, which the supervisor does not hold");
        let (text, _) = refusal(|worker| worker.sandbox.user = Some("1".into()));
        assert!(text.starts_with("worker probe runs as uid 1, but the supervisor is uid"), "{text}");
    }
}

pub(super) fn a_step_that_fails_is_named() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let program = folder.path().canonicalize().expect("a folder").join("closed");
    std::fs::copy("/bin/true", &program).expect("a copy");
    // Executable for root, who opens it, and not for the worker's user.
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o700)).expect("our own file");
    let mut worker = worker(Preset::Sealed);
    worker.exec = Exec::Path(program);
    let mut bench = Bench::new(worker);
    let life = bench.spawn();
    assert!(matches!(life.end(), Change::Exited { code: 127, .. }));
    let Progress::Failed(failed) = life.child.start.progress() else {
        panic!("{:?}", life.child.start.progress())
    };
    assert_eq!((failed.step, failed.errno), ("execveat", Errno::EACCES));
}
