//! What an actor may do besides answering: children, watches, timers, streams, blocking work, peers.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::future::poll_fn;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bailiwick_supervisor::control::Status;
use bailiwick_wire::FdKind;
use bailiwick_wire::control::may_be_kept_as;
use futures::{Stream, StreamExt};
use tokio::sync::oneshot;
use tokio::task::{AbortHandle, JoinSet};

use crate::address::{Address, Target, WatchId};
use crate::args::Args;
use crate::call::Call;
use crate::cell::Cell;
use crate::credential::Credential;
use crate::error::ActorError;
use crate::executor::{self, Role};
use crate::family::{Children, Family};
use crate::fd::{Descriptor, observe};
use crate::hosted::Hosted;
use crate::node::{PeerError, Shared, SpawnError, Stop};
use crate::outcome::{Cause, NotDelivered, TellError};
use crate::outlet::Outlet;
use crate::panics::catch_async;
use crate::progress::{Work, of};
use crate::protocol::Protocol;
use crate::served::{Dispatch, FactoryArgs, Served};
use crate::signal::{Down, Signal};
use crate::store::Whole;
use crate::supervision::Supervision;
use crate::supervisor::Supervisor;
use crate::untyped::Peers;
use crate::workload::Share;

/// The surroundings of one incarnation of an actor, or of a main function.
///
/// Children, watches, timers and streams belong to the incarnation: when it ends, so do they.
///
/// ```
/// use bailiwick::prelude::*;
/// use std::time::Duration;
///
/// #[protocol]
/// pub trait Job {
///     async fn run(&mut self, cx: &mut Context);
/// }
///
/// struct Once;
///
/// impl Job for Once {
///     async fn run(&mut self, cx: &mut Context) {
///         cx.run_blocking(|| println!("at work, on a thread that may block")).await;
///         cx.stop();
///     }
/// }
///
/// bailiwick::local(async |mut cx| {
///     let job = cx.spawn(JobRef::serve(|| Once).named("once")).unwrap();
///     cx.watch(&job);
///     cx.send_after(Duration::from_millis(5), job.run());
///     let down = cx.next_down().await;
///     assert_eq!(down.to_string(), "local/once#1 stopped");
/// });
/// ```
pub struct Context {
    cell: Arc<Cell>,
    stopping: bool,
    /// Made at the first use, because most actors need none of it.
    belongings: Option<Box<Belongings>>,
}

#[derive(Default)]
struct Belongings {
    tasks: JoinSet<()>,
    watches: BTreeSet<WatchId>,
    children: Option<Children>,
    pause: Option<Pause>,
}

/// A wish that nothing is sent to the worker, which ends when this is dropped.
struct Pause(Arc<Shared>);

impl Drop for Pause {
    fn drop(&mut self) {
        self.0.host.resume();
    }
}

/// One watch, to take it back. Dropping it changes nothing.
#[derive(Clone, Debug)]
pub struct Watch {
    id: WatchId,
    address: Address,
}

/// A timer that is running. Dropping it changes nothing; it ends with its incarnation.
///
/// ```
/// # use bailiwick::prelude::*;
/// # use std::time::Duration;
/// # #[protocol] pub trait Counter { async fn add(&mut self, amount: u64) -> u64; }
/// # #[derive(Default)] struct Total(u64);
/// # impl Counter for Total {
/// #     async fn add(&mut self, amount: u64) -> u64 { self.0 += amount; self.0 }
/// # }
/// # bailiwick::local(async |mut cx| -> Result<(), ActorError> {
/// let counter: CounterRef = cx.spawn(CounterRef::serve(Total::default))?;
/// let mine = counter.clone();
/// let ticks = cx.send_every(Duration::from_millis(1), move || mine.add(1));
/// while counter.add(0).ask(Duration::from_secs(1)).await? < 3 {}
/// ticks.cancel();
/// # Ok(())
/// # })
/// # .unwrap();
/// ```
#[derive(Clone, Debug)]
pub struct Timer(AbortHandle);

impl Timer {
    /// Stops the timer. A message that it has sent already stays sent.
    pub fn cancel(&self) {
        self.0.abort();
    }
}

impl Context {
    pub(crate) fn of(cell: Arc<Cell>) -> Self {
        Self { cell, stopping: false, belongings: None }
    }

