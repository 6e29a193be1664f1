//! Memory that is lent between two processes holds still while it is read and comes back, whichever of them is killed.
//!
//! `LENDING_SEED=…` draws the same moments again.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use bailiwick_tests::harness::{Process, Supervised, wanted};
use bailiwick_tests::run;
use nix::sys::signal::Signal;
use nix::unistd::geteuid;

/// Segments that one worker lends another at most.
const SEGMENTS: usize = 32;
/// How often somebody is killed.
const KILLS: u64 = 8;
/// Of as many blobs at once as are kept and are on their way.
const KEEPS: usize = 20;
/// Blobs of somebody who goes on until it is killed.
const WITHOUT_END: u64 = i64::MAX as u64;

const SYSTEM: &str = r#"
[trust_domain.near]
[group.g]
max_restarts = 10000
period = "1s"
[worker.keeper]
exec = "tw"
group = "g"
trust_domain = "near"
backoff = { base = "1ms", cap = "5ms" }
# Each blob that waits holds a descriptor.
while_down = { messages = 0 }
actor.shelf = { type = "Keeper", args = { keeps = KEEPS } }
sandbox.system_call_filter = ["+memfd_create"]
[worker.giver]
exec = "tw"
group = "g"
trust_domain = "near"
backoff = { base = "1ms", cap = "5ms" }
actor.gifts = { type = "Giver", args = { target = "keeper", chunks = CHUNKS, blobs = BLOBS } }
sandbox.system_call_filter = ["+memfd_create"]
[[grant]]
from = "giver"
to = "keeper"
"#;

/// What each blob is made of, and how large a segment for it is.
const CHUNKS: usize = 10;
const SEGMENT_BYTES: u64 = 80 << 10;

/// Segments that a process has made (`rw-s`), or has mapped to read what another one lends or sends (`r--s`).
fn segments(process: Process, access: &str) -> usize {
    // It may be gone by now.
    let maps = fs::read_to_string(format!("/proc/{}/maps", process.0)).unwrap_or_default();
    let is_segment = |line: &&str| {
        let bytes = line.split_once(' ').and_then(|(range, _)| {
            let (from, to) = range.split_once('-')?;
            let address = |text| u64::from_str_radix(text, 16).ok();
            Some(address(to)? - address(from)?)
        });
        line.contains("/memfd:bailiwick") && line.contains(access) && bytes == Some(SEGMENT_BYTES)
    };
    maps.lines().filter(is_segment).count()
}

/// Memory files that a process has open.
fn files(process: Process) -> usize {
    let files = fs::read_dir(format!("/proc/{}/fd", process.0)).into_iter().flatten().flatten();
    let targets = files.filter_map(|file| fs::read_link(file.path()).ok());
    targets.filter(|target| target.to_string_lossy().contains("memfd:bailiwick")).count()
}

fn start(keeps: usize, blobs: u64) -> Supervised {
    let words = [("KEEPS", keeps as u64), ("CHUNKS", CHUNKS as u64), ("BLOBS", blobs)];
    let manifest =
        words.iter().fold(SYSTEM.to_owned(), |text, (word, number)| text.replace(word, &number.to_string()));
    run!(&manifest)
}

fn process(supervised: &Supervised, worker: &str) -> Option<Process> {
    supervised.worker(worker).pid.map(Process)
}

/// Waits until the one who gives has made as many segments as is asked for.
fn wait_for_segments(supervised: &Supervised, what: &str, is_enough: impl Fn(usize) -> bool) {
    supervised
        .journal()
        .wait_until(what, |_| is_enough(segments(process(supervised, "giver")?, " rw-s ")).then_some(()));
}

/// Waits until blobs go from one life to the other: memory is lent where it can be seen whether it is.
fn wait_for_lending(supervised: &Supervised) {
    if geteuid().is_root() {
        wait_for_segments(supervised, "memory that is lent", |segments| segments > 0);
    }
}

/// Waits until somebody has received as many as it keeps, and one more; checks that none has ever changed.
fn assert_still(supervised: &Supervised, keeps: usize) {
    let keeps = format!("keeps {keeps}");
    supervised.journal().wait_until("as many as are kept", |lines| {
        lines.iter().any(|line| line.text.ends_with(&keeps)).then_some(())
    });
    let text = supervised.journal().to_string();
    assert!(!text.contains("torn:"), "{text}");
}

