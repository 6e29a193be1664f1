//! A. The first words over a fresh link, and those of a former life said again.

use bailiwick_supervisor::control::Cause;
use bailiwick_tests::fixture::TalkRef;
use bailiwick_wire::audit::Evidence;
use bailiwick_wire::control::{ToSupervisor, ToWorker};
use bailiwick_wire::frame::{Frames, Header, Kind};
use bailiwick_wire::handshake::{Hello, Uses, WIRE_VERSION};
use nix::libc;

use crate::a_identity::well_formed;
use crate::a_words::frame;
use crate::orders::{Answer, Evil};
use crate::support::{Scene, modes};
use crate::voice::{Said, Voice, encoded};
use crate::wire::LINE;

/// Has the supervisor make links anew, and takes them before the runtime hears of them.
#[track_caller]
fn fresh_links(evil: &mut Evil, count: usize) -> Vec<i64> {
    evil.silence(LINE);
    let place = evil.place_for_a_packet().expect("it lives");
    for peer in 0..8 {
        let again = ToSupervisor::Reopen { peer, generation: 1, fault: 1, evidence: Evidence::default() };
        assert!(evil.send(LINE, &again.to_bytes()).did());
    }
    let mut links = Vec::new();
    while links.len() < count {
        assert!(evil.wait_to_hear(LINE));
        let (order, attached) = evil.receive(LINE, place).expect("the supervisor lives");
        if matches!(ToWorker::from_bytes(&order), Ok(ToWorker::Link { .. })) {
            links.extend(attached);
        }
    }
    // Their memory was laid into them first.
    for link in &links {
        evil.receive(*link, place).expect("the supervisor made it");
    }
    links
}

/// A greeting in this version, of one who takes so much of everything.
fn hello(version: u16, most: u16) -> Vec<u8> {
    let number = if most == u16::MAX { u32::MAX } else { most.into() };
    let hello = Hello { version, message_bytes: number, message_fds: most, items: number, watches: number };
    frame(Header::new(Kind::Hello), &encoded(&hello))
}

/// Returns the kinds of the frames that come over a link, up to one of these.
#[track_caller]
fn heard(evil: &mut Evil, link: i64, last: &[Kind]) -> Vec<Header> {
    let place = evil.place_for_a_packet().expect("it lives");
    let mut seen: Vec<Header> = Vec::new();
    while !seen.iter().any(|header| last.contains(&header.kind)) && evil.wait_to_hear(link) {
        let Some((packet, _)) = evil.receive(link, place) else { break };
        seen.extend(Frames::new(&packet).map(|frame| frame.expect("an honest peer writes it").header));
    }
    seen
}

/// Control: a greeting is answered. Seen to fail without the refusal of what comes before a greeting.
#[test]
fn a12_the_first_words_over_a_fresh_link_are_a_greeting_or_deadly() {
    let ask = Header { slot: 0, generation: 1, correlation: 1 << 16, ..Header::new(Kind::Ask) };
    let ack = || Header::new(Kind::HelloAck).to_bytes().to_vec();
    let nothing = || frame(Header::new(Kind::Uses), &encoded(&Uses(Vec::new())));
    let greeting = || hello(WIRE_VERSION, 32);
    let deadly = [
        ("a word", well_formed()),
        ("the answer to a greeting", ack()),
        ("what it will use", nothing()),
        ("an ask", frame(ask, &[])),
        ("two greetings", greeting().repeat(2)),
        ("a greeting and an ask", [greeting(), frame(ask, &[])].concat()),
        ("the answer, and then a greeting", [ack(), greeting()].concat()),
        ("no frame at all", vec![0xa5; 200]),
    ];
    let harmless = [
        ("nothing", Vec::new()),
        ("a greeting of another version", hello(u16::MAX, 1)),
        ("one who takes nothing", hello(WIRE_VERSION, 0)),
        ("one who takes everything", hello(WIRE_VERSION, u16::MAX)),
    ];
    for &mode in modes() {
        let mut scene = Scene::new(mode, "");
        for link in fresh_links(&mut scene.evil, 2) {
            assert!(scene.evil.send(link, &[greeting(), ack()].concat()).did());
            let seen = heard(&mut scene.evil, link, &[Kind::HelloAck]);
            assert!(seen.iter().any(|header| header.kind == Kind::HelloAck), "{mode:?}: {seen:?}");
        }
        assert_eq!(scene.evil.order("die abort"), Answer::Died);
        scene.meet_again(2);
        let mut life = 2;
        for (is_deadly, (what, packet)) in
            deadly.iter().map(|one| (true, one)).chain(harmless.iter().map(|one| (false, one)))
        {
            for link in fresh_links(&mut scene.evil, 2) {
                if !packet.is_empty() && scene.evil.send(link, packet) == Answer::Died {
                    break;
                }
            }
            if !is_deadly {
                assert_eq!(scene.evil.order("die abort"), Answer::Died, "{mode:?} {what}");
            }
            life += 1;
            scene.meet_again(life);
            let cause = scene.worker("evil").last_cause;
            assert_eq!(cause == Some(Cause::Accused), is_deadly, "{mode:?} {what}: {}", scene.journal());
        }
        // Its own complaints use up what is recorded of it, and the rest is counted.
        scene.assert_audited(2..4);
        scene.assert_unharmed();
    }
}

/// One who says back what it is told, to evil once over all its lives.
const ONCE: &str = r#"
[worker.parrot]
exec = "tw"
actor.parrot = { type = "Parrot" }
[[grant]]
from = "evil"
to = "parrot"
methods = ["word"]
once = true
"#;

/// Control: the first time it is answered. Seen to fail without the memory of what was used that is longer than a life.
#[test]
fn a13_what_a_former_life_has_said_does_no_more_when_it_is_said_again() {
    for &mode in modes() {
        let mut scene = Scene::with(mode, "", ONCE, &[]);
        scene.wait_for_life("parrot", 1);
        let word = encoded(&0_u32);
        let mut voice = Voice::to::<TalkRef>(&mut scene.evil);
        let header = voice.header("word", 0);
        let said = [voice.named(), frame(header, &word)];
        assert!(scene.evil.send(voice.link(), &said[1]).did());
        assert!(matches!(voice.answer(&mut scene.evil, header.correlation), Said::Reply(..)), "{mode:?}");
        assert_eq!(scene.evil.order("die abort"), Answer::Died);
        scene.meet_again(2);
        // To each of three, since nobody says which link is whose.
        for link in fresh_links(&mut scene.evil, 3) {
            let greeting =
                [hello(WIRE_VERSION, 32), Header::new(Kind::HelloAck).to_bytes().to_vec()].concat();
            for packet in [&greeting, &said[0], &said[1]] {
                scene.evil.send(link, packet);
            }
            if scene.evil.call(libc::SYS_getpid, &[]) == Answer::Died {
                break;
            }
            let seen = heard(&mut scene.evil, link, &[Kind::Failure, Kind::Close, Kind::Reply]);
            assert!(seen.iter().all(|header| header.kind != Kind::Reply), "{mode:?}: {seen:?}");
        }
        let row = scene.worker("parrot");
        assert_eq!(row.generation, 1, "{mode:?}: {}", scene.journal());
        scene.assert_unharmed();
    }
}
