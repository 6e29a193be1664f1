//! I. Messages across a crash, each by its number: what was accepted was handled once, or it is counted.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::time::Duration;

use bailiwick_supervisor::control::{State, Verb};
use bailiwick_tests::harness::{Line, Stopwatch, Supervised};
use bailiwick_tests::run;

use crate::support::{gate, kill, open};

/// A sender and one who enters what is sent, with these keys of theirs.
pub(crate) fn system(sender: &str, clerk: &str, desk: &str) -> String {
    format!(
        r#"
[group.g]
max_restarts = 1000
period = "10s"
[worker.clerk]
exec = "tw"
group = "g"
{clerk}
actor.book = {{ type = "Clerk", args = {{ {desk} }} }}
[worker.sender]
exec = "tw"
group = "g"
actor.courier = {{ type = "Sender", args = {{ target = "clerk", {sender} }} }}
[[grant]]
from = "sender"
to = "clerk"
[[grant]]
from = "clerk"
to = "sender"
"#
    )
}

/// The backoff of whoever is killed again and again.
const SHORT: &str = r#"backoff = { base = "1ms", cap = "5ms" }"#;

/// What the lines say of numbers.
#[derive(Debug, Default)]
pub(crate) struct Books {
    /// In the order of the lines.
    pub(crate) told: Vec<u64>,
    refused: Vec<(u64, String)>,
    asked: Vec<u64>,
    answered: Vec<u64>,
    unknown: BTreeMap<u64, String>,
    again: Vec<(u64, String)>,
    /// With the process in which it was entered.
    pub(crate) entered: Vec<(u64, u32)>,
    /// What the sender said last of messages that were lost.
    pub(crate) lost: BTreeMap<String, u64>,
}

impl Books {
    pub(crate) fn of(lines: &[Line]) -> Self {
        let mut books = Self::default();
        for line in lines {
            books.read(&line.text);
        }
        books
    }

    fn read(&mut self, line: &str) {
        let after = |word: &str| line.split_once(word).map(|(_, rest)| rest);
        let numbered = |word: &str| {
            let (number, rest) = after(word)?.split_once(": ")?;
            Some((number.parse().ok()?, rest.to_owned()))
        };
        let number = |word: &str| after(word)?.parse::<u64>().ok();
        self.told.extend(number(" told "));
        self.refused.extend(numbered(" refused "));
        self.asked.extend(number(" asks "));
        self.answered.extend(number(" answered "));
        self.unknown.extend(numbered(" unknown "));
        self.again.extend(numbered(" again "));
        if let Some((number, process)) = after(" entered ").and_then(|rest| rest.split_once(" in ")) {
            self.entered.extend(number.parse().ok().zip(process.parse().ok()));
        }
        if let Some(counts) = after(" lost so far: ") {
            let pairs = counts.trim_matches(['{', '}']).split(", ").filter_map(|pair| pair.split_once(": "));
            let counted = |(reason, count): (&str, &str)| {
                Some((reason.trim_matches('"').to_owned(), count.parse().ok()?))
            };
            self.lost = pairs.filter_map(counted).collect();
        }
    }

    pub(crate) fn entries(&self) -> BTreeSet<u64> {
        self.entered.iter().map(|(number, _)| *number).collect()
    }

    /// Asserts that no number was entered twice, and each behind those that were sent before it.
    #[track_caller]
    pub(crate) fn assert_in_order(&self) {
        for pair in self.entered.windows(2) {
            assert!(pair[0].0 < pair[1].0, "{pair:?}: twice, or late");
        }
    }

    /// Asserts that what was told up to this number was entered or is counted, here or as unread over there.
    #[track_caller]
    fn assert_counted(&self, last: u64, unread: u64) {
        let told = self.told.iter().filter(|number| **number <= last).count() as u64;
        let entered = self.entries().range(..=last).count() as u64;
        let unknown = self.lost.get("unknown").copied().unwrap_or_default();
        let letters = self.lost.values().sum::<u64>() - unknown + unread;
        let counted = entered + letters;
        assert!(
            (counted..=counted + unknown).contains(&told),
            "{told} told, {entered} entered, {unread} unread, otherwise lost: {:?}",
            self.lost
        );
    }

