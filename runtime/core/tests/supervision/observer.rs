//! Watches what a tree is told and what it answers, and fails where an invariant is broken.

use std::collections::BTreeSet;
use std::time::Duration;

use bailiwick_core::budget::Budget;
use bailiwick_core::child::{Child, KILL_GRACE, State};
use bailiwick_core::exit::Exit;
use bailiwick_core::time::Instant;
use bailiwick_core::tree::{
    Action, Alert, ChildConfig, ChildId, Config, Decision, Event, GroupDecision, GroupId, Incarnation, Kind,
    Line, News, Strategy, Tree, Verb,
};

#[path = "second.rs"]
mod second;

use second::{Asked, Second};

/// A tree under observation. It keeps its own account of which lives there are.
#[derive(Clone)]
pub(crate) struct Observed {
    pub(crate) tree: Tree,
    pub(crate) now: Instant,
    lives: Vec<Life>,
    /// Per group, when its budget was charged.
    charges: Vec<Vec<Instant>>,
    stop: Stop,
}

/// What the observer knows of one child.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
struct Life {
    /// The generation that was spawned and not recorded yet.
    open: Option<u32>,
    exited: bool,
    newest: u32,
    spare: Option<Spare>,
    second: Option<Second>,
}

/// A process that waits to be the next life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Spare {
    generation: u32,
    exited: bool,
    killed: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Stop {
    Never,
    Ordered,
    AllAtOnce,
    Left,
}

impl Observed {
    pub(crate) fn new(config: Config) -> Self {
        let lives = vec![Life::default(); config.children.len()];
        let charges = vec![Vec::new(); config.groups.len()];
        let tree = Tree::new(config).expect("the tests' configurations are valid");
        Self { tree, now: Instant::START, lives, charges, stop: Stop::Never }
    }

    /// Everything that decides about the future, with times as offsets.
    pub(crate) fn key(&self) -> impl std::hash::Hash + Eq + use<> {
        let spare = |life: &Life| life.spare.map(|spare| (spare.exited, spare.killed));
        let second = |life: &Life| life.second.map(|second| Second { generation: 0, ..second });
        let lives = self.lives.iter();
        let lives: Vec<_> =
            lives.map(|life| (life.open.is_some(), life.exited, spare(life), second(life))).collect();
        (self.tree.normalised(self.now), lives, self.stop)
    }

    /// The present or last life of a child.
    pub(crate) fn life(&self, child: u16) -> Incarnation {
        self.tree.child(ChildId(child)).expect("the tests name children that exist").incarnation()
    }

    /// The process beside a child's present life: one that waits to be the next, or is on its way to that, or had its
    /// place; or the life that would be the next.
    pub(crate) fn other(&self, child: u16) -> Incarnation {
        let life = self.life(child);
        let known = &self.lives[usize::from(child)];
        let spare = known.spare.map(|spare| spare.generation);
        let other = known.second.map(|second| second.generation).or(spare);
        Incarnation { generation: other.unwrap_or(known.newest + 1), ..life }
    }

    /// Tells the tree and checks its answer.
    pub(crate) fn tell(&mut self, event: Event) -> Vec<Action> {
        let mut actions = Vec::new();
        let had_left = self.stop == Stop::Left;
        let charged = self.is_about_another(event).then(|| self.charged());
        self.tree.handle(self.now, event, &mut actions);
        let context = Line { now: self.now, event, actions: &actions }.to_string();
        if had_left {
            assert!(actions.is_empty(), "acts after it left: {context}");
            return actions;
        }
        // A group may have waited for just this to be judged for the end of somebody else.
        let judges = |action: &Action| matches!(action, Action::Alert(Alert::GroupEnded(_)));
        if let Some(before) = charged.filter(|_| !actions.iter().any(judges)) {
            let is_same = self.charged().into_iter().zip(before).all(|(after, before)| after >= before);
            assert!(is_same, "charges for one that nobody needs: {context}");
        }
        if let Event::Exited { of, .. } = event
            && let Some(life) = self.lives.get_mut(usize::from(of.child.0))
            && (life.open == Some(of.generation) || life.second_of(of).is_some())
        {
            self.expect_down_once(of, &actions, &context);
        }
        self.watch_spare(event);
        if let Event::Ready(of) = event
            && let Some(second) =
                self.lives.get_mut(usize::from(of.child.0)).and_then(|life| life.second_of(of))
            && second.asked == Asked::Rise
        {
            second.asked = Asked::Wait;
        }
        if matches!(event, Event::ShutDown | Event::Kill) {
            self.stop = self.stop.after(event);
        }
        if let Event::Operator { verb: Verb::Reset, child } = event {
            self.forget_charges(child);
        }
        let mut was_empty = self.empty_groups();
        for action in &actions {
            self.check(*action, event, &context);
            was_empty.extend(self.empty_groups());
        }
        self.forget_charges_of_restarted(&was_empty);
        self.check_that_nothing_is_forgotten(&context);
        self.check_who_is_there(&context);
        actions
    }

