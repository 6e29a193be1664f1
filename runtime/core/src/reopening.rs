//! When a link that one end closed for a violation of the other is made anew.
//!
//! Each time after a longer pause, up to a cap, until the link has held for a while: an end that breaks the
//! protocol again and again, or that asks without a reason, costs no more than one link per cap. A request is
//! held against the link and not against an end, for nobody can tell which of the two is right.
//!
//! Invariants: a link waits for at most one new making; none is made for an end that is dead; two makings on
//! request lie at least the pause apart that was announced.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::time::Duration;

use crate::backoff::Backoff;
use crate::time::Instant;
use crate::tree::Incarnation;

/// The links that were closed for a violation, while both ends live.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Reopenings {
    links: BTreeMap<Ends, Link>,
}

/// The ends of a link, the smaller first.
type Ends = (Incarnation, Incarnation);

/// What is remembered of one link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Link {
    /// It is to be made.
    Due { at: Instant, times: u32 },
    /// It was made, after so many requests in a row.
    Made { at: Instant, times: u32 },
}

/// Something that happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Event {
    /// A living end asks for a fresh link to a living peer that it may have one to.
    Asked {
        /// Who asks.
        by: Incarnation,
        /// The other end.
        peer: Incarnation,
        /// Any number, evenly drawn.
        chance: u32,
    },
    /// An end is dead.
    Ended(Incarnation),
    /// The time that [`Reopenings::deadline`] named has come.
    Tick,
}

/// Something to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// Say that the link will be made.
    Announce {
        /// Who asked.
        by: Incarnation,
        /// The other end.
        peer: Incarnation,
        /// In so much time.
        pause: Duration,
        /// How many requests in a row this is.
        times: u32,
    },
    /// Make the link.
    Make(Incarnation, Incarnation),
}

/// A link that held for so long starts anew with the shortest pause. Longer than the longest pause, so that
/// waiting for it gains an abuser nothing.
const STABLE_AFTER: Duration = Duration::from_secs(60);

const BACKOFF: Backoff = Backoff {
    first: Duration::from_millis(100),
    base: Duration::from_millis(200),
    factor_permille: 2000,
    cap: Duration::from_secs(30),
    jitter_permille: 250,
};

impl Reopenings {
    /// Returns when [`Event::Tick`] is due at the latest.
    pub fn deadline(&self) -> Option<Instant> {
        self.links.values().filter_map(|link| link.due()).min()
    }

    /// Takes in what happened at `now` and appends what is to be done, in order.
    pub fn handle(&mut self, now: Instant, event: Event, actions: &mut Vec<Action>) {
        match event {
            Event::Asked { by, peer, chance } => {
                let ends = (by.min(peer), by.max(peer));
                let times = match self.links.get(&ends) {
                    // Both ends may ask, or one again and again: the link is made once.
                    Some(Link::Due { .. }) => return,
                    Some(Link::Made { at, times }) if now.since(*at) < STABLE_AFTER => {
                        times.saturating_add(1)
                    }
                    Some(Link::Made { .. }) | None => 1,
                };
                let pause = BACKOFF.pause(times, chance);
                self.links.insert(ends, Link::Due { at: now + pause, times });
                actions.push(Action::Announce { by, peer, pause, times });
            }
            Event::Ended(end) => self.links.retain(|(one, other), _| *one != end && *other != end),
            Event::Tick => {
                for (ends, link) in &mut self.links {
                    match *link {
                        Link::Due { at, times } if at <= now => {
                            *link = Link::Made { at: now, times };
                            actions.push(Action::Make(ends.0, ends.1));
                        }
                        Link::Due { .. } | Link::Made { .. } => {}
                    }
                }
            }
        }
    }
}

impl Link {
    fn due(self) -> Option<Instant> {
        match self {
            Self::Due { at, .. } => Some(at),
            Self::Made { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;
    use crate::tree::ChildId;

    const WEB: Incarnation = Incarnation { child: ChildId(0), generation: 1 };
    const KEYS: Incarnation = Incarnation { child: ChildId(1), generation: 1 };

    fn at_ms(ms: u64) -> Instant {
        Instant::START + Duration::from_millis(ms)
    }

    fn tell(links: &mut Reopenings, at: Instant, event: Event) -> Vec<Action> {
        let mut actions = Vec::new();
        links.handle(at, event, &mut actions);
        actions
    }

    fn asked(by: Incarnation, peer: Incarnation) -> Event {
        Event::Asked { by, peer, chance: 0 }
    }

    #[test]
    fn an_abuser_who_asks_all_the_time_gets_a_link_per_cap() {
        let (mut links, mut now) = (Reopenings::default(), Instant::START);
        let mut made = Vec::new();
        while now < at_ms(300_000) {
            let _ = tell(&mut links, now, asked(KEYS, WEB));
            let _ = tell(&mut links, now, asked(WEB, KEYS));
            let due = links.deadline().expect("it was just asked for");
            assert_eq!(tell(&mut links, due, Event::Tick), [Action::Make(WEB, KEYS)]);
            made.push(due.since(now).as_millis());
            now = due;
        }
        assert_eq!(made[..9], [100, 200, 400, 800, 1600, 3200, 6400, 12_800, 25_600]);
        assert!(made[9..].iter().all(|pause| *pause == 30_000), "{made:?}");
    }

    #[test]
    fn a_link_that_held_for_a_minute_starts_anew_with_the_shortest_pause() {
        let mut links = Reopenings::default();
        let times = |actions: Vec<Action>| match actions[..] {
            [Action::Announce { times, .. }] => times,
            ref other => panic!("{other:?}"),
        };
        assert_eq!(times(tell(&mut links, at_ms(0), asked(KEYS, WEB))), 1);
        let _ = tell(&mut links, at_ms(100), Event::Tick);
        assert_eq!(times(tell(&mut links, at_ms(60_099), asked(KEYS, WEB))), 2);
        let _ = tell(&mut links, at_ms(60_299), Event::Tick);
        assert_eq!(times(tell(&mut links, at_ms(120_299), asked(KEYS, WEB))), 1);
    }

    #[test]
    fn the_dead_get_no_link_and_leave_nothing_behind() {
        let mut links = Reopenings::default();
        let _ = tell(&mut links, at_ms(0), asked(KEYS, WEB));
        assert_eq!(tell(&mut links, at_ms(1), Event::Ended(WEB)), []);
        assert_eq!((links.deadline(), links.links.len()), (None, 0));
        assert_eq!(tell(&mut links, at_ms(1000), Event::Tick), vec![]);
    }
}
