//! What is printed: one pipe per worker, drained by quota, framed and escaped; and what the supervisor itself says. All of
//! it is remembered within the bounds of [`Log`], and shown to whoever reads the supervisor's own streams.
//!
//! A worker that prints too much loses lines, which are counted; it never costs the supervisor
//! memory or time beyond the limits below. Escaping happens once, here, where a person reads it.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use bailiwick_core::allowance::Allowance;
use bailiwick_core::time::Instant;
use bailiwick_sys::output_pipe;
use bailiwick_sys::sink::Sink;
use bailiwick_wire::crash::Moment;
use bailiwick_wire::log::{Intake, Log, Priority, Source};
use bailiwick_wire::operator::Event;

/// The most that is read of one worker's output in one turn of the loop.
const TURN_BYTES: usize = 16 << 10;

/// What a worker may print per second in the long run, and at once after a pause.
const BYTES_PER_SECOND: u64 = 256 << 10;
const BURST_BYTES: u64 = 1 << 20;

/// Everything that is printed, by whomever: what is remembered, and where it is shown.
#[derive(Debug)]
pub struct Journal {
    pub(crate) log: Log,
    /// What workers print.
    pub(crate) stdout: Sink,
    /// What the supervisor says.
    pub(crate) stderr: Sink,
}

/// One worker's output.
#[derive(Debug)]
pub struct Output {
    pub(crate) intake: Intake,
    pipe: Option<OwnedFd>,
    bytes: Allowance,
}

impl Journal {
    /// Says a line of the supervisor's own, which must be free of control characters.
    pub fn say(&mut self, at: Moment, priority: Priority, text: &str) {
        let (line, format) = (self.log.say(at, priority, text), self.log.format());
        self.stderr.line(&line, |lines| format.unread(lines));
    }

    /// Says what happened, which must be free of control characters.
    pub fn tell(&mut self, priority: Priority, event: &Event) {
        let (line, format) = (self.log.tell(priority, event), self.log.format());
        self.stderr.line(&line, |lines| format.unread(lines));
    }

    /// Writes what the streams take now. Returns whether something is left.
    pub fn flush(&mut self) -> bool {
        let out = self.stdout.flush();
        self.stderr.flush() || out
    }
}

impl Output {
    /// Returns the output of a worker.
    pub fn new(source: Source, now: Instant) -> Self {
        let bytes = Allowance::new(BURST_BYTES, BYTES_PER_SECOND, now);
        Self { intake: Intake::new(source), pipe: None, bytes }
    }

    /// Takes the read end of a new incarnation's pipe, which must be non-blocking.
    pub fn attach(&mut self, pipe: OwnedFd, generation: u32) {
        self.intake.begin(generation);
        self.pipe = Some(pipe);
    }

