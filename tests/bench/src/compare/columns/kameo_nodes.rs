//! kameo between processes: two swarms of libp2p over TCP on the loopback, encrypted as that always is. Nobody looks for
//! peers: the other process says where it listens and which actor is meant.
//!
//! A tell that is not acknowledged is dropped where too many are on their way, so all are.

use std::time::Duration;

use futures::StreamExt;
use kameo::actor::{RemoteActorRef, Spawn};
use kameo::message::{Context, Message};
use kameo::remote::{Behaviour, messaging};
use kameo::{Actor, RemoteActor, mailbox, remote_message};
use libp2p::swarm::SwarmEvent;
use libp2p::swarm::dial_opts::DialOpts;
use libp2p::{Multiaddr, PeerId, Swarm, SwarmBuilder, noise, tcp, yamux};
use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, oneshot};

use crate::compare::child::{self, Other};
use crate::compare::client::{self as clients, Client};
use crate::compare::column::{Column, Kind, is_about_messages};
use crate::compare::lives;
use crate::compare::payload::{self, Bytes};
use crate::compare::task::{Measured, Task};
use crate::compare::workloads::Workload;
use crate::workload::{Note, Told, runtime};

/// The column.
pub struct KameoNodes;

const NAME: &str = "kameo-remote";
const LOOPBACK: &str = "/ip4/127.0.0.1/tcp/0";
const CAPACITY: usize = 1024;
/// The largest payload, of which each byte is encoded as a number of up to two, and what surrounds it.
const REQUEST_MAX: u64 = 34 << 20;
/// Asks on their way at once: each is a stream of its connection, which has no more.
const STREAMS_MAX: usize = 512;
const PATIENCE: Duration = Duration::from_secs(60);

impl Column for KameoNodes {
    fn name(&self) -> &'static str {
        NAME
    }

    fn title(&self) -> &'static str {
        "kameo, remote (acknowledged)"
    }

    fn kind(&self) -> Kind {
        Kind::Peer
    }

    fn can(&self, workload: Workload, x: u64) -> bool {
        let is_too_much = workload == Workload::Load && x > STREAMS_MAX as u64;
        is_about_messages(workload) && !is_too_much || workload == Workload::Start
    }

    fn measure(&self, task: &Task) -> Option<Measured> {
        runtime().block_on(async {
            let (dials, dialed) = mpsc::unbounded_channel();
            // There is one swarm in a process.
            tokio::spawn(run(swarm(), dialed));
            if task.workload == Workload::Start {
                return Some(lives::starts(task, async || open(task, &dials).await).await);
            }
            let (echo, _ended_when_dropped) = open(task, &dials).await;
            clients::measure(&[echo], task).await
        })
    }

    fn answer(&self, _: &Task) {
        runtime().block_on(async {
            let mut swarm = swarm();
            swarm.listen_on(LOOPBACK.parse().expect("an address")).expect("there is a loopback");
            let address = loop {
                if let SwarmEvent::NewListenAddr { address, .. } = swarm.select_next_some().await {
                    break address.to_string();
                }
            };
            let echo = Echo::spawn_with_mailbox(Echo::default(), mailbox::bounded(CAPACITY));
            let meant = (address, echo.into_remote_ref().await);
            let config = bincode::config::standard();
            bincode::serde::encode_into_std_write(&meant, &mut child::given(), config).expect("it listens");
            // Until it is killed by whoever measures.
            loop {
                swarm.select_next_some().await;
            }
        });
    }
}

#[derive(Default, Actor, RemoteActor)]
struct Echo(Told);

#[derive(Serialize, Deserialize)]
struct Ask(Note);
#[derive(Serialize, Deserialize)]
struct Tell(Note);
#[derive(Serialize, Deserialize)]
struct Give(Bytes);
#[derive(Serialize, Deserialize)]
struct Count;

#[derive(kameo::Reply, Serialize, Deserialize)]
struct Echoed(Note);
#[derive(kameo::Reply, Serialize, Deserialize)]
struct Counted(Told);

#[remote_message]
impl Message<Ask> for Echo {
    type Reply = Echoed;

