//! The command line over a running system: what each verb prints for a person and for a program, and its exit code.

use std::path::Path;
use std::process::{Child, Stdio};

use bailiwick_supervisor::control::{State, Verb};
use bailiwick_tests::harness::{Ended, Journal, Line, needs_root};
use bailiwick_tests::run;
use nix::sys::signal::Signal;
use serde_json::Value;

use crate::support::{Cli, first_starts, plain, worker};

/// A command that goes on, and what it has printed so far.
struct Following {
    child: Child,
    data: Journal,
}

impl Following {
    fn begin(cli: &Cli, arguments: &[&str]) -> Self {
        let mut command = cli.command(&[], arguments);
        let mut child = command.stdout(Stdio::piped()).spawn().expect("it can be run");
        let data = Journal::default();
        data.follow(child.stdout.take().expect("it was piped"));
        Self { child, data }
    }

    /// Waits for its end; returns its exit code and all that it printed.
    fn end(mut self) -> (Option<i32>, Vec<Line>) {
        self.data.wait_for_end();
        (self.child.wait().expect("it is our child").code(), self.data.since(0))
    }
}

/// Reads lines each of which is a document.
fn documents(lines: &[Line]) -> Vec<Value> {
    let read = |line: &Line| -> Value {
        serde_json::from_str(&line.text).unwrap_or_else(|error| panic!("{error}: {}", line.text))
    };
    let read: Vec<_> = lines.iter().map(read).collect();
    assert!(read.iter().all(|document| document["schema_version"] == 1), "{read:?}");
    read
}

fn assert_plain(text: &str) {
    assert!(!text.contains('\u{1b}'), "{text}");
}

/// Seen to fail without the reports of deaths.
#[test]
fn crashes_are_told_in_a_line_each_in_full_and_as_a_document() {
    let mut supervised = run!(&[plain("a"), plain("b")].concat());
    ["a", "b"].iter().for_each(|name| drop(supervised.wait_for_life(name, 1)));
    let cli = Cli::of(&supervised);
    let none = cli.run(&["crashes"]);
    assert_eq!((none.code, none.data.as_str()), (0, "no crash is remembered\n"));
    assert_eq!(cli.json(&["crashes", "--json"])["crashes"], serde_json::json!([]));
    for life in [1, 2] {
        supervised.pid("a").signal(Signal::SIGKILL);
        supervised.wait_for_crash("a", life);
        supervised.wait_for_life("a", life + 1);
    }
    let all = cli.run(&["crashes"]);
    let lines: Vec<_> = all.data.lines().collect();
    assert_eq!((all.code, lines.len()), (0, 2), "{}", all.data);
    assert!(lines[0].contains("a#1: SIGKILL from outside") && lines[1].contains("a#2: "), "{}", all.data);
    let one = cli.run(&["crashes", "a"]);
    for part in ["what  a#2, pid ", "why  SIGKILL from outside", "follows  "] {
        assert!(one.data.contains(part), "{part}: {}", one.data);
    }
    assert_eq!(cli.run(&["crashes", "b"]).data, "no crash is remembered\n");
    let document = cli.json(&["crashes", "a.1", "--json"]);
    assert_eq!(document["schema_version"], 1);
    let found: Vec<_> = document["crashes"].as_array().expect("a list").iter().collect();
    assert_eq!(found.iter().map(|crash| &crash["generation"]).collect::<Vec<_>>(), [1, 2]);
    assert_eq!((&found[0]["worker"], &found[0]["signal_name"]), (&"a".into(), &"SIGKILL".into()));
    let unknown = cli.run(&["crashes", "wob"]);
    assert_eq!((unknown.code, unknown.data.as_str()), (4, ""), "{}", unknown.messages);
    supervised.stop();
}

