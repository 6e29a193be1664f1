//! A manifest that takes the place of another while everything runs.
//!
//! Read by a process beside the loop, planned by [`check::plan`](crate::check::plan()), then taken as a whole or not at
//! all: whatever can be refused is, before anything is touched. What follows are orders to the machine, child by child.

use std::error::Error;

use bailiwick_core::berth::Berth;
use bailiwick_core::time::Instant;
use bailiwick_core::tree::{self, ChildId, Event, Incarnation};
use bailiwick_sys::events::{Interest, wall};
use bailiwick_sys::memory;
use bailiwick_sys::notify::Superior;
use bailiwick_wire::bootstrap::{Terms, Update};
use bailiwick_wire::control::ToWorker;

use super::Daemon;
use super::child::unborn;
use crate::broker::lay_out;
use crate::check::{self, Change, Plan, plan};
use crate::control::{ConnectionId, Outcome as Answer, Record, ReloadMode};
use crate::manifest::Reading;
use crate::roster::Standing;
use crate::sandbox::{Prepared, SandboxError, Tenancy};
use crate::spec::System;
use bailiwick_core::token::Token;

/// A reload that is under way.
#[derive(Debug)]
pub(super) struct Reload {
    by: By,
    /// `None` if it was too late: then its reader has yet to end, and nothing comes of it.
    pub(super) until: Option<Instant>,
    stage: Stage,
}

/// Who waits for the end of a reload, and what it may do; nobody waits after SIGHUP, whose words are the log's.
type By = (Option<ConnectionId>, ReloadMode);

/// What one child was ordered, and the life that was present then.
type Ordered = (tree::Verb, Incarnation);

impl Reload {
    /// Whether it does more than to say what would be done.
    pub(super) fn changes(&self) -> bool {
        self.by.1 != ReloadMode::Plan
    }
}

#[derive(Debug)]
enum Stage {
    /// The manifest is read and checked.
    Reading(Reading),
    /// What was planned has been ordered, each with the life that was present then.
    Settling { plan: String, orders: Vec<Ordered> },
}

impl Daemon {
    /// Begins to read the manifest again.
    pub(super) fn begin_reload(&mut self, by: By, until: Instant) {
        if by.1 != ReloadMode::Plan {
            self.superior.iter_mut().for_each(Superior::note_reload);
        }
        let obstacle = [
            (self.tree.is_shutting_down(), "the system is stopping"),
            (self.reload.is_some(), "another reload is under way"),
            (self.origin.is_none(), "this system has no manifest: it was declared by a program"),
            (!self.reloads.spend(1, self.now()), "too many reloads in a short time"),
        ];
        if let Some((_, why)) = obstacle.into_iter().find(|(is_so, _)| *is_so) {
            return self.end_reload(by, &format!("refused\t{why}\n"), Answer::Refused);
        }
        let Some(read) = self.origin.as_ref().map(|origin| origin.read()) else { return };
        let reading = read.and_then(|reading| {
            self.watch(&reading, Token::Manifest, Interest::READ)?;
            Ok(reading)
        });
        match reading {
            Ok(reading) => {
                self.reload = Some(Reload { by, until: Some(until), stage: Stage::Reading(reading) });
            }
            Err(error) => self.end_reload(by, &format!("refused\t{error}\n"), Answer::Refused),
        }
    }

    /// Takes the manifest that was read, and what follows from it.
    pub(super) fn take_manifest(&mut self) {
        let Some(Reload { by, until, stage }) = self.reload.take() else { return };
        let Stage::Reading(reading) = stage else { return };
        self.unwatch(&reading);
        if until.is_none() {
            return;
        }
        let loaded = match reading.finish() {
            Ok(loaded) => loaded,
            Err(diagnostics) => return self.end_reload(by, &diagnostics, Answer::InvalidManifest),
        };
        let plan = plan(&self.system, &loaded.system);
        let text = format!("{}{plan}", loaded.warnings.render(false));
        if by.1 == ReloadMode::Plan {
            return self.end_reload(by, &text, Answer::Done);
        }
        let applied = match plan.refusal(by.1 == ReloadMode::Widening) {
            Some(why) => Err(why.into()),
            None => self.apply(loaded.system, &plan),
        };
        match applied {
            Err(why) => self.end_reload(by, &format!("{text}refused\t{why}\n"), Answer::Refused),
            Ok(orders) => {
                let stage = Stage::Settling { plan: text, orders };
                self.reload = Some(Reload { by, until, stage });
            }
        }
    }

