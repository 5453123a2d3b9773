//! The time plane: event time to the right, arrival upwards.

use plotters::chart::ChartBuilder;
use plotters::drawing::IntoDrawingArea;
use plotters::style::{Color, IntoFont, RGBColor, TextStyle};

use super::axis::TimeAxis;
use super::canvas::{Canvas, Commands};
use super::palette::{Palette, rgb, translucent};
use crate::panel::plane::{BoxKind, PlaneView, Shape};

/// Where the plot lies on the canvas and what it spans: turns times into pixels and back.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub struct Frame {
    /// Left, top, right, bottom in CSS pixels.
    pub pixels: [f32; 4],
    /// From and to in event time, then from and to in arrival time, milliseconds.
    pub times: [f64; 4],
}

impl Frame {
    /// The pixel of a point of event time and arrival.
    pub fn place(&self, x: f64, y: f64) -> (f32, f32) {
        (self.x(x), self.y(y))
    }

    /// The pixel column of an event time; times far outside stay near the edge.
    pub fn x(&self, t: f64) -> f32 {
        let [left, _, right, _] = self.pixels;
        left + self.share(t, 0) * (right - left)
    }

    /// The pixel row of an arrival.
    pub fn y(&self, t: f64) -> f32 {
        let [_, top, _, bottom] = self.pixels;
        bottom - self.share(t, 2) * (bottom - top)
    }

    fn share(&self, t: f64, from: usize) -> f32 {
        let (a, b) = (self.times[from], self.times[from + 1]);
        (((t - a) / (b - a).max(1.0)).clamp(-0.5, 1.5)) as f32
    }

    /// The mark nearest to a pixel, if one is within reach.
    pub fn nearest(&self, view: &PlaneView, x: f32, y: f32) -> Option<usize> {
        let distance = |p: &crate::panel::plane::Point| {
            let (px, py) = self.place(p.x, p.y);
            (px - x).powi(2) + (py - y).powi(2)
        };
        let best = view.points.iter().min_by(|a, b| distance(a).total_cmp(&distance(b)))?;
        (distance(best) < 18.0 * 18.0).then_some(best.mark)
    }
}

/// Draws mesh, axes and labels, and says where the plot lies.
pub fn axes(view: &PlaneView, width: u32, height: u32, p: &Palette) -> (Commands, Frame) {
    let mut commands = Commands::new(width, height);
    let [x0, x1, y0, y1] = view.domain;
    let mut frame = Frame { times: view.domain, ..Frame::default() };
    let color = |c: &str| {
        let (r, g, b) = rgb(c);
        RGBColor(r, g, b)
    };
    let (mesh, faint) = (color(p.mesh), color(p.faint));
    let narrow = width < 560;
    let x_ticks = (width as usize / 90).max(2);
    let y_ticks = (height as usize / 56).max(2);
    let x_axis = TimeAxis::new(x0..x1, x_ticks);
    let y_axis = TimeAxis::new(y0..y1, y_ticks);
    {
        let area = Canvas(&mut commands).into_drawing_area();
        let label = TextStyle::from(("sans-serif", 12).into_font()).color(&faint);
        let built = ChartBuilder::on(&area)
            .margin_top(10)
            .margin_right(if narrow { 10 } else { 18 })
            .margin_left(4)
            .x_label_area_size(if narrow { 24 } else { 40 })
            .y_label_area_size(if narrow { 44 } else { 66 })
            .build_cartesian_2d(x_axis, y_axis);
        if let Ok(mut chart) = built {
            let mut draw = chart.configure_mesh();
            draw.x_labels(x_ticks)
                .y_labels(y_ticks)
                .max_light_lines(0)
                .bold_line_style(mesh)
                .light_line_style(mesh.mix(0.0))
                .axis_style(faint.mix(0.6))
                .label_style(label.clone())
                .axis_desc_style(label);
            if !narrow {
                draw.x_desc("event time: when it happened").y_desc("arrival: when it was seen");
            }
            // The backend cannot fail.
            let _ = draw.draw();
            let (xs, ys) = chart.plotting_area().get_pixel_range();
            frame.pixels = [xs.start as f32, ys.start as f32, xs.end as f32, ys.end as f32];
        }
    }
    (commands, frame)
}

