//! The pictures that are shown to somebody who has none: each one a formula from a place to a colour.

use std::f32::consts::{PI, TAU};
use std::io::{self, Cursor};

use image::{ImageError, ImageFormat, ImageResult, Rgb, RgbImage};

/// A colour in linear parts, 0 to 1.
type Colour = [f32; 3];

struct Scene {
    name: &'static str,
    width: u32,
    height: u32,
    /// Takes x from -aspect to aspect and y from -1 (top) to 1.
    colour: fn(f32, f32) -> Colour,
}

const SCENES: &[Scene] = &[
    Scene { name: "aurora.jpg", width: 960, height: 600, colour: aurora },
    Scene { name: "contours.png", width: 720, height: 720, colour: contours },
    Scene { name: "dunes.jpg", width: 960, height: 600, colour: dunes },
    Scene { name: "eclipse.jpg", width: 800, height: 600, colour: eclipse },
    Scene { name: "julia.png", width: 720, height: 480, colour: julia },
    Scene { name: "lissajous.png", width: 640, height: 640, colour: lissajous },
    Scene { name: "mandelbrot.jpg", width: 720, height: 480, colour: mandelbrot },
    Scene { name: "marble.webp", width: 600, height: 800, colour: marble },
    Scene { name: "ripples.jpg", width: 900, height: 600, colour: ripples },
    Scene { name: "sunflower.png", width: 640, height: 640, colour: sunflower },
    Scene { name: "tiles.gif", width: 640, height: 480, colour: tiles },
    Scene { name: "waves.webp", width: 960, height: 540, colour: waves },
];

/// Returns the names of the pictures.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    SCENES.iter().map(|scene| scene.name)
}

/// Draws the picture `name` and returns it as a file's content. The same picture comes of it each time.
///
/// # Errors
/// If there is no picture of that name; the encoders do not fail.
pub(crate) fn draw(name: &str) -> ImageResult<Vec<u8>> {
    let missing = || ImageError::IoError(io::ErrorKind::NotFound.into());
    let scene = SCENES.iter().find(|scene| scene.name == name).ok_or_else(missing)?;
    let mut bytes = Cursor::new(Vec::new());
    scene.paint().write_to(&mut bytes, ImageFormat::from_path(name)?)?;
    Ok(bytes.into_inner())
}

impl Scene {
    fn paint(&self) -> RgbImage {
        let half = self.height as f32 / 2.0;
        RgbImage::from_fn(self.width, self.height, |column, row| {
            let x = (column as f32 + 0.5 - self.width as f32 / 2.0) / half;
            let y = (row as f32 + 0.5) / half - 1.0;
            // A square root is close enough to the curve of a screen.
            Rgb((self.colour)(x, y).map(|part| (part.clamp(0.0, 1.0).sqrt() * 255.0) as u8))
        })
    }
}

fn aurora(x: f32, y: f32) -> Colour {
    let night = mix([0.0, 0.01, 0.05], [0.01, 0.06, 0.12], (y + 1.0) / 2.0);
    let mut light = night;
    for (curtain, tint) in [[0.05, 0.75, 0.35], [0.1, 0.4, 0.7], [0.5, 0.1, 0.6]].into_iter().enumerate() {
        let shift = curtain as f32;
        let foot = 0.25 + 0.25 * (x * 1.3 + shift * 1.9).sin() + 0.12 * (x * 3.1 - shift).sin() - shift * 0.2;
        let folds = 0.6 + 0.4 * (x * 17.0 + 4.0 * (x * 2.0 + shift).sin()).sin();
        let height = foot - y;
        if height > 0.0 {
            light = add(light, tint, (-height * 2.2).exp() * (1.0 - (-height * 30.0).exp()) * folds);
        }
    }
    let ridge = 0.72 + 0.1 * noise(x * 3.0, 7.0);
    if y > ridge { [0.0, 0.004, 0.012] } else { add(light, [1.0; 3], star(x, y)) }
}

fn contours(x: f32, y: f32) -> Colour {
    let height = clouds(x * 1.6 + 3.0, y * 1.6);
    let land = mix([0.05, 0.22, 0.25], [0.95, 0.75, 0.45], smooth(0.25, 0.75, height));
    let line = (height * 22.0).fract();
    let distance = line.min(1.0 - line);
    mix([0.02, 0.05, 0.08], land, smooth(0.02, 0.12, distance))
}

fn dunes(x: f32, y: f32) -> Colour {
    let mut colour = mix([0.16, 0.1, 0.34], [1.0, 0.55, 0.22], smooth(-1.0, 0.25, y));
    let sun = ((x - 0.5).powi(2) + (y + 0.12).powi(2)).sqrt();
    colour = add(colour, [1.0, 0.75, 0.4], 1.0 - smooth(0.15, 0.165, sun) + 0.25 * (-sun * 3.0).exp());
    for layer in 0..5 {
        let depth = layer as f32;
        let crest = 0.08 + depth * 0.2 + 0.16 * noise(x * (0.7 + depth * 0.35) + depth * 9.0, depth) - 0.1;
        if y > crest {
            let near = mix([0.75, 0.3, 0.2], [0.1, 0.03, 0.06], depth / 4.0);
            colour = mix(near, mix(near, [0.0; 3], 0.5), smooth(0.0, 0.5, y - crest));
        }
    }
    colour
}

