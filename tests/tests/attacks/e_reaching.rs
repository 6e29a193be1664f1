//! E. Reaching other processes.

use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::path::Path;

use bailiwick_tests::harness::{Process, needs_root, wait_until};
use nix::libc;

use crate::orders::{AT_FDCWD, Answer, Arg, Attack, Evil, call};
use crate::support::{Free, Mode, Scene, a_page_of, assert_refused, modes};

/// A worker that may start programs, and so has all calls that the policy does not stop.
const EXEC: &str = "sandbox.preset = \"exec\"\n";

/// What refuses to know a process, or to touch it.
const HANDS_OFF: &[&str] = &["EPERM", "EACCES", "ESRCH", "ENOENT", "ENOSYS", "EBADF", "EROFS"];

/// Everything that reads, changes or takes over another process, an address of which is known.
fn looks_into(evil: &mut Evil, target: Process, address: i64) -> Vec<Attack> {
    let buffer = evil.place(&[0x41; 64]);
    let vector = |address: i64| Arg::Bytes([address.to_le_bytes(), 64_i64.to_le_bytes()].concat());
    let pid = || Arg::from(target);
    let mut attacks = vec![
        Attack::call("attach", libc::SYS_ptrace, &[Arg::Number(0x10), pid()]),
        Attack::call("seize", libc::SYS_ptrace, &[Arg::Number(0x4206), pid(), 0.into(), 0.into()]),
        Attack::call(
            "read its memory",
            libc::SYS_process_vm_readv,
            &[pid(), vector(buffer), 1.into(), vector(address), 1.into(), 0.into()],
        ),
        Attack::call(
            "write its memory",
            libc::SYS_process_vm_writev,
            &[pid(), vector(buffer), 1.into(), vector(address), 1.into(), 0.into()],
        ),
        Attack::call("name it by a descriptor", libc::SYS_pidfd_open, &[pid(), 0.into()]),
        Attack::call("compare it", libc::SYS_kcmp, &[pid(), pid(), 1.into(), 0.into(), 0.into()]),
        Attack::call(
            "change its limits",
            libc::SYS_prlimit64,
            &[pid(), 7.into(), Arg::Bytes(vec![0; 16]), 0.into()],
        ),
        Attack::call("change its priority", libc::SYS_setpriority, &[0.into(), pid(), 19.into()]),
        Attack::call(
            "take its cores",
            libc::SYS_sched_setaffinity,
            &[pid(), 8.into(), Arg::Bytes(vec![1, 0, 0, 0, 0, 0, 0, 0])],
        ),
        Attack::call(
            "make it idle",
            libc::SYS_sched_setscheduler,
            &[pid(), 5.into(), Arg::Bytes(vec![0; 4])],
        ),
        Attack::call("starve its disk", libc::SYS_ioprio_set, &[1.into(), pid(), (3 << 13).into()]),
        Attack::call(
            "move its pages",
            libc::SYS_migrate_pages,
            &[
                pid(),
                8.into(),
                Arg::Bytes(vec![1, 0, 0, 0, 0, 0, 0, 0]),
                Arg::Bytes(vec![1, 0, 0, 0, 0, 0, 0, 0]),
            ],
        ),
    ];
    for file in ["mem", "environ", "maps", "fd/0", "root/etc/passwd", "cwd", "auxv", "io", "pagemap", "exe"] {
        attacks.push(Attack::open(format!("/proc/{}/{file}", target.0), libc::O_RDONLY));
    }
    attacks.push(Attack::open(format!("/proc/{}/mem", target.0), libc::O_RDWR));
    attacks
}

