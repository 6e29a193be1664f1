//! The floor without an executor: a blocking Unix stream.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

use futures::executor::block_on;

use crate::compare::child::{self, Other};
use crate::compare::column::{Column, Kind};
use crate::compare::frames::Frames;
use crate::compare::lives;
use crate::compare::pipe::{self, Pipe};
use crate::compare::task::{Measured, Task};
use crate::compare::workloads::{Place, Workload};
use crate::workload::Note;

/// The column.
pub struct BlockingStream;

const NAME: &str = "blocking";

impl Column for BlockingStream {
    fn name(&self) -> &'static str {
        NAME
    }

    fn title(&self) -> &'static str {
        "blocking Unix stream"
    }

    fn kind(&self) -> Kind {
        Kind::Floor
    }

    fn can(&self, workload: Workload, _x: u64) -> bool {
        // Who waits for one of many has to be told which: that is the other floor's.
        workload.place() == Place::Between && workload != Workload::Workers
    }

    fn measure(&self, task: &Task) -> Option<Measured> {
        block_on(async {
            match task.workload {
                Workload::Start => Some(lives::starts(task, async || begin(task).await).await),
                Workload::Restart => Some(lives::restarts(task, async || begin(task).await).await),
                _ => {
                    let (other, stream) = open(task);
                    let mut pipes = [stream];
                    let measured = pipe::measure(&mut pipes, task).await;
                    drop(pipes);
                    other.wait();
                    Some(measured)
                }
            }
        })
    }

    fn answer(&self, task: &Task) {
        block_on(pipe::answer(&mut Stream::new(child::given()), task));
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

struct Stream {
    stream: UnixStream,
    frames: Frames,
}

impl Stream {
    fn new(stream: UnixStream) -> Self {
        Self { stream, frames: Frames::new() }
    }

    /// Reads what there is; false at the end of the stream.
    fn fill(&mut self) -> bool {
        let bytes = self.stream.read(self.frames.space()).expect("the peer writes");
        self.frames.read(bytes);
        bytes > 0
    }

    fn write(&mut self) {
        self.stream.write_all(self.frames.unwritten()).expect("the peer reads");
        self.frames.written();
    }
}

impl Pipe for Stream {
    async fn put(&mut self, note: &Note) {
        if self.frames.put(note) {
            self.write();
        }
    }

    async fn flush(&mut self) {
        self.write();
    }

    async fn take(&mut self) -> Option<Note> {
        loop {
            if let Some(note) = self.frames.note() {
                return Some(note);
            }
            if !self.fill() {
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
            self.write();
            self.stream.write_all(rest).expect("the peer reads");
        }
    }

    async fn receive<T>(&mut self, read: impl FnOnce(&[u8]) -> T) -> Option<T> {
        loop {
            if let Some(bytes) = self.frames.next() {
                return Some(read(bytes));
            }
            if !self.fill() {
                return None;
            }
        }
    }
}
