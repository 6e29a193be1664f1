//! The system calls of a worker's start, in the order that docs/start-sequence.md gives with its reasons; and what follows
//! where one of them fails: no code of the user runs.
#![cfg(target_arch = "x86_64")]

use std::path::Path;

use bailiwick_supervisor::control::State;
use bailiwick_sys::Errno;
use bailiwick_tests::harness::{Birth, Births, Call, Fault, Supervised, WITHOUT_ROOT};
use bailiwick_tests::run;
use bailiwick_wire::crash::{End, Report};
use nix::libc;
use nix::sys::signal::Signal;

const ONE: &str = r#"
[group.g]
max_restarts = 10000
period = "10s"
[worker.a]
exec = "tw"
group = "g"
backoff = { first = "1ms", base = "1ms", cap = "1ms" }
actor.life = { type = "Life", args = { say = "code of the user runs" } }
"#;

/// A row of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Row {
    call: String,
    step: String,
}

/// Who the supervisor is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Root,
    Rootless,
}

/// Returns the modes that can be tried here: as root both.
fn modes() -> &'static [Mode] {
    if nix::unistd::geteuid().is_root() { &[Mode::Root, Mode::Rootless] } else { &[Mode::Rootless] }
}

impl Mode {
    fn supervised(self) -> Supervised {
        let wraps = self == Self::Rootless && nix::unistd::geteuid().is_root();
        if wraps { run!(&WITHOUT_ROOT, ONE) } else { run!(ONE) }
    }

    /// Returns what the page calls it.
    fn name(self) -> &'static str {
        match self {
            Self::Root => "root",
            Self::Rootless => "rootless",
        }
    }
}

/// Returns the rows of one table of the page that hold in a mode.
fn rows(heading: &str, mode: Mode) -> Vec<Row> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/start-sequence.md");
    let text = std::fs::read_to_string(page).expect("the page is there");
    let (_, text) = text.split_once(&format!("\n## {heading}\n")).expect("the table has its heading");
    let text = text.split("\n## ").next().expect("there is a first part");
    let row = |line: &str| {
        let cells: Vec<_> = line.split('|').map(str::trim).collect();
        let call = cells.get(1)?.strip_prefix('`')?.strip_suffix('`')?.to_owned();
        let place = cells[cells.len() - 3];
        (place == "all" || place == mode.name()).then_some(())?;
        Some(Row { call, step: cells[2].to_owned() })
    };
    text.lines().filter_map(row).collect()
}

/// How a call is told of: its name, and what makes it this step and no other; `None` for one that is none.
fn told(call: &Call) -> Option<String> {
    let [first, second, ..] = call.arguments;
    let told = match call.number {
        // A look of the standard library at what it closes, in builds with debug assertions.
        libc::SYS_fcntl if second == libc::F_GETFD as u64 => return None,
        // Asks for what there is, before it is lowered.
        libc::SYS_prlimit64 if call.arguments[2] == 0 => return None,
        libc::SYS_prctl => return Some(format!("prctl({first})")),
        libc::SYS_dup3 => return Some(format!("dup3({second})")),
        libc::SYS_seccomp => return Some(format!("seccomp({second})")),
        libc::SYS_openat if first as i32 != libc::AT_FDCWD => "openat(/proc)",
        libc::SYS_setresuid if first == 0 => "setresuid(0)",
        libc::SYS_setresuid => "setresuid(user)",
        libc::SYS_close => "close",
        libc::SYS_read => "read",
        libc::SYS_rt_sigaction => "rt_sigaction",
        libc::SYS_rt_sigprocmask => "rt_sigprocmask",
        libc::SYS_setsid => "setsid",
        libc::SYS_close_range => "close_range",
        libc::SYS_umask => "umask",
        libc::SYS_openat => "openat",
        libc::SYS_write => "write",
        libc::SYS_prlimit64 => "prlimit64",
        libc::SYS_fchdir => "fchdir",
        libc::SYS_chdir => "chdir",
        libc::SYS_keyctl => "keyctl",
        libc::SYS_setns => "setns",
        libc::SYS_setgroups => "setgroups",
        libc::SYS_setresgid => "setresgid",
        libc::SYS_getresuid => "getresuid",
        libc::SYS_getresgid => "getresgid",
        libc::SYS_getgroups => "getgroups",
        libc::SYS_capset => "capset",
        libc::SYS_poll => "poll",
        libc::SYS_landlock_restrict_self => "landlock_restrict_self",
        libc::SYS_execveat => "execveat",
        libc::SYS_recvmsg => "recvmsg",
        libc::SYS_sendmsg => "sendmsg",
        libc::SYS_signalfd4 => "signalfd4",
        libc::SYS_unshare => "unshare",
        libc::SYS_epoll_create1 => "epoll_create1",
        libc::SYS_pipe2 => "pipe2",
        libc::SYS_clone3 => "clone3",
        libc::SYS_exit_group => "exit_group",
        other => return Some(format!("call {other}")),
    };
    Some(told.to_owned())
}

