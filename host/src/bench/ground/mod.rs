//! The workloads: their input as columns, their SQL, what must come out.
//!
//! Nothing here knows WebAssembly: the criterion benches compile this folder by itself.

pub mod loops;
pub mod native;
pub mod questions;
mod sql;
pub mod stream;

use std::ops::Range;
use std::sync::Arc;

use arrow_array::cast::AsArray as _;
use arrow_array::types::{Int64Type, TimestampMillisecondType};
use arrow_array::{ArrayRef, Int32Array, Int64Array, StringArray, TimestampMillisecondArray};
use highwater_engine::batch::RowKind;

use questions::Question;
pub use sql::Timing;
use stream::{BIDS_PER_OPENING, Bid, Stream};

/// What a run must agree on, whatever the order of its rows. What a workload does not make is 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Result rows.
    pub rows: u64,
    /// Records that came too late for anything.
    pub late: u64,
    /// The sum of the rows' counts; where rows have no count, their number.
    pub counts: u64,
    /// The sum of the rows' sums, or of the pairs' prices.
    pub sums: i64,
    /// The sum of the rows' maxima.
    pub maxima: i64,
}

/// A question asked of the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Workload {
    /// Tumbling windows: count, sum, maximum per auction.
    W1,
    /// The same with the auction's name, 12 bytes of text.
    W1Text,
    /// The same with two key columns: the auction and its remainder by 7.
    W1Pair,
    /// Hopping windows: count per auction.
    W2,
    /// Session windows: count per bidder.
    W3,
    /// An interval join of bids and openings of auctions.
    W4,
    /// A running sum per auction: a row a record.
    W5,
    /// W1 by a guest's window.
    W1Guest,
    /// A cheap function of two integers, computed by a guest: expressions alone, no stream.
    F2,
    /// A feature of the language beyond these.
    Asked(Question),
}

impl Workload {
    /// What every engine runs, in the order of reports.
    pub const ALL: [Workload; 7] = [
        Workload::W1,
        Workload::W1Text,
        Workload::W1Pair,
        Workload::W2,
        Workload::W3,
        Workload::W4,
        Workload::W5,
    ];

    /// What guests do, beside the same built in.
    pub const GUESTS: [Workload; 2] = [Workload::W1Guest, Workload::F2];

    /// One for each further feature of the language, in the order of reports.
    pub fn features() -> impl Iterator<Item = Workload> {
        Question::all().map(Workload::Asked)
    }

    /// All there are.
    pub fn every() -> impl Iterator<Item = Workload> {
        Workload::ALL.into_iter().chain(Workload::GUESTS).chain(Workload::features())
    }

