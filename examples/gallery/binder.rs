//! The worker that may bind a port. It is gone before the first stranger comes.

use std::net::{SocketAddr, TcpListener};

use bailiwick::prelude::*;
use serde::{Deserialize, Serialize};

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
        let listen = self.args.listen;
        let listener = TcpListener::bind(listen).map_err(|error| {
            ActorError::message(format!("cannot listen on {listen}: {error}; --listen names another address"))
        })?;
        Ok(cx.keep(LISTENER, listener)?)
    }
}

impl Silent for Binder {}
