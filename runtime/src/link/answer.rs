//! The way back to the askers in another worker.

use std::task::{Poll, Waker};

use bailiwick_core::credit::Size;
use bailiwick_core::link::{Asked, Event};
use bailiwick_wire::codec::EncodeError;
use bailiwick_wire::reason::NotDelivered;

use super::peer::{Hand, Peer};
use super::reasons;
use super::sends::Parcel;
use crate::envelope::RemoteAsks;
use crate::outcome::AskError;
use crate::payload::{Encode, unencodable_reply};

impl Peer {
    fn parcel(&self, value: &dyn Encode) -> Result<Parcel, Box<EncodeError>> {
        let (mut bytes, limits) = self.encoder();
        let mut beside = value.encode(&limits, &mut bytes)?;
        self.decide(&mut beside)?;
        Ok(Parcel { bytes, beside, ..Parcel::default() })
    }

    /// Gives the machine an event that ends an ask.
    fn end_ask(&self, asked: Asked, event: Event, failure: Option<AskError>) {
        let mut hand = Hand::default();
        hand.words.failure = failure;
        self.turn(|turn| {
            turn.state.handlers.end(asked);
            turn.event_with(event, &mut hand);
        });
    }
}

impl RemoteAsks for Peer {
    fn start(&self, asked: Asked) -> bool {
        let state = self.lock();
        // Without a transport nothing is open.
        let Some(transport) = state.transport.as_ref().filter(|_| state.handlers.is_open(asked)) else {
            return false;
        };
        transport.pages.begin(asked.ticket);
        true
    }

    fn taken(&self, asked: Asked) -> bool {
        let is_awaited = self.start(asked);
        if is_awaited {
            self.turn(|turn| {
                turn.state.handlers.end(asked);
                if let Some(frame) = turn.state.link.answer(asked, Size::default()) {
                    turn.write_answer(&frame, &mut Parcel::default());
                }
                turn.settle();
            });
        }
        is_awaited
    }

    fn poll_abandoned(&self, asked: Asked, waker: &Waker) -> bool {
        !self.lock().handlers.wait(asked, waker)
    }

    fn reply(&self, asked: Asked, value: &dyn Encode) {
        let mut parcel = match self.parcel(value) {
            Ok(encoded) => encoded,
            Err(error) => return self.fail(asked, AskError::Unknown(unencodable_reply(&error))),
        };
        self.turn(|turn| {
            turn.state.handlers.end(asked);
            // What was decided for another transport answers an ask of that one, which has ended with it.
            if turn.may_post(&parcel)
                && let Some(frame) = turn.state.link.answer(asked, parcel.size())
            {
                turn.write_answer(&frame, &mut parcel);
            }
            turn.settle();
            turn.recycle(std::mem::take(&mut parcel.bytes));
        });
    }

    fn fail(&self, asked: Asked, error: AskError) {
        if matches!(
            &error,
            AskError::NotDelivered(NotDelivered::Undecodable { .. } | NotDelivered::NotGranted)
        ) {
            self.turn(|turn| {
                turn.read_clock();
                turn.event(Event::Undecodable);
            });
        }
        let failure = reasons::coarse(&error);
        self.end_ask(asked, Event::Fail { asked, failure }, Some(error));
    }

    fn open(&self, asked: Asked) {
        self.turn(|turn| turn.event(Event::Open { asked }));
    }

    fn poll_room(&self, asked: Asked, waker: &Waker) -> Poll<bool> {
        let mut state = self.lock();
        let left = state.link.items_left(asked);
        if !state.handlers.wait(asked, waker) {
            return Poll::Ready(false);
        }
        match left {
            None => Poll::Ready(false),
            Some(0) => Poll::Pending,
            Some(_) => Poll::Ready(true),
        }
    }

    fn item(&self, asked: Asked, value: &dyn Encode) -> Result<(), Box<EncodeError>> {
        let parcel = self.parcel(value)?;
        let size = parcel.size();
        let mut hand = Hand { answer: Some(parcel), ..Hand::default() };
        self.turn(|turn| {
            // As of a reply.
            if hand.answer.as_ref().is_some_and(|parcel| turn.may_post(parcel)) {
                turn.event_with(Event::Item { asked, size }, &mut hand);
            }
            if let Some(parcel) = &mut hand.answer {
                turn.recycle(std::mem::take(&mut parcel.bytes));
            }
        });
        Ok(())
    }

    fn end(&self, asked: Asked) {
        self.end_ask(asked, Event::End { asked }, None);
    }
}
