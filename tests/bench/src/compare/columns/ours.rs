//! Bailiwick: actors in two sandboxed workers under one supervisor, with grants, budgets and back-pressure.
//!
//! The measuring process is the supervisor; its main worker, the front, measures, and writes what it found for it. What is
//! about messages is measured in a sealed front, which has a file to read and a folder to write besides.

use std::fs;
use std::io::Write;
use std::panic::AssertUnwindSafe;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use bailiwick::prelude::*;
use bailiwick::{Group, Worker};
use bailiwick_supervisor::control;
use futures::FutureExt;
use serde::{Deserialize, Serialize};

use crate::compare::client::{self, Client};
use crate::compare::column::{Column, Kind, is_about_messages};
use crate::compare::lives::{LIVES, median};
use crate::compare::task::{Measured, Task};
use crate::compare::workloads::{MIB, Place, Workload};
use crate::cost::is_root;
use crate::lives::{replaced_ms, started_ms};
use crate::protocol::{EchoRef, Echoing};
use crate::within::{self, Local};
use crate::workload::{Note, Told};

/// The workers and the link between them. Another kind of link is another variant here and a line in `program`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ours {
    /// Sealed workers, a socket, large payloads in sealed memory.
    #[default]
    Sealed,
    /// The same, payloads copied through the socket.
    Copied,
    /// No sandbox.
    Open,
    /// Sealed workers that share memory: a ring beside the socket.
    Ring,
    /// The same, looking into it before they sleep.
    Polled,
    /// Actors of one sealed worker.
    Within,
    /// Actors on two threads of a program in one process, without a supervisor.
    Threads,
}

/// Of the actor that has the first thread of its worker, so that the one which answers has the second.
#[protocol]
trait Idle {
    async fn idle(&mut self);
}

struct Idler;

impl Idle for Idler {
    async fn idle(&mut self) {}
}

/// The name of the main worker.
pub const FRONT: &str = "compare-front";
/// The name of the worker that answers.
pub const ECHO: &str = "compare-echo";
/// Where the front reads what to measure, seen from the folder that everybody starts in.
const ORDER: &str = "order.json";
/// Where it writes what it found.
const FOUND: &str = "found/found.json";
/// The folder of that.
const FOUND_DIR: &str = "found";
const STATE_DIR: &str = "state";
/// Bytes around a payload, and a few more.
const SURROUNDINGS: u64 = 64;
const PATIENCE: Duration = Duration::from_secs(30);
/// For how long at most who polls looks into the ring before it sleeps.
const BUSY_POLL: Duration = Duration::from_micros(50);

impl Column for Ours {
    fn name(&self) -> &'static str {
        match self {
            Self::Sealed => "ours",
            Self::Copied => "ours-copied",
            Self::Open => "ours-open",
            Self::Ring => "ours-ring",
            Self::Polled => "ours-ring-polling",
            Self::Within => "ours-in-worker",
            Self::Threads => "ours-threads",
        }
    }

    fn title(&self) -> &'static str {
        match self {
            Self::Sealed => "**Bailiwick**, sealed, socket",
            Self::Copied => "**Bailiwick**, payloads copied",
            Self::Open => "**Bailiwick**, no sandbox",
            Self::Ring => "**Bailiwick**, sealed, ring",
            Self::Polled => "**Bailiwick**, sealed, ring, polled",
            Self::Within => "**Bailiwick**, in a sealed worker",
            Self::Threads => "**Bailiwick**, two threads",
        }
    }

    fn kind(&self) -> Kind {
        Kind::Ours
    }

    fn can(&self, workload: Workload, _x: u64) -> bool {
        let is_about_lives = matches!(workload, Workload::Start | Workload::Restart);
        match self {
            Self::Sealed => is_about_messages(workload) || is_about_lives || workload == Workload::Workers,
            Self::Copied => workload == Workload::Size,
            Self::Open => is_about_lives || workload == Workload::Ask,
            Self::Ring | Self::Polled => is_about_messages(workload),
            Self::Within => workload.place() == Place::Within,
            Self::Threads => matches!(workload, Workload::Ask | Workload::OneWay | Workload::Asks),
        }
    }

    fn measure(&self, task: &Task) -> Option<Measured> {
        let order = serde_json::to_string(&(self, task)).expect("an order is plain");
        fs::write(ORDER, order).expect("the folder is ours");
        fs::create_dir(FOUND_DIR).expect("the folder is ours");
        let program = program(*self, task);
        if *self == Self::Threads {
            program.run_local().expect("the front measures");
        } else {
            let _told_by_the_file = program.run();
        }
        let found = fs::read_to_string(FOUND).expect("the front writes what it found");
        serde_json::from_str(&found).expect("the front writes figures")
    }
}

/// Runs as one of the workers.
pub fn work() -> ExitCode {
    // A worker is what the supervisor made of it; what to measure the front reads when it runs.
    program(Ours::Sealed, &Task { workload: Workload::Ask, x: 0, millis: 0 }).run()
}

