//! Holds the one filter of each stage against what a compiler of others makes of the same lines: one filter a verdict, each
//! call compared with one line after the other, the answer the severest of all.

use std::collections::BTreeMap;

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
    TargetArch,
};

use super::line::{Operator, SystemCall, Test, Verdict, every_line, lines};
use super::policy::{Denial, Policy};
use super::program::NATIVE;
use super::stages::{Stages, answer};
use super::wish::Wish;
use super::{Filter, Instruction};

#[cfg(target_arch = "x86_64")]
const ARCH: TargetArch = TargetArch::x86_64;
#[cfg(target_arch = "aarch64")]
const ARCH: TargetArch = TargetArch::aarch64;
#[cfg(target_arch = "riscv64")]
const ARCH: TargetArch = TargetArch::riscv64;

/// Returns the filters before exec, in the order in which they would be entered.
fn filters(policy: &Policy, is_foreign: bool) -> Vec<Filter> {
    let errno = |errno: i32| SeccompAction::Errno(errno.unsigned_abs());
    let handles = |line: &SystemCall| {
        line.name == "rt_sigaction" && line.verdict == Verdict::Allowed && !line.is_about_arguments()
    };
    let traps = policy.is_list && !policy.lines.iter().any(handles);
    let kills = if traps { SeccompAction::Trap } else { SeccompAction::KillProcess };
    let denies = match policy.denial {
        Denial::Fails(number) => errno(number.into()),
        Denial::Kills => kills.clone(),
    };
    let of = |verdict| policy.lines.iter().filter(move |line| line.verdict == verdict);
    let (allow, logged) =
        (SeccompAction::Allow, policy.logged.iter().flat_map(|wish| wish.lines(Verdict::Denied)));
    let logged: Vec<_> = logged.collect();
    let mut filters = vec![
        filter(of(Verdict::Killed), allow.clone(), kills),
        filter(of(Verdict::Refused), allow.clone(), errno(libc::EPERM)),
        filter(of(Verdict::Absent), allow.clone(), errno(libc::ENOSYS)),
        filter(logged.iter(), allow.clone(), SeccompAction::Log),
    ];
    if policy.is_list {
        let is_let = |line: &&SystemCall| {
            line.verdict == Verdict::Allowed || line.verdict == Verdict::Starting && !is_foreign
        };
        filters.push(filter(policy.lines.iter().filter(is_let), denies, allow));
    } else {
        filters.push(filter(of(Verdict::Denied), allow, denies));
    }
    filters
}

fn filter<'a>(
    lines: impl Iterator<Item = &'a SystemCall>,
    otherwise: SeccompAction,
    matched: SeccompAction,
) -> Filter {
    let mut tests: BTreeMap<i64, Vec<&[Test]>> = BTreeMap::new();
    for line in lines {
        tests.entry(line.number).or_default().push(&line.only);
    }
    let rule = |only: &&[Test]| SeccompRule::new(only.iter().map(condition).collect()).unwrap();
    let rules = tests.into_iter().map(|(call, mut lines)| {
        // A line without a test makes the others of its call superfluous.
        if lines.iter().any(|only| only.is_empty()) {
            lines.clear();
        }
        (call, lines.iter().map(rule).collect())
    });
    if otherwise == matched {
        return Filter::new(vec![Instruction { code: 0x06, jt: 0, jf: 0, k: otherwise.into() }]).unwrap();
    }
    let program = SeccompFilter::new(rules.collect(), otherwise, matched, ARCH).unwrap();
    let program: BpfProgram = program.try_into().unwrap();
    let instruction = |i: seccompiler::sock_filter| Instruction { code: i.code, jt: i.jt, jf: i.jf, k: i.k };
    Filter::new(program.into_iter().map(instruction).collect()).unwrap()
}

fn condition(test: &Test) -> SeccompCondition {
    let (length, operator) = match test.operator {
        Operator::Equal => (SeccompCmpArgLen::Dword, SeccompCmpOp::Eq),
        Operator::Differs => (SeccompCmpArgLen::Dword, SeccompCmpOp::Ne),
        Operator::Masked(mask) => (SeccompCmpArgLen::Dword, SeccompCmpOp::MaskedEq(mask.into())),
        Operator::Null => (SeccompCmpArgLen::Qword, SeccompCmpOp::Eq),
    };
    SeccompCondition::new(test.argument, length, operator, test.value.into()).unwrap()
}

