//! The scene of every attack: `evil`, who obeys the test, among honest workers that must not notice.

use std::fs;
use std::net::Ipv4Addr;
use std::ops::{Deref, DerefMut};
use std::os::unix::fs::chown;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use bailiwick_supervisor::control::{Client, State};
use bailiwick_tests::harness::{Process, Stopwatch, Supervised, wait_until};
use bailiwick_tests::run;
use tempfile::TempDir;

use crate::orders::{Answer, Attack, Evil};

/// Who the supervisor is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Root: each worker has a user of its own.
    Root,
    /// Somebody ordinary, whose user all workers share.
    Rootless,
}

/// The modes that can be tried here: as root both.
pub(crate) fn modes() -> &'static [Mode] {
    if nix::unistd::geteuid().is_root() { &[Mode::Root, Mode::Rootless] } else { &[Mode::Rootless] }
}

/// Ordinary users that nobody else has: what the kernel counts by user is not shared with other tests, and who signals all that
/// is its user's reaches no other test. Each process that runs tests has numbers of its own, far below those of workers, and
/// more of them than its tests ask for.
fn fresh_user() -> u32 {
    const EACH: u32 = 1 << 10;
    static NEXT: AtomicU32 = AtomicU32::new(0);
    1_000_000 + std::process::id() % (1 << 20) * EACH + NEXT.fetch_add(1, Ordering::Relaxed) % EACH
}

/// An address of this machine that nobody else uses, so that each of its ports is free: the whole network 127/8 is this machine.
pub(crate) fn own_address() -> Ipv4Addr {
    let [_, high, middle, low] = std::process::id().to_be_bytes();
    Ipv4Addr::new(127, 64 + high % 64, middle, low)
}

/// An ordinary user: whoever runs the tests, or if that is root somebody else.
fn ordinary() -> u32 {
    let own = nix::unistd::geteuid();
    if own.is_root() { fresh_user() } else { own.as_raw() }
}

/// A supervisor with `evil`, two honest workers of which one is privileged, and two who ask these all the time.
pub(crate) struct Scene {
    supervised: Supervised,
    pub(crate) mode: Mode,
    pub(crate) evil: Evil,
    stopwatch: Stopwatch,
    /// How much had been printed when that was started.
    from: usize,
    before: Books,
    /// Asks for the status all the time; returns how long the longest answer took.
    asking: Option<(Arc<AtomicBool>, JoinHandle<Duration>)>,
}

/// What an allocator may keep of what it has given back.
const HEAP_MAX: u64 = 2 << 20;

/// What a supervisor has.
#[derive(Clone, Copy, Debug)]
struct Books {
    descriptors: usize,
    held_bytes: u64,
}

/// The honest ones: `priv` holds a privilege, `pilot` and `second` ask.
const HONEST: &str = r#"
[worker.victim]
exec = "tw"
actor.life = { type = "Life", args = {} }
[worker.priv]
exec = "tw"
privileged = true
actor.life = { type = "Life", args = {} }
[worker.pilot]
exec = "tw"
actor.flight = { type = "Pilot", args = { target = "victim", pause_ms = 5 } }
[worker.second]
exec = "tw"
actor.flight = { type = "Pilot", args = { target = "priv", pause_ms = 5 } }
[[grant]]
from = "pilot"
to = "victim"
[[grant]]
from = "second"
to = "priv"
"#;

/// The hostile one; it may ask both.
const HOSTILE: &str = r#"
[group.hostile]
max_restarts = 10000
period = "10s"
[[listen]]
name = "orders"
unix = "FOLDER/orders.sock"
[[grant]]
from = "evil"
to = "victim"
[[grant]]
from = "evil"
to = "priv"
[worker.evil]
exec = "tw"
group = "hostile"
kept = ["orders"]
max_offences = 10000
backoff = { base = "50ms", cap = "50ms" }
actor.mask = { type = "Evil" }
"#;

impl Scene {
    /// Starts everything; `keys` are more of evil's, the sandbox among them.
    pub(crate) fn new(mode: Mode, keys: &str) -> Self {
        Self::with(mode, keys, "", &[])
    }

