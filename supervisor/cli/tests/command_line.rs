//! The command line as a script sees it: exit codes, and what goes to which output.

mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use support::{bailiwick, folder, run, write};

#[test]
fn a_good_manifest_is_told_on_stdout_and_exits_0() {
    let (_keep, folder) = folder();
    let (code, data, messages) = run(bailiwick(&folder).args(["check", "--do-not-run", "good.toml"]));
    assert_eq!((code, messages.as_str()), (0, ""));
    assert!(data.starts_with("good: 1 worker, 1 process, 0 grants\n  web: may call nobody"), "{data}");
    let (_, explained, _) = run(bailiwick(&folder).args(["check", "--do-not-run", "--explain", "good.toml"]));
    assert!(explained.contains("pauses of 0 ms, 100 ms, 200 ms, 400 ms, 800 ms"), "{explained}");
}

#[test]
fn lives_that_end_as_planned_are_explained() {
    let (_keep, folder) = folder();
    let often = "exec = \"shop\"\nmax_messages = 1\nmax_age = \"12h\"\nspares = 1\n";
    let seldom = "exec = \"shop\"\nstart = \"on_demand\"\nidle_stop = \"30s\"\n";
    write(&folder.join("lives.toml"), &format!("[worker.often]\n{often}[worker.seldom]\n{seldom}"));
    let (code, data, messages) =
        run(bailiwick(&folder).args(["check", "--do-not-run", "--explain", "lives.toml"]));
    assert_eq!((code, messages.as_str()), (0, ""));
    for line in [
        "a life takes 1 message, then a fresh process takes its place",
        "a life lasts at most 12 h 0 min, then a fresh process takes its place",
        "has a spare: ",
        "starts when somebody sends to it; stops when nothing has come for 30 s",
    ] {
        assert_eq!(data.matches(line).count(), 1, "{line} in {data}");
    }
}

#[test]
fn the_blast_of_one_worker_is_told_without_the_others() {
    let (_keep, folder) = folder();
    let (code, data, messages) = run(bailiwick(&folder).args(["blast", "good.toml", "web"]));
    assert_eq!((code, messages.as_str()), (0, ""));
    assert!(data.contains("web: may call nobody and touch nothing; its crashes stop only itself"), "{data}");
    let (code, data, _) = run(bailiwick(&folder).args(["blast", "good.toml", "--json"]));
    let document: serde_json::Value = serde_json::from_str(&data).expect("it is one document");
    assert_eq!((code, &document["schema_version"]), (0, &1.into()));
    assert_eq!(document["workers"][0]["stops"], serde_json::json!([]));
    let (code, data, messages) = run(bailiwick(&folder).args(["blast", "good.toml", "wob"]));
    assert_eq!((code, data.as_str()), (4, ""));
    assert!(messages.contains("did you mean `web`?"), "{messages}");
}

/// The command line of somebody ordinary, none of whose systems runs.
fn of_nobody(folder: &Path) -> Command {
    let mut command = Command::new("sh");
    // As root the systems of this machine would be looked for.
    let ordinary =
        "[ $(id -u) != 0 ] || set -- setpriv --reuid=12345 --regid=12345 --clear-groups \"$@\"; exec \"$@\"";
    command.args(["-c", ordinary, "sh"]).arg(bailiwick(folder).get_program());
    command.current_dir(folder).env("XDG_RUNTIME_DIR", folder.join("none")).stdin(Stdio::null());
    command
}

#[test]
fn a_worker_alone_is_one_of_the_manifest_here_where_no_system_runs() {
    let (keep, folder) = folder();
    fs::set_permissions(keep.path(), PermissionsExt::from_mode(0o755)).expect("it is ours");
    for verb in ["explain", "blast"] {
        let wanted = run(of_nobody(&folder).args([verb, "good.toml", "web"]));
        assert_eq!((wanted.0, wanted.2.as_str()), (0, ""));
        let (code, data, messages) = run(of_nobody(&folder).args([verb, "web"]));
        assert_eq!((code, data.as_str()), (5, ""), "{messages}");
        let named = run(of_nobody(&folder).args([verb, "web", "--manifest", "good.toml"]));
        let says = "no system runs; this is what good.toml declares\n";
        assert_eq!(named, (0, wanted.1.clone(), says.to_owned()));
        fs::copy(folder.join("good.toml"), folder.join("bailiwick.toml")).expect("it is ours");
        let here = run(of_nobody(&folder).args([verb, "web"]));
        assert_eq!(here, (0, wanted.1, says.replace("good.toml", "bailiwick.toml")));
        let (code, ..) = run(of_nobody(&folder).args([verb, "web", "--state-dir", "/nonexistent"]));
        assert_eq!(code, 5, "the system that is named does not run");
        fs::remove_file(folder.join("bailiwick.toml")).expect("it is there");
    }
}

