//! Orders: one to each worker that is named, and what happens to it until that is done.

use std::time::{Duration, Instant};

use bailiwick_supervisor::control::{Client, Outcome, Request, Status, Target, Verb};
use serde::Serialize;

use crate::arguments::{Order, Scale, Waiting};
use crate::events;
use crate::exit::{Exit, Failure};
use crate::json::{self, SCHEMA_VERSION};
use crate::place;
use crate::screen::Screen;
use crate::status::{is_meant, target as target_of, title, unknown};

/// What became of every order of one command.
#[derive(Serialize)]
struct Document {
    schema_version: u32,
    time: String,
    orders: Vec<Done>,
}

#[derive(Serialize)]
struct Done {
    order: String,
    target: String,
    /// Whether it was waited for until it was carried out.
    waited: bool,
}

/// Gives one order to each worker that is named, one after the other.
pub(crate) fn each(verb: Verb, word: &str, order: &Order, screen: &Screen) -> Result<Exit, Failure> {
    if order.names.is_empty() && !order.all {
        return Err(Failure::NobodyNamed);
    }
    let mut giver = Giver::connect(place::find(&order.place)?, &order.waiting, screen)?;
    // Every name is looked up before the first order is given: a typing mistake stops nothing.
    let status = giver.client.status()?;
    giver.seen = status.supervisor.last_event;
    let mut targets = vec![("--all", Target::System)];
    if !order.all {
        let found = |name: &String| target_of(&status, name).ok_or_else(|| unknown(&status, name));
        let found: Vec<Target> = order.names.iter().map(found).collect::<Result<_, _>>()?;
        targets = order.names.iter().map(String::as_str).zip(found).collect();
    }
    for (name, target) in targets {
        giver.give(verb, word, name, target, &status)?;
    }
    giver.finish()
}

/// Has a new life take the place of each that is named, one instance after the other, up to the first that fails.
pub(crate) fn roll(order: &Order, screen: &Screen) -> Result<Exit, Failure> {
    if order.names.is_empty() {
        return Err(Failure::NobodyNamed);
    }
    let mut giver = Giver::connect(place::find(&order.place)?, &order.waiting, screen)?;
    let status = giver.client.status()?;
    giver.seen = status.supervisor.last_event;
    let found = |name: &String| target_of(&status, name).ok_or_else(|| unknown(&status, name));
    let found: Vec<Target> = order.names.iter().map(found).collect::<Result<_, _>>()?;
    for row in found.iter().flat_map(|target| status.workers.iter().filter(|row| is_meant(row, target))) {
        let target = Target::Instance(row.name.clone(), row.instance);
        giver.give(Verb::Roll, "restart --rolling", &title(row), target, &status)?;
    }
    giver.finish()
}

/// Stops the whole system and waits until its supervisor is gone.
pub(crate) fn stop_all(order: &Order, screen: &Screen) -> Result<Exit, Failure> {
    let mut giver = Giver::connect(place::find(&order.place)?, &order.waiting, screen)?;
    let until = Instant::now() + order.waiting.timeout;
    let status = Status::default();
    giver.give(Verb::ShutDown, "stop", "--all", Target::System, &status)?;
    if !order.waiting.no_wait {
        giver.client.wait_for_end(until.saturating_duration_since(Instant::now()))?;
    }
    giver.finish()
}

/// Lets a pool have so many members.
pub(crate) fn scale(asked: &Scale, screen: &Screen) -> Result<Exit, Failure> {
    let mut giver = Giver::connect(place::find(&asked.place)?, &asked.waiting, screen)?;
    let status = giver.client.status()?;
    giver.seen = status.supervisor.last_event;
    let word = format!("scale to {}", asked.size);
    let target = Target::Worker(asked.pool.clone());
    giver.give(Verb::Scale(asked.size), &word, &asked.pool, target, &status)?;
    giver.finish()
}

/// Says what became of an order that was waited for so long, with what the supervisor has to say of it.
///
/// # Errors
/// It was not carried out.
pub(crate) fn carried_out(
    order: &str,
    waited: Duration,
    words: &str,
    outcome: Outcome,
) -> Result<(), Failure> {
    let words = words.lines().collect::<Vec<_>>().join(", ");
    let refused =
        |reason: &str| Err(Failure::Refused { order: order.to_owned(), reason: reason.to_owned(), outcome });
    match outcome {
        Outcome::Done => Ok(()),
        Outcome::TimedOut => Err(Failure::TimedOut { order: order.to_owned(), waited }),
        Outcome::UnknownTarget => refused("no such worker"),
        Outcome::NotPermitted => refused("not allowed"),
        Outcome::ShuttingDown => refused("the system is stopping"),
        Outcome::GaveUp => {
            refused("it is given up, or its budget is spent and it is retried rarely; `status` says why")
        }
        Outcome::RolledBack => refused(&words),
        // A rolling restart, or a signal.
        Outcome::Refused if !words.is_empty() => refused(&words),
        Outcome::Refused => refused("no pool, or it has fewer places"),
        _ => refused("the supervisor did not understand the order"),
    }
}

/// Gives the orders of one command.
struct Giver<'a> {
    client: Client,
    /// Tells what happens meanwhile; missing where nobody would read it.
    watcher: Option<Client>,
    waiting: &'a Waiting,
    screen: &'a Screen,
    seen: u64,
    done: Vec<Done>,
}

impl<'a> Giver<'a> {
    fn connect(place: std::path::PathBuf, waiting: &'a Waiting, screen: &'a Screen) -> Result<Self, Failure> {
        let client = Client::connect(&place)?;
        let is_watched = !waiting.json && !waiting.no_wait;
        let watcher = if is_watched { Client::connect(&place).ok() } else { None };
        Ok(Self { client, watcher, waiting, screen, seen: 0, done: Vec::new() })
    }

    fn give(
        &mut self,
        verb: Verb,
        word: &str,
        name: &str,
        target: Target,
        status: &Status,
    ) -> Result<(), Failure> {
        let order = format!("{word} {name}");
        let is_at_once = self.waiting.no_wait && verb != Verb::ShutDown;
        let deadline = if is_at_once { Duration::ZERO } else { self.waiting.timeout };
        let request = Request { verb, target: target.clone(), deadline };
        let (words, outcome) = match self.watcher.as_ref().filter(|_| verb != Verb::ShutDown) {
            None => self.client.ask(&request)?,
            Some(watcher) => {
                let (screen, seen) = (self.screen, &mut self.seen);
                self.client.order_watched(watcher, &request, *seen, |event| {
                    *seen = event.number;
                    let row = status
                        .workers
                        .iter()
                        .find(|row| row.name == event.worker && row.instance == event.instance);
                    if row.is_some_and(|row| is_meant(row, &target)) {
                        screen.say(&events::sentence(event));
                    }
                })?
            }
        };
        match outcome {
            Outcome::TimedOut if is_at_once => {}
            Outcome::UnknownTarget if target_of(status, name).is_none() => {
                return Err(unknown(status, name));
            }
            outcome => carried_out(&order, deadline, &words, outcome)?,
        }
        if !self.waiting.json {
            self.screen.say(&format!("{order}: {}\n", if is_at_once { "ordered" } else { "done" }));
        }
        self.done.push(Done { order: word.to_owned(), target: name.to_owned(), waited: !is_at_once });
        Ok(())
    }

    fn finish(self) -> Result<Exit, Failure> {
        if self.waiting.json {
            let time = json::time(json::now());
            let orders = self.done;
            self.screen.print(&json::document(&Document { schema_version: SCHEMA_VERSION, time, orders }));
        }
        Ok(Exit::Done)
    }
}
