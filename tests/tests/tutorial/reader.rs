//! Somebody who does what a page says, in a folder where nothing is yet.
//!
//! What is other than for a reader: the runtime and the programs are those of this workspace, and so is the folder of what is
//! built; programs are not optimised; the system's folders lie below the reader's own; ports are ones that are free.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use bailiwick_tests::harness::{Ended, Supervised, copy_program, needs_root};
use bailiwick_tests::source;
use bailiwick_tests::walk::{self, Step, Typed, What};
use tempfile::TempDir;

use crate::service;

/// The one project of the page. No other program of the workspace is called so.
const PROJECT: &str = "till";

/// A reader on the way.
pub(crate) struct Reader {
    page: &'static str,
    steps: Vec<Step>,
    /// Until something runs in it.
    fresh: Option<TempDir>,
    /// Where everything is.
    pub(crate) root: PathBuf,
    /// Where the reader is.
    folder: PathBuf,
    /// What stands in the page, and what is typed in its place.
    instead: Vec<(String, String)>,
    /// What ran, and last what runs.
    systems: Vec<Supervised>,
    runs: bool,
}

impl Reader {
    /// Opens a page of the workspace, before an empty folder.
    pub(crate) fn of(page: &'static str) -> Self {
        let text = fs::read_to_string(source::workspace().join(page)).expect("the page is there");
        let steps = walk::steps(&text).unwrap_or_else(|why| panic!("{page}: {why}"));
        let fresh = Supervised::folder(env!("CARGO_BIN_EXE_tw"));
        let root = fresh.path().to_owned();
        furnish(&root);
        let instead = instead(&root);
        Self {
            page,
            steps,
            folder: root.clone(),
            fresh: Some(fresh),
            root,
            instead,
            systems: Vec::new(),
            runs: false,
        }
    }

    /// Does all that the page says, in its order.
    pub(crate) fn walk(mut self) {
        let steps = std::mem::take(&mut self.steps);
        assert!(steps.len() > 3, "{}: {} steps", self.page, steps.len());
        let before = steps.iter().filter(|step| step.what == What::Before).count();
        assert!(before <= 1, "{}: {before} blocks are not run", self.page);
        for Step { line, what } in steps {
            let place = format!("{}, line {line}", self.page);
            match what {
                What::Before => {}
                What::File { path, text } => self.write(&path, &text, ""),
                What::More { path, text } => {
                    let so_far = fs::read_to_string(self.folder.join(&path)).expect("it was written before");
                    self.write(&path, &text, &format!("{so_far}\n"));
                }
                What::Commands { typed, refused } => self.type_all(&place, &typed, refused),
                What::RunsOn(typed) => self.run_on(&typed),
                What::There(lines) => self.wait_for(&lines),
            }
        }
        assert!(!self.runs, "{}: something still runs at its end", self.page);
    }

    fn write(&self, path: &str, text: &str, before: &str) {
        fs::write(self.folder.join(path), format!("{before}{}", self.here(text)))
            .expect("the folder is ours");
    }

    /// Returns a text of the page as it is on this machine.
    fn here(&self, text: &str) -> String {
        self.instead.iter().fold(text.to_owned(), |text, (there, here)| text.replace(there, here))
    }

    fn type_all(&mut self, place: &str, typed: &[Typed], refused: bool) {
        let as_root = typed.iter().any(|typed| typed.command.starts_with("sudo "));
        if as_root && needs_root(&format!("{place}: `sudo`")) {
            return;
        }
        for (number, one) in typed.iter().enumerate() {
            let fails = refused && number + 1 == typed.len();
            match one.command.strip_prefix("sudo systemctl ") {
                Some(order) => service::order(self, order),
                None => self.type_one(place, one, fails),
            }
        }
    }

    fn type_one(&mut self, place: &str, typed: &Typed, fails: bool) {
        let left = self.root.join("left");
        let command = self.here(&typed.command);
        let script = format!("exec 2>&1\n{command}\nstatus=$?\npwd >{}\nexit $status", left.display());
        let output = self.shell(&script).output().expect("a shell can be executed");
        let said = String::from_utf8_lossy(&output.stdout);
        let so_far = self.so_far();
        assert!(output.status.success() != fails, "{place}: {command}: {}\n{said}{so_far}", output.status);
        if !typed.printed.is_empty() {
            let printed: Vec<_> = said.lines().map(str::to_owned).collect();
            let shown: Vec<_> = typed.printed.iter().map(|line| self.here(line)).collect();
            assert!(walk::is_shown(&printed, &shown), "{place}: {command} prints\n{said}{so_far}");
        }
        self.folder = fs::read_to_string(left).expect("it was written").trim_end().into();
        if command.starts_with("cargo build") {
            let to = self.folder.join("target/debug");
            fs::create_dir_all(&to).expect("the folder is ours");
            copy_program(built().join("debug").join(PROJECT), to.join(PROJECT));
        }
        if command.starts_with("bailiwick stop --all") {
            self.has_ended();
        }
    }

