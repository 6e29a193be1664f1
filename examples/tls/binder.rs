//! The worker that may bind the port. It is gone before the first stranger comes.

use std::net::{SocketAddr, TcpListener};

use bailiwick::prelude::*;
use serde::{Deserialize, Serialize};

use crate::front::LISTENER;
use crate::protocol::Silent;

/// What the manifest says to [`Binder`].
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct BinderArgs {
    listen: SocketAddr,
}

/// Binds the port and leaves the listener with the supervisor, which keeps it however often a front dies.
#[derive(Debug)]
pub(crate) struct Binder {
    args: BinderArgs,
}

impl Binder {
    pub(crate) fn new(args: BinderArgs) -> Self {
        Self { args }
    }
}

impl Silent for Binder {}

impl Actor for Binder {
    async fn started(&mut self, cx: &mut Context) -> Result<(), ActorError> {
        Ok(cx.keep(LISTENER, TcpListener::bind(self.args.listen)?)?)
    }
}
