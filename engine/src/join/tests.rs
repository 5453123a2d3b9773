//! The interval join against a nested loop over whole streams, hostile times among them.

use std::collections::BTreeMap;

use super::{Bounds, IntervalJoin};
use crate::batch::{Batch, NO_CLOCK, Seq, Stair};
use crate::column::from_values;
use crate::operator::{Merged, Operator, Output, Run};
use crate::schema::{DataType, Field, Schema, SchemaRef};
use crate::time::EventTime;
use crate::trace::What;
use crate::value::Value;

/// A row of either side, or a step of the watermark.
#[derive(Clone, Copy, Debug)]
enum Item {
    Row { side: usize, key: Option<i64>, time: Option<i64>, tag: i32 },
    Step(i64),
}

struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

fn input() -> SchemaRef {
    let field = |name, data_type| Field::new(name, data_type);
    Schema::new(vec![
        field("k", DataType::BigInt),
        field("ts", DataType::Timestamp),
        field("tag", DataType::Int),
    ])
}

fn join(bounds: Bounds, by_record: bool) -> IntervalJoin {
    let output =
        Schema::new(vec![Field::new("tag", DataType::Int), Field::new("tag0", DataType::Int)]);
    let (keys, kept) = ([vec![0], vec![0]], [vec![2], vec![2]]);
    let inputs = [&input(), &input()];
    IntervalJoin::new("join", [1, 1], &keys, (bounds, by_record), &kept, inputs, &output)
}

/// Items as one merged batch; the record at position `i` of the stream has place `first + i`.
fn merged(items: &[Item], first: Seq) -> Merged {
    let mut sides: [Vec<[Value; 3]>; 2] = [Vec::new(), Vec::new()];
    let mut seqs: [Vec<Seq>; 2] = [Vec::new(), Vec::new()];
    let (mut runs, mut stairs) = (Vec::new(), Vec::new());
    let mut seq = first;
    for item in items {
        seq += 1;
        match *item {
            Item::Row { side, key, time, tag } => {
                let piece = side as u32;
                let from = sides[side].len() as u32;
                runs.push(Run { piece, from, to: from + 1 });
                seqs[side].push(seq);
                sides[side].push([
                    key.map_or(Value::Null, Value::BigInt),
                    time.map_or(Value::Null, Value::Timestamp),
                    Value::Int(tag),
                ]);
            }
            Item::Step(w) => {
                let row = runs.len() as u32;
                stairs.push(Stair {
                    row,
                    watermark: EventTime(w),
                    seq,
                    idle: false,
                    clock: NO_CLOCK,
                });
            }
        }
    }
    let piece = |side: usize| {
        let column = |c: usize| {
            let values: Vec<Value> = sides[side].iter().map(|r| r[c].clone()).collect();
            from_values(&values, input().fields[c].data_type)
        };
        (side, Batch::new(input(), (0..3).map(column).collect(), seqs[side].clone().into()))
    };
    Merged { pieces: vec![piece(0), piece(1)], runs, stairs, upto: seq }
}

/// A stream around `base`: keys with NULLs, times that jump about, a watermark that follows. Most times
/// are of whole tenths of a second, so that many meet the bounds and the watermark exactly.
fn stream(seed: u64, count: usize, base: i64, spread: u64, hostile: bool) -> Vec<Item> {
    let mut dice = Dice(seed);
    let mut items = Vec::new();
    let mut mark = i64::MIN;
    let round = |time: i64| time.div_euclid(100) * 100;
    for i in 0..count {
        let far = hostile && dice.below(40) == 0;
        let time = match (far, dice.below(6)) {
            (true, 0) => i64::MAX,
            (true, 1) => i64::MIN,
            (true, 2) => i64::MAX - dice.below(3_000) as i64,
            (true, n) => base.saturating_add((n as i64) << 33),
            _ => {
                round(base.saturating_add(i as i64 * 20).saturating_sub(dice.below(spread) as i64))
            }
        };
        let key = Some(dice.below(7) as i64).filter(|k| *k != 6);
        let time = Some(time).filter(|_| dice.below(50) > 0);
        items.push(Item::Row { side: dice.below(2) as usize, key, time, tag: i as i32 });
        if dice.below(3) == 0 {
            mark = mark.max(round(base.saturating_add(i as i64 * 20).saturating_sub(1_000)));
            items.push(Item::Step(mark));
        }
    }
    items
}

