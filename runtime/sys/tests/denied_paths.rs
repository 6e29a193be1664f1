//! Processes whose calls that name paths are trapped: each call answers as it does without, what was denied is noted and
//! nothing else, and what that costs.

#![expect(clippy::unwrap_used, reason = "functions beside the tests are test code as well")]

use std::collections::BTreeSet;
use std::ffi::CString;
use std::fs::{self, Permissions};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use bailiwick_sys::path_call::every_path;
use bailiwick_sys::seccomp::line::lines;
use bailiwick_sys::seccomp::policy::{PathsTold, Policy};
use bailiwick_sys::seccomp::stages::Stages;
use bailiwick_sys::trapped_call::{self, NAME_WORDS, Notes, PATH_ENTRY_WORDS};
use bailiwick_sys::{Errno, identity, system_call};
use nix::libc;
use nix::sys::signal::SigSet;
use nix::unistd::{Uid, chdir, geteuid, setresuid};

/// What the process is to do, what is told of its paths, and where.
const WAY: [&str; 3] = ["DENIED_PATH_WAY", "DENIED_PATH_TOLD", "DENIED_PATH_FOLDER"];
const ENTRIES: usize = 400;
const HEAD_WORDS: usize = 6;

/// Does what the environment says; nothing when it says nothing.
#[test]
fn the_one_that_names_paths() {
    let [Ok(way), Ok(told), Ok(folder)] = WAY.map(std::env::var) else { return };
    let paths = memory(ENTRIES * PATH_ENTRY_WORDS + 1);
    let desk = memory(1 + NAME_WORDS);
    let deadly: &[AtomicU64; 4] = memory(4).try_into().unwrap();
    trapped_call::note_in(Notes { deadly, denied: memory(1), paths });
    bailiwick_sys::at_work::look_at(desk);
    let told = match told.as_str() {
        "nothing" => None,
        "refused" => Some(PathsTold::Refused),
        _ => Some(PathsTold::Absent),
    };
    let lines = lines(|given| ["write", "openat2"].contains(&given)).collect();
    let policy = Policy { lines, is_list: true, paths: told, ..Policy::default() };
    let stages = Stages::compile(&policy, false).unwrap();
    chdir(folder.as_str()).unwrap();
    let below = OwnedFd::from(fs::File::open(".").unwrap());
    if geteuid().is_root() {
        let somebody = Uid::from_raw(54321);
        setresuid(somebody, somebody, somebody).unwrap();
    }
    identity::set_no_new_privileges().unwrap();
    trapped_call::handle().unwrap();
    stages.before_exec.install_on_all_threads().unwrap();
    stages.running.unwrap().install_on_all_threads().unwrap();
    match way.as_str() {
        "everything" => name_everything(&folder, &below),
        "named" => {
            open("/closed/1");
            desk[1].store(7, Ordering::Relaxed);
            desk[0].store(1_u64.to_le(), Ordering::Relaxed);
            (0..3).for_each(|_| open("/closed/1"));
            std::thread::spawn(|| open("/closed/1")).join().unwrap();
        }
        "flood" => (0..1000).for_each(|n| open(&format!("/closed/{n}"))),
        "blocked" => {
            SigSet::all().thread_block().unwrap();
            open("/there");
        }
        "cost" => cost(),
        other => panic!("nothing to do that is called {other}"),
    }
    for entry in paths.as_chunks::<PATH_ENTRY_WORDS>().0.iter().map(|entry| entry.each_ref().map(value)) {
        if entry[0] > 0 {
            let path: Vec<u8> =
                entry[HEAD_WORDS + NAME_WORDS..].iter().flat_map(|word| word.to_le_bytes()).collect();
            let path = String::from_utf8_lossy(&path).trim_end_matches('\0').replace(&folder, "FOLDER");
            let name = system_call::name(entry[0] as i64 - 1).unwrap();
            let [errno, want, place] = [entry[2] & 0xffff, entry[2] >> 16 & 0xff, entry[2] >> 24];
            let (count, below, by) = (entry[1], entry[4], entry[HEAD_WORDS]);
            assert!(entry[3] > 0, "when it was");
            let errno = Errno::from_raw(errno as i32);
            println!("\nnoted {name} {errno:?} {want} {place} {count} {} {by} {path}", below > 0);
        }
    }
    println!("\nlost {}", value(&paths[ENTRIES * PATH_ENTRY_WORDS]));
}

fn value(word: &AtomicU64) -> u64 {
    u64::from_le(word.load(Ordering::Relaxed))
}

fn memory(words: usize) -> &'static [AtomicU64] {
    Box::leak((0..words).map(|_| AtomicU64::new(0)).collect())
}

