//! `start`, `stop`, `restart`: one order to each worker that is named.

use std::time::Instant;

use bailiwick_supervisor::control::{Client, Outcome, Target, Verb};

use crate::arguments::Order;
use crate::exit::{Exit, Failure};
use crate::place;
use crate::screen::Screen;
use crate::status::{target, unknown};

pub(crate) fn start(order: &Order, screen: &Screen) -> Result<Exit, Failure> {
    each(Verb::Start, "start", order, screen)
}

pub(crate) fn restart(order: &Order, screen: &Screen) -> Result<Exit, Failure> {
    each(Verb::Restart, "restart", order, screen)
}

pub(crate) fn stop(order: &Order, screen: &Screen) -> Result<Exit, Failure> {
    if !order.all {
        return each(Verb::Stop, "stop", order, screen);
    }
    let client = Client::connect(&place::find(&order.place)?)?;
    let until = Instant::now() + order.timeout;
    give(&client, Verb::ShutDown, Target::System, "stop --all", order)?;
    client.wait_for_end(until.saturating_duration_since(Instant::now()))?;
    screen.say("stopped\n");
    Ok(Exit::Done)
}

fn each(verb: Verb, word: &str, order: &Order, screen: &Screen) -> Result<Exit, Failure> {
    if order.names.is_empty() && !order.all {
        return Err(Failure::NobodyNamed);
    }
    let client = Client::connect(&place::find(&order.place)?)?;
    if order.all {
        give(&client, verb, Target::System, &format!("{word} --all"), order)?;
        screen.say(&format!("{word} --all: done\n"));
        return Ok(Exit::Done);
    }
    // Every name is looked up before the first order is given: a typing mistake stops nothing.
    let status = client.status()?;
    let targets = order.names.iter().map(|name| target(&status, name).ok_or_else(|| unknown(&status, name)));
    let targets: Vec<Target> = targets.collect::<Result<_, _>>()?;
    for (name, target) in order.names.iter().zip(targets) {
        let what = format!("{word} {name}");
        give(&client, verb, target, &what, order)?;
        screen.say(&format!("{what}: done\n"));
    }
    Ok(Exit::Done)
}

fn give(client: &Client, verb: Verb, target: Target, what: &str, order: &Order) -> Result<(), Failure> {
    let what = what.to_owned();
    let refused = |reason, outcome| Err(Failure::Refused { order: what.clone(), reason, outcome });
    match client.order(verb, target, order.timeout)? {
        Outcome::Done => Ok(()),
        Outcome::TimedOut => Err(Failure::TimedOut { order: what, waited: order.timeout }),
        outcome @ Outcome::UnknownTarget => refused("no such worker", outcome),
        outcome @ Outcome::NotPermitted => refused("not allowed", outcome),
        outcome @ Outcome::ShuttingDown => refused("the system is stopping", outcome),
        outcome => refused("the supervisor did not understand the order", outcome),
    }
}
