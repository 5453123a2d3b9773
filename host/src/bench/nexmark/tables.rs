//! The events as tables in memory, their declarations, and the same as files for another engine.

use std::path::Path;
use std::sync::Arc;

use arrow_array::builder::StringBuilder;
use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray, TimestampMillisecondArray};
use highwater_engine::error::{Diagnostic, Result};

use super::queries::{Clock, Query};
use super::stream::{Auction, Bid, Event, Person, Stream};
use crate::bench::parquet::write;

/// What is read for the value of a column.
enum Of<T> {
    Long(fn(&T) -> i64),
    Time(fn(&T) -> i64),
    Text(fn(&T) -> &str),
}

/// A column being filled.
struct Filling<T: 'static> {
    name: &'static str,
    of: &'static Of<T>,
    numbers: Vec<i64>,
    texts: StringBuilder,
}

impl<T> Filling<T> {
    fn push(&mut self, row: &T) {
        match self.of {
            Of::Long(of) | Of::Time(of) => self.numbers.push(of(row)),
            Of::Text(of) => self.texts.append_value(of(row)),
        }
    }

    fn finish(mut self) -> Column {
        let (sql, array): (_, ArrayRef) = match self.of {
            Of::Long(_) => ("BIGINT", Arc::new(Int64Array::from(self.numbers))),
            Of::Time(_) => {
                ("TIMESTAMP(3)", Arc::new(TimestampMillisecondArray::from(self.numbers)))
            }
            Of::Text(_) => ("STRING", Arc::new(self.texts.finish())),
        };
        Column { name: self.name, sql, array }
    }
}

static PERSON: [(&str, Of<Person>); 8] = [
    ("id", Of::Long(|p| p.id)),
    ("name", Of::Text(|p| &p.name)),
    ("email_address", Of::Text(|p| &p.email_address)),
    ("credit_card", Of::Text(|p| &p.credit_card)),
    ("city", Of::Text(|p| &p.city)),
    ("state", Of::Text(|p| &p.state)),
    ("date_time", Of::Time(|p| p.date_time)),
    ("extra", Of::Text(|p| &p.extra)),
];

static AUCTION: [(&str, Of<Auction>); 10] = [
    ("id", Of::Long(|a| a.id)),
    ("item_name", Of::Text(|a| &a.item_name)),
    ("description", Of::Text(|a| &a.description)),
    ("initial_bid", Of::Long(|a| a.initial_bid)),
    ("reserve", Of::Long(|a| a.reserve)),
    ("date_time", Of::Time(|a| a.date_time)),
    ("expires", Of::Time(|a| a.expires)),
    ("seller", Of::Long(|a| a.seller)),
    ("category", Of::Long(|a| a.category)),
    ("extra", Of::Text(|a| &a.extra)),
];

static BID: [(&str, Of<Bid>); 7] = [
    ("auction", Of::Long(|b| b.auction)),
    ("bidder", Of::Long(|b| b.bidder)),
    ("price", Of::Long(|b| b.price)),
    ("channel", Of::Text(|b| &b.channel)),
    ("url", Of::Text(|b| &b.url)),
    ("date_time", Of::Time(|b| b.date_time)),
    ("extra", Of::Text(|b| &b.extra)),
];

/// How many rows the side input has.
const SIDE_ROWS: i64 = 10_000;

/// A column of a table.
#[derive(Clone, Debug)]
pub struct Column {
    /// Its name.
    pub name: &'static str,
    /// Its type in SQL.
    pub sql: &'static str,
    /// Its values.
    pub array: ArrayRef,
}

/// A table.
#[derive(Clone, Debug)]
pub struct Table {
    /// Its name.
    pub name: &'static str,
    /// Its columns.
    pub columns: Vec<Column>,
    /// The number of the event that each row is; none where rows are no events, but there from the start.
    pub numbers: Option<Arc<[u64]>>,
}

impl Table {
    /// How many rows.
    pub fn rows(&self) -> usize {
        self.columns[0].array.len()
    }

    /// Declares the table for the engine, with the time that a query goes by. The watermark stays the published four
    /// seconds behind events, and one millisecond behind arrivals: a window closes at its last millisecond, in
    /// which more of its rows may arrive. So nothing is late.
    pub fn declaration(&self, clock: Clock) -> String {
        let quoted = |c: &Column| format!("  `{}` {}", c.name, c.sql);
        let mut lines: Vec<String> = self.columns.iter().map(quoted).collect();
        match (self.numbers.is_some(), clock) {
            (false, _) => {
                lines.push(format!("  PRIMARY KEY (`{}`) NOT ENFORCED", self.columns[0].name));
            }
            (true, Clock::Event) => {
                lines.push("  WATERMARK FOR date_time AS date_time - INTERVAL '4' SECOND".into());
            }
            (true, Clock::Arrival) => {
                lines.push("  p_time AS PROCTIME()".into());
                lines.push("  WATERMARK FOR p_time AS p_time - INTERVAL '0.001' SECOND".into());
            }
        }
        // What is generated is not read: the benchmark brings its own reader.
        let options = "'connector' = 'datagen', 'number-of-rows' = '0'";
        format!("CREATE TABLE {} (\n{}\n) WITH ({options});\n", self.name, lines.join(",\n"))
    }

