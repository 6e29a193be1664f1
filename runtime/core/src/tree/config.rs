//! What a tree is told once: groups, children, and the terms on which each lives.

use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use super::Reactions;
use crate::backoff::Backoff;
use crate::child::Alone;
use crate::exit::{ExitCodes, SIGTERM};

/// Names a child: its index in [`Config::children`]. A child is one instance of a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChildId(pub u16);

/// Names a group: its index in [`Config::groups`]. The first is the root.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupId(pub u16);

/// Names one life of a child.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Incarnation {
    /// The child.
    pub child: ChildId,
    /// Which of its lives, from 1; an attempt to spawn that fails has used a number.
    pub generation: u32,
}

/// Everything that a tree is told when it is made.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Config {
    /// The groups; the first is the root, and each stands after its parent.
    pub groups: Vec<GroupConfig>,
    /// The children in the order of the manifest, which is the order of start among equals.
    pub children: Vec<ChildConfig>,
    /// The hard total for an ordered stop.
    pub shutdown_timeout: Duration,
    /// How often it is looked at how the children get on.
    pub look_every: Duration,
}

/// Children, and groups of children, that share a restart strategy and a restart budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct GroupConfig {
    /// The enclosing group; `None` for the root alone.
    pub parent: Option<GroupId>,
    /// Whom a failure restarts.
    pub strategy: Strategy,
    /// How many members a pool has at first; its children are the places that it may fill.
    pub size: u16,
    /// Failures within `period` that are still answered by an ordinary restart.
    pub max_restarts: u32,
    /// The length of the sliding window.
    pub period: Duration,
    /// What happens when the budget is spent.
    pub on_exhausted: OnExhausted,
    /// When the group has done its work and stops.
    pub auto_shutdown: AutoShutdown,
    /// Whether its own end by `auto_shutdown` counts for that of its parent.
    pub significant: bool,
}

/// When a group stops because its members have done their work: those that are significant and end as they should.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum AutoShutdown {
    /// Never; no member is significant.
    #[default]
    Never,
    /// When one of them has ended.
    AnySignificant,
    /// When the last of them has ended.
    AllSignificant,
}

/// Whom a failure restarts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Strategy {
    /// The member that failed.
    #[default]
    OneForOne,
    /// The member that failed and those after it. Members start and stop one after the other.
    RestForOne,
    /// All members. They start and stop one after the other.
    OneForAll,
    /// The member that failed. Members are places of one template, which [`super::Event::Scale`] fills and empties;
    /// they start and stop side by side.
    Pool,
}

/// What happens when a restart budget is spent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum OnExhausted {
    /// Keep restarting at the backoff's cap, and raise an alert.
    #[default]
    CoolDown,
    /// Give the child up; its siblings stay.
    Fail,
    /// Stop the group in order and report a failure to its parent; at the root, stop everything.
    Escalate,
}

impl OnExhausted {
    /// Returns the number by which others know it.
    pub const fn code(self) -> u8 {
        match self {
            Self::CoolDown => 0,
            Self::Fail => 1,
            Self::Escalate => 2,
        }
    }
}

/// The terms of one child's life.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ChildConfig {
    /// Whose budget its failures charge.
    pub group: GroupId,
    /// What its exit means.
    pub kind: Kind,
    /// When an exit is answered by a restart.
    pub restart: Restart,
    /// Whether it starts only when somebody sends to it.
    pub on_demand: bool,
    /// Whether one life takes only so many messages, and says when it has. What others say of that means nothing.
    pub disposable: bool,
    /// How long one life lasts at most, and at least three quarters of that; `Duration::MAX` is for ever. A life that is
    /// old enough ends in order, and a fresh one takes its place.
    pub max_age: Duration,
    /// Whether the process of its next life is made while the present one goes on.
    pub spare: bool,
    /// Why two processes of it may not be there at a time, if they may not: it is not replaced by rolling then.
    pub alone: Option<Alone>,
    /// Whether giving it up stops everything.
    pub essential: bool,
    /// Whether its end, if it ends as it should, counts for the `auto_shutdown` of its group.
    pub significant: bool,
    /// Where it stands in the manifest, which decides among equals; children of one position go by index.
    pub position: u16,
    /// Whether nobody wants it any more: its place is one to be given up, or free.
    pub leaving: bool,
    /// The children that must be ready (a oneshot: done) before it starts.
    pub needs: Vec<ChildId>,
    /// The children that it waits for as long as they may still become ready, and starts without.
    pub wants: Vec<ChildId>,
    /// The children that start before it and stop after it, if they do.
    pub after: Vec<ChildId>,
    /// The pause before each restart.
    pub backoff: Backoff,
    /// From spawn to ready.
    pub start_timeout: Duration,
    /// The number of the signal that asks it to stop.
    pub stop_signal: u8,
    /// From the stop signal to SIGKILL; zero kills at once.
    pub stop_timeout: Duration,
    /// From the order to drain to the stop signal; zero does not drain.
    pub drain_timeout: Duration,
    /// From SIGABRT to SIGKILL, for a life that does not get on; zero kills at once.
    pub abort_timeout: Duration,
    /// From the order to reload to the end of waiting for it.
    pub reload_timeout: Duration,
    /// How long one poll may last before that is told; `Duration::MAX` is for ever.
    pub stuck_after: Duration,
    /// How long one poll, or a stop by a signal, may last before the life is ended; `Duration::MAX` is for ever.
    pub liveness_timeout: Duration,
    /// Whether it may be stopped by a signal for as long as anybody likes.
    pub ignore_sigstop: bool,
    /// Ready for this long, and for as long as its last pause, and the count of failures starts again.
    pub stable_after: Duration,
    /// Whether an end is answered by a restart, by its cause.
    pub on: Reactions,
    /// Offences within `offence_period` that are still answered by a restart: violations and forbidden system calls.
    /// No stable period makes them forgotten.
    pub max_offences: u32,
    /// The length of the sliding window for offences.
    pub offence_period: Duration,
    /// Exit codes that are a clean end.
    pub ok_exit: ExitCodes,
    /// Exit codes after which it is never restarted.
    pub no_restart_exit: ExitCodes,
    /// Exit codes that charge no budget.
    pub uncounted_exit: ExitCodes,
}

