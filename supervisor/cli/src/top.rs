//! `top`: the workers of a running system as they are from moment to moment.
//!
//! [`model`] decides everything: it takes keys, looks at the system and texts, and returns orders. [`view`] draws it, [`driver`]
//! carries keys and looks to it and its orders out. [`once`] prints the same for a script.

mod column;
mod driver;
mod fetch;
mod fold;
mod inside;
mod insides;
mod job;
mod key;
mod list;
mod looks;
mod model;
mod once;
mod page;
mod quantile;
mod sample;
mod terminal;
#[cfg(test)]
mod trial;
mod view;

use bailiwick_supervisor::control::Client;

use crate::arguments::Top;
use crate::exit::{Exit, Failure};
use crate::place;
use crate::screen::Screen;
pub(crate) use column::Sort;

pub(crate) fn top(asked: &Top, screen: &Screen) -> Result<Exit, Failure> {
    if !asked.once {
        terminal::usable()?;
    }
    let place = place::find(&asked.place)?;
    let client = Client::connect(&place)?;
    if asked.once { once::once(asked, &client, screen) } else { driver::drive(asked, place, client, screen) }
}