/// Control: one process of an ordinary user does all of it to another of the same user. Seen to fail without the change of
/// user, the namespaces, Landlock, the closed memory and the lists of calls together.
/// Mode: root and rootless, sealed and exec.
#[test]
fn e1_no_worker_reads_or_takes_over_another_or_the_supervisor() {
    if needs_root("only root knows an address in the memory of others") {
        return;
    }
    let mut free = Free::somebody();
    let prey = free.prey();
    let attacks = looks_into(&mut free.evil, prey, a_page_of(prey));
    for (name, answer) in free.evil.each(&attacks) {
        // One tracer at a time; and a stopped one answers no second attempt.
        assert!(answer.did() || name == "seize", "{name}: {answer:?}");
    }
    let pidfd = free.evil.call(libc::SYS_pidfd_open, &[prey.into(), 0.into()]).number();
    assert!(free.evil.call(libc::SYS_pidfd_getfd, &[pidfd.into(), 0.into(), 0.into()]).did());
    for &mode in modes() {
        for keys in ["", EXEC] {
            let mut scene = Scene::new(mode, keys);
            for target in [scene.pid("victim"), scene.pid("priv"), scene.process()] {
                let attacks = looks_into(&mut scene.evil, target, a_page_of(target));
                // To name a process by a descriptor gives nothing by itself.
                if let Answer::Did(pidfd) = scene.evil.call(libc::SYS_pidfd_open, &[target.into(), 0.into()])
                {
                    let pidfd: i64 = pidfd.parse().expect("a number");
                    let took = scene.evil.call(libc::SYS_pidfd_getfd, &[pidfd.into(), 0.into(), 0.into()]);
                    assert!(took.is_refused(HANDS_OFF), "{mode:?} {keys}: {took:?}");
                }
                let mut came = scene.each(&attacks);
                came.retain(|(name, _)| name != "name it by a descriptor");
                assert_refused(mode, &came, HANDS_OFF);
            }
            scene.assert_unharmed();
        }
    }
}

/// Every way to send a signal by number.
fn signals(target: Process, signal: i32) -> Vec<Attack> {
    let pid = || Arg::from(target);
    // As sigqueue fills it in: code -1.
    let info = || {
        let mut info = vec![0; 128];
        info[..4].copy_from_slice(&signal.to_le_bytes());
        info[8..12].copy_from_slice(&(-1_i32).to_le_bytes());
        Arg::Bytes(info)
    };
    vec![
        Attack::call("kill", libc::SYS_kill, &[pid(), signal.into()]),
        Attack::call("tgkill", libc::SYS_tgkill, &[pid(), pid(), signal.into()]),
        Attack::call("tkill", libc::SYS_tkill, &[pid(), signal.into()]),
        Attack::call("rt_sigqueueinfo", libc::SYS_rt_sigqueueinfo, &[pid(), signal.into(), info()]),
        Attack::call(
            "rt_tgsigqueueinfo",
            libc::SYS_rt_tgsigqueueinfo,
            &[pid(), pid(), signal.into(), info()],
        ),
    ]
}

/// Has the kernel send `signal` to `target` when a socket becomes readable, as whoever waits for input may ask it to.
fn signal_by_socket(evil: &mut Evil, target: Process, signal: i32) -> Vec<Answer> {
    let pair = evil.place(&[0; 8]);
    let mut came = vec![evil.call(libc::SYS_socketpair, &[1.into(), 1.into(), 0.into(), pair.into()])];
    let ends = evil.peek(pair, 8);
    let end = |at: usize| i64::from(i32::from_le_bytes([ends[at], ends[at + 1], ends[at + 2], ends[at + 3]]));
    let mut control =
        |fd, command: i32, value: Arg| evil.call(libc::SYS_fcntl, &[Arg::Number(fd), command.into(), value]);
    came.push(control(end(0), libc::F_SETOWN, target.into()));
    came.push(control(end(0), F_SETSIG, signal.into()));
    came.push(control(end(0), libc::F_SETFL, (libc::O_ASYNC | libc::O_NONBLOCK).into()));
    came.push(evil.call(libc::SYS_write, &[end(4).into(), Arg::Bytes(vec![1]), 1.into()]));
    // Out of band as well, which has a signal of its own.
    came.push(
        evil.call(libc::SYS_sendto, &[end(4).into(), Arg::Bytes(vec![1]), 1.into(), libc::MSG_OOB.into()]),
    );
    came
}

const F_SETSIG: i32 = 10;

