//! The guests of drawn jobs: beside the script's query one more, whose windows or pairs a guest makes. What it must leave,
//! loops say of the same question asked without a guest.

use std::sync::LazyLock;

use highwater_byhand::{COUNTING_PATH, LENGTH, PAIRING_PATH};
use highwater_engine::session::Files;
use highwater_oracle::batch::{self, Cell};
use highwater_oracle::input::Input;
use highwater_oracle::parts::{Call, Compare, Function, On, Residual, Windows};
use highwater_oracle::pipeline::Node;
use highwater_oracle::types::PLAIN;

/// How much later a row may be than its partner, milliseconds.
const LATER: i64 = 3_000;

/// What a guest does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guest {
    /// It counts the records of windows.
    Counting,
    /// It pairs records with such of their key as are not less.
    Pairing,
}

/// The files of drawn jobs: their guests, which are assembled once for all of them.
pub(super) fn files() -> Files {
    static MODULES: LazyLock<Files> = LazyLock::new(|| {
        let mut files = Files::default();
        for (path, module) in highwater_byhand::all() {
            files.insert(path, module);
        }
        files
    });
    MODULES.clone()
}

impl Guest {
    /// The table that its rows are written to.
    pub(super) fn table(self) -> &'static str {
        match self {
            Guest::Counting => "counted",
            Guest::Pairing => "paired",
        }
    }

    /// The statements that have it work on the records of a source table, by their first column.
    pub(super) fn statements(self, table: usize) -> String {
        let (name, into) =
            (if self == Guest::Counting { "counting" } else { "pairing" }, self.table());
        let (path, columns, query) = match self {
            Guest::Counting => (
                COUNTING_PATH,
                "c0 BIGINT, c1 BIGINT, ts TIMESTAMP(3), ws TIMESTAMP(3), we TIMESTAMP(3)",
                "SELECT c0, n, window_time, window_start, window_end FROM \
                 TABLE(counting(TABLE every PARTITION BY c0, DESCRIPTOR(ts)))"
                    .to_owned(),
            ),
            Guest::Pairing => (
                PAIRING_PATH,
                "c0 BIGINT, c1 BIGINT, c2 BIGINT, c3 BIGINT, ts TIMESTAMP(3)",
                format!(
                    "SELECT early_c0, early_c1, late_c0, late_c1, late_ts FROM \
                     TABLE(pairing(early => TABLE every PARTITION BY c0, late => TABLE every PARTITION BY c0, \
                     ON_TIME => DESCRIPTOR(ts), UPPER => INTERVAL '{}' SECOND))",
                    LATER / 1_000
                ),
            ),
        };
        // Rows without a key are of one partition, and no partners in a join.
        let keys = if self == Guest::Pairing { " AND a IS NOT NULL" } else { "" };
        format!(
            "CREATE FUNCTION {name} AS '{path}' LANGUAGE WASM;\n\
             CREATE VIEW every AS SELECT a AS c0, b AS c1, b, ts FROM t{table} WHERE z = 0{keys};\n\
             CREATE TABLE {into} ({columns}) WITH ('connector' = 'print');\nINSERT INTO {into} {query};\n"
        )
    }

    /// What it must leave, of the same question asked without a guest.
    pub(super) fn rows(self, table: usize, input: &Input) -> Vec<Vec<Cell>> {
        let source = || Node::Source(table, PLAIN);
        match self {
            Guest::Counting => {
                let windows = Windows::Aligned(LENGTH, LENGTH, 0);
                let count = Call { function: Function::CountAll, column: 0, filter: None };
                let node = Node::Window(Box::new(source()), windows, vec![0], vec![count]);
                batch::result(&node, input).0
            }
            Guest::Pairing => {
                let not_less = Residual { left: 1, compare: Compare::AtMost, right: 1, plus: 0 };
                let on = On { keys: vec![(0, 0)], residual: Some(not_less) };
                batch::decided(&[source(), source()], [0, LATER], &on, 1, input)
            }
        }
    }
}
