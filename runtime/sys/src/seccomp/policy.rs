//! What becomes of the system calls of one process: lines that hold, and what a manifest says beside them.

use super::line::{SystemCall, Test, Verdict, allowed_to_everybody};
use super::wish::{Sign, Wish};
use crate::system_call;

/// What becomes of the system calls of one process.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    /// What holds, line by line.
    pub lines: Vec<SystemCall>,
    /// Whether no call is carried out but those that a line allows.
    pub is_list: bool,
    /// Whether it may start other processes and programs; else no set lets it.
    pub forks: bool,
    /// What becomes of a call that no line of a list allows, and of one that a manifest takes away.
    pub denial: Denial,
    /// Calls that the kernel's log tells of when they are carried out.
    pub logged: Vec<Wish>,
    /// Which failures of calls that name paths are told, if any are.
    pub paths: Option<PathsTold>,
}

/// Which failures of calls that name paths are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathsTold {
    /// Those by which something is refused.
    Refused,
    /// Those as well by which something is not there, where what is not granted is not.
    Absent,
}

/// What becomes of a call that is denied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denial {
    /// It fails with this number.
    Fails(u16),
    /// It ends the process.
    Kills,
}

/// What becomes of one call.
#[derive(Clone, Debug)]
pub struct Decision {
    /// The call's name.
    pub name: &'static str,
    /// Lines that speak of certain arguments only; of those that apply, what stops the call comes before what allows it.
    pub special: Vec<SystemCall>,
    /// What becomes of it with all other arguments.
    pub verdict: Verdict,
    /// Why.
    pub reason: &'static str,
}

impl Default for Denial {
    fn default() -> Self {
        Self::Fails(libc::EPERM as u16)
    }
}

impl Policy {
    /// Takes up a list of calls as a manifest has it; `lifts` lets a call that is named lift what stops it altogether.
    ///
    /// Elements without a sign take the place of every line that allows a call; what is taken away is gone whatever adds
    /// it. What a line stops stays stopped when a set holds it.
    pub fn take_up(&mut self, wishes: &[Wish], lifts: bool) {
        let with = |sign| wishes.iter().filter(move |wish| wish.sign == sign);
        if with(Sign::Only).next().is_some() {
            self.lines.retain(|line| line.verdict != Verdict::Allowed || line.is_needed_to_start());
            self.is_list = true;
        }
        for wish in with(Sign::Only).chain(with(Sign::More)) {
            if lifts && !wish.is_set {
                self.lines.retain(|line| line.name != wish.name() || !line.stops_always());
            }
            let forks = self.forks || !wish.is_set || wish.is_the_runtimes();
            let passes =
                |line: &SystemCall| forks || line.is_about_arguments() || !FORKS.contains(&line.name);
            self.lines.extend(wish.lines(Verdict::Allowed).into_iter().filter(passes));
        }
        for wish in with(Sign::Less) {
            let calls = wish.calls();
            let is_meant = |line: &SystemCall| line.verdict == Verdict::Allowed && calls.contains(&line.name);
            // The runtime cannot start without what it needs, which is taken away once it has.
            let needed = allowed_to_everybody().filter(|line| self.is_list && is_meant(line));
            let needed: Vec<_> =
                needed.map(|line| SystemCall { verdict: Verdict::Starting, ..line }).collect();
            self.lines.retain(|line| !is_meant(line));
            self.lines.extend(needed);
            if !self.is_list {
                self.lines.extend(wish.lines(Verdict::Denied));
            }
        }
    }

    /// Takes away what makes memory that a limit of address space does not count, unless a list names it by itself.
    pub fn bound_by_address_space(&mut self, wishes: &[Wish]) {
        let is_named = |name: &str| {
            wishes.iter().any(|wish| !wish.is_set && wish.sign != Sign::Less && wish.name() == name)
        };
        let makes = |line: &SystemCall| line.verdict == Verdict::Allowed && UNCOUNTED.contains(&line.name);
        self.lines.retain(|line| !makes(line) || is_named(line.name));
    }