/// Control: the same signals end another process of the same user, each of them. Seen to fail without the change of user,
/// the namespaces, Landlock and the lists of calls together.
/// Mode: root and rootless, sealed and exec.
#[test]
fn e2_no_worker_signals_another_or_the_supervisor() {
    let mut free = Free::somebody();
    for attack in signals(free.process(), libc::SIGKILL) {
        let prey = free.prey();
        // The same attack, upon this one.
        let upon = signals(prey, libc::SIGKILL).into_iter().find(|other| other.name() == attack.name());
        assert!(free.evil.attempt(&upon.expect("it is there")).did());
        wait_until(attack.name(), || !prey.is_alive());
    }
    let prey = free.prey();
    signal_by_socket(&mut free.evil, prey, libc::SIGKILL);
    wait_until("a signal by a socket", || !prey.is_alive());
    for &mode in modes() {
        for keys in ["", EXEC] {
            let mut scene = Scene::new(mode, keys);
            for target in [scene.pid("victim"), scene.pid("priv"), scene.process()] {
                for signal in [0, libc::SIGKILL, libc::SIGSTOP, libc::SIGTERM, 34] {
                    let came = scene.each(&signals(target, signal));
                    assert_refused(mode, &came, HANDS_OFF);
                }
                signal_by_socket(&mut scene.evil, target, libc::SIGKILL);
            }
            scene.assert_unharmed();
        }
    }
}

/// Control: an ordinary user ends all that is his at once. Seen to fail without the PID namespace, Landlock and the lists
/// of calls together, where workers share a user; as root their users suffice.
/// Mode: root and rootless, sealed and exec.
#[test]
fn e4_a_signal_to_everybody_or_to_a_group_reaches_nobody_else() {
    let mut free = Free::somebody();
    let prey = free.prey();
    assert!(free.evil.call(libc::SYS_kill, &[Arg::Number(-1), libc::SIGKILL.into()]).did());
    wait_until("the prey to be killed with everybody", || !prey.is_alive());
    for &mode in modes() {
        for keys in ["", EXEC] {
            let mut scene = Scene::new(mode, keys);
            let groups: Vec<_> = [scene.process(), scene.pid("victim")]
                .iter()
                .filter_map(|process| process.family())
                .map(|(_, group, _)| Arg::Number(-i64::from(group)))
                .collect();
            for (name, whom) in [("everybody", Arg::Number(-1)), ("its own group", Arg::Number(0))]
                .into_iter()
                .chain(groups.into_iter().map(|group| ("a group", group)))
            {
                scene.each(&[Attack::call(name, libc::SYS_kill, &[whom, libc::SIGKILL.into()])]);
            }
            scene.assert_unharmed();
        }
    }
}

/// Control: an ordinary process reads all of it. Seen to fail without the view of files, Landlock and the lists of calls
/// together.
#[test]
fn e5_what_proc_tells_of_the_machine_and_of_others_is_closed() {
    let files = |process: Process| {
        let of = ["cmdline", "status", "stat", "cgroup", "mountinfo", "net/unix", "task"];
        let mut attacks: Vec<_> = of
            .iter()
            .map(|file| Attack::open(format!("/proc/{}/{file}", process.0), libc::O_RDONLY))
            .collect();
        for file in [
            "/proc",
            "/proc/net/tcp",
            "/proc/sys/kernel/hostname",
            "/proc/1/status",
            "/proc/meminfo",
            "/proc/mounts",
        ] {
            attacks.push(Attack::open(file, libc::O_RDONLY));
        }
        attacks
    };
    let mut free = Free::somebody();
    let prey = free.prey();
    for (name, answer) in free.evil.each(&files(prey)) {
        assert!(answer.did(), "{name}: {answer:?}");
    }
    for &mode in modes() {
        let mut scene = Scene::new(mode, "");
        for target in [scene.pid("victim"), scene.process()] {
            let came = scene.each(&files(target));
            assert_refused(mode, &came, HANDS_OFF);
        }
        scene.assert_unharmed();
    }
}

/// A name for an abstract socket, and a listener there that no connection keeps waiting.
fn abstract_listener(test: &str) -> (Vec<u8>, UnixListener) {
    let name = format!("bailiwick-attack-{test}-{}", std::process::id());
    let address = SocketAddr::from_abstract_name(&name).expect("a short name");
    let listener = UnixListener::bind_addr(&address).expect("nobody else has the name");
    (unix_address(&[b"\0", name.as_bytes()].concat()), listener)
}

