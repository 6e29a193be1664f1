//! D. Shared memory: the pages of a link, in which each end says with which asks its handlers have begun.

use std::fs;
use std::os::unix::fs::FileExt;

use bailiwick_sys::link_pair::memory_bytes;
use bailiwick_tests::harness::{Process, needs_root, wait_until};
use nix::libc;
use nix::sys::signal::Signal;

use crate::maps::shared;
use crate::orders::Arg;
use crate::support::{Scene, modes};

const BYTES: usize = memory_bytes(0);
/// Each of the two.
const PAGE_BYTES: i64 = (BYTES / 2) as i64;

/// Where the pages of its links stand, of which there are so many.
fn pages(process: Process, links: usize) -> Vec<(String, i64)> {
    let mut found = Vec::new();
    wait_until("the pages of all links", || {
        found = shared(process, BYTES);
        found.len() == links
    });
    found
}

/// Control: what evil writes there is in the victim's memory, who shares no ring with it. It claims, denies and forgets that it
/// has begun with what it is asked, in the pages of every link, and is killed with the ask in a handler: whoever asked it is
/// told what it said of this ask, and asks its next life. Seen to fail without an asker that takes
/// a word that nobody honest writes for one that says nothing.
#[test]
fn d1_d4_what_a_worker_forges_in_the_pages_of_its_links_changes_only_what_its_own_asks_came_to() {
    if needs_root("only root sees where the pages are") {
        return;
    }
    let caller = "[worker.caller]\nexec = \"tw\"\n\
        actor.flight = { type = \"Pilot\", args = { target = \"evil/life\", hold_ms = 25000 } }\n\
        [[grant]]\nfrom = \"caller\"\nto = \"evil\"\n";
    for &mode in modes() {
        let mut scene = Scene::of_manifest(
            mode,
            &Scene::manifest(caller, "actor.life = { type = \"Life\", args = {} }\n"),
        );
        let caller = scene.pid("caller");
        for (life, (said, came)) in (1..).zip([
            (Some(u64::MAX), "the peer went down"),
            (Some(0), "the peer is down"),
            (Some(1 << 40), "the peer went down"),
            (None, "the peer is down"),
        ]) {
            let pages = pages(scene.pid("evil"), 3);
            wait_until("an ask that is begun with", || {
                let mut firsts = pages.iter().flat_map(|(_, start)| [*start, start + PAGE_BYTES]);
                firsts.any(|page| scene.evil.peek(page, 8) != [0; 8])
            });
            let theirs = shared(scene.pid("victim"), BYTES);
            for (file, start) in &pages {
                write(&mut scene, *start, said);
                let Some((_, there)) = theirs.iter().find(|(other, _)| other == file) else { continue };
                let memory =
                    fs::File::open(format!("/proc/{}/mem", scene.pid("victim").0)).expect("root may");
                let mut seen = [0; 8];
                memory.read_exact_at(&mut seen, *there as u64).expect("it is mapped");
                assert_eq!(seen, said.unwrap_or(0).to_ne_bytes(), "{mode:?}");
            }
            scene.pid("evil").signal(Signal::SIGKILL);
            let ended = format!("ask {life} of evil/life failed");
            let line = scene.journal().wait_for(0, &ended);
            assert!(line.text.contains(came), "{mode:?} {said:?}: {line:?}");
            scene.meet_again(life + 1);
        }
        assert_eq!(scene.pid("caller"), caller, "{mode:?}");
        scene.assert_unharmed();
    }
}

/// Has evil write this all over both pages of a link, or tear holes into their memory.
fn write(scene: &mut Scene, start: i64, said: Option<u64>) {
    let Some(said) = said else {
        let holes = [start.into(), Arg::Number(BYTES as i64), libc::MADV_REMOVE.into()];
        assert!(scene.evil.call(libc::SYS_madvise, &holes).did());
        return;
    };
    let words = said.to_ne_bytes().repeat(1024);
    for at in (0..BYTES as i64).step_by(words.len()) {
        scene.evil.poke(start + at, &words);
    }
}
