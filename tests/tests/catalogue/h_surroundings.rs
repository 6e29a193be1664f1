//! H. Containers, time, standard streams, terminals.

use std::fs::File;
use std::io::Write;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::process::Command;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use bailiwick_supervisor::control::{Cause, Outcome, ReloadMode, State, Verb};
use bailiwick_tests::harness::{Ended, LONGEST, needs_root};
use bailiwick_tests::run;
use nix::sys::signal::Signal;

use crate::support::{foreign, plain, worker};

const GIVES_UP: &str = "group = \"none\"\nessential = true\ncrash_may_stop = \"all\"";

fn giving_up(supervisor: &str, knobs: &str) -> String {
    let group = "[group.none]\nmax_restarts = 0\nperiod = \"60s\"\non_exhausted = \"fail\"\n";
    [supervisor, group, &plain("a"), &worker("w", GIVES_UP, knobs)].concat()
}

/// Seen to fail without `exit_code_from`; the exit code of giving up.
#[test]
fn h3_a_supervisor_that_gives_up_exits_with_3_or_the_code_of_the_worker_that_is_named() {
    for (supervisor, code) in [
        ("", 3),
        ("[supervisor]\nexit_code_from = \"w\"\n", 42),
        // It was stopped in order, which makes no success of it.
        ("[supervisor]\nexit_code_from = \"a\"\n", 3),
    ] {
        let mut supervised = run!(&giving_up(supervisor, "exit = 42, after_ms = 200"));
        assert_eq!(supervised.wait(), Ended::Code(code), "{supervisor}");
        supervised.assert_nothing_is_left();
    }
}

/// Somebody who wants to know how a supervisor gets on, as systemd does.
pub(crate) struct Superior {
    heard: mpsc::Receiver<String>,
    pub(crate) name: String,
}

