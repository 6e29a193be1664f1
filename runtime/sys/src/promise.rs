//! What the kernel has to say of a process that has completed its sandbox, and what is broken if it says something else.

use thiserror::Error;

use crate::capability::Capabilities;
use crate::identity::Identity;
use crate::process::Resource;

/// What has to hold of a process before code of the user runs in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Promise {
    /// All four of its users and groups.
    pub identity: Identity,
    /// Its supplementary groups, in ascending order; `None` are those of its parent.
    pub groups: Option<Vec<u32>>,
    /// Resource limits, soft and hard, that are no higher, where there is a sandbox.
    pub limits: Vec<(Resource, u64)>,
    /// How early the kernel kills it for want of memory, where there is a sandbox. One that only power could lower may
    /// be its parent's.
    pub oom_score_adjust: i32,
    /// In how many PID namespaces more than its parent it is, one within the other.
    pub pids: usize,
    /// What holds where there is a sandbox.
    pub sandbox: Option<Confined>,
}

/// What has to hold of a process in a sandbox: it has one thread, no child, and can gain no privilege by exec.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Confined {
    /// What it may hold at most: permitted, effective, inheritable and ambient.
    pub capabilities: Capabilities,
    /// Its bounding set holds no more either.
    pub is_bounded: bool,
    /// System call filters of its own, no fewer and no more.
    pub filters: usize,
    /// How many descriptors it holds, where that was settled.
    pub descriptors: Option<u64>,
    /// Others of its user may look into it.
    pub is_dumpable: bool,
}

/// What a process has from its parent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Heritage {
    pub(crate) pid: i32,
    /// System call filters that every child inherits.
    pub(crate) filters: usize,
    /// PID namespaces, one within the other, that it is in at least.
    pub(crate) pids: usize,
    pub(crate) groups: String,
    /// `None` where none can be set.
    pub(crate) oom_score_adjust: Option<i32>,
}

/// A promise that does not hold.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum Broken {
    /// The kernel does not say.
    #[error("the kernel does not tell its {field}")]
    Untold {
        /// The line or the file below `/proc/PID`.
        field: &'static str,
    },
    /// A user or group is another one.
    #[error("its {field} are {found:?}, expected {expected} four times")]
    Identity {
        /// The line of `/proc/PID/status`.
        field: &'static str,
        /// What the kernel says.
        found: Vec<u32>,
        /// What was promised.
        expected: u32,
    },
    /// It has other supplementary groups.
    #[error("its supplementary groups are `{found}`, expected `{expected}`")]
    Groups {
        /// What the kernel says.
        found: String,
        /// What was promised.
        expected: String,
    },
    /// It holds more than it is granted.
    #[error("its {field} is {found:#x}, expected no more than {expected:#x}")]
    Capabilities {
        /// The line of `/proc/PID/status`.
        field: &'static str,
        /// What the kernel says.
        found: u64,
        /// What was promised.
        expected: u64,
    },
    /// It can gain privileges by exec.
    #[error("it has not renounced new privileges")]
    NewPrivileges,
    /// Filters are missing, or are not the supervisor's.
    #[error("{found} system call filters stand, expected {expected}")]
    Filters {
        /// What the kernel says.
        found: usize,
        /// What was promised.
        expected: usize,
    },
    /// It has threads, which its sandbox does not hold for.
    #[error("it has {found} threads, expected one: what runs before the runtime takes over starts none")]
    Threads {
        /// What the kernel says.
        found: u32,
    },
    /// It has made processes, which its sandbox does not hold for.
    #[error(
        "it has made process {first}, expected none: what runs before the runtime takes over starts none"
    )]
    Children {
        /// The number of the first of them.
        first: String,
    },
    /// It holds what it was not given, or has lost what it was.
    #[error(
        "it holds {found} descriptors, expected {expected}: what runs before the runtime takes over keeps none"
    )]
    Descriptors {
        /// What the kernel says.
        found: u64,
        /// What was promised.
        expected: u64,
    },
    /// Others of its user may look into it.
    #[error("others of its user may look into it")]
    Dumpable,
    /// It is another's child, or in another's session or process group, or has a terminal.
    #[error("its {what} is {found}, expected {expected}")]
    Family {
        /// Which of these.
        what: &'static str,
        /// What the kernel says.
        found: i32,
        /// What was promised.
        expected: i32,
    },
    /// It is in others, or none of its own.
    #[error("it is in {found} nested PID namespaces, expected {expected}")]
    PidNamespaces {
        /// What the kernel says.
        found: usize,
        /// What was promised.
        expected: usize,
    },
    /// A limit is higher.
    #[error("its limit of {what} is {found}, expected no more than {expected}")]
    Limit {
        /// The line of `/proc/PID/limits`.
        what: &'static str,
        /// What the kernel says.
        found: String,
        /// What was promised.
        expected: u64,
    },
    /// The kernel would kill others before it.
    #[error("its oom_score_adj is {found}, expected {expected}")]
    OomScore {
        /// What the kernel says.
        found: i32,
        /// What was promised.
        expected: i32,
    },
}