/// Seen to fail without the refusal of gains; the difference of a plan from a reload; the drawing of the place.
#[test]
fn a_reload_is_planned_refused_and_done_as_its_exit_code_says() {
    let narrow = [plain("a"), plain("b")].concat();
    let mut supervised = run!(&narrow);
    let before = ["a", "b"].map(|name| supervised.wait_for_life(name, 1).pid);
    let cli = Cli::of(&supervised);
    let wide = worker("b", "sandbox.preset = \"fs-ro\"\nsandbox.read_only_paths = [\"/usr\"]", "");
    let wide = [plain("a"), wide].concat();

    supervised.rewrite(&wide);
    let plan = cli.run(&["reload", "--dry-run", "--allow-widening"]);
    assert_eq!(plan.code, 0, "{}", plan.messages);
    assert!(plan.data.starts_with("unchanged     a\nrestarted     b  sandbox.preset"), "{}", plan.data);
    assert!(plan.data.contains("gains         b: may read /usr\n"), "{}", plan.data);
    let plan = cli.json(&["reload", "--dry-run", "--json"]);
    assert_eq!((&plan["schema_version"], &plan["done"]), (&1.into(), &false.into()));
    assert_eq!(["a", "b"].map(|name| supervised.worker(name).pid), before, "a plan changes nothing");

    let refused = cli.run(&["reload"]);
    assert_eq!(refused.code, 1, "{}", refused.messages);
    assert!(refused.data.contains("--allow-widening"), "{}", refused.data);
    assert!(refused.messages.contains("nothing has changed"), "{}", refused.messages);
    let refused = cli.run(&["reload", "--json"]);
    let document: Value = serde_json::from_str(&refused.data).expect("it is one document");
    assert_eq!((refused.code, &document["done"]), (1, &false.into()));
    assert_eq!(document["gains"][0]["worker"], "b");
    assert_eq!(["a", "b"].map(|name| supervised.worker(name).pid), before);

    supervised.rewrite(&worker("a", "stop_timeout = 5", ""));
    for arguments in [&["reload"][..], &["reload", "--dry-run"], &["reload", "--json"]] {
        let invalid = cli.run(arguments);
        assert_eq!((invalid.code, invalid.data.as_str()), (8, ""), "{}", invalid.messages);
        assert!(invalid.messages.contains("app.toml:3:16"), "{}", invalid.messages);
        assert!(invalid.messages.contains("| stop_timeout = 5"), "{}", invalid.messages);
        assert!(invalid.messages.contains("               ^"), "{}", invalid.messages);
        assert_plain(&invalid.messages);
    }
    assert_eq!(["a", "b"].map(|name| supervised.worker(name).pid), before);

    supervised.rewrite(&wide);
    let done = cli.run(&["reload", "--allow-widening", "--json"]);
    let document: Value = serde_json::from_str(&done.data).expect("it is one document");
    assert_eq!((done.code, &document["done"]), (0, &true.into()), "{}", done.messages);
    assert_eq!((supervised.worker("a").pid, supervised.worker("b").generation), (before[0], 2));
    supervised.stop();
}

/// Seen to fail without the exit code for what comes late; the deadline of the reload.
#[test]
fn a_reload_that_a_worker_does_not_answer_in_time_exits_with_6() {
    let keys = "reload_timeout = \"200ms\"\ndrain_timeout = \"0s\"\nstop_timeout = \"100ms\"";
    let mut supervised = run!(&worker("a", keys, ""));
    supervised.wait_for_life("a", 1);
    supervised.rewrite(&worker("a", keys, "on_reload = \"never\""));
    let told = Cli::of(&supervised).run(&["reload"]);
    assert_eq!(told.code, 6, "{}", told.messages);
    assert!(told.data.ends_with("timeout       a\n"), "{}", told.data);
    supervised.stop();
}

/// Seen to fail without the difference of a stop from what comes late.
#[test]
fn a_reload_that_a_stop_cuts_short_says_so_and_exits_with_1() {
    let keys = "drain_timeout = \"0s\"\nstop_timeout = \"100ms\"";
    let mut supervised = run!(&worker("a", keys, ""));
    supervised.wait_for_life("a", 1);
    supervised.rewrite(&[worker("a", keys, "on_reload = \"never\""), plain("b")].concat());
    let mut command = Cli::of(&supervised).command(&[], &["reload"]);
    let reload = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it can be run");
    // What is new has been ordered to start together with what the other never takes up.
    first_starts(&supervised, 2);
    supervised.signal(Signal::SIGTERM);
    let told = reload.wait_with_output().expect("it ends");
    let (data, messages) = (String::from_utf8_lossy(&told.stdout), String::from_utf8_lossy(&told.stderr));
    assert_eq!(told.status.code(), Some(1), "{messages}");
    assert!(messages.contains("stopped before it was done"), "{messages}");
    assert!(!messages.contains("the order stands"), "{messages}");
    assert!(data.contains("not yet       a\n"), "{data}");
    assert_eq!(supervised.wait(), Ended::Code(0));
    supervised.assert_nothing_is_left();
}

