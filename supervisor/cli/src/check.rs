//! `check`: what is wrong with a manifest, and what it allows.

use bailiwick_supervisor::manifest::{self, Options};

use crate::arguments::Check;
use crate::exit::{Exit, Failure};
use crate::explain;
use crate::screen::Screen;

pub(crate) fn check(check: &Check, screen: &Screen) -> Result<Exit, Failure> {
    let options = Options { allow_degraded: check.allow_degraded, ..Options::default() };
    let loaded = manifest::load(&check.manifest, &options)?;
    screen.say(&loaded.warnings.render(screen.stderr_colour()));
    screen.print(&explain::summary(&loaded.system));
    for worker in &loaded.system.workers {
        screen.print(&explain::blast_radius(&loaded.system, worker));
        if check.explain {
            screen.print(&explain::worker(&loaded.system, worker));
        }
    }
    Ok(Exit::Done)
}
