//! Which system calls are stopped, and which are allowed: the lines of `system_calls.txt`, which explains itself.

use bailiwick_sys::capability::Capabilities;
use bailiwick_sys::system_call;
use seccompiler::{SeccompCmpArgLen, SeccompCmpOp};

use super::paths::binds_any_port;
use crate::spec::{Preset, Worker};

/// A line of the policy.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SystemCall {
    /// The call's name.
    pub name: &'static str,
    /// What happens to it; for some calls only with certain arguments.
    pub verdict: Verdict,
    /// Why.
    pub reason: &'static str,
    pub(super) number: i64,
    pub(super) whom: Whom,
    /// Which arguments the line speaks of: all of these must hold.
    pub(super) only: Vec<Test>,
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

/// For which workers a line holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Whom {
    Everybody,
    MayWrite,
    MayBind,
    MayConnect,
    Holds(&'static str),
    Lacks(&'static str),
}

/// A test of one argument.
#[derive(Clone, Debug)]
pub(super) struct Test {
    pub(super) argument: u8,
    pub(super) length: SeccompCmpArgLen,
    pub(super) operator: SeccompCmpOp,
    pub(super) value: u32,
}

/// Returns the policy that holds for a worker, line by line.
pub fn system_calls(worker: &Worker) -> Vec<SystemCall> {
    let staged = |line: &SystemCall| match worker.sandbox.preset {
        Preset::None => false,
        Preset::Exec => line.verdict != Verdict::Allowed,
        Preset::Sealed | Preset::NetClient | Preset::NetServer | Preset::FsRo => true,
    };
    lines().filter(|line| staged(line) && line.applies(worker)).collect()
}

/// Returns every line of the policy.
pub(super) fn lines() -> impl Iterator<Item = SystemCall> {
    let lines = [COMMON, NATIVE].into_iter().flat_map(rules_of);
    lines.map(|line| SystemCall::read(line).expect("the tests read every line"))
}

/// Returns the lines of a policy's text that are neither empty nor comments.
pub(super) fn rules_of(text: &'static str) -> impl Iterator<Item = &'static str> {
    text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'))
}

impl SystemCall {
    fn read(line: &'static str) -> Option<Self> {
        let (rule, reason) = line.split_once(" : ")?;
        let (rule, tests) = rule.split_once(" if ").map_or((rule, None), |(rule, tests)| (rule, Some(tests)));
        let mut words = rule.split(' ');
        let verdict = match words.next()? {
            "allow" => Verdict::Allowed,
            "refuse" => Verdict::Refused,
            "absent" => Verdict::Absent,
            "kill" => Verdict::Killed,
            _ => return None,
        };
        let name = words.next()?;
        let whom = match (words.next(), words.next(), words.next()) {
            (None, None, None) => Whom::Everybody,
            (Some("for"), Some("write"), None) => Whom::MayWrite,
            (Some("for"), Some("bind"), None) => Whom::MayBind,
            (Some("for"), Some("connect"), None) => Whom::MayConnect,
            (Some("for"), Some(name), None) => Capabilities::named(name).map(|_| Whom::Holds(name))?,
            (Some("unless"), Some(name), None) => Capabilities::named(name).map(|_| Whom::Lacks(name))?,
            _ => return None,
        };
        let only = tests.into_iter().flat_map(|tests| tests.split(", ")).map(Test::read);
        let (number, only) = (system_call::number(name)?, only.collect::<Option<_>>()?);
        Some(Self { name, verdict, reason, number, whom, only })
    }

    fn applies(&self, worker: &Worker) -> bool {
        let sandbox = &worker.sandbox;
        let holds = |name| sandbox.capabilities.iter().any(|held| held == name);
        match self.whom {
            Whom::Everybody => true,
            Whom::MayWrite => !sandbox.read_write_paths.is_empty(),
            Whom::MayBind => !sandbox.tcp_bind.is_empty() || binds_any_port(sandbox),
            Whom::MayConnect => sandbox.preset == Preset::NetClient || !sandbox.tcp_connect.is_empty(),
            Whom::Holds(name) => holds(name),
            Whom::Lacks(name) => !holds(name),
        }
    }
}

impl Test {
    fn read(text: &str) -> Option<Self> {
        let (argument, comparison) = text.strip_prefix("arg")?.split_once(' ')?;
        let (operator, value) = match comparison.split(' ').collect::<Vec<_>>()[..] {
            ["==", value] => (SeccompCmpOp::Eq, value),
            ["!=", value] => (SeccompCmpOp::Ne, value),
            ["&", mask, "==", value] => (SeccompCmpOp::MaskedEq(number(mask)?.into()), value),
            _ => return None,
        };
        let (length, value) = match value {
            "NULL" => (SeccompCmpArgLen::Qword, 0),
            value => (SeccompCmpArgLen::Dword, number(value)?),
        };
        Some(Self { argument: argument.parse().ok()?, length, operator, value })
    }
}

fn number(text: &str) -> Option<u32> {
    match text.strip_prefix("0x") {
        Some(digits) => u32::from_str_radix(digits, 16).ok(),
        None => text.parse().ok().or_else(|| system_call::constant(text)),
    }
}

const COMMON: &str = include_str!("system_calls.txt");
#[cfg(target_arch = "x86_64")]
const NATIVE: &str = include_str!("system_calls.x86_64.txt");
#[cfg(not(target_arch = "x86_64"))]
const NATIVE: &str = "";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_is_well_formed_and_has_a_reason() {
        for text in [COMMON, include_str!("system_calls.x86_64.txt")] {
            for line in rules_of(text) {
                assert!(line.split_once(" : ").is_some_and(|(_, reason)| reason.len() > 4), "{line}");
            }
        }
        for text in [COMMON, NATIVE] {
            for line in rules_of(text) {
                assert!(SystemCall::read(line).is_some(), "{line}");
            }
        }
        assert!(lines().count() > 200);
    }

    #[test]
    fn a_line_that_says_what_nobody_understands_is_refused() {
        for line in [
            "allow read",
            "permit read : an unknown verdict",
            "allow raed : an unknown call",
            "kill reboot unless CAP_BOOTS : an unknown capability",
            "allow bind for everybody : an unknown kind of worker",
            "allow read for write more : a word too many",
            "allow ioctl if 1 == FIONBIO : not an argument",
            "allow ioctl if arg1 == FIONB : an unknown constant",
            "allow ioctl if arg1 < 3 : an unknown comparison",
            "allow ioctl if arg1 == 0xg : not a number",
        ] {
            assert!(SystemCall::read(line).is_none(), "{line}");
        }
    }
}