    /// Has a system take the place of the one that runs. Nothing has changed if that is refused.
    fn apply(&mut self, system: System, plan: &Plan) -> Result<Vec<Ordered>, Box<dyn Error>> {
        let roster = self.roster.succeed(&system)?;
        let terms = roster.config(&system, self.tree.config())?;
        let is_new = |child: &ChildId| {
            roster.seat(*child).standing == Standing::Present
                && self.launcher.prepared(Berth::first(*child)).is_none()
        };
        let fresh = roster.children().filter(is_new);
        let fresh = fresh
            .map(|child| Ok((child, self.launcher.prepare_one(roster.seat(child), Tenancy::default())?)));
        let fresh: Vec<(ChildId, Prepared)> = fresh.collect::<Result<_, SandboxError>>()?;
        // What an operator scaled stays so unless the manifest says something else now.
        let scaled: Vec<Event> = self.tree.config().resized(&terms).collect();
        self.tree.adopt(terms).map_err(|error| roster.explain(error))?;
        let stays = |child: ChildId| roster.seat(child).standing == Standing::Present;
        // Whoever was on its way out.
        let back: Vec<ChildId> = self.roster.leaving().filter(|child| stays(*child)).collect();
        let links = self.broker.succeed(lay_out(&system, &roster), stays, Terms::carry);
        (self.roster, self.system) = (roster, system);
        let added: Vec<ChildId> = fresh.iter().map(|(child, _)| *child).collect();
        let starts = [added.as_slice(), &back].concat();
        for (child, prepared) in fresh {
            let now = self.now();
            self.children.put(child, || unborn(self.roster.seat(child), now));
            self.launcher.place(Berth::first(child), Some(prepared));
            self.hash(Berth::first(child));
        }
        self.guard();
        links.strangers.into_iter().for_each(|(child, peer)| self.introduce(child, peer, false));
        links.changed.into_iter().for_each(|(child, peer)| self.introduce(child, peer, true));
        links.parted.into_iter().for_each(|(child, peer)| self.part(child, peer));
        links.made.into_iter().for_each(|(one, other)| self.link(one, other));
        let orders: Vec<_> =
            self.roster.children().filter_map(|child| self.change(child, plan, &starts)).collect();
        self.events.extend(orders.iter().map(|(verb, of)| Event::Operator { verb: *verb, child: of.child }));
        self.events.extend(scaled);
        for (verb, of) in &orders {
            let is_new_life = matches!(verb, tree::Verb::Renew | tree::Verb::Join);
            let is_stale = is_new_life && !added.contains(&of.child);
            Berth::both(of.child).into_iter().for_each(|berth| self.children.at_mut(berth).stale |= is_stale);
        }
        Ok(orders)
    }

    /// Returns what an instance is ordered, if anything is.
    fn change(&self, child: ChildId, plan: &Plan, starts: &[ChildId]) -> Option<Ordered> {
        let seat = self.roster.seat(child);
        let verb = match plan.change(&seat.worker.name) {
            _ if seat.standing == Standing::Leaving => tree::Verb::Remove,
            _ if starts.contains(&child) && !self.tree.is_member(child) => return None,
            _ if starts.contains(&child) => tree::Verb::Join,
            Change::Added => tree::Verb::Join,
            Change::Reconfigured => tree::Verb::Reload,
            Change::Restarted => tree::Verb::Renew,
            Change::Unchanged | Change::Hot | Change::Removed => return None,
        };
        Some((verb, self.incarnation(child)))
    }

    /// Tells the processes of a child of a peer that there was no grant with when they began; or of one that is known, and with
    /// which something else is granted now, or used up.
    pub(super) fn introduce(&mut self, child: ChildId, peer: ChildId, is_known: bool) {
        let Some(terms) = self.broker.between(child, peer) else { return };
        let update = Update::of_peer(self.peer(child, peer, terms), is_known);
        for berth in Berth::both(child) {
            let Some(life) = &mut self.children.at_mut(berth).life else { continue };
            life.line.iter_mut().for_each(|line| line.add_peers(usize::from(!is_known)));
            let of = life.of;
            self.update(of, &update);
        }
    }

