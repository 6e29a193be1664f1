//! Siblings that stop because one of them failed, and start again one after the other.

use alloc::vec::Vec;

use super::{Action, MemberId, Phase, Siblings, State, Step};
use crate::time::Instant;
use crate::tree::{Restart, Strategy};

impl Siblings {
    /// A member of a serial family failed: whoever the strategy says stops, to begin again at `at`.
    ///
    /// A temporary one that was to begin with them begins no more, as if it had begun a moment earlier.
    pub(super) fn incident(&mut self, id: MemberId, at: Instant, step: &mut Step<'_>) {
        let from = match self.terms.strategy {
            Strategy::RestForOne => id,
            Strategy::OneForAll | Strategy::OneForOne | Strategy::Pool => MemberId(0),
        };
        self.phase = match self.phase {
            Phase::Halting { from: first, at: former } => {
                Phase::Halting { from: from.min(first), at: at.max(former) }
            }
            Phase::Pausing { from: first, until } => {
                Phase::Halting { from: from.min(first), at: at.max(until) }
            }
            Phase::Steady | Phase::Closed => Phase::Halting { from, at },
        };
        self.members.retain(|id, member| {
            let stays =
                member.terms.restart != Restart::Temporary || member.state != State::Held || *id < from;
            if !stays {
                step.actions.push(Action::Dismiss(*id));
            }
            stays
        });
    }

    /// Returns whether the member is to stop with its siblings, or has.
    pub(super) fn is_covered(&self, id: MemberId) -> bool {
        match self.phase {
            Phase::Halting { from, .. } | Phase::Pausing { from, .. } => id >= from,
            Phase::Steady | Phase::Closed => false,
        }
    }

    /// Goes on with what the family does as a whole, as far as it can without another event.
    pub(super) fn settle(&mut self, step: &mut Step<'_>) {
        if let Phase::Halting { from, at } = self.phase
            && self.is_at_rest(from, step)
        {
            self.phase = Phase::Pausing { from, until: at };
        }
        if let Phase::Pausing { from, until } = self.phase
            && until <= step.now
        {
            self.phase = Phase::Steady;
            for (_, member) in
                self.members.range_mut(from..).filter(|(_, member)| member.state == State::Kept)
            {
                member.state = State::Held;
            }
        }
        self.release(step);
    }

    /// Stops the latest member from `from` on that lives. Returns whether none does.
    fn is_at_rest(&mut self, from: MemberId, step: &mut Step<'_>) -> bool {
        let latest = self.members.range_mut(from..).rev().find(|(_, member)| match member.state {
            State::Starting | State::Running | State::Stopping => true,
            State::Held | State::Backoff | State::Kept => false,
        });
        let Some((id, member)) = latest else { return true };
        if member.state != State::Stopping {
            member.state = State::Stopping;
            let is_temporary = member.terms.restart == Restart::Temporary;
            step.actions.push(if is_temporary { Action::Dismiss(*id) } else { Action::Halt(*id) });
        }
        false
    }

    /// Begins those who are held and may begin: one after the other, where one failure concerns several.
    fn release(&mut self, step: &mut Step<'_>) {
        let before = match self.phase {
            Phase::Steady => MemberId(u64::MAX),
            Phase::Halting { from, .. } | Phase::Pausing { from, .. } => from,
            // Who was held when all were told to stop begins no more.
            Phase::Closed => return,
        };
        let mut due = Vec::new();
        for (id, member) in self.members.range(..before) {
            match member.state {
                State::Held => due.push(*id),
                State::Starting | State::Stopping if self.is_serial() => break,
                State::Starting | State::Stopping | State::Running | State::Backoff | State::Kept => {}
            }
            if self.is_serial() && !due.is_empty() {
                break;
            }
        }
        for id in due {
            self.begin(id, step);
        }
    }
}
