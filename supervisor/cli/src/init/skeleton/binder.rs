//! The worker that may bind the port. It is gone before the first stranger comes.

use std::io;
use std::net::{SocketAddr, TcpListener};

use bailiwick::prelude::*;

use crate::{LISTENER, Silent};

/// What the manifest says to [`Binder`].
#[message]
pub struct BinderArgs {
    pub listen: SocketAddr,
}

/// Binds the port and leaves the listener with the supervisor.
pub struct Binder {
    args: BinderArgs,
}

impl Binder {
    pub fn new(args: BinderArgs) -> Self {
        Self { args }
    }
}

impl Silent for Binder {}

impl Actor for Binder {
    async fn started(&mut self, cx: &mut Context) -> Result<(), ActorError> {
        let address = self.args.listen;
        let named = |error: io::Error| io::Error::new(error.kind(), format!("{address}: {error}"));
        let listener = TcpListener::bind(address).map_err(named)?;
        Ok(cx.keep(LISTENER, listener)?)
    }
}
