//! What workers printed, over HTTP: each line as `logs --json` has it.
//!
//! A reader is told as fast as it reads: the next lines are asked for when the last are on their way, so that of each reader little is
//! held here. What the supervisor forgets before a reader gets to it is counted, and told where it is missing.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{Extension, Path, Query, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::Response;
use bailiwick::control::Target;
use bailiwick_sys::events::monotonic_ns;
use bailiwick_wire::log::{Line, NEXT_LINE, Priority};
use futures::stream;
use serde::Deserialize;
use tokio::sync::OwnedSemaphorePermit;

use crate::caller::Caller;
use crate::desk::Office;
use crate::documents::crashes::{addresses, document};
use crate::feed::Follower;
use crate::json;
use crate::printed::{Entry, Printed, Since, Wanted, level, named};
use crate::readers::may_read;
use crate::site::{JSON, TEXT, plain, unavailable};
use crate::whom::target;

/// How many read lines at a time.
pub(crate) const READERS_MAX: usize = 16;
/// The lines that are told unless it is said how many, or since when.
const LINES: usize = 10;

const LINES_TYPE: &str = "application/x-ndjson";

/// What is asked.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Asked {
    worker: Option<String>,
    actor: Option<String>,
    level: Option<String>,
    /// The last so many of what is remembered.
    n: Option<usize>,
    since: Option<String>,
    /// What came after the line of this number.
    after: Option<u64>,
    /// Whether it goes on.
    follow: Option<String>,
}

/// Lines on their way to one reader.
struct Telling {
    follower: Follower,
    printed: Printed,
    /// The first line that is told.
    first: u64,
    /// What is printed later ends it, for those who do not follow.
    until_ns: Option<u64>,
    is_over: bool,
    _place: OwnedSemaphorePermit,
}

/// Tells what was printed, and with `follow` what is.
pub(crate) async fn logs(
    State(office): State<Office>,
    Extension(caller): Extension<Caller>,
    Query(asked): Query<Asked>,
    headers: HeaderMap,
) -> Response {
    if let Err(refusal) = may_read(&office, &headers, caller).await {
        return refusal;
    }
    let wanted = match asked.wanted() {
        Ok(_) if asked.worker.as_deref() == Some("") => return nobody(Some("")),
        Ok(wanted) => wanted,
        Err(why) => return plain(StatusCode::BAD_REQUEST, TEXT, why + "\n"),
    };
    let Ok(place) = Arc::clone(&office.readers).try_acquire_owned() else {
        let text = format!("{READERS_MAX} read lines already; ask again in a moment\n");
        return plain(StatusCode::SERVICE_UNAVAILABLE, TEXT, text);
    };
    match begin(&office, &asked, wanted, place).await {
        Ok(telling) => answer(telling),
        Err(error) if error.kind() == io::ErrorKind::NotFound => nobody(asked.worker.as_deref()),
        Err(error) => unavailable(&error),
    }
}

/// Tells how lives ended that did not end as they should.
pub(crate) async fn crashes(
    State(office): State<Office>,
    Extension(caller): Extension<Caller>,
    name: Option<Path<String>>,
    headers: HeaderMap,
) -> Response {
    if let Err(refusal) = may_read(&office, &headers, caller).await {
        return refusal;
    }
    let of = match &name {
        None => Target::System,
        Some(Path(name)) => match office.supervisor.status().await {
            Ok(status) => match target(&status, name) {
                Some(of) => of,
                None => return nobody(Some(name)),
            },
            Err(error) => return unavailable(&error),
        },
    };
    match office.supervisor.crashes(of).await {
        Ok(reports) => plain(StatusCode::OK, JSON, json::document(&document(reports, addresses))),
        Err(error) => unavailable(&error),
    }
}

impl Asked {
    fn wanted(&self) -> Result<Wanted, String> {
        let since = match self.since.as_deref().map(Since::read).transpose() {
            Ok(since) => since.map(Since::on_clocks).unwrap_or_default(),
            Err(expected) => return Err(format!("since: {expected}")),
        };
        let level = match self.level.as_deref().map(level).transpose() {
            Ok(level) => level.unwrap_or(Priority::Debug),
            Err(expected) => return Err(format!("level: {expected}")),
        };
        let targets = self.worker.as_deref().map(named).into_iter().collect();
        Ok(Wanted { targets, level, actor: self.actor.clone(), since, life: None })
    }