fn eclipse(x: f32, y: f32) -> Colour {
    let distance = (x * x + y * y).sqrt();
    let angle = y.atan2(x);
    let rays = 0.6 + 0.4 * noise(angle.cos() * 4.0 + 5.0, angle.sin() * 4.0 + 5.0);
    let corona = (-(distance - 0.45).max(0.0) * 4.5 * rays).exp();
    let dark = smooth(0.44, 0.455, distance);
    let bead = (-((x - 0.32).powi(2) + (y + 0.32).powi(2)).sqrt() * 16.0).exp() * 2.0;
    let sky = add([0.004, 0.006, 0.02], [1.0; 3], star(x, y) * dark);
    add(add(sky, [1.0, 0.78, 0.5], corona * dark * 0.85), [1.0, 0.95, 0.85], bead)
}

fn julia(x: f32, y: f32) -> Colour {
    let steps = escape([x * 1.1, y * 1.1], [-0.7269, 0.1889], 160);
    palette(steps * 0.035 + 0.55, smooth(0.0, 12.0, steps))
}

fn lissajous(x: f32, y: f32) -> Colour {
    // How far the nearest place of the curve is, from the height and the slope of a function that is 0 on it.
    let (u, v, step) = (x / 0.82, y / 0.82, 0.001);
    let height = off_curve(u, v);
    let slope = (off_curve(u + step, v) - height).hypot(off_curve(u, v + step) - height) / step;
    let away = height / slope.max(0.4);
    let light = 0.0004 / (away * away + 0.0004);
    add([0.004, 0.008, 0.02], palette_hue(0.45 + 0.3 * x + 0.12 * y), light)
}

/// Is 0 where u = cos(3t + a) and v = cos(4t) for some t: both have a polynomial that turns 12 times.
fn off_curve(u: f32, v: f32) -> f32 {
    let (fourth, third) = (8.0 * u.powi(4) - 8.0 * u * u + 1.0, 4.0 * v.powi(3) - 3.0 * v);
    let (sin, cos) = (0.866, 0.5);
    fourth * fourth + third * third - 2.0 * fourth * third * cos - sin * sin
}

fn mandelbrot(x: f32, y: f32) -> Colour {
    // The valley of the seahorses.
    let steps = escape([0.0, 0.0], [x * 0.011 - 0.7493, y * 0.011 + 0.1102], 200);
    palette(steps * 0.018 + 0.1, smooth(10.0, 60.0, steps))
}

fn marble(x: f32, y: f32) -> Colour {
    let vein = (x * 2.0 + y * 3.0 + 7.0 * clouds(x * 1.1 + 8.0, y * 1.1 + 2.0)).sin().abs();
    let stone = mix([0.02, 0.12, 0.1], [0.16, 0.42, 0.34], clouds(x * 3.0, y * 3.0));
    mix([0.92, 0.85, 0.62], stone, smooth(0.0, 0.22, vein))
}

fn ripples(x: f32, y: f32) -> Colour {
    let springs = [(-0.9, -0.4), (0.8, -0.5), (0.1, 0.6)];
    let wave: f32 = springs.iter().map(|(a, b)| ((x - a).hypot(y - b) * 38.0).cos()).sum();
    mix([0.0, 0.05, 0.16], [0.55, 0.9, 0.95], smooth(-2.4, 3.0, wave).powi(2))
}

fn sunflower(x: f32, y: f32) -> Colour {
    let distance = x.hypot(y);
    let mut colour = mix([0.03, 0.1, 0.05], [0.005, 0.02, 0.015], distance / 1.4);
    // Seed n lies at the n-th golden angle, at the square root of n: only few can be near a place.
    let about = (distance / 0.042).powi(2);
    let reach = 6.0 + 60.0 * distance;
    let (first, last) = ((about - reach).max(0.0) as u32, (about + reach).min(480.0) as u32);
    let golden = PI * (3.0 - 5f32.sqrt());
    let (turn_y, turn_x) = golden.sin_cos();
    let (mut v, mut u) = (first as f32 * golden).sin_cos();
    for seed in first..last {
        let radius = 0.042 * (seed as f32).sqrt();
        let away = (x - radius * u).hypot(y - radius * v);
        let size = 0.018 + 0.02 * radius;
        if away < size {
            let tint = mix([0.32, 0.09, 0.02], [1.0, 0.62, 0.05], radius / 0.85);
            colour = mix(tint, colour, smooth(size * 0.8, size, away));
        }
        (u, v) = (u * turn_x - v * turn_y, u * turn_y + v * turn_x);
    }
    colour
}

