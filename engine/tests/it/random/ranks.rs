//! Ranks by themselves, fed with random batches: what they say leaves the rows that a plain sort finds, a
//! copy made from a snapshot goes on as the original does, and no snapshot, however damaged, does harm.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::Arc;

use highwater_engine::batch::{Batch, NO_CLOCK, RowKind, Stair};
use highwater_engine::column::from_values;
use highwater_engine::key::{KeyOrder, encode};
use highwater_engine::operator::Operator;
use highwater_engine::plan::RankSpec;
use highwater_engine::rank::{ChangingRank, ClosingRank, Emit, SortColumn};
use highwater_engine::schema::{DataType, Field, Schema, SchemaRef};
use highwater_engine::time::EventTime;
use highwater_engine::value::Value;

use super::state::{Feed, TIME, TYPES, in_place, process, shown};
use super::stream::Dice;

/// Makes ranks of one kind, each fresh.
struct Maker {
    spec: RankSpec,
    retracted: bool,
    order: KeyOrder,
    input: SchemaRef,
    output: SchemaRef,
}

impl Maker {
    fn new(dice: &mut Dice) -> Maker {
        let emit = dice.of(&[
            Emit::Changes,
            Emit::Changes,
            Emit::Changes,
            Emit::Latest,
            Emit::First(TIME),
            Emit::Window { start: TIME, end: TIME, latest: false },
            Emit::Window { start: TIME, end: TIME, latest: true },
        ]);
        let by = |column: usize, dice: &mut Dice| SortColumn {
            column,
            descending: dice.once_in(2),
            nulls_first: dice.once_in(2),
        };
        let time = |descending| SortColumn { column: TIME, descending, nulls_first: !descending };
        let order = match emit {
            Emit::Latest => vec![time(true)],
            Emit::First(_) => vec![time(false)],
            _ => (0..dice.below(3)).map(|_| by(dice.of(&[1, 3, 4, 5, 6]), dice)).collect(),
        };
        let mut keys = dice.of(&[vec![0], vec![1], vec![6], vec![1, 6], vec![]]);
        if matches!(emit, Emit::Window { .. }) {
            keys.push(TIME);
        }
        let retracted = emit == Emit::Changes && dice.once_in(2);
        let one = matches!(emit, Emit::Latest | Emit::First(_) | Emit::Window { latest: true, .. });
        let first = if one { 1 } else { 1 + dice.below(3) };
        let last = if one { 1 } else { first + dice.below(4) };
        let columns = match retracted {
            true => (0..TYPES.len()).collect(),
            false => dice.of(&[vec![3, 1], vec![], (0..TYPES.len()).collect()]),
        };
        let numbered = dice.once_in(2);
        let field = |(i, t)| Field::new(format!("c{i}"), t);
        let input = Schema::new(TYPES.into_iter().enumerate().map(field).collect());
        let mut types: Vec<DataType> = columns.iter().map(|&c| TYPES[c]).collect();
        types.extend(numbered.then_some(DataType::BigInt));
        let output = Schema::new(types.into_iter().enumerate().map(field).collect());
        let spec = RankSpec { keys, order, first, last, columns, numbered, emit };
        let order = dice.of(&[KeyOrder::Value, KeyOrder::Group]);
        Maker { spec, retracted, order, input, output }
    }

    fn make(&self) -> Box<dyn Operator> {
        let schemas = (&self.input, &self.output);
        match self.spec.emit {
            Emit::Changes | Emit::Latest => {
                Box::new(ChangingRank::new("o", &self.spec, self.retracted, schemas))
            }
            _ => Box::new(ClosingRank::new("o", &self.spec, self.order, schemas)),
        }
    }

    /// Some of a batch's rows replaced by rows that came before and are taken back.
    fn taking_back(&self, batch: Batch, live: &mut Vec<Vec<Value>>, dice: &mut Dice) -> Batch {
        let mut rows = Vec::new();
        let mut kinds = Vec::new();
        for i in 0..batch.rows {
            if self.retracted && !live.is_empty() && dice.once_in(3) {
                rows.push(live.remove(dice.below(live.len() as u64) as usize));
                kinds.push(dice.of(&[RowKind::UpdateBefore, RowKind::Delete]));
            } else {
                rows.push(batch.row(i));
                live.push(batch.row(i));
                kinds.push(dice.of(&[RowKind::Insert, RowKind::UpdateAfter]));
            }
        }
        let column = |c: usize| {
            from_values(&rows.iter().map(|r| r[c].clone()).collect::<Vec<_>>(), TYPES[c])
        };
        let columns = (0..TYPES.len()).map(column).collect();
        let kinds = self.retracted.then(|| kinds.into());
        Batch { kinds, ..batch.with_columns(Arc::clone(&self.input), columns) }
    }

