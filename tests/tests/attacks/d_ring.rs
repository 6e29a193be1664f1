//! D. Shared memory: the rings of a trust domain.

use std::fs;

use bailiwick_core::lending::PLACES;
use bailiwick_core::ring::{CONTROL_WORDS, LANE_WORDS, LINK_BYTES, RETURN_STRIDE, RETURNS_AT};
use bailiwick_sys::link_pair::memory_bytes;
use bailiwick_tests::harness::{Process, needs_root, wait_until};
use nix::libc;
use nix::sys::signal::Signal;

use crate::maps::shared;
use crate::orders::Arg;
use crate::support::{Scene, modes};

/// Whoever is in it shares memory.
const SHARED: &str = "[trust_domain.shared]\n";
const WITHIN: &str = "trust_domain = \"shared\"\n";

/// How much memory a link with a ring has.
const BYTES: usize = memory_bytes(LINK_BYTES);

/// The memory of the one ring that a process has: which file it is, and where it stands.
fn ring_of(process: Process) -> Option<(String, i64)> {
    shared(process, BYTES).into_iter().next()
}

/// Waits for the ring of a worker.
fn ring(scene: &Scene, worker: &str) -> (String, i64) {
    let mut found = None;
    wait_until("the ring of a worker", || {
        found = ring_of(scene.pid(worker));
        found.is_some()
    });
    found.expect("it was waited for")
}

/// How long a ring is in a process.
fn length() -> Arg {
    Arg::Number(BYTES.next_multiple_of(4096) as i64)
}

/// Has evil map its ring a second time, so that it keeps the memory when its runtime gives it up.
fn copy_of_ring(scene: &mut Scene) -> Option<i64> {
    let (_, start) = ring_of(scene.pid("evil"))?;
    let again = [start.into(), 0.into(), length(), libc::MREMAP_MAYMOVE.into()];
    let copy = scene.evil.call(libc::SYS_mremap, &again);
    copy.did().then(|| copy.number())
}

/// Where a word of one of both ways stands.
fn word(start: i64, lane: usize, at: usize) -> i64 {
    start + 8 * (lane * LANE_WORDS + at) as i64
}

const TAIL: usize = 0;
const HEAD: usize = 32;

/// Control: the two have the same memory, and what evil writes there is in the victim's. It writes half a packet, and is stopped
/// and killed in the midst of it; nobody waits for it. Seen to fail with a reader that waits for the rest of a packet that is begun.
#[test]
fn d5_who_is_stopped_or_killed_in_the_midst_of_a_ring_holds_nobody_up() {
    if needs_root("only root sees where the ring is") {
        return;
    }
    for &mode in modes() {
        let manifest = Scene::manifest(SHARED, &format!("on_sigstop = \"ignore\"\n{WITHIN}"));
        let manifest = manifest.replace("[worker.victim]\n", &format!("[worker.victim]\n{WITHIN}"));
        let mut scene = Scene::of_manifest(mode, &manifest);
        let ((file, start), (theirs, place)) = (ring(&scene, "evil"), ring(&scene, "victim"));
        assert_eq!(file, theirs, "{mode:?}: the same memory");
        // Where the next packet is to stand, on the way to the victim and on the way back: a head, and not all that it promises.
        let half = [1000_u64.to_ne_bytes(), [0xee; 8]].concat();
        for lane in 0..2 {
            let tail = scene.evil.peek(word(start, lane, TAIL), 8);
            let next = u64::from_ne_bytes(tail.try_into().expect("a word")) as usize;
            let next = CONTROL_WORDS + next % (LANE_WORDS - CONTROL_WORDS);
            scene.evil.poke(word(start, lane, next), &half);
            let memory = fs::File::open(format!("/proc/{}/mem", scene.pid("victim").0)).expect("root may");
            let mut seen = [0; 16];
            let at = word(place, lane, next);
            std::os::unix::fs::FileExt::read_exact_at(&memory, &mut seen, at as u64).expect("it is mapped");
            assert_eq!(seen[..], half, "{mode:?}");
        }
        let answers = |scene: &Scene| {
            scene.journal().since(0).iter().filter(|line| line.text.contains("of victim ok")).count()
        };
        let evil = scene.pid("evil");
        evil.signal(Signal::SIGSTOP);
        let before = answers(&scene);
        wait_until("answers while evil is stopped", || answers(&scene) >= before + 50);
        assert_eq!(scene.pid("evil"), evil, "{mode:?}");
        evil.signal(Signal::SIGCONT);
        evil.signal(Signal::SIGKILL);
        scene.meet_again(2);
        wait_until("a ring of its own for the next life", || ring(&scene, "evil").0 != file);
        scene.assert_unharmed();
    }
}

