//! Compiles a policy into the filters of the two stages of a sandbox.

use std::collections::BTreeMap;

use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompCondition, SeccompFilter, SeccompRule, TargetArch,
};

use super::line::{SystemCall, Test, Verdict};
use super::policy::{Denial, Policy};
use super::{Filter, FilterError, Instruction};
use crate::trapped_call::DENIED;

/// The filters of a process.
#[derive(Debug)]
pub struct Stages {
    /// Entered before exec, in this order: one for each verdict, and where there is a list of calls, last, what it takes to
    /// come to the second stage.
    pub before_exec: Vec<Filter>,
    /// Entered by the runtime; `None` where there is no list of calls, or no runtime.
    pub running: Option<Filter>,
}

/// Why a policy does not compile.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CompileError {
    /// A line contradicts itself, which no line of ours does.
    #[error(transparent)]
    Line(#[from] BackendError),
    /// There is more of it than a filter holds.
    #[error(transparent)]
    Length(#[from] FilterError),
}

impl Stages {
    /// Compiles a policy. What a foreign program may call is a list from before its first instruction on.
    ///
    /// # Errors
    /// See [`CompileError`].
    pub fn compile(policy: &Policy, is_foreign: bool) -> Result<Self, CompileError> {
        let of = |verdict| policy.lines.iter().filter(move |line| line.verdict == verdict);
        let errno = |errno: libc::c_int| SeccompAction::Errno(errno.unsigned_abs());
        let kills = policy.kills();
        let denies = match policy.denial {
            Denial::Fails(number) => SeccompAction::Errno(number.into()),
            Denial::Kills => kills.clone(),
        };
        let allow = SeccompAction::Allow;
        let mut kill = compile(of(Verdict::Killed), allow.clone(), kills)?;
        // The other table of calls on the same processor would slip past every number below.
        kill.splice(..0, KILL_X32);
        let mut before_exec = vec![
            kill,
            compile(of(Verdict::Refused), allow.clone(), errno(libc::EPERM))?,
            compile(of(Verdict::Absent), allow.clone(), errno(libc::ENOSYS))?,
        ];
        if !policy.is_list && of(Verdict::Denied).next().is_some() {
            before_exec.push(compile(of(Verdict::Denied), allow.clone(), denies.clone())?);
        }
        let logged: Vec<_> = policy.logged.iter().flat_map(|wish| wish.lines(Verdict::Denied)).collect();
        if !logged.is_empty() {
            before_exec.push(compile(logged.iter(), allow.clone(), SeccompAction::Log)?);
        }
        let list = |verdicts: &[Verdict]| {
            let lines = policy.lines.iter().filter(|line| verdicts.contains(&line.verdict));
            policy.is_list.then(|| compile(lines, denies.clone(), allow.clone())).transpose()
        };
        let running = if is_foreign { None } else { list(&[Verdict::Allowed])? };
        let until_then = [Verdict::Allowed, Verdict::Starting];
        // Behind the others, since it lets no filter be entered but that of the second stage.
        before_exec.extend(list(if is_foreign { &until_then[..1] } else { &until_then })?);
        let notes = !policy.forks && policy.denial == Denial::default();
        let running =
            running.map(|program| if notes { trapping(program, &policy.lines) } else { Ok(program) });
        let running = running.transpose()?;
        let before_exec = before_exec.into_iter().map(Filter::new).collect::<Result<_, _>>()?;
        Ok(Self { before_exec, running: running.map(Filter::new).transpose()? })
    }
}

impl Stages {
    /// Returns whether a process in its last stage may make a call with these arguments.
    pub fn allows(&self, call: i64, arguments: [u64; 6]) -> bool {
        let filters = self.running.iter().chain(&self.before_exec);
        answer(filters, NATIVE, call, arguments) == libc::SECCOMP_RET_ALLOW
    }
}

/// Returns whether a filter has nothing against a call.
pub(crate) fn lets_pass(filter: &Filter, call: i64, arguments: [u64; 6]) -> bool {
    answer(std::iter::once(filter), NATIVE, call, arguments) == libc::SECCOMP_RET_ALLOW
}

/// Returns what the kernel would do to a call: the most severe answer of all filters, the newest of which come first.
fn answer<'f>(filters: impl Iterator<Item = &'f Filter>, arch: u32, call: i64, arguments: [u64; 6]) -> u32 {
    let mut data = [0_u32; 16];
    (data[0], data[1]) = (call as u32, arch);
    for (n, argument) in arguments.iter().enumerate() {
        (data[4 + 2 * n], data[5 + 2 * n]) = (*argument as u32, (*argument >> 32) as u32);
    }
    let severity = |answer: &u32| (*answer & 0xffff_0000).cast_signed();
    filters.map(|filter| filter.answer(&data)).min_by_key(severity).unwrap_or(libc::SECCOMP_RET_ALLOW)
}

