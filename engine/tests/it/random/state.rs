//! Operators by themselves, fed with random batches: a copy made from a snapshot goes on as the
//! original does, byte for byte; and what they send keeps the order that whoever merges relies on.

use std::sync::Arc;

use highwater_engine::aggregate::{AggregateCall, Function};
use highwater_engine::batch::{Batch, NO_CLOCK, Stair};
use highwater_engine::column::from_values;
use highwater_engine::group::{BatchedAggregate, GroupAggregate};
use highwater_engine::join::{
    Bounds, JoinKind, OuterIntervalJoin, RegularJoin, TemporalJoin, WindowJoin,
};
use highwater_engine::key::KeyOrder;
use highwater_engine::operator::{Operator, Output};
use highwater_engine::over::{Frame, Lag, OverAggregate, OverSpec};
use highwater_engine::schema::{DataType, Field, Schema, SchemaRef};
use highwater_engine::time::{Alignment, Cumulation, EventTime};
use highwater_engine::value::Value;
use highwater_engine::window::{
    AlignedAggregate, AttachedAggregate, CumulateAggregate, Emission, Panes, SessionAggregate,
    SessionRows, Trigger, TriggeredAggregate, WindowBound, WindowSpec,
};

use super::stream::Dice;

pub(super) const TYPES: [DataType; 9] = [
    DataType::BigInt,
    DataType::String,
    DataType::Timestamp,
    DataType::BigInt,
    DataType::Double,
    DataType::Decimal(10, 2),
    DataType::Boolean,
    DataType::Timestamp,
    DataType::Timestamp,
];
pub(super) const TIME: usize = 2;
/// A window that the row carries.
const WINDOW: [usize; 2] = [7, 8];

/// Makes operators of one kind, each fresh.
struct Maker {
    kind: u64,
    keys: Vec<usize>,
    order: KeyOrder,
    calls: Vec<AggregateCall>,
    alignment: Alignment,
    gap: i64,
    input: SchemaRef,
    output: SchemaRef,
}

impl Maker {
    fn new(dice: &mut Dice) -> Maker {
        let input = Schema::new(
            TYPES.iter().zip(0..).map(|(&t, i)| Field::new(format!("c{i}"), t)).collect(),
        );
        let kind = dice.below(17);
        // Without a key every row meets every other.
        let none = if matches!(kind, 3..=6 | 16) { vec![1] } else { vec![] };
        let keys = dice.of(&[vec![0], vec![0], vec![1], vec![1, 0], none]);
        let mut call = |function, arguments: &[usize]| AggregateCall {
            function,
            argument: Some(dice.of(arguments)),
            distinct: dice.once_in(3),
            filter: dice.once_in(3).then_some(6),
            separator: None,
        };
        let calls = vec![
            AggregateCall::of(Function::Count, None),
            call(Function::Sum, &[3, 4, 5]),
            call(Function::Avg, &[3, 4, 5]),
            call(Function::Min, &[1, 3, 4, 5, 6]),
            call(Function::Max, &[1, 3, 4, 5, 6]),
            call(Function::FirstValue, &[1, 3, 4, 5, 6]),
            call(Function::LastValue, &[1, 3, 4, 5, 6]),
            call(Function::ListAgg, &[1]),
            call(Function::VarPop, &[3, 4, 5]),
            call(Function::StddevSamp, &[3, 4, 5]),
        ];
        let bounds = if matches!(kind, 2 | 15) { 0 } else { 3 };
        let mut types: Vec<DataType> = keys.iter().map(|&k| TYPES[k]).collect();
        types.extend(std::iter::repeat_n(DataType::Timestamp, bounds));
        let result = |c: &AggregateCall| c.function.result_type(c.argument.map(|a| TYPES[a]));
        types.extend(calls.iter().map(|c| result(c).expect("it applies")));
        match kind {
            3..=6 | 16 => types = [TYPES, TYPES].concat(),
            9 => types = [&TYPES[..], &[DataType::Timestamp; 3]].concat(),
            10..=12 => {
                let results = calls.iter().map(|c| result(c).expect("it applies"));
                types = TYPES[..3].iter().copied().chain(results).collect();
                if kind > 10 {
                    types.extend([TYPES[1], TYPES[3]]);
                }
            }
            _ => {}
        }
        let output = Schema::new(
            types.iter().zip(0..).map(|(&t, i)| Field::new(format!("o{i}"), t)).collect(),
        );
        let step = dice.of(&[5, 100, 1_000]);
        Maker {
            kind,
            keys,
            order: dice.of(&[KeyOrder::Value, KeyOrder::Group]),
            calls,
            alignment: Alignment::new(step * dice.of(&[1, 1, 3, 20]), step, dice.of(&[0, -3, 777])),
            gap: dice.of(&[2, 50, 400]),
            input,
            output,
        }
    }

