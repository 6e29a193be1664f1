//! Where output goes: data to stdout, messages to stderr, colours where a person sees them.

use std::cell::RefCell;
use std::io::{Error, ErrorKind, IsTerminal, Write};

use crate::arguments::Color;
use crate::exit::Failure;

/// The two outputs of a command.
#[derive(Debug)]
pub(crate) struct Screen {
    stdout_colour: bool,
    stderr_colour: bool,
    /// Why data was not written, the first time.
    unwritten: RefCell<Option<Error>>,
}

impl Screen {
    pub(crate) fn new(color: Color) -> Self {
        let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let forced =
            set("CLICOLOR_FORCE") && std::env::var_os("CLICOLOR_FORCE").is_none_or(|value| value != "0");
        let plain = set("NO_COLOR") || std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let wanted = |terminal: bool| match color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => !set("NO_COLOR") && (forced || (terminal && !plain)),
        };
        Self {
            stdout_colour: wanted(std::io::stdout().is_terminal()),
            stderr_colour: wanted(std::io::stderr().is_terminal()),
            unwritten: RefCell::default(),
        }
    }

    /// Tells whether data may carry colours.
    pub(crate) fn stdout_colour(&self) -> bool {
        self.stdout_colour
    }

    /// Tells whether messages may carry colours.
    pub(crate) fn stderr_colour(&self) -> bool {
        self.stderr_colour
    }

    /// Writes data, as long as that succeeds.
    pub(crate) fn print(&self, text: &str) {
        if self.is_left_alone() {
            return;
        }
        let mut stdout = std::io::stdout().lock();
        let written = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
        *self.unwritten.borrow_mut() = written.err();
    }

    /// Tells whether data can no longer be written: whoever read it has gone away, or there is no room for it.
    pub(crate) fn is_left_alone(&self) -> bool {
        self.unwritten.borrow().is_some()
    }

    /// Returns why data was lost. A reader that has gone away has seen what it wanted; that is no failure.
    pub(crate) fn unwritten(&self) -> Option<Failure> {
        let lost = self.unwritten.take().filter(|error| error.kind() != ErrorKind::BrokenPipe);
        lost.map(Failure::Unwritten)
    }

    /// Writes a message.
    pub(crate) fn say(&self, text: &str) {
        let _gone = std::io::stderr().lock().write_all(text.as_bytes());
    }

    /// Says why a command failed and what to do next.
    pub(crate) fn complain(&self, failure: &Failure) {
        if let Failure::Manifest(found) = failure {
            self.say(&found.render(self.stderr_colour));
        }
        let (bold, end) = if self.stderr_colour { ("\x1b[1;31m", "\x1b[0m") } else { ("", "") };
        self.say(&format!("{bold}bailiwick:{end} {failure}\n"));
        if let Some(advice) = failure.advice() {
            self.say(&format!("  {advice}\n"));
        }
    }
}
