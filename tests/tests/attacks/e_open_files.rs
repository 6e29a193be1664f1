//! E. Reaching others by open files that several processes hold: their flags, their owners, their locks, their end.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixStream;

use bailiwick_tests::harness::Process;
use nix::libc;
use nix::sys::signal::Signal;

use crate::orders::{Answer, Arg, Attack, Evil};
use crate::support::{Free, Scene, assert_refused, modes, own_address};
use crate::wire::LINE;

/// What a process may try at a descriptor that it holds so that others who hold it, or are at its other end, wait, are
/// signalled, or hear something else.
fn meddles(fd: i64, target: Process) -> Vec<Attack> {
    let fcntl = |name: &str, command: i32, value: Arg| {
        Attack::call(format!("{name} of {fd}"), libc::SYS_fcntl, &[fd.into(), command.into(), value])
    };
    let option = |name: &str, level: i32, option: i32, value: i32| {
        let value = Arg::Bytes(value.to_le_bytes().to_vec());
        let arguments = [fd.into(), level.into(), option.into(), value, 4.into()];
        Attack::call(format!("{name} of {fd}"), libc::SYS_setsockopt, &arguments)
    };
    // A write lock on all of it: type, whence, start, length, process.
    let lock = || Arg::Bytes([&1_i16.to_le_bytes()[..], &[0; 30]].concat());
    let every_flag = libc::O_NONBLOCK | libc::O_APPEND | libc::O_ASYNC;
    let mut attacks = vec![
        fcntl("no flags", libc::F_SETFL, 0.into()),
        fcntl("every flag", libc::F_SETFL, every_flag.into()),
        fcntl("the owner", libc::F_SETOWN, target.into()),
        fcntl("the signal", SET_SIGNAL, libc::SIGKILL.into()),
        fcntl("a lock", libc::F_SETLK, lock()),
        fcntl("a lock of the open file", libc::F_OFD_SETLK, lock()),
        fcntl("seals", libc::F_ADD_SEALS, 0x3f.into()),
        fcntl("the least room in a pipe", libc::F_SETPIPE_SZ, 1.into()),
        fcntl("the most room in a pipe", libc::F_SETPIPE_SZ, (1 << 20).into()),
        option("little to send", libc::SOL_SOCKET, libc::SO_SNDBUF, 1),
        option("much to send", libc::SOL_SOCKET, libc::SO_SNDBUF, i32::MAX),
        option("little to hear", libc::SOL_SOCKET, libc::SO_RCVBUF, 1),
        option("a place to peek at", libc::SOL_SOCKET, libc::SO_PEEK_OFF, 5),
        option("no descriptors", libc::SOL_SOCKET, PASS_RIGHTS, 0),
        option("who sends", libc::SOL_SOCKET, libc::SO_PASSCRED, 1),
        option("who sends, by a descriptor", libc::SOL_SOCKET, PASS_PIDFD, 1),
        option("a late answer", libc::SOL_SOCKET, libc::SO_RCVLOWAT, i32::MAX),
    ];
    let lock = [fd.into(), (libc::LOCK_EX | libc::LOCK_NB).into()];
    attacks.push(Attack::call(format!("flock {fd}"), libc::SYS_flock, &lock));
    for (name, request) in [("FIOASYNC", 0x5452), ("FIOSETOWN", 0x8901), ("FIONBIO", 0x5421)] {
        let value = Arg::Bytes(0_i32.to_le_bytes().to_vec());
        attacks.push(Attack::call(
            format!("{name} of {fd}"),
            libc::SYS_ioctl,
            &[fd.into(), request.into(), value],
        ));
    }
    for (name, flags) in [("look at", libc::MSG_PEEK), ("hear out of band", libc::MSG_OOB)] {
        let arguments = [fd.into(), Arg::Room(64), 64.into(), (flags | libc::MSG_DONTWAIT).into()];
        attacks.push(Attack::call(format!("{name} {fd}"), libc::SYS_recvfrom, &arguments));
    }
    attacks
}

const SET_SIGNAL: i32 = 10;
const PASS_PIDFD: i32 = 76;
const PASS_RIGHTS: i32 = 83;

/// Returns what the kernel says of the flags of an open file that a process holds.
fn flags(process: Process, fd: i64) -> String {
    let told = fs::read_to_string(format!("/proc/{}/fdinfo/{fd}", process.0)).unwrap_or_default();
    told.lines().find(|line| line.starts_with("flags")).unwrap_or_default().to_owned()
}

