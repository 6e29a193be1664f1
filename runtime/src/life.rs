//! An actor's life: incarnation after incarnation as its family decides, one message at a time.

use std::future::poll_fn;
use std::marker::PhantomData;
use std::ops::ControlFlow;
use std::pin::pin;
use std::sync::{Arc, PoisonError};
use std::task::Poll;

use bailiwick_core::siblings;
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};

use crate::actor::{Lifecycle, Reconfigured};
use crate::args::Args;
use crate::cell::Cell;
use crate::context::Context;
use crate::family::{Fate, Membership};
use crate::hand::Next;
use crate::node::Stop;
use crate::outcome::Cause;
use crate::outlet::Outlet;
use crate::panics::{catch, catch_async};
use crate::progress::{Work, of, one_poll};
use crate::served::{Dispatch, FactoryArgs, Make};
use crate::signal::{Ended, Signal};
use crate::turn::Turns;

/// What an actor's task is started with.
pub(crate) struct Life<A: 'static, D, T> {
    pub(crate) cell: Arc<Cell>,
    pub(crate) make: Make<A, T>,
    pub(crate) lifecycle: Option<&'static dyn Lifecycle<A>>,
    pub(crate) args: Option<Args>,
    pub(crate) place: Mortal,
    /// Told when the first incarnation has started.
    pub(crate) born: Option<oneshot::Sender<()>>,
    pub(crate) dispatch: PhantomData<fn() -> D>,
}

/// How an incarnation ended.
enum End {
    /// In order, and no further one comes.
    Stop,
    /// The same, after all that waited.
    Drained,
    /// By itself, in order.
    Finished,
    /// In order, because a sibling failed.
    Halted,
    /// It is made anew without having failed.
    MakeAnew,
    Failure(Cause),
}

