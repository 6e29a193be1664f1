//! ractor_cluster: two nodes over a Unix socket (its external transport), the remote actor found in a process group.

use ractor::{Actor, ActorProcessingErr, ActorRef, BytesConvertable, RpcReplyPort, call, pg};
use ractor_cluster::{
    BoxRead, BoxWrite, ClusterBidiStream, NodeServer, NodeServerMessage, RactorClusterMessage,
};
use tokio::net::UnixStream;

use crate::compare::child::{self, Other};
use crate::compare::client::{self as clients, Client};
use crate::compare::column::{Column, Kind, is_about_messages};
use crate::compare::lives;
use crate::compare::payload;
use crate::compare::task::{Measured, Task};
use crate::compare::workloads::Workload;
use crate::workload::{self, Note, Told};

/// The column.
pub struct RactorNodes;

const NAME: &str = "ractor_cluster";
const GROUP: &str = "echo";
/// The largest payload, and what surrounds it.
const FRAME_MAX: u64 = 17 << 20;

impl Column for RactorNodes {
    fn name(&self) -> &'static str {
        NAME
    }

    fn title(&self) -> &'static str {
        "ractor_cluster, Unix socket"
    }

    fn kind(&self) -> Kind {
        Kind::Peer
    }

    fn can(&self, workload: Workload, _x: u64) -> bool {
        is_about_messages(workload) || workload == Workload::Start
    }

    fn measure(&self, task: &Task) -> Option<Measured> {
        // What is known of the other node outlives it, so each start is measured in a runtime of its own.
        if task.workload == Workload::Start {
            let begin = async || runtime().block_on_own(open(task));
            return Some(futures::executor::block_on(lives::starts(task, begin)));
        }
        let (runtime, echo, _ended_when_dropped) = runtime().block_on_own(open(task));
        runtime.block_on(clients::measure(&[echo], task))
    }

    fn answer(&self, _: &Task) {
        runtime().block_on(async {
            let (echo, ended) = Actor::spawn(None, Echo, ()).await.expect("an actor can be spawned");
            pg::join(GROUP.to_owned(), vec![echo.get_cell()]);
            connect("answering", true, child::given()).await;
            // Until it is killed by whoever measures.
            ended.await.expect("the actor does not fail");
        });
    }
}

struct Echo;

#[derive(RactorClusterMessage)]
enum Say {
    #[rpc]
    Ask(Note, RpcReplyPort<Note>),
    Tell(Note),
    Give(Vec<u8>),
    #[rpc]
    Told(RpcReplyPort<Told>),
}

impl Actor for Echo {
    type Msg = Say;
    type State = Told;
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<Say>, (): ()) -> Result<Told, ActorProcessingErr> {
        Ok(Told::default())
    }

    async fn handle(&self, _: ActorRef<Say>, said: Say, told: &mut Told) -> Result<(), ActorProcessingErr> {
        match said {
            Say::Ask(note, reply) => reply.send(note)?,
            Say::Tell(note) => told.add(note.number),
            Say::Give(bytes) => told.add(payload::sum(&bytes)),
            Say::Told(reply) => reply.send(std::mem::take(told))?,
        }
        Ok(())
    }
}

macro_rules! travels_by_bincode {
    ($kind:ty) => {
        impl BytesConvertable for $kind {
            fn into_bytes(self) -> Vec<u8> {
                bincode::serde::encode_to_vec(self, bincode::config::standard()).expect("it is plain")
            }

            fn from_bytes(bytes: Vec<u8>) -> Self {
                let decoded = bincode::serde::decode_from_slice(&bytes, bincode::config::standard());
                decoded.expect("the other node encodes what we decode").0
            }
        }
    };
}

travels_by_bincode!(Note);
travels_by_bincode!(Told);

struct Socket(UnixStream);

impl ClusterBidiStream for Socket {
    fn split(self: Box<Self>) -> (BoxRead, BoxWrite) {
        let (read, write) = self.0.into_split();
        (Box::new(read), Box::new(write))
    }

    fn peer_label(&self) -> Option<String> {
        None
    }

    fn local_label(&self) -> Option<String> {
        None
    }
}

/// Makes this process a node, linked by the stream.
async fn connect(name: &str, is_server: bool, stream: std::os::unix::net::UnixStream) {
    let named = |text: &str| text.to_owned();
    let node = NodeServer::new(0, named("cookie"), named(name), named("localhost"), None, None)
        .with_max_inbound_frame_size(FRAME_MAX);
    let (node, _ends) = Actor::spawn(None, node, ()).await.expect("a node can be started");
    stream.set_nonblocking(true).expect("a socket can be made non-blocking");
    let stream = Box::new(Socket(UnixStream::from_std(stream).expect("a runtime is entered")));
    node.cast(NodeServerMessage::ConnectionOpenedExternal { stream, is_server }).expect("the node lives");
}

struct Remote(ActorRef<Say>);

/// Starts the other process, until it has answered once.
async fn open(task: &Task) -> (Remote, Other) {
    let (other, stream) = child::start(NAME, task);
    connect("measuring", false, stream).await;
    // The remote actors of a group become known some time after the nodes have met.
    let cell = loop {
        match pg::get_members(&GROUP.to_owned()).into_iter().next() {
            Some(cell) => break cell,
            None => tokio::task::yield_now().await,
        }
    };
    let echo = Remote(cell.into());
    echo.ask(Note::asking(0)).await;
    (echo, other)
}

/// A runtime of one thread.
struct Runtime(tokio::runtime::Runtime);

fn runtime() -> Runtime {
    Runtime(workload::runtime())
}

impl Runtime {
    fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        self.0.block_on(future)
    }

    /// Returns itself besides what the future returns, whose actors it runs.
    fn block_on_own<A, B>(self, future: impl Future<Output = (A, B)>) -> (Self, A, B) {
        let (first, second) = self.0.block_on(future);
        (self, first, second)
    }
}

impl Client for Remote {
    async fn ask(&self, note: Note) -> Note {
        call!(self.0, Say::Ask, note).expect("the echo answers")
    }

    async fn tell(&self, note: Note) {
        self.0.cast(Say::Tell(note)).expect("the echo lives");
        // Nothing bounds what waits to be written: whoever writes it gets its turn now and then.
        if note.number.is_multiple_of(64) {
            tokio::task::yield_now().await;
        }
    }

    async fn told(&self) -> Told {
        call!(self.0, Say::Told).expect("the echo answers")
    }

    async fn give(&self, bytes: &[u8]) -> bool {
        self.0.cast(Say::Give(bytes.to_vec())).expect("the echo lives");
        tokio::task::yield_now().await;
        true
    }
}