    /// The same, with more of a manifest, and a command line around the supervisor.
    pub(crate) fn with(mode: Mode, keys: &str, more: &str, around: &[&str]) -> Self {
        Self::from_manifest(mode, &Self::manifest(more, keys), around)
    }

    /// The manifest of that scene.
    pub(crate) fn manifest(more: &str, keys: &str) -> String {
        [more, HONEST, HOSTILE, keys].concat()
    }

    /// Starts a scene of this manifest.
    pub(crate) fn of_manifest(mode: Mode, manifest: &str) -> Self {
        Self::from_manifest(mode, manifest, &[])
    }

    fn from_manifest(mode: Mode, manifest: &str, around: &[&str]) -> Self {
        let user = fresh_user().to_string();
        let mut wrapper = around.to_vec();
        if mode == Mode::Rootless && nix::unistd::geteuid().is_root() {
            wrapper.extend(["sh", "-c", AS_SOMEBODY, &user]);
        }
        let supervised = run!(&wrapper, manifest);
        for worker in ["victim", "priv", "pilot", "second"] {
            supervised.wait_for_life(worker, 1);
        }
        let life = supervised.wait_for_life("evil", 1);
        let evil = Evil::at(&supervised.path().join("orders.sock"), life.pid.expect("it is ready"));
        let before = Books::of(supervised.process());
        let (stopwatch, from) = (Stopwatch::start(), supervised.journal().len());
        let mut scene = Self { supervised, mode, evil, stopwatch, from, before, asking: None };
        scene.watch();
        scene
    }

    /// Starts everything, with evil in the group `few`, which `group` declares.
    pub(crate) fn grouped(mode: Mode, group: &str) -> Self {
        Self::from_manifest(
            mode,
            &[group, HONEST, &HOSTILE.replace("group = \"hostile\"", "group = \"few\"")].concat(),
            &[],
        )
    }

    /// Asks for the status no more: it is about to be gone.
    pub(crate) fn watch_no_more(&mut self) {
        if let Some((over, asking)) = self.asking.take() {
            over.store(true, Ordering::Relaxed);
            asking.thread().unpark();
            let _ = asking.join();
        }
    }

    /// Asks for the status until told otherwise.
    fn watch(&mut self) {
        let over = Arc::new(AtomicBool::new(false));
        let (seen, state_dir) = (Arc::clone(&over), self.state_dir());
        let asking = thread::spawn(move || {
            let mut longest = Duration::ZERO;
            while !seen.load(Ordering::Relaxed) {
                let began = Instant::now();
                Client::connect(&state_dir)
                    .and_then(|client| client.status())
                    .expect("the supervisor answers");
                longest = longest.max(began.elapsed());
                thread::park_timeout(Duration::from_millis(20));
            }
            longest
        });
        self.asking = Some((over, asking));
    }

    /// What the command line tells of this system.
    #[track_caller]
    pub(crate) fn told(&self, arguments: &[&str]) -> String {
        let mut command = Command::new(env!("CARGO_BIN_EXE_bailiwick-under-test"));
        let output = command.args(arguments).arg("--state-dir").arg(self.state_dir()).output();
        String::from_utf8(output.expect("it can be run").stdout).expect("what it prints is text")
    }

    /// Asserts that the audit names each of these lives of evil as killed for what it did, and nobody else.
    #[track_caller]
    pub(crate) fn assert_audited(&self, lives: std::ops::Range<u32>) {
        let audit = self.told(&["audit"]);
        for life in lives {
            let says = [format!("evil#{life} is killed"), format!("evil#{life}: ")];
            let mut violations = audit.lines().filter(|line| line.contains(" violation "));
            let named = violations.any(|line| says.iter().any(|says| line.contains(says)));
            assert!(named, "{:?}: evil#{life} in {audit}", self.mode);
        }
        for honest in ["victim", "priv", "pilot", "second"] {
            assert!(!audit.contains(&format!("{honest}#1 is killed")), "{:?}: {audit}", self.mode);
        }
    }

    /// Connects to the present life of evil.
    pub(crate) fn meet_again(&mut self, generation: u32) {
        let life = self.supervised.wait_for_life("evil", generation);
        self.evil = Evil::at(&self.path().join("orders.sock"), life.pid.expect("it is ready"));
    }

