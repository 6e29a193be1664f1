//! Obeys the supervisor while the actors run.

use std::fs::File;
use std::io::{self, Read, Seek};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use bailiwick_supervisor::control;
use bailiwick_sys::events::{Signal, Signals};
use bailiwick_wire::bootstrap::Update;
use bailiwick_wire::control::ToWorker;
use tokio::net::unix::pipe::Receiver;
use tokio::sync::watch;

use super::host::WorkerHost;
use super::line::{Line, LineError, Order, Orders};
use crate::outcome::DownCause;

/// What the worker is to do, from the mildest to the hardest. It never goes back to a milder one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Course {
    /// Go on.
    Run,
    /// Finish what was begun, say so, and wait to be stopped.
    Drain,
    /// Stop, by order.
    Stop,
    /// Stop: somebody sent SIGTERM, and it was not the supervisor.
    Signalled,
    /// The supervisor is gone. Finish what was begun, but not for long.
    Orphaned,
}

/// Carries out orders, those that came early first, until the supervisor is gone.
pub(super) async fn obey(
    line: Arc<Line>,
    early: Vec<Order>,
    host: Arc<WorkerHost>,
    course: watch::Sender<Course>,
) {
    for order in early {
        carry_out(order, &host, &course).await;
    }
    let gone = match Orders::new(line) {
        Ok(orders) => loop {
            match orders.next().await {
                Ok(order) => carry_out(order, &host, &course).await,
                Err(error) => break error,
            }
        },
        Err(_) => LineError::Closed,
    };
    if !matches!(gone, LineError::Closed) {
        eprintln!("{gone}");
    }
    set(&course, Course::Orphaned);
}

/// Waits for SIGTERM. An order to stop that came with it is the milder reading.
pub(super) async fn heed(signals: Signals, course: watch::Sender<Course>) {
    // A type that the executor can watch; it reads nothing itself.
    let watched = signals.as_fd().try_clone_to_owned().and_then(Receiver::from_owned_fd_unchecked);
    let Ok(watched) = watched else { return };
    let take = || match signals.next() {
        Ok(Some((signal, _))) => Ok(signal),
        Ok(None) | Err(_) => Err(io::ErrorKind::WouldBlock.into()),
    };
    loop {
        if watched.readable().await.is_err() {
            return;
        }
        if let Ok(Signal::SIGTERM) = watched.try_io(take) {
            set(&course, Course::Signalled);
        }
    }
}

async fn carry_out(order: Order, host: &Arc<WorkerHost>, course: &watch::Sender<Course>) {
    let Order { order, fd } = order;
    match (order, fd) {
        (ToWorker::Kept { name }, Some(fd)) => host.give_kept(name, fd),
        (ToWorker::Link { peer, generation, beside, uid, ring }, Some(link)) => {
            // The replies of the life before it may still lie in its socket.
            host.peers().read_out(peer, generation, beside).await;
            let (peers, life) = (host.peers(), (generation, beside));
            let linked = if ring {
                peers.linked_by_ring(peer, life, link)
            } else {
                peers.linked(peer, life, link, uid)
            };
            if let Err(error) = linked {
                eprintln!("a link could not be joined: {error}");
            }
        }
        (ToWorker::PeerDown { peer, generation, cause }, _) => {
            host.peers().died(peer, generation, cause_of(cause));
        }
        (ToWorker::Update, Some(memory)) => update(memory, host).await,
        (ToWorker::Drain { last }, _) => {
            host.told_of_next(!last);
            set(course, Course::Drain);
        }
        (ToWorker::Stop { last }, _) => {
            host.told_of_next(!last);
            set(course, Course::Stop);
        }
        (ToWorker::Succeed { peer, generation }, _) => host.peers().succeed(peer, generation),
        // What lost its descriptor to a full table of this process is made again, or missed by nobody else.
        (ToWorker::Go | ToWorker::Kept { .. } | ToWorker::Link { .. } | ToWorker::Update, _) => {}
    }
}

/// Takes up what has changed while the worker runs.
async fn update(memory: OwnedFd, host: &Arc<WorkerHost>) {
    let update = match read(memory) {
        Ok(update) => update,
        Err(error) => return eprintln!("what has changed cannot be read: {error}"),
    };
    for peer in &update.gone {
        host.peers().part(*peer).await;
    }
    host.peers().introduce(&update.peers);
    host.peers().regrant(&update.regranted);
    if !update.actors.is_empty() {
        let host = Arc::clone(host);
        tokio::task::spawn_local(async move { host.take_changes(&update.actors).await });
    }
}

fn read(memory: OwnedFd) -> io::Result<Update> {
    let mut bytes = Vec::new();
    let mut file = File::from(memory);
    // The supervisor wrote it, and with that the position is at the end.
    file.rewind()?;
    file.read_to_end(&mut bytes)?;
    Update::from_bytes(&bytes).map_err(io::Error::other)
}

/// Says in the words of messages why a peer is down.
fn cause_of(code: u32) -> DownCause {
    use control::Cause;
    match Cause::from_code(code) {
        Some(Cause::Exit(code)) => DownCause::Exited(code),
        Some(Cause::Signal(signal)) => DownCause::Signalled(signal),
        Some(Cause::OutOfMemory) => DownCause::OutOfMemory,
        Some(Cause::ForbiddenSyscall) => DownCause::ForbiddenSyscall,
        Some(Cause::Protocol | Cause::Accused) => DownCause::Violation,
        Some(Cause::SpawnFailed(_)) => DownCause::NotStarted,
        Some(Cause::StartTimeout) => DownCause::Stuck,
        Some(Cause::Stopped | Cause::StopTimeout) => DownCause::Stopped,
        Some(Cause::Dependency) => DownCause::NotUp,
        // A newer supervisor knows more causes than this executable.
        Some(_) | None => DownCause::Failed,
    }
}

fn set(course: &watch::Sender<Course>, new: Course) {
    course.send_if_modified(|present| {
        let is_harder = new > *present;
        if is_harder {
            *present = new;
        }
        is_harder
    });
}