    /// Makes a context without an actor, to call an actor's methods in a test.
    ///
    /// Messages to its address are not delivered, it has no peers, and children need a running
    /// [`local`](crate::local).
    ///
    /// ```
    /// let cx = bailiwick::Context::detached();
    /// assert_eq!(cx.address().to_string(), "detached/test");
    /// ```
    #[must_use]
    pub fn detached() -> Self {
        let cell = Cell::new(Shared::detached(), "test", "test", crate::Mailbox::default());
        drop(cell.queue.close(NotDelivered::NoSuchActor));
        Self::of(cell)
    }

    /// Returns the actor's own address.
    #[must_use]
    pub fn address(&self) -> Address {
        Address::local(Arc::clone(&self.cell))
    }

    /// Returns a reference to the actor itself, typed by a protocol that it serves.
    #[must_use]
    pub fn me<P: Protocol>(&self) -> P {
        P::from_address(self.address())
    }

    /// Returns a reference to an actor of another worker: `worker`, `worker.instance`, `worker/actor`.
    ///
    /// Without an actor's name it is the one actor of that worker that serves `P`. Of a worker with several
    /// instances it is a pool: each message goes to the instance with the fewest outstanding asks.
    ///
    /// ```
    /// # use bailiwick::prelude::*;
    /// # use std::time::Duration;
    /// # #[protocol] pub trait Counter { async fn add(&mut self, amount: u64) -> u64; }
    /// # #[derive(Default)] struct Total(u64);
    /// # impl Counter for Total {
    /// #     async fn add(&mut self, amount: u64) -> u64 { self.0 += amount; self.0 }
    /// # }
    /// Program::new()
    ///     .worker("counter", Sandbox::sealed(), CounterRef::serve(Total::default))
    ///     .main("front", Sandbox::sealed().grant("counter"), async |cx: Context| {
    ///         let counter: CounterRef = cx.peer("counter")?;
    ///         assert_eq!(counter.add(2).ask(Duration::from_secs(1)).await?, 2);
    ///         assert!(cx.peer::<CounterRef>("conter").is_err_and(|why| why.to_string().contains("did you mean")));
    ///         Ok(())
    ///     })
    ///     .run_local()
    ///     .unwrap();
    /// ```
    ///
    /// # Errors
    /// Where no grant stands, the worker or the actor does not exist, or it does not serve `P`.
    pub fn peer<P: Protocol>(&self, name: &str) -> Result<P, PeerError> {
        self.cell.node.host.peer(name, P::schema()).map(P::from_address)
    }

    /// Returns the actors of other workers for who serves people beside the actor.
    #[doc(hidden)]
    #[must_use]
    pub fn peers(&self) -> Peers {
        Peers::new(Arc::clone(&self.cell.node.host))
    }

    /// Starts a child. It stops with this actor; if the children fail more often than their budget allows, this actor
    /// fails with them: see [`Context::supervise`].
    ///
    /// # Errors
    /// When the name is taken or malformed, no executor runs here, a thread cannot be had, or the child is significant
    /// where that means nothing.
    pub fn spawn<P, A, D, T>(&mut self, served: Served<P, A, D, T>) -> Result<P, SpawnError>
    where
        P: Protocol,
        A: 'static,
        D: Dispatch<A>,
        T: FactoryArgs,
    {
        self.spawn_hosted(&Hosted::from(served), None).map(P::from_address)
    }

    /// Starts a child whose factory takes arguments: as [`Context::spawn`], for a declaration `.with_args::<T>()`.
    ///
    /// # Errors
    /// As [`Context::spawn`]. Arguments of the wrong form are a failure of the child.
    pub fn spawn_with<P, A, D, T>(&mut self, served: Served<P, A, D, T>, args: Args) -> Result<P, SpawnError>
    where
        P: Protocol,
        A: 'static,
        D: Dispatch<A>,
        T: FactoryArgs,
    {
        self.spawn_hosted(&Hosted::from(served), Some(args)).map(P::from_address)
    }

    fn spawn_hosted(&mut self, hosted: &Hosted, args: Option<Args>) -> Result<Address, SpawnError> {
        if executor::role() == Role::Outside {
            return Err(SpawnError::NoExecutor);
        }
        let node = Arc::clone(&self.cell.node);
        hosted.spawn_into(self.family(), &node, args)
    }