    /// Asserts that every ask up to this one has one end, and that the end is true.
    #[track_caller]
    fn assert_true_outcomes(&self, last: u64) {
        let entered = self.entries();
        assert_eq!(entered.len(), self.entered.len(), "a number was entered twice");
        let answered: BTreeSet<_> = self.answered.iter().copied().collect();
        for number in self.asked.iter().copied().filter(|number| *number <= last) {
            let ends = (answered.contains(&number), self.unknown.get(&number));
            assert!(matches!(ends, (true, None) | (false, Some(_))), "ask {number} ended so: {ends:?}");
        }
        for number in &answered {
            assert!(entered.contains(number), "{number} was answered and never entered");
        }
    }
}

/// What `sender` told, whose numbers are these, and what became of it.
fn books_of(lines: &[Line], sender: &str, numbers: &RangeInclusive<u64>) -> Books {
    let said = format!("{sender} | ");
    let entered = |line: &Line| Books::of(std::slice::from_ref(line)).entered;
    let is_about = |line: &&Line| {
        line.text.starts_with(&said) || entered(line).iter().any(|(number, _)| numbers.contains(number))
    };
    Books::of(&lines.iter().filter(is_about).cloned().collect::<Vec<_>>())
}

/// Waits for a number that is sent from now on, entered by the process that lives now, and until the sender has said
/// what was lost before it.
pub(crate) fn wait_for_entry(supervised: &Supervised) -> u64 {
    let process = supervised.pid("clerk").0;
    let seen = supervised.journal().len();
    let sent_late = |line: &Line| Books::of(std::slice::from_ref(line)).told.first().copied();
    let number = supervised.journal().wait_until("an entry of what is told now", |lines| {
        let first = lines[seen..].iter().find_map(sent_late)?;
        let entered = Books::of(&lines[seen..]).entered;
        entered.iter().find(|entry| entry.0 > first && entry.1 == process).map(|entry| entry.0)
    });
    let told = format!(" told {number}");
    supervised.journal().wait_until("the end of its round", |lines| {
        let behind = lines.iter().skip_while(|line| !line.text.ends_with(&told));
        behind.into_iter().any(|line| line.text.contains(" lost so far: ")).then_some(())
    });
    number
}

/// Seen to fail without the limit of what waits; the waiting.
#[test]
fn i2_of_what_is_told_in_backoff_exactly_the_first_up_to_the_limit_is_handled_after_it() {
    const LIMIT: usize = 8;
    let clerk = format!("backoff = {{ first = \"1s\" }}\nwhile_down = {{ messages = {LIMIT} }}");
    let mut supervised = run!(&system("tells = 1, every_ms = 20", &clerk, ""));
    supervised.wait_for_life("clerk", 1);
    wait_for_entry(&supervised);
    let died = supervised.journal().len();
    let first = kill(&supervised, "clerk");
    supervised.wait_for_life("clerk", 2);
    let last = wait_for_entry(&supervised);
    let lines = supervised.journal().since(0);
    let books = Books::of(&lines);
    books.assert_in_order();
    let refused: Vec<_> =
        Books::of(&lines[died..]).refused.into_iter().filter(|(number, _)| *number < last).collect();
    assert!(refused.len() > LIMIT, "it was down for so few: {refused:?}");
    for (_, why) in &refused {
        let said = "not delivered: the peer is down (killed by signal 9), its incarnation was 1";
        assert_eq!(why, said);
    }
    let refusal = refused[0].0;
    let accepted: Vec<_> = books.told.iter().copied().filter(|number| *number < refusal).collect();
    let of_second =
        |(number, process): &(u64, u32)| (*process != first && *number < refusal).then_some(*number);
    let second: Vec<_> = books.entered.iter().filter_map(of_second).collect();
    assert_eq!(
        second,
        accepted[accepted.len() - LIMIT..],
        "the second life handles what was kept for it, in order"
    );
    books.assert_counted(last, 0);
    supervised.stop();
}