    /// Returns the pipe, to wait for it.
    pub fn pipe(&self) -> Option<BorrowedFd<'_>> {
        self.pipe.as_ref().map(AsFd::as_fd)
    }

    /// Reads once from the pipe, up to the quota, and prints whole lines. Returns whether there may be more: not once
    /// every writer is gone. A pipe that has ended stays open until [`Output::close`].
    pub fn drain(&mut self, at: Moment, journal: &mut Journal) -> bool {
        let Some(pipe) = &self.pipe else { return false };
        let mut bytes = [0; TURN_BYTES];
        let Some(length) = output_pipe::read(pipe, &mut bytes) else { return false };
        self.print(at, journal, |intake, log, may| intake.feed(&bytes[..length], at, log, may));
        true
    }

    /// Reads what is left in the pipe, up to a bound, prints what has no end of line, and returns the pipe.
    ///
    /// Once it is dropped, a descendant that still holds the other end gets a broken pipe.
    pub fn close(&mut self, at: Moment, journal: &mut Journal) -> Option<OwnedFd> {
        const PIPE_BYTES: usize = 64 << 10;
        for _ in 0..PIPE_BYTES / TURN_BYTES {
            if !self.drain(at, journal) {
                break;
            }
        }
        self.print(at, journal, |intake, log, may| intake.end(at, log, may));
        self.pipe.take()
    }

    fn print(
        &mut self,
        at: Moment,
        journal: &mut Journal,
        take: impl FnOnce(&mut Intake, &mut Log, &mut dyn FnMut(u64) -> bool) -> String,
    ) {
        let now = Instant::from_nanos(at.monotonic_ns);
        let shown = take(&mut self.intake, &mut journal.log, &mut |bytes| self.bytes.spend(bytes, now));
        let format = journal.log.format();
        journal.stdout.lines(&shown, |lines| format.unread(lines));
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::time::Duration;

    use bailiwick_wire::log::Format;
    use bailiwick_wire::operator::Target;

    use super::*;
    use crate::tests::hangup::wait_for_hangup;

    struct Fixture {
        output: Output,
        journal: Journal,
        writer: std::fs::File,
        shown: std::fs::File,
        /// The other end of what is shown.
        stream: OwnedFd,
    }

    fn pipe() -> (OwnedFd, std::fs::File) {
        let (read, write) = nix::unistd::pipe2(nix::fcntl::OFlag::O_NONBLOCK).unwrap();
        (read, std::fs::File::from(write))
    }

    fn fixture(format: Format) -> Fixture {
        let (read, writer) = pipe();
        let source = Source { worker: "web".into(), instance: 1, numbered: false };
        let mut output = Output::new(source, Instant::START);
        output.attach(read, 1);
        let (shown, stream) = pipe();
        let sink = || Sink::to(stream.try_clone().unwrap().into());
        let journal = Journal { log: Log::new(format), stdout: sink(), stderr: sink() };
        Fixture { output, journal, writer, shown: shown.into(), stream: stream.into() }
    }

    fn at(seconds: u64) -> Moment {
        let monotonic_ns = (Instant::START + Duration::from_secs(seconds)).as_nanos();
        Moment { wall: Duration::from_secs(seconds), monotonic_ns }
    }

    impl Fixture {
        fn shown(&mut self) -> String {
            self.journal.flush();
            let mut bytes = vec![0; 1 << 16];
            match std::io::Read::read(&mut self.shown, &mut bytes) {
                Ok(length) => String::from_utf8(bytes[..length].to_vec()).unwrap(),
                Err(_) => String::new(),
            }
        }

        fn print(&mut self, bytes: &[u8], seconds: u64) {
            self.writer.write_all(bytes).unwrap();
            assert!(self.output.drain(at(seconds), &mut self.journal));
        }
    }

    #[test]
    fn lines_are_framed_across_reads_and_prefixed() {
        let mut fixture = fixture(Format::Human);
        for piece in ["he", "llo\n\nwor", "ld\n", "rest"] {
            fixture.print(piece.as_bytes(), 0);
        }
        assert_eq!(fixture.shown(), "web | hello\nweb | \nweb | world\n");
        drop(std::mem::replace(&mut fixture.writer, pipe().1));
        wait_for_hangup(fixture.output.pipe().unwrap());
        assert!(!fixture.output.drain(at(0), &mut fixture.journal));
        assert!(fixture.output.close(at(0), &mut fixture.journal).is_some());
        assert_eq!(fixture.shown(), "web | rest\n");
        let log = &fixture.journal.log;
        assert_eq!(fixture.output.intake.last_lines(log), ["hello", "", "world", "rest"]);
        let (next, _writer) = pipe();
        fixture.output.attach(next, 2);
        assert_eq!(fixture.output.intake.last_lines(log), [""; 0], "another life has printed nothing yet");
        assert_eq!(log.after(0, &Target::System).count(), 4, "and what the former has printed is remembered");
    }

    #[test]
    fn a_priority_is_taken_off_and_remembered() {
        let mut fixture = fixture(Format::Human);
        fixture.print(b"<3>broken\nfine\n<9>odd\n", 0);
        fixture.journal.say(at(0), Priority::Warning, "web#1: exit code 1");
        assert_eq!(
            fixture.shown(),
            "web | broken\nweb | fine\nweb | <9>odd\nbailiwick | web#1: exit code 1\n"
        );
        let log = fixture.journal.log.after(0, &Target::System);
        let found: Vec<_> = log.map(|line| (line.source.title(), line.said.priority.code())).collect();
        let title = |title: &str, code| (title.to_owned(), code);
        assert_eq!(found, [title("web", 3), title("web", 6), title("web", 6), title("bailiwick", 4)]);
    }

    #[test]
    fn programs_read_the_same_as_documents() {
        let mut fixture = fixture(Format::Json);
        fixture.print(b"<3>a \"b\"\n", 0);
        let shown = fixture.shown();
        let end =
            ",\"worker\":\"web\",\"instance\":1,\"generation\":1,\"priority\":3,\"text\":\"a \\\"b\\\"\"}\n";
        assert!(shown.starts_with("{\"schema_version\":1,\"number\":1,") && shown.ends_with(end), "{shown}");
    }

    #[test]
    fn a_flood_is_dropped_and_counted_and_time_heals_it() {
        let mut fixture = fixture(Format::Human);
        let line = [&[b'x'; 999][..], b"\n"].concat();
        let lines = BURST_BYTES as usize / line.len();
        for _ in 0..lines + 2 {
            fixture.print(&line, 0);
            fixture.shown();
        }
        assert_eq!(fixture.output.intake.dropped_bytes(), 2 * line.len() as u64);
        fixture.print(b"better\n", 1);
        assert_eq!(fixture.shown(), "web | [2000 bytes dropped: printed too fast]\nweb | better\n");
        let last = fixture.journal.log.after(0, &Target::System).last().unwrap();
        assert_eq!((last.count.nth, last.count.dropped, &*last.said.text), (lines as u64 + 3, 2, "better"));
    }

    #[test]
    fn a_reader_that_is_gone_or_slow_costs_lines_only() {
        let mut fixture = fixture(Format::Human);
        for _ in 0..3000 {
            fixture.journal.say(at(0), Priority::Info, &"x".repeat(1000));
            fixture.journal.flush();
        }
        assert!(fixture.shown().len() > 4096, "what the pipe held is readable");
        drop(fixture.shown);
        wait_for_hangup(fixture.stream.as_fd());
        fixture.journal.say(at(0), Priority::Info, "nobody reads this");
        assert!(!fixture.journal.flush(), "nothing waits for a reader that is gone");
    }
}