    /// Supervises the children in this way from now on, those that are there and those to come. Best called before the
    /// first is spawned. In a main function this concerns what it spawns.
    ///
    /// A new incarnation of this actor has no children, an untouched budget, and the default until it says otherwise.
    pub fn supervise(&mut self, supervision: Supervision) {
        self.family().supervise(supervision);
    }

    fn family(&mut self) -> &Arc<Family> {
        if self.cell.is_main() {
            // What a main function spawns outlives its context, so that it can be stopped in order.
            return &self.cell.node.spawned;
        }
        let parent = Arc::clone(&self.cell);
        let make = || {
            let family = Family::new(Some(Arc::clone(&parent)));
            parent.has_children(&family);
            Children(family)
        };
        &self.belongings().children.get_or_insert_with(make).0
    }

    /// Stops the actor after the message in hand. What waits in its mailbox is not delivered.
    pub fn stop(&mut self) {
        self.stopping = true;
    }

    /// Ends this incarnation by a failure after the message in hand, as a panic would without its noise: the actor is
    /// made anew within its budget, and who watches it is told the error.
    pub fn fail(&mut self, error: impl Into<ActorError>) {
        self.cell.signal(Signal::Failed(Cause::Failed { error: error.into().to_string() }));
    }

    /// Watches the present incarnation of another actor: [`Actor::down`](crate::Actor::down) is called exactly once,
    /// with the cause of its end, after its last message. Watch again to hear of the next incarnation.
    pub fn watch<P: Protocol>(&mut self, other: &P) -> Watch {
        self.watch_address(other.address())
    }

    /// Watches an actor by its address.
    pub fn watch_address(&mut self, address: &Address) -> Watch {
        let id = WatchId::next();
        self.belongings().watches.insert(id);
        let watcher = Arc::downgrade(&self.cell);
        let notify = Box::new(move |down: Down| {
            if let Some(cell) = watcher.upgrade() {
                cell.queue.ended(id, down);
            }
        });
        match &address.0 {
            Target::Local(cell) => cell.watch(id, notify),
            Target::Peer(peer) => peer.watch(id, notify),
            Target::Pool(pool) => pool.watch(id, notify),
        }
        Watch { id, address: address.clone() }
    }

    /// Takes a watch back: its `Down` will not come any more.
    pub fn unwatch(&mut self, watch: &Watch) {
        if self.forget_watch(watch.id) {
            match &watch.address.0 {
                Target::Local(cell) => cell.unwatch(watch.id),
                Target::Peer(peer) => peer.unwatch(watch.id),
                Target::Pool(pool) => pool.unwatch(watch.id),
            }
        }
    }

    /// Waits for the end of something that a main function watches.
    ///
    /// Only for the context of a main function: an actor is told by [`Actor::down`](crate::Actor::down).
    pub async fn next_down(&mut self) -> Down {
        loop {
            match poll_fn(|task| self.cell.queue.poll_one(task)).await {
                Ok(Whole::Ended(ended)) if self.forget_watch(ended.watch) => return ended.down,
                Ok(Whole::Ended(_)) | Err(_) => {}
                Ok(Whole::Message(envelope)) => self.cell.lose(envelope, NotDelivered::NoSuchActor),
            }
        }
    }

