//! Overload: one process floods a slow actor in another one at full speed. Under each policy of a full mailbox no process
//! grows, an actor beside the slow one answers all the while, and each message is accounted for.
//!
//! `OVERLOAD=60 cargo test --release -p bailiwick-tests --test overload -- --test-threads 1` floods for so many seconds each
//! time. How long the one beside it takes to answer is measured by `cargo run --release -- overload` in `tests/bench`.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use bailiwick_tests::harness::{Process, Supervised, wanted};
use bailiwick_tests::run;

/// Of each flood in every run of the tests.
const USUAL: Duration = Duration::from_secs(1);
/// What a flood may take beyond its time, until it was enough and all that was sent has ended.
const REST: Duration = Duration::from_secs(60);
/// Messages that are too much in each flood, however busy the machine is.
const LEAST: u64 = 4 * CAPACITY;
/// The pause from one look at the memory to the next.
const GLANCE: Duration = Duration::from_millis(20);
/// What a process may grow by once the flood has been there for a quarter of its time. A message has a kilobyte, and on a busy
/// machine the debug build sends some thousand in a second.
const GROWTH_MAX: u64 = 2 << 20;
/// What the mailbox of the slow one holds.
const CAPACITY: u64 = 256;

const SYSTEM: &str = r#"
[worker.sink]
exec = "tw"
actor.slow = { type = "Sipper", mailbox = { capacity = CAPACITY, on_full = "POLICY" } }
actor.beside = { type = "Neighbour" }
[worker.source]
exec = "tw"
needs = ["sink"]
sandbox.read_only_paths = ["PLACE"]
actor.hose = { type = "Hose", args = { target = "sink", end = "PLACE/end", least = LEAST } }
[[grant]]
from = "source"
to = "sink"
"#;

/// What the one that floods says in the end.
struct Accounts {
    sent: u64,
    refused: u64,
    taken: u64,
    /// By the policy, in the worker of the slow one.
    dropped: u64,
    /// Dead letters of both workers for other reasons.
    letters: u64,
    /// Asks, sent until one was taken, that the policy dropped as well.
    turned_away: u64,
    /// Answers of the one beside it during the flood.
    asked: u64,
}

impl Accounts {
    fn read(line: &str) -> Option<Self> {
        let numbers: Vec<u64> =
            line.split_once("poured ")?.1.split(' ').map_while(|number| number.parse().ok()).collect();
        let [sent, refused, taken, dropped, letters, turned_away, asked] = numbers[..] else { return None };
        Some(Self { sent, refused, taken, dropped, letters, turned_away, asked })
    }

    fn assert_complete(&self) {
        let Self { sent, refused, taken, dropped, letters, turned_away, .. } = self;
        assert_eq!(*sent, refused + taken + (dropped - turned_away) + letters, "each message has one end");
    }
}

/// The memory of each process: how much it had when that was first looked at, and the most since.
struct Memory(Vec<Held>);

struct Held {
    who: &'static str,
    process: Process,
    first: u64,
    most: u64,
}

