//! I. What a worker finds that may start programs, and so has a `/proc` and a view of its own.

use std::fs;

use nix::libc;

use crate::orders::{AT_FDCWD, Answer, Arg, Attack};
use crate::support::{Free, Scene, assert_refused, modes};

const EXEC: &str = "sandbox.preset = \"exec\"\n";

/// Files by which a process changes what holds for it, and whoever may change what holds for everybody.
const LEVERS: [&str; 24] = [
    "/proc/self/oom_score_adj",
    "/proc/self/oom_adj",
    "/proc/self/mem",
    "/proc/self/coredump_filter",
    "/proc/self/clear_refs",
    "/proc/self/loginuid",
    "/proc/self/autogroup",
    "/proc/self/timerslack_ns",
    "/proc/self/setgroups",
    "/proc/self/uid_map",
    "/proc/self/gid_map",
    "/proc/self/projid_map",
    "/proc/self/attr/current",
    "/proc/self/attr/exec",
    "/proc/self/comm",
    "/proc/thread-self/comm",
    "/proc/sysrq-trigger",
    "/proc/sys/kernel/core_pattern",
    "/proc/sys/kernel/ns_last_pid",
    "/proc/sys/user/max_user_namespaces",
    "/proc/sys/net/ipv4/ip_unprivileged_port_start",
    "/proc/sys/vm/overcommit_memory",
    "/sys/fs/cgroup/cgroup.procs",
    "/sys/fs/cgroup/unified/cgroup.procs",
];

/// Calls whose door is open to who may start programs, or was to one of them on some kernel.
fn doors() -> Vec<Attack> {
    let minus = || Arg::Number(-1);
    let call = |name: &str, number, arguments: &[Arg]| Attack::call(name, number, arguments);
    vec![
        call(
            "share mounts with the machine",
            libc::SYS_mount,
            &["none".into(), "/".into(), 0.into(), ((1 << 20) | (1 << 14)).into(), 0.into()],
        ),
        call("keys", libc::SYS_keyctl, &[0.into(), Arg::Number(-3), 1.into()]),
        call("the session's keys", libc::SYS_keyctl, &[1.into(), 0.into()]),
        call("a program in the kernel", libc::SYS_bpf, &[0.into(), Arg::Room(128), 128.into()]),
        call(
            "a count of events",
            libc::SYS_perf_event_open,
            &[
                Arg::Bytes([vec![0; 4], 128_u32.to_le_bytes().to_vec(), vec![0; 120]].concat()),
                0.into(),
                minus(),
                minus(),
                0.into(),
            ],
        ),
        call("hold the kernel", libc::SYS_userfaultfd, &[0.into()]),
        call("have a child followed", libc::SYS_ptrace, &[0.into(), 0.into(), 0.into(), 0.into()]),
        call("the time", libc::SYS_settimeofday, &[Arg::Bytes(vec![0; 16]), 0.into()]),
        call("another clock", libc::SYS_clock_settime, &[0.into(), Arg::Bytes(vec![0; 16])]),
        call("a hand on the clock", libc::SYS_adjtimex, &[Arg::Bytes(vec![0; 208])]),
        call("segments", libc::SYS_modify_ldt, &[1.into(), Arg::Room(16), 16.into()]),
        call(
            "more files",
            libc::SYS_prlimit64,
            &[
                0.into(),
                libc::RLIMIT_NOFILE.into(),
                Arg::Bytes([(1_u64 << 19).to_le_bytes(), (1_u64 << 19).to_le_bytes()].concat()),
                0.into(),
            ],
        ),
        call(
            "be real time",
            libc::SYS_sched_setscheduler,
            &[0.into(), 1.into(), Arg::Bytes(vec![1, 0, 0, 0])],
        ),
        call("be nicer to itself", libc::SYS_setpriority, &[0.into(), 0.into(), Arg::Number(-1)]),
        call("stay in memory", libc::SYS_mlockall, &[2.into()]),
        call(
            "a device",
            libc::SYS_mknodat,
            &[AT_FDCWD, "/tmp/device".into(), 0o020_666.into(), 0x103.into()],
        ),
    ]
}

/// Control: an ordinary process changes in this way what holds for it.
/// Seen to fail without the system-call filters; the view of files and Landlock together.
#[test]
fn i10_who_may_start_programs_pulls_no_lever_of_the_kernel() {
    let mut free = Free::somebody();
    let found = LEVERS.iter().filter(|path| free.evil.open(path, libc::O_WRONLY).did()).count();
    assert!(found >= 8, "{found}");
    for &mode in modes() {
        let folder = tempfile::tempdir().expect("a folder");
        let granted = folder.path().join("file");
        fs::write(&granted, "as it was").expect("ours");
        for (path, bits) in [(folder.path(), 0o777), (granted.as_path(), 0o666)] {
            fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(bits)).expect("ours");
        }
        let keys = format!("{EXEC}sandbox.read_only_paths = [\"{}\"]\n", folder.path().display());
        let mut scene = Scene::new(mode, &keys);
        let levers: Vec<_> = LEVERS.iter().map(|path| Attack::open(path, libc::O_WRONLY)).collect();
        let shut = ["EACCES", "EPERM", "ENOENT", "EROFS"];
        assert_refused(mode, &scene.each(&levers), &shut);
        assert_refused(mode, &scene.each(&doors()), &["EPERM", "EACCES", "ENOSYS"]);
        // What it holds to read it opens to write by no other way.
        let held = scene.evil.open(&granted, libc::O_RDONLY).number();
        let again = Attack::open(format!("/proc/self/fd/{held}"), libc::O_RDWR);
        assert_refused(mode, &scene.each(&[again]), &shut);
        assert_eq!(fs::read_to_string(&granted).expect("ours"), "as it was");
        let came = scene.evil.open("/proc/self/status", libc::O_RDONLY);
        assert!(matches!(came, Answer::Did(_)) || came.is_refused(&["ENOENT"]), "{came:?}");
        scene.assert_unharmed();
    }
}
