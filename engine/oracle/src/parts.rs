//! What the steps of a pipeline are told: windows, conditions, aggregates, joins, ranks and frames.

use crate::types::Type;

/// Which windows, milliseconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Windows {
    /// Size, step, offset.
    Aligned(i64, i64, i64),
    /// Windows that begin together: size of the longest, step, offset.
    Cumulate(i64, i64, i64),
    /// The gap.
    Session(i64),
}

impl Windows {
    /// The name of their function.
    pub fn name(self) -> &'static str {
        match self {
            Windows::Aligned(size, step, _) if size == step => "TUMBLE",
            Windows::Aligned(..) => "HOP",
            Windows::Cumulate(..) => "CUMULATE",
            Windows::Session(_) => "SESSION",
        }
    }
}

/// A comparison.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Compare {
    /// `<`
    Less,
    /// `<=`
    AtMost,
    /// `=`
    Equal,
    /// `<>`
    Unequal,
    /// `>`
    More,
}

impl Compare {
    /// All of them.
    pub const ALL: [Compare; 5] =
        [Compare::Less, Compare::AtMost, Compare::Equal, Compare::Unequal, Compare::More];

    /// As SQL writes it.
    pub fn sql(self) -> &'static str {
        match self {
            Compare::Less => "<",
            Compare::AtMost => "<=",
            Compare::Equal => "=",
            Compare::Unequal => "<>",
            Compare::More => ">",
        }
    }

    /// Whether it is true of two values; of a NULL nothing is.
    pub fn holds(self, a: Option<i64>, b: Option<i64>) -> bool {
        let (Some(a), Some(b)) = (a, b) else { return false };
        match self {
            Compare::Less => a < b,
            Compare::AtMost => a <= b,
            Compare::Equal => a == b,
            Compare::Unequal => a != b,
            Compare::More => a > b,
        }
    }
}

/// A condition of one row: a column against a number, or `IS NULL`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Test {
    /// Of the row.
    pub column: usize,
    /// How it compares with which number; `None` is `IS NULL`.
    pub than: Option<(Compare, i64)>,
}

/// A condition of two rows: a column of the left against one of the right and a number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Residual {
    /// The column of the left row.
    pub left: usize,
    /// How it compares with the sum.
    pub compare: Compare,
    /// The column of the right row.
    pub right: usize,
    /// What is added to that.
    pub plus: i64,
}

/// When two rows are partners.
#[derive(Clone, Debug, PartialEq)]
pub struct On {
    /// Columns of the left and the right that must be equal.
    pub keys: Vec<(usize, usize)>,
    /// What must hold beside that.
    pub residual: Option<Residual>,
}

/// An aggregate function.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Function {
    /// `COUNT(*)`
    CountAll,
    /// `COUNT(x)`
    Count,
    /// `COUNT(DISTINCT x)`
    CountDistinct,
    /// `SUM(x)`
    Sum,
    /// `SUM(DISTINCT x)`
    SumDistinct,
    /// `MIN(x)`
    Min,
    /// `MAX(x)`
    Max,
    /// `AVG(x)`, of whole numbers cut to a whole one
    Avg,
}

impl Function {
    /// All of them.
    pub const ALL: [Function; 8] = [
        Function::CountAll,
        Function::Count,
        Function::CountDistinct,
        Function::Sum,
        Function::SumDistinct,
        Function::Min,
        Function::Max,
        Function::Avg,
    ];

    /// The function that makes its value of its values of parts, when there is one.
    pub fn of_parts(self) -> Option<&'static str> {
        match self {
            Function::CountAll | Function::Count | Function::Sum => Some("SUM"),
            Function::Min => Some("MIN"),
            Function::Max => Some("MAX"),
            Function::CountDistinct | Function::SumDistinct | Function::Avg => None,
        }
    }
}

/// An aggregate.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// What is computed.
    pub function: Function,
    /// Its argument.
    pub column: usize,
    /// Which rows it takes in; `None`: all.
    pub filter: Option<Test>,
}

impl Call {
    /// Its argument's type, and the type as which it is read: as a number where there is no such aggregate of its
    /// own, or one with parts of a whole.
    pub fn of(&self, types: &[Type]) -> [Type; 2] {
        let own = types[self.column % types.len()];
        let read = match self.function {
            Function::CountAll | Function::Count | Function::CountDistinct => true,
            Function::Sum | Function::SumDistinct => own.adds(),
            Function::Min | Function::Max => own != Type::Boolean,
            Function::Avg => matches!(own, Type::BigInt | Type::Int),
        };
        [own, if read { own } else { Type::BigInt }]
    }

    /// The type of its result.
    pub fn made(&self, types: &[Type]) -> Type {
        match self.function {
            Function::CountAll | Function::Count | Function::CountDistinct => Type::BigInt,
            _ => self.of(types)[1],
        }
    }
}

/// The sets of some keys.
#[derive(Clone, Debug, PartialEq)]
pub enum Sets {
    /// All keys, and each time without the last one, down to none.
    Rollup,
    /// All there are.
    Cube,
    /// A bit for each key, the first key's the lowest.
    Listed(Vec<u64>),
}

impl Sets {
    /// The sets of so many keys: for each, which keys it has.
    pub fn of(&self, keys: usize) -> Vec<Vec<bool>> {
        let has = |bits: u64| (0..keys).map(|k| bits >> k & 1 == 1).collect();
        let all: Vec<Vec<bool>> = match self {
            Sets::Rollup => (0..=keys).map(|count| has((1 << count) - 1)).collect(),
            Sets::Cube => (0..1 << keys).map(has).collect(),
            Sets::Listed(sets) => sets.iter().map(|&bits| has(bits)).collect(),
        };
        let mut each: Vec<Vec<bool>> = Vec::new();
        all.into_iter().for_each(|set| {
            if !each.contains(&set) {
                each.push(set);
            }
        });
        each
    }
}

