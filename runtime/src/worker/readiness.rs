//! What is said of a worker's readiness, and to whom: its actors ask for pauses, peers and supervisor are told.
//!
//! Peers are told at once. The supervisor takes the first word that a worker is ready for the end of its start, and one
//! in the course of a change for its success, so it hears of pauses only at other times.

use bailiwick_wire::control::ToSupervisor;

/// How many actors ask for a pause, and how far the worker is.
#[derive(Debug, Default)]
pub(super) struct Readiness {
    pauses: u32,
    /// All actors have started.
    has_started: bool,
    /// The actors take up new arguments.
    is_changing: bool,
    /// The actors are about to stop, and what they no longer ask for is no reason to send to them.
    is_ending: bool,
    /// What the supervisor heard last.
    told: Option<bool>,
}

/// What is to be said.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Said {
    /// Whether the worker is ready, if that has changed.
    pub(super) to_peers: Option<bool>,
    pub(super) to_supervisor: Vec<ToSupervisor>,
}

impl Readiness {
    /// All actors have started.
    pub(super) fn started(&mut self) -> Said {
        self.has_started = true;
        Said { to_peers: None, to_supervisor: self.news().into_iter().collect() }
    }

    /// An actor asks for a pause.
    pub(super) fn pause(&mut self) -> Said {
        self.pauses += 1;
        self.turned((self.pauses == 1).then_some(false))
    }

    /// An actor no longer asks for one.
    pub(super) fn resume(&mut self) -> Said {
        self.pauses -= 1;
        self.turned((self.pauses == 0).then_some(true))
    }

    /// The actors are about to take up a change.
    pub(super) fn changing(&mut self) -> Said {
        self.is_changing = true;
        Said::default()
    }

    /// The actors have taken up a change, or not.
    pub(super) fn changed(&mut self, report: ToSupervisor) -> Said {
        self.is_changing = false;
        if report == ToSupervisor::Ready {
            self.told = Some(true);
        }
        Said { to_peers: None, to_supervisor: [report].into_iter().chain(self.news()).collect() }
    }

    /// Nothing is said any more.
    pub(super) fn ending(&mut self) -> Said {
        self.is_ending = true;
        Said::default()
    }

    fn turned(&mut self, to_peers: Option<bool>) -> Said {
        if self.is_ending {
            return Said::default();
        }
        Said { to_peers, to_supervisor: self.news().into_iter().collect() }
    }

    /// Returns what the supervisor does not know yet and may be told now.
    fn news(&mut self) -> Option<ToSupervisor> {
        if !self.has_started || self.is_changing {
            return None;
        }
        let is_ready = self.pauses == 0;
        match (self.told, is_ready) {
            (Some(true), true) | (Some(false) | None, false) => None,
            (Some(false) | None, true) => {
                self.told = Some(true);
                Some(ToSupervisor::Ready)
            }
            (Some(true), false) => {
                self.told = Some(false);
                Some(ToSupervisor::Unready)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(to_peers: Option<bool>, to_supervisor: &[ToSupervisor]) -> Said {
        Said { to_peers, to_supervisor: to_supervisor.to_vec() }
    }

    #[test]
    fn the_worker_is_unready_while_any_actor_asks_for_a_pause() {
        let mut readiness = Readiness::default();
        assert_eq!(readiness.started(), said(None, &[ToSupervisor::Ready]));
        assert_eq!(readiness.pause(), said(Some(false), &[ToSupervisor::Unready]));
        assert_eq!(readiness.pause(), Said::default());
        assert_eq!(readiness.resume(), Said::default());
        assert_eq!(readiness.resume(), said(Some(true), &[ToSupervisor::Ready]));
    }

    #[test]
    fn a_pause_in_the_course_of_the_start_holds_the_first_word_back() {
        let mut readiness = Readiness::default();
        assert_eq!(readiness.pause(), said(Some(false), &[]));
        assert_eq!(readiness.started(), Said::default());
        assert_eq!(readiness.resume(), said(Some(true), &[ToSupervisor::Ready]));
    }

    #[test]
    fn a_pause_in_the_course_of_a_change_is_told_after_its_end() {
        for report in [ToSupervisor::Ready, ToSupervisor::Refused] {
            let mut readiness = Readiness::default();
            readiness.started();
            assert_eq!(readiness.changing(), Said::default());
            assert_eq!(readiness.pause(), said(Some(false), &[]));
            assert_eq!(readiness.changed(report.clone()), said(None, &[report, ToSupervisor::Unready]));
            assert_eq!(readiness.resume(), said(Some(true), &[ToSupervisor::Ready]));
        }
    }

    #[test]
    fn a_worker_that_ends_calls_nobody_to_it() {
        let mut readiness = Readiness::default();
        readiness.started();
        readiness.pause();
        readiness.ending();
        assert_eq!(readiness.resume(), Said::default());
    }

    #[test]
    fn who_was_unready_when_a_change_succeeds_says_so_again() {
        let mut readiness = Readiness::default();
        readiness.started();
        readiness.pause();
        readiness.changing();
        // By the success the supervisor takes it for ready.
        let again = [ToSupervisor::Ready, ToSupervisor::Unready];
        assert_eq!(readiness.changed(ToSupervisor::Ready), said(None, &again));
    }
}
