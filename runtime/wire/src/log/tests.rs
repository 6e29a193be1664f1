//! Whatever is printed by whom, the bounds hold, and what is not told is counted.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::{Strategy, any, prop_assert, prop_assert_eq, prop_oneof, proptest};

use super::memory::{Bounds, SOURCE_COST};
use super::*;

fn source(number: u16) -> Rc<Source> {
    Rc::new(Source { worker: format!("w{}", number / 2), instance: number % 2 + 1, numbered: true })
}

fn said(text: &str) -> Said {
    let at = Moment { wall: Duration::from_millis(7), monotonic_ns: 8 };
    Said { at, generation: 1, priority: Priority::Notice, text: text.to_owned(), event: None }
}

fn told(log: &Log, after: u64) -> Vec<Line> {
    log.after(after, &Target::System).collect()
}

#[test]
fn lines_of_all_are_told_in_the_order_in_which_they_came() {
    let mut log = Log::default();
    let (web, db) = (source(0), source(2));
    for (who, text) in [(&web, "a"), (&db, "b"), (&web, "c"), (&web, "d"), (&db, "e")] {
        log.push(who, said(text));
    }
    let shown = |after, target: &Target| {
        log.after(after, target).map(|line| (line.number, line.said.text)).collect::<Vec<_>>()
    };
    let pairs = |texts: &[(u64, &str)]| texts.iter().map(|(n, t)| (*n, (*t).to_owned())).collect::<Vec<_>>();
    assert_eq!(shown(0, &Target::System), pairs(&[(1, "a"), (2, "b"), (3, "c"), (4, "d"), (5, "e")]));
    assert_eq!(shown(3, &Target::System), pairs(&[(4, "d"), (5, "e")]));
    assert_eq!(shown(2, &Target::Worker("w1".into())), pairs(&[(5, "e")]));
    assert_eq!(shown(0, &Target::Instance("w0".into(), 1)), pairs(&[(1, "a"), (3, "c"), (4, "d")]));
    assert_eq!(shown(0, &Target::Instance("w0".into(), 2)), []);
    assert_eq!(
        (shown(5, &Target::System), shown(6, &Target::System).len()),
        (vec![], 5),
        "another supervisor"
    );
    assert!(log.knows(&Target::Worker(SUPERVISOR.into())) && !log.knows(&Target::Worker("w2".into())));
}

#[test]
fn of_one_source_the_last_thousand_lines_are_remembered() {
    let (mut log, web) = (Log::default(), source(0));
    for _ in 0..=LINES_EACH {
        log.push(&web, said(""));
    }
    let lines = told(&log, 0);
    assert_eq!((lines.len(), lines[0].number, lines[0].count.nth), (LINES_EACH, 2, 2));
    assert_eq!(lines[0].count.lost_since(Count::default()), Lost { dropped: 0, forgotten: 1 });
}

#[test]
fn hundreds_that_print_without_end_share_what_there_is() {
    let (mut log, calm) = (Log::default(), source(9999));
    log.push(&calm, said("all is well"));
    let line = "x".repeat(200);
    let sources: Vec<_> = (0..300).map(source).collect();
    for _ in 0..400 {
        sources.iter().for_each(|source| log.push(source, said(&line)));
    }
    assert!(log.bytes() <= BYTES_MAX && log.bytes() > BYTES_MAX * 9 / 10, "{}", log.bytes());
    let lines = told(&log, 0);
    let mut shares: BTreeMap<Source, usize> = BTreeMap::new();
    lines.iter().for_each(|line| *shares.entry(line.source.clone()).or_default() += 1);
    assert_eq!((shares.len(), shares[&*calm]), (301, 1), "who is calm loses nothing");
    let fair = BYTES_MAX / 300 / (line.len() + LINE_COST);
    for (source, share) in shares.iter().filter(|(source, _)| **source != *calm) {
        assert!((fair * 4 / 5..=fair * 6 / 5).contains(share), "{source:?} has {share} of {fair}");
    }
}

#[test]
fn who_is_silent_for_longest_gives_way_to_a_new_source_and_the_supervisor_never() {
    let mut log = Log::within(Bounds { lines_each: 9, source_bytes: 9999, bytes: 99_999, sources: 3 });
    for number in [0, 1, 0, 2] {
        log.push(&source(number), said("x"));
    }
    let known = |log: &Log| told(log, 0).into_iter().map(|line| line.source).collect::<Vec<_>>();
    assert_eq!(known(&log), [0, 0, 2].map(|number| (*source(number)).clone()));
    assert!(log.knows(&Target::Worker(SUPERVISOR.into())));
    assert_eq!(log.bytes(), 3 * SOURCE_COST + 3 * (LINE_COST + 1));
}

