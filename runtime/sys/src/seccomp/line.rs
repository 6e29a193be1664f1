//! Which system calls are stopped, and which are allowed: the lines of `system_calls.txt`, which explains itself.
//!
//! What a line says is known here. Whom it is about is not: a line names a circumstance, such as a capability or that
//! somebody may write, and whoever makes a policy says which circumstances are given.

use std::borrow::Cow;
use std::fmt;
use std::sync::LazyLock;

use crate::capability::Capabilities;
use crate::rules::rules_of;
use crate::system_call;

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
    /// The whole line, or what else it was made from.
    pub(super) text: Cow<'static, str>,
    pub(super) number: i64,
    pub(super) whom: Whom,
    /// Which arguments the line speaks of: all of these must hold.
    pub(super) only: Vec<Test>,
}

/// What happens to a system call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is carried out.
    Allowed,
    /// It is carried out until the second stage is entered.
    Starting,
    /// It fails with EPERM.
    Refused,
    /// It fails with ENOSYS.
    Absent,
    /// The process is killed.
    Killed,
    /// It fails, or kills, as it is decided for whatever no list allows.
    Denied,
}

/// For whom a line holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Whom {
    Everybody,
    Given(&'static str),
    NotGiven(&'static str),
}

/// A test of one argument.
#[derive(Clone, Copy, Debug)]
pub(super) struct Test {
    pub(super) argument: u8,
    pub(super) operator: Operator,
    pub(super) value: u32,
}

/// How an argument is compared: its low half, where the kernel takes no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    /// It is the value.
    Equal,
    /// It is not the value.
    Differs,
    /// Those of its bits that are in the mask are the value.
    Masked(u32),
    /// All of it is zero, as the value is.
    Null,
}

/// The circumstances that a line may name beside capabilities; the text explains them.
pub const CIRCUMSTANCES: [&str; 22] = [
    "write",
    "counted",
    "locks",
    "bind",
    "connect",
    "udp",
    "command",
    "openat2",
    "libraries",
    "wx",
    "memfd_exec",
    "suid",
    "realtime",
    "personality",
    "newcgroup",
    "newipc",
    "newns",
    "newnet",
    "newpid",
    "newtime",
    "newuser",
    "newuts",
];

/// Returns the lines that hold in the circumstances of which `given` says so: capabilities by their names, and
/// [`CIRCUMSTANCES`].
pub fn lines(given: impl Fn(&str) -> bool) -> impl Iterator<Item = SystemCall> {
    every_line().filter(move |line| match line.whom {
        Whom::Everybody => true,
        Whom::Given(circumstance) => given(circumstance),
        Whom::NotGiven(circumstance) => !given(circumstance),
    })
}

/// Returns every line of the policy.
pub(super) fn every_line() -> impl Iterator<Item = SystemCall> {
    // Read once: a system with hundreds of instances asks as often.
    static LINES: LazyLock<Vec<SystemCall>> = LazyLock::new(|| {
        let lines = [COMMON, NATIVE].into_iter().flat_map(rules_of);
        lines.map(|line| SystemCall::read(line).expect("the tests read every line")).collect()
    });
    LINES.iter().cloned()
}

/// Returns the lines that allow a call for everybody, which is what the runtime itself needs.
pub(super) fn allowed_to_everybody() -> impl Iterator<Item = SystemCall> {
    every_line().filter(|line| line.whom == Whom::Everybody && line.verdict == Verdict::Allowed)
}

impl SystemCall {
    /// Makes a line about a call whatever its arguments; `None` if this processor has no such call.
    pub(super) fn of(name: &'static str, verdict: Verdict, reason: &'static str) -> Option<Self> {
        Self::with(name, verdict, reason, Vec::new())
    }

    /// Makes a line about a call with certain arguments; `None` if this processor has no such call.
    pub(super) fn with(
        name: &'static str,
        verdict: Verdict,
        reason: &'static str,
        only: Vec<Test>,
    ) -> Option<Self> {
        let tests: Vec<_> = only.iter().map(Test::to_string).collect();
        let text =
            if tests.is_empty() { name.into() } else { format!("{name} if {}", tests.join(", ")).into() };
        Some(Self {
            name,
            verdict,
            reason,
            text,
            number: system_call::number(name)?,
            whom: Whom::Everybody,
            only,
        })
    }

    /// Returns which arguments the line speaks of, as the policy writes it; empty for any.
    pub fn condition(&self) -> &str {
        let rule = self.text.split_once(" : ").map_or(&*self.text, |(rule, _)| rule);
        rule.split_once(" if ").map_or("", |(_, tests)| tests)
    }

    /// Returns whether the line speaks of certain arguments only.
    pub fn is_about_arguments(&self) -> bool {
        !self.only.is_empty()
    }

    /// Returns whether the line stops the call whatever its arguments.
    pub fn stops_always(&self) -> bool {
        self.verdict != Verdict::Allowed && self.only.is_empty()
    }

    /// Returns whether a program cannot be started without it under a list.
    pub fn is_needed_to_start(&self) -> bool {
        self.whom == Whom::Given("command")
    }

    fn read(line: &'static str) -> Option<Self> {
        let (rule, reason) = line.split_once(" : ")?;
        let (rule, tests) = rule.split_once(" if ").map_or((rule, None), |(rule, tests)| (rule, Some(tests)));
        let mut words = rule.split(' ');
        let verdict = match words.next()? {
            "allow" => Verdict::Allowed,
            "start" => Verdict::Starting,
            "refuse" => Verdict::Refused,
            "absent" => Verdict::Absent,
            "kill" => Verdict::Killed,
            _ => return None,
        };
        let name = words.next()?;
        let known = |name: &&str| CIRCUMSTANCES.contains(name) || Capabilities::named(name).is_some();
        let whom = match (words.next(), words.next().filter(known), words.next()) {
            (None, None, None) => Whom::Everybody,
            (Some("for"), Some(name), None) => Whom::Given(name),
            (Some("unless"), Some(name), None) => Whom::NotGiven(name),
            _ => return None,
        };
        let only = tests.into_iter().flat_map(|tests| tests.split(", ")).map(Test::read);
        let (number, only) = (system_call::number(name)?, only.collect::<Option<_>>()?);
        Some(Self { name, verdict, reason, text: line.into(), number, whom, only })
    }
}

impl Test {
    pub(super) fn equals(argument: u8, value: u32) -> Self {
        Self { argument, operator: Operator::Equal, value }
    }

    pub(super) fn differs(argument: u8, value: u32) -> Self {
        Self { operator: Operator::Differs, ..Self::equals(argument, value) }
    }

    fn read(text: &str) -> Option<Self> {
        let (argument, comparison) = text.strip_prefix("arg")?.split_once(' ')?;
        let (operator, value) = match comparison.split(' ').collect::<Vec<_>>()[..] {
            ["==", "NULL"] => (Operator::Null, "0"),
            ["==", value] => (Operator::Equal, value),
            ["!=", value] => (Operator::Differs, value),
            ["&", mask, "==", value] => (Operator::Masked(number(mask)?), value),
            _ => return None,
        };
        Some(Self { argument: argument.parse().ok()?, operator, value: number(value)? })
    }
}

impl fmt::Display for Test {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (argument, value) = (self.argument, self.value);
        match self.operator {
            Operator::Masked(mask) => write!(f, "arg{argument} & {mask:#x} == {value:#x}"),
            Operator::Differs => write!(f, "arg{argument} != {value}"),
            Operator::Null => write!(f, "arg{argument} == NULL"),
            Operator::Equal => write!(f, "arg{argument} == {value}"),
        }
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
        assert!(every_line().count() > 200);
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
