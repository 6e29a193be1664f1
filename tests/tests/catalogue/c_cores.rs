//! C. Cores: where the kernel wrote one, and that it is there.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;

use bailiwick_supervisor::control::Cause;
use bailiwick_tests::run;
use bailiwick_wire::crash::{Core, End};

use crate::support::{Cli, foreign, worker};

/// What the kernel does with cores on this machine.
fn pattern() -> String {
    fs::read_to_string("/proc/sys/kernel/core_pattern").expect("every kernel says so").trim_end().to_owned()
}

const RESTS: &str = "backoff = { first = \"100s\", cap = \"200s\" }";

/// Seen to fail without the limit of a core; `limit_core`; the exception from what forbids the kernel to write one;
/// the look where it is written.
#[test]
fn c2_a_core_that_may_be_written_is_there_where_the_report_says() {
    let pattern = pattern();
    if pattern.starts_with(['|', '@', '/']) || pattern.contains('/') {
        // Not `eprintln!`, which the runner keeps to itself as long as the test passes.
        let _ = writeln!(
            std::io::stderr(),
            "SKIPPED c2: the kernel does not write cores into the folder of a process, core_pattern is {pattern}"
        );
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o1777)).expect("it is ours");
    let home = format!("{RESTS}\nworking_directory = \"{}\"", folder.path().display());
    let core =
        format!("{home}\nprivileged = true\nsandbox.preset = \"none\"\nsandbox.limit_core = \"infinity\"");
    let mut supervised =
        run!(&[worker("a", &core, "die = \"abort\""), worker("b", &home, "die = \"abort\"")].concat());
    let report = supervised.wait_for_crash("b", 1);
    assert_eq!(
        (report.end, report.core),
        (End::Signalled { signal: 6, core: false }, None),
        "nobody asked for it"
    );
    let report = supervised.wait_for_crash("a", 1);
    assert_eq!((report.cause, &report.end), (Cause::Signal(6), &End::Signalled { signal: 6, core: true }));
    let Some(Core::File(path)) = &report.core else { panic!("{:?}", report.core) };
    let said = Cli::of(&supervised).json(&["crashes", "a", "--json"]);
    assert_eq!(said["crashes"][0]["core_path"], path.as_str());
    if !path.contains('*') {
        let written = fs::read(path).expect("a core is there");
        assert_eq!(&written[..4], b"\x7fELF");
    }
    assert_eq!(fs::read_dir(folder.path()).expect("it is ours").count(), 1, "one core, that of a");
    supervised.stop();
}

/// Seen to fail without the limit of a core; `limit_core`.
#[test]
fn c2_limit_core_is_a_number_of_bytes_or_infinity() {
    let says = |limit: &str| {
        let keys = format!("{RESTS}\nsandbox.limit_core = {limit}");
        let mut supervised = run!(&[worker("a", &keys, ""), foreign("b", "", &["wait"])].concat());
        supervised.wait_for_life("a", 1);
        let limits =
            fs::read_to_string(format!("/proc/{}/limits", supervised.pid("a").0)).expect("we may read it");
        supervised.stop();
        let line = limits.lines().find(|line| line.starts_with("Max core file size")).expect("it is listed");
        line.split_whitespace().skip(4).take(2).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(says("0"), ["0", "0"]);
    assert_eq!(says("\"64K\""), ["65536", "65536"]);
}
