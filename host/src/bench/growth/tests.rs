//! Tiny streams: both agree, what differs is told, the chart is whole.

use serde_json::json;

use super::chart::draw;
use super::held::Held;
use super::verdict::Verdict;
use super::*;

/// Enough for windows to close and records to be late.
const RECORDS: u64 = 150_000;

fn pair(point: Point) -> Pair {
    let [by_hand, engine] = [Subject::Loop, Subject::Native]
        .map(|subject| point.measure(subject, 1).expect("measured"));
    Pair::new(point, by_hand, engine).expect("the same totals")
}

fn curves() -> Vec<(Axis, Vec<Pair>)> {
    let of = |axis: Axis| axis.points(RECORDS).into_iter().map(pair).collect();
    Axis::ALL.map(|axis| (axis, of(axis))).into()
}

#[test]
fn the_engine_and_the_loop_agree_everywhere_and_a_chart_shows_it() {
    let curves = curves();
    for (axis, pairs) in &curves {
        // Where the watermark covers the disorder nothing is late, else something is.
        for pair in pairs {
            let totals = pair.engine.totals;
            assert!(totals.rows > 0, "{pair:?}");
            if *axis == Axis::Disorder {
                assert_eq!(totals.late == 0, pair.point.covered, "{pair:?}");
            }
            let [by_hand, engine] = pair.lines();
            assert_eq!((&by_hand["ratio"], &engine["axis"]), (&json!(1.0), &json!(axis.name())));
            assert!(engine["ns_per_event"].as_f64().is_some_and(|ns| ns > 0.0), "{engine}");
        }
        assert_eq!(Axis::named(axis.name()), Some(*axis));
    }
    let verdicts = curves.iter().filter_map(|(axis, pairs)| Verdict::of(*axis, pairs));
    assert_eq!(verdicts.count(), 3);
    let held = Held { keys: 10, panes: 1, snapshot: 320, resident: 400 };
    let svg = draw(&curves, &[held]).expect("drawn");
    well_formed(&svg);
    for axis in Axis::ALL {
        assert!(svg.contains(axis.title()) && svg.contains(axis.about()), "{}", axis.title());
    }
    assert!(svg.contains("32.0 bytes in a snapshot"));
}

/// Every element that begins ends, in its turn, and no text opens another.
fn well_formed(svg: &str) {
    let mut open = Vec::new();
    for tag in svg.split('<').skip(1) {
        let (tag, text) = tag.split_once('>').expect("a tag ends");
        assert!(!text.contains('>'), "{text}");
        match tag.strip_prefix('/') {
            Some(name) => assert_eq!(open.pop(), Some(name)),
            None if tag.ends_with('/') || tag.starts_with(['?', '!']) => {}
            None => open.push(tag.split_whitespace().next().expect("a name")),
        }
        assert!(tag.matches('"').count().is_multiple_of(2), "{tag}");
    }
    assert!(open.is_empty() && svg.starts_with("<svg"), "{open:?}");
    assert!(!svg.contains("NaN") && !svg.contains("inf"));
}

#[test]
fn few_records_make_short_axes() {
    let records =
        |cap| -> Vec<u64> { Axis::Records.points(cap).iter().map(|point| point.records).collect() };
    assert_eq!(records(100_000_000), [1, 3, 10, 30, 100].map(|m| m * 1_000_000));
    assert_eq!(records(5_000_000), [1_000_000, 3_000_000, 5_000_000]);
    assert_eq!(records(20), [20]);
    for axis in [Axis::Keys, Axis::Batch, Axis::Disorder, Axis::Overlap] {
        let points = axis.points(100_000_000);
        assert!(points.iter().all(|p| p.records == PUBLISHED_RECORDS) && points.len() >= 5);
    }
    let labels: Vec<String> = Axis::Disorder.points(9).iter().map(Point::label).collect();
    assert_eq!(labels, ["0", "1", "5", "20", "20, some late"]);
    let label = |value| Axis::Records.label(value);
    assert_eq!([label(30_000_000), label(1_500), label(20)], ["30 M", "1.5 k", "20"]);
}

#[test]
fn a_total_that_differs_is_no_measurement() {
    let point = Axis::Keys.points(1_000)[0];
    let measured = point.measure(Subject::Loop, 1).expect("measured");
    let wrong = |change: fn(&mut Totals)| {
        let mut other = measured.clone();
        change(&mut other.totals);
        let error = Pair::new(point, measured.clone(), other).expect_err("differs");
        assert!(error.message.contains("the engine at keys 100"), "{}", error.message);
        error.code
    };
    assert_eq!(wrong(|t| t.rows += 1), "bench.wrong-totals");
    assert_eq!(wrong(|t| t.late += 1), "bench.wrong-totals");
    assert_eq!(wrong(|t| t.sums += 1), "bench.wrong-totals");
    // Both wrong in the same way are found where totals are published.
    let published = Axis::Records.points(PUBLISHED_RECORDS)[2];
    let error = Pair::new(published, measured.clone(), measured.clone()).expect_err("differs");
    assert!(error.message.starts_with("the loop gives"), "{}", error.message);
}
