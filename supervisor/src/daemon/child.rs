//! The supervised instances: what outlives their lives, and what belongs to each of these.

use std::os::fd::OwnedFd;
use std::time::Duration;

use bailiwick_core::berth::{Berth, Berths};
use bailiwick_core::ration::Ration;
use bailiwick_core::time::Instant;
use bailiwick_core::tree::Incarnation;
use bailiwick_sys::events::Interest;
use bailiwick_sys::process::StartReport;
use bailiwick_sys::slate::Slate;
use bailiwick_sys::snapshot::Snapshot;
use bailiwick_wire::crash::{Report, Sent};

use crate::control::Cause;
use crate::line::Line;
use crate::logs::Output;
use crate::roster::{Roster, Seat};

/// Every instance, with its berths.
pub(super) type Children = Berths<Child, Place>;

/// One instance.
#[derive(Debug)]
pub(super) struct Child {
    pub(super) last_cause: Option<Cause>,
    pub(super) accusations_ignored: u64,
    /// How often it wanted descriptors kept by sd_notify.
    pub(super) descriptors_refused: u64,
    /// How much may be said of what it does wrong, before its misdeeds are only counted.
    pub(super) complaints: Ration,
    /// How many of its violations are recorded, before they are only counted.
    pub(super) violations: Ration,
}

/// A berth: the life that is in it, and what is known of the one that was the last.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) output: Output,
    pub(super) life: Option<Life>,
    /// Why the supervisor condemned the present life, where the machine only knows that it did.
    pub(super) doom: Option<Cause>,
    /// How the latest life stood when it did not get on: see [`Snapshot`].
    pub(super) snapshot: Vec<u8>,
    /// The declaration has changed since the sandbox was prepared.
    pub(super) stale: bool,
    /// What is known of a life whose process has ended, until it is decided what follows.
    pub(super) death: Option<Box<Report>>,
    /// The step at which the latest start failed.
    pub(super) failed_step: &'static str,
    /// Where a foreign program is heard, over all its lives.
    pub(super) ear: Option<OwnedFd>,
}

/// Complaints about one instance at once, and per second in the long run.
const COMPLAINTS: u64 = 20;
const COMPLAINTS_PER_SECOND: u64 = 1;

/// The life of one process.
#[derive(Debug)]
pub(super) struct Life {
    pub(super) of: Incarnation,
    pub(super) berth: Berth,
    pub(super) pid: i32,
    /// When it was started, in the kernel's ticks since the boot.
    pub(super) born: u64,
    pub(super) process: OwnedFd,
    /// How its start goes, until that is over.
    pub(super) start: Option<StartReport>,
    /// Its descriptor 3, until its process has ended.
    pub(super) line: Option<Line>,
    /// Where it leaves what it does.
    pub(super) slate: Slate,
    /// How often it was looked at.
    pub(super) looks: u32,
    /// What reads how it stands, before it is aborted.
    pub(super) snapshot: Option<Snapshot>,
    /// What its line is watched for.
    pub(super) interest: Interest,
    /// Why its program never ran.
    pub(super) failed_start: Option<i32>,
    pub(super) stage: Stage,
    /// It is not its turn yet: where its user's code would begin, it waits.
    pub(super) waits: bool,
    /// It was said that it is ready.
    pub(super) was_ready: bool,
    /// The signals that it was sent.
    pub(super) sent: Vec<Sent>,
    /// How often the kernel had killed in it for want of memory: before this life, by the last look but one, by the last.
    pub(super) oom_kills: [u64; 3],
    /// When a foreign program last said that it gets on.
    pub(super) alive_at: Instant,
    /// How often it will say so, if it chose that itself.
    pub(super) watchdog: Option<Duration>,
    /// Its process has ended and was taken; descendants may be left.
    pub(super) reaped: bool,
    /// What tells that nothing is left of it, while that is being waited for.
    pub(super) tree: Option<OwnedFd>,
}

/// How far a life is on its way to its user's code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// It goes into its sandbox.
    Entering,
    /// It said that its sandbox stands, which was found to be true.
    Standing,
    /// Its user's code runs.
    Released,
}

/// Returns what is kept for all instances at the start.
pub(super) fn unborn_all(roster: &Roster, now: Instant) -> Children {
    let mut children = Children::default();
    roster.children().for_each(|child| children.put(child, || unborn(roster.seat(child), now)));
    children
}

/// Returns what is kept for an instance that has not lived yet.
pub(super) fn unborn(seat: &Seat, now: Instant) -> (Child, [Place; 2]) {
    (Child::new(now), [Place::new(seat, now), Place::new(seat, now)])
}

impl Child {
    fn new(now: Instant) -> Self {
        Self {
            last_cause: None,
            accusations_ignored: 0,
            descriptors_refused: 0,
            complaints: Ration::new(COMPLAINTS, COMPLAINTS_PER_SECOND, now),
            violations: Ration::new(COMPLAINTS, COMPLAINTS_PER_SECOND, now),
        }
    }
}

impl Place {
    fn new(seat: &Seat, now: Instant) -> Self {
        Self {
            output: Output::new(seat.source(), now),
            life: None,
            doom: None,
            snapshot: Vec::new(),
            stale: false,
            death: None,
            failed_step: "",
            ear: None,
        }
    }
}
