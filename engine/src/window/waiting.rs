//! Rows that wait for their window, numbered as they come and taken out in any order.

use std::sync::Arc;

use crate::batch::Batch;
use crate::schema::SchemaRef;

/// Chunks of up to so many rows become one.
const CHUNK: usize = 4096;

/// Rows in their order of arrival. The first has number 0.
#[derive(Clone)]
pub(crate) struct WaitingRows {
    schema: SchemaRef,
    next: u64,
    /// Neighbours are merged so that there are few, whatever the size of the batches.
    chunks: Vec<Chunk>,
}

#[derive(Clone)]
struct Chunk {
    batch: Batch,
    /// The number of each row, rising.
    numbers: Vec<u64>,
    /// Which rows still wait, and how many.
    waits: Vec<bool>,
    left: usize,
}

/// Where rows stand.
struct Found {
    /// For each chunk, which of its rows.
    rows: Vec<Vec<u32>>,
    /// For each number, which of all of these.
    order: Vec<u32>,
}

impl Chunk {
    /// Forgets the rows that have gone.
    fn pack(&mut self) {
        let rows = (0..self.numbers.len() as u32).filter(|&row| self.waits[row as usize]);
        let rows: Vec<u32> = rows.collect();
        self.batch = self.batch.gather(&rows);
        self.numbers = rows.iter().map(|&row| self.numbers[row as usize]).collect();
        self.waits = vec![true; rows.len()];
    }
}

impl WaitingRows {
    /// None yet.
    pub(crate) fn new(schema: &SchemaRef) -> WaitingRows {
        WaitingRows { schema: Arc::clone(schema), next: 0, chunks: Vec::new() }
    }

    /// What the rows look like.
    pub(crate) fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// The number of the next row.
    pub(crate) fn next(&self) -> u64 {
        self.next
    }

    /// Forgets all rows and numbers.
    pub(crate) fn clear(&mut self) {
        (self.next, self.chunks) = (0, Vec::new());
    }

    /// Appends rows.
    pub(crate) fn push(&mut self, batch: Batch) {
        if batch.rows == 0 {
            return;
        }
        let (first, left) = (self.next, batch.rows);
        self.next += left as u64;
        let numbers = (first..self.next).collect();
        self.chunks.push(Chunk { batch, numbers, waits: vec![true; left], left });
        while let [.., before, last] = self.chunks.as_slice()
            && before.left <= last.left
            && before.left + last.left <= CHUNK
        {
            self.merge();
        }
    }

    /// The last two chunks become one.
    fn merge(&mut self) {
        let pair = self.chunks.len() - 2;
        let mut pair = self.chunks.split_off(pair);
        pair.iter_mut().filter(|chunk| chunk.left < chunk.numbers.len()).for_each(Chunk::pack);
        let batches: Vec<Batch> = pair.iter().map(|chunk| chunk.batch.clone()).collect();
        let numbers: Vec<u64> = pair.into_iter().flat_map(|chunk| chunk.numbers).collect();
        let left = numbers.len();
        let batch = Batch::concat(&batches);
        self.chunks.push(Chunk { batch, numbers, waits: vec![true; left], left });
    }

    /// Takes out rows that wait, in the order of these numbers.
    pub(crate) fn take(&mut self, numbers: &[u64]) -> Batch {
        let found = self.find(numbers);
        let taken = self.gathered(&found);
        for (chunk, rows) in self.chunks.iter_mut().zip(&found.rows) {
            rows.iter().for_each(|&row| chunk.waits[row as usize] = false);
            chunk.left -= rows.len();
        }
        self.chunks.retain(|chunk| chunk.left > 0);
        let sparse = |chunk: &&mut Chunk| chunk.left * 2 < chunk.numbers.len();
        self.chunks.iter_mut().filter(sparse).for_each(Chunk::pack);
        taken
    }