/// Returns arguments in which everything that a line about this call speaks of is so and is not so.
fn arguments(call: i64) -> Vec<[u64; 6]> {
    let mut all = vec![[0; 6], [u64::MAX; 6], [1 << 32; 6]];
    for line in every_line().filter(|line| line.number == call) {
        let mut matching = [0; 6];
        for test in &line.only {
            matching[usize::from(test.argument)] |= u64::from(test.value);
        }
        for test in &line.only {
            for other in [0, 1, u64::from(test.value) + 1, u64::from(test.value) | 1 << 32, 1 << 32, u64::MAX]
            {
                let mut near = matching;
                near[usize::from(test.argument)] = other;
                all.push(near);
            }
        }
        all.push(matching);
    }
    all
}

fn policies() -> Vec<Policy> {
    let of = |given: &[&str], is_list: bool, wishes: &[&str], denial: Denial| {
        let holds = |line: &SystemCall| is_list || line.verdict != Verdict::Allowed;
        let lines = lines(|name| given.contains(&name)).filter(holds).collect();
        let mut policy = Policy { lines, is_list, forks: !is_list, denial, ..Policy::default() };
        let wishes: Vec<_> = wishes.iter().map(|text| Wish::read(text).unwrap()).collect();
        policy.take_up(&wishes, given.contains(&"lifts"));
        policy
    };
    let (plain, acces) = (Denial::default(), Denial::Fails(libc::EACCES as u16));
    let everything =
        ["write", "bind", "connect", "udp", "wx", "suid", "openat2", "newuser", "CAP_SYS_ADMIN", "lifts"];
    let mut logging = of(&[], true, &["+mlock"], plain);
    logging.logged = vec![Wish::read("@network-io").unwrap(), Wish::read("read").unwrap()];
    let mut families = of(&["connect"], true, &["+socket"], plain);
    families.only_families(&["AF_UNIX".into(), "AF_INET".into()]);
    let mut fewer = of(&[], false, &[], plain);
    fewer.no_families(&["AF_INET6".into()]);
    vec![
        of(&[], true, &[], plain),
        of(&[], false, &[], plain),
        of(&everything, true, &["+ptrace", "+clone3"], plain),
        of(&everything, false, &["~@memlock", "~openat2"], acces),
        of(&["command"], true, &["read", "rt_sigaction"], acces),
        of(&["command"], true, &["~@basic-io"], Denial::Kills),
        of(&[], false, &["~@network-io"], Denial::Kills),
        logging,
        families,
        fewer,
    ]
}

#[test]
fn one_filter_says_what_one_for_each_verdict_would_say() {
    for (number, policy) in policies().into_iter().enumerate() {
        for is_foreign in [false, true] {
            let ours = Stages::compile(&policy, is_foreign).unwrap().before_exec;
            let theirs = filters(&policy, is_foreign);
            for call in 0..600 {
                for arguments in arguments(call) {
                    let found = answer([&ours].into_iter(), NATIVE, call, arguments);
                    // The newest comes first, and is heard among equals.
                    let wanted = answer(theirs.iter().rev(), NATIVE, call, arguments);
                    assert_eq!(found, wanted, "policy {number}, call {call}, {arguments:x?}");
                }
            }
        }
    }
}

#[test]
fn the_way_to_a_call_is_short() {
    let policy = policies().swap_remove(0);
    let stages = Stages::compile(&policy, false).unwrap();
    for filter in [Some(&stages.before_exec), stages.running.as_ref()].into_iter().flatten() {
        for call in 0..600 {
            let steps = filter.steps(&[call, NATIVE, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
            // Its options are many, one line each, and nobody sets them often.
            let most = if i64::from(call) == libc::SYS_setsockopt { 128 } else { 48 };
            assert!(steps < most, "{steps} steps to call {call}");
        }
    }
}
