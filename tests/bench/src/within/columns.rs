//! The frameworks.

#[cfg(feature = "actix")]
mod actix;
#[cfg(feature = "kameo")]
mod kameo;
mod mpsc;
pub mod ours;
#[cfg(feature = "ractor")]
mod ractor;
#[cfg(feature = "xtra")]
mod xtra;

use super::{Actors, measure};
use crate::compare::{Column, Kind, Measured, Place, Task, Workload};

/// One framework, as a column.
struct Within {
    name: &'static str,
    title: &'static str,
    kind: Kind,
    /// The most actors that this machine has memory for.
    actors_max: u64,
    measure: fn(&Task) -> Option<Measured>,
}

const MILLION: u64 = 1_000_000;

const fn within<A: Actors>(name: &'static str, title: &'static str, kind: Kind, actors_max: u64) -> Within {
    Within { name, title, kind, actors_max, measure: measure::<A> }
}

/// Returns all that this build has.
pub fn all() -> Vec<&'static dyn Column> {
    vec![
        &const { within::<mpsc::Mpsc>("mpsc", "tokio mpsc, one thread", Kind::Floor, MILLION) },
        &const { within::<ours::Local>("ours-within", "**Bailiwick**", Kind::Ours, MILLION) },
        #[cfg(feature = "actix")]
        &const { within::<actix::Actix>("actix", "actix, one thread", Kind::Peer, MILLION) },
        #[cfg(feature = "xtra")]
        &const { within::<xtra::Xtra>("xtra", "xtra", Kind::Peer, MILLION) },
        #[cfg(feature = "ractor")]
        &const { within::<ractor::Ractor>("ractor", "ractor (unbounded)", Kind::Peer, MILLION / 10) },
        #[cfg(feature = "kameo")]
        &const { within::<kameo::Kameo>("kameo", "kameo", Kind::Peer, MILLION / 10) },
    ]
}

impl Column for Within {
    fn name(&self) -> &'static str {
        self.name
    }

    fn title(&self) -> &'static str {
        self.title
    }

    fn kind(&self) -> Kind {
        self.kind
    }

    fn can(&self, workload: Workload, x: u64) -> bool {
        workload.place() == Place::Within && (!workload.is_about_actors() || x <= self.actors_max)
    }

    fn measure(&self, task: &Task) -> Option<Measured> {
        (self.measure)(task)
    }
}
