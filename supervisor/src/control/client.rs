//! The blocking client of `control.sock`, for the command line and for tests.

use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use bailiwick_wire::crash::{self, CrashError, REPORT_BYTES, Report};
use bailiwick_wire::log::{self, LogError};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockType, UnixAddr, connect, recv, send, setsockopt, socket, sockopt,
};
use nix::sys::time::TimeVal;
use thiserror::Error;

use super::{End, Event, Outcome, Record, RecordError, Request, SOCKET_NAME, Status, Target, Verb};

/// How much longer than the request's own deadline the client waits for an answer.
const GRACE: Duration = Duration::from_secs(2);

/// A connection to a running supervisor. Every call blocks until its deadline at the latest.
#[derive(Debug)]
pub struct Client {
    socket: OwnedFd,
    path: PathBuf,
}

/// Why a request has no answer.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ClientError {
    /// Nobody listens there.
    #[error("no supervisor answers at {path}: {errno}", path = path.display())]
    Unreachable {
        /// The socket that was tried.
        path: PathBuf,
        /// The kernel's error.
        errno: Errno,
    },
    /// The connection broke.
    #[error("control socket {path}: {errno}", path = path.display())]
    Socket {
        /// The socket.
        path: PathBuf,
        /// The kernel's error.
        errno: Errno,
    },
    /// The supervisor ended, or closed the connection, before it answered.
    #[error("the supervisor closed the control connection before it answered")]
    Closed,
    /// No answer came in time.
    #[error("the supervisor did not answer within {waited:?}")]
    TimedOut {
        /// How long the client waited.
        waited: Duration,
    },
    /// The answer is none.
    #[error(transparent)]
    Malformed(#[from] RecordError),
    /// A report of a death is none.
    #[error(transparent)]
    Crash(#[from] CrashError),
    /// A packet of lines is none.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The supervisor refused the request.
    #[error("the supervisor refused the request: {outcome:?}")]
    Refused {
        /// Its reason.
        outcome: Outcome,
    },
}

impl Client {
    /// Connects to the supervisor that owns `state_dir`.
    ///
    /// # Errors
    /// [`ClientError::Unreachable`] if no supervisor listens there.
    pub fn connect(state_dir: &Path) -> Result<Self, ClientError> {
        let path = state_dir.join(SOCKET_NAME);
        match open(&path) {
            Ok(socket) => Ok(Self { socket, path }),
            Err(errno) => Err(ClientError::Unreachable { path, errno }),
        }
    }

    /// Reports the supervisor and every worker.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub fn status(&self) -> Result<Status, ClientError> {
        let deadline = Duration::from_secs(5);
        let (records, outcome) =
            self.exchange(&Request { verb: Verb::Status, target: Target::System, deadline })?;
        Status::from_records(records).ok_or(ClientError::Refused { outcome })
    }

    /// Gives an order and waits up to `deadline` until it is carried out.
    ///
    /// After [`Verb::ShutDown`] the supervisor answers `Done` and then ends;
    /// [`Client::wait_for_end`] waits for that.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub fn order(&self, verb: Verb, target: Target, deadline: Duration) -> Result<Outcome, ClientError> {
        self.exchange(&Request { verb, target, deadline }).map(|(_, outcome)| outcome)
    }

    /// Gives an order as [`Client::ask`] does, and hands on what happens meanwhile, as `watcher` is told it:
    /// everything after event `after`.
    ///
    /// # Errors
    /// See [`ClientError`]; those of the watcher end the watching only.
    pub fn order_watched(
        &self,
        watcher: &Client,
        request: &Request,
        mut after: u64,
        mut happened: impl FnMut(&Event),
    ) -> Result<(String, Outcome), ClientError> {
        self.send(request)?;
        let until = Instant::now() + request.deadline.saturating_add(GRACE);
        let ask = |after, deadline| {
            let target = Target::System;
            watcher.send(&Request { verb: Verb::Events(after), target, deadline })
        };
        let mut watching = ask(after, request.deadline).is_ok();
        while watching && !is_readable(&self.socket) {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() || !either_is_readable(&self.socket, &watcher.socket, left) {
                break;
            }
            if is_readable(&watcher.socket) {
                let told = watcher.answer(until, request.deadline);
                watching = told.is_ok();
                for event in events(told.map_or_else(|_| Vec::new(), |(records, _)| records)) {
                    after = event.number;
                    happened(&event);
                }
                watching = watching && ask(after, request.deadline).is_ok();
            }
        }
        let (records, outcome) = self.answer(until, request.deadline)?;
        // What happened up to the answer, and perhaps no more was heard of.
        self.events(after, Duration::ZERO).iter().flatten().for_each(happened);
        Ok((words(records), outcome))
    }

    /// Returns what happened after event `after`, oldest first. Blocks until there is something, up to `deadline`;
    /// nothing is returned then.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub fn events(&self, after: u64, deadline: Duration) -> Result<Vec<Event>, ClientError> {
        let request = Request { verb: Verb::Events(after), target: Target::System, deadline };
        match self.exchange(&request)? {
            (_, outcome @ (Outcome::NotPermitted | Outcome::Malformed)) => {
                Err(ClientError::Refused { outcome })
            }
            (records, _) => Ok(events(records)),
        }
    }

    /// Returns the last lines that the target printed, oldest first, safe to show.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub fn lines(&self, target: Target) -> Result<Vec<String>, ClientError> {
        let deadline = Duration::from_secs(5);
        let (records, _) = self.exchange(&Request { verb: Verb::Lines, target, deadline })?;
        let mut lines = vec![String::new()];
        for record in records {
            let Record::Text(piece) = record else { continue };
            if let Some(last) = lines.last_mut() {
                last.push_str(&piece.text);
            }
            if piece.ends {
                lines.push(String::new());
            }
        }
        lines.pop();
        Ok(lines)
    }

    /// Returns lines that the target printed after the one of number `after`, in their order, and no more than one packet
    /// holds. Blocks until there are some, up to `deadline`; none are returned then.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub fn log(&self, after: u64, target: Target, deadline: Duration) -> Result<Vec<log::Line>, ClientError> {
        let request = Request { verb: Verb::Log(after), target, deadline };
        let read = |packet: &[u8]| log::read(packet).map_err(ClientError::from);
        match self.packets(&request, log::MAGIC, read)? {
            (mut packets, Outcome::Done) => Ok(packets.pop().unwrap_or_default()),
            (_, Outcome::TimedOut) => Ok(Vec::new()),
            (_, outcome) => Err(ClientError::Refused { outcome }),
        }
    }

    /// Gives an order about the whole system and waits up to `deadline` until it is carried out; returns what the
    /// supervisor has to say about it as well.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub fn order_with_words(&self, verb: Verb, deadline: Duration) -> Result<(String, Outcome), ClientError> {
        self.ask(&Request { verb, target: Target::System, deadline })
    }

    /// Gives an order and waits up to its deadline until it is carried out; returns what the supervisor has to say about it
    /// as well.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub fn ask(&self, request: &Request) -> Result<(String, Outcome), ClientError> {
        let (records, outcome) = self.exchange(request)?;
        Ok((words(records), outcome))
    }

    /// Waits until the supervisor has closed the connection, which it does by ending.
    ///
    /// # Errors
    /// [`ClientError::TimedOut`] if it still runs after `deadline`.
    pub fn wait_for_end(&self, deadline: Duration) -> Result<(), ClientError> {
        let until = Instant::now() + deadline;
        loop {
            match self.receive(until, deadline) {
                Ok(_) => {}
                Err(ClientError::Closed) => return Ok(()),
                Err(error) => return Err(error),
            }
        }
    }

    /// Fetches the reports of deaths that are kept of `target`, the oldest of each instance first.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub fn crashes(&self, target: Target) -> Result<Vec<Report>, ClientError> {
        self.reports(Verb::Crashes, target)
    }

    /// Fetches what the lives of `target` that run were denied, as they say.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub fn denials(&self, target: Target) -> Result<Vec<Report>, ClientError> {
        self.reports(Verb::Denials, target)
    }

    fn reports(&self, verb: Verb, target: Target) -> Result<Vec<Report>, ClientError> {
        let request = Request { verb, target, deadline: Duration::from_secs(5) };
        let read = |packet: &[u8]| Report::from_bytes(packet).map_err(ClientError::from);
        match self.packets(&request, crash::MAGIC, read)? {
            (reports, Outcome::Done) => Ok(reports),
            (_, outcome) => Err(ClientError::Refused { outcome }),
        }
    }

    /// Asks for what comes in packets that begin with `magic`, and returns what is read from each.
    fn packets<T>(
        &self,
        request: &Request,
        magic: [u8; 4],
        read: impl Fn(&[u8]) -> Result<T, ClientError>,
    ) -> Result<(Vec<T>, Outcome), ClientError> {
        let waited = request.deadline.saturating_add(GRACE);
        self.send(request)?;
        let until = Instant::now() + waited;
        let mut found = Vec::new();
        loop {
            let packet = self.packet(until, waited)?;
            if packet.starts_with(&magic) {
                found.push(read(&packet)?);
            } else if let Record::End(End { outcome }) = Record::from_bytes(&packet)? {
                return Ok((found, outcome));
            }
        }
    }

    fn exchange(&self, request: &Request) -> Result<(Vec<Record>, Outcome), ClientError> {
        let waited = request.deadline.saturating_add(GRACE);
        self.send(request)?;
        self.answer(Instant::now() + waited, waited)
    }

    fn send(&self, request: &Request) -> Result<(), ClientError> {
        match send(self.socket.as_raw_fd(), &request.to_bytes(), MsgFlags::MSG_NOSIGNAL) {
            // A supervisor that has closed the connection may have said why before: whoever reads learns of both.
            Ok(_) | Err(Errno::EPIPE | Errno::ECONNRESET) => Ok(()),
            Err(errno) => Err(self.broken(errno)),
        }
    }

    fn answer(&self, until: Instant, waited: Duration) -> Result<(Vec<Record>, Outcome), ClientError> {
        let mut records = Vec::new();
        loop {
            match self.receive(until, waited)? {
                Record::End(end) => return Ok((records, end.outcome)),
                record => records.push(record),
            }
        }
    }

    fn receive(&self, until: Instant, waited: Duration) -> Result<Record, ClientError> {
        Ok(Record::from_bytes(&self.packet(until, waited)?)?)
    }

    fn packet(&self, until: Instant, waited: Duration) -> Result<Vec<u8>, ClientError> {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(ClientError::TimedOut { waited });
        }
        // A timeout of zero would mean for ever, so a fraction of a millisecond counts as one.
        let millis = i64::try_from(left.as_millis()).unwrap_or(i64::MAX).max(1);
        let timeout = TimeVal::new(millis / 1000, millis % 1000 * 1000);
        setsockopt(&self.socket, sockopt::ReceiveTimeout, &timeout).map_err(|errno| self.broken(errno))?;
        // One byte more than the longest packet, so that a longer one shows as one.
        let mut bytes = vec![0; REPORT_BYTES + 1];
        match recv(self.socket.as_raw_fd(), &mut bytes, MsgFlags::empty()) {
            Ok(0) => Err(ClientError::Closed),
            Ok(length) => {
                bytes.truncate(length);
                Ok(bytes)
            }
            Err(Errno::EAGAIN) => Err(ClientError::TimedOut { waited }),
            // The other end was closed before it had read everything. That is told once, in front of what it wrote.
            Err(Errno::EINTR | Errno::ECONNRESET) => self.packet(until, waited),
            Err(errno) => Err(self.broken(errno)),
        }
    }

    fn broken(&self, errno: Errno) -> ClientError {
        ClientError::Socket { path: self.path.clone(), errno }
    }
}

