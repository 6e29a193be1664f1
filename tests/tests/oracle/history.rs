//! What happens to a group of children, in the terms that both supervisors know.

use std::fmt;

use bailiwick_core::tree::{AutoShutdown, Restart, Strategy};

/// A group, and what happens to it after it was started.
#[derive(Clone, Debug)]
pub(crate) struct History {
    pub(crate) group: Group,
    pub(crate) steps: Vec<Step>,
}

/// A group of children and groups.
#[derive(Clone, Debug)]
pub(crate) struct Group {
    pub(crate) strategy: Strategy,
    pub(crate) max_restarts: u32,
    pub(crate) period_s: u64,
    pub(crate) auto_shutdown: AutoShutdown,
    pub(crate) members: Vec<Member>,
}

/// What is in a group.
#[derive(Clone, Debug)]
pub(crate) enum Member {
    Child { name: char, restart: Restart, significant: bool },
    Group(char, Group),
}

/// One thing that happens. What happens to a child that does not run happens to nobody.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Step {
    /// It fails.
    Crash(char),
    /// It ends as it should.
    Leave(char),
    /// An operator stops it.
    Stop(char),
    /// An operator starts it.
    Start(char),
    /// So many starts of it will fail.
    Fail(char, u32),
    /// Time passes.
    Wait(u64),
}

impl History {
    /// A line of either side as it is compared: whom a parallel group stops, not in which order.
    pub(crate) fn compared(&self, line: &str) -> Vec<String> {
        let mut words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        if !self.group.is_serial() {
            words.chunk_by_mut(|a, b| a.starts_with('-') == b.starts_with('-')).for_each(<[_]>::sort);
        }
        words
    }
}

impl Group {
    /// A group of children that restart for ever within this budget.
    pub(crate) fn of(strategy: Strategy, max_restarts: u32, members: Vec<Member>) -> Self {
        Self { strategy, max_restarts, period_s: 3600, auto_shutdown: AutoShutdown::Never, members }
    }

    fn is_serial(&self) -> bool {
        let inner = |member: &Member| match member {
            Member::Child { .. } => true,
            Member::Group(_, group) => group.is_serial(),
        };
        matches!(self.strategy, Strategy::OneForAll | Strategy::RestForOne) && self.members.iter().all(inner)
    }
}

impl Member {
    /// A child that is of no significance.
    pub(crate) fn child(name: char, restart: Restart) -> Self {
        Self::Child { name, restart, significant: false }
    }
}

/// As an Erlang term.
impl fmt::Display for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let steps: Vec<_> = self.steps.iter().map(Step::to_string).collect();
        write!(f, "{{{}, [{}]}}.", self.group, steps.join(", "))
    }
}

impl fmt::Display for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let strategy = match self.strategy {
            Strategy::OneForOne => "one_for_one",
            Strategy::RestForOne => "rest_for_one",
            Strategy::OneForAll => "one_for_all",
            Strategy::Pool => unreachable!("the members of a pool have no names in OTP"),
        };
        let auto_shutdown = match self.auto_shutdown {
            AutoShutdown::Never => "never",
            AutoShutdown::AnySignificant => "any_significant",
            AutoShutdown::AllSignificant => "all_significant",
        };
        let members: Vec<_> = self.members.iter().map(Member::to_string).collect();
        let (max, period) = (self.max_restarts, self.period_s);
        write!(f, "{{{strategy}, {max}, {period}, {auto_shutdown}, [{}]}}", members.join(", "))
    }
}

impl fmt::Display for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Child { name, restart, significant } => {
                let restart = match restart {
                    Restart::Permanent => "permanent",
                    Restart::Transient => "transient",
                    Restart::Temporary => "temporary",
                };
                write!(f, "{{{name}, {restart}, {significant}}}")
            }
            Self::Group(name, group) => write!(f, "{{{name}, {group}}}"),
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Crash(name) => write!(f, "{{crash, {name}}}"),
            Self::Leave(name) => write!(f, "{{leave, {name}}}"),
            Self::Stop(name) => write!(f, "{{stop, {name}}}"),
            Self::Start(name) => write!(f, "{{start, {name}}}"),
            Self::Fail(name, times) => write!(f, "{{fail, {name}, {times}}}"),
            Self::Wait(ms) => write!(f, "{{wait, {ms}}}"),
        }
    }
}
