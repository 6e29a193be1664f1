//! A supervisor through which a schedule goes, and what must hold meanwhile and afterwards.

use std::collections::BTreeSet;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use bailiwick_supervisor::control::{ClientError, Outcome, ReloadMode, Row, State, Target, Verb};
use bailiwick_tests::harness::{Line, Process, Supervised};
use bailiwick_tests::run;
use nix::sys::signal::Signal;

use crate::schedule::{Moment, Schedule, What, Which};
use crate::shape::{ASKER, Change, Shape, Turns};

/// How long an order is waited for: what it does in the end is seen at the end.
const AT_ONCE: Duration = Duration::from_millis(1);

/// How long a reload is waited for, of which the reading of the manifest takes most.
const RELOADED: Duration = Duration::from_secs(5);

/// The places for lives: two for each member and for who asks them.
const BERTHS: usize = 8;

const RELOAD: Verb = Verb::Reload(ReloadMode::Narrow);

/// A running supervisor, and what of its workers an operator wants.
pub(crate) struct World {
    shape: Shape,
    supervised: Supervised,
    wanted: [bool; 3],
    turns: Turns,
    reloads: Vec<JoinHandle<Result<Outcome, ClientError>>>,
    /// See [`World::descriptors`]; without executables, and before anybody asks.
    descriptors: usize,
}

impl World {
    pub(crate) fn start(shape: Shape) -> Self {
        let turns = Turns::new();
        let supervised = run!(&shape.manifest(&turns));
        let mut world =
            Self { shape, supervised, wanted: [true; 3], turns, reloads: Vec::new(), descriptors: 0 };
        for member in 0..3 {
            world.wait_for_rest(member);
            // What a second life needs stays from the first time on.
            world.order(Verb::Roll, member);
        }
        for member in 0..3 {
            world.supervised.wait_for_life(shape.members[member], 2);
            world.wait_for_rest(member);
        }
        world.descriptors = world.descriptors().1;
        if shape.asked.is_some() {
            world.supervised.order(Verb::Start, ASKER);
        }
        world
    }

    /// Lets everything happen, lets everybody go on, and looks whether all is as it should be.
    pub(crate) fn live_through(mut self, schedule: &Schedule) {
        for moment in &schedule.0 {
            self.meet(*moment);
            self.assert_two_lives_at_most();
        }
        self.reload_again();
        if self.shape.disposable {
            // As long as somebody asks, lives end.
            self.stop_asking();
        }
        for member in 0..3 {
            self.wait_for_rest(member);
        }
        self.assert_two_lives_at_most();
        self.assert_one_in_service();
        self.assert_each_end_is_told_once();
        let supervisor = self.supervised.process();
        self.supervised.journal().wait_until("no zombie", |_| supervisor.zombies().is_empty().then_some(()));
        self.stop_asking();
        self.supervised.journal().wait_until("no more descriptors than before", |_| {
            let (executables, others) = self.descriptors();
            (executables <= BERTHS && others <= self.descriptors).then_some(())
        });
        self.supervised.stop();
    }

