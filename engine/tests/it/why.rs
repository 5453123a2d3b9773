//! Why: each answer is checked by doing what it says to the file itself, and a little less.

use std::collections::BTreeSet;

use highwater_engine::batch::Seq;
use highwater_engine::session::why::{Change, HeldRow, Made, Open, Push, Wanted, Why, interval};
use highwater_engine::session::{Files, Options, Session};
use highwater_engine::time::EventTime;
use highwater_engine::trace::{Event, What};

use crate::sandbox::Interpreter;
use crate::stream::{Record, records, scenario};

mod doing;
mod rows;
mod said;

/// Records in a scenario made up for these tests.
const RECORDS: u64 = 60;

const TUMBLING: &str = "SELECT k, window_start, window_end, COUNT(*) AS n, SUM(v) AS s \
    FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '10' SECONDS)) \
    GROUP BY k, window_start, window_end;";

const HOPPING: &str = "SELECT window_start, window_end, COUNT(*) AS n, SUM(v) AS s \
    FROM TABLE(HOP(TABLE t, DESCRIPTOR(ts), INTERVAL '3' SECONDS, INTERVAL '6' SECONDS)) \
    GROUP BY window_start, window_end;";

const SESSIONS: &str = "SELECT k, window_start, window_end, COUNT(*) AS n, SUM(v) AS s \
    FROM TABLE(SESSION(TABLE t PARTITION BY k, DESCRIPTOR(ts), INTERVAL '2' SECONDS)) \
    GROUP BY k, window_start, window_end;";

const JOIN: &str = "CREATE VIEW l AS SELECT k, v, ts FROM t WHERE g = 0;\n\
    CREATE VIEW r AS SELECT k, v, ts FROM t WHERE g = 1;\n\
    SELECT l.k, l.v, r.v AS w, l.ts, r.ts AS rts FROM l JOIN r ON l.k = r.k \
    AND l.ts BETWEEN r.ts - INTERVAL '3' SECOND AND r.ts + INTERVAL '6' SECOND;";

const JOIN_OF_ITSELF: &str = "SELECT a.k, a.v, b.v AS w, a.ts, b.ts AS bts FROM t AS a, t AS b \
    WHERE a.k = b.k AND a.ts BETWEEN b.ts - INTERVAL '2' SECOND AND b.ts;";

const WINDOWS_OF_A_JOIN: &str = "CREATE VIEW l AS SELECT k, v, ts FROM t WHERE g = 0;\n\
    CREATE VIEW r AS SELECT k, v, ts FROM t WHERE g = 1;\n\
    CREATE VIEW pairs AS SELECT l.k, l.v, l.ts FROM l JOIN r ON l.k = r.k \
    AND l.ts BETWEEN r.ts - INTERVAL '3' SECOND AND r.ts + INTERVAL '6' SECOND;\n\
    SELECT window_start, window_end, COUNT(*) AS n, SUM(v) AS s \
    FROM TABLE(TUMBLE(TABLE pairs, DESCRIPTOR(ts), INTERVAL '20' SECONDS)) \
    GROUP BY window_start, window_end;";

const WINDOWS_OF_WINDOWS: &str = "CREATE VIEW tens AS SELECT k, window_time AS closed, COUNT(*) AS n \
    FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '10' SECONDS)) \
    GROUP BY k, window_start, window_end, window_time;\n\
    SELECT window_start, window_end, COUNT(*) AS parts, SUM(n) AS n \
    FROM TABLE(TUMBLE(TABLE tens, DESCRIPTOR(closed), INTERVAL '30' SECONDS)) \
    GROUP BY window_start, window_end;";

const OVER: &str = "SELECT k, v, ts, SUM(v) OVER (PARTITION BY g ORDER BY ts) AS s FROM t;";

const OVER_SOME: &str =
    "SELECT k, v, ts, COUNT(*) OVER (PARTITION BY k ORDER BY ts ROWS 2 PRECEDING) AS n FROM t;";

const UPDATING: &str = "SELECT k, COUNT(*) AS n, SUM(v) AS s FROM t GROUP BY k;";

const ROW_WISE: &str = "SELECT k, v * 2 + g AS w, ts FROM t WHERE v > 3 OR k IS NULL;";

/// The example, and generated streams of one and of two partitions, one of which falls silent.
fn streams(script: &str) -> Vec<String> {
    [1, 2].map(|partitions| scenario(&records(RECORDS, partitions), script)).into()
}

fn session(text: &str) -> Session {
    let options = Options::default();
    let opened = Session::open("t.md", text, &Files::default(), Interpreter::shared(), &options);
    let mut session = opened.unwrap_or_else(|e| panic!("{}\n{text}", e[0]));
    let status = session.finish();
    assert!(status.finished && status.failed.is_none(), "{:?}", status.failed);
    session
}

/// Asks about a text.
fn ask<T>(text: &str, question: impl FnOnce(&Why<'_>) -> T) -> T {
    let files = Files::default();
    let options = Options::default();
    let why = Why::open("t.md", text, &files, Interpreter::shared(), &options);
    question(&why.unwrap_or_else(|e| panic!("{}\n{text}", e[0])))
}
