//! `top` on a terminal, over a running system: what is on the screen, what keys do, and how the terminal is left behind.

use std::fs::File;
use std::io::{Read, Write};
use std::num::NonZero;
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use bailiwick_supervisor::control::{State, Verb};
use bailiwick_tests::harness::{Process, Supervised, wait_until};
use bailiwick_tests::run;
use nix::sys::signal::Signal;
use rustix::fs::{Mode, OFlags, open};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Termios, Winsize, tcgetattr, tcsetwinsize};

/// A terminal of 80 columns and 24 rows on which a program runs, and what is on its screen.
struct Seat {
    child: Child,
    keys: File,
    /// Keeps the terminal while nobody else has it.
    line: Option<OwnedFd>,
    before: Termios,
    screen: Arc<Mutex<vt100::Parser>>,
    reader: Option<JoinHandle<()>>,
}

impl Seat {
    /// Runs `top` of a system, which has the terminal to itself.
    fn top(supervised: &Supervised, arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        Self::below(&[], supervised, arguments, environment)
    }

    /// Runs it as the last arguments of another program.
    fn below(
        shell: &[&str],
        supervised: &Supervised,
        arguments: &[&str],
        environment: &[(&str, &str)],
    ) -> Self {
        let keys =
            openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).expect("a terminal");
        grantpt(&keys).expect("it is ours");
        unlockpt(&keys).expect("it is ours");
        let name = ptsname(&keys, Vec::new()).expect("it has a name");
        let line = open(name, OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC, Mode::empty())
            .expect("it is unlocked");
        set_size(&line, 80, 24);
        let before = tcgetattr(&line).expect("it is a terminal");
        let end = || line.try_clone().expect("there are descriptors left");
        let mut command = Command::new("setsid");
        command.args(["--ctty", "setpriv", "--pdeathsig", "KILL"]).args(shell);
        command.args([env!("CARGO_BIN_EXE_bailiwick-under-test"), "top"]);
        command.args(["--interval", "100ms"]).args(arguments).arg("--state-dir").arg(supervised.state_dir());
        command.env("TERM", "xterm-256color").env_remove("NO_COLOR").env_remove("CLICOLOR_FORCE");
        command.envs(environment.iter().copied()).stdin(end()).stdout(end()).stderr(end());
        let child = command.spawn().expect("it can be started");
        let keys = File::from(keys);
        let screen = Arc::new(Mutex::new(vt100::Parser::new(side(24), side(80), 0)));
        let (mut from, to) = (keys.try_clone().expect("there are descriptors left"), Arc::clone(&screen));
        let reader = thread::spawn(move || {
            let mut bytes = [0; 4096];
            // The last who has the other end closes it: an error.
            while let Ok(count @ 1..) = from.read(&mut bytes) {
                to.lock().unwrap_or_else(PoisonError::into_inner).process(&bytes[..count]);
            }
        });
        Self { child, keys, line: Some(line), before, screen, reader: Some(reader) }
    }

    fn contents(&self) -> String {
        self.screen.lock().unwrap_or_else(PoisonError::into_inner).screen().contents()
    }

    /// Waits until what is on the screen is so.
    #[track_caller]
    fn wait_for(&self, what: &str, so: impl Fn(&str) -> bool) {
        let waited = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            wait_until(what, || so(&self.contents()));
        }));
        assert!(waited.is_ok(), "waited for {what}; on the screen is\n{}", self.contents());
    }

    /// Waits until a text is on the screen.
    #[track_caller]
    fn wait_for_text(&self, text: &str) {
        self.wait_for(text, |screen| screen.contains(text));
    }

    /// Waits until there is a line that begins with the first of these texts and holds the others.
    #[track_caller]
    fn wait_for_line(&self, parts: &[&str]) {
        self.wait_for(&format!("{parts:?}"), |screen| {
            let is_it =
                |line: &str| line.starts_with(parts[0]) && parts.iter().all(|part| line.contains(part));
            screen.lines().any(is_it)
        });
    }

    fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).expect("the terminal takes keys");
    }

    fn resize(&self, columns: u16, rows: u16) {
        self.screen
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .screen_mut()
            .set_size(side(rows), side(columns));
        set_size(self.line.as_ref().expect("it is open"), columns, rows);
    }

    fn process(&self) -> Process {
        Process(self.child.id())
    }

    /// Tells whether a program has the whole screen, and has hidden the cursor.
    fn is_taken(&self) -> bool {
        let parser = self.screen.lock().unwrap_or_else(PoisonError::into_inner);
        parser.screen().alternate_screen() || parser.screen().hide_cursor()
    }

    fn modes(&self) -> Termios {
        tcgetattr(self.line.as_ref().expect("it is open")).expect("it is a terminal")
    }

    /// Tells whether keys are read one by one.
    fn is_raw(&self) -> bool {
        !same(&self.modes(), &self.before)
    }

    /// Waits for the end, and asserts that the terminal is as it was; returns how it ended and what is on the screen.
    #[track_caller]
    fn end(mut self) -> (ExitStatus, String) {
        let mut status = None;
        wait_until("its end", || {
            status = self.child.try_wait().expect("it is our child");
            status.is_some()
        });
        assert!(same(&self.modes(), &self.before), "the modes are as they were");
        drop(self.line.take());
        self.reader.take().map(JoinHandle::join).expect("it reads").expect("it does not fail");
        assert!(!self.is_taken(), "the screen is given back, with its cursor");
        (status.expect("it has ended"), self.contents())
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let _gone_already = self.child.kill();
        let _gone_already = self.child.wait();
        drop(self.line.take());
        if let Some(reader) = self.reader.take() {
            let _it_failed = reader.join();
        }
    }
}

