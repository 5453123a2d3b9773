//! The plan: a validated graph of operators, what SQL becomes and what the drivers run.

mod explain;
mod guarantee;

use std::collections::BTreeMap;

pub use crate::aggregate::AggregateCall;
use crate::error::Span;
pub use crate::expand::GroupingSet;
use crate::expr::Expr;
pub use crate::join::{Bounds, JoinKind};
pub use crate::materialize::MaterializeSpec;
pub use crate::over::OverSpec;
use crate::rank::Emit;
pub use crate::rank::RankSpec;
use crate::schema::{DataType, Field, Schema, SchemaRef};
pub use crate::suppress::SuppressSpec;
pub use crate::watermark::{Clock, Pace, Said};
pub use crate::window::{Emission, PaneColumn, Panes, Trigger, WindowBound, WindowSpec};

pub use explain::explain;
pub use guarantee::{Guarantee, SinkKind};

/// The position of a node in [`Plan::nodes`].
pub type NodeId = usize;

/// A validated pipeline. Nodes come after their inputs.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The operators, inputs first.
    pub nodes: Vec<Node>,
    /// The script's settings, as `SET` wrote them.
    pub settings: Settings,
    /// Things worth saying that are no errors.
    pub warnings: Vec<crate::error::Diagnostic>,
    /// The script ends in `EXPLAIN`: show the plan and run nothing.
    pub explain: bool,
    /// When the stream says what time it is.
    pub clock: Clock,
    /// Whether running aggregates say what has changed at the clock's ticks only.
    pub batched: bool,
    /// After how many milliseconds without a write the state of regular joins, running aggregates and changing
    /// ranks is forgotten; `None`: never.
    pub ttl: Option<i64>,
}

/// One operator and where its rows come from.
#[derive(Clone, Debug)]
pub struct Node {
    /// A short name, unique in the plan, such as `quakes`, `window`, `window-2`, `print`.
    pub name: String,
    /// What it does.
    pub op: Op,
    /// Where its rows come from, in order.
    pub inputs: Vec<NodeId>,
    /// What its rows look like.
    pub schema: SchemaRef,
    /// Whether it may emit anything but inserts.
    pub updating: bool,
    /// Where the script asks for it.
    pub span: Option<Span>,
}

