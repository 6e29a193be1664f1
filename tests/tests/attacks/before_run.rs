//! What a `main` finds that does something of its own before it hands over to the runtime.

use std::process::Command;

use bailiwick_tests::harness::{Supervised, WITHOUT_ROOT};
use bailiwick_tests::run;
use nix::libc;

use crate::orders::{Arg, Attack};
use crate::support::{Mode, modes};

/// The presets whose workers execute nothing.
const PRESETS: [&str; 4] = ["sealed", "net-client", "net-server", "fs-ro"];
/// The first of the attempts are none for a client of the network: it makes such sockets, and the C library loads whom it
/// asks for names.
const OF_CLIENTS: usize = 3;

/// What no worker may, and every ordinary process may; those of [`OF_CLIENTS`] first.
fn attempts() -> Vec<Attack> {
    let call = |name: &str, number, arguments: &[i64]| {
        let arguments: Vec<_> = arguments.iter().map(|word| Arg::Number(*word)).collect();
        Attack::call(name, number, &arguments)
    };
    let socket = |name, family: i32, kind: i32, protocol: i32| {
        call(name, libc::SYS_socket, &[family.into(), kind.into(), protocol.into()])
    };
    let itself = || call("ask who it is", libc::SYS_getpid, &[]);
    let path = |name: &str, number| Attack::call(name, number, &[Arg::from("/")]);
    let limit =
        Attack::call("set a limit", libc::SYS_prlimit64, &[0.into(), 4.into(), Arg::Bytes(vec![0; 16])]);
    let inotify = call("watch files", libc::SYS_inotify_init1, &[0]);
    vec![
        call(
            "code of its own",
            libc::SYS_mmap,
            &[
                0,
                4096,
                (libc::PROT_READ | libc::PROT_EXEC).into(),
                (libc::MAP_PRIVATE | libc::MAP_ANONYMOUS).into(),
                -1,
                0,
            ],
        ),
        socket("TCP", libc::AF_INET, libc::SOCK_STREAM, 0),
        socket("UDP", libc::AF_INET, libc::SOCK_DGRAM, 0),
        socket("Unix", libc::AF_UNIX, libc::SOCK_STREAM, 0),
        socket("Unix datagrams", libc::AF_UNIX, libc::SOCK_DGRAM, 0),
        socket("netlink", libc::AF_NETLINK, libc::SOCK_RAW, 0),
        call(
            "a pair of datagrams",
            libc::SYS_socketpair,
            &[libc::AF_UNIX.into(), libc::SOCK_DGRAM.into(), 0],
        )
        .with(Arg::Room(8)),
        itself().by_a_child(),
        itself().by_a_child().by_a_child(),
        call("forget its parent", libc::SYS_prctl, &[libc::PR_SET_PDEATHSIG.into(), 0, 0, 0, 0]),
        call("adopt orphans", libc::SYS_prctl, &[libc::PR_SET_CHILD_SUBREAPER.into(), 1, 0, 0, 0]),
        call("stay open to others", libc::SYS_prctl, &[libc::PR_SET_DUMPABLE.into(), 1, 0, 0, 0]),
        call("signal itself", libc::SYS_kill, &[0, 0]),
        call("leave the files that it shares", libc::SYS_unshare, &[libc::CLONE_FILES.into()]),
        call("be less urgent", libc::SYS_setpriority, &[0, 0, 1]),
        path("a folder to start from", libc::SYS_chdir),
        limit,
        inotify,
    ]
}

/// Returns how many of the attempts are none for a worker of this preset.
fn spared(preset: &str) -> usize {
    if preset == "net-client" { OF_CLIENTS } else { 0 }
}

/// A worker of each preset, that makes its attempts before anything else.
fn manifest(orders: &[&str]) -> String {
    let worker = |preset: &&str| {
        let orders = orders[spared(preset)..].join(";");
        format!(
            "[worker.{preset}]\nexec = \"tw\"\nsandbox.preset = \"{preset}\"\n\
            environment = {{ TW_EARLY = \"{orders}\" }}\nactor.life = {{ type = \"Life\", args = {{}} }}\n"
        )
    };
    PRESETS.iter().map(worker).collect()
}

/// Returns what came of each attempt of a worker, from what was printed.
fn answers(lines: &[String], count: usize) -> Option<Vec<String>> {
    let answer = |number| {
        let mark = format!("early {number}: ");
        lines.iter().find_map(|line| Some(line.split_once(&mark)?.1.to_owned()))
    };
    (0..count).map(answer).collect()
}

/// Seen to fail without the list of calls in the first stage.
/// Control: the same program makes all attempts outside of every sandbox.
#[test]
fn i5_h2_before_the_runtime_is_entered_a_worker_has_no_more_sockets_and_processes_than_later() {
    let attempts = attempts();
    let orders: Vec<_> = attempts.iter().map(Attack::order).collect();
    let folder = Supervised::folder(env!("CARGO_BIN_EXE_tw"));
    let mut free = Command::new(folder.path().join("tw"));
    let free = free.arg("early").env("TW_EARLY", orders.join(";")).output().expect("it can be run");
    let lines: Vec<_> = String::from_utf8_lossy(&free.stdout).lines().map(str::to_owned).collect();
    let came = answers(&lines, attempts.len()).unwrap_or_else(|| panic!("{lines:?}"));
    let refused = attempts.iter().zip(&came).filter(|(_, answer)| !answer.starts_with("ok"));
    assert_eq!(refused.map(|(attempt, answer)| (attempt.name(), answer)).collect::<Vec<_>>(), []);
    for mode in modes() {
        let around: &[&str] =
            if *mode == Mode::Rootless && nix::unistd::geteuid().is_root() { &WITHOUT_ROOT } else { &[] };
        let mut supervised = run!(around, &manifest(&orders));
        for preset in PRESETS {
            // All that was refused is in nobody's way.
            supervised.wait_for_life(preset, 1);
            let tried = &attempts[spared(preset)..];
            let came = supervised.journal().wait_until("what came of it all", |lines| {
                let mark = format!("{preset} | ");
                let own = lines.iter().filter(|line| line.text.contains(&mark));
                answers(&own.map(|line| line.text.clone()).collect::<Vec<_>>(), tried.len())
            });
            let tried = tried.iter().zip(&came);
            let succeeded = tried.filter(|(_, answer)| *answer != "EPERM");
            let succeeded: Vec<_> = succeeded.map(|(attempt, answer)| (attempt.name(), answer)).collect();
            assert_eq!(succeeded, [], "{mode:?} {preset}");
        }
        supervised.stop();
    }
}
