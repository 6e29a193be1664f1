//! What a page is made of: the supervisor's word on all workers, and what those say of themselves.

use std::io;
use std::sync::PoisonError;
use std::time::{Duration, Instant};

use bailiwick::control::{Row, Status};
use bailiwick::introspect::Snapshot;
use futures::future::join;

use crate::desk::Office;
use crate::survey::Said;

/// How long it may take to ask all workers, with those who ask before.
const PATIENCE: Duration = Duration::from_secs(5);

/// Everything at one moment.
#[derive(Debug)]
pub(crate) struct Look {
    pub(super) status: Status,
    pub(super) said: Vec<Said>,
    /// Why the workers were not asked.
    pub(super) unheard: Option<String>,
}

impl Look {
    /// Looks at everything, and so many actors of each worker.
    ///
    /// # Errors
    /// If the supervisor does not say how the workers are. What they say themselves may be missing.
    pub(super) async fn at(office: &Office, actors: u32) -> io::Result<Self> {
        let survey = office.desk.survey(actors).ask(PATIENCE);
        let (status, said) = join(office.supervisor.status(), survey).await;
        let (said, unheard) = match said {
            Ok(said) => {
                office.rates.lock().unwrap_or_else(PoisonError::into_inner).note(Instant::now(), &said);
                (said, None)
            }
            Err(error) => (Vec::new(), Some(error.to_string())),
        };
        Ok(Self { status: status?, said, unheard })
    }

    /// Returns what a worker's present life said, or why it said nothing.
    pub(super) fn of(&self, row: &Row) -> Option<&Said> {
        self.said.iter().find(|said| {
            said.worker == row.name && said.instance == row.instance && said.generation == row.generation
        })
    }

    /// Returns how a worker stands as it says itself.
    pub(super) fn snapshot(&self, row: &Row) -> Option<&Snapshot> {
        self.of(row)?.answer.as_ref().ok()
    }

    /// Returns the name under which people know who said something.
    pub(super) fn title(&self, said: &Said) -> String {
        let of = |row: &&Row| row.name == said.worker && row.instance == said.instance;
        self.status.workers.iter().find(of).map_or_else(|| said.worker.clone(), Row::title)
    }

    /// Returns who was asked and said nothing, and why.
    pub(super) fn silent(&self) -> Vec<(String, String)> {
        let mut silent: Vec<_> = self
            .said
            .iter()
            .filter_map(|said| Some((self.title(said), said.answer.as_ref().err()?.clone())))
            .collect();
        silent.extend(self.unheard.iter().map(|why| ("all workers".to_owned(), why.clone())));
        silent
    }
}