    /// Its name in reports and arguments.
    pub fn name(self) -> &'static str {
        match self {
            Workload::W1 => "W1",
            Workload::W1Text => "W1s",
            Workload::W1Pair => "W1k2",
            Workload::W2 => "W2",
            Workload::W3 => "W3",
            Workload::W4 => "W4",
            Workload::W5 => "W5",
            Workload::W1Guest => "W1g",
            Workload::F2 => "F2",
            Workload::Asked(question) => question.definition().name,
        }
    }

    /// The workload of that name, in capitals or not.
    pub fn named(name: &str) -> Option<Workload> {
        Workload::every().find(|w| w.name().eq_ignore_ascii_case(name))
    }

    /// What it does, in a few words.
    pub fn title(self) -> &'static str {
        match self {
            Workload::W1 => "TUMBLE 10 s: count, sum, max per auction",
            Workload::W1Text => "TUMBLE 10 s: count, sum, max per auction, a STRING",
            Workload::W1Pair => "TUMBLE 10 s: count, sum, max per auction and channel",
            Workload::W2 => "HOP 10 s by 2 s: count per auction",
            Workload::W3 => "SESSION, gap 5 s: count per bidder",
            Workload::W4 => "interval join of bids and openings, 10 s either way",
            Workload::W5 => "running sum per auction, a row a record",
            Workload::W1Guest => "W1 by a guest's window; ratios to the built-in window",
            Workload::F2 => "a * 908 + b by a guest's function; ratios to the loop",
            Workload::Asked(question) => question.definition().title,
        }
    }

    /// The published totals for 10,000,000 bids, where there are some. Other keys of the same groups change nothing.
    pub fn published(self) -> Option<Totals> {
        let published = match self {
            Workload::W1 | Workload::W1Text | Workload::W1Pair | Workload::W1Guest => Totals {
                rows: 997_165,
                late: 94_335,
                counts: 9_905_665,
                sums: 49_538_451_498,
                maxima: 8_254_095_650,
            },
            Workload::W2 => Totals { rows: 4_986_099, counts: 49_527_141, ..Totals::default() },
            Workload::W3 => Totals { rows: 874_958, counts: 10_000_000, ..Totals::default() },
            Workload::W4 => Totals {
                rows: 2_553_723,
                late: 1_981_319,
                counts: 2_553_723,
                sums: 12_769_409_609,
                maxima: 0,
            },
            Workload::W5 => Totals {
                rows: 10_000_000,
                counts: 10_000_000,
                sums: 706_655_461_014_959,
                ..Totals::default()
            },
            // It is checked value by value.
            Workload::F2 => Totals::default(),
            Workload::Asked(_) => return None,
        };
        Some(published)
    }

    /// The input of so many bids, made now.
    pub fn input(self, records: u64) -> Columns {
        self.input_of(&Stream::PUBLISHED, 0..records)
    }

    /// The input of these bids of a stream, made now.
    pub fn input_of(self, stream: &Stream, bids: Range<u64>) -> Columns {
        let column = |of: fn(Bid) -> i64| long(bids.clone().map(|i| of(stream.bid(i))));
        let auction = || column(|bid| bid.auction);
        let price = || column(|bid| bid.price);
        let ts = || time(bids.clone().map(|i| stream.bid(i).ts));
        let arrays = match self {
            Workload::W1 | Workload::W1Guest => vec![auction(), price(), ts()],
            Workload::W1Text => {
                vec![text(bids.clone().map(|i| stream.bid(i).auction)), price(), ts()]
            }
            Workload::W1Pair => vec![auction(), column(|bid| bid.auction % 7), price(), ts()],
            Workload::W2 => vec![auction(), ts()],
            Workload::W3 => vec![column(|bid| bid.bidder), ts()],
            Workload::W4 => return merged(stream, bids),
            Workload::W5 | Workload::F2 => vec![auction(), price()],
            Workload::Asked(question) => return question.input_of(stream, bids),
        };
        Columns { arrays }
    }

    /// How many rows come before the bid of that number.
    pub fn rows_before(self, bid: u64) -> u64 {
        let merged = match self {
            Workload::W4 => true,
            Workload::Asked(question) => question.merged(),
            _ => false,
        };
        if merged { bid + bid.div_ceil(BIDS_PER_OPENING) } else { bid }
    }

    /// Columns of other events than the stream's: kind, key, price, time.
    #[cfg(test)]
    pub(crate) fn columns_of(self, events: &[(i32, i64, i64, i64)]) -> Columns {
        let key = || long(events.iter().map(|e| e.1));
        let price = || long(events.iter().map(|e| e.2));
        let ts = || time(events.iter().map(|e| e.3));
        let arrays = match self {
            Workload::W1 | Workload::W1Guest => vec![key(), price(), ts()],
            Workload::W1Text => vec![text(events.iter().map(|e| e.1)), price(), ts()],
            Workload::W1Pair => vec![key(), long(events.iter().map(|e| e.1 % 7)), price(), ts()],
            Workload::W2 | Workload::W3 => vec![key(), ts()],
            Workload::W4 => {
                let kind: Int32Array = events.iter().map(|e| e.0).collect::<Vec<_>>().into();
                vec![Arc::new(kind), key(), price(), ts()]
            }
            Workload::W5 | Workload::F2 => vec![key(), price()],
            Workload::Asked(question) => return question.columns_of(events),
        };
        Columns { arrays }
    }

    /// Adds result rows up, as the loops' consumers do. Of a changelog only what is now true counts.
    pub fn add(self, columns: &[ArrayRef], kinds: Option<&[RowKind]>, totals: &mut Totals) {
        if let Workload::Asked(question) = self {
            return question.definition().measures.add(columns, kinds, totals);
        }
        let current = |row: usize| {
            kinds.is_none_or(|k| matches!(k[row], RowKind::Insert | RowKind::UpdateAfter))
        };
        let sum = |column: usize| -> i64 {
            let values = columns[column].as_primitive::<Int64Type>().values();
            match kinds {
                None => values.iter().sum(),
                Some(_) => {
                    values.iter().enumerate().filter(|(i, _)| current(*i)).map(|v| *v.1).sum()
                }
            }
        };
        let rows = columns[0].len();
        let rows = kinds.map_or(rows, |k| (0..k.len()).filter(|i| current(*i)).count()) as u64;
        totals.rows += rows;
        // Counts are never negative.
        match self {
            Workload::W1 | Workload::W1Text | Workload::W1Pair | Workload::W1Guest => {
                let first = if self == Workload::W1Pair { 3 } else { 2 };
                totals.counts += sum(first) as u64;
                totals.sums += sum(first + 1);
                totals.maxima += sum(first + 2);
            }
            Workload::W2 | Workload::W3 => totals.counts += sum(2) as u64,
            Workload::W4 | Workload::W5 => {
                totals.counts += rows;
                totals.sums += sum(1);
            }
            Workload::F2 => totals.sums = totals.sums.wrapping_add(sum(0)),
            Workload::Asked(_) => {}
        }
    }
}

