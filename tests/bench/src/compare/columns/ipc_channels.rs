//! ipc-channel: a channel each way, and one for bytes, as its one-shot server brings them together. It has no batches.

use futures::executor::block_on;
use ipc_channel::ipc::{self, IpcBytesReceiver, IpcBytesSender, IpcOneShotServer, IpcReceiver, IpcSender};
use serde::{Deserialize, Serialize};

use crate::compare::child::{self, Other};
use crate::compare::column::{Column, Kind, is_about_messages};
use crate::compare::pipe::{self, Pipe};
use crate::compare::task::{Measured, Task};
use crate::compare::workloads::Workload;
use crate::compare::{lives, told_besides};
use crate::workload::Note;

/// The column.
pub struct IpcChannels;

const NAME: &str = "ipc-channel";
/// Requests that may be on their way: a send blocks once some hundreds of packets fill a socket, and with more than both hold
/// either side waits for the other to read.
const ON_THE_WAY_MAX: u64 = 256;

impl Column for IpcChannels {
    fn name(&self) -> &'static str {
        NAME
    }

    fn title(&self) -> &'static str {
        "ipc-channel"
    }

    fn kind(&self) -> Kind {
        Kind::Peer
    }

    fn can(&self, workload: Workload, x: u64) -> bool {
        let is_too_much = workload == Workload::Load && x > ON_THE_WAY_MAX;
        is_about_messages(workload) && !is_too_much || workload == Workload::Start
    }

    fn measure(&self, task: &Task) -> Option<Measured> {
        block_on(async {
            if task.workload == Workload::Start {
                return Some(lives::starts(task, async || begin(task).await).await);
            }
            let (channels, _ended_when_dropped) = open(task);
            Some(pipe::measure(&mut [channels], task).await)
        })
    }

    fn answer(&self, task: &Task) {
        let [name] = &told_besides()[..] else { panic!("the name of the one-shot server is missing") };
        let (theirs, from) = ipc::channel().expect("a channel can be made");
        let (to, replies) = ipc::channel().expect("a channel can be made");
        let (bytes, bytes_from) = ipc::bytes_channel().expect("a channel can be made");
        let meeting = IpcSender::connect(name.clone()).expect("the other process waits");
        meeting.send(Ends { notes: theirs, bytes, replies }).expect("the other process waits");
        let mut channels = Channels { to, from, bytes: End::Receiver(bytes_from) };
        block_on(pipe::answer(&mut channels, task));
    }
}

/// The ends that belong to the measuring process.
#[derive(Serialize, Deserialize)]
struct Ends {
    notes: IpcSender<Note>,
    bytes: IpcBytesSender,
    replies: IpcReceiver<Note>,
}

struct Channels {
    to: IpcSender<Note>,
    from: IpcReceiver<Note>,
    bytes: End,
}

enum End {
    Sender(IpcBytesSender),
    Receiver(IpcBytesReceiver),
}

/// Starts the other process, until it has answered once.
async fn begin(task: &Task) -> (Channels, Other) {
    let (mut channels, other) = open(task);
    pipe::ask(&mut channels, 1).await;
    (channels, other)
}

fn open(task: &Task) -> (Channels, Other) {
    let (server, name) = IpcOneShotServer::<Ends>::new().expect("a one-shot server can be made");
    let other = child::start_with(NAME, task, &[&name]);
    let (_, Ends { notes, bytes, replies }) = server.accept().expect("the other process connects");
    (Channels { to: notes, from: replies, bytes: End::Sender(bytes) }, other)
}

impl Pipe for Channels {
    async fn put(&mut self, note: &Note) {
        self.to.send(*note).expect("the other process reads");
    }

    async fn take(&mut self) -> Option<Note> {
        self.from.recv().ok()
    }

    fn ready(&mut self) -> Option<Note> {
        self.from.try_recv().ok()
    }

    async fn give(&mut self, bytes: &[u8]) {
        let End::Sender(sender) = &self.bytes else { panic!("only the measuring process gives") };
        sender.send(bytes).expect("the other process reads");
    }

    async fn receive<T>(&mut self, read: impl FnOnce(&[u8]) -> T) -> Option<T> {
        let End::Receiver(receiver) = &self.bytes else { panic!("only the other process receives") };
        receiver.recv().ok().map(|bytes| read(&bytes))
    }
}