    fn meet(&mut self, Moment { what, then }: Moment) {
        match what {
            What::Signal(signal, which, member) => self.send(signal, which, member),
            What::Order(verb, member) => self.order(verb, member),
            What::Reload(change, member) => self.reload(change, member),
            What::Suspend => self.supervised.process().signal(Signal::SIGSTOP),
        }
        let until = Instant::now() + then;
        while let Some(left) = until.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) {
            thread::park_timeout(left);
        }
        if matches!(what, What::Suspend) {
            self.supervised.process().signal(Signal::SIGCONT);
        }
    }

    /// Signals a process of a member that is there now, if there is one.
    fn send(&self, signal: Signal, which: Which, member: usize) {
        let lives = self.lives(member);
        let chosen = match which {
            Which::Older => lives.first(),
            Which::Newer => lives.last(),
        };
        if let Some(process) = chosen {
            process.signal(signal);
        }
    }

    fn order(&mut self, verb: Verb, member: usize) {
        let title = self.shape.members[member];
        let target = match title.split_once('.') {
            Some((worker, number)) => {
                Target::Instance(worker.to_owned(), number.parse().expect("instances are numbered"))
            }
            None => Target::Worker(title.to_owned()),
        };
        // An answer may be late where everything is busy: then it is ordered again.
        self.supervised.journal().wait_until(&format!("the answer to {verb:?} {title}"), |_| {
            self.supervised.control().order(verb, target.clone(), AT_ONCE).ok()
        });
        match verb {
            Verb::Stop => self.wanted[member] = false,
            Verb::Start | Verb::Restart => {
                self.wanted[member] = true;
                // Whoever is started by order starts what it needs.
                self.wanted[0] |= self.shape.needs && member == 1;
            }
            _ => {}
        }
    }

    /// Writes another manifest and orders to take it up. To read it takes long, so that nobody waits for that here.
    fn reload(&mut self, change: Change, member: usize) {
        *self.turns.entry((self.shape.worker(member), change)).or_default() += 1;
        self.supervised.rewrite(&self.shape.manifest(&self.turns));
        let control = self.supervised.control();
        self.reloads.push(thread::spawn(move || control.order(RELOAD, Target::System, RELOADED)));
    }

    /// What was written last holds, whichever reloads before were too many at a time.
    fn reload_again(&mut self) {
        (0..3).for_each(|member| self.go_on(member));
        for reload in self.reloads.drain(..) {
            let outcome = reload.join().expect("it does not panic");
            // An answer may be late where everything is busy, as to any order.
            let is_late = matches!(outcome, Err(ClientError::TimedOut { .. }));
            assert!(
                is_late || matches!(outcome, Ok(Outcome::Done | Outcome::TimedOut | Outcome::Refused)),
                "a reload: {outcome:?}; so far:\n{}",
                self.supervised.journal()
            );
        }
        if self.turns.is_empty() {
            return;
        }
        self.supervised.journal().wait_until("the last reload", |_| {
            let Ok((plan, outcome)) = self.supervised.control().order_with_words(RELOAD, RELOADED) else {
                return None;
            };
            // Who waits for a worker that stands stopped does not get there, and has what changed when it starts.
            let is_taken = matches!(outcome, Outcome::Done | Outcome::TimedOut);
            (is_taken && !plan.starts_with("refused")).then_some(())
        });
    }

    /// Lets a member go on whose processes were stopped.
    fn go_on(&self, member: usize) {
        self.lives(member).iter().for_each(|life| life.signal(Signal::SIGCONT));
    }

    /// Waits until a member is as an operator wants it, with as many processes as that takes, made of what the manifest says.
    fn wait_for_rest(&self, member: usize) {
        // Who needs a worker that was stopped by order after it was last started itself waits until somebody starts that.
        let may_wait = self.shape.needs && member == 1 && !self.wanted[0];
        let up = self.wanted[member];
        let expected = if up { State::Ready } else { State::Stopped };
        let title = self.shape.members[member];
        self.supervised.wait_for_worker(title, &format!("{expected:?} in the end"), |row| {
            // A stopped process is no state of its own, and one that was replaced meanwhile may be stopped anew.
            self.go_on(member);
            let lives = self.lives(member);
            let waits = may_wait && row.state == State::Waiting;
            let count = usize::from(row.state == State::Ready) * (1 + usize::from(self.shape.spares));
            let is_so = (row.state == expected || up && waits)
                && !row.signs.rolling
                && lives.len() == count
                && lives.iter().all(|life| self.is_made_of_the_manifest(*life, member, row));
            is_so.then_some(())
        });
    }

    fn is_made_of_the_manifest(&self, life: Process, member: usize, row: &Row) -> bool {
        let turn = self.turns.get(&(self.shape.worker(member), Change::Anew)).copied().unwrap_or(0);
        let environment = life.environment();
        let found = environment.get("TURN").cloned();
        // Only root sees the environment of others.
        !row.signs.config_changed && found.is_none_or(|found| found == turn.to_string())
    }

    /// Every process of a member that the supervisor has made and that has not ended, the oldest first.
    fn lives(&self, member: usize) -> Vec<Process> {
        let title = self.shape.members[member];
        let is_it = |child: &Process| child.name().as_deref() == Some(title);
        let children = self.supervised.process().children().into_iter().filter(is_it);
        let mut lives: Vec<_> = children.filter_map(|child| Some((child.born()?, child))).collect();
        lives.sort();
        // All were there when the last of them was found, which is what counts.
        lives.retain(|(born, child)| child.is_alive() && child.born() == Some(*born));
        lives.into_iter().map(|(_, child)| child).collect()
    }

    fn stop_asking(&self) {
        if self.shape.asked.is_some() {
            self.supervised.order(Verb::Stop, ASKER);
        }
    }

    /// How many descriptors the supervisor has of what workers execute, and how many others. The same executable is held
    /// open once for all that run it, and once for each place of a life where each was replaced for itself.
    fn descriptors(&self) -> (usize, usize) {
        let open = self.supervised.process().descriptors();
        let executables = open.values().filter(|target| target.ends_with("/tw")).count();
        (executables, open.len() - executables)
    }

    /// A second life is a spare, or there because of a rolling replacement; one of the two is the present one.
    fn assert_two_lives_at_most(&self) {
        for (member, title) in self.shape.members.iter().enumerate() {
            let lives = self.lives(member);
            let journal = self.supervised.journal();
            assert!(lives.len() <= 2, "{title} has more than two lives: {lives:?}; so far:\n{journal}");
            if lives.len() < 2 {
                continue;
            }
            let row = self.supervised.worker(title);
            // What the row says held while both were there.
            if self.lives(member) == lives {
                let is_meant = self.shape.spares || row.signs.rolling;
                assert!(is_meant, "{title} has a duplicate: {lives:?}, {row:?}; so far:\n{journal}");
                let is_one = row.pid.is_none_or(|pid| lives.contains(&Process(pid)));
                assert!(is_one, "{title} is none of {lives:?}: {row:?}; so far:\n{journal}");
            }
        }
    }

    /// Whoever asks one ask after the other is answered by one life, and by no other once another has answered.
    fn assert_one_in_service(&self) {
        let Some(asked) = self.shape.asked.filter(|_| !self.shape.disposable) else { return };
        let member = self.shape.members.iter().position(|title| *title == asked).expect("a member is asked");
        let journal = self.supervised.journal();
        if self.wanted[member] {
            journal.wait_until("answers of the present life", |lines| {
                let present = self.supervised.worker(asked).pid;
                (answerers(lines).last().copied() == present).then_some(())
            });
        }
        let answerers = answerers(&journal.since(0));
        let each: BTreeSet<_> = answerers.iter().collect();
        assert_eq!(each.len(), answerers.len(), "two in service, {answerers:?}; so far:\n{journal}");
    }

    /// Each life that has ended is told of once, and the present one is not among them.
    fn assert_each_end_is_told_once(&self) {
        for title in self.shape.members {
            let row = self.supervised.worker(title);
            let journal = self.supervised.journal();
            // That a life ends as planned is not told.
            let expected = |number: u32| {
                let has_ended = number != row.generation || row.pid.is_none();
                usize::from(has_ended)
            };
            journal.wait_until(&format!("each end of {title} once"), |lines| {
                let told = ends(lines, title);
                let each: BTreeSet<_> = told.iter().copied().collect();
                assert_eq!(each.len(), told.len(), "{title} ended twice: {told:?}; so far:\n{journal}");
                let all = (1..=row.generation)
                    .all(|number| usize::from(each.contains(&number)) == expected(number));
                (all || self.shape.disposable).then_some(())
            });
        }
    }
}

/// The processes that answered, in the order of their answers; one that answered again after another stands there again.
fn answerers(lines: &[Line]) -> Vec<u32> {
    let answerer = |line: &Line| line.text.split_once("answered by ")?.1.parse().ok();
    let mut answerers: Vec<u32> = lines.iter().filter_map(answerer).collect();
    answerers.dedup();
    answerers
}

/// The numbers of the lives of an instance of whose ends something was decided.
fn ends(lines: &[Line], title: &str) -> Vec<u32> {
    let end = |line: &Line| {
        let told = line.text.strip_prefix(&format!("bailiwick | {title}#"))?;
        // One that could not be made has no time after which it ended.
        let (number, rest) = told.split_once([' ', ':'])?;
        number.parse().ok().filter(|_| rest.contains("; "))
    };
    lines.iter().filter_map(end).collect()
}
