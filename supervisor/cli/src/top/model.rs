//! What is shown and what a key does: no terminal, no clock and no supervisor here. Keys, looks and texts go in, orders come out.
//!
//! What is selected is always a line of the list that is on the screen, as long as there is one.

use std::collections::BTreeSet;
use std::time::Duration;

use bailiwick_supervisor::control::Row;

use super::Sort;
use super::fold::fold;
use super::inside::{Inside, Silence};
use super::key::Key;
use super::list::{Id, Line, Wish};
use super::page::{Kind, Page, Subject, Text};
use super::sample::{Sample, Worker};
use crate::admin::actors::Told;
use crate::status::title;
use crate::words::wrapped;

/// The rows above the list: the supervisor, what is shown of it, the names of the columns.
pub(super) const HEAD_ROWS: u16 = 3;

/// The rows above and below a page: what it is, and its keys.
pub(super) const PAGE_ROWS: u16 = 2;

/// The longest that can be looked for, in characters.
const FILTER_MAX: usize = 60;

/// What the model is told.
#[derive(Debug)]
pub(super) enum Input {
    /// A key was pressed.
    Key(Key),
    /// The terminal has so many rows.
    Rows(u16),
    /// The supervisor was looked at.
    Looked(Box<Sample>),
    /// The supervisor could not be looked at.
    Lost { at: Duration, why: String },
    /// What the admin worker is told, or why there is nothing to be told.
    Inside(Result<Box<Inside>, Silence>),
    /// What a page shows.
    Told(Subject, Text),
    /// What became of an order.
    Ordered(String),
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// End.
    Quit,
    /// Be stopped, as whoever is in the foreground of a shell can be.
    Suspend,
    /// Draw everything anew.
    Redraw,
    /// Tell what this page shows, until another is opened.
    Open(Subject),
    /// Tell nothing more for a page.
    Close,
    /// Restart this instance.
    Restart(String, u16),
}

/// What the keys are for.
#[derive(Clone, Debug)]
pub(super) enum Mode {
    /// The list.
    List,
    /// What is looked for is being typed.
    Filter,
    /// What to sort by is being chosen; this one is marked.
    Sort(usize),
    /// A restart is to be confirmed.
    Confirm { name: String, instance: u16, title: String },
    /// A page is read.
    Page(Page),
    /// The keys are read.
    Help,
}

/// Since when the supervisor does not answer, and why.
#[derive(Clone, Debug)]
pub(super) struct Gone {
    pub(super) time: Duration,
    pub(super) why: String,
}

/// Everything that is shown.
#[derive(Debug)]
pub(super) struct Model {
    pub(super) wish: Wish,
    pub(super) interval: Duration,
    pub(super) mode: Mode,
    /// The last look.
    pub(super) sample: Option<Sample>,
    pub(super) gone: Option<Gone>,
    /// Every instance of every worker.
    pub(super) seen: Vec<Worker>,
    /// What the admin worker was told last, and before.
    pub(super) inside: [Option<Inside>; 2],
    pub(super) silence: Option<Silence>,
    /// What there are lines about: instances, or workers whose instances are folded.
    pub(super) workers: Vec<Worker>,
    pub(super) lines: Vec<Line>,
    /// The line that is selected, and the first that is on the screen.
    pub(super) selected: usize,
    pub(super) first: usize,
    /// What was done last.
    pub(super) message: Option<String>,
    rows: u16,
}

/// Returns how many rows there are below the list, on a terminal of so many.
pub(super) fn foot_rows(rows: u16) -> u16 {
    if rows >= 12 { 3 } else { 1 }
}

impl Model {
    pub(super) fn new(wish: Wish, interval: Duration) -> Self {
        Self {
            wish,
            interval,
            mode: Mode::List,
            sample: None,
            gone: None,
            seen: Vec::new(),
            inside: [None, None],
            silence: None,
            workers: Vec::new(),
            lines: Vec::new(),
            selected: 0,
            first: 0,
            message: None,
            rows: 0,
        }
    }

    /// Returns how many lines of the list are on the screen.
    pub(super) fn list_rows(&self) -> usize {
        self.rows.saturating_sub(HEAD_ROWS + foot_rows(self.rows)).into()
    }

    fn page_rows(&self) -> usize {
        self.rows.saturating_sub(PAGE_ROWS).into()
    }

    /// Returns the line that is selected.
    pub(super) fn line(&self) -> Option<&Line> {
        self.lines.get(self.selected)
    }