    /// Windows that fire early and late, by records and by time.
    fn emission(&self) -> Emission {
        let often = |t: Trigger| Some(Box::new(t));
        let waits = Trigger::AfterProcessingTime { delay: self.gap, aligned: None };
        let distinct = self.calls.iter().filter(|c| c.distinct).count();
        Emission {
            trigger: match distinct % 3 {
                0 => Trigger::AfterWatermark {
                    early: often(Trigger::AfterCount(2)),
                    late: often(waits),
                },
                1 => Trigger::Repeatedly(Box::new(Trigger::AfterAny(vec![
                    waits,
                    Trigger::AfterCount(3),
                ]))),
                _ => Trigger::AfterWatermark { early: often(waits), late: None },
            },
            lateness: self.gap * 2,
            panes: [Panes::Retracting, Panes::Accumulating, Panes::Discarding][distinct / 2 % 3],
            by_tick: self.alignment.step == 100,
            ..Emission::ON_TIME
        }
    }

    /// Rows leave the frames of two kinds; the third is of either.
    fn frame(&self) -> Frame {
        match (self.kind, self.gap) {
            (10, gap) => Frame::Range(Some(gap)),
            (11, 2) => Frame::Rows(Some(0)),
            (11, gap) => Frame::Rows(Some(gap as u64 / 20)),
            (_, 50) => Frame::Rows(None),
            (_, 2) => Frame::Range(Some(60)),
            _ => Frame::Range(None),
        }
    }

    /// What stands behind the aggregates of OVER.
    fn lags(&self) -> Vec<Lag> {
        let lag = |column, offset, default| Lag { column, offset, default };
        if self.kind == 10 {
            return Vec::new();
        }
        vec![lag(1, self.gap as u64 / 25, None), lag(3, 1, Some(3))]
    }

    fn make(&self) -> Box<dyn Operator> {
        let (schemas, calls) = ((&self.input, &self.output), &self.calls[..]);
        let (keys, made) = ((&self.keys[..], self.order), (&WindowBound::ALL[..], calls));
        match self.kind {
            0 => Box::new(AlignedAggregate::new("o", self.alignment, TIME, keys, made, schemas)),
            1 => Box::new(SessionAggregate::new("o", self.gap, TIME, keys, made, schemas)),
            13 | 14 => {
                let spec = match self.kind {
                    13 => WindowSpec::Aligned(self.alignment),
                    _ => WindowSpec::Session { gap: self.gap },
                };
                let window = (spec, &self.emission());
                Box::new(TriggeredAggregate::new("o", window, TIME, keys, made, schemas))
            }
            7 => Box::new(AttachedAggregate::new("o", WINDOW, keys, made, schemas)),
            8 => {
                let Alignment { step, size, offset } = self.alignment;
                let windows = Cumulation::new(step, size, offset * 3);
                Box::new(CumulateAggregate::new("o", windows, TIME, keys, made, schemas))
            }
            9 => Box::new(SessionRows::new("o", self.gap, TIME, keys, schemas)),
            10..=12 => {
                let spec = OverSpec {
                    keys: self.keys.clone(),
                    time: TIME,
                    frame: self.frame(),
                    aggregates: self.calls.clone(),
                    lags: self.lags(),
                    columns: vec![0, 1, TIME],
                };
                Box::new(OverAggregate::new("o", &spec, schemas))
            }
            3..=6 | 16 => {
                let kinds = [JoinKind::Inner, JoinKind::Left, JoinKind::Right, JoinKind::Full];
                let kind = kinds[self.calls.iter().filter(|c| c.distinct).count() % 4];
                let inputs = [&self.input, &self.input];
                let keys = [self.keys.clone(), self.keys.clone()];
                if self.kind == 4 {
                    let keys = (&keys, [TIME, TIME]);
                    return Box::new(WindowJoin::new("o", kind, keys, None, inputs, &self.output));
                }
                if self.kind == 6 {
                    let bounds = Bounds { lower: -self.gap, upper: self.alignment.step };
                    let by = ([TIME, TIME], &keys, bounds, self.gap > 2);
                    let output = &self.output;
                    return Box::new(OuterIntervalJoin::new("o", kind, by, None, inputs, output));
                }
                if self.kind == 5 {
                    let by = ([TIME, TIME], self.gap > 2, &keys);
                    let (outer, output) = (kind == JoinKind::Left, &self.output);
                    return Box::new(TemporalJoin::new("o", outer, by, None, inputs, output));
                }
                if self.kind == 16 {
                    let kind = if self.gap > 2 { JoinKind::Inner } else { JoinKind::Left };
                    let output = (&self.output, false);
                    let join = RegularJoin::new("o", kind, &keys, None, inputs, output);
                    return Box::new(join.looking_up(self.alignment.step == 100));
                }
                let output = (&self.output, true);
                Box::new(RegularJoin::new("o", kind, &keys, None, inputs, output))
            }
            _ => {
                let changes = (self.gap > 2, self.alignment.step == 100);
                let group = GroupAggregate::new("o", &self.keys, calls, changes, schemas);
                match self.kind {
                    15 => {
                        let count = self.keys.len();
                        Box::new(BatchedAggregate::new("o", group, count, &self.output))
                    }
                    _ => Box::new(group),
                }
            }
        }
    }
}

