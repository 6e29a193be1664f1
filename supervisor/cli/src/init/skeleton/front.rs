//! The worker that strangers talk to. It has the listener and nothing else: if it dies, who connects waits in the
//! listener's backlog for its next life.

use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use bailiwick::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

use crate::{LISTENER, Silent, sandbox};

/// Connections at a time. More of them wait in the listener's backlog.
const CONNECTIONS_MAX: usize = 100;
/// How long one connection may last.
const PATIENCE: Duration = Duration::from_secs(10);
/// The longest head of a request, in bytes.
const HEAD_MAX: usize = 8 << 10;

/// Serves HTTP on the listener that it is handed.
#[derive(Default)]
pub struct Front;

impl Silent for Front {}

impl Actor for Front {
    async fn started(&mut self, cx: &mut Context) -> Result<(), ActorError> {
        let listener: TcpListener = cx.kept(LISTENER)?;
        listener.set_nonblocking(true)?;
        println!("serving at http://{}/", listener.local_addr()?);
        let listener = tokio::net::TcpListener::from_std(listener)?;
        tokio::task::spawn_local(serve(listener));
        Ok(())
    }
}

async fn serve(listener: tokio::net::TcpListener) {
    let seats = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    while let Ok(seat) = Arc::clone(&seats).acquire_owned().await {
        match listener.accept().await {
            Ok((stream, _)) => {
                tokio::task::spawn_local(async move {
                    // Who is too slow, or leaves, costs nobody else anything.
                    let _ = timeout(PATIENCE, converse(stream)).await;
                    drop(seat);
                });
            }
            // A client that left before it was taken, or no descriptor to be had: some end and free theirs.
            Err(_) => sleep(Duration::from_millis(20)).await,
        }
    }
}

/// Reads one request and answers it.
async fn converse(mut stream: TcpStream) -> io::Result<()> {
    let mut head = Vec::new();
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        if head.len() > HEAD_MAX || stream.read_buf(&mut head).await? == 0 {
            return Ok(());
        }
    }
    let head = String::from_utf8_lossy(&head);
    let (status, body) = answer(head.split(' ').nth(1).unwrap_or_default());
    let reply = format!(
        "HTTP/1.1 {status}\r\ncontent-type: text/plain\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(reply.as_bytes()).await?;
    stream.shutdown().await
}

/// Returns the status of an answer and what it says.
fn answer(path: &str) -> (&'static str, String) {
    match path {
        "/" => ("200 OK", "Every actor keeps to its bailiwick.\n".to_owned()),
        "/sandbox" => ("200 OK", sandbox::tried()),
        _ => ("404 Not Found", "There is / and /sandbox.\n".to_owned()),
    }
}
