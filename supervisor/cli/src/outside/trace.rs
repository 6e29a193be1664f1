//! `trace`: the messages that actors handle, as the admin worker is told of them by the runtimes of their workers.

mod lines;

use std::time::Duration;

use bailiwick_supervisor::check::escape;
use bailiwick_supervisor::control::Client;
use serde::Serialize;

use super::words::plain;
use super::{BESIDES, document, read, succeeded};
use crate::admin::{Admin, Followed};
use crate::arguments::Trace;
use crate::exit::{Exit, Failure};
use crate::json::{self, SCHEMA_VERSION};
use crate::place;
use crate::screen::Screen;
use lines::{Event, Table};

/// What is sent.
#[derive(Serialize)]
struct Question<'a> {
    target: &'a str,
    count: u32,
    time_s: f64,
}

/// The last document where somebody interrupted this, as the admin worker would have written it.
#[derive(Serialize)]
struct Interrupted {
    schema_version: u32,
    event: &'static str,
    time: String,
    why: &'static str,
    told: u64,
    lost: u64,
}

/// What came so far.
#[derive(Default)]
struct Sums {
    told: u64,
    lost: u64,
    /// Why it ended, as its last line says.
    why: Option<String>,
}

pub(crate) fn trace(asked: &Trace, screen: &Screen) -> Result<Exit, Failure> {
    let found = Client::connect(&place::find(&asked.place)?)?.status()?;
    let admin = Admin::of(&found)?.waiting(asked.time + BESIDES * 2);
    let numbered = found.workers.iter().filter(|row| row.numbered).map(|row| row.name.clone());
    let mut table = Table::new(numbered.collect(), screen.stdout_colour());
    let mut sums = Sums::default();
    let question = Question { target: &asked.target, count: asked.count, time_s: asked.time.as_secs_f64() };
    let body = serde_json::to_string(&question).expect("text and numbers always serialise");
    let mut take = |line: &str| {
        let event: Event = serde_json::from_str(line).unwrap_or(Event::Unknown);
        sums.note(&event);
        match asked.json {
            true => screen.print(&(plain(line) + "\n")),
            false => show(&event, &mut table, screen),
        }
        !screen.is_left_alone()
    };
    let title = format!("trace {}", asked.target);
    match admin.follow("/api/v1/trace", &body, &mut take)? {
        Followed::Refused(answer) if asked.json => {
            read("trace", &answer)?;
            Ok(document(screen, &answer))
        }
        Followed::Refused(answer) => {
            let came = read("trace", &answer)?;
            succeeded(&title, &answer, &came).map(|()| Exit::Done)
        }
        Followed::Interrupted => {
            match asked.json {
                true => screen.print(&sums.interrupted()),
                false => screen.say(&sums.last("interrupted")),
            }
            Ok(Exit::Done)
        }
        Followed::Ended => ended(&title, asked, &sums, screen),
    }
}

/// Shows a line to a person: messages as data, the rest beside it.
fn show(event: &Event, table: &mut Table, screen: &Screen) {
    match event {
        Event::Begun(begun) => screen.say(&table.begun(begun)),
        Event::Message(message) => screen.print(&table.line(message)),
        Event::Broken { instance, why } => screen.say(&table.broken(instance, why)),
        Event::Over { .. } | Event::Unknown => {}
    }
}

/// Says why it ended.
fn ended(title: &str, asked: &Trace, sums: &Sums, screen: &Screen) -> Result<Exit, Failure> {
    let failed =
        |why: &str| Failure::Outside { title: escape(title), why: why.to_owned(), exit: Exit::Failed };
    let words = match sums.why.as_deref() {
        Some("messages") => format!("{} messages", asked.count),
        Some("time") => span(asked.time),
        Some("gone") => return Err(failed("the workers that were traced have ended, or their links have")),
        Some(other) => escape(other),
        None if screen.is_left_alone() => return Ok(Exit::Done),
        None => return Err(failed("the admin worker broke off")),
    };
    if !asked.json {
        screen.say(&sums.last(&words));
    }
    Ok(Exit::Done)
}

impl Sums {
    fn note(&mut self, event: &Event) {
        match event {
            Event::Message(message) => {
                self.told += 1;
                self.lost = self.lost.saturating_add(message.lost);
            }
            Event::Over { why, lost } => {
                self.why = Some(why.clone());
                self.lost = *lost;
            }
            Event::Begun(_) | Event::Broken { .. } | Event::Unknown => {}
        }
    }

    /// Returns the last line: why it ended, and what came.
    fn last(&self, why: &str) -> String {
        let messages = if self.told == 1 { "message" } else { "messages" };
        let lost = match self.lost {
            0 => String::new(),
            lost => format!(", {lost} more not shown: they came faster than they were read"),
        };
        format!("over: {why}; {} {messages} shown{lost}\n", self.told)
    }

    fn interrupted(&self) -> String {
        let (schema_version, time) = (SCHEMA_VERSION, json::time(json::now()));
        let Self { told, lost, .. } = *self;
        json::line(&Interrupted { schema_version, event: "over", time, why: "interrupted", told, lost })
    }
}

/// Writes a span as it is typed.
fn span(time: Duration) -> String {
    match time.subsec_nanos() {
        0 => format!("{} s", time.as_secs()),
        _ => format!("{} ms", time.as_millis()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_says_why_it_ended_and_what_is_missing() {
        let mut sums = Sums { told: 100, lost: 0, why: None };
        assert_eq!(sums.last("100 messages"), "over: 100 messages; 100 messages shown\n");
        (sums.told, sums.lost) = (1, 7);
        let expected = "over: 5 s; 1 message shown, 7 more not shown: they came faster than they were read\n";
        assert_eq!(sums.last(&span(Duration::from_secs(5))), expected);
        assert_eq!(span(Duration::from_millis(250)), "250 ms");
        let document: serde_json::Value = serde_json::from_str(&sums.interrupted()).expect("it is one");
        assert_eq!((&document["why"], &document["told"]), (&"interrupted".into(), &1.into()));
        assert_eq!(document["event"], "over");
    }
}