impl Superior {
    pub(crate) fn new(test: &str) -> Self {
        let name = format!("bailiwick-{test}-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).expect("a short name");
        let socket = UnixDatagram::bind_addr(&address).expect("nobody else has the name");
        let (hear, heard) = mpsc::channel();
        // Always ready to hear: the kernel keeps ten messages, and nobody waits for one who does not take them.
        thread::spawn(move || {
            let mut bytes = [0; 512];
            while let Ok(length) = socket.recv(&mut bytes) {
                if hear.send(String::from_utf8_lossy(&bytes[..length]).into_owned()).is_err() {
                    return;
                }
            }
        });
        Self { heard, name }
    }

    /// Returns the next message that is no sign of life, and how many of those came before.
    pub(crate) fn told(&self) -> (String, usize) {
        for alive in 0.. {
            let text = self.heard.recv_timeout(LONGEST).expect("something is told in time");
            if text != "WATCHDOG=1" {
                return (text, alive);
            }
        }
        unreachable!("there is no end to numbers")
    }
}

/// Seen to fail without the messages to whoever started it.
#[test]
fn whoever_started_a_supervisor_is_told_how_it_gets_on() {
    let superior = Superior::new("told");
    let socket = format!("NOTIFY_SOCKET=@{}", superior.name);
    let mut supervised = run!(
        &["env", &socket, "WATCHDOG_USEC=100000"],
        &[plain("a"), worker("b", "", "ready_after_ms = 700")].concat()
    );
    let told = [0; 3].map(|_| superior.told());
    let texts = told.each_ref().map(|(text, _)| text.as_str());
    assert_eq!(texts, ["STATUS=0/2 ready", "STATUS=1/2 ready", "READY=1\nSTATUS=2/2 ready"]);
    let alive: usize = told.iter().map(|(_, alive)| alive).sum();
    assert!(alive >= 5, "{alive} signs of life in 0.7 s");
    supervised.wait_for_life("b", 1);
    supervised.pid("a").signal(Signal::SIGKILL);
    assert_eq!(superior.told().0, "STATUS=1/2 ready");
    supervised.signal(Signal::SIGTERM);
    let last = std::iter::from_fn(|| Some(superior.told().0))
        .find(|text| text.contains("STOPPING"))
        .expect("it is told");
    assert!(last.starts_with("STOPPING=1\nEXTEND_TIMEOUT_USEC=70000000\nSTATUS="), "{last}");
    assert_eq!(supervised.wait(), Ended::Code(0));
    supervised.assert_nothing_is_left();
}

/// Seen to fail without the exception of who pauses.
#[test]
fn a_worker_in_a_pause_does_not_keep_the_rest_from_being_called_ready() {
    let superior = Superior::new("pause");
    let socket = format!("NOTIFY_SOCKET=@{}", superior.name);
    let fails = worker("fails", "backoff = { first = \"20s\", cap = \"30s\" }", "exit_early = 1");
    let waits = worker("waits", "needs = [\"fails\"]", "");
    let mut supervised = run!(&["env", &socket], &[fails, waits, plain("a")].concat());
    let ready = std::iter::from_fn(|| Some(superior.told().0)).find(|text| text.starts_with("READY=1"));
    assert_eq!(ready.as_deref(), Some("READY=1\nSTATUS=1/3 ready"));
    supervised.stop();
}

/// Seen to fail without the taking of SIGTERM; the reaping of orphans.
#[test]
fn h1_a_supervisor_that_is_pid_1_stops_on_sigterm_and_reaps() {
    if needs_root("only root makes process namespaces everywhere") {
        return;
    }
    let breeder = worker("a", "sandbox.preset = \"exec\"", "grandchildren = 3");
    let mut supervised = run!(&["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"], &breeder);
    supervised.wait_for_life("a", 1);
    let own = supervised.process().children();
    let [init] = own[..] else { panic!("unshare has one child: {own:?}") };
    assert_eq!(supervised.status().supervisor.pid, 1);
    // Nobody but it takes the ends of what the first life has left.
    supervised.order(Verb::Restart, "a");
    supervised.journal().wait_until("the dead to be taken", |_| init.zombies().is_empty().then_some(()));
    init.signal(Signal::SIGTERM);
    assert_eq!(supervised.wait(), Ended::Code(0));
    supervised.assert_nothing_is_left();
}

/// Seen to fail without what the standard library opens in their place.
#[test]
fn h5_a_supervisor_runs_without_any_standard_stream() {
    let closed = ["sh", "-c", "exec \"$0\" \"$@\" <&- >&- 2>&-"];
    let mut supervised = run!(&closed, &plain("a"));
    supervised.wait_for_life("a", 1);
    let open = supervised.process().descriptors();
    for stream in [0, 1, 2] {
        assert_eq!(open.get(&stream).map(String::as_str), Some("/dev/null"), "{open:?}");
    }
    supervised.stop();
}

/// Seen to fail without the tolerance of a broken pipe.
#[test]
fn h7_a_supervisor_whose_reader_is_gone_goes_on() {
    let fifo = tempfile::tempdir().expect("a folder");
    let path = fifo.path().join("output");
    nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).expect("a pipe");
    let line = format!("exec \"$0\" \"$@\" >{0} 2>&1", path.display());
    let mut supervised = run!(&["sh", "-c", &line], &plain("a"));
    drop(File::open(&path).expect("it is opened for writing"));
    supervised.wait_for_life("a", 1);
    for generation in 2..5 {
        supervised.pid("a").signal(Signal::SIGKILL);
        supervised.wait_for_life("a", generation);
    }
    supervised.stop();
}

/// A supervisor on a terminal of its own, and what somebody types there.
fn on_a_terminal(manifest: &str) -> (bailiwick_tests::harness::Supervised, tempfile::TempDir, File) {
    let folder = tempfile::tempdir().expect("a folder");
    let keys = folder.path().join("keys");
    nix::unistd::mkfifo(&keys, nix::sys::stat::Mode::S_IRWXU).expect("a pipe");
    let line = format!("exec script -qefc \"exec $0 $*\" /dev/null <{}", keys.display());
    let supervised = run!(&["sh", "-c", &line], manifest);
    let keys = File::options().write(true).open(&keys).expect("the terminal reads");
    (supervised, folder, keys)
}

