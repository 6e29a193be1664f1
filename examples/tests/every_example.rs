//! Every example does what it says, ends by itself, and ends well.

use std::fs;
use std::io::Write;
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;
use std::process::{Command, Output};

/// A user that this machine need not know.
const OWNER: u32 = 4242;

/// Runs an example in `folder`, and returns what it said on its standard output.
fn said(program: &str, folder: &Path) -> Vec<String> {
    let Output { status, stdout, stderr } =
        Command::new(program).current_dir(folder).output().expect("the example starts");
    let (out, errors) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    assert!(status.success(), "{program} ended with {status}\n{out}\n{errors}");
    // The supervisor puts the worker's name before each line of its output.
    out.lines().map(|line| line.split_once(" | ").map_or(line, |(_, text)| text).to_owned()).collect()
}

fn said_anywhere(program: &str) -> Vec<String> {
    said(program, empty_folder().path())
}

fn empty_folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

#[test]
fn disposable_gives_each_message_a_process_of_its_own() {
    let said = said_anywhere(env!("CARGO_BIN_EXE_disposable"));
    // Asked in two manners.
    for (worker, expected) in [("lasting ", "3"), ("fresh ", "200"), ("spared ", "200")] {
        let lines = said.iter().filter(|line| line.starts_with(worker));
        let processes: Vec<_> = lines.filter_map(|line| line.split_whitespace().nth(1)).collect();
        assert_eq!(processes, [expected; 2], "{worker}in {said:?}");
    }
}

#[test]
fn thumbnail_shrinks_the_cat() {
    let folder = checkout();
    // As root a worker runs as the owner of what it is granted to write.
    if nix::unistd::geteuid().is_root() {
        for sub in ["", "in", "out"] {
            chown(folder.path().join(sub), Some(OWNER), Some(OWNER)).expect("root may give folders away");
        }
    }
    shrink_the_cat(folder.path());
}

/// For root in a folder of root's, as in a container; otherwise for somebody in a folder of their own.
#[test]
fn thumbnail_shrinks_the_cat_in_a_checkout_of_whoever_runs_it() {
    let folder = checkout();
    // The second time there is a thumbnail already, which the worker of the first time made.
    shrink_the_cat(folder.path());
    shrink_the_cat(folder.path());
}

/// Makes a folder like that of the example, as it is when it was checked out.
fn checkout() -> tempfile::TempDir {
    let folder = empty_folder();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).expect("it is ours");
    for sub in ["in", "out"] {
        fs::create_dir(folder.path().join(sub)).expect("made");
        fs::set_permissions(folder.path().join(sub), fs::Permissions::from_mode(0o755)).expect("it is ours");
    }
    for file in ["in/cat.png", "out/.gitignore"] {
        let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("thumbnail").join(file);
        fs::copy(from, folder.path().join(file)).expect("copied");
    }
    folder
}

fn shrink_the_cat(folder: &Path) {
    assert_eq!(said(env!("CARGO_BIN_EXE_thumbnail"), folder), ["320x240"]);
    let small = image::open(folder.join("out/cat.png")).expect("the thumbnail is a picture");
    assert_eq!((small.width(), small.height()), (320, 240));
}

#[test]
fn counter_counts_in_another_process() {
    let lines = said_anywhere(env!("CARGO_BIN_EXE_counter"));
    assert!(lines[0].starts_with("1 + 2 + … + 100 = 5050, counted in another process than "), "{lines:?}");
}

#[test]
fn rendezvous_has_each_job_wait_for_the_one_before_it() {
    let said = said_anywhere(env!("CARGO_BIN_EXE_rendezvous"));
    let taken = said.iter().filter_map(|line| line.strip_suffix(" ms")?.rsplit(' ').next()?.parse().ok());
    let taken: Vec<u64> = taken.collect();
    assert_eq!(taken.len(), 5, "{said:?}");
    // Each takes 200 ms; how much longer it takes here nobody knows, nor whether the sixth is taken back in time.
    assert!((0..).step_by(200).zip(&taken).all(|(least, after)| *after >= least), "{said:?}");
    assert!(said.last().is_some_and(|line| line.ends_with(" jobs were done")), "{said:?}");
}

#[test]
fn handoff_prints_each_page_once_and_in_order_whichever_life_does() {
    let said = said_anywhere(env!("CARGO_BIN_EXE_handoff"));
    let number = |word: Option<&str>| word.and_then(|word| word.parse::<u32>().ok());
    let printed = said.iter().filter_map(|line| {
        let (page, number_of_life) = line.strip_prefix("page ")?.split_once(" is number ")?;
        Some((number(Some(page))?, number(number_of_life.split(' ').next())?))
    });
    // What a life has said last may be shown after what the next one says first.
    let mut printed: Vec<(u32, u32)> = printed.collect();
    printed.sort_unstable();
    let lives = printed.iter().filter(|(_, number)| *number == 1).count();
    assert!(lives > 1, "{said:?}");
    let follows = |pair: &[(u32, u32)]| pair[0].0 < pair[1].0 && [1, pair[0].1 + 1].contains(&pair[1].1);
    assert!(printed.windows(2).all(follows), "{said:?}");
    let sum = |words: &str| -> u32 {
        said.iter()
            .filter(|line| line.contains(words))
            .filter_map(|line| number(line.split(' ').next()))
            .sum()
    };
    let (left, taken) = (sum("unread messages are left"), sum("are handled first, 0 are dead letters"));
    assert!(left > 0 && left == taken, "{said:?}");
}

