//! The worker that strangers talk to: it speaks TLS and HTTP with them, and has everything for that but the key.

use std::convert::Infallible;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use bailiwick::prelude::*;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls::ServerConfig;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::server::Acceptor;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::version::TLS13;
use serde::{Deserialize, Serialize};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::server::TlsStream;

use crate::backend::Backend;
use crate::protocol::Silent;
use crate::remote_key::RemoteKey;

/// The name under which the supervisor keeps the listener.
pub(crate) const LISTENER: &str = "https";
/// The name of the credential in the manifest. A certificate is no secret; so the front needs no right to open files.
const CERTIFICATE: &str = "certificate";
/// Connections at a time, each of which may have one to the backend. More of them wait in the listener's backlog.
const CONNECTIONS_MAX: usize = 100;
/// From the first byte to the end of the handshake.
const HANDSHAKE_PATIENCE: Duration = Duration::from_secs(10);
/// From the first byte of a request to the end of its head, and between two requests.
const HEAD_PATIENCE: Duration = Duration::from_secs(10);
/// How long a connection may last, whatever it does.
const CONNECTION_PATIENCE: Duration = Duration::from_secs(300);
/// The pause after the process ran out of descriptors; connections that end free some.
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);

/// What the manifest says to [`Front`].
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FrontArgs {
    backend: SocketAddr,
}

/// Ends the TLS of strangers, and passes their requests on.
#[derive(Debug)]
pub(crate) struct Front {
    args: FrontArgs,
}

impl Front {
    pub(crate) fn new(args: FrontArgs) -> Self {
        Self { args }
    }
}

impl Silent for Front {}

impl Actor for Front {
    async fn started(&mut self, cx: &mut Context) -> Result<(), ActorError> {
        let listener: TcpListener = cx.kept(LISTENER)?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let listener = tokio::net::TcpListener::from_std(listener)?;
        let config = config(&cx.credential(CERTIFICATE)?, RemoteKey::new(cx.peer("signer")?))?;
        tokio::task::spawn_local(serve(listener, Arc::new(config), Backend::new(self.args.backend)));
        println!("serving at https://{address}/");
        Ok(())
    }
}

/// TLS 1.3 alone: of TLS 1.2 the signer could not tell what it signs.
fn config(certificate: &[u8], key: RemoteKey) -> Result<ServerConfig, ActorError> {
    let chain = CertificateDer::pem_slice_iter(certificate).collect::<Result<Vec<_>, _>>()?;
    let key = CertifiedKey::new(chain, Arc::new(key));
    let mut config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_protocol_versions(&[&TLS13])?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(key)));
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

async fn serve(listener: tokio::net::TcpListener, config: Arc<ServerConfig>, backend: Backend) {
    let seats = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    while let Ok(seat) = Arc::clone(&seats).acquire_owned().await {
        let Ok((stream, client)) = listener.accept().await else {
            sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let (config, backend) = (Arc::clone(&config), backend.clone());
        tokio::task::spawn_local(async move {
            // How a connection ends is its client's affair: every outcome frees the seat.
            let _ = timeout(CONNECTION_PATIENCE, connection(stream, client, config, backend)).await;
            drop(seat);
        });
    }
}

async fn connection(
    stream: TcpStream,
    client: SocketAddr,
    config: Arc<ServerConfig>,
    backend: Backend,
) -> io::Result<()> {
    let stream = timeout(HANDSHAKE_PATIENCE, handshake(stream, config)).await??;
    let service = service_fn(|request| {
        let answer = backend.answer(request, client);
        async { Ok::<_, Infallible>(answer.await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_PATIENCE)
        .serve_connection(TokioIo::new(stream), service);
    connection.await.map_err(io::Error::other)
}

/// Reads the client's hello without a thread of its own, however slowly it comes; only then rustls has all that it needs to
/// ask for the signature, in one call. That one is made on a thread which may block, so that the other connections go on
/// while the signer signs, or is restarted.
///
/// A client that has to be asked for another key share says hello twice, and the signature is asked for on the actor's own
/// thread. It may block as well, since the actor is declared so: then the others wait for that one signature.
async fn handshake(stream: TcpStream, config: Arc<ServerConfig>) -> io::Result<TlsStream<TcpStream>> {
    let hello = LazyConfigAcceptor::new(Acceptor::default(), stream).await?;
    let signed = tokio::task::spawn_blocking(move || hello.into_stream(config)).await;
    signed.map_err(io::Error::other)?.await
}
