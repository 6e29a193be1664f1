//! Manifests in few words, what `check` says of them, and what the journal says of the order of things.

use std::fs;
use std::process::Command;

use bailiwick_tests::harness::Supervised;
use nix::sys::signal::Signal;

/// A worker with these keys, whose actor has these arguments.
pub(crate) fn worker(name: &str, keys: &str, knobs: &str) -> String {
    format!(
        "[worker.{name}]\nexec = \"tw\"\n{keys}\nactor.life = {{ type = \"Life\", args = {{ {knobs} }} }}\n"
    )
}

/// A worker with every default.
pub(crate) fn plain(name: &str) -> String {
    worker(name, "", "")
}

/// A group with these keys, and plain workers in it.
pub(crate) fn group(name: &str, keys: &str, members: &[&str]) -> String {
    let member = |worker_name: &&str| worker(worker_name, &format!("group = \"{name}\""), "");
    let members: String = members.iter().map(member).collect();
    format!("[group.{name}]\n{keys}\n{members}")
}

/// What `bailiwick check` says of a manifest, and its exit code.
pub(crate) fn check(manifest: &str) -> (Option<i32>, String) {
    let folder = Supervised::folder(env!("CARGO_BIN_EXE_tw"));
    let path = folder.path().join("app.toml");
    fs::write(&path, manifest).expect("the manifest can be written");
    let mut command = Command::new(env!("CARGO_BIN_EXE_bailiwick-under-test"));
    let output = command.arg("check").arg("--explain").arg(path).output().expect("it can be run");
    let text = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8_lossy(&text).into_owned())
}

/// Kills the process of a worker and returns its number.
pub(crate) fn kill(supervised: &Supervised, worker: &str) -> u32 {
    let process = supervised.pid(worker);
    process.signal(Signal::SIGKILL);
    process.0
}

/// The present processes of these workers, each ready in this life.
pub(crate) fn lives<const N: usize>(
    supervised: &Supervised,
    workers: [&str; N],
    generation: u32,
) -> [Option<u32>; N] {
    workers.map(|name| supervised.wait_for_life(name, generation).pid)
}

/// The titles of the lives in the order in which they ended.
pub(crate) fn ends(supervised: &Supervised) -> Vec<String> {
    told(supervised, " ended after ")
}

/// The titles of the lives in the order in which they were ready.
pub(crate) fn starts(supervised: &Supervised) -> Vec<String> {
    told(supervised, " is ready")
}

/// The word before `text` in each line that has it.
fn told(supervised: &Supervised, text: &str) -> Vec<String> {
    let lines = supervised.journal().since(0);
    let title = |line: &str| Some(line.split_once(text)?.0.rsplit(' ').next()?.to_owned());
    lines.iter().filter_map(|line| title(&line.text)).collect()
}

/// A foreign program with these keys that takes these steps, see `tests/src/fixture/foreign.rs`.
pub(crate) fn foreign(name: &str, keys: &str, steps: &[&str]) -> String {
    let steps: Vec<_> = steps.iter().map(|step| format!("\"{step}\"")).collect();
    format!(
        "[worker.{name}]\nkind = \"command\"\ncommand = [\"FOLDER/tw\", \"foreign\", {}]\n\
        {keys}\nsandbox.preset = \"exec\"\n",
        steps.join(", ")
    )
}