    /// Writes the table as a Parquet file, each row with its place, `seq`.
    fn write(&self, folder: &Path) -> Result<()> {
        let rows = self.rows() as i64;
        let seq: ArrayRef = match &self.numbers {
            Some(numbers) => {
                Arc::new(Int64Array::from_iter_values(numbers.iter().map(|n| *n as i64)))
            }
            None => Arc::new(Int64Array::from_iter_values(0..rows)),
        };
        let columns = self.columns.iter().map(|c| (c.name, Arc::clone(&c.array)));
        let batch = RecordBatch::try_from_iter(columns.chain([("seq", seq)]));
        let batch = batch.map_err(|e| Diagnostic::new("bench.failed", e.to_string()))?;
        write(&file(folder, self.name), &batch, None)
    }
}

/// The place of a table's file.
pub fn file(folder: &Path, table: &str) -> std::path::PathBuf {
    folder.join(format!("{table}.parquet"))
}

/// What is being filled with the rows of one kind.
struct Fillings<T: 'static> {
    columns: Vec<Filling<T>>,
    numbers: Vec<u64>,
}

impl<T> Fillings<T> {
    fn new(columns: &'static [(&'static str, Of<T>)]) -> Fillings<T> {
        let one = |(name, of): &'static (&'static str, Of<T>)| Filling {
            name,
            of,
            numbers: Vec::new(),
            texts: StringBuilder::new(),
        };
        Fillings { columns: columns.iter().map(one).collect(), numbers: Vec::new() }
    }

    fn push(&mut self, number: u64, row: &T) {
        self.numbers.push(number);
        self.columns.iter_mut().for_each(|column| column.push(row));
    }

    fn finish(self, name: &'static str) -> Table {
        let columns = self.columns.into_iter().map(Filling::finish).collect();
        Table { name, columns, numbers: Some(self.numbers.into()) }
    }
}

/// All tables of so many events.
#[derive(Clone, Debug)]
pub struct Tables {
    /// The stream they are of.
    pub stream: Stream,
    all: Vec<Table>,
}

impl Tables {
    /// Makes the first `events` events.
    pub fn of(stream: Stream, events: u64) -> Tables {
        let mut persons = Fillings::new(&PERSON);
        let mut auctions = Fillings::new(&AUCTION);
        let mut bids = Fillings::new(&BID);
        for number in 0..events {
            match stream.event(number) {
                Event::Person(row) => persons.push(number, &row),
                Event::Auction(row) => auctions.push(number, &row),
                Event::Bid(row) => bids.push(number, &row),
            }
        }
        let tables =
            [persons.finish("person"), auctions.finish("auction"), bids.finish("bid"), side()];
        Tables { stream, all: tables.into() }
    }

    /// The table of that name.
    ///
    /// # Errors
    /// When there is none.
    pub fn named(&self, name: &str) -> Result<&Table> {
        let found = self.all.iter().find(|table| table.name == name);
        found.ok_or_else(|| Diagnostic::new("bench.failed", format!("there is no table `{name}`")))
    }

    /// The script of a query: the tables it reads, then what it asks.
    ///
    /// # Errors
    /// When it reads a table that is not there.
    pub fn script(&self, query: &Query) -> Result<String> {
        let mut script = String::new();
        for name in query.reads {
            script += &self.named(name)?.declaration(query.clock);
        }
        Ok(script + query.sql)
    }

    /// How many rows a query reads.
    ///
    /// # Errors
    /// As [`Tables::script`].
    pub fn records(&self, query: &Query) -> Result<u64> {
        query.reads.iter().map(|name| Ok(self.named(name)?.rows() as u64)).sum()
    }

    /// Writes all tables to a folder, a Parquet file each.
    ///
    /// # Errors
    /// When that fails.
    pub fn write(&self, folder: &Path) -> Result<()> {
        self.all.iter().try_for_each(|table| table.write(folder))
    }
}

/// The side input: numbers and their texts, there before the first event.
fn side() -> Table {
    let keys: ArrayRef = Arc::new(Int64Array::from_iter_values(0..SIDE_ROWS));
    let texts: ArrayRef =
        Arc::new(StringArray::from_iter_values((0..SIDE_ROWS).map(|i| i.to_string())));
    let columns = vec![
        Column { name: "key", sql: "BIGINT", array: keys },
        Column { name: "value", sql: "STRING", array: texts },
    ];
    Table { name: "side_input", columns, numbers: None }
}
