//! What the front answers to each request, with the help of the workers that can do what it cannot.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::time::Duration;

use bailiwick::prelude::*;
use hyper::body::Incoming;
use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::{Method, Request, StatusCode};
use nix::sys::memfd::{MFdFlags, memfd_create};
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};

use crate::http::address::{AddressError, Place, names_this_machine, place_of};
use crate::http::body::Content;
use crate::http::html::Component;
use crate::http::range::{Wanted, wanted};
use crate::http::reply::{self, Reply, Validators};
use crate::http::upload::{self, UploadError};
use crate::name::{NameError, PictureName};
use crate::process_tree::{Hidden, TreeRef};
use crate::protocol::{Facts, FilesRef, FolderError, Published, ThumbsRef};
use crate::shrink::{BadPicture, FILE_BYTES_MAX, Thumb};
use crate::{index_page, processes_page};

/// Whom the front asks.
#[derive(Clone, Debug)]
pub(crate) struct Site {
    pub(crate) files: FilesRef,
    pub(crate) thumbs: ThumbsRef,
    pub(crate) tree: TreeRef,
    /// Only this machine reaches the listener.
    pub(crate) private: bool,
    /// Each upload holds one.
    pub(crate) uploads: Arc<Semaphore>,
    /// Each picture in a shrinker's hands holds one. Who waits here loses nothing when a shrinker dies of the picture
    /// before.
    pub(crate) shrinking: Arc<Semaphore>,
}

/// Uploads at a time.
pub(crate) const UPLOADS_MAX: usize = 32;
/// As many pictures at a time; each is given to a fresh shrinker.
pub(crate) const SHRINKERS: u16 = 2;
/// How long the folder may take.
const FILES_DEADLINE: Duration = Duration::from_secs(2);
/// How long a picture may take to become smaller, with the time that it waits for its turn.
const THUMB_DEADLINE: Duration = Duration::from_secs(8);
/// For how long a part of the gallery that is being restarted is waited for. It takes much less, unless it fails again
/// and again; then an answer soon is better than a page that hangs.
const RESTART_PATIENCE: Duration = Duration::from_secs(1);
/// Between two tries.
const RESTART_PAUSE: Duration = Duration::from_millis(10);
/// More than a thumbnail of the largest width needs.
const THUMB_BYTES_MAX: u64 = 16 << 20;

const STYLE: &str = include_str!("assets/gallery.css");
const SCRIPT: &str = include_str!("assets/gallery.js");
const ICON: &str = include_str!("assets/icon.svg");

impl Site {
    /// Answers one request. Always returns, at the latest after the deadlines above.
    pub(crate) async fn answer(self, request: Request<Incoming>) -> Reply {
        if self.private && !names_this_machine(request.headers()) {
            return reply::error(StatusCode::MISDIRECTED_REQUEST, "this gallery has no such name");
        }
        let place = match place_of(request.uri()) {
            Ok(place) => place,
            Err(error @ AddressError::Nothing) => {
                return reply::error(StatusCode::NOT_FOUND, &error.to_string());
            }
            Err(error) => return reply::error(StatusCode::BAD_REQUEST, &error.to_string()),
        };
        let method = request.method().clone();
        match (place, method) {
            (Place::File { name }, Method::PUT) => self.put(name, request).await,
            (place, Method::GET | Method::HEAD) => self.show(place, request.headers()).await,
            (Place::File { .. }, _) => reply::not_allowed("GET, HEAD, PUT"),
            (_, _) => reply::not_allowed("GET, HEAD"),
        }
    }

    async fn show(&self, place: Place, headers: &HeaderMap) -> Reply {
        let shown = over_restarts(async || match &place {
            Place::Index { page } => self.index(*page).await,
            Place::Thumb { name, width } => self.thumb(name, *width, headers).await,
            Place::File { name } => self.file(name, headers).await,
            Place::Processes => self.processes(headers).await,
            Place::Style => Ok(asset("text/css; charset=utf-8", STYLE)),
            Place::Script => Ok(asset("text/javascript; charset=utf-8", SCRIPT)),
            Place::Icon => Ok(asset("image/svg+xml", ICON)),
        });
        shown.await.unwrap_or_else(Trouble::into_reply)
    }

    async fn index(&self, page: u32) -> Result<Reply, Trouble> {
        let listing = self.files.list(page).ask(FILES_DEADLINE).await??;
        Ok(reply::page(index_page::render(&listing, page)))
    }

    async fn processes(&self, headers: &HeaderMap) -> Result<Reply, Trouble> {
        let tree = self.tree.processes().ask(FILES_DEADLINE).await??;
        let json = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
        if json.is_some_and(|accept| accept.contains("application/json")) {
            let text = serde_json::to_string_pretty(&tree).map_err(io::Error::from)?;
            return Ok(reply::reply(StatusCode::OK, "application/json", Content::bytes(text)));
        }
        Ok(reply::page(processes_page::render(&tree)))
    }

