//! What workers print: one pipe per worker, drained by quota, framed, escaped and prefixed.
//!
//! A worker that prints too much loses lines, which are counted; it never costs the supervisor
//! memory or time beyond the limits below. Escaping happens once, here, where a person reads it.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use bailiwick_core::ration::Ration;
use bailiwick_core::time::Instant;
use bailiwick_sys::output_pipe;
use bailiwick_sys::sink::Sink;
use bailiwick_wire::output::{Framing, LastLines, escape};

/// The lines kept of each worker for reports of its end.
pub const LAST_LINES: usize = 50;

/// The bytes that the kept lines of one worker may hold together.
const LAST_BYTES: usize = 32 << 10;

/// The most that is read of one worker's output in one turn of the loop.
const TURN_BYTES: usize = 16 << 10;

/// What a worker may print per second in the long run, and at once after a pause.
const BYTES_PER_SECOND: u64 = 256 << 10;
const BURST_BYTES: u64 = 1 << 20;

/// One worker's output.
#[derive(Debug)]
pub struct Output {
    prefix: String,
    pipe: Option<OwnedFd>,
    framing: Framing,
    last: LastLines,
    bytes: Ration,
}

/// Whether a pipe may hold more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drained {
    /// The quota was used up, or the pipe is empty for the moment.
    Open,
    /// Every writer is gone.
    Ended,
}

impl Output {
    /// Returns the output of the worker that is shown to people as `prefix`.
    pub fn new(prefix: String, now: Instant) -> Self {
        Self {
            prefix,
            pipe: None,
            framing: Framing::default(),
            last: LastLines::new(LAST_LINES, LAST_BYTES),
            bytes: Ration::new(BURST_BYTES, BYTES_PER_SECOND, now),
        }
    }

    /// Takes the read end of a new incarnation's pipe, which must be non-blocking.
    pub fn attach(&mut self, pipe: OwnedFd) {
        self.last.clear();
        self.pipe = Some(pipe);
    }