/// Control: whoever inherits an open file has its flags changed by who else holds it. Seen to fail without an input that
/// each start opens anew.
/// Mode: root and rootless, sealed and exec.
#[test]
fn e16_flags_owners_and_locks_of_what_it_holds_hold_up_nobody() {
    let mut free = Free::somebody();
    let pair = free.evil.place(&[0; 8]);
    assert!(free.evil.call(libc::SYS_pipe2, &[pair.into(), 0.into()]).did());
    let [_, end] = free.evil.pair(pair);
    let copy = free.evil.call(libc::SYS_dup, &[end.into()]).number();
    let before = flags(free.process(), copy);
    let own = free.process();
    free.evil.each(&meddles(end, own)[..2]);
    assert_ne!(flags(free.process(), copy), before);
    for &mode in modes() {
        for keys in ["", "sandbox.preset = \"exec\"\n"] {
            let mut scene = Scene::new(mode, keys);
            let seen: Vec<_> = ["victim", "priv"].map(|worker| scene.pid(worker)).into();
            let before: Vec<_> =
                seen.iter().map(|process| [0, 1, 2, 3].map(|fd| flags(*process, fd))).collect();
            // The runtime may not outlive it that its sockets speak of themselves otherwise.
            for fd in [0, 1, 2, LINE].into_iter().chain(scene.evil.links()) {
                for target in [scene.pid("victim"), scene.process()] {
                    let attacks = meddles(fd, target);
                    scene.evil.each(&attacks);
                }
            }
            let after: Vec<_> =
                seen.iter().map(|process| [0, 1, 2, 3].map(|fd| flags(*process, fd))).collect();
            assert_eq!(before, after, "{mode:?} {keys}: flags of what others hold");
            scene.assert_unharmed();
        }
    }
}

/// Returns the descriptors on which it can accept connections.
fn listeners(evil: &mut Evil) -> Vec<i64> {
    let (value, length) = (evil.place(&[0; 4]), evil.place(&4_i32.to_le_bytes()));
    let mut found = Vec::new();
    for fd in 3..40 {
        let accepts = libc::SO_ACCEPTCONN;
        let asked = [fd.into(), libc::SOL_SOCKET.into(), accepts.into(), value.into(), length.into()];
        if evil.call(libc::SYS_getsockopt, &asked).did() && evil.peek(value, 4) == [1, 0, 0, 0] {
            found.push(fd);
        }
    }
    found
}

/// What ends a listener for all who hold it, or keeps connections from them.
fn ends(listener: i64) -> Vec<Attack> {
    let option = |name: &str, level: i32, option: i32, value: Vec<u8>| {
        let length = i32::try_from(value.len()).expect("short");
        let arguments = [listener.into(), level.into(), option.into(), Arg::Bytes(value), length.into()];
        Attack::call(name, libc::SYS_setsockopt, &arguments)
    };
    let number = |value: i32| value.to_le_bytes().to_vec();
    vec![
        option("packets from afar", libc::IPPROTO_IP, libc::IP_MINTTL, number(255)),
        option("connections without data", libc::IPPROTO_TCP, libc::TCP_DEFER_ACCEPT, number(3600)),
        option("connections by other interfaces", libc::SOL_SOCKET, libc::SO_BINDTODEVICE, b"lo\0".to_vec()),
        option("connections without a signature", libc::IPPROTO_TCP, libc::TCP_MD5SIG, signature()),
        option("a filter", libc::SOL_SOCKET, libc::SO_ATTACH_FILTER, vec![0; 16]),
        option("the wait for its end", libc::SOL_SOCKET, libc::SO_LINGER, vec![1, 0, 0, 0, 60, 0, 0, 0]),
        Attack::call("an end of all", libc::SYS_shutdown, &[listener.into(), libc::SHUT_RDWR.into()]),
        Attack::call("an end of hearing", libc::SYS_shutdown, &[listener.into(), libc::SHUT_RD.into()]),
    ]
}

/// A key of five bytes for connections from this machine.
fn signature() -> Vec<u8> {
    let address = [&2_u16.to_le_bytes()[..], &[0, 0], &[127, 0, 0, 1], &[0; 120]].concat();
    [address, vec![0; 2], 5_u16.to_le_bytes().to_vec(), vec![0; 4], b"12345".to_vec(), vec![0; 75]].concat()
}

