//! Every line of the policy, held against the real kernel.
//!
//! A child enters the filters as a worker does and makes the call. Beneath them lies a filter that answers the call with
//! a number that no kernel uses: what the policy lets pass is seen to pass, and still is not carried out. So even
//! `reboot` may be tried, as root, with the line and without it.

use std::sync::atomic::{AtomicI64, Ordering};

use super::line::{Operator, SystemCall, Test, Verdict, Whom, every_line, lines};
use super::policy::{Denial, Policy};
use super::stages::Stages;
use super::wish::Wish;
use super::{Filter, Instruction};
use crate::system_call;

/// What came of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    /// No filter stopped it.
    Passed,
    /// It failed with this number.
    Failed(i32),
    /// It ended the process by this signal.
    Ended(i32),
    /// It was carried out.
    Returned(i64),
}

/// How a call is made.
#[derive(Clone, Copy)]
enum Door {
    Native,
    /// The table of 32-bit programs.
    #[cfg(target_arch = "x86_64")]
    Int80,
}

fn attempt(filters: &[&Filter], call: i64, arguments: [u64; 6]) -> Outcome {
    // The call by which filters are entered is left to the kernel, which finds no filter at address zero.
    let bottom = (call != libc::SYS_seccomp).then(|| bottom(call));
    let filters: Vec<&Filter> = bottom.iter().chain(filters.iter().copied()).collect();
    attempt_by(Door::Native, &filters, call, arguments)
}

fn attempt_by(door: Door, filters: &[&Filter], call: i64, arguments: [u64; 6]) -> Outcome {
    let answer = Page::new();
    // SAFETY: the child makes async-signal-safe calls only, on what was prepared before.
    let pid = unsafe { libc::fork() };
    if pid == 0 {
        play(door, filters, call, arguments, answer.cell());
    }
    let mut status = 0;
    // SAFETY: `status` outlives the call, and the process is a child of ours that nobody else waits for.
    assert_eq!(unsafe { libc::waitpid(pid, &raw mut status, 0) }, pid);
    match answer.cell().load(Ordering::SeqCst) {
        UNANSWERED if libc::WIFSIGNALED(status) => Outcome::Ended(libc::WTERMSIG(status)),
        UNANSWERED => panic!("the child did not come to call {call}: status {status:#x}"),
        answer if answer == -i64::from(PASSED) => Outcome::Passed,
        answer @ -4095..0 => Outcome::Failed(-answer as i32),
        answer => Outcome::Returned(answer),
    }
}

/// The child: neither allocates nor returns, and says what came of the call without a call.
fn play(door: Door, filters: &[&Filter], call: i64, arguments: [u64; 6], answer: &AtomicI64) -> ! {
    let none = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: reads one rlimit. Those that die here are to leave no core.
    unsafe { libc::setrlimit(libc::RLIMIT_CORE, &raw const none) };
    // The standard library's handler would try for ever to set what the filters forbid to set.
    // SAFETY: takes a number and a constant.
    unsafe { libc::signal(libc::SIGSEGV, libc::SIG_DFL) };
    // As the runtime does, which has what is denied noted, and fail.
    if crate::trapped_call::handle().is_ok()
        && crate::identity::set_no_new_privileges().is_ok()
        && filters.iter().all(|filter| filter.install_on_all_threads().is_ok())
    {
        answer.store(make(door, call, arguments), Ordering::SeqCst);
    }
    // SAFETY: takes a number, and does not return unless a filter forbids it.
    unsafe { libc::syscall(libc::SYS_exit_group, 0) };
    // SAFETY: ends the process by whatever is left to it.
    unsafe { libc::abort() }
}

/// Makes a call by the processor's instruction: the C library's wrapper would fold the error into a variable.
#[cfg(target_arch = "x86_64")]
fn make(door: Door, call: i64, [a, b, c, d, e, f]: [u64; 6]) -> i64 {
    let answer: i64;
    match door {
        // SAFETY: either a filter answers, or the call is one that a test may make; the kernel keeps all registers but
        // those that are named.
        Door::Native => unsafe {
            std::arch::asm!("syscall", inlateout("rax") call => answer, in("rdi") a, in("rsi") b, in("rdx") c,
                in("r10") d, in("r8") e, in("r9") f, lateout("rcx") _, lateout("r11") _, options(nostack))
        },
        // SAFETY: as above.
        Door::Int80 => unsafe {
            std::arch::asm!("int 0x80", inlateout("rax") call => answer, lateout("r8") _, lateout("r9") _,
                lateout("r10") _, lateout("r11") _, options(nostack))
        },
    }
    answer
}

