//! The way back to an asker in another worker.

use std::sync::Arc;
use std::task::{Poll, Waker};

use bailiwick_core::credit::Size;
use bailiwick_core::link::{Asked, Event};
use bailiwick_wire::codec::EncodeError;
use bailiwick_wire::reason::{DownCause, NotDelivered, Unknown};

use super::peer::{Hand, Peer};
use super::reasons;
use super::sends::Parcel;
use crate::envelope::RemoteReply;
use crate::outcome::AskError;
use crate::payload::{Encode, unencodable_reply};

/// Answers one ask of the peer's.
pub(super) struct Answer {
    peer: Arc<Peer>,
    asked: Asked,
    started: bool,
    done: bool,
}

impl Answer {
    pub(super) fn new(peer: Arc<Peer>, asked: Asked) -> Self {
        Self { peer, asked, started: false, done: false }
    }

    fn encode(&self, value: &dyn Encode) -> Result<(Parcel, Size), EncodeError> {
        let (mut bytes, limits) = self.peer.encoder();
        let beside = value.encode(&limits, &mut bytes)?;
        // Both are within the limits of the codec, which are smaller than what the fields hold.
        let size = Size { bytes: bytes.len() as u32, fds: beside.descriptors.len() as u16 };
        Ok((Parcel { bytes, beside, ..Parcel::default() }, size))
    }

    /// Gives the machine an event that a payload belongs to.
    fn send(&self, event: Event, parcel: Parcel) {
        let mut hand = Hand { answer: Some(parcel), ..Hand::default() };
        self.peer.turn(|turn| {
            if self.done {
                turn.state.handlers.end(self.asked);
            }
            turn.event_with(event, &mut hand);
            if let Some(parcel) = &mut hand.answer {
                turn.recycle(std::mem::take(&mut parcel.bytes));
            }
        });
    }

    fn end(&mut self, event: Event, failure: Option<AskError>) {
        self.done = true;
        let mut hand = Hand::default();
        hand.words.failure = failure;
        self.peer.turn(|turn| {
            turn.state.handlers.end(self.asked);
            turn.event_with(event, &mut hand);
        });
    }

    fn fail_with(&mut self, error: AskError) {
        let failure = reasons::coarse(&error);
        self.end(Event::Fail { asked: self.asked, failure }, Some(error));
    }
}

impl RemoteReply for Answer {
    fn start(&mut self) -> bool {
        self.started = true;
        self.peer.lock().handlers.is_open(self.asked)
    }

    fn poll_abandoned(&mut self, waker: &Waker) -> bool {
        !self.peer.lock().handlers.wait(self.asked, waker)
    }

    fn reply(mut self: Box<Self>, value: &dyn Encode) {
        match self.encode(value) {
            Ok((parcel, size)) => {
                self.done = true;
                self.send(Event::Reply { asked: self.asked, size }, parcel);
            }
            Err(error) => self.fail_with(AskError::Unknown(unencodable_reply(&error))),
        }
    }

    fn fail(mut self: Box<Self>, error: AskError) {
        if matches!(
            &error,
            AskError::NotDelivered(NotDelivered::Undecodable { .. } | NotDelivered::NotGranted)
        ) {
            self.peer.turn(|turn| {
                turn.read_clock();
                turn.event(Event::Undecodable);
            });
        }
        self.fail_with(error);
    }

    fn open(&mut self) {
        self.peer.turn(|turn| turn.event(Event::Open { asked: self.asked }));
    }

    fn poll_room(&mut self, waker: &Waker) -> Poll<bool> {
        let mut state = self.peer.lock();
        let left = state.link.items_left(self.asked);
        if !state.handlers.wait(self.asked, waker) {
            return Poll::Ready(false);
        }
        match left {
            None => Poll::Ready(false),
            Some(0) => Poll::Pending,
            Some(_) => Poll::Ready(true),
        }
    }

    fn item(&mut self, value: &dyn Encode) -> Result<(), EncodeError> {
        let (parcel, size) = self.encode(value)?;
        self.send(Event::Item { asked: self.asked, size }, parcel);
        Ok(())
    }

    fn end(mut self: Box<Self>) {
        let event = Event::End { asked: self.asked };
        Answer::end(&mut self, event, None);
    }
}

/// Who drops the way back has answered too.
impl Drop for Answer {
    fn drop(&mut self) {
        if !self.done {
            let error = if self.started {
                AskError::Unknown(Unknown::ReplyDropped)
            } else {
                AskError::NotDelivered(NotDelivered::Ended { cause: DownCause::Stopped })
            };
            self.fail_with(error);
        }
    }
}