/// What loader, C library, standard library and runtime do beside the steps.
const BESIDE: [libc::c_long; 28] = [
    libc::SYS_brk,
    libc::SYS_mmap,
    libc::SYS_munmap,
    libc::SYS_mprotect,
    libc::SYS_madvise,
    libc::SYS_access,
    libc::SYS_openat,
    libc::SYS_read,
    libc::SYS_pread64,
    libc::SYS_close,
    libc::SYS_newfstatat,
    libc::SYS_fstat,
    libc::SYS_arch_prctl,
    libc::SYS_set_tid_address,
    libc::SYS_set_robust_list,
    libc::SYS_rseq,
    libc::SYS_prlimit64,
    libc::SYS_poll,
    libc::SYS_getrandom,
    libc::SYS_rt_sigaction,
    libc::SYS_sigaltstack,
    libc::SYS_readlink,
    libc::SYS_futex,
    libc::SYS_gettid,
    libc::SYS_fcntl,
    libc::SYS_getsockopt,
    libc::SYS_sched_getaffinity,
    libc::SYS_getpid,
];

/// Steps, each with the number of its first call.
type Steps = Vec<(usize, String)>;

/// Returns the first call of each step, with its number among all calls: those before exec and with it, and those after.
fn steps(birth: &Birth) -> (Steps, Steps) {
    let exec = birth.calls.iter().position(|call| call.number == libc::SYS_execveat);
    let exec = exec.expect("it is executed");
    let calls = || birth.calls.iter().enumerate().filter_map(|(at, call)| Some((at, told(call)?)));
    let mut before: Vec<_> = calls().take_while(|(at, _)| *at <= exec).collect();
    let is_step = |at: &usize| !BESIDE.contains(&birth.calls[*at].number);
    let mut after: Vec<_> = calls().filter(|(at, _)| *at > exec && is_step(at)).collect();
    before.dedup_by(|next, first| next.1 == first.1);
    after.dedup_by(|next, first| next.1 == first.1);
    (before, after)
}

/// Follows the births of the only worker, the first of which is of its second life.
fn births_of(supervised: &Supervised, mode: Mode) -> Births {
    supervised.wait_for_life("a", 1);
    let births = match mode {
        Mode::Root => Births::of(supervised.process()),
        Mode::Rootless => Births::of_nested(supervised.process()),
    };
    supervised.pid("a").signal(Signal::SIGKILL);
    births
}

/// Seen to fail with a step that the page did not have yet, and with rows that were exchanged.
#[test]
fn a_start_takes_its_steps_in_the_order_of_the_page() {
    for &mode in modes() {
        let mut supervised = mode.supervised();
        let births = births_of(&supervised, mode);
        let birth = births.next();
        drop(births);
        assert!(birth.went, "{}", supervised.journal());
        let (before, after) = steps(&birth);
        for (heading, found) in [("Before exec", before), ("After exec", after)] {
            let found: Vec<_> = found.into_iter().map(|(_, told)| told).collect();
            let wanted: Vec<_> = rows(heading, mode).into_iter().map(|row| row.call).collect();
            assert_eq!(found, wanted, "{mode:?} {heading}");
        }
        supervised.stop();
    }
}

/// Returns the report on the end of a process, whose life comes after number `after`.
fn report(supervised: &Supervised, birth: &Birth, after: u32) -> Report {
    // One that was never executed is reported without its process.
    let is_its = |report: &Report| match report.end {
        End::NotStarted { .. } => report.generation > after,
        _ => report.pid == Some(birth.process.0),
    };
    supervised
        .journal()
        .wait_until("a report on the start that failed", |_| supervised.crashes("a").into_iter().find(is_its))
}