    async fn file(&self, name: &str, headers: &HeaderMap) -> Result<Reply, Trouble> {
        let name = PictureName::parse(name)?;
        let opened = self.files.open(name.clone()).ask(FILES_DEADLINE).await??;
        let validators = Validators::new(&[opened.facts.inode, opened.facts.bytes], opened.facts.modified_ns);
        let mut reply = if validators.is_known_to(headers) {
            reply::empty(StatusCode::NOT_MODIFIED)
        } else {
            let part = headers.get(header::RANGE).filter(|_| validators.permit_part(headers));
            let part = part.and_then(|range| range.to_str().ok());
            send(opened.file.into(), opened.facts.bytes, part, name.format().media_type())
        };
        validators.mark(&mut reply);
        Ok(reply)
    }

    async fn thumb(&self, name: &str, width: u16, headers: &HeaderMap) -> Result<Reply, Trouble> {
        let name = PictureName::parse(name)?;
        let opened = self.files.open(name.clone()).ask(FILES_DEADLINE).await??;
        let Facts { bytes, modified_ns, inode } = opened.facts;
        let validators = Validators::new(&[inode, bytes, width.into()], modified_ns);
        let mut reply = if validators.is_known_to(headers) {
            reply::empty(StatusCode::NOT_MODIFIED)
        } else {
            let out = File::from(memfd_create(c"thumb", MFdFlags::MFD_CLOEXEC).map_err(io::Error::from)?);
            let given = Fd::from(out.try_clone()?);
            let thumb = self.shrink(opened.file, given, width).await?;
            let bytes = copied(&out, &thumb)?;
            reply::reply(StatusCode::OK, thumb.format.media_type(), Content::bytes(bytes))
        };
        validators.mark(&mut reply);
        Ok(reply)
    }

    async fn shrink(&self, picture: Fd<File>, out: Fd<File>, width: u16) -> Result<Thumb, Trouble> {
        let until = Instant::now() + THUMB_DEADLINE;
        let turn = timeout_at(until, self.shrinking.acquire()).await;
        let _turn = turn.map_err(|_| Trouble::Busy("pictures"))?.map_err(io::Error::other)?;
        let left = until.saturating_duration_since(Instant::now());
        match self.thumbs.shrink(picture, out, width).ask(left).await {
            // A picture that ended one shrinker would end the next.
            Err(error @ AskError::Unknown(_)) => Err(Trouble::Lost(error)),
            outcome => Ok(outcome??),
        }
    }

    async fn put(&self, name: String, request: Request<Incoming>) -> Reply {
        // A page of another site may send a request here; a browser says so.
        let site = request.headers().get("sec-fetch-site").map(HeaderValue::as_bytes);
        if !matches!(site, None | Some(b"same-origin" | b"none")) {
            return reply::error(StatusCode::FORBIDDEN, "another site may not add pictures");
        }
        match self.take(&name, request.into_body()).await {
            Ok(Published::Replaced) => reply::empty(StatusCode::NO_CONTENT),
            Ok(Published::Created) => {
                let mut reply = reply::empty(StatusCode::CREATED);
                if let Ok(place) = HeaderValue::from_str(&format!("/file/{}", Component(&name))) {
                    reply.headers_mut().insert(header::LOCATION, place);
                }
                reply
            }
            Err(trouble) => trouble.into_upload_reply(),
        }
    }

    async fn take(&self, name: &str, body: Incoming) -> Result<Published, Trouble> {
        let name = PictureName::parse(name)?;
        let _held = self.uploads.try_acquire().map_err(|_| Trouble::Busy("uploads"))?;
        let scratch = over_restarts(async || Ok(self.files.scratch().ask(FILES_DEADLINE).await??));
        let scratch = File::from(scratch.await?);
        upload::receive(body, scratch.try_clone()?, FILE_BYTES_MAX).await?;
        let publish = over_restarts(async || {
            let call = self.files.publish(name.clone(), scratch.try_clone()?.into());
            Ok(call.ask(FILES_DEADLINE).await??)
        });
        publish.await
    }
}

/// Does `work` again while somebody who is needed for it is being restarted. All that a client may ask for can be done
/// twice: looking changes nothing, and an upload replaces itself.
async fn over_restarts<R>(work: impl AsyncFn() -> Result<R, Trouble>) -> Result<R, Trouble> {
    let until = Instant::now() + RESTART_PATIENCE;
    loop {
        match work().await {
            Err(Trouble::Down(_)) if Instant::now() < until => tokio::time::sleep(RESTART_PAUSE).await,
            outcome => return outcome,
        }
    }
}

