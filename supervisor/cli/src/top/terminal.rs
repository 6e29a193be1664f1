//! The terminal while it is taken over: given back in every case, also after a panic and before an end by a signal.

use std::io::{self, IsTerminal, Stdout, Write};
use std::panic;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crossterm::cursor::Show;
use crossterm::execute;
use crossterm::terminal::{EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode};
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;

use super::model::Model;
use super::view::{self, Palette};
use crate::exit::Failure;

/// The exit code of a program that has panicked.
const PANICKED: i32 = 101;

/// A terminal that is taken over.
pub(super) struct Console {
    terminal: Terminal<CrosstermBackend<Stdout>>,
    /// It is taken over at present. The hook of panics looks at it as well.
    is_taken: Arc<AtomicBool>,
    palette: Palette,
}

/// Tells whether there is a terminal that can be taken over.
///
/// # Errors
/// There is none, with what to do instead.
pub(super) fn usable() -> Result<(), Failure> {
    let refused = |why| Err(Failure::NoTerminal { why });
    if !io::stdin().is_terminal() || !io::stdout().is_terminal() {
        return refused("standard input and standard output are not both one");
    }
    match std::env::var_os("TERM") {
        None => refused("TERM does not say what it can do"),
        Some(term) if term.is_empty() => refused("TERM does not say what it can do"),
        Some(term) if term == "dumb" => refused("TERM says that it is dumb"),
        Some(_) => Ok(()),
    }
}

impl Console {
    /// Takes over the terminal.
    ///
    /// # Errors
    /// It does not do as it is told.
    pub(super) fn enter(is_coloured: bool) -> Result<Self, Failure> {
        // What says so has been asked already.
        crossterm::style::force_color_output(is_coloured);
        let is_taken = Arc::new(AtomicBool::new(false));
        restore_on_panic(&is_taken);
        take(&is_taken)?;
        let terminal = Terminal::new(CrosstermBackend::new(io::stdout()))
            .inspect_err(|_| give_back(&is_taken))
            .map_err(failed("draw on the terminal"))?;
        Ok(Self { terminal, is_taken, palette: Palette { is_coloured } })
    }

    /// Returns how many rows there are.
    ///
    /// # Errors
    /// The terminal does not say.
    pub(super) fn rows(&self) -> Result<u16, Failure> {
        let size = self.terminal.size().map_err(failed("measure the terminal"))?;
        Ok(size.height)
    }

    /// Shows what there is to be shown.
    ///
    /// # Errors
    /// The terminal is gone.
    pub(super) fn draw(&mut self, model: &Model) -> Result<(), Failure> {
        let palette = self.palette;
        let drawn = self.terminal.draw(|frame| view::draw(frame, model, palette));
        drawn.map(drop).map_err(failed("draw on the terminal"))
    }

    /// Gives the terminal back.
    pub(super) fn leave(&self) {
        give_back(&self.is_taken);
    }

    /// Takes the terminal over again, whatever was done with it meanwhile.
    ///
    /// # Errors
    /// It does not do as it is told.
    pub(super) fn again(&mut self) -> Result<(), Failure> {
        self.leave();
        take(&self.is_taken)?;
        // `Terminal::clear` would ask the terminal where its cursor is, and whoever reads keys would get the answer.
        let size = self.terminal.size().map_err(failed("measure the terminal"))?;
        self.terminal.resize(size.into()).map_err(failed("draw on the terminal"))
    }
}

impl Drop for Console {
    fn drop(&mut self) {
        self.leave();
    }
}

fn failed(what: &'static str) -> impl Fn(io::Error) -> Failure {
    move |error| Failure::Terminal { what, error }
}

fn take(is_taken: &AtomicBool) -> Result<(), Failure> {
    is_taken.store(true, Ordering::SeqCst);
    let taken = enable_raw_mode().and_then(|()| execute!(io::stdout(), EnterAlternateScreen));
    taken.inspect_err(|_| give_back(is_taken)).map_err(failed("take over the terminal"))
}

/// Gives the terminal back, once: doing so again would move the cursor over what was written since.
fn give_back(is_taken: &AtomicBool) {
    if is_taken.swap(false, Ordering::SeqCst) {
        // A terminal that is gone needs nothing.
        let _gone = execute!(io::stdout(), LeaveAlternateScreen, Show);
        let _gone = disable_raw_mode();
        let _gone = io::stdout().flush();
    }
}

/// Has a panic be told on the terminal as it was before.
fn restore_on_panic(is_taken: &Arc<AtomicBool>) {
    let (is_taken, main) = (Arc::clone(is_taken), std::thread::current().id());
    let previous = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        give_back(&is_taken);
        previous(info);
        // Nobody would go on for a thread that reads keys or looks at the supervisor.
        if std::thread::current().id() != main {
            std::process::exit(PANICKED);
        }
    }));
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::Read;
    use std::process::Command;

    use rustix::fs::{Mode, OFlags, open};
    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
    use rustix::termios::{LocalModes, tcgetattr};

    use super::*;

    const ON_PURPOSE: &str = "on purpose, with the terminal";

    /// Runs one of the tests below on a terminal; returns its exit code, what it wrote, and whether lines are edited there.
    fn on_a_terminal(test: &str) -> (Option<i32>, String, bool) {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap();
        let line = open(name, OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC, Mode::empty()).unwrap();
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", &format!("top::terminal::tests::{test}"), "--ignored", "--nocapture"]);
        let end = || line.try_clone().unwrap();
        command.env("RUST_BACKTRACE", "0").stdin(end()).stdout(end()).stderr(end());
        let status = command.status().unwrap();
        let modes = tcgetattr(&line).unwrap().local_modes;
        drop((command, line));
        let mut written = Vec::new();
        // It ends with an error, since nobody has the other end any more.
        let _closed = File::from(master).read_to_end(&mut written);
        (status.code(), String::from_utf8_lossy(&written).into_owned(), modes.contains(LocalModes::ICANON))
    }

    #[test]
    fn a_panic_is_told_on_the_terminal_as_it_was_before() {
        for test in ["panics", "panics_in_another_thread"] {
            let (code, written, is_edited) = on_a_terminal(test);
            assert_eq!((code, is_edited), (Some(PANICKED), true), "{written}");
            let at = |what| written.find(what).unwrap_or_else(|| panic!("{what} in {written:?}"));
            assert!(
                at("\x1b[?1049h") < at("\x1b[?1049l") && at("\x1b[?1049l") < at(ON_PURPOSE),
                "{written:?}"
            );
            assert_eq!(written.matches("\x1b[?1049l").count(), 1, "{written:?}");
        }
    }

    #[test]
    #[ignore = "run on a terminal by the one above"]
    fn panics() {
        let _console = Console::enter(true).unwrap();
        panic!("{ON_PURPOSE}");
    }

    #[test]
    #[ignore = "run on a terminal by the one above"]
    fn panics_in_another_thread() {
        let _console = Console::enter(true).unwrap();
        std::thread::spawn(|| panic!("{ON_PURPOSE}"));
        loop {
            std::thread::park();
        }
    }
}