impl Policy {
    /// Returns how a call ends the process. The runtime can name a call that is trapped, and that is as deadly as long as
    /// nobody can handle the signal anew, which the list of those that have one forbids.
    fn kills(&self) -> SeccompAction {
        let handles = |line: &SystemCall| {
            line.name == "rt_sigaction" && line.verdict == Verdict::Allowed && !line.is_about_arguments()
        };
        if self.is_list && !self.lines.iter().any(handles) {
            SeccompAction::Trap
        } else {
            SeccompAction::KillProcess
        }
    }
}

/// Compiles lines into a filter that answers with `matched` where one applies.
fn compile<'a>(
    lines: impl Iterator<Item = &'a SystemCall>,
    otherwise: SeccompAction,
    matched: SeccompAction,
) -> Result<Vec<Instruction>, BackendError> {
    let program: BpfProgram = SeccompFilter::new(rules(lines)?, otherwise, matched, ARCH)?.try_into()?;
    let instruction = |i: seccompiler::sock_filter| Instruction { code: i.code, jt: i.jt, jf: i.jf, k: i.k };
    Ok(program.into_iter().map(instruction).collect())
}

/// Has what the second stage denies trapped, so that the handler of the signal can tell of it.
///
/// Of two filters that trap a call the newer is heard. So what is deadly is deadly here too; and what libraries try while
/// they block every signal, which would make the trap deadly, is refused as quietly as before.
fn trapping(mut program: Vec<Instruction>, policy: &[SystemCall]) -> Result<Vec<Instruction>, BackendError> {
    let refused = SeccompAction::Errno(libc::EPERM.unsigned_abs());
    let denied = libc::SECCOMP_RET_TRAP | u32::from(DENIED);
    for instruction in program.iter_mut().filter(|one| one.code == RETURN && one.k == REFUSED) {
        instruction.k = denied;
    }
    let mut before = vec![KILL_X32[0]];
    for line in policy.iter().filter(|line| line.verdict == Verdict::Killed) {
        before.extend(when(line.number, vec![returning(libc::SECCOMP_RET_TRAP)]));
    }
    for call in QUIET.iter().chain(NATIVE_QUIET) {
        let of_call: Vec<SystemCall> = policy.iter().filter(|line| line.number == *call).cloned().collect();
        let allowed = of_call.iter().filter(|line| line.verdict == Verdict::Allowed);
        let is_named = of_call.iter().any(|line| line.verdict == Verdict::Allowed);
        let alone = if is_named {
            compile(allowed, refused.clone(), SeccompAction::Allow)?
        } else {
            vec![returning(REFUSED)]
        };
        before.extend(when(*call, alone));
    }
    program.splice(..0, before);
    Ok(program)
}

/// Returns what answers one call by this program and goes on with the others.
fn when(call: i64, then: Vec<Instruction>) -> impl Iterator<Item = Instruction> {
    let k = u32::try_from(call).expect("calls are numbered from zero, and there are few");
    let jf = u8::try_from(then.len()).expect("no call has so many lines");
    std::iter::once(Instruction { code: JUMP_IF_EQUAL, jt: 0, jf, k }).chain(then)
}