    /// Returns the pipe, to wait for it.
    pub fn pipe(&self) -> Option<BorrowedFd<'_>> {
        self.pipe.as_ref().map(AsFd::as_fd)
    }

    /// Returns the bytes that were dropped so far because the worker printed too much.
    pub fn dropped_bytes(&self) -> u64 {
        self.bytes.refused()
    }

    /// Returns the last lines of the present or last incarnation, oldest first, escaped.
    pub fn last_lines(&self) -> impl DoubleEndedIterator<Item = &str> + ExactSizeIterator {
        self.last.iter()
    }

    /// Reads once from the pipe, up to the quota, and passes whole lines on to `sink`. A pipe that has ended stays
    /// open until [`Output::close`].
    pub fn drain(&mut self, now: Instant, sink: &mut Sink) -> Drained {
        let Some(pipe) = &self.pipe else { return Drained::Ended };
        let mut bytes = [0; TURN_BYTES];
        let Some(length) = output_pipe::read(pipe, &mut bytes) else { return Drained::Ended };
        let mut framing = std::mem::take(&mut self.framing);
        framing.feed(&bytes[..length], |line| self.line(line, now, sink));
        self.framing = framing;
        Drained::Open
    }

    /// Reads what is left in the pipe, up to a bound, passes on what has no end of line, and returns the pipe.
    ///
    /// Once it is dropped, a descendant that still holds the other end gets a broken pipe.
    pub fn close(&mut self, now: Instant, sink: &mut Sink) -> Option<OwnedFd> {
        const PIPE_BYTES: usize = 64 << 10;
        for _ in 0..PIPE_BYTES / TURN_BYTES {
            if self.drain(now, sink) == Drained::Ended {
                break;
            }
        }
        let rest = self.framing.rest();
        if !rest.is_empty() {
            self.line(&rest, now, sink);
        }
        self.say_dropped(sink);
        self.pipe.take()
    }

    fn line(&mut self, raw: &[u8], now: Instant, sink: &mut Sink) {
        // The newline counts too, or a worker could print empty lines for ever.
        if !self.bytes.spend(raw.len() as u64 + 1, now) {
            return;
        }
        self.say_dropped(sink);
        let line = escape(raw);
        sink.line(&self.prefix, &line);
        self.last.push(line);
    }

    fn say_dropped(&mut self, sink: &mut Sink) {
        if let Some(dropped) = self.bytes.take_untold() {
            sink.line(&self.prefix, &format!("[{dropped} bytes dropped: printed too fast]"));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::time::Duration;

    use super::*;
    use crate::tests::hangup::wait_for_hangup;

    struct Fixture {
        output: Output,
        sink: Sink,
        writer: std::fs::File,
        shown: std::fs::File,
        /// The other end of what is shown.
        stream: OwnedFd,
    }

    fn pipe() -> (OwnedFd, std::fs::File) {
        let (read, write) = nix::unistd::pipe2(nix::fcntl::OFlag::O_NONBLOCK).unwrap();
        (read, std::fs::File::from(write))
    }

    fn fixture() -> Fixture {
        let (read, writer) = pipe();
        let mut output = Output::new("web".into(), Instant::START);
        output.attach(read);
        let (shown, stream) = pipe();
        let sink = Sink::to(stream.try_clone().unwrap().into());
        Fixture { output, sink, writer, shown: shown.into(), stream: stream.into() }
    }

    impl Fixture {
        fn shown(&mut self) -> String {
            self.sink.flush();
            let mut bytes = vec![0; 1 << 16];
            match std::io::Read::read(&mut self.shown, &mut bytes) {
                Ok(length) => String::from_utf8(bytes[..length].to_vec()).unwrap(),
                Err(_) => String::new(),
            }
        }
    }

    #[test]
    fn lines_are_framed_across_reads_and_prefixed() {
        let mut fixture = fixture();
        for piece in ["he", "llo\n\nwor", "ld\n", "rest"] {
            fixture.writer.write_all(piece.as_bytes()).unwrap();
            assert_eq!(fixture.output.drain(Instant::START, &mut fixture.sink), Drained::Open);
        }
        assert_eq!(fixture.shown(), "web | hello\nweb | \nweb | world\n");
        drop(std::mem::replace(&mut fixture.writer, pipe().1));
        wait_for_hangup(fixture.output.pipe().unwrap());
        assert_eq!(fixture.output.drain(Instant::START, &mut fixture.sink), Drained::Ended);
        assert!(fixture.output.close(Instant::START, &mut fixture.sink).is_some());
        assert_eq!(fixture.shown(), "web | rest\n");
        assert_eq!(fixture.output.last_lines().collect::<Vec<_>>(), ["hello", "", "world", "rest"]);
    }

    #[test]
    fn a_flood_is_dropped_and_counted_and_time_heals_it() {
        let mut fixture = fixture();
        let line = [&[b'x'; 999][..], b"\n"].concat();
        let lines = BURST_BYTES as usize / line.len();
        for _ in 0..lines + 2 {
            fixture.writer.write_all(&line).unwrap();
            fixture.output.drain(Instant::START, &mut fixture.sink);
            fixture.shown();
        }
        assert_eq!(fixture.output.dropped_bytes(), 2 * line.len() as u64);
        fixture.writer.write_all(b"better\n").unwrap();
        fixture.output.drain(Instant::START + Duration::from_secs(1), &mut fixture.sink);
        assert_eq!(fixture.shown(), "web | [2000 bytes dropped: printed too fast]\nweb | better\n");
    }

    #[test]
    fn a_reader_that_is_gone_or_slow_costs_lines_only() {
        let mut fixture = fixture();
        for _ in 0..3000 {
            fixture.sink.line("web", &"x".repeat(1000));
            fixture.sink.flush();
        }
        assert!(fixture.shown().len() > 4096, "what the pipe held is readable");
        drop(fixture.shown);
        wait_for_hangup(fixture.stream.as_fd());
        fixture.sink.line("web", "nobody reads this");
        assert!(!fixture.sink.flush(), "nothing waits for a reader that is gone");
    }
}