/// Pairs of tags in order of arrival, and how many rows are late.
fn expected(items: &[Item], bounds: Bounds, by_record: bool) -> (Vec<(i32, i32)>, u64) {
    // The last time at which somebody could meet a row lies behind the watermark.
    let over = |side: usize, time: i64, mark: i64| {
        let ahead = if side == 0 { bounds.upper } else { -bounds.lower };
        mark > i64::MIN && i128::from(time) + i128::from(ahead) < i128::from(mark)
    };
    let mut mark = i64::MIN;
    let mut held: Vec<(usize, i64, i64, i32)> = Vec::new();
    let (mut pairs, mut late) = (Vec::new(), 0);
    for item in items {
        match *item {
            Item::Step(w) => mark = w,
            Item::Row { side, key: Some(key), time: Some(time), tag } => {
                if time < mark && by_record {
                    late += 1;
                    continue;
                }
                let before = pairs.len();
                let held_still = |h: &&(usize, i64, i64, i32)| h.0 != side && !over(h.0, h.2, mark);
                for &(other, k, t, met) in held.iter().filter(held_still) {
                    let (l, r) = if other == 0 { (t, time) } else { (time, t) };
                    let apart = i128::from(r) - i128::from(l);
                    if k == key
                        && apart >= i128::from(bounds.lower)
                        && apart <= i128::from(bounds.upper)
                    {
                        pairs.push(if other == 0 { (met, tag) } else { (tag, met) });
                    }
                }
                let passes = time < mark && over(side, time, mark);
                late += u64::from(passes && pairs.len() == before);
                if !passes {
                    held.push((side, key, time, tag));
                }
            }
            Item::Row { .. } => {}
        }
    }
    (pairs, late)
}

fn ints(batch: &Batch, column: usize) -> Vec<i32> {
    let value = |i| match crate::column::value_at(&batch.columns[column], DataType::Int, i) {
        Value::Int(v) => v,
        other => panic!("{other:?}"),
    };
    (0..batch.rows).map(value).collect()
}

/// What the join makes of items in batches of `size`; with `restore`, from a snapshot before each batch.
fn joined(
    items: &[Item],
    (bounds, by_record): (Bounds, bool),
    size: usize,
    restore: bool,
) -> (Vec<(i32, i32)>, u64, Vec<u8>) {
    let mut operator = join(bounds, by_record);
    let (mut pairs, mut late) = (Vec::new(), 0);
    for (n, part) in items.chunks(size).enumerate() {
        if restore {
            let bytes = operator.snapshot();
            operator = join(bounds, by_record);
            operator.restore(&bytes).expect("its own state");
            assert_eq!(operator.snapshot(), bytes, "restoring changes nothing");
        }
        let mut out = Output { trace: (n % 2 == 0).then(Vec::new), ..Output::default() };
        operator.process_merged(merged(part, (n * size) as Seq), &mut out).expect("it joins");
        for batch in &out.batches {
            pairs.extend(ints(batch, 0).into_iter().zip(ints(batch, 1)));
        }
        late += out.late;
    }
    (pairs, late, operator.snapshot())
}

#[test]
fn pairs_are_those_of_a_nested_loop() {
    let bounds = [
        Bounds { lower: -300, upper: 500 },
        Bounds { lower: 100, upper: 400 },
        Bounds { lower: -400, upper: -100 },
        Bounds { lower: 0, upper: 0 },
        Bounds { lower: -(1 << 40), upper: 1 << 40 },
    ];
    let mut found = 0;
    for (n, bounds) in bounds.into_iter().enumerate() {
        let bases =
            [(1_700_000_000_000, false), (1_700_000_000_000, true), (i64::MAX - 9_000, true)];
        for ((base, hostile), by_record) in
            bases.into_iter().flat_map(|base| [(base, false), (base, true)])
        {
            let items = stream(n as u64 + 1, 400, base, 1_500, hostile);
            let (pairs, late) = expected(&items, bounds, by_record);
            found += pairs.len();
            let within = (bounds, by_record);
            let place = format!("{bounds:?} at {base}, {hostile}, {by_record}");
            let whole = joined(&items, within, items.len(), false);
            assert_eq!((&whole.0, whole.1), (&pairs, late), "{place}");
            for (size, restore) in [(1, false), (7, false), (64, false), (9, true)] {
                let same = joined(&items, within, size, restore);
                assert!(same == whole, "{place}, batches of {size}");
            }
        }
    }
    assert!(found > 5_000, "{found}");
}

/// A long stream keeps what the watermark has not passed, and no more.
#[test]
fn state_is_freed() {
    let bounds = Bounds { lower: -300, upper: 500 };
    let mut operator = join(bounds, false);
    let mut sizes = Vec::new();
    for round in 0..60 {
        let mut dice = Dice(round + 1);
        let mut items = Vec::new();
        for i in 0..1_000 {
            let time = (round * 1_000 + i) as i64;
            // Keys that never come back.
            let key = Some(time * 3 + dice.below(2) as i64);
            let tag = i as i32;
            items.push(Item::Row { side: (i % 2) as usize, key, time: Some(time), tag });
            items.push(Item::Step(time - 100));
        }
        let mut out = Output::default();
        operator.process_merged(merged(&items, round * 2_000), &mut out).expect("it joins");
        sizes.push(operator.snapshot().len());
        let (rows, blocks, keys) = operator.held();
        assert!(rows < 8_000, "{rows} rows in round {round}");
        assert!(blocks < 10_000, "{blocks} blocks in round {round}");
        assert!(keys < 40_000, "{keys} keys in round {round}");
    }
    assert_eq!(sizes[10], sizes[59], "the same number of rows is needed");
}

