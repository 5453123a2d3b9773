//! Workloads beyond W1 to W5, one feature of the language each: a file here holds the question, its SQL and its
//! loop by hand, a line of [`ALL`] makes it a workload.
//!
//! The loops answer from the same columns as the engine and hash their keys as the others do. What a feature
//! means here is said where its loop stands.

mod cumulate;
mod distinct;
mod early;
mod first;
mod join;
mod last;
mod over_range;
mod over_rows;
mod rows;
mod temporal_join;
#[cfg(test)]
mod tests;
mod top;
mod waiting;
mod window_join;
mod window_top;
mod windows;

use std::ops::Range;
use std::sync::Arc;

use arrow_array::cast::AsArray as _;
use arrow_array::types::Int32Type;
use arrow_array::{ArrayRef, Int32Array};

pub use rows::Measures;

use super::stream::{BIDS_PER_OPENING, Stream};
use super::{Columns, Totals, long, time};

/// Every question, in the order of reports.
static ALL: [Definition; 12] = [
    cumulate::QUESTION,
    window_join::QUESTION,
    temporal_join::QUESTION,
    join::QUESTION,
    top::QUESTION,
    window_top::QUESTION,
    first::QUESTION,
    last::QUESTION,
    over_rows::QUESTION,
    over_range::QUESTION,
    distinct::QUESTION,
    early::QUESTION,
];

/// A column of the stream, as the table of a question declares it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Column {
    /// 0 for a bid, 1 for an opening: a table that has it holds both, in the order in which they arrive.
    Kind,
    /// The auction.
    Auction,
    /// The bidder.
    Bidder,
    /// The price; of an opening, its reserve.
    Price,
    /// Event time.
    Time,
}

/// One event of a stream: what the columns are made of.
#[derive(Clone, Copy, Debug)]
struct Event {
    kind: i32,
    auction: i64,
    bidder: i64,
    price: i64,
    ts: i64,
}

/// What a question is.
pub struct Definition {
    /// Its name in reports and arguments.
    pub name: &'static str,
    /// What it asks, in a few words.
    pub title: &'static str,
    /// The columns of its table.
    pub columns: &'static [Column],
    /// How far the watermark stays behind the highest event time, milliseconds, where there is one.
    pub delay: Option<i64>,
    /// What is asked of the table `events`.
    pub query: &'static str,
    /// Which columns of the result are added up.
    pub measures: Measures,
    /// The loop by hand.
    pub by_hand: fn(&Columns) -> Totals,
}

/// One of the questions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Question(usize);

impl Question {
    /// All of them.
    pub fn all() -> impl Iterator<Item = Question> {
        (0..ALL.len()).map(Question)
    }

    /// What it is.
    pub fn definition(self) -> &'static Definition {
        &ALL[self.0]
    }

    /// Whether openings come between the bids.
    pub fn merged(self) -> bool {
        self.definition().columns.contains(&Column::Kind)
    }

    /// The columns of its table, and how far the watermark stays behind.
    pub(super) fn table(self) -> (String, Option<i64>) {
        let mut declared: Vec<&str> = Vec::new();
        for column in self.definition().columns {
            match column {
                Column::Kind => declared.push("kind INT"),
                Column::Auction => declared.push("auction BIGINT"),
                Column::Bidder => declared.push("bidder BIGINT"),
                Column::Price => declared.push("price BIGINT"),
                // It is declared with the watermark.
                Column::Time => {}
            }
        }
        let delay = self.definition().delay;
        let end = if delay.is_some() { ", " } else { "" };
        (declared.join(", ") + end, delay)
    }

    /// The input of these bids of a stream, made now.
    pub(super) fn input_of(self, stream: &Stream, bids: Range<u64>) -> Columns {
        let mut events = Vec::new();
        for i in bids {
            if self.merged() && i.is_multiple_of(BIDS_PER_OPENING) {
                let o = stream.opening(i / BIDS_PER_OPENING);
                let (auction, price, ts) = (o.auction, o.reserve, o.ts);
                events.push(Event { kind: 1, auction, bidder: 0, price, ts });
            }
            let b = stream.bid(i);
            let (auction, bidder, price, ts) = (b.auction, b.bidder, b.price, b.ts);
            events.push(Event { kind: 0, auction, bidder, price, ts });
        }
        self.columns(&events)
    }

    fn columns(self, events: &[Event]) -> Columns {
        let whole = |of: fn(&Event) -> i64| long(events.iter().map(of));
        let column = |column: &Column| -> ArrayRef {
            match column {
                Column::Kind => {
                    Arc::new(Int32Array::from_iter_values(events.iter().map(|e| e.kind)))
                }
                Column::Auction => whole(|e| e.auction),
                Column::Bidder => whole(|e| e.bidder),
                Column::Price => whole(|e| e.price),
                Column::Time => time(events.iter().map(|e| e.ts)),
            }
        };
        Columns { arrays: self.definition().columns.iter().map(column).collect() }
    }

    /// Columns of other events than the stream's: kind, key, price, time.
    #[cfg(test)]
    pub(super) fn columns_of(self, events: &[(i32, i64, i64, i64)]) -> Columns {
        let event = |&(kind, auction, price, ts): &(i32, i64, i64, i64)| Event {
            kind,
            auction,
            // Some of each other key.
            bidder: (auction + price) % 5,
            price,
            ts,
        };
        self.columns(&events.iter().map(event).collect::<Vec<_>>())
    }
}

/// The first column of a table that holds bids and openings.
fn kinds(columns: &Columns) -> &[i32] {
    columns.arrays[0].as_primitive::<Int32Type>().values()
}
