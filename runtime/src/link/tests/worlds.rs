//! Two workers: `left`, where the test runs, and `right`, which hosts a desk and a bell.

use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use bailiwick_core::ring::LINK_BYTES;
use bailiwick_supervisor::control::Request;
use bailiwick_supervisor::spec::Grant;
use bailiwick_sys::link_pair;
use bailiwick_wire::Limits;
use bailiwick_wire::bootstrap;
use bailiwick_wire::control::ToSupervisor;
use bailiwick_wire::reason::DownCause;
use bailiwick_wire::schema::ProtocolSchema;
use futures::future::BoxFuture;

use super::desk::{BellRef, Clerk, DeskRef, Ringer};
use crate::address::Address;
use crate::executor::{Executor, Role};
use crate::hosted::Hosted;
use crate::link::peer::Report;
use crate::link::peers::{Local, Peers};
use crate::mailbox::Mailbox;
use crate::name::ActorName;
use crate::neighbourhood::Neighbourhood;
use crate::node::{Host, Node, PeerError, Stop, Told};
use crate::outcome::Cause;
use crate::supervisor::Answered;
use crate::{Context, Protocol};

/// What the right worker grants to the left one of its desk; the bell is granted as a whole.
pub(super) type Granted = Option<&'static [&'static str]>;

/// A kind of link: how two workers come to know each other.
pub(super) trait Kind {
    /// Runs a test in the left worker.
    fn run(granted: Granted, test: impl AsyncFnOnce(Context));
}

/// The desk has room for four messages.
pub(super) fn desk() -> Hosted {
    desk_with(MAILBOX)
}

fn desk_with(mailbox: Mailbox) -> Hosted {
    DeskRef::serve(Clerk::default).named("desk").mailbox(mailbox).into()
}

/// A desk with a mailbox that holds nothing.
fn booth() -> Hosted {
    DeskRef::serve(Clerk::default).named("booth").mailbox(Mailbox::rendezvous()).into()
}

fn bell() -> Hosted {
    BellRef::serve(Ringer::default).named("bell").into()
}

const MAILBOX: Mailbox = Mailbox::bounded(4);

pub(super) fn block_on<T>(test: impl Future<Output = T>) -> T {
    Executor::new(Role::Shared).expect("an executor can be made").block_on(test)
}

/// Both workers in one process, values moved.
pub(super) struct Memory;

impl Kind for Memory {
    fn run(granted: Granted, test: impl AsyncFnOnce(Context)) {
        let grant = |from: &str, to: &str, actor: &str, methods: Granted| Grant {
            to_actor: Some(actor.to_owned()),
            methods: methods.map(|names| names.iter().map(|name| (*name).to_owned()).collect()),
            max_inflight: 64,
            ..Grant::new(from, to, None)
        };
        let grants = vec![
            grant("left", "right", "desk", granted),
            grant("left", "right", "booth", None),
            grant("left", "right", "bell", None),
            grant("right", "left", "desk", None),
        ];
        block_on(async {
            let (gave_up, _nobody) = tokio::sync::mpsc::unbounded_channel();
            let hood = Neighbourhood::new(grants, gave_up);
            let right = Node::new("right", None, hood.host_of("right"));
            right.host(&desk(), None, Told::default()).await.expect("the desk starts");
            right.host(&booth(), None, Told::default()).await.expect("the booth starts");
            right.host(&bell(), None, Told::default()).await.expect("the bell starts");
            hood.add(&right.shared);
            let left = Node::new("left", None, hood.host_of("left"));
            left.host(&desk(), None, Told::default()).await.expect("the desk starts");
            hood.add(&left.shared);
            left.run_main(test).await;
        });
    }
}

/// Both workers joined by a socket.
pub(super) struct Socket;

impl Kind for Socket {
    fn run(granted: Granted, test: impl AsyncFnOnce(Context)) {
        run_with(Both::new(granted, Carried::Socket), async |_, cx| test(cx).await);
    }
}

