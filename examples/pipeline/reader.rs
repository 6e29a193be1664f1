//! The worker that takes lines from a socket, and sees to it that none is lost silently.

use std::io;
use std::os::unix::net::UnixListener;
use std::rc::Rc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bailiwick::prelude::*;
use futures::stream::{TryStreamExt, try_unfold};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::net::unix::OwnedReadHalf;
use tokio::sync::Semaphore;
use tokio::time::sleep;

use crate::protocol::{Counts, Entry, Id, ParserRef, Silent, StoreRef};

/// The name of the listener in the manifest.
const LISTENER: &str = "lines";
/// Clients at a time. More of them wait in the listener's backlog.
const CLIENTS_MAX: usize = 16;
/// The longest line.
const LINE_BYTES_MAX: u64 = 64 << 10;
/// Lines of one client that are under way at a time. A client that is faster waits.
const LINES_MAX: usize = 16;
/// How many parsers a line may end, the first in company and the others alone: one may have ended by an operator's hand.
const DEATHS_MAX: u32 = 3;
/// How long a parser, or the store, may take for a line.
const PATIENCE: Duration = Duration::from_secs(10);
/// The pause before what was not delivered is sent again, and after the process ran out of descriptors.
const PAUSE: Duration = Duration::from_millis(20);

/// Serves clients on the listener that the supervisor keeps.
#[derive(Debug, Default)]
pub(crate) struct Reader;

impl Silent for Reader {}

impl Actor for Reader {
    async fn started(&mut self, cx: &mut Context) -> Result<(), ActorError> {
        let listener: UnixListener = cx.kept(LISTENER)?;
        listener.set_nonblocking(true)?;
        let listener = tokio::net::UnixListener::from_std(listener)?;
        let (parser, quarantine) = (cx.peer("parser")?, cx.peer("quarantine")?);
        let pipeline = Pipeline { parser, quarantine, store: cx.peer("store")? };
        tokio::task::spawn_local(serve(listener, Rc::new(pipeline)));
        Ok(())
    }
}

async fn serve(listener: tokio::net::UnixListener, pipeline: Rc<Pipeline>) {
    let seats = std::sync::Arc::new(Semaphore::new(CLIENTS_MAX));
    while let Ok(seat) = std::sync::Arc::clone(&seats).acquire_owned().await {
        let Ok((client, _)) = listener.accept().await else {
            sleep(PAUSE).await;
            continue;
        };
        let pipeline = Rc::clone(&pipeline);
        tokio::task::spawn_local(async move {
            // A client that gets no counts knows that its lines are not settled, and sends them again.
            if let Err(error) = pipeline.converse(client).await {
                eprintln!("a client's lines are not settled: {error}");
            }
            drop(seat);
        });
    }
}

/// Where lines go from here.
#[derive(Debug)]
struct Pipeline {
    parser: ParserRef,
    /// Parsers of one line each.
    quarantine: ParserRef,
    store: StoreRef,
}

impl Pipeline {
    /// Settles all lines of a client, and tells it how many came to which end.
    async fn converse(&self, client: UnixStream) -> io::Result<()> {
        let began = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let reader = u64::try_from(began.as_micros()).unwrap_or(u64::MAX);
        let (lines, mut answer) = client.into_split();
        let lines = try_unfold((BufReader::new(lines), 0), async |(mut lines, number)| {
            let line = next_line(&mut lines).await?;
            Ok(line.map(|line| ((Id { reader, line: number }, line), (lines, number + 1))))
        });
        let counts = lines
            .map_ok(|(id, line)| self.settle(id, line))
            .try_buffer_unordered(LINES_MAX)
            .try_fold(Counts::default(), async |counts, entry| Ok(counts.with(&entry)))
            .await?;
        let mut told = serde_json::to_vec(&counts)?;
        told.push(b'\n');
        answer.write_all(&told).await
    }

    /// Brings one line to its end, whoever dies meanwhile.
    async fn settle(&self, id: Id, line: String) -> io::Result<Entry> {
        let entry = self.parsed(line).await;
        loop {
            // Nobody knows whether an entry is kept if the store dies with it; and it does no harm to put it again.
            match self.store.put(id, entry.clone()).ask(PATIENCE).await {
                Ok(Ok(())) => return Ok(entry),
                Ok(Err(error)) => return Err(io::Error::other(error)),
                Err(_) => sleep(PAUSE).await,
            }
        }
    }

    /// Has a line parsed, or finds that it is poison.
    ///
    /// When a parser dies, the line that it died of is not the only one without an answer: those that waited behind it come back
    /// as `NotDelivered` and are blamed for nothing, but others may have been parsed without their answers having left yet. So
    /// whoever is under suspicion gets a parser for itself, and that one's death is its own doing.
    async fn parsed(&self, line: String) -> Entry {
        let mut deaths = 0;
        loop {
            let parser = if deaths == 0 { &self.parser } else { &self.quarantine };
            match parser.parse(line.clone()).ask(PATIENCE).await {
                Ok(Ok(record)) => return Entry::Stored(record),
                Ok(Err(error)) => return Entry::Refused { line, reason: error.to_string() },
                Err(AskError::NotDelivered(_)) => sleep(PAUSE).await,
                Err(AskError::Unknown(reason)) => {
                    deaths += 1;
                    if deaths == DEATHS_MAX {
                        return Entry::Poison { line, reason: reason.to_string() };
                    }
                }
            }
        }
    }
}

/// Reads a line, without its end. What is not UTF-8 is replaced.
async fn next_line(lines: &mut BufReader<OwnedReadHalf>) -> io::Result<Option<String>> {
    let mut line = Vec::new();
    lines.take(LINE_BYTES_MAX + 1).read_until(b'\n', &mut line).await?;
    let ended = line.pop_if(|last| *last == b'\n').is_some();
    if !ended && line.len() as u64 > LINE_BYTES_MAX {
        return Err(io::Error::other(format!(
            "a line has at most {LINE_BYTES_MAX} bytes, this one has more"
        )));
    }
    let text = String::from_utf8_lossy(&line).into_owned();
    Ok((ended || !line.is_empty()).then_some(text))
}

impl Counts {
    fn with(mut self, entry: &Entry) -> Self {
        self.read += 1;
        match entry {
            Entry::Stored(_) => self.stored += 1,
            Entry::Refused { .. } => self.refused += 1,
            Entry::Poison { .. } => self.poison += 1,
        }
        self
    }
}
