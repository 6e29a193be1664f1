//! What is drawn, against golden screens. `BLESS=1 cargo test -p bailiwick-cli golden` writes them anew.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use proptest::prelude::*;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::{Buffer, Cell};
use ratatui::style::{Color, Modifier};

use super::super::inside::Silence;
use super::super::key::Key;
use super::super::list::Wish;
use super::super::model::{Input, Model};
use super::super::page::{Kind, Subject, Text};
use super::super::quantile::Buckets;
use super::super::trial;
use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn model(size: [u16; 2]) -> Model {
    let mut model = Model::new(Wish::default(), SECOND);
    model.handle(Input::Rows(size[1]));
    model.handle(Input::Looked(Box::new(trial::look(SECOND))));
    model.handle(Input::Looked(Box::new(trial::look(SECOND * 2))));
    model
}

fn press(model: &mut Model, keys: &str) {
    for key in keys.chars() {
        let key = match key {
            '\n' => Key::Enter,
            '\t' => Key::Tab,
            key => Key::Char(key),
        };
        model.handle(Input::Key(key));
    }
}

fn screen(model: &Model, [columns, rows]: [u16; 2], is_coloured: bool) -> Buffer {
    let mut terminal = Terminal::new(TestBackend::new(columns, rows)).unwrap();
    terminal.draw(|frame| draw(frame, model, Palette { is_coloured })).unwrap();
    terminal.backend().buffer().clone()
}

/// Writes what a screen shows, and below it which parts of which row look in another way than plain.
fn written(buffer: &Buffer) -> String {
    let (mut text, mut styles) = (String::new(), String::new());
    let area = buffer.area;
    for (number, row) in buffer.content.chunks(area.width.into()).enumerate() {
        let line: String = row.iter().map(Cell::symbol).collect();
        let _ = writeln!(text, "{}", line.trim_end());
        let looks = |cell: &Cell| (cell.fg, cell.modifier);
        let mut from = 0;
        for run in row.chunk_by(|one, other| looks(one) == looks(other)) {
            let (color, modifier) = looks(&run[0]);
            if (color, modifier) != (Color::Reset, Modifier::empty()) {
                let end = from + run.len() - 1;
                let color = if color == Color::Reset { String::new() } else { format!(" {color}") };
                let _ = writeln!(styles, "{number}: {from}..{end}{color}{}", named(modifier));
            }
            from += run.len();
        }
    }
    format!("{text}--\n{styles}")
}

fn named(modifier: Modifier) -> String {
    let all = [(Modifier::BOLD, " bold"), (Modifier::DIM, " dim"), (Modifier::REVERSED, " reversed")];
    all.iter().filter(|(one, _)| modifier.contains(*one)).map(|(_, word)| *word).collect()
}

#[track_caller]
fn hold(name: &str, found: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/top/view/golden").join(format!("{name}.txt"));
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, found).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(found == expected, "{name} is now\n{found}\nand was\n{expected}");
}

#[test]
fn the_list_is_golden_on_small_and_large_terminals_with_and_without_colours() {
    for size in [[80, 24], [200, 50]] {
        for is_coloured in [false, true] {
            let mut model = model(size);
            press(&mut model, "jj");
            let name = format!("list-{}x{}{}", size[0], size[1], if is_coloured { "-coloured" } else { "" });
            hold(&name, &written(&screen(&model, size, is_coloured)));
        }
    }
}

#[test]
fn what_lies_over_the_list_and_what_is_asked_is_golden() {
    let size = [80, 24];
    for (name, keys) in [
        ("sort", "sj"),
        ("sorted", "sGkkkk\nI"),
        ("filter", "/back"),
        ("nobody", "/nobody"),
        ("confirm", "jr"),
        ("not-restarted", "jrn"),
        ("folded", "jjj\t"),
        ("help", "?"),
        ("instances", "jj-"),
    ] {
        let mut model = model(size);
        press(&mut model, keys);
        hold(name, &written(&screen(&model, size, false)));
    }
}

