//! An actor's life: incarnation after incarnation, within its budget, one message at a time.

use std::future::poll_fn;
use std::marker::PhantomData;
use std::ops::ControlFlow;
use std::pin::pin;
use std::sync::{Arc, PoisonError};
use std::task::Poll;
use std::time::Duration;

use bailiwick_core::backoff::Backoff;
use bailiwick_core::budget::Budget;
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::actor::{Lifecycle, Reconfigured};
use crate::args::Args;
use crate::cell::Cell;
use crate::context::Context;
use crate::node::Stop;
use crate::outcome::Cause;
use crate::outlet::Outlet;
use crate::panics::{catch, catch_async};
use crate::progress::{Work, of, one_poll};
use crate::queue::Next;
use crate::restart::Restart;
use crate::served::{Dispatch, FactoryArgs, Make};
use crate::signal::{Ended, Signal};
use crate::turn::Turns;

/// What an actor's task is started with.
pub(crate) struct Life<A: 'static, D, T> {
    pub(crate) cell: Arc<Cell>,
    pub(crate) make: Make<A, T>,
    pub(crate) lifecycle: Option<&'static dyn Lifecycle<A>>,
    pub(crate) restart: Restart,
    pub(crate) args: Option<Args>,
    /// Who fails when this actor gives up; without a parent it is the worker.
    pub(crate) parent: Option<Arc<Cell>>,
    /// Told when the first incarnation has started.
    pub(crate) born: Option<oneshot::Sender<()>>,
    pub(crate) dispatch: PhantomData<fn() -> D>,
}

/// How an incarnation ended.
enum End {
    /// In order: no further one comes.
    Stop,
    /// In order, after all that waited.
    Drained,
    /// It is made anew without having failed.
    MakeAnew,
    Failure(Cause),
}

