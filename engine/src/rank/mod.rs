//! Rows by their rank within a partition: the first N of each, as they change or once they are final.

mod closing;
mod order;
mod partition;
mod said;
mod top;

pub use closing::ClosingRank;
pub(crate) use order::Order;
pub use order::SortColumn;
pub use top::ChangingRank;

use crate::schema::Schema;

/// Which rows of each partition are handed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RankSpec {
    /// The columns of the input that make up a partition; none: all rows are one.
    pub keys: Vec<usize>,
    /// What rows are ranked by. Rows that are equal in it rank as they came.
    pub order: Vec<SortColumn>,
    /// The first rank that is handed on, from 1.
    pub first: u64,
    /// The last one. [`RankSpec::OPEN`]: nobody has said so far.
    pub last: u64,
    /// The columns of the input that are handed on.
    pub columns: Vec<usize>,
    /// Whether the rank stands behind them.
    pub numbered: bool,
    /// When rows are handed on.
    pub emit: Emit,
}

/// When ranked rows are handed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Emit {
    /// At once: what a later row changes is taken back.
    Changes,
    /// The same, but of rows that are equal in the order the one that came last is first.
    Latest,
    /// The first row by this event-time column, once the watermark has reached its time.
    First(usize),
    /// All of them once the watermark has closed their window.
    Window {
        /// The column that says when it began.
        start: usize,
        /// The one that says when it ends.
        end: usize,
        /// Whether of rows that are equal in the order the one that came last is first.
        latest: bool,
    },
}

impl RankSpec {
    /// The `last` of a rank whose end nobody has said.
    pub const OPEN: u64 = u64::MAX;

    /// Whether anything but inserts comes out, given whether it comes in.
    pub fn updates(&self, updating: bool) -> bool {
        match self.emit {
            // Without an order, who is first stays first.
            Emit::Changes => updating || !self.order.is_empty(),
            Emit::Latest => true,
            Emit::First(_) | Emit::Window { .. } => false,
        }
    }

    /// One line on it, as `EXPLAIN` prints it.
    pub(crate) fn describe(&self, input: &Schema) -> String {
        let name = |&c: &usize| input.fields.get(c).map_or("?", |f| f.name.as_str());
        let names = |columns: &[usize]| columns.iter().map(name).collect::<Vec<_>>().join(", ");
        let order: Vec<String> =
            self.order.iter().map(|s| format!("{}{}", name(&s.column), s.describe())).collect();
        let ranks = match (self.first, self.last) {
            (first, RankSpec::OPEN) => format!("from {first}"),
            (first, last) if first == last => first.to_string(),
            (first, last) => format!("{first} to {last}"),
        };
        let emit = match &self.emit {
            Emit::Changes => String::new(),
            Emit::Latest => ", ties=[last]".to_owned(),
            Emit::First(time) => format!(", final=[{}]", name(time)),
            Emit::Window { end, latest, .. } => {
                format!(", final=[{}]{}", name(end), if *latest { ", ties=[last]" } else { "" })
            }
        };
        let numbered = if self.numbered { ", numbered" } else { "" };
        format!(
            "Rank(keys=[{}], order=[{}], ranks=[{ranks}], columns=[{}]{numbered}{emit})",
            names(&self.keys),
            order.join(", "),
            names(&self.columns),
        )
    }
}
