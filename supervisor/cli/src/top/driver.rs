//! Carries keys, looks and signals to the model, and its orders out.

use std::io;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread;

use bailiwick_supervisor::control::Client;
use crossterm::event;
use nix::sys::signal::{SigSet, Signal, raise};

use super::insides::Insides;
use super::job;
use super::key::Key;
use super::list::Wish;
use super::looks::{Looks, restart};
use super::model::{Input, Model, Order};
use super::page::Subject;
use super::terminal::Console;
use crate::arguments::Top;
use crate::exit::{Exit, Failure};
use crate::screen::Screen;

/// How much may wait for the model: whoever has more waits as well.
const EVENTS: usize = 64;

/// The signals that are waited for instead of obeyed: those that end, those that stop, and the one that continues.
const SIGNALS: [Signal; 6] =
    [Signal::SIGHUP, Signal::SIGINT, Signal::SIGQUIT, Signal::SIGTERM, Signal::SIGTSTP, Signal::SIGCONT];

/// Why the key that stops does not.
const NOBODY_WAITS: &str = "not stopped: there is no shell here that could let it continue; q quits";

/// What happens to this process.
#[derive(Debug)]
pub(super) enum Event {
    Input(Input),
    /// The terminal has another size.
    Resized,
    Signal(Signal),
    /// No more keys can be read.
    Unreadable(io::Error),
}

/// Shows the system until it is told to end.
pub(super) fn drive(asked: &Top, place: PathBuf, client: Client, screen: &Screen) -> Result<Exit, Failure> {
    let most = asked.count.and_then(|count| usize::try_from(count).ok());
    let wish = Wish { sort: asked.sort, most, ..Wish::default() };
    let signals: SigSet = SIGNALS.into_iter().collect();
    // Before there is another thread, so that none has them.
    signals.thread_block().map_err(|errno| failed("hold signals back")(errno.into()))?;
    let (tell, events) = sync_channel(EVENTS);
    let (pages, asked_pages) = channel();
    let console = Console::enter(screen.stdout_colour())?;
    let (keys, signalled) = (tell.clone(), tell.clone());
    thread::spawn(move || read_keys(&keys));
    thread::spawn(move || wait_for_signals(signals, &signalled));
    let looks = Looks {
        place: place.clone(),
        interval: asked.interval,
        client: Some(client),
        pages: asked_pages,
        tell: tell.clone(),
    };
    thread::spawn(move || looks.run());
    let insides = Insides { place: place.clone(), interval: asked.interval, tell: tell.clone() };
    thread::spawn(move || insides.run());
    let mut driver = Driver { model: Model::new(wish, asked.interval), console, place, pages, tell };
    let ended_by = driver.run(&events)?;
    driver.console.leave();
    if let Some(signal) = ended_by {
        // Whoever waits for this process is told by which signal it ended.
        let _ends_here = signals.thread_unblock().and_then(|()| raise(signal));
        return Ok(Exit::Failed);
    }
    Ok(Exit::Done)
}

struct Driver {
    model: Model,
    console: Console,
    place: PathBuf,
    pages: Sender<Option<Subject>>,
    tell: SyncSender<Event>,
}

impl Driver {
    /// Goes on until it is told to end; returns by which signal, if it was one.
    fn run(&mut self, events: &Receiver<Event>) -> Result<Option<Signal>, Failure> {
        loop {
            let rows = self.console.rows()?;
            self.model.handle(Input::Rows(rows));
            self.console.draw(&self.model)?;
            let Ok(first) = events.recv() else { return Ok(None) };
            // What has come meanwhile is drawn together.
            for event in std::iter::once(first).chain(events.try_iter().take(EVENTS)) {
                match event {
                    Event::Input(input) => {
                        let order = self.model.handle(input);
                        if order == Some(Order::Quit) {
                            return Ok(None);
                        }
                        order.map_or(Ok(()), |order| self.carry_out(order))?;
                    }
                    Event::Resized => {}
                    Event::Signal(Signal::SIGTSTP) => self.suspend()?,
                    Event::Signal(Signal::SIGCONT) => self.console.again()?,
                    Event::Signal(signal) => return Ok(Some(signal)),
                    Event::Unreadable(error) => return Err(failed("read keys")(error)),
                }
            }
        }
    }

    fn carry_out(&mut self, order: Order) -> Result<(), Failure> {
        match order {
            Order::Quit => {}
            Order::Suspend => self.suspend()?,
            Order::Redraw => self.console.again()?,
            Order::Open(subject) => drop(self.pages.send(Some(subject))),
            Order::Close => drop(self.pages.send(None)),
            Order::Restart(name, instance) => {
                let (place, tell) = (self.place.clone(), self.tell.clone());
                let row = self.model.workers.iter().map(|worker| &worker.row);
                let row = row.clone().find(|row| row.name == name && row.instance == instance);
                let title = row.map_or_else(|| name.clone(), crate::status::title);
                thread::spawn(move || {
                    let words = restart(&place, &title, name, instance);
                    tell.send(Event::Input(Input::Ordered(words)))
                });
            }
        }
        Ok(())
    }

    /// Is stopped, until somebody lets it continue; where nobody could, it goes on and says so.
    fn suspend(&mut self) -> Result<(), Failure> {
        if !job::is_waited_for_here() {
            self.model.handle(Input::Ordered(NOBODY_WAITS.to_owned()));
            return Ok(());
        }
        self.console.leave();
        job::stop().map_err(|errno| failed("stop")(errno.into()))?;
        self.console.again()
    }
}

fn failed(what: &'static str) -> impl Fn(io::Error) -> Failure {
    move |error| Failure::Terminal { what, error }
}

fn read_keys(tell: &SyncSender<Event>) {
    loop {
        let event = match event::read() {
            Ok(event::Event::Key(pressed)) => match Key::of(pressed) {
                Some(key) => Event::Input(Input::Key(key)),
                None => continue,
            },
            Ok(event::Event::Resize(..)) => Event::Resized,
            Ok(_) => continue,
            Err(error) => {
                let _gone = tell.send(Event::Unreadable(error));
                return;
            }
        };
        if tell.send(event).is_err() {
            return;
        }
    }
}

fn wait_for_signals(signals: SigSet, tell: &SyncSender<Event>) {
    while let Ok(signal) = signals.wait() {
        if tell.send(Event::Signal(signal)).is_err() {
            return;
        }
    }
}