/// Kills one of these, whichever the moments say, each time after blobs have flowed for a while.
fn strike(supervised: &Supervised, victims: &[&str], seed: u64) {
    let mut moments = fastrand::Rng::with_seed(seed);
    let mut lives = vec![1; victims.len()];
    for _ in 0..KILLS {
        let victim = moments.usize(..victims.len());
        let life = supervised.wait_for_life(victims[victim], lives[victim]);
        wait_for_lending(supervised);
        let until = Instant::now() + Duration::from_micros(moments.u64(..20_000));
        while let Some(left) = until.checked_duration_since(Instant::now()) {
            thread::park_timeout(left);
        }
        Process(life.pid.expect("it is ready")).signal(Signal::SIGKILL);
        lives[victim] += 1;
    }
    for (victim, life) in victims.iter().zip(lives) {
        supervised.wait_for_life(victim, life);
    }
    wait_for_lending(supervised);
}

fn seed() -> u64 {
    let seed = wanted("LENDING_SEED").unwrap_or_else(|| fastrand::u64(..u64::MAX / 2));
    println!("LENDING_SEED={seed}");
    seed
}

/// Each life keeps so much that two of them would keep all there is.
#[test]
fn what_the_dead_had_is_lent_again_and_no_more_is_taken() {
    let mut supervised = start(KEEPS, WITHOUT_END);
    strike(&supervised, &["keeper"], seed());
    assert_eq!(supervised.worker("giver").generation, 1, "{}", supervised.journal());
    if geteuid().is_root() {
        let giver = process(&supervised, "giver").expect("it lives");
        // Beside them are its own end of the link, and what goes out when there is nothing left to lend.
        let (segments, files) = (segments(giver, " rw-s "), files(giver));
        assert!(segments <= SEGMENTS && files <= 4 * SEGMENTS, "{segments} segments, {files} files");
    }
    assert_still(&supervised, KEEPS);
    supervised.stop();
}

#[test]
fn what_is_read_holds_still_whoever_is_killed() {
    let mut supervised = start(KEEPS, WITHOUT_END);
    strike(&supervised, &["keeper", "giver"], seed());
    assert_still(&supervised, KEEPS);
    supervised.stop();
}

#[test]
fn who_keeps_more_than_can_be_lent_is_given_the_rest_all_the_same() {
    let mut supervised = start(3 * SEGMENTS, WITHOUT_END);
    strike(&supervised, &["keeper"], seed());
    assert_still(&supervised, 3 * SEGMENTS);
    supervised.stop();
}

/// As long as it lives nothing is asked back, and nothing but its death has it come back.
#[test]
fn what_a_killed_reader_held_goes_back_to_the_system() {
    if !geteuid().is_root() {
        println!("only root sees what another process has mapped");
        return;
    }
    let mut supervised = start(KEEPS, KEEPS as u64);
    wait_for_segments(&supervised, "as many segments as are kept", |segments| segments == KEEPS);
    let keeper = supervised.wait_for_life("keeper", 1);
    Process(keeper.pid.expect("it is ready")).signal(Signal::SIGKILL);
    wait_for_segments(&supervised, "no segment", |segments| segments == 0);
    assert_eq!(supervised.worker("giver").generation, 1);
    supervised.stop();
}

#[test]
fn when_nothing_is_sent_any_more_no_memory_is_kept_for_it_by_either() {
    if !geteuid().is_root() {
        println!("only root sees what another process has mapped");
        return;
    }
    let mut supervised = start(1, 500);
    wait_for_segments(&supervised, "memory that is lent", |segments| segments > 0);
    // What the reader keeps stays, and is the last that there is.
    wait_for_segments(&supervised, "what is kept alone", |segments| segments == 1);
    supervised.journal().wait_until("what is read alone", |_| {
        (segments(process(&supervised, "keeper")?, " r--s ") == 1).then_some(())
    });
    assert_still(&supervised, 1);
    supervised.stop();
}
