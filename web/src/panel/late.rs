//! Late drops, each with its reason in words.

use crate::model::Model;
use crate::run::{LateDrop, Pos};
use crate::words;

/// One late drop.
#[derive(Clone, Debug, PartialEq)]
pub struct LateLine {
    /// Its event: what identifies it, and where a click goes.
    pub pos: Pos,
    /// The step to go to.
    pub step: u64,
    /// The record's number.
    pub seq: u64,
    /// Its key.
    pub key: String,
    /// Its event time.
    pub event_time: String,
    /// How far it was behind the watermark.
    pub late_by: String,
    /// The whole reason.
    pub why: String,
    /// The record, as text.
    pub row: String,
}

/// What the panel shows.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct LateView {
    /// Newest first.
    pub lines: Vec<LateLine>,
    /// All of the shown operator.
    pub total: usize,
    /// Records that could not be read: place and reason.
    pub bad: Vec<(String, String)>,
    /// One sentence.
    pub summary: String,
}

/// What the panel shows of the model, `limit` lines at most.
pub fn build(m: &Model, limit: usize) -> LateView {
    let run = &m.run;
    let line = |l: &LateDrop| LateLine {
        pos: l.pos,
        step: l.step,
        seq: l.seq,
        key: l.key.clone(),
        event_time: words::event_time(l.event_time),
        late_by: words::span(late_by(l)),
        why: why(m, l),
        row: l.row.clone(),
    };
    let bad = |b: &crate::run::BadRecord| {
        let place = format!("{} line {}, column {}", run.task_name(b.task), b.line, b.column);
        (place, b.reason.clone())
    };
    let of = |name: &str| run.late.iter().filter(|l| run.operator_of(l.task) == name).count();
    let shown = m.shown_operator().unwrap_or_default();
    let total = of(shown);
    let read = run.marks.all.len();
    let share = if read == 0 { 0.0 } else { total as f64 * 100.0 / read as f64 };
    let others: Vec<String> = run
        .waiting_operators()
        .into_iter()
        .filter(|o| *o != shown && of(o) > 0)
        .map(|o| format!("{} at {o}", words::number(of(o) as u64)))
        .collect();
    let others =
        if others.is_empty() { String::new() } else { format!(" ({})", others.join(", ")) };
    let here = run.late.iter().rev().filter(|l| run.operator_of(l.task) == shown);
    LateView {
        lines: here.take(limit).map(line).collect(),
        total,
        bad: run.bad.iter().rev().take(limit).map(bad).collect(),
        summary: match total {
            0 if shown.is_empty() => "No record has been dropped.".to_owned(),
            0 => format!("No record has been dropped at {shown}{others}."),
            n => format!(
                "{} at {shown}, {share:.1} for every 100 records read{others}.",
                words::count(n as u64, "late drop")
            ),
        },
    }
}

/// How far behind the watermark the record was, in milliseconds.
pub fn late_by(l: &LateDrop) -> i64 {
    l.watermark.saturating_sub(l.event_time)
}

/// How much further back the watermark would have had to stay to keep the record, in milliseconds.
pub fn missed_by(l: &LateDrop) -> Option<i64> {
    // A window fires when the watermark reaches its end minus one millisecond.
    let (_, end) = l.window?;
    Some(l.watermark.saturating_sub(end.saturating_sub(2)))
}

/// The reason in words.
pub fn why(m: &Model, l: &LateDrop) -> String {
    let task = m.run.task_name(l.task);
    let watermark = words::event_time(l.watermark);
    let by = words::span(late_by(l));
    if l.watermark == i64::MAX {
        return format!("Late at {task}: dropped, because the input had already ended.");
    }
    let (Some((start, end)), Some(missed)) = (l.window, missed_by(l)) else {
        return format!(
            "Late by {by} at {task}: dropped, because the watermark was already at {watermark} and the rows it could match had been freed."
        );
    };
    let fired = match l.fired_at {
        Some(at) => format!("had fired {}", words::virtual_time(at)),
        None => "was past, though it held no record".to_owned(),
    };
    format!(
        "Late by {by} at {task}: dropped, because its window {} {fired}; the watermark was already at {watermark}. Waiting {} longer would have kept it.",
        words::window(start, end),
        words::span(missed)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    fn drop(watermark: i64, window: Option<(i64, i64)>) -> LateDrop {
        LateDrop {
            pos: 0,
            step: 1,
            at: 0,
            task: 9,
            seq: 4,
            event_time: 61_000,
            watermark,
            window,
            key: "a".into(),
            row: String::new(),
            fired_at: None,
        }
    }

    #[test]
    fn a_more_patient_watermark_would_have_kept_it() {
        // The window [0 s, 120 s) fires at 119,999: a watermark one millisecond behind would have kept it.
        assert_eq!(missed_by(&drop(119_999, Some((0, 120_000)))), Some(1));
        assert_eq!(missed_by(&drop(150_000, Some((0, 120_000)))), Some(30_002));
        assert_eq!(missed_by(&drop(63_000, None)), None);
        assert!(missed_by(&drop(i64::MAX, Some((0, i64::MIN)))) > Some(0), "no overflow");
        assert_eq!(late_by(&drop(63_000, None)), 2_000);
    }

    #[test]
    fn all_drops_are_counted_and_the_newest_comes_first() {
        let m = sample::model(u64::MAX);
        let view = build(&m, 3);
        assert_eq!(view.total, m.run.late.len());
        assert_eq!(view.lines.len(), 3);
        assert!(view.lines[0].pos > view.lines[1].pos);
        assert!(view.lines[0].why.contains("had fired") || view.lines[0].why.contains("was past"));
    }
}