/// Both workers joined by a ring.
pub(super) struct Ring;

impl Kind for Ring {
    fn run(granted: Granted, test: impl AsyncFnOnce(Context)) {
        run_with(Both::new(granted, Carried::Ring(Duration::ZERO)), async |_, cx| test(cx).await);
    }
}

/// Both workers joined by a ring, which look before they sleep.
pub(super) struct BusyRing;

impl Kind for BusyRing {
    fn run(granted: Granted, test: impl AsyncFnOnce(Context)) {
        run_with(Both::new(granted, Carried::Ring(BUSY_POLL)), async |_, cx| test(cx).await);
    }
}

const BUSY_POLL: Duration = Duration::from_micros(50);

/// What carries the packets of a link.
#[derive(Clone, Copy, Debug)]
pub(super) enum Carried {
    Socket,
    /// Memory that both look into for so long before they sleep.
    Ring(Duration),
}

impl Carried {
    pub(super) const ALL: [Self; 3] = [Self::Socket, Self::Ring(Duration::ZERO), Self::Ring(BUSY_POLL)];

    /// Makes both ends of a link.
    pub(super) fn ends(self) -> (OwnedFd, OwnedFd) {
        let ring_bytes = if matches!(self, Self::Ring(_)) { LINK_BYTES } else { 0 };
        link_pair::link(ring_bytes).expect("sockets and memory can be made")
    }

    /// Gives a worker its end.
    pub(super) fn hand_over(self, end: OwnedFd, to: &Worker, life: (u32, bool)) {
        let linked = match self {
            Self::Socket => to.peers.linked(NUMBER, life, end, None),
            Self::Ring(_) => to.peers.linked_by_ring(NUMBER, life, end),
        };
        linked.expect("the executor watches sockets");
    }

    fn busy_poll_us(self) -> u32 {
        let Self::Ring(busy_poll) = self else { return 0 };
        u32::try_from(busy_poll.as_micros()).expect("a short time")
    }
}

/// Runs a test in the left worker with both at hand, over each kind of link between processes.
pub(super) fn run(granted: Granted, test: impl AsyncFn(&mut Both, Context)) {
    for carried in Carried::ALL {
        eprintln!("over {carried:?}");
        run_with(Both::new(granted, carried), &test);
    }
}

/// Runs a test in the left worker of the two that are made.
pub(super) fn run_with(both: impl Future<Output = Both>, test: impl AsyncFnOnce(&mut Both, Context)) {
    block_on(async {
        let mut both = both.await;
        both.link();
        let left = Arc::clone(&both.left);
        left.node.run_main(async |cx| test(&mut both, cx).await).await;
    });
}

/// Two workers that a test links and kills.
pub(super) struct Both {
    pub(super) left: Arc<Worker>,
    pub(super) right: Arc<Worker>,
    granted: Granted,
    pub(super) carried: Carried,
    /// The generation of the right worker, and the highest that there was.
    generation: u32,
    risen: u32,
}

/// One worker.
pub(super) struct Worker {
    pub(super) node: Node,
    pub(super) peers: Arc<Peers>,
    /// What it told the supervisor.
    pub(super) reports: Arc<Mutex<Vec<ToSupervisor>>>,
}

impl Both {
    pub(super) async fn new(granted: Granted, carried: Carried) -> Self {
        let imports = vec![slot("desk", None), slot("bell", None), slot("booth", None)];
        let left = Worker::new("left", vec![slot("desk", None)], imports, vec![desk()], carried).await;
        let right = Self::right(granted, carried).await;
        Self::of(left, right, granted, carried)
    }

    fn of(left: Worker, right: Worker, granted: Granted, carried: Carried) -> Self {
        Self { left: Arc::new(left), right: Arc::new(right), granted, carried, generation: 1, risen: 1 }
    }

