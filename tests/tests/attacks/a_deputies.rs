//! A. Capabilities whose target is gone, and deputies that are to be confused.

use std::path::Path;

use bailiwick_core::link::STATIC_SLOTS;
use bailiwick_supervisor::control::{Cause, Outcome, ReloadMode, Verb};
use bailiwick_tests::fixture::{DupeRef, GuestRef, TalkRef, WardenRef};
use bailiwick_wire::frame::Extensions;
use bailiwick_wire::reason::Failure;
use nix::libc;
use nix::sys::signal::Signal;

use crate::deputies::{OPEN, SECRET, Shelf};
use crate::orders::{Answer, Evil};
use crate::support::{Mode, Scene, modes};
use crate::voice::{Said, Voice, encoded, framed};

/// Somebody with two actors who dies at a word, and comes back.
const PREY: &str = r#"
[worker.prey]
exec = "tw"
backoff = { first = "0s", base = "1ms", cap = "1ms" }
actor.one = { type = "Parrot" }
actor.two = { type = "Parrot" }
[[grant]]
from = "evil"
to = "prey/one"
"#;

impl Scene {
    fn with_prey(mode: Mode) -> Self {
        let scene = Self::with(mode, "", PREY, &[]);
        scene.wait_for_life("prey", 1);
        scene
    }
}

/// Control: the same word over the link with the present life is delivered, and ends it. Seen to fail without a pair of
/// sockets of its own for each link.
#[test]
fn a4_a_link_whose_other_end_has_died_reaches_no_later_life() {
    for &mode in modes() {
        let mut scene = Scene::with_prey(mode);
        let mut voice = Voice::to::<TalkRef>(&mut scene.evil);
        let kept = scene.evil.call(libc::SYS_dup, &[voice.link().into()]).number();
        let leave = framed(voice.header("leave", 0), &Extensions::default(), &[]);
        scene.pid("prey").signal(Signal::SIGKILL);
        scene.wait_for_life("prey", 2);
        for _ in 0..3 {
            let came = scene.evil.send(kept, &leave);
            assert!(came.is_refused(&["EPIPE", "ECONNRESET", "ENOTCONN"]), "{mode:?}: {came:?}");
        }
        let mut voice = Voice::to::<TalkRef>(&mut scene.evil);
        assert_eq!(scene.worker("prey").generation, 2, "{mode:?}: {}", scene.journal());
        assert_eq!(voice.ask(&mut scene.evil, "leave", &[]), Said::Closed);
        assert_eq!(scene.wait_for_life("prey", 3).last_cause, Some(Cause::Exit(3)), "{mode:?}");
        scene.assert_unharmed();
    }
}

/// Control: the same word with the number of the present use is delivered. Seen to fail without the refusal of what a reload
/// has taken away.
#[test]
fn a4_a_slot_that_a_reload_gives_to_another_actor_takes_nothing_for_the_former() {
    for &mode in modes() {
        let mut scene = Scene::with_prey(mode);
        let mut voice = Voice::to::<TalkRef>(&mut scene.evil);
        let leave = framed(voice.header("leave", 0), &Extensions::default(), &[]);
        let other = Scene::manifest(&PREY.replace("prey/one", "prey/two"), "");
        let (text, outcome) = scene.reload(Verb::Reload(ReloadMode::Widening), &other);
        assert_eq!(outcome, Outcome::Done, "{mode:?}: {text}");
        // What is said of an earlier use, or of none, comes back, or ends the link; and ends nobody.
        scene.evil.send(voice.link(), &leave);
        let mut voice = Voice::to::<TalkRef>(&mut scene.evil);
        let life = scene.worker("prey").generation;
        assert_eq!(scene.worker("prey").last_cause, None, "{mode:?}: {}", scene.journal());
        assert_eq!(voice.ask(&mut scene.evil, "leave", &[]), Said::Closed);
        let row = scene.wait_for_life("prey", life + 1);
        assert_eq!(row.last_cause, Some(Cause::Exit(3)), "{mode:?}");
        scene.assert_unharmed();
    }
}

/// Control: the same ask with the number of the present use is answered. Seen to fail without the comparison of a slot with
/// its generation.
#[test]
fn a4_the_place_of_somebody_who_was_introduced_leads_to_nobody_who_came_after() {
    let shelf = Shelf::new();
    let number = |said: Said| u32::from_le_bytes(said.reply().try_into().expect("a number"));
    for &mode in modes() {
        let mut scene = Scene::with_deputies(mode, &shelf);
        let mut host = Voice::to::<WardenRef>(&mut scene.evil);
        assert!(matches!(host.ask(&mut scene.evil, "guest", &encoded(&1_u32)), Said::Reply(..)));
        let mut one = host.introduced::<GuestRef>(&mut scene.evil, STATIC_SLOTS);
        assert_eq!(number(one.ask(&mut scene.evil, "number", &[])), 1, "{mode:?}");
        one.release(&mut scene.evil);
        // Whom a reload grants less still speaks of the same slots.
        let to = "to = \"careful\"\n";
        let fewer = shelf.deputies().replace(to, &[to, "methods = [\"guest\"]\n"].concat());
        let (text, outcome) = scene.reload(Verb::Reload(ReloadMode::Narrow), &Scene::manifest(&fewer, ""));
        assert_eq!(outcome, Outcome::Done, "{mode:?}: {text}");
        assert!(matches!(host.ask(&mut scene.evil, "guest", &encoded(&2_u32)), Said::Reply(..)));
        let mut two = host.introduced::<GuestRef>(&mut scene.evil, STATIC_SLOTS);
        assert_eq!(two.generation(), one.generation() + 1, "{mode:?}");
        let said = one.ask(&mut scene.evil, "number", &[]);
        assert!(matches!(said, Said::Failure(Failure::NotDelivered(_))), "{mode:?}: {said:?}");
        assert_eq!(number(two.ask(&mut scene.evil, "number", &[])), 2, "{mode:?}");
        scene.assert_first_life("careful");
        scene.assert_first_life("evil");
        scene.assert_unharmed();
    }
}