/// Seen to fail without the watching.
#[test]
fn a_status_that_is_watched_shows_what_changes_until_the_supervisor_ends() {
    let mut supervised = run!(&plain("a"));
    supervised.wait_for_life("a", 1);
    let cli = Cli::of(&supervised);
    let watched = Following::begin(&cli, &["status", "--watch", "--json", "a"]);
    let seen = Following::begin(&cli, &["status", "--watch"]);
    watched.data.wait_for(0, "\"generation\":1");
    supervised.pid("a").signal(Signal::SIGKILL);
    watched.data.wait_for(0, "\"generation\":2");
    seen.data.wait_for(0, "SIGKILL from outside");
    supervised.stop();
    let (code, lines) = watched.end();
    assert!(code == Some(0) || code == Some(3), "the last that was seen may be the stopped worker: {code:?}");
    let states = documents(&lines);
    assert!(states.iter().all(|document| document["workers"][0]["name"] == "a"), "{states:?}");
    let (code, lines) = seen.end();
    assert_eq!(code, Some(0));
    lines.iter().for_each(|line| assert_plain(&line.text));
}

/// Seen to fail without the following.
#[test]
fn events_are_followed_to_the_end_of_the_supervisor() {
    let mut supervised = run!(&plain("a"));
    supervised.wait_for_life("a", 1);
    let cli = Cli::of(&supervised);
    let told = Following::begin(&cli, &["events", "-f", "--json"]);
    let shown = Following::begin(&cli, &["events", "--follow"]);
    supervised.order(Verb::Restart, "a");
    for following in [&told, &shown] {
        following.data.wait_until("both lives", |lines| {
            let ready = |line: &&Line| {
                line.text.contains("starting -> ready") || line.text.contains("\"to\":\"ready\"")
            };
            (lines.iter().filter(ready).count() == 2).then_some(())
        });
    }
    supervised.stop();
    let (code, lines) = told.end();
    assert_eq!(code, Some(0));
    let numbers: Vec<_> = documents(&lines).iter().map(|event| event["number"].as_u64()).collect();
    assert!(
        numbers.iter().copied().eq((1..=numbers.len() as u64).map(Some)),
        "none twice, none missing: {numbers:?}"
    );
    let (code, lines) = shown.end();
    assert_eq!(code, Some(0));
    lines.iter().for_each(|line| assert_plain(&line.text));
}

/// Seen to fail without the look whether the reader is there.
#[test]
fn a_reader_that_goes_away_ends_what_it_followed() {
    let mut supervised = run!(&plain("a"));
    supervised.wait_for_life("a", 1);
    let cli = Cli::of(&supervised);
    for arguments in [&["events", "-f"][..], &["status", "--watch"], &["status", "--watch", "--json"]] {
        let mut command = cli.command(&[], arguments);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it can be run");
        drop(child.stdout.take());
        let messages = Journal::default();
        messages.follow(child.stderr.take().expect("it was piped"));
        supervised.order(Verb::Restart, "a");
        messages.wait_for_end();
        let code = child.wait().expect("it is our child").code();
        assert_eq!((code, messages.is_empty()), (Some(0), true), "{arguments:?}: {messages}");
    }
    supervised.stop();
}

/// Seen to fail without the memory of what was not written.
#[test]
fn h_data_for_which_there_is_no_room_is_a_failure_and_not_half_a_success() {
    let mut supervised = run!(&plain("a"));
    supervised.wait_for_life("a", 1);
    let cli = Cli::of(&supervised);
    for arguments in
        [&["status"][..], &["status", "--json"], &["events"], &["status", "--watch"], &["events", "-f"]]
    {
        let mut command = cli.command(&[], arguments);
        command.stdout(std::fs::File::create("/dev/full").expect("every Linux has it"));
        let output = command.stderr(Stdio::piped()).output().expect("it can be run");
        let messages = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {messages}");
        assert!(messages.contains("No space left on device"), "{arguments:?}: {messages}");
    }
    supervised.stop();
}

