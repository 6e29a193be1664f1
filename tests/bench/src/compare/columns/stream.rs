//! The floors: a Unix socket and bincode, one thread in each process; no actor, no grant, no budget. They differ in how they
//! wait for the other process, and in whether the kernel keeps apart what was written at once.

use std::io::{self, Read, Write};
use std::marker::PhantomData;
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::time::Instant;

use rustix::net::{AddressFamily, RecvFlags, SocketFlags, SocketType, recv, socketpair};
use tokio::io::{AsyncReadExt, AsyncWriteExt, Interest};

use crate::compare::child::{self, Other};
use crate::compare::column::{Column, Kind, is_about_messages};
use crate::compare::frames::Frames;
use crate::compare::lives;
use crate::compare::pipe::{self, Pipe};
use crate::compare::task::{Measured, Task};
use crate::compare::workloads::{Place, Workload};
use crate::workload::{self, Note};

/// One of the columns: a socket that is waited for in this way.
pub struct Floor<W>(PhantomData<fn(W)>);

/// Waits in the system call that reads.
pub const BLOCKING: Floor<UnixStream> = Floor(PhantomData);
/// Waits in the executor that everybody else has too.
pub const TOKIO: Floor<tokio::net::UnixStream> = Floor(PhantomData);
/// The same, with packets instead of a stream.
pub const PACKETS: Floor<Packets> = Floor(PhantomData);

/// A way to wait for the other process. Functions are async; one that blocks awaits nothing.
trait Waits: Sized {
    /// On the command line.
    const NAME: &str;
    /// In tables.
    const TITLE: &str;
    /// Returns whether it is a floor of this.
    fn can(workload: Workload) -> bool;

    /// Returns both ends of a socket.
    fn pair() -> (OwnedFd, OwnedFd) {
        let (ours, theirs) = UnixStream::pair().expect("a socket pair can be made");
        (ours.into(), theirs.into())
    }

    /// Runs until the future is done.
    fn run<T>(future: impl Future<Output = T>) -> T;

    /// Returns the same socket, to be waited for in this way.
    fn of(socket: OwnedFd) -> Self;

    /// Reads what there is, once there is something; nothing at the end of the stream.
    async fn fill(&mut self, space: &mut [u8]) -> io::Result<usize>;

    /// Writes it all.
    async fn put(&mut self, bytes: &[u8]) -> io::Result<()>;
}

impl Waits for UnixStream {
    const NAME: &str = "blocking";
    const TITLE: &str = "blocking Unix stream";

    fn can(workload: Workload) -> bool {
        // Who blocks cannot wait for one of many: it would have to be told which.
        workload.place() == Place::Between && workload != Workload::Workers
    }

    fn run<T>(future: impl Future<Output = T>) -> T {
        futures::executor::block_on(future)
    }

    fn of(socket: OwnedFd) -> Self {
        socket.into()
    }

    async fn fill(&mut self, space: &mut [u8]) -> io::Result<usize> {
        self.read(space)
    }

    async fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.write_all(bytes)
    }
}

impl Waits for tokio::net::UnixStream {
    const NAME: &str = "tokio";
    const TITLE: &str = "tokio Unix stream + bincode";

    fn can(workload: Workload) -> bool {
        workload.place() == Place::Between
    }

    fn run<T>(future: impl Future<Output = T>) -> T {
        workload::runtime().block_on(future)
    }

    fn of(socket: OwnedFd) -> Self {
        let stream = UnixStream::from(socket);
        stream.set_nonblocking(true).expect("a socket can be made non-blocking");
        Self::from_std(stream).expect("a runtime is entered")
    }

    async fn fill(&mut self, space: &mut [u8]) -> io::Result<usize> {
        self.read(space).await
    }

    async fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.write_all(bytes).await
    }
}

/// Packets of whole frames, as the links of the runtime write them.
pub struct Packets(tokio::net::UnixDatagram);

/// The most bytes in one packet, as in the runtime.
const PACKET: usize = 128 << 10;

impl Waits for Packets {
    const NAME: &str = "tokio-packets";
    const TITLE: &str = "tokio Unix packets + bincode";

    fn can(workload: Workload) -> bool {
        is_about_messages(workload)
    }

