//! Many clients at once against a program whose workers are being killed, and the judgement of what they saw.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::client::{Client, PATIENCE};

/// A kind of request: who has to be up for it.
#[derive(Clone, Debug)]
pub(crate) struct Errand {
    pub(crate) method: &'static str,
    pub(crate) path: String,
    pub(crate) body: Vec<u8>,
    /// The workers on its way, without instances.
    pub(crate) way: &'static [&'static str],
}

/// What became of one request.
#[derive(Clone, Debug)]
pub(crate) struct Trip {
    pub(crate) path: String,
    pub(crate) way: &'static [&'static str],
    pub(crate) begin: Instant,
    pub(crate) end: Instant,
    pub(crate) outcome: Result<u16, String>,
    /// What an answer said that did not bring what was asked for.
    pub(crate) note: String,
}

/// A time in which a worker was not there.
#[derive(Clone, Debug)]
pub(crate) struct Outage {
    /// The worker, without its instance.
    pub(crate) worker: String,
    pub(crate) begin: Instant,
    /// When it was ready again; `None` if it never was.
    pub(crate) ready: Option<Instant>,
}

/// How long after a worker is ready again a failure is still its outage's fault.
const GRACE: Duration = Duration::from_millis(100);

/// Sends errands over `connections` connections until `stop`, and returns what became of each.
pub(crate) fn run(
    address: SocketAddr,
    errands: &[Errand],
    connections: usize,
    stop: &AtomicBool,
) -> Vec<Trip> {
    thread::scope(|scope| {
        let clients: Vec<_> = (0..connections)
            .map(|number| scope.spawn(move || one_client(address, errands, number, stop)))
            .collect();
        clients.into_iter().flat_map(|client| client.join().expect("a client does not panic")).collect()
    })
}

fn one_client(address: SocketAddr, errands: &[Errand], number: usize, stop: &AtomicBool) -> Vec<Trip> {
    let mut client = Client::new(address);
    let mut trips = Vec::new();
    // Each client begins elsewhere, so that all kinds of errand are under way at any time.
    for errand in errands.iter().cycle().skip(number * 5 % errands.len()) {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let begin = Instant::now();
        let answer = client.request(errand.method, &errand.path, &[], &errand.body);
        let note = match &answer {
            Ok(answer) if answer.status >= 300 => answer.text(),
            Ok(_) | Err(_) => String::new(),
        };
        let outcome =
            answer.map(|answer| answer.status).map_err(|error| format!("{:?}: {error}", error.kind()));
        let (path, way) = (errand.path.clone(), errand.way);
        trips.push(Trip { path, way, begin, end: Instant::now(), outcome, note });
    }
    trips
}

impl Trip {
    /// Tells whether it brought what it was sent for.
    pub(crate) fn is_good(&self) -> bool {
        matches!(self.outcome, Ok(200..=299))
    }

    /// Tells whether its failure is the fault of an outage: one of a worker on its way, at the same time.
    pub(crate) fn is_excused(&self, outages: &[Outage]) -> bool {
        outages.iter().any(|outage| {
            let over = outage.ready.map(|ready| ready + GRACE);
            self.may_fail_by(outage) && self.end >= outage.begin && over.is_none_or(|over| self.begin <= over)
        })
    }

    /// A dead front breaks connections; it cannot say that anything is down. Everybody else cannot break one.
    fn may_fail_by(&self, outage: &Outage) -> bool {
        self.way.contains(&outage.worker.as_str())
            && match &self.outcome {
                Ok(status) => *status == 503 && outage.worker != "front",
                Err(error) => outage.worker == "front" && !error.starts_with("ConnectionRefused"),
            }
    }
}

/// Returns a line for every failure that nothing excuses, and for every request that hung.
pub(crate) fn complaints(trips: &[Trip], outages: &[Outage], since: Instant) -> Vec<String> {
    let wrong =
        |trip: &&Trip| trip.end - trip.begin >= PATIENCE || (!trip.is_good() && !trip.is_excused(outages));
    let tell = |trip: &Trip| {
        let (begin, end) = (trip.begin - since, trip.end - since);
        format!("{} from {begin:.3?} to {end:.3?}: {:?} {}", trip.path, trip.outcome, trip.note.trim())
    };
    trips.iter().filter(wrong).map(tell).collect()
}