impl Promise {
    /// Compares with the text of `/proc/PID/status`.
    pub(crate) fn check_status(&self, status: &str, heritage: &Heritage) -> Result<(), Broken> {
        for (field, expected) in [("Uid", self.identity.uid), ("Gid", self.identity.gid)] {
            let found: Vec<u32> =
                value(status, field)?.split_whitespace().filter_map(|number| number.parse().ok()).collect();
            if found != [expected; 4] {
                return Err(Broken::Identity { field, found, expected });
            }
        }
        let listed = |groups: &Vec<u32>| groups.iter().map(u32::to_string).collect::<Vec<_>>().join(" ");
        let expected = self.groups.as_ref().map_or_else(|| heritage.groups.clone(), listed);
        let found = value(status, "Groups")?;
        if found != expected {
            return Err(Broken::Groups { found: found.to_owned(), expected });
        }
        let (found, expected) = (pids(status), heritage.pids + self.pids);
        if found != expected {
            return Err(Broken::PidNamespaces { found, expected });
        }
        self.sandbox.map_or(Ok(()), |confined| confined.check_status(status, heritage))
    }

    /// Compares with the text of `/proc/PID/stat`.
    pub(crate) fn check_family(&self, stat: &str, pid: i32, heritage: &Heritage) -> Result<(), Broken> {
        let fields = stat_fields(stat);
        let field = |at: usize| fields.get(at).and_then(|number| number.parse::<i32>().ok());
        let wanted = [
            ("parent", PARENT, heritage.pid),
            ("process group", GROUP, pid),
            ("session", SESSION, pid),
            ("terminal", TERMINAL, 0),
        ];
        for (what, at, expected) in wanted {
            let found = field(at).ok_or(Broken::Untold { field: "stat" })?;
            if found != expected {
                return Err(Broken::Family { what, found, expected });
            }
        }
        let found = field(THREADS).ok_or(Broken::Untold { field: "stat" })?.unsigned_abs();
        if self.sandbox.is_some() && found != 1 { Err(Broken::Threads { found }) } else { Ok(()) }
    }

    /// Compares with the text of `/proc/PID/limits`.
    pub(crate) fn check_limits(&self, limits: &str) -> Result<(), Broken> {
        for (resource, expected) in &self.limits {
            let what = resource.line();
            let line = limits.lines().find_map(|line| line.strip_prefix(what));
            // The higher of the two, up to which the process may raise the lower one.
            let hard = line.and_then(|line| line.split_whitespace().nth(1));
            let found = hard.ok_or(Broken::Untold { field: what })?;
            // What has no limit is no number.
            if found.parse::<u64>().unwrap_or(u64::MAX) > *expected {
                return Err(Broken::Limit { what, found: found.to_owned(), expected: *expected });
            }
        }
        Ok(())
    }

    /// Compares with the text of `/proc/PID/oom_score_adj`.
    pub(crate) fn check_oom_score(&self, text: &str, heritage: &Heritage) -> Result<(), Broken> {
        let found = text.trim().parse().map_err(|_| Broken::Untold { field: "oom_score_adj" })?;
        let Some(parents) = heritage.oom_score_adjust else { return Ok(()) };
        let expected = self.oom_score_adjust;
        let is_out_of_reach = expected < parents && found == parents;
        if found == expected || is_out_of_reach { Ok(()) } else { Err(Broken::OomScore { found, expected }) }
    }

