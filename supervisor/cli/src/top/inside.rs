//! What the admin worker is told of the insides of workers: one look, and what two of them say together.

use std::collections::BTreeMap;
use std::time::Duration;

use bailiwick_supervisor::check::escape;
use bailiwick_supervisor::control::Row;

use super::quantile::Buckets;
use crate::admin::actors::{Actor, Survey, Told, Type};
use crate::words::aligned;

/// The quantile that is told of how long messages are handled.
const QUANTILE: f64 = 0.99;

/// One instance of a worker, as its name and number.
type Instance = (String, u16);

/// One look.
#[derive(Clone, Debug, Default)]
pub(super) struct Inside {
    /// When, on the monotonic clock.
    pub(super) at: Duration,
    pub(super) survey: Survey,
    /// How long each instance handled messages; nothing where that is not measured.
    pub(super) handling: BTreeMap<Instance, Buckets>,
}

/// Why nothing is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Silence {
    /// There is no admin worker, and what it would be told of is not missed.
    pub(super) is_missing: bool,
    /// Why, and what can be done.
    pub(super) why: String,
}

/// What is known of the inside of a worker.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Measured {
    /// Messages that wait in its mailboxes.
    pub(super) waiting: u64,
    /// Messages that were begun with, each second. Missing where there were no two looks at one life.
    pub(super) rate: Option<f64>,
    /// How long all but one of a hundred messages are handled at most, in seconds.
    pub(super) p99_s: Option<f64>,
}

impl Measured {
    /// Returns what is known of two together.
    pub(super) fn and(self, other: Self) -> Self {
        let of = |one: Option<f64>, other, join: fn(f64, f64) -> f64| match (one, other) {
            (Some(one), Some(other)) => Some(join(one, other)),
            (one, other) => one.or(other),
        };
        Self {
            waiting: self.waiting.saturating_add(other.waiting),
            rate: of(self.rate, other.rate, |one, other| one + other),
            p99_s: of(self.p99_s, other.p99_s, f64::max),
        }
    }
}

impl Inside {
    /// Returns what is known of one instance, with what it did since an earlier look.
    pub(super) fn measured(&self, before: Option<&Self>, row: &Row) -> Option<Measured> {
        let told = self.survey.find(&row.name, row.instance, row.generation)?;
        if told.actors.silent_because.is_some() {
            return None;
        }
        let earlier = before.and_then(|before| before.survey.find(&row.name, row.instance, row.generation));
        let rate = earlier.and_then(|earlier| self.rate(before?, handled(earlier), handled(told)));
        let instance = (row.name.clone(), row.instance);
        let handling = self.handling.get(&instance);
        let since = before.and_then(|before| before.handling.get(&instance));
        let p99_s = handling.and_then(|handling| handling.since(since).quantile(QUANTILE));
        let waiting = told.actors.types.iter().fold(0_u64, |sum, one| sum.saturating_add(one.waiting));
        Some(Measured { waiting, rate, p99_s })
    }

    /// Returns how much each second something has grown.
    fn rate(&self, before: &Self, was: u64, is: u64) -> Option<f64> {
        let window = self.at.checked_sub(before.at).filter(|window| !window.is_zero())?;
        // A worker says what it likes, also that it has counted backwards.
        Some(is.checked_sub(was)? as f64 / window.as_secs_f64())
    }

    /// Returns the actors of some instances, by type and then the fullest mailboxes, as lines of tables. `name` says what an instance
    /// is called; who has no name there is left out.
    pub(super) fn lines(&self, before: Option<&Self>, name: impl Fn(&Told) -> Option<String>) -> Vec<String> {
        let told: Vec<(String, &Told)> =
            self.survey.workers.iter().filter_map(|told| Some((name(told)?, told))).collect();
        let mut types = vec![TYPES.map(str::to_owned)];
        for (name, one) in &told {
            types.extend(self.types(before, name, one));
        }
        let mut full: Vec<(&str, &Actor)> = told
            .iter()
            .flat_map(|(name, one)| one.actors.actors.iter().map(|actor| (name.as_str(), actor)))
            .collect();
        full.sort_by_key(|(_, actor)| std::cmp::Reverse((actor.waiting, actor.handled)));
        let mut actors = vec![ACTORS.map(str::to_owned)];
        actors.extend(full.into_iter().map(|(name, actor)| mailbox(name, actor)));
        let plain = |_, _, cell| cell;
        let mut text = aligned(&types, plain) + "\n" + &aligned(&actors, plain);
        for (name, one) in &told {
            if let Some(why) = &one.actors.silent_because {
                text += &format!("\n{name} does not say how its actors are: {}\n", escape(why));
            }
        }
        text.lines().map(str::to_owned).collect()
    }