    /// Returns the worker that is selected, if it is one.
    pub(super) fn worker(&self) -> Option<&Worker> {
        match self.line()? {
            Line::Worker { at, .. } => self.workers.get(*at),
            Line::Group { .. } => None,
        }
    }

    /// Takes an input; returns what is to be done.
    pub(super) fn handle(&mut self, input: Input) -> Option<Order> {
        match input {
            Input::Key(key) => return self.press(key),
            Input::Rows(rows) => {
                self.rows = rows;
                self.select(self.selected);
                let rows = self.page_rows();
                if let Mode::Page(page) = &mut self.mode {
                    page.fit(rows);
                }
            }
            Input::Looked(sample) => {
                self.seen = sample.workers(self.sample.as_ref());
                self.gone = None;
                self.sample = Some(*sample);
                self.measure();
            }
            Input::Inside(told) => {
                let before = self.inside[0].take();
                (self.inside, self.silence) = match told {
                    Ok(inside) => ([Some(*inside), before], None),
                    Err(silence) => ([None, None], Some(silence)),
                };
                self.measure();
                self.tell_actors();
            }
            Input::Lost { at, why } => {
                let time = self.sample.as_ref().map_or(Duration::ZERO, |last| at.saturating_sub(last.at));
                self.gone = Some(Gone { time, why });
            }
            Input::Told(subject, text) => {
                let rows = self.page_rows();
                match &mut self.mode {
                    // What comes for a page that was left is of no interest.
                    Mode::Page(page) if page.subject == subject => page.take(text, rows),
                    _ => {}
                }
            }
            Input::Ordered(words) => self.message = Some(words),
        }
        None
    }

    /// Tells whether there is an admin worker, which knows more than the supervisor does.
    pub(super) fn shows_inside(&self) -> bool {
        self.inside[0].is_some() || self.silence.as_ref().is_some_and(|silence| !silence.is_missing)
    }

    /// Puts together what is known of each instance.
    fn measure(&mut self) {
        let selected = self.id();
        let [now, before] = &self.inside;
        for worker in &mut self.seen {
            worker.inside = now.as_ref().and_then(|now| now.measured(before.as_ref(), &worker.row));
        }
        self.arrange(selected);
    }

    /// Writes the page about actors anew, if it is open.
    fn tell_actors(&mut self) {
        let rows = self.page_rows();
        let Mode::Page(page) = &mut self.mode else { return };
        if page.subject.kind != Kind::Actors {
            return;
        }
        let whom = &page.subject.whom;
        let name = |told: &Told| {
            let is_it = |worker: &&Worker| {
                (worker.row.name.as_str(), worker.row.instance) == (&*told.worker, told.instance)
            };
            let is_meant = |row: &Row| {
                whom.as_ref()
                    .is_none_or(|(name, number)| row.name == *name && [0, row.instance].contains(number))
            };
            self.seen.iter().find(is_it).map(|worker| &worker.row).filter(|row| is_meant(row)).map(title)
        };
        let lines = match (&self.inside, &self.silence) {
            ([Some(now), before], _) => now.lines(before.as_ref(), name),
            (_, Some(silence)) => wrapped("", &silence.why).lines().map(str::to_owned).collect(),
            _ => return,
        };
        page.take(Text { lines, goes_on: false }, rows);
    }

    fn press(&mut self, key: Key) -> Option<Order> {
        self.message = None;
        match key {
            Key::Control('c') => return Some(Order::Quit),
            Key::Control('z') => return Some(Order::Suspend),
            Key::Control('l') => return Some(Order::Redraw),
            _ => {}
        }
        match &self.mode {
            Mode::List => self.press_in_list(key),
            Mode::Filter => {
                self.type_filter(key);
                None
            }
            Mode::Sort(marked) => {
                self.choose(*marked, key);
                None
            }
            Mode::Confirm { name, instance, title } => {
                let order = (key == Key::Char('y')).then(|| Order::Restart(name.clone(), *instance));
                let became = if order.is_some() { "ordered" } else { "not done" };
                self.message = Some(format!("restart {title}: {became}"));
                self.mode = Mode::List;
                order
            }
            Mode::Page(_) => self.press_in_page(key),
            Mode::Help => {
                self.mode = Mode::List;
                None
            }
        }
    }