    fn compare(&self, a: &[Value], b: &[Value]) -> Ordering {
        let one = |by: &SortColumn| {
            let (a, b) = (&a[by.column], &b[by.column]);
            match (a.is_null(), b.is_null()) {
                (false, false) if by.descending => b.total_cmp(a),
                (false, false) => a.total_cmp(b),
                (x, y) if x == y => Ordering::Equal,
                (x, _) if x == by.nulls_first => Ordering::Less,
                _ => Ordering::Greater,
            }
        };
        self.spec.order.iter().map(one).find(|o| o.is_ne()).unwrap_or(Ordering::Equal)
    }

    /// What the rows that are there, in the order they came, leave.
    fn expected(&self, live: &[Vec<Value>]) -> BTreeMap<String, usize> {
        let mut partitions: BTreeMap<String, Vec<&Vec<Value>>> = BTreeMap::new();
        for row in live {
            let key: Vec<&Value> = self.spec.keys.iter().map(|&k| &row[k]).collect();
            let rows = partitions.entry(format!("{key:?}")).or_default();
            if self.spec.emit == Emit::Latest { rows.insert(0, row) } else { rows.push(row) }
        }
        let mut left = BTreeMap::new();
        for rows in partitions.values_mut() {
            rows.sort_by(|a, b| self.compare(a, b));
            let ranked = rows.iter().zip(1..).filter(|(_, rank)| {
                (self.spec.first as i64..=self.spec.last as i64).contains(rank)
            });
            for (row, rank) in ranked {
                let mut cells: Vec<Value> =
                    self.spec.columns.iter().map(|&c| row[c].clone()).collect();
                cells.extend(self.spec.numbered.then_some(Value::BigInt(rank)));
                *left.entry(format!("{cells:?}")).or_default() += 1;
            }
        }
        left
    }
}

fn apply(left: &mut BTreeMap<String, usize>, made: &[Batch]) {
    for (batch, i) in made.iter().flat_map(|b| (0..b.rows).map(move |i| (b, i))) {
        let row = format!("{:?}", batch.row(i));
        match batch.kind(i) {
            RowKind::Insert | RowKind::UpdateAfter => *left.entry(row).or_default() += 1,
            RowKind::UpdateBefore | RowKind::Delete => {
                let count = left.get_mut(&row).unwrap_or_else(|| panic!("{row} is not there"));
                *count -= 1;
                if *count == 0 {
                    left.remove(&row);
                }
            }
        }
    }
}

fn feed(dice: &mut Dice) -> Feed {
    let (life, pace) = (dice.of(&[2, 12, 400]), dice.of(&[1, 16, 400]));
    Feed { row: 0, seq: 0, high: i64::MIN, watermark: i64::MIN, life, pace, nulls: 5 }
}