/// Lets one call after the other fail, each in a life of its own, and asserts that it is the last of that life, but
/// for those that no step depends on. Seen to fail where the error of a step was passed over: of the signal mask.
#[test]
fn whichever_step_fails_no_code_of_the_user_runs_and_the_step_is_named() {
    modes().iter().for_each(|mode| each_step_fails(*mode));
}

fn each_step_fails(mode: Mode) {
    let mut supervised = mode.supervised();
    let births = births_of(&supervised, mode);
    let birth = births.next();
    let (before, after) = steps(&birth);
    let page = rows("Before exec", mode);
    let descriptors = supervised.process().descriptors().len();
    let (mut alive, mut gone, mut failed, mut last) = (birth.process, 1, 0, 0);
    let count = before.len();
    // The last one is where the code of the user begins.
    let after = &after[..after.len() - 1];
    for (row, (at, told)) in before.iter().chain(after).enumerate() {
        // That the way back to root is closed is asked by trying it.
        let result = if told == "setresuid(0)" { 0 } else { -(Errno::EPERM as i64) };
        births.have_fail(Fault { at: *at, result });
        alive.signal(Signal::SIGKILL);
        let birth = loop {
            let birth = births.next();
            if birth.failed == Some(*at) {
                break birth;
            }
            // It was under way before.
            assert!(birth.went, "{told}: {}", supervised.journal());
            gone += 1;
            birth.process.signal(Signal::SIGKILL);
        };
        alive = birth.process;
        // These have no result that anybody could act on, or are made only where the kernel lets them. The look at the
        // process finds another one, which has no step either: of its score.
        let is_score = row < page.iter().position(|row| row.call == "fchdir").expect("a row")
            && ["openat", "write"].contains(&told.as_str());
        let is_idle = row < count && (told == "keyctl" || page[row].step.is_empty() && !is_score);
        assert_eq!(birth.went, is_idle, "{told}: {}", supervised.journal());
        if is_idle {
            gone += 1;
            continue;
        }
        failed += 1;
        let report = report(&supervised, &birth, last);
        last = report.generation;
        match (&report.end, page.get(row)) {
            (End::NotStarted { step, errno }, Some(wanted)) => {
                assert!(!wanted.step.is_empty() && step.starts_with(&wanted.step), "{told}: {step}");
                assert_eq!(*errno, Errno::EPERM as i32, "{told}");
            }
            // The score is not set, which the look at the process finds.
            (_, Some(_)) => assert!(["openat", "write"].contains(&told.as_str()), "{told}: {report:?}"),
            (End::Exited { code }, None) => {
                assert_eq!(*code, 69, "{told}: {report:?}");
                // Whoever cannot ask how many threads there are takes it that there are more than one.
                let why = match told.as_str() {
                    "unshare" => "more than one thread",
                    "recvmsg" | "sendmsg" => "descriptor 3",
                    _ => "EPERM",
                };
                assert!(report.last_lines.concat().contains(why), "{told}: {report:?}");
            }
            (_, None) => panic!("{told}: {report:?}"),
        }
    }
    assert!(failed >= 20, "{failed} calls were tried");
    drop(births);
    let ready = supervised.wait_for_life("a", 1);
    assert!(ready.restarts >= failed, "{ready:?}");
    let said = supervised.journal().since(0);
    let said = said.iter().filter(|line| line.text.contains("code of the user runs")).count();
    // The first, those that were let go, and the last.
    assert!(said <= gone + 2, "{said} of {gone}: {}", supervised.journal());
    supervised.journal().wait_until("as many descriptors as before", |_| {
        (supervised.process().descriptors().len() <= descriptors + 2).then_some(())
    });
    assert_eq!(supervised.process().zombies(), []);
    supervised.stop();
}

/// Follows the processes in between, which make the worker's namespace, its first process and the worker, without root.
fn in_between(supervised: &Supervised) -> Births {
    supervised.wait_for_life("a", 1);
    // It is in as many PID namespaces as the supervisor, and begins as a worker does.
    let births = Births::of(supervised.process());
    supervised.pid("a").signal(Signal::SIGKILL);
    births
}

/// Returns the calls of a process in between that are told of, each with its number.
fn calls(birth: &Birth) -> Steps {
    birth.calls.iter().enumerate().filter_map(|(at, call)| Some((at, told(call)?))).collect()
}

