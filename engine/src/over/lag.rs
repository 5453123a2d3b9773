//! LAG: what stood so many rows before a row in its partition.

use arrow_array::ArrayRef;

use super::Lag;
use super::partition::Partition;
use super::step::Step;
use crate::batch::Batch;
use crate::column::{from_values, interleave};
use crate::schema::SchemaRef;
use crate::value::Value;
use crate::window::WaitingRows;

/// The calls of LAG, and the rows that they may still ask for.
#[derive(Clone)]
pub(super) struct Lags {
    /// With the columns' positions among those kept of a row that waits.
    calls: Vec<Lag>,
    /// For each of them its column in `rows`.
    places: Vec<usize>,
    /// The columns in `rows`, among those kept.
    columns: Vec<usize>,
    /// The last rows of all partitions.
    pub(super) rows: WaitingRows,
}

impl Lags {
    /// Calls over the columns that are kept; `shape` makes the schema of some of them.
    pub(super) fn new(calls: Vec<Lag>, shape: impl Fn(&[usize]) -> SchemaRef) -> Lags {
        let mut columns: Vec<usize> = calls.iter().map(|lag| lag.column).collect();
        columns.sort();
        columns.dedup();
        let place = |lag: &Lag| columns.partition_point(|&column| column < lag.column);
        let places = calls.iter().map(place).collect();
        let rows = WaitingRows::new(&shape(&columns));
        Lags { calls, places, columns, rows }
    }

    /// Whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.calls.is_empty()
    }

    /// How many rows of a partition are remembered.
    pub(super) fn most(&self) -> u64 {
        self.calls.iter().map(|lag| lag.offset).max().unwrap_or(0)
    }

    /// A row is said: which rows it sees, and which one nobody will see again.
    pub(super) fn say(&self, partition: &mut Partition, step: &mut Step) {
        if self.is_empty() {
            return;
        }
        let number = self.rows.next() + step.rows.len() as u64;
        partition.before.push_back(number);
        let behind = partition.before.len() - 1;
        for lag in &self.calls {
            let back = usize::try_from(lag.offset).ok().and_then(|back| behind.checked_sub(back));
            step.lagged.push(back.map(|at| partition.before[at]));
        }
        if partition.before.len() as u64 > self.most() {
            step.passed.extend(partition.before.pop_front());
        }
    }

    /// The results of the rows that are said: one column a call.
    pub(super) fn results(&mut self, said: &Batch, step: &Step) -> Vec<ArrayRef> {
        if self.is_empty() {
            return Vec::new();
        }
        let columns = self.columns.iter().map(|&c| said.columns[c].clone()).collect();
        self.rows.push(said.clone().with_columns(self.rows.schema().clone(), columns));
        let results = (0..self.calls.len()).map(|call| self.result(call, said, step)).collect();
        self.rows.take(&step.passed);
        results
    }

    fn result(&self, call: usize, said: &Batch, step: &Step) -> ArrayRef {
        let (lag, count) = (&self.calls[call], self.calls.len());
        let seen = step.lagged.iter().skip(call).step_by(count);
        let numbers: Vec<u64> = seen.clone().copied().flatten().collect();
        let place = self.places[call];
        let found = &self.rows.look(&numbers).columns[place];
        let data_type = self.rows.schema().fields[place].data_type;
        let nothing = from_values(&[Value::Null], data_type);
        let otherwise = lag.default.map_or(&nothing, |column| &said.columns[column]);
        let mut next = 0..;
        let pick = |(row, seen): (u32, &Option<u64>)| match seen {
            Some(_) => (0, next.next().unwrap_or(0)),
            None => (1, lag.default.map_or(0, |_| row)),
        };
        interleave(&[found, otherwise], &(0..).zip(seen).map(pick).collect::<Vec<_>>())
    }
}
