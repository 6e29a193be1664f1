//! The worker that may bind a port. It is gone before the first stranger comes.

use std::io;
use std::net::{SocketAddr, TcpListener};

use bailiwick::prelude::*;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::front::LISTENER;
use crate::protocol::Silent;

/// What the manifest says to [`Binder`].
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct BinderArgs {
    pub(crate) listen: SocketAddr,
}

/// Binds the port and leaves the listener with the supervisor.
#[derive(Debug)]
pub(crate) struct Binder {
    args: BinderArgs,
}

impl Binder {
    pub(crate) fn new(args: BinderArgs) -> Self {
        Self { args }
    }
}

impl Actor for Binder {
    async fn started(&mut self, cx: &mut Context) -> Result<(), ActorError> {
        let address = self.args.listen;
        let listener = TcpListener::bind(address).map_err(|error| BindError { address, error })?;
        Ok(cx.keep(LISTENER, listener)?)
    }
}

impl Silent for Binder {}

/// Why nobody can listen at an address, and what to do about it.
#[derive(Debug, Error)]
#[error("cannot listen at {address}: {error}; {}", advice(.error))]
struct BindError {
    address: SocketAddr,
    error: io::Error,
}

fn advice(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            "stop the program that listens there, or choose another port with --listen ADDRESS:PORT (in a \
             manifest: `listen` and `tcp_bind` of the binder)"
        }
        io::ErrorKind::PermissionDenied => "a port below 1024 needs root; others do not",
        io::ErrorKind::AddrNotAvailable => "expected an address of this machine, or 0.0.0.0 for all of them",
        _ => "choose another one with --listen ADDRESS:PORT (in a manifest: `listen` of the binder)",
    }
}
