//! The floors: a Unix stream and bincode, one thread in each process; no actor, no grant, no budget. They differ in how they
//! wait for the other process.

use std::io::{self, Read, Write};
use std::marker::PhantomData;
use std::os::unix::net::UnixStream;
use std::time::Instant;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::compare::child::{self, Other};
use crate::compare::column::{Column, Kind};
use crate::compare::frames::Frames;
use crate::compare::lives;
use crate::compare::pipe::{self, Pipe};
use crate::compare::task::{Measured, Task};
use crate::compare::workloads::{Place, Workload};
use crate::workload::{self, Note};

/// One of the columns: a stream that is waited for in this way.
pub struct Floor<W>(PhantomData<fn(W)>);

/// Waits in the system call that reads.
pub const BLOCKING: Floor<UnixStream> = Floor(PhantomData);
/// Waits in the executor that everybody else has too.
pub const TOKIO: Floor<tokio::net::UnixStream> = Floor(PhantomData);

/// A way to wait for the other process. Functions are async; one that blocks awaits nothing.
trait Waits: Sized {
    /// On the command line.
    const NAME: &str;
    /// In tables.
    const TITLE: &str;
    /// Whether it can wait for one of many: who blocks would have to be told which.
    const FOR_MANY: bool;

    /// Runs until the future is done.
    fn run<T>(future: impl Future<Output = T>) -> T;

    /// Returns the same socket, to be waited for in this way.
    fn of(stream: UnixStream) -> Self;

    /// Reads what there is, once there is something; nothing at the end of the stream.
    async fn fill(&mut self, space: &mut [u8]) -> io::Result<usize>;

    /// Writes it all.
    async fn put(&mut self, bytes: &[u8]) -> io::Result<()>;
}

impl Waits for UnixStream {
    const NAME: &str = "blocking";
    const TITLE: &str = "blocking Unix stream";
    const FOR_MANY: bool = false;

    fn run<T>(future: impl Future<Output = T>) -> T {
        futures::executor::block_on(future)
    }

    fn of(stream: UnixStream) -> Self {
        stream
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
    const FOR_MANY: bool = true;

    fn run<T>(future: impl Future<Output = T>) -> T {
        workload::runtime().block_on(future)
    }

    fn of(stream: UnixStream) -> Self {
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
        workload.place() == Place::Between && (W::FOR_MANY || workload != Workload::Workers)
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
        W::run(async { pipe::answer(&mut Stream::<W>::new(child::given()), task).await });
    }
}

/// Starts the other process, until it has answered once.
async fn begin<W: Waits>(task: &Task) -> (Stream<W>, Other) {
    let (other, mut stream) = open(task);
    pipe::ask(&mut stream, 1).await;
    (stream, other)
}

fn open<W: Waits>(task: &Task) -> (Other, Stream<W>) {
    let (other, stream) = child::start(W::NAME, task);
    (other, Stream::new(stream))
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
    fn new(stream: UnixStream) -> Self {
        Self { stream: W::of(stream), frames: Frames::new() }
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