#[cfg(not(target_arch = "x86_64"))]
fn make(Door::Native: Door, call: i64, [a, b, c, d, e, f]: [u64; 6]) -> i64 {
    // SAFETY: either a filter answers, or the call is one that a test may make.
    let answer = unsafe { libc::syscall(call, a, b, c, d, e, f) };
    if answer < 0 { -i64::from(crate::Errno::last_raw()) } else { answer }
}

/// A number that is shared with a child.
struct Page(*mut AtomicI64);

impl Page {
    fn new() -> Self {
        let (access, kind) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED | libc::MAP_ANONYMOUS);
        // SAFETY: asks for fresh memory at an address of the kernel's choice.
        let page = unsafe { libc::mmap(std::ptr::null_mut(), 4096, access, kind, -1, 0) };
        assert_ne!(page, libc::MAP_FAILED);
        let page = Self(page.cast());
        page.cell().store(UNANSWERED, Ordering::SeqCst);
        page
    }

    fn cell(&self) -> &AtomicI64 {
        // SAFETY: the page was mapped for this, is aligned, and is unmapped with `self`.
        unsafe { &*self.0 }
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        // SAFETY: the page is ours, and nobody holds a reference beyond `self`.
        unsafe { libc::munmap(self.0.cast(), 4096) };
    }
}

/// Answers one call with a number that no kernel uses. Entered first, so that of equals every other filter prevails.
fn bottom(call: i64) -> Filter {
    Filter::new(vec![
        Instruction { code: 0x20, jt: 0, jf: 0, k: 0 },
        Instruction { code: 0x15, jt: 0, jf: 1, k: call as u32 },
        Instruction { code: 0x06, jt: 0, jf: 0, k: libc::SECCOMP_RET_ERRNO | PASSED as u32 },
        Instruction { code: 0x06, jt: 0, jf: 0, k: libc::SECCOMP_RET_ALLOW },
    ])
    .unwrap()
}

const PASSED: i32 = 4000;
const UNANSWERED: i64 = i64::MIN;
const NONE: [u64; 6] = [0; 6];
/// Circumstances in which lines that stop a call let it pass.
const EASING: [&str; 3] = ["memfd_exec", "openat2", "counted"];

/// Tries a line's call where the line holds, among those of `policy` in the circumstances that are given.
fn attempt_line(line: &SystemCall, policy: Vec<SystemCall>) -> Outcome {
    let is_list = [Verdict::Allowed, Verdict::Starting].contains(&line.verdict);
    let policy = Policy { lines: policy, is_list, ..Policy::default() };
    let stages = Stages::compile(&policy, false).unwrap();
    // What leads to the second stage is tried before it is entered.
    let running = stages.running.iter().filter(|_| line.verdict != Verdict::Starting);
    let filters: Vec<&Filter> = [&stages.before_exec].into_iter().chain(running).collect();
    attempt(&filters, line.number, example(&line.only))
}

/// Returns arguments that a line speaks of.
fn example(only: &[Test]) -> [u64; 6] {
    let mut arguments = NONE;
    for test in only {
        arguments[usize::from(test.argument)] |= match test.operator {
            Operator::Differs => 1,
            Operator::Equal | Operator::Masked(_) | Operator::Null => test.value.into(),
        };
    }
    arguments
}