    /// Refuses sockets of all families but these, by the kernel's names; of what is no name there are none.
    pub fn only_families(&mut self, families: &[String]) {
        let tests = numbers(families).map(|family| Test::differs(0, family)).collect();
        self.lines.extend(SystemCall::with("socket", Verdict::Refused, FAMILIES, tests));
    }

    /// Refuses sockets of these families.
    pub fn no_families(&mut self, families: &[String]) {
        for family in numbers(families) {
            let test = vec![Test::equals(0, family)];
            self.lines.extend(SystemCall::with("socket", Verdict::Refused, FAMILIES, test));
        }
    }

    /// Returns what becomes of every known call.
    pub fn decisions(&self) -> Vec<Decision> {
        system_call::known().map(|name| self.decide(name)).collect()
    }

    fn decide(&self, name: &'static str) -> Decision {
        let (verdict, reason) = match self.is_list {
            true => (Verdict::Denied, "no line allows it"),
            false => (Verdict::Allowed, "no line stops it"),
        };
        let mut decision = Decision { name, special: Vec::new(), verdict, reason };
        let severity = |line: &&SystemCall| SEVEREST.iter().position(|verdict| *verdict == line.verdict);
        // A line that allows something says nothing where there is no list, and one of the start nothing of what is running.
        let speaks = |line: &&SystemCall| match line.verdict {
            Verdict::Allowed => self.is_list,
            Verdict::Starting => false,
            _ => true,
        };
        let mut lines: Vec<_> = self.lines.iter().filter(|line| line.name == name).filter(speaks).collect();
        lines.sort_by_key(severity);
        for line in lines {
            if line.is_about_arguments() {
                decision.special.push(line.clone());
            } else {
                (decision.verdict, decision.reason) = (line.verdict, line.reason);
                break;
            }
        }
        decision
    }
}

/// Returns the numbers of families of sockets.
fn numbers(families: &[String]) -> impl Iterator<Item = u32> {
    families.iter().filter_map(|name| system_call::family(name))
}

/// What makes memory that belongs to no address space: it stays when nobody maps it.
pub const UNCOUNTED: [&str; 2] = ["memfd_create", "shmget"];
/// What starts other processes and programs.
pub const FORKS: [&str; 6] = ["clone", "clone3", "execve", "execveat", "fork", "vfork"];
/// The verdicts, in the order in which they prevail.
const SEVEREST: [Verdict; 5] =
    [Verdict::Killed, Verdict::Absent, Verdict::Refused, Verdict::Denied, Verdict::Allowed];
/// Why sockets of some families are refused.
const FAMILIES: &str = "kept from it by restrict_address_families";

#[cfg(test)]
mod tests {
    use super::super::line::lines;
    use super::*;

    fn policy(texts: &[&str], lifts: bool) -> Policy {
        let mut policy = Policy { lines: lines(|_| false).collect(), is_list: true, ..Policy::default() };
        let wishes: Vec<_> = texts.iter().map(|text| Wish::read(text).unwrap()).collect();
        policy.take_up(&wishes, lifts);
        policy
    }

    fn verdict(policy: &Policy, name: &str) -> (Verdict, usize) {
        let decision = policy.decisions().into_iter().find(|one| one.name == name).unwrap();
        (decision.verdict, decision.special.len())
    }

    #[test]
    fn names_without_a_sign_take_the_place_of_the_list_and_signs_change_it() {
        let plain = policy(&[], false);
        assert_eq!(verdict(&plain, "read"), (Verdict::Allowed, 0));
        assert_eq!(verdict(&plain, "mlock"), (Verdict::Denied, 0));
        let only = policy(&["mlock"], false);
        assert_eq!(
            (verdict(&only, "mlock").0, verdict(&only, "read").0),
            (Verdict::Allowed, Verdict::Denied)
        );
        let more = policy(&["+mlock"], false);
        assert_eq!(
            (verdict(&more, "mlock").0, verdict(&more, "read").0),
            (Verdict::Allowed, Verdict::Allowed)
        );
        let less = policy(&["~mlock", "+@memlock", "~read"], false);
        assert_eq!((verdict(&less, "mlock").0, verdict(&less, "read").0), (Verdict::Denied, Verdict::Denied));
        assert_eq!(verdict(&less, "mlock2").0, Verdict::Allowed);
        let same = policy(&["@rt"], false);
        assert_eq!(same.lines.len(), plain.lines.len());
    }