#[test]
fn the_last_lines_of_one_life_are_those_that_it_printed() {
    let (mut log, web) = (Log::default(), source(0));
    for (generation, text) in [(1, "a"), (1, "b"), (2, "c"), (1, "d"), (2, "e")] {
        log.push(&web, Said { generation, ..said(text) });
    }
    assert_eq!(log.last_of(&web, 1), ["a", "b", "d"]);
    assert_eq!((log.last_of(&web, 2), log.last_of(&web, 3)), (vec!["c".to_owned(), "e".to_owned()], vec![]));
    assert_eq!(log.last_of(&source(1), 1), [""; 0]);
    (0..60).for_each(|number| log.push(&web, said(&number.to_string())));
    let last = log.last_of(&web, 1);
    assert_eq!((last.len(), &*last[0], &*last[49]), (50, "10", "59"));
    log.push(&web, said(&"x".repeat(TEXT_BYTES)));
    assert_eq!(log.last_of(&web, 1).len(), 1);
    log.push(&web, said("y"));
    assert_eq!(log.last_of(&web, 1), ["y"]);
}

#[test]
fn the_longest_line_travels_and_a_longer_one_is_cut() {
    let (mut log, web) = (Log::default(), Rc::new(Source { worker: "w".repeat(63), ..(*source(0)).clone() }));
    log.push(&web, said(&"\u{20ac}".repeat(TEXT_BYTES)));
    log.push(&web, said("short"));
    let packet = log.packet(0, &Target::System).expect("there are lines");
    assert!(packet.len() <= PACKET_BYTES, "{}", packet.len());
    let lines = read(&packet).expect("it was just written");
    assert_eq!((lines.len(), lines[0].said.text.len()), (2, TEXT_BYTES / 3 * 3));
}

#[test]
fn the_largest_event_travels() {
    let (mut log, web) = (Log::default(), Rc::new(Source { worker: "w".repeat(63), ..(*source(0)).clone() }));
    let event = |value: usize| {
        let fields = (0..FIELDS_MAX).map(|number| (format!("{number:02}"), "v".repeat(value))).collect();
        Some(Box::new(Event { fields, trace: "0".repeat(32), ..Event::default() }))
    };
    let room = (TEXT_BYTES - 32 - 2 * FIELDS_MAX) / FIELDS_MAX;
    log.push(&web, Said { event: event(room), ..said("") });
    log.push(&web, Said { event: event(room + 1), ..said("longer") });
    let packet = log.packet(0, &Target::System).expect("there are lines");
    assert!(packet.len() <= PACKET_BYTES, "{}", packet.len());
    let lines = read(&packet).expect("it was just written");
    assert_eq!((lines.len(), &lines[0].said.event, &lines[1].said.event), (2, &event(room), &None));
    assert!(log.bytes() >= TEXT_BYTES + FIELDS_MAX * 96, "{}", log.bytes());
}

#[test]
fn packets_follow_each_other_until_everything_is_told() {
    let mut log = Log::default();
    for number in 0..2000u16 {
        log.push(&source(number % 7), said(&"y".repeat(usize::from(number) % 300)));
    }
    let (mut seen, mut lines) = (0, Vec::new());
    while let Some(packet) = log.packet(seen, &Target::System) {
        assert!(packet.len() <= PACKET_BYTES);
        let some = read(&packet).expect("it was just written");
        seen = some.last().expect("a packet is not empty").number;
        lines.extend(some);
    }
    assert_eq!(lines, told(&log, 0));
    assert_eq!((log.packet(log.last(), &Target::System), seen), (None, log.last()));
}

#[test]
fn no_cut_of_a_packet_is_one_and_another_build_is_told() {
    let mut log = Log::default();
    log.push(&source(0), said("hello"));
    log.push(&source(1), said("world"));
    let packet = log.packet(0, &Target::System).expect("there are lines");
    assert_eq!(&packet[..5], b"BWLG\x02");
    for end in 0..packet.len() {
        assert!(read(&packet[..end]).is_err(), "cut at {end}");
    }
    assert!(read(&[&packet[..], &[0]].concat()).is_err());
    let mut other = packet.clone();
    other[4] = LAYOUT + 1;
    assert!(read(&other).unwrap_err().to_string().contains("different builds"));
    // A count of lines that no packet holds is refused before there is room made for them.
    let mut many = packet;
    many[5..13].copy_from_slice(&u64::MAX.to_le_bytes());
    assert!(read(&many).is_err());
}