/// What an operator does. A new operator is one variant here and one file.
#[derive(Clone, Debug)]
pub enum Op {
    /// Reads a table.
    Source(SourceSpec),
    /// Keeps the rows for which the condition is TRUE.
    Filter {
        /// A BOOLEAN expression over the input.
        predicate: Expr,
    },
    /// Computes each output column from the input row.
    Project {
        /// One expression an output column.
        exprs: Vec<Expr>,
    },
    /// Hands each row on once a grouping set, the keys that the set leaves out NULL. Output: the columns of the
    /// input, the number of the set.
    Expand {
        /// The sets, in the order in which their rows leave.
        sets: Vec<GroupingSet>,
    },
    /// Assigns a row the windows it has by its time alone: appends `window_start`, `window_end`, `window_time`.
    AssignWindow {
        /// The windows: aligned or cumulating.
        window: WindowSpec,
        /// The event-time column.
        time: usize,
    },
    /// Holds rows until their session fires: appends `window_start`, `window_end`, `window_time`.
    SessionWindow {
        /// The gap in milliseconds, positive.
        gap: i64,
        /// The event-time column.
        time: usize,
        /// The key columns of the input (`PARTITION BY`).
        keys: Vec<usize>,
    },
    /// Aggregates per key and window; fires once, when the watermark closes the window, or as `emission` says.
    /// Output: the key columns, the window's bounds, one column an aggregate.
    WindowAggregate {
        /// The window.
        window: WindowSpec,
        /// The event-time column of the input.
        time: usize,
        /// The key columns of the input.
        keys: Vec<usize>,
        /// Those of the window's columns that are handed on, in the order of their names.
        bounds: Vec<WindowBound>,
        /// The aggregates.
        aggregates: Vec<AggregateCall>,
        /// When and what windows say, if not once on time.
        emission: Option<Emission>,
    },
    /// Aggregates per key without a window: an updating result, a changelog.
    /// Output: the key columns, one column an aggregate.
    GroupAggregate {
        /// The key columns of the input.
        keys: Vec<usize>,
        /// The aggregates.
        aggregates: Vec<AggregateCall>,
        /// Whether a `-U` comes before each `+U`.
        retracts: bool,
    },
    /// Hands on the rows that an aggregation over windows leaves out as late. Output: the columns of the input.
    LateRows {
        /// The window.
        window: WindowSpec,
        /// The event-time column of the input.
        time: usize,
        /// The key columns of the input.
        keys: Vec<usize>,
        /// When the windows fire.
        emission: Emission,
    },
    /// A guest's window. Output: the key columns, `window_start`, `window_end`, `window_time`, the
    /// guest's result columns.
    GuestWindow {
        /// The guest.
        guest: GuestCall,
        /// The event-time column of the input.
        time: usize,
        /// The key columns of the input (`PARTITION BY`).
        keys: Vec<usize>,
    },
    /// An interval join whose pairs a guest decides. Inputs: left, right. Output: all columns of the
    /// left, all columns of the right, each named `<input>_<column>`.
    GuestJoin {
        /// The guest.
        guest: GuestCall,
        /// The event-time columns of left and right.
        times: [usize; 2],
        /// The key columns of left and right (`PARTITION BY`), pairwise of equal types.
        keys: [Vec<usize>; 2],
        /// A pair is a candidate when `lower <= right.time - left.time <= upper`, in milliseconds.
        lower: i64,
        /// See `lower`.
        upper: i64,
    },
    /// Joins rows of two inputs with equal keys and event times within bounds. Inputs: left, right.
    /// Output: columns of the left, columns of the right.
    IntervalJoin {
        /// The event-time columns of left and right.
        times: [usize; 2],
        /// The key columns of left and right, pairwise of equal types.
        keys: [Vec<usize>; 2],
        /// How far apart the times may be.
        bounds: Bounds,
        /// Whether a row is late when it is behind the watermark, not when it meets nobody and nobody can meet it.
        by_record: bool,
        /// The columns of left and right that are handed on.
        columns: [Vec<usize>; 2],
    },
    /// Keeps the rows of some ranks of each partition. Output: columns of the input, the rank.
    Rank(RankSpec),
    /// Adds to each row aggregates of it and the rows of its partition before it, and values of such, once the
    /// watermark has reached its time. Output: columns of the input, one column an aggregate, one a LAG; never
    /// updating.
    Over(OverSpec),
    /// The same as an outer join: rows without a partner leave with NULLs once none can come any more.
    /// Output: all columns of the left, all columns of the right.
    OuterIntervalJoin {
        /// Which rows are handed on: left, right or full.
        kind: JoinKind,
        /// The event-time columns of left and right.
        times: [usize; 2],
        /// The key columns of left and right, pairwise of equal types.
        keys: [Vec<usize>; 2],
        /// How far apart the times may be.
        bounds: Bounds,
        /// See [`Op::IntervalJoin`].
        by_record: bool,
        /// What a pair must fulfil, too: over the columns of left and right side by side.
        condition: Option<Expr>,
    },
    /// Joins rows of two inputs with equal keys, whenever they come; both inputs are kept whole. Inputs:
    /// left, right. Output: all columns of the left, all columns of the right; of a semi or anti join,
    /// those of the left alone.
    RegularJoin {
        /// Which rows are handed on.
        kind: JoinKind,
        /// The key columns of left and right, pairwise of equal types.
        keys: [Vec<usize>; 2],
        /// What a pair must fulfil, too: over the columns of left and right side by side.
        condition: Option<Expr>,
    },
    /// Joins rows of two inputs that are in the same window and have equal keys, when the window closes.
    /// Inputs and output: as [`Op::RegularJoin`]; never updating.
    WindowJoin {
        /// Which rows are handed on.
        kind: JoinKind,
        /// The key columns of left and right, the window's start and end among them.
        keys: [Vec<usize>; 2],
        /// The columns of left and right that hold the window's end.
        ends: [usize; 2],
        /// What a pair must fulfil, too: over the columns of left and right side by side.
        condition: Option<Expr>,
    },
    /// Joins each row of the left with the version of the right that is valid at its event time. Inputs:
    /// left, right. Output: all columns of the left, all columns of the right.
    TemporalJoin {
        /// Whether rows of the left without a version are kept.
        outer: bool,
        /// Whether a version is valid only behind its own time, not at it.
        strict: bool,
        /// The event-time columns of left and right.
        times: [usize; 2],
        /// The key columns of left and right, pairwise of equal types.
        keys: [Vec<usize>; 2],
        /// What a row and its version must fulfil, too: over the columns of left and right side by side.
        condition: Option<Expr>,
    },
    /// Joins each row of the left, when it arrives, with the rows of the right that are there then; without
    /// keys the right is broadcast to all subtasks. Inputs: left, right. Output: all columns of the left, all
    /// columns of the right; never updating.
    LookupJoin {
        /// Whether rows of the left without a partner are kept.
        outer: bool,
        /// The key columns of left and right, pairwise of equal types.
        keys: [Vec<usize>; 2],
        /// Whether a row of the right takes the place of the one with its key.
        replaces: bool,
        /// What a pair must fulfil, too: over the columns of left and right side by side.
        condition: Option<Expr>,
    },
    /// Holds the changes of an updating input back, key by key, and says what they come to. Output: the columns
    /// of the input.
    Suppress(SuppressSpec),
    /// Says nothing of an updating input before its end, then the rows that are left, in their order. Output: those of the
    /// input's columns that are handed on; never updating.
    Materialize(MaterializeSpec),
    /// The rows of all inputs, whose columns are of the types of its own.
    Union,
    /// Writes rows to a table, or collects them for a final `SELECT`.
    Sink(SinkSpec),
}