    /// Whether an event is about a process beside the present life of a child.
    fn is_about_another(&self, event: Event) -> bool {
        let (Event::Exited { of, .. }
        | Event::Emptied { of, .. }
        | Event::SpawnFailed { of, .. }
        | Event::Violated(of)
        | Event::Ready(of)) = event
        else {
            return false;
        };
        let Some(life) = self.lives.get(usize::from(of.child.0)) else { return false };
        let spare = life.spare.map(|spare| spare.generation);
        [spare, life.second.map(|second| second.generation)].contains(&Some(of.generation))
    }

    /// What all budgets still cover, and how little all children are blamed for.
    fn charged(&self) -> Vec<i64> {
        let groups = (0..).map(GroupId).take(self.charges.len());
        let budgets =
            groups.filter_map(|group| self.tree.budget(group)).map(|budget| budget.left(self.now).into());
        let children = self.tree.children().iter();
        let blames =
            children.flat_map(|child| [-i64::from(child.failures()), child.offences_left(self.now).into()]);
        budgets.chain(blames).collect()
    }

    /// What can be read of the processes of a child is what there is: two at most, and the second is no life, or one that
    /// nobody sends to.
    fn check_who_is_there(&self, context: &str) {
        for (life, child) in self.lives.iter().zip(self.tree.children()) {
            let number = |of: Option<Incarnation>| of.map(|of| of.generation);
            let newcomer = life.second.filter(|second| second.is_newcomer).map(|second| second.generation);
            let predecessor =
                life.second.filter(|second| !second.is_newcomer).map(|second| second.generation);
            assert!(life.spare.is_none() || life.second.is_none(), "three at once: {context}");
            assert_eq!(number(child.spare()), life.spare.map(|spare| spare.generation), "{context}");
            assert_eq!(number(child.predecessor()), predecessor, "{context}");
            assert!(newcomer.is_none() || number(child.newcomer()) == newcomer, "{context}");
            let is_any = life.open.is_some() || life.spare.is_some() || life.second.is_some();
            assert_eq!(child.is_empty(), !is_any, "{context}");
        }
    }

    /// Whoever waits, waits for somebody, for a process that is to end, or for a time.
    fn check_that_nothing_is_forgotten(&self, context: &str) {
        // A pause without end is one that somebody asked for.
        if self.tree.config().children.iter().any(|child| child.backoff.cap == Duration::MAX) {
            return;
        }
        let lives = |life: &Life| life.open.is_some() || life.second.is_some();
        let something_ends = self.lives.iter().any(lives) || self.tree.deadline().is_some();
        for (id, child) in (0..).map(ChildId).zip(self.tree.children()) {
            let waits = matches!(child.state(), State::Waiting | State::Backoff { .. })
                && !self.tree.waits_for_demand(id);
            let is_awaited = something_ends || self.tree.waits_for(id).is_some();
            assert!(!waits || is_awaited || self.has_left(), "{id} waits for nothing: {context}");
        }
    }