    async fn handle(&mut self, Ask(note): Ask, _: &mut Context<Self, Echoed>) -> Echoed {
        Echoed(note)
    }
}

#[remote_message]
impl Message<Tell> for Echo {
    type Reply = ();

    async fn handle(&mut self, Tell(note): Tell, _: &mut Context<Self, ()>) {
        self.0.add(note.number);
    }
}

#[remote_message]
impl Message<Give> for Echo {
    type Reply = ();

    async fn handle(&mut self, Give(bytes): Give, _: &mut Context<Self, ()>) {
        self.0.add(payload::sum(&bytes.0));
    }
}

#[remote_message]
impl Message<Count> for Echo {
    type Reply = Counted;

    async fn handle(&mut self, Count: Count, _: &mut Context<Self, Counted>) -> Counted {
        Counted(std::mem::take(&mut self.0))
    }
}

/// Makes this process one of those whose actors reach each other.
fn swarm() -> Swarm<Behaviour> {
    let config = messaging::Config::default()
        .with_request_timeout(PATIENCE)
        .with_max_concurrent_streams(STREAMS_MAX)
        .with_request_size_maximum(REQUEST_MAX);
    let swarm = SwarmBuilder::with_new_identity()
        .with_tokio()
        .with_tcp(tcp::Config::default(), noise::Config::new, yamux::Config::default)
        .expect("keys can be made")
        .with_behaviour(|key| Behaviour::new(key.public().to_peer_id(), config))
        .expect("a behaviour can be made")
        .build();
    swarm.behaviour().init_global();
    swarm
}

/// Who to dial, and who waits until that is done.
type Dial = (PeerId, Multiaddr, oneshot::Sender<()>);

/// Has the swarm do what it does, and dial others.
async fn run(mut swarm: Swarm<Behaviour>, mut dials: mpsc::UnboundedReceiver<Dial>) {
    let mut dialed = None;
    loop {
        tokio::select! {
            Some((peer, address, done)) = dials.recv() => {
                swarm.dial(DialOpts::peer_id(peer).addresses(vec![address]).build()).expect("it is dialed once");
                dialed = Some((peer, done));
            }
            event = swarm.select_next_some() => match event {
                SwarmEvent::ConnectionEstablished { peer_id, .. } => {
                    let done = dialed.take_if(|(peer, _)| *peer == peer_id);
                    // Whoever waited may have ended.
                    let _heard = done.map(|(_, done)| done.send(()));
                }
                SwarmEvent::OutgoingConnectionError { error, .. } => eprintln!("no connection: {error}"),
                _ => {}
            }
        }
    }
}

struct Remote(RemoteActorRef<Echo>);

/// Starts the other process, until it has answered once.
async fn open(task: &Task, dials: &mpsc::UnboundedSender<Dial>) -> (Remote, Other) {
    let (other, mut stream) = child::start(NAME, task);
    let meant = bincode::serde::decode_from_std_read(&mut stream, bincode::config::standard());
    let (address, echo): (String, RemoteActorRef<Echo>) = meant.expect("it listens");
    let peer = *echo.id().peer_id().expect("it is an actor of another process");
    // An ask that finds a dial under way fails.
    let (done, is_done) = oneshot::channel();
    dials.send((peer, address.parse().expect("an address"), done)).expect("the swarm runs");
    is_done.await.expect("the swarm runs");
    let echo = Remote(echo);
    echo.ask(Note::asking(0)).await;
    (echo, other)
}

impl Client for Remote {
    const ACKNOWLEDGED: Option<usize> = Some(64);

    async fn ask(&self, note: Note) -> Note {
        self.0.ask(&Ask(note)).send().await.expect("the echo answers").0
    }

    async fn tell(&self, note: Note) {
        self.0.tell(&Tell(note)).send_ack().await.expect("the echo lives");
    }

    async fn told(&self) -> Told {
        self.0.ask(&Count).send().await.expect("the echo answers").0
    }

    async fn give(&self, bytes: &[u8]) -> bool {
        self.0.tell(&Give(Bytes(bytes.to_vec()))).send_ack().await.expect("the echo lives");
        true
    }
}
