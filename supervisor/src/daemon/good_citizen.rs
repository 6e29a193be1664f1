//! What whoever started the supervisor is told, and what it is asked by signals.

use bailiwick_core::child::KILL_GRACE;
use bailiwick_core::tree::Standing;
use bailiwick_sys::events::{Interest, monotonic_ns};
use bailiwick_sys::notify::{self, Phase};

use super::Daemon;
use super::token::Token;

/// Clients that may wait at the control socket.
const BACKLOG: u8 = 8;

impl Daemon {
    /// Tells whoever started this what has changed.
    pub(super) fn tell_superior(&mut self) {
        let Some(superior) = &mut self.superior else { return };
        let Standing { ready, of, is_starting, is_reloading } = self.tree.standing();
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
        // Whoever waits at the former one would wait for ever.
        (0..BACKLOG).for_each(|_| self.accept());
        match self.state.listen() {
            Ok(listener) => {
                let former = self.connections.replace(listener);
                self.unwatch(&former);
                if let Err(failed) = self.watch(self.connections.listener(), Token::Listener, Interest::READ)
                {
                    self.say(&format!("the new control socket: {failed}"));
                }
            }
            Err(error) => self.say(&format!("SIGUSR1: {error}")),
        }
    }
}