/// The trace frees each buffered row once, at the step that passes its last partner, however rows are
/// dropped in truth.
#[test]
fn the_trace_frees_each_row_at_its_step() {
    let bounds = Bounds { lower: -300, upper: 500 };
    let mut items = stream(5, 400, 1_700_000_000_000, 1_500, false);
    items.push(Item::Step(i64::MAX));
    let mut operator = join(bounds, false);
    let (mut waiting, mut late, mut matched) = (BTreeMap::new(), 0, 0);
    let mut watermark = i64::MIN;
    for (n, item) in items.iter().enumerate() {
        if let Item::Step(w) = item {
            watermark = *w;
        }
        let mut out = Output { trace: Some(Vec::new()), ..Output::default() };
        operator.process_merged(merged(&[*item], n as Seq), &mut out).expect("it joins");
        for what in out.trace.unwrap_or_default() {
            match what {
                What::JoinBuffer { side, seq, frees_at, .. } => {
                    assert!(frees_at > watermark);
                    waiting.insert((side, seq), frees_at);
                }
                What::JoinExpire { side, seqs } => {
                    for seq in seqs {
                        let frees_at = waiting.remove(&(side, seq)).expect("it was buffered");
                        assert!(frees_at <= watermark, "{frees_at} at {watermark}");
                    }
                }
                What::JoinLate { .. } => late += 1,
                What::JoinMatch { candidates, matched: seqs, .. } => {
                    assert_eq!(seqs.len(), candidates as usize);
                    matched += seqs.len();
                }
                other => panic!("{other:?}"),
            }
        }
        assert!(waiting.values().all(|&frees_at| frees_at > watermark), "freed at its step");
    }
    let (pairs, dropped) = expected(&items, bounds, false);
    assert_eq!((matched, late), (pairs.len(), dropped));
    assert!(waiting.is_empty() && dropped > 5);
}

#[test]
fn the_watermark_is_held_back_behind_all_that_may_come() {
    let items = stream(3, 600, 1_700_000_000_000, 1_500, false);
    for bounds in [
        Bounds { lower: -300, upper: 500 },
        Bounds { lower: 200, upper: 400 },
        Bounds { lower: -400, upper: -100 },
        Bounds { lower: 0, upper: 0 },
    ] {
        let times: Vec<i64> = items
            .iter()
            .filter_map(
                |i| if let Item::Row { time, .. } = i { Some(time.unwrap_or(0)) } else { None },
            )
            .collect();
        // A row behind the watermark makes pairs that are.
        let mut operator = join(bounds, true);
        let mut out = Output::default();
        operator.process_merged(merged(&items, 0), &mut out).expect("it joins");
        let mut mark = i64::MIN;
        let mut closest = i64::MAX;
        for batch in &out.batches {
            let mut steps = batch.stairs.iter().peekable();
            let pairs = ints(batch, 0).into_iter().zip(ints(batch, 1)).enumerate();
            for (row, (l, r)) in pairs {
                while let Some(s) = steps.next_if(|s| s.row as usize <= row) {
                    mark = s.watermark.0;
                }
                let least = times[l as usize].min(times[r as usize]);
                assert!(least > mark, "{bounds:?}");
                closest = closest.min(least.saturating_sub(mark));
            }
            steps.for_each(|s| mark = s.watermark.0);
        }
        assert_eq!(closest, 1, "{bounds:?}: no further back than needed");
    }
}

#[test]
fn state_of_another_shape_is_refused() {
    let bounds = Bounds { lower: 0, upper: 10 };
    let row = Item::Row { side: 0, key: Some(1), time: Some(5), tag: 1 };
    let mut full = join(bounds, false);
    full.process_merged(merged(&[row], 0), &mut Output::default()).expect("it joins");
    let bytes = full.snapshot();
    let wide = Schema::new([input().fields.clone(), input().fields.clone()].concat());
    let output = Schema::new(vec![Field::new("tag", DataType::Int)]);
    let mut other = IntervalJoin::new(
        "join",
        [1, 1],
        &[vec![0], vec![0]],
        (bounds, false),
        &[vec![2], vec![]],
        [&wide, &input()],
        &output,
    );
    assert_eq!(other.restore(&bytes).expect_err("another schema").code, "snapshot.mismatch");
    assert_eq!(full.restore(&bytes[..bytes.len() - 1]).expect_err("cut").code, "snapshot.corrupt");
    full.restore(&bytes).expect("its own");
    assert_eq!(full.snapshot(), bytes);
}
