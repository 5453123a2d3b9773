//! The engine over the tables in memory.

use highwater_engine::error::Result;
use highwater_engine::numbers::Numbers;
use highwater_engine::plan::SourceSpec;
use highwater_engine::source::{Chunk, Detached, Input, Reader};

use super::queries::Query;
use super::stream::Stream;
use super::tables::{Table, Tables};
use crate::bench::answer::Answer;
use crate::bench::ground::native::{self, Host, chunk};
use crate::threads::{self, Threads};

/// Reads a table. Its rows arrive when their events happen, so that tables read together are merged into the
/// stream they come from.
struct Memory {
    table: Table,
    stream: Stream,
    next: usize,
}

impl Reader for Memory {
    fn read(&mut self, max_rows: usize) -> Result<Option<Chunk>> {
        let first = self.next;
        let rows = max_rows.min(self.table.rows() - first);
        if rows == 0 {
            return Ok(None);
        }
        self.next += rows;
        let columns = self.table.columns.iter().map(|c| c.array.slice(first, rows)).collect();
        let mut chunk = chunk(columns, first as u64);
        if let Some(numbers) = &self.table.numbers {
            let numbers = numbers[first..self.next].iter();
            chunk.arrivals = numbers.map(|n| self.stream.arrival(*n)).collect::<Numbers>();
        }
        Ok(Some(chunk))
    }

    fn detach(self: Box<Self>) -> Detached {
        Ok(self)
    }

    fn relative(&self) -> bool {
        self.table.numbers.is_none()
    }
}

/// The engine's answer, so many records taken at a time, on so many threads. Planning is in what is measured, making
/// the tables is not.
///
/// # Errors
/// When the engine refuses the query or stops.
pub fn answer(query: &Query, tables: &Tables, (batch_rows, count): (usize, u32)) -> Result<Answer> {
    let script = tables.script(query)?;
    let input = |spec: &SourceSpec| -> Result<Input> {
        let table = tables.named(&spec.table)?.clone();
        let first = spec.lookup && table.numbers.is_none();
        let name = spec.table.clone();
        let reader = Box::new(Memory { table, stream: tables.stream, next: 0 });
        Ok(Input { partition: 0, name, reader, first })
    };
    Answer::of_engine(|emit| {
        let (graph, inlet, tasks) = native::job(&script, &input, count, &Host::default())?;
        let how = Threads { count, pinned: true };
        let report = threads::run(&graph, inlet, tasks, batch_rows, how, emit, &mut |_| {})?;
        Ok(report.late)
    })
}
