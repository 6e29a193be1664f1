//! What whoever started the supervisor is told, and what it is asked by signals.

use std::os::fd::AsRawFd;

use bailiwick_core::child::KILL_GRACE;
use bailiwick_core::tree::Standing;
use bailiwick_sys::events::{Interest, monotonic_ns};
use bailiwick_sys::notify::{self, Phase};
use nix::sys::socket::{Shutdown, shutdown};

use super::Daemon;
use super::reload::Reload;
use bailiwick_core::token::Token;

/// More clients than can wait at the control socket.
const WAITING_MAX: u8 = 16;

impl Daemon {
    /// Tells whoever started this what has changed.
    pub(super) fn tell_superior(&mut self) {
        let Some(superior) = &mut self.superior else { return };
        let Standing { ready, of, is_starting, is_reloading } = self.tree.standing();
        let is_reloading = is_reloading || self.reload.as_ref().is_some_and(Reload::changes);
        let phase = match (self.tree.is_shutting_down(), is_reloading, is_starting) {
            (true, _, _) => Phase::Stopping(self.system.shutdown_timeout + 2 * KILL_GRACE),
            (false, true, _) => Phase::Reloading,
            (false, false, true) => Phase::Starting,
            (false, false, false) => Phase::Running,
        };
        superior.report(notify::Standing { phase, ready, of }, monotonic_ns());
    }

    /// Makes the control socket anew, for somebody who has removed it.
    pub(super) fn listen_anew(&mut self) {
        match self.state.listen() {
            Ok(listener) => {
                // Whoever waits at the former one is taken in; nobody comes after. The guardian has a copy of it, by
                // which they would wait for ever.
                let _ = shutdown(self.connections.listener().as_raw_fd(), Shutdown::Both);
                (0..WAITING_MAX).for_each(|_| self.accept());
                let former = self.connections.replace(listener);
                self.unwatch(&former);
                let watched = self.watch(self.connections.listener(), Token::Listener, Interest::READ);
                watched.unwrap_or_else(|failed| self.say(&format!("the new control socket: {failed}")));
            }
            Err(error) => self.say(&format!("SIGUSR1: {error}")),
        }
    }
}
