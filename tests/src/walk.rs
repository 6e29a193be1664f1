//! A page of the book that a reader follows step by step: what it has them write, type and see.
//!
//! A comment of HTML before a block of code, which no reader sees, says what the block is for:
//!
//! | comment | the block is |
//! | --- | --- |
//! | `<!-- file: PATH -->` | a file, from its first line to its last |
//! | `<!-- more of: PATH -->` | what is added at the end of a file, after an empty line |
//! | `<!-- runs on -->` | one command, which goes on running in a terminal of its own, and lines that it prints |
//! | `<!-- there -->` | lines that the command which runs on has printed by then |
//! | `<!-- refused -->` | commands of which the last one fails |
//! | `<!-- before -->` | commands by which the reader comes to what whoever runs the test has already |
//! | none, and the block is a `console` | commands behind `$ `, and below each what it prints |
//!
//! `…` stands for any text within a line; a line of `…` alone for any number of lines.

use std::str::Lines;

/// What a reader does next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The line of the page on which its block begins.
    pub line: usize,
    /// What is done.
    pub what: What,
}

/// What is done in a step.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums)] // Whoever walks takes every kind of step.
pub enum What {
    /// A file is written.
    File {
        /// Its path.
        path: String,
        /// What is in it.
        text: String,
    },
    /// A file gets longer.
    More {
        /// Its path.
        path: String,
        /// What is added.
        text: String,
    },
    /// Commands are typed, one after the other.
    Commands {
        /// The commands.
        typed: Vec<Typed>,
        /// Whether the last one fails.
        refused: bool,
    },
    /// A command is typed that goes on running; it prints these lines.
    RunsOn(Typed),
    /// The command that runs on has printed these lines.
    There(Vec<String>),
    /// Commands by which the reader comes to what is here already.
    Before,
}

/// A command, and what it prints: nothing stands for anything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Typed {
    /// What is typed.
    pub command: String,
    /// What the page shows of its output.
    pub printed: Vec<String>,
}

/// Returns the steps of a page.
///
/// # Errors
/// A block of which nobody knows what it is for, with its line.
pub fn steps(page: &str) -> Result<Vec<Step>, String> {
    let (mut steps, mut told, mut number) = (Vec::new(), None, 0);
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        number += 1;
        if let Some(comment) = line.strip_prefix("<!-- ").and_then(|rest| rest.strip_suffix(" -->")) {
            told = Some(comment);
        } else if let Some(language) = line.strip_prefix("```") {
            let block = block(&mut lines);
            let what = what(told.take(), language, &block).map_err(|why| format!("line {number}: {why}"))?;
            steps.push(Step { line: number, what });
            number += block.len() + 1;
        } else if !line.is_empty() && told.is_some() {
            return Err(format!("line {number}: a block of code is to follow what was said of it"));
        }
    }
    Ok(steps)
}

/// Tells whether a command printed what the page shows.
pub fn is_shown(printed: &[String], shown: &[String]) -> bool {
    match shown.split_first() {
        None => printed.is_empty(),
        Some((first, rest)) if first.trim().strip_prefix(ANYTHING) == Some("") => {
            (0..=printed.len()).any(|after| is_shown(&printed[after..], rest))
        }
        Some((first, rest)) => {
            printed.split_first().is_some_and(|(line, more)| is_line(line, first) && is_shown(more, rest))
        }
    }
}

/// Tells whether a line is the one that the page shows; how wide a space is does not count.
pub fn is_line(line: &str, shown: &str) -> bool {
    let (line, shown) = (spaced(line), spaced(shown));
    let mut parts = shown.split(ANYTHING);
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = line.strip_prefix(first) else { return false };
    let Some(last) = parts.next_back() else { return rest.is_empty() };
    for part in parts {
        let Some((_, after)) = rest.split_once(part) else { return false };
        rest = after;
    }
    rest.ends_with(last)
}

