//! iceoryx2: publish and subscribe each way through shared memory, looked into without a pause or with an event beside it.

use std::env;
use std::fs;
use std::sync::atomic::{AtomicU32, Ordering};

use futures::executor::block_on;
use iceoryx2::port::listener::Listener;
use iceoryx2::port::notifier::Notifier;
use iceoryx2::port::publisher::Publisher;
use iceoryx2::port::subscriber::Subscriber;
use iceoryx2::prelude::*;
use iceoryx2::sample::Sample;

use crate::compare::child::{self, Other};
use crate::compare::column::{Column, Kind, is_about_messages};
use crate::compare::pipe::{self, Pipe};
use crate::compare::task::{Measured, Task};
use crate::compare::workloads::Workload;
use crate::compare::{lives, told_besides};
use crate::workload::Note;

/// The columns.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Iceoryx {
    /// Whoever waits looks again and again.
    Polling,
    /// Whoever waits sleeps until there is an event.
    Events,
}

/// Samples that a subscriber has room for, if they are small.
const BUFFER: usize = 2048;
/// Bytes that a subscriber has room for, if they are large.
const BUFFER_BYTES: usize = 64 << 20;
/// Samples after which an event is due, if there is room for more: no one waits for room at somebody who sleeps.
const UNTOLD_MAX: usize = 256;
/// The largest note, encoded.
const NOTE_MAX: usize = 128;
/// Keeps services apart: what a killed process leaves is part of its services.
static NUMBERS: AtomicU32 = AtomicU32::new(0);

impl Column for Iceoryx {
    fn name(&self) -> &'static str {
        match self {
            Self::Polling => "iceoryx2",
            Self::Events => "iceoryx2-events",
        }
    }

    fn title(&self) -> &'static str {
        match self {
            Self::Polling => "iceoryx2, polling",
            Self::Events => "iceoryx2, events",
        }
    }

    fn kind(&self) -> Kind {
        Kind::Peer
    }

    fn can(&self, workload: Workload, _x: u64) -> bool {
        is_about_messages(workload) || workload == Workload::Start
    }

    fn measure(&self, task: &Task) -> Option<Measured> {
        block_on(async {
            if task.workload == Workload::Start {
                return Some(lives::starts(task, async || self.begin(task).await).await);
            }
            let (end, _ended_when_dropped) = self.open(task).await;
            Some(pipe::measure(&mut [end], task).await)
        })
    }

    fn answer(&self, task: &Task) {
        let told = told_besides();
        let [prefix, number] = &told[..] else { panic!("{told:?} say too little") };
        let mut end = End::new(*self, prefix, number, ["there", "back"], task);
        block_on(async {
            // Whoever sends before there is a subscriber sends to nobody.
            end.put(&Note::telling(0)).await;
            end.flush().await;
            pipe::answer(&mut end, task).await;
        });
    }

    fn clean_up(&self) {
        let prefix = prefix(std::process::id());
        let Ok(entries) = fs::read_dir("/dev/shm") else { return };
        for entry in entries.flatten() {
            if entry.file_name().to_string_lossy().starts_with(&prefix) {
                // It may be gone by itself.
                let _ = fs::remove_file(entry.path());
            }
        }
    }
}

/// What names begin with of all that processes make that are started by this one.
fn prefix(process: u32) -> String {
    format!("bailiwick_bench_{process}_")
}

impl Iceoryx {
    /// Starts the other process, until it has subscribed.
    async fn open(self, task: &Task) -> (End, Other) {
        let parent = rustix::process::getppid().expect("it waits for us");
        let prefix = prefix(parent.as_raw_nonzero().get().cast_unsigned());
        let number = NUMBERS.fetch_add(1, Ordering::Relaxed).to_string();
        let mut end = End::new(self, &prefix, &number, ["back", "there"], task);
        let other = child::start_with(self.name(), task, &[&prefix, &number]);
        end.take().await.expect("the other process begins");
        (end, other)
    }

    /// Starts the other process, until it has answered once.
    async fn begin(self, task: &Task) -> (End, Other) {
        let (mut end, other) = self.open(task).await;
        pipe::ask(&mut end, 1).await;
        (end, other)
    }
}