/// Why a request was not answered as it was meant.
#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error(transparent)]
    Name(#[from] NameError),
    #[error(transparent)]
    Folder(#[from] FolderError),
    #[error(transparent)]
    Picture(#[from] BadPicture),
    #[error(transparent)]
    Upload(#[from] UploadError),
    /// Nobody answered, and asking again does no harm.
    #[error("a part of the gallery is being restarted ({0})")]
    Down(#[from] AskError),
    /// Nobody answered, and asking again may end the next one.
    #[error("the part of the gallery that looked at the picture ended ({0})")]
    Lost(AskError),
    #[error(transparent)]
    Hidden(#[from] Hidden),
    #[error("too many {0} at a time")]
    Busy(&'static str),
    #[error(transparent)]
    System(#[from] io::Error),
}

impl Trouble {
    fn into_reply(self) -> Reply {
        let status = match &self {
            Self::Down(_) | Self::Lost(_) | Self::Busy(_) => return reply::unavailable(&self.to_string()),
            Self::Name(_) => StatusCode::NOT_FOUND,
            Self::Picture(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Folder(error) => match error {
                FolderError::NotFound => StatusCode::NOT_FOUND,
                FolderError::Closed | FolderError::ReadOnly => StatusCode::FORBIDDEN,
                FolderError::Full => StatusCode::INSUFFICIENT_STORAGE,
                FolderError::TooLong { .. } => StatusCode::PAYLOAD_TOO_LARGE,
                FolderError::OtherContent => StatusCode::UNSUPPORTED_MEDIA_TYPE,
                FolderError::System { .. } => StatusCode::INTERNAL_SERVER_ERROR,
            },
            Self::Upload(error) => match error {
                UploadError::TooLong { .. } => StatusCode::PAYLOAD_TOO_LARGE,
                UploadError::TooSlow => StatusCode::REQUEST_TIMEOUT,
                UploadError::Broken => StatusCode::BAD_REQUEST,
                UploadError::Unwritable(_) => StatusCode::INSUFFICIENT_STORAGE,
            },
            Self::Hidden(_) | Self::System(_) => StatusCode::INTERNAL_SERVER_ERROR,
        };
        reply::error(status, &self.to_string())
    }

    fn into_upload_reply(self) -> Reply {
        let status = match &self {
            Self::Name(NameError::Extension) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Name(_) => StatusCode::BAD_REQUEST,
            _ => return self.into_reply(),
        };
        reply::error(status, &self.to_string())
    }
}

fn asset(media_type: &'static str, text: &'static str) -> Reply {
    reply::reply(StatusCode::OK, media_type, Content::bytes(text))
}

fn send(file: File, length: u64, range: Option<&str>, media_type: &'static str) -> Reply {
    let wanted = range.map_or(Wanted::Whole, |range| wanted(range, length));
    let (status, part, place) = match wanted {
        Wanted::Whole => (StatusCode::OK, 0..length, None),
        Wanted::Part(part) => {
            let place = format!("bytes {}-{}/{length}", part.start, part.end - 1);
            (StatusCode::PARTIAL_CONTENT, part, Some(place))
        }
        Wanted::Unsatisfiable => {
            let mut reply = reply::error(StatusCode::RANGE_NOT_SATISFIABLE, "the picture has no such bytes");
            mark_place(&mut reply, &format!("bytes */{length}"));
            return reply;
        }
    };
    let mut reply = reply::reply(status, media_type, Content::file(file, part));
    reply.headers_mut().insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    if let Some(place) = place {
        mark_place(&mut reply, &place);
    }
    reply
}

fn mark_place(reply: &mut Reply, place: &str) {
    if let Ok(place) = HeaderValue::from_str(place) {
        reply.headers_mut().insert(header::CONTENT_RANGE, place);
    }
}

/// Copies a thumbnail out of the file that the shrinker may still write to.
fn copied(out: &File, thumb: &Thumb) -> io::Result<Vec<u8>> {
    let length = thumb.bytes.min(THUMB_BYTES_MAX);
    let mut bytes = vec![0; usize::try_from(length).map_err(io::Error::other)?];
    out.read_exact_at(&mut bytes, 0)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use bailiwick::Unknown;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_part_that_is_back_within_a_second_is_waited_for() {
        let tries = Cell::new(0);
        let outcome = over_restarts(async || {
            tries.set(tries.get() + 1);
            if tries.get() < 50 { Err(Trouble::Down(NotDelivered::Draining.into())) } else { Ok(()) }
        });
        outcome.await.expect("it came back");
    }

    #[tokio::test(start_paused = true)]
    async fn a_part_that_stays_away_is_told_after_a_second() {
        let begin = Instant::now();
        let down: Result<(), _> =
            over_restarts(async || Err(Trouble::Down(NotDelivered::Draining.into()))).await;
        let reply = down.expect_err("it stayed away").into_reply();
        assert_eq!((reply.status(), begin.elapsed().as_secs()), (StatusCode::SERVICE_UNAVAILABLE, 1));
    }

    #[tokio::test(start_paused = true)]
    async fn a_picture_that_ended_a_shrinker_is_not_given_to_the_next() {
        let tries = Cell::new(0);
        let lost: Result<(), _> = over_restarts(async || {
            tries.set(tries.get() + 1);
            Err(Trouble::Lost(Unknown::ReplyDropped.into()))
        })
        .await;
        assert!(lost.is_err());
        assert_eq!(tries.get(), 1);
    }
}