/// Seen to fail without letting go who stands in line.
#[test]
fn i2_who_waits_for_room_in_a_worker_that_dies_goes_on_at_once() {
    const LIMIT: usize = 3;
    let clerk = format!(
        "backoff = {{ first = \"3s\" }}\ndrain_timeout = \"50ms\"\nwhile_down = {{ messages = {LIMIT} }}"
    );
    let manifest = system("tells = 1, every_ms = 5", &clerk, "work_ms = 60000");
    let manifest = manifest.replace("\"Clerk\",", "\"Clerk\", mailbox = { capacity = 4 },");
    // The first are told to one that is there, and not kept.
    let manifest = manifest.replace("[worker.sender]\n", "[worker.sender]\nafter = [\"clerk\"]\n");
    let mut supervised = run!(&manifest);
    supervised.journal().wait_for(0, " entered 1 in ");
    // As much was lent as the mailbox holds: the next one waits in line, and its sender with it.
    supervised.journal().wait_for(0, " told 4");
    let (mut said, mut quiet) = (0, 0);
    supervised.journal().wait_until("the sender to stand in line", |lines| {
        quiet = if lines.len() == said { quiet + 1 } else { 0 };
        said = lines.len();
        (quiet == 20).then_some(())
    });
    kill(&supervised, "clerk");
    supervised.journal().wait_for(0, " refused ");
    assert_eq!(supervised.worker("clerk").state, State::Backoff);
    let first = Books::of(&supervised.journal().since(0)).refused[0].0;
    supervised.wait_for_life("clerk", 2);
    supervised.journal().wait_for(0, &format!(" entered {} in ", first - LIMIT as u64));
    supervised.stop();
}

/// Seen to fail without the limit of what waits; the waiting.
#[test]
fn i2_before_the_first_life_what_is_told_waits_as_in_a_pause() {
    let clerk = "while_down = { messages = 3 }\nafter = [\"gate\"]";
    let system = system("tells = 5, every_ms = 20", clerk, "");
    let mut supervised = run!(&[system, gate("gate")].concat());
    let line = supervised.journal().wait_for(0, " refused ");
    open(&supervised, "gate");
    let why = "not delivered: the peer is down (not up yet)";
    assert!(line.text.ends_with(why), "{}", line.text);
    supervised.wait_for_life("clerk", 1);
    wait_for_entry(&supervised);
    let books = Books::of(&supervised.journal().since(0));
    books.assert_in_order();
    assert_eq!(books.entered.iter().map(|entry| entry.0).take(3).collect::<Vec<_>>(), [1, 2, 3]);
    let refused: BTreeSet<_> = books.refused.iter().map(|(number, _)| *number).collect();
    assert!(refused.contains(&4) && refused.is_disjoint(&books.entries()), "{refused:?}");
    supervised.stop();
}

/// Seen to fail without the end of watches with a life.
#[test]
fn i4_who_watches_an_actor_whose_worker_is_killed_is_told_once_after_its_last_message() {
    const KILLS: u32 = 20;
    let desk = "says_to = \"sender\"";
    let mut supervised = run!(&system("watch = true", SHORT, desk));
    let mut processes = Vec::new();
    for generation in 1..=KILLS {
        let process = supervised.wait_for_life("clerk", generation).pid.expect("it is ready");
        supervised.journal().wait_for(0, &format!(" heard 3 of {process}"));
        let seen = supervised.journal().len();
        assert_eq!(kill(&supervised, "clerk"), process);
        supervised.journal().wait_for(seen, " down: ");
        processes.push(process);
    }
    let process = supervised.wait_for_life("clerk", KILLS + 1).pid.expect("it is ready");
    supervised.journal().wait_for(0, &format!(" heard 3 of {process}"));
    let lines = supervised.journal().since(0);
    let of_down = |line: &Line| line.text.split_once(" down: ").map(|(_, down)| down.to_owned());
    let downs: Vec<_> = lines.iter().filter_map(of_down).collect();
    let wanted: Vec<_> =
        (1..=KILLS).map(|generation| format!("clerk/book#{generation} killed by signal 9")).collect();
    assert_eq!(downs, wanted);
    for (nth, process) in processes.iter().enumerate() {
        let down = lines.iter().position(|line| line.text.ends_with(&wanted[nth])).expect("it was told");
        let heard = |line: &Line| -> Option<u64> {
            let (_, rest) = line.text.split_once(" heard ")?;
            let (number, of) = rest.split_once(" of ")?;
            number.parse().ok().filter(|_| of == process.to_string())
        };
        let before: Vec<_> = lines[..down].iter().filter_map(heard).collect();
        let all: Vec<_> = lines.iter().filter_map(heard).collect();
        assert_eq!(before, all, "it spoke after its death");
        assert!(all.iter().copied().eq(1..=all.len() as u64), "a message in between is missing: {all:?}");
    }
    supervised.stop();
}

