//! What a policy is in the two stages of a sandbox, as a filter each.

use super::line::{Operator, SystemCall, Test, Verdict};
use super::policy::{Denial, PathsTold, Policy};
use super::program::{Check, NATIVE, compile};
use super::wish::Wish;
use super::{Filter, FilterError};
use crate::trapped_call::{DENIED, MARK, PATH, PATH_IN_VIEW};
use crate::{path_call, system_call};

/// The filters of a process.
#[derive(Debug)]
pub struct Stages {
    /// Entered before exec: what is stopped, and where there is a list of calls, what it takes to come to the second stage.
    pub before_exec: Filter,
    /// Entered by the runtime; `None` where there is no list of calls, or no runtime.
    pub running: Option<Filter>,
}

impl Stages {
    /// Compiles a policy. What a foreign program may call is a list from before its first instruction on.
    ///
    /// # Errors
    /// When there is more of it than a filter holds.
    pub fn compile(policy: &Policy, is_foreign: bool) -> Result<Self, FilterError> {
        let before_exec = compile(&policy.checks_before_exec(is_foreign))?;
        let has_running = policy.is_list && !is_foreign;
        let running = has_running.then(|| compile(&policy.checks_running())).transpose()?;
        Ok(Self { before_exec, running })
    }
}

impl Policy {
    /// Returns what is asked of a call before the second stage. Of several answers the severest comes first, and among those
    /// that fail, that of a list, which says nothing of what is absent without being refused as well.
    fn checks_before_exec(&self, is_foreign: bool) -> Vec<Check<'_>> {
        let until_then: &[_] =
            if is_foreign { &[Verdict::Allowed] } else { &[Verdict::Allowed, Verdict::Starting] };
        let mut checks = vec![Check::answering(self.of(&[Verdict::Killed]), self.kills())];
        checks.push(match self.is_list {
            true => Check::requiring(self.of(until_then), self.denies()),
            false => Check::answering(self.of(&[Verdict::Denied]), self.denies()),
        });
        checks.push(Check::answering(self.of(&[Verdict::Absent]), ABSENT));
        checks.push(Check::answering(self.of(&[Verdict::Refused]), REFUSED));
        let logged = self.logged.iter().flat_map(Wish::calls).filter_map(system_call::number);
        checks.push(Check::of_calls(logged, libc::SECCOMP_RET_LOG));
        checks
    }

    /// Returns what is asked of a call of a running worker. What is denied is trapped, so that the handler of the signal can
    /// tell of it.
    ///
    /// Of two filters that trap a call the newer is heard. So what is deadly is deadly here too; and what libraries try while
    /// they block every signal, which would make the trap deadly, is refused as quietly as before.
    fn checks_running(&self) -> Vec<Check<'_>> {
        let allowed = self.of(&[Verdict::Allowed]);
        let mut checks: Vec<_> = self.paths.map(|told| self.checks_paths(told)).into_iter().collect();
        if self.forks || self.denial != Denial::default() {
            checks.push(Check::requiring(allowed, self.denies()));
            return checks;
        }
        checks.extend([
            Check::answering(self.of(&[Verdict::Killed]), libc::SECCOMP_RET_TRAP),
            Check::answering(allowed, libc::SECCOMP_RET_ALLOW),
            Check::of_calls(QUIET.iter().chain(NATIVE_QUIET).copied(), REFUSED),
            Check::always(trap(DENIED)),
        ]);
        checks
    }

    /// Has calls that name paths trapped where a line allows them whatever their arguments, so that the handler of the signal
    /// can tell which was denied. It makes them anew with a mark, by which they come to the checks behind.
    fn checks_paths(&self, told: PathsTold) -> Check<'_> {
        let data = match told {
            PathsTold::Refused => PATH,
            PathsTold::Absent => PATH_IN_VIEW,
        };
        let is_allowed = |call: i64| {
            self.of(&[Verdict::Allowed]).any(|line| line.number == call && !line.is_about_arguments())
        };
        let calls = path_call::every_path().map(|path| path.call).filter(|call| is_allowed(*call));
        let unless = |call: i64| {
            let held = BY_DESCRIPTOR.iter().filter(move |(of, _)| *of == call).map(|(_, tests)| &tests[..]);
            std::iter::once(MARKED).chain(held).collect()
        };
        Check::of_calls_unless(calls.map(|call| (call, unless(call))), trap(data))
    }

    fn of(&self, verdicts: &[Verdict]) -> impl Iterator<Item = &SystemCall> {
        self.lines.iter().filter(move |line| verdicts.contains(&line.verdict))
    }

    /// Returns how a call ends the process. The runtime can name a call that is trapped, and that is as deadly as long as
    /// nobody can handle the signal anew, which the list of those that have one forbids.
    fn kills(&self) -> u32 {
        let handles = |line: &SystemCall| {
            line.name == "rt_sigaction" && line.verdict == Verdict::Allowed && !line.is_about_arguments()
        };
        if self.is_list && !self.lines.iter().any(handles) {
            libc::SECCOMP_RET_TRAP
        } else {
            libc::SECCOMP_RET_KILL_PROCESS
        }
    }

    /// Returns what becomes of a call that is in no list.
    fn denies(&self) -> u32 {
        match self.denial {
            Denial::Fails(number) => libc::SECCOMP_RET_ERRNO | u32::from(number),
            Denial::Kills => self.kills(),
        }
    }
}

