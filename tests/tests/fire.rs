//! Accounting under fire: numbered messages flow at full speed between two processes, of which each is killed and stopped at
//! random moments; afterwards each message is accounted for. What a sender that is killed knew and had not written yet is
//! missing from the account: no more than it can have had on their way.
//!
//! `FIRE=10000000 cargo test --release -p bailiwick-tests --test fire` fires so many; a failure names its seed, and
//! `FIRE_SEED=…` draws the same moments again.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use bailiwick_tests::fixture::{ASKED, AT_ONCE, Fate, LIFE, Tally, VOLLEY};
use bailiwick_tests::harness::{Process, Supervised, wanted};
use bailiwick_tests::run;
use nix::sys::signal::Signal;

/// Messages in every run of the tests, half of them tells.
const USUAL: u64 = 30_000;
/// Of a longer run no more are asks: each is answered before others of 64 are asked, which takes ten times as long.
const ASKS_MAX: u64 = MILLION;
/// What a mailbox holds, so that no more can be on their way when its process is killed.
const MAILBOX: u64 = 1024;
/// What a sender can take with it: what was on its way, what it was told of the same and had not written, and what it was
/// about to fire.
const FORGOTTEN: u64 = 2 * MAILBOX + VOLLEY;
/// How long a process stays stopped, and of up to two million messages how long there is peace between two blows. Of more
/// there are longer times of peace, up to ten times, or most of a long run would be waiting.
const LONGEST_HALT: Duration = Duration::from_millis(30);
const MILLION: u64 = 1_000_000;

const SYSTEM: &str = r#"
[group.g]
max_restarts = 10000
period = "1s"
[worker.marker]
exec = "tw"
group = "g"
backoff = { base = "1ms", cap = "5ms" }
sandbox.read_write_paths = ["PLACE/marker"]
actor.range = { type = "Marker", args = { ledger = "PLACE/marker/ledger" } }
[worker.gunner]
exec = "tw"
group = "g"
backoff = { base = "1ms", cap = "5ms" }
sandbox.read_write_paths = ["PLACE/gunner"]
actor.gun = { type = "Gunner", args = { target = "marker", tells = TELLS, asks = ASKS, fates = "PLACE/gunner/fates", tally = "PLACE/gunner/tally" } }
[[grant]]
from = "gunner"
to = "marker"
"#;

/// What the sender says in the end.
fn said(line: &str) -> Option<Tally> {
    let numbers: Vec<u64> =
        line.split_once("accounts ")?.1.split(' ').map_while(|n| n.parse().ok()).collect();
    let [lives, told, refused, lost, unknown] = numbers[..] else { return None };
    Some(Tally { lives, told, refused, lost, unknown })
}

/// How often each was killed.
#[derive(Clone, Copy, Default)]
struct Kills {
    marker: u64,
    gunner: u64,
}

/// Lets so much time pass; returns what was said in the end by the last of so many lives, if it has been. One that was killed
/// after it had said so is followed by another, which says it again.
fn rest(supervised: &Supervised, pause: Duration, lives: u64) -> Option<Tally> {
    let until = Instant::now() + pause;
    while let Some(left) = until.checked_duration_since(Instant::now()) {
        thread::park_timeout(left);
    }
    let of_the_last = |line: &str| said(line).filter(|tally| tally.lives == lives);
    supervised.journal().wait_until("what was said", |lines| {
        Some(lines.iter().rev().find_map(|line| of_the_last(&line.text)))
    })
}

/// Kills and stops either until all is fired. Returns what the sender says, and how often it killed.
fn strike(supervised: &Supervised, messages: u64, seed: u64) -> (Tally, Kills) {
    let mut moments = fastrand::Rng::with_seed(seed);
    let (mut kills, mut halted): (Kills, Option<Process>) = (Kills::default(), None);
    let longest = LONGEST_HALT * u32::try_from(messages / MILLION).unwrap_or(10).clamp(1, 10);
    loop {
        let most = if halted.is_some() { LONGEST_HALT } else { longest };
        let accounts = rest(supervised, most.mul_f64(moments.f64()), kills.gunner + 1);
        let goes_on = halted.take().inspect(|process| process.signal(Signal::SIGCONT)).is_some();
        if let Some(accounts) = accounts {
            return (accounts, kills);
        }
        if goes_on {
            continue;
        }
        match moments.u8(..5) {
            0 | 1 => kill(supervised, "marker", &mut kills.marker),
            2 => kill(supervised, "gunner", &mut kills.gunner),
            stopped => {
                let who = if stopped == 3 { "marker" } else { "gunner" };
                let Some(pid) = supervised.worker(who).pid else { continue };
                Process(pid).signal(Signal::SIGSTOP);
                halted = Some(Process(pid));
            }
        }
    }
}

/// Kills the life after so many kills.
fn kill(supervised: &Supervised, worker: &str, kills: &mut u64) {
    let life = supervised.wait_for_life(worker, u32::try_from(*kills + 1).expect("few"));
    Process(life.pid.expect("it is ready")).signal(Signal::SIGKILL);
    *kills += 1;
}

fn place() -> tempfile::TempDir {
    let place = tempfile::tempdir().expect("a temporary folder can be made");
    for folder in [place.path().to_owned(), place.path().join("marker"), place.path().join("gunner")] {
        let _there_already = fs::create_dir(&folder);
        fs::set_permissions(&folder, PermissionsExt::from_mode(0o755)).expect("it is ours");
    }
    place
}