/// Seen to fail without a session of its own.
#[test]
fn f4_an_interrupt_from_the_terminal_reaches_the_supervisor_only_and_is_one_orderly_stop() {
    let (mut supervised, _folder, mut keys) = on_a_terminal(&worker("a", "", "say = \"here\""));
    supervised.wait_for_life("a", 1);
    keys.write_all(&[3]).expect("somebody types");
    assert_eq!(supervised.wait(), Ended::Code(0));
    let lines = supervised.journal().since(0);
    let said = |text: &str| lines.iter().filter(|line| line.text.contains(text)).count();
    assert_eq!(
        (said("SIGINT"), said("stopping in order"), said("stopping all at once")),
        (1, 1, 0),
        "{lines:?}"
    );
    assert_eq!(said("signal 2"), 0, "the worker did not get it");
    supervised.assert_nothing_is_left();
}

/// Seen to fail without the look for a terminal.
#[test]
fn a_hang_up_of_its_terminal_is_an_ordered_stop() {
    let (mut supervised, _folder, _keys) = on_a_terminal(&plain("a"));
    supervised.wait_for_life("a", 1);
    let own = supervised.process().children();
    let [supervisor] = own[..] else { panic!("the terminal runs one program: {own:?}") };
    supervisor.signal(Signal::SIGHUP);
    assert_eq!(supervised.wait(), Ended::Code(0));
    supervised.assert_nothing_is_left();
}

/// Seen to fail without the look whether the signal was ignored.
#[test]
fn a_hang_up_that_was_ignored_at_the_start_stays_ignored() {
    let mut supervised = run!(&["nohup"], &plain("a"));
    let before = supervised.wait_for_life("a", 1).pid;
    let changed = [plain("a"), plain("b")].concat();
    supervised.rewrite(&changed);
    supervised.signal(Signal::SIGHUP);
    // No other reload is under way, and none has been.
    let plan = supervised.reload(Verb::Reload(ReloadMode::Plan), &changed);
    assert_eq!(plan, ("unchanged\ta\t\nadded\tb\t\n".to_owned(), Outcome::Done));
    assert_eq!(supervised.worker("a").pid, before);
    let lines = supervised.journal().since(0);
    assert!(!lines.iter().any(|line| line.text.contains("SIGHUP")), "{lines:?}");
    supervised.stop();
}

/// Seen to fail without the taking back of SIGCHLD.
#[test]
fn h_a_supervisor_that_was_started_with_sigchld_ignored_learns_how_its_workers_end() {
    let ignored = ["env", "--ignore-signal=CHLD"];
    let done = foreign("done", "restart = \"transient\"", &["sleep=200", "exit=0"]);
    let given_up = foreign("given-up", "", &["sleep=200", "exit=78"]);
    let mut supervised = run!(&ignored, &[done, given_up].concat());
    let end = |name: &str, state: State| supervised.wait_for_state(name, state).last_cause;
    assert_eq!(end("done", State::Done), Some(Cause::Exit(0)));
    assert_eq!(end("given-up", State::Failed), Some(Cause::Exit(78)));
    supervised.stop();
}

/// Seen to fail without the tolerance of a file that may not grow.
#[test]
fn h_a_supervisor_whose_output_may_not_grow_any_more_goes_on() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("output");
    File::create(&path).and_then(|file| file.set_len(4 << 20)).expect("there is room");
    // In blocks of 512 bytes, or of 1024.
    let line = format!("ulimit -f 4096; exec \"$0\" \"$@\" >>{} 2>&1", path.display());
    let mut supervised = run!(&["sh", "-c", &line], &plain("a"));
    for generation in 1..4 {
        supervised.wait_for_life("a", generation);
        supervised.pid("a").signal(Signal::SIGKILL);
    }
    supervised.wait_for_life("a", 4);
    supervised.stop();
}

