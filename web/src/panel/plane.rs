//! The time plane: which marks, stairs, boxes and lines it has, and what the inspected record says.

use highwater_trace::trace::What;

use crate::charts::axis::round_step;
use crate::model::Model;
use crate::run::{Mark, MarkState, StairPoint, Window, WindowState};
use crate::words;

/// How a record is drawn: shape says what became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Counted; its windows have fired.
    Square,
    /// In an open window.
    Ring,
    /// Dropped as late.
    Cross,
}

/// A record on the plane.
#[derive(Clone, Debug, PartialEq)]
pub struct Point {
    /// Event time, milliseconds.
    pub x: f64,
    /// Arrival, milliseconds.
    pub y: f64,
    /// What became of it.
    pub shape: Shape,
    /// It was read before.
    pub again: bool,
    /// Its position in the run's marks.
    pub mark: usize,
}

/// What a window's box stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BoxKind {
    /// It takes in records.
    Open,
    /// Its result is out.
    Fired,
    /// A crash took it.
    Lost,
}

/// A window on the plane: its span sideways, its life upwards. Milliseconds.
#[derive(Clone, Debug, PartialEq)]
pub struct WindowBox {
    /// Start of its span in event time.
    pub from: f64,
    /// End of its span.
    pub to: f64,
    /// Arrival of its first record.
    pub opens: f64,
    /// When it fired, or now.
    pub closes: f64,
    /// What it stands for.
    pub kind: BoxKind,
}

/// The inspected record.
#[derive(Clone, Debug, PartialEq)]
pub struct Inspected {
    /// Event time, milliseconds.
    pub x: f64,
    /// Arrival, milliseconds.
    pub y: f64,
    /// One line that says which record it is.
    pub title: String,
    /// What became of it, a sentence each.
    pub lines: Vec<String>,
    /// The record, as text.
    pub row: String,
}

/// Everything the plane shows.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct PlaneView {
    /// From and to in event time, from and to in arrival, milliseconds.
    pub domain: [f64; 4],
    /// Records.
    pub points: Vec<Point>,
    /// Windows.
    pub boxes: Vec<WindowBox>,
    /// The job's watermark: watermark and moment, milliseconds.
    pub merged: Vec<(f64, f64)>,
    /// Each source partition's own.
    pub partitions: Vec<Vec<(f64, f64)>>,
    /// Checkpoints: moment, complete or not.
    pub checkpoints: Vec<(f64, bool)>,
    /// The number of the first of them.
    pub first_checkpoint: u64,
    /// Crashes: moment, and the moment the job came back.
    pub crashes: Vec<(f64, Option<f64>)>,
    /// Now, milliseconds.
    pub now: f64,
    /// The inspected record.
    pub inspected: Option<Inspected>,
    /// Said in the middle while there is nothing to see.
    pub hint: &'static str,
    /// The picture in one sentence.
    pub summary: String,
}

/// What the plane shows of the model.
pub fn build(m: &Model) -> PlaneView {
    let now = ms(m.now());
    let mut view = PlaneView {
        domain: domain(m),
        points: points(m),
        boxes: boxes(m, now),
        merged: stair(&m.run.tasks.merged, now),
        partitions: m.run.tasks.partitions.values().map(|s| stair(s, now)).collect(),
        now,
        inspected: m.inspected.and_then(|i| inspect(m, i)),
        ..PlaneView::default()
    };
    let recovery = &m.run.recovery;
    view.first_checkpoint = recovery.checkpoints.first().map_or(1, |c| c.id);
    let checkpoint =
        |c: &crate::run::Checkpoint| (ms(c.complete.map_or(c.at, |d| d.1)), c.complete.is_some());
    view.checkpoints = recovery.checkpoints.iter().map(checkpoint).collect();
    let back = |c: &crate::run::Crash| (ms(c.at), c.restore.map(|r| ms(r.1)));
    view.crashes = recovery.crashes.iter().map(back).collect();
    view.summary = summary(m, &view);
    if view.points.is_empty() && m.phase == crate::model::Phase::Ready {
        view.hint = "Press Play, or step once.";
    }
    view
}

