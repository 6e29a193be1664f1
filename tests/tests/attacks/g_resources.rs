//! G. Resources and stalls.

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};

use bailiwick_supervisor::control::{Cause, MemoryMechanism, State, Verb};
use bailiwick_tests::harness::{Process, needs_root, wait_until};
use nix::libc;

use crate::orders::{Answer, Arg, Attack, Evil};
use crate::support::{Free, Mode, Scene, modes};

const EXEC: &str = "sandbox.preset = \"exec\"\nsandbox.tasks_max = 40\n";

/// Control: an ordinary process makes as many children as it likes.
/// Seen to fail without the condition of processes in the list of calls; the bound on tasks; PID namespace and the killing
/// of trees together.
#[test]
fn g1_a_fork_bomb_goes_out_at_the_bound_on_tasks_and_ends_with_its_worker() {
    assert_eq!(Free::somebody().evil.order("forks 200").number(), 200);
    for &mode in modes() {
        let mut sealed = Scene::new(mode, "");
        assert_eq!(sealed.evil.order("forks 200"), Answer::Did("0 EPERM".to_owned()), "{mode:?}");
        sealed.assert_unharmed();
        let mut scene = Scene::new(mode, EXEC);
        let Answer::Did(made) = scene.evil.order("forks 200") else { panic!("some can be made") };
        let (count, error) = made.split_once(' ').expect("a number and an error");
        assert!(error == "EAGAIN" && count.parse::<u32>().is_ok_and(|count| count < 40), "{mode:?}: {made}");
        let own = Apart::of(scene.pid("evil"), mode);
        // All of its descendants, which ignore whatever can be ignored, go with it.
        scene.pid("evil").signal(nix::sys::signal::Signal::SIGKILL);
        scene.meet_again(2);
        let new = scene.pid("evil");
        let left: Vec<_> = own.everybody().into_iter().filter(|process| *process != new).collect();
        assert!(left.is_empty(), "{mode:?}: {left:?}");
        scene.assert_unharmed();
    }
}

/// What sets a worker apart with all that it started: its users, or its namespace of processes.
enum Apart {
    Users(String),
    /// Held open, which keeps the kernel from giving another namespace the same number once it has ended.
    Pids(File),
}

impl Apart {
    fn of(process: Process, mode: Mode) -> Self {
        match mode {
            Mode::Root => Self::Users(process.status()["Uid"].clone()),
            Mode::Rootless => Self::Pids(File::open(pids(process)).expect("it lives")),
        }
    }

    fn everybody(&self) -> Vec<Process> {
        let entries = fs::read_dir("/proc").expect("it is mounted").flatten();
        let processes = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).map(Process);
        let is_of = |process: &Process| match self {
            Self::Users(users) => process.status().get("Uid") == Some(users),
            Self::Pids(own) => {
                let number = own.metadata().expect("it is open").ino();
                fs::metadata(pids(*process)).is_ok_and(|other| other.ino() == number)
            }
        };
        processes.filter(is_of).collect()
    }
}

/// Returns the file of the namespace of processes that a process is in.
fn pids(process: Process) -> PathBuf {
    format!("/proc/{}/ns/pid", process.0).into()
}

/// Control: an ordinary process makes as many threads as it likes.
/// Seen to fail without the bound on tasks.
#[test]
fn g2_a_bomb_of_threads_goes_out_at_the_bound_on_tasks() {
    assert_eq!(Free::somebody().evil.order("threads 500").number(), 500);
    for &mode in modes() {
        for (keys, most) in [("", 64), ("sandbox.tasks_max = 30\n", 30)] {
            let mut scene = Scene::new(mode, keys);
            let Answer::Did(made) = scene.evil.order("threads 500") else { panic!("some can be made") };
            let (count, error) = made.split_once(' ').expect("a number and an error");
            let holds = error == "EAGAIN" && count.parse::<u32>().is_ok_and(|count| count < most);
            assert!(holds, "{mode:?} {keys}: {made}");
            scene.assert_unharmed();
        }
    }
}