fn returning(k: u32) -> Instruction {
    Instruction { code: RETURN, jt: 0, jf: 0, k }
}

/// Joins lines by call; a line without a test makes the others of its call superfluous.
fn rules<'a>(
    lines: impl Iterator<Item = &'a SystemCall>,
) -> Result<BTreeMap<i64, Vec<SeccompRule>>, BackendError> {
    let mut tests: BTreeMap<i64, Vec<&[Test]>> = BTreeMap::new();
    for line in lines {
        tests.entry(line.number).or_default().push(&line.only);
    }
    let rule = |only: &&[Test]| SeccompRule::new(only.iter().map(condition).collect::<Result<_, _>>()?);
    let rules = |(call, mut lines): (i64, Vec<&[Test]>)| {
        if lines.iter().any(|only| only.is_empty()) {
            lines.clear();
        }
        Ok((call, lines.iter().map(rule).collect::<Result<_, _>>()?))
    };
    tests.into_iter().map(rules).collect()
}

fn condition(test: &Test) -> Result<SeccompCondition, BackendError> {
    SeccompCondition::new(test.argument, test.length.clone(), test.operator.clone(), test.value.into())
}

#[cfg(target_arch = "x86_64")]
const ARCH: TargetArch = TargetArch::x86_64;
#[cfg(target_arch = "aarch64")]
const ARCH: TargetArch = TargetArch::aarch64;
#[cfg(target_arch = "riscv64")]
const ARCH: TargetArch = TargetArch::riscv64;

/// Tried by the C library and by allocators with every signal blocked: when they make threads, and processes.
const QUIET: &[i64] = &[
    libc::SYS_clone,
    libc::SYS_sched_setaffinity,
    libc::SYS_sched_setattr,
    libc::SYS_sched_setparam,
    libc::SYS_sched_setscheduler,
    libc::SYS_setpriority,
    libc::SYS_mbind,
    libc::SYS_set_mempolicy,
];
/// Of them, those that only this processor has.
#[cfg(target_arch = "x86_64")]
const NATIVE_QUIET: &[i64] = &[libc::SYS_fork, libc::SYS_vfork];
/// Of them, those that only this processor has.
#[cfg(not(target_arch = "x86_64"))]
const NATIVE_QUIET: &[i64] = &[];
const REFUSED: u32 = libc::SECCOMP_RET_ERRNO | libc::EPERM as u32;

/// The architecture, as the kernel's audit numbers it.
#[cfg(target_arch = "x86_64")]
const NATIVE: u32 = 0xc000_003e;
/// The architecture, as the kernel's audit numbers it.
#[cfg(target_arch = "aarch64")]
const NATIVE: u32 = 0xc000_00b7;
/// The architecture, as the kernel's audit numbers it.
#[cfg(target_arch = "riscv64")]
const NATIVE: u32 = 0xc000_00f3;

const X32_BIT: u32 = 0x4000_0000;
const LOAD_NUMBER: u16 = 0x20;
const JUMP_IF_EQUAL: u16 = 0x15;
const JUMP_IF_AT_LEAST: u16 = 0x35;
const RETURN: u16 = 0x06;
const KILL_X32: [Instruction; 3] = [
    Instruction { code: LOAD_NUMBER, jt: 0, jf: 0, k: 0 },
    Instruction { code: JUMP_IF_AT_LEAST, jt: 0, jf: 1, k: X32_BIT },
    Instruction { code: RETURN, jt: 0, jf: 0, k: libc::SECCOMP_RET_KILL_PROCESS },
];

#[cfg(test)]
mod tests {
    use super::super::line::lines;
    use super::*;
    use crate::system_call;

    struct Filters(Stages);

