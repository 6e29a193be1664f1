//! Processes under the filter of a running worker: what a denied call does and leaves, and what is deadly.

#![expect(clippy::unwrap_used, reason = "functions beside the tests are test code as well")]

use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU64, Ordering};

use bailiwick_sys::seccomp::line::lines;
use bailiwick_sys::seccomp::policy::Policy;
use bailiwick_sys::seccomp::stages::Stages;
use bailiwick_sys::trapped_call::{self, ENTRY_WORDS, NAME_WORDS, Notes};
use bailiwick_sys::{at_work, identity, system_call};
use nix::errno::Errno;
use nix::libc;
use nix::sched::{CpuSet, sched_setaffinity};
use nix::sys::signal::{SigSet, Signal, kill, raise};
use nix::unistd::{Pid, chroot, getpid};

/// What the process is to do.
const WAY: &str = "TRAPPED_CALL_TEST";
const ENTRIES: usize = 4;

/// Does what the environment says; nothing when it says nothing.
#[test]
fn the_one_that_is_denied() {
    let Ok(way) = std::env::var(WAY) else { return };
    let table = memory(ENTRIES * ENTRY_WORDS + 1);
    let desk = memory(1 + NAME_WORDS);
    let deadly: &[AtomicU64; 4] = memory(4).try_into().unwrap();
    trapped_call::note_in(Notes { deadly, denied: table, paths: memory(0) });
    at_work::look_at(desk);
    let policy = Policy { lines: lines(|_| false).collect(), is_list: true, ..Policy::default() };
    let stages = Stages::compile(&policy, false).unwrap();
    identity::set_no_new_privileges().unwrap();
    trapped_call::handle().unwrap();
    stages.before_exec.install_on_all_threads().unwrap();
    stages.running.unwrap().install_on_all_threads().unwrap();
    match way.as_str() {
        "denied" => be_denied(desk),
        "crowded" => {
            for call in [
                libc::SYS_kill,
                libc::SYS_mount,
                libc::SYS_ptrace,
                libc::SYS_chroot,
                libc::SYS_bpf,
                libc::SYS_bpf,
            ] {
                // SAFETY: the filter denies the call, which therefore does nothing with its arguments.
                assert_eq!(unsafe { libc::syscall(call, 0, 0, 0, 0, 0, 0) }, -1);
            }
        }
        "blocked" => {
            SigSet::all().thread_block().unwrap();
            let _deadly = kill(getpid(), None);
        }
        "quiet" => {
            SigSet::all().thread_block().unwrap();
            assert_eq!(sched_setaffinity(Pid::from_raw(0), &CpuSet::new()), Err(Errno::EPERM));
        }
        // SAFETY: the filter ends the process before the call is made, and its numbers would be refused.
        "deadly" => drop(unsafe { libc::syscall(libc::SYS_reboot, 0, 0, 0, 0) }),
        "sent" => raise(Signal::SIGSYS).unwrap(),
        other => panic!("nothing to do that is called {other}"),
    }
    let words: Vec<String> =
        table.iter().map(|word| u64::from_le(word.load(Ordering::Relaxed)).to_string()).collect();
    println!("\ntable {}", words.join(" "));
}

/// Is denied the same twice, under a name, and once more in other threads, of which one has a name of its own.
fn be_denied(desk: &'static [AtomicU64]) {
    for _ in 0..2 {
        assert_eq!(kill(getpid(), None), Err(Errno::EPERM));
    }
    desk[1].store(7, Ordering::Relaxed);
    desk[0].store(1_u64.to_le(), Ordering::Relaxed);
    assert_eq!(kill(getpid(), None), Err(Errno::EPERM));
    std::thread::spawn(|| assert_eq!(kill(getpid(), None), Err(Errno::EPERM))).join().unwrap();
    std::thread::spawn(|| {
        let own = memory(1 + NAME_WORDS);
        at_work::look_at(own);
        own[1].store(8, Ordering::Relaxed);
        own[0].store(1_u64.to_le(), Ordering::Relaxed);
        assert_eq!(kill(getpid(), None), Err(Errno::EPERM));
    })
    .join()
    .unwrap();
    assert_eq!(chroot("/"), Err(Errno::EPERM));
}

fn memory(words: usize) -> &'static [AtomicU64] {
    Box::leak((0..words).map(|_| AtomicU64::new(0)).collect())
}

fn run(way: &str) -> Output {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "the_one_that_is_denied", "--nocapture", "--test-threads=1"]).env(WAY, way);
    command.output().unwrap()
}

/// Returns the entries of the table that a process prints at its end, and what found no room.
fn table(way: &str) -> (Vec<Vec<u64>>, u64) {
    let output = run(way);
    assert!(output.status.success(), "{way}: {output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("table ")).unwrap();
    let words: Vec<u64> = line.split(' ').map(|word| word.parse().unwrap()).collect();
    let (entries, rest) = words.split_at(ENTRIES * ENTRY_WORDS);
    (entries.chunks(ENTRY_WORDS).map(<[u64]>::to_vec).collect(), rest[0])
}

fn number(name: &str) -> u64 {
    system_call::number(name).unwrap().unsigned_abs()
}

#[test]
fn a_denied_call_fails_and_is_counted_with_whoever_was_at_work() {
    let (entries, lost) = table("denied");
    let told: Vec<_> = entries.iter().map(|entry| (entry[0], entry[1], entry[5])).collect();
    let (kill, chroot) = (number("kill") + 1, number("chroot") + 1);
    assert_eq!(told, [(kill, 3, 0), (kill, 1, 7), (kill, 1, 8), (chroot, 1, 7)]);
    assert!(entries[0][2] > 1 && entries[0][3] == 0, "the first two arguments: {:?}", entries[0]);
    assert!(entries.iter().all(|entry| entry[4] > 0), "when it was: {entries:?}");
    assert_eq!(lost, 0);
}

#[test]
fn what_finds_no_room_is_counted() {
    let (entries, lost) = table("crowded");
    let told: Vec<_> = entries.iter().map(|entry| entry[0] - 1).collect();
    assert_eq!((told, lost), (["kill", "mount", "ptrace", "chroot"].map(number).to_vec(), 2));
}

#[test]
fn what_is_tried_with_every_signal_blocked_is_refused_quietly_or_ends_the_process() {
    assert_eq!(table("quiet"), (vec![vec![0; ENTRY_WORDS]; ENTRIES], 0));
    assert_eq!(run("blocked").status.signal(), Some(libc::SIGSYS));
}

#[test]
fn a_deadly_call_and_the_signal_from_outside_end_the_process_by_that_signal() {
    for way in ["deadly", "sent"] {
        assert_eq!(run(way).status.signal(), Some(libc::SIGSYS), "{way}");
    }
}
