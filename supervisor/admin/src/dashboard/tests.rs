//! Pages of sample data: what stands in them, and what does not get out of its place.

use std::sync::Arc;
use std::time::{Duration, Instant};

use askama::Template;
use bailiwick::control::{Event, EventKind, Target};
use bailiwick_wire::crash::{Decision, Report};
use bailiwick_wire::last_words::{LastWords, Panic};

use super::actors::Actors;
use super::asked::Confirm;
use super::configuration::Configuration;
use super::crashes::{Crashes, crash};
use super::events::Events;
use super::frame::{self, Notice, rendered};
use super::links::Links;
use super::look::Look;
use super::overview::{Overview, line};
use super::picture::Picture;
use super::tree::Tree;
use super::worker::{Output, Worker};
use crate::orders::Order;
use crate::rates::Rates;
use crate::sample::{said, sample};
use crate::session::{Sessions, Viewer};

/// What somebody would name a worker who wants to be more than a name.
const HOSTILE: &str = "<script>alert(\"1\")</script>'&<img src=x onerror=alert(2)>";

fn look() -> Look {
    Look { status: sample(), said: said(), unheard: None }
}

/// The same system, with every text that comes from somewhere as bad as it can be.
fn hostile() -> Look {
    let mut look = look();
    look.status.supervisor.name = HOSTILE.to_owned();
    look.status.manifest = Some(HOSTILE.to_owned());
    for row in &mut look.status.workers {
        for text in [&mut row.name, &mut row.group, &mut row.because_of, &mut row.failed_step] {
            *text = HOSTILE.to_owned();
        }
    }
    for one in &mut look.said {
        one.worker = HOSTILE.to_owned();
        match &mut one.answer {
            Err(why) => *why = HOSTILE.to_owned(),
            Ok(found) => {
                found.types.iter_mut().for_each(|one| one.type_name = HOSTILE.to_owned());
                found.links.iter_mut().for_each(|one| one.peer = HOSTILE.to_owned());
                for actor in &mut found.actors {
                    (actor.path, actor.type_name) = (HOSTILE.to_owned(), HOSTILE.to_owned());
                }
                found.dead_letters = vec![(HOSTILE.to_owned(), 3)];
            }
        }
    }
    look
}

fn report(text: &str) -> Report {
    let panic = Panic {
        message: text.to_owned(),
        location: text.to_owned(),
        thread: text.to_owned(),
        actor: text.to_owned(),
        at_ns: 1,
        count: 1,
    };
    Report {
        last_words: LastWords { panic: Some(panic), ..LastWords::default() },
        last_lines: vec![text.to_owned(), "x".repeat(5000)],
        decision: Decision { detail: text.to_owned(), ..Decision::default() },
        last_state: text.to_owned(),
        steps: vec![text.to_owned()],
        ..Report::of(text, 1, 3)
    }
}

fn stranger() -> Viewer {
    Viewer { session: None, orders: Vec::new(), can_sign_in: false, sees_output: true }
}

fn operator() -> Viewer {
    let (mut sessions, now) = (Sessions::default(), Instant::now());
    let name = sessions.begin(now).expect("there are random numbers");
    let session = sessions.find(now, &name).cloned();
    Viewer { session, orders: vec![Order::Stop, Order::Restart], can_sign_in: true, sees_output: true }
}

fn worker(look: &Look, viewer: &Viewer, text: &str) -> String {
    let target = Target::Worker(look.status.workers[1].name.clone());
    let lines = vec![text.to_owned()];
    let output = Output { lines, crashes: vec![crash(&report(text))], trouble: Some(text.to_owned()) };
    let output = viewer.sees_output.then_some(output);
    rendered(&Worker::of(look, &target, &Rates::default(), viewer, output))
}

