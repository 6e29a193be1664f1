//! Manifests in few words, what `check` says of them, and what the journal says of the order of things.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

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

/// The processes that answered, in the order of the answers, once there are so many.
pub(crate) fn answers(supervised: &Supervised, count: usize) -> Vec<u32> {
    supervised.journal().wait_until(&format!("{count} answers"), |lines| {
        let lost = lines.iter().find(|line| line.text.contains("an ask was lost"));
        assert!(lost.is_none(), "{lines:#?}");
        let pid = |text: &str| text.split_once("answered by ")?.1.parse().ok();
        let pids: Vec<u32> = lines.iter().filter_map(|line| pid(&line.text)).collect();
        (pids.len() >= count).then_some(pids)
    })
}

/// The titles of the lives in the order in which they ended.
pub(crate) fn ends(supervised: &Supervised) -> Vec<String> {
    told(supervised, " ended after ")
}

/// The same, when so many have ended: what the status shows may stand in the journal a moment later.
pub(crate) fn first_ends(supervised: &Supervised, count: usize) -> Vec<String> {
    let enough = || Some(ends(supervised)).filter(|ends| ends.len() >= count);
    supervised.journal().wait_until(&format!("{count} ends"), |_| enough())
}

/// The titles of the lives in the order in which they were ready, when so many have been.
pub(crate) fn first_starts(supervised: &Supervised, count: usize) -> Vec<String> {
    let enough = || Some(told(supervised, " is ready")).filter(|starts| starts.len() >= count);
    supervised.journal().wait_until(&format!("{count} starts"), |_| enough())
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

/// A foreign program that says `begins` and is ready when it gets SIGUSR1, and not before.
pub(crate) fn gate(name: &str) -> String {
    let steps = ["ignore=SIGUSR1", "say=begins", "until=SIGUSR1", "notify=READY=1", "wait"];
    foreign(name, "notify = true", &steps)
}

/// Lets such a program be ready, which has said that it begins.
pub(crate) fn open(supervised: &Supervised, gate: &str) {
    supervised.journal().wait_for(0, &format!("{gate} | begins"));
    supervised.pid(gate).signal(Signal::SIGUSR1);
}

/// Keys of a server that says its process number, which in a PID namespace of its own would be the same in each life.
pub(crate) const SERVES: &str = "kept = [\"http\"]\nsandbox.private_pids = false";

/// The command line, asked about one system, with nothing of this process's environment that changes what it prints.
pub(crate) struct Cli {
    state_dir: PathBuf,
    environment: Vec<(String, String)>,
}

/// What one command came to.
pub(crate) struct Told {
    pub(crate) code: i32,
    pub(crate) data: String,
    pub(crate) messages: String,
}

impl Cli {
    pub(crate) fn of(supervised: &Supervised) -> Self {
        Self { state_dir: supervised.state_dir(), environment: Vec::new() }
    }

    /// The same with one more variable of the environment.
    pub(crate) fn with(&self, name: &str, value: &str) -> Self {
        let mut environment = self.environment.clone();
        environment.push((name.to_owned(), value.to_owned()));
        Self { state_dir: self.state_dir.clone(), environment }
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Told {
        Self::tell(self.command(&[], arguments))
    }

    /// The command that asks this system, executed by `wrapper`, which is a command line without its end.
    pub(crate) fn command(&self, wrapper: &[&str], arguments: &[&str]) -> Command {
        let own = [env!("CARGO_BIN_EXE_bailiwick-under-test")];
        let mut words = wrapper.iter().chain(&own);
        let mut command = Command::new(words.next().expect("its own name is among them"));
        command.args(words).args(arguments);
        for name in ["NO_COLOR", "CLICOLOR_FORCE", "TERM", "COLUMNS"] {
            command.env_remove(name);
        }
        command.envs(self.environment.iter().cloned()).stdin(Stdio::null());
        // These are not about a running system, nor is what names a manifest.
        let first = arguments.first().copied().unwrap_or_default();
        let is_declared =
            ["explain", "blast"].contains(&first) && arguments.iter().any(|one| one.contains('/'));
        if !["--help", "doctor", "check"].contains(&first) && !is_declared {
            command.arg("--state-dir").arg(&self.state_dir);
        }
        command
    }

    /// What a command comes to.
    pub(crate) fn tell(mut command: Command) -> Told {
        let output = command.output().expect("it can be run");
        let text = |bytes| String::from_utf8(bytes).expect("what it prints is text");
        let code = output.status.code().expect("no signal ended it");
        Told { code, data: text(output.stdout), messages: text(output.stderr) }
    }

    /// Runs a command that prints one document.
    pub(crate) fn json(&self, arguments: &[&str]) -> serde_json::Value {
        let told = self.run(arguments);
        assert_eq!(told.messages, "", "{arguments:?}");
        assert!(!told.data.contains('\u{1b}'), "{arguments:?}: {}", told.data);
        serde_json::from_str(&told.data)
            .unwrap_or_else(|error| panic!("{arguments:?}: {error}: {}", told.data))
    }
}