#[test]
fn a_broken_manifest_is_told_on_stderr_and_exits_8() {
    let (_keep, folder) = folder();
    let (code, data, messages) = run(bailiwick(&folder).args(["check", "bad.toml"]));
    assert_eq!((code, data.as_str()), (8, ""));
    assert!(
        messages.contains("bad.toml:3:1") && messages.contains("did you mean `instances`?"),
        "{messages}"
    );
    assert!(messages.ends_with("bailiwick: 1 error in the manifest\n"), "{messages}");
    let (code, data, messages) = run(bailiwick(&folder).args(["check", "--json", "bad.toml"]));
    let document: serde_json::Value = serde_json::from_str(&data).expect("it is one document");
    assert_eq!((code, messages.as_str(), &document["valid"]), (8, "", &false.into()));
    assert_eq!((&document["diagnostics"][0]["line"], &document["schema_version"]), (&3.into(), &1.into()));
    let good = ["check", "--json", "--do-not-run", "good.toml"];
    let (code, data, _) = run(bailiwick(&folder).args(good));
    let document: serde_json::Value = serde_json::from_str(&data).expect("it is one document");
    assert_eq!(
        (code, &document["valid"], &document["workers"][0]["worker"]),
        (0, &true.into(), &"web".into())
    );
    let (code, _, messages) = run(bailiwick(&folder).args(["check", "none.toml"]));
    assert_eq!(code, 8);
    assert!(messages.contains("cannot open") && messages.contains("none.toml"), "{messages}");
}

#[test]
fn a_program_that_is_no_worker_is_told_at_its_span() {
    let (_keep, folder) = folder();
    let program = Path::new("/bin/true").canonicalize().expect("every machine has it");
    write(&folder.join("true.toml"), &format!("[worker.web]\nexec = {program:?}\n"));
    let (code, _, messages) = run(bailiwick(&folder).args(["check", "true.toml"]));
    assert!(messages.contains("true.toml:2:8"), "{messages}");
    // Where no sandbox can be made it is not run, which is a warning.
    let asked = messages.contains("does not say what it has");
    assert_eq!(code, if asked { 8 } else { 0 }, "{messages}");
}

#[test]
fn messages_are_coloured_only_for_a_person() {
    let (_keep, folder) = folder();
    let coloured = |command: &mut Command| {
        let (_, data, messages) = run(command);
        data.contains('\u{1b}') || messages.contains('\u{1b}')
    };
    let check = || {
        let mut command = bailiwick(&folder);
        command.args(["check", "bad.toml"]);
        command
    };
    assert!(!coloured(&mut check()), "no terminal");
    assert!(coloured(check().env("CLICOLOR_FORCE", "1")));
    assert!(coloured(check().arg("--color=always")));
    assert!(!coloured(check().env("CLICOLOR_FORCE", "1").env("NO_COLOR", "1")));
    assert!(!coloured(check().env("CLICOLOR_FORCE", "0")));
}

#[test]
fn a_reader_that_has_gone_away_is_no_panic() {
    let (_keep, folder) = folder();
    let mut command = bailiwick(&folder);
    command.args(["check", "--do-not-run", "--explain", "good.toml"]);
    let mut child =
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it can be executed");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}

#[test]
fn a_supervisor_that_does_not_answer_is_exit_5_with_the_path_that_was_tried() {
    let (_keep, folder) = folder();
    for verb in [
        &["status"][..],
        &["status", "--json"],
        &["tree"],
        &["events", "-f", "--json"],
        &["wait", "web"],
        &["stop", "--all"],
        &["restart", "web"],
        &["start", "web"],
        &["reset", "web"],
        &["drain", "web"],
        &["kill", "web"],
        &["scale", "web", "2"],
    ] {
        let (code, data, messages) =
            run(bailiwick(&folder).args(verb).args(["--state-dir", "/nonexistent/dir"]));
        assert_eq!((code, data.as_str()), (5, ""), "{verb:?}");
        assert!(messages.contains("/nonexistent/dir/control.sock"), "{messages}");
    }
}

#[test]
fn a_command_that_is_not_understood_is_exit_2_with_the_nearest() {
    let (_keep, folder) = folder();
    for (arguments, hint) in [
        (&["staus"][..], "'status'"),
        (&["check", "--explian", "good.toml"], "'--explain'"),
        (&["stop"], "--all"),
        (&["stop", "web", "--all"], "cannot be used with"),
        (&["run"], "<MANIFEST>"),
        (&["reset"], "--all"),
        (&["wait"], "<NAMES>"),
        (&["kill", "--signal", "NONE", "web"], "SIGHUP"),
        (&["scale", "web", "many"], "<SIZE>"),
        (&["stop", "--all", "--timeout", "10"], "10s"),
    ] {
        let (code, data, messages) = run(bailiwick(&folder).args(arguments));
        assert_eq!((code, data.as_str()), (2, ""), "{arguments:?}: {messages}");
        assert!(messages.contains(hint), "{messages}");
    }
}