/// One end of both ways.
struct End {
    subscriber: Subscriber<ipc::Service, [u8], ()>,
    publisher: Publisher<ipc::Service, [u8], ()>,
    bells: Option<Bells>,
    /// Samples since the last event.
    untold: usize,
    /// Samples after which an event is due.
    untold_max: usize,
    _node: Node<ipc::Service>,
}

struct Bells {
    own: Listener<ipc::Service>,
    other: Notifier<ipc::Service>,
}

impl End {
    /// `ways` are the one that is read and the one that is written.
    fn new(kind: Iceoryx, prefix: &str, number: &str, ways: [&str; 2], task: &Task) -> Self {
        let mut config = Config::default();
        let here = env::current_dir().expect("we are somewhere");
        let here = here.to_str().expect("it has a plain name");
        config.global.set_root_path(&Path::new(here.as_bytes()).expect("it is short"));
        config.global.prefix = FileName::new(prefix.as_bytes()).expect("it is short");
        set_log_level(LogLevel::Error);
        let node = NodeBuilder::new().config(&config).create::<ipc::Service>().expect("a node can be made");
        let size = if task.workload == Workload::Size { task.x as usize } else { 0 }.max(NOTE_MAX);
        let buffer = (BUFFER_BYTES / size).clamp(4, BUFFER);
        let name = |way: &str| ServiceName::new(&format!("{way}-{number}")).expect("a short name");
        let way = |way: &str| {
            let service = node.service_builder(&name(way)).publish_subscribe::<[u8]>();
            let service = service.enable_safe_overflow(false).subscriber_max_buffer_size(buffer);
            service.open_or_create().expect("both say the same")
        };
        let bell = |way: &str| node.service_builder(&name(way)).event().open_or_create().expect("likewise");
        let [read, written] = ways;
        let bells = (kind == Iceoryx::Events).then(|| Bells {
            own: bell(read).listener_builder().create().expect("one listens"),
            other: bell(written).notifier_builder().create().expect("one notifies"),
        });
        let written = way(written);
        let publisher = written.publisher_builder().initial_max_slice_len(size);
        let publisher = publisher.backpressure_strategy(BackpressureStrategy::RetryUntilDelivered);
        Self {
            subscriber: way(read).subscriber_builder().buffer_size(buffer).create().expect("one reads"),
            publisher: publisher.create().expect("one writes"),
            bells,
            untold: 0,
            untold_max: UNTOLD_MAX.min(buffer / 2),
            _node: node,
        }
    }

    fn send(&mut self, bytes: &[u8]) {
        let sample = self.publisher.loan_slice_uninit(bytes.len()).expect("one is loaned at a time");
        sample.write_from_slice(bytes).send().expect("the other one lives");
        self.untold += 1;
        if self.untold >= self.untold_max {
            self.tell();
        }
    }

    fn tell(&mut self) {
        if let (Some(bells), 1..) = (&self.bells, std::mem::take(&mut self.untold)) {
            bells.other.notify().expect("the other one listens");
        }
    }

    fn next(&self) -> Option<Sample<ipc::Service, [u8], ()>> {
        self.subscriber.receive().expect("the other one writes")
    }

    fn wait(&self) -> Sample<ipc::Service, [u8], ()> {
        loop {
            if let Some(sample) = self.next() {
                return sample;
            }
            match &self.bells {
                Some(bells) => drop(bells.own.blocking_wait(|_| ()).expect("it can wait")),
                None => std::hint::spin_loop(),
            }
        }
    }
}

fn note(sample: &[u8]) -> Note {
    let decoded = bincode::serde::decode_from_slice(sample, bincode::config::standard());
    decoded.expect("the other one encodes what we decode").0
}

impl Pipe for End {
    async fn put(&mut self, note: &Note) {
        let mut bytes = [0; NOTE_MAX];
        let length = bincode::serde::encode_into_slice(note, &mut bytes, bincode::config::standard());
        self.send(&bytes[..length.expect("it is small")]);
    }

    async fn flush(&mut self) {
        self.tell();
    }

    async fn take(&mut self) -> Option<Note> {
        Some(note(&self.wait()))
    }

    fn ready(&mut self) -> Option<Note> {
        self.next().map(|sample| note(&sample))
    }

    async fn give(&mut self, bytes: &[u8]) {
        self.send(bytes);
    }

    async fn receive<T>(&mut self, read: impl FnOnce(&[u8]) -> T) -> Option<T> {
        Some(read(&self.wait()))
    }
}
