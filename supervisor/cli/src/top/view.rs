//! What is drawn: the list with what belongs to it, a page, or the keys.
//!
//! Everything is told in words and by position; colours only add to that.

mod list;
mod palette;

use std::collections::VecDeque;

use bailiwick_admin::words::short;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line as Written, Span};
use ratatui::widgets::{Block, Clear, Paragraph, Wrap};

use super::Sort;
use super::column::reason;
use super::list::Line;
use super::model::{HEAD_ROWS, Mode, Model, PAGE_ROWS, foot_rows};
use super::page::Page;
use crate::status::{head, title};
pub(super) use palette::Palette;

/// The keys of the list and what they do, the most needed first: as many are shown as there is room for.
const LIST_KEYS: [(&str, &str); 12] = [
    ("?", "help"),
    ("q", "quit"),
    ("/", "filter"),
    ("s", "sort"),
    ("Enter", "detail"),
    ("l", "logs"),
    ("e", "events"),
    ("r", "restart"),
    ("a", "actors"),
    ("d", "diagnostics"),
    ("Tab", "fold"),
    ("+/-", "instances"),
];

const PAGE_KEYS: [(&str, &str); 6] = [
    ("q", "back"),
    ("j/k", "line"),
    ("PgUp/PgDn", "page"),
    ("g/G", "ends"),
    ("left/right", "aside"),
    ("l/e/d/a", "pages"),
];

const HELP: [(&str, &str); 22] = [
    ("j k, arrows", "the next line, the one before"),
    ("g G, Home End", "the first line, the last"),
    ("PgUp PgDn, Space", "a screen back, a screen on"),
    ("left right", "on a page of text: aside"),
    ("Tab", "fold or unfold the group; back to groups from any other order"),
    ("/", "only whose name, state or group holds what is typed; Esc: all"),
    ("s", "choose what to sort by"),
    ("I", "the other way round"),
    ("Enter", "all about the worker that is selected"),
    ("l", "what it printed; everybody, if a group is selected"),
    ("e", "what happened in the whole system"),
    ("d", "diagnostics: what is not as it should be, crashes, denials"),
    ("a", "its actors by type, and the fullest mailboxes"),
    ("+ - *", "unfold or fold the instances of the worker; * of all workers"),
    ("r", "restart the worker that is selected, once it is confirmed"),
    ("Ctrl-L", "draw everything anew"),
    ("Ctrl-Z", "stop this program until the shell continues it"),
    ("q", "back from a page, quit from the list; Ctrl-C quits anywhere"),
    ("CPU", "processor time of the last interval; 100% is one core"),
    ("MEM", "memory that the worker's first process has in place"),
    ("MAILBOX, RATE", "messages that wait, and are begun with each second"),
    ("-", "there is none, or it may not be looked at"),
];

/// Draws everything.
pub(super) fn draw(frame: &mut Frame<'_>, model: &Model, palette: Palette) {
    let area = frame.area();
    match &model.mode {
        Mode::Page(page) => draw_page(frame, area, page, model, palette),
        Mode::Help => draw_help(frame, area, palette),
        Mode::Sort(marked) => {
            draw_list(frame, area, model, palette);
            draw_choice(frame, area, *marked, palette);
        }
        Mode::List | Mode::Filter | Mode::Confirm { .. } => draw_list(frame, area, model, palette),
    }
}

/// Returns so many rows of an area from the one at `from` on, as far as it has them.
fn rows(area: Rect, from: u16, count: u16) -> Rect {
    let from = from.min(area.height);
    Rect { y: area.y + from, height: count.min(area.height - from), ..area }
}

fn draw_list(frame: &mut Frame<'_>, area: Rect, model: &Model, palette: Palette) {
    let (foot, height) = (foot_rows(area.height), area.height);
    let first = match &model.sample {
        Some(sample) => head(&sample.found).trim_end().to_owned(),
        None => "looking ..".to_owned(),
    };
    frame.render_widget(Written::styled(first, palette.title()), rows(area, 0, 1));
    frame.render_widget(standing(model, palette), rows(area, 1, 1));
    let columns = list::Columns::of(model, area.width.into());
    frame.render_widget(columns.names(model.wish.sort, model.wish.is_reversed, palette), rows(area, 2, 1));
    let body = rows(area, HEAD_ROWS, height.saturating_sub(HEAD_ROWS + foot));
    let shown = model.lines.iter().enumerate().skip(model.first).take(body.height.into());
    for (row, (number, line)) in (0..).zip(shown) {
        let written = columns.line(line, model, palette);
        let written =
            if number == model.selected { written.patch_style(palette.selected()) } else { written };
        frame.render_widget(written, rows(body, row, 1));
    }
    if model.lines.is_empty() && model.sample.is_some() {
        let nobody = match model.wish.filter.as_str() {
            "" => "there are no workers".to_owned(),
            filter => format!("nobody's name, state or group holds `{filter}`; Esc shows all"),
        };
        frame.render_widget(Written::raw(nobody), rows(body, 0, 1));
    }
    if foot > 1 {
        let about = Paragraph::new(about(model)).wrap(Wrap { trim: true });
        frame.render_widget(about, rows(area, height - foot, foot - 1));
    }
    frame.render_widget(last(model, area.width, palette), rows(area, height.saturating_sub(1), 1));
}

