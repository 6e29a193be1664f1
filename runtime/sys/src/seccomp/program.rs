//! Compiles what becomes of every call into one filter: a search for the call by halves, and then what is asked of it.
//!
//! When a filter is entered, the kernel plays it through for every call that there is, to know those that pass whatever their
//! arguments; and it runs it at each of the others. So what a filter costs is the way to a call: eight comparisons here,
//! and some hundred where each call is compared with one line after the other. And one filter is entered faster than
//! several of the same length.

use std::collections::BTreeMap;

use super::line::{Operator, SystemCall, Test};
use super::{Filter, FilterError, Instruction};

/// What is asked of calls, with the answers as the kernel knows them; without one the next check is asked.
pub(super) struct Check<'p> {
    /// The lines of each call: one of them must hold, and all tests of that.
    lines: BTreeMap<i64, Vec<&'p [Test]>>,
    holds: Option<u32>,
    otherwise: Option<u32>,
    /// For calls without lines.
    beside: Option<u32>,
}

impl<'p> Check<'p> {
    /// Answers with `answer` where one of the lines holds.
    pub(super) fn answering(lines: impl IntoIterator<Item = &'p SystemCall>, answer: u32) -> Self {
        Self { lines: by_call(lines), holds: Some(answer), otherwise: None, beside: None }
    }

    /// Answers with `answer` where none of the lines holds.
    pub(super) fn requiring(lines: impl IntoIterator<Item = &'p SystemCall>, answer: u32) -> Self {
        Self { lines: by_call(lines), holds: None, otherwise: Some(answer), beside: Some(answer) }
    }

    /// Answers with `answer` for these calls, whatever their arguments.
    pub(super) fn of_calls(calls: impl IntoIterator<Item = i64>, answer: u32) -> Self {
        let lines = calls.into_iter().map(|call| (call, vec![&[][..]])).collect();
        Self { lines, holds: Some(answer), otherwise: None, beside: None }
    }