    /// As the left worker's bootstrap has the desk of the right one, and as the right worker's has it.
    pub(super) async fn with_desk(imported: bootstrap::Slot, exported: bootstrap::Slot) -> Self {
        let carried = Carried::Socket;
        let left = Worker::new("left", Vec::new(), vec![imported], Vec::new(), carried).await;
        let right = Worker::new("right", vec![exported], Vec::new(), vec![desk()], carried).await;
        Self::of(left, right, None, carried)
    }

    /// As either worker's bootstrap has the limits on their messages.
    pub(super) async fn with_limits(left: Limits, right: Limits) -> Self {
        let (desks, none) = (|| vec![slot("desk", None)], Vec::new);
        let told = bootstrap::Peer { limits: left, imports: desks(), ..peer(NUMBER, "right", 1, 1) };
        let left = Worker::with_peers("left", &[told], none()).await;
        let told = bootstrap::Peer { limits: right, exports: desks(), ..peer(NUMBER, "left", 1, 1) };
        let right = Worker::with_peers("right", &[told], vec![desk()]).await;
        Self::of(left, right, None, Carried::Socket)
    }

    /// With this mailbox of the right worker's desk.
    pub(super) async fn with_mailbox(mailbox: Mailbox, carried: Carried) -> Self {
        let desks = || vec![slot("desk", None)];
        let left = Worker::new("left", Vec::new(), desks(), Vec::new(), carried).await;
        let right = Worker::new("right", desks(), Vec::new(), vec![desk_with(mailbox)], carried).await;
        Self::of(left, right, None, carried)
    }

    async fn right(granted: Granted, carried: Carried) -> Worker {
        let exports = vec![slot("desk", granted), slot("bell", None), slot("booth", None)];
        let hosted = vec![desk(), bell(), booth()];
        Worker::new("right", exports, vec![slot("desk", None)], hosted, carried).await
    }

    /// Hands a fresh link to both.
    pub(super) fn link(&self) {
        let (left, right) = self.carried.ends();
        self.carried.hand_over(left, &self.left, (self.generation, false));
        self.carried.hand_over(right, &self.right, (1, false));
    }

    /// Starts a second life of the right worker beside the first; it has its link, and nothing is sent to it.
    pub(super) async fn rise(&mut self) -> Arc<Worker> {
        let next = Arc::new(Self::right(self.granted, self.carried).await);
        let (left, right) = self.carried.ends();
        self.risen += 1;
        self.carried.hand_over(left, &self.left, (self.risen, true));
        self.carried.hand_over(right, &next, (1, false));
        next
    }

    /// Has the second life take the place of the first. Returns the first, with its generation.
    pub(super) fn succeed(&mut self, next: &Arc<Worker>) -> (Arc<Worker>, u32) {
        let before = (std::mem::replace(&mut self.right, Arc::clone(next)), self.generation);
        self.generation = self.risen;
        self.left.peers.succeed(NUMBER, self.generation);
        before
    }

    /// Kills the right worker and starts its next incarnation, which is not linked yet. Returns the dead one.
    pub(super) async fn kill_right(&mut self) -> Arc<Worker> {
        let dead =
            std::mem::replace(&mut self.right, Arc::new(Self::right(self.granted, self.carried).await));
        // Its actors stay as they are until the test ends; nothing of theirs gets out any more.
        dead.peers.vanish();
        self.left.peers.died(NUMBER, self.generation, DownCause::Signalled(9));
        self.risen += 1;
        self.generation = self.risen;
        dead
    }
}

impl Worker {
    async fn new(
        name: &str,
        exports: Vec<bootstrap::Slot>,
        imports: Vec<bootstrap::Slot>,
        hosted: Vec<Hosted>,
        carried: Carried,
    ) -> Self {
        let other = if name == "left" { "right" } else { "left" };
        let busy_poll_us = carried.busy_poll_us();
        let peer = bootstrap::Peer { exports, imports, busy_poll_us, ..peer(NUMBER, other, 1, 1) };
        Self::with_peers(name, &[peer], hosted).await
    }

