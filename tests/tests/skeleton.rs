//! What `bailiwick init` writes is a project: it builds, `check` has nothing to say against it, it runs, answers and stops.

use std::fs;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use bailiwick_tests::harness::{PATIENCE, Supervised, copy_program};
use bailiwick_tests::source;

/// No other program of the workspace is called so, whose folder of builds this one shares.
const NAME: &str = "bailiwick-skeleton";

fn run(command: &mut Command) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } = command.output().expect("it can be executed");
    let text = |bytes| String::from_utf8(bytes).expect("output is text");
    (status.code(), text(stdout), text(stderr))
}

/// Writes the skeleton over the runtime of this workspace.
fn skeleton(folder: &Path) -> PathBuf {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bailiwick-under-test"));
    command.args(["init", NAME, "--path"]).arg(source::workspace()).current_dir(folder);
    let (code, _, messages) = run(&mut command);
    assert_eq!((code, messages.as_str()), (Some(0), ""));
    folder.join(NAME)
}

/// Builds it with what the workspace is built with, and lays the program where the manifest expects it.
fn build(project: &Path) {
    fs::copy(source::workspace().join("Cargo.lock"), project.join("Cargo.lock")).expect("it can be copied");
    let programs = Path::new(env!("CARGO_BIN_EXE_tw")).parent().expect("a program is in a folder");
    let target = programs.parent().expect("of a profile");
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--offline"]).current_dir(project).env("CARGO_TARGET_DIR", target);
    // As the workspace has it, so that what is built already is not built anew.
    cargo.env("CARGO_PROFILE_DEV_DEBUG", "line-tables-only");
    let (code, _, messages) = run(&mut cargo);
    assert!(code == Some(0) && !messages.contains("warning"), "{messages}");
    fs::create_dir_all(project.join("target/release")).expect("the folder is ours");
    copy_program(target.join("debug").join(NAME), project.join("target/release").join(NAME));
}

/// Returns what an address answers to a request.
fn get(address: &str, path: &str) -> String {
    let mut client = TcpStream::connect(address).expect("it listens");
    client.set_read_timeout(Some(PATIENCE)).expect("a socket has one");
    write!(client, "GET {path} HTTP/1.1\r\nhost: here\r\n\r\n").expect("it reads");
    let mut reply = String::new();
    client.read_to_string(&mut reply).expect("it answers, and closes");
    reply
}

/// Seen to fail without the front's sandbox as it is: with `read_only_paths = ["/etc"]` it reads what it should not.
#[test]
fn the_skeleton_builds_runs_answers_and_stops() {
    let folder = Supervised::folder(env!("CARGO_BIN_EXE_tw"));
    let project = skeleton(folder.path());
    build(&project);
    let manifest = project.join("bailiwick.toml");
    let mut check = Command::new(env!("CARGO_BIN_EXE_bailiwick-under-test"));
    let (code, said, messages) = run(check.arg("check").arg(&manifest));
    assert_eq!((code, messages.as_str()), (Some(0), ""));
    assert!(!said.contains("warning"), "{said}");
    // Any port that is free, in place of the one that somebody here may have.
    let text = fs::read_to_string(&manifest).expect("it was written");
    let text = text.replace("127.0.0.1:8080", "127.0.0.1:0").replace("tcp_bind = [8080]", "tcp_bind = [0]");
    fs::write(&manifest, text).expect("it is ours");

    let mut command = Command::new(env!("CARGO_BIN_EXE_bailiwickd-under-test"));
    command.arg(&manifest).arg("--state-dir").arg(folder.path().join("state"));
    let mut supervised = Supervised::start(command, folder);
    let line = supervised.journal().wait_for(0, "serving at http://").text;
    let (_, address) = line.split_once("http://").expect("it was looked for");
    let address = address.trim_end_matches('/');
    let reply = get(address, "/");
    assert!(reply.starts_with("HTTP/1.1 200 OK\r\n"), "{reply}");
    assert!(reply.ends_with("\r\n\r\nEvery actor keeps to its bailiwick.\n"), "{reply}");
    the_front_has_no_power(&supervised, address);
    supervised.stop();
}

fn the_front_has_no_power(supervised: &Supervised, address: &str) {
    let reply = get(address, "/sandbox");
    let (_, tried) = reply.split_once("\r\n\r\n").expect("an answer has a body");
    let tried: Vec<_> = tried.lines().filter_map(|line| line.split_once(": ")).collect();
    let refused = |(_, what): &(&str, &str)| {
        ["Operation not permitted", "Permission denied", "No such file"]
            .iter()
            .any(|why| what.starts_with(why))
    };
    assert!(tried.len() == 4 && tried.iter().all(refused), "{tried:?}");
    let status = supervised.pid("front").status();
    for (field, expected) in [
        ("CapPrm", "0000000000000000"),
        ("CapEff", "0000000000000000"),
        ("CapBnd", "0000000000000000"),
        ("NoNewPrivs", "1"),
        ("Seccomp", "2"),
    ] {
        // Without a privilege nobody can take anything out of the bounding set, and it means nothing.
        if field != "CapBnd" || nix::unistd::geteuid().is_root() {
            assert_eq!(status[field], expected, "{field}");
        }
    }
}

/// Seen to fail without a name that systemd knows, of one setting.
#[test]
fn systemd_has_nothing_to_say_against_the_unit() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let unit = skeleton(folder.path()).join(format!("{NAME}.service"));
    let text = fs::read_to_string(&unit).expect("it was written");
    for needed in ["Type=notify\n", "WatchdogSec=30s\n", "ExecReload="] {
        assert!(text.contains(needed), "{text}");
    }
    // It looks for the programs, which need not be installed here.
    let programs = env!("CARGO_BIN_EXE_bailiwickd-under-test");
    let text = text.replace("/usr/bin/bailiwickd", programs).replace("/usr/bin/bailiwick", programs);
    fs::write(&unit, text).expect("it is ours");
    match Command::new("systemd-analyze").args(["verify", "--man=no"]).arg(&unit).output() {
        Ok(told) => {
            let said = String::from_utf8_lossy(&told.stderr);
            assert!(told.status.success() && !said.contains(NAME), "{said}");
        }
        Err(error) => {
            // Not `eprintln!`, which the runner keeps to itself as long as the test passes.
            let _ = writeln!(io::stderr(), "SKIPPED the look of systemd at the unit: {error}");
        }
    }
}