/// Seen to fail without the tolerance of stray signals; the reset of signals.
#[test]
fn h_a_supervisor_outlives_signals_that_nobody_means_for_it_and_workers_have_their_default() {
    let mut supervised = run!(&[plain("a"), foreign("b", "", &["sleep=60000"])].concat());
    let (a, b) = (supervised.wait_for_life("a", 1), supervised.wait_for_life("b", 1));
    // SIGUSR2, SIGALRM, SIGSTKFLT, SIGVTALRM, SIGPROF, SIGIO, SIGPWR, SIGXFSZ, and real-time signals.
    let strays = [12, 14, 16, 26, 27, 29, 30, 25, 34, 50, 64];
    for number in strays {
        let pid = supervised.process().0.to_string();
        let sent = Command::new("kill").arg(format!("-{number}")).arg(pid).status().expect("it can be run");
        assert!(sent.success(), "signal {number} finds a supervisor");
    }
    // It goes on, and nobody else was ended.
    assert_eq!(["a", "b"].map(|name| supervised.worker(name).pid), [a.pid, b.pid]);
    supervised.order(Verb::Restart, "a");
    supervised.wait_for_life("a", 2);
    for name in ["a", "b"] {
        let ignored = supervised.pid(name).status()["SigIgn"].clone();
        let ignored = u64::from_str_radix(&ignored, 16).expect("it is a set of signals");
        // A program of the runtime would rather have its write fail than be ended by SIGXFSZ.
        let own = |number: &i32| name == "a" && *number == 25;
        let is_default = |number: &i32| ignored & 1 << (number - 1) == 0;
        assert!(strays.iter().all(|number| is_default(number) || own(number)), "{name}: {ignored:x}");
    }
    supervised.stop();
}

/// Seen to fail without the tolerance of a /proc that cannot be written.
#[test]
fn h10_a_supervisor_without_control_groups_and_with_a_read_only_proc_starts() {
    if needs_root("only root makes mount namespaces everywhere") {
        return;
    }
    let line = "mount -o remount,ro,bind /proc && mount -t tmpfs none /sys/fs/cgroup && exec \"$0\" \"$@\"";
    let mut supervised = run!(&["unshare", "--mount", "sh", "-c", line], &plain("a"));
    supervised.wait_for_life("a", 1);
    supervised.journal().wait_for(0, "/proc cannot be written to: oom_score_adjust has no effect");
    supervised.pid("a").signal(Signal::SIGKILL);
    supervised.wait_for_life("a", 2);
    supervised.stop();
}

/// Seen to fail without the monotonic clock.
#[test]
fn h4_a_clock_that_jumps_ends_nobody() {
    let library = [
        "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1",
        "/usr/lib/aarch64-linux-gnu/faketime/libfaketime.so.1",
    ];
    let Some(library) = library.iter().find(|path| std::path::Path::new(path).exists()) else {
        // Not `eprintln!`, which the runner keeps to itself as long as the test passes.
        let _ = writeln!(
            std::io::stderr(),
            "SKIPPED h4: libfaketime is not installed (apt-get install faketime)"
        );
        return;
    };
    let folder = tempfile::tempdir().expect("a folder");
    let clock = folder.path().join("clock");
    std::fs::write(&clock, "+0\n").expect("it is ours");
    let preload = format!("LD_PRELOAD={library}");
    let file = format!("FAKETIME_TIMESTAMP_FILE={}", clock.display());
    let fake = ["env", &preload, &file, "FAKETIME_NO_CACHE=1", "FAKETIME_DONT_FAKE_MONOTONIC=1"];
    let mut supervised = run!(&fake, &[plain("a"), worker("b", "needs = [\"a\"]", "")].concat());
    supervised.wait_for_life("b", 1);
    for jump in ["-3600\n", "+86400\n", "+0\n"] {
        std::fs::write(&clock, jump).expect("it is ours");
        for name in ["a", "b"] {
            let row = supervised.worker(name);
            assert_eq!((row.generation, row.restarts), (1, 0), "after {jump}");
            assert!(row.uptime.is_some_and(|uptime| uptime < Duration::from_secs(60)), "{row:?}");
        }
    }
    supervised.stop();
}
