//! One actor's turns: take a message, run its handler, answer.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;

use tokio::time::{Instant, Sleep, sleep_until};

use crate::cell::Cell;
use crate::context::Context;
use crate::envelope::Envelope;
use crate::hand::{Begun, Hand, Next};
use crate::introspect::MessageEnd;
use crate::outcome::{AskError, Cause, NotDelivered, Unknown};
use crate::outlet::Outlet;
use crate::panics::catch;
use crate::progress::{self, Work};
use crate::protocol::Incoming;
use crate::reply::Reply;
use crate::sample::Stamp;
use crate::scope::Scope;
use crate::served::Dispatch;
use crate::tap::Tapped;
use crate::trace;
use bailiwick_wire::schema::ProtocolSchema;

/// The state that lasts from one message to the next, for as long as there are any.
pub(crate) struct Turns<'c> {
    cell: &'c Arc<Cell>,
    /// There from the first message on, except while the handler is polled.
    scope: Option<Box<Scope>>,
    hand: Hand<'c>,
    /// Messages handled since the executor last ran something else; an ask of another worker's counts for eight.
    run: u32,
    /// Messages that were begun with and are not counted yet.
    begun: u64,
    /// When the message was begun with, if it is one that is measured.
    measured: Stamp,
    /// There once somebody has read along.
    tapped: Option<Box<Tapped>>,
}

/// How a handler ended.
enum Handled {
    Finished,
    /// The message did not decode.
    Undecodable(NotDelivered),
    /// It is of no protocol that the actor serves.
    NotServed,
    Panicked(Cause),
    /// The asker has given up.
    Abandoned,
    /// The deadline has passed.
    Expired,
    /// The actor is to stop and does not wait for its handler.
    Stopped,
}

impl From<&Handled> for MessageEnd {
    fn from(handled: &Handled) -> Self {
        match handled {
            Handled::Finished => Self::Handled,
            Handled::Undecodable(_) => Self::Undecodable,
            Handled::NotServed => Self::NotServed,
            Handled::Panicked(_) => Self::Panicked,
            Handled::Abandoned => Self::Cancelled,
            Handled::Expired => Self::Expired,
            Handled::Stopped => Self::Stopped,
        }
    }
}

impl<'c> Turns<'c> {
    pub(crate) fn new(cell: &'c Arc<Cell>) -> Self {
        Self { hand: Hand::new(cell), cell, scope: None, run: 0, begun: 0, measured: None, tapped: None }
    }

    /// Returns what comes next. If that is nothing, the task is woken once there is something.
    pub(crate) async fn next(&mut self) -> Option<Next> {
        self.run += 1;
        if self.run >= MESSAGES_PER_RUN {
            self.run = 0;
            self.hand.give_credit();
            self.count();
            tokio::task::yield_now().await;
        }
        poll_fn(|task| match self.hand.poll_next(task) {
            Poll::Ready(next) => Poll::Ready(Some(next)),
            Poll::Pending => Poll::Ready(None),
        })
        .await
    }

    /// Tells whether there is nothing more to come.
    pub(crate) fn are_over(&self) -> bool {
        self.hand.is_over()
    }

    /// Handles the message that is next. Fails if the handler panicked; the asker has been told.
    pub(crate) async fn handle<A, D: Dispatch<A>>(
        &mut self,
        actor: &mut A,
        cx: &mut Context,
    ) -> Result<(), Cause> {
        let Some(mut begun) = self.open() else { return Ok(()) };
        let handled = self.run_handler::<A, D>(actor, cx, &mut begun).await;
        if let Some(began) = self.measured.take() {
            self.cell.tally().handling().note(began.elapsed());
        }
        if self.tapped.is_some() {
            self.read_along((&handled).into());
        }
        let &mut Envelope { protocol, method, ref reply, .. } = begun.envelope();
        match handled {
            Handled::Finished | Handled::Abandoned => {}
            Handled::Undecodable(reason) => self.lose(protocol, method, reason, reply),
            Handled::NotServed => {
                let reason = NotDelivered::NotServed { protocol: protocol.name.to_owned() };
                self.lose(protocol, method, reason, reply);
            }
            Handled::Expired => reply.fail(AskError::Unknown(Unknown::Expired)),
            Handled::Stopped => reply.fail(AskError::Unknown(Unknown::ActorStopped)),
            Handled::Panicked(cause) => {
                reply.fail(AskError::Unknown(panicked(&cause)));
                return Err(cause);
            }
        }
        self.hand.done(begun);
        Ok(())
    }

    fn lose(&self, protocol: &'static ProtocolSchema, method: u16, reason: NotDelivered, reply: &Reply) {
        self.cell.node.dead_letters.record(&self.cell.name(), protocol, method, &reason);
        reply.fail(reason.into());
    }