fn set_size(line: &OwnedFd, columns: u16, rows: u16) {
    let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    tcsetwinsize(line, size).expect("it is a terminal");
}

fn side(length: u16) -> NonZero<u16> {
    NonZero::new(length).expect("a screen has a size")
}

fn same(one: &Termios, other: &Termios) -> bool {
    (one.input_modes, one.output_modes, one.local_modes, one.control_modes)
        == (other.input_modes, other.output_modes, other.local_modes, other.control_modes)
}

fn worker(name: &str, keys: &str) -> String {
    format!("[worker.{name}]\nexec = \"tw\"\n{keys}\nactor.life = {{ type = \"Life\", args = {{ }} }}\n")
}

fn system() -> Supervised {
    let supervised =
        run!(&[worker("a", ""), "[group.g]\n".to_owned(), worker("b", "group = \"g\"")].concat());
    ["a", "b"].iter().for_each(|name| drop(supervised.wait_for_life(name, 1)));
    supervised
}

/// Seen to fail without the answer of the confirmation; the end of raw mode.
#[test]
fn a_crash_is_seen_a_worker_is_restarted_and_the_terminal_is_given_back() {
    let mut supervised = system();
    let mut seat = Seat::top(&supervised, &[], &[]);
    seat.wait_for_text("2 of 2 workers are well");
    assert!(seat.is_raw() && seat.is_taken());
    seat.wait_for_line(&["a ", "ready", "%"]);
    seat.wait_for_line(&["[-] g: 1 of 1 well"]);
    supervised.pid("a").signal(Signal::SIGKILL);
    seat.wait_for_line(&["a ", "ready", " 1 ", "restarted after"]);

    seat.press("jj");
    seat.wait_for_line(&["b (group g): at work"]);
    seat.press("r");
    seat.wait_for_text("restart b? y restarts it");
    seat.press("n");
    seat.wait_for_text("restart b: not done");
    assert_eq!(supervised.worker("b").generation, 1);
    seat.press("ry");
    seat.wait_for_text("restart b: done");
    assert_eq!((supervised.worker("b").generation, supervised.worker("b").state), (2, State::Ready));

    seat.resize(120, 40);
    seat.wait_for("the keys in the last row", |screen| {
        screen.lines().nth(39).is_some_and(|line| line.starts_with("? help") || line.starts_with("restart b"))
    });
    seat.press("e");
    seat.wait_for_text("what happened: lines ");
    seat.wait_for_text("b#2  starting -> ready");
    seat.press("d");
    seat.wait_for_text("a#1: SIGKILL from outside");
    seat.press("\u{1b}");
    seat.wait_for_text("2 of 2 workers are well");
    seat.press("q");
    let (status, screen) = seat.end();
    assert_eq!((status.code(), screen.trim()), (Some(0), ""), "nothing of it is left");
    supervised.stop();
}

/// Seen to fail without the new connection.
#[test]
fn a_supervisor_that_goes_away_and_comes_back_is_followed() {
    let mut supervised = system();
    let mut seat = Seat::top(&supervised, &[], &[]);
    seat.wait_for_text("2 of 2 workers are well");
    supervised.stop();
    seat.wait_for_text("NO SUPERVISOR ANSWERS");
    seat.wait_for_line(&["a "]);
    let mut command = Command::new(supervised.path().join("bailiwickd"));
    command.arg(supervised.path().join("app.toml")).arg("--state-dir").arg(supervised.state_dir());
    let mut next = supervised.again(command);
    seat.wait_for_text("2 of 2 workers are well");
    seat.press("\u{3}");
    assert_eq!(seat.end().0.code(), Some(0));
    next.stop();
}

