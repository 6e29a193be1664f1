//! G. Floods of what the kernel keeps for somebody, and of what somebody else is to hear.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use bailiwick_supervisor::control::State;
use bailiwick_tests::harness::{Supervised, WITHOUT_ROOT};
use bailiwick_tests::run;
use nix::libc;

use crate::orders::{AT_FDCWD, Answer, Arg, Evil, call};
use crate::support::{Free, Mode, Scene, modes};

/// A foreign program that says ten times a second that it gets on, and is killed for two seconds of silence.
const LIVELY: &str = r#"
[worker.lively]
kind = "command"
command = ["FOLDER/tw", "foreign", "notify=READY=1", "every=100:1000000:WATCHDOG=1"]
notify = true
watchdog = "2s"
backoff = { base = "50ms", cap = "50ms" }
sandbox.preset = "exec"
"#;

/// One that fills whatever socket it finds beside its own.
const CROWDING: &str = r#"
[worker.crowding]
kind = "command"
command = ["FOLDER/tw", "foreign", "notify=READY=1", "crowd=WATCHDOG=1", "wait"]
notify = true
sandbox.preset = "exec"
sandbox.tasks_max = 450
sandbox.limit_nofile = 450
"#;

fn supervised(mode: Mode, manifest: &str) -> Supervised {
    let around: &[&str] =
        if mode == Mode::Rootless && nix::unistd::geteuid().is_root() { &WITHOUT_ROOT } else { &[] };
    run!(around, manifest)
}

/// Has an ordinary process of the same user fill every socket at which somebody is heard.
fn crowd(state_dir: &Path) -> Child {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL"]);
    if nix::unistd::geteuid().is_root() {
        command.args(["--reuid=12345", "--regid=12345", "--clear-groups"]);
    }
    let own = state_dir.join("notify/own/in");
    command.arg(env!("CARGO_BIN_EXE_tw")).args(["foreign", "crowd=WATCHDOG=1", "wait"]);
    command.env("NOTIFY_SOCKET", own).stdin(Stdio::null()).spawn().expect("it can be started")
}

/// Control: an ordinary process of the same user fills the socket at which somebody is heard, who is killed as silent.
/// Seen to fail without a folder for each socket.
#[test]
fn g15_no_command_keeps_another_from_being_heard() {
    let mut alone = supervised(Mode::Rootless, LIVELY);
    alone.wait_for_life("lively", 1);
    let mut stranger = crowd(&alone.state_dir());
    // Whether its next life is heard to be ready is up to the stranger.
    alone.journal().wait_for(0, "hung, killed after liveness_timeout");
    stranger.kill().expect("it is our child");
    stranger.wait().expect("it is our child");
    alone.stop();
    for &mode in modes() {
        let mut both = supervised(mode, &[LIVELY, CROWDING].concat());
        both.wait_for_life("lively", 1);
        both.journal().wait_for(0, "crowding | crowds ");
        let began = Instant::now();
        let limit = Duration::from_secs(8);
        both.journal().wait_until("eight seconds", |_| (began.elapsed() > limit).then_some(()));
        let row = both.worker("lively");
        assert_eq!((row.generation, row.state), (1, State::Ready), "{mode:?}: {}", both.journal());
        both.journal().wait_for(0, "crowding | crowds 0 others");
        both.stop();
    }
}