/// What evil reads from a descriptor.
fn text(evil: &mut Evil, fd: i64) -> Vec<u8> {
    let room = evil.place(&[0; 64]);
    let read = evil.call(libc::SYS_pread64, &[fd.into(), room.into(), 64.into(), 0.into()]).number();
    evil.peek(room, usize::try_from(read).expect("it was read"))
}

/// Paths that lead to the file beside the folder, and whether they do for whoever opens them without a thought.
fn ways_out(secret: &Path) -> Vec<(Vec<u8>, bool)> {
    let secret = secret.to_str().expect("text");
    let proc = format!("/proc/self/root{secret}");
    let mut ways: Vec<_> = ["../secret", "link", "up/secret", "./../secret", "up/shelf/../secret", secret]
        .map(|way| (way.as_bytes().to_vec(), true))
        .into();
    let more =
        [proc.as_str(), "..", ".", "", "/", "open/../../secret", "open\0", "../secret\0x", "link/", "up"];
    ways.extend(more.map(|way| (way.as_bytes().to_vec(), false)));
    ways.push((b"../secret\xff".to_vec(), false));
    ways.push((vec![b'a'; 60_000], false));
    ways.push((b"../".repeat(400).into_iter().chain(*b"etc/passwd").collect(), false));
    ways
}

/// Control: somebody who joins the path to the folder hands the file beside it out. Seen to fail without the way of opening
/// files that leads nowhere but downwards.
#[test]
fn a9_nobody_careful_is_led_out_of_the_folder_that_it_hands_files_out_of() {
    let shelf = Shelf::new();
    for &mode in modes() {
        let mut scene = Scene::with_deputies(mode, &shelf);
        let written = |path: &[u8]| [&(path.len() as u64).to_le_bytes(), path].concat();
        let mut careless = Voice::to::<DupeRef>(&mut scene.evil);
        for (way, _) in ways_out(&shelf.secret()).iter().filter(|(_, leads)| *leads) {
            let handed = careless.ask(&mut scene.evil, "fetch", &written(way)).descriptor();
            assert_eq!(text(&mut scene.evil, handed), SECRET, "{mode:?} {}", String::from_utf8_lossy(way));
        }
        let mut careful = Voice::to::<WardenRef>(&mut scene.evil);
        let handed = careful.ask(&mut scene.evil, "fetch", &written(b"open")).descriptor();
        assert_eq!(text(&mut scene.evil, handed), OPEN, "{mode:?}: what it is for");
        for (way, _) in ways_out(&shelf.secret()) {
            let shown = String::from_utf8_lossy(&way[..way.len().min(40)]).into_owned();
            match careful.ask(&mut scene.evil, "fetch", &written(&way)) {
                Said::Reply(reply, handed) => {
                    assert_eq!((reply, handed), (encoded(&1_u32), vec![]), "{mode:?} {shown}");
                }
                said => assert!(said.is_refused(), "{mode:?} {shown}: {said:?}"),
            }
        }
        scene.assert_first_life("careful");
        scene.assert_first_life("evil");
        scene.assert_unharmed();
    }
}

/// Control: a descriptor that came with the ask is taken. Seen to fail without the refusal of numbers that nothing came
/// with, and of what nobody names.
#[test]
fn a9_a_payload_names_no_descriptor_and_no_actor_that_was_not_handed_over_with_it() {
    for &mode in modes() {
        let mut scene = Scene::with_parrot(mode, "");
        let mut voice = Voice::to::<TalkRef>(&mut scene.evil);
        let memory = scene.evil.call(libc::SYS_memfd_create, &["file".into(), 0.into()]).number();
        let said = voice.ask_with(&mut scene.evil, "read", &encoded(&0_u16), &[memory]);
        assert_eq!(said.reply(), encoded(&0_u64), "{mode:?}");
        for number in [0_u16, 1, 3, u16::MAX] {
            let said = voice.ask(&mut scene.evil, "read", &encoded(&number));
            assert!(said.is_undecodable(), "{mode:?} {number}: {said:?}");
        }
        // One that comes and is not named, and one that is named twice over.
        let said = voice.ask_with(&mut scene.evil, "word", &encoded(&0_u32), &[memory]);
        assert!(said.is_undecodable(), "{mode:?}: {said:?}");
        let said = voice.ask_with(&mut scene.evil, "read", &encoded(&1_u16), &[memory]);
        assert!(said.is_undecodable(), "{mode:?}: {said:?}");
        assert_ne!(scene.evil.order("where"), Answer::Died);
        scene.assert_first_life("parrot");
        scene.assert_unharmed();
    }
}