fn is_stopped(process: Process) -> bool {
    process.status().get("State").is_some_and(|state| state.starts_with('T'))
}

/// Seen to fail without the stop; with a stop of the one process alone, where a script is in between.
#[test]
fn a_stop_gives_the_terminal_back_until_the_shell_lets_it_continue() {
    let mut supervised = system();
    for between in [&[][..], &["sh", "-c", "\"$@\"; exit $?", "sh"]] {
        // A shell with jobs, which lets the last one continue once a line is typed.
        let shell = [&["sh", "-mc", "\"$@\"; read line; fg", "sh"], between].concat();
        let mut seat = Seat::below(&shell, &supervised, &[], &[]);
        seat.wait_for_text("2 of 2 workers are well");
        seat.press("\u{1a}");
        wait_until("it to be stopped", || seat.process().children().into_iter().any(is_stopped));
        wait_until("the terminal to be given back", || !seat.is_taken());
        wait_until("the modes to be as they were", || !seat.is_raw());
        seat.press("\n");
        wait_until("the terminal to be taken over again", || seat.is_taken());
        seat.wait_for_text("2 of 2 workers are well");
        seat.press("q");
        assert_eq!(seat.end().0.code(), Some(0), "{between:?}");
    }
    supervised.stop();
}

/// Seen to fail without the look at parents: it stops, and nobody is there who lets it continue.
#[test]
fn where_no_shell_waits_the_key_that_stops_says_so() {
    let mut supervised = system();
    for shell in [&[][..], &["sh", "-c", "\"$@\"; exit $?", "sh"]] {
        let mut seat = Seat::below(shell, &supervised, &[], &[]);
        seat.wait_for_text("2 of 2 workers are well");
        seat.press("\u{1a}");
        seat.wait_for_text("not stopped: there is no shell here");
        let all = [vec![seat.process()], seat.process().children()].concat();
        assert!(!all.into_iter().any(is_stopped) && seat.is_taken());
        seat.press("q");
        assert_eq!(seat.end().0.code(), Some(0));
    }
    supervised.stop();
}

/// Tells whether this process was made to ignore a signal, and with it all that it starts.
fn is_ignored(signal: Signal) -> bool {
    let status = Process(std::process::id()).status();
    let ignored = status.get("SigIgn").and_then(|digits| u64::from_str_radix(digits.trim(), 16).ok());
    ignored.expect("the kernel tells it") >> (signal as u32 - 1) & 1 == 1
}

/// Seen to fail without the wait for signals.
#[test]
fn a_signal_ends_it_in_order() {
    let mut supervised = system();
    let mut seat = Seat::top(&supervised, &[], &[]);
    seat.wait_for_text("2 of 2 workers are well");
    seat.press("?");
    seat.wait_for_text("any key leads back");
    seat.press("\u{c}q");
    seat.wait_for_text("2 of 2 workers are well");
    seat.process().signal(Signal::SIGTERM);
    assert_eq!(seat.end().0.signal(), Some(15), "whoever waits for it is told");
    for signal in [Signal::SIGHUP, Signal::SIGINT] {
        let seat = Seat::top(&supervised, &[], &[]);
        seat.wait_for_text("2 of 2 workers are well");
        seat.process().signal(signal);
        // Whom the shell behind this test has ignore a signal, as it does in the background, ends by itself.
        let expected = (!is_ignored(signal)).then_some(signal as i32);
        assert_eq!(seat.end().0.signal(), expected);
    }
    supervised.stop();
}

/// Seen to fail without the look at `NO_COLOR`; at `TERM`.
#[test]
fn without_colours_nothing_is_coloured_and_a_dumb_terminal_is_left_alone() {
    let mut supervised = system();
    let is_coloured = |seat: &Seat| {
        seat.wait_for_text("2 of 2 workers are well");
        seat.wait_for_line(&["a ", "ready"]);
        let parser = seat.screen.lock().unwrap_or_else(PoisonError::into_inner);
        let cells = (0..24).flat_map(|row| (0..80).map(move |column| (row, column)));
        let cells = cells.filter_map(|(row, column)| parser.screen().cell(row, column));
        cells.map(vt100::Cell::fgcolor).any(|color| color != vt100::Color::Default)
    };
    for (environment, expected) in [(&[][..], true), (&[("NO_COLOR", "1")], false)] {
        let mut seat = Seat::top(&supervised, &[], environment);
        assert_eq!(is_coloured(&seat), expected, "{environment:?}");
        seat.press("q");
        assert_eq!(seat.end().0.code(), Some(0));
    }
    let (status, screen) = Seat::top(&supervised, &[], &[("TERM", "dumb")]).end();
    assert_eq!(status.code(), Some(2));
    assert!(screen.contains("TERM says that it is dumb") && screen.contains("top --once"), "{screen}");
    supervised.stop();
}

