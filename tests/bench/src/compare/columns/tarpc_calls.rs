//! tarpc over a Unix socket with bincode: every call is answered, so one-way messages are calls, 64 at once.

use std::sync::{Arc, Mutex, PoisonError};

use futures::StreamExt;
use tarpc::context::{self, Context};
use tarpc::server::{BaseChannel, Channel};
use tarpc::tokio_serde::formats::Bincode;
use tarpc::tokio_util::codec::LengthDelimitedCodec;
use tarpc::{client, serde_transport};
use tokio::net::UnixStream;

use crate::compare::child::{self, Other};
use crate::compare::client::{self as clients, Client};
use crate::compare::column::{Column, Kind, is_about_messages};
use crate::compare::lives;
use crate::compare::payload::{self, Bytes};
use crate::compare::task::{Measured, Task};
use crate::compare::workloads::Workload;
use crate::workload::{Note, Told, runtime};

/// The column.
pub struct TarpcCalls;

const NAME: &str = "tarpc";
/// The largest payload, and what surrounds it.
const FRAME_MAX: usize = 17 << 20;

#[tarpc::service]
trait Echo {
    async fn echo(note: Note) -> Note;
    async fn tell(note: Note);
    async fn give(bytes: Bytes);
    async fn told() -> Told;
}

#[derive(Clone, Default)]
struct Echoing(Arc<Mutex<Told>>);

impl Echoing {
    fn add(&self, sum: u64) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).add(sum);
    }
}

impl Echo for Echoing {
    async fn echo(self, _: Context, note: Note) -> Note {
        note
    }

    async fn tell(self, _: Context, note: Note) {
        self.add(note.number);
    }

    async fn give(self, _: Context, bytes: Bytes) {
        self.add(payload::sum(&bytes.0));
    }

    async fn told(self, _: Context) -> Told {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Column for TarpcCalls {
    fn name(&self) -> &'static str {
        NAME
    }

    fn title(&self) -> &'static str {
        "tarpc, Unix socket (acknowledged)"
    }

    fn kind(&self) -> Kind {
        Kind::Peer
    }

    fn can(&self, workload: Workload, _x: u64) -> bool {
        is_about_messages(workload) || workload == Workload::Start
    }

    fn measure(&self, task: &Task) -> Option<Measured> {
        runtime().block_on(async {
            if task.workload == Workload::Start {
                return Some(lives::starts(task, async || open(task).await).await);
            }
            let (caller, _ended_when_dropped) = open(task).await;
            clients::measure(&[caller], task).await
        })
    }

    fn answer(&self, _: &Task) {
        runtime().block_on(async {
            let transport = serde_transport::new(framed(child::given()), Bincode::default());
            let calls = BaseChannel::with_defaults(transport).execute(Echoing::default().serve());
            calls.for_each(async |call| drop(tokio::spawn(call))).await;
        });
    }
}

struct Caller(EchoClient);

/// Starts the other process, until it has answered once.
async fn open(task: &Task) -> (Caller, Other) {
    let (other, stream) = child::start(NAME, task);
    let transport = serde_transport::new(framed(stream), Bincode::default());
    let caller = Caller(EchoClient::new(client::Config::default(), transport).spawn());
    caller.ask(Note::asking(0)).await;
    (caller, other)
}

fn framed(
    stream: std::os::unix::net::UnixStream,
) -> tarpc::tokio_util::codec::Framed<UnixStream, LengthDelimitedCodec> {
    stream.set_nonblocking(true).expect("a socket can be made non-blocking");
    let stream = UnixStream::from_std(stream).expect("a runtime is entered");
    LengthDelimitedCodec::builder().max_frame_length(FRAME_MAX).new_framed(stream)
}

impl Client for Caller {
    const ACKNOWLEDGED: Option<usize> = Some(64);

    async fn ask(&self, note: Note) -> Note {
        self.0.echo(context::current(), note).await.expect("the echo answers")
    }

    async fn tell(&self, note: Note) {
        self.0.tell(context::current(), note).await.expect("the echo answers");
    }

    async fn told(&self) -> Told {
        self.0.told(context::current()).await.expect("the echo answers")
    }

    async fn give(&self, bytes: &[u8]) -> bool {
        let given = self.0.give(context::current(), Bytes(bytes.to_vec())).await;
        given.expect("the echo answers");
        true
    }
}