/// Returns how everybody is and what is shown of it, or that nobody answers.
fn standing(model: &Model, palette: Palette) -> Written<'static> {
    if let Some(gone) = &model.gone {
        let text = format!("NO SUPERVISOR ANSWERS for {}; this is what was seen last", short(gone.time));
        return Written::styled(text, palette.alert());
    }
    let (all, well) = (model.seen.len(), model.seen.iter().filter(|worker| worker.is_well()).count());
    let mut text = format!("{well} of {all} workers are well");
    let sort = match (model.wish.sort, model.wish.is_reversed) {
        (Sort::Manifest, _) => String::new(),
        (sort, _) => format!(", by {}", sort.word()),
    };
    text += &sort;
    if model.wish.is_reversed {
        text += ", reversed";
    }
    if let Some(most) = model.wish.most {
        text += &format!(", the first {most}");
    }
    if !model.wish.filter.is_empty() {
        text += &format!(", with `{}`", model.wish.filter);
    }
    text += &format!(", every {}", short(model.interval));
    Written::styled(text, if all == well { palette.plain() } else { palette.warning() })
}

/// Returns why nobody answers, or all that the line that is selected has no room for.
fn about(model: &Model) -> String {
    if let Some(gone) = &model.gone {
        return gone.why.clone();
    }
    match (model.worker(), model.line()) {
        (Some(worker), _) => {
            let group = match worker.row.group.as_str() {
                "" => String::new(),
                group => format!(" (group {})", bailiwick_supervisor::check::escape(group)),
            };
            format!("{}{group}: {}", title(&worker.row), reason(worker))
        }
        (None, Some(Line::Group { path, well, workers, .. })) => {
            let path = bailiwick_supervisor::check::escape(path);
            format!("group {path}: {well} of {workers} workers are well")
        }
        (None, _) => String::new(),
    }
}

/// Returns the last row: a question, what became of an order, or the keys.
fn last(model: &Model, columns: u16, palette: Palette) -> Written<'static> {
    match (&model.mode, &model.message) {
        (Mode::Confirm { title, .. }, _) => Written::styled(
            format!("restart {title}? y restarts it, any other key does not"),
            palette.question(),
        ),
        (Mode::Filter, _) => Written::styled(
            format!("filter: {}_   Enter keeps it, Esc forgets it", model.wish.filter),
            palette.question(),
        ),
        (_, Some(message)) => Written::styled(message.clone(), palette.question()),
        (_, None) => keys(&LIST_KEYS, columns, palette),
    }
}

/// Returns as many keys as there is room for.
fn keys(all: &[(&'static str, &'static str)], columns: u16, palette: Palette) -> Written<'static> {
    let mut spans = Vec::new();
    let mut used = 0;
    for (key, what) in all {
        let width = key.len() + 1 + what.len();
        if used + width > columns.into() {
            break;
        }
        used += width + 2;
        spans.extend([Span::styled(*key, palette.key()), Span::raw(format!(" {what}  "))]);
    }
    Written::from(spans)
}

fn draw_page(frame: &mut Frame<'_>, area: Rect, page: &Page, model: &Model, palette: Palette) {
    let none = VecDeque::new();
    let lines = page.lines.as_ref().unwrap_or(&none);
    let height = area.height.saturating_sub(PAGE_ROWS);
    let end = (page.first + usize::from(height)).min(lines.len());
    let mut text = match (&page.lines, lines.is_empty()) {
        (None, _) => format!("{}: asking ..", page.title),
        (Some(_), true) => format!("{}: nothing", page.title),
        (Some(_), false) => format!("{}: lines {} to {end} of {}", page.title, page.first + 1, lines.len()),
    };
    if page.shift > 0 {
        text += &format!(", from column {}", page.shift + 1);
    }
    let style = match &model.gone {
        Some(gone) => {
            text = format!("NO SUPERVISOR ANSWERS for {}; {text}", short(gone.time));
            palette.alert()
        }
        None => palette.selected(),
    };
    let width = usize::from(area.width);
    frame.render_widget(Written::styled(format!("{text:<width$}"), style), rows(area, 0, 1));
    let shown = lines.range(page.first.min(lines.len())..end).map(|line| Written::raw(line.as_str()));
    let shift = u16::try_from(page.shift).unwrap_or(u16::MAX);
    let text = Paragraph::new(shown.collect::<Vec<_>>()).scroll((0, shift));
    frame.render_widget(text, rows(area, 1, height));
    let last = match &model.message {
        Some(message) => Written::styled(message.clone(), palette.question()),
        None => keys(&PAGE_KEYS, area.width, palette),
    };
    frame.render_widget(last, rows(area, area.height.saturating_sub(1), 1));
}

fn draw_help(frame: &mut Frame<'_>, area: Rect, palette: Palette) {
    let width = HELP.iter().map(|(key, _)| key.len()).max().unwrap_or_default();
    let line = |(key, what): &(&'static str, &'static str)| {
        Written::from(vec![Span::styled(format!("{key:<width$}  "), palette.key()), Span::raw(*what)])
    };
    let mut lines = vec![Written::styled("The keys; any key leads back", palette.title()), Written::raw("")];
    lines.extend(HELP.iter().map(line));
    frame.render_widget(Paragraph::new(lines), area);
}

/// Draws what can be sorted by, over the list.
fn draw_choice(frame: &mut Frame<'_>, area: Rect, marked: usize, palette: Palette) {
    let count = u16::try_from(Sort::ALL.len()).unwrap_or(u16::MAX);
    let over = Rect { x: 2, y: 2, width: 24, height: count.saturating_add(2) }.intersection(area);
    let line = |(number, sort): (usize, &Sort)| {
        let (sign, style) = if number == marked { (">", palette.selected()) } else { (" ", palette.plain()) };
        Written::styled(format!("{sign} {:<20}", sort.word()), style)
    };
    let lines: Vec<_> = Sort::ALL.iter().enumerate().map(line).collect();
    frame.render_widget(Clear, over);
    frame.render_widget(Paragraph::new(lines).block(Block::bordered().title("sort by, Enter")), over);
}

#[cfg(test)]
mod tests;