/// Seen to fail without the drain of mailboxes.
#[test]
fn i7_a_restart_with_an_unread_mailbox_loses_no_ask_and_none_is_handled_twice() {
    let mut supervised = run!(&system("asks = 40, every_ms = 0", "drain_timeout = \"40s\"", "work_ms = 3"));
    supervised.wait_for_life("clerk", 1);
    for _ in 0..10 {
        let seen = supervised.journal().len();
        supervised.journal().wait_for(seen, " entered ");
        supervised.order(Verb::Restart, "clerk");
    }
    let last = finish_round(&supervised);
    let books = Books::of(&supervised.journal().since(0));
    books.assert_true_outcomes(last);
    assert!(books.unknown.is_empty(), "{:?}", books.unknown);
    assert_eq!(supervised.worker("clerk").generation, 11);
    supervised.stop();
}

/// Seen to fail without the end of actors before that of the process; the count of what was unread.
#[test]
fn i7_a_restart_that_is_short_of_time_for_its_mailbox_says_what_became_of_each_message() {
    let clerk = "drain_timeout = \"50ms\"";
    let mut supervised = run!(&system("tells = 20, every_ms = 100", clerk, "work_ms = 20"));
    supervised.wait_for_life("clerk", 1);
    let mut unread = 0;
    for _ in 0..3 {
        wait_for_entry(&supervised);
        let seen = supervised.journal().len();
        supervised.order(Verb::Restart, "clerk");
        let line = supervised.journal().wait_for(seen, " messages were unread when this worker was stopped");
        let count = line.text.split(' ').find_map(|word| word.parse::<u64>().ok());
        unread += count.expect("it is counted");
    }
    let last = wait_for_entry(&supervised);
    let books = Books::of(&supervised.journal().since(0));
    books.assert_in_order();
    books.assert_counted(last, unread);
    supervised.stop();
}

/// Seen to fail without the difference of "unknown" from "not delivered".
#[test]
fn i1_asks_that_race_with_kills_end_with_an_answer_or_with_what_is_known_and_none_is_handled_twice() {
    const AT_ONCE: usize = 20;
    const KILLS: u32 = 20;
    let mut supervised = run!(&system(&format!("asks = {AT_ONCE}, every_ms = 0"), SHORT, "work_ms = 1"));
    for generation in 1..=KILLS {
        let process = supervised.wait_for_life("clerk", generation).pid.expect("it is ready");
        supervised.journal().wait_for(0, &format!(" in {process}"));
        let stopwatch = Stopwatch::start();
        kill(&supervised, "clerk");
        let seen = supervised.journal().len();
        supervised.journal().wait_for(seen, " answered ");
        stopwatch.assert_within(Duration::from_secs(5), "the next answer");
    }
    let last = finish_round(&supervised);
    let books = Books::of(&supervised.journal().since(0));
    books.assert_true_outcomes(last);
    assert!(!books.unknown.is_empty(), "no kill met an ask");
    assert!(books.unknown.len() <= AT_ONCE * KILLS as usize, "{:?}", books.unknown);
    for why in books.unknown.values() {
        assert!(why.starts_with("outcome unknown: ") && why.contains("killed by signal 9"), "{why}");
    }
    supervised.stop();
}