/// Control: an ordinary process makes as many of each as there are numbers, which are many more.
/// Seen to fail without the limit on descriptors.
#[test]
fn g17_what_the_kernel_keeps_for_a_worker_ends_with_its_numbers() {
    const MORE: u32 = 600;
    let kinds = |evil: &mut Evil| {
        let (pair, name) = (evil.place(&[0; 8]), evil.place(b"x\0"));
        vec![
            ("an eventfd", call(libc::SYS_eventfd2, &[0.into(), 0.into()])),
            ("a timer", call(libc::SYS_timerfd_create, &[1.into(), 0.into()])),
            ("a queue", call(libc::SYS_epoll_create1, &[0.into()])),
            ("a memory file", call(libc::SYS_memfd_create, &[name.into(), libc::MFD_NOEXEC_SEAL.into()])),
            ("a pipe", call(libc::SYS_pipe2, &[pair.into(), 0.into()])),
            ("a pair of sockets", {
                call(libc::SYS_socketpair, &[1.into(), libc::SOCK_STREAM.into(), 0.into(), pair.into()])
            }),
            ("a copy", call(libc::SYS_dup, &[1.into()])),
        ]
    };
    let tried = |evil: &mut Evil| {
        let mut came = Vec::new();
        for (what, order) in kinds(evil) {
            came.push((what, evil.order(&format!("often {MORE} {order}"))));
            evil.call(libc::SYS_close_range, &[60.into(), Arg::Number(u32::MAX.into()), 0.into()]);
        }
        came
    };
    // So many numbers it has, whoever runs this.
    let mut free = Free::somebody();
    let many = Arg::Bytes([4096_u64.to_le_bytes(), 4096_u64.to_le_bytes()].concat());
    let raised = [0.into(), libc::RLIMIT_NOFILE.into(), many, 0.into()];
    assert!(free.evil.call(libc::SYS_prlimit64, &raised).did());
    for (what, answer) in tried(&mut free.evil) {
        assert!(answer.did(), "{what}: {answer:?}");
    }
    for &mode in modes() {
        let mut scene = Scene::new(mode, "");
        for (what, answer) in tried(&mut scene.evil) {
            assert!(answer.is_refused(&["EMFILE"]), "{mode:?} {what}: {answer:?}");
        }
        scene.assert_unharmed();
    }
}

/// What it leaves in its `/tmp`: folders that nobody may enter, in each other, and the same of the place itself.
fn bolt(evil: &mut Evil) {
    for folder in ["/tmp/a", "/tmp/a/b", "/tmp/a/b/c"] {
        let made = evil.call(libc::SYS_mkdirat, &[AT_FDCWD, folder.into(), 0o700.into()]);
        assert!(made.did(), "{folder}: {made:?}");
    }
    for folder in ["/tmp/a/b/c", "/tmp/a/b", "/tmp/a", "/tmp"] {
        let opened = evil.open(folder, libc::O_RDONLY | libc::O_DIRECTORY).number();
        assert!(evil.call(libc::SYS_fchmod, &[opened.into(), 0.into()]).did());
    }
}

/// Control: an ordinary process fills its folder with more files, and closes it for good to who comes after it.
/// Seen to fail without the mode that it gets back; the bound on files.
#[test]
fn g18_a_tmp_of_its_own_is_bounded_and_nothing_in_it_holds_up_the_next_life() {
    let mut free = Free::somebody();
    let place = free.path().join("many");
    let made = free.evil.call(libc::SYS_mkdirat, &[AT_FDCWD, place.as_path().into(), 0o700.into()]);
    assert!(made.did(), "{made:?}");
    assert_eq!(free.evil.order(&format!("files 5000 {}", place.display())).number(), 5000);
    let opened = free.evil.open(&place, libc::O_RDONLY | libc::O_DIRECTORY).number();
    assert!(free.evil.call(libc::SYS_fchmod, &[opened.into(), 0.into()]).did());
    if free.user() != 0 {
        assert!(free.evil.open(place.join("0"), libc::O_RDONLY).is_refused(&["EACCES"]));
    }
    fs::set_permissions(&place, std::os::unix::fs::PermissionsExt::from_mode(0o700)).expect("it is there");
    for &mode in modes() {
        let mut scene = Scene::new(mode, "sandbox.private_tmp = true\n");
        let Answer::Did(made) = scene.evil.order("files 5000 /tmp") else { panic!("some can be made") };
        let (count, error) = made.split_once(' ').expect("a number and an error");
        let holds = error == "ENOSPC" && count.parse::<u32>().is_ok_and(|count| count <= 4096);
        assert!(holds, "{mode:?}: {made}");
        assert_eq!(scene.evil.order("die exit 1"), Answer::Died);
        scene.meet_again(2);
        let Answer::Did(eaten) = scene.evil.order("eat file 96 /tmp/big") else { panic!("some fits") };
        let (count, error) = eaten.split_once(' ').expect("a number and an error");
        let holds = error == "ENOSPC" && count.parse::<u32>().is_ok_and(|count| count <= 64);
        assert!(holds, "{mode:?}: {eaten}");
        assert_eq!(scene.evil.order("die exit 1"), Answer::Died);
        scene.meet_again(3);
        bolt(&mut scene.evil);
        assert_eq!(scene.evil.order("die exit 1"), Answer::Died);
        scene.meet_again(4);
        assert_eq!(scene.evil.order("files 10 /tmp"), Answer::Did("10".to_owned()), "{mode:?}");
        scene.assert_unharmed();
    }
}
