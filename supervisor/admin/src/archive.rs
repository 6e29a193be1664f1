//! What is printed, written into files for whoever looks later: as `logs --json` has it, each line once, with what is missing told.
//!
//! The supervisor remembers what is printed, and the files say how far they are. So nothing is kept here: after a crash, and after
//! a time in which nothing could be written, it goes on with the line after the last that is written, if the supervisor still has it.
//! Numbers of lines follow each other, so that how many are missing is what lies between two of them.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bailiwick::Supervisor;
use bailiwick::control::Target;
use bailiwick_sys::events::monotonic_ns;
use bailiwick_wire::log::Line;
use serde::{Deserialize, Serialize};
use tokio::task::spawn_blocking;
use tokio::time::sleep;

use crate::feed::Feed;
use crate::json::{self, SCHEMA_VERSION};
use crate::log_files::{Bounds, Found, LogFiles, Run};
use crate::printed::{Entry, Printed, Wanted};

/// The pause before something is tried again that failed.
const PAUSE: Duration = Duration::from_secs(5);
/// How far two looks at when a supervisor began may differ: as long as an answer takes.
const LOOK: Duration = Duration::from_secs(2);

/// Where lines are written.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Place {
    folder: PathBuf,
    file_bytes: u64,
    files: u32,
}

/// Lines that are not there, up to one of this number.
#[derive(Serialize)]
struct Missing {
    schema_version: u32,
    number: u64,
    missing: u64,
}

/// Writes for ever.
pub(crate) async fn keep(supervisor: Supervisor, feed: Feed, place: Place) {
    let (shown, mut is_told) = (place.folder.display().to_string(), false);
    loop {
        let Err(error) = write(&supervisor, &feed, &place, &shown, &mut is_told).await;
        // Once, however long it lasts: this is a line as well.
        if !std::mem::replace(&mut is_told, true) {
            eprintln!(
                "<3>lines are not written into {shown}: {error}; it is tried again, and what is missing then is counted"
            );
        }
        sleep(PAUSE).await;
    }
}

/// Writes until that fails.
async fn write(
    supervisor: &Supervisor,
    feed: &Feed,
    place: &Place,
    shown: &str,
    is_told: &mut bool,
) -> io::Result<std::convert::Infallible> {
    let mut files = begin(supervisor, place.clone()).await?;
    let mut follower = feed.follow(Target::System, files.last());
    loop {
        let lines = follower.next().await?;
        files = blocking(move || append(&mut files, &lines).map(|()| files)).await?;
        if std::mem::take(is_told) {
            eprintln!("<5>lines are written into {shown} again");
        }
    }
}

/// Opens the files, to go on where they end if they are of this supervisor.
async fn begin(supervisor: &Supervisor, place: Place) -> io::Result<LogFiles> {
    let head = supervisor.status().await?.supervisor;
    let uptime_ns = u64::try_from(head.uptime.as_nanos()).unwrap_or(u64::MAX);
    let run = Run {
        pid: head.pid,
        started: json::time(json::now().saturating_sub(head.uptime)),
        started_mono_ns: monotonic_ns().saturating_sub(uptime_ns),
    };
    let bounds = Bounds { bytes: place.file_bytes, files: place.files };
    let (mut files, found) = blocking(move || LogFiles::open(&place.folder, bounds)).await?;
    let (run, last) = match found {
        Some(found) if is_of(supervisor, &found, &run).await? => (found.run, found.last),
        _ => (run, 0),
    };
    blocking(move || files.begin(&run, last).map(|()| files)).await
}

/// Returns whether files end with a line of this supervisor's.
async fn is_of(supervisor: &Supervisor, found: &Found, run: &Run) -> io::Result<bool> {
    let apart_ns = found.run.started_mono_ns.abs_diff(run.started_mono_ns);
    if found.run.pid != run.pid || u128::from(apart_ns) > LOOK.as_nanos() {
        return Ok(false);
    }
    let Some(before) = found.last.checked_sub(1) else { return Ok(true) };
    // The machine may have been started anew, and everything be as it was, but not to the nanosecond.
    let lines = supervisor.log(before, Target::System, Duration::ZERO).await?;
    Ok(match lines.first() {
        Some(line) if line.number == found.last => {
            found.at_mono_ns.is_none_or(|at_ns| at_ns == line.said.at.monotonic_ns)
        }
        Some(line) => line.number > found.last,
        // It was printed too fast to be kept, and is the last.
        None => true,
    })
}

/// Adds lines, and how many are missing before each.
fn append(files: &mut LogFiles, lines: &Arc<[Line]>) -> io::Result<()> {
    let mut printed = Printed::new(Wanted::all_of(Target::System));
    let mut last = files.last();
    for line in lines.iter() {
        let number = line.number;
        let missing = number.saturating_sub(last + 1);
        if missing > 0 {
            let told = Missing { schema_version: SCHEMA_VERSION, number: number - 1, missing };
            files.put(number - 1, &json::line(&told))?;
        }
        let entries = printed.take(line.clone());
        let text: String = entries.filter(Entry::is_line).map(|entry| entry.to_json()).collect();
        // One that is too long for a file is missing before the next.
        last = if files.put(number, &text)? { number } else { number - 1 };
    }
    files.flush()
}

/// Does on a thread of its own what may wait for a disk.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    spawn_blocking(work).await.map_err(io::Error::other)?
}