/// What the exit of a child means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Kind {
    /// It stays until it is stopped.
    #[default]
    Resident,
    /// It does its work and exits; a clean end is what its dependents wait for.
    Oneshot,
    /// A clean end stops everything in order with exit code 0, exit code 1 with 1; any other end is a failure.
    /// It is transient and essential, whatever its configuration says.
    Main,
}

/// When an exit is answered by a restart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Restart {
    /// Always.
    #[default]
    Permanent,
    /// Only after a failure.
    Transient,
    /// Never.
    Temporary,
}

impl Default for Config {
    /// Makes the root group alone, without children.
    fn default() -> Self {
        Self {
            groups: [GroupConfig::default()].into(),
            children: Vec::new(),
            shutdown_timeout: Duration::from_secs(60),
            look_every: Duration::from_secs(1),
        }
    }
}

impl Default for GroupConfig {
    fn default() -> Self {
        Self {
            parent: None,
            strategy: Strategy::OneForOne,
            size: 0,
            max_restarts: 5,
            period: Duration::from_secs(30),
            on_exhausted: OnExhausted::CoolDown,
            auto_shutdown: AutoShutdown::Never,
            significant: false,
        }
    }
}

impl Default for ChildConfig {
    fn default() -> Self {
        Self {
            group: GroupId(0),
            kind: Kind::Resident,
            restart: Restart::Permanent,
            on_demand: false,
            disposable: false,
            max_age: Duration::MAX,
            spare: false,
            alone: None,
            essential: false,
            significant: false,
            position: 0,
            leaving: false,
            needs: Vec::new(),
            wants: Vec::new(),
            after: Vec::new(),
            backoff: Backoff::default(),
            start_timeout: Duration::from_secs(30),
            stop_signal: SIGTERM,
            stop_timeout: Duration::from_secs(10),
            drain_timeout: Duration::from_secs(10),
            abort_timeout: Duration::from_secs(5),
            reload_timeout: Duration::from_secs(30),
            stuck_after: Duration::MAX,
            liveness_timeout: Duration::MAX,
            ignore_sigstop: false,
            stable_after: Duration::from_secs(10),
            on: Reactions::default(),
            max_offences: 3,
            offence_period: Duration::from_secs(24 * 60 * 60),
            ok_exit: ExitCodes::new(&[0]),
            no_restart_exit: ExitCodes::new(&[64, 78, 100]),
            uncounted_exit: ExitCodes::new(&[75]),
        }
    }
}

impl Strategy {
    /// Returns whether members start and stop one after the other.
    pub(crate) const fn is_serial(self) -> bool {
        match self {
            Self::RestForOne | Self::OneForAll => true,
            Self::OneForOne | Self::Pool => false,
        }
    }
}

impl ChildConfig {
    /// Returns the terms of whoever leaves: nothing hangs on it any more, and it waits for nobody.
    #[must_use]
    pub fn parting(self) -> Self {
        let (needs, wants, after) = Default::default();
        Self { needs, wants, after, essential: false, significant: false, leaving: true, ..self }
    }