    /// Has the tree take other terms.
    pub(crate) fn adopt(&mut self, config: Config) {
        let limits = |tree: &Tree| -> Vec<_> {
            tree.config().groups.iter().map(|group| group.max_restarts as usize).collect()
        };
        let former = limits(&self.tree);
        self.lives.resize(config.children.len(), Life::default());
        self.charges.resize(config.groups.len(), Vec::new());
        self.tree.adopt(config).expect("the tests' configurations are valid");
        // The tree keeps one more charge than it needs to know that there are too many.
        for (charges, (old, new)) in self.charges.iter_mut().zip(former.into_iter().zip(limits(&self.tree))) {
            charges.drain(..charges.len().saturating_sub(old.min(new) + 1));
        }
    }

    /// Lets time pass to the deadline, if there is one, and checks that this leads on.
    pub(crate) fn tick(&mut self) -> bool {
        self.tick_late(Duration::ZERO)
    }

    /// Does so when the supervisor runs only `lag` after the deadline.
    pub(crate) fn tick_late(&mut self, lag: Duration) -> bool {
        let Some(deadline) = self.tree.deadline() else { return false };
        self.now = self.now.max(deadline + lag);
        for _ in 0..4 {
            self.tell(Event::Tick);
            if self.tree.deadline().is_none_or(|next| next > self.now) {
                return true;
            }
        }
        panic!("the deadline stays in the past: {:?} at {}", self.tree, self.now);
    }

    pub(crate) fn has_left(&self) -> bool {
        self.stop == Stop::Left
    }

    /// What an operator reset is spent no more, if the order was taken.
    fn forget_charges(&mut self, child: ChildId) {
        let Some(terms) = self.tree.config().children.get(usize::from(child.0)) else { return };
        if self.is_unspent(terms.group) {
            self.charges[usize::from(terms.group.0)].clear();
        }
    }

    /// Whether nothing was charged to a group, or all of it is forgotten. What is left does not tell: of none that is none.
    fn is_unspent(&self, group: GroupId) -> bool {
        let budget = self.tree.budget(group).expect("the group exists");
        *budget == Budget::new(budget.max_restarts(), budget.period())
    }

    /// Returns the groups within others of which nobody lives.
    fn empty_groups(&self) -> BTreeSet<GroupId> {
        let config = self.tree.config();
        let mut empty: BTreeSet<_> = (1..).map(GroupId).take(config.groups.len() - 1).collect();
        let lives = |life: &Life| life.open.is_some() || life.second.is_some();
        let lives = self.lives.iter().zip(&config.children).filter(|(life, _)| lives(life));
        for (_, terms) in lives {
            let mut around = Some(terms.group);
            while let Some(group) = around {
                empty.remove(&group);
                around = config.groups[usize::from(group.0)].parent;
            }
        }
        empty
    }

    /// A group that was stopped as a whole may start with a budget of which nothing is spent.
    fn forget_charges_of_restarted(&mut self, was_empty: &BTreeSet<GroupId>) {
        for group in was_empty {
            if self.is_unspent(*group) {
                self.charges[usize::from(group.0)].clear();
            }
        }
    }

    fn expect_down_once(&mut self, of: Incarnation, actions: &[Action], context: &str) {
        let down = |action: &&Action| matches!(action, Action::Announce { of: about, news: News::Down(_) } if *about == of);
        let life = &mut self.lives[usize::from(of.child.0)];
        let exited = match &mut life.second {
            Some(second) if second.generation == of.generation => &mut second.exited,
            _ => &mut life.exited,
        };
        let expected = usize::from(!std::mem::replace(exited, true));
        assert_eq!(actions.iter().filter(down).count(), expected, "one Down for each end: {context}");
    }