    /// Compares with the owner of `/proc/PID/status`: the process's user where others of that may look into it.
    pub(crate) fn check_owner(&self, owner: u32) -> Result<(), Broken> {
        // Of root's own processes it does not tell.
        let is_told = self.sandbox.is_some_and(|confined| !confined.is_dumpable) && self.identity.uid != 0;
        if is_told && owner == self.identity.uid { Err(Broken::Dumpable) } else { Ok(()) }
    }
}

impl Confined {
    fn check_status(&self, status: &str, heritage: &Heritage) -> Result<(), Broken> {
        let expected = self.capabilities.bits();
        let bounding = self.is_bounded.then_some("CapBnd");
        for field in ["CapPrm", "CapEff", "CapInh", "CapAmb"].into_iter().chain(bounding) {
            let found =
                u64::from_str_radix(value(status, field)?, 16).map_err(|_| Broken::Untold { field })?;
            if found & !expected != 0 {
                return Err(Broken::Capabilities { field, found, expected });
            }
        }
        if value(status, "NoNewPrivs")? != "1" {
            return Err(Broken::NewPrivileges);
        }
        let (found, expected) = (filters(status)?, heritage.filters + self.filters);
        // The mode beside the number: 2 is by filter, and 1 would be another kind of sandbox.
        let mode = if expected == 0 { "0" } else { "2" };
        if found != expected || value(status, "Seccomp")? != mode {
            return Err(Broken::Filters { found, expected });
        }
        Ok(())
    }
}

/// Returns in how many PID namespaces a process has a number according to the text of `/proc/PID/status`; none where the
/// kernel knows of no such namespaces.
pub(crate) fn pids(status: &str) -> usize {
    value(status, "NSpid").map_or(0, |numbers| numbers.split_whitespace().count())
}

/// Returns how many system call filters stand according to the text of `/proc/PID/status`.
pub(crate) fn filters(status: &str) -> Result<usize, Broken> {
    let field = "Seccomp_filters";
    value(status, field)?.parse().map_err(|_| Broken::Untold { field })
}

/// Returns a line of `/proc/PID/status`.
pub(crate) fn value<'a>(status: &'a str, field: &'static str) -> Result<&'a str, Broken> {
    let of_line = |line: &'a str| line.strip_prefix(field)?.strip_prefix(':').map(str::trim);
    status.lines().find_map(of_line).ok_or(Broken::Untold { field })
}

/// Returns the fields of `/proc/PID/stat` from the process's state on.
pub(crate) fn stat_fields(stat: &str) -> Vec<&str> {
    // The name before the bracket may hold anything, also brackets.
    stat.rsplit_once(')').map_or("", |(_, fields)| fields).split_whitespace().collect()
}

/// Returns whether no code of a process runs any more, according to the text of `/proc/PID/stat`. One whose first thread
/// alone has come to its end runs on.
pub(crate) fn is_ending(stat: &str) -> bool {
    let fields = stat_fields(stat);
    let field = |at: usize| fields.get(at).and_then(|number| number.parse::<u32>().ok());
    field(FLAGS).is_some_and(|flags| flags & EXITING != 0)
        && field(THREADS).is_some_and(|threads| threads <= 1)
}

const PARENT: usize = 1;
const GROUP: usize = 2;
const SESSION: usize = 3;
const TERMINAL: usize = 4;
const FLAGS: usize = 6;
/// The kernel's PF_EXITING: set before anything that the process holds is given back, and never taken back.
const EXITING: u32 = 4;
const THREADS: usize = 17;
/// When it was started, in the kernel's ticks since the boot.
pub(crate) const BORN: usize = 19;

#[cfg(test)]
mod tests {
    use super::*;