impl Op {
    /// Whether it keeps state that no watermark frees.
    pub fn is_kept_for_ever(&self) -> bool {
        match self {
            Op::GroupAggregate { .. } | Op::RegularJoin { .. } => true,
            Op::Rank(spec) => matches!(spec.emit, Emit::Changes | Emit::Latest),
            _ => false,
        }
    }
}

/// A guest and what it is called with.
#[derive(Clone, Debug)]
pub struct GuestCall {
    /// The function's name in SQL.
    pub name: String,
    /// The path as written in `CREATE FUNCTION … AS '…'`.
    pub path: String,
    /// For each input of the operator, for each column the manifest asks for, its position in the input.
    pub columns: Vec<Vec<usize>>,
    /// The values of the manifest's parameters, in its order.
    pub parameters: Vec<crate::value::Value>,
}

/// A table that is read.
#[derive(Clone, Debug)]
pub struct SourceSpec {
    /// The table's name.
    pub table: String,
    /// The `connector` option: `filesystem`, `datagen`, or `inline` for a block of a scenario.
    pub connector: String,
    /// All other options of the `WITH` clause.
    pub options: BTreeMap<String, String>,
    /// The columns the connector delivers.
    pub physical: SchemaRef,
    /// One expression over `physical` for each column of the node's schema (identity, or computed).
    pub columns: Vec<Expr>,
    /// The watermark, if declared.
    pub watermark: Option<WatermarkSpec>,
    /// Whether `columns` read when a record arrives: the column behind the physical ones (`PROCTIME()`).
    pub arrival: bool,
    /// Whether the table is there to be looked up: where its records do not say when they arrive, all of them
    /// come before those of other tables.
    pub lookup: bool,
}

impl SourceSpec {
    /// Whether its records hang on the seed: they are generated, and not all of them sequences or times of arrival.
    pub fn draws(&self) -> bool {
        let option =
            |field: &Field, what: &str| self.options.get(&format!("fields.{}.{what}", field.name));
        let draws = |field: &Field| {
            let is_time = matches!(
                field.data_type,
                DataType::Date | DataType::Timestamp | DataType::TimestampLtz
            );
            let is_sequence = option(field, "kind").is_some_and(|kind| kind == "sequence");
            let is_arrival = is_time && option(field, "max-past").is_none();
            option(field, "null-rate").is_some() || !(is_sequence || is_arrival)
        };
        self.connector == "datagen" && self.physical.fields.iter().any(draws)
    }

    /// What `columns` are over: the physical columns, then when the record arrives if they ask for it.
    pub fn row(&self) -> SchemaRef {
        if !self.arrival {
            return self.physical.clone();
        }
        let mut fields = self.physical.fields.to_vec();
        fields.push(Field::new("PROCTIME()", DataType::TimestampLtz));
        Schema::new(fields)
    }
}

/// `WATERMARK FOR column AS expression`.
#[derive(Clone, Debug)]
pub struct WatermarkSpec {
    /// The event-time column, a position in the node's schema.
    pub column: usize,
    /// The watermark a row proposes, an expression over the node's schema.
    pub expr: Expr,
    /// When the expression is `column - constant`: the constant in milliseconds.
    pub delay: Option<i64>,
    /// When the source says it.
    pub pace: Pace,
    /// After how many microseconds a silent partition is idle, where the table says so itself; 0: never.
    pub idle: Option<u64>,
    /// Whose partitions its own are kept together with.
    pub align: Option<Align>,
}

/// How partitions are kept together by their watermarks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Align {
    /// Those of one group wait for each other.
    pub group: String,
    /// How far ahead of the group's least watermark one may be, milliseconds.
    pub drift: i64,
}

/// Where rows end.
#[derive(Clone, Debug)]
pub struct SinkSpec {
    /// The table's name, or `result` for a final `SELECT`.
    pub table: String,
    /// `filesystem`, `print`, `push`, `blackhole`, or `collect` for a final `SELECT`.
    pub connector: String,
    /// All other options of the `WITH` clause.
    pub options: BTreeMap<String, String>,
    /// The columns of its primary key.
    pub key: Vec<usize>,
    /// What it is to promise of its rows, where the script says so: [`Guarantee::of_table`].
    pub delivery: Option<Guarantee>,
}

/// The settings of a script. Unknown keys are kept: Flink keeps them too.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// Key and value as written.
    pub values: BTreeMap<String, String>,
}

impl Settings {
    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.values.get(key).map(String::as_str)
    }
}

impl Plan {
    /// One line on what a node does, as `EXPLAIN` prints it.
    pub fn describe(&self, id: NodeId) -> String {
        explain::describe(self, &self.nodes[id])
    }

    /// The whole plan as `EXPLAIN` prints it.
    pub fn explain(&self) -> String {
        explain(self)
    }
}