    fn check(&mut self, action: Action, event: Event, context: &str) {
        match action {
            Action::Spawn(of) => {
                assert_eq!(self.lives[usize::from(of.child.0)].spare, None, "there is a spare: {context}");
                self.check_spawn(of, context);
            }
            Action::Prepare(of) => {
                assert!(self.stop == Stop::Never, "prepares after the stop began: {context}");
                let life = &mut self.lives[usize::from(of.child.0)];
                assert!(life.open.is_some() && !life.exited, "a spare is behind a life: {context}");
                assert_eq!(of.generation, life.newest + 1, "a number that is not the next: {context}");
                assert_eq!(life.second, None, "a spare and a second life: {context}");
                let spare = Spare { generation: of.generation, exited: false, killed: false };
                assert_eq!(life.spare.replace(spare), None, "two spares at once: {context}");
            }
            Action::Admit(of) => {
                let spare = self.lives[usize::from(of.child.0)].spare.take();
                let fit = Spare { generation: of.generation, exited: false, killed: false };
                assert_eq!(spare, Some(fit), "lets in what cannot live: {context}");
                self.check_spawn(of, context);
            }
            Action::Rise(of) => self.check_rise(of, context),
            Action::Succeed { of, from } => self.check_succession(of, from, context),
            Action::Drain(of) | Action::Terminate(of) | Action::KillTree(of)
                if self.lives[usize::from(of.child.0)].second_of(of).is_some() =>
            {
                let second = self.lives[usize::from(of.child.0)].second_of(of);
                second.expect("the arm is for those that are there").ask(action, context);
            }
            Action::KillTree(of) if self.open(of) != Some(of.generation) => {
                let spare = self.lives[usize::from(of.child.0)].spare.as_mut();
                let spare = spare.filter(|spare| spare.generation == of.generation);
                spare.unwrap_or_else(|| panic!("kills what is not there: {context}")).killed = true;
            }
            Action::Drain(of)
            | Action::Terminate(of)
            | Action::Abort(of)
            | Action::Look(of)
            | Action::Reload(of)
            | Action::KillTree(of) => {
                assert_eq!(self.open(of), Some(of.generation), "acts on a life that is over: {context}");
            }
            Action::Announce { of, news: News::Down(_) }
                if self.lives[usize::from(of.child.0)].second_of(of).is_some() => {}
            Action::Announce { of, news } => {
                assert_eq!(self.open(of), Some(of.generation), "tells of a life that is over: {context}");
                if news == News::Draining && self.stop == Stop::Ordered {
                    self.check_order(of.child, context);
                }
                if news == News::Draining && self.stop == Stop::Never {
                    self.check_serial_order(of.child, event, context);
                }
            }
            Action::Record(record)
                if matches!(record.decision, Decision::RolledBack | Decision::Succeeded) =>
            {
                let of = record.of;
                let second = self.lives[usize::from(of.child.0)].second.take();
                let second = second.filter(|second| second.generation == of.generation && second.exited);
                let second = second.unwrap_or_else(|| panic!("recorded what is not over: {context}"));
                assert!(!record.charged, "charges for one that nobody needs: {context}");
                assert_eq!(second.is_newcomer, record.decision == Decision::RolledBack, "{context}");
                let is_end = matches!(event, Event::Emptied { of: about, .. } if about == of);
                assert!(is_end, "recorded before nothing was left of it: {context}");
            }
            Action::Record(record) => {
                let of = record.of;
                assert_eq!(self.open(of), Some(of.generation), "recorded twice or without a life: {context}");
                let ends = match event {
                    Event::Emptied { of: about, .. } => {
                        about == of && self.lives[usize::from(of.child.0)].exited
                    }
                    Event::SpawnFailed { of: about, .. } => about == of,
                    _ => false,
                };
                assert!(ends, "recorded before nothing was left of it: {context}");
                self.lives[usize::from(of.child.0)].open = None;
                if record.charged {
                    let restarts = match record.decision {
                        Decision::Restart { .. } => Some(true),
                        Decision::CoolDown { .. } => None,
                        _ => Some(false),
                    };
                    self.check_charge(self.terms(of.child).group, restarts, context);
                }
            }
            Action::Alert(Alert::GroupEnded(end)) => {
                let restarts = match end.decision {
                    GroupDecision::Restart => Some(true),
                    GroupDecision::CoolDown { .. } => None,
                    GroupDecision::GiveUp | GroupDecision::Escalate(_) => Some(false),
                };
                let parent = self.tree.config().groups[usize::from(end.group.0)].parent;
                self.check_charge(
                    parent.expect("only a group with a parent escalates to it"),
                    restarts,
                    context,
                );
            }
            Action::Alert(Alert::ShuttingDown(_)) => self.stop = Stop::Ordered,
            Action::Alert(Alert::Hastened | Alert::CutShort) => self.stop = Stop::AllAtOnce,
            Action::Alert(_) => {}
            Action::Leave(outcome) => {
                let late = self.lives.iter().any(|life| life.spare.is_some() || life.second.is_some());
                assert!(
                    !late || self.stop == Stop::AllAtOnce,
                    "leaves somebody behind, {outcome}: {context}"
                );
                assert!(
                    self.stop != Stop::Never && self.stop != Stop::Left,
                    "leaves unasked or twice: {context}"
                );
                self.stop = Stop::Left;
            }
        }
    }

