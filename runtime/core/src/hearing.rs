//! How much of what workers say is heard: of each life so many words at once, and so many a second in the long run.
//!
//! What goes beyond is not lost, and is no offence. It waits where the worker has put it, and once there is no room left the
//! worker does. So whoever talks for ever costs its supervisor a small share of its time, and holds up itself alone.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::time::Duration;

use crate::allowance::Allowance;
use crate::berth::Berth;
use crate::time::Instant;

/// Words of one life that are heard at once: more than an honest one has, with peers and kept descriptors by the hundred.
pub const WORDS_AT_ONCE: u64 = 1000;

/// Words of one life that are heard per second in the long run.
pub const WORDS_PER_SECOND: u64 = 100;

/// Words that are heard together of who has to wait: to turn to it costs as much as to hear one.
const WORDS_TOGETHER: u64 = 10;

/// Words that count for each millisecond that a life made its supervisor compute, so that it takes a hundredth of its time in
/// the long run. Who has its end of a socket be waited for thousands of times makes each packet that dear.
const WORDS_PER_MILLI: u64 = 10;

/// What a word or a piece of output may take without counting for more.
const FREE: Duration = Duration::from_millis(2);

/// How soon it is news again that the same worker says too much.
const NEWS_PAUSE: Duration = Duration::from_secs(3600);

/// Who is heard at present, and who has to wait.
#[derive(Debug, Default)]
pub struct Hearings {
    known: BTreeMap<Berth, Hearing>,
}

#[derive(Debug)]
struct Hearing {
    allowance: Allowance,
    waits: bool,
    told_at: Option<Instant>,
}

/// Whether a word is heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// At once.
    Now,
    /// Not before [`Hearings::resume`] says so. A person should know of it if `is_news`.
    Later {
        /// It was not so for a long time.
        is_news: bool,
    },
}

impl Hearings {
    /// Notes that a life begins, which has said nothing yet.
    pub fn begin(&mut self, berth: Berth, now: Instant) {
        self.hearing(berth, now).allowance = full(now);
    }

    /// Decides on one word that a life has to say.
    pub fn hear(&mut self, berth: Berth, now: Instant) -> Heard {
        let hearing = self.hearing(berth, now);
        if hearing.allowance.spend(1, now) {
            return Heard::Now;
        }
        hearing.waits = true;
        let is_news = hearing.told_at.is_none_or(|at| now.since(at) >= NEWS_PAUSE);
        if is_news {
            hearing.told_at = Some(now);
        }
        Heard::Later { is_news }
    }

    /// Notes for how long a life made its supervisor compute with a word or with what it printed. Returns whether it has to
    /// wait from now on, and had not to before.
    pub fn charge(&mut self, berth: Berth, took: Duration, now: Instant) -> bool {
        let millis = u64::try_from(took.saturating_sub(FREE).as_millis()).unwrap_or(u64::MAX);
        let Some(hearing) = self.known.get_mut(&berth).filter(|_| millis > 0) else { return false };
        hearing.allowance.owe(millis.saturating_mul(WORDS_PER_MILLI), now);
        let begins = !hearing.waits && hearing.allowance.covers_at(1) > now;
        hearing.waits |= begins;
        begins
    }

    /// Returns whether nothing of this life is heard at present.
    pub fn waits(&self, berth: Berth) -> bool {
        self.known.get(&berth).is_some_and(|hearing| hearing.waits)
    }

    fn hearing(&mut self, berth: Berth, now: Instant) -> &mut Hearing {
        let fresh = || Hearing { allowance: full(now), waits: false, told_at: None };
        self.known.entry(berth).or_insert_with(fresh)
    }

    /// Returns when [`Self::resume`] is due; `None` if nobody waits.
    pub fn deadline(&self) -> Option<Instant> {
        self.known.values().filter(|hearing| hearing.waits).map(Hearing::resumes_at).min()
    }

    /// Returns who has waited long enough, each once.
    pub fn resume(&mut self, now: Instant) -> Vec<Berth> {
        let due = self.known.iter_mut().filter(|(_, hearing)| hearing.waits && hearing.resumes_at() <= now);
        due.map(|(berth, hearing)| (hearing.waits = false, *berth).1).collect()
    }
}

impl Hearing {
    fn resumes_at(&self) -> Instant {
        self.allowance.covers_at(WORDS_TOGETHER)
    }
}