/// The bytes of an address of a Unix socket.
fn unix_address(name: &[u8]) -> Vec<u8> {
    [&1_u16.to_le_bytes()[..], name].concat()
}

/// Tries to connect to an address of a Unix socket, in each way that there is.
fn connects(evil: &mut Evil, address: &[u8]) -> Vec<(String, Answer)> {
    let length = i32::try_from(address.len()).expect("short");
    let mut came = Vec::new();
    for (kind, name) in
        [(libc::SOCK_STREAM, "stream"), (libc::SOCK_DGRAM, "datagrams"), (libc::SOCK_SEQPACKET, "packets")]
    {
        let socket = evil.call(libc::SYS_socket, &[libc::AF_UNIX.into(), kind.into(), 0.into()]);
        let Answer::Did(socket) = &socket else {
            came.push((name.to_owned(), socket));
            continue;
        };
        let socket = Arg::Number(socket.parse().expect("a number"));
        let connected =
            evil.call(libc::SYS_connect, &[socket.clone(), Arg::Bytes(address.to_vec()), length.into()]);
        came.push((format!("connect by {name}"), connected));
        let sent = [
            socket,
            Arg::Bytes(vec![1]),
            1.into(),
            libc::MSG_DONTWAIT.into(),
            Arg::Bytes(address.to_vec()),
            length.into(),
        ];
        came.push((format!("send by {name}"), evil.call(libc::SYS_sendto, &sent)));
    }
    came
}

/// A listener at a path that everybody may connect to.
fn open_to_all(path: &Path) -> UnixListener {
    let listener = UnixListener::bind(path).expect("it is our folder");
    std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o777)).expect("ours");
    listener
}

/// What says no to a connection: wrong kinds of sockets and unconnected ones among it.
const NO_WAY: &[&str] =
    &["EPERM", "EACCES", "ENOENT", "ECONNREFUSED", "ENOTCONN", "EPROTOTYPE", "EOPNOTSUPP"];

/// Control: an ordinary process connects. Seen to fail without the network namespace, Landlock and the lists of calls
/// together.
/// Mode: root and rootless, sealed and exec.
#[test]
fn e7_abstract_sockets_of_the_machine_are_out_of_reach() {
    let (address, _listener) = abstract_listener("e7");
    let mut free = Free::somebody();
    assert!(connects(&mut free.evil, &address).iter().any(|(_, answer)| answer.did()));
    for &mode in modes() {
        for keys in ["", "sandbox.preset = \"net-client\"\n", EXEC] {
            let mut scene = Scene::new(mode, keys);
            assert_refused(mode, &connects(&mut scene.evil, &address), NO_WAY);
            scene.assert_unharmed();
        }
    }
}

/// Control: an ordinary process connects to the same. Seen to fail without the view of files, Landlock and the lists of
/// calls together.
#[test]
fn e8_sockets_with_a_path_are_out_of_reach_the_supervisors_own_among_them() {
    let mut free = Free::somebody();
    let path = free.path().join("open.sock");
    let _listener = open_to_all(&path);
    let address = unix_address(path.to_str().expect("text").as_bytes());
    assert!(connects(&mut free.evil, &address).iter().any(|(_, answer)| answer.did()));
    for &mode in modes() {
        for keys in ["", "sandbox.preset = \"net-client\"\n"] {
            let mut scene = Scene::new(mode, keys);
            let path = scene.path().join("open.sock");
            let _listener = open_to_all(&path);
            for path in [path, scene.state_dir().join("control.sock"), "/run/docker.sock".into()] {
                let address = unix_address(path.to_str().expect("text").as_bytes());
                assert_refused(mode, &connects(&mut scene.evil, &address), NO_WAY);
            }
            scene.assert_unharmed();
        }
    }
}

