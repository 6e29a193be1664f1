//! `score`: how much of the machine and of the system each worker is exposed to, as one number, and what would lower it.
//!
//! A worker has the same exposures as every other, each with a weight and with how bad it is here, from 0 to 10. The score
//! is the sum of their products over the sum of the weights: 0.0 for who can do nothing, 10.0 for who can do everything.
//! It compares workers and versions of a manifest; that a number is low does not mean that a program is right.

mod exposures;

use bailiwick_supervisor::sandbox::Machine;
use bailiwick_supervisor::spec::{System, Worker};
use serde::Serialize;

use crate::arguments::Score;
use crate::declared;
use crate::exit::{Exit, Failure};
use crate::json::{self, SCHEMA_VERSION};
use crate::screen::Screen;
use exposures::{EXPOSURES, Found};

#[derive(Serialize)]
struct Document<'a> {
    schema_version: u32,
    system: &'a str,
    /// The most that a worker may have; null if none was given.
    threshold: Option<f64>,
    workers: Vec<Scored>,
}

/// The score of one worker.
#[derive(Serialize)]
struct Scored {
    worker: String,
    /// From 0.0 to 10.0, in tenths.
    score: f64,
    word: &'static str,
    /// Those that add most first.
    exposures: Vec<Exposed>,
}

/// One exposure of one worker.
#[derive(Serialize)]
struct Exposed {
    exposure: &'static str,
    weight: u16,
    /// From 0 to 10.
    badness: u8,
    /// What it adds to the score.
    adds: f64,
    found: String,
    /// The line of the manifest that would lower it; null where there is nothing to lower, or no such line.
    tighten: Option<String>,
}

pub(crate) fn score(asked: &Score, screen: &Screen) -> Result<Exit, Failure> {
    let system = declared::load(&asked.manifest)?;
    let machine = Machine::probe();
    let meant = declared::meant(&system, asked.worker.as_deref())?;
    let details = asked.worker.is_some();
    let workers: Vec<Scored> =
        meant.into_iter().map(|worker| Scored::of(&system, worker, &machine)).collect();
    let is_over = |worker: &&Scored| asked.threshold.is_some_and(|most| worker.score > most);
    let over: Vec<String> = workers.iter().filter(is_over).map(|worker| worker.worker.clone()).collect();
    if asked.json {
        let (system, threshold) = (&*system.name, asked.threshold);
        screen.print(&json::document(&Document {
            schema_version: SCHEMA_VERSION,
            system,
            threshold,
            workers,
        }));
    } else {
        screen.print(&text(&workers, details, screen.stdout_colour()));
    }
    match (asked.threshold, over.is_empty()) {
        (Some(most), false) => {
            screen.say(&format!("over {most:.1}: {}\n", over.join(", ")));
            Ok(Exit::Failed)
        }
        _ => Ok(Exit::Done),
    }
}

impl Scored {
    fn of(system: &System, worker: &Worker, machine: &Machine) -> Self {
        let total: f64 = EXPOSURES.iter().map(|exposure| f64::from(exposure.weight)).sum();
        let exposed = EXPOSURES.iter().map(|exposure| {
            let Found { badness, found, tighten } = (exposure.look)(system, worker, machine);
            let adds = f64::from(exposure.weight) * f64::from(badness) / total;
            let tighten = tighten.filter(|_| badness > 0);
            Exposed {
                exposure: exposure.name,
                weight: exposure.weight,
                badness,
                adds: tenths(adds * 10.0) / 10.0,
                found,
                tighten,
            }
        });
        let mut exposures: Vec<Exposed> = exposed.collect();
        let sum: f64 = exposures.iter().map(|one| f64::from(one.weight) * f64::from(one.badness)).sum();
        exposures.sort_by_key(|one| std::cmp::Reverse(u32::from(one.weight) * u32::from(one.badness)));
        let score = tenths(sum / total);
        Self { worker: worker.name.clone(), score, word: word(score), exposures }
    }
}

/// Rounds to tenths, as it is shown, so that a threshold means what a person reads.
fn tenths(number: f64) -> f64 {
    (number * 10.0).round() / 10.0
}

/// Returns the word for a score; they and their bounds are those of `systemd-analyze security`.
fn word(score: f64) -> &'static str {
    match score {
        10.0.. => "dangerous",
        9.0.. => "unsafe",
        7.5.. => "exposed",
        5.0.. => "medium",
        1.0.. => "ok",
        0.1.. => "safe",
        _ => "perfect",
    }
}