#[test]
fn every_line_does_to_the_call_what_it_says_and_nothing_else_does() {
    for line in every_line() {
        // Where a line stops what another one allows, the latter is tried by somebody whom the former lets pass.
        let eased = |name: &str| line.verdict == Verdict::Allowed && EASING.contains(&name);
        let is_for = |name: &str| matches!(line.whom, Whom::Given(word) if word == name);
        let given = |name: &str| is_for(name) || eased(name);
        // Lines of other calls have no say, but for those by which the second stage is entered and the handler of a denied
        // call returns.
        let matters = |other: &SystemCall| [line.name, "seccomp", "rt_sigreturn"].contains(&other.name);
        let with: Vec<SystemCall> = lines(given).filter(matters).collect();
        // What starts a foreign program is to be allowed although everybody else may do it.
        let is_it = |other: &SystemCall| match line.is_needed_to_start() {
            true => other.name == line.name,
            false => other.text == line.text,
        };
        let without: Vec<SystemCall> = with.iter().filter(|other| !is_it(other)).cloned().collect();
        assert!(without.len() < with.len(), "{}", line.text);
        let wanted = match line.verdict {
            Verdict::Killed => (Outcome::Ended(libc::SIGSYS), Outcome::Passed),
            Verdict::Refused => (Outcome::Failed(libc::EPERM), Outcome::Passed),
            Verdict::Absent => (Outcome::Failed(libc::ENOSYS), Outcome::Passed),
            // The first stage says that it is absent, which the second would hide.
            Verdict::Allowed if line.name == "clone3" => {
                (Outcome::Failed(libc::ENOSYS), Outcome::Failed(libc::EPERM))
            }
            // Nobody comes back from the handler of a denied call without it.
            Verdict::Allowed if line.name == "rt_sigreturn" => {
                (Outcome::Passed, Outcome::Ended(libc::SIGSYS))
            }
            Verdict::Starting if line.name == "seccomp" => {
                (Outcome::Failed(libc::EFAULT), Outcome::Failed(libc::EPERM))
            }
            Verdict::Allowed | Verdict::Starting => (Outcome::Passed, Outcome::Failed(libc::EPERM)),
            Verdict::Denied => panic!("no line denies"),
        };
        let found = (attempt_line(&line, with), attempt_line(&line, without));
        assert_eq!(found, wanted, "{} ({}): with the line, and without it", line.text, line.number);
    }
}

/// Returns what becomes of a call in the first stage, and in both.
fn under(change: impl FnOnce(&mut Policy), call: i64, arguments: [u64; 6]) -> (Outcome, Outcome) {
    let mut policy = Policy { lines: lines(|_| false).collect(), is_list: true, ..Policy::default() };
    change(&mut policy);
    let stages = Stages::compile(&policy, false).unwrap();
    let both: Vec<&Filter> = [&stages.before_exec].into_iter().chain(&stages.running).collect();
    (attempt(&both[..1], call, arguments), attempt(&both, call, arguments))
}

fn take_up(policy: &mut Policy, texts: &[&str]) {
    let wishes: Vec<_> = texts.iter().map(|text| Wish::read(text).unwrap()).collect();
    policy.take_up(&wishes, false);
}

#[test]
fn a_list_of_ones_own_decides_and_its_denial_is_the_one_that_is_chosen() {
    let (passed, call) = (Outcome::Passed, libc::SYS_mlock);
    let refused = Outcome::Failed(libc::EPERM);
    assert_eq!(under(|_| {}, call, NONE), (refused, refused));
    assert_eq!(under(|policy| take_up(policy, &["+mlock"]), call, NONE), (passed, passed));
    assert_eq!(under(|policy| take_up(policy, &["@memlock"]), call, NONE), (passed, passed));
    let without_sets = |policy: &mut Policy| take_up(policy, &["@memlock", "rt_sigreturn"]);
    assert_eq!(under(without_sets, libc::SYS_read, NONE), (refused, refused));
    // What the runtime starts with is taken away once it has.
    let denies = |denial| {
        move |policy: &mut Policy| {
            policy.denial = denial;
            take_up(policy, &["~@basic-io"]);
        }
    };
    let (acces, kills) = (Denial::Fails(libc::EACCES as u16), Denial::Kills);
    assert_eq!(under(denies(acces), libc::SYS_read, NONE), (passed, Outcome::Failed(libc::EACCES)));
    assert_eq!(under(denies(kills), libc::SYS_read, NONE), (passed, Outcome::Ended(libc::SIGSYS)));
    // What the policy itself refuses is in no list either.
    assert_eq!(under(denies(kills), libc::SYS_ptrace, NONE).0, Outcome::Ended(libc::SIGSYS));
}