/// Draws everything that moves.
pub fn marks(view: &PlaneView, size: (u32, u32), frame: &Frame, p: &Palette) -> Commands {
    let mut c = Commands::new(size.0, size.1);
    let [left, top, right, bottom] = frame.pixels;
    c.clip(left, top - 2.0, right - left + 2.0, bottom - top + 4.0);
    ideal(view, frame, p, &mut c);
    boxes(view, frame, p, &mut c);
    moments(view, frame, p, &mut c);
    stairs(view, frame, p, &mut c);
    records(view, frame, p, &mut c);
    c.unclip();
    labels(view, frame, p, &mut c);
    c
}

/// Where records would lie if they were seen the moment they happen.
fn ideal(view: &PlaneView, f: &Frame, p: &Palette, c: &mut Commands) {
    let [x0, x1, y0, y1] = view.domain;
    let (from, to) = (x0.max(y0), x1.min(y1));
    if from < to {
        c.stroke(p.faint, 1.0, true);
        c.path(&[f.place(from, from), f.place(to, to)]);
    }
}

fn boxes(view: &PlaneView, f: &Frame, p: &Palette, c: &mut Commands) {
    for kind in [BoxKind::Lost, BoxKind::Fired, BoxKind::Open] {
        let (color, fill) = match kind {
            BoxKind::Fired => (p.on_time, 0.045),
            BoxKind::Open => (p.open, 0.10),
            BoxKind::Lost => (p.late, 0.0),
        };
        c.fill(&translucent(color, fill));
        c.stroke(&translucent(color, 0.35), 1.0, kind == BoxKind::Lost);
        let rects = view.boxes.iter().filter(|b| b.kind == kind);
        for b in rects.clone() {
            let (x, y) = f.place(b.from, b.closes);
            let (to_x, to_y) = f.place(b.to, b.opens);
            c.fill_rect(x, y, (to_x - x).max(1.0), to_y - y);
            c.stroke_rect(x + 0.5, y + 0.5, (to_x - x - 1.0).max(1.0), (to_y - y).max(1.0));
        }
        if kind == BoxKind::Fired {
            // The result appears at the top edge.
            c.stroke(p.on_time, 2.0, false);
            for b in rects {
                let y = f.y(b.closes);
                c.path(&[(f.x(b.from) + 1.5, y), (f.x(b.to) - 1.5, y)]);
            }
        }
    }
}

/// Checkpoints and crashes lie at one moment of arrival time each.
fn moments(view: &PlaneView, f: &Frame, p: &Palette, c: &mut Commands) {
    let [left, _, right, _] = f.pixels;
    for (at, complete) in &view.checkpoints {
        let y = f.y(*at);
        c.stroke(&translucent(p.checkpoint, if *complete { 0.75 } else { 0.4 }), 1.0, !complete);
        c.path(&[(left, y), (right, y)]);
    }
    for (at, back) in &view.crashes {
        let y = f.y(*at);
        if let Some(back) = back {
            c.fill(&translucent(p.late, 0.14));
            c.fill_rect(left, f.y(*back), right - left, (y - f.y(*back)).max(1.0));
        }
        c.stroke(p.late, 2.0, false);
        c.path(&[(left, y), (right, y)]);
    }
}