#[test]
fn priority_shuts_the_valve_before_what_waits() {
    assert_eq!(
        said_anywhere(env!("CARGO_BIN_EXE_priority")),
        ["0 litres went through, 6 came to a shut valve"]
    );
}

#[test]
fn watch_and_restart_tells_the_end_once_and_goes_on() {
    let expected = [
        "worked 1 times in this life",
        "worked 2 times in this life",
        "worked 3 times in this life",
        "down: killed by signal 6",
        "worked 1 times in its next life",
    ];
    assert_eq!(said_anywhere(env!("CARGO_BIN_EXE_watch_and_restart")), expected);
}

#[test]
fn descriptor_passing_reads_what_cannot_be_opened() {
    let users = fs::read_to_string("/etc/passwd").expect("every machine has users").lines().count();
    let [by_descriptor, by_name] = &said_anywhere(env!("CARGO_BIN_EXE_descriptor_passing"))[..] else {
        panic!("it says two things");
    };
    assert_eq!(*by_descriptor, format!("by descriptor: {users} lines"));
    // A worker that sees nothing but what it is granted does not find it; any other may not open it.
    assert!(
        ["by name: permission denied", "by name: entity not found"].contains(&by_name.as_str()),
        "{by_name}"
    );
}

#[test]
fn replies_come_one_by_one() {
    let expected = ["1000003", "1000033", "1000037", "1000039", "1000081"];
    assert_eq!(said_anywhere(env!("CARGO_BIN_EXE_replies")), expected);
}

#[test]
fn command_ends_as_its_actor() {
    if !nix::unistd::geteuid().is_root() {
        // Not `eprintln!`, which the runner keeps to itself as long as the test passes.
        let why = "SKIPPED command_ends_as_its_actor: only root can end all that a command may start";
        let _ = writeln!(std::io::stderr(), "{why}");
        return;
    }
    let expected = [
        "sort -n: 9 10 100 (stopped)",
        "grep 7:  (failed)",
        "`no-such-command` does not start: No such file or directory (os error 2)",
    ];
    // Between these the runtime says that nobody is made anew.
    let mut said = said_anywhere(env!("CARGO_BIN_EXE_command"));
    said.retain(|line| !line.starts_with("WARN "));
    assert_eq!(said, expected);
}

#[test]
fn single_process_needs_no_supervisor() {
    assert_eq!(said_anywhere(env!("CARGO_BIN_EXE_single_process")), ["took 2 of 2", "took 1 of 2"]);
}

/// What it does is shown by `tests/tls.rs`.
#[test]
fn tls_says_how_it_is_used() {
    let output = Command::new(env!("CARGO_BIN_EXE_tls")).output().expect("it starts");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("bailiwick run") && !output.status.success(), "{said}");
}

/// What it does is shown by `tests/pipeline.rs`.
#[test]
fn pipeline_says_how_it_is_used() {
    let output = Command::new(env!("CARGO_BIN_EXE_pipeline")).output().expect("it starts");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.starts_with("usage: pipeline SOCKET") && !output.status.success(), "{said}");
}

/// What it does is shown by `tests/jobs.rs`.
#[test]
fn jobs_says_how_it_is_used() {
    let output = Command::new(env!("CARGO_BIN_EXE_jobs")).output().expect("it starts");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.starts_with("usage: jobs SOCKET COMMAND") && !output.status.success(), "{said}");
}

#[test]
fn gallery_says_how_it_is_used() {
    let output = Command::new(env!("CARGO_BIN_EXE_gallery")).arg("--help").output().expect("it starts");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.starts_with("usage: gallery [FOLDER]") && output.status.success(), "{said}");
    let output = Command::new(env!("CARGO_BIN_EXE_gallery")).arg("--port").output().expect("it starts");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.starts_with("usage: gallery [FOLDER]") && !output.status.success(), "{said}");
}

#[test]
fn gallery_ends_and_says_why_where_its_port_is_taken() {
    let holder = TcpListener::bind("127.0.0.1:0").expect("some port is free");
    let address = holder.local_addr().expect("bound").to_string();
    let folder = empty_folder();
    let output = Command::new(env!("CARGO_BIN_EXE_gallery"))
        .arg(folder.path())
        .args(["--listen", &address])
        .output()
        .expect("it starts");
    let said =
        [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    assert!(!output.status.success(), "{said}");
    for needed in [&format!("cannot listen at {address}"), "Address already in use", "--listen"] {
        assert!(said.contains(needed), "no `{needed}` in:\n{said}");
    }
}