impl Stages {
    /// Returns whether a process in its last stage may make a call with these arguments.
    pub fn allows(&self, call: i64, arguments: [u64; 6]) -> bool {
        let [a, b, c, d, e, _unused] = arguments;
        let says =
            |arguments| answer(self.running.iter().chain([&self.before_exec]), NATIVE, call, arguments);
        let is_to_be_told = |said| [PATH, PATH_IN_VIEW].iter().any(|data| said == trap(*data));
        match says(arguments) {
            said if is_to_be_told(said) => says([a, b, c, d, e, MARK.into()]) == libc::SECCOMP_RET_ALLOW,
            said => said == libc::SECCOMP_RET_ALLOW,
        }
    }
}

/// Returns whether a filter has nothing against a call.
pub(crate) fn lets_pass(filter: &Filter, call: i64, arguments: [u64; 6]) -> bool {
    answer(std::iter::once(filter), NATIVE, call, arguments) == libc::SECCOMP_RET_ALLOW
}

/// Returns what the kernel would do to a call: the most severe answer of all filters, the newest of which come first.
pub(super) fn answer<'f>(
    filters: impl Iterator<Item = &'f Filter>,
    arch: u32,
    call: i64,
    arguments: [u64; 6],
) -> u32 {
    let mut data = [0_u32; 16];
    (data[0], data[1]) = (call as u32, arch);
    for (n, argument) in arguments.iter().enumerate() {
        (data[4 + 2 * n], data[5 + 2 * n]) = (*argument as u32, (*argument >> 32) as u32);
    }
    let severity = |answer: &u32| (*answer & 0xffff_0000).cast_signed();
    filters.map(|filter| filter.answer(&data)).min_by_key(severity).unwrap_or(libc::SECCOMP_RET_ALLOW)
}

/// Returns the answer by which a call is trapped, with what is passed along.
fn trap(data: u16) -> u32 {
    libc::SECCOMP_RET_TRAP | u32::from(data)
}

/// Of what the handler of trapped calls makes itself.
const MARKED: &[Test] = &[Test { argument: 5, operator: Operator::Equal, value: MARK }];
/// Calls that ask for files, and the flag by which they name none, but what is held.
const BY_DESCRIPTOR: &[(i64, [Test; 1])] = &[(libc::SYS_newfstatat, [held(3)]), (libc::SYS_statx, [held(2)])];

const fn held(argument: u8) -> Test {
    let empty = libc::AT_EMPTY_PATH as u32;
    Test { argument, operator: Operator::Masked(empty), value: empty }
}

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
const ABSENT: u32 = libc::SECCOMP_RET_ERRNO | libc::ENOSYS as u32;

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
            answer([&self.0.before_exec].into_iter(), NATIVE, call, arguments)
        }

        fn running(&self, call: i64, arguments: [u64; 6]) -> u32 {
            // The newest filter is asked first and wins among equals.
            let filters = self.0.running.iter().chain([&self.0.before_exec]);
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
    fn calls_that_name_paths_are_trapped_where_that_is_wanted_unless_they_are_marked() {
        let (plain, told) =
            (Filters::of(&[]), Filters::under(&[], |policy| policy.paths = Some(PathsTold::Refused)));
        let absent = Filters::under(&[], |policy| policy.paths = Some(PathsTold::Absent));
        let kills = |policy: &mut Policy| {
            (policy.paths, policy.denial) = (Some(PathsTold::Refused), Denial::Kills);
        };
        let (trapped, in_view) = (trap(PATH), trap(PATH_IN_VIEW));
        let marked = [0, 1, 2, 3, 4, MARK.into()];
        for call in
            [libc::SYS_openat, libc::SYS_openat2, libc::SYS_newfstatat, libc::SYS_readlinkat, libc::SYS_statx]
        {
            assert_eq!(plain.running(call, NONE), plain.running(call, marked), "{call}");
            assert_eq!(told.running(call, NONE), trapped, "{call}");
            assert_eq!(
                (absent.running(call, NONE), told.running(call, marked)),
                (in_view, plain.running(call, NONE))
            );
            assert_eq!(Filters::under(&[], kills).running(call, NONE), trapped, "{call}");
            assert_eq!(
                told.starting(call, NONE),
                plain.starting(call, NONE),
                "before it runs nobody could tell"
            );
            assert_eq!(told.0.allows(call, NONE), plain.0.allows(call, NONE), "{call}");
            assert_eq!(told.running(call, [0, 1, 2, 3, 4, u64::from(MARK) ^ 1]), trapped, "{call}");
        }
        // Who asks for what it holds names no path; nor does any other call, and what is denied is denied.
        let empty = u64::from(libc::AT_EMPTY_PATH.unsigned_abs());
        assert_eq!(told.running(libc::SYS_newfstatat, [3, 0, 0, empty, 0, 0]), ALLOW);
        assert_eq!(told.running(libc::SYS_statx, [3, 0, empty | 0x800, 0, 0, 0]), ALLOW);
        let names = |call: &i64| path_call::named_by(*call).next().is_some();
        for call in system_call::known().filter_map(system_call::number) {
            let is_told =
                names(&call) && plain.0.running.as_ref().is_some_and(|filter| lets_pass(filter, call, NONE));
            assert_eq!(told.running(call, NONE) == trapped, is_told, "{call}");
            assert!(is_told || told.running(call, NONE) == plain.running(call, NONE), "{call}");
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
        let filters = [&sealed.0.before_exec].into_iter();
        assert_eq!(answer(filters, 0x4000_0003, libc::SYS_read, NONE), KILL, "32-bit calls");
        assert_eq!(sealed.starting(libc::SYS_read | 0x4000_0000, NONE), KILL, "x32 calls");
        assert_eq!(sealed.starting(libc::SYS_read, NONE), ALLOW);
    }
}
