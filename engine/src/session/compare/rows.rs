//! The rows of two runs, table by table.

use std::collections::BTreeMap;

use super::super::{Rows, Session};
use super::measured::{Latency, Moments};
use crate::batch::{RowKind, Seq};
use crate::key::encode;
use crate::schema::SchemaRef;
use crate::value::Value;

/// How a table differs between two runs. Tables are the same by name; what several statements write to one is taken
/// together, one statement's rows after the other's.
#[derive(Clone, Debug)]
pub struct TableDiff {
    /// The table's name; `result` for a last SELECT.
    pub table: String,
    /// How many rows it has; `None` in a run that has no such table.
    pub rows: [Option<u64>; 2],
    /// How many rows both runs have: equal ones, kinds included, are paired as often as both have them.
    pub both: u64,
    /// How many of these stand in B behind one that A has later: more than none when their order differs. Of a row
    /// that is there several times the first in A is paired with the first in B.
    pub reordered: u64,
    /// The rows that only one run has, by their place in the stream; A's before B's of the same place.
    pub differing: Vec<Differing>,
    /// The columns in each run. Where their types are not the same, rows are compared by their text.
    pub columns: [Option<SchemaRef>; 2],
    /// Whether the rows are a changelog in one of the runs.
    pub updating: bool,
    /// How long the rows of each run took.
    pub latency: [Option<Latency>; 2],
}

/// A row that only one of the runs has.
#[derive(Clone, Debug)]
pub struct Differing {
    /// The run that has it: 0 is A, 1 is B.
    pub run: usize,
    /// The row's kind.
    pub kind: RowKind,
    /// Its place in the stream.
    pub seq: Seq,
    /// Its values.
    pub values: Vec<Value>,
}

impl TableDiff {
    /// How many rows only one run has, A's and B's.
    pub fn only(&self) -> [u64; 2] {
        self.rows.map(|rows| rows.map_or(0, |rows| rows - self.both))
    }

    /// Whether both runs have the table with the same columns: their names and types.
    pub fn same_columns(&self) -> bool {
        let named = |schema: &SchemaRef| -> Vec<_> {
            schema.fields.iter().map(|f| (f.name.clone(), f.data_type)).collect()
        };
        match &self.columns {
            [Some(a), Some(b)] => named(a) == named(b),
            _ => false,
        }
    }

    /// Whether the table is not the same in both runs.
    pub fn differs(&self) -> bool {
        self.rows[0] != self.rows[1] || self.only() != [0, 0] || self.reordered > 0
    }
}

/// A table of one run: all rows that go to it.
struct Table {
    rows: Rows,
    latency: Latency,
}

/// The tables of a run in the order of its script.
fn by_name(session: &Session) -> Vec<Table> {
    let moments = Moments::of(session.events());
    let tasks = session.sim.job().graph.sink_tasks();
    let mut tables: Vec<(Rows, Vec<u64>, u64)> = Vec::new();
    for (mut rows, task) in session.tables().into_iter().zip(tasks) {
        let (waits, without) = moments.waits(task, &rows);
        match tables.iter_mut().find(|(other, ..)| other.spec.table == rows.spec.table) {
            None => tables.push((rows, waits, without)),
            Some((other, all, count)) => {
                other.updating |= rows.updating;
                other.rows.append(&mut rows.rows);
                all.extend(waits);
                *count += without;
            }
        }
    }
    let table = |(rows, waits, without)| Table { rows, latency: Latency::of(waits, without) };
    tables.into_iter().map(table).collect()
}

/// All tables of two runs.
pub(super) fn tables(a: &Session, b: &Session) -> Vec<TableDiff> {
    let mut others = by_name(b);
    let mut found = Vec::new();
    for table in by_name(a) {
        let same = others.iter().position(|o| o.rows.spec.table == table.rows.spec.table);
        found.push(compared([Some(table), same.map(|at| others.remove(at))]));
    }
    found.extend(others.into_iter().map(|table| compared([None, Some(table)])));
    found
}

fn compared(tables: [Option<Table>; 2]) -> TableDiff {
    let rows = |run: usize| tables[run].as_ref().map(|table| &table.rows);
    let columns = [0, 1].map(|run| rows(run).map(|rows| rows.schema.clone()));
    let types =
        |schema: &SchemaRef| -> Vec<_> { schema.fields.iter().map(|f| f.data_type).collect() };
    let alike = match &columns {
        [Some(a), Some(b)] => types(a) == types(b),
        _ => true,
    };
    let pairs = match (rows(0), rows(1)) {
        (Some(a), Some(b)) => Pairs::of(&a.rows, &b.rows, alike),
        _ => Pairs::default(),
    };
    let mut found = TableDiff {
        table: rows(0).or(rows(1)).map_or_else(String::new, |rows| rows.spec.table.clone()),
        rows: [0, 1].map(|run| rows(run).map(|rows| rows.rows.len() as u64)),
        both: pairs.both,
        reordered: pairs.reordered,
        differing: Vec::new(),
        updating: [0, 1].iter().any(|&run| rows(run).is_some_and(|rows| rows.updating)),
        latency: [0, 1].map(|run| tables[run].as_ref().map(|table| table.latency)),
        columns,
    };
    for (run, table) in tables.into_iter().enumerate() {
        let rows = table.into_iter().flat_map(|table| table.rows.rows).enumerate();
        let alone = rows.filter(|(at, _)| pairs.paired[run].get(*at) != Some(&true));
        let differing = alone.map(|(_, (kind, seq, values))| Differing { run, kind, seq, values });
        found.differing.extend(differing);
    }
    // Stable: rows of one place keep the order of their table.
    found.differing.sort_by_key(|row| row.seq);
    found
}

/// Which rows two tables have in common.
#[derive(Default)]
struct Pairs {
    both: u64,
    reordered: u64,
    /// For each row of each table whether the other has it.
    paired: [Vec<bool>; 2],
}

type Row = (RowKind, Seq, Vec<Value>);

impl Pairs {
    /// Pairs equal rows; `alike`: their columns have the same types.
    fn of(a: &[Row], b: &[Row], alike: bool) -> Pairs {
        let key =
            |(kind, _, values): &Row| (*kind, if alike { encode(values) } else { text(values) });
        let mut places: BTreeMap<(RowKind, Vec<u8>), Vec<usize>> = BTreeMap::new();
        for (place, row) in a.iter().enumerate().rev() {
            places.entry(key(row)).or_default().push(place);
        }
        let mut pairs =
            Pairs { paired: [vec![false; a.len()], vec![false; b.len()]], ..Pairs::default() };
        let mut last = 0;
        for (at, row) in b.iter().enumerate() {
            let Some(place) = places.get_mut(&key(row)).and_then(Vec::pop) else { continue };
            pairs.paired[0][place] = true;
            pairs.paired[1][at] = true;
            pairs.both += 1;
            pairs.reordered += u64::from(place < last);
            last = last.max(place);
        }
        pairs
    }
}

/// The bytes of a row's text, NULL apart from the text of that name.
fn text(values: &[Value]) -> Vec<u8> {
    let one = |value: &Value| match value {
        Value::Null => Value::Null,
        value => Value::String(value.to_text().into()),
    };
    encode(&values.iter().map(one).collect::<Vec<_>>())
}
