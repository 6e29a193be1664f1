//! What a mailbox holds, under its lock.

use std::collections::VecDeque;
use std::task::{Context, Waker};

use bailiwick_core::precedence::Priority;

use crate::envelope::Envelope;
use crate::high::High;
use crate::line::Line;
use crate::outcome::NotDelivered;
use crate::sample::Sampler;
use crate::signal::Signal;
use crate::store::{Entry, Pack, Store};

#[derive(Default)]
pub(super) struct State {
    pub(super) store: Store,
    /// Made at the first use.
    pub(super) rare: Option<Box<Rare>>,
    /// A rendezvous is possible only while the actor stands here and waits.
    pub(super) actor_waits: bool,
    pub(super) sampler: Sampler,
    pub(super) actor: Option<Waker>,
}

/// What most mailboxes never have.
#[derive(Default)]
pub(super) struct Rare {
    pub(super) lane: VecDeque<Signal>,
    /// Made with the first message of high priority.
    pub(super) high: Option<Box<High>>,
    pub(super) line: Line,
    pub(super) closed: Option<NotDelivered>,
}

impl Rare {
    /// Tells whether something waits that goes before ordinary messages.
    pub(super) fn has_ahead(&self) -> bool {
        !self.lane.is_empty() || self.high.as_ref().is_some_and(|high| !high.is_empty())
    }
}

impl State {
    /// Adds a message that came over a link with these bytes.
    #[inline]
    pub(super) fn push_stored(&mut self, bytes: &[u8], pack: impl Pack) {
        let queued = self.sampler.stamp();
        self.store.push_stored(bytes, |spare| {
            let mut envelope = pack(spare);
            envelope.queued = queued;
            envelope
        });
    }

    pub(super) fn closed(&self) -> Option<&NotDelivered> {
        self.rare.as_ref()?.closed.as_ref()
    }

    pub(super) fn has_no_line(&self) -> bool {
        self.rare.as_ref().is_none_or(|rare| rare.line.is_empty())
    }

    /// Tells whether a newcomer need not stand in line, if there is a place.
    pub(super) fn lets_pass(&self, priority: Priority) -> bool {
        self.rare.as_ref().is_none_or(|rare| rare.line.lets_pass(priority))
    }

    /// Returns the messages of high priority, if there ever was one.
    pub(super) fn high(&self) -> Option<&High> {
        self.rare.as_ref()?.high.as_deref()
    }

    pub(super) fn has_high(&self) -> bool {
        self.high().is_some_and(|high| !high.is_empty())
    }

    /// Takes out what a newcomer takes the place of: the oldest ordinary message, or else the oldest of the newcomer's priority.
    pub(super) fn drop_oldest(&mut self, newcomer: Priority) -> Option<Box<Envelope>> {
        let rare = self.rare.as_mut().filter(|_| newcomer == Priority::High);
        self.store.drop_oldest().and_then(Entry::message).or_else(|| rare?.high.as_mut()?.pop())
    }

    pub(super) fn rare(&mut self) -> &mut Rare {
        self.rare.get_or_insert_default()
    }

    pub(super) fn wait(&mut self, task: &Context<'_>) {
        self.remember(task);
        self.actor_waits = true;
    }

    pub(super) fn remember(&mut self, task: &Context<'_>) {
        match &self.actor {
            Some(known) if known.will_wake(task.waker()) => {}
            _ => self.actor = Some(task.waker().clone()),
        }
    }
}
