//! E. The terminal that a supervisor runs on: nobody but the operator is to be there.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use bailiwick_tests::harness::Process;
use nix::libc;

use crate::orders::{Answer, Arg, Attack, Evil};
use crate::support::{Free, Mode, Scene, assert_refused, modes};

/// A terminal, and the innocent process that holds its other end, where an operator sits.
struct Terminal {
    operator: Free,
    master: i64,
    path: PathBuf,
}

impl Terminal {
    /// Makes one that everybody may open.
    fn new() -> Self {
        let mut operator = Free::somebody();
        let evil = &mut operator.evil;
        let master = evil.open("/dev/ptmx", libc::O_RDWR | libc::O_NOCTTY | libc::O_NONBLOCK).number();
        let number = evil.place(&[0; 4]);
        for request in [libc::TIOCSPTLCK, libc::TIOCGPTN] {
            assert!(
                evil.call(libc::SYS_ioctl, &[master.into(), Arg::Number(request as i64), number.into()])
                    .did()
            );
        }
        let number = i32::from_le_bytes(evil.peek(number, 4).try_into().expect("four bytes"));
        let path = PathBuf::from(format!("/dev/pts/{number}"));
        fs::set_permissions(&path, PermissionsExt::from_mode(0o666)).expect("it is ours, or this is root");
        Self { operator, master, path }
    }

    /// Tells whether anything was typed or printed there.
    fn has_news(&mut self) -> bool {
        let read = [self.master.into(), Arg::Room(64), 64.into()];
        match self.operator.evil.call(libc::SYS_read, &read) {
            Answer::Did(_) => true,
            other => !other.is_refused(&["EAGAIN"]),
        }
    }
}

/// The terminal that controls a process, 0 for none, and the group of processes in its foreground.
fn terminal_of(process: Process) -> [String; 2] {
    let stat = fs::read_to_string(format!("/proc/{}/stat", process.0)).expect("it lives");
    let (_, fields) = stat.rsplit_once(')').expect("a name");
    let fields: Vec<_> = fields.split_whitespace().collect();
    [fields[4], fields[5]].map(str::to_owned)
}

/// What a process may try at an open file if that is a terminal.
fn meddles(fd: i64) -> Vec<Attack> {
    let own = || Arg::Bytes(std::process::id().to_le_bytes().to_vec());
    let room = || Arg::Bytes(vec![0; 64]);
    let requests = [
        ("type", libc::TIOCSTI, Arg::Bytes(b"x".to_vec())),
        ("paste", libc::TIOCLINUX, Arg::Bytes(vec![2; 16])),
        ("take the foreground", libc::TIOCSPGRP, own()),
        ("be controlled by it", libc::TIOCSCTTY, 1.into()),
        ("hang up", HANG_UP, 0.into()),
        ("forget what was typed", libc::TCFLSH, 2.into()),
        ("be silent", libc::TCXONC, 0.into()),
        ("be another kind", libc::TIOCSETD, room()),
        ("be exclusive", libc::TIOCEXCL, 0.into()),
        ("be small", libc::TIOCSWINSZ, room()),
        ("set it up", libc::TCSETS, room()),
        ("be a terminal", libc::TCGETS, room()),
    ];
    let call = |(name, request, value): (&str, libc::Ioctl, Arg)| {
        let arguments = [fd.into(), Arg::Number(request as i64), value];
        Attack::call(format!("{name}: {fd}"), libc::SYS_ioctl, &arguments)
    };
    requests.into_iter().map(call).collect()
}

/// TIOCVHANGUP, which libc does not name.
const HANG_UP: libc::Ioctl = 0x5437;

/// A process to whom nothing is forbidden has the terminal, types there and prints there.
fn control() {
    let mut terminal = Terminal::new();
    let mut free = Free::root();
    let evil: &mut Evil = &mut free.evil;
    assert!(evil.call(libc::SYS_setsid, &[]).did());
    let fd = evil.open(&terminal.path, libc::O_RDWR).number();
    assert!(evil.call(libc::SYS_write, &[fd.into(), Arg::Bytes(b"lies".to_vec()), 4.into()]).did());
    assert!(terminal.has_news() && !terminal.has_news());
    let types = meddles(fd).swap_remove(0);
    let typed = evil.attempt(&types);
    // What is typed is shown.
    assert_eq!(typed.did(), terminal.has_news(), "{typed:?}");
    if nix::unistd::geteuid().is_root() {
        assert!(typed.did(), "{typed:?}");
    }
    assert_ne!(terminal_of(free.process())[0], "0");
}

/// Control: an ordinary process has the terminal, prints there, and as root types there.
/// Mode: root and rootless, sealed and exec.
/// Seen to fail without a session of its own and an input that is nobody's, together with the look at both.
#[test]
fn e20_nobody_types_prints_or_hangs_up_on_the_terminal_of_the_supervisor() {
    control();
    for &mode in modes() {
        for keys in ["", "sandbox.preset = \"exec\"\n"] {
            let mut terminal = Terminal::new();
            let path = terminal.path.display();
            // It controls the supervisor, which has it open once more by somebody's mistake.
            let script = format!("exec \"$0\" \"$@\" <>{path} 7<>{path}");
            let mut scene = Scene::with(mode, keys, "", &["sh", "-c", &script]);
            let before = terminal_of(scene.process());
            assert_ne!(before[0], "0", "it runs on a terminal");
            attack(&mut scene, mode, &terminal);
            assert_eq!(terminal_of(scene.process()), before, "{mode:?} {keys}");
            for worker in scene.workers() {
                assert_eq!(terminal_of(worker)[0], "0", "{mode:?} {keys}");
                let held = worker.descriptors();
                assert!(held.iter().all(|(_, what)| !what.contains("/pts/")), "{mode:?} {keys}: {held:?}");
            }
            assert!(!terminal.has_news(), "{mode:?} {keys}");
            scene.assert_unharmed();
        }
    }
}

/// Has evil look for the terminal by every name and every number, and try everything at what it finds.
#[track_caller]
fn attack(scene: &mut Scene, mode: Mode, terminal: &Terminal) {
    let supervisor = scene.process().0;
    let of_supervisor = [0, 7].map(|fd| PathBuf::from(format!("/proc/{supervisor}/fd/{fd}")));
    let names = [PathBuf::from("/dev/tty"), PathBuf::from("/dev/console"), terminal.path.clone()];
    for path in names.iter().chain(&of_supervisor) {
        for flags in [libc::O_RDWR, libc::O_WRONLY | libc::O_NOCTTY, libc::O_PATH] {
            let came = scene.evil.each(&[Attack::open(path, flags)]);
            assert_refused(mode, &came, &["EACCES", "EPERM", "ENOENT", "ENXIO", "ENOTDIR"]);
        }
    }
    for fd in 0..40 {
        let came = scene.each(&meddles(fd));
        assert_refused(mode, &came, &["EPERM", "ENOTTY", "EBADF", "EINVAL"]);
    }
    let hung_up = scene.each(&[Attack::call("hang up", libc::SYS_vhangup, &[])]);
    assert_refused(mode, &hung_up, &["EPERM", "ENOSYS"]);
}