/// What processes share by name: System V and POSIX.
fn shared_by_name(key: i32) -> Vec<Attack> {
    vec![
        Attack::call("shared memory", libc::SYS_shmget, &[key.into(), 4096.into(), 0.into()]),
        Attack::call("new shared memory", libc::SYS_shmget, &[(key + 1).into(), 4096.into(), 0o1666.into()]),
        Attack::call("semaphores", libc::SYS_semget, &[(key + 1).into(), 1.into(), 0o1666.into()]),
        Attack::call("a message queue", libc::SYS_msgget, &[(key + 1).into(), 0o1666.into()]),
        Attack::call(
            "a POSIX queue",
            libc::SYS_mq_open,
            &[
                format!("bailiwick-{key}").as_str().into(),
                (libc::O_CREAT | libc::O_RDWR).into(),
                0o600.into(),
                0.into(),
            ],
        ),
        Attack::open(format!("/dev/shm/bailiwick-{key}"), libc::O_CREAT | libc::O_RDWR),
    ]
}

/// Control: an ordinary process finds and makes all of it. Seen to fail without the list of calls, which has none of System
/// V.
#[test]
fn e9_nothing_is_shared_by_name() {
    let key = 0x0ba1_0000 | i32::try_from(std::process::id() % 0x8000).expect("small") << 1;
    let mut free = Free::somebody();
    let made = free.evil.call(libc::SYS_shmget, &[key.into(), 4096.into(), 0o1666.into()]).number();
    let came = free.evil.each(&shared_by_name(key));
    for (name, answer) in &came {
        assert!(answer.did(), "{name}: {answer:?}");
    }
    for &mode in modes() {
        let mut scene = Scene::new(mode, "");
        let came = scene.each(&shared_by_name(key));
        assert_refused(mode, &came, HANDS_OFF);
        scene.assert_unharmed();
    }
    // 0 is IPC_RMID.
    let number = |at: usize| Arg::Number(came[at].1.number());
    for (call, arguments) in [
        (libc::SYS_shmctl, vec![Arg::Number(made), 0.into(), 0.into()]),
        (libc::SYS_shmctl, vec![number(1), 0.into(), 0.into()]),
        (libc::SYS_semctl, vec![number(2), 0.into(), 0.into()]),
        (libc::SYS_msgctl, vec![number(3), 0.into(), 0.into()]),
        (libc::SYS_mq_unlink, vec![format!("bailiwick-{key}").as_str().into()]),
        (libc::SYS_unlinkat, vec![AT_FDCWD, format!("/dev/shm/bailiwick-{key}").as_str().into(), 0.into()]),
    ] {
        assert!(free.evil.call(call, &arguments).did(), "{call}");
    }
}

/// Control: in a folder of its own an ordinary process does so. Seen to fail without the change of user, the view of files,
/// Landlock and the lists of calls together.
/// Mode: root and rootless, sealed and exec.
#[test]
fn e11_the_supervisors_executable_is_neither_written_nor_replaced() {
    let overwrites = |folder: &Path, supervisor: Process| {
        let mut attacks = vec![
            Attack::open(format!("/proc/{}/exe", supervisor.0), libc::O_WRONLY),
            Attack::open("/proc/self/exe", libc::O_WRONLY),
            Attack::open(folder.join("bailiwickd"), libc::O_WRONLY),
            Attack::open(folder.join("tw"), libc::O_WRONLY),
            Attack::open(folder.join("app.toml"), libc::O_WRONLY),
        ];
        for name in ["bailiwickd", "tw"] {
            let (from, to) = (folder.join("app.toml"), folder.join(name));
            let arguments = [AT_FDCWD, from.as_path().into(), AT_FDCWD, to.as_path().into(), 0.into()];
            attacks.push(Attack::call(format!("replace {name}"), libc::SYS_renameat2, &arguments));
            let gone = [AT_FDCWD, to.as_path().into(), 0.into()];
            attacks.push(Attack::call(format!("remove {name}"), libc::SYS_unlinkat, &gone));
        }
        attacks
    };
    let mut free = Free::somebody();
    std::fs::write(free.path().join("app.toml"), "").expect("root may");
    let attacks = overwrites(free.path(), free.process());
    let came = free.evil.each(&attacks);
    assert!(came.iter().any(|(name, answer)| name == "replace bailiwickd" && answer.did()), "{came:?}");
    for &mode in modes() {
        for keys in ["", EXEC] {
            let mut scene = Scene::new(mode, keys);
            let attacks = overwrites(scene.path(), scene.process());
            let came = scene.each(&attacks);
            assert_refused(mode, &came, HANDS_OFF);
            scene.assert_unharmed();
        }
    }
}

