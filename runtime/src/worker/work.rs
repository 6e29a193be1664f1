//! The life of a worker between `Go` and its exit code.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bailiwick_supervisor::check::nearest;
use bailiwick_supervisor::spec;
use bailiwick_sys::events::Signals;
use bailiwick_wire::bootstrap::{Actor, Bootstrap, Work};
use bailiwick_wire::control::ToSupervisor;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

use super::host::{Over, WorkerHost};
use super::line::{Line, Order};
use super::obey::{Course, heed, obey};
use super::unread;
use super::{ESCALATED, Given, ORPHAN_GRACE, StartError};
use crate::address::Target;
use crate::args::Args;
use crate::executors::Executors;
use crate::introspect;
use crate::link::peer::Report;
use crate::link::peers::{Local, Peers};
use crate::mailbox::{Mailbox, OnFull};
use crate::node::{Host, Node, Stop, Told};
use crate::registry::{Main, Registry};
use crate::supervision::{self, Supervision};

/// How a worker ends.
pub(super) enum Ended {
    /// With this exit code.
    WithCode(u8),
    /// By the signal that it was sent.
    BySignal,
}

/// What the supervisor gave before the actors run.
pub(super) struct Start {
    pub(super) bootstrap: Bootstrap,
    pub(super) given: Given,
    pub(super) early: Vec<Order>,
}

/// The worker as it works.
struct Worker {
    line: Arc<Line>,
    node: Node,
    host: Arc<WorkerHost>,
    course: watch::Receiver<Course>,
    /// How long it stays without anything to do; `None` is for ever.
    idle_stop: Option<Duration>,
    /// Leaves to its next life what is unread.
    hands_off: bool,
}

/// Hosts the actors, says when they are ready, and stops them when it is time.
pub(super) async fn run(
    line: Arc<Line>,
    signals: Signals,
    start: Start,
    mut registry: Registry,
) -> Result<Ended, StartError> {
    let Start { bootstrap, given, mut early } = start;
    // A single instance has no number in its name.
    let instance = (bootstrap.instances > 1).then_some(bootstrap.instance);
    let peers = peers(&bootstrap, &registry, &line)?;
    let executors = Executors::start(bootstrap.threads, given.slate).await?;
    let host = Arc::new(WorkerHost::new(peers, given, Arc::clone(&line)));
    let surroundings: Arc<dyn Host> = host.clone();
    let mut node = Node::new(&bootstrap.worker, instance, surroundings);
    node.run_on(executors);
    host.peers().belong_to(&node.shared);
    node.shared.hosted.supervise(Supervision::from(&bootstrap.supervision));
    node.shared.workload.limit(bootstrap.max_messages);
    let hands_off = unread::hands_off(&bootstrap, &registry);
    let left = unread::left_before(&mut early);
    // Also what could not be given to this life: in the next it would be behind what is newer.
    let is_to_be_discarded = hands_off || left.is_some();
    if let Some(left) = left {
        unread::inherit(left, &bootstrap, &registry, &node.shared);
    }
    if is_to_be_discarded {
        host.has_inherited();
    }
    let (sender, course) = watch::channel(Course::Run);
    tokio::task::spawn_local(heed(signals, sender.clone()));
    tokio::task::spawn_local(obey(Arc::clone(&line), early, Arc::clone(&host), sender));
    let idle_stop = Some(Duration::from_millis(bootstrap.idle_stop_ms)).filter(|idle| !idle.is_zero());
    let worker = Worker { line, node, host, course, idle_stop, hands_off };
    let ended = worker.work(&bootstrap, &mut registry).await;
    let Worker { node, host, .. } = worker;
    let shared = Arc::clone(&node.shared);
    // Whoever hangs there is not waited for: the process takes it along.
    let _ = timeout(LEAVING, node.leave_threads()).await;
    unread::hand_off(&host, &shared);
    let letters = &shared.dead_letters;
    let before = letters.total();
    host.peers().finish().await;
    // Whoever could look at the dead letters ends with this process.
    let lost = letters.total() - before;
    if lost > 0 {
        eprintln!("{lost} messages that were sent did not leave this worker before its end");
    }
    ended
}