    fn press_in_list(&mut self, key: Key) -> Option<Order> {
        let leaf = self.list_rows().saturating_sub(1).max(1);
        match key.moves() {
            Key::Up => self.select(self.selected.saturating_sub(1)),
            Key::Down => self.select(self.selected + 1),
            Key::PageUp => self.select(self.selected.saturating_sub(leaf)),
            Key::PageDown => self.select(self.selected + leaf),
            Key::Home => self.select(0),
            Key::End => self.select(self.lines.len()),
            Key::Tab => self.fold(),
            Key::Enter if matches!(self.line(), Some(Line::Group { .. })) => self.fold(),
            Key::Enter => return self.open(Kind::Detail),
            Key::Char('l') => return self.open(Kind::Logs),
            Key::Char('e') => return self.open(Kind::Events),
            Key::Char('d') => return self.open(Kind::Diagnostics),
            Key::Char('a') => return self.open(Kind::Actors),
            Key::Char('-') => self.fold_instances(true),
            Key::Char('+') => self.fold_instances(false),
            Key::Char('*') => self.fold_all(),
            Key::Char('r') => self.ask_to_restart(),
            Key::Char('/') => self.mode = Mode::Filter,
            Key::Char('s') => self.mode = Mode::Sort(self.wish.sort.number()),
            Key::Char('I') => self.rearrange(|wish| wish.is_reversed = !wish.is_reversed),
            Key::Char('?' | 'h') => self.mode = Mode::Help,
            Key::Char('q') => return Some(Order::Quit),
            Key::Escape => self.rearrange(|wish| wish.filter.clear()),
            Key::Left | Key::Right | Key::Backspace | Key::Char(_) | Key::Control(_) => {}
        }
        None
    }

    fn press_in_page(&mut self, key: Key) -> Option<Order> {
        let rows = self.page_rows();
        let Mode::Page(page) = &mut self.mode else { return None };
        match key.moves() {
            Key::Char('q') | Key::Escape | Key::Backspace => {
                self.mode = Mode::List;
                return Some(Order::Close);
            }
            Key::Enter => return self.open(Kind::Detail),
            Key::Char('l') => return self.open(Kind::Logs),
            Key::Char('e') => return self.open(Kind::Events),
            Key::Char('d') => return self.open(Kind::Diagnostics),
            Key::Char('a') => return self.open(Kind::Actors),
            moves => page.turn(moves, rows),
        }
        None
    }

    /// Opens a page about the worker that is selected.
    fn open(&mut self, kind: Kind) -> Option<Order> {
        let worker = self.worker().map(|worker| &worker.row);
        let subject = Subject::new(kind, worker.map(|row| (row.name.clone(), row.instance)));
        if kind == Kind::Detail && subject.whom.is_none() {
            return None;
        }
        let whom = worker.filter(|_| subject.whom.is_some()).map_or_else(|| "everybody".to_owned(), title);
        let title = match kind {
            Kind::Detail => whom,
            Kind::Logs => format!("what {whom} printed"),
            Kind::Events => "what happened".to_owned(),
            Kind::Diagnostics => "what is not as it should be".to_owned(),
            Kind::Actors => format!("actors of {whom}"),
        };
        self.mode = Mode::Page(Page::new(subject.clone(), title));
        self.tell_actors();
        // Of actors the supervisor knows nothing.
        Some(if kind == Kind::Actors { Order::Close } else { Order::Open(subject) })
    }

    fn ask_to_restart(&mut self) {
        let Some(worker) = self.worker() else {
            return self.message = Some("no worker is selected that could be restarted".into());
        };
        let (name, instance) = (worker.row.name.clone(), worker.row.instance);
        let title = match &worker.folded {
            Some(folded) => format!("all {} instances of {}", folded.instances, title(&worker.row)),
            None => title(&worker.row),
        };
        if self.gone.is_some() {
            self.message = Some(format!("restart {title}: no supervisor answers"));
        } else {
            self.mode = Mode::Confirm { name, instance, title };
        }
    }

    /// Folds or unfolds the group that is selected, or the one of the worker that is.
    fn fold(&mut self) {
        if self.wish.sort != Sort::Manifest {
            self.rearrange(|wish| (wish.sort, wish.is_reversed) = (Sort::Manifest, false));
            return;
        }
        let path = match self.line() {
            Some(Line::Group { path, .. }) => path.clone(),
            Some(Line::Worker { at, .. }) => self.workers[*at].row.group.clone(),
            None => return,
        };
        if path.is_empty() {
            return self.message = Some("it is in no group that could be folded".into());
        }
        if !self.wish.filter.is_empty() {
            return self.message = Some("nothing is folded while something is looked for".into());
        }
        if !self.wish.folded.remove(&path) {
            self.wish.folded.insert(path.clone());
        }
        self.arrange(Some(Id::Group(path)));
    }

