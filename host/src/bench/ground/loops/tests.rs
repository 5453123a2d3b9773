//! The loops against the definitions, word for word and slowly.

use std::collections::BTreeMap;

use super::*;

/// One event: kind, key, price, time.
pub(in super::super) type Event = (i32, i64, i64, i64);

/// The events of a workload's columns.
fn events(workload: Workload, columns: &Columns) -> Vec<Event> {
    let (long, time) = (|c| columns.long(c), |c| columns.time(c));
    let rows = 0..columns.rows();
    match workload {
        Workload::W1 | Workload::W1Guest => {
            rows.map(|i| (0, long(0)[i], long(1)[i], time(2)[i])).collect()
        }
        // Of the texts, a name is as good as a number.
        Workload::W1Text => rows
            .map(|i| {
                let name: &str = columns.arrays[0].as_string::<i32>().value(i);
                let number = name.strip_prefix("auction-").expect("a name");
                (0, number.parse().expect("a number"), long(1)[i], time(2)[i])
            })
            .collect(),
        Workload::W1Pair => {
            rows.map(|i| (0, long(0)[i] * 7 + long(1)[i], long(2)[i], time(3)[i])).collect()
        }
        Workload::W2 | Workload::W3 => rows.map(|i| (0, long(0)[i], 0, time(1)[i])).collect(),
        Workload::W4 => {
            let kind = columns.arrays[0].as_primitive::<arrow_array::types::Int32Type>().values();
            rows.map(|i| (kind[i], long(1)[i], long(2)[i], time(3)[i])).collect()
        }
        Workload::W5 | Workload::F2 => rows.map(|i| (0, long(0)[i], long(1)[i], 0)).collect(),
        Workload::Asked(_) => unreachable!("the engine is their definition"),
    }
}

/// Windows of `size` that start at multiples of `slide`, after the definition.
fn windows(events: &[Event], size: i64, slide: i64, delay: i64) -> Totals {
    let mut rows: BTreeMap<(i64, i64), Vec<i64>> = BTreeMap::new();
    let (mut highest, mut late) = (i64::MIN, 0);
    for &(_, key, price, ts) in events {
        let watermark = highest.saturating_sub(delay);
        let last = ts.div_euclid(slide) * slide;
        let of_event = (0..size / slide).map(|k| last - k * slide);
        let open: Vec<i64> = of_event.filter(|start| start + size > watermark).collect();
        late += u64::from(open.is_empty());
        for start in open {
            rows.entry((start, key)).or_default().push(price);
        }
        highest = highest.max(ts);
    }
    Totals {
        rows: rows.len() as u64,
        late,
        counts: rows.values().map(|w| w.len() as u64).sum(),
        sums: rows.values().flatten().sum(),
        maxima: rows.values().filter_map(|w| w.iter().max()).sum(),
    }
}

fn sessions(events: &[Event]) -> Totals {
    // Per key the open sessions: first and last record, count.
    let mut open: BTreeMap<i64, Vec<(i64, i64, u64)>> = BTreeMap::new();
    let (mut highest, mut totals) = (i64::MIN, Totals::default());
    for &(_, key, _, ts) in events {
        let watermark = highest.saturating_sub(4_000);
        let own = open.entry(key).or_default();
        let closed = own.extract_if(.., |s| s.1 + 5_000 <= watermark).collect::<Vec<_>>();
        totals.rows += closed.len() as u64;
        totals.counts += closed.iter().map(|s| s.2).sum::<u64>();
        let near = own.extract_if(.., |s| s.0 - 5_000 <= ts && ts <= s.1 + 5_000);
        let joined = near.fold((ts, ts, 1), |a, s| (a.0.min(s.0), a.1.max(s.1), a.2 + s.2));
        if joined.2 == 1 && ts + 5_000 <= watermark {
            totals.late += 1;
        } else {
            own.push(joined);
        }
        highest = highest.max(ts);
    }
    totals.rows += open.values().map(|s| s.len() as u64).sum::<u64>();
    totals.counts += open.values().flatten().map(|s| s.2).sum::<u64>();
    totals
}

fn pairs(events: &[Event]) -> Totals {
    let (mut kept, mut highest, mut late) = (Vec::new(), i64::MIN, 0);
    for &event in events {
        if event.3 < highest.saturating_sub(4_000) {
            late += 1;
        } else {
            kept.push(event);
        }
        highest = highest.max(event.3);
    }
    let mut openings: BTreeMap<i64, Vec<i64>> = BTreeMap::new();
    for &(_, key, _, ts) in kept.iter().filter(|e| e.0 == 1) {
        openings.entry(key).or_default().push(ts);
    }
    let mut totals = Totals { late, ..Totals::default() };
    for &(_, key, price, ts) in kept.iter().filter(|e| e.0 == 0) {
        let near = openings.get(&key).into_iter().flatten();
        let near = near.filter(|o| (**o - ts).abs() <= 10_000).count() as u64;
        totals.rows += near;
        totals.sums += price * near as i64;
    }
    Totals { counts: totals.rows, ..totals }
}

