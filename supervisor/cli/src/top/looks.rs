//! Looks at the supervisor from time to time, in a thread of its own: it may be slow, gone, and back again.

use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender};
use std::time::{Duration, Instant};

use bailiwick_supervisor::control::{Client, ClientError, Request, Verb};
use bailiwick_sys::events::monotonic_ns;

use super::driver::Event;
use super::fetch::Fetch;
use super::model::Input;
use super::page::{Subject, whom};
use super::sample::Sample;
use crate::order::carried_out;

/// How long a restart is waited for; the order itself stands after that.
const PATIENCE: Duration = Duration::from_secs(70);

/// What looks from time to time.
#[derive(Debug)]
pub(super) struct Looks {
    pub(super) place: PathBuf,
    pub(super) interval: Duration,
    /// Missing while nobody answers.
    pub(super) client: Option<Client>,
    /// Which page is open.
    pub(super) pages: Receiver<Option<Subject>>,
    pub(super) tell: SyncSender<Event>,
}

impl Looks {
    /// Looks until nobody takes what it sees.
    pub(super) fn run(mut self) {
        let mut page: Option<Fetch> = None;
        loop {
            let until = Instant::now() + self.interval;
            let seen = self.look(&mut page);
            if self.tell.send(Event::Input(seen)).is_err() {
                return;
            }
            // A page that is opened is shown at once.
            loop {
                match self.pages.recv_timeout(until.saturating_duration_since(Instant::now())) {
                    Ok(subject) => page = subject.map(Fetch::new),
                    Err(RecvTimeoutError::Timeout) => break,
                    Err(RecvTimeoutError::Disconnected) => return,
                }
                if page.is_some() {
                    break;
                }
            }
        }
    }

    fn look(&mut self, page: &mut Option<Fetch>) -> Input {
        self.attempt(page).unwrap_or_else(|error| {
            // Another supervisor has other numbers for what happened and was printed.
            self.client = None;
            *page = page.take().map(|page| Fetch::new(page.subject));
            Input::Lost { at: Duration::from_nanos(monotonic_ns()), why: error.to_string() }
        })
    }

    fn attempt(&mut self, page: &mut Option<Fetch>) -> Result<Input, ClientError> {
        let client = match self.client.take() {
            Some(client) => client,
            None => Client::connect(&self.place)?,
        };
        let look = Sample::take(&client)?;
        if let Some(page) = page
            && let Some(text) = page.next(&self.place, &client, &look)?
        {
            let told = Input::Told(page.subject.clone(), text);
            // The other end finds out by the look.
            let _gone = self.tell.send(Event::Input(told));
        }
        self.client = Some(client);
        Ok(Input::Looked(Box::new(look)))
    }
}

/// Has an instance restarted, or all of a worker's if it has no number, and returns what became of that, in words.
pub(super) fn restart(place: &std::path::Path, title: &str, name: String, instance: u16) -> String {
    let order = format!("restart {title}");
    let request = Request { verb: Verb::Restart, target: whom(name, instance), deadline: PATIENCE };
    let answer = Client::connect(place).and_then(|client| client.ask(&request));
    match answer.map(|(words, outcome)| carried_out(&order, PATIENCE, &words, outcome)) {
        Ok(Ok(())) => format!("{order}: done"),
        Ok(Err(failure)) => failure.to_string(),
        Err(error) => format!("{order}: {error}"),
    }
}