    /// Returns everyone whom the configuration puts before this child.
    pub(super) fn precedents(&self) -> impl Iterator<Item = ChildId> + '_ {
        self.needs.iter().chain(&self.wants).chain(&self.after).copied()
    }

    /// Returns whether a clean end is answered by a restart too.
    fn is_permanent(&self) -> bool {
        self.kind == Kind::Resident && self.restart == Restart::Permanent
    }

    /// Returns whether it matters to anybody how long a poll lasts.
    pub(crate) fn is_watched(&self) -> bool {
        self.stuck_after.min(self.liveness_timeout) < Duration::MAX
    }

    /// Returns whether giving this child up stops everything.
    pub(crate) fn is_essential(&self) -> bool {
        self.essential || self.kind == Kind::Main
    }
}

impl Config {
    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        let (groups, children) = (self.groups.len(), self.children.len());
        if groups > usize::from(u16::MAX) || children > usize::from(u16::MAX) {
            return Err(ConfigError::TooMany);
        }
        if self.groups.first().is_none_or(|root| root.parent.is_some()) {
            return Err(ConfigError::NoRoot);
        }
        for (id, group) in (0..).map(GroupId).zip(&self.groups).skip(1) {
            let Some(parent) = group.parent.filter(|parent| *parent < id) else {
                return Err(ConfigError::ParentAfterChild(id));
            };
            if group.significant && self.groups[usize::from(parent.0)].auto_shutdown == AutoShutdown::Never {
                return Err(ConfigError::SignificantGroup(id));
            }
            if self.groups[usize::from(parent.0)].strategy == Strategy::Pool {
                return Err(ConfigError::GroupInPool(id));
            }
        }
        for (id, child) in (0..).map(ChildId).zip(&self.children) {
            if usize::from(child.group.0) >= groups {
                return Err(ConfigError::UnknownGroup(id, child.group));
            }
            // What is always restarted never ends for good, and where nothing depends on it, it signifies nothing.
            let never = self.groups[usize::from(child.group.0)].auto_shutdown == AutoShutdown::Never;
            if child.significant && (never || child.is_permanent()) {
                return Err(ConfigError::Significant(id));
            }
            if let Some(need) = child.precedents().find(|need| usize::from(need.0) >= children) {
                return Err(ConfigError::UnknownNeed(id, need));
            }
        }
        Ok(())
    }
}

/// Why a tree cannot be made. Children and groups are told by index; whoever knows the names says them.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConfigError {
    /// There is no group, or the first has a parent.
    NoRoot,
    /// There are more children or groups than [`u16::MAX`].
    TooMany,
    /// A group does not stand after its parent, or has none and is not the root.
    ParentAfterChild(GroupId),
    /// A child is in a group that does not exist.
    UnknownGroup(ChildId, GroupId),
    /// A child is significant although it is permanent, or its group never stops by itself.
    Significant(ChildId),
    /// A group is significant although its parent never stops by itself.
    SignificantGroup(GroupId),
    /// A configuration that is to take the place of another knows fewer children or groups.
    Fewer,
    /// A configuration that is to take the place of another puts this child into another group, or its group elsewhere.
    Moved(ChildId),
    /// A group is in a pool, whose members are children of one template.
    GroupInPool(GroupId),
    /// A child needs, wants or comes after one that does not exist.
    UnknownNeed(ChildId, ChildId),
    /// Each of these children comes after the next, and the last after the first: by what it needs, wants or comes
    /// after, or because their group starts its members one after the other.
    Cycle(Vec<ChildId>),
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoRoot => f.write_str("the first group must be the root, which has no parent"),
            Self::Moved(child) => write!(f, "child {child} would be in another group"),
            Self::Fewer => f.write_str("fewer children or groups than there are"),
            Self::TooMany => write!(f, "more than {} children or groups", u16::MAX),
            Self::ParentAfterChild(group) => write!(f, "group {} does not stand after its parent", group.0),
            Self::UnknownGroup(child, group) => {
                write!(f, "child {child} is in group {}, which does not exist", group.0)
            }
            Self::Significant(child) => {
                write!(
                    f,
                    "child {child} is significant, but permanent or in a group that never stops by itself"
                )
            }
            Self::SignificantGroup(group) => {
                write!(f, "group {} is significant in a group that never stops by itself", group.0)
            }
            Self::GroupInPool(group) => write!(f, "group {} is in a pool", group.0),
            Self::UnknownNeed(child, need) => write!(f, "child {child} names {need}, which does not exist"),
            Self::Cycle(path) => {
                f.write_str("children come after each other:")?;
                path.iter().try_for_each(|child| write!(f, " {child}"))
            }
        }
    }
}

impl core::error::Error for ConfigError {}

impl fmt::Display for ChildId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl fmt::Display for Incarnation {
    /// Writes child and generation: `3#2`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}", self.child, self.generation)
    }
}