    /// Tells a process of a peer to which no grant is left.
    fn part(&mut self, child: ChildId, peer: ChildId) {
        self.update(self.incarnation(child), &Update { gone: vec![peer.0], ..Update::default() });
    }

    /// Has a worker take up what has changed of its actors' arguments.
    pub(super) fn reconfigure(&mut self, of: Incarnation) {
        let actors = self.roster.seat(of.child).worker.actors.iter().map(Into::into).collect();
        self.update(of, &Update { actors, ..Update::default() });
    }

    fn update(&mut self, of: Incarnation, update: &Update) {
        let memory = update.to_bytes().map_err(|error| error.to_string());
        match memory.and_then(|bytes| memory::seal(&bytes).map_err(|error| error.to_string())) {
            Ok(memory) => self.order(of, ToWorker::Update, Some(memory)),
            Err(error) => self.complain(of, &format!("it cannot be told what has changed: {error}")),
        }
    }

    /// Answers a reload that is carried out, or whose deadline has passed.
    pub(super) fn settle_reload(&mut self) {
        let Some(reload) = &self.reload else { return };
        let is_late = reload.until.is_some_and(|until| until <= self.now() || self.tree.is_shutting_down());
        let is_settled = |(verb, of): &Ordered| self.tree.came_of(*verb, *of).is_some();
        let is_over =
            matches!(&reload.stage, Stage::Settling { orders, .. } if orders.iter().all(is_settled));
        if !is_over && !is_late {
            return;
        }
        let late = if self.tree.is_shutting_down() { Answer::ShuttingDown } else { Answer::TimedOut };
        let Some(Reload { by, stage, .. }) = self.reload.take() else { return };
        let (mut plan, orders) = match stage {
            Stage::Settling { plan, orders } => (plan, orders),
            Stage::Reading(reading) => {
                reading.abandon();
                self.reload = Some(Reload { by: (None, by.1), until: None, stage: Stage::Reading(reading) });
                return self.end_reload(by, "refused\tthe manifest was not read to its end\n", late);
            }
        };
        let came = orders
            .iter()
            .map(|(verb, of)| (self.roster.seat(of.child).title.as_str(), self.tree.came_of(*verb, *of)));
        let (results, answer) = check::results(came);
        plan += &results;
        self.end_reload(by, &plan, if is_over { answer } else { late });
    }

    fn end_reload(&mut self, (client, mode): By, text: &str, answer: Answer) {
        self.happened.tally.reloaded(mode, answer, wall());
        let unchanged = |line: &&str| !line.starts_with(Change::Unchanged.word());
        for line in text.lines().filter(unchanged) {
            self.say(&format!("reload: {}", line.replace('\t', " ")));
        }
        if let Some(client) = client {
            self.answer(client, Record::lines(text.lines()), answer);
        }
    }

    /// Forgets whoever was removed and has come to rest: its user, its store, its output.
    pub(super) fn forget_departed(&mut self) {
        let is_gone = |child: &tree::ChildId| {
            self.tree.child(*child).is_some_and(|child| child.is_removed() && child.is_empty())
        };
        let departed: Vec<_> = self.roster.leaving().filter(is_gone).collect();
        for child in &departed {
            Berth::both(*child).into_iter().for_each(|berth| self.vacate(berth));
            let now = self.now();
            self.children.put(*child, || unborn(self.roster.seat(*child), now));
            self.roster.forget(*child);
            self.broker.forget(*child).into_iter().for_each(|peer| self.part(peer, *child));
            self.store.kept.forget((*child, None));
        }
        if !departed.is_empty() {
            self.guard();
        }
    }

    /// Gives up the sandbox of a berth, where nothing may be left.
    pub(super) fn vacate(&mut self, berth: Berth) {
        self.close_ear(berth);
        self.digests.forget(berth);
        self.replacements.iter_mut().for_each(|held| held.release(berth));
        self.launcher.place(berth, None);
    }

    pub(super) fn guard(&mut self) {
        if let Err(error) = self.launcher.guard() {
            self.say(&format!("guardian: {error}"));
        }
    }
}
