//! The meeting place of an ask that is answered by many replies: a bounded queue with the same phases as a [`Slot`].
//!
//! [`Slot`]: crate::slot::Slot

use std::collections::VecDeque;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

use crate::envelope::Body;
use crate::outcome::{AskError, NotDelivered};
use crate::payload::Payload;
use crate::slot::{Abandoned, Answerer, AnsweringLink, AskSlot};

/// How many items may wait for the asker before the actor's stream is no longer polled.
pub(crate) const ITEMS_MAX: usize = 16;

/// The slot of an ask with a stream of replies.
pub(crate) struct StreamSlot<T>(Mutex<State<T>>);

struct State<T> {
    phase: Phase,
    items: VecDeque<Item<T>>,
    asker: Option<Waker>,
    answerer: Answerer,
}

enum Phase {
    Waiting,
    Started,
    /// The handler has returned its stream.
    Open,
    /// No more items will come; what is queued may still be taken.
    Ended(Option<AskError>),
    Over,
}

/// One reply of a stream.
pub(crate) enum Item<T> {
    Value(T),
    Bytes(Payload),
}

impl<T> StreamSlot<T> {
    pub(crate) fn new() -> Self {
        let (items, asker, answerer) = (VecDeque::new(), None, Answerer::Nobody);
        Self(Mutex::new(State { phase: Phase::Waiting, items, asker, answerer }))
    }

    /// Ready once the handler has returned its stream or the ask has failed.
    pub(crate) fn poll_open(&self, waker: &Waker) -> Poll<Result<(), AskError>> {
        let mut state = self.lock();
        match &state.phase {
            Phase::Waiting | Phase::Started => {
                state.asker = Some(waker.clone());
                Poll::Pending
            }
            Phase::Ended(Some(error)) if state.items.is_empty() => Poll::Ready(Err(error.clone())),
            Phase::Open | Phase::Ended(_) | Phase::Over => Poll::Ready(Ok(())),
        }
    }

    /// Ready with the next item; with an error once if the stream broke; with nothing at its end.
    pub(crate) fn poll_item(&self, waker: &Waker) -> Poll<Option<Result<Item<T>, AskError>>> {
        let mut state = self.lock();
        if let Some(item) = state.items.pop_front() {
            let tell = match &mut state.answerer {
                Answerer::Link(link, key) => Some((Arc::clone(link), *key)),
                Answerer::Task(waker) => {
                    waker.wake_by_ref();
                    None
                }
                Answerer::Nobody => None,
            };
            drop(state);
            if let Some((link, key)) = tell {
                link.item_taken(key);
            }
            return Poll::Ready(Some(Ok(item)));
        }
        match &mut state.phase {
            Phase::Ended(error) => Poll::Ready(error.take().map(Err)),
            Phase::Over => Poll::Ready(None),
            Phase::Waiting | Phase::Started | Phase::Open => {
                state.asker = Some(waker.clone());
                Poll::Pending
            }
        }
    }

    /// Gives the stream up and tells the answering side.
    pub(crate) fn abandon(&self) -> Abandoned {
        let mut state = self.lock();
        let phase = mem::replace(&mut state.phase, Phase::Over);
        let items = mem::take(&mut state.items);
        let answerer = mem::take(&mut state.answerer);
        drop(state);
        drop(items);
        match phase {
            Phase::Waiting => {
                answerer.tell_abandoned();
                Abandoned::BeforeStart
            }
            Phase::Started | Phase::Open => {
                answerer.tell_abandoned();
                Abandoned::AfterStart
            }
            Phase::Ended(_) | Phase::Over => Abandoned::AfterStart,
        }
    }

    /// Ready with `true` when an item may be pushed, with `false` when nobody takes any more.
    pub(crate) fn poll_room(&self, waker: &Waker) -> Poll<bool> {
        let mut state = self.lock();
        if matches!(state.phase, Phase::Over | Phase::Ended(_)) {
            return Poll::Ready(false);
        }
        // Remembered in either case: the asker may give up while the user's stream is awaited.
        state.answerer.be_task(waker);
        if state.items.len() < ITEMS_MAX { Poll::Ready(true) } else { Poll::Pending }
    }

    /// Brings one item as a value.
    pub(crate) fn push(&self, item: T) {
        self.arrive(Item::Value(item));
    }

    fn arrive(&self, item: Item<T>) {
        let mut state = self.lock();
        let lost = match state.phase {
            Phase::Waiting | Phase::Started | Phase::Open => {
                state.phase = Phase::Open;
                state.items.push_back(item);
                None
            }
            Phase::Ended(_) | Phase::Over => Some(item),
        };
        Self::wake_asker(state);
        drop(lost);
    }

    fn finish(&self, error: Option<AskError>) {
        let mut state = self.lock();
        if matches!(state.phase, Phase::Waiting | Phase::Started | Phase::Open) {
            state.phase = Phase::Ended(error);
        }
        state.answerer = Answerer::Nobody;
        Self::wake_asker(state);
    }

    fn wake_asker(mut state: MutexGuard<'_, State<T>>) {
        let asker = state.asker.take();
        drop(state);
        if let Some(asker) = asker {
            asker.wake();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: Send + 'static> AskSlot for StreamSlot<T> {
    fn start(&self) -> bool {
        let mut state = self.lock();
        match state.phase {
            Phase::Waiting => {
                state.phase = Phase::Started;
                true
            }
            Phase::Started | Phase::Open => true,
            Phase::Ended(_) | Phase::Over => false,
        }
    }

    fn poll_abandoned(&self, waker: &Waker) -> bool {
        let mut state = self.lock();
        state.answerer.be_task(waker);
        matches!(state.phase, Phase::Over)
    }

    fn answered_over(&self, link: Arc<dyn AnsweringLink>, key: u64) {
        let mut state = self.lock();
        let over = matches!(state.phase, Phase::Over);
        if !over {
            state.answerer = Answerer::Link(Arc::clone(&link), key);
        }
        drop(state);
        if over {
            link.abandoned(key);
        }
    }

    fn fail(&self, error: AskError) {
        self.finish(Some(error));
    }

    fn bounce(&self, _body: Body, reason: NotDelivered) {
        self.finish(Some(AskError::NotDelivered(reason)));
    }

    fn receive(&self, payload: Payload) {
        self.arrive(Item::Bytes(payload));
    }

    fn open(&self) {
        let mut state = self.lock();
        if matches!(state.phase, Phase::Waiting | Phase::Started) {
            state.phase = Phase::Open;
        }
        Self::wake_asker(state);
    }

    fn end(&self) {
        self.finish(None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
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