/// A source of batches: keys that come and go, steps of the watermark between rows.
pub(super) struct Feed {
    pub row: i64,
    pub seq: u64,
    pub high: i64,
    pub watermark: i64,
    /// How many rows a key lives, how fast time goes, and how often there is a NULL.
    pub life: i64,
    pub pace: i64,
    pub nulls: u64,
}

impl Feed {
    pub(super) fn batch(&mut self, rows: usize, schema: &SchemaRef, dice: &mut Dice) -> Batch {
        let mut cells: Vec<Vec<Value>> = vec![Vec::new(); TYPES.len()];
        let (mut seqs, mut stairs): (Vec<u64>, Vec<Stair>) = (Vec::new(), Vec::new());
        for i in 0..rows {
            self.row += 1;
            self.seq += 1;
            seqs.push(self.seq);
            let key = (self.row - dice.below(self.life as u64) as i64) / 2;
            let time = self.row * self.pace / 16 - dice.below(300) as i64;
            let row = [
                Value::BigInt(key * 3),
                Value::String(format!("k{}", key % 997).into()),
                Value::Timestamp(time),
                Value::BigInt(dice.below(1_000) as i64 - 500),
                Value::Double(dice.below(100) as f64 / 8.0),
                Value::Decimal(dice.below(9_999).into(), 2),
                Value::Boolean(dice.once_in(2)),
                Value::Timestamp(time / 60 * 60),
                Value::Timestamp(time / 60 * 60 + 60 * (1 + time.rem_euclid(3))),
            ];
            for (c, value) in row.into_iter().enumerate() {
                let null = c != TIME && self.nulls > 0 && dice.once_in(self.nulls);
                cells[c].push(if null { Value::Null } else { value });
            }
            self.high = self.high.max(time);
            if dice.once_in(3) && self.high - 100 > self.watermark {
                self.watermark = self.high - 100;
                let (row, watermark) = (i as u32 + 1, EventTime(self.watermark));
                stairs.push(Stair {
                    row,
                    watermark,
                    seq: self.seq,
                    idle: false,
                    clock: watermark.0,
                });
            }
            if dice.once_in(50) {
                self.seq += 1;
                let (row, watermark) = (i as u32 + 1, EventTime(self.watermark));
                stairs.push(Stair { row, watermark, seq: self.seq, idle: true, clock: NO_CLOCK });
            }
        }
        let columns = cells.iter().zip(TYPES).map(|(c, t)| from_values(c, t)).collect();
        let batch = Batch::new(Arc::clone(schema), columns, seqs.into());
        Batch { stairs, upto: self.seq, ..batch }
    }
}

pub(super) fn process(operator: &mut dyn Operator, batch: &Batch) -> (Vec<Batch>, u64) {
    let mut out = Output::default();
    // Joins have two inputs; all others look at their rows alone.
    let input = batch.seqs.get(0).unwrap_or(0) as usize % 2;
    operator.process(input, batch.clone(), &mut out).expect("it can be computed");
    (out.batches, out.late)
}

pub(super) fn shown(batches: &[Batch]) -> Vec<String> {
    let one = |b: &Batch| {
        let rows = (0..b.rows).map(|i| (b.kind(i), b.seqs.at(i), format!("{:?}", b.row(i))));
        format!("{:?} {:?} {}", rows.collect::<Vec<_>>(), b.stairs, b.upto)
    };
    batches.iter().map(one).collect()
}

/// Rows and steps in the order of the stream, none at or before what was said to be complete.
pub(super) fn in_place(batches: &[Batch], said: &mut u64, seed: u64) {
    for b in batches {
        assert!(b.stairs.is_sorted_by_key(|s| (s.row, s.watermark.0, s.seq)), "seed {seed}");
        let (mut steps, mut last) = (b.stairs.iter().peekable(), (*said, 1));
        for row in 0..=b.rows {
            while let Some(s) = steps.next_if(|s| s.row as usize <= row) {
                assert!((s.seq, 1) >= last, "seed {seed}: step {s:?} after {last:?}");
                last = (s.seq, 1);
            }
            if row < b.rows {
                assert!((b.seqs.at(row), 0) >= last, "seed {seed}: row {row} after {last:?}");
                last = (b.seqs.at(row), 0);
            }
        }
        assert_eq!(steps.next(), None, "seed {seed}: a step behind all rows");
        assert!(b.upto >= *said, "seed {seed}");
        *said = b.upto;
    }
}