/// Seen to fail with rows that were exchanged.
#[test]
fn who_stands_in_between_takes_its_steps_in_the_order_of_the_page() {
    let mut supervised = Mode::Rootless.supervised();
    let births = in_between(&supervised);
    let birth = births.next();
    drop(births);
    let found: Vec<_> = calls(&birth).into_iter().map(|(_, told)| told).collect();
    let wanted: Vec<_> = rows("In between", Mode::Rootless).into_iter().map(|row| row.call).collect();
    assert_eq!(found, wanted);
    supervised.stop();
}

/// Lets one call after the other fail of who stands in between, each for another life, which then ends before it begins: no code of
/// the user runs, the report names what was refused, nothing is left. Seen to fail where what joining is refused is passed over.
#[test]
fn whichever_step_fails_of_who_stands_in_between_nobody_is_born_and_the_step_is_named() {
    let mut supervised = Mode::Rootless.supervised();
    let births = in_between(&supervised);
    let first = births.next();
    let page = rows("In between", Mode::Rootless);
    supervised.wait_for_life("a", 2);
    let descriptors = supervised.process().descriptors().len();
    let (mut lives, mut failed, mut last) = (2, 0, 0);
    for (row, (at, told)) in page.iter().zip(calls(&first)) {
        // That clone3 is not permitted is a filter's word as well, whereupon clone is tried.
        let errno = if told == "clone3" { Errno::EAGAIN } else { Errno::EPERM };
        births.have_fail(Fault { at, result: -(errno as i64) });
        supervised.pid("a").signal(Signal::SIGKILL);
        while births.next().failed != Some(at) {}
        let ready = supervised.wait_for_worker("a", "ready again", |row| {
            (row.generation > last && row.pid.is_some() && row.state == State::Ready).then(|| row.clone())
        });
        if row.step.is_empty() {
            // Nobody acts on its result.
            lives += 1;
            last = ready.generation;
            continue;
        }
        failed += 1;
        let is_its =
            |report: &Report| matches!(report.end, End::NotStarted { .. }) && report.generation > last;
        let report =
            supervised.journal().wait_until("a report", |_| supervised.crashes("a").into_iter().find(is_its));
        let End::NotStarted { step, .. } = &report.end else { panic!("{told}: {report:?}") };
        assert_eq!(*step, row.step, "{told}");
        assert!(ready.generation > report.generation, "{told}");
        last = ready.generation;
        lives += 1;
    }
    assert!(failed >= 7, "{failed} calls were tried");
    drop(births);
    let said = supervised.journal().since(0);
    let said = said.iter().filter(|line| line.text.contains("code of the user runs")).count();
    assert!(said <= lives, "{said} of {lives}: {}", supervised.journal());
    supervised.journal().wait_until("nothing of them to be left", |_| {
        let is_back = supervised.process().descriptors().len() <= descriptors + 2;
        (is_back && supervised.process().zombies().is_empty()).then_some(())
    });
    // The worker, the first process of its namespace, and the guardian.
    supervised
        .journal()
        .wait_until("no other child", |_| (supervised.process().children().len() <= 3).then_some(()));
    supervised.stop();
}

/// Refuses clone3 as the filters of engines do, at each place: the life begins all the same. Seen to fail without the other call.
#[test]
fn where_a_filter_refuses_clone3_the_life_begins_by_clone() {
    let mut supervised = Mode::Rootless.supervised();
    let births = in_between(&supervised);
    let places: Vec<_> = calls(&births.next()).into_iter().filter(|(_, told)| told == "clone3").collect();
    let mut life = supervised.wait_for_life("a", 2).generation;
    for (at, _) in &places {
        for errno in [Errno::ENOSYS, Errno::EPERM] {
            births.have_fail(Fault { at: *at, result: -(errno as i64) });
            supervised.pid("a").signal(Signal::SIGKILL);
            let birth = births.next();
            assert_eq!(birth.failed, Some(*at));
            assert_eq!(birth.calls[at + 1].number, libc::SYS_clone, "{errno}: {birth:?}");
            life += 1;
            supervised.wait_for_life("a", life);
        }
    }
    assert_eq!(places.len(), 2);
    drop(births);
    supervised.stop();
}
