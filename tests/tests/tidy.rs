//! What a machine can check of the layout and of the style: crate arrows, sizes, unsafe code, names, the root process.

use std::collections::BTreeSet;
use std::fs;

use bailiwick_tests::root_process;
use bailiwick_tests::source::{self, SourceFile};

const FILE_LINES_MAX: usize = 700;
const FUNCTION_LINES_MAX: usize = 60;
/// Functions that are a table (one row per case) may be longer: `path::name` and the reason.
const LONG_FUNCTIONS: &[(&str, &str)] = &[];
const ARGUMENTS_MAX: usize = 6;
/// This file names what it bans.
const THIS_FILE: &str = "tests/tests/tidy.rs";

/// Fails with every offence at once, so that one run shows them all.
fn expect_none(what: &str, offences: &[String]) {
    assert!(offences.is_empty(), "{what}:\n  {}", offences.join("\n  "));
}

fn offences(find: impl Fn(&SourceFile) -> Vec<String>) -> Vec<String> {
    source::rust_files().iter().filter(|f| f.path != THIS_FILE).flat_map(find).collect()
}

/// Returns `path:line: text` for every line of code, comments left out, that satisfies `wrong`.
fn lines(file: &SourceFile, wrong: impl Fn(&str) -> bool) -> Vec<String> {
    file.text
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.trim_start().starts_with("//") && wrong(line))
        .map(|(index, line)| format!("{}:{}: {}", file.path, index + 1, line.trim()))
        .collect()
}

#[test]
fn crates_depend_only_downwards() {
    let arrows: &[(&str, &[&str])] = &[
        ("bailiwick-core", &[]),
        ("bailiwick-wire", &[]),
        ("bailiwick-sys", &[]),
        ("bailiwick-macros", &[]),
        ("bailiwick-supervisor", &["bailiwick-core", "bailiwick-wire", "bailiwick-sys"]),
        (
            "bailiwick",
            &[
                "bailiwick-core",
                "bailiwick-wire",
                "bailiwick-sys",
                "bailiwick-supervisor",
                "bailiwick-macros",
            ],
        ),
        (
            "bailiwick-admin",
            &[
                "bailiwick-core",
                "bailiwick-wire",
                "bailiwick-sys",
                "bailiwick-supervisor",
                "bailiwick-macros",
                "bailiwick",
            ],
        ),
        (
            "bailiwick-otel",
            &[
                "bailiwick-core",
                "bailiwick-wire",
                "bailiwick-sys",
                "bailiwick-supervisor",
                "bailiwick-macros",
                "bailiwick",
            ],
        ),
        (
            "bailiwick-cli",
            &[
                "bailiwick-core",
                "bailiwick-wire",
                "bailiwick-sys",
                "bailiwick-supervisor",
                "bailiwick-macros",
                "bailiwick",
                "bailiwick-admin",
            ],
        ),
    ];
    let mut wrong = Vec::new();
    for (name, below) in arrows {
        for found in root_process::linked_into(name).into_iter().filter(|c| c.own) {
            if found.name != *name && !below.contains(&found.name.as_str()) {
                wrong.push(format!("{name} depends on {}", found.name));
            }
        }
    }
    expect_none("arrows that point upwards (docs/ARCHITECTURE.md shows the layers)", &wrong);
}

#[test]
fn the_root_process_links_only_allowed_crates() {
    let allowed = root_process::allowed();
    let linked: BTreeSet<String> =
        root_process::linked_crates().into_iter().filter(|c| !c.own).map(|c| c.name).collect();
    let extra: Vec<_> = linked.difference(&allowed).cloned().collect();
    expect_none("crates in the root process that supervisor/root-crates.txt does not allow", &extra);
    let stale: Vec<_> = allowed.difference(&linked).cloned().collect();
    expect_none("crates that supervisor/root-crates.txt allows although nothing links them", &stale);
    for banned in ["tokio", "clap", "hyper", "axum", "serde_json"] {
        assert!(!linked.contains(banned), "{banned} is linked into the root process");
    }
}

#[test]
fn the_supervisor_can_be_read_in_an_afternoon() {
    let own = root_process::own_lines();
    assert!(own.supervisor > 0, "the count found no code of the supervisor");
    let (most, sandbox_most) = (root_process::SUPERVISOR_LINES_MAX, root_process::SANDBOX_LINES_MAX);
    assert!(own.supervisor <= most, "the supervisor has {} code lines, the limit is {most}", own.supervisor);
    assert!(
        own.sandbox <= sandbox_most,
        "the sandbox has {} code lines, the limit is {sandbox_most}",
        own.sandbox
    );
}