#[test]
fn what_the_admin_worker_knows_is_golden_on_small_and_large_terminals() {
    for (name, size, keys) in [
        ("inside-80x24", [80, 24], "j"),
        ("inside-120x24", [120, 24], "j"),
        ("inside-instances", [80, 24], "j-"),
        ("inside-sorted", [80, 24], "sGk\n"),
        ("inside-actors", [80, 24], "ja"),
        ("inside-actors-of-all", [80, 24], "jjja"),
    ] {
        let mut model = model(size);
        model.handle(Input::Inside(Ok(Box::new(trial::inside(SECOND)))));
        let mut inside = trial::inside(SECOND * 3);
        if size[0] > 80 {
            let mut handling = Buckets::default();
            [(0.001, 5.0), (0.01, 100.0)].into_iter().for_each(|(bound, count)| handling.add(bound, count));
            inside.handling.insert(("web".into(), 1), handling);
        }
        model.handle(Input::Inside(Ok(Box::new(inside))));
        press(&mut model, keys);
        hold(name, &written(&screen(&model, size, false)));
    }
    let mut model = model([80, 24]);
    model.handle(Input::Inside(Err(Silence { is_missing: false, why: "it is stopped".into() })));
    press(&mut model, "jja");
    hold("inside-silent", &written(&screen(&model, [80, 24], false)));
}

#[test]
fn a_page_is_golden_and_so_is_a_supervisor_that_is_gone() {
    let size = [80, 24];
    let mut model = model(size);
    model.handle(Input::Lost { at: SECOND * 5, why: "no supervisor answers at /run/x: ENOENT".into() });
    hold("gone", &written(&screen(&model, size, true)));
    press(&mut model, "jl");
    hold("page-empty", &written(&screen(&model, size, false)));
    model.handle(Input::Looked(Box::new(trial::look(SECOND * 6))));
    let lines = (0..100).map(|number| format!("web.1 | line {number} {}", "x".repeat(number))).collect();
    let subject = Subject::new(Kind::Logs, Some(("web".into(), 1)));
    model.handle(Input::Told(subject, Text { lines, goes_on: false }));
    hold("page", &written(&screen(&model, size, true)));
    model.handle(Input::Key(Key::Home));
    model.handle(Input::Key(Key::Right));
    hold("page-aside", &written(&screen(&model, size, false)));
}

#[test]
fn without_colours_there_is_none() {
    for keys in ["", "sj", "?", "/x", "jr", "jl"] {
        let mut model = model([80, 24]);
        press(&mut model, keys);
        let buffer = screen(&model, [80, 24], false);
        let plain = |cell: &Cell| (cell.fg, cell.bg) == (Color::Reset, Color::Reset);
        assert!(buffer.content.iter().all(plain), "{keys}");
    }
}

#[test]
fn the_keys_have_room_on_a_small_terminal() {
    let width = HELP.iter().map(|(key, _)| key.len()).max().unwrap() + 2;
    assert!(HELP.iter().all(|(_, what)| width + what.len() <= 80) && HELP.len() + 2 <= 24);
}

#[test]
fn nothing_that_a_worker_printed_is_obeyed() {
    let mut model = model([80, 24]);
    press(&mut model, "jl");
    let subject = Subject::new(Kind::Logs, Some(("web".into(), 1)));
    let lines = vec!["a\u{1b}[31mb\rc\u{7}\u{9b}2J".into()];
    model.handle(Input::Told(subject, Text { lines, goes_on: false }));
    let buffer = screen(&model, [80, 24], true);
    let is_control = |cell: &Cell| cell.symbol().chars().any(char::is_control);
    assert!(!buffer.content.iter().any(is_control));
}

proptest! {
    #[test]
    fn every_size_can_be_drawn_on(columns in 1_u16..100, rows in 1_u16..40, keys in "[jkGsIlqr/?dya+*\n\t-]{0,6}", knows in any::<bool>()) {
        let mut model = model([columns, rows]);
        if knows {
            model.handle(Input::Inside(Ok(Box::new(trial::inside(SECOND)))));
        }
        press(&mut model, &keys);
        screen(&model, [columns, rows], true);
        // The terminal may have shrunk since the model was told.
        screen(&model, [columns.div_ceil(2), rows.div_ceil(2)], true);
    }
}