/// Seen to fail without its exit code.
#[test]
fn doctor_exits_as_it_says_with_and_without_a_supervisor() {
    let mut supervised = run!(&plain("a"));
    let cli = Cli::of(&supervised);
    let shown = cli.run(&["doctor"]);
    let document = cli.json(&["doctor", "--json"]);
    let healthy = document["healthy"].as_bool().expect("it says so");
    let findings = document["findings"].as_array().expect("a list");
    assert_eq!((&document["schema_version"], shown.code), (&1.into(), i32::from(!healthy)), "{}", shown.data);
    assert_eq!(findings.iter().all(|finding| finding["holds"] != false), healthy);
    let flat = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    for finding in findings {
        let meaning = finding["meaning"].as_str().expect("a text");
        assert!(flat(&shown.data).contains(&flat(meaning)), "{finding}");
    }
    let verdict = if healthy {
        "every guarantee holds here\n"
    } else {
        "some guarantees do not hold here: see LACKS\n"
    };
    assert!(shown.data.ends_with(verdict), "{}", shown.data);
    assert_plain(&shown.data);
    supervised.stop();
    assert_eq!(cli.json(&["doctor", "--json"])["healthy"], healthy);
}

/// Seen to fail without the question who asks; the exit code for what is not allowed.
#[test]
fn who_may_not_is_told_so_and_exits_with_7() {
    if needs_root("becoming another user") {
        return;
    }
    let mut supervised = run!(&plain("a"));
    let before = supervised.wait_for_life("a", 1).pid;
    let cli = Cli::of(&supervised);
    let stranger = ["setpriv", "--reuid", "54321", "--regid", "54321", "--clear-groups"];
    let assert_refused = |how: &str| {
        for arguments in
            [&["status"][..], &["status", "--json"], &["stop", "a"], &["stop", "--all"], &["events"]]
        {
            let told = Cli::tell(cli.command(&stranger, arguments));
            assert_eq!((told.code, told.data.as_str()), (7, ""), "{how}, {arguments:?}: {}", told.messages);
            assert!(
                told.messages.contains("run it as root or as the supervisor's own user"),
                "{}",
                told.messages
            );
        }
    };
    assert_refused("the folder is closed to others");
    // However wide somebody opens the way to it, the kernel says who asks.
    open_to_all(&supervised.state_dir());
    open_to_all(&supervised.state_dir().join("control.sock"));
    assert_refused("the folder and the socket are open");
    let row = supervised.worker("a");
    assert_eq!((row.pid, row.state), (before, State::Ready));
    supervised.stop();
}

fn open_to_all(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o777)).expect("it is ours");
}

/// Seen to fail without the look where output goes.
#[test]
fn h11_every_verb_is_plain_unless_a_terminal_wants_colours() {
    let mut supervised = run!(&plain("a"));
    supervised.wait_for_life("a", 1);
    supervised.pid("a").signal(Signal::SIGKILL);
    supervised.wait_for_crash("a", 1);
    supervised.wait_for_life("a", 2);
    let cli = Cli::of(&supervised);
    let manifest = supervised.path().join("app.toml").display().to_string();
    let verbs = [
        &["crashes"][..],
        &["crashes", "a"],
        &["doctor"],
        &["reload", "--dry-run"],
        &["blast", &manifest],
        &["blast", "a"],
        &["explain", "a"],
        &["check", "--explain", &manifest],
        &["wait", "a"],
        &["restart", "a"],
        &["status", "a"],
        &["tree"],
        &["events"],
        &["staus"],
    ];
    for (name, value) in [("NO_COLOR", "1"), ("TERM", "dumb"), ("COLUMNS", "40"), ("CLICOLOR_FORCE", "0")] {
        for verb in verbs {
            let told = cli.with(name, value).run(verb);
            assert_plain(&(told.data + &told.messages));
        }
    }
    for verb in [
        &["crashes"][..],
        &["doctor"],
        &["reload", "--dry-run"],
        &["blast", &manifest],
        &["check", &manifest],
    ] {
        let verb = [verb, &["--json"]].concat();
        let document = cli.with("COLUMNS", "40").with("CLICOLOR_FORCE", "1").json(&verb);
        assert_eq!(document["schema_version"], 1, "{verb:?}");
    }
    for (name, value, coloured) in [("X", "", true), ("NO_COLOR", "1", false), ("TERM", "dumb", false)] {
        let shown = on_a_terminal(&cli.with("TERM", "xterm").with(name, value), &["status"]);
        assert!(shown.contains("a ") && shown.contains("ready"), "{shown}");
        assert_eq!(shown.contains('\u{1b}'), coloured, "{name}={value}: {shown:?}");
    }
    supervised.stop();
}