    const STATUS: &str = "Name:\tweb\nUid:\t7\t7\t7\t7\nGid:\t8\t8\t8\t8\nGroups:\t \n\
        CapInh:\t0000000000000000\nCapPrm:\t0000000000000400\nCapEff:\t0000000000000400\n\
        CapBnd:\t0000000000000400\nCapAmb:\t0000000000000400\nNoNewPrivs:\t1\nSeccomp:\t2\nSeccomp_filters:\t3\n\
        NSpid:\t70\t2\n";
    const STAT: &str = "70 (a (b) c) S 60 70 70 0 -1 4194304 1 0 0 0 0 0 0 0 20 0 1 0 4711 1 1 1";
    const LIMITS: &str = "Limit                     Soft Limit           Hard Limit           Units     \n\
        Max open files            64                   256                  files     \n\
        Max address space         unlimited            unlimited            bytes     \n";

    fn promise() -> Promise {
        Promise {
            identity: Identity { uid: 7, gid: 8 },
            groups: Some(Vec::new()),
            limits: vec![(Resource::OpenFiles, 256)],
            oom_score_adjust: 500,
            pids: 1,
            sandbox: Some(Confined {
                capabilities: Capabilities::named("CAP_NET_BIND_SERVICE").expect("it has a name"),
                is_bounded: true,
                filters: 2,
                descriptors: None,
                is_dumpable: false,
            }),
        }
    }

    fn heritage() -> Heritage {
        Heritage { pid: 60, filters: 1, pids: 1, groups: "4 24".into(), oom_score_adjust: Some(0) }
    }

    /// What holds for a process without a sandbox.
    fn free() -> Promise {
        Promise { sandbox: None, ..promise() }
    }

    #[test]
    fn a_process_that_is_as_promised_passes() {
        for promise in [promise(), free()] {
            assert_eq!(promise.check_status(STATUS, &heritage()), Ok(()));
            assert_eq!(promise.check_family(STAT, 70, &heritage()), Ok(()));
            assert_eq!(promise.check_limits(LIMITS), Ok(()));
            assert_eq!(promise.check_oom_score("500\n", &heritage()), Ok(()));
            assert_eq!(promise.check_owner(0), Ok(()));
        }
    }

