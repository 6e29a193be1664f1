//! What serves the requests, in plain HTTP on the same machine.

use std::net::SocketAddr;
use std::time::Duration;

use http_body_util::{Either, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::header::{
    CONNECTION, FORWARDED, HeaderMap, HeaderName, HeaderValue, TE, TRANSFER_ENCODING, UPGRADE,
};
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long the backend may take to begin with an answer.
const PATIENCE: Duration = Duration::from_secs(30);
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
/// What is said to the next hop, and what the backend believes of nobody but this proxy.
const NOT_PASSED_ON: [HeaderName; 9] = [
    CONNECTION,
    TE,
    TRANSFER_ENCODING,
    UPGRADE,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    FORWARDED,
    FORWARDED_FOR,
    FORWARDED_PROTO,
];

/// An answer of the backend, or one instead of it.
pub(crate) type Answer = Response<Either<Incoming, Full<Bytes>>>;

/// Where requests are passed on to.
#[derive(Clone, Debug)]
pub(crate) struct Backend {
    address: SocketAddr,
}

impl Backend {
    pub(crate) fn new(address: SocketAddr) -> Self {
        Self { address }
    }

    /// Passes a request on, and returns the answer: also if there is none.
    pub(crate) fn answer(
        &self,
        mut request: Request<Incoming>,
        client: SocketAddr,
    ) -> impl Future<Output = Answer> + use<> {
        let headers = request.headers_mut();
        remove_hops(headers);
        headers.insert(FORWARDED_PROTO, HeaderValue::from_static("https"));
        if let Ok(client) = HeaderValue::from_str(&client.ip().to_string()) {
            headers.insert(FORWARDED_FOR, client);
        }
        let address = self.address;
        async move {
            match timeout(PATIENCE, ask(address, request)).await {
                Ok(Ok(mut response)) => {
                    remove_hops(response.headers_mut());
                    response.map(Either::Left)
                }
                Ok(Err(_)) => instead(StatusCode::BAD_GATEWAY, "the backend does not answer\n"),
                Err(_) => instead(StatusCode::GATEWAY_TIMEOUT, "the backend takes too long\n"),
            }
        }
    }
}

async fn ask(address: SocketAddr, request: Request<Incoming>) -> Result<Response<Incoming>, std::io::Error> {
    let stream = TcpStream::connect(address).await?;
    let (mut sender, connection) =
        http1::handshake(TokioIo::new(stream)).await.map_err(std::io::Error::other)?;
    // It carries the two bodies, and ends with them.
    tokio::task::spawn_local(connection);
    sender.send_request(request).await.map_err(std::io::Error::other)
}

fn remove_hops(headers: &mut HeaderMap) {
    for name in NOT_PASSED_ON {
        headers.remove(name);
    }
}

fn instead(status: StatusCode, text: &'static str) -> Answer {
    let mut answer = Response::new(Either::Right(Full::from(text)));
    *answer.status_mut() = status;
    answer
}
