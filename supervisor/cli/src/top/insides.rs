//! Asks the admin worker from time to time, in a thread of its own: one that does not answer keeps nothing else waiting.

use std::path::PathBuf;
use std::sync::mpsc::SyncSender;
use std::time::{Duration, Instant};

use bailiwick_admin::HANDLING;
use bailiwick_supervisor::control::{Client, Status};
use bailiwick_sys::events::monotonic_ns;

use super::driver::Event;
use super::inside::{Inside, Silence};
use super::model::Input;
use super::once::pass;
use crate::admin::actors::Survey;
use crate::admin::{Admin, AdminError};
use crate::exit::Failure;
use crate::metrics;

/// The time from one question to the next is at least this: the admin worker asks workers no more often than twice in it.
pub(super) const PAUSE: Duration = Duration::from_secs(1);
/// How many actors of each worker are named.
const FULLEST: u16 = 50;
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// What asks from time to time.
#[derive(Debug)]
pub(super) struct Insides {
    pub(super) place: PathBuf,
    pub(super) interval: Duration,
    pub(super) tell: SyncSender<Event>,
}

impl Insides {
    /// Asks until nobody takes what is told.
    pub(super) fn run(self) {
        loop {
            let until = Instant::now() + self.interval.max(PAUSE);
            let found = Client::connect(&self.place).and_then(|client| client.status());
            let told = match found {
                Ok(found) => ask(&found),
                // Whoever looks at the supervisor says that it is gone.
                Err(error) => Err(Silence { is_missing: false, why: error.to_string() }),
            };
            if self.tell.send(Event::Input(Input::Inside(told.map(Box::new)))).is_err() {
                return;
            }
            pass(until.saturating_duration_since(Instant::now()));
        }
    }
}

/// Asks the admin worker of a system.
///
/// # Errors
/// There is none, or it does not answer.
pub(super) fn ask(found: &Status) -> Result<Inside, Silence> {
    let told = Admin::of(found).and_then(|admin| look(&admin.waiting(PATIENCE)));
    told.map_err(|error| {
        let is_missing = matches!(error, AdminError::Missing { .. });
        let failure = Failure::from(error);
        let advice = failure.advice().map(|advice| format!("; {advice}")).unwrap_or_default();
        Silence { is_missing, why: format!("{failure}{advice}") }
    })
}

fn look(admin: &Admin) -> Result<Inside, AdminError> {
    let survey = Survey::of(admin, FULLEST)?;
    let at = Duration::from_nanos(monotonic_ns());
    let text = admin.get(metrics::PATH)?.done()?;
    let mut inside = Inside { at, survey, ..Inside::default() };
    let is_handling = |name: &str| name.strip_prefix("bailiwick_") == Some(HANDLING);
    for family in metrics::read(&text).iter().filter(|family| is_handling(family.name)) {
        for sample in family.samples.iter().filter(|sample| sample.name.ends_with("_bucket")) {
            let label = |name| sample.labels.get(name);
            let (Some(worker), Some(Ok(instance)), Some(Ok(bound))) = (
                label("worker"),
                label("instance").map(|number| number.parse()),
                label("le").map(|bound| bound.parse()),
            ) else {
                continue;
            };
            inside.handling.entry((worker.clone(), instance)).or_default().add(bound, sample.value);
        }
    }
    Ok(inside)
}
