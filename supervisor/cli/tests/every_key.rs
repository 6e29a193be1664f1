//! Each key of the manifest that has them all, when it is taken away, changes what `explain` says.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

/// Lines that say what holds in any case: by default, by the preset, or by another key that is there.
const USUAL: [&str; 14] = [
    "strategy = \"one_for_one\"",
    "strategy = \"one_for_one\"",
    "link = \"ring\"",
    "kind = \"resident\"",
    "after = []",
    "privileged = false",
    "user = \"dynamic\"",
    "capabilities = []",
    "read_write_paths = []",
    "private_mounts = true",
    "inaccessible_paths = []",
    "tcp_bind = []",
    "dumpable = true",
    "no_new_privileges = true",
];

/// What is said of a manifest, but for where it stands; `None` if it is refused.
fn explained(folder: &Path, manifest: &[&str]) -> Option<String> {
    let path = folder.join("app.toml");
    fs::write(&path, manifest.join("\n")).expect("the folder is ours");
    fs::set_permissions(&path, PermissionsExt::from_mode(0o644)).expect("the file is ours");
    let told = Command::new(env!("CARGO_BIN_EXE_bailiwick")).arg("explain").arg(&path).output();
    let told = told.expect("the program can be executed");
    let text = String::from_utf8(told.stdout).expect("output is text");
    // A digest and a number of a line differ for whatever is written.
    let lines = text.lines().filter(|line| !line.contains("SHA-256"));
    let said = lines.map(|line| line.split(" (line ").next().unwrap_or(line));
    told.status.success().then(|| said.collect::<Vec<_>>().join("\n"))
}

#[test]
fn each_key_that_is_written_is_told() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/manifest/valid");
    let shop = folder.path().join("shop");
    fs::copy(source.join("shop"), &shop).expect("the program is there");
    fs::set_permissions(&shop, PermissionsExt::from_mode(0o755)).expect("the file is ours");
    let text = fs::read_to_string(source.join("every_key.toml")).expect("the manifest is there");
    let lines: Vec<&str> = text.lines().collect();
    let whole = explained(folder.path(), &lines).expect("it is good");
    let mut untold = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let is_key = line.split_once(" = ").is_some_and(|(key, _)| !key.contains(['[', ' ']));
        let rest = [&lines[..at], &lines[at + 1..]].concat();
        // Some cannot be taken away alone.
        let without = if is_key { explained(folder.path(), &rest) } else { None };
        untold.extend(without.filter(|without| *without == whole).map(|_| *line));
    }
    assert_eq!(untold, USUAL, "keys that are told nowhere");
}