    /// Makes evil do one after the other, in another life where one was its last; tells what came of each.
    #[track_caller]
    pub(crate) fn each(&mut self, attacks: &[Attack]) -> Vec<(String, Answer)> {
        let mut came = Vec::new();
        for attack in attacks {
            let generation = self.worker("evil").generation;
            let answer = self.evil.attempt(attack);
            if answer == Answer::Died {
                self.meet_again(generation + 1);
            }
            came.push((attack.name().to_owned(), answer));
        }
        came
    }

    /// Asserts that nobody but evil has noticed anything, during and after; and that nothing is left of it all.
    #[track_caller]
    pub(crate) fn assert_unharmed(mut self) {
        let seen = self.supervised.journal().len();
        for target in ["victim", "priv"] {
            self.supervised.journal().wait_until(&format!("more answers of {target}"), |lines| {
                (latencies(lines.get(seen..).unwrap_or_default(), target).len() >= 10).then_some(())
            });
        }
        let (over, asking) = self.asking.take().expect("it was begun");
        over.store(true, Ordering::Relaxed);
        asking.thread().unpark();
        let longest = asking.join().unwrap_or_else(|_| panic!("no status; so far:\n{}", self.journal()));
        self.stopwatch.assert_took(longest, Duration::from_secs(1), "a status under attack");
        for target in ["victim", "priv"] {
            // The first one may have been asked before the stopwatch was started, of whoever was not ready yet.
            let mut took = latencies(&self.journal().since(self.from), target).split_off(1);
            took.sort_unstable();
            let ninety_ninth = took[took.len() * 99 / 100];
            self.stopwatch.assert_took(
                ninety_ninth,
                Duration::from_millis(250),
                &format!("99 of 100 answers of {target}"),
            );
        }
        for worker in ["victim", "priv", "pilot", "second"] {
            let row = self.worker(worker);
            assert_eq!((row.generation, row.state), (1, State::Ready), "{worker}: {}", self.journal());
        }
        self.journal().wait_until("descriptors and memory of the supervisor to be back", |_| {
            let now = Books::of(self.process());
            now.is_like(self.before).then_some(())
        });
        self.journal()
            .wait_until("the dead to be taken", |_| self.process().zombies().is_empty().then_some(()));
        self.supervised.stop();
    }
}

/// Runs what follows as the user that is named first, in a folder of its own.
const AS_SOMEBODY: &str = "own=$(dirname \"$1\") && chown \"$0\" \"$own\" && \
    exec setpriv --reuid \"$0\" --regid \"$0\" --clear-groups --pdeathsig KILL \"$@\"";

/// How long each answer took that `target` gave.
fn latencies(lines: &[bailiwick_tests::harness::Line], target: &str) -> Vec<Duration> {
    let mark = format!(" of {target} ok after ");
    let took = |text: &str| text.split_once(&mark)?.1.strip_suffix(" us")?.parse().ok();
    lines.iter().filter_map(|line| took(&line.text)).map(Duration::from_micros).collect()
}

impl Books {
    fn of(supervisor: Process) -> Self {
        Self { descriptors: supervisor.descriptors().len(), held_bytes: supervisor.held_bytes() }
    }

    /// Tells whether no more than a tenth has come on top.
    fn is_like(self, before: Self) -> bool {
        self.descriptors * 10 <= before.descriptors * 11
            && self.held_bytes * 10 <= before.held_bytes * 11 + (HEAP_MAX * 10)
    }
}

impl Deref for Scene {
    type Target = Supervised;

    fn deref(&self) -> &Supervised {
        &self.supervised
    }
}

impl DerefMut for Scene {
    fn deref_mut(&mut self) -> &mut Supervised {
        &mut self.supervised
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        self.watch_no_more();
    }
}

/// The same hostile code outside of every sandbox, for the attack that must succeed if the test is to prove anything.
pub(crate) struct Free {
    folder: TempDir,
    children: Vec<Child>,
    user: u32,
    pub(crate) evil: Evil,
}