    /// Returns its desk, as only a test can reach it that looks into another worker.
    pub(super) fn desk(&self) -> DeskRef {
        let desk = self.node.shared.declared().into_iter().find(|actor| actor.cell.path() == "desk");
        DeskRef::from_address(Address::local(desk.expect("it has a desk").cell))
    }

    /// Ends as a worker does that is to make place: it finishes what it has, and closes its links. Returns the list
    /// of its desk.
    pub(super) async fn drain(&self) -> Vec<u32> {
        self.peers.drain().await;
        let list = self.desk().list().ask(Duration::from_secs(30)).await.expect("it is the last to ask");
        self.node.stop(Stop::Drained).await;
        self.peers.finish().await;
        list
    }

    /// Makes a worker with these peers.
    pub(super) async fn with_peers(name: &str, peers: &[bootstrap::Peer], hosted: Vec<Hosted>) -> Self {
        let local: Vec<_> = hosted
            .iter()
            .map(|hosted| Local {
                name: hosted.actor_name(),
                protocols: hosted.protocols().to_vec(),
                mailbox: hosted.mailbox.unwrap_or_default(),
            })
            .collect();
        let reports: Arc<Mutex<Vec<ToSupervisor>>> = Arc::default();
        let report: Report = {
            let reports = Arc::clone(&reports);
            Arc::new(move |report| reports.lock().expect("nobody panics with it").push(report.clone()))
        };
        let host = Arc::new(Surroundings(OnceLock::new()));
        let surroundings: Arc<dyn Host> = host.clone();
        let node = Node::new(name, None, surroundings);
        let peers = Arc::new(Peers::new(name, peers, local, &report));
        peers.belong_to(&node.shared);
        assert!(host.0.set(Arc::clone(&peers)).is_ok(), "set once");
        for hosted in hosted {
            node.host(&hosted, None, Told::default()).await.expect("the actor starts");
        }
        for declared in node.shared.declared() {
            peers.actor_runs(&declared.cell);
        }
        Self { node, peers, reports }
    }
}

/// A peer without slots.
pub(super) fn peer(number: u16, worker: &str, instance: u16, instances: u16) -> bootstrap::Peer {
    let (exports, imports) = (Vec::new(), Vec::new());
    let (worker, while_down) = (worker.to_owned(), bootstrap::WhileDown::default());
    bootstrap::Peer {
        number,
        worker,
        instance,
        instances,
        may_accuse: true,
        exports,
        imports,
        limits: Limits::LINK,
        while_down,
        on_demand: false,
        busy_poll_us: 0,
    }
}

pub(super) fn slot(actor: &str, methods: Granted) -> bootstrap::Slot {
    bootstrap::Slot {
        actor: actor.to_owned(),
        methods: methods.map(|names| names.iter().map(|name| (*name).to_owned()).collect()),
        fds_send: None,
        fds_receive: None,
        max_inflight: 64,
        rate: None,
        once: bootstrap::Once::No,
        used: Vec::new(),
        rendezvous: false,
    }
}

/// Each worker knows one peer.
pub(super) const NUMBER: u16 = 0;

struct Surroundings(OnceLock<Arc<Peers>>);

impl Host for Surroundings {
    fn peer(&self, name: &str, protocol: &'static ProtocolSchema) -> Result<Address, PeerError> {
        self.0.get().expect("set when it was made").resolve(name, protocol)
    }

    fn keep(&self, _name: &str, _fd: OwnedFd) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn kept(&self, _name: &str) -> io::Result<OwnedFd> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn ask(&self, _request: Request) -> BoxFuture<'static, io::Result<Answered>> {
        Box::pin(std::future::ready(Err(io::ErrorKind::Unsupported.into())))
    }

    fn granted_dir(&self, _path: &Path) -> io::Result<OwnedFd> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn gave_up(&self, actor: &ActorName, cause: &Cause) {
        panic!("{actor} gave up: {cause}");
    }

    fn finished(&self) {
        panic!("no actor is significant");
    }
}
