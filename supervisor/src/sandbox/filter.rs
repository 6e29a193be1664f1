//! Compiles the policy of one worker into filters that the kernel takes.

use std::collections::BTreeMap;

use bailiwick_sys::seccomp::{Filter, Instruction};
use nix::libc;
use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch,
};

use super::error::SandboxError;
use super::paths::binds_any_port;
use super::policy::{
    Action, Allowed, Only, STAGE_A, STAGE_A_NATIVE, STAGE_B, STAGE_B_NATIVE, Stopped, Test, When,
};
use crate::spec::{Preset, Worker};

/// The filters of a worker.
#[derive(Debug)]
pub(super) struct Filters {
    /// Entered before exec, one for each action.
    pub(super) before_exec: Vec<Filter>,
    /// Entered by the runtime; `None` for a worker that may execute other programs.
    pub(super) running: Option<Filter>,
}

impl Filters {
    /// Compiles the filters of `worker`.
    pub(super) fn compile(worker: &Worker) -> Result<Self, SandboxError> {
        let failed = |source| SandboxError::Filter { worker: worker.name.clone(), source };
        let mut before_exec = Vec::new();
        for action in [Action::Kill, Action::Refuse, Action::Absent] {
            let mut program = stage_a(worker, action).map_err(failed)?;
            if action == Action::Kill {
                // The other table of calls on the same processor would slip past every number below.
                program.splice(..0, KILL_X32);
            }
            before_exec.push(program);
        }
        let running = match worker.sandbox.preset {
            Preset::Exec | Preset::None => None,
            Preset::Sealed | Preset::NetClient | Preset::NetServer | Preset::FsRo => {
                Some(stage_b(worker).map_err(failed)?)
            }
        };
        let filter =
            |program| Filter::new(program).expect("the policy has far fewer lines than a filter may have");
        Ok(Self { before_exec: before_exec.into_iter().map(filter).collect(), running: running.map(filter) })
    }
}

/// A line of the policy that holds for a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SystemCall {
    /// The call's name.
    pub name: &'static str,
    /// What happens to it; for some calls only with certain arguments.
    pub verdict: Verdict,
    /// Why.
    pub reason: &'static str,
}

/// What happens to a system call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is carried out. Where calls are allowed by a list, every other call fails with EPERM.
    Allowed,
    /// It fails with EPERM.
    Refused,
    /// It fails with ENOSYS.
    Absent,
    /// The process is killed.
    Killed,
}

/// Returns the policy that holds for a running worker, line by line.
pub fn system_calls(worker: &Worker) -> Vec<SystemCall> {
    if worker.sandbox.preset == Preset::None {
        return Vec::new();
    }
    let stopped = STAGE_A.iter().chain(STAGE_A_NATIVE).filter(|line| line.applies(worker));
    let stopped = stopped.map(|line| SystemCall {
        name: plain(line.name),
        verdict: match line.action {
            Action::Kill => Verdict::Killed,
            Action::Refuse => Verdict::Refused,
            Action::Absent => Verdict::Absent,
        },
        reason: line.reason,
    });
    let allowed = STAGE_B.iter().chain(STAGE_B_NATIVE);
    let allowed = allowed.filter(|line| worker.sandbox.preset != Preset::Exec && line.applies(worker));
    let allowed = allowed.map(|line| SystemCall {
        name: plain(line.name),
        verdict: Verdict::Allowed,
        reason: line.reason,
    });
    stopped.chain(allowed).collect()
}

