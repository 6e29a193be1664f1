//! Whatever is written in whatever pieces, and wherever that is interrupted: the files hold the end of it, in order, each line once.

use proptest::collection::vec;
use proptest::prelude::{Strategy, any, prop_assert, prop_assert_eq, prop_oneof, proptest};
use tempfile::{TempDir, tempdir};

use super::*;

const SMALL: Bounds = Bounds { bytes: 600, files: 3 };

fn folder() -> TempDir {
    tempdir().expect("there is room")
}

fn run(pid: u32) -> Run {
    Run { pid, started: "2026-05-01T12:00:00.000Z".into(), started_mono_ns: 7 }
}

fn line(number: u64, length: usize) -> String {
    format!(
        "{{\"schema_version\":1,\"number\":{number},\"time_mono_ns\":{number},\"text\":\"{}\"}}\n",
        "x".repeat(length)
    )
}

fn opened(folder: &TempDir, bounds: Bounds) -> (LogFiles, Option<Found>) {
    LogFiles::open(folder.path(), bounds).expect("the folder is there")
}

/// Opens the files and goes on, as after a crash.
fn again(folder: &TempDir, bounds: Bounds) -> LogFiles {
    let (mut files, found) = opened(folder, bounds);
    let last = found.map_or(0, |found| found.last);
    files.begin(&run(1), last).expect("there is room");
    assert_eq!(files.last(), last);
    files
}

/// Everything that stands in the files, the oldest first, and how many bytes that is.
fn all(folder: &TempDir, bounds: Bounds) -> (Vec<String>, u64) {
    let texts =
        (0..bounds.files).rev().filter_map(|number| fs::read_to_string(path(folder.path(), number)).ok());
    let texts: Vec<_> = texts.collect();
    assert!(
        texts
            .iter()
            .all(|text| text.len() as u64 <= bounds.bytes && (text.is_empty() || text.ends_with('\n')))
    );
    let bytes = texts.iter().map(|text| text.len() as u64).sum();
    (texts.iter().flat_map(|text| text.lines()).map(|line| format!("{line}\n")).collect(), bytes)
}

fn lines(folder: &TempDir, bounds: Bounds) -> Vec<String> {
    all(folder, bounds).0.into_iter().filter(|line| line.as_bytes().starts_with(NUMBER)).collect()
}

/// What happens to the files.
#[derive(Clone, Debug)]
enum Step {
    Put(usize),
    Flush,
    /// The process dies, and its last line was cut there.
    Die(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..700_usize).prop_map(Step::Put),
        2 => any::<bool>().prop_map(|_| Step::Flush),
        1 => (0..50_usize).prop_map(Step::Die),
    ]
}

proptest! {
    #[test]
    fn the_files_hold_the_end_of_all_lines_in_order_and_never_more_than_the_bound(steps in vec(step(), 0..60)) {
        let folder = folder();
        let mut files = again(&folder, SMALL);
        let (mut number, mut expected) = (0, Vec::new());
        for step in steps {
            match step {
                Step::Put(length) => {
                    number += 1;
                    if files.put(number, &line(number, length)).expect("there is room") {
                        expected.push((number, line(number, length)));
                    }
                }
                Step::Flush => files.flush().expect("there is room"),
                Step::Die(cut) => {
                    drop(files);
                    let torn = &line(number + 1, 100).into_bytes()[..cut];
                    let mut last = OpenOptions::new().append(true).open(path(folder.path(), 0)).expect("it is there");
                    last.write_all(torn).expect("there is room");
                    files = again(&folder, SMALL);
                    // What was not written is asked for again.
                    expected.retain(|(number, _)| *number <= files.last());
                }
            }
        }
        files.flush().expect("there is room");
        let expected: Vec<_> = expected.into_iter().map(|(_, line)| line).collect();
        let (_, bytes) = all(&folder, SMALL);
        prop_assert!(bytes <= SMALL.bytes * u64::from(SMALL.files), "{} bytes", bytes);
        let found = lines(&folder, SMALL);
        prop_assert!(expected.ends_with(&found), "{:?} is not the end of {:?}", found, expected);
        prop_assert_eq!(found.is_empty(), expected.is_empty());
    }

    #[test]
    fn whatever_stands_in_the_files_is_read_to_its_end(bytes in vec(any::<u8>(), 0..2000), more in ".*") {
        let folder = folder();
        fs::write(path(folder.path(), 0), [&bytes[..], b"\n", NUMBER, more.as_bytes()].concat()).expect("there is room");
        fs::write(path(folder.path(), 1), [RUN, &bytes[..]].concat()).expect("there is room");
        let (mut files, _) = opened(&folder, SMALL);
        files.begin(&run(1), 0).expect("there is room");
        prop_assert!(files.put(1, &line(1, 10)).expect("there is room"));
        files.flush().expect("there is room");
        prop_assert_eq!(opened(&folder, SMALL).1.map(|found| (found.run, found.last)), Some((run(1), 1)));
    }
}

