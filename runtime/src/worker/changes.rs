//! New arguments for actors that run: all of a worker's actors take them, or none does.

use std::sync::{Arc, Mutex, PoisonError};

use bailiwick_wire::bootstrap;
use bailiwick_wire::control::ToSupervisor;
use tokio::sync::oneshot;

use crate::actor::Reconfigured;
use crate::args::Args;
use crate::cell::Cell;
use crate::hosted::Hosted;
use crate::signal::Signal;

/// The declared actors of a worker, with the arguments that each was last given.
#[derive(Default)]
pub(crate) struct Changes {
    actors: Mutex<Vec<Known>>,
}

struct Known {
    cell: Arc<Cell>,
    hosted: Hosted,
    args: Option<Args>,
}

impl Changes {
    /// Notes an actor that runs.
    pub(super) fn add(&self, cell: Arc<Cell>, hosted: Hosted, args: Option<Args>) {
        self.actors.lock().unwrap_or_else(PoisonError::into_inner).push(Known { cell, hosted, args });
    }

    /// Gives each actor its new arguments, and returns what the supervisor is to be told when all have answered.
    pub(super) async fn take(&self, declared: &[bootstrap::Actor]) -> ToSupervisor {
        let answers = match self.give(declared) {
            Ok(answers) => answers,
            Err(error) => {
                eprintln!("the new arguments are refused: {error}");
                return ToSupervisor::Refused;
            }
        };
        let mut report = ToSupervisor::Ready;
        for answer in answers {
            // An actor that failed over them is made anew with them, within its budget.
            if answer.await == Ok(Reconfigured::NewProcess) {
                report = ToSupervisor::Declined;
            }
        }
        report
    }

    /// Tells the actors whose arguments are others now, if every factory could be given them.
    fn give(
        &self,
        declared: &[bootstrap::Actor],
    ) -> Result<Vec<oneshot::Receiver<Reconfigured>>, crate::args::ArgsError> {
        let mut actors = self.actors.lock().unwrap_or_else(PoisonError::into_inner);
        let mut changed = Vec::new();
        for known in actors.iter_mut() {
            let new = declared.iter().find(|actor| actor.name == known.cell.path());
            let Some((text, line)) = new.and_then(|actor| actor.args.as_ref()) else { continue };
            if known.args.as_ref().is_some_and(|args| args.text() == text) {
                continue;
            }
            let args = Args::new(text.as_str(), *line);
            known.hosted.check_args(known.cell.path(), Some(&args))?;
            changed.push((known, args));
        }
        let tell = |(known, args): (&mut Known, Args)| {
            let (answer, answered) = oneshot::channel();
            known.args = Some(args.clone());
            known.cell.signal(Signal::Reconfigure(args, Some(answer)));
            answered
        };
        Ok(changed.into_iter().map(tell).collect())
    }
}