    /// Rows that wait and go on waiting, in the order of these numbers; one may be asked for several times.
    pub(crate) fn look(&self, numbers: &[u64]) -> Batch {
        self.gathered(&self.find(numbers))
    }

    fn find(&self, numbers: &[u64]) -> Found {
        let mut wanted: Vec<(u64, usize)> = numbers.iter().copied().zip(0..).collect();
        wanted.sort();
        let (mut found, mut next) = (Found { rows: Vec::new(), order: vec![0; wanted.len()] }, 0);
        for chunk in &self.chunks {
            let last = chunk.numbers.last().copied().unwrap_or(0);
            let mut rows = Vec::new();
            while let Some(&(number, place)) = wanted.get(next).filter(|(n, _)| *n <= last) {
                rows.push(chunk.numbers.partition_point(|&n| n < number) as u32);
                found.order[place] = next as u32;
                next += 1;
            }
            found.rows.push(rows);
        }
        found
    }

    fn gathered(&self, found: &Found) -> Batch {
        let some = self.chunks.iter().zip(&found.rows).filter(|(_, rows)| !rows.is_empty());
        let parts: Vec<Batch> = some.map(|(chunk, rows)| chunk.batch.gather(rows)).collect();
        match parts.is_empty() {
            true => Batch::progress(Arc::clone(&self.schema), Vec::new(), 0),
            false => Batch::concat(&parts).gather(&found.order),
        }
    }

    /// All rows that wait.
    pub(crate) fn all(&mut self) -> Batch {
        let gone = |chunk: &&mut Chunk| chunk.left < chunk.numbers.len();
        self.chunks.iter_mut().filter(gone).for_each(Chunk::pack);
        let batches: Vec<Batch> = self.chunks.iter().map(|chunk| chunk.batch.clone()).collect();
        match batches.is_empty() {
            true => Batch::progress(Arc::clone(&self.schema), Vec::new(), 0),
            false => Batch::concat(&batches),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::column::from_values;
    use crate::numbers::Numbers;
    use crate::schema::{DataType, Field, Schema};
    use crate::value::Value;

    /// Rows whose value is their number come back under it, whatever has gone before.
    #[test]
    fn rows_are_found_by_their_numbers() {
        let schema = Schema::new(vec![Field::new("n", DataType::BigInt)]);
        let mut rows = WaitingRows::new(&schema);
        let (mut waiting, mut seed): (Vec<u64>, u64) = (Vec::new(), 5);
        let mut below = |limit: u64| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (seed >> 33) % limit
        };
        let values = |batch: &Batch| -> Vec<u64> {
            let value = |i| match batch.row(i)[0] {
                Value::BigInt(n) => n as u64,
                _ => u64::MAX,
            };
            (0..batch.rows).map(value).collect()
        };
        for round in 0..400 {
            let count = if round % 50 == 0 { 3_000 } else { below(9) };
            let numbers: Vec<u64> = (rows.next()..rows.next() + count).collect();
            let cells: Vec<Value> = numbers.iter().map(|&n| Value::BigInt(n as i64)).collect();
            let column = from_values(&cells, DataType::BigInt);
            let seqs = Numbers::run(1 + rows.next(), count as usize);
            rows.push(Batch::new(Arc::clone(&schema), vec![column], seqs));
            waiting.extend(numbers);
            let taken = below(waiting.len() as u64 / 3 + 2).min(waiting.len() as u64);
            let taken: Vec<u64> =
                (0..taken).map(|_| waiting.remove(below(waiting.len() as u64) as usize)).collect();
            let twice = [&taken[..], &taken].concat();
            assert_eq!(values(&rows.look(&twice)), twice, "round {round}");
            assert_eq!(values(&rows.take(&taken)), taken, "round {round}");
            assert_eq!(values(&rows.all()), waiting, "round {round}");
            let stored: usize = rows.chunks.iter().map(|chunk| chunk.numbers.len()).sum();
            assert!(stored == waiting.len() && rows.chunks.len() < 40, "{}", rows.chunks.len());
        }
    }
}
