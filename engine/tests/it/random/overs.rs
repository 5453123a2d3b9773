//! OVER by itself, fed with random batches: what it says of each row is what a plain loop finds in the rows
//! of its partition that have left so far, and these leave in the order of their times.

use std::collections::BTreeMap;

use highwater_engine::aggregate::{AggregateCall, Function};
use highwater_engine::batch::{Batch, NO_CLOCK, Stair};
use highwater_engine::over::{Frame, OverAggregate, OverSpec};
use highwater_engine::schema::{DataType, Field, Schema};
use highwater_engine::time::EventTime;
use highwater_engine::value::Value;

use super::state::{Feed, TIME, TYPES, in_place, process};
use super::stream::Dice;

/// A partition's rows that have left: time and value.
type Left = BTreeMap<String, Vec<(i64, Option<i64>)>>;

fn call(function: Function, argument: Option<usize>) -> AggregateCall {
    AggregateCall::of(function, argument)
}

/// Key, time, value, count and sum.
type Row = (String, i64, Option<i64>, i64, Option<i64>);

fn rows(batch: &Batch) -> Vec<Row> {
    let whole = |value: &Value| match value {
        Value::BigInt(v) => Some(*v),
        Value::Null => None,
        other => panic!("{other:?} is no number"),
    };
    let row = |i: usize| match batch.row(i).as_slice() {
        [key, Value::Timestamp(time), value, count, sum] => {
            let count = whole(count).expect("a count");
            (format!("{key:?}"), *time, whole(value), count, whole(sum))
        }
        other => panic!("{other:?} is no such row"),
    };
    (0..batch.rows).map(row).collect()
}

/// Whether a row's results are right, given all rows of its partition that have left with it or before.
fn check(frame: Frame, left: &[(i64, Option<i64>)], at: usize, count: i64, sum: Option<i64>) {
    let time = left[at].0;
    let within: Vec<Option<i64>> = match frame {
        Frame::Rows(n) => {
            let from = n.map_or(0, |n| at.saturating_sub(n as usize));
            left[from..=at].iter().map(|r| r.1).collect()
        }
        Frame::Range(ms) => {
            let from = ms.map_or(i64::MIN, |ms| time - ms);
            left.iter().filter(|r| (from..=time).contains(&r.0)).map(|r| r.1).collect()
        }
    };
    let expected = within.iter().flatten().copied().reduce(|a, b| a + b);
    assert_eq!((count, sum), (within.len() as i64, expected), "{frame:?} at {time}");
}

fn attempt(frame: Frame, seed: u64) {
    let mut dice = Dice(seed);
    let fields = |types: &[DataType]| {
        Schema::new(types.iter().zip(0..).map(|(&t, i)| Field::new(format!("c{i}"), t)).collect())
    };
    let input = fields(&TYPES);
    let big = DataType::BigInt;
    let output = fields(&[big, DataType::Timestamp, big, big, big]);
    let spec = OverSpec {
        keys: vec![0],
        time: TIME,
        frame,
        aggregates: vec![call(Function::Count, None), call(Function::Sum, Some(3))],
        lags: Vec::new(),
        columns: vec![0, TIME, 3],
    };
    let mut operator = OverAggregate::new("o", &spec, (&input, &output));
    let (life, nulls) = (dice.of(&[4, 40]), dice.of(&[0, 5]));
    let mut feed =
        Feed { row: 0, seq: 0, high: i64::MIN, watermark: i64::MIN, life, pace: 400, nulls };
    let (mut left, mut said, mut late, mut came) = (Left::new(), 0, 0, 0);
    for round in 0..40 {
        let mut batch = match round {
            39 => Batch::progress(input.clone(), Vec::new(), feed.seq + 1),
            _ => feed.batch(1 + dice.below(60) as usize, &input, &mut dice),
        };
        if round == 39 {
            let (watermark, seq) = (EventTime::MAX, feed.seq + 1);
            batch.stairs.push(Stair { row: 0, watermark, seq, idle: false, clock: NO_CLOCK });
        }
        let (made, dropped) = process(&mut operator, &batch);
        in_place(&made, &mut said, seed);
        late += dropped;
        for batch in &made {
            let rows = rows(batch);
            came += rows.len();
            // Rows of one time come with one step, so all that a frame takes in is in this batch.
            let mut at = Vec::new();
            for (key, time, value, ..) in &rows {
                let left = left.entry(key.clone()).or_default();
                assert!(left.last().is_none_or(|last| last.0 <= *time), "{frame:?}: out of order");
                left.push((*time, *value));
                at.push(left.len() - 1);
            }
            for ((key, .., count, sum), at) in rows.iter().zip(at) {
                check(frame, &left[key], at, *count, *sum);
            }
        }
    }
    assert!(came > 300 && came as u64 + late == feed.row as u64, "{came} rows and {late} late");
}

#[test]
fn each_row_has_what_its_partition_had_until_then() {
    // The range is so long that no partition is forgotten and comes again.
    let range = Frame::Range(Some(20_000));
    for frame in
        [Frame::Rows(Some(0)), Frame::Rows(Some(3)), Frame::Rows(None), range, Frame::Range(None)]
    {
        for seed in 0..6 {
            attempt(frame, seed);
        }
    }
}