/// Every page, with `text` for what workers print.
fn pages(look: &Look, viewer: &Viewer, text: &str) -> Vec<(&'static str, String)> {
    let event = Event { detail: text.to_owned(), worker: text.to_owned(), ..Event::of(EventKind::Alert) };
    let mut turned = Event { ..Event::of(EventKind::State) };
    (turned.worker, turned.detail) = (text.to_owned(), text.to_owned());
    let rows = look.status.workers.iter().map(|row| line(look, row)).collect();
    let confirm = Confirm { order: Order::Stop, name: text, csrf: "0", rows };
    vec![
        ("overview", rendered(&Overview::of(look))),
        ("tree", rendered(&Tree::of(look))),
        ("worker", worker(look, viewer, text)),
        ("actors", rendered(&Actors::of(look))),
        ("links", rendered(&Links::of(look, &Rates::default()))),
        ("grants", rendered(&Picture::of(look))),
        ("crashes", rendered(&Crashes::of(vec![report(text)]))),
        ("events", rendered(&Events::of(&[Arc::new(event), Arc::new(turned)]))),
        ("configuration", rendered(&Configuration::of(look, viewer))),
        ("confirm", rendered(&confirm)),
        ("notice", rendered(&Notice { title: text, text, back: ("/", text) })),
    ]
}

#[test]
fn no_text_is_more_than_text() {
    for (page, text) in pages(&hostile(), &operator(), HOSTILE) {
        for sign in ["<script", "<img", "onerror=alert(2)>", "\"1\"", "'&<"] {
            assert!(!text.contains(sign), "{page}: {sign}\n{text}");
        }
        // It is there, as what it is.
        assert!(text.contains("alert(") || text.contains("alert%28"), "{page}\n{text}");
    }
}

#[test]
fn names_in_addresses_are_one_part_of_a_path() {
    let mut look = look();
    look.status.workers[1].name = "../a?b#c/d".to_owned();
    for (page, text) in pages(&look, &operator(), "../a?b#c/d") {
        for (at, _) in text.match_indices("href=\"/workers/") {
            let address = text[at + 15..].split('"').next().unwrap_or_default();
            assert!(!address.contains(['?', '#', ' ', '<']), "{page}: {address}");
            assert!(!address.contains("../"), "{page}: {address}");
        }
    }
}

#[test]
fn nothing_needs_more_than_the_policy_allows() {
    for (page, text) in pages(&look(), &operator(), "hello") {
        for sign in [" style=", "<style", " onclick", "javascript:", "http://", "https://"] {
            let found = text.replace("http://www.w3.org/2000/svg", "");
            assert!(!found.contains(sign), "{page}: {sign}");
        }
    }
}

#[test]
fn every_table_has_a_caption_and_its_headers_a_scope() {
    for (page, text) in pages(&look(), &operator(), "hello") {
        assert_eq!(text.matches("<table").count(), text.matches("<caption").count(), "{page}");
        assert_eq!(text.matches("<th ").count(), text.matches("<th scope=").count(), "{page}");
        assert!(!text.contains("<th>"), "{page}");
        assert_eq!(text.matches("<h1>").count(), 1, "{page}");
        for part in ["section", "table", "div", "dl", "ul", "tbody", "p"] {
            let opened =
                text.matches(&format!("<{part}>")).count() + text.matches(&format!("<{part} ")).count();
            assert_eq!(opened, text.matches(&format!("</{part}>")).count(), "{page}: {part}\n{text}");
        }
    }
}

#[test]
fn the_overview_says_what_status_says() {
    let text = rendered(&Overview::of(&look()));
    for part in [
        "Supervisor 100, up 1 h 1 min. 3 workers: 1 done, 1 ready, 1 backoff.",
        "<a href=\"/workers/web.1\">web.1</a>",
        "<span class=\"state good\">ready</span>",
        "<span class=\"state wait\">backoff</span>",
        "<td>next start in 3.2 s: exit code 1, 4/5 restarts in 30 s</td>",
        "<td class=\"wide number\">7</td>",
        "<td class=\"wide\">12 MiB of 256 MiB (cgroup1)</td>",
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }
    let mut troubled = look();
    troubled.status.supervisor.degraded = true;
    assert!(rendered(&Overview::of(&troubled)).contains("Degraded: a floor"));
}

