//! The guest of drawn jobs: beside the script's query one more, whose windows a guest makes. What it must leave, loops
//! say of the same question asked without a guest.

use std::sync::{Arc, LazyLock};

use highwater_engine::session::Files;
use highwater_oracle::parts::{Call, Function, Windows};
use highwater_oracle::pipeline::Node;
use highwater_oracle::types::PLAIN;

/// The table that the guest's rows are written to.
pub(super) const TABLE: &str = "counted";

/// The files of drawn jobs: their guest, which is assembled once for all of them.
pub(super) fn files() -> Files {
    static MODULE: LazyLock<Arc<[u8]>> = LazyLock::new(|| highwater_counting::module().into());
    let mut files = Files::default();
    files.insert(highwater_counting::PATH, Arc::clone(&MODULE));
    files
}

/// The statements that count the records of a source table by their first column.
pub(super) fn statements(table: usize) -> String {
    format!(
        "CREATE FUNCTION counting AS '{}' LANGUAGE WASM;\n\
         CREATE VIEW every AS SELECT a AS c0, ts FROM t{table} WHERE z = 0;\n\
         CREATE TABLE {TABLE} (c0 BIGINT, c1 BIGINT, ts TIMESTAMP(3), ws TIMESTAMP(3), \
         we TIMESTAMP(3)) WITH ('connector' = 'print');\n\
         INSERT INTO {TABLE} SELECT c0, n, window_time, window_start, window_end FROM \
         TABLE(counting(TABLE every PARTITION BY c0, DESCRIPTOR(ts)));\n",
        highwater_counting::PATH
    )
}

/// The same without a guest.
pub(super) fn node(table: usize) -> Node {
    let windows = Windows::Aligned(highwater_counting::LENGTH, highwater_counting::LENGTH, 0);
    let count = Call { function: Function::CountAll, column: 0, filter: None };
    Node::Window(Box::new(Node::Source(table, PLAIN)), windows, vec![0], vec![count])
}