/// Makes the peers that the supervisor names, for the actors that this worker will have.
fn peers(bootstrap: &Bootstrap, registry: &Registry, line: &Arc<Line>) -> Result<Peers, StartError> {
    let mut local = Vec::new();
    for actor in &bootstrap.actors {
        let hosted = registry.find(&actor.type_name);
        let hosted = hosted.ok_or_else(|| unknown_type(&actor.type_name, registry))?;
        local.push(Local {
            name: actor.name.clone(),
            protocols: hosted.protocols.clone(),
            mailbox: shortened(mailbox(actor).or(hosted.mailbox).unwrap_or_default(), bootstrap.max_messages),
        });
    }
    if is_observed(bootstrap) {
        let (name, mailbox) = (introspect::ACTOR.to_owned(), Mailbox::default());
        local.push(Local { name, protocols: introspect::protocols(), mailbox });
    }
    let line = Arc::clone(line);
    let report: Report = Arc::new(move |report| {
        // A supervisor that cannot be told is gone, and everything ends with it.
        let _ = line.report(report, None);
    });
    Ok(Peers::new(&bootstrap.worker, &bootstrap.peers, local, &report))
}

/// Tells whether a life lasts long enough to be looked at.
fn is_observed(bootstrap: &Bootstrap) -> bool {
    bootstrap.work == Work::Resident
}

impl Worker {
    async fn work(&self, bootstrap: &Bootstrap, registry: &mut Registry) -> Result<Ended, StartError> {
        tokio::select! {
            biased;
            ended = self.until_over() => return Ok(ended),
            started = self.start(bootstrap, registry) => {
                if started.is_err() && self.hands_off {
                    // What the others have not begun with is the next life's as well.
                    let _ = timeout(ORPHAN_GRACE, self.node.stop(Stop::Now)).await;
                }
                started?;
            }
        }
        unread::leave_nothing(&self.node.shared);
        match bootstrap.work {
            _ if self.host.is_skipped() => {
                self.node.stop(Stop::Drained).await;
                Ok(Ended::WithCode(0))
            }
            Work::Resident => {
                self.host.started();
                Ok(self.until_stopped().await)
            }
            Work::Oneshot => {
                self.node.stop(Stop::Drained).await;
                Ok(Ended::WithCode(0))
            }
            Work::Main => {
                let main = registry.take_main().ok_or(StartError::NoMain)?;
                self.host.started();
                Ok(self.run_main(main).await)
            }
        }
    }

    /// Starts the actors in their order.
    async fn start(&self, bootstrap: &Bootstrap, registry: &Registry) -> Result<(), StartError> {
        if self.hands_off {
            self.node.shared.handoff.open();
        }
        for actor in &bootstrap.actors {
            let hosted = registry.find(&actor.type_name);
            let hosted = hosted.ok_or_else(|| unknown_type(&actor.type_name, registry))?;
            let told = Told {
                args: actor.args.as_ref().map(|(text, line)| Args::new(text.as_str(), *line)),
                mailbox: mailbox(actor),
                restart: actor.restart.map(supervision::restart),
                significant: actor.significant,
                handoff: actor.handoff,
            };
            let args = told.args.clone();
            let address = self.node.host(hosted, Some(&actor.name), told).await?;
            if let Target::Local(cell) = &address.0 {
                self.host.peers().actor_runs(cell);
                self.host.changes().add(Arc::clone(cell), hosted.clone(), args);
            }
        }
        if is_observed(bootstrap) {
            self.host.peers().actor_runs(&self.node.observe()?);
        }
        Ok(())
    }

    async fn until_stopped(&self) -> Ended {
        tokio::select! {
            biased;
            ended = self.until_over() => ended,
            never = self.drain_if_told() => match never {},
            never = self.tell_when_idle() => match never {},
        }
    }

    /// Runs the main function. It has nothing to drain itself, but the actors that it started have.
    async fn run_main(&self, main: Main) -> Ended {
        let returned = tokio::select! {
            biased;
            ended = self.until_over() => return ended,
            returned = self.node.run_main(async |cx| main(cx).await) => returned,
            never = self.drain_if_told() => match never {},
        };
        match returned {
            Ok(()) => Ended::WithCode(0),
            Err(error) => {
                eprintln!("error: {error}");
                Ended::WithCode(1)
            }
        }
    }

    /// Waits until the worker must end, and ends the actors.
    async fn until_over(&self) -> Ended {
        let mut course = self.course.clone();
        let hardest = tokio::select! {
            over = self.host.until_over() => {
                self.host.ending();
                // Who gives up while it starts would do so again over the same messages.
                unread::leave_nothing(&self.node.shared);
                // Other actors may hang for the same reason.
                let _ = timeout(ORPHAN_GRACE, self.node.stop(Stop::Now)).await;
                return Ended::WithCode(if over == Over::GaveUp { ESCALATED } else { 0 });
            }
            // Whoever could say that is gone together with the worker's end only.
            hardest = course.wait_for(|course| *course >= Course::Stop) => {
                hardest.map_or(Course::Orphaned, |course| *course)
            }
        };
        self.host.ending();
        if hardest == Course::Orphaned {
            let _ = timeout(ORPHAN_GRACE, self.node.stop(Stop::Drained)).await;
        } else {
            self.stop_now().await;
        }
        if hardest == Course::Signalled { Ended::BySignal } else { Ended::WithCode(0) }
    }