fn spaced(line: &str) -> String {
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn block<'a>(lines: &mut Lines<'a>) -> Vec<&'a str> {
    lines.take_while(|line| *line != "```").collect()
}

fn what(told: Option<&str>, language: &str, block: &[&str]) -> Result<What, String> {
    let text = || block.iter().map(|line| format!("{line}\n")).collect();
    let named = |prefix| told.and_then(|told| told.strip_prefix(prefix)).map(str::to_owned);
    if let Some(path) = named("file: ") {
        return Ok(What::File { path, text: text() });
    }
    if let Some(path) = named("more of: ") {
        return Ok(What::More { path, text: text() });
    }
    match (told, language) {
        (Some("there"), "text") => Ok(What::There(block.iter().map(|line| (*line).to_owned()).collect())),
        (Some("runs on"), "console") => match &typed(block)?[..] {
            [only] => Ok(What::RunsOn(only.clone())),
            several => Err(format!("one command runs on, these are {}", several.len())),
        },
        (Some("before"), "console") => Ok(What::Before),
        (None, "console") => Ok(What::Commands { typed: typed(block)?, refused: false }),
        (Some("refused"), "console") => Ok(What::Commands { typed: typed(block)?, refused: true }),
        (told, language) => Err(format!("a block of `{language}` that is {told:?}: what is it for?")),
    }
}

fn typed(block: &[&str]) -> Result<Vec<Typed>, String> {
    let mut typed: Vec<Typed> = Vec::new();
    for line in block {
        if let Some(command) = line.strip_prefix("$ ") {
            typed.push(Typed { command: command.to_owned(), printed: Vec::new() });
        } else {
            let last = typed.last_mut().ok_or("something is printed before a command is typed")?;
            // A command that was not ended by its line.
            if last.command.ends_with('\\') && last.printed.is_empty() {
                last.command += &format!("\n{line}");
            } else {
                last.printed.push((*line).to_owned());
            }
        }
    }
    Ok(typed)
}

const ANYTHING: char = '…';

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<String> {
        text.lines().map(str::to_owned).collect()
    }

    #[test]
    fn each_block_is_a_step() {
        let page = "# A\n\n<!-- file: a/b.txt -->\n```text\none\n\ntwo\n```\n\nThen:\n\n```console\n$ cat a/b.txt \\\n  -n\n…\n$ true\n```\n";
        let command = Typed { command: "cat a/b.txt \\\n  -n".to_owned(), printed: lines("…") };
        let silent = Typed { command: "true".to_owned(), printed: Vec::new() };
        let expected = [
            Step {
                line: 4,
                what: What::File { path: "a/b.txt".to_owned(), text: "one\n\ntwo\n".to_owned() },
            },
            Step { line: 12, what: What::Commands { typed: vec![command, silent], refused: false } },
        ];
        assert_eq!(steps(page).expect("each has a use"), expected);
    }

    #[test]
    fn a_block_without_a_use_is_an_error_with_its_line() {
        assert!(steps("\n```rust\nfn main() {}\n```\n").is_err_and(|why| why.starts_with("line 2: ")));
        assert!(steps("<!-- file: x -->\nwords\n").is_err_and(|why| why.starts_with("line 2: ")));
        assert!(steps("<!-- runs on -->\n```console\n$ a\n$ b\n```\n").is_err());
    }

    #[test]
    fn what_differs_is_left_out_and_nothing_else() {
        for (printed, shown, same) in [
            ("a  12 b", "a … b", true),
            ("a 12 c", "a … b", false),
            ("a 12 b c", "a … b", false),
            ("ab", "a", false),
            ("a\nb\nc", "…\nc", true),
            ("a\nb\nc", "a\n…\nb\nc", true),
            ("a\nb\nc", "a\n…", true),
            ("a\nb\nc", "a\nc", false),
            ("", "…", true),
            ("x", "", false),
        ] {
            assert_eq!(is_shown(&lines(printed), &lines(shown)), same, "{printed:?} as {shown:?}");
        }
    }
}