/// Control: an ordinary process takes four times as much. Mode: root, whose workers are in groups that count memory of every kind.
/// Seen to fail without the bound of its group.
#[test]
fn g3_memory_of_every_kind_is_bounded_and_ends_its_worker_alone() {
    if needs_root("only root makes groups that count memory here") {
        return;
    }
    let kinds = ["anonymous", "shared", "memfd", "memfds", "sockets"];
    for kind in kinds {
        let came = Free::somebody().evil.order(&format!("eat {kind} 256"));
        assert!(came.number() >= 128, "{kind}: {came:?}");
    }
    let mut scene = Scene::new(Mode::Root, "sandbox.memory_max = \"64M\"\nsandbox.limit_nofile = 4096\n");
    let mut generation = 1;
    for kind in kinds {
        let came = scene.evil.order(&format!("eat {kind} 256"));
        let row = match came {
            Answer::Died => {
                generation += 1;
                scene.meet_again(generation);
                scene.worker("evil")
            }
            // It was told that there is no more.
            Answer::Did(ref taken) if taken.contains("ENOMEM") || taken.contains("ENOBUFS") => continue,
            other => panic!("{kind}: {other:?}"),
        };
        assert_eq!(row.last_cause, Some(Cause::OutOfMemory), "{kind}: {}", scene.journal());
    }
    assert!(generation > 2, "most kinds are deadly");
    scene.assert_unharmed();
}

/// Memory that escapes a limit of address space if nothing else holds it: what is shared stays whole as long as one page of
/// it is mapped, and files in memory need no page at all.
const BESIDE_ADDRESS_SPACE: [&str; 7] =
    ["anonymous", "shared", "holes", "memfd", "memfds", "pages", "sockets"];

/// Control: an ordinary process takes twice as much. Mode: root and rootless, where no group counts memory and a limit of address
/// space bounds it. Seen to fail without the lines of what no address space counts.
#[test]
fn g3_where_no_group_counts_memory_none_of_it_escapes_the_bound() {
    for kind in BESIDE_ADDRESS_SPACE {
        let came = Free::somebody().evil.order(&format!("eat {kind} 512"));
        assert!(came.number() >= 512 || kind == "sockets" && came.number() >= 256, "{kind}: {came:?}");
    }
    // Nobody has groups where there are none to be seen, which only root can bring about.
    let hidden =
        ["unshare", "--mount", "sh", "-c", "mount -t tmpfs none /sys/fs/cgroup && exec \"$0\" \"$@\""];
    let around: &[&str] = if nix::unistd::geteuid().is_root() { &hidden } else { &[] };
    for &mode in modes() {
        let mut scene = Scene::with(mode, "sandbox.memory_max = \"256M\"\n", "", around);
        if scene.worker("evil").memory != MemoryMechanism::AddressSpace {
            continue;
        }
        for (kind, generation) in BESIDE_ADDRESS_SPACE.into_iter().zip(2..) {
            let came = scene.evil.order(&format!("eat {kind} 512"));
            assert!(came.number() < 256, "{mode:?} {kind}: {came:?}");
            scene.evil.tell("die exit 1");
            scene.meet_again(generation);
        }
        scene.assert_unharmed();
    }
}

/// Control: a process of which nobody has said so is as dear to the kernel as the supervisor.
/// Seen to fail without the score, which is looked at before it is let go: that look as well.
#[test]
fn g4_when_memory_runs_out_a_worker_goes_first() {
    let score = |process: Process| -> i32 {
        let text = fs::read_to_string(format!("/proc/{}/oom_score_adj", process.0)).expect("it lives");
        text.trim().parse().expect("a number")
    };
    assert_eq!(score(Free::somebody().process()), score(Process(std::process::id())));
    for &mode in modes() {
        let mut scene = Scene::new(mode, "");
        assert!(score(scene.pid("evil")) >= score(scene.process()) + 500, "{mode:?}");
        for path in ["/proc/self/oom_score_adj", "/proc/self/oom_adj"] {
            assert!(scene.evil.open(path, libc::O_WRONLY).is_refused(&["EACCES", "EPERM", "ENOENT"]));
        }
        scene.assert_unharmed();
    }
}