/// For each task whether its windows and verdicts are shown.
pub fn shown_tasks(m: &Model) -> Vec<bool> {
    (0..m.run.header.tasks.len()).map(|t| u16::try_from(t).is_ok_and(|t| m.shows_task(t))).collect()
}

fn is(counted: &[bool], task: u16) -> bool {
    counted.get(usize::from(task)).copied().unwrap_or(false)
}

fn ms(us: u64) -> f64 {
    us as f64 / 1000.0
}

/// The known extent, widened to round times, so that the axes move seldom.
fn domain(m: &Model) -> [f64; 4] {
    let Some(e) = m.run.extent.best() else {
        let now = ms(m.now());
        return [now, now + 60_000.0, now, now + 60_000.0];
    };
    let [x0, x1] = widen(e.event_time.0 as f64, e.event_time.1 as f64);
    let [y0, y1] = widen(ms(e.arrival.0), ms(e.arrival.1));
    [x0, x1, y0, y1]
}

fn widen(from: f64, to: f64) -> [f64; 2] {
    let length = (to - from).max(1000.0);
    let step = round_step(length, 20.0);
    [((from - length * 0.02) / step).floor() * step, ((to + length * 0.04) / step).ceil() * step]
}

fn points(m: &Model) -> Vec<Point> {
    let marks = &m.run.marks;
    let counted = shown_tasks(m);
    let point = |(i, mark): (usize, &Mark)| {
        let shape = match marks.state(mark, &m.run.windows, |t| is(&counted, t)) {
            MarkState::OnTime => Shape::Square,
            MarkState::Open => Shape::Ring,
            MarkState::Late => Shape::Cross,
        };
        let (x, y) = (mark.event_time? as f64, ms(mark.at));
        Some(Point { x, y, shape, again: mark.replayed, mark: i })
    };
    marks.all.iter().enumerate().filter_map(point).collect()
}

fn boxes(m: &Model, now: f64) -> Vec<WindowBox> {
    let counted = shown_tasks(m);
    let key = m.key.as_ref();
    let shown = |w: &&Window| is(&counted, w.task) && key.is_none_or(|k| *k == w.key);
    let of = |w: &Window| {
        let (from, to) = w.span();
        let at = |time: u64| ms(time);
        let (kind, closes) = match w.state() {
            WindowState::Open => (BoxKind::Open, now),
            WindowState::Fired(_) => (BoxKind::Fired, at(w.fired_at()?)),
            WindowState::Lost => (BoxKind::Lost, at(w.states.last()?.1)),
            WindowState::Merged => return None,
        };
        let opens = at(w.opened_at);
        Some(WindowBox { from: from as f64, to: to as f64, opens, closes, kind })
    };
    m.run.windows.all.iter().filter(shown).filter_map(of).collect()
}

fn stair(log: &[StairPoint], now: f64) -> Vec<(f64, f64)> {
    let mut points: Vec<(f64, f64)> = log.iter().map(|w| (w.watermark as f64, ms(w.at))).collect();
    if let Some(&(x, y)) = points.last()
        && now > y
    {
        points.push((x, now));
    }
    points
}

fn summary(m: &Model, view: &PlaneView) -> String {
    let of = |shape| view.points.iter().filter(|p| p.shape == shape).count() as u64;
    let watermark = words::short(m.run.tasks.watermark());
    format!(
        "{} read, {} in open windows, {} late; watermark {watermark}",
        words::count(view.points.len() as u64, "record"),
        words::number(of(Shape::Ring)),
        words::number(of(Shape::Cross)),
    )
}