/// A workload's input: columns already in memory, shared by all runs.
#[derive(Clone, Debug)]
pub struct Columns {
    /// In the order of the table's columns, of one length.
    pub arrays: Vec<ArrayRef>,
}

impl Columns {
    /// How many rows.
    pub fn rows(&self) -> usize {
        self.arrays[0].len()
    }

    /// The values of a BIGINT column.
    pub fn long(&self, column: usize) -> &[i64] {
        self.arrays[column].as_primitive::<Int64Type>().values()
    }

    /// The milliseconds of a TIMESTAMP(3) column.
    pub fn time(&self, column: usize) -> &[i64] {
        self.arrays[column].as_primitive::<TimestampMillisecondType>().values()
    }
}

fn long(values: impl Iterator<Item = i64>) -> ArrayRef {
    Arc::new(Int64Array::from(values.collect::<Vec<_>>()))
}

fn time(values: impl Iterator<Item = i64>) -> ArrayRef {
    Arc::new(TimestampMillisecondArray::from(values.collect::<Vec<_>>()))
}

/// Names of auctions.
fn text(values: impl Iterator<Item = i64>) -> ArrayRef {
    Arc::new(StringArray::from_iter_values(values.map(|v| format!("auction-{v:04}"))))
}

/// Bids and openings in the order in which they arrive.
fn merged(stream: &Stream, bids: Range<u64>) -> Columns {
    let rows = Workload::W4.rows_before(bids.end) - Workload::W4.rows_before(bids.start);
    let capacity = usize::try_from(rows).unwrap_or(0);
    let mut kind = Vec::with_capacity(capacity);
    let [mut auction, mut price, mut ts] = [(); 3].map(|()| Vec::with_capacity(capacity));
    for i in bids {
        if i.is_multiple_of(BIDS_PER_OPENING) {
            let opening = stream.opening(i / BIDS_PER_OPENING);
            kind.push(1);
            auction.push(opening.auction);
            price.push(0);
            ts.push(opening.ts);
        }
        let bid = stream.bid(i);
        kind.push(0);
        auction.push(bid.auction);
        price.push(bid.price);
        ts.push(bid.ts);
    }
    Columns {
        arrays: vec![
            Arc::new(Int32Array::from(kind)),
            Arc::new(Int64Array::from(auction)),
            Arc::new(Int64Array::from(price)),
            Arc::new(TimestampMillisecondArray::from(ts)),
        ],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_workload_is_found_by_its_name() {
        for workload in Workload::every() {
            assert_eq!(Workload::named(&workload.name().to_lowercase()), Some(workload));
        }
        assert_eq!(Workload::named("W6"), None);
    }

    #[test]
    fn a_changelog_counts_what_is_true_now() {
        let columns = [long([1, 1, 1].into_iter()), long([5, 5, 9].into_iter())];
        let kinds = [RowKind::Insert, RowKind::UpdateBefore, RowKind::UpdateAfter];
        let mut totals = Totals::default();
        Workload::W5.add(&columns, Some(&kinds), &mut totals);
        assert_eq!(totals, Totals { rows: 2, counts: 2, sums: 14, ..Totals::default() });
    }
}