impl Memory {
    fn of(processes: [(&'static str, Process); 3]) -> Self {
        let held = |(who, process): (&'static str, Process)| {
            let first = process.held_bytes();
            Held { who, process, first, most: first }
        };
        Self(processes.map(held).into())
    }

    fn look(&mut self) {
        for held in &mut self.0 {
            held.most = held.process.held_bytes().max(held.most);
        }
    }

    fn assert_flat(&self, words: &str) {
        for Held { who, first, most, .. } in &self.0 {
            assert!(*first > 0, "{who} was there");
            assert!(most - first <= GROWTH_MAX, "{words}: {who} grew from {first} to {most} bytes");
        }
    }
}

/// Lets so much time pass.
fn rest(pause: Duration) {
    let until = Instant::now() + pause;
    while let Some(left) = until.checked_duration_since(Instant::now()) {
        thread::park_timeout(left);
    }
}

/// Watches the processes of a flood, from its first quarter on, until it is said what became of all. The file `end` ends it.
fn watch(supervised: &Supervised, span: Duration, end: &Path) -> (Accounts, Memory) {
    supervised.journal().wait_for(0, "pouring");
    rest(span / 4);
    let (sink, source) = (supervised.pid("sink"), supervised.pid("source"));
    let processes = [("supervisor", supervised.process()), ("sink", sink), ("source", source)];
    let mut memory = Memory::of(processes);
    let began = Instant::now();
    loop {
        memory.look();
        if began.elapsed() >= span * 3 / 4 {
            fs::write(end, "").expect("its folder is ours");
        }
        let said = supervised.journal().since(0);
        if let Some(accounts) = said.iter().find_map(|line| Accounts::read(&line.text)) {
            return (accounts, memory);
        }
        assert!(began.elapsed() < span + REST, "it has not come to an end:\n{}", supervised.journal());
        rest(GLANCE);
    }
}

/// Floods over a socket and over a ring; returns what became of the messages of each.
fn flood(policy: &str) -> [Accounts; 2] {
    let span = wanted("OVERLOAD").map_or(USUAL, Duration::from_secs);
    let ring = ("trust_domain = \"near\"\n", "[trust_domain.near]\n");
    [("", ""), ring].map(|(keys, tables)| {
        let place = tempfile::tempdir().expect("a temporary folder can be made");
        fs::set_permissions(place.path(), PermissionsExt::from_mode(0o755)).expect("it is ours");
        let manifest = [tables, SYSTEM]
            .concat()
            .replace("exec = \"tw\"\n", &format!("exec = \"tw\"\n{keys}"))
            .replace("CAPACITY", &CAPACITY.to_string())
            .replace("POLICY", policy)
            .replace("LEAST", &LEAST.to_string())
            .replace("PLACE", &place.path().display().to_string());
        let mut supervised = run!(&manifest);
        let (accounts, memory) = watch(&supervised, span, &place.path().join("end"));
        for worker in ["sink", "source"] {
            assert_eq!(supervised.worker(worker).generation, 1, "{}", supervised.journal());
        }
        supervised.stop();
        let Accounts { sent, refused, taken, dropped, letters, asked, .. } = accounts;
        let words = format!(
            "{policy}: {sent} sent, {refused} refused, {taken} taken, {dropped} dropped, {letters} other dead letters; \
             {asked} asks answered"
        );
        println!("{words}");
        memory.assert_flat(&words);
        accounts.assert_complete();
        assert!(taken > 0, "it was taken from: {words}");
        assert!(asked > 2, "who is asked beside it answers: {words}");
        accounts
    })
}

#[test]
fn who_floods_a_mailbox_that_lets_wait_is_held_up_and_nobody_grows() {
    for accounts in flood("wait") {
        assert_eq!((accounts.taken, accounts.refused), (accounts.sent, 0));
        assert!(accounts.sent >= LEAST, "it was flooded: {} sent", accounts.sent);
    }
}

/// Seen to fail while a mailbox that rejects lent more than it holds: some of what was sent became dead letters.
#[test]
fn who_floods_a_mailbox_that_rejects_is_refused_and_nobody_grows() {
    for accounts in flood("reject") {
        assert_eq!((accounts.dropped, accounts.letters), (0, 0));
        assert!(accounts.refused >= LEAST, "it was flooded: {} refused", accounts.refused);
    }
}

/// Seen to fail without the bound on dead letters that are kept, with `OVERLOAD=4`: the worker of the slow one grows.
#[test]
fn who_floods_a_mailbox_that_drops_the_oldest_goes_on_and_nobody_grows() {
    for accounts in flood("drop_oldest") {
        assert_eq!((accounts.refused, accounts.letters), (0, 0));
        assert!(accounts.dropped >= LEAST, "it was flooded: {} dropped", accounts.dropped);
    }
}

/// Seen to fail without the bound on dead letters that are kept, with `OVERLOAD=4`: the worker of the slow one grows.
#[test]
fn who_floods_a_mailbox_that_drops_the_newest_goes_on_and_nobody_grows() {
    for accounts in flood("drop_newest") {
        assert_eq!((accounts.refused, accounts.letters), (0, 0));
        assert!(accounts.dropped >= LEAST, "it was flooded: {} dropped", accounts.dropped);
    }
}