    /// Unpacks a message for its handler, unless nobody waits for it any more.
    // Inlined, since what is handed over through memory waits until it is written.
    #[inline(always)]
    fn open(&mut self) -> Option<Begun> {
        let mut begun = self.hand.begin()?;
        let envelope = begun.envelope();
        if self.cell.tally().taps().are_on() {
            self.tapped.get_or_insert_default().begin(self.cell, envelope);
        }
        if envelope.deadline.is_some_and(|deadline| deadline <= Instant::now()) {
            self.read_along(MessageEnd::ExpiredBefore);
            self.cell.lose(begun.unhandled(), NotDelivered::Expired);
            return None;
        }
        if envelope.credit.is_some() {
            let is_awaited = envelope.reply.is_awaited();
            if !self.hand.takes(&mut envelope.credit) && is_awaited {
                // The asker sends it again, to a life that can take it. A tell has nobody who could.
                self.read_along(MessageEnd::TurnedAway);
                self.cell.lose(begun.unhandled(), NotDelivered::Draining);
                return None;
            }
            // Replies are sent when the actor lets others run, and the asker's side works while this one does.
            self.run += if is_awaited { ANSWER_EXTRA } else { 0 };
        }
        let scope = self.scope.get_or_insert_with(|| Scope::of(self.cell));
        (scope.deadline, scope.before) = (envelope.deadline, envelope.chain.take());
        scope.trace = envelope.trace.take();
        self.begun += 1;
        self.measured = envelope.queued.take().map(|queued| self.waited_since(queued));
        if envelope.reply.start() {
            return Some(begun);
        }
        self.read_along(MessageEnd::CancelledBefore);
        None
    }

    /// Has those told how a message ended who read along.
    #[cold]
    fn read_along(&mut self, end: MessageEnd) {
        if let Some(tapped) = &mut self.tapped {
            tapped.end(self.cell, end);
        }
    }

    /// Counts how long a message waited. Returns when that was over.
    #[cold]
    fn waited_since(&self, queued: std::time::Instant) -> std::time::Instant {
        let now = std::time::Instant::now();
        self.cell.tally().waits().note(now.saturating_duration_since(queued));
        if self.cell.queue.measures_all() && !self.cell.tally().taps().are_on() {
            self.cell.queue.measure_all(false);
        }
        now
    }

    /// Has the messages counted that were begun with.
    fn count(&mut self) {
        if self.begun > 0 {
            self.cell.has_handled(std::mem::take(&mut self.begun));
        }
    }

    async fn run_handler<A, D: Dispatch<A>>(
        &mut self,
        actor: &mut A,
        cx: &mut Context,
        begun: &mut Begun,
    ) -> Handled {
        let &mut Envelope { protocol, method, deadline, .. } = begun.envelope();
        let (arguments, reply) = begun.parts();
        let current = self.scope.get_or_insert_default();
        let span = trace::handle(self.cell, protocol, method, &mut current.trace);
        let (scope, cell, hand) = (&mut self.scope, self.cell, &mut self.hand);
        let mut expiry: Option<Pin<Box<Sleep>>> = None;
        let mut idle = Some((actor, cx, arguments));
        let mut place = pin!(None);
        let mut handler = place.as_mut();
        // All that lasts from one poll to the next is in here, and nowhere else: an actor that waits has room for it too.
        let handled = poll_fn(move |task| {
            // The message is decoded within the first poll, so that it is part of what is watched, caught and bounded.
            let poll = || {
                if let Some((actor, cx, arguments)) = idle.take() {
                    match D::claim(Incoming { protocol, method, body: hand.unread(arguments) }) {
                        Ok(Ok(message)) => handler.set(Some(D::dispatch(actor, message, cx, reply))),
                        Ok(Err(undecodable)) => return Poll::Ready(Handled::Undecodable(undecodable)),
                        Err(_) => return Poll::Ready(Handled::NotServed),
                    }
                }
                let Some(running) = handler.as_mut().as_pin_mut() else {
                    return Poll::Ready(Handled::Abandoned);
                };
                running.poll(task).map(|()| Handled::Finished)
            };
            let poll = || match &span {
                None => Scope::enter(scope, poll),
                Some(span) => span.in_scope(|| Scope::enter(scope, poll)),
            };
            match catch(|| progress::one_poll(cell, Work::Method(protocol, method), poll)) {
                Err(cause) => return Poll::Ready(Handled::Panicked(trace::failed(&span, cause))),
                Ok(Poll::Ready(handled)) => return Poll::Ready(handled),
                Ok(Poll::Pending) => hand.lay_down(),
            }
            if cell.queue.poll_urgent(task) {
                return Poll::Ready(Handled::Stopped);
            }
            if reply.poll_abandoned(task.waker()) {
                return Poll::Ready(Handled::Abandoned);
            }
            // Most handlers never wait, so the timer is made only for those that do.
            let Some(deadline) = deadline else { return Poll::Pending };
            let expiry = expiry.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
            expiry.as_mut().poll(task).map(|()| Handled::Expired)
        })
        .await;
        // An unfinished handler is dropped here, and its destructors may panic too.
        match catch(|| place.set(None)) {
            Ok(()) => handled,
            Err(cause) => Handled::Panicked(cause),
        }
    }
}

/// However it ends, its scope serves the next actor.
impl Drop for Turns<'_> {
    fn drop(&mut self) {
        self.count();
        if self.tapped.is_some() {
            // A handler that was under way is dropped with the life of its actor.
            self.read_along(MessageEnd::Stopped);
        }
        if let Some(scope) = self.scope.take() {
            scope.leave();
        }
    }
}

fn panicked(cause: &Cause) -> Unknown {
    match cause {
        Cause::Panicked { message, .. } => Unknown::Panicked { text: message.clone() },
        _ => Unknown::ActorStopped,
    }
}

/// How many messages one actor handles before it lets others run, if it never has to wait.
const MESSAGES_PER_RUN: u32 = 128;
/// For how many messages more an ask of another worker's counts: after sixteen of them the replies leave, which is where 64 asks
/// in flight took the least time.
const ANSWER_EXTRA: u32 = 7;