    /// Answers with `answer` for these calls, unless all of some tests hold.
    pub(super) fn of_calls_unless(
        calls: impl IntoIterator<Item = (i64, Vec<&'p [Test]>)>,
        answer: u32,
    ) -> Self {
        Self { lines: calls.into_iter().collect(), holds: None, otherwise: Some(answer), beside: None }
    }

    /// Answers with `answer` whatever the call.
    pub(super) fn always(answer: u32) -> Self {
        Self { lines: BTreeMap::new(), holds: None, otherwise: None, beside: Some(answer) }
    }

    /// Appends what is asked of one call; returns whether every way through it ends in an answer.
    fn ask(&self, call: Option<i64>, program: &mut Vec<Instruction>) -> bool {
        let lines = call.and_then(|call| self.lines.get(&call)).map_or(&[][..], Vec::as_slice);
        let always = lines.iter().any(|tests| tests.is_empty());
        if always || lines.is_empty() {
            let answer = if always { self.holds } else { self.beside };
            program.extend(answer.map(returning));
            return answer.is_some();
        }
        let mut rest: usize =
            lines.iter().map(|tests| steps(tests) + 1).sum::<usize>() + usize::from(self.otherwise.is_some());
        for tests in lines {
            let steps = steps(tests);
            rest -= steps + 1;
            test_all(tests, steps, program);
            program.push(self.holds.map_or_else(|| jump(rest), returning));
        }
        program.extend(self.otherwise.map(returning));
        self.holds.is_some() && self.otherwise.is_some()
    }
}

/// Compiles checks, of which the first with an answer counts; what none answers is allowed. Calls by other tables of the
/// same processor are deadly.
pub(super) fn compile(checks: &[Check<'_>]) -> Result<Filter, FilterError> {
    let mut program = vec![
        load(ARCHITECTURE),
        Instruction { code: JUMP_IF_EQUAL, jt: 1, jf: 0, k: NATIVE },
        returning(libc::SECCOMP_RET_KILL_PROCESS),
        load(NUMBER),
        // Past every number below there is such a table too, on one processor.
        Instruction { code: JUMP_IF_AT_LEAST, jt: 0, jf: 1, k: X32_BIT },
        returning(libc::SECCOMP_RET_KILL_PROCESS),
    ];
    program.extend(search(&stretches(checks)));
    Filter::new(program)
}

/// Returns stretches of calls of which the same is asked, by their first, the lowest of which is 0.
fn stretches(checks: &[Check<'_>]) -> Vec<(u32, Vec<Instruction>)> {
    let ask = |call| {
        let mut program = Vec::new();
        if !checks.iter().any(|check| check.ask(call, &mut program)) {
            program.push(returning(libc::SECCOMP_RET_ALLOW));
        }
        program
    };
    let named = checks.iter().flat_map(|check| check.lines.keys());
    let last = named.max().map_or(-1, |last| *last);
    let mut stretches: Vec<(u32, Vec<Instruction>)> = Vec::new();
    // Whatever is behind the last that is named is like it is no call at all.
    for call in 0..=last + 1 {
        let program = ask((call <= last).then_some(call));
        if stretches.last().is_none_or(|(_, before)| *before != program) {
            let first = u32::try_from(call).expect("calls are numbered from zero, and there are few");
            stretches.push((first, program));
        }
    }
    stretches
}

/// Returns what finds the stretch of a call by halves.
fn search(stretches: &[(u32, Vec<Instruction>)]) -> Vec<Instruction> {
    let (below, above) = stretches.split_at(stretches.len() / 2);
    let Some((middle, _)) = above.first().filter(|_| !below.is_empty()) else {
        return above.first().map(|(_, program)| program.clone()).unwrap_or_default();
    };
    let below = search(below);
    let at_least = |jt, jf| Instruction { code: JUMP_IF_AT_LEAST, jt, jf, k: *middle };
    let mut program = match u8::try_from(below.len()) {
        Ok(length) => vec![at_least(length, 0)],
        Err(_) => vec![at_least(0, 1), jump(below.len())],
    };
    program.extend(below);
    program.extend(search(above));
    program
}

/// Appends tests, all of which must hold; where one does not, what follows behind the next instruction is gone on with.
fn test_all(tests: &[Test], steps: usize, program: &mut Vec<Instruction>) {
    let end = program.len() + steps;
    let compare = |program: &mut Vec<Instruction>, k: u32, is_equal: bool| {
        let past = u8::try_from(end - program.len()).expect("a line has few tests");
        let (jt, jf) = if is_equal { (0, past) } else { (past, 0) };
        program.push(Instruction { code: JUMP_IF_EQUAL, jt, jf, k });
    };
    for test in tests {
        let low = ARGUMENTS + 8 * u32::from(test.argument);
        match test.operator {
            Operator::Equal => {
                program.push(load(low));
                compare(program, test.value, true);
            }
            Operator::Differs => {
                program.push(load(low));
                compare(program, test.value, false);
            }
            Operator::Masked(mask) => {
                program.extend([load(low), Instruction { code: AND, jt: 0, jf: 0, k: mask }]);
                compare(program, test.value, true);
            }
            Operator::Null => {
                for half in [low + 4, low] {
                    program.push(load(half));
                    compare(program, 0, true);
                }
            }
        }
    }
}

/// Returns how many instructions tests take.
fn steps(tests: &[Test]) -> usize {
    let of = |test: &Test| match test.operator {
        Operator::Equal | Operator::Differs => 2,
        Operator::Masked(_) => 3,
        Operator::Null => 4,
    };
    tests.iter().map(of).sum()
}

fn by_call<'p>(lines: impl IntoIterator<Item = &'p SystemCall>) -> BTreeMap<i64, Vec<&'p [Test]>> {
    let mut by_call: BTreeMap<i64, Vec<&[Test]>> = BTreeMap::new();
    for line in lines {
        by_call.entry(line.number).or_default().push(&line.only);
    }
    by_call
}

fn load(k: u32) -> Instruction {
    Instruction { code: LOAD, jt: 0, jf: 0, k }
}

fn returning(k: u32) -> Instruction {
    Instruction { code: RETURN, jt: 0, jf: 0, k }
}

/// Goes on behind so many instructions.
fn jump(over: usize) -> Instruction {
    let k = u32::try_from(over).expect("a filter is shorter");
    Instruction { code: JUMP, jt: 0, jf: 0, k }
}

/// The architecture, as the kernel's audit numbers it.
#[cfg(target_arch = "x86_64")]
pub(super) const NATIVE: u32 = 0xc000_003e;
/// The architecture, as the kernel's audit numbers it.
#[cfg(target_arch = "aarch64")]
pub(super) const NATIVE: u32 = 0xc000_00b7;
/// The architecture, as the kernel's audit numbers it.
#[cfg(target_arch = "riscv64")]
pub(super) const NATIVE: u32 = 0xc000_00f3;

/// Set in the numbers of calls by the table of 32-bit programs with 64-bit registers.
const X32_BIT: u32 = 0x4000_0000;

/// Where the kernel shows a filter the number of a call, the architecture, and the arguments, of which the low half is first
/// on every processor that is known here.
const NUMBER: u32 = 0;
const ARCHITECTURE: u32 = 4;
const ARGUMENTS: u32 = 16;

const LOAD: u16 = 0x20;
const AND: u16 = 0x54;
const JUMP: u16 = 0x05;
const JUMP_IF_EQUAL: u16 = 0x15;
const JUMP_IF_AT_LEAST: u16 = 0x35;
const RETURN: u16 = 0x06;