    fn types(&self, before: Option<&Self>, name: &str, told: &Told) -> Vec<[String; 8]> {
        let earlier =
            before.and_then(|before| before.survey.find(&told.worker, told.instance, told.generation));
        let line = |one: &Type| {
            let was =
                earlier.and_then(|was| was.actors.types.iter().find(|other| other.r#type == one.r#type));
            let rate = was.and_then(|was| self.rate(before?, was.handled, one.handled));
            [
                name.to_owned(),
                escape(&one.r#type),
                one.actors.to_string(),
                one.waiting.to_string(),
                one.waiting_max.to_string(),
                rate.map_or_else(|| "-".to_owned(), per_second),
                one.failures.to_string(),
                one.restarts.to_string(),
            ]
        };
        told.actors.types.iter().map(line).collect()
    }
}

const TYPES: [&str; 8] = ["WORKER", "TYPE", "ACTORS", "MAILBOX", "FULLEST", "RATE", "FAILURES", "RESTARTS"];
const ACTORS: [&str; 6] = ["ACTOR", "TYPE", "MAILBOX", "OF", "BYTES", "HANDLED"];

fn mailbox(name: &str, actor: &Actor) -> [String; 6] {
    let life = if actor.generation > 1 { format!("#{}", actor.generation) } else { String::new() };
    [
        format!("{name}/{}{life}", escape(&actor.actor)),
        escape(&actor.r#type),
        actor.waiting.to_string(),
        actor.capacity.map_or_else(|| "-".to_owned(), |capacity| capacity.to_string()),
        actor.waiting_bytes.to_string(),
        actor.handled.to_string(),
    ]
}

fn handled(told: &Told) -> u64 {
    told.actors.types.iter().fold(0, |sum, one| sum.saturating_add(one.handled))
}

/// Writes how many a second, in a narrow column.
pub(super) fn per_second(rate: f64) -> String {
    match rate {
        rate if rate >= 1e7 => format!("{:.0}M", rate / 1e6),
        rate if rate >= 1e5 => format!("{:.0}k", rate / 1e3),
        rate if rate >= 100.0 => format!("{rate:.0}"),
        rate => format!("{rate:.1}"),
    }
}

/// Writes a time in a narrow column.
pub(super) fn brief(seconds: f64) -> String {
    match seconds {
        time if time >= 1.0 => format!("{time:.1}s"),
        time if time >= 1e-3 => format!("{:.1}ms", time * 1e3),
        time => format!("{:.0}us", time * 1e6),
    }
}

#[cfg(test)]
mod tests {
    use super::super::trial;
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn row(generation: u32) -> Row {
        Row { name: "web".into(), instance: 1, generation, ..Row::default() }
    }

    #[test]
    fn what_was_handled_between_two_looks_is_divided_by_the_time() {
        let (before, now) = (trial::inside(SECOND), trial::inside(SECOND * 3));
        let first = before.measured(None, &row(1)).expect("it says how it is");
        assert_eq!((first.waiting, first.rate), (9, None));
        let found = now.measured(Some(&before), &row(1)).expect("it says how it is");
        assert_eq!(found.rate, Some(100.0));
        assert_eq!(now.measured(Some(&before), &row(2)), None, "another life");
        assert_eq!(before.measured(Some(&now), &row(1)).and_then(|found| found.rate), None, "backwards");
    }

    #[test]
    fn rates_and_times_fit_into_narrow_columns() {
        assert_eq!(
            [0.0, 9.96, 99.94, 12_345.4, 99_999.4, 1e5, 5e6, 1.234e8].map(per_second),
            ["0.0", "10.0", "99.9", "12345", "99999", "100k", "5000k", "123M"]
        );
        assert_eq!([0.0, 12e-6, 0.0031, 0.9, 12.0].map(brief), ["0us", "12us", "3.1ms", "900.0ms", "12.0s"]);
    }

    #[test]
    fn types_and_the_fullest_mailboxes_are_two_tables() {
        let (before, now) = (trial::inside(SECOND), trial::inside(SECOND * 3));
        let expected = "\
WORKER  TYPE   ACTORS  MAILBOX  FULLEST  RATE  FAILURES  RESTARTS
web.1   Front  3       9        7        99.5  2         1
web.1   Clerk  1       0        0        0.5   0         0
web.2   Front  1       1        1        -     0         0

ACTOR          TYPE   MAILBOX  OF  BYTES  HANDLED
web.1/front#2  Front  7        7   70     0
web.1/front/x  Front  2        -   9      0
web.2/front    Front  1        7   1      0

cache.1 does not say how its actors are: it computes without end";
        let name = |told: &Told| Some(format!("{}.{}", told.worker, told.instance));
        assert_eq!(now.lines(Some(&before), name).join("\n"), expected);
        let only = now.lines(Some(&before), |told| (told.worker == "cache").then(|| "cache".to_owned()));
        assert_eq!(only.len(), 5, "{only:?}");
    }
}
