//! The floor: a tokio Unix stream and bincode, one thread in each process; no actor, no grant, no budget.

use std::os::unix::net::UnixStream as StdStream;
use std::time::Instant;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

use crate::compare::child::{self, Other};
use crate::compare::column::{Column, Kind};
use crate::compare::frames::Frames;
use crate::compare::lives;
use crate::compare::pipe::{self, Pipe};
use crate::compare::task::{Measured, Task};
use crate::compare::workloads::{Place, Workload};
use crate::workload::Note;

/// The column.
pub struct TokioStream;

const NAME: &str = "tokio";

impl Column for TokioStream {
    fn name(&self) -> &'static str {
        NAME
    }

    fn title(&self) -> &'static str {
        "tokio Unix stream + bincode"
    }

    fn kind(&self) -> Kind {
        Kind::Floor
    }

    fn can(&self, workload: Workload, _x: u64) -> bool {
        workload.place() == Place::Between
    }

    fn measure(&self, task: &Task) -> Option<Measured> {
        runtime().block_on(async {
            match task.workload {
                Workload::Start => Some(lives::starts(task, async || begin(task).await).await),
                Workload::Restart => Some(lives::restarts(task, async || begin(task).await).await),
                _ => {
                    let (others, mut pipes): (Vec<_>, Vec<_>) =
                        (0..task.others()).map(|_| open(task)).unzip();
                    let measured = pipe::measure(&mut pipes, task).await;
                    drop(pipes);
                    others.into_iter().for_each(Other::wait);
                    Some(measured)
                }
            }
        })
    }

    fn answer(&self, task: &Task) {
        runtime().block_on(async { pipe::answer(&mut Stream::new(child::given()), task).await });
    }
}

/// Starts the other process, until it has answered once.
async fn begin(task: &Task) -> (Stream, Other) {
    let (other, mut stream) = open(task);
    pipe::ask(&mut stream, 1).await;
    (stream, other)
}

fn open(task: &Task) -> (Other, Stream) {
    let (other, stream) = child::start(NAME, task);
    (other, Stream::new(stream))
}

/// Returns the time from starting a plain process of this executable until it has answered once, in milliseconds.
pub fn start_ms() -> f64 {
    runtime().block_on(async {
        let task = Task { workload: Workload::Start, x: 0, millis: 1 };
        let began = Instant::now();
        let _ended_when_dropped = begin(&task).await;
        began.elapsed().as_secs_f64() * 1e3
    })
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime can be built")
}

struct Stream {
    stream: UnixStream,
    frames: Frames,
}

impl Stream {
    fn new(stream: StdStream) -> Self {
        stream.set_nonblocking(true).expect("a socket can be made non-blocking");
        let stream = UnixStream::from_std(stream).expect("a runtime is entered");
        Self { stream, frames: Frames::new() }
    }

    /// Reads what there is; false at the end of the stream.
    async fn fill(&mut self) -> bool {
        let bytes = self.stream.read(self.frames.space()).await.expect("the peer writes");
        self.frames.read(bytes);
        bytes > 0
    }
}

impl Pipe for Stream {
    async fn put(&mut self, note: &Note) {
        if self.frames.put(note) {
            self.flush().await;
        }
    }

    async fn flush(&mut self) {
        self.stream.write_all(self.frames.unwritten()).await.expect("the peer reads");
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
            self.stream.write_all(rest).await.expect("the peer reads");
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
