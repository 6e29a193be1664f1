//! The worker that strangers talk to. It has the listener, and no files of its own.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use bailiwick::prelude::*;
use tokio::sync::Semaphore;

use crate::http::serve::{Closing, serve};
use crate::process_tree::{Hidden, ProcessTree, Tree};
use crate::site::{SHRINKERS, Site, UPLOADS_MAX};

/// The name under which the supervisor keeps the listener.
pub(crate) const LISTENER: &str = "http";
/// For how long requests that have begun may go on after the order to stop.
const CLOSE_PATIENCE: Duration = Duration::from_secs(5);

/// Serves HTTP on the listener that the supervisor keeps, so that nobody is turned away while the front is restarted.
#[derive(Debug, Default)]
pub(crate) struct Front {
    closing: Closing,
}

impl Actor for Front {
    async fn started(&mut self, cx: &mut Context) -> Result<(), ActorError> {
        let listener: TcpListener = cx.kept(LISTENER)?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let site = Site {
            files: cx.peer("files")?,
            thumbs: cx.peer("shrinker")?,
            tree: cx.me(),
            private: address.ip().is_loopback(),
            uploads: Arc::new(Semaphore::new(UPLOADS_MAX)),
            shrinking: Arc::new(Semaphore::new(SHRINKERS.into())),
        };
        let listener = tokio::net::TcpListener::from_std(listener)?;
        let answer = move |request| site.clone().answer(request);
        tokio::task::spawn_local(serve(listener, answer, self.closing.clone()));
        println!("serving at http://{address}/");
        Ok(())
    }

    async fn stopping(&mut self, _cx: &mut Context) {
        // Who does not finish in time is cut off by the end of the process.
        let _ = tokio::time::timeout(CLOSE_PATIENCE, self.closing.close()).await;
    }
}

impl Tree for Front {
    async fn processes(&mut self, cx: &mut Context) -> Result<ProcessTree, Hidden> {
        match cx.processes().await {
            Ok(status) => Ok(ProcessTree::from(status)),
            Err(error) => Err(Hidden { reason: error.to_string() }),
        }
    }
}