    fn pair() -> (OwnedFd, OwnedFd) {
        socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)
            .expect("a socket pair can be made")
    }

    fn run<T>(future: impl Future<Output = T>) -> T {
        workload::runtime().block_on(future)
    }

    fn of(socket: OwnedFd) -> Self {
        let socket = UnixDatagram::from(socket);
        socket.set_nonblocking(true).expect("a socket can be made non-blocking");
        // Only the system calls for messages are made of it, which packets have too.
        Self(tokio::net::UnixDatagram::from_std(socket).expect("a runtime is entered"))
    }

    async fn fill(&mut self, space: &mut [u8]) -> io::Result<usize> {
        let take = || Ok(recv(&self.0, &mut *space, RecvFlags::TRUNC)?);
        let (taken, bytes) = self.0.async_io(Interest::READABLE, take).await?;
        assert_eq!(taken, bytes, "there is room for whatever the other process puts into a packet");
        Ok(bytes)
    }

    async fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        for packet in bytes.chunks(PACKET) {
            self.0.send(packet).await?;
        }
        Ok(())
    }
}

impl<W: Waits> Column for Floor<W> {
    fn name(&self) -> &'static str {
        W::NAME
    }

    fn title(&self) -> &'static str {
        W::TITLE
    }

    fn kind(&self) -> Kind {
        Kind::Floor
    }

    fn can(&self, workload: Workload, _x: u64) -> bool {
        W::can(workload)
    }

    fn measure(&self, task: &Task) -> Option<Measured> {
        W::run(async {
            match task.workload {
                Workload::Start => Some(lives::starts(task, async || begin::<W>(task).await).await),
                Workload::Restart => Some(lives::restarts(task, async || begin::<W>(task).await).await),
                _ => {
                    let (others, mut pipes): (Vec<_>, Vec<_>) =
                        (0..task.others()).map(|_| open::<W>(task)).unzip();
                    let measured = pipe::measure(&mut pipes, task).await;
                    drop(pipes);
                    others.into_iter().for_each(Other::wait);
                    Some(measured)
                }
            }
        })
    }

    fn answer(&self, task: &Task) {
        W::run(async { pipe::answer(&mut Stream::<W>::new(child::given().into()), task).await });
    }
}

/// Starts the other process, until it has answered once.
async fn begin<W: Waits>(task: &Task) -> (Stream<W>, Other) {
    let (other, mut stream) = open(task);
    pipe::ask(&mut stream, 1).await;
    (stream, other)
}

fn open<W: Waits>(task: &Task) -> (Other, Stream<W>) {
    let (ours, theirs) = W::pair();
    (child::start_on(W::NAME, task, theirs), Stream::new(ours))
}

/// Returns the time from starting a plain process of this executable until it has answered once, in milliseconds.
pub fn start_ms() -> f64 {
    type Waiting = tokio::net::UnixStream;
    Waiting::run(async {
        let task = Task { workload: Workload::Start, x: 0, millis: 1 };
        let began = Instant::now();
        let _ended_when_dropped = begin::<Waiting>(&task).await;
        began.elapsed().as_secs_f64() * 1e3
    })
}

struct Stream<W> {
    stream: W,
    frames: Frames,
}

impl<W: Waits> Stream<W> {
    fn new(socket: OwnedFd) -> Self {
        Self { stream: W::of(socket), frames: Frames::new() }
    }

    /// Reads what there is; false at the end of the stream.
    async fn fill(&mut self) -> bool {
        let bytes = self.stream.fill(self.frames.space()).await.expect("the peer writes");
        self.frames.read(bytes);
        bytes > 0
    }
}

impl<W: Waits> Pipe for Stream<W> {
    async fn put(&mut self, note: &Note) {
        if self.frames.put(note) {
            self.flush().await;
        }
    }

    async fn flush(&mut self) {
        self.stream.put(self.frames.unwritten()).await.expect("the peer reads");
        self.frames.written();
    }

    async fn take(&mut self) -> Option<Note> {
        loop {
            if let Some(note) = self.frames.note() {
                return Some(note);
            }
            if !self.fill().await {
                return None;
            }
        }
    }

    fn ready(&mut self) -> Option<Note> {
        self.frames.note()
    }

    async fn give(&mut self, bytes: &[u8]) {
        let (is_full, rest) = self.frames.give(bytes);
        if is_full {
            self.flush().await;
            self.stream.put(rest).await.expect("the peer reads");
        }
    }

    async fn receive<T>(&mut self, read: impl FnOnce(&[u8]) -> T) -> Option<T> {
        loop {
            if let Some(bytes) = self.frames.next() {
                return Some(read(bytes));
            }
            if !self.fill().await {
                return None;
            }
        }
    }
}