const NAMESPACES: &[(&str, i32)] = &[
    ("user", libc::CLONE_NEWUSER),
    ("mount", libc::CLONE_NEWNS),
    ("network", libc::CLONE_NEWNET),
    ("process", libc::CLONE_NEWPID),
    ("ipc", libc::CLONE_NEWIPC),
    ("name", libc::CLONE_NEWUTS),
    ("control group", libc::CLONE_NEWCGROUP),
    ("time", 0x80),
];

/// Control: as root each namespace is entered; as an ordinary user one that gives all capabilities. Seen to fail without
/// the lists of calls.
/// Mode: root and rootless, sealed and exec.
#[test]
fn e13_no_namespace_is_made_or_entered_to_regain_power() {
    let unshares =
        || NAMESPACES.iter().map(|(name, flag)| Attack::call(*name, libc::SYS_unshare, &[(*flag).into()]));
    if modes().contains(&Mode::Root) {
        let mut free = Free::root();
        for attack in unshares() {
            // A process of one thread alone may enter another namespace of users.
            assert!(free.evil.attempt(&attack.clone().by_a_child()).did(), "{attack:?}");
        }
    }
    assert!(
        Free::somebody()
            .evil
            .order(&format!("child {}", call(libc::SYS_unshare, &[libc::CLONE_NEWUSER.into()])))
            .did()
    );
    for &mode in modes() {
        for keys in ["", EXEC] {
            let mut scene = Scene::new(mode, keys);
            let mut attacks: Vec<_> = unshares().collect();
            if keys == EXEC {
                attacks.extend(unshares().map(Attack::by_a_child));
            }
            for (name, flag) in NAMESPACES {
                // Without the flags of a thread, and with them.
                // (Of the older call the flag of time is part of a signal's number.)
                let times = if *name == "time" { 0 } else { 2 };
                for more in [libc::SIGCHLD, libc::CLONE_VM | libc::CLONE_SIGHAND | libc::CLONE_THREAD]
                    .into_iter()
                    .take(times)
                {
                    let flags = Arg::Number(i64::from(*flag | more));
                    attacks.push(Attack::call(
                        format!("a process in another {name} namespace"),
                        libc::SYS_clone,
                        &[flags, 0.into()],
                    ));
                }
                let structure =
                    [u64::from(flag.cast_unsigned()).to_le_bytes().to_vec(), vec![0; 80]].concat();
                attacks.push(Attack::call(
                    format!("clone3 with another {name} namespace"),
                    libc::SYS_clone3,
                    &[Arg::Bytes(structure), 88.into()],
                ));
            }
            for name in ["user", "mnt", "net", "pid"] {
                attacks.push(Attack::open(format!("/proc/{}/ns/{name}", scene.process().0), libc::O_RDONLY));
            }
            attacks.push(Attack::call("enter a namespace", libc::SYS_setns, &[0.into(), 0.into()]));
            attacks.push(Attack::call(
                "mount",
                libc::SYS_mount,
                &["none".into(), "/tmp".into(), "tmpfs".into(), 0.into(), 0.into()],
            ));
            let came = scene.each(&attacks);
            assert_refused(mode, &came, &["EPERM", "EACCES", "ENOSYS", "ENOENT"]);
            scene.assert_unharmed();
        }
    }
}

