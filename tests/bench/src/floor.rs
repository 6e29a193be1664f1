//! The floor: two processes, one tokio Unix stream, bincode, one thread each; no actor, no grant, no budget.
//!
//! The loops are what an engineer would write by hand for the one exchange that is measured. Frames are a length
//! (u32, little endian) and the encoded message; the writer coalesces what is ready, the reader takes all there is.

use std::os::unix::net::UnixStream as StdStream;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

use crate::workload::{Figures, Note, PIPELINE, Samples, Sizes};

/// Runs every workload of the floor against an echoing child process.
pub fn run(sizes: Sizes) -> Figures {
    let cold_start_ms = Samples::of((0..sizes.starts).map(|_| cold_start_ms()).collect()).p50();
    let runtime = runtime();
    let (mut child, stream) = spawn_echo();
    let mut figures = runtime.block_on(async {
        let mut link = Link::new(stream);
        let ask = link.asks(sizes.asks).await;
        let pipelined = link.pipelined(sizes.pipelined).await;
        let one_way = link.one_way(sizes.tells).await;
        Figures {
            ask_p50_us: ask.p50(),
            ask_p99_us: ask.p99(),
            pipelined_per_s: pipelined,
            one_way_per_s: one_way,
            cold_start_ms,
            restart_ms: None,
        }
    });
    child.wait().expect("the echo ends when its stream does");
    figures.restart_ms = None;
    figures
}

/// The child's side: echoes what asks for a reply, counts what does not.
pub fn echo() {
    let stream = StdStream::from(std::os::fd::OwnedFd::from(stdin_descriptor()));
    runtime().block_on(async move {
        let mut link = Link::new(stream);
        let mut told = 0u64;
        while link.fill().await {
            while let Some(note) = link.take() {
                if note.wants_reply {
                    link.put(&note);
                } else {
                    told += 1;
                    if note.number == u64::MAX {
                        link.put(&Note { number: told, wants_reply: true, body: note.body });
                    }
                }
            }
            link.flush().await;
        }
    });
}

fn stdin_descriptor() -> std::os::fd::OwnedFd {
    use std::os::fd::AsFd;
    std::io::stdin().as_fd().try_clone_to_owned().expect("standard input is open")
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime can be built")
}

fn spawn_echo() -> (Child, StdStream) {
    let (ours, theirs) = StdStream::pair().expect("a socketpair can be made");
    let child = Command::new(std::env::current_exe().expect("the executable has a path"))
        .arg0("echo")
        .arg("floor-echo")
        // A worker that starts one has a role that is not the child's.
        .env_clear()
        .stdin(Stdio::from(std::os::fd::OwnedFd::from(theirs)))
        .spawn()
        .expect("the benchmark can execute itself");
    (child, ours)
}

/// Returns the time from starting a process until it has answered once.
pub fn cold_start_ms() -> f64 {
    let start = Instant::now();
    let (mut child, stream) = spawn_echo();
    runtime().block_on(async {
        let mut link = Link::new(stream);
        link.round_trip(&Note::asking(1)).await;
    });
    let elapsed = start.elapsed().as_secs_f64() * 1e3;
    child.wait().expect("the echo ends when its stream does");
    elapsed
}

struct Link {
    stream: UnixStream,
    incoming: Vec<u8>,
    taken: usize,
    outgoing: Vec<u8>,
}

impl Link {
    fn new(stream: StdStream) -> Self {
        stream.set_nonblocking(true).expect("a socket can be made non-blocking");
        let stream = UnixStream::from_std(stream).expect("a runtime is entered");
        Self {
            stream,
            incoming: Vec::with_capacity(1 << 17),
            taken: 0,
            outgoing: Vec::with_capacity(1 << 17),
        }
    }

    fn put(&mut self, note: &Note) {
        let at = self.outgoing.len();
        self.outgoing.extend_from_slice(&[0; 4]);
        let config = bincode::config::standard();
        let length = bincode::serde::encode_into_std_write(note, &mut self.outgoing, config)
            .expect("a vector takes every byte");
        self.outgoing[at..at + 4].copy_from_slice(&(length as u32).to_le_bytes());
    }

    async fn flush(&mut self) {
        self.stream.write_all(&self.outgoing).await.expect("the peer reads");
        self.outgoing.clear();
    }

    /// Reads what there is; false at the end of the stream.
    async fn fill(&mut self) -> bool {
        self.incoming.drain(..self.taken);
        self.taken = 0;
        self.incoming.reserve(1 << 16);
        self.stream.read_buf(&mut self.incoming).await.expect("the peer writes") > 0
    }

    fn take(&mut self) -> Option<Note> {
        let rest = &self.incoming[self.taken..];
        let length = u32::from_le_bytes(rest.get(..4)?.try_into().expect("four bytes")) as usize;
        let frame = rest.get(4..4 + length)?;
        let (note, _) = bincode::serde::decode_from_slice(frame, bincode::config::standard())
            .expect("the peer encodes what we decode");
        self.taken += 4 + length;
        Some(note)
    }

    async fn receive(&mut self) -> Note {
        loop {
            if let Some(note) = self.take() {
                return note;
            }
            assert!(self.fill().await, "the peer ended early");
        }
    }

    async fn round_trip(&mut self, note: &Note) -> Note {
        self.put(note);
        self.flush().await;
        self.receive().await
    }

    async fn asks(&mut self, count: u64) -> Samples {
        let mut samples = Vec::with_capacity(count as usize);
        for number in 0..count {
            let start = Instant::now();
            let reply = self.round_trip(&Note::asking(number)).await;
            samples.push(start.elapsed().as_secs_f64() * 1e6);
            assert_eq!(reply.number, number, "each reply belongs to its ask");
        }
        Samples::of(samples)
    }

    async fn pipelined(&mut self, count: u64) -> f64 {
        let start = Instant::now();
        let (mut sent, mut received) = (0, 0);
        while received < count {
            while sent < count && sent - received < PIPELINE {
                self.put(&Note::asking(sent));
                sent += 1;
            }
            self.flush().await;
            let mut next = Some(self.receive().await);
            while let Some(reply) = next {
                assert_eq!(reply.number, received, "replies come in order");
                received += 1;
                next = self.take();
            }
        }
        count as f64 / start.elapsed().as_secs_f64()
    }

    async fn one_way(&mut self, count: u64) -> f64 {
        let start = Instant::now();
        for number in 0..count {
            self.put(&Note::telling(number));
            if self.outgoing.len() >= 1 << 16 {
                self.flush().await;
            }
        }
        self.put(&Note::telling(u64::MAX));
        self.flush().await;
        let told = self.receive().await.number;
        assert_eq!(told, count + 1, "every message was counted");
        count as f64 / start.elapsed().as_secs_f64()
    }
}