/// Opens what has this name below the working directory, and says nothing.
fn open(path: &str) {
    let _denied = fs::File::open(format!(".{path}"));
}

/// Makes every call with every kind of path and says what came of it.
fn name_everything(folder: &str, below: &OwnedFd) {
    let calls: BTreeSet<i64> = every_path().map(|path| path.call).collect();
    let long = "x".repeat(5000);
    let names = ["there", "missing", "closed/in", "folder", "", &long, "missing/deep", "/proc/none", "/sys"];
    for call in calls {
        for name in names {
            let absolute = if name.starts_with('/') { name.to_owned() } else { format!("{folder}/{name}") };
            for (way, path, from) in [
                ("whole", absolute, libc::AT_FDCWD),
                ("from here", name.to_owned(), libc::AT_FDCWD),
                ("below", name.to_owned(), below.as_raw_fd()),
            ] {
                let path = CString::new(path).unwrap();
                say(call, way, name, from, path.as_ptr() as u64);
            }
        }
        say(call, "whole", "no address", libc::AT_FDCWD, 1);
    }
}

fn say(call: i64, way: &str, name: &str, from: libc::c_int, path: u64) {
    let mut room = [0_u64; 64];
    let how = [0_u64; 3];
    let buffer = room.as_mut_ptr() as u64;
    let other = c"made";
    let mut arguments = [0_u64; 6];
    for (number, one) in every_path().filter(|one| one.call == call).enumerate() {
        arguments[one.path] = if number == 0 { path } else { other.as_ptr() as u64 };
        if let Some(at) = one.folder {
            arguments[at] = i64::from(from).cast_unsigned();
        }
    }
    let more: &[(usize, u64)] = match system_call::name(call).unwrap() {
        "newfstatat" => &[(2, buffer)],
        "statx" => &[(4, buffer)],
        "stat" | "lstat" => &[(1, buffer)],
        "readlinkat" => &[(2, buffer), (3, 64)],
        "readlink" => &[(1, buffer), (2, 64)],
        "openat2" => &[(2, how.as_ptr() as u64), (3, 24)],
        _ => &[],
    };
    more.iter().for_each(|(at, value)| arguments[*at] = *value);
    Errno::set_raw(77);
    let [a, b, c, d, e, f] = arguments;
    // SAFETY: strings and buffers outlive the call, which writes no more than 512 bytes into the buffer; the address that is
    // none is refused by the kernel.
    let result = unsafe { libc::syscall(call, a, b, c, d, e, f) };
    let errno = Errno::last_raw();
    // Which descriptor it is, differs.
    let result = result.min(3);
    if name.len() < 100 {
        println!("\ncame {} {way} {name:?}: {result} {:?}", system_call::name(call).unwrap(), errno);
    }
    // What was made is taken away again, by calls that are told of as well where they fail.
    if result == 0 {
        let _none = (fs::remove_dir("made"), fs::remove_file("made"));
    }
}

/// Says how long it takes to open and close a file, and to fail to.
fn cost() {
    const TIMES: u32 = 20_000;
    let measure = |work: &dyn Fn()| {
        work();
        let began = Instant::now();
        (0..TIMES).for_each(|_| work());
        began.elapsed().as_nanos() as f64 / f64::from(TIMES) / 1000.0
    };
    let found = measure(&|| drop(fs::File::open("there").unwrap()));
    let asked = measure(&|| assert!(fs::symlink_metadata("there").is_ok()));
    let denied = measure(&|| open("/closed/1"));
    let missing = measure(&|| open("/missing/deep"));
    println!("\ncost {found:.2} {asked:.2} {denied:.2} {missing:.2}");
}

/// A folder with something in it, and something that may not be looked into.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let make = |path: &Path, mode| fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    fs::write(folder.path().join("there"), "something").unwrap();
    make(&folder.path().join("there"), 0o444);
    for (name, mode) in [("folder", 0o755), ("closed", 0)] {
        fs::create_dir(folder.path().join(name)).unwrap();
        make(&folder.path().join(name), mode);
    }
    make(folder.path(), 0o755);
    folder
}

fn run(way: &str, told: &str) -> Output {
    let folder = folder();
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "the_one_that_names_paths", "--nocapture", "--test-threads=1"]);
    for (variable, value) in WAY.iter().zip([way.as_ref(), told.as_ref(), folder.path().as_os_str()]) {
        command.env(variable, value);
    }
    let output = command.output().unwrap();
    assert!(folder.path().as_os_str().as_bytes().len() < 60, "a path with room for more");
    output
}

