//! Lists of system calls as a manifest writes them: names, sets of them, and what becomes of the list that was there.

use super::line::{SystemCall, Verdict, allowed_to_everybody};
use crate::rules::rules_of;
use crate::system_call;

/// One element of a list: `mlock`, `@mount`, `+mlock`, `~@mount`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wish {
    /// What it does to the list.
    pub sign: Sign,
    /// Whether it is a set.
    pub is_set: bool,
    name: &'static str,
}

/// What an element does to the list that was there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sign {
    /// Without a sign: it is part of a list that takes the place of the former.
    Only,
    /// `+`: it is added.
    More,
    /// `~`: it is taken away, whatever adds it.
    Less,
}

impl Wish {
    /// Reads an element; `None` if there is no such call or set.
    pub fn read(text: &str) -> Option<Self> {
        let (sign, name) = match text.split_at_checked(1) {
            Some(("+", name)) => (Sign::More, name),
            Some(("~", name)) => (Sign::Less, name),
            _ => (Sign::Only, text),
        };
        let is_set = name.starts_with('@');
        let name = if is_set { set_named(name) } else { system_call::name(system_call::number(name)?) };
        Some(Self { sign, is_set, name: name? })
    }

    /// Reads a list, of which nothing is left of what does not exist.
    pub fn read_all(texts: &[String]) -> Vec<Self> {
        texts.iter().filter_map(|text| Self::read(text)).collect()
    }

    /// Returns the name of the call or set.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Returns whether it is what the runtime itself needs.
    pub fn is_the_runtimes(&self) -> bool {
        self.name == RUNTIME
    }

    /// Returns what is named, as lines of a policy.
    pub(super) fn lines(&self, verdict: Verdict) -> Vec<SystemCall> {
        match (self.name, verdict) {
            (RUNTIME, Verdict::Allowed) => allowed_to_everybody().collect(),
            _ => self.calls().into_iter().filter_map(|name| SystemCall::of(name, verdict, BY_NAME)).collect(),
        }
    }

    /// Returns the calls that are named, each once.
    pub fn calls(&self) -> Vec<&'static str> {
        let mut calls = Vec::new();
        add(self.name, &mut calls);
        calls
    }
}

/// Returns the names of all sets.
pub fn sets() -> Vec<&'static str> {
    let mut names = vec![RUNTIME, KNOWN];
    for (name, _) in members() {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

fn set_named(name: &str) -> Option<&'static str> {
    sets().into_iter().find(|known| *known == name)
}

/// Adds the calls behind a name: a call is itself, a set its members and theirs.
fn add(name: &'static str, calls: &mut Vec<&'static str>) {
    match name {
        RUNTIME => allowed_to_everybody().for_each(|line| add(line.name, calls)),
        KNOWN => system_call::known().for_each(|name| add(name, calls)),
        set if set.starts_with('@') => members()
            .filter(|(name, _)| *name == set)
            .for_each(|(_, members)| members.split(' ').for_each(|member| add(member, calls))),
        call if calls.contains(&call) || system_call::number(call).is_none() => {}
        call => calls.push(call),
    }
}

/// Returns the lines of the list of sets: a name and its members.
fn members() -> impl Iterator<Item = (&'static str, &'static str)> {
    rules_of(SETS).filter_map(|line| line.split_once(" : ")?.0.split_once(' '))
}

/// What the runtime itself needs.
const RUNTIME: &str = "@rt";
/// Every call that is known by name.
const KNOWN: &str = "@known";
const SETS: &str = include_str!("sets.txt");
/// Why a call is treated as it is that a list names.
const BY_NAME: &str = "named in system_call_filter";

#[cfg(test)]
mod tests {
    use super::*;

    fn calls(text: &str) -> Vec<&'static str> {
        Wish::read(text).unwrap().calls()
    }

    #[test]
    fn every_line_of_the_sets_is_well_formed_and_has_a_reason() {
        for line in rules_of(SETS) {
            let (set, what) = line.split_once(" : ").unwrap_or_else(|| panic!("{line}"));
            let (name, members) = set.split_once(' ').unwrap_or_else(|| panic!("{line}"));
            assert!(name.starts_with('@') && what.len() > 4, "{line}");
            for member in members.split(' ') {
                // Of another processor's calls only the shape is known here.
                let known = cfg!(not(target_arch = "x86_64")) || system_call::number(member).is_some();
                assert!(known || set_named(member).is_some(), "{member} in {line}");
                assert!(member != name, "{line}");
            }
        }
    }

    #[test]
    fn every_known_call_can_be_named_and_belongs_to_a_set_or_to_what_everybody_may() {
        let mut named: Vec<_> = sets().into_iter().filter(|set| *set != KNOWN).flat_map(calls).collect();
        named.sort_unstable();
        let lonely = calls("@known").into_iter().filter(|call| named.binary_search(call).is_err());
        let lonely: Vec<_> = lonely.collect();
        // Harmless questions, and what no word says more of than the name.
        assert!(lonely.len() < 40, "{lonely:?}");
        for call in ["ptrace", "mount", "bpf", "kexec_load", "shmget", "setuid", "io_uring_setup"] {
            assert!(!lonely.contains(&call), "{call}");
        }
    }

    #[test]
    fn signs_and_sets_are_read() {
        let read = |text| Wish::read(text).map(|wish| (wish.sign, wish.is_set, wish.name()));
        assert_eq!(read("mlock"), Some((Sign::Only, false, "mlock")));
        assert_eq!(read("+mlock"), Some((Sign::More, false, "mlock")));
        assert_eq!(read("~@mount"), Some((Sign::Less, true, "@mount")));
        for unknown in ["", "+", "~", "@", "mlok", "@mounts", "~~mlock", "+~mlock", "MLOCK", "mlock "] {
            assert_eq!(read(unknown), None, "{unknown}");
        }
    }

    #[test]
    fn a_set_holds_the_members_of_its_members_once() {
        let privileged = calls("@privileged");
        for call in ["chown", "reboot", "swapon", "setuid", "acct", "fchownat"] {
            assert_eq!(privileged.iter().filter(|known| **known == call).count(), 1, "{call}");
        }
        assert!(calls("@rt").contains(&"futex") && !calls("@rt").contains(&"execve"));
        assert!(calls("@known").len() > 300);
    }
}
