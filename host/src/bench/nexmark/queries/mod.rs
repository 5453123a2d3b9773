//! The queries of the suite, in Flink's dialect and as DuckDB is asked the same of all rows at once.

mod aggregates;
mod joins;
mod ranks;
mod rowwise;
mod windows;

/// What a table's time is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clock {
    /// When an event happens.
    Event,
    /// When it arrives, which is when it happens: the column `p_time`.
    Arrival,
}

/// A query of the suite.
#[derive(Clone, Copy, Debug)]
pub struct Query {
    /// Its name: `q5`.
    pub name: &'static str,
    /// What it asks, in a few words, and how it is read where the published one leaves that open.
    pub title: &'static str,
    /// The tables it reads.
    pub reads: &'static [&'static str],
    /// The time it goes by.
    pub clock: Clock,
    /// The query for the engine.
    pub sql: &'static str,
    /// The query for DuckDB; its tables have one more column, the event's number `seq`.
    pub duckdb: &'static str,
}

/// All that are run, in the order of their numbers.
pub const ALL: [Query; 22] = [
    rowwise::Q0,
    rowwise::Q1,
    rowwise::Q2,
    joins::Q3,
    joins::Q4,
    windows::Q5,
    windows::Q7,
    windows::Q8,
    ranks::Q9,
    rowwise::Q10,
    windows::Q11,
    windows::Q12,
    joins::Q13,
    rowwise::Q14,
    aggregates::Q15,
    aggregates::Q16,
    aggregates::Q17,
    ranks::Q18,
    ranks::Q19,
    joins::Q20,
    rowwise::Q21,
    rowwise::Q22,
];

/// Those that are not run, and why.
pub const LEFT_OUT: [(&str, &str); 1] = [(
    "q6",
    "OVER takes no rows back, and the winning bids it is over change as bids come; Flink refuses it, too",
)];

/// The query of that name.
pub fn named(name: &str) -> Option<&'static Query> {
    ALL.iter().find(|query| query.name.eq_ignore_ascii_case(name))
}
