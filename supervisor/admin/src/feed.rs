//! What is printed, told to everybody who follows it, by one question to the supervisor for all of them.
//!
//! A follower reads by itself what is remembered, and from then on hears what one question after another brings, for as long as
//! anybody follows. Whoever is too slow for that reads again what is remembered: what is kept for followers is a few packets, and what
//! the supervisor forgets meanwhile shows in the numbers of lines.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bailiwick::Supervisor;
use bailiwick::control::Target;
use bailiwick_wire::log::Line;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{broadcast, mpsc};
use tokio::time::sleep;

/// How long one question waits for something to be printed.
const PATIENCE: Duration = Duration::from_secs(60);
/// The packets of lines that are kept for followers.
const BEHIND_MAX: usize = 4;
/// The pause after a question that was not answered.
const PAUSE: Duration = Duration::from_secs(1);

/// What is printed.
#[derive(Clone)]
pub(crate) struct Feed {
    supervisor: Supervisor,
    packets: broadcast::Sender<Arc<[Line]>>,
    /// Up to which line somebody has read who begins to wait.
    waits: mpsc::Sender<u64>,
}

/// Somebody who reads on from where it was.
pub(crate) struct Follower {
    feed: Feed,
    packets: broadcast::Receiver<Arc<[Line]>>,
    of: Target,
    /// The number of the last line that was read.
    seen: u64,
    /// There may be more that is remembered.
    is_behind: bool,
}

impl Feed {
    /// Returns one that asks as long as anybody follows. Must be called on an executor of actors.
    pub(crate) fn begin(supervisor: Supervisor) -> Self {
        let (waits, waiting) = mpsc::channel(1);
        let feed = Self { supervisor, packets: broadcast::Sender::new(BEHIND_MAX), waits };
        tokio::task::spawn_local(ask(feed.supervisor.clone(), feed.packets.clone(), waiting));
        feed
    }

    /// Returns somebody who reads what a target printed after the line of a number.
    pub(crate) fn follow(&self, of: Target, after: u64) -> Follower {
        let packets = self.packets.subscribe();
        Follower { feed: self.clone(), packets, of, seen: after, is_behind: true }
    }
}

impl Follower {
    /// Returns the next of the lines that are remembered; none once all are read.
    ///
    /// # Errors
    /// If the supervisor does not answer, or knows nobody of this name.
    pub(crate) async fn remembered(&mut self) -> io::Result<Arc<[Line]>> {
        let lines = self.feed.supervisor.log(self.seen, self.of.clone(), Duration::ZERO).await?;
        self.seen = lines.last().map_or(self.seen, |line| line.number);
        Ok(lines.into())
    }

    /// Returns the next lines, as soon as there are some.
    ///
    /// # Errors
    /// As [`Self::remembered`].
    pub(crate) async fn next(&mut self) -> io::Result<Arc<[Line]>> {
        loop {
            if self.is_behind {
                let lines = self.remembered().await?;
                if !lines.is_empty() {
                    return Ok(lines);
                }
                self.is_behind = false;
                // Whoever asks already goes on doing so.
                let _ = self.feed.waits.try_send(self.seen);
            }
            match self.packets.recv().await {
                Ok(lines) => {
                    let is_new = |line: &Line| line.number > self.seen && self.of.means(&line.source);
                    let new: Arc<[Line]> = lines.iter().filter(|line| is_new(line)).cloned().collect();
                    if let Some(last) = new.last() {
                        self.seen = last.number;
                        return Ok(new);
                    }
                }
                Err(RecvError::Lagged(_)) => self.is_behind = true,
                Err(RecvError::Closed) => return Err(io::ErrorKind::ConnectionAborted.into()),
            }
        }
    }
}

/// Asks for what is printed while anybody follows.
async fn ask(
    supervisor: Supervisor,
    packets: broadcast::Sender<Arc<[Line]>>,
    mut waiting: mpsc::Receiver<u64>,
) {
    while let Some(mut seen) = waiting.recv().await {
        while packets.receiver_count() > 0 {
            match supervisor.log(seen, Target::System, PATIENCE).await {
                Ok(lines) => {
                    seen = lines.last().map_or(seen, |line| line.number);
                    // Nobody may be left to hear it.
                    let _ = packets.send(lines.into());
                }
                Err(_) => sleep(PAUSE).await,
            }
        }
    }
}