fn ledger(place: &Path) -> (Vec<u64>, Vec<u64>) {
    let bytes = fs::read(place.join("marker/ledger")).expect("somebody entered something");
    assert_eq!(bytes.len() % 8, 0, "an entry is torn");
    let entries =
        bytes.chunks_exact(8).map(|entry| u64::from_le_bytes(entry.try_into().expect("eight bytes")));
    let (asks, tells): (Vec<_>, Vec<_>) = entries.partition(|entry| entry & ASKED != 0);
    (tells, asks.into_iter().map(|entry| entry & !ASKED).collect())
}

/// With these keys of both workers, and the tables that they speak of.
fn under_fire(keys: &str, tables: &str) {
    let messages = wanted("FIRE").unwrap_or(USUAL);
    let seed = wanted("FIRE_SEED").unwrap_or_else(|| fastrand::u64(..u64::MAX / 2));
    println!("FIRE_SEED={seed}");
    let place = place();
    let asks = (messages / 2).min(ASKS_MAX);
    let tells = messages - asks;
    let manifest = [tables, SYSTEM]
        .concat()
        .replace("exec = \"tw\"\n", &format!("exec = \"tw\"\n{keys}"))
        .replace("PLACE", &place.path().display().to_string())
        .replace("TELLS", &tells.to_string())
        .replace("ASKS", &asks.to_string());
    let mut supervised = run!(&manifest);
    supervised.wait_for_life("gunner", 1);
    let (Tally { told: fired, refused, lost, unknown, .. }, kills) = strike(&supervised, messages, seed);
    supervised.stop();
    let (mut told, asked) = ledger(place.path());
    let entered = told.len() as u64;
    let forgotten = fired.saturating_sub(entered + refused + lost + unknown);
    let words = format!(
        "{fired} told: {entered} entered, {refused} refused, {lost} lost, {unknown} unknown, {forgotten} forgotten; \
         {} kills of the receiver, {} of the sender",
        kills.marker, kills.gunner
    );
    println!("{words}");
    assert_eq!(fired, tells);
    // There is an order for each pair of lives, and each number is of one.
    told.sort_by_key(|entry| entry >> LIFE);
    let number = |entry: u64| entry & ((1 << LIFE) - 1);
    assert!(told.is_sorted_by(|one, next| number(*one) < number(*next)), "twice, or out of order: {words}");
    assert!(entered + refused + lost <= fired, "what did not arrive was entered: {words}");
    assert!(forgotten <= kills.gunner * FORGOTTEN, "some vanished: {words}");
    assert!(unknown <= kills.marker * MAILBOX, "more than there can be credit for: {words}");
    assert!(kills.marker > 0, "there was fire: {words}");
    let fates = fs::read(place.path().join("gunner/fates")).expect("it was written");
    assert_fates(&fates, asks, asked, kills);
}

/// Checks that each ask has one fate, and that it is the true one; that nothing is unknown but what was begun with: what was
/// entered, and at each kill one that was about to be; and that none is left open but at the sender's death.
fn assert_fates(fates: &[u8], asks: u64, entered: Vec<u64>, kills: Kills) {
    assert_eq!(fates.len() as u64, asks);
    let mut was_entered = vec![false; fates.len()];
    // The last ones only asked whether all was taken.
    for number in entered.into_iter().filter(|number| *number < asks) {
        let is_second = std::mem::replace(&mut was_entered[number as usize], true);
        assert!(!is_second, "{number} was handled twice");
    }
    let (mut counts, mut about_to_be) = ([0_u64; 4], 0);
    for (number, (fate, was_entered)) in fates.iter().zip(was_entered).enumerate() {
        match *fate {
            fate if fate == Fate::Answered as u8 => {
                counts[0] += 1;
                assert!(was_entered, "{number} was answered and not handled");
            }
            fate if fate == Fate::NotDelivered as u8 => {
                counts[1] += 1;
                assert!(!was_entered, "{number} was handled, and is said not to have been delivered");
            }
            fate if fate == Fate::Unknown as u8 => {
                counts[2] += 1;
                about_to_be += u64::from(!was_entered);
            }
            fate if fate == Fate::Open as u8 => counts[3] += 1,
            other => panic!("{number} has no fate: {other}"),
        }
    }
    let [answered, refused, unknown, open] = counts;
    println!(
        "{asks} asked: {answered} answered, {refused} not delivered, {unknown} unknown, of which {about_to_be} were not \
         entered; {open} left open"
    );
    assert!(about_to_be <= kills.marker, "of {unknown} unknown {about_to_be} were not begun with");
    assert!(open <= kills.gunner * AT_ONCE as u64, "{open} asks were left open");
}

#[test]
fn over_a_socket_every_message_is_accounted_for() {
    under_fire("", "");
}

#[test]
fn over_a_ring_every_message_is_accounted_for() {
    under_fire("trust_domain = \"near\"\n", "[trust_domain.near]\n");
}

#[test]
fn over_a_ring_that_is_polled_every_message_is_accounted_for() {
    under_fire("trust_domain = \"near\"\n", "[trust_domain.near]\nbusy_poll = \"50us\"\n");
}
