//! The curves as one SVG: a panel an axis, the engine and the loop as two lines.

use highwater_engine::error::{Diagnostic, Error, Result};
use plotters::coord::Shift;
use plotters::coord::ranged1d::{KeyPointHint, ValueFormatter};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::held::Held;
use super::verdict::Verdict;
use super::{Axis, Pair};

/// Width and height in pixels.
const SIZE: (u32, u32) = (1_280, 860);
/// What the two lines are called, and their colours: of the palette of Okabe and Ito, which colour-blind people
/// can tell apart, too.
const ENGINE: (&str, RGBColor) = ("Highwater, from SQL", RGBColor(0, 114, 178));
const BY_HAND: (&str, RGBColor) = ("loop written by hand", RGBColor(213, 94, 0));
const INK: RGBColor = RGBColor(40, 40, 40);
const FAINT: RGBColor = RGBColor(225, 225, 225);
const FONT: &str = "sans-serif";

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// What a chart shows of an axis.
pub type Curve = (Axis, Vec<Pair>);

/// Draws the curves; the last cell holds the legend, what the verdicts are, and what a key takes.
///
/// # Errors
/// When the drawing library refuses.
pub fn draw(curves: &[Curve], held: &[Held]) -> Result<String> {
    let mut svg = String::new();
    let area = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
    paint(&area, curves, held).map_err(failed)?;
    // The text is whole once nobody draws any more.
    drop(area);
    Ok(svg)
}

fn failed(error: impl std::fmt::Display) -> Error {
    Diagnostic::new("bench.chart", format!("cannot draw the chart: {error}"))
}

/// A scale across that is marked where something has been measured.
struct Marked {
    range: std::ops::Range<f64>,
    marks: Vec<(f64, String)>,
}

impl Ranged for Marked {
    type FormatOption = plotters::coord::ranged1d::NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, limits: (i32, i32)) -> i32 {
        let share = (value - self.range.start) / (self.range.end - self.range.start);
        limits.0 + (share * f64::from(limits.1 - limits.0)).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, _: Hint) -> Vec<f64> {
        self.marks.iter().map(|mark| mark.0).collect()
    }

    fn range(&self) -> std::ops::Range<f64> {
        self.range.clone()
    }
}

impl ValueFormatter<f64> for Marked {
    fn format_ext(&self, value: &f64) -> String {
        let mark = self.marks.iter().find(|mark| mark.0 == *value);
        mark.map_or(String::new(), |mark| mark.1.clone())
    }
}

type Painted = std::result::Result<(), Box<dyn std::error::Error>>;

fn paint(area: &Area<'_>, curves: &[Curve], held: &[Held]) -> Painted {
    area.fill(&WHITE)?;
    let (head, body) = area.split_vertically(64);
    let left = |size| text(size, HPos::Left);
    head.draw(&Text::new("How throughput changes as a stream grows", (16, 20), left(22)))?;
    let units = "million events per second of processor time, one core; up is better, every scale starts at 0";
    head.draw(&Text::new(units, (16, 46), left(14)))?;
    let columns = (curves.len() + 1).min(3);
    let cells = body.split_evenly(((curves.len() + 1).div_ceil(columns), columns));
    for ((axis, pairs), cell) in curves.iter().zip(&cells) {
        panel(cell, *axis, pairs)?;
    }
    notes(&cells[curves.len()], curves, held)
}

fn text(size: i32, across: HPos) -> TextStyle<'static> {
    (FONT, size).into_font().color(&INK).pos(Pos::new(across, VPos::Center))
}

/// Where a value stands: by its logarithm, and 0 a step left of the smallest other.
fn place(value: u64, pairs: &[Pair]) -> f64 {
    let values = pairs.iter().map(|pair| pair.point.value).filter(|v| *v > 0);
    let smallest = values.min().unwrap_or(1) as f64;
    if value == 0 { smallest.log10() - 0.6 } else { (value as f64).log10() }
}

/// Million events a second at a cost in nanoseconds.
fn rate(cost: f64) -> f64 {
    1e3 / cost
}