#[test]
fn the_tree_nests_groups() {
    let mut look = look();
    look.status.workers[0].group = "back/store".into();
    let text = rendered(&Tree::of(&look));
    let (outer, inner) = (text.find("<strong>back</strong>"), text.find("<strong>store</strong>"));
    assert!(outer.is_some() && outer < inner && inner < text.find("/workers/binder"), "{text}");
    assert!(text.find("/workers/web.1") < outer, "{text}");
    look.status.workers[0].group = "a/".repeat(1000);
    assert!(rendered(&Tree::of(&look)).len() < 20_000, "groups nest so deep and no deeper");
}

#[test]
fn actors_come_by_what_waits_and_full_mailboxes_say_so() {
    let text = rendered(&Actors::of(&look()));
    assert!(text.find("front") < text.find("idle"), "{text}");
    assert!(text.contains("<span class=\"state bad\">full</span>"), "{text}");
    assert!(text.contains("2 of 2 are shown"), "{text}");
    assert!(text.contains("<td>mailbox_full</td><td class=\"number\">3</td>"), "{text}");
}

#[test]
fn links_have_a_rate_after_the_second_look() {
    let (mut rates, start) = (Rates::default(), Instant::now());
    let mut look = look();
    rates.note(start, &look.said);
    let first = rendered(&Links::of(&look, &rates));
    assert!(first.contains("100 in all") && first.contains("after a second look"), "{first}");
    let said = look.said[0].answer.as_mut().expect("it answered");
    said.links[0].frames = [180, 40];
    rates.note(start + Duration::from_secs(4), &look.said);
    let text = rendered(&Links::of(&look, &rates));
    assert!(text.contains("a mean over the last 4.0 s"), "{text}");
    assert!(text.contains("<td class=\"number busy\">20/s</td>"), "from web.1 to binder\n{text}");
    assert!(
        text.contains("<td class=\"number busy\">0/s</td>"),
        "from binder to web.1, as web.1 says\n{text}"
    );
    assert!(!text.contains("admin"), "{text}");
    assert!(text.contains("<strong>web.2</strong>: it computes"), "{text}");
}

#[test]
fn the_picture_shows_each_two_that_are_linked_once() {
    let mut look = look();
    look.status.workers[0].capabilities = 1 << 10;
    let text = rendered(&Picture::of(&look));
    assert_eq!(text.matches("<path").count(), 1, "{text}");
    assert!(text.contains("class=\"arc privilege\""), "{text}");
    assert!(text.contains("linked, between privilege and none"), "{text}");
    assert!(text.contains("web ×2") && text.contains("done, holds privilege"), "{text}");
}

#[test]
fn what_workers_printed_is_shown_to_those_who_may_see_it() {
    let seen = worker(&look(), &stranger(), "a line");
    assert!(seen.contains("a line\n") && !seen.contains("class=\"button\""), "{seen}");
    let hidden = worker(&look(), &Viewer { sees_output: false, can_sign_in: true, ..stranger() }, "a line");
    assert!(!hidden.contains("a line") && hidden.contains("/sign-in"), "{hidden}");
    let operated = worker(&look(), &operator(), "a line");
    assert!(
        operated.contains("href=\"/workers/web/restart\"") && !operated.contains("/web/start"),
        "{operated}"
    );
}

#[test]
fn long_lines_are_cut() {
    let text = rendered(&Crashes::of(vec![report("short")]));
    assert!(text.contains(&format!("{}…", "x".repeat(500))) && !text.contains(&"x".repeat(501)));
}

#[tokio::test]
async fn a_still_page_has_no_script_and_the_forms_of_who_has_signed_in() {
    let viewer = operator();
    let said = Notice { title: "T", text: "x", back: ("/", "b") };
    let answer = frame::notice(axum::http::StatusCode::CONFLICT, &viewer, &said);
    let body = axum::body::to_bytes(answer.into_body(), 1 << 20).await.expect("it is in memory");
    let text = String::from_utf8_lossy(&body).into_owned();
    assert!(!text.contains("<script"), "{text}");
    let csrf = &viewer.session.as_ref().expect("it is open").csrf;
    assert!(text.contains(&format!("name=\"csrf\" value=\"{csrf}\"")), "{text}");
    for part in ["<main id=\"main\"", "<nav aria-label", "<html lang=\"en\">", "class=\"skip\""] {
        assert!(text.contains(part), "{part}\n{text}");
    }
    assert!(said.render().is_ok());
}
