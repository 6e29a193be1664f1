//! Takes connections and holds each of them to its limits: whoever is slow, many or rude costs a bounded part of this worker,
//! and nobody else anything. What waits for slow readers, of all together, is bounded by `backlog`.

use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::net::UnixListener;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{sleep, timeout};
use tokio_io_timeout::TimeoutStream;

use crate::caller::Caller;

/// Connections at a time. More of them wait in the listener's backlog.
pub(crate) const CONNECTIONS_MAX: usize = 64;
/// From the first byte of a request to the end of its head, and between two requests.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// All headers of a request.
const HEAD_BYTES_MAX: usize = 16 << 10;
/// How long a reader may take nothing of what is for it.
const STANDSTILL_LIMIT: Duration = Duration::from_secs(30);
/// How long one connection lasts at most. Who follows events connects again, and says up to which it has heard.
const CONNECTION_LIMIT: Duration = Duration::from_secs(300);
/// The pause after the process ran out of descriptors; connections that end free some.
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);

/// Where connections come from.
pub(crate) enum Listener {
    Tcp(tokio::net::TcpListener, SocketAddr),
    Unix(tokio::net::UnixListener),
}

impl Listener {
    pub(crate) fn tcp(listener: TcpListener) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        Ok(Self::Tcp(tokio::net::TcpListener::from_std(listener)?, address))
    }

    pub(crate) fn unix(listener: UnixListener) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        Ok(Self::Unix(tokio::net::UnixListener::from_std(listener)?))
    }

    /// Returns whether only those come who may open a file.
    pub(crate) fn is_local_file(&self) -> bool {
        matches!(self, Self::Unix(_))
    }
}

impl fmt::Display for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(_, address) => write!(f, "http://{address}/"),
            Self::Unix(_) => f.write_str("a Unix socket"),
        }
    }
}

/// Serves for ever. Must run on an executor of actors.
pub(crate) async fn serve(listener: Listener, site: Router) {
    let seats = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let Ok(seat) = Arc::clone(&seats).acquire_owned().await else { return };
        let begun = match &listener {
            Listener::Tcp(listener, _) => {
                listener.accept().await.map(|(stream, from)| begin(stream, Caller::Tcp(from), seat, &site))
            }
            Listener::Unix(listener) => listener.accept().await.map(|(stream, _)| {
                let uid = stream.peer_cred().ok().map(|peer| peer.uid());
                begin(stream, Caller::Unix(uid), seat, &site);
            }),
        };
        if begun.is_err() {
            sleep(ACCEPT_PAUSE).await;
        }
    }
}

fn begin(
    stream: impl AsyncRead + AsyncWrite + Send + 'static,
    caller: Caller,
    seat: OwnedSemaphorePermit,
    site: &Router,
) {
    let site = TowerToHyperService::new(site.clone());
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(caller);
        site.call(request)
    });
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(STANDSTILL_LIMIT));
    tokio::task::spawn_local(async move {
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT).max_buf_size(HEAD_BYTES_MAX);
        // Whoever breaks off, or speaks no HTTP, is nobody's affair.
        let _ =
            timeout(CONNECTION_LIMIT, http.serve_connection(TokioIo::new(Box::pin(stream)), service)).await;
        drop(seat);
    });
}