#[derive(Clone, Debug)]
enum Step {
    Print { source: u16, bytes: usize },
    Drop { source: u16 },
    Look,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let source = 0u16..6;
    let step = prop_oneof![
        6 => (source.clone(), 0usize..600).prop_map(|(source, bytes)| Step::Print { source, bytes }),
        2 => source.prop_map(|source| Step::Drop { source }),
        1 => proptest::strategy::Just(Step::Look),
    ];
    vec(step, 0..300)
}

const SMALL: Bounds = Bounds { lines_each: 8, source_bytes: 3000, bytes: 8000, sources: 7 };

/// What a client has learned of one source.
#[derive(Default)]
struct Learned {
    told: u64,
    lost: Lost,
    last: Count,
}

/// Looks after what was seen so far, and counts what is told and what is said to be lost.
fn look(log: &Log, seen: &mut u64, learned: &mut BTreeMap<Source, Learned>) {
    for line in told(log, *seen) {
        assert!(line.number > *seen, "numbers ascend");
        *seen = line.number;
        let learned = learned.entry(line.source.clone()).or_default();
        let lost = line.count.lost_since(learned.last);
        learned.told += 1;
        learned.lost.dropped += lost.dropped;
        learned.lost.forgotten += lost.forgotten;
        learned.last = line.count;
    }
}

proptest! {
    #[test]
    fn the_bounds_hold_and_what_is_not_told_is_counted(steps in steps()) {
        let mut log = Log::within(SMALL);
        let (mut seen, mut learned) = (0, BTreeMap::new());
        let mut printed: BTreeMap<u16, (u64, u64)> = BTreeMap::new();
        for step in &steps {
            match *step {
                Step::Print { source: number, bytes } => {
                    printed.entry(number).or_default().0 += 1;
                    log.push(&source(number), said(&"z".repeat(bytes)));
                }
                Step::Drop { source: number } => {
                    printed.entry(number).or_default().1 += 1;
                    log.drop_line(&source(number));
                }
                Step::Look => look(&log, &mut seen, &mut learned),
            }
            prop_assert!(log.bytes() <= SMALL.bytes);
        }
        look(&log, &mut seen, &mut learned);
        let all: u64 = printed.values().map(|(kept, dropped)| kept + dropped).sum();
        prop_assert_eq!(log.last(), all);
        for (number, (kept, dropped)) in printed {
            let known: Vec<_> = log.after(0, &Target::System).filter(|line| line.source == *source(number)).collect();
            let bytes: usize = known.iter().map(|line| line.said.text.len() + LINE_COST).sum();
            prop_assert!(known.len() <= SMALL.lines_each && bytes <= SMALL.source_bytes);
            let Some(learned) = learned.get(&*source(number)) else { continue };
            let last = learned.last;
            // Up to the last line that was told, everything is told or counted; and only what happened is.
            prop_assert_eq!(learned.told + learned.lost.dropped + learned.lost.forgotten, last.nth);
            prop_assert_eq!(learned.lost.dropped, last.dropped);
            prop_assert!(last.nth <= kept + dropped && last.dropped <= dropped);
        }
    }

    #[test]
    fn no_bytes_make_the_reader_panic(bytes in vec(any::<u8>(), 0..2048)) {
        let _ = read(&[&MAGIC[..], &[LAYOUT], &bytes].concat());
        let _ = read(&bytes);
    }

    #[test]
    fn a_packet_with_a_changed_byte_is_refused_or_reads_back_alike(at in 5usize..300, byte in any::<u8>()) {
        let mut log = Log::default();
        (0..3).for_each(|number| log.push(&source(number), said("hello")));
        let mut bytes = log.packet(0, &Target::System).expect("there are lines");
        let at = at % bytes.len();
        bytes[at.max(5)] = byte;
        if let Ok(lines) = read(&bytes) {
            let again = write(lines.clone()).map(|bytes| read(&bytes));
            prop_assert_eq!(again, Some(Ok(lines)));
        }
    }

    #[test]
    fn whatever_lines_claim_nothing_is_counted_below_zero(one in any::<(u64, u64)>(), other in any::<(u64, u64)>()) {
        let count = |(nth, dropped)| Count { nth, dropped };
        let lost = count(one).lost_since(count(other));
        prop_assert!(lost.dropped.checked_add(lost.forgotten).is_some());
    }
}