    #[test]
    fn what_is_stopped_stays_stopped_unless_it_is_named_and_may_be_lifted() {
        for (texts, lifts, wanted) in [
            (["+mount"], false, Verdict::Refused),
            (["+@mount"], true, Verdict::Refused),
            (["+mount"], true, Verdict::Allowed),
            (["+reboot"], false, Verdict::Killed),
            (["+reboot"], true, Verdict::Allowed),
        ] {
            let name = texts[0].trim_start_matches(['+', '@']);
            assert_eq!(verdict(&policy(&texts, lifts), name).0, wanted, "{texts:?} {lifts}");
        }
        // Arguments that are stopped stay so in any case.
        let (found, special) = verdict(&policy(&["+ioctl"], true), "ioctl");
        assert!(found == Verdict::Allowed && special >= 2);
    }

    #[test]
    fn where_there_is_no_list_calls_are_taken_away_one_by_one() {
        let stops = lines(|_| false).filter(|line| line.verdict != Verdict::Allowed);
        let mut policy = Policy { lines: stops.collect(), ..Policy::default() };
        policy.take_up(&[Wish::read("~@network-io").unwrap()], false);
        assert_eq!(verdict(&policy, "connect").0, Verdict::Denied);
        assert_eq!(verdict(&policy, "execve").0, Verdict::Allowed);
        assert_eq!(verdict(&policy, "mount").0, Verdict::Refused);
    }

    #[test]
    fn memory_that_no_address_space_counts_is_made_by_whom_a_list_names_it_for() {
        for (texts, makes) in [
            (&[][..], [false, false]),
            (&["+@ipc"], [false, false]),
            (&["@rt", "@ipc"], [false, false]),
            (&["~memfd_create"], [false, false]),
            (&["+memfd_create"], [true, false]),
            (&["@rt", "shmget"], [false, true]),
        ] {
            let mut policy = policy(texts, false);
            let wishes: Vec<_> = texts.iter().map(|text| Wish::read(text).unwrap()).collect();
            policy.bound_by_address_space(&wishes);
            let found = UNCOUNTED.map(|name| verdict(&policy, name).0 == Verdict::Allowed);
            assert_eq!(found, makes, "{texts:?}");
        }
    }

    #[test]
    fn every_known_call_is_decided_with_a_reason() {
        let decisions = policy(&[], false).decisions();
        assert!(decisions.len() > 300 && decisions.iter().all(|one| one.reason.len() > 4));
        let of = |name| decisions.iter().find(|one| one.name == name).unwrap();
        assert_eq!(of("clone").verdict, Verdict::Denied);
        // Seven namespaces, and threads.
        let special: Vec<_> = of("clone").special.iter().map(|line| line.verdict).collect();
        assert_eq!(special, [[Verdict::Refused; 7].as_slice(), &[Verdict::Allowed]].concat());
        assert_eq!(of("clone").special[7].condition(), "arg0 & CLONE_THREAD_FILES == CLONE_THREAD_FILES");
        assert_eq!((of("execve").verdict, of("reboot").verdict), (Verdict::Denied, Verdict::Killed));
    }

    #[test]
    fn families_are_refused_unless_they_are_listed() {
        let mut policy = policy(&["+socket"], false);
        policy.only_families(&["AF_UNIX".into(), "AF_INET".into()]);
        let socket = policy.decisions().into_iter().find(|one| one.name == "socket").unwrap();
        assert!(socket.special.iter().any(|line| line.condition() == "arg0 != 1, arg0 != 2"));
        policy.only_families(&[]);
        assert_eq!(verdict(&policy, "socket").0, Verdict::Refused);
    }
}
