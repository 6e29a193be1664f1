//! From the bytes that a worker prints to lines: framed, within an allowance, escaped, remembered.

use std::rc::Rc;

use super::{Log, Priority, Said, Source, event_line};
use crate::crash::Moment;
use crate::output::{Framing, escape};

/// What one process prints: of each instance there may be two at a time.
#[derive(Debug)]
pub struct Intake {
    source: Rc<Source>,
    /// The life that prints.
    generation: u32,
    framing: Framing,
    dropped_bytes: u64,
    untold_bytes: u64,
    /// Lines that begin as an event does and are none.
    broken: u64,
}

impl Intake {
    /// Returns one that nothing was printed to.
    pub fn new(source: Source) -> Self {
        let (framing, source) = (Framing::default(), Rc::new(source));
        Self { source, generation: 0, framing, dropped_bytes: 0, untold_bytes: 0, broken: 0 }
    }

    /// Notes that from now on this life prints.
    pub fn begin(&mut self, generation: u32) {
        self.generation = generation;
    }

    /// Returns the bytes that were dropped so far because they were printed too fast.
    pub fn dropped_bytes(&self) -> u64 {
        self.dropped_bytes
    }

    /// Returns what is remembered of the last lines of the life that prints, or was the last to, oldest first.
    pub fn last_lines(&self, log: &Log) -> Vec<String> {
        log.last_of(&self.source, self.generation)
    }

    /// Takes what was printed, and returns what is to be shown of it: the lines that it ends, each with its end.
    /// `may` is asked whether so many more bytes may be kept.
    pub fn feed(
        &mut self,
        bytes: &[u8],
        at: Moment,
        log: &mut Log,
        mut may: impl FnMut(u64) -> bool,
    ) -> String {
        let (mut framing, mut shown) = (std::mem::take(&mut self.framing), String::new());
        framing.feed(bytes, |line| shown += &self.line(line, at, log, &mut may));
        self.framing = framing;
        shown
    }

    /// Takes the end of what is printed, as [`Self::feed`] does: what has no end of line is a line as well.
    pub fn end(&mut self, at: Moment, log: &mut Log, mut may: impl FnMut(u64) -> bool) -> String {
        let rest = self.framing.rest();
        let last = if rest.is_empty() { String::new() } else { self.line(&rest, at, log, &mut may) };
        last + &self.tell_dropped(at, log)
    }

    fn line(&mut self, raw: &[u8], at: Moment, log: &mut Log, may: &mut impl FnMut(u64) -> bool) -> String {
        // The newline counts too, or a worker could print empty lines for ever.
        let bytes = raw.len() as u64 + 1;
        if !may(bytes) {
            log.drop_line(&self.source);
            self.dropped_bytes = self.dropped_bytes.saturating_add(bytes);
            self.untold_bytes = self.untold_bytes.saturating_add(bytes);
            return String::new();
        }
        let dropped = self.tell_dropped(at, log);
        let said = Said { at, generation: self.generation, ..self.said(raw) };
        dropped + &log.print(&self.source, said)
    }

    /// Returns what a line says, as far as its worker knows it.
    fn said(&mut self, raw: &[u8]) -> Said {
        if let Some((event, text)) = event_line::read(raw) {
            let (priority, event) = (event.level.priority(), Some(Box::new(event)));
            return Said { priority, text, event, ..Said::default() };
        }
        let (priority, text) = Priority::split(raw);
        let mut text = escape(text);
        if raw.starts_with(event_line::MARK) {
            self.broken = self.broken.saturating_add(1);
            text.insert_str(0, &format!("[broken event, the {}. so far] ", self.broken));
        }
        Said { priority, text, ..Said::default() }
    }