#[test]
fn unsafe_code_stands_only_in_sys() {
    let wrong = offences(|file| {
        if file.path.starts_with("runtime/sys/") {
            return Vec::new();
        }
        lines(file, |l| l.contains("unsafe {") || l.contains("unsafe fn") || l.contains("unsafe impl"))
    });
    expect_none("unsafe code outside runtime/sys", &wrong);
    for name in ["runtime", "runtime/core", "runtime/wire", "runtime/macros", "supervisor"] {
        let path = source::workspace().join(name).join("src/lib.rs");
        let text = fs::read_to_string(&path).expect("each crate has a lib.rs");
        assert!(text.contains("#![forbid(unsafe_code)]"), "{name}/src/lib.rs does not forbid unsafe code");
    }
}

#[test]
fn files_and_functions_stay_small() {
    let long_files = offences(|file| {
        let count = file.text.lines().count();
        if count > FILE_LINES_MAX { vec![format!("{}: {count} lines", file.path)] } else { Vec::new() }
    });
    expect_none(&format!("files of more than {FILE_LINES_MAX} lines"), &long_files);
    let big = offences(|file| {
        if file.path.contains("/compile_fail/") {
            return Vec::new();
        }
        file.functions()
            .into_iter()
            .filter(|f| !f.in_test && (f.lines > FUNCTION_LINES_MAX || f.arguments > ARGUMENTS_MAX))
            .filter(|f| {
                !LONG_FUNCTIONS.iter().any(|(known, _)| *known == format!("{}::{}", file.path, f.name))
            })
            .map(|f| {
                format!("{}:{} {}: {} lines, {} arguments", file.path, f.line, f.name, f.lines, f.arguments)
            })
            .collect()
    });
    expect_none(
        &format!("functions of more than {FUNCTION_LINES_MAX} lines or {ARGUMENTS_MAX} arguments"),
        &big,
    );
}

#[test]
fn file_sizes_keep_the_shape_of_small_files() {
    let mut sizes: Vec<usize> = source::rust_files().iter().map(|f| f.text.lines().count()).collect();
    sizes.sort_unstable();
    let (median, ninetieth) = (sizes[sizes.len() / 2], sizes[sizes.len() * 9 / 10]);
    assert!(median <= 170, "half of the files have more than {median} lines, the aim is 170");
    assert!(ninetieth <= 500, "a tenth of the files has more than {ninetieth} lines, the aim is 500");
}

#[test]
fn every_module_says_what_it_is() {
    let silent = offences(|file| {
        let exempt = file.path.contains("/compile_fail/") || file.path.contains("/fuzz_targets/");
        if exempt || file.text.starts_with("//!") { Vec::new() } else { vec![file.path.clone()] }
    });
    expect_none("files without a module doc", &silent);
}

#[test]
fn shipped_code_has_no_leftovers() {
    let marks = ["TODO", "FIXME", "XXX ", "HACK", "dbg!("];
    let wrong = offences(|file| {
        let marked = file.text.lines().enumerate().filter(|(_, l)| marks.iter().any(|mark| l.contains(mark)));
        marked.map(|(index, line)| format!("{}:{}: {}", file.path, index + 1, line.trim())).collect()
    });
    expect_none("leftovers", &wrong);
}

#[test]
fn names_keep_to_the_vocabulary() {
    let banned = ["Manager", "Helper", "fn get_", "mod utils", "mod util;", "mod helpers"];
    let wrong = offences(|file| lines(file, |line| banned.iter().any(|word| line.contains(word))));
    expect_none("names that the vocabulary bans", &wrong);
}

#[test]
fn tests_wait_for_events_and_never_sleep() {
    let wrong = offences(|file| {
        if !file.is_test() && !file.text.contains("#[cfg(test)]") {
            return Vec::new();
        }
        lines(file, |line| line.contains("thread::sleep"))
    });
    expect_none("sleeps in tests (wait for the event with a watchdog, or use virtual time)", &wrong);
}

#[test]
fn every_example_is_run_and_described() {
    let root = source::workspace();
    let read = |path: &str| fs::read_to_string(root.join(path)).unwrap_or_else(|e| panic!("{path}: {e}"));
    let readme = read("examples/README.md");
    let runner = read("examples/tests/every_example.rs");
    let manifest: toml::Table = read("examples/Cargo.toml").parse().expect("cargo has read it already");
    let bins = manifest.get("bin").and_then(|b| b.as_array()).cloned().unwrap_or_default();
    assert!(!bins.is_empty(), "examples/Cargo.toml declares no program");
    let mut missing = Vec::new();
    for bin in &bins {
        let name = bin.get("name").and_then(|n| n.as_str()).expect("a [[bin]] has a name");
        if !readme.contains(&format!("`{name}`")) {
            missing.push(format!("{name} is not described in examples/README.md"));
        }
        if !runner.contains(&format!("\"{name}\"")) && !runner.contains(&format!("CARGO_BIN_EXE_{name}")) {
            missing.push(format!("{name} is not run by examples/tests/every_example.rs"));
        }
    }
    expect_none("examples", &missing);
}
