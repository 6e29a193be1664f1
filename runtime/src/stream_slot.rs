//! The slot of an ask that is answered by many replies: a bounded queue.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::{Poll, Waker};

use crate::envelope::Envelope;
use crate::meeting::{Answer, Answerer, Meeting, Phase, State};
use crate::outcome::{AskError, NotDelivered};
use crate::payload::Payload;

/// How many items may wait for the asker before the actor's stream is no longer polled.
pub(crate) const ITEMS_MAX: usize = 16;

/// Where the replies and their asker meet.
pub(crate) type StreamSlot<T> = Meeting<Many<T>>;

/// The replies that wait for the asker, and why no more will come if that is not in order.
pub(crate) struct Many<T> {
    items: VecDeque<Item<T>>,
    error: Option<AskError>,
}

/// One reply of a stream.
pub(crate) enum Item<T> {
    Value(T),
    Bytes(Payload<'static>),
}

impl<T: Send + 'static> StreamSlot<T> {
    /// Ready once the handler has returned its stream or the ask has failed.
    pub(crate) fn poll_open(&self, waker: &Waker) -> Poll<Result<(), AskError>> {
        self.poll_with(waker, |State { phase, answer, .. }| match (phase, &answer.error) {
            (Phase::Waiting | Phase::Started, _) => None,
            (Phase::Ended, Some(error)) if answer.items.is_empty() => Some(Err(error.clone())),
            (Phase::Open | Phase::Ended | Phase::Over, _) => Some(Ok(())),
        })
    }

    /// Ready with the next item; with an error once if the stream broke; with nothing at its end.
    pub(crate) fn poll_item(&self, waker: &Waker) -> Poll<Option<Result<Item<T>, AskError>>> {
        let mut link = None;
        let found = self.poll_with(waker, |State { phase, answer, answerer, .. }| {
            if let Some(item) = answer.items.pop_front() {
                match answerer {
                    Answerer::Link(over, key) => link = Some((Arc::clone(over), *key)),
                    Answerer::Task(waker) => waker.wake_by_ref(),
                    Answerer::Nobody => {}
                }
                return Some(Some(Ok(item)));
            }
            match phase {
                Phase::Ended | Phase::Over => Some(answer.error.take().map(Err)),
                Phase::Waiting | Phase::Started | Phase::Open => None,
            }
        });
        if let Some((link, key)) = link {
            link.item_taken(key);
        }
        found
    }

    /// Ready with `true` when an item may be pushed, with `false` when nobody takes any more.
    pub(crate) fn poll_room(&self, waker: &Waker) -> Poll<bool> {
        let mut state = self.lock();
        if matches!(state.phase, Phase::Ended | Phase::Over) {
            return Poll::Ready(false);
        }
        // Remembered in either case: the asker may give up while the user's stream is awaited.
        state.answerer.be_task(waker);
        if state.answer.items.len() < ITEMS_MAX { Poll::Ready(true) } else { Poll::Pending }
    }

    /// Brings one item as a value.
    pub(crate) fn push(&self, item: T) {
        self.bring(Phase::Open, |answer| answer.items.push_back(Item::Value(item)));
    }
}

impl<T> Default for Many<T> {
    fn default() -> Self {
        Self { items: VecDeque::new(), error: None }
    }
}

impl<T: Send + 'static> Answer for Many<T> {
    const IS_STREAM: bool = true;

    fn fail(&mut self, error: AskError) {
        self.error = Some(error);
    }

    fn bounce(&mut self, envelope: Box<Envelope>, reason: NotDelivered) -> Option<Box<Envelope>> {
        self.error = Some(AskError::NotDelivered(reason));
        Some(envelope)
    }

    fn receive(&mut self, payload: Payload<'static>) {
        self.items.push_back(Item::Bytes(payload));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::meeting::AskSlot;
    use crate::outcome::Unknown;

    fn values(slot: &StreamSlot<u32>) -> Vec<u32> {
        let mut found = Vec::new();
        while let Poll::Ready(Some(Ok(Item::Value(value)))) = slot.poll_item(Waker::noop()) {
            found.push(value);
        }
        found
    }

    #[test]
    fn items_queued_before_the_end_are_still_taken() {
        let slot = StreamSlot::new();
        assert!(slot.start());
        slot.open();
        slot.push(1);
        slot.push(2);
        slot.end();
        assert_eq!(values(&slot), [1, 2]);
        assert!(matches!(slot.poll_item(Waker::noop()), Poll::Ready(None)));
    }

    #[test]
    fn there_is_room_for_the_limit_and_no_more() {
        let slot = StreamSlot::new();
        for item in 0..ITEMS_MAX {
            assert_eq!(slot.poll_room(Waker::noop()), Poll::Ready(true));
            slot.push(item);
        }
        assert_eq!(slot.poll_room(Waker::noop()), Poll::Pending);
        let _ = slot.poll_item(Waker::noop());
        assert_eq!(slot.poll_room(Waker::noop()), Poll::Ready(true));
    }

    #[test]
    fn a_broken_stream_says_so_once_after_its_items() {
        let slot = StreamSlot::new();
        slot.push(1);
        slot.fail(AskError::Unknown(Unknown::ReplyDropped));
        assert_eq!(values(&slot), [1]);
        slot.fail(AskError::Unknown(Unknown::Expired));
        assert!(matches!(slot.poll_item(Waker::noop()), Poll::Ready(None)));
    }
}