    /// Returns the line that shows how much was dropped, if anything was. Whoever asks for what is remembered is told by
    /// the lines themselves.
    fn tell_dropped(&mut self, at: Moment, log: &Log) -> String {
        let bytes = std::mem::take(&mut self.untold_bytes);
        if bytes == 0 {
            return String::new();
        }
        let text = format!("[{bytes} bytes dropped: printed too fast]");
        let said = Said { at, generation: self.generation, priority: Priority::Warning, text, event: None };
        log.format().line(None, &self.source, &said)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::{Count, Event, Format, Level};
    use crate::operator::Target;

    fn intake() -> Intake {
        let mut intake = Intake::new(Source { worker: "web".into(), instance: 1, numbered: false });
        intake.begin(1);
        intake
    }

    #[test]
    fn lines_are_framed_over_pieces_shown_and_remembered() {
        let (mut log, mut intake) = (Log::default(), intake());
        let mut shown = String::new();
        for piece in ["he", "llo\n\nwor", "ld\n", "<3>re", "st"] {
            shown += &intake.feed(piece.as_bytes(), Moment::default(), &mut log, |_| true);
        }
        assert_eq!(shown, "web | hello\nweb | \nweb | world\n");
        assert_eq!(intake.end(Moment::default(), &mut log, |_| true), "web | rest\n");
        assert_eq!(intake.last_lines(&log), ["hello", "", "world", "rest"]);
        let codes: Vec<_> = log.after(0, &Target::System).map(|line| line.said.priority.code()).collect();
        assert_eq!(codes, [6, 6, 6, 3]);
        intake.begin(2);
        assert_eq!(intake.last_lines(&log), [""; 0], "another life has printed nothing yet");
        assert_eq!(log.after(0, &Target::System).count(), 4, "and what the former has printed is remembered");
    }

    #[test]
    fn events_are_taken_apart_and_broken_ones_are_text_and_counted() {
        let (mut log, mut intake) = (Log::new(Format::Human), intake());
        let event = Event { level: Level::Warn, actor: "front#1".into(), ..Event::default() };
        let mut print = |line: &[u8]| intake.feed(line, Moment::default(), &mut log, |_| true);
        assert_eq!(print(&event_line::write(&event, "odd")), "web | WARN front#1: odd\n");
        // What another one could have printed is of who printed it.
        let foreign = Event { actor: "db/front#1".into(), target: "db | x".into(), ..event.clone() };
        assert_eq!(print(&event_line::write(&foreign, "x")), "web | WARN db/front#1: x\n");
        for (count, line) in [(1, &b"\x1ebw1\x1fQ\x1b[2J\n"[..]), (2, b"\x1ebw1\x1f\n")] {
            let shown = print(line);
            let begins = format!("web | [broken event, the {count}. so far] \\x1ebw1\\x1f");
            assert!(shown.starts_with(&begins) && !shown.contains('\x1b'), "{shown:?}");
        }
        let told: Vec<_> = log.after(0, &Target::System).map(|line| line.said).collect();
        assert_eq!((told[0].priority, told[0].event.as_deref()), (Priority::Warning, Some(&event)));
        assert_eq!((told[2].event.as_ref(), told[2].generation), (None, 1));
        assert_eq!(intake.last_lines(&log)[0], "WARN front#1: odd");
    }

    #[test]
    fn what_is_dropped_is_counted_in_lines_and_in_bytes_and_shown_once() {
        let (mut log, mut intake) = (Log::new(Format::Human), intake());
        let at = Moment::default();
        let mut left = 4;
        let shown = intake.feed(b"one\ntwo\nthree\n", at, &mut log, |bytes| {
            let may = bytes <= left;
            left -= if may { bytes } else { 0 };
            may
        });
        assert_eq!((shown.as_str(), intake.dropped_bytes()), ("web | one\n", 10));
        let shown = intake.feed(b"four\n", at, &mut log, |_| true);
        assert_eq!(shown, "web | [10 bytes dropped: printed too fast]\nweb | four\n");
        let lines: Vec<_> = log.after(0, &Target::System).collect();
        assert_eq!((lines[1].count, lines[1].number), (Count { nth: 4, dropped: 2 }, 4));
        assert_eq!(intake.feed(b"five\n", at, &mut log, |_| false), "");
        assert_eq!(intake.end(at, &mut log, |_| true), "web | [5 bytes dropped: printed too fast]\n");
        assert_eq!((intake.end(at, &mut log, |_| true).as_str(), intake.dropped_bytes()), ("", 15));
    }
}
