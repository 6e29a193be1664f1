//! Manifests in few words, and what the journal says of the order of things.

use bailiwick_tests::harness::Supervised;

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

/// The titles of the workers in the order in which they ended.
pub(crate) fn ends(supervised: &Supervised) -> Vec<String> {
    let lines = supervised.journal().since(0);
    let title = |text: &str| {
        let (before, _) = text.split_once(" ended after ")?;
        Some(before.rsplit(' ').next()?.to_owned())
    };
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
