//! What a report holds reads back, and what it does not hold is refused.

use std::sync::atomic::{AtomicU64, Ordering};

use proptest::collection::vec;
use proptest::prelude::{any, proptest};

use super::*;
use crate::denials::{self, DENIALS_BYTES, Denial, TOLD_MAX};
use crate::last_words::{GaveUp, MESSAGE_BYTES, Panic, Step, Testament};
use crate::slate::{SLATE_BYTES, TESTAMENT_AT};

fn report() -> Report {
    Report {
        worker: "web".into(),
        instance: 2,
        numbered: true,
        group: "front".into(),
        generation: 3,
        pid: Some(4711),
        executable: Some([0xab; 32]),
        began: Moment { wall: Duration::from_secs(1_763_719_200), monotonic_ns: 5_000_000_000 },
        ended: Moment { wall: Duration::from_millis(1_763_719_201_500), monotonic_ns: 6_500_000_000 },
        cause: Cause::Signal(11),
        end: End::Signalled { signal: 11, core: true },
        sent: vec![Sent { signal: 15, at_ns: 6_000_000_000 }],
        last_state: "ready".into(),
        ready_for: Some(Duration::from_secs(1)),
        budget: Budget { charged: true, left: 4, max: 5, period: Duration::from_secs(30), failures: 1 },
        decision: Decision {
            action: "restart".into(),
            detail: "restarts now".into(),
            pause: Some(Pause { delay: Duration::ZERO, until_ns: 6_500_000_000 }),
        },
        steps: vec!["the group front stops".into()],
        usage: Usage {
            user: Duration::from_millis(1),
            system: Duration::from_nanos(2),
            peak_memory_bytes: 3,
        },
        counters: Counters { oom_kills: Some(0), ..Counters::default() },
        at_work: Some(Poll { since_ns: 6_400_000_000, actor: "front".into(), method: "Web.get".into() }),
        last_words: LastWords::default(),
        denials: vec![Denial { number: 41, count: 2, actor: "front".into(), ..Denial::default() }],
        untold_denials: 1,
        snapshot: vec![1, 2, 3],
        backtraces: vec![4, 5],
        cut: Cut { snapshot_bytes: 0, backtraces_bytes: 7 },
        core: Some(Core::File("/srv/core.*".into())),
        last_lines: vec!["listens".into(), "panicked".into()],
    }
}

#[test]
fn a_report_reads_back() {
    let bytes = report().to_bytes();
    assert_eq!(Report::from_bytes(&bytes), Ok(report()));
    assert_eq!(&bytes[..5], b"BWCR\x05");
}

#[test]
fn its_beginning_follows_from_its_end() {
    let known = report().began;
    let found = Report { began: Moment::default(), ..report() }.having_lived(Duration::from_millis(1500));
    assert_eq!(found.began, known);
    let longer = report().having_lived(Duration::MAX).began;
    assert_eq!(longer, Moment::default());
}

#[test]
fn no_cut_of_a_report_is_one() {
    let bytes = report().to_bytes();
    for end in 0..bytes.len() {
        assert!(Report::from_bytes(&bytes[..end]).is_err(), "cut at {end}");
    }
    assert!(Report::from_bytes(&[&bytes[..], &[0]].concat()).is_err());
}

#[test]
fn a_report_of_another_build_is_said_to_be_one() {
    let mut bytes = report().to_bytes();
    bytes[4] = LAYOUT + 1;
    let error = Report::from_bytes(&bytes).unwrap_err();
    assert!(error.to_string().contains("different builds"), "{error}");
}

#[test]
fn the_largest_report_fits_and_keeps_the_last_of_its_lines() {
    let long = || "\u{20ac}".repeat(4000);
    let panic =
        Panic { message: long(), location: long(), thread: long(), actor: long(), at_ns: 0, count: 1 };
    let chain = (0..50).map(|_| Step { actor: long(), why: long() }).collect();
    let slate: Vec<_> = (0..SLATE_BYTES / 8).map(|_| AtomicU64::new(0)).collect();
    let testament = Testament::of(&slate).unwrap();
    testament.build_id(&[7; 24]);
    testament.panic(&panic);
    testament.gave_up(&GaveUp { chain });
    let copy: Vec<u8> = slate.iter().flat_map(|word| word.load(Ordering::Relaxed).to_ne_bytes()).collect();
    let large = Report {
        worker: long(),
        group: long(),
        end: End::NotStarted { step: "change of user".into(), errno: 1 },
        decision: Decision { action: long(), detail: long(), pause: None },
        sent: vec![Sent { signal: 9, at_ns: 1 }; 100],
        steps: vec![long(); 100],
        last_words: LastWords::from_bytes(&copy[TESTAMENT_AT..]),
        denials: denials::read(&[0xff; DENIALS_BYTES]).0,
        snapshot: vec![7; 100_000],
        backtraces: vec![7; 100_000],
        core: Some(Core::Program(long())),
        last_lines: (0..50).map(|number| format!("{number} {}", long())).collect(),
        ..report()
    };
    assert_eq!(large.last_words.panic.as_ref().map(|panic| panic.message.len()), Some(MESSAGE_BYTES - 1));
    let bytes = large.to_bytes();
    assert!(bytes.len() <= REPORT_BYTES, "{} bytes", bytes.len());
    let found = Report::from_bytes(&bytes).unwrap();
    assert_eq!((found.snapshot.len(), found.backtraces.len()), (SECTION_BYTES, SECTION_BYTES));
    let lost = 100_000 - SECTION_BYTES as u32;
    assert_eq!(found.cut, Cut { snapshot_bytes: lost, backtraces_bytes: lost + 7 });
    assert_eq!(Report::from_bytes(&found.clone().to_bytes()).unwrap().cut, found.cut);
    assert!(found.last_lines.len() >= 8, "{} lines", found.last_lines.len());
    assert_eq!((found.sent.len(), found.steps.len()), (8, STEPS_MAX));
    assert_eq!(found.denials.len(), 2 * TOLD_MAX);
    assert!(found.last_lines.last().is_some_and(|line| line.starts_with("49 ")), "{:?}", found.last_lines);
}

#[test]
fn a_step_is_added_to_the_report_of_its_life_only() {
    let bytes = report().to_bytes();
    assert_eq!(Report::followed_by(&bytes, 2, "later"), None);
    let found = Report::from_bytes(&Report::followed_by(&bytes, 3, "later").unwrap()).unwrap();
    assert_eq!(found.steps, ["the group front stops", "later"]);
    assert_eq!(Report { steps: report().steps, ..found }, report());
}

proptest! {
    #[test]
    fn no_bytes_make_the_reader_panic(bytes in vec(any::<u8>(), 0..2048)) {
        let _ = Report::from_bytes(&[&MAGIC[..], &[LAYOUT], &bytes].concat());
        let _ = Report::from_bytes(&bytes);
    }

    #[test]
    fn a_report_with_a_changed_byte_is_refused_or_reads_back_alike(at in 5usize..200, byte in any::<u8>()) {
        let mut bytes = report().to_bytes();
        bytes[at] = byte;
        if let Ok(found) = Report::from_bytes(&bytes) {
            let again = Report::from_bytes(&found.clone().to_bytes());
            proptest::prop_assert_eq!(again, Ok(found));
        }
    }
}