fn tiles(x: f32, y: f32) -> Colour {
    let (column, row) = ((x * 5.0).floor(), (y * 5.0).floor());
    let (u, v) = (x * 5.0 - column, y * 5.0 - row);
    let u = if chance(column, row) < 0.5 { u } else { 1.0 - u };
    let arc = (u.hypot(v) - 0.5).abs().min(((1.0 - u).hypot(1.0 - v) - 0.5).abs());
    if arc < 0.1 {
        [0.95, 0.82, 0.55]
    } else if arc < 0.16 {
        [0.02, 0.05, 0.09]
    } else {
        [0.06, 0.2, 0.28]
    }
}

fn waves(x: f32, y: f32) -> Colour {
    let mut colour = mix([0.98, 0.85, 0.68], [0.93, 0.6, 0.5], (y + 1.0) / 2.0);
    for band in 0..7 {
        let depth = band as f32;
        let crest = -0.55 + depth * 0.24 + 0.09 * (x * (2.0 + depth * 0.4) + depth * 2.3).sin();
        let tone = mix([0.4, 0.68, 0.72], [0.01, 0.07, 0.2], depth / 6.0);
        colour = mix(colour, tone, smooth(0.0, 0.006, y - crest));
        colour = add(colour, [0.3; 3], 1.0 - smooth(0.0, 0.02, (y - crest - 0.015).abs()));
    }
    colour
}

/// Returns how many steps z² + c takes to leave, with a fraction, or 0 if it stays.
fn escape(start: [f32; 2], c: [f32; 2], most: u32) -> f32 {
    let [mut a, mut b] = start;
    for step in 0..most {
        let (aa, bb) = (a * a, b * b);
        if aa + bb > 64.0 {
            return (step as f32 + 1.0 - ((aa + bb).ln() / 2.0).log2()).max(0.0);
        }
        (a, b) = (aa - bb + c[0], 2.0 * a * b + c[1]);
    }
    0.0
}

fn palette(turn: f32, strength: f32) -> Colour {
    palette_hue(turn).map(|part| part * part * strength)
}

fn palette_hue(turn: f32) -> Colour {
    [0.0, 0.12, 0.28].map(|shift| 0.5 + 0.5 * (TAU * (turn + shift)).cos())
}

fn mix(from: Colour, to: Colour, share: f32) -> Colour {
    let share = share.clamp(0.0, 1.0);
    [0, 1, 2].map(|part| from[part] + (to[part] - from[part]) * share)
}

fn add(colour: Colour, light: Colour, strength: f32) -> Colour {
    [0, 1, 2].map(|part| colour[part] + light[part] * strength)
}

fn smooth(from: f32, to: f32, at: f32) -> f32 {
    let t = ((at - from) / (to - from)).clamp(0.0, 1.0);
    t * t * (3.0 - 2.0 * t)
}

/// Returns a number from 0 to 1 that depends on the cell without a pattern.
fn chance(column: f32, row: f32) -> f32 {
    let mixed =
        (column as i32).wrapping_mul(374_761_393).wrapping_add((row as i32).wrapping_mul(668_265_263));
    let mixed = (mixed ^ (mixed >> 13)).wrapping_mul(1_274_126_177);
    ((mixed ^ (mixed >> 16)) & 0xffff) as f32 / 65_535.0
}

fn noise(x: f32, y: f32) -> f32 {
    let (column, row) = (x.floor(), y.floor());
    let (u, v) = (smooth(0.0, 1.0, x - column), smooth(0.0, 1.0, y - row));
    let top = chance(column, row) * (1.0 - u) + chance(column + 1.0, row) * u;
    let bottom = chance(column, row + 1.0) * (1.0 - u) + chance(column + 1.0, row + 1.0) * u;
    top * (1.0 - v) + bottom * v
}

fn clouds(x: f32, y: f32) -> f32 {
    let octaves = [(1.0, 0.5), (2.0, 0.25), (4.0, 0.125), (8.0, 0.0625)];
    octaves.iter().map(|(scale, weight)| noise(x * scale + 31.0, y * scale + 17.0) * weight).sum()
}

fn star(x: f32, y: f32) -> f32 {
    let (column, row) = ((x * 40.0).floor(), (y * 40.0).floor());
    let (u, v) = (x * 40.0 - column - 0.5, y * 40.0 - row - 0.5);
    let bright = chance(column + 900.0, row + 400.0);
    if bright > 0.9 { (bright - 0.9) * 10.0 * (1.0 - smooth(0.0, 0.1, u.hypot(v))) } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::name::PictureName;

    #[test]
    fn every_format_is_drawn_and_can_be_shown() {
        for text in names() {
            let name = PictureName::parse(text).expect(text);
            let bytes = draw(text).expect(text);
            assert_eq!(crate::format::Format::of_first_bytes(&bytes), Some(name.format()), "{text}");
        }
    }
}