    /// Returns a shell in which the programs of this workspace are found, where the reader is.
    fn shell(&self, script: &str) -> Command {
        let mut path = vec![self.root.join("bin")];
        path.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()));
        path.extend(Path::new(env!("CARGO")).parent().map(Path::to_owned));
        let mut shell = Command::new("timeout");
        shell.args([LONGEST, "bash", "-c", script]).current_dir(&self.folder);
        shell.env("PATH", std::env::join_paths(path).expect("folders without a colon"));
        // What the workspace is built with, so that what is built already is not built anew.
        shell.env("CARGO_TARGET_DIR", built()).env("CARGO_PROFILE_DEV_DEBUG", "line-tables-only");
        shell.env("CARGO_NET_OFFLINE", "true").env("CURL_HOME", &self.root);
        shell
    }

    fn run_on(&mut self, typed: &Typed) {
        let mut command = Command::new("bash");
        let script = format!("cd {} && exec {}", self.folder.display(), self.here(&typed.command));
        command.args(["-c", &script]);
        for (name, value) in self.shell("").get_envs() {
            command.env(name, value.expect("they are all set"));
        }
        self.start(command);
        self.wait_for(&typed.printed);
    }

    /// Starts what supervises, in the other terminal or as a service.
    pub(crate) fn start(&mut self, command: Command) {
        assert!(!self.runs, "{}: something runs in the other terminal already", self.page);
        let next = match (self.fresh.take(), self.systems.last()) {
            (Some(folder), _) => Supervised::start(command, folder),
            (None, Some(last)) => last.again(command),
            (None, None) => unreachable!("the folder is given to the first one"),
        };
        self.systems.push(next);
        self.runs = true;
    }

    /// What supervises has been told to end.
    pub(crate) fn has_ended(&mut self) {
        assert!(std::mem::take(&mut self.runs), "{}: nothing runs that could end", self.page);
        let last = self.systems.last_mut().expect("it was started");
        assert_eq!(last.wait(), Ended::Code(0), "so far:\n{}", last.journal());
        last.assert_nothing_is_left();
    }

    /// Returns what supervises at present.
    pub(crate) fn running(&self) -> Option<&Supervised> {
        self.systems.last().filter(|_| self.runs)
    }

    fn so_far(&self) -> String {
        self.running().map(|running| running.journal().to_string()).unwrap_or_default()
    }

    fn wait_for(&self, shown: &[String]) {
        let running = self.running().expect("something runs in the other terminal");
        for line in shown.iter().map(|line| self.here(line)) {
            running.journal().wait_until(&format!("`{line}`"), |lines| {
                lines.iter().any(|printed| walk::is_line(&printed.text, &line)).then_some(())
            });
        }
    }
}

/// Lays out what a reader has before the first step.
fn furnish(root: &Path) {
    let workspace = source::workspace();
    for folder in ["bin", "programs", "bailiwick/target/release", "usr/bin", "etc/systemd/system"] {
        fs::create_dir_all(root.join(folder)).expect("the folder is ours");
    }
    symlink(workspace.join("packaging"), root.join("bailiwick/packaging")).expect("the folder is ours");
    for (program, name) in [
        (env!("CARGO_BIN_EXE_bailiwick-under-test"), "bailiwick"),
        (env!("CARGO_BIN_EXE_bailiwickd-under-test"), "bailiwickd"),
    ] {
        copy_program(program, root.join("programs").join(name));
        symlink(root.join("programs").join(name), root.join("bailiwick/target/release").join(name))
            .expect("the folder is ours");
    }
    // The system that the page runs, and no other one of this machine.
    let (programs, state) = (root.join("programs"), root.join("state"));
    let asks = format!(
        "#!/bin/sh\ncase $1 in\ncheck | explain | blast) exec {0}/bailiwick \"$@\" ;;\n\
         *) exec {0}/bailiwick \"$@\" --state-dir {1} ;;\nesac\n",
        programs.display(),
        state.display()
    );
    let script = root.join("bin/bailiwick");
    fs::write(&script, asks).expect("the folder is ours");
    fs::set_permissions(&script, PermissionsExt::from_mode(0o755)).expect("it is ours");
    // The folder lies in this workspace, of which what is made in it is no part.
    fs::write(root.join("Cargo.toml"), "[workspace]\nresolver = \"3\"\n").expect("the folder is ours");
    fs::copy(workspace.join("Cargo.lock"), root.join("Cargo.lock")).expect("it can be copied");
    fs::write(root.join(".curlrc"), format!("max-time = {PATIENCE}\n")).expect("the folder is ours");
}

/// Returns what stands in a page, and what is typed in its place.
fn instead(root: &Path) -> Vec<(String, String)> {
    let free = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").expect("some port is free"));
    let [low, high] = free.map(|listener| listener.local_addr().expect("bound").to_string());
    let below = |folder: &str| format!("{}{folder}", root.display());
    let runtime = source::workspace().join("runtime").display().to_string();
    [
        // What is not done as root is passed over as a whole.
        ("sudo ", String::new()),
        // The low one first, whose text the other may begin with.
        ("127.0.0.1:80", low),
        ("127.0.0.1:7000", high),
        ("../bailiwick/runtime", runtime),
        (" --release", String::new()),
        ("install target/release/", "install target/debug/".to_owned()),
        ("/usr/bin/", below("/usr/bin/")),
        ("/etc/", below("/etc/")),
    ]
    .map(|(there, here)| (there.to_owned(), here))
    .to_vec()
}

/// Returns where cargo puts what it builds.
fn built() -> PathBuf {
    let programs = Path::new(env!("CARGO_BIN_EXE_tw")).parent().expect("a program is in a folder");
    programs.parent().expect("of a profile").to_owned()
}

/// How long one command may take, in seconds: it may wait for others that build.
const LONGEST: &str = "900";
/// How long an answer may take, in seconds.
const PATIENCE: &str = "60";
