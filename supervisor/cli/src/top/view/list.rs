//! The columns of the list, as wide as what is in them, and its lines.

use ratatui::text::{Line as Written, Span};

use super::super::column::{COLUMNS, INSIDE, Sort, cells};
use super::super::list::Line;
use super::super::model::Model;
use super::palette::Palette;

const NAME: usize = 0;
const STATE: usize = 1;
const P99: usize = 9;
const DETAIL: usize = COLUMNS.len() - 1;

/// The least that columns are wide, so that they stay where they are while numbers and states change.
const LEAST: [usize; COLUMNS.len()] = [8, 9, 6, 8, 8, 6, 5, 7, 6, 7, 6];

/// Columns that make room for those of what the admin worker knows, the first first: pages tell of them as well.
const SPARE: [usize; 2] = [2, 3];

/// The least room that is left for why a worker is as it is, while there is a column to spare.
const DETAIL_LEAST: usize = 16;

/// The widest that names are on a terminal of 80 columns; on a wider one they have a third of it.
const NAME_MAX: usize = 24;

/// The columns by which each depth of groups is moved to the right.
const INDENT: usize = 2;

/// How wide the columns are.
#[derive(Debug)]
pub(super) struct Columns {
    widths: [usize; COLUMNS.len()],
    is_shown: [bool; COLUMNS.len()],
}

impl Columns {
    /// Returns them for all that is in the list, so that they stay where they are while it is moved.
    pub(super) fn of(model: &Model, columns: usize) -> Self {
        let mut widths = LEAST;
        for line in &model.lines {
            let Line::Worker { at, depth } = line else { continue };
            let Some(worker) = model.workers.get(*at) else { continue };
            for (number, cell) in cells(worker).iter().enumerate() {
                let indent = if number == NAME { depth * INDENT } else { 0 };
                widths[number] = widths[number].max(indent + cell.chars().count());
            }
        }
        widths[NAME] = widths[NAME].min(NAME_MAX.max(columns / 3));
        let is_shown = shown(model, &widths, columns);
        // What is told of the one that is selected stands below the list as a whole.
        widths[DETAIL] = columns.saturating_sub(before(&widths, &is_shown));
        Self { widths, is_shown }
    }

    /// Returns the names of the columns; the one that is sorted by is marked.
    pub(super) fn names(&self, sort: Sort, is_reversed: bool, palette: Palette) -> Written<'static> {
        let name =
            |(number, name): (usize, &&str)| {
                let style = match sort.column() {
                    Some(sorted) if sorted == number => palette.sorted(),
                    _ => palette.names(),
                };
                let sign =
                    match sort.column() {
                        Some(sorted) if sorted == number && self.widths[number] > name.len() => {
                            if is_reversed { "^" } else { "v" }
                        }
                        _ => "",
                    };
                Span::styled(self.padded(number, &format!("{name}{sign}")), style)
            };
        let shown = COLUMNS.iter().enumerate().filter(|(number, _)| self.is_shown[*number]);
        Written::from(shown.map(name).collect::<Vec<_>>())
    }

    /// Returns a line of the list.
    pub(super) fn line(&self, line: &Line, model: &Model, palette: Palette) -> Written<'static> {
        match line {
            Line::Group { path, depth, is_folded, well, workers } => {
                let sign = if *is_folded { "[+]" } else { "[-]" };
                let name = path.rsplit('/').next().unwrap_or(path);
                let name = bailiwick_supervisor::check::escape(name);
                let text = format!("{}{sign} {name}: {well} of {workers} well", " ".repeat(depth * INDENT));
                let width = before(&self.widths, &self.is_shown) + self.widths[DETAIL] + 1;
                Written::styled(format!("{text:<width$}"), palette.group())
            }
            Line::Worker { at, depth } => {
                let Some(worker) = model.workers.get(*at) else { return Written::default() };
                let mut cells = cells(worker);
                cells[NAME] = format!("{}{}", " ".repeat(depth * INDENT), cells[NAME]);
                let span = |(number, cell): (usize, &String)| {
                    let style = match number {
                        STATE => palette.state(worker.row.state),
                        _ => palette.plain(),
                    };
                    Span::styled(self.padded(number, cell), style)
                };
                let shown = cells.iter().enumerate().filter(|(number, _)| self.is_shown[*number]);
                Written::from(shown.map(span).collect::<Vec<_>>())
            }
        }
    }

    /// Returns a cell as wide as its column and the gap behind it; what is cut ends with a sign that it is.
    fn padded(&self, number: usize, cell: &str) -> String {
        let width = self.widths[number];
        let mut cell = cell.to_owned();
        if cell.chars().count() > width {
            cell =
                cell.chars().take(width.saturating_sub(1)).chain(std::iter::once('~').take(width)).collect();
        }
        match number {
            NAME | STATE | DETAIL => format!("{cell:<width$} "),
            // Numbers end in the same place.
            _ => format!("{cell:>width$} "),
        }
    }
}

/// Returns which columns there are: those of what the admin worker knows where there is one, and in their place on a narrow
/// terminal fewer of the others.
fn shown(model: &Model, widths: &[usize; COLUMNS.len()], columns: usize) -> [bool; COLUMNS.len()] {
    let mut is_shown = [true; COLUMNS.len()];
    if !model.shows_inside() {
        INSIDE.iter().for_each(|column| is_shown[*column] = false);
        return is_shown;
    }
    is_shown[P99] =
        model.seen.iter().any(|worker| worker.inside.is_some_and(|inside| inside.p99_s.is_some()));
    for column in SPARE {
        if before(widths, &is_shown) + DETAIL_LEAST > columns && model.wish.sort.column() != Some(column) {
            is_shown[column] = false;
        }
    }
    is_shown
}

/// Returns how much room the columns have before the last, with the gaps between them.
fn before(widths: &[usize; COLUMNS.len()], is_shown: &[bool; COLUMNS.len()]) -> usize {
    (0..DETAIL).filter(|column| is_shown[*column]).map(|column| widths[column] + 1).sum()
}
