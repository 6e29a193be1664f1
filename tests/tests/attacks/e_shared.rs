//! E. Reaching others by what is shared with them: open files, sockets, and what the kernel says of who is at their other end.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::time::Duration;

use bailiwick_tests::harness::{Process, needs_root, wait_until};
use bailiwick_wire::operator::{Request, Target, Verb};
use nix::libc;

use crate::orders::{Answer, Arg, Attack, Evil};
use crate::support::{Free, Mode, Scene, assert_refused, modes};
use crate::wire::LINE;

/// Has the kernel name whoever made the socket at the other end, by a descriptor.
fn descriptor_of_peer(evil: &mut Evil, socket: i64) -> Answer {
    let (value, length) = (evil.place(&[0; 4]), evil.place(&4_i32.to_le_bytes()));
    // SO_PEERPIDFD.
    let asked = [socket.into(), libc::SOL_SOCKET.into(), 77.into(), value.into(), length.into()];
    match evil.call(libc::SYS_getsockopt, &asked) {
        Answer::Did(_) => {
            Answer::Did(i32::from_le_bytes(evil.peek(value, 4).try_into().expect("four")).to_string())
        }
        refused => refused,
    }
}

/// What can be done to a process by a descriptor of it.
fn by_descriptor(pidfd: i64) -> Vec<Attack> {
    let mut attacks = vec![
        Attack::call("take a descriptor", libc::SYS_pidfd_getfd, &[pidfd.into(), 0.into(), 0.into()]),
        Attack::call("enter its namespaces", libc::SYS_setns, &[pidfd.into(), 0x0002_0000.into()]),
        Attack::call(
            "advise on its memory",
            libc::SYS_process_madvise,
            &[pidfd.into(), Arg::Bytes(vec![0; 16]), 1.into(), 21.into(), 0.into()],
        ),
        // PIDFD_GET_MNT_NAMESPACE and PIDFD_GET_USER_NAMESPACE.
        Attack::call("its mounts", libc::SYS_ioctl, &[pidfd.into(), 0xff03.into(), 0.into()]),
        Attack::call("its users", libc::SYS_ioctl, &[pidfd.into(), 0xff09.into(), 0.into()]),
    ];
    for signal in [0, libc::SIGSTOP, libc::SIGKILL] {
        let arguments = [pidfd.into(), signal.into(), 0.into(), 0.into()];
        attacks.push(Attack::call(format!("signal {signal}"), libc::SYS_pidfd_send_signal, &arguments));
    }
    attacks
}

/// Control: an ordinary process kills another of its user by such a descriptor. Seen to fail without the change of user,
/// the namespaces, Landlock and the lists of calls together.
/// Mode: root and rootless, sealed and exec.
#[test]
fn e14_the_descriptor_by_which_the_kernel_names_a_peer_is_good_for_nothing() {
    let mut free = Free::somebody();
    let prey = free.prey();
    let pidfd = free.evil.call(libc::SYS_pidfd_open, &[prey.into(), 0.into()]).number();
    assert!(free.evil.attempt(&by_descriptor(pidfd)[7]).did());
    wait_until("a kill by a descriptor", || !prey.is_alive());
    for &mode in modes() {
        for keys in ["", "sandbox.preset = \"exec\"\n"] {
            let mut scene = Scene::new(mode, &format!("may = [\"status\"]\n{keys}"));
            let mut sockets = scene.evil.links();
            sockets.push(LINE);
            for socket in sockets {
                let Answer::Did(pidfd) = descriptor_of_peer(&mut scene.evil, socket) else { continue };
                let came = scene.each(&by_descriptor(pidfd.parse().expect("a number")));
                assert_refused(mode, &came, &["EPERM", "EACCES", "EINVAL", "ESRCH", "ENOSYS", "ENOTTY"]);
            }
            scene.assert_unharmed();
        }
    }
}

/// Has each packet that comes to a socket bring a descriptor of who sent it, and returns that of the next one.
fn descriptor_of_sender(evil: &mut Evil, socket: i64, ask: impl FnOnce(&mut Evil)) -> Option<i64> {
    // SO_PASSPIDFD.
    let option = [socket.into(), libc::SOL_SOCKET.into(), 76.into(), Arg::Bytes(vec![1, 0, 0, 0]), 4.into()];
    if !evil.call(libc::SYS_setsockopt, &option).did() {
        return None;
    }
    let place = evil.place_for_a_packet()?;
    ask(evil);
    evil.wait_to_hear(socket).then(|| evil.receive(socket, place)?.1.first().copied()).flatten()
}