/// What makes a process more urgent than others.
fn urgencies() -> Vec<Attack> {
    let policy = |policy: i32| {
        let arguments = [0.into(), policy.into(), Arg::Bytes(vec![1, 0, 0, 0])];
        Attack::call(format!("policy {policy}"), libc::SYS_sched_setscheduler, &arguments)
    };
    let nice = [0.into(), 0.into(), Arg::Number(-20)];
    vec![
        policy(1),
        policy(2),
        Attack::call("a nice step", libc::SYS_setpriority, &nice),
        Attack::call("a nicer disk", libc::SYS_ioprio_set, &[1.into(), 0.into(), (1 << 13).into()]),
    ]
}

/// Control: root, outside, becomes more urgent in each of these ways.
/// Seen to fail without the loss of root with its capabilities, the system-call filters and the look at both, together.
#[test]
fn g5_a_worker_that_keeps_every_core_busy_is_no_more_urgent_than_others() {
    if nix::unistd::geteuid().is_root() {
        let mut free = Free::root();
        for attack in urgencies() {
            assert!(free.evil.attempt(&attack.clone().by_a_child()).did(), "{}", attack.name());
        }
    }
    for &mode in modes() {
        let mut scene = Scene::new(mode, "");
        crate::support::assert_refused(mode, &scene.each(&urgencies()), &["EPERM"]);
        assert_eq!(scene.evil.order("spin 8").number(), 8);
        scene.assert_unharmed();
    }
}

/// Control: a process that is stopped stands still for as long as nobody looks.
/// Seen to fail without the heed of stops.
#[test]
fn g12_a_worker_that_stops_itself_is_seen_and_ended() {
    let stop = |process: Process| {
        crate::orders::call(libc::SYS_tgkill, &[process.into(), process.into(), libc::SIGSTOP.into()])
    };
    let mut free = Free::somebody();
    let own = free.process();
    free.evil.tell(&stop(own));
    wait_until("it to stand still", || own.status().get("State").is_some_and(|state| state.starts_with('T')));
    for &mode in modes() {
        let mut scene = Scene::new(mode, "liveness_timeout = \"1s\"\n");
        let own = scene.evil.call(libc::SYS_getpid, &[]).number();
        let own = Process(u32::try_from(own).expect("the number of a process"));
        // The first process of a namespace does not take this signal from within, and goes on.
        let is_first = own == Process(1);
        // It may answer before it stands still.
        scene.evil.order(&stop(own));
        if is_first {
            assert!(scene.evil.order("where").did(), "{mode:?}");
        } else {
            scene.meet_again(2);
            assert_eq!(scene.worker("evil").last_cause, Some(Cause::Suspended), "{mode:?}");
        }
        scene.assert_unharmed();
    }
}

/// Ends, and what is to be said of each.
const ENDS: [(&str, Cause); 6] = [
    ("abort", Cause::Signal(6)),
    ("segv", Cause::Signal(11)),
    ("overflow", Cause::Signal(11)),
    ("trap", Cause::Signal(4)),
    ("exit 0", Cause::Exit(0)),
    ("exit 75", Cause::Exit(75)),
];

/// Control: the kernel says the same of the same ends to whoever starts a process and waits for it.
/// Seen to fail without the number of the signal by which it ended.
#[test]
fn g14_however_a_worker_ends_itself_it_is_called_its_own_doing() {
    for (how, cause) in ENDS {
        let status = Free::somebody().ended(how);
        let number = |number: Option<i32>| number.and_then(|number| u8::try_from(number).ok());
        let said = number(status.signal()).map(Cause::Signal).or(number(status.code()).map(Cause::Exit));
        assert_eq!(said, Some(cause), "{how}");
    }
    for &mode in modes() {
        let mut scene = Scene::new(mode, "");
        for (generation, (how, cause)) in (2..).zip(ENDS) {
            assert_eq!(scene.evil.order(&format!("die {how}")), Answer::Died, "{mode:?} {how}");
            scene.meet_again(generation);
            let row = scene.worker("evil");
            assert_eq!((row.last_cause, row.state), (Some(cause), State::Ready), "{mode:?} {how}");
        }
        scene.assert_unharmed();
    }
}