/// What there is to say about a record.
pub fn inspect(m: &Model, index: usize) -> Option<Inspected> {
    let mark = m.run.marks.all.get(index)?;
    let event_time = mark.event_time?;
    let source = m.run.task_name(mark.task);
    let title = format!("record {} of {source}, partition {}", mark.seq, mark.partition);
    let mut lines = vec![format!(
        "Happened {}, seen {}: {} later.",
        words::event_time(event_time),
        words::virtual_time(mark.at),
        words::span((mark.at / 1000) as i64 - event_time)
    )];
    if mark.replayed {
        lines.push("Read again after a crash.".to_owned());
    }
    for (_, w) in &mark.windows {
        lines.extend(m.run.windows.all.get(*w as usize).map(|w| fate(m, w)));
    }
    if !mark.late.is_empty() {
        let drops = m.run.late.iter().filter(|l| l.seq == mark.seq && l.pos >= mark.pos);
        lines.extend(drops.map(|l| super::late::why(m, l)));
    }
    let row = m.run.events.get(mark.pos as usize).and_then(|e| match &e.what {
        What::Arrive { row, .. } => Some(row.clone()),
        _ => None,
    });
    let (x, y) = (event_time as f64, ms(mark.at));
    Some(Inspected { x, y, title, lines, row: row.unwrap_or_default() })
}

fn fate(m: &Model, w: &Window) -> String {
    let (start, end) = w.span();
    let task = m.run.task_name(w.task);
    let span = words::window(start, end);
    match w.state() {
        WindowState::Open => format!(
            "In the open window {span} of {} at {task}, with {}.",
            w.key,
            words::count(u64::from(w.count()), "record")
        ),
        WindowState::Fired(rows) => format!(
            "Counted in window {span} of {} at {task}, which fired {}: {}.",
            w.key,
            w.fired_at().map(words::virtual_time).unwrap_or_default(),
            words::count(u64::from(rows), "row")
        ),
        WindowState::Merged => format!("Its window at {task} was merged into a longer one."),
        WindowState::Lost => format!("Its window {span} at {task} was lost in a crash."),
    }
}

/// The records as a table, newest first: number, event time, arrival, fate.
pub fn table(m: &Model, limit: usize) -> Vec<[String; 4]> {
    let marks = &m.run.marks;
    let counted = shown_tasks(m);
    let row = |mark: &Mark| {
        let fate = match marks.state(mark, &m.run.windows, |t| is(&counted, t)) {
            MarkState::OnTime => "on time",
            MarkState::Open => "in an open window",
            MarkState::Late => "late",
        };
        [
            mark.seq.to_string(),
            mark.event_time.map(words::event_time).unwrap_or_default(),
            words::virtual_time(mark.at),
            fate.to_owned(),
        ]
    };
    marks.all.iter().rev().take(limit).map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    #[test]
    fn every_mark_is_on_the_plane_once_and_shapes_follow_the_trace() {
        let m = sample::model(u64::MAX);
        let view = build(&m);
        assert_eq!(view.points.len(), m.run.marks.all.len());
        let crosses = view.points.iter().filter(|p| p.shape == Shape::Cross).count();
        assert_eq!(crosses, m.run.late.len());
        assert!(view.points.iter().all(|p| p.shape != Shape::Ring), "at the end all have fired");
        let [x0, x1, y0, y1] = view.domain;
        assert!(view.points.iter().all(|p| x0 <= p.x && p.x <= x1 && y0 <= p.y && p.y <= y1));
        assert_eq!(view.crashes.len(), 1);
        assert!(view.summary.contains(" late; watermark +∞"), "{}", view.summary);
    }

    #[test]
    fn in_the_middle_some_windows_are_open() {
        let m = sample::model(200);
        let view = build(&m);
        assert!(view.points.iter().any(|p| p.shape == Shape::Ring));
        assert!(view.boxes.iter().any(|b| b.kind == BoxKind::Open));
    }

    #[test]
    fn a_late_record_says_why() {
        let m = sample::model(u64::MAX);
        let late = m.run.marks.all.iter().position(|k| !k.late.is_empty()).expect("one is late");
        let said = inspect(&m, late).expect("it has an event time");
        assert!(said.lines.iter().any(|l| l.contains("dropped")), "{:?}", said.lines);
    }

    #[test]
    fn widened_ranges_hold_what_they_were_made_for() {
        for (a, b) in [(0.0, 0.0), (5.0, 7.0), (1.5e12, 1.6e12)] {
            let [from, to] = widen(a, b);
            assert!(from <= a && b <= to && to > from, "{a} {b}");
        }
    }
}
