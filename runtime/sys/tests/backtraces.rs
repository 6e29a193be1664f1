//! Processes that die in different ways, and what they leave of where their threads stood.

#![expect(clippy::unwrap_used, reason = "functions beside the tests are test code as well")]

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;

use bailiwick_sys::backtrace;
use bailiwick_sys::slate::{self, Slate};
use nix::sys::signal::{Signal, raise};

const BYTES: usize = 16 << 10;
/// How the process is to die.
const WAY: &str = "BACKTRACE_TEST_DIES_BY";

/// Dies as the environment says; nothing when it says nothing.
#[test]
fn the_one_that_dies() {
    let Ok(way) = std::env::var(WAY) else { return };
    let slate = Slate::new(BYTES).unwrap();
    backtrace::leave_in(slate::map(slate.as_fd(), BYTES).unwrap()).unwrap();
    backtrace::list_threads_by(File::open("/proc/self/task").unwrap().into());
    let (tell, told) = mpsc::channel();
    thread::Builder::new().name("waiting".to_owned()).spawn(move || wait_for_ever(&tell)).unwrap();
    told.recv().unwrap();
    println!("\nslate {}", slate.as_fd().as_raw_fd());
    // Until the other one has it open.
    std::io::stdin().read_exact(&mut [0]).unwrap();
    match way.as_str() {
        "abort" => std::process::abort(),
        "overflow" => drop(dig(1)),
        "segv" => raise(Signal::SIGSEGV).unwrap(),
        "nowhere" => touch_nothing(),
        "elsewhere" => thread::Builder::new()
            .name("other".to_owned())
            .spawn(|| std::process::abort())
            .unwrap()
            .join()
            .unwrap(),
        other => panic!("no way to die by {other}"),
    }
}

#[inline(never)]
fn wait_for_ever(tell: &mpsc::Sender<()>) {
    tell.send(()).unwrap();
    loop {
        thread::park();
    }
}

/// Reads where no memory is, far from any stack.
fn touch_nothing() {
    let nowhere = std::hint::black_box(std::ptr::without_provenance::<u8>(1 << 20));
    // SAFETY: there is no memory below the lowest address that may be mapped, so the process ends here.
    println!("read {}", unsafe { nowhere.read_volatile() });
}

#[inline(never)]
fn dig(depth: u64) -> u64 {
    let here = std::hint::black_box([depth; 100]);
    if depth == 0 { 0 } else { dig(depth + 1) + here[99] }
}

/// Returns how the process ended, what it left, and its errors.
fn dead_of(way: &str) -> (ExitStatus, String, String) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "the_one_that_dies", "--nocapture"])
        .env(WAY, way)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let number = lines.map(Result::unwrap).find_map(|line| line.strip_prefix("slate ").map(str::to_owned));
    let mut slate = File::open(format!("/proc/{}/fd/{}", child.id(), number.unwrap())).unwrap();
    child.stdin.take().unwrap().write_all(b"!").unwrap();
    let output = child.wait_with_output().unwrap();
    let mut left = String::new();
    slate.read_to_string(&mut left).unwrap();
    (output.status, left.trim_end_matches('\0').to_owned(), String::from_utf8(output.stderr).unwrap())
}

/// Returns the lines behind that of a thread, up to the next thread's.
fn stack<'a>(left: &'a str, thread: &str) -> Vec<&'a str> {
    let lines = left.lines().skip_while(|line| !(line.starts_with("thread ") && line.ends_with(thread)));
    lines.skip(1).take_while(|line| line.contains('+')).collect()
}

#[test]
fn every_thread_is_told_of_and_the_signal_still_ends_the_process() {
    for (way, signal, thread) in [
        ("abort", Signal::SIGABRT, "the_one_that_di"),
        ("segv", Signal::SIGSEGV, "the_one_that_di"),
        ("nowhere", Signal::SIGSEGV, "the_one_that_di"),
        ("elsewhere", Signal::SIGABRT, "other"),
    ] {
        let (status, left, _) = dead_of(way);
        assert_eq!(status.signal(), Some(signal as i32), "{way}: {left}");
        assert!(left.starts_with("object 0 "), "{way}: {left}");
        assert!(left.contains(&format!("\nsignal {}\n", signal as i32)), "{way}: {left}");
        assert!(left.ends_with("end\n") && !left.contains("silent"), "{way}: {left}");
        assert!(!left.contains("overflow"), "{way}: {left}");
        assert!(stack(&left, thread).len() > 4, "{way}: {left}");
        assert!(stack(&left, "waiting").len() > 4, "{way}: {left}");
    }
}

#[test]
fn a_stack_that_overflows_is_told_of_and_said() {
    let (status, left, errors) = dead_of("overflow");
    assert_eq!(status.signal(), Some(Signal::SIGSEGV as i32), "{left}");
    assert!(errors.contains("thread 'the_one_that_di' has overflowed its stack\n"), "{errors}");
    assert!(left.contains(&format!("\nsignal {}\noverflow\n", Signal::SIGSEGV as i32)), "{left}");
    let deep = stack(&left, "the_one_that_di");
    let again = deep.windows(2).filter(|pair| pair[0] == pair[1]).count();
    assert!(again > 20, "one call within itself: {deep:?}");
    assert!(left.ends_with("end\n"), "{left}");
}