    impl Filters {
        fn of(given: &[&str]) -> Self {
            Self::under(given, |_| {})
        }

        fn under(given: &[&str], change: impl FnOnce(&mut Policy)) -> Self {
            let lines = lines(|name| given.contains(&name)).collect();
            let mut policy = Policy { lines, is_list: true, ..Policy::default() };
            change(&mut policy);
            Self(Stages::compile(&policy, false).unwrap())
        }

        fn of_exec() -> Self {
            let stopped = lines(|_| false).filter(|line| line.verdict != Verdict::Allowed);
            Self(Stages::compile(&Policy { lines: stopped.collect(), ..Policy::default() }, false).unwrap())
        }

        fn starting(&self, call: i64, arguments: [u64; 6]) -> u32 {
            answer(self.0.before_exec.iter(), NATIVE, call, arguments)
        }

        fn running(&self, call: i64, arguments: [u64; 6]) -> u32 {
            // The newest filter is asked first and wins among equals.
            let filters = self.0.running.iter().chain(&self.0.before_exec);
            answer(filters, NATIVE, call, arguments)
        }
    }

    const NONE: [u64; 6] = [0; 6];
    const ALLOW: u32 = libc::SECCOMP_RET_ALLOW;
    const KILL: u32 = libc::SECCOMP_RET_KILL_PROCESS;
    const EPERM: u32 = libc::SECCOMP_RET_ERRNO | libc::EPERM as u32;
    const TRAP: u32 = libc::SECCOMP_RET_TRAP;
    const DENIED: u32 = TRAP | libc::EPERM as u32;
    const ENOSYS: u32 = libc::SECCOMP_RET_ERRNO | libc::ENOSYS as u32;

    #[test]
    fn a_running_worker_neither_executes_nor_forks() {
        let sealed = Filters::of(&[]);
        let thread = |files: i32| (libc::CLONE_THREAD | files) as u64;
        for call in
            [libc::SYS_execve, libc::SYS_execveat, libc::SYS_seccomp, libc::SYS_setresuid, libc::SYS_kill]
        {
            assert_eq!(sealed.running(call, NONE), DENIED, "{call}");
        }
        assert_eq!(sealed.running(libc::SYS_clone, [libc::SIGCHLD as u64, 0, 0, 0, 0, 0]), EPERM);
        assert_eq!(sealed.running(libc::SYS_clone, [thread(libc::CLONE_FILES), 0, 0, 0, 0, 0]), ALLOW);
        // With descriptors of its own it would have as many once more.
        assert_eq!(sealed.running(libc::SYS_clone, [thread(0), 0, 0, 0, 0, 0]), EPERM);
        let close =
            |flags: libc::c_uint| sealed.running(libc::SYS_close_range, [3, 4, flags.into(), 0, 0, 0]);
        assert_eq!((close(libc::CLOSE_RANGE_CLOEXEC), close(libc::CLOSE_RANGE_UNSHARE)), (ALLOW, DENIED));
        assert_eq!(sealed.running(libc::SYS_clone3, NONE), ENOSYS);
        assert_eq!(sealed.starting(libc::SYS_execveat, NONE), ALLOW);
    }

    #[test]
    fn until_the_second_stage_a_worker_may_what_it_may_later_and_what_leads_there() {
        let sealed = Filters::of(&[]);
        let fork = [libc::SIGCHLD as u64, 0, 0, 0, 0, 0];
        assert_eq!(
            (sealed.starting(libc::SYS_clone, fork), sealed.running(libc::SYS_clone, fork)),
            (EPERM, EPERM)
        );
        let enter = |flags| [libc::SECCOMP_SET_MODE_FILTER.into(), flags, 1, 0, 0, 0];
        let on_all = u64::from(super::super::ON_ALL_THREADS);
        assert_eq!(sealed.starting(libc::SYS_seccomp, enter(on_all)), ALLOW);
        for flags in [0, libc::SECCOMP_FILTER_FLAG_NEW_LISTENER, libc::SECCOMP_FILTER_FLAG_TSYNC] {
            assert_eq!(sealed.starting(libc::SYS_seccomp, enter(flags)), EPERM);
        }
        for call in system_call::known().filter_map(system_call::number) {
            // What is allowed whatever its arguments later is allowed until then.
            let (early, later) = (sealed.starting(call, NONE), sealed.running(call, NONE));
            assert!(later != ALLOW || early == ALLOW, "{call}: {early:#x} and {later:#x}");
        }
    }