    fn check_spawn(&mut self, of: Incarnation, context: &str) {
        assert!(self.stop == Stop::Never, "starts after the stop began: {context}");
        if let Some(size) = self.tree.pool_size(self.terms(of.child).group) {
            let own = self.terms(of.child);
            let rank = |id: u16| (self.terms(ChildId(id)).position, id);
            let is_before = |other: &u16| {
                let terms = self.terms(ChildId(*other));
                terms.group == own.group && !terms.leaving && rank(*other) < rank(of.child.0)
            };
            let before = (0..self.lives.len() as u16).filter(is_before).count();
            assert!(before < usize::from(size), "starts in a place that is not taken: {context}");
        }
        let life = &mut self.lives[usize::from(of.child.0)];
        assert_eq!(life.open, None, "two lives at once: {context}");
        assert!(of.generation > life.newest, "a generation comes again: {context}");
        let is_coming = life.second.is_some_and(|second| second.is_newcomer && second.is_coming());
        assert!(!is_coming, "makes a life beside the one that is to be the next: {context}");
        let second = life.second;
        *life = Life { open: Some(of.generation), exited: false, newest: of.generation, spare: None, second };
    }

    fn check_rise(&mut self, of: Incarnation, context: &str) {
        assert!(self.stop == Stop::Never, "rises after the stop began: {context}");
        let life = &mut self.lives[usize::from(of.child.0)];
        let fit = Spare { generation: of.generation, exited: false, killed: false };
        assert_eq!(life.spare.take(), Some(fit), "lets rise what cannot live: {context}");
        assert!(life.open.is_some() && !life.exited, "rises beside nobody: {context}");
        assert!(of.generation > life.newest, "a generation comes again: {context}");
        life.newest = of.generation;
        let second =
            Second { generation: of.generation, is_newcomer: true, exited: false, asked: Asked::Rise };
        assert_eq!(life.second.replace(second), None, "three lives at once: {context}");
    }

    /// From here on the routes lead to a newcomer that lives, and to nobody else.
    fn check_succession(&mut self, of: Incarnation, from: Incarnation, context: &str) {
        let life = &mut self.lives[usize::from(of.child.0)];
        let newcomer = life.second.take().filter(|second| second.generation == of.generation);
        let newcomer = newcomer.unwrap_or_else(|| panic!("nobody succeeds: {context}"));
        let is_fit = newcomer.is_newcomer && !newcomer.exited && newcomer.is_coming();
        assert!(is_fit, "lets succeed what cannot live: {context}");
        assert!(from.generation < of.generation, "is succeeded by its elder: {context}");
        if let Some(open) = life.open {
            assert!(open == from.generation && !life.exited, "succeeds one that ends: {context}");
            let asked = Asked::Wait;
            life.second = Some(Second { generation: open, is_newcomer: false, exited: false, asked });
        }
        (life.open, life.exited) = (Some(of.generation), false);
    }

    /// Follows what becomes of a spare by what is told.
    fn watch_spare(&mut self, event: Event) {
        let (Event::Exited { of, .. } | Event::Emptied { of, .. } | Event::SpawnFailed { of, .. }) = event
        else {
            return;
        };
        let Some(life) = self.lives.get_mut(usize::from(of.child.0)) else { return };
        let Some(spare) = life.spare.as_mut().filter(|spare| spare.generation == of.generation) else {
            return;
        };
        match event {
            Event::Exited { .. } => spare.exited = true,
            Event::Emptied { .. } if !spare.exited => {}
            _ => life.spare = None,
        }
    }