    fn follows(&self) -> bool {
        self.follow.as_deref().is_some_and(|word| !matches!(word, "0" | "false"))
    }

    /// Returns how many of the lines that are remembered are told, if not all.
    fn most(&self) -> Option<usize> {
        let is_all = self.since.is_some() || self.after.is_some();
        self.n.or((!is_all).then_some(LINES))
    }
}

/// Finds the place from which on a reader is told.
async fn begin(
    office: &Office,
    asked: &Asked,
    wanted: Wanted,
    place: OwnedSemaphorePermit,
) -> io::Result<Telling> {
    let (now_ns, after) = (monotonic_ns(), asked.after.unwrap_or_default());
    let printed = || Printed::new(wanted.clone());
    let of = printed().target();
    // Nobody of this name is told of at once, also where nothing is asked for.
    office.supervisor.log(NEXT_LINE, of.clone(), Duration::ZERO).await?;
    let first = match asked.most() {
        None => 0,
        Some(most) => first_of_last(office.feed.follow(of.clone(), after), printed(), most, now_ns).await?,
    };
    Ok(Telling {
        follower: office.feed.follow(of, after),
        printed: Printed::after(wanted, after),
        first,
        until_ns: (!asked.follows()).then_some(now_ns),
        is_over: false,
        _place: place,
    })
}

/// Returns the number of the first of the last so many lines that are wanted and remembered now. Of the lines themselves none is
/// kept meanwhile.
async fn first_of_last(
    mut follower: Follower,
    mut printed: Printed,
    most: usize,
    now_ns: u64,
) -> io::Result<u64> {
    let mut last = VecDeque::new();
    let mut beyond = 0;
    loop {
        let lines = follower.remembered().await?;
        let is_past = lines.last().is_none_or(|line| line.said.at.monotonic_ns > now_ns);
        for line in lines.iter() {
            beyond = line.number + 1;
            if printed.take(line.clone()).any(|entry| entry.is_line()) {
                last.push_back(line.number);
            }
            if last.len() > most {
                last.pop_front();
            }
        }
        if is_past {
            return Ok(last.front().copied().unwrap_or(beyond));
        }
    }
}

impl Telling {
    /// Returns the next lines as text; nothing at the end.
    async fn next(&mut self) -> io::Result<Option<Bytes>> {
        while !self.is_over {
            let lines = match self.until_ns {
                Some(_) => self.follower.remembered().await?,
                None => self.follower.next().await?,
            };
            let is_past = |line: &Line| self.until_ns.is_some_and(|until| line.said.at.monotonic_ns > until);
            self.is_over = lines.last().is_none_or(is_past);
            let entries = lines.iter().flat_map(|line| self.told(line));
            let text: String = entries.map(|entry| entry.to_json()).collect();
            if !text.is_empty() {
                return Ok(Some(text.into()));
            }
        }
        Ok(None)
    }

    fn told(&mut self, line: &Line) -> Vec<Entry> {
        let number = line.number;
        let entries = self.printed.take(line.clone());
        // What is missing before the first line goes with those before it.
        let is_told = |entry: &Entry| number > self.first || number == self.first && entry.is_line();
        entries.filter(is_told).collect()
    }
}

fn answer(telling: Telling) -> Response {
    let pieces = stream::try_unfold(telling, async |mut telling| {
        let piece = telling.next().await?;
        Ok::<_, io::Error>(piece.map(|piece| (piece, telling)))
    });
    let mut response = Response::new(Body::from_stream(pieces));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(LINES_TYPE));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn nobody(name: Option<&str>) -> Response {
    let name: String = name.unwrap_or_default().escape_debug().take(64).collect();
    let text = format!("no worker is called \"{name}\", and none that was has printed what is remembered\n");
    plain(StatusCode::NOT_FOUND, TEXT, text)
}
