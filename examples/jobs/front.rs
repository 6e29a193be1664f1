//! The worker that strangers talk to: a command comes in as one line, and what it prints goes out while it runs.

use std::io;
use std::os::unix::net::UnixListener;
use std::rc::Rc;
use std::time::Duration;

use bailiwick::prelude::*;
use futures::future::try_join;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::net::unix::pipe;
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

use crate::protocol::{Event, RunnerRef, Silent};

/// The name of the listener in the manifest.
const LISTENER: &str = "jobs";
/// Clients at a time. More of them wait in the listener's backlog.
const CLIENTS_MAX: usize = 32;
/// The longest command.
const COMMAND_BYTES_MAX: u64 = 4 << 10;
/// What is read of a command's output at once.
const PIECE_BYTES_MAX: usize = 16 << 10;
/// How long a client may take to say its command, or to take one event.
const CLIENT_PATIENCE: Duration = Duration::from_secs(5);
/// How long a command waits for a free runner.
const QUEUE_PATIENCE: Duration = Duration::from_secs(30);
/// The pause after the process ran out of descriptors; clients that leave free some.
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);

/// What one command may take, beside what the sandbox of the runner bounds. It is counted here, out of its reach.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Limits {
    /// Commands at a time: as many as there are runners, so that the time of none begins before it does.
    commands: usize,
    seconds: u64,
    output_bytes: usize,
}

/// Serves clients on the listener that the supervisor keeps.
#[derive(Debug)]
pub(crate) struct Front {
    limits: Limits,
}

impl Front {
    pub(crate) fn new(limits: Limits) -> Self {
        Self { limits }
    }
}

impl Silent for Front {}

impl Actor for Front {
    async fn started(&mut self, cx: &mut Context) -> Result<(), ActorError> {
        let listener: UnixListener = cx.kept(LISTENER)?;
        listener.set_nonblocking(true)?;
        let listener = tokio::net::UnixListener::from_std(listener)?;
        let free = Semaphore::new(self.limits.commands);
        let desk = Desk { runner: cx.peer("runner")?, free, limits: self.limits.clone() };
        tokio::task::spawn_local(serve(listener, Rc::new(desk)));
        Ok(())
    }
}

async fn serve(listener: tokio::net::UnixListener, desk: Rc<Desk>) {
    let seats = Rc::new(Semaphore::new(CLIENTS_MAX));
    loop {
        let Ok(seat) = seats.acquire().await else { return };
        let Ok((client, _)) = listener.accept().await else {
            sleep(ACCEPT_PAUSE).await;
            continue;
        };
        seat.forget();
        let (desk, seats) = (Rc::clone(&desk), Rc::clone(&seats));
        tokio::task::spawn_local(async move {
            // How a conversation ends is its client's affair: every outcome frees the seat.
            let _ = desk.converse(client).await;
            seats.add_permits(1);
        });
    }
}

/// What all conversations share.
#[derive(Debug)]
struct Desk {
    runner: RunnerRef,
    free: Semaphore,
    limits: Limits,
}

impl Desk {
    async fn converse(&self, mut client: UnixStream) -> io::Result<()> {
        let end = match timeout(CLIENT_PATIENCE, command(&mut client)).await? {
            Err(error) => Event::NotRun(error.to_string()),
            Ok(command) => match timeout(QUEUE_PATIENCE, self.free.acquire()).await {
                Ok(_turn) => self.follow(command, &mut client).await?,
                Err(_) => Event::NotRun(format!("no runner was free for {} s", QUEUE_PATIENCE.as_secs())),
            },
        };
        tell(&mut client, &end).await
    }

    /// Has a command run, tells the client what it prints, and returns how it ended.
    ///
    /// To return drops the ask if it is still open. The runner's life is over then as well, and with it the command and all
    /// that it started.
    async fn follow(&self, command: String, client: &mut UnixStream) -> io::Result<Event> {
        let limits = &self.limits;
        let time = Duration::from_secs(limits.seconds);
        // What the command prints comes past its runner, which has nothing to add to it.
        let (output, theirs) = io::pipe()?;
        let output = pipe::Receiver::from_owned_fd(output.into())?;
        let over = || Event::Stopped(format!("it ran for {} s, the limit", limits.seconds));
        let asked = self.runner.run(command, theirs.into()).ask(time);
        let ended = async {
            match asked.await {
                Err(AskError::Unknown(Unknown::Expired)) => Err(over()),
                outcome => Ok(Event::from(outcome)),
            }
        };
        // Both have to come to their end: what a command leaves behind may print until the supervisor has ended that, too.
        let job = try_join(ended, pass_on(output, client, limits.output_bytes));
        Ok(match timeout(time + CLIENT_PATIENCE, job).await {
            Ok(Ok((end, ()))) | Ok(Err(end)) => end,
            Err(_) => over(),
        })
    }
}

/// Tells the client what is printed, to its end, or fails with the reason to end the command before. A client that takes
/// nothing holds the command up, until its time is over.
async fn pass_on(mut output: pipe::Receiver, client: &mut UnixStream, limit: usize) -> Result<(), Event> {
    let lost = |error: io::Error| Event::Lost(error.to_string());
    let (mut left, mut piece) = (limit, [0; PIECE_BYTES_MAX]);
    loop {
        let read = output.read(&mut piece).await.map_err(lost)?;
        if read == 0 {
            return Ok(());
        }
        let over = || Event::Stopped(format!("it printed more than {limit} bytes, the limit"));
        left = left.checked_sub(read).ok_or_else(over)?;
        let text = String::from_utf8_lossy(&piece[..read]).into_owned();
        tell(client, &Event::Output(text)).await.map_err(lost)?;
    }
}

/// Reads one line, which is the whole command.
async fn command(client: &mut UnixStream) -> io::Result<String> {
    let mut line = String::new();
    BufReader::new(client.take(COMMAND_BYTES_MAX + 1)).read_line(&mut line).await?;
    let no_line = || io::Error::other(format!("a command is one line of at most {COMMAND_BYTES_MAX} bytes"));
    line.strip_suffix('\n').map(str::to_owned).ok_or_else(no_line)
}

async fn tell(client: &mut UnixStream, event: &Event) -> io::Result<()> {
    let mut line = serde_json::to_vec(event)?;
    line.push(b'\n');
    timeout(CLIENT_PATIENCE, client.write_all(&line)).await?
}