fn panel(cell: &Area<'_>, axis: Axis, pairs: &[Pair]) -> Painted {
    let on_curve = || pairs.iter().filter(|pair| pair.point.covered);
    let places: Vec<f64> = on_curve().map(|pair| place(pair.point.value, pairs)).collect();
    let rates = pairs.iter().map(Pair::costs).flat_map(|c| [rate(c.0), rate(c.1)]);
    let highest = rates.fold(1.0, f64::max) * 1.12;
    let (first, last) = (places.first().copied(), places.last().copied());
    let (first, last) = (first.unwrap_or_default(), last.unwrap_or_default());
    // A single point stands in the middle.
    let room = ((last - first) * 0.08).max(0.1);
    let labels = on_curve().map(|pair| axis.label(pair.point.value));
    let marks = places.iter().copied().zip(labels).collect();
    let across = Marked { range: first - room..last + room, marks };
    let mut chart = ChartBuilder::on(cell)
        .margin_left(8)
        .margin_right(20)
        .margin_bottom(14)
        .caption(axis.about(), (FONT, 15).into_font().color(&INK))
        .x_label_area_size(46)
        .y_label_area_size(56)
        .build_cartesian_2d(across, 0.0..highest)?;
    chart
        .configure_mesh()
        .bold_line_style(FAINT)
        .light_line_style(WHITE)
        .axis_style(INK)
        .label_style(text(13, HPos::Left))
        .axis_desc_style(text(14, HPos::Left))
        .x_labels(places.len())
        .y_labels(6)
        .y_label_formatter(&|rate| format!("{rate:.0}"))
        .x_desc(axis.title())
        .y_desc("M events/s")
        .draw()?;
    let line = |of: fn(&Pair) -> f64| -> Vec<(f64, f64)> {
        on_curve().zip(&places).map(|(pair, at)| (*at, rate(of(pair)))).collect()
    };
    let (engine, by_hand) = (line(|pair| pair.costs().0), line(|pair| pair.costs().1));
    chart.draw_series(LineSeries::new(by_hand.clone(), BY_HAND.1.stroke_width(2)))?;
    chart.draw_series(LineSeries::new(engine.clone(), ENGINE.1.stroke_width(2)))?;
    // The shapes tell the lines apart without any colour.
    chart.draw_series(by_hand.iter().map(|at| TriangleMarker::new(*at, 6, BY_HAND.1.filled())))?;
    chart.draw_series(engine.iter().map(|at| Circle::new(*at, 4, ENGINE.1.filled())))?;
    // What is not of the curve stands by itself, hollow.
    for pair in pairs.iter().filter(|pair| !pair.point.covered) {
        let (at, costs) = (place(pair.point.value, pairs), pair.costs());
        let hollow = |colour: RGBColor| colour.stroke_width(1);
        chart.draw_series([
            Circle::new((at, rate(costs.1)), 6, hollow(BY_HAND.1)),
            Circle::new((at, rate(costs.0)), 6, hollow(ENGINE.1)),
        ])?;
    }
    Ok(())
}

fn notes(cell: &Area<'_>, curves: &[Curve], held: &[Held]) -> Painted {
    let (left, mut down) = (24, 30);
    let mut say = |text_of: &str, indent: i32, size: i32| -> Painted {
        let style = text(size, HPos::Left);
        cell.draw(&Text::new(text_of.to_owned(), (left + indent, down), style))?;
        down += size + 9;
        Ok(())
    };
    say(ENGINE.0, 48, 15)?;
    say(BY_HAND.0, 48, 15)?;
    for (row, colour) in [(30, ENGINE.1), (54, BY_HAND.1)] {
        cell.draw(&PathElement::new([(left, row), (left + 36, row)], colour.stroke_width(2)))?;
    }
    cell.draw(&Circle::new((left + 18, 30), 4, ENGINE.1.filled()))?;
    cell.draw(&TriangleMarker::new((left + 18, 54), 6, BY_HAND.1.filled()))?;
    if curves.iter().any(|(_, pairs)| pairs.iter().any(|pair| !pair.point.covered)) {
        say("hollow: the watermark waits less, some records are late", 0, 13)?;
    }
    for verdict in curves.iter().filter_map(|(axis, pairs)| Verdict::of(*axis, pairs)) {
        say("", 0, 1)?;
        say(&format!("{}: growth {:.2}", verdict.axis.title(), verdict.growth), 0, 14)?;
        let met = if verdict.met() { "met" } else { "missed" };
        say(&format!("{}; at most {:.1}: {met}", verdict.measure(), verdict.limit), 12, 13)?;
    }
    for held in held {
        say("", 0, 1)?;
        let keys = Axis::Keys.label(held.keys);
        say(&format!("State of {keys} keys, open windows: {}", held.panes), 0, 14)?;
        let (snapshot, resident) = (held.each(held.snapshot), held.each(held.resident));
        say(
            &format!(
                "a key in a window: {snapshot:.1} bytes in a snapshot, {resident:.0} in memory"
            ),
            12,
            13,
        )?;
    }
    Ok(())
}