fn running(events: &[Event]) -> Totals {
    let mut sums: BTreeMap<i64, i64> = BTreeMap::new();
    let mut totals = Totals { rows: events.len() as u64, ..Totals::default() };
    for &(_, key, price, _) in events {
        let sum = sums.entry(key).or_default();
        *sum += price;
        totals.sums += *sum;
    }
    Totals { counts: totals.rows, ..totals }
}

/// What the definition gives, without the columns the workload does not make.
fn naive(workload: Workload, columns: &Columns) -> Totals {
    let events = events(workload, columns);
    match workload {
        Workload::W1 | Workload::W1Text | Workload::W1Pair | Workload::W1Guest => {
            windows(&events, 10_000, 10_000, 4_000)
        }
        Workload::W2 => Totals { sums: 0, maxima: 0, ..windows(&events, 10_000, 2_000, 4_000) },
        Workload::W3 => sessions(&events),
        Workload::W4 => pairs(&events),
        Workload::W5 => running(&events),
        Workload::F2 => Totals {
            rows: events.len() as u64,
            sums: events.iter().map(|e| e.1 * 908 + e.2).sum(),
            ..Totals::default()
        },
        Workload::Asked(_) => unreachable!("the engine is their definition"),
    }
}

#[test]
fn the_loops_follow_the_definitions() {
    for workload in Workload::ALL.into_iter().chain(Workload::GUESTS) {
        for records in [0, 1, 999, 300_000] {
            let columns = workload.input(records);
            let found = run(workload, &columns);
            assert_eq!(found, naive(workload, &columns), "{}, {records}", workload.name());
        }
    }
}

/// Small streams of few keys whose time jumps and comes back, by a multiplicative generator.
pub(in super::super) fn jumpy(seed: u64) -> Vec<Event> {
    let mut state = seed.wrapping_mul(2).wrapping_add(1);
    let mut draw = |limit: u64| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((state >> 33) % limit) as i64
    };
    let mut base = 0;
    (0..400)
        .map(|_| {
            base += if draw(40) == 0 { draw(60_000) } else { draw(300) };
            // Mostly whole steps, so that times meet boundaries.
            let ts = (base - draw(12_000)) / 500 * 500 + i64::from(draw(5) == 0);
            (draw(2) as i32, draw(3), 1 + draw(9), ts)
        })
        .collect()
}

#[test]
fn the_loops_follow_the_definitions_where_time_jumps() {
    let (mut late, mut rows) = (0, 0);
    for seed in 0..300 {
        let events = jumpy(seed);
        for workload in Workload::ALL {
            let columns = workload.columns_of(&events);
            let found = run(workload, &columns);
            assert_eq!(found, naive(workload, &columns), "{}, seed {seed}", workload.name());
            late += found.late;
            rows += found.rows;
        }
    }
    assert!(late > 1_000 && rows > 10_000, "{late} late, {rows} rows");
}

#[test]
fn the_loops_follow_the_definitions_in_pieces_and_at_other_timings() {
    let (mut late, mut rows) = (0, 0);
    for seed in 0..60 {
        let events = jumpy(seed);
        for (delay, overlap) in [(0, 1), (4_000, 2), (12_000, 20), (20_000, 10)] {
            let size = 2_000 * overlap;
            let hop = Totals { sums: 0, maxima: 0, ..windows(&events, size, 2_000, delay) };
            let tumble = windows(&events, 10_000, 10_000, delay);
            for (workload, expected) in [(Workload::W1, tumble), (Workload::W2, hop)] {
                let mut fed = Fed::new(workload, &Timing { delay, overlap }).expect("has windows");
                events.chunks(7).for_each(|piece| fed.feed(&workload.columns_of(piece)));
                let found = fed.end();
                let name = workload.name();
                assert_eq!(found, expected, "{name}, seed {seed}, {delay} ms, {overlap} slices");
                late += found.late;
                rows += found.rows;
            }
        }
    }
    assert!(late > 1_000 && rows > 10_000, "{late} late, {rows} rows");
    assert!(Fed::new(Workload::W5, &Timing::PUBLISHED).is_none());
}

#[test]
fn sessions_join_at_the_gap_and_not_beyond() {
    let bids = |times: &[i64]| {
        let events: Vec<Event> = times.iter().map(|ts| (0, 7, 1, *ts)).collect();
        run(Workload::W3, &Workload::W3.columns_of(&events))
    };
    assert_eq!(bids(&[0, 5_000]).rows, 1);
    assert_eq!(bids(&[0, 5_001]).rows, 2);
    // The record between the two makes them one.
    assert_eq!(bids(&[0, 5_001, 2_000]).rows, 1);
    // At 9,000 the watermark reaches 5,000, the end of the first: the third begins anew.
    assert_eq!(bids(&[0, 9_000, 5_000]), Totals { rows: 2, counts: 3, ..Totals::default() });
    assert_eq!(bids(&[0, 8_999, 5_000]), Totals { rows: 1, counts: 3, ..Totals::default() });
}
