//! What lives, written down for whoever comes after a supervisor that was killed.

use std::time::Duration;

use bailiwick_wire::state_record;

use super::Daemon;
use crate::sandbox::Prepared;

/// How soon the record is written again after that has failed.
const RETRY: Duration = Duration::from_secs(1);

impl Daemon {
    /// Writes down what lives, if that has changed since. Where it cannot be written, supervision goes on.
    pub(super) fn write_lives(&mut self) {
        let now = self.now();
        if self.state.lives.due.is_none_or(|due| due > now) {
            return;
        }
        let lives = self.lives().map(|life| {
            let user = self.launcher.prepared(life.berth).and_then(Prepared::own_uid);
            state_record::Life { pid: life.pid.unsigned_abs(), born: life.born, user }
        });
        let written = self.state.write(lives.collect());
        self.state.lives.due = written.is_err().then(|| now + RETRY);
        if self.state.lives.failing != written.is_err() {
            self.state.lives.failing = written.is_err();
            let how = written.map_or_else(|failed| failed.to_string(), |()| "works again".to_owned());
            self.alert(None, format!("the record of what lives in the state directory: {how}"), false, None);
        }
    }
}
