//! One picture: lines on logarithmic axes, as SVG.

use std::error::Error;
use std::path::Path;

use plotters::prelude::{
    ChartBuilder, Circle, Color, IntoDrawingArea, IntoLogRange, LineSeries, RGBColor, SVGBackend, Text, WHITE,
};

use crate::compare::Kind;

/// What is drawn.
pub struct Picture {
    /// Above it.
    pub title: &'static str,
    /// From left to right.
    pub x: Axis,
    /// From below.
    pub y: Axis,
    /// In the order of the legend.
    pub lines: Vec<Line>,
}

/// One axis.
pub struct Axis {
    /// Beside it.
    pub title: &'static str,
    /// How a value is written.
    pub text: fn(f64) -> String,
}

/// One system.
pub struct Line {
    /// In the legend.
    pub title: String,
    /// Decides how it is drawn.
    pub kind: Kind,
    /// From left to right.
    pub points: Vec<(f64, f64)>,
}

const SIZE: (u32, u32) = (960, 480);
/// What is right of this is the legend.
const CHART_WIDTH: u32 = 700;
const LEGEND_STEP: i32 = 22;
const TEXT: &str = "sans-serif";
/// Ours, the most visible ones.
const OURS: [RGBColor; 5] = [
    RGBColor(200, 30, 30),
    RGBColor(240, 130, 40),
    RGBColor(150, 20, 90),
    RGBColor(230, 90, 140),
    RGBColor(120, 60, 20),
];
/// The floors, in the background.
const FLOORS: [RGBColor; 3] = [RGBColor(120, 120, 120), RGBColor(60, 60, 60), RGBColor(170, 170, 170)];
const PEERS: [RGBColor; 6] = [
    RGBColor(30, 100, 180),
    RGBColor(90, 170, 220),
    RGBColor(40, 140, 70),
    RGBColor(120, 90, 170),
    RGBColor(140, 110, 40),
    RGBColor(0, 150, 150),
];

impl Picture {
    /// Draws it into a file.
    pub fn draw(&self, path: &Path) -> Result<(), Box<dyn Error>> {
        let root = SVGBackend::new(path, SIZE).into_drawing_area();
        root.fill(&WHITE)?;
        let (left, right) = root.split_horizontally(CHART_WIDTH);
        let (xs, ys) = (self.range(|(x, _)| x), self.range(|(_, y)| y));
        let mut chart = ChartBuilder::on(&left)
            .caption(self.title, (TEXT, 18))
            .margin(12)
            .x_label_area_size(44)
            .y_label_area_size(64)
            .build_cartesian_2d((xs.0..xs.1).log_scale(), (ys.0..ys.1).log_scale())?;
        chart
            .configure_mesh()
            // More would be written over each other.
            .x_labels(6)
            .x_desc(self.x.title)
            .y_desc(self.y.title)
            .x_label_formatter(&|x| (self.x.text)(*x))
            .y_label_formatter(&|y| (self.y.text)(*y))
            .light_line_style(RGBColor(240, 240, 240))
            .bold_line_style(RGBColor(210, 210, 210))
            .draw()?;
        let mut used = [0; 3];
        for (index, line) in self.lines.iter().enumerate() {
            let (color, width) = line.style(&mut used);
            chart.draw_series(LineSeries::new(line.points.iter().copied(), color.stroke_width(width)))?;
            chart.draw_series(
                line.points.iter().map(|point| Circle::new(*point, width + 1, color.filled())),
            )?;
            let y = 40 + LEGEND_STEP * index as i32;
            right.draw(&Circle::new((10, y), 5, color.filled()))?;
            right.draw(&Text::new(line.title.clone(), (22, y - 7), (TEXT, 14)))?;
        }
        root.present()?;
        Ok(())
    }

    /// Returns the least and the greatest of what `read` finds, never the same.
    fn range(&self, read: impl Fn((f64, f64)) -> f64) -> (f64, f64) {
        let values = || self.lines.iter().flat_map(|line| &line.points).map(|point| read(*point));
        let (least, most) = (values().fold(f64::INFINITY, f64::min), values().fold(0.0, f64::max));
        (least * 0.9, most.max(least * 1.01) * 1.1)
    }
}

impl Line {
    /// Returns a colour that no other line of its kind has, and how thick it is.
    fn style(&self, used: &mut [usize; 3]) -> (RGBColor, u32) {
        let (colors, kind, width) = match self.kind {
            Kind::Ours => (&OURS[..], 0, 3),
            Kind::Floor => (&FLOORS[..], 1, 1),
            Kind::Peer => (&PEERS[..], 2, 2),
        };
        used[kind] += 1;
        (colors[(used[kind] - 1) % colors.len()], width)
    }
}