fn text(workers: &[Scored], details: bool, coloured: bool) -> String {
    let mut text = String::new();
    let width = workers.iter().map(|worker| worker.worker.len()).max().unwrap_or_default();
    for worker in workers {
        let [colour, end] = match (coloured, worker.score) {
            (false, _) => ["", ""],
            (true, 7.5..) => ["\x1b[31m", "\x1b[0m"],
            (true, 5.0..) => ["\x1b[33m", "\x1b[0m"],
            (true, _) => ["\x1b[32m", "\x1b[0m"],
        };
        text.push_str(&format!(
            "{:<width$}  {colour}{:>4.1} {}{end}\n",
            worker.worker, worker.score, worker.word
        ));
        let shown = worker.exposures.iter().filter(|_| details);
        for one in shown {
            text.push_str(&format!("  +{:<4.2} {:<16} {}\n", one.adds, one.exposure, one.found));
            one.tighten.iter().for_each(|line| text.push_str(&format!("{:25}tighten: {line}\n", "")));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use bailiwick_supervisor::spec::{Exec, KeyringMode, Namespace, Preset};

    use super::*;

    fn scored(change: impl FnOnce(&mut Worker)) -> Scored {
        let mut worker = Worker::new("web", Exec::Own);
        change(&mut worker);
        let system = System { workers: vec![worker.clone()], ..System::default() };
        Scored::of(&system, &worker, &Machine::probe())
    }

    #[test]
    fn who_may_do_everything_has_the_worst_score_and_who_is_sealed_a_good_one() {
        let worst = scored(|worker| {
            worker.sandbox.preset = Preset::None;
            worker.privileged = true;
            worker.sandbox.user = Some("root".into());
            worker.sandbox.limit_core = u64::MAX;
        });
        assert!(worst.score >= 7.5, "{} {:?}", worst.score, worst.word);
        let sealed = scored(|_| {});
        assert!(sealed.score < 3.0, "{}", sealed.score);
        assert!(worst.exposures.iter().all(|one| one.badness <= 10));
    }

    #[test]
    fn each_thing_that_is_granted_raises_the_score_and_names_the_line_that_lowers_it() {
        let least = scored(|_| {}).score;
        type Change = fn(&mut Worker);
        let more: [(&str, Change); 14] = [
            ("capabilities", |worker| worker.sandbox.capabilities.push("CAP_SYS_ADMIN".into())),
            ("writes", |worker| worker.sandbox.read_write_paths.push("/".into())),
            ("reads", |worker| worker.sandbox.read_only_paths.push("/etc".into())),
            ("network", |worker| worker.sandbox.tcp_connect.push(443)),
            ("programs", |worker| worker.sandbox.preset = Preset::Exec),
            ("privilege", |worker| worker.privileged = true),
            ("system calls", |worker| worker.sandbox.calls.filter.push("+munlock".into())),
            ("code", |worker| worker.sandbox.calls.memory_deny_write_execute = Some(false)),
            ("groups", |worker| worker.sandbox.supplementary_groups.push("disk".into())),
            ("keys", |worker| worker.sandbox.keyring_mode = Some(KeyringMode::Inherit)),
            ("secrets", |worker| drop(worker.credentials.insert("tls".into(), "/etc/key".into()))),
            ("network", |worker| worker.sandbox.udp_bind = true),
            ("namespaces", |worker| worker.sandbox.calls.namespaces = Some(vec![Namespace::User])),
            ("core", |worker| worker.sandbox.dumpable = Some(true)),
        ];
        for (name, change) in more {
            let scored = scored(change);
            assert!(scored.score > least, "{name}: {} and {least}", scored.score);
            let exposed = scored.exposures.iter().find(|one| one.exposure == name).expect(name);
            assert!(exposed.badness > 0 && exposed.tighten.is_some(), "{name}");
        }
    }

    #[test]
    fn words_change_at_their_bounds() {
        let words = [0.0, 0.1, 0.9, 1.0, 4.9, 5.0, 7.4, 7.5, 8.9, 9.0, 9.9, 10.0].map(word);
        let wanted = [
            "perfect",
            "safe",
            "safe",
            "ok",
            "ok",
            "medium",
            "medium",
            "exposed",
            "exposed",
            "unsafe",
            "unsafe",
            "dangerous",
        ];
        assert_eq!(words, wanted);
    }
}