fn stairs(view: &PlaneView, f: &Frame, p: &Palette, c: &mut Commands) {
    let line = |stair: &[(f64, f64)], c: &mut Commands| {
        let mut points: Vec<(f32, f32)> = Vec::with_capacity(stair.len() * 2);
        for &(x, y) in stair {
            let at = f.place(x, y);
            match points.last() {
                // A stair within one pixel is a point.
                Some(l) if (l.0 - at.0).abs() < 0.4 && (l.1 - at.1).abs() < 0.4 => {}
                Some(&l) => points.extend([(l.0, at.1), at]),
                None => points.extend([(f.pixels[0], at.1), at]),
            }
        }
        c.path(&points);
    };
    if view.partitions.len() > 1 {
        c.stroke(&translucent(p.watermark, 0.35), 1.0, false);
        for stair in &view.partitions {
            line(stair, c);
        }
    }
    c.stroke(p.watermark, 2.25, false);
    line(&view.merged, c);
    // The sweep: the moment now.
    let [left, _, right, _] = f.pixels;
    let y = f.y(view.now);
    c.stroke(&translucent(p.ink, 0.45), 1.0, false);
    c.path(&[(left, y), (right, y)]);
}

fn records(view: &PlaneView, f: &Frame, p: &Palette, c: &mut Commands) {
    let of = |shape: Shape, again: bool| -> Vec<(f32, f32)> {
        let wanted = view.points.iter().filter(|q| q.shape == shape && q.again == again);
        wanted.map(|q| f.place(q.x, q.y)).collect()
    };
    let half = if view.points.len() > 3000 { 1.5 } else { 2.25 };
    for again in [false, true] {
        let alpha = if again { 0.45 } else { 1.0 };
        c.fill(&translucent(p.on_time, 0.8 * alpha));
        c.squares(half, &of(Shape::Square, again));
        c.stroke(&translucent(p.open, alpha), 1.5, false);
        c.rings(half + 1.0, &of(Shape::Ring, again));
        c.stroke(&translucent(p.late, alpha), 1.75, false);
        c.crosses(half + 1.25, &of(Shape::Cross, again));
    }
    if let Some(q) = view.inspected.as_ref() {
        let at = f.place(q.x, q.y);
        c.stroke(p.ink, 2.0, false);
        c.rings(9.0, &[at]);
        c.stroke(&translucent(p.ink, 0.4), 1.0, true);
        c.path(&[(at.0, at.1 + 9.0), (at.0, f.pixels[3])]);
        c.path(&[(at.0 - 9.0, at.1), (f.pixels[0], at.1)]);
    }
}

/// Words on the plot where there is room for them.
fn labels(view: &PlaneView, f: &Frame, p: &Palette, c: &mut Commands) {
    let [left, top, right, bottom] = f.pixels;
    if !view.hint.is_empty() {
        c.fill(p.faint);
        c.text(view.hint, ((left + right) / 2.0, (top + bottom) / 2.0), 15.0, (1, 1), false);
    }
    c.fill(p.late);
    for (at, _) in &view.crashes {
        c.text("crash", (right - 6.0, f.y(*at) - 3.0), 12.0, (2, 2), false);
    }
    c.fill(p.checkpoint);
    let mut last = f32::INFINITY;
    for (i, (at, _)) in view.checkpoints.iter().enumerate() {
        let y = f.y(*at);
        // Labels that would touch the one before are left out.
        if last - y > 14.0 && y > top + 8.0 && y < bottom {
            c.text(
                &format!("{}", view.first_checkpoint + i as u64),
                (right - 4.0, y + 1.0),
                10.0,
                (2, 0),
                false,
            );
            last = y;
        }
    }
    if let Some(&(x, y)) = view.merged.iter().rev().find(|(x, _)| *x > view.domain[0]) {
        let at = f.place(x, y);
        if at.0 > left + 8.0 && at.0 < right {
            c.fill(p.watermark);
            let side = if at.0 > left + 90.0 { (at.0 - 8.0, 2) } else { (at.0 + 8.0, 0) };
            c.text(
                "watermark",
                (side.0, at.1.clamp(top + 14.0, bottom - 4.0) - 4.0),
                12.0,
                (side.1, 2),
                false,
            );
        }
    }
}