fn attempt(seed: u64) {
    let mut dice = Dice(seed);
    let maker = Maker::new(&mut dice);
    let mut feed = Feed {
        row: 0,
        seq: 0,
        high: i64::MIN,
        watermark: i64::MIN,
        life: dice.of(&[4, 40, 4_000]),
        pace: dice.of(&[1, 16, 400]),
        nulls: 0,
    };
    let mut operator = maker.make();
    let (sizes, mut said) = (dice.of(&[[1, 3], [30, 90], [900, 1_500]]), 0);
    // Lists grow with each row, and each row shows them.
    let rounds = if sizes[0] > 500 && dice.once_in(3) { 10 } else { 6 };
    for round in 0..rounds {
        if round == rounds / 2 {
            feed.nulls = dice.of(&[0, 5]);
        }
        let rows = sizes[0] + dice.below(sizes[1]);
        let batch = feed.batch(rows as usize, &maker.input, &mut dice);
        // The copy may be a used operator: it has to forget what it knew.
        let mut copy = if dice.once_in(2) { operator.fork() } else { maker.make() };
        if dice.once_in(2) {
            process(&mut *copy, &Feed { ..feed }.batch(40, &maker.input, &mut Dice(seed)));
        }
        let bytes = operator.snapshot();
        copy.restore(&bytes).expect("its own state");
        assert!(copy.snapshot() == bytes, "seed {seed}: the copy's bytes in round {round}");
        let (made, found) = (process(&mut *operator, &batch), process(&mut *copy, &batch));
        assert_eq!(shown(&found.0), shown(&made.0), "seed {seed}: the copy's rows, round {round}");
        assert_eq!(found.1, made.1, "seed {seed}: late records");
        assert!(copy.snapshot() == operator.snapshot(), "seed {seed}: bytes after round {round}");
        in_place(&made.0, &mut said, seed);
        if dice.once_in(2) {
            operator = copy;
        }
    }
    let end = Stair {
        row: 0,
        watermark: EventTime::MAX,
        seq: feed.seq + 1,
        idle: false,
        clock: NO_CLOCK,
    };
    let batch = Batch::progress(Arc::clone(&maker.input), vec![end], feed.seq + 1);
    let (made, _) = process(&mut *operator, &batch);
    in_place(&made, &mut said, seed);
    if maker.kind < 2 || maker.kind == 4 || (6..=10).contains(&maker.kind) {
        // Nothing is left: the state is that of an operator that was only told of the end.
        let mut fresh = maker.make();
        process(&mut *fresh, &batch);
        assert!(operator.snapshot() == fresh.snapshot(), "seed {seed}: something is left");
    }
}

/// State of another operator is refused or taken, and then nothing falls over.
#[test]
fn the_state_of_another_operator_does_no_harm() {
    let mut dice = Dice(5);
    let (mut refused, mut taken) = (0, 0);
    for round in 0..400 {
        let (from, mut to) = (Maker::new(&mut dice), Maker::new(&mut dice));
        if round % 3 > 0 {
            // Of the same kind over the same columns, or the same but for its windows.
            (to.kind, to.keys, to.output) = (from.kind, from.keys.clone(), from.output.clone());
            (to.input, to.calls) = (from.input.clone(), from.calls.clone());
        }
        let feed =
            || Feed { row: 0, seq: 0, high: 0, watermark: i64::MIN, life: 9, pace: 9, nulls: 3 };
        let (mut feeds, mut source) = ([feed(), feed()], from.make());
        process(&mut *source, &feeds[0].batch(40, &from.input, &mut dice));
        let mut operator = to.make();
        let mut bytes = source.snapshot();
        if round % 3 == 2 {
            // A checksum would notice. This is what stands behind it.
            for _ in 0..1 + dice.below(3) {
                let bit = dice.below(bytes.len() as u64 * 8) as usize;
                bytes[bit / 8] ^= 1 << (bit % 8);
            }
        }
        if operator.restore(&bytes).is_err() {
            refused += 1;
            continue;
        }
        taken += 1;
        process(&mut *operator, &feeds[1].batch(60, &to.input, &mut dice));
        let end =
            Stair { row: 0, watermark: EventTime::MAX, seq: 999, idle: false, clock: NO_CLOCK };
        process(&mut *operator, &Batch::progress(Arc::clone(&to.input), vec![end], 999));
        operator.snapshot();
    }
    assert!(refused > 20 && taken > 20, "{refused} refused, {taken} taken");
}

#[test]
fn an_operator_goes_on_from_its_snapshot_as_if_nothing_had_happened() {
    std::thread::scope(|scope| {
        for first in 0..2 {
            scope.spawn(move || (first..26).step_by(2).for_each(attempt));
        }
    });
}