/// What a command prints on a terminal of its own.
fn on_a_terminal(cli: &Cli, arguments: &[&str]) -> String {
    let command = cli.command(&[], arguments);
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let words: Vec<_> = words.map(|word| word.to_str().expect("paths here are text")).collect();
    let mut script = std::process::Command::new("script");
    script.args(["-qefc", &words.join(" "), "/dev/null"]).stdin(Stdio::null());
    script.env_remove("NO_COLOR").env_remove("CLICOLOR_FORCE");
    script.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    Cli::tell(script).data
}

/// Seen to fail without the exit code for an invalid manifest.
#[test]
fn a_manifest_that_is_refused_is_8_for_all_who_read_it() {
    let mut supervised = run!(&plain("a"));
    supervised.wait_for_life("a", 1);
    let cli = Cli::of(&supervised);
    supervised.rewrite("[worker.a]\nexec = \"tw\"\ninstancse = 2\n");
    let manifest = supervised.path().join("app.toml").display().to_string();
    for arguments in [&["check", &manifest][..], &["blast", &manifest], &["reload"]] {
        let told = cli.run(arguments);
        assert_eq!((told.code, told.data.as_str()), (8, ""), "{arguments:?}: {}", told.messages);
        assert!(told.messages.contains("did you mean `instances`?"), "{}", told.messages);
        assert!(told.messages.contains('^'), "{}", told.messages);
    }
    supervised.stop();
}

/// Seen to fail without the trap of what the second stage denies, its note, the verb, and the part of a report.
#[test]
fn what_a_worker_was_denied_is_told_while_it_lives_and_after_its_death() {
    let mut supervised = run!(&worker("a", "", "denied = 2"));
    supervised.wait_for_life("a", 1);
    let cli = Cli::of(&supervised);
    let following = Following::begin(&cli, &["denials", "--follow", "--json"]);
    let wait_for_both = |life: u64| {
        let is_told = |told: &Value| told["count"] == 2 && told["generation"] == life;
        following.data.wait_until("both denials", |lines| documents(lines).iter().any(is_told).then_some(()));
    };
    wait_for_both(1);
    let denied = "signals itself: Err(EPERM)";
    assert_eq!(supervised.journal().since(0).iter().filter(|line| line.text.contains(denied)).count(), 2);
    let wanted = |cli: &Cli| {
        let told = cli.run(&["denials"]);
        let what = "a#1 life in Probe.signal_itself: kill(0x";
        let remedy = "2 times; [worker.a.sandbox] capabilities = [\"CAP_KILL\"], or system_call_filter = [\"+kill\"]\n";
        assert!(told.code == 0 && told.data.contains(what) && told.data.ends_with(remedy), "{}", told.data);
        assert_plain(&told.data);
    };
    wanted(&cli);
    let document = cli.json(&["denials", "a", "--json"]);
    let first = &document["denials"][0];
    assert_eq!((&first["system_call"], &first["actor"]), (&"kill".into(), &"life".into()));
    assert_eq!(
        (&first["allowed_by"][0], &document["untold"]),
        (&"capabilities = [\"CAP_KILL\"]".into(), &0.into())
    );
    assert_eq!(cli.run(&["denials", "b"]).code, 4);
    // Its life ends in another way than it should, and so there is a report of it.
    supervised.pid("a").signal(Signal::SIGKILL);
    wait_for_both(2);
    wanted(&cli);
    supervised.stop();
    assert_eq!(following.end().0, Some(0));
}
