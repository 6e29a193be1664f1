//! `man`: the manual, which is part of the program and so is always the one of this build.
//!
//! The pages are written by the tests, from the arguments and from the book: `UPDATE=1 cargo test -p bailiwick-cli --lib man`.

mod pager;
#[cfg(test)]
mod roff;
#[cfg(test)]
mod tests;

use std::fs;
use std::io::IsTerminal;
use std::path::Path;

use clap::ValueEnum;

use crate::arguments::{Man, Page};
use crate::exit::{Exit, Failure};
use crate::screen::Screen;

impl Page {
    /// Returns the section of the manual that it belongs to.
    fn section(self) -> u8 {
        match self {
            Self::Bailiwick => 1,
            Self::Manifest => 5,
            Self::Protocol => 7,
        }
    }

    /// Returns its text, in the language of man(7).
    fn text(self) -> &'static str {
        match self {
            Self::Bailiwick => include_str!("man/bailiwick.1"),
            Self::Manifest => include_str!("man/bailiwick.toml.5"),
            Self::Protocol => include_str!("man/bailiwick-protocol.7"),
        }
    }

    /// Returns the name under which it is looked up.
    fn name(self) -> &'static str {
        match self {
            Self::Bailiwick => "bailiwick",
            Self::Manifest => "bailiwick.toml",
            Self::Protocol => "bailiwick-protocol",
        }
    }

    /// Returns its file in a folder of manuals.
    fn file(self) -> String {
        format!("man{section}/{name}.{section}", section = self.section(), name = self.name())
    }
}

/// Shows a page, or writes all of them where packagers want them.
pub(crate) fn man(asked: &Man, screen: &Screen) -> Result<Exit, Failure> {
    if let Some(folder) = &asked.install {
        return install(folder, screen);
    }
    let text = asked.page.text();
    if asked.raw || !std::io::stdout().is_terminal() || !pager::show(text) {
        screen.print(text);
    }
    Ok(Exit::Done)
}

fn install(folder: &Path, screen: &Screen) -> Result<Exit, Failure> {
    for page in Page::value_variants() {
        let path = folder.join(page.file());
        let failed = |error| Failure::File { path: path.clone(), error };
        fs::create_dir_all(path.parent().unwrap_or(folder)).map_err(failed)?;
        fs::write(&path, page.text()).map_err(failed)?;
        screen.say(&format!("wrote {}\n", path.display()));
    }
    Ok(Exit::Done)
}
