//! One question and its answer over HTTP, bounded in time and size.

use std::io;
use std::time::Duration;

use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::header::{AUTHORIZATION, CONNECTION, CONTENT_TYPE, HOST};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::runtime;
use tokio::time::timeout;

use super::AdminError;

/// The most bytes of the head of an answer.
const HEAD_BYTES_MAX: usize = 64 << 10;
/// The most bytes of its body.
pub(super) const BODY_BYTES_MAX: usize = 16 << 20;

/// What is asked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Question<'a> {
    pub(super) path: &'a str,
    pub(super) token: Option<&'a str>,
    /// Sent, where there is one.
    pub(super) body: Option<&'a str>,
}

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum Broken {
    Unreachable(io::Error),
    TimedOut,
    TooLong,
    NoText,
    /// It is no question, or no answer, of HTTP.
    NoHttp(String),
}

impl Broken {
    /// Says whom it was who did not answer.
    pub(super) fn of(self, address: &str, waited: Duration, stands: &str) -> AdminError {
        let (address, stands) = (address.to_owned(), stands.to_owned());
        match self {
            Self::Unreachable(error) => AdminError::Unreachable { address, error, stands },
            Self::TimedOut => AdminError::TimedOut { address, waited, stands },
            Self::TooLong => AdminError::TooLong { address, limit: BODY_BYTES_MAX },
            Self::NoText => AdminError::NoText { address },
            Self::NoHttp(why) => AdminError::NoHttp { address, why },
        }
    }
}

impl From<hyper::Error> for Broken {
    fn from(error: hyper::Error) -> Self {
        Self::NoHttp(error.to_string())
    }
}

/// Asks whoever listens at an address, and returns the code and the text of the answer.
pub(super) fn exchange(
    address: &str,
    question: Question<'_>,
    limit: Duration,
) -> Result<(u16, String), Broken> {
    let answer = async {
        let response = begin(address, question).await?;
        Ok((response.status().as_u16(), whole(response.into_body()).await?))
    };
    executor()?.block_on(async { timeout(limit, answer).await }).unwrap_or(Err(Broken::TimedOut))
}

pub(super) fn executor() -> Result<runtime::Runtime, Broken> {
    let executor = runtime::Builder::new_current_thread().enable_io().enable_time().build();
    executor.map_err(Broken::Unreachable)
}

/// Asks whoever listens at an address, and returns the head of the answer with the body that follows.
pub(super) async fn begin(address: &str, question: Question<'_>) -> Result<Response<Incoming>, Broken> {
    match address.starts_with('/') {
        // Whoever serves at a file does not look at the name of a host.
        true => over(UnixStream::connect(address).await, "localhost", question).await,
        false => over(TcpStream::connect(address).await, address, question).await,
    }
}

async fn over<S>(
    stream: io::Result<S>,
    host: &str,
    question: Question<'_>,
) -> Result<Response<Incoming>, Broken>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let stream = TokioIo::new(stream.map_err(Broken::Unreachable)?);
    let request = request(host, question).map_err(|error| Broken::NoHttp(error.to_string()))?;
    let (mut sender, connection) =
        http1::Builder::new().max_buf_size(HEAD_BYTES_MAX).handshake(stream).await?;
    // It moves the bytes, ends with the executor, and tells the sender of what goes wrong.
    tokio::spawn(connection);
    Ok(sender.send_request(request).await?)
}

/// Returns a whole body as text.
pub(super) async fn whole(body: Incoming) -> Result<String, Broken> {
    let body = Limited::new(body, BODY_BYTES_MAX).collect().await;
    let body = body.map_err(|error| match error.downcast_ref::<LengthLimitError>() {
        Some(_) => Broken::TooLong,
        None => Broken::NoHttp(error.to_string()),
    })?;
    String::from_utf8(body.to_bytes().into()).map_err(|_| Broken::NoText)
}

fn request(host: &str, question: Question<'_>) -> hyper::http::Result<Request<Full<Bytes>>> {
    let method = if question.body.is_some() { "POST" } else { "GET" };
    let mut request = Request::builder().method(method).uri(question.path).header(HOST, host);
    request = request.header(CONNECTION, "close");
    if question.body.is_some() {
        request = request.header(CONTENT_TYPE, "application/json");
    }
    if let Some(token) = question.token {
        request = request.header(AUTHORIZATION, format!("Bearer {token}"));
    }
    request.body(Full::from(question.body.unwrap_or_default().to_owned()))
}