/// Control: asks of 60,000 bytes are answered over the ring. Evil claims to have read what it has not, and what there never was:
/// it loses what it is sent, and the link. Seen to fail without the refusal of what cannot have been read.
#[test]
fn d1_d7_who_claims_to_have_read_what_it_has_not_loses_what_it_is_sent_and_the_link() {
    if needs_root("only root sees where the ring is") {
        return;
    }
    for &mode in modes() {
        let caller = format!(
            "[worker.caller]\nexec = \"tw\"\n{WITHIN}\
             actor.flight = {{ type = \"Pilot\", args = {{ target = \"evil/life\", pause_ms = 1, bytes = 60000 }} }}\n\
             [[grant]]\nfrom = \"caller\"\nto = \"evil\"\n"
        );
        let life = "actor.life = { type = \"Life\", args = {} }\n";
        let mut scene = Scene::of_manifest(
            mode,
            &Scene::manifest(&format!("{SHARED}{caller}"), &format!("{WITHIN}{life}")),
        );
        let of_evil = |scene: &Scene, how: &str| {
            let lines = scene.journal().since(0);
            lines.iter().filter(|line| line.text.contains("of evil") && line.text.contains(how)).count()
        };
        let closed = |scene: &Scene, by: &str| {
            let lines = scene.journal().since(0);
            let is_by = |text: &str| {
                text.split_once(" closed its link with").is_some_and(|(who, _)| who.contains(by))
            };
            lines.iter().filter(|line| is_by(&line.text)).count()
        };
        wait_until("answers over the ring", || of_evil(&scene, " ok ") > 10);
        let caller = scene.pid("caller");
        // All that was published, then what never was; on the way to evil, and on the way back, where it deceives itself.
        // A link that is made anew may have its ways in another order than the first.
        let lies = [(None, 0), (None, 1), (Some(u64::MAX), 0), (Some(1 << 40), 0), (Some(1 << 40), 1)];
        for (claim, lane) in lies {
            let before = closed(&scene, "");
            let (mut copy, mut rounds) = (None, 0);
            wait_until("the link to be closed, or lies enough", || {
                copy = copy.or_else(|| copy_of_ring(&mut scene));
                let Some(start) = copy else { return false };
                rounds += 1;
                let tail = scene.evil.peek(word(start, lane, TAIL), 8);
                let claimed = claim.map_or(tail, |claim: u64| claim.to_ne_bytes().to_vec());
                scene.evil.poke(word(start, lane, HEAD), &claimed);
                closed(&scene, "") > before || (claim.is_none() && rounds > 200)
            });
            // The next is to be the memory of the fresh link.
            let copy = copy.expect("it lied in it");
            assert!(scene.evil.call(libc::SYS_munmap, &[copy.into(), length()]).did());
            let before = of_evil(&scene, " ok ");
            wait_until("answers over a fresh ring", || of_evil(&scene, " ok ") > before + 10);
            assert_eq!(scene.pid("caller"), caller, "{mode:?} {claim:?}");
        }
        let by = ["caller", "evil"].map(|by| closed(&scene, by));
        assert!(by.iter().all(|count| *count > 0), "each found what was forged on its way: {by:?}");
        scene.assert_unharmed();
    }
}

/// Bytes of one segment of what the giver lends.
const SEGMENT_BYTES: usize = 80 << 10;

/// Control: blobs are lent to evil, and what it writes is in the memory of who lends them. Evil says of what it reads that it has
/// given it back, never will, and did so more often than it was lent: it is sent the next while it reads, or memory that is sealed, and
/// nobody's memory grows by that.
#[test]
fn d1_d8_who_lies_of_what_it_gave_back_takes_no_more_than_it_may_and_harms_nobody() {
    if needs_root("only root sees what a process has mapped") {
        return;
    }
    for &mode in modes() {
        let giver = format!(
            "[worker.giver]\nexec = \"tw\"\n{WITHIN}sandbox.system_call_filter = [\"+memfd_create\"]\n\
             actor.gifts = {{ type = \"Giver\", args = {{ target = \"evil/shelf\", chunks = 10, blobs = 1000000000 }} }}\n\
             [[grant]]\nfrom = \"giver\"\nto = \"evil\"\n"
        );
        let shelf = "actor.shelf = { type = \"Keeper\", args = { keeps = 4 } }\n";
        let manifest = Scene::manifest(&format!("{SHARED}{giver}"), &format!("{WITHIN}{shelf}"));
        let mut scene = Scene::of_manifest(mode, &manifest);
        let giver = scene.pid("giver");
        let lent = || shared(giver, SEGMENT_BYTES).len();
        wait_until("memory that is lent", || lent() > 0);
        let (file, start) = ring(&scene, "evil");
        let (theirs, place) = ring(&scene, "giver");
        assert_eq!(file, theirs, "{mode:?}: the same memory");
        let words = || (0..2 * PLACES).map(|number| 8 * (RETURNS_AT + number * RETURN_STRIDE) as i64);
        for lie in [u64::MAX, 0, 1, 1 << 63, 12, u64::MAX - 1, 1 << 20].into_iter().cycle().take(70) {
            words().for_each(|at| scene.evil.poke(start + at, &lie.to_ne_bytes()));
            assert!(lent() <= PLACES, "{mode:?} {lie}");
        }
        let memory = fs::File::open(format!("/proc/{}/mem", giver.0)).expect("root may");
        let last = words().next_back().expect("there are some");
        let mut seen = [0; 8];
        std::os::unix::fs::FileExt::read_exact_at(&memory, &mut seen, (place + last) as u64)
            .expect("it is mapped");
        assert_ne!(u64::from_ne_bytes(seen), 0, "{mode:?}");
        assert_eq!(scene.pid("giver"), giver, "{mode:?}");
        // Over the link of evil's next life nothing of that is left.
        scene.pid("evil").signal(Signal::SIGKILL);
        scene.meet_again(2);
        wait_until("a ring of its own for the next life", || ring(&scene, "evil").0 != file);
        wait_until("memory that is lent again", || lent() > 0);
        assert_eq!(scene.pid("giver"), giver, "{mode:?}");
        scene.assert_unharmed();
    }
}