fn full(now: Instant) -> Allowance {
    Allowance::new(WORDS_AT_ONCE, WORDS_PER_SECOND, now)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::ChildId;

    const TALKER: Berth = Berth::first(ChildId(3));
    const OTHER: Berth = Berth::first(ChildId(4));

    fn at(millis: u64) -> Instant {
        Instant::START + Duration::from_millis(millis)
    }

    /// Counts what is heard of one that says as much as it may until `end`, from `now` on.
    fn talk(hearings: &mut Hearings, mut now: Instant, end: Instant) -> (u64, u64) {
        let (mut words, mut turns) = (0, 0);
        while now < end {
            while hearings.hear(TALKER, now) == Heard::Now {
                words += 1;
            }
            now = hearings.deadline().expect("it waits");
            assert_eq!(hearings.resume(now), [TALKER]);
            turns += 1;
        }
        (words, turns)
    }

    #[test]
    fn who_talks_for_ever_is_heard_at_a_rate_and_turned_to_seldom() {
        let mut hearings = Hearings::default();
        let (words, turns) = talk(&mut hearings, at(0), at(10_000));
        assert_eq!((words, turns), (WORDS_AT_ONCE + 10 * WORDS_PER_SECOND - WORDS_TOGETHER, 100));
    }

    #[test]
    fn who_waits_is_not_heard_until_its_time_and_others_are() {
        let mut hearings = Hearings::default();
        assert!((0..WORDS_AT_ONCE).all(|_| hearings.hear(TALKER, at(0)) == Heard::Now));
        assert!(!hearings.waits(TALKER) && hearings.deadline().is_none());
        assert_eq!(hearings.hear(TALKER, at(0)), Heard::Later { is_news: true });
        assert!(hearings.waits(TALKER));
        assert_eq!(hearings.hear(OTHER, at(0)), Heard::Now);
        assert_eq!(hearings.deadline(), Some(at(100)));
        assert_eq!(hearings.resume(at(99)), []);
        assert_eq!(hearings.resume(at(100)), [TALKER]);
        assert!(!hearings.waits(TALKER) && hearings.deadline().is_none());
        assert_eq!(hearings.resume(at(100)), []);
    }

    #[test]
    fn whose_words_are_dear_is_heard_for_a_hundredth_of_the_time() {
        let mut hearings = Hearings::default();
        let took = Duration::from_millis(22);
        hearings.begin(TALKER, at(0));
        assert!(!hearings.charge(TALKER, FREE, at(0)), "little is free");
        let (mut now, mut heard) = (at(0), 0);
        while now < at(100_000) {
            assert_eq!(hearings.hear(TALKER, now), Heard::Now);
            heard += 1;
            now += took;
            if hearings.charge(TALKER, took, now) {
                assert!(hearings.waits(TALKER) && !hearings.charge(TALKER, FREE, now), "it waits already");
                now = hearings.deadline().expect("it waits");
                assert_eq!(hearings.resume(now), [TALKER]);
            }
        }
        // Five at once, and then two seconds for each.
        assert!((50..60).contains(&heard), "{heard}");
        assert!(!hearings.waits(OTHER) && !hearings.charge(OTHER, took, now), "of one that has not begun");
        hearings.charge(TALKER, Duration::from_secs(9), now);
        hearings.begin(TALKER, now);
        assert_eq!(hearings.hear(TALKER, now), Heard::Now, "another life owes nothing");
    }

    #[test]
    fn that_somebody_says_too_much_is_news_once_an_hour() {
        let mut hearings = Hearings::default();
        let news = |hearings: &mut Hearings, now| {
            hearings.begin(TALKER, now);
            let told = (0..=WORDS_AT_ONCE + 1).map(|_| hearings.hear(TALKER, now));
            told.filter(|heard| *heard == Heard::Later { is_news: true }).count()
        };
        let found = [0, 1, 3_599_999, 3_600_000].map(|millis| news(&mut hearings, at(millis)));
        assert_eq!(found, [1, 0, 0, 1]);
    }

    #[test]
    fn a_life_that_begins_waits_for_nothing_that_the_one_before_has_said() {
        let mut hearings = Hearings::default();
        talk(&mut hearings, at(0), at(1));
        hearings.begin(TALKER, at(50));
        assert!((0..WORDS_AT_ONCE).all(|_| hearings.hear(TALKER, at(50)) == Heard::Now));
        // One that waits when it ends is turned to at once.
        hearings.hear(TALKER, at(50));
        hearings.begin(TALKER, at(60));
        assert_eq!(hearings.deadline(), Some(at(60)));
        assert_eq!(hearings.resume(at(60)), [TALKER]);
    }
}
