//! What is linked into the process that may run as root: every crate with its lines, against an allow-list.
//!
//! `cargo run -p bailiwick-tests --bin root-report` prints it; a test holds it against
//! `supervisor/root-crates.txt` and the budgets of the design.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use serde::Deserialize;

use crate::source::{self, SourceFile};

/// The most code lines that the supervisor may have of its own, without parser and sandbox.
pub const SUPERVISOR_LINES_MAX: usize = 3_000;
/// The most code lines that the sandbox may have.
pub const SANDBOX_LINES_MAX: usize = 1_500;

/// A crate that is linked into `bailiwickd`.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LinkedCrate {
    /// The package's name.
    pub name: String,
    /// The package's version.
    pub version: String,
    /// Non-blank, non-comment lines of Rust below its `src`.
    pub lines: usize,
    /// Whether it is a member of this workspace.
    pub own: bool,
}

/// Code lines of the supervisor's own crate, in the parts that are counted apart.
#[derive(Debug, Default)]
pub struct OwnLines {
    /// The loop, the broker, control, store, logs.
    pub supervisor: usize,
    /// Manifest, check, and the plain data that they fill.
    pub manifest: usize,
    /// The client's end of the control socket, which the supervisor never calls.
    pub client: usize,
    /// Sandbox and spawn.
    pub sandbox: usize,
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    workspace_members: BTreeSet<String>,
    resolve: Resolve,
}

#[derive(Deserialize)]
struct Package {
    id: String,
    name: String,
    version: String,
    manifest_path: String,
    targets: Vec<Target>,
}

#[derive(Deserialize)]
struct Target {
    kind: Vec<String>,
}

#[derive(Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Deserialize)]
struct Node {
    id: String,
    deps: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    pkg: String,
    dep_kinds: Vec<DependencyKind>,
}

#[derive(Deserialize)]
struct DependencyKind {
    kind: Option<String>,
}

/// Returns every crate that ends up in `bailiwickd`: normal dependencies, without procedural macros,
/// which run in the compiler only.
pub fn linked_crates() -> Vec<LinkedCrate> {
    linked_into("bailiwick-supervisor")
}

/// Returns every crate that ends up in a program of package `root`.
///
/// # Panics
/// When cargo cannot describe the workspace.
pub fn linked_into(root: &str) -> Vec<LinkedCrate> {
    let metadata = metadata();
    let packages: BTreeMap<_, _> = metadata.packages.iter().map(|p| (p.id.as_str(), p)).collect();
    let nodes: BTreeMap<_, _> = metadata.resolve.nodes.iter().map(|n| (n.id.as_str(), n)).collect();
    let start = metadata.packages.iter().find(|p| p.name == root).expect("the package is in the workspace");
    let mut open = vec![start.id.as_str()];
    let mut seen = BTreeSet::new();
    while let Some(id) = open.pop() {
        if is_macro(packages[id]) || !seen.insert(id) {
            continue;
        }
        let normal = nodes[id].deps.iter().filter(|d| d.dep_kinds.iter().any(|k| k.kind.is_none()));
        open.extend(normal.map(|d| d.pkg.as_str()));
    }
    let mut linked: Vec<_> =
        seen.iter().map(|id| describe(packages[id], metadata.workspace_members.contains(*id))).collect();
    linked.sort();
    linked
}

fn metadata() -> Metadata {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    let target = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let output = Command::new(cargo)
        .args(["metadata", "--format-version=1", "--locked", "--offline", "--filter-platform", &target])
        .current_dir(source::workspace())
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("cargo metadata prints its documented JSON")
}

fn is_macro(package: &Package) -> bool {
    package.targets.iter().any(|t| t.kind.iter().any(|k| k == "proc-macro"))
}

fn describe(package: &Package, own: bool) -> LinkedCrate {
    let folder = Path::new(&package.manifest_path).parent().expect("a manifest lies in a folder").join("src");
    let mut lines = 0;
    count(&folder, &mut lines);
    LinkedCrate { name: package.name.clone(), version: package.version.clone(), lines, own }
}

fn count(folder: &Path, lines: &mut usize) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            count(&path, lines);
        } else if path.extension().is_some_and(|e| e == "rs")
            && let Ok(text) = std::fs::read_to_string(&path)
        {
            *lines += SourceFile { path: String::new(), text }.code_lines();
        }
    }
}

/// Returns the code lines of the supervisor's crate by part.
pub fn own_lines() -> OwnLines {
    let mut own = OwnLines::default();
    for file in source::rust_files() {
        let Some(path) = file.path.strip_prefix("supervisor/src/") else { continue };
        let part = if ["manifest", "check", "spec"].iter().any(|part| path.starts_with(part)) {
            &mut own.manifest
        } else if path.starts_with("control/client") {
            &mut own.client
        } else if path.starts_with("sandbox") || path.starts_with("spawn") {
            &mut own.sandbox
        } else {
            &mut own.supervisor
        };
        if !file.is_test() {
            *part += file.code_lines();
        }
    }
    own
}

/// Returns the report as text: a line for each crate, then the supervisor's own lines with their budgets.
pub fn report() -> String {
    let mut text = String::from("crates linked into bailiwickd (code lines, as published):\n");
    let linked = linked_crates();
    for found in &linked {
        let mark = if found.own { "ours" } else { "" };
        let _ = writeln!(text, "  {:<28} {:>10} {:>8} {mark}", found.name, found.version, found.lines);
    }
    let total: usize = linked.iter().map(|c| c.lines).sum();
    let _ = writeln!(text, "  {:<28} {:>10} {:>8}", "all", linked.len(), total);
    let own = own_lines();
    let _ = writeln!(text, "supervisor  {:>6} code lines, at most {SUPERVISOR_LINES_MAX}", own.supervisor);
    let _ = writeln!(text, "sandbox     {:>6} code lines, at most {SANDBOX_LINES_MAX}", own.sandbox);
    let _ = writeln!(text, "manifest    {:>6} code lines, counted apart", own.manifest);
    let _ = writeln!(text, "client      {:>6} code lines, never run by the supervisor", own.client);
    text
}

/// Returns the names of foreign crates that the allow-list permits in the root process.
///
/// # Panics
/// When the list cannot be read.
pub fn allowed() -> BTreeSet<String> {
    let path = source::workspace().join("supervisor/root-crates.txt");
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    text.lines()
        .map(|line| line.split('#').next().unwrap_or("").trim())
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect()
}