    /// While everything is stopped in order, nothing of those who come after a child may be left when it stops.
    fn check_order(&self, child: ChildId, context: &str) {
        for (above, life) in (0..).map(ChildId).zip(&self.lives) {
            let later = self.comes_after(above, child);
            let is_gone = life.open.is_none() && life.second.is_none();
            assert!(!later || is_gone, "{child} drains before {above} is gone: {context}");
        }
    }

    /// In a serial group nobody is stopped before those after it are gone, unless an operator asked for that.
    fn check_serial_order(&self, child: ChildId, event: Event, context: &str) {
        let alone = match event {
            Event::Operator { child: about, .. } => about == child,
            // It was asked to reload, and is restarted instead.
            Event::Declined(of) => of.child == child,
            // It has lived as long as planned, or starts on demand and had nothing to do.
            Event::Spent(of) | Event::Idle(of) => of.child == child,
            Event::Tick => self.terms(child).max_age < Duration::MAX,
            _ => false,
        };
        if alone {
            return;
        }
        let group = self.terms(child).group;
        match self.tree.config().groups[usize::from(group.0)].strategy {
            Strategy::OneForOne | Strategy::Pool => return,
            Strategy::RestForOne | Strategy::OneForAll => {}
        }
        for (other, life) in (0..).map(ChildId).zip(&self.lives) {
            let shares = self.around(other).any(|around| around == group);
            let later = shares && self.member(other, group) > self.member(child, group);
            let is_gone = life.open.is_none() && life.second.is_none();
            assert!(!later || is_gone, "{child} drains before {other} is gone: {context}");
        }
    }

    /// The groups around a child, its own first.
    fn around(&self, child: ChildId) -> impl Iterator<Item = GroupId> {
        let groups = &self.tree.config().groups;
        std::iter::successors(Some(self.terms(child).group), |group| groups[usize::from(group.0)].parent)
    }

    /// The first child of the member of `group` that is the child or holds it. The tests' needs lead backwards only.
    fn member(&self, child: ChildId, group: GroupId) -> ChildId {
        let Some(inner) = self.around(child).take_while(|around| *around != group).last() else {
            return child;
        };
        let children = (0..).map(ChildId).take(self.lives.len());
        children.filter(|other| self.around(*other).any(|around| around == inner)).min().unwrap_or(child)
    }

    /// Charges within a window are at most the budget, unless the answer is no ordinary restart. `None` is a
    /// restart that waits for long, which a child that cools down gets on any budget.
    fn check_charge(&mut self, group: GroupId, restarts: Option<bool>, context: &str) {
        let terms = self.tree.config().groups[usize::from(group.0)];
        let charges = &mut self.charges[usize::from(group.0)];
        charges.retain(|at| self.now.since(*at) < terms.period);
        charges.push(self.now);
        let covered = charges.len() <= terms.max_restarts as usize;
        assert!(covered || restarts != Some(true), "restarts on a spent budget: {context}");
        assert!(!covered || restarts != Some(false), "gives up on a budget that is not spent: {context}");
    }

    fn open(&self, of: Incarnation) -> Option<u32> {
        self.lives[usize::from(of.child.0)].open
    }

    fn terms(&self, child: ChildId) -> &ChildConfig {
        &self.tree.config().children[usize::from(child.0)]
    }

    /// Whether the configuration puts `late` after `early`, directly or through others.
    fn comes_after(&self, late: ChildId, early: ChildId) -> bool {
        let terms = self.terms(late);
        let mut precedents = terms.needs.iter().chain(&terms.wants).chain(&terms.after);
        precedents.any(|before| *before == early || self.comes_after(*before, early))
    }

