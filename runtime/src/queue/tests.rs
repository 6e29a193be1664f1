//! What comes together, beside the same messages one by one.

use std::task::{Context as Task, Poll, Waker};

use proptest::prelude::*;

use super::*;
use crate::Protocol;
use crate::prelude::*;
use crate::reply::Reply;
use crate::store::owning;

#[protocol]
trait Clerk {
    async fn write(&mut self, bytes: Vec<u8>);
}

/// A message with so many bytes, known by its number.
fn message(number: u16, bytes: &[u8]) -> Envelope<Stored> {
    Envelope {
        protocol: ClerkRef::schema(),
        method: number,
        priority: Priority::Ordinary,
        bytes: bytes.len() as u32,
        reply: Reply::nobody(),
        deadline: None,
        queued: None,
        chain: None,
        trace: None,
        credit: None,
        message: Stored(bailiwick_wire::Limits::LINK),
    }
}

/// What a mailbox holds and what it dropped, by their numbers.
struct Side {
    queue: Queue,
    dropped: Vec<u16>,
    refused: Vec<u16>,
}

impl Side {
    fn of(bounds: Mailbox) -> Self {
        Self { queue: Queue::new(bounds), dropped: Vec::new(), refused: Vec::new() }
    }

    fn one(&mut self, envelope: Box<Envelope>) {
        let offered = self.queue.offer(envelope, Room::Now, |dropped| self.dropped.push(dropped.method));
        self.refused.extend(offered.err().map(|refused| refused.envelope.method));
    }

    /// Puts messages in as a link does that has a packet of them.
    fn together(&mut self, messages: &[(u16, Vec<u8>)]) {
        let mut arrivals = messages.iter().map(|(number, bytes)| {
            let envelope = message(*number, bytes);
            (&bytes[..], move |spare: Option<Box<Envelope<Stored>>>| match spare {
                Some(mut used) => {
                    *used = envelope;
                    used
                }
                None => Box::new(envelope),
            })
        });
        loop {
            let mut dropped = Dropped::default();
            let misfit = self.queue.store(&mut arrivals, &mut dropped);
            let is_over = misfit.is_none() && !dropped.is_full();
            self.dropped.extend(dropped.numbers());
            if let Some((bytes, pack)) = misfit {
                self.one(owning(*pack(None), bytes));
            }
            if is_over {
                return;
            }
        }
    }

    fn take(&self) -> Option<(u16, Vec<u8>)> {
        match self.queue.poll_one(&mut Task::from_waker(Waker::noop())) {
            Poll::Ready(Ok(Whole::Message(mut envelope))) => {
                let payload = envelope.message.take_bytes().expect("it has bytes");
                Some((envelope.method, payload.bytes.to_vec()))
            }
            Poll::Ready(_) => panic!("nothing else was put in"),
            Poll::Pending => None,
        }
    }
}

#[derive(Clone, Debug)]
enum Step {
    Come(Vec<Vec<u8>>),
    /// One that owns what it carries.
    Alone(Vec<u8>),
    High,
    Take,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let bytes = || prop::collection::vec(any::<u8>(), 0..12);
    let step = prop_oneof![
        3 => prop::collection::vec(bytes(), 1..9).prop_map(Step::Come),
        1 => prop::collection::vec(bytes(), 60..140).prop_map(Step::Come),
        2 => bytes().prop_map(Step::Alone),
        1 => Just(Step::High),
        4 => Just(Step::Take),
    ];
    prop::collection::vec(step, 0..30)
}

fn policies() -> impl Strategy<Value = OnFull> {
    prop_oneof![Just(OnFull::DropOldest), Just(OnFull::DropNewest), Just(OnFull::Reject)]
}

proptest! {
    #[test]
    fn what_comes_together_is_kept_dropped_and_refused_as_if_it_came_one_by_one(
        on_full in policies(),
        capacity in 0..6u32,
        capacity_bytes in 1..40u64,
        steps in steps(),
    ) {
        let bounds = Mailbox::bounded(capacity).capacity_bytes(capacity_bytes).on_full(on_full);
        let (mut packed, mut single) = (Side::of(bounds), Side::of(bounds));
        let mut numbers = 0..;
        let mut numbered = |bytes: Vec<u8>| (numbers.next().unwrap(), bytes);
        for step in steps {
            match step {
                Step::Come(messages) => {
                    let messages: Vec<_> = messages.into_iter().map(&mut numbered).collect();
                    packed.together(&messages);
                    for (number, bytes) in &messages {
                        single.one(owning(message(*number, bytes), bytes));
                    }
                }
                Step::Alone(bytes) => {
                    let (number, bytes) = numbered(bytes);
                    for side in [&mut packed, &mut single] {
                        side.one(owning(message(number, &bytes), &bytes));
                    }
                }
                Step::High => {
                    let (number, _) = numbered(Vec::new());
                    for side in [&mut packed, &mut single] {
                        let mut high = owning(message(number, &[]), &[]);
                        high.priority = Priority::High;
                        side.one(high);
                    }
                }
                Step::Take => prop_assert_eq!(packed.take(), single.take()),
            }
            for side in [&mut packed, &mut single] {
                // Of what was dropped together, who owned what it carried is told first.
                side.dropped.sort_unstable();
            }
            prop_assert_eq!((&packed.dropped, &packed.refused), (&single.dropped, &single.refused));
        }
        while let Some(taken) = packed.take() {
            prop_assert_eq!(Some(taken), single.take());
        }
        prop_assert_eq!(single.take(), None);
    }
}