    #[test]
    fn what_libraries_try_while_signals_are_blocked_is_refused_quietly_unless_it_is_allowed() {
        let (sealed, nice) = (Filters::of(&[]), Filters::of(&["CAP_SYS_NICE"]));
        for call in QUIET.iter().chain(NATIVE_QUIET) {
            assert_eq!(sealed.running(*call, NONE), EPERM, "{call}");
        }
        assert_eq!(nice.running(libc::SYS_setpriority, NONE), ALLOW);
    }

    #[test]
    fn whoever_executes_has_the_first_stage_only() {
        let exec = Filters::of_exec();
        assert!(exec.0.running.is_none());
        assert_eq!(exec.starting(libc::SYS_execve, NONE), ALLOW);
        assert_eq!(exec.starting(libc::SYS_io_uring_setup, NONE), EPERM);
        // It may handle signals as it likes.
        assert_eq!(exec.starting(libc::SYS_reboot, NONE), KILL);
    }

    #[test]
    fn arguments_are_compared_where_they_are_and_not_above() {
        let sealed = Filters::of(&[]);
        let limits = |pid: u64, new: u64| sealed.running(libc::SYS_prlimit64, [pid, 7, new, 0, 0, 0]);
        assert_eq!(
            (limits(0, 0), limits(1, 0), limits(0, 1), limits(0, 1 << 32)),
            (ALLOW, DENIED, DENIED, DENIED)
        );
        let pair = |kind: i32| sealed.running(libc::SYS_socketpair, [1, kind as u64, 0, 0, 0, 0]);
        assert_eq!(pair(libc::SOCK_STREAM | libc::SOCK_CLOEXEC), ALLOW);
        assert_eq!(pair(libc::SOCK_DGRAM | libc::SOCK_CLOEXEC), DENIED);
        let exec = Filters::of_exec();
        let persona = |persona: u64| exec.starting(libc::SYS_personality, [persona, 0, 0, 0, 0, 0]);
        assert_eq!((persona(0), persona(0xffff_ffff), persona(0x004_0000)), (ALLOW, ALLOW, EPERM));
        // The kernel takes the low half of a command only; so must the filter.
        let push = |command: u64| sealed.starting(libc::SYS_ioctl, [0, command, 0, 0, 0, 0]);
        assert_eq!(
            (push(libc::TIOCSTI), push(libc::TIOCSTI | 1 << 32), push(libc::FIONBIO)),
            (EPERM, EPERM, ALLOW)
        );
    }

    #[test]
    fn a_running_worker_cannot_survive_the_signal_of_a_forbidden_call() {
        let sealed = Filters::of(&[]);
        let handle = |signal: i32| sealed.running(libc::SYS_rt_sigaction, [signal as u64, 0, 0, 0, 0, 0]);
        assert_eq!((handle(libc::SIGSYS), handle(libc::SIGTERM)), (DENIED, ALLOW));
    }

    #[test]
    fn foreign_tables_of_calls_kill() {
        let sealed = Filters::of(&[]);
        let filters = sealed.0.before_exec.iter();
        assert_eq!(answer(filters, 0x4000_0003, libc::SYS_read, NONE), KILL, "32-bit calls");
        assert_eq!(sealed.starting(libc::SYS_read | i64::from(X32_BIT), NONE), KILL, "x32 calls");
        assert_eq!(sealed.starting(libc::SYS_read, NONE), ALLOW);
    }
}
