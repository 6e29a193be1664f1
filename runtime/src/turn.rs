//! One actor's turns: take a message, run its handler, answer.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;

use tokio::time::{Instant, Sleep, sleep_until};

use crate::cell::Cell;
use crate::context::Context;
use crate::envelope::Envelope;
use crate::outcome::{AskError, Cause, NotDelivered, Unknown};
use crate::outlet::Outlet;
use crate::panics::catch;
use crate::progress::{self, Work};
use crate::protocol::Incoming;
use crate::queue::Next;
use crate::reply::Reply;
use crate::scope::Scope;
use crate::served::Dispatch;
use crate::trace;
use crate::workload::{Share, Taken};

/// The state that lasts from one message to the next.
pub(crate) struct Turns {
    cell: Arc<Cell>,
    /// Always there, except while the handler is polled.
    scope: Option<Box<Scope>>,
    /// Messages handled since the executor last ran something else.
    run: u32,
}

/// How a handler ended.
enum Handled {
    Finished(Result<Result<(), NotDelivered>, Incoming>),
    Panicked(Cause),
    /// The asker has given up.
    Abandoned,
    /// The deadline has passed.
    Expired,
    /// The actor is to stop and does not wait for its handler.
    Stopped,
}

impl Turns {
    pub(crate) fn new(cell: Arc<Cell>) -> Self {
        let scope = Scope { actor: Some(Arc::clone(&cell)), ..Scope::default() };
        Self { cell, scope: Some(Box::new(scope)), run: 0 }
    }

    /// Waits for what comes next.
    pub(crate) async fn next(&mut self) -> Next {
        self.run += 1;
        if self.run >= MESSAGES_PER_RUN {
            self.run = 0;
            tokio::task::yield_now().await;
        }
        poll_fn(|task| {
            let next = self.cell.queue.poll_next(task);
            if next.is_pending() {
                self.run = 0;
            }
            next
        })
        .await
    }

    /// Handles one message. Fails if the handler panicked; the asker has been told.
    pub(crate) async fn handle<A, D: Dispatch<A>>(
        &mut self,
        actor: &mut A,
        cx: &mut Context,
        envelope: Box<Envelope>,
    ) -> Result<(), Cause> {
        let Some((incoming, reply, _share)) = self.open(*envelope) else { return Ok(()) };
        let (protocol, index) = (incoming.protocol, incoming.method);
        let handled = self.run_handler::<A, D>(actor, cx, incoming, &reply).await;
        match handled {
            Handled::Finished(Ok(Ok(()))) | Handled::Abandoned => Ok(()),
            Handled::Finished(Ok(Err(undecodable))) => {
                self.cell.node.dead_letters.record(&self.cell.name(), protocol, index, &undecodable);
                reply.fail(undecodable.into());
                Ok(())
            }
            Handled::Finished(Err(_)) => {
                let reason = NotDelivered::NotServed { protocol: protocol.name.to_owned() };
                self.cell.node.dead_letters.record(&self.cell.name(), protocol, index, &reason);
                reply.fail(reason.into());
                Ok(())
            }
            Handled::Expired => {
                reply.fail(AskError::Unknown(Unknown::Expired));
                Ok(())
            }
            Handled::Stopped => {
                reply.fail(AskError::Unknown(Unknown::ActorStopped));
                Ok(())
            }
            Handled::Panicked(cause) => {
                reply.fail(AskError::Unknown(panicked(&cause)));
                Err(cause)
            }
        }
    }

    /// Unpacks a message for its handler, unless nobody waits for it any more.
    fn open(&mut self, envelope: Envelope) -> Option<(Incoming, Reply, Option<Share>)> {
        if envelope.deadline.is_some_and(|deadline| deadline <= Instant::now()) {
            self.cell.lose(envelope, NotDelivered::Expired);
            return None;
        }
        let from_elsewhere = envelope.credit.is_some();
        let share = match from_elsewhere.then(|| self.cell.node.workload.take()) {
            Some(Taken::Share(share)) => Some(share),
            Some(Taken::Last(share)) => {
                // Before its credit goes back, or the sender would send one more to this life.
                self.cell.node.host.spent();
                Some(share)
            }
            // The asker sends it again, to a life that can take it. A tell has nobody who could.
            Some(Taken::TooMany) if envelope.reply.is_awaited() => {
                self.cell.lose(envelope, NotDelivered::Draining);
                return None;
            }
            Some(Taken::TooMany) | None => None,
        };
        let Envelope { protocol, method, body, reply, deadline, chain, trace, credit } = envelope;
        drop(credit);
        let scope = self.scope.get_or_insert_default();
        (scope.deadline, scope.before, scope.trace) = (deadline, chain, trace);
        reply.start().then_some((Incoming { protocol, method, body }, reply, share))
    }

    async fn run_handler<A, D: Dispatch<A>>(
        &mut self,
        actor: &mut A,
        cx: &mut Context,
        incoming: Incoming,
        reply: &Reply,
    ) -> Handled {
        let current = self.scope.get_or_insert_default();
        let deadline = current.deadline;
        let work = Work::Method(incoming.protocol, incoming.method);
        let span =
            trace::handle(&self.cell, incoming.protocol.name, incoming.method_name(), &mut current.trace);
        let (scope, cell) = (&mut self.scope, &self.cell);
        let mut expiry: Option<Pin<Box<Sleep>>> = None;
        let mut handler = pin!(Some(D::dispatch(actor, incoming, cx, reply)));
        let handled = poll_fn(|task| {
            let Some(running) = handler.as_mut().as_pin_mut() else { return Poll::Ready(Handled::Abandoned) };
            let poll = || span.in_scope(|| Scope::enter(scope, || running.poll(task)));
            match catch(|| progress::one_poll(cell, work, poll)) {
                Err(cause) => return Poll::Ready(Handled::Panicked(cause)),
                Ok(Poll::Ready(finished)) => return Poll::Ready(Handled::Finished(finished)),
                Ok(Poll::Pending) => {}
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
        match catch(|| handler.set(None)) {
            Ok(()) => handled,
            Err(cause) => Handled::Panicked(cause),
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
