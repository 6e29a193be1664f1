//! A page of text about one worker or about all: what it shows, and where of it the reader is.

use std::collections::VecDeque;

use bailiwick_supervisor::control::Target;

use super::key::Key;

/// How many lines a page remembers; of more the oldest are forgotten.
pub(super) const LINES_MAX: usize = 2000;

/// How far a page is moved aside at once, in columns.
const STEP_COLUMNS: usize = 8;

/// How far a page can be moved aside, in columns.
const SHIFT_COLUMNS_MAX: usize = 8000;

/// What a page is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Detail,
    Logs,
    Events,
    Diagnostics,
    /// What the admin worker is told of actors: no supervisor is asked for it.
    Actors,
}

/// What a page is about, and of whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Subject {
    pub(super) kind: Kind,
    /// Without, everybody. Instance 0 are all of a worker's.
    pub(super) whom: Option<(String, u16)>,
}

/// What is to be shown on a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Text {
    pub(super) lines: Vec<String>,
    /// It comes after what there is; else in its place.
    pub(super) goes_on: bool,
}

/// Returns whom a name and a number mean to the supervisor; 0 are all instances.
pub(super) fn whom(name: String, instance: u16) -> Target {
    if instance == 0 { Target::Worker(name) } else { Target::Instance(name, instance) }
}

/// A page, and where of it the reader is.
#[derive(Clone, Debug)]
pub(super) struct Page {
    pub(super) subject: Subject,
    /// What it is called.
    pub(super) title: String,
    /// Missing as long as nothing has come.
    pub(super) lines: Option<VecDeque<String>>,
    /// The first line that is shown.
    pub(super) first: usize,
    /// How many columns are left out on the left.
    pub(super) shift: usize,
    /// The reader is at the end, and stays there.
    follows: bool,
}

impl Subject {
    /// Returns one about everybody if it is of a kind that is always about everybody, else about `whom`.
    pub(super) fn new(kind: Kind, whom: Option<(String, u16)>) -> Self {
        let whom = match kind {
            Kind::Detail | Kind::Logs | Kind::Actors => whom,
            Kind::Events | Kind::Diagnostics => None,
        };
        Self { kind, whom }
    }
}

impl Page {
    /// Returns one to which nothing has come.
    pub(super) fn new(subject: Subject, title: String) -> Self {
        // What happens last stands at the end.
        let follows = matches!(subject.kind, Kind::Logs | Kind::Events);
        Self { subject, title, lines: None, first: 0, shift: 0, follows }
    }

    fn count(&self) -> usize {
        self.lines.as_ref().map_or(0, VecDeque::len)
    }

    /// Takes what is to be shown, in a place of so many rows.
    pub(super) fn take(&mut self, text: Text, rows: usize) {
        let lines = self.lines.get_or_insert_default();
        if !text.goes_on {
            lines.clear();
        }
        lines.extend(text.lines);
        let forgotten = lines.len().saturating_sub(LINES_MAX);
        lines.drain(..forgotten);
        // What the reader looks at stays where it is.
        self.first = self.first.saturating_sub(forgotten);
        self.fit(rows);
    }

    /// Keeps what is shown within what there is.
    pub(super) fn fit(&mut self, rows: usize) {
        let last = self.count().saturating_sub(rows);
        self.first = if self.follows { last } else { self.first.min(last) };
    }

    /// Moves within the text.
    pub(super) fn turn(&mut self, key: Key, rows: usize) {
        let last = self.count().saturating_sub(rows);
        let leaf = rows.saturating_sub(1).max(1);
        let first = match key {
            Key::Up => self.first.saturating_sub(1),
            Key::Down => self.first + 1,
            Key::PageUp => self.first.saturating_sub(leaf),
            Key::PageDown => self.first + leaf,
            Key::Home => 0,
            Key::End => last,
            Key::Left => return self.shift = self.shift.saturating_sub(STEP_COLUMNS),
            Key::Right => return self.shift = (self.shift + STEP_COLUMNS).min(SHIFT_COLUMNS_MAX),
            _ => return,
        };
        self.first = first.min(last);
        self.follows = matches!(self.subject.kind, Kind::Logs | Kind::Events) && self.first == last;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(numbers: std::ops::Range<usize>, goes_on: bool) -> Text {
        Text { lines: numbers.map(|number| number.to_string()).collect(), goes_on }
    }

    fn first(page: &Page) -> &str {
        &page.lines.as_ref().unwrap()[page.first]
    }

    #[test]
    fn who_is_at_the_end_of_what_happens_stays_there_and_who_has_gone_back_is_left_alone() {
        let mut page = Page::new(Subject::new(Kind::Logs, None), String::new());
        page.take(text(0..30, false), 10);
        assert_eq!(first(&page), "20");
        page.take(text(30..35, true), 10);
        assert_eq!(first(&page), "25");
        page.turn(Key::PageUp, 10);
        page.take(text(35..LINES_MAX + 10, true), 10);
        assert_eq!(first(&page), "16", "although 10 lines were forgotten");
        page.turn(Key::End, 10);
        page.take(text(0..1, true), 10);
        assert_eq!(page.first, LINES_MAX - 10);
    }

    #[test]
    fn what_is_said_anew_is_read_from_its_beginning_and_no_further_than_its_end() {
        let mut page = Page::new(Subject::new(Kind::Detail, None), String::new());
        page.take(text(0..30, false), 10);
        assert_eq!(first(&page), "0");
        page.turn(Key::Down, 10);
        page.take(text(0..30, false), 10);
        assert_eq!(first(&page), "1");
        page.turn(Key::End, 10);
        page.turn(Key::Down, 10);
        assert_eq!(first(&page), "20");
        page.take(text(0..5, false), 10);
        assert_eq!(page.first, 0);
        (0..3).for_each(|_| page.turn(Key::Right, 10));
        page.turn(Key::Left, 10);
        assert_eq!(page.shift, 16);
    }
}