/// Control: an ordinary process ends a listener for whoever holds it beside. Seen to fail without the conditions of these
/// calls in the list.
#[test]
fn e17_a_listener_is_not_ended_by_one_of_those_who_hold_it() {
    let mut free = Free::somebody();
    let own = listeners(&mut free.evil);
    let path = free.path().join("orders.sock");
    UnixStream::connect(&path).expect("somebody listens");
    assert_eq!(own.len(), 1);
    assert!(free.evil.call(libc::SYS_shutdown, &[own[0].into(), libc::SHUT_RD.into()]).did());
    let refused = UnixStream::connect(&path).expect_err("nobody listens any more");
    assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
    for &mode in modes() {
        let free = TcpListener::bind((own_address(), 0)).and_then(|free| free.local_addr());
        let address = free.expect("a port");
        let shop = format!("[[listen]]\nname = \"shop\"\ntcp = \"{address}\"\n");
        let keys = "kept = [\"orders\", \"shop\"]\n";
        let manifest = Scene::manifest(&shop, "").replace("kept = [\"orders\"]\n", keys);
        let mut scene = Scene::of_manifest(mode, &manifest);
        for life in 2..4 {
            let held = listeners(&mut scene.evil);
            assert!(held.len() >= 2, "{mode:?}: {held:?}");
            for listener in held {
                let came = scene.evil.each(&ends(listener));
                assert_refused(mode, &came, &["EPERM"]);
                // Of what it sends itself it may say that it is all.
                let last = scene.evil.call(libc::SYS_shutdown, &[listener.into(), libc::SHUT_WR.into()]);
                assert!(last.did() || last == Answer::Refused("ENOTCONN".to_owned()), "{last:?}");
            }
            TcpStream::connect(address).expect("somebody listens");
            scene.pid("evil").signal(Signal::SIGKILL);
            scene.meet_again(life);
        }
        TcpStream::connect(address).expect("somebody listens");
        scene.assert_unharmed();
    }
}

/// What a process says of itself so that others see, reach or end it otherwise.
fn of_itself() -> Vec<Attack> {
    let prctl = |name: &str, option: i32, value: i64| {
        let arguments = [option.into(), value.into(), 0.into(), 0.into(), 0.into()];
        Attack::call(name, libc::SYS_prctl, &arguments)
    };
    vec![
        prctl("may be traced by all", libc::PR_SET_PTRACER, -1),
        prctl("adopts orphans", libc::PR_SET_CHILD_SUBREAPER, 1),
        prctl("outlives its parent", libc::PR_SET_PDEATHSIG, 0),
        prctl("leaves cores", libc::PR_SET_DUMPABLE, 1),
        prctl("keeps capabilities", libc::PR_SET_KEEPCAPS, 1),
        prctl("is not slowed down", libc::PR_SET_TIMERSLACK, 1),
        prctl("hears of broken memory", libc::PR_MCE_KILL, 0),
        Attack::call("another personality", libc::SYS_personality, &[0x0040_0000.into()]),
        Attack::call("a session", libc::SYS_setsid, &[]),
        Attack::call("a group", libc::SYS_setpgid, &[0.into(), 0.into()]),
        Attack::call(
            "pages of its own in a pipe",
            libc::SYS_vmsplice,
            &[1.into(), 0.into(), 0.into(), 0.into()],
        ),
        Attack::call("a copy of a pipe", libc::SYS_tee, &[1.into(), 1.into(), 0.into(), 0.into()]),
        Attack::call("memory that nobody sees", libc::SYS_memfd_secret, &[0.into()]),
        Attack::call("memory of the dead", libc::SYS_process_mrelease, &[Arg::Number(-1), 0.into()]),
        Attack::call("keys of the processor", libc::SYS_pkey_alloc, &[0.into(), 0.into()]),
        Attack::call("queues of the kernel", libc::SYS_inotify_init1, &[0.into()]),
    ]
}

/// Control: an ordinary process says all of it, or hears what else is wrong. Seen to fail without the lists of calls.
#[test]
fn e19_a_sealed_worker_says_nothing_of_itself_to_the_kernel() {
    let mut free = Free::somebody();
    for attack in of_itself() {
        let came = free.evil.attempt(&attack.clone().by_a_child());
        assert!(
            !came.is_refused(&["EPERM", "EACCES"]) || attack.name() == "a session",
            "{}: {came:?}",
            attack.name()
        );
    }
    for &mode in modes() {
        let mut scene = Scene::new(mode, "");
        let came = scene.each(&of_itself());
        assert_refused(mode, &came, &["EPERM"]);
        let family = scene.pid("evil").family();
        assert_eq!(family.map(|(_, group, session)| group == session), Some(true), "{mode:?}: {family:?}");
        scene.assert_first_life("evil");
        scene.assert_unharmed();
    }
}