/// Returns what a process says behind a word.
fn said(way: &str, told: &str, word: &str) -> Vec<String> {
    let output = run(way, told);
    assert!(output.status.success(), "{way} {told}: {output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().filter_map(|line| line.strip_prefix(word)).map(str::to_owned).collect()
}

#[test]
fn every_call_answers_as_it_does_without_the_trap() {
    let plain = said("everything", "nothing", "came ");
    assert!(plain.len() > 300, "{}", plain.len());
    for word in ["there\": 3 77", "there\": 0 77", ": -1 2", ": -1 13", ": -1 14"] {
        assert!(plain.iter().any(|line| line.contains(word)), "{word}: {plain:#?}");
    }
    for told in ["refused", "absent"] {
        let found = said("everything", told, "came ");
        for (plain, found) in plain.iter().zip(&found) {
            assert_eq!(plain, found, "{told}");
        }
        assert_eq!(plain.len(), found.len());
    }
}

/// Whether files in the folder of the tests are of the mount that is the root here, and so pass for hidden.
fn is_hidden() -> bool {
    use std::os::unix::fs::MetadataExt;
    let device = |path: &Path| fs::metadata(path).unwrap().dev();
    device(Path::new("/")) == device(&std::env::temp_dir())
}

#[test]
fn what_is_refused_is_noted_with_what_was_wanted_and_where() {
    if !geteuid().is_root() {
        return println!("skipped: whoever runs this may write in the folder");
    }
    let noted = said("everything", "refused", "noted ");
    let place = 0;
    for wanted in [
        format!("openat EACCES 0 {place} 2 false 0 FOLDER/closed/in"),
        format!("openat EACCES 0 {place} 1 true 0 closed/in"),
        format!("openat2 EACCES 0 {place} 2 false 0 FOLDER/closed/in"),
        format!("statx EACCES 0 {place} 2 false 0 FOLDER/closed/in"),
        format!("truncate EACCES 1 {place} 3 false 0 FOLDER/there"),
        format!("unlinkat EACCES 2 {place} 2 false 0 FOLDER/there"),
        format!("mkdirat EACCES 2 {place} 2 false 0 FOLDER/missing"),
    ] {
        assert!(noted.contains(&wanted), "{wanted}: {noted:#?}");
    }
    assert!(noted.iter().all(|line| !line.contains("ENOENT")), "{noted:#?}");
    assert!(noted.iter().all(|line| !line.contains("EFAULT") && !line.contains("ENOTDIR")), "{noted:#?}");
}

#[test]
fn what_is_not_there_is_noted_where_that_means_that_it_is_hidden() {
    let noted = said("everything", "absent", "noted ");
    let missing: Vec<_> = noted.iter().filter(|line| line.contains("ENOENT")).collect();
    assert_eq!(missing.contains(&&"openat ENOENT 0 1 2 false 0 FOLDER/missing".to_owned()), is_hidden());
    // What is missing elsewhere is missing, and so is what is named below a descriptor.
    assert!(
        missing.iter().all(|line| !line.contains("/proc/none") && !line.contains(" true ")),
        "{missing:#?}"
    );
}

#[test]
fn what_is_denied_again_is_counted_with_whoever_was_at_work() {
    let noted = said("named", "refused", "noted ");
    let line = |count: u32, by: u32| format!("openat EACCES 0 0 {count} false {by} FOLDER/./closed/1");
    assert_eq!(noted, [line(2, 0), line(3, 7)], "two by nobody, of which one in another thread");
    assert_eq!(said("named", "nothing", "noted "), [""; 0]);
}

#[test]
fn a_flood_finds_as_much_room_as_there_is_and_is_counted_beyond() {
    assert_eq!(said("flood", "refused", "noted ").len(), ENTRIES);
    assert_eq!(said("flood", "refused", "lost "), [(1000 - ENTRIES).to_string()]);
}

#[test]
fn who_blocks_the_signal_is_ended_by_naming_a_path() {
    assert!(run("blocked", "nothing").status.success());
    assert_eq!(run("blocked", "refused").status.signal(), Some(libc::SIGSYS));
}

/// Prints what `cargo test -p bailiwick-sys --test denied_paths cost -- --nocapture` is for.
#[test]
fn cost_of_naming_a_path() {
    for told in ["nothing", "refused", "absent"] {
        let cost = said("cost", told, "cost ");
        let [found, asked, denied, missing] = cost[0].split(' ').collect::<Vec<_>>()[..] else {
            panic!("{cost:?}")
        };
        println!(
            "{told} told: open and close {found} us, stat {asked} us, open denied {denied} us, open missing {missing} us"
        );
    }
}