    #[test]
    fn every_line_of_its_status_that_breaks_a_promise_is_named() {
        let broken = |line: &str, by: &str| {
            promise().check_status(&STATUS.replace(line, by), &heritage()).unwrap_err()
        };
        assert!(matches!(broken("Uid:\t7\t7", "Uid:\t7\t0"), Broken::Identity { field: "Uid", .. }));
        assert!(matches!(broken("\t8\n", "\t0\n"), Broken::Identity { field: "Gid", .. }));
        let groups = Broken::Groups { found: "27".into(), expected: String::new() };
        assert_eq!(broken("Groups:\t ", "Groups:\t27 "), groups);
        for field in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
            let line = format!("{field}:\t0000000000000");
            let more = Broken::Capabilities { field, found: 0x1400, expected: 0x400 };
            let old = if field == "CapInh" { "000" } else { "400" };
            let (line, by) = (format!("{line}{old}"), format!("{field}:\t0000000000001400"));
            assert_eq!(broken(&line, &by), more);
        }
        let outside = Broken::PidNamespaces { found: 1, expected: 2 };
        assert_eq!(broken("NSpid:\t70\t2", "NSpid:\t70"), outside);
        assert_eq!(broken("NoNewPrivs:\t1", "NoNewPrivs:\t0"), Broken::NewPrivileges);
        for found in [2, 4] {
            let other = Broken::Filters { found, expected: 3 };
            assert_eq!(broken("filters:\t3", &format!("filters:\t{found}")), other);
        }
        assert_eq!(broken("Seccomp:\t2", "Seccomp:\t1"), Broken::Filters { found: 3, expected: 3 });
        assert_eq!(broken("CapAmb", "CapXyz"), Broken::Untold { field: "CapAmb" });
    }

    #[test]
    fn fewer_capabilities_than_granted_are_no_breach_and_without_a_sandbox_none_is() {
        let fewer = STATUS.replace("Eff:\t0000000000000400", "Eff:\t0000000000000000");
        assert_eq!(promise().check_status(&fewer, &heritage()), Ok(()));
        let all = STATUS.replace("0400", "ffff").replace("filters:\t3", "filters:\t1");
        assert_eq!(free().check_status(&all, &heritage()), Ok(()));
        let member = Promise { groups: Some(vec![4, 24]), ..free() };
        assert!(matches!(member.check_status(STATUS, &heritage()), Err(Broken::Groups { .. })));
        assert_eq!(member.check_status(&STATUS.replace("Groups:\t ", "Groups:\t4 24 "), &heritage()), Ok(()));
        let kept = Promise { groups: None, ..free() };
        assert!(matches!(kept.check_status(STATUS, &heritage()), Err(Broken::Groups { .. })));
        assert_eq!(kept.check_status(&STATUS.replace("Groups:\t ", "Groups:\t4 24 "), &heritage()), Ok(()));
    }

    #[test]
    fn whose_child_it_is_its_session_its_terminal_and_its_threads_are_compared() {
        let broken = |from: &str, to: &str| {
            promise().check_family(&STAT.replace(from, to), 70, &heritage()).unwrap_err()
        };
        let family = |what, found, expected| Broken::Family { what, found, expected };
        assert_eq!(broken("S 60 70 70 0", "S 1 70 70 0"), family("parent", 1, 60));
        assert_eq!(broken("S 60 70 70 0", "S 60 60 70 0"), family("process group", 60, 70));
        assert_eq!(broken("S 60 70 70 0", "S 60 70 60 0"), family("session", 60, 70));
        assert_eq!(broken("S 60 70 70 0", "S 60 70 70 34816"), family("terminal", 34816, 0));
        assert_eq!(broken("20 0 1 0", "20 0 2 0"), Broken::Threads { found: 2 });
        assert_eq!(broken(STAT, "70 (x) S 60"), Broken::Untold { field: "stat" });
        assert_eq!(free().check_family(&STAT.replace("20 0 1 0", "20 0 2 0"), 70, &heritage()), Ok(()));
        assert_eq!(stat_fields(STAT)[BORN], "4711");
    }

    #[test]
    fn a_process_is_ending_when_its_only_thread_is() {
        let ending = STAT.replace("4194304", "4194308");
        assert_eq!([STAT, &ending, ""].map(is_ending), [false, true, false]);
        // The first thread is a zombie, and another one runs on.
        assert!(!is_ending(&ending.replace(") S", ") Z").replace("20 0 1 0", "20 0 2 0")));
    }

    #[test]
    fn a_limit_that_may_be_raised_further_than_promised_is_named() {
        let limit =
            |found: &str| Broken::Limit { what: "Max open files", found: found.into(), expected: 256 };
        for found in ["257", "unlimited"] {
            let text = LIMITS.replace("256", found);
            assert_eq!(promise().check_limits(&text), Err(limit(found)));
        }
        assert_eq!(promise().check_limits(&LIMITS.replace("256", "64")), Ok(()));
        assert_eq!(promise().check_limits(""), Err(Broken::Untold { field: "Max open files" }));
    }

    #[test]
    fn the_score_is_the_promised_one_or_the_parents_where_that_could_not_be_lowered() {
        let wrong = |found| Err(Broken::OomScore { found, expected: 500 });
        assert_eq!(promise().check_oom_score("0\n", &heritage()), wrong(0));
        assert_eq!(promise().check_oom_score("1000\n", &heritage()), wrong(1000));
        let low = Promise { oom_score_adjust: -500, ..promise() };
        assert_eq!(low.check_oom_score("0\n", &heritage()), Ok(()));
        assert_eq!(low.check_oom_score("-500\n", &heritage()), Ok(()));
        assert!(low.check_oom_score("1\n", &heritage()).is_err());
        assert!(low.check_oom_score("", &heritage()).is_err());
        let bound = Heritage { oom_score_adjust: None, ..heritage() };
        assert_eq!(promise().check_oom_score("0\n", &bound), Ok(()));
    }

    #[test]
    fn a_process_that_others_of_its_user_may_look_into_is_owned_by_that_user() {
        assert_eq!(promise().check_owner(7), Err(Broken::Dumpable));
        assert_eq!(free().check_owner(7), Ok(()));
        let root = Promise { identity: Identity { uid: 0, gid: 0 }, ..promise() };
        assert_eq!(root.check_owner(0), Ok(()), "root owns both kinds");
    }
}