impl<A: 'static, D: Dispatch<A>, T: FactoryArgs> Life<A, D, T> {
    /// Lives until the actor stops or gives up.
    ///
    /// Boxed, because a future keeps what it was given beside what it makes of it.
    pub(crate) async fn run(mut self: Box<Self>) {
        if self.place.membership.is_held() && !self.told_to_begin(None).await {
            return self.cell.end(&Cause::Stopped);
        }
        loop {
            self.cell.queue.forget_reports();
            self.cell.begin();
            let mut cx = Context::of(Arc::clone(&self.cell));
            let end = self.incarnation(&mut cx).await;
            cx.stop_children(if matches!(end, End::Drained) { Stop::Drained } else { Stop::Now }).await;
            drop(cx);
            let (end, cause) = match end {
                End::Stop | End::Drained => return self.cell.end(&Cause::Stopped),
                End::MakeAnew => {
                    self.cell.incarnation_ended(&Cause::Stopped);
                    continue;
                }
                End::Finished => (siblings::End::Clean, Cause::Stopped),
                End::Halted => (siblings::End::Halted, Cause::Stopped),
                End::Failure(cause) => (siblings::End::Failed, cause),
            };
            if !self.comes_back(end, cause).await {
                return;
            }
        }
    }

    /// Asks the family what follows from the end of an incarnation. Returns whether another one begins, when it does.
    async fn comes_back(&mut self, end: siblings::End, cause: Cause) -> bool {
        let failed = matches!(end, siblings::End::Failed);
        match self.place.membership.ended(&self.cell, end, &cause) {
            Fate::Wait(at) => {
                if failed {
                    let pause = at.map(|at| at.saturating_duration_since(Instant::now()));
                    self.cell.node.host.restarts(&self.cell.name(), &cause, pause.unwrap_or_default());
                }
                self.cell.incarnation_ended(&cause);
                let begins = self.told_to_begin(at).await;
                if !begins {
                    self.cell.end(&Cause::Stopped);
                }
                begins
            }
            Fate::Kept => {
                self.cell.end(&cause);
                let begins = self.told_to_begin(None).await;
                if begins {
                    self.cell.revive();
                }
                begins
            }
            Fate::Gone => {
                self.cell.end(&cause);
                false
            }
            Fate::Escalates => {
                self.cell.end(&cause);
                self.place.membership.escalate(&self.cell, cause);
                false
            }
        }
    }

    /// Waits for the order to begin; at `at` the pause is over. Returns `false` if the order is to stop.
    async fn told_to_begin(&mut self, mut at: Option<Instant>) -> bool {
        loop {
            let signalled = self.cell.queue.signalled();
            let signal = match at {
                None => signalled.await,
                Some(until) => match timeout_at(until, signalled).await {
                    Ok(signal) => signal,
                    Err(_) => {
                        at = None;
                        self.place.membership.pause_is_over();
                        continue;
                    }
                },
            };
            match signal {
                Signal::Begin => return true,
                Signal::Stop | Signal::Drain => return false,
                Signal::Reconfigure(args, _) => self.args = Some(args),
                // Meant for the incarnation that has ended.
                Signal::Failed(_) | Signal::ChildGaveUp(_) | Signal::Finish | Signal::Halt => {}
            }
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
        let in_order = matches!(end, End::Stop | End::Drained | End::Finished | End::Halted);
        if let (true, true, Some(lifecycle)) = (has_started, in_order, self.lifecycle)
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
                // Who is to stop is not waited for until it has started, which may be never.
                Poll::Pending if self.cell.queue.poll_urgent(task) => Poll::Ready(None),
                Poll::Pending => Poll::Pending,
            });
            match started.await {
                None => return Err(self.interrupted()),
                Some(Err(cause)) => return Err(End::Failure(cause)),
                Some(Ok(Err(error))) => {
                    return Err(End::Failure(Cause::Failed { error: error.to_string() }));
                }
                Some(Ok(Ok(()))) => {}
            }
        }
        self.place.membership.started();
        if let Some(born) = self.born.take() {
            // Whoever started the actor need not wait for it.
            let _ = born.send(());
        }
        Ok(())
    }

    /// Returns how an incarnation ends that is not waited for until it has started.
    fn interrupted(&self) -> End {
        match self.cell.queue.take_urgent() {
            Some(Signal::ChildGaveUp(cause) | Signal::Failed(cause)) => End::Failure(cause),
            Some(Signal::Halt) => End::Halted,
            Some(Signal::Stop | Signal::Drain | Signal::Finish | Signal::Begin | Signal::Reconfigure(..))
            | None => End::Stop,
        }
    }

    async fn serve(&mut self, actor: &mut A, cx: &mut Context) -> End {
        let mut turns = Turns::new(Arc::clone(&self.cell));
        // Perhaps an earlier incarnation was told to, and failed over the rest.
        let mut draining = self.cell.queue.is_draining();
        while !cx.is_stopping() {
            if draining && turns.are_over() {
                return End::Drained;
            }
            match turns.next().await {
                Next::Message => {
                    if let Err(cause) = turns.handle::<A, D>(actor, cx).await {
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
        End::Finished
    }

    async fn signal(&mut self, actor: &mut A, cx: &mut Context, signal: Signal) -> ControlFlow<End> {
        match signal {
            Signal::Stop | Signal::Drain => ControlFlow::Break(End::Stop),
            Signal::Finish => ControlFlow::Break(End::Finished),
            Signal::Halt => ControlFlow::Break(End::Halted),
            Signal::Failed(cause) | Signal::ChildGaveUp(cause) => ControlFlow::Break(End::Failure(cause)),
            // It has begun already.
            Signal::Begin => ControlFlow::Continue(()),
            Signal::Reconfigure(args, answer) => {
                self.args = Some(args.clone());
                let done = match self.lifecycle {
                    None => Ok(Reconfigured::MakeAnew),
                    Some(lifecycle) => match catch_async(lifecycle.reconfigure(actor, args, cx)).await {
                        Ok(done) => done.map_err(|error| Cause::Failed { error: error.to_string() }),
                        Err(cause) => Err(cause),
                    },
                };
                let is_awaited = answer.is_some();
                if let (Some(answer), Ok(done)) = (answer, &done) {
                    // Whoever no longer waits need not know.
                    let _ = answer.send(*done);
                }
                match done {
                    Ok(Reconfigured::Kept) => ControlFlow::Continue(()),
                    Ok(Reconfigured::NewProcess) if is_awaited => ControlFlow::Continue(()),
                    Ok(Reconfigured::MakeAnew | Reconfigured::NewProcess) => {
                        ControlFlow::Break(End::MakeAnew)
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

/// An actor's place. When its task ends, however that comes about, nobody waits for the actor in vain.
pub(crate) struct Mortal {
    pub(crate) cell: Arc<Cell>,
    pub(crate) membership: Membership,
}

impl Drop for Mortal {
    fn drop(&mut self) {
        if !self.cell.is_ended() {
            self.cell.end(&Cause::Stopped);
        }
    }
}