fn attempt(seed: u64) {
    let mut dice = Dice(seed);
    let maker = Maker::new(&mut dice);
    let mut feed = feed(&mut dice);
    let mut operator = maker.make();
    let (mut live, mut left, mut said) = (Vec::new(), BTreeMap::new(), 0);
    let most = dice.of(&[1, 6, 50]);
    let closing = matches!(maker.spec.emit, Emit::First(_) | Emit::Window { .. });
    for round in 0..12 {
        let rows = 1 + dice.below(most);
        let batch = feed.batch(rows as usize, &maker.input, &mut dice);
        let batch = maker.taking_back(batch, &mut live, &mut dice);
        // The copy may be a used operator: it has to forget what it knew.
        let mut copy = if dice.once_in(2) { operator.fork() } else { maker.make() };
        let bytes = operator.snapshot();
        copy.restore(&bytes).expect("its own state");
        assert!(copy.snapshot() == bytes, "seed {seed}: the copy's bytes in round {round}");
        let (made, found) = (process(&mut *operator, &batch), process(&mut *copy, &batch));
        assert_eq!(shown(&found.0), shown(&made.0), "seed {seed}: the copy's rows, round {round}");
        assert_eq!(found.1, made.1, "seed {seed}: late records");
        assert!(copy.snapshot() == operator.snapshot(), "seed {seed}: bytes after round {round}");
        in_place(&made.0, &mut said, seed);
        apply(&mut left, &made.0);
        if !closing {
            assert_eq!(left, maker.expected(&live), "seed {seed}: {:?}", maker.spec);
        }
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
    if matches!(maker.spec.emit, Emit::Window { .. }) {
        // Nothing is left: the state is that of an operator that was only told of the end.
        let mut fresh = maker.make();
        process(&mut *fresh, &batch);
        assert!(operator.snapshot() == fresh.snapshot(), "seed {seed}: something is left");
    }
}

#[test]
fn ranks_leave_what_a_plain_sort_finds() {
    for seed in 0..300 {
        attempt(seed);
    }
}

/// State of another rank is refused or taken, and then nothing falls over.
#[test]
fn the_state_of_another_rank_does_no_harm() {
    let mut dice = Dice(5);
    let (mut refused, mut taken) = (0, 0);
    for round in 0..600 {
        let (from, other) = (Maker::new(&mut dice), Maker::new(&mut dice));
        let mut source = from.make();
        let (mut before, mut after) = (feed(&mut dice), feed(&mut dice));
        process(&mut *source, &before.batch(40, &from.input, &mut dice));
        let mut bytes = source.snapshot();
        let to = if round % 3 == 0 { other } else { from };
        for _ in 0..if round % 3 == 2 { 1 + dice.below(3) } else { 0 } {
            // A checksum would notice. This is what stands behind it.
            let bit = dice.below(bytes.len() as u64 * 8) as usize;
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
        let mut operator = to.make();
        if operator.restore(&bytes).is_err() {
            refused += 1;
            continue;
        }
        taken += 1;
        process(&mut *operator, &after.batch(60, &to.input, &mut dice));
        let end =
            Stair { row: 0, watermark: EventTime::MAX, seq: 999, idle: false, clock: NO_CLOCK };
        process(&mut *operator, &Batch::progress(Arc::clone(&to.input), vec![end], 999));
        let bytes = operator.snapshot();
        operator.restore(&bytes).expect("what it says itself");
    }
    assert!(refused > 100 && taken > 200, "{refused} refused, {taken} taken");
}

/// What a snapshot says of rows is checked: their order, and that what they are made of are values.
#[test]
fn rows_that_are_none_are_refused() {
    let mut dice = Dice(1);
    for emit in [Emit::Changes, Emit::Window { start: TIME, end: TIME, latest: false }] {
        let keys = vec![TIME];
        let order = vec![SortColumn { column: 3, descending: false, nulls_first: true }];
        let (columns, numbered) = (vec![1], false);
        let spec = RankSpec { keys, order, first: 1, last: 2, columns, numbered, emit };
        let maker = Maker {
            output: Schema::new(vec![Field::new("c1", TYPES[1])]),
            spec,
            ..Maker::new(&mut dice)
        };
        let row = |text: &str, number: i64| {
            let (text, time) = (Value::String(text.into()), Value::Timestamp(9));
            let decimal = Value::Decimal(0, 2);
            let (long, flag) = (Value::BigInt(number), Value::Boolean(true));
            [Value::Null, text, time, long, Value::Null, decimal, flag, Value::Null, Value::Null]
        };
        let rows = [row("first", 5), row("second", 7)];
        let column = |c: usize| from_values(&rows.each_ref().map(|r| r[c].clone()), TYPES[c]);
        let columns = (0..TYPES.len()).map(column).collect();
        let batch = Batch::new(maker.input.clone(), columns, vec![1, 2].into());
        let mut operator = maker.make();
        process(&mut *operator, &batch);
        let bytes = operator.snapshot();
        let code = |value: &Value| encode(std::slice::from_ref(value));
        let at = |value: &Value| {
            let code = code(value);
            let mut places = bytes.windows(code.len()).enumerate().filter(|(_, w)| *w == code);
            places.next().unwrap_or_else(|| panic!("{value:?} is there")).0
        };
        let restored = |bytes: &[u8]| maker.make().restore(bytes);
        restored(&bytes).expect("its own state");
        // Neither a value nor NULL; text that is none; the rows in the wrong order.
        for place in [at(&rows[0][3]), at(&rows[1][3]), at(&rows[0][1]), at(&rows[1][1]) + 1] {
            let mut damaged = bytes.clone();
            damaged[place] ^= 0x82;
            assert!(restored(&damaged).is_err(), "{emit:?}, byte {place}");
        }
        let mut turned = bytes.clone();
        for (place, value) in [(at(&rows[0][3]), &rows[1][3]), (at(&rows[1][3]), &rows[0][3])] {
            let code = code(value);
            turned[place..place + code.len()].copy_from_slice(&code);
        }
        assert!(restored(&turned).is_err(), "{emit:?}, turned around");
    }
}