/// Control: an ordinary process learns who lives. Seen to fail without the view of files, Landlock and the lists of calls
/// together.
#[test]
fn e5_who_lives_and_which_files_there_are_is_not_to_be_learnt() {
    let asks = |process: Process| {
        let of = |file: &str| Arg::from(format!("/proc/{}{file}", process.0).as_str());
        vec![
            Attack::call(
                "stat of a process",
                libc::SYS_newfstatat,
                &[AT_FDCWD, of(""), Arg::Room(256), 0.into()],
            ),
            Attack::call(
                "statx of a process",
                libc::SYS_statx,
                &[AT_FDCWD, of("/exe"), 0x100.into(), 0xfff.into(), Arg::Room(256)],
            ),
            Attack::call("access to a process", libc::SYS_faccessat, &[AT_FDCWD, of("/status"), 0.into()]),
            Attack::call(
                "what it executes",
                libc::SYS_readlinkat,
                &[AT_FDCWD, of("/exe"), Arg::Room(256), 256.into()],
            ),
            Attack::call(
                "stat of a file",
                libc::SYS_newfstatat,
                &[AT_FDCWD, "/etc/shadow".into(), Arg::Room(256), 0.into()],
            ),
            Attack::call("access to a folder", libc::SYS_faccessat, &[AT_FDCWD, "/var/lib".into(), 0.into()]),
        ]
    };
    let mut free = Free::somebody();
    let prey = free.prey();
    for (name, answer) in free.evil.each(&asks(prey)) {
        assert!(answer.did(), "{name}: {answer:?}");
    }
    for &mode in modes() {
        for keys in ["", EXEC] {
            let mut scene = Scene::new(mode, keys);
            for target in [scene.pid("victim"), scene.process()] {
                let mut came = scene.each(&asks(target));
                // Such a worker has programs to start, and these their libraries and settings.
                came.retain(|(name, _)| keys.is_empty() || name.contains("process"));
                assert_refused(mode, &came, HANDS_OFF);
            }
            scene.assert_unharmed();
        }
    }
}

/// Control: an ordinary process connects to the same, and finds the same memory and queue. Seen to fail without the
/// namespaces of files and of shared memory.
#[test]
fn e8_e9_a_worker_that_starts_programs_finds_no_sockets_and_no_memory_of_others() {
    let key = 0x0ba2_0000 | i32::try_from(std::process::id() % 0x8000).expect("small") << 1;
    let mut free = Free::somebody();
    let made = free.evil.call(libc::SYS_shmget, &[key.into(), 4096.into(), 0o1666.into()]).number();
    let path = free.path().join("open.sock");
    let _listener = open_to_all(&path);
    let address = unix_address(path.to_str().expect("text").as_bytes());
    assert!(connects(&mut free.evil, &address).iter().any(|(_, answer)| answer.did()));
    let queue = format!("bailiwick-{key}");
    let opens = |flags: i32| [queue.as_str().into(), flags.into(), 0o666.into(), 0.into()];
    assert!(free.evil.call(libc::SYS_mq_open, &opens(libc::O_CREAT | libc::O_RDWR)).did());
    for &mode in modes() {
        let mut scene = Scene::new(mode, EXEC);
        let found = [
            ("memory", scene.evil.call(libc::SYS_shmget, &[key.into(), 4096.into(), 0.into()])),
            ("queue", scene.evil.call(libc::SYS_mq_open, &opens(libc::O_RDONLY))),
        ];
        for (what, found) in found {
            assert!(found.is_refused(&["ENOENT", "EPERM", "EACCES"]), "{mode:?} {what}: {found:?}");
        }
        let near = scene.path().join("open.sock");
        let _near = open_to_all(&near);
        let own = [scene.state_dir().join("control.sock"), scene.path().join("orders.sock")];
        for path in own.iter().chain([&near, &path]) {
            let address = unix_address(path.to_str().expect("text").as_bytes());
            let came = connects(&mut scene.evil, &address);
            assert_refused(mode, &came, NO_WAY);
        }
        for path in ["/tmp/bailiwick-evil", "/var/tmp/bailiwick-evil", "/dev/shm/bailiwick-evil"] {
            scene.evil.open(path, libc::O_CREAT | libc::O_RDWR);
            assert!(!Path::new(path).exists(), "{mode:?} {path}");
        }
        scene.assert_unharmed();
    }
    assert!(free.evil.call(libc::SYS_shmctl, &[made.into(), 0.into(), 0.into()]).did());
    assert!(free.evil.call(libc::SYS_mq_unlink, &[queue.as_str().into()]).did());
}