fn plain(name: &'static str) -> &'static str {
    name.strip_prefix("SYS_").unwrap_or(name)
}

impl Stopped {
    fn applies(&self, worker: &Worker) -> bool {
        !self.unless.is_some_and(|name| holds(worker, name))
    }
}

impl Allowed {
    fn applies(&self, worker: &Worker) -> bool {
        let sandbox = &worker.sandbox;
        match self.when {
            When::Always => true,
            When::Write => !sandbox.read_write_paths.is_empty(),
            When::Bind => !sandbox.tcp_bind.is_empty() || binds_any_port(sandbox),
            When::Connect => sandbox.preset == Preset::NetClient || !sandbox.tcp_connect.is_empty(),
            When::Holds(name) => holds(worker, name),
        }
    }
}

fn holds(worker: &Worker, name: &str) -> bool {
    worker.sandbox.capabilities.iter().any(|held| held == name)
}

type Program = Vec<Instruction>;
type Rules = BTreeMap<i64, Vec<SeccompRule>>;

fn stage_a(worker: &Worker, action: Action) -> Result<Program, BackendError> {
    let lines = STAGE_A.iter().chain(STAGE_A_NATIVE);
    let stopped = lines.filter(|line| line.action == action && line.applies(worker));
    let answer = match action {
        Action::Kill => SeccompAction::KillProcess,
        Action::Refuse => SeccompAction::Errno(libc::EPERM.unsigned_abs()),
        Action::Absent => SeccompAction::Errno(libc::ENOSYS.unsigned_abs()),
    };
    compile(rules(stopped.map(|line| (line.call, line.only)))?, SeccompAction::Allow, answer)
}

fn stage_b(worker: &Worker) -> Result<Program, BackendError> {
    let allowed = STAGE_B.iter().chain(STAGE_B_NATIVE).filter(|line| line.applies(worker));
    let refusal = SeccompAction::Errno(libc::EPERM.unsigned_abs());
    compile(rules(allowed.map(|line| (line.call, line.only)))?, refusal, SeccompAction::Allow)
}

/// Joins lines by call; a line without a test makes the others of its call superfluous.
fn rules(lines: impl Iterator<Item = (i64, Only)>) -> Result<Rules, BackendError> {
    let mut tests: BTreeMap<i64, Vec<Only>> = BTreeMap::new();
    for (call, only) in lines {
        tests.entry(call).or_default().push(only);
    }
    let rule = |only: &Only| SeccompRule::new(only.iter().map(condition).collect::<Result<_, _>>()?);
    let rules = |(call, lines): (i64, Vec<Only>)| {
        let rules = if lines.iter().any(|only| only.is_empty()) {
            Vec::new()
        } else {
            lines.iter().map(rule).collect::<Result<_, _>>()?
        };
        Ok((call, rules))
    };
    tests.into_iter().map(rules).collect()
}

fn condition(test: &Test) -> Result<SeccompCondition, BackendError> {
    use SeccompCmpArgLen::{Dword, Qword};
    match *test {
        Test::Is(n, value) => SeccompCondition::new(n, Dword, SeccompCmpOp::Eq, value.into()),
        Test::IsNot(n, value) => SeccompCondition::new(n, Dword, SeccompCmpOp::Ne, value.into()),
        Test::IsNull(n) => SeccompCondition::new(n, Qword, SeccompCmpOp::Eq, 0),
        Test::Has(n, mask, value) => {
            SeccompCondition::new(n, Dword, SeccompCmpOp::MaskedEq(mask.into()), value.into())
        }
    }
}

fn compile(rules: Rules, otherwise: SeccompAction, matched: SeccompAction) -> Result<Program, BackendError> {
    let program: BpfProgram = SeccompFilter::new(rules, otherwise, matched, ARCH)?.try_into()?;
    let instruction = |i: seccompiler::sock_filter| Instruction { code: i.code, jt: i.jt, jf: i.jf, k: i.k };
    Ok(program.into_iter().map(instruction).collect())
}

#[cfg(target_arch = "x86_64")]
const ARCH: TargetArch = TargetArch::x86_64;
#[cfg(target_arch = "aarch64")]
const ARCH: TargetArch = TargetArch::aarch64;
#[cfg(target_arch = "riscv64")]
const ARCH: TargetArch = TargetArch::riscv64;

const X32_BIT: u32 = 0x4000_0000;
const LOAD_NUMBER: u16 = 0x20;
const JUMP_IF_AT_LEAST: u16 = 0x35;
const RETURN: u16 = 0x06;
const KILL_X32: [Instruction; 3] = [
    Instruction { code: LOAD_NUMBER, jt: 0, jf: 0, k: 0 },
    Instruction { code: JUMP_IF_AT_LEAST, jt: 0, jf: 1, k: X32_BIT },
    Instruction { code: RETURN, jt: 0, jf: 0, k: libc::SECCOMP_RET_KILL_PROCESS },
];