impl<A: 'static, D: Dispatch<A>, T: FactoryArgs> Life<A, D, T> {
    /// Lives until the actor stops or gives up.
    ///
    /// Boxed, because a future keeps what it was given beside what it makes of it.
    pub(crate) async fn run(mut self: Box<Self>) {
        // Also when the executor drops this future halfway, nobody waits for the actor in vain.
        let _mortal = Mortal(Arc::clone(&self.cell));
        // Most actors never fail.
        let mut failures: Option<Box<Failures>> = None;
        loop {
            self.cell.queue.forget_failures();
            self.cell.begin();
            let mut cx = Context::of(Arc::clone(&self.cell));
            let end = self.incarnation(&mut cx).await;
            cx.stop_children(if matches!(end, End::Drained) { Stop::Drained } else { Stop::Now }).await;
            drop(cx);
            let cause = match end {
                End::Stop | End::Drained => return self.cell.end(&Cause::Stopped),
                End::MakeAnew => {
                    self.cell.incarnation_ended(&Cause::Stopped);
                    continue;
                }
                End::Failure(cause) => cause,
            };
            let name = self.cell.name();
            let failures = failures.get_or_insert_with(|| Box::new(Failures::new(self.restart)));
            match failures.charge() {
                Some(pause) => {
                    tracing::warn!(target: "bailiwick::actor", actor = %name, %cause, ?pause, "restarts");
                    self.cell.incarnation_ended(&cause);
                    if self.cell.queue.stopped_within(pause).await {
                        return self.cell.end(&Cause::Stopped);
                    }
                }
                None => {
                    tracing::error!(target: "bailiwick::actor", actor = %name, %cause, "gave up");
                    self.cell.end(&cause);
                    if self.restart.escalate {
                        self.escalate(cause);
                    }
                    return;
                }
            }
        }
    }

    fn escalate(&self, cause: Cause) {
        let child = self.cell.name();
        match &self.parent {
            Some(parent) => parent.signal(Signal::Failed(Cause::ChildGaveUp {
                child: child.to_string(),
                cause: Box::new(cause),
            })),
            None => self.cell.node.host.gave_up(&child, &cause),
        }
    }

    async fn incarnation(&mut self, cx: &mut Context) -> End {
        let mut actor = match self.make() {
            Ok(actor) => actor,
            Err(cause) => return End::Failure(cause),
        };
        let (has_started, end) = match self.started(&mut actor, cx).await {
            Ok(()) => (true, self.serve(&mut actor, cx).await),
            Err(end) => (false, end),
        };
        if let (true, End::Stop | End::Drained, Some(lifecycle)) = (has_started, &end, self.lifecycle)
            && let Err(cause) =
                catch_async(of(&self.cell, Work::Step("stopping"), lifecycle.stopping(&mut actor, cx))).await
        {
            tracing::warn!(target: "bailiwick::actor", actor = %self.cell.name(), %cause, "failed while stopping");
        }
        // A destructor of the user's may panic as well; the incarnation is over in any case.
        if let Err(cause) = catch(|| one_poll(&self.cell, Work::Step("drop"), || drop(actor))) {
            tracing::warn!(target: "bailiwick::actor", actor = %self.cell.name(), %cause, "failed while dropped");
        }
        end
    }

    fn make(&self) -> Result<A, Cause> {
        let args = T::decode(self.cell.path(), self.args.as_ref())
            .map_err(|error| Cause::Failed { error: error.to_string() })?;
        let mut make = self.make.lock().unwrap_or_else(PoisonError::into_inner);
        catch(|| one_poll(&self.cell, Work::Step("factory"), || make(args)))
    }

    async fn started(&mut self, actor: &mut A, cx: &mut Context) -> Result<(), End> {
        if let Some(lifecycle) = self.lifecycle {
            let started = of(&self.cell, Work::Step("started"), lifecycle.started(actor, cx));
            let mut starting = pin!(catch_async(started));
            let started = poll_fn(|task| match starting.as_mut().poll(task) {
                Poll::Ready(started) => Poll::Ready(Some(started)),
                // Who is to stop is not waited for until it has begun, which may be never.
                Poll::Pending if self.cell.queue.poll_stop(task) => Poll::Ready(None),
                Poll::Pending => Poll::Pending,
            });
            match started.await {
                None => return Err(End::Stop),
                Some(Err(cause)) => return Err(End::Failure(cause)),
                Some(Ok(Err(error))) => {
                    return Err(End::Failure(Cause::Failed { error: error.to_string() }));
                }
                Some(Ok(Ok(()))) => {}
            }
        }
        if let Some(born) = self.born.take() {
            // Whoever started the actor need not wait for it.
            let _ = born.send(());
        }
        Ok(())
    }

    async fn serve(&mut self, actor: &mut A, cx: &mut Context) -> End {
        let mut turns = Turns::new(Arc::clone(&self.cell));
        // Perhaps an earlier incarnation was told to, and failed over the rest.
        let mut draining = self.cell.queue.is_draining();
        while !cx.is_stopping() {
            if draining && self.cell.queue.is_idle() {
                return End::Drained;
            }
            match turns.next().await {
                Next::Message(envelope) => {
                    if let Err(cause) = turns.handle::<A, D>(actor, cx, envelope).await {
                        return End::Failure(cause);
                    }
                }
                Next::Ended(ended) => {
                    if let Err(cause) = self.down(actor, cx, *ended).await {
                        return End::Failure(cause);
                    }
                }
                Next::Signal(Signal::Drain) => draining = true,
                Next::Signal(signal) => {
                    if let ControlFlow::Break(end) = self.signal(actor, cx, signal).await {
                        return end;
                    }
                }
            }
        }
        End::Stop
    }

    async fn signal(&mut self, actor: &mut A, cx: &mut Context, signal: Signal) -> ControlFlow<End> {
        match signal {
            Signal::Stop | Signal::Drain => ControlFlow::Break(End::Stop),
            Signal::Failed(cause) => ControlFlow::Break(End::Failure(cause)),
            Signal::Reconfigure(args) => {
                self.args = Some(args.clone());
                let Some(lifecycle) = self.lifecycle else { return ControlFlow::Break(End::MakeAnew) };
                let taken = of(&self.cell, Work::Step("reconfigure"), lifecycle.reconfigure(actor, args, cx));
                match catch_async(taken).await {
                    Ok(Ok(Reconfigured::Kept)) => ControlFlow::Continue(()),
                    Ok(Ok(Reconfigured::MakeAnew)) => ControlFlow::Break(End::MakeAnew),
                    Ok(Err(error)) => {
                        ControlFlow::Break(End::Failure(Cause::Failed { error: error.to_string() }))
                    }
                    Err(cause) => ControlFlow::Break(End::Failure(cause)),
                }
            }
        }
    }

    async fn down(&self, actor: &mut A, cx: &mut Context, ended: Ended) -> Result<(), Cause> {
        // A watch that was taken back, or that an earlier incarnation set, is nobody's any more.
        if !cx.forget_watch(ended.watch) {
            return Ok(());
        }
        match self.lifecycle {
            Some(lifecycle) => {
                catch_async(of(&self.cell, Work::Step("down"), lifecycle.down(actor, ended.down, cx))).await
            }
            None => Ok(()),
        }
    }
}

/// Ends the actor for its senders when its task ends, however that comes about.
struct Mortal(Arc<Cell>);

impl Drop for Mortal {
    fn drop(&mut self) {
        if !self.0.is_ended() {
            self.0.end(&Cause::Stopped);
        }
    }
}

/// The failures of one actor, charged to its budget.
struct Failures {
    budget: Budget,
    backoff: Backoff,
    /// Failures in a row: a life longer than the backoff's cap begins a new row.
    row: u32,
    latest: Option<Instant>,
    origin: Instant,
}

impl Failures {
    fn new(restart: Restart) -> Self {
        let budget = Budget::new(restart.max_restarts, restart.period);
        Self { budget, backoff: Backoff::default(), row: 0, latest: None, origin: Instant::now() }
    }

    /// Charges one failure. Returns the pause before the next incarnation, or nothing if the budget is spent.
    fn charge(&mut self) -> Option<Duration> {
        let now = Instant::now();
        let stable = self.latest.is_none_or(|latest| now.duration_since(latest) > self.backoff.cap);
        self.row = if stable { 1 } else { self.row.saturating_add(1) };
        self.latest = Some(now);
        let nanos = u64::try_from(now.duration_since(self.origin).as_nanos()).unwrap_or(u64::MAX);
        // One process restarts few actors at a time, so chance has nothing to spread here.
        let covered = self.budget.charge(bailiwick_core::time::Instant::from_nanos(nanos));
        covered.then(|| self.backoff.longest(self.row))
    }
}