/// Control: an ordinary process fills the folder.
/// Seen to fail without the limit on the size of files.
#[test]
fn g6_a_file_is_no_longer_than_its_worker_may_make_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let open = |path: &Path| {
        fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o777)).expect("ours");
        fs::write(path.join("keep"), "").expect("ours");
    };
    open(folder.path());
    let big = folder.path().join("big");
    let came = Free::somebody().evil.order(&format!("eat file 96 {}", word(&big)));
    assert_eq!(came.number(), 96);
    fs::remove_file(&big).expect("it is there");
    for &mode in modes() {
        let keys = format!(
            "sandbox.read_write_paths = [\"{}\"]\nsandbox.limit_fsize = \"16M\"\n",
            folder.path().display()
        );
        let mut scene = Scene::new(mode, &keys);
        scene.evil.order("ignore");
        let came = scene.evil.order(&format!("eat file 96 {}", word(&big)));
        assert_eq!(came, Answer::Did("16 EFBIG".to_owned()), "{mode:?}");
        fs::remove_file(&big).expect("it is there");
        scene.assert_unharmed();
    }
}

/// A path as an order has it.
fn word(path: &Path) -> String {
    path.display().to_string()
}

/// Sends descriptors to itself, unread, until the kernel says that too many are under way; returns how many were.
fn flood(evil: &mut Evil) -> usize {
    let mut sent = 0;
    loop {
        let place = evil.place(&[0; 8]);
        assert!(evil.call(libc::SYS_socketpair, &[1.into(), 5.into(), 0.into(), place.into()]).did());
        let [one, _] = evil.pair(place);
        match evil.send_with(one, b"x", &[0; 253]) {
            Answer::Refused(error) => {
                assert_eq!(error, "ETOOMANYREFS");
                return sent;
            }
            _ => sent += 253,
        }
    }
}

/// What the kernel counts by user is counted for all workers together without root: descriptors under way, and what pipes
/// hold. Control: an ordinary process makes its pipes larger; and evil's own descriptors are refused at last. Seen to fail
/// without the line of the size of pipes in the list of calls.
#[test]
fn c1_who_uses_up_what_its_user_may_have_keeps_nobody_from_starting_and_answering() {
    let larger = |evil: &mut Evil| {
        let place = evil.place(&[0; 8]);
        assert!(evil.call(libc::SYS_pipe2, &[place.into(), 0.into()]).did());
        let [_, end] = evil.pair(place);
        // F_SETPIPE_SZ.
        evil.call(libc::SYS_fcntl, &[end.into(), 1031.into(), (1 << 20).into()])
    };
    assert!(larger(&mut Free::somebody().evil).did());
    for &mode in modes() {
        let other = "[worker.other]\nexec = \"tw\"\nactor.life = { type = \"Life\", args = {} }\n";
        let mut scene = Scene::with(mode, "", other, &[]);
        scene.wait_for_life("other", 1);
        assert!(larger(&mut scene.evil).is_refused(&["EPERM"]), "{mode:?}");
        let sent = flood(&mut scene.evil);
        assert!((253..=2 * 256 + 253).contains(&sent), "{mode:?}: {sent}");
        // Only few of its own descriptors are gone by that; the others become pipes, as full as can be.
        let pipes = scene.evil.order("eat pipes 512");
        assert!(pipes.number() < 64, "{mode:?}: {pipes:?}");
        // A start takes descriptors under way, and a pipe.
        scene.order(Verb::Restart, "other");
        scene.wait_for_life("other", 2);
        scene.assert_first_life("evil");
        scene.assert_unharmed();
    }
}
