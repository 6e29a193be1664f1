//! Runs each case in a process of its own and says what came of it, in the words of the usual test runner.

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};

use bailiwick_sys::events::{Interest, Poller};
use bailiwick_sys::process;

use crate::bench::is_root;
use crate::cases::{CASES, Case, Needs, SCENES};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    AsWeAre,
    Unprivileged,
}

pub(crate) fn run_all(filter: Option<&str>) -> ExitCode {
    let is_root = is_root();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let program = reachable_copy(folder.path());
    let (mut passed, mut failed, mut skipped) = (0, 0, 0);
    for case in CASES.iter().filter(|case| filter.is_none_or(|filter| case.name.contains(filter))) {
        for mode in [Mode::AsWeAre, Mode::Unprivileged] {
            if mode == Mode::Unprivileged && (!is_root || case.needs == Needs::Root) {
                continue;
            }
            if case.needs == Needs::Root && !is_root {
                println!("test {} ... ignored, needs root", case.name);
                skipped += 1;
                continue;
            }
            let user = if mode == Mode::Unprivileged || !is_root { "unprivileged" } else { "root" };
            match run(case, mode, &program) {
                Ok(()) => {
                    println!("test {} ({user}) ... ok", case.name);
                    passed += 1;
                }
                Err(output) => {
                    println!("test {} ({user}) ... FAILED\n{output}", case.name);
                    failed += 1;
                }
            }
        }
    }
    let verdict = if failed == 0 { "ok" } else { "FAILED" };
    println!("\ntest result: {verdict}. {passed} passed; {failed} failed; {skipped} ignored");
    ExitCode::from(u8::from(failed > 0))
}

pub(crate) fn run_case(name: &str) -> ExitCode {
    let case = CASES.iter().chain(SCENES).find(|case| case.name == name).expect("a case of this name");
    (case.run)();
    ExitCode::SUCCESS
}

fn run(case: &Case, mode: Mode, program: &Path) -> Result<(), String> {
    let mut command = Command::new(program);
    command.args(["--case", case.name]).stdout(Stdio::piped()).stderr(Stdio::piped()).current_dir("/");
    command.env("TMPDIR", program.with_file_name("tmp"));
    if mode == Mode::Unprivileged {
        command.uid(UNPRIVILEGED).gid(UNPRIVILEGED);
    }
    let mut child = command.spawn().expect("this program starts");
    let in_time = ends_in_time(&child);
    if !in_time {
        child.kill().expect("it is a child of ours");
    }
    let output = child.wait_with_output().expect("it is a child of ours");
    match (in_time, output.status.success()) {
        (true, true) => Ok(()),
        (in_time, _) => Err(format!(
            "{}{}\n{}{}",
            if in_time { "" } else { "did not end in time, " },
            output.status,
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        )),
    }
}

fn ends_in_time(child: &Child) -> bool {
    let pidfd = process::open_pidfd(child.id().cast_signed()).expect("it was not waited for");
    let mut poller = Poller::new(1).expect("a poller");
    poller.add(&pidfd, 0, Interest::READ).expect("a pidfd can be watched");
    poller.wait(Some(WATCHDOG_MS)).expect("a wait").count() > 0
}

/// Copies this program to where an unprivileged user can reach it and nobody can change it.
fn reachable_copy(folder: &Path) -> PathBuf {
    use std::os::unix::fs::PermissionsExt;
    let program = folder.join("sandbox-test");
    std::fs::copy(std::env::current_exe().expect("a running program"), &program).expect("a copy");
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o755)).expect("our own folder");
    // Whoever is killed in a case leaves its files here.
    let files = folder.join("tmp");
    std::fs::create_dir(&files).expect("our own folder");
    std::fs::set_permissions(&files, std::fs::Permissions::from_mode(0o1777)).expect("our own folder");
    program
}

const UNPRIVILEGED: u32 = 65_534;
const WATCHDOG_MS: u32 = 60_000;
