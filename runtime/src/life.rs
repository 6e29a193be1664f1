//! An actor's life: incarnation after incarnation as its family decides, one message at a time.

use std::future::poll_fn;
use std::marker::PhantomData;
use std::mem;
use std::ops::ControlFlow;
use std::pin::{Pin, pin};
use std::sync::{Arc, PoisonError};
use std::task::Poll;

use bailiwick_core::siblings;
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};

use crate::actor::{Lifecycle, LifecycleOf, Reconfigured};
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
use crate::signal::{Down, Signal};
use crate::turn::Turns;

/// What an actor's task is started with.
pub(crate) struct Life<A: 'static, D, T> {
    pub(crate) make: Make<A, T>,
    pub(crate) lifecycle: Option<LifecycleOf<A>>,
    pub(crate) args: Option<Box<Args>>,
    pub(crate) place: Mortal,
    /// Only what has come is still done.
    pub(crate) draining: bool,
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
    Failure(Box<Cause>),
}

impl From<Cause> for End {
    fn from(cause: Cause) -> Self {
        Self::Failure(Box::new(cause))
    }
}

impl<A: 'static, D: Dispatch<A>, T: FactoryArgs> Life<A, D, T> {
    fn cell(&self) -> &Arc<Cell> {
        &self.place.cell
    }

    /// Lives until the actor stops or gives up.
    ///
    /// Boxed, because a future keeps what it was given beside what it makes of it.
    pub(crate) async fn run(mut self: Box<Self>) {
        if self.place.membership.is_held() && !Box::pin(self.told_to_begin(None)).await {
            return self.cell().end(&Cause::Stopped);
        }
        loop {
            self.cell().queue.forget_reports();
            self.cell().begin();
            let mut cx = Context::of(Arc::clone(self.cell()));
            let end = self.incarnation(&mut cx).await;
            if cx.has_belongings() {
                let how = if matches!(end, End::Drained) { Stop::Drained } else { Stop::Now };
                Box::pin(cx.stop_children(how)).await;
            }
            drop(cx);
            let (end, cause) = match end {
                End::Stop | End::Drained => return self.cell().end(&Cause::Stopped),
                End::MakeAnew => {
                    self.cell().incarnation_ended(&Cause::Stopped);
                    continue;
                }
                End::Finished => (siblings::End::Clean, Cause::Stopped),
                End::Halted => (siblings::End::Halted, Cause::Stopped),
                End::Failure(cause) => (siblings::End::Failed, *cause),
            };
            let failed = matches!(end, siblings::End::Failed);
            self.cell().tally().failures().add(failed.into());
            if !Box::pin(self.comes_back(end, cause)).await {
                return;
            }
            self.cell().tally().restarts().add(failed.into());
        }
    }

    /// Asks the family what follows from the end of an incarnation. Returns whether another one begins, when it does.
    async fn comes_back(&mut self, end: siblings::End, cause: Cause) -> bool {
        let failed = matches!(end, siblings::End::Failed);
        match self.place.membership.ended(self.cell(), end, &cause) {
            Fate::Wait(at) => {
                if failed {
                    let pause = at.map(|at| at.saturating_duration_since(Instant::now()));
                    self.cell().node.host.restarts(&self.cell().name(), &cause, pause.unwrap_or_default());
                }
                self.cell().incarnation_ended(&cause);
                let begins = self.told_to_begin(at).await;
                if !begins {
                    self.cell().end(&Cause::Stopped);
                }
                begins
            }
            Fate::Kept => {
                self.cell().end(&cause);
                let begins = self.told_to_begin(None).await;
                if begins {
                    self.cell().revive();
                }
                begins
            }
            Fate::Gone => {
                self.cell().end(&cause);
                false
            }
            Fate::Escalates => {
                self.cell().end(&cause);
                self.place.membership.escalate(self.cell(), cause);
                false
            }
        }
    }

    /// Waits for the order to begin; at `at` the pause is over. Returns `false` if the order is to stop.
    async fn told_to_begin(&mut self, mut at: Option<Instant>) -> bool {
        loop {
            let signalled = self.cell().queue.signalled();
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
                Signal::Reconfigure(args, _) => self.args = Some(Box::new(args)),
                // Meant for the incarnation that has ended.
                Signal::Failed(_)
                | Signal::ChildGaveUp(_)
                | Signal::Finish
                | Signal::Halt
                | Signal::Inspect(_) => {}
            }
        }
    }

    async fn incarnation(&mut self, cx: &mut Context) -> End {
        let mut actor = match self.make() {
            Ok(actor) => actor,
            Err(cause) => return cause.into(),
        };
        let started = match self.lifecycle {
            Some(lifecycle) => Box::pin(self.start(lifecycle(), &mut actor, cx)).await,
            None => Ok(()),
        };
        let (has_started, end) = match started {
            Ok(()) => {
                self.has_started();
                // What a shift needs is there for as long as it lasts, so that an actor that waits takes little memory.
                let end = loop {
                    if let ControlFlow::Break(end) = self.begin_shift(&mut actor, cx).await {
                        break end;
                    }
                    woken().await;
                };
                (true, end)
            }
            Err(end) => (false, end),
        };
        let in_order = matches!(end, End::Stop | End::Drained | End::Finished | End::Halted);
        if let (true, true, Some(lifecycle)) = (has_started, in_order, self.lifecycle)
            && let Err(cause) = Box::pin(catch_async(of(
                self.cell(),
                Work::Step("stopping"),
                lifecycle().stopping(&mut actor, cx),
            )))
            .await
        {
            tracing::warn!(target: "bailiwick::actor", actor = %self.cell().name(), %cause, "failed while stopping");
        }
        // A destructor of the user's may panic as well; the incarnation is over in any case.
        if let Err(cause) = catch(|| one_poll(self.cell(), Work::Step("drop"), || drop(actor))) {
            tracing::warn!(target: "bailiwick::actor", actor = %self.cell().name(), %cause, "failed while dropped");
        }
        end
    }

    fn make(&self) -> Result<A, Cause> {
        let args = T::decode(self.cell().path(), self.args.as_deref())
            .map_err(|error| Cause::Failed { error: error.to_string() })?;
        // Another actor of this type may be made on another thread just now: to wait for that is this one's poll.
        let make = || self.make.lock().unwrap_or_else(PoisonError::into_inner)(args);
        catch(|| one_poll(self.cell(), Work::Step("factory"), make))
    }

    async fn start(
        &self,
        lifecycle: &'static dyn Lifecycle<A>,
        actor: &mut A,
        cx: &mut Context,
    ) -> Result<(), End> {
        let started = of(self.cell(), Work::Step("started"), lifecycle.started(actor, cx));
        let mut starting = pin!(catch_async(started));
        let started = poll_fn(|task| match starting.as_mut().poll(task) {
            Poll::Ready(started) => Poll::Ready(Some(started)),
            // Who is to stop is not waited for until it has started, which may be never.
            Poll::Pending if self.cell().queue.poll_urgent(task) => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        });
        match started.await {
            None => Err(self.interrupted()),
            Some(Err(cause)) => Err(cause.into()),
            Some(Ok(Err(error))) => Err(Cause::Failed { error: error.to_string() }.into()),
            Some(Ok(Ok(()))) => Ok(()),
        }
    }

    fn has_started(&mut self) {
        // Perhaps an earlier incarnation was told to, and failed over the rest.
        self.draining = self.cell().queue.is_draining();
        self.place.membership.started();
        if let Some(born) = self.born.take() {
            // Whoever started the actor need not wait for it.
            let _ = born.send(());
        }
    }

    /// Returns how an incarnation ends that is not waited for until it has started.
    fn interrupted(&self) -> End {
        match self.cell().queue.take_urgent() {
            Some(Signal::ChildGaveUp(cause) | Signal::Failed(cause)) => cause.into(),
            Some(Signal::Halt) => End::Halted,
            Some(
                Signal::Stop
                | Signal::Drain
                | Signal::Finish
                | Signal::Begin
                | Signal::Reconfigure(..)
                | Signal::Inspect(_),
            )
            | None => End::Stop,
        }
    }

    /// Room first: what is made before there is room is made elsewhere and moved.
    fn begin_shift<'a>(
        &'a mut self,
        actor: &'a mut A,
        cx: &'a mut Context,
    ) -> Pin<Box<impl Future<Output = ControlFlow<End>> + 'a>> {
        let room = Box::new_uninit();
        Box::into_pin(Box::write(room, self.shift(actor, cx)))
    }

    /// Does what there is to do, one after the other, until nothing is left: the task is woken when there is something again.
    async fn shift(&mut self, actor: &mut A, cx: &mut Context) -> ControlFlow<End> {
        let Self { place: Mortal { cell, .. }, lifecycle, args, draining, .. } = self;
        let mut turns = Turns::new(cell);
        while !cx.is_stopping() {
            if *draining && turns.are_over() {
                return ControlFlow::Break(End::Drained);
            }
            match turns.next().await {
                // What waited a moment ago was taken back, and nothing comes any more.
                None if *draining => return ControlFlow::Break(End::Drained),
                None => return ControlFlow::Continue(()),
                Some(Next::Message) => {
                    if let Err(cause) = turns.handle::<A, D>(actor, cx).await {
                        return ControlFlow::Break(cause.into());
                    }
                }
                Some(Next::Ended(ended)) => {
                    // A watch that was taken back, or that an earlier incarnation set, is nobody's any more.
                    if cx.forget_watch(ended.watch)
                        && let Some(lifecycle) = lifecycle
                        && let Err(cause) = Box::pin(down(cell, lifecycle(), actor, cx, ended.down)).await
                    {
                        return ControlFlow::Break(cause.into());
                    }
                }
                Some(Next::Signal(signal)) => match *signal {
                    Signal::Drain => *draining = true,
                    signal => {
                        Box::pin(Self::signal(lifecycle.map(|of| of()), args, actor, cx, signal)).await?
                    }
                },
            }
        }
        ControlFlow::Break(End::Finished)
    }

    async fn signal(
        lifecycle: Option<&'static dyn Lifecycle<A>>,
        args: &mut Option<Box<Args>>,
        actor: &mut A,
        cx: &mut Context,
        signal: Signal,
    ) -> ControlFlow<End> {
        match signal {
            Signal::Stop | Signal::Drain => ControlFlow::Break(End::Stop),
            Signal::Finish => ControlFlow::Break(End::Finished),
            Signal::Halt => ControlFlow::Break(End::Halted),
            Signal::Failed(cause) | Signal::ChildGaveUp(cause) => ControlFlow::Break(cause.into()),
            // It has begun already.
            Signal::Begin => ControlFlow::Continue(()),
            Signal::Inspect(answer) => {
                let said = match lifecycle {
                    None => None,
                    Some(lifecycle) => match catch(|| lifecycle.inspect(actor)) {
                        Ok(said) => said,
                        Err(cause) => return ControlFlow::Break(cause.into()),
                    },
                };
                // Whoever no longer waits need not know.
                let _ = answer.send(said);
                ControlFlow::Continue(())
            }
            Signal::Reconfigure(new, answer) => {
                *args = Some(Box::new(new.clone()));
                let done = match lifecycle {
                    None => Ok(Reconfigured::MakeAnew),
                    Some(lifecycle) => match catch_async(lifecycle.reconfigure(actor, new, cx)).await {
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
                    Err(cause) => ControlFlow::Break(cause.into()),
                }
            }
        }
    }
}

async fn down<A>(
    cell: &Cell,
    lifecycle: &'static dyn Lifecycle<A>,
    actor: &mut A,
    cx: &mut Context,
    down: Down,
) -> Result<(), Cause> {
    catch_async(of(cell, Work::Step("down"), lifecycle.down(actor, down, cx))).await
}

/// Waits until the task is woken by whom it was shown to before, in the same poll.
async fn woken() {
    let mut waited = false;
    poll_fn(|_| if mem::replace(&mut waited, true) { Poll::Ready(()) } else { Poll::Pending }).await;
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

#[cfg(test)]
mod tests;