/// Control: an ordinary process ends itself by the descriptor that came with its own packet.
/// Seen to fail without the conditions of socket options in the list of calls.
/// Mode: root and rootless, sealed and exec.
#[test]
fn e14_no_message_brings_a_descriptor_of_its_sender_that_is_good_for_anything() {
    let mut free = Free::somebody();
    let pair = free.evil.place(&[0; 8]);
    assert!(free.evil.call(libc::SYS_socketpair, &[1.into(), 5.into(), 0.into(), pair.into()]).did());
    let [one, other] = free.evil.pair(pair);
    let itself = descriptor_of_sender(&mut free.evil, other, |evil| drop(evil.send(one, b"x")));
    assert_eq!(free.evil.attempt(&by_descriptor(itself.expect("it came"))[7]), Answer::Died);
    for &mode in modes() {
        for keys in ["", "sandbox.preset = \"exec\"\n"] {
            let mut scene = Scene::new(mode, &format!("may = [\"status\"]\n{keys}"));
            // The supervisor's, which come before links.
            let control = scene.evil.links()[0];
            let request =
                Request { verb: Verb::Status, target: Target::System, deadline: Duration::from_secs(1) };
            let ask = |evil: &mut Evil| drop(evil.send(control, &request.to_bytes()));
            let supervisor = descriptor_of_sender(&mut scene.evil, control, ask);
            assert_eq!(supervisor.is_some(), !keys.is_empty(), "{mode:?} {keys}");
            if let Some(pidfd) = supervisor {
                let came = scene.each(&by_descriptor(pidfd));
                assert_refused(mode, &came, &["EPERM", "EACCES", "EINVAL", "ESRCH", "ENOSYS", "ENOTTY"]);
            }
            scene.assert_unharmed();
        }
    }
}

/// What holds up others by a file that they share: leases, and word of what they do in a folder.
fn holds_up(file: i64, folder: i64) -> Vec<Attack> {
    let fcntl = |name: &str, fd: i64, command: i32, value: i32| {
        Attack::call(name, libc::SYS_fcntl, &[fd.into(), command.into(), value.into()])
    };
    vec![
        // F_SETLEASE, to write and to read.
        fcntl("a lease to write", file, 1024, 1),
        fcntl("a lease to read", file, 1024, 0),
        // F_NOTIFY of everything.
        fcntl("word of a folder", folder, 1026, 0x3f),
    ]
}

/// Control: the owner of a file has whoever opens it wait. Mode: root, where a worker may run as the owner of what it is granted.
/// Seen to fail without the lines of leases and of word of folders in the list of calls.
#[test]
fn e15_no_lease_holds_up_who_opens_the_same_file() {
    if needs_root("only root makes files of other users") {
        return;
    }
    let mut free = Free::somebody();
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("file");
    fs::write(&file, "shared").expect("ours");
    for path in [folder.path(), &file] {
        fs::set_permissions(path, PermissionsExt::from_mode(0o777)).expect("ours");
        chown(path, Some(free.user()), Some(free.user())).expect("root may");
    }
    let opens = |evil: &mut Evil| {
        (evil.open(&file, libc::O_RDONLY).number(), evil.open(folder.path(), libc::O_DIRECTORY).number())
    };
    let (held, around) = opens(&mut free.evil);
    for (name, answer) in free.evil.each(&holds_up(held, around)) {
        assert!(answer.did(), "{name}: {answer:?}");
    }
    drop(free);
    let keys = format!("sandbox.read_write_paths = [\"{}\"]\n", folder.path().display());
    let mut scene = Scene::new(Mode::Root, &keys);
    let (held, around) = opens(&mut scene.evil);
    let came = scene.each(&holds_up(held, around));
    assert_refused(Mode::Root, &came, &["EPERM", "EACCES"]);
    scene.assert_unharmed();
}

/// Sends a packet and claims to be another process, or another user.
fn claims(evil: &mut Evil, socket: i64, who: Process, uid: u32) -> Answer {
    let credentials = [who.0.to_le_bytes(), uid.to_le_bytes(), uid.to_le_bytes()].concat();
    // A control message of 28 bytes: SOL_SOCKET, SCM_CREDENTIALS.
    let head =
        [28_i64.to_le_bytes().to_vec(), 1_i32.to_le_bytes().to_vec(), 2_i32.to_le_bytes().to_vec()].concat();
    let control = [head, credentials, vec![0; 4]].concat();
    let (bytes, control) = (evil.place(&crate::a_identity::well_formed()), evil.place(&control));
    let vector = evil.place(&[bytes.to_le_bytes(), 64_i64.to_le_bytes()].concat());
    let message = [0, 0, vector, 1, control, 32, 0].map(i64::to_le_bytes).concat();
    let flags = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
    evil.call(libc::SYS_sendmsg, &[socket.into(), Arg::Bytes(message), flags.into()])
}

/// Control: root, outside, claims what it likes. Seen to fail without the loss of capabilities.
#[test]
fn a11_nobody_claims_to_be_another_process_or_user() {
    if !needs_root("only root may claim anything") {
        let mut free = Free::root();
        let pair = free.evil.place(&[0; 8]);
        let made = [1.into(), 5.into(), 0.into(), pair.into()];
        assert!(free.evil.call(libc::SYS_socketpair, &made).did());
        let [one, _] = free.evil.pair(pair);
        assert!(claims(&mut free.evil, one, Process(1), 4711).did());
    }
    for &mode in modes() {
        let mut scene = Scene::new(mode, "");
        let mut sockets = scene.evil.links();
        sockets.push(LINE);
        for socket in sockets {
            for (who, uid) in
                [(scene.pid("priv"), 0), (scene.process(), 0), (Process(1), 0), (scene.pid("evil"), 0)]
            {
                let came = claims(&mut scene.evil, socket, who, uid);
                assert!(came.is_refused(&["EPERM", "ESRCH", "EINVAL"]), "{mode:?}: {came:?}");
            }
        }
        scene.assert_first_life("evil");
        scene.assert_unharmed();
    }
}