fn order() -> Option<(Ours, Task)> {
    serde_json::from_str(&fs::read_to_string(ORDER).ok()?).ok()
}

/// The budget is so large, and the pause so short, that only the restart itself is measured.
fn program(ours: Ours, task: &Task) -> Program {
    let echo = Worker::new(ECHO, ours.sandbox());
    let echo = if ours == Ours::Threads { echo.threads(2).serve(IdleRef::serve(|| Idler)) } else { echo };
    let echo = echo
        .serve(EchoRef::serve(Echoing::default))
        .instances(task.others())
        .group("measured")
        .backoff(Duration::ZERO, Duration::ZERO);
    let program = Program::new()
        .state_dir(STATE_DIR)
        .group(Group::new("measured").budget(1_000, Duration::from_secs(1)))
        .add(echo)
        .main(FRONT, ours.front(task.workload).grant(ECHO), front);
    if is_root() { program } else { program.allow_degraded() }
}

impl Ours {
    /// What both workers are, unless one needs more.
    fn sandbox(self) -> Sandbox {
        match self {
            Self::Sealed | Self::Copied | Self::Within | Self::Threads => Sandbox::sealed(),
            Self::Open => unconfined(),
            Self::Ring => Sandbox::sealed().trust_domain("measured", Duration::ZERO),
            Self::Polled => Sandbox::sealed().trust_domain("measured", BUSY_POLL),
        }
    }

    fn front(self, workload: Workload) -> Sandbox {
        match workload {
            // It kills the other worker.
            Workload::Start | Workload::Restart => unconfined(),
            // It looks at its own memory.
            Workload::InBytes => unconfined(),
            _ if self == Self::Open => unconfined(),
            _ => self.sandbox().read(ORDER).write(FOUND_DIR),
        }
    }
}

fn unconfined() -> Sandbox {
    let sandbox = Sandbox::none().privileged();
    if is_root() { sandbox.user("root") } else { sandbox }
}

/// A front that fails ends everything: one that panicked would be started again.
async fn front(cx: Context) -> Result<(), ActorError> {
    let measured = AssertUnwindSafe(find(cx)).catch_unwind().await;
    measured.unwrap_or_else(|_| Err(ActorError::message("the front panicked")))
}

async fn find(cx: Context) -> Result<(), ActorError> {
    let (ours, task) = order().ok_or_else(|| ActorError::message("no order"))?;
    let pool: EchoRef = cx.peer(ECHO)?;
    let measured = match task.workload {
        _ if ours == Ours::Within => within::measure_in(&mut Local::of(cx), &task).await,
        Workload::Start | Workload::Restart => Some(lives(&pool, &task).await?),
        _ => {
            let member = |number| pool.instance(number).unwrap_or_else(|| pool.clone());
            let members = (1..=task.others()).map(member);
            let clients: Vec<_> =
                members.map(|echo| Front { echo, is_copied: ours == Ours::Copied }).collect();
            for client in &clients {
                // Before it is up, what is told has to wait in a short queue.
                client.ask(Note::asking(0)).await;
            }
            // The largest message that is copied is a MiB with all that surrounds its payload.
            let is_too_large = ours == Ours::Copied && task.x == MIB;
            let task = Task { x: task.x - if is_too_large { SURROUNDINGS } else { 0 }, ..task };
            client::measure(&clients, &task).await
        }
    };
    fs::write(FOUND, serde_json::to_string(&measured)?)?;
    Ok(())
}

async fn lives(echo: &EchoRef, task: &Task) -> Result<Measured, ActorError> {
    let supervisor = control::Client::connect(Path::new(STATE_DIR))?;
    let mut times = Vec::new();
    for _ in 0..task.times(LIVES) {
        times.push(match task.workload {
            Workload::Start => started_ms(&supervisor, ECHO, echo).await?,
            _ => replaced_ms(&supervisor, ECHO, echo).await?,
        });
    }
    Ok(median(times))
}

struct Front {
    echo: EchoRef,
    is_copied: bool,
}

impl Client for Front {
    async fn ask(&self, note: Note) -> Note {
        self.echo.echo(note).ask(PATIENCE).await.expect("the echo answers")
    }

    async fn tell(&self, note: Note) {
        self.echo.tell(note).tell().await.expect("the echo lives");
    }

    async fn told(&self) -> Told {
        self.echo.told().ask(PATIENCE).await.expect("the echo answers")
    }

    async fn give(&self, bytes: &[u8]) -> bool {
        let given = if self.is_copied {
            self.echo.copy(bytes.to_vec()).tell().await
        } else {
            // Written where it is read, as others do whose memory is shared.
            let mut blob = Blob::writer(&self.echo, bytes.len());
            blob.write_all(bytes).expect("it takes everything");
            self.echo.give(blob.finish()).tell().await
        };
        match given {
            Ok(()) => true,
            Err(TellError::NotDelivered(NotDelivered::TooLarge { .. })) => false,
            Err(other) => panic!("the echo lives: {other}"),
        }
    }
}