impl Free {
    /// Starts it as an ordinary user, if this is root.
    pub(crate) fn somebody() -> Self {
        Self::of(ordinary())
    }

    /// Starts it as root, if this is.
    pub(crate) fn root() -> Self {
        Self::of(nix::unistd::geteuid().as_raw())
    }

    /// Starts it as an ordinary user; what it prints comes back.
    pub(crate) fn heard() -> (Self, ChildStdout) {
        let mut free = Self::printing(ordinary(), Stdio::piped());
        let output = free.children[0].stdout.take().expect("it was piped");
        (free, output)
    }

    fn of(user: u32) -> Self {
        Self::printing(user, Stdio::inherit())
    }

    fn printing(user: u32, output: Stdio) -> Self {
        let folder = Supervised::folder(env!("CARGO_BIN_EXE_tw"));
        if nix::unistd::geteuid().is_root() {
            chown(folder.path(), Some(user), Some(user)).expect("root may");
        }
        let socket = folder.path().join("orders.sock");
        let mut command = Self::command(&folder, user, &["evil"]);
        let child = command.arg(&socket).stdout(output).spawn().expect("it can be started");
        let evil = Evil::at(&socket, child.id());
        Self { folder, children: vec![child], user, evil }
    }

    fn command(folder: &TempDir, user: u32, arguments: &[&str]) -> Command {
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL"]);
        if nix::unistd::geteuid().is_root() && user != 0 {
            let user = user.to_string();
            command.args(["--reuid", &user, "--regid", &user, "--clear-groups"]);
        }
        command.arg(folder.path().join("tw")).args(arguments).stdin(Stdio::null());
        command
    }

    /// Starts an innocent process of the same user, and waits until it executes its program.
    pub(crate) fn prey(&mut self) -> Process {
        let child =
            Self::command(&self.folder, self.user, &["foreign", "wait"]).spawn().expect("it can be started");
        let process = Process(child.id());
        self.children.push(child);
        let own = self.folder.path().join("tw");
        wait_until("the prey to be itself", || process.executable().is_some_and(|executes| executes == own));
        process
    }

    /// Has it end in this way, and returns what the kernel says of that to whoever has started it.
    pub(crate) fn ended(self, how: &str) -> ExitStatus {
        self.ended_by_order(&format!("die {how}"))
    }

    /// The same, by an order that is its last.
    pub(crate) fn ended_by_order(mut self, order: &str) -> ExitStatus {
        assert_eq!(self.evil.order(order), Answer::Died, "{order}");
        self.children[0].wait().expect("it is our child")
    }

    /// Returns its own process.
    pub(crate) fn process(&self) -> Process {
        Process(self.children[0].id())
    }

    /// Returns its user.
    pub(crate) fn user(&self) -> u32 {
        self.user
    }

    /// Returns the folder that is its own.
    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }
}

impl Drop for Free {
    fn drop(&mut self) {
        for child in &mut self.children {
            let _ = child.kill();
            let _ = child.wait();
        }
        for left in Process::all_below(self.folder.path()) {
            left.signal(nix::sys::signal::Signal::SIGKILL);
        }
    }
}

/// Asserts that each of these attacks was refused with one of these errors, or was the end of its author; says all that was not.
#[track_caller]
pub(crate) fn assert_refused(mode: Mode, came: &[(String, Answer)], errors: &[&str]) {
    let succeeded: Vec<_> =
        came.iter().filter(|(_, answer)| !answer.is_refused(errors) && *answer != Answer::Died).collect();
    assert!(succeeded.is_empty(), "{mode:?}: {succeeded:?}");
}

/// Reads what root alone may read of a process: where its memory is.
pub(crate) fn a_page_of(process: Process) -> i64 {
    let maps = fs::read_to_string(format!("/proc/{}/maps", process.0)).expect("root may look");
    let stack = maps.lines().find(|line| line.ends_with("[stack]")).expect("there is a stack");
    let (_, end) = stack
        .split_once('-')
        .and_then(|(start, rest)| Some((start, rest.split_once(' ')?.0)))
        .expect("a range");
    // The last page holds the environment.
    i64::from_str_radix(end, 16).expect("an address") - 4096
}