/// Which rows a join gives.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// Pairs alone.
    Inner,
    /// And rows of the left without a partner.
    Left,
    /// And rows of the right without a partner.
    Right,
    /// And rows of both without a partner.
    Full,
    /// Rows of the left that have a partner.
    Semi,
    /// Rows of the left that have none.
    Anti,
}

impl Kind {
    /// All of them.
    pub const ALL: [Kind; 6] =
        [Kind::Inner, Kind::Left, Kind::Right, Kind::Full, Kind::Semi, Kind::Anti];

    /// Whether its rows are those of the left alone.
    pub fn one_sided(self) -> bool {
        matches!(self, Kind::Semi | Kind::Anti)
    }

    /// Whether a row of this side without a partner stays.
    pub fn keeps(self, side: usize) -> bool {
        match self {
            Kind::Full => true,
            Kind::Left => side == 0,
            Kind::Right => side == 1,
            _ => false,
        }
    }

    /// As SQL has it between two tables.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Inner => "JOIN",
            Kind::Left => "LEFT JOIN",
            Kind::Right => "RIGHT JOIN",
            Kind::Full => "FULL JOIN",
            Kind::Semi => "EXISTS",
            Kind::Anti => "NOT EXISTS",
        }
    }
}

/// A column to order by.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sort {
    /// Which one.
    pub column: usize,
    /// Whether the greatest is first.
    pub descending: bool,
    /// Whether NULL is first; unless it is said, NULL is the least value.
    pub nulls_first: Option<bool>,
}

/// How a rank is written.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Written {
    /// A query inside another one.
    Nested,
    /// QUALIFY.
    Qualify,
    /// ORDER BY … LIMIT: of one partition, without numbers.
    Limit,
}

/// Which rows of each partition stay: those of the places `first` to `last`.
#[derive(Clone, Debug, PartialEq)]
pub struct Rank {
    /// What partitions are by.
    pub keys: Vec<usize>,
    /// What rows of a partition are ordered by, the first column before the others.
    pub order: Vec<Sort>,
    /// The first place that stays, from 1.
    pub first: u64,
    /// The last one.
    pub last: u64,
    /// Whether the place is a column, too.
    pub numbered: bool,
    /// How SQL says it.
    pub written: Written,
}

/// The rows that an aggregate of OVER takes in; `None`: all before the row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Frame {
    /// So many rows before it.
    Rows(Option<u64>),
    /// So many milliseconds before it.
    Range(Option<i64>),
}

/// What a window waits for, before its end or after.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Wait {
    /// So many records since it last fired.
    Records(u64),
    /// So many milliseconds of processing time since the first of them.
    Millis(i64),
}

/// When windows fire.
#[derive(Clone, Debug, PartialEq)]
pub enum Trigger {
    /// By Flink's settings: the delay of early and of late firing; 0 is with each record.
    Fires([Option<i64>; 2]),
    /// When the watermark reaches the end, and before and after that.
    Watermark([Option<Wait>; 2]),
    /// One that never stops, as written; what it says in between is not followed here.
    Composed(&'static str),
}

/// What a pane says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Mode {
    /// All so far, and takes back what it said before.
    Retracting,
    /// All so far.
    Accumulating,
    /// What came since the last one.
    Discarding,
}

/// What is read of panes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Read {
    /// Each with its numbers.
    Each,
    /// What they amount to: the last one, or all of them added up.
    Whole,
}

/// How windows say what they hold.
#[derive(Clone, Debug, PartialEq)]
pub struct Emission {
    /// When they do.
    pub trigger: Trigger,
    /// How long after its end a window takes rows, milliseconds.
    pub lateness: i64,
    /// What each pane says.
    pub mode: Mode,
    /// What the pipeline reads of that.
    pub read: Read,
    /// Whether a window without news says nothing at its end.
    pub non_empty: bool,
    /// Whether a record is late as such, not its window.
    pub by_record: bool,
    /// Whether records exactly a gap apart are two sessions.
    pub apart: bool,
}

impl Emission {
    /// Windows that fire once, when the watermark reaches their end.
    pub const ON_TIME: Emission = Emission {
        trigger: Trigger::Watermark([None, None]),
        lateness: 0,
        mode: Mode::Retracting,
        read: Read::Whole,
        non_empty: false,
        by_record: false,
        apart: false,
    };

    /// What windows wait for before and after their end, when each pane is to be followed.
    pub fn waits(&self) -> Option<[Option<Wait>; 2]> {
        let wait = |delay: i64| if delay == 0 { Wait::Records(1) } else { Wait::Millis(delay) };
        match self.trigger {
            Trigger::Fires([early, late]) => {
                // With time for late records they fire at each unless it is said when.
                let late = late.map(wait).or((self.lateness > 0).then_some(Wait::Records(1)));
                Some([early.map(wait), late])
            }
            Trigger::Watermark(waits) => Some(waits),
            Trigger::Composed(_) => None,
        }
    }

    /// Whether they wait for processing time.
    pub fn by_time(&self) -> bool {
        match self.trigger {
            Trigger::Composed(text) => text.contains("processing"),
            _ => self.waits().is_some_and(|waits| {
                waits.iter().any(|wait| matches!(wait, Some(Wait::Millis(_))))
            }),
        }
    }
}