    /// Stops the actors, and says how many messages that leaves unread: nobody can look at them any more.
    async fn stop_now(&self) {
        let leaves = self.hands_off && self.host.has_next().await;
        if leaves {
            // What is on its way is here before the actors are gone, if nobody has waited for it yet.
            self.host.peers().drain_once().await;
            self.node.shared.handoff.open();
        } else {
            unread::leave_nothing(&self.node.shared);
        }
        let letters = &self.node.shared.dead_letters;
        let before = letters.total();
        self.node.stop(Stop::Now).await;
        let unread = letters.total() - before;
        if unread > 0 {
            eprintln!("{unread} messages were unread when this worker was stopped; those who asked are told");
        }
    }

    /// Drains when told to, says so, and then waits to be stopped.
    async fn drain_if_told(&self) -> Infallible {
        let mut course = self.course.clone();
        tokio::select! {
            _ = course.wait_for(|course| *course >= Course::Drain) => {}
            // If nobody hears it, the supervisor is gone, and that ends the worker.
            () = self.host.until_spent() => {
                let taken = u32::try_from(self.node.shared.workload.taken()).unwrap_or(u32::MAX);
                drop(self.line.report(&ToSupervisor::Spent { taken }, None));
            }
        }
        // Peers hold back what is new for the next incarnation.
        self.host.peers().drain().await;
        if self.host.is_spent() {
            // No ask of a life that ends as planned is lost, nor is half of what one is answered with.
            self.node.shared.workload.until_at_rest().await;
        }
        self.node.stop(Stop::Drained).await;
        let _ = self.line.report(&ToSupervisor::Drained, None);
        std::future::pending().await
    }
}

impl Worker {
    /// Says each time that it has had nothing to do for others for as long as it is to stay for that.
    async fn tell_when_idle(&self) -> Infallible {
        let Some(idle_stop) = self.idle_stop else { return std::future::pending().await };
        let load = &self.node.shared.workload;
        let (mut taken, mut idle_since) = (load.taken(), Instant::now());
        loop {
            sleep((idle_stop / LOOKS_PER_IDLE_STOP).max(Duration::from_millis(1))).await;
            let is_busy = load.is_under_way() || self.host.peers().are_busy();
            if is_busy || load.taken() != taken {
                (taken, idle_since) = (load.taken(), Instant::now());
            } else if idle_since.elapsed() >= idle_stop {
                // Whether it is to stop for that, the supervisor says.
                let _ = self.line.report(&ToSupervisor::Idle, None);
                idle_since = Instant::now();
            }
        }
    }
}

/// How long what users spawned on further threads may take to be dropped: its actors have ended, or were waited for.
const LEAVING: Duration = Duration::from_millis(200);

/// How often it is looked whether there is something to do, in the time for which there is to be nothing.
const LOOKS_PER_IDLE_STOP: u32 = 8;

fn unknown_type(type_name: &str, registry: &Registry) -> StartError {
    let known: Vec<_> = registry.types().map(|(name, _)| name).collect();
    let hint = nearest(type_name, known.iter().copied());
    StartError::UnknownType {
        type_name: type_name.to_owned(),
        hint: hint.map(|name| format!(", did you mean `{name}`?")).unwrap_or_default(),
        known: known.join(", "),
    }
}

/// Returns a mailbox to whose senders no more is lent at first than a life takes: what is sent beyond that comes back.
fn shortened(mailbox: Mailbox, max_messages: u32) -> Mailbox {
    match mailbox.policy() {
        OnFull::Wait if max_messages > 0 => {
            Mailbox::bounded(mailbox.capacity().min(max_messages)).capacity_bytes(mailbox.bytes())
        }
        _ => mailbox,
    }
}

/// Returns the mailbox of the manifest, if it says more than nothing: otherwise the declaration's holds.
fn mailbox(actor: &Actor) -> Option<Mailbox> {
    let stated = spec::Mailbox {
        capacity: actor.mailbox_messages,
        capacity_bytes: actor.mailbox_bytes,
        on_full: actor.on_full,
    };
    (stated != spec::Mailbox::default()).then(|| stated.into())
}