/// Waits until the present life has entered something of `sender`, and until that has said what was lost before it sent
/// that. Returns the number.
fn wait_for_entry_of(supervised: &Supervised, sender: &str, numbers: &RangeInclusive<u64>) -> u64 {
    let process = supervised.pid("clerk").0;
    let (told, lost) = (format!("{sender} | told "), format!("{sender} | lost so far: "));
    let seen = supervised.journal().len();
    supervised.journal().wait_until(&format!("an entry of what {sender} tells now"), |lines| {
        let late = &lines[seen..];
        let first = late.iter().find_map(|line| line.text.strip_prefix(&told)?.parse::<u64>().ok())?;
        let is_late =
            |(number, by): &(u64, u32)| numbers.contains(number) && *number >= first && *by == process;
        let (number, _) = Books::of(late).entered.into_iter().find(is_late)?;
        let is_told = |line: &Line| line.text.strip_prefix(&told) == Some(&number.to_string());
        let at = late.iter().position(is_told)?;
        late[at..].iter().any(|line| line.text.starts_with(&lost)).then_some(number)
    })
}

/// Seen to fail without the count of what nobody can know; the difference of "unknown" from "not delivered".
#[test]
fn i3_tells_that_race_with_kills_are_handled_once_and_in_order_or_counted() {
    const KILLS: u32 = 20;
    const CAPACITY: u64 = 32;
    let senders = [("sender", 1..=1_000_000), ("other", 1_000_001..=2_000_000)];
    let manifest = system("tells = 10, every_ms = 1", SHORT, "work_ms = 1")
        .replace("\"Clerk\",", &format!("\"Clerk\", mailbox = {{ capacity = {CAPACITY} }},"));
    let other = "[worker.other]\nexec = \"tw\"\n\
        actor.courier = { type = \"Sender\", args = { target = \"clerk\", tells = 10, every_ms = 1, after = 1000000 } }\n\
        [[grant]]\nfrom = \"other\"\nto = \"clerk\"\n";
    let mut supervised = run!(&(manifest + other));
    let mut lives = Vec::new();
    for generation in 1..=KILLS {
        let process = supervised.wait_for_life("clerk", generation).pid.expect("it is ready");
        // By then the mailbox is full, and both stand in line.
        for (_, numbers) in &senders {
            supervised.journal().wait_until("entries of both", |lines| {
                let entered = Books::of(lines).entered;
                entered
                    .iter()
                    .rev()
                    .any(|(number, by)| numbers.contains(number) && *by == process)
                    .then_some(())
            });
        }
        assert_eq!(kill(&supervised, "clerk"), process);
        lives.push(process);
    }
    lives.push(supervised.wait_for_life("clerk", KILLS + 1).pid.expect("it is ready"));
    for (sender, numbers) in senders {
        let last = wait_for_entry_of(&supervised, sender, &numbers);
        let books = books_of(&supervised.journal().since(0), sender, &numbers);
        // What a life has said last may be read after what the next one says first.
        let mut by_life = books.entered.clone();
        by_life.sort_by_key(|(_, process)| lives.iter().position(|life| life == process));
        Books { entered: by_life, ..Books::default() }.assert_in_order();
        books.assert_counted(last, 0);
        let unknown = books.lost.get("unknown").copied().unwrap_or_default();
        assert!(unknown > 0, "no kill met a tell of {sender}");
        assert!(unknown <= u64::from(KILLS) * CAPACITY, "more than was on its way: {unknown}");
    }
    for worker in ["clerk", "sender", "other"] {
        assert_eq!(supervised.worker(worker).output_dropped, 0, "not everything that {worker} said was read");
    }
    supervised.stop();
}

/// Waits until every ask that has begun so far has ended, and returns the last of them.
fn finish_round(supervised: &Supervised) -> u64 {
    let last = *Books::of(&supervised.journal().since(0)).asked.last().expect("something was asked");
    supervised.journal().wait_until("the end of every ask", |lines| {
        // A round begins when the one before it has ended.
        Books::of(lines).asked.last().filter(|number| **number > last + 100).map(|_| last)
    })
}