#[test]
fn where_there_is_no_list_what_is_taken_away_is_gone_before_exec() {
    let change = |policy: &mut Policy| {
        policy.lines.retain(|line| line.verdict != Verdict::Allowed);
        policy.is_list = false;
        policy.denial = Denial::Fails(libc::EACCES as u16);
        take_up(policy, &["~@network-io"]);
    };
    assert_eq!(under(change, libc::SYS_connect, NONE).0, Outcome::Failed(libc::EACCES));
    assert_eq!(under(change, libc::SYS_execve, NONE).0, Outcome::Passed);
}

#[test]
fn sockets_of_families_that_are_not_listed_are_refused() {
    let socket =
        |family: i32| [family.unsigned_abs().into(), libc::SOCK_STREAM.unsigned_abs().into(), 0, 0, 0, 0];
    let under = |change: &dyn Fn(&mut Policy), call, arguments| {
        let with_sockets = |policy: &mut Policy| {
            take_up(policy, &["+socket"]);
            change(policy);
        };
        super::trials::under(with_sockets, call, arguments)
    };
    let only = |policy: &mut Policy| policy.only_families(&["AF_UNIX".into(), "AF_INET".into()]);
    let no = |policy: &mut Policy| policy.no_families(&["AF_INET6".into()]);
    let none = |policy: &mut Policy| policy.only_families(&[]);
    for (family, plain, listed, unlisted, nothing) in [
        (libc::AF_INET, true, true, true, false),
        (libc::AF_UNIX, true, true, true, false),
        (libc::AF_INET6, true, false, false, false),
        (libc::AF_NETLINK, true, false, true, false),
    ] {
        let found = |change: &dyn Fn(&mut Policy)| under(change, libc::SYS_socket, socket(family)).1;
        let wanted = |passes| if passes { Outcome::Passed } else { Outcome::Failed(libc::EPERM) };
        assert_eq!(found(&|_| {}), wanted(plain), "{family}");
        assert_eq!(found(&only), wanted(listed), "{family}");
        assert_eq!(found(&no), wanted(unlisted), "{family}");
        assert_eq!(found(&none), wanted(nothing), "{family}");
    }
    // As long a list as there can be.
    let many: Vec<String> = system_call::families().map(str::to_owned).collect();
    let (first, _) = under(&|policy| policy.only_families(&many), libc::SYS_socket, socket(90));
    assert_eq!(first, Outcome::Failed(libc::EPERM));
}

/// Filters of a sealed process, without the one beneath: what passes is carried out.
#[cfg(target_arch = "x86_64")]
fn attempt_in_earnest(door: Door, filters: &[&Filter], call: i64) -> Outcome {
    attempt_by(door, filters, call, NONE)
}

#[test]
#[cfg(target_arch = "x86_64")]
fn calls_by_the_table_of_32_bit_programs_end_the_process() {
    const GETPID_OF_32_BITS: i64 = 20;
    let without = attempt_in_earnest(Door::Int80, &[], GETPID_OF_32_BITS);
    if without == Outcome::Ended(libc::SIGSEGV) {
        return println!("skipped: this kernel has no table of 32-bit programs");
    }
    assert!(matches!(without, Outcome::Returned(1..)), "{without:?}");
    let policy = Policy { lines: lines(|_| false).collect(), is_list: true, ..Policy::default() };
    let stages = Stages::compile(&policy, false).unwrap();
    let killed = Outcome::Ended(libc::SIGSYS);
    assert_eq!(attempt_in_earnest(Door::Int80, &[&stages.before_exec], GETPID_OF_32_BITS), killed);
}

#[test]
#[cfg(target_arch = "x86_64")]
fn calls_by_the_x32_table_end_the_process() {
    let x32 = libc::SYS_getpid | 0x4000_0000;
    let without = attempt_in_earnest(Door::Native, &[], x32);
    assert!(matches!(without, Outcome::Returned(1..) | Outcome::Failed(libc::ENOSYS)), "{without:?}");
    let policy = Policy { lines: lines(|_| false).collect(), is_list: true, ..Policy::default() };
    let stages = Stages::compile(&policy, false).unwrap();
    assert_eq!(attempt_in_earnest(Door::Native, &[&stages.before_exec], x32), Outcome::Ended(libc::SIGSYS));
}