/// Seen to fail without the thread that asks; with the number of one instance alone in a restart of all.
#[test]
fn what_waits_in_workers_is_seen_while_the_admin_worker_is_there_and_instances_fold() {
    let admin =
        format!("[admin]\ntcp = \"127.0.0.1:0\"\nexec = {:?}\n", env!("CARGO_BIN_EXE_bailiwick-under-test"));
    let mut supervised = run!(&[admin, worker("a", ""), worker("b", "instances = 2")].concat());
    supervised.wait_for_life("admin", 1);
    let mut seat = Seat::top(&supervised, &[], &[]);
    seat.wait_for_text(" MAILBOX   RATE DETAIL");
    seat.wait_for_line(&["a ", "ready", "       0    0.0 at work"]);
    seat.press("a");
    seat.wait_for_text("actors of a: lines ");
    seat.wait_for_line(&["a/life ", "Life"]);
    seat.press("qj-");
    seat.wait_for_line(&["[+] b ", "ready", "2 instances: at work"]);
    seat.press("r");
    seat.wait_for_text("restart all 2 instances of b? y restarts it");
    seat.press("y");
    seat.wait_for_text("restart b: done");
    let mut lives = supervised.status().workers;
    lives.retain(|row| row.name == "b");
    assert_eq!(lives.iter().map(|row| row.generation).collect::<Vec<_>>(), [2, 2]);
    // Without the admin worker the rest goes on.
    supervised.order(Verb::Stop, "admin");
    seat.wait_for_line(&["a ", "ready", "      -      - at work"]);
    seat.press("a");
    seat.wait_for_text("the admin worker does not run; it is stopped");
    seat.press("qq");
    assert_eq!(seat.end().0.code(), Some(0));
    let mut command = Command::new(env!("CARGO_BIN_EXE_bailiwick-under-test"));
    command.args(["top", "--once", "--interval", "100ms", "--state-dir"]).arg(supervised.state_dir());
    let output = command.output().expect("it can be run");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success() && said.contains("the admin worker does not run"), "{output:?}");
    supervised.stop();
}

/// Seen to fail where `top` asks for another name than the admin worker gives the histogram.
#[test]
fn how_long_messages_are_handled_is_seen_of_who_handles_some() {
    let exec = env!("CARGO_BIN_EXE_bailiwick-under-test");
    let manifest = format!(
        r#"
        [admin]
        tcp = "127.0.0.1:0"
        exec = {exec:?}
        [worker.book]
        exec = "tw"
        actor.clerk = {{ type = "Clerk", args = {{ }} }}
        [worker.courier]
        exec = "tw"
        needs = ["book"]
        actor.courier = {{ type = "Sender", args = {{ target = "book/clerk", every_ms = 5, asks = 20 }} }}
        [[grant]]
        from = "courier"
        to = "book/clerk"
        methods = ["enter"]
        "#
    );
    let mut supervised = run!(&manifest);
    ["admin", "courier"].iter().for_each(|name| drop(supervised.wait_for_life(name, 1)));
    let mut seat = Seat::top(&supervised, &[], &[]);
    seat.wait_for_text("P99 DETAIL");
    seat.press("q");
    assert_eq!(seat.end().0.code(), Some(0));
    supervised.stop();
}

/// Seen to fail without the first of the two looks.
#[test]
fn once_tells_what_each_process_used_between_two_looks() {
    let mut supervised = system();
    let mut command = Command::new(env!("CARGO_BIN_EXE_bailiwick-under-test"));
    command
        .args(["top", "--once", "--json", "--interval", "100ms", "--state-dir"])
        .arg(supervised.state_dir());
    let output = command.output().expect("it can be run");
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).expect("it is one document");
    let workers = document["workers"].as_array().expect("a list");
    assert_eq!((document["schema_version"].as_u64(), workers.len()), (Some(1), 2));
    for worker in workers {
        let percent = worker["cpu_percent"].as_f64().expect("its processor time is to be seen");
        assert!((0.0..10_000.0).contains(&percent), "{worker}");
        assert!(worker["memory_bytes"].as_u64().is_some_and(|bytes| bytes > 100_000), "{worker}");
    }
    supervised.stop();
}