fn words(records: Vec<Record>) -> String {
    let pieces = records.into_iter().filter_map(|record| match record {
        Record::Text(piece) => Some(if piece.ends { piece.text + "\n" } else { piece.text }),
        _ => None,
    });
    pieces.collect()
}

fn events(records: Vec<Record>) -> Vec<Event> {
    let event = |record| match record {
        Record::Event(event) => Some(event),
        _ => None,
    };
    records.into_iter().filter_map(event).collect()
}

fn is_readable(socket: &OwnedFd) -> bool {
    let mut polled = [PollFd::new(socket.as_fd(), PollFlags::POLLIN)];
    matches!(poll(&mut polled, PollTimeout::ZERO), Ok(1..))
}

/// Waits for one of two sockets; returns whether the time was enough.
fn either_is_readable(one: &OwnedFd, other: &OwnedFd, left: Duration) -> bool {
    let mut polled = [one, other].map(|socket| PollFd::new(socket.as_fd(), PollFlags::POLLIN));
    let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
    // A signal is no reason to give up: the caller looks again.
    matches!(poll(&mut polled, timeout), Ok(1..) | Err(Errno::EINTR))
}

fn open(path: &Path) -> Result<OwnedFd, Errno> {
    let address = UnixAddr::new(path)?;
    let socket = socket(AddressFamily::Unix, SockType::SeqPacket, SockFlag::SOCK_CLOEXEC, None)?;
    connect(socket.as_raw_fd(), &address)?;
    Ok(socket)
}

/// Returns a set of capabilities by the kernel's names, those that have none by number.
pub fn capability_names(set: u64) -> Vec<String> {
    let names = bailiwick_sys::capability::Capabilities::names();
    let name =
        |number: usize| names.get(number).map_or(format!("capability {number}"), |name| (*name).to_owned());
    (0..64).filter(|number| set >> number & 1 == 1).map(name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capabilities_have_the_names_of_the_kernel() {
        assert_eq!(capability_names(1 << 10 | 1 << 63), ["CAP_NET_BIND_SERVICE", "capability 63"]);
    }
}
