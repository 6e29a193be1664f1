//! Shows a page of the manual to a person: by man(1), which knows the person's pager, else by a pager without formatting.

use std::env;
use std::io::Write;
use std::process::{Command, Stdio};

use nix::sys::signal::{SigSet, Signal};

/// Pagers that are tried where the person names none that can be run.
const PAGERS: [&str; 2] = ["less", "more"];

/// Shows a page; returns whether there was somebody to show it.
pub(super) fn show(text: &str) -> bool {
    let mut man = Command::new("man");
    // The page comes by standard input, so that there is no file that could be left behind.
    man.args(["-l", "-"]);
    // With the latter it says that the pager was left before the end.
    if let Some(0 | 3) = feed(&mut man, text) {
        return true;
    }
    let plain = plain(text);
    let named = ["MANPAGER", "PAGER"].into_iter().filter_map(|name| env::var(name).ok());
    let pagers = named.chain(PAGERS.map(str::to_owned)).filter(|pager| !pager.trim().is_empty());
    pagers.into_iter().any(|pager| {
        // The variables are command lines, with arguments and all.
        let mut command = Command::new("sh");
        command.args(["-c", &pager]);
        // With these it says that there is no such program, or none that could be run.
        !matches!(feed(&mut command, &plain), None | Some(126 | 127))
    })
}

/// Runs a program over a text; returns its exit code, if it could be run and no signal ended it.
fn feed(command: &mut Command, text: &str) -> Option<i32> {
    let mut child = command.stdin(Stdio::piped()).spawn().ok()?;
    // From the keyboard they come to the pager as well, which interrupts a search and goes on: whoever it was started by must
    // not give the terminal back to the shell before it has ended.
    let keyboard: SigSet = [Signal::SIGINT, Signal::SIGQUIT].into_iter().collect();
    let _may_end = keyboard.thread_block();
    if let Some(mut input) = child.stdin.take() {
        // Who leaves before the end has seen enough.
        let _left = input.write_all(text.as_bytes());
    }
    let ended = child.wait();
    let _was_interrupted = keyboard.thread_unblock();
    ended.ok()?.code()
}

/// Returns a page without the requests that format it, as far as ours have any.
fn plain(page: &str) -> String {
    let mut plain = String::new();
    for line in page.lines() {
        let (request, rest) = line.split_once(' ').unwrap_or((line, ""));
        let rest = letters(rest.trim_matches('"'));
        match request {
            ".SH" => plain += &format!("\n{rest}\n\n"),
            ".SS" => plain += &format!("\n  {rest}\n\n"),
            ".PP" | ".TP" | ".IP" => plain.push('\n'),
            _ if line.starts_with(['.', '\'']) => {}
            _ => plain += &format!("{}\n", letters(line)),
        }
    }
    plain
}

/// Returns a line without what changes its letters.
fn letters(line: &str) -> String {
    let mut plain = String::new();
    let mut rest = line;
    while let Some((before, after)) = rest.split_once('\\') {
        plain.push_str(before);
        let length = match after.as_bytes().first() {
            Some(b'f') => 2,
            Some(b'&') => 1,
            Some(b'(') => 3,
            Some(b'*') if after.starts_with("*(Aq") => {
                plain.push('\'');
                4
            }
            // What is left stands for itself, as a dash does.
            _ => 0,
        };
        rest = after.get(length..).unwrap_or_default();
    }
    plain + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_man_a_page_is_still_to_be_read() {
        let page = ".TH x 1\n.SH NAME\n\\fBx\\fR \\- does\n.TP\n\\fB\\-\\-raw\\fR\nwhat\\*(Aqs there\n.IP \\(bu 2\n\\&.toml\n";
        assert_eq!(plain(page), "\nNAME\n\nx - does\n\n--raw\nwhat's there\n\n.toml\n");
    }

    #[test]
    fn a_program_that_is_not_there_shows_nothing() {
        assert_eq!(feed(&mut Command::new("/nonexistent/pager"), "text"), None);
        assert_eq!(feed(&mut Command::new("true"), &"long ".repeat(100_000)), Some(0));
    }
}