#[test]
fn each_file_says_whose_numbers_it_has_and_another_supervisor_begins_anew() {
    let folder = folder();
    assert_eq!(opened(&folder, SMALL).1, None);
    let mut files = again(&folder, SMALL);
    for number in 1..=20 {
        assert!(files.put(number, &line(number, 100)).expect("there is room"));
    }
    files.flush().expect("there is room");
    let (found, _) = all(&folder, SMALL);
    let heads: Vec<_> = found.iter().filter(|line| line.as_bytes().starts_with(RUN)).collect();
    let head = "{\"schema_version\":1,\"run\":{\"pid\":1,\"started\":\"2026-05-01T12:00:00.000Z\",\"started_mono_ns\":7}}\n";
    assert_eq!(heads, [head; 3]);
    let (mut files, found) = opened(&folder, SMALL);
    assert_eq!(found, Some(Found { run: run(1), last: 20, at_mono_ns: Some(20) }));
    files.begin(&run(2), 0).expect("there is room");
    assert_eq!(opened(&folder, SMALL).1, Some(Found { run: run(2), last: 0, at_mono_ns: None }));
    assert!(files.put(1, &line(1, 10)).expect("there is room"));
    files.flush().expect("there is room");
    let (found, _) = all(&folder, SMALL);
    assert!(found[found.len() - 2].contains("\"pid\":2") && found.ends_with(&[line(1, 10)]), "{found:?}");
}

#[test]
fn a_number_is_found_where_the_latest_file_is_missing_or_has_none_yet() {
    let folder = folder();
    let mut files = again(&folder, SMALL);
    assert!(files.put(7, &line(7, 100)).expect("there is room"));
    files.flush().expect("there is room");
    files.rotate().expect("there is room");
    let expected = Some(Found { run: run(1), last: 7, at_mono_ns: Some(7) });
    assert_eq!(opened(&folder, SMALL).1, expected, "it is empty");
    fs::remove_file(path(folder.path(), 0)).expect("it is there");
    assert_eq!(opened(&folder, SMALL).1, expected, "it is gone");
    fs::write(path(folder.path(), 0), &files.head).expect("there is room");
    assert_eq!(opened(&folder, SMALL).1, expected, "it has but its head");
}

#[test]
fn a_line_that_no_file_can_hold_is_left_out_and_one_that_just_fits_is_not() {
    let folder = folder();
    let mut files = again(&folder, SMALL);
    let room = SMALL.bytes as usize - files.head.len() - line(1, 0).len();
    assert!(!files.put(1, &line(1, room + 1)).expect("there is room"));
    assert!(files.put(2, &line(2, room)).expect("there is room"));
    files.flush().expect("there is room");
    assert_eq!(lines(&folder, SMALL), [line(2, room)]);
    assert_eq!(all(&folder, SMALL).1, SMALL.bytes);
}

#[test]
fn what_is_no_file_is_not_written() {
    let folder = folder();
    std::os::unix::fs::symlink("/dev/null", path(folder.path(), 0)).expect("the folder is ours");
    let error = LogFiles::open(folder.path(), SMALL).expect_err("it is no file");
    assert!(error.to_string().ends_with("log.jsonl is no file: remove it"), "{error}");
}