    /// Makes one row of the instances of the worker that is selected, or a row of each again; of a group its members likewise.
    fn fold_instances(&mut self, is_folded: bool) {
        if matches!(self.line(), Some(Line::Group { is_folded: was, .. }) if *was != is_folded) {
            return self.fold();
        }
        let Some(worker) = self.worker() else { return };
        let (name, can_be) = (worker.row.name.clone(), worker.row.numbered || worker.folded.is_some());
        if !can_be {
            return self.message = Some("it has one instance alone; Tab folds its group".into());
        }
        let own = worker.row.instance;
        let first = self.seen.iter().find(|worker| worker.row.name == name).map(|worker| worker.row.instance);
        let selected = if is_folded {
            self.wish.together.insert(name.clone());
            0
        } else {
            self.wish.together.remove(&name);
            first.filter(|_| own == 0).unwrap_or(own)
        };
        self.arrange(Some(Id::Worker(name, selected)));
    }

    /// Makes one row of the instances of each worker, or a row of each again if that is so already.
    fn fold_all(&mut self) {
        let numbered = self.seen.iter().filter(|worker| worker.row.numbered);
        let all: BTreeSet<String> = numbered.map(|worker| worker.row.name.clone()).collect();
        let together = if all.is_subset(&self.wish.together) { BTreeSet::new() } else { all };
        let selected = self.id().map(|id| match id {
            Id::Worker(name, _) if together.contains(&name) => Id::Worker(name, 0),
            Id::Worker(name, 0) => {
                let first = self.seen.iter().find(|worker| worker.row.name == name);
                Id::Worker(name, first.map_or(0, |worker| worker.row.instance))
            }
            id => id,
        });
        self.wish.together = together;
        self.arrange(selected);
    }

    fn type_filter(&mut self, key: Key) {
        match key {
            Key::Enter => self.mode = Mode::List,
            Key::Escape => {
                self.mode = Mode::List;
                self.rearrange(|wish| wish.filter.clear());
            }
            Key::Backspace => self.rearrange(|wish| {
                wish.filter.pop();
            }),
            Key::Char(letter) if self.wish.filter.chars().count() < FILTER_MAX => {
                self.rearrange(|wish| wish.filter.push(letter));
            }
            Key::Up => self.select(self.selected.saturating_sub(1)),
            Key::Down => self.select(self.selected + 1),
            _ => {}
        }
    }

    fn choose(&mut self, marked: usize, key: Key) {
        let last = Sort::ALL.len() - 1;
        self.mode = match key.moves() {
            Key::Up => Mode::Sort(marked.saturating_sub(1)),
            Key::Down => Mode::Sort((marked + 1).min(last)),
            Key::Home => Mode::Sort(0),
            Key::End => Mode::Sort(last),
            Key::Enter => {
                self.rearrange(|wish| (wish.sort, wish.is_reversed) = (Sort::ALL[marked.min(last)], false));
                Mode::List
            }
            Key::Escape | Key::Char('q' | 's') => Mode::List,
            _ => return,
        };
    }

    /// Whom the line is about that is selected.
    fn id(&self) -> Option<Id> {
        self.line().and_then(|line| line.id(&self.workers))
    }

    /// Changes what is wanted, and keeps selected who is.
    fn rearrange(&mut self, change: impl FnOnce(&mut Wish)) {
        let selected = self.id();
        change(&mut self.wish);
        self.arrange(selected);
    }

    /// Puts the list in order, and selects whom it is about; who is no longer in it leaves that to whoever is in its place.
    fn arrange(&mut self, selected: Option<Id>) {
        self.workers = fold(&self.seen, &self.wish.together);
        self.lines = self.wish.lines(&self.workers);
        let found = selected
            .and_then(|id| self.lines.iter().position(|line| line.id(&self.workers).as_ref() == Some(&id)));
        self.select(found.unwrap_or(self.selected));
    }

    /// Selects a line, or the last, and has it on the screen.
    fn select(&mut self, at: usize) {
        self.selected = at.min(self.lines.len().saturating_sub(1));
        let rows = self.list_rows().max(1);
        let first = self.first.min(self.selected).max((self.selected + 1).saturating_sub(rows));
        // No room is left empty below the last line.
        self.first = first.min(self.lines.len().saturating_sub(rows));
    }
}

#[cfg(test)]
mod tests;