    /// Lets everybody do what is asked of them: whatever has happened, it must come to rest with every child up, done,
    /// stopped or given up, or waiting for one that is.
    pub(crate) fn check_that_it_settles(mut self) {
        for _ in 0..200 {
            let others = (0..).map(ChildId).zip(&self.lives);
            let other = others.into_iter().find_map(|(child, life)| {
                if let Some(second) = life.second {
                    let of = Incarnation { child, generation: second.generation };
                    return second.answer(of);
                }
                let of = Incarnation { child, generation: life.spare?.generation };
                match life.spare? {
                    Spare { exited: true, .. } => Some(Event::Emptied { of, chance: 0 }),
                    Spare { killed: true, .. } => Some(Event::Exited { of, exit: Exit::Signal(9) }),
                    // Only somebody whose place it is to take is in a hurry.
                    _ => {
                        let child = self.tree.child(child)?;
                        (child.is_rolling() && !child.has_standing_spare()).then_some(Event::Standing(of))
                    }
                }
            });
            if let Some(event) = other {
                self.tell(event);
                continue;
            }
            let Some(event) = (0..).zip(self.tree.children()).find_map(|(id, child)| {
                let of = Incarnation { child: ChildId(id), ..child.incarnation() };
                match child.state() {
                    State::Spawning { .. } | State::Starting { .. } | State::Reloading { .. } => {
                        Some(Event::Ready(of))
                    }
                    State::Draining { .. } => Some(Event::Drained(of)),
                    State::Stopping { .. } => Some(Event::Exited { of, exit: Exit::Code(0) }),
                    State::Aborting { .. } | State::Killing { .. } => {
                        Some(Event::Exited { of, exit: Exit::Signal(9) })
                    }
                    State::Reaping { .. } => Some(Event::Emptied { of, chance: 0 }),
                    State::Stopped
                    | State::Waiting
                    | State::Ready { .. }
                    | State::Unready
                    | State::Backoff { .. }
                    | State::Done
                    | State::Failed(_) => None,
                }
            }) else {
                if self.has_left() || !self.is_pausing() {
                    let rolls = |child: &&Child| child.is_rolling() && child.state() != State::Unready;
                    let rolls = self.tree.children().iter().find(rolls);
                    assert!(rolls.is_none() || self.has_left(), "a replacement has no end: {rolls:?}");
                    return self.check_that_who_waits_waits_for_one_at_rest();
                }
                assert!(self.tick(), "a pause has no end: {:?}", self.tree);
                continue;
            };
            self.tell(event);
        }
        panic!("it does not settle: {:?}", self.tree);
    }

    /// Whether anybody waits for a time, or might.
    fn is_pausing(&self) -> bool {
        let waits = |child: &Child| matches!(child.state(), State::Waiting | State::Backoff { .. });
        self.tree.deadline().is_some() && self.tree.children().iter().any(waits)
    }

    fn check_that_who_waits_waits_for_one_at_rest(&self) {
        for (id, child) in (0..).map(ChildId).zip(self.tree.children()) {
            if self.has_left() || self.tree.waits_for_demand(id) {
                continue;
            }
            if matches!(child.state(), State::Waiting | State::Backoff { .. }) {
                let need = self.tree.waits_for(id);
                let can_wait = match need.and_then(|need| self.tree.child(need)).map(Child::state) {
                    // What is to end may take as long as it likes.
                    Some(State::Ready { .. }) => {
                        need.is_some_and(|need| self.terms(need).kind == Kind::Oneshot)
                    }
                    Some(State::Stopped | State::Done | State::Unready | State::Waiting) => true,
                    _ => false,
                };
                assert!(can_wait, "{id} waits for {need:?}: {:?}", self.tree);
            }
        }
    }

    /// Asks for the ordered stop and answers nothing more: it must end all the same, within its total.
    pub(crate) fn check_that_a_stop_ends(mut self) {
        let total = self.tree.config().shutdown_timeout + KILL_GRACE;
        let latest = self.now + total + Duration::from_nanos(1);
        self.tell(Event::ShutDown);
        for _ in 0..100 {
            if self.has_left() {
                assert!(self.now <= latest, "the stop took longer than its total");
                return;
            }
            assert!(self.tick(), "the stop waits for nothing: {:?}", self.tree);
        }
        panic!("the stop does not end: {:?}", self.tree);
    }
}

impl Life {
    fn second_of(&mut self, of: Incarnation) -> Option<&mut Second> {
        self.second.as_mut().filter(|second| second.generation == of.generation)
    }
}

impl Stop {
    fn after(self, event: Event) -> Self {
        match (self, event) {
            (Self::Left, _) => Self::Left,
            (_, Event::Kill) | (Self::Ordered | Self::AllAtOnce, _) => Self::AllAtOnce,
            (Self::Never, _) => Self::Ordered,
        }
    }
}
