//! What rows are ranked by, as bytes that sort as the rows do.

use arrow_array::ArrayRef;

use crate::batch::Batch;
use crate::key::{Encoded, measure};
use crate::schema::{DataType, Schema};

/// A column to rank by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SortColumn {
    /// Its position in the input.
    pub column: usize,
    /// `DESC`: the greatest value is first.
    pub descending: bool,
    /// Where rows without a value stand. In Flink's dialect NULL is the least value unless the query says
    /// otherwise: first by `ASC`, last by `DESC`.
    pub nulls_first: bool,
}

impl SortColumn {
    /// What stands behind the column's name in SQL.
    pub(crate) fn describe(&self) -> &'static str {
        match (self.descending, self.nulls_first) {
            (false, true) => "",
            (false, false) => " NULLS LAST",
            (true, false) => " DESC",
            (true, true) => " DESC NULLS FIRST",
        }
    }

    /// The byte that stands for NULL: before or behind all that begin a value, turned around or not.
    fn null(&self) -> u8 {
        if self.nulls_first { 0 } else { 0xFF }
    }

    /// Appends the bytes of a value, as a key holds it: turned around when greatest is first. No value's
    /// bytes are another's prefix, so turned around they sort the other way.
    fn put(&self, value: &[u8], out: &mut Vec<u8>) {
        match (value, self.descending) {
            ([0], _) => out.push(self.null()),
            (value, false) => out.extend_from_slice(value),
            (value, true) => out.extend(value.iter().map(|b| !b)),
        }
    }

    /// The length of the value that bytes begin with; `None` when it is none of this type.
    fn measure(&self, bytes: &[u8], data_type: DataType) -> Option<usize> {
        if *bytes.first()? == self.null() {
            return Some(1);
        }
        let turned: Vec<u8> = match self.descending {
            true => bytes.iter().map(|b| !b).collect(),
            false => bytes.to_vec(),
        };
        // A value begins with 1; a NULL has been taken care of.
        (turned.first() == Some(&1)).then(|| measure(&turned, &[data_type])).flatten()
    }
}

/// An order of rows.
#[derive(Clone)]
pub(crate) struct Order(Vec<(SortColumn, DataType)>);

/// For each row of a batch, bytes that sort as the rows do.
pub(crate) struct Sorted {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Order {
    pub(crate) fn new(columns: &[SortColumn], input: &Schema) -> Order {
        Order(columns.iter().map(|&c| (c, input.fields[c.column].data_type)).collect())
    }

    /// The bytes of all rows.
    pub(crate) fn of(&self, batch: &Batch) -> Sorted {
        let columns: Vec<Encoded> = self
            .0
            .iter()
            .map(|&(c, data_type)| {
                let column: [(&ArrayRef, DataType); 1] = [(&batch.columns[c.column], data_type)];
                Encoded::columns(&column, batch.rows)
            })
            .collect();
        let mut sorted = Sorted { bytes: Vec::new(), ends: Vec::with_capacity(batch.rows) };
        for row in 0..batch.rows {
            for ((column, _), values) in self.0.iter().zip(&columns) {
                column.put(values.get(row), &mut sorted.bytes);
            }
            sorted.ends.push(sorted.bytes.len());
        }
        sorted
    }

    /// Whether bytes are those of a row.
    pub(super) fn made(&self, bytes: &[u8]) -> bool {
        let mut rest = bytes;
        for (column, data_type) in &self.0 {
            let Some(after) = column.measure(rest, *data_type).and_then(|n| rest.get(n..)) else {
                return false;
            };
            rest = after;
        }
        rest.is_empty()
    }
}

impl Sorted {
    /// The bytes of row `i`.
    pub(crate) fn get(&self, i: usize) -> &[u8] {
        let from = i.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.bytes[from..self.ends[i]]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::column::from_values;
    use crate::numbers::Numbers;
    use crate::schema::Field;
    use crate::value::Value;
    use std::cmp::Ordering;

    /// Bytes sort as values do, whatever the directions and places of NULL.
    #[test]
    fn bytes_sort_as_the_order_says() {
        let text = |s: &str| Value::String(s.into());
        let texts = [text("b"), Value::Null, text("a\0"), text("a"), text(""), text("a\0b")];
        let longs = [Value::BigInt(-3), Value::BigInt(9), Value::Null];
        let rows: Vec<[&Value; 2]> =
            texts.iter().flat_map(|t| longs.iter().map(move |l| [t, l])).collect();
        let types = [DataType::String, DataType::BigInt];
        let column = |c: usize| {
            from_values(&rows.iter().map(|r| r[c].clone()).collect::<Vec<_>>(), types[c])
        };
        let fields = vec![Field::new("s", types[0]), Field::new("n", types[1])];
        let schema = Schema::new(fields);
        let numbers = Numbers::run(1, rows.len());
        let batch = Batch::new(schema.clone(), vec![column(0), column(1)], numbers);
        let compare = |a: &Value, b: &Value, by: &SortColumn| match (a.is_null(), b.is_null()) {
            (true, true) => Ordering::Equal,
            (true, false) if by.nulls_first => Ordering::Less,
            (true, false) => Ordering::Greater,
            (false, true) if by.nulls_first => Ordering::Greater,
            (false, true) => Ordering::Less,
            _ if by.descending => b.total_cmp(a),
            _ => a.total_cmp(b),
        };
        for way in 0..16 {
            let by = |column: usize, bits: usize| SortColumn {
                column,
                descending: bits & 1 > 0,
                nulls_first: bits & 2 > 0,
            };
            let columns = [by(0, way), by(1, way >> 2)];
            let order = Order::new(&columns, &schema);
            let sorted = order.of(&batch);
            for (i, a) in rows.iter().enumerate() {
                assert!(order.made(sorted.get(i)), "{way} {a:?}");
                assert!(!order.made(&sorted.get(i)[1..]), "{way} {a:?}");
                for (j, b) in rows.iter().enumerate() {
                    let first = compare(a[0], b[0], &columns[0]);
                    let expected = first.then_with(|| compare(a[1], b[1], &columns[1]));
                    assert_eq!(sorted.get(i).cmp(sorted.get(j)), expected, "{way} {a:?} {b:?}");
                }
            }
        }
    }
}
