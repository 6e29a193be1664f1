//! What a worker has at its disposal, through the whole of a supervisor: how much it may write, its variables, its
//! secrets.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{FileExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use bailiwick_supervisor::control::Verb;
use bailiwick_tests::harness::{Ended, Process, Supervised, needs_root};
use nix::sys::signal::Signal;

/// Runs a worker `m` of one actor, with these keys of the worker, of its sandbox, and arguments.
fn run(worker: &str, sandbox: &str, args: &str) -> Supervised {
    let manifest = format!(
        "[worker.m]\nexec = \"tw\"\n{worker}\nactor.means = {{ type = \"Means\", args = {args} }}\n\
         [worker.m.sandbox]\n{sandbox}\n"
    );
    let (bailiwickd, tw) = (env!("CARGO_BIN_EXE_bailiwickd-under-test"), env!("CARGO_BIN_EXE_tw"));
    Supervised::manifest(bailiwickd, tw, &manifest)
}

/// Runs a worker that is handed the credential `tls`.
fn run_with_secret(secret: &str, mode: u32) -> (tempfile::TempDir, Supervised) {
    // Beside the executables: the way there is in trusted hands.
    let place = Path::new(env!("CARGO_BIN_EXE_tw")).parent().expect("an executable is in a folder");
    let folder = tempfile::Builder::new().prefix("secret").tempdir_in(place).expect("a folder");
    write(&folder.path().join("tls"), secret, mode);
    let key = format!("load_credential = {{ tls = \"{}/tls\" }}", folder.path().display());
    (folder, run(&key, "", "{ credential = \"tls\", variables = true }"))
}

fn write(path: &Path, secret: &str, mode: u32) {
    let file = OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(path);
    file.and_then(|mut file| file.write_all(secret.as_bytes())).expect("it is ours");
    fs::set_permissions(path, PermissionsExt::from_mode(mode)).expect("it is ours");
}

fn sum(secret: &str) -> u32 {
    secret.bytes().map(u32::from).sum()
}

/// Returns whether a process has these bytes in memory that it can read.
fn holds(process: Process, bytes: &[u8]) -> bool {
    let memory = File::open(format!("/proc/{}/mem", process.0)).expect("root may");
    let maps = fs::read_to_string(format!("/proc/{}/maps", process.0)).expect("it lives");
    maps.lines().filter(|line| line.contains(" r")).any(|line| {
        let (start, rest) = line.split_once('-').expect("a range");
        let end = rest.split(' ').next().expect("an end");
        let [start, end] = [start, end].map(|at| u64::from_str_radix(at, 16).expect("a number"));
        let mut found = vec![0; usize::try_from(end - start).expect("it fits")];
        let read = memory.read_at(&mut found, start).unwrap_or(0);
        found[..read].windows(bytes.len()).any(|window| window == bytes)
    })
}

#[test]
fn a_write_beyond_the_limit_is_an_error_and_no_end() {
    let supervised = run("", "limit_fsize = \"1M\"", "{ seal = 1_048_577 }");
    supervised.journal().wait_for(0, "sealed 1048577 bytes not: write to a memfd failed: EFBIG");
    supervised.wait_for_life("m", 1);
    let supervised = run("", "limit_fsize = \"1M\"", "{ seal = 1_048_576 }");
    supervised.journal().wait_for(0, "sealed 1048576 bytes");
}

#[test]
fn f1_a_worker_has_the_variables_that_are_said_and_no_other() {
    // Of whoever runs the tests, as every process has it.
    let path = std::env::var("PATH").expect("cargo sets it");
    let supervised = run("pass_environment = [\"PATH\", \"ABSENT_FROM_HERE\"]", "", "{ variables = true }");
    supervised.journal().wait_for(0, &format!("variables: BAILIWICK_ROLE=worker PATH={path}"));
    let supervised = run("environment = { A = \"b\" }", "", "{ variables = true }");
    supervised.journal().wait_for(0, "variables: A=b BAILIWICK_ROLE=worker");
}

#[test]
fn f1_a_credential_is_in_the_workers_memory_and_nowhere_else() {
    let secret = "correct horse battery staple 7261";
    let (_folder, supervised) = run_with_secret(secret, 0o600);
    let said = format!("Credential({} bytes) adds up to {}", secret.len(), sum(secret));
    supervised.journal().wait_for(0, &said);
    supervised.journal().wait_for(0, "variables: BAILIWICK_ROLE=worker");
    supervised.wait_for_life("m", 1);
    assert!(!supervised.journal().to_string().contains(secret));
    let worker = supervised.pid("m");
    let linked = worker.descriptors().into_values().filter(|target| target.contains("memfd"));
    assert_eq!(linked.count(), 0, "mapped, and closed");
    if needs_root("only root looks into other processes") {
        return;
    }
    assert!(holds(worker, secret.as_bytes()), "whoever is to have it has it");
    assert!(!holds(supervised.process(), secret.as_bytes()), "the supervisor never maps it");
}

#[test]
fn a_credential_is_read_again_when_an_operator_has_the_worker_restarted() {
    let (folder, supervised) = run_with_secret("old", 0o600);
    let wait = |from, secret| supervised.journal().wait_for(from, &format!("adds up to {}", sum(secret)));
    wait(0, "old");
    supervised.wait_for_life("m", 1);
    write(&folder.path().join("tls"), "new one", 0o600);
    // A restart by itself runs what ran before, and has what it had.
    let seen = supervised.journal().len();
    supervised.pid("m").signal(Signal::SIGKILL);
    wait(seen, "old");
    supervised.wait_for_life("m", 2);
    let seen = supervised.journal().len();
    supervised.order(Verb::Restart, "m");
    wait(seen, "new one");
}

#[test]
fn a_credential_that_others_could_exchange_is_refused() {
    let (_folder, mut supervised) = run_with_secret("secret", 0o602);
    assert_eq!(supervised.wait(), Ended::Code(78), "{}", supervised.journal());
    supervised.journal().wait_for(0, "may be written by every user");
}

#[test]
fn a_credential_that_everybody_may_read_is_handed_over_with_a_warning() {
    let (_folder, supervised) = run_with_secret("public", 0o604);
    supervised.journal().wait_for(0, "is no secret: everybody may read it (mode 0604)");
    supervised.journal().wait_for(0, &format!("adds up to {}", sum("public")));
}

#[test]
fn who_is_given_no_credential_is_told_so() {
    let supervised = run("", "", "{ credential = \"tls\" }");
    supervised.journal().wait_for(0, "this worker is given no credential `tls`: see `load_credential`");
}