    /// Tells a message after `pause`.
    pub fn send_after<R: 'static>(&mut self, pause: Duration, call: Call<R>) -> Timer {
        Timer(self.run_beside(async move {
            tokio::time::sleep(pause).await;
            report(call.tell().await);
        }))
    }

    /// Tells a message every `period`, first after one period. A period is skipped while the mailbox has no room.
    pub fn send_every<R: 'static>(
        &mut self,
        period: Duration,
        mut call: impl FnMut() -> Call<R> + 'static,
    ) -> Timer {
        Timer(self.run_beside(async move {
            // A period of zero would never let anything else run.
            let period = period.max(Duration::from_millis(1));
            let mut ticks = tokio::time::interval_at(tokio::time::Instant::now() + period, period);
            ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
            loop {
                ticks.tick().await;
                report(call().tell().await);
            }
        }))
    }

    /// Tells a message for each item of a stream, as fast as the mailbox takes them. The stream need not be `Send`.
    ///
    /// ```
    /// # use bailiwick::prelude::*;
    /// # use std::time::Duration;
    /// # #[protocol] pub trait Counter { async fn add(&mut self, amount: u64) -> u64; }
    /// # #[derive(Default)] struct Total(u64);
    /// # impl Counter for Total {
    /// #     async fn add(&mut self, amount: u64) -> u64 { self.0 += amount; self.0 }
    /// # }
    /// # bailiwick::local(async |mut cx| -> Result<(), ActorError> {
    /// let counter: CounterRef = cx.spawn(CounterRef::serve(Total::default))?;
    /// let mine = counter.clone();
    /// cx.stream(futures::stream::iter([1, 2, 3]), move |amount| mine.add(amount));
    /// while counter.add(0).ask(Duration::from_secs(1)).await? < 6 {}
    /// # Ok(())
    /// # })
    /// # .unwrap();
    /// ```
    pub fn stream<S, R>(&mut self, stream: S, mut call: impl FnMut(S::Item) -> Call<R> + 'static) -> Timer
    where
        S: Stream + 'static,
        R: 'static,
    {
        Timer(self.run_beside(async move {
            let mut stream = std::pin::pin!(stream);
            while let Some(item) = stream.next().await {
                if let Err(reason) = call(item).tell().await {
                    report(Err(reason));
                    return;
                }
            }
        }))
    }

    /// Runs `work` on a thread that may block, while this executor goes on. A panic in it continues here.
    ///
    /// ```
    /// bailiwick::local(async |cx| {
    ///     let lines = cx.run_blocking(|| std::fs::read_to_string("/proc/self/status").unwrap().lines().count()).await;
    ///     assert!(lines > 10);
    /// });
    /// ```
    pub async fn run_blocking<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> T {
        match tokio::task::spawn_blocking(work).await {
            Ok(value) => value,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                // The runtime shuts down, and with it whoever awaits this.
                Err(_) => std::future::pending().await,
            },
        }
    }

    /// Gives the supervisor a descriptor to keep under `name`, for the next incarnation of this worker and for
    /// workers that the manifest hands it to.
    ///
    /// ```
    /// # use bailiwick::prelude::*;
    /// # use std::time::Duration;
    /// # #[protocol] pub trait Counter { async fn add(&mut self, amount: u64) -> u64; }
    /// # #[derive(Default)] struct Total(u64);
    /// # impl Counter for Total {
    /// #     async fn add(&mut self, amount: u64) -> u64 { self.0 += amount; self.0 }
    /// # }
    /// Program::new()
    ///     .main("front", Sandbox::sealed(), async |cx: Context| {
    ///         cx.keep("http", std::net::TcpListener::bind("127.0.0.1:0")?)?;
    ///         // In the next life of this worker, or in one whose manifest says `kept = ["http"]`:
    ///         let listener: std::net::TcpListener = cx.kept("http")?;
    ///         println!("serving at {}", listener.local_addr()?);
    ///         Ok(())
    ///     })
    ///     .run_local()
    ///     .unwrap();
    /// ```
    ///
    /// # Errors
    /// `InvalidInput` if the name is not 1 to 32 letters, digits and `. _ -`, or is `.handoff`, under which a worker keeps what
    /// it leaves unread; otherwise the supervisor cannot be reached.
    pub fn keep(&self, name: &str, fd: impl Into<OwnedFd>) -> io::Result<()> {
        if !may_be_kept_as(name) {
            let text = format!("`{name}` is no name for a kept descriptor");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        self.cell.node.host.keep(name, fd.into())
    }

    /// Returns a secret that the manifest's `load_credential` gives to this worker.
    ///
    /// It is what the file held when the supervisor last opened it: at its start, or when an operator had this worker
    /// restarted. In one process without a supervisor there is none.
    ///
    /// # Errors
    /// `NotFound` if it is given none of this name.
    pub fn credential(&self, name: &str) -> io::Result<Credential> {
        let found = self.cell.node.host.credential(name);
        let text = || format!("this worker is given no credential `{name}`: see `load_credential`");
        found.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, text()))
    }

    /// Returns the descriptor that is kept for this worker under `name`. Each call returns a duplicate.
    ///
    /// # Errors
    /// `NotFound` if none is kept for it; `InvalidData` if what is kept is not what `T` stands for: the worker that
    /// kept it may be another one than expected, or an older build.
    pub fn kept<T: Descriptor>(&self, name: &str) -> io::Result<T> {
        let fd = self.cell.node.host.kept(name)?;
        let (found, expected) = (observe(fd.as_fd()), T::KIND);
        if found.keeps(expected) {
            return Ok(T::from(fd));
        }
        let found = if found == FdKind::Any { "no known kind".to_owned() } else { format!("kind {found}") };
        let text = format!(
            "what is kept under `{name}` is of {found}, expected {expected}; look at the worker that keeps it"
        );
        Err(io::Error::new(io::ErrorKind::InvalidData, text))
    }

    /// Says, in [`Actor::started`](crate::Actor::started), that there is nothing for this worker to do. As soon as its
    /// actors have started it ends in order. That is no failure: the worker is done, whatever its `restart` says, and
    /// those who need it start.
    ///
    /// Once the worker was ready this changes nothing. Without a supervisor it does nothing.
    ///
    /// ```
    /// # use bailiwick::prelude::*;
    /// struct Migration;
    /// impl Actor for Migration {
    ///     async fn started(&mut self, cx: &mut Context) -> Result<(), ActorError> {
    ///         if std::path::Path::new("/srv/shop/version-2").exists() {
    ///             cx.skip();
    ///         }
    ///         Ok(())
    ///     }
    /// }
    /// ```
    pub fn skip(&self) {
        self.cell.node.host.skip();
    }

    /// Says that this worker runs well, so that its earlier failures no longer lengthen the pause before a restart: as
    /// if it had been ready for `stable_after`. The group's budget stays as it is. Without a supervisor it does nothing.
    pub fn settled(&self) {
        self.cell.node.host.settled();
    }

    /// Asks that nothing is sent to this worker at present: to no actor of it, until each that asked for that has called
    /// [`Context::ready`] or ended. Asking again changes nothing.
    ///
    /// Peers send to other instances of the worker, or keep what they send as if it were down (`while_down`). What they
    /// sent before they heard of it arrives as ever, and what this worker sends itself leaves as ever. The worker is not
    /// restarted for it, and hangs are noticed as ever. Said in [`Actor::started`](crate::Actor::started) it holds back
    /// the worker's readiness: those who need it wait, and `start_timeout` runs.
    ///
    /// Without a supervisor it does nothing.
    ///
    /// ```
    /// # use bailiwick::prelude::*;
    /// # use std::time::Duration;
    /// #[protocol]
    /// pub trait Upstream {
    ///     async fn lost(&mut self, cx: &mut Context);
    ///     async fn found(&mut self, cx: &mut Context);
    /// }
    ///
    /// struct Pooled;
    ///
    /// impl Upstream for Pooled {
    ///     async fn lost(&mut self, cx: &mut Context) {
    ///         cx.unready();
    ///     }
    ///     async fn found(&mut self, cx: &mut Context) {
    ///         cx.ready();
    ///     }
    /// }
    ///
    /// bailiwick::local(async |mut cx| {
    ///     let upstream = cx.spawn(UpstreamRef::serve(|| Pooled)).unwrap();
    ///     upstream.lost().ask(Duration::from_secs(1)).await.unwrap();
    ///     upstream.found().ask(Duration::from_secs(1)).await.unwrap();
    /// });
    /// ```
    pub fn unready(&mut self) {
        let node = Arc::clone(&self.cell.node);
        self.belongings().pause.get_or_insert_with(|| {
            node.host.pause();
            Pause(node)
        });
    }

    /// Takes back what this actor asked for by [`Context::unready`]; it does nothing if that was not called. The end of
    /// the incarnation does the same.
    pub fn ready(&mut self) {
        if let Some(belongings) = &mut self.belongings {
            belongings.pause = None;
        }
    }

    /// Returns the supervisor, to be asked what the manifest lets this worker ask.
    pub fn supervisor(&self) -> Supervisor {
        Supervisor::new(Arc::clone(&self.cell.node.host))
    }

    /// Returns the supervisor and every worker with its process, user, capabilities and state, as they are now.
    ///
    /// # Errors
    /// `PermissionDenied` unless the sandbox says so by [`may`](crate::Sandbox::may); `Unsupported` without a
    /// supervisor.
    pub async fn processes(&self) -> io::Result<Status> {
        self.supervisor().status().await
    }

    /// Returns a directory that the sandbox grants to this worker, opened before the switch of the user.
    ///
    /// # Errors
    /// `NotFound` if the sandbox grants no such path.
    pub fn granted_dir(&self, path: impl AsRef<Path>) -> io::Result<OwnedFd> {
        self.cell.node.host.granted_dir(path.as_ref())
    }

    /// Gives an actor of this worker new arguments: it takes them over in
    /// [`Actor::reconfigure`](crate::Actor::reconfigure), or is made anew with them, its mailbox kept.
    ///
    /// # Errors
    /// `NotGranted` for an actor of another worker: arguments are its own worker's business.
    pub fn reconfigure<P: Protocol>(&self, actor: &P, args: Args) -> Result<(), NotDelivered> {
        match &actor.address().0 {
            Target::Local(cell) => {
                cell.signal(Signal::Reconfigure(args, None));
                Ok(())
            }
            Target::Peer(_) | Target::Pool(_) => Err(NotDelivered::NotGranted),
        }
    }

    /// Returns how many messages of this worker reached no handler, by reason. The count `unknown` is of messages
    /// without an answer of which nobody knows, and never too low: see `docs/delivery.md`.
    #[must_use]
    pub fn dead_letter_counts(&self) -> BTreeMap<&'static str, u64> {
        self.cell.node.dead_letters.counts()
    }

    /// Returns the latest messages of this worker that reached no handler, the oldest first.
    #[must_use]
    pub fn dead_letters(&self) -> Vec<crate::DeadLetter> {
        self.cell.node.dead_letters.latest()
    }

    /// Returns what surrounds the actors of this worker.
    pub(crate) fn node(&self) -> &Arc<Shared> {
        &self.cell.node
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping
    }

    /// Forgets a watch. Returns `false` if there was none.
    pub(crate) fn forget_watch(&mut self, id: WatchId) -> bool {
        self.belongings.as_mut().is_some_and(|belongings| belongings.watches.remove(&id))
    }

    /// Says that something is under way for another worker, until what is returned is dropped; what looks at others is not counted.
    pub(crate) fn share_of_work(&self) -> Option<Share> {
        (!self.cell.is_observer()).then(|| self.node().workload.share())
    }

    /// Runs a task that ends with the incarnation; a panic in it is a failure of the incarnation.
    pub(crate) fn run_beside(&mut self, task: impl Future<Output = ()> + 'static) -> AbortHandle {
        let cell = Arc::clone(&self.cell);
        let tasks = &mut self.belongings().tasks;
        while tasks.try_join_next().is_some() {}
        tasks.spawn_local(async move {
            if let Err(cause) = catch_async(of(&cell, Work::Step("a task of its own"), task)).await {
                cell.signal(Signal::Failed(cause));
            }
        })
    }

    /// Returns whether anything may belong to the incarnation, such as children.
    pub(crate) fn has_belongings(&self) -> bool {
        self.belongings.is_some()
    }

    /// Stops all children, the youngest first, and waits for their end.
    pub(crate) async fn stop_children(&mut self, how: Stop) {
        let Some(belongings) = &mut self.belongings else { return };
        belongings.tasks.abort_all();
        let Some(children) = &belongings.children else { return };
        for child in children.0.close() {
            stop(&child, how).await;
        }
    }

    fn belongings(&mut self) -> &mut Belongings {
        self.belongings.get_or_insert_default()
    }
}

/// Orders an actor to stop and waits for its end.
pub(crate) async fn stop(cell: &Arc<Cell>, how: Stop) {
    let (ended, end) = oneshot::channel();
    cell.at_end(Box::new(move || {
        // Whoever waited may have given up.
        let _ = ended.send(());
    }));
    cell.signal(match how {
        Stop::Now => Signal::Stop,
        Stop::Drained => Signal::Drain,
    });
    // The other half is dropped unsent only together with the cell, which is an end as well.
    let _ = end.await;
}

/// A timer's or stream's message that does not arrive has no sender to tell.
fn report(sent: Result<(), TellError>) {
    if let Err(reason) = sent {
        tracing::debug!(target: "bailiwick::actor", %reason, "of a timer's message");
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context").field("actor", &self.cell.name()).finish_non_exhaustive()
    }
}
